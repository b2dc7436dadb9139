// SPDX-License-Identifier: Apache-2.0
#include "query/reach.h"
#include "base/check.h"
#include "base/mem.h"
#include "query/match_ball.h"

// ---- starts -------------------------------------------------------------------------------------------------------

// Calls fn for every start that passes; false stops.
static void each_start(Exec *x, const Parts *parts, bool (*fn)(void *ctx, const Spot *s), void *ctx) {
    Found *found = mem_alloc(sizeof *found);
    bool goes = true;
    for (int64_t i = 0; i < parts->n && goes && exec_goes(x); i++) {
        part_run(&parts->p[i], x, true, found);
        for (int32_t k = 0; k < found->n && goes && exec_goes(x); k++) goes = fn(ctx, &found->spots[k]);
    }
    mem_free(found);
}

// ---- distinct ends ------------------------------------------------------------------------------------------------

typedef struct Ends {
    Walk w;
    const Out *out;
    Ball *all;     // one search for all starts
    bool *back;    // by start: also reached
    int64_t count; // of starts: the first in the ball
} Ends;

// A twin was reached from the start w stands on.
static bool give_end(Ends *e, uint64_t id) {
    const PlanStep *s = e->w.x->plan->steps;
    if (!walk_stand(&e->w, s->to, id)) return exec_goes(e->w.x);
    e->w.x->step_rows[0]++;
    return out_row(e->out, e->w.x, e->w.rows, e->w.of, NULL);
}

static void give_start(Ends *e, const Ball *b, int64_t number) {
    if (e->back[number]) return;
    e->back[number] = true;
    give_end(e, b->list[number].id);
}

// A link leads from the u-th twin to one that is known. Is a start reached by it? Following links one way: the start it
// leads to. Either way: the way back along the same link does not count, so only where ways from different starts, or
// different branches from one, come together.
static void close_way(Ends *e, const Ball *b, int64_t u, const Hop *h, int32_t max) {
    const Near *from = &b->list[u], *to = ball_find(b, h->other);
    int64_t v = to - b->list;
    if (!b->out || !b->in) {
        if (v < e->count) give_start(e, b, v);
        return;
    }
    if (from->hops + 1 + to->hops > max) return;
    if (from->root != to->root) {
        give_start(e, b, from->root);
        give_start(e, b, to->root);
    } else if (u < e->count || v < e->count) { // a link at the start itself
        const Near *far = u < e->count ? to : from;
        if (u == v || h->link != far->branch) give_start(e, b, from->root);
    } else if (from->branch != to->branch) {
        give_start(e, b, from->root);
    }
}

static void expand_end(Ends *e, Ball *b, int64_t i, int32_t max) {
    Exec *x = b->x;
    b->link_count = 0;
    walk_links(x, 0, b->list[i].id, b->out, b->in, &b->links, &b->link_count, &b->link_cap);
    for (int64_t k = 0; k < b->link_count && exec_goes(x); k++) {
        Hop h = b->links[k];
        if (ball_add(b, h.other, h.link, i, b->hops + 1)) give_end(e, h.other);
        else if (exec_goes(x)) close_way(e, b, i, &h, max);
    }
}

// Search on from the starts in the ball.
static void search_ends(Ends *e, Ball *b) {
    Exec *x = b->x;
    int32_t max = x->plan->steps[0].max;
    e->count = b->n;
    e->back = mem_alloc((size_t)b->n + 1);
    while (b->hops < max && b->level < b->n && exec_goes(x)) {
        int64_t end = b->n;
        for (int64_t i = b->level; i < end && exec_goes(x); i++) {
            if (i + 4 < end) ball_prefetch(b, i + 4);
            expand_end(e, b, i, max);
        }
        b->level = end;
        b->hops++;
    }
    mem_free(e->back);
}

static bool add_start(void *ctx, const Spot *s) {
    Ends *e = ctx;
    ball_add(e->all, s->at.id, 0, -1, 0);
    return exec_goes(e->w.x);
}

static bool from_start(void *ctx, const Spot *s) {
    Ends *e = ctx;
    const PlanStep *step = e->w.x->plan->steps;
    e->w.rows[step->from] = s->at;
    e->w.of[step->from] = s->of;
    Ball b;
    ball_init(&b, e->w.x, 0, step->out, step->in);
    ball_add(&b, s->at.id, 0, -1, 0);
    search_ends(e, &b);
    ball_free(&b);
    return exec_goes(e->w.x);
}

