// SPDX-License-Identifier: Apache-2.0
#include "engine/differ.h"
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/json.h"
#include "engine/derive.h"
#include "world/past.h"
#include "world/show.h"

// ---- the list -----------------------------------------------------------------------------------------------------

static DiffChange *add(Differ *d, DiffWhat what) {
    static DiffChange nowhere;
    if (d->count == DIFF_CHANGES_MAX) {
        d->err = ERR_LIMIT;
        return &nowhere;
    }
    if (d->count == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->changes = mem_grow(d->changes, (size_t)d->cap * sizeof *d->changes);
    }
    DiffChange *c = &d->changes[d->count++];
    *c = (DiffChange){.what = what};
    return c;
}

static Str keep(Differ *d, Str s) { return arena_str(&d->arena, s); }

static DiffCell cell_of(Differ *d, View *v, const Field *f, uint32_t col, uint64_t row) {
    CellView c = view_cell(v, col, row);
    DiffCell x = {.valid = c.valid, .bits = c.bits};
    if (c.valid && cell_is_text(f->cell)) x.text = keep(d, text_str(&c.text));
    return x;
}

static bool is_number(CellKind k) { return k == CELL_F64 || k == CELL_I64; }

static double number(const Field *f, const DiffCell *c) {
    return f->cell == CELL_F64 ? double_of(c->bits) : (double)(int64_t)c->bits;
}

bool diff_same(const DiffAsk *ask, const Field *f, const DiffCell *x, const DiffCell *y) {
    if (x->valid != y->valid) return false;
    if (!x->valid) return true;
    if (cell_is_text(f->cell)) return str_eq(x->text, y->text);
    if (x->bits == y->bits) return true;
    if (!is_number(f->cell)) return false;
    double a = number(f, x), b = number(f, y);
    return fabs(a - b) <= ask->tolerance + ask->relative * fmax(fabs(a), fabs(b));
}

// ---- what is meant ------------------------------------------------------------------------------------------------

static bool path_within(Str path, Str property) {
    if (!property.n || str_eq(path, property)) return true;
    return path.n > property.n && str_starts(path, property) && path.p[property.n] == '.';
}

static bool meant(const Differ *d, Str name, const Model *m) {
    if (d->ask.twin.n && !str_eq(d->ask.twin, name)) return false;
    return !d->ask.model.n || (m && model_is(m, d->ask.model));
}

static bool whole(const Differ *d) { return !d->ask.model.n && !d->ask.twin.n && !d->ask.property.n; }

// ---- twins and links ----------------------------------------------------------------------------------------------

static const Model *model_of(View *v, const TwinView *t) { return v->catalog->tables[t->table].model; }

static void cells_of(Differ *d, View *v, DiffChange *c, const Field *fields, int32_t n, uint32_t first, uint64_t row) {
    c->fields = fields;
    c->count = n;
    c->cells = NEW(&d->arena, DiffCell, n ? n : 1);
    for (int32_t i = 0; i < n; i++) c->cells[i] = cell_of(d, v, &fields[i], first + (uint32_t)i, row);
}

static void on_twin(void *ctx, TwinId id, bool before, bool after) {
    Differ *d = ctx;
    View *v = after ? &d->b : &d->a;
    TwinView t = view_twin(v, id);
    const Model *m = model_of(v, &t);
    if (d->ask.property.n || !meant(d, text_str(&t.name), m)) return;
    DiffChange *c = add(d, DIFF_TWIN);
    c->was = before;
    c->is = after;
    c->twin = id.v;
    c->name = keep(d, text_str(&t.name));
    c->model = m->id;
    cells_of(d, v, c, m->fields, m->field_count, v->catalog->tables[t.table].first, t.row);
}

