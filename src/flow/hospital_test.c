// SPDX-License-Identifier: Apache-2.0
// Two published models of hospitals. The treatment centre of Nelson (figures of its table, as reproduced in Python, and
// of an independent check of 400 replications), and the stroke wards of Monks 2016 with their closed form.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/check.h"
#include "base/rng.h"
#include "flow/test_flow.h"

static Net net;

// ---- the treatment centre; minutes ---------------------------------------------------------------------------------

enum { TRIAGE, REGISTRATION, EXAMINATION, TREATMENT, STABILISATION, TRAUMA, STEPS };
static const char *const step_names[STEPS] = {"triage",    "registration",  "examination",
                                              "treatment", "stabilisation", "trauma treatment"};

static const double hourly[] = {2.3667,  2.8,  8.8333,  10.4333, 14.8, 26.2667, 31.4,   18.0667, 16.4667,
                                12.0333, 11.6, 28.8667, 18.0333, 11.5, 5.3,     4.0667, 2.2,     2.1};

typedef struct Centre {
    uint32_t source, sink, step[STEPS];
    FlowModel *m;
} Centre;

static uint32_t step(double servers, FlowDistKind kind, double a, double b) {
    uint32_t n = net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = servers});
    net.nodes[n].service = net_dist(&net, kind, a, b, 0);
    return n;
}

// Times of arrivals as the published program draws them: by thinning, but each candidate is tested with the rate at the
// arrival before. That makes 227 a day of what would be 229.5.
static FlowRange published_arrivals(uint64_t replication) {
    Rng r = rng_make(42, replication);
    double times[600], t = 0, most = 31.4;
    uint32_t n = 0;
    for (;;) {
        double rate = hourly[(int)(t / 60) % 18];
        do t += -60 / most * log(1 - rng_f64(&r));
        while (rng_f64(&r) >= rate / most);
        if (t > 19 * 60 || n == 600) return net_numbers(&net, times, n);
        times[n++] = t;
    }
}

// The day begins at 06:00 with the first rate: time 0 of the pattern, as Monday 00:00.
static FlowRef rates(void) {
    double v[36];
    for (int h = 0; h < 18; h++) {
        v[2 * h] = 60 * h;
        v[2 * h + 1] = hourly[h] / 60;
    }
    return net_calendar(&net, 18 * 60, v, 36);
}

// replication: of the published arrivals; -1: by their rates.
static Centre centre(int triage, int exam, int treat, int64_t replication) {
    Centre c;
    net_init(&net);
    c.source = net_node(&net, (FlowNode){.kind = FLOW_SOURCE});
    if (replication < 0) net.nodes[c.source].rate = rates();
    else net.nodes[c.source].trace = published_arrivals((uint64_t)replication);
    c.step[TRIAGE] = step(1 + triage, FLOW_EXPONENTIAL, 3, 0);
    c.step[REGISTRATION] = step(1, FLOW_LOGNORMAL, 5, sqrt(2));
    c.step[EXAMINATION] = step(3 + exam, FLOW_NORMAL, 16, sqrt(3));
    c.step[TREATMENT] = step(1 + treat, FLOW_LOGNORMAL, 13.3, sqrt(2));
    c.step[STABILISATION] = step(2, FLOW_EXPONENTIAL, 90, 0);
    c.step[TRAUMA] = step(1, FLOW_EXPONENTIAL, 90, 0);
    c.sink = net_node(&net, (FlowNode){.kind = FLOW_SINK});
    net_edge(&net, c.source, c.step[TRIAGE], 1);
    net_edge(&net, c.step[TRIAGE], c.step[STABILISATION], 0.12);
    net_edge(&net, c.step[TRIAGE], c.step[REGISTRATION], 0.88);
    net_edge(&net, c.step[STABILISATION], c.step[TRAUMA], 1);
    net_edge(&net, c.step[TRAUMA], c.sink, 1);
    net_edge(&net, c.step[REGISTRATION], c.step[EXAMINATION], 1);
    net_edge(&net, c.step[EXAMINATION], c.step[TREATMENT], 0.6);
    net_edge(&net, c.step[EXAMINATION], c.sink, 0.4);
    net_edge(&net, c.step[TREATMENT], c.sink, 1);
    c.m = net_make(&net);
    return c;
}

