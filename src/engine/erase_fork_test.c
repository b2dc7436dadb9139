// SPDX-License-Identifier: Apache-2.0
// Erasing where something stands in the way: forks that cannot be made again, blocks that cannot be read, parents of
// forks that memory let go of. And what holds retention.
#include "base/thread.h"
#include "base/time.h"
#include "engine/engine.h"
#include "engine/test_erase.h"
#include "store/store_inner.h"

#define OWN                                                                                                            \
    "[{\"@context\":\"dtmi:dtdl:context;2\",\"@id\":\"dtmi:own:Desk;1\",\"@type\":\"Interface\",\"contents\":["        \
    "{\"@type\":\"Property\",\"name\":\"label\",\"schema\":\"string\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"note\",\"schema\":\"string\"}]}]"

static void open_file(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path), .checkpoint_interval_ns = -1, .now = test_now});
}

static void put_room(Kit *k, const char *world, const char *id, const char *label) {
    char body[256];
    snprintf(body, sizeof body,
             "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"label\":\"%s\",\"thermostat\":{\"$metadata\":{}}}",
             label);
    SosiaErr err = kit_write_in(k, world, SOSIA_TWIN_PUT, id, "", body);
    if (err) fail_msg("%s", kit_message(k));
}

static void set(Kit *k, const char *world, const char *id, const char *path, const char *json) {
    char body[256];
    snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/%s\",\"value\":%s}]", path, json);
    SosiaErr err = kit_write_in(k, world, SOSIA_TWIN_PATCH, id, "", body);
    if (err) fail_msg("%s: %s", path, kit_message(k));
}

static void fork_of(Kit *k, const char *from, const char *name) {
    assert_int_equal(sosia_fork(k->s, NULL, kit_str(from), kit_str(name)), SOSIA_OK);
}

static sqlite3 *beside(const char *path) {
    sqlite3 *h;
    assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(h, 10000);
    return h;
}

static void run_sql(sqlite3 *h, const char *sql) {
    char *why = NULL;
    if (sqlite3_exec(h, sql, NULL, NULL, &why)) fail_msg("%s: %s", sql, why);
}

