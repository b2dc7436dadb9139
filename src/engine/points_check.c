// SPDX-License-Identifier: Apache-2.0
// What would become of points, told from what is visible and without a write: the same rules in the same words as
// points_run.c has them, but for what only the writer knows.
#include "engine/points.h"
#include "model/schema.h"

typedef struct Checking {
    Points *p;
    Arena *arena;
    Diag *d;
} Checking;

// The model a point's twin has or would get, NULL when that cannot be told; for a handle also the path of its column.
// Errors: TWIN_NOT_FOUND, STALE, ARGUMENT, VALIDATION, MODEL_DECOMMISSIONED.
static Err model_of(View *v, const Point *p, const Model **out, Str *path, Diag *d) {
    const Catalog *cat = v->catalog;
    bool by_handle = !p->twin.n;
    TwinId id = by_handle ? (TwinId){p->at.twin} : view_find_twin(v, p->twin);
    TwinView t = id.v ? view_twin_place(v, id) : (TwinView){0};
    if (t.alive && t.table < (uint32_t)cat->table_count) {
        const Table *table = &cat->tables[t.table], *of;
        const LinkKind *kind;
        *out = table->removed ? NULL : table->model; // it may have been uploaded again
        if (!by_handle) return ERR_OK;
        const Field *f = catalog_field(cat, p->at.column, &of, &kind);
        if (!f || of != table || table->removed)
            return diag_add(d, ERR_STALE, -1, -1, (Str){0}, "%s", err_text(ERR_STALE));
        *path = f->path;
        return ERR_OK;
    }
    if (by_handle) return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, (Str){0}, "the twin is gone");
    if (!p->model.n)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, (Str){0}, "there is no twin \"%.*s\"", STR_ARG(p->twin));
    TRY(edit_check_id(p->twin, "twin id", d));
    const Model *m = *out = schema_find(cat->schema, p->model);
    if (!m)
        return diag_add(d, ERR_VALIDATION, -1, -1, p->twin, "the model %.*s is not here, or one it depends on is not",
                        STR_ARG(p->model));
    if (m->decommissioned)
        return diag_add(d, ERR_MODEL_DECOMMISSIONED, -1, -1, p->twin,
                        "the model %.*s is decommissioned and takes no new twins", STR_ARG(p->model));
    return ERR_OK;
}

// A value that needs a closer look.
static Err check_json(const Checking *x, const Field *f, Str text) {
    Json v;
    TRY(json_parse(text, NULL, x->arena, &v, x->d));
    if (v.type == JSON_NULL)
        return diag_add(x->d, ERR_VALIDATION, -1, -1, f->path,
                        "null is not a value; leave the property out or remove it");
    if (f->cell == CELL_COMPONENT) {
        if (v.type == JSON_OBJECT) return ERR_OK;
        return diag_add(x->d, ERR_VALIDATION, -1, -1, f->path, "a component is an object with \"$metadata\", not %s",
                        json_type_name(v.type));
    }
    if (f->cell < CELL_DOC && v.type == JSON_STRING) v.raw = str_sub(v.raw, 1, v.raw.n - 1); // as edit_value tells it
    TRY(type_check(f->type, &v, f->path, x->d));
    if (f->cell != CELL_STR || v.type != JSON_STRING || v.s.n <= STRING_VALUE_MAX) return ERR_OK;
    return diag_add(x->d, ERR_LIMIT, -1, -1, f->path, "the value has %lld bytes, the limit is %d", (long long)v.s.n,
                    STRING_VALUE_MAX);
}

static Err check_value(const Checking *x, const Model *m, Str path, SosiaValue v) {
    const Field *f = model_field(m, path);
    if (!f)
        return diag_add(x->d, ERR_VALIDATION, -1, -1, path, "\"%.*s\" is not a property of model %.*s", STR_ARG(path),
                        STR_ARG(m->id));
    if (v.kind == SOSIA_NONE) {
        if (f->cell != CELL_COMPONENT) return ERR_OK;
        return diag_add(x->d, ERR_VALIDATION, -1, -1, path, "a component cannot be taken away");
    }
    if (v.kind == SOSIA_TEXT && !str_utf8_ok(v.s))
        return diag_add(x->d, ERR_VALIDATION, -1, -1, path, "the text is not UTF-8");
    Change c = {0};
    SosiaValue fit = value_fit(f, x->p->fit, v, x->arena);
    if (value_plain(f, &fit, &c)) return ERR_OK;
    if (f->cell == CELL_I64 && v.kind == SOSIA_F64 && x->p->fit == FIT_STRICT)
        return diag_add(x->d, ERR_VALIDATION, -1, -1, path, "an integer is wanted, not a number with a fraction");
    return check_json(x, f, value_json(fit, x->arena));
}

static Err check_point(const Checking *x, View *v, const Point *p) {
    const Model *m = NULL;
    Str path = p->path;
    TRY(model_of(v, p, &m, &path, x->d));
    return m ? check_value(x, m, path, p->value) : ERR_OK;
}

static Err check_view(View *v, void *ctx) {
    Checking *x = ctx;
    for (int64_t i = 0; i < x->p->count; i++) {
        Point *p = &x->p->items[i];
        if (!p->twin.n && !p->at.twin) continue; // known to be bad
        Diag d;
        diag_init(&d);
        x->d = &d;
        p->err = check_point(x, v, p);
        p->message = p->err ? report_message(x->arena, p->err, &d) : (Str){0};
        diag_free(&d);
    }
    return ERR_OK;
}

Err points_check(Sosia *e, Str world, Points *p, Arena *a) {
    Checking x = {.p = p, .arena = a};
    return engine_read(e, NULL, world, check_view, &x, NULL);
}
