// SPDX-License-Identifier: Apache-2.0
// Past worlds of forks through the public calls. Random edits go to live, to a fork, to forks of forks and of
// their past; at sampled instants everything anybody could read is copied. Whatever happens afterwards, edits
// elsewhere, restarts, parents dropped, FORK@INSTANT gives the same bytes, of before the fork those of its parent.
// LABELS: threads
#include <pthread.h>
#include "engine/test_past.h"

#define WORLDS 5
#define SAMPLES_MAX 40 // of a world

typedef struct Sample {
    int64_t at;
    char *copy;
} Sample;

typedef struct Wood {
    Stream of;
    char path[64];
    const char *names[WORLDS]; // 0: live
    int parent[WORLDS];
    int64_t begun[WORLDS]; // where they were forked
    bool there[WORLDS], dropped[WORLDS];
    Sample samples[WORLDS][SAMPLES_MAX];
    int count[WORLDS];
    int64_t checkpoint_ns, past_bytes;
} Wood;

static int64_t now_of(Wood *w, int i) {
    int64_t now = 0;
    SosiaErr err = sosia_world_now(w->of.k.s, kit_str(w->names[i]), true, &now);
    if (err) fail_msg("seed %llu: %s: %s", (unsigned long long)w->of.seed, w->names[i], sosia_err_name(err));
    return now;
}

static uint64_t paging(const Wood *w, int i, int n) { return w->of.seed + (uint64_t)(100 * i + n); }

static void sample(Wood *w, int i) {
    if (w->count[i] == SAMPLES_MAX) return;
    if (i == 0) pass(1000);
    Sample *s = &w->samples[i][w->count[i]];
    s->at = now_of(w, i);
    s->copy = copy_all(&w->of.k, w->names[i], paging(w, i, w->count[i]));
    w->count[i]++;
    if (i == 0) pass(1000);
}

// What world `of` was at sample n of world i, which it was forked of, or is.
static void check_as(Wood *w, int of, int i, int n) {
    const Sample *s = &w->samples[i][n];
    SosiaBuf world = world_of(w->names[of], s->at);
    char *now = copy_all(&w->of.k, world.p, paging(w, i, n));
    size_t at = 0;
    while (s->copy[at] && s->copy[at] == now[at]) at++;
    bool same = s->copy[at] == now[at];
    size_t from = at > 200 ? at - 200 : 0;
    if (!same)
        fail_msg("seed %llu, sample %d of %s as %s differs at %zu:\nwas %.400s\nis  %.400s",
                 (unsigned long long)w->of.seed, n, w->names[i], world.p, at, s->copy + from, now + from);
    free(now);
    sosia_buf_free(&world);
}

// Any sample, in its world or in one that was forked of it later.
static void check_some(Wood *w) {
    int of = below(&w->of, WORLDS), i = of;
    if (!w->there[of] || w->dropped[of]) return;
    int64_t until = INT64_MAX;
    while (i > 0 && below(&w->of, 2)) {
        if (w->begun[i] < until) until = w->begun[i];
        i = w->parent[i];
    }
    if (!w->count[i]) return;
    int n = below(&w->of, w->count[i]);
    if (w->samples[i][n].at <= until) check_as(w, of, i, n);
}

static void check_all(Wood *w) {
    for (int of = 0; of < WORLDS; of++) {
        if (!w->there[of] || w->dropped[of]) continue;
        int64_t until = INT64_MAX;
        for (int i = of;; i = w->parent[i]) {
            for (int n = 0; n < w->count[i]; n++)
                if (w->samples[i][n].at <= until) check_as(w, of, i, n);
            if (i == 0) break;
            if (w->begun[i] < until) until = w->begun[i];
        }
    }
}

static void wood_open(Wood *w) {
    kit_open(&w->of.k, &(SosiaOpen){.path = kit_str(w->path),
                                    .checkpoint_interval_ns = w->checkpoint_ns,
                                    .history_head_bytes = 1 << 20,
                                    .past_bytes_max = w->past_bytes,
                                    .now = test_now,
                                    .tick_ns = -1});
}

