// SPDX-License-Identifier: Apache-2.0
// Cursors that memory has let go, read back from the journal: across restarts, beside writing, up to what is kept.
//
//   SOSIA_SEED=n  first seed of the random lives      SOSIA_LIVES=n  how many, 30 when unset
// LABELS: threads
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/time.h"
#include "engine/test_kit.h"
#include "store/test_vfs.h"

#define VFS "feed_journal"
#define SEQ_MAX 20000

static SosiaFeed *feed_at(Kit *k, uint64_t since) {
    SosiaFeed *f = NULL;
    assert_int_equal(sosia_feed_open(k->s, NULL, kit_str(""), since, &f, NULL), 0);
    return f;
}

static SosiaBatch next(SosiaFeed *f) {
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(f, 60 * NS_PER_S, &b), 0);
    assert_true(b.seq > 0);
    return b;
}

static bool is(SosiaStr got, const char *want) {
    return got.n == (int64_t)strlen(want) && (got.n == 0 || !memcmp(got.p, want, (size_t)got.n));
}

static const SosiaChange *find(const SosiaBatch *b, SosiaEvent what) {
    for (int64_t i = 0; i < b->count; i++)
        if (b->changes[i].what == what) return &b->changes[i];
    fail_msg("no change %d among %d", (int)what, (int)b->count);
    return NULL;
}

static uint64_t oldest(Kit *k) {
    SosiaFeed *f;
    uint64_t seq = 0;
    assert_int_equal(sosia_feed_open(k->s, NULL, kit_str(""), SOSIA_FEED_OLDEST, &f, &seq), 0);
    sosia_feed_close(f);
    return seq;
}

// ---- a world whose every batch is known ---------------------------------------------------------------------------

typedef struct Cursor {
    SosiaFeed *f;
    uint64_t last; // delivered
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int64_t notified; // guarded by lock
} Cursor;

typedef struct Life {
    uint64_t seed;
    Rng rng;
    TestVfs *disk;
    SosiaOpen open;
    Kit k;
    uint64_t last;             // newest batch
    int64_t values[SEQ_MAX];   // set by the batch of that sequence; -1: it sets none
    _Atomic int64_t under_way; // writes not yet acknowledged
    Cursor cursors[5];
} Life;

static void life_open(Life *l) { kit_open(&l->k, &l->open); }

static void life_begin(Life *l, uint64_t seed, const SosiaOpen *o) {
    *l = (Life){.seed = seed, .rng = rng_make(seed, 3), .disk = test_vfs_new(VFS), .open = *o};
    l->open.path = kit_str("feed.sosia");
    l->open.vfs = VFS;
    life_open(l);
    kit_models(&l->k);
    kit_room(&l->k, "a twin with a long name");
    kit_room(&l->k, "b");
    l->last = l->k.done.seq;
    for (uint64_t i = 0; i <= l->last; i++) l->values[i] = -1;
}

static void life_end(Life *l) {
    kit_close(&l->k);
    test_vfs_free(l->disk);
}

static void written(void *arg, const SosiaDone *done) {
    assert_int_equal(done->err, SOSIA_OK);
    atomic_fetch_sub(&((Life *)arg)->under_way, 1);
}

static const char *patch_body(Life *l, char *body, size_t n, uint64_t seq) {
    l->values[seq] = (int64_t)(seq * 7 % 100000);
    snprintf(body, n, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%lld}]", (long long)l->values[seq]);
    return body;
}

// `n` batches; together: queued at once, so that some share a row of the journal.
static void life_write(Life *l, int n, bool together) {
    char body[128];
    for (int i = 0; i < n; i++) {
        uint64_t seq = ++l->last;
        assert_true(seq < SEQ_MAX);
        SosiaWrite w = {.op = SOSIA_TWIN_PATCH,
                        .id = kit_str(seq % 2 ? "a twin with a long name" : "b"),
                        .body = kit_str(patch_body(l, body, sizeof body, seq))};
        atomic_fetch_add(&l->under_way, 1);
        assert_int_equal(sosia_write(l->k.s, NULL, &w, written, l), SOSIA_OK);
        while (!together && atomic_load(&l->under_way)) sched_yield();
    }
    while (atomic_load(&l->under_way)) sched_yield();
}

