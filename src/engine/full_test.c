// SPDX-License-Identifier: Apache-2.0
// The disk is full: writes are refused with a clear error and leave nothing behind, reads go on, and when there is
// space again writing resumes by itself. On a disk in memory that tests break on purpose.
#include <pthread.h>
#include <stdatomic.h>
#include "base/thread.h"
#include "base/time.h"
#include "engine/test_kit.h"
#include "store/test_vfs.h"

typedef struct Scene {
    TestVfs *disk;
    Kit k;
} Scene;

static void reopen(Scene *x) {
    kit_open(&x->k, &(SosiaOpen){.path = kit_str("full.sosia"), .vfs = "full", .checkpoint_interval_ns = -1});
}

static void begin(Scene *x) {
    *x = (Scene){.disk = test_vfs_new("full")};
    reopen(x);
    kit_models(&x->k);
    kit_room(&x->k, "a");
}

static void end(Scene *x) {
    kit_close(&x->k);
    test_vfs_free(x->disk);
}

static SosiaErr set_label(Kit *k, char fill, int number) {
    static char body[9000];
    int n = snprintf(body, sizeof body,
                     "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d},"
                     "{\"op\":\"add\",\"path\":\"/label\",\"value\":\"",
                     number);
    memset(body + n, fill, 8000);
    memcpy(body + n + 8000, "\"}]", 4);
    return kit_write(k, SOSIA_TWIN_PATCH, "a", "", body);
}

static int count_of(Kit *k) {
    const char *at = strstr(kit_get(k, SOSIA_GET_TWIN, "a", ""), "\"count\":");
    return at ? atoi(at + 8) : 0;
}

// Fill the disk; returns the number of the last write that was taken.
static int fill_up(Scene *x) {
    test_vfs_room(x->disk, test_vfs_used(x->disk) + 200000);
    for (int i = 1; i < 1000; i++) {
        SosiaErr err = set_label(&x->k, 'x', i);
        if (!err) continue;
        assert_int_equal(err, SOSIA_STORAGE_FULL);
        assert_int_equal(sosia_err_http(err), 507);
        kit_has(kit_message(&x->k), "disk is full");
        return i - 1;
    }
    fail_msg("the disk never filled up");
    return 0;
}

static void wait_for_recovery(Scene *x) {
    for (int i = 0; i < 600; i++) {
        if (strstr(kit_get(&x->k, SOSIA_GET_STATS, "", ""), "\"degraded\":0")) return;
        thread_sleep_ns(100 * NS_PER_MS);
    }
    fail_msg("writing did not resume");
}

static void test_refuse_and_resume(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    int last = fill_up(&x);
    assert_true(last > 0);
    assert_int_equal(count_of(&x.k), last); // what was refused is not seen
    uint64_t seq = x.k.out.seq;
    kit_has(kit_get(&x.k, SOSIA_GET_STATS, "", ""), "\"degraded\":1");
    for (int i = 0; i < 5; i++) assert_int_equal(set_label(&x.k, 'y', 5000), SOSIA_STORAGE_FULL);
    assert_int_equal(count_of(&x.k), last);
    assert_int_equal(x.k.out.seq, seq);
    test_vfs_room(x.disk, 0);
    wait_for_recovery(&x); // nobody writes meanwhile
    assert_int_equal(set_label(&x.k, 'z', 9000), 0);
    assert_int_equal(x.k.done.seq, seq + 1); // refused writes took no sequence
    assert_int_equal(count_of(&x.k), 9000);
    assert_int_equal(sosia_fork(x.k.s, NULL, kit_str(""), kit_str("f")), 0);
    assert_int_equal(kit_write_in(&x.k, "f", SOSIA_TWIN_DELETE, "a", "", ""), 0);
    char *before = kit_dump(&x.k, "");
    kit_close(&x.k);
    reopen(&x);
    assert_int_equal(kit_get_in(&x.k, "f", SOSIA_GET_TWIN, "a", ""), SOSIA_TWIN_NOT_FOUND);
    char *after = kit_dump(&x.k, "");
    assert_string_equal(before, after);
    free(before);
    free(after);
    end(&x);
}

// A write itself finds that there is space again.
static void test_resume_by_a_write(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    fill_up(&x);
    test_vfs_room(x.disk, 0);
    assert_int_equal(set_label(&x.k, 'z', 9000), 0);
    assert_int_equal(count_of(&x.k), 9000);
    end(&x);
}

// Closed while it is full: what was acknowledged is there at the next start.
static void test_close_while_full(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    int last = fill_up(&x);
    kit_close(&x.k);
    test_vfs_room(x.disk, 0);
    reopen(&x);
    assert_int_equal(count_of(&x.k), last);
    end(&x);
}

// ---- many writers while the disk fills and empties ----------------------------------------------------------------

