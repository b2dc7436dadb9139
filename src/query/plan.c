// SPDX-License-Identifier: Apache-2.0
// Sorting a query out: which aliases an expression names, WHERE by conjuncts, twins that are fixed by $dtId.
#include "query/plan.h"
#include <stdlib.h>

// ---- aliases of an expression -------------------------------------------------------------------------------------

static int32_t alias_named(const Query *q, Str name) {
    for (int32_t k = 0; name.n > 0 && k < q->alias_count; k++)
        if (str_eq(q->aliases[k].name, name)) return k;
    return -1;
}

int32_t plan_alias_of(const Query *q, const Expr *path) {
    return path->seg_count > 0 ? alias_named(q, path->segs[0].name) : -1;
}

// Is it the third argument of IS_OF_MODEL, or the second when the twin is left out: a word, no path?
static bool is_exact(const Expr *call, int32_t i) {
    const Expr *arg = call->args[i];
    return i > 0 && i == call->arg_count - 1 && arg->op == EX_PATH && arg->seg_count == 1 &&
           str_eq_nocase(call->name, STR("IS_OF_MODEL")) && str_eq_nocase(arg->segs[0].name, STR("exact"));
}

static void collect(const Query *q, const Expr *e, bool inside, uint64_t *mask, bool *late) {
    if (!e) return;
    if (e->op == EX_SLOT) *late = true;
    if (e->op == EX_PATH) {
        int32_t k = plan_alias_of(q, e);
        if (k >= 0) *mask |= ALIAS(k);
        else if (!inside) *mask |= ALIAS(0);
    }
    if (e->op == EX_GRAPH) {
        int32_t k = alias_named(q, e->graph.alias);
        *mask |= ALIAS(k >= 0 ? k : 0);
        inside = true;
    }
    for (int32_t i = 0; i < e->arg_count; i++)
        if (e->op != EX_CALL || !is_exact(e, i)) collect(q, e->args[i], inside, mask, late);
}

uint64_t plan_mask(const Query *q, const Expr *e, bool *late) {
    uint64_t mask = 0;
    *late = false;
    collect(q, e, false, &mask, late);
    return mask ? mask : ALIAS(0);
}

// ---- fixed twins --------------------------------------------------------------------------------------------------

// Texts that a field must be one of.
typedef struct Names {
    Str *p;
    int64_t n, cap;
} Names;

static void name_add(Arena *a, Names *names, Str s) {
    if (names->n == names->cap) {
        int64_t cap = names->cap ? 2 * names->cap : 8;
        Str *p = NEW(a, Str, cap);
        if (names->n) memcpy(p, names->p, (size_t)names->n * sizeof *p);
        names->p = p;
        names->cap = cap;
    }
    names->p[names->n++] = s;
}

static bool is_field(const Query *q, const Expr *e, Str field) {
    if (e->op != EX_PATH || e->seg_count < 1 || e->seg_count > 2) return false;
    if (e->seg_count == 2 && plan_alias_of(q, e) < 0) return false;
    return str_eq(e->segs[e->seg_count - 1].name, field);
}

static bool is_text(const Expr *e) { return e->op == EX_LITERAL && e->value.type == EXPR_STR && e->unit.n == 0; }

