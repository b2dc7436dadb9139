// SPDX-License-Identifier: Apache-2.0
// What is counted over runs, and runs side by side. Both may wait for the disk: a reader does them.
#include "serve/own.h"
#include <stdio.h>
#include "base/sha256.h"
#include "base/time.h"
#include "codec/json.h"

#define WORLDS_ASKED_MAX (SOSIA_COMPARE_WORLDS_MAX + 1) // one more than may be: the engine tells how many

// A request's own; lives with it.
typedef struct Counting {
    SosiaKpis kpis;
    SosiaCompare compare;
    Str worlds[WORLDS_ASKED_MAX];
    SosiaErr err;
    SosiaOut out;
} Counting;

// False when it was answered. -1: not said.
static bool points_param(Call *c, int32_t *out) {
    Str s = call_param(c, STR("points"));
    int64_t n = 0;
    *out = -1;
    if (!s.n) return true;
    for (int64_t i = 0; i < s.n && n <= 2000; i++) n = s.p[i] >= '0' && s.p[i] <= '9' ? n * 10 + (s.p[i] - '0') : 9999;
    if (n <= 2000) *out = (int32_t)n;
    else call_failf(c, ERR_ARGUMENT, "points must be a whole number up to 2000.");
    return n <= 2000;
}

// ---- of one world -------------------------------------------------------------------------------------------------

static void answer_kpis(Call *c) {
    Counting *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else call_json(c, 200, (Str){0}, &x->out.body);
    sosia_out_free(&x->out);
}

static void kpis_on_reader(Call *c) {
    Counting *x = c->job_arg;
    x->err = sosia_kpis(c->server->engine, &c->who, &x->kpis, &x->out);
    call_post(c, answer_kpis);
}

void own_kpis(Call *c) {
    Counting *x = http_alloc(c->req, sizeof *x);
    int32_t points;
    *x = (Counting){.kpis = {.world = c->world.n ? c->world : STR("live"), .kpis = call_param(c, STR("kpis"))}};
    if (!points_param(c, &points)) return;
    x->kpis.points = points < 0 ? 0 : points ? points : -1;
    c->job_arg = x;
    call_reader(c, kpis_on_reader);
}

// ---- side by side -------------------------------------------------------------------------------------------------

static void base64(const uint8_t *p, int n, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        for (int k = 0; k < 4; k++) *out++ = i + k > n ? '=' : digits[v >> (18 - 6 * k) & 63];
    }
    *out = 0;
}

// Neither scripts nor anything from elsewhere, and no styles but those that are in it.
static Str policy_of(Call *c, Str body) {
    static const char open[] = "<style>", close[] = "</style>";
    uint8_t hash[32];
    char text[48], *out = http_alloc(c->req, 200);
    const char *from = strstr(body.p, open) + strlen(open), *to = strstr(from, close); // there always is one
    sha256((Str){from, to - from}, hash);
    base64(hash, 32, text);
    int n = snprintf(out, 200, "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'", text);
    return (Str){out, n};
}

void own_document(Call *c, int32_t format, Buf *body) {
    static const Str types[] = {{"application/json; charset=utf-8", 31},
                                {"text/html; charset=utf-8", 24},
                                {"image/svg+xml; charset=utf-8", 28}};
    if (format == SOSIA_COMPARE_JSON || format == SOSIA_COMPARE_RUNS) {
        call_json(c, 200, (Str){0}, body);
        return;
    }
    buf_byte(body, 0);
    body->n--;
    Str policy = policy_of(c, buf_str(body));
    HttpReply reply = {.status = 200, .type = types[format], .take = body};
    http_reply_header(&reply, STR("content-security-policy"), policy);
    http_reply_header(&reply, STR("x-content-type-options"), STR("nosniff"));
    http_reply_header(&reply, STR("cache-control"), STR("no-store"));
    call_reply(c, &reply);
}

static void answer_compare(Call *c) {
    Counting *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else own_document(c, x->compare.format, &x->out.body);
    sosia_out_free(&x->out);
}

static void compare_on_reader(Call *c) {
    Counting *x = c->job_arg;
    x->err = sosia_compare(c->server->engine, &c->who, &x->compare, &x->out);
    call_post(c, answer_compare);
}