static void name_link(Differ *d, View *v, LinkId id, DiffChange *c) {
    LinkView l = view_link(v, id);
    TwinView source = view_twin(v, l.source), target = view_twin(v, l.target);
    c->link = id.v;
    c->twin = l.source.v;
    c->name = keep(d, text_str(&source.name));
    c->target = keep(d, text_str(&target.name));
    c->rid = keep(d, text_str(&l.rid));
    c->kind = v->catalog->kinds[l.kind].rel->name;
    c->model = source.alive ? model_of(v, &source)->id : (Str){0};
}

static bool link_meant(const Differ *d, View *v, LinkId id) {
    LinkView l = view_link(v, id);
    TwinView source = view_twin(v, l.source);
    return meant(d, text_str(&source.name), source.alive ? model_of(v, &source) : NULL);
}

static void on_link(void *ctx, LinkId id, bool before, bool after) {
    Differ *d = ctx;
    View *v = after ? &d->b : &d->a;
    if (d->ask.property.n || !link_meant(d, v, id)) return;
    DiffChange *c = add(d, DIFF_LINK);
    c->was = before;
    c->is = after;
    name_link(d, v, id, c);
    const LinkKind *k = &v->catalog->kinds[view_link(v, id).kind];
    cells_of(d, v, c, k->rel->fields, k->rel->field_count, k->first, id.v);
}

// ---- values -------------------------------------------------------------------------------------------------------

static void put_value(Differ *d, const DiffChange *like, const Field *f, DiffCell before, DiffCell after) {
    if (diff_same(&d->ask, f, &before, &after)) return;
    DiffChange *c = add(d, DIFF_VALUE);
    *c = *like;
    c->what = DIFF_VALUE;
    c->was = c->is = true;
    c->cells = NULL;
    c->count = 0;
    c->field = f;
    c->before = before;
    c->after = after;
}

static void twin_value(Differ *d, TwinId id, uint32_t col) {
    TwinView x = view_twin_place(&d->a, id), y = view_twin(&d->b, id);
    const Model *m = model_of(&d->b, &y), *was = model_of(&d->a, &x);
    const Field *f = &m->fields[col - d->b.catalog->tables[y.table].first], *g = model_field(was, f->path);
    if (!meant(d, text_str(&y.name), m) || !path_within(f->path, d->ask.property)) return;
    DiffChange like = {.twin = id.v, .name = keep(d, text_str(&y.name)), .model = m->id};
    DiffCell before = {0}, after = cell_of(d, &d->b, f, col, y.row);
    if (g && g->cell == f->cell) {
        uint32_t first = d->a.catalog->tables[x.table].first;
        before = cell_of(d, &d->a, g, first + (uint32_t)(g - was->fields), x.row);
    }
    put_value(d, &like, f, before, after);
}

static void link_value(Differ *d, LinkId id, uint32_t col) {
    const LinkKind *k = &d->b.catalog->kinds[view_link(&d->b, id).kind];
    const Field *f = &k->rel->fields[col - k->first];
    if (!link_meant(d, &d->b, id) || !path_within(f->path, d->ask.property)) return;
    DiffChange like = {0};
    name_link(d, &d->b, id, &like);
    put_value(d, &like, f, cell_of(d, &d->a, f, col, id.v), cell_of(d, &d->b, f, col, id.v));
}

static void on_value(void *ctx, TwinId twin, LinkId link, uint32_t col) {
    if (link.v) link_value(ctx, link, col);
    else twin_value(ctx, twin, col);
}

static void on_retype(void *ctx, TwinId id) {
    Differ *d = ctx;
    TwinView x = view_twin_place(&d->a, id), y = view_twin(&d->b, id);
    const Model *m = model_of(&d->b, &y);
    if (d->ask.property.n || !meant(d, text_str(&y.name), m)) return;
    DiffChange *c = add(d, DIFF_RETYPE);
    c->was = c->is = true;
    c->twin = id.v;
    c->name = keep(d, text_str(&y.name));
    c->model = m->id;
    c->model_before = model_of(&d->a, &x)->id;
}

// ---- models and documents -----------------------------------------------------------------------------------------

