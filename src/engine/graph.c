// SPDX-License-Identifier: Apache-2.0
// sosia_graph: a world's structure in columns, out of whole pages of one view.
//
// 1. Twins stand in the answer by table (models in order of upload), in it by row. Those of one page of a table are
//    neighbours: a Leaf. A property is then one page of one column for each leaf.
// 2. Links stand by id, which is order of creation; one counts when both its twins are in the answer.
// 3. Everything is of one sequence. When the view is outrun nothing of it counts, and it is made again.
#include "engine/condition.h"
#include "engine/expr_past.h"
#include "engine/graph_column.h"
#include "engine/pasts.h"
#include "base/decimal.h"
#include "base/mem.h"
#include "base/time.h"
#include "world/scan.h"

#define GRAPH_LINKS_MAX 4000000
#define GRAPH_BYTES_MAX ((int64_t)256 << 20)
#define GRAPH_TEXT_BYTES_MAX 200 // a longer one is null
#define NAMES_AT_ONCE 256

// Twins of one page of a table.
typedef struct Leaf {
    int32_t table;
    int32_t first, count; // in Graph.ids
    uint64_t page_no;
} Leaf;

typedef struct Slot {
    uint64_t id; // 0: free
    uint32_t at;
} Slot;

typedef struct Graph {
    const SosiaGraph *ask;
    Realm *realm;
    SosiaTest *test; // NULL: all twins
    GraphColumn *columns[SOSIA_GRAPH_EXPRESSIONS_MAX];
    const ExprPast *past;
    int64_t now;
    SosiaOut *out;
    // of one view
    View *view;
    PageCopy page;
    uint64_t *ids;
    uint16_t *rows; // in their pages
    int64_t count, cap;
    Leaf *leaves;
    int64_t leaf_count, leaf_cap;
    int32_t *model_of; // by table: its place in "models", -1: not in it
    Slot *slots;
    uint64_t mask;
    bool more;
} Graph;

static Err fail(Graph *g, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err fail(Graph *g, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&g->out->message);
    buf_vprintf(&g->out->message, fmt, ap);
    va_end(ap);
    return err;
}

static bool stopped(const Graph *g) { return g->ask->stop && g->ask->stop(g->ask->stop_ctx); }

// ---- twins ---------------------------------------------------------------------------------------------------------

static void room_for_page(Graph *g) {
    if (g->count + PAGE_ROWS <= g->cap) return;
    g->cap = g->cap ? g->cap * 2 : 4 * PAGE_ROWS;
    g->ids = mem_grow(g->ids, (size_t)g->cap * sizeof *g->ids);
    g->rows = mem_grow(g->rows, (size_t)g->cap * sizeof *g->rows);
}

// Those of g->page, which is one of a row vector; of them, those that fulfil the condition.
static Err take_twins(Graph *g) {
    uint64_t ids[PAGE_ROWS];
    uint16_t rows[PAGE_ROWS];
    bool in[PAGE_ROWS] = {false};
    int64_t n = 0;
    for (uint32_t row = 0; row < g->page.rows; row++) {
        ids[n] = page_row_twin(g->page.cells[row]).v;
        rows[n] = (uint16_t)row;
        if (ids[n]) n++;
    }
    if (g->test && n) TRY(condition_twins(g->test, g->view, g->past, g->now, ids, n, in));
    for (int64_t i = 0; i < n; i++) {
        if (g->test && !in[i]) continue;
        g->more = g->count == g->ask->limit;
        if (g->more) break;
        g->ids[g->count] = ids[i];
        g->rows[g->count++] = rows[i];
    }
    return ERR_OK;
}

static void leaf_put(Graph *g, Leaf leaf) {
    if (leaf.count == 0) return;
    if (g->leaf_count == g->leaf_cap) {
        g->leaf_cap = g->leaf_cap ? g->leaf_cap * 2 : 64;
        g->leaves = mem_grow(g->leaves, (size_t)g->leaf_cap * sizeof *g->leaves);
    }
    g->leaves[g->leaf_count++] = leaf;
}

