// SPDX-License-Identifier: Apache-2.0
// JSON -> elements. One element is read in this order, because each step needs the one before it:
// keys unique, @context, @type, name, @id, then the properties its class and co-types have.
#include "model/dtdl.h"
#include "base/check.h"
#include "base/mem.h"
#include "model/dtmi.h"

#define IN_VERSION(set, v) ((set) >> (v)&1)
#define INTERFACE_BYTES_MAX (1 << 20) // of the JSON text of one interface, from DTDL v3 on

static Elem *parse_elem(Parser *p, const Json *v, const Scope *outer, Elem *parent, const Prop *via);

// ---- complaints ----

static void put_path(Buf *b, const Elem *e) {
    if (!e->parent) return;
    put_path(b, e->parent);
    if (b->n) buf_byte(b, '/');
    buf_printf(b, "%s", e->via->name);
    if (e->name.n) buf_printf(b, "/%.*s", STR_ARG(e->name));
}

void complain(Parser *p, const Elem *e, const char *prop, Err code, const char *rule, const char *fmt, ...) {
    p->complaints++;
    if (p->err == ERR_OK) p->err = code;
    if (e && e->root) e->root->bad = true;
    if (!p->d) return;
    Buf *b = &p->scratch;
    buf_reset(b);
    if (e) put_path(b, e);
    if (prop) buf_printf(b, "%s%s", b->n ? "/" : "", prop);
    if (b->n) buf_printf(b, ": ");
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
    if (rule) buf_printf(b, " [%s]", rule);
    Str where = e && e->root ? e->root->id : STR("");
    int64_t at = e && e->json ? e->json->at : -1;
    (void)diag_add(p->d, code, at, at < 0 ? -1 : at + e->json->raw.n, where, "%.*s", STR_ARG(buf_str(b)));
}

// ---- access ----

const Slot *elem_slot(const Elem *e, PropId id) {
    static const Slot NONE;
    for (const Slot *s = e->slots; s; s = s->next)
        if (s->prop->id == id) return s;
    return &NONE;
}

const Value *elem_value(const Elem *e, PropId id) {
    const Slot *s = elem_slot(e, id);
    return s->count ? &s->values[0] : NULL;
}

Cls value_class(const Value *v) {
    if (v->elem) return v->elem->cls;
    if (v->builtin) return v->builtin->cls;
    if (v->family_set) return CLS_ENUM;
    return v->model ? CLS_INTERFACE : CLS_NONE;
}

bool elem_has_cotype(const Elem *e, Str name) {
    for (const CotypeUse *u = e->cotypes; u; u = u->next)
        if (str_eq(str_of(u->type->name), name)) return true;
    return false;
}

// ---- @type ----

static void set_class(Parser *p, Elem *e, Cls c) {
    if (e->cls != CLS_NONE && e->cls != c)
        COMPLAIN(p, e, "@type", "multipleMaterialTypes", "%s and %s exclude each other; state one",
                 meta_class(e->cls)->name, meta_class(c)->name);
    e->cls = c;
}

static void add_cotype(Parser *p, Elem *e, const Cotype *c, int version) {
    for (const CotypeUse *u = e->cotypes; u; u = u->next)
        if (u->type == c) return;
    CotypeUse *u = NEW(p->arena, CotypeUse, 1);
    *u = (CotypeUse){.type = c, .version = version, .next = e->cotypes};
    e->cotypes = u;
}

static void add_semantic(Parser *p, Elem *e, const SemanticType *t) {
    if (e->semantic && e->semantic != t)
        COMPLAIN(p, e, "@type", "conflictingSupplementalTypes", "%s and %s both bring the property unit; keep one",
                 e->semantic->name, t->name);
    e->semantic = t;
}