typedef struct CentreMeans {
    Mean wait[STEPS], arrivals, out;
} CentreMeans;

static void run_centre(int triage, int exam, int treat, uint64_t replications, CentreMeans *o) {
    *o = (CentreMeans){0};
    for (uint64_t r = 0; r < replications; r++) {
        Centre c = centre(triage, exam, treat, (int64_t)r);
        Flow *f = flow_open(c.m);
        FlowFigures x;
        net_run(f, &(FlowStart){.seed = 42, .scenario = r}, 19 * 60);
        for (int i = 0; i < STEPS; i++) {
            flow_figures(f, c.step[i], &x);
            if (x.wait.n) mean_add(&o->wait[i], x.wait.mean);
        }
        flow_figures(f, c.source, &x);
        mean_add(&o->arrivals, (double)x.entered);
        flow_figures(f, c.sink, &x);
        mean_add(&o->out, (double)x.entered);
        flow_close(f);
        flow_model_free(c.m);
    }
}

// A rate over the day: as many as the rates come to, hour by hour as they say.
static void test_rates_over_the_day(void **s) {
    Centre c = centre(0, 0, 0, -1);
    Flow *f = flow_open(c.m);
    Mean by_hour[19] = {0}, all = {0};
    double sum = hourly[0];
    (void)s;
    for (int h = 0; h < 18; h++) sum += hourly[h];
    for (uint64_t r = 0; r < 400; r++) {
        uint64_t before = 0;
        FlowFigures x;
        assert_int_equal(flow_start(f, &(FlowStart){.seed = 8, .scenario = r}, NULL), ERR_OK);
        for (int h = 0; h < 19; h++) {
            assert_int_equal(flow_until(f, 60 * (h + 1), NULL), ERR_OK);
            flow_figures(f, c.source, &x);
            mean_add(&by_hour[h], (double)(x.entered - before));
            before = x.entered;
        }
        mean_add(&all, (double)before);
    }
    for (int h = 0; h < 19; h++) assert_true(fabs(by_hour[h].mean - hourly[h % 18]) < mean_half(&by_hour[h]));
    assert_true(fabs(all.mean - sum) < mean_half(&all));
    assert_true(fabs(all.m2 / 399 / sum - 1) < 0.25); // Poisson: its variance is its mean
    flow_close(f);
    flow_model_free(c.m);
}

static void combined(const char *what, const Mean *m, double check, double error) {
    double own = sqrt(m->m2 / (m->n - 1) / m->n), apart = fabs(m->mean - check);
    print_message("  %-18s %8.2f +- %.2f, check %.2f +- %.2f\n", what, m->mean, own, check, error);
    assert_true(apart <= 3 * sqrt(own * own + error * error));
}

static void test_treatment_centre(void **s) {
    static const double published[5][STEPS] = {
        // triage, registration, examination, treatment, stabilisation, trauma treatment
        {28.86, 113.56, 24.57, 137.72, 144.46, 168.27}, {1.09, 138.79, 24.15, 139.98, 154.00, 209.12},
        {36.46, 106.27, 0.13, 151.82, 132.94, 195.16},  {39.36, 108.46, 23.03, 2.26, 146.09, 150.37},
        {1.14, 140.14, 0.15, 152.09, 165.43, 193.69},
    };
    static const int more[5][3] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}};
    static const double checks[STEPS][2] = {{31.1, .9},   {101.9, 1.2}, {25.5, .4},
                                            {132.6, 1.3}, {146.7, 3.8}, {178.2, 4.7}};
    CentreMeans o;
    (void)s;
    for (int k = 0; k < 5; k++) {
        run_centre(more[k][0], more[k][1], more[k][2], 1000, &o);
        for (int i = 0; i < STEPS; i++) {
            double cell = published[k][i], apart = fabs(o.wait[i].mean - cell);
            if (apart > (cell < 3 ? 0.5 : 0.25 * cell))
                print_message("scenario %d, %s: %.2f, published %.2f\n", k, step_names[i], o.wait[i].mean, cell);
            assert_true(apart <= (cell < 3 ? 0.5 : 0.25 * cell));
            if (k == 0) combined(step_names[i], &o.wait[i], checks[i][0], checks[i][1]);
        }
        if (k) continue;
        combined("arrivals", &o.arrivals, 226.8, 0.8);
        combined("throughput", &o.out, 154.4, 0.4);
    }
}

