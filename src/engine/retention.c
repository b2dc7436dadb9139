// SPDX-License-Identifier: Apache-2.0
#include "engine/retention.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/document.h"
#include "history/means.h"
#include "world/trail.h"

// ---- documents ----------------------------------------------------------------------------------------------------

typedef struct Policy {
    Str name, model, twin, property, raw, step, keep; // texts
    HistoryKeep says;
    // of a view
    const Model *of;
    uint64_t row; // of the twin
    uint32_t table;
} Policy;

static Err wrong(Diag *d, int64_t at, const char *text) {
    return diag_add(d, ERR_ARGUMENT, at, -1, (Str){0}, "%s", text);
}

static Err members_of(const Json *v, Str name, Policy *out, Diag *d) {
    const struct {
        Str name;
        Str *to;
    } members[] = {{STR("model"), &out->model}, {STR("twin"), &out->twin}, {STR("property"), &out->property},
                   {STR("raw"), &out->raw},     {STR("step"), &out->step}, {STR("keep"), &out->keep}};
    for (int32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++) {
        const JsonMember *m = &v->members[i];
        size_t k = 0;
        while (k < 6 && !str_eq(members[k].name, m->key)) k++;
        if (str_eq(m->key, STR("name")) && m->value.type == JSON_STRING && str_eq(m->value.s, name)) continue;
        if (k == 6 || m->value.type != JSON_STRING || !m->value.s.n)
            return diag_add(d, ERR_ARGUMENT, m->value.at, -1, (Str){0},
                            "\"%.*s\" is not a member of a policy of retention, or not a text", STR_ARG(m->key));
        *members[k].to = m->value.s;
    }
    return ERR_OK;
}

static bool period(Str s, int64_t *out) { return time_parse_period(s, out) || time_parse_duration(s, out); }

// The durations, and that they go together. Errors: ARGUMENT.
static Err says_of(Policy *p, int64_t at, Diag *d) {
    HistoryKeep *k = &p->says;
    if (!p->raw.n || !period(p->raw, &k->raw_ns) || k->raw_ns < RETENTION_RAW_MIN)
        return wrong(d, at,
                     "\"raw\" says how long values are kept as they came, as \"P30D\" or \"12h\", at least \"PT1M\"");
    if (p->step.n && (!period(p->step, &k->step_ns) || k->step_ns < NS_PER_S || k->step_ns > MEANS_STEP_MAX))
        return wrong(d, at, "\"step\" is the time one mean is of, \"PT1S\" to \"P90D\"");
    if (p->keep.n && !p->step.n) return wrong(d, at, "\"keep\" is how long means are kept, and there is no \"step\"");
    if (p->keep.n && (!period(p->keep, &k->means_ns) || k->means_ns < k->raw_ns))
        return wrong(d, at, "\"keep\" is how old means may become, as \"P2Y\"; not less than \"raw\"");
    return ERR_OK;
}

static Err policy_of(const Json *v, Str name, Policy *out, Diag *d) {
    *out = (Policy){.name = name};
    if (!document_name_ok(name, RETENTION_NAME_MAX))
        return diag_add(d, ERR_ARGUMENT, -1, -1, (Str){0},
                        "the name of a policy is 1 to %d letters, digits, '-', '_' and '.'", RETENTION_NAME_MAX);
    if (v->type != JSON_OBJECT) return wrong(d, v->at, "a policy of retention is an object");
    TRY(members_of(v, name, out, d));
    if (out->model.n && out->twin.n) return wrong(d, v->at, "a policy is for a model or for a twin, not for both");
    return says_of(out, v->at, d);
}

static void put_member(Buf *out, const char *name, Str value) {
    if (!value.n) return;
    buf_printf(out, "%s\"%s\":", out->n ? "," : "{", name);
    json_put_str(out, value);
}

static void doc_of(const Policy *p, Buf *out) {
    put_member(out, "model", p->model);
    put_member(out, "twin", p->twin);
    put_member(out, "property", p->property);
    put_member(out, "raw", p->raw);
    put_member(out, "step", p->step);
    put_member(out, "keep", p->keep);
    buf_byte(out, '}');
}

static Err check_there(const View *v, View *twins, const Policy *p, Diag *d) {
    if (p->model.n && !schema_find(v->catalog->schema, p->model))
        return diag_add(d, ERR_MODEL_NOT_FOUND, -1, -1, p->model, "there is no model with the id %.*s",
                        STR_ARG(p->model));
    if (p->twin.n && !view_find_twin(twins, p->twin).v)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, p->twin, "there is no twin with the id \"%.*s\"",
                        STR_ARG(p->twin));
    return ERR_OK;
}

