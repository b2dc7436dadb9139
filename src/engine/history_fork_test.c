// SPDX-License-Identifier: Apache-2.0
// The history of forks through the public calls: what a fork that was told things tells of them is what live would
// tell, had it been told them; after restarts too, sealed or not. Erased, it tells nothing; replayed, the same again.
// LABELS: threads
#include "base/rng.h"
#include "engine/test_erase.h"

#define START INT64_C(1793520000000000000) // 2026-11-01T08:00:00Z
#define TWINS 4

static void open_file(Kit *k, const char *path, int64_t checkpoint_ns) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path),
                             .now = test_now,
                             .tick_ns = -1,
                             .history_head_bytes = 1 << 20,
                             .checkpoint_interval_ns = checkpoint_ns});
}

static void do_in(Kit *k, const char *world, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaErr err = kit_write_in(k, world, op, id, sub, body);
    if (err) fail_msg("%s in %s: %s", id, world, kit_message(k));
}

// ---- as live would ------------------------------------------------------------------------------------------------

// Value number i of a stream: of a twin, a property and a time that follow from i, some late.
static void tell(Kit *k, const char *world, Rng *r, int i) {
    static const char *const names[] = {"temperature", "count", "label", "thermostat.setPoint"};
    char body[300], value[40];
    int p = (int)rng_below(r, 4), late = rng_below(r, 6) == 0 ? (int)rng_below(r, 20) : 0;
    snprintf(value, sizeof value, p == 1 ? "%d" : p == 2 ? "\"text %d\"" : "%d.25", (int)rng_below(r, 90));
    snprintf(body, sizeof body, "{\"id\":\"t%d\",\"property\":\"%s\",\"value\":%s,\"time\":%lld}",
             (int)rng_below(r, TWINS), names[p], value, (long long)(START / 1000000 + 1000 * (i - late)));
    do_in(k, world, SOSIA_INGEST, "", "", body);
    if (rng_below(r, 12) == 0) {
        snprintf(body, sizeof body, "t%d", (int)rng_below(r, TWINS));
        SosiaWrite w = {.op = SOSIA_TELEMETRY,
                        .world = kit_str(world),
                        .id = kit_str(body),
                        .body = kit_str("{\"x\":1}"),
                        .message_id = kit_str("m")};
        assert_int_equal(sosia_write_wait(k->s, NULL, &w, &k->done, &k->keep), SOSIA_OK);
    }
}

static void put_out(Kit *k, SosiaErr err, KitText *t) {
    kit_add(t, sosia_err_name(err), strlen(sosia_err_name(err)));
    kit_add(t, "\n", 1);
    if (!err) kit_add(t, k->out.body.p, (size_t)k->out.body.n);
    else kit_add(t, k->out.message.p, (size_t)k->out.message.n);
}

static void put_answer(Kit *k, const char *world, const char *text, KitText *t) {
    SosiaAnswer a = {0};
    SosiaQuery q = {.world = kit_str(world), .text = kit_str(text), .limit = 1000, .no_times = true};
    SosiaErr err = sosia_query(k->s, NULL, &q, &a);
    if (err) fail_msg("%s in %s: %.*s", text, world, (int)a.message.n, a.message.p);
    kit_add(t, a.body.p, (size_t)a.body.n);
    kit_add(t, "\n", 1);
    sosia_answer_free(&a);
}

// All that is told of values by their own time.
static char *told_in(Kit *k, const char *world) {
    KitText t = {0};
    for (int i = 0; i < TWINS; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        SosiaHistory h = {.world = kit_str(world), .id = kit_str(id), .format = SOSIA_HISTORY_CSV, .sources = true};
        put_out(k, sosia_history(k->s, NULL, &h, &k->out), &t);
        h = (SosiaHistory){.world = kit_str(world),
                           .id = kit_str(id),
                           .format = SOSIA_HISTORY_CSV,
                           .from_ns = START,
                           .to_ns = START + 200 * NS_PER_S,
                           .step_ns = 25 * NS_PER_S,
                           .fn = kit_str("count,last,first")};
        put_out(k, sosia_history(k->s, NULL, &h, &k->out), &t);
    }
    put_answer(k, world,
               "SELECT T.$dtId, T.temperature, T.label FROM DIGITALTWINS T ORDER BY T.$dtId HISTORY FROM "
               "'2026-11-01T08:00:10Z' TO '2026-11-01T08:03:00Z'",
               &t);
    return t.p;
}

