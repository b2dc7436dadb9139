// SPDX-License-Identifier: Apache-2.0
// Counting what is watched, in a way that does not depend on where anybody looks.
//
// A watch that moves by events alone has one value from instant to instant. Of another, the time is cut into panels: at
// instants, at kinks in time, and where the shortest of the steps it sees would end if they all began together. A panel
// is integrated when everything up to its end is known; it is then the same whenever that was. What lies behind the
// last panel is integrated too, but beside: the tail is made again each time, unless an instant ends it there.
//
// Invariants
//  1. Of a watched problem, all steps that lie behind the least `since` of its watches are kept: at most TALLY_PIECES,
//     because a panel has no more of any problem.
//  2. Columns hold anything during motion: who moves shows them again at the end.
#include <math.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "num/root.h"
#include "sim/rates.h"

#define PANEL_AGREE 1e-8  // part of a panel by which the two formulas may differ
#define PANEL_EQUAL 1e-13 // part of themselves
#define PANEL_HALVES 32   // how often it is halved at most
#define PANEL_LOOKS 4000  // after so many looks it is not halved any more
#define LOOK_DEFAULT 60.0 // s: longest panel
#define PEAK_LOOKS 8      // parabolas at a least or most
#define ROOTS_MAX 64      // comparisons of an expression that are narrowed

// Steps of one problem: in the state until one comes.
typedef struct Pieces {
    double *p; // NULL: in the state
    uint32_t n, cap;
} Pieces;

static size_t stride_of(uint32_t n) { return 2 + 5 * (size_t)n; }

size_t tally_kept_size(uint32_t n) { return 8 * (1 + TALLY_PIECES * stride_of(n)); }

static Tally *tally_at(const Call *c, uint32_t watch, uint32_t lane) {
    return (Tally *)state_at(c, c->l->tallies) + (size_t)watch * c->lanes + lane;
}

// ---- sums -----------------------------------------------------------------------------------------------------------

// Neumaier 1974.
static void add(double *sum, double *low, double x) {
    double t = *sum + x;
    *low += fabs(*sum) >= fabs(x) ? (*sum - t) + x : (x - t) + *sum;
    *sum = t;
}

static void widen(double *least, double *most, double v) {
    if (!(v == v)) return;
    if (!(v >= *least)) *least = v;
    if (!(v <= *most)) *most = v;
}

// It was `now` from `since` to t.
static void count_still(Tally *x, double t) {
    double span = t - x->since;
    x->since = t;
    if (!(span > 0)) return;
    if (!(x->now == x->now)) {
        add(&x->lost, &x->lost_low, span);
        return;
    }
    add(&x->sum, &x->sum_low, x->now * span);
    widen(&x->least, &x->most, x->now);
}

static bool at_ends(const RatesWatch *w) { return w->flows && !w->counted; }

// Of what is wanted as of the end alone: by the last instant it had a value, or none, up to t.
static void count_known(Tally *x, double t) {
    if (t > x->since && !(x->tail == x->tail)) add(&x->lost, &x->lost_low, t - x->since);
    x->since = t;
}

static void tail_clear(Tally *x, double t) {
    x->end = t;
    x->tail = x->tail_lost = 0;
    x->tail_least = x->tail_most = (double)NAN;
}

