// SPDX-License-Identifier: Apache-2.0
// Literal property values: plain JSON, a value object {"@value": ..., "@type": "xsd:..."}, or an array of one of them.
#include "model/dtdl.h"
#include "model/dtmi.h"
#include "model/text.h"

#define XSD STR("http://www.w3.org/2001/XMLSchema#")

// The kinds differ in the JSON types they take, in their xsd names and in the names of their errors.
typedef struct LiteralKind {
    const char *what;  // for messages
    const char *types; // xsd types, blank-separated
    const char *not_it, *value_not_it, *type_not_it, *multiple, *no_value, *none;
    bool (*takes)(const Json *v);
} LiteralKind;

static bool takes_string(const Json *v) { return v->type == JSON_STRING; }
static bool takes_integer(const Json *v) { return v->type == JSON_INT; }
static bool takes_any(const Json *v) { return v->type == JSON_STRING || v->type == JSON_INT || json_is_bool(v); }

#define RULES(k, K) k "Not" K, k "ValueNot" K, k "TypeNot" K, k "MultipleValues", k "ObjectNoValue", k "CountBelowMin"

static const LiteralKind STRING_KIND = {"a string", "string", RULES("string", "String"), takes_string};
static const LiteralKind INTEGER_KIND = {"an integer", "integer", RULES("integer", "Integer"), takes_integer};
static const LiteralKind BOOLEAN_KIND = {"true or false", "boolean", RULES("boolean", "Boolean"), json_is_bool};
static const LiteralKind NUMBER_KIND = {"a number", "decimal double float integer", RULES("numeric", "Numeric"),
                                        json_is_number};
static const LiteralKind DURATION_KIND = {"a duration", "duration", RULES("duration", "Duration"), takes_string};
static const LiteralKind ANY_KIND = {"a string, an integer or a boolean", "string integer boolean",
                                     RULES("literal", "Valid"), takes_any};

static bool type_matches(const LiteralKind *k, Str type) {
    if (str_starts(type, STR("xsd:"))) return words_have(k->types, str_sub(type, 4, type.n));
    return str_starts(type, XSD) && words_have(k->types, str_sub(type, XSD.n, type.n));
}

// A value of several possible kinds is of the kind that its @type states.
static bool typed_alike(Str type, const Json *v) {
    if (str_ends(type, STR("string"))) return v->type == JSON_STRING;
    return str_ends(type, STR("integer")) ? v->type == JSON_INT : json_is_bool(v);
}

// The keys of a value object: @value and @type only.
static bool value_object_keys(Parser *p, const Elem *e, const char *prop, const Json *v) {
    for (int32_t i = 0; i < v->count; i++) {
        Str key = v->members[i].key;
        const char *rule = "valueObjectInvalidProp";
        if (str_eq(key, STR("@value")) || str_eq(key, STR("@type"))) continue;
        if (str_eq(key, STR("@id"))) rule = "valueObjectId";
        else if (str_eq(key, STR("@context"))) rule = "valueObjectContext";
        else if (str_eq(key, STR("@graph"))) rule = "valueObjectGraph";
        else if (key.n && key.p[0] == '@') {
            if (e->scope.version == 2) continue;
            rule = str_eq(key, STR("@language")) ? "valueObjectLanguage" : "valueObjectKeyword";
        }
        COMPLAIN(p, e, prop, rule, "a value object holds @value and @type only; remove \"%.*s\"", STR_ARG(key));
        return false;
    }
    return true;
}

static const Json *value_object(Parser *p, const Elem *e, const char *prop, const LiteralKind *k, const Json *v) {
    if (!value_object_keys(p, e, prop, v)) return NULL;
    const Json *type = json_get(v, STR("@type")), *value = json_get(v, STR("@value"));
    if (type && type->type == JSON_ARRAY && type->count == 1) type = &type->items[0];
    if (type && type->type != JSON_STRING) {
        COMPLAIN(p, e, prop, "literalTypeNotSingular", "the @type of a value object is one string");
        return NULL;
    }
    if (type && !type_matches(k, type->s)) {
        COMPLAIN(p, e, prop, k->type_not_it, "the @type of the value must be xsd:%s, got \"%.*s\"", k->types,
                 STR_ARG(type->s));
        return NULL;
    }
    if (!value) {
        COMPLAIN(p, e, prop, k->no_value, "the value object has no @value; add it");
        return NULL;
    }
    if (k == &ANY_KIND && type && !typed_alike(type->s, value)) {
        COMPLAIN(p, e, prop, "literalNotValid", "@value is %s, which is not of @type %.*s", json_type_name(value->type),
                 STR_ARG(type->s));
        return NULL;
    }
    if (!k->takes(value)) {
        COMPLAIN(p, e, prop, k->value_not_it, "@value must be %s, got %s", k->what, json_type_name(value->type));
        return NULL;
    }
    return value;
}