static Err scan_table(Graph *g, int32_t table) {
    uint32_t vec = g->view->catalog->tables[table].rows;
    uint64_t pages = view_pages(g->view, vec);
    for (uint64_t no = 0; no < pages && !g->more && !g->view->overrun; no++) {
        int64_t first = g->count;
        if (stopped(g)) return ERR_CLOSED;
        room_for_page(g);
        view_page(g->view, vec, no, PAGE_CELLS, &g->page);
        TRY(take_twins(g));
        leaf_put(g, (Leaf){table, (int32_t)first, (int32_t)(g->count - first), no});
    }
    return ERR_OK;
}

static Err scan_twins(Graph *g) {
    for (int32_t t = 0; t < g->view->catalog->table_count && !g->more; t++) TRY(scan_table(g, t));
    return ERR_OK;
}

// ---- from ids to places --------------------------------------------------------------------------------------------

static uint64_t slot_of(const Graph *g, uint64_t id) { return (id * 0x9e3779b97f4a7c15u) >> 20 & g->mask; }

static void index_twins(Graph *g) {
    uint64_t cap = 1024;
    while (cap < (uint64_t)g->count * 2) cap *= 2;
    g->mask = cap - 1;
    mem_free(g->slots);
    g->slots = mem_alloc(cap * sizeof *g->slots);
    for (int64_t i = 0; i < g->count; i++) {
        uint64_t k = slot_of(g, g->ids[i]);
        while (g->slots[k].id) k = (k + 1) & g->mask;
        g->slots[k] = (Slot){g->ids[i], (uint32_t)i};
    }
}

// -1: it is not in the answer.
static int64_t place_of(const Graph *g, TwinId twin) {
    for (uint64_t k = slot_of(g, twin.v); g->slots[k].id; k = (k + 1) & g->mask) {
        if (g->slots[k].id == twin.v) return g->slots[k].at;
    }
    return -1;
}

// ---- columns of twins ----------------------------------------------------------------------------------------------

static void put_comma(Buf *out) {
    if (out->n && out->p[out->n - 1] != '[' && out->p[out->n - 1] != '{') buf_byte(out, ',');
}

static void put_int(Buf *out, int64_t v) {
    put_comma(out);
    json_put_i64(out, v);
}

static void put_ids(Graph *g, Buf *out) {
    Text names[NAMES_AT_ONCE];
    buf_str_put(out, STR("\"id\":["));
    for (int64_t at = 0; at < g->count && !g->view->overrun; at += NAMES_AT_ONCE) {
        int64_t n = g->count - at < NAMES_AT_ONCE ? g->count - at : NAMES_AT_ONCE;
        view_twin_names(g->view, g->ids + at, n, names);
        for (int64_t i = 0; i < n; i++) {
            put_comma(out);
            json_put_str(out, text_str(&names[i]));
        }
    }
    buf_byte(out, ']');
}

// The models that twins in the answer have.
static void put_models(Graph *g, Buf *out) {
    const Catalog *c = g->view->catalog;
    int32_t count = 0;
    mem_free(g->model_of);
    g->model_of = mem_alloc((size_t)(c->table_count + 1) * sizeof *g->model_of);
    for (int32_t t = 0; t < c->table_count; t++) g->model_of[t] = -1;
    buf_str_put(out, STR("\"models\":["));
    for (int64_t i = 0; i < g->leaf_count; i++) {
        int32_t t = g->leaves[i].table;
        if (g->model_of[t] >= 0) continue;
        g->model_of[t] = count++;
        put_comma(out);
        json_put_str(out, c->tables[t].model ? c->tables[t].model->id : (Str){0});
    }
    buf_byte(out, ']');
}

static void put_model_indexes(Graph *g, Buf *out) {
    buf_str_put(out, STR("\"model\":["));
    for (int64_t i = 0; i < g->leaf_count; i++) {
        for (int32_t k = 0; k < g->leaves[i].count; k++) put_int(out, g->model_of[g->leaves[i].table]);
    }
    buf_byte(out, ']');
}

// A cell of g->page.
static void put_cell(const Graph *g, const Field *f, uint32_t row, Buf *out) {
    bool text = cell_is_text(f->cell);
    put_comma(out);
    if (row >= g->page.rows || !(g->page.valid[row / 64] >> (row % 64) & 1)) {
        buf_str_put(out, STR("null"));
    } else if (!text) {
        show_scalar(f, g->page.cells[row], (Str){0}, out);
    } else {
        Text t = {{g->page.cells[2 * row], g->page.cells[2 * row + 1]}};
        Str s = text_str(&t);
        if (s.n > GRAPH_TEXT_BYTES_MAX) buf_str_put(out, STR("null"));
        else show_scalar(f, 0, s, out);
    }
}

