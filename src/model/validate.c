// SPDX-License-Identifier: Apache-2.0
// Values against types. The path grows on the way down in a Buf on the caller's side and is cut on the way back.
#include <math.h>
#include <stdio.h>
#include "model/dtmi.h"
#include "model/schema.h"
#include "model/text.h"

#define DEPTH_MAX 512

typedef struct Checker {
    Buf path;
    Diag *d;
    int depth;
} Checker;

static Err check(Checker *c, const Type *t, const Json *v);

__attribute__((format(printf, 3, 4))) static Err wrong(Checker *c, const Json *v, const char *fmt, ...) {
    if (!c->d) return ERR_VALIDATION;
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    int64_t at = v ? v->at : -1;
    (void)diag_add(c->d, ERR_VALIDATION, at, v ? at + v->raw.n : -1, buf_str(&c->path), "%.*s",
                   STR_ARG(buf_str(&text)));
    buf_free(&text);
    return ERR_VALIDATION;
}

// The start of a value for a message: at most 40 bytes, not cutting a character.
static Str glimpse(Str raw) {
    if (raw.n <= 40) return raw;
    int64_t n = 40;
    while (n > 0 && ((uint8_t)raw.p[n] & 0xC0) == 0x80) n--;
    return str_sub(raw, 0, n);
}

static const char *dots(Str raw) { return raw.n > 40 ? "..." : ""; }

static Err expected(Checker *c, const char *what, const Json *v) {
    if (v->type == JSON_NULL) return wrong(c, v, "expected %s, got null", what);
    if (v->type == JSON_ARRAY || v->type == JSON_OBJECT)
        return wrong(c, v, "expected %s, got %s", what, json_type_name(v->type));
    Str g = glimpse(v->raw);
    return wrong(c, v, "expected %s, got %s %.*s%s", what,
                 json_is_bool(v)     ? "boolean"
                 : json_is_number(v) ? "number"
                                     : "string",
                 STR_ARG(g), dots(v->raw));
}

// ---- numbers ----

// Signed shapes: inclusive range. ULONG is apart.
static void int_range(Shape s, int64_t *min, int64_t *max) {
    switch (s) {
    case SHAPE_BYTE:
        *min = INT8_MIN;
        *max = INT8_MAX;
        return;
    case SHAPE_SHORT:
        *min = INT16_MIN;
        *max = INT16_MAX;
        return;
    case SHAPE_INTEGER:
        *min = INT32_MIN;
        *max = INT32_MAX;
        return;
    case SHAPE_UBYTE:
        *min = 0;
        *max = UINT8_MAX;
        return;
    case SHAPE_USHORT:
        *min = 0;
        *max = UINT16_MAX;
        return;
    case SHAPE_UINTEGER:
        *min = 0;
        *max = UINT32_MAX;
        return;
    case SHAPE_ULONG:
        *min = 0;
        *max = INT64_MAX;
        return;
    default:
        *min = INT64_MIN;
        *max = INT64_MAX;
        return;
    }
}

