// SPDX-License-Identifier: Apache-2.0
#include "engine/expr_past.h"
#include <math.h>
#include "base/check.h"
#include "base/time.h"
#include "engine/past_means.h"
#include "engine/places.h"
#include "engine/scenarios.h"
#include "world/past.h"

// One reading of a cell.
typedef struct Reading {
    const ExprReach *r;
    uint64_t lane, seq; // newest batch that counts
    int64_t born;       // arrival from which on the row is this twin's
    bool (*fn)(void *arg, const ExprMoment *m);
    void *arg;
    bool stopped;
    bool waits;      // `next` does
    ExprMoment next; //
    Arena *keep;     // of its text
    char *text;
    int64_t room;
    const Field *field;
    PastMeans means;
    int64_t mean; // next to be told
} Reading;

static bool tell(Reading *x, const ExprMoment *m) {
    x->stopped = !x->fn(x->arg, m);
    return !x->stopped;
}

static bool is_value(uint8_t kind) { return kind == HPOINT_PUT || kind == HPOINT_LATE || kind == HPOINT_MOVED; }

static ExprMoment moment_of(const HistoryPoint *p, int64_t time) {
    return (ExprMoment){.time = time, .valid = is_value(p->kind), .bits = p->bits, .text = p->text};
}

static bool counts(const Reading *x, const HistoryPoint *p) { return p->seq <= x->seq && p->arrival >= x->born; }

// A number as a cell of the field.
static uint64_t bits_as(const Field *f, double d) {
    if (f->cell == CELL_I64) return (uint64_t)llrint(d);
    return f->cell == CELL_BOOL ? d != 0 : bits_of(d);
}

static bool tell_mean(Reading *x, int64_t time, const ExprMean *mean) {
    ExprMoment m = {.time = time, .valid = true, .bits = bits_as(x->field, mean->last), .mean = mean};
    return tell(x, &m);
}

// Means that begin up to `until`.
static bool tell_means(Reading *x, int64_t until) {
    for (bool go = true; x->mean < x->means.count && x->means.items[x->mean].from <= until; x->mean++) {
        const ExprMean *m = &x->means.items[x->mean];
        go = tell_mean(x, m->from, m);
        if (!go) return false;
    }
    return true;
}

// What waits, now that no other of its time can come.
static bool let_out(Reading *x) {
    if (!x->waits) return true;
    x->waits = false;
    return tell_means(x, x->next.time) && tell(x, &x->next);
}

// Of one time the one that came last counts, so each waits for the next.
static bool take(void *ctx, const HistoryPoint *p) {
    Reading *x = ctx;
    if (p->kind == HPOINT_SOURCE || p->kind == HPOINT_MOVED || !counts(x, p)) return true;
    if (x->waits && x->next.time != p->time && !let_out(x)) return false;
    x->next = moment_of(p, p->time);
    if (p->text.n > x->room) {
        x->room = 2 * p->text.n;
        x->text = NEW(x->keep, char, x->room);
    }
    if (p->text.n) memcpy(x->text, p->text.p, (size_t)p->text.n);
    x->next.text.p = x->text;
    x->waits = true;
    return true;
}

// ---- since when the row is the twin's -------------------------------------------------------------------------------

typedef struct Standing {
    uint32_t table;
    uint64_t row;
    TwinPlace at; // the newest place there
} Standing;

static bool take_place(void *ctx, const TwinPlace *p) {
    Standing *x = ctx;
    if (p->table == x->table && p->row == x->row) x->at = *p;
    return true;
}

static bool table_of(const Catalog *c, uint32_t column, uint32_t *table) {
    int32_t owner = column < VECNO_COLUMNS || column >= c->next_vec ? -1 : c->owner[column - VECNO_COLUMNS];
    *table = (uint32_t)owner;
    return owner >= 0;
}

// The place that the reach is of; false: it is a relationship's, whose row is never used again. Of a twin that history
// does not know nothing is told.
static Err place_of(History *h, const View *v, const ExprReach *r, TwinPlace *out, bool *some) {
    Standing x = {.row = r->row, .at = {.from = INT64_MAX}};
    *some = r->kind == EXPR_TWIN && table_of(v->catalog, r->column, &x.table);
    if (!*some) return ERR_OK;
    TRY(engine_twin_places(h, r->id, take_place, &x));
    *out = x.at;
    out->table = x.table;
    out->row = x.row;
    return ERR_OK;
}

// ---- what stood at the start ----------------------------------------------------------------------------------------

typedef struct Stood {
    Reading *x;
    Arena *keep;
    HistoryPoint p;
    bool some;
} Stood;

static bool take_stood(void *ctx, const HistoryPoint *p) {
    Stood *s = ctx;
    if (p->kind == HPOINT_SOURCE || !counts(s->x, p)) return true;
    s->p = *p;
    s->p.text = arena_str(s->keep, p->text);
    s->some = true;
    return true;
}

