// SPDX-License-Identifier: Apache-2.0
// Engines of a Sim: their place by rank, who writes and who reads which cell, and the instances made of them.
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"

// ---- roles ---------------------------------------------------------------------------------------------------------

static void *copied(const void *p, size_t n) {
    void *c = mem_alloc(n ? n : 1);
    if (n) memcpy(c, p, n);
    return c;
}

static Str role_name(const SimEngine *e, uint32_t role) {
    if (e->role_name) return e->role_name(e->config, role);
    return e->engine->roles ? str_of(e->engine->roles[role].name) : (Str){0};
}

static Err refused(const SimEngine *e, uint32_t role, Diag *d, const char *why) {
    Buf name = {0};
    buf_printf(&name, "%s %.*s, role %u %.*s", e->engine->name, STR_ARG(e->instance), role,
               STR_ARG(role_name(e, role)));
    Err err = diag_add(d, ERR_ARGUMENT, -1, -1, buf_str(&name), "%s", why);
    buf_free(&name);
    return err;
}

static Err role_check(const Sim *s, const SimEngine *e, uint32_t role, Diag *d) {
    const SimBind *b = &e->roles[role];
    if (b->tol < 0 || isnan(b->tol)) return refused(e, role, d, "a tolerance is not negative");
    if (b->column != UINT32_MAX)
        return b->column < s->wire->column_count ? ERR_OK : refused(e, role, d, "there is no such column");
    if (b->rows && (!b->from_column || !b->from_row)) return refused(e, role, d, "it is bound to nothing");
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t c = b->from_column[i];
        if (c == UINT32_MAX) continue;
        if (c >= s->wire->column_count || b->from_row[i] >= s->wire->columns[c].what.rows)
            return refused(e, role, d, "there is no such cell");
    }
    return ERR_OK;
}

static Err engine_check(const Sim *s, const SimEngine *e, Diag *d) {
    const sim_engine *x = e->engine;
    if (x->abi != SOSIA_ENGINE_ABI)
        return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(x->name), "its interface is %u, and this is %d", x->abi,
                        SOSIA_ENGINE_ABI);
    if (x->roles && x->role_count != e->role_count)
        return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(x->name), "it has %u roles, and %u are bound", x->role_count,
                        e->role_count);
    if (!x->react) return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(x->name), "it has no react");
    for (uint32_t i = 0; i < s->wire->inst_count; i++) {
        const SimEngine *o = &s->wire->insts[i].e;
        if (str_eq(str_of(o->engine->name), str_of(x->name)) && str_eq(o->instance, e->instance))
            return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(x->name), "\"%.*s\" is there already",
                            STR_ARG(e->instance));
    }
    for (uint32_t i = 0; i < e->role_count; i++) TRY(role_check(s, e, i, d));
    return ERR_OK;
}

static RoleWire *roles_of(const Sim *s, const SimEngine *e, bool lanes) {
    RoleWire *r = mem_alloc((e->role_count ? e->role_count : 1) * sizeof *r);
    for (uint32_t i = 0; i < e->role_count; i++) {
        const SimBind *b = &e->roles[i];
        r[i].bind = *b;
        r[i].bind.from_column = r[i].bind.from_row = NULL;
        if (e->engine->roles && !b->dir) r[i].bind.dir = e->engine->roles[i].dir;
        bool column = b->column != UINT32_MAX;
        r[i].rows = column ? s->wire->columns[b->column].what.rows : b->rows;
        r[i].bind.type = column ? s->wire->columns[b->column].what.type : b->type;
        // One lane at a time: with a tolerance it sees what it was told, however many lanes there are.
        bool told = b->tol > 0 && !(e->engine->caps & SIM_CAN_LANES);
        r[i].whole = column && lanes && !told;
        if (column) continue;
        r[i].from_column = copied(b->from_column, b->rows * sizeof *b->from_column);
        r[i].from_row = copied(b->from_row, b->rows * sizeof *b->from_row);
    }
    return r;
}

static void roles_free(RoleWire *r, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        mem_free(r[i].from_column);
        mem_free(r[i].from_row);
    }
    mem_free(r);
}