// How often a text is in the journals of forks.
static int in_journals(const char *path, const char *text) {
    sqlite3 *h = beside(path);
    sqlite3_stmt *st;
    int found = 0;
    assert_int_equal(sqlite3_prepare_v2(h, "SELECT bytes FROM scenario", -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        found += memmem(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), text, strlen(text)) != NULL;
    sqlite3_finalize(st);
    sqlite3_close(h);
    return found;
}

// ---- forks that cannot be made ------------------------------------------------------------------------------------

// Every fork says that it lies over another batch than there was at that time.
static void break_forks(const char *path) {
    sqlite3 *h = beside(path);
    sqlite3_stmt *st, *put;
    assert_int_equal(sqlite3_prepare_v2(h, "SELECT id, bytes FROM world", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, "UPDATE world SET bytes = ?2, crc = ?3 WHERE id = ?1", -1, &put, NULL),
                     SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
        char bytes[512];
        int n = sqlite3_column_bytes(st, 1);
        assert_true(n < (int)sizeof bytes);
        memcpy(bytes, sqlite3_column_blob(st, 1), (size_t)n);
        bytes[2 + 3 * 8] ^= 1; // its live_seq, see row_encode of scenarios.c
        sqlite3_bind_int64(put, 1, (int64_t)id);
        sqlite3_bind_blob(put, 2, bytes, n, SQLITE_TRANSIENT);
        sqlite3_bind_int64(put, 3, world_row_check(id, (Str){bytes, n}));
        assert_int_equal(sqlite3_step(put), SQLITE_DONE);
        sqlite3_reset(put);
    }
    sqlite3_finalize(st);
    sqlite3_finalize(put);
    sqlite3_close(h);
}

// Its journal has values in columns of models that only it has: they go by those models. Of other properties, and of
// other twins, everything stays.
static void test_fork_that_cannot_be_made(void **state) {
    (void)state;
    char path[64];
    Kit k;
    Receipt r;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    open_file(&k, path);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    put_room(&k, "", "victim", "hush-live");
    put_room(&k, "", "other", "a-label");
    fork_of(&k, "live", "one");
    assert_int_equal(kit_write_in(&k, "one", SOSIA_MODELS_ADD, "", "", OWN), SOSIA_OK);
    const char *own = "{\"$metadata\":{\"$model\":\"dtmi:own:Desk;1\"},\"label\":\"hush-own\",\"note\":\"stays-own\"}";
    assert_int_equal(kit_write_in(&k, "one", SOSIA_TWIN_PUT, "victim", "", own), SOSIA_OK);
    set(&k, "one", "victim", "label", "\"hush-later\"");
    set(&k, "one", "victim", "note", "\"stays-later\"");
    set(&k, "one", "other", "label", "\"stays-other\"");
    fork_of(&k, "one", "two"); // a child, of a parent that goes
    set(&k, "two", "victim", "label", "\"hush-child\"");
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("one")), SOSIA_OK);
    kit_close(&k);
    break_forks(path);
    open_file(&k, path);
    assert_int_not_equal(kit_get_in(&k, "two", SOSIA_GET_TWIN, "other", ""), SOSIA_OK);
    assert_true(in_journals(path, "hush-own") && in_journals(path, "hush-later") && in_journals(path, "hush-child"));
    SosiaErr err = erase(&k, "victim", "label", &r);
    if (err) fail_msg("%s", sosia_err_name(err));
    for (int i = 0; i < 2; i++) { // and when it is over
        assert_int_equal(in_journals(path, "hush"), 0);
        assert_true(in_journals(path, "stays-own") && in_journals(path, "stays-later"));
        assert_true(in_journals(path, "stays-other"));
        if (i == 0) kit_close(&k);
    }
    kit_unlink(path);
}

// ---- what stands still --------------------------------------------------------------------------------------------

static const char *listed(Kit *k) {
    assert_int_equal(sosia_erasures(k->s, NULL, kit_str(""), &k->out), SOSIA_OK);
    buf_byte(&k->out.body, 0);
    return k->out.body.p;
}

// A block cannot be read: it is told to who asked, stands in the list with the reason, and is done when it can be.
static void test_standing(void **state) {
    (void)state;
    char path[64];
    Kit k;
    Receipt r;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    open_file(&k, path);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    put_room(&k, "", "victim", "hush-hush");
    for (int i = 0; i < 20; i++) set(&k, "", "victim", "label", "\"hush-hush\"");
    kit_close(&k); // everything is in blocks
    sqlite3 *h = beside(path);
    char sql[256];
    snprintf(sql, sizeof sql,
             "CREATE TABLE kept AS SELECT id, bytes FROM history;"
             "UPDATE history SET bytes = zeroblob(length(bytes)) WHERE lane BETWEEN %u AND 100000 AND tier < 16",
             VECNO_COLUMNS << 3);
    run_sql(h, sql);
    sqlite3_close(h);
    open_file(&k, path);
    k.s->erase_again_ns = 50 * NS_PER_MS;
    assert_int_equal(erase(&k, "victim", "", &r), SOSIA_CORRUPT);
    kit_has(listed(&k), "\"value\":[],\"pending\":[{\"id\":\"");
    while (!strstr(listed(&k), "\"state\":\"standing\"")) thread_sleep_ns(NS_PER_MS);
    kit_has(k.out.body.p, "\"reason\":{\"code\":\"");
    kit_has(k.out.body.p, "\"nextTry\":\"20");
    while (!strstr(listed(&k), "\"tries\":2")) thread_sleep_ns(NS_PER_MS); // it is tried again by itself
    kit_has(kit_get(&k, SOSIA_GET_STATS, "", ""), "\"erasures\":{\"pending\":1,");
    h = beside(path);
    run_sql(h, "UPDATE history SET bytes = (SELECT bytes FROM kept WHERE kept.id = history.id)"
               " WHERE id IN (SELECT id FROM kept); DROP TABLE kept");
    sqlite3_close(h);
    while (!strstr(listed(&k), "\"pending\":[]")) thread_sleep_ns(NS_PER_MS);
    kit_has(k.out.body.p, "\"value\":[{\"id\":\"");
    while (!strstr(kit_get(&k, SOSIA_GET_STATS, "", ""), "\"erasures\":{\"pending\":0,\"standing\":0,\"done\":1,"))
        thread_sleep_ns(NS_PER_MS);
    kit_close(&k);
    kit_unlink(path);
}

