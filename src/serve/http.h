// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 and HTTPS: listeners, limits, requests, replies and streams. A thin facade: which library does the work
// shows in http_*.c only, so it can be replaced.
//
// Threads: http_start makes one or two I/O threads. The handler and all callbacks run on the I/O thread that owns the
// connection and must not block. Functions say when they may be called from elsewhere; others belong to that thread.
// Life of a request: the handler is called once the whole body has arrived. It replies at once, opens a stream, or
// returns and replies later. A request stays valid until it was replied to, even when its client is long gone, and
// every request must get exactly one reply or stream. What http_view and http_alloc gave lives as long as the request.
#pragma once
#include "base/err.h"

typedef struct Http Http;             // a running server
typedef struct HttpReq HttpReq;       // one request until it was replied to
typedef struct HttpStream HttpStream; // one endless reply

#define HTTP_LISTENERS_MAX 4
#define HTTP_THREADS_MAX 2
#define HTTP_REPLY_HEADERS_MAX 16

// ---- starting and stopping ----------------------------------------------------------------------------------------

typedef struct HttpListen {
    Str address;            // "127.0.0.1:8080", "[::1]:0", "localhost:80", "*:80"; port 0: any free one
    const char *cert, *key; // PEM files: TLS 1.2 or newer; NULL: plain HTTP
    bool loopback_only;     // refuse an address that other machines can reach
} HttpListen;

// Zero means the default in brackets. What happens at each bound is in docs/limits.md.
typedef struct HttpLimits {
    int64_t body_bytes_max;   // of one request [16 MiB]: 413
    int64_t header_bytes_max; // request line and headers together [16 KiB]: 431
    int64_t input_bytes_max;  // of a thread [256 MiB]: the largest on its way is cut, whole ones get 503
    int32_t connections_max;  // per I/O thread [4,096]: 503, then closed
    int32_t requests_max;     // in work at once, per I/O thread [4,096]: 503
    int32_t streams_max;      // per I/O thread, WebSockets included [2,560]: 503
    int32_t read_timeout_ms;  // from the end of a reply to the last byte of the next request [60,000]: closed
    int32_t write_timeout_ms; // without the client taking a byte [30,000]: closed
    int32_t leave_timeout_ms; // from a client closing its side until it counts as gone [3,000]: see http_on_gone
    int32_t stop_timeout_ms;  // for requests in work when stopping [5,000]: then closed
    int32_t ping_ms;          // a WebSocket that was silent for so long is pinged, after three times that cut [15,000]
} HttpLimits;

typedef struct HttpConfig {
    HttpListen listen[HTTP_LISTENERS_MAX];
    int32_t listen_count;
    int32_t threads; // 0: 1
    HttpLimits limits;
    void (*handle)(void *ctx, HttpReq *req);
    // Called for replies the facade makes itself (413, 400, 503 ...); may be NULL.
    void (*refused)(void *ctx, int status);
    // Called now and then on I/O threads while http_stop waits longer than stop_timeout_ms for replies; may be NULL.
    void (*late)(void *ctx);
    void *ctx;
} HttpConfig;

// Numbers of one moment, summed over threads.
typedef struct HttpStats {
    int64_t connections, connections_total, connections_refused;
    int64_t requests, requests_total; // in work; ever
    int64_t streams;
    int64_t cut_slow, cut_input; // connections closed by a time-out or by input_bytes_max
} HttpStats;

// Bind, listen and start the threads; the config is copied, strings of `listen` need not outlive the call. *out is set
// before the first request can arrive, so handlers may use it.
//   why  gets a sentence when it fails; may be NULL
// Errors: ARGUMENT (address, certificate), FORBIDDEN (loopback_only), IO. Any thread.
MUST Err http_start(const HttpConfig *config, Http **out, Buf *why);
// The port that listener `i` is bound to. Any thread.
int32_t http_port(const Http *h, int32_t i);
// Read the certificate and key files again; running connections keep what they have. On failure the old ones stay.
// Any thread but the I/O threads.
MUST Err http_reload_certs(Http *h, Buf *why);
// Counters. Any thread.
void http_stats(const Http *h, HttpStats *out);
// Stop accepting, close idle connections, let requests in work finish for stop_timeout_ms, end the streams, close the
// rest, join the threads, free. Waits for replies that are still owed. NULL is fine. Any thread but the I/O threads.
void http_stop(Http *h);

// ---- a request ----------------------------------------------------------------------------------------------------

typedef struct HttpView {
    Str method; // as sent: "GET"
    Str path;   // raw, without the query
    Str query;  // raw, without the '?'
    Str host;   // Host header, may be empty
    Str body;
    bool tls;
    bool head; // HEAD: the reply's body is counted but not sent
} HttpView;

