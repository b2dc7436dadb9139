// SPDX-License-Identifier: Apache-2.0
// The DTDL metamodel as data: classes, their properties, built-in schemas, extension contexts and their co-types.
// Constant tables and pure look-ups; any thread. Sources: the DTDL v2, v3 and v4 language documents.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"
#include "model/schema.h"
#include "model/units.h"

// Concrete classes first (each has a bit in a ClsSet), then the abstract ones. ORDER CLS: meta.c CLASSES
typedef enum Cls {
    CLS_NONE,
    CLS_INTERFACE,
    CLS_PROPERTY,
    CLS_TELEMETRY,
    CLS_RELATIONSHIP,
    CLS_COMMAND,
    CLS_COMPONENT,
    CLS_ARRAY,
    CLS_ENUM,
    CLS_MAP,
    CLS_OBJECT,
    CLS_FIELD,
    CLS_ENUM_VALUE,
    CLS_MAP_KEY,
    CLS_MAP_VALUE,
    CLS_PAYLOAD,
    CLS_REQUEST,
    CLS_RESPONSE,
    CLS_COMMAND_TYPE,
    CLS_BOOLEAN,
    CLS_BYTE,
    CLS_BYTES,
    CLS_DATE,
    CLS_DATETIME,
    CLS_DECIMAL,
    CLS_DOUBLE,
    CLS_DURATION,
    CLS_FLOAT,
    CLS_INTEGER,
    CLS_LONG,
    CLS_SHORT,
    CLS_STRING,
    CLS_TIME,
    CLS_UBYTE,
    CLS_UINTEGER,
    CLS_ULONG,
    CLS_USHORT,
    CLS_UUID,
    CLS_LATENT,
    CLS_NAMED_LATENT,
    CLS_UNIT,
    CLS_UNIT_ATTRIBUTE,
    CLS_ENTITY,
    CLS_NAMED_ENTITY,
    CLS_CONTENT,
    CLS_SCHEMA,
    CLS_SCHEMA_FIELD,
    CLS_COMPLEX,
    CLS_PRIMITIVE,
    CLS_NUMERIC,
    CLS_TEMPORAL,
    CLS_COUNT,
} Cls;

typedef uint64_t ClsSet;
#define SET(c) ((ClsSet)1 << (c))
#define SET_NUMERIC                                                                                                    \
    (SET(CLS_BYTE) | SET(CLS_DECIMAL) | SET(CLS_DOUBLE) | SET(CLS_FLOAT) | SET(CLS_INTEGER) | SET(CLS_LONG) |          \
     SET(CLS_SHORT) | SET(CLS_UBYTE) | SET(CLS_UINTEGER) | SET(CLS_ULONG) | SET(CLS_USHORT))
#define SET_TEMPORAL (SET(CLS_DATE) | SET(CLS_DATETIME) | SET(CLS_DURATION) | SET(CLS_TIME))
#define SET_PRIMITIVE (SET_NUMERIC | SET_TEMPORAL | SET(CLS_BOOLEAN) | SET(CLS_STRING) | SET(CLS_BYTES) | SET(CLS_UUID))
#define SET_COMPLEX (SET(CLS_ARRAY) | SET(CLS_ENUM) | SET(CLS_MAP) | SET(CLS_OBJECT))
#define SET_SCHEMA (SET_PRIMITIVE | SET_COMPLEX)
#define SET_CONTENT                                                                                                    \
    (SET(CLS_PROPERTY) | SET(CLS_TELEMETRY) | SET(CLS_RELATIONSHIP) | SET(CLS_COMMAND) | SET(CLS_COMPONENT))
#define SET_PAYLOAD (SET(CLS_PAYLOAD) | SET(CLS_REQUEST) | SET(CLS_RESPONSE))
#define SET_SCHEMA_FIELD (SET(CLS_FIELD) | SET(CLS_MAP_VALUE) | SET_PAYLOAD)
#define SET_NAMED                                                                                                      \
    (SET_CONTENT | SET_SCHEMA_FIELD | SET(CLS_ENUM_VALUE) | SET(CLS_MAP_KEY) | SET(CLS_NAMED_LATENT) |                 \
     SET(CLS_UNIT_ATTRIBUTE))
#define SET_ALL ((SET(CLS_UNIT_ATTRIBUTE) << 1) - 2)

// DTDL versions as a set: bit v.
#define V2 (1 << 2)
#define V3 (1 << 3)
#define V4 (1 << 4)
#define V34 (V3 | V4)
#define V234 (V2 | V3 | V4)

typedef struct MetaClass {
    const char *name;
    ClsSet set;       // itself, or every concrete class below an abstract one
    uint8_t versions; // DTDL versions that have the name
    uint8_t usable;   // versions in which a model may state it as @type
    uint8_t inferred; // versions in which @type may be omitted
} MetaClass;

// What the value of a property is. ORDER VALUE
typedef enum ValueKind {
    VALUE_STRING,
    VALUE_INTEGER,
    VALUE_BOOLEAN,
    VALUE_LANG,
    VALUE_LITERAL, // string, integer or boolean: enumValue
    VALUE_DTMI,    // an identifier that need not resolve: target
    VALUE_ELEMENT, // elements, inline or by reference
} ValueKind;

