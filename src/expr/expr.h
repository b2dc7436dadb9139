// SPDX-License-Identifier: Apache-2.0
// Expr: the one expression language of queries, rules, derived values, policies and simulations.
//
//   text --expr_parse--> Expr (syntax) --expr_bind--> Bound (typed, for given models) --expr_eval-----> one row
//                                                                                      --expr_page_*--> a page of rows
//
// Logic has three values: true, false, undefined. A value is undefined when it is missing, when a comparison or an
// operator does not apply to its types, on division by zero, on overflow of an int64 and where a double would not be
// finite. AND: false dominates; OR: true dominates; NOT undefined is undefined; a filter keeps only true.
//
// Grammar (keywords and function names in any case; `...` in [[...]] may be any text without ]]):
//   expr    = or [ "?" expr ":" expr ]
//   or      = and { "OR" and }              and = not { "AND" not }         not = { "NOT" } compare
//   compare = sum [ ( "=" | "!=" | "<>" | "<" | ">" | "<=" | ">=" ) sum
//                 | ( "IN" | "NIN" | "NOT" "IN" | "NOT_IN" ) "[" sum { "," sum } "]" ]
//   sum     = product { ( "+" | "-" ) product }      product = sign { ( "*" | "/" | "%" ) sign }
//   sign    = [ "-" | "+" ] prim
//   prim    = "(" expr ")" | literal | quantity | span | call | graph | path
//   literal = number | 'text' | "text" | TRUE | FALSE | NULL
//   span    = uint ( "w" | "d" | "h" | "m" | "s" | "ms" | "us" | "ns" )        90s, 1h: a DURATION, without white space
//   quantity= number 'unit name or symbol'                                     20 'degreeFahrenheit'
//   call    = name "(" [ expr { "," expr } ] ")"                               func.def lists the names
//   graph   = AGG "(" [alias] ( "->" | "<-" | "<->" ) [ rel { "|" rel } ] [ "." path | "," expr ] [ "WHERE" expr ] ")"
//             AGG = SUM AVG MIN MAX COUNT ANY ALL; inside, bare names are the neighbour's, `R.name` (unless R is an
//             alias outside) the relationship's. Parallel links count once each. SUM, AVG, MIN, MAX skip undefined,
//             COUNT counts defined values (without a value: neighbours), ANY is the OR of the values and ALL their AND;
//             of nothing: SUM 0, COUNT 0, ANY false, ALL true, others undefined.
//             `in.` and `out.` before a relationship are other words for <- and ->: AVG(in.contains.temperature).
//             SUM(->contains.power)   COUNT(T<-feeds)   ANY(->has|contains, temperature > 30)   COUNT(-> WHERE on)
//   path    = seg { "." seg }      seg = name | "[[" text "]]" | "[" uint "]" (after the first: array element)
//   name    = [A-Za-z_$][A-Za-z0-9_$]*   (after a "." also a keyword)
//
// Units: a number may carry a unit (from the property's DTDL unit, or a quantity). + - and comparisons convert the
// right side to the left's unit when both have one of the same family; different families, or a unit against a
// unitless property, are an ERROR at bind time. A plain literal takes the other side's unit. * and / by a unitless
// number keep the unit; anything else drops it to "derived", which compares only with plain literals and its like.
// A difference of two temperatures is a span: it converts by factor alone.
//
// The past: functions whose first argument is a property (or an expression over one property) and whose last one is a
// span look at the values with own times (source time, else arrival) in (now - span, now], in order of own time, of one
// time by arrival. The value that stood at now - span counts for TWA, FIRST, DELTA, INCREASE, RATE, CHANGES and
// TIME_TRUE alone. A value that was taken away, or is undefined, ends the one before it and counts nowhere. A span is
// constant; LAST takes a time too. Of values that retention let go AVG, TWA, MIN, MAX, SUM and COUNT of the property
// itself use the means that are kept, each where it begins; others fail (PAST_GONE), as all do where none are kept.
//
// Types: `/` gives a double. Values of different kinds do not compare (undefined), but for: integers with doubles
// (exactly); null, which equals null alone; times. A property of times is a text: beside a TIME, another such property
// or a literal date-time it stands for its instant, beside any other text for itself. An ISO 8601 text, a property of
// durations or a number in a unit of time is a DURATION beside one. What a float property is compared with is rounded
// to a float. A model that IS_OF_MODEL excludes in an AND is not asked whether the rest fits it.
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "model/units.h"
#include "world/world.h"

// ---- types and values ---------------------------------------------------------------------------------------------

