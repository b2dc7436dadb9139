// SPDX-License-Identifier: Apache-2.0
// The functions of func.def: the table, and what each gives for values.
#include "expr/func.h"
#include <math.h>
#include "base/check.h"
#include "base/time.h"
#include "codec/json.h"
#include "expr/lex.h"

// ---- the table ----------------------------------------------------------------------------------------------------

static const ExprFunc FUNCS[] = {
#define FUNC(id, name, alias, args, min, max, params, result, units, doc, example)                                     \
    {name, alias, args, min, max, doc, example},
#include "expr/func.def"
#undef FUNC
};

static const FuncRule RULES[] = {
#define FUNC(id, name, alias, args, min, max, params, result, units, doc, example)                                     \
    {params, RESULT_##result, UNITS_##units},
#include "expr/func.def"
#undef FUNC
};

int32_t expr_func_count(void) { return FUNC_COUNT; }

ExprFunc expr_func_at(int32_t i) {
    CHECK(i >= 0 && i < FUNC_COUNT);
    return FUNCS[i];
}

const FuncRule *expr_func_rule(int32_t func) { return &RULES[func]; }

int32_t expr_func_find(Str name) {
    for (int32_t i = 0; i < FUNC_COUNT; i++) {
        if (str_eq_nocase(name, str_of(FUNCS[i].name))) return i;
        if (FUNCS[i].alias[0] && str_eq_nocase(name, str_of(FUNCS[i].alias))) return i;
    }
    return -1;
}

// ---- results ------------------------------------------------------------------------------------------------------

static ExprValue undefined(void) { return (ExprValue){.type = EXPR_UNDEFINED}; }
static ExprValue of_bool(bool b) { return (ExprValue){.type = EXPR_BOOL, .b = b}; }
static ExprValue of_i64(int64_t i) { return (ExprValue){.type = EXPR_I64, .i = i}; }
static ExprValue of_f64(double d) { return isfinite(d) ? (ExprValue){.type = EXPR_F64, .d = d} : undefined(); }
static ExprValue of_str(Str s) { return (ExprValue){.type = EXPR_STR, .s = s}; }

static double f64_of(const ExprValue *v) { return v->type == EXPR_F64 ? v->d : (double)v->i; }

static bool starts_with(const ExprValue *v, char c) { return v->type == EXPR_DOC && v->s.n > 0 && v->s.p[0] == c; }

static bool type_test(int32_t func, const ExprValue *v) {
    ExprType t = v->type;
    switch (func) {
    case FUNC_IS_DEFINED: return t != EXPR_UNDEFINED;
    case FUNC_IS_NULL: return t == EXPR_NULL;
    case FUNC_IS_BOOL: return t == EXPR_BOOL;
    case FUNC_IS_NUMBER: return expr_is_number(t);
    case FUNC_IS_STRING: return t == EXPR_STR;
    case FUNC_IS_OBJECT: return starts_with(v, '{');
    case FUNC_IS_ARRAY: return starts_with(v, '[');
    default: return t == EXPR_NULL || t == EXPR_BOOL || t == EXPR_STR || expr_is_number(t);
    }
}

// ---- texts --------------------------------------------------------------------------------------------------------

static int64_t char_count(Str s) {
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i++) n += ((uint8_t)s.p[i] & 0xC0) != 0x80;
    return n;
}

// Byte offset of character `count`, at most the end.
static int64_t char_at(Str s, int64_t count) {
    int64_t i = 0;
    while (i < s.n && count > 0) {
        for (i++; i < s.n && ((uint8_t)s.p[i] & 0xC0) == 0x80;) i++;
        count--;
    }
    return i;
}

static ExprValue length(const ExprValue *v) {
    JsonScan s;
    int64_t n = 0;
    if (v->type == EXPR_STR) return of_i64(char_count(v->s));
    if (v->type != EXPR_DOC) return undefined();
    json_scan_init(&s, v->s);
    if (starts_with(v, '[')) {
        if (json_scan_array(&s))
            for (; json_scan_item(&s) && json_scan_skip(&s, NULL);) n++;
    } else if (json_scan_object(&s)) {
        JsonToken key;
        for (; json_scan_key(&s, &key) && json_scan_skip(&s, NULL);) n++;
    }
    return s.err ? undefined() : of_i64(n);
}

// Whole, and between 0 and the largest.
static bool as_count(const ExprValue *v, int64_t *out) {
    ExprValue i = expr_value_cast(v, EXPR_I64, NULL);
    *out = i.i;
    return i.type == EXPR_I64 && i.i >= 0;
}

