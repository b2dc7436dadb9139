// SPDX-License-Identifier: Apache-2.0
// What an ensemble came to, as JSON.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/time.h"
#include "codec/json.h"
#include "engine/ensemble_outcome.h"
#include "model/units.h"

static void put_number(Buf *out, const char *name, double v) {
    buf_printf(out, ",\"%s\":", name);
    if (isfinite(v)) json_put_f64(out, v);
    else buf_printf(out, "null");
}

static void put_text(Buf *out, const char *name, Str s) {
    if (!s.n) return;
    buf_printf(out, ",\"%s\":", name);
    json_put_str(out, s);
}

static void put_time(Buf *out, const char *name, int64_t ns) {
    buf_printf(out, ",\"%s\":\"", name);
    time_print(ns, 7, out);
    buf_byte(out, '"');
}

// ---- the head -----------------------------------------------------------------------------------------------------

void ensemble_head_show(const EnsembleHead *h, Buf *out) {
    buf_printf(out, "\"id\":%llu,\"world\":", (unsigned long long)h->id);
    json_put_str(out, h->worlds[0].name);
    put_text(out, "title", h->title);
    put_text(out, "about", h->about);
    put_text(out, "whatif", h->whatif);
    buf_printf(out, ",\"state\":\"%s\",\"seconds\":%.3f", ensemble_state_name(h->state), (double)h->spent_ns / 1e9);
    if (h->why.n) {
        buf_printf(out, ",\"error\":{\"code\":\"%s\",\"message\":", err_wire(h->err));
        json_put_str(out, h->why);
        buf_byte(out, '}');
    }
    put_time(out, "begun", h->begun_ns);
    buf_printf(out, ",\"replications\":%d", h->replications);
    if (h->goal) buf_printf(out, ",\"of\":%d", h->goal);
    if (h->state == ENSEMBLE_RUNNING && h->replications > 0 && h->goal > h->replications)
        buf_printf(out, ",\"secondsLeft\":%.3f",
                   (double)h->spent_ns / 1e9 * (h->goal - h->replications) / h->replications);
    if (h->begin_ns) {
        put_time(out, "begin", h->begin_ns);
        put_time(out, "until", h->begin_ns + h->for_ns);
    }
    buf_printf(out, ",\"seed\":%llu", (unsigned long long)h->seed);
    put_number(out, "level", h->level);
    put_text(out, "sentence", h->sentence);
}

// ---- KPIs ---------------------------------------------------------------------------------------------------------

static void put_interval(Buf *out, double mean, double half) {
    put_number(out, "mean", mean);
    put_number(out, "low", mean - half);
    put_number(out, "high", mean + half);
}

static void put_difference(const EnsembleKpi *k, int32_t which, Buf *out) {
    const EnsembleStat *x = &k->cases[which];
    double size = fabs(k->cases[0].mean);
    EnsembleVerdict v = ensemble_verdict(k, which);
    buf_printf(out, ",\"difference\":{\"n\":%llu", (unsigned long long)x->pairs);
    put_interval(out, x->by, x->by_half);
    put_number(out, "relative", size > 0 ? x->by / size : (double)NAN);
    if (v == VERDICT_NONE) buf_printf(out, ",\"verdict\":null}");
    else buf_printf(out, ",\"verdict\":\"%s\"}", ensemble_verdict_name(v));
}

static void put_samples(const EnsembleOutcome *o, int32_t kpi, int32_t which, Buf *out) {
    if (!o->ends) return;
    const double *x = o->ends + ((size_t)kpi * (size_t)o->case_count + (size_t)which) * (size_t)o->replications;
    buf_printf(out, ",\"samples\":[");
    for (int32_t i = 0; i < o->replications; i++) {
        if (i) buf_byte(out, ',');
        if (isfinite(x[i])) json_put_f64(out, x[i]);
        else buf_printf(out, "null");
    }
    buf_byte(out, ']');
}