// All digits, and at most 18446744073709551615.
static bool u64_text(Str s) {
    static const char MAX[] = "18446744073709551615";
    if (s.n < 1 || s.n > 20 || (s.p[0] == '0' && s.n > 1)) return false;
    for (int64_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n < 20 || memcmp(s.p, MAX, 20) <= 0;
}

static bool is_unsigned(Shape s) { return s >= SHAPE_UBYTE && s <= SHAPE_ULONG; }

static Err check_integer(Checker *c, const Type *t, const Json *v) {
    int64_t min, max;
    int_range(t->shape, &min, &max);
    bool minus = v->raw.n > 0 && v->raw.p[0] == '-';
    if (v->type == JSON_INT && v->i >= min && v->i <= max && !(minus && is_unsigned(t->shape))) return ERR_OK;
    if (v->type == JSON_DOUBLE && t->shape == SHAPE_ULONG && u64_text(v->raw)) return ERR_OK;
    if (v->type == JSON_INT && minus && is_unsigned(t->shape))
        return wrong(c, v, "expected %.*s, which has no sign, got %.*s", STR_ARG(t->name), STR_ARG(v->raw));
    if (v->type == JSON_INT)
        return wrong(c, v, "%.*s is outside the range of %.*s, %lld to %lld", STR_ARG(v->raw), STR_ARG(t->name),
                     (long long)min, (long long)max);
    if (v->type == JSON_DOUBLE) {
        Str g = glimpse(v->raw);
        return wrong(c, v, "expected %.*s without a fraction and within range, got %.*s%s", STR_ARG(t->name),
                     STR_ARG(g), dots(v->raw));
    }
    return expected(c, t->name.p, v);
}

static Err check_float(Checker *c, const Type *t, const Json *v) {
    if (!json_is_number(v)) return expected(c, t->name.p, v);
    double d = json_f64(v);
    if (isfinite(d) && (t->shape == SHAPE_DOUBLE || isfinite((float)d))) return ERR_OK;
    return wrong(c, v, "%.*s is outside the range of %.*s", STR_ARG(glimpse(v->raw)), STR_ARG(t->name));
}

// ---- texts ----

static bool text_ok(Shape shape, Str s) {
    switch (shape) {
    case SHAPE_DECIMAL: return decimal_ok(s);
    case SHAPE_BYTES: return base64_ok(s);
    case SHAPE_UUID: return uuid_ok(s);
    case SHAPE_DATE: return date_ok(s);
    case SHAPE_TIME: return time_of_day_ok(s);
    case SHAPE_DATETIME: return date_time_ok(s);
    case SHAPE_DURATION: return duration_ok(s);
    default: return true;
    }
}

static const char *text_like(Shape shape) {
    switch (shape) {
    case SHAPE_DECIMAL: return "a decimal number in a string such as \"12.50\"";
    case SHAPE_BYTES: return "base64 with padding";
    case SHAPE_UUID: return "a UUID such as \"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"";
    case SHAPE_DATE: return "a date such as \"2024-02-29\"";
    case SHAPE_TIME: return "a time such as \"08:30:00Z\"";
    case SHAPE_DATETIME: return "a date and time such as \"2024-02-29T08:30:00Z\"";
    case SHAPE_DURATION: return "a duration such as \"PT5M\"";
    default: return "string";
    }
}

static Err check_text(Checker *c, const Type *t, const Json *v) {
    if (v->type != JSON_STRING || !text_ok(t->shape, v->s)) return expected(c, text_like(t->shape), v);
    return ERR_OK;
}

// The values of an enum for a message; long lists are cut.
static void put_values(Buf *b, const Type *t) {
    for (int32_t i = 0; i < t->value_count && i < 10; i++) {
        if (i) buf_printf(b, ", ");
        if (t->value_is_int) buf_printf(b, "%lld", (long long)t->values[i].num);
        else buf_printf(b, "\"%.*s\"", STR_ARG(t->values[i].text));
    }
    if (t->value_count > 10) buf_printf(b, ", ... (%d values)", (int)t->value_count);
}

static Err check_enum(Checker *c, const Type *t, const Json *v) {
    for (int32_t i = 0; i < t->value_count; i++) {
        if (t->value_is_int && v->type == JSON_INT && v->i == t->values[i].num) return ERR_OK;
        if (!t->value_is_int && v->type == JSON_STRING && str_eq(v->s, t->values[i].text)) return ERR_OK;
    }
    Buf b = {0};
    buf_printf(&b, "one of ");
    put_values(&b, t);
    buf_byte(&b, 0);
    Err e = expected(c, b.p ? b.p : "an enum value", v);
    buf_free(&b);
    return e;
}

// ---- objects, maps, arrays ----

static const TypeField *find_field(const Type *t, Str name) {
    for (int32_t i = 0; i < t->field_count; i++)
        if (str_eq(t->fields[i].name, name)) return &t->fields[i];
    return NULL;
}

static Err check_at(Checker *c, Str step, const Type *t, const Json *v) {
    int64_t n = c->path.n;
    buf_byte(&c->path, '/');
    buf_str_put(&c->path, step);
    Err e = check(c, t, v);
    c->path.n = n;
    return e;
}

static Err check_object(Checker *c, const Type *t, const Json *v) {
    if (v->type != JSON_OBJECT) return expected(c, "object", v);
    if (v->dup) return wrong(c, v, "some key is given twice");
    int32_t required = 0;
    for (int32_t i = 0; i < v->count; i++) {
        const TypeField *f = find_field(t, v->members[i].key);
        if (!f) return wrong(c, v, "the object has no field \"%.*s\"", STR_ARG(glimpse(v->members[i].key)));
        TRY(check_at(c, f->name, f->type, &v->members[i].value));
        required += f->required;
    }
    for (int32_t i = 0; i < t->field_count; i++) required -= t->fields[i].required;
    for (int32_t i = 0; required < 0 && i < t->field_count; i++)
        if (t->fields[i].required && !json_get(v, t->fields[i].name))
            return wrong(c, v, "the required field \"%.*s\" is missing", STR_ARG(t->fields[i].name));
    return ERR_OK;
}

static Err check_map(Checker *c, const Type *t, const Json *v) {
    if (v->type != JSON_OBJECT) return expected(c, "map (an object)", v);
    if (v->dup) return wrong(c, v, "some key is given twice");
    for (int32_t i = 0; i < v->count; i++) TRY(check_at(c, v->members[i].key, t->item, &v->members[i].value));
    return ERR_OK;
}

static Err check_array(Checker *c, const Type *t, const Json *v) {
    if (v->type != JSON_ARRAY) return expected(c, "array", v);
    for (int32_t i = 0; i < v->count; i++) {
        char step[16];
        int n = snprintf(step, sizeof step, "%d", (int)i);
        TRY(check_at(c, (Str){step, n}, t->item, &v->items[i]));
    }
    return ERR_OK;
}

// ---- geometry ----

// Nested arrays `levels` deep around positions: arrays of 2 or 3 numbers.
static Err check_coordinates(Checker *c, const Json *v, int levels) {
    if (v->type != JSON_ARRAY) return expected(c, levels ? "array of coordinates" : "position [lon, lat]", v);
    if (levels == 0 && (v->count < 2 || v->count > 3))
        return wrong(c, v, "expected position [lon, lat] or [lon, lat, alt], got %d numbers", (int)v->count);
    for (int32_t i = 0; i < v->count; i++) {
        if (levels) TRY(check_coordinates(c, &v->items[i], levels - 1));
        else if (!json_is_number(&v->items[i])) return expected(c, "number in a position", &v->items[i]);
    }
    return ERR_OK;
}

static Err check_geo(Checker *c, const Type *t, const Json *v) {
    static const struct {
        const char *type;
        int levels;
    } KINDS[] = {[GEO_POINT] = {"Point", 0},
                 [GEO_LINESTRING] = {"LineString", 1},
                 [GEO_POLYGON] = {"Polygon", 2},
                 [GEO_MULTIPOINT] = {"MultiPoint", 1},
                 [GEO_MULTILINESTRING] = {"MultiLineString", 2},
                 [GEO_MULTIPOLYGON] = {"MultiPolygon", 3}};
    if (v->type != JSON_OBJECT) return expected(c, "GeoJSON object", v);
    for (int32_t i = 0; i < v->count; i++) {
        Str key = v->members[i].key;
        if (!str_eq(key, STR("type")) && !str_eq(key, STR("coordinates")))
            return wrong(c, v, "a geometry has type and coordinates only, got \"%.*s\"", STR_ARG(glimpse(key)));
    }
    const Json *type = json_get(v, STR("type")), *coordinates = json_get(v, STR("coordinates"));
    Str want = str_of(KINDS[t->geo].type);
    if (type && (type->type != JSON_STRING || !str_eq(type->s, want)))
        return wrong(c, type, "expected type \"%s\", got %.*s", KINDS[t->geo].type, STR_ARG(glimpse(type->raw)));
    return coordinates ? check_coordinates(c, coordinates, KINDS[t->geo].levels) : ERR_OK;
}

static Err check_any_of(Checker *c, const Type *t, const Json *v) {
    switch (t->shape) {
    case SHAPE_BOOL: return json_is_bool(v) ? ERR_OK : expected(c, "boolean", v);
    case SHAPE_BYTE:
    case SHAPE_SHORT:
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_UBYTE:
    case SHAPE_USHORT:
    case SHAPE_UINTEGER:
    case SHAPE_ULONG: return check_integer(c, t, v);
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: return check_float(c, t, v);
    case SHAPE_DECIMAL:
    case SHAPE_STRING:
    case SHAPE_BYTES:
    case SHAPE_UUID:
    case SHAPE_DATE:
    case SHAPE_TIME:
    case SHAPE_DATETIME:
    case SHAPE_DURATION: return check_text(c, t, v);
    case SHAPE_ENUM: return check_enum(c, t, v);
    case SHAPE_OBJECT: return check_object(c, t, v);
    case SHAPE_MAP: return check_map(c, t, v);
    case SHAPE_ARRAY: return check_array(c, t, v);
    case SHAPE_GEO: return check_geo(c, t, v);
    case SHAPE_ANY: return ERR_OK;
    }
    return ERR_OK;
}

static Err check(Checker *c, const Type *t, const Json *v) {
    if (c->depth >= DEPTH_MAX) return wrong(c, v, "nested too deep");
    c->depth++;
    Err e = check_any_of(c, t, v);
    c->depth--;
    return e;
}

Err type_check(const Type *t, const Json *v, Str path, Diag *d) {
    Checker c = {.d = d};
    buf_str_put(&c.path, path);
    Err e = check(&c, t, v);
    buf_free(&c.path);
    return e;
}

// The text as the JSON value a scalar shape would have been given as.
static bool as_json(Shape shape, Str text, Json *v) {
    int64_t i;
    *v = (Json){.at = -1, .raw = text};
    if (shape == SHAPE_BOOL) {
        bool yes = str_eq(text, STR("true"));
        v->type = yes ? JSON_TRUE : JSON_FALSE;
        return yes || str_eq(text, STR("false"));
    }
    if (shape > SHAPE_BOOL && shape <= SHAPE_DOUBLE) {
        v->type = JSON_INT;
        if (str_to_i64(text, &i) && text.p[0] != '+') {
            v->i = i;
            return true;
        }
        v->type = JSON_DOUBLE;
        return str_to_f64(text, &v->d);
    }
    v->type = JSON_STRING;
    v->s = text;
    return true;
}

Err type_check_text(const Type *t, Str text, Str path, Diag *d) {
    Checker c = {.d = d};
    buf_str_put(&c.path, path);
    Json v;
    Shape shape = t->shape;
    if (shape == SHAPE_ENUM) shape = t->value_is_int ? SHAPE_LONG : SHAPE_STRING;
    Err e;
    if (t->shape > SHAPE_ENUM) e = wrong(&c, NULL, "the property takes a JSON value, not a scalar");
    else if (!as_json(shape, text, &v))
        e = wrong(&c, NULL, "expected %.*s, got \"%.*s\"", STR_ARG(t->name), STR_ARG(glimpse(text)));
    else e = check(&c, t, &v);
    buf_free(&c.path);
    return e;
}
