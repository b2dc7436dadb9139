// SPDX-License-Identifier: Apache-2.0
// What an ensemble came to as a page and as charts.
#include <math.h>
#include "base/mem.h"
#include "engine/chart.h"
#include "engine/ensemble_outcome.h"
#include "engine/html.h"
#include "engine/told.h"

#define WIDE_MAX 4   // cases beside each other in one table; more stand below each other
#define ROWS_MAX 200 // cases of one KPI that are listed
#define CURVES_MAX CHART_COLOURS
#define SVG_WIDTH 760
#define SVG_HEIGHT 300
#define REFRESH_S 2

static void put(Buf *out, const char *text) { buf_str_put(out, str_of(text)); }

static Str kpi_title(const EnsembleKpi *k) { return k->title.n ? k->title : k->name; }

// ---- charts -------------------------------------------------------------------------------------------------------

// One chart, and the memory of what it borrows.
typedef struct Sheet {
    Arena keep;
    Chart chart;
} Sheet;

static double *doubles(Sheet *s, const float *x, int32_t n) {
    double *to = NEW(&s->keep, double, n + 1);
    for (int32_t i = 0; i < n; i++) to[i] = (double)x[i];
    return to;
}

// Means over time, with a band in which nine of ten replications are.
static void course_chart(const EnsembleOutcome *o, const EnsembleSeries *x, Sheet *s) {
    int32_t n = o->instants, cases = o->case_count < CURVES_MAX ? o->case_count : CURVES_MAX;
    ChartLine *lines = NEW(&s->keep, ChartLine, cases);
    double *places = NEW(&s->keep, double, n + 1);
    for (int32_t i = 0; i < n; i++) places[i] = (double)o->times[i];
    for (int32_t c = 0; c < cases; c++) {
        const float *bands = x->bands + (size_t)c * BANDS * (size_t)n;
        lines[c] = (ChartLine){.name = o->cases[c].name,
                               .x = places,
                               .y = doubles(s, bands + BAND_MEAN * (size_t)n, n),
                               .low = doubles(s, bands + BAND_P05 * (size_t)n, n),
                               .high = doubles(s, bands + BAND_P95 * (size_t)n, n),
                               .n = n,
                               .colour = c};
    }
    s->chart =
        (Chart){.title = x->kpi >= 0 ? kpi_title(&o->kpis[x->kpi])
                                     : arena_printf(&s->keep, "%.*s.%.*s", STR_ARG(x->twin), STR_ARG(x->property)),
                .soft = STR("mean, and where 9 of 10 replications are"),
                .unit = told_unit(x->unit),
                .x_title = STR("time since the beginning"),
                .lines = lines,
                .line_count = cases,
                .time = true};
}

static bool numbers_ascend(const EnsembleAxisTold *x) {
    for (int32_t i = 0; i < x->count; i++)
        if (!isfinite(x->numbers[i]) || (i && x->numbers[i] <= x->numbers[i - 1])) return false;
    return true;
}

// A curve needs numbers along the last axis, and few enough values along the one before it.
static bool has_curves(const EnsembleOutcome *o) {
    if (o->axis_count < 1 || o->axis_count > 2) return false;
    return numbers_ascend(&o->axes[o->axis_count - 1]) && (o->axis_count == 1 || o->axes[0].count <= CURVES_MAX - 1);
}

static void curve_line(const EnsembleOutcome *o, const EnsembleKpi *k, int32_t from, Sheet *s, ChartLine *out) {
    const EnsembleAxisTold *x = &o->axes[o->axis_count - 1];
    double *y = NEW(&s->keep, double, x->count), *low = NEW(&s->keep, double, x->count);
    double *high = NEW(&s->keep, double, x->count);
    for (int32_t i = 0; i < x->count; i++) {
        const EnsembleStat *t = &k->cases[from + i];
        y[i] = t->mean;
        low[i] = t->mean - t->half;
        high[i] = t->mean + t->half;
    }
    out->x = x->numbers;
    out->y = y;
    out->low = low;
    out->high = high;
    out->n = x->count;
}

