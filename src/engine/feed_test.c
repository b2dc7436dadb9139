// SPDX-License-Identifier: Apache-2.0
// The feed: every batch, in order, with names; resumed, notified, cut when it fell behind, closed with its world.
#include <pthread.h>
#include <stdatomic.h>
#include "base/thread.h"
#include "base/time.h"
#include "engine/test_kit.h"

static SosiaFeed *feed_at(Kit *k, const char *world, uint64_t since) {
    SosiaFeed *f = NULL;
    assert_int_equal(sosia_feed_open(k->s, NULL, kit_str(world), since, &f, NULL), 0);
    return f;
}

// The next batch, which must be there.
static SosiaBatch next(SosiaFeed *f) {
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(f, 60 * NS_PER_S, &b), 0);
    assert_true(b.seq > 0);
    return b;
}

static void nothing(SosiaFeed *f) {
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(f, 0, &b), 0);
    assert_true(b.seq == 0 && b.count == 0);
}

static bool same(SosiaStr got, const char *want) {
    size_t n = strlen(want);
    return got.n == (int64_t)n && (n == 0 || !memcmp(got.p, want, n));
}

static void is(SosiaStr got, const char *want) {
    if (!same(got, want)) fail_msg("\"%.*s\" instead of \"%s\"", (int)got.n, got.p, want);
}

// The change of that kind and path in a batch.
static const SosiaChange *find(const SosiaBatch *b, SosiaEvent what, const char *path) {
    for (int64_t i = 0; i < b->count; i++) {
        const SosiaChange *c = &b->changes[i];
        if (c->what == what && same(c->path, path)) return c;
    }
    fail_msg("no change %d of \"%s\" among %d", (int)what, path, (int)b->count);
    return NULL;
}

static void open_feed(Kit *k, SosiaFeed **f) {
    kit_open(k, &(SosiaOpen){0});
    *f = feed_at(k, "", 0);
    nothing(*f);
    kit_models(k);
}

static void close_feed(Kit *k, SosiaFeed *f) {
    kit_write(k, SOSIA_TWIN_DELETE, "nobody", "", "");
    nothing(f); // what failed is not told
    sosia_feed_close(f);
    kit_close(k);
}

static void test_events_of_twins(void **state) {
    (void)state;
    Kit k;
    SosiaFeed *f;
    open_feed(&k, &f);
    SosiaBatch b = next(f);
    assert_int_equal(b.prev, 0);
    assert_int_equal(b.seq, k.done.seq);
    assert_int_equal(b.count, 3);
    assert_int_equal(b.changes[0].what, SOSIA_EV_MODEL);
    is(b.changes[0].twin, "dtmi:test:Base;1");
    assert_int_equal(b.changes[0].value.kind, SOSIA_JSON);

    SosiaCaller who = {kit_str("me"), kit_str("")};
    SosiaWrite w = {.op = SOSIA_TWIN_PUT,
                    .id = kit_str("a"),
                    .body = kit_str("{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"temperature\":1.5,"
                                    "\"size\":{\"w\":2},\"thermostat\":{\"$metadata\":{},\"setPoint\":20}}")};
    assert_int_equal(sosia_write_wait(k.s, &who, &w, &k.done, &k.keep), 0);
    uint64_t before = b.seq;
    b = next(f);
    assert_int_equal(b.prev, before);
    is(b.source, "me");
    const SosiaChange *c = find(&b, SOSIA_EV_TWIN_PUT, "");
    is(c->twin, "a");
    is(c->other, "dtmi:test:Room;1");
    c = find(&b, SOSIA_EV_SET, "temperature");
    is(c->twin, "a");
    assert_true(c->value.kind == SOSIA_F64 && c->value.d == 1.5 && !c->late);
    assert_true(find(&b, SOSIA_EV_SET, "size.w")->value.d == 2);
    is(find(&b, SOSIA_EV_SET, "size")->value.s, "{}");
    assert_true(find(&b, SOSIA_EV_SET, "thermostat.setPoint")->value.d == 20);

    kit_do(
        &k, SOSIA_TWIN_PATCH, "a", "",
        "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"hello\"},{\"op\":\"add\",\"path\":\"/on\",\"value\":true},"
        "{\"op\":\"add\",\"path\":\"/big\",\"value\":9007199254740993},"
        "{\"op\":\"add\",\"path\":\"/tags\",\"value\":{\"red\":true}},{\"op\":\"remove\",\"path\":\"/temperature\"}]");
    b = next(f);
    is(find(&b, SOSIA_EV_SET, "label")->value.s, "hello");
    assert_true(find(&b, SOSIA_EV_SET, "on")->value.b);
    assert_true(find(&b, SOSIA_EV_SET, "big")->value.i == 9007199254740993);
    is(find(&b, SOSIA_EV_SET, "tags")->value.s, "{\"red\":true}");
    is(find(&b, SOSIA_EV_UNSET, "temperature")->twin, "a");

    kit_do(&k, SOSIA_INGEST, "", "",
           "{\"id\":\"a\",\"property\":\"count\",\"value\":5,\"time\":\"2023-01-02T00:00:00Z\"}");
    b = next(f);
    c = find(&b, SOSIA_EV_SET, "count");
    assert_true(c->value.i == 5 && !c->late && c->source_time_ns == INT64_C(1672617600000000000));
    kit_do(&k, SOSIA_INGEST, "", "",
           "{\"id\":\"a\",\"property\":\"count\",\"value\":4,\"time\":\"2023-01-01T00:00:00Z\"}");
    b = next(f);
    assert_true(find(&b, SOSIA_EV_SET, "count")->late);

    close_feed(&k, f);
}