static void life_checkpoint(Life *l) { // the one way to have a checkpoint now
    kit_close(&l->k);
    life_open(l);
}

// The batch is the one after the cursor's last, and says what it said when it was written.
static void check_batch(Life *l, Cursor *c, const SosiaBatch *b) {
    if (b->prev != c->last || b->seq != c->last + 1)
        fail_msg("seed %llu: batch %llu behind %llu came behind %llu", (unsigned long long)l->seed,
                 (unsigned long long)b->seq, (unsigned long long)b->prev, (unsigned long long)c->last);
    c->last = b->seq;
    if (l->values[b->seq] < 0) return;
    const SosiaChange *x = find(b, SOSIA_EV_SET);
    bool right = is(x->twin, b->seq % 2 ? "a twin with a long name" : "b") && is(x->path, "count") &&
                 x->value.kind == SOSIA_I64 && x->value.i == l->values[b->seq] && is(x->model, "dtmi:test:Room;1");
    if (!right)
        fail_msg("seed %llu: batch %llu says another thing", (unsigned long long)l->seed, (unsigned long long)b->seq);
}

// ---- cursors ------------------------------------------------------------------------------------------------------

static void notified(void *arg) {
    Cursor *c = arg;
    pthread_mutex_lock(&c->lock);
    c->notified++;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static void cursor_open(Life *l, Cursor *c, uint64_t since) {
    uint64_t first;
    assert_int_equal(sosia_feed_open(l->k.s, NULL, kit_str(""), since, &c->f, &first), SOSIA_OK);
    c->last = since == SOSIA_FEED_OLDEST ? first : since;
    sosia_feed_notify(c->f, notified, c);
}

static void cursor_close(Cursor *c) {
    sosia_feed_close(c->f);
    c->f = NULL;
}

// Without waiting in the call: told by notify when to look again.
static void step_notified(Life *l, Cursor *c) {
    for (;;) {
        SosiaBatch b;
        pthread_mutex_lock(&c->lock);
        int64_t before = c->notified;
        pthread_mutex_unlock(&c->lock);
        assert_int_equal(sosia_feed_next(c->f, 0, &b), SOSIA_OK);
        if (b.seq) {
            check_batch(l, c, &b);
            return;
        }
        assert_int_equal(b.count, 0);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 60;
        int rc = 0;
        pthread_mutex_lock(&c->lock);
        while (c->notified == before && !rc) rc = pthread_cond_timedwait(&c->cond, &c->lock, &until);
        pthread_mutex_unlock(&c->lock);
        if (rc)
            fail_msg("seed %llu: nobody told of batch %llu", (unsigned long long)l->seed,
                     (unsigned long long)c->last + 1);
    }
}

static void step_waiting(Life *l, Cursor *c) {
    SosiaBatch b = next(c->f);
    check_batch(l, c, &b);
}

static void cursor_step(Life *l, Cursor *c, int64_t n, bool wait) {
    for (; n > 0 && c->last < l->last; n--) {
        if (wait) step_waiting(l, c);
        else step_notified(l, c);
    }
}

// ---- random lives -------------------------------------------------------------------------------------------------

enum { CURSORS = 5 };

static void reopen_all(Life *l) {
    for (int i = 0; i < CURSORS; i++) cursor_close(&l->cursors[i]);
    life_checkpoint(l);
    for (int i = 0; i < CURSORS; i++)
        cursor_open(l, &l->cursors[i], l->cursors[i].last ? l->cursors[i].last : SOSIA_FEED_OLDEST);
}

static void random_step(Life *l) {
    Rng *r = &l->rng;
    Cursor *c = &l->cursors[rng_below(r, CURSORS)];
    uint64_t dice = rng_below(r, 100);
    if (dice < 35) {
        life_write(l, 1 + (int)rng_below(r, 40), rng_below(r, 2));
    } else if (dice < 85) {
        cursor_step(l, c, 1 + (int64_t)rng_below(r, 60), rng_below(r, 2));
    } else if (dice < 95) {
        cursor_close(c);
        cursor_open(l, c, rng_below(r, 4) ? 1 + rng_below(r, l->last) : SOSIA_FEED_OLDEST);
    } else {
        reopen_all(l);
    }
}

static void random_life(Life *l, uint64_t seed) {
    Rng r = rng_make(seed, 1);
    SosiaOpen o = {.feed_bytes_max = 300 + (int64_t)rng_below(&r, (uint64_t)200 << rng_below(&r, 8)),
                   .checkpoint_interval_ns = rng_below(&r, 2) ? NS_PER_MS : -1};
    life_begin(l, seed, &o);
    for (int i = 0; i < CURSORS; i++) {
        pthread_mutex_init(&l->cursors[i].lock, NULL);
        pthread_cond_init(&l->cursors[i].cond, NULL);
        cursor_open(l, &l->cursors[i], SOSIA_FEED_OLDEST);
    }
    for (int i = 0; i < 150; i++) random_step(l);
    for (int i = 0; i < CURSORS; i++) {
        cursor_step(l, &l->cursors[i], SEQ_MAX, rng_below(&r, 2));
        SosiaBatch b;
        assert_int_equal(sosia_feed_next(l->cursors[i].f, 0, &b), SOSIA_OK);
        assert_int_equal(b.seq, 0);
        cursor_close(&l->cursors[i]);
        pthread_mutex_destroy(&l->cursors[i].lock);
        pthread_cond_destroy(&l->cursors[i].cond);
    }
    life_end(l);
}

static int64_t setting(const char *name, int64_t otherwise) {
    const char *text = getenv(name);
    if (text) assert_true(str_to_i64(str_of(text), &otherwise));
    return otherwise;
}

// Every cursor sees every batch behind its place once and in order, whatever memory holds and however often the engine
// is closed.
static void random_lives(void **state) {
    uint64_t seed = (uint64_t)setting("SOSIA_SEED", 1);
    for (int64_t n = setting("SOSIA_LIVES", 30); n > 0; n--) random_life(*state, seed++);
}

// ---- kill -9: nothing was closed ----------------------------------------------------------------------------------

static void power_cut(void **state) {
    Life *l = *state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        life_begin(l, seed, &(SosiaOpen){.feed_bytes_max = 500, .checkpoint_interval_ns = -1});
        life_write(l, 100, false);
        if (seed % 2) life_checkpoint(l);
        life_write(l, 50, true);
        test_vfs_break(l->disk, TEST_FAULT_POWER, TEST_CHANGE, 1 + (int64_t)seed, 1);
        while (!test_vfs_dead(l->disk)) {
            char body[128];
            uint64_t seq = l->last + 1;
            if (kit_write(&l->k, SOSIA_TWIN_PATCH, seq % 2 ? "a twin with a long name" : "b", "",
                          patch_body(l, body, sizeof body, seq)))
                break;
            l->last = seq;
        }
        kit_close(&l->k);
        test_vfs_power_on(l->disk, seed);
        life_open(l);
        kit_get(&l->k, SOSIA_GET_WORLDS, "", "");
        assert_in_range(l->k.out.seq, l->last, l->last + 1); // the one cut may be there
        l->last = l->k.out.seq;
        life_write(l, 10, false);
        for (uint64_t since = 1; since < l->last; since += 13) {
            Cursor c = {0};
            pthread_mutex_init(&c.lock, NULL);
            pthread_cond_init(&c.cond, NULL);
            cursor_open(l, &c, since);
            cursor_step(l, &c, SEQ_MAX, true);
            cursor_close(&c);
        }
        life_end(l);
    }
}

