// SPDX-License-Identifier: Apache-2.0
// Expressions as text again, and the small helpers of messages: walking, nearest names, places in a text.
#include "expr/lex.h"
#include <math.h>
#include "base/check.h"
#include "base/decimal.h"
#include "base/time.h"

// ---- names and literals -------------------------------------------------------------------------------------------

static bool plain_name(Str s) {
    if (s.n == 0 || (s.p[0] >= '0' && s.p[0] <= '9')) return false;
    for (int64_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
        if (!ok) return false;
    }
    return true;
}

static void put_name(Str name, bool first, Buf *out) {
    bool plain = plain_name(name) && !(first && lex_reserved(name));
    if (!plain) buf_str_put(out, STR("[["));
    buf_str_put(out, name);
    if (!plain) buf_str_put(out, STR("]]"));
}

static void put_text(Str s, Buf *out) {
    buf_byte(out, '\'');
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') buf_byte(out, '\\');
        buf_byte(out, s.p[i]);
    }
    buf_byte(out, '\'');
}

// With a point or an exponent, so that it is read as a double again.
static void put_f64(double v, Buf *out) {
    char text[DECIMAL_TEXT_MAX];
    Str s = {text, decimal_print_f64(v, text)};
    buf_str_put(out, s);
    if (str_find(s, '.', 0) < 0 && str_find(s, 'e', 0) < 0) buf_str_put(out, STR(".0"));
}

// In the largest unit that says it exactly.
static void put_span(int64_t ns, Buf *out) {
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"w", 604800 * NS_PER_S}, {"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S},
                 {"s", NS_PER_S},          {"ms", NS_PER_MS},       {"us", 1000},           {"ns", 1}};
    size_t u = ns ? 0 : 4;
    while (ns % units[u].ns) u++;
    buf_printf(out, "%lld%s", (long long)(ns / units[u].ns), units[u].unit);
}

static void put_literal(const Expr *e, Buf *out) {
    switch (e->value.type) {
    case EXPR_NULL: buf_str_put(out, STR("NULL")); break;
    case EXPR_BOOL: buf_str_put(out, e->value.b ? STR("TRUE") : STR("FALSE")); break;
    case EXPR_I64: buf_printf(out, "%lld", (long long)e->value.i); break;
    case EXPR_F64: put_f64(e->value.d, out); break;
    case EXPR_STR: put_text(e->value.s, out); break;
    case EXPR_DURATION: put_span(e->value.i, out); break;
    default: CHECK(!"a literal of the language");
    }
    if (e->unit.n == 0) return;
    buf_byte(out, ' ');
    put_text(e->unit, out);
}

static void put_path(const Expr *e, Buf *out) {
    for (int32_t i = 0; i < e->seg_count; i++) {
        const ExprSeg *s = &e->segs[i];
        if (s->index >= 0) {
            buf_printf(out, "[%lld]", (long long)s->index);
        } else {
            if (i > 0) buf_byte(out, '.');
            put_name(s->name, i == 0, out);
        }
    }
}

// ---- trees --------------------------------------------------------------------------------------------------------

// How tightly an expression holds together, as the rules of the grammar are nested.
enum { LEVEL_EXPR, LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_SIGN, LEVEL_PRIM };

static int level(const Expr *e) {
    switch (e->op) {
    case EX_COND: return LEVEL_EXPR;
    case EX_OR: return LEVEL_OR;
    case EX_AND: return LEVEL_AND;
    case EX_NOT: return LEVEL_NOT;
    case EX_ADD:
    case EX_SUB: return LEVEL_SUM;
    case EX_MUL:
    case EX_DIV:
    case EX_MOD: return LEVEL_PRODUCT;
    case EX_NEG: return LEVEL_SIGN;
    case EX_LITERAL: // a signed number, not the negation of one
        if (e->value.type == EXPR_I64 && e->value.i < 0) return LEVEL_SIGN;
        return e->value.type == EXPR_F64 && signbit(e->value.d) ? LEVEL_SIGN : LEVEL_PRIM;
    case EX_PATH:
    case EX_CALL:
    case EX_SLOT:
    case EX_GRAPH: return LEVEL_PRIM;
    default: return LEVEL_COMPARE;
    }
}

// An operand where the grammar wants at least `least`.
static void put_operand(const Expr *e, int least, Buf *out) {
    bool loose = level(e) < least;
    if (loose) buf_byte(out, '(');
    expr_print(e, out);
    if (loose) buf_byte(out, ')');
}

static void put_list(const Expr *e, int32_t from, int least, Buf *out) {
    for (int32_t i = from; i < e->arg_count; i++) {
        if (i > from) buf_str_put(out, STR(", "));
        put_operand(e->args[i], least, out);
    }
}

static void put_graph(const Expr *e, Buf *out) {
    buf_str_put(out, e->name);
    buf_byte(out, '(');
    if (e->graph.alias.n) put_name(e->graph.alias, true, out);
    buf_str_put(out, e->graph.in ? STR("<-") : STR("-"));
    if (e->graph.out) buf_byte(out, '>');
    for (int32_t i = 0; i < e->graph.rel_count; i++) {
        if (i > 0) buf_byte(out, '|');
        put_name(e->graph.rels[i], true, out);
    }
    if (e->args[0]) {
        buf_str_put(out, STR(", "));
        expr_print(e->args[0], out);
    }
    if (e->args[1]) {
        buf_str_put(out, STR(" WHERE "));
        expr_print(e->args[1], out);
    }
    buf_byte(out, ')');
}

