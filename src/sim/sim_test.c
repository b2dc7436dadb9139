// SPDX-License-Identifier: Apache-2.0
// The clock of a Sim: order of instants, rounds, loops, tolerances, writers, the sink; and that nothing but the model
// decides about a result: not lanes, not the order of adding, not where it was stopped, saved or copied.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/test_sim.h"

static void ok(Err e) { assert_int_equal(e, ERR_OK); }

// ---- a model of all toys -------------------------------------------------------------------------------------------

enum { TOYS = 6 };
static const ToySum SUM = {2, 0.5, 1}, CHAIN = {1, 1, 0};

typedef struct Toys {
    TestSim *t;
    uint16_t lanes;
    uint64_t scenario[SIM_LANES_MAX];
    double output_s;
    int order[TOYS]; // of adding
} Toys;

static SimBind whole(uint32_t column, uint8_t dir) { return (SimBind){.column = column, .dir = dir}; }

static void add(Sim *s, const sim_engine *e, const char *instance, int32_t rank, SimBind *roles, uint32_t n,
                const void *config) {
    Diag d = {0};
    SimEngine x = {
        .engine = e, .instance = str_of(instance), .rank = rank, .roles = roles, .role_count = n, .config = config};
    Err err = sim_add(s, &x, &d);
    if (err != ERR_OK) {
        Buf b = {0};
        diag_print(&d, &b);
        print_message("%.*s\n", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    diag_free(&d);
    ok(err);
}

// rate <- queue's length and ticks (gathered, across units), level, sums of both.
static void add_toy(const Toys *m, Sim *s, int toy) {
    uint32_t n = m->t->units;
    uint32_t *column = mem_alloc(n * sizeof *column), *row = mem_alloc(n * sizeof *row);
#define C(f) test_column(m->t, s, f)
    switch (toy) {
    case 0: add(s, &toy_tick, "", 0, (SimBind[]){whole(C(UNIT_PERIOD), 0), whole(C(UNIT_COUNT), 0)}, 2, NULL); break;
    case 1:
        add(s, &toy_ball, "", 0,
            (SimBind[]){whole(C(UNIT_HEIGHT), 0), whole(C(UNIT_VELOCITY), 0), whole(C(UNIT_BOUNCES), 0)}, 3, NULL);
        break;
    case 2: add(s, &toy_queue, "", 0, (SimBind[]){whole(C(UNIT_QUEUE), 0), whole(C(UNIT_ON), 0)}, 2, NULL); break;
    case 3: // rate = 2 * count of the next unit + 0.5 * queue + 1, in steps of at least 3
        for (uint32_t i = 0; i < n; i++) {
            column[i] = C(UNIT_COUNT);
            row[i] = (i + 1) % n;
        }
        add(s, &toy_sum, "rate", 5,
            (SimBind[]){{.column = UINT32_MAX, .rows = n, .from_column = column, .from_row = row, .dflt = 7, .tol = 3},
                        whole(C(UNIT_QUEUE), 0),
                        whole(C(UNIT_RATE), 0)},
            3, &SUM);
        break;
    case 4: add(s, &toy_tank, "", 0, (SimBind[]){whole(C(UNIT_RATE), 0), whole(C(UNIT_LEVEL), 0)}, 2, NULL); break;
    default: // sum = height + level: continuous inputs of a memoryless engine
        add(s, &toy_sum, "sum", 5,
            (SimBind[]){whole(C(UNIT_HEIGHT), 0), whole(C(UNIT_LEVEL), 0), whole(C(UNIT_SUM), 0)}, 3, &CHAIN);
        break;
    }
#undef C
    mem_free(column);
    mem_free(row);
}

static Sim *model_new(const Toys *m) {
    SimOpen o = {.graph = m->t->g, .epoch_ns = TEST_SIM_EPOCH, .seed = 5, .lanes = m->lanes, .output_s = m->output_s};
    memcpy(o.scenario, m->scenario, sizeof o.scenario);
    Sim *s = sim_new(&o);
    for (int i = 0; i < TOYS; i++) add_toy(m, s, m->order[i]);
    return s;
}

// Inputs of lane l depend on its scenario.
static void inputs(const Toys *m, Sim *s) {
    for (uint16_t l = 0; l < m->lanes; l++) {
        Rng rng = rng_make(m->scenario[l], 3);
        for (int k = 0; k < 12; k++) {
            double t = (double)rng_below(&rng, 200) / 8;
            uint32_t row = (uint32_t)rng_below(&rng, m->t->units);
            uint16_t lane = (uint16_t)(1u << l);
            if (k % 3) sim_input(s, t, 0, test_column(m->t, s, UNIT_ON), row, lane, (double)rng_below(&rng, 2));
            else sim_input(s, t, 0, test_column(m->t, s, UNIT_LEVEL), row, lane, rng_f64(&rng));
        }
    }
}

static Sim *model_start(const Toys *m) {
    Sim *s = model_new(m);
    test_gather(m->t, s, UINT8_MAX);
    for (uint32_t f = 0; f < 1; f++) inputs(m, s);
    ok(sim_start(s, NULL));
    return s;
}

// ---- what was told, as a hash a lane -------------------------------------------------------------------------------

typedef struct Told {
    const Sim *s;
    uint64_t hash[SIM_LANES_MAX];
    int64_t calls, cells;
    double last;
} Told;

static uint64_t mix(uint64_t h, uint64_t x) { return (h ^ x) * UINT64_C(0x9E3779B97F4A7C15) + (h >> 29); }

static bool told(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n) {
    Told *x = ctx;
    uint64_t h = mix(x->hash[lane], bits_of(t));
    for (uint32_t i = 0; i < n; i++) {
        h = mix(h, sim_column_of(x->s, cells[i].column).col);
        h = mix(mix(h, cells[i].row), bits_of(cells[i].value));
        if (i == 0) continue;
        uint32_t a = sim_column_of(x->s, cells[i - 1].column).col, b = sim_column_of(x->s, cells[i].column).col;
        assert_true(a < b || (a == b && cells[i - 1].row < cells[i].row));
    }
    assert_true(t >= x->last);
    x->last = t;
    x->hash[lane] = h;
    x->calls++;
    x->cells += n;
    return true;
}

static void run_to(Sim *s, double until, Told *x) {
    double now;
    x->s = s;
    ok(sim_run(s, until, 0, &(SimSink){.ctx = x, .told = told}, &now, NULL));
    assert_true(now == until);
}

static void same_columns(Sim *a, uint32_t lane_a, Sim *b, uint32_t lane_b) {
    for (uint32_t i = 0; i < sim_columns(a); i++) {
        sim_col *x = sim_column_at(a, i), *y = sim_column_at(b, sim_column(b, sim_column_of(a, i).col));
        for (uint32_t r = 0; r < x->n; r++) {
            double v = x->v[r * x->lanes + lane_a], w = y->v[r * y->lanes + lane_b];
            if (bits_of(v) == bits_of(w)) continue;
            Buf name = {0};
            sim_cell_name(a, i, r, &name);
            fail_msg("%.*s: %.17g and %.17g", STR_ARG(buf_str(&name)), v, w);
        }
    }
}

static Toys model_of(TestSim *t, uint64_t seed, uint16_t lanes) {
    Toys m = {.t = t, .lanes = lanes, .output_s = seed % 2 ? 0.75 : 0};
    for (int i = 0; i < TOYS; i++) m.order[i] = i;
    for (uint32_t l = 0; l < lanes; l++) m.scenario[l] = seed * 100 + l;
    return m;
}

// ---- only the model decides ----------------------------------------------------------------------------------------

enum { SEEDS = 6 };

static void test_lanes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        TestSim t;
        test_sim_open(&t, 5, seed);
        Toys m = model_of(&t, seed, 8);
        Sim *s = model_start(&m);
        Told all = {0};
        run_to(s, 30, &all);
        for (uint32_t l = 0; l < 8; l++) {
            Toys one = model_of(&t, seed, 1);
            one.scenario[0] = m.scenario[l];
            Sim *alone = model_start(&one);
            Told x = {0};
            run_to(alone, 30, &x);
            same_columns(s, l, alone, 0);
            if (x.hash[0] != all.hash[l]) fail_msg("seed %d: lane %u tells other than alone", (int)seed, l);
            assert_true(x.calls > 50);
            sim_free(alone);
        }
        sim_free(s);
        test_sim_close(&t);
    }
}

