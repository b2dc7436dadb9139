// SPDX-License-Identifier: Apache-2.0
#include "model/meta.h"
#include "base/check.h"
#include "model/dtmi.h"

#define C1(c) SET(CLS_##c)
// A concrete class, an abstract one.
#define CONCRETE(c, text, versions, usable, inferred) [CLS_##c] = {text, SET(CLS_##c), versions, usable, inferred}
#define ABSTRACT(c, text, set) [CLS_##c] = {text, set, V234, 0, 0}

static const MetaClass CLASSES[CLS_COUNT] = {
    CONCRETE(INTERFACE, "Interface", V234, V234, 0),
    CONCRETE(PROPERTY, "Property", V234, V234, 0),
    CONCRETE(TELEMETRY, "Telemetry", V234, V234, 0),
    CONCRETE(RELATIONSHIP, "Relationship", V234, V234, 0),
    CONCRETE(COMMAND, "Command", V234, V234, 0),
    CONCRETE(COMPONENT, "Component", V234, V234, 0),
    CONCRETE(ARRAY, "Array", V234, V234, 0),
    CONCRETE(ENUM, "Enum", V234, V234, 0),
    CONCRETE(MAP, "Map", V234, V234, 0),
    CONCRETE(OBJECT, "Object", V234, V234, 0),
    CONCRETE(FIELD, "Field", V234, V234, V234),
    CONCRETE(ENUM_VALUE, "EnumValue", V234, V234, V234),
    CONCRETE(MAP_KEY, "MapKey", V234, V234, V234),
    CONCRETE(MAP_VALUE, "MapValue", V234, V234, V234),
    CONCRETE(PAYLOAD, "CommandPayload", V234, V234, V2),
    CONCRETE(REQUEST, "CommandRequest", V34, V34, V34),
    CONCRETE(RESPONSE, "CommandResponse", V34, V34, V34),
    CONCRETE(COMMAND_TYPE, "CommandType", V234, V234, 0),
    CONCRETE(BOOLEAN, "Boolean", V234, V234, 0),
    CONCRETE(BYTE, "Byte", V4, V4, 0),
    CONCRETE(BYTES, "Bytes", V4, V4, 0),
    CONCRETE(DATE, "Date", V234, V234, 0),
    CONCRETE(DATETIME, "DateTime", V234, V234, 0),
    CONCRETE(DECIMAL, "Decimal", V4, V4, 0),
    CONCRETE(DOUBLE, "Double", V234, V234, 0),
    CONCRETE(DURATION, "Duration", V234, V234, 0),
    CONCRETE(FLOAT, "Float", V234, V234, 0),
    CONCRETE(INTEGER, "Integer", V234, V234, 0),
    CONCRETE(LONG, "Long", V234, V234, 0),
    CONCRETE(SHORT, "Short", V4, V4, 0),
    CONCRETE(STRING, "String", V234, V234, 0),
    CONCRETE(TIME, "Time", V234, V234, 0),
    CONCRETE(UBYTE, "UnsignedByte", V4, V4, 0),
    CONCRETE(UINTEGER, "UnsignedInteger", V4, V4, 0),
    CONCRETE(ULONG, "UnsignedLong", V4, V4, 0),
    CONCRETE(USHORT, "UnsignedShort", V4, V4, 0),
    CONCRETE(UUID, "Uuid", V4, V4, 0),
    CONCRETE(LATENT, "LatentType", V34, 0, 0),
    CONCRETE(NAMED_LATENT, "NamedLatentType", V34, 0, 0),
    CONCRETE(UNIT, "Unit", V234, 0, 0),
    CONCRETE(UNIT_ATTRIBUTE, "UnitAttribute", V234, 0, 0),
    ABSTRACT(ENTITY, "Entity", SET_ALL),
    ABSTRACT(NAMED_ENTITY, "NamedEntity", SET_NAMED),
    ABSTRACT(CONTENT, "Content", SET_CONTENT),
    ABSTRACT(SCHEMA, "Schema", SET_SCHEMA),
    ABSTRACT(SCHEMA_FIELD, "SchemaField", SET_SCHEMA_FIELD),
    ABSTRACT(COMPLEX, "ComplexSchema", SET_COMPLEX),
    ABSTRACT(PRIMITIVE, "PrimitiveSchema", SET_PRIMITIVE),
    ABSTRACT(NUMERIC, "NumericSchema", SET_NUMERIC),
    ABSTRACT(TEMPORAL, "TemporalSchema", SET_TEMPORAL),
};

