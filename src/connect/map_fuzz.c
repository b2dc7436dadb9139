// SPDX-License-Identifier: Apache-2.0
// Bytes are rules (a JSON array), a topic and a payload, a line each, the payload to the end. The same message twice
// makes the same points.
#include "base/check.h"
#include "connect/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_bad(void *ctx, Str why) {
    (void)ctx;
    CHECK(why.n > 0);
}

static Err on_unit(void *ctx, Str twin, Str model, Str path, Str from, double value, double *out) {
    (void)ctx, (void)model, (void)from;
    CHECK(twin.n > 0 && path.n >= 0);
    *out = value * 2;
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str rest = {(const char *)data, (int64_t)size};
    Str rules = str_cut(&rest, '\n'), topic = str_cut(&rest, '\n');
    static const MapOps ops = {on_bad, on_unit, NULL};
    Arena arena;
    Json doc;
    Mapping *map;
    Diag d;
    arena_init(&arena, 0);
    diag_init(&d);
    if (!json_parse(rules, NULL, &arena, &doc, NULL) && !mapping_new(&doc, &d, &map)) {
        Mapped a, b;
        mapped_init(&a);
        mapped_init(&b);
        bool known = mapping_apply(map, &ops, topic, rest, false, 0, &a);
        CHECK(mapping_apply(map, &ops, topic, rest, false, 0, &b) == known);
        CHECK(a.count == b.count && a.count <= MAP_POINTS_MAX);
        for (int64_t i = 0; i < a.count; i++) {
            CHECK(a.points[i].twin.n > 0);
            CHECK(str_eq(a.points[i].twin, b.points[i].twin));
            CHECK(str_eq(a.points[i].path, b.points[i].path));
            CHECK(a.points[i].source_time_ns == b.points[i].source_time_ns);
        }
        mapped_free(&a);
        mapped_free(&b);
        mapping_free(map);
    }
    diag_free(&d);
    arena_free(&arena);
    return 0;
}
