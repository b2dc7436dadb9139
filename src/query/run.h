// SPDX-License-Identifier: Apache-2.0
// Run: what following a plan needs besides the plan. One Exec a thread; a Meter, shared by all threads of a cursor,
// counts what the query costs and stops everyone when a limit is passed.
#pragma once
#include <stdatomic.h>
#include "query/plan.h"

// ---- meter --------------------------------------------------------------------------------------------------------

typedef struct Meter {
    QueryLimits limits;
    int64_t (*clock)(void);
    int64_t rows_from;    // rows looked at when the limits were set
    _Atomic int64_t rows; // looked at so far
    _Atomic int64_t pages, skipped;
    _Atomic int64_t bytes, peak; // held now, and the most so far
    _Atomic int32_t err;         // ERR_BUDGET or ERR_TIMEOUT: everyone stops
    _Atomic int32_t cause;       // MeterCause
} Meter;

typedef enum MeterCause { CAUSE_NONE, CAUSE_ROWS, CAUSE_BYTES, CAUSE_TIME, CAUSE_CANCEL } MeterCause;

// Count rows looked at and look at the limits. False: stop. Any thread. Cost: two atomics and a clock.
bool meter_rows(Meter *m, int64_t rows);
// Count memory taken (or given back, negative). False: stop.
bool meter_bytes(Meter *m, int64_t bytes);
// The sentence for what stopped the query; returns its code. `rows_out`: rows found so far.
Err meter_report(const Meter *m, int64_t rows_out, Diag *d);

// ---- bound expressions --------------------------------------------------------------------------------------------

// One expression bound for one combination of tables and kinds of the aliases it names.
typedef struct TieCase {
    struct TieCase *next;
    const Bound *bound;
    uint32_t of[]; // by alias of the mask, ascending
} TieCase;

#define TIE_BUCKETS 32

typedef struct Tie {
    const Bound **single; // by table or kind
    TieCase **cases;      // several aliases: TIE_BUCKETS chains
} Tie;

// Why an expression could not be bound.
typedef struct Why {
    Err err;
    int64_t at, end;
    Str where, text;
} Why;

// The conjuncts of one alias, for one of its tables or kinds.
typedef struct Tab {
    bool ready;
    bool none; // no row can pass
    Why why;   // err: one cannot be bound for it, and no other rules it out: an error once a row is met
    int32_t count;
    const Bound **filters;
} Tab;

// A twin or link as a source of rows.
typedef struct Spot {
    ExprRow at;
    uint32_t of; // table or kind
} Spot;

typedef struct Exec {
    const Plan *plan;
    const Query *q;
    View *view;
    View joined; // of a crew's thread
    ExprRun run;
    Arena keep, scratch; // as long as the cursor; of one row or page
    ExprPage *page;
    Tie *ties;  // by number in Plan.exprs
    Tab **tabs; // [alias][table or kind]
    Meter *meter;
    int64_t ticks;      // rows looked at that the meter does not know yet
    int64_t *step_rows; // by step: found so far; [step_count]: starts
    ExprValue slots[1];
    const ExprPast *source; // where values of the past come from, through `past`, which notes its errors here
    ExprPast past;
    Err err;
    Why why;
} Exec;

// Start and release. view may be replaced between calls by another of the same sequence.
void exec_init(Exec *x, const Plan *p, View *v, int64_t now, const ExprPast *past, Meter *m);
void exec_free(Exec *x);
void exec_view(Exec *x, View *v);
// Nothing stops this thread: no error, no limit passed, the view still good.
static inline bool exec_goes(const Exec *x) {
    return x->err == ERR_OK && !x->view->overrun &&
           atomic_load_explicit(&x->meter->err, memory_order_relaxed) == ERR_OK;
}
// One more row or n rows looked at. False: stop.
bool exec_flush(Exec *x);
static inline bool exec_tick(Exec *x, int64_t n) {
    x->ticks += n;
    return x->ticks + x->run.visited < 256 || exec_flush(x);
}
// Expression number i bound for the tables and kinds of[] (by alias). NULL: error in x->err.
const Bound *exec_bound(Exec *x, int32_t i, const uint32_t *of);
// Its value for a row; undefined after an error.
ExprValue exec_value(Exec *x, int32_t i, const ExprRow *rows, const uint32_t *of);
// True only when it is true.
bool exec_true(Exec *x, int32_t i, const ExprRow *rows, const uint32_t *of);
// The conjuncts of alias k for one of its tables or kinds; whether they could be bound is for the caller to see.
const Tab *exec_tab(Exec *x, int32_t k, uint32_t of);
// Stop with what a tab says. Returns false.
bool exec_refuse(Exec *x, const Why *why);
// Does the spot pass the conjuncts of alias k (and is one of its fixed ids)?
bool exec_passes(Exec *x, int32_t k, const Spot *s);
// Where a twin stands; false when it is not alive.
bool exec_place(Exec *x, uint64_t id, Spot *out);
// What the conjuncts of alias k say about single columns of one table or kind, for query_hits. In x->keep.
int32_t exec_tests(Exec *x, int32_t k, uint32_t of, QueryTest **out);
// Is id among the fixed ones (ascending)?
bool id_among(const uint64_t *ids, int64_t n, uint64_t id);
// Bind every expression once, so that what can be bound for no table at all is refused before anything runs. Errors:
// SYNTAX, with the first complaint.
MUST Err exec_check(Exec *x, Diag *d);
// Choose start, steps, producer and sink of a plan that plan_make began, from statistics.
void plan_choose(Plan *p, Arena *a, Exec *x, const QueryOptions *o);