static void test_events_of_links(void **state) {
    (void)state;
    Kit k;
    SosiaFeed *f;
    open_feed(&k, &f);
    next(f);
    kit_room(&k, "a");
    next(f);
    kit_room(&k, "b");
    next(f);
    kit_do(&k, SOSIA_LINK_PUT, "a", "r", "{\"$relationshipName\":\"feeds\",\"$targetId\":\"b\",\"flow\":3}");
    SosiaBatch b = next(f);
    const SosiaChange *c = find(&b, SOSIA_EV_LINK_PUT, "feeds");
    is(c->twin, "a");
    is(c->link, "r");
    is(c->other, "b");
    c = find(&b, SOSIA_EV_LINK_SET, "flow");
    is(c->twin, "a");
    is(c->link, "r");
    assert_true(c->value.d == 3);
    kit_do(&k, SOSIA_LINK_PATCH, "a", "r", "[{\"op\":\"remove\",\"path\":\"/flow\"}]");
    b = next(f);
    is(find(&b, SOSIA_EV_LINK_UNSET, "flow")->link, "r");

    kit_do(&k, SOSIA_LINK_DELETE, "a", "r", "");
    b = next(f);
    c = find(&b, SOSIA_EV_LINK_DELETE, "feeds");
    is(c->twin, "a");
    is(c->link, "r");
    is(c->other, "b");
    close_feed(&k, f);
}

static void test_events_of_models(void **state) {
    (void)state;
    Kit k;
    SosiaFeed *f;
    open_feed(&k, &f);
    next(f);
    kit_room(&k, "b");
    next(f);
    SosiaWrite w = {.op = SOSIA_TELEMETRY,
                    .id = kit_str("b"),
                    .sub = kit_str("thermostat"),
                    .body = kit_str("{\"x\":[1,2]}"),
                    .message_id = kit_str("m-1"),
                    .source_time_ns = 77};
    assert_int_equal(sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep), 0);
    SosiaBatch b = next(f);
    const SosiaChange *c = find(&b, SOSIA_EV_TELEMETRY, "thermostat");
    is(c->twin, "b");
    is(c->other, "m-1");
    is(c->value.s, "{\"x\":[1,2]}");
    assert_int_equal(c->source_time_ns, 77);

    kit_do(&k, SOSIA_TWIN_PUT, "b", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"}}");
    b = next(f);
    is(find(&b, SOSIA_EV_SET, "$metadata.$model")->value.s, "dtmi:test:Base;1");
    kit_do(&k, SOSIA_TWIN_DELETE, "b", "", "");
    b = next(f);
    is(find(&b, SOSIA_EV_TWIN_DELETE, "")->twin, "b");
    kit_do(&k, SOSIA_MODEL_PATCH, "dtmi:test:Room;1", "",
           "[{\"op\":\"replace\",\"path\":\"/decommissioned\",\"value\":true}]");
    b = next(f);
    assert_true(b.changes[0].value.kind == SOSIA_BOOL && b.changes[0].value.b);
    kit_do(&k, SOSIA_MODEL_DELETE, "dtmi:test:Room;1", "", "");
    b = next(f);
    is(b.changes[0].twin, "dtmi:test:Room;1");
    assert_int_equal(b.changes[0].value.kind, SOSIA_NONE);
    close_feed(&k, f);
}

