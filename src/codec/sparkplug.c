// SPDX-License-Identifier: Apache-2.0
#include "codec/sparkplug.h"
#include "base/check.h"
#include "base/mem.h"

// What the library takes for each field it has seen, besides the structs (struct ScannedMember, twice as many in the
// worst case because it takes slabs of doubling size).
#define FIELD_COST 96

typedef ProtobufCMessageDescriptor Desc;
typedef ProtobufCFieldDescriptor Field;

static const char *const type_names[SP_TYPE_COUNT] = {"Unknown",      "Int8",
                                                      "Int16",        "Int32",
                                                      "Int64",        "UInt8",
                                                      "UInt16",       "UInt32",
                                                      "UInt64",       "Float",
                                                      "Double",       "Boolean",
                                                      "String",       "DateTime",
                                                      "Text",         "UUID",
                                                      "DataSet",      "Bytes",
                                                      "File",         "Template",
                                                      "PropertySet",  "PropertySetList",
                                                      "Int8Array",    "Int16Array",
                                                      "Int32Array",   "Int64Array",
                                                      "UInt8Array",   "UInt16Array",
                                                      "UInt32Array",  "UInt64Array",
                                                      "FloatArray",   "DoubleArray",
                                                      "BooleanArray", "StringArray",
                                                      "DateTimeArray"};

const char *sparkplug_type_name(uint32_t type) { return type < SP_TYPE_COUNT ? type_names[type] : ""; }

// ---- the walk before the library -----------------------------------------------------------------------------------

typedef struct Guard {
    const uint8_t *start;
    int64_t cost; // bytes the library will take
    Err err;
    const char *why;
    const uint8_t *at;
} Guard;

static bool fail(Guard *g, Err err, const char *why, const uint8_t *at) {
    if (g->err == ERR_OK) g->err = err, g->why = why, g->at = at;
    return false;
}

// A varint of at most ten bytes.
static bool varint(const uint8_t **p, const uint8_t *end, uint64_t *out) {
    uint64_t v = 0;
    for (int shift = 0; shift < 70 && *p < end; shift += 7) {
        uint8_t byte = *(*p)++;
        v |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 63);
        if (byte < 0x80) return *out = v, true;
    }
    return false;
}

// Move behind a field's value; [*from, *p) is what a field with a length holds.
static bool skip(Guard *g, const uint8_t **p, const uint8_t *end, uint32_t wire, const uint8_t **from) {
    uint64_t n = wire == 1 ? 8 : wire == 5 ? 4 : 0;
    if (wire == 0) {
        if (!varint(p, end, &n)) return fail(g, ERR_SYNTAX, "a number is cut", *p);
        return true;
    }
    if (wire != 1 && wire != 2 && wire != 5) return fail(g, ERR_SYNTAX, "a field of an unknown wire type", *p);
    if (wire == 2 && !varint(p, end, &n)) return fail(g, ERR_SYNTAX, "a length is cut", *p);
    if (n > (uint64_t)(end - *p)) return fail(g, ERR_SYNTAX, "a field is longer than what it is in", *p);
    *from = *p;
    *p += n;
    return true;
}

static bool nests(const Desc *d) {
    return d == &sp__template__descriptor || d == &sp__property_set__descriptor ||
           d == &sp__property_set_list__descriptor;
}

// Which wire type the library wants for a field; a repeated number may also be packed (2).
static uint32_t wire_of(const Field *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_FLOAT: return 5;
    case PROTOBUF_C_TYPE_DOUBLE: return 1;
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return 2;
    default: return 0;
    }
}

// Walk one message of a known kind; `depth` counts those that can nest without end.
static bool walk(Guard *g, const Desc *d, const uint8_t *p, const uint8_t *end, int depth) {
    uint64_t seen = 0;
    if (nests(d) && ++depth > SPARKPLUG_DEPTH_MAX) return fail(g, ERR_LIMIT, "templates are nested too deep", p);
    g->cost += (int64_t)d->sizeof_message + 16;
    while (p < end) {
        const uint8_t *at = p, *from = p;
        uint64_t tag;
        if (!varint(&p, end, &tag)) return fail(g, ERR_SYNTAX, "a tag is cut", at);
        if (tag > UINT32_MAX || tag >> 3 == 0) return fail(g, ERR_SYNTAX, "a field without a valid number", at);
        if (!skip(g, &p, end, tag & 7, &from)) return false;
        g->cost += FIELD_COST + (p - from);
        if (g->cost > SPARKPLUG_MEMORY_MAX) return fail(g, ERR_LIMIT, "the payload would take too much memory", at);
        const Field *f = protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> 3));
        if (!f) continue;
        bool packed = f->label == PROTOBUF_C_LABEL_REPEATED && wire_of(f) != 2 && (tag & 7) == 2;
        if (packed) g->cost += 8 * (p - from);
        if (!packed && (tag & 7) != wire_of(f)) return fail(g, ERR_SYNTAX, "a field of the wrong wire type", at);
        if (f->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        uint64_t bit = UINT64_C(1) << (f - d->fields);
        if (f->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit))
            return fail(g, ERR_SYNTAX, "a part occurs twice", at);
        seen |= bit;
        if (!walk(g, f->descriptor, from, p, depth)) return false;
    }
    return true;
}