// Fork world i of its parent: of the present, or of a sample.
static void wood_fork(Wood *w, int i) {
    int from = w->parent[i];
    SosiaBuf world = {0};
    w->begun[i] = now_of(w, from);
    if (w->count[from] && below(&w->of, 2)) {
        int n = below(&w->of, w->count[from]);
        w->begun[i] = w->samples[from][n].at;
        world = world_of(w->names[from], w->begun[i]);
    }
    SosiaErr err = sosia_fork(w->of.k.s, NULL, kit_str(world.n ? world.p : w->names[from]), kit_str(w->names[i]));
    if (err) fail_msg("seed %llu: fork %s: %s", (unsigned long long)w->of.seed, w->names[i], sosia_err_name(err));
    sosia_buf_free(&world);
    w->there[i] = true;
}

static void drop(Wood *w, int i) {
    assert_int_equal(sosia_drop(w->of.k.s, NULL, kit_str(w->names[i])), SOSIA_OK);
    w->dropped[i] = true;
    SosiaBuf world = world_of(w->names[i], w->begun[i]);
    assert_int_equal(kit_get_in(&w->of.k, world.p, SOSIA_GET_TWINS, "", ""), SOSIA_WORLD_NOT_FOUND);
    sosia_buf_free(&world);
}

static void some_edits(Wood *w, int n) {
    for (int k = 0; k < n; k++) {
        int i = below(&w->of, WORLDS);
        if (!w->there[i] || w->dropped[i]) continue;
        w->of.world = w->names[i];
        step(&w->of);
        if (below(&w->of, 9) == 0) sample(w, i);
        if (below(&w->of, 9) == 0) check_some(w);
    }
}

static void reopen(Wood *w) {
    kit_close(&w->of.k);
    wood_open(w);
}

static void grow(uint64_t seed) {
    Wood *w = calloc(1, sizeof *w);
    assert_non_null(w);
    *w = (Wood){.of = {.r = rng_make(seed, 1), .seed = seed},
                .names = {"live", "fork", "child", "grand", "other"},
                .parent = {0, 0, 1, 2, 1},
                .there = {true},
                .checkpoint_ns = seed % 3 == 0 ? 1000000 : -1,
                .past_bytes = seed % 2 ? 0 : 200000};
    kit_path(w->path);
    atomic_store(&test_clock, START);
    wood_open(w);
    kit_models(&w->of.k);
    some_edits(w, 150);
    wood_fork(w, 1);
    some_edits(w, 100);
    wood_fork(w, 2);
    some_edits(w, 80);
    reopen(w);
    some_edits(w, 80);
    wood_fork(w, 3);
    some_edits(w, 60);
    check_all(w);
    drop(w, 2); // what grand needs of it stays
    wood_fork(w, 4);
    some_edits(w, 60);
    check_all(w);
    reopen(w);
    check_all(w);
    some_edits(w, 60);
    drop(w, 1);
    reopen(w);
    some_edits(w, 60);
    check_all(w);
    kit_close(&w->of.k);
    for (int i = 0; i < WORLDS; i++)
        for (int n = 0; n < w->count[i]; n++) free(w->samples[i][n].copy);
    kit_unlink(w->path);
    free(w);
}

static void forks_were_what_they_were(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) grow(seed);
}

// ---- names --------------------------------------------------------------------------------------------------------

static void refused(Kit *k, const char *world, SosiaErr want, const char *part) {
    SosiaErr err = kit_get_in(k, world, SOSIA_GET_TWINS, "", "");
    if (err != want) fail_msg("%s: %s", world, sosia_err_name(err));
    kit_has(kit_keep(k, (SosiaStr){k->out.message.p, k->out.message.n}), part);
    SosiaAnswer a = {0};
    SosiaQuery q = {.world = kit_str(world), .text = kit_str("SELECT * FROM DIGITALTWINS")};
    assert_int_equal(sosia_query(k->s, NULL, &q, &a), want);
    kit_has(kit_keep(k, (SosiaStr){a.message.p, a.message.n}), part);
    sosia_answer_free(&a);
}

