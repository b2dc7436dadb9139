// SPDX-License-Identifier: Apache-2.0
// References, and the rules that hold between elements: partitions, nesting, recursion, unique names, co-types.
// Rules of inheritance are checked where models are built (build.c), because they reach into the base schema.
#include "base/check.h"
#include "model/box.h"
#include "model/dtdl.h"

static void resolve_elem(Parser *p, Elem *e);

// ---- references ----

static bool reserved_id(Str id) {
    return str_starts(id, STR("dtmi:dtdl:")) || str_starts(id, STR("dtmi:standard:")) ||
           str_starts(id, STR("dtmi:iotcentral:")) || str_starts(id, STR("dtmi:iotoperations:"));
}

static void find_target(Parser *p, const Elem *e, const Prop *prop, Value *v) {
    int64_t n;
    if (map_get(&p->ids, v->id, &n)) {
        v->elem = (Elem *)(intptr_t)n;
        return;
    }
    v->model = p->base ? box_original(schema_box(p->base, v->id)) : NULL;
    if (v->model) return;
    if (reserved_id(v->id))
        COMPLAIN(p, e, prop->name, "undefinedReservedId", "\"%.*s\" is no element of the language", STR_ARG(v->id));
    else
        COMPLAIN(p, e, prop->name, "undefinedReference",
                 "\"%.*s\" is neither among the models given nor stored; upload it first or together with this model",
                 STR_ARG(v->id));
}

static void check_target(Parser *p, const Elem *e, const Prop *prop, const Value *v) {
    Cls c = value_class(v);
    if (c == CLS_NONE) return;
    if (!(prop->values & SET(c))) {
        bool fixed = prop->id == PROP_VALUE_SCHEMA || prop->id == PROP_KEY_SCHEMA;
        COMPLAIN(p, e, prop->name, fixed && v->builtin ? "incorrectPropertyValue" : "badType",
                 "\"%.*s\" is a %s, which cannot stand here", STR_ARG(v->id), meta_class(c)->name);
        return;
    }
    if (v->builtin || v->family_set || v->own) return;
    if (v->elem && v->elem->cls != CLS_INTERFACE && v->elem->root != e->root) {
        COMPLAIN(p, e, prop->name, "crossPartitionReference",
                 "\"%.*s\" is defined within another interface; only interfaces can be referred to from outside",
                 STR_ARG(v->id));
        return;
    }
    int version = v->elem ? v->elem->scope.version : v->model->m.version;
    if (version > e->scope.version || (prop->same_version && version != e->scope.version))
        COMPLAIN(p, e, prop->name, "disallowedVersionReference",
                 "\"%.*s\" is written in DTDL v%d, which cannot be used from v%d", STR_ARG(v->id), version,
                 e->scope.version);
}

static void resolve_slot(Parser *p, Elem *e, Slot *s) {
    for (int32_t i = 0; i < s->count; i++) {
        Value *v = &s->values[i];
        if (v->own) {
            if (v->elem->cls != CLS_INTERFACE) resolve_elem(p, v->elem);
        } else if (!v->builtin && !v->family_set && v->id.n) {
            find_target(p, e, s->prop, v);
        }
        check_target(p, e, s->prop, v);
    }
}

// ---- unique among siblings ----

static Str enum_key(Parser *p, const Elem *e) {
    return e->literal == JSON_INT ? arena_printf(p->arena, "%lld", (long long)e->num) : e->text;
}

static const CoValue *covalue(const Elem *e, const char *name) {
    for (const CoValue *v = e->covalues; v; v = v->next)
        if (str_eq(str_of(v->prop->name), str_of(name))) return v;
    return NULL;
}

// Co-types may number the siblings.
static void check_indexes(Parser *p, const Slot *s) {
    Map seen = {0};
    for (int32_t i = 0; i < s->count; i++) {
        const Elem *x = s->values[i].elem;
        const CoValue *v = x ? covalue(x, "index") : NULL;
        int64_t other;
        if (!v) continue;
        Str key = arena_printf(p->arena, "%lld", (long long)v->num);
        if (map_get(&seen, key, &other))
            COMPLAIN(p, x, "index", "nonUniquePropertyValue", "two siblings have the index %.*s; change one",
                     STR_ARG(key));
        map_put(&seen, key, i);
    }
    map_free(&seen);
}

