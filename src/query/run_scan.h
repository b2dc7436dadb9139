// SPDX-License-Identifier: Apache-2.0
// Scan: the starts of a plan as parts of work: one page of a table, of a link kind or of all kinds, or some rows of it.
// Parts are in the order of query.h; any thread may work on any of them.
#pragma once
#include "query/run.h"

#define PART_ROWS PAGE_ROWS // rows a part has at most

typedef struct Part {
    uint32_t of; // table or kind; QUERY_ANY: links of all kinds in question
    int32_t count;
    uint64_t page_no;
    const uint16_t *rows; // count of them, ascending; NULL: any
} Part;

typedef struct Parts {
    Part *p;
    int64_t n, cap;
    Arena keep;
    QueryHits *hits; // behind the rows of parts
    int32_t hit_count, hit_cap;
    int64_t skipped; // pages nothing had to be read of
    QueryHow how;    // the best that was found
    uint32_t col;    // of its index or facts
} Parts;

// Start with none; then list the parts of the plan's start. May stop with an error in x.
void parts_init(Parts *u);
void parts_make(Parts *u, Exec *x, QueryCache *cache);
void parts_free(Parts *u);

// What a part came to.
typedef struct Found {
    int32_t n;
    bool paged;              // x->page stands on the part's page, sel are the rows
    uint16_t sel[PART_ROWS]; //
    Spot spots[PART_ROWS];
} Found;

// The rows of a part that pass the conjuncts of the start. `spots` false: leave the spots out where the page can tell
// more cheaply (paged).
void part_run(const Part *u, Exec *x, bool spots, Found *out);
