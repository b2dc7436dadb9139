// SPDX-License-Identifier: Apache-2.0
// Worlds to stored blocks and back.
//   stored block: 0xB0 + page bytes, or 0xB1, shape u8, level u8, then NODE_FAN varints of child ids (0: none).
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"

enum { TAG_PAGE = 0xB0, TAG_NODE = 0xB1 };
#define LEVEL_MAX 6

// ---- storing ----

typedef struct Storing {
    World *w;
    const BlockStore *bs;
    Buf bytes;
} Storing;

static void remember(World *w, Block *b) {
    if (w->put_count == w->put_cap) {
        w->put_cap = w->put_cap ? w->put_cap * 2 : 256;
        w->put = mem_grow(w->put, (size_t)w->put_cap * sizeof(Block *));
    }
    w->put[w->put_count++] = b;
}

static Err put_block(Storing *s, Block *b, uint64_t *id) {
    if (s->bytes.full) return ERR_LIMIT;
    TRY(s->bs->put(s->bs->ctx, buf_str(&s->bytes), id));
    CHECK(*id != 0);
    atomic_store_explicit(&b->stored, *id, memory_order_relaxed);
    remember(s->w, b);
    return ERR_OK;
}

static Err store_block(Storing *s, Block *b, uint64_t *id);

// Everything below a stored node is stored: only tell the ids.
static void keep_block(Storing *s, Block *b) {
    s->bs->keep(s->bs->ctx, atomic_load_explicit(&b->stored, memory_order_relaxed));
    if (b->kind == BLOCK_PAGE) return;
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        Block *c = atomic_load_explicit(&((Node *)b)->child[i], memory_order_relaxed);
        if (c) keep_block(s, c);
    }
}

static Err store_node(Storing *s, Node *n, uint64_t *id) {
    uint64_t ids[NODE_FAN] = {0};
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        Block *c = atomic_load_explicit(&n->child[i], memory_order_relaxed);
        if (c) TRY(store_block(s, c, &ids[i]));
    }
    buf_reset(&s->bytes);
    buf_byte(&s->bytes, (char)TAG_NODE);
    buf_byte(&s->bytes, (char)n->b.shape);
    buf_byte(&s->bytes, (char)n->b.level);
    for (uint32_t i = 0; i < NODE_FAN; i++) buf_varint(&s->bytes, ids[i]);
    return put_block(s, &n->b, id);
}

static Err store_block(Storing *s, Block *b, uint64_t *id) {
    *id = atomic_load_explicit(&b->stored, memory_order_relaxed);
    if (*id) {
        keep_block(s, b);
        return ERR_OK;
    }
    if (b->kind == BLOCK_NODE) return store_node(s, (Node *)b, id);
    buf_reset(&s->bytes);
    buf_byte(&s->bytes, (char)TAG_PAGE);
    page_encode((const Page *)b, &s->bytes);
    return put_block(s, b, id);
}

Err world_store(World *w, const BlockStore *bs, uint64_t *root) {
    CHECK(!w->open && !w->past);
    w->put_count = 0;
    Storing s = {.w = w, .bs = bs};
    Err e = store_block(&s, (Block *)atomic_load(&w->root), root);
    buf_free(&s.bytes);
    return e;
}

void world_unstore(World *w) {
    for (int64_t i = 0; i < w->put_count; i++) atomic_store_explicit(&w->put[i]->stored, 0, memory_order_relaxed);
    w->put_count = 0;
}

// ---- loading ----

typedef struct Loading {
    Domain *d;
    const BlockStore *bs;
} Loading;

static Err load_block(Loading *l, uint64_t id, int depth, Block **out);

// `below_vectors`: nodes of the same tree count levels down to their own leaves; pages only under level 0.
static Err load_node(Loading *l, Str bytes, int depth, Block **out) {
    Cut c = cut_of(bytes);
    uint8_t shape = cut_byte(&c), level = cut_byte(&c);
    uint64_t ids[NODE_FAN];
    for (uint32_t i = 0; i < NODE_FAN; i++) ids[i] = cut_varint(&c);
    if (c.bad || c.p != c.end || shape >= VEC_SHAPE_COUNT || level > LEVEL_MAX || depth > 2 * LEVEL_MAX + 3)
        return ERR_CORRUPT;
    Node *n = node_new((VecShape)shape, level, 0);
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        Block *child = NULL;
        Err e = ids[i] ? load_block(l, ids[i], depth + 1, &child) : ERR_OK;
        if (e != ERR_OK) {
            block_account(l->d, &n->b);
            block_unref(l->d, &n->b);
            return e;
        }
        atomic_init(&n->child[i], child);
    }
    block_account(l->d, &n->b);
    *out = &n->b;
    return ERR_OK;
}