static void check_unique(Parser *p, const Elem *e, const Slot *s) {
    Map names = {0}, values = {0};
    for (int32_t i = 0; i < s->count; i++) {
        const Elem *x = s->values[i].elem;
        int64_t other;
        if (!x) continue;
        if (x->name.n && map_get(&names, x->name, &other))
            COMPLAIN(p, e, s->prop->name, "nonUniquePropertyValue", "two values have the name \"%.*s\"; rename one",
                     STR_ARG(x->name));
        if (x->name.n) map_put(&names, x->name, i);
        if (x->cls != CLS_ENUM_VALUE || x->literal == JSON_NULL) continue;
        Str key = enum_key(p, x);
        if (map_get(&values, key, &other))
            COMPLAIN(p, e, s->prop->name, "nonUniquePropertyValue", "two values have the enumValue %.*s; change one",
                     STR_ARG(key));
        map_put(&values, key, i);
    }
    map_free(&names);
    map_free(&values);
}

static void check_enum(Parser *p, const Elem *e) {
    const Value *schema = elem_value(e, PROP_VALUE_SCHEMA);
    const Slot *s = elem_slot(e, PROP_ENUM_VALUES);
    Cls want = schema ? value_class(schema) : CLS_NONE;
    if (want != CLS_INTEGER && want != CLS_STRING) return;
    for (int32_t i = 0; i < s->count; i++) {
        const Elem *x = s->values[i].elem;
        if (!x || x->literal == JSON_NULL) continue;
        bool fits = want == CLS_INTEGER ? x->literal == JSON_INT && x->num >= INT32_MIN && x->num <= INT32_MAX
                                        : x->literal == JSON_STRING;
        if (!fits)
            COMPLAIN(p, x, "enumValue", "nonConformantDatatype", "the value does not fit the valueSchema %s",
                     want == CLS_INTEGER ? "integer" : "string");
    }
}

// ---- nesting of schemas ----

static int32_t depth_max(const Elem *e) {
    if (e->scope.version < 4) return 5;
    return e->scope.limits == LIMITS_ONVIF ? 24 : e->scope.limits == LIMITS_AIO ? 12 : 8;
}

static int32_t value_depth(Parser *p, const Value *v, int32_t *has_array);

// Levels of schema and elementSchema below a complex schema; -1 within a cycle. Also whether an Array is among them.
static int32_t schema_depth(Parser *p, Elem *e) {
    enum { NEW_MARK, OPEN, DONE };
    if (e->mark == DONE) return e->depth;
    if (e->mark == OPEN) {
        if (e->scope.version < 4)
            COMPLAIN(p, e, NULL, "recursiveStructureWide", "the schema contains itself, which DTDL allows from v4 on");
        return 0;
    }
    if (p->level >= RECURSION_MAX) {
        COMPLAIN(p, e, NULL, "excessiveDepthWide", "schemas refer to one another more than %d levels deep",
                 RECURSION_MAX);
        return 0;
    }
    e->mark = OPEN;
    p->level++;
    int32_t deepest = 0, array = e->cls == CLS_ARRAY;
    for (const Slot *s = e->slots; s; s = s->next) {
        PropId id = s->prop->id;
        for (int32_t i = 0; i < s->count; i++) {
            const Value *v = &s->values[i];
            int32_t below = 0, has = 0;
            if (id == PROP_ELEMENT_SCHEMA) {
                below = 1 + value_depth(p, v, &has);
            } else if (id == PROP_FIELDS || id == PROP_MAP_VALUE) {
                const Value *schema = v->elem ? elem_value(v->elem, PROP_SCHEMA) : NULL;
                if (schema) below = 1 + value_depth(p, schema, &has);
            }
            if (below > deepest) deepest = below;
            array |= has;
        }
    }
    e->mark = DONE;
    p->level--;
    e->depth = deepest;
    e->has_array = array;
    if (deepest > depth_max(e))
        COMPLAIN(p, e, NULL, "excessiveDepthWide", "schemas are nested %d levels deep; at most %d are allowed",
                 (int)deepest, (int)depth_max(e));
    return deepest;
}

