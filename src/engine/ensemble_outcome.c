// SPDX-License-Identifier: Apache-2.0
// From samples to what is known of them.
#include "engine/ensemble_outcome.h"
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/json.h"
#include "engine/told.h"

#define SAME 1e-12 // part of themselves by which equal numbers may differ

const char *ensemble_state_name(EnsembleState s) {
    static const char *const names[] = {"starting", "running", "done", "stopped", "failed"};
    return names[s];
}

// One outcome that is being made.
typedef struct Making {
    EnsembleOutcome *o;
    const EnsembleAsk *ask;
    const EnsemblePart *parts;
    const int32_t *which, *within;
    int32_t n;
    double *sorted, *base; // scratch, n
} Making;

static const EnsembleSamples *samples_of(const Making *m, int32_t c) {
    return ensemble_samples(m->parts[m->which[c]].run);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// ---- KPIs ---------------------------------------------------------------------------------------------------------

static const KpiRow *row_named(const Kpis *k, Str name, int32_t *at) {
    for (int32_t i = 0; i < k->count; i++) {
        *at = i;
        if (str_eq(k->rows[i].k.name, name)) return &k->rows[i];
    }
    return NULL;
}

static void add_kpi(Making *m, const KpiRow *row) {
    EnsembleOutcome *o = m->o;
    EnsembleKpi *k = &o->kpis[o->kpi_count++];
    *k = (EnsembleKpi){.name = arena_str(&o->keep, row->k.name),
                       .title = arena_str(&o->keep, row->k.title),
                       .unit = arena_str(&o->keep, row->unit),
                       .of = arena_str(&o->keep, row->k.of),
                       .why = arena_str(&o->keep, row->why),
                       .over = (int32_t)row->k.over,
                       .better = row->k.better,
                       .cases = NEW(&o->keep, EnsembleStat, o->case_count)};
}

static bool has_kpi(const Making *m, Str name) {
    for (int32_t i = 0; i < m->o->kpi_count; i++)
        if (str_eq(m->o->kpis[i].name, name)) return true;
    return false;
}

// Those of all worlds, each once; first those that were asked for by name, in that order.
static void list_kpis(Making *m) {
    int32_t most = 1, at;
    Str names = m->ask->kpis;
    for (int32_t c = 0; c < m->ask->case_count; c++)
        if (!m->within[c]) most += samples_of(m, c)->kpis->count;
    m->o->kpis = NEW(&m->o->keep, EnsembleKpi, most);
    while (names.n) {
        const KpiRow *row = row_named(samples_of(m, 0)->kpis, str_cut(&names, ','), &at);
        if (row && !has_kpi(m, row->k.name)) add_kpi(m, row);
    }
    for (int32_t c = 0; c < m->ask->case_count; c++) {
        const Kpis *k = samples_of(m, c)->kpis;
        for (int32_t i = 0; !m->within[c] && i < k->count; i++)
            if (!has_kpi(m, k->rows[i].k.name)) add_kpi(m, &k->rows[i]);
    }
}

// What each replication of a case came to; NULL: it is not counted there, or in another unit.
static const double *ends_of(const Making *m, const EnsembleKpi *k, int32_t c) {
    const EnsembleSamples *s = samples_of(m, c);
    int32_t at = 0;
    const KpiRow *row = row_named(s->kpis, k->name, &at);
    if (!row || (int32_t)row->k.over != k->over || !str_eq(row->unit, k->unit)) return NULL;
    return &s->ends[((size_t)at * (size_t)s->case_count + (size_t)m->within[c]) * (size_t)s->room];
}

// Known values, ascending, into m->sorted; their number.
static int64_t sort_known(Making *m, const double *x, Moments *t) {
    int64_t known = 0;
    *t = (Moments){0};
    for (int32_t i = 0; i < m->n; i++) {
        moments_add(t, x[i]);
        if (!isnan(x[i])) m->sorted[known++] = x[i];
    }
    if (known) qsort(m->sorted, (size_t)known, sizeof *m->sorted, ascending);
    return known;
}

static double level_of(const Making *m) { return m->ask->level > 0 ? m->ask->level : 0.95; }

static void take_stat(Making *m, const double *x, EnsembleStat *out) {
    Moments t;
    int64_t known = sort_known(m, x, &t);
    *out = (EnsembleStat){.n = t.n,
                          .mean = t.n ? t.mean : (double)NAN,
                          .half = moments_half(&t, level_of(m)),
                          .sd = sqrt(moments_variance(&t)),
                          .min = t.n ? t.min : (double)NAN,
                          .p05 = quantile_of(m->sorted, known, 0.05),
                          .p50 = quantile_of(m->sorted, known, 0.5),
                          .p95 = quantile_of(m->sorted, known, 0.95),
                          .max = t.n ? t.max : (double)NAN,
                          .by = (double)NAN,
                          .by_half = (double)NAN};
}

// Against the first case, replication by replication. What rounding makes of equal ones is no difference.
static void take_difference(Making *m, const double *x, const double *base, EnsembleStat *out) {
    Moments t = {0};
    for (int32_t i = 0; i < m->n; i++) {
        double by = x[i] - base[i];
        if (fabs(by) <= SAME * fmax(fabs(x[i]), fabs(base[i]))) by = 0;
        moments_add(&t, by);
    }
    out->pairs = t.n;
    out->by = t.n ? t.mean : (double)NAN;
    out->by_half = moments_half(&t, level_of(m));
}

static void take_kpi(Making *m, EnsembleKpi *k) {
    const double *base = ends_of(m, k, 0);
    for (int32_t c = 0; c < m->o->case_count; c++) {
        const double *x = ends_of(m, k, c);
        for (int32_t i = 0; !x && i < m->n; i++) m->base[i] = (double)NAN;
        take_stat(m, x ? x : m->base, &k->cases[c]);
        if (c && x && base) take_difference(m, x, base, &k->cases[c]);
    }
}

static void take_ends(Making *m) {
    EnsembleOutcome *o = m->o;
    double bytes = 8.0 * o->kpi_count * o->case_count * m->n;
    if (bytes > ENSEMBLE_ENDS_BYTES_MAX) return;
    o->ends = NEW(&o->keep, double, (int64_t)o->kpi_count * o->case_count * m->n + 1);
    o->replications = m->n;
    for (int32_t k = 0; k < o->kpi_count; k++) {
        for (int32_t c = 0; c < o->case_count; c++) {
            const double *x = ends_of(m, &o->kpis[k], c);
            double *to = o->ends + ((size_t)k * (size_t)o->case_count + (size_t)c) * (size_t)m->n;
            for (int32_t i = 0; i < m->n; i++) to[i] = x ? x[i] : (double)NAN;
        }
    }
}

// ---- courses ------------------------------------------------------------------------------------------------------

static void band_at(Making *m, const float *x, float *bands, size_t instants) {
    Moments t = {0};
    int64_t known = 0;
    for (int32_t i = 0; i < m->n; i++) {
        moments_add(&t, (double)x[i]);
        if (!isnan(x[i])) m->sorted[known++] = (double)x[i];
    }
    if (known) qsort(m->sorted, (size_t)known, sizeof *m->sorted, ascending);
    double half = moments_half(&t, level_of(m)), mean = t.n ? t.mean : (double)NAN;
    bands[BAND_MEAN * instants] = (float)mean;
    bands[BAND_LOW * instants] = (float)(mean - half);
    bands[BAND_HIGH * instants] = (float)(mean + half);
    static const struct {
        size_t band;
        double p;
    } all[] = {{BAND_P025, 0.025}, {BAND_P05, 0.05}, {BAND_P10, 0.1},  {BAND_P25, 0.25},  {BAND_P50, 0.5},
               {BAND_P75, 0.75},   {BAND_P90, 0.9},  {BAND_P95, 0.95}, {BAND_P975, 0.975}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        bands[all[i].band * instants] = (float)quantile_of(m->sorted, known, all[i].p);
}

// The number of a series in the samples of a case; -1: it is not there, or in another unit.
static int32_t series_in(const Making *m, const EnsembleSeries *x, int32_t track, int32_t c) {
    const EnsembleSamples *s = samples_of(m, c);
    int32_t at = 0;
    if (x->kpi >= 0)
        return ends_of(m, &m->o->kpis[x->kpi], c) && row_named(s->kpis, m->o->kpis[x->kpi].name, &at) ? at : -1;
    at = s->kpis->count + track;
    return str_eq(s->units[at], x->unit) ? at : -1;
}

// every: of the instants of the samples; the last one is always there.
static void take_course(Making *m, EnsembleSeries *x, int32_t track, int32_t every) {
    size_t instants = (size_t)m->o->instants;
    x->bands = NEW(&m->o->keep, float, (int64_t)instants *BANDS * m->o->case_count + 1);
    for (int32_t c = 0; c < m->o->case_count; c++) {
        const EnsembleSamples *s = samples_of(m, c);
        int32_t series = series_in(m, x, track, c);
        float *bands = x->bands + (size_t)c * BANDS * instants;
        for (size_t i = 0; series < 0 && i < instants * BANDS; i++) bands[i] = NAN;
        for (int32_t i = 0; series >= 0 && i < m->o->instants; i++) {
            int32_t instant = i + 1 < m->o->instants ? i * every : s->instants;
            size_t at = ((size_t)series * (size_t)(s->instants + 1) + (size_t)instant) * (size_t)s->case_count +
                        (size_t)m->within[c];
            band_at(m, &s->course[at * (size_t)s->room], bands + i, instants);
        }
    }
}

static void list_series(Making *m) {
    EnsembleOutcome *o = m->o;
    o->series = NEW(&o->keep, EnsembleSeries, o->kpi_count + m->ask->track_count + 1);
    for (int32_t i = 0; i < o->kpi_count; i++)
        o->series[o->series_count++] = (EnsembleSeries){.kpi = i, .unit = o->kpis[i].unit};
    const EnsembleSamples *first = samples_of(m, 0);
    for (int32_t i = 0; i < m->ask->track_count; i++)
        o->series[o->series_count++] =
            (EnsembleSeries){.kpi = -1,
                             .twin = arena_str(&o->keep, m->ask->tracks[i].twin),
                             .property = arena_str(&o->keep, m->ask->tracks[i].property),
                             .unit = arena_str(&o->keep, first->units[first->kpis->count + i])};
}

// All courses are of the same instants since the beginning: what was asked for is the same for all worlds.
static void take_courses(Making *m) {
    EnsembleOutcome *o = m->o;
    const EnsembleSamples *s = samples_of(m, 0);
    list_series(m);
    double each = 4.0 * BANDS * o->series_count * o->case_count;
    int32_t every = 1;
    while ((s->instants / every + 2.0) * each > ENSEMBLE_COURSE_BYTES_MAX && every < s->instants) every++;
    o->instants = (s->instants - 1) / every + 2;
    o->times = NEW(&o->keep, int64_t, o->instants);
    for (int32_t i = 0; i + 1 < o->instants; i++) o->times[i] = (int64_t)i * every * s->step_ns;
    o->times[o->instants - 1] = s->until_ns - s->begin_ns;
    for (int32_t i = 0; i < o->series_count; i++) take_course(m, &o->series[i], i - o->kpi_count, every);
}

// ---- cases --------------------------------------------------------------------------------------------------------

static void take_case(Making *m, int32_t i, int32_t most) {
    Arena *a = &m->o->keep;
    const EnsembleCase *c = &m->ask->cases[i];
    EnsembleCaseTold *to = &m->o->cases[i];
    Buf text = {0};
    *to = (EnsembleCaseTold){
        .name = arena_str(a, c->name), .world = arena_str(a, c->world), .changes = c->change_count + c->told_count};
    to->told = NEW(a, Str, most);
    for (int32_t k = 0; k < c->told_count && to->told_count < most; k++)
        to->told[to->told_count++] = arena_str(a, c->told[k]);
    for (int32_t k = 0; k < c->change_count && to->told_count < most; k++) {
        buf_reset(&text);
        told_planned(&c->changes[k], &text);
        to->told[to->told_count++] = arena_str(a, buf_str(&text));
    }
    buf_free(&text);
}

static void take_cases(Making *m) {
    int32_t n = m->ask->case_count, most = 2000 / n + 1;
    m->o->cases = NEW(&m->o->keep, EnsembleCaseTold, n);
    for (int32_t i = 0; i < n; i++) take_case(m, i, most < ENSEMBLE_TOLD_MAX ? most : ENSEMBLE_TOLD_MAX);
}

static void take_axis(Making *m, const EnsembleAxis *x, EnsembleAxisTold *to) {
    Arena *a = &m->o->keep;
    *to = (EnsembleAxisTold){.twin = arena_str(a, x->twin),
                             .property = arena_str(a, x->property),
                             .name = arena_str(a, x->name),
                             .values = NEW(a, Str, x->count),
                             .numbers = NEW(a, double, x->count),
                             .count = x->count};
    for (int32_t i = 0; i < x->count; i++) {
        Buf b = {0};
        told_value(x->values[i], &b);
        to->values[i] = arena_str(a, buf_str(&b));
        to->numbers[i] = json_is_number(x->values[i]) ? json_f64(x->values[i]) : (double)NAN;
        buf_free(&b);
    }
}

EnsembleOutcome *ensemble_outcome(const EnsembleAsk *ask, const EnsemblePart *parts, const int32_t *which,
                                  const int32_t *within, int32_t n, bool courses) {
    EnsembleOutcome *o = mem_alloc(sizeof *o);
    Making m = {.o = o, .ask = ask, .parts = parts, .which = which, .within = within, .n = n};
    arena_init(&o->keep, 0);
    m.sorted = mem_alloc((size_t)(n + 1) * sizeof *m.sorted);
    m.base = mem_alloc((size_t)(n + 1) * sizeof *m.base);
    o->case_count = ask->case_count;
    o->grid_from = ask->grid_from;
    take_cases(&m);
    list_kpis(&m);
    for (int32_t i = 0; i < o->kpi_count; i++) take_kpi(&m, &o->kpis[i]);
    take_ends(&m);
    if (courses) take_courses(&m);
    o->axis_count = ask->axis_count;
    o->axes = NEW(&o->keep, EnsembleAxisTold, ask->axis_count + 1);
    for (int32_t i = 0; i < ask->axis_count; i++) take_axis(&m, &ask->axes[i], &o->axes[i]);
    mem_free(m.sorted);
    mem_free(m.base);
    return o;
}

void ensemble_outcome_free(EnsembleOutcome *o) {
    if (!o) return;
    arena_free(&o->keep);
    mem_free(o);
}
