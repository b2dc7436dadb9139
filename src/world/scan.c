// SPDX-License-Identifier: Apache-2.0
// Whole pages as of a view.
//
// 1. A page that stood still while it was copied (its version is even and the same before and after) is copied.
// 2. Else the writer was in it. A word that changed has a before-image in the page's chain, so whatever was copied of
//    it is put back by walking the chain as it is after the copy: a busy writer cannot make the copy fail.
// 3. But a rollback takes before-images out of the chain, and a word copied before that is neither old nor new: the
//    page counts words put back (`rewinds`), and the copy is made again when that changed.
#include "world/scan.h"
#include <sched.h>
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"
#include "world/past.h"

#if defined(__SANITIZE_THREAD__)
#define SCAN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SCAN_TSAN 1
#endif
#endif

#ifndef SCAN_MEANWHILE
#define SCAN_MEANWHILE() ((void)0) // a test lets the writer in here
#endif

// Words that may be written meanwhile, one by one.
static void copy_moving(uint64_t *to, const _Atomic uint64_t *from, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) to[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
}

// The same at the speed of memory: atomic loads do not vectorise. Who calls looks at the page's version afterwards,
// behind a fence, and uses nothing of the copy when it moved.
static void copy_fast(uint64_t *to, const _Atomic uint64_t *from, uint32_t n) {
#ifdef SCAN_TSAN
    copy_moving(to, from, n);
#else
    memcpy(to, (const void *)from, (size_t)n * 8);
#endif
}

typedef void CopyWords(uint64_t *to, const _Atomic uint64_t *from, uint32_t n);

static void copy_lanes(const Page *p, PageCopy *out, CopyWords *copy) {
    const VecLayout *l = &vec_layout[p->b.shape];
    if (l->timed) copy(out->valid, p->words, PAGE_ROWS / 64);
    if (out->cells) copy(out->cells, &p->words[page_cell_word(p, 0)], p->cap * l->words);
    if (out->update) copy((uint64_t *)out->update, &p->words[page_update_word(p, 0)], p->cap);
    if (out->source) copy((uint64_t *)out->source, &p->words[page_source_word(p, 0)], p->cap);
}

typedef struct Head {
    uint64_t version, seq, undo;
    uint32_t rewinds;
} Head;

static inline void wait_turn(uint32_t tries) {
    if (tries % 64 == 63) sched_yield(); // the writer seems to have lost the processor
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static bool still(const Page *p, uint64_t version) {
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&p->version, memory_order_relaxed) == version;
}

// What stands at the head of a page between two writes. Waits for one change of one row at most, mostly.
static Head read_head(const Page *p) {
    for (uint32_t tries = 0;; tries++) {
        Head h = {.version = atomic_load_explicit(&p->version, memory_order_acquire)};
        h.seq = atomic_load_explicit(&p->seq, memory_order_relaxed);
        h.undo = atomic_load_explicit(&p->undo, memory_order_relaxed);
        h.rewinds = atomic_load_explicit(&p->rewinds, memory_order_relaxed);
        if ((h.version & 1) == 0 && still(p, h.version)) return h;
        wait_turn(tries);
    }
}

// Copy the lanes of a page that may be written; returns the head whose chain leads back from the copy.
static Head copy_live(const Page *p, PageCopy *out) {
    Head before = read_head(p);
    SCAN_MEANWHILE();
    copy_lanes(p, out, copy_fast);
    SCAN_MEANWHILE();
    if (still(p, before.version)) return before;
    for (;;) {
        copy_lanes(p, out, copy_moving);
        SCAN_MEANWHILE();
        atomic_thread_fence(memory_order_acquire);
        Head after = read_head(p);
        if (after.rewinds == before.rewinds) return after;
        before = after;
    }
}

static uint64_t *lane_room(PageCopy *out, uint32_t words) {
    if (out->own_words < words) {
        mem_free(out->own);
        out->own = mem_alloc_page((size_t)words * 8);
        out->own_words = words;
    }
    return out->own;
}

// Lanes for what is wanted of a page, cleared behind its last row.
static void lay_lanes(const Page *p, uint32_t what, PageCopy *out) {
    const VecLayout *l = &vec_layout[p->b.shape];
    bool update = l->timed && (what & PAGE_UPDATE), source = l->timed && p->b.sources && (what & PAGE_SOURCE);
    uint32_t cells = what & PAGE_CELLS ? l->words : 0, behind = PAGE_ROWS - p->cap;
    out->rows = p->cap;
    if (cells + update + source == 0) return; // valid bits alone
    uint64_t *at = lane_room(out, PAGE_ROWS * (cells + update + source));
    if (cells) out->cells = at;
    at += PAGE_ROWS * cells;
    if (cells) memset(at - behind * cells, 0, (size_t)behind * cells * 8);
    if (update) out->update = (int64_t *)at;
    at += PAGE_ROWS * update;
    if (update) memset(at - behind, 0, (size_t)behind * 8);
    if (source) out->source = (int64_t *)at;
    at += PAGE_ROWS * source;
    if (source) memset(at - behind, 0, (size_t)behind * 8);
}

