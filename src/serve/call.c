// SPDX-License-Identifier: Apache-2.0
// The way in (who, where, which operation) and the ways out of a request.
#include "serve/call.h"
#include <stdio.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "serve/assets.h"
#include "serve/gzip.h"
#include "serve/own.h"
#include "serve/params.h"
#include "serve/url.h"

#define WORKER_BODY_MIN 1048576 // a longer body is copied by the worker, so that others need not wait

// ---- the way in ----

static bool version_known(Str v) {
    static const char *const known[] = {"2023-10-31", "2022-05-31", "2020-10-31", "2023-06-30", "2023-02-27-preview"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (str_eq(v, str_of(known[i]))) return true;
    }
    return false;
}

static bool decode(Call *c, Str raw, Str *out) {
    return url_decode(raw, false, raw.n > 0 ? http_alloc(c->req, raw.n) : NULL, out) == ERR_OK;
}

// Browsers cannot give a WebSocket or an event stream headers: there the token may be a parameter.
// InfluxDB's first clients send ?u=USER&p=PASSWORD with points.
static Str token_param(Call *c, bool stream) {
    if (stream) return call_param(c, STR("access_token"));
    return c->route && c->route->handle == own_write ? call_param(c, STR("p")) : (Str){0};
}

static Err check_caller(Call *c, uint32_t flags, const char **why) {
    int32_t line = 0;
    bool wrong, socket = http_wants_socket(c->req, &wrong), changes = (flags & ROUTE_WRITE) != 0 || socket;
    GuardAsk ask = login_ask(c);
    ask.authorization = http_header(c->req, STR("authorization"));
    ask.token = token_param(c, socket || (flags & ROUTE_STREAM));
    ask.changes = changes;
    ask.stream = (flags & ROUTE_STREAM) != 0;
    TRY(guard_check(&c->server->guard, &ask, why, &line));
    c->who.principal = STR("local");
    if (line > 0) {
        int n = snprintf(c->principal, sizeof c->principal, "token-%d", (int)line);
        c->who.principal = (Str){c->principal, n};
    }
    return ERR_OK;
}

static void answer_options(Call *c, const char *allow) {
    HttpReply reply = {.status = 204};
    if (*allow) http_reply_header(&reply, STR("allow"), str_of(allow));
    call_reply(c, &reply);
}

static void answer_unmatched(Call *c, Err err, const char *allow) {
    bool any = str_eq(c->view->path, STR("*"));
    if (str_eq(c->view->method, STR("OPTIONS")) && (err == ERR_METHOD || any)) {
        answer_options(c, allow);
    } else if (err == ERR_METHOD) {
        call_failf(c, err, "%.*s is not possible here; the resource takes %s.", STR_ARG(c->view->method), allow);
    } else {
        call_failf(c, err, "There is no resource at %.*s.", STR_ARG(c->view->path));
    }
}

// "live@-1h" is resolved here, once: links in the answer must mean the same world later on. So is "FORK@-1h", by the
// fork's clock; one that is not made yet is made behind, and resolved there.
void call_world(Call *c, Str name) {
    int64_t now, at;
    Str when = name, base = str_cut(&when, '@');
    c->world = str_eq(name, STR("live")) ? (Str){0} : name;
    c->past = base.n < name.n;
    if (!c->past) return;
    bool relative = when.n && (when.p[0] == '-' || str_eq(when, STR("now")));
    if (!relative || sosia_world_now(c->server->engine, base, false, &now) != SOSIA_OK) return;
    if (!time_parse_when(when, now, &at)) return;
    Buf text = {0};
    buf_printf(&text, "/worlds/%.*s@", STR_ARG(base));
    time_print(at, 9, &text);
    char *p = http_alloc(c->req, text.n);
    memcpy(p, text.p, (size_t)text.n);
    c->prefix = (Str){p, text.n};
    c->world = str_sub(c->prefix, 8, c->prefix.n);
    buf_free(&text);
}

// False when it was answered: the past does not change.
static bool past_allows(Call *c) {
    if (!c->past || !(c->route->flags & (ROUTE_WRITE | ROUTE_STREAM))) return true;
    if (c->route->flags & ROUTE_WRITE)
        call_failf(c, ERR_READ_ONLY, "\"%.*s\" is the past: it can be read, not written.", STR_ARG(c->world));
    else
        call_failf(
            c, ERR_UNSUPPORTED,
            "A past world does not change. What changed since then: /changes?since=SEQUENCE of the world itself, "
            "or the command sosia replay.");
    return false;
}