// Runs made of one beginning are those that begin anew, whatever others of it do.
static void test_replicas(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        TestSim t;
        test_sim_open(&t, 5, seed);
        Toys m = model_of(&t, seed, seed % 2 ? 8 : 1);
        Sim *ready = model_new(&m);
        test_gather(&t, ready, UINT8_MAX);
        ok(sim_ready(ready, NULL));
        ok(sim_ready(ready, NULL));
        for (uint64_t k = 0; k < 3; k++) {
            for (uint32_t l = 0; l < m.lanes; l++) m.scenario[l] = seed * 1000 + k * 8 + l;
            Sim *s = sim_replica(ready, m.scenario), *fresh = model_start(&m);
            inputs(&m, s);
            ok(sim_start(s, NULL));
            Told a = {0}, b = {0};
            run_to(s, 12, &a);
            Sim *on = sim_fork(s); // and what is made of it
            sim_free(s);
            run_to(on, 30, &a);
            run_to(fresh, 12, &b);
            run_to(fresh, 30, &b);
            if (sim_hash(on) != sim_hash(fresh)) fail_msg("seed %d: replica %d differs", (int)seed, (int)k);
            assert_memory_equal(a.hash, b.hash, sizeof a.hash);
            sim_free(on);
            sim_free(fresh);
        }
        sim_free(ready);
        test_sim_close(&t);
    }
}

static void test_order_of_adding(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        TestSim t;
        test_sim_open(&t, 5, seed);
        Rng rng = rng_make(seed, 0);
        Toys m = model_of(&t, seed, seed % 2 ? 1 : 8);
        Sim *s = model_start(&m);
        Told a = {0}, b = {0};
        run_to(s, 25, &a);
        for (int i = TOYS - 1; i > 0; i--) {
            int k = (int)rng_below(&rng, (uint64_t)i + 1), x = m.order[i];
            m.order[i] = m.order[k];
            m.order[k] = x;
        }
        Sim *other = model_start(&m);
        run_to(other, 25, &b);
        assert_memory_equal(a.hash, b.hash, sizeof a.hash);
        if (sim_hash(s) != sim_hash(other)) fail_msg("seed %d: the order of adding shows", (int)seed);
        sim_free(s);
        sim_free(other);
        test_sim_close(&t);
    }
}

