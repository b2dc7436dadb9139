// SPDX-License-Identifier: Apache-2.0
#include "engine/history_agg.h"
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

// ---- what is asked for --------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    bool text, doc, means;
} kinds[AGG_KIND_COUNT] = {
    [AGG_AVG] = {"avg", false, false, true},        [AGG_MIN] = {"min", false, false, true},
    [AGG_MAX] = {"max", false, false, true},        [AGG_SUM] = {"sum", false, false, true},
    [AGG_COUNT] = {"count", true, true, true},      [AGG_FIRST] = {"first", true, true, true},
    [AGG_LAST] = {"last", true, true, true},        [AGG_TWA] = {"twa", false, false, true},
    [AGG_DELTA] = {"delta", false, false, false},   [AGG_RATE] = {"rate", false, false, false},
    [AGG_STDDEV] = {"stddev", false, false, false}, [AGG_VAR] = {"var", false, false, false},
    [AGG_MEDIAN] = {"median", false, false, false}, [AGG_PERCENTILE] = {"pNN", false, false, false},
    [AGG_RANGE] = {"range", false, false, true},    [AGG_MODE] = {"mode", true, false, false},
    [AGG_SHARE] = {"share", true, false, false},
};

bool agg_for_text(AggKind k) { return kinds[k].text; }
bool agg_for_doc(AggKind k) { return kinds[k].doc; }
bool agg_for_means(AggKind k) { return kinds[k].means; }

static bool parse_one(Str name, AggFn *out) {
    if (name.n > 1 && name.p[0] == 'p' && name.p[1] >= '0' && name.p[1] <= '9') {
        *out = (AggFn){.kind = AGG_PERCENTILE, .name = name};
        return str_to_f64(str_sub(name, 1, name.n), &out->p) && out->p <= 100;
    }
    for (int k = 0; k < AGG_KIND_COUNT; k++) {
        if (k == AGG_PERCENTILE || !str_eq(name, str_of(kinds[k].name))) continue;
        *out = (AggFn){.kind = (AggKind)k, .name = name, .p = 50};
        return true;
    }
    return false;
}

static Str lower(Str s, Arena *a) {
    char *p = NEW(a, char, s.n + 1);
    for (int64_t i = 0; i < s.n; i++) p[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]);
    return (Str){p, s.n};
}

Err agg_parse(Str text, Arena *a, AggPlan *out, Buf *why) {
    *out = (AggPlan){0};
    while (text.n) {
        Str name = lower(str_trim(str_cut(&text, ',')), a);
        if (out->count == AGG_FNS_MAX) {
            buf_printf(why, "fn takes at most %d functions", AGG_FNS_MAX);
            return ERR_LIMIT;
        }
        if (!parse_one(name, &out->fns[out->count])) {
            buf_printf(why,
                       "fn has no function \"%.*s\": it takes avg, min, max, sum, count, first, last, twa, delta, "
                       "rate, stddev, var, median, p0 to p100, range, mode and share, with commas between several",
                       STR_ARG(name));
            return ERR_ARGUMENT;
        }
        for (int32_t i = 0; i < out->count; i++) {
            if (!str_eq(out->fns[i].name, name)) continue;
            buf_printf(why, "fn names %.*s twice", STR_ARG(name));
            return ERR_ARGUMENT;
        }
        out->count++;
    }
    return ERR_OK;
}

// ---- the interval at hand -----------------------------------------------------------------------------------------

typedef struct Sum {
    double sum, rest;
} Sum;

static void sum_add(Sum *s, double x) {
    double t = s->sum + x;
    if (fabs(s->sum) >= fabs(x)) s->rest += (s->sum - t) + x;
    else s->rest += (x - t) + s->sum;
    s->sum = t;
}

// Not when it ran over: inf - inf would make NaN of it.
static double sum_get(const Sum *s) { return isfinite(s->sum) ? s->sum + s->rest : s->sum; }

// A value with memory for its text.
typedef struct Held {
    AggValue v;
    Buf text;
} Held;

static void held_set(Held *h, const AggValue *v) {
    h->v = *v;
    if (v->type != AGG_TEXT && v->type != AGG_DOC) return;
    if (v->s.p != h->text.p) {
        buf_reset(&h->text);
        buf_str_put(&h->text, v->s);
    }
    h->v.s = buf_str(&h->text);
}

typedef struct State {
    AggValue v;
    int64_t count;
    double ns;
} State;

