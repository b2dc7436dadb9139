// SPDX-License-Identifier: Apache-2.0
// The costly check of a whole world: the invariants of page.h and every cross reference.
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"

static void verify_texts(const Page *p) {
    const VecLayout *l = &vec_layout[p->b.shape];
    if (!l->timed) return;
    for (uint32_t r = 0; r < PAGE_ROWS; r++) {
        bool valid = atomic_load(&p->words[page_valid_word(r)]) >> (r & 63) & 1;
        CHECK(!valid || r < p->cap);
        if (valid || r >= p->cap) continue;
        for (uint32_t k = 0; k < l->words; k++) CHECK(atomic_load(&p->words[page_cell_word(p, r) + k]) == 0);
    }
}

// Invariants 1, 4, 5 on one block and below; `stored` says that an ancestor is in the store.
static void verify_block(const World *w, const Block *b, bool stored) {
    CHECK(atomic_load(&b->refs) >= 1);
    CHECK(b->epoch != w->epoch || atomic_load(&b->refs) == 1); // owned: nobody else's
    uint64_t id = atomic_load(&b->stored);
    CHECK(!stored || id != 0);
    if (b->kind == BLOCK_PAGE) {
        const Page *p = (const Page *)b;
        CHECK((atomic_load(&p->version) & 1) == 0);
        CHECK(atomic_load(&p->seq) <= w->seq || b->epoch != w->epoch);
        verify_texts(p);
        return;
    }
    const Node *n = (const Node *)b;
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        const Block *c = atomic_load(&n->child[i]);
        if (c) verify_block(w, c, id != 0);
    }
}

// Every twin of a table: place, name index, links of both directions.
static uint64_t verify_out(View *v, TwinId id, const TwinView *t) {
    uint64_t links = 0, last = UINT64_MAX;
    for (LinkId l = t->first_out; l.v; links++) {
        LinkView x = view_link(v, l);
        CHECK(x.alive && x.source.v == id.v && l.v < last);
        CHECK(view_twin_place(v, x.target).alive);
        CHECK(view_find_link(v, id, text_str(&x.rid)).v == l.v);
        last = l.v;
        l = x.next_out;
    }
    return links;
}

static uint64_t verify_in(View *v, TwinId id, const TwinView *t) {
    uint64_t links = 0;
    for (LinkId l = t->first_in; l.v; links++) {
        LinkView x = view_link(v, l);
        CHECK(x.alive && x.target.v == id.v);
        CHECK(view_twin_place(v, x.source).alive);
        l = x.next_in;
    }
    return links;
}

static void verify_row(View *v, uint32_t table, uint64_t row, uint64_t counts[3]) {
    TwinId id = view_row_twin(v, table, row);
    if (!id.v) return;
    TwinView t = view_twin(v, id);
    CHECK(t.alive && t.table == table && t.row == row);
    CHECK(view_find_twin(v, text_str(&t.name)).v == id.v);
    counts[0]++;
    counts[1] += verify_out(v, id, &t);
    counts[2] += verify_in(v, id, &t);
}

// Markers stand where something inside is set. A free row has no value: scans may go by the columns alone.
static void verify_cells(View *v, uint32_t table, uint64_t row) {
    const Table *t = &v->catalog->tables[table];
    bool free = !view_row_twin(v, table, row).v;
    for (int32_t i = 0; i < t->model->field_count; i++) {
        int32_t parent = t->model->fields[i].parent;
        if (!view_cell(v, t->first + (uint32_t)i, row).valid) continue;
        CHECK(!free);
        if (parent < 0) continue;
        CHECK(view_cell(v, t->first + (uint32_t)parent, row).valid);
    }
}

void world_verify(World *w) {
    verify_block(w, (const Block *)atomic_load(&w->root), false);
    View v = view_writer(w);
    uint64_t counts[3] = {0};
    for (int32_t t = 0; t < v.catalog->table_count; t++) {
        uint64_t rows = view_table_rows(&v, (uint32_t)t);
        for (uint64_t r = 0; r < rows; r++) {
            verify_row(&v, (uint32_t)t, r, counts);
            verify_cells(&v, (uint32_t)t, r);
        }
    }
    CHECK(counts[0] == view_meta(&v, META_TWINS));
    CHECK(counts[1] == view_meta(&v, META_LINKS));
    CHECK(counts[2] == view_meta(&v, META_LINKS));
}
