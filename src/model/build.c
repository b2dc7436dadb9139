// SPDX-License-Identifier: Apache-2.0
// Elements -> Models. Interfaces are visited dependencies first, so every interface that one extends or embeds is
// complete (a ModelBox, new or of the base schema) when it is built itself. Contents are taken over base by base in
// the order of `extends`, then come its own; a content reached twice through a diamond is taken once.
#include "base/check.h"
#include "base/mem.h"
#include "model/box.h"
#include "model/dtdl.h"

typedef struct Builder {
    Parser *p;
    Arena *keep;
    Batch *batch;
    ModelBox **boxes;
    uint8_t *state; // of the visit, by index of the interface
    int64_t fields; // columns and other contents, with those of the base schema
} Builder;

#define INDEX_FROM 8 // names; up to here a list is searched one by one

// A growing array of T in p of l; the caller frees it.
#define PUSH(l, T, item)                                                                                               \
    do {                                                                                                               \
        if ((l)->count == (l)->cap) {                                                                                  \
            (l)->cap = (l)->cap ? (l)->cap * 2 : 16;                                                                   \
            (l)->at = mem_grow((l)->at, (size_t)(l)->cap * sizeof(T));                                                 \
        }                                                                                                              \
        (l)->at[(l)->count++] = (item);                                                                                \
    } while (0)

#define LIST(T)                                                                                                        \
    struct {                                                                                                           \
        T *at;                                                                                                         \
        int32_t count, cap;                                                                                            \
    }

typedef struct FieldList {
    Field *at;
    int32_t count, cap;
    bool full;
} FieldList;

// What one interface collects while it is built.
typedef struct Work {
    Elem *e;
    ModelBox *box;
    FieldList fields;
    LIST(Content) contents;
    LIST(const Rel *) rels;
    LIST(Telemetry) telemetries;
    LIST(CommandDef) commands;
    LIST(const Model *) bases;
    LIST(Str) dependencies;
    Map names; // content name -> index
    Map seen;  // ids of bases or dependencies
} Work;

static Str keep_str(Builder *b, Str s) { return s.n ? arena_str(b->keep, s) : STR(""); }

// ---- types ----

static const Type *type_of(Builder *b, const Value *v);

static void type_object(Builder *b, const Elem *e, Type *t) {
    const Slot *s = elem_slot(e, PROP_FIELDS);
    TypeField *fields = NEW(b->keep, TypeField, s->count);
    for (int32_t i = 0; i < s->count; i++) {
        const Elem *x = s->values[i].elem;
        fields[i] = (TypeField){.name = keep_str(b, x->name),
                                .type = type_of(b, elem_value(x, PROP_SCHEMA)),
                                .unit = keep_str(b, x->unit),
                                .semantic = x->semantic ? str_of(x->semantic->name) : STR(""),
                                .required = elem_has_cotype(x, STR("Required"))};
    }
    t->fields = fields;
    t->field_count = s->count;
}

static void type_enum(Builder *b, const Elem *e, Type *t) {
    const Slot *s = elem_slot(e, PROP_ENUM_VALUES);
    EnumValue *values = NEW(b->keep, EnumValue, s->count);
    for (int32_t i = 0; i < s->count; i++) {
        const Elem *x = s->values[i].elem;
        values[i] = (EnumValue){.name = keep_str(b, x->name), .text = keep_str(b, x->text), .num = x->num};
    }
    t->values = values;
    t->value_count = s->count;
    t->value_is_int = value_class(elem_value(e, PROP_VALUE_SCHEMA)) == CLS_INTEGER;
}

static void type_map(Builder *b, const Elem *e, Type *t) {
    const Elem *key = elem_value(e, PROP_MAP_KEY)->elem, *value = elem_value(e, PROP_MAP_VALUE)->elem;
    t->key_name = keep_str(b, key->name);
    t->item_name = keep_str(b, value->name);
    t->item = type_of(b, elem_value(value, PROP_SCHEMA));
}

