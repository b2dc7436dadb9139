// SPDX-License-Identifier: Apache-2.0
// Choosing where to start, in which order to take the edges and what to do with the rows. Fixed twins win without
// further questions; else what has to be looked at is estimated for every twin alias and every single relationship.
#include "query/run.h"

typedef struct Choice {
    Plan *p;
    Arena *a;
    Exec *x;
    View *v;
    QueryCache *cache;
} Choice;

// ---- estimates ----------------------------------------------------------------------------------------------------

static ExprSource source_of(ExprSourceKind kind, uint32_t of) {
    return (ExprSource){.kind = kind, .table = kind == EXPR_TWIN ? of : 0, .link = kind == EXPR_LINK ? of : 0};
}

static double live_rows(const Choice *c, ExprSourceKind kind, uint32_t of) {
    return kind == EXPR_TWIN ? query_stat_rows(c->cache, c->v, of) : query_stat_links(c->cache, c->v, of);
}

// Rows of one table or kind: to look at, and expected to pass.
static void weigh_table(const Choice *c, int32_t k, uint32_t of) {
    PlanAlias *al = &c->p->aliases[k];
    double rows = live_rows(c, al->kind, of);
    if (rows <= 0) return;
    const Tab *tab = exec_tab(c->x, k, of);
    if (tab->none || tab->why.err != ERR_OK) return;
    ExprSource s = source_of(al->kind, of);
    QueryTest *tests;
    int32_t n = exec_tests(c->x, k, of, &tests);
    double share = 1, looks = query_hits_estimate(c->cache, c->v, &s, tests, n);
    for (int32_t i = 0; i < n; i++) share *= query_stat_select(c->cache, c->v, &s, &tests[i]);
    for (int32_t i = n; i < tab->count; i++) share *= 0.3;
    al->looks += looks < rows ? looks : rows;
    al->passes += rows * share;
}

// All tables or kinds of an alias.
static void weigh(const Choice *c, int32_t k) {
    PlanAlias *al = &c->p->aliases[k];
    if (al->looks > 0) return;
    if (al->fixed) {
        al->looks = al->passes = (double)al->id_count;
        return;
    }
    int32_t n = al->kind == EXPR_TWIN ? c->p->table_count : c->p->kind_count;
    for (int32_t of = 0; of < n && exec_flush(c->x); of++) weigh_table(c, k, (uint32_t)of);
}

static bool takes(const Plan *p, int32_t edge, int32_t kind) { return !p->rels[edge] || p->rels[edge][kind]; }

// Links of the kinds an edge takes, and how many leave or enter one twin.
static double edge_links(const Choice *c, int32_t edge) {
    double links = 0;
    for (int32_t k = 0; k < c->p->kind_count; k++)
        if (takes(c->p, edge, k)) links += query_stat_links(c->cache, c->v, (uint32_t)k);
    return links;
}

static double fan_of(const Choice *c, int32_t edge) {
    const QueryEdge *e = &c->p->q->edges[edge];
    double twins = (double)view_meta(c->v, META_TWINS), fan = edge_links(c, edge) / (twins > 0 ? twins : 1);
    if (e->in && e->out) fan *= 2;
    double sum = 0, hop = 1;
    for (int32_t i = 1; i <= e->max && sum < 1e12; i++) {
        hop *= fan;
        if (i >= e->min) sum += hop;
    }
    return sum;
}

// ---- where to start -----------------------------------------------------------------------------------------------

// The cheapest alias with fixed twins, or -1.
static int32_t fixed_start(const Plan *p) {
    int32_t best = -1;
    for (int32_t k = 0; k < p->q->alias_count; k++) {
        const PlanAlias *al = &p->aliases[k];
        if (al->fixed && (best < 0 || al->id_count < p->aliases[best].id_count)) best = k;
    }
    return best;
}

// What one row of a page costs is 1; what a link met on the way costs, with the twin behind it:
#define LINK_COST 8.0

// A twin's lists hold links of all kinds: all of them are walked.
static double degree(const Choice *c) {
    double twins = (double)view_meta(c->v, META_TWINS), links = (double)view_meta(c->v, META_LINKS);
    return links / (twins > 0 ? twins : 1);
}

// Walking the edges at alias k from everything that passes.
static double edge_cost(const Choice *c, int32_t k, double passes) {
    double cost = 0;
    for (int32_t e = 0; e < c->p->q->edge_count; e++) {
        const QueryEdge *edge = &c->p->q->edges[e];
        if (edge->from != k && edge->to != k) continue;
        cost += passes * LINK_COST * (1 + degree(c));
        if (edge->link < 0) cost += passes * LINK_COST * fan_of(c, e);
    }
    return cost;
}

