// SPDX-License-Identifier: Apache-2.0
// Past worlds through the public calls. Random streams of edits; at sampled instants everything anybody could read is
// copied (lists, documents, etags, sequences, answers to questions, refusals). Whatever happens afterwards, restarts
// included, live@INSTANT gives the same bytes.
// LABELS: threads
#include <pthread.h>
#include "engine/test_past.h"

#define SAMPLES_MAX 64

static SosiaBuf world_at(int64_t at) { return world_of("live", at); }

typedef struct Samples {
    Stream of;
    char path[64];
    int64_t at[SAMPLES_MAX];
    char *copy[SAMPLES_MAX];
    int samples;
} Samples;

// Keep all there is to read at an instant behind the newest batch, some time before the next.
static void sample(Samples *s) {
    if (s->samples == SAMPLES_MAX) return;
    pass(1000);
    s->at[s->samples] = atomic_load(&test_clock);
    s->copy[s->samples] = copy_all(&s->of.k, "", s->of.seed + (uint64_t)s->samples);
    s->samples++;
    pass(1000);
}

static void differ(const Samples *s, int i, const char *now, const char *world) {
    size_t at = 0;
    while (s->copy[i][at] && s->copy[i][at] == now[at]) at++;
    size_t from = at > 200 ? at - 200 : 0;
    fail_msg("seed %llu, %s differs at %zu:\nwas %.400s\nis  %.400s", (unsigned long long)s->of.seed, world, at,
             s->copy[i] + from, now + from);
}

static void check(Samples *s, int i) {
    SosiaBuf world = world_at(s->at[i]);
    char *now = copy_all(&s->of.k, world.p, s->of.seed + (uint64_t)i);
    if (strcmp(now, s->copy[i]) != 0) differ(s, i, now, world.p);
    free(now);
    sosia_buf_free(&world);
}

static void check_all(Samples *s) {
    for (int i = 0; i < s->samples; i++) check(s, (i * 7 + 3) % s->samples);
    for (int i = 0; i < s->samples; i++) check(s, i);
}

static void stream_open(Samples *s, int64_t checkpoint_ns, int64_t past_bytes) {
    kit_open(&s->of.k, &(SosiaOpen){.path = kit_str(s->path),
                                    .checkpoint_interval_ns = checkpoint_ns,
                                    .history_head_bytes = 1 << 20,
                                    .past_bytes_max = past_bytes,
                                    .now = test_now,
                                    .tick_ns = -1});
}

static void run_stream(uint64_t seed, int steps) {
    Samples *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->of.seed = seed;
    s->of.r = rng_make(seed, 1);
    s->of.world = "";
    kit_path(s->path);
    atomic_store(&test_clock, START);
    int64_t checkpoint = seed % 3 == 0 ? 1000000 : -1, bytes = seed % 2 ? 0 : 200000;
    stream_open(s, checkpoint, bytes);
    kit_models(&s->of.k);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < steps; i++) {
            step(&s->of);
            if (below(&s->of, 12) == 0) sample(s);
            if (s->samples && below(&s->of, 10) == 0) check(s, below(&s->of, s->samples));
        }
        if (round == 1) check_all(s);
        if (round == 2) break;
        kit_close(&s->of.k);
        stream_open(s, checkpoint, bytes);
    }
    check_all(s);
    kit_close(&s->of.k);
    for (int i = 0; i < s->samples; i++) free(s->copy[i]);
    kit_unlink(s->path);
    free(s);
}

static void the_past_is_as_it_was(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) run_stream(seed, 60);
}

// ---- names --------------------------------------------------------------------------------------------------------

static void open_file(Kit *k, char path[64], const SosiaOpen *more) {
    SosiaOpen o = *more;
    kit_path(path);
    atomic_store(&test_clock, START);
    o.path = kit_str(path);
    o.now = test_now;
    o.tick_ns = -1;
    kit_open(k, &o);
    pass(1000000);
    kit_models(k);
}

static void refused(Kit *k, const char *world, SosiaErr want, const char *part) {
    SosiaErr err = kit_get_in(k, world, SOSIA_GET_TWINS, "", "");
    if (err != want) fail_msg("%s: %s", world, sosia_err_name(err));
    kit_has(kit_keep(k, (SosiaStr){k->out.message.p, k->out.message.n}), part);
    SosiaAnswer a = {0};
    SosiaQuery q = {.world = kit_str(world), .text = kit_str("SELECT * FROM DIGITALTWINS")};
    assert_int_equal(sosia_query(k->s, NULL, &q, &a), want);
    kit_has(kit_keep(k, (SosiaStr){a.message.p, a.message.n}), part);
    sosia_answer_free(&a);
    SosiaHandle h;
    SosiaTest *t;
    SosiaBuf why = {0};
    assert_int_equal(sosia_resolve(k->s, kit_str(world), kit_str("a"), kit_str("temperature"), &h), want);
    assert_int_equal(sosia_test_new(k->s, kit_str(world), kit_str("temperature > 1"), &t, &why), want);
    kit_has(kit_keep(k, (SosiaStr){why.p, why.n}), part);
    sosia_buf_free(&why);
}

