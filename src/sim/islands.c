// SPDX-License-Identifier: Apache-2.0
// Twins whose flowing values depend on each other are integrated together: union-find over what flowing instances read
// from neighbours. What is left alone goes into cohorts, rows of one table side by side.
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/rates_inner.h"

#define COHORT_MAX 128 // rows of a cohort: their problems fit a cache together

typedef struct Islands {
    Rates *r;
    uint32_t *up;   // by twin: parent, NONE: no member
    uint32_t *size; // by root
    uint32_t *cap;
} Islands;

static uint32_t root_of(const Islands *s, uint32_t t) {
    while (s->up[t] != t) t = s->up[t] = s->up[s->up[t]];
    return t;
}

static void join(Islands *s, uint32_t a, uint32_t b) {
    a = root_of(s, a);
    b = root_of(s, b);
    if (a == b) return;
    if (a > b) { // the least is the root: an order that does not depend on the way here
        uint32_t x = a;
        a = b;
        b = x;
    }
    s->up[b] = a;
    s->size[a] += s->size[b];
}

static void member(Islands *s, uint32_t t) {
    if (s->up[t] != NONE) return;
    s->up[t] = t;
    s->size[t] = 1;
}

static bool has_row(const RatesInst *in, uint32_t row) { return !in->has || in->has[row]; }

static uint32_t first_of(const Rates *r, const RatesInst *in) { return r->graph->table_first[in->table]; }

static uint32_t rows_of(const Rates *r, const RatesInst *in) {
    return r->graph->table_first[in->table + 1] - first_of(r, in);
}

// The twins at the other ends of a row's edges whose role flows.
static void join_neighbours(Islands *s, const RatesInst *in, uint32_t row, const ProgAgg *a) {
    const Rates *r = s->r;
    for (uint32_t e = a->ptr[row]; e < a->ptr[row + 1]; e++) {
        for (int32_t l = 0; l < a->leaf_count; l++) {
            uint32_t role = a->leaves[l].role ? a->leaves[l].role[e] : a->leaves[l].all;
            if (role == NONE || r->roles[role].link || !r->roles[role].flows) continue;
            uint32_t twin = r->roles[role].first + a->leaves[l].row[e];
            member(s, twin);
            join(s, first_of(r, in) + row, twin);
        }
    }
}

static bool flowing(const RatesInst *in) {
    return in->flows &&
           (in->kind == SAY_ALWAYS || in->kind == SAY_RATE || in->kind == SAY_AT_RATE || in->kind == SAY_WHEN);
}

static void unite(Islands *s) {
    for (uint32_t i = 0; i < s->r->inst_count; i++) {
        const RatesInst *in = &s->r->insts[i];
        if (!flowing(in)) continue;
        for (uint32_t row = 0; row < rows_of(s->r, in); row++) {
            if (!has_row(in, row)) continue;
            member(s, first_of(s->r, in) + row);
            for (uint32_t k = 0; k < in->read_count; k++) {
                if (in->reads[k].via == VIA_TWIN && s->r->roles[in->reads[k].role].flows)
                    join_neighbours(s, in, row, &s->r->aggs[in->reads[k].agg]);
            }
        }
    }
}

// ---- systems --------------------------------------------------------------------------------------------------------

// Twins of one table for each of which the same instances hold.
static bool uniform(const Rates *r, uint32_t table) {
    for (uint32_t i = 0; i < r->inst_count; i++) {
        if (r->insts[i].table == table && flowing(&r->insts[i]) && r->insts[i].has) return false;
    }
    return true;
}

static void add_kinks(Rates *r, RatesSystem *s, const RatesInst *in) {
    if (in->kink_count == 0) return;
    double *all = NEW(&r->keep, double, s->kink_count + in->kink_count);
    uint32_t n = 0, i = 0, k = 0;
    while (i < s->kink_count || k < in->kink_count) {
        double a = i < s->kink_count ? s->kinks[i] : INFINITY, b = k < in->kink_count ? in->kinks[k] : INFINITY;
        all[n++] = a <= b ? a : b;
        i += a <= b;
        k += b <= a;
    }
    s->kinks = all;
    s->kink_count = n;
}

static void add_part(Rates *r, RatesSystem *s, const RatesPart *p) {
    const RatesInst *in = &r->insts[p->inst];
    RatesPart part = *p;
    add_kinks(r, s, in);
    for (uint32_t i = 0; i < r->delay_count; i++) {
        if (r->delays[i].inst == p->inst && r->delays[i].span < s->delay_least) s->delay_least = r->delays[i].span;
    }
    if (in->kind == SAY_ALWAYS) s->defs[s->def_count++] = part;
    else if (in->kind == SAY_WHEN) {
        s->roots += (uint32_t)in->expr.roots;
        s->whens[s->when_count++] = part;
    } else {
        part.at = s->n;
        s->n += s->cohort ? 1 : part.count;
        s->rates[s->rate_count++] = part;
    }
}

