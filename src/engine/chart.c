// SPDX-License-Identifier: Apache-2.0
#include "engine/chart.h"
#include <math.h>
#include "base/figure.h"
#include "engine/told.h"

#define LEFT 76
#define RIGHT 36
#define TOP 62
#define BOTTOM 52
#define TICKS 6
#define NS_S INT64_C(1000000000)
#define NAME_BYTES 48 // of a line's name in the legend
#define NAME_WIDE 7.0 // of a letter, about

// ---- scales -------------------------------------------------------------------------------------------------------

typedef struct Scale {
    double from, to, step; // of values
    int decimals;
    double left, right, x_step; // of places
    int x_decimals;
    int32_t width, height;
} Scale;

static double x_of(const Scale *s, double x) {
    return LEFT + (x - s->left) / (s->right - s->left) * (s->width - LEFT - RIGHT);
}

static double y_of(const Scale *s, double v) {
    return s->height - BOTTOM - (v - s->from) / (s->to - s->from) * (s->height - TOP - BOTTOM);
}

// 1, 2 or 5 times a power of ten.
static double nice(double x) {
    double p = pow(10, floor(log10(x))), f = x / p;
    return p * (f <= 1.0000001 ? 1 : f <= 2.0000001 ? 2 : f <= 5.0000001 ? 5 : 10);
}

static int decimals_of(double step) { return step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9); }

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
    s->decimals = decimals_of(s->step);
}

static double time_step(double span) {
    static const int32_t seconds[] = {1,      2,      5,      10,      15,      30,      60,      120,      300,
                                      600,    900,    1800,   3600,    7200,    10800,   21600,   43200,    86400,
                                      172800, 432000, 604800, 1209600, 2592000, 5184000, 7776000, 15552000, 31536000};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        double step = (double)(seconds[i] * NS_S);
        if (span / step < 9) return step;
    }
    return floor(span / 6) + 1;
}

static void fit_places(const Chart *c, Scale *s) {
    if (c->time) {
        s->left = 0;
        s->x_step = time_step(s->right);
        return;
    }
    double range = s->right - s->left;
    if (!(range > 0)) {
        s->left -= 1;
        s->right += 1;
        range = 2;
    }
    s->x_step = nice(range / 8);
    s->x_decimals = decimals_of(s->x_step);
    s->left -= range * 0.02; // dots at the ends are whole
    s->right += range * 0.02;
}

static void reach(double v, double *least, double *most) {
    if (!isfinite(v)) return;
    *least = fmin(*least, v);
    *most = fmax(*most, v);
}

// False: nothing is known of any line.
static bool scale_of(const Chart *c, Scale *s) {
    double least = INFINITY, most = -INFINITY; // of the lines themselves
    s->from = s->left = INFINITY;
    s->to = s->right = -INFINITY;
    for (int32_t i = 0; i < c->line_count; i++) {
        const ChartLine *l = &c->lines[i];
        for (int32_t k = 0; k < l->n; k++) {
            if (!isfinite(l->y[k])) continue;
            reach(l->y[k], &s->from, &s->to);
            reach(l->y[k], &least, &most);
            reach(l->x[k], &s->left, &s->right);
            if (!l->low) continue;
            reach(l->low[k], &s->from, &s->to);
            reach(l->high[k], &s->from, &s->to);
        }
    }
    if (!(s->from <= s->to) || (c->time && !(s->right > 0))) return false;
    if (least >= 0 && s->from < 0) s->from = 0; // a band that goes below is cut there: nothing else does
    fit_values(s);
    fit_places(c, s);
    return true;
}

// ---- drawing ------------------------------------------------------------------------------------------------------

