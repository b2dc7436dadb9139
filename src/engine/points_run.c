// SPDX-License-Identifier: Apache-2.0
// Points become batches: the writer.
#include <stdio.h>
#include "base/check.h"
#include "engine/batches.h"
#include "engine/points.h"

_Static_assert(SOSIA_FUTURE_NS == WORLD_FUTURE_NS, "said in sosia.h");

// ---- one point, the long way --------------------------------------------------------------------------------------

// The least body a new twin of the model needs: its components, all empty.
static void least_body(const Model *m, int32_t parent, Buf *b) {
    int32_t end = parent < 0 ? m->field_count : m->fields[parent].end;
    for (int32_t i = parent + 1; i < end; i = m->fields[i].end) {
        if (m->fields[i].cell != CELL_COMPONENT) continue;
        buf_byte(b, ',');
        json_put_str(b, m->fields[i].name);
        buf_str_put(b, STR(":{\"$metadata\":{}"));
        least_body(m, i, b);
        buf_byte(b, '}');
    }
}

static Err make_twin(Batches *x, const Point *p) {
    View v = view_writer(x->r->world);
    const Model *m = schema_find(v.catalog->schema, p->model);
    Buf b = {0};
    buf_str_put(&b, STR("{\"$metadata\":{\"$model\":"));
    json_put_str(&b, p->model);
    buf_byte(&b, '}');
    if (m) least_body(m, -1, &b);
    buf_byte(&b, '}');
    Str text = arena_str(&x->scratch, buf_str(&b));
    buf_free(&b);
    Json body;
    TRY(json_parse(text, NULL, &x->scratch, &body, &x->d));
    return edit_twin_put(x->r->world, p->twin, &body, (Precondition){0}, NULL, &x->d);
}

// The twin a point means, made when it says how; for a handle also the path its column has.
static Err find_twin(Batches *x, const Point *p, TwinId *id, Str *path) {
    View v = view_writer(x->r->world);
    *path = p->path;
    if (!p->twin.n && p->at.twin) {
        const Table *table;
        const LinkKind *kind;
        const Field *f = catalog_field(v.catalog, p->at.column, &table, &kind);
        *id = (TwinId){p->at.twin};
        TwinView t = view_twin_place(&v, *id);
        if (!t.alive) return diag_add(&x->d, ERR_TWIN_NOT_FOUND, -1, -1, (Str){0}, "the twin is gone");
        if (!f || !table || table != &v.catalog->tables[t.table] || table->removed)
            return diag_add(&x->d, ERR_STALE, -1, -1, (Str){0}, "%s", err_text(ERR_STALE));
        *path = f->path;
        return ERR_OK;
    }
    *id = view_find_twin(&v, p->twin);
    if (id->v) return ERR_OK;
    if (!p->model.n)
        return diag_add(&x->d, ERR_TWIN_NOT_FOUND, -1, -1, (Str){0}, "there is no twin \"%.*s\"", STR_ARG(p->twin));
    TRY(make_twin(x, p));
    v = view_writer(x->r->world);
    *id = view_find_twin(&v, p->twin);
    CHECK(id->v);
    return ERR_OK;
}

// No value any more, unless what stands is newer by its source's clock.
static Err take_away(Batches *x, const Point *p, TwinId id, const Table *table, const Field *f, uint64_t row) {
    View v = view_writer(x->r->world);
    uint32_t col = table->first + (uint32_t)(f - table->model->fields);
    if (f->cell == CELL_COMPONENT)
        return diag_add(&x->d, ERR_VALIDATION, -1, -1, f->path, "a component cannot be taken away");
    CellView now = view_cell(&v, col, row);
    bool late = now.valid && p->time && now.source_time > p->time;
    x->report->late += late;
    if (late || !now.valid) return ERR_OK;
    return world_do(x->r->world, &(Change){.kind = CHANGE_UNSET, .cell = (uint8_t)f->cell, .col = col, .id = id.v});
}

