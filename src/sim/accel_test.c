// SPDX-License-Identifier: Apache-2.0
// Loops within an instant: accelerated ones end where plain iteration runs away or takes long; whatever is run beside
// them, in pieces, forked or saved, the bits are the same; what has no end is still told. A failure prints its seed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include "base/mem.h"
#include "sim/test_sim.h"

enum { N = 6 };

static void ok(Err e) { assert_int_equal(e, ERR_OK); }

// ---- an engine that mixes -------------------------------------------------------------------------------------------

// out[r] = given[r] + sum over k of m[r][k] * squash(in[k]); memoryless. Roles: in, given, out.
typedef struct Mix {
    double m[N][N];
    bool squash;
} Mix;

static int mix_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    const Mix *x = c->config;
    (void)t, (void)moved, (void)n;
    for (uint32_t r = 0; r < c->col[2].n; r++) {
        for (uint32_t l = 0; l < c->lanes; l++) {
            if (!(c->lane_mask >> l & 1)) continue;
            double sum = c->col[1].v[(size_t)r * c->lanes + l];
            for (uint32_t k = 0; k < c->col[0].n; k++) {
                double v = c->col[0].v[(size_t)k * c->lanes + l];
                sum += x->m[r][k] * (x->squash ? v / (1 + fabs(v) / 40) : v);
            }
            double *to = &c->col[2].v[(size_t)r * c->lanes + l];
            if (*to == sum) continue;
            *to = sum;
            c->touch(c, 2, r, (uint16_t)l);
        }
    }
    return 0;
}

static const sim_role mix_roles[] = {{"in", "", SIM_NUMBER, SIM_IN, 0, 1, NAN, "in"},
                                     {"given", "", SIM_NUMBER, SIM_IN, 0, 1, NAN, "given"},
                                     {"out", "", SIM_NUMBER, SIM_OUT, 0, 1, NAN, "out"}};
static const sim_engine mix = {.abi = SOSIA_ENGINE_ABI,
                               .name = "mix",
                               .caps = SIM_CAN_LANES | SIM_MEMORYLESS,
                               .roles = mix_roles,
                               .role_count = 3,
                               .react = mix_react};
static const sim_engine mix_lone = {.abi = SOSIA_ENGINE_ABI,
                                    .name = "mix",
                                    .caps = SIM_MEMORYLESS,
                                    .roles = mix_roles,
                                    .role_count = 3,
                                    .react = mix_react};

typedef struct Loop {
    TestSim t;
    Mix forth, back;
    double tol;
    bool plain, turned, lone; // turned: the other engine comes first
    uint16_t lanes;
    uint32_t given, out, in; // columns
} Loop;

// Matrices whose product has norms about `gain`.
static void loop_open(Loop *x, uint64_t seed, double gain, bool squash) {
    Rng r = rng_make(seed, 0);
    *x = (Loop){.tol = 1e-10, .lanes = 1};
    test_sim_open(&x->t, N, 1);
    x->forth.squash = squash;
    for (int i = 0; i < N; i++) {
        x->back.m[i][i] = 1;
        for (int k = 0; k < N; k++) x->forth.m[i][k] = (rng_f64(&r) * 2 - 1) * gain / sqrt(N);
    }
}

static Sim *loop_sim(Loop *x) {
    SimOpen o = {.graph = x->t.g, .epoch_ns = TEST_SIM_EPOCH, .lanes = x->lanes, .plain = x->plain};
    for (uint32_t l = 0; l < x->lanes; l++) o.scenario[l] = l;
    Sim *s = sim_new(&o);
    x->in = test_column(&x->t, s, UNIT_SUM);
    x->out = test_column(&x->t, s, UNIT_TOTAL);
    x->given = test_column(&x->t, s, UNIT_LEVEL);
    uint32_t none = test_column(&x->t, s, UNIT_RATE);
    test_gather(&x->t, s, UINT8_MAX);
    const sim_engine *e = x->lone ? &mix_lone : &mix;
    SimBind forth[] = {{.column = x->in, .tol = x->tol}, {.column = x->given}, {.column = x->out}};
    SimBind back[] = {{.column = x->out, .tol = x->tol}, {.column = none}, {.column = x->in}};
    SimEngine a = {
        .engine = e, .instance = STR("forth"), .rank = x->turned, .roles = forth, .role_count = 3, .config = &x->forth};
    SimEngine b = {
        .engine = e, .instance = STR("back"), .rank = !x->turned, .roles = back, .role_count = 3, .config = &x->back};
    ok(sim_add(s, &a, NULL));
    ok(sim_add(s, &b, NULL));
    for (uint32_t row = 0; row < N; row++) {
        sim_input(s, 0, 0, none, row, UINT8_MAX, 0);
        sim_input(s, 0, 0, x->in, row, UINT8_MAX, 0);
    }
    return s;
}

