// SPDX-License-Identifier: Apache-2.0
// Bytes of a client as WebSocket frames: read at once and byte by byte must tell the same.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "serve/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(const WsEvent *e, Buf *out) {
    buf_u32(out, (uint32_t)e->what);
    buf_u32(out, e->code);
    buf_str_put(out, e->what == WS_BAD ? str_of(e->why) : e->bytes);
}

// Take what is whole; true when the reader must not be asked again.
static bool take(WsReader *r, char *p, int64_t n, int64_t *taken, Buf *out) {
    *taken = 0;
    for (;;) {
        int64_t used = 0;
        WsEvent e = ws_next(r, p + *taken, n - *taken, &used);
        CHECK(used >= 0 && used <= n - *taken);
        CHECK(e.what != WS_TEXT || str_utf8_ok(e.bytes));
        CHECK(e.bytes.n <= r->max || e.what == WS_PING || e.what == WS_PONG || e.what == WS_CLOSE);
        *taken += used;
        if (e.what == WS_MORE) return false;
        note(&e, out);
        if (e.what == WS_BAD || e.what == WS_CLOSE) return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    int64_t max = 1 + data[0] * 8, taken = 0, have = 0;
    Str bytes = {(const char *)data + 1, (int64_t)size - 1};
    char *room = mem_alloc(size);
    Buf once = {0}, slowly = {0};
    WsReader a = {.max = max}, b = {.max = max};
    memcpy(room, bytes.p, (size_t)bytes.n);
    take(&a, room, bytes.n, &taken, &once);
    bool over = false;
    for (int64_t i = 0; i < bytes.n && !over; i++) {
        room[have++] = bytes.p[i];
        over = take(&b, room, have, &taken, &slowly);
        have -= taken;
        memmove(room, room + taken, (size_t)have);
    }
    CHECK(str_eq(buf_str(&once), buf_str(&slowly)));
    ws_reader_free(&a);
    ws_reader_free(&b);
    buf_free(&once);
    buf_free(&slowly);
    mem_free(room);
    return 0;
}
