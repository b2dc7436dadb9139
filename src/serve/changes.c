// SPDX-License-Identifier: Apache-2.0
// GET /changes: subscribing, and what a subscription does when its stream is idle.
#include "serve/changes.h"
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

#define HEARTBEAT_S 15 // without a message
#define HEARTBEAT_S_MAX 60
#define RATE_DEFAULT 10         // messages a second of mode=latest
#define TURN_NS (2 * NS_PER_MS) // of reading what goes to `latest`

// ---- the end ------------------------------------------------------------------------------------------------------

static uint64_t position(const Subscription *s) {
    return s->state == SUB_LIVE && s->fan->last > s->pos ? s->fan->last : s->pos;
}

// Behind which sequence nothing was kept from the client.
static uint64_t resumable(const Subscription *s) {
    if (s->latest.count == 0) return position(s);
    return s->flush_left > 0 ? s->flush_last : s->last;
}

// The smallest `since` that would do now.
static uint64_t oldest_kept(Subscription *s) {
    SosiaFeed *feed = NULL;
    uint64_t oldest = 0;
    SosiaErr err = sosia_feed_open(s->fan->server->engine, &s->who, s->fan->world, 0, &feed, &oldest);
    if (err == SOSIA_OK) sosia_feed_close(feed);
    return oldest;
}

void sub_cut(Subscription *s, const char *reason, uint16_t code) {
    Buf text = {0};
    if (s->over) return;
    if (s->message.open) message_end(&s->message, &s->out, s->socket, false);
    buf_str_put(&text, STR("\"reason\":"));
    json_put_str(&text, str_of(reason));
    buf_printf(&text, ",\"last\":%llu,\"resume\":%llu,\"oldest\":%llu", (unsigned long long)s->last,
               (unsigned long long)resumable(s), (unsigned long long)oldest_kept(s));
    event_put(&s->out, s->socket, "cut", buf_str(&text));
    buf_free(&text);
    s->over = true;
    s->code = code;
}

// A replay has given everything.
static void put_end(Subscription *s) {
    Buf text = {0};
    if (s->over) return;
    buf_printf(&text, "\"last\":%llu", (unsigned long long)s->last);
    event_put(&s->out, s->socket, "end", buf_str(&text));
    buf_free(&text);
    s->over = true;
    s->code = WS_NORMAL;
}

static void cut_by(Subscription *s, SosiaErr err) {
    if (s->replay && err == SOSIA_CLOSED) put_end(s);
    else if (s->replay && err != SOSIA_WORLD_NOT_FOUND) sub_cut(s, "the past cannot be read", WS_TRY_LATER);
    else if (err == SOSIA_GONE) sub_cut(s, "this client was too slow: what comes next is no longer kept", WS_TRY_LATER);
    else if (err == SOSIA_CLOSED) sub_cut(s, "the server is stopping, or the world was dropped", WS_GOING_AWAY);
    else if (err == SOSIA_WORLD_NOT_FOUND) sub_cut(s, "the world was dropped", WS_GOING_AWAY);
    else sub_cut(s, "the feed ended", WS_TRY_LATER);
}

// ---- sending ------------------------------------------------------------------------------------------------------

static void send_out(Subscription *s) {
    if (!http_stream_idle(s->stream)) return;
    if (s->out.n > 0) {
        s->sent_ns = time_mono_ns();
        http_stream_send(s->stream, &s->out);
    } else if (s->over && s->socket) {
        http_socket_end(s->stream, s->code, (Str){0});
    } else if (s->over) {
        http_stream_end(s->stream);
    }
}

// A message without changes: nothing of what is wanted happened up to the position.
static void put_position(Subscription *s) {
    message_begin(&s->message, &s->out, s->socket, &(Head){.seq = position(s), .prev = s->last});
    message_end(&s->message, &s->out, s->socket, false);
    s->last = position(s);
}

// ---- the newest of each value -------------------------------------------------------------------------------------

static void count_latest(Subscription *s) {
    s->fan->latest_bytes += s->latest.bytes - s->latest_bytes;
    s->latest_bytes = s->latest.bytes;
}

bool sub_keep_latest(Subscription *s, const SosiaChange *ch, Str json) {
    bool fits = latest_put(&s->latest, ch, json);
    count_latest(s);
    if (fits && s->fan->latest_bytes <= FAN_LATEST_BYTES_MAX) return true;
    sub_cut(s, "this client was too slow: more values wait than it may have", WS_TRY_LATER);
    latest_free(&s->latest);
    count_latest(s);
    return false;
}

