// SPDX-License-Identifier: Apache-2.0
// JSON Patch of twins, components and relationships: spec of the REST dialect, section 4.4.
//
// A path walks the fields from the root (or the component) down:
//   property, component  its field     object field  a leaf below the marker, which must be present
//   map, array, geometry the rest of the path goes into the document, which is checked and written back whole
//   $metadata            only .../sourceTime and, in a whole twin, $model
#include "base/check.h"
#include "world/edit_inner.h"
#include "world/past.h"

// ---- reading the patch -------------------------------------------------------------------------------------------

static bool kind_of(Str op, PatchKind *out) {
    static const char *const names[] = {[PATCH_ADD] = "add", [PATCH_REPLACE] = "replace", [PATCH_REMOVE] = "remove"};
    for (int k = PATCH_ADD; k <= PATCH_REMOVE; k++) {
        if (!str_eq(op, str_of(names[k]))) continue;
        *out = (PatchKind)k;
        return true;
    }
    return false;
}

static Str dotted(Arena *arena, Str path) {
    Str s = arena_str(arena, str_sub(path, 1, path.n));
    char *p = (char *)(uintptr_t)s.p;
    for (int64_t i = 0; i < s.n; i++) {
        if (p[i] == '/') p[i] = '.';
    }
    return s;
}

static Err parse_op(const Json *item, Arena *arena, PatchOp *out, Diag *d) {
    const Json *op = json_get(item, STR("op")), *path = json_get(item, STR("path"));
    int64_t at = item->at, end = item->at + item->raw.n;
    if (item->type != JSON_OBJECT) return diag_add(d, ERR_PATCH, at, end, (Str){0}, "an operation is an object");
    if (item->dup) return diag_add(d, ERR_PATCH, at, end, (Str){0}, "an operation has a member twice");
    if (!op || op->type != JSON_STRING)
        return diag_add(d, ERR_PATCH, at, end, (Str){0}, "an operation needs \"op\": add, replace or remove");
    if (!kind_of(op->s, &out->kind))
        return diag_add(d, ERR_PATCH, at, end, (Str){0},
                        "Unsupported operation type %.*s: add, replace and remove are known", STR_ARG(op->s));
    if (!path || path->type != JSON_STRING)
        return diag_add(d, ERR_PATCH, at, end, (Str){0}, "an operation needs \"path\", a JSON pointer");
    if (path->s.n < 2 || path->s.p[0] != '/')
        return diag_add(d, ERR_PATCH, at, end, path->s,
                        "a path begins with / and names a part; the whole document cannot be patched");
    out->value = out->kind == PATCH_REMOVE ? NULL : json_get(item, STR("value"));
    if (!out->value && out->kind != PATCH_REMOVE)
        return diag_add(d, ERR_PATCH, at, end, path->s, "the operation needs \"value\"");
    out->path = path->s;
    out->dotted = dotted(arena, path->s);
    return ERR_OK;
}

Err edit_patch_parse(const Json *ops, Arena *arena, PatchOp **out, int32_t *count, Diag *d) {
    if (ops->type != JSON_ARRAY)
        return diag_add(d, ERR_PATCH, ops->at, -1, (Str){0}, "a JSON Patch is an array of operations, not %s",
                        json_type_name(ops->type));
    *out = NEW(arena, PatchOp, ops->count);
    *count = ops->count;
    for (int32_t i = 0; i < ops->count; i++) TRY(parse_op(&ops->items[i], arena, &(*out)[i], d));
    return ERR_OK;
}

// ---- one operation -----------------------------------------------------------------------------------------------

static Err bad(const Subject *s, const PatchOp *op, const char *why) {
    return diag_add(s->d, ERR_PATCH, -1, -1, op->path, "%s %.*s", why, STR_ARG(op->path));
}

// The next reference token of the path. Errors: PATCH.
static Err next_token(const Subject *s, const PatchOp *op, Str *rest, Str *token) {
    return json_pointer_next(rest, s->arena, token) ? ERR_OK : bad(s, op, "a malformed path:");
}

// .../$metadata/NAME/sourceTime below the root or component `base`; the token $metadata was taken.
static Err apply_metadata(const Subject *s, int32_t base, const PatchOp *op, Str rest) {
    Str name, what;
    if (rest.n == 0) return bad(s, op, "of $metadata only a property's sourceTime (or $model) can be patched, not");
    TRY(next_token(s, op, &rest, &name));
    int32_t i = edit_child(s, base, name);
    if (name.n == 0 || name.p[0] == '$' || rest.n == 0)
        return bad(s, op, "of $metadata only a property's sourceTime (or $model) can be patched, not");
    TRY(next_token(s, op, &rest, &what));
    if (!str_eq(what, STR("sourceTime")) || rest.n > 0)
        return bad(s, op, "of a property's metadata only sourceTime can be patched, not");
    if (i < 0 || s->fields[i].cell == CELL_COMPONENT) return edit_unknown(s, base, op->dotted, name);
    if (!edit_cell(s, i).valid) return bad(s, op, "the property has no value, so no sourceTime either:");
    Change c = {
        .kind = CHANGE_SOURCE_TIME, .cell = (uint8_t)s->fields[i].cell, .col = s->first + (uint32_t)i, .id = s->id};
    if (op->kind != PATCH_REMOVE) TRY(edit_source_time(s, op->value, op->path, &c.source_time));
    return edit_do(s, &c);
}

