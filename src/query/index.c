// SPDX-License-Identifier: Apache-2.0
#include "query/index.h"
#include "base/check.h"
#include "base/mem.h"
#include "world/scan.h"

#define ENTRY_BYTES ((int64_t)(sizeof(uint64_t) + sizeof(uint32_t)))
#define VIEW_PAGES 32u // read under one view
#define OUTRUN_MAX 8   // views in vain before a build is given up

// ---- sorting ----

void query_index_sort(uint64_t *keys, uint32_t *places, int64_t n, uint64_t *key_tmp, uint32_t *place_tmp) {
    uint32_t counts[8][256] = {{0}};
    CHECK(n <= UINT32_MAX);
    for (int64_t i = 0; i < n; i++) {
        for (int b = 0; b < 8; b++) counts[b][keys[i] >> 8 * b & 255]++;
    }
    uint64_t *from = keys, *to = key_tmp;
    uint32_t *place_from = places, *place_to = place_tmp;
    for (int b = 0; b < 8 && n; b++) {
        if (counts[b][from[0] >> 8 * b & 255] == n) continue;
        uint32_t at[256], sum = 0;
        for (int d = 0; d < 256; d++) {
            at[d] = sum;
            sum += counts[b][d];
        }
        for (int64_t i = 0; i < n; i++) {
            uint32_t slot = at[from[i] >> 8 * b & 255]++;
            to[slot] = from[i];
            place_to[slot] = place_from[i];
        }
        uint64_t *k = from;
        uint32_t *p = place_from;
        from = to;
        place_from = place_to;
        to = k;
        place_to = p;
    }
    if (from == keys) return;
    memcpy(keys, from, (size_t)n * sizeof *keys);
    memcpy(places, place_from, (size_t)n * sizeof *places);
}

void query_index_sort_places(uint32_t *places, int64_t n, uint32_t *tmp) {
    uint32_t counts[4][256] = {{0}}, *from = places, *to = tmp;
    CHECK(n <= UINT32_MAX);
    for (int64_t i = 0; i < n; i++) {
        for (int b = 0; b < 4; b++) counts[b][places[i] >> 8 * b & 255]++;
    }
    for (int b = 0; b < 4 && n; b++) {
        if (counts[b][from[0] >> 8 * b & 255] == n) continue;
        uint32_t at[256], sum = 0;
        for (int d = 0; d < 256; d++) {
            at[d] = sum;
            sum += counts[b][d];
        }
        for (int64_t i = 0; i < n; i++) to[at[from[i] >> 8 * b & 255]++] = from[i];
        uint32_t *x = from;
        from = to;
        to = x;
    }
    if (from != places) memcpy(places, from, (size_t)n * sizeof *places);
}

// ---- building ----

// Entries read from pages, in order of rows until they are sorted.
typedef struct Gather {
    uint64_t *keys;
    uint32_t *places;
    int64_t count, cap, room; // room: bytes the whole build may take
    bool full;
} Gather;

static bool gather_room(Gather *g) {
    if (g->count + PAGE_ROWS <= g->cap) return true;
    int64_t cap = g->cap ? g->cap * 2 : 8 * PAGE_ROWS;
    if (cap * ENTRY_BYTES > g->room && g->cap < g->room / ENTRY_BYTES) cap = g->room / ENTRY_BYTES;
    if (cap < g->count + PAGE_ROWS) {
        g->full = true;
        return false;
    }
    g->keys = mem_grow(g->keys, (size_t)cap * sizeof *g->keys);
    g->places = mem_grow(g->places, (size_t)cap * sizeof *g->places);
    g->cap = cap;
    return true;
}

static uint64_t key_of_text(IndexKind kind, const uint64_t *cell) {
    Text t = {{cell[0], cell[1]}};
    Str s = text_str(&t);
    if (kind == INDEX_HASH) return query_key_hash(s);
    uint64_t head = 0;
    if (s.n) memcpy(&head, s.p, (size_t)(s.n < 8 ? s.n : 8));
    return __builtin_bswap64(head);
}

static void gather_page(Gather *g, const Index *ix, uint64_t page_no, const PageCopy *p) {
    for (uint32_t w = 0; w * 64 < p->rows; w++) {
        for (uint64_t set = p->valid[w]; set; set &= set - 1) {
            uint32_t r = w * 64 + (uint32_t)__builtin_ctzll(set);
            bool text = ix->cell == CELL_STR;
            g->keys[g->count] =
                text ? key_of_text(ix->kind, p->cells + 2 * (size_t)r) : query_key_of_bits(ix->cell, p->cells[r]);
            g->places[g->count++] = (uint32_t)(page_no << PAGE_SHIFT) | r;
        }
    }
}

// Read pages [at, at + n) that are not what `old` saw, under one view. False: the ring was outrun (nothing was taken
// in) or there is no room.
static bool gather_some(Gather *g, const World *w, Index *ix, const Index *old, uint64_t at, uint64_t n,
                        PageCopy *copy) {
    int64_t count = g->count;
    View v;
    view_begin(&v, w);
    for (uint64_t page = at; page < at + n && !v.overrun && !g->full; page++) {
        uint64_t mark = view_page_mark(&v, ix->vec, page);
        ix->marks[page] = mark;
        bool kept = old && page < old->pages && old->marks[page] == mark;
        if (!mark || mark == PAGE_MARK_NONE || kept || !gather_room(g)) continue;
        view_page(&v, ix->vec, page, PAGE_CELLS, copy);
        if (!v.overrun) gather_page(g, ix, page, copy);
    }
    view_end(&v);
    if (v.overrun) g->count = count;
    return !v.overrun && !g->full;
}

