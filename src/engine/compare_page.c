// SPDX-License-Identifier: Apache-2.0
// The comparison as one page by itself: no scripts, nothing from elsewhere.
#include "engine/compare.h"
#include <math.h>
#include "engine/html.h"
#include "engine/told.h"

static void put(Buf *out, const char *text) { buf_str_put(out, str_of(text)); }

static void put_world(const CompareWorld *w, int32_t i, Buf *out) {
    buf_printf(
        out,
        "<section class=\"card\"><h3><svg width=\"26\" height=\"10\" aria-hidden=\"true\"><path class=\"line s%d\" "
        "d=\"M1 5h24\"/></svg>",
        i % 8);
    told_escape(w->name, out);
    put(out, "</h3>");
    if (w->purpose.n) {
        put(out, "<p>");
        told_escape(w->purpose, out);
        put(out, "</p>");
    }
    put(out, "<p class=\"soft\">");
    if (!w->kpis) {
        put(out, "not run yet");
    } else {
        told_when(w->begin_ns, out);
        put(out, " to ");
        told_when(w->now_ns, out);
        buf_printf(out, ", %s", w->state);
    }
    put(out, "</p>");
    if (w->change_count) put(out, "<ul>");
    for (int32_t k = 0; k < w->change_count; k++) {
        put(out, "<li>");
        told_escape(w->changes[k].text, out);
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
        told_escape(c->notes[i], out);
        put(out, "</p>");
    }
    put(out, "</div>");
}

static void put_relative(double r, Buf *out) {
    if (!isfinite(r)) return;
    buf_printf(out, r > 0 ? "+" : "");
    told_number(round(r * 1000) / 10, out);
    put(out, "\xE2\x80\xAF%");
}

// points: percentages differ by those.
static void put_cell(const CompareCell *x, bool first, bool points, Buf *out) {
    static const char *const verdicts[] = {"worse", "the same", "better"};
    put(out, "<td class=\"n\">");
    if (x->row && x->row->why.n) {
        put(out, "<small>");
        told_escape(x->row->why, out);
        put(out, "</small></td>");
        return;
    }
    told_number(x->value, out);
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
        told_number(x->difference, out);
        put(out, "<small>");
        if (points) put(out, "points");
        else put_relative(x->relative, out);
        put(out, "</small>");
    }
    put(out, "</td>");
}

static void put_table(const Compare *c, Buf *out) {
    put(out, "<div class=\"scroll\"><table><caption>Differences are against ");
    told_escape(c->worlds[0].name, out);
    put(out, ".</caption><thead><tr><th scope=\"col\">KPI</th><th scope=\"col\">Unit</th>");
    for (int32_t i = 0; i < c->world_count; i++) {
        put(out, "<th scope=\"col\" class=\"n\">");
        told_escape(c->worlds[i].name, out);
        put(out, i ? "</th><th scope=\"col\" class=\"n\">Difference</th>" : "</th>");
    }
    put(out, "</tr></thead><tbody>");
    static const char *const how[] = {"at the end", "mean", "least", "most", "over the whole time"};
    for (int32_t r = 0; r < c->row_count; r++) {
        const CompareRow *row = &c->rows[r];
        put(out, "<tr><th scope=\"row\">");
        told_escape(row->as->k.title.n ? row->as->k.title : row->as->k.name, out);
        buf_printf(out, "<small>%s", how[row->as->k.over]);
        if (row->as->k.better) buf_printf(out, ", %s is better", row->as->k.better > 0 ? "more" : "less");
        put(out, "</small></th><td>");
        told_escape(told_unit(row->as->unit), out);
        put(out, "</td>");
        bool points = str_eq(told_unit(row->as->unit), STR("%"));
        for (int32_t i = 0; i < c->world_count; i++) put_cell(&row->cells[i], i == 0, points, out);
        put(out, "</tr>");
    }
    put(out, "</tbody></table></div>");
}

static void put_names(const Compare *c, Buf *out) {
    for (int32_t i = 0; i < c->world_count; i++) {
        if (i) put(out, i + 1 == c->world_count ? " and " : ", ");
        buf_str_put(out, c->worlds[i].name);
    }
}

void compare_page(const Compare *c, Buf *out) {
    Buf names = {0};
    put_names(c, &names);
    html_begin(&(Html){.title = c->title.n ? c->title : buf_str(&names),
                       .sentence = c->sentence,
                       .lead = c->title.n ? buf_str(&names) : STR("Scenarios side by side")},
               out);
    buf_free(&names);
    put(out, "<div class=\"cards\">");
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
    html_end(STR("Made by Sosia. Figures are those of the runs as they stood when this page was made; each is one run, "
                 "of one chance."),
             out);
}
