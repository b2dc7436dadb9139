// SPDX-License-Identifier: Apache-2.0
// One call of sosia_history, from the inside. A call belongs to one thread.
//
//   history.c        the call: world -> newest batch that counts, names -> properties, token, answer
//   history_lanes.c  twins of a name, where they lived, and in which lanes their properties lie
//   history_read.c   values of a property in order of time, over all its lanes; what stood before an instant
//   history_page.c   the page of values
//   history_steps.c  the page of intervals
//   history_put.c    a page as JSON, CSV or columns
//
// A property is a path. In each model that its twin had it lies in another column, and in another row of it each time
// the twin moved: a *lane* is a stretch of batches in one row. Its history is that of its lanes in one order:
//   own time, sequence, property, place among values of one batch and time
// which nothing that arrives later can change, as only batches up to `bound` count.
#pragma once
#include "base/map.h"
#include "engine/engine.h"
#include "engine/history_agg.h"
#include "history/history.h"

#define HISTORY_LIMIT_DEFAULT 1000
#define HISTORY_LIMIT_MAX 100000                   // values or intervals of a page
#define HISTORY_PAGE_BYTES_MAX ((int64_t)16 << 20) // of texts in a page; beyond, it ends early
#define HISTORY_PROPERTIES_MAX 1000                // named in one call

typedef struct HistLane {
    uint64_t lane, row;
    uint64_t seq_from, seq_to; // batches that count
    int64_t from, to;          // means that begin in [from, to) count
    bool moved_in, moved_on;   // the twin came from, and went to, another row with those batches
    const Field *field;        // NULL: telemetry
    Str component, member;     // telemetry: of this component's messages that member
} HistLane;

typedef enum HistClass { HIST_NUMBER, HIST_TEXT, HIST_DOC, HIST_MIXED } HistClass;

typedef struct HistProp {
    Str path, schema, unit; // those of the newest model that has it
    HistClass class;
    bool named;      // it was asked for by its path
    HistLane *lanes; // ascending by sequence
    int32_t lane_count, lane_cap;
} HistProp;

// Order of rows. Reversed when the newest come first.
typedef struct HistKey {
    int64_t time;
    uint64_t seq;
    uint64_t prop, ordinal;
} HistKey;

typedef enum HistRowKind { HIST_VALUE, HIST_MEAN, HIST_INTERVAL } HistRowKind;

typedef struct HistRow {
    HistKey key;
    HistRowKind kind;
    bool late;
    AggValue value; // a text is in `text`
    int64_t own, arrival, source_time;
    Str source;        // in the call's arena
    char *text;        // of the page
    AggValue *results; // of an interval, one a function, in the call's arena
    HistoryMean mean;
} HistRow;

typedef struct HistPage {
    HistRow *rows;
    int64_t count, cap, limit;
    int64_t bytes; // of texts
    bool descending;
    bool bounded; // rows not before `last` do not belong to it
    HistKey last;
} HistPage;

typedef enum HistFill { FILL_NONE, FILL_NULL, FILL_PREVIOUS, FILL_LINEAR } HistFill;

typedef struct HistAsk {
    Sosia *engine;
    Realm *realm; // with a reference
    History *history;
    const SosiaHistory *h;
    const SosiaCaller *who;
    SosiaOut *out;
    Arena arena;
    Catalog *catalog;  // held
    uint64_t bound;    // newest batch that counts
    int64_t now;       // of the clock, or the instant of the world: values stand until then
    int64_t from, to;  // [from, to) in the order asked for; the whole of time when nothing was said
    int64_t kept_from; // before, raw values were let go; 0: nothing was
    AggPlan plan;
    HistFill fill;
    HistProp *props;
    int32_t prop_count, prop_cap;
    Map by_path; // -> place in props
    bool resumed;
    HistKey at; // the first row of this page
    HistPage page;
    bool downsampled; // some of what is told was
    bool stopped;     // by h->stop
    int64_t polled;
    Str last_source; // in the arena, as the last row had it
    Map sources;
} HistAsk;

// Set the sentence of a failure and return its code.
Err hist_fail(HistAsk *x, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// False when the caller has had enough: x->stopped.
bool hist_go_on(HistAsk *x);

// ---- lanes --------------------------------------------------------------------------------------------------------

// Fill props. Errors: TWIN_NOT_FOUND, LINK_NOT_FOUND, ARGUMENT, those of reading.
MUST Err hist_lanes(HistAsk *x);

// ---- reading ------------------------------------------------------------------------------------------------------

// One value, or several that were let go (mean).
typedef struct HistPoint {
    int64_t time; // own
    uint64_t seq, ordinal;
    AggValue value; // NONE: cleared
    const HistoryPoint *from;
    const HistoryMean *mean;
} HistPoint;
typedef bool (*HistFn)(void *ctx, const HistPoint *p);

// Values of lane number i of a property with times in [from, to), in order; arrival: times of arrival. fn false: stop.
MUST Err hist_lane_each(HistAsk *x, const HistProp *p, int32_t i, int64_t from, int64_t to, bool arrival, HistFn fn,
                        void *ctx);
// What was let go of it, as means.
MUST Err hist_lane_means(HistAsk *x, const HistProp *p, int32_t i, int64_t from, int64_t to, HistFn fn, void *ctx);
// Values of all lanes of a property and means by own time.
MUST Err hist_each(HistAsk *x, const HistProp *p, int64_t from, int64_t to, HistFn fn, void *ctx);
// The newest value with an own time before `before`; false: there is none, or it was cleared. Its text is in the arena.
MUST Err hist_before(HistAsk *x, const HistProp *p, int64_t before, int64_t *time, AggValue *out, bool *found);
// The oldest value's own time at or after `from`; false: none.
MUST Err hist_first(HistAsk *x, const HistProp *p, int64_t from, int64_t *time, bool *found);
// The newest value's own time; false: none.
MUST Err hist_newest(HistAsk *x, const HistProp *p, int64_t *time, bool *found);

// ---- pages --------------------------------------------------------------------------------------------------------

// < 0: a comes before b on the page.
int hist_key_cmp(const HistPage *page, const HistKey *a, const HistKey *b);
// May a row of this key be on the page?
bool hist_page_wants(const HistAsk *x, const HistKey *k);
// Put it there; row->text becomes the page's.
void hist_page_put(HistAsk *x, const HistRow *row);
// Bring the rows in order and keep those that belong to it, with one more when there are more.
void hist_page_settle(HistPage *page);
void hist_page_free(HistPage *page);
// The page of values, and that of intervals, settled.
MUST Err hist_values(HistAsk *x);
MUST Err hist_steps(HistAsk *x);

// The page as text into out->body.
void hist_put(HistAsk *x);
