// SPDX-License-Identifier: Apache-2.0
// Schemas: sets of models that share their memory. Who owns what: box.h.
#include "model/schema.h"
#include "base/check.h"
#include "base/mem.h"
#include "model/box.h"
#include "model/dtdl.h"

// ---- batches ----

static Batch *batch_new(void) {
    Batch *b = mem_alloc(sizeof(*b));
    atomic_init(&b->refs, 1);
    arena_init(&b->arena, 0);
    return b;
}

static void batch_ref(Batch *b) { atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed); }

static void batch_unref(Batch *b) {
    while (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        Batch *origin = b->origin;
        arena_free(&b->arena);
        mem_free(b);
        b = origin;
    }
}

// ---- schemas ----

// Room for `count` models and `batches` batches; nothing in it yet.
static Schema *schema_alloc(int32_t count, int32_t batches) {
    Schema *s = mem_alloc(sizeof(*s));
    atomic_init(&s->refs, 1);
    s->count = count;
    s->models = mem_alloc((size_t)(count ? count : 1) * sizeof(*s->models));
    s->batches = mem_alloc((size_t)(batches ? batches : 1) * sizeof(*s->batches));
    return s;
}

// Build the table of ids once every model is in its place.
static void schema_index(Schema *s) {
    uint32_t cap = 8;
    while (cap < (uint32_t)s->count * 2) cap *= 2;
    s->slots = mem_alloc(cap * sizeof(uint32_t));
    s->mask = cap - 1;
    for (int32_t i = 0; i < s->count; i++) {
        if (!s->models[i]) continue;
        uint32_t h = (uint32_t)s->models[i]->hash & s->mask;
        while (s->slots[h]) h = (h + 1) & s->mask;
        s->slots[h] = (uint32_t)i + 1;
        s->live++;
        s->fields += s->models[i]->m.field_count + s->models[i]->content_count;
    }
}

static void add_batch(Schema *s, Batch *b) {
    batch_ref(b);
    s->batches[s->batch_count++] = b;
}

// Take over the batches of `base` that still hold a model of s.
static void take_batches(Schema *s, const Schema *base) {
    Map live = {0};
    for (int32_t i = 0; i < s->count; i++)
        if (s->models[i]) map_put(&live, (Str){(const char *)&s->models[i]->batch, sizeof(Batch *)}, 1);
    for (int32_t i = 0; i < base->batch_count; i++) {
        int64_t one;
        if (map_get(&live, (Str){(const char *)&base->batches[i], sizeof(Batch *)}, &one))
            add_batch(s, base->batches[i]);
    }
    map_free(&live);
}

Schema *schema_new(void) {
    Schema *s = schema_alloc(0, 0);
    schema_index(s);
    return s;
}

void schema_ref(const Schema *s) {
    Schema *own = (Schema *)(uintptr_t)s; // only the count changes
    atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
}

void schema_unref(const Schema *s) {
    if (!s) return;
    Schema *own = (Schema *)(uintptr_t)s;
    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1) return;
    for (int32_t i = 0; i < own->batch_count; i++) batch_unref(own->batches[i]);
    mem_free(own->batches);
    mem_free(own->models);
    mem_free(own->slots);
    mem_free(own);
}

// ---- look-ups ----

int32_t schema_count(const Schema *s) { return s->count; }

const Model *schema_at(const Schema *s, int32_t index) {
    CHECK(index >= 0 && index < s->count);
    return s->models[index] ? &s->models[index]->m : NULL;
}

const ModelBox *schema_box(const Schema *s, Str id) {
    uint64_t hash = str_hash(id);
    for (uint32_t h = (uint32_t)hash & s->mask; s->slots[h]; h = (h + 1) & s->mask) {
        const ModelBox *b = s->models[s->slots[h] - 1];
        if (b->hash == hash && str_eq(b->m.id, id)) return b;
    }
    return NULL;
}

const Model *schema_find(const Schema *s, Str id) {
    const ModelBox *b = schema_box(s, id);
    return b ? &b->m : NULL;
}