#define SCHEMA_OWNERS (C1(PROPERTY) | C1(TELEMETRY) | SET_SCHEMA_FIELD)

static const Prop PROPS[PROP_COUNT] = {
    [PROP_COMMENT] = {.id = PROP_COMMENT,
                      .name = "comment",
                      .owners = SET_ALL,
                      .versions = V234,
                      .kind = VALUE_STRING,
                      .len2 = 512,
                      .len = 512},
    [PROP_DESCRIPTION] = {.id = PROP_DESCRIPTION,
                          .name = "description",
                          .owners = SET_ALL,
                          .versions = V234,
                          .kind = VALUE_LANG,
                          .len2 = 512,
                          .len = 512},
    [PROP_DISPLAY_NAME] = {.id = PROP_DISPLAY_NAME,
                           .name = "displayName",
                           .owners = SET_ALL,
                           .versions = V234,
                           .kind = VALUE_LANG,
                           .len2 = 64,
                           .len = 512},
    [PROP_NAME] = {.id = PROP_NAME,
                   .name = "name",
                   .owners = SET_NAMED,
                   .versions = V234,
                   .kind = VALUE_STRING,
                   .required = true,
                   .len2 = 64,
                   .len = 512},
    [PROP_CONTENTS] = {.id = PROP_CONTENTS,
                       .name = "contents",
                       .owners = C1(INTERFACE),
                       .versions = V234,
                       .kind = VALUE_ELEMENT,
                       .values = SET_CONTENT,
                       .plural = true,
                       .max2 = 300},
    [PROP_EXTENDS] = {.id = PROP_EXTENDS,
                      .name = "extends",
                      .owners = C1(INTERFACE),
                      .versions = V234,
                      .kind = VALUE_ELEMENT,
                      .values = C1(INTERFACE),
                      .plural = true,
                      .needs_id = true,
                      .max2 = 2},
    [PROP_SCHEMAS] = {.id = PROP_SCHEMAS,
                      .name = "schemas",
                      .owners = C1(INTERFACE),
                      .versions = V234,
                      .kind = VALUE_ELEMENT,
                      .values = SET_COMPLEX,
                      .plural = true,
                      .needs_id = true,
                      .same_version = true},
    [PROP_SCHEMA] = {.id = PROP_SCHEMA,
                     .name = "schema",
                     .owners = SCHEMA_OWNERS,
                     .versions = V234,
                     .kind = VALUE_ELEMENT,
                     .values = SET_SCHEMA,
                     .required = true},
    [PROP_COMPONENT_SCHEMA] = {.id = PROP_COMPONENT_SCHEMA,
                               .name = "schema",
                               .owners = C1(COMPONENT),
                               .versions = V234,
                               .kind = VALUE_ELEMENT,
                               .values = C1(INTERFACE),
                               .required = true,
                               .needs_id = true},
    [PROP_KEY_SCHEMA] = {.id = PROP_KEY_SCHEMA,
                         .name = "schema",
                         .owners = C1(MAP_KEY),
                         .versions = V234,
                         .kind = VALUE_ELEMENT,
                         .values = C1(STRING),
                         .required = true,
                         .needs_id = true},
    [PROP_WRITABLE] = {.id = PROP_WRITABLE,
                       .name = "writable",
                       .owners = C1(PROPERTY) | C1(RELATIONSHIP),
                       .versions = V234,
                       .kind = VALUE_BOOLEAN},
    [PROP_TARGET] = {.id = PROP_TARGET,
                     .name = "target",
                     .owners = C1(RELATIONSHIP),
                     .versions = V234,
                     .kind = VALUE_DTMI,
                     .len2 = 2048,
                     .len = 2048},
    [PROP_MIN_MULTIPLICITY] = {.id = PROP_MIN_MULTIPLICITY,
                               .name = "minMultiplicity",
                               .owners = C1(RELATIONSHIP),
                               .versions = V234,
                               .kind = VALUE_INTEGER},
    [PROP_MAX_MULTIPLICITY] = {.id = PROP_MAX_MULTIPLICITY,
                               .name = "maxMultiplicity",
                               .owners = C1(RELATIONSHIP),
                               .versions = V234,
                               .kind = VALUE_INTEGER},
    [PROP_PROPERTIES] = {.id = PROP_PROPERTIES,
                         .name = "properties",
                         .owners = C1(RELATIONSHIP),
                         .versions = V234,
                         .kind = VALUE_ELEMENT,
                         .values = C1(PROPERTY),
                         .plural = true,
                         .max2 = 300},
    [PROP_COMMAND_TYPE] = {.id = PROP_COMMAND_TYPE,
                           .name = "commandType",
                           .owners = C1(COMMAND),
                           .versions = V234,
                           .kind = VALUE_ELEMENT,
                           .values = C1(COMMAND_TYPE),
                           .needs_id = true},
    [PROP_REQUEST_2] = {.id = PROP_REQUEST_2,
                        .name = "request",
                        .owners = C1(COMMAND),
                        .versions = V2,
                        .kind = VALUE_ELEMENT,
                        .values = C1(PAYLOAD),
                        .infer = CLS_PAYLOAD,
                        .same_version = true},
    [PROP_REQUEST] = {.id = PROP_REQUEST,
                      .name = "request",
                      .owners = C1(COMMAND),
                      .versions = V34,
                      .kind = VALUE_ELEMENT,
                      .values = C1(PAYLOAD) | C1(REQUEST),
                      .infer = CLS_REQUEST,
                      .same_version = true},
    [PROP_RESPONSE_2] = {.id = PROP_RESPONSE_2,
                         .name = "response",
                         .owners = C1(COMMAND),
                         .versions = V2,
                         .kind = VALUE_ELEMENT,
                         .values = C1(PAYLOAD),
                         .infer = CLS_PAYLOAD,
                         .same_version = true},
    [PROP_RESPONSE] = {.id = PROP_RESPONSE,
                       .name = "response",
                       .owners = C1(COMMAND),
                       .versions = V34,
                       .kind = VALUE_ELEMENT,
                       .values = C1(PAYLOAD) | C1(RESPONSE),
                       .infer = CLS_RESPONSE,
                       .same_version = true},
    [PROP_ELEMENT_SCHEMA] = {.id = PROP_ELEMENT_SCHEMA,
                             .name = "elementSchema",
                             .owners = C1(ARRAY),
                             .versions = V234,
                             .kind = VALUE_ELEMENT,
                             .values = SET_SCHEMA,
                             .required = true},
    [PROP_VALUE_SCHEMA] = {.id = PROP_VALUE_SCHEMA,
                           .name = "valueSchema",
                           .owners = C1(ENUM),
                           .versions = V234,
                           .kind = VALUE_ELEMENT,
                           .values = C1(INTEGER) | C1(STRING),
                           .required = true,
                           .needs_id = true},
    [PROP_ENUM_VALUES] = {.id = PROP_ENUM_VALUES,
                          .name = "enumValues",
                          .owners = C1(ENUM),
                          .versions = V234,
                          .kind = VALUE_ELEMENT,
                          .values = C1(ENUM_VALUE),
                          .plural = true,
                          .infer = CLS_ENUM_VALUE,
                          .min2 = 1,
                          .max2 = 100,
                          .same_version = true},
    [PROP_ENUM_VALUE] = {.id = PROP_ENUM_VALUE,
                         .name = "enumValue",
                         .owners = C1(ENUM_VALUE),
                         .versions = V234,
                         .kind = VALUE_LITERAL,
                         .required = true},
    [PROP_FIELDS] = {.id = PROP_FIELDS,
                     .name = "fields",
                     .owners = C1(OBJECT),
                     .versions = V234,
                     .kind = VALUE_ELEMENT,
                     .values = C1(FIELD),
                     .plural = true,
                     .infer = CLS_FIELD,
                     .min2 = 1,
                     .max2 = 30,
                     .same_version = true},
    [PROP_MAP_KEY] = {.id = PROP_MAP_KEY,
                      .name = "mapKey",
                      .owners = C1(MAP),
                      .versions = V234,
                      .kind = VALUE_ELEMENT,
                      .values = C1(MAP_KEY),
                      .required = true,
                      .infer = CLS_MAP_KEY,
                      .same_version = true},
    [PROP_MAP_VALUE] = {.id = PROP_MAP_VALUE,
                        .name = "mapValue",
                        .owners = C1(MAP),
                        .versions = V234,
                        .kind = VALUE_ELEMENT,
                        .values = C1(MAP_VALUE),
                        .required = true,
                        .infer = CLS_MAP_VALUE,
                        .same_version = true},
    [PROP_NULLABLE] =
        {.id = PROP_NULLABLE, .name = "nullable", .owners = SET_PAYLOAD, .versions = V4, .kind = VALUE_BOOLEAN},
};

