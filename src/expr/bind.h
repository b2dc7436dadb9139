// SPDX-License-Identifier: Apache-2.0
// Inside of the binder: bind.c (trees, operators), bind_path.c (names), bind_type.c (types and units that meet),
// bind_call.c (functions), bind_graph.c (aggregates over neighbours). Only src/expr includes this.
#pragma once
#include "expr/func.h"

#define GRAPH_NEST_MAX 8      // aggregates inside of aggregates
#define BIND_NODES_MAX 200000 // nodes of one bound tree, all neighbours' models together: some 50 MB
#define EXPR_SOURCES_MAX (64 + 2 * GRAPH_NEST_MAX)

// The property that a function of the past looks at, while its first argument is bound.
typedef struct BindMoment {
    const char *func;
    bool taken;
    int32_t source;
    uint32_t column;
    const Field *leaf;
} BindMoment;

// One binding. Inside an aggregate the sources are those around, the neighbour and the relationship.
typedef struct Bind {
    Arena *a;
    const Catalog *catalog;
    Diag *d; // may be NULL
    const ExprSource *sources;
    int32_t count;
    int32_t bare; // the source of bare names, -1: none
    bool strict;
    int32_t nest;   // aggregates around
    int32_t *nodes; // made so far
    bool formula;   // no sources: paths name these variables
    const Str *vars;
    int32_t var_count;
    BindMoment *moment; // names are the past of a property; NULL: of the present
} Bind;

// One neighbour's model (and relationship kind, where the expression names the relationship): its trees.
typedef struct GraphArm {
    bool bound;
    Bound *value, *where; // NULL: none
} GraphArm;

typedef enum GraphAgg { GRAPH_SUM, GRAPH_AVG, GRAPH_MIN, GRAPH_MAX, GRAPH_COUNT, GRAPH_ANY, GRAPH_ALL } GraphAgg;

// What an aggregate needs at run time. Arms that are not bound (a model that came later, or one that the relationship
// does not allow and the neighbour has nevertheless) are bound when they are met, in the run's arena.
struct BoundGraph {
    const Expr *from;
    GraphAgg agg;
    bool out, in;
    int32_t origin;           // source the links start from
    int32_t inner;            // number of the neighbour's source; the relationship's is the next one
    const ExprSource *around; // inner of them
    int32_t bare, nest;       // of the binding around
    bool strict;              // neighbours of models that the relationship does not allow do not count
    const Catalog *catalog;
    int32_t *slots; // by link kind: -1 not meant, else the relationship's number among the arms of a table
    int32_t slot_count;
    int32_t kind_count, table_count;
    GraphArm *arms; // table * slot_count + slot; NULL when there is neither value nor WHERE
    ExprType type;  // of the values, ANY when they differ
    ExprUnit unit;  // that all values are converted to
};

// ---- bind.c ----
// Any expression.
MUST Err bind_expr(Bind *c, const Expr *e, Bound **out);
// An expression whose value is a test; NULL gives NULL.
MUST Err bind_test(Bind *c, const Expr *e, Bound **out);
// LIMIT when so many more nodes (or as much memory) would pass BIND_NODES_MAX.
MUST Err bind_room(Bind *c, const Expr *e, int64_t more);
// A zeroed node with room for n arguments.
Bound *bind_node(Bind *c, BoundOp op, ExprType type, const Expr *from, int32_t n);
Bound *bind_const(Bind *c, const Expr *from, ExprValue v);
Bound *bind_undefined(Bind *c, const Expr *from);
// The node, or the constant it always is.
Bound *bind_folded(Bind *c, Bound *b);
// A cast, folded; b itself when it has the type.
Bound *bind_cast(Bind *c, Bound *b, ExprType type);
// SYNTAX at the expression.
MUST Err bind_fail(Bind *c, const Expr *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// Types that can never fit: an error in strict scopes and when every argument is a literal, else undefined.
MUST Err bind_misfit(Bind *c, const Expr *e, Bound *const *args, int32_t n, Bound **out, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
// "a text", "a number in degreeCelsius" ...: for messages, in the arena.
Str bind_kind(Bind *c, const Bound *b);

// ---- bind_path.c ----
MUST Err bind_path(Bind *c, const Expr *e, Bound **out);
// The property, or the twin or link itself, that AGE and UPDATED ask about: its time. NULL in *out: unknown.
MUST Err bind_times(Bind *c, const Expr *e, Bound **update, Bound **source);
// The source an alias names, -1 when none.
int32_t bind_alias(const Bind *c, Str name);

// ---- bind_type.c ----
typedef enum Fit { FIT_COMPARE, FIT_ADD, FIT_SUB, FIT_LIKE } Fit;
// Numbers with units meet: converts one of them; *out: what the result is measured in.
MUST Err bind_units(Bind *c, const Expr *e, Fit fit, Bound **a, Bound **b, ExprUnit *out);
// Convert to a unit of the same family.
Bound *bind_scale(Bind *c, Bound *b, const Unit *to, bool span);
// The unit of that name or symbol. Errors: SYNTAX with the nearest name.
MUST Err bind_unit(Bind *c, const Expr *e, Str name, const Unit **out);
MUST Err bind_compare(Bind *c, const Expr *e, BoundOp op, Bound *a, Bound *b, Bound **out);
MUST Err bind_in(Bind *c, const Expr *e, BoundOp op, Bound **args, int32_t n, Bound **out);
MUST Err bind_arith(Bind *c, const Expr *e, BoundOp op, Bound *a, Bound *b, Bound **out);
// Values of which one is taken: one type and one unit for all, converting in place.
MUST Err bind_unify(Bind *c, const Expr *e, Bound **args, int32_t n, ExprType *type, ExprUnit *unit);
// A text, a property of times, a shown time as TIME; *ok false when it can be none.
Bound *bind_as_time(Bind *c, Bound *b, bool *ok);
// A text or a number in a unit of time as DURATION; *ok false when it can be none.
Bound *bind_as_duration(Bind *c, Bound *b, bool *ok);

// ---- bind_call.c, bind_graph.c ----
MUST Err bind_call(Bind *c, const Expr *e, Bound **out);
// Names and numbers of arguments of all calls in e, which is not bound any further.
MUST Err bind_calls(Bind *c, const Expr *e);
MUST Err bind_graph(Bind *c, const Expr *e, Bound **out);

// ---- bind_span.c ----
// A call of a function of the past.
MUST Err bind_span(Bind *c, const Expr *e, int32_t func, Bound **out);
static inline bool bind_is_span(int32_t func) { return func >= FUNC_SPAN_AVG && func <= FUNC_SPAN_TRUE; }
// Does it count with numbers? The others take what can be told apart.
bool bind_span_counts(int32_t func);
// The field of a source is what the function of the past around looks at: nothing outside of one. Errors: SYNTAX (it
// looks at another one already).
MUST Err bind_moment(Bind *c, const Expr *e, int32_t source, uint32_t column, const Field *leaf);
// One arm, in the arena given: for the evaluator.
GraphArm bind_graph_arm(const BoundGraph *g, const Catalog *catalog, Arena *a, uint32_t table, uint32_t kind);

// A number, or a value that may be one.
static inline bool bind_numeric(const Bound *b) { return expr_is_number(b->type) || b->type == EXPR_ANY; }
// The same for every row.
static inline bool bind_is_const(const Bound *b) { return b->op == BOUND_CONST; }