// A word of @type that is a class or a co-type; false when it is neither.
static bool take_type(Parser *p, Elem *e, Str term, int ext, int version) {
    Cls c = ext < 0 ? meta_find_class(term, version) : CLS_NONE;
    if (c >= CLS_ENTITY && version == e->scope.version) {
        COMPLAIN(p, e, "@type", "badType", "%s is abstract; state what it is exactly", meta_class(c)->name);
        return true;
    }
    if (c != CLS_NONE) {
        if (!IN_VERSION(meta_class(c)->usable, version) || version != e->scope.version) return false;
        set_class(p, e, c);
        return true;
    }
    const SemanticType *t = semantic_find(term);
    UnitSet set = (UnitSet)(ext == EXT_QUANTITATIVE ? 1 << version : ext < 0 && version == 2 ? UNITS_V2 : 0);
    if (t && (t->sets & set)) {
        add_semantic(p, e, t);
        return true;
    }
    const Cotype *co = ext >= 0 ? meta_find_cotype((Ext)ext, version, term) : NULL;
    if (co) add_cotype(p, e, co, version);
    return co;
}

static bool take_term(Parser *p, Elem *e, Str term) {
    for (int x = 0; x < EXT_COUNT; x++)
        if (e->scope.ext[x] && take_type(p, e, term, x, e->scope.ext[x])) return true;
    return take_type(p, e, term, -1, e->scope.version);
}

// A word of @type that names nothing usable: by version kept, or kept beside an unknown context, or refused.
static void unknown_type(Parser *p, Elem *e, Str s) {
    bool v2 = e->scope.version == 2, tenable = e->scope.unknown;
    const char *rule = "typeUndefinedTerm";
    bool fine = v2 || tenable;
    if (str_starts(s, STR("dtmi:"))) {
        Dtmi d;
        bool whole = dtmi_parse(s, &d);
        rule = whole ? "typeIrrelevantDtmiOrTerm" : "typeInvalidDtmi";
        fine = whole && tenable;
    } else if (iri_like(s)) {
        rule = "typeNotDtmiNorTerm";
        fine = v2;
    } else if (scope_knows(&e->scope, s)) {
        rule = "typeIrrelevantDtmiOrTerm";
        fine = tenable;
    }
    e->unknown_cotype = true;
    if (fine) return;
    COMPLAIN(p, e, "@type", rule,
             "\"%.*s\" is no type that can be used here; remove it, or add the context of the "
             "extension that defines it",
             STR_ARG(s));
}

static void parse_type_word(Parser *p, Elem *e, const Json *v) {
    if (v->type != JSON_STRING || v->s.n == 0) {
        COMPLAIN(p, e, "@type", "typeNotString", "a type is a non-empty string, got %s", json_type_name(v->type));
        return;
    }
    Vocab u = vocab_parse(v->s);
    if (u.category == CAT_CLASS && take_type(p, e, u.term, u.ext, u.version)) return;
    if (u.category == CAT_NONE && take_term(p, e, v->s)) return;
    unknown_type(p, e, v->s);
}

// What the property admits, in words.
static const char *expected(Parser *p, ClsSet set) {
    static const Cls GROUPS[] = {CLS_CONTENT, CLS_SCHEMA, CLS_COMPLEX};
    for (size_t i = 0; i < sizeof(GROUPS) / sizeof(GROUPS[0]); i++)
        if (set == meta_class(GROUPS[i])->set) {
            if (GROUPS[i] == CLS_CONTENT) return "Property, Telemetry, Relationship, Command or Component";
            return GROUPS[i] == CLS_SCHEMA ? "Array, Enum, Map, Object or the name of a schema"
                                           : "Array, Enum, Map or Object";
        }
    Str out = STR("");
    for (int c = CLS_NONE + 1; c < CLS_ENTITY; c++)
        if (set & SET(c))
            out = arena_printf(p->arena, "%.*s%s%s", STR_ARG(out), out.n ? " or " : "", meta_class((Cls)c)->name);
    return out.n ? out.p : "nothing";
}

static bool parse_type(Parser *p, Elem *e, const Json *v) {
    Cls infer = e->via ? e->via->infer : CLS_NONE;
    if (v && v->type == JSON_ARRAY && v->count == 0) v = NULL;
    if (v && v->type != JSON_ARRAY) parse_type_word(p, e, v);
    for (int32_t i = 0; v && v->type == JSON_ARRAY && i < v->count; i++) parse_type_word(p, e, &v->items[i]);
    // Primitive schemas and command types are named, never defined.
    ClsSet allowed = (e->via ? e->via->values : SET(CLS_INTERFACE)) & ~(SET_PRIMITIVE | SET(CLS_COMMAND_TYPE));
    if (e->cls == CLS_NONE && !v) e->cls = infer;
    if (e->cls == CLS_NONE) {
        COMPLAIN(p, e, "@type", e->via ? "badType" : "typeNotRootable", "@type does not say what this is; state %s",
                 expected(p, allowed));
        return false;
    }
    if (allowed & SET(e->cls)) return true;
    COMPLAIN(p, e, "@type", e->via ? "badType" : "typeNotRootable", "a %s cannot stand here; %s is wanted",
             meta_class(e->cls)->name, expected(p, allowed));
    return false;
}

