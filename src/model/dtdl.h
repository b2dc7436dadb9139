// SPDX-License-Identifier: Apache-2.0
// Inside of the model floor: DTDL documents as a tree of elements, on the way from JSON to Models.
//
//   dtdl_parse    JSON -> Elems: contexts, types, ids, literals, counts (context.c, literal.c, dtdl.c)
//   dtdl_resolve  references by id -> Elems or models of the base schema; depth, recursion, co-type rules (resolve.c)
//   build_models  Elems -> Models in a batch, dependencies first; inheritance (build.c)
//
// Every stage complains into one Diag and goes on, so that one call names all faults. Elems and their strings live in
// the Parser's arena or borrow from the input text; Models own copies of what they keep. One thread at a time.
#pragma once
#include "base/map.h"
#include "base/buf.h"
#include "model/meta.h"
#include "model/schema.h"

typedef enum Unknown { UNKNOWN_BY_VERSION, UNKNOWN_ALLOW, UNKNOWN_REFUSE } Unknown;

typedef struct DtdlOptions {
    bool inline_interfaces; // an Interface may be defined within another; the store refuses that
    Unknown unknown;        // extension contexts nobody knows: by default v2 takes them, v3 and v4 do not
    int max_version;        // 0: 4
    uint8_t limits;         // limit sets accepted, bit LimitSet; 0: the standard one only
} DtdlOptions;

// ORDER LIMITSET: context.c
typedef enum LimitSet { LIMITS_STANDARD, LIMITS_ONVIF, LIMITS_AIO } LimitSet;

// What the contexts in force at an element say.
typedef struct Scope {
    uint8_t version;        // DTDL version
    uint8_t limits;         // LimitSet
    uint8_t ext[EXT_COUNT]; // version of each extension, 0: not in force
    bool unknown;           // some accepted context is not known
} Scope;

typedef struct Elem Elem;
typedef struct ModelBox ModelBox;

// One value of an element property.
typedef struct Value {
    Str id;     // as written: built-in name or DTMI; "" for an inline definition
    Elem *elem; // inline, or what the id resolved to
    const Builtin *builtin;
    const ModelBox *model; // an interface of the base schema
    UnitSet family_set;    // not 0: the enum of the units of `family` in that context
    UnitFamily family;
    const Json *json;
    bool own; // elem is defined here
} Value;

typedef struct Slot {
    const Prop *prop;
    Value *values;
    int32_t count;
    struct Slot *next;
} Slot;

// A co-type the element carries, with the version of its extension.
typedef struct CotypeUse {
    const Cotype *type;
    int32_t version;
    struct CotypeUse *next;
} CotypeUse;

typedef struct CoValue {
    const CoProp *prop;
    const Cotype *type;
    const Json *json;
    Str text;
    int64_t num;
    struct CoValue *next;
} CoValue;

struct Elem {
    Cls cls;
    Scope scope;
    Str id;   // "" when anonymous
    Str name; // property `name`, or ""
    const Json *json;
    Elem *parent;    // NULL for a top-level interface
    const Prop *via; // property of the parent it is a value of
    Elem *root;      // the interface it belongs to: itself for interfaces
    uint64_t given;  // properties present, bit PropId
    Slot *slots;     // element properties, newest first
    CotypeUse *cotypes;
    CoValue *covalues;
    const SemanticType *semantic;
    bool unknown_cotype;
    Str unit;
    Str target;
    bool writable, nullable, has_min, has_max;
    int64_t min_multiplicity, max_multiplicity;
    JsonType literal; // of enumValue: JSON_STRING, JSON_INT, JSON_TRUE, JSON_FALSE; JSON_NULL when absent
    Str text;         // enumValue as text
    int64_t num;      // enumValue as integer
    Lang *display, *description;
    int32_t display_count, description_count;
    bool bad;          // root only: something was wrong in this interface
    uint8_t mark;      // of the walk in progress
    int32_t depth;     // schemas: levels below, -1 not known
    int32_t has_array; // schemas: 1 yes, 0 no, -1 not known
    bool open;         // object schema whose fields are being unfolded
    int32_t seen;      // root only: round of the search that passed here last
    const Type *type;  // schemas: once built
    int32_t index;     // root only: position among Parser.interfaces
};

