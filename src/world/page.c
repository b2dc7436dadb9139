// SPDX-License-Identifier: Apache-2.0
#include "world/page.h"
#include "base/check.h"
#include "base/mem.h"

const VecLayout vec_layout[VEC_SHAPE_COUNT] = {
    [VEC_META] = {.words = 1},
    [VEC_HOT] = {.words = 2},
    [VEC_COLD] = {.words = 4, .text_mask = 1 << 0},
    [VEC_LINK] = {.words = 8, .text_mask = 1 << 2},
    [VEC_WORD] = {.words = 1},
    [VEC_SLOTS] = {.words = 1, .full = true},
    [VEC_MODEL] = {.words = 8, .text_mask = 1 << 2 | 1 << 4},
    [VEC_BITS] = {.words = 1, .timed = true},
    [VEC_TEXT] = {.words = 2, .timed = true, .text_mask = 1 << 0},
};

#define VALID_WORDS (PAGE_ROWS / 64)

static uint32_t words_for(VecShape shape, uint32_t cap, bool sources) {
    const VecLayout *l = &vec_layout[shape];
    uint32_t n = cap * l->words;
    return l->timed ? VALID_WORDS + n + cap * (sources ? 2 : 1) : n;
}

uint32_t page_words(const Page *p) { return words_for((VecShape)p->b.shape, p->cap, p->b.sources); }

static size_t page_bytes(const Page *p) { return sizeof *p + (size_t)page_words(p) * 8; }

static uint32_t cap_for(VecShape shape, uint32_t rows) {
    CHECK(rows <= PAGE_ROWS);
    if (vec_layout[shape].full) return PAGE_ROWS;
    uint32_t cap = 16;
    while (cap < rows) cap *= 4;
    return cap;
}

static Page *page_raw(VecShape shape, uint32_t cap, bool sources, uint64_t epoch) {
    uint32_t words = words_for(shape, cap, sources);
    Page *p = mem_alloc_page(sizeof *p + (size_t)words * 8);
    memset(p, 0, sizeof *p);
    atomic_init(&p->b.refs, 1);
    p->b.kind = BLOCK_PAGE;
    p->b.shape = (uint8_t)shape;
    p->b.sources = sources;
    p->b.epoch = epoch;
    p->cap = cap;
    return p;
}

Page *page_new(VecShape shape, uint32_t rows, bool sources, uint64_t epoch) {
    Page *p = page_raw(shape, cap_for(shape, rows), sources, epoch);
    memset((void *)p->words, 0, (size_t)page_words(p) * 8);
    return p;
}

// The text whose first word is `w` of a page.
static Text page_text(const Page *p, uint32_t w) {
    return (Text){{atomic_load_explicit(&p->words[w], memory_order_relaxed),
                   atomic_load_explicit(&p->words[w + 1], memory_order_relaxed)}};
}

// Calls fn for every text cell of a page. Empty cells are empty inline texts.
static void page_each_text(const Page *p, void (*fn)(void *ctx, Text t), void *ctx) {
    const VecLayout *l = &vec_layout[p->b.shape];
    for (uint32_t k = 0; k < 8; k++) {
        if (!(l->text_mask >> k & 1)) continue;
        for (uint32_t r = 0; r < p->cap; r++) fn(ctx, page_text(p, page_cell_word(p, r) + k));
    }
}

static void ref_one(void *ctx, Text t) {
    (void)ctx;
    text_ref(t);
}

static void unref_one(void *ctx, Text t) { text_retire(ctx, t); } // a reader may have it from another page

// Source pages are not written meanwhile; the copy is not shared yet: plain copies are enough.
static void copy_lane(Page *to, uint32_t to_at, const Page *from, uint32_t from_at, uint32_t n) {
    memcpy((void *)&to->words[to_at], (const void *)&from->words[from_at], (size_t)n * 8);
}

Page *page_copy(const Page *p, uint32_t rows, bool sources, uint64_t epoch) {
    VecShape shape = (VecShape)p->b.shape;
    uint32_t cap = cap_for(shape, rows > p->cap ? rows : p->cap);
    Page *q = page_raw(shape, cap, sources || p->b.sources, epoch);
    if (cap != p->cap || q->b.sources != p->b.sources) memset((void *)q->words, 0, (size_t)page_words(q) * 8);
    const VecLayout *l = &vec_layout[shape];
    if (l->timed) {
        copy_lane(q, 0, p, 0, VALID_WORDS);
        copy_lane(q, page_update_word(q, 0), p, page_update_word(p, 0), p->cap);
        if (p->b.sources) copy_lane(q, page_source_word(q, 0), p, page_source_word(p, 0), p->cap);
    }
    copy_lane(q, page_cell_word(q, 0), p, page_cell_word(p, 0), p->cap * l->words);
    atomic_init(&q->seq, atomic_load_explicit(&p->seq, memory_order_relaxed));
    atomic_init(&q->undo, atomic_load_explicit(&p->undo, memory_order_relaxed));
    page_each_text(q, ref_one, NULL);
    return q;
}

Node *node_new(VecShape shape, uint8_t level, uint64_t epoch) {
    Node *n = mem_alloc_page(sizeof *n);
    memset((void *)n, 0, sizeof *n);
    atomic_init(&n->b.refs, 1);
    n->b.kind = BLOCK_NODE;
    n->b.shape = (uint8_t)shape;
    n->b.level = level;
    n->b.epoch = epoch;
    return n;
}