// ORDER EXPR_TYPE
typedef enum ExprType {
    EXPR_UNDEFINED, // as a static type: never has a value
    EXPR_NULL,      // JSON null
    EXPR_BOOL,
    EXPR_I64,
    EXPR_F64,
    EXPR_STR,
    EXPR_TIME,     // ns since 1970 UTC
    EXPR_DURATION, // ns
    EXPR_POINT,    // WGS 84 longitude, latitude in degrees
    EXPR_DOC,      // a JSON object or array: text
    EXPR_ANY,      // static only: any of the above, known at run time
} ExprType;

// A value of one row. Texts are borrowed from the view, the bound tree or the run's arena.
typedef struct ExprValue {
    ExprType type; // never ANY
    union {
        bool b;
        int64_t i; // I64, TIME, DURATION
        double d;
        Str s; // STR, DOC
        struct {
            double lon, lat;
        } point;
    };
} ExprValue;

// ---- syntax -------------------------------------------------------------------------------------------------------

typedef enum ExprOp {
    EX_LITERAL, // value (NULL, BOOL, I64, F64, STR, DURATION); unit set: a quantity
    EX_PATH,    // segs
    EX_CALL,    // name, args
    EX_GRAPH,   // name (SUM ...), graph, args: [value expr or NULL, WHERE expr or NULL]
    EX_COND,    // args: test, then, else
    EX_OR,      // args: two
    EX_AND,
    EX_NOT, // args: one
    EX_EQ,
    EX_NE,
    EX_LT,
    EX_GT,
    EX_LE,
    EX_GE,
    EX_IN,
    EX_NIN, // args: value, then the list
    EX_ADD,
    EX_SUB,
    EX_MUL,
    EX_DIV,
    EX_MOD,
    EX_NEG,
    EX_SLOT, // value.i: number of a value in ExprRun.slots; name: as written. No syntax: queries put it for a column
} ExprOp;

typedef struct ExprSeg {
    Str name;      // "" when it is an index
    int64_t index; // array element, else -1
    int32_t at, end;
} ExprSeg;

typedef struct Expr Expr;
struct Expr {
    ExprOp op;
    int32_t at, end; // bytes of the whole expression in the text
    Str name;        // CALL, GRAPH: as written
    Str unit;        // LITERAL
    ExprValue value; // LITERAL
    Expr **args;
    int32_t arg_count;
    ExprSeg *segs; // PATH
    int32_t seg_count;
    struct {       // GRAPH
        Str alias; // "" = the one source
        bool out, in;
        Str *rels;
        int32_t rel_count; // 0: any
    } graph;
};

#define EXPR_TEXT_MAX 8000  // bytes of a query or expression
#define EXPR_DEPTH_MAX 200  // nesting
#define EXPR_NODES_MAX 4000 // nodes of one expression
#define EXPR_IN_MAX 1000    // items of one IN list

// Parse a whole text as one expression. Nodes and texts live in `a`. Errors: SYNTAX, LIMIT; messages carry the byte
// offset (`at`, `end`) and say what was expected there.
MUST Err expr_parse(Arena *a, Str text, Expr **out, Diag *d);
// Append the expression as text that parses to the same tree (fully parenthesised where needed).
void expr_print(const Expr *e, Buf *out);
// Which sources the expression names: calls fn for every EX_PATH and EX_GRAPH, in order of text, also inside graph
// aggregates (inside = true there).
void expr_walk(const Expr *e, void (*fn)(void *ctx, const Expr *e, bool inside), void *ctx);
// The candidate nearest to `name` by edits (case ignored), at most a third of its length away; "" when there is none.
Str expr_nearest(Str name, const Str *candidates, int64_t n);
// "line 2, column 7" of a byte offset: line from 1, column from 1 in code points.
void expr_place(Str text, int64_t at, int32_t *line, int32_t *column);
// Append the first message of `d`, as people need it: "column 7: what is wrong (what it is about)". Nothing without a
// message, or when out is NULL.
void expr_why(const Diag *d, Str text, Buf *out);

// ---- binding ------------------------------------------------------------------------------------------------------

typedef enum ExprSourceKind { EXPR_TWIN, EXPR_LINK } ExprSourceKind;

// One alias: a twin of a table, or a link of a kind.
typedef struct ExprSource {
    Str alias; // "" when the query gave none
    ExprSourceKind kind;
    uint32_t table; // TWIN
    uint32_t link;  // LINK: kind
} ExprSource;