// ---- what is kept -------------------------------------------------------------------------------------------------

// The journal is cut at its limit while a cursor is at it, held or not: GONE, and where to go on. Others go on.
static void cut_at_the_limit(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.feed_bytes_max = 400, .checkpoint_interval_ns = -1, .journal_bytes_max = 9000});
    life_write(l, 200, false);
    assert_int_equal(sosia_feed_hold(l->k.s, kit_str("slow"), 5), SOSIA_OK);
    assert_int_equal(oldest(&l->k), 0); // nothing is cut before a checkpoint
    Cursor quick = {0};
    for (int round = 0; round < 6; round++) {
        life_write(l, 150, false);
        life_checkpoint(l);
        uint64_t first = oldest(&l->k), told = 0;
        SosiaFeed *f;
        if (round > 1) assert_true(first > 5);
        if (first) assert_int_equal(sosia_feed_open(l->k.s, NULL, kit_str(""), first - 1, &f, &told), SOSIA_GONE);
        if (first) assert_int_equal(told, first);
        quick.f = feed_at(&l->k, first ? first : SOSIA_FEED_OLDEST);
        quick.last = first;
        cursor_step(l, &quick, SEQ_MAX, true);
        cursor_close(&quick);
    }
    uint64_t held = 0;
    assert_int_equal(sosia_feed_held(l->k.s, kit_str("slow"), &held), SOSIA_OK);
    assert_int_equal(held, 5);
    life_end(l);
}

