// SPDX-License-Identifier: Apache-2.0
// Which pages and rows a scan has to look at.
//
// Pages pass a sieve: a bit each, cleared when a test can not be true on the page. With an index only the pages that
// changed since it was built start in the sieve; the others contribute candidates.
#include "query/cache_inner.h"

#define CANDIDATE_COST 16 // rows of a scan that one row read by itself is worth
#define INDEX_WORTH 0.6   // an index is used when it leaves less than this share of a scan

typedef struct Sieve {
    QueryCache *c;
    View *v;
    uint64_t pages;
    uint64_t *keep; // bit by page
    PageCopy copy;
} Sieve;

static bool kept(const Sieve *s, uint64_t page) { return s->keep[page >> 6] >> (page & 63) & 1; }
static void put(Sieve *s, uint64_t page) { s->keep[page >> 6] |= (uint64_t)1 << (page & 63); }
static void drop(Sieve *s, uint64_t page) { s->keep[page >> 6] &= ~((uint64_t)1 << (page & 63)); }

static int64_t count_kept(const Sieve *s) {
    int64_t n = 0;
    for (uint64_t i = 0; i < (s->pages + 63) / 64; i++) n += __builtin_popcountll(s->keep[i]);
    return n;
}

static void keep_all(Sieve *s) {
    for (uint64_t page = 0; page < s->pages; page++) put(s, page);
}

// ---- by what is known of a column's pages ----

// Read a page for its facts. False when the ring was outrun.
static bool learn(Sieve *s, const QueryTest *t, uint64_t page, PageFact *f) {
    if (!query_page_try(s->v, t->col, page, &s->copy)) return false;
    f->span = query_key_span(t->cell, &s->copy);
    f->known = true;
    query_cache_lock(s->c);
    Column *col = query_cache_column(s->c, t->col, t->cell);
    if (page < col->fact_cap) col->facts[page] = *f;
    query_cache_unlock(s->c);
    return true;
}

// Facts of n pages as they are kept; pages never seen at this mark are noted.
static void look_up(Sieve *s, const QueryTest *t, uint64_t at, uint32_t n, const uint64_t *marks, PageFact *out) {
    query_cache_lock(s->c);
    Column *col = query_cache_column(s->c, t->col, t->cell);
    bool room = query_cache_fact_room(s->c, col, s->pages);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = room ? col->facts[at + i] : (PageFact){0};
        bool usable = marks[i] && marks[i] != PAGE_MARK_NONE;
        if (room && usable && out[i].mark != marks[i]) col->facts[at + i] = (PageFact){.mark = marks[i]};
    }
    query_cache_unlock(s->c);
}

// Returns how many of n pages stay that were the same at an earlier call.
static int64_t sieve_chunk(Sieve *s, const QueryTest *t, uint64_t at, uint32_t n) {
    uint64_t marks[CHUNK];
    PageFact facts[CHUNK];
    int64_t stable = 0;
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        marks[i] = kept(s, at + i) ? view_page_mark(s->v, t->col, at + i) : 0;
        any = any || marks[i];
    }
    if (!any) return 0;
    look_up(s, t, at, n, marks, facts);
    for (uint32_t i = 0; i < n; i++) {
        if (marks[i] == PAGE_MARK_NONE) drop(s, at + i);
        if (!marks[i] || marks[i] == PAGE_MARK_NONE || facts[i].mark != marks[i]) continue;
        if (!facts[i].known && !learn(s, t, at + i, &facts[i])) continue;
        bool hit = query_test_hits_span(t, &facts[i].span);
        if (!hit) drop(s, at + i);
        stable += hit;
    }
    return stable;
}

static int64_t sieve_column(Sieve *s, const QueryTest *t) {
    int64_t stable = 0;
    for (uint64_t at = 0; at < s->pages; at += CHUNK)
        stable += sieve_chunk(s, t, at, (uint32_t)(s->pages - at < CHUNK ? s->pages - at : CHUNK));
    return stable;
}

// ---- by the kinds of links on a page ----

