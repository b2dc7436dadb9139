// SPDX-License-Identifier: Apache-2.0
// Twins and links of a view as dense arrays: tables page by page, then the link vector, then who is whose neighbour.
#include <math.h>
#include <stdatomic.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/sim.h"
#include "world/scan.h"

static Err view_state(const View *v) {
    if (v->failed != ERR_OK) return v->failed;
    return v->overrun ? ERR_OVERRUN : ERR_OK;
}

// ---- twins ---------------------------------------------------------------------------------------------------------

static uint32_t rows_of_page(const PageCopy *p, uint64_t page, uint64_t used) {
    uint64_t left = used > page << PAGE_SHIFT ? used - (page << PAGE_SHIFT) : 0;
    return left < p->rows ? (uint32_t)left : p->rows;
}

typedef struct Twins {
    SimGraph *g; // NULL arrays: only counting
    uint64_t n;
} Twins;

static void table_page(Twins *x, uint32_t table, const PageCopy *p, uint64_t page, uint64_t used) {
    uint32_t rows = rows_of_page(p, page, used);
    for (uint32_t r = 0; r < rows; r++) {
        uint64_t id = page_row_twin(p->cells[r]).v;
        if (id == 0) continue;
        if (x->g->twin_id && x->n < x->g->twins) {
            x->g->twin_id[x->n] = id;
            x->g->table[x->n] = table;
            x->g->row[x->n] = (page << PAGE_SHIFT) + r;
        }
        x->n++;
    }
}

static void tables(View *v, Twins *x) {
    PageCopy p = {0};
    x->n = 0;
    for (int32_t t = 0; t < v->catalog->table_count && !v->overrun; t++) {
        uint64_t used = view_table_rows(v, (uint32_t)t);
        if (x->g->table_first) x->g->table_first[t] = (uint32_t)x->n;
        for (uint64_t page = 0; page << PAGE_SHIFT < used && !v->overrun; page++) {
            view_page(v, v->catalog->tables[t].rows, page, PAGE_CELLS, &p);
            table_page(x, (uint32_t)t, &p, page, used);
        }
    }
    if (x->g->table_first) x->g->table_first[v->catalog->table_count] = (uint32_t)x->n;
    page_copy_free(&p);
}

