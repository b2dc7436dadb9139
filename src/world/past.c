// SPDX-License-Identifier: Apache-2.0
// Past worlds: vectors of their own, each a radix tree of pages that is filled on touch.
//
// Invariants
//  1. A page in the tree is never replaced; a group of it is written once, under the page's lock, before its bit of
//     `undo` is set (release). Who finds the bit (acquire) reads the group without any lock.
//  2. Pages have no version, sequence or chain: a reader's way through them is that of a page nobody writes.
//  3. Which rows may be there follows from META and the tables' row counts as of then, so pages are no larger than
//     that, and pages behind it are no pages.
//  4. A page of which nothing is known is the world's one `absent` page: it has no rows.
//  5. What failed leaves no trace: the next view asks again.
#include "world/past.h"
#include <pthread.h>
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"
#include "world/forget.h"
#include "world/scan.h"

#define LOCKS 64
#define ROWS_END ((uint64_t)1 << 42) // no vector has more rows

typedef struct Past Past;

typedef struct PastVec {
    _Atomic uint64_t pages; // that may have rows, + 1; 0: not known yet. Set together with rows, before
    _Atomic uint64_t rows;
    _Atomic(Block *) root;
    VecShape shape;
} PastVec;

struct Past {
    PastSource source;
    const World *live; // borrowed; NULL: none
    uint64_t seq;
    int64_t at;
    PastVec *vecs;
    uint32_t vec_count;
    Page *absent;
    _Atomic int64_t bytes;
    pthread_mutex_t locks[LOCKS]; // each guards the making of some pages; nothing else is taken inside
};

struct PastRows {
    World *w;
    Page *page;
    VecShape shape;
    uint32_t groups; // wanted
    int64_t bytes;   // of texts
    bool any, bad;
};

// ---- what a source says ------------------------------------------------------------------------------------------

VecShape past_shape(const PastRows *to) { return to->shape; }

// Is it one of the rows that are wanted? A row that cannot be there is a contradiction in what the source has.
static bool wanted(PastRows *to, uint32_t row, bool fits) {
    if (row < PAGE_ROWS && !(to->groups >> row / PAST_GROUP_ROWS & 1)) return false;
    if (row >= to->page->cap || !fits) to->bad = true;
    if (to->bad) return false;
    return to->any = true;
}

static void put(Page *p, uint32_t word, uint64_t bits) {
    atomic_store_explicit(&p->words[word], bits, memory_order_relaxed);
}

static uint64_t got(const Page *p, uint32_t word) {
    return atomic_load_explicit(&p->words[word], memory_order_relaxed);
}

// Word k of a row is part of a text.
static bool in_text(const VecLayout *l, uint32_t k) {
    return (l->text_mask >> k & 1) || (k > 0 && (l->text_mask >> (k - 1) & 1));
}

void past_put_word(PastRows *to, uint32_t row, uint32_t word, uint64_t bits) {
    const VecLayout *l = &vec_layout[to->shape];
    if (!wanted(to, row, !l->timed && word < l->words && !in_text(l, word))) return;
    put(to->page, page_cell_word(to->page, row) + word, bits);
}

static void put_text(PastRows *to, uint32_t word, Str text) {
    Domain *d = to->w->domain;
    text_unref(d, (Text){{got(to->page, word), got(to->page, word + 1)}});
    Text t = text_make(d, text);
    put(to->page, word, t.w[0]);
    put(to->page, word + 1, t.w[1]);
    if (!text_is_inline(t)) to->bytes += text.n;
}

void past_put_text(PastRows *to, uint32_t row, uint32_t word, Str text) {
    const VecLayout *l = &vec_layout[to->shape];
    if (!wanted(to, row, !l->timed && word < 8 && (l->text_mask >> word & 1))) return;
    put_text(to, page_cell_word(to->page, row) + word, text);
}

