// SPDX-License-Identifier: Apache-2.0
// A world's own pages, one by one, and the way back: what is kept of a fork beside what it lies over.
#include "base/check.h"
#include "world/core.h"
#include "world/past.h"

#define VEC_MAX (1u << 26)                    // numbers of vectors that a file may tell
#define PAGE_NO_MAX (((uint64_t)1 << 32) - 1) // and of pages

uint64_t world_born(const World *w) { return w->born; }

// ---- there --------------------------------------------------------------------------------------------------------

typedef struct Walk {
    uint64_t since;
    WorldPageFn fn;
    void *ctx;
    Buf bytes;
} Walk;

static Err walk_pages(Walk *k, const Block *b, uint32_t vec, uint64_t page_no) {
    if (__atomic_load_n(&b->epoch, __ATOMIC_RELAXED) < k->since) return ERR_OK; // and so is everything below
    if (b->kind == BLOCK_PAGE) {
        buf_reset(&k->bytes);
        page_encode((const Page *)b, &k->bytes);
        return k->bytes.full ? ERR_LIMIT : k->fn(k->ctx, vec, page_no, buf_str(&k->bytes));
    }
    const Node *n = (const Node *)b;
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        const Block *c = atomic_load_explicit(&n->child[i], memory_order_acquire);
        if (c) TRY(walk_pages(k, c, vec, page_no << NODE_SHIFT | i));
    }
    return ERR_OK;
}

static Err walk_vectors(Walk *k, const Node *n, uint32_t vec) {
    if (__atomic_load_n(&n->b.epoch, __ATOMIC_RELAXED) < k->since) return ERR_OK;
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        const Block *c = atomic_load_explicit(&n->child[i], memory_order_acquire);
        uint32_t below = vec << NODE_SHIFT | i;
        if (c) TRY(n->b.level ? walk_vectors(k, (const Node *)c, below) : walk_pages(k, c, below, 0));
    }
    return ERR_OK;
}

Err world_pages(const World *w, uint64_t since, WorldPageFn fn, void *ctx) {
    CHECK(!w->open && !w->past);
    Walk k = {.since = since, .fn = fn, .ctx = ctx};
    Err err = walk_vectors(&k, atomic_load(&w->root), 0);
    buf_free(&k.bytes);
    return err;
}

// ---- and back -----------------------------------------------------------------------------------------------------

Err world_pages_put(World *w, uint32_t vec, uint64_t page_no, Str bytes) {
    CHECK(!w->past && !w->writes);
    Page *p;
    if (vec >= VEC_MAX || page_no > PAGE_NO_MAX) return ERR_CORRUPT;
    TRY(page_decode(w->domain, bytes, &p));
    return core_hang(w, vec, page_no, p) ? ERR_OK : ERR_CORRUPT;
}

// The schema is that of the past below, unless the model log has grown since.
static Err take_catalog(World *w) {
    View v = view_writer(w), below = v;
    int64_t rows = view_model_rows(&v), before = -1;
    if (w->base) {
        below = view_writer(w->base);
        before = view_model_rows(&below);
    }
    if (v.failed || below.failed) return v.failed ? v.failed : below.failed;
    if (rows == before) return ERR_OK;
    Catalog *c = NULL;
    Err err = catalog_load(&v, &c);
    if (v.failed) err = v.failed;
    if (err) {
        if (c) catalog_unref(c);
        return err;
    }
    catalog_unref(atomic_load(&w->catalog)); // nobody has seen it
    atomic_store(&w->catalog, c);
    return ERR_OK;
}

Err world_pages_end(World *w) {
    const Node *root = atomic_load(&w->root);
    if (!tree_page(root, VECNO_META, 0) || !tree_fixed_ok(root)) return ERR_CORRUPT;
    if (meta_get(w, META_SEQ) < w->seq) return ERR_CORRUPT;
    w->seq = w->base_seq = meta_get(w, META_SEQ);
    w->time = (int64_t)meta_get(w, META_TIME);
    atomic_store(&w->visible, w->seq);
    TRY(take_catalog(w));
    if (!tree_columns_ok(root, atomic_load(&w->catalog))) return ERR_CORRUPT;
    domain_reserve_ids(w->domain, meta_get(w, META_ID_MAX) + 1);
    return ERR_OK;
}