static const Type T_BOOLEAN = {.shape = SHAPE_BOOL, .name = {"boolean", 7}};
static const Type T_BYTE = {.shape = SHAPE_BYTE, .name = {"byte", 4}};
static const Type T_BYTES = {.shape = SHAPE_BYTES, .name = {"bytes", 5}};
static const Type T_DATE = {.shape = SHAPE_DATE, .name = {"date", 4}};
static const Type T_DATETIME = {.shape = SHAPE_DATETIME, .name = {"dateTime", 8}};
static const Type T_DECIMAL = {.shape = SHAPE_DECIMAL, .name = {"decimal", 7}};
static const Type T_DOUBLE = {.shape = SHAPE_DOUBLE, .name = {"double", 6}};
static const Type T_DURATION = {.shape = SHAPE_DURATION, .name = {"duration", 8}};
static const Type T_FLOAT = {.shape = SHAPE_FLOAT, .name = {"float", 5}};
static const Type T_INTEGER = {.shape = SHAPE_INTEGER, .name = {"integer", 7}};
static const Type T_LONG = {.shape = SHAPE_LONG, .name = {"long", 4}};
static const Type T_SHORT = {.shape = SHAPE_SHORT, .name = {"short", 5}};
static const Type T_STRING = {.shape = SHAPE_STRING, .name = {"string", 6}};
static const Type T_TIME = {.shape = SHAPE_TIME, .name = {"time", 4}};
static const Type T_UBYTE = {.shape = SHAPE_UBYTE, .name = {"unsignedByte", 12}};
static const Type T_UINTEGER = {.shape = SHAPE_UINTEGER, .name = {"unsignedInteger", 15}};
static const Type T_ULONG = {.shape = SHAPE_ULONG, .name = {"unsignedLong", 12}};
static const Type T_USHORT = {.shape = SHAPE_USHORT, .name = {"unsignedShort", 13}};
static const Type T_UUID = {.shape = SHAPE_UUID, .name = {"uuid", 4}};

