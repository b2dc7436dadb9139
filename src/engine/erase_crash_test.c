// SPDX-License-Identifier: Apache-2.0
// The power goes, or the disk is full, at some write of an erasure: at the next start, or when there is space, it goes
// on and ends with a receipt, and then nothing of it is in the file. Others are told of as before.
//
//   SOSIA_ERASE_CRASHES=n  how many moments        SOSIA_SEED=n  the first
#include <math.h>
#include "base/mem.h"
#include "engine/test_erase.h"
#include "store/test_vfs.h"

#define VFS "erasing"
#define FILE_NAME "plant.sosia"

typedef struct Scene {
    TestVfs *disk;
    Kit k;
    int64_t at[2];
    char *others;
} Scene;

static int env(const char *name, int otherwise) {
    const char *v = getenv(name);
    return v ? atoi(v) : otherwise;
}

static void open_scene(Scene *x) {
    kit_open(&x->k, &(SosiaOpen){.path = kit_str(FILE_NAME),
                                 .vfs = VFS,
                                 .checkpoint_interval_ns = -1,
                                 .now = test_now,
                                 .history_head_bytes = 40000});
}

static void set_some(Kit *k, int i) {
    char body[200];
    snprintf(body, sizeof body,
             "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"hush-hush number %d\"},"
             "{\"op\":\"add\",\"path\":\"/temperature\",\"value\":4242.125}]",
             i);
    kit_do(k, SOSIA_TWIN_PATCH, "hush-twin", "", body);
    snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"a neighbour's number %d\"}]", i);
    kit_do(k, SOSIA_TWIN_PATCH, "neighbour", "", body);
}

static void begin(Scene *x) {
    *x = (Scene){.disk = test_vfs_new(VFS)};
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    open_scene(x);
    kit_models(&x->k);
    kit_room(&x->k, "neighbour");
    kit_room(&x->k, "hush-twin");
    for (int i = 0; i < 15; i++) set_some(&x->k, i);
    kit_do(&x->k, SOSIA_LINK_PUT, "neighbour", "hush-back",
           "{\"$relationshipName\":\"near\",\"$targetId\":\"hush-twin\"}");
    kit_close(&x->k); // blocks, a root
    open_scene(x);
    x->at[0] = test_now(NULL);
    for (int i = 0; i < 15; i++) set_some(&x->k, i);
    x->at[1] = test_now(NULL);
    x->others = told_of(&x->k, "neighbour", NULL, 0);
}

static void end(Scene *x) {
    kit_close(&x->k);
    test_vfs_free(x->disk);
    free(x->others);
}

static void no_trace(Scene *x, const char *name, int moment) {
    const Buf *b = test_vfs_file(x->disk, name);
    double v = SECRET;
    if (!b || !b->n) return;
    if (memmem(b->p, (size_t)b->n, "hush", 4)) fail_msg("moment %d: the name is in %s", moment, name);
    if (memmem(b->p, (size_t)b->n, &v, sizeof v)) fail_msg("moment %d: the value is in %s", moment, name);
}

static bool is_pending(Kit *k) {
    assert_int_equal(sosia_erasures(k->s, NULL, kit_str(""), &k->out), SOSIA_OK);
    return !strstr(kit_body(k), "\"pending\":[]");
}

static void wait_until_done(Scene *x) {
    while (is_pending(&x->k)) thread_sleep_ns(NS_PER_MS);
}

// Links of the neighbour went with the twin: only its own values are compared.
static const char *values_of(char *told) {
    char *history = strstr(told, "{\"value\":[{\"time\"");
    return history ? history : told;
}

static void check_done(Scene *x, int moment) {
    Receipt r;
    wait_until_done(x);
    bool receipt = strstr(kit_body(&x->k), "\"kind\":\"twin\"") != NULL;
    if (!receipt) { // the power went before it was noted
        assert_int_equal(erase(&x->k, "hush-twin", "", &r), SOSIA_OK);
    }
    assert_int_equal(erase(&x->k, "hush-twin", "", &r), SOSIA_TWIN_NOT_FOUND);
    char *told = told_of(&x->k, "hush-twin", x->at, 2);
    if (strstr(told, "hush-hush") || strstr(told, "4242") || strstr(told, "OK"))
        fail_msg("moment %d: %s", moment, told);
    free(told);
    told = told_of(&x->k, "neighbour", NULL, 0);
    assert_string_equal(values_of(told), values_of(x->others));
    free(told);
    kit_close(&x->k);
    no_trace(x, FILE_NAME, moment);
    no_trace(x, FILE_NAME "-wal", moment);
    open_scene(x);
}

