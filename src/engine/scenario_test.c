// SPDX-License-Identifier: Apache-2.0
// Forks through the public calls: of any instant, with a clock of their own, kept in the file, made again after a
// restart; told what came since, a fork of the past becomes the present.
// LABELS: threads
#include <stdatomic.h>
#include "base/rng.h"
#include "base/time.h"
#include "engine/test_kit.h"

#define START INT64_C(1793520000000000000) // 2026-11-01T08:00:00Z

static _Atomic int64_t test_clock;

static int64_t test_now(void *ctx) {
    (void)ctx;
    return atomic_fetch_add(&test_clock, NS_PER_MS);
}

static void pass(int64_t ns) { atomic_fetch_add(&test_clock, ns); }
static int64_t clock_now(void) { return atomic_load(&test_clock); }

static void open_file(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path), .now = test_now, .tick_ns = -1, .checkpoint_interval_ns = -1});
}

static void reopen(Kit *k, const char *path) {
    kit_close(k);
    open_file(k, path);
}

typedef struct At {
    char text[80];
} At;

static At world_at(int64_t at) {
    At x;
    SosiaBuf b = {0};
    buf_printf(&b, "live@");
    time_print(at, 9, &b);
    snprintf(x.text, sizeof x.text, "%.*s", (int)b.n, b.p);
    sosia_buf_free(&b);
    return x;
}

static SosiaErr fork_of(Kit *k, const char *from, const char *name) {
    return sosia_fork(k->s, NULL, kit_str(from), kit_str(name));
}

static void must_fork(Kit *k, const char *from, const char *name) {
    SosiaErr err = fork_of(k, from, name);
    if (err) fail_msg("%s of %s: %s", name, from, sosia_err_name(err));
}

static SosiaErr write_in(Kit *k, const char *world, SosiaOp op, const char *id, const char *sub, const char *body) {
    return kit_write_in(k, world, op, id, sub, body);
}

static void do_in(Kit *k, const char *world, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaErr err = write_in(k, world, op, id, sub, body);
    if (err) fail_msg("%s in %s: %s: %s", id, world, sosia_err_name(err), kit_message(k));
}

// ---- random edits -------------------------------------------------------------------------------------------------

enum { TWINS = 24 };

static void random_edit(Kit *k, const char *world, Rng *r) {
    char id[32], sub[32], body[300];
    snprintf(id, sizeof id, "twin-%d", (int)rng_below(r, TWINS));
    snprintf(sub, sizeof sub, "link-%d", (int)rng_below(r, 3));
    switch (rng_below(r, 10)) {
    case 0:
        snprintf(body, sizeof body,
                 "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{},\"setPoint\":%d},"
                 "\"label\":\"a label that is longer than twelve %d\"}",
                 (int)rng_below(r, 30), (int)rng_below(r, 100));
        (void)write_in(k, world, SOSIA_TWIN_PUT, id, "", body);
        break;
    case 1:
        snprintf(body, sizeof body, "{\"$relationshipName\":\"feeds\",\"$targetId\":\"twin-%d\",\"flow\":%d}",
                 (int)rng_below(r, TWINS), (int)rng_below(r, 50));
        (void)write_in(k, world, SOSIA_LINK_PUT, id, sub, body);
        break;
    case 2: (void)write_in(k, world, SOSIA_LINK_DELETE, id, sub, ""); break;
    case 3: (void)write_in(k, world, SOSIA_TWIN_DELETE, id, "", ""); break;
    case 4:
        (void)write_in(k, world, SOSIA_TWIN_PATCH, id, "", "[{\"op\":\"remove\",\"path\":\"/temperature\"}]");
        break;
    case 5:
        snprintf(body, sizeof body, "{\"id\":\"%s\",\"property\":\"count\",\"value\":%d,\"time\":%lld}", id,
                 (int)rng_below(r, 99), (long long)(clock_now() / 1000000 - (int64_t)rng_below(r, 5000)));
        (void)write_in(k, world, SOSIA_INGEST, "", "", body);
        break;
    default:
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d.5}]",
                 (int)rng_below(r, 100));
        (void)write_in(k, world, SOSIA_TWIN_PATCH, id, "", body);
    }
    pass((int64_t)rng_below(r, 3000) * NS_PER_MS);
}