// One message of what waits.
static void put_latest(Subscription *s) {
    Message *m = &s->message;
    uint64_t seq = position(s);
    message_begin(m, &s->out, s->socket, &(Head){.seq = seq, .prev = s->last, .time_ns = s->time_ns});
    while (s->flush_left > 0 && s->latest.count > 0 && !message_full(m, &s->out)) {
        message_next(m, &s->out);
        latest_take(&s->latest, &s->out);
        s->flush_left--;
    }
    if (s->latest.count == 0) s->flush_left = 0;
    message_end(m, &s->out, s->socket, s->flush_left > 0);
    s->last = seq;
    if (s->latest.count == 0) latest_free(&s->latest);
    count_latest(s);
}

void sub_flush(Subscription *s, int64_t now_ns) {
    if (!http_stream_idle(s->stream) || s->out.n > 0 || s->over) return;
    if (s->flush_left == 0) {
        bool due = !s->latest_only || now_ns - s->flushed_ns >= s->every_ns;
        if (s->latest.count == 0 || !due) return;
        s->flush_left = s->latest.count;
        s->flush_last = s->last;
        s->flushed_ns = now_ns;
    }
    put_latest(s);
    if (s->latest.count == 0) s->conflating = false;
    send_out(s);
}

// ---- a cursor of its own ------------------------------------------------------------------------------------------

// On a thread of the engine.
static void on_news(void *arg) { http_stream_wake(arg); }

static void close_cursor(Subscription *s) {
    sosia_feed_close(s->feed);
    s->feed = NULL;
    s->batch = (SosiaBatch){0};
    s->at = 0;
}

static bool open_cursor(Subscription *s) {
    SosiaErr err = s->fan->dead
                       ? SOSIA_CLOSED
                       : sosia_feed_open(s->fan->server->engine, &s->who, s->fan->world, s->pos, &s->feed, NULL);
    if (err != SOSIA_OK) {
        s->feed = NULL;
        cut_by(s, err);
        return false;
    }
    sosia_feed_notify(s->feed, on_news, s->stream);
    return true;
}

// The next batch and what is wanted of it; false when there is none now, or the end was put.
static bool next_batch(Subscription *s) {
    SosiaErr err = sosia_feed_next(s->feed, 0, &s->batch);
    s->at = 0;
    if (err != SOSIA_OK) {
        s->batch = (SosiaBatch){0};
        cut_by(s, err);
        return false;
    }
    if (s->batch.seq == 0) return false;
    if (s->batch.count > s->want_cap) {
        s->want_cap = s->batch.count;
        s->want = mem_grow(s->want, (size_t)s->want_cap);
    }
    if (filter_batch(&s->filter, s->fan, &s->batch, s->want)) return true;
    cut_by(s, SOSIA_WORLD_NOT_FOUND);
    return false;
}

static void skip_unwanted(Subscription *s) {
    while (s->at < s->batch.count && !s->want[s->at]) s->at++;
}

// Put one message of the batch, if anything in it is wanted.
static void put_part(Subscription *s) {
    const SosiaBatch *b = &s->batch;
    Message *m = &s->message;
    skip_unwanted(s);
    if (s->at == b->count) return;
    message_begin(m, &s->out, s->socket,
                  &(Head){.seq = b->seq, .prev = s->last, .time_ns = b->time_ns, .source = b->source});
    for (; s->at < b->count && !message_full(m, &s->out); skip_unwanted(s)) {
        message_next(m, &s->out);
        change_put(&s->out, &b->changes[s->at++]);
    }
    message_end(m, &s->out, s->socket, s->at < b->count);
    s->last = b->seq;
}

static void keep_batch(Subscription *s) {
    Buf piece = {0};
    for (skip_unwanted(s); s->at < s->batch.count && !s->over; skip_unwanted(s)) {
        buf_reset(&piece);
        change_put(&piece, &s->batch.changes[s->at]);
        sub_keep_latest(s, &s->batch.changes[s->at++], buf_str(&piece));
    }
    buf_free(&piece);
}

// The batch was looked at as a whole. True when the fan goes on from here.
static bool batch_over(Subscription *s) {
    if (s->batch.seq > 0) {
        s->pos = s->batch.seq;
        s->time_ns = s->batch.time_ns;
        s->batch = (SosiaBatch){0};
    }
    if (s->replay || !fan_attach(s->fan, s)) return false;
    close_cursor(s);
    return true;
}

