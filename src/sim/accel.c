// SPDX-License-Identifier: Apache-2.0
// Loops within an instant, faster: Anderson acceleration of depth 2 over what one memoryless engine of the loop writes.
//
// Rounds of delivery are a fixed-point iteration x -> g(x): x what was delivered of the engine's outputs, g what it
// makes of that by way of the others. From its ACCEL_FROM-th reaction in an instant on, what is delivered in place of g
// is (Walker and Ni 2011, equations 2.1 and 2.2, damping 1)
//
//   x' = g0 - c1 (g0 - g1) - c2 (g1 - g2),  c minimising |f0 - c1 (f0 - f1) - c2 (f1 - f2)|,  f = g - x
//
// Invariants
//  1. A lane's numbers depend on that lane alone: one Accel a lane, sums in order of the cells.
//  2. The engine never sees x' in its own outputs: g is put back before it reacts.
//  3. An instant ends with g in the columns, delivered: x' is only ever a guess on the way. When it was the last word,
//     g takes its place and whoever it then still moves goes on.
//  4. What is left of a loop is less than a tolerance, or rounding (ROUNDING), or nothing.
//  5. Whether a loop is one without end is decided as without: rounds are counted, see too_often.
#include <math.h>
#include "base/mem.h"
#include "sim/inner.h"

enum { DEPTH = 2, ACCEL_FROM = 4 };
#define ACCEL_CELLS_MAX 65536 // of one loop; larger ones are iterated as they are
#define GROWTH 4.0            // a residual that grows by more is another loop: begin anew
#define REACH 1e4             // steps are no longer than so many residuals
#define ROUNDING 1e-13 // relative: what is left is the rounding of the numbers, which loops may never leave behind

typedef struct AccelCell {
    uint32_t role, column, row;
    double x[DEPTH + 1], g[DEPTH + 1]; // newest first
    double weight;
} AccelCell;

struct Accel {
    uint32_t inst;
    AccelCell *cells;
    uint32_t count, cap;
    uint32_t **place; // by role, by its row: number of the cell + 1
    uint32_t roles;
    int depth;    // of what is known: pairs
    double size;  // of the newest residual
    bool guessed; // the columns hold x'
    bool off;     // too large, or without values: as it is, for this instant
};

// ---- lives --------------------------------------------------------------------------------------------------------

static void accel_free(Accel *a) {
    if (!a) return;
    for (uint32_t i = 0; i < a->roles; i++) mem_free(a->place[i]);
    mem_free(a->place);
    mem_free(a->cells);
    mem_free(a);
}

void accel_drop(Sim *s) {
    if (!s->accelerates) return;
    s->accelerates = false;
    for (uint32_t l = 0; l < SIM_LANES_MAX; l++) {
        accel_free(s->accel[l]);
        s->accel[l] = NULL;
    }
}

static Accel *accel_new(const Inst *i) {
    Accel *a = mem_alloc(sizeof *a);
    a->inst = i->number;
    a->roles = i->wire->e.role_count;
    a->place = mem_alloc((a->roles + 1) * sizeof *a->place);
    return a;
}

// One whose outputs follow from its inputs alone, none of which it writes itself.
static bool fits(const Inst *i) {
    const InstWire *w = i->wire;
    if (!(w->e.engine->caps & SIM_MEMORYLESS) || w->e.engine->advance || w->e.engine->next) return false;
    for (uint32_t r = 0; r < w->e.role_count; r++) {
        if (!(w->roles[r].bind.dir & SIM_IN) || w->roles[r].from_column) continue;
        for (uint32_t k = 0; k < w->e.role_count; k++) {
            bool out = w->roles[k].bind.dir & SIM_OUT;
            if (out && !w->roles[k].from_column && w->roles[k].bind.column == w->roles[r].bind.column) return false;
        }
    }
    return true;
}

// ---- cells --------------------------------------------------------------------------------------------------------

static double *value_at(Sim *s, const AccelCell *c, uint32_t lane) {
    return &s->columns[c->column].v->v[place(s, c->row, lane)];
}