#define GEO(kind, text)                                                                                                \
    { .shape = SHAPE_GEO, .name = {text, sizeof(text) - 1}, .geo = kind }
static const Type T_POINT = GEO(GEO_POINT, "point");
static const Type T_LINE = GEO(GEO_LINESTRING, "lineString");
static const Type T_POLYGON = GEO(GEO_POLYGON, "polygon");
static const Type T_MULTI_POINT = GEO(GEO_MULTIPOINT, "multiPoint");
static const Type T_MULTI_LINE = GEO(GEO_MULTILINESTRING, "multiLineString");
static const Type T_MULTI_POLYGON = GEO(GEO_MULTIPOLYGON, "multiPolygon");

#define OBJECT_TYPE(text, list)                                                                                        \
    {                                                                                                                  \
        .shape = SHAPE_OBJECT, .name = {text, sizeof(text) - 1}, .fields = list,                                       \
        .field_count = sizeof(list) / sizeof((list)[0])                                                                \
    }
static const TypeField SCALED_FIELDS[] = {{.name = {"scale", 5}, .type = &T_SHORT},
                                          {.name = {"value", 5}, .type = &T_DECIMAL}};
static const TypeField GEOPOINT_FIELDS[] = {{.name = {"lat", 3}, .type = &T_DOUBLE},
                                            {.name = {"lon", 3}, .type = &T_DOUBLE},
                                            {.name = {"alt", 3}, .type = &T_DOUBLE}};
static const TypeField VECTOR_FIELDS[] = {{.name = {"x", 1}, .type = &T_DOUBLE},
                                          {.name = {"y", 1}, .type = &T_DOUBLE},
                                          {.name = {"z", 1}, .type = &T_DOUBLE}};
static const Type T_SCALED = OBJECT_TYPE("scaledDecimal", SCALED_FIELDS);
static const Type T_GEOPOINT = OBJECT_TYPE("geopoint", GEOPOINT_FIELDS);
static const Type T_VECTOR = OBJECT_TYPE("vector", VECTOR_FIELDS);

#define DTDL_SCHEMA "dtmi:dtdl:instance:Schema:"
#define GEO_SCHEMA "dtmi:standard:schema:geospatial:"
#define COMMAND_TYPES "dtmi:dtdl:instance:CommandType:"

