// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"
#include "engine/ensemble.h"

#define LANES_MAX 8u
#define PIECE 64 // instants between two looks at whether it is to stop
#define REPLICATIONS_DEFAULT 30
#define MOST_DEFAULT 10000

// A planned change as a cell, in SI.
typedef struct Planned {
    sim_time at;
    uint32_t column, row;
    double value;
} Planned;

typedef struct Track {
    SimPlace at;
    double factor, offset; // SI = value * factor + offset
} Track;

struct EnsembleRun {
    Arena keep;
    const EnsembleAsk *ask; // whoever asked keeps it
    SimModel model;
    Sim *ready;
    Planned *planned;    // of all cases, one behind the other
    int32_t *planned_at; // by case, case_count + 1
    Track *tracks;
    EnsembleSamples s;
    int32_t precision; // number of the KPI, -1
    uint32_t lanes;

    pthread_mutex_t lock; // of what follows
    pthread_cond_t wake;
    int64_t next, limit; // groups: to be taken, known to be wanted
    int64_t done;        // groups, without a gap from the first on
    bool *ended;         // by group
    int32_t goal;        // replications of each case
    Err err;
    Diag *diag;
};

// ---- making -------------------------------------------------------------------------------------------------------

static Err plan_case(EnsembleRun *r, View *v, const EnsembleCase *c, Planned *to, Diag *d) {
    for (int32_t i = 0; i < c->change_count; i++) {
        const PlannedChange *p = &c->changes[i];
        SimPlace at;
        TRY(sim_model_place(&r->model, r->ready, v, p->twin, p->property, &at, d));
        if (!sim_takes_input(r->ready, at.column, at.row))
            return diag_add(d, ERR_VALIDATION, -1, -1, p->twin,
                            "\"%.*s\" is what a behaviour says: it cannot be changed", STR_ARG(p->property));
        to[i] = (Planned){.at = (double)p->at_ns / 1e9, .column = at.column, .row = at.row};
        TRY(sim_model_value(r->ready, &at, p->value, p->property, &to[i].value, d));
    }
    return ERR_OK;
}

static Err plan_cases(EnsembleRun *r, View *v, Diag *d) {
    int32_t n = 0, count = r->ask->case_count;
    r->planned_at = NEW(&r->keep, int32_t, count + 1);
    for (int32_t i = 0; i < count; i++) n += r->ask->cases[i].change_count;
    r->planned = NEW(&r->keep, Planned, n + 1);
    for (int32_t i = 0; i < count; i++) {
        const EnsembleCase *c = &r->ask->cases[i];
        TRY(plan_case(r, v, c, r->planned + r->planned_at[i], d));
        r->planned_at[i + 1] = r->planned_at[i] + c->change_count;
    }
    return ERR_OK;
}

static Err find_tracks(EnsembleRun *r, View *v, Diag *d) {
    r->tracks = NEW(&r->keep, Track, r->ask->track_count + 1);
    for (int32_t i = 0; i < r->ask->track_count; i++) {
        const EnsembleTrack *t = &r->ask->tracks[i];
        SimPlace at;
        TRY(sim_model_place(&r->model, r->ready, v, t->twin, t->property, &at, d));
        SimColumn c = sim_column_of(r->ready, at.column);
        if (c.type == SIM_SYMBOL)
            return diag_add(d, ERR_VALIDATION, -1, -1, t->twin, "\"%.*s\" is a text: only numbers can be tracked",
                            STR_ARG(t->property));
        r->tracks[i] = (Track){at, c.factor, c.offset};
        r->s.units[r->s.kpis->count + i] = at.field->unit;
    }
    return ERR_OK;
}

// Everything that is asked of the Sim before its columns are gathered: engines, columns of changes and tracks.
static Err build(EnsembleRun *r, View *v, uint64_t seed, Diag *d) {
    SimOpen open = {.graph = r->model.graph, .epoch_ns = r->s.begin_ns, .seed = seed, .lanes = (uint16_t)r->lanes};
    r->ready = sim_new(&open);
    TRY(sim_model_add(&r->model, r->ready, d));
    EnsembleSamples *s = &r->s;
    s->series_count = s->kpis->count + r->ask->track_count;
    s->units = NEW(&r->keep, Str, s->series_count + 1);
    for (int32_t i = 0; i < s->kpis->count; i++) s->units[i] = s->kpis->rows[i].unit;
    TRY(find_tracks(r, v, d));
    TRY(plan_cases(r, v, d)); // their columns; symbols and inputs are looked at again below
    TRY(sim_model_gather(&r->model, r->ready, v, (uint16_t)((1u << r->lanes) - 1), d));
    return sim_ready(r->ready, d);
}

