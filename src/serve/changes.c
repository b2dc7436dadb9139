// SPDX-License-Identifier: Apache-2.0
// The feed as server-sent events. A subscription reads its own cursor only while its client has taken everything sent
// before, so a slow client costs one buffer; when its cursor falls out of what the engine keeps, it is cut and told.
#include "serve/own.h"
#include <stdio.h>
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

#define MESSAGE_CHANGES_MAX 1000 // of one message; a longer batch comes in parts
#define SEND_BYTES 65536         // gathered before they are sent
#define HEARTBEAT_NS (15 * NS_PER_S)

typedef struct Subscription {
    HttpStream *stream;
    SosiaFeed *feed;
    SosiaBatch batch; // being sent; borrowed from the feed
    int64_t at;       // the first change of it not sent yet
    Str twin;         // filter or ""
    uint64_t last;    // sequence of the last message
    int64_t sent_ns;
    bool over; // say so and end
    Buf out;
} Subscription;

// ---- one change ----

static void put_member(Buf *out, const char *name, Str value) {
    buf_printf(out, ",\"%s\":", name);
    json_put_str(out, value);
}

static void put_value(Buf *out, const SosiaValue *v) {
    if (v->kind == SOSIA_NONE) return;
    buf_str_put(out, STR(",\"value\":"));
    switch (v->kind) {
    case SOSIA_BOOL: buf_str_put(out, v->b ? STR("true") : STR("false")); break;
    case SOSIA_I64: json_put_i64(out, v->i); break;
    case SOSIA_F64: json_put_f64(out, v->d); break;
    case SOSIA_TEXT: json_put_str(out, v->s); break;
    case SOSIA_JSON: buf_str_put(out, v->s); break;
    default: buf_str_put(out, STR("null")); break;
    }
}

// ORDER EVENT: names on the wire.
static const char *const OPS[] = {"twin_put",    "twin_delete", "set",        "unset", "link_put",
                                  "link_delete", "link_set",    "link_unset", "model", "telemetry"};

static void put_change(Buf *out, const SosiaChange *ch) {
    buf_printf(out, "{\"op\":\"%s\"", OPS[ch->what]);
    put_member(out, ch->what == SOSIA_EV_MODEL ? "model" : "twin", ch->twin);
    if (ch->link.n > 0) put_member(out, "link", ch->link);
    switch (ch->what) {
    case SOSIA_EV_TWIN_PUT: put_member(out, "model", ch->other); break;
    case SOSIA_EV_LINK_PUT:
        put_member(out, "name", ch->path);
        put_member(out, "target", ch->other);
        break;
    case SOSIA_EV_TELEMETRY:
        if (ch->path.n > 0) put_member(out, "component", ch->path);
        break;
    default:
        if (ch->path.n > 0) put_member(out, "path", ch->path);
        break;
    }
    put_value(out, &ch->value);
    if (ch->source_time_ns != 0) {
        buf_str_put(out, STR(",\"sourceTime\":\""));
        time_print(ch->source_time_ns, 9, out);
        buf_byte(out, '"');
    }
    buf_byte(out, '}');
}

// ---- messages ----

static bool wanted(const Subscription *s, const SosiaChange *ch) {
    if (s->twin.n == 0) return true;
    if (str_eq(ch->twin, s->twin) && ch->what != SOSIA_EV_MODEL) return true;
    return (ch->what == SOSIA_EV_LINK_PUT || ch->what == SOSIA_EV_LINK_DELETE) && str_eq(ch->other, s->twin);
}

// The number of wanted changes from s->at on, up to one message; *end is behind the last of them.
static int64_t select_part(const Subscription *s, int64_t *end) {
    int64_t n = 0, i = s->at;
    for (; i < s->batch.count && n < MESSAGE_CHANGES_MAX; i++) n += wanted(s, &s->batch.changes[i]);
    *end = i;
    return n;
}

static bool more_wanted(const Subscription *s, int64_t from) {
    for (int64_t i = from; i < s->batch.count; i++) {
        if (wanted(s, &s->batch.changes[i])) return true;
    }
    return false;
}

// Put one message of the current batch, if it holds anything wanted, and move on in it.
static void put_part(Subscription *s) {
    const SosiaBatch *b = &s->batch;
    Buf *out = &s->out;
    int64_t end = 0;
    if (select_part(s, &end) > 0) {
        bool more = more_wanted(s, end);
        buf_printf(out, "id: %llu\ndata: {\"seq\":%llu,\"prev\":%llu,\"time\":\"", (unsigned long long)b->seq,
                   (unsigned long long)b->seq, (unsigned long long)s->last);
        time_print(b->time_ns, 7, out);
        buf_byte(out, '"');
        if (b->source.n > 0) put_member(out, "source", b->source);
        buf_printf(out, "%s,\"changes\":[", more ? ",\"more\":true" : "");
        char comma = 0;
        for (int64_t i = s->at; i < end; i++) {
            if (!wanted(s, &b->changes[i])) continue;
            if (comma) buf_byte(out, comma);
            put_change(out, &b->changes[i]);
            comma = ',';
        }
        buf_str_put(out, STR("]}\n\n"));
        s->last = b->seq;
    }
    s->at = end;
}

