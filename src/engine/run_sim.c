// SPDX-License-Identifier: Apache-2.0
#include "engine/run_sim.h"
#include "base/check.h"
#include "base/mem.h"
#include "codec/json.h"

// ---- the writer's side --------------------------------------------------------------------------------------------

// Others took it away meanwhile: the run will hear of it, and begin anew.
static bool gone(Err e) { return e == ERR_TWIN_NOT_FOUND || e == ERR_LINK_NOT_FOUND || e == ERR_STALE; }

Err run_edit(World *w, const Task *c) {
    for (int64_t i = 0; i < c->set_count; i++) {
        const Change *x = &c->sets[i];
        bool twin = x->kind == CHANGE_SET || x->kind == CHANGE_UNSET;
        if (twin && world_guarded(w, x->id, x->col).n) continue;
        if (x->kind == CHANGE_SET) TRY(world_drop_source(w, x->id, x->col));
        Err err = world_do(w, x);
        if (err && !gone(err)) return err;
    }
    return ERR_OK;
}

// ---- told ---------------------------------------------------------------------------------------------------------

static void on_done(void *arg, const SosiaDone *done) {
    Run *r = arg;
    pthread_mutex_lock(&r->lock);
    r->flight--;
    if (done->err && !r->err) {
        r->err = (Err)done->err;
        buf_str_put(&r->why, done->message);
    }
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

// False: a batch has failed, or it is to stand.
static bool take_off(Run *r, int64_t now) {
    pthread_mutex_lock(&r->lock);
    while (r->flight >= RUN_FLIGHT_MAX && !r->err) pthread_cond_wait(&r->wake, &r->lock);
    bool ok = !r->err;
    if (ok) r->flight++;
    if (ok) r->now_ns = now < r->until_ns ? now : r->until_ns; // who looks on sees it move within a slice, too
    pthread_mutex_unlock(&r->lock);
    return ok;
}

static bool to_stand(Run *r) {
    pthread_mutex_lock(&r->lock);
    bool stop = r->stop || r->err;
    pthread_mutex_unlock(&r->lock);
    return stop;
}

static Task *task_of(Run *r, const SimCell *cells, uint32_t n) {
    Task *c = task_new(OP_RUN, on_done, r, (int64_t)n * (int64_t)sizeof(Change) + 256);
    c->realm = realm_ref(r->realm);
    c->source = RUN_SOURCE;
    c->sets = NEW(&c->arena, Change, n ? n : 1);
    for (uint32_t i = 0; cells && i < n; i++)
        if (sim_change(r->sim, &cells[i], &c->sets[c->set_count])) c->set_count++;
    return c;
}

// Hand a batch to the writer. False: the engine closes.
static bool send(Run *r, Task *c, int64_t time) {
    c->time = time;
    if (!task_queue(r->engine, c, true)) return true;
    on_done(r, &(SosiaDone){.err = SOSIA_CLOSED, .message = STR("the engine closes")});
    task_free(c);
    return false;
}

void run_tick(Run *r) {
    int64_t now = sim_world_ns(r->epoch_ns, sim_now(r->sim));
    if (now <= r->batch_ns || !take_off(r, now)) return;
    Task *c = task_of(r, NULL, 0);
    c->sets[c->set_count++] = (Change){.kind = CHANGE_TICK};
    r->batch_ns = now;
    (void)send(r, c, now);
}

bool run_told(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n) {
    Run *r = ctx;
    CHECK(lane == 0);
    int64_t time = sim_batch_ns(r->epoch_ns, t, r->batch_ns);
    r->batch_ns = time;
    if (time <= r->skip_ns) return !to_stand(r);
    if (!take_off(r, time)) return false;
    return send(r, task_of(r, cells, n), time) && !to_stand(r);
}

void run_put(Run *r, const Change *sets, int64_t n) {
    int64_t time = sim_batch_ns(r->epoch_ns, sim_now(r->sim), r->batch_ns);
    if (!take_off(r, time)) return;
    Task *c = task_of(r, NULL, (uint32_t)n);
    for (int64_t i = 0; i < n; i++) {
        c->sets[i] = sets[i];
        c->sets[i].text = arena_str(&c->arena, sets[i].text);
    }
    c->set_count = n;
    r->batch_ns = time;
    (void)send(r, c, time);
}

Err run_land(Run *r) {
    pthread_mutex_lock(&r->lock);
    while (r->flight) pthread_cond_wait(&r->wake, &r->lock);
    Err err = r->err;
    pthread_mutex_unlock(&r->lock);
    return err;
}

// ---- the world as columns -----------------------------------------------------------------------------------------

// A planned change as an input: its column is in the Sim, so that it is told to the world too.
static Err plan_change(Run *r, View *v, const PlannedChange *p, bool input, Diag *d) {
    SimPlace at;
    double value;
    TRY(sim_model_place(&r->model, r->sim, v, p->twin, p->property, &at, d));
    TRY(sim_model_value(r->sim, &at, p->value, p->property, &value, d));
    if (!input) return ERR_OK;
    int64_t at_ns;
    if (__builtin_add_overflow(r->begin_ns, p->at_ns, &at_ns)) return ERR_OK; // after the end of all clocks
    sim_time when = sim_time_of(r->epoch_ns, at_ns);
    if (when < sim_now(r->sim)) return ERR_OK; // it is behind us
    if (!sim_takes_input(r->sim, at.column, at.row))
        return diag_add(d, ERR_VALIDATION, -1, -1, p->twin, "\"%.*s\" is what a behaviour says: it cannot be changed",
                        STR_ARG(p->property));
    sim_input(r->sim, when, 0, at.column, at.row, 1, value);
    return ERR_OK;
}

// input: else only their columns are made.
static Err plan_changes(Run *r, View *v, bool input, Diag *d) {
    if (!r->changes.n) return ERR_OK;
    Arena a;
    Json json;
    Whatif w;
    arena_init(&a, 4096);
    Err err = json_parse(r->changes, NULL, &a, &json, d);
    if (!err) err = whatif_changes(&a, &json, &w, d);
    for (int32_t i = 0; !err && i < w.change_count; i++) err = plan_change(r, v, &w.changes[i], input, d);
    arena_free(&a);
    return err;
}

// Definitions of derived values that stand still within the run.
static void take_notes(Run *r) {
    uint32_t n;
    const RatesNote *notes = rates_notes(r->model.rates, &n);
    pthread_mutex_lock(&r->lock);
    buf_reset(&r->notes);
    for (uint32_t i = 0; i < n; i++) {
        buf_printf(&r->notes, "%s{\"derived\":", i ? "," : "");
        json_put_str(&r->notes, notes[i].name);
        buf_printf(&r->notes, ",\"text\":");
        json_put_str(&r->notes, notes[i].why);
        buf_byte(&r->notes, '}');
    }
    pthread_mutex_unlock(&r->lock);
}

// What follows from graph and documents alone.
static Err make_engines(Run *r, View *v, Kpis **kpis, Diag *d) {
    RatesOptions o = r->solver;
    o.watch_s = (double)r->output_ns / 1e9;
    o.brief = true;
    TRY(sim_model_make(&r->model, v, r->engine->registry, &o, d));
    TRY(kpis_make(v, r->model.rates, r->kpi_names, kpis, d));
    take_notes(r);
    return ERR_OK;
}

// Engines and columns, for t = 0 at epoch_ns.
static Err build(Run *r, View *v, Kpis **kpis, Diag *d) {
    if (!r->model.graph) TRY(make_engines(r, v, kpis, d));
    SimOpen open = {.graph = r->model.graph,
                    .epoch_ns = r->epoch_ns,
                    .seed = r->realm->scenario->seed,
                    .lanes = 1,
                    .output_s = (double)r->output_ns / 1e9};
    r->sim = sim_new(&open);
    TRY(sim_model_add(&r->model, r->sim, d));
    return plan_changes(r, v, false, d);
}

// ---- what is followed ---------------------------------------------------------------------------------------------

static void follow(void *ctx, const SimTrace *x) {
    Run *r = ctx;
    pthread_mutex_lock(&r->lock);
    flow_trace_add(r->trace, sim_world_ns(r->epoch_ns, x->t), x);
    pthread_mutex_unlock(&r->lock);
}

// The Sim is there, and not started or loaded yet.
static void trace_begin(Run *r, bool anew) {
    if (!r->trace || !r->trace->goes_on) return;
    pthread_mutex_lock(&r->lock);
    flow_trace_graph(r->trace, r->model.graph);
    if (anew) flow_trace_anew(r->trace);
    pthread_mutex_unlock(&r->lock);
    sim_tracer(r->sim, follow, r);
}

static void trace_end(Run *r) {
    if (!r->trace) return;
    pthread_mutex_lock(&r->lock);
    flow_trace_graph(r->trace, NULL);
    pthread_mutex_unlock(&r->lock);
}

// ---- making it -----------------------------------------------------------------------------------------------------

// Where it was, when that is known; else from the world as it is.
static Err make(Run *r, View *v, Kpis **kpis, Diag *d) {
    int64_t time = (int64_t)view_meta(v, META_TIME), epoch = r->epoch_ns;
    r->batch_ns = time;
    r->seen = v->seq;
    if (!r->anew && run_find(r, v->seq, time)) {
        TRY(build(r, v, kpis, d));
        TRY(sim_model_gather(&r->model, r->sim, v, 1, d));
        if (run_load(r)) {
            trace_begin(r, false);
            run_kpis_begin(r, *kpis, true);
            return r->resumed ? ERR_OK : plan_changes(r, v, true, d);
        }
        sim_free(r->sim);
        r->epoch_ns = epoch;
        r->batch_ns = time;
        r->skip_ns = 0;
    }
    TRY(build(r, v, kpis, d));
    TRY(sim_model_gather(&r->model, r->sim, v, 1, d));
    trace_begin(r, true);
    TRY(sim_start(r->sim, d));
    run_kpis_begin(r, *kpis, false);
    return plan_changes(r, v, true, d);
}

Err run_prepare(Run *r, Diag *d) {
    Task *c = task_new(OP_SNAPSHOT, NULL, NULL, 0);
    c->realm = realm_ref(r->realm);
    Err err = task_wait(r->engine, c, true);
    if (!err) err = c->err;
    if (!err) {
        View v;
        Kpis *kpis = NULL;
        view_begin(&v, c->fork);
        err = make(r, &v, &kpis, d);
        if (kpis != r->kpis) kpis_free(kpis);
        if (v.failed) err = v.failed;
        view_end(&v);
    }
    task_free(c);
    return err;
}

void run_unprepare(Run *r) {
    trace_end(r);
    sim_free(r->sim);
    sim_model_free(&r->model);
    r->sim = NULL;
}

// ---- what is counted ----------------------------------------------------------------------------------------------

void run_count(Run *r, bool point) {
    pthread_mutex_lock(&r->lock);
    kpis_look(r->kpis, r->model.rates, r->sim, sim_world_ns(r->epoch_ns, sim_now(r->sim)), point);
    pthread_mutex_unlock(&r->lock);
}

void run_looked(void *ctx, sim_time t) {
    Run *r = ctx;
    (void)t;
    if (r->kpis) run_count(r, true);
}

void run_kpis_begin(Run *r, Kpis *k, bool again) {
    Kpis *kept = again || !r->kpis ? run_kept_kpis(r->realm) : NULL, *old = kept ? kept : r->kpis;
    if (old && !(again && !kept)) kpis_carry(k, old, again);
    pthread_mutex_lock(&r->lock);
    Kpis *was = r->kpis;
    r->kpis = k;
    k->until_ns = r->until_ns;
    k->changes = arena_str(&k->keep, r->changes.n || !old ? r->changes : old->changes);
    pthread_mutex_unlock(&r->lock);
    kpis_free(kept);
    kpis_free(was);
    run_count(r, !again);
}