static RatesSystem *new_system(Rates *r, uint32_t *cap, bool cohort, uint32_t width, uint32_t parts) {
    RatesSystem *s = RATES_PUSH(r, r->systems, r->system_count, *cap);
    *s = (RatesSystem){.cohort = cohort, .width = width, .delay_least = INFINITY};
    s->defs = NEW(&r->keep, RatesPart, parts + 1);
    s->rates = NEW(&r->keep, RatesPart, parts + 1);
    s->whens = NEW(&r->keep, RatesPart, parts + 1);
    return s;
}

// Rows [row, row + count) of a table, alone.
static void add_cohort(Rates *r, uint32_t *cap, uint32_t table, uint32_t row, uint32_t count) {
    uint32_t n = 0, first = r->graph->table_first[table];
    for (uint32_t i = 0; i < r->inst_count; i++) n += r->insts[i].table == table && flowing(&r->insts[i]);
    RatesSystem *s = new_system(r, cap, true, count, n);
    for (uint32_t i = 0; i < r->inst_count; i++) {
        if (r->insts[i].table == table && flowing(&r->insts[i]))
            add_part(r, s, &(RatesPart){.inst = i, .first = row, .count = count});
    }
    for (uint32_t k = 0; k < count; k++) {
        r->system_of[first + row + k] = r->system_count - 1;
        r->place_of[first + row + k] = k;
    }
}

static int by_twin(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// The rows of an instance among twins (ascending).
static RatesPart part_of(Rates *r, uint32_t inst, const uint32_t *twins, uint32_t n) {
    const RatesInst *in = &r->insts[inst];
    uint32_t first = first_of(r, in), rows = rows_of(r, in), *list = NEW(&r->keep, uint32_t, n + 1), count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (twins[i] >= first && twins[i] - first < rows && has_row(in, twins[i] - first))
            list[count++] = twins[i] - first;
    }
    bool whole = count && list[count - 1] - list[0] == count - 1;
    return (RatesPart){.inst = inst, .first = count ? list[0] : 0, .count = count, .rows = whole ? NULL : list};
}

static void add_island(Rates *r, uint32_t *cap, const uint32_t *twins, uint32_t n) {
    RatesSystem *s = new_system(r, cap, false, 1, r->inst_count);
    for (uint32_t i = 0; i < n; i++) r->system_of[twins[i]] = r->system_count - 1;
    for (uint32_t i = 0; i < r->inst_count; i++) {
        if (!flowing(&r->insts[i])) continue;
        RatesPart p = part_of(r, i, twins, n);
        if (p.count) add_part(r, s, &p);
    }
}

// Stretches of lone twins of one table, and islands by their least twin.
static void collect(Islands *s) {
    Rates *r = s->r;
    uint32_t cap = 0, n = r->graph->twins, *next = mem_alloc((n + 1) * sizeof *next), *list = mem_alloc((n + 1) * 4);
    uint32_t *head = mem_alloc((n + 1) * sizeof *head);
    for (uint32_t i = 0; i < n; i++) head[i] = NONE;
    for (uint32_t i = n; i-- > 0;) { // members of each root, ascending
        if (s->up[i] == NONE) continue;
        uint32_t root = root_of(s, i);
        next[i] = head[root];
        head[root] = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t table = r->graph->table[i], end = r->graph->table_first[table + 1], k = i, count = 0;
        if (s->up[i] != i) continue;
        bool alone = s->size[i] == 1 && uniform(r, table);
        while (alone && k < end && k - i < COHORT_MAX && s->up[k] == k && s->size[k] == 1) k++;
        if (alone) {
            add_cohort(r, &cap, table, i - r->graph->table_first[table], k - i);
            i = k - 1;
            continue;
        }
        for (uint32_t t = head[i]; t != NONE; t = next[t]) list[count++] = t;
        qsort(list, count, sizeof *list, by_twin);
        add_island(r, &cap, list, count);
    }
    mem_free(next);
    mem_free(list);
    mem_free(head);
}

void islands_make(Rates *r) {
    uint32_t n = r->graph->twins;
    Islands s = {.r = r, .up = mem_alloc((n + 1) * 4), .size = mem_alloc((n + 1) * 4)};
    r->system_of = NEW(&r->keep, uint32_t, n + 1);
    r->place_of = NEW(&r->keep, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) s.up[i] = r->system_of[i] = NONE;
    unite(&s);
    collect(&s);
    mem_free(s.up);
    mem_free(s.size);
}
