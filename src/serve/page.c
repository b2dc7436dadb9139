// SPDX-License-Identifier: Apache-2.0
#include "serve/page.h"
#include "serve/assets.h"
#include "serve/own.h"

void page_headers(HttpReply *reply) {
    http_reply_header(reply, STR("content-security-policy"),
                      STR("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                          "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
                          "frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"));
    http_reply_header(reply, STR("x-content-type-options"), STR("nosniff"));
    http_reply_header(reply, STR("referrer-policy"), STR("no-referrer"));
    http_reply_header(reply, STR("cross-origin-opener-policy"), STR("same-origin"));
    http_reply_header(reply, STR("cross-origin-resource-policy"), STR("same-origin"));
}

static void answer_file(Call *c, Str type, const unsigned char *bytes, unsigned int size) {
    HttpReply reply = {.status = 200, .type = type, .prefix = {(const char *)bytes, size}};
    page_headers(&reply);
    http_reply_header(&reply, STR("cache-control"), STR("no-cache"));
    call_reply(c, &reply);
}

void own_page(Call *c) {
    const Asset *index = asset_find(c->server->assets, c->server->asset_count, STR("index.html"));
    if (index) asset_answer(c, index);
    else answer_file(c, STR("text/html; charset=utf-8"), page_html, page_html_size);
}
void own_page_css(Call *c) { answer_file(c, STR("text/css; charset=utf-8"), page_css, page_css_size); }
void own_page_js(Call *c) { answer_file(c, STR("text/javascript; charset=utf-8"), page_js, page_js_size); }
