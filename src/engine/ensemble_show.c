// SPDX-License-Identifier: Apache-2.0
// What an ensemble came to, as JSON.
#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/ensemble.h"

typedef struct Show {
    const EnsembleSamples *s;
    double level;
    int32_t n;
    double *sorted; // scratch, n
    Buf *out;
} Show;

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void put_number(Buf *out, const char *name, double v) {
    buf_printf(out, ",\"%s\":", name);
    if (isfinite(v)) json_put_f64(out, v);
    else buf_printf(out, "null");
}

static const double *ends_of(const Show *w, int32_t kpi, int32_t which) {
    const EnsembleSamples *s = w->s;
    return &s->ends[((size_t)kpi * (size_t)s->case_count + (size_t)which) * (size_t)s->room];
}

// Known values, ascending, into w->sorted; their number.
static int64_t sort_known(Show *w, const double *x, Moments *m) {
    int64_t known = 0;
    *m = (Moments){0};
    for (int32_t i = 0; i < w->n; i++) {
        moments_add(m, x[i]);
        if (!isnan(x[i])) w->sorted[known++] = x[i];
    }
    if (known) qsort(w->sorted, (size_t)known, sizeof *w->sorted, ascending);
    return known;
}

static void put_interval(Show *w, const Moments *m) {
    double half = moments_half(m, w->level), mean = m->n ? m->mean : (double)NAN;
    put_number(w->out, "mean", mean);
    put_number(w->out, "low", mean - half);
    put_number(w->out, "high", mean + half);
}

// Against the first case, replication by replication.
static void put_difference(Show *w, int32_t kpi, int32_t which) {
    const double *x = ends_of(w, kpi, which), *base = ends_of(w, kpi, 0);
    const Kpi *k = &w->s->kpis->rows[kpi].k;
    Moments m = {0};
    for (int32_t i = 0; i < w->n; i++) moments_add(&m, x[i] - base[i]);
    double half = moments_half(&m, w->level);
    buf_printf(w->out, ",\"difference\":{\"n\":%llu", (unsigned long long)m.n);
    put_interval(w, &m);
    bool sure = m.n > 1 && fabs(m.mean) > half, more = m.mean > 0;
    const char *verdict = !sure                     ? "no difference is shown"
                          : !k->better              ? more ? "more" : "less"
                          : (k->better > 0) == more ? "better"
                                                    : "worse";
    buf_printf(w->out, ",\"verdict\":\"%s\"}", verdict);
}

static void put_kpi(Show *w, int32_t kpi, int32_t which) {
    const KpiRow *row = &w->s->kpis->rows[kpi];
    Moments m;
    int64_t known = sort_known(w, ends_of(w, kpi, which), &m);
    buf_printf(w->out, "%s{\"name\":", kpi ? "," : "");
    json_put_str(w->out, row->k.name);
    buf_printf(w->out, ",\"title\":");
    json_put_str(w->out, row->k.title);
    buf_printf(w->out, ",\"unit\":");
    json_put_str(w->out, row->unit);
    buf_printf(w->out, ",\"n\":%llu", (unsigned long long)m.n);
    put_interval(w, &m);
    put_number(w->out, "sd", sqrt(moments_variance(&m)));
    put_number(w->out, "min", m.n ? m.min : (double)NAN);
    put_number(w->out, "p05", quantile_of(w->sorted, known, 0.05));
    put_number(w->out, "p50", quantile_of(w->sorted, known, 0.5));
    put_number(w->out, "p95", quantile_of(w->sorted, known, 0.95));
    put_number(w->out, "max", m.n ? m.max : (double)NAN);
    if (which) put_difference(w, kpi, which);
    if (row->why.n) {
        buf_printf(w->out, ",\"why\":");
        json_put_str(w->out, row->why);
    }
    buf_byte(w->out, '}');
}

// ---- courses ------------------------------------------------------------------------------------------------------

enum { BAND_MEAN, BAND_LOW, BAND_HIGH, BAND_P05, BAND_P50, BAND_P95, BANDS };
static const char *const band_names[BANDS] = {"mean", "low", "high", "p05", "p50", "p95"};