static Shape shape_of(Cls c) {
    switch (c) {
    case CLS_ARRAY: return SHAPE_ARRAY;
    case CLS_ENUM: return SHAPE_ENUM;
    case CLS_MAP: return SHAPE_MAP;
    default: CHECK(c == CLS_OBJECT); return SHAPE_OBJECT;
    }
}

// The units of a family as an enum of strings.
static const Type *type_family(Builder *b, UnitFamily family, UnitSet set) {
    EnumValue *values = NEW(b->keep, EnumValue, unit_count());
    Type *t = NEW(b->keep, Type, 1);
    *t = (Type){.shape = SHAPE_ENUM, .name = str_of(unit_family(family)->name), .values = values};
    for (int32_t i = 0; i < unit_count(); i++) {
        const Unit *u = unit_at(i);
        Str name = str_of(u->name);
        if (u->family == family && (u->sets & set)) values[t->value_count++] = (EnumValue){.name = name, .text = name};
    }
    return t;
}

// The type of a sound schema value. Made once per element; a schema that contains itself sees its own, unfinished.
static const Type *type_of(Builder *b, const Value *v) {
    if (v->builtin) return v->builtin->type;
    if (v->family_set) return type_family(b, v->family, v->family_set);
    Elem *e = v->elem;
    if (e->type) return e->type;
    if (SET(e->cls) & SET_PRIMITIVE) return e->type = type_of_primitive(e->cls);
    Type *t = NEW(b->keep, Type, 1);
    *t = (Type){.shape = shape_of(e->cls), .name = keep_str(b, e->id)};
    e->type = t;
    if (t->shape == SHAPE_OBJECT) type_object(b, e, t);
    else if (t->shape == SHAPE_ENUM) type_enum(b, e, t);
    else if (t->shape == SHAPE_MAP) type_map(b, e, t);
    else t->item = type_of(b, elem_value(e, PROP_ELEMENT_SCHEMA));
    return t;
}

// An object within itself (v4) is not unfolded again.
static CellKind cell_of(const Type *t, bool again) {
    switch (t->shape) {
    case SHAPE_BOOL: return CELL_BOOL;
    case SHAPE_BYTE:
    case SHAPE_SHORT:
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_UBYTE:
    case SHAPE_USHORT:
    case SHAPE_UINTEGER:
    case SHAPE_ULONG: return CELL_I64;
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: return CELL_F64;
    case SHAPE_ENUM: return t->value_is_int ? CELL_I64 : CELL_STR;
    case SHAPE_OBJECT: return again ? CELL_DOC : CELL_OBJECT;
    case SHAPE_MAP:
    case SHAPE_ARRAY:
    case SHAPE_GEO:
    case SHAPE_ANY: return CELL_DOC;
    default: return CELL_STR;
    }
}

// ---- fields ----

// Index of the new field, or -1 past a limit.
static int32_t add_field(Builder *b, FieldList *l, Field f) {
    if (l->full || l->count == MODEL_FIELDS_MAX || b->fields >= SCHEMA_FIELDS_MAX) {
        l->full = true;
        return -1;
    }
    b->fields++;
    PUSH(l, Field, f);
    l->at[l->count - 1].end = l->count;
    return l->count - 1;
}

// All fields made so far but the marker itself lie in it.
static void close_field(FieldList *l, int32_t marker) {
    if (marker >= 0) l->at[marker].end = l->count;
}

static Str join_path(Builder *b, Str prefix, Str name) {
    if (prefix.n == 0) return name;
    return arena_printf(b->keep, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(name));
}

static Str display_of(Builder *b, const Elem *e) {
    for (int32_t i = 0; i < e->display_count; i++)
        if (str_eq(e->display[i].language, STR("en"))) return keep_str(b, e->display[i].text);
    return e->display_count ? keep_str(b, e->display[0].text) : STR("");
}

