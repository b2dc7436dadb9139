// SPDX-License-Identifier: Apache-2.0
#include "serve/own.h"
#include "codec/json.h"

static void answer_state(Call *c, int status, const char *state) {
    Buf body = {0};
    buf_printf(&body, "{\"status\":\"%s\",\"version\":\"%s\"}", state, sosia_version());
    call_json(c, status, (Str){0}, &body);
    buf_free(&body);
}

void own_healthz(Call *c) { answer_state(c, 200, "ok"); }

void own_readyz(Call *c) {
    SosiaOut *out = &c->server->outs[http_thread(c->req)];
    SosiaRead r = call_read(c, SOSIA_GET_STATS);
    buf_reset(&out->message);
    if (http_stopping(c->req)) {
        answer_state(c, 503, "stopping");
    } else if (sosia_read(c->server->engine, &c->who, &r, out) != SOSIA_OK) {
        answer_state(c, 503, "engine does not answer");
    } else {
        answer_state(c, 200, "ready");
    }
}

static void print_connect(const ServeConfig *config, Buf *out) {
    Buf stats = {0};
    if (!config->connect || !config->connect_stats) return;
    config->connect_stats(config->connect, &stats);
    metrics_print_json(STR("sosia_connect"), buf_str(&stats), out);
    buf_free(&stats);
}

void own_metrics(Call *c) {
    SosiaOut *out = &c->server->outs[http_thread(c->req)];
    SosiaRead r = call_read(c, SOSIA_GET_STATS);
    Str engine = STR("{}");
    buf_reset(&out->message);
    if (sosia_read(c->server->engine, &c->who, &r, out) == SOSIA_OK) engine = buf_str(&out->body);
    HttpStats http;
    Buf text = {0};
    http_stats(c->server->http, &http);
    metrics_print(&c->server->metrics, &http, &text);
    metrics_print_json(STR("sosia"), engine, &text);
    print_connect(&c->server->config, &text);
    HttpReply reply = {.status = 200, .type = STR("text/plain; version=0.0.4; charset=utf-8"), .take = &text};
    call_reply(c, &reply);
    buf_free(&text);
}
