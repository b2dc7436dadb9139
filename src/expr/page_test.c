// SPDX-License-Identifier: Apache-2.0
// The page evaluator against expr_eval: random questions by seed over worlds with all kinds of cells, value for value.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"
#include "expr/func.h"
#include "world/scan.h"

// ---- a world with all kinds of cells ------------------------------------------------------------------------------

static const char MODELS[] =
    "[{\"@context\":[\"dtmi:dtdl:context;4\",\"dtmi:dtdl:extension:quantitativeTypes;2\"],"
    "\"@id\":\"dtmi:t:Part;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"p\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"q\",\"schema\":\"string\"}]},"
    "{\"@context\":[\"dtmi:dtdl:context;4\",\"dtmi:dtdl:extension:quantitativeTypes;2\"],"
    "\"@id\":\"dtmi:t:A;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"on\",\"schema\":\"boolean\"},"
    "{\"@type\":\"Property\",\"name\":\"x\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"y\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"i\",\"schema\":\"long\"},"
    "{\"@type\":\"Property\",\"name\":\"k\",\"schema\":\"integer\"},"
    "{\"@type\":\"Property\",\"name\":\"ul\",\"schema\":\"unsignedLong\"},"
    "{\"@type\":\"Property\",\"name\":\"never\",\"schema\":\"double\"}," // no twin has a value
    "{\"@type\":\"Property\",\"name\":\"s\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"r\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"at\",\"schema\":\"dateTime\"},"
    "{\"@type\":\"Property\",\"name\":\"dur\",\"schema\":\"duration\"},"
    "{\"@type\":\"Property\",\"name\":\"place\",\"schema\":\"point\"},"
    "{\"@type\":[\"Property\",\"Temperature\"],\"name\":\"temp\",\"schema\":\"double\",\"unit\":\"degreeCelsius\"},"
    "{\"@type\":[\"Property\",\"Temperature\"],\"name\":\"hot\",\"schema\":\"integer\",\"unit\":\"degreeFahrenheit\"},"
    "{\"@type\":\"Property\",\"name\":\"m\",\"schema\":{\"@type\":\"Map\",\"mapKey\":{\"name\":\"a\",\"schema\":"
    "\"string\"},\"mapValue\":{\"name\":\"b\",\"schema\":\"double\"}}},"
    "{\"@type\":\"Property\",\"name\":\"arr\",\"schema\":{\"@type\":\"Array\",\"elementSchema\":\"integer\"}},"
    "{\"@type\":\"Property\",\"name\":\"o\",\"schema\":{\"@type\":\"Object\",\"fields\":["
    "{\"name\":\"a\",\"schema\":\"double\"},{\"name\":\"b\",\"schema\":\"string\"}]}},"
    "{\"@type\":\"Component\",\"name\":\"c\",\"schema\":\"dtmi:t:Part;1\"},"
    "{\"@type\":\"Relationship\",\"name\":\"rel\",\"properties\":["
    "{\"@type\":\"Property\",\"name\":\"w\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"n\",\"schema\":\"string\"}]}]}]";

enum { TWINS = 2300, LINKS = 1500 };
#ifndef QUESTIONS
#define QUESTIONS 4000 // for each of two worlds
#endif

typedef struct Lab {
    Domain *d;
    World *w;
    Rng rng;
    Arena arena;       // of one expression
    uint64_t question; // the seed of the one that is asked
    uint64_t twins[TWINS], links[LINKS];
    View view;
} Lab;

static uint64_t below(Lab *l, uint64_t n) { return rng_below(&l->rng, n); }

#define PICK(l, list) ((list)[below((l), sizeof(list) / sizeof *(list))])

static const char *const TEXTS[] = {"",
                                    "a",
                                    "b",
                                    "ab",
                                    "abc",
                                    "abcd",
                                    "abce",
                                    "Abcd",
                                    "abcdefghijkl",
                                    "abcdefghijklm",
                                    "abcdX",
                                    "zz",
                                    "a text longer than the words of a cell",
                                    "a text longer than the words of a wall",
                                    "12",
                                    "-3.5"};
