// SPDX-License-Identifier: Apache-2.0
// Inside of the model floor: who owns models.
//
// Invariants
// 1. A Batch is the memory of the models of one schema_add (or the one copy a schema_decommission makes). Nothing in
//    it changes once the schema it was made for is handed out, except the reference count.
// 2. A Schema holds one reference to every batch that one of its models lives in.
// 3. A model points at models it depends on. Those are in the same schema: schema_remove refuses to take a model away
//    that another depends on. A decommissioned copy keeps the batch of its original alive (Batch.origin), because
//    models point at the original, never at a copy (box_original). So no pointer inside a schema outlives its target.
#pragma once
#include <stdatomic.h>
#include "base/map.h"
#include "model/schema.h"

typedef struct Batch {
    atomic_int refs;
    Arena arena;
    struct Batch *origin; // NULL, or the batch the only model here was copied from; one reference
} Batch;

typedef enum ContentKind {
    CONTENT_PROPERTY,
    CONTENT_COMPONENT,
    CONTENT_RELATIONSHIP,
    CONTENT_TELEMETRY,
    CONTENT_COMMAND
} ContentKind;

typedef struct ModelBox ModelBox;

// One entry of `contents`, own or inherited.
typedef struct Content {
    Str name;
    ContentKind kind;
    const ModelBox *owner; // the interface that defines it
    int32_t at;            // index into fields, rels, telemetries or commands of the model at hand
    int64_t elements;      // it and the elements below it, those of a component's interface counted
} Content;

// A Model and what only this floor needs to know of it.
struct ModelBox {
    Model m; // first: a Model pointer is a ModelBox pointer
    Batch *batch;
    uint64_t hash;           // of the id
    const Content *contents; // own and inherited, order of the fields
    int32_t content_count;
    int32_t extends_depth; // levels above it
    int64_t element_count; // elements below it, own, inherited and in components
    bool has_component;
    const ModelBox *original; // of a decommissioned copy, else NULL
    uint32_t *field_slots;    // open addressing over fields by path, index + 1; NULL when there are few
    uint32_t field_mask;
    uint32_t *content_slots; // the same over contents by name
    uint32_t content_mask;
};

// The box around a Model; every Model a schema hands out lies in one.
static inline const ModelBox *box_of(const Model *m) { return (const ModelBox *)m; }
// What other models may point at.
static inline const ModelBox *box_original(const ModelBox *b) { return b && b->original ? b->original : b; }

struct Schema {
    atomic_int refs;
    int32_t count;           // slots used, NULL for removed models
    int32_t live;            // models
    int64_t fields;          // columns and other contents of all models
    const ModelBox **models; // [count]
    uint32_t *slots;         // open addressing by id, index + 1
    uint32_t mask;
    Batch **batches;
    int32_t batch_count;
};

// As schema_find.
const ModelBox *schema_box(const Schema *s, Str id);
