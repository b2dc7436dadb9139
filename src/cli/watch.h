// SPDX-License-Identifier: Apache-2.0
// The state behind `sosia watch`: the values seen so far, how often each one comes, which are stale, and the screen
// that shows them. A function of what it is told; reads no clock and no socket. One thread.
#pragma once
#include "base/map.h"
#include "cli/text.h"
#include "codec/json.h"

typedef struct WatchRow {
    Str twin, path;
    Buf value;          // as text
    Str unit;           // symbol
    int64_t updated_ns; // when the server took it
    double interval_ns; // usual time between updates, smoothed; 0: not known yet
    int64_t updates;    // seen on the stream
    bool sensor;        // came with a source time: somebody measures it
    bool gone;          // the twin was deleted or the value removed
} WatchRow;

typedef enum WatchSort { WATCH_BY_NAME, WATCH_BY_CHANGE, WATCH_BY_STALE, WATCH_SORTS } WatchSort;

typedef struct Watch {
    Arena keep; // names
    Map index;  // "twin\0path" -> row
    Map models; // twin -> index into model_names
    Buf row_store, order_store, model_names;
    WatchRow *rows; // in row_store
    int32_t *order; // in order_store: rows as shown
    int64_t count;
    bool dirty; // order has to be made again
    WatchSort sort;
    int64_t stale_after_ns;          // 0: from the usual interval of each value
    int64_t changes;                 // values seen on the stream
    int64_t second, in_second, rate; // changes of the last full second
    const Str *patterns;             // globs of twin ids; none: all
    int32_t pattern_count;
    Str property; // glob of paths; empty: all
} Watch;

// Begin empty; release all.
void watch_init(Watch *w);
void watch_free(Watch *w);
// Does `text` match a glob of '*' and '?'?
bool watch_glob(Str pattern, Str text);
// Does the filter let this twin, and this property of it, through?
bool watch_wants_twin(const Watch *w, Str twin);
bool watch_wants(const Watch *w, Str twin, Str path);
// Remember a twin's model (for units).
void watch_model(Watch *w, Str twin, Str model);
Str watch_model_of(const Watch *w, Str twin);
// Take a whole twin as GET answers it. all: also values that no sensor feeds.
void watch_twin(Watch *w, const Json *twin, bool all);
// Take one value from the stream. Returns its row, NULL when the filter drops it; borrowed until the next call.
WatchRow *watch_set(Watch *w, Str twin, Str path, const Json *value, int64_t time_ns, bool sensor);
// A value or (path "") a twin is gone.
void watch_gone(Watch *w, Str twin, Str path);
// A sensor's value that has not come for much longer than usual (five intervals, at least three seconds; a minute while
// the interval is not known), or longer than stale_after_ns.
bool watch_is_stale(const Watch *w, const WatchRow *r, int64_t now_ns);
// Values that are stale now.
int64_t watch_stale(const Watch *w, int64_t now_ns);

typedef struct WatchScreen {
    int32_t columns, rows;
    bool colour;
    int64_t first;     // row at the top; corrected when it is too large
    Str title, status; // what is watched; "" or why nothing comes
} WatchScreen;

// Append one screen: a title line, the table, a line with the keys; never more than screen->rows lines.
void watch_draw(Watch *w, WatchScreen *screen, int64_t now_ns, Buf *out);

// ---- server-sent events -------------------------------------------------------------------------------------------

typedef struct SseEvent {
    char name[32]; // "message" unless told
    Buf data;
} SseEvent;

// Take the next whole event off the front of `bytes`. False when none is complete yet. Comments are dropped.
bool sse_next(Buf *bytes, SseEvent *out);
