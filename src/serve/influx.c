// SPDX-License-Identifier: Apache-2.0
// What clients that write to InfluxDB ask beside /write: Telegraf creates its database first, others look whether the
// server is there. Questions in InfluxQL are refused in InfluxDB's own shape.
#include "codec/json.h"
#include "serve/adt/adt.h"
#include "serve/own.h"
#include "serve/url.h"

void own_ping(Call *c) {
    HttpReply reply = {.status = 204};
    http_reply_header(&reply, STR("x-influxdb-version"), STR("1.8-sosia"));
    call_reply(c, &reply);
}

bool own_is_influx_query(Call *c) {
    Str type = http_header(c->req, STR("content-type")), form = STR("application/x-www-form-urlencoded");
    return c->route->handle == adt_query && type.n >= form.n && str_eq_nocase(str_sub(type, 0, form.n), form);
}

// `q` of the form or of the query string, decoded.
static Str question(Call *c) {
    Str rest = c->view->body, key, raw, value;
    while (url_query_next(&rest, &key, &raw)) {
        if (!str_eq(key, STR("q"))) continue;
        return url_decode(raw, true, raw.n > 0 ? http_alloc(c->req, raw.n) : NULL, &value) == ERR_OK ? value : (Str){0};
    }
    return call_param(c, STR("q"));
}

static bool begins(Str *text, const char *word) {
    Str w = str_of(word);
    *text = str_trim(*text);
    if (text->n < w.n || !str_eq_nocase(str_sub(*text, 0, w.n), w)) return false;
    *text = str_sub(*text, w.n, text->n);
    return true;
}

// Databases need not be made: every name is taken.
static bool creates_database(Str q) { return begins(&q, "CREATE") && begins(&q, "DATABASE"); }

void own_influx_query(Call *c) {
    Str q = question(c);
    Buf body = {0};
    bool fine = creates_database(q);
    if (fine) buf_str_put(&body, STR("{\"results\":[{\"statement_id\":0}]}"));
    else buf_str_put(&body, STR("{\"error\":\"only CREATE DATABASE is understood here; questions are sent as JSON\"}"));
    HttpReply reply = {.status = fine ? 200 : 400, .type = JSON_TYPE, .take = &body};
    call_reply(c, &reply);
    buf_free(&body);
}
