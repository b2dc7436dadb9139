// SPDX-License-Identifier: Apache-2.0
// Values through a WebSocket. Messages are queued as they come and answered in their order, whatever order the engine
// completes them in: slot n % IN_FLIGHT_MAX holds the answer of message n until all before it were sent.
#include <pthread.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/json.h"
#include "serve/own.h"
#include "serve/ws.h"

#define IN_FLIGHT_MAX 64               // messages under way before the socket is not read any more
#define IN_FLIGHT_BYTES_MAX (16 << 20) // the same, by their bytes

typedef struct Ingest Ingest;

typedef struct Slot {
    Ingest *ingest;
    uint64_t n;    // number of the message
    int64_t bytes; // of it
    bool done;     // guarded by the lock, like `answer`
    Buf answer;
} Slot;

struct Ingest {
    pthread_mutex_t lock; // over done and answer of slots, and `stream`; between the I/O thread and the engine's
    HttpStream *stream;   // NULL: closed
    atomic_int refs;      // the stream's and one of each message under way
    Sosia *engine;
    SosiaCaller who;
    SosiaOp op;
    Str world, source;
    Arena keep;
    // the I/O thread's
    uint64_t first, next; // messages under way: [first, next)
    int64_t bytes;
    Slot slots[IN_FLIGHT_MAX];
    Buf out;
};

static void unref(Ingest *x) {
    if (atomic_fetch_sub(&x->refs, 1) != 1) return;
    for (int32_t i = 0; i < IN_FLIGHT_MAX; i++) buf_free(&x->slots[i].answer);
    pthread_mutex_destroy(&x->lock);
    buf_free(&x->out);
    arena_free(&x->keep);
    mem_free(x);
}

// ---- answers ------------------------------------------------------------------------------------------------------

static void put_answer(Slot *slot, const SosiaDone *d) {
    Buf *out = &slot->answer;
    buf_reset(out);
    buf_printf(out, "{\"n\":%llu,", (unsigned long long)slot->n);
    if (d->body.n > 1 && d->body.p[0] == '{') {
        buf_printf(out, "\"seq\":%llu,", (unsigned long long)d->seq);
        buf_str_put(out, str_sub(d->body, 1, d->body.n));
        return;
    }
    buf_str_put(out, STR("\"error\":{\"code\":"));
    json_put_str(out, str_of(err_wire((Err)d->err)));
    buf_str_put(out, STR(",\"message\":"));
    json_put_str(out, d->message.n > 0 ? d->message : str_of(err_text((Err)d->err)));
    buf_str_put(out, STR("}}"));
}

// On a thread of the engine.
static void on_done(void *arg, const SosiaDone *d) {
    Slot *slot = arg;
    Ingest *x = slot->ingest;
    pthread_mutex_lock(&x->lock);
    put_answer(slot, d);
    slot->done = true;
    if (x->stream) http_stream_wake(x->stream);
    pthread_mutex_unlock(&x->lock);
    unref(x);
}

static bool full(const Ingest *x) { return x->next - x->first >= IN_FLIGHT_MAX || x->bytes >= IN_FLIGHT_BYTES_MAX; }

static void on_ready(void *arg) {
    Ingest *x = arg;
    pthread_mutex_lock(&x->lock);
    for (; x->first < x->next && x->slots[x->first % IN_FLIGHT_MAX].done; x->first++) {
        Slot *slot = &x->slots[x->first % IN_FLIGHT_MAX];
        ws_put_text(&x->out, buf_str(&slot->answer));
        x->bytes -= slot->bytes;
    }
    pthread_mutex_unlock(&x->lock);
    http_socket_pause(x->stream, full(x));
    if (x->out.n > 0) http_stream_send(x->stream, &x->out);
}

// ---- messages -----------------------------------------------------------------------------------------------------

static void on_message(void *arg, Str bytes, bool text) {
    Ingest *x = arg;
    if (!text) {
        http_socket_end(x->stream, WS_UNACCEPTABLE, STR("values come as text"));
        return;
    }
    CHECK(x->next - x->first < IN_FLIGHT_MAX);
    Slot *slot = &x->slots[x->next % IN_FLIGHT_MAX];
    slot->ingest = x;
    slot->n = ++x->next;
    slot->bytes = bytes.n;
    slot->done = false;
    x->bytes += bytes.n;
    if (full(x)) http_socket_pause(x->stream, true);
    atomic_fetch_add(&x->refs, 1);
    SosiaWrite w = {.op = x->op, .world = x->world, .body = bytes, .source = x->source};
    SosiaErr err = sosia_write(x->engine, &x->who, &w, on_done, slot);
    if (err != SOSIA_OK) on_done(slot, &(SosiaDone){.err = err});
}

static void on_tick(void *arg) { (void)arg; }

static void on_closed(void *arg) {
    Ingest *x = arg;
    pthread_mutex_lock(&x->lock);
    x->stream = NULL;
    pthread_mutex_unlock(&x->lock);
    unref(x);
}

// What each message holds; false when it was answered.
static bool read_format(Call *c, SosiaOp *op) {
    Str format = call_param(c, STR("format"));
    *op = str_eq(format, STR("csv")) ? SOSIA_INGEST_CSV : SOSIA_INGEST;
    if (!format.p || *op == SOSIA_INGEST_CSV || str_eq(format, STR("ndjson"))) return true;
    call_failf(c, ERR_ARGUMENT, "format is ndjson or csv, not %.*s.", STR_ARG(format));
    return false;
}

static Ingest *ingest_new(Call *c, SosiaOp op) {
    Ingest *x = mem_alloc(sizeof *x);
    x->op = op;
    pthread_mutex_init(&x->lock, NULL);
    atomic_store(&x->refs, 1);
    arena_init(&x->keep, 256);
    x->engine = c->server->engine;
    x->world = arena_str(&x->keep, c->world);
    x->source = arena_str(&x->keep, call_param(c, STR("source")));
    x->who = (SosiaCaller){arena_str(&x->keep, c->who.principal), arena_str(&x->keep, c->who.purpose)};
    return x;
}

static bool world_there(Call *c) {
    SosiaFeed *feed = NULL;
    SosiaErr err = sosia_feed_open(c->server->engine, &c->who, c->world, 0, &feed, NULL);
    if (err == SOSIA_OK) sosia_feed_close(feed);
    else call_fail(c, (Err)err, (Str){0}, (Str){0});
    return err == SOSIA_OK;
}

void own_ingest_socket(Call *c) {
    static const HttpStreamOps ops = {.ready = on_ready, .tick = on_tick, .closed = on_closed, .message = on_message};
    bool wrong;
    SosiaOp op;
    if (!http_wants_socket(c->req, &wrong)) {
        call_upgrade(c);
        return;
    }
    if (!world_there(c) || !read_format(c, &op)) return;
    Ingest *x = ingest_new(c, op);
    HttpReply head = {.status = 101};
    HttpStream *stream = http_socket_open(c->req, &head, (Str){0}, &ops, x);
    if (!stream) {
        unref(x);
        call_failf(c, ERR_BUSY, "Too many event streams are open; try again.");
        return;
    }
    x->stream = stream; // no message can come before this function returns
    call_stream_head(c, &head);
}