static int32_t value_depth(Parser *p, const Value *v, int32_t *has_array) {
    if (v->builtin) {
        *has_array = v->builtin->has_array;
        return v->builtin->depth;
    }
    if (!v->elem || !(SET(v->elem->cls) & SET_COMPLEX)) return 0;
    int32_t depth = schema_depth(p, v->elem);
    *has_array = v->elem->has_array > 0;
    return depth;
}

// v2: a Property holds no Array, at whatever depth.
static void check_property_schema(Parser *p, const Elem *e) {
    const Value *v = elem_value(e, PROP_SCHEMA);
    int32_t has_array = 0;
    if (!v) return;
    (void)value_depth(p, v, &has_array);
    if (has_array && e->cls == CLS_PROPERTY && e->scope.version == 2)
        COMPLAIN(p, e, "schema", "excludedType",
                 "in DTDL v2 a Property holds no Array and no geospatial schema; "
                 "use Telemetry or DTDL v3");
}

// ---- co-types ----

static bool on_target(const CotypeUse *u, const Elem *e) {
    const Cotype *t = u->type;
    if ((t->targets & SET(e->cls)) || (t->beside && elem_has_cotype(e, str_of(t->beside)))) return true;
    bool newest = u->version == t->ext_to;
    return newest && (t->targets_to & SET(e->cls));
}

static void check_cotype_place(Parser *p, const Elem *e, const CotypeUse *u) {
    const Cotype *t = u->type;
    if (!on_target(u, e))
        COMPLAIN(p, e, "@type", "invalidCotype", "%s cannot be added to a %s", t->name, meta_class(e->cls)->name);
    else if (!(ext_versions((Ext)t->ext, u->version) >> e->scope.version & 1))
        COMPLAIN(p, e, "@type", "invalidCotypeVersion", "%s of that extension version cannot be used in DTDL v%d",
                 t->name, e->scope.version);
    if (t->needs && !elem_has_cotype(e, str_of(t->needs)))
        COMPLAIN(p, e, "@type", "missingCocotype", "%s needs the type %s beside it", t->name, t->needs);
    if (t->bars && elem_has_cotype(e, str_of(t->bars)))
        COMPLAIN(p, e, "@type", "disallowedCocotype", "%s and %s exclude each other", t->name, t->bars);
}

static void check_cotype_schema(Parser *p, const Elem *e, const CotypeUse *u) {
    const Cotype *t = u->type;
    const Value *v = elem_value(e, PROP_SCHEMA);
    if (!v || value_class(v) == CLS_NONE) return;
    if (t->schema && !(t->schema & SET(value_class(v))))
        COMPLAIN(p, e, "schema", "notRequiredType", "%s does not go with a schema of type %s", t->name,
                 meta_class(value_class(v))->name);
    if (t->schema_cotype && !(v->elem && elem_has_cotype(v->elem, str_of(t->schema_cotype))))
        COMPLAIN(p, e, "schema", "notRequiredType", "%s needs a schema of type %s", t->name, t->schema_cotype);
    if (t->schema_values && !(v->builtin && words_have(t->schema_values, str_of(v->builtin->name))))
        COMPLAIN(p, e, "schema", "notRequiredValue", "%s needs one of the schemas %s", t->name, t->schema_values);
}

static bool has_any_cotype(const Elem *e, const char *words) {
    for (const CotypeUse *u = e->cotypes; u; u = u->next)
        if (words_have(words, str_of(u->type->name))) return true;
    return false;
}

// Elements that stand beside e.
static const Slot *siblings(const Elem *e) {
    static const Slot NONE;
    return e->parent ? elem_slot(e->parent, e->via->id) : &NONE;
}

