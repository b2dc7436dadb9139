// SPDX-License-Identifier: Apache-2.0
// The page of intervals: [align + k step, align + (k + 1) step) of each property, or one over all of the time asked.
// A property is read once from where the page begins, its intervals are told one by one as points pass, those without a
// value as `fill` says. The interval that the end of time cuts ends there, that of now ends now.
#include "engine/history_ask.h"
#include <math.h>
#include "base/time.h"

typedef struct Stepping {
    HistAsk *x;
    const HistProp *p;
    uint64_t prop;
    Agg *agg;
    int64_t align, step; // step 0: one interval
    int64_t end;         // of all of them
    int64_t at, until;   // the interval at hand
    bool open, full;     // full: the page needs no more of this property
    bool unborn;         // the first value tells where the first interval begins
    bool known;          // a value stands, since known_time
    int64_t known_time;
    int64_t seen_time; // of the newest point
    Err err;
} Stepping;

// Unsigned, as two times may lie further apart than an int64_t counts; before the first time there is, the first.
static int64_t floor_to(int64_t t, int64_t align, int64_t step) {
    uint64_t n = (uint64_t)step;
    if (t >= align) return (int64_t)((uint64_t)t - ((uint64_t)t - (uint64_t)align) % n);
    uint64_t over = ((uint64_t)align - (uint64_t)t) % n, back = over ? n - over : 0;
    return back > (uint64_t)t - (uint64_t)INT64_MIN ? INT64_MIN : (int64_t)((uint64_t)t - back);
}

static int64_t end_of(const Stepping *s, int64_t at) {
    int64_t until;
    if (!s->step || __builtin_add_overflow(at, s->step, &until) || until > s->end) return s->end;
    return until;
}

static HistKey key_of(const Stepping *s, int64_t at) { return (HistKey){.time = at, .prop = s->prop}; }

// Before the page: false, but it goes on. Behind it: false and full.
static bool wanted(Stepping *s, int64_t at) {
    HistKey k = key_of(s, at);
    if (hist_page_wants(s->x, &k)) return true;
    bool before = s->x->resumed && hist_key_cmp(&s->x->page, &k, &s->x->at) < 0;
    if (!before && !s->x->page.descending) s->full = true;
    return false;
}

static void put(Stepping *s, int64_t at, AggValue *results) {
    HistRow row = {.key = key_of(s, at), .kind = HIST_INTERVAL, .own = at, .results = results};
    hist_page_put(s->x, &row);
}

// Values stand until now, not longer.
static int64_t known_to(const Stepping *s, int64_t until) {
    int64_t now = s->x->now > s->seen_time ? s->x->now : s->seen_time;
    if (until > now) until = now;
    return until > s->at ? until : s->at;
}

// ---- intervals without values ------------------------------------------------------------------------------------

// Functions that say what a value is like: they are filled; counts and sums are not.
static bool is_filled(AggKind k) {
    switch (k) {
    case AGG_AVG:
    case AGG_MIN:
    case AGG_MAX:
    case AGG_FIRST:
    case AGG_LAST:
    case AGG_MEDIAN:
    case AGG_PERCENTILE:
    case AGG_MODE: return true;
    default: return false;
    }
}

// What stood at the begin of the interval, or lies between the values around it.
static AggValue filling(const Stepping *s, int64_t at, const AggValue *standing, const int64_t *next_time,
                        const AggValue *next) {
    if (s->x->fill == FILL_PREVIOUS) return *standing;
    double a = agg_number(standing), b = next ? agg_number(next) : (double)NAN;
    if (s->x->fill != FILL_LINEAR || isnan(a) || isnan(b) || !s->known) return (AggValue){0};
    double share = ((double)at - (double)s->known_time) / ((double)*next_time - (double)s->known_time);
    return (AggValue){.type = AGG_REAL, .d = a + (b - a) * share};
}

static AggValue kept(Stepping *s, AggValue v) {
    if (v.type == AGG_TEXT || v.type == AGG_DOC) v.s = arena_str(&s->x->arena, v.s);
    return v;
}

static void put_empty(Stepping *s, int64_t at, const int64_t *next_time, const AggValue *next) {
    HistAsk *x = s->x;
    AggValue standing = agg_standing(s->agg), *out = NEW(&x->arena, AggValue, x->plan.count);
    bool shown = wanted(s, at);
    if (!shown && s->full) return;
    s->at = at;
    agg_begin(s->agg, at);
    agg_end(s->agg, known_to(s, end_of(s, at)), &x->arena, out); // what weighs by time knows what stood
    if (!shown) return;
    AggValue v = kept(s, filling(s, at, &standing, next_time, next));
    for (int32_t i = 0; i < x->plan.count; i++)
        if (is_filled(x->plan.fns[i].kind)) out[i] = v;
    put(s, at, out);
}