// The newest one that counts among those up to `from`. Rarely needed: what came later than the view was late, or whose
// the row was before has the newest.
static Err look_back(History *h, Stood *s) {
    const ExprReach *r = s->x->r;
    for (int64_t back = 3600 * NS_PER_S;; back *= 16) {
        int64_t from = INT64_MIN;
        bool all = __builtin_sub_overflow(r->from, back, &from) || back > INT64_MAX / 32;
        HistorySeries series = {
            .lane = s->x->lane, .row = r->row, .from = all ? INT64_MIN : from, .to = r->from + 1, .everything = true};
        TRY(history_series(h, &series, take_stood, s));
        if (s->some || all) return ERR_OK;
    }
}

// What stood is in no point: a mean that began before goes on, or its last value stands.
static void tell_standing(Reading *x) {
    const ExprMean *m = &x->means.standing;
    if (m->to > x->r->from + 1) tell_mean(x, x->r->from, m);
    else tell(x, &(ExprMoment){.time = x->r->from, .valid = true, .bits = bits_as(x->field, m->last)});
}

static Err stood(History *h, Reading *x) {
    Stood s = {.x = x, .keep = x->keep};
    Err err = history_last(h, x->lane, &x->r->row, 1, x->r->from, x->keep, &s.p);
    s.some = !err && s.p.kind && counts(x, &s.p);
    if (!err && s.p.kind && !s.some) err = look_back(h, &s);
    if (err) return err;
    const ExprMean lost = {.from = x->r->from, .to = x->means.gone.time + 1};
    if (past_means_lost(&x->means, x->r->from)) {
        if (!tell_mean(x, x->r->from, &lost)) return ERR_OK;
    }
    if (x->means.stood && (!s.some || s.p.time < x->means.standing.from)) {
        tell_standing(x);
    } else if (s.some && is_value(s.p.kind)) {
        ExprMoment m = moment_of(&s.p, x->r->from);
        tell(x, &m);
    }
    return ERR_OK;
}

// ---- all of it ------------------------------------------------------------------------------------------------------

static Err read_all(EnginePast *p, Reading *x) {
    const ExprReach *r = x->r;
    TRY(stood(p->history, x));
    HistorySeries s = {.lane = x->lane, .row = r->row, .from = r->from + 1, .to = r->to + 1, .everything = true};
    if (!x->stopped && r->to > r->from) TRY(history_series(p->history, &s, take, x));
    if (!x->stopped && let_out(x)) tell_means(x, r->to);
    return ERR_OK;
}

static Err moments(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    EnginePast *p = ctx;
    Reading x = {.r = r, .lane = trail_lane(r->column, 0), .seq = v->seq, .fn = fn, .arg = arg};
    if (p->before && p->before - 1 < x.seq) x.seq = p->before - 1;
    if (atomic_load_explicit(&p->had, memory_order_relaxed) < x.seq) {
        history_wait(p->history, x.seq);
        atomic_store_explicit(&p->had, x.seq, memory_order_relaxed);
    }
    TwinPlace place;
    bool twin;
    const Table *t;
    const LinkKind *k;
    TRY(place_of(p->history, v, r, &place, &twin));
    x.born = twin ? place.from : INT64_MIN;
    Arena keep;
    arena_init(&keep, 256);
    x.keep = &keep;
    x.field = catalog_field(v->catalog, r->column, &t, &k);
    Err err = x.field ? past_means(p->history, v->catalog, r, twin ? &place : NULL, &keep, &x.means) : ERR_OK;
    if (!err) err = read_all(p, &x);
    if (x.mean || x.means.stood) atomic_store_explicit(&p->meant, true, memory_order_relaxed);
    arena_free(&keep);
    return err;
}

static void gone(void *ctx, View *v, const ExprReach *r, Str func, Buf *why) {
    EnginePast *p = ctx;
    const Table *t;
    const LinkKind *k;
    const Field *f = catalog_field(v->catalog, r->column, &t, &k);
    past_means_why(p->history, r, func, f ? f->path : (Str){0}, why);
}

const ExprPast *engine_past(EnginePast *p, const Realm *r) {
    p->history = realm_history(r);
    p->expr = (ExprPast){.ctx = p, .moments = moments, .gone = gone};
    p->before = 0;
    atomic_init(&p->had, 0);
    atomic_init(&p->meant, false);
    return p->history ? &p->expr : NULL;
}

void engine_past_note(const EnginePast *p, Buf *notes) {
    if (!p->history || !atomic_load_explicit(&p->meant, memory_order_relaxed)) return;
    CHECK(notes->n >= 2);
    notes->n--; // the bracket
    if (notes->n > 1) buf_byte(notes, ',');
    buf_str_put(notes, STR("\"some values were let go by retention: the means that are kept stand for them\"]"));
}

int64_t engine_past_now(const Realm *r) {
    if (world_is_past(r->world)) return world_past_at(r->world);
    View v;
    int64_t now = r->scenario ? r->scenario->clock : r->engine->now(r->engine->now_ctx);
    view_begin(&v, r->world);
    int64_t newest = (int64_t)view_meta(&v, META_TIME);
    view_end(&v);
    return newest > now ? newest : now;
}