// The same while the engine runs: a cursor that stands still is told GONE by its next call.
static void cut_under_a_cursor(void **state) {
    Life *l = *state;
    life_begin(l, 1,
               &(SosiaOpen){.feed_bytes_max = 400, .checkpoint_interval_ns = NS_PER_MS, .journal_bytes_max = 20000});
    Cursor slow = {.f = feed_at(&l->k, SOSIA_FEED_OLDEST)}, late = {.f = feed_at(&l->k, SOSIA_FEED_OLDEST)};
    cursor_step(l, &slow, 3, true);
    for (int i = 0; oldest(&l->k) < 10; i++) {
        assert_true(i < 100);
        life_write(l, 100, false);
    }
    SosiaBatch b;
    SosiaErr err;
    do { // a few may be in memory already
        err = sosia_feed_next(slow.f, 60 * NS_PER_S, &b);
        if (!err) check_batch(l, &slow, &b);
    } while (!err && slow.last < l->last);
    assert_int_equal(err, SOSIA_GONE);
    assert_int_equal(sosia_feed_next(slow.f, 60 * NS_PER_S, &b), SOSIA_GONE);
    cursor_close(&slow);
    // Who asked for the oldest and had nothing yet begins with what is the oldest now.
    assert_int_equal(sosia_feed_next(late.f, 60 * NS_PER_S, &b), SOSIA_OK);
    assert_true(b.seq >= 10);
    late.last = b.seq;
    cursor_step(l, &late, SEQ_MAX, true);
    cursor_close(&late);
    life_end(l);
}

static void write_in_fork(Life *l, int n) {
    for (int i = 0; i < n; i++) {
        char body[96];
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%llu}]",
                 (unsigned long long)++l->last);
        assert_int_equal(kit_write_in(&l->k, "what-if", SOSIA_TWIN_PATCH, "b", "", body), SOSIA_OK);
        assert_int_equal(l->k.done.seq, l->last);
    }
}

// The batches of the fork behind `since` up to its newest, in their order.
static void read_fork(Life *l, SosiaFeed *f, uint64_t since) {
    for (uint64_t seq = since + 1; seq <= l->last; seq++) {
        SosiaBatch b;
        assert_int_equal(sosia_feed_next(f, 60 * NS_PER_S, &b), SOSIA_OK);
        assert_int_equal(b.seq, seq);
        assert_int_equal(b.prev, seq - 1);
        const SosiaChange *x = find(&b, SOSIA_EV_SET);
        assert_true(is(x->twin, "b") && is(x->path, "count") && x->value.i == (int64_t)seq);
    }
}

static SosiaErr open_fork(Life *l, uint64_t since, SosiaFeed **f, uint64_t *first) {
    return sosia_feed_open(l->k.s, NULL, kit_str("what-if"), since, f, first);
}

// Forks read their own journal: a slow cursor, one that comes back after a restart, from the fork on.
static void forks_have_theirs(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.feed_bytes_max = 400, .checkpoint_interval_ns = -1});
    assert_int_equal(sosia_fork(l->k.s, NULL, kit_str(""), kit_str("what-if")), SOSIA_OK);
    SosiaFeed *f;
    uint64_t begin = l->last, first = 0;
    assert_int_equal(open_fork(l, SOSIA_FEED_OLDEST, &f, &first), SOSIA_OK);
    assert_int_equal(first, begin);
    write_in_fork(l, 50);
    life_write(l, 30, false); // live's are none of its
    l->last -= 30;
    read_fork(l, f, begin);
    write_in_fork(l, 20);
    read_fork(l, f, l->last - 20);
    sosia_feed_close(f);
    life_checkpoint(l);
    for (uint64_t since = begin; since <= l->last; since += 7) {
        assert_int_equal(open_fork(l, since, &f, &first), SOSIA_OK);
        assert_int_equal(first, begin);
        read_fork(l, f, since);
        if (since % 2) write_in_fork(l, 3);
        if (since % 2) read_fork(l, f, l->last - 3);
        sosia_feed_close(f);
    }
    assert_int_equal(open_fork(l, begin - 1, &f, &first), SOSIA_GONE);
    assert_int_equal(first, begin);
    assert_int_equal(open_fork(l, l->last + 1, &f, &first), SOSIA_GONE);
    life_end(l);
}