static Err find_precision(EnsembleRun *r, Diag *d) {
    r->precision = -1;
    if (!r->ask->precision.n) return ERR_OK;
    for (int32_t i = 0; i < r->s.kpis->count; i++)
        if (str_eq(r->s.kpis->rows[i].k.name, r->ask->precision)) r->precision = i;
    if (r->precision >= 0) return ERR_OK;
    return diag_add(d, ERR_ARGUMENT, -1, -1, r->ask->precision, "the precision names no KPI of this ensemble");
}

// Room for all samples. Errors: LIMIT.
static Err make_room(EnsembleRun *r, Diag *d) {
    EnsembleSamples *s = &r->s;
    r->goal = r->ask->replications ? r->ask->replications : REPLICATIONS_DEFAULT;
    s->room = r->precision < 0 ? r->goal : r->ask->most ? r->ask->most : MOST_DEFAULT;
    if (s->room < r->goal) s->room = r->goal;
    double items = (double)s->room * s->case_count;
    double bytes = items * (s->kpis->count * 8.0 + (s->instants + 1.0) * s->series_count * 4.0 + 1);
    if (bytes > ENSEMBLE_BYTES_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0},
                        "it would keep %.0f MB of samples, %d are allowed: a longer \"output\", fewer of \"track\" and "
                        "\"kpis\", cases or replications",
                        bytes / 1e6, ENSEMBLE_BYTES_MAX / 1000000);
    size_t n = (size_t)s->room * (size_t)s->case_count;
    s->ends = mem_alloc(((size_t)s->kpis->count * n + 1) * sizeof *s->ends);
    s->course = mem_alloc(((size_t)s->series_count * (size_t)(s->instants + 1) * n + 1) * sizeof *s->course);
    r->ended = mem_alloc(n / r->lanes + 1);
    return ERR_OK;
}

Err ensemble_run_make(View *v, const SimRegistry *engines, const EnsembleAsk *ask, uint64_t seed, int64_t begin_ns,
                      EnsembleRun **out, Diag *d) {
    EnsembleRun *r = *out = mem_alloc(sizeof *r);
    EnsembleSamples *s = &r->s;
    arena_init(&r->keep, 0);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    r->ask = ask;
    r->lanes = ask->lanes ? (uint32_t)ask->lanes : LANES_MAX;
    s->case_count = ask->case_count;
    s->begin_ns = begin_ns;
    s->until_ns = begin_ns + ask->for_ns;
    s->step_ns = ask->output_ns ? ask->output_ns : ask->for_ns / 100 ? ask->for_ns / 100 : ask->for_ns;
    s->instants = (int32_t)((ask->for_ns - 1) / s->step_ns + 1);
    TRY(sim_model_make(&r->model, v, engines, &(RatesOptions){.brief = true}, d));
    TRY(ask->kpis_only ? kpis_make_only(v, r->model.rates, ask->kpis, &s->kpis, d)
                       : kpis_make(v, r->model.rates, ask->kpis, &s->kpis, d));
    TRY(find_precision(r, d));
    TRY(build(r, v, seed, d));
    return make_room(r, d);
}

void ensemble_run_free(EnsembleRun *r) {
    if (!r) return;
    sim_free(r->ready);
    kpis_free(r->s.kpis);
    sim_model_free(&r->model);
    mem_free(r->s.ends);
    mem_free(r->s.course);
    mem_free(r->ended);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    arena_free(&r->keep);
    mem_free(r);
}

EnsembleSamples *ensemble_samples(EnsembleRun *r) { return &r->s; }

// ---- one group ----------------------------------------------------------------------------------------------------

// Which replication of which case a lane of a group is; those behind the last are run for nothing.
static void item_of(const EnsembleRun *r, int64_t group, uint32_t lane, int32_t *replication, int32_t *which) {
    int64_t item = group * r->lanes + lane;
    *replication = (int32_t)(item / r->s.case_count);
    *which = (int32_t)(item % r->s.case_count);
}

static void sample_end(EnsembleRun *r, const Sim *s, int32_t kpi, uint32_t lane, int32_t replication, int32_t which) {
    KpiRow row = r->s.kpis->rows[kpi];
    RatesWatched w;
    double *to =
        &r->s.ends[((size_t)kpi * (size_t)r->s.case_count + (size_t)which) * (size_t)r->s.room + (size_t)replication];
    *to = (double)NAN;
    if (row.watch == UINT32_MAX) return;
    rates_watched(r->model.rates, s, row.watch, (uint16_t)lane, &w);
    row.total = (KpiSum){w.sum, w.known, w.least, w.most};
    row.now = w.now;
    *to = kpi_value(&row);
}

