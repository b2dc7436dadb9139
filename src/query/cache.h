// SPDX-License-Identifier: Apache-2.0
// QueryCache: what scans taught us about one world's pages, kept between queries; secondary indexes that it builds by
// itself; statistics for the planner. Below, "a source" is a twin table or a link kind (ExprSource: kind, table, link).
//
// One cache belongs to one World for that world's whole life (the engine makes one for every realm). Views are of that
// world or of its frozen forks (snapshots), made by view_begin or view_join; never view_writer's, whose changes may be
// undone.
//
// Nothing here is told about writes. Every fact is kept with the mark of its page (view_page_mark) and used only while
// the page still has it, so an answer is as fresh as its view.
//   page facts     (column, page) -> smallest and largest key, which values surely not (64 bits by hash), how many
//                  (rows or link vector, page) -> live rows
//   index          (column) -> (key, row) sorted, with the mark of every page at the time. A lookup yields the rows of
//                  pages whose mark holds, and pages that changed since as a whole. By order (numbers, ranges of texts:
//                  keys are their first 8 bytes) or by hash (equal texts).
//   Everything is conservative: what a call here leaves out cannot match; what it names may. The caller always
//   evaluates its predicate on what it gets.
//
// An index is built when lookups would have saved more than building costs (in rows looked at, counted by query_hits),
// brought up to date (changed pages only, merged) when scanning its changed pages has cost as much, ever more
// reluctantly where that did not pay (a column written all the time ends up without one), and dropped, least useful
// first, when bytes_max would be passed. Facts and statistics take at most a quarter of bytes_max (and some 300 bytes
// for every column ever asked about, which are counted but not refused).
//
// Threads: any, several at once. One mutex, held for microseconds: page marks are read and pages copied outside it.
// Memory: a cache's own; what a call hands out is the caller's (query_hits_free). Indexes are immutable and counted.
//
// A query that looks up what it may read:
//   1. for each conjunct of WHERE that is `cell OP constant`, `cell IN [constants]` or STARTSWITH(cell, 'text'):
//      query_range_* makes ranges, a QueryTest holds them (an OR over one cell is one test of several ranges)
//   2. query_hits(cache, view, source, tests, n, &hits): the pages to look at, in ascending order
//   3. for each page: expr_page_at; selection = live rows, or live rows among page->rows; expr_page_filter; ...
//      Pages are independent: a crew may share them out.
//   4. after the answer has left: query_cache_tend
#pragma once
#include "query/query.h"

// ---- tests: what a predicate says about one column -----------------------------------------------------------------

// Keys keep the order of values: int64 by value, double by value (-0 equals 0), bool, text by its first 8 bytes
// (bytes, big end first, zero padded: two texts may share a key).
typedef struct QueryRange {
    uint64_t lo, hi; // keys, both inclusive; lo > hi: nothing
    uint64_t hash;   // str_hash of the text, when one
    bool one;        // equal to one value
} QueryRange;

// The column's value lies in one of the ranges (a missing value never does). No range: nothing can match.
typedef struct QueryTest {
    uint32_t col;
    CellKind cell; // BOOL, I64, F64 or STR
    const QueryRange *ranges;
    int32_t count;
} QueryTest;

// The key of an int64.
uint64_t query_key_i64(int64_t i);
// The key of a finite double.
uint64_t query_key_f64(double d);
// The key of a text.
uint64_t query_key_str(Str s);

// `cell op value` as a range that holds every value for which it is true. op: BOUND_EQ, LT, GT, LE, GE, with the cell
// on the left; value: BOOL, I64, F64, STR. int64 cells against a double, and the reverse, round outwards. False when
// nothing can be said (other cells, types that do not compare, NE, unsigned 64-bit fields): no test then.
bool query_range(const Field *leaf, BoundOp op, const ExprValue *value, QueryRange *out);
// STARTSWITH(cell, prefix) of a text cell.
bool query_range_prefix(const Field *leaf, Str prefix, QueryRange *out);

