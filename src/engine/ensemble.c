// SPDX-License-Identifier: Apache-2.0
// The ensembles of an engine: begun, looked at, listed, stopped, kept. A thread each, which has others help it.
#include "engine/ensemble.h"
#include <math.h>
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/ensemble_inner.h"
#include "engine/pasts.h"
#include "engine/scenarios.h"
#include "engine/whatif.h"

#define STATUS_WAIT_MAX INT64_C(60000000000) // one call of sosia_ensemble_status
#define LOOK_COURSE_MAX 1e6                  // samples of courses that are gone through while it works

// ---- lives --------------------------------------------------------------------------------------------------------

static Ensemble *ensemble_ref(Ensemble *x) {
    atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
    return x;
}

static void free_runs(Ensemble *x) {
    for (int32_t i = 0; i < x->part_count; i++) {
        ensemble_run_free(x->parts[i].run);
        x->parts[i].run = NULL;
        if (x->parts[i].realm) realm_unref(x->parts[i].realm);
        x->parts[i].realm = NULL;
    }
}

static void ensemble_unref(Ensemble *x) {
    if (atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) > 1) return;
    free_runs(x);
    ensemble_outcome_free(x->outcome);
    arena_free(&x->keep);
    pthread_cond_destroy(&x->wake);
    pthread_mutex_destroy(&x->runs_lock);
    pthread_mutex_destroy(&x->lock);
    mem_free(x);
}

static Ensemble *ensemble_new(Sosia *s) {
    Ensemble *x = mem_alloc(sizeof *x);
    atomic_init(&x->refs, 1);
    x->engine = s;
    arena_init(&x->keep, 0);
    pthread_mutex_init(&x->lock, NULL);
    pthread_mutex_init(&x->runs_lock, NULL);
    cond_init_mono(&x->wake);
    return x;
}

// One at its end, of the bytes of its head. NULL: they are damaged.
static Ensemble *ensemble_ended(Sosia *s, Str head) {
    Ensemble *x = ensemble_new(s);
    if (ensemble_head_decode(&x->keep, head, &x->head)) return x;
    ensemble_unref(x);
    return NULL;
}

// As it is now; texts stay as long as x.
static EnsembleHead head_of(Ensemble *x) {
    pthread_mutex_lock(&x->lock);
    EnsembleHead h = x->head;
    if (ensemble_at_work(h.state)) h.spent_ns = time_mono_ns() - x->begun_mono_ns;
    pthread_mutex_unlock(&x->lock);
    if (!x->part_count || h.state == ENSEMBLE_STARTING) return h;
    if (!ensemble_at_work(h.state)) return h;
    h.replications = INT32_MAX; // of all worlds
    for (int32_t i = 0; i < x->part_count; i++) {
        int32_t n = atomic_load(&x->parts[i].replications);
        if (n < h.replications) h.replications = n;
    }
    pthread_mutex_lock(&x->runs_lock);
    if (x->parts[0].run) h.goal = ensemble_goal(x->parts[0].run);
    pthread_mutex_unlock(&x->runs_lock);
    return h;
}

// ---- preparing ----------------------------------------------------------------------------------------------------

typedef struct Preparing {
    Ensemble *x;
    EnsemblePart *part;
    Diag *d;
} Preparing;

static int64_t ticked(int64_t now) {
    int64_t rest = now % SIM_TICK_NS;
    return rest ? now + SIM_TICK_NS - rest : now;
}

// Called again when the view was overtaken.
static Err make_run(View *v, void *ctx) {
    Preparing *p = ctx;
    EnsemblePart *part = p->part;
    ensemble_run_free(part->run);
    part->run = NULL;
    if (part->ask.for_ns > INT64_MAX - part->begin_ns)
        return diag_add(p->d, ERR_ARGUMENT, -1, -1, STR("for"), "that is longer than clocks go: until 2262");
    Err err =
        ensemble_run_make(v, p->x->engine->registry, &part->ask, p->x->head.seed, part->begin_ns, &part->run, p->d);
    return v->failed ? v->failed : err;
}

// From the world as it is.
static Err prepare_present(Preparing *p) {
    EnsemblePart *part = p->part;
    Task *c = task_new(OP_SNAPSHOT, NULL, NULL, 0);
    c->realm = realm_ref(part->realm);
    Err err = task_wait(p->x->engine, c, true);
    if (!err) err = c->err;
    if (!err) {
        View v;
        view_begin(&v, c->fork);
        part->begin_ns =
            ticked(part->realm->scenario ? scenario_clock(part->realm) : (int64_t)view_meta(&v, META_TIME));
        err = make_run(&v, p);
        view_end(&v);
    }
    task_free(c);
    return err;
}