// The leaves of an object type that has no elements: built-in objects.
static void add_builtin_fields(Builder *b, FieldList *l, const Type *t, int32_t marker, bool writable) {
    for (int32_t i = 0; i < t->field_count; i++) {
        const TypeField *tf = &t->fields[i];
        Str path = join_path(b, l->at[marker].path, tf->name);
        Field f = {.name = tf->name,
                   .path = path,
                   .cell = cell_of(tf->type, false),
                   .type = tf->type,
                   .parent = marker,
                   .writable = writable,
                   .unit = STR(""),
                   .semantic = STR(""),
                   .display = STR("")};
        if (add_field(b, l, f) < 0) return;
    }
}

// The field of a Property or Field element, and those inside it.
static int32_t add_element(Builder *b, FieldList *l, const Elem *e, int32_t parent, Str prefix, bool writable) {
    const Value *schema = elem_value(e, PROP_SCHEMA);
    const Type *t = type_of(b, schema);
    Str name = keep_str(b, e->name);
    Str path = join_path(b, prefix, name);
    Field f = {.name = name, .path = path, .type = t, .parent = parent, .writable = writable};
    f.cell = cell_of(t, schema->elem && schema->elem->open);
    f.unit = keep_str(b, e->unit);
    f.semantic = e->semantic ? str_of(e->semantic->name) : STR("");
    f.display = display_of(b, e);
    f.required = elem_has_cotype(e, STR("Required"));
    f.historized = elem_has_cotype(e, STR("Historized"));
    int32_t at = add_field(b, l, f);
    if (at < 0 || f.cell != CELL_OBJECT) return at;
    if (!schema->elem) {
        add_builtin_fields(b, l, t, at, writable);
    } else {
        const Slot *s = elem_slot(schema->elem, PROP_FIELDS);
        schema->elem->open = true;
        for (int32_t i = 0; i < s->count && !l->full; i++)
            (void)add_element(b, l, s->values[i].elem, at, path, writable);
        schema->elem->open = false;
    }
    close_field(l, at);
    return at;
}

// Copy fields [from, to) of a complete list to the end of l, moved below `parent` and behind `prefix`.
static void copy_fields(Builder *b, FieldList *l, const Field *src, int32_t from, int32_t to, int32_t parent,
                        Str prefix) {
    int32_t shift = l->count - from;
    for (int32_t i = from; i < to; i++) {
        Field f = src[i];
        int32_t end = f.end + shift;
        f.parent = f.parent < from ? parent : f.parent + shift;
        if (prefix.n) f.path = join_path(b, prefix, f.path);
        int32_t at = add_field(b, l, f);
        if (at < 0) return;
        l->at[at].end = end;
    }
}

static const Field *keep_fields(Builder *b, FieldList *l) {
    Field *out = NEW(b->keep, Field, l->count);
    if (l->count) memcpy(out, l->at, (size_t)l->count * sizeof(Field));
    mem_free(l->at);
    l->at = NULL;
    return out;
}

// ---- contents ----

static void too_many(Builder *b, const Work *w) {
    complain(b->p, w->e, NULL, ERR_LIMIT, NULL,
             "the model unfolds to more than %d properties, or all models together to more than %d; nest less",
             MODEL_FIELDS_MAX, SCHEMA_FIELDS_MAX);
}

// Append a content; false and *other when the name is taken.
static bool add_content(Builder *b, Work *w, Content c, const Content **other) {
    int64_t at;
    if (map_get(&w->names, c.name, &at)) {
        *other = &w->contents.at[at];
        return false;
    }
    if (b->fields >= SCHEMA_FIELDS_MAX) w->fields.full = true;
    b->fields++;
    map_put(&w->names, c.name, w->contents.count);
    w->box->element_count += c.elements;
    PUSH(&w->contents, Content, c);
    return true;
}