static void random_edits(Kit *k, const char *world, Rng *r, int n) {
    for (int i = 0; i < n; i++) random_edit(k, world, r);
}

static void expect_dump(Kit *k, const char *world, const char *want) {
    char *got = kit_dump(k, world);
    if (strcmp(got, want) != 0) {
        size_t at = 0;
        while (got[at] && got[at] == want[at]) at++;
        at = at > 200 ? at - 200 : 0;
        fail_msg("%s differs: %.400s\nexpected: %.400s", world, got + at, want + at);
    }
    free(got);
}

// ---- kept ---------------------------------------------------------------------------------------------------------

// Forks of the present and of the past, forks of forks, with edits: the same bytes after a restart, and again.
static void kept_over_restarts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        char path[64];
        Kit k;
        Rng r = rng_make(seed, 7);
        char *dumps[6];
        static const char *const names[] = {"now", "then", "child", "grand", "late", "void"};
        atomic_store(&test_clock, START);
        kit_path(path);
        open_file(&k, path);
        must_fork(&k, "live", "void"); // of nothing at all
        kit_models(&k);
        random_edits(&k, "", &r, 60);
        int64_t then = clock_now();
        pass(NS_PER_S);
        random_edits(&k, "", &r, 60);
        must_fork(&k, "live", "now");
        random_edits(&k, "now", &r, 30);
        must_fork(&k, world_at(then).text, "then");
        random_edits(&k, "then", &r, 30);
        must_fork(&k, "then", "child");
        random_edits(&k, "then", &r, 10);
        random_edits(&k, "child", &r, 20);
        must_fork(&k, "child", "grand");
        random_edits(&k, "grand", &r, 20);
        random_edits(&k, "", &r, 40);
        must_fork(&k, "now", "late");
        random_edits(&k, "late", &r, 20);
        for (int i = 0; i < 6; i++) dumps[i] = kit_dump(&k, names[i]);
        for (int round = 0; round < 3; round++) {
            reopen(&k, path);
            assert_int_equal(fork_of(&k, "live", "child"), SOSIA_WORLD_EXISTS);
            for (int i = 0; i < 6; i++) expect_dump(&k, names[(i + round) % 6], dumps[(i + round) % 6]);
            int more = (int)rng_below(&r, 6);
            random_edits(&k, names[more], &r, 10);
            free(dumps[more]);
            dumps[more] = kit_dump(&k, names[more]);
        }
        for (int i = 0; i < 6; i++) free(dumps[i]);
        kit_close(&k);
        kit_unlink(path);
    }
}

// What a fork in memory is, the same made again is: every read, after the same edits in both.
static void past_forks_are_forks(void **state) {
    (void)state;
    for (uint64_t seed = 20; seed < 26; seed++) {
        char path[64];
        Kit k;
        Rng r = rng_make(seed, 7);
        atomic_store(&test_clock, START);
        kit_path(path);
        open_file(&k, path);
        kit_models(&k);
        random_edits(&k, "", &r, 80);
        int64_t then = clock_now();
        must_fork(&k, "live", "fork");
        pass(NS_PER_S);
        random_edits(&k, "", &r, 80);
        must_fork(&k, world_at(then).text, "over");
        char *a = kit_dump(&k, "fork"), *b = kit_dump(&k, "over");
        assert_string_equal(a, b);
        free(a);
        free(b);
        kit_close(&k);
        kit_unlink(path);
    }
}

// ---- the clock ----------------------------------------------------------------------------------------------------

static int64_t time_of(Kit *k, const char *world) {
    SosiaErr err = kit_get_in(k, world, SOSIA_GET_WORLDS, world, "");
    assert_int_equal(err, SOSIA_OK);
    const char *text = strstr(kit_body(k), "\"time\":\"");
    assert_non_null(text);
    text += 8;
    int64_t at;
    assert_true(time_parse((SosiaStr){text, (int64_t)strcspn(text, "\"")}, &at));
    return at;
}

