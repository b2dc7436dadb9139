// SPDX-License-Identifier: Apache-2.0
// Order: rows collected before the first one leaves: ORDER BY, DISTINCT, and walks that went another way than the text.
// A Sorter belongs to one thread; several are joined by sorter_take. What it keeps of a row is what names it (rows of
// its aliases, the links of its variable-length edges) and what compares it; DISTINCT keeps the values as well.
//
// The order is total (query.h), so neither the plan nor the number of threads shows in it. With TOP(n), at most twice n
// rows and some are held: when there are more the smallest n stay, and what is not smaller than the n-th is refused.
#pragma once
#include "query/run.h"

// The links of a row's variable-length edges.
typedef struct Trail {
    const uint64_t *links; // of all such edges, one after the other
    const int32_t *counts; // by edge as written; 0 for single hops
} Trail;

typedef struct Entry {
    uint64_t hash;           // DISTINCT
    const ExprValue *keys;   // by ORDER BY
    const ExprValue *values; // by column; DISTINCT only
    const Bound *const *bounds;
    const ExprRow *rows; // by alias
    const uint32_t *of;
    Trail trail;
} Entry;

typedef struct Sorter {
    const Plan *plan;
    Meter *meter;
    Arena arena;
    Entry **list;
    int64_t n, cap, keep; // keep: TOP, -1
    Entry *worst;         // no entry at or behind it is wanted; NULL: all are
    Entry **slots;        // DISTINCT: open addressing
    int64_t slot_cap;
    int64_t told; // bytes the meter knows
} Sorter;

// Start with no row; release everything.
void sorter_init(Sorter *s, const Plan *p, Meter *m);
void sorter_free(Sorter *s);
// Take a row. False: stop (error or limit).
bool sorter_add(Sorter *s, Exec *x, const ExprRow *rows, const uint32_t *of, const Trail *trail);
// Take everything from `from`, whose bound expressions live as long as s.
void sorter_take(Sorter *s, Sorter *from);
// Sort and cut to TOP: list[0..n).
void sorter_finish(Sorter *s);

// Stable merge sort of n pointers.
void order_sort(void **p, int64_t n, int (*compare)(const void *ctx, const void *a, const void *b), const void *ctx);
// A hash of a value in the form of query_value_plain: equal for values that order equal.
uint64_t order_hash(const ExprValue *v);
