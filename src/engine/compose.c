// SPDX-License-Identifier: Apache-2.0
// A twin or relationship as the batch that made it left it: read where it still is as it was, else put together from
// the batch's changes over the model's fields.
#include "engine/engine.h"
#include "base/check.h"
#include "world/past.h"
#include "world/show.h"

typedef struct Composing {
    const SosiaBatch *b;
    int64_t at;
    Arena *arena;
    SosiaBuf *out;
} Composing;

static void give(GivenCell *cells, int32_t i, const SosiaChange *c) {
    GivenCell *g = &cells[i];
    *g = (GivenCell){.valid = true, .source_time = c->source_time_ns};
    switch (c->value.kind) {
    case SOSIA_BOOL: g->bits = c->value.b; break;
    case SOSIA_I64: g->bits = (uint64_t)c->value.i; break;
    case SOSIA_F64: g->bits = bits_of(c->value.d); break;
    case SOSIA_TEXT:
    case SOSIA_JSON: g->text = c->value.s; break;
    default: break;
    }
}

// What lies inside of a marker goes with it; what lies in one makes it present.
static void take_away(GivenCell *cells, const Field *fields, int32_t i) {
    for (int32_t k = i; k < fields[i].end; k++) cells[k].valid = false;
}

static void put_change(GivenCell *cells, const Field *fields, int32_t i, const SosiaChange *c, bool unset) {
    if (unset) {
        take_away(cells, fields, i);
        return;
    }
    if (c->value.kind == SOSIA_NONE) { // a source time alone
        cells[i].source_time = c->source_time_ns;
        return;
    }
    give(cells, i, c);
    for (int32_t p = fields[i].parent; p >= 0; p = fields[p].parent) cells[p].valid = true;
}

static int32_t field_of(const SosiaChange *c, uint32_t first, int32_t count) {
    return c->column >= first && c->column - first < (uint32_t)count ? (int32_t)(c->column - first) : -1;
}

// The values that the changes behind `at` gave it, as long as they are of its making.
static GivenCell *gather(const Composing *x, const Field *fields, int32_t count, uint32_t first, bool link) {
    GivenCell *cells = NEW(x->arena, GivenCell, count + 1);
    const SosiaChange *made = &x->b->changes[x->at];
    uint64_t id = link ? made->link_no : made->twin_no;
    for (int32_t i = 0; i < count; i++) cells[i].valid = fields[i].cell == CELL_COMPONENT;
    for (int64_t k = x->at + 1; k < x->b->count; k++) {
        const SosiaChange *c = &x->b->changes[k];
        if ((link ? c->link_no : c->twin_no) != id || c->late) continue;
        if (c->what == (link ? SOSIA_EV_LINK_DELETE : SOSIA_EV_TWIN_DELETE)) break;
        bool set = c->what == (link ? SOSIA_EV_LINK_SET : SOSIA_EV_SET);
        bool unset = c->what == (link ? SOSIA_EV_LINK_UNSET : SOSIA_EV_UNSET);
        int32_t i = set || unset ? field_of(c, first, count) : -1;
        if (i >= 0) put_change(cells, fields, i, c, unset);
    }
    return cells;
}

static Err compose_twin(View *v, const Composing *x) {
    const SosiaChange *c = &x->b->changes[x->at];
    TwinView t = view_twin(v, (TwinId){c->twin_no});
    if (t.alive && view_time_of(v, &t) == x->b->time_ns) {
        show_twin(v, (TwinId){c->twin_no}, NULL, x->out);
        return ERR_OK;
    }
    for (int32_t i = v->catalog->table_count - 1; i >= 0; i--) { // the newest of that name
        const Table *table = &v->catalog->tables[i];
        if (!str_eq(table->model->id, c->other)) continue;
        GivenCell *cells = gather(x, table->model->fields, table->model->field_count, table->first, false);
        show_twin_given(v->catalog, (uint32_t)i, (TwinId){c->twin_no}, c->twin, x->b->time_ns, cells, x->out);
        return ERR_OK;
    }
    return ERR_MODEL_NOT_FOUND;
}

// The kind of a relationship that a batch speaks of: by a column it set, else by name.
static int32_t kind_of(const View *v, const Composing *x) {
    const SosiaChange *made = &x->b->changes[x->at];
    const Table *table;
    const LinkKind *kind;
    for (int64_t k = x->at + 1; k < x->b->count; k++) {
        const SosiaChange *c = &x->b->changes[k];
        if (c->link_no != made->link_no || c->what != SOSIA_EV_LINK_SET) continue;
        if (catalog_field(v->catalog, c->column, &table, &kind) && kind) return (int32_t)(kind - v->catalog->kinds);
    }
    for (int32_t i = 0; i < v->catalog->kind_count; i++) {
        if (str_eq(v->catalog->kinds[i].rel->name, made->path)) return i;
    }
    return -1;
}

static Err compose_link(View *v, const Composing *x) {
    const SosiaChange *c = &x->b->changes[x->at];
    LinkView l = view_link(v, (LinkId){c->link_no});
    if (l.alive && l.update_time == x->b->time_ns) {
        show_link(v, (LinkId){c->link_no}, x->out);
        return ERR_OK;
    }
    int32_t kind = kind_of(v, x);
    if (kind < 0) return ERR_MODEL_NOT_FOUND;
    const LinkKind *k = &v->catalog->kinds[kind];
    GivenCell *cells = gather(x, k->rel->fields, k->rel->field_count, k->first, true);
    ShownLink shown = {.rid = c->link, .source = c->twin, .name = c->path, .target = c->other, .time = x->b->time_ns};
    show_link_given(v->catalog, (uint32_t)kind, (LinkId){c->link_no}, &shown, cells, x->out);
    return ERR_OK;
}

static Err compose_view(View *v, void *ctx) {
    Composing *x = ctx;
    buf_reset(x->out);
    return x->b->changes[x->at].what == SOSIA_EV_TWIN_PUT ? compose_twin(v, x) : compose_link(v, x);
}

SosiaErr sosia_batch_made(Sosia *s, SosiaStr world, const SosiaBatch *b, int64_t i, SosiaBuf *out) {
    if (i < 0 || i >= b->count) return SOSIA_ARGUMENT;
    SosiaEvent what = b->changes[i].what;
    if (what != SOSIA_EV_TWIN_PUT && what != SOSIA_EV_LINK_PUT) return SOSIA_ARGUMENT;
    Arena arena;
    arena_init(&arena, 0);
    Composing x = {.b = b, .at = i, .arena = &arena, .out = out};
    Err err = engine_read(s, NULL, world, compose_view, &x, NULL);
    arena_free(&arena);
    return (SosiaErr)err;
}
