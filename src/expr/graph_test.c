// SPDX-License-Identifier: Apache-2.0
// Aggregates over neighbours against naive loops over a list of all links, on random graphs by seed; models that come
// after binding.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "expr/expr.h"
#include "world/test_edit.h"

static const char MODELS[] =
    "[{'@context':'dtmi:dtdl:context;3','@id':'dtmi:g:A;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'i','schema':'integer'},{'@type':'Property','name':'on','schema':'boolean'},"
    "{'@type':'Property','name':'s','schema':'string'},"
    "{'@type':'Relationship','name':'r','properties':[{'@type':'Property','name':'w','schema':'integer'}]},"
    "{'@type':'Relationship','name':'q','target':'dtmi:g:A;1'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:g:B;1','@type':'Interface','extends':'dtmi:g:A;1','contents':["
    "{'@type':'Property','name':'d','schema':'double'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:g:C;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'i','schema':'double'},"
    "{'@type':'Relationship','name':'r','properties':[{'@type':'Property','name':'w','schema':'integer'}]}]}]";

enum { TWINS = 12, LINKS = 40, NONE = -1000 };

typedef struct Thing {
    int model; // A, B, C
    int64_t i; // NONE: missing
    int on;    // -1: missing
} Thing;

typedef struct Edge {
    int from, to;
    bool q; // else r
    int64_t w;
} Edge;

typedef struct Net {
    Lab lab;
    Thing things[TWINS];
    Edge edges[LINKS];
    int edge_count;
} Net;

static void worked(Lab *l, Err e) {
    if (e) fail_msg("%s: %.*s", err_name(e), STR_ARG(l->diag.messages[0].text));
}

static void draw_thing(Net *n, Rng *r, int k) {
    Thing *t = &n->things[k];
    Buf body = {0};
    *t = (Thing){.model = (int)rng_below(r, 3), .i = NONE, .on = -1};
    buf_printf(&body, "{'$metadata':{'$model':'dtmi:g:%c;1'}", 'A' + t->model);
    if (rng_below(r, 4)) t->i = (int64_t)rng_below(r, 7) - 3;
    if (t->model < 2 && rng_below(r, 3)) t->on = (int)rng_below(r, 2);
    if (t->i != NONE) buf_printf(&body, ",'i':%d", (int)t->i);
    if (t->on >= 0) buf_printf(&body, ",'on':%s", t->on ? "true" : "false");
    buf_byte(&body, '}');
    buf_byte(&body, 0);
    worked(&n->lab, lab_put(&n->lab, (char[]){'t', (char)('a' + k), 0}, body.p));
    buf_free(&body);
}

static void draw_edge(Net *n, Rng *r) {
    Edge e = {(int)rng_below(r, TWINS), (int)rng_below(r, TWINS), rng_below(r, 2) == 0, (int64_t)rng_below(r, 5)};
    if (e.from == e.to) return;
    if (e.q && (n->things[e.from].model == 2 || n->things[e.to].model == 2)) return;
    char body[200], id[16];
    snprintf(id, sizeof id, "e%d", n->edge_count);
    snprintf(body, sizeof body,
             e.q ? "{'$relationshipName':'q','$targetId':'t%c'}" : "{'$relationshipName':'r','$targetId':'t%c','w':%d}",
             'a' + e.to, (int)e.w);
    worked(&n->lab, lab_link(&n->lab, (char[]){'t', (char)('a' + e.from), 0}, id, body));
    n->edges[n->edge_count++] = e;
}

static void draw_net(Net *n, uint64_t seed) {
    Rng r = rng_make(seed, 3);
    *n = (Net){0};
    lab_open(&n->lab);
    worked(&n->lab, lab_models(&n->lab, MODELS));
    for (int i = 0; i < TWINS; i++) draw_thing(n, &r, i);
    for (int i = 0; i < LINKS; i++) draw_edge(n, &r);
}

// One question: which links, which of them count, what of them.
typedef struct Ask {
    bool out, in, r, q; // neither r nor q named: both
    int where;          // 0 none, 1: i > 0, 2: on, 3: R.w > 2
    int agg;            // SUM AVG MIN MAX COUNT ANY ALL
} Ask;

static Ask draw_ask(Rng *r) {
    Ask a = {.out = rng_below(r, 2) == 0, .r = rng_below(r, 2) == 0, .q = rng_below(r, 2) == 0};
    a.in = !a.out || rng_below(r, 2) == 0;
    a.where = (int)rng_below(r, 4);
    a.agg = (int)rng_below(r, 7);
    return a;
}

