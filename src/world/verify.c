// SPDX-License-Identifier: Apache-2.0
// The costly check of a whole world: the invariants of page.h and every cross reference. The first that does not hold
// ends it.
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"

typedef struct Verify {
    const World *w;
    View v;
    uint64_t twins, out, in; // counted
    const char *broken;      // what does not hold
} Verify;

#define HOLDS(cond)                                                                                                    \
    do {                                                                                                               \
        if (__builtin_expect(!(cond), 0)) {                                                                            \
            x->broken = #cond;                                                                                         \
            return false;                                                                                              \
        }                                                                                                              \
    } while (0)

static bool verify_texts(Verify *x, const Page *p) {
    const VecLayout *l = &vec_layout[p->b.shape];
    if (!l->timed) return true;
    for (uint32_t r = 0; r < PAGE_ROWS; r++) {
        bool valid = atomic_load(&p->words[page_valid_word(r)]) >> (r & 63) & 1;
        HOLDS(!valid || r < p->cap);
        if (valid || r >= p->cap) continue;
        for (uint32_t k = 0; k < l->words; k++) HOLDS(atomic_load(&p->words[page_cell_word(p, r) + k]) == 0);
    }
    return true;
}

// Invariants 1, 4, 5 on one block and below; `stored` says that an ancestor is in the store.
static bool verify_block(Verify *x, const Block *b, bool stored) {
    const World *w = x->w;
    HOLDS(atomic_load(&b->refs) >= 1);
    HOLDS(b->epoch != w->epoch || atomic_load(&b->refs) == 1); // owned: nobody else's
    uint64_t id = atomic_load(&b->stored);
    HOLDS(!stored || id != 0);
    if (b->kind == BLOCK_PAGE) {
        const Page *p = (const Page *)b;
        HOLDS((atomic_load(&p->version) & 1) == 0);
        HOLDS(atomic_load(&p->seq) <= w->seq || b->epoch != w->epoch);
        return verify_texts(x, p);
    }
    const Node *n = (const Node *)b;
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        const Block *c = atomic_load(&n->child[i]);
        if (c && !verify_block(x, c, id != 0)) return false;
    }
    return true;
}

// Every twin of a table: place, name index, links of both directions, newest first.
static bool verify_out(Verify *x, TwinId id, const TwinView *t) {
    uint64_t last = UINT64_MAX;
    for (LinkId l = t->first_out; l.v; x->out++) {
        LinkView k = view_link(&x->v, l);
        HOLDS(k.alive && k.source.v == id.v && l.v < last);
        HOLDS(view_twin_place(&x->v, k.target).alive);
        HOLDS(view_find_link(&x->v, id, text_str(&k.rid)).v == l.v);
        last = l.v;
        l = k.next_out;
    }
    return true;
}

static bool verify_in(Verify *x, TwinId id, const TwinView *t) {
    uint64_t last = UINT64_MAX;
    for (LinkId l = t->first_in; l.v; x->in++) {
        LinkView k = view_link(&x->v, l);
        HOLDS(k.alive && k.target.v == id.v && l.v < last);
        HOLDS(view_twin_place(&x->v, k.source).alive);
        last = l.v;
        l = k.next_in;
    }
    return true;
}

static bool verify_row(Verify *x, uint32_t table, uint64_t row) {
    TwinId id = view_row_twin(&x->v, table, row);
    if (!id.v) return true;
    TwinView t = view_twin(&x->v, id);
    HOLDS(t.alive && t.table == table && t.row == row);
    HOLDS(view_find_twin(&x->v, text_str(&t.name)).v == id.v);
    x->twins++;
    return verify_out(x, id, &t) && verify_in(x, id, &t);
}

// Markers stand where something inside is set. A free row has no value: scans may go by the columns alone.
static bool verify_cells(Verify *x, uint32_t table, uint64_t row) {
    const Table *t = &x->v.catalog->tables[table];
    bool free = !view_row_twin(&x->v, table, row).v;
    for (int32_t i = 0; i < t->model->field_count; i++) {
        int32_t parent = t->model->fields[i].parent;
        if (!view_cell(&x->v, t->first + (uint32_t)i, row).valid) continue;
        HOLDS(!free);
        if (parent < 0) continue;
        HOLDS(view_cell(&x->v, t->first + (uint32_t)parent, row).valid);
    }
    return true;
}

static bool verify_all(Verify *x) {
    if (!verify_block(x, (const Block *)atomic_load(&x->w->root), false)) return false;
    View *v = &x->v;
    for (int32_t t = 0; t < v->catalog->table_count; t++) {
        uint64_t rows = view_table_rows(v, (uint32_t)t);
        for (uint64_t r = 0; r < rows; r++)
            if (!verify_row(x, (uint32_t)t, r) || !verify_cells(x, (uint32_t)t, r)) return false;
    }
    HOLDS(x->twins == view_meta(v, META_TWINS));
    HOLDS(x->out == view_meta(v, META_LINKS));
    HOLDS(x->in == view_meta(v, META_LINKS));
    return true;
}

const char *world_unsound(World *w) {
    Verify x = {.w = w, .v = view_writer(w)};
    return verify_all(&x) ? NULL : x.broken;
}

void world_verify(World *w) {
    const char *broken = world_unsound(w);
    if (broken) check_failed(broken, __FILE__, __LINE__);
}