// Fill in what the path and the query say; false when it was answered.
static bool read_target(Call *c, const RouteMatch *m) {
    bool ok = decode(c, m->world, &c->world) && decode(c, m->id, &c->id) && decode(c, m->sub, &c->sub) &&
              decode(c, m->part, &c->part);
    if (!ok) {
        call_failf(c, ERR_ARGUMENT, "The path %.*s is not valid percent-encoded UTF-8.", STR_ARG(c->view->path));
        return false;
    }
    c->prefix = m->prefix;
    call_world(c, c->world);
    c->api_version = call_param(c, STR("api-version"));
    if (!(c->route->flags & ROUTE_ADT) || version_known(c->api_version)) return past_allows(c);
    if (c->api_version.n == 0) {
        call_failf(c, ERR_API_VERSION_MISSING,
                   "The api-version query parameter is mandatory: add ?api-version=2023-10-31.");
    } else {
        call_failf(c, ERR_API_VERSION, "api-version %.*s is not supported: use 2023-10-31, 2022-05-31 or 2020-10-31.",
                   STR_ARG(c->api_version));
    }
    return false;
}

void call_handle(void *server, HttpReq *r) {
    Call *c = http_alloc(r, sizeof *c);
    *c = (Call){.server = server, .req = r, .view = http_view(r), .route_index = -1};
    c->body = c->view->body;
    RouteMatch m;
    const char *why = "";
    Err found = route_match(c->view->method, c->view->path, &m);
    if (found == ERR_OK) {
        int32_t count;
        c->route_index = m.index;
        c->route = &route_table(&count)[m.index];
    }
    if (found == ERR_NO_ROUTE && asset_serve(c)) return;
    uint32_t flags = c->route ? c->route->flags : 0;
    Err allowed = flags & ROUTE_OPEN ? ERR_OK : check_caller(c, flags, &why);
    if (allowed != ERR_OK) {
        call_fail(c, allowed, str_of(why), (Str){0});
    } else if (found != ERR_OK) {
        answer_unmatched(c, found, m.allow);
    } else if (own_is_influx_query(c)) {
        own_influx_query(c);
    } else if (read_target(c, &m)) {
        c->route->handle(c);
    }
}

// ---- what was asked ----

bool call_param_next(Call *c, Str *rest, Str name, Str *value) {
    Str key, raw;
    if (c->route && !params_takes(c->route, name)) return false; // nobody was told of it
    while (url_query_next(rest, &key, &raw)) {
        if (!str_eq(key, name)) continue;
        if (url_decode(raw, true, raw.n > 0 ? http_alloc(c->req, raw.n) : NULL, value) == ERR_OK) return true;
    }
    return false;
}

Str call_param(Call *c, Str name) {
    Str rest = c->view->query, value;
    return call_param_next(c, &rest, name, &value) ? value : (Str){0};
}

bool call_param_bool(Call *c, Str name) {
    Str v = call_param(c, name);
    return str_eq_nocase(v, STR("true")) || str_eq(v, STR("1"));
}

static Str scheme_of(Call *c) {
    Str forwarded = c->server->config.forwarded_proto ? http_header(c->req, STR("x-forwarded-proto")) : (Str){0};
    if (str_eq_nocase(forwarded, STR("https"))) return STR("https");
    if (str_eq_nocase(forwarded, STR("http"))) return STR("http");
    return c->view->tls ? STR("https") : STR("http");
}

bool call_is_https(Call *c) { return str_eq(scheme_of(c), STR("https")); }

static Str host_of(Call *c) { return c->view->host.n > 0 ? c->view->host : str_of(c->server->address); }

Str call_base_url(Call *c) {
    Str scheme = scheme_of(c), host = host_of(c);
    int64_t room = scheme.n + host.n + c->prefix.n + 4;
    char *p = http_alloc(c->req, room);
    int n = snprintf(p, (size_t)room, "%.*s://%.*s%.*s", STR_ARG(scheme), STR_ARG(host), STR_ARG(c->prefix));
    return (Str){p, n};
}

SosiaRead call_read(Call *c, SosiaGet what) {
    return (SosiaRead){.what = what,
                       .world = c->world,
                       .id = c->id,
                       .sub = c->sub,
                       .api_version = c->api_version,
                       .no_times = str_eq(c->api_version, STR("2020-10-31"))};
}

SosiaWrite call_writing(Call *c, SosiaOp op) {
    return (SosiaWrite){.op = op,
                        .world = c->world,
                        .id = c->id,
                        .sub = c->sub,
                        .body = c->body,
                        .no_times = str_eq(c->api_version, STR("2020-10-31"))};
}