static Err prepare_part(Ensemble *x, EnsemblePart *part, Diag *d) {
    Preparing p = {x, part, d};
    return part->realm->past.is ? engine_read_realm(part->realm, NULL, make_run, &p, NULL) : prepare_present(&p);
}

static double samples_bytes(const EnsembleSamples *s) {
    double items = (double)s->room * s->case_count;
    return items * (s->kpis->count * 8.0 + (s->instants + 1.0) * s->series_count * 4.0);
}

// What all worlds together need.
static Err check_size(Ensemble *x, Diag *d) {
    double bytes = 0, cells = 0;
    for (int32_t i = 0; i < x->part_count; i++) {
        const EnsembleSamples *s = ensemble_samples(x->parts[i].run);
        bytes += samples_bytes(s);
        cells = cells > s->kpis->count ? cells : s->kpis->count;
    }
    cells *= x->ask.case_count;
    if (bytes > ENSEMBLE_BYTES_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0},
                        "all worlds together would keep %.0f MB of samples, %d are allowed", bytes / 1e6,
                        ENSEMBLE_BYTES_MAX / 1000000);
    if (cells > ENSEMBLE_CELLS_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "KPIs times cases are %.0f, %d are allowed", cells,
                        ENSEMBLE_CELLS_MAX);
    return ERR_OK;
}

// The KPIs are known now, and with them whom it is about.
static void take_names(Ensemble *x) {
    int32_t most = x->head.name_count, kpis = 0;
    for (int32_t i = 0; i < x->part_count; i++) most += ensemble_samples(x->parts[i].run)->kpis->count;
    Str *names = NEW(&x->keep, Str, most + 1);
    int32_t n = x->head.name_count;
    for (int32_t i = 0; i < n; i++) names[i] = x->head.names[i];
    for (int32_t i = 0; i < x->part_count; i++) {
        const Kpis *k = ensemble_samples(x->parts[i].run)->kpis;
        kpis = kpis > k->count ? kpis : k->count;
        for (int32_t r = 0; r < k->count; r++) names[n++] = arena_str(&x->keep, k->rows[r].k.twin);
    }
    pthread_mutex_lock(&x->lock);
    x->head.names = names;
    x->head.name_count = n;
    x->head.kpi_count = kpis;
    x->head.begin_ns = x->parts[0].begin_ns;
    x->head.goal = ensemble_goal(x->parts[0].run);
    pthread_mutex_unlock(&x->lock);
}

static Err prepare(Ensemble *x, Diag *d) {
    for (int32_t i = 0; i < x->part_count; i++) {
        if (atomic_load(&x->stop)) return ERR_CLOSED;
        TRY(prepare_part(x, &x->parts[i], d));
    }
    TRY(check_size(x, d));
    take_names(x);
    return ERR_OK;
}

// ---- the end ------------------------------------------------------------------------------------------------------

static Str why_of(Ensemble *x, Err err, const Diag *d) {
    Buf why = {0};
    for (int32_t i = 0; i < d->count; i++) {
        if (i) buf_printf(&why, "; ");
        task_message_put(&why, &d->messages[i]);
    }
    if (!why.n) buf_str_put(&why, str_of(err_text(err)));
    Str text = arena_str(&x->keep, buf_str(&why));
    buf_free(&why);
    return text;
}

// Its head as it will stay; of the outcome, which may be NULL.
static EnsembleHead last_head(Ensemble *x, EnsembleState s, Err err, const Diag *d, const EnsembleOutcome *o) {
    EnsembleHead h = head_of(x);
    h.state = s;
    h.err = err;
    h.spent_ns = time_mono_ns() - x->begun_mono_ns;
    if (err) h.why = why_of(x, err, d);
    if (o) {
        Buf text = {0};
        ensemble_say(&h, o, &text);
        h.sentence = arena_str(&x->keep, buf_str(&text));
        buf_free(&text);
    }
    return h;
}

// most: samples of courses that are gone through; where there are more, there are no courses.
static EnsembleOutcome *outcome_of(Ensemble *x, int32_t n, double most) {
    double samples = 0;
    for (int32_t i = 0; i < x->part_count; i++) {
        const EnsembleSamples *s = x->parts[i].run ? ensemble_samples(x->parts[i].run) : NULL;
        if (!s || !s->ends) return NULL;
        samples += (s->instants + 1.0) * s->series_count * s->case_count * n;
    }
    return ensemble_outcome(&x->ask, x->parts, x->which, x->within, n, samples <= most);
}

// Put what it came to, unless somebody wants it forgotten. False: it is not kept.
static bool keep(Ensemble *x, Str head, Str outcome) {
    pthread_mutex_lock(&x->lock);
    bool wanted = !x->forgotten;
    x->keeping = wanted;
    pthread_mutex_unlock(&x->lock);
    if (!wanted) return true;
    Err err = ensemble_put(x->engine, x->head.id, head, outcome);
    pthread_mutex_lock(&x->lock);
    x->keeping = false;
    pthread_cond_broadcast(&x->wake);
    pthread_mutex_unlock(&x->lock);
    return !err;
}

