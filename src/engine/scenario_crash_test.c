// SPDX-License-Identifier: Apache-2.0
// Forks on a disk that is broken on purpose: power cut at any change of the file, and a disk that is full. What was
// acknowledged is there, in every world; what was refused is in none; beside one that was made without trouble in
// memory. A failure prints its seed.
#include <stdatomic.h>
#include "base/rng.h"
#include "base/time.h"
#include "engine/test_kit.h"
#include "store/test_vfs.h"

#define START INT64_C(1793520000000000000) // 2026-11-01T08:00:00Z
#define STEPS 60
#define NAMES 5
#define TWINS 6

static _Atomic int64_t test_clock;

static int64_t test_now(void *ctx) {
    (void)ctx;
    return atomic_load(&test_clock);
}

static void open_disk(Kit *k) {
    kit_open(k, &(SosiaOpen){.path = kit_str("w.sosia"),
                             .vfs = "scenario",
                             .now = test_now,
                             .tick_ns = -1,
                             .retain_interval_ns = -1,
                             .checkpoint_interval_ns = -1});
}

static void open_memory(Kit *k) { kit_open(k, &(SosiaOpen){.now = test_now, .tick_ns = -1}); }

// ---- the script ---------------------------------------------------------------------------------------------------

static const char *name_of(uint64_t i) {
    static const char *const names[NAMES] = {"live", "a", "b", "c", "d"};
    return names[i % NAMES];
}

static SosiaErr put_twin(Kit *k, const char *world, Rng *r) {
    char id[16], body[400];
    snprintf(id, sizeof id, "t%d", (int)rng_below(r, TWINS));
    snprintf(body, sizeof body,
             "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}},\"count\":%d,"
             "\"label\":\"a label that does not lie in its cell: %d\"}",
             (int)rng_below(r, 100), (int)rng_below(r, 100));
    return kit_write_in(k, world, SOSIA_TWIN_PUT, id, "", body);
}

static SosiaErr set_value(Kit *k, const char *world, Rng *r) {
    char body[120];
    snprintf(body, sizeof body, "{\"id\":\"t%d\",\"property\":\"temperature\",\"value\":%d.25}",
             (int)rng_below(r, TWINS), (int)rng_below(r, 100));
    return kit_write_in(k, world, SOSIA_INGEST, "", "", body);
}

// Step i, the same whenever and wherever it is done. Refused as not fitting is done too.
static SosiaErr step(Kit *k, uint64_t seed, int i) {
    Rng r = rng_make(seed, (uint64_t)i);
    atomic_store(&test_clock, START + i * NS_PER_S);
    const char *world = name_of(rng_below(&r, NAMES)), *other = name_of(1 + rng_below(&r, NAMES - 1));
    if (i == 0) return kit_write(k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    switch (rng_below(&r, 8)) {
    case 0:
    case 1: return sosia_fork(k->s, NULL, kit_str(world), kit_str(other));
    case 2: return rng_below(&r, 2) ? sosia_drop(k->s, NULL, kit_str(other)) : SOSIA_OK;
    case 3:
    case 4: return put_twin(k, world, &r);
    default: return set_value(k, world, &r);
    }
}

static bool disk_failed(SosiaErr e) { return e == SOSIA_STORAGE || e == SOSIA_STORAGE_FULL || e == SOSIA_IO; }

// Everything in every world, one text.
static char *dump_all(Kit *k) {
    KitText all = {0};
    for (int i = 0; i < NAMES; i++) {
        char head[40];
        const char *name = name_of((uint64_t)i);
        SosiaErr err = kit_get_in(k, name, SOSIA_GET_MODELS, "", "");
        snprintf(head, sizeof head, "\n== %s %s\n", name, sosia_err_name(err));
        kit_add(&all, head, strlen(head));
        if (err) continue;
        char *one = kit_dump(k, name);
        kit_add(&all, one, strlen(one));
        free(one);
    }
    return all.p;
}

// All after n steps without trouble.
static char *want_after(uint64_t seed, int n) {
    Kit k;
    open_memory(&k);
    for (int i = 0; i < n; i++) (void)step(&k, seed, i);
    char *text = dump_all(&k);
    kit_close(&k);
    return text;
}

static void expect_state(Kit *k, uint64_t seed, int done, int64_t at) {
    char *got = dump_all(k), *want = want_after(seed, done), *more = want_after(seed, done + 1);
    if (strcmp(got, want) != 0 && strcmp(got, more) != 0) {
        size_t i = 0;
        while (got[i] && got[i] == want[i]) i++;
        i = i > 100 ? i - 100 : 0;
        fail_msg("seed %d, change %d, %d steps acknowledged: %.300s\nexpected %.300s", (int)seed, (int)at, done,
                 got + i, want + i);
    }
    free(got);
    free(want);
    free(more);
}

// ---- power --------------------------------------------------------------------------------------------------------

// Steps until the power goes; how many were acknowledged.
static int run_until_dead(Kit *k, uint64_t seed) {
    for (int i = 0; i < STEPS; i++)
        if (disk_failed(step(k, seed, i))) return i;
    return STEPS;
}

static void power_is_cut(void **state) {
    (void)state;
    int cut = 0;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        TestVfs *disk = test_vfs_new("scenario");
        Rng r = rng_make(seed, 1000);
        Kit k;
        open_disk(&k);
        int64_t at = 1 + (int64_t)rng_below(&r, 90);
        test_vfs_break(disk, TEST_FAULT_POWER, TEST_CHANGE, at, 1);
        int done = run_until_dead(&k, seed);
        cut += done < STEPS;
        kit_close(&k);
        test_vfs_power_on(disk, seed);
        for (int round = 0; round < 2; round++) { // what was made again is kept as it was
            open_disk(&k);
            expect_state(&k, seed, done, at);
            kit_close(&k);
        }
        test_vfs_free(disk);
    }
    print_message("%d of 80 were cut\n", cut);
    assert_true(cut > 30);
}