// ---- stroke wards; days --------------------------------------------------------------------------------------------

enum { STROKE, TIA, NEURO, OTHER, KINDS };
static const double acute_gap[KINDS] = {1.2, 9.3, 3.6, 3.2}, rehab_gap[KINDS] = {21.8, 0, 31.7, 28.6};
static const double to_rehab[KINDS] = {.24, .01, .11, .05}, to_esd[KINDS] = {.13, .01, .05, .10};
// Of an item: its path after the acute ward (0 rehabilitation, 1 early supported discharge, 2 other).
enum { PATH_REHAB, PATH_ESD, PATH_OTHER };

static FlowRef stay(double mean, double sd) { return net_dist(&net, FLOW_LOGNORMAL, mean, sd, 0); }

static FlowRef pick(double by, const FlowRef *refs, uint32_t n) {
    double v[8];
    for (uint32_t i = 0; i < n; i++) v[i] = refs[i];
    return net_table(&net, FLOW_PICK, by, v, n);
}

typedef struct Wards {
    uint32_t acute, rehab, done;
    FlowModel *m;
} Wards;

static void sources(uint32_t acute, uint32_t rehab, double more) {
    for (uint32_t k = 0; k < KINDS; k++) {
        const double path[] = {PATH_REHAB, to_rehab[k], PATH_ESD, to_esd[k], PATH_OTHER, 1 - to_rehab[k] - to_esd[k]};
        FlowRef way = net_table(&net, FLOW_EMPIRICAL, 0, path, 6);
        uint32_t n = net_node(&net, (FlowNode){.kind = FLOW_SOURCE, .first_gap = true, .type = k});
        net.nodes[n].sets = net_set(&net, (FlowSet){.of = FLOW_SET_ATTRIBUTE, .dist = way});
        net.nodes[n].gap = net_dist(&net, FLOW_EXPONENTIAL, acute_gap[k] / more, 0, 0);
        net_edge(&net, n, acute, 1);
        if (rehab_gap[k] == 0) continue;
        n = net_node(&net, (FlowNode){.kind = FLOW_SOURCE, .first_gap = true, .type = k});
        net.nodes[n].gap = net_dist(&net, FLOW_EXPONENTIAL, rehab_gap[k] / more, 0, 0);
        net_edge(&net, n, rehab, 1);
    }
}

// Of an acute stay by type, for stroke by path; of a rehabilitation stay likewise, for stroke with and without ESD.
static void stays(FlowRef *acute, FlowRef *rehab) {
    const FlowRef stroke[] = {stay(7.4, 8.61), stay(4.6, 4.8), stay(7.0, 8.7)};
    // A pick cannot pick again: by one number, type and path together.
    FlowRef a[KINDS] = {0, stay(1.8, 2.3), stay(4, 5), stay(3.8, 5.2)};
    const FlowRef all[] = {stroke[0], stroke[1], stroke[2], a[TIA], a[NEURO], a[OTHER]};
    *acute = pick(1, all, 6);
    const FlowRef back[] = {stay(28.4, 27.2), stay(30.3, 23.1), stay(18.7, 23.5), stay(27.6, 28.4), stay(16.1, 14.1)};
    *rehab = pick(2, back, 5);
}

