// SPDX-License-Identifier: Apache-2.0
// Cursors: what continuation tokens name, in a bounded table. A full table never refuses a new one: the one that nobody
// has asked for longest goes, those that gave their last page before all others.
#include "engine/query_desk.h"
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

// ---- life ----------------------------------------------------------------------------------------------------------

static void cursor_free(Desk *d, Cursor *c) {
    run_close(d, c->run);
    snapshot_unref(d, c->snapshot);
    question_unref(c->question);
    buf_free(&c->page);
    buf_free(&c->kept);
    mem_free(c->ends);
    mem_free(c);
}

void cursor_unref(Desk *d, Cursor *c) {
    if (!c) return;
    pthread_mutex_lock(&d->lock);
    bool last = --c->refs == 0;
    pthread_mutex_unlock(&d->lock);
    if (last) cursor_free(d, c);
}

static int64_t cursor_bytes(const Cursor *c) {
    int64_t n = (int64_t)sizeof *c + c->question->arena.used + c->page.cap + c->kept.cap + c->kept_rows * 8;
    if (c->run) n += query_stats(c->run->cursor).bytes_peak;
    return n;
}

// From the system: nobody can guess the token of somebody else's question.
static void random_id(uint64_t id[2]) {
    for (size_t n = 0; n < 16;) {
        ssize_t got = getrandom((char *)id + n, 16 - n, 0);
        CHECK(got > 0 || errno == EINTR);
        if (got > 0) n += (size_t)got;
    }
}

// ---- the table -----------------------------------------------------------------------------------------------------

// Take entry i out; the table's reference is the caller's. Lock held.
static Cursor *table_take(Desk *d, int32_t i) {
    Cursor *c = d->cursors[i];
    d->cursor_count--;
    memmove(&d->cursors[i], &d->cursors[i + 1], (size_t)(d->cursor_count - i) * sizeof c);
    atomic_store(&d->cursors_open, d->cursor_count);
    d->cursor_bytes -= c->bytes;
    c->listed = false;
    return c;
}

static int32_t table_find(const Desk *d, const Cursor *c) {
    int32_t i = 0;
    while (d->cursors[i] != c) i++;
    return i;
}

void cursor_touch(Desk *d, Cursor *c) {
    c->used_ns = time_mono_ns();
    if (!c->listed) return;
    int64_t bytes = cursor_bytes(c);
    d->cursor_bytes += bytes - c->bytes;
    c->bytes = bytes;
    int32_t i = table_find(d, c), last = d->cursor_count - 1;
    memmove(&d->cursors[i], &d->cursors[i + 1], (size_t)(last - i) * sizeof c);
    d->cursors[last] = c;
}

// Which one goes first: the oldest of those that have ended, else the oldest. Lock held; there is one.
static int32_t table_oldest(const Desk *d) {
    for (int32_t i = 0; i < d->cursor_count; i++)
        if (d->cursors[i]->ended) return i;
    return 0;
}

static bool table_idle(const Desk *d, int32_t i, int64_t now) {
    const Cursor *c = d->cursors[i];
    return now - c->used_ns > (c->ended ? QUERY_CURSOR_ENDED_NS : QUERY_CURSOR_IDLE_NS);
}

// One that must go, or NULL. room: entries that must be free afterwards. Lock held.
static Cursor *table_excess(Desk *d, int32_t room) {
    int64_t now = time_mono_ns();
    for (int32_t i = 0; i < d->cursor_count; i++)
        if (table_idle(d, i, now)) return table_take(d, i);
    bool full = d->cursor_count + room > QUERY_CURSORS_MAX || d->cursor_bytes > QUERY_CURSOR_BYTES_MAX;
    return full && d->cursor_count ? table_take(d, table_oldest(d)) : NULL;
}