static Err apply_long(Batches *x, const Point *p) {
    World *w = x->r->world;
    TwinId id;
    Str path;
    TRY(find_twin(x, p, &id, &path));
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, id);
    const Table *table = &v.catalog->tables[t.table];
    const Field *f = model_field(table->model, path);
    if (f && p->value.kind == SOSIA_NONE && !table->removed) return take_away(x, p, id, table, f, t.row);
    if (p->value.kind == SOSIA_TEXT && !str_utf8_ok(p->value.s))
        return diag_add(&x->d, ERR_VALIDATION, -1, -1, path, "the text is not UTF-8");
    if (f && f->cell == CELL_I64 && p->value.kind == SOSIA_F64 && !p->json.n && x->c->points->fit == FIT_STRICT)
        return diag_add(&x->d, ERR_VALIDATION, -1, -1, path, "an integer is wanted, not a number with a fraction");
    bool as_it_came = p->json.n && x->c->points->fit == FIT_STRICT;
    Str json = p->json;
    if (!as_it_came)
        json = value_json(f ? value_fit(f, x->c->points->fit, p->value, &x->scratch) : p->value, &x->scratch);
    return edit_value(w, id, path, json, p->time, &x->scratch, &x->d);
}

// ---- a batch of points --------------------------------------------------------------------------------------------

// Points from `from` on that are plain, at once. Returns how many were applied; *err: why not the next.
static int64_t apply_plain(Batches *x, int64_t from, int64_t to, Err *err) {
    World *w = x->r->world;
    StreamTally before = world_tally(w);
    int64_t n = to - from, done = n;
    *err = world_do_sets(w, x->c->points->sets + from, n, &done);
    if (!*err) done = n;
    StreamTally after = world_tally(w);
    x->report->late += after.late - before.late;
    x->report->duplicates += after.duplicates - before.duplicates;
    x->report->accepted += done;
    return done;
}

// One point. False: it must begin the next batch, see apply_points.
static bool apply_one(Batches *x, int64_t k, bool *dirty) {
    const Point *p = &x->c->points->items[k];
    if (p->err) {
        report_reject(x->report, &x->c->arena, p->line, p->err, p->message);
        return true;
    }
    World *w = x->r->world;
    int64_t before = batches_changes(x);
    StreamTally then = world_tally(w);
    batches_diag(x);
    Err err = apply_long(x, p);
    if (!err) {
        StreamTally now = world_tally(w);
        x->report->accepted++;
        x->report->late += now.late > then.late;
        x->report->duplicates += now.duplicates > then.duplicates && batches_changes(x) == before;
        return true;
    }
    return batches_refuse(x, k, before, err, dirty);
}

// BatchKind.apply
static int64_t apply_points(Batches *x, bool *dirty) {
    bool *plain = x->c->points->plain;
    View v = view_writer(x->r->world);
    if (v.catalog->since != x->c->points->catalog) // models changed since: what was looked up may not be so any more
        memset(plain + x->from, 0, (size_t)(x->to - x->from) * sizeof *plain);
    for (int64_t k = x->from; k < x->to;) {
        int64_t end = k;
        while (end < x->to && plain[end]) end++;
        if (end > k) {
            Err err;
            k += apply_plain(x, k, end, &err);
            if (!err) continue;
            if (err == ERR_LIMIT && batches_changes(x) > 0) return k;
            plain[k] = false; // the twin has another model or is gone: by its name
        }
        if (!apply_one(x, k, dirty)) return k;
        k++;
    }
    return x->to;
}

// ---- all batches --------------------------------------------------------------------------------------------------

static void result_put(Task *c) {
    char more[80];
    const Report *r = &c->points->report;
    int n =
        snprintf(more, sizeof more, ",\"late\":%lld,\"duplicates\":%lld", (long long)r->late, (long long)r->duplicates);
    report_put(r, (Str){more, n}, &c->out);
}

static int64_t next_batch(Batches *x) {
    x->to = x->from + POINTS_PER_BATCH < x->count ? x->from + POINTS_PER_BATCH : x->count;
    return batches_apply(x);
}

static int64_t line_of(const Batches *x, int64_t k) { return x->c->points->items[k].line; }

void points_run(Sosia *e, Realm *r, Task *c) {
    static const BatchKind kind = {next_batch, apply_points, line_of, result_put};
    batches_run(&kind, e, r, c, &c->points->report, c->points->count);
}