// ---- bases --------------------------------------------------------------------------------------------------------

static void differs(Kit *k, const char *world, const char *has) {
    SosiaErr err = sosia_diff(k->s, NULL, &(SosiaDiff){.world = kit_str(world)}, &k->out);
    if (err) fail_msg("%s: %s %.*s", world, sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    buf_byte(&k->out.body, 0);
    kit_has(k->out.body.p, has);
    assert_null(strstr(k->out.body.p, "hush"));
}

// After an erasure a fork of a fork is compared with its parent as it was, as before, and merged.
static void test_base_of_a_child(void **state) {
    (void)state;
    char path[64];
    Kit k;
    Receipt r;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    open_file(&k, path);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    put_room(&k, "", "victim", "hush-hush");
    put_room(&k, "", "other", "a-label");
    fork_of(&k, "live", "one");
    set(&k, "one", "other", "temperature", "1");
    set(&k, "one", "victim", "label", "\"hush-one\"");
    fork_of(&k, "one", "two");
    set(&k, "one", "other", "temperature", "5"); // behind the fork: not of its base
    set(&k, "two", "other", "temperature", "2");
    fork_of(&k, "two", "three");
    set(&k, "three", "other", "temperature", "3");
    assert_int_equal(erase(&k, "victim", "", &r), SOSIA_OK);
    differs(&k, "one", "\"before\":null,\"after\":5");
    differs(&k, "two", "\"before\":1,\"after\":2");
    differs(&k, "three", "\"before\":2,\"after\":3");
    SosiaMerge m = {.world = kit_str("three"), .into = kit_str("two")};
    assert_int_equal(sosia_merge(k.s, NULL, &m, &k.out), SOSIA_OK);
    buf_byte(&k.out.body, 0);
    kit_has(k.out.body.p, "\"merged\":1");
    kit_close(&k);
    open_file(&k, path);
    differs(&k, "three", "\"before\":2,\"after\":3");
    kit_close(&k);
    kit_unlink(path);
}

// ---- retention ----------------------------------------------------------------------------------------------------

static const char *held(Kit *k) {
    assert_int_equal(sosia_retention_held(k->s, NULL, &k->out), SOSIA_OK);
    buf_byte(&k->out.body, 0);
    return k->out.body.p;
}

static void test_what_holds(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    open_file(&k, path);
    assert_string_equal(held(&k), "null");
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    put_room(&k, "", "room", "x");
    fork_of(&k, "live", "old");
    put_room(&k, "", "more", "x");
    fork_of(&k, "live", "new");
    fork_of(&k, "old", "child");
    kit_has(held(&k), "{\"world\":\"old\",\"since\":\"2026-");
    kit_has(held(&k), "\"worlds\":3}");
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("old")), SOSIA_OK);
    kit_has(held(&k), "{\"world\":\"child\""); // it lies over the same instant
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("child")), SOSIA_OK);
    kit_has(held(&k), "{\"world\":\"new\"");
    kit_has(kit_get(&k, SOSIA_GET_STATS, "", ""), "\"holdingWorlds\":1");
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("new")), SOSIA_OK);
    assert_string_equal(held(&k), "null");
    kit_close(&k);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_that_cannot_be_made),
        cmocka_unit_test(test_standing),
        cmocka_unit_test(test_base_of_a_child),
        cmocka_unit_test(test_what_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
