// SPDX-License-Identifier: Apache-2.0
// Query: the question language over one view of any world. Azure Digital Twins' language, and more (docs/query.md).
//
//   text --query_parse--> Query (syntax, names settled) --query_open--> QueryCursor (its plan) --query_next--> rows
//
// Deterministic: the same view, text and options give the same rows in the same order, for any number of threads and
// whatever the plan. The order, without ORDER BY and among rows it calls equal:
//   twins       by table (models in order of upload), in it by row (order of creation where no row was reused)
//   links       by id, which is order of creation
//   JOIN, MATCH by the first twin, then edge by edge as written: by the link's id; a variable-length edge by its links'
//               ids from its left end on, a path before those that continue it
//   SHORTEST    by the twin at the left end, then that at the right end
//   GROUP BY, DISTINCT  by the values of the group's expressions, or of the columns, from left to right
// Order of values, here and in ORDER BY (DESC turns it round): undefined, null, false, true, numbers, texts by bytes,
// times, durations, points (lon, then lat), documents by bytes; a whole twin or link (a column naming it) as above.
// Equal values are one group: 1 and 1.0, 0 and -0.0 (which becomes 0).
//
// Aggregates: COUNT() counts rows; COUNT(e) rows where e is neither undefined nor null; SUM, AVG and PERCENTILE take
// numbers, MIN and MAX the least and greatest in the order above, without undefined and null. SUM of integers alone is
// exact, a double when it leaves an int64. Of no values: COUNT and SUM 0, others undefined (no key in the row). Without
// GROUP BY there is exactly one row. Sums of doubles are compensated (Neumaier), so that their last bits hardly depend
// on the order. HAVING and ORDER BY of an aggregated query speak of columns (by name), group expressions and
// aggregates; ORDER BY of a SELECT DISTINCT names its columns or their expressions.
//
// Grammar (extensions to Azure's are marked +; expr as in expr/expr.h):
//   query   = [+ "EXPLAIN" ] "SELECT" [ "TOP" "(" uint ")" ] [+ "DISTINCT" ] [ list ] "FROM" source [ "WHERE" expr ]
//             [+ "GROUP" "BY" expr { "," expr } [ "HAVING" expr ] ]
//             [+ "ORDER" "BY" expr [ "ASC" | "DESC" ] { "," expr [ "ASC" | "DESC" ] } ] [+ history ] [+ ";" ]
//   list    = "*" | proj { "," proj }
//   proj    = ( expr | aggregate ) [ "AS" name ]                 (Azure: paths only)
//   aggregate = "COUNT" "(" [ "*" | expr ] ")" | ( "SUM" | "AVG" | "MIN" | "MAX" ) "(" expr ")"
//             |+ "PERCENTILE" "(" expr "," number 0..100 ")"     (linear interpolation between closest ranks)
//   history = "HISTORY" [ "FROM" expr ] [ "TO" expr ] [ "STEP" expr [ "FN" name { "," name } ] [ "FILL" name ] ]
//             (at least one of them; times and a span without names of properties)
//   source  = "DIGITALTWINS" [ [ "AS" ] alias ] { join } | "DIGITALTWINS" "MATCH" [+ name "=" "SHORTEST" ] pattern
//           | "RELATIONSHIPS" [ [ "AS" ] alias ]
//   join    = "JOIN" alias "RELATED" alias "." rel [ alias ]
//   pattern = node { edge node }     node = "(" [ alias ] ")"
//   edge    = "-[" [ relspec ] "]->" | "<-[" [ relspec ] "]-" | "-[" [ relspec ] "]-"
//   relspec = [ alias ] [ [ ":" ] rel { "|" rel } ] [ "*" [ uint ] [ ".." [ uint ] ] ]
//   Hops: none = 1; *n = n; *m..n = more than m, up to n (m is exclusive, as Azure documents it); *..n = 1 to n;
//   * = 1 to 10;+ *m.. = more than m, up to 10; upper bounds up to QUERY_HOPS_MAX. One row a path; a MATCH never uses
//   a relationship twice, over all its edges together (JOINs may). In either direction, a relationship from a twin to
//   itself counts once. SELECT DISTINCT of end nodes alone walks breadth first and visits every twin once.
//   A SHORTEST pattern is one edge between two nodes, whose range begins at one hop; * alone is 1 to QUERY_HOPS_MAX.
//   One row for each pair of different ends, the path with the fewest hops (of several: the one whose relationship ids
//   are smallest, compared from the start); name is a column {"length":n,"twins":[ids],"relationships":[{$sourceId,
//   $relationshipId}...]}, name.length a number.
//   HISTORY: for one row of the query as many as there are times in [FROM, TO) at which one of its columns got a value,
//   ascending, each with "time" and the values of that time. Columns that are paths to a property (not beginning with
//   $) are told so; others are of the present in every row. With STEP one row an interval [FROM + k STEP, ...): FN of
//   the values in it, of several each under "column.fn". TOP counts these rows. Not with aggregates, DISTINCT, *, or
//   whole twins and relationships.
//   Words may be in any case; the two letters \n (\r, \t) between words are white space, as in texts escaped twice.
#pragma once
#include "query/steps.h"
#include "world/scan.h"
#include "world/show.h"