// The long name of a relationship is gone with it, but a late cursor tells the value under that name.
static void test_name_of_a_dead_link(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    kit_room(&k, "a");
    kit_room(&k, "b");
    static const char rid[] = "a relationship whose name does not fit into two words";
    kit_do(&k, SOSIA_LINK_PUT, "b", rid, "{\"$relationshipName\":\"feeds\",\"$targetId\":\"a\"}");
    SosiaFeed *f = feed_at(&k, "", 0);
    kit_do(&k, SOSIA_LINK_PATCH, "b", rid, "[{\"op\":\"add\",\"path\":\"/flow\",\"value\":1}]");
    kit_do(&k, SOSIA_LINK_DELETE, "b", rid, "");
    char body[128];
    for (int i = 0; i < 20; i++) { // texts of the same size take its place
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"%0*d\"}]", (int)sizeof rid - 1,
                 i);
        kit_do(&k, SOSIA_TWIN_PATCH, "a", "", body);
    }
    SosiaBatch b = next(f);
    is(find(&b, SOSIA_EV_LINK_SET, "flow")->link, rid);
    is(find(&b, SOSIA_EV_LINK_SET, "flow")->twin, "b");
    b = next(f);
    is(find(&b, SOSIA_EV_LINK_DELETE, "feeds")->link, rid);
    sosia_feed_close(f);
    kit_close(&k);
}

// A cursor that reads late still tells the names of what has died since.
static void test_names_of_the_dead(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    SosiaFeed *f = feed_at(&k, "", 0);
    kit_room(&k, "a twin with a long name");
    kit_room(&k, "b");
    kit_do(&k, SOSIA_LINK_PUT, "b", "r", "{\"$relationshipName\":\"feeds\",\"$targetId\":\"a twin with a long name\"}");
    kit_do(&k, SOSIA_LINK_PATCH, "b", "r", "[{\"op\":\"add\",\"path\":\"/flow\",\"value\":1}]");
    kit_do(&k, SOSIA_TWIN_PATCH, "a twin with a long name", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]");
    kit_do(&k, SOSIA_LINK_DELETE, "b", "r", "");
    kit_do(&k, SOSIA_TWIN_DELETE, "a twin with a long name", "", "");
    kit_do(&k, SOSIA_TWIN_DELETE, "b", "", "");
    next(f), next(f);
    SosiaBatch b = next(f);
    const SosiaChange *c = find(&b, SOSIA_EV_LINK_PUT, "feeds");
    is(c->twin, "b");
    is(c->other, "a twin with a long name");
    b = next(f);
    is(find(&b, SOSIA_EV_LINK_SET, "flow")->twin, "b");
    is(find(&b, SOSIA_EV_LINK_SET, "flow")->link, "r");
    b = next(f);
    is(find(&b, SOSIA_EV_SET, "count")->twin, "a twin with a long name");
    b = next(f);
    is(find(&b, SOSIA_EV_LINK_DELETE, "feeds")->other, "a twin with a long name");
    next(f), next(f);
    nothing(f);
    sosia_feed_close(f);
    kit_close(&k);
}

