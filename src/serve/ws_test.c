// SPDX-License-Identifier: Apache-2.0
// WebSocket framing: the examples of RFC 6455, every way to cut a stream of frames, what is refused and how.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/rng.h"
#include "serve/ws.h"

// A frame of a client, masked.
static void put_frame(Buf *out, uint8_t first, Str payload) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    buf_byte(out, (char)first);
    if (payload.n < 126) {
        buf_byte(out, (char)(0x80 | payload.n));
    } else if (payload.n < 65536) {
        buf_byte(out, (char)(0x80 | 126));
        for (int i = 1; i >= 0; i--) buf_byte(out, (char)(payload.n >> (8 * i)));
    } else {
        buf_byte(out, (char)(0x80 | 127));
        for (int i = 7; i >= 0; i--) buf_byte(out, (char)(payload.n >> (8 * i)));
    }
    buf_put(out, mask, 4);
    for (int64_t i = 0; i < payload.n; i++) buf_byte(out, (char)((uint8_t)payload.p[i] ^ mask[i & 3]));
}

static void accept_key(void **state) {
    char out[WS_ACCEPT_SIZE + 1];
    (void)state;
    ws_accept(STR("dGhlIHNhbXBsZSBub25jZQ=="), out); // RFC 6455, section 1.3
    assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

// Section 5.7: a masked "Hello".
static void example(void **state) {
    (void)state;
    char bytes[] = {(char)0x81, (char)0x85, 0x37, (char)0xfa, 0x21, 0x3d, 0x7f, (char)0x9f, 0x4d, 0x51, 0x58};
    WsReader r = {.max = 100};
    int64_t used = 0;
    WsEvent e = ws_next(&r, bytes, sizeof bytes, &used);
    assert_int_equal(e.what, WS_TEXT);
    assert_int_equal(used, sizeof bytes);
    assert_true(str_eq(e.bytes, STR("Hello")));
    ws_reader_free(&r);
}

// What we send has the shortest head, and the sizes around its borders come back.
static void heads(void **state) {
    (void)state;
    static const struct {
        int64_t n;
        int32_t head;
    } cases[] = {{0, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}, {1 << 20, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char head[WS_HEAD_MAX];
        assert_int_equal(ws_head(head, cases[i].n), cases[i].head);
        Buf payload = {0}, bytes = {0};
        for (int64_t k = 0; k < cases[i].n; k++) buf_byte(&payload, 'a');
        put_frame(&bytes, 0x81, buf_str(&payload));
        WsReader r = {.max = 2 << 20};
        int64_t used;
        WsEvent e = ws_next(&r, bytes.p, bytes.n, &used);
        assert_int_equal(e.what, WS_TEXT);
        assert_true(str_eq(e.bytes, buf_str(&payload)));
        ws_reader_free(&r);
        buf_free(&payload);
        buf_free(&bytes);
    }
}

// Tell what a stream of frames holds, as text.
static void note(const WsEvent *e, Buf *out) {
    static const char *const names[] = {"more", "text", "binary", "ping", "pong", "close", "bad"};
    buf_printf(out, "%s(%d,%.*s) ", names[e->what], (int)e->code, e->what == WS_BAD ? 0 : (int)e->bytes.n,
               e->what == WS_BAD ? "" : e->bytes.p);
}

// Read `bytes` as they come in pieces: at most `step` new ones at a time, or by chance when it is 0.
static void read_in_pieces(Str bytes, int64_t step, Rng *rng, Buf *out) {
    WsReader r = {.max = 1000};
    char *room = malloc((size_t)bytes.n + 1);
    int64_t have = 0, at = 0;
    bool over = false;
    assert_non_null(room);
    while (at < bytes.n && !over) {
        int64_t n = step ? step : 1 + (int64_t)rng_below(rng, 40);
        if (n > bytes.n - at) n = bytes.n - at;
        memcpy(room + have, bytes.p + at, (size_t)n);
        have += n;
        at += n;
        for (;;) {
            int64_t used;
            WsEvent e = ws_next(&r, room, have, &used);
            if (e.what != WS_MORE) note(&e, out);
            have -= used;
            memmove(room, room + used, (size_t)have);
            over = e.what == WS_BAD || e.what == WS_CLOSE;
            if (e.what == WS_MORE || over) break;
        }
    }
    free(room);
    ws_reader_free(&r);
}

// However a stream is cut into pieces, the same comes out of it.
static void pieces(void **state) {
    (void)state;
    Rng rng = rng_make(20261122, 0);
    Buf in = {0}, whole = {0};
    put_frame(&in, 0x81, STR("one"));
    put_frame(&in, 0x01, STR("t\xc3"));
    put_frame(&in, 0x89, STR("ping"));
    put_frame(&in, 0x00, STR("\xa4"));
    put_frame(&in, 0x8a, STR(""));
    put_frame(&in, 0x80, STR("wo"));
    put_frame(&in, 0x02, STR(""));
    put_frame(&in, 0x80, STR("bin"));
    put_frame(&in, 0x82, STR("\xff"));
    put_frame(&in, 0x88,
              STR("\x03\xe9"
                  "bye"));
    put_frame(&in, 0x81, STR("not seen"));
    read_in_pieces(buf_str(&in), in.n, &rng, &whole);
    buf_byte(&whole, 0);
    assert_string_equal(whole.p, "text(0,one) ping(0,ping) pong(0,) text(0,t\xc3\xa4wo) binary(0,bin) binary(0,\xff) "
                                 "close(1001,bye) ");
    for (int64_t step = 0; step < 60; step++) {
        Buf out = {0};
        read_in_pieces(buf_str(&in), step, &rng, &out);
        buf_byte(&out, 0);
        assert_string_equal(out.p, whole.p);
        buf_free(&out);
    }
    buf_free(&in);
    buf_free(&whole);
}

static WsEvent one(WsReader *r, const char *bytes, int64_t n) {
    char *room = malloc((size_t)n + 1);
    int64_t used;
    assert_non_null(room);
    memcpy(room, bytes, (size_t)n);
    WsEvent e = ws_next(r, room, n, &used);
    free(room);
    return e;
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        int64_t n;
        uint16_t code;
    } cases[] = {
        {"\x81\x05hello", 7, WS_PROTOCOL},                                 // not masked
        {"\xc1\x80mmmm", 6, WS_PROTOCOL},                                  // RSV1
        {"\x83\x80mmmm", 6, WS_PROTOCOL},                                  // opcode 3
        {"\x8b\x80mmmm", 6, WS_PROTOCOL},                                  // opcode 11
        {"\x80\x80mmmm", 6, WS_PROTOCOL},                                  // continuation of nothing
        {"\x09\x80mmmm", 6, WS_PROTOCOL},                                  // ping in parts
        {"\x89\xfe\x00\x7emmmm", 8, WS_PROTOCOL},                          // ping of 126
        {"\x81\xfe\x00\x7dmmmm", 8, WS_PROTOCOL},                          // 125 in two bytes
        {"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xffmmmm", 14, WS_PROTOCOL}, // 65,535 in eight
        {"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00mmmm", 14, WS_PROTOCOL}, // 2^63
        {"\x81\xfe\x03\xe9mmmm", 8, WS_TOO_BIG},                           // 1,001 of 1,000
        {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmmmm", 14, WS_TOO_BIG},  // as large as can be said
        {"\x81\x81\x00\x00\x00\x00\xff", 7, WS_NOT_TEXT},                  // no UTF-8
        {"\x88\x81\x00\x00\x00\x00\x03", 7, WS_PROTOCOL},                  // close of one byte
        {"\x88\x82\x00\x00\x00\x00\x03\xed", 8, WS_PROTOCOL},              // 1005
        {"\x88\x82\x00\x00\x00\x00\x00\x05", 8, WS_PROTOCOL},              // 5
        {"\x88\x83\x00\x00\x00\x00\x03\xe8\xff", 9, WS_NOT_TEXT},          // reason
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WsReader r = {.max = 1000};
        WsEvent e = one(&r, cases[i].bytes, cases[i].n);
        if (e.what != WS_BAD || e.code != cases[i].code) fail_msg("case %zu: %d, %d", i, (int)e.what, (int)e.code);
        assert_non_null(e.why);
        ws_reader_free(&r);
    }
}

// Fragments count together.
static void large_in_parts(void **state) {
    (void)state;
    WsReader r = {.max = 1000};
    Buf part = {0}, in = {0};
    int64_t used;
    for (int i = 0; i < 600; i++) buf_byte(&part, 'x');
    put_frame(&in, 0x01, buf_str(&part));
    assert_int_equal(ws_next(&r, in.p, in.n, &used).what, WS_MORE);
    assert_int_equal(used, in.n);
    buf_reset(&in);
    put_frame(&in, 0x80, buf_str(&part));
    WsEvent e = ws_next(&r, in.p, in.n, &used);
    assert_int_equal(e.what, WS_BAD);
    assert_int_equal(e.code, WS_TOO_BIG);
    ws_reader_free(&r);
    buf_free(&part);
    buf_free(&in);
}

static void control_frames_out(void **state) {
    (void)state;
    Buf out = {0};
    ws_put_ping(&out);
    ws_put_pong(&out, STR("ab"));
    assert_int_equal(out.n, 6);
    assert_memory_equal(out.p,
                        "\x89\x00\x8a\x02"
                        "ab",
                        6);
    buf_reset(&out);
    Buf reason = {0};
    for (int i = 0; i < 61; i++) buf_str_put(&reason, STR("\xc3\xa4")); // 122 bytes
    buf_str_put(&reason, STR("\xe2\x82\xac"));                          // would be cut inside
    ws_put_close(&out, WS_TRY_LATER, buf_str(&reason));
    assert_int_equal(out.n, 2 + 2 + 122);
    assert_memory_equal(out.p, "\x88\x7c\x03\xf5", 4);
    assert_true(str_utf8_ok((Str){out.p + 4, 122}));
    buf_free(&out);
    buf_free(&reason);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_key),
        cmocka_unit_test(example),
        cmocka_unit_test(heads),
        cmocka_unit_test(pieces),
        cmocka_unit_test(refusals),
        cmocka_unit_test(large_in_parts),
        cmocka_unit_test(control_frames_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