static void check_cotype_family(Parser *p, const Elem *e, const CotypeUse *u) {
    const Cotype *t = u->type;
    const Slot *beside = siblings(e), *fields = elem_slot(e, PROP_FIELDS);
    if (t->below && !(e->parent && has_any_cotype(e->parent, t->below)))
        COMPLAIN(p, e, "@type", "parentMissingCotype", "%s can only stand within %s", t->name, t->below);
    bool sibling = false;
    for (int32_t i = 0; (t->below || t->sibling) && i < beside->count; i++) {
        const Elem *x = beside->values[i].elem;
        if (!x || x == e) continue;
        sibling |= t->sibling && elem_has_cotype(x, str_of(t->sibling));
        if (t->below && elem_has_cotype(x, str_of(t->name)))
            COMPLAIN(p, e, "@type", "siblingDuplicatesCotype", "%s is allowed once among siblings", t->name);
    }
    if (t->sibling && !sibling)
        COMPLAIN(p, e, "@type", "siblingMissingCotype", "%s needs a sibling of type %s", t->name, t->sibling);
    for (int32_t i = 0; t->fields && i < fields->count; i++)
        if (fields->values[i].elem && !has_any_cotype(fields->values[i].elem, t->fields))
            COMPLAIN(p, fields->values[i].elem, "@type", "notRequiredType", "within %s every field is one of %s",
                     t->name, t->fields);
}

// A content that stands beside another: in the same list, or inherited by the interface.
typedef struct Sibling {
    const Elem *elem;
    const ModelBox *model; // inherited from a stored model, then elem is NULL
    const Content *content;
} Sibling;

static Sibling sibling_in(Parser *p, Elem *interface, Str name) {
    Sibling out = {0};
    if (interface->seen == p->round) return out;
    interface->seen = p->round;
    const Slot *s = elem_slot(interface, PROP_CONTENTS), *ext = elem_slot(interface, PROP_EXTENDS);
    for (int32_t i = 0; i < s->count && !out.elem; i++)
        if (s->values[i].elem && str_eq(s->values[i].elem->name, name)) out.elem = s->values[i].elem;
    for (int32_t i = 0; i < ext->count && !out.elem && !out.content && p->level < RECURSION_MAX; i++) {
        const Value *v = &ext->values[i];
        p->level++;
        if (v->elem && v->elem->cls == CLS_INTERFACE) out = sibling_in(p, v->elem, name);
        p->level--;
        for (int32_t j = 0; v->model && j < v->model->content_count; j++)
            if (str_eq(v->model->contents[j].name, name))
                out = (Sibling){.model = v->model, .content = &v->model->contents[j]};
    }
    return out;
}

static Sibling sibling_named(Parser *p, const Elem *e, Str name) {
    Sibling out = {0};
    const Slot *s = siblings(e);
    p->round++;
    if (e->parent && e->parent->cls == CLS_INTERFACE && e->via->id == PROP_CONTENTS)
        return sibling_in(p, e->parent, name);
    for (int32_t i = 0; i < s->count; i++)
        if (s->values[i].elem && str_eq(s->values[i].elem->name, name)) out.elem = s->values[i].elem;
    return out;
}

static bool can_be_annotated(Sibling x) {
    if (x.elem) return x.elem->cls == CLS_PROPERTY || x.elem->cls == CLS_TELEMETRY;
    return x.content && (x.content->kind == CONTENT_PROPERTY || x.content->kind == CONTENT_TELEMETRY);
}

static void check_annotation(Parser *p, const Elem *e) {
    const CoValue *v = covalue(e, "annotates");
    if (!v) return;
    Sibling x = sibling_named(p, e, v->text);
    if (!can_be_annotated(x))
        COMPLAIN(p, e, "annotates", "notSiblingRequiredType", "\"%.*s\" is no Property or Telemetry beside it",
                 STR_ARG(v->text));
    else if (x.elem && elem_has_cotype(x.elem, STR("ValueAnnotation")))
        COMPLAIN(p, e, "annotates", "disallowedType", "\"%.*s\" is itself an annotation", STR_ARG(v->text));
}

