// SPDX-License-Identifier: Apache-2.0
// GET /watch: one WebSocket for everything a page shows. See watch.h for how it works, own.h for what is said.
#include "serve/watch.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

#define HEARTBEAT_NS (15 * NS_PER_S)
#define TURN_NS (2 * NS_PER_MS)     // of reading at once
#define READ_GAP_NS (8 * NS_PER_MS) // between two readings: many small batches are read together
#define ANSWERS_BYTES_MAX (64 << 10)

typedef struct Watch {
    Server *server;
    int32_t thread;
    HttpStream *stream;
    HttpWaker *waker;
    Arena keep;
    Str world;
    SosiaCaller who;
    SosiaFeed *feed; // NULL: no interest
    atomic_bool news;
    uint64_t pos;    // every batch up to it was looked at
    int64_t time_ns; // of that batch, 0: none yet
    int64_t read_ns, sent_ns;
    bool rest; // there is more to be read
    Interest *items[WATCH_INTERESTS_MAX];
    int32_t count, next; // next: whose turn it is to be sent
    Kins kins;
    WatchBatch batch;
    Buf out;
} Watch;

// ---- the end -------------------------------------------------------------------------------------------------------

// Close it: on_closed is called, the watch is gone. Always false.
static bool end(Watch *w, uint16_t code, const char *why) {
    http_socket_end(w->stream, code, str_of(why));
    return false;
}

static int64_t *bytes_of_thread(Watch *w) { return &w->server->watch_bytes[w->thread]; }

// What waits is counted, for all watches of the thread together.
static void count_bytes(Watch *w, Interest *it) {
    *bytes_of_thread(w) += it->latest.bytes - it->bytes;
    it->bytes = it->latest.bytes;
}

static void drop(Watch *w, int32_t i) {
    latest_free(&w->items[i]->latest);
    count_bytes(w, w->items[i]);
    interest_free(w->items[i]);
    w->items[i] = w->items[--w->count];
}

static void close_feed(Watch *w) {
    sosia_feed_close(w->feed);
    w->feed = NULL;
}

static void on_closed(void *arg) {
    Watch *w = arg;
    close_feed(w); // on_news is not called any more
    http_waker_free(w->waker);
    while (w->count) drop(w, 0);
    kins_forget(&w->kins);
    arena_free(&w->kins.keep);
    watch_batch_free(&w->batch);
    buf_free(&w->out);
    arena_free(&w->keep);
    mem_free(w);
}

// ---- reading -------------------------------------------------------------------------------------------------------

// On a thread of the engine.
static void on_news(void *arg) {
    Watch *w = arg;
    if (!atomic_exchange(&w->news, true)) http_waker_wake(w->waker);
}

// Behind w->pos. Errors: those of sosia_feed_open.
static SosiaErr open_feed(Watch *w) {
    SosiaErr err = sosia_feed_open(w->server->engine, &w->who, w->world, w->pos, &w->feed, NULL);
    if (err != SOSIA_OK) w->feed = NULL;
    else sosia_feed_notify(w->feed, on_news, w);
    return err;
}

// What comes next is not kept any more: from now on again, and everybody is told. False: the watch is gone.
static bool lose_all(Watch *w) {
    close_feed(w);
    for (int32_t i = 0; i < w->count; i++) {
        interest_lose(w->items[i]);
        count_bytes(w, w->items[i]);
    }
    w->pos = changes_visible(w->server->engine, w->world);
    return open_feed(w) == SOSIA_OK || end(w, WS_GOING_AWAY, "the world was dropped");
}

// False: the watch is gone.
static bool feed_failed(Watch *w, SosiaErr err) {
    if (err == SOSIA_OVERRUN || err == SOSIA_STORAGE) return true; // again with the next tick
    if (err == SOSIA_GONE || err == SOSIA_CORRUPT) return lose_all(w);
    return end(w, WS_GOING_AWAY, "the server is stopping, or the world was dropped");
}

