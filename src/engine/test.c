// SPDX-License-Identifier: Apache-2.0
// Conditions over twins by number (sosia_test_*): one expression, bound once a model and bound again when the world's
// models have changed. A model that the expression does not fit (units that do not go together, say) is false for all
// its twins when it came later; when it was there at first, sosia_test_new tells.
#include "engine/condition.h"
#include "base/check.h"
#include "base/mem.h"
#include "engine/expr_past.h"
#include "engine/pasts.h"

#define TEST_VISITS_MAX 20000 // relationships looked at for one twin

struct SosiaTest {
    Sosia *engine;
    Str world, text; // owned by `keep`
    Arena keep;      // the parsed text too
    Arena bounds;    // of this catalog
    Arena scratch;
    Expr *expr;
    const Catalog *catalog; // what `bound` is for; compared, never read
    uint64_t since;
    const Bound **bound; // by table; NULL: false for all
    int32_t table_count;
};

static Err bind_table(SosiaTest *t, const Catalog *c, uint32_t table, const Bound **out, Diag *d) {
    ExprSource source = {.kind = EXPR_TWIN, .table = table};
    ExprScope scope = {.catalog = c, .sources = &source, .count = 1, .bare_first = true};
    Bound *b = NULL;
    TRY(expr_bind(&t->bounds, &scope, t->expr, &b, d));
    *out = b;
    return ERR_OK;
}

// Bind for every model of the catalog. The first failure is returned and told; the others are bound all the same.
static Err bind_all(SosiaTest *t, const Catalog *c, SosiaBuf *why) {
    Err first = ERR_OK;
    arena_reset(&t->bounds);
    t->table_count = c->table_count;
    t->bound = NEW(&t->bounds, const Bound *, c->table_count + 1);
    for (int32_t i = 0; i < c->table_count; i++) {
        if (c->tables[i].removed) continue;
        Diag d;
        diag_init(&d);
        Err err = bind_table(t, c, (uint32_t)i, &t->bound[i], &d);
        if (err && !first) {
            first = err;
            expr_why(&d, t->text, why);
        }
        diag_free(&d);
    }
    t->catalog = c;
    t->since = c->since;
    return first;
}

typedef struct Binding {
    SosiaTest *test;
    SosiaBuf *why;
} Binding;

static Err bind_view(View *v, void *ctx) {
    Binding *b = ctx;
    if (b->why) buf_reset(b->why);
    return bind_all(b->test, v->catalog, b->why);
}

SosiaErr sosia_test_new(Sosia *s, SosiaStr world, SosiaStr text, SosiaTest **out, SosiaBuf *why) {
    SosiaTest *t = mem_alloc(sizeof *t);
    Diag d;
    t->engine = s;
    arena_init(&t->keep, 1024);
    arena_init(&t->bounds, 4096);
    arena_init(&t->scratch, 1024);
    t->world = arena_str(&t->keep, world);
    t->text = arena_str(&t->keep, text);
    diag_init(&d);
    Err err = expr_parse(&t->keep, t->text, &t->expr, &d);
    expr_why(&d, t->text, why);
    diag_free(&d);
    Binding b = {t, why};
    if (!err) {
        err = engine_read(s, NULL, t->world, bind_view, &b, NULL);
        if (err && why && !why->n) pasts_why(s, t->world, err, why);
    }
    if (err) sosia_test_free(t);
    else *out = t;
    return (SosiaErr)err;
}

void sosia_test_free(SosiaTest *t) {
    if (!t) return;
    arena_free(&t->keep);
    arena_free(&t->bounds);
    arena_free(&t->scratch);
    mem_free(t);
}

typedef struct Testing {
    SosiaTest *test;
    const ExprPast *past;
    const uint64_t *twins;
    int64_t n, now;
    bool *out;
    Err failed; // the past could not be read
} Testing;

static bool test_one(Testing *x, View *v, uint64_t twin) {
    TwinView at = view_twin_place(v, (TwinId){twin});
    if (!at.alive || at.table >= (uint32_t)x->test->table_count) return false;
    const Bound *b = x->test->bound[at.table];
    if (!b) return false;
    ExprRun run = {.view = v, .now = x->now, .scratch = &x->test->scratch, .visited_max = TEST_VISITS_MAX};
    run.past = x->past;
    ExprRow row = {twin, at.row};
    arena_reset(&x->test->scratch);
    bool yes = expr_test(b, &run, &row) && run.visited <= TEST_VISITS_MAX;
    if (run.failed) x->failed = run.failed;
    return yes;
}

Err condition_twins(SosiaTest *t, View *v, const ExprPast *past, int64_t now, const uint64_t *twins, int64_t n,
                    bool *out) {
    Testing x = {.test = t, .past = past, .twins = twins, .n = n, .now = now, .out = out};
    if (t->catalog != v->catalog || t->since != v->catalog->since) {
        Err err = bind_all(t, v->catalog, NULL);
        (void)err; // those models are false
    }
    for (int64_t i = 0; i < n && !v->overrun; i++) out[i] = twins[i] && test_one(&x, v, twins[i]);
    return x.failed;
}

static Err test_view(View *v, void *ctx) {
    const Testing *x = ctx;
    return condition_twins(x->test, v, x->past, x->now, x->twins, x->n, x->out);
}

SosiaErr sosia_test_twins(SosiaTest *t, const uint64_t *twins, int64_t n, bool *out) {
    CHECK(n >= 0);
    Realm *r;
    EnginePast past;
    int64_t at = 0;
    Err err = realm_get(t->engine, t->world, &r, &at);
    if (err) return (SosiaErr)err;
    Testing x = {.test = t, .twins = twins, .n = n, .now = r->past.is ? at : engine_past_now(r), .out = out};
    x.past = engine_past(&past, r);
    err = engine_read_realm(r, NULL, test_view, &x, NULL);
    realm_unref(r);
    return (SosiaErr)err;
}