static void band_at(Show *w, int32_t series, int32_t instant, int32_t which, double *out) {
    const EnsembleSamples *s = w->s;
    size_t at = ((size_t)series * (size_t)(s->instants + 1) + (size_t)instant) * (size_t)s->case_count + (size_t)which;
    const float *x = &s->course[at * (size_t)s->room];
    Moments m = {0};
    int64_t known = 0;
    for (int32_t i = 0; i < w->n; i++) {
        moments_add(&m, (double)x[i]);
        if (!isnan(x[i])) w->sorted[known++] = (double)x[i];
    }
    if (known) qsort(w->sorted, (size_t)known, sizeof *w->sorted, ascending);
    double half = moments_half(&m, w->level);
    out[BAND_MEAN] = m.n ? m.mean : (double)NAN;
    out[BAND_LOW] = out[BAND_MEAN] - half;
    out[BAND_HIGH] = out[BAND_MEAN] + half;
    out[BAND_P05] = quantile_of(w->sorted, known, 0.05);
    out[BAND_P50] = quantile_of(w->sorted, known, 0.5);
    out[BAND_P95] = quantile_of(w->sorted, known, 0.95);
}

static void put_bands(Show *w, int32_t series, int32_t which, double *bands) {
    int32_t instants = w->s->instants + 1;
    for (int32_t i = 0; i < instants; i++) band_at(w, series, i, which, bands + (size_t)i * BANDS);
    for (int32_t b = 0; b < BANDS; b++) {
        buf_printf(w->out, "%s\"%s\":[", b ? "," : "{", band_names[b]);
        for (int32_t i = 0; i < instants; i++) {
            double v = bands[(size_t)i * BANDS + (size_t)b];
            if (i) buf_byte(w->out, ',');
            if (isfinite(v)) json_put_f64(w->out, v);
            else buf_printf(w->out, "null");
        }
        buf_byte(w->out, ']');
    }
    buf_byte(w->out, '}');
}

static void put_name(Show *w, const EnsembleAsk *ask, int32_t series) {
    int32_t kpis = w->s->kpis->count;
    if (series < kpis) {
        buf_printf(w->out, "{\"kpi\":");
        json_put_str(w->out, w->s->kpis->rows[series].k.name);
    } else {
        buf_printf(w->out, "{\"twin\":");
        json_put_str(w->out, ask->tracks[series - kpis].twin);
        buf_printf(w->out, ",\"property\":");
        json_put_str(w->out, ask->tracks[series - kpis].property);
    }
    buf_printf(w->out, ",\"unit\":");
    json_put_str(w->out, w->s->units[series]);
}

static void put_times(Show *w) {
    const EnsembleSamples *s = w->s;
    buf_printf(w->out, ",\"times\":[");
    for (int32_t i = 0; i <= s->instants; i++) {
        buf_printf(w->out, i ? ",\"" : "\"");
        time_print(i < s->instants ? s->begin_ns + (int64_t)i * s->step_ns : s->until_ns, 7, w->out);
        buf_byte(w->out, '"');
    }
    buf_byte(w->out, ']');
}

void ensemble_show(const EnsembleSamples *s, const EnsembleAsk *ask, int32_t n, Buf *out) {
    Show w = {.s = s, .level = ask->level > 0 ? ask->level : 0.95, .n = n, .out = out};
    w.sorted = mem_alloc((size_t)(n + 1) * sizeof *w.sorted);
    double *bands = mem_alloc((size_t)(s->instants + 1) * BANDS * sizeof *bands);
    buf_printf(out, ",\"cases\":[");
    for (int32_t c = 0; c < s->case_count; c++) {
        buf_printf(out, "%s{\"name\":", c ? "," : "");
        json_put_str(out, ask->cases[c].name);
        buf_printf(out, ",\"changes\":%d,\"kpis\":[", ask->cases[c].change_count);
        for (int32_t k = 0; k < s->kpis->count; k++) put_kpi(&w, k, c);
        buf_printf(out, "]}");
    }
    buf_printf(out, "]");
    put_times(&w);
    buf_printf(out, ",\"series\":[");
    for (int32_t i = 0; i < s->series_count; i++) {
        if (i) buf_byte(out, ',');
        put_name(&w, ask, i);
        buf_printf(out, ",\"cases\":[");
        for (int32_t c = 0; c < s->case_count; c++) {
            if (c) buf_byte(out, ',');
            put_bands(&w, i, c, bands);
        }
        buf_printf(out, "]}");
    }
    buf_byte(out, ']');
    mem_free(bands);
    mem_free(w.sorted);
}