// `field = 'x'`, `field IN ['x', ...]`, or ORs of such: the texts.
static bool one_of(Arena *a, const Query *q, const Expr *e, Str field, Names *names) {
    if (e->op == EX_OR) return one_of(a, q, e->args[0], field, names) && one_of(a, q, e->args[1], field, names);
    if (e->op == EX_EQ) {
        const Expr *l = e->args[0], *r = e->args[1];
        if (is_text(l)) l = r, r = e->args[0];
        if (!is_field(q, l, field) || !is_text(r)) return false;
        name_add(a, names, r->value.s);
        return true;
    }
    if (e->op != EX_IN || !is_field(q, e->args[0], field)) return false;
    for (int32_t i = 1; i < e->arg_count; i++) {
        if (!is_text(e->args[i])) return false;
        name_add(a, names, e->args[i]->value.s);
    }
    return true;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Ids of the names there are, ascending, each once.
static int64_t ids_of(Arena *a, View *v, const Names *names, uint64_t **out) {
    TwinId *found = NEW(a, TwinId, names->n);
    uint64_t *ids = NEW(a, uint64_t, names->n);
    int64_t n = 0, kept = 0;
    view_find_twins(v, names->p, names->n, found);
    for (int64_t i = 0; i < names->n; i++)
        if (found[i].v) ids[n++] = found[i].v;
    qsort(ids, (size_t)n, sizeof *ids, by_value);
    for (int64_t i = 0; i < n; i++)
        if (kept == 0 || ids[kept - 1] != ids[i]) ids[kept++] = ids[i];
    *out = ids;
    return kept;
}

// ---- conjuncts ----------------------------------------------------------------------------------------------------

static int32_t count_terms(const Expr *e) {
    if (!e) return 0;
    return e->op == EX_AND ? count_terms(e->args[0]) + count_terms(e->args[1]) : 1;
}

// Does it look at more than a row: neighbours, or the past?
static bool looks_far(const Expr *e) {
    bool found = e->op == EX_GRAPH || (e->op == EX_CALL && expr_is_past(e->name));
    for (int32_t i = 0; i < e->arg_count && !found; i++) found = e->args[i] && looks_far(e->args[i]);
    return found;
}

// Does it make texts much larger than those it is given? Those of a page of rows would be too many to hold.
static bool makes_text(const Expr *e) {
    bool found = e->op == EX_CALL && (str_eq_nocase(e->name, STR("CONCAT")) || str_eq_nocase(e->name, STR("REPLACE")));
    for (int32_t i = 0; i < e->arg_count && !found; i++) found = e->args[i] && makes_text(e->args[i]);
    return found;
}

static void add_expr(Plan *p, const Expr *e) {
    PlanExpr *x = &p->exprs[p->expr_count++];
    p->singly |= looks_far(e);
    x->e = e;
    x->mask = plan_mask(p->q, e, &x->late);
    x->alias = (x->mask & (x->mask - 1)) == 0 ? __builtin_ctzll(x->mask) : -1;
}

static void add_terms(Plan *p, const Expr *e) {
    if (!e) return;
    if (e->op == EX_AND) {
        add_terms(p, e->args[0]);
        add_terms(p, e->args[1]);
    } else {
        add_expr(p, e);
        p->singly |= makes_text(e);
    }
}

// Is the term one that fixes the twins of its alias, or of the ends of a RELATIONSHIPS source?
static bool take_fixed(Plan *p, Arena *a, View *v, const PlanExpr *x) {
    PlanAlias *al = &p->aliases[x->alias];
    Names names = {0};
    if (al->kind == EXPR_TWIN) {
        if (al->fixed || !one_of(a, p->q, x->e, STR("$dtId"), &names)) return false;
        al->fixed = true;
        al->id_count = ids_of(a, v, &names, &al->ids);
        return true;
    }
    if (p->q->from != QUERY_LINKS || p->ends) return false;
    bool out = one_of(a, p->q, x->e, STR("$sourceId"), &names);
    if (!out) names = (Names){0};
    if (!out && !one_of(a, p->q, x->e, STR("$targetId"), &names)) return false;
    p->ends_out = out;
    p->end_count = ids_of(a, v, &names, &p->ends);
    return true;
}

static void sort_terms(Plan *p, Arena *a, View *v, int32_t terms) {
    int32_t *lates = NEW(a, int32_t, terms);
    p->lates = lates;
    for (int32_t k = 0; k < p->q->alias_count; k++) {
        PlanAlias *al = &p->aliases[k];
        int32_t *own = NEW(a, int32_t, terms);
        for (int32_t i = 0; i < terms; i++) {
            const PlanExpr *x = &p->exprs[i];
            if (!x->late && x->alias == k && !take_fixed(p, a, v, x)) own[al->term_count++] = i;
        }
        al->terms = own;
        if (al->fixed && al->id_count == 0) p->nothing = true;
    }
    if (p->ends && p->end_count == 0) p->nothing = true;
    for (int32_t i = 0; i < terms; i++)
        if (p->exprs[i].late || (p->q->shortest && p->exprs[i].alias < 0)) lates[p->late_count++] = i;
}

// ---- what columns, groups and orders need ---------------------------------------------------------------------------

static int32_t number_of(Plan *p, const Expr *e) {
    if (!e) return -1;
    add_expr(p, e);
    p->singly |= p->q->aggregated && makes_text(e); // others are evaluated row by row anyway
    return p->expr_count - 1;
}

static void add_outputs(Plan *p, Arena *a) {
    const Query *q = p->q;
    int32_t n = q->column_count + q->hidden_count;
    p->columns = NEW(a, int32_t, n);
    p->groups = NEW(a, int32_t, q->group_count);
    p->orders = NEW(a, int32_t, q->order_count);
    for (int32_t i = 0; i < n; i++) {
        const QueryColumn *c = &q->columns[i];
        bool whole = c->alias >= 0 || c->path || (q->aggregated && c->agg == AGG_NONE);
        p->columns[i] = whole ? -1 : number_of(p, c->expr);
    }
    for (int32_t i = 0; i < q->group_count; i++) p->groups[i] = number_of(p, q->groups[i]);
    for (int32_t i = 0; i < q->order_count; i++) {
        bool slots = q->aggregated || q->orders[i].column >= 0;
        p->orders[i] = slots ? -1 : number_of(p, q->orders[i].expr);
    }
}

// Table and row are needed where an expression is evaluated, and by the order of rows.
static void mark_placed(Plan *p) {
    const Query *q = p->q;
    uint64_t need = q->edge_count ? ALIAS(q->edges[0].from) : ALIAS(0);
    if (q->shortest && q->edge_count) need |= ALIAS(q->edges[0].to);
    for (int32_t i = 0; i < p->expr_count; i++) need |= p->exprs[i].mask;
    for (int32_t i = 0; i < q->column_count; i++)
        if (q->columns[i].alias >= 0) need |= ALIAS(q->columns[i].alias);
    for (int32_t k = 0; k < q->alias_count; k++)
        p->aliases[k].placed = (need >> k & 1) || (q->star && q->aliases[k].name.n > 0);
}

static void find_rels(Plan *p, Arena *a, const Catalog *c) {
    p->rels = NEW(a, bool *, p->q->edge_count);
    for (int32_t e = 0; e < p->q->edge_count; e++) {
        const QueryEdge *edge = &p->q->edges[e];
        if (edge->rel_count == 0) continue;
        p->rels[e] = NEW(a, bool, c->kind_count + 1);
        for (int32_t k = 0; k < c->kind_count; k++)
            for (int32_t i = 0; i < edge->rel_count && !p->rels[e][k]; i++)
                p->rels[e][k] = str_eq(c->kinds[k].rel->name, edge->rels[i]);
    }
}

Err plan_make(Arena *a, const Query *q, View *v, Plan **out, Diag *d) {
    if (q->alias_count > QUERY_ALIASES_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, STR(""), "a query may name at most %d twins and relationships",
                        QUERY_ALIASES_MAX);
    Plan *p = NEW(a, Plan, 1);
    int32_t terms = count_terms(q->where);
    p->q = q;
    p->table_count = v->catalog->table_count;
    p->kind_count = v->catalog->kind_count;
    p->exprs = NEW(a, PlanExpr, terms + q->column_count + q->hidden_count + q->group_count + q->order_count);
    p->aliases = NEW(a, PlanAlias, q->alias_count);
    p->first_edge = -1;
    p->term_count = terms;
    for (int32_t k = 0; k < q->alias_count; k++) p->aliases[k].kind = q->aliases[k].kind;
    add_terms(p, q->where);
    sort_terms(p, a, v, terms);
    add_outputs(p, a);
    mark_placed(p);
    find_rels(p, a, v->catalog);
    *out = p;
    return ERR_OK;
}