// ---- @id ----

static bool reserved(const Elem *e, Str id) {
    return str_starts(id, STR("dtmi:dtdl:")) || str_starts(id, STR("dtmi:standard:")) ||
           (e->scope.ext[EXT_IOTCENTRAL] && str_starts(id, STR("dtmi:iotcentral:"))) ||
           (e->scope.ext[EXT_IOTOPERATIONS] && str_starts(id, STR("dtmi:iotoperations:")));
}

static int64_t id_max(const Elem *e) { return e->scope.limits == LIMITS_STANDARD ? 2048 : 512; }
static int64_t interface_id_max(const Elem *e) { return e->scope.limits == LIMITS_STANDARD ? 128 : 256; }

static bool id_form(Parser *p, const Elem *e, Str id) {
    if (str_find(id, '#', 0) >= 0 && e->scope.version != 2) {
        COMPLAIN(p, e, "@id", "invalidId", "\"%.*s\": an id has no fragment; remove \"#...\"", STR_ARG(id));
    } else if (!dtmi_ok(id, e->scope.version)) {
        COMPLAIN(p, e, "@id", "invalidId", "\"%.*s\" is no valid id; write it like dtmi:com:example:Thing;1",
                 STR_ARG(id));
    } else if (id.n > id_max(e)) {
        COMPLAIN(p, e, "@id", "idTooLong", "the id has %lld characters; at most %lld are allowed", (long long)id.n,
                 (long long)id_max(e));
    } else if (e->cls == CLS_INTERFACE && id.n > interface_id_max(e)) {
        COMPLAIN(p, e, "@id", "idTooLongForType", "the id has %lld characters; an interface may have %lld",
                 (long long)id.n, (long long)interface_id_max(e));
    } else if (reserved(e, id)) {
        COMPLAIN(p, e, "@id", "reservedId", "\"%.*s\" begins with a reserved prefix; choose another", STR_ARG(id));
    } else {
        return true;
    }
    return false;
}

static void parse_id(Parser *p, Elem *e, const Json *v) {
    bool needed = !e->via || e->via->needs_id || e->cls == CLS_INTERFACE;
    if (!v) {
        if (needed)
            COMPLAIN(p, e, "@id", e->via ? "missingRequiredId" : "missingTopLevelId",
                     "there is no @id; add one like dtmi:com:example:Thing;1");
        return;
    }
    if (v->type != JSON_STRING || v->s.n == 0) {
        COMPLAIN(p, e, "@id", "idNotString", "@id must be a non-empty string, got %s", json_type_name(v->type));
        return;
    }
    e->id = v->s;
    if (!id_form(p, e, v->s)) return;
    int64_t other;
    if (map_get(&p->ids, v->s, &other)) {
        COMPLAIN(p, e, "@id", "duplicateDefinition", "\"%.*s\" is defined twice; remove one definition", STR_ARG(v->s));
        return;
    }
    map_put(&p->ids, v->s, (int64_t)(intptr_t)e);
}

// ---- literal properties ----

static void check_text(Parser *p, const Elem *e, const Prop *prop, Str s) {
    int64_t max = e->scope.version == 2 ? prop->len2 : prop->len, n = text_length(s);
    if (max && n > max)
        COMPLAIN(p, e, prop->name, "stringTooLong", "the text has %lld characters; at most %lld are allowed",
                 (long long)n, (long long)max);
    else if (prop->id == PROP_NAME && !dtdl_name_ok(s))
        COMPLAIN(p, e, prop->name, "stringInvalid",
                 "\"%.*s\" is no valid name; use letters, digits and '_', begin with a letter, do not end with '_'",
                 STR_ARG(s));
}