static void instants_by_name(void **state) {
    (void)state;
    char path[64];
    Kit k;
    open_file(&k, path, &(SosiaOpen){0});
    pass(1000000000);
    kit_room(&k, "a");
    pass(3600000000000);
    static const char *const same[] = {"live@2026-11-01T08:00:02Z", "live@2026-11-01T09:00:02+01:00",
                                       "live@2026-11-01T08:00:01.001Z", "live@2026-11-01T08:59Z",
                                       "live@2026-11-01 08:00:03z"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(kit_get_in(&k, same[i], SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        assert_int_equal(k.out.seq, 2);
    }
    assert_int_equal(kit_get_in(&k, "live@2026-11-01T08:00:01.0009999Z", SOSIA_GET_TWIN, "a", ""),
                     SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(kit_get_in(&k, "live@2026-11-01T08:00:01Z", SOSIA_GET_MODEL, "dtmi:test:Room;1", ""), SOSIA_OK);
    refused(&k, "live@2026-11-01T09:00:02Z", SOSIA_ARGUMENT, "has not come yet");
    refused(&k, "live@2026-11-01", SOSIA_PAST_GONE, "nothing is known");
    refused(&k, "live@2026-11-01T08:00:00Z", SOSIA_PAST_GONE, "nothing is known");
    refused(&k, "live@1999-01-01", SOSIA_PAST_GONE,
            "nothing is known of this world at that instant: it began at 2026-");
    static const char *const bad[] = {
        "live@",       "live@now",           "live@-1h",        "live@2026-11-01T08:00:00", "live@x",
        "@2026-11-01", "what-if@2026-11-01", "live@2026-13-01", "live@live@2026-11-01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refused(&k, bad[i], SOSIA_WORLD_NOT_FOUND, "no world");
    SosiaRead one = {.what = SOSIA_GET_WORLDS, .id = kit_str("live@2026-11-01T08:00:02Z")};
    assert_int_equal(kit_read(&k, &one), SOSIA_OK);
    assert_string_equal(kit_body(&k), "{\"name\":\"live@2026-11-01T08:00:02Z\",\"parent\":\"live\",\"sequence\":2,"
                                      "\"time\":\"2026-11-01T08:00:01.0010000Z\",\"twins\":1,\"relationships\":0}");
    kit_lacks(kit_get(&k, SOSIA_GET_WORLDS, "", ""), "@");
    kit_close(&k);
    kit_unlink(path);
    kit_open(&k, &(SosiaOpen){.now = test_now});
    refused(&k, "live@2026-11-01", SOSIA_UNSUPPORTED, "no history is kept");
    kit_close(&k);
}

static void never(void *arg, const SosiaDone *done) {
    (void)arg;
    (void)done;
    fail_msg("a write to the past was carried out");
}

static void the_past_is_not_written(void **state) {
    (void)state;
    char path[64];
    Kit k;
    open_file(&k, path, &(SosiaOpen){0});
    kit_room(&k, "a");
    pass(1000000000);
    const char *world = "live@2026-11-01T08:00:01Z";
    for (int op = SOSIA_MODELS_ADD; op <= SOSIA_IMPORT; op++) {
        assert_int_equal(kit_write_in(&k, world, (SosiaOp)op, "a", "x", "{}"), SOSIA_READ_ONLY);
        kit_has(kit_message(&k), "is the past");
        SosiaWrite w = {.op = (SosiaOp)op, .world = kit_str(world), .id = kit_str("a"), .body = kit_str("{}")};
        assert_int_equal(sosia_write(k.s, NULL, &w, never, NULL), SOSIA_READ_ONLY);
    }
    assert_int_equal(kit_write_in(&k, "live@x", SOSIA_TWIN_DELETE, "a", "", ""), SOSIA_WORLD_NOT_FOUND);
    SosiaHandle h;
    assert_int_equal(sosia_resolve(k.s, kit_str(world), kit_str("a"), kit_str("temperature"), &h), SOSIA_OK);
    SosiaUpdate u = {h, {.kind = SOSIA_F64, .d = 1}, 0};
    assert_int_equal(sosia_apply(k.s, NULL, kit_str(world), &u, 1, NULL), SOSIA_READ_ONLY);
    assert_int_equal(sosia_apply_async(k.s, NULL, kit_str(world), &u, 1, never, NULL), SOSIA_READ_ONLY);
    SosiaInlet *in;
    assert_int_equal(sosia_inlet_open(k.s, &(SosiaInletOpen){.world = kit_str(world)}, &in), SOSIA_READ_ONLY);
    SosiaFeed *f;
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str(world), 0, &f, NULL), SOSIA_UNSUPPORTED);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(world), kit_str("what-if")), SOSIA_OK);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str(world)), SOSIA_READ_ONLY);
    kit_close(&k);
    kit_unlink(path);
}

