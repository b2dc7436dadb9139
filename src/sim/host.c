// SPDX-License-Identifier: Apache-2.0
// What an engine finds in its ctx: touch, post, random numbers, memory, failure.
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sim/inner.h"

static Inst *inst_of(const sim_ctx *c) { return (Inst *)c->host; }

void inst_name(const Inst *i, Buf *out) {
    const SimEngine *e = &i->wire->e;
    buf_printf(out, "%s", e->engine->name);
    if (e->instance.n) buf_printf(out, " %.*s", STR_ARG(e->instance));
    if (i->wire->lanes < i->sim->open.lanes) buf_printf(out, " (lane %u)", i->wire->lane0);
}

void inst_role_moved(Inst *i, uint32_t role, uint32_t row, uint8_t lanes) {
    RowSet *m = &i->ports[role].moved;
    if (m->n == 0) i->moved[i->moved_count++] = role;
    rowset_add(m, row, lanes);
}

static void touched(Inst *i, uint32_t role, uint32_t row, uint8_t lanes) {
    Port *p = &i->ports[role];
    if (p->touched.n == 0) i->touched[i->touched_count++] = role;
    rowset_add(&p->touched, row, lanes);
    rowset_add(&p->fresh, row, lanes);
}

static void check_touch(const Inst *i, uint32_t col, sim_row row) {
    CHECK(col < i->wire->e.role_count);
    CHECK(row < i->wire->roles[col].rows);
    CHECK(i->wire->roles[col].bind.dir & (SIM_OUT | SIM_STATE));
}

static void host_touch(sim_ctx *c, uint32_t col, sim_row row, uint16_t lane) {
    Inst *i = inst_of(c);
    check_touch(i, col, row);
    CHECK(lane < i->wire->lanes);
    touched(i, col, row, (uint8_t)(1u << (lane + i->wire->lane0)));
}

static void host_touch_rows(sim_ctx *c, uint32_t col, sim_row first, uint32_t n, uint8_t lanes) {
    Inst *i = inst_of(c);
    uint8_t mask = (uint8_t)(lanes << i->wire->lane0) & i->mask;
    if (n == 0 || mask == 0) return;
    check_touch(i, col, first + (n - 1));
    CHECK(first + (n - 1) >= first);
    for (uint32_t k = 0; k < n; k++) touched(i, col, first + k, mask);
}

static void host_post(sim_ctx *c, sim_time at, uint32_t kind, uint64_t arg, uint16_t lane) {
    Inst *i = inst_of(c);
    Sim *s = i->sim;
    CHECK(at >= s->now);
    CHECK(!i->advancing); // an advance may be taken back
    CHECK(lane < i->wire->lanes);
    if (isinf(at)) return;
    Item item = {.t = at, .seq = s->seq++, .arg = arg, .of = i->number, .row = kind, .post = true};
    item.lanes = (uint8_t)(1u << (lane + i->wire->lane0));
    calendar_push(&s->calendar, &item);
}

static uint64_t mix(uint64_t h) {
    h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
    return h ^ h >> 31;
}

// Key: seed and scenario; counter: the caller's, and twin and stream.
static void host_random(const sim_ctx *c, uint16_t lane, uint64_t twin, uint32_t stream, uint64_t counter,
                        uint32_t out[4]) {
    CHECK(lane < c->lanes);
    uint64_t key = mix(mix(c->seed + UINT64_C(0x9E3779B97F4A7C15)) + c->scenario[lane]);
    uint64_t who = mix(mix(twin + UINT64_C(0x9E3779B97F4A7C15)) + stream);
    philox4x32((uint32_t[4]){(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)who, (uint32_t)(who >> 32)},
               (uint32_t[2]){(uint32_t)key, (uint32_t)(key >> 32)}, out);
}

static void *host_resize(sim_ctx *c, size_t size) {
    uint8_t *state = mem_alloc_page(size ? size : 1);
    size_t keep = size < c->state_size ? size : c->state_size;
    if (keep) memcpy(state, c->state, keep);
    memset(state + keep, 0, size - keep);
    mem_free(c->state);
    c->state = state;
    c->state_size = size;
    return state;
}