void past_put_cell(PastRows *to, uint32_t row, uint64_t bits, Str text, int64_t update_time, int64_t source_time) {
    if (!wanted(to, row, vec_layout[to->shape].timed)) return;
    Page *p = to->page;
    uint32_t valid = page_valid_word(row);
    put(p, valid, got(p, valid) | (uint64_t)1 << (row & 63));
    if (to->shape == VEC_TEXT) put_text(to, page_cell_word(p, row), text);
    else put(p, page_cell_word(p, row), bits);
    put(p, page_update_word(p, row), (uint64_t)update_time);
    put(p, page_source_word(p, row), (uint64_t)source_time);
}

// ---- making groups -----------------------------------------------------------------------------------------------

static uint32_t groups_of(const Page *p) { return (1u << (p->cap + PAST_GROUP_ROWS - 1) / PAST_GROUP_ROWS) - 1; }

static uint32_t made(const Page *p) { return (uint32_t)atomic_load_explicit(&p->undo, memory_order_acquire); }

static void wipe_row(Domain *d, Page *p, uint32_t row) {
    const VecLayout *l = &vec_layout[p->b.shape];
    uint32_t cell = page_cell_word(p, row);
    for (uint32_t k = 0; k < l->words; k++) {
        if (l->text_mask >> k & 1) text_unref(d, (Text){{got(p, cell + k), got(p, cell + k + 1)}});
    }
    for (uint32_t k = 0; k < l->words; k++) put(p, cell + k, 0);
    if (!l->timed) return;
    put(p, page_valid_word(row), 0);
    put(p, page_update_word(p, row), 0);
    put(p, page_source_word(p, row), 0);
}

// Groups that were begun and failed.
static void wipe(Domain *d, Page *p, uint32_t groups) {
    for (uint32_t row = 0; row < p->cap; row++) {
        if (groups >> row / PAST_GROUP_ROWS & 1) wipe_row(d, p, row);
    }
}

// Numbers that readers go by without looking: tables and kinds.
static bool sound(const World *w, const PastRows *rows) {
    const Catalog *c = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    if (rows->shape != VEC_HOT && rows->shape != VEC_LINK) return true;
    for (uint32_t row = 0; row < rows->page->cap; row++) {
        if (!(rows->groups >> row / PAST_GROUP_ROWS & 1)) continue;
        uint64_t first = got(rows->page, page_cell_word(rows->page, row)), high = first >> TABLE_SHIFT;
        if (!first) continue;
        if (rows->shape == VEC_HOT && (high == 0 || high > (uint64_t)c->table_count)) return false;
        if (rows->shape == VEC_LINK && high >= (uint64_t)c->kind_count) return false;
    }
    return true;
}

// META of a past world: what no trail tells.
static void put_instant(const Past *past, Page *p) {
    put(p, META_SEQ, past->seq);
    put(p, META_TIME, (uint64_t)past->at);
}

static Err fill(World *w, uint32_t vec, uint64_t page_no, PastRows *rows) {
    const PastSource *src = &w->past->source;
    TRY(src->rows(src->ctx, w->past->at, vec, page_no, (uint16_t)rows->groups, rows));
    if (rows->bad || !sound(w, rows)) return ERR_CORRUPT;
    if (vec == VECNO_META) put_instant(w->past, rows->page);
    rows->any = rows->any || vec == VECNO_META;
    return ERR_OK;
}

// ---- the tree ----------------------------------------------------------------------------------------------------

// The node in the slot; a fresh one when there is none.
static Node *node_at(Domain *d, _Atomic(Block *) *slot, VecShape shape, uint8_t level) {
    Block *b = atomic_load_explicit(slot, memory_order_acquire);
    if (b) return (Node *)b;
    Node *n = node_new(shape, level, 0);
    block_account(d, &n->b);
    if (atomic_compare_exchange_strong_explicit(slot, &b, &n->b, memory_order_acq_rel, memory_order_acquire)) return n;
    block_unref(d, &n->b);
    return (Node *)b;
}

