// SPDX-License-Identifier: Apache-2.0
// Reading history: a page of values or intervals of one twin or relationship. It may take long, so it is read by one of
// the server's readers (call_read), and ends early when its client is gone.
#include "serve/own.h"
#include <stdatomic.h>
#include <stdio.h>
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "serve/step.h"
#include "serve/url.h"

#define NAMES_MAX 1000 // properties of one request
#define PAGE_CSV 100000

typedef struct Reading {
    SosiaHistory h;
    SosiaOut out;
    SosiaErr err;
    int64_t from, to;        // as times, for the next page
    bool from_back, to_back; // they are relative to the world's now
    atomic_bool gone;
    Server *server;
} Reading;

// ---- what is asked for --------------------------------------------------------------------------------------------

static bool bad(Call *c, const char *name, Str value, const char *wants) {
    call_failf(c, ERR_ARGUMENT, "%s=%.*s: %s", name, STR_ARG(value), wants);
    return false;
}

// Which now a relative one is of is found out where it may take its time.
static bool read_time(Call *c, const char *name, Str text, int64_t *out, bool *back) {
    *back = text.n && (text.p[0] == '-' || str_eq(text, STR("now")));
    if (time_parse_when(text, 0, out)) return true;
    return bad(c, name, text, "a time is RFC 3339 (2026-11-01T08:00:00Z), a day (2026-11-01), now, or before it (-1h)");
}

static SosiaErr settle_times(Call *c, Reading *r) {
    int64_t now = 0;
    SosiaErr err = r->from_back || r->to_back ? sosia_world_now(c->server->engine, c->world, true, &now) : SOSIA_OK;
    if (r->from_back) r->from += now;
    if (r->to_back) r->to += now;
    r->h.from_ns = r->from;
    r->h.to_ns = r->to;
    bool told = err == SOSIA_WORLD_NOT_FOUND || err == SOSIA_PAST_GONE || err == SOSIA_ARGUMENT;
    return told ? SOSIA_OK : err; // reading says so too, and why
}

static bool read_names(Call *c, Reading *r, Str text) {
    Str *names = (Str *)(uintptr_t)r->h.properties;
    if (!names) r->h.properties = names = http_alloc(c->req, NAMES_MAX * (int64_t)sizeof *names);
    while (text.n) {
        Str name = str_trim(str_cut(&text, ','));
        if (!name.n) continue;
        if (r->h.property_count == NAMES_MAX) return bad(c, "properties", (Str){0}, "at most 1000 of them");
        names[r->h.property_count++] = name;
    }
    return true;
}

static bool read_with(Call *c, Reading *r, Str text) {
    Str rest = text;
    while (rest.n) {
        Str one = str_trim(str_cut(&rest, ','));
        if (str_eq(one, STR("source"))) r->h.sources = true;
        else if (str_eq(one, STR("arrival"))) r->h.arrival = true;
        else return bad(c, "with", text, "source, arrival or both, with a comma between");
    }
    return true;
}

static bool read_format(Call *c, Reading *r, Str v) {
    if (str_eq(v, STR("json"))) r->h.format = SOSIA_HISTORY_JSON;
    else if (str_eq(v, STR("csv"))) r->h.format = SOSIA_HISTORY_CSV;
    else if (str_eq(v, STR("columns"))) r->h.format = SOSIA_HISTORY_COLUMNS;
    else return bad(c, "format", v, "json, csv or columns");
    return true;
}

static bool read_order(Call *c, Reading *r, Str v) {
    r->h.descending = str_eq(v, STR("desc"));
    return r->h.descending || str_eq(v, STR("asc")) || bad(c, "order", v, "asc or desc");
}

static bool read_limit(Call *c, Reading *r, Str v) {
    int64_t n;
    if (!str_to_i64(v, &n) || n < 1 || n > PAGE_CSV) return bad(c, "limit", v, "a number from 1 to 100000");
    r->h.limit = (int32_t)n;
    return true;
}

static bool read_step(Call *c, Reading *r, Str v) {
    return step_parse(v, &r->h.step_ns) ||
           bad(c, "step", v, "a duration such as 90s, 5m, 1h, 1d or PT15M, P1D (months and years have no one length)");
}