static const char *const DOCS[] = {"{}", "{\"a\":1}", "{\"a\":2.5,\"b\":7}", "{\"k\":-1,\"a\":null}", "{\"b\":\"x\"}"};
static const char *const ARRAYS[] = {"[]", "[1]", "[1,2,3]", "[7,7,-1]", "[2,0]"};
static const char *const PLACES[] = {"{\"type\":\"Point\",\"coordinates\":[13.4,52.5]}",
                                     "{\"type\":\"Point\",\"coordinates\":[13.5,52.4]}",
                                     "{\"type\":\"Point\",\"coordinates\":[-70,10]}"};
static const char *const TIMES[] = {"2026-01-01T00:00:00Z", "2026-06-01T12:34:56.789Z", "1969-12-31T23:59:59Z",
                                    "2026-01-01T00:00:00+02:00"};
static const char *const DURATIONS[] = {"PT15M", "PT1H", "P1D", "PT0S", "PT90.5S"};

static double draw_f64(Lab *l) {
    switch (below(l, 8)) {
    case 0: return 0;
    case 1: return -0.0;
    case 2: return (double)below(l, 5) - 2;
    case 3: return 1e308 * (rng_f64(&l->rng) - 0.5) * 3;
    case 4: return 0x1p53 + (double)below(l, 4);
    default: return (double)(int64_t)below(l, 400) / 4 - 50;
    }
}

static int64_t draw_i64(Lab *l) {
    switch (below(l, 8)) {
    case 0: return INT64_MAX - (int64_t)below(l, 2);
    case 1: return INT64_MIN + (int64_t)below(l, 2);
    case 2: return ((int64_t)1 << 53) + (int64_t)below(l, 4);
    default: return (int64_t)below(l, 40) - 20;
    }
}

static void draw_cell(Lab *l, const Field *f, Change *c) {
    c->cell = (uint8_t)f->cell;
    c->source_time = below(l, 4) ? 0 : 1700000000000000000 + (int64_t)below(l, 1000) * 1000000000;
    Shape shape = f->type ? f->type->shape : SHAPE_OBJECT;
    switch (f->cell) {
    case CELL_BOOL: c->bits = below(l, 2); return;
    case CELL_F64: {
        double d = draw_f64(l);
        if (below(l, 50) == 0) d = (double)INFINITY; // a file may hold what no client can send
        memcpy(&c->bits, &d, 8);
        return;
    }
    case CELL_I64:
        c->bits = shape == SHAPE_INTEGER ? (uint64_t)((int64_t)below(l, 50) - 9) : (uint64_t)draw_i64(l);
        return;
    case CELL_STR:
        c->text = str_of(shape == SHAPE_DATETIME   ? PICK(l, TIMES)
                         : shape == SHAPE_DURATION ? PICK(l, DURATIONS)
                                                   : PICK(l, TEXTS));
        return;
    case CELL_DOC:
        c->text = str_of(shape == SHAPE_GEO ? PICK(l, PLACES) : shape == SHAPE_ARRAY ? PICK(l, ARRAYS) : PICK(l, DOCS));
        return;
    default: c->bits = 1;
    }
}

static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 1750000000000000000)); }
static void finish(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}
static void must_do(World *w, const Change *c) { assert_int_equal(world_do(w, c), ERR_OK); }

static void fill_twin(Lab *l, uint64_t id, const Table *t, uint64_t per_mille) {
    for (int32_t i = 0; i < t->model->field_count; i++) {
        if (below(l, 1000) >= per_mille || str_eq(t->model->fields[i].name, STR("never"))) continue;
        Change c = {.kind = CHANGE_SET, .id = id, .col = t->first + (uint32_t)i};
        draw_cell(l, &t->model->fields[i], &c);
        must_do(l->w, &c);
    }
}

static void add_links(Lab *l) {
    View v = view_writer(l->w);
    const LinkKind *k = &v.catalog->kinds[0];
    for (int i = 0; i < LINKS; i++) {
        char rid[32];
        snprintf(rid, sizeof rid, "link number %d", i);
        l->links[i] = world_take_link_id(l->w).v;
        Change c = {.kind = CHANGE_LINK_NEW, .id = l->links[i], .other = l->twins[below(l, TWINS)]};
        c.target = l->twins[below(l, TWINS)];
        c.text = str_of(rid + (below(l, 3) ? 0 : 5));
        must_do(l->w, &c);
        for (int32_t f = 0; f < k->rel->field_count; f++) {
            Change set = {.kind = CHANGE_LINK_SET, .id = l->links[i], .col = k->first + (uint32_t)f};
            draw_cell(l, &k->rel->fields[f], &set);
            set.source_time = 0;
            if (below(l, 3)) must_do(l->w, &set);
        }
    }
}