static void models_of(Differ *d, const Catalog *x, const Catalog *y, bool gone) {
    for (int32_t i = 0; i < y->table_count; i++) {
        const Model *m = y->tables[i].model;
        if (y->tables[i].removed || schema_find(x->schema, m->id)) continue;
        DiffChange *c = add(d, DIFF_MODEL);
        c->was = gone;
        c->is = !gone;
        c->name = m->id;
        *(gone ? &c->before_doc : &c->document) = m->document;
    }
}

static void document(Differ *d, const Doc *before, const Doc *after) {
    const Doc *any = after ? after : before;
    if (str_eq(any->collection, DERIVE_COLLECTION)) return; // what the engine notes for itself
    if (before && after && str_eq(before->json, after->json)) return;
    DiffChange *c = add(d, DIFF_DOCUMENT);
    c->was = before != NULL;
    c->is = after != NULL;
    c->name = any->collection;
    c->model = any->name;
    if (before) c->before_doc = before->json;
    if (after) c->document = after->json;
}

static void documents(Differ *d) {
    const Catalog *x = d->a.catalog, *y = d->b.catalog;
    for (int32_t i = 0; i < x->doc_count; i++)
        document(d, x->docs[i], catalog_doc(y, x->docs[i]->collection, x->docs[i]->name));
    for (int32_t i = 0; i < y->doc_count; i++)
        if (!catalog_doc(x, y->docs[i]->collection, y->docs[i]->name)) document(d, NULL, y->docs[i]);
}

// ---- the same under another number --------------------------------------------------------------------------------

// Twins by name; links by source, id, kind and target: what went right before what came.
static int by_name(const void *x, const void *y) {
    const DiffChange *a = x, *b = y;
    if (a->what != b->what) return a->what < b->what ? -1 : 1;
    if (a->what != DIFF_TWIN && a->what != DIFF_LINK) return 0;
    const Str *as[] = {&a->name, &a->rid, &a->kind, &a->target}, *bs[] = {&b->name, &b->rid, &b->kind, &b->target};
    for (int i = 0; i < 4; i++) {
        int order = str_cmp(*as[i], *bs[i]);
        if (order) return order;
    }
    return (int)a->is - (int)b->is;
}

static bool renumbered(const DiffChange *x, const DiffChange *y) {
    if (x->what != y->what || (x->what != DIFF_TWIN && x->what != DIFF_LINK)) return false;
    if (!x->was || x->is || y->was || !y->is || x->count != y->count) return false;
    if (!str_eq(x->name, y->name) || !str_eq(x->model, y->model)) return false;
    return str_eq(x->rid, y->rid) && str_eq(x->kind, y->kind) && str_eq(x->target, y->target);
}

static void join(Differ *d, DiffChange gone, DiffChange come) {
    come.link_before = gone.link;
    for (int32_t i = 0; i < come.count; i++)
        if (path_within(come.fields[i].path, d->ask.property))
            put_value(d, &come, &come.fields[i], gone.cells[i], come.cells[i]);
}

static void join_renumbered(Differ *d) {
    int64_t n = d->count, kept = 0;
    if (n) qsort(d->changes, (size_t)n, sizeof *d->changes, by_name);
    for (int64_t i = 0; i < n; i++) {
        if (i + 1 < n && renumbered(&d->changes[i], &d->changes[i + 1])) {
            DiffChange gone = d->changes[i], come = d->changes[i + 1];
            join(d, gone, come);
            i++;
        } else {
            d->changes[kept++] = d->changes[i];
        }
    }
    if (d->count > n) memmove(&d->changes[kept], &d->changes[n], (size_t)(d->count - n) * sizeof *d->changes);
    d->count += kept - n;
}

static int in_order(const void *x, const void *y) {
    const DiffChange *a = x, *b = y;
    if (a->what != b->what) return a->what < b->what ? -1 : 1;
    int order = str_cmp(a->name, b->name);
    if (!order) order = str_cmp(a->rid, b->rid);
    if (!order) order = str_cmp(a->model, b->model);
    if (!order && a->field && b->field) order = str_cmp(a->field->path, b->field->path);
    return order ? order : (int)b->was - (int)a->was; // what went before what came
}