static void same(uint64_t seed, const char *what, const char *got, const char *want) {
    size_t at = 0;
    while (got[at] && got[at] == want[at]) at++;
    size_t from = at > 100 ? at - 100 : 0;
    if (got[at] != want[at])
        fail_msg("seed %llu, %s: %.300s\nexpected: %.300s", (unsigned long long)seed, what, got + from, want + from);
}

static void rooms(Kit *k) {
    kit_models(k);
    for (int i = 0; i < TWINS; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        kit_room(k, id);
    }
}

// The same stream to live alone.
static char *expected(uint64_t seed, int n) {
    char path[64];
    Kit k;
    Rng r = rng_make(seed, 3);
    atomic_store(&test_clock, START);
    kit_path(path);
    open_file(&k, path, -1);
    rooms(&k);
    for (int i = 0; i < n; i++) tell(&k, "", &r, i);
    char *text = told_in(&k, "");
    kit_close(&k);
    kit_unlink(path);
    return text;
}

static void check(Kit *k, uint64_t seed, const char *world, const char *want) {
    char *got = told_in(k, world);
    same(seed, world, got, want);
    free(got);
}

static void as_live_would(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        char path[64];
        Kit k;
        Rng r = rng_make(seed, 3), other = rng_make(seed, 4);
        int64_t checkpoint = seed % 2 ? -1 : NS_PER_MS;
        char *first = expected(seed, 60), *second = expected(seed, 120), *third = expected(seed, 170);
        atomic_store(&test_clock, START);
        kit_path(path);
        open_file(&k, path, checkpoint);
        rooms(&k);
        for (int i = 0; i < 60; i++) tell(&k, "", &r, i);
        assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
        for (int i = 60; i < 120; i++) {
            tell(&k, "f", &r, i);
            if (i % 3 == 0) tell(&k, "", &other, i); // none of its business
        }
        check(&k, seed, "f", second);
        assert_int_equal(sosia_fork(k.s, NULL, kit_str("f"), kit_str("g")), SOSIA_OK);
        check(&k, seed, "g", second);
        for (int round = 0; round < 3; round++) {
            kit_close(&k);
            open_file(&k, path, checkpoint);
            check(&k, seed, round % 2 ? "f" : "g", second);
            check(&k, seed, round % 2 ? "g" : "f", second);
        }
        assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
        for (int i = 120; i < 170; i++) tell(&k, "g", &r, i);
        check(&k, seed, "g", third);
        kit_close(&k);
        open_file(&k, path, checkpoint);
        check(&k, seed, "g", third);
        kit_close(&k);
        kit_unlink(path);
        free(first);
        free(second);
        free(third);
    }
}

// ---- looking back -------------------------------------------------------------------------------------------------

static void has_answer(Kit *k, const char *world, const char *text, const char *part) {
    KitText t = {0};
    put_answer(k, world, text, &t);
    kit_has(t.p, part);
    free(t.p);
}