// The baseline across the whole width.
static void level_line(const EnsembleOutcome *o, const EnsembleKpi *k, Sheet *s, ChartLine *out) {
    const EnsembleAxisTold *x = &o->axes[o->axis_count - 1];
    double *y = NEW(&s->keep, double, x->count);
    for (int32_t i = 0; i < x->count; i++) y[i] = k->cases[0].mean;
    *out = (ChartLine){
        .name = o->cases[0].name, .x = x->numbers, .y = y, .n = x->count, .colour = CHART_COLOURS - 1, .plain = true};
}

// A KPI over the values of a sweep, with intervals of its means.
static void curve_chart(const EnsembleOutcome *o, const EnsembleKpi *k, Sheet *s) {
    const EnsembleAxisTold *x = &o->axes[o->axis_count - 1];
    int32_t curves = o->axis_count == 2 ? o->axes[0].count : 1, n = 0;
    ChartLine *lines = NEW(&s->keep, ChartLine, curves + 1);
    for (int32_t i = 0; i < curves; i++, n++) {
        Str name = x->name;
        if (o->axis_count == 2)
            name = arena_printf(&s->keep, "%.*s = %.*s", STR_ARG(o->axes[0].name), STR_ARG(o->axes[0].values[i]));
        lines[n] = (ChartLine){.name = name, .colour = i};
        curve_line(o, k, o->grid_from + i * x->count, s, &lines[n]);
    }
    if (o->grid_from > 0) level_line(o, k, s, &lines[n++]);
    s->chart = (Chart){.title = kpi_title(k),
                       .soft = STR("mean, and its interval"),
                       .unit = told_unit(k->unit),
                       .x_title = x->name,
                       .lines = lines,
                       .line_count = n,
                       .dots = true};
}

static int32_t chart_count(const EnsembleOutcome *o) {
    if (has_curves(o)) return o->kpi_count;
    return o->case_count <= CURVES_MAX ? o->series_count : 0;
}

static void chart_at(const EnsembleOutcome *o, int32_t i, Sheet *s) {
    arena_init(&s->keep, 0);
    if (has_curves(o)) curve_chart(o, &o->kpis[i], s);
    else course_chart(o, &o->series[i], s);
}

void ensemble_svg(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    int32_t n = o ? chart_count(o) : 0, rows = n ? n : 1;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><style>%s"
               "</style><title>",
               SVG_WIDTH, rows * SVG_HEIGHT, SVG_WIDTH, rows * SVG_HEIGHT, CHART_STYLE);
    told_escape(h->title, out);
    put(out, "</title><rect width=\"100%\" height=\"100%\" fill=\"var(--back)\"/>");
    for (int32_t i = 0; i < n; i++) {
        Sheet s;
        chart_at(o, i, &s);
        buf_printf(out, "<g role=\"img\" transform=\"translate(0 %d)\">", i * SVG_HEIGHT);
        chart_draw(&s.chart, SVG_WIDTH, SVG_HEIGHT, out);
        put(out, "</g>");
        arena_free(&s.keep);
    }
    if (!n) put(out, "<text class=\"soft\" x=\"20\" y=\"30\">There is nothing to draw.</text>");
    put(out, "</svg>\n");
}

// ---- cells of tables ----------------------------------------------------------------------------------------------

static void put_number(double v, double half, bool sign, Buf *out) {
    if (sign && v > 0) buf_byte(out, '+');
    told_within(v, half, out);
}

// A mean, and its interval below.
static void put_interval(double mean, double half, bool sign, Buf *out) {
    put(out, "<td class=\"n\">");
    put_number(mean, half, sign, out);
    if (half > 0) {
        put(out, "<small>");
        put_number(mean - half, half, sign, out);
        put(out, " to ");
        put_number(mean + half, half, sign, out);
        put(out, "</small>");
    }
    put(out, "</td>");
}