typedef struct Parser {
    Arena *arena;
    Diag *d;
    DtdlOptions opt;
    const Schema *base;
    Elem **interfaces; // in order of the input; an inline one before the interface it stands in
    int32_t count, cap;
    Map ids; // DTMI -> Elem *
    Err err; // of the first complaint
    int64_t complaints;
    Buf scratch;   // text of a message
    int32_t level; // of the recursion in progress
    int32_t round; // of searches over extends
} Parser;

// Parse `docs` (an array of objects, or one object) into p->interfaces. Complaints: see Parser.err.
void dtdl_parse(Parser *p, const Json *docs);
// Resolve every reference and check what needs resolved references.
void dtdl_resolve(Parser *p);

// Make a Model of every interface that is sound, in memory of `batch`; boxes[i] belongs to interfaces[i], NULL when the
// interface or one it depends on is not sound. Complains about faults of inheritance.
struct Batch;
void build_models(Parser *p, struct Batch *batch, ModelBox **boxes);

#define RECURSION_MAX 1000        // references followed one from another: bounds the stack
#define MODEL_FIELDS_MAX 100000   // columns of one model
#define SCHEMA_FIELDS_MAX 1000000 // columns and other contents of all models of a schema, each as often as inherited

// ---- shared between the stages ----
// Add one complaint about element e (NULL: the whole input) and, when not NULL, its property.
//   rule   name of the DTDL parsing error;  fmt: what is wrong and what to do
void complain(Parser *p, const Elem *e, const char *prop, Err code, const char *rule, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
#define COMPLAIN(p, e, prop, ...) complain(p, e, prop, ERR_MODEL, __VA_ARGS__)
// The values of an element property; count 0 when absent.
const Slot *elem_slot(const Elem *e, PropId id);
// The one value of a singular element property, or NULL.
const Value *elem_value(const Elem *e, PropId id);
// The class of a value, CLS_NONE while unresolved.
Cls value_class(const Value *v);
bool elem_has_cotype(const Elem *e, Str name);

// ---- context.c ----
// The scope of an element with `@context` ctx within `outer` (NULL at top level, where ctx may be NULL: absent).
// False when the element cannot be read any further.
bool scope_parse(Parser *p, const Elem *e, const Json *ctx, const Scope *outer, Scope *out);

// A DTMI of the DTDL vocabulary taken apart.
typedef enum Category { CAT_NONE, CAT_CLASS, CAT_PROP, CAT_VALUE, CAT_UNIT, CAT_FAMILY, CAT_OTHER } Category;
typedef struct Vocab {
    Category category;
    Str term;
    int ext;     // Ext, or -1: core
    int version; // of the core or the extension
} Vocab;
// CAT_NONE when it is no DTMI of the vocabulary.
Vocab vocab_parse(Str uri);
// The bit of the unit tables that the scope makes available, 0: none.
UnitSet scope_units(const Scope *s);
// `term` means something in the scope, in whatever role.
bool scope_knows(const Scope *s, Str term);

// ---- literal.c: each complains and returns false when the value is not of its kind ----
bool literal_string(Parser *p, const Elem *e, const char *prop, const Json *v, Str *out);
bool literal_integer(Parser *p, const Elem *e, const char *prop, const Json *v, int64_t *out);
bool literal_boolean(Parser *p, const Elem *e, const char *prop, const Json *v, bool *out);
bool literal_number(Parser *p, const Elem *e, const char *prop, const Json *v);
bool literal_duration(Parser *p, const Elem *e, const char *prop, const Json *v, Str *out);
// String, integer or boolean.
bool literal_any(Parser *p, const Elem *e, const char *prop, const Json *v, Json *out);
// Text in several languages; len: longest text per language.
void literal_langs(Parser *p, const Elem *e, const char *prop, const Json *v, int64_t len, Lang **out, int32_t *count);

// schema_add under other rules than the store's: for tests of the language.
MUST Err schema_add_with(const Schema *base, const Json *docs, const DtdlOptions *opt, Schema **out, Diag *d);