static double *seen_at(Sim *s, const AccelCell *c, uint32_t lane) {
    return &s->columns[c->column].seen->v[place(s, c->row, lane)];
}

// at: of the role.
static void take_cell(Inst *i, Accel *a, uint32_t role, uint32_t at, const AccelCell *of, uint32_t lane) {
    Sim *s = i->sim;
    if (!a->place[role]) a->place[role] = mem_alloc((i->wire->roles[role].rows + 1) * sizeof *a->place[role]);
    if (a->place[role][at]) return;
    if (a->count == ACCEL_CELLS_MAX) a->off = true;
    if (a->off) return;
    if (a->count == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 16;
        a->cells = mem_grow(a->cells, a->cap * sizeof *a->cells);
    }
    AccelCell c = *of;
    double x = *seen_at(s, &c, lane), g = *value_at(s, &c, lane);
    for (int k = 0; k <= DEPTH; k++) c.x[k] = c.g[k] = x; // it did not move before
    c.weight = 1 / (fabs(x) + fabs(g) + 1e-300);
    a->cells[a->count] = c;
    a->place[role][at] = ++a->count;
}

// Cells that moved now and were not among them.
static void take_cells(Inst *i, Accel *a, uint32_t lane) {
    Sim *s = i->sim;
    uint32_t column, row;
    for (uint32_t k = 0; k < i->touched_count; k++) {
        uint32_t role = i->touched[k];
        const RoleWire *w = &i->wire->roles[role];
        const Port *p = &i->ports[role];
        for (uint32_t n = 0; n < p->touched.n && !a->off; n++) {
            uint32_t at = p->touched.rows[n];
            if (!(p->touched.mask[at] >> lane & 1) || !role_cell(w, at, &column, &row)) continue;
            AccelCell c = {.role = role, .column = column, .row = row};
            if (same_value(*value_at(s, &c, lane), *seen_at(s, &c, lane))) continue;
            if (s->wire->columns[column].what.type == SIM_NUMBER) take_cell(i, a, role, at, &c, lane);
            else a->off = true; // there is nothing between two texts
        }
    }
}

// ---- one step -----------------------------------------------------------------------------------------------------

static double f_of(const AccelCell *c, int k) { return c->g[k] - c->x[k]; }

// The newest pair of every cell. False: one has no value.
static bool take_pairs(Sim *s, Accel *a, uint32_t lane) {
    double size = 0;
    for (uint32_t n = 0; n < a->count; n++) {
        AccelCell *c = &a->cells[n];
        for (int k = DEPTH; k > 0; k--) {
            c->x[k] = c->x[k - 1];
            c->g[k] = c->g[k - 1];
        }
        c->x[0] = *seen_at(s, c, lane);
        c->g[0] = *value_at(s, c, lane);
        double f = f_of(c, 0) * c->weight;
        size += f * f;
    }
    if (!isfinite(size)) return false;
    a->depth = a->depth && size > GROWTH * GROWTH * a->size ? 1 : a->depth <= DEPTH ? a->depth + 1 : DEPTH + 1;
    a->size = size;
    return true;
}

// c of the least squares, by its normal equations; false: the differences say nothing.
static bool solve(const Accel *a, double c[DEPTH]) {
    double m11 = 0, m12 = 0, m22 = 0, b1 = 0, b2 = 0;
    for (uint32_t n = 0; n < a->count; n++) {
        const AccelCell *x = &a->cells[n];
        double w = x->weight, f = f_of(x, 0) * w, d1 = f - f_of(x, 1) * w, d2 = (f_of(x, 1) - f_of(x, 2)) * w;
        if (a->depth <= DEPTH) d2 = 0;
        m11 += d1 * d1;
        m12 += d1 * d2;
        m22 += d2 * d2;
        b1 += d1 * f;
        b2 += d2 * f;
    }
    double det = m11 * m22 - m12 * m12;
    c[0] = c[1] = 0;
    if (!(m11 > 0)) return false;
    if (m22 > 0 && det > 1e-12 * m11 * m22) {
        c[0] = (b1 * m22 - b2 * m12) / det;
        c[1] = (b2 * m11 - b1 * m12) / det;
    } else {
        c[0] = b1 / m11;
    }
    return isfinite(c[0]) && isfinite(c[1]);
}