static int64_t learn_links(Sieve *s, uint64_t page, uint64_t mark, uint32_t kind) {
    KindCount kinds[PAGE_ROWS];
    if (!query_page_try(s->v, VECNO_LINK, page, &s->copy)) return -1;
    int32_t n = query_count_kinds(&s->copy, kinds);
    int64_t links = 0;
    for (int32_t i = 0; i < n; i++) {
        if (kinds[i].kind == kind) links = kinds[i].count;
    }
    query_cache_lock(s->c);
    query_cache_learn_links(s->c, page, mark, kinds, n);
    query_cache_unlock(s->c);
    return links;
}

static void sieve_links(Sieve *s, uint32_t kind) {
    uint64_t marks[CHUNK];
    int64_t links[CHUNK];
    for (uint64_t at = 0; at < s->pages; at += CHUNK) {
        uint32_t n = (uint32_t)(s->pages - at < CHUNK ? s->pages - at : CHUNK);
        for (uint32_t i = 0; i < n; i++) marks[i] = kept(s, at + i) ? view_page_mark(s->v, VECNO_LINK, at + i) : 0;
        query_cache_lock(s->c);
        for (uint32_t i = 0; i < n; i++) links[i] = query_cache_links_on(s->c, at + i, marks[i], kind);
        query_cache_unlock(s->c);
        for (uint32_t i = 0; i < n; i++) {
            if (marks[i] && links[i] < 0) links[i] = learn_links(s, at + i, marks[i], kind);
            if (marks[i] && links[i] == 0) drop(s, at + i);
        }
    }
}

// ---- by an index ----

// The pages that changed since the index was built go into the sieve. Returns how many.
static int64_t stale_pages(Sieve *s, Index *ix) {
    int64_t stale = 0;
    for (uint64_t page = 0; page < s->pages; page++) {
        uint64_t mark = page < ix->pages ? ix->marks[page] : 0;
        if (mark && view_page_mark(s->v, ix->vec, page) == mark) continue;
        put(s, page);
        stale++;
    }
    query_cache_lock(s->c);
    ix->stale = stale;
    query_cache_unlock(s->c);
    return stale;
}

// Rows of unchanged pages with a key of the test, in order, each once. `stale` tells pages that do not count.
static uint32_t *candidates(const Index *ix, const QueryTest *t, int64_t most, const Sieve *stale, int64_t *count) {
    uint32_t *out = mem_alloc((size_t)most * 2 * sizeof *out);
    int64_t n = 0, runs = 0, unique = 0;
    for (int32_t i = 0; i < t->count; i++) {
        const QueryRange *r = &t->ranges[i];
        bool hash = ix->kind == INDEX_HASH;
        uint64_t key = r->hash >> KEY_HASH_DROPPED;
        int64_t from, to;
        query_index_find(ix, hash ? key : r->lo, hash ? key : r->hi, &from, &to);
        if (from < to) runs += ix->keys[from] != ix->keys[to - 1] ? 2 : 1;
        for (int64_t k = from; k < to && n < most; k++) {
            uint64_t page = ix->places[k] >> PAGE_SHIFT;
            if (page < stale->pages && !kept(stale, page)) out[n++] = ix->places[k];
        }
    }
    if (runs > 1) query_index_sort_places(out, n, out + most);
    for (int64_t k = 0; k < n; k++) {
        if (unique == 0 || out[k] != out[unique - 1]) out[unique++] = out[k];
    }
    *count = unique;
    return out;
}

// ---- together ----

// One block: pages, then their rows.
static void emit(const Sieve *s, const uint32_t *places, int64_t n, QueryHits *out) {
    int64_t at = 0, pages = count_kept(s);
    for (int64_t k = 0; k < n; k++) pages += k == 0 || places[k] >> PAGE_SHIFT != places[k - 1] >> PAGE_SHIFT;
    out->pages = out->own = mem_alloc((size_t)pages * sizeof *out->pages + (size_t)n * sizeof(uint16_t));
    uint16_t *rows = (uint16_t *)(void *)(out->pages + pages);
    for (uint64_t page = 0; page < s->pages; page++) {
        QueryHitPage hit = {.page_no = page};
        if (!kept(s, page)) {
            hit.rows = rows;
            while (at < n && places[at] >> PAGE_SHIFT == page)
                rows[hit.count++] = (uint16_t)(places[at++] & (PAGE_ROWS - 1));
            if (!hit.count) continue;
            rows += hit.count;
        }
        out->pages[out->page_count++] = hit;
        out->rows += hit.rows ? hit.count : (int64_t)PAGE_ROWS;
    }
    CHECK(at == n && out->page_count == pages);
}

