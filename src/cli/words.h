// SPDX-License-Identifier: Apache-2.0
// Words: what the query shell can complete, and how it finds its way in a text that is still being typed. Pure
// functions over texts; one thread.
#pragma once
#include "base/map.h"
#include "codec/json.h"

// ORDER WORD
typedef enum WordKind { WORD_MODEL, WORD_PROPERTY, WORD_RELATIONSHIP, WORD_UNIT, WORD_WORLD, WORD_KINDS } WordKind;

// Names that a server knows, each once, sorted when asked for.
typedef struct Words {
    Arena keep;
    Map seen; // "kind name"
    Buf lists[WORD_KINDS];
} Words;

typedef struct Completion {
    int64_t from; // where the word begins that is completed
    Str *items;   // candidates, sorted, each once
    int32_t count;
    Str insert; // replaces [from, at): what all candidates begin with, and what follows a single one
} Completion;

// Start empty.
void words_init(Words *w);
// Forget all names, keep the memory.
void words_reset(Words *w);
void words_free(Words *w);
// Add a name unless it is there.
void words_add(Words *w, WordKind kind, Str name);
// Add a DTDL interface: its id, names of properties, of fields of objects, components and relationships, units.
void words_add_model(Words *w, const Json *interface);
// What may stand at byte `at` of `text`: a command of the shell when the text begins with a backslash, else a piece of
// a query. Words have any case (the letters typed so far decide), names their own. Texts live in `a`.
//   SELECT T.te|            properties                 IS_OF_MODEL(T, 'dtmi:|      models
//   RELATED T.|             relationships              -[:|   SUM(->|              relationships
//   > 20 'deg|              units                      \world |                    worlds
void words_complete(const Words *w, Arena *a, Str text, int64_t at, Completion *out);

// Offset of the `;` that ends the statement at the beginning of `text`, or -1: not within texts, [[names]], comments.
int64_t statement_end(Str text);
// Append the statement as one line: comments go, a line break with the blanks around it becomes one blank.
void statement_line(Str text, Buf *out);