// Numbers of a co-type that bound the values of the element must be values of its schema themselves.
static void check_cotype_numbers(Parser *p, const Elem *e) {
    const Value *v = elem_value(e, PROP_SCHEMA);
    if (!v || !v->builtin || !v->builtin->type || v->builtin->type->shape > SHAPE_DOUBLE) return;
    for (const CoValue *c = e->covalues; c; c = c->next)
        if (c->prop->kind == COPROP_NUMBER && json_is_number(c->json) &&
            type_check(v->builtin->type, c->json, STR(""), NULL) != ERR_OK)
            COMPLAIN(p, e, c->prop->name, "nonConformantPropertyValue", "%.*s is no value of the schema %s",
                     STR_ARG(c->json->raw), v->builtin->name);
}

// What a schema must be to hold a property that an extension adds; classes 0: there is no such property.
typedef struct Overridable {
    ClsSet classes;
    bool by_family;
    UnitFamily family; // by_family: the enum of its units
} Overridable;

static Overridable covalue_classes(const Elem *x, Str term) {
    for (const CotypeUse *u = x->cotypes; u; u = u->next) {
        const CoProp *c = cotype_prop(u->type, u->version, term);
        if (!c) continue;
        switch (c->kind) {
        case COPROP_INTEGER: return (Overridable){.classes = SET(CLS_INTEGER)};
        case COPROP_NUMBER: return (Overridable){.classes = SET_NUMERIC};
        case COPROP_DURATION: return (Overridable){.classes = SET(CLS_DURATION)};
        case COPROP_STRING:
        case COPROP_TERM: return (Overridable){.classes = SET(CLS_STRING)};
        }
    }
    return (Overridable){0};
}

// Of a stored model only the unit is known; other properties are taken on trust.
static Overridable overridable(Sibling x, Str term) {
    if (!str_eq(term, STR("unit")))
        return x.elem ? covalue_classes(x.elem, term) : (Overridable){.classes = SET_SCHEMA};
    Overridable out = {.classes = SET(CLS_ENUM), .by_family = true};
    if (x.elem) {
        if (!x.elem->semantic) return (Overridable){0};
        out.family = x.elem->semantic->family;
        return out;
    }
    const Model *m = &x.model->m;
    bool property = x.content->kind == CONTENT_PROPERTY;
    const Unit *u = unit_find(property ? m->fields[x.content->at].unit : m->telemetries[x.content->at].unit);
    if (!u) return (Overridable){0};
    out.family = u->family;
    return out;
}

static bool override_fits(Overridable want, const Value *schema) {
    if (want.by_family) return schema->family_set && schema->family == want.family;
    return want.classes & SET(value_class(schema));
}

static void check_override_once(Parser *p, const Elem *e, const CoValue *over, const CoValue *to) {
    const Slot *s = siblings(e);
    for (int32_t i = 0; i < s->count; i++) {
        const Elem *y = s->values[i].elem;
        if (!y || y == e || !elem_has_cotype(y, STR("Override"))) continue;
        const CoValue *o = covalue(y, "overrides"), *a = covalue(y, "annotates");
        if (!o || !a || !str_eq(a->text, to->text) || !str_eq(o->text, over->text)) continue;
        COMPLAIN(p, e, "overrides", "multipleReference", "two elements override \"%.*s\" of \"%.*s\"",
                 STR_ARG(over->text), STR_ARG(to->text));
        return;
    }
}

