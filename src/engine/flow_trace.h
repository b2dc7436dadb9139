// SPDX-License-Identifier: Apache-2.0
// Traces: what becomes of single things that move among twins (parts, patients, orders) in a run that was asked to
// follow them: made, entered, started, done, blocked, left, lost, out, and twins that fail and are repaired. The first
// things that are met are followed, for good; the others are not told of.
//
// A trace is its bytes, one record behind the other, so memory and file are the same:
//
//   N name            a twin, the next number (from 0 on)
//   W word            likewise what can happen
//   A                 begun anew from the world as it is: items are counted from 0 again, earlier twins' numbers end
//   E time item source twin word   time: ns since the event before; source and twin: number + 1, 0: none
//
// Invariants
//  1. Bytes are at most TRACE_BYTES_MAX and things at most `most`: beyond, `full` is set and what comes is left out.
//  2. Events ascend by time; their number is their place, from 1 on.
// Threads: one at a time; run.h guards a run's with Run.lock.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "sim/sim.h"

#define TRACE_ITEMS_DEFAULT 1000
#define TRACE_ITEMS_MAX 100000             // things that one trace follows
#define TRACE_BYTES_MAX (INT64_C(6) << 20) // of its records: about 600,000 events
#define TRACE_PAGE_MAX 100000              // events of one answer
#define TRACE_KIND STR("sosia.run.trace")  // item: the trace of a run, by world

#define TRACE_WORDS_MAX 32  // things that can happen, in one trace: what is more is told as the last
#define TRACE_WORD_BYTES 16 // of one, with a 0 behind

typedef struct Trace {
    uint64_t number; // of the scenario
    uint32_t most, items;
    bool full, goes_on; // goes_on: the run at work adds to it
    uint64_t events;
    int64_t last_ns;
    Buf bytes;
    // What follows from the bytes: numbers by dense twin, words by pointer, things that are followed.
    const SimGraph *graph; // NULL: not known, see flow_trace_graph
    uint32_t *twin;        // by dense number: number + 1
    uint32_t twins, word_count;
    char words[TRACE_WORDS_MAX][TRACE_WORD_BYTES];
    uint64_t *followed; // a table of hashes, 0: free
    uint32_t slots;
} Trace;

// Empty, for the first `items` things (0: TRACE_ITEMS_DEFAULT).
Trace *flow_trace_new(uint32_t items);
void flow_trace_free(Trace *t); // NULL is fine
// Twins are those of g from now on; borrowed until the next call (NULL: nothing is added before one).
void flow_trace_graph(Trace *t, const SimGraph *g);
// An event at a world's time, not before the last.
void flow_trace_add(Trace *t, int64_t ns, const SimTrace *x);
// It was begun anew; after flow_trace_graph.
void flow_trace_anew(Trace *t);
// Take out the events at that twin, and of things that it made; numbers of events close up. False: there were none.
bool flow_trace_forget(Trace *t, Str twin);

// As bytes for a file, and back. NULL: damaged.
void flow_trace_encode(const Trace *t, Buf *out);
Trace *flow_trace_decode(Str bytes);

// ---- answers --------------------------------------------------------------------------------------------------------

typedef struct TraceAsk {
    Str twin, source; // only events there, of things made there; "": any
    int64_t item;     // only the thing of that number; < 0: any
    uint64_t after;   // events behind that number
    int32_t limit;    // lines at most; 0: TRACE_PAGE_MAX
} TraceAsk;
// One JSON object a line: {"n","time","twin","what","item","source"}, and "anew": how often it was begun anew before.
void flow_trace_show(const Trace *t, const TraceAsk *ask, Buf *out);
// Append {"items","followed","events","full"}: what was asked for, and how much of it there is.
void flow_trace_tell(const Trace *t, Buf *out);
