// SPDX-License-Identifier: Apache-2.0
// Copy-on-write and the writer's pen.
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"
#include "world/past.h"

// ---- ownership ----

// Positions in a chain older than the world's birth mean another world's ring.
static void own_page_chain(const World *w, Page *p) {
    if (atomic_load_explicit(&p->seq, memory_order_relaxed) <= w->base_seq)
        atomic_store_explicit(&p->undo, 0, memory_order_relaxed);
}

// May the world write in place? A block of another epoch that only an owned parent refers to is taken over, but not
// while two worlds are written: a reader of the one may have come to the block by what was its root before.
static bool own_in_place(World *w, Block *b) {
    if (b->epoch == w->epoch) return true;
    if (domain_writers(w->domain) > 1) return false;
    if (atomic_load_explicit(&b->refs, memory_order_acquire) != 1) return false;
    __atomic_store_n(&b->epoch, w->epoch, __ATOMIC_RELAXED); // world_own looks at it
    atomic_store_explicit(&b->stored, 0, memory_order_relaxed);
    if (b->kind == BLOCK_PAGE) own_page_chain(w, (Page *)b);
    return true;
}

static void swap_block(World *w, _Atomic(Block *) *slot, Block *old, Block *fresh) {
    block_account(w->domain, fresh);
    atomic_store_explicit(slot, fresh, memory_order_release);
    block_unref(w->domain, old);
}

// The node in `slot`, owned; NULL stays NULL. The slot's own node is owned.
static Node *own_node(World *w, _Atomic(Block *) *slot) {
    Block *b = atomic_load_explicit(slot, memory_order_relaxed);
    if (!b || own_in_place(w, b)) return (Node *)b;
    Node *n = node_copy((Node *)b, w->epoch);
    swap_block(w, slot, b, &n->b);
    return n;
}

static void dirty(Block *b) {
    if (atomic_load_explicit(&b->stored, memory_order_relaxed))
        atomic_store_explicit(&b->stored, 0, memory_order_relaxed);
}

// Put a new root over `slot` until keys up to `key` fit below it.
static Node *grow(World *w, _Atomic(Block *) *slot, VecShape shape, uint64_t key) {
    Node *n = own_node(w, slot);
    if (!n) {
        n = node_new(shape, 0, w->epoch);
        swap_block(w, slot, NULL, &n->b);
    }
    while (key >> NODE_SHIFT * (n->b.level + 1)) {
        Node *top = node_new(shape, (uint8_t)(n->b.level + 1), w->epoch);
        atomic_init(&top->child[0], &n->b);
        block_account(w->domain, &top->b);
        atomic_store_explicit(slot, &top->b, memory_order_release);
        n = top;
    }
    return n;
}

// From an owned node down to the level-0 node over `key`, all owned and dirty, made where absent.
static Node *descend(World *w, Node *n, VecShape shape, uint64_t key) {
    dirty(&n->b);
    for (int level = n->b.level; level > 0; level--) {
        _Atomic(Block *) *slot = &n->child[key >> NODE_SHIFT * level & (NODE_FAN - 1)];
        n = own_node(w, slot);
        if (!n) {
            n = node_new(shape, (uint8_t)(level - 1), w->epoch);
            swap_block(w, slot, NULL, &n->b);
        }
        dirty(&n->b);
    }
    return n;
}

// The root slot of a vector, owned from the world's root down.
static _Atomic(Block *) *vec_slot(World *w, uint32_t vec) {
    Node *top = grow(w, (_Atomic(Block *) *)(void *)&w->root, VEC_META, vec);
    return &descend(w, top, VEC_META, vec)->child[vec & (NODE_FAN - 1)];
}

static VecCache *cache_at(World *w, uint32_t vec) {
    if (vec >= w->cache_cap) {
        uint32_t cap = w->cache_cap ? w->cache_cap : 64;
        while (cap <= vec) cap *= 2;
        w->cache = mem_grow(w->cache, cap * sizeof *w->cache);
        memset(w->cache + w->cache_cap, 0, (cap - w->cache_cap) * sizeof *w->cache);
        w->cache_cap = cap;
    }
    return &w->cache[vec];
}