Err retention_put(Realm *r, Task *c, Diag *d) {
    View v = view_writer(r->world);
    Policy p;
    int32_t count;
    TRY(policy_of(&c->json, c->id, &p, d));
    if (r != r->engine->live) return wrong(d, -1, "policies of retention are those of the live world");
    TRY(check_there(&v, &v, &p, d));
    const Doc *was = catalog_doc(v.catalog, RETENTION_COLLECTION, c->id);
    (void)catalog_docs(v.catalog, RETENTION_COLLECTION, &count);
    if (!was && count >= RETENTION_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "there are at most %d policies of retention", RETENTION_MAX);
    Buf json = {0};
    doc_of(&p, &json);
    c->created = was == NULL;
    Err err = ERR_OK;
    if (!was || !str_eq(was->json, buf_str(&json)))
        err = document_do(r->world, RETENTION_COLLECTION, c->id, buf_str(&json), d);
    buf_free(&json);
    return err;
}

Err retention_delete(Realm *r, const Task *c, Diag *d) {
    View v = view_writer(r->world);
    if (!c->id.n || !catalog_doc(v.catalog, RETENTION_COLLECTION, c->id))
        return diag_add(d, ERR_RETENTION_NOT_FOUND, -1, -1, c->id, "there is no policy of retention \"%.*s\"",
                        STR_ARG(c->id));
    return document_do(r->world, RETENTION_COLLECTION, c->id, (Str){0}, d);
}

Err retention_show(View *v, Str id, Buf *out) {
    return document_show(v, RETENTION_COLLECTION, id, out) ? ERR_OK : ERR_RETENTION_NOT_FOUND;
}

// ---- what they say of lanes ---------------------------------------------------------------------------------------

typedef struct RowKeep {
    uint64_t lane, row;
    HistoryKeep keep;
} RowKeep;

struct Retention {
    HistoryKeep *columns, *tables; // by column - VECNO_COLUMNS; telemetry by table
    bool *by_row;                  // likewise by column
    int64_t column_count, table_count;
    RowKeep *rows; // by lane, then row
    int64_t row_count, row_cap;
};

// Does the policy name the field, or one that it lies in?
static bool names(const Policy *p, Str path) {
    if (!p->property.n) return true;
    return str_starts(path, p->property) && (path.n == p->property.n || path.p[p->property.n] == '.');
}

static bool holds_for(const Policy *p, const Model *m) {
    if (p->twin.n) return false;
    return !p->model.n || (p->of && m && model_is(m, p->model));
}

// a before b, which both hold.
static bool more_specific(const Policy *a, const Policy *b) {
    if (a->property.n != b->property.n) return a->property.n > b->property.n;
    if (!a->of != !b->of) return a->of != NULL;
    if (a->of && b->of && a->of != b->of) {
        if (model_is(a->of, b->model)) return true;
        if (model_is(b->of, a->model)) return false;
    }
    return str_cmp(a->name, b->name) < 0;
}

// Of a table's field; m NULL: of a relationship's. path "": of telemetry.
static HistoryKeep keep_of(const Policy *all, int64_t n, const Model *m, Str path) {
    const Policy *best = NULL;
    for (int64_t i = 0; i < n; i++) {
        const Policy *p = &all[i];
        if (!holds_for(p, m) || (path.n ? !names(p, path) : p->property.n > 0)) continue;
        if (!best || more_specific(p, best)) best = p;
    }
    return best ? best->says : (HistoryKeep){.raw_ns = 0};
}

static void add_row(Retention *x, uint64_t lane, uint64_t row, HistoryKeep keep) {
    if (x->row_count == x->row_cap) {
        x->row_cap = x->row_cap ? x->row_cap * 2 : 64;
        x->rows = mem_grow(x->rows, (size_t)x->row_cap * sizeof *x->rows);
    }
    x->rows[x->row_count++] = (RowKeep){lane, row, keep};
}

// The best policy for the twin of `p` and one field. NULL: none of a twin.
static const Policy *best_of_twin(const Policy *all, int64_t n, const Policy *p, Str path) {
    const Policy *best = NULL;
    for (int64_t i = 0; i < n; i++) {
        const Policy *q = &all[i];
        if (!q->twin.n || q->table != p->table || q->row != p->row) continue;
        if (path.n ? !names(q, path) : q->property.n > 0) continue;
        if (!best || more_specific(q, best)) best = q;
    }
    return best;
}

