// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include "base/thread.h"
#include "base/time.h"

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 20000 };

static Queue queue;
static char items[PRODUCERS][EACH];
static _Atomic int taken[PRODUCERS][EACH];

static void *produce(void *arg) {
    char *mine = arg;
    for (int i = 0; i < EACH; i++) {
        if (i % 3 || !queue_try_push(&queue, mine + i)) assert_true(queue_push(&queue, mine + i));
    }
    return NULL;
}

static void *consume(void *arg) {
    void *out[7];
    const char *last[PRODUCERS] = {0};
    _Atomic bool *in_order = arg;
    for (;;) {
        int64_t n = queue_pop(&queue, out, 7, -1);
        if (n == 0) return NULL;
        for (int64_t i = 0; i < n; i++) {
            int64_t at = (const char *)out[i] - items[0];
            taken[at / EACH][at % EACH]++;
            if ((const char *)out[i] < last[at / EACH]) *in_order = false; // of one producer, first in first out
            last[at / EACH] = out[i];
        }
    }
}

// Everything pushed is popped once, in order of each producer, through a queue much smaller than the load.
static void many_producers_and_consumers(void **state) {
    (void)state;
    Thread p[PRODUCERS], c[CONSUMERS];
    _Atomic bool in_order = true;
    queue_init(&queue, 16);
    for (int i = 0; i < CONSUMERS; i++) assert_int_equal(thread_start(&c[i], "consumer", consume, &in_order), ERR_OK);
    for (int i = 0; i < PRODUCERS; i++) assert_int_equal(thread_start(&p[i], "producer", produce, items[i]), ERR_OK);
    for (int i = 0; i < PRODUCERS; i++) thread_join(&p[i]);
    queue_close(&queue);
    for (int i = 0; i < CONSUMERS; i++) thread_join(&c[i]);
    assert_true(in_order);
    for (int k = 0; k < PRODUCERS; k++) {
        for (int i = 0; i < EACH; i++) assert_int_equal(taken[k][i], 1);
    }
    queue_free(&queue);
}

static void bounds_and_close(void **state) {
    (void)state;
    Queue q;
    void *out[4];
    char a, b, c;
    queue_init(&q, 2);
    assert_int_equal(queue_pop(&q, out, 4, 0), 0);
    int64_t start = time_mono_ns();
    assert_int_equal(queue_pop(&q, out, 4, 30 * NS_PER_MS), 0);
    assert_true(time_mono_ns() - start >= 30 * NS_PER_MS);
    assert_true(queue_try_push(&q, &a) && queue_try_push(&q, &b) && !queue_try_push(&q, &c));
    assert_int_equal(queue_count(&q), 2);
    assert_int_equal(queue_pop(&q, out, 1, -1), 1);
    assert_ptr_equal(out[0], &a);
    assert_true(queue_push(&q, &c));
    queue_close(&q);
    assert_false(queue_try_push(&q, &a) || queue_push(&q, &a));
    assert_int_equal(queue_pop(&q, out, 4, -1), 2); // what was in it is drained
    assert_true(out[0] == &b && out[1] == &c);
    assert_int_equal(queue_pop(&q, out, 4, -1), 0);
    queue_free(&q);
}

static void *push_one(void *arg) { return queue_push(arg, arg) ? arg : NULL; }

// A thread that waits for room wakes up when the queue is closed, and its item is refused.
static void close_wakes_a_waiting_push(void **state) {
    (void)state;
    Queue q;
    void *out;
    queue_init(&q, 1);
    assert_true(queue_push(&q, &q));
    Thread t;
    assert_int_equal(thread_start(&t, "a name longer than 15 bytes", push_one, &q), ERR_OK);
    thread_sleep_ns(20 * NS_PER_MS);
    queue_close(&q);
    thread_join(&t);
    thread_join(&t); // once more is fine
    assert_int_equal(queue_pop(&q, &out, 1, 0), 1);
    assert_int_equal(queue_pop(&q, &out, 1, 0), 0);
    queue_free(&q);
}

static void *pop_patiently(void *arg) {
    void *out = NULL;
    return queue_pop(arg, &out, 1, INT64_MAX) == 1 ? out : NULL;
}

// The longest wait there is lies beyond the clock's end: it waits, and does not return at once.
static void the_longest_wait_waits(void **state) {
    (void)state;
    Queue q;
    void *got;
    pthread_t id;
    queue_init(&q, 1);
    assert_int_equal(pthread_create(&id, NULL, pop_patiently, &q), 0);
    thread_sleep_ns(20 * NS_PER_MS);
    assert_true(queue_push(&q, &q));
    pthread_join(id, &got);
    assert_ptr_equal(got, &q);
    queue_free(&q);
}

static void *mask(void *arg) {
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

static void threads_take_no_signals(void **state) {
    (void)state;
    sigset_t inside, outside;
    Thread t;
    assert_int_equal(thread_start(&t, "mask", mask, &inside), ERR_OK);
    thread_join(&t);
    pthread_sigmask(SIG_SETMASK, NULL, &outside);
    assert_true(sigismember(&inside, SIGTERM) && sigismember(&inside, SIGINT) && !sigismember(&outside, SIGTERM));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_producers_and_consumers), cmocka_unit_test(bounds_and_close),
        cmocka_unit_test(close_wakes_a_waiting_push),   cmocka_unit_test(the_longest_wait_waits),
        cmocka_unit_test(threads_take_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
