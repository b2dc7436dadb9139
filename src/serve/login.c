// SPDX-License-Identifier: Apache-2.0
// /session: a token is shown once and a cookie stands for it from then on.
#include <stdio.h>
#include "base/time.h"
#include "codec/json.h"
#include "serve/own.h"

#define LOGIN_BYTES_MAX 4096

GuardAsk login_ask(Call *c) {
    return (GuardAsk){.host = c->view->host,
                      .origin = http_header(c->req, STR("origin")),
                      .fetch_site = http_header(c->req, STR("sec-fetch-site")),
                      .cookie = http_header(c->req, STR("cookie")),
                      .now_ns = time_mono_ns(),
                      .tls = c->view->tls};
}

// Of the cookie; an empty id takes it away.
static void put_cookie(Call *c, const char *id, HttpReply *reply) {
    char *text = http_alloc(c->req, 200);
    int64_t life = *id ? c->server->session_life_ns / NS_PER_S : 0;
    int n = snprintf(text, 200, "%s=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s", SESSION_COOKIE, id,
                     (long long)life, call_is_https(c) ? "; Secure" : "");
    http_reply_header(reply, STR("set-cookie"), (Str){text, n});
    http_reply_header(reply, STR("cache-control"), STR("no-store"));
}

// {"token":"..."}: the token; p NULL when the body is anything else.
static Str read_token(Call *c, Arena *scratch) {
    Json body;
    JsonLimits limits = {.depth_max = 2, .size_max = LOGIN_BYTES_MAX};
    if (json_parse(c->body, &limits, scratch, &body, NULL) != ERR_OK || body.count != 1) return (Str){0};
    const Json *token = json_get(&body, STR("token"));
    return token && token->type == JSON_STRING ? token->s : (Str){0};
}

void own_login(Call *c) {
    Arena scratch;
    char id[SESSION_ID_SIZE + 1] = "";
    const char *why = "The body must be {\"token\":\"...\"}.";
    HttpReply reply = {.status = 204};
    arena_init(&scratch, 0);
    GuardAsk ask = login_ask(c);
    ask.changes = true;
    ask.token = read_token(c, &scratch);
    Err err = ask.token.p ? guard_login(&c->server->guard, &ask, id, &why) : ERR_ARGUMENT;
    if (err == ERR_OK) {
        put_cookie(c, id, &reply);
        call_reply(c, &reply);
    } else {
        call_fail(c, err, str_of(why), (Str){0});
    }
    explicit_bzero(id, sizeof id);
    arena_free(&scratch);
}

void own_logout(Call *c) {
    const char *why = "";
    int32_t line;
    GuardAsk ask = login_ask(c);
    HttpReply reply = {.status = 204};
    ask.changes = true;
    Err err = guard_check(&c->server->guard, &ask, &why, &line);
    if (err == ERR_FORBIDDEN) { // a foreign page may not even do that
        call_fail(c, err, str_of(why), (Str){0});
        return;
    }
    sessions_close(c->server->guard.sessions, cookie_find(ask.cookie, STR(SESSION_COOKIE)));
    put_cookie(c, "", &reply);
    call_reply(c, &reply);
}

void own_session(Call *c) {
    const char *why = "";
    int32_t line = 0;
    Buf body = {0};
    HttpReply reply = {.status = 200, .type = JSON_TYPE, .take = &body};
    GuardAsk ask = login_ask(c);
    ask.authorization = http_header(c->req, STR("authorization"));
    Err err = guard_check(&c->server->guard, &ask, &why, &line);
    if (err == ERR_FORBIDDEN) {
        call_fail(c, err, str_of(why), (Str){0});
        return;
    }
    bool required = atomic_load(&c->server->guard.tokens) != NULL;
    buf_printf(&body, "{\"required\":%s,\"principal\":", required ? "true" : "false");
    if (err != ERR_OK) buf_str_put(&body, STR("null}"));
    else if (line) buf_printf(&body, "\"token-%d\"}", (int)line);
    else buf_str_put(&body, STR("\"local\"}"));
    http_reply_header(&reply, STR("cache-control"), STR("no-store"));
    call_reply(c, &reply);
    buf_free(&body);
}