#define QUERY_HOPS_MAX 1000
#define QUERY_ALIASES_MAX 64
#define QUERY_PAGE_MAX 1000 // rows a page, as Azure
#define QUERY_PAGE_DEFAULT 100

// ---- syntax -------------------------------------------------------------------------------------------------------

typedef enum QueryFrom { QUERY_TWINS, QUERY_LINKS } QueryFrom;

// A name in the query: each is one source of every ExprScope made for it, by its number.
typedef struct QueryAlias {
    Str name; // "" for anonymous nodes, edges and sources
    ExprSourceKind kind;
    int32_t at;
    bool path; // variable-length edge: has no value of its own
} QueryAlias;

// One step from a bound alias to a new (or repeated) one.
typedef struct QueryEdge {
    int32_t from, to; // aliases; JOIN: from is bound before
    int32_t link;     // alias of the relationship, -1 when it has none of its own (variable length)
    bool out, in;     // as written from -> to; both: either direction
    Str *rels;
    int32_t rel_count; // 0: any
    int32_t min, max;  // hops, both inclusive
} QueryEdge;

typedef enum QueryAgg { AGG_NONE, AGG_COUNT, AGG_SUM, AGG_AVG, AGG_MIN, AGG_MAX, AGG_PERCENTILE } QueryAgg;

typedef struct QueryColumn {
    Expr *expr; // NULL: COUNT()
    QueryAgg agg;
    double percent;
    Str name;      // key in the row
    int32_t alias; // the whole twin or link of this alias, else -1
    int32_t group; // aggregated and no aggregate: the GROUP BY expression it shows, else -1
    bool path;     // the SHORTEST path; expr is NULL
    bool single;   // set when it is run: of floats (32 bits) alone, written with as many digits as tell them apart
    int32_t at;
} QueryColumn;

typedef struct QueryOrder {
    Expr *expr;     // an expression, or
    int32_t column; // the number of a column (also a hidden one), else -1
    bool descending;
} QueryOrder;

// The past of the rows instead of the rows.
typedef struct QueryHistory {
    bool on;
    Expr *from, *to; // a TIME; NULL: from the first value on, up to now
    Expr *step;      // a DURATION; NULL: every value
    Str *fns;        // as written; none: the engine's
    int32_t fn_count;
    Str fill;   // "": none
    bool *told; // by column: its past is told
    int32_t at, end;
} QueryHistory;

// HAVING, and ORDER BY expressions of an aggregated query, are evaluated once a group without any source: what they
// name has become EX_SLOT i, the value of columns[i] in ExprRun.slots. Columns that only they need are hidden: they
// stand behind the projected ones. In expressions over rows, `name.length` of a SHORTEST path has become EX_SLOT 0:
// while rows are evaluated slots[0] is the number of hops (I64).

typedef struct Query {
    Str text;
    QueryFrom from;
    bool star, distinct, explain, matched, shortest;
    int64_t top; // -1: none
    QueryAlias *aliases;
    int32_t alias_count;
    QueryEdge *edges;
    int32_t edge_count;
    Str shortest_name;
    QueryColumn *columns;
    int32_t column_count; // projected
    int32_t hidden_count; // columns[column_count ...]: see above
    bool aggregated;      // any aggregate or GROUP BY
    Expr *where, *having;
    Expr **groups;
    int32_t group_count;
    QueryOrder *orders;
    int32_t order_count;
    QueryHistory history;
} Query;

