// SPDX-License-Identifier: Apache-2.0
// What could be done, tried: "nothing" and every action of a rule as cases of one ensemble of live as it is, scored and
// chosen from. The same world, rule and seed give the same record, so a replay can tell.
#include "engine/decide_inner.h"
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/ensemble.h"
#include "engine/pasts.h"

#define WATCH_INSTANTS 60 // of the course within what is watched
#define COURSE_MAX 2000   // of all of it

// ---- what is asked of the ensemble --------------------------------------------------------------------------------

static void add_name(Buf *names, Str name) {
    if (!name.n || (names->n && kpi_named(buf_str(names), name))) return;
    if (names->n) buf_byte(names, ',');
    buf_str_put(names, name);
}

static Str names_of(const Rule *r, Arena *a) {
    Buf names = {0};
    add_name(&names, r->objective);
    for (int32_t i = 0; i < r->limit_count; i++) add_name(&names, r->limits[i].kpi);
    add_name(&names, r->watch_kpi);
    Str all = arena_str(a, buf_str(&names));
    buf_free(&names);
    return all;
}

static void case_of(const RuleAction *action, Arena *a, EnsembleCase *out) {
    *out = (EnsembleCase){.name = action->name, .change_count = action->change_count};
    out->changes = NEW(a, PlannedChange, action->change_count + 1);
    for (int32_t i = 0; i < action->change_count; i++) {
        const RuleChange *c = &action->changes[i];
        out->changes[i] = (PlannedChange){c->at_ns, c->twin, c->property, c->value, i};
    }
}

// Between two instants of the course: whole seconds.
static int64_t step_of(const Rule *r, int64_t ahead_ns) {
    if (!r->watch_kpi.n) return ahead_ns;
    int64_t step = r->watch_for_ns / WATCH_INSTANTS;
    if (step < ahead_ns / COURSE_MAX) step = ahead_ns / COURSE_MAX;
    step += NS_PER_S - 1;
    step -= step % NS_PER_S;
    return step < ahead_ns ? step : ahead_ns;
}

static EnsembleAsk ask_of(const Rule *r, const Decision *x, Arena *a) {
    EnsembleAsk ask = {.for_ns = x->ahead_ns,
                       .output_ns = step_of(r, x->ahead_ns),
                       .replications = x->replications,
                       .kpis = names_of(r, a),
                       .kpis_only = true,
                       .level = DECISION_LEVEL,
                       .seed = x->seed,
                       .seeded = true};
    ask.case_count = r->action_count + 1;
    ask.cases = NEW(a, EnsembleCase, ask.case_count);
    ask.cases[0].name = RULE_NOTHING;
    for (int32_t i = 0; i < r->action_count; i++) case_of(&r->actions[i], a, &ask.cases[i + 1]);
    return ask;
}

// ---- from its samples ---------------------------------------------------------------------------------------------

static int32_t place_of(const Kpis *k, Str name) {
    for (int32_t i = 0; i < k->count; i++)
        if (str_eq(k->rows[i].k.name, name)) return i;
    return -1;
}

// What a KPI came to: [case][replication].
static const double *ends_of(const EnsembleSamples *s, int32_t kpi) {
    return &s->ends[(size_t)kpi * (size_t)s->case_count * (size_t)s->room];
}

static Err choose_from(const EnsembleSamples *s, const Rule *r, Arena *a, Decision *x, ChooseEnd *end, Diag *d) {
    int32_t kpi = place_of(s->kpis, r->objective);
    size_t each = (size_t)s->case_count * (size_t)s->room;
    CHECK(kpi >= 0); // it was asked for by name
    const KpiRow *row = &s->kpis->rows[kpi];
    if (!str_eq(row->k.of, STR("money")) || !row->k.better)
        return diag_add(d, ERR_VALIDATION, -1, -1, r->objective,
                        "KPI \"%.*s\" is not of money, or says not what is "
                        "better",
                        STR_ARG(r->objective));
    double *limits = NEW(a, double, (int64_t)each * r->limit_count + 1);
    for (int32_t i = 0; i < r->limit_count; i++) {
        int32_t at = place_of(s->kpis, r->limits[i].kpi);
        CHECK(at >= 0);
        memcpy(limits + (size_t)i * each, ends_of(s, at), each * sizeof *limits);
    }
    ChooseAsk ask = {.rule = r,
                     .unit = arena_str(a, row->unit),
                     .better = row->k.better,
                     .replications = x->replications,
                     .objective = ends_of(s, kpi),
                     .limits = limits};
    *end = choose(&ask, a, x);
    return ERR_OK;
}

// The course of the watched KPI in a case as it is compared: [instant][replication]. That of an integral is counted
// already. Only the first n instants.
static float *course_of(const EnsembleSamples *s, int32_t kpi, int32_t which, size_t n, Arena *a) {
    size_t room = (size_t)s->room, all = (size_t)s->instants + 1;
    int over = (int)s->kpis->rows[kpi].k.over;
    float *out = NEW(a, float, (int64_t)(n * room));
    double *seen = NEW(a, double, (int64_t)n + 1);
    for (size_t r = 0; r < room; r++) {
        for (size_t i = 0; i < n; i++) {
            size_t at = (((size_t)kpi * all + i) * (size_t)s->case_count + (size_t)which) * room + r;
            double v = (double)s->course[at];
            if (i && over != KPI_INTEGRAL) v = live_count(over, seen, (int32_t)i - 1, v, 0);
            if (i) seen[i - 1] = v; // instant 0 says nothing
            out[i * room + r] = (float)v;
        }
    }
    return out;
}