// {"name":... of one, without the '}'.
static void put_kpi_head(const EnsembleKpi *k, Buf *out) {
    static const char *const overs[] = {"last", "mean", "min", "max", "integral"};
    const Unit *u = unit_find(k->unit);
    buf_printf(out, "{\"name\":");
    json_put_str(out, k->name);
    buf_printf(out, ",\"title\":");
    json_put_str(out, k->title);
    buf_printf(out, ",\"unit\":");
    json_put_str(out, k->unit);
    if (u) put_text(out, "symbol", str_of(u->symbol));
    put_text(out, "of", k->of);
    buf_printf(out, ",\"over\":\"%s\"", overs[k->over]);
    if (k->better) buf_printf(out, ",\"better\":\"%s\"", k->better > 0 ? "more" : "less");
}

static void put_kpi(const EnsembleOutcome *o, int32_t kpi, int32_t which, bool samples, Buf *out) {
    const EnsembleKpi *k = &o->kpis[kpi];
    const EnsembleStat *x = &k->cases[which];
    if (kpi) buf_byte(out, ',');
    put_kpi_head(k, out);
    buf_printf(out, ",\"n\":%llu", (unsigned long long)x->n);
    put_interval(out, x->mean, x->half);
    put_number(out, "sd", x->sd);
    put_number(out, "min", x->min);
    put_number(out, "p05", x->p05);
    put_number(out, "p50", x->p50);
    put_number(out, "p95", x->p95);
    put_number(out, "max", x->max);
    if (which) put_difference(k, which, out);
    put_text(out, "why", k->why);
    if (samples) put_samples(o, kpi, which, out);
    buf_byte(out, '}');
}

static void put_case(const EnsembleOutcome *o, int32_t which, bool samples, Buf *out) {
    const EnsembleCaseTold *c = &o->cases[which];
    buf_printf(out, "%s{\"name\":", which ? "," : "");
    json_put_str(out, c->name);
    put_text(out, "world", c->world);
    buf_printf(out, ",\"changes\":%d", c->changes);
    if (c->told_count) {
        buf_printf(out, ",\"told\":[");
        for (int32_t i = 0; i < c->told_count; i++) {
            if (i) buf_byte(out, ',');
            json_put_str(out, c->told[i]);
        }
        buf_byte(out, ']');
    }
    buf_printf(out, ",\"kpis\":[");
    for (int32_t k = 0; k < o->kpi_count; k++) put_kpi(o, k, which, samples, out);
    buf_printf(out, "]}");
}

// ---- courses ------------------------------------------------------------------------------------------------------

// As short as it is the same float again.
static void put_float(float x, Buf *out) {
    char text[40];
    if (!isfinite(x)) {
        buf_printf(out, "null");
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        double back;
        int n = snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (digits == 9 || (str_to_f64((Str){text, n}, &back) && (float)back == x)) break;
    }
    buf_printf(out, "%s", text);
}

static void put_bands(const EnsembleOutcome *o, const EnsembleSeries *x, int32_t which, Buf *out) {
    static const char *const names[BANDS] = {"mean", "low", "high", "p05", "p50", "p95"};
    for (int32_t b = 0; b < BANDS; b++) {
        const float *v = x->bands + ((size_t)which * BANDS + (size_t)b) * (size_t)o->instants;
        buf_printf(out, "%s\"%s\":[", b ? "," : "{", names[b]);
        for (int32_t i = 0; i < o->instants; i++) {
            if (i) buf_byte(out, ',');
            put_float(v[i], out);
        }
        buf_byte(out, ']');
    }
    buf_byte(out, '}');
}