// Bare paths belong to the only source, or to source 0 when bare_first. `strict`: a name that no model knows, and
// types that can never fit, are errors (rules, policies); else undefined (queries).
typedef struct ExprScope {
    const Catalog *catalog;
    const ExprSource *sources;
    int32_t count;
    bool bare_first, strict;
} ExprScope;

// What a bound number is measured in.
typedef struct ExprUnit {
    const Unit *unit; // NULL: none
    bool plain;       // a plain literal: takes the other side's unit
    bool derived;     // product or quotient of units
    bool span;        // a difference: converts by factor alone
} ExprUnit;

// Fields every twin or link has.
typedef enum ExprField {
    FIELD_ID, // $dtId, $relationshipId
    FIELD_ETAG,
    FIELD_MODEL,       // $metadata.$model
    FIELD_UPDATE_TIME, // $metadata.$lastUpdateTime: STR as shown; age() and comparisons with TIME use ns
    FIELD_SOURCE,      // $sourceId
    FIELD_TARGET,      // $targetId
    FIELD_NAME,        // $relationshipName
    FIELD_SELF,        // the twin or link itself, as a DOC
} ExprField;

typedef enum BoundOp {
    BOUND_CONST,       // value
    BOUND_CELL,        // column of source: BOOL, I64, F64, STR or DOC by the field's cell
    BOUND_CELL_UPDATE, // TIME: update time of column
    BOUND_CELL_SOURCE, // TIME: source time of column
    BOUND_FIELD,       // field of source
    BOUND_MOMENT,      // the value of the property that the function around looks at, as it was at one time
    BOUND_SPAN,   // func of the past of column of source: args[0] over BOUND_MOMENT, args[1] the span or LAST's time
    BOUND_DOC,    // args[0] is a DOC; seg: member or element of it: type ANY unless the model tells
    BOUND_OBJECT, // the object or component `column` of source as a DOC, undefined when its marker is not set
    BOUND_CAST,   // args[0] to `type` (I64->F64, STR->TIME, TIME->STR as shown, seconds or ISO text->DURATION,
                  // DOC->POINT, ANY->type); undefined when it does not fit
    BOUND_SCALE,  // args[0] * factor + offset: unit conversion, F64
    BOUND_CALL,   // func of args
    BOUND_GRAPH,  // args as in EX_GRAPH, bound by neighbour's table: see BoundGraph
    BOUND_COND,
    BOUND_OR,
    BOUND_AND,
    BOUND_NOT,
    BOUND_EQ,
    BOUND_NE,
    BOUND_LT,
    BOUND_GT,
    BOUND_LE,
    BOUND_GE, // args of one type, or I64 with F64 (compared exactly), or ANY, or NULL on one side (EQ and NE);
              // a constant stands on the right
    BOUND_IN,
    BOUND_NIN, // args[1..] are BOUND_CONST, compared as by EQ; see `sorted`
    BOUND_ADD,
    BOUND_SUB,
    BOUND_MUL,
    BOUND_DIV, // F64 also of two I64
    BOUND_MOD,
    BOUND_NEG,  // I64, F64; TIME - TIME, TIME +- DURATION, ...
    BOUND_SLOT, // ANY: slots[value.i] of the run, as it is; the same for all rows of a page
} BoundOp;

typedef struct BoundGraph BoundGraph; // inside of bind.c and eval.c
typedef struct Bound Bound;
struct Bound {
    BoundOp op;
    ExprType type;
    ExprUnit unit;
    const Expr *from; // for messages
    Bound **args;
    int32_t arg_count;
    int32_t source;    // CELL*, FIELD, OBJECT, GRAPH, SPAN: number in the scope
    uint32_t column;   // CELL*, OBJECT, MOMENT, SPAN
    const Field *leaf; // CELL*, OBJECT, MOMENT, SPAN: the model's field
    ExprField field;
    ExprSourceKind kind; // FIELD, SPAN: of its source; UPDATE_TIME has type STR (as shown) or TIME
    int32_t func;        // CALL, SPAN: row of func.def
    bool sorted;         // IN, NIN: the list is ascending, of the value's type (I64, F64 or STR), without doubles
    ExprSeg seg;         // DOC
    ExprValue value;
    double factor, offset; // SCALE; SPAN: factor is the percentage
    const Type *dtdl;      // the value's DTDL type where known: a dateTime is STR with shape DATETIME here
    BoundGraph *graph;
};