// The one plain value behind v, or NULL after a complaint.
static const Json *literal(Parser *p, const Elem *e, const char *prop, const LiteralKind *k, const Json *v) {
    if (v->type == JSON_NULL) {
        COMPLAIN(p, e, prop, "propertyValueNull", "the value is null; give %s or remove the property", k->what);
        return NULL;
    }
    if (v->type == JSON_ARRAY) {
        if (v->count != 1) {
            COMPLAIN(p, e, prop, v->count ? k->multiple : k->none, "exactly one value is wanted, got %d",
                     (int)v->count);
            return NULL;
        }
        v = &v->items[0];
    }
    if (v->type == JSON_OBJECT) return value_object(p, e, prop, k, v);
    if (k->takes(v)) return v;
    COMPLAIN(p, e, prop, k->not_it, "the value must be %s, got %s", k->what, json_type_name(v->type));
    return NULL;
}

bool literal_string(Parser *p, const Elem *e, const char *prop, const Json *v, Str *out) {
    const Json *x = literal(p, e, prop, &STRING_KIND, v);
    if (x) *out = x->s;
    return x;
}

bool literal_integer(Parser *p, const Elem *e, const char *prop, const Json *v, int64_t *out) {
    const Json *x = literal(p, e, prop, &INTEGER_KIND, v);
    if (x) *out = x->i;
    return x;
}

bool literal_boolean(Parser *p, const Elem *e, const char *prop, const Json *v, bool *out) {
    const Json *x = literal(p, e, prop, &BOOLEAN_KIND, v);
    if (x) *out = x->type == JSON_TRUE;
    return x;
}

bool literal_number(Parser *p, const Elem *e, const char *prop, const Json *v) {
    return literal(p, e, prop, &NUMBER_KIND, v) != NULL;
}

bool literal_duration(Parser *p, const Elem *e, const char *prop, const Json *v, Str *out) {
    const Json *x = literal(p, e, prop, &DURATION_KIND, v);
    if (!x) return false;
    *out = x->s;
    if (duration_ok(x->s)) return true;
    COMPLAIN(p, e, prop, "durationInvalid", "\"%.*s\" is no ISO 8601 duration such as PT5M", STR_ARG(x->s));
    return false;
}

bool literal_any(Parser *p, const Elem *e, const char *prop, const Json *v, Json *out) {
    const Json *x = literal(p, e, prop, &ANY_KIND, v);
    if (x) *out = *x;
    return x;
}

// ---- texts in several languages ----

typedef struct LangReader {
    Parser *p;
    const Elem *e;
    const char *prop;
    int64_t len;
    Lang *langs;
    int32_t count;
} LangReader;

#define LANGS_MAX 1000 // keeps the search for duplicates short

static void lang_add(LangReader *r, Str language, Str text, const char *dup_rule) {
    if (r->count == LANGS_MAX) return;
    for (int32_t i = 0; i < r->count; i++) {
        if (!str_eq(r->langs[i].language, language)) continue;
        COMPLAIN(r->p, r->e, r->prop, dup_rule, "two texts for language \"%.*s\"; keep one", STR_ARG(language));
        return;
    }
    int64_t n = text_length(text);
    if (n > r->len)
        COMPLAIN(r->p, r->e, r->prop, "langStringValueTooLong",
                 "the text has %lld characters; at most %lld are allowed", (long long)n, (long long)r->len);
    r->langs[r->count++] = (Lang){language, text};
    if (r->count == LANGS_MAX)
        COMPLAIN(r->p, r->e, r->prop, "langStringCountAboveMax", "more than %d languages", LANGS_MAX - 1);
}