static void put_series(const EnsembleOutcome *o, const EnsembleSeries *x, Buf *out) {
    if (x->kpi >= 0) {
        buf_printf(out, "{\"kpi\":");
        json_put_str(out, o->kpis[x->kpi].name);
    } else {
        buf_printf(out, "{\"twin\":");
        json_put_str(out, x->twin);
        buf_printf(out, ",\"property\":");
        json_put_str(out, x->property);
    }
    buf_printf(out, ",\"unit\":");
    json_put_str(out, x->unit);
    buf_printf(out, ",\"cases\":[");
    for (int32_t c = 0; c < o->case_count; c++) {
        if (c) buf_byte(out, ',');
        put_bands(o, x, c, out);
    }
    buf_printf(out, "]}");
}

// Which case of the grid is where: {"from":1,"axes":[{"twin","property","name","values":[...]}]}.
static void put_sweep(const EnsembleOutcome *o, Buf *out) {
    if (!o->axis_count) return;
    buf_printf(out, ",\"sweep\":{\"from\":%d,\"axes\":[", o->grid_from);
    for (int32_t i = 0; i < o->axis_count; i++) {
        const EnsembleAxisTold *x = &o->axes[i];
        buf_printf(out, "%s{\"twin\":", i ? "," : "");
        json_put_str(out, x->twin);
        put_text(out, "property", x->property);
        put_text(out, "name", x->name);
        buf_printf(out, ",\"values\":[");
        for (int32_t k = 0; k < x->count; k++) {
            if (k) buf_byte(out, ',');
            if (isfinite(x->numbers[k])) json_put_f64(out, x->numbers[k]);
            else json_put_str(out, x->values[k]);
        }
        buf_printf(out, "]}");
    }
    buf_printf(out, "]}");
}

static void put_times(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    buf_printf(out, ",\"times\":[");
    for (int32_t i = 0; i < o->instants; i++) {
        buf_printf(out, i ? ",\"" : "\"");
        time_print((int64_t)((uint64_t)h->begin_ns + (uint64_t)o->times[i]), 7, out);
        buf_byte(out, '"');
    }
    buf_byte(out, ']');
}

void ensemble_show(const EnsembleHead *h, const EnsembleOutcome *o, bool samples, Buf *out) {
    buf_printf(out, ",\"cases\":[");
    for (int32_t c = 0; c < o->case_count; c++) put_case(o, c, samples, out);
    buf_byte(out, ']');
    put_sweep(o, out);
    put_times(h, o, out);
    buf_printf(out, ",\"series\":[");
    for (int32_t i = 0; i < o->series_count; i++) {
        if (i) buf_byte(out, ',');
        put_series(o, &o->series[i], out);
    }
    buf_byte(out, ']');
}

// ---- as runs side by side -----------------------------------------------------------------------------------------

static void put_case_as_world(const EnsembleHead *h, const EnsembleCaseTold *c, Buf *out) {
    buf_printf(out, "{\"name\":");
    json_put_str(out, c->name);
    put_text(out, "purpose", c->world);
    buf_printf(out, ",\"state\":\"%s\"", ensemble_state_name(h->state));
    if (h->begin_ns) put_time(out, "begin", h->begin_ns);
    if (h->begin_ns) put_time(out, "until", h->begin_ns + h->for_ns);
    buf_printf(out, ",\"changes\":[");
    for (int32_t i = 0; i < c->told_count; i++) {
        if (i) buf_byte(out, ',');
        json_put_str(out, c->told[i]);
    }
    buf_printf(out, "],\"changeCount\":%d}", c->changes);
}

static const EnsembleSeries *series_of(const EnsembleOutcome *o, int32_t kpi) {
    for (int32_t i = 0; i < o->series_count; i++)
        if (o->series[i].kpi == kpi) return &o->series[i];
    return NULL;
}

static void put_band(const EnsembleOutcome *o, const float *v, const char *name, Buf *out) {
    buf_printf(out, ",\"%s\":[", name);
    for (int32_t i = 0; i < o->instants; i++) {
        if (i) buf_byte(out, ',');
        put_float(v[i], out);
    }
    buf_byte(out, ']');
}

