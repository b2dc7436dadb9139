// SPDX-License-Identifier: Apache-2.0
// Recursive descent over the grammar of expr.h: one function a rule, tightest rules first. Every node passes node(),
// which counts against EXPR_NODES_MAX; every bracket, call, NOT and "?" passes enter() against EXPR_DEPTH_MAX.
#include "base/check.h"
#include "expr/lex.h"

static Err parse_expr(Lex *l, Expr **out);
static Err parse_sum(Lex *l, Expr **out);

static Err node(Lex *l, ExprOp op, int32_t at, int32_t args, Expr **out) {
    if (++l->nodes > EXPR_NODES_MAX)
        return diag_add(l->diag, ERR_LIMIT, at, l->token.at, STR(""), "the expression has more than %d parts",
                        EXPR_NODES_MAX);
    Expr *e = NEW(l->arena, Expr, 1);
    e->op = op;
    e->at = at;
    e->end = l->token.at;
    e->arg_count = args;
    if (args > 0) e->args = NEW(l->arena, Expr *, args);
    *out = e;
    return ERR_OK;
}

static Err enter(Lex *l) {
    if (++l->depth <= EXPR_DEPTH_MAX) return ERR_OK;
    return diag_add(l->diag, ERR_LIMIT, l->token.at, l->token.end, STR(""),
                    "the expression is nested more than %d deep", EXPR_DEPTH_MAX);
}

static Err binary(Lex *l, ExprOp op, Expr *a, Expr *b, Expr **out) {
    TRY(node(l, op, a->at, 2, out));
    (*out)->args[0] = a;
    (*out)->args[1] = b;
    (*out)->end = b->end;
    return ERR_OK;
}

// ---- lists --------------------------------------------------------------------------------------------------------

// Items in order of text, as a growing array in the arena.
typedef struct List {
    Expr **items;
    int32_t count, cap;
} List;

