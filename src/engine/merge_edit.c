// SPDX-License-Identifier: Apache-2.0
// The writer's side of a merge: each change of the fork against the world as it is.
#include "engine/merge.h"
#include "base/check.h"
#include "codec/json.h"
#include "world/edit.h"

typedef struct Into {
    World *w;
    struct Merge *m;
    const DiffChange *c;
    MergeResult *r;
    Diag *d;
} Into;

// ---- outcomes -----------------------------------------------------------------------------------------------------

static Err same(Into *x) {
    x->r->outcome = MERGE_SAME;
    return ERR_OK;
}

static Err conflict(Into *x, const char *why) {
    x->r->outcome = MERGE_CONFLICT;
    x->r->why = why;
    x->m->conflicts++;
    return ERR_OK;
}

static Err conflict_with(Into *x, const char *why, const DiffCell *there) {
    x->r->there = *there;
    x->r->there.text = arena_str(&x->m->arena, there->text);
    x->r->has_there = true;
    return conflict(x, why);
}

// An edit that the world refused is a conflict with what it has become; a full ring is none.
static Err edited(Into *x, Err err, const char *refused) {
    if (!err) {
        x->r->outcome = MERGE_DONE;
        return ERR_OK;
    }
    return err == ERR_LIMIT ? err : conflict(x, refused);
}

// ---- cells --------------------------------------------------------------------------------------------------------

// A borrowed cell: until the next change.
static DiffCell cell_now(View *v, CellView *c, const Field *f, uint32_t col, uint64_t row) {
    *c = view_cell(v, col, row);
    DiffCell out = {.valid = c->valid, .bits = c->bits};
    if (c->valid && cell_is_text(f->cell)) out.text = text_str(&c->text);
    return out;
}

static Change change_of(uint8_t set, uint8_t unset, uint64_t id, uint32_t col, const Field *f, const DiffCell *to) {
    return (Change){.kind = to->valid ? set : unset,
                    .cell = (uint8_t)f->cell,
                    .id = id,
                    .col = col,
                    .bits = to->bits,
                    .text = to->text};
}

// Do the cells that a twin or link had, or has, stand here too? What is derived here does not count.
static bool cells_stand(Into *x, View *v, uint64_t twin, uint32_t first, uint64_t row) {
    const DiffChange *c = x->c;
    for (int32_t i = 0; i < c->count; i++) {
        CellView room;
        uint32_t col = first + (uint32_t)i;
        DiffCell now = cell_now(v, &room, &c->fields[i], col, row);
        if (diff_same(&x->m->ask, &c->fields[i], &now, &c->cells[i])) continue;
        if (!twin || !world_guarded(x->w, twin, col).n) return false;
    }
    return true;
}

// Three-way for one value at (col, row) of a twin or link `id`.
static Err merge_cell(Into *x, View *v, bool link, uint64_t id, const Field *f, uint32_t col, uint64_t row) {
    CellView room;
    DiffCell now = cell_now(v, &room, f, col, row);
    if (diff_same(&x->m->ask, f, &now, &x->c->after)) return same(x);
    if (!diff_same(&x->m->ask, f, &now, &x->c->before)) return conflict_with(x, "it has changed there too", &now);
    Change set = link ? change_of(CHANGE_LINK_SET, CHANGE_LINK_UNSET, id, col, f, &x->c->after)
                      : change_of(CHANGE_SET, CHANGE_UNSET, id, col, f, &x->c->after);
    if (set.kind == CHANGE_SET) TRY(world_drop_source(x->w, id, col)); // a merge is no device
    return edited(x, world_do(x->w, &set), "the value is not taken there");
}

// ---- twins --------------------------------------------------------------------------------------------------------

static uint32_t table_of(const Catalog *c, Str model) {
    for (int32_t i = 0; i < c->table_count; i++)
        if (!c->tables[i].removed && str_eq(c->tables[i].model->id, model)) return (uint32_t)i;
    return UINT32_MAX;
}

