// SPDX-License-Identifier: Apache-2.0
// Formulas: names, members of documents, three-valued logic, against a naive evaluator over the same random trees; what
// is refused and how; formula_can never denies what is true.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/rng.h"
#include "expr/formula.h"
#include "expr/func.h"

enum { VARS = 4, QUESTIONS = 60000 };
static const Str NAMES[VARS] = {{"value", 5}, {"type", 4}, {"$body", 5}, {"payload", 7}};
#define NOW INT64_C(1767225600000000000) // 2026-01-01

static ExprValue num(double d) { return (ExprValue){.type = EXPR_F64, .d = d}; }
static ExprValue text(const char *s) { return (ExprValue){.type = EXPR_STR, .s = str_of(s)}; }
static ExprValue doc(const char *s) { return (ExprValue){.type = EXPR_DOC, .s = str_of(s)}; }

static void check(const char *formula, const ExprValue *slots, const char *expected) {
    Formula f;
    Diag d;
    Buf out = {0};
    diag_init(&d);
    if (formula_init(&f, str_of(formula), NAMES, VARS, &d) != ERR_OK) {
        diag_print(&d, &out);
        fail_msg("%s: %.*s", formula, STR_ARG(buf_str(&out)));
    }
    ExprValue v = formula_eval(&f, slots, NOW);
    if (v.type == EXPR_UNDEFINED) buf_str_put(&out, STR("undefined"));
    else expr_value_json(&v, &out);
    if (!str_eq(buf_str(&out), str_of(expected)))
        fail_msg("%s gives %.*s, not %s", formula, STR_ARG(buf_str(&out)), expected);
    buf_free(&out);
    formula_free(&f);
    diag_free(&d);
}