// False: the world is gone.
static bool take_batch(Watch *w, const SosiaBatch *b) {
    watch_batch_begin(&w->batch, b);
    for (int64_t i = 0; i < b->count; i++) {
        if (b->changes[i].what == SOSIA_EV_MODEL) kins_forget(&w->kins);
    }
    for (int32_t i = 0; i < w->count; i++) {
        Interest *it = w->items[i];
        if (!interest_take(it, &w->batch, &w->kins, w->server->engine, w->world, w->pos)) return false;
        count_bytes(w, it);
        if (*bytes_of_thread(w) <= WATCH_BYTES_MAX || it->latest.count == 0) continue;
        interest_lose(it);
        count_bytes(w, it);
    }
    w->pos = b->seq;
    w->time_ns = b->time_ns;
    return true;
}

// False: the watch is gone.
static bool read_feed(Watch *w) {
    int64_t began = w->read_ns = time_mono_ns();
    w->rest = false;
    while (w->feed && w->count && !w->rest) {
        SosiaBatch b;
        atomic_store(&w->news, false);
        SosiaErr err = sosia_feed_next(w->feed, 0, &b);
        if (err == SOSIA_OK && b.seq == 0) break;
        if (err == SOSIA_OK && !take_batch(w, &b)) err = SOSIA_WORLD_NOT_FOUND;
        if (err != SOSIA_OK) return feed_failed(w, err);
        w->rest = time_mono_ns() - began > TURN_NS;
    }
    return true;
}

// ---- sending -------------------------------------------------------------------------------------------------------

static bool waits(const Interest *it) { return it->latest.count > 0 || it->lost; }

static bool due(const Interest *it, int64_t now) {
    return waits(it) && (it->flush_left > 0 || now - it->flushed_ns >= it->ask.interval_ns);
}

// Behind what everything was sent.
static uint64_t safe(const Watch *w) {
    uint64_t since = w->pos;
    for (int32_t i = 0; i < w->count; i++) {
        const Interest *it = w->items[i];
        if (it->latest.count > 0 && it->clean < since) since = it->clean;
    }
    return since;
}

static void put_position(const Watch *w, Buf *text) {
    buf_printf(text, "\"seq\":%llu,\"since\":%llu", (unsigned long long)w->pos, (unsigned long long)safe(w));
    if (!w->time_ns) return;
    buf_str_put(text, STR(",\"time\":\""));
    time_print(w->time_ns, 7, text);
    buf_byte(text, '"');
}

// One message of what waits in an interest.
static void put_message(Watch *w, Interest *it, int64_t now) {
    Buf list = {0}, text = {0};
    bool lost = it->lost;
    if (it->flush_left == 0) {
        it->flush_left = it->latest.count;
        it->flush_pos = w->pos;
        it->flushed_ns = now;
    }
    for (int32_t n = 0; it->flush_left > 0 && n < WATCH_MESSAGE_CHANGES_MAX && list.n < WATCH_MESSAGE_BYTES_MAX; n++) {
        if (n) buf_byte(&list, ',');
        latest_take(&it->latest, &list);
        it->flush_left--;
    }
    if (it->flush_left == 0) it->clean = it->flush_pos;
    it->lost = false;
    buf_str_put(&text, STR("{\"id\":"));
    json_put_str(&text, it->ask.id);
    buf_byte(&text, ',');
    put_position(w, &text);
    if (lost) buf_str_put(&text, STR(",\"lost\":true"));
    buf_str_put(&text, STR(",\"changes\":["));
    buf_put(&text, list.p, list.n);
    buf_printf(&text, "]%s}", it->flush_left > 0 ? ",\"more\":true" : "");
    ws_put_text(&w->out, buf_str(&text));
    count_bytes(w, it);
    buf_free(&list);
    buf_free(&text);
}

static void send_out(Watch *w) {
    if (w->out.n == 0 || !http_stream_idle(w->stream)) return;
    w->sent_ns = time_mono_ns();
    http_stream_send(w->stream, &w->out);
}

// Each in turn, so that a busy one does not keep others waiting.
static void flush(Watch *w) {
    int64_t now = time_mono_ns();
    for (int32_t n = 0; n < w->count && http_stream_idle(w->stream) && w->out.n < WATCH_MESSAGE_BYTES_MAX; n++) {
        Interest *it = w->items[w->next++ % w->count];
        if (due(it, now)) put_message(w, it, now);
    }
    if (w->count) w->next %= w->count;
    send_out(w);
}