static void test_resume(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    kit_models(&k);
    uint64_t models = k.done.seq, oldest = 99;
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        kit_room(&k, id);
    }
    SosiaFeed *f = feed_at(&k, "live", models + 4);
    SosiaBatch b = next(f);
    assert_true(b.prev == models + 4 && b.seq == models + 5);
    is(b.changes[0].twin, "t4");
    sosia_feed_close(f);
    uint64_t last = k.done.seq;
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str(""), last + 1, &f, &oldest), SOSIA_GONE); // a future
    assert_int_equal(oldest, 0);
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str("x"), 0, &f, NULL), SOSIA_WORLD_NOT_FOUND);
    kit_close(&k);
    // After a start without a journal nothing is kept: only who had everything can go on.
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .journal_bytes_max = -1});
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .journal_bytes_max = -1});
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str(""), last - 1, &f, &oldest), SOSIA_GONE);
    assert_int_equal(oldest, last);
    f = feed_at(&k, "", last);
    kit_room(&k, "new");
    b = next(f);
    assert_int_equal(b.prev, last);
    assert_int_equal(b.seq, last + 1);
    sosia_feed_close(f);
    kit_close(&k);
    kit_unlink(path);
}

// A cursor that falls behind what is kept is told so, and where to go on.
static void test_gone(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){.feed_bytes_max = 400});
    kit_models(&k);
    kit_room(&k, "a");
    SosiaFeed *slow = feed_at(&k, "", 0), *quick = feed_at(&k, "", 0), *f;
    uint64_t since = k.done.seq, oldest = 0;
    for (int i = 0; i < 60; i++) {
        kit_do(&k, SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]");
        assert_int_equal(next(quick).seq, k.done.seq);
    }
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(slow, 0, &b), SOSIA_GONE);
    assert_int_equal(sosia_feed_next(slow, 0, &b), SOSIA_GONE);
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str(""), since, &f, &oldest), SOSIA_GONE);
    assert_true(oldest > since && oldest < k.done.seq);
    f = feed_at(&k, "", oldest);
    assert_int_equal(next(f).prev, oldest);
    sosia_feed_close(f);
    sosia_feed_close(slow);
    sosia_feed_close(quick);
    sosia_feed_close(NULL);
    kit_close(&k);
}

// ---- waiting and notices ------------------------------------------------------------------------------------------

static void *write_later(void *arg) {
    Kit *k = arg;
    Kit mine = {.s = k->s};
    thread_sleep_ns(50 * NS_PER_MS);
    kit_room(&mine, "later");
    kit_free(&mine);
    return NULL;
}

static void count_notice(void *arg) { atomic_fetch_add((_Atomic int *)arg, 1); }

static void test_wait_and_notify(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    SosiaFeed *f = feed_at(&k, "", 0);
    _Atomic int notices = 0;
    sosia_feed_notify(f, count_notice, &notices);
    int64_t start = time_mono_ns();
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(f, 30 * NS_PER_MS, &b), 0);
    assert_int_equal(b.seq, 0);
    assert_true(time_mono_ns() - start >= 30 * NS_PER_MS);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, write_later, &k), 0);
    b = next(f);
    is(b.changes[0].twin, "later");
    pthread_join(t, NULL);
    for (int i = 0; i < 12000 && !atomic_load(&notices); i++) thread_sleep_ns(5 * NS_PER_MS);
    assert_true(atomic_load(&notices) > 0);
    sosia_feed_notify(f, NULL, NULL);
    int told = atomic_load(&notices);
    kit_room(&k, "a");
    next(f);
    assert_int_equal(atomic_load(&notices), told);
    sosia_feed_close(f);
    kit_close(&k);
}

static void *wait_for_ever(void *arg) {
    SosiaBatch b;
    return (void *)(intptr_t)sosia_feed_next(arg, 60 * NS_PER_S, &b);
}