// The first of some paths that a model has a plain property for; NULL: none.
static const Field *field_of(const Table *t, const SosiaStr *paths, int32_t n) {
    for (int32_t i = 0; t->model && i < n; i++) {
        const Field *f = model_field(t->model, paths[i]);
        if (f && f->cell != CELL_OBJECT && f->cell != CELL_COMPONENT && f->cell != CELL_DOC) return f;
    }
    return NULL;
}

static void put_leaf(Graph *g, const Leaf *l, const Field *f, Buf *out) {
    const Table *t = &g->view->catalog->tables[l->table];
    if (f) view_page(g->view, t->first + (uint32_t)(f - t->model->fields), l->page_no, PAGE_CELLS, &g->page);
    for (int32_t i = 0; i < l->count; i++) {
        if (f) {
            put_cell(g, f, g->rows[l->first + i], out);
        } else {
            put_comma(out);
            buf_str_put(out, STR("null"));
        }
    }
}

// One array over all twins: of each the value of the first path its model has.
static Err put_values(Graph *g, const SosiaStr *paths, int32_t n, Buf *out) {
    const Catalog *c = g->view->catalog;
    bool known = false;
    buf_byte(out, '[');
    for (int64_t i = 0; i < g->leaf_count && !g->view->overrun; i++) {
        if (stopped(g)) return ERR_CLOSED;
        put_leaf(g, &g->leaves[i], field_of(&c->tables[g->leaves[i].table], paths, n), out);
    }
    buf_byte(out, ']');
    for (int32_t t = 0; t < c->table_count && !known; t++) known = field_of(&c->tables[t], paths, n) != NULL;
    if (known || !c->table_count) return ERR_OK;
    return fail(g, ERR_ARGUMENT, "no model has a property \"%.*s\" that is a number, a boolean or a text",
                STR_ARG(paths[0]));
}

static Err put_twins(Graph *g, Buf *out) {
    buf_str_put(out, STR(",\"twins\":{"));
    put_ids(g, out);
    buf_byte(out, ',');
    put_model_indexes(g, out);
    if (g->ask->label_count) {
        buf_str_put(out, STR(",\"label\":"));
        TRY(put_values(g, g->ask->labels, g->ask->label_count, out));
    }
    buf_byte(out, '}');
    return ERR_OK;
}

// Asked for already, as a property or by an expression before it.
static bool told_already(const Graph *g, int32_t i) {
    Str text = g->ask->expressions[i];
    bool told = false;
    for (int32_t k = 0; k < g->ask->value_count; k++) told |= str_eq(g->ask->values[k], text);
    for (int32_t k = 0; k < i; k++) told |= str_eq(g->ask->expressions[k], text);
    return told;
}

static bool goes(void *ctx) { return !stopped(ctx); }

static Err put_leaves(Graph *g, int32_t i, Buf *out) {
    for (int64_t k = 0; k < g->leaf_count && !g->view->overrun; k++) {
        const Leaf *l = &g->leaves[k];
        if (stopped(g)) return ERR_CLOSED;
        Err err = graph_column_page(g->columns[i], l->table, l->page_no, g->rows + l->first, l->count,
                                    GRAPH_TEXT_BYTES_MAX, out);
        if (err == ERR_LIMIT)
            return fail(g, err, "expression %d looks at more than %d relationships or values of the past", i + 1,
                        GRAPH_VISITS_MAX);
        TRY(err);
    }
    return ERR_OK;
}

// One array over all twins: what the expression is for each.
static Err put_expression(Graph *g, int32_t i, Buf *out) {
    const GraphColumnRun run = {.view = g->view, .past = g->past, .now = g->now, .goes = goes, .ctx = g};
    Buf why = {0};
    put_comma(out);
    json_put_str(out, g->ask->expressions[i]);
    buf_str_put(out, STR(":["));
    Err err = graph_column_begin(g->columns[i], &run, &why);
    if (err) err = fail(g, err, "expression %d: %.*s", i + 1, STR_ARG(buf_str(&why)));
    else err = put_leaves(g, i, out);
    buf_byte(out, ']');
    buf_free(&why);
    return err;
}