// ---- what events say after a restart --------------------------------------------------------------------------------

#define ROOM "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}},\"count\":5}"

static void changes_of_the_dead(Kit *k) {
    kit_do(k, SOSIA_TWIN_PUT, "dead", "", ROOM);
    kit_do(k, SOSIA_LINK_PUT, "dead", "the relationship's own name",
           "{\"$relationshipName\":\"feeds\",\"$targetId\":\"b\",\"flow\":2.5}");
    kit_do(k, SOSIA_LINK_PATCH, "dead", "the relationship's own name",
           "[{\"op\":\"replace\",\"path\":\"/flow\",\"value\":3}]");
    kit_do(k, SOSIA_LINK_PATCH, "dead", "the relationship's own name", "[{\"op\":\"remove\",\"path\":\"/flow\"}]");
}

static void is_link(const SosiaChange *c, uint64_t twin_no, uint64_t link_no) {
    assert_true(is(c->twin, "dead") && is(c->link, "the relationship's own name") && is(c->path, "flow"));
    assert_true(c->twin_no == twin_no && c->link_no == link_no && c->column > 0);
}

// A copy of what GET shows.
static char *shown(Kit *k, SosiaGet what, const char *id, const char *sub) {
    return strdup(kit_get(k, what, id, sub)); // the kit's text is overwritten by the next call
}

static void is_json(SosiaValue v, const char *want) {
    assert_int_equal(v.kind, SOSIA_JSON);
    if (!is(v.s, want)) fail_msg("%.*s\ninstead of\n%s", (int)v.s.n, v.s.p, want);
}

// Deleted twins and relationships are told whole, and their earlier changes by name, even when their model is gone.
static void the_dead_are_told(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.feed_bytes_max = 1, .checkpoint_interval_ns = -1});
    Kit *k = &l->k;
    uint64_t since = l->last;
    changes_of_the_dead(k);
    char *link = shown(k, SOSIA_GET_LINK, "dead", "the relationship's own name");
    kit_do(k, SOSIA_LINK_DELETE, "dead", "the relationship's own name", "");
    kit_do(k, SOSIA_MODEL_DELETE, "dtmi:test:Room;1", "", "");
    char *twin = shown(k, SOSIA_GET_TWIN, "dead", "");
    kit_do(k, SOSIA_TWIN_DELETE, "dead", "", "");
    for (int round = 0; round < 2; round++) {
        SosiaFeed *f = feed_at(k, since);
        SosiaBatch b = next(f);
        const SosiaChange *c = find(&b, SOSIA_EV_TWIN_PUT);
        assert_true(is(c->twin, "dead") && is(c->model, "dtmi:test:Room;1") && c->twin_no > 0 && !c->link_no);
        uint64_t twin_no = c->twin_no;
        c = find(&b, SOSIA_EV_SET);
        assert_true(is(c->twin, "dead") && is(c->path, "count") && c->fresh && c->column > 0 && c->twin_no == twin_no);
        assert_true(is(c->model, "dtmi:test:Room;1"));
        b = next(f);
        c = find(&b, SOSIA_EV_LINK_PUT);
        uint64_t link_no = c->link_no;
        assert_true(is(c->twin, "dead") && c->twin_no == twin_no && link_no > 0 && c->value.kind == SOSIA_NONE);
        is_link(find(&b, SOSIA_EV_LINK_SET), twin_no, link_no);
        b = next(f);
        is_link(find(&b, SOSIA_EV_LINK_SET), twin_no, link_no);
        assert_true(find(&b, SOSIA_EV_LINK_SET)->value.d == 3);
        b = next(f);
        is_link(find(&b, SOSIA_EV_LINK_UNSET), twin_no, link_no);
        b = next(f);
        c = find(&b, SOSIA_EV_LINK_DELETE);
        assert_true(c->link_no == link_no && c->twin_no == twin_no && is(c->other, "b"));
        is_json(c->value, link);
        b = next(f);
        assert_true(is(find(&b, SOSIA_EV_MODEL)->twin, "dtmi:test:Room;1"));
        b = next(f);
        c = find(&b, SOSIA_EV_TWIN_DELETE);
        assert_true(is(c->twin, "dead") && c->twin_no == twin_no && is(c->model, "dtmi:test:Room;1"));
        is_json(c->value, twin);
        sosia_feed_close(f);
        life_checkpoint(l);
    }
    free(twin);
    free(link);
    life_end(l);
}

