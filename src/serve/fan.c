// SPDX-License-Identifier: Apache-2.0
// One cursor for all subscriptions of an I/O thread and world: each batch is decoded once, each change rendered at most
// once, and offered to those only who may want it. A subscription stands in the index under the rarest thing its filter
// names: its twins, else its properties, else its models, else under `rest`.
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "serve/changes.h"

#define TURN_NS (2 * NS_PER_MS)   // of the I/O thread before others have theirs
#define TURN_BYTES_MAX (32 << 10) // that one subscription gets before the loop may write

// ---- the index ----------------------------------------------------------------------------------------------------

typedef struct IndexNode {
    struct IndexNode *next, **link;
    struct IndexList *list;
    Subscription *sub;
} IndexNode;

// Those who named one thing; freed with the last of them.
typedef struct IndexList {
    IndexNode *first;
    Map *map; // NULL: everything else
    Str key;  // owned
} IndexList;

static IndexList *list_get(const Map *map, Str key) {
    int64_t at;
    return map_get(map, key, &at) ? (IndexList *)(intptr_t)at : NULL;
}

static IndexList *list_new(Map *map, Str key) {
    IndexList *l = mem_alloc(sizeof *l);
    l->map = map;
    if (!map) return l;
    char *copy = mem_alloc((size_t)key.n + 1);
    memcpy(copy, key.p, (size_t)key.n);
    l->key = (Str){copy, key.n};
    map_put(map, l->key, (int64_t)(intptr_t)l);
    return l;
}

static void list_free(IndexList *l) {
    if (l->map) map_del(l->map, l->key);
    mem_free((void *)(uintptr_t)l->key.p);
    mem_free(l);
}

static void node_add(IndexList *l, Subscription *s) {
    IndexNode *n = &s->nodes[s->node_count++];
    *n = (IndexNode){.next = l->first, .link = &l->first, .list = l, .sub = s};
    if (n->next) n->next->link = &n->next;
    l->first = n;
}

static void add_names(Map *map, Subscription *s, const Str *names, int32_t count) {
    s->nodes = mem_alloc((size_t)count * sizeof *s->nodes);
    for (int32_t i = 0; i < count; i++) {
        IndexList *l = list_get(map, names[i]);
        node_add(l ? l : list_new(map, names[i]), s);
    }
}

static void index_add(Fan *f, Subscription *s) {
    const Filter *w = &s->filter;
    s->node_count = 0;
    if (w->twin_count > 0) {
        add_names(&f->by_twin, s, w->twins, w->twin_count);
    } else if (w->property_count > 0) {
        add_names(&f->by_property, s, w->properties, w->property_count);
    } else if (w->model_count > 0) {
        add_names(&f->by_model, s, w->models, w->model_count);
    } else {
        s->nodes = mem_alloc(sizeof *s->nodes);
        node_add(f->rest, s);
    }
}

static void index_del(Subscription *s) {
    for (int32_t i = 0; i < s->node_count; i++) {
        IndexNode *n = &s->nodes[i];
        *n->link = n->next;
        if (n->next) n->next->link = n->link;
        if (!n->list->first && n->list->map) list_free(n->list);
    }
    mem_free(s->nodes);
    s->nodes = NULL;
    s->node_count = 0;
}

// ---- one batch ----------------------------------------------------------------------------------------------------

const Kin *fan_kin(Fan *f, Str model) { return kins_of(&f->kins, f->server->engine, f->world, model); }

// The change as JSON, made when it is first wanted.
static Str piece_of(Fan *f, int32_t i) {
    if (f->starts[i] < 0) {
        f->starts[i] = f->pieces.n;
        change_put(&f->pieces, &f->batch.changes[i]);
        f->ends[i] = f->pieces.n;
    }
    return str_sub(buf_str(&f->pieces), f->starts[i], f->ends[i]);
}