// ---- hits: the pages and rows a scan has to look at ----------------------------------------------------------------

typedef struct QueryHitPage {
    uint64_t page_no;
    const uint16_t *rows; // ascending rows of the page that may match (they may be dead); NULL: any row of it may
    int32_t count;        // of rows; 0 with NULL
} QueryHitPage;

typedef enum QueryHow {
    QUERY_HOW_ALL,   // every page there is
    QUERY_HOW_FACTS, // some pages left out by what is known of them
    QUERY_HOW_INDEX, // candidates from the index on `col`, and pages changed since
} QueryHow;

typedef struct QueryHits {
    QueryHitPage *pages; // ascending, each once
    int64_t page_count;
    int64_t skipped; // pages of the source not named
    int64_t rows;    // rows named: at most this many to look at
    QueryHow how;
    uint32_t col; // INDEX: its column; FACTS: of the test that left out most; else 0
    void *own;
} QueryHits;

// Which rows of a source may satisfy all n tests, as of the view: valid for any view of the same sequence. For LINK
// sources pages without a link of the kind are left out. Chooses between index, facts and everything by expected cost,
// notes what was asked for, and learns facts of pages that were the same at two calls. cache NULL: every page.
// n == 0 is fine. Cost: about 20 ns a page and column (the marks), 2-5 ns a candidate, up to 2 us a page learnt.
void query_hits(QueryCache *c, View *v, const ExprSource *source, const QueryTest *tests, int32_t n, QueryHits *out);
void query_hits_free(QueryHits *h);

// How many of the source's rows query_hits would name and the caller then look at (page for page where no index
// serves). For choosing an access path; from what is known now, without reading pages. cache NULL: all rows.
double query_hits_estimate(QueryCache *c, View *v, const ExprSource *source, const QueryTest *tests, int32_t n);

// The upkeep of indexes: builds or renews at most one, when that pays, else returns at once; one thread at a time, the
// others return at once. Takes views of its own, page by page. Call it after the answer has left, with or without a
// view open, on the query's thread or a worker. Cost when it works: about 30 ns a row (a column of 1 M rows: 30 ms) and
// for that time twice the index's memory, which counts towards bytes_max.
void query_cache_tend(QueryCache *c, const World *w);

// ---- statistics ----------------------------------------------------------------------------------------------------

// The exact number of live twins of a table or links of a kind, as of the view. Looks only at pages that changed since
// it was last asked. *looked (may be NULL) += rows looked at. Cost: 20 ns a page of 1,024, plus 1-4 us a changed one.
// cache NULL: counts every page.
int64_t query_count(QueryCache *c, View *v, const ExprSource *source, int64_t *looked);

// Estimates: cheap (< 1 us), never exact, good enough to order joins. All work without a cache, more crudely.
// Once a query, before asking: looks at a few pages of links (first call of a cache: 256, then 2), so that estimates
// follow the world. Cost: about 2 ms the first time, then 20 us until all pages are known, then less than 1 us.
void query_stat_refresh(QueryCache *c, View *v);
// Live rows of a table.
double query_stat_rows(QueryCache *c, View *v, uint32_t table);
// Links of a kind.
double query_stat_links(QueryCache *c, View *v, uint32_t kind);
#define QUERY_ANY UINT32_MAX
// Expected links of a kind at one twin of a table (QUERY_ANY: of any): leaving it (out) or entering it. 0 where the
// models rule them out.
double query_stat_fan(QueryCache *c, View *v, uint32_t kind, uint32_t table, bool out);
// Of a kind's links, the share whose target (out) or source (not out) is a twin of `table`: 0..1.
double query_stat_end(QueryCache *c, View *v, uint32_t kind, uint32_t table, bool out);
// Share of the source's live rows for which the test is true: 0..1. From an index when there is one, else from a sample
// of the column (at most 16 pages of it read once in a while), else a guess by the kind of test.
double query_stat_select(QueryCache *c, View *v, const ExprSource *source, const QueryTest *test);