static _Atomic(Block *) *slot_of(World *w, PastVec *pv, uint64_t page_no) {
    uint64_t pages = atomic_load_explicit(&pv->pages, memory_order_relaxed) - 1;
    uint8_t level = 0;
    while ((pages - 1) >> NODE_SHIFT * (level + 1)) level++;
    Node *n = node_at(w->domain, &pv->root, pv->shape, level);
    for (; level > 0; level--) {
        _Atomic(Block *) *slot = &n->child[page_no >> NODE_SHIFT * level & (NODE_FAN - 1)];
        n = node_at(w->domain, slot, pv->shape, (uint8_t)(level - 1));
    }
    return &n->child[page_no & (NODE_FAN - 1)];
}

// The page as it is now: with some of its groups, absent, or NULL.
static Page *find(PastVec *pv, uint64_t page_no) {
    Block *b = atomic_load_explicit(&pv->root, memory_order_acquire);
    if (!b) return NULL;
    for (int level = b->level; level >= 0 && b; level--)
        b = atomic_load_explicit(&((Node *)b)->child[page_no >> NODE_SHIFT * level & (NODE_FAN - 1)],
                                 memory_order_acquire);
    return (Page *)b;
}

// ---- how many rows there may be ----------------------------------------------------------------------------------

static const Page *fail(View *v, Err e) {
    if (v->failed == ERR_OK) v->failed = e;
    v->overrun = true;
    return NULL;
}

static uint64_t index_rows(View *v, uint32_t vec, const IndexRef *ix) {
    uint64_t segments = view_meta(v, ix->segments), depth = view_meta(v, ix->depth);
    if (segments == 0) return 0;
    if (vec == ix->dir) return depth < 42 ? (uint64_t)1 << depth : UINT64_MAX;
    return vec == ix->info ? segments : segments < ROWS_END ? segments << PAGE_SHIFT : UINT64_MAX;
}

// Rows a column may have.
static uint64_t column_rows(View *v, uint32_t vec) {
    int32_t owner = v->catalog->owner[vec - VECNO_COLUMNS];
    return owner >= 0 ? view_table_rows(v, (uint32_t)owner) : view_meta(v, META_ID_MAX) + 1;
}

static uint64_t rows_of(View *v, uint32_t vec) {
    switch (vec) {
    case VECNO_META: return META_RID_SEGMENTS + 1;
    case VECNO_HOT:
    case VECNO_COLD:
    case VECNO_LINK: return view_meta(v, META_ID_MAX) + 1;
    case VECNO_MODEL: return view_meta(v, META_MODEL_ROWS);
    case VECNO_NAME_DIR:
    case VECNO_NAME_INFO:
    case VECNO_NAME_SLOTS: return index_rows(v, vec, &index_names);
    case VECNO_RID_DIR:
    case VECNO_RID_INFO:
    case VECNO_RID_SLOTS: return index_rows(v, vec, &index_rids);
    case VECNO_TABLE: return 2 * (uint64_t)v->catalog->table_count;
    default: return vec < VECNO_COLUMNS ? 0 : column_rows(v, vec);
    }
}

// Pages of a vector that may have rows; 0 also when that cannot be found out.
static uint64_t pages_of(View *v, uint32_t vec) {
    PastVec *pv = &v->past->vecs[vec];
    uint64_t pages = atomic_load_explicit(&pv->pages, memory_order_acquire);
    if (pages) return pages - 1;
    uint64_t rows = rows_of(v, vec), written = 0;
    if (v->failed != ERR_OK) return 0;
    Err e = rows <= ROWS_END ? ERR_OK : ERR_CORRUPT;
    if (e == ERR_OK) e = v->past->source.pages(v->past->source.ctx, vec, &written);
    if (e != ERR_OK) return fail(v, e), 0;
    pages = (rows + PAGE_ROWS - 1) >> PAGE_SHIFT;
    if (vec != VECNO_META && written < pages) pages = written;
    atomic_store_explicit(&pv->rows, rows, memory_order_relaxed);
    atomic_store_explicit(&pv->pages, pages + 1, memory_order_release);
    return pages;
}

// ---- pages on touch ----------------------------------------------------------------------------------------------

static Page *fresh_page(World *w, const PastVec *pv, uint64_t page_no) {
    uint64_t rows = atomic_load_explicit(&pv->rows, memory_order_relaxed) - (page_no << PAGE_SHIFT);
    bool timed = vec_layout[pv->shape].timed;
    Page *p = page_new(pv->shape, rows < PAGE_ROWS ? (uint32_t)rows : PAGE_ROWS, timed, 0);
    block_account(w->domain, &p->b);
    return p;
}

