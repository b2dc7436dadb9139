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
    int64_t fields; // made in this call
} Builder;

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
    Content *contents;
    int32_t content_cap;
    const Rel **rels;
    Telemetry *telemetries;
    CommandDef *commands;
    Map names; // content name -> index
    int64_t elements;
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

static CellKind cell_of(const Type *t, bool recursive) {
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
    case SHAPE_OBJECT: return recursive ? CELL_DOC : CELL_OBJECT;
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
    if (l->full || l->count == MODEL_FIELDS_MAX || b->fields == CALL_FIELDS_MAX) {
        l->full = true;
        return -1;
    }
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 32;
        l->at = mem_grow(l->at, (size_t)l->cap * sizeof(Field));
    }
    b->fields++;
    l->at[l->count] = f;
    l->at[l->count].end = l->count + 1;
    return l->count++;
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
    f.cell = cell_of(t, schema->elem && schema->elem->recursive);
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
        for (int32_t i = 0; i < s->count && !l->full; i++)
            (void)add_element(b, l, s->values[i].elem, at, path, writable);
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
             "the model unfolds to more than %d properties (or all models of the call to more than %d); nest less",
             MODEL_FIELDS_MAX, CALL_FIELDS_MAX);
}

// Append a content; false and *other when the name is taken.
static bool add_content(Builder *b, Work *w, Content c, const Content **other) {
    int64_t at;
    if (map_get(&w->names, c.name, &at)) {
        *other = &w->contents[at];
        return false;
    }
    if (w->box->content_count == w->content_cap) {
        w->content_cap = w->content_cap ? w->content_cap * 2 : 16;
        Content *grown = NEW(b->p->arena, Content, w->content_cap);
        if (w->box->content_count) memcpy(grown, w->contents, (size_t)w->box->content_count * sizeof(Content));
        w->contents = grown;
    }
    map_put(&w->names, c.name, w->box->content_count);
    w->contents[w->box->content_count++] = c;
    return true;
}

static void inherit_content(Builder *b, Work *w, const ModelBox *from, const Content *c) {
    Content own = *c;
    Model *m = &w->box->m;
    const Content *other;
    if (c->kind == CONTENT_PROPERTY || c->kind == CONTENT_COMPONENT) own.at = w->fields.count;
    else if (c->kind == CONTENT_RELATIONSHIP) own.at = m->rel_count;
    else own.at = c->kind == CONTENT_TELEMETRY ? m->telemetry_count : m->command_count;
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
    case CONTENT_RELATIONSHIP: w->rels[m->rel_count++] = from->m.rels[c->at]; return;
    case CONTENT_TELEMETRY: w->telemetries[m->telemetry_count++] = from->m.telemetries[c->at]; return;
    case CONTENT_COMMAND: w->commands[m->command_count++] = from->m.commands[c->at]; return;
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
    w->elements += box->element_count + 1;
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
    w->rels[w->box->m.rel_count] = r;
    return w->box->m.rel_count++;
}

static int32_t build_telemetry(Builder *b, Work *w, const Elem *e) {
    Telemetry *t = &w->telemetries[w->box->m.telemetry_count];
    *t = (Telemetry){.name = keep_str(b, e->name),
                     .type = type_of(b, elem_value(e, PROP_SCHEMA)),
                     .unit = keep_str(b, e->unit),
                     .semantic = e->semantic ? str_of(e->semantic->name) : STR(""),
                     .display = display_of(b, e),
                     .historized = elem_has_cotype(e, STR("Historized"))};
    return w->box->m.telemetry_count++;
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
    w->commands[w->box->m.command_count] =
        (CommandDef){.name = keep_str(b, e->name),
                     .request = build_payload(b, elem_value(e, v2 ? PROP_REQUEST_2 : PROP_REQUEST)),
                     .response = build_payload(b, elem_value(e, v2 ? PROP_RESPONSE_2 : PROP_RESPONSE))};
    return w->box->m.command_count++;
}