static void put_time(double ns, double step, Buf *out) {
    static const struct {
        int64_t s;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int i = 0;
    while (i < 3 && fmod(step, (double)(units[i].s * NS_S)) != 0) i++;
    if (ns == 0) buf_byte(out, '0');
    else buf_printf(out, "%g %s", ns / (double)(units[i].s * NS_S), units[i].name);
}

static void put_value(double v, double step, int decimals, Buf *out) {
    if (fabs(v) < step * 1e-9) v = 0;
    if (fabs(v) >= 1e9 || (step < 1e-6 && v != 0)) buf_printf(out, "%g", v);
    else figure_decimals(v, decimals, false, out);
}

static void draw_grid(const Chart *c, const Scale *s, Buf *out) {
    buf_str_put(out, STR("<g class=\"grid\">"));
    for (int i = 0; s->from + i * s->step <= s->to + s->step / 2; i++) {
        double v = s->from + i * s->step, y = y_of(s, v);
        buf_printf(out, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" class=\"end\">",
                   LEFT, y, s->width - RIGHT, y, LEFT - 8, y + 4);
        put_value(v, s->step, s->decimals, out);
        buf_str_put(out, STR("</text>"));
    }
    double first = ceil(s->left / s->x_step - 1e-9) * s->x_step;
    for (int i = 0; first + i * s->x_step <= s->right * (1 + 1e-12) && i < 100; i++) {
        double at = first + i * s->x_step, x = x_of(s, at);
        buf_printf(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" class=\"mid\">",
                   x, TOP, x, s->height - BOTTOM, x, s->height - BOTTOM + 18);
        if (c->time) put_time(at, s->x_step, out);
        else put_value(at, s->x_step, s->x_decimals, out);
        buf_str_put(out, STR("</text>"));
    }
    buf_str_put(out, STR("</g>"));
}

static bool known(const ChartLine *l, int32_t i) {
    return isfinite(l->y[i]) && (!l->low || (isfinite(l->low[i]) && isfinite(l->high[i])));
}

// Of every stretch that is known: there along the upper edge, back along the lower one.
static void draw_band(const ChartLine *l, const Scale *s, Buf *out) {
    if (!l->low) return;
    bool any = false;
    for (int32_t i = 0; i < l->n;) {
        int32_t end = i;
        while (end < l->n && known(l, end)) end++;
        if (end - i > 1) {
            if (!any) buf_printf(out, "<path class=\"band f%d\" d=\"", l->colour % CHART_COLOURS);
            any = true;
            for (int32_t k = i; k < end; k++)
                buf_printf(out, "%c%.1f %.1f", k == i ? 'M' : 'L', x_of(s, l->x[k]), y_of(s, l->high[k]));
            for (int32_t k = end; k-- > i;)
                buf_printf(out, "L%.1f %.1f", x_of(s, l->x[k]), y_of(s, fmax(l->low[k], s->from)));
            buf_byte(out, 'Z');
        }
        i = end > i ? end : i + 1;
    }
    if (any) buf_str_put(out, STR("\"/>"));
}

static void draw_dot(const ChartLine *l, const Scale *s, int32_t i, Buf *out) {
    buf_printf(out, "<circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>", l->colour % CHART_COLOURS,
               x_of(s, l->x[i]), y_of(s, l->y[i]));
}

static void draw_line(const Chart *c, const ChartLine *l, const Scale *s, Buf *out) {
    bool pen = false;
    int32_t last = -1;
    buf_printf(out, "<path class=\"line s%d\" d=\"", l->colour % CHART_COLOURS);
    for (int32_t i = 0; i < l->n; i++) {
        bool there = isfinite(l->y[i]);
        if (there) buf_printf(out, "%c%.1f %.1f", pen ? 'L' : 'M', x_of(s, l->x[i]), y_of(s, l->y[i]));
        if (there) last = i;
        pen = there;
    }
    buf_str_put(out, STR("\"/>"));
    for (int32_t i = 0; c->dots && !l->plain && i < l->n; i++)
        if (isfinite(l->y[i])) draw_dot(l, s, i, out);
    if (!c->dots && !l->plain && last >= 0) draw_dot(l, s, last, out);
}

static int64_t letters(Str s) {
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i++) n += ((uint8_t)s.p[i] & 0xC0) != 0x80;
    return n;
}

static Str short_name(Str s) {
    int64_t n = s.n < NAME_BYTES ? s.n : NAME_BYTES;
    while (n < s.n && n > 0 && ((uint8_t)s.p[n] & 0xC0) == 0x80) n--;
    return str_sub(s, 0, n);
}

static bool empty(const ChartLine *l) {
    for (int32_t i = 0; i < l->n; i++)
        if (isfinite(l->y[i])) return false;
    return true;
}

// Names in their colours, in one row.
static void draw_legend(const Chart *c, const Scale *s, Buf *out) {
    double x = LEFT, y = 46;
    for (int32_t i = 0; i < c->line_count; i++) {
        const ChartLine *l = &c->lines[i];
        Str name = short_name(l->name);
        double wide = 34 + NAME_WIDE * (double)letters(name);
        if (!name.n || empty(l)) continue;
        if (x > LEFT && x + wide > s->width - RIGHT) break; // who does not fit is in the table
        buf_printf(out, "<path class=\"line s%d\" d=\"M%.1f %.1fh20\"/><text class=\"name\" x=\"%.1f\" y=\"%.1f\">",
                   l->colour % CHART_COLOURS, x, y - 4, x + 25, y);
        told_escape(name, out);
        buf_str_put(out, STR("</text>"));
        x += wide + 12;
    }
}

static void draw_head(const Chart *c, const Scale *s, Buf *out) {
    buf_printf(out, "<text class=\"title\" x=\"%d\" y=\"22\">", LEFT);
    told_escape(c->title, out);
    buf_str_put(out, STR("<tspan class=\"soft\" dx=\"8\">"));
    told_escape(c->soft, out);
    if (c->unit.n && c->soft.n) buf_str_put(out, STR(", "));
    told_escape(c->unit, out);
    buf_str_put(out, STR("</tspan></text>"));
    buf_printf(out, "<text class=\"soft mid\" x=\"%.1f\" y=\"%d\">", (LEFT + s->width - RIGHT) / 2.0, s->height - 10);
    told_escape(c->x_title, out);
    buf_str_put(out, STR("</text>"));
}