struct Agg {
    const AggPlan *plan;
    bool wants_values, wants_states;
    Held standing; // what stands now,
    double level;  // but until level_to the mean of what was let go does
    int64_t level_to;
    int64_t at;     // up to here its time was counted
    bool counting;  // there was a number the next increase counts from
    double counter; // that number
    // of the interval
    int64_t from, count, numbers;
    Held first, last;
    int64_t first_at, last_at;
    AggValue min, max; // numbers
    Sum sum, delta, area;
    double covered; // ns that a number stood
    double mean, m2;
    double *values;
    int64_t value_count, value_cap;
    bool sorted;
    Arena keep; // of states
    Map index;
    State *states;
    int32_t state_count, state_cap;
};

Agg *agg_new(const AggPlan *plan) {
    Agg *a = mem_alloc(sizeof *a);
    a->plan = plan;
    arena_init(&a->keep, 4096);
    for (int32_t i = 0; i < plan->count; i++) {
        AggKind k = plan->fns[i].kind;
        a->wants_values = a->wants_values || k == AGG_MEDIAN || k == AGG_PERCENTILE;
        a->wants_states = a->wants_states || k == AGG_MODE || k == AGG_SHARE;
    }
    return a;
}

void agg_free(Agg *a) {
    if (!a) return;
    buf_free(&a->standing.text);
    buf_free(&a->first.text);
    buf_free(&a->last.text);
    mem_free(a->values);
    mem_free(a->states);
    map_free(&a->index);
    arena_free(&a->keep);
    mem_free(a);
}

double agg_number(const AggValue *v) {
    if (v->type == AGG_REAL) return v->d;
    return v->type == AGG_INT || v->type == AGG_BOOL ? (double)v->i : (double)NAN;
}

void agg_reset(Agg *a, const AggValue *standing) {
    held_set(&a->standing, standing);
    a->counter = agg_number(standing);
    a->counting = !isnan(a->counter);
    a->level_to = INT64_MIN;
}

void agg_begin(Agg *a, int64_t from) {
    a->from = a->at = from;
    a->count = a->numbers = a->value_count = 0;
    a->first.v = a->last.v = a->min = a->max = (AggValue){0};
    a->sum = a->delta = a->area = (Sum){0};
    a->covered = a->mean = a->m2 = 0;
    a->sorted = false;
    a->state_count = 0;
    map_free(&a->index);
    arena_reset(&a->keep);
}

int64_t agg_count(const Agg *a) { return a->count; }
AggValue agg_standing(const Agg *a) { return a->standing.v; }

static Str state_key(const AggValue *v, char room[32]) {
    if (v->type == AGG_TEXT) return v->s;
    memset(room, 0, 32);
    room[0] = (char)v->type; // no text begins with it and has these bytes: texts and others do not meet in a property
    memcpy(room + 1, v->type == AGG_REAL ? (const void *)&v->d : (const void *)&v->i, 8);
    return (Str){room, 9};
}

// The state of a value, made when it is new; NULL: there are too many.
static State *state_of(Agg *a, const AggValue *v) {
    char room[32];
    int64_t at;
    Str key = state_key(v, room);
    if (map_get(&a->index, key, &at)) return &a->states[at];
    if (a->state_count == AGG_STATES_MAX) return NULL;
    if (a->state_count == a->state_cap) {
        a->state_cap = a->state_cap ? 2 * a->state_cap : 16;
        a->states = mem_grow(a->states, (size_t)a->state_cap * sizeof *a->states);
    }
    key = arena_str(&a->keep, key);
    State *s = &a->states[a->state_count];
    *s = (State){.v = *v};
    if (v->type == AGG_TEXT) s->v.s = key;
    map_put(&a->index, key, a->state_count++);
    return s;
}

// They may lie further apart than an int64_t counts.
static double ns_between(int64_t from, int64_t to) { return to > from ? (double)((uint64_t)to - (uint64_t)from) : 0; }

static void stand_at(Agg *a, double x, double ns) {
    if (isnan(x) || ns <= 0) return;
    sum_add(&a->area, x * ns);
    a->covered += ns;
}

// What stands has stood until `to`.
static Err stand(Agg *a, int64_t to) {
    if (to <= a->at) return ERR_OK;
    int64_t turn = a->level_to < a->at ? a->at : a->level_to < to ? a->level_to : to;
    double ns = ns_between(a->at, to);
    stand_at(a, a->level, ns_between(a->at, turn));
    stand_at(a, agg_number(&a->standing.v), ns_between(turn, to));
    a->at = to;
    if (!a->wants_states || a->standing.v.type == AGG_NONE) return ERR_OK;
    State *s = state_of(a, &a->standing.v);
    if (!s) return ERR_LIMIT;
    s->ns += ns;
    return ERR_OK;
}

