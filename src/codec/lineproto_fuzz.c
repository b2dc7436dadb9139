// SPDX-License-Identifier: Apache-2.0
// Bytes in, points out. Reading in steps says the same as reading at once; what can be written again reads back alike;
// faults lie within the text, and reading always ends.
#include "base/check.h"
#include "codec/lineproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_field(const LpField *x, const LpField *y) {
    CHECK(x->type == y->type && str_eq(x->key, y->key));
    if (x->type == LP_STRING) CHECK(str_eq(x->s, y->s));
    else if (x->type == LP_BOOL) CHECK(x->b == y->b);
    else if (x->type == LP_FLOAT) CHECK(x->d == y->d);
    else CHECK(x->u == y->u);
}

static void check_again(const LpPoint *p, Arena *arena) {
    Buf b = {0};
    LineProto r;
    LpPoint q;
    if (lineproto_put(&b, p, 1) == ERR_OK) {
        lineproto_init(&r, buf_str(&b), 1, p->time_ns, arena);
        CHECK(lineproto_next(&r, &q) == LP_POINT);
        CHECK(str_eq(p->name, q.name) && p->time_ns == q.time_ns);
        CHECK(p->tag_count == q.tag_count && p->field_count == q.field_count);
        for (int32_t i = 0; i < p->tag_count; i++)
            CHECK(str_eq(p->tags[i].key, q.tags[i].key) && str_eq(p->tags[i].value, q.tags[i].value));
        for (int32_t i = 0; i < p->field_count; i++) check_field(&p->fields[i], &q.fields[i]);
        CHECK(lineproto_next(&r, &q) == LP_END);
        lineproto_free(&r);
    }
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 14) return 0;
    Arena arena;
    LineProto r, steps;
    LpPoint p, s;
    LpGot got;
    Str text = {(const char *)data, (int64_t)size}, head;
    int64_t n = 0;
    arena_init(&arena, 0);
    lineproto_init(&r, text, 1, 0, &arena);
    lineproto_init(&steps, text, 1, 0, &arena);
    while ((got = lineproto_next(&r, &p)) != LP_END) {
        LpGot first = lineproto_head(&steps, &head);
        LpGot second = first == LP_POINT ? lineproto_rest(&steps, &s) : first; // the tags left out
        CHECK(got == LP_BAD || second == LP_POINT);
        if (got == LP_POINT) {
            CHECK(s.field_count == p.field_count && s.time_ns == p.time_ns && s.line == p.line);
            check_again(&p, &arena);
        } else {
            CHECK(r.bad_line >= 1 && r.bad_column >= 1 && r.bad_column <= text.n + 1);
            lineproto_free(&steps); // it may have gone on elsewhere
            lineproto_init(&steps, (Str){r.p, r.end - r.p}, 1, 0, &arena);
            steps.line = r.line;
        }
        CHECK(++n <= text.n + 1);
    }
    lineproto_free(&r);
    lineproto_free(&steps);
    arena_free(&arena);
    return 0;
}
