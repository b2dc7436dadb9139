// SPDX-License-Identifier: Apache-2.0
// The ensembles of an engine: one a world, begun, looked at, stopped. A thread each, which has others help it.
#include "engine/ensemble.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/pasts.h"
#include "engine/scenarios.h"

#define STATUS_WAIT_MAX INT64_C(60000000000) // one call of sosia_ensemble_status

typedef enum EnsembleState {
    ENSEMBLE_STARTING,
    ENSEMBLE_RUNNING,
    ENSEMBLE_DONE,
    ENSEMBLE_STOPPED,
    ENSEMBLE_FAILED
} EnsembleState;
static const char *const state_names[] = {"starting", "running", "done", "stopped", "failed"};

// Invariant: of those in the list each holds a reference, its thread another.
typedef struct Ensemble Ensemble;
struct Ensemble {
    Ensemble *next; // newest first; Sosia.ensembles_lock
    _Atomic int32_t refs;
    Sosia *engine;
    Realm *realm;
    Arena keep;
    EnsembleAsk ask;
    EnsembleRun *run; // made by the thread before RUNNING, then fixed
    int64_t begin_ns;
    _Atomic bool stop;
    _Atomic int32_t replications; // that can be shown

    pthread_mutex_t lock;
    pthread_cond_t wake;
    EnsembleState state;
    Err err;
    Buf why;
    int64_t begun_mono_ns, spent_ns;
};

static Ensemble *ensemble_ref(Ensemble *x) {
    atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
    return x;
}

static void ensemble_unref(Ensemble *x) {
    if (atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) > 1) return;
    ensemble_run_free(x->run);
    realm_unref(x->realm);
    buf_free(&x->why);
    arena_free(&x->keep);
    pthread_cond_destroy(&x->wake);
    pthread_mutex_destroy(&x->lock);
    mem_free(x);
}

static EnsembleState state_of(Ensemble *x) {
    pthread_mutex_lock(&x->lock);
    EnsembleState s = x->state;
    pthread_mutex_unlock(&x->lock);
    return s;
}

static bool at_work(EnsembleState s) { return s <= ENSEMBLE_RUNNING; }

// ---- the thread ---------------------------------------------------------------------------------------------------

static void set_state(Ensemble *x, EnsembleState s, Err err, const Diag *d) {
    pthread_mutex_lock(&x->lock);
    x->state = s;
    x->err = err;
    for (int32_t i = 0; err && i < d->count; i++) {
        if (i) buf_printf(&x->why, "; ");
        task_message_put(&x->why, &d->messages[i]);
    }
    if (err && !x->why.n) buf_str_put(&x->why, str_of(err_text(err)));
    if (!at_work(s)) x->spent_ns = time_mono_ns() - x->begun_mono_ns;
    pthread_cond_broadcast(&x->wake);
    pthread_mutex_unlock(&x->lock);
}

static uint64_t seed_of(const Ensemble *x) {
    if (x->ask.seeded) return x->ask.seed;
    return x->realm->scenario ? x->realm->scenario->seed : 0;
}

// From the world as it is.
static Err prepare(Ensemble *x, Diag *d) {
    Task *c = task_new(OP_SNAPSHOT, NULL, NULL, 0);
    c->realm = realm_ref(x->realm);
    Err err = task_wait(x->engine, c, true);
    if (!err) err = c->err;
    if (!err) {
        View v;
        view_begin(&v, c->fork);
        int64_t now = x->realm->scenario ? scenario_clock(x->realm) : (int64_t)view_meta(&v, META_TIME);
        int64_t rest = now % SIM_TICK_NS;
        x->begin_ns = rest ? now + SIM_TICK_NS - rest : now;
        if (x->ask.for_ns > INT64_MAX - x->begin_ns)
            err = diag_add(d, ERR_ARGUMENT, -1, -1, STR("for"), "that is longer than clocks go: until 2262");
        else err = ensemble_run_make(&v, x->engine->registry, &x->ask, seed_of(x), x->begin_ns, &x->run, d);
        if (v.failed) err = v.failed;
        view_end(&v);
    }
    task_free(c);
    return err;
}

static void *ensemble_thread(void *arg) {
    Ensemble *x = arg;
    Sosia *e = x->engine;
    Diag d;
    pthread_detach(pthread_self());
    diag_init(&d);
    Err err = prepare(x, &d);
    if (!err) {
        set_state(x, ENSEMBLE_RUNNING, ERR_OK, &d);
        err = ensemble_run(x->run, x->ask.threads, &x->stop, &x->replications, &d);
    }
    bool stopped = err == ERR_CLOSED && atomic_load(&x->stop);
    set_state(x, stopped ? ENSEMBLE_STOPPED : err ? ENSEMBLE_FAILED : ENSEMBLE_DONE, stopped ? ERR_OK : err, &d);
    diag_free(&d);
    ensemble_unref(x);
    pthread_mutex_lock(&e->ensembles_lock);
    e->ensembles_at_work--;
    pthread_cond_broadcast(&e->ensembles_wake);
    pthread_mutex_unlock(&e->ensembles_lock);
    return NULL;
}