bool model_is(const Model *m, Str base) {
    if (str_eq(m->id, base)) return true;
    for (int32_t i = 0; i < m->base_count; i++)
        if (str_eq(m->bases[i]->id, base)) return true;
    return false;
}

const Field *model_field(const Model *m, Str path) {
    const ModelBox *b = box_of(m);
    if (!b->field_slots) {
        for (int32_t i = 0; i < m->field_count; i++)
            if (str_eq(m->fields[i].path, path)) return &m->fields[i];
        return NULL;
    }
    for (uint32_t h = (uint32_t)str_hash(path) & b->field_mask; b->field_slots[h]; h = (h + 1) & b->field_mask) {
        const Field *f = &m->fields[b->field_slots[h] - 1];
        if (str_eq(f->path, path)) return f;
    }
    return NULL;
}

// A child's path is its parent's, a '.' and its name. Names hold no '.', so the joined path finds nothing else.
const Field *model_child(const Model *m, int32_t parent, Str name) {
    char path[1024];
    if (!box_of(m)->field_slots) return fields_child(m->fields, m->field_count, parent, name);
    if (str_find(name, '.', 0) >= 0) return NULL;
    if (parent < 0) return model_field(m, name);
    Str front = m->fields[parent].path;
    if (front.n + 1 + name.n > (int64_t)sizeof path) return fields_child(m->fields, m->field_count, parent, name);
    memcpy(path, front.p, (size_t)front.n);
    path[front.n] = '.';
    if (name.n) memcpy(path + front.n + 1, name.p, (size_t)name.n);
    return model_field(m, (Str){path, front.n + 1 + name.n});
}

const Field *fields_child(const Field *fields, int32_t count, int32_t parent, Str name) {
    int32_t end = parent < 0 ? count : fields[parent].end;
    for (int32_t i = parent + 1; i < end; i = fields[i].end)
        if (str_eq(fields[i].name, name)) return &fields[i];
    return NULL;
}

static const Content *find_content(const ModelBox *b, Str name) {
    if (!b->content_slots) {
        for (int32_t i = 0; i < b->content_count; i++)
            if (str_eq(b->contents[i].name, name)) return &b->contents[i];
        return NULL;
    }
    for (uint32_t h = (uint32_t)str_hash(name) & b->content_mask; b->content_slots[h]; h = (h + 1) & b->content_mask) {
        const Content *c = &b->contents[b->content_slots[h] - 1];
        if (str_eq(c->name, name)) return c;
    }
    return NULL;
}

const Rel *model_rel(const Model *m, Str name) {
    const Content *c = find_content(box_of(m), name);
    return c && c->kind == CONTENT_RELATIONSHIP ? m->rels[c->at] : NULL;
}

const Telemetry *model_telemetry(const Model *m, Str name) {
    const Content *c = find_content(box_of(m), name);
    return c && c->kind == CONTENT_TELEMETRY ? &m->telemetries[c->at] : NULL;
}

// ---- adding ----

static void check_stored(Parser *p, const Schema *base) {
    for (int32_t i = 0; i < p->count; i++) {
        Elem *e = p->interfaces[i];
        if (e->id.n && schema_box(base, e->id))
            complain(p, e, NULL, ERR_MODEL_EXISTS, NULL,
                     "a model with this id is stored already; give the new one another version");
    }
    if (base->live + p->count > SCHEMA_MODELS_MAX)
        complain(p, NULL, NULL, ERR_LIMIT, NULL, "there would be %d models; at most %d are allowed",
                 (int)(base->live + p->count), SCHEMA_MODELS_MAX);
}

// base plus the models just built, whose batch s takes over.
static Schema *schema_extend(const Schema *base, ModelBox **boxes, int32_t count, Batch *batch) {
    Schema *s = schema_alloc(base->count + count, base->batch_count + 1);
    memcpy(s->models, base->models, (size_t)base->count * sizeof(*s->models));
    for (int32_t i = 0; i < count; i++) {
        boxes[i]->m.index = base->count + i;
        s->models[base->count + i] = boxes[i];
    }
    schema_index(s);
    for (int32_t i = 0; i < base->batch_count; i++) add_batch(s, base->batches[i]);
    add_batch(s, batch);
    return s;
}

