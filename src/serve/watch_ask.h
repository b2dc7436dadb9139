// SPDX-License-Identifier: Apache-2.0
// What a client of GET /watch says: {"subscribe":{"id":"a", ...}}, several in a list, or {"unsubscribe":"a"}. A
// function of its arguments; any thread.
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define WATCH_ASK_BYTES_MAX (1 << 20) // of one message
#define WATCH_INTERESTS_MAX 32        // of one watch
#define WATCH_ID_MAX 64               // bytes of the id of an interest
#define WATCH_TWINS_MAX 10000         // named in one interest
#define WATCH_NAMES_MAX 64            // properties, models of one interest
#define WATCH_INTERVAL_MS_MIN 50
#define WATCH_INTERVAL_MS_MAX 60000

// What is told of. ORDER WATCH: bits as in WHATS.
enum { WATCH_VALUES = 1, WATCH_TWINS = 2, WATCH_LINKS = 4, WATCH_LINK_VALUES = 8 };

typedef struct WatchAsk {
    Str id;
    Str *twins, *models, *properties; // none: any
    int32_t twin_count, model_count, property_count;
    Str where; // "": none
    uint32_t what;
    int64_t interval_ns;
} WatchAsk;

// One message.
typedef struct WatchSay {
    WatchAsk *subscribe;
    int32_t count;   // of `subscribe`, at most WATCH_INTERESTS_MAX
    Str unsubscribe; // an id, where count is 0
} WatchSay;

// Everything lives in `keep`. Errors: SYNTAX (no JSON), ARGUMENT, LIMIT; *why gets a sentence then, static memory.
MUST Err watch_parse(Str text, Arena *keep, WatchSay *out, const char **why);
// A copy that lives in `keep`.
WatchAsk watch_ask_copy(const WatchAsk *ask, Arena *keep);