static void inherit_content(Builder *b, Work *w, const ModelBox *from, const Content *c) {
    Content own = *c;
    const Content *other;
    if (c->kind == CONTENT_PROPERTY || c->kind == CONTENT_COMPONENT) own.at = w->fields.count;
    else if (c->kind == CONTENT_RELATIONSHIP) own.at = w->rels.count;
    else own.at = c->kind == CONTENT_TELEMETRY ? w->telemetries.count : w->commands.count;
    if (!add_content(b, w, own, &other)) {
        if (!str_eq(other->owner->m.id, c->owner->m.id))
            COMPLAIN(b->p, w->e, "extends", "nonUniqueImportedPropertyValue",
                     "\"%.*s\" is inherited from %.*s and from %.*s; rename one", STR_ARG(c->name),
                     STR_ARG(other->owner->m.id), STR_ARG(c->owner->m.id));
        return;
    }
    switch (c->kind) {
    case CONTENT_PROPERTY:
    case CONTENT_COMPONENT:
        copy_fields(b, &w->fields, from->m.fields, c->at, from->m.fields[c->at].end, -1, STR(""));
        return;
    case CONTENT_RELATIONSHIP: PUSH(&w->rels, const Rel *, from->m.rels[c->at]); return;
    case CONTENT_TELEMETRY: PUSH(&w->telemetries, Telemetry, from->m.telemetries[c->at]); return;
    case CONTENT_COMMAND: PUSH(&w->commands, CommandDef, from->m.commands[c->at]); return;
    }
}

static const ModelBox *box_of_value(const Builder *b, const Value *v) {
    if (v->model) return v->model;
    return v->elem ? b->boxes[v->elem->index] : NULL;
}

static int32_t build_component(Builder *b, Work *w, const Elem *e) {
    const ModelBox *box = box_of_value(b, elem_value(e, PROP_COMPONENT_SCHEMA));
    Field f = {.name = keep_str(b, e->name), .cell = CELL_COMPONENT, .component = &box->m, .parent = -1};
    f.path = f.name;
    f.unit = f.semantic = STR("");
    f.display = display_of(b, e);
    int32_t at = add_field(b, &w->fields, f);
    if (box->has_component)
        COMPLAIN(b->p, e, "schema", "excludedType", "%.*s has components itself; a component's interface may not",
                 STR_ARG(box->m.id));
    w->box->has_component = true;
    if (at < 0) return at;
    copy_fields(b, &w->fields, box->m.fields, 0, box->m.field_count, at, f.path);
    close_field(&w->fields, at);
    return at;
}

static int32_t build_rel(Builder *b, Work *w, const Elem *e) {
    Rel *r = NEW(b->keep, Rel, 1);
    FieldList l = {0};
    const Slot *s = elem_slot(e, PROP_PROPERTIES);
    for (int32_t i = 0; i < s->count && !l.full; i++)
        (void)add_element(b, &l, s->values[i].elem, -1, STR(""), s->values[i].elem->writable);
    if (l.full) w->fields.full = true;
    *r = (Rel){.name = keep_str(b, e->name),
               .target = keep_str(b, e->target),
               .owner = &w->box->m,
               .max_multiplicity = e->has_max ? e->max_multiplicity : 0,
               .min_multiplicity = e->has_min ? e->min_multiplicity : 0,
               .writable = e->writable,
               .field_count = l.count};
    r->display = display_of(b, e);
    r->fields = keep_fields(b, &l);
    PUSH(&w->rels, const Rel *, r);
    return w->rels.count - 1;
}

static int32_t build_telemetry(Builder *b, Work *w, const Elem *e) {
    Telemetry t = {.name = keep_str(b, e->name),
                   .type = type_of(b, elem_value(e, PROP_SCHEMA)),
                   .unit = keep_str(b, e->unit),
                   .semantic = e->semantic ? str_of(e->semantic->name) : STR(""),
                   .display = display_of(b, e),
                   .historized = elem_has_cotype(e, STR("Historized"))};
    PUSH(&w->telemetries, Telemetry, t);
    return w->telemetries.count - 1;
}

static const TypeField *build_payload(Builder *b, const Value *v) {
    if (!v || !v->elem) return NULL;
    const Elem *e = v->elem;
    TypeField *t = NEW(b->keep, TypeField, 1);
    *t = (TypeField){.name = keep_str(b, e->name),
                     .type = type_of(b, elem_value(e, PROP_SCHEMA)),
                     .unit = keep_str(b, e->unit),
                     .semantic = e->semantic ? str_of(e->semantic->name) : STR("")};
    return t;
}

