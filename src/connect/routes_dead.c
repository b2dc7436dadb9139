// SPDX-License-Identifier: Apache-2.0
// Dead letters: events an endpoint did not take, as items "deadletter" "NAME/<20 digits>". In memory only their numbers
// and sizes, oldest first; numbers are microseconds since 1970, made to ascend.
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "connect/routes.h"

#define LETTERS_CHUNK 100 // stored or removed in one transaction

static const Str KIND = {"deadletter", 10};

uint64_t letter_number(Str text) {
    int64_t n;
    return text.n && text.n <= 20 && text.p[0] != '-' && text.p[0] != '+' && str_to_i64(text, &n) && n > 0 ? (uint64_t)n
                                                                                                           : 0;
}

static Str key_of(const Endpoint *e, uint64_t number, Arena *a) {
    return arena_printf(a, "%.*s/%020llu", STR_ARG(e->name), (unsigned long long)number);
}

// The number in a key of this endpoint; 0: it is of another.
static uint64_t number_of(const Endpoint *e, Str key) {
    bool ours = key.n > e->name.n + 1 && str_starts(key, e->name) && key.p[e->name.n] == '/';
    return ours ? letter_number(str_sub(key, e->name.n + 1, key.n)) : 0;
}

// ---- the list -----------------------------------------------------------------------------------------------------

// Lock held.
static void list_add(Letters *l, uint64_t number, int64_t bytes) {
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->at = mem_grow(l->at, (size_t)l->cap * sizeof *l->at);
    }
    l->at[l->count].no = number;
    l->at[l->count++].bytes = bytes;
    l->bytes += bytes;
}

static bool list_remove(Letters *l, uint64_t number) {
    int64_t i = 0;
    while (i < l->count && l->at[i].no != number) i++;
    if (i == l->count) return false;
    l->bytes -= l->at[i].bytes;
    memmove(&l->at[i], &l->at[i + 1], (size_t)(--l->count - i) * sizeof *l->at);
    return true;
}

static bool load_one(void *ctx, SosiaStr key, SosiaStr value) {
    Endpoint *e = ctx;
    uint64_t number = number_of(e, key);
    if (!number) return false;
    list_add(&e->letters, number, value.n);
    e->letters.last = number;
    return true;
}

Err letters_load(Endpoint *e) {
    Arena a;
    arena_init(&a, 256);
    e->letters.count = e->letters.bytes = 0;
    Err err =
        (Err)sosia_items_scan(e->connect->engine, KIND, arena_printf(&a, "%.*s/", STR_ARG(e->name)), 0, load_one, e);
    e->stats.letters = e->letters.count;
    arena_free(&a);
    return err;
}

// ---- in -----------------------------------------------------------------------------------------------------------