bool call_conditions(Call *c, SosiaWrite *w) {
    w->if_match = http_header(c->req, STR("if-match"));
    if (w->if_match.p && !etag_list_ok(w->if_match)) {
        call_failf(c, ERR_ARGUMENT, "Invalid If-Match header value. Allowed value(s): If-Match: {etag} or If-Match: *");
        return false;
    }
    if (w->op != SOSIA_TWIN_PUT && w->op != SOSIA_LINK_PUT) return true;
    w->if_none_match = str_trim(http_header(c->req, STR("if-none-match")));
    if (w->if_none_match.p && !str_eq(w->if_none_match, STR("*"))) {
        call_failf(c, ERR_ARGUMENT, "Invalid If-None-Match header value. Allowed value(s): If-None-Match: *");
        return false;
    }
    return true;
}

// ---- the ways out ----

static void settle(Call *c, int status) {
    int64_t took = time_mono_ns() - http_began_ns(c->req);
    metrics_count(&c->server->metrics, http_thread(c->req), c->route_index, status, took);
    if (!c->server->config.log_requests) return;
    char method[16], path[200];
    snprintf(method, sizeof method, "%.*s", STR_ARG(c->view->method));
    snprintf(path, sizeof path, "%.*s", STR_ARG(c->view->path));
    LOG(REQUEST, method, path, status, (double)took / 1e6);
}

static void common_headers(Call *c, HttpReply *reply) {
    Str id = http_header(c->req, STR("x-ms-client-request-id"));
    if (id.p) http_reply_header(reply, STR("x-ms-client-request-id"), id);
}

void call_reply(Call *c, HttpReply *reply) {
    common_headers(c, reply);
    settle(c, reply->status);
    buf_free(&c->unpacked);
    http_reply(c->req, reply);
}

void call_stream_head(Call *c, HttpReply *reply) {
    common_headers(c, reply);
    settle(c, reply->status);
}

void call_fail(Call *c, Err err, Str message, Str details) {
    Buf body = {0};
    Str code = str_of(err_wire(err));
    HttpReply reply = {.status = err_http(err), .type = JSON_TYPE, .take = &body};
    buf_str_put(&body, STR("{\"error\":{\"code\":"));
    json_put_str(&body, code);
    buf_str_put(&body, STR(",\"message\":"));
    json_put_str(&body, message.n > 0 ? message : str_of(err_text(err)));
    if (details.n > 0) {
        buf_str_put(&body, STR(",\"details\":"));
        buf_str_put(&body, details);
    }
    buf_str_put(&body, STR("}}"));
    http_reply_header(&reply, STR("x-ms-error-code"), code);
    if (reply.status == 503) http_reply_header(&reply, STR("retry-after"), STR("1"));
    if (reply.status == 401) http_reply_header(&reply, STR("www-authenticate"), STR("Bearer realm=\"sosia\""));
    RouteMatch m;
    if (err == ERR_METHOD && route_match(c->view->method, c->view->path, &m) == ERR_METHOD) {
        http_reply_header(&reply, STR("allow"), str_of(m.allow));
    }
    call_reply(c, &reply);
    buf_free(&body);
}

void call_failf(Call *c, Err err, const char *fmt, ...) {
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    call_fail(c, err, buf_str(&text), (Str){0});
    buf_free(&text);
}

void call_upgrade(Call *c) {
    Str text = STR("{\"error\":{\"code\":\"UpgradeRequired\",\"message\":\"This takes a WebSocket of version 13: a GET "
                   "with Upgrade, Sec-WebSocket-Version and Sec-WebSocket-Key.\"}}");
    HttpReply reply = {.status = 426, .type = JSON_TYPE, .body = text};
    http_reply_header(&reply, STR("x-ms-error-code"), STR("UpgradeRequired"));
    http_reply_header(&reply, STR("upgrade"), STR("websocket"));
    http_reply_header(&reply, STR("sec-websocket-version"), STR("13"));
    call_reply(c, &reply);
}

static void result_headers(Call *c, HttpReply *reply, Str etag, uint64_t seq) {
    if (etag.n > 0) http_reply_header(reply, STR("etag"), etag);
    if (seq == 0) return;
    char *text = http_alloc(c->req, 24);
    int n = snprintf(text, 24, "%llu", (unsigned long long)seq);
    http_reply_header(reply, STR("sosia-sequence"), (Str){text, n});
}

void call_empty(Call *c, int status, Str etag, uint64_t seq) {
    HttpReply reply = {.status = status};
    result_headers(c, &reply, etag, seq);
    call_reply(c, &reply);
}

void call_json(Call *c, int status, Str etag, Buf *body) {
    HttpReply reply = {.status = status, .type = JSON_TYPE, .take = body};
    result_headers(c, &reply, etag, 0);
    call_reply(c, &reply);
}