// A page with its first groups goes into the tree; one of which nothing is known, as `absent`.
static void hang(Past *past, Domain *d, _Atomic(Block *) *slot, PastRows *rows) {
    Page *p = rows->page;
    if (!rows->any && rows->groups == groups_of(p)) {
        block_unref(d, &p->b);
        p = past->absent;
        block_ref(&p->b);
    } else {
        atomic_fetch_add_explicit(&past->bytes, (int64_t)sizeof *p + 8 * (int64_t)page_words(p), memory_order_relaxed);
        atomic_store_explicit(&p->undo, rows->groups, memory_order_relaxed);
    }
    atomic_store_explicit(slot, &p->b, memory_order_release);
}

// Make the groups that are still wanted. Under the page's lock.
static Err make(World *w, uint32_t vec, uint64_t page_no, uint32_t groups) {
    Past *past = w->past;
    PastVec *pv = &past->vecs[vec];
    _Atomic(Block *) *slot = slot_of(w, pv, page_no);
    Page *old = (Page *)atomic_load_explicit(slot, memory_order_acquire);
    if (old == past->absent) return ERR_OK;
    PastRows rows = {.w = w, .page = old ? old : fresh_page(w, pv, page_no), .shape = pv->shape};
    uint32_t have = old ? made(old) : 0;
    if ((uint32_t)__builtin_popcount(have) >= PAST_AHEAD && groups & ~have) groups = PAST_WHOLE;
    rows.groups = groups & groups_of(rows.page) & ~have;
    Err e = rows.groups ? fill(w, vec, page_no, &rows) : ERR_OK;
    if (e != ERR_OK) {
        wipe(w->domain, rows.page, rows.groups);
        if (!old) block_unref(w->domain, &rows.page->b);
        return e;
    }
    if (old) atomic_fetch_or_explicit(&old->undo, rows.groups, memory_order_release);
    else hang(past, w->domain, slot, &rows);
    atomic_fetch_add_explicit(&past->bytes, rows.bytes, memory_order_relaxed);
    return ERR_OK;
}

static Err make_locked(World *w, uint32_t vec, uint64_t page_no, uint32_t groups) {
    pthread_mutex_t *lock = &w->past->locks[(page_no * 31 + vec) % LOCKS];
    pthread_mutex_lock(lock);
    Err e = make(w, vec, page_no, groups);
    pthread_mutex_unlock(lock);
    return e;
}

const Page *past_made(View *v, uint32_t vec, uint64_t page_no, uint32_t groups) {
    Past *past = v->past;
    if (v->failed != ERR_OK) return fail(v, v->failed);
    if (vec >= past->vec_count || page_no >= pages_of(v, vec)) return NULL;
    for (;;) {
        const Page *p = find(&past->vecs[vec], page_no);
        if (p == past->absent) return NULL;
        if (p && !(groups & groups_of(p) & ~made(p))) return p;
        // The world is only const to those who cannot write it.
        Err e = make_locked((World *)(uintptr_t)v->world, vec, page_no, groups); // NOLINT
        if (e != ERR_OK) return fail(v, e);
    }
}

// The view of the past world below that a world over it has.
static View below(const View *v) {
    const World *w = v->world->base;
    return (View){
        .world = w,
        .root = atomic_load_explicit(&w->root, memory_order_relaxed),
        .catalog = atomic_load_explicit(&w->catalog, memory_order_relaxed),
        .seq = w->seq,
        .slot = -1,
        .failed = v->failed,
        .past = w->past,
    };
}

static void failed_below(View *v, const View *b) {
    if (b->failed == ERR_OK) return;
    fail(v, b->failed);
    // The writer goes on with what it believes to have read: it must not.
    bool writer = v->seq == UINT64_MAX;
    if (writer) atomic_store(&((World *)(uintptr_t)v->world)->broken, (int)b->failed); // NOLINT: const to readers
}