static void parse_target(Parser *p, Elem *e, const Prop *prop, const Json *v) {
    if (v->type == JSON_ARRAY && v->count == 1) v = &v->items[0];
    if (v->type != JSON_STRING) {
        const char *rule = v->type == JSON_NULL    ? "propertyValueNull"
                           : v->type == JSON_ARRAY ? "identifierMultipleValues"
                                                   : "identifierNotString";
        COMPLAIN(p, e, prop->name, rule, "the target is the id of an interface, got %s", json_type_name(v->type));
        return;
    }
    if (!dtmi_ok(v->s, e->scope.version)) {
        COMPLAIN(p, e, prop->name, "identifierNotDtmi",
                 "\"%.*s\" is no valid id; write it like dtmi:com:example:Thing;1", STR_ARG(v->s));
        return;
    }
    if (v->s.n > id_max(e))
        COMPLAIN(p, e, prop->name, "identifierTooLong", "the id has %lld characters; at most %lld are allowed",
                 (long long)v->s.n, (long long)id_max(e));
    e->target = v->s;
}

static void parse_multiplicity(Parser *p, Elem *e, const Prop *prop, const Json *v) {
    int64_t n = 0;
    if (!literal_integer(p, e, prop->name, v, &n)) return;
    if (prop->id == PROP_MIN_MULTIPLICITY) {
        if (n != 0)
            COMPLAIN(p, e, prop->name, "valueNotExact", "minMultiplicity can only be 0, got %lld", (long long)n);
        e->has_min = true;
        e->min_multiplicity = n;
        return;
    }
    if (n < 1) COMPLAIN(p, e, prop->name, "valueBelowMin", "maxMultiplicity is at least 1, got %lld", (long long)n);
    if (n > 500 && e->scope.version == 2)
        COMPLAIN(p, e, prop->name, "valueAboveMax", "maxMultiplicity is at most 500 in DTDL v2, got %lld",
                 (long long)n);
    e->has_max = true;
    e->max_multiplicity = n;
}

static void parse_enum_value(Parser *p, Elem *e, const Prop *prop, const Json *v) {
    Json x;
    if (!literal_any(p, e, prop->name, v, &x)) return;
    e->literal = x.type;
    if (x.type == JSON_STRING) e->text = x.s;
    else if (x.type == JSON_INT) e->num = x.i;
}

static int64_t lang_max(const Elem *e, const Prop *prop) {
    if (prop->id == PROP_DESCRIPTION && e->scope.limits == LIMITS_AIO) return 2048;
    if (prop->id == PROP_DESCRIPTION && e->scope.limits == LIMITS_ONVIF) return 4096;
    return e->scope.version == 2 ? prop->len2 : prop->len;
}

static void parse_lang(Parser *p, Elem *e, const Prop *prop, const Json *v) {
    bool display = prop->id == PROP_DISPLAY_NAME;
    literal_langs(p, e, prop->name, v, lang_max(e, prop), display ? &e->display : &e->description,
                  display ? &e->display_count : &e->description_count);
}

// ---- element properties ----

// From v3 on a unit family is an enum of its units; a schema may name it. 0: `s` names none.
static UnitSet family_of(const Elem *e, Vocab u, Str s, UnitFamily *out) {
    UnitSet set = (UnitSet)(u.category == CAT_FAMILY ? 1 << u.version : scope_units(&e->scope) & ~UNITS_V2);
    if (!set || (u.category != CAT_FAMILY && u.category != CAT_NONE)) return 0;
    return unit_family_find(u.category == CAT_FAMILY ? u.term : s, out) ? set : 0;
}

static void parse_reference(Parser *p, Elem *e, const Prop *prop, const Json *v, Value *out) {
    bool central = e->scope.ext[EXT_IOTCENTRAL] != 0;
    out->id = v->s;
    out->builtin = meta_find_builtin(v->s, e->scope.version, central);
    if (out->builtin) return;
    Vocab u = vocab_parse(v->s);
    if (u.category == CAT_VALUE && u.version <= e->scope.version && (u.ext < 0 || central)) {
        out->builtin = meta_find_builtin(u.term, u.version, u.ext >= 0);
        if (out->builtin) return;
    }
    out->family_set = family_of(e, u, v->s, &out->family);
    if (out->family_set) return;
    if (!str_starts(v->s, STR("dtmi:"))) {
        COMPLAIN(p, e, prop->name, "badDtmiOrTerm", "\"%.*s\" is neither the name of a built-in nor an id; expected %s",
                 STR_ARG(v->s), expected(p, prop->values));
    } else if (!dtmi_ok(v->s, e->scope.version)) {
        COMPLAIN(p, e, prop->name, "badDtmiOrTerm", "\"%.*s\" is no valid id; write it like dtmi:com:example:Thing;1",
                 STR_ARG(v->s));
    } else {
        return;
    }
    out->id = STR("");
}