// ---- writers -------------------------------------------------------------------------------------------------------

static uint32_t writer_of(const ColumnWire *c, uint32_t row) { return c->writers ? c->writers[row] : c->writer; }

static Err two_writers(const Sim *s, uint32_t column, uint32_t row, const SimEngine *e, Diag *d) {
    Buf cell = {0}, other = {0};
    uint32_t serial = writer_of(&s->wire->columns[column], row);
    sim_cell_name(s, column, row, &cell);
    for (uint32_t i = 0; i < s->wire->inst_count && !other.n; i++) {
        const InstWire *w = &s->wire->insts[i];
        if (w->serial == serial) buf_printf(&other, "%s %.*s", w->e.engine->name, STR_ARG(w->e.instance));
    }
    Err err = diag_add(d, ERR_VALIDATION, -1, -1, buf_str(&cell), "two would write it: %s %.*s, and %.*s",
                       e->engine->name, STR_ARG(e->instance), STR_ARG(other.n ? buf_str(&other) : STR("itself again")));
    buf_free(&cell);
    buf_free(&other);
    return err;
}

static void writers_by_row(ColumnWire *c) {
    if (c->writers) return;
    c->writers = mem_alloc((c->what.rows ? c->what.rows : 1) * sizeof *c->writers);
    c->output = mem_alloc(c->what.rows ? c->what.rows : 1);
    for (uint32_t i = 0; i < c->what.rows; i++) {
        c->writers[i] = c->writer;
        c->output[i] = c->output_all;
    }
}

// An engine takes what a role of it writes. Errors: VALIDATION; what it took before stays taken.
static Err take(Sim *s, const SimEngine *e, const RoleWire *r, uint32_t serial, Diag *d) {
    bool output = !(r->bind.dir & SIM_STATE);
    if (!(r->bind.dir & (SIM_OUT | SIM_STATE))) return ERR_OK;
    if (!r->from_column && s->wire->columns[r->bind.column].writer == NO_WRITER &&
        !s->wire->columns[r->bind.column].writers) {
        ColumnWire *c = &s->wire->columns[r->bind.column];
        c->writer = serial;
        c->output_all = output;
        c->written = true;
        return ERR_OK;
    }
    for (uint32_t i = 0; i < r->rows; i++) {
        uint32_t column, row;
        if (!role_cell(r, i, &column, &row)) continue;
        ColumnWire *c = &s->wire->columns[column];
        if (writer_of(c, row) != NO_WRITER) return two_writers(s, column, row, e, d);
        writers_by_row(c);
        c->writers[row] = serial;
        c->output[row] = output;
        c->written = true;
    }
    return ERR_OK;
}

static void give_back(Sim *s, uint32_t serial) {
    for (uint32_t i = 0; i < s->wire->column_count; i++) {
        ColumnWire *c = &s->wire->columns[i];
        bool any = false;
        for (uint32_t r = 0; c->writers && r < c->what.rows; r++) {
            if (c->writers[r] == serial) c->writers[r] = NO_WRITER;
            any |= c->writers[r] != NO_WRITER;
        }
        if (c->writer == serial) c->writer = NO_WRITER;
        c->written = any || c->writer != NO_WRITER;
    }
}

bool sim_takes_input(const Sim *s, uint32_t column, uint32_t row) {
    const ColumnWire *c = &s->wire->columns[column];
    CHECK(row < c->what.rows);
    if (writer_of(c, row) == NO_WRITER) return true;
    return !(c->output ? c->output[row] : c->output_all);
}

// ---- adding --------------------------------------------------------------------------------------------------------

// By rank, engine, instance, lane.
static int compare_inst(const InstWire *a, const InstWire *b) {
    if (a->e.rank != b->e.rank) return a->e.rank < b->e.rank ? -1 : 1;
    int by = str_cmp(str_of(a->e.engine->name), str_of(b->e.engine->name));
    if (by == 0) by = str_cmp(a->e.instance, b->e.instance);
    return by ? by : (a->lane0 > b->lane0) - (a->lane0 < b->lane0);
}