// Into the document of field i.
static Err apply_inside(const Subject *s, int32_t i, const PatchOp *op, Str rest) {
    const Field *f = &s->fields[i];
    CellView now = edit_cell(s, i);
    if (f->cell != CELL_DOC) return bad(s, op, "only objects, maps and arrays have parts, as asked for in");
    if (!now.valid) return bad(s, op, "there is nothing above");
    Json doc;
    CHECK(json_parse(text_str(&now.text), NULL, s->arena, &doc, NULL) == ERR_OK);
    const char *why;
    if (!edit_doc_apply(&doc, op, rest, s->arena, &why)) return bad(s, op, why);
    TRY(edit_check_value(s, i, &doc));
    return edit_put_value(s, i, &doc, (Stamp){0});
}

// The source time a later operation of the same patch gives to this property, so that both become one change; 0: none,
// or it is older than what stands there.
static int64_t source_ahead(const Subject *s, int32_t i, const PatchOp *ops, int32_t count) {
    const Field *f = &s->fields[i];
    Str base = f->parent < 0 ? (Str){0} : s->fields[f->parent].path;
    if (!s->model || (f->parent >= 0 && s->fields[f->parent].cell != CELL_COMPONENT)) return 0;
    int64_t t = 0;
    for (int32_t k = 0; k < count; k++) {
        Str p = ops[k].dotted;
        if (ops[k].kind == PATCH_REMOVE || !str_ends(p, STR(".sourceTime"))) continue;
        Str want = arena_printf(s->arena, "%.*s%s$metadata.%.*s.sourceTime", STR_ARG(base), base.n ? "." : "",
                                STR_ARG(f->name));
        if (str_eq(p, want) && edit_source_time(&(Subject){0}, ops[k].value, p, &t) != ERR_OK) return 0;
    }
    return t >= edit_cell(s, i).source_time ? t : 0;
}

// On field i itself.
static Err apply_field(const Subject *s, int32_t i, const PatchOp *op, int32_t later) {
    const Field *f = &s->fields[i];
    if (op->kind != PATCH_ADD && !edit_cell(s, i).valid) return bad(s, op, "there is no value at");
    if (op->kind == PATCH_REMOVE && f->cell == CELL_COMPONENT)
        return diag_add(s->d, ERR_VALIDATION, -1, -1, op->path, "component \"%.*s\" belongs to model %.*s and stays",
                        STR_ARG(f->path), STR_ARG(s->model->id));
    if (op->kind == PATCH_REMOVE) return edit_unset(s, i);
    TRY(edit_check_value(s, i, op->value));
    return edit_put_value(s, i, op->value, (Stamp){.source = source_ahead(s, i, op + 1, later)});
}

// Errors: PATCH, VALIDATION, LIMIT. later: operations behind this one.
static Err apply_op(const Subject *s, int32_t base, const PatchOp *op, int32_t later) {
    Str rest = op->path, token;
    for (int32_t at = base;;) {
        TRY(next_token(s, op, &rest, &token));
        bool root = at < 0 || s->fields[at].cell == CELL_COMPONENT;
        if (root && s->model && str_eq(token, STR("$metadata"))) return apply_metadata(s, at, op, rest);
        if (token.n > 0 && token.p[0] == '$') return bad(s, op, "this cannot be patched:");
        int32_t i = edit_child(s, at, token);
        if (i < 0) return edit_unknown(s, at, op->dotted, token);
        if (rest.n == 0) return apply_field(s, i, op, later);
        if (s->fields[i].cell < CELL_OBJECT) return apply_inside(s, i, op, rest);
        if (!edit_cell(s, i).valid) return bad(s, op, "there is nothing above");
        at = i;
    }
}

static Err apply_all(const Subject *s, int32_t base, const PatchOp *ops, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (!ops[i].done) TRY(apply_op(s, base, &ops[i], count - i - 1));
    }
    return ERR_OK;
}

// ---- whole patches -----------------------------------------------------------------------------------------------