// The owned root node of a vector that can hold page_no.
static Node *own_vec(World *w, uint32_t vec, VecShape shape, uint64_t page_no) {
    VecCache *c = cache_at(w, vec);
    if (c->epoch != w->epoch || page_no >> NODE_SHIFT * (c->root->b.level + 1)) {
        c->root = grow(w, vec_slot(w, vec), shape, page_no);
        c->epoch = w->epoch;
    }
    return c->root;
}

// NULL: the page below could not be made, see over.c.
static Page *own_page(World *w, uint32_t vec, VecShape shape, uint64_t page_no, uint32_t rows, bool sources) {
    Node *leaf = descend(w, own_vec(w, vec, shape, page_no), shape, page_no);
    _Atomic(Block *) *slot = &leaf->child[page_no & (NODE_FAN - 1)];
    Block *b = atomic_load_explicit(slot, memory_order_relaxed);
    Page *p = (Page *)b;
    if (!b) {
        const Page *below = w->base ? over_page(w, vec, page_no, PAST_WHOLE) : NULL;
        if (w->base && world_broken(w)) return NULL;
        p = below ? page_copy(below, rows, sources, w->epoch) : page_new(shape, rows, sources, w->epoch);
        if (below) own_page_chain(w, p);
        swap_block(w, slot, NULL, &p->b);
        return p;
    }
    bool roomy = p->cap >= rows && (p->b.sources || !sources);
    if (roomy && own_in_place(w, b)) {
        dirty(b);
        return p;
    }
    p = page_copy(p, rows, sources, w->epoch);
    own_page_chain(w, p);
    swap_block(w, slot, b, &p->b);
    return p;
}

static Page *tree_own(World *w, uint32_t vec, uint64_t page_no) {
    if (vec < w->cache_cap && w->cache[vec].epoch == w->epoch) {
        Node *n = w->cache[vec].root;
        if (page_no >> NODE_SHIFT * (n->b.level + 1)) return NULL;
        for (int level = n->b.level; level >= 0 && n; level--)
            n = (Node *)atomic_load_explicit(&n->child[page_no >> NODE_SHIFT * level & (NODE_FAN - 1)],
                                             memory_order_relaxed);
        return (Page *)n;
    }
    return (Page *)(uintptr_t)tree_page(atomic_load_explicit(&w->root, memory_order_relaxed), vec, page_no);
}

// Of a world over a past one: its own, or as much of the page below as is asked for. The page below is not written.
static Page *over_or_own(World *w, uint32_t vec, uint64_t page_no, uint32_t groups) {
    if (world_broken(w)) return NULL;
    Page *p = tree_own(w, vec, page_no);
    return p ? p : (Page *)(uintptr_t)over_page(w, vec, page_no, groups); // NOLINT
}

Page *core_page(World *w, uint32_t vec, uint64_t page_no) {
    if (__builtin_expect(w->base != NULL, 0)) return over_or_own(w, vec, page_no, PAST_WHOLE);
    return tree_own(w, vec, page_no);
}

// The page that holds a row, with that row.
static Page *row_page(World *w, uint32_t vec, uint64_t row) {
    if (__builtin_expect(w->base != NULL, 0))
        return over_or_own(w, vec, row >> PAGE_SHIFT, 1u << (row / PAST_GROUP_ROWS % PAST_GROUPS));
    return tree_own(w, vec, row >> PAGE_SHIFT);
}

bool core_hang(World *w, uint32_t vec, uint64_t page_no, Page *p) {
    VecShape shape = (VecShape)p->b.shape;
    block_account(w->domain, &p->b);
    Node *top = own_vec(w, vec, shape, page_no);
    if (top->b.shape != shape) {
        block_unref(w->domain, &p->b);
        return false;
    }
    _Atomic(Block *) *slot = &descend(w, top, shape, page_no)->child[page_no & (NODE_FAN - 1)];
    if (atomic_load_explicit(slot, memory_order_relaxed)) {
        block_unref(w->domain, &p->b);
        return false;
    }
    p->b.epoch = w->epoch;
    atomic_store_explicit(slot, &p->b, memory_order_release);
    return true;
}

// ---- the pen ----