// Expressions over the past, by the fork's own clock.
static void by_its_own_clock(void **state) {
    (void)state;
    char path[64];
    Kit k;
    atomic_store(&test_clock, START);
    kit_path(path);
    open_file(&k, path, -1);
    rooms(&k);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
    SosiaUpdate u = {.value = {.kind = SOSIA_F64}};
    assert_int_equal(sosia_resolve(k.s, kit_str("f"), kit_str("t0"), kit_str("temperature"), &u.at), SOSIA_OK);
    for (int i = 1; i <= 10; i++) { // a value each ten minutes, a year ahead
        u.value.d = 10 * i;
        int64_t at = START + 365 * 86400 * NS_PER_S + i * 600 * NS_PER_S;
        assert_int_equal(sosia_apply_at(k.s, NULL, kit_str("f"), at, &u, 1, NULL), SOSIA_OK);
    }
    static const char *const question =
        "SELECT AVG(T.temperature, 35m) AS a, DELTA(T.temperature, 1h) AS d, LAST(T.temperature, 1h) AS l, now() AS n "
        "FROM DIGITALTWINS T WHERE T.$dtId = 't0'";
    for (int round = 0; round < 2; round++) {
        has_answer(&k, "f", question, "\"a\":85,\"d\":60,\"l\":40,\"n\":\"2027-11-01T09:40:00.0000000Z\"");
        has_answer(&k, "f@2027-11-01T08:40:00Z", question, "\"a\":25,\"d\":30");
        has_answer(&k, "f@-1h", question, "\"n\":\"2027-11-01T08:40:00");
        kit_close(&k);
        open_file(&k, path, -1);
    }
    kit_close(&k);
    kit_unlink(path);
}

static void instant(char out[64], const char *world, int64_t at) {
    SosiaBuf b = {0};
    buf_printf(&b, "%s@", world);
    time_print(at, 9, &b);
    snprintf(out, 64, "%.*s", (int)b.n, b.p);
    sosia_buf_free(&b);
}

static void has_value(Kit *k, const char *world, const char *part) {
    assert_int_equal(kit_get_in(k, world, SOSIA_GET_TWIN, "t0", ""), SOSIA_OK);
    kit_has(kit_body(k), part);
}

// What is derived of the past is right with the first batch after a restart, and so it was at each instant.
static void derived_of_its_past(void **state) {
    (void)state;
    char path[64], world[64], part[40];
    Kit k;
    atomic_store(&test_clock, START);
    kit_path(path);
    open_file(&k, path, -1);
    rooms(&k);
    kit_do(&k, SOSIA_DERIVED_PUT, "mean", "",
           "{\"model\":\"dtmi:test:Room;1\",\"property\":\"thermostat.setPoint\",\"expression\":\"AVG(temperature, "
           "1h)\"}");
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
    for (int i = 1; i <= 12; i++) { // every ten minutes: the mean of six
        SosiaUpdate u = {.value = {.kind = SOSIA_F64, .d = 10 * i}};
        assert_int_equal(sosia_resolve(k.s, kit_str("f"), kit_str("t0"), kit_str("temperature"), &u.at), SOSIA_OK);
        assert_int_equal(sosia_apply_at(k.s, NULL, kit_str("f"), START + i * 600 * NS_PER_S, &u, 1, NULL), SOSIA_OK);
        int first = i > 6 ? i - 5 : 1;
        snprintf(part, sizeof part, "\"setPoint\":%g,", 5.0 * (first + i));
        has_value(&k, "f", part);
        if (i % 3) continue;
        kit_close(&k);
        open_file(&k, path, -1);
        has_value(&k, "f", part);
    }
    instant(world, "f", START + 5 * 600 * NS_PER_S);
    has_value(&k, world, "\"setPoint\":30,");
    kit_close(&k);
    kit_unlink(path);
}

// ---- again --------------------------------------------------------------------------------------------------------

// A stretch of a fork goes through a feed again, and happens in another fork.
static void replayed_from_a_fork(void **state) {
    (void)state;
    char path[64];
    Kit k;
    Rng r = rng_make(5, 5);
    atomic_store(&test_clock, START);
    kit_path(path);
    open_file(&k, path, -1);
    rooms(&k);
    for (int i = 0; i < 20; i++) tell(&k, "", &r, i);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("f@now"), kit_str("g")), SOSIA_OK); // of the same instant
    for (int i = 20; i < 60; i++) tell(&k, "f", &r, i);
    kit_close(&k);
    open_file(&k, path, -1);
    SosiaFeed *f;
    SosiaBatch b;
    SosiaReplay stretch = {.from_ns = START, .to_ns = START + 10000 * NS_PER_S, .world = kit_str("f")};
    assert_int_equal(sosia_feed_replay(k.s, NULL, &stretch, &f), SOSIA_OK);
    uint64_t last = 0, n = 0;
    SosiaErr err;
    while ((err = sosia_feed_next(f, 10 * NS_PER_S, &b)) == SOSIA_OK) {
        assert_true(b.seq > last);
        last = b.seq;
        n++;
    }
    assert_int_equal(err, SOSIA_CLOSED);
    assert_true(n >= 65); // models, rooms, values of live and of its own
    sosia_feed_close(f);
    SosiaRetold told;
    SosiaRetell retell = {.world = kit_str("g"), .from_ns = START, .to_ns = stretch.to_ns, .source = kit_str("f")};
    assert_int_equal(sosia_retell(k.s, NULL, &retell, &told), SOSIA_OK);
    assert_true(told.batches > 30 && !told.refused);
    char *want = told_in(&k, "f");
    check(&k, 5, "g", want);
    free(want);
    SosiaDiff d = {.world = kit_str("g"), .against = kit_str("f")};
    assert_int_equal(sosia_diff(k.s, NULL, &d, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"changes\":[]");
    kit_close(&k);
    kit_unlink(path);
}

