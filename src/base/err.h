// SPDX-License-Identifier: Apache-2.0
// Errors by value. Any thread. Codes come from err.def; where a person must understand the failure, a Diag
// collects code, place and message.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "sosia/types.h"

typedef enum Err {
#define ERR(name, http, exit, wire, text) ERR_##name = SOSIA_##name,
#include "sosia/err.def"
#undef ERR
} Err;

#define MUST __attribute__((warn_unused_result))

// Pass an error up; nothing to clean between.
#define TRY(expr)                                                                                                      \
    do {                                                                                                               \
        Err try_err_ = (expr);                                                                                         \
        if (try_err_ != ERR_OK) return try_err_;                                                                       \
    } while (0)

// Collected complaints of one call. Zero it (or diag_init) before use; untouched when nothing failed.
// The first message decides `code`. Bounded: after DIAG_MESSAGES_MAX further ones are only counted.
typedef struct DiagMessage {
    Err code;
    int64_t at;  // byte offset in the input, -1 when it has no place
    int64_t end; // one past the last byte concerned, -1 when unknown
    Str where;   // path or id the message is about, owned by the Diag
    Str text;    // sentence for a person, owned by the Diag
} DiagMessage;

#define DIAG_MESSAGES_MAX 64

typedef struct Diag {
    Err code;
    int32_t count; // messages kept
    int64_t total; // messages seen
    DiagMessage messages[DIAG_MESSAGES_MAX];
    Arena keep; // owns what the messages point at
} Diag;

// Name of the enum row, for instance "TWIN_NOT_FOUND". Static memory.
const char *err_name(Err e);
// Wire code, HTTP status, exit code and meaning of a row of err.def. Static memory.
const char *err_wire(Err e);
int err_http(Err e);
int err_exit(Err e);
const char *err_text(Err e);

// Start with no message. Cost: none; memory is taken at the first message.
void diag_init(Diag *d);
// Release what the messages own.
void diag_free(Diag *d);
// Add one message and return `code`, so that a parser can `return diag_add(...)`. d may be NULL.
//   at, end  byte span in the input or -1; where: path or id, may be empty; fmt: printf
Err diag_add(Diag *d, Err code, int64_t at, int64_t end, Str where, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
// All messages as one text, a line each ("where: text"), appended to out.
void diag_print(const Diag *d, Buf *out);
