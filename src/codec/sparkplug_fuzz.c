// SPDX-License-Identifier: Apache-2.0
// Bytes in, payload out: whatever is read can be printed, and written again to bytes that read and write the same.
#include "base/check.h"
#include "base/mem.h"
#include "codec/sparkplug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Every value of the payload, as whatever type it might be asked for.
static void ask_all(const SpPayload *p, Arena *arena) {
    for (size_t i = 0; i < p->n_metrics && i < 64; i++)
        for (uint32_t t = 0; t <= SP_TYPE_COUNT; t++) {
            SpValue v;
            Buf b = {0};
            Json again;
            if (sparkplug_value(p->metrics[i], t, arena, &v, NULL) != ERR_OK) continue;
            sparkplug_put_json(&v, &b);
            CHECK(json_parse(buf_str(&b), NULL, arena, &again, NULL) == ERR_OK);
            SpMetric *m = sparkplug_new_metric(arena);
            if (t != SP_FLOAT && sparkplug_set(m, t, &again, arena, NULL) == ERR_OK) { // a double becomes a float
                SpValue w;
                Buf c = {0};
                CHECK(sparkplug_value(m, t, arena, &w, NULL) == ERR_OK);
                sparkplug_put_json(&w, &c);
                CHECK(str_eq(buf_str(&b), buf_str(&c)));
                buf_free(&c);
            }
            buf_free(&b);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena arena;
    const SpPayload *p, *q;
    Buf first = {0}, second = {0}, text = {0};
    Json v;
    arena_init(&arena, 0);
    if (sparkplug_decode((Str){(const char *)data, (int64_t)size}, &arena, &p, NULL) == ERR_OK) {
        CHECK(sparkplug_encode(p, &first) == ERR_OK);
        CHECK(sparkplug_decode(buf_str(&first), &arena, &q, NULL) == ERR_OK);
        CHECK(sparkplug_encode(q, &second) == ERR_OK);
        CHECK(str_eq(buf_str(&first), buf_str(&second)));
        sparkplug_print(p, &arena, &text);
        CHECK(json_parse(buf_str(&text), NULL, &arena, &v, NULL) == ERR_OK);
        ask_all(p, &arena);
    }
    buf_free(&first), buf_free(&second), buf_free(&text);
    arena_free(&arena);
    return 0;
}
