// SPDX-License-Identifier: Apache-2.0
// TestWorld: random batches for a world, and its content as bytes to compare. Not part of the product: nothing in it
// refers to this file. One thread at a time.
#pragma once
#include "base/rng.h"
#include "world/world.h"

// Interfaces of the test worlds, a JSON array: a machine with numbers, texts, a map, a component and relationships, and
// a place.
extern const char test_models[];

// Who writes: its random numbers and what it knows to be alive.
typedef struct TestWriter {
    Rng rng;
    uint64_t *twins, *links;
    int64_t twin_count, link_count, twin_cap, link_cap;
    int64_t named; // names handed out
} TestWriter;

// Learn what is alive from the world, after opening it or undoing in it.
void test_writer_look(TestWriter *t, World *w);
// One batch of up to `changes` random changes, applied (world_begin to world_end) and its bytes appended to out. The
// first batch of a world uploads the models. A world whose pages below cannot be made is rolled back: no bytes.
void test_writer_batch(TestWriter *t, World *w, uint64_t seq, int64_t changes, Buf *out);
// Release its lists.
void test_writer_free(TestWriter *t);
// Append everything the world says, in a fixed order: scalars, models, twins, links, values and times.
void test_world_dump(World *w, Buf *out);