// One parameter; false: it was answered.
static bool read_param(Call *c, Reading *r, Str key, Str v) {
    if (str_eq(key, STR("properties")) || str_eq(key, STR("property"))) return read_names(c, r, v);
    if (str_eq(key, STR("from"))) return read_time(c, "from", v, &r->from, &r->from_back);
    if (str_eq(key, STR("to"))) return read_time(c, "to", v, &r->to, &r->to_back);
    if (str_eq(key, STR("step"))) return read_step(c, r, v);
    if (str_eq(key, STR("with"))) return read_with(c, r, v);
    if (str_eq(key, STR("format"))) return read_format(c, r, v);
    if (str_eq(key, STR("order"))) return read_order(c, r, v);
    if (str_eq(key, STR("limit"))) return read_limit(c, r, v);
    if (str_eq(key, STR("fn"))) r->h.fn = v;
    else if (str_eq(key, STR("fill"))) r->h.fill = v;
    else if (str_eq(key, STR("continuationToken"))) r->h.token = v;
    else if (!str_eq(key, STR("api-version")) && !str_eq(key, STR("access_token"))) {
        call_failf(c, ERR_ARGUMENT,
                   "There is no parameter %.*s here: there are properties, from, to, step, fn, fill, order, limit, "
                   "with and format.",
                   STR_ARG(key));
        return false;
    }
    return true;
}

static void read_accept(Call *c, Reading *r) {
    Str accept = http_header(c->req, STR("accept"));
    if (str_find_str(accept, STR("text/csv")) >= 0) r->h.format = SOSIA_HISTORY_CSV;
    else if (str_find_str(accept, STR("application/x-ndjson")) >= 0) r->h.format = SOSIA_HISTORY_COLUMNS;
}

static bool read_query(Call *c, Reading *r) {
    Str rest = c->view->query, key, raw, v;
    read_accept(c, r);
    if (!call_page_size(c, &r->h.limit)) return false;
    while (url_query_next(&rest, &key, &raw)) {
        if (url_decode(raw, true, raw.n > 0 ? http_alloc(c->req, raw.n) : NULL, &v) != ERR_OK) {
            call_failf(c, ERR_ARGUMENT, "%.*s is not valid percent-encoded UTF-8.", STR_ARG(key));
            return false;
        }
        if (!read_param(c, r, key, v)) return false;
    }
    if (!r->h.limit && r->h.format != SOSIA_HISTORY_JSON) r->h.limit = PAGE_CSV;
    return true;
}

// ---- the answer ---------------------------------------------------------------------------------------------------

static void put_pair(Buf *url, char *mark, Str key, Str raw) {
    buf_printf(url, "%c%.*s=%.*s", *mark, STR_ARG(key), STR_ARG(raw));
    *mark = '&';
}

static void put_instant(Buf *url, char *mark, const char *name, int64_t ns) {
    Buf t = {0};
    time_print(ns, 9, &t);
    put_pair(url, mark, str_of(name), buf_str(&t));
    buf_free(&t);
}

// This very request with another token, and with times that do not move on.
static Str next_url(Call *c, const Reading *r) {
    Buf url = {0};
    Str base = call_base_url(c), path = c->view->path, rest = c->view->query, key, raw;
    char mark = '?';
    buf_str_put(&url, base);
    buf_str_put(&url, str_sub(path, c->prefix.n, path.n));
    while (url_query_next(&rest, &key, &raw)) {
        bool ours = str_eq(key, STR("continuationToken")) || str_eq(key, STR("access_token")) ||
                    str_eq(key, STR("from")) || str_eq(key, STR("to"));
        if (!ours) put_pair(&url, &mark, key, raw);
    }
    if (r->from) put_instant(&url, &mark, "from", r->from);
    if (r->to) put_instant(&url, &mark, "to", r->to);
    put_pair(&url, &mark, STR("continuationToken"), str_of(r->out.token));
    char *p = http_alloc(c->req, url.n);
    memcpy(p, url.p, (size_t)url.n);
    Str out = {p, url.n};
    buf_free(&url);
    return out;
}

static void put_link(Call *c, HttpReply *reply, Str url) {
    Buf text = {0};
    buf_printf(&text, "<%.*s>; rel=\"next\"", STR_ARG(url));
    char *p = http_alloc(c->req, text.n);
    memcpy(p, text.p, (size_t)text.n);
    http_reply_header(reply, STR("link"), (Str){p, text.n});
    buf_free(&text);
}