// Whether a value is the first one, in memory and read back.
static void first_values(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.checkpoint_interval_ns = -1});
    Kit *k = &l->k;
    uint64_t since = l->last;
    kit_do(k, SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]");
    kit_do(k, SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":2}]");
    kit_do(k, SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"remove\",\"path\":\"/count\"}]");
    kit_do(k, SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":3}]");
    kit_do(k, SOSIA_LINK_PUT, "b", "r", "{\"$relationshipName\":\"feeds\",\"$targetId\":\"a twin with a long name\"}");
    kit_do(k, SOSIA_LINK_PATCH, "b", "r", "[{\"op\":\"add\",\"path\":\"/flow\",\"value\":1}]");
    kit_do(k, SOSIA_LINK_PATCH, "b", "r", "[{\"op\":\"replace\",\"path\":\"/flow\",\"value\":2}]");
    for (int round = 0; round < 2; round++) {
        SosiaFeed *f = feed_at(k, since);
        SosiaBatch b = next(f);
        uint32_t column = find(&b, SOSIA_EV_SET)->column;
        assert_true(find(&b, SOSIA_EV_SET)->fresh);
        b = next(f);
        assert_true(!find(&b, SOSIA_EV_SET)->fresh && find(&b, SOSIA_EV_SET)->column == column);
        b = next(f);
        assert_true(find(&b, SOSIA_EV_UNSET)->column == column);
        b = next(f);
        assert_true(find(&b, SOSIA_EV_SET)->fresh);
        next(f);
        b = next(f);
        assert_true(find(&b, SOSIA_EV_LINK_SET)->fresh && find(&b, SOSIA_EV_LINK_SET)->column != column);
        b = next(f);
        assert_true(!find(&b, SOSIA_EV_LINK_SET)->fresh && is(find(&b, SOSIA_EV_LINK_SET)->model, "dtmi:test:Room;1"));
        sosia_feed_close(f);
        life_checkpoint(l);
    }
    life_end(l);
}

// ---- durable cursors ----------------------------------------------------------------------------------------------

static uint64_t held(Kit *k, const char *name) {
    uint64_t seq = 77;
    assert_int_equal(sosia_feed_held(k->s, kit_str(name), &seq), SOSIA_OK);
    return seq;
}

static void holds(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.checkpoint_interval_ns = -1});
    Kit *k = &l->k;
    assert_int_equal(held(k, "a"), 0);
    for (uint64_t i = 1; i <= 1000; i++) assert_int_equal(sosia_feed_hold(k->s, kit_str("a"), i), SOSIA_OK);
    assert_int_equal(sosia_feed_hold(k->s, kit_str("b"), 5), SOSIA_OK);
    assert_int_equal(sosia_feed_hold(k->s, kit_str("c"), 6), SOSIA_OK);
    assert_int_equal(sosia_feed_hold(k->s, kit_str("b"), 0), SOSIA_OK);
    assert_int_equal(sosia_feed_hold(k->s, kit_str("never"), 0), SOSIA_OK);
    assert_int_equal(sosia_feed_hold(k->s, kit_str(""), 1), SOSIA_ARGUMENT);
    for (int round = 0; round < 2; round++) {
        assert_true(held(k, "a") == 1000 && held(k, "b") == 0 && held(k, "c") == 6 && held(k, "never") == 0);
        life_checkpoint(l);
    }
    assert_int_equal(sosia_feed_hold(k->s, kit_str("c"), 0), SOSIA_OK);
    life_checkpoint(l);
    assert_true(held(k, "a") == 1000 && held(k, "c") == 0);
    life_end(l);
}