Pen pen_open(World *w, uint32_t vec, VecShape shape, uint64_t row, bool sources) {
    uint64_t page_no = row >> PAGE_SHIFT;
    CHECK(page_no <= UINT32_MAX);
    uint32_t in_page = (uint32_t)(row & (PAGE_ROWS - 1));
    if (__builtin_expect(w->base != NULL, 0) && world_broken(w)) return over_scrap(w, vec, shape, row);
    Page *p = own_page(w, vec, shape, page_no, in_page + 1, sources);
    if (__builtin_expect(p == NULL, 0)) return over_scrap(w, vec, shape, row);
    DEBUG_CHECK(p->b.shape == shape);
    uint64_t version = atomic_load_explicit(&p->version, memory_order_relaxed);
    DEBUG_CHECK((version & 1) == 0);
    atomic_store_explicit(&p->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&p->mark, 0, memory_order_relaxed);
    return (Pen){w, p, vec, (uint32_t)page_no};
}

// True when the word was another one.
static bool write_word(Pen *pen, uint32_t word, uint64_t value) {
    Page *p = pen->p;
    World *w = pen->w;
    uint64_t old = atomic_load_explicit(&p->words[word], memory_order_relaxed);
    if (old == value) return false;
    if (w->ring) {
        RingImage image = {
            .seq = w->seq,
            .prev = atomic_load_explicit(&p->undo, memory_order_relaxed),
            .old = old,
            .word = page_logical(p, word),
            .vec = pen->vec,
            .page_no = pen->page_no,
        };
        atomic_store_explicit(&p->undo, ring_push(w->ring, image), memory_order_relaxed);
    }
    atomic_store_explicit(&p->seq, w->seq, memory_order_relaxed);
    atomic_store_explicit(&p->words[word], value, memory_order_relaxed);
    return true;
}

// Cells of timed vectors are told whole, by who writes them.
static bool tells(const Pen *pen) { return pen->w->keep_trail && !vec_layout[pen->p->b.shape].timed; }

typedef struct Place {
    uint64_t row;
    uint32_t word;
} Place;

// The row of an untimed vector, and the word of it, that a word of its page is.
static Place place_of(const Pen *pen, uint32_t word) {
    uint32_t words = vec_layout[pen->p->b.shape].words;
    return (Place){(uint64_t)pen->page_no << PAGE_SHIFT | word / words, word % words};
}

void pen_put(Pen *pen, uint32_t word, uint64_t value) {
    if (!write_word(pen, word, value) || !tells(pen)) return;
    Place at = place_of(pen, word);
    trail_word(pen->w, pen->vec, at.row, at.word, value);
}

void pen_close(Pen *pen) {
    uint64_t version = atomic_load_explicit(&pen->p->version, memory_order_relaxed);
    atomic_store_explicit(&pen->p->version, version + 1, memory_order_release);
}

static void remember_text(TextTrails *q, TextTrail t) {
    if (q->count == q->cap) {
        int64_t cap = q->cap ? q->cap * 2 : 64;
        TextTrail *p = mem_alloc((size_t)cap * sizeof *p);
        for (int64_t i = 0; i < q->count; i++) p[i] = q->p[(q->head + i) & (q->cap - 1)];
        mem_free(q->p);
        *q = (TextTrails){p, 0, q->count, cap};
    }
    q->p[(q->head + q->count++) & (q->cap - 1)] = t;
}

void pen_put_text(Pen *pen, uint32_t word, Text t) {
    World *w = pen->w;
    Text old = {{atomic_load_explicit(&pen->p->words[word], memory_order_relaxed),
                 atomic_load_explicit(&pen->p->words[word + 1], memory_order_relaxed)}};
    uint64_t at = w->ring ? atomic_load_explicit(&w->ring->head, memory_order_relaxed) : 0;
    if (!text_is_inline(old)) {
        if (w->ring) remember_text(&w->graves, (TextTrail){w->seq, at, old});
        else text_retire(w->domain, old);
    }
    if (!text_is_inline(t) && w->ring) remember_text(&w->births, (TextTrail){w->seq, at, t});
    write_word(pen, word, t.w[0]);
    write_word(pen, word + 1, t.w[1]);
    if (tells(pen)) {
        Place at_row = place_of(pen, word);
        trail_text(w, pen->vec, at_row.row, at_row.word, t);
    }
}