// ---- the list -----------------------------------------------------------------------------------------------------

static Ensemble *ensemble_of(Sosia *e, const Realm *realm) {
    pthread_mutex_lock(&e->ensembles_lock);
    Ensemble *x = e->ensembles;
    while (x && x->realm != realm) x = x->next;
    if (x) ensemble_ref(x);
    pthread_mutex_unlock(&e->ensembles_lock);
    return x;
}

// Take out the one of that world, or, realm NULL, the oldest that is at its end.
static Ensemble *take_out(Sosia *e, const Realm *realm) {
    Ensemble **found = NULL;
    for (Ensemble **at = &e->ensembles; *at; at = &(*at)->next)
        if (realm ? (*at)->realm == realm : !at_work(state_of(*at))) found = at;
    if (!found) return NULL;
    Ensemble *x = *found;
    *found = x->next;
    return x;
}

static Err enlist(Sosia *e, Ensemble *x) {
    Err err = ERR_OK;
    Ensemble *old = NULL;
    pthread_mutex_lock(&e->ensembles_lock);
    int32_t n = 0;
    for (Ensemble *o = e->ensembles; o; o = o->next) {
        if (o->realm == x->realm && at_work(state_of(o))) err = ERR_WORLD_RUNNING;
        n++;
    }
    if (e->ensembles_closing) err = ERR_CLOSED;
    if (!err) old = take_out(e, x->realm);
    if (!err && !old && n >= ENSEMBLES_MAX && !(old = take_out(e, NULL))) err = ERR_LIMIT;
    if (!err) {
        x->next = e->ensembles;
        e->ensembles = ensemble_ref(x);
        e->ensembles_at_work++;
    }
    pthread_mutex_unlock(&e->ensembles_lock);
    if (old) ensemble_unref(old);
    return err;
}

static Err set_off(Sosia *e, Ensemble *x) {
    Thread t;
    x->begun_mono_ns = time_mono_ns();
    Err err = thread_start(&t, "sosia-ensemble", ensemble_thread, ensemble_ref(x));
    if (!err) return ERR_OK;
    ensemble_unref(x);
    pthread_mutex_lock(&e->ensembles_lock);
    e->ensembles_at_work--;
    Ensemble *mine = take_out(e, x->realm);
    pthread_mutex_unlock(&e->ensembles_lock);
    if (mine) ensemble_unref(mine);
    return err;
}

// ---- calls --------------------------------------------------------------------------------------------------------

static Err say(SosiaOut *out, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err say(SosiaOut *out, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&out->message);
    buf_vprintf(&out->message, fmt, ap);
    va_end(ap);
    return err;
}

static void status(Ensemble *x, Str world, Buf *out) {
    pthread_mutex_lock(&x->lock);
    EnsembleState s = x->state;
    int64_t spent = at_work(s) ? time_mono_ns() - x->begun_mono_ns : x->spent_ns;
    buf_printf(out, "{\"world\":");
    json_put_str(out, world);
    buf_printf(out, ",\"state\":\"%s\",\"seconds\":%.3f", state_names[s], (double)spent / 1e9);
    if (s == ENSEMBLE_FAILED) {
        buf_printf(out, ",\"error\":{\"code\":\"%s\",\"message\":", err_wire(x->err));
        json_put_str(out, buf_str(&x->why));
        buf_byte(out, '}');
    }
    pthread_mutex_unlock(&x->lock);
    int32_t n = atomic_load(&x->replications);
    buf_printf(out, ",\"replications\":%d", n);
    if (s != ENSEMBLE_STARTING && x->run && ensemble_samples(x->run)->ends) {
        int32_t goal = ensemble_goal(x->run);
        buf_printf(out, ",\"of\":%d", goal);
        if (s == ENSEMBLE_RUNNING && n > 0)
            buf_printf(out, ",\"secondsLeft\":%.3f", (double)spent / 1e9 * (goal - n) / n);
        buf_printf(out, ",\"level\":");
        json_put_f64(out, x->ask.level > 0 ? x->ask.level : 0.95);
        ensemble_show(ensemble_samples(x->run), &x->ask, n, out);
    }
    buf_byte(out, '}');
}

