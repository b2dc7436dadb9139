// SPDX-License-Identifier: Apache-2.0
#include "engine/run_sim.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/pasts.h"
#include "engine/whatif.h"
#include "engine/scenario_keep.h"

#define SLICE_OUTPUTS 64.0                   // of output, between two looks at what others wrote
#define PACE_NS INT64_C(50000000)            // with a pace: sleep between two looks
#define STATUS_WAIT_MAX INT64_C(60000000000) // one call of sosia_run_status

// ---- lives --------------------------------------------------------------------------------------------------------

static Run *run_ref(Run *r) {
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

static void run_unref(Run *r) {
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1) return;
    realm_unref(r->realm);
    buf_free(&r->why);
    buf_free(&r->notes);
    kpis_free(r->kpis);
    flow_trace_free(r->trace);
    mem_free((void *)r->kpi_names.p);
    mem_free((void *)r->changes.p);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

// The run of that world, with a reference, or NULL.
static Run *run_of(Sosia *e, const Realm *realm) {
    pthread_mutex_lock(&e->runs_lock);
    Run *r = e->runs;
    while (r && r->realm != realm) r = r->next;
    if (r) run_ref(r);
    pthread_mutex_unlock(&e->runs_lock);
    return r;
}

static void list_remove(Sosia *e, Run *r) {
    Run **at = &e->runs;
    while (*at && *at != r) at = &(*at)->next;
    if (*at) *at = r->next;
}

static bool at_work(RunState s) { return s == RUN_STARTING || s == RUN_RUNNING; }

static RunState state_of(Run *r) {
    pthread_mutex_lock(&r->lock);
    RunState s = r->state;
    pthread_mutex_unlock(&r->lock);
    return s;
}

// ---- the thread ---------------------------------------------------------------------------------------------------

static void failed(Run *r, Err err, const Diag *d) {
    pthread_mutex_lock(&r->lock);
    if (!r->err) {
        r->err = err;
        for (int32_t i = 0; d && i < d->count; i++) {
            if (i) buf_printf(&r->why, "; ");
            task_message_put(&r->why, &d->messages[i]);
        }
        if (!r->why.n) buf_str_put(&r->why, str_of(err_text(err)));
    }
    pthread_mutex_unlock(&r->lock);
}

static bool to_stand(Run *r) {
    pthread_mutex_lock(&r->lock);
    bool stop = r->stop || r->err;
    pthread_mutex_unlock(&r->lock);
    return stop;
}

static void tell_progress(Run *r) {
    pthread_mutex_lock(&r->lock);
    r->now_ns = sim_world_ns(r->epoch_ns, sim_now(r->sim));
    sim_stats(r->sim, &r->stats);
    pthread_mutex_unlock(&r->lock);
}

static int64_t wall(Run *r) {
    pthread_mutex_lock(&r->lock);
    int64_t ns = time_mono_ns() - r->begun_mono_ns;
    pthread_mutex_unlock(&r->lock);
    return ns;
}

// How far it may go now: a slice, and no further than its pace.
static sim_time next_stop(Run *r, sim_time until) {
    sim_time now = sim_now(r->sim), to = now + (double)r->output_ns / 1e9 * SLICE_OUTPUTS;
    if (r->speed > 0) {
        sim_time due = sim_time_of(r->epoch_ns, r->pace_ns) + (double)wall(r) / 1e9 * r->speed;
        if (due < to) to = due;
    }
    return to < until ? to : until;
}

static void pause_a_little(Run *r) {
    struct timespec end = time_after(PACE_NS);
    pthread_mutex_lock(&r->lock);
    if (!r->stop && !r->err) pthread_cond_timedwait(&r->wake, &r->lock, &end);
    pthread_mutex_unlock(&r->lock);
}

// Begin anew from the world as it is, at the instant where it stands.
static Err anew(Run *r, Diag *d) {
    sim_time now = sim_now(r->sim);
    TRY(run_land(r));
    int64_t at = sim_world_ns(r->epoch_ns, now);
    run_count(r, false);
    run_unprepare(r);
    pthread_mutex_lock(&r->lock);
    r->anew = true;
    pthread_mutex_unlock(&r->lock);
    r->epoch_ns = at;
    r->skip_ns = 0;
    return run_prepare(r, d);
}

static Err keep_now_and_then(Run *r) {
    int64_t now = time_mono_ns();
    if (now - r->kept_mono_ns < RUN_CHECKPOINT_NS) return ERR_OK;
    r->kept_mono_ns = now;
    TRY(run_land(r));
    return run_keep(r, RUN_RUNNING);
}

static Err move(Run *r, Diag *d) {
    SimSink sink = {r, run_told, run_looked};
    sim_time until = sim_time_of(r->epoch_ns, r->until_ns);
    int64_t left = r->steps;
    r->pace_ns = sim_world_ns(r->epoch_ns, sim_now(r->sim));
    while (!to_stand(r) && sim_now(r->sim) < until) {
        bool changed;
        SimStats before, after;
        sim_time to = next_stop(r, until), now;
        if (to <= sim_now(r->sim)) {
            pause_a_little(r);
            continue;
        }
        TRY(run_listen(r, &changed)); // what it heard it does, before it stands
        if (changed) {
            TRY(anew(r, d));
            until = sim_time_of(r->epoch_ns, r->until_ns);
            continue;
        }
        sim_stats(r->sim, &before);
        TRY(sim_run(r->sim, to, left, &sink, &now, d));
        sim_stats(r->sim, &after);
        tell_progress(r);
        run_count(r, false);
        if (r->steps && (left -= after.instants - before.instants) <= 0) break;
        TRY(keep_now_and_then(r));
    }
    return run_land(r);
}

static void *run_thread(void *arg);

// What others wrote before its last batches stands behind them.
static void last_words(Run *r) {
    bool changed = false;
    Err err = run_listen(r, &changed);
    if (!err) err = run_land(r);
    if (err || changed) r->seen = 0; // what is kept of the Sim is of no use: the next run begins anew
}

static void finish(Run *r, Err err, const Diag *d) {
    if (err) failed(r, err, d);
    Err landed = run_land(r);
    if (landed) failed(r, landed, NULL);
    bool over = r->sim && !r->err && sim_now(r->sim) >= sim_time_of(r->epoch_ns, r->until_ns);
    pthread_mutex_lock(&r->lock);
    RunState s = r->err && r->err != ERR_CLOSED ? RUN_FAILED : over ? RUN_DONE : RUN_PAUSED;
    bool goes_on = s == RUN_PAUSED && r->closing;
    pthread_mutex_unlock(&r->lock);
    if (r->sim && s != RUN_FAILED) {
        (void)sim_tell(r->sim, &(SimSink){r, run_told, NULL});
        tell_progress(r);
        run_count(r, false);
        run_tick(r);
        (void)!run_land(r);
        last_words(r);
        Err kept = run_keep(r, goes_on ? RUN_RUNNING : s);
        if (kept && kept != ERR_CLOSED) failed(r, kept, NULL);
        scenario_keep_soon(r->engine, r->realm);
    }
    run_unprepare(r);
    pthread_mutex_lock(&r->lock);
    r->wall_ns += time_mono_ns() - r->begun_mono_ns;
    r->begun_mono_ns = 0;
    r->state = s;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

static void *run_thread(void *arg) {
    Run *r = arg;
    Diag d;
    pthread_detach(pthread_self());
    diag_init(&d);
    Err err = run_prepare(r, &d);
    if (!err) err = run_keep(r, RUN_RUNNING); // from here on it goes on with the next start
    if (!err) {
        pthread_mutex_lock(&r->lock);
        r->state = RUN_RUNNING;
        pthread_mutex_unlock(&r->lock);
        err = move(r, &d);
    }
    finish(r, err, &d);
    diag_free(&d);
    Sosia *e = r->engine;
    if (atomic_load(&r->abandoned) && r->realm->scenario->number)
        run_forget(e, r->realm->name, r->realm->scenario->number); // what it kept meanwhile
    run_unref(r); // and with it the realm: who closes the engine waits for both
    pthread_mutex_lock(&e->runs_lock);
    e->runs_at_work--;
    pthread_cond_broadcast(&e->runs_wake);
    pthread_mutex_unlock(&e->runs_lock);
    return NULL;
}

// ---- beginning ----------------------------------------------------------------------------------------------------

static Err say(SosiaOut *out, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&out->message);
    buf_vprintf(&out->message, fmt, ap);
    va_end(ap);
    return err;
}

static Err solver_of(const SosiaRun *a, RatesOptions *o, SosiaOut *out) {
    *o = (RatesOptions){.rtol = a->rtol, .atol = a->atol};
    if (str_eq(a->solver, STR("rk45"))) o->solver = RATES_RK45;
    else if (str_eq(a->solver, STR("cvode"))) o->solver = RATES_CVODE;
    else if (a->solver.n && !str_eq(a->solver, STR("auto")))
        return say(out, ERR_ARGUMENT, "a solver is auto, rk45 or cvode, not \"%.*s\"", STR_ARG(a->solver));
    if (a->rtol < 0 || a->atol < 0 || a->rtol > 0.1)
        return say(out, ERR_ARGUMENT, "tolerances are from 0 on, and small");
    return ERR_OK;
}

typedef struct Fitting {
    Whatif w;
    Diag *d;
} Fitting;

static Err fitting(View *v, void *ctx) {
    Fitting *x = ctx;
    diag_free(x->d); // of a view that was outrun
    diag_init(x->d);
    return whatif_fits(v, &x->w, x->d);
}

// They are changes, and fit the world as it is.
static Err check_changes(Realm *realm, Str changes, SosiaOut *out) {
    if (!changes.n) return ERR_OK;
    Arena a;
    Json json;
    Diag d;
    Fitting x = {.d = &d};
    arena_init(&a, 4096);
    diag_init(&d);
    Err err = json_parse(changes, NULL, &a, &json, &d);
    if (!err) err = whatif_changes(&a, &json, &x.w, &d);
    if (!err) err = engine_read_realm(realm, NULL, fitting, &x, NULL);
    if (err && d.count) {
        buf_reset(&out->message);
        task_message_put(&out->message, &d.messages[0]);
    }
    diag_free(&d);
    arena_free(&a);
    return err;
}

typedef struct Names {
    Str kpis;
    SosiaOut *out;
} Names;

static Err look_for_kpis(View *v, void *ctx) {
    const Names *x = ctx;
    Diag d;
    diag_init(&d);
    Err err = kpis_check(v, x->kpis, &d);
    if (err) (void)say(x->out, err, "%.*s", STR_ARG(d.messages[0].text));
    diag_free(&d);
    return err;
}

// Names that are asked for are those of the world as it is.
static Err check_kpis(Realm *realm, Str names, SosiaOut *out) {
    if (!names.n) return ERR_OK;
    return engine_read_realm(realm, NULL, look_for_kpis, &(Names){names, out}, NULL);
}

static Str own_copy(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static Run *run_new(Sosia *e, Realm *realm, const SosiaRun *a, int64_t begin, int64_t until, const RatesOptions *o) {
    Run *r = mem_alloc(sizeof *r);
    atomic_init(&r->refs, 1);
    r->engine = e;
    r->realm = realm_ref(realm);
    r->begin_ns = r->epoch_ns = r->now_ns = begin;
    r->until_ns = until;
    r->output_ns = a->output_ns ? a->output_ns : RUN_OUTPUT_DEFAULT_NS;
    r->steps = a->steps;
    r->speed = a->speed;
    r->solver = *o;
    r->changes = own_copy(a->changes);
    r->kpi_names = own_copy(a->kpis);
    if (a->trace > 0) {
        r->trace = flow_trace_new((uint32_t)a->trace);
        r->trace->number = realm->scenario->number;
        r->trace->goes_on = true;
    }
    pthread_mutex_init(&r->lock, NULL);
    cond_init_mono(&r->wake);
    return r;
}

// A run that stands: what it counted goes on with the next, and its trace stays unless there is a new one.
static void take_over(Run *from, Run *to) {
    pthread_mutex_lock(&from->lock);
    to->kpis = from->kpis;
    from->kpis = NULL;
    if (!to->trace) {
        to->trace = from->trace;
        from->trace = NULL;
        if (to->trace) to->trace->goes_on = false;
    }
    pthread_mutex_unlock(&from->lock);
}

// Into the list, in place of one of the same world that stands. Errors: WORLD_RUNNING, LIMIT, CLOSED.
static Err enlist(Sosia *e, Run *r) {
    Err err = ERR_OK;
    pthread_mutex_lock(&e->runs_lock);
    Run *old = e->runs;
    while (old && old->realm != r->realm) old = old->next;
    if (e->runs_closing) err = ERR_CLOSED;
    else if (old && at_work(state_of(old))) err = ERR_WORLD_RUNNING;
    else if (e->runs_at_work >= RUNS_MAX) err = ERR_LIMIT;
    if (err) old = NULL;
    if (!err) {
        if (old) list_remove(e, old);
        if (old) take_over(old, r);
        r->next = e->runs;
        e->runs = run_ref(r);
        e->runs_at_work++;
    }
    pthread_mutex_unlock(&e->runs_lock);
    if (old) run_unref(old);
    return err;
}

// It does not begin after all.
static void delist(Sosia *e, Run *r) {
    pthread_mutex_lock(&e->runs_lock);
    e->runs_at_work--;
    list_remove(e, r);
    pthread_cond_broadcast(&e->runs_wake);
    pthread_mutex_unlock(&e->runs_lock);
    run_unref(r);
}

static Err set_off(Sosia *e, Run *r) {
    Thread t;
    r->begun_mono_ns = r->kept_mono_ns = time_mono_ns();
    Err err = thread_start(&t, "sosia-run", run_thread, run_ref(r));
    if (!err) return ERR_OK;
    run_unref(r);
    delist(e, r);
    return err;
}

static Err until_of(const SosiaRun *a, const Realm *realm, int64_t begin, int64_t *until, SosiaOut *out) {
    *until = a->until_ns ? a->until_ns : realm->scenario->until_ns;
    if (!a->until_ns && a->for_ns && __builtin_add_overflow(begin, a->for_ns, until))
        return say(out, ERR_ARGUMENT, "that is longer than clocks go: until 2262");
    if (a->speed < 0 || a->output_ns < 0 || a->steps < 0)
        return say(out, ERR_ARGUMENT, "speed, output and steps are from 0 on");
    if (a->trace < 0 || a->trace > SOSIA_TRACE_MAX)
        return say(out, ERR_ARGUMENT, "a trace follows from 1 to %d items", SOSIA_TRACE_MAX);
    if (!*until) return say(out, ERR_ARGUMENT, "say until when it is to run: \"until\", or \"for\"");
    if (*until <= begin) return say(out, ERR_ARGUMENT, "the world's clock is past that instant already");
    return ERR_OK;
}

static void status(Run *r, Buf *out);

// The world's clock, in whole steps of the world's time.
static int64_t run_clock(const Realm *realm) {
    int64_t now = scenario_clock(realm), rest = now % SIM_TICK_NS;
    return rest ? now + SIM_TICK_NS - rest : now;
}

static Err begin(Sosia *s, Realm *realm, const SosiaRun *a, SosiaOut *out) {
    RatesOptions o;
    int64_t until, now = run_clock(realm);
    TRY(solver_of(a, &o, out));
    TRY(until_of(a, realm, now, &until, out));
    TRY(check_changes(realm, a->changes, out));
    TRY(check_kpis(realm, a->kpis, out));
    Run *r = run_new(s, realm, a, now, until, &o);
    Err err = enlist(s, r);
    if (err == ERR_WORLD_RUNNING) (void)say(out, err, "it runs already; pause it first");
    else if (err == ERR_LIMIT) (void)say(out, err, "%d worlds run at once", RUNS_MAX);
    if (err) {
        run_unref(r);
        return err;
    }
    err = run_ask(r, RUN_STARTING);
    if (err) delist(s, r);
    else if ((err = set_off(s, r)) != ERR_OK) (void)!run_ask(r, RUN_PAUSED);
    if (!err) status(r, &out->body);
    run_unref(r);
    return err;
}

static Err scenario_named(Sosia *s, Str world, Realm **out, SosiaOut *message) {
    buf_reset(&message->body);
    buf_reset(&message->message);
    if (pasts_named(world)) return say(message, ERR_READ_ONLY, "the past does not move: fork it");
    Err err = realm_open(s, world, out);
    if (err == ERR_WORLD_NOT_FOUND) return say(message, err, "there is no world \"%.*s\"", STR_ARG(world));
    if (err) return say(message, err, "%s", err_text(err));
    if ((*out)->scenario) return ERR_OK;
    realm_unref(*out);
    return say(message, ERR_UNSUPPORTED, "the live world is moved by what happens: fork it and run the fork");
}

SosiaErr sosia_run(Sosia *s, const SosiaCaller *who, const SosiaRun *a, SosiaOut *out) {
    (void)who;
    Realm *realm;
    Err err = scenario_named(s, a->world, &realm, out);
    if (err) return (SosiaErr)err;
    err = begin(s, realm, a, out);
    if (err && !out->message.n) (void)say(out, err, "%s", err_text(err));
    realm_unref(realm);
    return (SosiaErr)err;
}

void run_again(Sosia *s, Realm *realm, const SosiaRun *a, RatesSolver solver, int64_t begin_ns, bool begun) {
    RatesOptions o = {.solver = solver, .rtol = a->rtol, .atol = a->atol};
    Run *r = run_new(s, realm, a, begin_ns, a->until_ns, &o);
    r->resumed = begun;
    r->trace = run_kept_trace(realm);
    r->epoch_ns = r->now_ns = run_clock(realm);
    if (!enlist(s, r)) (void)!set_off(s, r);
    run_unref(r);
}

// ---- looking on ---------------------------------------------------------------------------------------------------

static void put_time(Buf *out, const char *name, int64_t ns) {
    buf_printf(out, ",\"%s\":\"", name);
    time_print(ns, 7, out);
    buf_byte(out, '"');
}

static const char *const state_names[] = {"starting", "running", "paused", "done", "failed"};

static void status(Run *r, Buf *out) {
    pthread_mutex_lock(&r->lock);
    int64_t spent = r->wall_ns + (r->begun_mono_ns ? time_mono_ns() - r->begun_mono_ns : 0);
    double all = (double)(r->until_ns - r->begin_ns), done = (double)(r->now_ns - r->begin_ns) / all;
    buf_printf(out, "{\"state\":\"%s\"", state_names[r->state]);
    put_time(out, "begin", r->begin_ns);
    put_time(out, "now", r->now_ns);
    put_time(out, "until", r->until_ns);
    buf_printf(out, ",\"progress\":%.4f,\"seconds\":%.3f", done, (double)spent / 1e9);
    if (at_work(r->state) && done > 0.001)
        buf_printf(out, ",\"secondsLeft\":%.3f", (double)spent / 1e9 * (1 - done) / done);
    buf_printf(out, ",\"instants\":%lld,\"values\":%lld,\"speed\":", (long long)r->stats.instants,
               (long long)r->stats.told);
    json_put_f64(out, r->speed);
    if (r->anew) buf_printf(out, ",\"begunAnew\":true");
    if (r->trace) {
        buf_printf(out, ",\"trace\":");
        flow_trace_tell(r->trace, out);
    }
    if (r->notes.n) buf_printf(out, ",\"notes\":[%.*s]", STR_ARG(buf_str(&r->notes)));
    if (r->err && r->state == RUN_FAILED) {
        buf_printf(out, ",\"error\":{\"code\":\"%s\",\"message\":", err_wire(r->err));
        json_put_str(out, buf_str(&r->why));
        buf_byte(out, '}');
    }
    buf_byte(out, '}');
    pthread_mutex_unlock(&r->lock);
}

// Of one that ended before the engine was opened; how long it took is not known any more.
static void status_before(const RanBefore *x, Buf *out) {
    double all = (double)(x->until_ns - x->begin_ns), done = (double)(x->now_ns - x->begin_ns) / all;
    buf_printf(out, "{\"state\":\"%s\"", state_names[x->state]);
    put_time(out, "begin", x->begin_ns);
    put_time(out, "now", x->now_ns);
    put_time(out, "until", x->until_ns);
    buf_printf(out, ",\"progress\":%.4f,\"speed\":", done);
    json_put_f64(out, x->speed);
    buf_byte(out, '}');
}

// r NULL: none began since the engine was opened.
static void status_any(Run *r, const Realm *realm, Buf *out) {
    RanBefore before;
    if (r) status(r, out);
    else if (realm_ran_before(realm, &before)) status_before(&before, out);
    else buf_printf(out, "{\"state\":\"idle\"}");
}

void run_show(Realm *realm, Buf *out) {
    Run *r = run_of(realm->engine, realm);
    RanBefore before;
    bool ran = !r && realm_ran_before(realm, &before);
    buf_printf(out, ",\"status\":\"%s\"", r ? state_names[state_of(r)] : ran ? state_names[before.state] : "idle");
    if (!r && !ran) return;
    buf_printf(out, ",\"run\":");
    status_any(r, realm, out);
    if (r) run_unref(r);
}

static Kpis *kpis_of(Run *r, const char **state) {
    Buf bytes = {0};
    pthread_mutex_lock(&r->lock);
    *state = state_names[r->state];
    if (r->kpis) kpis_encode(r->kpis, &bytes);
    pthread_mutex_unlock(&r->lock);
    Kpis *k = bytes.n ? kpis_decode(buf_str(&bytes)) : NULL;
    buf_free(&bytes);
    return k;
}

Kpis *run_counted(const Realm *realm, const char **state) {
    Run *r = run_of(realm->engine, realm);
    *state = "idle";
    Kpis *k = r ? kpis_of(r, state) : NULL;
    if (r) run_unref(r);
    if (k) return k;
    if ((k = run_kept_kpis(realm)) == NULL || r) return k;
    *state = state_names[k->state <= RUN_RUNNING || k->state > RUN_FAILED ? RUN_PAUSED : k->state];
    return k;
}

Trace *run_traced(const Realm *realm) {
    Run *r = run_of(realm->engine, realm);
    Buf bytes = {0};
    if (r) {
        pthread_mutex_lock(&r->lock);
        if (r->trace) flow_trace_encode(r->trace, &bytes);
        pthread_mutex_unlock(&r->lock);
        run_unref(r);
    }
    Trace *t = bytes.n ? flow_trace_decode(buf_str(&bytes)) : NULL;
    buf_free(&bytes);
    return t ? t : run_kept_trace(realm);
}

void run_counted_forget(Sosia *e, Str world, Str twin) {
    pthread_mutex_lock(&e->runs_lock);
    for (Run *r = e->runs; r; r = r->next) {
        if (!str_eq(r->realm->name, world)) continue;
        pthread_mutex_lock(&r->lock);
        r->forgets += r->kpis && kpis_forget(r->kpis, twin);
        r->forgets += r->trace && flow_trace_forget(r->trace, twin);
        pthread_mutex_unlock(&r->lock);
    }
    pthread_mutex_unlock(&e->runs_lock);
}

static void wait_for_end(Run *r, int64_t wait_ns) {
    struct timespec end = time_after(wait_ns < STATUS_WAIT_MAX ? wait_ns : STATUS_WAIT_MAX);
    pthread_mutex_lock(&r->lock);
    while (at_work(r->state) && !pthread_cond_timedwait(&r->wake, &r->lock, &end)) {}
    pthread_mutex_unlock(&r->lock);
}

SosiaErr sosia_run_status(Sosia *s, const SosiaCaller *who, SosiaStr world, int64_t wait_ns, SosiaOut *out) {
    (void)who;
    Realm *realm;
    Err err = scenario_named(s, world, &realm, out);
    if (err) return (SosiaErr)err;
    Run *r = run_of(s, realm);
    if (r && wait_ns > 0) wait_for_end(r, wait_ns);
    status_any(r, realm, &out->body);
    if (r) run_unref(r);
    realm_unref(realm);
    return SOSIA_OK;
}

SosiaErr sosia_trace(Sosia *s, const SosiaCaller *who, const SosiaTrace *a, SosiaOut *out) {
    (void)who;
    Realm *realm;
    Err err = scenario_named(s, a->world, &realm, out);
    if (err) return (SosiaErr)err;
    TraceAsk ask = {.twin = a->twin, .source = a->source, .after = a->after, .limit = a->limit};
    ask.item = a->item > 0 ? a->item - 1 : -1;
    Trace *t = run_traced(realm);
    if (t) flow_trace_show(t, &ask, &out->body);
    flow_trace_free(t);
    realm_unref(realm);
    return out->body.full ? SOSIA_LIMIT : SOSIA_OK;
}

// ---- ending -------------------------------------------------------------------------------------------------------

static void stop(Run *r, bool closing) {
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    r->closing = r->closing || closing;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

SosiaErr sosia_run_pause(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaOut *out) {
    (void)who;
    Realm *realm;
    Err err = scenario_named(s, world, &realm, out);
    if (err) return (SosiaErr)err;
    Run *r = run_of(s, realm);
    if (r) {
        stop(r, false);
        pthread_mutex_lock(&r->lock);
        while (at_work(r->state)) pthread_cond_wait(&r->wake, &r->lock);
        pthread_mutex_unlock(&r->lock);
    }
    status_any(r, realm, &out->body);
    if (r) run_unref(r);
    realm_unref(realm);
    return SOSIA_OK;
}

void run_abandon(Realm *realm) {
    Sosia *e = realm->engine;
    pthread_mutex_lock(&e->runs_lock);
    Run *r = e->runs;
    while (r && r->realm != realm) r = r->next;
    if (r) list_remove(e, r);
    pthread_mutex_unlock(&e->runs_lock);
    if (!r) return;
    atomic_store(&r->abandoned, true);
    stop(r, false);
    run_unref(r);
}

void run_renew(Realm *realm) {
    Run *r = run_of(realm->engine, realm);
    if (!r) return;
    atomic_store(&r->renew, true);
    run_unref(r);
}

void runs_end(Sosia *e) {
    pthread_mutex_lock(&e->runs_lock);
    e->runs_closing = true;
    for (Run *r = e->runs; r; r = r->next) stop(r, true);
    while (e->runs_at_work) pthread_cond_wait(&e->runs_wake, &e->runs_lock);
    Run *all = e->runs;
    e->runs = NULL;
    pthread_mutex_unlock(&e->runs_lock);
    while (all) {
        Run *r = all;
        all = r->next;
        run_unref(r);
    }
}