// Some twins go, and some come into their rows.
static void churn(Lab *l) {
    begin(l->w);
    for (int i = 0; i < 150; i++) {
        Change c = {.kind = CHANGE_TWIN_DEL, .id = l->twins[below(l, TWINS)]};
        (void)!world_do(l->w, &c); // those with links stay
    }
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "late %d %d", i, (int)world_seq(l->w));
        must_do(l->w,
                &(Change){.kind = CHANGE_TWIN_NEW, .id = world_take_twin_id(l->w).v, .col = 1, .text = str_of(name)});
    }
    for (int i = 0; i < 40; i++)
        (void)!world_do(l->w, &(Change){.kind = CHANGE_LINK_DEL, .id = l->links[below(l, LINKS)]});
    finish(l->w);
}

static Lab *lab_new(uint64_t seed) {
    Lab *l = mem_alloc(sizeof *l);
    l->d = domain_new();
    l->rng = rng_make(seed, 1);
    arena_init(&l->arena, 0);
    World *w = l->w = world_new(l->d, 1 << 18);
    begin(w);
    must_do(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = STR(MODELS)});
    finish(w);
    View v = view_writer(w);
    const Table *t = &v.catalog->tables[1];
    for (int i = 0; i < TWINS; i++) {
        char name[40];
        snprintf(name, sizeof name, i % 3 ? "t%d" : "a twin with a long name %d", i);
        if (i % 32 == 0) begin(w);
        l->twins[i] = world_take_twin_id(w).v;
        must_do(w, &(Change){.kind = CHANGE_TWIN_NEW, .id = l->twins[i], .col = 1, .text = str_of(name)});
        fill_twin(l, l->twins[i], t, i < 1000 ? 700 : i < 1100 ? 0 : 300);
        if (i % 32 == 31 || i == TWINS - 1) finish(w);
    }
    begin(w);
    add_links(l);
    finish(w);
    churn(l);
    view_begin(&l->view, w);
    churn(l); // what the view must not show
    begin(w);
    for (int i = 0; i < 300; i++) {
        View now = view_writer(w);
        uint64_t id = l->twins[below(l, TWINS)];
        if (view_twin_place(&now, (TwinId){id}).alive) fill_twin(l, id, t, 200);
    }
    finish(w);
    return l;
}

static void lab_free(Lab *l) {
    view_end(&l->view);
    world_free(l->w);
    arena_free(&l->arena);
    domain_free(l->d);
    mem_free(l);
}

// ---- questions ----------------------------------------------------------------------------------------------------

// An expression as text, of a kind: the letters of func.def.
static void draw_expr(Lab *l, char kind, int depth, bool link, Buf *out);

static void put(Buf *out, const char *s) { buf_str_put(out, str_of(s)); }

static void put_quoted(const char *s, Buf *out) { buf_printf(out, "'%s'", s); }

static void draw_number_literal(Lab *l, Buf *out) {
    static const char *const ODD[] = {
        "0", "1", "2.5", "9223372036854775807", "1e308", "0.1", "9007199254740993", "-20", "100", "-1.5", "0.0",
        "5", "3", "1e19"};
    if (below(l, 2)) put(out, PICK(l, ODD));
    else buf_printf(out, "%d", (int)below(l, 40) - 20);
}

static void draw_path(Lab *l, char kind, bool link, Buf *out) {
    static const char *const NUMBERS[] = {"x",   "y",   "i",      "k",    "ul", "temp", "hot",  "o.a",
                                          "c.p", "m.a", "arr[0]", "nope", "x",  "i",    "never"};
    static const char *const STRINGS[] = {
        "s", "r", "s", "o.b", "c.q", "$dtId", "at", "dur", "m.b", "$etag", "$metadata.$model"};
    static const char *const LINKED[] = {"w", "n", "$relationshipId", "$sourceId", "$targetId", "$relationshipName"};
    if (link && below(l, 8)) {
        put(out, kind == 'n' ? "w" : kind == 's' ? LINKED[1 + below(l, 5)] : PICK(l, LINKED));
        return;
    }
    switch (kind) {
    case 'n': put(out, PICK(l, NUMBERS)); return;
    case 'b': put(out, "on"); return;
    case 's': put(out, PICK(l, STRINGS)); return;
    case 't': put(out, below(l, 2) ? "at" : "$metadata.x.lastUpdateTime"); return;
    case 'u': put(out, "dur"); return;
    case 'd': put(out, below(l, 2) ? "arr" : below(l, 2) ? "m" : below(l, 2) ? "o" : "c"); return;
    default: put(out, "place");
    }
}

