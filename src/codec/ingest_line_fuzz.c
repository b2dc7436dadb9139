// SPDX-License-Identifier: Apache-2.0
// Bytes in, ingest lines out, line by line. What is accepted is one JSON object for the DOM too, with the same members;
// what the DOM refuses is refused.
#include "base/check.h"
#include "codec/ingest_line.h"
#include "codec/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(Str line, Arena *arena) {
    IngestLine l;
    Diag d;
    Json v;
    diag_init(&d);
    Err e = ingest_line_parse(line, arena, &l, &d), dom = json_parse(line, NULL, arena, &v, NULL);
    CHECK((e == ERR_OK) == (d.count == 0));
    if (e == ERR_OK) {
        CHECK(dom == ERR_OK && v.type == JSON_OBJECT);
        const Json *id = json_get(&v, STR("id")), *value = json_get(&v, STR("value"));
        CHECK(str_eq(l.id, id->s) && l.id.n > 0);
        CHECK(str_eq(l.property, json_get(&v, STR("property"))->s));
        CHECK(l.value.type == value->type && str_eq(l.value_text, value->raw));
    } else {
        CHECK(d.code == e);
        CHECK(d.messages[0].at >= 0 && d.messages[0].end >= d.messages[0].at && d.messages[0].end <= line.n);
    }
    diag_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 14) return 0;
    Arena arena;
    JsonLines lines;
    JsonLine line;
    arena_init(&arena, 0);
    jsonl_init(&lines, (Str){(const char *)data, (int64_t)size});
    while (jsonl_next(&lines, &line)) check_line(line.text, &arena);
    arena_free(&arena);
    return 0;
}
