// SPDX-License-Identifier: Apache-2.0
// The change: the one verb of a world, and its bytes in the journal and on the feed. Any thread.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "model/schema.h"

// ORDER CHANGE: stored; append only.
typedef enum ChangeKind {
    CHANGE_MODELS_ADD = 1, // text: JSON array of interfaces
    CHANGE_MODEL_REMOVE,   // text: DTMI
    CHANGE_MODEL_FLAG,     // text: DTMI; bits: decommissioned 0/1
    CHANGE_TWIN_NEW,       // id: new twin; col: model index; text: name
    CHANGE_TWIN_DEL,       // id; the world fills in text: name
    CHANGE_TWIN_MODEL,     // id; col: new model index; values of same path and cell kind move along
    CHANGE_SET,            // id: twin; col: column; value; source_time
    CHANGE_UNSET,          // id; col; on a marker it clears everything inside
    CHANGE_SOURCE_TIME,    // id; col; source_time: of the value as it is
    CHANGE_LINK_NEW,       // id: new link; other: source; target; col: kind; text: relationship id
    CHANGE_LINK_DEL,       // id: link; the world fills in other, target, col: kind and text: relationship id
    CHANGE_LINK_SET,       // id: link; col: column; value
    CHANGE_LINK_UNSET,     // id: link; col
    CHANGE_TELEMETRY,      // id: twin; text: component path "\0" message id "\0" JSON payload; source_time. No state
    CHANGE_LATE,           // id: twin; col; value; source_time: kept by its own time, moves no present value
    CHANGE_DOC,            // text: collection "\0" name "\0" JSON; empty JSON removes the document
    CHANGE_TICK,           // the time of the batch has come: what expressions of now() say at it follows. No state
    CHANGE_TWIN_WAS,       // id: twin; col: model index; text: JSON of the twin that TWIN_DEL deletes next. No state
    CHANGE_LINK_WAS,       // id: link; text: JSON of the link that LINK_DEL deletes next. No state
    CHANGE_LINK_AT, // id: link, other: source, target, col: kind, text: relationship id; said by the world before
                    // the LINK_SETs and LINK_UNSETs of a link that is not new in the batch. No state
    CHANGE_ERASED,  // id: dead twin; text: what stands in place of its name from now on
    CHANGE_KIND_COUNT
} ChangeKind;

typedef struct Change {
    uint8_t kind;        // ChangeKind
    uint8_t cell;        // CellKind of the value
    bool stream;         // SET: a source's value, see world_do. Not stored
    bool fresh;          // SET, LINK_SET: there was no value; the world fills it in
    uint32_t col;        // column (vector number), model index or link kind
    uint64_t id;         // twin or link
    uint64_t other;      // LINK_NEW: source twin
    uint64_t target;     // LINK_NEW: target twin
    uint64_t bits;       // value of non-text cells: bool, int64_t, double by its bits
    Str text;            // value of text cells (CELL_STR, CELL_DOC), or as listed above
    int64_t source_time; // ns, 0: none
} Change;

typedef struct BatchHead {
    uint64_t seq;
    int64_t time;  // update time: strictly increasing, a multiple of 100 ns
    Str source;    // who or what sent it
    int64_t count; // changes
} BatchHead;

// Append one change's bytes.
void change_encode(const Change *c, Buf *out);
// Append a batch: head, then `changes` (bytes of head->count encoded changes).
void batch_encode(const BatchHead *head, Str changes, Buf *out);
// Read a head; then change_decode head->count times on the same cursor. Texts are borrowed. Errors: CORRUPT.
MUST Err batch_decode(Cut *c, BatchHead *head);
MUST Err change_decode(Cut *c, Change *out);

// Double to bits and back.
static inline uint64_t bits_of(double d) {
    uint64_t u;
    __builtin_memcpy(&u, &d, 8);
    return u;
}
static inline double double_of(uint64_t u) {
    double d;
    __builtin_memcpy(&d, &u, 8);
    return d;
}
static inline bool cell_is_text(CellKind k) { return k == CELL_STR || k == CELL_DOC; }