// Where nine of ten replications are.
static void put_range(const EnsembleStat *x, Buf *out) {
    put(out, "<td class=\"n\">");
    told_within(x->p05, x->sd / 2, out);
    put(out, " to ");
    told_within(x->p95, x->sd / 2, out);
    put(out, "</td>");
}

static const char *verdict_said(EnsembleVerdict v) {
    static const char *const words[] = {"", "the same", "cannot be told apart", "more", "less", "better", "worse"};
    return words[v];
}

static int span_class(EnsembleVerdict v) {
    return v == VERDICT_BETTER ? 1 : v == VERDICT_WORSE ? -1 : v >= VERDICT_MORE ? 0 : 2;
}

// The largest reach of the differences of a KPI.
static double reach_of(const EnsembleOutcome *o, const EnsembleKpi *k) {
    double most = 0;
    for (int32_t c = 1; c < o->case_count; c++) {
        const EnsembleStat *x = &k->cases[c];
        if (x->pairs) most = fmax(most, fabs(x->by) + (x->by_half > 0 ? x->by_half : 0));
    }
    return most;
}

static void put_difference(const EnsembleOutcome *o, const EnsembleKpi *k, int32_t c, Buf *out) {
    const EnsembleStat *x = &k->cases[c];
    EnsembleVerdict v = ensemble_verdict(k, c);
    put_interval(x->by, v == VERDICT_SAME ? 0 : x->by_half, true, out);
    put(out, "<td class=\"n c\">");
    ChartSpan span = {x->by, x->by - x->by_half, x->by + x->by_half, span_class(v)};
    chart_span(&span, reach_of(o, k), 150, 18, out);
    const char *class = v == VERDICT_BETTER ? "good" : v == VERDICT_WORSE ? "bad" : "soft";
    buf_printf(out, "<small class=\"%s\">%s", class,
               v >= VERDICT_MORE ? x->by > 0 ? "\xE2\x96\xB2 " : "\xE2\x96\xBC " : "");
    put(out, verdict_said(v));
    double part = x->by / fabs(k->cases[0].mean);
    if (v >= VERDICT_MORE && isfinite(part)) {
        put(out, ", ");
        put_number(round(part * 1000) / 10, 0, true, out);
        put(out, "\xE2\x80\xAF%");
    }
    put(out, "</small></td>");
}

static const char *const how[] = {"at the end", "mean", "least", "most", "over the whole time"};

static void put_kpi_head(const EnsembleKpi *k, Buf *out) {
    put(out, "<th scope=\"row\">");
    told_escape(kpi_title(k), out);
    buf_printf(out, "<small>%s", how[k->over]);
    if (k->better) buf_printf(out, ", %s is better", k->better > 0 ? "more" : "less");
    put(out, "</small></th><td>");
    told_escape(told_unit(k->unit), out);
    put(out, "</td>");
}

static void put_why(const EnsembleKpi *k, int32_t columns, Buf *out) {
    buf_printf(out, "<td colspan=\"%d\" class=\"soft\">", columns);
    told_escape(k->why, out);
    put(out, "</td>");
}

// ---- tables -------------------------------------------------------------------------------------------------------

static void put_head_cell(Str text, bool number, Buf *out) {
    buf_printf(out, "<th scope=\"col\"%s>", number ? " class=\"n\"" : "");
    told_escape(text, out);
    put(out, "</th>");
}