// Input to one row at t, another in each lane.
static void give(const Loop *x, Sim *s, double t, uint32_t row, double v) {
    for (uint32_t l = 0; l < x->lanes; l++) sim_input(s, t, 0, x->given, row, (uint8_t)(1u << l), v * (1 + l));
}

static double value(const Loop *x, Sim *s, uint32_t column, uint32_t row, uint32_t lane) {
    return sim_column_at(s, column)->v[(size_t)row * x->lanes + lane];
}

// How far the columns are from a solution.
static double residual(const Loop *x, Sim *s, uint32_t lane) {
    double worst = 0;
    for (uint32_t r = 0; r < N; r++) {
        double sum = value(x, s, x->given, r, lane);
        for (uint32_t k = 0; k < N; k++) {
            double v = value(x, s, x->in, k, lane);
            sum += x->forth.m[r][k] * (x->forth.squash ? v / (1 + fabs(v) / 40) : v);
        }
        worst = fmax(worst, fabs(sum - value(x, s, x->out, r, lane)));
        worst = fmax(worst, fabs(value(x, s, x->out, r, lane) - value(x, s, x->in, r, lane)));
    }
    return worst;
}

static Err run(Loop *x, Sim *s, int64_t *steps) {
    for (uint32_t row = 0; row < N; row++) give(x, s, 0, row, 1 + row);
    Err e = sim_start(s, NULL);
    for (int k = 1; k <= 5 && !e; k++) {
        give(x, s, k, (uint32_t)k % N, 3 * k);
        e = sim_run(s, k, 0, NULL, NULL, NULL);
    }
    SimStats st;
    sim_stats(s, &st);
    *steps = st.micro_steps;
    return e;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

// A loop that runs away as it is has its solution, whichever engine comes first; it is the one of the equations.
static void runs_away(void **state) {
    (void)state;
    int ended = 0, ran_away = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        Loop x;
        loop_open(&x, seed, 0, false);
        if (seed % 2) x.tol = 0; // to the last bits
        Rng r = rng_make(seed, 9);
        double gain = -1.2 - 2 * rng_f64(&r), other = -1.1 - rng_f64(&r); // two ways to run away
        for (int i = 0; i < N; i++) x.forth.m[i][i] = i % 2 ? gain : other;
        for (int turned = 0; turned < 2; turned++) {
            int64_t steps;
            x.turned = turned;
            x.plain = true;
            Sim *s = loop_sim(&x);
            ran_away += run(&x, s, &steps) == ERR_SIM_LOOP;
            sim_free(s);
            x.plain = false;
            s = loop_sim(&x);
            Err e = run(&x, s, &steps);
            if (e) fail_msg("seed %d: no end", (int)seed);
            if (residual(&x, s, 0) > 1e-7) fail_msg("seed %d: %g beside the solution", (int)seed, residual(&x, s, 0));
            for (uint32_t k = 0; k < N; k++) { // given / (1 - gain)
                double want = value(&x, s, x.given, k, 0) / (1 - x.forth.m[k][k]);
                if (fabs(value(&x, s, x.out, k, 0) - want) > 1e-7 * (1 + fabs(want))) fail_msg("seed %d", (int)seed);
            }
            ended++;
            sim_free(s);
        }
        test_sim_close(&x.t);
    }
    assert_int_equal(ran_away, 40);
    assert_int_equal(ended, 40);
}

