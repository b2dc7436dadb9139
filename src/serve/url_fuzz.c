// SPDX-License-Identifier: Apache-2.0
// Bytes in, the parts of a request target out. Encoding what was decoded and decoding it again gives the same bytes.
#include "base/check.h"
#include "serve/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_twice(Str raw, bool plus, char *room) {
    Str text;
    if (url_decode(raw, plus, room, &text) != ERR_OK) return;
    CHECK(text.n <= raw.n);
    Buf again = {0};
    url_encode(text, &again);
    Str back;
    char *second = room + raw.n + 1;
    CHECK(again.n <= 3 * raw.n + 1);
    CHECK(url_decode(buf_str(&again), plus, second, &back) == ERR_OK);
    CHECK(str_eq(back, text));
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 4096) return 0;
    static char room[5 * 4096];
    Str all = {(const char *)data, (int64_t)size};
    Str query = all, path = str_cut(&query, '?');
    UrlPath parts;
    if (url_split(path, &parts) == ERR_OK) {
        for (int32_t i = 0; i < parts.count; i++) decode_twice(parts.seg[i], false, room);
    }
    RouteMatch m;
    Err found = route_match(STR("GET"), path, &m);
    CHECK((found == ERR_OK) == (m.index >= 0));
    CHECK((found == ERR_METHOD) == (m.allow[0] != 0) || found == ERR_OK);
    Str key, value, item, name, port;
    for (Str rest = query; url_query_next(&rest, &key, &value);) decode_twice(value, true, room);
    int64_t items = 0;
    for (Str rest = all; header_list_next(&rest, &item);) items += item.n;
    CHECK(items <= all.n);
    (void)etag_list_ok(all);
    if (host_split(all, &name, &port)) (void)host_is_loopback(name);
    return 0;
}