static void lang_map(LangReader *r, const Json *v) {
    for (int32_t i = 0; i < v->count; i++) {
        Str code = v->members[i].key;
        const Json *text = &v->members[i].value;
        if (code.n && code.p[0] == '@') {
            bool pair = json_get(v, STR("@value")) && json_get(v, STR("@language"));
            COMPLAIN(r->p, r->e, r->prop, pair ? "langTagValueInLangMap" : "langMapObjKeyword",
                     "a language map has language codes as keys; remove \"%.*s\"", STR_ARG(code));
        } else if (!lang_ok(code)) {
            COMPLAIN(r->p, r->e, r->prop, "langStringInvalidCode", "\"%.*s\" is no language code such as en or en-US",
                     STR_ARG(code));
        } else if (text->type != JSON_STRING) {
            COMPLAIN(r->p, r->e, r->prop, "langStringValueNotString", "the text for \"%.*s\" must be a string, got %s",
                     STR_ARG(code), json_type_name(text->type));
        } else {
            lang_add(r, code, text->s, "langStringCodeNotUnique");
        }
    }
}

static bool lang_item_keys(LangReader *r, const Json *v) {
    for (int32_t i = 0; i < v->count; i++) {
        Str key = v->members[i].key;
        const char *rule = "langStringElementInvalidProp";
        if (str_eq(key, STR("@value")) || str_eq(key, STR("@language"))) continue;
        if (str_eq(key, STR("@id"))) rule = "langStringElementId";
        else if (str_eq(key, STR("@type"))) rule = "langStringElementType";
        else if (str_eq(key, STR("@context"))) rule = "langStringElementContext";
        else if (str_eq(key, STR("@graph"))) rule = "langStringElementGraph";
        else if (key.n && key.p[0] == '@') {
            if (r->e->scope.version == 2) continue;
            rule = "langStringElementKeyword";
        }
        COMPLAIN(r->p, r->e, r->prop, rule, "a text holds @value and @language only; remove \"%.*s\"", STR_ARG(key));
        return false;
    }
    return true;
}

static void lang_item(LangReader *r, const Json *v) {
    if (v->type == JSON_STRING) {
        lang_add(r, STR("en"), v->s, "langStringElementCodeNotUnique");
        return;
    }
    if (v->type != JSON_OBJECT) {
        COMPLAIN(r->p, r->e, r->prop, "langStringElementNotStringOrObject",
                 "a text is a string or {\"@value\": ..., \"@language\": ...}, got %s", json_type_name(v->type));
        return;
    }
    if (!lang_item_keys(r, v)) return;
    const Json *text = json_get(v, STR("@value")), *code = json_get(v, STR("@language"));
    if (!text) COMPLAIN(r->p, r->e, r->prop, "langStringElementNoValue", "the text has no @value; add it");
    else if (text->type != JSON_STRING)
        COMPLAIN(r->p, r->e, r->prop, "langStringElementValueNotString", "@value must be a string");
    else if (code && code->type != JSON_STRING)
        COMPLAIN(r->p, r->e, r->prop, "langStringElementCodeNotString", "@language must be a string");
    else if (code && !lang_ok(code->s))
        COMPLAIN(r->p, r->e, r->prop, "langStringElementInvalidCode",
                 "\"%.*s\" is no language code such as en or en-US", STR_ARG(code->s));
    else lang_add(r, code ? code->s : STR("en"), text->s, "langStringElementCodeNotUnique");
}

void literal_langs(Parser *p, const Elem *e, const char *prop, const Json *v, int64_t len, Lang **out, int32_t *count) {
    LangReader r = {.p = p, .e = e, .prop = prop, .len = len};
    r.langs = NEW(p->arena, Lang, v->type == JSON_OBJECT || v->type == JSON_ARRAY ? v->count + 1 : 1);
    if (v->type == JSON_STRING) lang_add(&r, STR("en"), v->s, "langStringCodeNotUnique");
    else if (v->type == JSON_OBJECT) lang_map(&r, v);
    else if (v->type == JSON_ARRAY)
        for (int32_t i = 0; i < v->count; i++) lang_item(&r, &v->items[i]);
    else if (v->type == JSON_NULL)
        COMPLAIN(p, e, prop, "propertyValueNull", "the value is null; give a text or remove the property");
    else
        COMPLAIN(p, e, prop, "langStringNotLangString", "a text is a string, a map of languages or an array, got %s",
                 json_type_name(v->type));
    *out = r.langs;
    *count = r.count;
}