// ---- what is kept -------------------------------------------------------------------------------------------------

static long long stat_of(Kit *k, const char *name) {
    const char *text = kit_get(k, SOSIA_GET_STATS, "", ""), *past = strstr(text, "\"past\":{"), *at;
    assert_non_null(past);
    at = strstr(past, name);
    assert_non_null(at);
    return atoll(at + strlen(name) + 2);
}

// Instants between two batches are one world; those nobody looks at any more go when they are too much, and come again.
static void worlds_are_shared_and_let_go(void **state) {
    (void)state;
    char path[64], body[128];
    Kit k;
    open_file(&k, path, &(SosiaOpen){.past_bytes_max = 100000});
    kit_room(&k, "a");
    for (int i = 0; i < 50; i++) {
        pass(1000000000);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        kit_do(&k, SOSIA_TWIN_PATCH, "a", "", body);
    }
    pass(1000000000);
    for (int j = 0; j < 20; j++) {
        SosiaBuf world = world_at(START + 5000000000 + 2000000 + j * 7);
        assert_int_equal(kit_get_in(&k, world.p, SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_has(kit_body(&k), "\"count\":4");
        sosia_buf_free(&world);
    }
    assert_int_equal(stat_of(&k, "made"), 1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50; i++) {
            SosiaBuf world = world_at(START + (int64_t)(i + 1) * 1000000000 + 2000000);
            snprintf(body, sizeof body, "\"count\":%d", i);
            assert_int_equal(kit_get_in(&k, world.p, SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
            kit_has(kit_body(&k), body);
            sosia_buf_free(&world);
            assert_true(stat_of(&k, "bytes") <= 100000);
        }
    }
    assert_true(stat_of(&k, "made") > 51);
    assert_true(stat_of(&k, "dropped") > 0);
    kit_close(&k);
    kit_unlink(path);
}

// A question's pages go on with their world, whatever else is looked at and however little may be kept.
static void pages_outlive_the_bound(void **state) {
    (void)state;
    char path[64], id[32];
    Kit k;
    open_file(&k, path, &(SosiaOpen){.past_bytes_max = 1});
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "room-%d", i);
        kit_room(&k, id);
        pass(1000000000);
    }
    SosiaBuf world = world_at(START + 30 * INT64_C(1000000000));
    SosiaAnswer a = {0};
    char token[96] = "";
    int64_t rows = 0;
    for (int page = 0; !page || token[0]; page++) {
        SosiaQuery q = {.world = kit_str(page % 2 ? world.p : world.p),
                        .text = kit_str(page ? "" : "SELECT T.$dtId, now() AS n FROM DIGITALTWINS T"),
                        .token = kit_str(token),
                        .limit = 4};
        assert_int_equal(sosia_query(k.s, NULL, &q, &a), SOSIA_OK);
        kit_has(kit_keep(&k, (SosiaStr){a.body.p, a.body.n}), "\"n\":\"2026-11-01T08:00:30");
        rows += a.rows;
        memcpy(token, a.token, sizeof token);
        SosiaBuf other = world_at(START + (page + 2) * INT64_C(1000000000));
        assert_int_equal(kit_get_in(&k, other.p, SOSIA_GET_TWIN, "room-0", ""), SOSIA_OK);
        sosia_buf_free(&other);
        kit_room(&k, "room-0"); // the present goes on
        if (!token[0]) break;
        SosiaQuery wrong = {.world = kit_str("live"), .token = kit_str(token)};
        SosiaAnswer no = {0};
        assert_int_equal(sosia_query(k.s, NULL, &wrong, &no), SOSIA_TOKEN);
        sosia_answer_free(&no);
    }
    assert_int_equal(rows, 30);
    sosia_answer_free(&a);
    sosia_buf_free(&world);
    kit_close(&k);
    kit_unlink(path);
}

// ---- threads ------------------------------------------------------------------------------------------------------

typedef struct Came {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    SosiaErr err;
    int64_t rows;
    bool there;
} Came;

static void came(void *arg, SosiaErr err, SosiaAnswer *a) {
    Came *c = arg;
    pthread_mutex_lock(&c->lock);
    c->err = err;
    c->rows = a->rows;
    c->there = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static SosiaErr ask(Kit *k, const char *world, int64_t *rows) {
    Came c = {.there = false};
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.cond, NULL);
    SosiaQuery q = {.world = kit_str(world), .text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 1000};
    assert_int_equal(sosia_query_start(k->s, NULL, &q, came, &c), SOSIA_OK);
    pthread_mutex_lock(&c.lock);
    while (!c.there) pthread_cond_wait(&c.cond, &c.lock);
    pthread_mutex_unlock(&c.lock);
    pthread_mutex_destroy(&c.lock);
    pthread_cond_destroy(&c.cond);
    *rows = c.rows;
    return c.err;
}

typedef struct Looker {
    Kit k;
    uint64_t seed;
    _Atomic bool *stop;
} Looker;

// The instant that has just come, at once and again a little later: the same.
static void *look_twice(void *arg) {
    Looker *l = arg;
    Rng r = rng_make(l->seed, 0);
    while (!atomic_load(l->stop)) {
        SosiaBuf world = world_at(time_now_ns() - (int64_t)rng_below(&r, 3) * 100000);
        SosiaErr err = kit_get_in(&l->k, world.p, SOSIA_GET_TWINS, "", "");
        if (err != SOSIA_PAST_GONE) {
            assert_int_equal(err, SOSIA_OK);
            SosiaBuf first = l->k.out.body;
            uint64_t seq = l->k.out.seq;
            l->k.out.body = (SosiaBuf){0};
            int64_t rows, until = time_mono_ns() + (int64_t)rng_below(&r, 3000000);
            while (time_mono_ns() < until) sched_yield();
            assert_int_equal(ask(&l->k, world.p, &rows), SOSIA_OK);
            assert_int_equal(kit_get_in(&l->k, world.p, SOSIA_GET_TWINS, "", ""), SOSIA_OK);
            assert_int_equal(l->k.out.seq, seq);
            assert_int_equal(l->k.out.body.n, first.n);
            assert_memory_equal(l->k.out.body.p, first.p, (size_t)first.n);
            sosia_buf_free(&first);
        }
        sosia_buf_free(&world);
    }
    return NULL;
}

static void what_was_answered_stays(void **state) {
    (void)state;
    char path[64], body[128], id[24];
    Kit k;
    _Atomic bool stop = false;
    Looker lookers[2];
    pthread_t threads[2];
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .past_bytes_max = 300000, .checkpoint_interval_ns = 20000000});
    kit_models(&k);
    for (int i = 0; i < 8; i++) {
        snprintf(id, sizeof id, "r%d", i);
        kit_room(&k, id);
    }
    for (int i = 0; i < 2; i++) {
        lookers[i] = (Looker){.k = {.s = k.s}, .seed = (uint64_t)i + 1, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, look_twice, &lookers[i]), 0);
    }
    int64_t until = time_mono_ns() + 1500000000;
    for (int i = 0; time_mono_ns() < until; i++) {
        snprintf(id, sizeof id, "r%d", i % 8);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        kit_do(&k, SOSIA_TWIN_PATCH, id, "", body);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        kit_free(&lookers[i].k);
    }
    kit_close(&k);
    kit_unlink(path);
}

