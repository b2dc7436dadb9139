// SPDX-License-Identifier: Apache-2.0
// Sweeps: a case for every combination of values of some properties.
#include <math.h>
#include <stdio.h>
#include "base/time.h"
#include "codec/json.h"
#include "engine/ensemble.h"

static const char text[] =
    "a sweep is a list of {\"twin\",\"property\",\"values\":[...]}, or with \"from\", \"to\" and "
    "\"count\" or \"step\"; \"at\" and \"name\" may be said";

static Err wrong(Diag *d, const Json *at, const char *why) {
    return diag_add(d, ERR_ARGUMENT, at->at, -1, STR("sweep"), "%s", why);
}

static Err too_many(Diag *d, const Json *at) {
    return diag_add(d, ERR_LIMIT, at->at, -1, STR("sweep"), "at most %d cases can be tried at once",
                    ENSEMBLE_CASES_MAX);
}

static double number(const Json *v, const char *name) {
    const Json *m = json_get(v, str_of(name));
    return m && json_is_number(m) ? json_f64(m) : (double)NAN;
}

// Whole numbers stay whole: they may be those of an integer.
static const Json *number_json(Arena *a, double x) {
    Json *v = NEW(a, Json, 1);
    if (x == floor(x) && fabs(x) < 9e15) *v = (Json){.type = JSON_INT, .i = (int64_t)x};
    else *v = (Json){.type = JSON_DOUBLE, .d = x};
    Buf b = {0};
    if (v->type == JSON_INT) json_put_i64(&b, v->i);
    else json_put_f64(&b, v->d);
    v->raw = arena_str(a, buf_str(&b));
    buf_free(&b);
    return v;
}

// 0.3, where sums say 0.30000000000000004.
static double plain(double x) {
    char digits[40];
    double near = x;
    int n = snprintf(digits, sizeof digits, "%.12g", x);
    return str_to_f64((Str){digits, n}, &near) ? near : x;
}

// From ... to, both of them in it. Each value is made of its number: sums of steps would wander.
static Err range_of(Arena *a, const Json *v, EnsembleAxis *x, Diag *d) {
    double from = number(v, "from"), to = number(v, "to"), step = number(v, "step"), many = number(v, "count");
    bool stepped = !isnan(step);
    if (isnan(from) || isnan(to) || stepped == !isnan(many)) return wrong(d, v, text);
    if (step == 0) return wrong(d, v, "the step is zero: it leads nowhere");
    if (stepped) many = floor((to - from) / step + 1e-9) + 1;
    if (!(many >= 1) || many != floor(many)) return wrong(d, v, "the steps do not lead from \"from\" to \"to\"");
    if (many > ENSEMBLE_CASES_MAX) return too_many(d, v);
    x->count = (int32_t)many;
    x->values = NEW(a, const Json *, x->count);
    if (!stepped) step = x->count > 1 ? (to - from) / (x->count - 1) : 0;
    for (int32_t i = 0; i < x->count; i++) x->values[i] = number_json(a, plain(from + i * step));
    return ERR_OK;
}

static Err values_of(Arena *a, const Json *list, EnsembleAxis *x, Diag *d) {
    if (list->type != JSON_ARRAY || !list->count) return wrong(d, list, text);
    if (list->count > ENSEMBLE_CASES_MAX) return too_many(d, list);
    x->count = list->count;
    x->values = NEW(a, const Json *, x->count);
    for (int32_t i = 0; i < x->count; i++) {
        x->values[i] = &list->items[i];
        if (list->items[i].type == JSON_OBJECT || list->items[i].type == JSON_ARRAY)
            return wrong(d, &list->items[i], "values of a sweep are numbers, texts, truths or null");
    }
    return ERR_OK;
}

