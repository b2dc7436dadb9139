// SPDX-License-Identifier: Apache-2.0
// Schema: resolved models. Immutable once made and reference-counted, so any thread may read one it holds.
//
// A Model lists its properties as a flat preorder of Fields: an object property or a component is one marker field
// followed by the fields inside it, so that every scalar leaf has one column of its own in a world's table, and one
// linear walk renders or validates a twin. Maps, arrays and geometry are one DOC field each.
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

// What one value of a schema may be. Scalars come first. ORDER SHAPE
typedef enum Shape {
    SHAPE_BOOL,
    SHAPE_BYTE, // signed, 8 to 64 bits
    SHAPE_SHORT,
    SHAPE_INTEGER,
    SHAPE_LONG,
    SHAPE_UBYTE, // unsigned, 8 to 64 bits, v4
    SHAPE_USHORT,
    SHAPE_UINTEGER,
    SHAPE_ULONG,
    SHAPE_FLOAT,
    SHAPE_DOUBLE,
    SHAPE_DECIMAL,
    SHAPE_STRING,
    SHAPE_BYTES,
    SHAPE_UUID,
    SHAPE_DATE,
    SHAPE_TIME,
    SHAPE_DATETIME,
    SHAPE_DURATION,
    SHAPE_ENUM,   // string or integer values
    SHAPE_OBJECT, // fields
    SHAPE_MAP,    // string keys, one value type
    SHAPE_ARRAY,
    SHAPE_GEO, // point ... multiPolygon, GeoJSON geometry
    SHAPE_ANY, // not known (undefined extension): any JSON
} Shape;

typedef enum GeoKind {
    GEO_POINT,
    GEO_LINESTRING,
    GEO_POLYGON,
    GEO_MULTIPOINT,
    GEO_MULTILINESTRING,
    GEO_MULTIPOLYGON
} GeoKind;

typedef struct Type Type;
typedef struct TypeField {
    Str name;
    const Type *type;
    Str unit, semantic; // as in Field
    bool required;      // requirement extension: must be present where the object is
} TypeField;

typedef struct EnumValue {
    Str name;
    Str text;    // enumValue when the enum is of strings
    int64_t num; // enumValue when it is of integers
} EnumValue;

// A resolved DTDL schema.
struct Type {
    Shape shape;
    Str name; // "double", or the DTMI of a named complex schema, or ""
    union {
        struct { // OBJECT
            const TypeField *fields;
            int32_t field_count;
        };
        struct { // ENUM
            const EnumValue *values;
            int32_t value_count;
            bool value_is_int;
        };
        struct { // MAP, ARRAY
            const Type *item;
            Str key_name, item_name;
        };
        GeoKind geo; // GEO
    };
};

// How a column stores a value. ORDER CELL
typedef enum CellKind {
    CELL_BOOL,      // 0 or 1
    CELL_I64,       // integers (ULONG: the bits), integer enums
    CELL_F64,       // float (rounded to 32 bits on the way in), double
    CELL_STR,       // strings, dates and times and durations as text, string enums, decimals, uuid, bytes
    CELL_DOC,       // compact JSON text: maps, arrays, geometry, an object within itself (v4)
    CELL_OBJECT,    // marker: the object property is present
    CELL_COMPONENT, // marker: the component; its times are those of the component's last write
} CellKind;

typedef struct Model Model;

// One column-to-be.
typedef struct Field {
    Str name; // last segment, as in the model
    Str path; // from the twin's root, '.' between segments: "thermostat.setPoint"
    CellKind cell;
    const Type *type;       // NULL for components
    const Model *component; // the component's interface, else NULL
    int32_t parent;         // index of the marker it lies in, -1 at the root
    int32_t end;            // one past the last field inside it (own index + 1 for leaves)
    bool writable;
    bool required;   // requirement extension
    bool historized; // historization extension
    Str unit;        // "degreeCelsius" or ""
    Str semantic;    // "Temperature" or ""
    Str display;     // displayName, preferring "en", or ""
} Field;