const Page *past_page(View *v, uint32_t vec, uint64_t page_no, uint32_t groups) {
    if (!v->world->base) return past_made(v, vec, page_no, groups);
    const Page *own = tree_page(v->root, vec, page_no);
    if (own) return own;
    View b = below(v);
    own = past_made(&b, vec, page_no, groups);
    failed_below(v, &b);
    return own;
}

static uint64_t mark_made(View *v, uint32_t vec, uint64_t page_no, const Page **page) {
    *page = NULL;
    if (v->failed != ERR_OK) return 0;
    if (vec >= v->past->vec_count || page_no >= pages_of(v, vec)) return v->failed != ERR_OK ? 0 : PAGE_MARK_NONE;
    const Page *p = find(&v->past->vecs[vec], page_no);
    if (p == v->past->absent) return PAGE_MARK_NONE;
    if (p && made(p) == groups_of(p)) *page = p;
    return 0;
}

uint64_t past_mark_page(View *v, uint32_t vec, uint64_t page_no, const Page **page) {
    if (!v->world->base) return mark_made(v, vec, page_no, page);
    View b = below(v);
    uint64_t mark = mark_made(&b, vec, page_no, page);
    failed_below(v, &b);
    return mark;
}

static uint64_t pages_made(View *v, uint32_t vec) {
    if (v->failed != ERR_OK) fail(v, v->failed);
    return vec < v->past->vec_count ? pages_of(v, vec) : 0;
}

uint64_t past_pages(View *v, uint32_t vec) {
    if (!v->world->base) return pages_made(v, vec);
    View b = below(v);
    uint64_t pages = pages_made(&b, vec);
    failed_below(v, &b);
    return pages;
}

// ---- names -------------------------------------------------------------------------------------------------------

// Names are spread over the whole index by their hash, and a page of it has the history of a thousand of them. Ids are
// never used again, so a twin that is there now and was there then by the same name is the one: two rows tell.
//
// What stands in place of an erased name tells the number; the index still has its row where the old name would be.
static uint64_t erased_id(View *v, Str name) {
    const Str head = STR(FORGET_NAME_HEAD);
    int64_t id;
    if (!str_starts(name, head) || !str_to_i64(str_sub(name, head.n, name.n), &id) || id <= 0) return 0;
    return (uint64_t)id <= view_meta(v, META_ID_MAX) ? (uint64_t)id : 0;
}

TwinId past_find_twin(View *v, Str name) {
    TwinId erased = {erased_id(v, name)};
    if (erased.v) {
        TwinView t = view_twin(v, erased);
        if (t.alive && text_eq(&t.name, name)) return erased;
    }
    if (!v->past->live) return (TwinId){0};
    View now;
    view_begin(&now, v->past->live);
    TwinId id = view_find_twin(&now, name);
    if (now.overrun) id.v = 0;
    view_end(&now);
    if (!id.v) return id;
    TwinView then = view_twin(v, id);
    return then.alive && text_eq(&then.name, name) ? id : (TwinId){0};
}

LinkId past_find_link(View *v, TwinId source, Str rid) {
    LinkId erased = {erased_id(v, rid)};
    if (erased.v) {
        LinkView l = view_link(v, erased);
        if (l.alive && l.source.v == source.v && text_eq(&l.rid, rid)) return erased;
    }
    if (!v->past->live) return (LinkId){0};
    View now;
    view_begin(&now, v->past->live);
    LinkId id = view_find_link(&now, source, rid);
    if (now.overrun) id.v = 0;
    view_end(&now);
    if (!id.v) return id;
    LinkView then = view_link(v, id);
    return then.alive && then.source.v == source.v && text_eq(&then.rid, rid) ? id : (LinkId){0};
}

// ---- times -------------------------------------------------------------------------------------------------------

int64_t past_time_of(View *v, const TwinView *t) {
    const Table *table = &v->catalog->tables[t->table];
    int64_t time = t->update_time;
    for (int32_t i = 0; i < table->model->field_count && !v->overrun; i++) {
        CellView c = view_cell(v, table->first + (uint32_t)i, t->row);
        if (c.valid && c.update_time > time) time = c.update_time;
    }
    return time;
}