static void tail_take(Tally *x) {
    if (!(x->end > x->since)) return;
    add(&x->sum, &x->sum_low, x->tail);
    add(&x->lost, &x->lost_low, x->tail_lost);
    widen(&x->least, &x->most, x->tail_least);
    widen(&x->least, &x->most, x->tail_most);
    x->since = x->end;
    tail_clear(x, x->end);
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static size_t kept_number(const Call *c, uint32_t system, uint32_t place, uint32_t lane) {
    return (size_t)c->r->systems[system].kept_of[place] * c->lanes + lane;
}

// Of a watched problem: how many are kept, and the first of them.
static double *kept_at(const Call *c, uint32_t system, size_t number) {
    return state_f64(c, c->l->kept[system]) + number * (tally_kept_size(c->r->systems[system].n) / 8);
}

static const double *pieces_of(const Call *c, uint32_t system, size_t number, uint32_t *n) {
    const Pieces *list = &c->pieces[system][number];
    *n = list->n;
    return list->p ? list->p : kept_at(c, system, number) + 1;
}

// Room for one more; the first time those in the state are copied.
static double *piece_new(Call *c, uint32_t system, size_t number) {
    Pieces *list = &c->pieces[system][number];
    size_t size = stride_of(c->r->systems[system].n);
    if (!list->p || list->n == list->cap) {
        uint32_t n, cap = list->n < TALLY_PIECES ? 2 * TALLY_PIECES : 2 * list->n;
        const double *old = pieces_of(c, system, number, &n);
        double *more = NEW(&c->tmp, double, (int64_t)(cap * size));
        if (n) memcpy(more, old, n * size * sizeof *more);
        list->p = more;
        list->cap = cap;
    }
    return list->p + size * list->n++;
}

static uint32_t slot_of(const Call *c, const RatesSystem *s, uint32_t place, uint32_t lane) {
    return s->cohort ? place * c->lanes + lane : lane;
}

void tally_begin(Call *c) {
    const Rates *r = c->r;
    uint32_t most = 0;
    c->pieces = NEW(&c->tmp, Pieces *, r->system_count + 1);
    for (uint32_t i = 0; i < r->system_count; i++) {
        const RatesSystem *s = &r->systems[i];
        if (!c->l->kept[i]) continue;
        c->pieces[i] = NEW(&c->tmp, Pieces, (int64_t)s->kept_count * c->lanes);
        for (size_t k = 0; k < (size_t)s->kept_count * c->lanes; k++) c->pieces[i][k].n = (uint32_t)kept_at(c, i, k)[0];
        most = s->n > most ? s->n : most;
    }
    c->watch_y = NEW(&c->tmp, double, most + 1);
}

void tally_step(const Flow *f) {
    Call *c = f->c;
    const RatesSystem *s = f->s;
    size_t m = (size_t)s->n * f->slots;
    if (!c->l->kept[f->number]) return;
    for (uint32_t w = 0; w < f->slots; w++) {
        uint32_t place = s->cohort ? w / c->lanes : 0, lane = s->cohort ? w % c->lanes : w;
        if (!f->mask[w] || s->kept_of[place] == NONE) continue;
        double *p = piece_new(c, f->number, kept_number(c, f->number, place, lane));
        p[0] = f->rk.t0[w];
        p[1] = f->rk.t[w];
        for (size_t i = 0; i < 5; i++) {
            for (size_t j = 0; j < s->n; j++) p[2 + i * s->n + j] = f->rk.dense[i * m + j * f->slots + w];
        }
    }
}

void tally_back(Call *c) {
    for (uint32_t i = 0; i < c->r->system_count; i++) {
        const RatesSystem *s = &c->r->systems[i];
        if (!c->l->kept[i]) continue;
        Rk45 rk = flow_rk(c, i);
        size_t size = stride_of(s->n);
        for (uint32_t place = 0; place < s->width; place++) {
            for (uint32_t lane = 0; s->kept_of[place] != NONE && lane < c->lanes; lane++) {
                Pieces *list = &c->pieces[i][kept_number(c, i, place, lane)];
                double t = rk.t[slot_of(c, s, place, lane)];
                while (list->p && list->n && list->p[(list->n - 1) * size + 1] > t) list->n--;
            }
        }
    }
}

double tally_goal(const Call *c, double from, double to) {
    double at = INFINITY, h = INFINITY;
    for (uint32_t i = 0; i < c->r->system_count; i++) {
        const RatesSystem *s = &c->r->systems[i];
        if (!c->l->kept[i]) continue;
        Rk45 rk = flow_rk(c, i);
        for (uint32_t place = 0; place < s->width; place++) {
            for (uint32_t lane = 0; s->kept_of[place] != NONE && lane < c->lanes; lane++) {
                uint32_t w = slot_of(c, s, place, lane);
                at = fmin(at, rk.t[w]);
                h = fmin(h, rk.h[w] > 0 ? rk.h[w] : 1e-3);
            }
        }
    }
    if (isinf(at)) return to;
    at = fmax(at, from);
    return fmin(to, at + fmax(32 * h, (to - at) / 256));
}

// So many are kept now; where others were is 0 again.
static void keep_count(double *kept, size_t size, uint32_t n) {
    uint32_t before = (uint32_t)kept[0];
    if (before > n) memset(kept + 1 + n * size, 0, (before - n) * size * sizeof *kept);
    kept[0] = n;
}

// What is not needed any more goes, the rest into the state.
static void keep_pieces(Call *c, uint32_t system, size_t number, double since) {
    size_t size = stride_of(c->r->systems[system].n);
    uint32_t n, gone = 0;
    double *kept = kept_at(c, system, number);
    const double *p = pieces_of(c, system, number, &n);
    while (gone < n && p[gone * size + 1] <= since) gone++;
    CHECK(n - gone <= TALLY_PIECES);
    if (n > gone && (gone || c->pieces[system][number].p))
        memmove(kept + 1, p + gone * size, (n - gone) * size * sizeof *p);
    keep_count(kept, size, n - gone);
}

void tally_cut(Call *c, uint32_t system, uint32_t slot) {
    const RatesSystem *s = &c->r->systems[system];
    uint32_t place = s->cohort ? slot / c->lanes : 0, lane = s->cohort ? slot % c->lanes : slot;
    if (c->l->kept[system] && s->kept_of[place] != NONE) kept_at(c, system, kept_number(c, system, place, lane))[0] = 0;
}

static void keep_all(Call *c) {
    const Rates *r = c->r;
    double **since = NEW(&c->tmp, double *, r->system_count + 1);
    for (uint32_t i = 0; i < r->system_count; i++) {
        size_t n = c->l->kept[i] ? (size_t)r->systems[i].kept_count * c->lanes : 0;
        if (n) since[i] = NEW(&c->tmp, double, (int64_t)n);
        for (size_t k = 0; k < n; k++) since[i][k] = INFINITY;
    }
    for (uint32_t w = 0; w < r->watch_count; w++) {
        for (uint32_t k = 0; k < r->watches[w].spot_count; k++) {
            const RatesSpot *s = &r->watches[w].spots[k];
            for (uint32_t lane = 0; c->l->kept[s->system] && lane < c->lanes; lane++) {
                double *least = &since[s->system][kept_number(c, s->system, s->place, lane)];
                *least = fmin(*least, tally_at(c, w, lane)->since);
            }
        }
    }
    for (uint32_t i = 0; i < r->system_count; i++) {
        size_t n = c->l->kept[i] ? (size_t)r->systems[i].kept_count * c->lanes : 0;
        for (size_t k = 0; k < n; k++) keep_pieces(c, i, k, since[i][k]);
    }
}

// ---- values at any time ---------------------------------------------------------------------------------------------

// What is looked at, and what it came to.
typedef struct Panel {
    Call *c;
    const RatesWatch *w;
    uint32_t lane;
    int looks;
    double agree; // difference of the formulas that will do
    double sum, lost;
    double least, most; // of all so far
} Panel;

typedef struct Look {
    double t, v;
    double roots[ROOTS_MAX];
} Look;

// The unknowns of a problem at t.
static const double *unknowns(const Panel *x, const RatesSpot *spot, uint32_t slot, double t) {
    Call *c = x->c;
    size_t n = c->r->systems[spot->system].n, size = stride_of((uint32_t)n);
    uint32_t count;
    if (n == 0) return c->watch_y;
    const double *p = pieces_of(c, spot->system, kept_number(c, spot->system, spot->place, x->lane), &count);
    if (count == 0) {
        Rk45 rk = flow_rk(c, spot->system);
        for (size_t i = 0; i < n; i++) c->watch_y[i] = rk.y[i * (size_t)rk.lanes + slot];
        return c->watch_y;
    }
    const double *at = p + (count - 1) * size;
    while (at > p && t < at[0]) at -= size;
    double th = (t - at[0]) / (at[1] - at[0]), o = 1 - th;
    const double *d = at + 2;
    for (size_t i = 0; i < n; i++)
        c->watch_y[i] = d[i] + th * (d[n + i] + o * (d[2 * n + i] + th * (d[3 * n + i] + o * d[4 * n + i])));
    return c->watch_y;
}

static void show_at(const Panel *x, double t) {
    Call *c = x->c;
    for (uint32_t i = 0; i < x->w->spot_count; i++) {
        const RatesSpot *spot = &x->w->spots[i];
        Flow f = {.c = c, .number = spot->system, .s = &c->r->systems[spot->system]};
        f.at = &c->l->systems[spot->system];
        f.slots = f.at->slots;
        uint32_t slot = slot_of(c, f.s, spot->place, x->lane);
        flow_show_slot(&f, slot, t, unknowns(x, spot, slot, t));
    }
}

// Columns as a watch sees them: what is derived for it alone is computed from what the others hold, in memory of the
// call, so that nobody else sees it.
static void see_asides(Call *c, const RatesWatch *w, uint32_t lane, ProgRun *run) {
    const Rates *r = c->r;
    if (!w->aside_count) return;
    if (!c->watch_col) {
        c->watch_col = NEW(&c->tmp, sim_col, r->role_count + 1);
        c->aside = NEW(&c->tmp, double *, r->role_count + 1);
    }
    memcpy(c->watch_col, c->c->col, r->role_count * sizeof *c->watch_col);
    run->col = c->watch_col;
    run->roots = NULL;
    for (uint32_t i = 0; i < w->aside_count; i++) {
        const RatesAside *a = &w->asides[i];
        const double *held = c->c->col[a->role].v;
        double **mine = &c->aside[a->role];
        if (!*mine) *mine = mem_alloc((size_t)r->roles[a->role].rows * c->lanes * sizeof **mine);
        c->watch_col[a->role].v = *mine;
        ProgSel sel = {.rows = a->at.rows, .n = a->at.count, .lane = (int16_t)lane};
        if (a->inst != NONE) prog_run(&r->asides[a->inst].expr, run, &sel, NULL, *mine);
        for (uint32_t k = 0; a->inst == NONE && k < a->at.count; k++) {
            size_t at = (size_t)a->at.rows[k] * c->lanes + lane;
            (*mine)[at] = held[at];
        }
    }
}

void tally_free(Call *c) {
    for (uint32_t i = 0; c->aside && i < c->r->role_count; i++) mem_free(c->aside[i]);
}

// The expression with what columns hold, at t; roots may be NULL.
static double value_at(Call *c, const RatesWatch *w, uint32_t lane, double t, double *roots) {
    double at[SIM_LANES_MAX], v, room[ROOTS_MAX];
    for (int i = 0; i < SIM_LANES_MAX; i++) at[i] = t;
    ProgRun run = c->run;
    run.t = at;
    run.t_each = false;
    see_asides(c, w, lane, &run);
    run.roots = w->expr.roots <= ROOTS_MAX ? (roots ? roots : room) : NULL;
    ProgSel sel = {.first = w->row, .n = 1, .lane = (int16_t)lane};
    prog_run(&w->expr, &run, &sel, &v, NULL);
    return v;
}

static void look_at(Panel *x, double t, Look *out) {
    x->looks++;
    show_at(x, t);
    out->t = t;
    out->v = value_at(x->c, x->w, x->lane, t, out->roots);
}

// ---- panels ---------------------------------------------------------------------------------------------------------

typedef struct Crossing {
    Panel *x;
    int root;
    Look look;
} Crossing;

static double difference(void *ctx, double t) {
    Crossing *k = ctx;
    look_at(k->x, t, &k->look);
    return k->look.roots[k->root];
}

// The comparison that changes sides first between two looks; -1: none does.
static int crossed(const Panel *x, const Look *a, const Look *b) {
    if (x->w->expr.roots > ROOTS_MAX) return -1;
    for (int i = 0; i < x->w->expr.roots; i++) {
        if (a->roots[i] * b->roots[i] < 0) return i;
    }
    return -1;
}

static void walk(Panel *x, const Look *a, const Look *b, int depth);

// Up to the crossing, and behind it.
static void walk_around(Panel *x, int root, const Look *a, const Look *before, const Look *after, const Look *b,
                        int depth) {
    Crossing k = {.x = x, .root = root};
    double lo = before->t, hi = after->t;
    Look l, r;
    root_narrow(difference, &k, &lo, before->roots[root], &hi, after->roots[root], 4e-16 * fabs(hi));
    look_at(x, lo, &l);
    look_at(x, hi, &r);
    if (lo > a->t) walk(x, a, &l, depth - 1);
    if (hi < b->t) walk(x, &r, b, depth - 1);
}

// Where the parabola through three looks has its top or bottom.
static double vertex(const double t[3], const double v[3]) {
    double p = (t[1] - t[0]) * (v[1] - v[2]), q = (t[1] - t[2]) * (v[1] - v[0]);
    return t[1] - 0.5 * ((t[1] - t[0]) * p - (t[1] - t[2]) * q) / (p - q);
}

// The highest value (sign -1: lowest) between three looks of which the one between is the highest: parabolas, each
// through the highest and those beside it.
static double peak(Panel *x, const Look *a, const Look *m, const Look *b, double sign) {
    double t[3] = {a->t, m->t, b->t}, v[3] = {sign * a->v, sign * m->v, sign * b->v};
    for (int i = 0; i < PEAK_LOOKS; i++) {
        double at = vertex(t, v);
        Look l;
        if (!(at > t[0] && at < t[2]) || fabs(at - t[1]) < 1e-9 * (t[2] - t[0])) break;
        look_at(x, at, &l);
        double w = sign * l.v;
        if (!(w == w)) break;
        bool higher = w > v[1], right = at > t[1];
        int from = higher == right ? 0 : 2; // the side that goes
        t[from] = higher ? t[1] : at;
        v[from] = higher ? v[1] : w;
        if (!higher) continue;
        t[1] = at;
        v[1] = w;
    }
    return sign * v[1];
}

// The three looks at an end of a panel of which the outermost is the highest: there may be a higher one beside it.
static double peak_beside(Panel *x, const Look *end, const Look *next, const Look *third, double sign) {
    double t[3] = {end->t, next->t, third->t}, v[3] = {sign * end->v, sign * next->v, sign * third->v};
    double at = vertex(t, v);
    Look l;
    if (!(fmin(t[0], t[1]) < at && at < fmax(t[0], t[1]))) return end->v;
    look_at(x, at, &l);
    if (!(sign * l.v > v[0])) return end->v;
    return end->t < next->t ? peak(x, end, &l, next, sign) : peak(x, next, &l, end, sign);
}

// sign 1: the most, -1: the least.
static void take_extreme(Panel *x, const Look *l, int n, double sign) {
    int k = 0;
    for (int i = 1; i < n; i++) k = sign * l[i].v > sign * l[k].v || !(l[k].v == l[k].v) ? i : k;
    double best = sign > 0 ? x->most : x->least, v = l[k].v;
    if (!x->w->extremes || !(v == v) || sign * v < sign * best) return; // by what is known it cannot be
    if (k == 0) v = peak_beside(x, &l[0], &l[1], &l[2], sign);
    else if (k == n - 1) v = peak_beside(x, &l[n - 1], &l[n - 2], &l[n - 3], sign);
    else if (l[k - 1].v == l[k - 1].v && l[k + 1].v == l[k + 1].v) v = peak(x, &l[k - 1], &l[k], &l[k + 1], sign);
    widen(&x->least, &x->most, v);
}

static void take_extremes(Panel *x, const Look *looks, int n) {
    for (int i = 0; i < n; i++) widen(&x->least, &x->most, looks[i].v);
    take_extreme(x, looks, n, 1);
    take_extreme(x, looks, n, -1);
}

// The integral by both formulas, of the values, or of 1 where there is none.
static void formulas(const Look *l, bool lost, double h, double *small, double *large) {
    double v[7];
    for (int i = 0; i < 7; i++) v[i] = lost ? !(l[i].v == l[i].v) : l[i].v == l[i].v ? l[i].v : 0;
    *small = h * ((v[0] + v[6]) / 6 + 5 * (v[2] + v[4]) / 6);
    *large = h * (11 * (v[0] + v[6]) / 210 + 72 * (v[1] + v[5]) / 245 + 125 * (v[2] + v[4]) / 294 + 16 * v[3] / 35);
}

static double size_of(const Look l[7]) {
    double size = 0;
    for (int i = 0; i < 7; i++) size = l[i].v == l[i].v ? fmax(size, fabs(l[i].v)) : size;
    return size;
}

// Integrate between two looks; behind jumps and kinks both halves, and theirs.
static void walk(Panel *x, const Look *a, const Look *b, int depth) {
    static const double AT[] = {-0.81649658092772603, -0.44721359549995794, 0, 0.44721359549995794,
                                0.81649658092772603};
    double h = (b->t - a->t) / 2, mid = (a->t + b->t) / 2, small, large, small_lost, large_lost;
    Look l[7];
    l[0] = *a;
    l[6] = *b;
    for (int i = 0; i < 5; i++) look_at(x, mid + h * AT[i], &l[i + 1]);
    if (x->agree < 0) x->agree = PANEL_AGREE * 2 * h * size_of(l);
    if (x->looks > PANEL_LOOKS) depth = 0;
    for (int i = 0; depth > 0 && i < 6; i++) {
        int root = crossed(x, &l[i], &l[i + 1]);
        if (root >= 0 && l[i + 1].t - l[i].t > 1e-14 * fabs(mid)) {
            walk_around(x, root, a, &l[i], &l[i + 1], b, depth);
            return;
        }
    }
    formulas(l, false, h, &small, &large);
    formulas(l, true, h, &small_lost, &large_lost);
    bool fine = fabs(small - large) <= fmax(x->agree, PANEL_EQUAL * fabs(large)) &&
                fabs(small_lost - large_lost) <= 2 * PANEL_AGREE * h;
    if (fine || depth <= 0 || !(h > 1e-14 * fabs(mid))) {
        x->sum += large;
        x->lost += large_lost;
        take_extremes(x, l, 7);
        return;
    }
    Look m = l[3];
    walk(x, a, &m, depth - 1);
    walk(x, &m, b, depth - 1);
}

static Panel panel(Call *c, uint32_t watch, uint32_t lane, double from, double to) {
    const Tally *y = tally_at(c, watch, lane);
    Panel x = {.c = c, .w = &c->r->watches[watch], .lane = lane, .agree = -1};
    Look a, b;
    x.least = y->least;
    x.most = y->most;
    look_at(&x, from, &a);
    look_at(&x, to, &b);
    walk(&x, &a, &b, PANEL_HALVES);
    return x;
}

// The end of the panel that begins at `from`, when that is known by t; else later than t.
static double panel_end(const Call *c, const RatesWatch *w, uint32_t lane, double from, double t) {
    double longest = c->r->options.watch_s > 0 ? c->r->options.watch_s : LOOK_DEFAULT, end = from + longest;
    uint32_t lo = 0, hi = w->kink_count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (w->kinks[mid] > from) hi = mid;
        else lo = mid + 1;
    }
    if (lo < w->kink_count) end = fmin(end, w->kinks[lo]);
    for (uint32_t i = 0; i < w->spot_count && from < t; i++) {
        const RatesSpot *s = &w->spots[i];
        if (!c->l->kept[s->system]) continue;
        uint32_t n, k = 0;
        const double *p = pieces_of(c, s->system, kept_number(c, s->system, s->place, lane), &n);
        size_t size = stride_of(c->r->systems[s->system].n);
        while (k < n && p[k * size + 1] <= from) k++;
        if (k == n) continue;
        end = fmin(end, from + (p[k * size + 1] - p[k * size]));
        if (k + TALLY_PIECES <= n) end = fmin(end, p[(k + TALLY_PIECES - 1) * size + 1]);
    }
    return end > from ? end : nextafter(from, INFINITY);
}