static void ask_text(const Ask *a, char *text, size_t n) {
    static const char *const aggs[] = {"SUM", "AVG", "MIN", "MAX", "COUNT", "ANY", "ALL"};
    static const char *const wheres[] = {"", " WHERE i > 0", " WHERE on", " WHERE R.w > 2"};
    snprintf(text, n, "%s(%s%s%s%s%s, %s%s)", aggs[a->agg], a->in ? "<-" : "-", a->out ? ">" : "", a->r ? "r" : "",
             a->r && a->q ? "|" : "", a->q ? "q" : "", a->agg >= 5 ? "on" : "i", wheres[a->where]);
}

static bool counts(const Ask *a, const Edge *e, const Thing *t) {
    if (a->where == 1) return t->i != NONE && t->i > 0;
    if (a->where == 2) return t->on == 1;
    return a->where == 0 || (!e->q && e->w > 2);
}

// The answer as JSON, "-" for undefined.
static void naive(const Net *n, const Ask *a, int from, char *out, size_t size) {
    int64_t sum = 0, count = 0, least = 0, most = 0, yes = 0, no = 0, unsure = 0;
    for (int k = 0; k < n->edge_count; k++) {
        const Edge *e = &n->edges[k];
        if ((a->r || a->q) && !(e->q ? a->q : a->r)) continue;
        if (!(a->out && e->from == from) && !(a->in && e->to == from)) continue;
        const Thing *t = &n->things[e->from == from ? e->to : e->from];
        if (!counts(a, e, t)) continue;
        yes += t->on == 1;
        no += t->on == 0;
        unsure += t->on < 0;
        if (t->i == NONE) continue;
        sum += t->i;
        least = count == 0 || t->i < least ? t->i : least;
        most = count == 0 || t->i > most ? t->i : most;
        count++;
    }
    double mean = count ? (double)sum / (double)count : 0;
    const char *tests[] = {yes ? "true" : unsure ? "-" : "false", no ? "false" : unsure ? "-" : "true"};
    if (a->agg >= 5) snprintf(out, size, "%s", tests[a->agg - 5]);
    else if (a->agg == 0 || a->agg == 4) snprintf(out, size, "%lld", (long long)(a->agg ? count : sum));
    else if (count == 0) snprintf(out, size, "-");
    else snprintf(out, size, "%.17g", a->agg == 1 ? mean : a->agg == 2 ? (double)least : (double)most);
}

static bool same(const ExprValue *v, const char *want) {
    double d = 0;
    if (v->type == EXPR_BOOL) return strcmp(want, v->b ? "true" : "false") == 0;
    if (v->type == EXPR_UNDEFINED) return strcmp(want, "-") == 0;
    return str_to_f64(str_of(want), &d) && d == (v->type == EXPR_I64 ? (double)v->i : v->d);
}

static void ask_all(Net *n, Rng *r, uint64_t seed) {
    Arena a;
    View view;
    arena_init(&a, 0);
    view_begin(&view, n->lab.w);
    for (int k = 0; k < 60; k++) {
        char text[200], want[64];
        Ask ask = draw_ask(r);
        ask_text(&ask, text, sizeof text);
        Expr *e;
        assert_int_equal(expr_parse(&a, str_of(text), &e, NULL), ERR_OK);
        for (int i = 0; i < TWINS; i++) {
            TwinId id = view_find_twin(&view, (Str){(char[]){'t', (char)('a' + i)}, 2});
            TwinView t = view_twin_place(&view, id);
            ExprSource source = {.kind = EXPR_TWIN, .table = t.table};
            ExprScope scope = {.catalog = view.catalog, .sources = &source, .count = 1};
            Bound *b;
            assert_int_equal(expr_bind(&a, &scope, e, &b, NULL), ERR_OK);
            ExprRun run = {.view = &view, .scratch = &a};
            ExprValue v = expr_eval(b, &run, &(ExprRow){id.v, t.row});
            naive(n, &ask, i, want, sizeof want);
            if (!same(&v, want))
                fail_msg("seed %llu: %s of t%c: wanted %s", (unsigned long long)seed, text, 'a' + i, want);
            if (b->type != EXPR_ANY && v.type != EXPR_UNDEFINED) assert_int_equal(v.type, b->type);
        }
        arena_reset(&a);
    }
    view_end(&view);
    arena_free(&a);
}

static void random_graphs(void **state) {
    (void)state;
    Net *n = mem_alloc(sizeof *n);
    for (uint64_t seed = 0; seed < 25; seed++) {
        Rng r = rng_make(seed, 4);
        draw_net(n, seed);
        ask_all(n, &r, seed);
        lab_close(&n->lab);
    }
    mem_free(n);
}

