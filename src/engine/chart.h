// SPDX-License-Identifier: Apache-2.0
// Charts as SVG without scripts: lines with bands over time, or over the values of something. Colours and sizes of text
// are classes of CHART_STYLE, so that the page around gives those of light and dark. Any thread; no state.
#pragma once
#include "base/buf.h"

#define CHART_COLOURS 8

// Values at `n` ascending places. NaN: not known there. All borrowed.
typedef struct ChartLine {
    Str name;
    const double *x, *y;
    const double *low, *high; // of the band around it; NULL: none
    int32_t n, colour;
    bool plain; // without dots
} ChartLine;

typedef struct Chart {
    Str title, soft; // soft: behind the title, in grey
    Str unit;
    Str x_title; // below
    Str desc;    // for those who do not see it; "": its lines' last values
    const ChartLine *lines;
    int32_t line_count;
    bool time; // x is in ns since the beginning
    bool dots; // a dot at each value, not at the last one only
} Chart;

// Colours of light and dark, and those of charts.
extern const char CHART_STYLE[];
// Append it as an SVG element, or what stands in one.
void chart_svg(const Chart *c, int32_t width, int32_t height, Buf *out);
void chart_draw(const Chart *c, int32_t width, int32_t height, Buf *out);

// Intervals below each other around a common zero: how much each differs, as a part of `size`.
typedef struct ChartSpan {
    double at, low, high; // NaN: not known
    int32_t verdict;      // 1 good, -1 bad, 0 nothing is said, 2 it is not sure
} ChartSpan;
// Append one of them, on a scale from -most to most.
void chart_span(const ChartSpan *s, double most, int32_t width, int32_t height, Buf *out);
