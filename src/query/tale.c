// SPDX-License-Identifier: Apache-2.0
// Rows of a HISTORY query.
//
// Invariants
//  1. A column holds moments (or intervals) [at, n) that were not told, ascending; what comes behind them is read when
//     they are used up: from `last` on, leaving out the `same` moments of that time that were told already.
//  2. Of one time a column gives one value a row; several rows have the same time when several values came at it.
#include "query/tale.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

enum { AHEAD = 1024 }; // moments of a column read at a time

// The past of one column of the row at hand.
typedef struct Strand {
    int32_t column;
    const Bound *bound; // a BOUND_CELL
    ExprReach reach;
    Arena texts;
    int64_t *times;
    ExprValue *values; // fns of them a time
    int64_t at, n, cap;
    bool ended;
    int64_t last, same;
} Strand;

struct Tale {
    Exec *x;
    const Query *q;
    const QueryOptions *o;
    int64_t from, to, step;
    int32_t fns;     // values a time
    Buf head;        // of each row: the values of the present
    Strand *strands; // by column
    int32_t strand_count;
    Err err;
};

// ---- what is asked for --------------------------------------------------------------------------------------------

static Err say(Diag *d, Err err, const Expr *e, const char *why) {
    return diag_add(d, err, e->at, e->end, (Str){0}, "%s", why);
}

// A constant of the query: no name, no property.
static Err constant(Tale *t, const Expr *e, ExprType type, int64_t *out, Diag *d) {
    ExprScope scope = {.catalog = t->x->view->catalog};
    ExprRun run = {.view = t->x->view, .now = t->o->now, .scratch = &t->x->scratch};
    Bound *b;
    TRY(expr_bind(&t->x->keep, &scope, e, &b, d));
    ExprValue v = expr_eval(b, &run, NULL);
    if (v.type != type)
        return say(d, ERR_SYNTAX, e,
                   type == EXPR_TIME ? "expected a time such as '2026-01-31T12:00:00Z' or NOW() - 1h"
                                     : "expected a span of time such as 1h");
    *out = v.i;
    return ERR_OK;
}

static Err steps(Tale *t, const QueryHistory *h, Diag *d) {
    TRY(constant(t, h->step, EXPR_DURATION, &t->step, d));
    if (t->step <= 0) return say(d, ERR_SYNTAX, h->step, "the step must be longer than nothing");
    if (((uint64_t)t->to - (uint64_t)t->from - 1) / (uint64_t)t->step >= QUERY_STEPS_MAX)
        return diag_add(d, ERR_LIMIT, h->step->at, h->step->end, (Str){0},
                        "that is more than %d intervals: take a longer step", QUERY_STEPS_MAX);
    if (!t->o->steps) return say(d, ERR_UNSUPPORTED, h->step, "there are no intervals here");
    for (int32_t i = 0; i < h->fn_count; i++) {
        if (t->o->steps->knows(t->o->steps->ctx, h->fns[i], false)) continue;
        return diag_add(d, ERR_SYNTAX, h->at, h->end, (Str){0}, "there is no function %.*s for intervals",
                        STR_ARG(h->fns[i]));
    }
    if (!h->fill.n || t->o->steps->knows(t->o->steps->ctx, h->fill, true)) return ERR_OK;
    return diag_add(d, ERR_SYNTAX, h->at, h->end, (Str){0}, "FILL takes none, null, previous or linear, not %.*s",
                    STR_ARG(h->fill));
}

static Err open(Tale *t, Diag *d) {
    const QueryHistory *h = &t->q->history;
    t->from = INT64_MIN + 1;
    t->to = t->o->now < INT64_MAX ? t->o->now + 1 : INT64_MAX;
    t->fns = h->fn_count ? h->fn_count : 1;
    if (!t->o->past) return diag_add(d, ERR_UNSUPPORTED, h->at, h->end, (Str){0}, "no history is kept here");
    if (h->from) TRY(constant(t, h->from, EXPR_TIME, &t->from, d));
    if (h->to) TRY(constant(t, h->to, EXPR_TIME, &t->to, d));
    if (t->from >= t->to) return say(d, ERR_SYNTAX, h->to ? h->to : h->from, "FROM must be before TO");
    return h->step ? steps(t, h, d) : ERR_OK;
}