uint64_t core_get(World *w, uint32_t vec, uint64_t row, uint32_t k) {
    Page *p = row_page(w, vec, row);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1));
    if (!p || r >= p->cap) return 0;
    return atomic_load_explicit(&p->words[page_cell_word(p, r) + k], memory_order_relaxed);
}

void core_put(World *w, uint32_t vec, VecShape shape, uint64_t row, uint32_t k, uint64_t value) {
    Pen pen = pen_open(w, vec, shape, row, false);
    pen_put(&pen, page_cell_word(pen.p, (uint32_t)(row & (PAGE_ROWS - 1))) + k, value);
    pen_close(&pen);
}

void core_put_text(World *w, uint32_t vec, VecShape shape, uint64_t row, uint32_t k, Text t) {
    Pen pen = pen_open(w, vec, shape, row, false);
    pen_put_text(&pen, page_cell_word(pen.p, (uint32_t)(row & (PAGE_ROWS - 1))) + k, t);
    pen_close(&pen);
}

// ---- undo ----

// The sequence of a page whose newest before-image is now `undo`, undone to `seq`. Never above the truth by more than
// what was lost, and what was lost is visible: a later undo or fork never goes back behind it. What was lost may also
// have been rolled back before, with a number above `seq`.
static uint64_t seq_of_chain(const World *w, uint64_t undo, uint64_t seq) {
    if (!undo) return w->base_seq;
    if (atomic_load_explicit(&w->ring->head, memory_order_relaxed) - (undo - 1) > w->ring->cap) {
        uint64_t lost = atomic_load_explicit(&w->ring->lost_seq, memory_order_relaxed);
        return lost < seq ? lost : seq;
    }
    return atomic_load_explicit(&w->ring->records[(undo - 1) & (w->ring->cap - 1)].seq, memory_order_relaxed);
}

// Put one word back (the record at position + 1 = at), without logging it again. The page may have been copied since
// (a fork in between).
static void rewind_one(World *w, RingRecord *rec, uint64_t at, uint64_t seq) {
    Page *now = core_page(w, rec->vec, rec->page_no);
    CHECK(now != NULL);
    Page *p = own_page(w, rec->vec, (VecShape)now->b.shape, rec->page_no, now->cap, now->b.sources);
    uint64_t version = atomic_load_explicit(&p->version, memory_order_relaxed);
    atomic_store_explicit(&p->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&p->mark, 0, memory_order_relaxed);
    atomic_store_explicit(&p->rewinds, atomic_load_explicit(&p->rewinds, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&p->words[page_physical(p, atomic_load_explicit(&rec->word, memory_order_relaxed))],
                          atomic_load_explicit(&rec->old, memory_order_relaxed), memory_order_relaxed);
    uint64_t undo = ring_prev(w->ring, at);
    atomic_store_explicit(&p->undo, undo, memory_order_relaxed);
    atomic_store_explicit(&p->seq, seq_of_chain(w, undo, seq), memory_order_relaxed);
    atomic_store_explicit(&p->version, version + 2, memory_order_release);
    rec->vec |= RING_DEAD;
}

// Texts put in at or behind `from` go; those taken out live on in the cells that hold them again.
static void rewind_texts(World *w, uint64_t from) {
    for (TextTrails *q = &w->graves; q->count; q->count--) {
        if (q->p[(q->head + q->count - 1) & (q->cap - 1)].at < from) break;
    }
    for (TextTrails *q = &w->births; q->count; q->count--) {
        TextTrail *t = &q->p[(q->head + q->count - 1) & (q->cap - 1)];
        if (t->at < from) break;
        text_retire(w->domain, t->text);
    }
}

void core_rewind(World *w, uint64_t from, uint64_t seq) {
    CHECK(w->ring != NULL);
    uint64_t head = atomic_load_explicit(&w->ring->head, memory_order_relaxed);
    CHECK(head - from <= w->ring->cap);
    for (uint64_t at = head; at > from; at--) {
        RingRecord *rec = &w->ring->records[(at - 1) & (w->ring->cap - 1)];
        if (!(rec->vec & RING_DEAD)) rewind_one(w, rec, at, seq);
    }
    rewind_texts(w, from);
}

int64_t core_room(const World *w) {
    if (!w->ring) return INT64_MAX;
    return (int64_t)(w->ring->cap - (atomic_load_explicit(&w->ring->head, memory_order_relaxed) - w->floor));
}
