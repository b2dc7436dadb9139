// SPDX-License-Identifier: Apache-2.0
// For tests of plans: worlds of a certain shape, a question asked with given options, and a crew. Not part of the
// product. One thread at a time.
#pragma once
#include "query/test_graph.h"

// Answer to one question.
typedef struct TestAnswer {
    Err err;
    Buf rows, plan, notes, message; // rows: of all pages, each followed by a newline; plan: after the last one
    QueryStats stats;
    int64_t estimate; // for a page of 100
} TestAnswer;

// Ask in pages of `page` rows; o->now is set when it is 0. Release with test_answer_free.
void test_ask(World *w, const QueryOptions *o, int64_t page, const char *text, TestAnswer *out);
void test_answer_free(TestAnswer *a);

// Run for QueryCrew.run: as many threads as ctx, a QueryCrew, says, for one call.
void test_crew_run(void *ctx, int32_t n, void (*fn)(void *arg, int32_t i), void *arg);

// n twins "r0" ... of dtmi:t:Room;1: count = i % 7, temp = i / 10.0, name "n<i % 100>", area = i * 0.1 (not exact).
void test_rooms(TestGraph *g, int32_t n);
// A twin of dtmi:t:Other;1.
void test_other(TestGraph *g, const char *id);
// A relationship with its names.
void test_link(TestGraph *g, const char *source, const char *rel, const char *target);
// n twins "k0" ... of dtmi:t:Room;1, each with a relationship `near` to every other.
void test_complete(TestGraph *g, int32_t n);