static void check_override(Parser *p, const Elem *e) {
    const CoValue *over = covalue(e, "overrides"), *to = covalue(e, "annotates");
    if (!over || !to) return;
    Sibling x = sibling_named(p, e, to->text);
    if (!can_be_annotated(x)) return;
    Vocab u = vocab_parse(over->text);
    Str term = u.category == CAT_PROP ? u.term : over->text;
    Overridable want = overridable(x, term);
    const Value *schema = elem_value(e, PROP_SCHEMA);
    Cls owner = x.elem ? x.elem->cls : x.content->kind == CONTENT_PROPERTY ? CLS_PROPERTY : CLS_TELEMETRY;
    if (meta_find_prop(term, owner, e->scope.version))
        COMPLAIN(p, e, "overrides", "matchingPropertyNotSupplemental",
                 "\"%.*s\" cannot be overridden: it is no property of an extension", STR_ARG(term));
    else if (!want.classes)
        COMPLAIN(p, e, "overrides", "noMatchingSupplementalProperty", "\"%.*s\" has no property \"%.*s\"",
                 STR_ARG(to->text), STR_ARG(term));
    else if (schema && value_class(schema) != CLS_NONE && !override_fits(want, schema))
        COMPLAIN(p, e, "schema", "siblingPropertyMismatch", "the schema does not fit the property \"%.*s\"",
                 STR_ARG(term));
    check_override_once(p, e, over, to);
}

static void check_semantic(Parser *p, const Elem *e) {
    const SemanticType *t = e->semantic;
    bool v2 = !e->scope.ext[EXT_QUANTITATIVE];
    ClsSet targets = SET(CLS_PROPERTY) | SET(CLS_TELEMETRY);
    if (!v2) targets |= SET(CLS_REQUEST) | SET(CLS_RESPONSE) | SET(CLS_FIELD) | SET(CLS_MAP_VALUE);
    if (!(targets & SET(e->cls)))
        COMPLAIN(p, e, "@type", "invalidCotype", "%s cannot be added to a %s", t->name, meta_class(e->cls)->name);
    else if (!v2 && !(ext_versions(EXT_QUANTITATIVE, e->scope.ext[EXT_QUANTITATIVE]) >> e->scope.version & 1))
        COMPLAIN(p, e, "@type", "invalidCotypeVersion", "quantitativeTypes;%d cannot be used in DTDL v%d",
                 e->scope.ext[EXT_QUANTITATIVE], e->scope.version);
    const Value *v = elem_value(e, PROP_SCHEMA);
    if (v && value_class(v) != CLS_NONE && !(SET_NUMERIC & SET(value_class(v))))
        COMPLAIN(p, e, "schema", "notRequiredType", "%s needs a numeric schema: double, float, integer or long",
                 t->name);
}

static void check_cotypes(Parser *p, const Elem *e) {
    for (const CotypeUse *u = e->cotypes; u; u = u->next) {
        check_cotype_place(p, e, u);
        check_cotype_schema(p, e, u);
        check_cotype_family(p, e, u);
        Str name = str_of(u->type->name);
        if (str_eq(name, STR("ValueAnnotation"))) check_annotation(p, e);
        if (str_eq(name, STR("Override"))) check_override(p, e);
    }
    if (e->semantic) check_semantic(p, e);
    if (e->covalues) check_cotype_numbers(p, e);
}

// ---- the walk ----

static void resolve_elem(Parser *p, Elem *e) {
    for (Slot *s = e->slots; s; s = s->next) resolve_slot(p, e, s);
    for (const Slot *s = e->slots; s; s = s->next)
        if (s->prop->plural) {
            check_unique(p, e, s);
            check_indexes(p, s);
        }
    if (e->cls == CLS_ENUM) check_enum(p, e);
}

// What needs every reference of the interface resolved.
static void check_elem(Parser *p, Elem *e) {
    if (SET(e->cls) & SET_COMPLEX) (void)schema_depth(p, e);
    if (e->cls == CLS_PROPERTY || e->cls == CLS_TELEMETRY) check_property_schema(p, e);
    check_cotypes(p, e);
    for (const Slot *s = e->slots; s; s = s->next)
        for (int32_t i = 0; i < s->count; i++)
            if (s->values[i].own && s->values[i].elem->cls != CLS_INTERFACE) check_elem(p, s->values[i].elem);
}

void dtdl_resolve(Parser *p) {
    for (int32_t i = 0; i < p->count; i++) resolve_elem(p, p->interfaces[i]);
    for (int32_t i = 0; i < p->count; i++) check_elem(p, p->interfaces[i]);
}