static bool gather_all(Gather *g, const World *w, Index *ix, const Index *old) {
    PageCopy copy = {0};
    int outrun = 0;
    for (uint64_t at = 0; at < ix->pages && !g->full && outrun < OUTRUN_MAX;) {
        uint64_t n = ix->pages - at < VIEW_PAGES ? ix->pages - at : VIEW_PAGES;
        if (gather_some(g, w, ix, old, at, n, &copy)) at += n;
        else outrun++;
    }
    page_copy_free(&copy);
    return !g->full && outrun < OUTRUN_MAX;
}

static bool kept_place(const Index *ix, const Index *old, uint32_t place) {
    uint64_t page = place >> PAGE_SHIFT;
    return page < ix->pages && ix->marks[page] && ix->marks[page] == old->marks[page];
}

// Old entries of unchanged pages and new ones, both in order of (key, place), into arrays of their exact size.
// False when that is more than there is room for.
static bool merge(Index *ix, const Index *old, const Gather *g) {
    int64_t kept = 0, at = 0, i = 0, o = 0;
    for (int64_t k = 0; k < old->count; k++) kept += kept_place(ix, old, old->places[k]);
    if ((kept + g->count) * ENTRY_BYTES > g->room) return false;
    ix->count = kept + g->count;
    ix->keys = mem_alloc((size_t)ix->count * sizeof *ix->keys);
    ix->places = mem_alloc((size_t)ix->count * sizeof *ix->places);
    while (at < ix->count) {
        while (o < old->count && !kept_place(ix, old, old->places[o])) o++;
        bool left = o < old->count;
        bool take_old = left && (i == g->count || old->keys[o] < g->keys[i] ||
                                 (old->keys[o] == g->keys[i] && old->places[o] < g->places[i]));
        ix->keys[at] = take_old ? old->keys[o] : g->keys[i];
        ix->places[at++] = take_old ? old->places[o++] : g->places[i++];
    }
    return true;
}

static void gather_sort(Gather *g) {
    uint64_t *keys = mem_alloc((size_t)g->count * sizeof *keys);
    uint32_t *places = mem_alloc((size_t)g->count * sizeof *places);
    query_index_sort(g->keys, g->places, g->count, keys, places);
    mem_free(keys);
    mem_free(places);
}

// The gathered arrays become the index's own, cut to size.
static void adopt(Index *ix, Gather *g) {
    ix->count = g->count;
    ix->keys = mem_grow(g->keys, (size_t)(g->count ? g->count : 1) * sizeof *g->keys);
    ix->places = mem_grow(g->places, (size_t)(g->count ? g->count : 1) * sizeof *g->places);
    *g = (Gather){0};
}

Index *query_index_build(const World *w, uint32_t vec, CellKind cell, IndexKind kind, const Index *old, int64_t room) {
    View v;
    view_begin(&v, w);
    uint64_t pages = view_pages(&v, vec);
    view_end(&v);
    int64_t marks = (int64_t)(pages * sizeof(uint64_t));
    int64_t entries = (room - marks) / 2; // for sorting, or the old ones, there must be as much again
    if (pages > INDEX_PAGES_MOST || entries <= 0) return NULL;
    Index *ix = mem_alloc(sizeof *ix);
    *ix = (Index){.refs = 1, .vec = vec, .cell = cell, .kind = kind, .pages = pages};
    ix->marks = mem_alloc((size_t)pages * sizeof *ix->marks);
    Gather g = {.room = entries};
    bool ok = gather_all(&g, w, ix, old);
    if (ok) {
        gather_sort(&g);
        if (old) ok = merge(ix, old, &g);
        else adopt(ix, &g);
    }
    mem_free(g.keys);
    mem_free(g.places);
    if (ok) return ix;
    query_index_free(ix);
    return NULL;
}

void query_index_free(Index *ix) {
    mem_free(ix->keys);
    mem_free(ix->places);
    mem_free(ix->marks);
    mem_free(ix);
}

int64_t query_index_bytes(const Index *ix) {
    return (int64_t)sizeof *ix + ix->count * ENTRY_BYTES + (int64_t)(ix->pages * sizeof *ix->marks);
}

// ---- finding ----

// The first entry with a key >= `key`.
static int64_t lower(const Index *ix, uint64_t key) {
    const uint64_t *p = ix->keys;
    int64_t n = ix->count;
    while (n > 0) {
        int64_t half = n / 2;
        bool right = p[half] < key;
        p = right ? p + half + 1 : p;
        n = right ? n - half - 1 : half;
    }
    return p - ix->keys;
}

void query_index_find(const Index *ix, uint64_t lo, uint64_t hi, int64_t *from, int64_t *to) {
    *from = *to = 0;
    if (lo > hi || !ix->count) return;
    *from = lower(ix, lo);
    *to = hi == UINT64_MAX ? ix->count : lower(ix, hi + 1);
}