// Feeds outlive their world and their engine, and say so.
static void test_closed(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), 0);
    SosiaFeed *live = feed_at(&k, "", 0), *fork = feed_at(&k, "f", 0);
    assert_int_equal(kit_write_in(&k, "f", SOSIA_MODEL_DELETE, "dtmi:test:Room;1", "", ""), 0);
    is(next(fork).changes[0].twin, "dtmi:test:Room;1");
    nothing(live); // each world has its own
    pthread_t t[2];
    assert_int_equal(pthread_create(&t[0], NULL, wait_for_ever, fork), 0);
    assert_int_equal(pthread_create(&t[1], NULL, wait_for_ever, live), 0);
    thread_sleep_ns(20 * NS_PER_MS);
    void *end;
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), 0);
    pthread_join(t[0], &end);
    assert_int_equal((intptr_t)end, SOSIA_CLOSED);
    kit_close(&k);
    pthread_join(t[1], &end);
    assert_int_equal((intptr_t)end, SOSIA_CLOSED);
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(live, 0, &b), SOSIA_CLOSED);
    sosia_feed_close(live);
    sosia_feed_close(fork);
}

// ---- completeness -------------------------------------------------------------------------------------------------

#define WRITERS 4
#define READERS 4
#define EACH 300

typedef struct Follower {
    pthread_t thread;
    SosiaFeed *f;
    uint64_t first;
    int64_t want, changes, wrong;
    int64_t sums[WRITERS];
    bool slow;
} Follower;

// Follows the chain of sequences and adds up what each twin was set to.
static void *follow(void *arg) {
    Follower *x = arg;
    uint64_t last = x->first;
    while (x->changes < x->want) {
        SosiaBatch b;
        SosiaErr err = sosia_feed_next(x->f, 60 * NS_PER_S, &b);
        if (err || !b.seq || b.prev != last || b.seq <= last) {
            x->wrong++;
            break;
        }
        last = b.seq;
        for (int64_t i = 0; i < b.count; i++) {
            const SosiaChange *c = &b.changes[i];
            int twin = c->twin.n == 2 ? c->twin.p[1] - '0' : -1;
            if (c->what != SOSIA_EV_SET || twin < 0 || twin >= WRITERS) x->wrong++;
            else x->sums[twin] += c->value.i;
            x->changes++;
        }
        if (x->slow && last % 50 == 0) thread_sleep_ns(NS_PER_MS);
    }
    return NULL;
}

typedef struct Author {
    pthread_t thread;
    Sosia *s;
    int number;
} Author;

static void *author(void *arg) {
    Author *a = arg;
    Kit k = {.s = a->s};
    char id[16], body[128];
    snprintf(id, sizeof id, "w%d", a->number);
    for (int i = 1; i <= EACH; i++) {
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        kit_do(&k, SOSIA_TWIN_PATCH, id, "", body);
    }
    kit_free(&k);
    return NULL;
}