// A fork has a clock of its own, and its past is by that clock.
static void instants_of_forks(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    atomic_store(&test_clock, START);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .now = test_now, .tick_ns = -1});
    kit_models(&k);
    pass(1000000000);
    kit_room(&k, "a");
    pass(1000000000);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK); // at 08:00:02
    pass(INT64_C(3600000000000));
    assert_int_equal(
        kit_write_in(&k, "f", SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":7}]"),
        SOSIA_OK);
    int64_t now;
    assert_int_equal(sosia_world_now(k.s, kit_str("f"), false, &now), SOSIA_OK);
    assert_int_equal(now, START + 2000000100); // later than what it was forked of
    static const char *const with[] = {"f@2026-11-01T08:00:02.0000001Z", "f@now"};
    static const char *const without[] = {"f@2026-11-01T08:00:02Z", "f@2026-11-01T08:00:01Z", "f@-1s"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(kit_get_in(&k, with[i], SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_has(kit_body(&k), "\"count\":7");
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(kit_get_in(&k, without[i], SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_lacks(kit_body(&k), "count");
    }
    refused(&k, "f@2026-11-01T08:00:03Z", SOSIA_ARGUMENT,
            "has not come yet: the clock of \"f\" stands at 2026-11-01T08:00:02.000000100Z");
    refused(&k, "f@1999-01-01", SOSIA_PAST_GONE, "it began at 2026-");
    refused(&k, "f@x", SOSIA_WORLD_NOT_FOUND, "an instant of the past is f@ and a time");
    refused(&k, "g@2026-11-01", SOSIA_WORLD_NOT_FOUND, "there is no \"g\"");
    assert_int_equal(kit_write_in(&k, with[0], SOSIA_TWIN_DELETE, "a", "", ""), SOSIA_READ_ONLY);
    assert_int_equal(kit_write_in(&k, "g@2026-11-01", SOSIA_TWIN_DELETE, "a", "", ""), SOSIA_WORLD_NOT_FOUND);
    SosiaRead one = {.what = SOSIA_GET_WORLDS, .id = kit_str(with[0])};
    assert_int_equal(kit_read(&k, &one), SOSIA_OK);
    kit_has(kit_body(&k), "{\"name\":\"f@2026-11-01T08:00:02.0000001Z\",\"parent\":\"f\",\"sequence\":3,");
    SosiaFeed *feed;
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str(with[0]), 0, &feed, NULL), SOSIA_UNSUPPORTED);
    // forks of its past are kept
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("f@-0s"), kit_str("g")), SOSIA_OK);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("f@2026-11-01T08:00:01Z"), kit_str("h")), SOSIA_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(kit_get_in(&k, "g", SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_has(kit_body(&k), "\"count\":7");
        assert_int_equal(kit_get_in(&k, "h", SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_lacks(kit_body(&k), "count");
        kit_close(&k);
        kit_open(&k, &(SosiaOpen){.path = kit_str(path), .now = test_now, .tick_ns = -1});
    }
    kit_has(kit_get(&k, SOSIA_GET_WORLDS, "", ""), "\"parent\":\"f@2026-11-01T08:00:02.000000100Z\"");
    kit_close(&k);
    kit_unlink(path);
}

// The world that a past one is of, and forks that lie over it, go in any order.
static void dropped_with_forks_over_it(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    atomic_store(&test_clock, START);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .now = test_now, .tick_ns = -1});
    kit_models(&k);
    kit_room(&k, "a");
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
    assert_int_equal(
        kit_write_in(&k, "f", SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":7}]"),
        SOSIA_OK);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("f@now"), kit_str("g")), SOSIA_OK);
    SosiaAnswer a = {0};
    SosiaQuery q = {.world = kit_str("f@now"), .text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 1};
    assert_int_equal(sosia_query(k.s, NULL, &q, &a), SOSIA_OK);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(kit_get_in(&k, "g", SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_has(kit_body(&k), "\"count\":7");
        assert_int_equal(kit_get_in(&k, "g@-1ns", SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_lacks(kit_body(&k), "count");
        if (round == 1) {
            kit_close(&k);
            kit_open(&k, &(SosiaOpen){.path = kit_str(path), .now = test_now, .tick_ns = -1});
        }
        // a world of that name again is another one
        if (round == 0) assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
    }
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("g")), SOSIA_OK);
    sosia_answer_free(&a);
    kit_close(&k);
    kit_unlink(path);
}

