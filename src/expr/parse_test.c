// SPDX-License-Identifier: Apache-2.0
// The syntax of expressions: trees, precedence, messages with exact places, limits, and printing that parses back to
// the same tree.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "base/time.h"
#include "expr/lex.h"

static int setup(void **state) {
    static Arena a;
    arena_init(&a, 0);
    *state = &a;
    return 0;
}

static int teardown(void **state) {
    arena_free(*state);
    return 0;
}

static Expr *parsed(Arena *a, const char *text) {
    Diag d;
    Expr *e = NULL;
    diag_init(&d);
    Err err = expr_parse(a, str_of(text), &e, &d);
    if (err) print_error("%s: %.*s\n", text, STR_ARG(d.messages[0].text));
    assert_int_equal(err, ERR_OK);
    diag_free(&d);
    return e;
}

// The whole tree with all parentheses, operators first.
static void shape(const Expr *e, Buf *out) {
    static const char *const names[] = {"",  "",   "call", "graph", "?",   "or", "and", "not", "=", "!=", "<",
                                        ">", "<=", ">=",   "in",    "nin", "+",  "-",   "*",   "/", "%",  "neg"};
    if (e->op == EX_LITERAL || e->op == EX_PATH) {
        expr_print(e, out);
        return;
    }
    buf_printf(out, "(%s", names[e->op]);
    if (e->op == EX_CALL || e->op == EX_GRAPH) buf_printf(out, " %.*s", STR_ARG(e->name));
    if (e->op == EX_GRAPH) {
        buf_printf(out, " %.*s%s%s", STR_ARG(e->graph.alias), e->graph.in ? "<-" : "-", e->graph.out ? ">" : "");
        for (int32_t i = 0; i < e->graph.rel_count; i++) buf_printf(out, "|%.*s", STR_ARG(e->graph.rels[i]));
    }
    for (int32_t i = 0; i < e->arg_count; i++) {
        buf_byte(out, ' ');
        if (e->args[i]) shape(e->args[i], out);
        else buf_byte(out, '_');
    }
    buf_byte(out, ')');
}