// ---- full ---------------------------------------------------------------------------------------------------------

static SosiaErr fill_in(Kit *k, const char *world, int n) {
    static char body[9000];
    int at = snprintf(body, sizeof body,
                      "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d},"
                      "{\"op\":\"add\",\"path\":\"/label\",\"value\":\"",
                      n);
    memset(body + at, 'x', 8000);
    memcpy(body + at + 8000, "\"}]", 4);
    return kit_write_in(k, world, SOSIA_TWIN_PATCH, "t0", "", body);
}

static int count_in(Kit *k, const char *world) {
    assert_int_equal(kit_get_in(k, world, SOSIA_GET_TWIN, "t0", ""), SOSIA_OK);
    const char *at = strstr(kit_body(k), "\"count\":");
    return at ? atoi(at + 8) : 0;
}

static void disk_is_full(void **state) {
    (void)state;
    TestVfs *disk = test_vfs_new("scenario");
    Kit k;
    int last[NAMES] = {0}, refused = 0;
    atomic_store(&test_clock, START);
    open_disk(&k);
    kit_models(&k);
    kit_room(&k, "t0");
    for (int i = 1; i < NAMES; i++)
        assert_int_equal(sosia_fork(k.s, NULL, kit_str(name_of((uint64_t)i - 1)), kit_str(name_of((uint64_t)i))),
                         SOSIA_OK);
    test_vfs_room(disk, test_vfs_used(disk) + 400000);
    for (int n = 1; n < 2000 && refused < 40; n++) {
        SosiaErr err = fill_in(&k, name_of((uint64_t)n), n);
        if (err) assert_int_equal(err, SOSIA_STORAGE_FULL);
        if (err) refused++;
        else last[n % NAMES] = n;
    }
    assert_true(refused >= 40);
    for (int i = 0; i < NAMES; i++) assert_int_equal(count_in(&k, name_of((uint64_t)i)), last[i]);
    test_vfs_room(disk, 0);
    for (int i = 0; i < NAMES; i++) {
        assert_int_equal(fill_in(&k, name_of((uint64_t)i), 5000 + i), SOSIA_OK);
        assert_int_equal(fill_in(&k, name_of((uint64_t)i), 6000 + i), SOSIA_OK);
    }
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("d"), kit_str("e")), SOSIA_OK);
    char *before = dump_all(&k);
    kit_close(&k);
    open_disk(&k);
    char *after = dump_all(&k);
    assert_string_equal(before, after);
    assert_int_equal(count_in(&k, "e"), 6004);
    free(before);
    free(after);
    kit_close(&k);
    test_vfs_free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_is_cut),
        cmocka_unit_test(disk_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