// The operation on /$metadata/$model, taken out of the list; *to stays NULL when there is none.
static Err take_model(const Subject *s, PatchOp *ops, int32_t count, const Model **to) {
    for (int32_t i = 0; i < count; i++) {
        if (!str_eq(ops[i].path, STR("/$metadata/$model"))) continue;
        if (ops[i].kind != PATCH_REPLACE) return bad(s, &ops[i], "only replace is possible for");
        if (*to) return bad(s, &ops[i], "the patch has a second operation on");
        if (ops[i].value->type != JSON_STRING)
            return diag_add(s->d, ERR_VALIDATION, -1, -1, ops[i].path, "a model is named by its DTMI, a string");
        TRY(edit_find_model(s->w, ops[i].value->s, s->gone ? NULL : s->model, to, s->name, s->d));
        ops[i].done = true;
    }
    return ERR_OK;
}

static Err patch_twin(World *w, TwinId id, Str name, const Json *doc, Arena *arena, Diag *d) {
    PatchOp *ops;
    int32_t count;
    TRY(edit_patch_parse(doc, arena, &ops, &count, d));
    Subject s = edit_twin_subject(w, id, name, arena, d);
    const Model *to = NULL;
    TRY(take_model(&s, ops, count, &to));
    bool moves = to && to != s.model;
    if (s.gone && !to && !edit_reborn(&s)) return edit_gone(&s, ERR_VALIDATION);
    if (s.gone && !to) TRY(edit_revive(&s, ops, count));
    else if (moves) TRY(edit_move(&s, to, ops, count));
    TRY(apply_all(&s, -1, ops, count));
    return moves ? edit_check_complete(&s) : ERR_OK;
}

static Err check_twin_etag(World *w, TwinId id, Str name, Precondition pre, Diag *d) {
    View v = view_writer(w);
    char etag[48];
    etag_of_twin(id, view_twin_time(&v, id), etag);
    return edit_precondition(pre, false, str_of(etag), ERR_TWIN_NOT_FOUND, name, d);
}

Err edit_twin_patch(World *w, Str id, const Json *ops, Precondition pre, Diag *d) {
    TwinId twin;
    Arena arena;
    TRY(edit_find_twin(w, id, &twin, d));
    TRY(check_twin_etag(w, twin, id, pre, d));
    arena_init(&arena, 8192);
    Err e = patch_twin(w, twin, id, ops, &arena, d);
    arena_free(&arena);
    return e;
}

static Err patch_component(World *w, TwinId id, Str name, Str component, const Json *doc, Arena *arena, Diag *d) {
    PatchOp *ops;
    int32_t count;
    Subject s = edit_twin_subject(w, id, name, arena, d);
    TRY(edit_patch_parse(doc, arena, &ops, &count, d));
    if (s.gone && !edit_reborn(&s)) return edit_gone(&s, ERR_VALIDATION);
    if (s.gone) TRY(edit_revive(&s, NULL, 0));
    const Field *f = model_field(s.model, component);
    if (!f || f->cell != CELL_COMPONENT) return edit_no_component(&s, component);
    return apply_all(&s, (int32_t)(f - s.fields), ops, count);
}

Err edit_component_patch(World *w, Str id, Str component, const Json *ops, Precondition pre, Diag *d) {
    TwinId twin;
    Arena arena;
    TRY(edit_find_twin(w, id, &twin, d));
    arena_init(&arena, 8192);
    Subject s = edit_twin_subject(w, twin, id, &arena, d);
    const Field *f = model_field(s.model, component);
    Err e = f && f->cell == CELL_COMPONENT ? check_twin_etag(w, twin, id, pre, d) : edit_no_component(&s, component);
    if (e == ERR_OK) e = patch_component(w, twin, id, component, ops, &arena, d);
    arena_free(&arena);
    return e;
}

static Err patch_link(World *w, LinkId id, Str rid, const Json *doc, Arena *arena, Diag *d) {
    PatchOp *ops;
    int32_t count;
    TRY(edit_patch_parse(doc, arena, &ops, &count, d));
    LinkId now = id;
    TRY(edit_wake_source(w, &now, rid, arena, d));
    Subject s = edit_link_subject(w, now, rid, arena, d);
    return apply_all(&s, -1, ops, count);
}

Err edit_link_patch(World *w, Str source, Str rid, const Json *ops, Precondition pre, Diag *d) {
    LinkId link;
    Arena arena;
    char etag[48];
    TRY(edit_find_link(w, source, rid, &link, d));
    View v = view_writer(w);
    etag_of_link(link, view_link(&v, link).update_time, etag);
    TRY(edit_precondition(pre, false, str_of(etag), ERR_LINK_NOT_FOUND, rid, d));
    arena_init(&arena, 8192);
    Err e = patch_link(w, link, rid, ops, &arena, d);
    arena_free(&arena);
    return e;
}