static void describe(const Chart *c, Buf *out) {
    buf_str_put(out, STR("<title>"));
    told_escape(c->title, out);
    buf_str_put(out, STR("</title><desc>"));
    told_escape(c->desc, out);
    for (int32_t i = 0; !c->desc.n && i < c->line_count; i++) {
        const ChartLine *l = &c->lines[i];
        if (i) buf_str_put(out, STR("; "));
        told_escape(l->name, out);
        buf_str_put(out, STR(": "));
        told_number(l->n ? l->y[l->n - 1] : (double)NAN, out);
    }
    buf_str_put(out, STR("</desc>"));
}

void chart_draw(const Chart *c, int32_t width, int32_t height, Buf *out) {
    Scale s = {.width = width, .height = height};
    describe(c, out);
    bool some = scale_of(c, &s);
    draw_head(c, &s, out);
    if (!some) {
        buf_printf(out, "<text class=\"soft mid\" x=\"%d\" y=\"%d\">nothing is known of it</text>", width / 2,
                   height / 2);
        return;
    }
    draw_grid(c, &s, out);
    draw_legend(c, &s, out);
    for (int32_t i = c->line_count; i-- > 0;) draw_band(&c->lines[i], &s, out);
    for (int32_t i = c->line_count; i-- > 0;) draw_line(c, &c->lines[i], &s, out);
}

void chart_svg(const Chart *c, int32_t width, int32_t height, Buf *out) {
    buf_printf(out, "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 %d %d\" xmlns=\"http://www.w3.org/2000/svg\">",
               width, height);
    chart_draw(c, width, height, out);
    buf_str_put(out, STR("</svg>"));
}

void chart_span(const ChartSpan *s, double most, int32_t width, int32_t height, Buf *out) {
    static const char *const classes[] = {"sbad", "snone", "sgood", "ssoft"};
    double half = width / 2.0 - 5, mid = width / 2.0, y = height / 2.0;
    buf_printf(out,
               "<svg class=\"span\" aria-hidden=\"true\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><line "
               "class=\"zero\" x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%d\"/>",
               width, height, width, height, mid, mid, height);
    if (isfinite(s->at) && most > 0) {
        const char *class = classes[s->verdict + 1];
        double low = isfinite(s->low) ? s->low : s->at, high = isfinite(s->high) ? s->high : s->at;
        buf_printf(out,
                   "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/><circle class=\"%s\" "
                   "cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>",
                   class, mid + low / most * half, y, mid + high / most * half, y, class, mid + s->at / most * half, y);
    }
    buf_str_put(out, STR("</svg>"));
}

const char CHART_STYLE[] =
    ":root{--back:#fff;--text:#1c2430;--soft:#5b6675;--rule:#e3e7ed;--good:#1a7f37;--bad:#b42318;--card:#f7f8fa;"
    "--tint:.13;--c0:#1f6feb;--c1:#d4570a;--c2:#1a7f37;--c3:#8250df;--c4:#bf3989;--c5:#0a7c86;--c6:#9a6700;"
    "--c7:#57606a}"
    "@media(prefers-color-scheme:dark){:root{--back:#0f141b;--text:#e8ecf2;--soft:#9aa6b6;--rule:#2a323e;"
    "--good:#56d364;--bad:#ff7b72;--card:#171d26;--tint:.18;--c0:#6cb0ff;--c1:#ffa657;--c2:#56d364;--c3:#c6a0ff;"
    "--c4:#ff9bce;--c5:#5ad4dd;--c6:#e3b341;--c7:#aeb9c6}}"
    "svg text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;fill:var(--soft)}"
    "svg .title{font-size:15px;font-weight:600;fill:var(--text)}svg .soft{font-size:12px;font-weight:400;"
    "fill:var(--soft)}svg .name{fill:var(--text)}.mid{text-anchor:middle}.end{text-anchor:end}"
    ".grid line{stroke:var(--rule);stroke-width:1}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".band{fill-opacity:var(--tint)}"
    ".dot{stroke:var(--back);stroke-width:1.5}"
    ".s0{stroke:var(--c0)}.s1{stroke:var(--c1);stroke-dasharray:7 4}.s2{stroke:var(--c2);stroke-dasharray:2 4}"
    ".s3{stroke:var(--c3);stroke-dasharray:10 3 2 3}.s4{stroke:var(--c4)}.s5{stroke:var(--c5);stroke-dasharray:7 4}"
    ".s6{stroke:var(--c6);stroke-dasharray:2 4}.s7{stroke:var(--c7);stroke-dasharray:10 3 2 3}"
    ".f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}"
    ".f5{fill:var(--c5)}.f6{fill:var(--c6)}.f7{fill:var(--c7)}"
    ".span{display:block;margin-left:auto}.zero{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 2}"
    "line.sgood,line.sbad,line.snone,line.ssoft{stroke-width:3;stroke-linecap:round}"
    "line.sgood{stroke:var(--good)}line.sbad{stroke:var(--bad)}line.snone{stroke:var(--c0)}line.ssoft{stroke:"
    "var(--c7)}circle.sgood{fill:var(--good)}circle.sbad{fill:var(--bad)}circle.snone{fill:var(--c0)}"
    "circle.ssoft{fill:var(--c7)}";