static void draw_leaf(Lab *l, char kind, bool link, Buf *out) {
    if (below(l, 5) < 3) {
        draw_path(l, kind, link, out);
        return;
    }
    if (below(l, 25) == 0) {
        put(out, "NULL");
        return;
    }
    switch (kind) {
    case 'n': draw_number_literal(l, out); return;
    case 'b': put(out, below(l, 8) ? below(l, 2) ? "TRUE" : "FALSE" : "NULL"); return;
    case 's': put_quoted(PICK(l, TEXTS), out); return;
    case 't':
        if (below(l, 2)) buf_printf(out, "TIME('%s')", PICK(l, TIMES));
        else put(out, below(l, 2) ? "NOW()" : below(l, 4) ? "UPDATED(x)" : "UPDATED(never)");
        return;
    case 'u':
        if (below(l, 2)) buf_printf(out, "DURATION('%s')", PICK(l, DURATIONS));
        else put(out, below(l, 2) ? "AGE(s)" : below(l, 4) ? "15 'minute'" : "AGE(never)");
        return;
    case 'd': put(out, "arr"); return;
    default: put(out, "POINT(13.4, 52.5)");
    }
}

static char kind_of_letter(Lab *l, char letter) {
    static const char ANY[] = {'n', 'n', 's', 's', 'b', 't', 'u', 'd', 'g'};
    return letter == 'a' || below(l, 30) == 0 ? PICK(l, ANY) : letter;
}

static char result_kind(const FuncRule *rule) {
    switch (rule->result) {
    case RESULT_BOOL: return 'b';
    case RESULT_STR: return 's';
    case RESULT_TIME: return 't';
    case RESULT_DURATION: return 'u';
    case RESULT_POINT: return 'g';
    default: return 'n';
    }
}

// The property and the span of a function of the past.
static void draw_past(Lab *l, int32_t func, char letter, bool link, Buf *out) {
    static const char *const SPANS[] = {"1h", "90s", "1d", "DURATION('PT10M')", "5 'minute'"};
    static const char KINDS[] = {'n', 'n', 'n', 'b', 's'};
    if (letter == 'w') {
        bool time = func == FUNC_SPAN_LAST && below(l, 2) == 0;
        put(out, time ? "NOW() - 20m" : PICK(l, SPANS));
        return;
    }
    draw_path(l, func == FUNC_SPAN_TRUE ? 'n' : PICK(l, KINDS), link, out);
    if (func == FUNC_SPAN_TRUE) put(out, below(l, 2) ? " > 3" : " < 10");
    else if (below(l, 6) == 0) put(out, " * 2");
}

static void draw_call(Lab *l, char kind, int depth, bool link, Buf *out) {
    int32_t f = 0;
    for (int tries = 0; tries < 40; tries++) {
        f = (int32_t)below(l, (uint64_t)expr_func_count());
        if (result_kind(expr_func_rule(f)) == kind) break;
    }
    ExprFunc fn = expr_func_at(f);
    const char *params = expr_func_rule(f)->params;
    int32_t n = fn.min + (int32_t)below(l, (uint64_t)(fn.max - fn.min > 2 ? 3 : fn.max - fn.min + 1));
    char letter = 'a';
    put(out, fn.name);
    put(out, "(");
    for (int32_t i = 0; i < n; i++) {
        if (*params) letter = *params++;
        if (i) put(out, ", ");
        if (letter == 'p' || letter == 'w') {
            draw_past(l, f, letter, link, out);
            continue;
        }
        draw_expr(l, kind_of_letter(l, letter), depth - 1, link, out);
    }
    put(out, ")");
}

static void draw_pair(Lab *l, char a, const char *op, char b, int depth, bool link, Buf *out) {
    put(out, "(");
    draw_expr(l, a, depth - 1, link, out);
    put(out, op);
    draw_expr(l, b, depth - 1, link, out);
    put(out, ")");
}