static Str letter_text(const Outgoing *o, const SendResult *why, int32_t attempts, Arena *a) {
    Buf b = {0};
    buf_str_put(&b, STR("{\"time\":\""));
    time_print(time_now_ns(), 7, &b);
    buf_str_put(&b, STR("\",\"error\":"));
    json_put_str(&b, str_of(why->why));
    if (why->status) buf_printf(&b, ",\"status\":%d", why->status);
    buf_printf(&b, ",\"attempts\":%d,\"route\":", attempts);
    json_put_str(&b, o->route);
    buf_str_put(&b, STR(",\"event\":"));
    buf_str_put(&b, o->body);
    buf_byte(&b, '}');
    Str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

// How many of the oldest must go so that n more of `bytes` in all fit.
static int64_t crowded(const Letters *l, int64_t n, int64_t bytes) {
    int64_t out = 0, left = l->bytes;
    while (out < l->count && (l->count - out + n > DEADLETTERS_MAX || left + bytes > DEADLETTER_BYTES_MAX))
        left -= l->at[out++].bytes;
    return out;
}

// One transaction. n <= LETTERS_CHUNK.
static Err add_some(Endpoint *e, const Outgoing *events, int32_t n, const SendResult *why, int32_t attempts, Arena *a) {
    Letters *l = &e->letters;
    int64_t bytes = 0, count = 0;
    uint64_t now = (uint64_t)(time_now_ns() / 1000);
    pthread_mutex_lock(&e->lock);
    uint64_t first = now > l->last ? now : l->last + 1;
    SosiaItem *items = NEW(a, SosiaItem, n + l->count);
    for (int32_t i = 0; i < n; i++) {
        Str text = letter_text(&events[i], why, attempts, a);
        items[count++] = (SosiaItem){.kind = KIND, .key = key_of(e, first + (uint64_t)i, a), .value = text};
        bytes += text.n;
    }
    int64_t out = crowded(l, n, bytes);
    uint64_t *gone = NEW(a, uint64_t, out + 1);
    for (int64_t i = 0; i < out; i++) {
        gone[i] = l->at[i].no;
        items[count++] = (SosiaItem){.kind = KIND, .key = key_of(e, gone[i], a), .remove = true};
    }
    pthread_mutex_unlock(&e->lock);
    TRY((Err)sosia_items_put_wait(e->connect->engine, items, count));
    pthread_mutex_lock(&e->lock);
    for (int64_t i = 0; i < out; i++) e->stats.letters_dropped += list_remove(l, gone[i]);
    for (int32_t i = 0; i < n; i++) list_add(l, first + (uint64_t)i, items[i].value.n);
    l->last = first + (uint64_t)n - 1;
    e->stats.letters = l->count;
    pthread_mutex_unlock(&e->lock);
    return ERR_OK;
}

bool letters_add(Endpoint *e, const Outgoing *events, int32_t n, const SendResult *why, int32_t attempts) {
    for (int32_t at = 0; at < n;) {
        int32_t some = n - at < LETTERS_CHUNK ? n - at : LETTERS_CHUNK;
        Arena a;
        arena_init(&a, 0);
        Err err = add_some(e, events + at, some, why, attempts, &a);
        arena_free(&a);
        if (!err) {
            at += some;
            continue;
        }
        endpoint_state(e, "failed", STR("dead letters could not be stored"));
        if (!endpoint_pause(e, NS_PER_S)) return false;
    }
    return true;
}

// ---- out ----------------------------------------------------------------------------------------------------------

static Err remove_some(Endpoint *e, const uint64_t *numbers, int64_t n) {
    Arena a;
    arena_init(&a, 0);
    SosiaItem *items = NEW(&a, SosiaItem, n);
    for (int64_t i = 0; i < n; i++)
        items[i] = (SosiaItem){.kind = KIND, .key = key_of(e, numbers[i], &a), .remove = true};
    Err err = (Err)sosia_items_put_wait(e->connect->engine, items, n);
    arena_free(&a);
    if (err) return err;
    pthread_mutex_lock(&e->lock);
    for (int64_t i = 0; i < n; i++) (void)list_remove(&e->letters, numbers[i]);
    e->stats.letters = e->letters.count;
    pthread_mutex_unlock(&e->lock);
    return ERR_OK;
}

Err letters_remove(Endpoint *e, const uint64_t *numbers, int64_t n) {
    uint64_t *all = NULL;
    Err err = ERR_OK;
    if (n < 0) {
        pthread_mutex_lock(&e->lock);
        n = e->letters.count;
        all = mem_alloc((size_t)(n + 1) * sizeof *all);
        for (int64_t i = 0; i < n; i++) all[i] = e->letters.at[i].no;
        pthread_mutex_unlock(&e->lock);
        numbers = all;
    }
    for (int64_t at = 0; at < n && !err; at += LETTERS_CHUNK)
        err = remove_some(e, numbers + at, n - at < LETTERS_CHUNK ? n - at : LETTERS_CHUNK);
    mem_free(all);
    return err;
}

typedef struct Showing {
    Endpoint *e;
    Buf *out;
    int32_t count;
    uint64_t last;
    bool more;
} Showing;

static bool show_one(void *ctx, SosiaStr key, SosiaStr value) {
    Showing *s = ctx;
    uint64_t number = number_of(s->e, key);
    if (!number || value.n < 2) return false;
    if (s->count == DEADLETTERS_PAGE) {
        s->more = true;
        return false;
    }
    buf_printf(s->out, "%s{\"id\":\"%020llu\",", s->count++ ? "," : "", (unsigned long long)number);
    buf_str_put(s->out, str_sub(value, 1, value.n));
    s->last = number;
    return true;
}

Err letters_show(Endpoint *e, uint64_t after, Str base_url, Buf *out) {
    Arena a;
    Showing s = {.e = e, .out = out};
    arena_init(&a, 256);
    buf_str_put(out, STR("{\"value\":["));
    Err err = (Err)sosia_items_scan(e->connect->engine, KIND, key_of(e, after, &a), DEADLETTERS_PAGE + 1, show_one, &s);
    buf_str_put(out, STR("],\"nextLink\":"));
    if (s.more)
        buf_printf(out, "\"%.*s/endpoints/%.*s/deadletters?after=%020llu\"}", STR_ARG(base_url), STR_ARG(e->name),
                   (unsigned long long)s.last);
    else buf_str_put(out, STR("null}"));
    arena_free(&a);
    return err;
}

typedef struct Taking {
    Endpoint *e;
    Window *w;
    uint64_t number;
    bool found;
} Taking;

static Str text_of(const Json *event, const char *name) {
    const Json *v = json_get(event, str_of(name));
    return v && v->type == JSON_STRING ? v->s : (Str){0};
}

static bool take_one(void *ctx, SosiaStr key, SosiaStr value) {
    Taking *t = ctx;
    Json doc;
    if (number_of(t->e, key) != t->number) return false;
    Str text = arena_str(&t->w->arena, value);
    if (json_parse(text, NULL, &t->w->arena, &doc, NULL) != ERR_OK) return false;
    const Json *event = json_get(&doc, STR("event"));
    if (!event || event->type != JSON_OBJECT) return false;
    *window_add(t->w) = (Outgoing){.body = event->raw,
                                   .id = text_of(event, "id"),
                                   .type = text_of(event, "type"),
                                   .subject = text_of(event, "subject"),
                                   .source = text_of(event, "source"),
                                   .route = text_of(&doc, "route"),
                                   .letter = t->number};
    t->found = true;
    return false;
}

bool letters_take(Endpoint *e, uint64_t number, Window *w) {
    Taking t = {.e = e, .w = w, .number = number};
    Str before = key_of(e, number - 1, &w->arena);
    (void)!sosia_items_scan(e->connect->engine, KIND, before, 1, take_one, &t);
    return t.found;
}
