// SPDX-License-Identifier: Apache-2.0
// One thread's work on a plan: expressions bound when first met, conjuncts by table, and the budget.
#include "query/run.h"
#include <stdio.h>
#include "base/check.h"

// ---- meter --------------------------------------------------------------------------------------------------------

static bool stop(Meter *m, Err err, MeterCause cause) {
    int32_t none = ERR_OK;
    if (atomic_compare_exchange_strong(&m->err, &none, (int32_t)err)) atomic_store(&m->cause, (int32_t)cause);
    return false;
}

bool meter_rows(Meter *m, int64_t rows) {
    int64_t now = atomic_fetch_add(&m->rows, rows) + rows;
    const QueryLimits *l = &m->limits;
    if (atomic_load_explicit(&m->err, memory_order_relaxed) != ERR_OK) return false;
    if (l->rows > 0 && now - m->rows_from > l->rows) return stop(m, ERR_BUDGET, CAUSE_ROWS);
    if (l->cancel && atomic_load_explicit(l->cancel, memory_order_relaxed)) return stop(m, ERR_BUDGET, CAUSE_CANCEL);
    if (l->until_ns > 0 && m->clock && m->clock() > l->until_ns) return stop(m, ERR_TIMEOUT, CAUSE_TIME);
    return true;
}

bool meter_bytes(Meter *m, int64_t bytes) {
    int64_t now = atomic_fetch_add(&m->bytes, bytes) + bytes;
    int64_t peak = atomic_load_explicit(&m->peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak(&m->peak, &peak, now)) {}
    if (m->limits.bytes > 0 && bytes > 0 && now > m->limits.bytes) return stop(m, ERR_BUDGET, CAUSE_BYTES);
    return atomic_load_explicit(&m->err, memory_order_relaxed) == ERR_OK;
}

Err meter_report(const Meter *m, int64_t rows_out, Diag *d) {
    Err err = (Err)atomic_load(&m->err);
    long long looked = (long long)(atomic_load(&m->rows) - m->rows_from), found = (long long)rows_out;
    static const char far[] = "it had looked at %lld twins and relationships and found %lld rows";
    char how_far[160];
    snprintf(how_far, sizeof how_far, far, looked, found);
    switch ((MeterCause)atomic_load(&m->cause)) {
    case CAUSE_NONE: break;
    case CAUSE_ROWS:
        return diag_add(d, err, -1, -1, STR(""),
                        "the query may look at %lld twins and relationships: %s. Add a filter that names twins or "
                        "models, fewer hops, or raise the limit",
                        (long long)m->limits.rows, how_far);
    case CAUSE_BYTES:
        return diag_add(
            d, err, -1, -1, STR(""),
            "the query may hold %lld bytes and needs more: %s. Add a filter or TOP, group by less, or raise "
            "the limit",
            (long long)m->limits.bytes, how_far);
    case CAUSE_TIME:
        return diag_add(d, err, -1, -1, STR(""),
                        "the query took longer than allowed: %s. Add a filter that names twins or models, TOP, or "
                        "raise the limit",
                        how_far);
    case CAUSE_CANCEL: return diag_add(d, err, -1, -1, STR(""), "the query was cancelled: %s", how_far);
    }
    return err;
}

// ---- life ---------------------------------------------------------------------------------------------------------

// In the middle of one value: neighbours cost what rows do.
static bool goes_on(void *ctx) { return exec_flush(ctx); }

// What could not be read stops this thread.
static Err moments(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    Exec *x = ctx;
    Err err = x->source->moments(x->source->ctx, v, r, fn, arg);
    if (err == ERR_OK || x->err != ERR_OK) return err;
    x->err = err;
    x->why = (Why){.err = err, .at = -1, .end = -1, .text = str_of(err_text(err))};
    return err;
}

// Values that were let go would be needed.
static void gone(void *ctx, View *v, const ExprReach *r, Str func, Buf *why) {
    Exec *x = ctx;
    Buf b = {0};
    (void)why;
    if (x->err != ERR_OK) return;
    if (x->source->gone) x->source->gone(x->source->ctx, v, r, func, &b);
    x->err = ERR_PAST_GONE;
    x->why = (Why){.err = ERR_PAST_GONE, .at = -1, .end = -1};
    x->why.text = b.n ? arena_str(&x->keep, buf_str(&b)) : str_of(err_text(ERR_PAST_GONE));
    buf_free(&b);
}