static void put_cut(Subscription *s, const char *reason) {
    buf_printf(&s->out, "event: cut\ndata: {\"reason\":\"%s\",\"last\":%llu}\n\n", reason, (unsigned long long)s->last);
    s->over = true;
}

// Fetch the next batch; false when there is none or the end was put.
static bool next_batch(Subscription *s) {
    SosiaErr err = sosia_feed_next(s->feed, 0, &s->batch);
    s->at = 0;
    if (err == SOSIA_OK) return s->batch.seq != 0;
    s->batch = (SosiaBatch){0};
    put_cut(s, err == SOSIA_GONE     ? "this client was too slow: what comes next is no longer kept"
               : err == SOSIA_CLOSED ? "the server is stopping"
                                     : "the feed ended");
    return false;
}

// Gather what there is and send it.
static void pump(void *arg) {
    Subscription *s = arg;
    if (!http_stream_idle(s->stream)) return;
    if (s->over) {
        http_stream_end(s->stream);
        return;
    }
    while (s->out.n < SEND_BYTES && !s->over) {
        if (s->at < s->batch.count) {
            put_part(s);
        } else if (!next_batch(s)) {
            break;
        }
    }
    if (s->out.n == 0) return;
    s->sent_ns = time_mono_ns();
    http_stream_send(s->stream, &s->out);
}

static void heartbeat(void *arg) {
    Subscription *s = arg;
    pump(s);
    if (!http_stream_idle(s->stream) || time_mono_ns() - s->sent_ns < HEARTBEAT_NS) return;
    s->sent_ns = time_mono_ns();
    buf_str_put(&s->out, STR(":\n\n"));
    http_stream_send(s->stream, &s->out);
}

static void release(Subscription *s) {
    sosia_feed_close(s->feed);
    buf_free(&s->out);
    mem_free((void *)(uintptr_t)s->twin.p);
    mem_free(s);
}

static void closed(void *arg) { release(arg); }

// On a thread of the engine.
static void on_news(void *arg) { http_stream_wake(arg); }

// ---- subscribing ----

// Where to begin: ?since, else Last-Event-ID, else now. False when it is no sequence.
static bool read_since(Call *c, uint64_t *since) {
    Str text = call_param(c, STR("since"));
    if (!text.p) text = http_header(c->req, STR("last-event-id"));
    if (!text.p) return true;
    int64_t n = 0;
    if (!str_to_i64(str_trim(text), &n) || n < 0) return false;
    *since = (uint64_t)n;
    return true;
}

// The sequence that is visible now.
static uint64_t visible(Call *c) {
    SosiaOut *out = &c->server->outs[http_thread(c->req)];
    SosiaRead r = {.what = SOSIA_GET_TWINS, .world = c->world, .limit = 1};
    buf_reset(&out->message);
    return sosia_read(c->server->engine, &c->who, &r, out) == SOSIA_OK ? out->seq : 0;
}

static void subscribe(Call *c, SosiaFeed *feed, uint64_t since, Str twin) {
    static const HttpStreamOps ops = {.ready = pump, .tick = heartbeat, .closed = closed};
    Subscription *s = mem_alloc(sizeof *s);
    *s = (Subscription){.feed = feed, .last = since, .sent_ns = time_mono_ns()};
    if (twin.n > 0) {
        char *copy = mem_alloc((size_t)twin.n);
        memcpy(copy, twin.p, (size_t)twin.n);
        s->twin = (Str){copy, twin.n};
    }
    HttpReply head = {.status = 200, .type = STR("text/event-stream")};
    http_reply_header(&head, STR("cache-control"), STR("no-store"));
    http_reply_header(&head, STR("x-accel-buffering"), STR("no"));
    Buf first = {0};
    buf_str_put(&first, STR("event: ready\ndata: {\"world\":"));
    json_put_str(&first, c->world.n > 0 ? c->world : STR("live"));
    buf_printf(&first, ",\"since\":%llu}\n\n", (unsigned long long)since);
    s->stream = http_stream_open(c->req, &head, buf_str(&first), &ops, s);
    buf_free(&first);
    if (s->stream) {
        call_stream_head(c, &head);
        sosia_feed_notify(feed, on_news, s->stream);
    } else {
        release(s);
        call_failf(c, ERR_BUSY, "Too many event streams are open; try again.");
    }
}

void own_changes(Call *c) {
    uint64_t since = 0, oldest = 0;
    SosiaFeed *feed = NULL;
    if (!read_since(c, &since)) {
        call_failf(c, ERR_ARGUMENT, "since must be a sequence number.");
        return;
    }
    if (c->view->head) {
        call_empty(c, 200, (Str){0}, 0);
        return;
    }
    if (since == 0) since = visible(c);
    SosiaErr err = sosia_feed_open(c->server->engine, &c->who, c->world, since, &feed, &oldest);
    if (err == SOSIA_GONE) {
        call_failf(c, ERR_GONE,
                   "What follows sequence %llu is no longer kept; the oldest is %llu. Read the state again "
                   "and subscribe without since.",
                   (unsigned long long)since, (unsigned long long)oldest);
    } else if (err != SOSIA_OK) {
        call_fail(c, (Err)err, (Str){0}, (Str){0});
    } else {
        subscribe(c, feed, since, call_param(c, STR("twin")));
    }
}