static void sieve_source(Sieve *s, const ExprSource *source) {
    if (source->kind == EXPR_LINK && s->v->catalog->kind_count > 1) sieve_links(s, source->link);
}

// Rows that an index up to date would have spared a scan of `pages` pages that stay the same.
static double spared(Sieve *s, const QueryTest *t, double pages) {
    double total = (double)s->pages * PAGE_ROWS;
    query_cache_lock(s->c);
    const Column *col = query_cache_column(s->c, t->col, t->cell);
    const Index *ix = col->index[query_index_kind(t)];
    if (ix && (double)ix->stale < pages) pages = (double)ix->stale; // the others it has
    double share = query_sample_share(col, t, total);
    query_cache_unlock(s->c);
    return pages * PAGE_ROWS - CANDIDATE_COST * share * total;
}

// Ask for an index where it would have saved most, given the pages that are left.
static void wish(Sieve *s, const ExprSource *source, const QueryTest *tests, int32_t n, const int64_t *stable) {
    const QueryTest *best = NULL;
    double most = 0, left = (double)count_kept(s);
    if (s->pages < INDEX_PAGES_LEAST) return;
    for (int32_t i = 0; i < n; i++) {
        if (!stable[i]) continue;
        query_sample_look(s->c, s->v, source, &tests[i]);
        double saved = spared(s, &tests[i], (double)stable[i] < left ? (double)stable[i] : left);
        if (saved <= most) continue;
        most = saved;
        best = &tests[i];
    }
    if (!best) return;
    query_cache_lock(s->c);
    Column *col = query_cache_column(s->c, best->col, best->cell);
    query_cache_wish(s->c, col, query_index_kind(best), most, s->pages);
    query_cache_unlock(s->c);
}

#define TESTS_MAX 64 // further ones are left to the predicate

static void hits_by_facts(Sieve *s, const ExprSource *source, const QueryTest *tests, int32_t n, QueryHits *out) {
    int64_t stable[TESTS_MAX], most = 0, before = count_kept(s);
    for (int32_t i = 0; i < n; i++) {
        stable[i] = sieve_column(s, &tests[i]);
        int64_t after = count_kept(s);
        if (before - after > most) {
            most = before - after;
            out->col = tests[i].col;
        }
        before = after;
    }
    sieve_source(s, source);
    wish(s, source, tests, n, stable);
}

// True when the index serves.
static bool hits_by_index(Sieve *s, const ExprSource *source, const QueryTest *t, Index *ix, int64_t rows,
                          QueryHits *out) {
    double scan = (double)s->pages * PAGE_ROWS;
    if ((double)rows * CANDIDATE_COST > scan * INDEX_WORTH) return false;
    int64_t stale = stale_pages(s, ix), n;
    double cost = (double)rows * CANDIDATE_COST + (double)stale * PAGE_ROWS;
    if (cost > scan * INDEX_WORTH) {
        query_cache_lock(s->c);
        query_cache_spurn(s->c, query_cache_column(s->c, t->col, t->cell), ix->kind);
        query_cache_unlock(s->c);
        return false;
    }
    uint32_t *places = candidates(ix, t, rows, s, &n);
    int64_t stable = sieve_column(s, t);
    sieve_source(s, source);
    query_cache_lock(s->c);
    Column *col = query_cache_column(s->c, t->col, t->cell);
    s->c->hits++;
    col->demand[ix->kind].saved += scan - cost;
    col->demand[ix->kind].worth += scan - cost;
    query_cache_wish(s->c, col, ix->kind, (double)stable * PAGE_ROWS, s->pages);
    query_cache_unlock(s->c);
    emit(s, places, n, out);
    out->how = QUERY_HOW_INDEX;
    out->col = t->col;
    mem_free(places);
    return true;
}