// Is the guess within reach?
static bool sound(const Accel *a, const double c[DEPTH]) {
    double step = 0;
    for (uint32_t n = 0; n < a->count; n++) {
        const AccelCell *x = &a->cells[n];
        double d = (c[0] * (x->g[0] - x->g[1]) + c[1] * (x->g[1] - x->g[2])) * x->weight;
        step += d * d;
    }
    return isfinite(step) && step <= REACH * REACH * a->size;
}

static void guess(Sim *s, Accel *a, uint32_t lane, const double c[DEPTH]) {
    for (uint32_t n = 0; n < a->count; n++) {
        const AccelCell *x = &a->cells[n];
        double d2 = a->depth > DEPTH ? c[1] * (x->g[1] - x->g[2]) : 0;
        *value_at(s, x, lane) = x->g[0] - c[0] * (x->g[0] - x->g[1]) - d2;
    }
    a->guessed = true;
}

// Is nothing left but rounding? Then that wakes nobody: g stands, as if it had been delivered.
static bool arrived(Sim *s, const Accel *a, uint32_t lane) {
    for (uint32_t n = 0; n < a->count; n++) {
        const AccelCell *x = &a->cells[n];
        if (fabs(f_of(x, 0)) > ROUNDING * (fabs(x->x[0]) + fabs(x->g[0]))) return false;
    }
    for (uint32_t n = 0; n < a->count; n++) *seen_at(s, &a->cells[n], lane) = a->cells[n].g[0];
    return true;
}

static void step(Inst *i, Accel *a, uint32_t lane) {
    Sim *s = i->sim;
    double c[DEPTH];
    take_cells(i, a, lane);
    if (a->off || !a->count) return;
    if (!take_pairs(s, a, lane)) {
        a->off = true;
        return;
    }
    if (arrived(s, a, lane)) return;
    if (a->depth < 2 || !(a->size > 0) || !solve(a, c) || !sound(a, c)) return;
    guess(s, a, lane, c);
    for (uint32_t n = 0; n < a->count; n++) {
        const AccelCell *x = &a->cells[n];
        cell_deliver(i, x->role, x->column, x->row, (uint8_t)(1u << lane));
    }
}

void accel_step(Inst *i, uint8_t lanes) {
    Sim *s = i->sim;
    for (uint32_t l = 0; l < s->open.lanes; l++) {
        if (!(lanes >> l & 1) || i->reacts[l] < ACCEL_FROM) continue;
        if (!s->accel[l] && !s->open.plain && fits(i)) {
            s->accel[l] = accel_new(i);
            s->accelerates = true;
        }
        Accel *a = s->accel[l];
        if (a && a->inst == i->number && !a->off) step(i, a, l);
    }
}

// ---- back to what is so ---------------------------------------------------------------------------------------------

static bool put_back(Sim *s, uint32_t lane) {
    Accel *a = s->accel[lane];
    if (!a || !a->guessed) return false;
    for (uint32_t n = 0; n < a->count; n++) *value_at(s, &a->cells[n], lane) = a->cells[n].g[0];
    a->guessed = false;
    return true;
}

void accel_restore(Inst *i, uint8_t lanes) {
    Sim *s = i->sim;
    for (uint32_t l = 0; l < s->open.lanes; l++)
        if (lanes >> l & 1 && s->accel[l] && s->accel[l]->inst == i->number) (void)put_back(s, l);
}

bool accel_end(Sim *s) {
    bool any = false;
    for (uint32_t l = 0; l < s->open.lanes; l++) {
        if (!put_back(s, l)) continue;
        const Accel *a = s->accel[l];
        for (uint32_t n = 0; n < a->count; n++)
            cell_deliver(&s->insts[a->inst], a->cells[n].role, a->cells[n].column, a->cells[n].row, (uint8_t)(1u << l));
        any = true;
    }
    return any;
}