static ExprValue substring(const ExprValue *a, int32_t n) {
    int64_t start, count = INT64_MAX;
    if (!as_count(&a[1], &start) || (n > 2 && !as_count(&a[2], &count))) return undefined();
    int64_t from = char_at(a[0].s, start);
    Str rest = str_sub(a[0].s, from, a[0].s.n);
    return of_str(str_sub(rest, 0, char_at(rest, count)));
}

static ExprValue trimmed(Str s) {
    while (s.n && strchr(" \t\r\n\f\v", s.p[0]) && s.p[0]) s = str_sub(s, 1, s.n);
    while (s.n && strchr(" \t\r\n\f\v", s.p[s.n - 1]) && s.p[s.n - 1]) s.n--;
    return of_str(s);
}

static ExprValue concat(const ExprValue *a, int32_t n, Arena *scratch) {
    Str parts[FUNC_ARGS_MAX];
    int64_t size = 0;
    for (int32_t i = 0; i < n; i++) {
        parts[i] = expr_value_text(&a[i], scratch);
        size += parts[i].n;
    }
    if (size > FUNC_TEXT_MAX) return undefined();
    char *text = NEW(scratch, char, size + 1), *w = text;
    for (int32_t i = 0; i < n; i++) {
        if (parts[i].n) memcpy(w, parts[i].p, (size_t)parts[i].n);
        w += parts[i].n;
    }
    return of_str((Str){text, size});
}

static ExprValue replace(Str s, Str part, Str by, Arena *scratch) {
    int64_t hits = 0, at;
    if (part.n == 0) return of_str(s);
    for (Str rest = s; (at = str_find_str(rest, part)) >= 0; hits++) rest = str_sub(rest, at + part.n, rest.n);
    int64_t size = s.n + hits * (by.n - part.n);
    if (size > FUNC_TEXT_MAX) return undefined();
    char *text = NEW(scratch, char, size + 1), *w = text;
    Str rest = s;
    for (; hits > 0; hits--) {
        at = str_find_str(rest, part);
        memcpy(w, rest.p, (size_t)at);
        w += at;
        if (by.n) memcpy(w, by.p, (size_t)by.n);
        w += by.n;
        rest = str_sub(rest, at + part.n, rest.n);
    }
    if (rest.n) memcpy(w, rest.p, (size_t)rest.n);
    return of_str((Str){text, size});
}

static ExprValue index_of(Str s, Str part) {
    int64_t at = str_find_str(s, part);
    return of_i64(at < 0 ? -1 : char_count(str_sub(s, 0, at)));
}

static int64_t char_size(Str s, int64_t at) {
    int64_t n = 1;
    while (at + n < s.n && ((uint8_t)s.p[at + n] & 0xC0) == 0x80) n++;
    return n;
}

// Greedy with one point of return, the last %: O(text x pattern) at worst.
static bool like(Str s, Str p) {
    int64_t i = 0, j = 0, back_i = -1, back_j = 0;
    while (i < s.n) {
        bool escaped = j + 1 < p.n && p.p[j] == '\\';
        if (j < p.n && p.p[j] == '%') {
            back_j = ++j;
            back_i = i;
        } else if (j < p.n && p.p[j] == '_') {
            i += char_size(s, i);
            j++;
        } else if (j < p.n && s.p[i] == p.p[j + escaped]) {
            i++;
            j += 1 + escaped;
        } else if (back_i >= 0) {
            back_i += char_size(s, back_i);
            i = back_i;
            j = back_j;
        } else {
            return false;
        }
    }
    while (j < p.n && p.p[j] == '%') j++;
    return j == p.n;
}

static ExprValue array_contains(const ExprValue *a, Arena *scratch) {
    JsonScan s;
    Str raw;
    if (!starts_with(&a[0], '[')) return undefined();
    json_scan_init(&s, a[0].s);
    if (!json_scan_array(&s)) return undefined();
    while (json_scan_item(&s) && json_scan_skip(&s, &raw)) {
        ExprValue v = expr_value_of_json(raw, scratch);
        ExprValue same = expr_value_relate(BOUND_EQ, &v, &a[1]);
        if (same.type == EXPR_BOOL && same.b) return same;
    }
    return s.err ? undefined() : of_bool(false);
}