void exec_init(Exec *x, const Plan *p, View *v, int64_t now, const ExprPast *past, Meter *m) {
    memset(x, 0, sizeof *x);
    x->plan = p;
    x->q = p->q;
    x->meter = m;
    arena_init(&x->keep, 4096);
    arena_init(&x->scratch, 0);
    x->ties = NEW(&x->keep, Tie, p->expr_count);
    x->tabs = NEW(&x->keep, Tab *, p->q->alias_count);
    x->step_rows = NEW(&x->keep, int64_t, p->q->edge_count + 1);
    x->run = (ExprRun){.now = now, .scratch = &x->scratch, .slots = x->slots, .goes = goes_on, .ctx = x};
    x->source = past;
    x->past = (ExprPast){.ctx = x, .moments = moments, .gone = gone};
    if (past) x->run.past = &x->past;
    exec_view(x, v);
}

void exec_view(Exec *x, View *v) {
    CHECK(v->catalog->table_count == x->plan->table_count);
    CHECK(v->catalog->kind_count == x->plan->kind_count);
    x->view = v;
    x->run.view = v;
}

void exec_free(Exec *x) {
    expr_page_free(x->page);
    arena_free(&x->keep);
    arena_free(&x->scratch);
}

bool exec_flush(Exec *x) {
    int64_t n = x->ticks + x->run.visited;
    x->ticks = 0;
    x->run.visited = 0;
    return meter_rows(x->meter, n) && exec_goes(x);
}

// ---- bound expressions --------------------------------------------------------------------------------------------

static void complain(Exec *x, const Diag *d, Err err) {
    x->err = err;
    x->why = (Why){.err = err, .at = -1, .end = -1, .text = STR("an expression cannot be understood")};
    if (d->count == 0) return;
    x->why.at = d->messages[0].at;
    x->why.end = d->messages[0].end;
    x->why.where = arena_str(&x->keep, d->messages[0].where);
    x->why.text = arena_str(&x->keep, d->messages[0].text);
}

static const Bound *bind(Exec *x, const PlanExpr *pe, const ExprSource *sources, int32_t count) {
    ExprScope scope = {.catalog = x->view->catalog, .sources = sources, .count = count, .bare_first = true};
    Bound *out = NULL;
    int64_t before = x->keep.used;
    Diag d;
    diag_init(&d);
    Err err = expr_bind(&x->keep, &scope, pe->e, &out, &d);
    if (err != ERR_OK) complain(x, &d, err);
    diag_free(&d);
    meter_bytes(x->meter, x->keep.used - before);
    return err == ERR_OK ? out : NULL;
}

static ExprSource source_of(const Exec *x, int32_t k, uint32_t of) {
    const QueryAlias *a = &x->q->aliases[k];
    ExprSource s = {.alias = a->name, .kind = a->kind};
    if (a->kind == EXPR_TWIN) s.table = of;
    else s.link = of;
    return s;
}

static int32_t kinds_of(const Exec *x, int32_t k) {
    return x->q->aliases[k].kind == EXPR_TWIN ? x->plan->table_count : x->plan->kind_count;
}

static const Bound *bound_single(Exec *x, Tie *t, const PlanExpr *pe, uint32_t of) {
    if (!t->single) t->single = NEW(&x->keep, const Bound *, kinds_of(x, pe->alias));
    if (!t->single[of]) {
        ExprSource s = source_of(x, pe->alias, of);
        t->single[of] = bind(x, pe, &s, 1);
    }
    return t->single[of];
}

static bool same_case(const TieCase *c, uint64_t mask, const uint32_t *of) {
    for (int32_t i = 0; mask; mask &= mask - 1, i++)
        if (c->of[i] != of[__builtin_ctzll(mask)]) return false;
    return true;
}

static TieCase *new_case(Exec *x, const PlanExpr *pe, const uint32_t *of) {
    ExprSource sources[QUERY_ALIASES_MAX];
    int32_t n = x->q->alias_count, i = 0;
    for (int32_t k = 0; k < n; k++) sources[k] = source_of(x, k, pe->mask >> k & 1 ? of[k] : 0);
    const Bound *b = bind(x, pe, sources, n);
    if (!b) return NULL;
    int64_t size = (int64_t)sizeof(TieCase) + __builtin_popcountll(pe->mask) * (int64_t)sizeof(uint32_t);
    TieCase *c = arena_alloc(&x->keep, size, 1, _Alignof(TieCase));
    c->bound = b;
    for (uint64_t m = pe->mask; m; m &= m - 1) c->of[i++] = of[__builtin_ctzll(m)];
    return c;
}