// Do the columns or the order speak of the start?
static bool start_shows(const Plan *p) {
    const Query *q = p->q;
    uint64_t start = ALIAS(p->steps[0].from);
    if (q->star) return true;
    for (int32_t i = 0; i < q->column_count; i++) {
        int32_t expr = p->columns[i];
        if (q->columns[i].alias >= 0 && (ALIAS(q->columns[i].alias) & start)) return true;
        if (expr >= 0 && (p->exprs[expr].mask & start)) return true;
    }
    for (int32_t i = 0; i < q->order_count; i++)
        if (p->orders[i] >= 0 && (p->exprs[p->orders[i]].mask & start)) return true;
    return false;
}

void reach_ends(Exec *x, const Parts *parts, const Out *out) {
    Ends *e = mem_alloc(sizeof *e);
    const PlanStep *step = x->plan->steps;
    e->out = out;
    walk_init(&e->w, x);
    if (start_shows(x->plan)) {
        each_start(x, parts, from_start, e);
    } else {
        Ball b;
        ball_init(&b, x, 0, step->out, step->in);
        e->all = &b;
        each_start(x, parts, add_start, e);
        search_ends(e, &b);
        ball_free(&b);
    }
    walk_free(&e->w);
    mem_free(e);
}

// ---- shortest paths -----------------------------------------------------------------------------------------------

typedef struct Short {
    Walk w;
    const Out *out;
    uint64_t links[QUERY_HOPS_MAX];
    int32_t length;
} Short;

static const QueryEdge *edge_of(const Exec *x) { return &x->q->edges[0]; }

// Both ends are bound and the path stands in links.
static bool give_path(Short *s) {
    Exec *x = s->w.x;
    x->slots[0] = (ExprValue){.type = EXPR_I64, .i = s->length};
    for (int32_t i = 0; i < x->plan->late_count; i++)
        if (!exec_true(x, x->plan->lates[i], s->w.rows, s->w.of)) return exec_goes(x);
    x->step_rows[0]++;
    return out_row(s->out, x, s->w.rows, s->w.of, &(Trail){s->links, &s->length});
}

// From the left end towards what `is_next` says of a twin: the smallest link each time.
typedef struct Trace {
    const Ball *left, *right; // NULL: none
    int32_t middle, length;   // hops of left's newest level; of the path
} Trace;

static bool is_next(const Trace *t, uint64_t id, int32_t hops) {
    if (t->left && hops <= t->middle) {
        const Near *n = ball_find(t->left, id);
        return n && n->hops == hops && n->good;
    }
    const Near *n = ball_find(t->right, id);
    return n && n->hops == t->length - hops;
}

static bool trace(Short *s, Ball *b, const Trace *t, uint64_t from) {
    const QueryEdge *e = edge_of(s->w.x);
    s->length = t->length;
    for (int32_t i = 0; i < t->length; i++) {
        b->link_count = 0;
        if (!walk_links(s->w.x, 0, from, e->out, e->in, &b->links, &b->link_count, &b->link_cap)) return false;
        int64_t k = 0;
        while (k < b->link_count && !is_next(t, b->links[k].other, i + 1)) k++;
        if (k == b->link_count) return false; // the view was outrun
        s->links[i] = b->links[k].link;
        from = b->links[k].other;
    }
    return true;
}

// Mark the twins of the left ball that lie on a shortest path: what meets the right one, and what leads there.
static void mark_good(Ball *left, const Ball *right, int32_t length) {
    const QueryEdge *e = edge_of(left->x);
    for (int64_t i = left->level; i < left->n; i++) {
        const Near *n = ball_find(right, left->list[i].id);
        left->list[i].good = n && n->hops == length - left->list[i].hops;
    }
    for (int64_t i = left->n - 1; i > 0; i--) {
        if (!left->list[i].good) continue;
        left->link_count = 0;
        if (!walk_links(left->x, 0, left->list[i].id, e->in, e->out, &left->links, &left->link_count, &left->link_cap))
            return;
        for (int64_t k = 0; k < left->link_count; k++) {
            Near *n = ball_find(left, left->links[k].other);
            if (n && n->hops == left->list[i].hops - 1) n->good = true;
        }
    }
}

// Does anything in the newest level of a lie in b?
static bool meets(const Ball *a, const Ball *b) {
    for (int64_t i = a->level; i < a->n; i++)
        if (ball_find(b, a->list[i].id)) return true;
    return false;
}