// Method, target and body, borrowed.
const HttpView *http_view(const HttpReq *r);
// The first header of that (lower-case) name; p is NULL when there is none. Content-Length, Transfer-Encoding, Host,
// Expect and Upgrade are consumed by the facade.
Str http_header(const HttpReq *r, Str name);
// Memory of the request, unzeroed, aligned to 16 bytes.
void *http_alloc(HttpReq *r, int64_t size);
// A number below HTTP_THREADS_MAX that names the I/O thread of the request.
int32_t http_thread(const HttpReq *r);
// True when the server is stopping.
bool http_stopping(const HttpReq *r);
// Monotonic time at which the handler was called.
int64_t http_began_ns(const HttpReq *r);

// ---- replying -----------------------------------------------------------------------------------------------------

typedef struct HttpHeader {
    Str name; // static text, lower-case
    Str value;
} HttpHeader;

typedef struct HttpReply {
    int status;
    Str type; // Content-Type, static text; empty: none
    HttpHeader headers[HTTP_REPLY_HEADERS_MAX];
    int32_t header_count;
    Str prefix; // static text before the body
    Str body;   // copied
    Buf *take;  // instead of `body`: short content is copied, long content changes hands and *take is left empty
    Str suffix; // static text behind the body
    bool close; // close the connection afterwards
} HttpReply;

// Add a header to a reply under construction. CHECKs HTTP_REPLY_HEADERS_MAX.
void http_reply_header(HttpReply *reply, Str name, Str value);
// Send the reply. Everything but static text is copied or taken.
void http_reply(HttpReq *r, const HttpReply *reply);
// Run fn(r, arg) on the request's I/O thread. Any thread; at most one post of a request is under way at a time.
void http_post(HttpReq *r, void (*fn)(HttpReq *r, void *arg), void *arg);
// Have fn(arg) called, at most once and only before the reply, when the client is gone: work that is for it alone can
// end early. The reply is still owed; fn must not give it. A connection that broke counts at once. One whose client
// closed its side counts leave_timeout_ms later: it may have left, or only have said that it will ask nothing more and
// still be reading; the two look the same. Bytes of a next request do not matter.
void http_on_gone(HttpReq *r, void (*fn)(void *arg), void *arg);

// ---- streams ------------------------------------------------------------------------------------------------------
// An endless reply, or a WebSocket. A client of an endless reply that closes its side of the connection, even half of
// it, is taken to have left.

typedef struct HttpStreamOps {
    void (*ready)(void *arg);  // the client took everything that was sent, or somebody woke the stream: send or return
    void (*tick)(void *arg);   // about twice a second while nothing is in flight
    void (*closed)(void *arg); // the last call; the stream is gone when it returns
    // WebSocket: a whole message came, borrowed. NULL: it takes none and is closed with 1003 when one comes.
    void (*message)(void *arg, Str bytes, bool text);
} HttpStreamOps;

// Turn the request into a stream: status and headers of `head`, then `first` (not empty), then what http_stream_send
// gives. NULL when there are too many streams: the caller replies instead.
HttpStream *http_stream_open(HttpReq *r, const HttpReply *head, Str first, const HttpStreamOps *ops, void *arg);
// True when nothing is in flight, so that http_stream_send may be called.
bool http_stream_idle(const HttpStream *s);
// Send the bytes of `data`, whose memory is swapped with a spare one (*data is empty afterwards). CHECKs idle.
void http_stream_send(HttpStream *s, Buf *data);
// End the reply in order; CHECKs idle. `closed` follows. A WebSocket is closed with 1001.
void http_stream_end(HttpStream *s);
// Have `ready` called on the I/O thread when the stream is idle. Any thread, until `closed` has returned.
void http_stream_wake(HttpStream *s);

// ---- WebSockets ---------------------------------------------------------------------------------------------------
// RFC 6455 without extensions. Pings are answered and sent by the facade, dead peers cut; what is no WebSocket is
// closed with 1002, texts that are no UTF-8 with 1007, messages over body_bytes_max with 1009. What is sent is whole
// frames: see ws.h.

// Does the client ask for a WebSocket? *wrong: it does, but not in a way that can be served.
bool http_wants_socket(const HttpReq *r, bool *wrong);
// Answer with 101 and the headers of `head`, then the frames of `first` (may be empty). http_wants_socket was true.
// NULL as for http_stream_open.
HttpStream *http_socket_open(HttpReq *r, const HttpReply *head, Str first, const HttpStreamOps *ops, void *arg);
// Close it with a code behind what is in flight; `closed` is called before this returns.
void http_socket_end(HttpStream *s, uint16_t code, Str reason);
// Take no messages, or take them again: what the client sends waits in its socket. A few may still come.
void http_socket_pause(HttpStream *s, bool paused);

// ---- wakers -------------------------------------------------------------------------------------------------------

typedef struct HttpWaker HttpWaker;

// Something that belongs to the I/O thread of a request: fn(arg) is called there once after one or more wakes.
HttpWaker *http_waker_new(HttpReq *r, void (*fn)(void *arg), void *arg);
// Any thread, until http_waker_free.
void http_waker_wake(HttpWaker *w);
// Have fn called in about 10 ms. The I/O thread.
void http_waker_soon(HttpWaker *w);
// fn is not called any more. The I/O thread.
void http_waker_free(HttpWaker *w);
