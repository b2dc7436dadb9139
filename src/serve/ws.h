// SPDX-License-Identifier: Apache-2.0
// WebSocket framing of a server (RFC 6455): frames in from bytes, frames out to bytes. No sockets; any thread, one at a
// time a reader. Extensions are not offered, so reserved bits are an error.
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define WS_HEAD_MAX 10     // bytes before the payload of a frame that we send
#define WS_CONTROL_MAX 125 // bytes of a ping, pong or close
#define WS_KEY_SIZE 24     // of Sec-WebSocket-Key
#define WS_ACCEPT_SIZE 28  // of Sec-WebSocket-Accept

// Close codes (RFC 6455 section 7.4.1) we give.
enum {
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001,
    WS_PROTOCOL = 1002,
    WS_UNACCEPTABLE = 1003,
    WS_NOT_TEXT = 1007,
    WS_TOO_BIG = 1009,
    WS_TRY_LATER = 1013,
};

typedef enum WsWhat {
    WS_MORE,   // nothing whole yet
    WS_TEXT,   // a message: valid UTF-8
    WS_BINARY, // a message
    WS_PING,
    WS_PONG,
    WS_CLOSE, // code: the peer's, 0 when it gave none
    WS_BAD,   // code and why: how to close
} WsWhat;

typedef struct WsReader {
    int64_t max; // bytes of one message
    Buf parts;   // fragments so far
    bool open;   // between the first fragment and the last
    bool text;   // of the open message
    bool whole;  // `parts` was given out as a message: drop it
} WsReader;

typedef struct WsEvent {
    WsWhat what;
    Str bytes; // of message, ping, pong, close reason; borrowed from the input or the reader until the next call
    uint16_t code;
    const char *why; // BAD: static sentence
} WsEvent;

// Take the next frame off the front of p[0..n), which is unmasked in place. A fragment that does not end its message is
// taken and reading goes on. After BAD or CLOSE do not call again.
//   used  out: bytes consumed; those of an unfinished frame stay
WsEvent ws_next(WsReader *r, char *p, int64_t n, int64_t *used);
void ws_reader_free(WsReader *r);

// The head of an unfragmented text frame with n bytes behind it; returns its size, 2 to WS_HEAD_MAX.
int32_t ws_head(char out[WS_HEAD_MAX], int64_t n);
// Append a whole frame: text, or a control frame of at most WS_CONTROL_MAX bytes.
void ws_put_text(Buf *out, Str text);
void ws_put_ping(Buf *out);
void ws_put_pong(Buf *out, Str payload);
// The reason is cut to what fits.
void ws_put_close(Buf *out, uint16_t code, Str reason);
// Sec-WebSocket-Accept for a key.
void ws_accept(Str key, char out[WS_ACCEPT_SIZE + 1]);