// ---- reads ----

static SosiaOut *scratch(Call *c) {
    SosiaOut *out = &c->server->outs[http_thread(c->req)];
    buf_reset(&out->message);
    return out;
}

static void answer_one(Call *c, SosiaErr err, SosiaOut *out) {
    if (err != SOSIA_OK) call_fail(c, (Err)err, buf_str(&out->message), (Str){0});
    else call_json(c, 200, str_of(out->etag), &out->body);
}

// A read of the past, on its way through another thread.
typedef struct Look {
    SosiaRead read;
    SosiaOut out;
    SosiaErr err;
    void (*answer)(Call *c, SosiaErr err, SosiaOut *out);
} Look;

static void look_done(Call *c) {
    Look *l = c->job_arg;
    l->answer(c, l->err, &l->out);
    sosia_out_free(&l->out);
}

static void look_now(Call *c) {
    Look *l = c->job_arg;
    l->err = sosia_read(c->server->engine, &c->who, &l->read, &l->out);
    call_post(c, look_done);
}

// Read and answer: here, or by way of a thread that may wait for the disk.
static void read_then(Call *c, const SosiaRead *r, void (*answer)(Call *c, SosiaErr err, SosiaOut *out)) {
    if (!sosia_world_waits(c->server->engine, r->what == SOSIA_GET_WORLDS ? r->id : r->world)) {
        SosiaOut *out = scratch(c);
        SosiaErr err = sosia_read(c->server->engine, &c->who, r, out);
        answer(c, err, out);
        return;
    }
    Look *l = http_alloc(c->req, sizeof *l);
    *l = (Look){.read = *r, .answer = answer};
    c->job_arg = l;
    call_reader(c, look_now);
}

void call_get(Call *c, const SosiaRead *r) { read_then(c, r, answer_one); }

// Where "/worlds/NAME" ends.
static int64_t world_end(Str path) {
    int64_t name = str_find(path, '/', 1), end = name < 0 ? -1 : str_find(path, '/', name + 1);
    return end < 0 ? path.n : end;
}

// The page after this one: this very request with another token.
void call_next_link(Call *c, Str token, Buf *out) {
    Buf url = {0};
    Str rest = c->view->query, key, value;
    char mark = '?';
    Str path = c->view->path;
    int64_t given = c->past ? world_end(path) : 0; // "/worlds/live@-1h" has become another prefix
    buf_printf(&url, "%.*s://%.*s%.*s%.*s", STR_ARG(scheme_of(c)), STR_ARG(host_of(c)),
               STR_ARG(given ? c->prefix : (Str){0}), STR_ARG(str_sub(path, given, path.n)));
    while (url_query_next(&rest, &key, &value)) {
        if (str_eq(key, STR("continuationToken"))) continue;
        buf_printf(&url, "%c%.*s=%.*s", mark, STR_ARG(key), STR_ARG(value));
        mark = '&';
    }
    buf_printf(&url, "%ccontinuationToken=", mark);
    url_encode(token, &url);
    json_put_str(out, buf_str(&url));
    buf_free(&url);
}

bool call_page_size(Call *c, int32_t *limit) {
    int64_t n = 0;
    Str text = http_header(c->req, STR("max-items-per-page"));
    if (!text.p) return true;
    if (!str_to_i64(str_trim(text), &n) || n < 1) {
        call_failf(c, ERR_ARGUMENT, "max-items-per-page must be a whole number from 1 on.");
        return false;
    }
    *limit = n > 1000 ? 1000 : (int32_t)n;
    return true;
}

static void answer_list(Call *c, SosiaErr err, SosiaOut *out) {
    if (err != SOSIA_OK) {
        call_fail(c, (Err)err, buf_str(&out->message), (Str){0});
        return;
    }
    buf_str_put(&out->body, STR(",\"nextLink\":"));
    if (out->token[0]) {
        call_next_link(c, str_of(out->token), &out->body);
    } else {
        buf_str_put(&out->body, STR("null"));
    }
    buf_byte(&out->body, '}');
    HttpReply reply = {.status = 200, .type = JSON_TYPE, .prefix = STR("{\"value\":"), .take = &out->body};
    call_reply(c, &reply);
}

void call_list(Call *c, SosiaRead *r) {
    if (!call_page_size(c, &r->limit)) return;
    r->token = call_param(c, STR("continuationToken"));
    read_then(c, r, answer_list);
}

// ---- writes ----

typedef struct WriteJob {
    Call *call;
    SosiaWrite write;
    void (*fn)(Call *c, CallDone *done);
    CallDone done;
} WriteJob;