static void draw_item(Lab *l, char kind, Buf *out) {
    switch (kind) {
    case 'n': draw_number_literal(l, out); return;
    case 'i': buf_printf(out, "%d", (int)below(l, 60) - 20); return;
    case 'f': buf_printf(out, "%d.%d", (int)below(l, 60) - 20, (int)below(l, 4) * 25); return;
    default: put_quoted(PICK(l, TEXTS), out);
    }
}

// Lists of one type, which are sorted, and of several.
static void draw_list(Lab *l, int depth, bool link, Buf *out) {
    static const char KINDS[] = {'n', 's', 's', 'i', 'f'};
    char kind = PICK(l, KINDS);
    int n = 1 + (int)below(l, below(l, 3) ? 5 : 60);
    put(out, "(");
    if (kind == 'i' || kind == 'f') draw_path(l, 'n', link, out);
    else draw_expr(l, kind, depth - 1, link, out);
    put(out, below(l, 3) ? " IN [" : " NIN [");
    for (int i = 0; i < n; i++) {
        if (i) put(out, ", ");
        if (below(l, 100) == 0) put(out, below(l, 2) ? "NULL" : "TRUE");
        else draw_item(l, kind, out);
    }
    put(out, "])");
}

static void draw_graph(Lab *l, char kind, Buf *out) {
    static const char *const SUMS[] = {"SUM(->rel.x)", "COUNT(->)", "AVG(<-rel.i)", "MAX(<->.k)", "COUNT(-> WHERE on)"};
    static const char *const TESTS[] = {"ANY(->rel, x > 3)", "ALL(<-, on)", "ANY(->)", "ANY(->rel, R.w > 1)"};
    put(out, kind == 'n' ? PICK(l, SUMS) : PICK(l, TESTS));
}

static void draw_bool(Lab *l, int depth, bool link, Buf *out) {
    static const char *const RELATIONS[] = {" = ", " != ", " < ", " > ", " <= ", " >= "};
    static const char KINDS[] = {'n', 'n', 'n', 's', 's', 'b', 't', 'u', 'd', 'g'};
    switch (below(l, 9)) {
    case 0:
    case 1: draw_pair(l, 'b', below(l, 2) ? " AND " : " OR ", 'b', depth, link, out); return;
    case 2:
        put(out, "NOT ");
        draw_expr(l, 'b', depth - 1, link, out);
        return;
    case 3: draw_call(l, 'b', depth, link, out); return;
    case 4: draw_list(l, depth, link, out); return;
    default: {
        char a = PICK(l, KINDS), b = below(l, 25) ? a : PICK(l, KINDS);
        draw_pair(l, a, PICK(l, RELATIONS), b, depth, link, out);
    }
    }
}

static void draw_number(Lab *l, int depth, bool link, Buf *out) {
    static const char *const OPS[] = {" + ", " - ", " * ", " / ", " % "};
    switch (below(l, 5)) {
    case 0: draw_call(l, 'n', depth, link, out); return;
    case 1:
        put(out, "(-");
        draw_expr(l, 'n', depth - 1, link, out);
        put(out, ")");
        return;
    default: draw_pair(l, 'n', PICK(l, OPS), 'n', depth, link, out);
    }
}

static void draw_expr(Lab *l, char kind, int depth, bool link, Buf *out) {
    if (depth <= 0 || below(l, 6) == 0) {
        draw_leaf(l, kind, link, out);
        return;
    }
    if (below(l, 12) == 0) {
        put(out, "(");
        draw_expr(l, 'b', depth - 1, link, out);
        put(out, " ? ");
        draw_expr(l, kind, depth - 1, link, out);
        put(out, " : ");
        draw_expr(l, below(l, 10) ? kind : kind_of_letter(l, 'a'), depth - 1, link, out);
        put(out, ")");
        return;
    }
    if (!link && (kind == 'n' || kind == 'b') && below(l, 25) == 0) {
        draw_graph(l, kind, out);
        return;
    }
    switch (kind) {
    case 'b': draw_bool(l, depth, link, out); return;
    case 'n': draw_number(l, depth, link, out); return;
    case 't': draw_pair(l, 't', below(l, 2) ? " + " : " - ", 'u', depth, link, out); return;
    case 'u':
        if (below(l, 2)) draw_pair(l, 't', " - ", 't', depth, link, out);
        else draw_pair(l, 'u', below(l, 2) ? " + " : " * ", below(l, 2) ? 'u' : 'n', depth, link, out);
        return;
    case 'd': draw_leaf(l, kind, link, out); return;
    default: draw_call(l, kind, depth, link, out);
    }
}