static bool rewind_lanes(const View *v, const Page *p, uint64_t undo, PageCopy *out) {
    const VecLayout *l = &vec_layout[p->b.shape];
    uint32_t valid = l->timed ? PAGE_ROWS / 64 : 0, update = valid + PAGE_ROWS * l->words;
    RingLanes to = {
        // numbers as in a page of full size
        .from = {0, valid, update, update + PAGE_ROWS},
        .size = {valid, PAGE_ROWS * l->words, PAGE_ROWS, PAGE_ROWS},
        .lane = {out->valid, out->cells, (uint64_t *)out->update, (uint64_t *)out->source},
    };
    return ring_undo_lanes(v->ring, undo, v->seq, &to);
}

static void copy_nothing(PageCopy *out) {
    out->rows = 0;
    out->cells = NULL;
    out->update = out->source = NULL;
    memset(out->valid, 0, sizeof out->valid);
}

void view_page(View *v, uint32_t vec, uint64_t page_no, uint32_t what, PageCopy *out) {
    const Page *p = view_whole_page(v, vec, page_no);
    copy_nothing(out);
    if (!p) return;
    lay_lanes(p, what, out);
    if (!v->ring) {
        copy_lanes(p, out, copy_fast);
        return;
    }
    Head head = copy_live(p, out);
    if (head.seq <= v->seq || rewind_lanes(v, p, head.undo, out)) return;
    v->overrun = true;
    copy_nothing(out); // half a text must not be followed
}

void page_copy_free(PageCopy *p) {
    mem_free(p->own);
    *p = (PageCopy){0};
}

// ---- marks ----

// The page's mark; a fresh one when it has none. A mark put while the writer is in the page was told to nobody before
// the page stands still again: callers look at the version afterwards.
static uint64_t mark_of(Domain *d, Page *p) {
    uint64_t mark = atomic_load_explicit(&p->mark, memory_order_relaxed);
    if (mark) return mark;
    uint64_t fresh = domain_next_epoch(d);
    bool put =
        atomic_compare_exchange_strong_explicit(&p->mark, &mark, fresh, memory_order_acq_rel, memory_order_acquire);
    return put ? fresh : mark;
}

uint64_t view_page_mark(View *v, uint32_t vec, uint64_t page_no) {
    const Page *found;
    uint64_t none = PAGE_MARK_NONE;
    found = tree_page(v->root, vec, page_no);
    if (!found && v->past) none = past_mark_page(v, vec, page_no, &found);
    if (!found) return none;
    Page *p = (Page *)(uintptr_t)found; // NOLINT: a mark is no part of the contents
    uint64_t version = atomic_load_explicit(&p->version, memory_order_acquire);
    uint64_t seq = atomic_load_explicit(&p->seq, memory_order_relaxed);
    if ((version & 1) || seq > v->seq) return 0;
    uint64_t mark = mark_of(v->world->domain, p);
    return still(p, version) ? mark : 0;
}

// ---- views, pages ----

void view_join(View *v, const View *like) {
    *v = *like;
    v->slot = -1;
    v->overrun = false;
    v->failed = ERR_OK;
}

// Highest page number + 1 below a node whose first page would be `first`.
static uint64_t pages_below(const Node *n, uint64_t first) {
    for (uint32_t i = NODE_FAN; i-- > 0;) {
        const Block *c = atomic_load_explicit(&n->child[i], memory_order_acquire);
        if (!c) continue;
        uint64_t at = first + ((uint64_t)i << NODE_SHIFT * n->b.level);
        uint64_t end = n->b.level ? pages_below((const Node *)c, at) : at + 1;
        if (end) return end;
    }
    return 0;
}

static uint64_t tree_pages(const Node *n, uint32_t vec) {
    if ((uint64_t)vec >> NODE_SHIFT * (n->b.level + 1)) return 0;
    for (int level = n->b.level; level >= 0 && n; level--)
        n = (const Node *)atomic_load_explicit(&n->child[vec >> NODE_SHIFT * level & (NODE_FAN - 1)],
                                               memory_order_acquire);
    return n ? pages_below(n, 0) : 0;
}

uint64_t view_pages(View *v, uint32_t vec) {
    uint64_t own = tree_pages(v->root, vec), below = v->past ? past_pages(v, vec) : 0;
    return own > below ? own : below;
}

// ---- what a fork has of its own -----------------------------------------------------------------------------------

static void count_own(const Block *b, uint64_t born, WorldOwn *out) {
    if (__atomic_load_n(&b->epoch, __ATOMIC_RELAXED) < born) return; // and so is everything below
    if (b->kind == BLOCK_PAGE) {
        out->pages++;
        out->bytes += (int64_t)sizeof(Page) + 8 * (int64_t)page_words((const Page *)b);
        return;
    }
    const Node *n = (const Node *)b;
    out->bytes += (int64_t)sizeof *n;
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        const Block *c = atomic_load_explicit(&n->child[i], memory_order_acquire);
        if (c) count_own(c, born, out);
    }
}

WorldOwn world_own(const World *w) {
    WorldOwn own = {0};
    View v;
    view_begin(&v, w);
    count_own(&v.root->b, w->born, &own);
    view_end(&v);
    return own;
}