// Come back when something will be due. While the stream is not idle it comes back by itself.
static void arm(Watch *w) {
    bool any = w->rest;
    for (int32_t i = 0; i < w->count && !any; i++) any = waits(w->items[i]);
    if (any) http_waker_soon(w->waker);
}

static void go(Watch *w) {
    if (!read_feed(w)) return;
    flush(w);
    arm(w);
}

// There is news, or time went by.
static void on_wake(void *arg) {
    Watch *w = arg;
    if (time_mono_ns() - w->read_ns < READ_GAP_NS) http_waker_soon(w->waker);
    else go(w);
}

static void on_ready(void *arg) {
    Watch *w = arg;
    http_socket_pause(w->stream, w->out.n > ANSWERS_BYTES_MAX);
    if (w->out.n > 0) send_out(w);
    else go(w);
}

static void put_heartbeat(Watch *w) {
    Buf text = {0};
    buf_byte(&text, '{');
    put_position(w, &text);
    buf_byte(&text, '}');
    ws_put_text(&w->out, buf_str(&text));
    buf_free(&text);
}

static void on_tick(void *arg) {
    Watch *w = arg;
    for (int32_t i = 0; i < w->count; i++) {
        Interest *it = w->items[i];
        if (it->latest.count == 0 && it->latest.bytes) latest_free(&it->latest); // quiet ones cost nothing
        count_bytes(w, it);
    }
    if (w->out.n == 0 && time_mono_ns() - w->sent_ns >= HEARTBEAT_NS) put_heartbeat(w);
    go(w);
}

// ---- what the client says ------------------------------------------------------------------------------------------

static void put_error(Watch *w, Str id, Err err, Str message) {
    Buf text = {0};
    buf_str_put(&text, STR("{\"error\":{"));
    if (id.n) {
        buf_str_put(&text, STR("\"id\":"));
        json_put_str(&text, id);
        buf_byte(&text, ',');
    }
    buf_str_put(&text, STR("\"code\":"));
    json_put_str(&text, str_of(err_wire(err)));
    buf_str_put(&text, STR(",\"message\":"));
    json_put_str(&text, message.n ? message : str_of(err_text(err)));
    buf_str_put(&text, STR("}}"));
    ws_put_text(&w->out, buf_str(&text));
    buf_free(&text);
}

static void put_done(Watch *w, const char *what, Str id) {
    Buf text = {0};
    buf_printf(&text, "{\"%s\":", what);
    json_put_str(&text, id);
    buf_byte(&text, ',');
    put_position(w, &text);
    buf_byte(&text, '}');
    ws_put_text(&w->out, buf_str(&text));
    buf_free(&text);
}

static int32_t find(const Watch *w, Str id) {
    for (int32_t i = 0; i < w->count; i++) {
        if (str_eq(w->items[i]->ask.id, id)) return i;
    }
    return -1;
}

static void unsubscribe(Watch *w, Str id) {
    int32_t i = find(w, id);
    if (i < 0) {
        put_error(w, id, ERR_ARGUMENT, STR("There is no interest of that id."));
        return;
    }
    drop(w, i);
    if (w->count == 0) close_feed(w);
    put_done(w, "unsubscribed", id);
}

// The first interest after none: from now on. False: the world is gone.
static bool follow(Watch *w) {
    if (w->feed) return true;
    w->pos = changes_visible(w->server->engine, w->world);
    w->time_ns = 0;
    return open_feed(w) == SOSIA_OK;
}

