// SPDX-License-Identifier: Apache-2.0
// From a mapping's bindings to the rows of a graph, and to the engines and columns of a Sim.
#include "sim/mapping.h"
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"
#include "sim/mapping_inner.h"

// ---- nodes ---------------------------------------------------------------------------------------------------------

// Nodes by table; then relationships by kind; then edge twins by table.
static int by_place(const void *a, const void *b) {
    const MapGroup *x = a, *y = b;
    if (x->edge != y->edge) return x->edge ? 1 : -1;
    if (x->link != y->link) return x->link ? -1 : 1;
    if (x->owner != y->owner) return x->owner < y->owner ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

static uint32_t *some_words(Mapping *m, uint64_t n) { return NEW(&m->keep, uint32_t, n + 1); }

static void node_rows(Mapping *m, uint32_t *node_of) {
    for (uint32_t i = 0; i < m->group_count; i++) {
        MapGroup *g = &m->groups[i];
        if (g->edge) continue;
        uint32_t first = m->graph->table_first[g->owner];
        g->first = m->topo.nodes;
        g->rows = m->graph->table_first[g->owner + 1] - first;
        g->dense = some_words(m, g->rows);
        for (uint32_t k = 0; k < g->rows; k++) {
            g->dense[k] = first + k;
            node_of[first + k] = m->topo.nodes++;
        }
    }
}

// ---- edges ---------------------------------------------------------------------------------------------------------

typedef struct Edges {
    Mapping *m;
    const uint32_t *node_of; // by twin, UINT32_MAX: none
    uint32_t *from, *to;     // by edge
    uint32_t *taken;         // by link: group + 1
    Diag *d;
} Edges;

static bool is_of(const SimGraph *g, uint32_t twin, Str model) {
    return model.n == 0 || model_is(g->catalog->tables[g->table[twin]].model, model);
}

static Err taken_twice(Edges *x, const MapGroup *g, uint32_t link) {
    Buf where = {0};
    const SimGraph *graph = x->m->graph;
    buf_printf(&where, "%.*s -%.*s-> %.*s", STR_ARG(sim_graph_name(graph, graph->from[link])),
               STR_ARG(graph->catalog->kinds[g->owner].rel->name), STR_ARG(sim_graph_name(graph, graph->to[link])));
    Err e = diag_add(x->d, ERR_VALIDATION, -1, -1, buf_str(&where), "it is an edge of edges[%d] and of edges[%d]",
                     x->m->groups[x->taken[link] - 1].entry, g->entry);
    buf_free(&where);
    return e;
}

static void put_edge(Edges *x, MapGroup *g, uint32_t dense, uint32_t from, uint32_t to) {
    x->from[x->m->topo.edges] = from;
    x->to[x->m->topo.edges++] = to;
    g->dense[g->rows++] = dense;
}

static Err link_rows(Edges *x, MapGroup *g) {
    const SimGraph *graph = x->m->graph;
    g->dense = some_words(x->m, graph->kind_first[g->owner + 1] - graph->kind_first[g->owner]);
    for (uint32_t l = graph->kind_first[g->owner]; l < graph->kind_first[g->owner + 1]; l++) {
        if (!is_of(graph, graph->from[l], g->from) || !is_of(graph, graph->to[l], g->to)) continue;
        uint32_t from = x->node_of[graph->from[l]], to = x->node_of[graph->to[l]];
        if (from == UINT32_MAX || to == UINT32_MAX) {
            x->m->left_out++;
            continue;
        }
        if (x->taken[l]) return taken_twice(x, g, l);
        x->taken[l] = (uint32_t)(g - x->m->groups) + 1;
        put_edge(x, g, l, from, to);
    }
    return ERR_OK;
}

// The one node that the relationship leads to.
static Err end_of(Edges *x, const MapGroup *g, uint32_t twin, Str rel, uint32_t *node) {
    const SimGraph *graph = x->m->graph;
    uint32_t n = 0;
    for (uint32_t k = graph->out_ptr[twin]; k < graph->out_ptr[twin + 1]; k++) {
        uint32_t l = graph->out_link[k];
        if (!str_eq(graph->catalog->kinds[graph->kind[l]].rel->name, rel)) continue;
        if (x->node_of[graph->to[l]] == UINT32_MAX) continue;
        *node = x->node_of[graph->to[l]];
        n++;
    }
    if (n == 1) return ERR_OK;
    return diag_add(x->d, ERR_VALIDATION, -1, -1, sim_graph_name(graph, twin),
                    "an edge of edges[%d] needs one relationship \"%.*s\" to a node, and it has %u", g->entry,
                    STR_ARG(rel), n);
}

static Err twin_rows(Edges *x, MapGroup *g) {
    const SimGraph *graph = x->m->graph;
    uint32_t first = graph->table_first[g->owner], end = graph->table_first[g->owner + 1];
    g->dense = some_words(x->m, end - first);
    for (uint32_t t = first; t < end; t++) {
        uint32_t from, to;
        TRY(end_of(x, g, t, g->from, &from));
        TRY(end_of(x, g, t, g->to, &to));
        put_edge(x, g, t, from, to);
    }
    return ERR_OK;
}

static uint64_t edges_at_most(const Mapping *m) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < m->group_count; i++) {
        const MapGroup *g = &m->groups[i];
        const uint32_t *first = g->link ? m->graph->kind_first : m->graph->table_first;
        if (g->edge) n += first[g->owner + 1] - first[g->owner];
    }
    return n;
}