static void touch(Fan *f, Subscription *s) {
    if (s->serial != f->serial) { // the first of this batch
        s->serial = f->serial;
        s->batch_out = s->out.n;
        s->batch_last = s->last;
        s->picked_count = 0;
        s->offered = -1;
    }
    if (s->touched) return;
    s->touched = true;
    s->next_touched = f->touched;
    f->touched = s;
}

static void begin_message(Fan *f, Subscription *s) {
    const SosiaBatch *b = &f->batch;
    message_begin(&s->message, &s->out, s->socket,
                  &(Head){.seq = b->seq, .prev = s->last, .time_ns = b->time_ns, .source = b->source});
    s->last = b->seq;
}

// The client does not keep up: conflate from the next change on, or leave.
static void too_much(Fan *f, Subscription *s, int32_t i) {
    if (!s->conflate) {
        s->lost = true;
        return;
    }
    if (s->message.open) message_end(&s->message, &s->out, s->socket, false);
    s->conflating = true;
    sub_keep_latest(s, &f->batch.changes[i], piece_of(f, i));
}

// Give a wanted change to a subscription.
static void give(Fan *f, Subscription *s, int32_t i) {
    if (s->latest_only || s->conflating) {
        sub_keep_latest(s, &f->batch.changes[i], piece_of(f, i));
        return;
    }
    if (s->message.open && message_full(&s->message, &s->out)) message_end(&s->message, &s->out, s->socket, true);
    bool full =
        s->out.n >= OUT_BYTES_MAX || (!s->message.open && s->out.n >= OUT_BYTES_FULL && !http_stream_idle(s->stream));
    if (full) {
        too_much(f, s, i);
        return;
    }
    if (!s->message.open) begin_message(f, s);
    message_next(&s->message, &s->out);
    buf_str_put(&s->out, piece_of(f, i));
}

static void pick(Subscription *s, int32_t i) {
    if (s->picked_count == s->picked_cap) {
        s->picked_cap = s->picked_cap ? s->picked_cap * 2 : 16;
        s->picked = mem_grow(s->picked, (size_t)s->picked_cap * sizeof *s->picked);
    }
    s->picked[s->picked_count++] = i;
}

// A subscription that does not keep up leaves the index when the batch is over.
static void offer(Fan *f, const IndexList *list, const SosiaChange *ch, int32_t i, const Kin *kin) {
    for (IndexNode *n = list ? list->first : NULL; n; n = n->next) {
        Subscription *s = n->sub;
        if (f->batch.seq <= s->pos || s->over || !filter_wants(&s->filter, ch, kin)) continue;
        touch(f, s);
        if (s->lost || s->offered == i) continue; // does not keep up; stands in two lists
        s->offered = i;
        if (s->filter.test) pick(s, i);
        else give(f, s, i);
    }
}

static void offer_in(Fan *f, const Map *map, Str key, const SosiaChange *ch, int32_t i, const Kin *kin) {
    offer(f, list_get(map, key), ch, i, kin);
}

static void offer_properties(Fan *f, const SosiaChange *ch, int32_t i, const Kin *kin) {
    for (int64_t n = 1; n <= ch->path.n; n++) {
        if (n == ch->path.n || ch->path.p[n] == '.') offer_in(f, &f->by_property, str_sub(ch->path, 0, n), ch, i, kin);
    }
}

static void offer_all(Fan *f, int32_t i, bool kinned) {
    const SosiaChange *ch = &f->batch.changes[i];
    if (ch->what == SOSIA_EV_MODEL) kins_forget(&f->kins);
    const Kin *kin = kinned ? fan_kin(f, ch->model) : NULL;
    bool ends = ch->what == SOSIA_EV_LINK_PUT || ch->what == SOSIA_EV_LINK_DELETE;
    offer(f, f->rest, ch, i, kin);
    if (f->by_twin.count > 0) {
        offer_in(f, &f->by_twin, ch->twin, ch, i, kin);
        if (ends && !str_eq(ch->other, ch->twin)) offer_in(f, &f->by_twin, ch->other, ch, i, kin);
    }
    if (f->by_property.count > 0) offer_properties(f, ch, i, kin);
    for (int32_t k = 0; kin && f->by_model.count > 0 && k < kin->count; k++) {
        offer_in(f, &f->by_model, kin->ids[k], ch, i, kin);
    }
}

