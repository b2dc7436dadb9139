// SPDX-License-Identifier: Apache-2.0
// The pool of questions: every part is done once, nobody waits for a thread that never comes, small jobs pass large
// ones, and ending it loses nothing.
// LABELS: threads
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/thread.h"
#include "engine/query_desk.h"

static _Atomic int64_t watch;
static _Atomic int64_t idles;

static void on_idle(void *ctx) {
    (void)ctx;
    atomic_fetch_add(&idles, 1);
}

static Pool *start(int32_t threads) {
    Pool *p;
    assert_int_equal(pool_start(threads, on_idle, NULL, &watch, &p), ERR_OK);
    return p;
}

// ---- parts --------------------------------------------------------------------------------------------------------

enum { PARTS = 20000, USERS = 6 };

typedef struct Marks {
    _Atomic uint8_t done[PARTS];
    _Atomic int64_t sum;
} Marks;

static void mark(void *arg, int32_t i) {
    Marks *m = arg;
    atomic_fetch_add(&m->done[i], 1);
    atomic_fetch_add(&m->sum, i);
}

static void check_marks(const Marks *m, int32_t n) {
    for (int32_t i = 0; i < n; i++) assert_int_equal(atomic_load(&m->done[i]), 1);
    assert_int_equal(atomic_load(&m->sum), (int64_t)n * (n - 1) / 2);
}

static void test_each_part_once(void **state) {
    (void)state;
    static const int32_t counts[] = {0, 1, 2, 3, 100, PARTS};
    for (int32_t threads = 1; threads <= 4; threads++) {
        Pool *p = start(threads);
        const QueryCrew *crew = pool_crew(p);
        assert_int_equal(crew->threads, threads);
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            static Marks m;
            memset(&m, 0, sizeof m);
            crew->run(crew->ctx, counts[k], mark, &m);
            check_marks(&m, counts[k]);
        }
        pool_free(p);
    }
}

typedef struct User {
    pthread_t thread;
    Pool *pool;
    Marks marks;
} User;

static void *use(void *arg) {
    User *u = arg;
    const QueryCrew *crew = pool_crew(u->pool);
    for (int round = 0; round < 20; round++) {
        memset(&u->marks, 0, sizeof u->marks);
        crew->run(crew->ctx, 500, mark, &u->marks);
        check_marks(&u->marks, 500);
    }
    return NULL;
}

// More callers than threads, at the same time.
static void test_many_callers(void **state) {
    (void)state;
    static User users[USERS];
    Pool *p = start(3);
    for (int i = 0; i < USERS; i++) {
        users[i].pool = p;
        assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < USERS; i++) pthread_join(users[i].thread, NULL);
    pool_free(p);
}

// ---- jobs ---------------------------------------------------------------------------------------------------------

typedef struct Errand {
    Job job;
    Pool *pool;
    _Atomic int32_t *begun, *done; // of all
    _Atomic bool *go;              // waited for; NULL: at once
    Marks *marks;                  // parts to be done; NULL: none
} Errand;

static void await(const _Atomic bool *go) {
    while (!atomic_load(go)) thread_sleep_ns(NS_PER_MS / 10);
}

static void run_errand(Job *j) {
    Errand *e = (Errand *)j;
    atomic_fetch_add(e->begun, 1);
    if (e->go) await(e->go);
    const QueryCrew *crew = pool_crew(e->pool);
    if (e->marks) crew->run(crew->ctx, 1000, mark, e->marks);
    atomic_fetch_add(e->done, 1);
}

static void await_count(const _Atomic int32_t *count, int32_t n) {
    while (atomic_load(count) < n) thread_sleep_ns(NS_PER_MS / 10);
}

// Every thread is busy with a job that wants help: each does its parts alone.
static void test_no_deadlock(void **state) {
    (void)state;
    enum { N = 4 };
    static Marks marks[N];
    Pool *p = start(N);
    _Atomic int32_t begun = 0, done = 0;
    _Atomic bool go = false;
    Errand e[N];
    for (int i = 0; i < N; i++) {
        memset(&marks[i], 0, sizeof marks[i]);
        e[i] = (Errand){{.run = run_errand}, p, &begun, &done, &go, &marks[i]};
        assert_true(pool_push(p, &e[i].job, false));
    }
    await_count(&begun, N);
    atomic_store(&go, true);
    await_count(&done, N);
    for (int i = 0; i < N; i++) check_marks(&marks[i], 1000);
    pool_free(p);
}

// Large jobs leave one thread to the small ones.
static void test_small_pass_large(void **state) {
    (void)state;
    enum { LARGE = 6, SMALL = 20 };
    Pool *p = start(3);
    _Atomic int32_t begun = 0, done = 0, small = 0, ignored = 0;
    _Atomic bool go = false;
    Errand large[LARGE], e[SMALL];
    for (int i = 0; i < LARGE; i++) {
        large[i] = (Errand){{.run = run_errand, .large = true}, p, &begun, &done, &go, NULL};
        assert_true(pool_push(p, &large[i].job, false));
    }
    await_count(&begun, 2);
    for (int i = 0; i < SMALL; i++) {
        e[i] = (Errand){{.run = run_errand}, p, &ignored, &small, NULL, NULL};
        assert_true(pool_push(p, &e[i].job, false));
    }
    await_count(&small, SMALL); // while two large ones stand and four wait
    assert_int_equal(atomic_load(&begun), 2);
    atomic_store(&go, true);
    await_count(&done, LARGE);
    pool_free(p);
}

static _Atomic bool small_done;
static _Atomic int32_t waited;

// A part that is worth a wait, unless the small job was done.
static void slow_part(void *arg, int32_t i) {
    (void)arg, (void)i;
    if (atomic_load(&small_done)) return;
    atomic_fetch_add(&waited, 1);
    thread_sleep_ns(NS_PER_MS);
}

