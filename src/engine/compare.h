// SPDX-License-Identifier: Apache-2.0
// Runs side by side: what each world counted, gathered once (compare.c), then as JSON, as charts (compare_chart.c) or
// as a page (compare_page.c).
#pragma once
#include "engine/kpi.h"

#define COMPARE_CHANGES_MAX 20 // of one world that are told

// What a world did differently, as a sentence: "at 2 h: tank-1.inflow = 20".
typedef struct CompareChange {
    Str text;
} CompareChange;

typedef struct CompareWorld {
    Str name, purpose;
    bool runs; // a fork: not live, not the past
    const char *state;
    Kpis *kpis; // NULL: there was no run
    int64_t begin_ns, now_ns, until_ns;
    CompareChange *changes;
    int32_t change_count;
    int64_t change_total;
} CompareWorld;

// One KPI in one world.
typedef struct CompareCell {
    const Kpis *kpis; // NULL: it was not counted there
    const KpiRow *row;
    double value;      // in the first world's unit; NaN
    double difference; // against the first; NaN
    double relative;   // of the first's size; NaN
    int verdict;       // 1 better, -1 worse, 0 the same, 2 nobody said what is better, or it is not known
} CompareCell;

typedef struct CompareRow {
    const KpiRow *as;   // of the first world that has it
    CompareCell *cells; // by world
} CompareRow;

typedef struct Compare {
    Arena keep;
    Str title;    // of the what-if that one of them tries; ""
    Str sentence; // of two: what the second differs in; ""
    CompareWorld *worlds;
    int32_t world_count;
    CompareRow *rows;
    int32_t row_count;
    Str *notes;
    int32_t note_count;
    int32_t points;
} Compare;

// Appends one chart of a row as an SVG element; its colours are CHART_STYLE's.
void compare_chart(const Compare *c, const CompareRow *row, int32_t width, int32_t height, Buf *out);
// All charts as one SVG document.
void compare_svg(const Compare *c, Buf *out);
// The page.
void compare_page(const Compare *c, Buf *out);