static int64_t stat_of(Kit *k, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(kit_get(k, SOSIA_GET_STATS, "", ""), key);
    assert_non_null(at);
    int64_t n = 0;
    at += strlen(key);
    assert_true(str_to_i64((Str){at, (int64_t)strspn(at, "-0123456789")}, &n));
    return n;
}

static bool count_hold(void *ctx, SosiaStr key, SosiaStr value) {
    (void)key;
    *(int64_t *)ctx = value.n ? value.p[0] - '0' : -1;
    return true;
}

// They reach the disk by themselves, without a close and without other writes; many changes cost few writes.
static void holds_are_written(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.checkpoint_interval_ns = -1});
    test_vfs_break(l->disk, TEST_FAULT_NONE, TEST_SYNC, 0, 0);
    int64_t stored = 0;
    for (uint64_t i = 0; stored != 8; i++) { // sooner or later the newest of them is there
        assert_int_equal(sosia_feed_hold(l->k.s, kit_str("a"), i < 1000 ? 1 + i % 9 : 8), SOSIA_OK);
        if (i < 1000) continue;
        assert_int_equal(sosia_items_scan(l->k.s, kit_str("sosia.hold"), kit_str(""), 0, count_hold, &stored), 0);
        thread_sleep_ns(NS_PER_MS);
    }
    assert_true(test_vfs_count(l->disk) < 50);
    test_vfs_break(l->disk, TEST_FAULT_NONE, 0, 0, 0);
    life_end(l);
}

static void holds_without_a_file(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    char name[16];
    for (int i = 0; i < 4096; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(sosia_feed_hold(k.s, kit_str(name), (uint64_t)i + 1), SOSIA_OK);
    }
    assert_int_equal(sosia_feed_hold(k.s, kit_str("more"), 1), SOSIA_LIMIT);
    assert_int_equal(held(&k, "n17"), 18);
    assert_int_equal(sosia_feed_hold(k.s, kit_str("n17"), 0), SOSIA_OK);
    assert_int_equal(held(&k, "n17"), 0);
    assert_int_equal(sosia_feed_hold(k.s, kit_str("more"), 1), SOSIA_OK);
    kit_close(&k);
}

// ---- trouble ------------------------------------------------------------------------------------------------------

// While the disk is full the journal is read as before.
static void full_disk(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.feed_bytes_max = 400, .checkpoint_interval_ns = -1});
    life_write(l, 300, true);
    test_vfs_room(l->disk, test_vfs_used(l->disk));
    char body[128];
    SosiaErr err;
    int64_t n = 0;
    do {
        uint64_t seq = l->last + 1;
        err = kit_write(&l->k, SOSIA_TWIN_PATCH, seq % 2 ? "a twin with a long name" : "b", "",
                        patch_body(l, body, sizeof body, seq));
        if (!err) l->last = seq;
    } while (!err && n++ < 1000);
    assert_int_equal(err, SOSIA_STORAGE_FULL);
    Cursor c = {.f = feed_at(&l->k, SOSIA_FEED_OLDEST)};
    cursor_step(l, &c, SEQ_MAX, true);
    assert_int_equal(c.last, l->last);
    test_vfs_room(l->disk, 0);
    while (kit_write(&l->k, SOSIA_TWIN_PATCH, (l->last + 1) % 2 ? "a twin with a long name" : "b", "",
                     patch_body(l, body, sizeof body, l->last + 1)))
        thread_sleep_ns(NS_PER_MS);
    l->last++;
    cursor_step(l, &c, SEQ_MAX, true);
    cursor_close(&c);
    life_end(l);
}

