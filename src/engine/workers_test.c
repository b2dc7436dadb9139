// SPDX-License-Identifier: Apache-2.0
// Large bodies are parsed beside the caller: nothing is lost or done twice, a full pool says so, close waits for them.
#include "engine/test_kit.h"
#include <stdatomic.h>
#include "base/buf.h"
#include "base/thread.h"
#include "base/time.h"

enum { BODIES = 40, LINES = 20000, TWINS = 50 };

typedef struct Tally {
    _Atomic int64_t done, failed, accepted;
} Tally;

// {"accepted":n,...}
static int64_t accepted_of(SosiaStr body) {
    int64_t n = 0;
    for (int64_t i = 0; i < body.n; i++) {
        if (body.p[i] >= '0' && body.p[i] <= '9') n = n * 10 + body.p[i] - '0';
        else if (n || body.p[i] == ',') break;
    }
    return n;
}

static void on_done(void *arg, const SosiaDone *d) {
    Tally *t = arg;
    if (d->err) atomic_fetch_add(&t->failed, 1);
    else atomic_fetch_add(&t->accepted, accepted_of(d->body));
    atomic_fetch_add(&t->done, 1);
}

static void open_rooms(Kit *k) {
    kit_open(k, &(SosiaOpen){0});
    kit_models(k);
    for (int i = 0; i < TWINS; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        kit_room(k, id);
    }
}

static Buf large_body(int lines) {
    Buf b = {0};
    for (int i = 0; i < lines; i++)
        buf_printf(&b, "{\"id\":\"r%d\",\"property\":\"temperature\",\"value\":%d.5}\n", i % TWINS, i);
    return b;
}

static SosiaErr send(Kit *k, SosiaStr body, Tally *t) {
    SosiaWrite w = {.op = SOSIA_INGEST, .body = body};
    return sosia_write(k->s, NULL, &w, on_done, t);
}

// Every line of every body that was taken is applied, exactly once.
static void test_all_done_once(void **state) {
    (void)state;
    Kit k;
    Tally t = {0};
    open_rooms(&k);
    Buf body = large_body(LINES);
    int64_t taken = 0;
    for (int i = 0; i < BODIES; i++) {
        SosiaErr err = send(&k, (SosiaStr){body.p, body.n}, &t);
        assert_true(err == SOSIA_OK || err == SOSIA_BUSY);
        taken += err == SOSIA_OK;
    }
    assert_true(taken > 0);
    kit_close(&k); // waits for what was taken
    assert_int_equal(atomic_load(&t.done), taken);
    assert_int_equal(atomic_load(&t.failed), 0);
    assert_int_equal(atomic_load(&t.accepted), taken * LINES);
    buf_free(&body);
}

// More bodies than the pool holds are refused at once, and what was refused leaves nothing behind.
static void test_full_pool(void **state) {
    (void)state;
    Kit k;
    Tally t = {0};
    open_rooms(&k);
    Buf body = large_body(LINES);
    int64_t taken = 0, busy = 0;
    for (int i = 0; i < 4000 && !busy; i++) {
        SosiaErr err = send(&k, (SosiaStr){body.p, body.n}, &t);
        taken += err == SOSIA_OK;
        busy += err == SOSIA_BUSY;
    }
    assert_int_equal(busy, 1);
    kit_close(&k);
    assert_int_equal(atomic_load(&t.done), taken);
    assert_int_equal(atomic_load(&t.accepted), taken * LINES);
    buf_free(&body);
}

// What this thread has worked so far: the time of others on a busy machine does not count.
static int64_t work_ns(void) {
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

// The caller's thread only copies a large body: a small write behind it is not held up by its parsing.
static void test_caller_is_free(void **state) {
    (void)state;
    Kit k;
    Tally t = {0};
    open_rooms(&k);
    Buf body = large_body(10 * LINES);
    SosiaWrite w = {.op = SOSIA_INGEST, .body = {body.p, body.n}};
    int64_t start = work_ns();
    assert_int_equal(sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep), SOSIA_OK); // parses here: the yardstick
    int64_t whole = work_ns() - start, best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        start = work_ns();
        assert_int_equal(send(&k, (SosiaStr){body.p, body.n}, &t), SOSIA_OK);
        int64_t took = work_ns() - start;
        if (took < best) best = took;
    }
    assert_true(best < whole / 2);
    buf_free(&body);
    kit_close(&k);
}

// A large body that is no JSON fails through its callback, with the place.
static void test_bad_body(void **state) {
    (void)state;
    Kit k;
    Tally t = {0};
    open_rooms(&k);
    Buf body = {0};
    for (int i = 0; i < 100000; i++) buf_byte(&body, '[');
    SosiaWrite w = {.op = SOSIA_MODELS_ADD, .body = {body.p, body.n}};
    assert_int_equal(sosia_write(k.s, NULL, &w, on_done, &t), SOSIA_OK);
    for (int i = 0; i < 6000 && !atomic_load(&t.done); i++) thread_sleep_ns(10 * NS_PER_MS);
    assert_int_equal(atomic_load(&t.failed), 1);
    buf_free(&body);
    kit_close(&k);
}

// Send until it is taken.
static void send_surely(Kit *k, SosiaStr body, Tally *t) {
    SosiaErr err;
    while ((err = send(k, body, t)) == SOSIA_BUSY) thread_sleep_ns(NS_PER_MS);
    assert_int_equal(err, SOSIA_OK);
}

// Bodies of one source, large and small in turn, take effect in the order of the calls although two workers parse them.
static void test_order(void **state) {
    (void)state;
    Kit k;
    Tally t = {0};
    open_rooms(&k);
    Buf large = large_body(4 * LINES), middle = large_body(2000);
    for (int round = 1; round <= 12; round++) {
        char small[80];
        int n = snprintf(small, sizeof small, "{\"id\":\"r1\",\"property\":\"temperature\",\"value\":%d}\n", -round);
        send_surely(&k, (SosiaStr){large.p, large.n}, &t);
        send_surely(&k, (SosiaStr){middle.p, middle.n}, &t);
        send_surely(&k, (SosiaStr){small, n}, &t);
        while (atomic_load(&t.done) < 3 * round) thread_sleep_ns(NS_PER_MS / 10);
        char want[40];
        snprintf(want, sizeof want, "\"temperature\":%d,", -round);
        kit_has(kit_get(&k, SOSIA_GET_TWIN, "r1", ""), want);
    }
    buf_free(&large);
    buf_free(&middle);
    kit_close(&k);
    assert_int_equal(atomic_load(&t.failed), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_done_once),  cmocka_unit_test(test_full_pool), cmocka_unit_test(test_order),
        cmocka_unit_test(test_caller_is_free), cmocka_unit_test(test_bad_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
