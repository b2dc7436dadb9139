// SPDX-License-Identifier: Apache-2.0
#include "serve/session.h"
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/time.h"

typedef struct Session {
    uint8_t id[32], token[32]; // hashes
    int64_t begun_ns, used_ns;
    int32_t older, newer; // by last use; -1: none
    bool open;
} Session;

struct Sessions {
    pthread_mutex_t lock; // over everything below; held for a look
    int64_t idle_ns, life_ns;
    Map by_id; // hash of the id -> place in items
    int32_t oldest, newest, count;
    Session items[SESSIONS_MAX];
};

Sessions *sessions_new(int64_t idle_ns, int64_t life_ns) {
    Sessions *s = mem_alloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    s->idle_ns = idle_ns ? idle_ns : SESSION_IDLE_S * NS_PER_S;
    s->life_ns = life_ns ? life_ns : SESSION_LIFE_S * NS_PER_S;
    s->oldest = s->newest = -1;
    return s;
}

void sessions_free(Sessions *s) {
    if (!s) return;
    map_free(&s->by_id);
    pthread_mutex_destroy(&s->lock);
    explicit_bzero(s, sizeof *s);
    mem_free(s);
}

// ---- the list by last use; lock held --------------------------------------------------------------------------------

static void unlink_session(Sessions *s, int32_t i) {
    Session *x = &s->items[i];
    *(x->older >= 0 ? &s->items[x->older].newer : &s->oldest) = x->newer;
    *(x->newer >= 0 ? &s->items[x->newer].older : &s->newest) = x->older;
}

static void link_newest(Sessions *s, int32_t i) {
    Session *x = &s->items[i];
    x->older = s->newest;
    x->newer = -1;
    *(s->newest >= 0 ? &s->items[s->newest].newer : &s->oldest) = i;
    s->newest = i;
}

static Str key_of(const Session *x) { return (Str){(const char *)x->id, sizeof x->id}; }

static void drop(Sessions *s, int32_t i) {
    CHECK(s->items[i].open);
    unlink_session(s, i);
    CHECK(map_del(&s->by_id, key_of(&s->items[i])));
    explicit_bzero(&s->items[i], sizeof s->items[i]);
    s->count--;
}

static bool expired(const Sessions *s, const Session *x, int64_t now_ns) {
    return now_ns - x->used_ns >= s->idle_ns || now_ns - x->begun_ns >= s->life_ns;
}

// Unused ones stand first; those whose life is over go when they are looked for.
static void drop_unused(Sessions *s, int64_t now_ns) {
    while (s->oldest >= 0 && expired(s, &s->items[s->oldest], now_ns)) drop(s, s->oldest);
}

// A place without a session.
static int32_t free_place(Sessions *s) {
    if (s->count == SESSIONS_MAX) drop(s, s->oldest);
    int32_t i = 0;
    while (s->items[i].open) i++;
    return i;
}

// ---- calls ----------------------------------------------------------------------------------------------------------

static void print_id(const uint8_t bytes[32], char out[SESSION_ID_SIZE + 1]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0, have = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < 32; i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 6; have -= 6) out[n++] = digits[bits >> (have - 6) & 63];
    }
    out[n++] = digits[bits << (6 - have) & 63];
    CHECK(n == SESSION_ID_SIZE);
    out[n] = 0;
}

void sessions_open(Sessions *s, const uint8_t token[32], int64_t now_ns, char id[SESSION_ID_SIZE + 1]) {
    uint8_t bytes[32];
    while (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) CHECK(errno == EINTR);
    print_id(bytes, id);
    explicit_bzero(bytes, sizeof bytes);
    pthread_mutex_lock(&s->lock);
    drop_unused(s, now_ns);
    int32_t i = free_place(s);
    Session *x = &s->items[i];
    *x = (Session){.begun_ns = now_ns, .used_ns = now_ns, .open = true};
    memcpy(x->token, token, sizeof x->token);
    sha256((Str){id, SESSION_ID_SIZE}, x->id);
    map_put(&s->by_id, key_of(x), i);
    link_newest(s, i);
    s->count++;
    pthread_mutex_unlock(&s->lock);
}

// The place of a session, -1: none. Lock held.
static int32_t look_up(const Sessions *s, Str id) {
    uint8_t hash[32];
    int64_t at = -1;
    if (id.n != SESSION_ID_SIZE) return -1;
    sha256(id, hash);
    return map_get(&s->by_id, (Str){(const char *)hash, sizeof hash}, &at) ? (int32_t)at : -1;
}

bool sessions_find(Sessions *s, Str id, int64_t now_ns, uint8_t token[32]) {
    pthread_mutex_lock(&s->lock);
    int32_t i = look_up(s, id);
    if (i >= 0 && expired(s, &s->items[i], now_ns)) {
        drop(s, i);
        i = -1;
    }
    if (i >= 0) {
        memcpy(token, s->items[i].token, 32);
        s->items[i].used_ns = now_ns;
        unlink_session(s, i);
        link_newest(s, i);
    }
    pthread_mutex_unlock(&s->lock);
    return i >= 0;
}

void sessions_close(Sessions *s, Str id) {
    pthread_mutex_lock(&s->lock);
    int32_t i = look_up(s, id);
    if (i >= 0) drop(s, i);
    pthread_mutex_unlock(&s->lock);
}

int64_t sessions_count(Sessions *s, int64_t now_ns) {
    pthread_mutex_lock(&s->lock);
    drop_unused(s, now_ns);
    int64_t n = s->count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

// ---- cookies ----------------------------------------------------------------------------------------------------

static bool value_ok(Str v) {
    for (int64_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!ok) return false;
    }
    return true;
}

Str cookie_find(Str header, Str name) {
    Str found = {0};
    int32_t times = 0;
    while (header.n) {
        Str value = str_cut(&header, ';'), key = str_trim(str_cut(&value, '='));
        if (!str_eq(key, name)) continue;
        found = str_trim(value);
        times++;
    }
    if (found.n >= 2 && found.p[0] == '"' && found.p[found.n - 1] == '"') found = str_sub(found, 1, found.n - 1);
    return times == 1 && value_ok(found) ? found : (Str){0};
}