// ORDER PROP: meta.c PROPS
typedef enum PropId {
    PROP_COMMENT,
    PROP_DESCRIPTION,
    PROP_DISPLAY_NAME,
    PROP_NAME,
    PROP_CONTENTS,
    PROP_EXTENDS,
    PROP_SCHEMAS,
    PROP_SCHEMA,
    PROP_COMPONENT_SCHEMA,
    PROP_KEY_SCHEMA,
    PROP_WRITABLE,
    PROP_TARGET,
    PROP_MIN_MULTIPLICITY,
    PROP_MAX_MULTIPLICITY,
    PROP_PROPERTIES,
    PROP_COMMAND_TYPE,
    PROP_REQUEST_2,
    PROP_REQUEST,
    PROP_RESPONSE_2,
    PROP_RESPONSE,
    PROP_ELEMENT_SCHEMA,
    PROP_VALUE_SCHEMA,
    PROP_ENUM_VALUES,
    PROP_ENUM_VALUE,
    PROP_FIELDS,
    PROP_MAP_KEY,
    PROP_MAP_VALUE,
    PROP_NULLABLE,
    PROP_COUNT,
} PropId;

typedef struct Prop {
    PropId id;
    const char *name;
    ClsSet owners;
    uint8_t versions;
    ValueKind kind;
    ClsSet values; // VALUE_ELEMENT: classes allowed
    bool required;
    bool plural;
    bool needs_id;      // every value is written as, or carries, an @id
    bool same_version;  // inline values are of the owner's DTDL version
    Cls infer;          // class of a value without @type, CLS_NONE when it must be stated
    int32_t min2, max2; // v2 count limits of plural properties, 0: none
    int32_t len2, len;  // longest text in v2, and from v3 on; 0: no limit
} Prop;

// A schema or constant that models name without defining it.
typedef struct Builtin {
    const char *name;
    const char *group; // DTMI in front of the name, with ':'
    uint8_t versions;
    Cls cls;
    const Type *type; // NULL for command types
    int32_t depth;    // levels of schema below it
    bool has_array;
} Builtin;

// ORDER EXT: meta.c EXTS
typedef enum Ext {
    EXT_ANNOTATION,
    EXT_HISTORIZATION,
    EXT_MQTT,
    EXT_OVERRIDING,
    EXT_QUANTITATIVE,
    EXT_REQUIREMENT,
    EXT_IOTCENTRAL,
    EXT_IOTOPERATIONS,
    EXT_COUNT,
} Ext;

// Unversioned id of the extension context.
Str ext_context(Ext e);
// DTDL versions a version of the extension may be used in, as a set; 0 when there is no such version.
uint8_t ext_versions(Ext e, int version);

typedef enum CoPropKind { COPROP_STRING, COPROP_INTEGER, COPROP_NUMBER, COPROP_DURATION, COPROP_TERM } CoPropKind;

typedef struct CoProp {
    const char *name;
    CoPropKind kind;
    uint8_t ext_from; // first extension version that has it
    bool required, unique, at_least_1;
    int32_t len;     // longest text, 0: no limit
    bool (*ok)(Str); // form of the text, NULL: any
} CoProp;

// A supplemental type of an extension.
typedef struct Cotype {
    const char *name;
    uint8_t ext;                // Ext
    uint8_t ext_from, ext_to;   // extension versions that have it, inclusive
    ClsSet targets, targets_to; // classes it may stand on; targets_to: added in the last version
    const CoProp *props;        // ends with name NULL; may be NULL
    const char *needs, *bars;   // co-type that must, may not stand beside it
    ClsSet schema;              // classes its `schema` must be of, 0: any
    const char *schema_cotype;  // co-type its `schema` must carry
    const char *schema_values;  // blank-separated names of built-ins its `schema` must be one of
    const char *fields;         // blank-separated co-types its fields must be of
    const char *beside;         // co-type that lets it stand on a class that is no target
    const char *below;          // blank-separated co-types its parent must be of; it is then alone of its kind there
    const char *sibling;        // co-type some sibling must carry
} Cotype;

// The row of a class. Cost: O(1).
const MetaClass *meta_class(Cls c);
// CLS_NONE when DTDL `version` has no class of that name.
Cls meta_find_class(Str name, int version);
// The property `name` of class c; NULL when the class has none. c CLS_NONE: of any class.
const Prop *meta_find_prop(Str name, Cls c, int version);
const Prop *meta_prop(PropId id);
// The schema or command type of that name; NULL when `version` has none.
//   iotcentral  the partner's own schemas count
const Builtin *meta_find_builtin(Str name, int version, bool iotcentral);
// NULL when that version of the extension has none of that name.
const Cotype *meta_find_cotype(Ext e, int version, Str name);
// The property `name` of a co-type, or NULL.
const CoProp *cotype_prop(const Cotype *c, int version, Str name);
// A blank-separated list holds the word.
bool words_have(const char *words, Str word);
// `name` is a term of DTDL `version` in any role: class, property, schema, unit.
bool meta_known_term(Str name, int version);
// The built-in whose Type it is describes a Cls: the Type of a primitive class.
const Type *type_of_primitive(Cls c);