// Cases beside each other.
static void wide_table(const EnsembleOutcome *o, Buf *out) {
    put(out, "<div class=\"scroll\"><table><caption>Means, and below each the interval of the mean.");
    if (o->case_count > 1) {
        put(out, " Differences are against ");
        told_escape(o->cases[0].name, out);
        put(out, ", replication by replication: both see the same chances.");
    }
    put(out, "</caption><thead><tr>");
    put_head_cell(STR("KPI"), false, out);
    put_head_cell(STR("Unit"), false, out);
    for (int32_t c = 0; c < o->case_count; c++) {
        put_head_cell(o->cases[c].name, true, out);
        if (c) put_head_cell(STR("Difference"), true, out);
        if (c) put_head_cell((Str){0}, true, out);
    }
    if (o->case_count == 1) put_head_cell(STR("9 of 10 within"), true, out);
    put(out, "</tr></thead><tbody>");
    for (int32_t i = 0; i < o->kpi_count; i++) {
        const EnsembleKpi *k = &o->kpis[i];
        put(out, "<tr>");
        put_kpi_head(k, out);
        if (k->why.n) put_why(k, 3 * o->case_count - (o->case_count > 1 ? 2 : 1), out);
        for (int32_t c = 0; !k->why.n && c < o->case_count; c++) {
            put_interval(k->cases[c].mean, k->cases[c].half, false, out);
            if (c) put_difference(o, k, c, out);
        }
        if (o->case_count == 1 && !k->why.n) {
            put_range(&k->cases[0], out);
        }
        put(out, "</tr>");
    }
    put(out, "</tbody></table></div>");
}

static int32_t best_of(const EnsembleOutcome *o, const EnsembleKpi *k) {
    int32_t best = -1;
    for (int32_t c = 0; k->better && c < o->case_count; c++) {
        if (!k->cases[c].n) continue;
        if (best < 0 || k->cases[c].mean * k->better > k->cases[best].mean * k->better) best = c;
    }
    return best;
}

// One KPI, cases below each other.
static void long_table(const EnsembleOutcome *o, const EnsembleKpi *k, Buf *out) {
    int32_t best = best_of(o, k), rows = o->case_count < ROWS_MAX ? o->case_count : ROWS_MAX;
    Str unit = told_unit(k->unit);
    put(out, "<h2>");
    told_escape(kpi_title(k), out);
    put(out, "</h2><div class=\"scroll\"><table><caption>");
    buf_printf(out, "%s", how[k->over]);
    if (unit.n) put(out, ", ");
    told_escape(unit, out);
    if (k->better) buf_printf(out, "; %s is better", k->better > 0 ? "more" : "less");
    put(out, "</caption><thead><tr>");
    put_head_cell(STR("Case"), false, out);
    put_head_cell(STR("Mean"), true, out);
    put_head_cell(STR("9 of 10 within"), true, out);
    put_head_cell(STR("Difference"), true, out);
    put_head_cell((Str){0}, true, out);
    put(out, "</tr></thead><tbody>");
    for (int32_t c = 0; c < rows; c++) {
        put(out, c == best ? "<tr class=\"best\"><th scope=\"row\">" : "<tr><th scope=\"row\">");
        told_escape(o->cases[c].name, out);
        if (c == best) put(out, "<small class=\"good\">best</small>");
        put(out, "</th>");
        put_interval(k->cases[c].mean, k->cases[c].half, false, out);
        put_range(&k->cases[c], out);
        if (c) put_difference(o, k, c, out);
        else put(out, "<td></td><td></td>");
        put(out, "</tr>");
    }
    put(out, "</tbody></table></div>");
    if (rows < o->case_count) buf_printf(out, "<p class=\"soft\">and %d cases more</p>", o->case_count - rows);
}

// ---- the page -----------------------------------------------------------------------------------------------------

