// SPDX-License-Identifier: Apache-2.0
// Documents of a graph gathered from files: models, twins, relationships, each one compact JSON line with the place it
// came from. Reads the Azure Digital Twins bulk format (NDJSON with {"Section":...} lines), JSON files (one document,
// an array, or an object with "models", "twins", "relationships", or an explorer export), NDJSON without sections, and
// folders of all these. One thread.
#pragma once
#include "codec/json.h"

typedef enum DocKind { DOC_MODEL, DOC_TWIN, DOC_LINK, DOC_KINDS } DocKind;

typedef struct Doc {
    Str text;     // compact JSON, without newline
    Str id;       // @id, $dtId, or $relationshipId (may be empty in a damaged one)
    int32_t file; // index in Docs.files
    int64_t line; // from 1
} Doc;

typedef struct DocList {
    Doc *items;
    int64_t count, cap;
} DocList;

// One thing that could not be read.
typedef struct DocError {
    int32_t file;
    int64_t line;
    Str text;
} DocError;

#define DOC_ERRORS_MAX 1000

typedef struct Docs {
    Arena keep; // owns everything below
    Str *files;
    int32_t file_count, file_cap;
    DocList list[DOC_KINDS];
    DocError errors[DOC_ERRORS_MAX];
    int32_t error_count; // kept
    int64_t error_total;
} Docs;

// Begin with no document; release all.
void docs_init(Docs *d);
void docs_free(Docs *d);
// Read a file, a folder (all .json and .ndjson below it but what is for pages, in order of name) or "-" (stdin).
// Documents that cannot be read become errors; the rest is kept. Errors: IO, LIMIT; told already.
MUST Err docs_read(Docs *d, Str path);
// The same for a text in memory that outlives `d`; `name` stands for the file in messages.
void docs_read_text(Docs *d, Str name, Str text);
// Put the models in an order in which each comes behind those it extends or embeds (as far as they are in the set).
// Cost: O(models + references).
void docs_order_models(Docs *d);
// Note that something is wrong with a document; kept up to DOC_ERRORS_MAX, then only counted.
void docs_error(Docs *d, int32_t file, int64_t line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
// Append "FILE:LINE".
void docs_place(const Docs *d, int32_t file, int64_t line, Buf *out);
