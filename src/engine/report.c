// SPDX-License-Identifier: Apache-2.0
#include "engine/report.h"
#include <string.h>
#include "codec/json.h"
#include "engine/engine.h"

void report_reject(Report *r, Arena *keep, int64_t line, Err err, Str message) {
    r->rejected++;
    if (r->error_count == LINE_ERRORS_MAX) return;
    r->errors[r->error_count++] = (LineError){line, err, arena_str(keep, message)};
}

void report_reject_message(Report *r, Arena *keep, int64_t line, Err err, const DiagMessage *m) {
    Buf text = {0};
    task_message_put(&text, m);
    report_reject(r, keep, line, err, buf_str(&text));
    buf_free(&text);
}

void report_reject_diag(Report *r, Arena *keep, int64_t line, Err err, const Diag *d) {
    if (d->count) report_reject_message(r, keep, line, err, &d->messages[0]);
    else report_reject(r, keep, line, err, str_of(err_text(err)));
}

Str report_message(Arena *a, Err err, const Diag *d) {
    if (!d || !d->count) return str_of(err_text(err));
    Buf text = {0};
    task_message_put(&text, &d->messages[0]);
    Str s = arena_str(a, buf_str(&text));
    buf_free(&text);
    return s;
}

Tally report_tally(const Report *r) {
    Tally t = {r->accepted, r->rejected, r->late, r->duplicates, r->error_count, {0}};
    memcpy(t.kinds, r->kinds, sizeof t.kinds);
    return t;
}

void report_back(Report *r, const Tally *t) {
    r->accepted = t->accepted;
    r->rejected = t->rejected;
    r->late = t->late;
    r->duplicates = t->duplicates;
    r->error_count = t->error_count;
    memcpy(r->kinds, t->kinds, sizeof r->kinds);
}

void report_put(const Report *r, Str more, Buf *out) {
    buf_printf(out, "{\"accepted\":%lld,\"rejected\":%lld%.*s,\"errors\":[", (long long)r->accepted,
               (long long)r->rejected, STR_ARG(more));
    for (int64_t i = 0; i < r->error_count; i++) {
        const LineError *e = &r->errors[i];
        buf_printf(out, "%s{\"line\":%lld,\"code\":\"%s\",\"message\":", i ? "," : "", (long long)e->line,
                   err_wire(e->err));
        json_put_str(out, e->message);
        buf_byte(out, '}');
    }
    buf_printf(out, "]}");
}