static void insert(Wire *w, const InstWire *i) {
    w->insts = mem_grow(w->insts, (w->inst_count + 1) * sizeof *w->insts);
    uint32_t at = w->inst_count++;
    for (; at > 0 && compare_inst(i, &w->insts[at - 1]) < 0; at--) w->insts[at] = w->insts[at - 1];
    w->insts[at] = *i;
}

static uint64_t *twins_of(const Sim *s, const RoleWire *r) {
    uint64_t *id = mem_alloc((r->rows ? r->rows : 1) * sizeof *id);
    for (uint32_t i = 0; i < r->rows; i++) {
        uint32_t column, row;
        id[i] = i;
        if (!role_cell(r, i, &column, &row)) continue;
        uint32_t dense = cell_owner(s, column, row);
        if (dense == UINT32_MAX) continue;
        id[i] = s->wire->columns[column].what.link ? s->graph->link_id[dense] : s->graph->twin_id[dense];
    }
    return id;
}

static uint8_t *bound_of(const RoleWire *roles, uint32_t n) {
    uint8_t *bound = mem_alloc(n ? n : 1);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t column, row;
        for (uint32_t i = 0; i < roles[k].rows && !bound[k]; i++) bound[k] = role_cell(&roles[k], i, &column, &row);
    }
    return bound;
}

Err sim_add(Sim *s, const SimEngine *e, Diag *d) {
    CHECK(!s->started && !s->wire->up);
    TRY(engine_check(s, e, d));
    bool lanes = s->open.lanes == 1 || (e->engine->caps & SIM_CAN_LANES);
    RoleWire *roles = roles_of(s, e, lanes);
    uint32_t serial = s->wire->serials++;
    for (uint32_t i = 0; i < e->role_count; i++) {
        Err err = take(s, e, &roles[i], serial, d);
        if (err == ERR_OK) continue;
        give_back(s, serial);
        roles_free(roles, e->role_count);
        return err;
    }
    uint64_t *twin = e->role_count ? twins_of(s, &roles[0]) : NULL;
    uint8_t *bound = bound_of(roles, e->role_count);
    for (uint32_t l = 0; l < (lanes ? 1 : s->open.lanes); l++) {
        InstWire w = {
            .e = *e, .roles = roles, .shares_roles = l > 0, .serial = serial, .twin = twin, .bound = bound, .lane0 = l};
        w.lanes = lanes ? s->open.lanes : 1;
        w.e.instance = (Str){copied(e->instance.p, (size_t)e->instance.n), e->instance.n};
        w.e.roles = NULL;
        insert(s->wire, &w);
    }
    return ERR_OK;
}

static void inst_wire_free(InstWire *w) {
    mem_free((void *)(uintptr_t)w->e.instance.p);
    if (w->shares_roles) return;
    if (w->plan && w->e.engine->plan_free) w->e.engine->plan_free(w->plan);
    roles_free(w->roles, w->e.role_count);
    mem_free(w->twin);
    mem_free(w->bound);
}

void wire_unref(Wire *w) {
    if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) > 1) return;
    for (uint32_t i = 0; i < w->inst_count; i++) inst_wire_free(&w->insts[i]);
    for (uint32_t i = 0; i < w->column_count; i++) {
        ColumnWire *c = &w->columns[i];
        void *own[] = {(void *)(uintptr_t)c->name.p, c->writers, c->output, c->whole, c->part_first, c->part};
        for (size_t k = 0; k < sizeof own / sizeof *own; k++) mem_free(own[k]);
    }
    mem_free(w->ordered);
    mem_free(w->columns);
    mem_free(w->insts);
    mem_free(w);
}

// ---- wiring --------------------------------------------------------------------------------------------------------

static bool reads(const RoleWire *r) { return r->bind.dir & (SIM_IN | SIM_STATE | SIM_PARAM); }

static bool column_before(const ColumnWire *a, const ColumnWire *b) {
    if (!a->what.col != !b->what.col) return a->what.col != 0;
    if (a->what.col != b->what.col) return a->what.col < b->what.col;
    return str_cmp(a->name, b->name) < 0;
}