typedef struct Many {
    _Atomic int64_t ok, full, other, out;
    _Atomic int newest; // highest number acknowledged
} Many;

typedef struct One {
    Many *m;
    int number;
} One;

static void on_done(void *arg, const SosiaDone *d) {
    One *x = arg;
    if (!d->err) {
        atomic_fetch_add(&x->m->ok, 1);
        int now = atomic_load(&x->m->newest);
        while (now < x->number && !atomic_compare_exchange_weak(&x->m->newest, &now, x->number)) {}
    } else if (d->err == SOSIA_STORAGE_FULL) atomic_fetch_add(&x->m->full, 1);
    else atomic_fetch_add(&x->m->other, 1);
    atomic_fetch_sub(&x->m->out, 1);
    free(x);
}

static void patch(Scene *x, Many *m, int number) {
    static char body[2500];
    int n = snprintf(body, sizeof body,
                     "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d},"
                     "{\"op\":\"add\",\"path\":\"/label\",\"value\":\"",
                     number);
    memset(body + n, 'p', 2000);
    memcpy(body + n + 2000, "\"}]", 4);
    SosiaWrite w = {.op = SOSIA_TWIN_PATCH, .id = kit_str("a"), .body = kit_str(body)};
    One *one = malloc(sizeof *one);
    *one = (One){m, number};
    atomic_fetch_add(&m->out, 1);
    assert_int_equal(sosia_write(x->k.s, NULL, &w, on_done, one), 0);
}

static void test_full_under_load(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    Many m = {0};
    int number = 0;
    for (int round = 0; round < 20; round++) {
        test_vfs_room(x.disk, round % 2 ? 0 : test_vfs_used(x.disk) + 100000);
        for (int i = 0; i < 200; i++) patch(&x, &m, ++number);
        while (atomic_load(&m.out) > 0) thread_sleep_ns(NS_PER_MS);
        assert_int_equal(count_of(&x.k), atomic_load(&m.newest));
    }
    assert_int_equal(atomic_load(&m.ok) + atomic_load(&m.full), number);
    assert_true(atomic_load(&m.ok) > 0);
    assert_true(atomic_load(&m.full) > 0);
    int newest = atomic_load(&m.newest);
    kit_close(&x.k);
    reopen(&x);
    assert_int_equal(count_of(&x.k), newest);
    end(&x);
}

// An ingest of many batches is stopped in the middle: what is visible is a prefix, and the same after a restart.
static void test_ingest_stopped(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    test_vfs_room(x.disk, test_vfs_used(x.disk) + 300000);
    KitText body = {0};
    char line[128];
    for (int i = 1; i <= 60000; i++) {
        int n = snprintf(line, sizeof line, "{\"id\":\"a\",\"property\":\"count\",\"value\":%d}\n", i);
        kit_add(&body, line, (size_t)n);
    }
    assert_int_equal(kit_write(&x.k, SOSIA_INGEST, "", "", body.p), SOSIA_STORAGE_FULL);
    int seen = count_of(&x.k);
    assert_true(seen < 60000);
    kit_close(&x.k);
    test_vfs_room(x.disk, 0);
    reopen(&x);
    assert_int_equal(count_of(&x.k), seen);
    kit_do(&x.k, SOSIA_INGEST, "", "", body.p);
    assert_int_equal(count_of(&x.k), 60000);
    free(body.p);
    end(&x);
}

// Writing fails for another reason: another code, the same behaviour.
static void test_broken_disk(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    assert_int_equal(set_label(&x.k, 'a', 1), 0);
    test_vfs_break(x.disk, TEST_FAULT_IO, TEST_WRITE, 1, 3);
    SosiaErr err = set_label(&x.k, 'b', 2);
    assert_int_equal(err, SOSIA_STORAGE);
    assert_int_equal(count_of(&x.k), 1);
    test_vfs_break(x.disk, TEST_FAULT_NONE, 0, 0, 0);
    wait_for_recovery(&x);
    assert_int_equal(set_label(&x.k, 'c', 3), 0);
    assert_int_equal(count_of(&x.k), 3);
    end(&x);
}

// ---- power --------------------------------------------------------------------------------------------------------

// Sets the number in two properties at once.
static void patch_both(Scene *x, Many *m, int number) {
    char body[256];
    snprintf(body, sizeof body,
             "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d},"
             "{\"op\":\"add\",\"path\":\"/label\",\"value\":\"a label of more than twelve bytes %d\"}]",
             number, number);
    SosiaWrite w = {.op = SOSIA_TWIN_PATCH, .id = kit_str("a"), .body = kit_str(body)};
    One *one = malloc(sizeof *one);
    *one = (One){m, number};
    atomic_fetch_add(&m->out, 1);
    assert_int_equal(sosia_write(x->k.s, NULL, &w, on_done, one), 0);
}

