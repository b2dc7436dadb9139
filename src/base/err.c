// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/check.h"

typedef struct ErrRow {
    const char *name, *wire, *text;
    int http, exit;
} ErrRow;

static const ErrRow rows[] = {
#define ERR(name, http, exit, wire, text) {#name, wire, text, http, exit},
#include "sosia/err.def"
#undef ERR
};

static const ErrRow *row(Err e) {
    CHECK((unsigned)e < SOSIA_ERR_COUNT);
    return &rows[e];
}

const char *err_name(Err e) { return row(e)->name; }
const char *err_wire(Err e) { return row(e)->wire; }
int err_http(Err e) { return row(e)->http; }
int err_exit(Err e) { return row(e)->exit; }
const char *err_text(Err e) { return row(e)->text; }

void diag_init(Diag *d) {
    d->code = ERR_OK;
    d->count = 0;
    d->total = 0;
    arena_init(&d->keep, 4096);
}

void diag_free(Diag *d) {
    arena_free(&d->keep);
    diag_init(d);
}

Err diag_add(Diag *d, Err code, int64_t at, int64_t end, Str where, const char *fmt, ...) {
    if (!d) return code;
    if (d->code == ERR_OK) d->code = code;
    d->total++;
    if (d->count == DIAG_MESSAGES_MAX) return code;
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0) n = 0;
    if (n >= (int)sizeof text) n = (int)sizeof text - 1;
    d->messages[d->count++] = (DiagMessage){
        .code = code,
        .at = at,
        .end = end,
        .where = arena_str(&d->keep, where),
        .text = arena_str(&d->keep, (Str){text, n}),
    };
    return code;
}

void diag_print(const Diag *d, Buf *out) {
    for (int32_t i = 0; i < d->count; i++) {
        const DiagMessage *m = &d->messages[i];
        if (i) buf_byte(out, '\n');
        if (m->where.n) buf_printf(out, "%.*s: ", STR_ARG(m->where));
        buf_str_put(out, m->text);
    }
    if (d->total > d->count) buf_printf(out, "\n(and %lld more)", (long long)(d->total - d->count));
}