static const Builtin BUILTINS[] = {
    {"boolean", DTDL_SCHEMA, V234, CLS_BOOLEAN, &T_BOOLEAN, 0, false},
    {"date", DTDL_SCHEMA, V234, CLS_DATE, &T_DATE, 0, false},
    {"dateTime", DTDL_SCHEMA, V234, CLS_DATETIME, &T_DATETIME, 0, false},
    {"double", DTDL_SCHEMA, V234, CLS_DOUBLE, &T_DOUBLE, 0, false},
    {"duration", DTDL_SCHEMA, V234, CLS_DURATION, &T_DURATION, 0, false},
    {"float", DTDL_SCHEMA, V234, CLS_FLOAT, &T_FLOAT, 0, false},
    {"integer", DTDL_SCHEMA, V234, CLS_INTEGER, &T_INTEGER, 0, false},
    {"long", DTDL_SCHEMA, V234, CLS_LONG, &T_LONG, 0, false},
    {"string", DTDL_SCHEMA, V234, CLS_STRING, &T_STRING, 0, false},
    {"time", DTDL_SCHEMA, V234, CLS_TIME, &T_TIME, 0, false},
    {"byte", DTDL_SCHEMA, V4, CLS_BYTE, &T_BYTE, 0, false},
    {"bytes", DTDL_SCHEMA, V4, CLS_BYTES, &T_BYTES, 0, false},
    {"decimal", DTDL_SCHEMA, V4, CLS_DECIMAL, &T_DECIMAL, 0, false},
    {"short", DTDL_SCHEMA, V4, CLS_SHORT, &T_SHORT, 0, false},
    {"unsignedByte", DTDL_SCHEMA, V4, CLS_UBYTE, &T_UBYTE, 0, false},
    {"unsignedInteger", DTDL_SCHEMA, V4, CLS_UINTEGER, &T_UINTEGER, 0, false},
    {"unsignedLong", DTDL_SCHEMA, V4, CLS_ULONG, &T_ULONG, 0, false},
    {"unsignedShort", DTDL_SCHEMA, V4, CLS_USHORT, &T_USHORT, 0, false},
    {"uuid", DTDL_SCHEMA, V4, CLS_UUID, &T_UUID, 0, false},
    {"point", GEO_SCHEMA, V234, CLS_OBJECT, &T_POINT, 2, true},
    {"lineString", GEO_SCHEMA, V234, CLS_OBJECT, &T_LINE, 3, true},
    {"polygon", GEO_SCHEMA, V234, CLS_OBJECT, &T_POLYGON, 4, true},
    {"multiPoint", GEO_SCHEMA, V234, CLS_OBJECT, &T_MULTI_POINT, 3, true},
    {"multiLineString", GEO_SCHEMA, V234, CLS_OBJECT, &T_MULTI_LINE, 4, true},
    {"multiPolygon", GEO_SCHEMA, V234, CLS_OBJECT, &T_MULTI_POLYGON, 5, true},
    {"scaledDecimal", "dtmi:standard:schema:", V4, CLS_OBJECT, &T_SCALED, 1, false},
    {"geopoint", "dtmi:iotcentral:schema:", V2, CLS_OBJECT, &T_GEOPOINT, 1, false},
    {"vector", "dtmi:iotcentral:schema:", V2, CLS_OBJECT, &T_VECTOR, 1, false},
    {"asynchronous", COMMAND_TYPES, V234, CLS_COMMAND_TYPE, NULL, 0, false},
    {"synchronous", COMMAND_TYPES, V234, CLS_COMMAND_TYPE, NULL, 0, false},
};

// Extension contexts: versions[i] holds the DTDL versions that version i + 1 may be used in.
static const struct {
    const char *context;
    uint8_t versions[4];
} EXTS[EXT_COUNT] = {
    [EXT_ANNOTATION] = {"dtmi:dtdl:extension:annotation", {V3, V34, 0, 0}},
    [EXT_HISTORIZATION] = {"dtmi:dtdl:extension:historization", {V3, V34, 0, 0}},
    [EXT_MQTT] = {"dtmi:dtdl:extension:mqtt", {V3, V34, V34, V34}},
    [EXT_OVERRIDING] = {"dtmi:dtdl:extension:overriding", {V3, V34, 0, 0}},
    [EXT_QUANTITATIVE] = {"dtmi:dtdl:extension:quantitativeTypes", {V3, V4, V4, 0}},
    [EXT_REQUIREMENT] = {"dtmi:dtdl:extension:requirement", {V34, V34, 0, 0}},
    [EXT_IOTCENTRAL] = {"dtmi:iotcentral:context", {0, V2, 0, 0}},
    [EXT_IOTOPERATIONS] = {"dtmi:iotoperations:context", {0, 0, 0, V4}},
};