// A tree bound before a model was uploaded meets twins of it, and links of its relationships.
static void models_that_come_later(void **state) {
    (void)state;
    Net *n = mem_alloc(sizeof *n);
    Lab *l = &n->lab;
    Arena a;
    Expr *e;
    Bound *b[3];
    static const char *const texts[] = {"SUM(->r.i)", "COUNT(-> WHERE R.v > 1)", "COUNT(->)"};
    lab_open(l);
    arena_init(&a, 0);
    worked(l, lab_models(l, MODELS));
    worked(l, lab_put(l, "a", "{'$metadata':{'$model':'dtmi:g:A;1'},'i':1}"));
    worked(l, lab_put(l, "b", "{'$metadata':{'$model':'dtmi:g:A;1'},'i':10}"));
    worked(l, lab_link(l, "a", "1", "{'$relationshipName':'r','$targetId':'b'}"));
    View view;
    view_begin(&view, l->w);
    TwinView t = view_twin_place(&view, view_find_twin(&view, STR("a")));
    ExprSource source = {.kind = EXPR_TWIN, .table = t.table};
    ExprScope scope = {.catalog = view.catalog, .sources = &source, .count = 1};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(expr_parse(&a, str_of(texts[i]), &e, NULL), ERR_OK);
        assert_int_equal(expr_bind(&a, &scope, e, &b[i], NULL), ERR_OK);
    }
    worked(l, lab_models(l, "[{'@context':'dtmi:dtdl:context;3','@id':'dtmi:g:New;1','@type':'Interface','contents':["
                            "{'@type':'Property','name':'i','schema':'integer'},{'@type':'Relationship','name':'n',"
                            "'properties':[{'@type':'Property','name':'v','schema':'integer'}]}]}]"));
    worked(l, lab_put(l, "c", "{'$metadata':{'$model':'dtmi:g:New;1'},'i':100}"));
    worked(l, lab_link(l, "a", "2", "{'$relationshipName':'r','$targetId':'c'}"));
    View later;
    view_begin(&later, l->w);
    TwinId id = view_find_twin(&later, STR("a"));
    ExprRun run = {.view = &later, .scratch = &a};
    ExprRow row = {id.v, view_twin_place(&later, id).row};
    ExprValue v = expr_eval(b[0], &run, &row);
    assert_true(v.type == EXPR_I64 && v.i == 110);
    assert_int_equal(run.visited, 2);
    assert_int_equal(expr_eval(b[1], &run, &row).i, 0);
    assert_int_equal(expr_eval(b[2], &run, &row).i, 2);
    view_end(&later);
    view_end(&view);
    arena_free(&a);
    lab_close(l);
    mem_free(n);
}

// A hundred models that all may be neighbours of each other: one aggregate, and one inside of another, bind; a third
// level passes the bound of a tree, and says so.
static void many_models(void **state) {
    (void)state;
    Net *n = mem_alloc(sizeof *n);
    Lab *l = &n->lab;
    Buf models = {0};
    Arena a;
    lab_open(l);
    buf_str_put(&models, STR("["));
    for (int i = 0; i < 100; i++)
        buf_printf(&models,
                   "%s{'@context':'dtmi:dtdl:context;3','@id':'dtmi:many:M%d;1','@type':'Interface','contents':["
                   "{'@type':'Property','name':'v','schema':'double'},{'@type':'Relationship','name':'r'}]}",
                   i ? "," : "", i);
    buf_put(&models, "]", 2);
    worked(l, lab_models(l, models.p));
    arena_init(&a, 0);
    View view;
    view_begin(&view, l->w);
    ExprSource source = {.kind = EXPR_TWIN, .table = (uint32_t)view.catalog->table_count - 1};
    ExprScope scope = {.catalog = view.catalog, .sources = &source, .count = 1};
    static const char *const texts[] = {"SUM(->r.v)", "SUM(->r, SUM(->r.v))", "SUM(->r, SUM(->r, SUM(->r.v)))"};
    for (int i = 0; i < 3; i++) {
        Expr *e;
        Bound *b;
        assert_int_equal(expr_parse(&a, str_of(texts[i]), &e, NULL), ERR_OK);
        assert_int_equal(expr_bind(&a, &scope, e, &b, NULL), i < 2 ? ERR_OK : ERR_LIMIT);
    }
    assert_true(a.used < 100 << 20);
    view_end(&view);
    arena_free(&a);
    buf_free(&models);
    lab_close(l);
    mem_free(n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs),
        cmocka_unit_test(models_that_come_later),
        cmocka_unit_test(many_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