static Err put_all_values(Graph *g, Buf *out) {
    buf_str_put(out, STR(",\"values\":{"));
    for (int32_t i = 0; i < g->ask->value_count; i++) {
        put_comma(out);
        json_put_str(out, g->ask->values[i]);
        buf_byte(out, ':');
        TRY(put_values(g, &g->ask->values[i], 1, out));
    }
    for (int32_t i = 0; i < g->ask->expression_count; i++)
        if (!told_already(g, i)) TRY(put_expression(g, i, out));
    buf_byte(out, '}');
    return ERR_OK;
}

// ---- links ---------------------------------------------------------------------------------------------------------

typedef struct LinkColumns {
    Buf from, to, name, names;
    int32_t *name_of; // by kind: place in `names`, -1: not in it
    int32_t name_count;
    int64_t count;
} LinkColumns;

// Kinds of one name (of several models) are one.
static int32_t name_of(LinkColumns *l, const Catalog *c, uint32_t kind) {
    if (l->name_of[kind] >= 0) return l->name_of[kind];
    for (int32_t k = 0; k < c->kind_count && l->name_of[kind] < 0; k++) {
        bool same = l->name_of[k] >= 0 && str_eq(c->kinds[k].rel->name, c->kinds[kind].rel->name);
        if (same) l->name_of[kind] = l->name_of[k];
    }
    if (l->name_of[kind] < 0) {
        l->name_of[kind] = l->name_count++;
        if (l->names.n) buf_byte(&l->names, ',');
        json_put_str(&l->names, c->kinds[kind].rel->name);
    }
    return l->name_of[kind];
}

static void column_put(Buf *b, int64_t v) {
    char text[DECIMAL_TEXT_MAX + 1];
    int n = decimal_print_i64(v, text);
    text[n] = ',';
    buf_put(b, text, n + 1);
}

static void take_links(Graph *g, LinkColumns *l) {
    const Catalog *c = g->view->catalog;
    for (uint32_t row = 0; row < g->page.rows; row++) {
        const uint64_t *cells = &g->page.cells[row * PAGE_LINK_WORDS];
        TwinId source = page_link_source(cells);
        uint32_t kind = page_link_kind(cells);
        if (!source.v || kind >= (uint32_t)c->kind_count) continue;
        int64_t from = place_of(g, source), to = from < 0 ? -1 : place_of(g, page_link_target(cells));
        if (to < 0) continue;
        column_put(&l->from, from);
        column_put(&l->to, to);
        column_put(&l->name, name_of(l, c, kind));
        l->count++;
    }
}

static Err scan_links(Graph *g, LinkColumns *l) {
    const Catalog *c = g->view->catalog;
    uint64_t pages = view_pages(g->view, VECNO_LINK);
    l->name_of = mem_alloc((size_t)(c->kind_count + 1) * sizeof *l->name_of);
    for (int32_t k = 0; k < c->kind_count; k++) l->name_of[k] = -1;
    for (uint64_t no = 0; no < pages && !g->view->overrun && g->count; no++) {
        if (stopped(g)) return ERR_CLOSED;
        view_page(g->view, VECNO_LINK, no, PAGE_CELLS, &g->page);
        take_links(g, l);
        if (l->count <= GRAPH_LINKS_MAX) continue;
        return fail(g, ERR_LIMIT, "there are more than %d relationships between these twins: ask for fewer of them",
                    GRAPH_LINKS_MAX);
    }
    return ERR_OK;
}

// "KEY":[column], without the comma behind its last.
static void put_column(const char *key, const Buf *column, Buf *out) {
    buf_printf(out, "%s\":[", key);
    if (column->n) buf_put(out, column->p, column->n - (column->p[column->n - 1] == ',' ? 1 : 0));
    buf_byte(out, ']');
}

static Err put_links(Graph *g, Buf *out) {
    LinkColumns l = {.from.max = GRAPH_BYTES_MAX, .to.max = GRAPH_BYTES_MAX, .name.max = GRAPH_BYTES_MAX};
    Err err = g->ask->no_links ? ERR_OK : scan_links(g, &l);
    if (!err) {
        put_column(",\"names", &l.names, out);
        put_column(",\"links\":{\"from", &l.from, out);
        put_column(",\"to", &l.to, out);
        put_column(",\"name", &l.name, out);
        buf_byte(out, '}');
    }
    mem_free(l.name_of);
    buf_free(&l.from);
    buf_free(&l.to);
    buf_free(&l.name);
    buf_free(&l.names);
    return err;
}