static void note_small(Job *j) {
    (void)j;
    atomic_store(&small_done, true);
}

static Job small_job;

static const QueryCrew *crew_of(const Errand *e) { return pool_crew(e->pool); }

static void push_and_work(Job *j) {
    Errand *e = (Errand *)j;
    small_job = (Job){.run = note_small};
    assert_true(pool_push(e->pool, &small_job, false));
    const QueryCrew *crew = pool_crew(e->pool);
    crew->run(crew->ctx, 5000, slow_part, NULL);
    atomic_fetch_add(e->done, 1);
}

// A thread that helps leaves for a small job instead of helping to the end.
static void test_helpers_leave(void **state) {
    (void)state;
    Pool *p = start(2);
    _Atomic int32_t done = 0;
    Errand e = {{.run = push_and_work, .large = true}, p, NULL, &done, NULL, NULL};
    atomic_store(&small_done, false);
    assert_true(pool_push(p, &e.job, false));
    await_count(&done, 1);
    assert_true(atomic_load(&small_done));
    assert_true(atomic_load(&waited) < 5000);
    pool_free(p);
}

// A part that goes on until it is wanted elsewhere; the first one until the small job was done.
static void long_part(void *arg, int32_t i) {
    const QueryCrew *crew = arg;
    if (i) atomic_fetch_add(&waited, 1);
    else
        while (!atomic_load(&waited)) thread_sleep_ns(NS_PER_MS / 10);
    while (i ? !crew->wanted(crew->ctx) : !atomic_load(&small_done)) thread_sleep_ns(NS_PER_MS / 10);
}

static void work_for_long(Job *j) {
    Errand *e = (Errand *)j;
    crew_of(e)->run(crew_of(e)->ctx, 2, long_part, (void *)(uintptr_t)crew_of(e));
    atomic_fetch_add(e->done, 1);
}

// A thread that helps with a part without an end is told when a small job waits; who asked for help has the first part.
static void test_long_parts_are_left(void **state) {
    (void)state;
    Pool *p = start(2);
    _Atomic int32_t done = 0;
    Errand e = {{.run = work_for_long, .large = true}, p, NULL, &done, NULL, NULL};
    atomic_store(&small_done, false);
    atomic_store(&waited, 0);
    assert_true(pool_push(p, &e.job, false));
    while (!atomic_load(&waited)) thread_sleep_ns(NS_PER_MS / 10);
    small_job = (Job){.run = note_small};
    assert_true(pool_push(p, &small_job, false));
    await_count(&done, 1);
    pool_free(p);
}

// A full queue refuses, but not what must be taken; ending the pool runs all that waits.
static void test_full_and_end(void **state) {
    (void)state;
    static Errand e[QUERY_QUEUE_MAX + 3];
    for (int large = 0; large < 2; large++) {
        Pool *p = start(2);
        _Atomic int32_t begun = 0, done = 0, taken = 0;
        _Atomic bool go = false;
        for (int i = 0; i < QUERY_QUEUE_MAX + 3; i++) {
            e[i] = (Errand){{.run = run_errand, .large = large}, p, &begun, &done, &go, NULL};
            if (i < 2 - large) {
                assert_true(pool_push(p, &e[i].job, false));
                await_count(&begun, i + 1);
                taken++;
            } else if (pool_push(p, &e[i].job, false)) {
                taken++;
            }
        }
        assert_int_equal(taken, QUERY_QUEUE_MAX + 2 - large);
        assert_int_equal(pool_waiting(p), QUERY_QUEUE_MAX);
        Errand last = {{.run = run_errand}, p, &begun, &done, &go, NULL};
        assert_true(pool_push(p, &last.job, true));
        atomic_store(&go, true);
        pool_free(p);
        assert_int_equal(done, taken + 1);
    }
}

static _Atomic bool enough;

// Takes its own place again: the thread is never idle.
static void go_round(Job *j) {
    Errand *e = (Errand *)j;
    thread_sleep_ns(NS_PER_MS);
    if (atomic_load(&enough)) atomic_fetch_add(e->done, 1);
    else pool_push(e->pool, j, true);
}

// `idle` is called while there is no time for it, too.
static void test_idle_when_busy(void **state) {
    (void)state;
    Pool *p = start(1);
    _Atomic int32_t done = 0;
    Errand e = {{.run = go_round}, p, NULL, &done, NULL, NULL};
    int64_t before = atomic_load(&idles);
    atomic_store(&enough, false);
    atomic_store(&watch, 1);
    assert_true(pool_push(p, &e.job, false));
    while (atomic_load(&idles) < before + 2) thread_sleep_ns(NS_PER_MS);
    atomic_store(&enough, true);
    await_count(&done, 1);
    atomic_store(&watch, 0);
    pool_free(p);
}

// A thread with nothing to do calls `idle`, as long as there is something to watch.
static void test_idle(void **state) {
    (void)state;
    Pool *p = start(1);
    atomic_store(&watch, 1);
    pool_wake(p);
    while (!atomic_load(&idles)) {
        pool_wake(p); // it may not have been asleep yet
        thread_sleep_ns(QUERY_SWEEP_NS + NS_PER_S / 2);
    }
    atomic_store(&watch, 0);
    pool_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_part_once), cmocka_unit_test(test_many_callers),
        cmocka_unit_test(test_no_deadlock),    cmocka_unit_test(test_small_pass_large),
        cmocka_unit_test(test_helpers_leave),  cmocka_unit_test(test_full_and_end),
        cmocka_unit_test(test_idle),           cmocka_unit_test(test_long_parts_are_left),
        cmocka_unit_test(test_idle_when_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