// Go on in another process: load what was saved, into a Sim made there.
static Sim *reloaded(const Toys *m, Sim *s) {
    Buf b = {0};
    sim_save(s, &b);
    assert_false(b.full);
    Sim *other = model_new(m);
    ok(sim_load(other, buf_str(&b), NULL));
    assert_true(sim_hash(other) == sim_hash(s));
    buf_free(&b);
    sim_free(s);
    return other;
}

static void test_slices(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        TestSim t;
        test_sim_open(&t, 5, seed);
        Rng rng = rng_make(seed, 1);
        Toys m = model_of(&t, seed, seed % 3 ? 1 : 8);
        Sim *s = model_start(&m), *whole_run = model_start(&m), *fork = NULL;
        Told a = {0}, b = {0}, c = {0};
        run_to(whole_run, 20, &a);
        for (double now = 0; now < 20;) {
            now = fmin(20, now + rng_f64(&rng) * 2);
            run_to(s, now, &b);
            uint64_t what = rng_below(&rng, 6);
            if (what == 0) s = reloaded(&m, s);
            if (what == 1 && !fork) {
                fork = sim_fork(s);
                c = b;
                assert_true(sim_hash(fork) == sim_hash(s));
            }
        }
        if (!fork) fork = sim_fork(s), c = b;
        run_to(fork, 20, &c);
        if (sim_hash(s) != sim_hash(whole_run)) fail_msg("seed %d: slices show", (int)seed);
        if (sim_hash(fork) != sim_hash(whole_run)) fail_msg("seed %d: a fork goes other ways", (int)seed);
        assert_memory_equal(a.hash, b.hash, sizeof a.hash);
        assert_memory_equal(a.hash, c.hash, sizeof a.hash);
        sim_free(s);
        sim_free(fork);
        sim_free(whole_run);
        test_sim_close(&t);
    }
}

// The child runs to the middle, writes what it has to a pipe and dies by SIGKILL; the parent goes on.
static void test_other_process(void **state) {
    (void)state;
    TestSim t;
    int fd[2];
    test_sim_open(&t, 5, 9);
    Toys m = model_of(&t, 9, 1);
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        Buf b = {0};
        Told x = {0};
        Sim *s = model_start(&m);
        run_to(s, 10, &x);
        sim_save(s, &b);
        for (int64_t at = 0; at < b.n;) at += write(fd[1], b.p + at, (size_t)(b.n - at));
        kill(getpid(), SIGKILL);
    }
    close(fd[1]);
    Buf b = {0};
    char some[4096];
    for (ssize_t n; (n = read(fd[0], some, sizeof some)) > 0;) buf_put(&b, some, n);
    close(fd[0]);
    waitpid(child, NULL, 0);
    Told x = {0}, y = {0};
    Sim *s = model_new(&m), *whole_run = model_start(&m);
    ok(sim_load(s, buf_str(&b), NULL));
    run_to(s, 20, &x);
    run_to(whole_run, 20, &y);
    assert_true(sim_hash(s) == sim_hash(whole_run));
    buf_free(&b);
    sim_free(s);
    sim_free(whole_run);
    test_sim_close(&t);
}

// A fork's inputs and its continuous motion are its own.
static void test_fork_is_apart(void **state) {
    (void)state;
    TestSim t;
    test_sim_open(&t, 5, 4);
    Toys m = model_of(&t, 4, 1);
    Sim *s = model_start(&m);
    Told x = {0}, y = {0};
    run_to(s, 5, &x);
    Sim *f = sim_fork(s);
    uint64_t before = sim_hash(s);
    uint32_t period = test_column(&t, f, UNIT_PERIOD), on = test_column(&t, f, UNIT_ON);
    sim_input(f, 5, 0, period, 1, 1, 1000);
    sim_input(f, 6, 0, on, 2, 1, 0);
    run_to(f, 10, &y);
    assert_true(sim_hash(s) == before);
    assert_true(sim_column_at(s, period)->v[1] < 1000);
    assert_true(sim_column_at(f, period)->v[1] == 1000);
    Told z = {0};
    run_to(s, 10, &z);
    uint32_t count = test_column(&t, s, UNIT_COUNT);
    assert_true(sim_column_at(f, count)->v[1] < sim_column_at(s, count)->v[1]);
    assert_true(sim_column_at(f, on)->v[2] == 0);
    sim_free(s);
    sim_free(f);
    test_sim_close(&t);
}

// ---- the clock -----------------------------------------------------------------------------------------------------

static Sim *bare(TestSim *t, uint16_t lanes) {
    return sim_new(&(SimOpen){.graph = t->g, .epoch_ns = TEST_SIM_EPOCH, .lanes = lanes});
}

// A chain of sums against the order of rank comes out right within one instant.
static void test_chain(void **state) {
    (void)state;
    enum { N = 70 };
    static const ToySum one = {1, 0, 1};
    TestSim t;
    test_sim_open(&t, 1, 1);
    Sim *s = bare(&t, 1);
    uint32_t p[N + 1];
    for (int i = 0; i <= N; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%02d", i);
        p[i] = sim_private(s, str_of(name), 1, SIM_NUMBER);
        sim_column_at(s, p[i])->v[0] = 0;
    }
    for (int i = 0; i < N; i++) { // engine i reads p[i] and writes p[i + 1]; its rank is N - i
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        add(s, &toy_sum, name, N - i, (SimBind[]){whole(p[i], 0), {.column = UINT32_MAX}, whole(p[i + 1], 0)}, 3, &one);
    }
    ok(sim_start(s, NULL));
    assert_true(sim_column_at(s, p[N])->v[0] == N);
    sim_input(s, 3, 0, p[0], 0, 1, 10);
    ok(sim_run(s, 3, 0, NULL, NULL, NULL));
    assert_true(sim_column_at(s, p[N])->v[0] == N + 10);
    SimStats stats;
    sim_stats(s, &stats);
    assert_true(stats.micro_steps >= N);
    sim_free(s);
    test_sim_close(&t);
}

