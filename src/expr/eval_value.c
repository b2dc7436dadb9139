// SPDX-License-Identifier: Apache-2.0
// Single values: order, arithmetic, conversion, JSON. Nothing here makes a double that is not finite: such a result is
// undefined.
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/decimal.h"
#include "base/time.h"
#include "codec/json.h"
#include "expr/func.h"

static ExprValue undefined(void) { return (ExprValue){.type = EXPR_UNDEFINED}; }
static ExprValue of_bool(bool b) { return (ExprValue){.type = EXPR_BOOL, .b = b}; }
static ExprValue of_i64(ExprType t, int64_t i) { return (ExprValue){.type = t, .i = i}; }
static ExprValue of_f64(double d) { return isfinite(d) ? (ExprValue){.type = EXPR_F64, .d = d} : undefined(); }
static ExprValue of_text(ExprType t, Str s) { return (ExprValue){.type = t, .s = s}; }

static double f64_of(const ExprValue *v) { return v->type == EXPR_F64 ? v->d : (double)v->i; }

// ---- order --------------------------------------------------------------------------------------------------------

static int order_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }
static int order_f64(double a, double b) { return (a > b) - (a < b); }

// Exact: the double's whole part as an integer, then its fraction.
static int order_mixed(int64_t i, double d) {
    if (d >= 0x1p63) return -1;
    if (d < -0x1p63) return 1;
    int64_t whole = (int64_t)d;
    if (i != whole) return i < whole ? -1 : 1;
    return order_f64(0, d - (double)whole);
}

static int order_numbers(const ExprValue *a, const ExprValue *b) {
    if (a->type == EXPR_I64 && b->type == EXPR_I64) return order_i64(a->i, b->i);
    if (a->type == EXPR_F64 && b->type == EXPR_F64) return order_f64(a->d, b->d);
    return a->type == EXPR_I64 ? order_mixed(a->i, b->d) : -order_mixed(b->i, a->d);
}

// Equal as JSON values, whatever the order of members.
static bool same_doc(Str a, Str b) {
    if (str_eq(a, b)) return true;
    Arena arena;
    Json x, y;
    arena_init(&arena, 0);
    bool same = json_parse(a, NULL, &arena, &x, NULL) == ERR_OK && json_parse(b, NULL, &arena, &y, NULL) == ERR_OK &&
                json_equal(&x, &y);
    arena_free(&arena);
    return same;
}

int expr_compare(const ExprValue *a, const ExprValue *b) {
    if (expr_is_number(a->type) && expr_is_number(b->type)) return order_numbers(a, b);
    if (a->type != b->type) return 2;
    switch (a->type) {
    case EXPR_NULL: return 0;
    case EXPR_BOOL: return order_i64(a->b, b->b);
    case EXPR_TIME:
    case EXPR_DURATION: return order_i64(a->i, b->i);
    case EXPR_STR: {
        int c = str_cmp(a->s, b->s);
        return (c > 0) - (c < 0);
    }
    case EXPR_POINT: return a->point.lon == b->point.lon && a->point.lat == b->point.lat ? 0 : 2;
    case EXPR_DOC: return same_doc(a->s, b->s) ? 0 : 2;
    default: return 2;
    }
}

ExprValue expr_value_relate(BoundOp op, const ExprValue *a, const ExprValue *b) {
    if (a->type == EXPR_UNDEFINED || b->type == EXPR_UNDEFINED) return undefined();
    int c = expr_compare(a, b);
    bool null = a->type == EXPR_NULL || b->type == EXPR_NULL, equality = op == BOUND_EQ || op == BOUND_NE;
    bool unordered = null || a->type == EXPR_POINT || a->type == EXPR_DOC;
    if (unordered && !equality) return undefined();
    if (c == 2 && !null && (a->type != b->type || !unordered)) return undefined();
    switch (op) {
    case BOUND_EQ: return of_bool(c == 0);
    case BOUND_NE: return of_bool(c != 0);
    case BOUND_LT: return of_bool(c < 0);
    case BOUND_GT: return of_bool(c > 0);
    case BOUND_LE: return of_bool(c <= 0);
    default: return of_bool(c >= 0);
    }
}

ExprValue expr_value_in(const Bound *b, const ExprValue *v) {
    bool unsure = v->type == EXPR_UNDEFINED, found = false;
    if (b->sorted && v->type == b->args[1]->value.type) {
        int32_t lo = 1, hi = b->arg_count;
        while (lo < hi) {
            int32_t mid = lo + (hi - lo) / 2;
            if (expr_compare(&b->args[mid]->value, v) < 0) lo = mid + 1;
            else hi = mid;
        }
        found = lo < b->arg_count && expr_compare(&b->args[lo]->value, v) == 0;
        return of_bool(found == (b->op == BOUND_IN));
    }
    for (int32_t i = 1; i < b->arg_count && !found && v->type != EXPR_UNDEFINED; i++) {
        ExprValue eq = expr_value_relate(BOUND_EQ, v, &b->args[i]->value);
        found = eq.type == EXPR_BOOL && eq.b;
        unsure = unsure || eq.type == EXPR_UNDEFINED;
    }
    return unsure && !found ? undefined() : of_bool(found == (b->op == BOUND_IN));
}

