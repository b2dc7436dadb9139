// SPDX-License-Identifier: Apache-2.0
// Plan: how one query is answered over one view: which conjunct is tested where, where a walk starts, in which order it
// takes the edges, and what becomes of the rows. Made once by query_open in an arena; read-only afterwards, so that any
// thread of a crew may follow it.
//
//   producer   SCAN      pages of one source
//              WALK      starts, then edges depth first (match.c)
//              REACH     DISTINCT ends of one variable-length edge, breadth first (reach.c)
//              SHORTEST  two ends of one variable-length edge, breadth first from both sides (reach.c)
//   sink       STREAM    rows leave as they are found: the producer finds them in the order of query.h
//              SORT      all rows first: ORDER BY, DISTINCT, or a walk that goes another way than the text (order.c)
//              GROUP     aggregates (group.c)
#pragma once
#include "query/cache.h"
#include "query/inner.h"

// The set that holds only alias k.
#define ALIAS(k) ((uint64_t)1 << (k))

// An expression of the query and the aliases it names.
typedef struct PlanExpr {
    const Expr *e;
    uint64_t mask;
    int32_t alias; // the only one: bound in a scope of its own, where it is source 0; -1: several
    bool late;     // names the length of the SHORTEST path
} PlanExpr;

typedef struct PlanAlias {
    ExprSourceKind kind;
    const int32_t *terms; // conjuncts on it alone, by number in Plan.exprs
    int32_t term_count;
    bool fixed;    // $dtId = or IN: no other twin than `ids`; the conjunct is not among the terms
    uint64_t *ids; // ascending, alive when the plan was made
    int64_t id_count;
    bool placed;   // its table and row are needed
    double looks;  // rows to look at when it is the start
    double passes; // of them, how many are expected to pass its terms
} PlanAlias;

// One edge walked from an alias that is bound.
typedef struct PlanStep {
    int32_t edge;
    int32_t from, to, link; // aliases; link -1: variable length
    bool out, in;           // which lists of `from`
    bool closed;            // `to` is bound before
    bool forward;           // from is the edge's left end
    int32_t min, max;
    const int32_t *terms; // conjuncts over several aliases that can be tested now
    int32_t term_count;
    double estimate; // rows after this step
} PlanStep;

typedef enum PlanStart {
    START_SCAN,  // pages of the tables or kinds of alias `start`
    START_IDS,   // its fixed ids
    START_ENDS,  // RELATIONSHIPS: links leaving or entering given twins
    START_LINKS, // pages of the link vector for the first step, which binds both its ends
} PlanStart;

typedef enum PlanProducer { PRODUCE_SCAN, PRODUCE_WALK, PRODUCE_REACH, PRODUCE_SHORTEST } PlanProducer;
typedef enum PlanSink { SINK_STREAM, SINK_SORT, SINK_GROUP } PlanSink;

typedef struct Plan {
    const Query *q;
    int32_t table_count, kind_count;
    PlanExpr *exprs; // conjuncts, then what columns, groups and orders need
    int32_t expr_count;
    int32_t term_count; // of them, conjuncts
    PlanAlias *aliases;
    int32_t *columns; // number of each column's expression (hidden ones too), -1: none
    int32_t *groups, *orders;
    const int32_t *first_terms; // START_LINKS: conjuncts over several aliases tested on the first edge
    int32_t first_count;
    const int32_t *lates; // SHORTEST: conjuncts tested when the path is known
    int32_t late_count;
    PlanProducer producer;
    PlanSink sink;
    PlanStart how;
    int32_t start;      // alias; LINKS: that of the first edge's relationship
    int32_t first_edge; // LINKS: the edge bound by the start; else -1
    uint64_t *ends;     // START_ENDS: twins, ascending
    int64_t end_count;  //
    bool ends_out;      // links leaving them; else entering
    bool in_order;      // rows are found in the order of query.h
    bool count_only;    // COUNT() of whole tables or kinds: from counts of pages
    bool nothing;       // no row can match
    bool singly; // rows, not pages: an expression looks at neighbours or the past, or makes large texts; for budgets
    PlanStep *steps;
    int32_t step_count;
    bool **rels;     // [edge][kind]: the edge takes links of the kind; [edge] NULL: any
    double estimate; // rows to look at in all
    double rows;     // rows expected to leave
} Plan;

// The aliases an expression names (none: alias 0), and whether it names the length of the path.
uint64_t plan_mask(const Query *q, const Expr *e, bool *late);
// Does the path name an alias first? Its number, else -1.
int32_t plan_alias_of(const Query *q, const Expr *path);
// Sort out the query: expressions, conjuncts by alias, fixed twins. Everything lives in `a`. Reads the names of fixed
// twins only. run.h's plan_choose decides the rest. Errors: SYNTAX, LIMIT.
MUST Err plan_make(Arena *a, const Query *q, View *v, Plan **out, Diag *d);