static void order_columns(Wire *w) {
    w->ordered = mem_alloc((w->column_count ? w->column_count : 1) * sizeof *w->ordered);
    for (uint32_t i = 0; i < w->column_count; i++) {
        uint32_t at = i;
        for (; at > 0 && column_before(&w->columns[i], &w->columns[w->ordered[at - 1]]); at--)
            w->ordered[at] = w->ordered[at - 1];
        w->ordered[at] = i;
    }
    for (uint32_t i = 0; i < w->column_count; i++) w->columns[w->ordered[i]].order = i;
}

static void whole_reader(ColumnWire *c, uint32_t inst, uint32_t role) {
    c->whole = mem_grow(c->whole, (c->whole_count + 1) * sizeof *c->whole);
    c->whole[c->whole_count++] = (Reader){inst, role, UINT32_MAX};
}

// put NULL: only counting in part_first[row + 1]; else part_first[row] is where the next one goes.
static void part_readers(Wire *w, uint32_t inst, uint32_t role, bool put) {
    const RoleWire *r = &w->insts[inst].roles[role];
    for (uint32_t i = 0; i < r->rows; i++) {
        uint32_t column, row;
        if (!role_cell(r, i, &column, &row)) continue;
        ColumnWire *c = &w->columns[column];
        if (put) {
            c->part[c->part_first[row]++] = (Reader){inst, role, i};
            continue;
        }
        if (!c->part_first) c->part_first = mem_alloc(((size_t)c->what.rows + 1) * sizeof *c->part_first);
        c->part_first[row + 1]++;
    }
}

static void each_reader(Wire *w, bool put) {
    for (uint32_t i = 0; i < w->inst_count; i++) {
        for (uint32_t r = 0; r < w->insts[i].e.role_count; r++) {
            const RoleWire *role = &w->insts[i].roles[r];
            if (!reads(role)) continue;
            if (role->from_column) part_readers(w, i, r, put);
            else if (!put) whole_reader(&w->columns[role->bind.column], i, r);
        }
    }
}

static void wire_readers(Wire *w) {
    each_reader(w, false);
    for (uint32_t i = 0; i < w->column_count; i++) {
        ColumnWire *c = &w->columns[i];
        if (!c->part_first) continue;
        for (uint32_t r = 0; r < c->what.rows; r++) c->part_first[r + 1] += c->part_first[r];
        c->part = mem_alloc((c->part_first[c->what.rows] + (size_t)1) * sizeof *c->part);
    }
    each_reader(w, true);
    for (uint32_t i = 0; i < w->column_count; i++) {
        ColumnWire *c = &w->columns[i];
        if (!c->part_first) continue;
        memmove(c->part_first + 1, c->part_first, c->what.rows * sizeof *c->part_first);
        c->part_first[0] = 0;
    }
}

// ---- instances -----------------------------------------------------------------------------------------------------

static void port_fill(const Sim *s, const InstWire *w, const RoleWire *r, Port *p) {
    for (uint32_t i = 0; i < r->rows; i++) {
        uint32_t column, row;
        bool some = role_cell(r, i, &column, &row);
        for (uint32_t l = 0; l < w->lanes; l++) {
            double v = some ? s->columns[column].v->v[place(s, row, w->lane0 + l)] : NAN;
            p->own->v[(size_t)i * w->lanes + l] = isnan(v) && r->from_column ? r->bind.dflt : v;
        }
    }
}

static void port_make(const Sim *s, const InstWire *w, const RoleWire *r, Port *p) {
    p->moved.size = p->touched.size = p->fresh.size = p->drift.size = r->rows;
    if (!r->whole) {
        p->own = array_new(r->rows, w->lanes);
        port_fill(s, w, r, p);
    } else if (r->bind.tol > 0 && reads(r)) {
        p->last = array_copy(s->columns[r->bind.column].v);
    }
}

void inst_fill(Inst *i) {
    for (uint32_t r = 0; r < i->wire->e.role_count; r++) {
        const RoleWire *role = &i->wire->roles[r];
        Port *p = &i->ports[r];
        if (p->own) port_fill(i->sim, i->wire, role, p);
        if (p->last)
            memcpy(p->last->v, i->sim->columns[role->bind.column].v->v,
                   (size_t)p->last->rows * p->last->lanes * sizeof(double));
    }
}

