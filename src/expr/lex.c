// SPDX-License-Identifier: Apache-2.0
#include "expr/lex.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/decimal.h"
#include "base/time.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_first(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }
static bool is_name(char c) { return is_name_first(c) || is_digit(c); }
static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

static char peek(const Lex *l, int64_t at) { return at < l->text.n ? l->text.p[at] : 0; }

Err lex_begin(Lex *l, Arena *a, Str text, Diag *d) {
    *l = (Lex){.arena = a, .diag = d};
    if (text.n > EXPR_TEXT_MAX)
        return diag_add(d, ERR_LIMIT, EXPR_TEXT_MAX, text.n, STR(""), "the text has %lld bytes; at most %d are allowed",
                        (long long)text.n, EXPR_TEXT_MAX);
    for (int64_t at = 0; at < text.n;) {
        int n = str_utf8_size(text.p + at, text.p + text.n);
        if (n == 0) return diag_add(d, ERR_SYNTAX, at, at + 1, STR(""), "the text is not valid UTF-8");
        at += n;
    }
    l->text = arena_str(a, text);
    lex_next(l);
    return ERR_OK;
}

// ---- tokens -------------------------------------------------------------------------------------------------------

// Behind white space and comments.
static int32_t skip_blank(const Lex *l, int32_t at) {
    for (;;) {
        while (at < l->text.n && is_blank(l->text.p[at])) at++;
        if (peek(l, at) != '-' || peek(l, at + 1) != '-') return at;
        while (at < l->text.n && l->text.p[at] != '\n') at++;
    }
}

static void bad(Lex *l, int32_t end, const char *why) {
    l->token.kind = TOKEN_BAD;
    l->token.end = end;
    l->token.text = str_of(why);
}

// [[text]]; false when these are two plain brackets.
static bool take_quoted(Lex *l) {
    int32_t at = l->token.at;
    if (peek(l, at + 1) != '[') return false;
    int64_t n = str_find_str(str_sub(l->text, at + 2, l->text.n), STR("]]"));
    if (n < 0) return false;
    l->token.kind = TOKEN_QUOTED;
    l->token.end = at + 2 + (int32_t)n + 2;
    l->token.text = str_sub(l->text, at + 2, at + 2 + n);
    if (n == 0) bad(l, l->token.end, "a name in [[ ]] must not be empty");
    return true;
}

// A backslash that stands for the character behind it.
static bool escapes(const Lex *l, int32_t at) {
    char next = peek(l, at + 1);
    return l->text.p[at] == '\\' && at + 1 < l->text.n && (next == '\'' || next == '"' || next == '\\');
}

// A text in quotes; \' \" \\ and a doubled quote stand for one character, any other backslash for itself.
static void take_string(Lex *l, char quote) {
    int32_t first = l->token.at + 1, at = first, pairs = 0;
    for (; at < l->text.n; at++) {
        bool pair = escapes(l, at) || (l->text.p[at] == quote && peek(l, at + 1) == quote);
        if (!pair && l->text.p[at] == quote) break;
        pairs += pair;
        at += pair;
    }
    if (at >= l->text.n) {
        bad(l, (int32_t)l->text.n, "the text in quotes has no end");
        return;
    }
    l->token.kind = TOKEN_STRING;
    l->token.end = at + 1;
    l->token.text = str_sub(l->text, first, at);
    if (pairs == 0) return;
    char *out = NEW(l->arena, char, at - first), *w = out;
    for (int32_t i = first; i < at; i++) {
        if (escapes(l, i) || (l->text.p[i] == quote && peek(l, i + 1) == quote)) i++;
        *w++ = l->text.p[i];
    }
    l->token.text = (Str){out, w - out};
}

static int32_t skip_digits(const Lex *l, int32_t at) {
    while (is_digit(peek(l, at))) at++;
    return at;
}

// A number and a letter for its unit, up to `end`: a span of time.
static void take_span(Lex *l, int32_t end) {
    Token *t = &l->token;
    if (!time_parse_duration(str_sub(l->text, t->at, end), &t->value.i)) {
        bad(l, end, "a number must not run into a name; a span of time is 90s, 5m, 1h, 1d or 1w");
        return;
    }
    t->kind = TOKEN_SPAN;
    t->value.type = EXPR_DURATION;
    t->end = end;
    t->text = str_sub(l->text, t->at, end);
}

static void take_number(Lex *l) {
    int32_t first = l->token.at, at = skip_digits(l, first);
    bool whole = true;
    if (peek(l, at) == '.' && is_digit(peek(l, at + 1))) {
        whole = false;
        at = skip_digits(l, at + 1);
    }
    char e = peek(l, at), sign = peek(l, at + 1);
    if ((e == 'e' || e == 'E') && (is_digit(sign) || ((sign == '-' || sign == '+') && is_digit(peek(l, at + 2))))) {
        whole = false;
        at = skip_digits(l, at + 2);
    }
    Token *t = &l->token;
    t->end = at;
    t->text = str_sub(l->text, first, at);
    if (is_name(peek(l, at))) {
        while (is_name(peek(l, at))) at++;
        take_span(l, at);
    } else if (whole && str_to_i64(t->text, &t->value.i)) {
        t->kind = TOKEN_INTEGER;
        t->value.type = EXPR_I64;
    } else if (decimal_parse_f64(t->text, &t->value.d) && isfinite(t->value.d)) {
        t->kind = TOKEN_NUMBER;
        t->value.type = EXPR_F64;
    } else {
        bad(l, at, "the number is too large");
    }
}