// A relationship as its defining interface states it; children share the parent's Rel by pointer.
typedef struct Rel {
    Str name;
    Str target;          // DTMI of the interface allowed at the other end; "" = any
    const Model *owner;  // the interface that defines it
    const Field *fields; // its properties, same flat form; paths from the relationship's root
    int32_t field_count;
    int64_t max_multiplicity; // 0 = none given (stored, not enforced, as in Azure Digital Twins)
    int64_t min_multiplicity;
    bool writable;
    Str display; // displayName, preferring "en", or ""
} Rel;

typedef struct CommandDef {
    Str name;
    const TypeField *request, *response; // NULL when none
} CommandDef;

typedef struct Telemetry {
    Str name;
    const Type *type;
    Str unit, semantic;
    Str display;
    bool historized;
} Telemetry;

typedef struct Lang {
    Str language, text;
} Lang;

struct Model {
    Str id;          // DTMI
    int32_t version; // DTDL version: 2, 3 or 4
    int32_t index;   // position in the schema it was first put in; stable while the schema grows
    Str document;    // the original JSON object, compact
    const Lang *display, *description;
    int32_t display_count, description_count;
    const Field *fields; // own and inherited, parents' first, in document order
    int32_t field_count;
    const Rel *const *rels; // own and inherited
    int32_t rel_count;
    const Telemetry *telemetries; // own and inherited
    int32_t telemetry_count;
    const CommandDef *commands;
    int32_t command_count;
    const Model *const *bases; // every interface it extends, all levels, without itself
    int32_t base_count;
    const Str *dependencies; // DTMIs it extends directly or uses as component schema, directly
    int32_t dependency_count;
    bool decommissioned; // only right on what schema_find and schema_at give: other models' pointers (bases,
                         // component, owner) stay with the model as it was uploaded
};

typedef struct Schema Schema;

// An empty schema with one reference.
Schema *schema_new(void);
void schema_ref(const Schema *s);
// Drop one reference; the last frees it and every model only it held.
void schema_unref(const Schema *s);

// Parse an array of interfaces (or one) and make a new schema: `base` plus them, all or nothing.
//   docs    JSON array of DTDL interfaces, in any order; each may depend on the others and on `base`
//   out     new schema with one reference; `base` keeps its own and stays valid
//   d       every complaint: where = model id, text = element, rule (DTDL parsing error name) and what to do
// Errors: ARGUMENT (not an array of objects, empty), LIMIT (more than SCHEMA_MODELS_MAX), MODEL, MODEL_VERSION,
// MODEL_EXISTS. Cost: O(size of the new documents + number of models in base).
MUST Err schema_add(const Schema *base, const Json *docs, Schema **out, Diag *d);
// `base` without one model. Errors: MODEL_NOT_FOUND, MODEL_IN_USE (a model extends or embeds it).
MUST Err schema_remove(const Schema *base, Str id, Schema **out, Diag *d);
// `base` with the model's decommissioned flag set. Errors: MODEL_NOT_FOUND, MODEL_ACTIVE_REFS.
MUST Err schema_decommission(const Schema *base, Str id, bool flag, Schema **out, Diag *d);

// Places, with those of removed models.
int32_t schema_count(const Schema *s);
// In order of upload; NULL for the place of a removed model. index < schema_count.
const Model *schema_at(const Schema *s, int32_t index);
// NULL when there is none.
const Model *schema_find(const Schema *s, Str id);
// m is `base` itself or extends it, at any level.
bool model_is(const Model *m, Str base);
// The field at a '.'-separated path, or NULL. Cost: one hash lookup.
const Field *model_field(const Model *m, Str path);
// The field `name` among the direct children of `parent` (-1: the root), or NULL.
const Field *model_child(const Model *m, int32_t parent, Str name);
// The relationship of that name, own or inherited, or NULL.
const Rel *model_rel(const Model *m, Str name);
const Telemetry *model_telemetry(const Model *m, Str name);
// model_field and model_child for a flat field list that is not a model's (relationship properties). Linear.
const Field *fields_child(const Field *fields, int32_t count, int32_t parent, Str name);

// Check one JSON value against a type, spec/dtdl section 8. `path` names the value in messages.
// Errors: VALIDATION with the path of the first wrong part.
MUST Err type_check(const Type *t, const Json *v, Str path, Diag *d);
// Check a scalar given as text or number without a DOM (the ingest path): same rules for scalar shapes.
MUST Err type_check_text(const Type *t, Str text, Str path, Diag *d);

#define SCHEMA_MODELS_MAX 10000