void inst_bind(Inst *i) {
    const InstWire *w = i->wire;
    for (uint32_t r = 0; r < w->e.role_count; r++) {
        const RoleWire *role = &w->roles[r];
        double *v = role->whole ? i->sim->columns[role->bind.column].v->v : i->ports[r].own->v;
        i->cols[r] = (sim_col){.v = v,
                               .n = role->rows,
                               .lanes = (uint16_t)w->lanes,
                               .type = role->bind.type,
                               .dir = role->bind.dir,
                               .tol = role->bind.tol};
    }
}

static void inst_make(Sim *s, uint32_t number) {
    Inst *i = &s->insts[number];
    const InstWire *w = &s->wire->insts[number];
    uint32_t n = w->e.role_count ? w->e.role_count : 1;
    *i = (Inst){.sim = s, .wire = w, .number = number, .stale = true};
    i->mask = (uint8_t)(((1u << w->lanes) - 1) << w->lane0);
    i->ports = mem_alloc(n * sizeof *i->ports);
    i->cols = mem_alloc(n * sizeof *i->cols);
    i->moved = mem_alloc(n * sizeof *i->moved);
    i->touched = mem_alloc(n * sizeof *i->touched);
    for (uint32_t l = 0; l < SIM_LANES_MAX; l++) i->next[l] = INFINITY;
    inst_services(i);
}

void wire_up(Sim *s) {
    if (!s->wire->up) {
        order_columns(s->wire);
        wire_readers(s->wire);
        s->wire->up = true;
    }
    for (uint32_t i = 0; i < s->wire->column_count; i++) {
        Column *c = &s->columns[i];
        if (s->wire->columns[i].written) {
            column_own(s, i);
            c->seen = array_copy(c->v);
        }
        c->view.v = c->v->v;
    }
    insts_make(s);
    for (uint32_t i = 0; i < s->wire->inst_count; i++) {
        Inst *x = &s->insts[i];
        for (uint32_t r = 0; r < x->wire->e.role_count; r++) port_make(s, x->wire, &x->wire->roles[r], &x->ports[r]);
        inst_bind(x);
    }
}

void wire_down(Sim *s) {
    for (uint32_t i = 0; i < s->wire->inst_count; i++) inst_free(&s->insts[i]);
    mem_free(s->insts);
    s->insts = NULL;
    for (uint32_t i = 0; i < s->wire->column_count; i++) {
        array_unref(s->columns[i].seen);
        s->columns[i].seen = NULL;
    }
}

void insts_make(Sim *s) {
    s->insts = mem_alloc((s->wire->inst_count ? s->wire->inst_count : 1) * sizeof *s->insts);
    for (uint32_t i = 0; i < s->wire->inst_count; i++) inst_make(s, i);
}

Err insts_plan(Sim *s) {
    if (s->wire->planned) return ERR_OK; // insts_make gave them
    for (uint32_t i = 0; i < s->wire->inst_count; i++) {
        InstWire *w = &s->wire->insts[i];
        Inst *x = &s->insts[i];
        if (w->shares_roles) w->plan = s->wire->insts[i - 1].plan;
        else if (w->e.engine->plan && w->e.engine->plan(&x->ctx, &w->plan) != 0) return inst_failed(x);
        x->ctx.plan = w->plan;
    }
    s->wire->planned = true;
    return ERR_OK;
}

void inst_free(Inst *i) {
    for (uint32_t r = 0; r < i->wire->e.role_count; r++) {
        Port *p = &i->ports[r];
        array_unref(p->own);
        array_unref(p->last);
        rowset_free(&p->moved);
        rowset_free(&p->touched);
        rowset_free(&p->fresh);
        rowset_free(&p->drift);
    }
    back_free(i);
    void *own[] = {i->ports, i->cols, i->moved, i->touched, i->due, i->ctx.state};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) mem_free(own[k]);
}