// Attribute 1: which acute stay (path, or 2 + type); attribute 2: which rehabilitation stay (0, 1: stroke; 1 + type).
static void chains(void) {
    const double esd[] = {0, .6, 1, .4};
    FlowRef back_stroke = net_table(&net, FLOW_EMPIRICAL, 0, esd, 4), path = net_dist(&net, FLOW_ATTRIBUTE, 0, 1, 0);
    FlowRef a[KINDS], b[KINDS];
    for (uint32_t k = 0; k < KINDS; k++) {
        a[k] = k == STROKE ? path : net_dist(&net, FLOW_CONST, 2 + k, 0, 0);
        b[k] = k == STROKE ? back_stroke : net_dist(&net, FLOW_CONST, 1 + k, 0, 0);
    }
    FlowRef acute = pick(-1, a, KINDS), rehab = pick(-1, b, KINDS);
    for (uint32_t i = 0; i < net.def.node_count; i++) {
        FlowNode *n = &net.nodes[i];
        if (n->kind != FLOW_SOURCE) continue;
        FlowRange own = n->sets, all = {net.def.set_count, 0};
        if (own.count) net_set(&net, net.sets[own.first]), all.count++;
        net_set(&net, (FlowSet){.of = FLOW_SET_ATTRIBUTE, .attribute = 1, .dist = acute});
        net_set(&net, (FlowSet){.of = FLOW_SET_ATTRIBUTE, .attribute = 2, .dist = rehab});
        all.count += 2;
        n->sets = all;
    }
}

// Beds without end, as the published model has them; how many are in use is counted.
static Wards wards(double more) {
    Wards w;
    FlowRef a, r;
    net_init(&net);
    net.def.types = KINDS;
    net.def.attributes = 3;
    stays(&a, &r);
    w.acute = net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = INFINITY, .service = a, .levels = 60});
    w.rehab = net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = INFINITY, .service = r, .levels = 60});
    w.done = net_node(&net, (FlowNode){.kind = FLOW_SINK});
    sources(w.acute, w.rehab, more);
    chains();
    uint32_t e = net_edge(&net, w.acute, w.rehab, 1);
    net.edges[e].test = FLOW_EQ; // attribute 0 is PATH_REHAB
    e = net_edge(&net, w.acute, w.done, 1);
    net.edges[e].test = FLOW_NE;
    net_edge(&net, w.rehab, w.done, 1);
    w.m = net_make(&net);
    return w;
}

// P(N = b) / P(N <= b) of the levels of a node.
static double delay(const Flow *f, uint32_t node, uint32_t beds) {
    double below = 0;
    for (uint32_t k = 0; k <= beds; k++) below += flow_level(f, node, k);
    return flow_level(f, node, beds) / below;
}

static double erlang(double load, int beds) {
    double b = 1;
    for (int k = 1; k <= beds; k++) b = load * b / (k + load * b);
    return b;
}

typedef struct Beds {
    bool rehab;
    double more;
    uint32_t beds;
    double published;
} Beds;

static const Beds table[] = {
    {0, 1, 9, .18},     {0, 1, 10, .13},    {0, 1, 11, .08},    {0, 1, 12, .06},    {0, 1, 13, .03},
    {0, 1, 14, .02},    {0, 1.05, 10, .15}, {0, 1.05, 11, .10}, {0, 1.05, 12, .07}, {0, 1.05, 13, .04},
    {0, 1.05, 14, .03}, {1, 1, 10, .20},    {1, 1, 12, .11},    {1, 1, 13, .08},    {1, 1, 14, .05},
    {1, 1, 15, .03},    {1, 1, 16, .02},    {1, 1.05, 12, .13}, {1, 1.05, 13, .09}, {1, 1.05, 14, .06},
    {1, 1.05, 15, .04}, {1, 1.05, 16, .03},
};

// About 1.2e5 patients.
static void test_stroke_wards(void **s) {
    (void)s;
    for (int k = 0; k < 2; k++) {
        double more = k ? 1.05 : 1;
        Wards w = wards(more);
        Flow *f = flow_open(w.m);
        net_run(f, &(FlowStart){.seed = 9, .warmup = 1000}, 80000);
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            const Beds *b = &table[i];
            if (b->more != more) continue;
            double p = delay(f, b->rehab ? w.rehab : w.acute, b->beds);
            double closed = erlang((b->rehab ? 9.718218 : 8.145493) * more, (int)b->beds);
            if (fabs(p - closed) > 0.005 || fabs(p - b->published) > 0.0125)
                print_message("%s, %u beds: %.4f, closed %.4f, published %.2f\n", b->rehab ? "rehabilitation" : "acute",
                              b->beds, p, closed, b->published);
            assert_true(fabs(p - closed) <= 0.005);
            assert_true(fabs(p - b->published) <= 0.0125); // its two decimals, and 0.01
        }
        flow_close(f);
        flow_model_free(w.m);
    }
}