static Err load_page(Loading *l, Str bytes, Block **out) {
    Page *p;
    TRY(page_decode(l->d, bytes, &p));
    block_account(l->d, &p->b);
    *out = &p->b;
    return ERR_OK;
}

static Err load_block(Loading *l, uint64_t id, int depth, Block **out) {
    Buf bytes = {0};
    Err e = l->bs->get(l->bs->ctx, id, &bytes);
    if (e == ERR_OK && bytes.n == 0) e = ERR_CORRUPT;
    if (e == ERR_OK) {
        Str rest = {bytes.p + 1, bytes.n - 1};
        uint8_t tag = (uint8_t)bytes.p[0];
        e = tag == TAG_PAGE ? load_page(l, rest, out) : tag == TAG_NODE ? load_node(l, rest, depth, out) : ERR_CORRUPT;
    }
    if (e == ERR_OK) atomic_init(&(*out)->stored, id);
    buf_free(&bytes);
    return e;
}

// A loaded tree must have the shape that reading relies on: levels fall by one, vectors hang under level 0 of the top.
static bool tree_ok(const Block *b, int level, bool vectors) {
    if (level < 0 && !vectors) return b->kind == BLOCK_PAGE;
    if (b->kind != BLOCK_NODE) return false;
    const Node *n = (const Node *)b;
    if (level >= 0 && n->b.level != level) return false;
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        const Block *c = atomic_load_explicit(&n->child[i], memory_order_relaxed);
        if (!c) continue;
        bool to_vector = vectors && n->b.level == 0;
        int below = to_vector ? (c->kind == BLOCK_NODE ? (int)c->level : -1) : n->b.level - 1;
        if (to_vector && c->kind != BLOCK_NODE) return false;
        if (!tree_ok(c, below, vectors && !to_vector)) return false;
        if (!vectors && c->shape != b->shape) return false;
    }
    return true;
}

VecShape shape_of_vec(uint32_t vec) {
    static const VecShape shapes[] = {VEC_META, VEC_HOT,   VEC_COLD, VEC_LINK, VEC_MODEL, VEC_WORD,
                                      VEC_WORD, VEC_SLOTS, VEC_WORD, VEC_WORD, VEC_SLOTS, VEC_WORD};
    return vec <= VECNO_TABLE ? shapes[vec] : VEC_SHAPE_COUNT;
}

// Is there no such vector, or is it one of this shape? tree_ok says that all of it then is.
static bool is_shape(const Node *root, uint32_t vec, VecShape shape) {
    const Node *n = root;
    if (vec >> NODE_SHIFT * (n->b.level + 1)) return true;
    for (int level = n->b.level; level >= 0 && n; level--)
        n = (const Node *)atomic_load_explicit(&n->child[vec >> NODE_SHIFT * level & (NODE_FAN - 1)],
                                               memory_order_relaxed);
    return !n || n->b.shape == shape;
}

bool tree_fixed_ok(const Node *root) {
    for (uint32_t vec = 0; vec < VECNO_COLUMNS; vec++)
        if (!is_shape(root, vec, shape_of_vec(vec))) return false;
    return true;
}

bool tree_columns_ok(const Node *root, const Catalog *c) {
    for (uint32_t vec = VECNO_COLUMNS; vec < c->next_vec; vec++) {
        const Field *f;
        bool cells = catalog_column(c, vec, &f) || catalog_link_column(c, vec, &f);
        if (!is_shape(root, vec, cells ? cell_shape(f->cell) : VEC_WORD)) return false;
    }
    return true;
}

static Err load_catalog(Domain *d, Node *root, Catalog **out) {
    World peek = {.domain = d};
    atomic_init(&peek.root, root);
    View v = {.world = &peek, .root = root, .seq = UINT64_MAX, .slot = -1};
    TRY(catalog_load(&v, out));
    if (tree_columns_ok(root, *out)) return ERR_OK;
    catalog_unref(*out);
    return ERR_CORRUPT;
}

Err world_load(Domain *d, const BlockStore *bs, uint64_t root, int64_t ring_records, World **out) {
    Loading l = {d, bs};
    Block *b;
    Catalog *catalog;
    TRY(load_block(&l, root, 0, &b));
    Err e = b->kind == BLOCK_NODE && tree_ok(b, b->level, true) && tree_fixed_ok((Node *)b) ? ERR_OK : ERR_CORRUPT;
    if (e == ERR_OK) e = load_catalog(d, (Node *)b, &catalog);
    if (e != ERR_OK) {
        block_unref(d, b);
        return e;
    }
    *out = world_adopt(d, ring_records, (Node *)b, catalog);
    return ERR_OK;
}