// Read on until enough waits to be sent, there is nothing more, or the fan was reached.
static void catch_up(Subscription *s) {
    int64_t began = time_mono_ns();
    if (!s->feed && batch_over(s)) return;
    if (!s->feed && !open_cursor(s)) return;
    while (s->out.n < OUT_BYTES_FULL && !s->over) {
        if (s->at < s->batch.count) {
            if (s->latest_only) keep_batch(s);
            else put_part(s);
        } else if (batch_over(s) || !next_batch(s)) {
            break;
        }
        if (s->latest_only && time_mono_ns() - began > TURN_NS) {
            http_stream_wake(s->stream);
            break;
        }
    }
    if (s->latest_only && s->state == SUB_BEHIND) sub_flush(s, time_mono_ns());
}

void sub_fall_behind(Subscription *s) {
    s->lost = false;
    s->message.open = false;
    s->out.n = s->batch_out;
    s->last = s->batch_last;
    fan_detach(s->fan, s);
}

// ---- what to do when the stream is idle ---------------------------------------------------------------------------

static void step_snapshot(Subscription *s) {
    const char *why = NULL;
    if (!snapshot_step(s->snapshot, s, &why)) {
        sub_cut(s, why, WS_TRY_LATER);
    } else if (snapshot_done(s->snapshot, &s->pos)) {
        snapshot_end(s->snapshot);
        s->snapshot = NULL;
        s->state = SUB_BEHIND;
    }
}

void sub_go(Subscription *s) {
    if (!http_stream_idle(s->stream)) return;
    if (!s->over && s->out.n == 0 && s->state == SUB_SNAPSHOT) step_snapshot(s);
    if (!s->over && s->out.n == 0 && s->state == SUB_BEHIND) catch_up(s);
    if (!http_stream_idle(s->stream)) return;
    if (!s->over && s->out.n == 0 && s->state == SUB_LIVE && (s->conflating || s->flush_left > 0)) {
        sub_flush(s, time_mono_ns()); // sends
        return;
    }
    send_out(s);
}

static void on_ready(void *arg) { sub_go(arg); }

static void on_tick(void *arg) {
    Subscription *s = arg;
    if (s->state != SUB_LIVE) {
        sub_go(s);
        return;
    }
    int64_t now = time_mono_ns();
    if (s->latest.count > 0) sub_flush(s, now);
    if (!http_stream_idle(s->stream) || s->latest.count > 0 || s->out.n > 0 || now - s->sent_ns < s->heartbeat_ns ||
        s->over)
        return;
    s->sent_ns = now;
    if (position(s) > s->last) put_position(s);
    else if (!s->socket) buf_str_put(&s->out, STR(":\n\n"));
    send_out(s);
}

static void release(Subscription *s) {
    fan_forget(s->fan, s);
    latest_free(&s->latest);
    count_latest(s);
    sosia_feed_close(s->feed);
    if (s->snapshot) snapshot_end(s->snapshot);
    fan_leave(s->fan);
    filter_free(&s->filter);
    buf_free(&s->out);
    mem_free(s->want);
    mem_free(s->picked);
    mem_free(s);
}

static void on_closed(void *arg) { release(arg); }

// ---- subscribing --------------------------------------------------------------------------------------------------

bool changes_since(Call *c, uint64_t *since) {
    Str text = call_param(c, STR("since"));
    if (!text.p) text = http_header(c->req, STR("last-event-id"));
    if (!text.p) return true;
    int64_t n = 0;
    if (!str_to_i64(str_trim(text), &n) || n < 0) return false;
    *since = (uint64_t)n;
    return true;
}

uint64_t changes_visible(Sosia *engine, Str world) {
    SosiaOut out = {0};
    SosiaRead r = {.what = SOSIA_GET_TWINS, .world = world, .limit = 1};
    uint64_t seq = sosia_read(engine, NULL, &r, &out) == SOSIA_OK ? out.seq : 0;
    sosia_out_free(&out);
    return seq;
}

// A whole number of 1 to max; *out is untouched without the parameter. False: it was answered.
static bool read_number(Call *c, Str name, int64_t max, int64_t *out) {
    Str text = call_param(c, name);
    int64_t n = 0;
    if (!text.p) return true;
    if (!str_to_i64(str_trim(text), &n) || n < 1 || n > max) {
        call_failf(c, ERR_ARGUMENT, "%.*s must be a whole number from 1 to %lld.", STR_ARG(name), (long long)max);
        return false;
    }
    *out = n;
    return true;
}