// In the list stands from now on what it came to alone.
static void replace(Ensemble *x, Ensemble *by) {
    Sosia *e = x->engine;
    bool found = false;
    pthread_mutex_lock(&e->ensembles_lock);
    for (Ensemble **at = &e->ensembles; *at && !found; at = &(*at)->next) {
        if (*at != x) continue;
        found = true;
        pthread_mutex_lock(&x->lock);
        by->forgotten = x->forgotten;
        pthread_mutex_unlock(&x->lock);
        by->next = x->next;
        *at = by;
        break;
    }
    pthread_mutex_unlock(&e->ensembles_lock);
    ensemble_unref(found ? x : by);
}

// Take the oldest of those at their end out of the list while more are kept than may be.
static Ensemble *take_surplus(Sosia *e) {
    int64_t bytes = 0;
    int32_t n = 0;
    Ensemble *gone = NULL;
    pthread_mutex_lock(&e->ensembles_lock);
    for (Ensemble **at = &e->ensembles; *at;) {
        Ensemble *x = *at;
        if (x->part_count) {
            at = &x->next;
            continue;
        }
        bytes += x->head.bytes;
        if (++n <= ENSEMBLES_KEPT_MAX && bytes <= ENSEMBLES_KEPT_BYTES_MAX) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        x->next = gone;
        gone = x;
    }
    pthread_mutex_unlock(&e->ensembles_lock);
    return gone;
}

static void let_go(Sosia *e, Ensemble *gone) {
    while (gone) {
        Ensemble *x = gone;
        gone = x->next;
        (void)!ensemble_take(e, x->head.id);
        ensemble_unref(x);
    }
}

static void tell_end(Ensemble *x, const EnsembleHead *h) {
    pthread_mutex_lock(&x->lock);
    x->head = *h;
    pthread_cond_broadcast(&x->wake);
    pthread_mutex_unlock(&x->lock);
}

static void finish(Ensemble *x, EnsembleState s, Err err, const Diag *d) {
    Buf head = {0}, bytes = {0};
    EnsembleOutcome *o = outcome_of(x, head_of(x).replications, (double)INFINITY);
    EnsembleHead h = last_head(x, s, err, d, o);
    if (o) ensemble_outcome_encode(o, &bytes);
    h.bytes = bytes.n;
    ensemble_head_encode(&h, &head);
    Ensemble *by = ensemble_ended(x->engine, buf_str(&head));
    if (keep(x, buf_str(&head), buf_str(&bytes))) ensemble_outcome_free(o);
    else by->outcome = o;
    pthread_mutex_lock(&x->runs_lock);
    free_runs(x);
    pthread_mutex_unlock(&x->runs_lock);
    replace(x, by);
    Ensemble *gone = take_surplus(x->engine);
    tell_end(x, &h); // who waits finds the other one in the list
    let_go(x->engine, gone);
    buf_free(&head);
    buf_free(&bytes);
}

static Err run_parts(Ensemble *x, Diag *d) {
    Err err = ERR_OK;
    pthread_mutex_lock(&x->lock);
    x->head.state = ENSEMBLE_RUNNING;
    pthread_cond_broadcast(&x->wake);
    pthread_mutex_unlock(&x->lock);
    for (int32_t i = 0; !err && i < x->part_count; i++)
        err = ensemble_run(x->parts[i].run, x->ask.threads, &x->stop, &x->parts[i].replications, d);
    return err;
}

static void *ensemble_thread(void *arg) {
    Ensemble *x = arg;
    Sosia *e = x->engine;
    Diag d;
    pthread_detach(pthread_self());
    diag_init(&d);
    Err err = prepare(x, &d);
    if (!err) err = run_parts(x, &d);
    bool stopped = err == ERR_CLOSED && atomic_load(&x->stop);
    finish(x, stopped ? ENSEMBLE_STOPPED : err ? ENSEMBLE_FAILED : ENSEMBLE_DONE, stopped ? ERR_OK : err, &d);
    diag_free(&d);
    ensemble_unref(x);
    pthread_mutex_lock(&e->ensembles_lock);
    e->ensembles_at_work--;
    pthread_cond_broadcast(&e->ensembles_wake);
    pthread_mutex_unlock(&e->ensembles_lock);
    return NULL;
}

// ---- beginning ----------------------------------------------------------------------------------------------------

static Err say(SosiaOut *out, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err say(SosiaOut *out, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&out->message);
    buf_vprintf(&out->message, fmt, ap);
    va_end(ap);
    return err;
}