static void band_of(const EnsembleSamples *s, const Rule *r, Arena *a, Decision *x) {
    int32_t kpi = r->watch_kpi.n ? place_of(s->kpis, r->watch_kpi) : -1, which = rule_action(r, x->choice);
    if (kpi < 0 || which < 1) return;
    int64_t n = r->watch_for_ns / s->step_ns + 1;
    if (n > s->instants + 1) n = s->instants + 1;
    Arena tmp;
    arena_init(&tmp, 0);
    BandAsk ask = {.kpi = r->watch_kpi,
                   .unit = arena_str(a, s->kpis->rows[kpi].unit),
                   .for_ns = r->watch_for_ns,
                   .step_ns = s->step_ns,
                   .instants = (int32_t)n,
                   .replications = x->replications,
                   .stride = s->room,
                   .course = course_of(s, kpi, which, (size_t)n, &tmp),
                   .patience = r->patience,
                   .margin = r->margin};
    band_make(&ask, a, &x->watch);
    arena_free(&tmp);
}

Err decide_try(Sosia *e, View *v, int64_t begin_ns, const Rule *rule, const _Atomic bool *stop, Arena *a, Decision *x,
               ChooseEnd *end, Diag *d) {
    _Atomic int32_t done = 0;
    EnsembleRun *run = NULL;
    EnsembleAsk ask = ask_of(rule, x, a);
    Err err = ensemble_run_make(v, e->registry, &ask, x->seed, begin_ns, &run, d);
    if (!err) err = ensemble_run(run, 0, stop, &done, d);
    const EnsembleSamples *s = err ? NULL : ensemble_samples(run);
    if (!err) err = choose_from(s, rule, a, x, end, d);
    if (!err && *end == CHOSE_ACTION) band_of(s, rule, a, x);
    ensemble_run_free(run);
    return err;
}

// ---- one proposal -------------------------------------------------------------------------------------------------

static void stand_at(Work *w, int64_t at_ns, uint64_t seq) {
    Buf name = {0};
    buf_printf(&name, "live@");
    time_print(at_ns, 7, &name);
    w->x.world = arena_str(&w->keep, buf_str(&name));
    w->x.sequence = seq;
    buf_free(&name);
}

// Of what a choice leads to.
static const DecisionState ends[] = {DECISION_WAITING, DECISION_NOTHING, DECISION_NONE_WITHIN};

static Err try_view(Decider *x, Work *w, View *v, int64_t at_ns, Diag *d) {
    Str stale = {0};
    ChooseEnd end = CHOSE_NOTHING;
    stand_at(w, at_ns, v->seq);
    TRY(work_values(v, w, at_ns, &stale));
    if (stale.n) {
        w->x.state = DECISION_STALE;
        w->x.why = stale;
        return ERR_OK;
    }
    TRY(decide_try(x->engine, v, at_ns, &w->rule, &x->stop, &w->keep, &w->x, &end, d));
    int32_t action = end == CHOSE_ACTION ? rule_action(&w->rule, w->x.choice) : 0;
    if (action > 0) w->x.command.c = w->rule.actions[action - 1].command;
    w->x.state = ends[end];
    decision_seal(&w->x, &w->keep);
    return ERR_OK;
}

// Live as it is, and from now on everything that comes is of a later time.
static Err try_work(Decider *x, Work *w, Diag *d) {
    Task *c = task_new(OP_SNAPSHOT, NULL, NULL, 0);
    c->realm = realm_ref(x->engine->live);
    c->time = decider_now(x);
    Err err = task_wait(x->engine, c, true);
    if (!err) err = c->err;
    if (!err) {
        View v;
        view_begin(&v, c->fork);
        err = try_view(x, w, &v, c->time, d);
        view_end(&v);
    }
    task_free(c);
    return err;
}

static void try_one(Decider *x, Work *w) {
    Diag d;
    diag_init(&d);
    Err err = w->ruled ? try_work(x, w, &d) : ERR_CORRUPT;
    if (err) {
        Buf text = {0};
        if (d.count) task_message_put(&text, &d.messages[0]);
        else buf_str_put(&text, str_of(err_text(err)));
        w->failed = arena_str(&w->keep, buf_str(&text));
        buf_free(&text);
    }
    diag_free(&d);
}

void *trier_main(void *arg) {
    Decider *x = arg;
    for (;;) {
        pthread_mutex_lock(&x->lock);
        while (!x->queued && !atomic_load(&x->stop)) pthread_cond_wait(&x->more, &x->lock);
        Work *w = atomic_load(&x->stop) ? NULL : x->queue[0];
        pthread_mutex_unlock(&x->lock);
        if (!w) return NULL;
        try_one(x, w);
        pthread_mutex_lock(&x->lock);
        memmove(&x->queue[0], &x->queue[1], (size_t)(--x->queued) * sizeof x->queue[0]);
        pthread_mutex_unlock(&x->lock);
        decider_tell(x, mail_new(MAIL_TRIED, w->x.id, (Str){0}));
    }
}