static void check_inline_version(Parser *p, const Elem *e, const Prop *prop, const Elem *child) {
    int own = e->scope.version, v = child->scope.version;
    if (v == own || (v < own && !prop->same_version)) return;
    COMPLAIN(p, e, prop->name, "disallowedVersionDefinition",
             "an element of DTDL v%d cannot stand here within DTDL v%d", v, own);
}

static bool parse_inline(Parser *p, Elem *e, const Prop *prop, const Json *v, Value *out) {
    const Json *id = json_get(v, STR("@id"));
    if (id && v->count == 1) {
        COMPLAIN(p, e, prop->name, "idReference", "an object with @id only is no definition; write the id as a string");
        return false;
    }
    Elem *child = parse_elem(p, v, &e->scope, e, prop);
    if (!child) return false;
    check_inline_version(p, e, prop, child);
    *out = (Value){.elem = child, .id = child->id, .json = v, .own = true};
    if (child->cls == CLS_INTERFACE && !p->opt.inline_interfaces)
        COMPLAIN(p, e, prop->name, "refObjectNotAllowed",
                 "an interface cannot be defined within another; upload it on its own and give its id");
    return true;
}

static bool parse_value(Parser *p, Elem *e, const Prop *prop, const Json *v, Value *out) {
    *out = (Value){.json = v};
    if (v->type == JSON_STRING) {
        parse_reference(p, e, prop, v, out);
        return true;
    }
    if (v->type == JSON_OBJECT) return parse_inline(p, e, prop, v, out);
    COMPLAIN(p, e, prop->name, v->type == JSON_NULL ? "propertyValueNull" : "refNotStringOrObject",
             "the value must be an id, the name of a built-in or an object, got %s", json_type_name(v->type));
    return false;
}

static void check_count(Parser *p, const Elem *e, const Prop *prop, int32_t count) {
    if (!prop->plural) {
        if (count > 1) COMPLAIN(p, e, prop->name, "objectMultipleValues", "one value is wanted, got %d", (int)count);
        else if (count == 0 && prop->required)
            COMPLAIN(p, e, prop->name, "objectCountBelowMin", "one value is wanted, got none");
        return;
    }
    if (e->scope.version != 2) return;
    if (prop->min2 && count < prop->min2)
        COMPLAIN(p, e, prop->name, "objectCountBelowMin", "at least %d value is wanted", (int)prop->min2);
    if (prop->max2 && count > prop->max2)
        COMPLAIN(p, e, prop->name, "objectCountAboveMax", "%d values; DTDL v2 allows %d", (int)count, (int)prop->max2);
}

static void parse_values(Parser *p, Elem *e, const Prop *prop, const Json *v) {
    const Json *items = v->type == JSON_ARRAY ? v->items : v;
    int32_t count = v->type == JSON_ARRAY ? v->count : 1;
    Slot *s = NEW(p->arena, Slot, 1);
    *s = (Slot){.prop = prop, .values = NEW(p->arena, Value, count), .next = e->slots};
    for (int32_t i = 0; i < count; i++)
        if (parse_value(p, e, prop, &items[i], &s->values[s->count])) s->count++;
    e->slots = s;
    check_count(p, e, prop, count);
}

// ---- properties of co-types ----