// By name: a twin that was made anew, here or there, is the same to people.
static TwinId twin_named(const Into *x, View *v, TwinView *t) {
    TwinId id = view_find_twin(v, x->c->name);
    *t = id.v ? view_twin_place(v, id) : (TwinView){0};
    return id;
}

static Err merge_value(Into *x) {
    View v = view_writer(x->w);
    TwinView t;
    TwinId id = twin_named(x, &v, &t);
    if (!t.alive) return conflict(x, "the twin is not there any more");
    const Table *table = &v.catalog->tables[t.table];
    const Field *f = model_field(table->model, x->c->field->path);
    if (!f || f->cell != x->c->field->cell) return conflict(x, "the twin's model has no such property there");
    uint32_t col = table->first + (uint32_t)(f - table->model->fields);
    if (world_guarded(x->w, id.v, col).n) {
        x->r->outcome = MERGE_DERIVED;
        return ERR_OK;
    }
    return merge_cell(x, &v, false, id.v, f, col, t.row);
}

static Err put_cells(Into *x, uint64_t id, uint32_t first, bool link) {
    for (int32_t i = 0; i < x->c->count; i++) {
        const DiffCell *to = &x->c->cells[i];
        uint32_t col = first + (uint32_t)i;
        if (!to->valid || (!link && world_guarded(x->w, id, col).n)) continue;
        Change set = change_of(link ? CHANGE_LINK_SET : CHANGE_SET, 0, id, col, &x->c->fields[i], to);
        TRY(world_do(x->w, &set));
    }
    return ERR_OK;
}

static Err twin_there(Into *x, View *v, TwinId id) {
    TwinView t = view_twin_place(v, id);
    const Table *table = &v->catalog->tables[t.table];
    bool equal = str_eq(table->model->id, x->c->model) && table->model->field_count == x->c->count;
    if (equal && cells_stand(x, v, id.v, table->first, t.row)) return same(x);
    return conflict(x, "another twin of that name was made there");
}

static Err merge_twin_made(Into *x) {
    View v = view_writer(x->w);
    TwinId other = view_find_twin(&v, x->c->name);
    if (other.v) return twin_there(x, &v, other);
    uint32_t table = table_of(v.catalog, x->c->model);
    if (table == UINT32_MAX) return conflict(x, "its model is not there");
    const Model *m = v.catalog->tables[table].model;
    if (schema_find(v.catalog->schema, m->id)->decommissioned) return conflict(x, "its model was decommissioned there");
    if (m->field_count != x->c->count) return conflict(x, "its model is another one there");
    Change new = {.kind = CHANGE_TWIN_NEW, .id = x->c->twin, .col = table, .text = x->c->name};
    uint32_t first = v.catalog->tables[table].first;
    TRY(edited(x, world_do(x->w, &new), "the twin is not taken there"));
    return x->r->outcome == MERGE_DONE ? put_cells(x, x->c->twin, first, false) : ERR_OK;
}

static Err merge_twin_deleted(Into *x) {
    View v = view_writer(x->w);
    TwinView t;
    TwinId id = twin_named(x, &v, &t);
    if (!t.alive) return same(x);
    const Table *table = &v.catalog->tables[t.table];
    if (!str_eq(table->model->id, x->c->model) || !cells_stand(x, &v, id.v, table->first, t.row))
        return conflict(x, "it has changed there since");
    LinkId out, in;
    view_twin_links(&v, id, &out, &in);
    if (out.v || in.v) return conflict(x, "it has relationships there that stay");
    return edited(x, edit_twin_delete(x->w, x->c->name, (Precondition){0}, NULL), "it cannot be deleted there");
}