static void trees(void **state) {
    static const char *const cases[][2] = {
        {"a", "a"},
        {"  a . b [ 2 ] . [[c d]] ", "a.b[2].[[c d]]"},
        {"a.select.[[from]]", "a.select.from"},
        {"a.[0]", "a[0]"},
        {"$metadata.$model", "$metadata.$model"},
        {"count > 3", "(> count 3)"},
        {"1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"},
        {"(1 + 2) * 3 % 4 / 5", "(/ (% (* (+ 1 2) 3) 4) 5)"},
        {"a OR b AND NOT c = d", "(or a (and b (not (= c d))))"},
        {"NOT NOT a and B", "(and (not (not a)) B)"},
        {"a or b ? c : d ? e : f", "(? (or a b) c (? d e f))"},
        {"-a", "(neg a)"},
        {"- 5", "-5"},
        {"-(5)", "(neg 5)"},
        {"+a", "a"},
        {"3 - -2", "(- 3 -2)"},
        {"a - 2", "(- a 2)"},
        {"1 -- a comment\n + 2", "(+ 1 2)"},
        {"a <> b", "(!= a b)"},
        {"a in [1, -2, 'x']", "(in a 1 -2 'x')"},
        {"a NIN [1]", "(nin a 1)"},
        {"a NOT IN [1]", "(nin a 1)"},
        {"a not_in [1]", "(nin a 1)"},
        {"NOT a IN [b + 1]", "(not (in a (+ b 1)))"},
        {"true AND False or NULL", "(or (and TRUE FALSE) NULL)"},
        {"'it''s' = 'it\\'s'", "(= 'it\\'s' 'it\\'s')"},
        {"\"a 'b' \\\\ \\d\"", "'a \\'b\\' \\\\ \\\\d'"},
        {"20 'degreeFahrenheit' < t", "(< 20 'degreeFahrenheit' t)"},
        {"-1.5e3 'watt'", "-1500.0 'watt'"},
        {"9223372036854775807", "9223372036854775807"},
        {"9223372036854775808", "9223372036854776000.0"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1e300", "1e+300"},
        {"-0.0", "-0.0"},
        {"NOW()", "(call NOW)"},
        {"is_of_model(T, 'dtmi:x;1', exact)", "(call is_of_model T 'dtmi:x;1' exact)"},
        {"COUNT()", "(call COUNT)"},
        {"SUM(->contains.power)", "(graph SUM ->|contains power _)"},
        {"COUNT(T<-feeds)", "(graph COUNT T<-|feeds _ _)"},
        {"ANY(->has|contains, temperature > 30)", "(graph ANY ->|has|contains (> temperature 30) _)"},
        {"COUNT(-> WHERE on)", "(graph COUNT -> _ on)"},
        {"AVG(in.contains.temperature)", "(graph AVG <-|contains temperature _)"},
        {"SUM(OUT.feeds|[[is in]].a.b WHERE R.w > 1)", "(graph SUM ->|feeds|is in a.b (> R.w 1))"},
        {"COUNT(out.feeds)", "(graph COUNT ->|feeds _ _)"},
        {"ANY(in.feeds, on)", "(graph ANY <-|feeds on _)"},
        {"MAX(out, 3)", "(call MAX out 3)"},
        {"AVG(T <-> [[is in]] . a.b WHERE R.w > 1)", "(graph AVG T<->|is in a.b (> R.w 1))"},
        {"MIN(a < -b)", "(call MIN (< a (neg b)))"},
        {"SUM(-x)", "(call SUM (neg x))"},
        {"MAX(->, a ? b : c WHERE d)", "(graph MAX -> (? a b c) d)"},
        {"[[a b]] = 1", "(= [[a b]] 1)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf out = {0};
        shape(parsed(*state, cases[i][0]), &out);
        buf_byte(&out, 0);
        assert_string_equal(out.p, cases[i][1]);
        buf_free(&out);
    }
}

static void spans(void **state) {
    const char *text = " a  + f( b ) * (c )  ";
    Expr *e = parsed(*state, text);
    assert_int_equal(e->at, 1);
    assert_int_equal(e->end, 19);
    assert_int_equal(e->args[0]->at, 1);
    assert_int_equal(e->args[0]->end, 2);
    Expr *product = e->args[1];
    assert_int_equal(product->at, 6);
    assert_int_equal(product->args[0]->end, 12);
    assert_int_equal(product->args[1]->at, 15);
    assert_int_equal(product->args[1]->end, 19);
}

static void refused(void **state) {
    static const struct {
        const char *text, *message;
        int64_t at, end;
    } cases[] = {
        {"", "expected a value but found the end of the text", 0, 0},
        {"a +", "expected a value but found the end of the text", 3, 3},
        {"a = = b", "expected a value but found \"=\"", 4, 5},
        {"a b", "expected an operator or the end but found \"b\"", 2, 3},
        {"a < b < c", "expected an operator or the end but found \"<\"", 6, 7},
        {"(a", "expected ) but found the end of the text", 2, 2},
        {"a.", "expected a name after the point", 2, 2},
        {"a[x]", "expected the number of an array element, from 0", 2, 3},
        {"a[1", "expected ] but found the end of the text", 3, 3},
        {"a IN 5", "expected [ and a list of values after IN", 5, 6},
        {"a IN []", "expected a value but found \"]\"", 6, 7},
        {"select = 1", "expected a value but found the keyword select; a name that is a keyword is written [[select]]",
         0, 6},
        {"f(1,)", "expected a value after the comma", 4, 5},
        {"f(1", "expected ) but found the end of the text", 3, 3},
        {"'abc", "the text in quotes has no end", 0, 4},
        {"12abc", "a number must not run into a name; a span of time is 90s, 5m, 1h, 1d or 1w", 0, 5},
        {"a > 1.5h", "a number must not run into a name; a span of time is 90s, 5m, 1h, 1d or 1w", 4, 8},
        {"99999999999w", "a number must not run into a name; a span of time is 90s, 5m, 1h, 1d or 1w", 0, 12},
        {"1e999", "the number is too large", 0, 5},
        {"a # b", "this character means nothing here", 2, 3},
        {"gr\xc3\xb6n", "a name with such a character is written [[name]]", 2, 4},
        {"[[]]", "a name in [[ ]] must not be empty", 0, 4},
        {"COUNT(->select)",
         "expected the name of a relationship but found the keyword select; a name that is a keyword is written "
         "[[select]]",
         8, 14},
        {"5 ''", "expected the name of a unit", 2, 4},
        {"a ? b", "expected : but found the end of the text", 5, 5},
        {"\xff", "the text is not valid UTF-8", 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Diag d;
        Expr *e = NULL;
        diag_init(&d);
        assert_int_equal(expr_parse(*state, str_of(cases[i].text), &e, &d), ERR_SYNTAX);
        assert_int_equal(d.count, 1);
        if (!str_eq(d.messages[0].text, str_of(cases[i].message)))
            print_error("%s: %.*s\n", cases[i].text, STR_ARG(d.messages[0].text));
        assert_true(str_eq(d.messages[0].text, str_of(cases[i].message)));
        assert_int_equal(d.messages[0].at, cases[i].at);
        assert_int_equal(d.messages[0].end, cases[i].end);
        diag_free(&d);
    }
}

// n times `unit` between two texts.
static Str repeated(Arena *a, const char *head, const char *unit, int n, const char *tail) {
    Buf b = {0};
    buf_str_put(&b, str_of(head));
    for (int i = 0; i < n; i++) buf_str_put(&b, str_of(unit));
    buf_str_put(&b, str_of(tail));
    Str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static void limits(void **state) {
    Arena *a = *state;
    Expr *e;
    Diag d;
    diag_init(&d);
    assert_int_equal(expr_parse(a, repeated(a, "", "(", 200, ""), &e, NULL), ERR_SYNTAX);
    assert_int_equal(expr_parse(a, repeated(a, "", "(", 201, ""), &e, NULL), ERR_LIMIT);
    assert_int_equal(expr_parse(a, repeated(a, "", "NOT ", 200, "a"), &e, NULL), ERR_OK);
    assert_int_equal(expr_parse(a, repeated(a, "", "NOT ", 201, "a"), &e, NULL), ERR_LIMIT);
    assert_int_equal(expr_parse(a, repeated(a, "", "f(", 201, "a"), &e, NULL), ERR_LIMIT);
    assert_int_equal(expr_parse(a, repeated(a, "", "a?", 201, "a"), &e, NULL), ERR_LIMIT);
    assert_int_equal(expr_parse(a, repeated(a, "a", "+a", 1999, ""), &e, NULL), ERR_OK);
    assert_int_equal(expr_parse(a, repeated(a, "a", "+a", 2000, ""), &e, &d), ERR_LIMIT);
    assert_true(str_eq(d.messages[0].text, STR("the expression has more than 4000 parts")));
    assert_int_equal(expr_parse(a, repeated(a, "a IN [1", ",1", 999, "]"), &e, NULL), ERR_OK);
    assert_int_equal(expr_parse(a, repeated(a, "a IN [1", ",1", 1000, "]"), &e, NULL), ERR_LIMIT);
    assert_int_equal(expr_parse(a, repeated(a, "a", " ", 7999, ""), &e, NULL), ERR_OK);
    assert_int_equal(expr_parse(a, repeated(a, "a", " ", 8000, ""), &e, NULL), ERR_LIMIT);
    diag_free(&d);
}

// ---- printing -----------------------------------------------------------------------------------------------------

static bool same_str(Str a, Str b) { return str_eq(a, b); }

static bool same_value(const ExprValue *a, const ExprValue *b) {
    if (a->type != b->type) return false;
    if (a->type == EXPR_BOOL) return a->b == b->b;
    if (a->type == EXPR_I64) return a->i == b->i;
    if (a->type == EXPR_F64) return memcmp(&a->d, &b->d, 8) == 0;
    return a->type != EXPR_STR || same_str(a->s, b->s);
}

static bool same(const Expr *a, const Expr *b) {
    if (!a || !b) return a == b;
    bool ok = a->op == b->op && same_str(a->name, b->name) && same_str(a->unit, b->unit) &&
              a->arg_count == b->arg_count && a->seg_count == b->seg_count &&
              (a->op != EX_LITERAL || same_value(&a->value, &b->value)) && same_str(a->graph.alias, b->graph.alias) &&
              a->graph.out == b->graph.out && a->graph.in == b->graph.in && a->graph.rel_count == b->graph.rel_count;
    for (int32_t i = 0; ok && i < a->graph.rel_count; i++) ok = same_str(a->graph.rels[i], b->graph.rels[i]);
    for (int32_t i = 0; ok && i < a->seg_count; i++)
        ok = same_str(a->segs[i].name, b->segs[i].name) && a->segs[i].index == b->segs[i].index;
    for (int32_t i = 0; ok && i < a->arg_count; i++) ok = same(a->args[i], b->args[i]);
    return ok;
}

static const char *const NAMES[] = {"a", "B_1", "$dtId", "select", "TRUE", "count", "x y", "gr\xc3\xb6n", "'", "]"};

static Str draw_name(Rng *r) { return str_of(NAMES[rng_below(r, 10)]); }

static Expr *draw(Arena *a, Rng *r, int depth);

static Expr **draw_args(Arena *a, Rng *r, Expr *e, int32_t n, int depth) {
    e->arg_count = n;
    e->args = NEW(a, Expr *, n + 1);
    for (int32_t i = 0; i < n; i++) e->args[i] = draw(a, r, depth - 1);
    return e->args;
}

static int64_t draw_span(Rng *r) {
    static const int64_t units[] = {1, 1000, NS_PER_MS, NS_PER_S, 60 * NS_PER_S, 3600 * NS_PER_S, 604800 * NS_PER_S};
    return (int64_t)rng_below(r, 3000) * units[rng_below(r, 7)];
}

static void draw_literal(Arena *a, Rng *r, Expr *e) {
    switch (rng_below(r, 7)) {
    case 0: e->value.type = EXPR_NULL; break;
    case 5: e->value = (ExprValue){.type = EXPR_DURATION, .i = draw_span(r)}; break;
    case 1: e->value = (ExprValue){.type = EXPR_BOOL, .b = rng_below(r, 2) == 0}; break;
    case 2: e->value = (ExprValue){.type = EXPR_I64, .i = (int64_t)rng_u64(r) >> rng_below(r, 64)}; break;
    case 3: e->value = (ExprValue){.type = EXPR_F64, .d = rng_normal(r) * (rng_below(r, 2) ? 1 : 1e30)}; break;
    case 4: e->value = (ExprValue){.type = EXPR_F64, .d = (double)(int64_t)rng_below(r, 9) - 4}; break;
    default:
        e->value = (ExprValue){.type = EXPR_STR, .s = arena_printf(a, "a'\\%c\n\"", (int)('a' + rng_below(r, 26)))};
    }
    bool number = e->value.type == EXPR_I64 || e->value.type == EXPR_F64;
    if (number && rng_below(r, 3) == 0) e->unit = STR("degreeCelsius'");
}

static void draw_path(Arena *a, Rng *r, Expr *e) {
    e->op = EX_PATH;
    e->seg_count = 1 + (int32_t)rng_below(r, 4);
    e->segs = NEW(a, ExprSeg, e->seg_count);
    for (int32_t i = 0; i < e->seg_count; i++) {
        if (i > 0 && rng_below(r, 3) == 0) e->segs[i].index = (int64_t)rng_below(r, 100);
        else e->segs[i] = (ExprSeg){.name = draw_name(r), .index = -1};
    }
    // "]]" ends a quoted name, so that a name cannot end in "]"
    for (int32_t i = 0; i < e->seg_count; i++) {
        if (str_eq(e->segs[i].name, STR("]"))) e->segs[i].name = STR("] ");
    }
}

static void draw_graph(Arena *a, Rng *r, Expr *e, int depth) {
    e->op = EX_GRAPH;
    e->name = STR("Sum");
    e->graph.out = rng_below(r, 2) == 0;
    e->graph.in = !e->graph.out || rng_below(r, 2) == 0;
    if (rng_below(r, 2)) e->graph.alias = STR("T");
    e->graph.rel_count = (int32_t)rng_below(r, 3);
    e->graph.rels = NEW(a, Str, 3);
    for (int32_t i = 0; i < e->graph.rel_count; i++) e->graph.rels[i] = str_of(NAMES[rng_below(r, 9)]);
    draw_args(a, r, e, 2, depth);
    for (int i = 0; i < 2; i++) {
        if (rng_below(r, 2)) e->args[i] = NULL;
    }
}

static Expr *draw(Arena *a, Rng *r, int depth) {
    Expr *e = NEW(a, Expr, 1);
    uint64_t k = depth <= 0 ? rng_below(r, 2) : rng_below(r, 24);
    if (k == 0) draw_literal(a, r, e);
    else if (k == 1) draw_path(a, r, e);
    else if (k == 2) draw_graph(a, r, e, depth);
    else if (k == 3) {
        e->op = EX_CALL;
        e->name = STR("f");
        draw_args(a, r, e, (int32_t)rng_below(r, 4), depth);
    } else {
        static const int8_t args[] = {[EX_COND] = 3, [EX_NOT] = 1, [EX_NEG] = 1, [EX_IN] = 3, [EX_NIN] = 2};
        e->op = EX_COND + (ExprOp)rng_below(r, EX_NEG - EX_COND + 1);
        int32_t n = e->op < sizeof args && args[e->op] ? args[e->op] : 2;
        draw_args(a, r, e, n, depth);
    }
    return e;
}

// What is printed parses to the tree it was printed from.
static void print_parses_back(void **state) {
    Arena *a = *state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        Rng r = rng_make(seed, 7);
        Buf out = {0};
        Diag d;
        Expr *e = draw(a, &r, 4), *back = NULL;
        diag_init(&d);
        expr_print(e, &out);
        if (out.n <= EXPR_TEXT_MAX) {
            Err err = expr_parse(a, buf_str(&out), &back, &d);
            if (err || !same(e, back))
                print_error("seed %llu: %.*s\n", (unsigned long long)seed, STR_ARG(buf_str(&out)));
            assert_int_equal(err, ERR_OK);
            assert_true(same(e, back));
        }
        diag_free(&d);
        buf_free(&out);
        arena_reset(a);
    }
}

// ---- helpers ------------------------------------------------------------------------------------------------------

typedef struct Seen {
    Buf text;
} Seen;

static void see(void *ctx, const Expr *e, bool inside) {
    Seen *s = ctx;
    if (e->op == EX_GRAPH) buf_str_put(&s->text, STR("graph"));
    else expr_print(e, &s->text);
    buf_str_put(&s->text, inside ? STR("* ") : STR(" "));
}

static void walking(void **state) {
    Seen s = {0};
    expr_walk(parsed(*state, "a.b + f(c) > SUM(T->x, d + COUNT(->) WHERE e) ? g : 1"), see, &s);
    assert_true(str_eq(buf_str(&s.text), STR("a.b c graph d* graph* e* g ")));
    buf_free(&s.text);
}

static void nearest(void **state) {
    (void)state;
    static const Str names[] = {{"temperature", 11}, {"pressure", 8}, {"setPoint", 8}, {"on", 2}};
    assert_true(str_eq(expr_nearest(STR("temprature"), names, 4), STR("temperature")));
    assert_true(str_eq(expr_nearest(STR("TEMPERATURE"), names, 4), STR("temperature")));
    assert_true(str_eq(expr_nearest(STR("presusre"), names, 4), STR("pressure")));
    assert_true(str_eq(expr_nearest(STR("setpiont"), names, 4), STR("setPoint")));
    assert_true(str_eq(expr_nearest(STR("ON"), names, 4), STR("on")));
    assert_int_equal(expr_nearest(STR("in"), names, 4).n, 0);
    assert_int_equal(expr_nearest(STR("humidity"), names, 4).n, 0);
    assert_int_equal(expr_nearest(STR(""), names, 4).n, 0);
}

static void places(void **state) {
    (void)state;
    int32_t line, column;
    expr_place(STR("a\n\xc3\xa4\xc3\xb6 = b"), 6, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 3);
    expr_place(STR("abc"), 99, &line, &column);
    assert_int_equal(line, 1);
    assert_int_equal(column, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trees, setup, teardown),
        cmocka_unit_test_setup_teardown(spans, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(print_parses_back, setup, teardown),
        cmocka_unit_test_setup_teardown(walking, setup, teardown),
        cmocka_unit_test(nearest),
        cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
