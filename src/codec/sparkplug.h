// SPDX-License-Identifier: Apache-2.0
// Sparkplug B payloads (specification 3.0): bytes to structs and back by libprotobuf-c, and their values. Any thread;
// no state outside the arguments. What is decoded lives as long as the arena.
//
// The library recurses as deep as a message is nested and allocates as it is told to. So every payload is walked once
// before it may see it: templates and property sets are nested at most SPARKPLUG_DEPTH_MAX deep, what the library will
// allocate is added up and at most SPARKPLUG_MEMORY_MAX, and a part that may occur once occurs once.
//
// Structs are those of the wire (src/codec/sparkplug.proto): has_x tells whether x was sent. Texts are bytes: sp_str.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/sparkplug.pb-c.h"

typedef Sp__Payload SpPayload;
typedef Sp__Metric SpMetric;
typedef Sp__PropertySet SpPropertySet;
typedef Sp__PropertyValue SpPropertyValue;
typedef Sp__DataSet SpDataSet;
typedef Sp__Template SpTemplate;
typedef Sp__Parameter SpParameter;

#define SPARKPLUG_DEPTH_MAX 16
#define SPARKPLUG_MEMORY_MAX ((int64_t)64 << 20)

// Numbers of data types on the wire. ORDER SPTYPE
typedef enum SpType {
    SP_UNKNOWN,
    SP_INT8,
    SP_INT16,
    SP_INT32,
    SP_INT64,
    SP_UINT8,
    SP_UINT16,
    SP_UINT32,
    SP_UINT64,
    SP_FLOAT,
    SP_DOUBLE,
    SP_BOOLEAN,
    SP_STRING,
    SP_DATETIME,
    SP_TEXT,
    SP_UUID,
    SP_DATASET,
    SP_BYTES,
    SP_FILE,
    SP_TEMPLATE,
    SP_PROPERTYSET,
    SP_PROPERTYSETLIST,
    SP_INT8ARRAY,
    SP_INT16ARRAY,
    SP_INT32ARRAY,
    SP_INT64ARRAY,
    SP_UINT8ARRAY,
    SP_UINT16ARRAY,
    SP_UINT32ARRAY,
    SP_UINT64ARRAY,
    SP_FLOATARRAY,
    SP_DOUBLEARRAY,
    SP_BOOLEANARRAY,
    SP_STRINGARRAY,
    SP_DATETIMEARRAY,
    SP_TYPE_COUNT
} SpType;

// A text or bytes field, borrowed.
static inline Str sp_str(ProtobufCBinaryData b) { return (Str){(const char *)b.data, b.data ? (int64_t)b.len : 0}; }
// The other way round: borrows s.
static inline ProtobufCBinaryData sp_bytes(Str s) {
    return (ProtobufCBinaryData){.len = (size_t)s.n, .data = (uint8_t *)(uintptr_t)s.p};
}
// "Int8", "DataSet"; "" beyond the last type. Static memory.
const char *sparkplug_type_name(uint32_t type);

// ---- payloads ------------------------------------------------------------------------------------------------------

// Decode one payload.
//   out  in the arena; its strings, too. Zeros where nothing was sent
//   d    gets a sentence with the byte offset; may be NULL
// Errors: SYNTAX (no payload: cut, wrong wire types), LIMIT (too deep, too much memory). *out is untouched then.
// Cost: O(n), two walks; about 0.15 us a metric.
MUST Err sparkplug_decode(Str bytes, Arena *arena, const SpPayload **out, Diag *d);
// Append the bytes of a payload. Structs are made with sparkplug_new_*. Errors: LIMIT (nested deeper than may be
// decoded, or `out` is full).
MUST Err sparkplug_encode(const SpPayload *payload, Buf *out);
// An empty payload of room for `count` metrics, each empty (n_metrics is set to count).
SpPayload *sparkplug_new(Arena *arena, int64_t count);
// An empty metric, template, data set of the arena, for parts of payloads.
SpMetric *sparkplug_new_metric(Arena *arena);
SpTemplate *sparkplug_new_template(Arena *arena, int64_t metrics);
SpDataSet *sparkplug_new_dataset(Arena *arena, int64_t columns, int64_t rows);

// ---- values --------------------------------------------------------------------------------------------------------

typedef enum SpForm { SP_NULL, SP_BOOL, SP_I64, SP_U64, SP_F64, SP_STR, SP_JSON } SpForm;

// A value as its type says. Int* and UInt* are I64; U64 only above INT64_MAX. DateTime is RFC 3339 text in UTC with
// milliseconds, Bytes and File are base64 text. JSON: arrays; a DataSet as an array of rows, each an object by column;
// a Template as an object by member, with "templateRef", "version" and "parameters" (an object); PropertySet(List).
// Names in those objects are made DTDL names by sparkplug_name.
typedef struct SpValue {
    SpForm form;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        Str s; // STR and JSON, in the arena or borrowed from the metric
    };
} SpValue;

// The value of a metric read as `type` (its own datatype, or the one of its birth). A metric that is_null, or without
// any value, is NULL.
//   why  static sentence when it fails; may be NULL
// Errors: VALIDATION (field or range do not fit the type, no UTF-8, unknown type). Cost: O(1) for scalars.
MUST Err sparkplug_value(const SpMetric *m, uint32_t type, Arena *arena, SpValue *out, const char **why);
// The same of a parameter and of a value in a property set (both have their type with them).
MUST Err sparkplug_parameter(const SpParameter *p, SpValue *out, Arena *arena, const char **why);
MUST Err sparkplug_property(const SpPropertyValue *p, SpValue *out, Arena *arena, const char **why);
// Append a value as JSON.
void sparkplug_put_json(const SpValue *v, Buf *out);
// Append `name` as a name DTDL allows: letters, digits and '_', a letter first, at most 64; others become '_'.
void sparkplug_name(Str name, Buf *out);
// Give a metric `type` and a value from JSON (null: is_null), the reverse of sparkplug_value but for Template and
// DataSet (UNSUPPORTED). Texts are borrowed from v or in the arena. Errors: VALIDATION, UNSUPPORTED.
MUST Err sparkplug_set(SpMetric *m, uint32_t type, const Json *v, Arena *arena, const char **why);

// Append the payload as JSON for people: {"timestamp","seq","metrics":[{"name","alias","type","value",...}]}. Values
// that cannot be read are null with "error".
void sparkplug_print(const SpPayload *payload, Arena *arena, Buf *out);
