// SPDX-License-Identifier: Apache-2.0
#include "engine/graph_column.h"
#include "base/mem.h"

struct GraphColumn {
    Str text; // in `keep`, the parsed one too
    Arena keep, bounds, scratch;
    Expr *expr;
    const Bound **bound; // by table; NULL: no value
    int32_t table_count;
    ExprPage *page;
    ExprRun run;
};

Err graph_column_new(Str text, GraphColumn **out, Buf *why) {
    GraphColumn *c = mem_alloc(sizeof *c);
    Diag d;
    arena_init(&c->keep, 1024);
    arena_init(&c->bounds, 4096);
    arena_init(&c->scratch, 4096);
    c->text = arena_str(&c->keep, text);
    diag_init(&d);
    Err err = expr_parse(&c->keep, c->text, &c->expr, &d);
    expr_why(&d, c->text, why);
    diag_free(&d);
    if (err) graph_column_free(c);
    else *out = c;
    return err;
}

void graph_column_free(GraphColumn *c) {
    if (!c) return;
    if (c->page) expr_page_free(c->page);
    arena_free(&c->keep);
    arena_free(&c->bounds);
    arena_free(&c->scratch);
    mem_free(c);
}

// ---- binding ------------------------------------------------------------------------------------------------------

typedef struct Looking {
    const ExprScope *scope;
    Buf *why;
    bool unknown;
} Looking;

static void look_for(void *ctx, const Expr *e, bool inside) {
    Looking *x = ctx;
    Str near = {0};
    bool exact = e->op == EX_PATH && e->seg_count == 1 && str_eq_nocase(e->segs[0].name, STR("exact"));
    if (e->op != EX_PATH || inside || exact || x->unknown || expr_known(x->scope, e, &near)) return;
    x->unknown = true;
    buf_printf(x->why, "column %d: no model has a property \"%.*s\"", e->at + 1, STR_ARG(e->segs[0].name));
    if (near.n) buf_printf(x->why, "; did you mean \"%.*s\"?", STR_ARG(near));
}

// Every name that it looks at is one that some model has.
static Err check_names(GraphColumn *c, const Catalog *catalog, Buf *why) {
    ExprSource source = {.kind = EXPR_TWIN};
    ExprScope scope = {.catalog = catalog, .sources = &source, .count = 1, .bare_first = true};
    Looking x = {.scope = &scope, .why = why};
    if (catalog->table_count) expr_walk(c->expr, look_for, &x);
    return x.unknown ? ERR_ARGUMENT : ERR_OK;
}

// Bind for every model. The first failure is told when it fits none that it could have a value for.
static Err bind_all(GraphColumn *c, const Catalog *catalog, Buf *why) {
    Err first = ERR_OK;
    bool fits = false;
    arena_reset(&c->bounds);
    c->table_count = catalog->table_count;
    c->bound = NEW(&c->bounds, const Bound *, catalog->table_count + 1);
    for (int32_t i = 0; i < catalog->table_count; i++) {
        if (catalog->tables[i].removed) continue;
        ExprSource source = {.kind = EXPR_TWIN, .table = (uint32_t)i};
        ExprScope scope = {.catalog = catalog, .sources = &source, .count = 1, .bare_first = true};
        Bound *b = NULL;
        Diag d;
        diag_init(&d);
        Err err = expr_bind(&c->bounds, &scope, c->expr, &b, &d);
        if (err && !first) {
            first = err;
            expr_why(&d, c->text, why);
        }
        diag_free(&d);
        if (!err) c->bound[i] = b;
        fits |= !err && b->type != EXPR_UNDEFINED;
    }
    if (fits) buf_reset(why);
    return fits ? ERR_OK : first;
}

Err graph_column_begin(GraphColumn *c, const GraphColumnRun *run, Buf *why) {
    buf_reset(why);
    TRY(bind_all(c, run->view->catalog, why));
    TRY(check_names(c, run->view->catalog, why));
    if (!c->page) c->page = expr_page_new();
    c->run = (ExprRun){.view = run->view,
                       .now = run->now,
                       .scratch = &c->scratch,
                       .visited_max = GRAPH_VISITS_MAX,
                       .goes = run->goes,
                       .ctx = run->ctx,
                       .past = run->past};
    return ERR_OK;
}

// ---- values -------------------------------------------------------------------------------------------------------

static ExprValue value_at(const ExprVec *v, int32_t k) {
    if (!(v->valid[k / 64] >> (k % 64) & 1)) return (ExprValue){.type = EXPR_UNDEFINED};
    switch (v->type) {
    case EXPR_UNDEFINED: return (ExprValue){.type = EXPR_UNDEFINED};
    case EXPR_BOOL: return (ExprValue){.type = EXPR_BOOL, .b = v->b[k] != 0};
    case EXPR_I64:
    case EXPR_TIME:
    case EXPR_DURATION: return (ExprValue){.type = v->type, .i = v->i[k]};
    case EXPR_F64: return (ExprValue){.type = EXPR_F64, .d = v->d[k]};
    case EXPR_STR:
    case EXPR_DOC: return (ExprValue){.type = v->type, .s = v->s[k]};
    default: return v->any[k];
    }
}

static void put_value(const ExprValue *v, int64_t text_max, Buf *out) {
    bool plain = v->type != EXPR_DOC && v->type != EXPR_POINT && (v->type != EXPR_STR || v->s.n <= text_max);
    if (out->n && out->p[out->n - 1] != '[') buf_byte(out, ',');
    if (plain) expr_value_json(v, out);
    else buf_str_put(out, STR("null"));
}

Err graph_column_page(GraphColumn *c, int32_t table, uint64_t page_no, const uint16_t *rows, int32_t n,
                      int64_t text_max, Buf *out) {
    const Bound *b = table < c->table_count ? c->bound[table] : NULL;
    ExprSource source = {.kind = EXPR_TWIN, .table = (uint32_t)table};
    const ExprValue none = {.type = EXPR_UNDEFINED};
    ExprVec vec;
    arena_reset(&c->scratch);
    if (b) {
        expr_page_at(c->page, &c->run, &source, page_no);
        expr_page_eval(b, c->page, rows, n, &vec);
    }
    if (c->run.failed) return c->run.failed;
    if (c->run.visited > GRAPH_VISITS_MAX) return ERR_LIMIT;
    for (int32_t i = 0; i < n; i++) {
        ExprValue v = b ? value_at(&vec, i) : none;
        put_value(&v, text_max, out);
    }
    return ERR_OK;
}