// Rows of the twin that a policy names, once a lane: where it is itself the best.
static void add_twin(Retention *x, const Catalog *c, const Policy *all, int64_t n, const Policy *p) {
    const Table *t = &c->tables[p->table];
    for (int32_t i = 0; i < t->model->field_count; i++) {
        if (best_of_twin(all, n, p, t->model->fields[i].path) != p) continue;
        uint32_t col = t->first + (uint32_t)i;
        add_row(x, trail_lane(col, 0), p->row, p->says);
        x->by_row[col - VECNO_COLUMNS] = true;
    }
    if (best_of_twin(all, n, p, (Str){0}) == p)
        add_row(x, trail_lane(TRAIL_TELEMETRY_VEC + p->table, 0), p->row, p->says);
}

static int by_place(const void *a, const void *b) {
    const RowKeep *x = a, *y = b;
    if (x->lane != y->lane) return x->lane < y->lane ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void fill(Retention *x, const Catalog *c, const Policy *all, int64_t n) {
    x->column_count = (int64_t)c->next_vec - VECNO_COLUMNS;
    x->table_count = c->table_count;
    x->columns = mem_alloc((size_t)(x->column_count + 1) * sizeof *x->columns);
    x->by_row = mem_alloc((size_t)x->column_count + 1);
    x->tables = mem_alloc((size_t)(x->table_count + 1) * sizeof *x->tables);
    for (int64_t i = 0; i < x->column_count; i++) {
        const Table *t;
        const LinkKind *k;
        const Field *f = catalog_field(c, (uint32_t)i + VECNO_COLUMNS, &t, &k);
        if (f) x->columns[i] = keep_of(all, n, t ? t->model : NULL, f->path);
        if (f && f->cell >= CELL_OBJECT) x->columns[i].step_ns = 0; // a marker has no mean
    }
    for (int32_t i = 0; i < c->table_count; i++) x->tables[i] = keep_of(all, n, c->tables[i].model, (Str){0});
    for (int64_t i = 0; i < n; i++)
        if (all[i].twin.n && all[i].table < (uint32_t)c->table_count) add_twin(x, c, all, n, &all[i]);
    if (x->row_count) qsort(x->rows, (size_t)x->row_count, sizeof *x->rows, by_place);
}

static void place_policy(View *v, Policy *p) {
    p->table = UINT32_MAX;
    if (p->model.n) p->of = schema_find(v->catalog->schema, p->model);
    if (!p->twin.n) return;
    TwinId id = view_find_twin(v, p->twin);
    TwinView t = id.v ? view_twin_place(v, id) : (TwinView){.alive = false};
    if (!t.alive) return;
    p->table = t.table;
    p->row = t.row;
}

Retention *retention_of(View *v) {
    int32_t count, first = catalog_docs(v->catalog, RETENTION_COLLECTION, &count);
    if (!count) return NULL;
    Arena a;
    arena_init(&a, 0);
    Policy *all = NEW(&a, Policy, count);
    int64_t n = 0;
    for (int32_t i = first; i < first + count; i++) {
        const Doc *doc = v->catalog->docs[i];
        Json json;
        if (json_parse(doc->json, NULL, &a, &json, NULL) || policy_of(&json, doc->name, &all[n], NULL)) continue;
        place_policy(v, &all[n++]);
    }
    Retention *x = mem_alloc(sizeof *x);
    fill(x, v->catalog, all, n);
    arena_free(&a);
    return x;
}

void retention_free(Retention *x) {
    if (!x) return;
    mem_free(x->columns);
    mem_free(x->tables);
    mem_free(x->by_row);
    mem_free(x->rows);
    mem_free(x);
}

static bool is_telemetry(const Retention *x, uint32_t vec) {
    return vec >= TRAIL_TELEMETRY_VEC && vec - TRAIL_TELEMETRY_VEC < (uint64_t)x->table_count;
}

HistoryKeep retention_lane(const Retention *x, uint64_t lane, bool *rows) {
    uint32_t vec = lane_vec(lane);
    *rows = false;
    if (x && is_telemetry(x, vec)) {
        *rows = x->row_count > 0;
        return x->tables[vec - TRAIL_TELEMETRY_VEC];
    }
    if (!x || vec < VECNO_COLUMNS || vec - VECNO_COLUMNS >= (uint64_t)x->column_count)
        return (HistoryKeep){.raw_ns = 0};
    *rows = x->by_row[vec - VECNO_COLUMNS];
    return x->columns[vec - VECNO_COLUMNS];
}

HistoryKeep retention_row(const Retention *x, uint64_t lane, uint64_t row) {
    RowKeep key = {.lane = lane, .row = row};
    bool rows;
    const RowKeep *found = NULL;
    if (x && x->row_count) found = bsearch(&key, x->rows, (size_t)x->row_count, sizeof key, by_place);
    return found ? found->keep : retention_lane(x, lane, &rows);
}