// Changes that wait for the condition: ask it once, and give what passes.
static void give_picked(Fan *f, Subscription *s) {
    int64_t n = filter_test(&s->filter, &f->batch, s->picked, s->picked_count);
    s->picked_count = 0;
    if (n < 0) sub_cut(s, "the condition cannot be looked at any more", WS_TRY_LATER);
    for (int64_t k = 0; k < n && !s->lost && !s->over; k++) give(f, s, s->picked[k]);
}

static void finish_batch(Fan *f) {
    for (Subscription *s = f->touched; s; s = s->next_touched) {
        if (s->serial != f->serial || s->state != SUB_LIVE) continue;
        if (s->picked_count > 0 && !s->lost) give_picked(f, s);
        if (s->lost) {
            sub_fall_behind(s);
            continue;
        }
        if (s->message.open) message_end(&s->message, &s->out, s->socket, false);
        s->time_ns = f->batch.time_ns;
        if (s->out.n - s->batch_out > f->most) f->most = s->out.n - s->batch_out;
    }
    f->last = f->batch.seq;
    f->time_ns = f->batch.time_ns;
}

static void make_room(Fan *f, int64_t count) {
    if (count > f->start_cap) {
        f->start_cap = count;
        f->starts = mem_grow(f->starts, (size_t)count * sizeof *f->starts);
        f->ends = mem_grow(f->ends, (size_t)count * sizeof *f->ends);
    }
    memset(f->starts, 0xff, (size_t)count * sizeof *f->starts);
    if (f->pieces.cap > OUT_BYTES_MAX) buf_free(&f->pieces);
    buf_wipe(&f->pieces); // shorter ones shall not leave the end of these
}

static void hand_out(Fan *f) {
    f->serial++;
    if (f->batch.count > 0) make_room(f, f->batch.count);
    bool kinned = f->model_filters > 0;
    for (int64_t i = 0; i < f->batch.count; i++) offer_all(f, (int32_t)i, kinned);
    finish_batch(f);
}

// ---- turns --------------------------------------------------------------------------------------------------------

static void close_feed(Fan *f) {
    sosia_feed_close(f->feed);
    f->feed = NULL;
}

static void cut_all(Fan *f, SosiaErr err) {
    f->dead = err == SOSIA_CLOSED;
    while (f->live) {
        Subscription *s = f->live;
        sub_cut(s,
                err == SOSIA_GONE     ? "the server was too slow: what comes next is no longer kept"
                : err == SOSIA_CLOSED ? "the server is stopping, or the world was dropped"
                                      : "the feed ended",
                err == SOSIA_CLOSED ? WS_GOING_AWAY : WS_TRY_LATER);
        fan_detach(f, s);
        sub_go(s);
    }
}

static void send_touched(Fan *f) {
    while (f->touched) {
        Subscription *s = f->touched;
        f->touched = s->next_touched;
        s->touched = false;
        s->next_touched = NULL;
        if (s->latest_only || s->conflating) http_waker_soon(f->waker);
        sub_go(s);
    }
}

static void flush_latest(Fan *f) {
    int64_t now = time_mono_ns();
    bool more = false;
    for (Subscription *s = f->live, *next; s; s = next) {
        next = s->next_live;
        if (s->latest.count == 0) continue;
        more = true;
        sub_flush(s, now);
    }
    if (more) http_waker_soon(f->waker);
}