static void parse_unit(Parser *p, Elem *e, const Json *v) {
    if (v->type == JSON_ARRAY && v->count == 1) v = &v->items[0];
    if (v->type != JSON_STRING) {
        const char *rule = v->type == JSON_NULL     ? "propertyValueNull"
                           : v->type == JSON_ARRAY  ? v->count ? "objectMultipleValues" : "objectCountBelowMin"
                           : v->type == JSON_OBJECT ? "refObjectNotAllowed"
                                                    : "refNotStringOrObject";
        COMPLAIN(p, e, "unit", rule, "a unit is given by its name, got %s", json_type_name(v->type));
        return;
    }
    Vocab u = vocab_parse(v->s);
    Str name = u.category == CAT_UNIT ? u.term : v->s;
    UnitSet set = (UnitSet)(u.category != CAT_UNIT ? scope_units(&e->scope) : u.ext < 0 ? UNITS_V2 : 1 << u.version);
    const Unit *unit = unit_find(name);
    e->unit = name;
    if (!unit || !(unit->sets & set)) {
        COMPLAIN(p, e, "unit", "badDtmiOrTerm", "\"%.*s\" is no unit of this DTDL version", STR_ARG(v->s));
    } else if (e->semantic && unit->family != e->semantic->family) {
        COMPLAIN(p, e, "unit", "wrongParent", "%s is a %s; %s takes a %s", unit->name, unit_family(unit->family)->name,
                 e->semantic->name, unit_family(e->semantic->family)->name);
    }
}

static void parse_covalue(Parser *p, Elem *e, const CotypeUse *u, const CoProp *prop, const Json *v) {
    if (v->type == JSON_ARRAY && v->count == 0) return; // as if it were absent
    CoValue *c = NEW(p->arena, CoValue, 1);
    *c = (CoValue){.prop = prop, .type = u->type, .json = v, .next = e->covalues};
    e->covalues = c;
    switch (prop->kind) {
    case COPROP_NUMBER: (void)literal_number(p, e, prop->name, v); return;
    case COPROP_INTEGER:
        if (!literal_integer(p, e, prop->name, v, &c->num)) return;
        if (prop->at_least_1 && c->num < 1)
            COMPLAIN(p, e, prop->name, "valueBelowMin", "the value is at least 1, got %lld", (long long)c->num);
        return;
    case COPROP_DURATION: (void)literal_duration(p, e, prop->name, v, &c->text); return;
    case COPROP_STRING:
    case COPROP_TERM:
        if (!literal_string(p, e, prop->name, v, &c->text)) return;
        if (prop->len && text_length(c->text) > prop->len)
            COMPLAIN(p, e, prop->name, "stringTooLong", "at most %d characters are allowed", (int)prop->len);
        else if (prop->ok && !prop->ok(c->text))
            COMPLAIN(p, e, prop->name, "stringInvalid", "\"%.*s\" is not of the form %s has", STR_ARG(c->text),
                     prop->name);
        return;
    }
}

// The property belongs to a co-type the element carries.
static bool parse_supplement(Parser *p, Elem *e, Str term, const Json *v) {
    for (const CotypeUse *u = e->cotypes; u; u = u->next) {
        const CoProp *prop = cotype_prop(u->type, u->version, term);
        if (!prop) continue;
        parse_covalue(p, e, u, prop, v);
        return true;
    }
    bool vector = elem_has_cotype(e, STR("AccelerationVector")) || elem_has_cotype(e, STR("VelocityVector"));
    if (!str_eq(term, STR("unit")) || (!e->semantic && !vector)) return false;
    if (e->unit.n) COMPLAIN(p, e, "unit", "duplicatePropertyName", "the property is given twice");
    parse_unit(p, e, v);
    return true;
}

// ---- members ----

// An empty array stands for no value: fine for a literal that may be absent. True when v is one.
static bool empty_literal(Parser *p, const Elem *e, const char *prop, bool literal, bool required, const Json *v) {
    if (!literal || v->type != JSON_ARRAY || v->count) return false;
    if (required) COMPLAIN(p, e, prop, "propertyCountBelowMin", "one value is wanted, got none");
    return true;
}

static void parse_property(Parser *p, Elem *e, const Prop *prop, const Json *v) {
    if (e->given >> prop->id & 1) {
        COMPLAIN(p, e, prop->name, "duplicatePropertyName", "the property is given twice; keep one");
        return;
    }
    e->given |= (uint64_t)1 << prop->id;
    if (empty_literal(p, e, prop->name, prop->kind != VALUE_ELEMENT, prop->required, v)) return;
    Str s = {0};
    switch (prop->kind) {
    case VALUE_STRING:
        if (literal_string(p, e, prop->name, v, &s)) check_text(p, e, prop, s);
        if (prop->id == PROP_NAME) e->name = s;
        return;
    case VALUE_BOOLEAN:
        (void)literal_boolean(p, e, prop->name, v, prop->id == PROP_WRITABLE ? &e->writable : &e->nullable);
        return;
    case VALUE_INTEGER: parse_multiplicity(p, e, prop, v); return;
    case VALUE_LANG: parse_lang(p, e, prop, v); return;
    case VALUE_LITERAL: parse_enum_value(p, e, prop, v); return;
    case VALUE_DTMI: parse_target(p, e, prop, v); return;
    case VALUE_ELEMENT: parse_values(p, e, prop, v); return;
    }
}

