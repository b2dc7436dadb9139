// SPDX-License-Identifier: Apache-2.0
// Forks share graph, plans, symbols and columns that nobody writes: each goes its way on a thread of its own, and what
// comes out is what one thread would have made.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/thread.h"
#include "sim/test_sim.h"

enum { FORKS = 6, UNITS = 8 };

static void ok(Err e) { assert_int_equal(e, ERR_OK); }

static SimBind whole(uint32_t column) { return (SimBind){.column = column}; }

// Gathered, not started.
static Sim *begin(TestSim *t) {
    static const ToySum sum = {2, 1, 0};
    Sim *s = sim_new(&(SimOpen){.graph = t->g, .epoch_ns = TEST_SIM_EPOCH, .seed = 3, .lanes = 1});
#define C(f) whole(test_column(t, s, f))
    SimBind tick[] = {C(UNIT_PERIOD), C(UNIT_COUNT)}, desk[] = {C(UNIT_QUEUE), C(UNIT_ON)};
    SimBind ball[] = {C(UNIT_HEIGHT), C(UNIT_VELOCITY), C(UNIT_BOUNCES)};
    SimBind add[] = {C(UNIT_COUNT), C(UNIT_QUEUE), C(UNIT_SUM)};
    (void)C(UNIT_TAG);
#undef C
    ok(sim_add(s, &(SimEngine){.engine = &toy_tick, .roles = tick, .role_count = 2}, NULL));
    ok(sim_add(s, &(SimEngine){.engine = &toy_queue, .roles = desk, .role_count = 2}, NULL));
    ok(sim_add(s, &(SimEngine){.engine = &toy_ball, .roles = ball, .role_count = 3}, NULL));
    ok(sim_add(s, &(SimEngine){.engine = &toy_sum, .roles = add, .role_count = 3, .config = &sum}, NULL));
    test_gather(t, s, 1);
    return s;
}

static Sim *start(TestSim *t) {
    Sim *s = begin(t);
    ok(sim_start(s, NULL));
    return s;
}

typedef struct Way {
    TestSim *t;
    Sim *s; // NULL: a replica of
    const Sim *ready;
    uint32_t number;
    Err err;
} Way;

// Inputs to columns that were shared until now, a new symbol, a fork of the fork.
static void *go(void *arg) {
    Way *w = arg;
    if (w->ready) {
        w->s = sim_replica(w->ready, &(uint64_t){w->number});
        w->err = sim_start(w->s, NULL);
        if (w->err != ERR_OK) return NULL;
    }
    uint32_t on = test_column(w->t, w->s, UNIT_ON), tag = test_column(w->t, w->s, UNIT_TAG);
    char text[16] = {'f', (char)('0' + w->number)};
    sim_input(w->s, 2, 0, on, w->number % UNITS, 1, 0);
    sim_input(w->s, 3, 0, tag, 1, 1, sim_symbol(w->s, str_of(text)));
    w->err = sim_run(w->s, 6, 0, NULL, NULL, NULL);
    Sim *f = sim_fork(w->s);
    sim_free(w->s);
    w->s = f;
    if (w->err == ERR_OK) w->err = sim_run(f, 12, 0, NULL, NULL, NULL);
    return NULL;
}

static void test_forks_on_threads(void **state) {
    (void)state;
    TestSim t;
    Thread thread[FORKS] = {0};
    Way alone[FORKS], together[FORKS];
    uint64_t hash[FORKS];
    test_sim_open(&t, UNITS, 2);
    Sim *s = start(&t);
    ok(sim_run(s, 1, 0, NULL, NULL, NULL));
    for (uint32_t i = 0; i < FORKS; i++) {
        alone[i] = (Way){.t = &t, .s = sim_fork(s), .number = i};
        go(&alone[i]);
        hash[i] = sim_hash(alone[i].s);
        sim_free(alone[i].s);
        for (uint32_t k = 0; k < i; k++) assert_true(hash[k] != hash[i]);
    }
    for (uint32_t i = 0; i < FORKS; i++) together[i] = (Way){.t = &t, .s = sim_fork(s), .number = i};
    for (uint32_t i = 0; i < FORKS; i++) ok(thread_start(&thread[i], "fork", go, &together[i]));
    sim_free(s); // the first to go
    for (uint32_t i = 0; i < FORKS; i++) {
        thread_join(&thread[i]);
        ok(together[i].err);
        assert_true(sim_hash(together[i].s) == hash[i]);
        sim_free(together[i].s);
    }
    test_sim_close(&t);
}

static void test_replicas_on_threads(void **state) {
    (void)state;
    TestSim t;
    Thread thread[FORKS] = {0};
    Way alone[FORKS], together[FORKS];
    uint64_t hash[FORKS];
    test_sim_open(&t, UNITS, 4);
    Sim *ready = begin(&t);
    ok(sim_ready(ready, NULL));
    for (uint32_t i = 0; i < FORKS; i++) {
        alone[i] = (Way){.t = &t, .ready = ready, .number = i};
        go(&alone[i]);
        ok(alone[i].err);
        hash[i] = sim_hash(alone[i].s);
        sim_free(alone[i].s);
        for (uint32_t k = 0; k < i; k++) assert_true(hash[k] != hash[i]);
    }
    for (uint32_t i = 0; i < FORKS; i++) {
        together[i] = (Way){.t = &t, .ready = ready, .number = i};
        ok(thread_start(&thread[i], "replica", go, &together[i]));
    }
    for (uint32_t i = 0; i < FORKS; i++) {
        thread_join(&thread[i]);
        ok(together[i].err);
        assert_true(sim_hash(together[i].s) == hash[i]);
        sim_free(together[i].s);
    }
    sim_free(ready);
    test_sim_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forks_on_threads),
                                       cmocka_unit_test(test_replicas_on_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
