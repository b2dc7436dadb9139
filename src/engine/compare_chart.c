// SPDX-License-Identifier: Apache-2.0
// Charts of runs: the courses of one KPI in all worlds over the time since their beginning.
#include "engine/chart.h"
#include "engine/compare.h"
#include "engine/told.h"

#define SVG_WIDTH 760
#define SVG_HEIGHT 300

static const char *const how[] = {"value", "mean so far", "least so far", "most so far", "sum over time"};

// Every so many of a series' points.
static int32_t every_of(const Compare *c, const Kpis *k) {
    int32_t every = 1;
    while (k->points / every > c->points) every++;
    return every;
}

// Its points, and what it came to.
static void line_of(const Compare *c, const CompareCell *x, Arena *a, ChartLine *out) {
    const Kpis *k = x->kpis;
    int32_t every = every_of(c, k), most = k->points / every + 2, n = 0;
    double *places = NEW(a, double, most), *values = NEW(a, double, most);
    for (int32_t i = 0; i < k->points; i += every) {
        places[n] = (double)(k->times[i] - k->begin_ns);
        values[n++] = x->row->values[i];
    }
    places[n] = (double)(k->now_ns - k->begin_ns);
    values[n++] = x->value;
    out->x = places;
    out->y = values;
    out->n = n;
}

static Chart chart_of(const Compare *c, const CompareRow *row, Arena *a) {
    ChartLine *lines = NEW(a, ChartLine, c->world_count);
    int32_t n = 0;
    for (int32_t i = 0; i < c->world_count; i++) {
        if (!(row->cells[i].value == row->cells[i].value)) continue;
        lines[n] = (ChartLine){.name = c->worlds[i].name, .colour = i};
        line_of(c, &row->cells[i], a, &lines[n++]);
    }
    return (Chart){.title = row->as->k.title.n ? row->as->k.title : row->as->k.name,
                   .soft = str_of(how[row->as->k.over]),
                   .unit = told_unit(row->as->unit),
                   .x_title = STR("time since the beginning"),
                   .lines = lines,
                   .line_count = n,
                   .time = true};
}

void compare_chart(const Compare *c, const CompareRow *row, int32_t width, int32_t height, Buf *out) {
    Arena a;
    arena_init(&a, 0);
    Chart chart = chart_of(c, row, &a);
    chart_svg(&chart, width, height, out);
    arena_free(&a);
}

void compare_svg(const Compare *c, Buf *out) {
    int32_t rows = c->row_count ? c->row_count : 1;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><style>%s"
               "</style><rect width=\"100%%\" height=\"100%%\" fill=\"var(--back)\"/>",
               SVG_WIDTH, rows * SVG_HEIGHT, SVG_WIDTH, rows * SVG_HEIGHT, CHART_STYLE);
    for (int32_t i = 0; i < c->row_count; i++) {
        Arena a;
        arena_init(&a, 0);
        Chart chart = chart_of(c, &c->rows[i], &a);
        buf_printf(out, "<g role=\"img\" transform=\"translate(0 %d)\">", i * SVG_HEIGHT);
        chart_draw(&chart, SVG_WIDTH, SVG_HEIGHT, out);
        buf_str_put(out, STR("</g>"));
        arena_free(&a);
    }
    if (!c->row_count)
        buf_str_put(out, STR("<text class=\"soft\" x=\"20\" y=\"30\">There is nothing to compare.</text>"));
    buf_str_put(out, STR("</svg>\n"));
}