static void unknown_property(Parser *p, Elem *e, Str key) {
    bool v2 = e->scope.version == 2, fine = v2 || e->scope.unknown;
    const char *rule = "propertyUndefinedTerm";
    if (str_starts(key, STR("dtmi:"))) {
        Dtmi d;
        bool whole = dtmi_parse(key, &d);
        rule = whole ? "propertyIrrelevantDtmiOrTerm" : "propertyInvalidDtmi";
        if (!whole) fine = v2;
    } else if (iri_like(key)) {
        rule = "propertyNotDtmiNorTerm";
        fine = v2;
    } else if (meta_find_prop(key, CLS_NONE, e->scope.version)) {
        rule = "noTypeThatAllows";
    } else if (scope_knows(&e->scope, key)) {
        rule = "propertyIrrelevantDtmiOrTerm";
    }
    if (fine && e->unknown_cotype) return;
    COMPLAIN(p, e, NULL, rule, "%s has no property \"%.*s\"; remove it, or add the type that brings it",
             meta_class(e->cls)->name, STR_ARG(key));
}

static void parse_keyword(Parser *p, Elem *e, Str key) {
    if (str_eq(key, STR("@graph")))
        COMPLAIN(p, e, "@graph", e->via ? "graphDisallowed" : "topLevelGraphDisallowed",
                 "@graph cannot be used in a model");
    else if (e->scope.version != 2)
        COMPLAIN(p, e, NULL, e->via ? "keywordDisallowed" : "topLevelKeywordDisallowed",
                 "the keyword \"%.*s\" cannot be used here; remove it", STR_ARG(key));
}

static void parse_member(Parser *p, Elem *e, const JsonMember *m) {
    Str key = m->key;
    if (key.n && key.p[0] == '@') {
        if (!str_eq(key, STR("@context")) && !str_eq(key, STR("@id")) && !str_eq(key, STR("@type")))
            parse_keyword(p, e, key);
        return;
    }
    Vocab u = vocab_parse(key);
    Str term = u.category == CAT_PROP ? u.term : key;
    const Prop *prop = NULL;
    if (u.category == CAT_NONE || (u.category == CAT_PROP && u.ext < 0 && u.version == e->scope.version))
        prop = meta_find_prop(term, e->cls, e->scope.version);
    if (prop) parse_property(p, e, prop, &m->value);
    else if ((u.category != CAT_NONE && u.category != CAT_PROP) || !parse_supplement(p, e, term, &m->value))
        unknown_property(p, e, key);
}

static void check_required(Parser *p, Elem *e) {
    for (int i = 0; i < PROP_COUNT; i++) {
        const Prop *prop = meta_prop((PropId)i);
        if (!prop->required && !(prop->min2 && e->scope.version == 2)) continue;
        if (!(prop->owners & SET(e->cls)) || (e->given >> prop->id & 1)) continue;
        const char *rule = prop->kind == VALUE_ELEMENT ? "missingObjectProperty" : "missingLiteralProperty";
        if (prop->id == PROP_NAME && e->id.n == 0) rule = "missingDtmiSegPropertyValue";
        COMPLAIN(p, e, prop->name, rule, "%s needs the property \"%s\"; add it", meta_class(e->cls)->name, prop->name);
    }
    if (e->semantic && !e->unit.n && e->cls != CLS_NONE)
        COMPLAIN(p, e, "unit", "missingSupplementalObjectProperty", "%s needs the property \"unit\", a %s",
                 e->semantic->name, unit_family(e->semantic->family)->name);
    for (const CotypeUse *u = e->cotypes; u; u = u->next)
        for (const CoProp *c = u->type->props; c && c->name; c++) {
            if (!c->required || u->version < c->ext_from) continue;
            const CoValue *v = e->covalues;
            while (v && v->prop != c) v = v->next;
            if (!v)
                COMPLAIN(p, e, c->name, "missingSupplementalLiteralProperty", "%s needs the property \"%s\"; add it",
                         u->type->name, c->name);
        }
}