// False: the watch is gone.
static bool subscribe(Watch *w, const WatchAsk *ask) {
    Interest *it = NULL;
    Buf why = {0};
    int32_t i = find(w, ask->id);
    if (i < 0 && w->count == WATCH_INTERESTS_MAX) {
        put_error(w, ask->id, ERR_LIMIT, STR("A watch has at most 32 interests: unsubscribe one."));
        return true;
    }
    Err err = interest_new(w->server->engine, w->world, ask, &it, &why);
    if (err != ERR_OK) put_error(w, ask->id, err, buf_str(&why));
    buf_free(&why);
    if (err != ERR_OK) return true;
    if (i >= 0) drop(w, i);
    w->items[w->count++] = it;
    if (!follow(w)) return end(w, WS_GOING_AWAY, "the world was dropped");
    it->clean = w->pos;
    put_done(w, "subscribed", ask->id);
    return true;
}

// False: the watch is gone.
static bool take_message(Watch *w, Str bytes) {
    WatchSay say;
    const char *why = NULL;
    Arena keep;
    arena_init(&keep, 0);
    Err err = watch_parse(bytes, &keep, &say, &why);
    bool there = true;
    if (err != ERR_OK) put_error(w, (Str){0}, err, str_of(why));
    else if (say.count == 0) unsubscribe(w, say.unsubscribe);
    for (int32_t i = 0; err == ERR_OK && i < say.count && there; i++) there = subscribe(w, &say.subscribe[i]);
    arena_free(&keep);
    return there;
}

static void on_message(void *arg, Str bytes, bool text) {
    Watch *w = arg;
    if (!text) {
        end(w, WS_UNACCEPTABLE, "messages are text");
        return;
    }
    if (!take_message(w, bytes)) return;
    if (w->out.n > ANSWERS_BYTES_MAX) http_socket_pause(w->stream, true);
    send_out(w);
    http_waker_soon(w->waker);
}

// ---- opening -------------------------------------------------------------------------------------------------------

static Watch *watch_new(Call *c, uint64_t since) {
    Watch *w = mem_alloc(sizeof *w);
    w->server = c->server;
    w->thread = http_thread(c->req);
    arena_init(&w->keep, 512);
    w->world = arena_str(&w->keep, c->world);
    w->who = (SosiaCaller){arena_str(&w->keep, c->who.principal), arena_str(&w->keep, c->who.purpose)};
    w->pos = since ? since : changes_visible(c->server->engine, c->world);
    w->sent_ns = time_mono_ns();
    kins_forget(&w->kins);
    w->waker = http_waker_new(c->req, on_wake, w);
    return w;
}

// A cursor from where it begins. It is read with the first interest. False: it was answered.
static bool begin(Watch *w, Call *c, uint64_t since) {
    uint64_t oldest = 0;
    SosiaErr err = sosia_feed_open(c->server->engine, &c->who, c->world, since ? since : w->pos, &w->feed, &oldest);
    if (err == SOSIA_OK) return true;
    w->feed = NULL;
    if (err == SOSIA_GONE) changes_gone(c, since, oldest);
    else call_fail(c, (Err)err, (Str){0}, (Str){0});
    return false;
}

static bool open_socket(Watch *w, Call *c) {
    static const HttpStreamOps ops = {on_ready, on_tick, on_closed, on_message};
    Buf text = {0}, first = {0};
    HttpReply head = {.status = 101};
    buf_str_put(&text, STR("{\"ready\":"));
    json_put_str(&text, c->world.n > 0 ? c->world : STR("live"));
    buf_byte(&text, ',');
    put_position(w, &text);
    buf_byte(&text, '}');
    ws_put_text(&first, buf_str(&text));
    w->stream = http_socket_open(c->req, &head, buf_str(&first), &ops, w);
    buf_free(&text);
    buf_free(&first);
    if (w->stream) call_stream_head(c, &head);
    else call_failf(c, ERR_BUSY, "Too many event streams are open; try again.");
    return w->stream != NULL;
}

void own_watch(Call *c) {
    uint64_t since = 0;
    bool wrong;
    if (!http_wants_socket(c->req, &wrong)) {
        call_upgrade(c);
        return;
    }
    if (!changes_since(c, &since)) {
        call_failf(c, ERR_ARGUMENT, "since must be a sequence number.");
        return;
    }
    Watch *w = watch_new(c, since);
    if (begin(w, c, since) && open_socket(w, c)) sosia_feed_notify(w->feed, on_news, w);
    else on_closed(w);
}