// ---- the call ------------------------------------------------------------------------------------------------------

static Err graph_view(View *v, void *ctx) {
    Graph *g = ctx;
    Buf *out = &g->out->body;
    g->view = v;
    g->count = g->leaf_count = 0;
    g->more = false;
    buf_reset(out);
    buf_printf(out, "{\"sequence\":%llu,\"time\":\"", (unsigned long long)v->seq);
    time_print(g->now, 7, out);
    buf_str_put(out, STR("\","));
    TRY(scan_twins(g));
    index_twins(g);
    put_models(g, out);
    TRY(put_twins(g, out));
    TRY(put_links(g, out));
    TRY(put_all_values(g, out));
    buf_printf(out, ",\"more\":%s}", g->more ? "true" : "false");
    return out->full ? fail(g, ERR_LIMIT, "the answer is too large: ask for fewer twins or values") : ERR_OK;
}

static Err check(Graph *g, const SosiaGraph *ask) {
    if (ask->value_count > SOSIA_GRAPH_VALUES_MAX || ask->label_count > SOSIA_GRAPH_VALUES_MAX)
        return fail(g, ERR_LIMIT, "at most %d values, and as many names of a label, can be asked for at once",
                    SOSIA_GRAPH_VALUES_MAX);
    if (ask->expression_count > SOSIA_GRAPH_EXPRESSIONS_MAX)
        return fail(g, ERR_LIMIT, "at most %d expressions can be asked for at once", SOSIA_GRAPH_EXPRESSIONS_MAX);
    if (ask->limit < 0 || ask->limit > SOSIA_GRAPH_TWINS_MAX)
        return fail(g, ERR_LIMIT, "the limit must be from 1 to %d twins", SOSIA_GRAPH_TWINS_MAX);
    return ERR_OK;
}

static Err parse(Graph *g) {
    Buf why = {0};
    Err err = ERR_OK;
    for (int32_t i = 0; i < g->ask->expression_count && !err; i++) {
        err = graph_column_new(g->ask->expressions[i], &g->columns[i], &why);
        if (err) err = fail(g, err, "expression %d: %.*s", i + 1, STR_ARG(buf_str(&why)));
    }
    buf_free(&why);
    return err;
}

static Err graph_read(Graph *g, Sosia *s, const SosiaCaller *who) {
    EnginePast past;
    int64_t at = 0;
    TRY(realm_get(s, g->ask->world, &g->realm, &at));
    g->now = g->realm->past.is ? at : engine_past_now(g->realm);
    g->past = engine_past(&past, g->realm);
    Err err = engine_read_realm(g->realm, who, graph_view, g, &g->out->seq);
    realm_unref(g->realm);
    return err;
}

static void graph_free(Graph *g) {
    sosia_test_free(g->test);
    for (int32_t i = 0; i < SOSIA_GRAPH_EXPRESSIONS_MAX; i++) graph_column_free(g->columns[i]);
    page_copy_free(&g->page);
    mem_free(g->ids);
    mem_free(g->rows);
    mem_free(g->leaves);
    mem_free(g->model_of);
    mem_free(g->slots);
}

SosiaErr sosia_graph(Sosia *s, const SosiaCaller *who, const SosiaGraph *ask, SosiaOut *out) {
    SosiaGraph mine = *ask;
    Graph g = {.ask = &mine, .out = out};
    int64_t max = out->body.max;
    if (!mine.limit) mine.limit = SOSIA_GRAPH_TWINS;
    buf_reset(&out->body);
    buf_reset(&out->message);
    out->etag[0] = out->token[0] = 0;
    out->body.max = GRAPH_BYTES_MAX;
    Err err = check(&g, &mine);
    if (!err) err = parse(&g);
    if (!err && mine.where.n) err = (Err)sosia_test_new(s, mine.world, mine.where, &g.test, &out->message);
    if (!err) err = graph_read(&g, s, who);
    out->body.max = max;
    graph_free(&g);
    if (!err) return SOSIA_OK;
    if (!out->message.n) pasts_why(s, mine.world, err, &out->message);
    buf_reset(&out->body);
    return (SosiaErr)err;
}