static bool known_member(Str key) {
    static const char *const names[] = {"twin", "property", "values", "from", "to", "count", "step", "at", "name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(key, str_of(names[i]))) return true;
    return false;
}

static bool text_in(Arena *a, const Json *v, const char *name, Str *out) {
    const Json *m = json_get(v, str_of(name));
    if (m && (m->type != JSON_STRING || !m->s.n)) return false;
    if (m) *out = arena_str(a, m->s);
    return true;
}

static Err axis_of(Arena *a, const Json *v, EnsembleAxis *x, Diag *d) {
    bool ok = v->type == JSON_OBJECT;
    for (int32_t i = 0; ok && i < v->count; i++) ok = known_member(v->members[i].key);
    ok = ok && text_in(a, v, "twin", &x->twin) && text_in(a, v, "property", &x->property);
    ok = ok && text_in(a, v, "name", &x->name) && x->twin.n && x->property.n;
    if (!ok) return wrong(d, v, text);
    const Json *at = json_get(v, STR("at")), *values = json_get(v, STR("values"));
    if (at && (at->type != JSON_STRING || !time_parse_period(at->s, &x->at_ns) || x->at_ns < 0))
        return wrong(d, at, "\"at\" is said as \"PT2H\"");
    if (!values) return range_of(a, v, x, d);
    if (json_get(v, STR("from")) || json_get(v, STR("count"))) return wrong(d, v, text);
    return values_of(a, values, x, d);
}

// ---- the grid -----------------------------------------------------------------------------------------------------

// What an axis is called: as short as tells it from the others.
static Str label_of(Arena *a, const EnsembleAsk *ask, int32_t which) {
    const EnsembleAxis *x = &ask->axes[which];
    if (x->name.n) return x->name;
    for (int32_t i = 0; i < ask->axis_count; i++)
        if (i != which && str_eq(ask->axes[i].property, x->property))
            return arena_printf(a, "%.*s.%.*s", STR_ARG(x->twin), STR_ARG(x->property));
    return x->property;
}

static void put_value(Buf *b, const Json *v) {
    if (v->type == JSON_STRING) buf_str_put(b, v->s);
    else json_put(b, v);
}

// at: which value of each axis. Changes of one instant keep the order of the axes.
static void case_at(Arena *a, const EnsembleAsk *ask, const int32_t *at, EnsembleCase *out) {
    Buf name = {0};
    out->changes = NEW(a, PlannedChange, ask->axis_count);
    for (int32_t i = 0; i < ask->axis_count; i++) {
        const EnsembleAxis *x = &ask->axes[i];
        int32_t to = out->change_count++;
        for (; to > 0 && out->changes[to - 1].at_ns > x->at_ns; to--) out->changes[to] = out->changes[to - 1];
        out->changes[to] = (PlannedChange){x->at_ns, x->twin, x->property, x->values[at[i]], i};
        buf_printf(&name, "%s%.*s = ", i ? ", " : "", STR_ARG(x->name));
        put_value(&name, x->values[at[i]]);
    }
    out->name = arena_str(a, buf_str(&name));
    buf_free(&name);
}

static void make_grid(Arena *a, EnsembleAsk *ask, int32_t cells) {
    EnsembleCase *all = NEW(a, EnsembleCase, ask->case_count + cells);
    int32_t at[ENSEMBLE_AXES_MAX] = {0};
    memcpy(all, ask->cases, (size_t)ask->case_count * sizeof *all);
    for (int32_t i = 0; i < cells; i++) {
        case_at(a, ask, at, &all[ask->case_count + i]);
        for (int32_t k = ask->axis_count - 1; k >= 0 && ++at[k] == ask->axes[k].count; k--) at[k] = 0;
    }
    ask->cases = all;
    ask->case_count += cells;
}

Err ensemble_sweep_of(Arena *a, const Json *v, EnsembleAsk *out, Diag *d) {
    if (v->type != JSON_ARRAY || !v->count) return wrong(d, v, text);
    if (v->count > ENSEMBLE_AXES_MAX)
        return diag_add(d, ERR_LIMIT, v->at, -1, STR("sweep"), "at most %d properties are swept at once",
                        ENSEMBLE_AXES_MAX);
    int64_t cells = 1;
    out->axes = NEW(a, EnsembleAxis, v->count);
    for (int32_t i = 0; i < v->count; i++) {
        TRY(axis_of(a, &v->items[i], &out->axes[i], d));
        cells *= out->axes[i].count; // at most 1,000 times 1,000 before it is looked at
        if (cells + out->case_count > ENSEMBLE_CASES_MAX) return too_many(d, v);
    }
    out->axis_count = v->count;
    Str labels[ENSEMBLE_AXES_MAX];
    for (int32_t i = 0; i < v->count; i++) labels[i] = label_of(a, out, i);
    for (int32_t i = 0; i < v->count; i++) out->axes[i].name = labels[i];
    make_grid(a, out, (int32_t)cells);
    return ERR_OK;
}