static void tail_make(Call *c, uint32_t watch, uint32_t lane, double t) {
    Tally *y = tally_at(c, watch, lane);
    tail_clear(y, t);
    if (!(t > y->since)) return;
    Panel x = panel(c, watch, lane, y->since, t);
    y = tally_at(c, watch, lane);
    y->tail = x.sum;
    y->tail_lost = x.lost;
    y->tail_least = x.least;
    y->tail_most = x.most;
}

void tally_move(Call *c, double t, uint8_t ends) {
    for (uint32_t w = 0; w < c->r->watch_count; w++) {
        if (!c->r->watches[w].counted) continue;
        for (uint32_t lane = 0; lane < c->lanes; lane++) {
            double end;
            while ((end = panel_end(c, &c->r->watches[w], lane, tally_at(c, w, lane)->since, t)) <= t) {
                tail_make(c, w, lane, end);
                tail_take(tally_at(c, w, lane));
            }
            if (ends >> lane & 1) tail_make(c, w, lane, t);
        }
    }
}

void tally_end(Call *c, double t, uint8_t ends) {
    bool any = false;
    for (uint32_t w = 0; w < c->r->watch_count; w++) any = any || c->r->watches[w].flows;
    if (!any) return;
    keep_all(c);
    for (uint32_t w = 0; w < c->r->watch_count; w++) {
        for (uint32_t lane = 0; c->r->watches[w].flows && lane < c->lanes; lane++) {
            if (ends >> lane & 1) tally_at(c, w, lane)->now = value_at(c, &c->r->watches[w], lane, t, NULL);
        }
    }
}