static void own_content(Builder *b, Work *w, const Elem *e) {
    Content c = {.name = keep_str(b, e->name), .owner = w->box};
    const Content *other;
    switch (e->cls) {
    case CLS_PROPERTY:
        c.kind = CONTENT_PROPERTY;
        c.at = add_element(b, &w->fields, e, -1, STR(""), e->writable);
        break;
    case CLS_COMPONENT:
        c.kind = CONTENT_COMPONENT;
        c.at = build_component(b, w, e);
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

// ---- interfaces ----

static bool has_base(const Model *m, const Model *const *bases, Str id) {
    for (int32_t i = 0; i < m->base_count; i++)
        if (str_eq(bases[i]->id, id)) return true;
    return false;
}

// Every interface above e, each once.
static void collect_bases(Builder *b, Work *w) {
    const Slot *s = elem_slot(w->e, PROP_EXTENDS);
    Model *m = &w->box->m;
    int32_t most = 0;
    for (int32_t i = 0; i < s->count; i++) most += 1 + box_of_value(b, &s->values[i])->m.base_count;
    const Model **bases = NEW(b->keep, const Model *, most);
    for (int32_t i = 0; i < s->count; i++) {
        const ModelBox *x = box_of_value(b, &s->values[i]);
        if (x->extends_depth + 1 > w->box->extends_depth) w->box->extends_depth = x->extends_depth + 1;
        if (!has_base(m, bases, x->m.id)) bases[m->base_count++] = &x->m;
        for (int32_t j = 0; j < x->m.base_count; j++)
            if (!has_base(m, bases, x->m.bases[j]->id)) bases[m->base_count++] = x->m.bases[j];
        w->box->has_component |= x->has_component;
    }
    m->bases = bases;
    int32_t max = w->e->scope.version < 4 ? 10 : 12;
    if (w->box->extends_depth > max)
        COMPLAIN(b->p, w->e, "extends", "excessiveDepthNarrow",
                 "the chain of extends has %d levels; at most %d are allowed", (int)w->box->extends_depth, (int)max);
    if (w->e->scope.version > 2 && m->base_count > 1024)
        COMPLAIN(b->p, w->e, "extends", "excessiveCount", "%d interfaces are inherited from; at most 1024 are allowed",
                 (int)m->base_count);
}

static bool has_dependency(const Model *m, const Str *list, Str id) {
    for (int32_t i = 0; i < m->dependency_count; i++)
        if (str_eq(list[i], id)) return true;
    return false;
}

static void collect_dependencies(Builder *b, Work *w) {
    const Slot *ext = elem_slot(w->e, PROP_EXTENDS), *contents = elem_slot(w->e, PROP_CONTENTS);
    Model *m = &w->box->m;
    Str *list = NEW(b->keep, Str, ext->count + contents->count);
    for (int32_t i = 0; i < ext->count; i++) {
        Str id = box_of_value(b, &ext->values[i])->m.id;
        if (!has_dependency(m, list, id)) list[m->dependency_count++] = id;
    }
    for (int32_t i = 0; i < contents->count; i++) {
        const Elem *x = contents->values[i].elem;
        if (x->cls != CLS_COMPONENT) continue;
        Str id = box_of_value(b, elem_value(x, PROP_COMPONENT_SCHEMA))->m.id;
        if (!has_dependency(m, list, id)) list[m->dependency_count++] = id;
    }
    m->dependencies = list;
}

static void collect_contents(Builder *b, Work *w) {
    const Slot *ext = elem_slot(w->e, PROP_EXTENDS), *own = elem_slot(w->e, PROP_CONTENTS);
    int64_t rels = own->count, telemetries = own->count, commands = own->count;
    for (int32_t i = 0; i < ext->count; i++) {
        const ModelBox *x = box_of_value(b, &ext->values[i]);
        rels += x->m.rel_count;
        telemetries += x->m.telemetry_count;
        commands += x->m.command_count;
        w->elements += x->element_count;
    }
    w->rels = NEW(b->p->arena, const Rel *, rels);
    w->telemetries = NEW(b->p->arena, Telemetry, telemetries);
    w->commands = NEW(b->p->arena, CommandDef, commands);
    for (int32_t i = 0; i < ext->count; i++) {
        const ModelBox *x = box_of_value(b, &ext->values[i]);
        for (int32_t j = 0; j < x->content_count; j++) inherit_content(b, w, x, &x->contents[j]);
    }
    for (int32_t i = 0; i < own->count; i++) own_content(b, w, own->values[i].elem);
}

#define KEEP_ARRAY(b, T, src, n) ((T *)keep_bytes(b, src, (int64_t)sizeof(T), n, _Alignof(T)))
static void *keep_bytes(Builder *b, const void *src, int64_t size, int64_t n, size_t align) {
    void *out = arena_alloc(b->keep, size, n, align);
    if (n) memcpy(out, src, (size_t)(size * n));
    return out;
}

static const Lang *keep_langs(Builder *b, const Lang *src, int32_t count) {
    Lang *out = NEW(b->keep, Lang, count);
    for (int32_t i = 0; i < count; i++) out[i] = (Lang){keep_str(b, src[i].language), keep_str(b, src[i].text)};
    return out;
}

static void index_fields(Builder *b, ModelBox *box) {
    if (box->m.field_count <= 8) return;
    uint32_t cap = 16;
    while (cap < (uint32_t)box->m.field_count * 2) cap *= 2;
    box->field_slots = NEW(b->keep, uint32_t, cap);
    box->field_mask = cap - 1;
    for (int32_t i = 0; i < box->m.field_count; i++) {
        uint32_t h = (uint32_t)str_hash(box->m.fields[i].path) & box->field_mask;
        while (box->field_slots[h]) h = (h + 1) & box->field_mask;
        box->field_slots[h] = (uint32_t)i + 1;
    }
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
    m->rels = KEEP_ARRAY(b, const Rel *, w->rels, m->rel_count);
    m->telemetries = KEEP_ARRAY(b, Telemetry, w->telemetries, m->telemetry_count);
    m->commands = KEEP_ARRAY(b, CommandDef, w->commands, m->command_count);
    box->contents = KEEP_ARRAY(b, Content, w->contents, box->content_count);
    index_fields(b, box);
}

static void check_totals(Builder *b, Work *w) {
    if (w->fields.full) too_many(b, w);
    w->elements += count_elements(w->e, 0);
    w->box->element_count = w->elements;
    if (w->e->scope.version == 2 && w->box->content_count > 300)
        COMPLAIN(b->p, w->e, "contents", "objectCountAboveMax",
                 "%d contents with the inherited ones; DTDL v2 allows 300", (int)w->box->content_count);
    if (w->e->scope.version > 2 && w->elements > 100000)
        COMPLAIN(b->p, w->e, NULL, "excessiveCount",
                 "%lld elements with the inherited ones; at most 100000 are allowed", (long long)w->elements);
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
    b.state = NEW(p->arena, uint8_t, p->count);
    p->level = 0;
    for (int32_t i = 0; i < p->count; i++) visit(&b, p->interfaces[i]);
}
