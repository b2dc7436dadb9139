// SPDX-License-Identifier: Apache-2.0
// A twin takes another model: by PUT, by a patch of /$metadata/$model, or because its deleted model was uploaded again.
//
//   1. every value must have a place in the new model, or an operation of the same patch must deal with it
//   2. CHANGE_TWIN_MODEL: values of the same path and cell kind move along
//   3. outgoing links of a relationship that the new model defines anew are made again under its definition
#include "base/check.h"
#include "world/edit_inner.h"

const Model *edit_reborn(const Subject *s) {
    View v = view_writer(s->w);
    return s->gone ? schema_find(v.catalog->schema, s->model->id) : NULL;
}

Err edit_gone(const Subject *s, Err code) {
    return diag_add(s->d, code, -1, -1, s->name,
                    "the model %.*s was deleted: its twins cannot be changed until it is uploaded again",
                    STR_ARG(s->model->id));
}

Err edit_find_model(World *w, Str model, const Model *now, const Model **out, Str twin, Diag *d) {
    View v = view_writer(w);
    *out = schema_find(v.catalog->schema, model);
    if (!*out)
        return diag_add(d, ERR_VALIDATION, -1, -1, twin, "the model %.*s is not here, or one it depends on is not",
                        STR_ARG(model));
    if (!(*out)->decommissioned || *out == now) return ERR_OK;
    return diag_add(d, ERR_MODEL_DECOMMISSIONED, -1, -1, twin,
                    "the model %.*s is decommissioned and takes no new twins", STR_ARG(model));
}

// A value of field `from` is one of field `to` as well.
static bool cell_fits(const Field *to, const CellView *c, const Field *from, Arena *arena) {
    if (!to || to->cell != from->cell) return false;
    if (from->cell >= CELL_OBJECT || to->type == from->type) return true;
    Json v;
    return edit_json_of(from, c->bits, text_str(&c->text), arena, &v) &&
           type_check(to->type, &v, to->path, NULL) == ERR_OK;
}

// ---- links -------------------------------------------------------------------------------------------------------

Err edit_check_target(World *w, const Rel *rel, TwinId target, Str rid, Diag *d) {
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, target);
    const Model *m = v.catalog->tables[t.table].model;
    if (rel->target.n == 0 || model_is(m, rel->target)) return ERR_OK;
    return diag_add(d, ERR_LINK_INVALID, -1, -1, rid,
                    "relationship \"%.*s\" wants a target of model %.*s, and the target is of model %.*s",
                    STR_ARG(rel->name), STR_ARG(rel->target), STR_ARG(m->id));
}

// One outgoing link to make again.
typedef struct Move {
    LinkId id;
    LinkView link;
    const Rel *rel; // the new model's
} Move;

static const Field *field_at(const Field *fields, int32_t count, Str path) {
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(fields[i].path, path)) return &fields[i];
    }
    return NULL;
}

static Err check_move(const Subject *s, const Move *m, const Model *to) {
    Subject link = edit_link_subject(s->w, m->id, text_str(&m->link.rid), s->arena, s->d);
    Str name = arena_str(s->arena, link.name);
    if (!m->rel)
        return diag_add(s->d, ERR_VALIDATION, -1, -1, s->name,
                        "its relationship \"%.*s\" is none that model %.*s has; delete it first", STR_ARG(name),
                        STR_ARG(to->id));
    if (edit_check_target(s->w, m->rel, m->link.target, name, s->d) != ERR_OK) return ERR_VALIDATION;
    for (int32_t i = 0; i < link.count; i++) {
        CellView c = edit_cell(&link, i);
        const Field *f = &link.fields[i];
        if (!c.valid || cell_fits(field_at(m->rel->fields, m->rel->field_count, f->path), &c, f, s->arena)) continue;
        return diag_add(s->d, ERR_VALIDATION, -1, -1, f->path,
                        "a value of relationship \"%.*s\" does not fit its definition in model %.*s", STR_ARG(name),
                        STR_ARG(to->id));
    }
    return ERR_OK;
}

// The outgoing links whose definition changes. Errors: VALIDATION.
static Err collect_moves(const Subject *s, const Model *to, Move **out, int32_t *count) {
    View v = view_writer(s->w);
    LinkId first = view_twin(&v, (TwinId){s->id}).first_out;
    int32_t n = 0;
    for (LinkId l = first; l.v; l = view_link(&v, l).next_out) n++;
    *out = NEW(s->arena, Move, n);
    *count = 0;
    LinkView link;
    for (LinkId l = first; l.v; l = link.next_out) {
        link = view_link(&v, l);
        const Rel *now = v.catalog->kinds[link.kind].rel;
        const Rel *rel = model_rel(to, now->name);
        if (rel == now) continue;
        Move *m = &(*out)[(*count)++];
        *m = (Move){.id = l, .link = link, .rel = rel};
        TRY(check_move(s, m, to));
    }
    return ERR_OK;
}

