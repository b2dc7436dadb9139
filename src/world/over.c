// SPDX-License-Identifier: Apache-2.0
// Worlds over a past one: an ordinary copy-on-write tree that holds what was written, and below it the past world's
// pages, made on touch and shared by all that lie over it.
//
// Invariants
//  1. A page of the tree is whole: it was copied from below with all its rows, or there was nothing below.
//  2. Pages below are never written, and never part of the tree.
//  3. A page that cannot be made breaks the batch: from then on the writer reads nothing and writes to scrap, so that
//     no page with rows missing comes into the tree, and no change is half believed. world_rollback and world_begin
//     mend it; what is put back then lies in the tree.
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"
#include "world/past.h"

World *over_base(World *w) {
    CHECK(w->past);
    atomic_fetch_add(&w->overs, 1);
    return w;
}

World *world_base(const World *w) { return w->base; }

static void scrap_free(World *w) {
    if (w->scrap_page) block_unref(w->domain, &w->scrap_page->b);
    w->scrap_page = NULL;
}

static void base_drop(Domain *d, void *base) {
    (void)d;
    world_free(base);
}

void world_rebase(World *w, World *past) {
    CHECK(w->base && !w->open);
    CHECK(past->past && past->seq == w->base->seq);
    scrap_free(w);
    World *old = atomic_exchange(&w->base, over_base(past));
    domain_retire(w->domain, old, base_drop);
}

const Page *over_page(World *w, uint32_t vec, uint64_t page_no, uint32_t groups) {
    World *b = w->base;
    View v = view_writer(b);
    const Page *p = past_made(&v, vec, page_no, groups);
    if (v.failed != ERR_OK) atomic_store_explicit(&w->broken, (int)v.failed, memory_order_relaxed);
    return v.failed == ERR_OK ? p : NULL;
}

// Its world has neither ring nor trail, so that nothing of it is remembered.
Pen over_scrap(World *w, uint32_t vec, VecShape shape, uint64_t row) {
    if (!w->scrap) {
        w->scrap = mem_alloc(sizeof *w->scrap);
        w->scrap->domain = w->domain;
    }
    scrap_free(w);
    w->scrap->seq = w->seq;
    w->scrap_page = page_new(shape, PAGE_ROWS, vec_layout[shape].timed, w->epoch);
    block_account(w->domain, &w->scrap_page->b);
    atomic_store_explicit(&w->scrap_page->version, 1, memory_order_relaxed); // pen_close makes it even
    return (Pen){w->scrap, w->scrap_page, vec, (uint32_t)(row >> PAGE_SHIFT)};
}

void over_free(World *w) {
    scrap_free(w);
    mem_free(w->scrap);
    world_free(w->base);
}