// Type a parsed expression for one combination of tables and kinds. Constants are folded. The tree lives in `a` and
// points into `e` and the catalog. Errors: SYNTAX (unknown function with the nearest name, number of arguments, units
// that do not go together, types no operator takes), in strict scopes also unknown names. Messages carry at and
// end, and in `where` the model they come from.
MUST Err expr_bind(Arena *a, const ExprScope *scope, const Expr *e, Bound **out, Diag *d);
// Does any model of the catalog know the path (first segment an alias or not)? When not, `near` gets the nearest
// property name, or "". For notes on queries that can only be empty.
bool expr_known(const ExprScope *scope, const Expr *path, Str *near);

// A function of the language: a row of func.def.
typedef struct ExprFunc {
    const char *name;
    const char *alias; // another name, or ""
    const char *args;  // "text, part", "[alias,] 'dtmi' [, exact]"
    int32_t min, max;  // number of arguments
    const char *doc;   // a sentence
    const char *example;
} ExprFunc;
int32_t expr_func_count(void);
// 0 <= i < expr_func_count(), by subject.
ExprFunc expr_func_at(int32_t i);

// Is there a function of the past of that name? With fewer arguments some of them are aggregates.
bool expr_is_past(Str name);

// ---- evaluation ---------------------------------------------------------------------------------------------------

// Where one source stands.
typedef struct ExprRow {
    uint64_t id;  // twin or link
    uint64_t row; // TWIN: its row in the table; LINK: the id again
} ExprRow;

// What is known of values that were let go, those with own times in [from, to): numbers. count 0: nothing is.
typedef struct ExprMean {
    int64_t from, to;
    double min, max, mean, first, last;
    int64_t count;
} ExprMean;

// A value as it came: of a cell, or the news that it was taken away.
typedef struct ExprMoment {
    int64_t time; // own time
    bool valid;   // false: taken away
    uint64_t bits;
    Str text;             // of text cells; during the call
    const ExprMean *mean; // NULL, or several values that were let go; valid then, bits: the last of them
} ExprMoment;

// The moment's value as a cell of the field gives it; its text is the moment's. Of several their mean.
ExprValue expr_moment_value(const Field *f, const ExprMoment *m);

// The stretch of a cell's past that is asked for. kind, id: whose it is; what a row held before it was theirs is not
// told.
typedef struct ExprReach {
    ExprSourceKind kind;
    uint64_t id;
    uint32_t column;
    uint64_t row;
    int64_t from, to;
} ExprReach;

// Where values of the past come from, for functions over a span of time: avg(temperature, 1h). The engine has one.
typedef struct ExprPast {
    void *ctx;
    // First, with time `from`, the value that stood then, if any; then those with own times in (from, to], ascending.
    // Of several of one time the one that came last counts. fn false: stop. What the view does not see is not told.
    // Values that were let go are told as means, by the time at which these begin; first, with time `from`, those that
    // began before and go on.
    Err (*moments)(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg);
    // May be NULL. What was asked for cannot be told from means, so the evaluation fails with PAST_GONE. why: gets a
    // sentence; may be NULL.
    void (*gone)(void *ctx, View *v, const ExprReach *r, Str func, Buf *why);
} ExprPast;

#define EXPR_SPAN_VALUES_MAX 1000000 // values that one MEDIAN or PERCENTILE holds; of more it is undefined

// What an evaluation needs. One thread at a time.
typedef struct ExprRun {
    View *view;
    int64_t now;             // ns: the argument of now() and age()
    Arena *scratch;          // texts made on the way; the caller resets it between rows or pages
    const ExprValue *slots;  // what EX_SLOT names
    int64_t visited;         // out: relationships looked at, also those that were not meant, and values of the past
    int64_t visited_max;     // 0: no bound; aggregates stop when visited passes it, and the value is worthless then
    bool (*goes)(void *ctx); // may be NULL; asked when visited comes to 256, may set it back; false: the same
    void *ctx;
    bool stopped;         // out: an aggregate was given up, and none is begun any more
    const ExprPast *past; // NULL: functions over a span of time are undefined
    Err failed;           // out: the past could not be read; what was evaluated must be thrown away
    ExprValue moment;     // what BOUND_MOMENT is, while a function of the past runs
} ExprRun;

// One row. rows[i] belongs to source i. Cost: about 20 ns a node and a page lookup a cell.
ExprValue expr_eval(const Bound *b, ExprRun *run, const ExprRow *rows);
// True only when the value is BOOL true.
bool expr_test(const Bound *b, ExprRun *run, const ExprRow *rows);
// Three-way order of two values of one type class (numbers, strings, ...): -1, 0, 1; 2 when they do not compare.
int expr_compare(const ExprValue *a, const ExprValue *b);
// Append as JSON ("null" for undefined).
void expr_value_json(const ExprValue *v, Buf *out);