static Err find_world(Sosia *s, Str world, Realm **out, int64_t *at, SosiaOut *message) {
    *at = 0;
    Err err = realm_get(s, world, out, at);
    if (!err) return ERR_OK;
    buf_reset(&message->message);
    if (pasts_named(world)) pasts_why(s, world, err, &message->message);
    else if (err == ERR_WORLD_NOT_FOUND) buf_printf(&message->message, "there is no world \"%.*s\"", STR_ARG(world));
    else buf_str_put(&message->message, str_of(err_text(err)));
    return err;
}

// "live@-1d" is an instant before now.
static Str absolute(Arena *a, Str world, int64_t at) {
    Str rest = world, base = str_cut(&rest, '@');
    if (!pasts_named(world)) return arena_str(a, world.n ? world : STR("live"));
    Buf text = {0};
    buf_printf(&text, "%.*s@", STR_ARG(base));
    time_print(at, 9, &text);
    Str name = arena_str(a, buf_str(&text));
    buf_free(&text);
    return name;
}

// The number and the seed of the fork that is named, also where the past that is meant is its parent's: that of its
// first instant is.
static void fork_behind(Sosia *e, Str world, uint64_t *number, uint64_t *seed) {
    Str rest = world, base = str_cut(&rest, '@');
    Realm *r = realm_made(e, base.n ? base : STR("live"));
    if (!r) return;
    if (r->scenario) {
        *number = r->scenario->number;
        *seed = r->scenario->seed;
    }
    realm_unref(r);
}

// Of a case, the part of its world; it is made when there is none yet.
static Err part_of(Ensemble *x, Str world, int32_t *which, SosiaOut *out) {
    Realm *realm;
    int64_t at;
    TRY(find_world(x->engine, world, &realm, &at, out));
    Str name = absolute(&x->keep, world, at);
    for (*which = 0; *which < x->part_count && !str_eq(x->parts[*which].world.name, name);) ++*which;
    if (*which < x->part_count) {
        realm_unref(realm);
        return ERR_OK;
    }
    if (x->part_count == SOSIA_COMPARE_WORLDS_MAX) {
        realm_unref(realm);
        return say(out, ERR_LIMIT, "at most %d worlds are tried at once", SOSIA_COMPARE_WORLDS_MAX);
    }
    EnsemblePart *p = &x->parts[x->part_count++];
    p->realm = realm;
    p->world = (EnsembleWorld){.name = name};
    fork_behind(x->engine, name, &p->world.number, &p->seed);
    p->begin_ns = ticked(at);
    atomic_init(&p->replications, 0);
    return ERR_OK;
}

// Cases by world; each world's ask has its own, in their order.
static Err split(Ensemble *x, Str world, SosiaOut *out) {
    EnsembleAsk *ask = &x->ask;
    x->parts = NEW(&x->keep, EnsemblePart, SOSIA_COMPARE_WORLDS_MAX);
    x->which = NEW(&x->keep, int32_t, ask->case_count);
    x->within = NEW(&x->keep, int32_t, ask->case_count);
    for (int32_t c = 0; c < ask->case_count; c++) {
        bool own = !ask->cases[c].world.n;
        if (own && c && !ask->cases[c - 1].world.n) x->which[c] = x->which[c - 1];
        else TRY(part_of(x, own ? world : ask->cases[c].world, &x->which[c], out));
    }
    for (int32_t i = 0; i < x->part_count; i++) {
        EnsembleAsk *part = &x->parts[i].ask;
        *part = *ask;
        part->cases = NEW(&x->keep, EnsembleCase, ask->case_count);
        part->case_count = 0;
        for (int32_t c = 0; c < ask->case_count; c++) {
            if (x->which[c] != i) continue;
            x->within[c] = part->case_count;
            part->cases[part->case_count++] = ask->cases[c];
        }
    }
    if (ask->precision.n && x->part_count > 1)
        return say(out, ERR_ARGUMENT, "a precision is for the cases of one world: say \"replications\"");
    return ERR_OK;
}

typedef struct Names {
    const EnsembleAsk *ask;
    SosiaOut *out;
} Names;

static Err fits(View *v, void *ctx) {
    const Names *x = ctx;
    Diag d;
    diag_init(&d);
    Err err = kpis_check(v, x->ask->kpis, &d);
    if (!err) err = kpis_check(v, x->ask->precision, &d);
    if (err) (void)say(x->out, err, "%.*s", STR_ARG(d.messages[0].text));
    for (int32_t i = 0; i < x->ask->case_count && !err; i++) {
        const EnsembleCase *k = &x->ask->cases[i];
        err = whatif_fits(v, &(Whatif){.changes = k->changes, .change_count = k->change_count}, &d);
        if (err) (void)say(x->out, err, "case \"%.*s\": %.*s", STR_ARG(k->name), STR_ARG(d.messages[0].text));
    }
    diag_free(&d);
    return err;
}