static bool less(const AggValue *a, const AggValue *b) {
    return a->type == AGG_REAL || b->type == AGG_REAL ? agg_number(a) < agg_number(b) : a->i < b->i;
}

static void count_up(Agg *a, double x) {
    if (a->counting) sum_add(&a->delta, x >= a->counter ? x - a->counter : x);
    a->counter = x;
    a->counting = true;
}

static Err keep_value(Agg *a, double x) {
    if (a->value_count == AGG_VALUES_MAX) return ERR_LIMIT;
    if (a->value_count == a->value_cap) {
        a->value_cap = a->value_cap ? 2 * a->value_cap : 1024;
        a->values = mem_grow(a->values, (size_t)a->value_cap * sizeof *a->values);
    }
    a->values[a->value_count++] = x;
    return ERR_OK;
}

static Err add_number(Agg *a, const AggValue *v, double x) {
    a->numbers++;
    if (a->min.type == AGG_NONE || less(v, &a->min)) a->min = *v;
    if (a->max.type == AGG_NONE || less(&a->max, v)) a->max = *v;
    sum_add(&a->sum, x);
    double d = x - a->mean;
    a->mean += d / (double)a->numbers;
    a->m2 += d * (x - a->mean);
    count_up(a, x);
    return a->wants_values ? keep_value(a, x) : ERR_OK;
}

Err agg_add(Agg *a, int64_t time, const AggValue *v) {
    double x = agg_number(v);
    if (v->type == AGG_REAL && isnan(x)) return ERR_OK;
    TRY(stand(a, time));
    held_set(&a->standing, v);
    a->level_to = INT64_MIN;
    if (v->type == AGG_NONE) {
        a->counting = false;
        return ERR_OK;
    }
    if (!a->count++) {
        held_set(&a->first, v);
        a->first_at = time;
    }
    held_set(&a->last, v);
    a->last_at = time;
    if (!isnan(x)) TRY(add_number(a, v, x));
    if (!a->wants_states) return ERR_OK;
    State *s = state_of(a, v);
    if (!s) return ERR_LIMIT;
    s->count++;
    return ERR_OK;
}

void agg_stand_mean(Agg *a, const AggMean *m) {
    held_set(&a->standing, &(AggValue){.type = AGG_REAL, .d = m->last});
    a->level = m->mean;
    a->level_to = m->until;
    a->counting = false;
}

Err agg_add_mean(Agg *a, const AggMean *m) {
    for (int32_t i = 0; i < a->plan->count; i++)
        if (!agg_for_means(a->plan->fns[i].kind)) return ERR_PAST_GONE;
    AggValue first = {.type = AGG_REAL, .d = m->first}, last = {.type = AGG_REAL, .d = m->last};
    AggValue min = {.type = AGG_REAL, .d = m->min}, max = {.type = AGG_REAL, .d = m->max};
    if (m->count <= 0) return ERR_OK;
    TRY(stand(a, m->time));
    agg_stand_mean(a, m);
    if (!a->count || m->time < a->first_at) {
        held_set(&a->first, &first);
        a->first_at = m->time;
    }
    if (!a->count || m->time >= a->last_at) {
        held_set(&a->last, &last);
        a->last_at = m->time;
    }
    if (a->min.type == AGG_NONE || less(&min, &a->min)) a->min = min;
    if (a->max.type == AGG_NONE || less(&a->max, &max)) a->max = max;
    a->count += m->count;
    a->numbers += m->count;
    sum_add(&a->sum, m->mean * (double)m->count);
    return ERR_OK;
}

// ---- the answers --------------------------------------------------------------------------------------------------

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static AggValue real(double d) { return (AggValue){.type = isnan(d) ? AGG_NONE : AGG_REAL, .d = d}; }

static AggValue percentile(Agg *a, double p) {
    if (!a->value_count) return (AggValue){0};
    if (!a->sorted) qsort(a->values, (size_t)a->value_count, sizeof *a->values, by_value);
    a->sorted = true;
    double rank = p / 100 * (double)(a->value_count - 1), low = floor(rank);
    int64_t i = (int64_t)low;
    if (i + 1 >= a->value_count) return real(a->values[a->value_count - 1]);
    return real(a->values[i] + (rank - low) * (a->values[i + 1] - a->values[i]));
}