// An erasure until it has ended or the power has gone. True: it has ended.
static bool erase_until_dark(Scene *x, Receipt *r) {
    *r = (Receipt){.err = SOSIA_OK};
    SosiaErr err = sosia_erase(x->k.s, NULL, kit_str("hush-twin"), kit_str(""), on_receipt, r);
    assert_int_equal(err, SOSIA_OK);
    while (!atomic_load(&r->ended) && !test_vfs_dead(x->disk)) thread_sleep_ns(NS_PER_MS / 4);
    return atomic_load(&r->ended);
}

static int64_t changes_of_an_erasure(void) {
    Scene x;
    Receipt r;
    begin(&x);
    test_vfs_break(x.disk, TEST_FAULT_NONE, TEST_CHANGE, 0, 0);
    assert_true(erase_until_dark(&x, &r));
    assert_int_equal(r.err, SOSIA_OK);
    int64_t n = test_vfs_count(x.disk);
    test_vfs_break(x.disk, TEST_FAULT_NONE, 0, 0, 0);
    check_done(&x, 0);
    end(&x);
    return n;
}

static void the_power_goes(void **state) {
    (void)state;
    int64_t all = changes_of_an_erasure();
    int moments = env("SOSIA_ERASE_CRASHES", 24), first = env("SOSIA_SEED", 0), dark = 0;
    assert_true(all > 100);
    for (int i = first; i < first + moments; i++) {
        Scene x;
        Receipt r;
        begin(&x);
        int64_t at = 1 + all * (i % moments) / moments + i / moments;
        test_vfs_break(x.disk, TEST_FAULT_POWER, TEST_CHANGE, at, 1);
        (void)erase_until_dark(&x, &r);
        kit_close(&x.k);
        dark += test_vfs_dead(x.disk);
        test_vfs_break(x.disk, TEST_FAULT_NONE, 0, 0, 0);
        if (test_vfs_dead(x.disk)) test_vfs_power_on(x.disk, (uint64_t)i);
        open_scene(&x);
        check_done(&x, (int)at);
        end(&x);
    }
    assert_true(dark > moments / 2);
}

// It is closed at some moment and opened again, several times: whoever waits is told.
static void it_is_closed_meanwhile(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        Scene x;
        Receipt r = {.err = SOSIA_OK};
        begin(&x);
        assert_int_equal(sosia_erase(x.k.s, NULL, kit_str("hush-twin"), kit_str(""), on_receipt, &r), SOSIA_OK);
        int64_t before = test_vfs_count(x.disk);
        test_vfs_break(x.disk, TEST_FAULT_NONE, TEST_CHANGE, 0, 0);
        while (test_vfs_count(x.disk) - before < i * 25 && !atomic_load(&r.ended)) thread_sleep_ns(NS_PER_MS / 4);
        kit_close(&x.k);
        assert_true(atomic_load(&r.ended));
        assert_true(r.err == SOSIA_OK || r.err == SOSIA_CLOSED);
        open_scene(&x);
        check_done(&x, i);
        end(&x);
    }
}

// Some writes fail: whoever waits is told so, and it is done at the next open, or was done all the same.
static void the_disk_fails(void **state) {
    (void)state;
    int64_t all = changes_of_an_erasure();
    int failed = 0;
    for (int i = 0; i < 10; i++) {
        Scene x;
        Receipt r;
        begin(&x);
        TestFault fault = i % 2 ? TEST_FAULT_FULL : TEST_FAULT_IO;
        test_vfs_break(x.disk, fault, i % 2 ? TEST_WRITE : TEST_CHANGE, 1 + all * i / 10, 3);
        assert_true(erase_until_dark(&x, &r)); // a checkpoint that fails is made again
        failed += r.err != SOSIA_OK;
        assert_true(r.err == SOSIA_OK || r.err == SOSIA_STORAGE || r.err == SOSIA_STORAGE_FULL);
        test_vfs_break(x.disk, TEST_FAULT_NONE, 0, 0, 0);
        kit_close(&x.k);
        open_scene(&x);
        check_done(&x, i);
        end(&x);
    }
    assert_true(failed > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_power_goes),
        cmocka_unit_test(it_is_closed_meanwhile),
        cmocka_unit_test(the_disk_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