// KPIs that are asked for by name and what is changed are there, in each of the worlds: known at once, not when it has
// begun.
static Err check_names(const Ensemble *x, SosiaOut *out) {
    const EnsembleAsk *ask = &x->ask;
    for (int32_t i = 0; i < x->part_count; i++)
        TRY(engine_read_realm(x->parts[i].realm, NULL, fits, &(Names){&x->parts[i].ask, out}, NULL));
    if (!ask->precision.n || kpi_named(ask->kpis, ask->precision)) return ERR_OK;
    return say(out, ERR_ARGUMENT, "the precision is by \"%.*s\", which is not among \"kpis\"", STR_ARG(ask->precision));
}

// Twins that are named in what was asked for, and texts that may name one.
static void head_names(Ensemble *x) {
    EnsembleHead *h = &x->head;
    const EnsembleAsk *ask = &x->ask;
    int32_t names = ask->track_count, texts = 3;
    for (int32_t c = 0; c < ask->case_count; c++) {
        names += ask->cases[c].change_count;
        texts += ask->cases[c].told_count + 1;
    }
    h->names = NEW(&x->keep, Str, names + 1);
    h->texts = NEW(&x->keep, Str, texts);
    for (int32_t i = 0; i < ask->track_count; i++) h->names[h->name_count++] = ask->tracks[i].twin;
    const Str said[] = {ask->title, ask->about};
    for (int32_t i = 0; i < 2; i++)
        if (said[i].n) h->texts[h->text_count++] = said[i];
    for (int32_t c = 0; c < ask->case_count; c++) {
        const EnsembleCase *k = &ask->cases[c];
        for (int32_t i = 0; i < k->change_count; i++) {
            bool had = h->name_count && str_eq(h->names[h->name_count - 1], k->changes[i].twin);
            if (!had) h->names[h->name_count++] = k->changes[i].twin;
        }
        h->texts[h->text_count++] = k->name;
        for (int32_t i = 0; i < k->told_count; i++) h->texts[h->text_count++] = k->told[i];
    }
}

static void make_head(Ensemble *x) {
    const EnsembleAsk *ask = &x->ask;
    x->head = (EnsembleHead){.title = ask->title,
                             .about = ask->about,
                             .whatif = ask->whatif,
                             .worlds = NEW(&x->keep, EnsembleWorld, x->part_count),
                             .world_count = x->part_count,
                             .begun_ns = x->engine->now(x->engine->now_ctx),
                             .for_ns = ask->for_ns,
                             .seed = ask->seeded ? ask->seed : x->parts[0].seed,
                             .level = ask->level > 0 ? ask->level : 0.95,
                             .case_count = ask->case_count};
    for (int32_t i = 0; i < x->part_count; i++) x->head.worlds[i] = x->parts[i].world;
    head_names(x);
}

static Err parse(Ensemble *x, Str json, SosiaOut *out) {
    Json *v = NEW(&x->keep, Json, 1);
    Diag d;
    diag_init(&d);
    Err err = json_parse(arena_str(&x->keep, json), NULL, &x->keep, v, &d);
    if (!err) err = ensemble_ask_of(&x->keep, v, &x->ask, &d);
    if (err && d.count) {
        buf_reset(&out->message);
        task_message_put(&out->message, &d.messages[0]);
    }
    diag_free(&d);
    return err;
}

static Err enlist(Sosia *e, Ensemble *x) {
    Err err = ERR_OK;
    pthread_mutex_lock(&e->ensembles_lock);
    int32_t n = 0;
    for (const Ensemble *o = e->ensembles; o; o = o->next) n += o->part_count > 0;
    if (e->ensembles_closing) err = ERR_CLOSED;
    else if (n >= ENSEMBLES_MAX) err = ERR_LIMIT;
    if (!err) {
        x->head.id = ++e->ensemble_last;
        x->next = e->ensembles;
        e->ensembles = ensemble_ref(x);
        e->ensembles_at_work++;
    }
    pthread_mutex_unlock(&e->ensembles_lock);
    return err;
}

// Take one out of the list; the caller has its reference.
static bool delist(Sosia *e, Ensemble *x) {
    bool found = false;
    pthread_mutex_lock(&e->ensembles_lock);
    for (Ensemble **at = &e->ensembles; *at && !found;) {
        found = *at == x;
        if (found) *at = x->next;
        else at = &(*at)->next;
    }
    pthread_mutex_unlock(&e->ensembles_lock);
    return found;
}