// Power fails at any operation of the disk: what was acknowledged is there, whole, and nothing that was never written.
static void test_power_cuts(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    Many first = {0};
    patch_both(&x, &first, 1);
    while (atomic_load(&first.out) > 0) thread_sleep_ns(NS_PER_MS / 50);
    int number = 1, have = 1;
    for (int seed = 1; seed <= 150; seed++) {
        char want[64];
        Many m = {.newest = have};
        test_vfs_break(x.disk, TEST_FAULT_POWER, TEST_CHANGE, 1 + seed * 7 % 60, 1);
        while (!test_vfs_dead(x.disk) && number < 100000) {
            patch_both(&x, &m, ++number);
            while (atomic_load(&m.out) > seed % 8) thread_sleep_ns(NS_PER_MS / 50);
        }
        while (atomic_load(&m.out) > 0) thread_sleep_ns(NS_PER_MS / 50);
        kit_close(&x.k);
        test_vfs_power_on(x.disk, (uint64_t)seed);
        kit_open(&x.k, &(SosiaOpen){.path = kit_str("full.sosia"),
                                    .vfs = "full",
                                    .checkpoint_interval_ns = seed % 3 ? NS_PER_MS : -1});
        have = count_of(&x.k);
        snprintf(want, sizeof want, "a label of more than twelve bytes %d\"", have);
        kit_has(kit_get(&x.k, SOSIA_GET_TWIN, "a", ""), want);
        if (have < atomic_load(&m.newest) || have > number)
            fail_msg("seed %d: %d is there, %d was acknowledged", seed, have, atomic_load(&m.newest));
    }
    assert_true(number > 500); // power lasted long enough to write something
    end(&x);
}

// ---- questions ----------------------------------------------------------------------------------------------------

typedef struct Stubborn {
    pthread_t thread;
    Sosia *s;
    _Atomic bool stop;
    _Atomic int refused;
} Stubborn;

static void *write_in_vain(void *arg) {
    Stubborn *w = arg;
    Kit k = {.s = w->s};
    while (!atomic_load(&w->stop)) {
        if (set_label(&k, 'v', -1) == SOSIA_STORAGE_FULL) atomic_fetch_add(&w->refused, 1);
    }
    kit_free(&k);
    return NULL;
}

static void many_rooms(Kit *k) {
    KitText t = {0};
    char line[160];
    kit_add(&t, "{\"Section\":\"Twins\"}\n", 20);
    for (int i = 0; i < 7000; i++) {
        int n = snprintf(line, sizeof line,
                         "{\"$dtId\":\"m%d\",\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"count\":1,"
                         "\"thermostat\":{\"$metadata\":{}}}\n",
                         i);
        kit_add(&t, line, (size_t)n);
    }
    kit_do(k, SOSIA_IMPORT, "", "", t.p);
    free(t.p);
}

// Questions go on, first pages that need a snapshot too, whoever tries to write meanwhile; none sees a refused write.
static void test_questions_go_on(void **state) {
    (void)state;
    Scene x;
    begin(&x);
    many_rooms(&x.k);
    int last = fill_up(&x);
    Stubborn w = {.s = x.k.s};
    assert_int_equal(pthread_create(&w.thread, NULL, write_in_vain, &w), 0);
    while (!atomic_load(&w.refused)) thread_sleep_ns(NS_PER_MS / 10);
    SosiaAnswer a = {0};
    for (int i = 0; i < 30; i++) {
        SosiaQuery q = {.text = kit_str("SELECT T.$dtId, T.count FROM DIGITALTWINS T"), .limit = 100};
        assert_int_equal(sosia_query(x.k.s, NULL, &q, &a), SOSIA_OK);
        char want[64], token[96];
        snprintf(want, sizeof want, "{\"$dtId\":\"a\",\"count\":%d}", last);
        kit_has(kit_keep(&x.k, (SosiaStr){a.body.p, a.body.n}), want);
        memcpy(token, a.token, sizeof token);
        q = (SosiaQuery){.token = kit_str(token), .limit = 100};
        assert_int_equal(sosia_query(x.k.s, NULL, &q, &a), SOSIA_OK);
        assert_int_equal(a.rows, 100);
    }
    sosia_answer_free(&a);
    kit_has(kit_get(&x.k, SOSIA_GET_STATS, "", ""), "\"degraded\":1");
    atomic_store(&w.stop, true);
    pthread_join(w.thread, NULL);
    end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuse_and_resume), cmocka_unit_test(test_resume_by_a_write),
        cmocka_unit_test(test_close_while_full),  cmocka_unit_test(test_full_under_load),
        cmocka_unit_test(test_ingest_stopped),    cmocka_unit_test(test_broken_disk),
        cmocka_unit_test(test_questions_go_on),   cmocka_unit_test(test_power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