// ---- pooled beds: how many patients both wards have at once --------------------------------------------------------

enum { MOST = 60 };
static double together[MOST][MOST]; // part of the time

static void watch_both(double until) {
    Wards w = wards(1);
    Flow *f = flow_open(w.m);
    double samples = 0;
    net_run(f, &(FlowStart){.seed = 9}, 1000);
    memset(together, 0, sizeof together);
    for (double t = 1000; t < until; t += 0.5, samples++) {
        FlowFigures a, r;
        assert_int_equal(flow_until(f, t, NULL), ERR_OK);
        flow_figures(f, w.acute, &a);
        flow_figures(f, w.rehab, &r);
        together[a.inside < MOST ? a.inside : MOST - 1][r.inside < MOST ? r.inside : MOST - 1]++;
    }
    for (int i = 0; i < MOST * MOST; i++) (&together[0][0])[i] /= samples;
    flow_close(f);
    flow_model_free(w.m);
}

static double poisson(double load, int n) {
    double p = exp(-load);
    for (int k = 1; k <= n; k++) p *= load / k;
    return p;
}

typedef struct Pool {
    int acute, rehab, pooled;
    double published[2];
} Pool;

// Delayed: those of a ward whose own beds are full, and with what both have too many of, the pooled ones too.
static void delays(const Pool *p, double seen[2], double closed[2]) {
    seen[0] = seen[1] = closed[0] = closed[1] = 0;
    for (int a = 0; a < MOST; a++) {
        for (int r = 0; r < MOST; r++) {
            int more = (a > p->acute ? a - p->acute : 0) + (r > p->rehab ? r - p->rehab : 0);
            double product = poisson(8.145493, a) * poisson(9.718218, r);
            if (more < p->pooled) continue;
            if (a >= p->acute) seen[0] += together[a][r], closed[0] += product;
            if (r >= p->rehab) seen[1] += together[a][r], closed[1] += product;
        }
    }
}

static void test_pooled_wards(void **s) {
    static const Pool pools[] = {{11, 11, 4, {.043, .090}}, {11, 10, 5, {.036, .091}}, {10, 10, 6, {.041, .066}},
                                 {10, 9, 7, {.038, .066}},  {9, 9, 8, {.041, .053}},   {9, 8, 9, {.040, .053}}};
    static const double all[2][2] = {{22, .065}, {26, .016}};
    (void)s;
    watch_both(800000);
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        double seen[2], closed[2];
        delays(&pools[i], seen, closed);
        for (int k = 0; k < 2; k++) {
            if (fabs(seen[k] - closed[k]) > 0.005) print_message("row %zu: %.4f, closed %.4f\n", i, seen[k], closed[k]);
            assert_true(fabs(seen[k] - closed[k]) <= 0.005);
            assert_true(fabs(seen[k] - pools[i].published[k]) <= 0.01);
        }
    }
    for (int i = 0; i < 2; i++) { // one ward of so many beds
        double full = 0, below = 0;
        for (int a = 0; a < MOST; a++) {
            for (int r = 0; r < MOST; r++) {
                if (a + r == (int)all[i][0]) full += together[a][r];
                if (a + r <= (int)all[i][0]) below += together[a][r];
            }
        }
        assert_true(fabs(full / below - erlang(8.145493 + 9.718218, (int)all[i][0])) <= 0.005);
        assert_true(fabs(full / below - all[i][1]) <= 0.01);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_over_the_day),
        cmocka_unit_test(test_treatment_centre),
        cmocka_unit_test(test_stroke_wards),
        cmocka_unit_test(test_pooled_wards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