// One of two words; the first is the default. False: it was answered.
static bool read_choice(Call *c, Str name, const char *first, const char *second, bool *is_second) {
    Str text = call_param(c, name);
    *is_second = str_eq(text, str_of(second));
    if (!text.p || *is_second || str_eq(text, str_of(first))) return true;
    call_failf(c, ERR_ARGUMENT, "%.*s must be %s or %s.", STR_ARG(name), first, second);
    return false;
}

static bool read_options(Subscription *s, Call *c) {
    int64_t rate = RATE_DEFAULT, heartbeat = HEARTBEAT_S;
    if (!read_choice(c, STR("mode"), "all", "latest", &s->latest_only) ||
        !read_choice(c, STR("slow"), "cut", "conflate", &s->conflate) ||
        !read_number(c, STR("rate"), RATE_MAX, &rate) ||
        !read_number(c, STR("heartbeat"), HEARTBEAT_S_MAX, &heartbeat) || !filter_read(&s->filter, c))
        return false;
    s->every_ns = NS_PER_S / rate;
    s->heartbeat_ns = heartbeat * NS_PER_S;
    s->who = (SosiaCaller){arena_str(&s->filter.keep, c->who.principal), arena_str(&s->filter.keep, c->who.purpose)};
    return true;
}

void changes_gone(Call *c, uint64_t since, uint64_t oldest) {
    Buf body = {0};
    HttpReply reply = {.status = 410, .type = JSON_TYPE, .take = &body};
    Str code = str_of(err_wire(ERR_GONE));
    buf_str_put(&body, STR("{\"error\":{\"code\":"));
    json_put_str(&body, code);
    buf_printf(&body,
               ",\"message\":\"What follows sequence %llu is %s; the oldest is %llu. Read the state again, "
               "or ask for snapshot=true, without since.\"},\"oldest\":%llu}",
               (unsigned long long)since,
               since < oldest ? "no longer kept" : "not there yet: it was of another world file",
               (unsigned long long)oldest, (unsigned long long)oldest);
    http_reply_header(&reply, STR("x-ms-error-code"), code);
    call_reply(c, &reply);
    buf_free(&body);
}

static HttpStream *open_stream(Subscription *s, Call *c, HttpReply *head) {
    static const HttpStreamOps ops = {.ready = on_ready, .tick = on_tick, .closed = on_closed};
    Buf text = {0}, first = {0};
    buf_str_put(&text, STR("\"world\":"));
    json_put_str(&text, c->world.n > 0 ? c->world : STR("live"));
    buf_printf(&text, ",\"since\":%llu", (unsigned long long)s->last);
    event_put(&first, s->socket, "ready", buf_str(&text));
    HttpStream *stream = s->socket ? http_socket_open(c->req, head, buf_str(&first), &ops, s)
                                   : http_stream_open(c->req, head, buf_str(&first), &ops, s);
    buf_free(&text);
    buf_free(&first);
    return stream;
}

static void begin(Subscription *s, Call *c) {
    HttpReply head = {.status = s->socket ? 101 : 200};
    if (!s->socket) {
        head.type = STR("text/event-stream");
        http_reply_header(&head, STR("cache-control"), STR("no-store"));
        http_reply_header(&head, STR("x-accel-buffering"), STR("no"));
    }
    s->sent_ns = time_mono_ns();
    s->stream = open_stream(s, c, &head);
    if (!s->stream) {
        release(s);
        call_failf(c, ERR_BUSY, "Too many event streams are open; try again.");
        return;
    }
    call_stream_head(c, &head);
    if (s->snapshot) snapshot_wake(s->snapshot, s->stream);
    else if (!s->feed) fan_attach(s->fan, s); // from now on; when that fails the first step tells
    else sosia_feed_notify(s->feed, on_news, s->stream);
}

// An instant of a parameter. False: it was answered.
static bool read_instant(Call *c, Str name, int64_t now, int64_t *out) {
    Str text = call_param(c, name);
    if (time_parse_when(text, now, out)) return true;
    call_failf(c, ERR_ARGUMENT, "%.*s must be an instant such as 2026-11-01T08:00:00Z or -1h.", STR_ARG(name));
    return false;
}