static int32_t build_command(Builder *b, Work *w, const Elem *e) {
    bool v2 = e->scope.version == 2;
    CommandDef c = {.name = keep_str(b, e->name),
                    .request = build_payload(b, elem_value(e, v2 ? PROP_REQUEST_2 : PROP_REQUEST)),
                    .response = build_payload(b, elem_value(e, v2 ? PROP_RESPONSE_2 : PROP_RESPONSE))};
    PUSH(&w->commands, CommandDef, c);
    return w->commands.count - 1;
}

// Elements below e, as the limit of v3 and v4 counts them; interfaces embedded are added when they are embedded.
static int64_t count_elements(const Elem *e, int level) {
    int64_t n = 0;
    for (const Slot *s = e->slots; s; s = s->next)
        for (int32_t i = 0; i < s->count; i++) {
            const Value *v = &s->values[i];
            n++;
            if (v->own && v->elem->cls != CLS_INTERFACE && level < RECURSION_MAX)
                n += count_elements(v->elem, level + 1);
        }
    return n;
}

static void own_content(Builder *b, Work *w, const Elem *e) {
    Content c = {.name = keep_str(b, e->name), .owner = w->box, .elements = count_elements(e, 0) + 1};
    const Content *other;
    switch (e->cls) {
    case CLS_PROPERTY:
        c.kind = CONTENT_PROPERTY;
        c.at = add_element(b, &w->fields, e, -1, STR(""), e->writable);
        break;
    case CLS_COMPONENT:
        c.kind = CONTENT_COMPONENT;
        c.at = build_component(b, w, e);
        c.elements += box_of_value(b, elem_value(e, PROP_COMPONENT_SCHEMA))->element_count;
        break;
    case CLS_RELATIONSHIP:
        c.kind = CONTENT_RELATIONSHIP;
        c.at = build_rel(b, w, e);
        break;
    case CLS_TELEMETRY:
        c.kind = CONTENT_TELEMETRY;
        c.at = build_telemetry(b, w, e);
        break;
    default:
        CHECK(e->cls == CLS_COMMAND);
        c.kind = CONTENT_COMMAND;
        c.at = build_command(b, w, e);
        break;
    }
    if (!add_content(b, w, c, &other))
        COMPLAIN(b->p, e, "name", "nonUniqueImportedPropertyValue",
                 "\"%.*s\" is inherited from %.*s already; an interface cannot redefine what it inherits",
                 STR_ARG(c.name), STR_ARG(other->owner->m.id));
}

// ---- interfaces ----

// Note the id; false when it was noted before.
static bool first_seen(Work *w, Str id) {
    int64_t n;
    if (map_get(&w->seen, id, &n)) return false;
    map_put(&w->seen, id, 1);
    return true;
}

// Every interface above e, each once: its parents, each followed by what is above it.
static void collect_bases(Builder *b, Work *w) {
    const Slot *s = elem_slot(w->e, PROP_EXTENDS);
    for (int32_t i = 0; i < s->count; i++) {
        const ModelBox *x = box_of_value(b, &s->values[i]);
        if (x->extends_depth + 1 > w->box->extends_depth) w->box->extends_depth = x->extends_depth + 1;
        if (!first_seen(w, x->m.id)) continue;
        PUSH(&w->bases, const Model *, &x->m);
        for (int32_t j = 0; j < x->m.base_count; j++)
            if (first_seen(w, x->m.bases[j]->id)) PUSH(&w->bases, const Model *, x->m.bases[j]);
        w->box->has_component |= x->has_component;
    }
    map_free(&w->seen);
    int32_t max = w->e->scope.version < 4 ? 10 : 12;
    if (w->box->extends_depth > max)
        COMPLAIN(b->p, w->e, "extends", "excessiveDepthNarrow",
                 "the chain of extends has %d levels; at most %d are allowed", (int)w->box->extends_depth, (int)max);
    if (w->e->scope.version > 2 && w->bases.count > 1024)
        COMPLAIN(b->p, w->e, "extends", "excessiveCount", "%d interfaces are inherited from; at most 1024 are allowed",
                 (int)w->bases.count);
}