static Err find(Sosia *s, Str world, Realm **out, SosiaOut *message) {
    buf_reset(&message->body);
    buf_reset(&message->message);
    if (pasts_named(world)) return say(message, ERR_READ_ONLY, "fork that instant first");
    Err err = realm_open(s, world, out);
    if (err == ERR_WORLD_NOT_FOUND) return say(message, err, "there is no world \"%.*s\"", STR_ARG(world));
    return err ? say(message, err, "%s", err_text(err)) : ERR_OK;
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

static Ensemble *ensemble_new(Sosia *s, Realm *realm) {
    Ensemble *x = mem_alloc(sizeof *x);
    atomic_init(&x->refs, 1);
    x->engine = s;
    x->realm = realm; // with the reference
    arena_init(&x->keep, 0);
    pthread_mutex_init(&x->lock, NULL);
    cond_init_mono(&x->wake);
    return x;
}

SosiaErr sosia_ensemble(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaStr json, SosiaOut *out) {
    (void)who;
    Realm *realm;
    Err err = find(s, world, &realm, out);
    if (err) return (SosiaErr)err;
    Ensemble *x = ensemble_new(s, realm);
    err = parse(x, json, out);
    if (!err) err = enlist(s, x);
    if (err == ERR_WORLD_RUNNING) (void)say(out, err, "an ensemble of this world is at work; stop it first");
    else if (err == ERR_LIMIT && !out->message.n) (void)say(out, err, "%d ensembles are at work", ENSEMBLES_MAX);
    if (!err) err = set_off(s, x);
    if (!err) status(x, world, &out->body);
    else if (!out->message.n) (void)say(out, err, "%s", err_text(err));
    ensemble_unref(x);
    return (SosiaErr)err;
}

static void wait_for_end(Ensemble *x, int64_t wait_ns) {
    struct timespec end = time_after(wait_ns < STATUS_WAIT_MAX ? wait_ns : STATUS_WAIT_MAX);
    pthread_mutex_lock(&x->lock);
    while (at_work(x->state) && !pthread_cond_timedwait(&x->wake, &x->lock, &end)) {}
    pthread_mutex_unlock(&x->lock);
}

static SosiaErr look(Sosia *s, Str world, bool stop, int64_t wait_ns, SosiaOut *out) {
    Realm *realm;
    Err err = find(s, world, &realm, out);
    if (err) return (SosiaErr)err;
    Ensemble *x = ensemble_of(s, realm);
    realm_unref(realm);
    if (!x) {
        buf_printf(&out->body, "{\"state\":\"idle\"}");
        return SOSIA_OK;
    }
    if (stop) atomic_store(&x->stop, true);
    if (wait_ns > 0) wait_for_end(x, wait_ns);
    status(x, world, &out->body);
    ensemble_unref(x);
    return SOSIA_OK;
}

SosiaErr sosia_ensemble_status(Sosia *s, const SosiaCaller *who, SosiaStr world, int64_t wait_ns, SosiaOut *out) {
    (void)who;
    return look(s, world, false, wait_ns, out);
}

SosiaErr sosia_ensemble_stop(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaOut *out) {
    (void)who;
    return look(s, world, true, STATUS_WAIT_MAX, out);
}

// ---- ending -------------------------------------------------------------------------------------------------------

void ensemble_abandon(Realm *realm) {
    Sosia *e = realm->engine;
    pthread_mutex_lock(&e->ensembles_lock);
    Ensemble *x = take_out(e, realm);
    pthread_mutex_unlock(&e->ensembles_lock);
    if (!x) return;
    atomic_store(&x->stop, true);
    ensemble_unref(x);
}

// Before it runs its KPIs are not known: it may.
static bool names(Ensemble *x, Str twin) {
    EnsembleState s = state_of(x);
    if (s == ENSEMBLE_STARTING) return true;
    for (int32_t i = 0; i < x->ask.track_count; i++)
        if (str_eq(x->ask.tracks[i].twin, twin)) return true;
    for (int32_t c = 0; c < x->ask.case_count; c++)
        for (int32_t i = 0; i < x->ask.cases[c].change_count; i++)
            if (str_eq(x->ask.cases[c].changes[i].twin, twin)) return true;
    const Kpis *k = x->run ? ensemble_samples(x->run)->kpis : NULL;
    for (int32_t i = 0; k && i < k->count; i++)
        if (str_eq(k->rows[i].k.twin, twin)) return true;
    return false;
}

void ensembles_forget(Sosia *e, Str twin) {
    Ensemble *gone = NULL;
    pthread_mutex_lock(&e->ensembles_lock);
    for (Ensemble **at = &e->ensembles; *at;) {
        Ensemble *x = *at;
        if (!names(x, twin)) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        x->next = gone;
        gone = x;
    }
    pthread_mutex_unlock(&e->ensembles_lock);
    while (gone) {
        Ensemble *x = gone;
        gone = x->next;
        atomic_store(&x->stop, true);
        ensemble_unref(x);
    }
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