static ExprValue text_call(int32_t func, const ExprValue *a, int32_t n, Arena *scratch) {
    for (int32_t i = 0; i < (func == FUNC_SUBSTRING ? 1 : n); i++) {
        if (a[i].type != EXPR_STR) return undefined();
    }
    switch (func) {
    case FUNC_STARTSWITH: return of_bool(str_starts(a[0].s, a[1].s));
    case FUNC_ENDSWITH: return of_bool(str_ends(a[0].s, a[1].s));
    case FUNC_CONTAINS: return of_bool(str_find_str(a[0].s, a[1].s) >= 0);
    case FUNC_LIKE: return of_bool(like(a[0].s, a[1].s));
    case FUNC_LOWER: return of_str(expr_text_case(a[0].s, false, scratch));
    case FUNC_UPPER: return of_str(expr_text_case(a[0].s, true, scratch));
    case FUNC_TRIM: return trimmed(a[0].s);
    case FUNC_SUBSTRING: return substring(a, n);
    case FUNC_REPLACE: return replace(a[0].s, a[1].s, a[2].s, scratch);
    default: return index_of(a[0].s, a[1].s);
    }
}

// ---- numbers ------------------------------------------------------------------------------------------------------

static ExprValue rounded(const ExprValue *a, int32_t n) {
    int64_t digits = 0;
    if (n > 1) {
        ExprValue d = expr_value_cast(&a[1], EXPR_I64, NULL);
        if (d.type != EXPR_I64 || d.i < -300 || d.i > 300) return undefined();
        digits = d.i;
    }
    if (a[0].type == EXPR_I64 && digits >= 0) return a[0];
    double v = f64_of(&a[0]);
    if (digits >= 0 && fabs(v) >= 0x1p52) return a[0]; // whole already
    double scale = pow(10, (double)(digits < 0 ? -digits : digits));
    ExprValue r = of_f64((digits >= 0 ? round(v * scale) / scale : round(v / scale) * scale) + 0.0); // no minus zero
    if (digits > 0 && r.type == EXPR_UNDEFINED) return a[0]; // too many digits to count with
    return a[0].type == EXPR_I64 ? expr_value_cast(&r, EXPR_I64, NULL) : r;
}

// Functions that give an integer for an integer.
static ExprValue same_call(int32_t func, const ExprValue *a, int32_t n) {
    const ExprValue zero = {.type = EXPR_I64};
    switch (func) {
    case FUNC_ABS: return expr_compare(&a[0], &zero) < 0 ? expr_value_arith(BOUND_NEG, &a[0], NULL) : a[0];
    case FUNC_CEILING: return a[0].type == EXPR_I64 ? a[0] : of_f64(ceil(a[0].d));
    case FUNC_FLOOR: return a[0].type == EXPR_I64 ? a[0] : of_f64(floor(a[0].d));
    case FUNC_ROUND: return rounded(a, n);
    default: break;
    }
    if (expr_compare(&a[1], &a[2]) > 0) return undefined();
    return expr_compare(&a[0], &a[1]) < 0 ? a[1] : expr_compare(&a[0], &a[2]) > 0 ? a[2] : a[0];
}

static ExprValue math_call(int32_t func, const ExprValue *a, int32_t n) {
    double x = f64_of(&a[0]), y = n > 1 ? f64_of(&a[1]) : 0;
    switch (func) {
    case FUNC_SIGN: return of_i64((x > 0) - (x < 0));
    case FUNC_SQRT: return of_f64(sqrt(x));
    case FUNC_POWER: return of_f64(pow(x, y));
    case FUNC_EXP: return of_f64(exp(x));
    case FUNC_LOG: return of_f64(n > 1 ? log(x) / log(y) : log(x));
    case FUNC_LOG10: return of_f64(log10(x));
    case FUNC_SIN: return of_f64(sin(x));
    case FUNC_COS: return of_f64(cos(x));
    case FUNC_TAN: return of_f64(tan(x));
    case FUNC_ASIN: return of_f64(asin(x));
    case FUNC_ACOS: return of_f64(acos(x));
    case FUNC_ATAN: return of_f64(atan(x));
    default: return of_f64(atan2(x, y));
    }
}

static ExprValue number_call(int32_t func, const ExprValue *a, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        if (!expr_is_number(a[i].type)) return undefined();
    }
    bool same = RULES[func].result == RESULT_SAME;
    ExprValue r = same ? same_call(func, a, n) : math_call(func, a, n);
    if (func != FUNC_CLAMP || r.type != EXPR_I64) return r;
    for (int32_t i = 0; i < n; i++) { // one double among them makes the result a double
        if (a[i].type == EXPR_F64) return of_f64(f64_of(&r));
    }
    return r;
}