static Err merge_retype(Into *x) {
    View v = view_writer(x->w);
    TwinView t;
    TwinId id = twin_named(x, &v, &t);
    if (!t.alive) return conflict(x, "the twin is not there any more");
    Str now = v.catalog->tables[t.table].model->id;
    if (str_eq(now, x->c->model)) return same(x);
    if (!str_eq(now, x->c->model_before)) return conflict(x, "its model has changed there too");
    uint32_t table = table_of(v.catalog, x->c->model);
    if (table == UINT32_MAX) return conflict(x, "its model is not there");
    Change c = {.kind = CHANGE_TWIN_MODEL, .id = id.v, .col = table};
    return edited(x, world_do(x->w, &c), "the model is not taken there");
}

// ---- relationships ------------------------------------------------------------------------------------------------

// The relationship of that name there; 0: none.
static LinkId link_there(const Into *x, View *v) {
    TwinId source = view_find_twin(v, x->c->name);
    return source.v ? view_find_link(v, source, x->c->rid) : (LinkId){0};
}

static bool link_alike(const Into *x, View *v, LinkId id) {
    LinkView l = view_link(v, id);
    TwinView target = view_twin(v, l.target);
    return str_eq(v->catalog->kinds[l.kind].rel->name, x->c->kind) && str_eq(text_str(&target.name), x->c->target);
}

static bool link_stands(Into *x, View *v, LinkId id) {
    const LinkKind *k = &v->catalog->kinds[view_link(v, id).kind];
    return link_alike(x, v, id) && k->rel->field_count == x->c->count && cells_stand(x, v, 0, k->first, id.v);
}

static Err link_new(Into *x, View *v, TwinId source, TwinId target, const Rel *rel) {
    LinkId id = world_take_link_id(x->w);
    uint32_t kind = (uint32_t)catalog_kind(v->catalog, rel);
    Change new = {
        .kind = CHANGE_LINK_NEW, .id = id.v, .other = source.v, .target = target.v, .col = kind, .text = x->c->rid};
    uint32_t first = v->catalog->kinds[kind].first;
    TRY(edited(x, world_do(x->w, &new), "the relationship is not taken there"));
    return x->r->outcome == MERGE_DONE ? put_cells(x, id.v, first, true) : ERR_OK;
}

static Err merge_link_made(Into *x) {
    View v = view_writer(x->w);
    TwinId source = view_find_twin(&v, x->c->name), target = view_find_twin(&v, x->c->target);
    if (!source.v || !target.v) return conflict(x, "a twin of the relationship is not there");
    LinkId other = link_there(x, &v);
    if (other.v)
        return link_stands(x, &v, other) ? same(x) : conflict(x, "another relationship of that id was made there");
    TwinView t = view_twin_place(&v, source);
    const Rel *rel = model_rel(v.catalog->tables[t.table].model, x->c->kind);
    if (!rel || rel->field_count != x->c->count)
        return conflict(x, "the source's model has no such relationship there");
    return link_new(x, &v, source, target, rel);
}

static Err merge_link_deleted(Into *x) {
    View v = view_writer(x->w);
    LinkId id = link_there(x, &v);
    if (!id.v) return same(x);
    if (!link_stands(x, &v, id)) return conflict(x, "it has changed there since");
    Err err = edit_link_delete(x->w, x->c->name, x->c->rid, (Precondition){0}, NULL);
    return edited(x, err, "it cannot be deleted there");
}

static Err merge_link_value(Into *x) {
    View v = view_writer(x->w);
    LinkId id = link_there(x, &v);
    if (!id.v || !link_alike(x, &v, id)) return conflict(x, "the relationship is not there any more");
    const LinkKind *k = &v.catalog->kinds[view_link(&v, id).kind];
    const Field *f = NULL;
    for (int32_t i = 0; i < k->rel->field_count && !f; i++)
        if (str_eq(k->rel->fields[i].path, x->c->field->path)) f = &k->rel->fields[i];
    if (!f || f->cell != x->c->field->cell) return conflict(x, "the relationship has no such property there");
    return merge_cell(x, &v, true, id.v, f, k->first + (uint32_t)(f - k->rel->fields), id.v);
}