// The disk cannot be read: the cursor is told, and goes on where it was when it can be read again.
static void unreadable_disk(void **state) {
    Life *l = *state;
    life_begin(l, 1, &(SosiaOpen){.feed_bytes_max = 400, .checkpoint_interval_ns = -1});
    life_write(l, 3000, true);
    life_checkpoint(l);
    Cursor c = {.f = feed_at(&l->k, SOSIA_FEED_OLDEST)};
    SosiaBatch b;
    test_vfs_break(l->disk, TEST_FAULT_IO, TEST_READ, 1, 1000000);
    assert_int_equal(sosia_feed_next(c.f, 60 * NS_PER_S, &b), SOSIA_STORAGE);
    assert_int_equal(sosia_feed_next(c.f, 60 * NS_PER_S, &b), SOSIA_STORAGE);
    test_vfs_break(l->disk, TEST_FAULT_NONE, 0, 0, 0);
    cursor_step(l, &c, SEQ_MAX, true);
    assert_int_equal(c.last, l->last);
    cursor_close(&c);
    life_end(l);
}

// The engine closes while cursors wait for what is being read.
static void closes_under_cursors(void **state) {
    Life *l = *state;
    for (int round = 0; round < 10; round++) {
        life_begin(l, 1, &(SosiaOpen){.feed_bytes_max = 400, .checkpoint_interval_ns = -1});
        life_write(l, 200, true);
        SosiaFeed *f[4];
        SosiaBatch b;
        for (int i = 0; i < 4; i++) {
            f[i] = feed_at(&l->k, 1 + (uint64_t)i * 40);
            assert_int_equal(sosia_feed_next(f[i], 0, &b), SOSIA_OK);
        }
        if (round % 2) sosia_feed_close(f[3]);
        sosia_close(l->k.s);
        for (int i = 0; i < 4 - round % 2; i++) {
            assert_int_equal(sosia_feed_next(f[i], 0, &b), SOSIA_CLOSED);
            sosia_feed_close(f[i]);
        }
        kit_free(&l->k);
        test_vfs_free(l->disk);
    }
}

// ---- many threads -------------------------------------------------------------------------------------------------

typedef struct Reader {
    pthread_t thread;
    Life *l;
    Cursor c;
    _Atomic uint64_t *goal;
    bool wait;
} Reader;

static void *read_on(void *arg) {
    Reader *r = arg;
    while (r->c.last < atomic_load(r->goal)) {
        if (r->wait) step_waiting(r->l, &r->c);
        else step_notified(r->l, &r->c);
    }
    return NULL;
}

// Readers at several places, some at the same, beside a writer, checkpoints and a ring too small for anyone.
static void beside_writing(void **state) {
    Life *l = *state;
    _Atomic uint64_t goal;
    life_begin(l, 1, &(SosiaOpen){.feed_bytes_max = 2000, .checkpoint_interval_ns = NS_PER_MS});
    life_write(l, 1500, true);
    uint64_t end = l->last + 1500;
    for (uint64_t seq = l->last + 1; seq <= end; seq++) l->values[seq] = (int64_t)(seq * 7 % 100000);
    atomic_init(&goal, end);
    Reader readers[6] = {0};
    for (int i = 0; i < 6; i++) {
        Reader *r = &readers[i];
        r->l = l;
        r->goal = &goal;
        r->wait = i % 2;
        pthread_mutex_init(&r->c.lock, NULL);
        pthread_cond_init(&r->c.cond, NULL);
        cursor_open(l, &r->c, i < 3 ? SOSIA_FEED_OLDEST : (uint64_t)i * 100);
        assert_int_equal(pthread_create(&r->thread, NULL, read_on, r), 0);
    }
    char body[128];
    while (l->last < end) { // values are those filled in above
        uint64_t seq = ++l->last;
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%lld}]", (long long)l->values[seq]);
        kit_do(&l->k, SOSIA_TWIN_PATCH, seq % 2 ? "a twin with a long name" : "b", "", body);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_int_equal(readers[i].c.last, end);
        cursor_close(&readers[i].c);
    }
    assert_true(stat_of(&l->k, "journalReads") > 0);
    life_end(l);
}

static int setup(void **state) {
    *state = calloc(1, sizeof(Life));
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(random_lives),
        T(power_cut),
        T(cut_at_the_limit),
        T(cut_under_a_cursor),
        T(forks_have_theirs),
        T(the_dead_are_told),
        T(first_values),
        T(holds),
        T(holds_are_written),
        T(holds_without_a_file),
        T(full_disk),
        T(unreadable_disk),
        T(closes_under_cursors),
        T(beside_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