static void values(void **state) {
    (void)state;
    const ExprValue slots[VARS] = {num(215), text("microsoft.iot.telemetry"),
                                   doc("{\"$metadata\":{\"$model\":\"dtmi:ex:Room;1\"},\"modelId\":\"m\",\"n\":null}"),
                                   doc("{\"temp\":21.5,\"list\":[1,{\"a b\":\"x\"}],\"at\":\"2025-12-31T23:00:00Z\"}")};
    static const char *const cases[][2] = {
        {"value * 0.1", "21.5"},
        {"(value - 32) / 1.8 > 100", "true"},
        {"UNIT((value - 3) * 1 'degreeFahrenheit', 'degreeCelsius')", "100"},
        {"payload.temp + payload.list[0]", "22.5"},
        {"payload.list[1].[[a b]]", "\"x\""},
        {"payload.list", "[1,{\"a b\":\"x\"}]"},
        {"payload.nothing", "undefined"},
        {"payload.temp.deeper", "undefined"},
        {"value.deeper", "undefined"},
        {"payload.nothing > 5", "undefined"},
        {"payload.nothing > 5 OR value = 215", "true"},
        {"IS_DEFINED(payload.nothing)", "false"},
        {"COALESCE(payload.nothing, value)", "215"},
        {"$body.n = NULL", "true"},
        {"$body.$metadata.$model = 'dtmi:ex:Room;1' AND STARTS_WITH(type, 'microsoft.')", "true"},
        {"type IN ['a', 'microsoft.iot.telemetry']", "true"},
        {"type = 5", "undefined"},
        {"IF(value > 200, 'high', 'low')", "\"high\""},
        {"value > 200 ? 1 : 0", "1"},
        {"TIME(payload.at) + 15 'minute'", "\"2025-12-31T23:15:00.0000000Z\""},
        {"AGE(payload.at)", "\"PT1H\""},
        {"AGE(payload.at) > 30 'minute'", "true"},
        {"NOW()", "\"2026-01-01T00:00:00.0000000Z\""},
        {"CONCAT('room-', TO_STRING(value))", "\"room-215\""},
        {"POINT(13.4, payload.temp)", "{\"type\":\"Point\",\"coordinates\":[13.4,21.5]}"},
        {"TRUE", "true"},
        {"'all'", "\"all\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(cases[i][0], slots, cases[i][1]);
    const ExprValue none[VARS] = {0};
    check("value * 0.1", none, "undefined");
    check("NOT (type = 'x')", none, "undefined");
    check("$body.a.b.c[3] = 1 OR TRUE", none, "true");
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *formula, *why;
        Err err;
    } cases[] = {
        {"valeu * 2", "there is no valeu here; did you mean value?", ERR_ARGUMENT},
        {"1 + body.x", "there is no body here; did you mean $body?", ERR_ARGUMENT},
        {"zzzzzz", "there is no zzzzzz here", ERR_ARGUMENT},
        {"value *", "", ERR_SYNTAX},
        {"", "", ERR_SYNTAX},
        {"IS_OF_MODEL('dtmi:a:b;1')", "IS_OF_MODEL wants a twin, and there is none here", ERR_SYNTAX},
        {"UPDATED(value) > NOW()", "UPDATED wants a property of a twin, and there is none here", ERR_SYNTAX},
        {"AVG(->contains.temp)", "there is no twin here whose neighbours could be meant", ERR_SYNTAX},
        {"STARTSWIT(type, 'a')", "there is no function STARTSWIT; did you mean STARTSWITH?", ERR_SYNTAX},
        {"value > 5 AND AGE(5)", "AGE wants a time here", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Formula f;
        Diag d;
        diag_init(&d);
        assert_int_equal(formula_init(&f, str_of(cases[i].formula), NAMES, VARS, &d), cases[i].err);
        assert_true(d.count > 0 && d.messages[0].at >= 0);
        if (cases[i].why[0] && !str_eq(d.messages[0].text, str_of(cases[i].why)))
            fail_msg("%s: %.*s", cases[i].formula, STR_ARG(d.messages[0].text));
        formula_free(&f);
        diag_free(&d);
    }
    Formula f;
    assert_int_equal(formula_init(&f, STR("x"), NULL, 0, NULL), ERR_ARGUMENT);
    formula_free(&f);
}

// ---- against a naive evaluator ------------------------------------------------------------------------------------

// A value: b(ool), n(umber), s(tring), 0 null, u(ndefined). Numbers are quarters, so that all sums are exact.
typedef struct Plain {
    char kind;
    double d;
    char s[8];
} Plain;

typedef struct Case {
    Rng rng;
    Plain vars[VARS];    // of value and type
    Plain members[2][3]; // of $body and payload: a, b, and c inside of o
    Buf text;
} Case;

static uint64_t below(Case *c, uint64_t n) { return rng_below(&c->rng, n); }

static Plain draw_plain(Case *c) {
    Plain p = {.kind = "bnnnss0u"[below(c, 8)]};
    if (p.kind == 'b') p.d = (double)below(c, 2);
    if (p.kind == 'n') p.d = ((double)below(c, 17) - 8) / 4;
    if (p.kind == 's') snprintf(p.s, sizeof p.s, "%c%c", (char)('a' + below(c, 2)), (char)('a' + below(c, 2)));
    return p;
}

static void put_json(Buf *b, const Plain *p) {
    if (p->kind == 'b') buf_str_put(b, p->d > 0 ? STR("true") : STR("false"));
    else if (p->kind == 'n') buf_printf(b, "%.17g", p->d);
    else if (p->kind == 's') buf_printf(b, "\"%s\"", p->s);
    else buf_str_put(b, STR("null"));
}

static Plain truth(bool b) { return (Plain){.kind = 'b', .d = b}; }
static Plain nothing(void) { return (Plain){.kind = 'u'}; }

static Plain relate(int op, Plain a, Plain b) {
    bool null = a.kind == '0' || b.kind == '0';
    if (a.kind == 'u' || b.kind == 'u') return nothing();
    if (null && op > 1) return nothing();
    if (!null && a.kind != b.kind) return nothing();
    int c = null ? a.kind != b.kind : a.kind == 's' ? strcmp(a.s, b.s) : (a.d > b.d) - (a.d < b.d);
    bool r[] = {c == 0, c != 0, c<0, c> 0, c <= 0, c >= 0};
    return truth(r[op]);
}

static Plain logic(bool any, Plain a, Plain b) {
    bool ka = a.kind == 'b', kb = b.kind == 'b';
    if ((ka && (a.d > 0) == any) || (kb && (b.d > 0) == any)) return truth(any);
    return ka && kb ? truth(!any) : nothing();
}

static Plain arith(int op, Plain a, Plain b) {
    if (a.kind != 'n' || b.kind != 'n') return nothing();
    return (Plain){.kind = 'n', .d = op == 0 ? a.d + b.d : op == 1 ? a.d - b.d : a.d * b.d};
}

static Plain draw_tree(Case *c, int depth, bool condition);

static Plain draw_leaf(Case *c, bool condition) {
    uint64_t pick = below(c, 8);
    if (condition) {
        bool b = below(c, 2);
        buf_str_put(&c->text, b ? STR("TRUE") : STR("FALSE"));
        return truth(b);
    }
    if (pick < 2) {
        buf_str_put(&c->text, NAMES[pick]);
        return c->vars[pick];
    }
    if (pick < 6) {
        uint64_t v = pick % 2, m = below(c, 3);
        static const char *const paths[] = {"a", "b", "o.c[1]"};
        buf_printf(&c->text, "%s.%s", v ? "payload" : "$body", paths[m]);
        return c->members[v][m];
    }
    Plain p = {.kind = 's', .s = "ab"};
    if (pick == 6) p = (Plain){.kind = 'n', .d = 0.5};
    buf_str_put(&c->text, pick == 6 ? STR("0.5") : STR("'ab'"));
    return p;
}

static Plain draw_condition(Case *c, int depth) {
    static const char *const ops[] = {" = ", " != ", " < ", " > ", " <= ", " >= "};
    Plain a, b;
    uint64_t pick = below(c, 8);
    if (pick == 0) {
        buf_str_put(&c->text, STR("NOT "));
        a = draw_tree(c, depth - 1, true);
        return a.kind == 'b' ? truth(a.d <= 0) : nothing();
    }
    if (pick == 1) {
        buf_str_put(&c->text, STR("IS_DEFINED("));
        a = draw_leaf(c, false);
        return truth(a.kind != 'u');
    }
    bool both = pick < 5;
    int op = (int)below(c, both ? 2 : 6);
    a = draw_tree(c, depth - 1, both);
    buf_str_put(&c->text, both ? (op ? STR(" OR ") : STR(" AND ")) : str_of(ops[op]));
    b = draw_tree(c, depth - 1, both);
    return both ? logic(op == 1, a, b) : relate(op, a, b);
}

// Writes the expression and returns its value.
static Plain draw_tree(Case *c, int depth, bool condition) {
    if (depth <= 0) return draw_leaf(c, condition);
    int64_t start = c->text.n;
    Plain p;
    buf_byte(&c->text, '(');
    if (condition) {
        p = draw_condition(c, depth);
        if (str_find_str(str_sub(buf_str(&c->text), start, c->text.n), STR("(IS_DEFINED(")) == 0)
            buf_byte(&c->text, ')');
    } else if (below(c, 3)) {
        p = draw_leaf(c, false);
    } else {
        static const char *const ops[] = {" + ", " - ", " * "};
        int op = (int)below(c, 3);
        Plain a = draw_tree(c, depth - 1, false);
        buf_str_put(&c->text, str_of(ops[op]));
        p = arith(op, a, draw_tree(c, depth - 1, false));
    }
    buf_byte(&c->text, ')');
    return p;
}

static ExprValue slot_of(const Plain *p) {
    if (p->kind == 'b') return (ExprValue){.type = EXPR_BOOL, .b = p->d > 0};
    if (p->kind == 'n')
        return p->d == (double)(int64_t)p->d ? (ExprValue){.type = EXPR_I64, .i = (int64_t)p->d} : num(p->d);
    if (p->kind == 's') return text(p->s);
    return (ExprValue){.type = p->kind == '0' ? EXPR_NULL : EXPR_UNDEFINED};
}

static void draw_doc(Case *c, Plain *m, Buf *out) {
    static const char *const keys[] = {"{\"z\":[[]]", ",\"a\":", ",\"b\":", ",\"o\":{\"c\":[0,"};
    buf_str_put(out, str_of(keys[0]));
    for (int i = 0; i < 3; i++) {
        m[i] = draw_plain(c);
        if (m[i].kind == 'u') continue;
        buf_str_put(out, str_of(keys[i + 1]));
        put_json(out, &m[i]);
        if (i == 2) buf_str_put(out, STR("]}"));
    }
    buf_byte(out, '}');
}

static bool same(const Plain *p, const ExprValue *v) {
    switch (p->kind) {
    case 'b': return v->type == EXPR_BOOL && v->b == (p->d > 0);
    case 'n': return (v->type == EXPR_F64 && v->d == p->d) || (v->type == EXPR_I64 && (double)v->i == p->d);
    case 's': return v->type == EXPR_STR && str_eq(v->s, str_of(p->s));
    case '0': return v->type == EXPR_NULL;
    default: return v->type == EXPR_UNDEFINED;
    }
}

// One random formula over random variables. False: the binder refused it (two literals that never compare).
static bool ask(uint64_t seed) {
    Case c = {.rng = rng_make(seed, 7)};
    Buf docs[2] = {0};
    Formula f;
    for (int i = 0; i < 2; i++) {
        c.vars[i] = draw_plain(&c);
        draw_doc(&c, c.members[i], &docs[i]);
    }
    Plain expected = draw_tree(&c, 1 + (int)below(&c, 4), below(&c, 4) > 0);
    bool bound = formula_init(&f, buf_str(&c.text), NAMES, VARS, NULL) == ERR_OK;
    if (bound) {
        ExprValue slots[VARS] = {slot_of(&c.vars[0]),
                                 slot_of(&c.vars[1]),
                                 {.type = EXPR_DOC, .s = buf_str(&docs[0])},
                                 {.type = EXPR_DOC, .s = buf_str(&docs[1])}};
        for (int known = 0; known <= VARS; known++) {
            bool can = formula_can(&f, slots, (UINT64_C(1) << known) - 1, NOW),
                 yes = expected.kind == 'b' && expected.d > 0;
            if ((yes && !can) || (known == VARS && yes != can))
                fail_msg("seed %llu: %.*s: formula_can(%d) is wrong", (unsigned long long)seed,
                         STR_ARG(buf_str(&c.text)), known);
        }
        ExprValue v = formula_eval(&f, slots, NOW);
        if (!same(&expected, &v))
            fail_msg("seed %llu: %.*s over value, type, %.*s and %.*s", (unsigned long long)seed,
                     STR_ARG(buf_str(&c.text)), STR_ARG(buf_str(&docs[0])), STR_ARG(buf_str(&docs[1])));
    }
    formula_free(&f);
    buf_free(&docs[0]);
    buf_free(&docs[1]);
    buf_free(&c.text);
    return bound;
}

static void random_formulas(void **state) {
    (void)state;
    int bound = 0;
    for (uint64_t seed = 0; seed < QUESTIONS; seed++) bound += ask(seed);
    assert_true(bound > QUESTIONS / 2);
}

static void looks_before(void **state) {
    (void)state;
    Formula f;
    ExprValue slots[VARS] = {num(1), text("a")};
    assert_int_equal(formula_init(&f, STR("type = 'b' AND IS_DEFINED($body.x)"), NAMES, VARS, NULL), ERR_OK);
    assert_false(formula_can(&f, slots, 3, NOW));
    slots[1] = text("b");
    assert_true(formula_can(&f, slots, 3, NOW));
    assert_true(formula_can(&f, slots, 1, NOW));
    formula_free(&f);
    assert_int_equal(formula_init(&f, STR("FALSE"), NAMES, VARS, NULL), ERR_OK);
    assert_false(formula_can(&f, slots, 0, NOW));
    formula_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(refusals),
        cmocka_unit_test(random_formulas),
        cmocka_unit_test(looks_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
