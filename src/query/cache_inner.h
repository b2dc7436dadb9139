// SPDX-License-Identifier: Apache-2.0
// Inside of a QueryCache, for cache*.c, index*.c and stats*.c only. Everything but indexes is guarded by `lock`;
// functions marked (locked) want it held. Marks are read and pages copied without it.
#pragma once
#include <math.h>
#include <pthread.h>
#include "base/check.h"
#include "base/mem.h"
#include "query/cache.h"
#include "query/index.h"

// ---- keys (cache_key.c) ----

// What the values of a page have in common.
typedef struct KeySpan {
    uint64_t lo, hi; // smallest and largest key
    uint64_t some;   // a bit for every value, by its hash: a value whose bit is clear is not there
    uint32_t count;
} KeySpan;

// The span of a page's cells. Long texts are not followed: their bits are all set.
KeySpan query_key_span(CellKind cell, const PageCopy *p);
// May a page with this span hold a value for which the test is true? And is it for this very key?
bool query_test_hits_span(const QueryTest *t, const KeySpan *s);
bool query_test_hits_key(const QueryTest *t, uint64_t key, uint64_t hash);
// Every range is one value.
bool query_test_is_equality(const QueryTest *t);

// ---- the cache ----

#define CHUNK 256u           // pages whose marks are read at once
#define INDEX_PAGES_LEAST 8u // smaller columns are scanned

// A page as it was at a mark. A page is learnt at the second sight of one mark, so that pages written all the time
// cost nothing.
typedef struct PageFact {
    uint64_t mark; // 0: never seen
    KeySpan span;  // when known; of a row vector only count: live rows
    bool known;
} PageFact;

#define SAMPLE_PAGES 16u
#define SAMPLE_KEYS 512

typedef struct SampleKey {
    uint64_t key, hash;
} SampleKey;

// Some values of a column.
typedef struct Sample {
    SampleKey *keys;
    int32_t count;
    int32_t distinct;
    double defined;    // share of live rows that have a value
    int64_t due, wait; // refresh number at which to look again, and how long until the next one
} Sample;

// Bookkeeping of one index that is or might be, in rows looked at.
typedef struct Demand {
    double wish;  // what an up-to-date index would have saved since the last build
    double saved; // what lookups did save since then
    double cost;  // of that build, 0: none yet
    double worth; // what lookups saved, fading
    double pain;  // factor on the cost of building: grows when that did not pay
} Demand;

typedef struct Column {
    uint32_t vec;
    CellKind cell;
    PageFact *facts;
    uint64_t fact_cap; // pages
    int64_t used;      // refresh number of the last use
    uint64_t pages;    // when last asked for
    double live_share; // of a row vector: live rows of those ever used, when last counted; 0: never
    Sample sample;
    Demand demand[INDEX_KINDS];
    Index *index[INDEX_KINDS];
} Column;

typedef struct KindCount {
    uint32_t kind, count;
} KindCount;

// Of the sampled links of a page, those of one kind between two tables, as a number of links.
typedef struct LinkEnd {
    uint32_t kind, from, to;
    float links;
} LinkEnd;

typedef struct LinkFact {
    uint64_t mark, ends_mark; // 0: kinds, ends are not known
    KindCount *kinds;
    LinkEnd *ends;
    int32_t kind_count, end_count;
} LinkFact;

// Sums of LinkEnds: links of a kind that leave, or enter, twins of a table. Open addressing, key 0: free.
typedef struct FanSlot {
    uint64_t key;
    double links;
} FanSlot;

struct QueryCache {
    pthread_mutex_t lock;                 // taken by any caller for microseconds; nothing else is locked inside
    int64_t bytes_max, bytes, fact_bytes; // fact_bytes: of bytes, what facts and statistics take
    int64_t index_count, built, dropped, hits;
    int64_t forgets;  // query_cache_forget calls
    int64_t ticks;    // query_stat_refresh calls
    Column **columns; // by vector number
    uint32_t column_cap;
    Column *due; // an index worth building, NULL: none
    IndexKind due_kind;
    bool tending;
    LinkFact *links; // by page
    uint64_t link_cap;
    double *kind_links; // links of known pages, by kind
    uint32_t kind_cap;
    double known_links; // their sum
    FanSlot *fans;
    uint32_t fan_cap, fan_count;
    double fan_links; // links the fans stand for
    uint64_t hand;    // page the next refresh looks at
    bool warm;        // refreshed once
};

// Held for microseconds.
static inline void query_cache_lock(QueryCache *c) { pthread_mutex_lock(&c->lock); }
// Pairs with query_cache_lock.
static inline void query_cache_unlock(QueryCache *c) { pthread_mutex_unlock(&c->lock); }

// (locked) The column of a vector, made at its first use.
Column *query_cache_column(QueryCache *c, uint32_t vec, CellKind cell);
// (locked) Room for facts of `pages` pages; false when there is none to be had.
bool query_cache_fact_room(QueryCache *c, Column *col, uint64_t pages);
bool query_cache_link_room(QueryCache *c, uint64_t pages);
// (locked) Take `bytes` more of what facts may have; false: the share is used up even without columns unused for long.
bool query_cache_take(QueryCache *c, const Column *keep, int64_t bytes);
// (locked) Give some back.
void query_cache_give(QueryCache *c, int64_t bytes);

// Copy a page that is looked at for the future alone: when the ring was outrun, false, and the view is none the worse.
bool query_page_try(View *v, uint32_t vec, uint64_t page_no, PageCopy *out);
// The vector of a source's rows.
uint32_t query_source_vec(const View *v, const ExprSource *s);
// Count kinds on a page of links: at most PAGE_ROWS rows of out; returns how many kinds.
int32_t query_count_kinds(const PageCopy *p, KindCount out[PAGE_ROWS]);
// (locked) Keep what a page of links holds.
void query_cache_learn_links(QueryCache *c, uint64_t page_no, uint64_t mark, const KindCount *kinds, int32_t n);
// (locked) Links of a kind on a page whose mark is `mark`; -1: not known.
int64_t query_cache_links_on(const QueryCache *c, uint64_t page_no, uint64_t mark, uint32_t kind);
// Live rows of the source on a copied page of its vector.
uint32_t query_count_live(const ExprSource *s, const PageCopy *p);

// ---- indexes in the cache (index_tend.c) ----

// The column's index that names the fewest rows for the test, with one more user; NULL: none serves. *rows: how many.
Index *query_cache_best_index(QueryCache *c, const QueryTest *t, int64_t *rows);
// The best index for a test to build, when none serves.
IndexKind query_index_kind(const QueryTest *t);
// (locked) An index on a column of `pages` pages, up to date, would have saved `rows`.
void query_cache_wish(QueryCache *c, Column *col, IndexKind kind, double rows, uint64_t pages);
// (locked) Let go of the column's indexes.
void query_cache_drop_indexes(QueryCache *c, Column *col);
// (locked) The index was too stale to serve.
void query_cache_spurn(QueryCache *c, Column *col, IndexKind kind);
// Not locked.
void query_cache_index_unref(QueryCache *c, Index *ix);

// ---- samples (stats.c) ----

// Look at the column when its sample is due. Not locked.
void query_sample_look(QueryCache *c, View *v, const ExprSource *source, const QueryTest *t);
// (locked) Share of live rows for which the test is true.
double query_sample_share(const Column *col, const QueryTest *t, double rows);