static uint32_t slot_of(const SimGraph *g, uint64_t id) {
    return (uint32_t)((id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & g->slot_mask;
}

static void index_twins(SimGraph *g) {
    uint32_t size = 16;
    while (size < g->twins * 2) size *= 2;
    g->slots = mem_alloc((size_t)size * sizeof *g->slots);
    g->slot_mask = size - 1;
    for (uint32_t i = 0; i < g->twins; i++) {
        uint32_t at = slot_of(g, g->twin_id[i]);
        while (g->slots[at]) at = (at + 1) & g->slot_mask;
        g->slots[at] = i + 1;
    }
}

uint32_t sim_graph_twin(const SimGraph *g, uint64_t twin_id) {
    for (uint32_t at = slot_of(g, twin_id); g->slots[at]; at = (at + 1) & g->slot_mask) {
        if (g->twin_id[g->slots[at] - 1] == twin_id) return g->slots[at] - 1;
    }
    return UINT32_MAX;
}

enum { NAMES_AT_ONCE = 1024 };

static void names(View *v, SimGraph *g) {
    Buf all = {.max = INT64_MAX};
    Text some[NAMES_AT_ONCE];
    g->name_at = mem_alloc(((size_t)g->twins + 1) * sizeof *g->name_at);
    for (uint32_t i = 0; i < g->twins && !v->overrun; i += NAMES_AT_ONCE) {
        uint32_t n = g->twins - i < NAMES_AT_ONCE ? g->twins - i : NAMES_AT_ONCE;
        view_twin_names(v, g->twin_id + i, n, some);
        for (uint32_t k = 0; k < n; k++) {
            g->name_at[i + k] = (uint64_t)all.n;
            buf_str_put(&all, text_str(&some[k]));
        }
    }
    g->name_at[g->twins] = (uint64_t)all.n;
    g->names = all.p;
}

Str sim_graph_name(const SimGraph *g, uint32_t twin) {
    CHECK(twin < g->twins);
    int64_t n = (int64_t)(g->name_at[twin + 1] - g->name_at[twin]);
    return n ? (Str){g->names + g->name_at[twin], n} : (Str){0};
}

// ---- links ---------------------------------------------------------------------------------------------------------

typedef void LinkFn(SimGraph *g, uint64_t id, const uint64_t *row);

static void each_link(View *v, SimGraph *g, LinkFn *fn) {
    PageCopy p = {0};
    uint64_t pages = view_pages(v, VECNO_LINK);
    for (uint64_t page = 0; page < pages && !v->overrun; page++) {
        view_page(v, VECNO_LINK, page, PAGE_CELLS, &p);
        for (uint32_t r = 0; r < p.rows; r++) {
            const uint64_t *row = p.cells + (size_t)r * PAGE_LINK_WORDS;
            if (page_link_source(row).v) fn(g, (page << PAGE_SHIFT) + r, row);
        }
    }
    page_copy_free(&p);
}

// Links between twins that the view sees; others cannot be.
static void count_link(SimGraph *g, uint64_t id, const uint64_t *row) {
    (void)id;
    g->links++;
    g->kind_first[page_link_kind(row) + 1]++;
}

// kind_first[k] is where the next of kind k goes; put back afterwards.
static void put_link(SimGraph *g, uint64_t id, const uint64_t *row) {
    uint32_t kind = page_link_kind(row), at = g->kind_first[kind];
    uint32_t from = sim_graph_twin(g, page_link_source(row).v), to = sim_graph_twin(g, page_link_target(row).v);
    if (at >= g->links || from == UINT32_MAX || to == UINT32_MAX) return; // outrun: all of it will be thrown away
    g->kind_first[kind]++;
    g->link_id[at] = id;
    g->kind[at] = kind;
    g->from[at] = from;
    g->to[at] = to;
}

static uint32_t *words(size_t n) { return mem_alloc((n ? n : 1) * sizeof(uint32_t)); }

static void links(View *v, SimGraph *g) {
    int32_t kinds = g->catalog->kind_count;
    g->kind_first = words((size_t)kinds + 1);
    each_link(v, g, count_link);
    for (int32_t k = 0; k < kinds; k++) g->kind_first[k + 1] += g->kind_first[k];
    g->link_id = mem_alloc(((size_t)g->links + 1) * sizeof *g->link_id);
    g->kind = words(g->links);
    g->from = words(g->links);
    g->to = words(g->links);
    if (v->overrun) return;
    each_link(v, g, put_link);
    memmove(g->kind_first + 1, g->kind_first, (size_t)kinds * sizeof *g->kind_first);
    g->kind_first[0] = 0;
}

// by[i] is the twin of link i at one end.
static void neighbours(const SimGraph *g, const uint32_t *by, uint32_t **ptr_out, uint32_t **list_out) {
    uint32_t *ptr = words((size_t)g->twins + 1), *list = words(g->links);
    for (uint32_t i = 0; i < g->links; i++) ptr[by[i] + 1]++;
    for (uint32_t t = 0; t < g->twins; t++) ptr[t + 1] += ptr[t];
    for (uint32_t i = 0; i < g->links; i++) list[ptr[by[i]]++] = i;
    memmove(ptr + 1, ptr, (size_t)g->twins * sizeof *ptr);
    ptr[0] = 0;
    *ptr_out = ptr;
    *list_out = list;
}

uint32_t sim_graph_link(const SimGraph *g, uint64_t link_id) {
    for (int32_t k = 0; k < g->catalog->kind_count; k++) {
        uint32_t low = g->kind_first[k], high = g->kind_first[k + 1];
        while (low < high) {
            uint32_t mid = low + (high - low) / 2;
            if (g->link_id[mid] < link_id) low = mid + 1;
            else high = mid;
        }
        if (low < g->kind_first[k + 1] && g->link_id[low] == link_id) return low;
    }
    return UINT32_MAX;
}

// ---- the whole -----------------------------------------------------------------------------------------------------

static uint64_t mixed(uint64_t h, const void *p, size_t n) {
    return (h ^ str_hash((Str){p, (int64_t)n})) * UINT64_C(0x9E3779B97F4A7C15) + (h >> 29);
}

static uint64_t version_of(const SimGraph *g) {
    uint64_t h = mixed(g->twins, g->twin_id, g->twins * sizeof *g->twin_id);
    h = mixed(h, g->table, g->twins * sizeof *g->table);
    h = mixed(h, g->row, g->twins * sizeof *g->row);
    h = mixed(h, g->link_id, g->links * sizeof *g->link_id);
    h = mixed(h, g->kind, g->links * sizeof *g->kind);
    h = mixed(h, g->from, g->links * sizeof *g->from);
    return mixed(h, g->to, g->links * sizeof *g->to);
}

static Err gather_graph(View *v, SimGraph *g) {
    Twins x = {.g = g};
    tables(v, &x);
    TRY(view_state(v));
    if (x.n > SIM_TWINS_MAX || view_meta(v, META_LINKS) >= UINT32_MAX) return ERR_LIMIT;
    g->twins = (uint32_t)x.n;
    g->twin_id = mem_alloc((x.n + 1) * sizeof *g->twin_id);
    g->row = mem_alloc((x.n + 1) * sizeof *g->row);
    g->table = words(x.n);
    g->table_first = words((size_t)g->catalog->table_count + 1);
    tables(v, &x);
    TRY(view_state(v));
    index_twins(g);
    names(v, g);
    links(v, g);
    TRY(view_state(v));
    neighbours(g, g->from, &g->out_ptr, &g->out_link);
    neighbours(g, g->to, &g->in_ptr, &g->in_link);
    g->version = version_of(g);
    return ERR_OK;
}

Err sim_graph(View *v, SimGraph **out) {
    SimGraph *g = mem_alloc(sizeof *g);
    g->refs = 1;
    g->catalog = (Catalog *)(uintptr_t)v->catalog;
    catalog_ref(g->catalog);
    Err e = gather_graph(v, g);
    if (e == ERR_OK) *out = g;
    else sim_graph_unref(g);
    return e;
}

SimGraph *sim_graph_ref(SimGraph *g) {
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void sim_graph_unref(SimGraph *g) {
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1) return;
    void *own[] = {g->twin_id, g->table,   g->table_first, g->row,    g->link_id, g->kind,  g->kind_first, g->from,
                   g->to,      g->out_ptr, g->out_link,    g->in_ptr, g->in_link, g->names, g->name_at,    g->slots};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) mem_free(own[i]);
    catalog_unref(g->catalog);
    mem_free(g);
}