// x = gain * y + 1, y = x: converges within a tolerance; without a solution it is a loop, and its cells are named.
static Err loop_of(TestSim *t, double gain, double tol, double *x, Diag *d) {
    ToySum forth = {gain, 0, 1};
    static const ToySum back = {1, 0, 0};
    Sim *s = bare(t, 1);
    uint32_t a = test_column(t, s, UNIT_SUM), b = test_column(t, s, UNIT_TOTAL);
    test_gather(t, s, 1);
    add(s, &toy_sum, "forth", 0, (SimBind[]){{.column = b, .tol = tol}, {.column = UINT32_MAX}, whole(a, 0)}, 3,
        &forth);
    add(s, &toy_sum, "back", 0, (SimBind[]){{.column = a, .tol = tol}, {.column = UINT32_MAX}, whole(b, 0)}, 3, &back);
    Err e = sim_start(s, d);
    *x = sim_column_at(s, a)->v[0];
    if (e != ERR_OK) {
        Diag again = {0};
        assert_int_equal(sim_run(s, 1, 0, NULL, NULL, &again), ERR_SIM_FAILED);
        diag_free(&again);
    }
    sim_free(s);
    return e;
}

static bool says(const Diag *d, const char *text) {
    Buf b = {0};
    diag_print(d, &b);
    bool found = str_find_str(buf_str(&b), str_of(text)) >= 0;
    if (!found) print_message("no \"%s\" in: %.*s\n", text, STR_ARG(buf_str(&b)));
    buf_free(&b);
    return found;
}

static void test_loops(void **state) {
    (void)state;
    TestSim t;
    double x;
    Diag d = {0};
    test_sim_open(&t, 2, 1);
    ok(loop_of(&t, 0.5, 1e-9, &x, &d));
    assert_true(fabs(x - 2) < 1e-8);
    ok(loop_of(&t, -0.7, 1e-6, &x, &d));
    assert_true(fabs(x - 1 / 1.7) < 1e-5);
    ok(loop_of(&t, -1.5, 1e-9, &x, &d)); // plain iteration runs away: see accel_test.c
    assert_true(fabs(x - 0.4) < 1e-8);
    assert_int_equal(loop_of(&t, 1, 1e-9, &x, &d), ERR_SIM_LOOP);
    assert_true(says(&d, "unit-0.sum") && says(&d, "unit-0.total"));
    assert_true(says(&d, "toy-sum forth") && says(&d, "toy-sum back") && says(&d, "50 micro-steps"));
    diag_free(&d);
    test_sim_close(&t);
}

// Engines in no loop that are busy at the same instant are not named.
static void test_loop_names_the_loop_alone(void **state) {
    (void)state;
    static const ToySum up = {1, 0, 1};
    TestSim t;
    Diag d = {0};
    test_sim_open(&t, 3, 1);
    Sim *s = bare(&t, 1);
    uint32_t a = test_column(&t, s, UNIT_SUM), b = test_column(&t, s, UNIT_TOTAL), c = test_column(&t, s, UNIT_LEVEL);
    uint32_t other = test_column(&t, s, UNIT_HEIGHT);
    test_gather(&t, s, 1);
    add(s, &toy_sum, "1", 0, (SimBind[]){whole(c, 0), {.column = UINT32_MAX}, whole(a, 0)}, 3, &up);
    add(s, &toy_sum, "2", 0, (SimBind[]){whole(a, 0), {.column = UINT32_MAX}, whole(b, 0)}, 3, &up);
    add(s, &toy_sum, "3", 0, (SimBind[]){whole(b, 0), {.column = UINT32_MAX}, whole(c, 0)}, 3, &up);
    add(s, &toy_sum, "listens", 0, (SimBind[]){whole(b, 0), {.column = UINT32_MAX}, whole(other, 0)}, 3, &up);
    assert_int_equal(sim_start(s, &d), ERR_SIM_LOOP);
    assert_true(says(&d, "toy-sum 1 moves unit-") && says(&d, "toy-sum 2 moves") && says(&d, "toy-sum 3 moves"));
    assert_false(says(&d, "listens"));
    diag_free(&d);
    sim_free(s);
    test_sim_close(&t);
}

// An engine that wants the same instant for ever.
static sim_time always_next(const sim_ctx *c) {
    (void)c;
    return 2;
}
static int nothing(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    (void)c, (void)t, (void)moved, (void)n;
    return 0;
}

static void test_no_way_on(void **state) {
    (void)state;
    static const sim_engine stuck = {
        .abi = SOSIA_ENGINE_ABI, .name = "stuck", .caps = SIM_CAN_LANES, .next = always_next, .react = nothing};
    TestSim t;
    Diag d = {0};
    double now;
    test_sim_open(&t, 1, 1);
    Sim *s = bare(&t, 8);
    add(s, &stuck, "one", 0, NULL, 0, NULL);
    ok(sim_start(s, NULL));
    assert_int_equal(sim_run(s, 5, 0, NULL, &now, &d), ERR_SIM_LOOP);
    assert_true(now == 2);
    assert_true(says(&d, "stuck one") && says(&d, "same instant"));
    diag_free(&d);
    sim_free(s);
    test_sim_close(&t);
}