// ---- elements ----

// json_get tells of a doubled key only that there is one; find it for the message.
static void check_duplicate_keys(Parser *p, const Elem *e, const Json *v) {
    if (!v->dup) return;
    Map seen = {0};
    for (int32_t i = 0; i < v->count; i++) {
        int64_t n;
        if (map_get(&seen, v->members[i].key, &n))
            COMPLAIN(p, e, NULL, "duplicatePropertyName", "\"%.*s\" is given twice; keep one",
                     STR_ARG(v->members[i].key));
        map_put(&seen, v->members[i].key, i);
    }
    map_free(&seen);
}

static void add_interface(Parser *p, Elem *e) {
    if (p->count == p->cap) {
        int32_t cap = p->cap ? p->cap * 2 : 64;
        Elem **grown = NEW(p->arena, Elem *, cap);
        if (p->count) memcpy(grown, p->interfaces, (size_t)p->count * sizeof(*grown));
        p->interfaces = grown;
        p->cap = cap;
    }
    e->index = p->count;
    p->interfaces[p->count++] = e;
}

// The name as far as it is plain, so that messages about the element can use it.
static Str plain_text(const Json *v) { return v && v->type == JSON_STRING ? v->s : STR(""); }

// An element that cannot be read further. A top-level one stays known by its id, so that references to it raise no
// complaints of their own.
static Elem *give_up(Parser *p, Elem *e) {
    int64_t other;
    if (e->parent || e->id.n == 0 || map_get(&p->ids, e->id, &other)) return NULL;
    e->cls = CLS_INTERFACE;
    map_put(&p->ids, e->id, (int64_t)(intptr_t)e);
    add_interface(p, e);
    return NULL;
}

static Elem *parse_elem(Parser *p, const Json *v, const Scope *outer, Elem *parent, const Prop *via) {
    Elem *e = NEW(p->arena, Elem, 1);
    *e = (Elem){.json = v, .parent = parent, .via = via, .depth = -1, .has_array = -1};
    e->root = parent ? parent->root : e;
    e->name = plain_text(json_get(v, STR("name")));
    if (!parent) e->id = plain_text(json_get(v, STR("@id")));
    if (outer) e->scope = *outer;
    check_duplicate_keys(p, e, v);
    if (!scope_parse(p, e, json_get(v, STR("@context")), outer, &e->scope) ||
        !parse_type(p, e, json_get(v, STR("@type"))))
        return give_up(p, e);
    if (e->cls == CLS_INTERFACE) e->root = e;
    e->name = STR("");
    parse_id(p, e, json_get(v, STR("@id")));
    e->name = plain_text(json_get(v, STR("name")));
    for (int32_t i = 0; i < v->count; i++) parse_member(p, e, &v->members[i]);
    check_required(p, e);
    if (e->cls == CLS_INTERFACE) add_interface(p, e);
    return e;
}

static void parse_top(Parser *p, const Json *v) {
    if (v->type != JSON_OBJECT) {
        complain(p, NULL, NULL, ERR_ARGUMENT, "notJsonObject", "a model is a JSON object, got %s",
                 json_type_name(v->type));
        return;
    }
    Elem *e = parse_elem(p, v, NULL, NULL, NULL);
    if (e && e->scope.version >= 3 && v->raw.n > INTERFACE_BYTES_MAX)
        COMPLAIN(p, e, NULL, "partitionTooLarge", "the interface has %lld bytes of JSON; at most %d are allowed",
                 (long long)v->raw.n, INTERFACE_BYTES_MAX);
}

void dtdl_parse(Parser *p, const Json *docs) {
    if (docs->type != JSON_ARRAY) {
        parse_top(p, docs);
        return;
    }
    if (docs->count == 0) complain(p, NULL, NULL, ERR_ARGUMENT, NULL, "the array holds no model; give at least one");
    for (int32_t i = 0; i < docs->count; i++) parse_top(p, &docs->items[i]);
}
