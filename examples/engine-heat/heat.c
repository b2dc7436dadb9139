// SPDX-License-Identifier: Apache-2.0
// An engine as a plug-in: heat between bodies at rest. Bodies (nodes) exchange heat through walls (edges) with a
// conductance in W/K; some have a temperature of their own (fixed), the others get heat in W and take the temperature
// at which what comes in goes out:
//
//   for each free body i:  sum over its walls of g (T_j - T_i) + heat_i = 0
//
// Solved by conjugate gradients (Hestenes and Stiefel 1952) from the same start each time, so that the same inputs give
// the same bytes. Bodies with neither a wall to anywhere fixed nor heat have no temperature: the run stops, and says
// which. Build it as a shared object; name it in a mapping as "heat-network".
#include <math.h>
#include <sosia/sosia_engine.h>
#include <string.h>

enum { FIXED, GIVEN, HEAT, TEMPERATURE, CONDUCTANCE, FLOW };

static const sim_role roles[] = {
    {"fixed", "", SIM_BOOL, SIM_IN, 0, 0, 0, "has it the temperature that is given?"},
    {"given", "K", SIM_NUMBER, SIM_IN, 0, 0, 293.15, "temperature of a fixed body"},
    {"heat", "W", SIM_NUMBER, SIM_IN, 0, 0, 0, "heat that goes in from outside"},
    {"temperature", "K", SIM_NUMBER, SIM_OUT, 0, 1, NAN, "of the body"},
    {"conductance", "W/K", SIM_NUMBER, SIM_IN, 1, 1, NAN, "of the wall"},
    {"flow", "W", SIM_NUMBER, SIM_OUT, 1, 0, NAN, "heat through the wall, from its first body to its second"},
};

// The vectors of the solver are the whole state: nothing in it outlives a call.
static size_t state_size(const sim_ctx *c) { return 4 * sizeof(double) * c->topo->nodes; }

static double in(const sim_ctx *c, int role, uint32_t row, uint16_t lane) {
    return c->col[role].v[(size_t)row * c->lanes + lane];
}

static void out(sim_ctx *c, int role, uint32_t row, uint16_t lane, double v) {
    double *cell = &c->col[role].v[(size_t)row * c->lanes + lane];
    if (c->col[role].n == 0 || *cell == v) return;
    *cell = v;
    c->touch(c, (uint32_t)role, row, lane);
}

// y = A x on the free bodies; fixed ones are 0 in both.
static void apply(const sim_ctx *c, uint16_t lane, const double *x, double *y) {
    const sim_topo *t = c->topo;
    memset(y, 0, t->nodes * sizeof *y);
    for (uint32_t e = 0; e < t->edges; e++) {
        double q = in(c, CONDUCTANCE, e, lane) * (x[t->from[e]] - x[t->to[e]]);
        y[t->from[e]] += q;
        y[t->to[e]] -= q;
    }
    for (uint32_t i = 0; i < t->nodes; i++) {
        if (in(c, FIXED, i, lane) != 0) y[i] = 0;
    }
}

static double dot(const double *a, const double *b, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

// Temperatures into x. Returns the row of a body without one, or -1.
static int64_t solve(sim_ctx *c, uint16_t lane, double *x) {
    uint32_t n = c->topo->nodes;
    double *r = x + n, *p = r + n, *ap = p + n, scale = 0;
    for (uint32_t i = 0; i < n; i++) x[i] = in(c, FIXED, i, lane) != 0 ? in(c, GIVEN, i, lane) : 0;
    apply(c, lane, x, ap);
    for (uint32_t i = 0; i < n; i++) {
        r[i] = in(c, FIXED, i, lane) != 0 ? 0 : in(c, HEAT, i, lane) - ap[i];
        p[i] = r[i];
    }
    scale = dot(r, r, n);
    double rr = scale;
    for (uint32_t k = 0; k < 4 * n + 20 && rr > 1e-26 * scale; k++) {
        apply(c, lane, p, ap);
        double pap = dot(p, ap, n);
        if (!(pap > 0)) break;
        double a = rr / pap, before = rr;
        for (uint32_t i = 0; i < n; i++) {
            x[i] += a * p[i];
            r[i] -= a * ap[i];
        }
        rr = dot(r, r, n);
        for (uint32_t i = 0; i < n; i++) p[i] = r[i] + rr / before * p[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!(fabs(r[i]) <= 1e-9 * sqrt(scale) + 1e-9) || !isfinite(x[i])) return i;
    }
    return -1;
}

static int react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    double *x = c->state;
    const sim_topo *g = c->topo;
    (void)t, (void)moved;
    if (n == 0 || g->nodes == 0) return 0;
    for (uint16_t lane = 0; lane < c->lanes; lane++) {
        if (!(c->lane_mask >> lane & 1)) continue;
        int64_t lost = solve(c, lane, x);
        if (lost >= 0) return c->fail(c, (sim_row)lost, "its heat has nowhere to go");
        for (uint32_t i = 0; i < g->nodes; i++) out(c, TEMPERATURE, i, lane, x[i]);
        for (uint32_t e = 0; e < g->edges; e++)
            out(c, FLOW, e, lane, in(c, CONDUCTANCE, e, lane) * (x[g->from[e]] - x[g->to[e]]));
    }
    return 0;
}

static const sim_engine engine = {
    .abi = SOSIA_ENGINE_ABI,
    .name = "heat-network",
    .doc = "Steady heat between bodies through walls",
    .caps = SIM_CAN_LANES | SIM_MEMORYLESS,
    .roles = roles,
    .role_count = sizeof roles / sizeof *roles,
    .state_size = state_size,
    .react = react,
};

const sim_engine *sosia_sim_engine(void);
const sim_engine *sosia_sim_engine(void) { return &engine; }
