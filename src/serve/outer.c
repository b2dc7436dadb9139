// SPDX-License-Identifier: Apache-2.0
// Resources that lie outside of the engine: connections, endpoints, event routes, commands, line protocol. A request is
// passed on to who was configured for them, and its answer passed back on the request's own thread.
#include "serve/own.h"
#include <stdio.h>
#include "serve/adt/adt.h"

// An answer on its way back, in memory of the request.
typedef struct Outer {
    Call *call;
    SosiaAsk ask;
    SosiaErr err;
    int status;
    int64_t retry_after_s;
    bool bare;
    Buf type, body, message;
} Outer;

// Types that are not JSON; static text, as replies need it.
static Str type_of(Str told) {
    static const Str others[] = {{"application/x-ndjson", 20}, {"text/plain; charset=utf-8", 25}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (str_eq(told, others[i])) return others[i];
    return JSON_TYPE;
}

static void reply_body(Outer *o) {
    Call *c = o->call;
    HttpReply reply = {.status = o->err ? err_http((Err)o->err) : o->status, .take = &o->body};
    if (o->bare && o->status) reply.status = o->status;
    if (o->body.n) reply.type = type_of(buf_str(&o->type));
    if (o->retry_after_s > 0) {
        char *text = http_alloc(c->req, 24);
        int n = snprintf(text, 24, "%lld", (long long)o->retry_after_s);
        http_reply_header(&reply, STR("retry-after"), (Str){text, n});
    }
    call_reply(c, &reply);
}

static void on_home(HttpReq *r, void *arg) {
    Outer *o = arg;
    (void)r;
    if (o->err && !o->bare) call_fail(o->call, (Err)o->err, buf_str(&o->message), (Str){0});
    else reply_body(o);
    buf_free(&o->type);
    buf_free(&o->body);
    buf_free(&o->message);
}

// On any thread.
static void on_told(void *arg, const SosiaTold *told) {
    Outer *o = arg;
    o->err = told->err;
    o->status = told->status;
    o->bare = told->bare;
    o->retry_after_s = told->retry_after_s;
    buf_str_put(&o->type, told->type);
    buf_str_put(&o->body, told->body);
    buf_str_put(&o->message, told->message);
    http_post(o->call->req, on_home, o);
}

static void pass_on(Call *c, const char *folder, Str id, Str sub, Str part) {
    const ServeConfig *config = &c->server->config;
    if (!config->connect) {
        call_failf(c, ERR_UNSUPPORTED, "This server was started without connections.");
        return;
    }
    Outer *o = http_alloc(c->req, sizeof *o);
    *o = (Outer){.call = c};
    o->ask = (SosiaAsk){.method = c->view->head ? STR("GET") : c->view->method,
                        .folder = str_of(folder),
                        .id = id,
                        .sub = sub,
                        .part = part,
                        .query = c->view->query,
                        .world = c->world,
                        .base_url = call_base_url(c),
                        .type = http_header(c->req, STR("content-type")),
                        .body = c->body,
                        .if_none_match = http_header(c->req, STR("if-none-match"))};
    config->connect_ask(config->connect, &c->who, &o->ask, on_told, o);
}

void own_connections(Call *c) { pass_on(c, "connections", c->id, c->sub, (Str){0}); }
void own_endpoints(Call *c) { pass_on(c, "endpoints", c->id, c->sub, (Str){0}); }
static void pass_write(Call *c) { pass_on(c, "write", (Str){0}, (Str){0}, (Str){0}); }
void own_write(Call *c) { call_unpack(c, pass_write); }
void own_command(Call *c) { pass_on(c, "commands", c->id, c->sub, (Str){0}); }
void own_component_command(Call *c) { pass_on(c, "commands", c->id, c->part, c->sub); }
void adt_eventroutes(Call *c) { pass_on(c, "eventroutes", c->id, (Str){0}, (Str){0}); }