// The replications' courses as a fan: the bands that half of them, 80 and 95 of 100 lie in.
static void put_fan(const EnsembleOutcome *o, const float *bands, Buf *out) {
    static const struct {
        const char *part;
        size_t low, high;
    } all[] = {{"0.5", BAND_P25, BAND_P75}, {"0.8", BAND_P10, BAND_P90}, {"0.95", BAND_P025, BAND_P975}};
    size_t n = (size_t)o->instants;
    if (!n || isnan(bands[BAND_P25 * n + n - 1])) return; // kept by a version that had none
    buf_printf(out, ",\"fan\":[");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        buf_printf(out, "%s{\"part\":%s", i ? "," : "", all[i].part);
        put_band(o, bands + all[i].low * n, "lows", out);
        put_band(o, bands + all[i].high * n, "highs", out);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void put_course(const EnsembleHead *h, const EnsembleOutcome *o, const EnsembleSeries *x, int32_t c, Buf *out) {
    if (!x) return;
    const float *bands = x->bands + (size_t)c * BANDS * (size_t)o->instants;
    put_times(h, o, out);
    put_band(o, bands + BAND_MEAN * (size_t)o->instants, "values", out);
    put_band(o, bands + BAND_P05 * (size_t)o->instants, "lows", out);
    put_band(o, bands + BAND_P95 * (size_t)o->instants, "highs", out);
    put_fan(o, bands, out);
}

static void put_value(const EnsembleHead *h, const EnsembleOutcome *o, int32_t kpi, int32_t c, Buf *out) {
    static const char *const verdicts[] = {"", "same", "unclear", "more", "less", "better", "worse"};
    const EnsembleKpi *k = &o->kpis[kpi];
    const EnsembleStat *x = &k->cases[c];
    double size = fabs(k->cases[0].mean);
    buf_printf(out, "%s{\"world\":", c ? "," : "");
    json_put_str(out, o->cases[c].name);
    put_number(out, "value", x->mean);
    put_number(out, "low", x->mean - x->half);
    put_number(out, "high", x->mean + x->half);
    if (c) {
        put_number(out, "difference", x->by);
        put_number(out, "differenceLow", x->by - x->by_half);
        put_number(out, "differenceHigh", x->by + x->by_half);
        put_number(out, "relative", size > 0 ? x->by / size : (double)NAN);
        EnsembleVerdict v = ensemble_verdict(k, c);
        if (v) buf_printf(out, ",\"verdict\":\"%s\"", verdicts[v]);
        else buf_printf(out, ",\"verdict\":null");
    }
    put_text(out, "error", k->why);
    put_course(h, o, series_of(o, kpi), c, out);
    buf_byte(out, '}');
}

static void put_note(const EnsembleHead *h, Buf *out) {
    Buf note = {0};
    buf_printf(&note, "%d replications%s; intervals of %g %%.", h->replications,
               ensemble_at_work(h->state) ? " so far" : "", 100 * h->level);
    json_put_str(out, buf_str(&note));
    buf_free(&note);
    if (!h->why.n) return;
    buf_byte(out, ',');
    json_put_str(out, h->why);
}

void ensemble_runs_show(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    buf_printf(out, "{\"title\":");
    json_put_str(out, h->title);
    buf_printf(out, ",\"sentence\":");
    json_put_str(out, h->sentence);
    buf_printf(out, ",\"worlds\":[");
    for (int32_t c = 0; o && c < o->case_count; c++) {
        if (c) buf_byte(out, ',');
        put_case_as_world(h, &o->cases[c], out);
    }
    buf_printf(out, "],\"kpis\":[");
    for (int32_t k = 0; o && k < o->kpi_count; k++) {
        if (k) buf_byte(out, ',');
        put_kpi_head(&o->kpis[k], out);
        buf_printf(out, ",\"values\":[");
        for (int32_t c = 0; c < o->case_count; c++) put_value(h, o, k, c, out);
        buf_printf(out, "]}");
    }
    buf_printf(out, "],\"notes\":[");
    put_note(h, out);
    buf_printf(out, "]}");
}