static int fails(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    (void)moved, (void)n;
    return t < 2 ? 0 : (c->fail)(c, 1, "the valve is %s", "stuck");
}

static void test_engine_fails(void **state) {
    (void)state;
    static const sim_role roles[] = {{"level", "", SIM_NUMBER, SIM_IN, 0, 1, NAN, ""}};
    static const sim_engine bad = {.abi = SOSIA_ENGINE_ABI,
                                   .name = "bad",
                                   .caps = SIM_CAN_LANES,
                                   .roles = roles,
                                   .role_count = 1,
                                   .next = always_next,
                                   .react = fails};
    TestSim t;
    Diag d = {0};
    test_sim_open(&t, 2, 1);
    Sim *s = bare(&t, 1);
    SimBind b = whole(test_column(&t, s, UNIT_LEVEL), 0);
    add(s, &bad, "", 0, &b, 1, NULL);
    ok(sim_start(s, NULL));
    assert_int_equal(sim_run(s, 5, 0, NULL, NULL, &d), ERR_SIM_FAILED);
    assert_true(says(&d, "unit-1") && says(&d, "bad at 2 s: the valve is stuck"));
    diag_free(&d);
    sim_free(s);
    test_sim_close(&t);
}

// Of inputs of one time: priority, then twin, then order of the calls; the last on a cell stands.
typedef struct Looking {
    uint32_t column, row;
    int at_three, all;
} Looking;

static bool looks(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n) {
    Looking *x = ctx;
    (void)lane;
    for (uint32_t i = 0; i < n; i++) x->at_three += t == 3 && cells[i].column == x->column && cells[i].row == x->row;
    x->all += (int)n;
    return true;
}

// What the sink knows already moves all that it would move otherwise, and is not told; also when it was saved before.
static void test_known(void **state) {
    (void)state;
    TestSim t;
    test_sim_open(&t, 5, 2);
    Toys m = model_of(&t, 2, 1);
    Sim *s[2] = {model_start(&m), model_start(&m)};
    Looking x[2];
    for (int i = 0; i < 2; i++) {
        double now;
        x[i] = (Looking){.column = test_column(&t, s[i], UNIT_ON), .row = 3};
        ok(sim_run(s[i], 3, 0, NULL, &now, NULL));
        double other = sim_column_at(s[i], x[i].column)->v[3] == 0;
        if (i) sim_known(s[i], x[i].column, 3, other);
        else sim_input(s[i], 3, 0, x[i].column, 3, 1, other);
        s[i] = reloaded(&m, s[i]);
        ok(sim_run(s[i], 20, 0, &(SimSink){.ctx = &x[i], .told = looks}, &now, NULL));
    }
    same_columns(s[0], 0, s[1], 0);
    assert_int_equal(x[0].at_three, 1);
    assert_int_equal(x[1].at_three, 0);
    assert_int_equal(x[0].all, x[1].all + 1);
    sim_free(s[0]);
    sim_free(s[1]);
    test_sim_close(&t);
}

static void test_order_of_inputs(void **state) {
    (void)state;
    TestSim t;
    test_sim_open(&t, 3, 1);
    Sim *s = bare(&t, 1);
    uint32_t level = test_column(&t, s, UNIT_LEVEL);
    test_gather(&t, s, 1);
    sim_input(s, 0, 0, level, 2, 1, 42);
    ok(sim_start(s, NULL));
    assert_true(sim_column_at(s, level)->v[2] == 42);
    sim_input(s, 1, 5, level, 0, 1, 1);
    sim_input(s, 1, -5, level, 0, 1, 2);
    sim_input(s, 1, 0, level, 1, 1, 3);
    sim_input(s, 1, 0, level, 1, 1, 4);
    sim_input(s, 0.5, 9, level, 0, 1, 5);
    assert_true(sim_next(s) == 0.5);
    Told x = {.s = s};
    double now;
    ok(sim_run(s, INFINITY, 2, &(SimSink){.ctx = &x, .told = told}, &now,
               NULL)); // both instants; the start's input is told first
    assert_true(now == 1 && x.calls == 3 && x.cells == 4);
    assert_true(sim_column_at(s, level)->v[0] == 1 && sim_column_at(s, level)->v[1] == 4);
    assert_true(sim_next(s) == INFINITY);
    ok(sim_run(s, INFINITY, 0, NULL, &now, NULL)); // nothing will ever happen
    assert_true(now == 1);
    sim_free(s);
    test_sim_close(&t);
}

// A bouncing ball's events at their exact times, found by advance; a memoryless engine sees each.
static void test_ball(void **state) {
    (void)state;
    TestSim t;
    test_sim_open(&t, 2, 3);
    Sim *s = bare(&t, 1);
    uint32_t h = test_column(&t, s, UNIT_HEIGHT), v = test_column(&t, s, UNIT_VELOCITY),
             n = test_column(&t, s, UNIT_BOUNCES);
    test_gather(&t, s, 1);
    double h0 = sim_column_at(s, h)->v[0];
    add(s, &toy_ball, "", 0, (SimBind[]){whole(h, 0), whole(v, 0), whole(n, 0)}, 3, NULL);
    ok(sim_start(s, NULL));
    double first = sqrt(2 * h0 / 9.81), now = 0, bounces = 0;
    for (double hit = first, speed = 9.81 * first; bounces < 10; speed *= 0.8, hit += 2 * speed / 9.81) {
        bounces++;
        ok(sim_run(s, hit + 1e-9, 0, NULL, &now, NULL));
        assert_true(sim_column_at(s, n)->v[0] == bounces);
        assert_true(fabs(sim_column_at(s, v)->v[0] - 0.8 * speed) < 1e-6);
    }
    sim_free(s);
    test_sim_close(&t);
}

