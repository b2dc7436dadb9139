// SPDX-License-Identifier: Apache-2.0
// Values of Sparkplug B: what a field of the wire means as a data type, and back.
#include <math.h>
#include "base/check.h"
#include "base/time.h"
#include "codec/sparkplug.h"

#define NAME_MAX_BYTES 64
#define MS_MAX (INT64_MAX / NS_PER_MS)

// The value fields that all parts share, in the order of the wire.
typedef enum RawKind { RAW_NONE, RAW_INT, RAW_LONG, RAW_FLOAT, RAW_DOUBLE, RAW_BOOL, RAW_TEXT, RAW_BYTES } RawKind;
typedef struct Raw {
    RawKind kind;
    union {
        uint32_t u32;
        uint64_t u64;
        float f;
        double d;
        protobuf_c_boolean b;
        ProtobufCBinaryData s;
    };
} Raw;

// which: 1 for int_value, and so on; 0 or beyond: nothing we read here. The unions of the wire structs lie alike.
static Raw raw_of(int which, const void *value) {
    Raw r = {.kind = which >= RAW_INT && which <= RAW_BYTES ? (RawKind)which : RAW_NONE};
    switch (r.kind) {
    case RAW_INT: memcpy(&r.u32, value, sizeof r.u32); break;
    case RAW_LONG: memcpy(&r.u64, value, sizeof r.u64); break;
    case RAW_FLOAT: memcpy(&r.f, value, sizeof r.f); break;
    case RAW_DOUBLE: memcpy(&r.d, value, sizeof r.d); break;
    case RAW_BOOL: memcpy(&r.b, value, sizeof r.b); break;
    case RAW_TEXT:
    case RAW_BYTES: memcpy(&r.s, value, sizeof r.s); break;
    case RAW_NONE: break;
    }
    return r;
}

static Err bad(const char **why, const char *text) {
    if (why) *why = text;
    return ERR_VALIDATION;
}

// ---- scalars -------------------------------------------------------------------------------------------------------

// A signed number of `bits`, sent as two's complement of its own width or of the field's.
static Err signed_of(Raw r, int bits, SpValue *out, const char **why) {
    if (r.kind != RAW_INT && r.kind != RAW_LONG) return bad(why, "the type says integer, the value is none");
    int64_t v = r.kind == RAW_LONG ? (int64_t)r.u64 : bits == 64 ? (int64_t)r.u32 : (int64_t)(int32_t)r.u32;
    int64_t max = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - 1)) - 1;
    if (bits < 64 && v > max && v <= 2 * max + 1) v -= 2 * max + 2;
    if (v > max || v < -max - 1) return bad(why, "the number is beyond its type");
    *out = (SpValue){.form = SP_I64, .i = v};
    return ERR_OK;
}

static Err unsigned_of(Raw r, int bits, SpValue *out, const char **why) {
    if (r.kind != RAW_INT && r.kind != RAW_LONG) return bad(why, "the type says integer, the value is none");
    uint64_t v = r.kind == RAW_LONG ? r.u64 : r.u32;
    if (bits < 64 && v >> bits) return bad(why, "the number is beyond its type");
    *out = v > INT64_MAX ? (SpValue){.form = SP_U64, .u = v} : (SpValue){.form = SP_I64, .i = (int64_t)v};
    return ERR_OK;
}

static Err float_of(Raw r, SpValue *out, const char **why) {
    if (r.kind != RAW_FLOAT && r.kind != RAW_DOUBLE) return bad(why, "the type says floating point, the value is none");
    double d = r.kind == RAW_FLOAT ? (double)r.f : r.d;
    if (!isfinite(d)) return bad(why, "the number is not finite");
    *out = (SpValue){.form = SP_F64, .d = d};
    return ERR_OK;
}

static Err text_of(Raw r, SpValue *out, const char **why) {
    if (r.kind != RAW_TEXT) return bad(why, "the type says text, the value is none");
    Str s = sp_str(r.s);
    if (!str_utf8_ok(s)) return bad(why, "the text is no UTF-8");
    *out = (SpValue){.form = SP_STR, .s = s};
    return ERR_OK;
}