// ---- instants -------------------------------------------------------------------------------------------------------

void tally_init(Call *c) {
    for (uint32_t w = 0; w < c->r->watch_count; w++) {
        for (uint32_t lane = 0; lane < c->lanes; lane++) {
            Tally *y = tally_at(c, w, lane);
            *y = (Tally){.since = c->t, .least = (double)NAN, .most = (double)NAN};
            tail_clear(y, c->t);
            y->now = value_at(c, &c->r->watches[w], lane, c->t, NULL);
            if (at_ends(&c->r->watches[w])) y->tail = y->now;
        }
    }
}

void tally_close(Call *c) {
    for (uint32_t w = 0; w < c->r->watch_count; w++) {
        for (uint32_t lane = 0; c->r->watches[w].counted && lane < c->lanes; lane++) {
            Tally *y = tally_at(c, w, lane);
            if (!(c->c->lane_mask >> lane & 1)) continue;
            tail_take(y);
            y->since = c->t;
        }
    }
}

void tally_look(Call *c) {
    for (uint32_t w = 0; w < c->r->watch_count; w++) {
        const RatesWatch *watch = &c->r->watches[w];
        for (uint32_t lane = 0; lane < c->lanes; lane++) {
            if (!(c->c->lane_mask >> lane & 1) || (!watch->flows && !c->watch_dirty[w * c->lanes + lane])) continue;
            Tally *y = tally_at(c, w, lane);
            double v = value_at(c, watch, lane, c->t, NULL);
            if (!watch->flows && memcmp(&v, &y->now, sizeof v) == 0) continue;
            if (!watch->flows) count_still(y, c->t);
            if (at_ends(watch)) count_known(y, c->t);
            y->now = v;
            tail_clear(y, c->t);
            if (at_ends(watch)) y->tail = v;
        }
    }
}