static void take_punct(Lex *l) {
    Token *t = &l->token;
    char c = l->text.p[t->at], next = peek(l, t->at + 1);
    bool pair =
        (next == '=' && (c == '<' || c == '>' || c == '!')) || (c == '<' && next == '>') || (c == '.' && next == '.');
    int n = str_utf8_size(l->text.p + t->at, l->text.p + l->text.n);
    t->kind = TOKEN_PUNCT;
    t->end = t->at + (pair ? 2 : n);
    t->text = str_sub(l->text, t->at, t->end);
    if (!pair && (!c || n != 1 || !strchr("()[]{},.;:?=<>!+-*/%|", c)))
        bad(l, t->end,
            n > 1 ? "a name with such a character is written [[name]]" : "this character means nothing here");
}

void lex_next(Lex *l) {
    int32_t at = skip_blank(l, l->at);
    l->token = (Token){.kind = TOKEN_END, .at = at, .end = at, .joined = at == l->at};
    if (at < l->text.n) {
        char c = l->text.p[at];
        if (is_name_first(c)) {
            int32_t end = at;
            while (is_name(peek(l, end))) end++;
            l->token.kind = TOKEN_NAME;
            l->token.end = end;
            l->token.text = str_sub(l->text, at, end);
        } else if (is_digit(c)) {
            take_number(l);
        } else if (c == '\'' || c == '"') {
            take_string(l, c);
        } else if (c != '[' || !take_quoted(l)) {
            take_punct(l);
        }
    }
    l->at = l->token.end;
}

// ---- questions ----------------------------------------------------------------------------------------------------

bool lex_is(const Lex *l, const char *s) {
    if (l->token.kind == TOKEN_NAME) return str_eq_nocase(l->token.text, str_of(s));
    return l->token.kind == TOKEN_PUNCT && str_eq(l->token.text, str_of(s));
}

bool lex_take(Lex *l, const char *s) {
    if (!lex_is(l, s)) return false;
    lex_next(l);
    return true;
}

// What stands there, for a message.
static Str token_shown(const Lex *l) {
    const Token *t = &l->token;
    Str text = str_sub(l->text, t->at, t->end);
    if (t->kind == TOKEN_END) return STR("the end of the text");
    if (text.n > 40) {
        int64_t n = 0;
        while (n < 36) n += str_utf8_size(text.p + n, text.p + text.n);
        return arena_printf(l->arena, "%.*s...", (int)n, text.p);
    }
    return t->kind == TOKEN_STRING ? text : arena_printf(l->arena, "\"%.*s\"", STR_ARG(text));
}

Err lex_fail(Lex *l, const char *fmt, ...) {
    const Token *t = &l->token;
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (t->kind == TOKEN_BAD) return diag_add(l->diag, ERR_SYNTAX, t->at, t->end, STR(""), "%.*s", STR_ARG(t->text));
    return diag_add(l->diag, ERR_SYNTAX, t->at, t->end, STR(""), "%s", text);
}

Err lex_want(Lex *l, const char *s) {
    if (lex_take(l, s)) return ERR_OK;
    return lex_fail(l, "expected %s but found %.*s", s, STR_ARG(token_shown(l)));
}

Err lex_name(Lex *l, const char *what, Str *out) {
    const Token *t = &l->token;
    if (t->kind == TOKEN_NAME && lex_reserved(t->text))
        return lex_fail(l, "expected %s but found the keyword %.*s; a name that is a keyword is written [[%.*s]]", what,
                        STR_ARG(t->text), STR_ARG(t->text));
    if (t->kind != TOKEN_NAME && t->kind != TOKEN_QUOTED)
        return lex_fail(l, "expected %s but found %.*s", what, STR_ARG(token_shown(l)));
    *out = t->text;
    lex_next(l);
    return ERR_OK;
}

// Words that would make a clause or an operator read as something else. The names of functions and of the aggregates
// are free: only a "(" behind them makes a call.
bool lex_reserved(Str word) {
    static const char *const words[] = {"AND",   "AS",     "ASC",   "BY",      "DESC",   "DISTINCT", "FALSE", "FROM",
                                        "GROUP", "HAVING", "IN",    "JOIN",    "MATCH",  "NIN",      "NOT",   "NOT_IN",
                                        "NULL",  "OR",     "ORDER", "RELATED", "SELECT", "TOP",      "TRUE",  "WHERE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    }
    return false;
}
