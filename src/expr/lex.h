// SPDX-License-Identifier: Apache-2.0
// Tokens of queries and expressions, and the parser that query/parse.c goes on with.
#pragma once
#include "expr/expr.h"

typedef enum TokenKind {
    TOKEN_END,
    TOKEN_NAME,    // text; keywords are names, told apart by token_is
    TOKEN_QUOTED,  // [[text]]: a name that is never a keyword
    TOKEN_STRING,  // text, escapes resolved
    TOKEN_INTEGER, // value I64; no sign
    TOKEN_NUMBER,  // value F64; no sign; also integers over 64 bits
    TOKEN_SPAN,    // value DURATION: 90s, 5m, 1h, 1d, 1w, 250ms
    TOKEN_PUNCT,   // one of ( ) [ ] { } , . ; : ? = < > ! + - * / % | - one byte each, except <= >= != <> and ..
    TOKEN_BAD,     // text: what is wrong (unknown byte, open string)
} TokenKind;
// Arrows are read by the parser from their bytes: a `<` or `-` with `joined` (nothing between it and the token before).

typedef struct Token {
    TokenKind kind;
    int32_t at, end;
    bool joined; // no white space before it
    Str text;    // NAME, QUOTED, STRING: resolved; PUNCT: the bytes; BAD: a sentence
    ExprValue value;
} Token;

// A cursor over a text; `token` is the next token, not yet taken. White space and `-- comments` are skipped.
// "[[" begins a QUOTED name only where the parser wants one: lexed so whenever two brackets stand together and "]]"
// follows before the end of the text.
typedef struct Lex {
    Arena *arena;
    Str text;
    Token token;
    int32_t at;    // behind `token`
    int32_t nodes; // made so far, see EXPR_NODES_MAX
    int32_t depth;
    Diag *diag;
} Lex;

// Start at byte 0. Errors: SYNTAX (bad UTF-8), LIMIT (EXPR_TEXT_MAX).
MUST Err lex_begin(Lex *l, Arena *a, Str text, Diag *d);
// Take the next token.
void lex_next(Lex *l);
// A cheap copy for looking ahead: Lex ahead = *l; lex_next(&ahead) ...
// The next token is the keyword (ASCII, case ignored; never a QUOTED name) or the punctuation `s`.
bool lex_is(const Lex *l, const char *s);
// Take it if it is; false and nothing taken when not.
bool lex_take(Lex *l, const char *s);
// Take it or complain: SYNTAX "expected ... but found ..." at the token.
MUST Err lex_want(Lex *l, const char *s);
// A name (NAME that is no reserved word, or QUOTED). `what`: for the message ("an alias").
MUST Err lex_name(Lex *l, const char *what, Str *out);
// Is it one of the words that cannot be a bare name (SELECT, FROM, WHERE, AND, ...)?
bool lex_reserved(Str word);
// SYNTAX at the next token (or what is wrong with it when it is BAD). Returns ERR_SYNTAX.
MUST Err lex_fail(Lex *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Parse one expression from the next token on; stops at the first token that cannot continue it.
MUST Err lex_expr(Lex *l, Expr **out);
