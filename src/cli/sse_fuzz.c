// SPDX-License-Identifier: Apache-2.0
// Any bytes as a stream of server-sent events, and as cells of a time series: the same events come whether the bytes
// arrive at once or one by one.
#include "base/check.h"
#include "cli/series.h"
#include "cli/watch.h"
#include "codec/json.h"

static uint64_t drain(Buf *in, SseEvent *e, uint64_t h) {
    while (sse_next(in, e)) h = (h * 31 + str_hash(buf_str(&e->data))) * 31 + str_hash(str_of(e->name));
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Buf whole = {0}, pieces = {0}, value = {0};
    SseEvent e = {0};
    uint64_t piecewise = 0;
    Str text = {(const char *)data, (int64_t)size};
    buf_str_put(&whole, text);
    uint64_t at_once = drain(&whole, &e, 0);
    for (size_t i = 0; i < size; i++) {
        buf_byte(&pieces, (char)data[i]);
        piecewise = drain(&pieces, &e, piecewise);
    }
    CHECK(at_once == piecewise);
    CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
    int64_t time;
    series_time(text, &time);
    if (str_utf8_ok(text)) {
        Arena scratch;
        Json v;
        arena_init(&scratch, 0);
        series_value(text, false, &value);
        CHECK(json_parse(buf_str(&value), NULL, &scratch, &v, NULL) == ERR_OK);
        arena_free(&scratch);
    }
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&value);
    buf_free(&e.data);
    return 0;
}
