// SPDX-License-Identifier: Apache-2.0
// TestGraph: random worlds and random queries by seed, for tests and fuzz targets. Models inherit, embed components,
// give one name different types, and hold maps, objects and arrays; values repeat and are often missing; doubles are
// multiples of 1/4, so that sums are exact in any order; relationships are parallel, circular and to oneself. Not part
// of the product. One thread at a time.
#pragma once
#include "base/rng.h"
#include "query/query.h"
#include "world/test_trails.h"

#define TEST_GRAPH_NOW INT64_C(1767225600000000000) // 2026-01-01T00:00:00Z

typedef struct TestGraph {
    Domain *d;
    World *w;
    Rng rng;
    Arena arena; // of one write
    uint64_t seq;
    int64_t now;   // update time of the last batch
    int64_t named; // twins made so far: t0, t1, ...
    TrailLog *log; // takes the trail of every batch; NULL: none
} TestGraph;

// A world with models and nothing else.
void test_graph_open(TestGraph *g, uint64_t seed);
// The same; the trails of all its batches go to the log, which is borrowed.
void test_graph_open_kept(TestGraph *g, uint64_t seed, TrailLog *log);
// Up to so many twins and relationships more.
void test_graph_grow(TestGraph *g, int64_t twins, int64_t links);
// So many twins of the model Base and relationships `near` between them, in large batches: counts grow with the twins,
// temperatures and the weights of relationships are spread, names are many.
void test_graph_bulk(TestGraph *g, int64_t twins, int64_t links);
// Random writes, each a batch: twins made, changed, retyped and deleted, relationships likewise.
void test_graph_write(TestGraph *g, int64_t writes);
// Apply one twin or relationship of the bulk format, {'$dtId':...} or {'$relationshipId':...}. ' stands for ".
MUST Err test_graph_put(TestGraph *g, bool link, const char *json);
void test_graph_close(TestGraph *g);

// A past of every property: values made up of the twin, the property and the time alone.
extern const ExprPast TEST_PAST;

// What random queries may ask for.
typedef enum TestQueryForm {
    TEST_QUERY_TWINS,
    TEST_QUERY_LINKS,
    TEST_QUERY_JOIN,
    TEST_QUERY_MATCH,
    TEST_QUERY_SHORTEST,
    TEST_QUERY_FORMS
} TestQueryForm;
// Append one random query, which parses and binds.
void test_graph_query(Rng *rng, TestQueryForm form, Buf *out);
// Append one random query about the values that test_graph_bulk makes, selective mostly, of a few columns only.
void test_graph_lookup(Rng *rng, TestQueryForm form, Buf *out);