// Take what there is, for a while.
static void turn(void *arg) {
    Fan *f = arg;
    int64_t began = time_mono_ns();
    SosiaErr err = SOSIA_OK;
    f->most = 0;
    f->count++; // sending may end the last subscription
    if (!f->live && f->feed) close_feed(f);
    while (f->feed) {
        err = sosia_feed_next(f->feed, 0, &f->batch);
        if (err != SOSIA_OK || f->batch.seq == 0) break;
        hand_out(f);
        if (f->most > TURN_BYTES_MAX || time_mono_ns() - began > TURN_NS) {
            http_waker_wake(f->waker);
            break;
        }
    }
    send_touched(f);
    flush_latest(f);
    if (err != SOSIA_OK) {
        cut_all(f, err);
        if (f->feed) close_feed(f);
    }
    fan_leave(f);
}

static void on_news(void *arg) { http_waker_wake(arg); }

// ---- subscriptions come and go ------------------------------------------------------------------------------------

Fan *fan_of(Call *c) {
    Fan **list = &c->server->fans[http_thread(c->req)];
    for (Fan *f = *list; f; f = f->next) {
        if (f->dead || !str_eq(f->world, c->world)) continue;
        f->count++;
        return f;
    }
    Fan *f = mem_alloc(sizeof *f);
    char *name = mem_alloc((size_t)c->world.n + 1);
    if (c->world.n > 0) memcpy(name, c->world.p, (size_t)c->world.n);
    f->server = c->server;
    f->world = (Str){name, c->world.n};
    f->count = 1;
    f->waker = http_waker_new(c->req, turn, f);
    kins_forget(&f->kins);
    f->rest = list_new(NULL, (Str){0});
    f->next = *list;
    f->link = list;
    if (f->next) f->next->link = &f->next;
    *list = f;
    return f;
}

void fan_leave(Fan *f) {
    if (--f->count > 0) return;
    CHECK(!f->live);
    if (f->feed) close_feed(f);
    http_waker_free(f->waker);
    *f->link = f->next;
    if (f->next) f->next->link = f->link;
    kins_forget(&f->kins);
    arena_free(&f->kins.keep);
    map_free(&f->by_twin);
    map_free(&f->by_property);
    map_free(&f->by_model);
    list_free(f->rest);
    buf_free(&f->pieces);
    mem_free(f->starts);
    mem_free(f->ends);
    mem_free((void *)(uintptr_t)f->world.p);
    mem_free(f);
}

static bool open_feed(Fan *f, Subscription *s) {
    if (sosia_feed_open(f->server->engine, &s->who, f->world, s->pos, &f->feed, NULL) != SOSIA_OK) {
        f->feed = NULL;
        return false;
    }
    f->last = s->pos;
    sosia_feed_notify(f->feed, on_news, f->waker);
    http_waker_wake(f->waker);
    return true;
}

bool fan_attach(Fan *f, Subscription *s) {
    CHECK(s->state != SUB_LIVE);
    if (f->dead || (!f->feed && !open_feed(f, s)) || s->pos < f->last) return false;
    index_add(f, s);
    f->model_filters += s->filter.model_count > 0;
    s->before_live = NULL;
    s->next_live = f->live;
    if (f->live) f->live->before_live = s;
    f->live = s;
    s->state = SUB_LIVE;
    return true;
}

static void untouch(Fan *f, Subscription *s) {
    if (!s->touched) return;
    Subscription **at = &f->touched;
    while (*at != s) at = &(*at)->next_touched;
    *at = s->next_touched;
    s->touched = false;
}

void fan_detach(Fan *f, Subscription *s) {
    CHECK(s->state == SUB_LIVE);
    s->state = SUB_BEHIND;
    if (f->last > s->pos) s->pos = f->last;
    index_del(s);
    f->model_filters -= s->filter.model_count > 0;
    if (s->before_live) s->before_live->next_live = s->next_live;
    else f->live = s->next_live;
    if (s->next_live) s->next_live->before_live = s->before_live;
    if (!f->live) http_waker_wake(f->waker); // nobody needs the cursor any more
}

void fan_forget(Fan *f, Subscription *s) {
    if (s->state == SUB_LIVE) fan_detach(f, s);
    untouch(f, s);
}
