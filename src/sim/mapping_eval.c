// SPDX-License-Identifier: Apache-2.0
// The engine behind a mapping's expressions: memoryless, one a group and role. Expressions are evaluated in the units
// of the properties they name, as everywhere else, and their value is converted.
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"
#include "sim/mapping_inner.h"

static ExprValue slot_value(const Sim *s, const Field *f, uint32_t column, double si) {
    uint64_t bits;
    Str text;
    if (!sim_value_out(s, column, si, &bits, &text, NULL)) return (ExprValue){.type = EXPR_UNDEFINED};
    switch (f->cell) {
    case CELL_BOOL: return (ExprValue){.type = EXPR_BOOL, .b = bits != 0};
    case CELL_F64: return (ExprValue){.type = EXPR_F64, .d = double_of(bits)};
    case CELL_STR: return (ExprValue){.type = EXPR_STR, .s = text};
    case CELL_DOC: return (ExprValue){.type = EXPR_DOC, .s = text};
    default:
        if (f->type->shape == SHAPE_ULONG && (int64_t)bits < 0) return (ExprValue){.type = EXPR_F64, .d = (double)bits};
        return (ExprValue){.type = EXPR_I64, .i = (int64_t)bits};
    }
}

static double in_si(Sim *s, const MapRole *r, const ExprValue *v) {
    switch (v->type) {
    case EXPR_BOOL: return v->b;
    case EXPR_I64: return (double)v->i * r->factor + r->offset;
    case EXPR_F64: return v->d * r->factor + r->offset;
    case EXPR_DURATION: return (double)v->i / 1e9;
    case EXPR_STR: return sim_symbol(s, v->s);
    default: return NAN;
    }
}

double mapping_value(Sim *s, const MapRole *r, const uint32_t *columns, const uint32_t *rows, uint32_t lane,
                     Arena *scratch) {
    ExprValue *slots = NEW(scratch, ExprValue, r->read_count + 1);
    for (uint32_t i = 0; i < r->read_count; i++) {
        double si = s->columns[columns[i]].v->v[place(s, rows[i], lane)];
        slots[i] = slot_value(s, r->fields[i], columns[i], si);
    }
    ExprRun run = {.scratch = scratch, .slots = slots};
    ExprRow none = {0};
    ExprValue v = expr_eval(r->expr, &run, &none);
    return in_si(s, r, &v);
}

// Where the slots of one row are: the roles before the last are bound to them.
static void row_cells(const Inst *i, uint32_t row, uint32_t *columns, uint32_t *rows) {
    for (uint32_t k = 0; k + 1 < i->wire->e.role_count; k++) {
        bool some = role_cell(&i->wire->roles[k], row, &columns[k], &rows[k]);
        CHECK(some);
    }
}

static void compute(sim_ctx *c, uint32_t row, uint8_t lanes, Arena *scratch) {
    Inst *i = c->host;
    const MapRole *r = c->config;
    uint32_t out = c->cols - 1;
    uint32_t *columns = NEW(scratch, uint32_t, out + 1), *rows = NEW(scratch, uint32_t, out + 1);
    row_cells(i, row, columns, rows);
    for (uint32_t l = 0; l < c->lanes; l++) {
        if (!(lanes >> l & 1)) continue;
        double v = mapping_value(i->sim, r, columns, rows, i->wire->lane0 + l, scratch);
        double *cell = &c->col[out].v[(size_t)row * c->lanes + l];
        if (same_value(*cell, v)) continue;
        *cell = v;
        c->touch(c, out, row, (uint16_t)l);
    }
}

static int map_init(sim_ctx *c, sim_time t) {
    Arena scratch;
    (void)t;
    arena_init(&scratch, 0);
    for (uint32_t row = 0; row < c->col[c->cols - 1].n; row++) {
        compute(c, row, c->lane_mask, &scratch);
        arena_reset(&scratch);
    }
    arena_free(&scratch);
    return 0;
}

static int map_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    Arena scratch;
    (void)t;
    arena_init(&scratch, 0);
    for (uint32_t k = 0; k < n; k++) {
        for (uint32_t i = 0; i < moved[k].n; i++) {
            compute(c, moved[k].rows[i], moved[k].lane_mask, &scratch);
            arena_reset(&scratch);
        }
    }
    arena_free(&scratch);
    return 0;
}

const sim_engine mapping_engine = {.abi = SOSIA_ENGINE_ABI,
                                   .name = "mapping",
                                   .doc = "Expressions of a mapping",
                                   .caps = SIM_CAN_LANES | SIM_MEMORYLESS,
                                   .init = map_init,
                                   .react = map_react};