// ---- memory of the library -----------------------------------------------------------------------------------------

typedef struct Budget {
    Arena *arena;
    int64_t left;
} Budget;

static void *budget_alloc(void *data, size_t size) {
    Budget *b = data;
    if (size > (uint64_t)b->left) return NULL;
    b->left -= (int64_t)size;
    return arena_alloc(b->arena, (int64_t)size, 1, 16);
}

static void budget_free(void *data, void *p) { (void)data, (void)p; }

// ---- payloads ------------------------------------------------------------------------------------------------------

Err sparkplug_decode(Str bytes, Arena *arena, const SpPayload **out, Diag *d) {
    Guard g = {.start = (const uint8_t *)(bytes.p ? bytes.p : "")};
    if (!walk(&g, &sp__payload__descriptor, g.start, g.start + bytes.n, 0))
        return diag_add(d, g.err, g.at - g.start, -1, STR(""), "no Sparkplug payload: %s", g.why);
    Budget budget = {arena, 2 * SPARKPLUG_MEMORY_MAX};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    const SpPayload *p = sp__payload__unpack(&allocator, (size_t)bytes.n, g.start);
    if (!p) return diag_add(d, ERR_SYNTAX, -1, -1, STR(""), "no Sparkplug payload");
    *out = p;
    return ERR_OK;
}

// Whether what will be written can be read again.
static bool fits_properties(const SpPropertySet *s, int depth) {
    if (!s) return true;
    if (++depth > SPARKPLUG_DEPTH_MAX) return false;
    for (size_t i = 0; i < s->n_values; i++) {
        const SpPropertyValue *v = s->values[i];
        if (v->value_case == SP__PROPERTY_VALUE__VALUE_PROPERTYSET_VALUE &&
            !fits_properties(v->propertyset_value, depth))
            return false;
        if (v->value_case != SP__PROPERTY_VALUE__VALUE_PROPERTYSETS_VALUE) continue;
        for (size_t k = 0; k < v->propertysets_value->n_propertyset; k++)
            if (!fits_properties(v->propertysets_value->propertyset[k], depth + 1)) return false;
    }
    return true;
}

static bool fits(SpMetric *const *metrics, size_t n, int depth) {
    for (size_t i = 0; i < n; i++) {
        const SpMetric *m = metrics[i];
        if (!fits_properties(m->properties, depth)) return false;
        if (m->value_case != SP__METRIC__VALUE_TEMPLATE_VALUE) continue;
        if (depth + 1 > SPARKPLUG_DEPTH_MAX) return false;
        if (!fits(m->template_value->metrics, m->template_value->n_metrics, depth + 1)) return false;
    }
    return true;
}

Err sparkplug_encode(const SpPayload *payload, Buf *out) {
    if (!fits(payload->metrics, payload->n_metrics, 0)) return ERR_LIMIT;
    int64_t n = (int64_t)sp__payload__get_packed_size(payload);
    if (!buf_reserve(out, n + 1)) return ERR_LIMIT;
    CHECK((int64_t)sp__payload__pack(payload, (uint8_t *)out->p + out->n) == n);
    out->n += n;
    return ERR_OK;
}

SpPayload *sparkplug_new(Arena *arena, int64_t count) {
    SpPayload *p = NEW(arena, SpPayload, 1);
    sp__payload__init(p);
    p->n_metrics = (size_t)count;
    p->metrics = NEW(arena, SpMetric *, count + 1);
    for (int64_t i = 0; i < count; i++) p->metrics[i] = sparkplug_new_metric(arena);
    return p;
}

SpMetric *sparkplug_new_metric(Arena *arena) {
    SpMetric *m = NEW(arena, SpMetric, 1);
    sp__metric__init(m);
    return m;
}

SpTemplate *sparkplug_new_template(Arena *arena, int64_t metrics) {
    SpTemplate *t = NEW(arena, SpTemplate, 1);
    sp__template__init(t);
    t->n_metrics = (size_t)metrics;
    t->metrics = NEW(arena, SpMetric *, metrics + 1);
    for (int64_t i = 0; i < metrics; i++) t->metrics[i] = sparkplug_new_metric(arena);
    return t;
}

SpDataSet *sparkplug_new_dataset(Arena *arena, int64_t columns, int64_t rows) {
    SpDataSet *s = NEW(arena, SpDataSet, 1);
    sp__data_set__init(s);
    s->has_num_of_columns = true, s->num_of_columns = (uint64_t)columns;
    s->n_columns = s->n_types = (size_t)columns;
    s->columns = NEW(arena, ProtobufCBinaryData, columns + 1);
    s->types = NEW(arena, uint32_t, columns + 1);
    s->n_rows = (size_t)rows;
    s->rows = NEW(arena, Sp__Row *, rows + 1);
    for (int64_t r = 0; r < rows; r++) {
        Sp__Row *row = s->rows[r] = NEW(arena, Sp__Row, 1);
        sp__row__init(row);
        row->n_elements = (size_t)columns;
        row->elements = NEW(arena, Sp__DataSetValue *, columns + 1);
        for (int64_t c = 0; c < columns; c++) {
            row->elements[c] = NEW(arena, Sp__DataSetValue, 1);
            sp__data_set_value__init(row->elements[c]);
        }
    }
    return s;
}