static void collect_dependencies(Builder *b, Work *w) {
    const Slot *ext = elem_slot(w->e, PROP_EXTENDS), *contents = elem_slot(w->e, PROP_CONTENTS);
    for (int32_t i = 0; i < ext->count; i++) {
        Str id = box_of_value(b, &ext->values[i])->m.id;
        if (first_seen(w, id)) PUSH(&w->dependencies, Str, id);
    }
    for (int32_t i = 0; i < contents->count; i++) {
        const Elem *x = contents->values[i].elem;
        if (x->cls != CLS_COMPONENT) continue;
        Str id = box_of_value(b, elem_value(x, PROP_COMPONENT_SCHEMA))->m.id;
        if (first_seen(w, id)) PUSH(&w->dependencies, Str, id);
    }
    map_free(&w->seen);
}

static void collect_contents(Builder *b, Work *w) {
    const Slot *ext = elem_slot(w->e, PROP_EXTENDS), *own = elem_slot(w->e, PROP_CONTENTS);
    for (int32_t i = 0; i < ext->count; i++) {
        const ModelBox *x = box_of_value(b, &ext->values[i]);
        for (int32_t j = 0; j < x->content_count && !w->fields.full; j++) inherit_content(b, w, x, &x->contents[j]);
    }
    for (int32_t i = 0; i < own->count && !w->fields.full; i++) own_content(b, w, own->values[i].elem);
}

// Move a list into the memory that stays.
#define KEEP_LIST(b, T, l, count_out)                                                                                  \
    ((count_out) = (l).count, (T *)keep_bytes(b, (l).at, (int64_t)sizeof(T), (l).count, _Alignof(T)))
static void *keep_bytes(Builder *b, void *src, int64_t size, int64_t n, size_t align) {
    void *out = arena_alloc(b->keep, size, n, align);
    if (n) memcpy(out, src, (size_t)(size * n));
    mem_free(src);
    return out;
}

static const Lang *keep_langs(Builder *b, const Lang *src, int32_t count) {
    Lang *out = NEW(b->keep, Lang, count);
    for (int32_t i = 0; i < count; i++) out[i] = (Lang){keep_str(b, src[i].language), keep_str(b, src[i].text)};
    return out;
}

static Str path_at(const void *list, int32_t i) { return ((const Field *)list)[i].path; }
static Str content_at(const void *list, int32_t i) { return ((const Content *)list)[i].name; }

// A table of hashes over the names of a list, index + 1 in each slot; NULL for few, which are found faster one by one.
static uint32_t *index_names(Builder *b, const void *list, int32_t count, Str (*at)(const void *, int32_t),
                             uint32_t *mask) {
    if (count <= INDEX_FROM) return NULL;
    uint32_t cap = 16;
    while (cap < (uint32_t)count * 2) cap *= 2;
    uint32_t *slots = NEW(b->keep, uint32_t, cap);
    *mask = cap - 1;
    for (int32_t i = 0; i < count; i++) {
        uint32_t h = (uint32_t)str_hash(at(list, i)) & *mask;
        while (slots[h]) h = (h + 1) & *mask;
        slots[h] = (uint32_t)i + 1;
    }
    return slots;
}

static void keep_model(Builder *b, Work *w) {
    ModelBox *box = w->box;
    Model *m = &box->m;
    Buf text = {0};
    json_put(&text, w->e->json);
    m->document = keep_str(b, buf_str(&text));
    buf_free(&text);
    m->display = keep_langs(b, w->e->display, w->e->display_count);
    m->display_count = w->e->display_count;
    m->description = keep_langs(b, w->e->description, w->e->description_count);
    m->description_count = w->e->description_count;
    m->field_count = w->fields.count;
    m->fields = keep_fields(b, &w->fields);
    m->rels = KEEP_LIST(b, const Rel *, w->rels, m->rel_count);
    m->telemetries = KEEP_LIST(b, Telemetry, w->telemetries, m->telemetry_count);
    m->commands = KEEP_LIST(b, CommandDef, w->commands, m->command_count);
    m->bases = KEEP_LIST(b, const Model *, w->bases, m->base_count);
    m->dependencies = KEEP_LIST(b, Str, w->dependencies, m->dependency_count);
    box->contents = KEEP_LIST(b, Content, w->contents, box->content_count);
    box->field_slots = index_names(b, m->fields, m->field_count, path_at, &box->field_mask);
    box->content_slots = index_names(b, box->contents, box->content_count, content_at, &box->content_mask);
}