// ---- topology ------------------------------------------------------------------------------------------------------

static void ends(Mapping *m, const uint32_t *by, const uint32_t **ptr_out, const uint32_t **list_out) {
    uint32_t *ptr = some_words(m, (uint64_t)m->topo.nodes + 1), *list = some_words(m, m->topo.edges);
    for (uint32_t e = 0; e < m->topo.edges; e++) ptr[by[e] + 1]++;
    for (uint32_t n = 0; n < m->topo.nodes; n++) ptr[n + 1] += ptr[n];
    for (uint32_t e = 0; e < m->topo.edges; e++) list[ptr[by[e]]++] = e;
    memmove(ptr + 1, ptr, m->topo.nodes * sizeof *ptr);
    ptr[0] = 0;
    *ptr_out = ptr;
    *list_out = list;
}

static void topology(Mapping *m, const uint32_t *from, const uint32_t *to) {
    sim_topo *t = &m->topo;
    uint32_t most = t->nodes > t->edges ? t->nodes : t->edges, *rows = some_words(m, most);
    for (uint32_t i = 0; i < most; i++) rows[i] = i;
    t->from = from;
    t->to = to;
    t->node_row = t->edge_row = rows;
    ends(m, from, &t->out_ptr, &t->out_edge);
    ends(m, to, &t->in_ptr, &t->in_edge);
    uint64_t size = t->edges * sizeof *from;
    t->version = str_hash((Str){(const char *)from, (int64_t)size}) * 31 +
                 str_hash((Str){(const char *)to, (int64_t)size}) * 7 + t->nodes;
}

static Err bind_rows(Mapping *m, Diag *d) {
    uint32_t *node_of = mem_alloc(((size_t)m->graph->twins + 1) * sizeof *node_of);
    memset(node_of, 0xff, m->graph->twins * sizeof *node_of);
    if (m->group_count) qsort(m->groups, m->group_count, sizeof *m->groups, by_place);
    node_rows(m, node_of);
    Edges x = {.m = m, .node_of = node_of, .d = d};
    x.from = some_words(m, edges_at_most(m));
    x.to = some_words(m, edges_at_most(m));
    x.taken = mem_alloc(((size_t)m->graph->links + 1) * sizeof *x.taken);
    Err e = ERR_OK;
    for (uint32_t i = 0; i < m->group_count && e == ERR_OK; i++) {
        MapGroup *g = &m->groups[i];
        if (!g->edge) continue;
        g->first = m->topo.edges;
        e = g->link ? link_rows(&x, g) : twin_rows(&x, g);
    }
    if (e == ERR_OK) topology(m, x.from, x.to);
    mem_free(x.taken);
    mem_free(node_of);
    return e;
}

// ---- making --------------------------------------------------------------------------------------------------------