// Make one link again under the definition m->rel, with its values.
static Err move_link(const Subject *s, const Move *m) {
    Subject old = edit_link_subject(s->w, m->id, (Str){0}, s->arena, s->d);
    Change *set = NEW(s->arena, Change, old.count);
    int32_t n = 0;
    View v = view_writer(s->w);
    int32_t kind = catalog_kind(v.catalog, m->rel);
    LinkId id = world_take_link_id(s->w);
    for (int32_t i = 0; i < old.count; i++) {
        CellView c = edit_cell(&old, i);
        if (!c.valid) continue;
        const Field *f = field_at(m->rel->fields, m->rel->field_count, old.fields[i].path);
        set[n++] = (Change){.kind = CHANGE_LINK_SET,
                            .cell = (uint8_t)f->cell,
                            .id = id.v,
                            .bits = c.bits,
                            .col = v.catalog->kinds[kind].first + (uint32_t)(f - m->rel->fields),
                            .text = cell_is_text(f->cell) ? arena_str(s->arena, text_str(&c.text)) : (Str){0}};
    }
    Str rid = arena_str(s->arena, text_str(&m->link.rid));
    TRY(edit_link_del(s, m->id));
    TRY(edit_do(s, &(Change){.kind = CHANGE_LINK_NEW,
                             .id = id.v,
                             .other = s->id,
                             .target = m->link.target.v,
                             .col = (uint32_t)kind,
                             .text = rid}));
    for (int32_t i = 0; i < n; i++) TRY(edit_do(s, &set[i]));
    return ERR_OK;
}

Err edit_retype(Subject *s, const Model *to) {
    Move *moves;
    int32_t count;
    TRY(collect_moves(s, to, &moves, &count));
    TRY(edit_do(s, &(Change){.kind = CHANGE_TWIN_MODEL, .id = s->id, .col = (uint32_t)to->index}));
    for (int32_t i = 0; i < count; i++) TRY(move_link(s, &moves[i]));
    *s = edit_twin_subject(s->w, (TwinId){s->id}, s->name, s->arena, s->d);
    CHECK(s->model == to);
    return ERR_OK;
}

// ---- values ------------------------------------------------------------------------------------------------------

// The operation that deals with what is at `path`: on the path itself or on something around it. NULL: none.
static PatchOp *op_over(PatchOp *ops, int32_t count, Str path) {
    for (int32_t k = 0; k < count; k++) {
        Str p = ops[k].dotted;
        bool over = str_starts(path, p) && (path.n == p.n || path.p[p.n] == '.');
        if (over && p.n > 0 && !ops[k].done) return &ops[k];
    }
    return NULL;
}

// A computed value too: it has its place no more.
static Err unset_any(const Subject *s, int32_t i) {
    const WorldGuard *guard = world_guard_now(s->w);
    world_guard(s->w, NULL);
    Err e = edit_unset(s, i);
    world_guard(s->w, guard);
    return e;
}

// A value without a place in the new model goes now when the patch removes or replaces it.
static Err clear_leftover(const Subject *s, int32_t i, PatchOp *op) {
    if (op->kind != PATCH_REMOVE) {
        op->kind = PATCH_ADD; // what it replaces does not move along
        return unset_any(s, i);
    }
    const Field *at = model_field(s->model, op->dotted);
    CHECK(at != NULL);
    op->done = true;
    return unset_any(s, (int32_t)(at - s->fields));
}

static Err clear_leftovers(const Subject *s, const Model *to, PatchOp *ops, int32_t count) {
    for (int32_t i = 0; i < s->count; i++) {
        const Field *f = &s->fields[i];
        CellView c = edit_cell(s, i);
        if (!c.valid || cell_fits(model_field(to, f->path), &c, f, s->arena)) continue;
        PatchOp *op = op_over(ops, count, f->path);
        if (!op && edit_is_derived(s, i)) {
            TRY(unset_any(s, i));
            continue;
        }
        if (!op)
            return diag_add(s->d, ERR_VALIDATION, -1, -1, f->path,
                            "model %.*s has no place for the present value of \"%.*s\"; remove or replace it in the "
                            "same patch",
                            STR_ARG(to->id), STR_ARG(f->path));
        TRY(clear_leftover(s, i, op));
    }
    return ERR_OK;
}

Err edit_check_complete(const Subject *s) {
    for (int32_t i = 0; i < s->count; i++) {
        if (s->fields[i].cell != CELL_COMPONENT || edit_cell(s, i).valid) continue;
        return diag_add(s->d, ERR_VALIDATION, -1, -1, s->fields[i].path,
                        "model %.*s has the component \"%.*s\": add it in the same patch", STR_ARG(s->model->id),
                        STR_ARG(s->fields[i].path));
    }
    return ERR_OK;
}

Err edit_move(Subject *s, const Model *to, PatchOp *ops, int32_t count) {
    TRY(clear_leftovers(s, to, ops, count));
    return edit_retype(s, to);
}

Err edit_revive(Subject *s, PatchOp *ops, int32_t count) {
    const Model *to = edit_reborn(s);
    CHECK(to != NULL);
    TRY(edit_move(s, to, ops, count));
    for (int32_t i = 0; i < s->count; i++) {
        if (s->fields[i].cell != CELL_COMPONENT || edit_cell(s, i).valid) continue;
        Change c = {.kind = CHANGE_SET, .cell = CELL_COMPONENT, .col = s->first + (uint32_t)i, .id = s->id, .bits = 1};
        TRY(edit_do(s, &c));
    }
    return ERR_OK;
}