Err tale_new(Exec *x, const Query *q, const QueryOptions *o, Tale **out, Diag *d) {
    Tale *t = mem_alloc(sizeof *t);
    *t = (Tale){.x = x, .q = q, .o = o};
    t->strands = mem_alloc((size_t)(q->column_count + 1) * sizeof *t->strands);
    for (int32_t i = 0; i < q->column_count; i++) arena_init(&t->strands[i].texts, 0);
    Err err = open(t, d);
    if (err) tale_free(t);
    else *out = t;
    return err;
}

void tale_free(Tale *t) {
    if (!t) return;
    for (int32_t i = 0; i < t->q->column_count; i++) {
        Strand *s = &t->strands[i];
        mem_free(s->times);
        mem_free(s->values);
        arena_free(&s->texts);
    }
    mem_free(t->strands);
    buf_free(&t->head);
    mem_free(t);
}

// ---- reading ahead ------------------------------------------------------------------------------------------------

static int32_t values_of(const Tale *t) { return t->step ? t->fns : 1; }

static ExprValue kept(Strand *s, ExprValue v) {
    if (v.type == EXPR_STR || v.type == EXPR_DOC) v.s = arena_str(&s->texts, v.s);
    return v;
}

static void push(Tale *t, Strand *s, int64_t time, const ExprValue *values) {
    int32_t n = values_of(t);
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->times = mem_grow(s->times, (size_t)s->cap * sizeof *s->times);
        s->values = mem_grow(s->values, (size_t)(s->cap * n) * sizeof *s->values);
        if (!meter_bytes(t->x->meter, s->cap / 2 * (int64_t)(sizeof *s->times + (size_t)n * sizeof *s->values))) return;
    }
    for (int32_t i = 0; i < n; i++) s->values[s->n * n + i] = kept(s, values[i]);
    s->times[s->n++] = time;
}

typedef struct Reading {
    Tale *t;
    Strand *s;
    int64_t skip;
    bool more;
} Reading;

static bool take_moment(void *arg, const ExprMoment *m) {
    Reading *r = arg;
    Strand *s = r->s;
    if (!exec_tick(r->t->x, 1)) return false;
    if (m->time <= s->reach.from) return true; // what stood before
    if (m->time == s->last && r->skip > 0) {
        r->skip--;
        return true;
    }
    if (s->n == AHEAD) {
        r->more = true;
        return false;
    }
    ExprValue v = expr_moment_value(s->bound->leaf, m);
    s->same = m->time == s->last ? s->same + 1 : 1;
    s->last = m->time;
    push(r->t, s, m->time, &v);
    return true;
}

static bool take_interval(void *arg, int64_t time, const ExprValue *values) {
    Reading *r = arg;
    push(r->t, r->s, time, values);
    return exec_goes(r->t->x);
}

static Err read_moments(Tale *t, Strand *s) {
    Reading r = {.t = t, .s = s, .skip = s->same};
    if (s->same) s->reach.from = s->last - 1;
    Err err = t->x->past.moments(t->x->past.ctx, t->x->view, &s->reach, take_moment, &r);
    s->ended = !r.more;
    return err;
}

static Err read_intervals(Tale *t, Strand *s) {
    const QueryHistory *h = &t->q->history;
    Reading r = {.t = t, .s = s};
    int64_t looked = 0;
    QueryIntervals i = {.reach = s->reach,
                        .leaf = s->bound->leaf,
                        .step_ns = t->step,
                        .fns = h->fns,
                        .fn_count = h->fn_count,
                        .fill = h->fill};
    i.reach.from = t->from;
    i.reach.to = t->to;
    Err err = t->o->steps->intervals(t->o->steps->ctx, t->x->view, &i, take_interval, &r, &looked);
    exec_tick(t->x, looked);
    s->ended = true;
    return err;
}

// The column has a moment to tell, or has ended.
static Err fill(Tale *t, Strand *s) {
    if (s->at < s->n || s->ended) return ERR_OK;
    s->at = s->n = 0;
    arena_reset(&s->texts);
    Err err = t->step ? read_intervals(t, s) : read_moments(t, s);
    if (err == ERR_PAST_GONE) t->x->past.gone(t->x->past.ctx, t->x->view, &s->reach, STR("FN"), NULL);
    if (err && t->x->err == ERR_OK) {
        t->x->err = err;
        t->x->why = (Why){.err = err, .at = -1, .end = -1, .text = str_of(err_text(err))};
    }
    if (err) return err;
    return exec_goes(t->x) || t->x->view->overrun ? ERR_OK
           : t->x->err                            ? t->x->err
                                                  : (Err)atomic_load(&t->x->meter->err);
}

// ---- a row of the query -------------------------------------------------------------------------------------------