Node *node_copy(const Node *n, uint64_t epoch) {
    Node *m = node_new((VecShape)n->b.shape, n->b.level, epoch);
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        Block *c = atomic_load_explicit(&n->child[i], memory_order_relaxed);
        if (c) block_ref(c);
        atomic_init(&m->child[i], c);
    }
    return m;
}

void block_ref(Block *b) { atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed); }

static void block_free(Domain *d, void *p) {
    Block *b = p;
    if (b->kind == BLOCK_PAGE) {
        page_each_text(p, unref_one, d);
    } else {
        Node *n = p;
        for (uint32_t i = 0; i < NODE_FAN; i++)
            block_unref(d, atomic_load_explicit(&n->child[i], memory_order_relaxed));
    }
    mem_free(p);
}

void block_unref(Domain *d, Block *b) {
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
    domain_count_block(d, -1, -(int64_t)(b->kind == BLOCK_PAGE ? page_bytes((Page *)b) : sizeof(Node)));
    domain_retire(d, b, block_free);
}

void block_account(Domain *d, const Block *b) {
    domain_count_block(d, 1, (int64_t)(b->kind == BLOCK_PAGE ? page_bytes((const Page *)b) : sizeof(Node)));
}

const Page *tree_page(const Node *root, uint32_t vec, uint64_t page_no) {
    const Node *n = root;
    if ((uint64_t)vec >> NODE_SHIFT * (n->b.level + 1)) return NULL;
    for (int level = n->b.level; level >= 0; level--) {
        Block *c = atomic_load_explicit(&n->child[vec >> NODE_SHIFT * level & (NODE_FAN - 1)], memory_order_acquire);
        if (!c) return NULL;
        n = (const Node *)c;
    }
    if (page_no >> NODE_SHIFT * (n->b.level + 1)) return NULL;
    for (int level = n->b.level; level >= 0; level--) {
        Block *c =
            atomic_load_explicit(&n->child[page_no >> NODE_SHIFT * level & (NODE_FAN - 1)], memory_order_acquire);
        if (!c) return NULL;
        n = (const Node *)c;
    }
    return (const Page *)n;
}

// ---- bytes ----
//   shape u8, sources u8, cap u16 (LE in a varint), then the words; heap texts: word 0 as it is, word 1 = offset into
//   the tail that follows, n bytes each.

void page_encode(const Page *p, Buf *out) {
    const VecLayout *l = &vec_layout[p->b.shape];
    buf_byte(out, (char)p->b.shape);
    buf_byte(out, (char)p->b.sources);
    buf_varint(out, p->cap);
    int64_t at = out->n;
    buf_put(out, (const void *)p->words, (int64_t)page_words(p) * 8);
    if (out->full) return;
    uint64_t tail = 0;
    for (uint32_t k = 0; k < 8; k++) {
        if (!(l->text_mask >> k & 1)) continue;
        for (uint32_t r = 0; r < p->cap; r++) {
            uint32_t w = page_cell_word(p, r) + k;
            Text t = page_text(p, w);
            if (text_is_inline(t)) continue;
            memcpy(out->p + at + ((int64_t)w + 1) * 8, &tail, 8);
            Str s = text_str(&t);
            buf_str_put(out, s);
            tail += (uint64_t)s.n;
            if (out->full) return;
        }
    }
}

// Turn stored texts back into handles; false when one points outside the tail. On false the page holds no heap text.
static bool decode_texts(Domain *d, Page *p, Str tail) {
    const VecLayout *l = &vec_layout[p->b.shape];
    for (int pass = 0; pass < 2; pass++) { // first check all, then make all
        for (uint32_t k = 0; k < 8; k++) {
            if (!(l->text_mask >> k & 1)) continue;
            for (uint32_t r = 0; r < p->cap; r++) {
                uint32_t w = page_cell_word(p, r) + k;
                Text t = page_text(p, w);
                int64_t n = text_size(t), from = (int64_t)t.w[1];
                if (n <= TEXT_INLINE) continue;
                if (pass == 0 && (from < 0 || from > tail.n || n > tail.n - from)) return false;
                if (pass == 0) continue;
                Text made = text_make(d, str_sub(tail, from, from + n));
                atomic_init(&p->words[w], made.w[0]);
                atomic_init(&p->words[w + 1], made.w[1]);
            }
        }
    }
    return true;
}

Err page_decode(Domain *d, Str bytes, Page **out) {
    Cut c = cut_of(bytes);
    uint8_t shape = cut_byte(&c), sources = cut_byte(&c);
    uint64_t cap = cut_varint(&c);
    if (c.bad || shape >= VEC_SHAPE_COUNT || sources > 1) return ERR_CORRUPT;
    if (cap > PAGE_ROWS || cap_for((VecShape)shape, (uint32_t)cap) != cap) return ERR_CORRUPT;
    if (sources && !vec_layout[shape].timed) return ERR_CORRUPT;
    Str words = cut_bytes(&c, (int64_t)words_for((VecShape)shape, (uint32_t)cap, sources) * 8);
    if (c.bad) return ERR_CORRUPT;
    Page *p = page_raw((VecShape)shape, (uint32_t)cap, sources, 0);
    memcpy((void *)p->words, words.p, (size_t)words.n);
    if (!decode_texts(d, p, (Str){(const char *)c.p, c.end - c.p})) {
        mem_free(p);
        return ERR_CORRUPT;
    }
    *out = p;
    return ERR_OK;
}