// The index that names the fewest rows over all tests, with one more user.
static Index *best_index(QueryCache *c, const QueryTest *tests, int32_t n, int32_t *which, int64_t *rows) {
    Index *best = NULL;
    for (int32_t i = 0; i < n; i++) {
        int64_t r;
        Index *ix = query_cache_best_index(c, &tests[i], &r);
        if (!ix) continue;
        if (best && r >= *rows) {
            query_cache_index_unref(c, ix);
            continue;
        }
        if (best) query_cache_index_unref(c, best);
        best = ix;
        *rows = r;
        *which = i;
    }
    return best;
}

// Pages that may hold a row with a value in every tested column.
static uint64_t pages_of(View *v, uint64_t pages, const QueryTest *tests, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        uint64_t mine = tests[i].count ? view_pages(v, tests[i].col) : 0;
        if (mine < pages) pages = mine;
    }
    return pages;
}

void query_hits(QueryCache *c, View *v, const ExprSource *source, const QueryTest *tests, int32_t n, QueryHits *out) {
    *out = (QueryHits){0};
    if (n > TESTS_MAX) n = TESTS_MAX;
    uint64_t all = view_pages(v, query_source_vec(v, source));
    Sieve s = {.c = c, .v = v, .pages = pages_of(v, all, tests, n)};
    s.keep = mem_alloc((size_t)(s.pages + 63) / 64 * sizeof *s.keep);
    int32_t which = 0;
    int64_t rows = 0;
    Index *ix = c ? best_index(c, tests, n, &which, &rows) : NULL;
    bool served = ix && hits_by_index(&s, source, &tests[which], ix, rows, out);
    if (ix) query_cache_index_unref(c, ix);
    if (!served) {
        keep_all(&s);
        if (c) hits_by_facts(&s, source, tests, n, out);
        emit(&s, NULL, 0, out);
        out->how = (uint64_t)out->page_count < all ? QUERY_HOW_FACTS : QUERY_HOW_ALL;
    }
    out->skipped = (int64_t)all - out->page_count;
    page_copy_free(&s.copy);
    mem_free(s.keep);
}

void query_hits_free(QueryHits *h) {
    mem_free(h->own);
    *h = (QueryHits){0};
}

// ---- estimate ----

// (locked) Share of a column's pages that the test leaves, by facts as they were last known, of at most CHUNK pages.
static double facts_leave(const Column *col, const QueryTest *t, uint64_t pages) {
    uint64_t n = pages < col->fact_cap ? pages : col->fact_cap, step = n / CHUNK + 1, seen = 0, left = 0;
    for (uint64_t page = 0; page < n; page += step, seen++) {
        const PageFact *f = &col->facts[page];
        left += !f->known || query_test_hits_span(t, &f->span);
    }
    return seen ? (double)left / (double)seen : 1;
}

double query_hits_estimate(QueryCache *c, View *v, const ExprSource *source, const QueryTest *tests, int32_t n) {
    uint64_t pages = pages_of(v, view_pages(v, query_source_vec(v, source)), tests, n);
    double least = (double)pages * PAGE_ROWS;
    if (source->kind == EXPR_TWIN && pages) {
        double used = (double)view_table_rows(v, source->table);
        if (used < least) least = used;
    }
    double all = least;
    for (int32_t i = 0; c && i < n && i < TESTS_MAX; i++) {
        int64_t rows;
        Index *ix = query_cache_best_index(c, &tests[i], &rows);
        query_cache_lock(c);
        double mine = all * facts_leave(query_cache_column(c, tests[i].col, tests[i].cell), &tests[i], pages);
        if (ix && (double)(rows + ix->stale * (int64_t)PAGE_ROWS) < mine)
            mine = (double)(rows + ix->stale * (int64_t)PAGE_ROWS);
        query_cache_unlock(c);
        if (ix) query_cache_index_unref(c, ix);
        if (mine < least) least = mine;
    }
    return least;
}