static const Bound *bound_cases(Exec *x, Tie *t, const PlanExpr *pe, const uint32_t *of) {
    if (!t->cases) t->cases = NEW(&x->keep, TieCase *, TIE_BUCKETS);
    uint32_t hash = 0;
    for (uint64_t m = pe->mask; m; m &= m - 1) hash = hash * 31 + of[__builtin_ctzll(m)];
    TieCase **bucket = &t->cases[hash % TIE_BUCKETS];
    for (TieCase *c = *bucket; c; c = c->next)
        if (same_case(c, pe->mask, of)) return c->bound;
    TieCase *c = new_case(x, pe, of);
    if (!c) return NULL;
    c->next = *bucket;
    *bucket = c;
    return c->bound;
}

const Bound *exec_bound(Exec *x, int32_t i, const uint32_t *of) {
    const PlanExpr *pe = &x->plan->exprs[i];
    if (pe->alias >= 0) return bound_single(x, &x->ties[i], pe, of[pe->alias]);
    return bound_cases(x, &x->ties[i], pe, of);
}

ExprValue exec_value(Exec *x, int32_t i, const ExprRow *rows, const uint32_t *of) {
    const Bound *b = exec_bound(x, i, of);
    int32_t alias = x->plan->exprs[i].alias;
    return b ? expr_eval(b, &x->run, alias >= 0 ? &rows[alias] : rows) : (ExprValue){0};
}

bool exec_true(Exec *x, int32_t i, const ExprRow *rows, const uint32_t *of) {
    const Bound *b = exec_bound(x, i, of);
    int32_t alias = x->plan->exprs[i].alias;
    return b && expr_test(b, &x->run, alias >= 0 ? &rows[alias] : rows);
}

// Is expression i bound for any table at all? Those of several aliases are tried with equal numbers.
static bool binds_somewhere(Exec *x, int32_t i) {
    const PlanExpr *pe = &x->plan->exprs[i];
    uint32_t of[QUERY_ALIASES_MAX];
    int32_t tries = INT32_MAX, any = 1;
    for (uint64_t m = pe->mask; m; m &= m - 1) {
        int32_t n = kinds_of(x, __builtin_ctzll(m));
        if (n == 0) return true; // nothing will ever be met
        if (n > any) any = n;
    }
    for (tries = 0; tries < any; tries++) {
        for (uint64_t m = pe->mask; m; m &= m - 1) {
            int32_t k = __builtin_ctzll(m), n = kinds_of(x, k);
            of[k] = (uint32_t)(tries < n ? tries : n - 1);
        }
        x->err = ERR_OK;
        if (exec_bound(x, i, of)) return true;
    }
    return false;
}

Err exec_check(Exec *x, Diag *d) {
    for (int32_t i = 0; i < x->plan->expr_count; i++) {
        if (!binds_somewhere(x, i))
            return diag_add(d, x->err, x->why.at, x->why.end, x->why.where, "%.*s", STR_ARG(x->why.text));
        x->err = ERR_OK;
    }
    return ERR_OK;
}

// ---- conjuncts of one alias ---------------------------------------------------------------------------------------

// A constant that is not true can never pass.
static bool never(const Bound *b) { return b->op == BOUND_CONST && !(b->value.type == EXPR_BOOL && b->value.b); }

// Another conjunct may rule the table out: then one that cannot be bound for it does not matter.
static void fill_tab(Exec *x, int32_t k, uint32_t of, Tab *tab) {
    const PlanAlias *al = &x->plan->aliases[k];
    uint32_t ofs[QUERY_ALIASES_MAX];
    Err before = x->err;
    ofs[k] = of;
    tab->filters = NEW(&x->keep, const Bound *, al->term_count);
    for (int32_t i = 0; i < al->term_count && !tab->none; i++) {
        const Bound *b = exec_bound(x, al->terms[i], ofs);
        if (!b) tab->why = x->why;
        else if (never(b)) tab->none = true;
        else if (b->op != BOUND_CONST) tab->filters[tab->count++] = b;
    }
    x->err = before;
    if (tab->none) tab->why.err = ERR_OK;
    tab->ready = true;
}