static const CoProp P_ANNOTATES[] = {{.name = "annotates", .kind = COPROP_STRING, .required = true}, {0}};
static const CoProp P_OVERRIDES[] = {{.name = "overrides", .kind = COPROP_TERM, .required = true}, {0}};
static const CoProp P_TTL[] = {{.name = "ttl", .kind = COPROP_DURATION, .required = true}, {0}};
static const CoProp P_INDEX[] = {
    {.name = "index", .kind = COPROP_INTEGER, .required = true, .unique = true, .at_least_1 = true}, {0}};
static const CoProp P_MQTT[] = {
    {.name = "commandTopic", .kind = COPROP_STRING, .ok = mqtt_topic_ok},
    {.name = "payloadFormat", .kind = COPROP_STRING, .required = true},
    {.name = "telemetryTopic", .kind = COPROP_STRING, .ok = mqtt_topic_ok},
    {.name = "cmdServiceGroupId", .kind = COPROP_STRING, .ext_from = 2, .ok = mqtt_label_ok},
    {.name = "telemServiceGroupId", .kind = COPROP_STRING, .ext_from = 2, .ok = mqtt_label_ok},
    {.name = "propertyTopic", .kind = COPROP_STRING, .ext_from = 4, .ok = mqtt_topic_ok},
    {0}};
static const CoProp P_ONTOLOGY[] = {{.name = "ontology", .kind = COPROP_STRING, .required = true, .len = 128}, {0}};
static const CoProp P_TYPE_REF[] = {{.name = "typeRef", .kind = COPROP_STRING, .required = true, .len = 128}, {0}};
static const CoProp P_GROUP[] = {
    {.name = "group", .kind = COPROP_STRING, .required = true, .len = 128, .ok = dtdl_name_ok}, {0}};
static const CoProp P_LIMITED[] = {
    {.name = "maximum", .kind = COPROP_NUMBER}, {.name = "minimum", .kind = COPROP_NUMBER}, {0}};
static const CoProp P_PLACES[] = {{.name = "decimalPlaces", .kind = COPROP_INTEGER, .required = true}, {0}};
static const CoProp P_NAMESPACE[] = {{.name = "namespace", .kind = COPROP_STRING, .required = true, .len = 128}, {0}};
static const CoProp P_SCALE[] = {{.name = "scaleFactor", .kind = COPROP_NUMBER, .required = true}, {0}};

#define PROPERTY_TELEMETRY (C1(PROPERTY) | C1(TELEMETRY))
#define NUMERIC_CARRIERS (C1(REQUEST) | C1(RESPONSE) | C1(FIELD) | C1(MAP_VALUE) | PROPERTY_TELEMETRY)