Err schema_add_with(const Schema *base, const Json *docs, const DtdlOptions *opt, Schema **out, Diag *d) {
    if (docs->type != JSON_ARRAY && docs->type != JSON_OBJECT)
        return diag_add(d, ERR_ARGUMENT, docs->at, docs->at + docs->raw.n, STR(""),
                        "an array of models is wanted, got %s", json_type_name(docs->type));
    if (docs->type == JSON_ARRAY && docs->count > SCHEMA_MODELS_MAX)
        return diag_add(d, ERR_LIMIT, docs->at, -1, STR(""), "%d models; at most %d are allowed", (int)docs->count,
                        SCHEMA_MODELS_MAX);
    Arena arena;
    arena_init(&arena, 0);
    Parser p = {.arena = &arena, .d = d, .opt = *opt, .base = base};
    dtdl_parse(&p, docs);
    check_stored(&p, base);
    dtdl_resolve(&p);
    Batch *batch = batch_new();
    ModelBox **boxes = NEW(&arena, ModelBox *, p.count);
    build_models(&p, batch, boxes);
    if (p.err == ERR_OK) *out = schema_extend(base, boxes, p.count, batch);
    batch_unref(batch);
    map_free(&p.ids);
    buf_free(&p.scratch);
    arena_free(&arena);
    return p.err;
}

Err schema_add(const Schema *base, const Json *docs, Schema **out, Diag *d) {
    return schema_add_with(base, docs, &(DtdlOptions){0}, out, d);
}

// ---- removing and decommissioning ----

// Some model of s depends on `id` and, when asked, is active. NULL when none.
static const Model *dependant(const Schema *s, Str id, bool active_only) {
    for (int32_t i = 0; i < s->count; i++) {
        if (!s->models[i]) continue;
        const Model *m = &s->models[i]->m;
        if (active_only && m->decommissioned) continue;
        for (int32_t j = 0; j < m->dependency_count; j++)
            if (str_eq(m->dependencies[j], id)) return m;
    }
    return NULL;
}

static Err not_found(Str id, Diag *d) {
    return diag_add(d, ERR_MODEL_NOT_FOUND, -1, -1, id, "there is no model with this id");
}

// A copy of base with `box` (or nothing) in the place of model `index`.
static Schema *schema_replace(const Schema *base, int32_t index, const ModelBox *box) {
    Schema *s = schema_alloc(base->count, base->batch_count + 1);
    memcpy(s->models, base->models, (size_t)base->count * sizeof(*s->models));
    s->models[index] = box;
    schema_index(s);
    take_batches(s, base);
    if (box) add_batch(s, box->batch);
    return s;
}

Err schema_remove(const Schema *base, Str id, Schema **out, Diag *d) {
    const ModelBox *box = schema_box(base, id);
    if (!box) return not_found(id, d);
    const Model *user = dependant(base, id, false);
    if (user)
        return diag_add(d, ERR_MODEL_IN_USE, -1, -1, id, "%.*s extends or embeds it; remove that model first",
                        STR_ARG(user->id));
    *out = schema_replace(base, box->m.index, NULL);
    return ERR_OK;
}

Err schema_decommission(const Schema *base, Str id, bool flag, Schema **out, Diag *d) {
    const ModelBox *box = schema_box(base, id);
    if (!box) return not_found(id, d);
    const Model *user = flag ? dependant(base, id, true) : NULL;
    if (user)
        return diag_add(d, ERR_MODEL_ACTIVE_REFS, -1, -1, id,
                        "%.*s extends or embeds it and is active; decommission that model first", STR_ARG(user->id));
    Batch *batch = batch_new();
    ModelBox *copy = NEW(&batch->arena, ModelBox, 1);
    *copy = *box;
    copy->m.decommissioned = flag;
    copy->batch = batch;
    copy->original = box_original(box);
    batch->origin = copy->original->batch;
    batch_ref(batch->origin);
    *out = schema_replace(base, box->m.index, copy);
    batch_unref(batch);
    return ERR_OK;
}