// ---- what an expression looks at, and what becomes of its value ----------------------------------------------------

// A step of an aggregate from a twin to its neighbours.
typedef struct ExprHop {
    const Expr *from; // the aggregate: one hop each, whatever models it is bound for
    int32_t parent;   // number of the hop it starts behind; -1: from the row itself
    bool out, in;
    const int32_t *kinds; // by link kind, < 0: not meant; as long as the bound tree
    int32_t kind_count;
} ExprHop;

typedef struct ExprReads {
    void *ctx;
    int32_t (*hop)(void *ctx, const ExprHop *hop); // gives it a number >= 0
    // A column of the twins behind a hop (-1: of the row), or of the relationships of the hop. inside: it is a marker,
    // and what lies in it counts too.
    void (*column)(void *ctx, int32_t hop, bool link, uint32_t column, bool inside);
    // The past of a column of the same, for so long back (0: as far as it goes); may be NULL. Told to column() too.
    void (*past)(void *ctx, int32_t hop, bool link, uint32_t column, int64_t span_ns);
    bool clock; // out: now() or age(), or a function of the past
    bool whole; // out: a twin or relationship as a whole, its etag or its time
} ExprReads;
// Tell everything of the world that the value of b depends on, but for what a twin's model says. With a strict scope it
// is all: neighbours of models that the relationship does not allow are not looked at.
void expr_reads(const Bound *b, ExprReads *r);

// Make b fit a property: its unit is converted to the property's. Errors: SYNTAX (units of different families, a type
// that the property cannot have).
MUST Err expr_fit(Arena *a, const Field *f, const Expr *e, Bound *b, Bound **out, Diag *d);
// The value of a fitted expression as a cell of the property; text may lie in the arena. A number for an integer is
// rounded, half to even. False: it is none, or out of the property's range. What a text, a document or an enum must
// look like beyond that is for the property's type to say.
bool expr_cell(const Field *f, const ExprValue *v, Arena *a, uint64_t *bits, Str *text);

// ---- a page at a time ---------------------------------------------------------------------------------------------

// Up to 1,024 rows of source 0 (the only one): page `page_no` of its table (LINK: of the link vector).
// sel: the rows of interest, ascending, as row numbers in the page.
typedef struct ExprPage ExprPage;

// A result column: for k < n, row sel[k]. Defined where bit k of valid is set. The lane named by `type` holds values.
typedef struct ExprVec {
    ExprType type; // static; ANY: `any` holds whole values
    uint64_t valid[PAGE_ROWS / 64];
    union {
        uint8_t *b;
        int64_t *i;
        double *d;
        Str *s;
        ExprValue *any; // ANY, NULL, POINT
    };
} ExprVec;

// Memory for one thread's page evaluation, reused from page to page. Owns column copies and lanes.
ExprPage *expr_page_new(void);
void expr_page_free(ExprPage *p);
// Look at another page: forgets column copies. twins: ids of the rows by row number (0: free), needed by $-fields and
// graph aggregates; may be NULL when the table number tells enough (see expr_page_twins).
void expr_page_at(ExprPage *p, ExprRun *run, const ExprSource *source, uint64_t page_no);
// The page's live rows as a selection; returns how many. TWIN: rows of the row vector that hold a twin; LINK: live
// links of the kind.
int32_t expr_page_live(ExprPage *p, uint16_t sel[PAGE_ROWS]);
// The rows that b alone leaves in question, without a look at which are live: those with a value where b relates a
// property of a twin to something. Others cannot pass. False: b is not of that kind.
bool expr_page_valued(ExprPage *p, const Bound *b, uint16_t sel[PAGE_ROWS], int32_t *n);
// Twin or link id of a row of the page.
uint64_t expr_page_id(ExprPage *p, uint16_t row);
// Keep the rows of sel for which b is true; returns how many. In place.
int32_t expr_page_filter(const Bound *b, ExprPage *p, uint16_t *sel, int32_t n);
// Those for which all of several are true: the same as one after the other, without making a list of rows in between.
int32_t expr_page_filter_all(const Bound *const *all, int32_t count, ExprPage *p, uint16_t *sel, int32_t n);
// Values of b for the rows of sel. `out` lanes are valid until the next call of expr_page_at.
// Equal, value for value, to expr_eval on each row. Cost: 1-2 ns a row and node on numbers.
void expr_page_eval(const Bound *b, ExprPage *p, const uint16_t *sel, int32_t n, ExprVec *out);
// The view was outrun: throw the page's results away (as view.overrun).