static bool read_replay(Call *c, SosiaReplay *r) {
    Str speed = call_param(c, STR("speed"));
    int64_t now;
    *r = (SosiaReplay){.speed = 1, .world = c->world};
    SosiaErr err = sosia_world_now(c->server->engine, c->world, true, &now);
    if (err) {
        call_fail(c, (Err)err, (Str){0}, (Str){0});
        return false;
    }
    if (!read_instant(c, STR("from"), now, &r->from_ns) || !read_instant(c, STR("to"), now, &r->to_ns)) return false;
    // The clock of a fork stands at its newest batch, which a stretch up to now has.
    if (c->world.n && str_eq(call_param(c, STR("to")), STR("now"))) r->to_ns++;
    if (!speed.p || (str_to_f64(speed, &r->speed) && r->speed >= 0 && r->speed <= 1e9)) return true;
    call_failf(c, ERR_ARGUMENT, "speed must be a number of times real time, 0 for as fast as it goes.");
    return false;
}

// A stretch of the past instead of what happens. False: it was answered.
static bool place_replay(Subscription *s, Call *c) {
    SosiaReplay r;
    if (call_param(c, STR("since")).p || call_param_bool(c, STR("snapshot"))) {
        call_failf(c, ERR_ARGUMENT, "A replay (from, to) takes neither since nor snapshot.");
        return false;
    }
    if (!read_replay(c, &r)) return false;
    s->replay = true;
    s->pos = s->last = 0;
    s->state = SUB_BEHIND;
    SosiaErr err = sosia_feed_replay(c->server->engine, &c->who, &r, &s->feed);
    if (err == SOSIA_OK) return true;
    s->feed = NULL;
    if (err == SOSIA_ARGUMENT) call_failf(c, ERR_ARGUMENT, "to must lie behind from, and not in the future.");
    else if (err == SOSIA_PAST_GONE) call_failf(c, ERR_PAST_GONE, "The past is not known from that instant on.");
    else if (err == SOSIA_LIMIT) call_failf(c, ERR_LIMIT, "Too many replays are under way.");
    else call_fail(c, (Err)err, (Str){0}, (Str){0});
    return false;
}

// Find the beginning: now, behind a sequence, or a snapshot. False: it was answered.
static bool place(Subscription *s, Call *c, uint64_t since) {
    uint64_t oldest = 0;
    if (call_param(c, STR("from")).p || call_param(c, STR("to")).p) return place_replay(s, c);
    s->pos = s->last = since ? since : changes_visible(c->server->engine, c->world);
    s->state = SUB_BEHIND;
    if (call_param_bool(c, STR("snapshot"))) {
        if (since) {
            call_failf(c, ERR_ARGUMENT, "snapshot=true begins with what is there now: leave since out.");
            return false;
        }
        s->state = SUB_SNAPSHOT;
        s->snapshot = snapshot_begin(c, &s->filter);
        return s->snapshot != NULL;
    }
    if (!since) return true;
    SosiaErr err = sosia_feed_open(c->server->engine, &c->who, c->world, since, &s->feed, &oldest);
    if (err == SOSIA_OK) return true;
    s->feed = NULL;
    if (err == SOSIA_GONE) changes_gone(c, since, oldest);
    else call_fail(c, (Err)err, (Str){0}, (Str){0});
    return false;
}

static bool world_known(Call *c) {
    SosiaFeed *feed = NULL;
    SosiaErr err = sosia_feed_open(c->server->engine, &c->who, c->world, 0, &feed, NULL);
    if (err == SOSIA_OK) sosia_feed_close(feed);
    else call_fail(c, (Err)err, (Str){0}, (Str){0});
    return err == SOSIA_OK;
}

void own_changes(Call *c) {
    uint64_t since = 0;
    bool wrong, socket = http_wants_socket(c->req, &wrong);
    if (wrong) {
        call_upgrade(c);
        return;
    }
    if (!changes_since(c, &since)) {
        call_failf(c, ERR_ARGUMENT, "since must be a sequence number.");
        return;
    }
    if (!world_known(c)) return;
    if (c->view->head) {
        call_empty(c, 200, (Str){0}, 0);
        return;
    }
    Subscription *s = mem_alloc(sizeof *s);
    s->socket = socket;
    latest_init(&s->latest, LATEST_MAX, LATEST_BYTES_MAX);
    if (!read_options(s, c)) {
        mem_free(s);
        return;
    }
    s->fan = fan_of(c);
    if (place(s, c, since)) begin(s, c);
    else release(s);
}