// Several engines with roots: none goes beyond the first event of another; as one engine they do the same.
static void test_several_roots(void **state) {
    (void)state;
    enum { N = 4 };
    TestSim t;
    test_sim_open(&t, N, 5);
    Sim *one = bare(&t, 8), *many = bare(&t, 8);
    static const UnitField fields[] = {UNIT_HEIGHT, UNIT_VELOCITY, UNIT_BOUNCES};
    SimBind b[3];
    for (int k = 0; k < 3; k++) {
        b[k] = whole(test_column(&t, one, fields[k]), 0);
        (void)test_column(&t, many, fields[k]);
    }
    test_gather(&t, one, UINT8_MAX);
    test_gather(&t, many, UINT8_MAX);
    add(one, &toy_ball, "", 0, b, 3, NULL);
    for (uint32_t i = 0; i < N; i++) {
        char name[8];
        uint32_t column[3], row[3];
        snprintf(name, sizeof name, "%u", i);
        for (int k = 0; k < 3; k++) {
            column[k] = test_column(&t, many, fields[k]);
            row[k] = i;
            b[k] =
                (SimBind){.column = UINT32_MAX, .rows = 1, .from_column = &column[k], .from_row = &row[k], .dflt = NAN};
        }
        add(many, i % 2 ? &toy_ball : &toy_ball_lone, name, 0, b, 3, NULL);
    }
    for (uint16_t l = 0; l < 8; l++) {
        sim_input(one, 0, 0, test_column(&t, one, UNIT_HEIGHT), 1, (uint16_t)(1u << l), 1 + l * 0.1);
        sim_input(many, 0, 0, test_column(&t, many, UNIT_HEIGHT), 1, (uint16_t)(1u << l), 1 + l * 0.1);
    }
    ok(sim_start(one, NULL));
    ok(sim_start(many, NULL));
    Told x = {0}, y = {0};
    run_to(one, 4, &x);
    run_to(many, 4, &y);
    for (uint32_t l = 0; l < 8; l++) same_columns(one, l, many, l);
    assert_memory_equal(x.hash, y.hash, sizeof x.hash);
    assert_true(sim_column_at(one, test_column(&t, one, UNIT_BOUNCES))->v[0] > 3);
    sim_free(one);
    sim_free(many);
    test_sim_close(&t);
}

// A tolerance counts from what was told last, so that many small steps wake it in the end.
static void test_tolerance(void **state) {
    (void)state;
    static const ToySum copy = {1, 0, 0};
    TestSim t;
    test_sim_open(&t, 1, 1);
    for (int gathered = 0; gathered < 2; gathered++) {
        Sim *s = bare(&t, 1);
        uint32_t in = test_column(&t, s, UNIT_LEVEL), out = test_column(&t, s, UNIT_SUM), row = 0;
        SimBind a = {.column = in, .tol = 1};
        if (gathered) a = (SimBind){.column = UINT32_MAX, .rows = 1, .from_column = &in, .from_row = &row, .tol = 1};
        add(s, &toy_sum, "", 0, (SimBind[]){a, {.column = UINT32_MAX}, whole(out, 0)}, 3, &copy);
        sim_input(s, 0, 0, in, 0, 1, 0);
        ok(sim_start(s, NULL));
        SimStats before, after;
        for (int i = 1; i <= 10; i++) {
            sim_input(s, i, 0, in, 0, 1, i * 0.4);
            sim_stats(s, &before);
            ok(sim_run(s, i, 0, NULL, NULL, NULL));
            sim_stats(s, &after);
            assert_int_equal(after.reacts - before.reacts, i % 3 == 0 ? 1 : 0);
            assert_true(sim_column_at(s, out)->v[0] == (i / 3 * 3) * 0.4);
        }
        sim_free(s);
    }
    test_sim_close(&t);
}

static void test_one_writer(void **state) {
    (void)state;
    TestSim t;
    Diag d = {0};
    test_sim_open(&t, 3, 1);
    Sim *s = bare(&t, 1);
    uint32_t a = test_column(&t, s, UNIT_LEVEL), out = test_column(&t, s, UNIT_SUM), row = 1;
    SimBind w[3] = {whole(a, 0), {.column = UINT32_MAX}, whole(out, 0)};
    SimBind part[3] = {{.column = UINT32_MAX, .rows = 1, .from_column = &a, .from_row = &row},
                       {.column = UINT32_MAX},
                       {.column = UINT32_MAX, .rows = 1, .from_column = &out, .from_row = &row}};
    add(s, &toy_sum, "one", 0, part, 3, &CHAIN);
    SimEngine two = {.engine = &toy_sum, .instance = STR("two"), .roles = w, .role_count = 3};
    assert_int_equal(sim_add(s, &two, &d), ERR_VALIDATION);
    assert_true(says(&d, "unit-1.sum") && says(&d, "toy-sum one") && says(&d, "toy-sum two"));
    assert_false(sim_takes_input(s, out, 1));
    assert_true(sim_takes_input(s, out, 0)); // the refused engine holds nothing
    two.instance = STR("one");
    assert_int_equal(sim_add(s, &two, &d), ERR_ARGUMENT);
    uint32_t again[2] = {0, 0}, both[2] = {out, out};
    w[2] = (SimBind){.column = UINT32_MAX, .rows = 2, .from_column = both, .from_row = again};
    two.instance = STR("three");
    assert_int_equal(sim_add(s, &two, &d), ERR_VALIDATION);
    test_gather(&t, s, 1);
    ok(sim_start(s, NULL));
    double before = sim_column_at(s, out)->v[1];
    sim_input(s, 1, 0, out, 1, 1, 99);
    ok(sim_run(s, 2, 0, NULL, NULL, NULL));
    assert_true(sim_column_at(s, out)->v[1] == before);
    SimStats stats;
    sim_stats(s, &stats);
    assert_int_equal(stats.refused, 1);
    diag_free(&d);
    sim_free(s);
    test_sim_close(&t);
}