// ---- arithmetic ---------------------------------------------------------------------------------------------------

static ExprValue whole(BoundOp op, ExprType type, int64_t a, int64_t b) {
    int64_t r = 0;
    bool bad = false;
    switch (op) {
    case BOUND_ADD: bad = __builtin_add_overflow(a, b, &r); break;
    case BOUND_SUB: bad = __builtin_sub_overflow(a, b, &r); break;
    case BOUND_MUL: bad = __builtin_mul_overflow(a, b, &r); break;
    default: // MOD; the least number by -1 would trap
        bad = b == 0;
        r = b == 0 || b == -1 ? 0 : a % b;
    }
    return bad ? undefined() : of_i64(type, r);
}

static ExprValue broken(BoundOp op, double a, double b) {
    switch (op) {
    case BOUND_ADD: return of_f64(a + b);
    case BOUND_SUB: return of_f64(a - b);
    case BOUND_MUL: return of_f64(a * b);
    case BOUND_DIV: return b == 0 ? undefined() : of_f64(a / b);
    default: return b == 0 ? undefined() : of_f64(fmod(a, b));
    }
}

static ExprValue nanoseconds(double ns) {
    return ns >= -0x1p63 && ns < 0x1p63 ? of_i64(EXPR_DURATION, (int64_t)rint(ns)) : undefined();
}

// At least one is a TIME or a DURATION.
static ExprValue temporal(BoundOp op, const ExprValue *a, const ExprValue *b) {
    ExprType x = a->type, y = b->type;
    bool sum = op == BOUND_ADD || op == BOUND_SUB;
    if (x == EXPR_TIME && y == EXPR_TIME && op == BOUND_SUB) return whole(op, EXPR_DURATION, a->i, b->i);
    if (x == EXPR_TIME && y == EXPR_DURATION && sum) return whole(op, EXPR_TIME, a->i, b->i);
    if (x == EXPR_DURATION && y == EXPR_TIME && op == BOUND_ADD) return whole(op, EXPR_TIME, a->i, b->i);
    if (x == EXPR_DURATION && y == EXPR_DURATION && op == BOUND_DIV) return broken(op, (double)a->i, (double)b->i);
    if (x == EXPR_DURATION && y == EXPR_DURATION && op != BOUND_MUL) return whole(op, EXPR_DURATION, a->i, b->i);
    if (op == BOUND_MUL && x == EXPR_I64) return whole(op, EXPR_DURATION, a->i, b->i);
    if (op == BOUND_MUL && y == EXPR_I64) return whole(op, EXPR_DURATION, a->i, b->i);
    bool scaled = (op == BOUND_MUL && (x == EXPR_F64 || y == EXPR_F64)) || (op == BOUND_DIV && expr_is_number(y));
    if (!scaled || x == EXPR_TIME || y == EXPR_TIME) return undefined();
    ExprValue r = broken(op, f64_of(a), f64_of(b));
    return r.type == EXPR_F64 ? nanoseconds(r.d) : undefined();
}

static bool is_temporal(ExprType t) { return t == EXPR_TIME || t == EXPR_DURATION; }
static bool is_measure(ExprType t) { return expr_is_number(t) || is_temporal(t); }

static ExprValue negative(const ExprValue *a) {
    if (a->type == EXPR_F64) return of_f64(-a->d);
    if ((a->type != EXPR_I64 && a->type != EXPR_DURATION) || a->i == INT64_MIN) return undefined();
    return of_i64(a->type, -a->i);
}

ExprValue expr_value_arith(BoundOp op, const ExprValue *a, const ExprValue *b) {
    if (op == BOUND_NEG) return negative(a);
    if (!is_measure(a->type) || !is_measure(b->type)) return undefined();
    if (is_temporal(a->type) || is_temporal(b->type)) {
        bool time = a->type == EXPR_TIME || b->type == EXPR_TIME;
        return time && (expr_is_number(a->type) || expr_is_number(b->type)) ? undefined() : temporal(op, a, b);
    }
    if (op != BOUND_DIV && a->type == EXPR_I64 && b->type == EXPR_I64) return whole(op, EXPR_I64, a->i, b->i);
    return broken(op, f64_of(a), f64_of(b));
}