static const Cotype COTYPES[] = {
    {.name = "ValueAnnotation", .ext = EXT_ANNOTATION, 1, 2, .targets = PROPERTY_TELEMETRY, .props = P_ANNOTATES},
    {.name = "Historized", .ext = EXT_HISTORIZATION, 1, 2, .targets = PROPERTY_TELEMETRY},
    {.name = "Override",
     .ext = EXT_OVERRIDING,
     1,
     2,
     .targets = C1(PROPERTY),
     .props = P_OVERRIDES,
     .needs = "ValueAnnotation",
     .bars = "Initialized"},
    {.name = "Required", .ext = EXT_REQUIREMENT, 1, 2, .targets = C1(FIELD), .targets_to = C1(PROPERTY)},
    {.name = "Cacheable", .ext = EXT_MQTT, 1, 4, .targets = C1(COMMAND), .props = P_TTL, .needs = "Idempotent"},
    {.name = "Idempotent", .ext = EXT_MQTT, 1, 4, .targets = C1(COMMAND)},
    {.name = "Indexed",
     .ext = EXT_MQTT,
     1,
     4,
     .targets = C1(ENUM_VALUE) | C1(FIELD) | C1(TELEMETRY),
     .targets_to = C1(PROPERTY),
     .props = P_INDEX},
    {.name = "Mqtt", .ext = EXT_MQTT, 1, 4, .targets = C1(INTERFACE), .props = P_MQTT},
    {.name = "Transparent", .ext = EXT_MQTT, 2, 4, .targets = C1(REQUEST) | C1(RESPONSE), .schema = C1(OBJECT)},
    {.name = "Error", .ext = EXT_MQTT, 3, 4, .targets = C1(OBJECT)},
    {.name = "ErrorMessage", .ext = EXT_MQTT, 3, 4, .targets = C1(FIELD), .below = "Error", .schema = C1(STRING)},
    {.name = "ErrorResult",
     .ext = EXT_MQTT,
     3,
     4,
     .targets = C1(FIELD),
     .below = "Result",
     .schema_cotype = "Error",
     .bars = "Required"},
    {.name = "NormalResult", .ext = EXT_MQTT, 3, 4, .targets = C1(FIELD), .below = "Result", .bars = "Required"},
    {.name = "Result", .ext = EXT_MQTT, 3, 3, .targets = C1(OBJECT), .fields = "NormalResult ErrorResult"},
    {.name = "Result",
     .ext = EXT_MQTT,
     4,
     4,
     .targets = C1(OBJECT),
     .fields = "NormalResult ErrorResult ErrorCode ErrorInfo"},
    {.name = "ErrorCode", .ext = EXT_MQTT, 4, 4, .targets = C1(FIELD), .below = "Result Error", .schema = C1(ENUM)},
    {.name = "ErrorInfo",
     .ext = EXT_MQTT,
     4,
     4,
     .targets = C1(FIELD),
     .below = "Result Error",
     .schema = C1(OBJECT),
     .sibling = "ErrorCode"},
    {.name = "Fragmented",
     .ext = EXT_MQTT,
     4,
     4,
     .targets = C1(PROPERTY),
     .schema = C1(MAP),
     .beside = "PropertyValue"},
    {.name = "Indirect", .ext = EXT_MQTT, 4, 4, .targets = C1(FIELD), .bars = "Required"},
    {.name = "PropertyResult",
     .ext = EXT_MQTT,
     4,
     4,
     .targets = C1(OBJECT),
     .fields = "PropertyValue ReadError WriteError"},
    {.name = "PropertyValue",
     .ext = EXT_MQTT,
     4,
     4,
     .targets = C1(FIELD),
     .below = "PropertyResult",
     .bars = "Required"},
    {.name = "ReadError",
     .ext = EXT_MQTT,
     4,
     4,
     .targets = C1(FIELD),
     .below = "PropertyResult",
     .schema_cotype = "Error",
     .bars = "Required"},
    {.name = "WriteError",
     .ext = EXT_MQTT,
     4,
     4,
     .targets = C1(FIELD),
     .below = "PropertyResult",
     .schema_cotype = "Error",
     .bars = "Required"},
    {.name = "AccelerationVector",
     .ext = EXT_IOTCENTRAL,
     2,
     2,
     .targets = PROPERTY_TELEMETRY,
     .schema_values = "vector"},
    {.name = "VelocityVector", .ext = EXT_IOTCENTRAL, 2, 2, .targets = PROPERTY_TELEMETRY, .schema_values = "vector"},
    {.name = "Event", .ext = EXT_IOTCENTRAL, 2, 2, .targets = PROPERTY_TELEMETRY, .schema = SET_NUMERIC | C1(STRING)},
    {.name = "State", .ext = EXT_IOTCENTRAL, 2, 2, .targets = PROPERTY_TELEMETRY, .schema = C1(ENUM)},
    {.name = "Location",
     .ext = EXT_IOTCENTRAL,
     2,
     2,
     .targets = PROPERTY_TELEMETRY,
     .schema_values = "point multiPoint lineString multiLineString polygon multiPolygon geopoint"},
    {.name = "Composite",
     .ext = EXT_IOTOPERATIONS,
     4,
     4,
     .targets = C1(INTERFACE),
     .props = P_ONTOLOGY,
     .bars = "Event"},
    {.name = "Congruence", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = SET_COMPLEX | C1(INTERFACE), .props = P_TYPE_REF},
    {.name = "Detail", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = C1(OBJECT)},
    {.name = "Event", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = C1(INTERFACE)},
    {.name = "GroupMember", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = C1(COMMAND), .props = P_GROUP},
    {.name = "HasCapability", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = C1(RELATIONSHIP), .bars = "HasComponent"},
    {.name = "HasComponent", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = C1(RELATIONSHIP)},
    {.name = "Limited",
     .ext = EXT_IOTOPERATIONS,
     4,
     4,
     .targets = NUMERIC_CARRIERS,
     .props = P_LIMITED,
     .schema = SET_NUMERIC},
    {.name = "Precise",
     .ext = EXT_IOTOPERATIONS,
     4,
     4,
     .targets = NUMERIC_CARRIERS,
     .props = P_PLACES,
     .schema = SET_NUMERIC},
    {.name = "Qualified", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = SET_CONTENT | C1(FIELD), .props = P_NAMESPACE},
    {.name = "ScaledStatically",
     .ext = EXT_IOTOPERATIONS,
     4,
     4,
     .targets = NUMERIC_CARRIERS,
     .props = P_SCALE,
     .schema = SET_NUMERIC},
    {.name = "Subject", .ext = EXT_IOTOPERATIONS, 4, 4, .targets = C1(FIELD), .below = "Detail"},
};

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof((a)[0])))
#define IN_VERSION(set, v) ((set) >> (v)&1)