int64_t view_twin_time(View *v, TwinId id) {
    TwinView t = view_twin_place(v, id);
    return t.alive ? view_time_of(v, &t) : 0;
}

// ---- worlds ------------------------------------------------------------------------------------------------------

static void vecs_grow(Past *past, const Catalog *c) {
    uint32_t count = c ? c->next_vec : VECNO_COLUMNS;
    PastVec *vecs = mem_alloc(count * sizeof *vecs);
    if (past->vec_count) memcpy((void *)vecs, (const void *)past->vecs, past->vec_count * sizeof *vecs);
    for (uint32_t vec = past->vec_count; vec < count; vec++) {
        const Field *f;
        if (vec < VECNO_COLUMNS) vecs[vec].shape = shape_of_vec(vec);
        else if (catalog_column(c, vec, &f) || catalog_link_column(c, vec, &f)) vecs[vec].shape = cell_shape(f->cell);
        else vecs[vec].shape = VEC_WORD;
    }
    mem_free(past->vecs);
    past->vecs = vecs;
    past->vec_count = count;
}

static Past *past_new(Domain *d, const PastSource *src, uint64_t seq, int64_t at) {
    Past *past = mem_alloc(sizeof *past);
    past->source = *src;
    past->seq = seq;
    past->at = at;
    past->absent = page_new(VEC_META, 1, false, 0);
    past->absent->cap = 0;
    block_account(d, &past->absent->b);
    for (int i = 0; i < LOCKS; i++) pthread_mutex_init(&past->locks[i], NULL);
    vecs_grow(past, NULL);
    return past;
}

void past_free(World *w) {
    Past *past = w->past;
    for (uint32_t i = 0; i < past->vec_count; i++) block_unref(w->domain, atomic_load(&past->vecs[i].root));
    block_unref(w->domain, &past->absent->b);
    for (int i = 0; i < LOCKS; i++) pthread_mutex_destroy(&past->locks[i]);
    if (past->source.free) past->source.free(past->source.ctx);
    mem_free(past->vecs);
    mem_free(past);
}

// The present catalog when no model operation came since, or NULL. One more reference.
static Catalog *shared_catalog(const World *live, int64_t rows) {
    if (!live) return NULL;
    View v;
    view_begin(&v, live);
    Catalog *c = NULL;
    if (view_model_rows(&v) == rows && !v.overrun) c = (Catalog *)(uintptr_t)v.catalog; // NOLINT: to count it
    if (c) catalog_ref(c);
    view_end(&v);
    return c;
}

static Err find_catalog(World *w, const World *live, Catalog **out) {
    View v = view_writer(w);
    int64_t rows = view_model_rows(&v);
    if (v.failed != ERR_OK) return v.failed;
    *out = shared_catalog(live, rows);
    if (*out) return ERR_OK;
    Err e = catalog_load(&v, out);
    return v.failed != ERR_OK ? v.failed : e;
}

Err world_past(Domain *d, const PastSource *src, uint64_t seq, int64_t at, const World *live, World **out) {
    Node *root = node_new(VEC_META, 0, 0);
    block_account(d, &root->b);
    World *w = world_adopt(d, 0, root, catalog_new());
    w->past = past_new(d, src, seq, at);
    w->past->live = live;
    w->seq = w->base_seq = seq;
    w->time = at;
    atomic_store(&w->visible, seq);
    Catalog *catalog = NULL;
    Err e = find_catalog(w, live, &catalog);
    if (e != ERR_OK) {
        catalog_unref(catalog);
        world_free(w);
        return e;
    }
    catalog_unref(atomic_load(&w->catalog));
    atomic_store(&w->catalog, catalog);
    vecs_grow(w->past, catalog);
    *out = w;
    return ERR_OK;
}

bool world_is_past(const World *w) { return w->past != NULL; }
int64_t world_past_at(const World *w) { return w->past ? w->past->at : 0; }
int64_t world_past_bytes(const World *w) {
    return w->past ? atomic_load_explicit(&w->past->bytes, memory_order_relaxed) : 0;
}