static Mapping *mapping_new(const Catalog *c, SimGraph *g, Str name) {
    Mapping *m = mem_alloc(sizeof *m);
    m->refs = 1;
    arena_init(&m->keep, 0);
    m->catalog = c;
    m->graph = g ? sim_graph_ref(g) : NULL;
    m->name = arena_str(&m->keep, name);
    return m;
}

Err mapping_check(const Catalog *c, const SimRegistry *r, Str name, Str json, Diag *d) {
    Mapping *m = mapping_new(c, NULL, name);
    Err e = mapping_parse(m, r, json, d);
    mapping_unref(m);
    return e;
}

Err mapping_make(SimGraph *g, const SimRegistry *r, Str name, Str json, Mapping **out, Diag *d) {
    Mapping *m = mapping_new(g->catalog, g, name);
    Err e = mapping_parse(m, r, json, d);
    if (e == ERR_OK) e = bind_rows(m, d);
    if (e == ERR_OK) *out = m;
    else mapping_unref(m);
    return e;
}

Mapping *mapping_ref(Mapping *m) {
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void mapping_unref(Mapping *m) {
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1) return;
    mem_free(m->groups);
    arena_free(&m->keep);
    sim_graph_unref(m->graph);
    mem_free(m);
}

const sim_topo *mapping_topo(const Mapping *m) { return &m->topo; }

// ---- adding --------------------------------------------------------------------------------------------------------

static uint32_t group_base(const Mapping *m, const MapGroup *g) {
    return (g->link ? m->graph->kind_first : m->graph->table_first)[g->owner];
}

static Str slot_name(const void *config, uint32_t role) {
    const MapRole *r = config;
    return role < r->read_count ? r->fields[role]->path : r->text;
}

// The engine that computes an expression for the group's rows, into a private column.
static Err add_expression(const Mapping *m, const MapGroup *g, const MapRole *r, Sim *s, uint32_t *column, Diag *d) {
    Arena a;
    arena_init(&a, 0);
    const char *role = m->engine->roles[r->role].name;
    Str name =
        arena_printf(&a, "%.*s %s %s[%d] %u", STR_ARG(m->name), role, g->edge ? "edges" : "nodes", g->entry, g->owner);
    *column = sim_private(s, name, g->rows, m->engine->roles[r->role].type);
    sim_private_of(s, *column, g->link, g->dense);
    SimBind *b = NEW(&a, SimBind, r->read_count + 1);
    uint32_t *rows = NEW(&a, uint32_t, g->rows + 1);
    for (uint32_t i = 0; i < g->rows; i++) rows[i] = g->dense[i] - group_base(m, g);
    for (uint32_t k = 0; k < r->read_count; k++) {
        uint32_t *columns = NEW(&a, uint32_t, g->rows + 1), from = sim_column(s, r->reads[k]);
        for (uint32_t i = 0; i < g->rows; i++) columns[i] = from;
        b[k] = (SimBind){.column = UINT32_MAX,
                         .rows = g->rows,
                         .from_column = columns,
                         .from_row = rows,
                         .dflt = NAN,
                         .dir = SIM_IN};
    }
    b[r->read_count] = (SimBind){.column = *column, .dir = SIM_OUT};
    SimEngine e = {.engine = &mapping_engine,
                   .instance = name,
                   .rank = m->rank * 2,
                   .roles = b,
                   .role_count = r->read_count + 1,
                   .config = r,
                   .role_name = slot_name};
    Err err = sim_add(s, &e, d);
    arena_free(&a);
    return err;
}

static Err bind_group(const Mapping *m, const MapGroup *g, uint32_t role, Sim *s, uint32_t *column, uint32_t *row,
                      Diag *d) {
    const MapRole *r = mapping_role(g, role);
    uint32_t from = UINT32_MAX;
    if (r && r->column) from = sim_column(s, r->column);
    else if (r) TRY(add_expression(m, g, r, s, &from, d));
    for (uint32_t i = 0; i < g->rows; i++) {
        column[g->first + i] = from;
        row[g->first + i] = r && r->column ? g->dense[i] - group_base(m, g) : i;
    }
    return ERR_OK;
}