static ExprValue extreme(const ExprValue *a, int32_t n, int sign) {
    ExprValue best = a[0];
    bool mixed = false;
    for (int32_t i = 1; i < n; i++) {
        int c = expr_compare(&a[i], &best);
        if (c == 2) return undefined();
        mixed = mixed || a[i].type != best.type;
        if (c * sign > 0) best = a[i];
    }
    return mixed && best.type == EXPR_I64 ? of_f64((double)best.i) : best;
}

static ExprValue coalesce(const ExprValue *a, int32_t n) {
    for (int32_t i = 0; i < n - 1; i++) {
        if (a[i].type != EXPR_UNDEFINED && a[i].type != EXPR_NULL) return a[i];
    }
    return a[n - 1];
}

// ---- time ---------------------------------------------------------------------------------------------------------

static ExprValue calendar(int32_t func, int64_t ns) {
    int64_t s = ns / NS_PER_S - (ns % NS_PER_S < 0), day = s / 86400 - (s % 86400 < 0), rest = s - day * 86400;
    int32_t year, month, mday;
    time_civil(day, &year, &month, &mday);
    switch (func) {
    case FUNC_YEAR: return of_i64(year);
    case FUNC_MONTH: return of_i64(month);
    case FUNC_DAY: return of_i64(mday);
    case FUNC_HOUR: return of_i64(rest / 3600);
    case FUNC_MINUTE: return of_i64(rest / 60 % 60);
    case FUNC_SECOND: return of_i64(rest % 60);
    default: return of_i64(((day + 3) % 7 + 7) % 7 + 1); // 1970-01-01 was a Thursday
    }
}

static ExprValue to_number(const ExprValue *v) {
    int64_t i;
    double d;
    if (expr_is_number(v->type)) return *v;
    if (v->type == EXPR_DURATION) return of_f64((double)v->i / (double)NS_PER_S);
    if (v->type != EXPR_STR) return undefined();
    Str s = trimmed(v->s).s;
    if (str_to_i64(s, &i)) return of_i64(i);
    return str_to_f64(s, &d) ? of_f64(d) : undefined();
}

static ExprValue point(const ExprValue *a) {
    if (!expr_is_number(a[0].type) || !expr_is_number(a[1].type)) return undefined();
    ExprValue p = {.type = EXPR_POINT, .point = {f64_of(&a[0]), f64_of(&a[1])}};
    return fabs(p.point.lat) <= 90 && fabs(p.point.lon) <= 360 ? p : undefined();
}

static ExprValue within(const ExprValue *a, int32_t n) {
    if (n == 2) return expr_geo_within(&a[0], &a[1]);
    ExprValue d = expr_geo_distance(&a[0], &a[1]);
    return expr_is_number(a[2].type) ? expr_value_relate(BOUND_LE, &d, &a[2]) : undefined();
}

// ---- calls --------------------------------------------------------------------------------------------------------

ExprValue expr_func_call(int32_t func, const ExprValue *a, int32_t n, const ExprRun *run) {
    if (func >= FUNC_IS_DEFINED && func <= FUNC_IS_PRIMITIVE) return of_bool(type_test(func, &a[0]));
    if (func == FUNC_NOW) return (ExprValue){.type = EXPR_TIME, .i = run->now};
    if (func == FUNC_COALESCE) return coalesce(a, n);
    for (int32_t i = 0; i < n; i++) {
        if (a[i].type == EXPR_UNDEFINED) return undefined();
    }
    switch (func) {
    case FUNC_ARRAY_CONTAINS: return array_contains(a, run->scratch);
    case FUNC_LENGTH: return length(a);
    case FUNC_CONCAT: return concat(a, n, run->scratch);
    case FUNC_LEAST: return extreme(a, n, -1);
    case FUNC_GREATEST: return extreme(a, n, 1);
    case FUNC_TIME: return expr_value_cast(a, EXPR_TIME, run->scratch);
    case FUNC_SECONDS: return a[0].type == EXPR_DURATION ? to_number(a) : undefined();
    case FUNC_TO_STRING: return of_str(expr_value_text(a, run->scratch));
    case FUNC_TO_NUMBER: return to_number(a);
    case FUNC_POINT: return point(a);
    case FUNC_DISTANCE: return expr_geo_distance(&a[0], &a[1]);
    case FUNC_WITHIN: return within(a, n);
    default: break;
    }
    if (func >= FUNC_YEAR && func <= FUNC_WEEKDAY) return a[0].type == EXPR_TIME ? calendar(func, a[0].i) : undefined();
    return RULES[func].params[0] == 's' ? text_call(func, a, n, run->scratch) : number_call(func, a, n);
}