static void check_totals(Builder *b, Work *w) {
    if (w->fields.full) too_many(b, w);
    if (w->e->scope.version == 2 && w->contents.count > 300)
        COMPLAIN(b->p, w->e, "contents", "objectCountAboveMax",
                 "%d contents with the inherited ones; DTDL v2 allows 300", (int)w->contents.count);
    if (w->e->scope.version > 2 && w->box->element_count > 100000)
        COMPLAIN(b->p, w->e, NULL, "excessiveCount",
                 "%lld elements with the inherited ones; at most 100000 are allowed", (long long)w->box->element_count);
}

static void build_interface(Builder *b, Elem *e) {
    Work w = {.e = e, .box = NEW(b->keep, ModelBox, 1)};
    w.box->m.id = keep_str(b, e->id);
    w.box->m.version = e->scope.version;
    w.box->hash = str_hash(e->id);
    w.box->batch = b->batch;
    collect_bases(b, &w);
    collect_dependencies(b, &w);
    collect_contents(b, &w);
    check_totals(b, &w);
    keep_model(b, &w);
    map_free(&w.names);
    if (!e->bad) b->boxes[e->index] = w.box;
}

// ---- order ----

enum { UNSEEN, OPEN, DONE };

static void visit(Builder *b, Elem *e);

// True when the interface behind v is complete.
static bool visit_value(Builder *b, Elem *e, const char *prop, const Value *v) {
    if (v->model) return true;
    if (!v->elem || v->elem->cls != CLS_INTERFACE) return false;
    if (b->state[v->elem->index] == OPEN) {
        COMPLAIN(b->p, e, prop, "recursiveStructureNarrow",
                 "%.*s leads back to this interface; break the cycle of extends and components", STR_ARG(v->elem->id));
        return false;
    }
    visit(b, v->elem);
    return b->boxes[v->elem->index] != NULL;
}

static bool visit_all(Builder *b, Elem *e) {
    bool fine = true;
    const Slot *ext = elem_slot(e, PROP_EXTENDS), *contents = elem_slot(e, PROP_CONTENTS);
    for (int32_t i = 0; i < ext->count; i++) fine &= visit_value(b, e, "extends", &ext->values[i]);
    for (int32_t i = 0; i < contents->count; i++) {
        const Elem *x = contents->values[i].elem;
        if (!x) return false;
        const Value *v = x->cls == CLS_COMPONENT ? elem_value(x, PROP_COMPONENT_SCHEMA) : NULL;
        if (x->cls == CLS_COMPONENT) fine &= v && visit_value(b, e, "contents", v);
    }
    return fine;
}

static void visit(Builder *b, Elem *e) {
    if (b->state[e->index] != UNSEEN) return;
    if (b->p->level >= RECURSION_MAX) {
        COMPLAIN(b->p, e, "extends", "excessiveDepthNarrow",
                 "interfaces depend on one another more than %d levels deep", RECURSION_MAX);
        return;
    }
    b->state[e->index] = OPEN;
    b->p->level++;
    bool fine = visit_all(b, e);
    b->p->level--;
    b->state[e->index] = DONE;
    if (fine && !e->bad) build_interface(b, e);
}

void build_models(Parser *p, Batch *batch, ModelBox **boxes) {
    Builder b = {.p = p, .batch = batch, .keep = &batch->arena, .boxes = boxes};
    if (p->base) b.fields = p->base->fields;
    b.state = NEW(p->arena, uint8_t, p->count);
    p->level = 0;
    for (int32_t i = 0; i < p->count; i++) visit(&b, p->interfaces[i]);
}
