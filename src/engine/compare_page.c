// SPDX-License-Identifier: Apache-2.0
// The comparison as one page by itself: no scripts, nothing from elsewhere.
#include "engine/compare.h"
#include <math.h>
#include "base/time.h"

static const char STYLE[] =
    "*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,"
    "-apple-system,\"Segoe UI\",Roboto,sans-serif}main{max-width:1080px;margin:0 auto;padding:40px 24px 64px}"
    "h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}h2{font-size:18px;margin:40px 0 12px}"
    ".lead{color:var(--soft);margin:0 0 28px}.cards{display:grid;gap:14px;grid-template-columns:repeat(auto-fit,"
    "minmax(250px,1fr))}.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}"
    ".card h3{margin:0 0 2px;font-size:16px;display:flex;align-items:center;gap:9px;overflow-wrap:anywhere}"
    ".card svg{flex:none}.card p{margin:2px 0;font-size:14px;overflow-wrap:anywhere}.soft,.card "
    ".soft{color:var(--soft)}"
    ".card ul{margin:8px 0 0;padding-left:18px;font-size:14px;overflow-wrap:anywhere}"
    ".note{border-left:3px solid var(--c6);background:var(--card);padding:10px 16px;margin:20px 0 0;border-radius:0 "
    "8px "
    "8px 0;font-size:14px}.note p{margin:2px 0}.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-size:15px}caption{text-align:left;color:var(--soft);font-size:14px;"
    "padding-bottom:8px}th,td{padding:9px 12px;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}"
    "thead th{font-size:13px;font-weight:600;color:var(--soft);border-bottom:2px solid var(--rule);white-space:nowrap}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "tbody th{font-weight:600}tbody th small,td small{display:block;font-weight:400;color:var(--soft);font-size:13px}"
    ".good{color:var(--good)}.bad{color:var(--bad)}figure{margin:0 0 22px;border:1px solid var(--rule);"
    "border-radius:10px;padding:6px 8px}.chart{display:block;width:100%;height:auto}"
    "footer{margin-top:36px;color:var(--soft);font-size:13px}"
    "@media print{main{padding:0}figure,.card{break-inside:avoid}}";

static void put(Buf *out, const char *text) { buf_str_put(out, str_of(text)); }

// "2026-11-23 08:00:00 UTC".
static void put_when(int64_t ns, Buf *out) {
    int64_t at = out->n;
    time_print(ns, 0, out);
    if (out->full || out->n - at < 20) return;
    out->p[at + 10] = ' ';
    out->n--; // its Z
    put(out, " UTC");
}

static void put_world(const CompareWorld *w, int32_t i, Buf *out) {
    buf_printf(
        out,
        "<section class=\"card\"><h3><svg width=\"26\" height=\"10\" aria-hidden=\"true\"><path class=\"line s%d\" "
        "d=\"M1 5h24\"/></svg>",
        i % 8);
    compare_escape(w->name, out);
    put(out, "</h3>");
    if (w->purpose.n) {
        put(out, "<p>");
        compare_escape(w->purpose, out);
        put(out, "</p>");
    }
    put(out, "<p class=\"soft\">");
    if (!w->kpis) {
        put(out, "not run yet");
    } else {
        put_when(w->begin_ns, out);
        put(out, " to ");
        put_when(w->now_ns, out);
        buf_printf(out, ", %s", w->state);
    }
    put(out, "</p>");
    if (w->change_count) put(out, "<ul>");
    for (int32_t k = 0; k < w->change_count; k++) {
        put(out, "<li>");
        compare_escape(w->changes[k].text, out);
        put(out, "</li>");
    }
    if (w->change_total > w->change_count)
        buf_printf(out, "<li class=\"soft\">and %lld more</li>", (long long)(w->change_total - w->change_count));
    if (w->change_count) put(out, "</ul>");
    put(out, "</section>");
}

static void put_notes(const Compare *c, Buf *out) {
    if (!c->note_count) return;
    put(out, "<div class=\"note\" role=\"note\">");
    for (int32_t i = 0; i < c->note_count; i++) {
        put(out, "<p>");
        compare_escape(c->notes[i], out);
        put(out, "</p>");
    }
    put(out, "</div>");
}