static Str print_ms(uint64_t ms, Arena *arena) {
    Buf b = {0};
    time_print((int64_t)ms * NS_PER_MS, 3, &b);
    Str s = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static Err date_of(Raw r, Arena *arena, SpValue *out, const char **why) {
    if (r.kind != RAW_LONG && r.kind != RAW_INT) return bad(why, "the type says time, the value is none");
    uint64_t ms = r.kind == RAW_LONG ? r.u64 : r.u32;
    if (ms > (uint64_t)MS_MAX) return bad(why, "the time is beyond the year 2262");
    *out = (SpValue){.form = SP_STR, .s = print_ms(ms, arena)};
    return ERR_OK;
}

static Err scalar_of(Raw r, uint32_t type, Arena *arena, SpValue *out, const char **why) {
    switch (type) {
    case SP_INT8: return signed_of(r, 8, out, why);
    case SP_INT16: return signed_of(r, 16, out, why);
    case SP_INT32: return signed_of(r, 32, out, why);
    case SP_INT64: return signed_of(r, 64, out, why);
    case SP_UINT8: return unsigned_of(r, 8, out, why);
    case SP_UINT16: return unsigned_of(r, 16, out, why);
    case SP_UINT32: return unsigned_of(r, 32, out, why);
    case SP_UINT64: return unsigned_of(r, 64, out, why);
    case SP_FLOAT:
    case SP_DOUBLE: return float_of(r, out, why);
    case SP_BOOLEAN:
        if (r.kind != RAW_BOOL) return bad(why, "the type says Boolean, the value is none");
        *out = (SpValue){.form = SP_BOOL, .b = r.b != 0};
        return ERR_OK;
    case SP_STRING:
    case SP_TEXT:
    case SP_UUID: return text_of(r, out, why);
    case SP_DATETIME: return date_of(r, arena, out, why);
    default: return bad(why, "a value of an unknown data type");
    }
}

// ---- base64 (RFC 4648) ---------------------------------------------------------------------------------------------

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static Str to_base64(Str s, Arena *arena) {
    char *out = NEW(arena, char, (s.n + 2) / 3 * 4 + 1);
    const uint8_t *p = (const uint8_t *)s.p;
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i += 3) {
        uint32_t left = (uint32_t)(s.n - i);
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        out[n++] = digits64[v >> 18];
        out[n++] = digits64[v >> 12 & 63];
        out[n++] = left > 1 ? digits64[v >> 6 & 63] : '=';
        out[n++] = left > 2 ? digits64[v & 63] : '=';
    }
    return (Str){out, n};
}

static bool from_base64(Str s, Arena *arena, Str *out) {
    if (s.n % 4) return false;
    uint8_t *to = NEW(arena, uint8_t, s.n / 4 * 3 + 1);
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i += 4) {
        uint32_t v = 0, pad = 0;
        for (int k = 0; k < 4; k++) {
            const char c = s.p[i + k];
            const char *at = c && c != '=' ? strchr(digits64, c) : NULL;
            if (!at && !(c == '=' && i + 4 == s.n && k >= 2)) return false;
            if (at && pad) return false;
            pad += !at;
            v = v << 6 | (at ? (uint32_t)(at - digits64) : 0);
        }
        to[n++] = (uint8_t)(v >> 16);
        if (pad < 2) to[n++] = (uint8_t)(v >> 8);
        if (pad < 1) to[n++] = (uint8_t)v;
    }
    *out = (Str){(const char *)to, n};
    return true;
}

// ---- arrays --------------------------------------------------------------------------------------------------------

static int element_size(uint32_t type) {
    switch (type) {
    case SP_INT8ARRAY:
    case SP_UINT8ARRAY: return 1;
    case SP_INT16ARRAY:
    case SP_UINT16ARRAY: return 2;
    case SP_INT32ARRAY:
    case SP_UINT32ARRAY:
    case SP_FLOATARRAY: return 4;
    default: return 8;
    }
}

static uint32_t element_type(uint32_t type) {
    if (type <= SP_UINT64ARRAY) return type - SP_INT8ARRAY + SP_INT8;
    return type == SP_FLOATARRAY     ? SP_FLOAT
           : type == SP_DOUBLEARRAY  ? SP_DOUBLE
           : type == SP_BOOLEANARRAY ? SP_BOOLEAN
           : type == SP_STRINGARRAY  ? SP_STRING
                                     : SP_DATETIME;
}

