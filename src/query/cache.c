// SPDX-License-Identifier: Apache-2.0
// The cache itself: columns, page facts, their memory, exact counts.
#include "query/cache_inner.h"

#define BYTES_DEFAULT (INT64_C(64) << 20)

QueryCache *query_cache_new(int64_t bytes_max) {
    QueryCache *c = mem_alloc(sizeof *c);
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    c->bytes_max = bytes_max > 0 ? bytes_max : BYTES_DEFAULT;
    c->bytes = (int64_t)sizeof *c;
    return c;
}

static void free_column(Column *col) {
    for (int k = 0; k < INDEX_KINDS; k++) {
        if (col->index[k]) query_index_free(col->index[k]);
    }
    mem_free(col->facts);
    mem_free(col->sample.keys);
    mem_free(col);
}

void query_cache_free(QueryCache *c) {
    if (!c) return;
    for (uint32_t i = 0; i < c->column_cap; i++) {
        if (c->columns[i]) free_column(c->columns[i]);
    }
    for (uint64_t i = 0; i < c->link_cap; i++) {
        mem_free(c->links[i].kinds);
        mem_free(c->links[i].ends);
    }
    mem_free(c->columns);
    mem_free(c->links);
    mem_free(c->kind_links);
    mem_free(c->fans);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

QueryCacheStats query_cache_stats(QueryCache *c) {
    query_cache_lock(c);
    QueryCacheStats s = {c->bytes, c->index_count, c->built, c->dropped, c->hits};
    query_cache_unlock(c);
    return s;
}

// ---- memory ----

void query_cache_give(QueryCache *c, int64_t bytes) {
    c->bytes -= bytes;
    c->fact_bytes -= bytes;
}

static void forget_facts(QueryCache *c, Column *col) {
    query_cache_give(c, (int64_t)(col->fact_cap * sizeof *col->facts));
    mem_free(col->facts);
    col->facts = NULL;
    col->fact_cap = 0;
}

static void forget_sample(QueryCache *c, Column *col) {
    query_cache_give(c, col->sample.count * (int64_t)sizeof *col->sample.keys);
    mem_free(col->sample.keys);
    col->sample = (Sample){.count = 0};
}

void query_cache_forget(QueryCache *c) {
    query_cache_lock(c);
    c->forgets++;
    for (uint32_t i = 0; i < c->column_cap; i++) {
        Column *col = c->columns[i];
        if (!col) continue;
        query_cache_drop_indexes(c, col);
        forget_sample(c, col);
        if (col->facts) forget_facts(c, col);
    }
    query_cache_unlock(c);
}

static bool fits(const QueryCache *c, int64_t bytes) {
    return c->fact_bytes + bytes <= c->bytes_max / 4 && c->bytes + bytes <= c->bytes_max;
}

// Facts go in the order of their columns' last use.
bool query_cache_take(QueryCache *c, const Column *keep, int64_t bytes) {
    while (!fits(c, bytes)) {
        Column *oldest = NULL;
        for (uint32_t i = 0; i < c->column_cap; i++) {
            Column *col = c->columns[i];
            if (!col || col == keep || !col->facts || col->used == c->ticks) continue;
            if (!oldest || col->used < oldest->used) oldest = col;
        }
        if (!oldest) return false;
        forget_facts(c, oldest);
    }
    c->bytes += bytes;
    c->fact_bytes += bytes;
    return true;
}

// An array of at least `need` items: doubled, zeroed. False when memory for it may not be had.
static bool grow(QueryCache *c, const Column *keep, void **array, uint64_t *cap, uint64_t need, size_t item) {
    if (need <= *cap) return true;
    uint64_t more = *cap ? *cap : 1;
    while (more < need) more *= 2;
    if (!query_cache_take(c, keep, (int64_t)((more - *cap) * item))) return false;
    *array = mem_grow(*array, more * item);
    memset((char *)*array + *cap * item, 0, (more - *cap) * item);
    *cap = more;
    return true;
}

// The table of columns is small change: it counts, but is never refused.
Column *query_cache_column(QueryCache *c, uint32_t vec, CellKind cell) {
    if (vec >= c->column_cap) {
        uint32_t cap = c->column_cap ? c->column_cap : 128;
        while (cap <= vec) cap *= 2;
        c->columns = mem_grow(c->columns, cap * sizeof *c->columns);
        memset(c->columns + c->column_cap, 0, (cap - c->column_cap) * sizeof *c->columns);
        c->bytes += (int64_t)((cap - c->column_cap) * sizeof *c->columns);
        c->column_cap = cap;
    }
    Column *col = c->columns[vec];
    if (!col) {
        col = c->columns[vec] = mem_alloc(sizeof *col);
        c->bytes += (int64_t)sizeof *col;
        *col = (Column){.vec = vec, .cell = cell};
        for (int k = 0; k < INDEX_KINDS; k++) col->demand[k].pain = 1;
    }
    col->used = c->ticks;
    return col;
}

bool query_cache_fact_room(QueryCache *c, Column *col, uint64_t pages) {
    return grow(c, col, (void **)&col->facts, &col->fact_cap, pages, sizeof *col->facts);
}

bool query_cache_link_room(QueryCache *c, uint64_t pages) {
    return grow(c, NULL, (void **)&c->links, &c->link_cap, pages, sizeof *c->links);
}

// ---- live rows, links by kind ----

bool query_page_try(View *v, uint32_t vec, uint64_t page_no, PageCopy *out) {
    bool before = v->overrun;
    v->overrun = false;
    view_page(v, vec, page_no, PAGE_CELLS, out);
    bool ok = !v->overrun;
    v->overrun = before;
    return ok;
}

uint32_t query_source_vec(const View *v, const ExprSource *s) {
    return s->kind == EXPR_LINK ? (uint32_t)VECNO_LINK : v->catalog->tables[s->table].rows;
}

uint32_t query_count_live(const ExprSource *s, const PageCopy *p) {
    uint32_t n = 0;
    for (uint32_t r = 0; r < p->rows; r++) {
        const uint64_t *link = p->cells + (size_t)r * PAGE_LINK_WORDS;
        if (s->kind == EXPR_TWIN) n += page_row_twin(p->cells[r]).v != 0;
        else n += page_link_source(link).v != 0 && page_link_kind(link) == s->link;
    }
    return n;
}

int32_t query_count_kinds(const PageCopy *p, KindCount out[PAGE_ROWS]) {
    int32_t n = 0, near[64] = {0}; // near: where a kind was last found, by its low bits
    for (uint32_t r = 0; r < p->rows; r++) {
        const uint64_t *link = p->cells + (size_t)r * PAGE_LINK_WORDS;
        if (!page_link_source(link).v) continue;
        uint32_t kind = page_link_kind(link);
        int32_t i = near[kind & 63];
        if (i >= n || out[i].kind != kind) {
            for (i = 0; i < n && out[i].kind != kind;) i++;
            if (i == n) out[n++] = (KindCount){kind, 0};
            near[kind & 63] = i;
        }
        out[i].count++;
    }
    return n;
}

static bool kind_room(QueryCache *c, uint32_t kind) {
    uint64_t cap = c->kind_cap;
    bool ok = grow(c, NULL, (void **)&c->kind_links, &cap, (uint64_t)kind + 1, sizeof *c->kind_links);
    c->kind_cap = (uint32_t)cap;
    return ok;
}

static void forget_kinds(QueryCache *c, LinkFact *f) {
    for (int32_t i = 0; i < f->kind_count; i++) {
        c->kind_links[f->kinds[i].kind] -= f->kinds[i].count;
        c->known_links -= f->kinds[i].count;
    }
    query_cache_give(c, f->kind_count * (int64_t)sizeof *f->kinds);
    mem_free(f->kinds);
    f->kinds = NULL;
    f->kind_count = 0;
    f->mark = 0;
}

void query_cache_learn_links(QueryCache *c, uint64_t page_no, uint64_t mark, const KindCount *kinds, int32_t n) {
    if (!mark || mark == PAGE_MARK_NONE || !query_cache_link_room(c, page_no + 1)) return;
    LinkFact *f = &c->links[page_no];
    if (f->mark == mark) return;
    forget_kinds(c, f);
    if (!query_cache_take(c, NULL, n * (int64_t)sizeof *kinds)) return;
    f->kinds = mem_alloc((size_t)n * sizeof *kinds);
    f->mark = mark;
    for (int32_t i = 0; i < n; i++) {
        if (!kind_room(c, kinds[i].kind)) break;
        c->kind_links[kinds[i].kind] += kinds[i].count;
        c->known_links += kinds[i].count;
        f->kinds[f->kind_count++] = kinds[i];
    }
    if (f->kind_count == n) return;
    query_cache_give(c, (n - f->kind_count) * (int64_t)sizeof *kinds); // forget_kinds gives back the rest
    forget_kinds(c, f);
}

int64_t query_cache_links_on(const QueryCache *c, uint64_t page_no, uint64_t mark, uint32_t kind) {
    if (mark == PAGE_MARK_NONE) return 0;
    if (!mark || page_no >= c->link_cap || c->links[page_no].mark != mark) return -1;
    const LinkFact *f = &c->links[page_no];
    for (int32_t i = 0; i < f->kind_count; i++) {
        if (f->kinds[i].kind == kind) return f->kinds[i].count;
    }
    return 0;
}

// ---- exact counts ----

// (locked) Live rows of a page, -1 when not known at this mark.
static int64_t known_live(const QueryCache *c, const Column *col, const ExprSource *s, uint64_t page_no,
                          uint64_t mark) {
    if (s->kind == EXPR_LINK) return query_cache_links_on(c, page_no, mark, s->link);
    if (mark == PAGE_MARK_NONE) return 0;
    if (!mark || page_no >= col->fact_cap) return -1;
    const PageFact *f = &col->facts[page_no];
    return f->mark == mark && f->known ? (int64_t)f->span.count : -1;
}

// Count a page by reading it, and keep what it says.
static int64_t count_page(QueryCache *c, View *v, const ExprSource *s, uint64_t page_no, uint64_t mark,
                          PageCopy *copy) {
    uint32_t vec = query_source_vec(v, s);
    view_page(v, vec, page_no, PAGE_CELLS, copy);
    uint32_t live = query_count_live(s, copy);
    if (!c || v->overrun || !mark || mark == PAGE_MARK_NONE) return live;
    KindCount kinds[PAGE_ROWS];
    int32_t n = s->kind == EXPR_LINK ? query_count_kinds(copy, kinds) : 0;
    query_cache_lock(c);
    if (s->kind == EXPR_LINK) {
        query_cache_learn_links(c, page_no, mark, kinds, n);
    } else {
        Column *col = query_cache_column(c, vec, CELL_I64);
        if (query_cache_fact_room(c, col, page_no + 1))
            col->facts[page_no] = (PageFact){.mark = mark, .span.count = live, .known = true};
    }
    query_cache_unlock(c);
    return live;
}

static void keep_live_share(QueryCache *c, View *v, uint32_t table, int64_t live) {
    double used = (double)view_table_rows(v, table);
    query_cache_lock(c);
    Column *col = query_cache_column(c, v->catalog->tables[table].rows, CELL_I64);
    col->live_share = used > 0 && live > 0 ? (double)live / used : 0;
    query_cache_unlock(c);
}

int64_t query_count(QueryCache *c, View *v, const ExprSource *source, int64_t *looked) {
    uint32_t vec = query_source_vec(v, source);
    uint64_t pages = view_pages(v, vec), marks[CHUNK];
    int64_t sum = 0, live[CHUNK];
    PageCopy copy = {0};
    for (uint64_t at = 0; at < pages && !v->overrun; at += CHUNK) {
        uint32_t n = (uint32_t)(pages - at < CHUNK ? pages - at : CHUNK);
        for (uint32_t i = 0; i < n; i++) {
            marks[i] = c ? view_page_mark(v, vec, at + i) : 0;
            live[i] = -1;
        }
        if (c) {
            query_cache_lock(c);
            Column *col = query_cache_column(c, vec, CELL_I64);
            for (uint32_t i = 0; i < n; i++) live[i] = known_live(c, col, source, at + i, marks[i]);
            query_cache_unlock(c);
        }
        for (uint32_t i = 0; i < n; i++) {
            if (live[i] < 0) {
                live[i] = count_page(c, v, source, at + i, marks[i], &copy);
                if (looked) *looked += copy.rows;
            }
            sum += live[i];
        }
    }
    page_copy_free(&copy);
    if (c && source->kind == EXPR_TWIN && !v->overrun) keep_live_share(c, v, source->table, sum);
    return sum;
}
