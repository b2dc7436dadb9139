// SPDX-License-Identifier: Apache-2.0
// The schema as tables and columns. Numbers are a function of the order of model operations alone, so that replaying
// the model log gives the same columns.
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"

static void doc_ref(Doc *d) { atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed); }

static void doc_unref(Doc *d) {
    if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1) mem_free(d);
}

Catalog *catalog_new(void) {
    Catalog *c = mem_alloc(sizeof *c);
    atomic_init(&c->refs, 1);
    c->schema = schema_new();
    c->next_vec = VECNO_COLUMNS;
    return c;
}

void catalog_ref(Catalog *c) { atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); }

void catalog_unref(Catalog *c) {
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) return;
    for (int32_t i = 0; i < c->held_count; i++) schema_unref(c->held[i]);
    for (int32_t i = 0; i < c->doc_count; i++) doc_unref(c->docs[i]);
    mem_free(c->docs);
    schema_unref(c->schema);
    mem_free(c->held);
    mem_free(c->tables);
    mem_free(c->kinds);
    mem_free(c->owner);
    mem_free(c);
}

static void *copy(const void *p, int64_t n, int64_t more, size_t size) {
    void *q = mem_alloc((size_t)(n + more) * size);
    if (n) memcpy(q, p, (size_t)n * size);
    return q;
}

// Columns of the model's own relationship definitions; their field lists are short.
static int32_t own_rels(const Model *m, bool count_fields) {
    int32_t n = 0;
    for (int32_t i = 0; i < m->rel_count; i++) {
        if (m->rels[i]->owner == m) n += count_fields ? m->rels[i]->field_count : 1;
    }
    return n;
}

static void add_kinds(Catalog *c, Table *t) {
    t->first_kind = c->kind_count;
    for (int32_t i = 0; i < t->model->rel_count; i++) {
        const Rel *rel = t->model->rels[i];
        if (rel->owner != t->model) continue;
        for (int32_t f = 0; f < rel->field_count; f++)
            c->owner[c->next_vec - VECNO_COLUMNS + (uint32_t)f] = -1 - c->kind_count;
        c->kinds[c->kind_count++] = (LinkKind){rel, c->next_vec};
        c->next_vec += (uint32_t)rel->field_count;
    }
    t->kind_count = c->kind_count - t->first_kind;
}

static void add_table(Catalog *c, const Model *m, int64_t time) {
    Table *t = &c->tables[c->table_count];
    *t = (Table){.model = m, .upload_time = time, .rows = c->next_vec, .first = c->next_vec + 1};
    for (int32_t f = 0; f <= m->field_count; f++) c->owner[c->next_vec - VECNO_COLUMNS + (uint32_t)f] = c->table_count;
    c->next_vec += 1 + (uint32_t)m->field_count;
    add_kinds(c, t);
    c->table_count++;
}

// A catalog over `schema`: the old tables (rebound to its models), then one for each new model.
static Catalog *build(const Catalog *old, Schema *schema, bool hold, int64_t time) {
    int32_t models = schema_count(schema), tables = models - old->table_count, kinds = 0;
    int64_t columns = 0;
    for (int32_t i = old->table_count; i < models; i++) {
        const Model *m = schema_at(schema, i);
        kinds += own_rels(m, false);
        columns += 1 + m->field_count + own_rels(m, true);
    }
    Catalog *c = mem_alloc(sizeof *c);
    atomic_init(&c->refs, 1);
    c->schema = schema;
    c->tables = copy(old->tables, old->table_count, tables, sizeof *c->tables);
    c->table_count = old->table_count;
    c->kinds = copy(old->kinds, old->kind_count, kinds, sizeof *c->kinds);
    c->kind_count = old->kind_count;
    c->owner = copy(old->owner, old->next_vec - VECNO_COLUMNS, columns, sizeof *c->owner);
    c->next_vec = old->next_vec;
    c->held = copy(old->held, old->held_count, hold, sizeof *c->held);
    c->held_count = old->held_count;
    for (int32_t i = 0; i < c->held_count; i++) schema_ref(c->held[i]);
    c->docs = copy(old->docs, old->doc_count, 1, sizeof *c->docs);
    c->doc_count = old->doc_count;
    for (int32_t i = 0; i < c->doc_count; i++) doc_ref(c->docs[i]);
    if (hold) {
        schema_ref(old->schema);
        c->held[c->held_count++] = old->schema;
    }
    for (int32_t i = 0; i < c->table_count; i++) {
        const Model *m = schema_at(schema, i);
        c->tables[i].removed = m == NULL;
        if (m) c->tables[i].model = m;
    }
    for (int32_t i = c->table_count; i < models; i++) add_table(c, schema_at(schema, i), time);
    return c;
}

static Err add_models(const Schema *old, Str text, Schema **out) {
    Arena arena;
    arena_init(&arena, 0);
    Json docs;
    Err e = json_parse(text, NULL, &arena, &docs, NULL);
    if (e == ERR_OK) e = schema_add(old, &docs, out, NULL);
    arena_free(&arena);
    return e;
}

// ---- documents ----