static void list_push(Lex *l, List *list, Expr *e) {
    if (list->count == list->cap) {
        int32_t cap = list->cap ? 2 * list->cap : 4;
        Expr **items = NEW(l->arena, Expr *, cap);
        if (list->count) memcpy(items, list->items, (size_t)list->count * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = e;
}

static void names_push(Lex *l, Str **names, int32_t *count, Str name) {
    if ((*count & (*count - 1)) == 0) { // full at powers of two
        Str *more = NEW(l->arena, Str, *count ? 2 * *count : 1);
        if (*count) memcpy(more, *names, (size_t)*count * sizeof *more);
        *names = more;
    }
    (*names)[(*count)++] = name;
}

static void segs_push(Lex *l, Expr *e, ExprSeg seg) {
    int32_t n = e->seg_count;
    if ((n & (n - 1)) == 0) {
        ExprSeg *more = NEW(l->arena, ExprSeg, n ? 2 * n : 1);
        if (n) memcpy(more, e->segs, (size_t)n * sizeof *more);
        e->segs = more;
    }
    e->segs[e->seg_count++] = seg;
}

// ---- paths --------------------------------------------------------------------------------------------------------

static Err take_index(Lex *l, Expr *e) {
    ExprSeg seg = {.at = l->token.at};
    TRY(lex_want(l, "["));
    if (l->token.kind != TOKEN_INTEGER) return lex_fail(l, "expected the number of an array element, from 0");
    seg.index = l->token.value.i;
    lex_next(l);
    seg.end = l->token.end;
    TRY(lex_want(l, "]"));
    segs_push(l, e, seg);
    return ERR_OK;
}

// Behind the first segment: ".name", ".[[any text]]", "[0]", ".[0]".
static Err take_segs(Lex *l, Expr *e) {
    for (;;) {
        if (lex_is(l, "[")) {
            TRY(take_index(l, e));
            continue;
        }
        if (!lex_take(l, ".")) break;
        if (lex_is(l, "[")) continue;
        const Token *t = &l->token;
        if (t->kind != TOKEN_NAME && t->kind != TOKEN_QUOTED) return lex_fail(l, "expected a name after the point");
        segs_push(l, e, (ExprSeg){.name = t->text, .index = -1, .at = t->at, .end = t->end});
        lex_next(l);
    }
    e->end = e->segs[e->seg_count - 1].end;
    return ERR_OK;
}

static Err parse_path(Lex *l, Expr **out) {
    Token t = l->token;
    TRY(node(l, EX_PATH, t.at, 0, out));
    segs_push(l, *out, (ExprSeg){.name = t.text, .index = -1, .at = t.at, .end = t.end});
    lex_next(l);
    return take_segs(l, *out);
}

// ---- calls and graph aggregates -----------------------------------------------------------------------------------

typedef struct Arrow {
    bool out, in;
} Arrow;

// Take an arrow: bytes that stand together.
static bool take_arrow(Lex *l, Arrow *arrow) {
    Lex a = *l;
    *arrow = (Arrow){0};
    if (lex_take(&a, "<")) {
        if (!a.token.joined || !lex_take(&a, "-")) return false;
        arrow->in = true;
        if (a.token.joined && lex_take(&a, ">")) arrow->out = true;
    } else {
        if (!lex_take(&a, "-") || !a.token.joined || !lex_take(&a, ">")) return false;
        arrow->out = true;
    }
    *l = a;
    return true;
}

static bool is_aggregate(Str name) {
    static const char *const names[] = {"SUM", "AVG", "MIN", "MAX", "COUNT", "ANY", "ALL"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    }
    return false;
}

// Behind the "(": [alias] arrow. Takes them when they are there.
static bool take_graph_head(Lex *l, Str *alias, Arrow *arrow) {
    Lex a = *l;
    *alias = (Str){0};
    if (a.token.kind == TOKEN_QUOTED || (a.token.kind == TOKEN_NAME && !lex_reserved(a.token.text))) {
        *alias = a.token.text;
        lex_next(&a);
    }
    if (!take_arrow(&a, arrow)) return false;
    *l = a;
    return true;
}

// "in." or "out." of an aggregate: other words for the arrows. Takes them when they are there.
static bool take_graph_word(Lex *l, Arrow *arrow) {
    Lex a = *l;
    *arrow = (Arrow){.in = lex_is(l, "in"), .out = lex_is(l, "out")};
    if (!arrow->in && !arrow->out) return false;
    lex_next(&a);
    if (!lex_take(&a, ".")) return false;
    *l = a;
    return true;
}

// ".path" or ", expr" of an aggregate.
static Err take_graph_value(Lex *l, Expr **out) {
    *out = NULL;
    if (lex_take(l, ",")) return parse_expr(l, out);
    if (!lex_take(l, ".")) return ERR_OK;
    if (l->token.kind != TOKEN_NAME && l->token.kind != TOKEN_QUOTED)
        return lex_fail(l, "expected the name of a property after the point");
    return parse_path(l, out);
}

// word: the direction was said by a word, so that a relationship must follow.
static Err parse_graph(Lex *l, Token name, Str alias, Arrow arrow, bool word, Expr **out) {
    TRY(node(l, EX_GRAPH, name.at, 2, out));
    Expr *e = *out;
    e->name = name.text;
    e->graph.alias = alias;
    e->graph.out = arrow.out;
    e->graph.in = arrow.in;
    bool more = word || l->token.kind == TOKEN_QUOTED || (l->token.kind == TOKEN_NAME && !lex_is(l, "WHERE"));
    while (more) {
        Str rel;
        TRY(lex_name(l, "the name of a relationship", &rel));
        names_push(l, &e->graph.rels, &e->graph.rel_count, rel);
        more = lex_take(l, "|");
    }
    TRY(take_graph_value(l, &e->args[0]));
    if (lex_take(l, "WHERE")) TRY(parse_expr(l, &e->args[1]));
    e->end = l->token.end;
    return lex_want(l, ")");
}

// The token is the name, "(" follows.
static Err parse_call(Lex *l, Expr **out) {
    Token name = l->token;
    Arrow arrow;
    Str alias;
    List args = {0};
    TRY(enter(l));
    lex_next(l);
    TRY(lex_want(l, "("));
    if (is_aggregate(name.text) && take_graph_head(l, &alias, &arrow)) {
        TRY(parse_graph(l, name, alias, arrow, false, out));
        l->depth--;
        return ERR_OK;
    }
    if (is_aggregate(name.text) && take_graph_word(l, &arrow)) {
        TRY(parse_graph(l, name, (Str){0}, arrow, true, out));
        l->depth--;
        return ERR_OK;
    }
    while (!lex_is(l, ")")) {
        Expr *e;
        TRY(parse_expr(l, &e));
        list_push(l, &args, e);
        if (!lex_take(l, ",")) break;
        if (lex_is(l, ")")) return lex_fail(l, "expected a value after the comma");
    }
    int32_t end = l->token.end;
    TRY(lex_want(l, ")"));
    TRY(node(l, EX_CALL, name.at, 0, out));
    (*out)->end = end;
    (*out)->name = name.text;
    (*out)->args = args.items;
    (*out)->arg_count = args.count;
    l->depth--;
    return ERR_OK;
}

// ---- primaries ----------------------------------------------------------------------------------------------------

static Err literal(Lex *l, ExprValue v, Expr **out) {
    TRY(node(l, EX_LITERAL, l->token.at, 0, out));
    (*out)->value = v;
    (*out)->end = l->token.end;
    lex_next(l);
    return ERR_OK;
}

// A number, perhaps with a unit; the sign was taken at byte `at`.
static Err parse_number(Lex *l, bool negative, int32_t at, Expr **out) {
    ExprValue v = l->token.value;
    if (negative && v.type == EXPR_I64) v.i = -v.i;
    else if (negative && str_eq(l->token.text, STR("9223372036854775808")))
        v = (ExprValue){.type = EXPR_I64, .i = INT64_MIN};
    else if (negative) v.d = -v.d;
    TRY(literal(l, v, out));
    (*out)->at = at;
    if (l->token.kind != TOKEN_STRING) return ERR_OK;
    (*out)->unit = l->token.text;
    (*out)->end = l->token.end;
    if (l->token.text.n == 0) return lex_fail(l, "expected the name of a unit");
    lex_next(l);
    return ERR_OK;
}

static Err parse_word(Lex *l, Expr **out) {
    Lex after = *l;
    lex_next(&after);
    Str word = l->token.text;
    if (str_eq_nocase(word, STR("TRUE"))) return literal(l, (ExprValue){.type = EXPR_BOOL, .b = true}, out);
    if (str_eq_nocase(word, STR("FALSE"))) return literal(l, (ExprValue){.type = EXPR_BOOL}, out);
    if (str_eq_nocase(word, STR("NULL"))) return literal(l, (ExprValue){.type = EXPR_NULL}, out);
    if (lex_is(&after, "(") && !lex_reserved(word)) return parse_call(l, out);
    if (lex_reserved(word))
        return lex_fail(l, "expected a value but found the keyword %.*s; a name that is a keyword is written [[%.*s]]",
                        STR_ARG(word), STR_ARG(word));
    return parse_path(l, out);
}

static Err parse_group(Lex *l, Expr **out) {
    int32_t at = l->token.at;
    TRY(enter(l));
    lex_next(l);
    TRY(parse_expr(l, out));
    int32_t end = l->token.end;
    TRY(lex_want(l, ")"));
    (*out)->at = at;
    (*out)->end = end;
    l->depth--;
    return ERR_OK;
}

static Err parse_prim(Lex *l, Expr **out) {
    switch (l->token.kind) {
    case TOKEN_INTEGER:
    case TOKEN_NUMBER: return parse_number(l, false, l->token.at, out);
    case TOKEN_SPAN: return literal(l, l->token.value, out);
    case TOKEN_STRING: return literal(l, (ExprValue){.type = EXPR_STR, .s = l->token.text}, out);
    case TOKEN_QUOTED: return parse_path(l, out);
    case TOKEN_NAME: return parse_word(l, out);
    case TOKEN_PUNCT:
        if (lex_is(l, "(")) return parse_group(l, out);
        return lex_fail(l, "expected a value but found \"%.*s\"", STR_ARG(l->token.text));
    case TOKEN_END: return lex_fail(l, "expected a value but found the end of the text");
    case TOKEN_BAD: break;
    }
    return lex_fail(l, "expected a value");
}

static Err parse_sign(Lex *l, Expr **out) {
    int32_t at = l->token.at;
    bool negative = lex_take(l, "-");
    if (!negative && !lex_take(l, "+")) return parse_prim(l, out);
    if (l->token.kind == TOKEN_INTEGER || l->token.kind == TOKEN_NUMBER) return parse_number(l, negative, at, out);
    Expr *e;
    TRY(parse_prim(l, &e));
    *out = e;
    if (!negative) return ERR_OK;
    TRY(node(l, EX_NEG, at, 1, out));
    (*out)->args[0] = e;
    (*out)->end = e->end;
    return ERR_OK;
}

// ---- operators ----------------------------------------------------------------------------------------------------

static Err parse_product(Lex *l, Expr **out) {
    TRY(parse_sign(l, out));
    for (;;) {
        ExprOp op = lex_is(l, "*") ? EX_MUL : lex_is(l, "/") ? EX_DIV : EX_MOD;
        if (op == EX_MOD && !lex_is(l, "%")) return ERR_OK;
        Expr *b;
        lex_next(l);
        TRY(parse_sign(l, &b));
        TRY(binary(l, op, *out, b, out));
    }
}

static Err parse_sum(Lex *l, Expr **out) {
    TRY(parse_product(l, out));
    for (;;) {
        ExprOp op = lex_is(l, "+") ? EX_ADD : EX_SUB;
        if (op == EX_SUB && !lex_is(l, "-")) return ERR_OK;
        Expr *b;
        lex_next(l);
        TRY(parse_product(l, &b));
        TRY(binary(l, op, *out, b, out));
    }
}

// Behind IN: "[" sum { "," sum } "]".
static Err parse_in(Lex *l, ExprOp op, Expr *value, Expr **out) {
    List list = {0};
    list_push(l, &list, value);
    if (!lex_is(l, "[")) return lex_fail(l, "expected [ and a list of values after IN");
    do {
        Expr *e;
        lex_next(l);
        TRY(parse_sum(l, &e));
        if (list.count > EXPR_IN_MAX)
            return diag_add(l->diag, ERR_LIMIT, e->at, e->end, STR(""), "a list has at most %d values", EXPR_IN_MAX);
        list_push(l, &list, e);
    } while (lex_is(l, ","));
    int32_t end = l->token.end;
    TRY(lex_want(l, "]"));
    TRY(node(l, op, value->at, 0, out));
    (*out)->end = end;
    (*out)->args = list.items;
    (*out)->arg_count = list.count;
    return ERR_OK;
}

static bool take_comparison(Lex *l, ExprOp *op) {
    static const struct {
        const char *text;
        ExprOp op;
    } ops[] = {{"=", EX_EQ}, {"!=", EX_NE}, {"<>", EX_NE}, {"<", EX_LT}, {">", EX_GT}, {"<=", EX_LE}, {">=", EX_GE}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!lex_take(l, ops[i].text)) continue;
        *op = ops[i].op;
        return true;
    }
    return false;
}

static bool take_in(Lex *l, ExprOp *op) {
    *op = EX_IN;
    if (lex_take(l, "IN")) return true;
    *op = EX_NIN;
    if (lex_take(l, "NIN") || lex_take(l, "NOT_IN")) return true;
    Lex ahead = *l;
    if (!lex_take(&ahead, "NOT") || !lex_take(&ahead, "IN")) return false;
    *l = ahead;
    return true;
}

static Err parse_compare(Lex *l, Expr **out) {
    ExprOp op;
    Expr *b;
    TRY(parse_sum(l, out));
    if (take_in(l, &op)) return parse_in(l, op, *out, out);
    if (!take_comparison(l, &op)) return ERR_OK;
    TRY(parse_sum(l, &b));
    return binary(l, op, *out, b, out);
}

static Err parse_not(Lex *l, Expr **out) {
    int32_t at = l->token.at;
    if (!lex_take(l, "NOT")) return parse_compare(l, out);
    Expr *e;
    TRY(enter(l));
    TRY(parse_not(l, &e));
    l->depth--;
    TRY(node(l, EX_NOT, at, 1, out));
    (*out)->args[0] = e;
    (*out)->end = e->end;
    return ERR_OK;
}

static Err parse_and(Lex *l, Expr **out) {
    TRY(parse_not(l, out));
    while (lex_take(l, "AND")) {
        Expr *b;
        TRY(parse_not(l, &b));
        TRY(binary(l, EX_AND, *out, b, out));
    }
    return ERR_OK;
}

static Err parse_or(Lex *l, Expr **out) {
    TRY(parse_and(l, out));
    while (lex_take(l, "OR")) {
        Expr *b;
        TRY(parse_and(l, &b));
        TRY(binary(l, EX_OR, *out, b, out));
    }
    return ERR_OK;
}

static Err parse_expr(Lex *l, Expr **out) {
    TRY(parse_or(l, out));
    if (!lex_take(l, "?")) return ERR_OK;
    Expr *test = *out, *yes, *no;
    TRY(enter(l));
    TRY(parse_expr(l, &yes));
    TRY(lex_want(l, ":"));
    TRY(parse_expr(l, &no));
    l->depth--;
    TRY(node(l, EX_COND, test->at, 3, out));
    (*out)->args[0] = test;
    (*out)->args[1] = yes;
    (*out)->args[2] = no;
    (*out)->end = no->end;
    return ERR_OK;
}

Err lex_expr(Lex *l, Expr **out) { return parse_expr(l, out); }

Err expr_parse(Arena *a, Str text, Expr **out, Diag *d) {
    Lex l;
    Expr *e = NULL;
    TRY(lex_begin(&l, a, text, d));
    TRY(parse_expr(&l, &e));
    if (l.token.kind != TOKEN_END)
        return lex_fail(&l, "expected an operator or the end but found \"%.*s\"",
                        STR_ARG(str_sub(l.text, l.token.at, l.token.end)));
    *out = e;
    return ERR_OK;
}