static void on_written(HttpReq *r, void *arg) {
    WriteJob *job = arg;
    (void)r;
    job->fn(job->call, &job->done);
    buf_free(&job->done.message);
    buf_free(&job->done.details);
    buf_free(&job->done.body);
}

// On a thread of the engine: keep what is borrowed and go home.
static void on_engine_done(void *arg, const SosiaDone *d) {
    WriteJob *job = arg;
    CallDone *done = &job->done;
    done->err = (Err)d->err;
    done->seq = d->seq;
    done->created = d->created;
    if (d->message.n > 0) buf_str_put(&done->message, d->message);
    if (d->details.n > 0) buf_str_put(&done->details, d->details);
    if (d->body.n > 0) buf_str_put(&done->body, d->body);
    snprintf(done->etag, sizeof done->etag, "%.*s", STR_ARG(d->etag));
    http_post(job->call->req, on_written, job);
}

static void write_now(WriteJob *job) {
    Call *c = job->call;
    SosiaErr err = sosia_write(c->server->engine, &c->who, &job->write, on_engine_done, job);
    if (err == SOSIA_OK) return;
    job->done.err = (Err)err;
    http_post(c->req, on_written, job);
}

static void write_on_worker(Call *c) { write_now(c->job_arg); }

void call_write_then(Call *c, const SosiaWrite *w, void (*fn)(Call *c, CallDone *done)) {
    WriteJob *job = http_alloc(c->req, sizeof *job);
    *job = (WriteJob){.call = c, .write = *w, .fn = fn};
    c->job_arg = job;
    if (w->body.n >= WORKER_BODY_MIN) {
        call_work(c, write_on_worker);
    } else {
        write_now(job);
    }
}

static void answer_write(Call *c, CallDone *done) {
    Str etag = str_of(done->etag);
    if (done->err != ERR_OK) {
        call_fail(c, done->err, buf_str(&done->message), buf_str(&done->details));
    } else if (c->success == 204) {
        call_empty(c, 204, etag, done->seq);
    } else {
        HttpReply reply = {.status = c->success, .type = JSON_TYPE, .take = &done->body};
        result_headers(c, &reply, etag, done->seq);
        call_reply(c, &reply);
    }
}

void call_write(Call *c, const SosiaWrite *w, int status) {
    c->success = status;
    call_write_then(c, w, answer_write);
}

// ---- the worker ----

void call_work(Call *c, void (*fn)(Call *c)) {
    c->job = fn;
    if (!queue_try_push(&c->server->jobs, c)) call_fail(c, ERR_BUSY, (Str){0}, (Str){0});
}

bool call_reader(Call *c, void (*fn)(Call *c)) {
    c->job = fn;
    bool ok = queue_try_push(&c->server->reads, c);
    if (!ok) call_fail(c, ERR_BUSY, (Str){0}, (Str){0});
    return ok;
}

static void run_posted(HttpReq *r, void *arg) {
    Call *c = arg;
    (void)r;
    c->job(c);
}

void call_post(Call *c, void (*fn)(Call *c)) {
    c->job = fn;
    http_post(c->req, run_posted, c);
}

// ---- packed bodies ----

typedef struct Unpacking {
    void (*fn)(Call *c);
    Err err;
} Unpacking;

static void on_unpacked(Call *c) {
    Unpacking *u = c->job_arg;
    c->body = buf_str(&c->unpacked);
    if (u->err == ERR_TOO_LARGE)
        call_failf(c, u->err, "The body is larger than %lld bytes when unpacked.", (long long)GZIP_UNPACKED_MAX);
    else if (u->err) call_failf(c, ERR_ARGUMENT, "The body is not gzip, as Content-Encoding says.");
    else u->fn(c);
}

static void unpack_on_worker(Call *c) {
    Unpacking *u = c->job_arg;
    u->err = gzip_unpack(c->view->body, GZIP_UNPACKED_MAX, &c->unpacked);
    call_post(c, on_unpacked);
}

void call_unpack(Call *c, void (*fn)(Call *c)) {
    Str coding = str_trim(http_header(c->req, STR("content-encoding")));
    if (!coding.n || str_eq_nocase(coding, STR("identity"))) {
        fn(c);
    } else if (str_eq_nocase(coding, STR("gzip")) || str_eq_nocase(coding, STR("x-gzip"))) {
        Unpacking *u = http_alloc(c->req, sizeof *u);
        *u = (Unpacking){.fn = fn};
        c->job_arg = u;
        call_work(c, unpack_on_worker);
    } else {
        call_failf(c, ERR_UNSUPPORTED, "Content-Encoding may be gzip or identity.");
    }
}