// Output between events shows motion and changes nothing.
static void test_output(void **state) {
    (void)state;
    TestSim t;
    test_sim_open(&t, 5, 2);
    Toys m = model_of(&t, 2, 1);
    Sim *a = model_start(&m);
    m.output_s = 0.125;
    Sim *b = model_start(&m);
    Told x = {0}, y = {0};
    run_to(a, 10, &x);
    run_to(b, 10, &y);
    same_columns(a, 0, b, 0);
    assert_true(y.calls > x.calls + 40);
    sim_free(a);
    sim_free(b);
    test_sim_close(&t);
}

static bool stop_at_five(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n) {
    (void)lane, (void)cells, (void)n;
    *(double *)ctx = t;
    return t < 5;
}

static void test_sink_stops(void **state) {
    (void)state;
    TestSim t;
    double at = 0, now;
    test_sim_open(&t, 2, 1);
    Toys m = model_of(&t, 1, 1);
    m.output_s = 1;
    Sim *s = model_start(&m);
    ok(sim_run(s, 100, 0, &(SimSink){.ctx = &at, .told = stop_at_five}, &now, NULL));
    assert_true(now == at && now >= 5 && now <= 6);
    sim_free(s);
    test_sim_close(&t);
}

// A run ten times as long takes no more memory.
static void test_memory(void **state) {
    (void)state;
    TestSim t;
    test_sim_open(&t, 5, 2);
    Toys m = model_of(&t, 3, 1);
    Sim *s = model_start(&m);
    Told x = {0};
    Buf b = {0};
    run_to(s, 50, &x);
    sim_save(s, &b);
    int64_t before = b.n;
    run_to(s, 2000, &x);
    buf_reset(&b);
    sim_save(s, &b);
    assert_true(b.n < before + 200); // varints grow
    buf_free(&b);
    sim_free(s);
    test_sim_close(&t);
}

// ---- values and times ----------------------------------------------------------------------------------------------

static void test_values(void **state) {
    (void)state;
    TestSim t;
    uint64_t bits;
    Str text;
    bool fits;
    test_sim_open(&t, 2, 1);
    Sim *s = bare(&t, 1);
    uint32_t temp = test_column(&t, s, UNIT_TEMP), size = test_column(&t, s, UNIT_SIZE),
             on = test_column(&t, s, UNIT_ON), mode = test_column(&t, s, UNIT_MODE), tag = test_column(&t, s, UNIT_TAG);
    test_sim_set(&t, 1, UNIT_TAG, NAN);
    test_gather(&t, s, 1);
    assert_true(fabs(sim_column_at(s, temp)->v[0] - 294.65) < 1e-12);
    assert_true(sim_value_out(s, temp, sim_column_at(s, temp)->v[0], &bits, &text, &fits) && fits);
    assert_true(double_of(bits) == 21.5);
    assert_true(sim_column_at(s, size)->v[0] == 2.5); // 250 cm
    assert_true(sim_value_out(s, size, 2.504, &bits, &text, &fits) && bits == 250);
    assert_false(sim_value_out(s, size, 1e9, &bits, &text, &fits));
    assert_false(fits);
    assert_true(sim_value_out(s, on, 1, &bits, &text, &fits) && bits == 1);
    assert_true(sim_value_out(s, mode, sim_column_at(s, mode)->v[1], &bits, &text, &fits));
    assert_true(str_eq(text, STR("RUN")));
    assert_false(sim_value_out(s, mode, sim_symbol(s, STR("WALK")), &bits, &text, &fits));
    assert_false(fits);
    assert_true(isnan(sim_column_at(s, tag)->v[1]) && !isnan(sim_column_at(s, tag)->v[0]));
    assert_false(sim_value_out(s, tag, NAN, &bits, &text, &fits));
    assert_true(fits);
    Change c;
    assert_true(sim_change(s, &(SimCell){tag, 0, sim_symbol(s, STR("new"))}, &c));
    assert_true(c.kind == CHANGE_SET && c.id == t.ids[0] && str_eq(c.text, STR("new")));
    assert_true(sim_change(s, &(SimCell){temp, 1, NAN}, &c) && c.kind == CHANGE_UNSET && c.id == t.ids[1]);
    uint32_t weight = sim_column(s, t.g->catalog->kinds[0].first);
    assert_true(sim_column_of(s, weight).link);
    assert_true(sim_change(s, &(SimCell){weight, 1, 5}, &c) && c.kind == CHANGE_LINK_SET && c.id == t.g->link_id[1]);
    assert_false(sim_change(s, &(SimCell){sim_private(s, STR("p"), 1, SIM_NUMBER), 0, 5}, &c));
    sim_free(s);
    test_sim_close(&t);
}