// One that comes slowly takes fewer rounds, and loops of a few rounds are left as they are.
static void slow_ones(void **state) {
    (void)state;
    int64_t all[2] = {0};
    int runaways = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        int64_t one[2];
        bool ended = true;
        for (int plain = 0; plain < 2; plain++) {
            Loop x;
            int64_t steps;
            loop_open(&x, seed, 1.1, seed % 2);
            x.plain = plain;
            Sim *s = loop_sim(&x);
            Err e = run(&x, s, &steps);
            if (!plain && e) fail_msg("seed %d: no end", (int)seed);
            if (!e && residual(&x, s, 0) > 1e-7) fail_msg("seed %d: %g", (int)seed, residual(&x, s, 0));
            one[plain] = steps;
            ended = ended && !e;
            sim_free(s);
            test_sim_close(&x.t);
        }
        runaways += !ended;
        for (int plain = 0; plain < 2 && ended; plain++) all[plain] += one[plain];
    }
    print_message("%lld rounds, as they are %lld; %d of 40 do not end as they are\n", (long long)all[0],
                  (long long)all[1], runaways);
    assert_true(runaways < 20 && all[0] * 5 < all[1] * 4);
    Loop x;
    int64_t steps;
    double got[2][N];
    for (int plain = 0; plain < 2; plain++) {
        loop_open(&x, 3, 1e-5, false);
        x.plain = plain;
        Sim *s = loop_sim(&x);
        ok(run(&x, s, &steps));
        for (uint32_t k = 0; k < N; k++) got[plain][k] = value(&x, s, x.out, k, 0);
        sim_free(s);
        test_sim_close(&x.t);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
}

// The bits of a lane are those of a run of its own, with engines that see all lanes and with one instance a lane.
static void lanes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        double want[SIM_LANES_MAX][2 * N];
        for (int lone = 0; lone < 2; lone++) {
            Loop x;
            int64_t steps;
            loop_open(&x, seed, seed % 3 ? 1.2 : 1.9, seed % 2);
            x.lanes = 8;
            x.lone = lone;
            Sim *s = loop_sim(&x);
            Err e = run(&x, s, &steps);
            for (uint32_t l = 0; l < 8 && !e; l++)
                for (uint32_t k = 0; k < 2 * N; k++) want[l][k] = value(&x, s, k < N ? x.out : x.in, k % N, l);
            sim_free(s);
            x.lanes = 1;
            for (uint32_t l = 0; l < 8 && !e; l++) {
                s = loop_sim(&x);
                for (uint32_t row = 0; row < N; row++) sim_input(s, 0, 0, x.given, row, 1, (1 + row) * (1.0 + l));
                ok(sim_start(s, NULL));
                for (int k = 1; k <= 5; k++) {
                    sim_input(s, k, 0, x.given, (uint32_t)k % N, 1, 3 * k * (1.0 + l));
                    ok(sim_run(s, k - 0.5, 0, NULL, NULL, NULL)); // a look in between
                    Sim *f = sim_fork(s);
                    sim_free(s);
                    s = f;
                    ok(sim_run(s, k, 0, NULL, NULL, NULL));
                }
                for (uint32_t k = 0; k < 2 * N; k++) {
                    double got = value(&x, s, k < N ? x.out : x.in, k % N, 0);
                    if (got != want[l][k])
                        fail_msg("seed %d, lane %u: %.17g, with others %.17g", (int)seed, l, got, want[l][k]);
                }
                sim_free(s);
            }
            test_sim_close(&x.t);
            if (e) assert_int_equal(e, ERR_SIM_LOOP);
        }
    }
}

// What has no solution has no end, and is told as before.
static void without_end(void **state) {
    (void)state;
    Loop x;
    Diag d = {0};
    loop_open(&x, 1, 0, false);
    for (int i = 0; i < N; i++) x.forth.m[i][i] = 1; // x = x + given
    Sim *s = loop_sim(&x);
    for (uint32_t row = 0; row < N; row++) give(&x, s, 0, row, 1);
    assert_int_equal(sim_start(s, &d), ERR_SIM_LOOP);
    Buf b = {0};
    diag_print(&d, &b);
    assert_true(str_find_str(buf_str(&b), STR("mix forth moves unit-")) >= 0);
    assert_true(str_find_str(buf_str(&b), STR("mix back moves unit-")) >= 0);
    buf_free(&b);
    diag_free(&d);
    sim_free(s);
    test_sim_close(&x.t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_away),
        cmocka_unit_test(slow_ones),
        cmocka_unit_test(lanes),
        cmocka_unit_test(without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