static double host_symbol(sim_ctx *c, const char *text, size_t n) {
    return sim_symbol(inst_of(c)->sim, (Str){text, (int64_t)n});
}

static int host_bound_row(const sim_ctx *c, uint32_t col, sim_row row) {
    const InstWire *w = inst_of(c)->wire;
    uint32_t column, cell;
    CHECK(col < w->e.role_count);
    return row < w->roles[col].rows && role_cell(&w->roles[col], row, &column, &cell);
}

// The twin that row `row` of role 0 is, or "".
static void row_name(const Inst *i, sim_row row, Buf *out) {
    const Sim *s = i->sim;
    uint32_t column, cell;
    if (i->wire->e.role_count == 0 || row >= i->wire->roles[0].rows) return;
    if (!role_cell(&i->wire->roles[0], row, &column, &cell)) return;
    if (cell_owner(s, column, cell) != UINT32_MAX) owner_name(s, column, cell, out);
    else sim_cell_name(s, column, cell, out);
}

static int host_fail(sim_ctx *c, sim_row row, const char *fmt, ...) {
    Inst *i = inst_of(c);
    Buf where = {0}, name = {0}, text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    row_name(i, row, &where);
    inst_name(i, &name);
    (void)diag_add(i->sim->diag, ERR_SIM_FAILED, -1, -1, buf_str(&where), "%.*s at %.17g s: %.*s",
                   STR_ARG(buf_str(&name)), i->sim->now, STR_ARG(buf_str(&text)));
    i->failed = true;
    buf_free(&where);
    buf_free(&name);
    buf_free(&text);
    return -1;
}

Err inst_failed(Inst *i) {
    if (!i->failed) (void)host_fail(&i->ctx, UINT32_MAX, "it gave no reason");
    i->sim->failed = true;
    return ERR_SIM_FAILED;
}

// The twin that row `row` of role 0 is; UINT32_MAX: none.
static uint32_t row_twin(const Inst *i, sim_row row) {
    const Sim *s = i->sim;
    uint32_t column, cell;
    if (i->wire->e.role_count == 0 || row >= i->wire->roles[0].rows) return UINT32_MAX;
    if (!role_cell(&i->wire->roles[0], row, &column, &cell) || s->wire->columns[column].what.link) return UINT32_MAX;
    return cell_owner(s, column, cell);
}

static void host_trace(sim_ctx *c, const sim_trace *t) {
    const Inst *i = inst_of(c);
    const Sim *s = i->sim;
    SimTrace x = {.t = t->t, .lane = (uint16_t)i->wire->lane0, .item = t->item, .what = t->what};
    x.twin = row_twin(i, t->row);
    x.source = row_twin(i, t->source);
    s->tracer(s->tracer_ctx, &x);
}

void sim_tracer(Sim *s, void (*fn)(void *ctx, const SimTrace *t), void *ctx) {
    s->tracer = fn;
    s->tracer_ctx = ctx;
    for (uint32_t k = 0; s->insts && k < s->wire->inst_count; k++) s->insts[k].ctx.trace = fn ? host_trace : NULL;
}

void inst_services(Inst *i) {
    const InstWire *w = i->wire;
    const Sim *s = i->sim;
    i->ctx = (sim_ctx){.topo = w->e.topo,
                       .col = i->cols,
                       .cols = w->e.role_count,
                       .config = w->e.config,
                       .plan = w->plan,
                       .lanes = (uint16_t)w->lanes,
                       .seed = s->open.seed,
                       .scenario = s->open.scenario + w->lane0,
                       .twin = w->twin,
                       .lane_mask = (uint8_t)((1u << w->lanes) - 1),
                       .host = i,
                       .touch = host_touch,
                       .post = host_post,
                       .random = host_random,
                       .resize = host_resize,
                       .touch_rows = host_touch_rows,
                       .symbol = host_symbol,
                       .fail = host_fail,
                       .epoch_ns = &s->open.epoch_ns,
                       .bound = w->bound,
                       .bound_row = host_bound_row,
                       .trace = s->tracer ? host_trace : NULL};
}