static AggValue copy(const AggValue *v, Arena *keep) {
    AggValue out = *v;
    if (v->type == AGG_TEXT || v->type == AGG_DOC) out.s = arena_str(keep, v->s);
    return out;
}

// The most frequent; of several the one that came first.
static AggValue mode(const Agg *a, Arena *keep) {
    const State *best = NULL;
    for (int32_t i = 0; i < a->state_count; i++)
        if (a->states[i].count > (best ? best->count : 0)) best = &a->states[i];
    return best ? copy(&best->v, keep) : (AggValue){0};
}

static void put_key(Buf *b, const AggValue *v) {
    Buf text = {0};
    if (v->type == AGG_TEXT) buf_str_put(&text, v->s);
    else if (v->type == AGG_BOOL) buf_str_put(&text, v->i ? STR("true") : STR("false"));
    else if (v->type == AGG_INT) json_put_i64(&text, v->i);
    else json_put_f64(&text, v->d);
    json_put_str(b, buf_str(&text));
    buf_free(&text);
}

// {"running":0.75,"idle":0.25}: of the time that any value stood.
static AggValue share(const Agg *a, Arena *keep) {
    double all = 0;
    for (int32_t i = 0; i < a->state_count; i++) all += a->states[i].ns;
    if (all <= 0) return (AggValue){0};
    Buf b = {0};
    buf_byte(&b, '{');
    for (int32_t i = 0; i < a->state_count; i++) {
        if (a->states[i].ns <= 0) continue;
        if (b.n > 1) buf_byte(&b, ',');
        put_key(&b, &a->states[i].v);
        buf_byte(&b, ':');
        json_put_f64(&b, a->states[i].ns / all);
    }
    buf_byte(&b, '}');
    AggValue out = {.type = AGG_DOC, .s = arena_str(keep, buf_str(&b))};
    buf_free(&b);
    return out;
}

static AggValue range(const Agg *a) {
    if (!a->numbers) return (AggValue){0};
    int64_t i;
    bool whole = a->min.type == AGG_INT && a->max.type == AGG_INT;
    if (whole && !__builtin_sub_overflow(a->max.i, a->min.i, &i)) return (AggValue){.type = AGG_INT, .i = i};
    return real(agg_number(&a->max) - agg_number(&a->min));
}

static AggValue spread(const Agg *a, bool root) {
    if (a->numbers < 2) return (AggValue){0};
    double var = a->m2 / (double)(a->numbers - 1);
    return real(root ? sqrt(var) : var);
}

static AggValue result(Agg *a, const AggFn *f, int64_t to, Arena *keep) {
    double n = (double)a->numbers, s = ns_between(a->from, to) / (double)NS_PER_S;
    switch (f->kind) {
    case AGG_AVG: return n > 0 ? real(sum_get(&a->sum) / n) : (AggValue){0};
    case AGG_MIN: return a->min;
    case AGG_MAX: return a->max;
    case AGG_SUM: return n > 0 ? real(sum_get(&a->sum)) : (AggValue){0};
    case AGG_COUNT: return (AggValue){.type = AGG_INT, .i = a->count};
    case AGG_FIRST: return copy(&a->first.v, keep);
    case AGG_LAST: return copy(&a->last.v, keep);
    case AGG_TWA: return a->covered > 0 ? real(sum_get(&a->area) / a->covered) : (AggValue){0};
    case AGG_DELTA: return n > 0 ? real(sum_get(&a->delta)) : (AggValue){0};
    case AGG_RATE: return n > 0 && s > 0 ? real(sum_get(&a->delta) / s) : (AggValue){0};
    case AGG_STDDEV: return spread(a, true);
    case AGG_VAR: return spread(a, false);
    case AGG_MEDIAN:
    case AGG_PERCENTILE: return percentile(a, f->p);
    case AGG_RANGE: return range(a);
    case AGG_MODE: return mode(a, keep);
    case AGG_SHARE: return share(a, keep);
    case AGG_KIND_COUNT: break;
    }
    CHECK(!"a function");
    return (AggValue){0};
}

void agg_end(Agg *a, int64_t to, Arena *keep, AggValue *out) {
    Err full = stand(a, to); // one state too many: it is left out of share
    (void)full;
    for (int32_t i = 0; i < a->plan->count; i++) out[i] = result(a, &a->plan->fns[i], to, keep);
}