// Snapshots keep old pages alive. The growth is that of all worlds, for whatever reason: cheap to know, and when it was
// not theirs, letting them go once puts the mark higher. Memory comes back a little later, so one goes at a time. Lock
// held.
static Cursor *table_heavy(Desk *d) {
    int64_t bytes = domain_stats(d->engine->domain).block_bytes;
    if (!d->cursor_count) d->blocks_before = bytes;
    if (bytes - d->blocks_before <= QUERY_SNAPSHOT_BYTES_MAX) return NULL;
    for (int32_t i = 0; i < d->cursor_count; i++)
        if (d->cursors[i]->snapshot) return table_take(d, i);
    d->blocks_before = bytes;
    return NULL;
}

static void table_trim(Desk *d, int32_t room) {
    Cursor *c;
    do {
        pthread_mutex_lock(&d->lock);
        c = table_excess(d, room);
        pthread_mutex_unlock(&d->lock);
        cursor_unref(d, c);
    } while (c);
    pthread_mutex_lock(&d->lock);
    c = table_heavy(d);
    pthread_mutex_unlock(&d->lock);
    cursor_unref(d, c);
}

void cursors_sweep(Desk *d) { table_trim(d, 0); }

void cursors_forget(Desk *d, const Realm *r) {
    Cursor *c;
    do {
        c = NULL;
        pthread_mutex_lock(&d->lock);
        for (int32_t i = d->cursor_count - 1; i >= 0 && !c; i--)
            if (!r || d->cursors[i]->question->realm == r) c = table_take(d, i);
        pthread_mutex_unlock(&d->lock);
        cursor_unref(d, c);
    } while (c);
}

Cursor *cursor_new(Desk *d, const Cursor *from, bool *dropped) {
    Cursor *c = mem_alloc(sizeof *c);
    const Realm *r = from->question->realm;
    *c = *from;
    random_id(c->id);
    c->refs = 2;
    c->used_ns = time_mono_ns();
    c->bytes = cursor_bytes(c);
    for (bool room = false; !room;) { // others may take the place that was made
        table_trim(d, 1);
        pthread_mutex_lock(&d->lock);
        *dropped = r->dropped;
        bool stale = *dropped || r->renewed != c->question->renewed;
        room = stale || d->cursor_count < QUERY_CURSORS_MAX;
        if (room && !stale) {
            c->listed = true;
            d->cursors[d->cursor_count++] = c;
            d->cursor_bytes += c->bytes;
            atomic_store(&d->cursors_open, d->cursor_count);
        }
        pthread_mutex_unlock(&d->lock);
    }
    if (!c->listed) {
        mem_free(c);
        return NULL;
    }
    pool_wake(d->pool); // somebody looks after it from now on
    return c;
}

// ---- tokens --------------------------------------------------------------------------------------------------------

void cursor_token(const Cursor *c, int64_t at, char out[96]) {
    snprintf(out, 96, "q%016llx%016llx-%llx", (unsigned long long)c->id[0], (unsigned long long)c->id[1],
             (unsigned long long)at);
}

static bool hex(Str s, uint64_t *out) {
    uint64_t v = 0;
    for (int64_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        int digit = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
        if (digit < 0) return false;
        v = v << 4 | (uint64_t)digit;
    }
    *out = v;
    return s.n > 0 && s.n <= 16;
}

Cursor *cursor_find(Desk *d, Str token, int64_t *at) {
    uint64_t id[2], offset;
    if (token.n < 35 || token.n > 50 || token.p[0] != 'q' || token.p[33] != '-') return NULL;
    if (!hex(str_sub(token, 1, 17), &id[0]) || !hex(str_sub(token, 17, 33), &id[1])) return NULL;
    if (!hex(str_sub(token, 34, token.n), &offset)) return NULL;
    Cursor *c = NULL;
    pthread_mutex_lock(&d->lock);
    for (int32_t i = 0; i < d->cursor_count && !c; i++)
        if (d->cursors[i]->id[0] == id[0] && d->cursors[i]->id[1] == id[1]) c = d->cursors[i];
    if (c && offset > (uint64_t)c->given) c = NULL;
    if (c) {
        c->refs++;
        cursor_touch(d, c);
    }
    pthread_mutex_unlock(&d->lock);
    *at = (int64_t)offset;
    return c;
}