Str ext_context(Ext e) { return str_of(EXTS[e].context); }

uint8_t ext_versions(Ext e, int version) { return version < 1 || version > 4 ? 0 : EXTS[e].versions[version - 1]; }

const MetaClass *meta_class(Cls c) {
    CHECK(c > CLS_NONE && c < CLS_COUNT);
    return &CLASSES[c];
}

Cls meta_find_class(Str name, int version) {
    for (int c = CLS_NONE + 1; c < CLS_COUNT; c++)
        if (IN_VERSION(CLASSES[c].versions, version) && str_eq(name, str_of(CLASSES[c].name))) return (Cls)c;
    return CLS_NONE;
}

const Prop *meta_prop(PropId id) {
    CHECK((int)id >= 0 && id < PROP_COUNT);
    return &PROPS[id];
}

const Prop *meta_find_prop(Str name, Cls c, int version) {
    for (int i = 0; i < PROP_COUNT; i++) {
        const Prop *p = &PROPS[i];
        if (!IN_VERSION(p->versions, version) || !str_eq(name, str_of(p->name))) continue;
        if (c == CLS_NONE || (p->owners & SET(c))) return p;
    }
    return NULL;
}

const Builtin *meta_find_builtin(Str name, int version, bool iotcentral) {
    for (int32_t i = 0; i < COUNT(BUILTINS); i++) {
        const Builtin *b = &BUILTINS[i];
        if (!IN_VERSION(b->versions, version) || !str_eq(name, str_of(b->name))) continue;
        if (iotcentral || !str_starts(str_of(b->group), STR("dtmi:iotcentral:"))) return b;
    }
    return NULL;
}

const Cotype *meta_find_cotype(Ext e, int version, Str name) {
    for (int32_t i = 0; i < COUNT(COTYPES); i++) {
        const Cotype *c = &COTYPES[i];
        if (c->ext == e && version >= c->ext_from && version <= c->ext_to && str_eq(name, str_of(c->name))) return c;
    }
    return NULL;
}

const CoProp *cotype_prop(const Cotype *c, int version, Str name) {
    for (const CoProp *p = c->props; p && p->name; p++)
        if (version >= p->ext_from && str_eq(name, str_of(p->name))) return p;
    return NULL;
}

bool words_have(const char *words, Str word) {
    Str rest = str_of(words);
    while (rest.n > 0)
        if (str_eq(str_cut(&rest, ' '), word)) return true;
    return false;
}

// Words of the core contexts that are neither class, property nor built-in.
static bool other_term(Str name, int version) {
    if (version == 2)
        return words_have("baseUnit bottomUnit exponent prefix symbol topUnit unit languageMajorVersion SemanticType "
                          "SemanticUnit BinaryPrefix BinaryUnit DecimalPrefix DecimalUnit RatioUnit QuantitativeType "
                          "UnitPrefix",
                          name);
    return words_have("aliasFor exponent symbol languageMajorVersion AdjunctType Alias SemanticType SemanticUnit "
                      "DtdlExtension metamodel model",
                      name);
}

static bool v2_unit_term(Str name) {
    const Unit *u = unit_find(name);
    const SemanticType *s = semantic_find(name);
    if ((u && (u->sets & UNITS_V2)) || (s && (s->sets & UNITS_V2))) return true;
    for (int f = 0; f < FAM_COUNT; f++)
        if (str_eq(name, str_of(unit_family((UnitFamily)f)->name))) return true;
    return false;
}

bool meta_known_term(Str name, int version) {
    return meta_find_class(name, version) || meta_find_prop(name, CLS_NONE, version) ||
           meta_find_builtin(name, version, false) || other_term(name, version) || (version == 2 && v2_unit_term(name));
}

const Type *type_of_primitive(Cls c) {
    for (int32_t i = 0; i < COUNT(BUILTINS); i++)
        if (BUILTINS[i].cls == c && BUILTINS[i].type && BUILTINS[i].depth == 0) return BUILTINS[i].type;
    return NULL;
}