// What a start from the relationship of an edge costs; false: it is not possible.
static bool link_start(const Choice *c, int32_t e, double *cost) {
    const QueryEdge *edge = &c->p->q->edges[e];
    if (edge->link < 0 || (edge->rel_count == 0 && c->p->aliases[edge->link].term_count == 0)) return false;
    *cost = 0;
    for (int32_t k = 0; k < c->p->kind_count && exec_flush(c->x); k++) {
        double links = takes(c->p, e, k) ? query_stat_links(c->cache, c->v, (uint32_t)k) : 0;
        if (links <= 0) continue;
        const Tab *tab = exec_tab(c->x, edge->link, (uint32_t)k);
        if (tab->none || tab->why.err != ERR_OK) continue;
        ExprSource s = source_of(EXPR_LINK, (uint32_t)k);
        QueryTest *tests;
        int32_t n = exec_tests(c->x, edge->link, (uint32_t)k, &tests);
        for (int32_t i = 0; i < n; i++) links *= query_stat_select(c->cache, c->v, &s, &tests[i]);
        *cost += query_hits_estimate(c->cache, c->v, &s, tests, n) + LINK_COST * links;
        c->p->aliases[edge->link].passes += links;
    }
    c->p->aliases[edge->link].looks = *cost;
    return true;
}

static void start_pattern(const Choice *c) {
    Plan *p = c->p;
    double best = -1, cost;
    for (int32_t k = 0; k < p->q->alias_count; k++) {
        if (p->aliases[k].kind != EXPR_TWIN) continue;
        weigh(c, k);
        cost = p->aliases[k].looks + edge_cost(c, k, p->aliases[k].passes);
        // An end that needs no sorting afterwards is worth a little.
        if (k != p->q->edges[0].from) cost = cost * 1.2 + 1;
        if (best >= 0 && cost >= best) continue;
        best = cost;
        p->start = k;
    }
    for (int32_t e = 0; e < p->q->edge_count && !p->q->shortest; e++) {
        if (!link_start(c, e, &cost) || cost * 1.2 + 1 >= best) continue;
        best = cost * 1.2 + 1;
        p->how = START_LINKS;
        p->first_edge = e;
        p->start = p->q->edges[e].link;
    }
}

static void choose_start(const Choice *c) {
    Plan *p = c->p;
    int32_t fixed = fixed_start(p);
    p->how = START_SCAN;
    if (p->nothing) return;
    if (fixed >= 0) {
        p->how = START_IDS;
        p->start = fixed;
        weigh(c, fixed);
    } else if (p->ends) {
        p->how = START_ENDS;
        p->aliases[0].looks = p->aliases[0].passes = (double)p->end_count * 3;
    } else {
        query_stat_refresh(c->cache, c->v);
        if (p->q->edge_count) start_pattern(c);
        else weigh(c, 0);
    }
}

// ---- steps --------------------------------------------------------------------------------------------------------

// Smaller: to be taken earlier. -1: cannot be taken yet.
static int32_t rank(const Plan *p, uint64_t known, const QueryEdge *e) {
    bool from = known >> e->from & 1, to = known >> e->to & 1;
    int32_t far = from ? e->to : e->from;
    if (!from && !to) return -1;
    if (from && to) return e->link >= 0 ? 0 : 3;
    if (e->link >= 0 && p->aliases[far].fixed) return 1;
    return e->link >= 0 ? 2 : 4;
}

static void set_step(const Choice *c, PlanStep *s, int32_t edge, uint64_t known) {
    const QueryEdge *e = &c->p->q->edges[edge];
    s->edge = edge;
    s->forward = known >> e->from & 1;
    s->from = s->forward ? e->from : e->to;
    s->to = s->forward ? e->to : e->from;
    s->link = e->link;
    s->out = s->forward ? e->out : e->in;
    s->in = s->forward ? e->in : e->out;
    s->closed = known >> s->to & 1;
    s->min = e->min;
    s->max = e->max;
}

// The conjuncts over several aliases that can be tested once `known` are bound and could not before.
static int32_t terms_between(const Choice *c, uint64_t before, uint64_t known, const int32_t **out) {
    Plan *p = c->p;
    int32_t *terms = NEW(c->a, int32_t, p->term_count), n = 0;
    for (int32_t i = 0; i < p->term_count && !p->q->shortest; i++) {
        const PlanExpr *pe = &p->exprs[i];
        if (pe->alias < 0 && (pe->mask & ~known) == 0 && (pe->mask & ~before) != 0) terms[n++] = i;
    }
    *out = terms;
    return n;
}