// The course of a KPI is what its expression is at that time.
static double now_of(const EnsembleRun *r, const Sim *s, int32_t series, uint32_t lane) {
    int32_t kpis = r->s.kpis->count;
    if (series < kpis) {
        const KpiRow *row = &r->s.kpis->rows[series];
        RatesWatched w;
        if (row->watch == UINT32_MAX) return (double)NAN;
        rates_watched(r->model.rates, s, row->watch, (uint16_t)lane, &w);
        if (row->k.over == KPI_INTEGRAL) return w.sum / row->factor;
        return (w.now - row->offset) / row->factor;
    }
    const Track *t = &r->tracks[series - kpis];
    const sim_col *c = sim_column_at((Sim *)(uintptr_t)s, t->at.column);
    return (c->v[(size_t)t->at.row * r->lanes + lane] - t->offset) / t->factor;
}

static void sample_now(EnsembleRun *r, const Sim *s, int64_t group, int32_t instant) {
    const EnsembleSamples *x = &r->s;
    for (uint32_t lane = 0; lane < r->lanes; lane++) {
        int32_t replication, which;
        item_of(r, group, lane, &replication, &which);
        if (replication >= x->room) continue;
        for (int32_t i = 0; i < x->series_count; i++) {
            size_t at =
                ((size_t)i * (size_t)(x->instants + 1) + (size_t)instant) * (size_t)x->case_count + (size_t)which;
            x->course[at * (size_t)x->room + (size_t)replication] = (float)now_of(r, s, i, lane);
        }
        for (int32_t k = 0; instant == x->instants && k < x->kpis->count; k++)
            sample_end(r, s, k, lane, replication, which);
    }
}

static Sim *begin_group(EnsembleRun *r, int64_t group) {
    uint64_t scenario[LANES_MAX];
    int32_t replication, which;
    for (uint32_t l = 0; l < r->lanes; l++) {
        item_of(r, group, l, &replication, &which);
        scenario[l] = (uint64_t)replication;
    }
    Sim *s = sim_replica(r->ready, scenario);
    for (uint32_t l = 0; l < r->lanes; l++) {
        item_of(r, group, l, &replication, &which);
        for (int32_t i = r->planned_at[which]; i < r->planned_at[which + 1]; i++) {
            const Planned *p = &r->planned[i];
            if (p->at <= 0) sim_input(s, 0, 0, p->column, p->row, (uint16_t)(1u << l), p->value);
        }
    }
    return s;
}

// Those behind the beginning; before the start every input is of t = 0.
static void later_changes(EnsembleRun *r, Sim *s, int64_t group) {
    for (uint32_t l = 0; l < r->lanes; l++) {
        int32_t replication, which;
        item_of(r, group, l, &replication, &which);
        for (int32_t i = r->planned_at[which]; i < r->planned_at[which + 1]; i++) {
            const Planned *p = &r->planned[i];
            if (p->at > 0) sim_input(s, p->at, 0, p->column, p->row, (uint16_t)(1u << l), p->value);
        }
    }
}

// Errors: those of sim_run, CLOSED when it is to stop. Pieces change nothing: see sim.h.
static Err run_to(Sim *s, sim_time to, const _Atomic bool *stop, Diag *d) {
    SimStats before, after = {.instants = PIECE};
    for (before = (SimStats){0}; after.instants - before.instants >= PIECE;) {
        if (atomic_load_explicit(stop, memory_order_relaxed)) return ERR_CLOSED;
        sim_stats(s, &before);
        TRY(sim_run(s, to, PIECE, NULL, NULL, d));
        sim_stats(s, &after);
    }
    return ERR_OK;
}

static Err run_group(EnsembleRun *r, int64_t group, const _Atomic bool *stop, Diag *d) {
    Sim *s = begin_group(r, group);
    Err err = sim_start(s, d);
    if (!err) later_changes(r, s, group);
    for (int32_t i = 0; !err && i <= r->s.instants; i++) {
        int64_t at = i < r->s.instants ? (int64_t)i * r->s.step_ns : r->s.until_ns - r->s.begin_ns;
        err = run_to(s, (double)at / 1e9, stop, d);
        if (!err) sample_now(r, s, group, i);
    }
    sim_free(s);
    return err;
}

// ---- how many -----------------------------------------------------------------------------------------------------

