// SPDX-License-Identifier: Apache-2.0
// For tests of Sim: a world of units that feed each other, and toy engines whose results are known. Not part of the
// product. One thread at a time.
#pragma once
#include "base/rng.h"
#include "sim/sim.h"

#define TEST_SIM_EPOCH INT64_C(1767225600000000000) // 2026-01-01T00:00:00Z

// Columns of the model dtmi:test:Unit;1 by their field.
typedef enum UnitField {
    UNIT_PERIOD, // s
    UNIT_COUNT,  // integer
    UNIT_HEIGHT, // m
    UNIT_VELOCITY,
    UNIT_BOUNCES, // integer
    UNIT_LEVEL,
    UNIT_RATE,
    UNIT_SUM,
    UNIT_TOTAL,
    UNIT_QUEUE, // integer
    UNIT_ON,    // boolean
    UNIT_MODE,  // enum of strings: OFF, RUN
    UNIT_TEMP,  // degreeCelsius
    UNIT_TAG,   // string
    UNIT_SIZE,  // byte
    UNIT_FIELDS
} UnitField;

typedef struct TestSim {
    Domain *d;
    World *w;
    SimGraph *g;
    uint32_t units; // twins unit-0 ... of the model Unit; as many of the model Other besides
    uint32_t first; // column of field 0
    uint64_t *ids;
} TestSim;

// n units with values by seed; unit i feeds unit i + 1 (with a weight), the last feeds the first.
void test_sim_open(TestSim *t, uint32_t n, uint64_t seed);
void test_sim_close(TestSim *t);
// Set one number of one unit and gather the graph anew; NaN takes the value away.
void test_sim_set(TestSim *t, uint32_t unit, UnitField f, double value);
// One more relationship between twins by id, and the graph anew. kind: 0 feeds, 1 startsAt, 2 endsAt.
void test_sim_link(TestSim *t, uint32_t kind, uint64_t from, uint64_t to);
// The id of a twin by its name.
uint64_t test_sim_twin(TestSim *t, const char *name);
// The Sim's column of a field.
uint32_t test_column(const TestSim *t, Sim *s, UnitField f);
// Gather from the world's view; CHECKs that it worked.
void test_gather(const TestSim *t, Sim *s, uint16_t lanes);

// ---- toy engines ---------------------------------------------------------------------------------------------------

// out = gain * a + b * share + plus, row by row; memoryless; lanes. Roles: a, b IN; out OUT.
typedef struct ToySum {
    double gain, share, plus;
} ToySum;
extern const sim_engine toy_sum;
// count goes up by 1 every `period` (PARAM, > 0) from t = period on; lanes. Roles: period PARAM, count STATE.
extern const sim_engine toy_tick;
// A ball without air: height, velocity STATE, bounces OUT; keeps 0.8 of its speed. Roots; lanes.
extern const sim_engine toy_ball;
// The same, one lane at a time.
extern const sim_engine toy_ball_lone;
// level = integral of rate; continuous, without roots; lanes. Roles: rate IN, level STATE.
extern const sim_engine toy_tank;
// Arrivals and one server by random times of mean 1 s and 0.8 s, through post; one lane. Roles: queue OUT, on IN (no
// arrivals while it is 0).
extern const sim_engine toy_queue;
