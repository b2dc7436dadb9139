// SPDX-License-Identifier: Apache-2.0
// Bytes in, record out: refused, or the same bytes again and again; the guard reads whatever it is given, and a twin
// that was erased is named no more.
#include "base/check.h"
#include "decide/guard.h"
#include "decide/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Out and in again.
static void check_record(Arena *a, const Decision *x) {
    Buf once = {0}, twice = {0}, shorter = {0};
    Json v;
    Decision y;
    char hash[65];
    decision_put(x, &once);
    Err err = json_parse(buf_str(&once), NULL, a, &v, NULL);
    CHECK(!err);
    err = decision_of(a, &v, &y, NULL);
    CHECK(!err);
    decision_put(&y, &twice);
    CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    decision_hash(&v, hash);
    decision_seal(&y, a);
    CHECK(str_eq(y.hash, str_of(hash)));
    decision_put_short(x, &shorter);
    (void)decision_approvals(x);
    buf_free(&once);
    buf_free(&twice);
    buf_free(&shorter);
}

static void check_forget(Arena *a, const Json *v, Str twin) {
    Buf out = {0};
    Json w;
    if (!twin.n) return;
    decision_forget(v, twin, &out);
    Err err = json_parse(buf_str(&out), NULL, a, &w, NULL);
    CHECK(!err || err == ERR_LIMIT);
    CHECK(err || !decision_names(&w, twin));
    buf_free(&out);
}

static void check_guard(Str text, const Decision *x) {
    GuardAsk ask = {.record = text, .now_ns = x ? x->at_ns + 1 : 0};
    if (x) ask.leaving = x->command.c;
    Err err = guard_allows(&ask, NULL);
    CHECK(!err || err == ERR_NOT_ALLOWED);
    if (x) ask.leaving = x->rollback.c;
    ask.undo = true;
    err = guard_allows(&ask, NULL);
    CHECK(!err || err == ERR_NOT_ALLOWED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a;
    Diag d;
    Json v;
    Decision x;
    Str text = {(const char *)data, (int64_t)size};
    if (size > 1 << 18) return 0;
    arena_init(&a, 0);
    diag_init(&d);
    Err err = json_parse(text, NULL, &a, &v, &d);
    if (!err) err = decision_of(&a, &v, &x, &d);
    CHECK(!err || d.count > 0);
    if (!err) check_record(&a, &x);
    if (!err) check_forget(&a, &v, x.twin);
    check_guard(text, err ? NULL : &x);
    diag_free(&d);
    arena_free(&a);
    return 0;
}