// ---- a comparison -------------------------------------------------------------------------------------------------

Err differ_run(Differ *d, World *before, World *after, const DiffAsk *ask) {
    *d = (Differ){.ask = *ask};
    arena_init(&d->arena, 1 << 16);
    view_begin(&d->a, before);
    view_begin(&d->b, after);
    DiffSink sink = {d, on_twin, on_link, on_value, on_retype};
    Err err = world_diff(before, after, &sink);
    if (!err && whole(d)) {
        models_of(d, d->a.catalog, d->b.catalog, false);
        models_of(d, d->b.catalog, d->a.catalog, true);
        documents(d);
    }
    if (!err) join_renumbered(d);
    if (d->count) qsort(d->changes, (size_t)d->count, sizeof *d->changes, in_order);
    if (!err && d->a.failed) err = d->a.failed;
    if (!err && d->b.failed) err = d->b.failed;
    if (!err && (d->a.overrun || d->b.overrun)) err = ERR_OVERRUN;
    return err ? err : d->err;
}

void differ_free(Differ *d) {
    if (d->a.world) view_end(&d->a);
    if (d->b.world) view_end(&d->b);
    mem_free(d->changes);
    arena_free(&d->arena);
}

// ---- as JSON ------------------------------------------------------------------------------------------------------

static void member(Buf *out, const char *name, Str value) {
    if (!value.n) return;
    buf_printf(out, ",\"%s\":", name);
    json_put_str(out, value);
}

void diff_show_cell(const Field *f, const DiffCell *c, Buf *out) {
    if (!c->valid) buf_str_put(out, STR("null"));
    else if (f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT) buf_str_put(out, STR("{}"));
    else show_scalar(f, c->bits, c->text, out);
}

static void show_values(const DiffChange *c, Buf *out) {
    buf_printf(out, ",\"values\":{");
    bool first = true;
    for (int32_t i = 0; i < c->count; i++) {
        const Field *f = &c->fields[i];
        if (!c->cells[i].valid || f->end > i + 1) continue; // markers tell by what is in them
        if (!first) buf_byte(out, ',');
        first = false;
        json_put_str(out, f->path);
        buf_byte(out, ':');
        diff_show_cell(f, &c->cells[i], out);
    }
    buf_byte(out, '}');
}

static void show_change_of_value(const DiffChange *c, Buf *out) {
    member(out, "property", c->field->path);
    buf_printf(out, ",\"before\":");
    diff_show_cell(c->field, &c->before, out);
    buf_printf(out, ",\"after\":");
    diff_show_cell(c->field, &c->after, out);
    member(out, "unit", c->field->unit);
}

static void show_named(const DiffChange *c, Buf *out) {
    if (c->what == DIFF_MODEL) {
        member(out, "model", c->name);
    } else if (c->what == DIFF_DOCUMENT) {
        member(out, "collection", c->name);
        member(out, "name", c->model);
    } else {
        member(out, "twin", c->name);
        member(out, "model", c->rid.n ? (Str){0} : c->model);
        member(out, "modelBefore", c->model_before);
        member(out, "relationship", c->rid);
        member(out, "relationshipName", c->kind);
        member(out, "target", c->target);
    }
}

void diff_show(const DiffChange *c, Buf *out) {
    static const char *const what[] = {"model", "document", "twin", "relationship", "twinModel", "value"};
    buf_printf(out, "{\"what\":\"%s\"", what[c->what]);
    if (c->what <= DIFF_LINK)
        buf_printf(out, ",\"change\":\"%s\"", c->was && c->is ? "changed" : c->is ? "made" : "deleted");
    show_named(c, out);
    if (c->what == DIFF_VALUE) show_change_of_value(c, out);
    else if (c->what == DIFF_TWIN || c->what == DIFF_LINK) show_values(c, out);
    buf_byte(out, '}');
}