static void put_relative(double r, Buf *out) {
    if (!isfinite(r)) return;
    buf_printf(out, r > 0 ? "+" : "");
    compare_number(round(r * 1000) / 10, out);
    put(out, "\xE2\x80\xAF%");
}

static void put_cell(const CompareCell *x, bool first, Buf *out) {
    static const char *const verdicts[] = {"worse", "the same", "better"};
    put(out, "<td class=\"n\">");
    if (x->row && x->row->why.n) {
        put(out, "<small>");
        compare_escape(x->row->why, out);
        put(out, "</small></td>");
        return;
    }
    compare_number(x->value, out);
    if (!first && x->verdict != 2) {
        buf_printf(out, "<small class=\"%s\">", x->verdict > 0 ? "good" : x->verdict < 0 ? "bad" : "soft");
        if (x->verdict) put(out, x->difference > 0 ? "\xE2\x96\xB2 " : "\xE2\x96\xBC ");
        put(out, verdicts[x->verdict + 1]);
        put(out, "</small>");
    }
    put(out, "</td>");
    if (first) return;
    put(out, "<td class=\"n\">");
    if (x->difference == x->difference) {
        put(out, x->difference > 0 ? "+" : "");
        compare_number(x->difference, out);
        put(out, "<small>");
        put_relative(x->relative, out);
        put(out, "</small>");
    }
    put(out, "</td>");
}

static void put_table(const Compare *c, Buf *out) {
    put(out, "<div class=\"scroll\"><table><caption>Differences are against ");
    compare_escape(c->worlds[0].name, out);
    put(out, ".</caption><thead><tr><th scope=\"col\">KPI</th><th scope=\"col\">Unit</th>");
    for (int32_t i = 0; i < c->world_count; i++) {
        put(out, "<th scope=\"col\" class=\"n\">");
        compare_escape(c->worlds[i].name, out);
        put(out, i ? "</th><th scope=\"col\" class=\"n\">Difference</th>" : "</th>");
    }
    put(out, "</tr></thead><tbody>");
    static const char *const how[] = {"at the end", "mean", "least", "most", "over the whole time"};
    for (int32_t r = 0; r < c->row_count; r++) {
        const CompareRow *row = &c->rows[r];
        put(out, "<tr><th scope=\"row\">");
        compare_escape(row->as->k.title.n ? row->as->k.title : row->as->k.name, out);
        buf_printf(out, "<small>%s", how[row->as->k.over]);
        if (row->as->k.better) buf_printf(out, ", %s is better", row->as->k.better > 0 ? "more" : "less");
        put(out, "</small></th><td>");
        compare_escape(compare_unit(row->as), out);
        put(out, "</td>");
        for (int32_t i = 0; i < c->world_count; i++) put_cell(&row->cells[i], i == 0, out);
        put(out, "</tr>");
    }
    put(out, "</tbody></table></div>");
}

static void put_names(const Compare *c, Buf *out) {
    for (int32_t i = 0; i < c->world_count; i++) {
        if (i) put(out, i + 1 == c->world_count ? " and " : ", ");
        compare_escape(c->worlds[i].name, out);
    }
}

void compare_page(const Compare *c, Buf *out) {
    put(out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>");
    put_names(c, out);
    put(out, " \xE2\x80\x93 Sosia</title><style>");
    put(out, COMPARE_STYLE);
    put(out, STYLE);
    put(out, "</style></head><body><main><h1>");
    put_names(c, out);
    put(out, "</h1><p class=\"lead\">Scenarios side by side</p><div class=\"cards\">");
    for (int32_t i = 0; i < c->world_count; i++) put_world(&c->worlds[i], i, out);
    put(out, "</div>");
    put_notes(c, out);
    if (c->row_count) {
        put(out, "<h2>What came of it</h2>");
        put_table(c, out);
        put(out, "<h2>Course</h2>");
    }
    for (int32_t i = 0; i < c->row_count; i++) {
        put(out, "<figure>");
        compare_chart(c, &c->rows[i], 1000, 320, out);
        put(out, "</figure>");
    }
    put(out, "<footer>Made by Sosia. Figures are those of the runs as they stood when this page was made.</footer>"
             "</main></body></html>\n");
}