static Err set_off(Sosia *e, Ensemble *x) {
    Thread t;
    x->begun_mono_ns = time_mono_ns();
    Buf head = {0};
    ensemble_head_encode(&x->head, &head);
    ensemble_put_soon(e, x->head.id, buf_str(&head)); // before its end, which comes after it
    buf_free(&head);
    Err err = thread_start(&t, "sosia-ensemble", ensemble_thread, ensemble_ref(x));
    if (!err) return ERR_OK;
    ensemble_unref(x);
    pthread_mutex_lock(&e->ensembles_lock);
    e->ensembles_at_work--;
    pthread_mutex_unlock(&e->ensembles_lock);
    if (delist(e, x)) ensemble_unref(x);
    (void)!ensemble_take(e, x->head.id);
    return err;
}

// ---- looking on ---------------------------------------------------------------------------------------------------

static bool forgotten(Ensemble *x) {
    pthread_mutex_lock(&x->lock);
    bool gone = x->forgotten;
    pthread_mutex_unlock(&x->lock);
    return gone;
}

// The one of that number, or, 0, the newest that begins with that world; with a reference, or NULL.
static Ensemble *find(Sosia *e, uint64_t id, Str world) {
    pthread_mutex_lock(&e->ensembles_lock);
    Ensemble *x = e->ensembles;
    while (x && (forgotten(x) || (id ? x->head.id != id : !str_eq(x->head.worlds[0].name, world)))) x = x->next;
    if (x) ensemble_ref(x);
    pthread_mutex_unlock(&e->ensembles_lock);
    return x;
}

// What it came to so far; NULL: nothing, or it cannot be read.
static EnsembleOutcome *outcome_now(Ensemble *x, const EnsembleHead *h, bool *own) {
    EnsembleOutcome *o = NULL;
    *own = true;
    if (ensemble_at_work(h->state)) {
        pthread_mutex_lock(&x->runs_lock);
        if (h->state == ENSEMBLE_RUNNING && x->parts[0].run) o = outcome_of(x, h->replications, LOOK_COURSE_MAX);
        pthread_mutex_unlock(&x->runs_lock);
        return o;
    }
    if (x->outcome) {
        *own = false;
        return x->outcome;
    }
    Buf bytes = {0};
    if (!ensemble_outcome_find(x->engine, h->id, &bytes)) o = ensemble_outcome_decode(buf_str(&bytes));
    buf_free(&bytes);
    return o;
}

static void show(Ensemble *x, const SosiaEnsembleShow *a, Buf *out) {
    bool own;
    EnsembleHead h = head_of(x);
    EnsembleOutcome *o = outcome_now(x, &h, &own);
    Buf now = {0};
    if (o && ensemble_at_work(h.state)) {
        ensemble_say(&h, o, &now);
        h.sentence = buf_str(&now);
    }
    if (a->format == SOSIA_COMPARE_HTML) ensemble_page(&h, o, out);
    else if (a->format == SOSIA_COMPARE_SVG) ensemble_svg(&h, o, out);
    else if (a->format == SOSIA_COMPARE_RUNS) ensemble_runs_show(&h, o, out);
    else {
        buf_byte(out, '{');
        ensemble_head_show(&h, out);
        if (o) ensemble_show(&h, o, a->samples, out);
        buf_byte(out, '}');
    }
    buf_free(&now);
    if (own) ensemble_outcome_free(o);
}

static void wait_for_end(Ensemble *x, int64_t wait_ns) {
    struct timespec end = time_after(wait_ns < STATUS_WAIT_MAX ? wait_ns : STATUS_WAIT_MAX);
    pthread_mutex_lock(&x->lock);
    while (ensemble_at_work(x->head.state) && !pthread_cond_timedwait(&x->wake, &x->lock, &end)) {}
    pthread_mutex_unlock(&x->lock);
}

// Takes the reference.
static SosiaErr look(Sosia *s, Ensemble *x, const SosiaEnsembleShow *a, SosiaOut *out) {
    if (a->wait_ns > 0 && x->part_count) {
        uint64_t id = x->head.id;
        wait_for_end(x, a->wait_ns);
        Ensemble *by = find(s, id, (Str){0});
        ensemble_unref(x);
        if (!by) return (SosiaErr)say(out, ERR_ENSEMBLE_NOT_FOUND, "it was forgotten meanwhile");
        x = by;
    }
    show(x, a, &out->body);
    ensemble_unref(x);
    return out->body.full ? (SosiaErr)say(out, ERR_LIMIT, "the answer is too large") : SOSIA_OK;
}

SosiaErr sosia_ensemble(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaStr json, SosiaOut *out) {
    (void)who;
    buf_reset(&out->body);
    buf_reset(&out->message);
    Ensemble *x = ensemble_new(s);
    Err err = parse(x, json, out);
    if (!err) err = split(x, world, out);
    if (!err) err = check_names(x, out);
    if (!err) make_head(x);
    if (!err) err = enlist(s, x);
    if (err == ERR_LIMIT && !out->message.n) (void)say(out, err, "%d ensembles are at work", ENSEMBLES_MAX);
    if (!err) err = set_off(s, x);
    if (!err) show(x, &(SosiaEnsembleShow){0}, &out->body);
    else if (!out->message.n) (void)say(out, err, "%s", err_text(err));
    ensemble_unref(x);
    return (SosiaErr)err;
}