// A column as a whole, when that is what all rows come to and no default would be put in.
static void simplify(const Sim *s, SimBind *b) {
    if (b->rows == 0 || b->from_column[0] == UINT32_MAX || !isnan(b->dflt)) return;
    if (sim_column_of(s, b->from_column[0]).rows != b->rows) return;
    for (uint32_t i = 0; i < b->rows; i++) {
        if (b->from_column[i] != b->from_column[0] || b->from_row[i] != i) return;
    }
    b->column = b->from_column[0];
}

static Err bind_role(const Mapping *m, uint32_t role, Sim *s, Arena *a, SimBind *b, Diag *d) {
    const sim_role *r = &m->engine->roles[role];
    uint32_t rows = r->on_edge ? m->topo.edges : m->topo.nodes;
    uint32_t *column = NEW(a, uint32_t, rows + 1), *row = NEW(a, uint32_t, rows + 1);
    for (uint32_t i = 0; i < m->group_count; i++) {
        if (m->groups[i].edge == (r->on_edge != 0)) TRY(bind_group(m, &m->groups[i], role, s, column, row, d));
    }
    *b = (SimBind){.column = UINT32_MAX,
                   .rows = rows,
                   .from_column = column,
                   .from_row = row,
                   .dflt = r->dflt,
                   .dir = r->dir,
                   .tol = m->tol[role],
                   .type = r->type};
    simplify(s, b);
    return ERR_OK;
}

Err mapping_add(const Mapping *m, Sim *s, Diag *d) {
    Arena a;
    uint32_t n = m->engine->role_count;
    CHECK(m->graph && m->graph->version == s->graph->version);
    arena_init(&a, 0);
    SimBind *b = NEW(&a, SimBind, n + 1);
    Err e = ERR_OK;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) e = bind_role(m, i, s, &a, &b[i], d);
    SimEngine x = {.engine = m->engine,
                   .instance = m->name,
                   .rank = m->rank * 2 + 1,
                   .roles = b,
                   .role_count = n,
                   .topo = &m->topo,
                   .config = m->config};
    if (e == ERR_OK) e = sim_add(s, &x, d);
    arena_free(&a);
    return e;
}

// ---- is everything there? ------------------------------------------------------------------------------------------

static Err missing(const Mapping *m, const MapGroup *g, const MapRole *r, uint32_t row, Diag *d) {
    Buf where = {0};
    const SimGraph *x = m->graph;
    uint32_t dense = g->dense[row];
    if (g->link)
        buf_printf(&where, "%.*s -%.*s-> %.*s", STR_ARG(sim_graph_name(x, x->from[dense])),
                   STR_ARG(x->catalog->kinds[g->owner].rel->name), STR_ARG(sim_graph_name(x, x->to[dense])));
    else buf_str_put(&where, sim_graph_name(x, dense));
    const sim_role *role = &m->engine->roles[r->role];
    Err e = diag_add(d, ERR_VALIDATION, -1, -1, buf_str(&where),
                     "%s %.*s has no value, and the engine \"%s\" needs it as \"%s\" (mapping \"%.*s\", %s[%d])",
                     r->column ? "the property" : "the expression", STR_ARG(r->text), m->engine->name, role->name,
                     STR_ARG(m->name), g->edge ? "edges" : "nodes", g->entry);
    buf_free(&where);
    return e;
}

static Err ready_row(const Mapping *m, const MapGroup *g, const MapRole *r, uint32_t row, Sim *s, Arena *a, Diag *d) {
    uint32_t *columns = NEW(a, uint32_t, r->read_count + 1), *rows = NEW(a, uint32_t, r->read_count + 1);
    uint32_t at = g->dense[row] - group_base(m, g);
    for (uint32_t k = 0; k < r->read_count; k++) {
        columns[k] = sim_column(s, r->reads[k]);
        rows[k] = at;
    }
    for (uint32_t l = 0; l < s->open.lanes; l++) {
        double v = r->column ? s->columns[sim_column(s, r->column)].v->v[place(s, at, l)]
                             : mapping_value(s, r, columns, rows, l, a);
        if (isnan(v)) return missing(m, g, r, row, d);
    }
    return ERR_OK;
}

