// SPDX-License-Identifier: Apache-2.0
// Charts: the courses of one KPI in all worlds over the time since their beginning, as SVG without scripts. Colours and
// sizes of text are classes, so that the page gives those of light and dark.
#include "engine/compare.h"
#include <math.h>
#include <stdio.h>
#include "base/time.h"
#include "model/units.h"

#define LEFT 76
#define RIGHT 36
#define TOP 62
#define BOTTOM 52
#define TICKS 6
#define NS_S INT64_C(1000000000)

// ---- texts --------------------------------------------------------------------------------------------------------

Str compare_unit(const KpiRow *row) {
    const Unit *u = unit_find(row->unit);
    return u && u->symbol[0] ? str_of(u->symbol) : u && u->family == FAM_UNITLESS ? (Str){0} : row->unit;
}

void compare_escape(Str s, Buf *out) {
    for (int64_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        switch (ch) {
        case '<': buf_str_put(out, STR("&lt;")); break;
        case '>': buf_str_put(out, STR("&gt;")); break;
        case '&': buf_str_put(out, STR("&amp;")); break;
        case '"': buf_str_put(out, STR("&quot;")); break;
        case '\'': buf_str_put(out, STR("&#39;")); break;
        default:
            if (ch >= ' ' || ch == '\n' || ch == '\t') buf_byte(out, (char)ch);
            else buf_str_put(out, STR("\xEF\xBF\xBD")); // no character of XML
        }
    }
}

// Digits before the point in threes.
static void put_grouped(const char *digits, int n, Buf *out) {
    for (int i = 0; i < n; i++) {
        if (i && n > 4 && (n - i) % 3 == 0) buf_str_put(out, STR("\xE2\x80\xAF"));
        buf_byte(out, digits[i]);
    }
}

// short_: without zeros at the end.
static void put_decimals(double v, int decimals, bool short_, Buf *out) {
    char text[400];
    int n = snprintf(text, sizeof text, "%.*f", decimals, fabs(v)), whole = 0;
    while (whole < n && text[whole] != '.') whole++;
    while (short_ && n > whole && (text[n - 1] == '0' || text[n - 1] == '.')) n--;
    bool zero = true;
    for (int i = 0; i < n; i++) zero = zero && (text[i] == '0' || text[i] == '.');
    if (v < 0 && !zero) buf_str_put(out, STR("\xE2\x88\x92"));
    put_grouped(text, whole, out);
    buf_put(out, text + whole, n - whole);
}

void compare_number(double v, Buf *out) {
    double size = fabs(v);
    if (!isfinite(v)) {
        buf_str_put(out, STR("\xE2\x80\x93"));
        return;
    }
    if (size != 0 && (size >= 1e12 || size < 1e-4)) {
        buf_printf(out, "%.4g", v);
        return;
    }
    int decimals = size == 0 ? 0 : 4 - (int)floor(log10(size));
    decimals = decimals < 0 ? 0 : decimals > 8 ? 8 : decimals;
    put_decimals(v, decimals, true, out);
}

// ---- scales -------------------------------------------------------------------------------------------------------

typedef struct Scale {
    double from, to, step;
    int decimals;
    int64_t span_ns, step_ns;
    int32_t width, height;
} Scale;

static double x_of(const Scale *s, int64_t ns) {
    return LEFT + (double)ns / (double)s->span_ns * (s->width - LEFT - RIGHT);
}

static double y_of(const Scale *s, double v) {
    return s->height - BOTTOM - (v - s->from) / (s->to - s->from) * (s->height - TOP - BOTTOM);
}

// 1, 2 or 5 times a power of ten.
static double nice(double x) {
    double p = pow(10, floor(log10(x))), f = x / p;
    return p * (f <= 1.0000001 ? 1 : f <= 2.0000001 ? 2 : f <= 5.0000001 ? 5 : 10);
}

static void fit_values(Scale *s) {
    double range = s->to - s->from, size = fmax(fabs(s->from), fabs(s->to));
    if (!(range > 1e-9 * size)) { // flat: some room around it
        double room = size > 0 ? size * 0.05 : 1;
        s->from -= room;
        s->to += room;
    }
    s->step = nice((s->to - s->from) / (TICKS - 1));
    s->from = floor(s->from / s->step + 1e-9) * s->step;
    s->to = ceil(s->to / s->step - 1e-9) * s->step;
    s->decimals = s->step >= 1 ? 0 : (int)ceil(-log10(s->step) - 1e-9);
}

static int64_t time_step(int64_t span) {
    static const int32_t seconds[] = {1,      2,      5,      10,      15,      30,      60,      120,      300,
                                      600,    900,    1800,   3600,    7200,    10800,   21600,   43200,    86400,
                                      172800, 432000, 604800, 1209600, 2592000, 5184000, 7776000, 15552000, 31536000};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        if (span / (seconds[i] * NS_S) <= 8) return seconds[i] * NS_S;
    }
    return span / 6 + 1;
}