// Tell the intervals [from, to) that have no value.
static void put_gap(Stepping *s, int64_t from, int64_t to, const int64_t *next_time, const AggValue *next) {
    if (s->x->fill == FILL_NONE || !s->step) return;
    for (int64_t at = from; at < to && !s->full && hist_go_on(s->x); at = end_of(s, at)) {
        put_empty(s, at, next_time, next);
        if (end_of(s, at) >= s->end) return;
    }
}

// ---- intervals with values ----------------------------------------------------------------------------------------

static void close_interval(Stepping *s) {
    HistAsk *x = s->x;
    if (!s->open) return;
    s->open = false;
    AggValue *out = NEW(&x->arena, AggValue, x->plan.count);
    agg_end(s->agg, known_to(s, s->until), &x->arena, out);
    bool any = agg_count(s->agg) > 0 || !s->step;
    if (!any && x->fill == FILL_NONE) return;
    if (!any) { // it was cleared in it, nothing else
        AggValue standing = agg_standing(s->agg), v = kept(s, filling(s, s->at, &standing, NULL, NULL));
        for (int32_t i = 0; i < x->plan.count; i++)
            if (is_filled(x->plan.fns[i].kind)) out[i] = v;
    }
    if (wanted(s, s->at)) put(s, s->at, out);
}

// The interval of a time is the one at hand. next: the value that brought us there.
static void move_to(Stepping *s, int64_t time, const AggValue *next) {
    if (s->open && time < s->until) return;
    if (s->unborn) s->at = s->step ? floor_to(time, s->align, s->step) : time;
    s->unborn = false;
    int64_t after = s->open ? s->until : s->at;
    close_interval(s);
    int64_t at = s->step ? floor_to(time, s->align, s->step) : s->at;
    put_gap(s, after, at, &time, next);
    s->at = at < after ? after : at;
    s->until = end_of(s, s->at);
    if (s->full) return;
    agg_begin(s->agg, s->at);
    s->open = true;
}

static void see(Stepping *s, const HistPoint *p) {
    s->known = p->value.type != AGG_NONE;
    s->known_time = s->seen_time = p->time;
}

static Err refuse(Stepping *s, Err err) {
    HistAsk *x = s->x;
    if (err == ERR_PAST_GONE) {
        Buf t = {0};
        time_print(x->kept_from, 0, &t);
        hist_fail(x, ERR_PAST_GONE,
                  "fn: single values of \"%.*s\" from before %.*s were let go, and avg, twa, min, max, sum, count, "
                  "first, last and range are all that can be told of them: ask for those, or from a later time on",
                  STR_ARG(s->p->path), STR_ARG(buf_str(&t)));
        buf_free(&t);
        return err;
    }
    return hist_fail(x, err,
                     "fn: an interval of \"%.*s\" has more than %lld values (for pNN, median) or %d states (for mode, "
                     "share): take a shorter step",
                     STR_ARG(s->p->path), (long long)AGG_VALUES_MAX, AGG_STATES_MAX);
}

static bool on_point(void *ctx, const HistPoint *p) {
    Stepping *s = ctx;
    Err err;
    move_to(s, p->time, p->mean ? NULL : &p->value);
    if (s->full) return false;
    if (p->mean) {
        AggMean m = {.time = p->mean->time,
                     .until = p->mean->time + p->mean->step_ns,
                     .min = p->mean->min,
                     .max = p->mean->max,
                     .mean = p->mean->mean,
                     .first = p->mean->first,
                     .last = p->mean->last,
                     .count = p->mean->count};
        err = agg_add_mean(s->agg, &m);
    } else {
        err = agg_add(s->agg, p->time, &p->value);
    }
    see(s, p);
    if (err) s->err = refuse(s, err);
    return !err;
}

// ---- one property -------------------------------------------------------------------------------------------------

// What stands before the first interval.
static Err seek(Stepping *s, int64_t from) {
    AggValue v = {0};
    bool found;
    TRY(hist_before(s->x, s->p, from, &s->known_time, &v, &found));
    s->known = found;
    agg_reset(s->agg, &v);
    return ERR_OK;
}

// The first value behind the last interval, for lines to it.
typedef struct After {
    bool found;
    int64_t time;
    AggValue v;
    HistAsk *x;
} After;

static bool on_after(void *ctx, const HistPoint *p) {
    After *a = ctx;
    a->found = p->value.type != AGG_NONE;
    a->time = p->time;
    a->v = p->value;
    if (a->v.type == AGG_TEXT || a->v.type == AGG_DOC) a->v.s = (Str){0};
    return false;
}