// The newest of a world.
static SosiaErr look_by_world(Sosia *s, Str world, bool stop, int64_t wait_ns, SosiaOut *out) {
    Realm *realm;
    int64_t at;
    buf_reset(&out->body);
    buf_reset(&out->message);
    Err err = find_world(s, world, &realm, &at, out);
    if (err) return (SosiaErr)err;
    realm_unref(realm);
    Arena a;
    arena_init(&a, 256);
    Ensemble *x = find(s, 0, absolute(&a, world, at));
    arena_free(&a);
    if (!x) {
        buf_printf(&out->body, "{\"state\":\"idle\"}");
        return SOSIA_OK;
    }
    if (stop) atomic_store(&x->stop, true);
    return look(s, x, &(SosiaEnsembleShow){.wait_ns = wait_ns}, out);
}

SosiaErr sosia_ensemble_status(Sosia *s, const SosiaCaller *who, SosiaStr world, int64_t wait_ns, SosiaOut *out) {
    (void)who;
    return look_by_world(s, world, false, wait_ns, out);
}

SosiaErr sosia_ensemble_stop(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaOut *out) {
    (void)who;
    return look_by_world(s, world, true, STATUS_WAIT_MAX, out);
}

static SosiaErr none(uint64_t id, SosiaOut *out) {
    return (SosiaErr)say(out, ERR_ENSEMBLE_NOT_FOUND, "there is no ensemble %llu", (unsigned long long)id);
}

SosiaErr sosia_ensemble_show(Sosia *s, const SosiaCaller *who, const SosiaEnsembleShow *a, SosiaOut *out) {
    (void)who;
    buf_reset(&out->body);
    buf_reset(&out->message);
    Ensemble *x = a->id ? find(s, a->id, (Str){0}) : NULL;
    if (x && a->stop) atomic_store(&x->stop, true);
    return x ? look(s, x, a, out) : none(a->id, out);
}

SosiaErr sosia_ensembles(Sosia *s, const SosiaCaller *who, SosiaOut *out) {
    (void)who;
    buf_reset(&out->body);
    buf_reset(&out->message);
    Ensemble *all[ENSEMBLES_KEPT_MAX + ENSEMBLES_MAX];
    int32_t n = 0;
    pthread_mutex_lock(&s->ensembles_lock);
    for (Ensemble *x = s->ensembles; x && n < ENSEMBLES_KEPT_MAX + ENSEMBLES_MAX; x = x->next)
        if (!forgotten(x)) all[n++] = ensemble_ref(x);
    pthread_mutex_unlock(&s->ensembles_lock);
    buf_printf(&out->body, "{\"value\":[");
    for (int32_t i = 0; i < n; i++) {
        EnsembleHead h = head_of(all[i]);
        buf_printf(&out->body, i ? ",{" : "{");
        ensemble_head_show(&h, &out->body);
        buf_printf(&out->body, ",\"caseCount\":%d,\"kpiCount\":%d}", h.case_count, h.kpi_count);
        ensemble_unref(all[i]);
    }
    buf_printf(&out->body, "]}");
    return SOSIA_OK;
}

// ---- ending -------------------------------------------------------------------------------------------------------

// It is out of the list, which had a reference: it ends soon, and nothing is kept of it any more. Waits for what is on
// its way to the store.
static Err forget(Sosia *e, Ensemble *x) {
    atomic_store(&x->stop, true);
    pthread_mutex_lock(&x->lock);
    x->forgotten = true;
    while (x->keeping) pthread_cond_wait(&x->wake, &x->lock);
    pthread_mutex_unlock(&x->lock);
    Err err = ensemble_take(e, x->head.id);
    ensemble_unref(x);
    return err;
}

SosiaErr sosia_ensemble_remove(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out) {
    (void)who;
    buf_reset(&out->body);
    buf_reset(&out->message);
    Ensemble *x = id ? find(s, id, (Str){0}) : NULL;
    if (!x) return none(id, out);
    Err err = delist(s, x) ? forget(s, x) : ERR_OK; // or its thread put another in its place just now
    ensemble_unref(x);
    x = err ? NULL : find(s, id, (Str){0});
    if (x && delist(s, x)) err = forget(s, x);
    if (x) ensemble_unref(x);
    return err ? (SosiaErr)say(out, err, "%s", err_text(err)) : SOSIA_OK;
}

