// SPDX-License-Identifier: Apache-2.0
// Metrics of Sparkplug B as properties: the DTDL schema a metric gets, and documents of templates. One thread at a
// time; nothing here asks the engine.
//
//   Int8..Int32, UInt8, UInt16: integer     UInt32, Int64, UInt64: long (a UInt64 born above 2^63 - 1: string)
//   Float: float  Double: double  Boolean: boolean  DateTime: dateTime
//   String, Text, UUID; Bytes and File (base64): string
//   arrays: Array   DataSet: Array of Object, a field a column
//   Template: Object, a field a member, with templateRef, version and parameters. Data may bring some members only: the
//   others stay as they were, so the document is kept here. Deeper than DTDL takes (5 levels): string of JSON.
#pragma once
#include "codec/sparkplug.h"

#define SPARKPLUG_MEMBERS_MAX 1000 // of one template; further ones are left out

typedef struct SpTree SpTree;

// One member of a template, with its last value.
typedef struct SpLeaf {
    Str name;      // as the source calls it
    Str key;       // as DTDL calls it, unique in its tree
    uint32_t type; // SpType
    SpTree *tree;  // of a template
    Buf value;     // JSON, "" when there is none
} SpLeaf;

struct SpTree {
    SpLeaf *leaves;
    int32_t count, cap;
    Str ref, version; // in the arena
    Buf parameters;   // JSON object or ""
    Buf schema;       // of the parameters: DTDL fields, or ""
};

// The tree of a template born: members of the definition (may be NULL), then those of the instance.
// Texts in the arena; sparkplug_tree_free releases the rest.
SpTree *sparkplug_tree(const SpTemplate *definition, const SpTemplate *instance, Arena *arena);
void sparkplug_tree_free(SpTree *t);
// Take over the members an instance brings. A member that cannot be read, or that the tree lacks, is left out and said
// in *why (static memory); the others count.
MUST Err sparkplug_tree_update(SpTree *t, const SpTemplate *instance, Arena *scratch, const char **why);
// Append the document.
void sparkplug_tree_put(const SpTree *t, Buf *out);
// The schema of a metric as a DTDL text: a name ("double") or a JSON object. In the arena; "" when the type is unknown.
//   m  as born: data sets tell their columns
Str sparkplug_schema(const SpMetric *m, uint32_t type, const SpTree *tree, Arena *arena);
// An instance of the template with the members the object `v` names. Errors: VALIDATION, UNSUPPORTED.
MUST Err sparkplug_tree_set(const SpTree *t, const Json *v, Arena *arena, SpTemplate **out, const char **why);
// A data set with the columns of `like` from an array of objects. Errors: VALIDATION.
MUST Err sparkplug_dataset_set(const SpDataSet *like, const Json *v, Arena *arena, SpDataSet **out, const char **why);
