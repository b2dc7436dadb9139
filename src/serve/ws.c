// SPDX-License-Identifier: Apache-2.0
//   frame:  FIN RSV1-3 opcode(4) | MASK length(7) | [length 16 or 64] | mask key (4) | payload
#include "serve/ws.h"
#include <openssl/evp.h>
#include <openssl/sha.h>
#include "base/check.h"

enum { OP_MORE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

typedef struct Frame {
    bool fin;
    uint8_t op;
    int64_t head, size; // bytes
    const uint8_t *mask;
} Frame;

static WsEvent bad(uint16_t code, const char *why) { return (WsEvent){.what = WS_BAD, .code = code, .why = why}; }

// ---- in -----------------------------------------------------------------------------------------------------------

static uint64_t big_endian(const uint8_t *p, int32_t n) {
    uint64_t v = 0;
    for (int32_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static bool op_known(uint8_t op) { return op <= OP_BINARY || (op >= OP_CLOSE && op <= OP_PONG); }

// What is wrong with the two first bytes alone.
static const char *head_fault(const WsReader *r, const uint8_t *p) {
    uint8_t op = p[0] & 15;
    if (p[0] & 0x70) return "a reserved bit is set";
    if (!op_known(op)) return "an unknown opcode";
    if (!(p[1] & 0x80)) return "a frame that is not masked";
    if (op >= OP_CLOSE && (!(p[0] & 0x80) || (p[1] & 0x7f) > WS_CONTROL_MAX))
        return "a control frame in parts or too long";
    if (op == OP_MORE && !r->open) return "a continuation of nothing";
    if ((op == OP_TEXT || op == OP_BINARY) && r->open) return "a new message inside of another";
    return NULL;
}

// Read the head of a frame: WS_MORE when it is not whole, WS_BAD, else WS_TEXT.
static WsEvent read_head(const WsReader *r, const char *bytes, int64_t n, Frame *f) {
    const uint8_t *p = (const uint8_t *)bytes;
    if (n < 2) return (WsEvent){0};
    const char *fault = head_fault(r, p);
    if (fault) return bad(WS_PROTOCOL, fault);
    uint8_t small = p[1] & 0x7f;
    int32_t wide = small == 126 ? 2 : small == 127 ? 8 : 0;
    if (n < 2 + wide) return (WsEvent){0};
    uint64_t size = wide ? big_endian(p + 2, wide) : small;
    if ((wide == 2 && size < 126) || (wide == 8 && (size < 65536 || size >> 63))) {
        return bad(WS_PROTOCOL, "a length in more bytes than it needs");
    }
    uint8_t op = p[0] & 15;
    if (op < OP_CLOSE && size > (uint64_t)(r->max - (r->open ? r->parts.n : 0))) {
        return bad(WS_TOO_BIG, "the message is larger than this server takes");
    }
    *f = (Frame){(p[0] & 0x80) != 0, op, 2 + wide + 4, (int64_t)size, p + 2 + wide};
    return n < f->head + f->size ? (WsEvent){0} : (WsEvent){.what = WS_TEXT};
}

static void unmask(char *p, int64_t n, const uint8_t *mask) {
    uint32_t word;
    memcpy(&word, mask, 4);
    int64_t i = 0;
    for (uint64_t two = (uint64_t)word << 32 | word; i + 8 <= n; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        v ^= two;
        memcpy(p + i, &v, 8);
    }
    for (; i < n; i++) p[i] = (char)((uint8_t)p[i] ^ mask[i & 3]);
}

static bool close_code_ok(uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static WsEvent control(const Frame *f, Str payload) {
    if (f->op == OP_PING) return (WsEvent){.what = WS_PING, .bytes = payload};
    if (f->op == OP_PONG) return (WsEvent){.what = WS_PONG, .bytes = payload};
    if (payload.n == 0) return (WsEvent){.what = WS_CLOSE};
    if (payload.n == 1) return bad(WS_PROTOCOL, "a close frame of one byte");
    uint16_t code = (uint16_t)big_endian((const uint8_t *)payload.p, 2);
    Str reason = str_sub(payload, 2, payload.n);
    if (!close_code_ok(code)) return bad(WS_PROTOCOL, "a close code that nobody may send");
    if (!str_utf8_ok(reason)) return bad(WS_NOT_TEXT, "a close reason that is not UTF-8");
    return (WsEvent){.what = WS_CLOSE, .bytes = reason, .code = code};
}

static WsEvent message(bool text, Str bytes) {
    if (text && !str_utf8_ok(bytes)) return bad(WS_NOT_TEXT, "a text that is not UTF-8");
    return (WsEvent){.what = text ? WS_TEXT : WS_BINARY, .bytes = bytes};
}

// A frame of data; WS_MORE when its message goes on.
static WsEvent data(WsReader *r, const Frame *f, Str payload) {
    if (f->fin && !r->open) return message(f->op == OP_TEXT, payload);
    if (!r->open) {
        r->open = true;
        r->text = f->op == OP_TEXT;
    }
    r->parts.max = r->max > 0 ? r->max : 1;
    buf_str_put(&r->parts, payload);
    if (r->parts.full) return bad(WS_TOO_BIG, "the message is larger than this server takes");
    if (!f->fin) return (WsEvent){0};
    r->open = false;
    r->whole = true;
    return message(r->text, buf_str(&r->parts));
}

#define PARTS_KEEP_MAX 65536

static void drop_given(WsReader *r) {
    if (!r->whole) return;
    r->whole = false;
    if (r->parts.cap > PARTS_KEEP_MAX) buf_free(&r->parts);
    else buf_reset(&r->parts);
}

WsEvent ws_next(WsReader *r, char *p, int64_t n, int64_t *used) {
    *used = 0;
    drop_given(r);
    for (;;) {
        Frame f;
        WsEvent e = read_head(r, p + *used, n - *used, &f);
        if (e.what != WS_TEXT) return e;
        char *payload = p + *used + f.head;
        unmask(payload, f.size, f.mask);
        *used += f.head + f.size;
        e = f.op >= OP_CLOSE ? control(&f, (Str){payload, f.size}) : data(r, &f, (Str){payload, f.size});
        if (e.what != WS_MORE) return e;
    }
}

void ws_reader_free(WsReader *r) { buf_free(&r->parts); }

// ---- out ----------------------------------------------------------------------------------------------------------

int32_t ws_head(char out[WS_HEAD_MAX], int64_t n) {
    CHECK(n >= 0);
    out[0] = (char)(0x80 | OP_TEXT);
    int32_t wide = n < 126 ? 0 : n < 65536 ? 2 : 8;
    out[1] = (char)(wide == 0 ? n : wide == 2 ? 126 : 127);
    for (int32_t i = 0; i < wide; i++) out[2 + i] = (char)((uint64_t)n >> (8 * (wide - 1 - i)));
    return 2 + wide;
}

void ws_put_text(Buf *out, Str text) {
    char head[WS_HEAD_MAX];
    buf_put(out, head, ws_head(head, text.n));
    buf_str_put(out, text);
}

static void put_control(Buf *out, uint8_t op, Str payload) {
    CHECK(payload.n <= WS_CONTROL_MAX);
    buf_byte(out, (char)(0x80 | op));
    buf_byte(out, (char)payload.n);
    buf_str_put(out, payload);
}

void ws_put_ping(Buf *out) { put_control(out, OP_PING, (Str){0}); }
void ws_put_pong(Buf *out, Str payload) { put_control(out, OP_PONG, payload); }

void ws_put_close(Buf *out, uint16_t code, Str reason) {
    char text[WS_CONTROL_MAX] = {(char)(code >> 8), (char)(code & 255)};
    int64_t n = reason.n < WS_CONTROL_MAX - 2 ? reason.n : WS_CONTROL_MAX - 2;
    while (n > 0 && n < reason.n && ((uint8_t)reason.p[n] & 0xc0) == 0x80) n--;
    if (n > 0) memcpy(text + 2, reason.p, (size_t)n);
    put_control(out, OP_CLOSE, (Str){text, n + 2});
}

void ws_accept(Str key, char out[WS_ACCEPT_SIZE + 1]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[WS_KEY_SIZE + sizeof guid - 1];
    uint8_t hash[SHA_DIGEST_LENGTH];
    CHECK(key.n == WS_KEY_SIZE);
    memcpy(text, key.p, WS_KEY_SIZE);
    memcpy(text + WS_KEY_SIZE, guid, sizeof guid - 1);
    SHA1((const uint8_t *)text, sizeof text, hash);
    int n = EVP_EncodeBlock((uint8_t *)out, hash, sizeof hash);
    CHECK(n == WS_ACCEPT_SIZE);
}