ExprValue expr_value_scale(const ExprValue *v, double factor, double offset) {
    return expr_is_number(v->type) ? of_f64(f64_of(v) * factor + offset) : undefined();
}

// ---- conversion ---------------------------------------------------------------------------------------------------

bool expr_time_parse(Str s, int64_t *ns) {
    if (time_parse(s, ns)) return true;
    char text[] = "0000-00-00T00:00:00Z";
    if (s.n != 10) return false;
    memcpy(text, s.p, 10);
    return time_parse(STR(text), ns);
}

static ExprValue to_duration(const ExprValue *v) {
    int64_t ns;
    if (v->type == EXPR_STR) return expr_duration_parse(v->s, &ns) ? of_i64(EXPR_DURATION, ns) : undefined();
    if (v->type == EXPR_I64) return whole(BOUND_MUL, EXPR_DURATION, v->i, NS_PER_S);
    return v->type == EXPR_F64 ? nanoseconds(v->d * (double)NS_PER_S) : undefined();
}

static Str printed(Arena *a, Buf *b) {
    Str s = arena_str(a, buf_str(b));
    buf_free(b);
    return s;
}

ExprValue expr_value_cast(const ExprValue *v, ExprType to, Arena *a) {
    int64_t ns;
    if (v->type == to || to == EXPR_ANY) return *v;
    switch (to) {
    case EXPR_F64: return v->type == EXPR_I64 ? of_f64((double)v->i) : undefined();
    case EXPR_I64:
        if (v->type != EXPR_F64 || !(v->d >= -0x1p63 && v->d < 0x1p63) || rint(v->d) != v->d) return undefined();
        return of_i64(EXPR_I64, (int64_t)v->d);
    case EXPR_TIME: return v->type == EXPR_STR && expr_time_parse(v->s, &ns) ? of_i64(EXPR_TIME, ns) : undefined();
    case EXPR_DURATION: return to_duration(v);
    case EXPR_POINT: return v->type == EXPR_DOC || v->type == EXPR_STR ? expr_geo_point(v->s) : undefined();
    case EXPR_STR: return v->type == EXPR_TIME ? of_text(EXPR_STR, expr_value_text(v, a)) : undefined();
    default: return undefined();
    }
}

bool expr_duration_parse(Str s, int64_t *ns) {
    static const struct {
        char letter;
        bool time;
        int64_t s;
    } parts[] = {{'Y', false, 365 * 86400}, {'W', false, 7 * 86400}, {'D', false, 86400},
                 {'H', true, 3600},         {'M', true, 60},         {'S', true, 1}};
    if (time_parse_duration(s, ns)) return true;
    bool minus = s.n && s.p[0] == '-', time = false, broken_part = false;
    int64_t at = minus, total = 0;
    size_t next = 0;
    if (at >= s.n || s.p[at++] != 'P' || at >= s.n) return false;
    while (at < s.n) {
        if (s.p[at] == 'T') {
            if (time || ++at >= s.n) return false;
            time = true;
        }
        int64_t from = at;
        while (at < s.n && ((s.p[at] >= '0' && s.p[at] <= '9') || s.p[at] == '.')) at++;
        Str digits = str_sub(s, from, at);
        double v;
        if (broken_part || at >= s.n || !digits.n || digits.p[0] == '.' || digits.p[digits.n - 1] == '.' ||
            !decimal_parse_f64(digits, &v))
            return false;
        while (next < sizeof parts / sizeof *parts && (parts[next].letter != s.p[at] || parts[next].time != time))
            next++;
        if (next == sizeof parts / sizeof *parts) return false;
        broken_part = str_find(digits, '.', 0) >= 0;
        int64_t count = 0, more;
        bool exact = str_to_i64(digits, &count);
        if (exact ? __builtin_mul_overflow(count, parts[next].s * NS_PER_S, &more)
                  : !(v * (double)parts[next].s * 1e9 < 0x1p63))
            return false;
        if (!exact) more = (int64_t)rint(v * (double)parts[next].s * 1e9);
        if (__builtin_add_overflow(total, more, &total)) return false;
        at++;
        next++;
    }
    if (next == 0) return false;
    *ns = minus ? -total : total;
    return true;
}

// ---- JSON ---------------------------------------------------------------------------------------------------------

static ExprValue of_token(const JsonToken *t, Str raw, Arena *a) {
    switch (t->type) {
    case JSON_NULL: return (ExprValue){.type = EXPR_NULL};
    case JSON_FALSE: return of_bool(false);
    case JSON_TRUE: return of_bool(true);
    case JSON_INT: return of_i64(EXPR_I64, t->i);
    case JSON_DOUBLE: return of_f64(t->d);
    case JSON_STRING: return of_text(EXPR_STR, json_unescape(a, *t));
    default: return of_text(EXPR_DOC, raw);
    }
}

