// SPDX-License-Identifier: Apache-2.0
// What differs between two worlds. Walks both trees at once and goes down only where block pointers differ
// (invariant 6); what it finds there it compares by twin and link id. Pages of past worlds are made as they are needed:
// there every page that either has is compared. Of two worlds over the same past, every page that either wrote.
#include "base/check.h"
#include "world/core.h"

typedef struct Diff {
    View a, b;
    const DiffSink *sink;
    uint32_t vec; // the vector being walked
} Diff;

// Called for each page position whose page differs; either may be NULL.
typedef void (*PageVisit)(Diff *d, uint64_t page_no);

static const Block *child(const Block *n, uint32_t i) { return n ? atomic_load(&((const Node *)n)->child[i]) : NULL; }

// Trees of unequal height: the lower one hangs under child 0 of the higher levels.
static void walk_pages(Diff *d, const Block *a, const Block *b, int level, uint64_t key, PageVisit visit) {
    if (a == b) return;
    if (level < 0) {
        visit(d, key);
        return;
    }
    for (uint32_t i = 0; i < NODE_FAN; i++) {
        const Block *x = a && ((const Node *)a)->b.level < level ? (i == 0 ? a : NULL) : child(a, i);
        const Block *y = b && ((const Node *)b)->b.level < level ? (i == 0 ? b : NULL) : child(b, i);
        walk_pages(d, x, y, level - 1, key << NODE_SHIFT | i, visit);
    }
}

static const Block *vec_root(const Node *root, uint32_t vec) {
    const Block *n = &root->b;
    if ((uint64_t)vec >> NODE_SHIFT * (n->level + 1)) return NULL;
    for (int level = n->level; level >= 0 && n; level--) n = child(n, vec >> NODE_SHIFT * level & (NODE_FAN - 1));
    return n;
}

static void walk_vec(Diff *d, uint32_t vec, PageVisit visit) {
    const Block *a = vec_root(d->a.root, vec), *b = vec_root(d->b.root, vec);
    int high = a ? a->level : 0;
    if (b && b->level > high) high = b->level;
    d->vec = vec;
    walk_pages(d, a, b, high, 0, visit);
}

static bool same_cell(const CellView *x, const CellView *y, bool text) {
    if (x->valid != y->valid) return false;
    if (!x->valid) return true;
    return text ? text_eq(&x->text, text_str(&y->text)) : x->bits == y->bits;
}

// A twin that stands elsewhere in b than in a: compare property by property of b's model.
static void compare_moved(Diff *d, TwinId id, const TwinView *ta, const TwinView *tb) {
    const Table *a = &d->a.catalog->tables[ta->table], *b = &d->b.catalog->tables[tb->table];
    if (d->sink->retyped && !str_eq(a->model->id, b->model->id)) d->sink->retyped(d->sink->ctx, id);
    for (int32_t i = 0; i < b->model->field_count; i++) {
        const Field *f = &b->model->fields[i], *g = model_field(a->model, f->path);
        CellView x = {0}, y = view_cell(&d->b, b->first + (uint32_t)i, tb->row);
        if (g && g->cell == f->cell) x = view_cell(&d->a, a->first + (uint32_t)(g - a->model->fields), ta->row);
        if (!same_cell(&x, &y, cell_is_text(f->cell)))
            d->sink->value(d->sink->ctx, id, (LinkId){0}, b->first + (uint32_t)i);
    }
}

static void visit_hot(Diff *d, uint64_t page_no) {
    for (uint64_t id = page_no << PAGE_SHIFT, end = id + PAGE_ROWS; id < end; id++) {
        TwinView a = view_twin_place(&d->a, (TwinId){id}), b = view_twin_place(&d->b, (TwinId){id});
        if (a.alive != b.alive) d->sink->twin(d->sink->ctx, (TwinId){id}, a.alive, b.alive);
        else if (a.alive && (a.table != b.table || a.row != b.row)) compare_moved(d, (TwinId){id}, &a, &b);
    }
}

static void visit_links(Diff *d, uint64_t page_no) {
    for (uint64_t id = page_no << PAGE_SHIFT, end = id + PAGE_ROWS; id < end; id++) {
        bool a = view_link(&d->a, (LinkId){id}).alive, b = view_link(&d->b, (LinkId){id}).alive;
        if (a != b) d->sink->link(d->sink->ctx, (LinkId){id}, a, b);
    }
}