static int64_t groups_of(const EnsembleRun *r, int64_t replications) {
    return (replications * r->s.case_count + r->lanes - 1) / r->lanes;
}

// How many replications the precision wants, by those there are: of the case that wants most.
static int32_t wanted(const EnsembleRun *r) {
    const EnsembleSamples *s = &r->s;
    double level = r->ask->level > 0 ? r->ask->level : 0.95;
    int32_t most = r->goal;
    for (int32_t c = 0; c < s->case_count; c++) {
        const double *x = &s->ends[((size_t)r->precision * (size_t)s->case_count + (size_t)c) * (size_t)s->room];
        Moments m = {0};
        for (int32_t i = 0; i < r->goal; i++) moments_add(&m, x[i]);
        double half = r->ask->half > 0 ? r->ask->half : r->ask->half_relative * fabs(m.mean);
        if (moments_half(&m, level) <= half) continue;
        int32_t n = (int32_t)moments_needed(&m, level, half, (uint64_t)s->room);
        if (n <= r->goal) n = r->goal + 1;
        if (n > most) most = n;
    }
    return most;
}

// All that is known to be wanted is done: is it enough? At most twice as many at once, so that a bad first guess costs
// little.
static void decide(EnsembleRun *r) {
    if (r->precision < 0 || r->done < r->limit || r->goal >= r->s.room) return;
    int32_t n = wanted(r);
    if (n > 2 * r->goal) n = 2 * r->goal;
    if (n > r->s.room) n = r->s.room;
    r->goal = n;
    r->limit = groups_of(r, n);
}

int32_t ensemble_goal(EnsembleRun *r) {
    pthread_mutex_lock(&r->lock);
    int32_t n = r->goal;
    pthread_mutex_unlock(&r->lock);
    return n;
}

// ---- threads ------------------------------------------------------------------------------------------------------

typedef struct Worker {
    EnsembleRun *r;
    const _Atomic bool *stop;
    _Atomic int32_t *replications;
    Thread thread;
} Worker;

// The next group; false: there is none any more.
static bool take(Worker *w, int64_t *group) {
    EnsembleRun *r = w->r;
    pthread_mutex_lock(&r->lock);
    while (!r->err && r->next >= r->limit && r->done < r->limit) pthread_cond_wait(&r->wake, &r->lock);
    bool some = !r->err && r->next < r->limit;
    if (some) *group = r->next++;
    pthread_mutex_unlock(&r->lock);
    return some;
}

static void ended(Worker *w, int64_t group, Err err, const Diag *d) {
    EnsembleRun *r = w->r;
    pthread_mutex_lock(&r->lock);
    if (err && !r->err) {
        r->err = err;
        int32_t first, last, which;
        item_of(r, group, 0, &first, &which);
        item_of(r, group, r->lanes - 1, &last, &which);
        for (int32_t i = 0; err != ERR_CLOSED && i < d->count; i++)
            (void)diag_add(r->diag, err, -1, -1, d->messages[i].where, "replications %d to %d: %.*s", first, last,
                           STR_ARG(d->messages[i].text));
    }
    if (!err) {
        r->ended[group] = true;
        while (r->done < r->limit && r->ended[r->done]) r->done++;
        int64_t n = r->done * r->lanes / r->s.case_count;
        decide(r);
        atomic_store(w->replications, n < r->goal ? (int32_t)n : r->goal); // never more than there is room for
    }
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

static void *work(void *arg) {
    Worker *w = arg;
    int64_t group;
    while (take(w, &group)) {
        Diag d;
        diag_init(&d);
        Err err = run_group(w->r, group, w->stop, &d);
        ended(w, group, err, &d);
        diag_free(&d);
    }
    return NULL;
}

Err ensemble_run(EnsembleRun *r, int32_t threads, const _Atomic bool *stop, _Atomic int32_t *replications, Diag *d) {
    if (threads <= 0) threads = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (threads < 1) threads = 1;
    if (threads > ENSEMBLE_THREADS_MAX) threads = ENSEMBLE_THREADS_MAX;
    Worker *w = mem_alloc((size_t)threads * sizeof *w);
    r->diag = d;
    r->limit = groups_of(r, r->goal);
    for (int32_t i = 0; i < threads; i++) w[i] = (Worker){.r = r, .stop = stop, .replications = replications};
    int32_t started = 1; // this one
    while (started < threads && !thread_start(&w[started].thread, "sosia-ensemble", work, &w[started])) started++;
    work(&w[0]);
    for (int32_t i = 1; i < started; i++) thread_join(&w[i].thread);
    mem_free(w);
    r->diag = NULL;
    return r->err;
}