static void any_end(void *arg, SosiaErr err, SosiaAnswer *a) {
    (void)a;
    if (err != SOSIA_OK && err != SOSIA_CLOSED && err != SOSIA_TIMEOUT) *(SosiaErr *)arg = err;
}

// Questions of the past under way, cursors open: closing ends and frees them.
static void closing_lets_the_past_go(void **state) {
    (void)state;
    char path[64], id[32];
    Kit k;
    SosiaErr wrong = SOSIA_OK;
    open_file(&k, path, &(SosiaOpen){0});
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "room-%d", i);
        kit_room(&k, id);
        pass(1000000000);
    }
    SosiaAnswer a = {0};
    SosiaBuf world = world_at(START + 20 * INT64_C(1000000000)), now = world_at(atomic_load(&test_clock));
    SosiaQuery q = {.world = kit_str(world.p), .text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 2};
    assert_int_equal(sosia_query(k.s, NULL, &q, &a), SOSIA_OK);
    assert_true(a.token[0]);
    for (int i = 0; i < 20; i++) {
        q.world = kit_str(i % 2 ? world.p : now.p);
        assert_int_equal(sosia_query_start(k.s, NULL, &q, any_end, &wrong), SOSIA_OK);
    }
    kit_close(&k);
    assert_int_equal(wrong, SOSIA_OK);
    sosia_answer_free(&a);
    sosia_buf_free(&world);
    sosia_buf_free(&now);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_by_name),
        cmocka_unit_test(the_past_is_not_written),
        cmocka_unit_test(worlds_are_shared_and_let_go),
        cmocka_unit_test(pages_outlive_the_bound),
        cmocka_unit_test(what_was_answered_stays),
        cmocka_unit_test(closing_lets_the_past_go),
        cmocka_unit_test(the_past_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