static void test_times(void **state) {
    (void)state;
    Rng rng = rng_make(11, 0);
    assert_true(sim_world_ns(TEST_SIM_EPOCH, 1.5) == TEST_SIM_EPOCH + 1500000000);
    assert_true(sim_world_ns(TEST_SIM_EPOCH, 0.00000014) == TEST_SIM_EPOCH + 100);
    assert_true(sim_world_ns(TEST_SIM_EPOCH, 0.00000016) == TEST_SIM_EPOCH + 200);
    assert_true(sim_world_ns(0, 1e300) > 0 && sim_world_ns(0, -1e300) < 0);
    assert_true(sim_world_ns(INT64_MAX - 5000, 3600) > 0);
    for (int i = 0; i < 100000; i++) {
        int64_t since = (int64_t)rng_below(&rng, 8 * INT64_C(31556952) * 10000000) * 100; // 8 years in steps of 100 ns
        int64_t at = TEST_SIM_EPOCH + since;
        sim_time x = sim_time_of(TEST_SIM_EPOCH, at);
        if (sim_world_ns(TEST_SIM_EPOCH, x) != at) fail_msg("%lld ns", (long long)since);
        assert_true(sim_time_of(TEST_SIM_EPOCH, sim_world_ns(TEST_SIM_EPOCH, x)) == x);
    }
    int64_t last = TEST_SIM_EPOCH;
    for (int i = 0; i < 10; i++) { // ten instants in 90 ns become ten batches
        int64_t at = sim_batch_ns(TEST_SIM_EPOCH, 1 + i * 1e-8, i ? last : 0);
        assert_true(i == 0 || at == last + 100);
        last = at;
    }
    assert_true(sim_batch_ns(TEST_SIM_EPOCH, 2, last) == TEST_SIM_EPOCH + 2000000000);
}

static void test_graph(void **state) {
    (void)state;
    TestSim t;
    test_sim_open(&t, 40, 1);
    const SimGraph *g = t.g;
    assert_int_equal(g->twins, 80);
    assert_int_equal(g->links, 40);
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t n = sim_graph_twin(g, t.ids[i]);
        char name[16];
        snprintf(name, sizeof name, "unit-%u", i);
        assert_true(g->twin_id[n] == t.ids[i] && g->table[n] == 0);
        assert_true(str_eq(sim_graph_name(g, n), str_of(name)));
        assert_int_equal(g->out_ptr[n + 1] - g->out_ptr[n], 1);
        uint32_t l = g->out_link[g->out_ptr[n]];
        assert_true(g->from[l] == n && g->to[l] == sim_graph_twin(g, t.ids[(i + 1) % 40]));
        assert_true(g->in_link[g->in_ptr[g->to[l]]] == l);
        assert_true(sim_graph_link(g, g->link_id[l]) == l);
    }
    assert_true(sim_graph_twin(g, 999999) == UINT32_MAX && sim_graph_link(g, 999999) == UINT32_MAX);
    uint64_t version = g->version;
    test_sim_set(&t, 3, UNIT_LEVEL, 4); // a value: the same graph
    assert_true(t.g->version == version);
    test_sim_close(&t);
    test_sim_open(&t, 41, 1);
    assert_true(t.g->version != version);
    test_sim_close(&t);
    test_sim_open(&t, 0, 1); // nothing at all
    assert_int_equal(t.g->twins, 0);
    Sim *s = bare(&t, 1);
    ok(sim_start(s, NULL));
    ok(sim_run(s, 10, 0, NULL, NULL, NULL));
    assert_true(sim_now(s) == 10);
    sim_free(s);
    test_sim_close(&t);
}

static void test_damaged(void **state) {
    (void)state;
    TestSim t;
    Diag d = {0};
    test_sim_open(&t, 5, 1);
    Toys m = model_of(&t, 1, 1);
    Sim *s = model_start(&m);
    Told x = {0};
    Buf b = {0};
    run_to(s, 3, &x);
    sim_save(s, &b);
    for (int64_t n = 0; n < b.n; n += 1 + n / 7) {
        Sim *other = model_new(&m);
        assert_int_equal(sim_load(other, str_sub(buf_str(&b), 0, n), &d), ERR_CORRUPT);
        sim_free(other);
        b.p[n] ^= 4;
        other = model_new(&m);
        assert_int_equal(sim_load(other, buf_str(&b), &d), ERR_CORRUPT);
        b.p[n] ^= 4;
        sim_free(other);
    }
    Sim *other = bare(&t, 1); // of another model
    assert_int_equal(sim_load(other, buf_str(&b), &d), ERR_VALIDATION);
    sim_free(other);
    m.lanes = 8;
    other = model_new(&m);
    assert_int_equal(sim_load(other, buf_str(&b), &d), ERR_VALIDATION);
    sim_free(other);
    diag_free(&d);
    buf_free(&b);
    sim_free(s);
    test_sim_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_loop_names_the_loop_alone),
        cmocka_unit_test(test_no_way_on),
        cmocka_unit_test(test_engine_fails),
        cmocka_unit_test(test_order_of_inputs),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_ball),
        cmocka_unit_test(test_several_roots),
        cmocka_unit_test(test_tolerance),
        cmocka_unit_test(test_one_writer),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_sink_stops),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_replicas),
        cmocka_unit_test(test_order_of_adding),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_other_process),
        cmocka_unit_test(test_fork_is_apart),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
