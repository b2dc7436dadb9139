// SPDX-License-Identifier: Apache-2.0
// A past for a file that is new: what a site tells of the hours before now (packs/site_past.h) is lived by an engine
// whose clock runs through those hours, so that every value arrives when it came to be known, and worlds of the past,
// history and charts are there at once. No server listens meanwhile: the clock is that of a process which nobody can
// reach, on a file that nobody has yet (docs/decisions/0017-a-past-that-was-lived.md). One thread.
#pragma once
#include "base/buf.h"
#include "base/err.h"

// What a file is called until its past is complete.
#define PAST_SUFFIX ".part"
#define PAST_HOURS_MAX 168       // that `sosia demo --past` takes
#define PAST_BODY_MAX (16 << 20) // bytes of a frame

typedef struct PastSource {
    int in; // the site tells here; past_live closes it
    int64_t begin_ns, length_ns;
} PastSource;

// Live it into PATH.part and, when it is complete, give it its name. One that was left there half is thrown away first.
// Draws its progress on a terminal. Errors: those of the engine, CLOSED (a signal came, nothing is told), BUSY (another
// process is at it, or made PATH), SYNTAX (what came is no past), IO; nothing is left of it then.
MUST Err past_live(Str path, const PastSource *from);

// The first line of a frame, "WHAT BYTES TIME" or "WHAT/NAME BYTES TIME", without its line feed. Texts are borrowed.
typedef struct PastHead {
    Str what, name;
    int64_t bytes, time_ns;
} PastHead;
// False: it is none.
bool past_head(Str line, PastHead *out);
// "Living the last 8 hours … 5 h 20 min".
void past_progress(int64_t lived_ns, int64_t length_ns, Buf *out);