static Doc *doc_new(Str collection, Str name, Str json) {
    Doc *d = mem_alloc(sizeof *d + (size_t)(collection.n + name.n + json.n));
    char *p = (char *)(d + 1);
    atomic_init(&d->refs, 1);
    Str *to[] = {&d->collection, &d->name, &d->json}, from[] = {collection, name, json};
    for (int i = 0; i < 3; i++) {
        if (from[i].n) memcpy(p, from[i].p, (size_t)from[i].n);
        *to[i] = (Str){p, from[i].n};
        p += from[i].n;
    }
    return d;
}

// Where the document is, or would be.
static int32_t doc_find(const Catalog *c, Str collection, Str name, bool *found) {
    int32_t low = 0, high = c->doc_count;
    *found = false;
    while (low < high && !*found) {
        int32_t mid = low + (high - low) / 2;
        int order = str_cmp(c->docs[mid]->collection, collection);
        if (order == 0) order = str_cmp(c->docs[mid]->name, name);
        *found = order == 0;
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return *found ? high : low;
}

// Put, replace or (empty JSON) remove. `docs` has room for one more.
static void doc_place(Catalog *c, Str collection, Str name, Str json) {
    bool found;
    int32_t i = doc_find(c, collection, name, &found);
    if (found) {
        doc_unref(c->docs[i]);
        if (json.n) c->docs[i] = doc_new(collection, name, json);
        else memmove(&c->docs[i], &c->docs[i + 1], (size_t)(--c->doc_count - i) * sizeof *c->docs);
        return;
    }
    if (!json.n) return;
    memmove(&c->docs[i + 1], &c->docs[i], (size_t)(c->doc_count++ - i) * sizeof *c->docs);
    c->docs[i] = doc_new(collection, name, json);
}

const Doc *catalog_doc(const Catalog *c, Str collection, Str name) {
    bool found;
    int32_t i = doc_find(c, collection, name, &found);
    return found ? c->docs[i] : NULL;
}

int32_t catalog_docs(const Catalog *c, Str collection, int32_t *count) {
    bool found;
    int32_t first = doc_find(c, collection, (Str){0}, &found), end = first;
    while (end < c->doc_count && str_eq(c->docs[end]->collection, collection)) end++;
    *count = end - first;
    return first;
}

// The same tables with one document put or removed. Errors: ARGUMENT.
static Err catalog_doc_next(const Catalog *old, Str text, Catalog **out) {
    Str rest = text, collection = str_cut(&rest, 0), name = str_cut(&rest, 0);
    if (collection.n == 0 || name.n == 0) return ERR_ARGUMENT;
    schema_ref(old->schema);
    *out = build(old, old->schema, false, 0);
    doc_place(*out, collection, name, rest);
    return ERR_OK;
}

Err catalog_next(const Catalog *old, uint8_t kind, Str text, bool flag, int64_t time, Catalog **out) {
    Schema *schema = NULL;
    switch (kind) {
    case CHANGE_DOC: return catalog_doc_next(old, text, out);
    case CHANGE_MODELS_ADD: TRY(add_models(old->schema, text, &schema)); break;
    case CHANGE_MODEL_REMOVE: TRY(schema_remove(old->schema, text, &schema, NULL)); break;
    case CHANGE_MODEL_FLAG: TRY(schema_decommission(old->schema, text, flag, &schema, NULL)); break;
    default: return ERR_ARGUMENT;
    }
    *out = build(old, schema, kind != CHANGE_MODELS_ADD, time);
    return ERR_OK;
}

Err catalog_load(View *v, Catalog **out) {
    Catalog *c = catalog_new();
    int64_t rows = view_model_rows(v);
    for (int64_t i = 0; i < rows; i++) {
        ModelView m = view_model(v, i);
        Catalog *next;
        Text *text = m.kind == CHANGE_MODELS_ADD || m.kind == CHANGE_DOC ? &m.doc : &m.id;
        Err e = catalog_next(c, m.kind, text_str(text), m.flag, m.time, &next);
        catalog_unref(c);
        if (e != ERR_OK) return ERR_CORRUPT;
        c = next;
    }
    *out = c;
    return ERR_OK;
}

static int32_t owner_of(const Catalog *c, uint32_t col) {
    return col < VECNO_COLUMNS || col >= c->next_vec ? INT32_MIN : c->owner[col - VECNO_COLUMNS];
}

const Table *catalog_column(const Catalog *c, uint32_t col, const Field **field) {
    int32_t owner = owner_of(c, col);
    if (owner < 0 || col == c->tables[owner].rows) return NULL;
    const Table *t = &c->tables[owner];
    *field = &t->model->fields[col - t->first];
    return t;
}

const LinkKind *catalog_link_column(const Catalog *c, uint32_t col, const Field **field) {
    int32_t owner = owner_of(c, col);
    if (owner >= 0 || owner == INT32_MIN) return NULL;
    const LinkKind *k = &c->kinds[-1 - owner];
    *field = &k->rel->fields[col - k->first];
    return k;
}

int32_t catalog_kind(const Catalog *c, const Rel *rel) {
    const Table *t = &c->tables[rel->owner->index];
    for (int32_t i = 0; i < t->kind_count; i++) {
        if (str_eq(c->kinds[t->first_kind + i].rel->name, rel->name)) return t->first_kind + i;
    }
    CHECK(false && "a relationship of a model the catalog knows");
    return -1;
}