static void put_case(const EnsembleCaseTold *c, int32_t i, Buf *out) {
    buf_printf(out,
               "<section class=\"card\"><h3><svg width=\"26\" height=\"10\" aria-hidden=\"true\"><path class=\"line "
               "s%d\" d=\"M1 5h24\"/></svg>",
               i % CHART_COLOURS);
    told_escape(c->name, out);
    put(out, "</h3>");
    Str rest = c->world, base = str_cut(&rest, '@');
    if (c->world.n && !str_eq(base, c->name)) {
        put(out, "<p class=\"soft\">");
        told_escape(c->world, out);
        put(out, "</p>");
    }
    if (!c->changes) put(out, "<p class=\"soft\">nothing is changed</p>");
    if (c->told_count) put(out, "<ul>");
    for (int32_t k = 0; k < c->told_count; k++) {
        put(out, "<li>");
        told_escape(c->told[k], out);
        put(out, "</li>");
    }
    if (c->told_count < c->changes) buf_printf(out, "<li class=\"soft\">and %d more</li>", c->changes - c->told_count);
    if (c->told_count) put(out, "</ul>");
    put(out, "</section>");
}

static void put_lead(const EnsembleHead *h, Buf *out) {
    buf_printf(out, "%d replication%s", h->replications, h->replications == 1 ? "" : "s");
    if (ensemble_at_work(h->state) && h->goal) buf_printf(out, " of %d so far", h->goal);
    if (h->case_count > 1) buf_printf(out, " of each of %d cases", h->case_count);
    put(out, ", each ");
    told_span(h->for_ns, out);
    if (h->begin_ns) {
        put(out, " from ");
        told_when(h->begin_ns, out);
    }
    buf_printf(out, "; intervals of %g %%; seed %llu", 100 * h->level, (unsigned long long)h->seed);
}

static void put_state(const EnsembleHead *h, Buf *out) {
    if (ensemble_at_work(h->state)) {
        double part = h->goal ? 100.0 * h->replications / h->goal : 0;
        buf_printf(out,
                   "<div class=\"bar\"><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\"><rect width=\"%.1f\" "
                   "height=\"8\"/></svg></div>",
                   part);
        return;
    }
    if (h->state == ENSEMBLE_DONE) return;
    put(out, "<div class=\"note\" role=\"note\"><p>");
    put(out, h->state == ENSEMBLE_FAILED ? "It failed: " : "It was stopped before it was done. ");
    told_escape(h->why, out);
    put(out, "</p></div>");
}

static void put_results(const EnsembleOutcome *o, Buf *out) {
    int32_t charts = chart_count(o);
    bool wide = o->case_count <= WIDE_MAX, cards = o->case_count <= CURVES_MAX && !has_curves(o);
    if (cards) put(out, "<div class=\"cards\">");
    for (int32_t i = 0; cards && i < o->case_count; i++) put_case(&o->cases[i], i, out);
    if (cards) put(out, "</div>");
    if (o->kpi_count && wide) {
        put(out, "<h2>What came of it</h2>");
        wide_table(o, out);
    }
    if (charts) put(out, has_curves(o) ? "<h2>By value</h2>" : "<h2>Course</h2>");
    for (int32_t i = 0; i < charts; i++) {
        Sheet s;
        chart_at(o, i, &s);
        put(out, "<figure>");
        chart_svg(&s.chart, 1000, 320, out);
        put(out, "</figure>");
        arena_free(&s.keep);
    }
    for (int32_t i = 0; !wide && i < o->kpi_count; i++) long_table(o, &o->kpis[i], out);
}

void ensemble_page(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    Buf lead = {0};
    put_lead(h, &lead);
    html_begin(&(Html){.title = h->title.n ? h->title : h->worlds[0].name,
                       .sentence = h->sentence,
                       .lead = buf_str(&lead),
                       .refresh = ensemble_at_work(h->state) ? REFRESH_S : 0},
               out);
    buf_free(&lead);
    if (h->about.n) {
        put(out, "<p>");
        told_escape(h->about, out);
        put(out, "</p>");
    }
    put_state(h, out);
    if (o) put_results(o, out);
    html_end(STR("Made by Sosia. Each interval holds by itself with its probability; of many that are looked at some "
                 "will miss."),
             out);
}