Err mapping_ready(const Mapping *m, Sim *s, Diag *d) {
    Arena a;
    Err e = ERR_OK;
    arena_init(&a, 0);
    for (uint32_t i = 0; i < m->group_count; i++) {
        const MapGroup *g = &m->groups[i];
        for (uint32_t k = 0; k < g->role_count; k++) {
            const sim_role *role = &m->engine->roles[g->roles[k].role];
            bool reads = role->dir & (SIM_IN | SIM_STATE | SIM_PARAM);
            if (!role->need || !isnan(role->dflt) || !reads) continue;
            for (uint32_t row = 0; row < g->rows && e == ERR_OK; row++) {
                e = ready_row(m, g, &g->roles[k], row, s, &a, d);
                arena_reset(&a);
            }
        }
    }
    arena_free(&a);
    return e;
}

// ---- showing -------------------------------------------------------------------------------------------------------

static void show_binding(const Mapping *m, const MapGroup *g, const MapRole *r, Buf *out) {
    const Catalog *c = m->catalog;
    buf_printf(out, g->link ? "{\"relationship\":" : "{\"model\":");
    json_put_str(out, g->link ? c->kinds[g->owner].rel->name : c->tables[g->owner].model->id);
    buf_printf(out, ",\"entry\":%d,\"rows\":%u", g->entry, g->rows);
    if (!r) {
        buf_printf(out, ",\"bound\":false}");
        return;
    }
    buf_printf(out, r->column ? ",\"property\":" : ",\"expression\":");
    json_put_str(out, r->text);
    const Field *f = NULL;
    if (r->column && g->link) f = &c->kinds[g->owner].rel->fields[r->column - c->kinds[g->owner].first];
    else if (r->column) f = &c->tables[g->owner].model->fields[r->column - c->tables[g->owner].first];
    if (f && f->unit.n) {
        buf_printf(out, ",\"unit\":");
        json_put_str(out, f->unit);
    }
    buf_printf(out, ",\"factor\":");
    json_put_f64(out, r->factor);
    buf_printf(out, ",\"offset\":");
    json_put_f64(out, r->offset);
    buf_byte(out, '}');
}

static void show_role(const Mapping *m, uint32_t role, Buf *out) {
    const sim_role *r = &m->engine->roles[role];
    static const char *const types[] = {"number", "bool", "count", "symbol"};
    buf_printf(out, "{\"role\":");
    json_put_str(out, str_of(r->name));
    buf_printf(out, ",\"unit\":");
    json_put_str(out, str_of(r->unit));
    buf_printf(out, ",\"type\":\"%s\",\"writes\":%s,\"of\":\"%s\",\"needed\":%s", types[r->type],
               r->dir & (SIM_OUT | SIM_STATE) ? "true" : "false", r->on_edge ? "edges" : "nodes",
               r->need ? "true" : "false");
    if (!isnan(r->dflt)) {
        buf_printf(out, ",\"default\":");
        json_put_f64(out, r->dflt);
    }
    buf_printf(out, ",\"bindings\":[");
    bool first = true;
    for (uint32_t i = 0; i < m->group_count; i++) {
        if (m->groups[i].edge != (r->on_edge != 0)) continue;
        if (!first) buf_byte(out, ',');
        first = false;
        show_binding(m, &m->groups[i], mapping_role(&m->groups[i], role), out);
    }
    buf_printf(out, "]}");
}

void mapping_show(const Mapping *m, Buf *out) {
    buf_printf(out, "{\"name\":");
    json_put_str(out, m->name);
    buf_printf(out, ",\"engine\":");
    json_put_str(out, str_of(m->engine->name));
    if (m->title.n) {
        buf_printf(out, ",\"title\":");
        json_put_str(out, m->title);
    }
    buf_printf(out, ",\"rank\":%d,\"nodes\":%u,\"edges\":%u,\"leftOut\":%u,\"roles\":[", m->rank, m->topo.nodes,
               m->topo.edges, m->left_out);
    for (uint32_t i = 0; i < m->engine->role_count; i++) {
        if (i) buf_byte(out, ',');
        show_role(m, i, out);
    }
    buf_printf(out, "]}");
}