static void answer_page(Call *c, Reading *r) {
    static const Str types[] = {{"application/json; charset=utf-8", 31},
                                {"text/csv; charset=utf-8; header=present", 39},
                                {"application/x-ndjson", 20}};
    Buf *body = &r->out.body;
    HttpReply reply = {.status = 200, .type = types[r->h.format], .take = body};
    Str next = r->out.token[0] ? next_url(c, r) : (Str){0};
    if (r->h.format == SOSIA_HISTORY_JSON) {
        body->n--; // the last brace
        buf_str_put(body, STR(",\"nextLink\":"));
        if (next.n) json_put_str(body, next);
        else buf_str_put(body, STR("null"));
        buf_byte(body, '}');
    }
    if (next.n) put_link(c, &reply, next);
    char *seq = http_alloc(c->req, 24);
    int n = snprintf(seq, 24, "%llu", (unsigned long long)r->out.seq);
    http_reply_header(&reply, STR("sosia-sequence"), (Str){seq, n});
    http_reply_header(&reply, STR("vary"), STR("accept"));
    call_reply(c, &reply);
}

static void answer(Call *c) {
    Reading *r = c->job_arg;
    if (r->err == SOSIA_OK) answer_page(c, r);
    else call_fail(c, (Err)r->err, buf_str(&r->out.message), (Str){0});
    sosia_out_free(&r->out);
}

// ---- the work -----------------------------------------------------------------------------------------------------

static bool enough(void *ctx) {
    Reading *r = ctx;
    return atomic_load_explicit(&r->gone, memory_order_relaxed) || atomic_load(&r->server->hurry);
}

static void on_gone(void *arg) { atomic_store(&((Reading *)arg)->gone, true); }

static void read_on_worker(Call *c) {
    Reading *r = c->job_arg;
    r->err = enough(r) ? SOSIA_CLOSED : settle_times(c, r);
    if (!r->err) r->err = sosia_history(c->server->engine, &c->who, &r->h, &r->out);
    call_post(c, answer);
}

static void start(Call *c, Str link) {
    Reading *r = http_alloc(c->req, sizeof *r);
    *r = (Reading){.server = c->server};
    r->h = (SosiaHistory){.world = c->world, .id = c->id, .link = link, .stop = enough, .stop_ctx = r};
    if (!read_query(c, r)) return;
    c->job_arg = r;
    if (call_reader(c, read_on_worker)) http_on_gone(c->req, on_gone, r);
}

// ---- what it takes ------------------------------------------------------------------------------------------------

static void answer_stats(Call *c) {
    Reading *r = c->job_arg;
    HttpReply reply = {.status = 200, .type = STR("application/json; charset=utf-8"), .take = &r->out.body};
    if (r->err == SOSIA_OK) call_reply(c, &reply);
    else call_fail(c, (Err)r->err, buf_str(&r->out.message), (Str){0});
    sosia_out_free(&r->out);
}

static void stats_on_worker(Call *c) {
    Reading *r = c->job_arg;
    r->err = sosia_history_stats(c->server->engine, &c->who, &r->out);
    call_post(c, answer_stats);
}

void own_history_stats(Call *c) {
    Reading *r = http_alloc(c->req, sizeof *r);
    *r = (Reading){.server = c->server};
    c->job_arg = r;
    call_reader(c, stats_on_worker);
}

// ---- the deleted --------------------------------------------------------------------------------------------------

static void answer_deleted(Call *c) {
    Reading *r = c->job_arg;
    Buf body = {0};
    buf_printf(&body, "{\"value\":%.*s,\"nextLink\":", STR_ARG(buf_str(&r->out.body)));
    if (r->out.token[0]) call_next_link(c, str_of(r->out.token), &body);
    else buf_str_put(&body, STR("null"));
    buf_byte(&body, '}');
    if (r->err == SOSIA_OK) call_json(c, 200, (Str){0}, &body);
    else call_fail(c, (Err)r->err, buf_str(&r->out.message), (Str){0});
    buf_free(&body);
    sosia_out_free(&r->out);
}

static void deleted_on_worker(Call *c) {
    Reading *r = c->job_arg;
    r->err = sosia_history_deleted(c->server->engine, &c->who, r->h.token, r->h.limit, &r->out);
    call_post(c, answer_deleted);
}

void own_history_deleted(Call *c) {
    Reading *r = http_alloc(c->req, sizeof *r);
    *r = (Reading){.server = c->server, .h = {.token = call_param(c, STR("continuationToken"))}};
    if (!call_page_size(c, &r->h.limit)) return;
    c->job_arg = r;
    call_reader(c, deleted_on_worker);
}

void own_history(Call *c) { start(c, (Str){0}); }
void own_link_history(Call *c) { start(c, c->sub); }