static void visit_values(Diff *d, uint64_t page_no) {
    const Field *f;
    const Table *t = catalog_column(d->b.catalog, d->vec, &f);
    uint32_t table = (uint32_t)(t - d->b.catalog->tables);
    for (uint64_t row = page_no << PAGE_SHIFT, end = row + PAGE_ROWS; row < end; row++) {
        TwinId a = view_row_twin(&d->a, table, row), b = view_row_twin(&d->b, table, row);
        if (!a.v || a.v != b.v) continue; // born, dead or moved: visit_hot tells
        CellView x = view_cell(&d->a, d->vec, row), y = view_cell(&d->b, d->vec, row);
        if (!same_cell(&x, &y, cell_is_text(f->cell))) d->sink->value(d->sink->ctx, a, (LinkId){0}, d->vec);
    }
}

static void visit_link_values(Diff *d, uint64_t page_no) {
    const Field *f;
    (void)catalog_link_column(d->b.catalog, d->vec, &f);
    for (uint64_t id = page_no << PAGE_SHIFT, end = id + PAGE_ROWS; id < end; id++) {
        if (!view_link(&d->a, (LinkId){id}).alive || !view_link(&d->b, (LinkId){id}).alive) continue;
        CellView x = view_cell(&d->a, d->vec, id), y = view_cell(&d->b, d->vec, id);
        if (!same_cell(&x, &y, cell_is_text(f->cell))) d->sink->value(d->sink->ctx, (TwinId){0}, (LinkId){id}, d->vec);
    }
}

// Columns that both worlds number alike: those of the catalog they share, up to the first model only one has.
static uint32_t common_columns(const Catalog *a, const Catalog *b) {
    int32_t tables = a->table_count < b->table_count ? a->table_count : b->table_count;
    uint32_t next = VECNO_COLUMNS;
    for (int32_t i = 0; i < tables; i++) {
        if (!str_eq(a->tables[i].model->id, b->tables[i].model->id) || a->tables[i].first != b->tables[i].first)
            return next;
        uint32_t end_a = i + 1 < a->table_count ? a->tables[i + 1].rows : a->next_vec;
        uint32_t end_b = i + 1 < b->table_count ? b->tables[i + 1].rows : b->next_vec;
        if (end_a != end_b) return next;
        next = end_a;
    }
    return next;
}

// Pages that a vector of rows up to `last` has.
static uint64_t pages_to(uint64_t last) { return (last >> PAGE_SHIFT) + 1; }

static uint64_t more(uint64_t a, uint64_t b) { return a > b ? a : b; }

static bool useless(const Diff *d) { return d->a.overrun || d->b.overrun; }

// What neither of two worlds over the same past wrote is the same.
static bool both_below(const Diff *d, uint32_t vec, uint64_t page_no) {
    return d->a.past == d->b.past && tree_page(d->a.root, vec, page_no) == tree_page(d->b.root, vec, page_no);
}

static void every_page(Diff *d, uint32_t vec, uint64_t pages, PageVisit visit) {
    d->vec = vec;
    for (uint64_t p = 0; p < pages && !useless(d); p++)
        if (!both_below(d, vec, p)) visit(d, p);
}

static void walk(Diff *d, uint32_t vec, uint64_t pages, PageVisit visit) {
    if (d->a.past || d->b.past) every_page(d, vec, pages, visit);
    else walk_vec(d, vec, visit);
}

static void walk_columns(Diff *d, uint64_t id_pages) {
    uint32_t end = common_columns(d->a.catalog, d->b.catalog);
    for (uint32_t col = VECNO_COLUMNS; col < end && !useless(d); col++) {
        const Field *f;
        const Table *t = catalog_column(d->b.catalog, col, &f);
        uint32_t table = t ? (uint32_t)(t - d->b.catalog->tables) : 0;
        if (t) walk(d, col, pages_to(more(view_table_rows(&d->a, table), view_table_rows(&d->b, table))), visit_values);
        else if (catalog_link_column(d->b.catalog, col, &f)) walk(d, col, id_pages, visit_link_values);
    }
}

static View look_at(World *w) {
    View v;
    if (!w->past) return view_writer(w);
    view_begin(&v, w);
    return v;
}

Err world_diff(World *a, World *b, const DiffSink *sink) {
    CHECK(a->domain == b->domain);
    Diff d = {.a = look_at(a), .b = look_at(b), .sink = sink};
    if (a->past || b->past || d.a.root != d.b.root) {
        uint64_t pages = pages_to(more(view_meta(&d.a, META_ID_MAX), view_meta(&d.b, META_ID_MAX)));
        walk(&d, VECNO_HOT, pages, visit_hot);
        walk(&d, VECNO_LINK, pages, visit_links);
        walk_columns(&d, pages);
    }
    Err err = d.a.failed ? d.a.failed : d.b.failed;
    if (!err && useless(&d)) err = ERR_OVERRUN;
    if (a->past) view_end(&d.a);
    if (b->past) view_end(&d.b);
    return err;
}