bool exec_refuse(Exec *x, const Why *why) {
    x->err = why->err;
    x->why = *why;
    return false;
}

const Tab *exec_tab(Exec *x, int32_t k, uint32_t of) {
    if (!x->tabs[k]) x->tabs[k] = NEW(&x->keep, Tab, kinds_of(x, k));
    Tab *tab = &x->tabs[k][of];
    if (!tab->ready) fill_tab(x, k, of, tab);
    return tab;
}

bool id_among(const uint64_t *ids, int64_t n, uint64_t id) {
    int64_t lo = 0, hi = n;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (ids[mid] < id) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && ids[lo] == id;
}

bool exec_passes(Exec *x, int32_t k, const Spot *s) {
    const PlanAlias *al = &x->plan->aliases[k];
    if (al->fixed && !id_among(al->ids, al->id_count, s->at.id)) return false;
    if (al->term_count == 0) return true;
    const Tab *tab = exec_tab(x, k, s->of);
    if (tab->why.err != ERR_OK) return exec_refuse(x, &tab->why);
    if (tab->none) return false;
    bool yes = true;
    for (int32_t i = 0; i < tab->count && yes; i++) yes = expr_test(tab->filters[i], &x->run, &s->at);
    if (x->scratch.used > 1 << 16) arena_reset(&x->scratch);
    return yes;
}

bool exec_place(Exec *x, uint64_t id, Spot *out) {
    TwinView t = view_twin_place(x->view, (TwinId){id});
    if (!t.alive || t.table >= (uint32_t)x->plan->table_count) return false;
    *out = (Spot){{id, t.row}, t.table};
    return true;
}

// ---- what conjuncts say about columns -----------------------------------------------------------------------------

static BoundOp mirrored(BoundOp op) {
    switch (op) {
    case BOUND_LT: return BOUND_GT;
    case BOUND_GT: return BOUND_LT;
    case BOUND_LE: return BOUND_GE;
    case BOUND_GE: return BOUND_LE;
    default: return op;
    }
}

static bool is_prefix_call(const Bound *b) {
    if (b->op != BOUND_CALL || b->arg_count != 2 || !b->from || b->from->op != EX_CALL) return false;
    return str_eq_nocase(b->from->name, STR("STARTSWITH")) || str_eq_nocase(b->from->name, STR("STARTS_WITH"));
}

// Add the ranges of one conjunct over one cell; false when it says nothing of that kind.
static bool ranges_of(const Bound *b, const Bound **cell, QueryRange *ranges, int32_t *n) {
    if (b->arg_count < 2) return false;
    const Bound *l = b->args[0], *r = b->args[1];
    BoundOp op = b->op;
    if (op == BOUND_EQ || (op >= BOUND_LT && op <= BOUND_GE)) {
        if (l->op == BOUND_CONST) l = r, r = b->args[0], op = mirrored(op);
        *cell = l;
        return l->op == BOUND_CELL && r->op == BOUND_CONST && query_range(l->leaf, op, &r->value, &ranges[(*n)++]);
    }
    *cell = l;
    if (l->op != BOUND_CELL) return false;
    if (is_prefix_call(b) && r->op == BOUND_CONST && r->value.type == EXPR_STR)
        return query_range_prefix(l->leaf, r->value.s, &ranges[(*n)++]);
    if (op != BOUND_IN) return false;
    for (int32_t i = 1; i < b->arg_count; i++)
        if (!query_range(l->leaf, BOUND_EQ, &b->args[i]->value, &ranges[(*n)++])) return false;
    return true;
}

int32_t exec_tests(Exec *x, int32_t k, uint32_t of, QueryTest **out) {
    const Tab *tab = exec_tab(x, k, of);
    QueryTest *tests = NEW(&x->keep, QueryTest, tab->count);
    int32_t count = 0;
    for (int32_t i = 0; i < tab->count; i++) {
        const Bound *cell = NULL;
        QueryRange *ranges = NEW(&x->keep, QueryRange, tab->filters[i]->arg_count + 1);
        int32_t n = 0;
        if (!ranges_of(tab->filters[i], &cell, ranges, &n)) continue;
        tests[count++] = (QueryTest){.col = cell->column, .cell = cell->leaf->cell, .ranges = ranges, .count = n};
    }
    *out = tests;
    return count;
}