static uint64_t start_known(const Plan *p) {
    if (p->first_edge < 0) return ALIAS(p->start);
    const QueryEdge *e = &p->q->edges[p->first_edge];
    return ALIAS(e->from) | ALIAS(e->to) | ALIAS(e->link);
}

// Share of twins expected to pass the conjuncts on an alias met on the way.
static double share(const Plan *p, int32_t k) {
    const PlanAlias *al = &p->aliases[k];
    double s = al->fixed ? 0.01 : 1;
    for (int32_t i = 0; i < al->term_count; i++) s *= 0.3;
    return s;
}

static void choose_steps(const Choice *c) {
    Plan *p = c->p;
    int32_t n = p->q->edge_count;
    bool *done = NEW(c->a, bool, n);
    uint64_t known = start_known(p);
    double rows = p->nothing ? 0 : p->aliases[p->start].passes;
    p->estimate = p->nothing ? 0 : p->aliases[p->start].looks;
    p->steps = NEW(c->a, PlanStep, n + 1);
    if (p->first_edge >= 0) done[p->first_edge] = true;
    p->first_count = terms_between(c, 0, known, &p->first_terms);
    for (;;) {
        int32_t best = -1;
        for (int32_t e = 0; e < n; e++) {
            if (done[e] || rank(p, known, &p->q->edges[e]) < 0) continue;
            if (best < 0 || rank(p, known, &p->q->edges[e]) < rank(p, known, &p->q->edges[best])) best = e;
        }
        if (best < 0) break;
        PlanStep *s = &p->steps[p->step_count++];
        done[best] = true;
        set_step(c, s, best, known);
        uint64_t before = known;
        known |= ALIAS(s->to) | (s->link >= 0 ? ALIAS(s->link) : 0);
        s->term_count = terms_between(c, before, known, &s->terms);
        double looked = rows * fan_of(c, best);
        rows = looked * (s->closed ? 0.01 : share(p, s->to));
        p->estimate += looked;
        s->estimate = rows;
    }
    p->rows = rows;
}

// ---- what becomes of the rows --------------------------------------------------------------------------------------

static bool written_order(const Plan *p) {
    if (p->how == START_LINKS) return p->q->edge_count == 0;
    if (p->q->edge_count && p->start != p->q->edges[0].from) return false;
    for (int32_t i = 0; i < p->step_count; i++)
        if (p->steps[i].edge != i || !p->steps[i].forward) return false;
    return true;
}

// DISTINCT ends of one variable-length edge: any path will do, so every twin is visited once.
static bool can_reach(const Plan *p) {
    const Query *q = p->q;
    if (!q->distinct || q->aggregated || q->shortest || q->edge_count != 1 || q->edges[0].link >= 0) return false;
    if (q->edges[0].min > 1 || q->edges[0].from == q->edges[0].to || p->how == START_LINKS) return false;
    return p->steps[0].term_count == 0;
}

// Nothing but COUNT() over tables whose conjuncts are constant.
static bool counts_only(const Choice *c) {
    const Plan *p = c->p;
    const Query *q = p->q;
    if (!q->aggregated || q->group_count || p->producer != PRODUCE_SCAN || p->how != START_SCAN) return false;
    for (int32_t i = 0; i < q->column_count + q->hidden_count; i++)
        if (q->columns[i].agg != AGG_COUNT || q->columns[i].expr) return false;
    int32_t n = q->aliases[0].kind == EXPR_TWIN ? p->table_count : p->kind_count;
    for (int32_t of = 0; of < n; of++) {
        if (p->aliases[0].term_count == 0) return true;
        if (!exec_flush(c->x)) return false;
        const Tab *tab = exec_tab(c->x, 0, (uint32_t)of);
        if (tab->why.err != ERR_OK || (!tab->none && tab->count > 0)) return false;
    }
    return true;
}

void plan_choose(Plan *p, Arena *a, Exec *x, const QueryOptions *o) {
    Choice c = {p, a, x, x->view, o->cache};
    const Query *q = p->q;
    choose_start(&c);
    choose_steps(&c);
    p->in_order = written_order(p);
    p->producer = q->shortest ? PRODUCE_SHORTEST : q->edge_count ? PRODUCE_WALK : PRODUCE_SCAN;
    if (can_reach(p)) p->producer = PRODUCE_REACH;
    bool sorted = q->distinct || q->order_count > 0 || !p->in_order || p->producer >= PRODUCE_REACH;
    p->sink = q->aggregated ? SINK_GROUP : sorted ? SINK_SORT : SINK_STREAM;
    p->count_only = !p->nothing && counts_only(&c);
    if (p->count_only) p->estimate = 0;
}