// ---- erased -------------------------------------------------------------------------------------------------------

static void lacks(Kit *k, const char *world, const char *id, const char *secret) {
    KitText t = {0};
    SosiaHistory h = {.world = kit_str(world), .id = kit_str(id), .arrival = true};
    put_out(k, sosia_history(k->s, NULL, &h, &k->out), &t);
    put_out(k, kit_get_in(k, world, SOSIA_GET_TWIN, id, ""), &t);
    kit_lacks(t.p, secret);
    free(t.p);
}

static int64_t now_of(Kit *k, const char *world) {
    int64_t now;
    assert_int_equal(sosia_world_now(k->s, kit_str(world), true, &now), SOSIA_OK);
    return now;
}

// What was erased is in no history of a fork: of one that lives, of one that was dropped and has children.
static void erased_from_forks(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) { // of a twin, a property; with a restart before it, or not
        char path[64], then[64], child[64];
        Kit k;
        Receipt receipt;
        atomic_store(&test_clock, START);
        kit_path(path);
        open_file(&k, path, way & 2 ? NS_PER_MS : -1);
        rooms(&k);
        assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str("f")), SOSIA_OK);
        do_in(&k, "f", SOSIA_TWIN_PATCH, "t0", "", "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"secret\"}]");
        do_in(&k, "f", SOSIA_TWIN_PATCH, "t0", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":7}]");
        instant(then, "f", now_of(&k, "f"));
        assert_int_equal(sosia_fork(k.s, NULL, kit_str("f"), kit_str("g")), SOSIA_OK);
        do_in(&k, "g", SOSIA_TWIN_PATCH, "t0", "", "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"secret g\"}]");
        instant(child, "g", now_of(&k, "g"));
        do_in(&k, "g", SOSIA_TWIN_PATCH, "t0", "", "[{\"op\":\"remove\",\"path\":\"/label\"}]");
        assert_int_equal(kit_get_in(&k, child, SOSIA_GET_TWIN, "t0", ""), SOSIA_OK);
        kit_has(kit_body(&k), "secret g");
        if (way & 2) {
            assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
            kit_close(&k);
            open_file(&k, path, -1);
        }
        assert_int_equal(erase(&k, "t0", way & 1 ? "label" : "", &receipt), SOSIA_OK);
        for (int round = 0; round < 2; round++) {
            if (!(way & 2)) lacks(&k, "f", "t0", "secret");
            if (!(way & 2)) lacks(&k, then, "t0", "secret");
            lacks(&k, "g", "t0", "secret");
            lacks(&k, child, "t0", "secret");
            bool stays = kit_get_in(&k, child, SOSIA_GET_TWIN, "t0", "") == SOSIA_OK;
            assert_true(stays == (way & 1));
            if (stays) kit_has(kit_body(&k), "\"count\":7");
            kit_close(&k);
            open_file(&k, path, -1);
        }
        kit_close(&k);
        kit_unlink(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_live_would),       cmocka_unit_test(by_its_own_clock),
        cmocka_unit_test(derived_of_its_past), cmocka_unit_test(replayed_from_a_fork),
        cmocka_unit_test(erased_from_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