static Err refuse(Tale *t, const QueryColumn *c) {
    Exec *x = t->x;
    x->err = ERR_SYNTAX;
    x->why = (Why){.err = ERR_SYNTAX, .at = c->expr->at, .end = c->expr->end};
    x->why.text =
        arena_printf(&x->keep, "HISTORY tells properties with a single value, and %.*s is none", STR_ARG(c->name));
    return ERR_SYNTAX;
}

static void begin_strand(Tale *t, int32_t column, const Bound *b, const ExprRow *rows) {
    Strand *s = &t->strands[t->strand_count++];
    int32_t alias = plan_alias_of(t->q, t->q->columns[column].expr);
    if (alias < 0) alias = 0; // of the only source
    s->column = column;
    s->bound = b;
    s->at = s->n = s->same = 0;
    s->last = INT64_MIN;
    s->ended = false;
    s->reach = (ExprReach){.kind = t->q->aliases[alias].kind,
                           .id = rows[alias].id,
                           .column = b->column,
                           .row = rows[alias].row,
                           .from = t->from - 1,
                           .to = t->to - 1};
}

Err tale_begin(Tale *t, const ExprRow *rows, const ExprValue *values, const Bound *const *bounds) {
    const Query *q = t->q;
    t->strand_count = 0;
    buf_reset(&t->head);
    buf_byte(&t->head, '{');
    for (int32_t i = 0; i < q->column_count; i++) {
        const QueryColumn *c = &q->columns[i];
        const Bound *b = bounds ? bounds[i] : NULL;
        if (q->history.told[i]) {
            if (b && b->op == BOUND_CELL) begin_strand(t, i, b, rows);
            else if (b && b->type != EXPR_UNDEFINED) return refuse(t, c);
            continue;
        }
        if (values[i].type == EXPR_UNDEFINED) continue;
        json_put_str(&t->head, c->name);
        buf_byte(&t->head, ':');
        query_value_json(c, &values[i], b, &t->head);
        buf_byte(&t->head, ',');
    }
    buf_str_put(&t->head, STR("\"time\":"));
    return ERR_OK;
}

static void put_value(const Tale *t, const Strand *s, int32_t fn, Buf *out) {
    const QueryColumn *c = &t->q->columns[s->column];
    const QueryHistory *h = &t->q->history;
    buf_byte(out, ',');
    if (h->fn_count > 1) {
        Buf name = {0};
        buf_printf(&name, "%.*s.%.*s", STR_ARG(c->name), STR_ARG(h->fns[fn]));
        json_put_str(out, buf_str(&name));
        buf_free(&name);
    } else {
        json_put_str(out, c->name);
    }
    buf_byte(out, ':');
    query_value_json(c, &s->values[s->at * values_of(t) + fn], t->step ? NULL : s->bound, out);
}

Err tale_next(Tale *t, Buf *out, bool *got) {
    int64_t time = INT64_MAX;
    *got = false;
    for (int32_t i = 0; i < t->strand_count; i++) {
        Strand *s = &t->strands[i];
        TRY(fill(t, s));
        if (s->at == s->n) continue;
        if (s->times[s->at] < time) time = s->times[s->at];
        *got = true;
    }
    if (!*got) return ERR_OK;
    if (out) {
        buf_str_put(out, buf_str(&t->head));
        expr_value_json(&(ExprValue){.type = EXPR_TIME, .i = time}, out);
    }
    for (int32_t i = 0; i < t->strand_count; i++) {
        Strand *s = &t->strands[i];
        if (s->at == s->n || s->times[s->at] != time) continue;
        for (int32_t k = 0; k < values_of(t) && out; k++) put_value(t, s, k, out);
        s->at++;
    }
    if (out) buf_byte(out, '}');
    return ERR_OK;
}

static void put_time(int64_t ns, Buf *out) { expr_value_json(&(ExprValue){.type = EXPR_TIME, .i = ns}, out); }

void tale_explain(const Tale *t, Buf *out) {
    const QueryHistory *h = &t->q->history;
    buf_str_put(out, t->step ? STR("intervals") : STR("every value"));
    if (h->from) {
        buf_str_put(out, STR(" from "));
        put_time(t->from, out);
    }
    buf_str_put(out, STR(" to "));
    put_time(t->to, out);
    for (int32_t i = 0; i < h->fn_count; i++) buf_printf(out, "%s%.*s", i ? ", " : "; ", STR_ARG(h->fns[i]));
    if (h->fill.n) buf_printf(out, "; empty ones: %.*s", STR_ARG(h->fill));
}