// ---- threads ------------------------------------------------------------------------------------------------------

typedef struct Came {
    _Atomic bool there;
    SosiaErr err;
} Came;

static void came(void *arg, SosiaErr err, SosiaAnswer *a) {
    Came *c = arg;
    (void)a;
    c->err = err;
    atomic_store(&c->there, true);
}

static SosiaErr ask(Kit *k, const char *world) {
    Came c = {.err = SOSIA_OK};
    SosiaQuery q = {.world = kit_str(world), .text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 1000};
    assert_int_equal(sosia_query_start(k->s, NULL, &q, came, &c), SOSIA_OK);
    while (!atomic_load(&c.there)) sched_yield();
    return c.err;
}

typedef struct Looker {
    Kit k;
    _Atomic bool *stop;
    int64_t looked;
} Looker;

// The instant at which the fork's clock stands, whether what is of it is durable yet or not: twice the same.
static void *look_twice(void *arg) {
    Looker *l = arg;
    for (; !atomic_load(l->stop); l->looked++) {
        int64_t now;
        assert_int_equal(sosia_world_now(l->k.s, kit_str("f"), true, &now), SOSIA_OK);
        SosiaBuf world = world_of("f", now);
        if (l->looked % 2) assert_int_equal(ask(&l->k, world.p), SOSIA_OK);
        assert_int_equal(kit_get_in(&l->k, world.p, SOSIA_GET_TWINS, "", ""), SOSIA_OK);
        uint64_t seq = l->k.out.seq;
        SosiaBuf first = l->k.out.body;
        l->k.out.body = (SosiaBuf){0};
        for (int i = 0; i < 20; i++) sched_yield();
        assert_int_equal(ask(&l->k, world.p), SOSIA_OK);
        assert_int_equal(kit_get_in(&l->k, world.p, SOSIA_GET_TWINS, "", ""), SOSIA_OK);
        assert_int_equal(l->k.out.seq, seq);
        assert_int_equal(l->k.out.body.n, first.n);
        assert_memory_equal(l->k.out.body.p, first.p, (size_t)first.n);
        sosia_buf_free(&first);
        sosia_buf_free(&world);
    }
    return NULL;
}

static void written(void *arg, const SosiaDone *done) {
    assert_int_equal(done->err, SOSIA_OK);
    atomic_fetch_sub((_Atomic int64_t *)arg, 1);
}

static void what_was_answered_stays(void **state) {
    (void)state;
    char path[64], body[128], id[24];
    Kit k;
    _Atomic bool stop = false;
    _Atomic int64_t under_way = 0;
    Looker lookers[2];
    pthread_t threads[2];
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .past_bytes_max = 300000, .checkpoint_interval_ns = 20000000});
    kit_models(&k);
    for (int i = 0; i < 8; i++) {
        snprintf(id, sizeof id, "r%d", i);
        kit_room(&k, id);
    }
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
    for (int i = 0; i < 2; i++) {
        lookers[i] = (Looker){.k = {.s = k.s}, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, look_twice, &lookers[i]), 0);
    }
    int64_t until = time_mono_ns() + 1500000000;
    for (int i = 0; time_mono_ns() < until; i++) { // some under way at any time
        snprintf(id, sizeof id, "r%d", i % 8);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        SosiaWrite w = {.op = SOSIA_TWIN_PATCH, .world = kit_str("f"), .id = kit_str(id), .body = kit_str(body)};
        atomic_fetch_add(&under_way, 1);
        assert_int_equal(sosia_write(k.s, NULL, &w, written, &under_way), SOSIA_OK);
        while (atomic_load(&under_way) > 4) sched_yield();
    }
    while (atomic_load(&under_way)) sched_yield();
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_true(lookers[i].looked > 10);
        kit_free(&lookers[i].k);
    }
    kit_close(&k);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_of_forks),
        cmocka_unit_test(dropped_with_forks_over_it),
        cmocka_unit_test(what_was_answered_stays),
        cmocka_unit_test(forks_were_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
