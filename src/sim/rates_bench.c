// SPDX-License-Identifier: Apache-2.0
// How fast behaviours are. One thread, one core.
//   sim.behaviours     One evaluation: der(level) = (inflow - outflow) / area of one twin, from its columns to a column
//                      of rates, with the rule that what is not finite is no value. 100,000 twins, one lane. Peer: the
//                      same formula as a C loop over the same columns, by the same compiler.
//   sim.bergman        One patient for 182 minutes (Bergman's minimal model, 24 kinks of insulin) among 1,024 in one
//                      world, to 1e-5 mg/dL of the published values. Peer: CVODE at rtol 1e-9, one patient, in C.
#include <math.h>
#include "base/bench.h"
#include "base/mem.h"
#include "num/cvode.h"
#include "sim/rates_inner.h"
#include "sim/test_rates.h"

enum { TWINS = 100000, PATIENTS = 1024, ROUNDS = 15 };

static void many(Rig *t, uint32_t n, const char *values) {
    char name[32], body[500];
    Lab *l = &t->lab;
    for (uint32_t i = 0; i < n; i += 500) {
        lab_begin(l);
        for (uint32_t k = i; k < n && k < i + 500; k++) {
            snprintf(name, sizeof name, "t%u", k);
            snprintf(body, sizeof body, "{'$metadata':{'$model':'dtmi:t:Cell;1'},'pump':{'$metadata':{}},%s}", values);
            CHECK(edit_twin_put(l->w, str_of(name), lab_json(l, body), (Precondition){0}, &l->created, &l->diag) ==
                  ERR_OK);
        }
        CHECK(lab_finish(l, ERR_OK) == ERR_OK);
    }
}

// As hand-written C has it.
__attribute__((noinline)) static void by_hand(uint32_t n, const double *in, const double *out, const double *area,
                                              double *rate) {
    for (uint32_t i = 0; i < n; i++) rate[i] = (in[i] - out[i]) / area[i];
}

static void behaviours(void) {
    Rig t;
    Bench b = {.name = "sim.behaviours", .unit = "M/s", .goal = 300, .peer = "the same loop in C"};
    rig_open(&t);
    many(&t, TWINS, "'x':2,'y':1.5,'k':3,'z':0");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(z) = (x - y) / k']}");
    rig_must(&t, rig_begin(&t, NULL));
    const RatesInst *in = &t.r->insts[0];
    sim_col *col = mem_alloc(t.r->role_count * sizeof *col);
    const double *v[4] = {0};
    for (uint32_t i = 0; i < t.r->role_count; i++) {
        col[i] = *sim_column_at(t.s, sim_column(t.s, t.r->roles[i].col));
        v[t.r->roles[i].field->name.p[0] == 'k' ? 3 : t.r->roles[i].field->name.p[0] - 'x'] = col[i].v;
    }
    ProgUnit unit = {0};
    double now = 0, *out = mem_alloc(TWINS * sizeof *out), peer[ROUNDS];
    ProgRun run = {.unit = &unit, .col = col, .lanes = 1, .t = &now};
    ProgSel sel = {.n = TWINS, .lane = -1};
    for (int r = 0; r < ROUNDS; r++) {
        enum { TIMES = 50 };
        int64_t since = time_mono_ns();
        for (int i = 0; i < TIMES; i++) prog_run(&in->expr, &run, &sel, out, NULL);
        bench_add(&b, TWINS * (double)TIMES / bench_seconds(since) / 1e6);
        CHECK(out[TWINS - 1] == 0.5 / 3);
        since = time_mono_ns();
        for (int i = 0; i < TIMES; i++) by_hand(TWINS, v[0], v[1], v[3], out);
        peer[r] = TWINS * (double)TIMES / bench_seconds(since) / 1e6;
    }
    b.peer_value = bench_median(peer, ROUNDS);
    bench_print(&b);
    mem_free(col);
    mem_free(out);
    rig_close(&t);
}

static const double MINUTE[] = {0,  2,  4,  6,  8,  10, 12, 14,  16,  19,  22,  27,
                                32, 42, 52, 62, 72, 82, 92, 102, 122, 142, 162, 182};
static const double INSULIN[] = {11, 26, 130, 85, 51, 49, 45, 41, 35, 30, 30, 27,
                                 30, 22, 15,  15, 11, 10, 8,  11, 7,  8,  8,  7};

static int glucose(void *ctx, double t, const double *y, double *dy) {
    const int *k = ctx;
    double f = (t / 60 - MINUTE[*k]) / (MINUTE[*k + 1] - MINUTE[*k]);
    double i = INSULIN[*k] + f * (INSULIN[*k + 1] - INSULIN[*k]);
    dy[0] = (-(0.026 + y[1]) * y[0] + 0.026 * 92) / 60;
    dy[1] = 0.025 * (5e-4 * (i - 11) - y[1]) / 60;
    return 0;
}

// One patient by CVODE, us; 0: it is not there.
static double cvode_patient(void) {
    enum { MOST = 1000 };
    if (!cvode_found(NULL)) return 0;
    double *ends = mem_alloc(MOST * 8), *coef = mem_alloc(MOST * 8 * 12), y[2] = {279, 0};
    const char *why;
    int64_t since = time_mono_ns();
    for (int k = 0; k < 23; k++) {
        CvodeProblem p = {.n = 2, .rtol = 1e-9, .atol = 1e-9, .rates = glucose, .ctx = &k};
        int32_t n = cvode_run(&p, MINUTE[k] * 60, y, MINUTE[k + 1] * 60, MOST, ends, coef, &why);
        CHECK(n > 0 && n < MOST);
        for (int i = 0; i < 2; i++) y[i] = coef[(n - 1) * 12 + i];
    }
    double us = bench_seconds(since) * 1e6;
    CHECK(fabs(y[0] - 92.802798) < 1e-4);
    mem_free(ends);
    mem_free(coef);
    return us;
}

static void bergman(void) {
    Rig t;
    Buf doc = {0};
    Bench b = {.name = "sim.bergman", .unit = "us", .goal = 20, .less = true, .peer = "CVODE, one patient"};
    rig_open(&t);
    many(&t, PATIENTS, "'x':279,'y':0");
    buf_printf(&doc, "{'model':'dtmi:t:Cell;1','parameters':{'Sg':'0.026 `1/min`','k3':'0.025 `1/min`'},'say':["
                     "'der(x) = -(Sg + y * 1 `1/min`) * x + Sg * 92','der(y) = k3 * (5e-4 * (z - 11) - y)',"
                     "'z = TABLE(elapsed");
    for (int i = 0; i < 24; i++) buf_printf(&doc, ", %gm, %g", MINUTE[i], INSULIN[i]);
    buf_printf(&doc, ")']}%c", 0);
    rig_behaviour(&t, "glucose", doc.p);
    rig_must(&t, rig_make(&t, &(RatesOptions){.rtol = 1e-7, .atol = 1e-9}));
    double peer[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        Sim *s = rig_sim(&t, 1, 1);
        rig_must(&t, rig_start_sim(&t, s));
        int64_t since = time_mono_ns();
        rig_must(&t, rig_run_sim(&t, s, 182 * 60));
        bench_add(&b, bench_seconds(since) * 1e6 / PATIENTS);
        CHECK(fabs(rig_value_of(&t, s, "t1000", "x", 0) - 92.802798) < 1e-5);
        sim_free(s);
        peer[r] = cvode_patient();
    }
    b.peer_value = bench_median(peer, ROUNDS);
    bench_print(&b);
    buf_free(&doc);
    rig_close(&t);
}

int main(void) {
    behaviours();
    bergman();
    return 0;
}