ExprValue expr_value_of_json(Str raw, Arena *a) {
    JsonScan s;
    JsonToken t;
    json_scan_init(&s, raw);
    return json_scan_value(&s, &t) ? of_token(&t, raw, a) : undefined();
}

static bool key_is(const JsonToken *key, Str name, Arena *a) {
    return str_eq(key->escaped ? json_unescape(a, *key) : key->raw, name);
}

// The text of member `name`, the last one of that name as elsewhere.
static bool find_member(JsonScan *s, Str name, Arena *a, Str *raw) {
    JsonToken key;
    bool found = false;
    if (!json_scan_object(s)) return false;
    while (json_scan_key(s, &key)) {
        Str text;
        if (!json_scan_skip(s, &text)) return false;
        if (!key_is(&key, name, a)) continue;
        *raw = text;
        found = true;
    }
    return found && s->err == ERR_OK;
}

static bool find_element(JsonScan *s, int64_t index, Str *raw) {
    if (!json_scan_array(s)) return false;
    while (json_scan_item(s)) {
        if (!json_scan_skip(s, raw)) return false;
        if (index-- == 0) return true;
    }
    return false;
}

ExprValue expr_value_member(const ExprValue *doc, const ExprSeg *seg, ExprType to, Arena *a) {
    JsonScan s;
    Str raw = {0};
    if (doc->type != EXPR_DOC) return undefined();
    json_scan_init(&s, doc->s);
    bool found = seg->index >= 0 ? find_element(&s, seg->index, &raw) : find_member(&s, seg->name, a, &raw);
    if (!found) return undefined();
    ExprValue v = expr_value_of_json(raw, a);
    bool number = expr_is_number(v.type) && expr_is_number(to);
    return v.type == EXPR_NULL || !number ? (to == EXPR_ANY || v.type == to ? v : undefined())
                                          : expr_value_cast(&v, to, a);
}

static void put_duration(int64_t ns, Buf *out) {
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, second = (uint64_t)NS_PER_S;
    uint64_t s = u / second, rest = u % second;
    buf_str_put(out, ns < 0 ? STR("-P") : STR("P"));
    if (s >= 86400) buf_printf(out, "%lluD", (unsigned long long)(s / 86400));
    s %= 86400;
    if (s || rest || u < second * 86400) buf_byte(out, 'T');
    if (s >= 3600) buf_printf(out, "%lluH", (unsigned long long)(s / 3600));
    if (s % 3600 >= 60) buf_printf(out, "%lluM", (unsigned long long)(s % 3600 / 60));
    if (rest) {
        char digits[16];
        int n = snprintf(digits, sizeof digits, "%09llu", (unsigned long long)rest);
        while (digits[n - 1] == '0') n--;
        buf_printf(out, "%llu.%.*sS", (unsigned long long)(s % 60), n, digits);
    } else if (s % 60 || u == 0) {
        buf_printf(out, "%lluS", (unsigned long long)(s % 60));
    }
}

static void put_point(const ExprValue *v, Buf *out) {
    buf_str_put(out, STR("{\"type\":\"Point\",\"coordinates\":["));
    json_put_f64(out, v->point.lon);
    buf_byte(out, ',');
    json_put_f64(out, v->point.lat);
    buf_str_put(out, STR("]}"));
}

// Without quotes.
static void put_plain(const ExprValue *v, Buf *out) {
    switch (v->type) {
    case EXPR_BOOL: buf_str_put(out, v->b ? STR("true") : STR("false")); break;
    case EXPR_I64: json_put_i64(out, v->i); break;
    case EXPR_F64: json_put_f64(out, v->d); break;
    case EXPR_STR:
    case EXPR_DOC: buf_str_put(out, v->s); break;
    case EXPR_TIME: time_print(v->i, 7, out); break;
    case EXPR_DURATION: put_duration(v->i, out); break;
    case EXPR_POINT: put_point(v, out); break;
    default: buf_str_put(out, STR("null"));
    }
}

void expr_value_json(const ExprValue *v, Buf *out) {
    bool quoted = v->type == EXPR_TIME || v->type == EXPR_DURATION;
    if (v->type == EXPR_STR) {
        json_put_str(out, v->s);
        return;
    }
    if (quoted) buf_byte(out, '"');
    put_plain(v, out);
    if (quoted) buf_byte(out, '"');
}

Str expr_value_text(const ExprValue *v, Arena *a) {
    Buf b = {.max = FUNC_TEXT_MAX};
    if (v->type == EXPR_STR) return v->s;
    put_plain(v, &b);
    return printed(a, &b);
}