static uint64_t little(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void put_little(Buf *b, uint64_t v, int n) {
    for (int i = 0; i < n; i++) buf_byte(b, (char)(v >> (8 * i)));
}

// Numbers and times of a fixed size, little-endian.
static Err fixed_array(Str s, uint32_t type, Arena *arena, Buf *b, const char **why) {
    int size = element_size(type);
    if (s.n % size) return bad(why, "an array whose bytes are no whole number of elements");
    for (int64_t at = 0; at < s.n; at += size) {
        uint64_t bits = little((const uint8_t *)s.p + at, size);
        Raw r = {.kind = size == 8 ? RAW_LONG : RAW_INT};
        SpValue v;
        if (size == 8) r.u64 = bits;
        else r.u32 = (uint32_t)bits;
        if (type == SP_FLOATARRAY) r.kind = RAW_FLOAT; // the same bits
        if (type == SP_DOUBLEARRAY) r.kind = RAW_DOUBLE;
        TRY(scalar_of(r, element_type(type), arena, &v, why));
        if (at) buf_byte(b, ',');
        sparkplug_put_json(&v, b);
    }
    return ERR_OK;
}

// A count of four bytes, then a bit each, the first in the highest of a byte.
static Err bool_array(Str s, Buf *b, const char **why) {
    if (s.n < 4) return bad(why, "an array of Booleans without its count");
    uint64_t count = little((const uint8_t *)s.p, 4);
    if ((count + 7) / 8 != (uint64_t)(s.n - 4)) return bad(why, "an array of Booleans with a wrong count");
    for (uint64_t i = 0; i < count; i++) {
        if (i) buf_byte(b, ',');
        buf_str_put(b, (uint8_t)s.p[4 + i / 8] >> (7 - i % 8) & 1 ? STR("true") : STR("false"));
    }
    return ERR_OK;
}

// Texts, each ended by a zero byte.
static Err text_array(Str s, Buf *b, const char **why) {
    if (s.n && s.p[s.n - 1] != 0) return bad(why, "an array of texts that is cut");
    if (!str_utf8_ok(s)) return bad(why, "the text is no UTF-8");
    for (int64_t at = 0; at < s.n;) {
        int64_t end = str_find(s, 0, at);
        if (at) buf_byte(b, ',');
        json_put_str(b, str_sub(s, at, end));
        at = end + 1;
    }
    return ERR_OK;
}

static Err array_json(Str s, uint32_t type, Arena *arena, Buf *b, const char **why) {
    buf_byte(b, '[');
    if (type == SP_BOOLEANARRAY) TRY(bool_array(s, b, why));
    else if (type == SP_STRINGARRAY) TRY(text_array(s, b, why));
    else TRY(fixed_array(s, type, arena, b, why));
    buf_byte(b, ']');
    return ERR_OK;
}

// ---- documents -----------------------------------------------------------------------------------------------------

static void put_key(Buf *b, Str name, bool *first) {
    if (!*first) buf_byte(b, ',');
    *first = false;
    buf_byte(b, '"');
    sparkplug_name(name, b);
    buf_put(b, "\":", 2);
}

static Err row_json(const SpDataSet *s, const Sp__Row *row, Arena *arena, Buf *b, const char **why) {
    bool first = true;
    if (row->n_elements != s->n_columns) return bad(why, "a row of a data set with more or fewer values than columns");
    buf_byte(b, '{');
    for (size_t c = 0; c < s->n_columns; c++) {
        const Sp__DataSetValue *e = row->elements[c];
        SpValue v;
        if (e->value_case == SP__DATA_SET_VALUE__VALUE__NOT_SET) continue; // null: the member is missing
        TRY(scalar_of(raw_of((int)e->value_case, &e->int_value), s->types[c], arena, &v, why));
        put_key(b, sp_str(s->columns[c]), &first);
        sparkplug_put_json(&v, b);
    }
    buf_byte(b, '}');
    return ERR_OK;
}

static Err dataset_json(const SpDataSet *s, Arena *arena, Buf *b, const char **why) {
    if (s->n_columns != s->n_types) return bad(why, "a data set with more or fewer types than columns");
    if (s->has_num_of_columns && s->num_of_columns != s->n_columns)
        return bad(why, "a data set with another number of columns than it says");
    buf_byte(b, '[');
    for (size_t r = 0; r < s->n_rows; r++) {
        if (r) buf_byte(b, ',');
        TRY(row_json(s, s->rows[r], arena, b, why));
    }
    buf_byte(b, ']');
    return ERR_OK;
}

static Err parameters_json(const SpTemplate *t, Arena *arena, Buf *b, bool *first, const char **why) {
    bool inner = true;
    if (t->n_parameters == 0) return ERR_OK;
    put_key(b, STR("parameters"), first);
    buf_byte(b, '{');
    for (size_t i = 0; i < t->n_parameters; i++) {
        SpValue v;
        TRY(sparkplug_parameter(t->parameters[i], &v, arena, why));
        if (v.form == SP_NULL) continue;
        put_key(b, sp_str(t->parameters[i]->name), &inner);
        sparkplug_put_json(&v, b);
    }
    buf_byte(b, '}');
    return ERR_OK;
}

static Err template_json(const SpTemplate *t, Arena *arena, Buf *b, const char **why) {
    bool first = true;
    buf_byte(b, '{');
    for (size_t i = 0; i < t->n_metrics; i++) {
        SpValue v;
        TRY(sparkplug_value(t->metrics[i], t->metrics[i]->datatype, arena, &v, why));
        if (v.form == SP_NULL) continue;
        put_key(b, sp_str(t->metrics[i]->name), &first);
        sparkplug_put_json(&v, b);
    }
    if (t->has_template_ref) put_key(b, STR("templateRef"), &first), json_put_str(b, sp_str(t->template_ref));
    if (t->has_version) put_key(b, STR("version"), &first), json_put_str(b, sp_str(t->version));
    TRY(parameters_json(t, arena, b, &first, why));
    buf_byte(b, '}');
    return ERR_OK;
}

static Err set_json(const SpPropertySet *s, Arena *arena, Buf *b, const char **why) {
    bool first = true;
    if (s->n_keys != s->n_values) return bad(why, "a property set with more or fewer keys than values");
    buf_byte(b, '{');
    for (size_t i = 0; i < s->n_keys; i++) {
        SpValue v;
        TRY(sparkplug_property(s->values[i], &v, arena, why));
        if (v.form == SP_NULL) continue;
        put_key(b, sp_str(s->keys[i]), &first);
        sparkplug_put_json(&v, b);
    }
    buf_byte(b, '}');
    return ERR_OK;
}

static Err sets_json(const Sp__PropertySetList *l, Arena *arena, Buf *b, const char **why) {
    buf_byte(b, '[');
    for (size_t i = 0; i < l->n_propertyset; i++) {
        if (i) buf_byte(b, ',');
        TRY(set_json(l->propertyset[i], arena, b, why));
    }
    buf_byte(b, ']');
    return ERR_OK;
}

// ---- a value -------------------------------------------------------------------------------------------------------

// What was printed, moved into the arena; frees b.
static Err take_json(Err e, Buf *b, Arena *arena, SpValue *out, const char **why) {
    if (e == ERR_OK && b->full) e = bad(why, "the document is too large");
    if (e == ERR_OK) *out = (SpValue){.form = SP_JSON, .s = arena_str(arena, buf_str(b))};
    buf_free(b);
    return e;
}

Err sparkplug_value(const SpMetric *m, uint32_t type, Arena *arena, SpValue *out, const char **why) {
    Buf b = {0};
    if ((m->has_is_null && m->is_null) || m->value_case == SP__METRIC__VALUE__NOT_SET)
        return *out = (SpValue){.form = SP_NULL}, ERR_OK;
    if (type >= SP_INT8 && type <= SP_UUID)
        return scalar_of(raw_of((int)m->value_case - SP__METRIC__VALUE_INT_VALUE + 1, &m->int_value), type, arena, out,
                         why);
    bool bytes = m->value_case == SP__METRIC__VALUE_BYTES_VALUE;
    switch (type) {
    case SP_BYTES:
    case SP_FILE:
        if (!bytes) return bad(why, "the type says bytes, the value is none");
        *out = (SpValue){.form = SP_STR, .s = to_base64(sp_str(m->bytes_value), arena)};
        return ERR_OK;
    case SP_DATASET:
        if (m->value_case != SP__METRIC__VALUE_DATASET_VALUE)
            return bad(why, "the type says data set, the value is none");
        return take_json(dataset_json(m->dataset_value, arena, &b, why), &b, arena, out, why);
    case SP_TEMPLATE:
        if (m->value_case != SP__METRIC__VALUE_TEMPLATE_VALUE)
            return bad(why, "the type says template, the value is none");
        return take_json(template_json(m->template_value, arena, &b, why), &b, arena, out, why);
    default: break;
    }
    if (type < SP_INT8ARRAY || type >= SP_TYPE_COUNT) return bad(why, "a value of an unknown data type");
    if (!bytes) return bad(why, "the type says array, the value is none");
    return take_json(array_json(sp_str(m->bytes_value), type, arena, &b, why), &b, arena, out, why);
}

Err sparkplug_parameter(const SpParameter *p, SpValue *out, Arena *arena, const char **why) {
    if (p->value_case == SP__PARAMETER__VALUE__NOT_SET) return *out = (SpValue){.form = SP_NULL}, ERR_OK;
    Raw r = raw_of((int)p->value_case - SP__PARAMETER__VALUE_INT_VALUE + 1, &p->int_value);
    return scalar_of(r, p->type, arena, out, why);
}

Err sparkplug_property(const SpPropertyValue *p, SpValue *out, Arena *arena, const char **why) {
    Buf b = {0};
    if ((p->has_is_null && p->is_null) || p->value_case == SP__PROPERTY_VALUE__VALUE__NOT_SET)
        return *out = (SpValue){.form = SP_NULL}, ERR_OK;
    if (p->value_case == SP__PROPERTY_VALUE__VALUE_PROPERTYSET_VALUE)
        return take_json(set_json(p->propertyset_value, arena, &b, why), &b, arena, out, why);
    if (p->value_case == SP__PROPERTY_VALUE__VALUE_PROPERTYSETS_VALUE)
        return take_json(sets_json(p->propertysets_value, arena, &b, why), &b, arena, out, why);
    Raw r = raw_of((int)p->value_case - SP__PROPERTY_VALUE__VALUE_INT_VALUE + 1, &p->int_value);
    return scalar_of(r, p->type, arena, out, why);
}

void sparkplug_put_json(const SpValue *v, Buf *out) {
    switch (v->form) {
    case SP_NULL: buf_put(out, "null", 4); break;
    case SP_BOOL: buf_str_put(out, v->b ? STR("true") : STR("false")); break;
    case SP_I64: json_put_i64(out, v->i); break;
    case SP_U64: buf_printf(out, "%llu", (unsigned long long)v->u); break;
    case SP_F64: json_put_f64(out, v->d); break;
    case SP_STR: json_put_str(out, v->s); break;
    case SP_JSON: buf_str_put(out, v->s); break;
    }
}

void sparkplug_name(Str name, Buf *out) {
    int64_t from = out->n;
    for (int64_t i = 0; i < name.n && out->n - from < NAME_MAX_BYTES; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
        if (out->n == from && !letter) buf_byte(out, 'x');
        if (((uint8_t)c & 0xc0) == 0x80) continue; // one '_' for a character beyond ASCII
        if (out->n - from < NAME_MAX_BYTES) buf_byte(out, letter || digit ? c : '_');
    }
    if (out->n == from) buf_byte(out, 'x');
    while (out->n - from > 1 && out->p[out->n - 1] == '_') out->n--; // DTDL: not at the end
}

// ---- values from JSON ----------------------------------------------------------------------------------------------

// An integer of `type` as JSON gives it; U64 above INT64_MAX from the text of the number.
static bool json_integer(const Json *v, uint32_t type, uint64_t *out) {
    static const int8_t bits[] = {[SP_INT8] = 8,  [SP_INT16] = 16,  [SP_INT32] = 32,  [SP_INT64] = 64,
                                  [SP_UINT8] = 8, [SP_UINT16] = 16, [SP_UINT32] = 32, [SP_UINT64] = 64};
    int n = bits[type];
    int64_t i = v->i;
    if (v->type == JSON_DOUBLE) {
        if (v->d != floor(v->d) || v->d < -9.3e18 || v->d > 1.85e19) return false;
        if (type == SP_UINT64 && v->d >= 9223372036854775808.0) {
            uint64_t u = 0;
            for (int64_t k = 0; k < v->raw.n; k++) {
                if (v->raw.p[k] < '0' || v->raw.p[k] > '9') return false;
                if (__builtin_mul_overflow(u, 10u, &u)) return false;
                if (__builtin_add_overflow(u, (unsigned)(v->raw.p[k] - '0'), &u)) return false;
            }
            return *out = u, true;
        }
        if (v->d >= 9223372036854775808.0 || v->d < -9223372036854775808.0) return false;
        i = (int64_t)v->d;
    } else if (v->type != JSON_INT) {
        return false;
    }
    bool is_signed = type <= SP_INT64;
    if (is_signed && n < 64 && (i > ((int64_t)1 << (n - 1)) - 1 || i < -((int64_t)1 << (n - 1)))) return false;
    if (!is_signed && (i < 0 || (n < 64 && i >> n))) return false;
    *out = (uint64_t)i;
    return true;
}

// The bits of a scalar, for fields and arrays alike.
static Err json_bits(const Json *v, uint32_t type, uint64_t *out, const char **why) {
    int64_t ns;
    if (type >= SP_INT8 && type <= SP_UINT64)
        return json_integer(v, type, out) ? ERR_OK : bad(why, "not a whole number within the metric's type");
    if (type == SP_FLOAT || type == SP_DOUBLE) {
        if (!json_is_number(v)) return bad(why, "the metric wants a number");
        double d = json_f64(v);
        float f = (float)d;
        *out = 0;
        if (type == SP_FLOAT && !isfinite(f)) return bad(why, "the number is beyond the metric's type");
        memcpy(out, type == SP_FLOAT ? (const void *)&f : (const void *)&d, type == SP_FLOAT ? 4 : 8);
        return ERR_OK;
    }
    if (type == SP_BOOLEAN) {
        if (!json_is_bool(v)) return bad(why, "the metric wants true or false");
        return *out = v->type == JSON_TRUE, ERR_OK;
    }
    if (v->type == JSON_INT && v->i >= 0) return *out = (uint64_t)v->i, ERR_OK; // DateTime in ms
    if (v->type != JSON_STRING || !time_parse(v->s, &ns) || ns < 0)
        return bad(why, "the metric wants a time since 1970, in RFC 3339 or milliseconds");
    return *out = (uint64_t)(ns / NS_PER_MS), ERR_OK;
}

static Err set_array(SpMetric *m, uint32_t type, const Json *v, Buf *b, const char **why) {
    if (v->type != JSON_ARRAY) return bad(why, "the metric wants an array");
    uint8_t byte = 0;
    if (type == SP_BOOLEANARRAY) put_little(b, (uint64_t)v->count, 4);
    for (int32_t i = 0; i < v->count; i++) {
        const Json *e = &v->items[i];
        uint64_t bits = 0;
        if (type == SP_STRINGARRAY) {
            if (e->type != JSON_STRING || str_find(e->s, 0, 0) >= 0)
                return bad(why, "the metric wants texts without zero bytes");
            buf_str_put(b, e->s);
            buf_byte(b, 0);
            continue;
        }
        TRY(json_bits(e, element_type(type), &bits, why));
        if (type != SP_BOOLEANARRAY) {
            put_little(b, bits, element_size(type));
            continue;
        }
        byte = (uint8_t)(byte | bits << (7 - i % 8));
        if (i % 8 == 7 || i + 1 == v->count) buf_byte(b, (char)byte), byte = 0;
    }
    m->value_case = SP__METRIC__VALUE_BYTES_VALUE;
    return b->full ? bad(why, "the array is too large") : ERR_OK;
}

static Err set_scalar(SpMetric *m, uint32_t type, const Json *v, const char **why) {
    uint64_t bits;
    TRY(json_bits(v, type, &bits, why));
    if (type == SP_FLOAT) m->value_case = SP__METRIC__VALUE_FLOAT_VALUE, memcpy(&m->float_value, &bits, 4);
    else if (type == SP_DOUBLE) m->value_case = SP__METRIC__VALUE_DOUBLE_VALUE, memcpy(&m->double_value, &bits, 8);
    else if (type == SP_BOOLEAN) m->value_case = SP__METRIC__VALUE_BOOLEAN_VALUE, m->boolean_value = bits != 0;
    else if (type == SP_INT64 || type == SP_UINT64 || type == SP_DATETIME)
        m->value_case = SP__METRIC__VALUE_LONG_VALUE, m->long_value = bits;
    else m->value_case = SP__METRIC__VALUE_INT_VALUE, m->int_value = (uint32_t)bits;
    return ERR_OK;
}

Err sparkplug_set(SpMetric *m, uint32_t type, const Json *v, Arena *arena, const char **why) {
    m->has_datatype = true, m->datatype = type;
    if (v->type == JSON_NULL) return m->has_is_null = m->is_null = true, ERR_OK;
    if (type == SP_STRING || type == SP_TEXT || type == SP_UUID) {
        if (v->type != JSON_STRING) return bad(why, "the metric wants a text");
        m->value_case = SP__METRIC__VALUE_STRING_VALUE;
        m->string_value = sp_bytes(v->s);
        return ERR_OK;
    }
    if (type == SP_BYTES || type == SP_FILE) {
        Str bytes;
        if (v->type != JSON_STRING || !from_base64(v->s, arena, &bytes)) return bad(why, "the metric wants base64");
        m->value_case = SP__METRIC__VALUE_BYTES_VALUE;
        m->bytes_value = sp_bytes(bytes);
        return ERR_OK;
    }
    if (type >= SP_INT8 && type <= SP_DATETIME) return set_scalar(m, type, v, why);
    if (type < SP_INT8ARRAY || type >= SP_TYPE_COUNT) {
        if (why) *why = "metrics of this data type cannot be written";
        return ERR_UNSUPPORTED;
    }
    Buf b = {0};
    Err e = set_array(m, type, v, &b, why);
    m->bytes_value = sp_bytes(arena_str(arena, buf_str(&b)));
    buf_free(&b);
    return e;
}

// ---- for people ----------------------------------------------------------------------------------------------------

static void print_metric(const SpMetric *m, Arena *arena, Buf *out) {
    SpValue v;
    const char *why = NULL;
    buf_byte(out, '{');
    if (m->has_name) buf_put(out, "\"name\":", 7), json_put_str(out, sp_str(m->name)), buf_byte(out, ',');
    if (m->has_alias) buf_printf(out, "\"alias\":%llu,", (unsigned long long)m->alias);
    if (m->has_datatype) buf_printf(out, "\"type\":\"%s\",", sparkplug_type_name(m->datatype));
    if (m->has_timestamp) buf_printf(out, "\"timestamp\":%llu,", (unsigned long long)m->timestamp);
    if (m->has_is_historical && m->is_historical) buf_str_put(out, STR("\"historical\":true,"));
    if (m->has_is_transient && m->is_transient) buf_str_put(out, STR("\"transient\":true,"));
    uint32_t type = m->datatype;
    if (!m->has_datatype) { // as the field itself tells
        static const uint8_t of_field[] = {SP_INT32,  SP_INT64, SP_FLOAT,   SP_DOUBLE,  SP_BOOLEAN,
                                           SP_STRING, SP_BYTES, SP_DATASET, SP_TEMPLATE};
        if (m->value_case) type = of_field[m->value_case - SP__METRIC__VALUE_INT_VALUE];
    }
    if (sparkplug_value(m, type, arena, &v, &why) != ERR_OK) {
        buf_printf(out, "\"error\":\"%s\",", why);
        v.form = SP_NULL;
    }
    buf_put(out, "\"value\":", 8);
    sparkplug_put_json(&v, out);
    if (m->properties) {
        Buf b = {0};
        if (set_json(m->properties, arena, &b, &why) == ERR_OK)
            buf_put(out, ",\"properties\":", 14), buf_str_put(out, buf_str(&b));
        buf_free(&b);
    }
    buf_byte(out, '}');
}

void sparkplug_print(const SpPayload *p, Arena *arena, Buf *out) {
    buf_byte(out, '{');
    if (p->has_timestamp) buf_printf(out, "\"timestamp\":%llu,", (unsigned long long)p->timestamp);
    if (p->has_seq) buf_printf(out, "\"seq\":%llu,", (unsigned long long)p->seq);
    if (p->has_uuid) buf_put(out, "\"uuid\":", 7), json_put_str(out, sp_str(p->uuid)), buf_byte(out, ',');
    buf_put(out, "\"metrics\":[", 11);
    for (size_t i = 0; i < p->n_metrics; i++) {
        if (i) buf_byte(out, ',');
        print_metric(p->metrics[i], arena, out);
    }
    buf_put(out, "]}", 2);
}