// ---- models and documents -----------------------------------------------------------------------------------------

static Err add_models(Into *x, Str documents) {
    Json json;
    Err err = json_parse(documents, NULL, &x->m->arena, &json, NULL);
    return err ? err : edit_models_add(x->w, &json, x->d);
}

// All new ones together: they may depend on each other.
static Err merge_models(World *w, struct Merge *m, Diag *d) {
    View v = view_writer(w);
    Buf all = {0};
    for (int64_t i = 0; i < m->count; i++) {
        const DiffChange *c = &m->changes[i];
        if (c->what != DIFF_MODEL || m->results[i].outcome == MERGE_LEFT) continue;
        Into x = {w, m, c, &m->results[i], d};
        bool there = schema_find(v.catalog->schema, c->name) != NULL;
        if (there == c->is) (void)same(&x);
        else if (!c->is) (void)conflict(&x, "a merge takes no model away: delete it there");
        else {
            buf_byte(&all, all.n ? ',' : '[');
            buf_str_put(&all, c->document);
            x.r->outcome = MERGE_DONE;
        }
    }
    if (all.n) buf_byte(&all, ']');
    Err err = all.n ? add_models(&(Into){w, m, NULL, NULL, d}, arena_str(&m->arena, buf_str(&all))) : ERR_OK;
    buf_free(&all);
    return err;
}

static Err merge_document(Into *x) {
    View v = view_writer(x->w);
    const Doc *now = catalog_doc(v.catalog, x->c->name, x->c->model);
    Str json = now ? now->json : (Str){0};
    if (str_eq(json, x->c->document)) return same(x);
    if (!str_eq(json, x->c->before_doc)) return conflict(x, "it has changed there too");
    Buf text = {0};
    buf_str_put(&text, x->c->name);
    buf_byte(&text, 0);
    buf_str_put(&text, x->c->model);
    buf_byte(&text, 0);
    buf_str_put(&text, x->c->document);
    Err err = world_do(x->w, &(Change){.kind = CHANGE_DOC, .text = buf_str(&text)});
    buf_free(&text);
    return edited(x, err, "the definition is not taken there");
}

// ---- all of them --------------------------------------------------------------------------------------------------

typedef struct Step {
    DiffWhat what;
    bool is, link; // made or changed; a value of a link
    Err (*run)(Into *x);
} Step;

// Deletions free names; relationships need their twins; values their models.
static const Step steps[] = {
    {DIFF_LINK, false, false, merge_link_deleted}, {DIFF_TWIN, false, false, merge_twin_deleted},
    {DIFF_TWIN, true, false, merge_twin_made},     {DIFF_RETYPE, true, false, merge_retype},
    {DIFF_VALUE, true, false, merge_value},        {DIFF_LINK, true, false, merge_link_made},
    {DIFF_VALUE, true, true, merge_link_value},    {DIFF_DOCUMENT, true, false, merge_document},
    {DIFF_DOCUMENT, false, false, merge_document},
};

static Err run_step(World *w, struct Merge *m, const Step *s, Diag *d) {
    for (int64_t i = 0; i < m->count; i++) {
        const DiffChange *c = &m->changes[i];
        if (c->what != s->what || c->is != s->is || m->results[i].outcome == MERGE_LEFT) continue;
        if (c->what == DIFF_VALUE && (c->rid.n > 0) != s->link) continue;
        TRY(s->run(&(Into){w, m, c, &m->results[i], d}));
    }
    return ERR_OK;
}

Err merge_edit(World *w, struct Merge *m, Diag *d) {
    m->conflicts = 0;
    TRY(merge_models(w, m, d));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) TRY(run_step(w, m, &steps[i], d));
    return m->dry_run || (m->conflicts && !m->skip_conflicts) ? ERR_WORLD_CONFLICT : ERR_OK;
}