static Str op_text(ExprOp op) {
    static const char *const text[] = {
        [EX_OR] = " OR ", [EX_AND] = " AND ", [EX_EQ] = " = ",  [EX_NE] = " != ",  [EX_LT] = " < ",
        [EX_GT] = " > ",  [EX_LE] = " <= ",   [EX_GE] = " >= ", [EX_ADD] = " + ",  [EX_SUB] = " - ",
        [EX_MUL] = " * ", [EX_DIV] = " / ",   [EX_MOD] = " % ", [EX_IN] = " IN [", [EX_NIN] = " NOT IN [",
    };
    CHECK(op < sizeof text / sizeof *text && text[op]);
    return str_of(text[op]);
}

static void put_binary(const Expr *e, Buf *out) {
    int own = level(e);
    put_operand(e->args[0], own == LEVEL_COMPARE ? LEVEL_SUM : own, out);
    buf_str_put(out, op_text(e->op));
    put_operand(e->args[1], own + 1, out);
}

static void put_in(const Expr *e, Buf *out) {
    put_operand(e->args[0], LEVEL_SUM, out);
    buf_str_put(out, op_text(e->op));
    int64_t first = out->n;
    put_list(e, 1, LEVEL_SUM, out);
    if (!out->full && out->p[first] == '[') { // three brackets together would be read as a quoted name
        buf_byte(out, ' ');
        memmove(out->p + first + 1, out->p + first, (size_t)(out->n - first - 1));
        out->p[first] = ' ';
    }
    buf_byte(out, ']');
}

void expr_print(const Expr *e, Buf *out) {
    switch (e->op) {
    case EX_LITERAL: put_literal(e, out); break;
    case EX_PATH: put_path(e, out); break;
    case EX_SLOT: buf_str_put(out, e->name); break;
    case EX_CALL:
        buf_str_put(out, e->name);
        buf_byte(out, '(');
        put_list(e, 0, LEVEL_EXPR, out);
        buf_byte(out, ')');
        break;
    case EX_GRAPH: put_graph(e, out); break;
    case EX_COND:
        put_operand(e->args[0], LEVEL_OR, out);
        buf_str_put(out, STR(" ? "));
        put_operand(e->args[1], LEVEL_EXPR, out);
        buf_str_put(out, STR(" : "));
        put_operand(e->args[2], LEVEL_EXPR, out);
        break;
    case EX_NOT:
        buf_str_put(out, STR("NOT "));
        put_operand(e->args[0], LEVEL_NOT, out);
        break;
    case EX_NEG: // a number goes in parentheses, so that the sign stays an operator
        buf_byte(out, '-');
        put_operand(e->args[0], e->args[0]->op == EX_LITERAL ? LEVEL_PRIM + 1 : LEVEL_PRIM, out);
        break;
    case EX_IN:
    case EX_NIN: put_in(e, out); break;
    default: put_binary(e, out);
    }
}

static void walk(const Expr *e, void (*fn)(void *ctx, const Expr *e, bool inside), void *ctx, bool inside) {
    if (!e) return;
    if (e->op == EX_PATH || e->op == EX_GRAPH) fn(ctx, e, inside);
    for (int32_t i = 0; i < e->arg_count; i++) walk(e->args[i], fn, ctx, inside || e->op == EX_GRAPH);
}

void expr_walk(const Expr *e, void (*fn)(void *ctx, const Expr *e, bool inside), void *ctx) { walk(e, fn, ctx, false); }

// ---- nearest names ------------------------------------------------------------------------------------------------

#define NEAR_SIZE 64 // names longer than this are not compared

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

// Optimal string alignment distance (Damerau 1964: insert, delete, replace, swap of neighbours), case ignored; more
// than `most` comes back as most + 1.
static int32_t distance(Str a, Str b, int32_t most) {
    int32_t row[3][NEAR_SIZE + 1] = {0}, n = (int32_t)b.n;
    if (a.n - b.n > most || b.n - a.n > most) return most + 1;
    for (int32_t j = 0; j <= n; j++) row[0][j] = j;
    for (int32_t i = 1; i <= (int32_t)a.n; i++) {
        int32_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int32_t j = 1; j <= n; j++) {
            char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
            int32_t d = last[j - 1] + (x != y);
            if (last[j] + 1 < d) d = last[j] + 1;
            if (now[j - 1] + 1 < d) d = now[j - 1] + 1;
            bool swap = i > 1 && j > 1 && x == lower(b.p[j - 2]) && lower(a.p[i - 2]) == y;
            if (swap && before[j - 2] + 1 < d) d = before[j - 2] + 1;
            now[j] = d;
        }
    }
    int32_t d = row[a.n % 3][n];
    return d < most ? d : d == most ? most : most + 1;
}

Str expr_nearest(Str name, const Str *candidates, int64_t n) {
    Str best = {0};
    int32_t most = (int32_t)(name.n / 3);
    if (name.n == 0 || name.n > NEAR_SIZE) return best;
    for (int64_t i = 0; i < n; i++) {
        if (candidates[i].n == 0 || candidates[i].n > NEAR_SIZE) continue;
        int32_t d = distance(name, candidates[i], most);
        if (d > most) continue;
        best = candidates[i];
        if (d == 0) return best;
        most = d - 1;
    }
    return best;
}

void expr_place(Str text, int64_t at, int32_t *line, int32_t *column) {
    *line = 1;
    *column = 1;
    for (int64_t i = 0; i < at && i < text.n; i++) {
        if (text.p[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((uint8_t)text.p[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

void expr_why(const Diag *d, Str text, Buf *out) {
    int32_t line, column;
    if (!out || d->count == 0) return;
    const DiagMessage *m = &d->messages[0];
    if (m->at >= 0) {
        expr_place(text, m->at, &line, &column);
        if (line > 1) buf_printf(out, "line %d, ", line);
        buf_printf(out, "column %d: ", column);
    }
    buf_str_put(out, m->text);
    if (m->where.n > 0) buf_printf(out, " (%.*s)", STR_ARG(m->where));
}