static void put_tick_time(int64_t ns, int64_t step, Buf *out) {
    static const struct {
        int64_t s;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int i = 0;
    while (i < 3 && step % (units[i].s * NS_S) != 0) i++;
    if (ns == 0) buf_byte(out, '0');
    else buf_printf(out, "%g %s", (double)ns / (double)(units[i].s * NS_S), units[i].name);
}

// Every so many of a series' points.
static int32_t every_of(const Compare *c, const Kpis *k) {
    int32_t every = 1;
    while (k->points / every > c->points) every++;
    return every;
}

// False: nothing is known of it in any world.
static bool scale_of(const Compare *c, const CompareRow *row, Scale *s) {
    s->from = INFINITY;
    s->to = -INFINITY;
    s->span_ns = 0;
    for (int32_t i = 0; i < c->world_count; i++) {
        const CompareCell *x = &row->cells[i];
        if (!(x->value == x->value)) continue;
        for (int32_t p = 0; p < x->kpis->points; p++) {
            double v = x->row->values[p];
            if (!isfinite(v)) continue;
            s->from = fmin(s->from, v);
            s->to = fmax(s->to, v);
        }
        s->from = fmin(s->from, x->value);
        s->to = fmax(s->to, x->value);
        int64_t span = x->kpis->now_ns - x->kpis->begin_ns;
        s->span_ns = span > s->span_ns ? span : s->span_ns;
    }
    if (!(s->from <= s->to) || s->span_ns <= 0 || !isfinite(s->from) || !isfinite(s->to)) return false;
    fit_values(s);
    s->step_ns = time_step(s->span_ns);
    return true;
}

// ---- drawing ------------------------------------------------------------------------------------------------------

static void draw_grid(const Scale *s, Buf *out) {
    buf_str_put(out, STR("<g class=\"grid\">"));
    for (int i = 0; s->from + i * s->step <= s->to + s->step / 2; i++) {
        double v = s->from + i * s->step, y = y_of(s, v);
        if (fabs(v) < s->step * 1e-9) v = 0;
        buf_printf(out, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" class=\"end\">",
                   LEFT, y, s->width - RIGHT, y, LEFT - 8, y + 4);
        if (fabs(v) >= 1e9 || (s->step < 1e-6 && v != 0)) buf_printf(out, "%g", v);
        else put_decimals(v, s->decimals, false, out);
        buf_str_put(out, STR("</text>"));
    }
    for (int64_t t = 0; t <= s->span_ns; t += s->step_ns) {
        double x = x_of(s, t);
        buf_printf(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" class=\"mid\">",
                   x, TOP, x, s->height - BOTTOM, x, s->height - BOTTOM + 18);
        put_tick_time(t, s->step_ns, out);
        buf_str_put(out, STR("</text>"));
    }
    buf_str_put(out, STR("</g>"));
}

static void draw_line(const Compare *c, const Scale *s, const CompareCell *x, int32_t world, Buf *out) {
    const Kpis *k = x->kpis;
    int32_t every = every_of(c, k);
    bool pen = false;
    buf_printf(out, "<path class=\"line s%d\" d=\"", world % 8);
    for (int32_t i = 0; i < k->points; i += every) {
        double v = x->row->values[i];
        if (isfinite(v))
            buf_printf(out, "%c%.1f %.1f", pen ? 'L' : 'M', x_of(s, k->times[i] - k->begin_ns), y_of(s, v));
        pen = isfinite(v);
    }
    double end = x_of(s, k->now_ns - k->begin_ns), y = y_of(s, x->value);
    buf_printf(out, "%c%.1f %.1f\"/><circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>", pen ? 'L' : 'M',
               end, y, world % 8, end, y);
}

// Names of the worlds in their colours, in one row.
static void draw_legend(const Compare *c, const CompareRow *row, const Scale *s, Buf *out) {
    double x = LEFT, y = 46;
    for (int32_t i = 0; i < c->world_count; i++) {
        if (!(row->cells[i].value == row->cells[i].value)) continue;
        Str name = str_sub(c->worlds[i].name, 0, c->worlds[i].name.n < 32 ? c->worlds[i].name.n : 32);
        double wide = 34 + 7.2 * (double)name.n;
        if (x > LEFT && x + wide > s->width - RIGHT) break; // who does not fit is in the table
        buf_printf(out, "<path class=\"line s%d\" d=\"M%.1f %.1fh20\"/><text class=\"name\" x=\"%.1f\" y=\"%.1f\">",
                   i % 8, x, y - 4, x + 25, y);
        compare_escape(name, out);
        buf_str_put(out, STR("</text>"));
        x += wide + 12;
    }
}

static void put_title(const KpiRow *row, Buf *out) { compare_escape(row->k.title.n ? row->k.title : row->k.name, out); }

static const char *const how[] = {"value", "mean so far", "least so far", "most so far", "sum over time"};

static void draw_head(const CompareRow *row, const Scale *s, Buf *out) {
    Str unit = compare_unit(row->as);
    buf_printf(out, "<text class=\"title\" x=\"%d\" y=\"22\">", LEFT);
    put_title(row->as, out);
    buf_printf(out, "<tspan class=\"soft\" dx=\"8\">%s", how[row->as->k.over]);
    if (unit.n) {
        buf_str_put(out, STR(", "));
        compare_escape(unit, out);
    }
    buf_str_put(out, STR("</tspan></text>"));
    buf_printf(out, "<text class=\"soft mid\" x=\"%.1f\" y=\"%d\">time since the beginning</text>",
               (LEFT + s->width - RIGHT) / 2.0, s->height - 10);
}

static void describe(const Compare *c, const CompareRow *row, Buf *out) {
    buf_str_put(out, STR("<title>"));
    put_title(row->as, out);
    buf_str_put(out, STR("</title><desc>"));
    for (int32_t i = 0; i < c->world_count; i++) {
        if (i) buf_str_put(out, STR("; "));
        compare_escape(c->worlds[i].name, out);
        buf_str_put(out, STR(": "));
        compare_number(row->cells[i].value, out);
    }
    buf_str_put(out, STR("</desc>"));
}

static void draw(const Compare *c, const CompareRow *row, int32_t width, int32_t height, Buf *out) {
    Scale s = {.width = width, .height = height};
    describe(c, row, out);
    bool known = scale_of(c, row, &s);
    draw_head(row, &s, out);
    if (!known) {
        buf_printf(out, "<text class=\"soft mid\" x=\"%d\" y=\"%d\">nothing is known of it</text>", width / 2,
                   height / 2);
        return;
    }
    draw_grid(&s, out);
    draw_legend(c, row, &s, out);
    for (int32_t i = c->world_count; i-- > 0;) {
        if (row->cells[i].value == row->cells[i].value) draw_line(c, &s, &row->cells[i], i, out);
    }
}

void compare_chart(const Compare *c, const CompareRow *row, int32_t width, int32_t height, Buf *out) {
    buf_printf(out, "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 %d %d\" xmlns=\"http://www.w3.org/2000/svg\">",
               width, height);
    draw(c, row, width, height, out);
    buf_str_put(out, STR("</svg>"));
}

// ---- charts alone -------------------------------------------------------------------------------------------------

#define SVG_WIDTH 760
#define SVG_HEIGHT 300

const char COMPARE_STYLE[] =
    ":root{--back:#fff;--text:#1c2430;--soft:#5b6675;--rule:#e3e7ed;--good:#1a7f37;--bad:#b42318;--card:#f7f8fa;"
    "--c0:#1f6feb;--c1:#d4570a;--c2:#1a7f37;--c3:#8250df;--c4:#bf3989;--c5:#0a7c86;--c6:#9a6700;--c7:#57606a}"
    "@media(prefers-color-scheme:dark){:root{--back:#0f141b;--text:#e8ecf2;--soft:#9aa6b6;--rule:#2a323e;"
    "--good:#56d364;--bad:#ff7b72;--card:#171d26;--c0:#6cb0ff;--c1:#ffa657;--c2:#56d364;--c3:#c6a0ff;--c4:#ff9bce;"
    "--c5:#5ad4dd;--c6:#e3b341;--c7:#aeb9c6}}"
    "svg text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;fill:var(--soft)}"
    "svg .title{font-size:15px;font-weight:600;fill:var(--text)}svg .soft{font-size:12px;font-weight:400;"
    "fill:var(--soft)}svg .name{fill:var(--text)}.mid{text-anchor:middle}.end{text-anchor:end}"
    ".grid line{stroke:var(--rule);stroke-width:1}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".dot{stroke:var(--back);stroke-width:1.5}"
    ".s0{stroke:var(--c0)}.s1{stroke:var(--c1);stroke-dasharray:7 4}.s2{stroke:var(--c2);stroke-dasharray:2 4}"
    ".s3{stroke:var(--c3);stroke-dasharray:10 3 2 3}.s4{stroke:var(--c4)}.s5{stroke:var(--c5);stroke-dasharray:7 4}"
    ".s6{stroke:var(--c6);stroke-dasharray:2 4}.s7{stroke:var(--c7);stroke-dasharray:10 3 2 3}"
    ".f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}"
    ".f5{fill:var(--c5)}.f6{fill:var(--c6)}.f7{fill:var(--c7)}";

void compare_svg(const Compare *c, Buf *out) {
    int32_t rows = c->row_count ? c->row_count : 1;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><style>%s"
               "</style><rect width=\"100%%\" height=\"100%%\" fill=\"var(--back)\"/>",
               SVG_WIDTH, rows * SVG_HEIGHT, SVG_WIDTH, rows * SVG_HEIGHT, COMPARE_STYLE);
    for (int32_t i = 0; i < c->row_count; i++) {
        buf_printf(out, "<g role=\"img\" transform=\"translate(0 %d)\">", i * SVG_HEIGHT);
        draw(c, &c->rows[i], SVG_WIDTH, SVG_HEIGHT, out);
        buf_str_put(out, STR("</g>"));
    }
    if (!c->row_count)
        buf_str_put(out, STR("<text class=\"soft\" x=\"20\" y=\"30\">There is nothing to compare.</text>"));
    buf_str_put(out, STR("</svg>\n"));
}
