// SPDX-License-Identifier: Apache-2.0
// Group: aggregates by hash. A Groups belongs to one thread; parts of a scan have one each, merged in the order of the
// parts, so that sums of doubles do not depend on the number of threads.
#pragma once
#include "query/run.h"

typedef struct Group {
    uint64_t hash;
    ExprValue *keys;     // by GROUP BY expression, in the form of query_value_plain
    QueryAggState *aggs; // by column, hidden ones too; owned
    ExprValue *values;   // by column, after groups_finish
} Group;

typedef struct Groups {
    const Plan *plan;
    Meter *meter;
    Arena arena;
    Group **list;
    int64_t n, cap;
    Group **slots; // open addressing
    int64_t slot_cap;
    int64_t told, owned; // bytes the meter knows; bytes of aggregates
    Group **ranked;      // after groups_finish: what leaves, in order
    int64_t ranked_count;
} Groups;

// Start with no group; release everything.
void groups_init(Groups *g, const Plan *p, Meter *m);
void groups_free(Groups *g);
// Take one row. False: stop.
bool groups_row(Groups *g, Exec *x, const ExprRow *rows, const uint32_t *of);
// Take the rows sel of the page x->page stands on, of one table or kind. False: stop.
bool groups_page(Groups *g, Exec *x, uint32_t of, const uint16_t *sel, int32_t n);
// Take n rows of nothing but COUNT().
void groups_count(Groups *g, int64_t n);
// Take what `from` has taken, as if its rows came behind.
void groups_merge(Groups *g, Groups *from);
// Values, HAVING, order, TOP: `ranked`. Errors: SYNTAX (HAVING, ORDER BY).
MUST Err groups_finish(Groups *g, Exec *x);