static void own_clock(void **state) {
    (void)state;
    char path[64];
    Kit k;
    atomic_store(&test_clock, START);
    kit_path(path);
    open_file(&k, path);
    kit_models(&k);
    kit_room(&k, "a");
    int64_t then = clock_now();
    pass(3600 * NS_PER_S);
    kit_do(&k, SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]");
    must_fork(&k, world_at(then).text, "w");
    const char *set = "[{\"op\":\"add\",\"path\":\"/count\",\"value\":2}]";
    do_in(&k, "w", SOSIA_TWIN_PATCH, "a", "", set);
    int64_t first = (then + 100) / 100 * 100; // a whole one, later than what it was forked of
    assert_int_equal(time_of(&k, "w"), first);
    pass(3600 * NS_PER_S);
    do_in(&k, "w", SOSIA_TWIN_PATCH, "a", "", set);
    assert_int_equal(time_of(&k, "w"), first + 100);
    SosiaUpdate u = {.value = {.kind = SOSIA_I64, .i = 5}};
    assert_int_equal(sosia_resolve(k.s, kit_str("w"), kit_str("a"), kit_str("count"), &u.at), SOSIA_OK);
    assert_int_equal(sosia_apply_at(k.s, NULL, kit_str("w"), first + 100, &u, 1, NULL), SOSIA_ARGUMENT);
    assert_int_equal(sosia_apply_at(k.s, NULL, kit_str(""), clock_now() + NS_PER_S, &u, 1, NULL), SOSIA_ARGUMENT);
    assert_int_equal(sosia_apply_at(k.s, NULL, kit_str("w"), then + 7 * NS_PER_S, &u, 1, NULL), SOSIA_OK);
    assert_int_equal(time_of(&k, "w"), then + 7 * NS_PER_S);
    reopen(&k, path);
    assert_int_equal(time_of(&k, "w"), then + 7 * NS_PER_S);
    do_in(&k, "w", SOSIA_TWIN_PATCH, "a", "", set);
    assert_int_equal(time_of(&k, "w"), then + 7 * NS_PER_S + 100);
    kit_close(&k);
    kit_unlink(path);
}

// ---- told what came since -----------------------------------------------------------------------------------------

static void define(Kit *k, const char *name, const char *property, const char *expression) {
    char body[300];
    snprintf(body, sizeof body, "{\"model\":\"dtmi:test:Room;1\",\"property\":\"%s\",\"expression\":\"%s\"}", property,
             expression);
    kit_do(k, SOSIA_DERIVED_PUT, name, "", body);
}

// A fork of the past that is told the recorded batches is the recorded present: values, metadata times, source times,
// relationships, derived values.
static void retold_is_the_present(void **state) {
    (void)state;
    for (uint64_t seed = 40; seed < 46; seed++) {
        char path[64];
        Kit k;
        Rng r = rng_make(seed, 7);
        atomic_store(&test_clock, START);
        kit_path(path);
        open_file(&k, path);
        kit_models(&k);
        define(&k, "warm", "on", "temperature > 50");
        define(&k, "sum", "big", "count * 2 + COUNT(out.feeds)");
        random_edits(&k, "", &r, 60);
        int64_t then = clock_now();
        pass(NS_PER_S);
        random_edits(&k, "", &r, 150);
        must_fork(&k, world_at(then).text, "again");
        if (seed % 2) reopen(&k, path);
        SosiaRetold told;
        SosiaRetell what = {.world = kit_str("again"), .from_ns = then + 1, .to_ns = clock_now()};
        assert_int_equal(sosia_retell(k.s, NULL, &what, &told), SOSIA_OK);
        assert_true(told.batches > 10);
        assert_int_equal(told.refused, 0);
        char *live = kit_dump(&k, "");
        expect_dump(&k, "again", live);
        reopen(&k, path);
        expect_dump(&k, "again", live);
        expect_dump(&k, "", live);
        free(live);
        kit_close(&k);
        kit_unlink(path);
    }
}

// ---- dropping -----------------------------------------------------------------------------------------------------

static int64_t rows(const char *path, const char *table);