static Err finish(Stepping *s, int64_t to) {
    After a = {.x = s->x};
    int64_t after = s->open ? s->until : s->at;
    close_interval(s);
    if (s->full || s->x->fill == FILL_NONE || !s->step || s->unborn) return ERR_OK;
    if (s->x->fill == FILL_LINEAR) TRY(hist_each(s->x, s->p, to, INT64_MAX, on_after, &a));
    put_gap(s, after, to, &a.time, a.found ? &a.v : NULL);
    return ERR_OK;
}

// Intervals of one property that begin in [from, to).
static Err step_prop(HistAsk *x, int32_t i, int64_t from, int64_t to, int64_t align, int64_t end) {
    Stepping s = {.x = x, .p = &x->props[i], .prop = (uint64_t)i, .align = align, .step = x->h->step_ns, .end = end};
    int64_t first = from;
    bool found = true, whole = from == INT64_MIN;
    if (x->from == INT64_MIN && !whole && x->fill != FILL_NONE) TRY(hist_first(x, s.p, INT64_MIN, &first, &found));
    if (!found || first >= to) return ERR_OK;
    if (first < from) first = from;
    s.agg = agg_new(&x->plan);
    s.unborn = whole;
    if (!whole) s.at = s.step ? floor_to(first, align, s.step) : first;
    if (s.at < from) s.at = from;
    Err err = whole ? ERR_OK : seek(&s, s.at); // before the first value there was none
    if (!err && !s.step && !whole) move_to(&s, s.at, NULL);
    if (!err) err = hist_each(x, s.p, whole ? from : s.at, to, on_point, &s);
    if (!err) err = s.err;
    if (!err) err = finish(&s, to);
    agg_free(s.agg);
    return err;
}

static Err step_props(HistAsk *x, int64_t from, int64_t to, int64_t align, int64_t end) {
    for (int32_t i = 0; i < x->prop_count; i++) {
        TRY(step_prop(x, i, from, to, align, end));
        if (x->page.count > x->page.limit) hist_page_settle(&x->page);
    }
    hist_page_settle(&x->page);
    return x->stopped ? ERR_CLOSED : ERR_OK;
}

// ---- all ----------------------------------------------------------------------------------------------------------

// Where intervals end when no end was asked for: now, or behind the newest value when that is of the future. When only
// those with values are told, from the oldest on, they tell it.
static Err find_end(HistAsk *x, int64_t *end) {
    *end = x->to;
    bool told = x->fill == FILL_NONE && !(x->page.descending && x->h->step_ns);
    if (x->to != INT64_MAX || told) return ERR_OK;
    *end = x->now + 1;
    for (int32_t i = 0; i < x->prop_count; i++) {
        int64_t time;
        bool found;
        TRY(hist_newest(x, &x->props[i], &time, &found));
        if (found && time >= *end) *end = time + 1;
    }
    return ERR_OK;
}

static Err find_start(HistAsk *x, int64_t *from) {
    *from = x->from;
    if (x->from != INT64_MIN) return ERR_OK;
    *from = INT64_MAX;
    for (int32_t i = 0; i < x->prop_count; i++) {
        int64_t time;
        bool found;
        TRY(hist_first(x, &x->props[i], INT64_MIN, &time, &found));
        if (found && time < *from) *from = time;
    }
    return ERR_OK;
}

// Intervals from the newest on, in stretches that grow.
static Err steps_back(HistAsk *x, int64_t from, int64_t align, int64_t end) {
    int64_t step = x->h->step_ns, n = x->page.limit / (x->prop_count ? x->prop_count : 1) + 2;
    int64_t high = x->resumed ? x->at.time + step : end, low = floor_to(high - 1, align, step);
    if (high > end) high = end;
    while (high > from) {
        int64_t width;
        if (__builtin_mul_overflow(n, step, &width) || __builtin_sub_overflow(low, width, &low) || low < from)
            low = floor_to(from, align, step) < from ? from : floor_to(from, align, step);
        TRY(step_props(x, low, high, align, end));
        if (x->page.bounded) break;
        high = low;
        n = n > INT64_MAX / 4 ? n : 4 * n;
    }
    return ERR_OK;
}

Err hist_steps(HistAsk *x) {
    int64_t end, from = x->from, align = x->from == INT64_MIN ? 0 : x->from;
    TRY(find_end(x, &end));
    if (!x->h->step_ns) return step_props(x, from, end, align, end);
    if (x->page.descending) {
        TRY(find_start(x, &from));
        if (from >= end) return ERR_OK;
        return steps_back(x, x->from == INT64_MIN ? floor_to(from, align, x->h->step_ns) : from, align, end);
    }
    if (x->resumed && x->at.time > from) from = x->at.time;
    return step_props(x, from, end, align, end);
}