// ---- a past -------------------------------------------------------------------------------------------------------

// Values of any property and row, of itself and the time alone.
static Err made_up(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    static const char *const texts[] = {"a", "abcd", "2026-01-01", "[1]"};
    uint64_t h = (r->id * 31 + r->column) * UINT64_C(0x9e3779b97f4a7c15);
    int64_t step = (int64_t)(1 + h % 40) * 60 * NS_PER_S, end = r->to, first = r->from - r->from % step;
    (void)ctx;
    (void)v;
    if (h >> 60 == 0) return ERR_OK; // none
    for (int64_t at = first; at <= end; at += step) {
        h = (h ^ (uint64_t)(at / NS_PER_S)) * UINT64_C(0x9e3779b97f4a7c15);
        ExprMoment m = {.time = at < r->from ? r->from : at, .valid = h >> 58 != 0, .text = str_of(texts[h >> 62])};
        m.bits = h >> 40 & 1 ? bits_of((double)(h >> 54) / 7) : h >> 61;
        if (at == first && !m.valid) continue;
        if (!fn(arg, &m)) break;
    }
    return ERR_OK;
}

// ---- the comparison -----------------------------------------------------------------------------------------------

static bool same_value(const ExprValue *a, const ExprValue *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case EXPR_BOOL: return a->b == b->b;
    case EXPR_I64:
    case EXPR_TIME:
    case EXPR_DURATION: return a->i == b->i;
    case EXPR_F64: return memcmp(&a->d, &b->d, 8) == 0;
    case EXPR_STR:
    case EXPR_DOC: return str_eq(a->s, b->s);
    case EXPR_POINT: return memcmp(&a->point, &b->point, sizeof a->point) == 0;
    default: return true;
    }
}

static ExprValue value_at(const ExprVec *v, int32_t k) {
    if (!(v->valid[k >> 6] >> (k & 63) & 1)) return (ExprValue){.type = EXPR_UNDEFINED};
    switch (v->type) {
    case EXPR_BOOL: return (ExprValue){.type = EXPR_BOOL, .b = v->b[k]};
    case EXPR_F64: return (ExprValue){.type = EXPR_F64, .d = v->d[k]};
    case EXPR_I64:
    case EXPR_TIME:
    case EXPR_DURATION: return (ExprValue){.type = v->type, .i = v->i[k]};
    case EXPR_STR:
    case EXPR_DOC: return (ExprValue){.type = v->type, .s = v->s[k]};
    default: return v->any[k];
    }
}

static void complain(const Lab *l, Str text, uint16_t row, const ExprValue *want, const ExprValue *got) {
    Buf a = {0}, b = {0};
    expr_value_json(want, &a);
    expr_value_json(got, &b);
    print_error("question %llu: %.*s\n  row %d: expr_eval gives %.*s (type %d), the page %.*s (type %d)\n",
                (unsigned long long)l->question, STR_ARG(text), row, STR_ARG(buf_str(&a)), (int)want->type,
                STR_ARG(buf_str(&b)), (int)got->type);
    fail();
}

typedef struct Tally {
    int64_t asked, bound, values, defined, kept;
    int64_t by_type[EXPR_ANY + 1];
} Tally;

// Rows to look at: all, few, or none.
static int32_t thin(Lab *l, uint16_t *sel, int32_t n) {
    uint64_t keep = below(l, 20) == 0 ? 100 : below(l, 8) ? 6 : 0;
    int32_t m = 0;
    for (int32_t k = 0; k < n; k++) {
        if (below(l, 100) < keep) sel[m++] = sel[k];
    }
    return m;
}

static void compare(Lab *l, ExprPage *p, ExprRun *run, uint64_t page_no, const Bound *b, Str text, Tally *tally) {
    uint16_t sel[PAGE_ROWS], kept[PAGE_ROWS];
    ExprVec vec;
    int32_t n = expr_page_live(p, sel), passed = 0;
    n = thin(l, sel, n);
    memcpy(kept, sel, sizeof kept);
    expr_page_eval(b, p, sel, n, &vec);
    int32_t kept_count = expr_page_filter(b, p, kept, n);
    assert_int_equal(vec.type, b->type);
    for (int32_t k = 0; k < n; k++) {
        ExprRow row = {.id = expr_page_id(p, sel[k]), .row = page_no * PAGE_ROWS + sel[k]};
        ExprValue want = expr_eval(b, run, &row), got = value_at(&vec, k);
        if (!same_value(&want, &got)) complain(l, text, sel[k], &want, &got);
        tally->values++;
        tally->defined += want.type != EXPR_UNDEFINED;
        tally->by_type[want.type]++;
        if (want.type != EXPR_BOOL || !want.b) continue;
        if (passed >= kept_count || kept[passed] != sel[k])
            complain(l, text, sel[k], &want, &(ExprValue){.type = EXPR_NULL});
        passed++;
    }
    assert_int_equal(passed, kept_count);
    tally->kept += passed;
}