// Is one of its worlds this one, or its past? live has no number, and is not dropped.
static bool of_world(const Ensemble *x, Str world, uint64_t number) {
    for (int32_t i = 0; i < x->head.world_count; i++) {
        Str rest = x->head.worlds[i].name, base = str_cut(&rest, '@');
        if (x->head.worlds[i].number == number && str_eq(base, world)) return true;
    }
    return false;
}

void ensemble_abandon(Realm *realm) {
    Sosia *e = realm->engine;
    uint64_t number = realm->scenario ? realm->scenario->number : 0;
    pthread_mutex_lock(&e->ensembles_lock);
    for (Ensemble *x = e->ensembles; x; x = x->next) {
        if (!of_world(x, realm->name, number)) continue;
        atomic_store(&x->stop, true);
        pthread_mutex_lock(&x->lock);
        x->forgotten = true;
        pthread_mutex_unlock(&x->lock);
    }
    pthread_mutex_unlock(&e->ensembles_lock);
}

// Take those out of the list that `fn` says, in a chain.
static Ensemble *take_out(Sosia *e, bool (*fn)(Ensemble *x, const void *ctx), const void *ctx) {
    Ensemble *gone = NULL;
    pthread_mutex_lock(&e->ensembles_lock);
    for (Ensemble **at = &e->ensembles; *at;) {
        Ensemble *x = *at;
        if (!fn(x, ctx)) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        x->next = gone;
        gone = x;
    }
    pthread_mutex_unlock(&e->ensembles_lock);
    return gone;
}

static Err forget_all(Sosia *e, Ensemble *gone) {
    Err err = ERR_OK;
    while (gone) {
        Ensemble *x = gone;
        gone = x->next;
        Err failed = forget(e, x);
        if (!err) err = failed;
    }
    return err;
}

static bool is_forgotten(Ensemble *x, const void *ctx) {
    (void)ctx;
    return forgotten(x);
}

void ensembles_drop(Sosia *e) { (void)!forget_all(e, take_out(e, is_forgotten, NULL)); }

// Before it runs its KPIs are not known: it may.
static bool is_about(Ensemble *x, const void *ctx) {
    const Str *twin = ctx;
    pthread_mutex_lock(&x->lock);
    bool about = x->head.state == ENSEMBLE_STARTING || ensemble_head_names(&x->head, *twin);
    pthread_mutex_unlock(&x->lock);
    return about;
}

Err ensembles_forget(Sosia *e, Str twin) { return forget_all(e, take_out(e, is_about, &twin)); }

// ---- opening and closing ------------------------------------------------------------------------------------------

typedef struct Opening {
    Sosia *engine;
    Scenario **scenarios;
    int64_t scenario_count;
    Ensemble *gone; // of worlds that are no more
} Opening;

static bool world_is_there(const Opening *o, const EnsembleWorld *w) {
    if (!w->number) return true;
    for (int64_t i = 0; i < o->scenario_count; i++)
        if (o->scenarios[i]->number == w->number && !o->scenarios[i]->dropped) return true;
    return false;
}

static bool take_head(void *ctx, SosiaStr key, SosiaStr value) {
    Opening *o = ctx;
    Sosia *e = o->engine;
    (void)key;
    Ensemble *x = ensemble_ended(e, value);
    if (!x) return true; // damaged: it is let alone
    if (ensemble_at_work(x->head.state)) {
        x->head.state = ENSEMBLE_STOPPED;
        x->head.why = STR("the process ended before it did");
        x->head.err = ERR_CLOSED;
    }
    if (x->head.id > e->ensemble_last) e->ensemble_last = x->head.id;
    bool there = true;
    for (int32_t i = 0; i < x->head.world_count; i++) there = there && world_is_there(o, &x->head.worlds[i]);
    Ensemble **list = there ? &e->ensembles : &o->gone;
    x->next = *list;
    *list = x;
    return true;
}

Err ensembles_open(Sosia *e) {
    Opening o = {.engine = e};
    o.scenarios = scenarios_all(e, &o.scenario_count);
    Err err = ensemble_heads(e, take_head, &o);
    for (int64_t i = 0; i < o.scenario_count; i++) scenario_unref(o.scenarios[i]);
    mem_free(o.scenarios);
    let_go(e, o.gone);
    return err;
}

void ensembles_end(Sosia *e) {
    pthread_mutex_lock(&e->ensembles_lock);
    e->ensembles_closing = true;
    for (Ensemble *x = e->ensembles; x; x = x->next) atomic_store(&x->stop, true);
    while (e->ensembles_at_work) pthread_cond_wait(&e->ensembles_wake, &e->ensembles_lock);
    Ensemble *all = e->ensembles;
    e->ensembles = NULL;
    pthread_mutex_unlock(&e->ensembles_lock);
    while (all) {
        Ensemble *x = all;
        all = x->next;
        ensemble_unref(x);
    }
}
