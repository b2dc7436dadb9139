// SPDX-License-Identifier: Apache-2.0
#include "engine/html.h"
#include "engine/chart.h"
#include "engine/told.h"

static const char STYLE[] =
    "*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,"
    "-apple-system,\"Segoe UI\",Roboto,sans-serif}main{max-width:1080px;margin:0 auto;padding:40px 24px 64px}"
    "h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}h2{font-size:18px;margin:40px 0 12px}"
    ".lead{color:var(--soft);margin:0 0 28px}.say{font-size:19px;line-height:1.45;margin:14px 0 10px;max-width:46em}"
    ".cards{display:grid;gap:14px;grid-template-columns:repeat(auto-fit,"
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
    "td.c{vertical-align:middle}tr.best{background:var(--card)}"
    ".good,td small.good{color:var(--good)}.bad,td small.bad{color:var(--bad)}"
    "figure{margin:0 0 22px;border:1px solid var(--rule);"
    "border-radius:10px;padding:6px 8px}figcaption{color:var(--soft);font-size:13px;padding:0 8px 4px}"
    ".chart{display:block;width:100%;height:auto}"
    ".bar{height:8px;border-radius:4px;background:var(--rule);margin:0 0 28px;overflow:hidden}"
    ".bar svg{display:block;width:100%;height:8px}.bar rect{fill:var(--c0)}"
    "footer{margin-top:36px;color:var(--soft);font-size:13px}"
    "@media print{main{padding:0}figure,.card{break-inside:avoid}}";

void html_begin(const Html *h, Buf *out) {
    buf_str_put(out, STR("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                         "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" "
                         "content=\"light dark\">"));
    if (h->refresh) buf_printf(out, "<meta http-equiv=\"refresh\" content=\"%d\">", h->refresh);
    buf_str_put(out, STR("<title>"));
    told_escape(h->title, out);
    buf_printf(out, " \xE2\x80\x93 Sosia</title><style>%s%s</style></head><body><main><h1>", CHART_STYLE, STYLE);
    told_escape(h->title, out);
    buf_str_put(out, STR("</h1>"));
    if (h->sentence.n) {
        buf_str_put(out, STR("<p class=\"say\">"));
        told_escape(h->sentence, out);
        buf_str_put(out, STR("</p>"));
    }
    buf_str_put(out, STR("<p class=\"lead\">"));
    told_escape(h->lead, out);
    buf_str_put(out, STR("</p>"));
}

void html_end(Str foot, Buf *out) {
    buf_str_put(out, STR("<footer>"));
    told_escape(foot, out);
    buf_str_put(out, STR("</footer></main></body></html>\n"));
}