static void dropped_parents(void **state) {
    (void)state;
    char path[64];
    Kit k;
    Rng r = rng_make(5, 5);
    atomic_store(&test_clock, START);
    kit_path(path);
    open_file(&k, path);
    kit_models(&k);
    random_edits(&k, "", &r, 40);
    must_fork(&k, "live", "a");
    random_edits(&k, "a", &r, 20);
    must_fork(&k, "a", "b");
    random_edits(&k, "b", &r, 20);
    must_fork(&k, "b", "c");
    random_edits(&k, "c", &r, 20);
    char *c = kit_dump(&k, "c"), *live = kit_dump(&k, "");
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("a")), SOSIA_OK);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("a")), SOSIA_WORLD_NOT_FOUND);
    reopen(&k, path);
    assert_int_equal(kit_get_in(&k, "a", SOSIA_GET_MODELS, "", ""), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("b")), SOSIA_OK); // not made yet
    must_fork(&k, "live", "a");                                      // another of that name
    expect_dump(&k, "c", c);
    expect_dump(&k, "a", live);
    reopen(&k, path);
    expect_dump(&k, "c", c);
    expect_dump(&k, "a", live);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("c")), SOSIA_OK);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("a")), SOSIA_OK);
    kit_close(&k);
    assert_int_equal(rows(path, "world"), 0);
    assert_int_equal(rows(path, "scenario"), 0);
    kit_unlink(path);
    free(c);
    free(live);
}

// ---- what they are ------------------------------------------------------------------------------------------------

static void described(void **state) {
    (void)state;
    char path[64];
    Kit k;
    atomic_store(&test_clock, START);
    kit_path(path);
    open_file(&k, path);
    kit_models(&k);
    kit_room(&k, "a");
    int64_t then = clock_now();
    pass(60 * NS_PER_S);
    kit_do(&k, SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]");
    At at = world_at(then);
    SosiaFork f = {.from = kit_str(at.text),
                   .name = kit_str("plan-b"),
                   .purpose = kit_str("what if the pump stops"),
                   .until_ns = START + 7200 * NS_PER_S,
                   .seed = 42,
                   .seeded = true};
    assert_int_equal(sosia_world_fork(k.s, NULL, &f), SOSIA_OK);
    do_in(&k, "plan-b", SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":9}]");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(kit_get_in(&k, "", SOSIA_GET_WORLDS, "plan-b", ""), SOSIA_OK);
        const char *text = kit_body(&k);
        kit_has(text, "\"parent\":\"live@2026-11-01T08:00:");
        kit_has(text, "\"seed\":42");
        kit_has(text, "\"purpose\":\"what if the pump stops\"");
        kit_has(text, "\"until\":\"2026-11-01T10:00:00");
        kit_has(text, "\"batches\":1,");
        kit_has(text, "\"kept\":true");
        kit_has(text, "\"forkedFrom\":\"2026-11-01T08:00:");
        kit_has(text, "\"status\":\"idle\"");
        kit_lacks(text, "\"ownPages\":0,");
        reopen(&k, path);
        kit_has(kit_get(&k, SOSIA_GET_WORLDS, "", ""), "\"loaded\":false"); // listed at once, made when asked for
    }
    kit_close(&k);
    kit_unlink(path);
}

static void in_memory(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    must_fork(&k, "live", "w");
    kit_has(kit_get(&k, SOSIA_GET_WORLDS, "w", ""), "\"kept\":false");
    kit_close(&k);
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .no_history = true});
    kit_models(&k);
    must_fork(&k, "live", "w");
    kit_has(kit_get(&k, SOSIA_GET_WORLDS, "w", ""), "\"kept\":false");
    do_in(&k, "w", SOSIA_TWIN_PUT, "a", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"}}");
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .no_history = true});
    assert_int_equal(kit_get_in(&k, "w", SOSIA_GET_MODELS, "", ""), SOSIA_WORLD_NOT_FOUND);
    kit_close(&k);
    kit_unlink(path);
}

#include <sqlite3.h>
static int64_t rows(const char *path, const char *table) {
    sqlite3 *h;
    sqlite3_stmt *st;
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return n;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_forks_are_forks),
        cmocka_unit_test(kept_over_restarts),
        cmocka_unit_test(own_clock),
        cmocka_unit_test(retold_is_the_present),
        cmocka_unit_test(dropped_parents),
        cmocka_unit_test(described),
        cmocka_unit_test(in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