static bool listed(const RatesRows *l, uint32_t row) {
    uint32_t lo = 0, hi = l->count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (l->rows[mid] < row) lo = mid + 1;
        else hi = mid;
    }
    return lo < l->count && l->rows[lo] == row;
}

static bool reads_over(const Call *c, const RatesWatch *w, const RatesDep *d, uint32_t dense) {
    const SimGraph *g = c->r->graph;
    const RatesHop *h = &c->r->hops[d->agg];
    uint32_t self = g->table_first[w->table] + w->row;
    if (d->via == VIA_LINK) return (h->out && g->from[dense] == self) || (h->in && g->to[dense] == self);
    for (uint32_t i = g->in_ptr[dense]; h->out && i < g->in_ptr[dense + 1]; i++) {
        if (g->from[g->in_link[i]] == self && h->kinds[g->kind[g->in_link[i]]]) return true;
    }
    for (uint32_t i = g->out_ptr[dense]; h->in && i < g->out_ptr[dense + 1]; i++) {
        if (g->to[g->out_link[i]] == self && h->kinds[g->kind[g->out_link[i]]]) return true;
    }
    return false;
}

void tally_soil(Call *c, uint32_t role, uint32_t elem) {
    const RatesRole *r = &c->r->roles[role];
    uint32_t row = elem / c->lanes, lane = elem % c->lanes;
    for (uint32_t i = 0; i < r->watcher_count; i++) {
        const RatesDep *d = &r->watchers[i];
        const RatesWatch *w = &c->r->watches[d->inst];
        uint8_t *dirty = &c->watch_dirty[d->inst * c->lanes + lane];
        if (*dirty || w->flows) continue;
        if (d->via == VIA_ROWS) *dirty = listed(&c->r->lists[d->agg], row);
        else *dirty = d->via == VIA_OWN ? row == w->row : reads_over(c, w, d, r->first + row);
    }
}

void tally_read(const Rates *r, const Layout *l, const void *state, uint32_t watch, uint32_t lane, double t,
                RatesWatched *out) {
    Tally y = ((const Tally *)(const void *)((const char *)state + l->tallies))[(size_t)watch * l->lanes + lane];
    if (r->watches[watch].counted) tail_take(&y);
    else if (r->watches[watch].flows) count_known(&y, t);
    else if (t > y.since) count_still(&y, t);
    else widen(&y.least, &y.most, y.now);
    *out = (RatesWatched){.now = y.now, .sum = y.sum + y.sum_low, .known = t - (y.lost + y.lost_low)};
    widen(&y.least, &y.most, y.now);
    out->least = y.least;
    out->most = y.most;
}