// "a,b": into x->worlds.
static void read_worlds(Call *c, Counting *x) {
    Str rest = call_param(c, STR("worlds"));
    while (rest.n && x->compare.world_count < WORLDS_ASKED_MAX) {
        int64_t n = 0;
        while (n < rest.n && rest.p[n] != ',') n++;
        x->worlds[x->compare.world_count++] = str_sub(rest, 0, n);
        rest = str_sub(rest, n < rest.n ? n + 1 : n, rest.n);
    }
    x->compare.worlds = x->worlds;
}

bool own_format(Call *c, int32_t *out) {
    Str s = call_param(c, STR("format"));
    if (!s.n || str_eq(s, STR("json"))) *out = SOSIA_COMPARE_JSON;
    else if (str_eq(s, STR("html"))) *out = SOSIA_COMPARE_HTML;
    else if (str_eq(s, STR("svg"))) *out = SOSIA_COMPARE_SVG;
    else return call_failf(c, ERR_ARGUMENT, "format must be json, html or svg."), false;
    return true;
}

void own_compare(Call *c) {
    Counting *x = http_alloc(c->req, sizeof *x);
    *x = (Counting){.compare = {.kpis = call_param(c, STR("kpis"))}};
    if (!own_format(c, &x->compare.format) || !points_param(c, &x->compare.points)) return;
    read_worlds(c, x);
    c->job_arg = x;
    call_reader(c, compare_on_reader);
}

// ---- many times over ----------------------------------------------------------------------------------------------

static void answer_many(Call *c) {
    Counting *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else call_json(c, 202, (Str){0}, &x->out.body);
    sosia_out_free(&x->out);
}

static void many_on_reader(Call *c) {
    Counting *x = c->job_arg;
    x->err = sosia_compare_many(c->server->engine, &c->who, &x->compare, &x->out);
    call_post(c, answer_many);
}

static Str kept(Call *c, Str s) {
    char *p = http_alloc(c->req, s.n > 0 ? s.n : 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static bool take_worlds(Call *c, const Json *v, Counting *x) {
    bool ok = v->type == JSON_ARRAY;
    for (int32_t i = 0; ok && i < v->count && i < WORLDS_ASKED_MAX; i++) {
        ok = v->items[i].type == JSON_STRING;
        if (ok) x->worlds[x->compare.world_count++] = kept(c, v->items[i].s);
    }
    return ok;
}

// ["a","b"] as "a,b".
static bool take_kpis(Call *c, const Json *v, Str *out) {
    Buf names = {0};
    bool ok = v->type == JSON_ARRAY;
    for (int32_t i = 0; ok && i < v->count; i++) {
        ok = v->items[i].type == JSON_STRING;
        if (ok && i) buf_byte(&names, ',');
        if (ok) buf_str_put(&names, v->items[i].s);
    }
    *out = kept(c, buf_str(&names));
    buf_free(&names);
    return ok;
}

static bool take_member(Call *c, const JsonMember *m, Counting *x) {
    const Json *v = &m->value;
    if (str_eq(m->key, STR("worlds"))) return take_worlds(c, v, x);
    if (str_eq(m->key, STR("kpis"))) return take_kpis(c, v, &x->compare.kpis);
    if (str_eq(m->key, STR("for")))
        return v->type == JSON_STRING &&
               (time_parse_period(v->s, &x->compare.for_ns) || time_parse_duration(v->s, &x->compare.for_ns)) &&
               x->compare.for_ns > 0;
    if (str_eq(m->key, STR("level"))) {
        x->compare.level = json_is_number(v) ? json_f64(v) : 0;
        return x->compare.level > 0 && x->compare.level < 1;
    }
    if (!str_eq(m->key, STR("replications")) || v->type != JSON_INT || v->i < 1 || v->i > 1000000) return false;
    x->compare.replications = (int32_t)v->i;
    return true;
}

void own_compare_many(Call *c) {
    Counting *x = http_alloc(c->req, sizeof *x);
    Arena arena;
    Json body;
    *x = (Counting){.compare = {.worlds = x->worlds}};
    arena_init(&arena, 0);
    bool ok = json_parse(c->view->body, NULL, &arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
    for (int32_t i = 0; ok && i < body.count; i++) ok = take_member(c, &body.members[i], x);
    arena_free(&arena);
    c->job_arg = x;
    if (ok) call_reader(c, many_on_reader);
    else
        call_failf(c, ERR_ARGUMENT,
                   "The body is {\"worlds\":[\"A\",\"B\"],\"replications\":100,\"for\":\"PT8H\",\"kpis\":[...],"
                   "\"level\":0.95}.");
}