// Values from outside in place of some literals.
static void put_slots(Lab *l, Expr *e) {
    bool values = e->op == EX_COND || (e->op >= EX_OR && e->op <= EX_GE) || e->op >= EX_ADD;
    for (int32_t i = 0; i < e->arg_count; i++) {
        Expr *a = e->args[i];
        if (!a) continue;
        put_slots(l, a);
        if (!values || a->op != EX_LITERAL || a->unit.n || below(l, 3)) continue;
        a->op = EX_SLOT;
        a->name = STR("slot");
        a->value = (ExprValue){.type = EXPR_I64, .i = (int64_t)below(l, 8)};
    }
}

static void ask(Lab *l, ExprPage *p, bool link, Tally *tally) {
    static const char KINDS[] = {'b', 'b', 'b', 'b', 'n', 'n', 's', 't', 'u', 'd', 'g'};
    ExprSource source = {.kind = link ? EXPR_LINK : EXPR_TWIN, .table = 1, .link = 0};
    ExprScope scope = {.catalog = l->view.catalog, .sources = &source, .count = 1};
    const ExprValue slots[8] = {
        {.type = EXPR_UNDEFINED},        {.type = EXPR_NULL},
        {.type = EXPR_BOOL, .b = true},  {.type = EXPR_I64, .i = 3},
        {.type = EXPR_F64, .d = -2.5},   {.type = EXPR_STR, .s = STR("abcd")},
        {.type = EXPR_F64, .d = 0x1p70}, {.type = EXPR_TIME, .i = 1767225600000000000},
    };
    const ExprPast past = {.moments = made_up};
    ExprRun run = {.view = &l->view, .now = 1760000000000000000, .scratch = &l->arena, .slots = slots, .past = &past};
    Buf text = {0};
    Expr *e;
    Bound *b;
    draw_expr(l, PICK(l, KINDS), 1 + (int)below(l, 4), link, &text);
    tally->asked++;
    bool parsed = expr_parse(&l->arena, buf_str(&text), &e, NULL) == ERR_OK;
    if (parsed && below(l, 4) == 0) put_slots(l, e);
    if (parsed && expr_bind(&l->arena, &scope, e, &b, NULL) == ERR_OK) {
        tally->bound++;
        uint64_t pages = link ? view_pages(&l->view, VECNO_LINK) : 3, page_no = below(l, pages);
        if (link && below(l, 4)) page_no = l->links[below(l, LINKS)] >> PAGE_SHIFT;
        expr_page_at(p, &run, &source, page_no);
        compare(l, p, &run, page_no, b, buf_str(&text), tally);
    }
    buf_free(&text);
    arena_reset(&l->arena);
}

static void test_random_questions(void **state) {
    (void)state;
    Tally tally = {0};
    for (uint64_t seed = 1; seed <= 2; seed++) {
        Lab *l = lab_new(seed);
        ExprPage *p = expr_page_new();
        for (int i = 0; i < QUESTIONS; i++) {
            l->question = seed * 1000000 + (uint64_t)i;
            l->rng = rng_make(l->question, 2);
            ask(l, p, i % 5 == 4, &tally);
            assert_false(l->view.overrun);
        }
        expr_page_free(p);
        lab_free(l);
    }
    print_message("%lld of %lld questions fit, %lld values, %lld defined, %lld rows kept\n", (long long)tally.bound,
                  (long long)tally.asked, (long long)tally.values, (long long)tally.defined, (long long)tally.kept);
    assert_true(tally.bound > 3000 && tally.defined > tally.values / 10 && tally.kept > 1000);
    for (int t = EXPR_BOOL; t <= EXPR_POINT; t++) assert_true(tally.by_type[t] > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