// Parse and settle names. Everything lives in `a`. Errors: SYNTAX, LIMIT; one message with at and end. The REST dialect
// prints it through query_error_text.
MUST Err query_parse(Arena *a, Str text, Query **out, Diag *d);
// "SQL query parse failed: SQL Parser Error, Line=L, Position=P, Message=..." (line from 1, position from 0).
void query_error_text(Str text, const Diag *d, Buf *out);
// The name a row column has when the query gives none: last name of a path, "COUNT", "SUM", ..., else the expression as
// written in `text`.
Str query_column_name(Str text, const QueryColumn *c);

// ---- running ------------------------------------------------------------------------------------------------------

// Facts derived from one world's pages and kept between queries: min and max of pages, counts, secondary indexes.
// Bounded; every fact is checked against its page's mark before it is used, so answers are always fresh. Any thread.
typedef struct QueryCache QueryCache;
// bytes_max 0: 64 MiB.
QueryCache *query_cache_new(int64_t bytes_max);
void query_cache_free(QueryCache *c);
// Values were erased from the world: what was learnt of any, and every index, is let go of. Any thread; who reads by an
// index meanwhile ends with it.
void query_cache_forget(QueryCache *c);
typedef struct QueryCacheStats {
    int64_t bytes, indexes, built, dropped, hits;
} QueryCacheStats;
QueryCacheStats query_cache_stats(QueryCache *c);

// Run `fn(arg, i)` for every i < n, on several threads where there are any, and return when all are done.
typedef struct QueryCrew {
    void *ctx;
    int32_t threads; // that may run at once, the caller's included; >= 1
    void (*run)(void *ctx, int32_t n, void (*fn)(void *arg, int32_t i), void *arg);
    bool (*wanted)(void *ctx); // fn should come back when it can, but for part 0; NULL: never
} QueryCrew;

typedef struct QueryLimits {
    int64_t rows;               // twins, links and neighbours looked at; 0: no limit
    int64_t bytes;              // memory of this query; 0: no limit
    int64_t until_ns;           // monotonic time; 0: no limit
    const _Atomic bool *cancel; // true: stop soon, with BUDGET; looked at with the clock; NULL: none
} QueryLimits;

typedef struct QueryOptions {
    int64_t now; // ns, wall clock: now() and age()
    QueryLimits limits;
    int64_t (*clock)(void); // monotonic ns, for limits.until_ns and the times EXPLAIN tells; NULL: neither
    const QueryCrew *crew;  // NULL: this thread alone
    QueryCache *cache;      // NULL: none
    const ExprPast *past;   // for functions of the past; NULL: they are undefined, and HISTORY is refused
    const QueryPast *steps; // for HISTORY with STEP; NULL: it is refused
    ShowOptions show;
    bool naive; // the oracle: no plan, no pages, nested loops over expr_eval
} QueryOptions;

typedef struct QueryStats {
    int64_t rows_looked_at, pages_read, pages_skipped, rows_out, bytes_peak;
    int64_t time_ns;
    double charge; // 1 + rows looked at / 100
} QueryStats;

typedef struct QueryCursor QueryCursor;

// Plan and start a query on a view. Nothing is read yet but statistics. `q`, `v` and `o` must outlive the cursor; the
// view may be replaced between pages by another one of the very same sequence (query_view), for cursors on frozen
// worlds. Errors: SYNTAX (binding), LIMIT, BUDGET, TIMEOUT.
MUST Err query_open(const Query *q, View *v, const QueryOptions *o, QueryCursor **out, Diag *d);
void query_close(QueryCursor *c);
void query_view(QueryCursor *c, View *v);
// New limits for the next page: rows count from here on, bytes are what the query holds.
void query_limits(QueryCursor *c, const QueryLimits *l);
// Append up to `limit` rows as JSON objects separated by commas; *rows = how many, *more = a next one exists.
// out NULL: skip them. Errors: BUDGET (text says which limit and what to do), OVERRUN is not reported here: test
// view.overrun. After an error the cursor can only be closed or explained.
MUST Err query_next(QueryCursor *c, int64_t limit, Buf *out, int64_t *rows, bool *more, Diag *d);
QueryStats query_stats(const QueryCursor *c);
// What the planner expects to look at before the first `limit` rows are out. For choosing where to run it.
int64_t query_estimate(const QueryCursor *c, int64_t limit);
// The plan as JSON: {"plan":[{"step","detail","estimated_rows","rows","time_us"}...],"text":"a table for people"};
// rows and times as run so far.
void query_explain(const QueryCursor *c, Buf *out);
// Notes for people, JSON array of sentences: names no model knows (with the nearest), and the like. "[]" mostly.
void query_notes(const QueryCursor *c, Buf *out);