// Between two fixed twins, from both sides. False: stopped.
static bool shortest_between(Short *s, uint64_t left, uint64_t right) {
    Exec *x = s->w.x;
    const QueryEdge *e = edge_of(x);
    Ball a, b;
    if (left == right || !walk_stand(&s->w, e->from, left) || !walk_stand(&s->w, e->to, right)) return exec_goes(x);
    ball_init(&a, x, 0, e->out, e->in);
    ball_init(&b, x, 0, e->in, e->out);
    ball_add(&a, left, 0, -1, 0);
    ball_add(&b, right, 0, -1, 0);
    bool met = false;
    for (bool more = true; more && !met && a.hops + b.hops < e->max && exec_goes(x);) {
        Ball *next = a.n - a.level <= b.n - b.level ? &a : &b;
        more = ball_grow(next);
        met = more && meets(next, next == &a ? &b : &a);
    }
    if (met && exec_goes(x)) {
        Trace t = {.left = &a, .right = &b, .middle = a.hops, .length = a.hops + b.hops};
        mark_good(&a, &b, t.length);
        if (trace(s, &b, &t, left)) give_path(s);
    }
    ball_free(&a);
    ball_free(&b);
    return exec_goes(x);
}

// The way from the start of a left ball to its i-th twin.
static void unwind(Short *s, const Ball *b, int64_t i) {
    s->length = b->list[i].hops;
    for (int32_t k = s->length - 1; k >= 0; k--) {
        s->links[k] = b->list[i].link;
        i = b->list[i].from;
    }
}

// From one left end to all right ends: links are tried in ascending order from twins in the order of their smallest
// paths, so the first way to a twin is its smallest.
static bool shortest_from(Short *s, const Spot *start) {
    Exec *x = s->w.x;
    const QueryEdge *e = edge_of(x);
    const PlanAlias *to = &x->plan->aliases[e->to];
    Ball b;
    ball_init(&b, x, 0, e->out, e->in);
    ball_add(&b, start->at.id, 0, -1, 0);
    s->w.rows[e->from] = start->at;
    s->w.of[e->from] = start->of;
    int64_t missing = to->fixed ? to->id_count : INT64_MAX;
    for (bool more = true; more && missing > 0 && b.hops < e->max && exec_goes(x);) {
        more = ball_grow(&b);
        for (int64_t i = b.level; i < b.n && exec_goes(x); i++) {
            if (!walk_stand(&s->w, e->to, b.list[i].id)) continue;
            missing--;
            unwind(s, &b, i);
            give_path(s);
        }
    }
    ball_free(&b);
    return exec_goes(x);
}

// From all left ends to one right end: distances from the right, then the smallest link that comes nearer.
static bool shortest_to(Short *s, const Spot *end) {
    Exec *x = s->w.x;
    const QueryEdge *e = edge_of(x);
    Ball b;
    ball_init(&b, x, 0, e->in, e->out);
    ball_add(&b, end->at.id, 0, -1, 0);
    s->w.rows[e->to] = end->at;
    s->w.of[e->to] = end->of;
    while (b.hops < e->max && ball_grow(&b)) {}
    for (int64_t i = 1; i < b.n && exec_goes(x); i++) {
        Trace t = {.right = &b, .length = b.list[i].hops};
        if (walk_stand(&s->w, e->from, b.list[i].id) && trace(s, &b, &t, b.list[i].id)) give_path(s);
    }
    ball_free(&b);
    return exec_goes(x);
}

static bool from_one(void *ctx, const Spot *spot) {
    Short *s = ctx;
    return s->w.x->plan->start == edge_of(s->w.x)->from ? shortest_from(s, spot) : shortest_to(s, spot);
}

enum { PAIRS_MAX = 64 }; // more pairs of fixed ends than this are searched from one side

void reach_shortest(Exec *x, const Parts *parts, const Out *out) {
    Short *s = mem_alloc(sizeof *s);
    const QueryEdge *e = edge_of(x);
    const PlanAlias *left = &x->plan->aliases[e->from], *right = &x->plan->aliases[e->to];
    s->out = out;
    walk_init(&s->w, x);
    if (left->fixed && right->fixed && left->id_count * right->id_count <= PAIRS_MAX) {
        for (int64_t i = 0; i < left->id_count && exec_goes(x); i++)
            for (int64_t k = 0; k < right->id_count && shortest_between(s, left->ids[i], right->ids[k]); k++) {}
    } else {
        each_start(x, parts, from_one, s);
    }
    walk_free(&s->w);
    mem_free(s);
}