static void test_complete(void **state) {
    (void)state;
    char path[64], id[16];
    Kit k;
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    kit_models(&k);
    for (int i = 0; i < WRITERS; i++) {
        snprintf(id, sizeof id, "w%d", i);
        kit_room(&k, id);
    }
    static Follower readers[READERS];
    Author authors[WRITERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (Follower){.f = feed_at(&k, "", 0), .first = k.done.seq, .want = WRITERS * EACH, .slow = i % 2};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, follow, &readers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        authors[i] = (Author){.s = k.s, .number = i};
        assert_int_equal(pthread_create(&authors[i].thread, NULL, author, &authors[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) pthread_join(authors[i].thread, NULL);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
        for (int t = 0; t < WRITERS; t++) assert_int_equal(readers[i].sums[t], EACH * (EACH + 1) / 2);
        sosia_feed_close(readers[i].f);
    }
    kit_close(&k);
    kit_unlink(path);
}

// ---- a world dropped under busy cursors ---------------------------------------------------------------------------

typedef struct Busy {
    Sosia *s;
    _Atomic bool stop;
    _Atomic int64_t batches, closed;
} Busy;

// Reads whatever feed there is until its world is dropped, again and again.
static void *follow_forks(void *arg) {
    Busy *x = arg;
    while (!atomic_load(&x->stop)) {
        SosiaFeed *f;
        if (sosia_feed_open(x->s, NULL, kit_str("f"), 0, &f, NULL)) continue;
        SosiaBatch b;
        SosiaErr err;
        while ((err = sosia_feed_next(f, 10 * NS_PER_MS, &b)) == 0 && !atomic_load(&x->stop)) x->batches += b.seq != 0;
        assert_true(err == 0 || err == SOSIA_CLOSED || err == SOSIA_GONE);
        x->closed += err == SOSIA_CLOSED;
        sosia_feed_close(f);
    }
    return NULL;
}

// Values as fast as they go.
static void *hammer(void *arg) {
    Busy *x = arg;
    Kit k = {.s = x->s};
    KitText body = {0};
    for (int i = 0; i < 3000; i++) {
        char line[128];
        int n = snprintf(line, sizeof line,
                         "{\"id\":\"t%d\",\"property\":\"count\",\"value\":%d,\"time\":\"2024-01-01T00:00:00Z\"}\n",
                         i % 20, i);
        kit_add(&body, line, (size_t)n);
    }
    while (!atomic_load(&x->stop)) kit_write_in(&k, "f", SOSIA_INGEST, "", "", body.p);
    free(body.p);
    kit_free(&k);
    return NULL;
}

// Worlds go while cursors look at them: each is told CLOSED, and the last one frees the world.
static void test_drop_under_busy_cursors(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){.ring_records = 8192});
    kit_models(&k);
    char id[16];
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "t%d", i);
        kit_room(&k, id);
    }
    Busy x = {.s = k.s};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 3 ? follow_forks : hammer, &x), 0);
    // A busy machine may not finish one ingest in the life of a short-lived fork: such forks live longer and longer.
    int64_t life = 20 * NS_PER_MS;
    for (int i = 0; i < 40 || ((!x.batches || !x.closed) && i < 50); i++) {
        if (i >= 40) life *= 2;
        assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), 0);
        thread_sleep_ns(life);
        assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), 0);
    }
    atomic_store(&x.stop, true);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_true(x.batches > 0 && x.closed > 0);
    kit_close(&k);
}

typedef struct Pens {
    Sosia *s;
    atomic_bool stop;
} Pens;

static void *write_on(void *arg) {
    Pens *p = arg;
    char body[80];
    for (int i = 0; !atomic_load(&p->stop); i++) {
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d}]", i);
        SosiaWrite w = {.op = SOSIA_TWIN_PATCH, .id = kit_str("r0"), .body = kit_str(body)};
        SosiaDone done;
        SosiaBuf keep = {0};
        assert_int_equal(sosia_write_wait(p->s, NULL, &w, &done, &keep), 0);
        sosia_buf_free(&keep);
    }
    return NULL;
}

// Whoever read a sequence can follow it at once, though it is visible a moment before it is told; and is not told it.
static void test_what_is_seen_can_be_followed(void **state) {
    (void)state;
    Kit k = {.s = NULL};
    char path[64];
    pthread_t writers[6];
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    kit_models(&k);
    kit_room(&k, "r0");
    Pens pens = {.s = k.s};
    for (int i = 0; i < 6; i++) assert_int_equal(pthread_create(&writers[i], NULL, write_on, &pens), 0);
    for (int i = 0; i < 20000; i++) {
        SosiaOut out = {.etag = ""};
        SosiaRead r = {.what = SOSIA_GET_TWINS, .limit = 1};
        assert_int_equal(sosia_read(k.s, NULL, &r, &out), 0);
        SosiaFeed *f = feed_at(&k, "", out.seq);
        if (i % 100 == 0) assert_true(next(f).seq > out.seq);
        sosia_feed_close(f);
        sosia_out_free(&out);
    }
    atomic_store(&pens.stop, true);
    for (int i = 0; i < 6; i++) pthread_join(writers[i], NULL);
    kit_close(&k);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_of_twins),
        cmocka_unit_test(test_events_of_links),
        cmocka_unit_test(test_events_of_models),
        cmocka_unit_test(test_names_of_the_dead),
        cmocka_unit_test(test_name_of_a_dead_link),
        cmocka_unit_test(test_drop_under_busy_cursors),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_wait_and_notify),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_what_is_seen_can_be_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
