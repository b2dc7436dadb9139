// SPDX-License-Identifier: Apache-2.0
// The query operation: a question in, one page of its answer out. The engine answers a small question before
// sosia_query_start returns, and the reply goes out at once; the answer to a larger one comes from another thread by
// way of http_post. When its client is gone before that, the question is cancelled; the answer, then CLOSED, comes all
// the same and ends the request.
#include "serve/adt/adt.h"
#include <stdio.h>
#include "codec/json.h"

#define QUERY_BODY_MAX 131072 // bytes of a request: more than the longest question and token, however they are escaped

typedef struct Asked {
    Call *call;
    pthread_t thread; // of I/O
    bool here;        // answered before sosia_query_start came back
    bool gone;        // the client, as far as can be told
    SosiaErr err;
    SosiaAnswer answer; // its buffers are ours
} Asked;

// ---- the reply ----------------------------------------------------------------------------------------------------

static void put_rest(const Asked *x, Buf *body) {
    const SosiaAnswer *a = &x->answer;
    if (a->token[0]) buf_printf(body, ",\"continuationToken\":\"%s\"", a->token);
    else buf_str_put(body, STR(",\"continuationToken\":null"));
    if (a->plan.n) {
        buf_str_put(body, STR(",\"plan\":"));
        buf_str_put(body, buf_str(&a->plan));
    }
    if (a->columns.n) {
        buf_str_put(body, STR(",\"columns\":"));
        buf_str_put(body, buf_str(&a->columns));
    }
    if (a->notes.n > 2) { // more than "[]"
        buf_str_put(body, STR(",\"notes\":"));
        buf_str_put(body, buf_str(&a->notes));
    }
    buf_byte(body, '}');
}

static Str print_number(Call *c, const char *fmt, double value) {
    char *text = http_alloc(c->req, 40);
    int n = snprintf(text, 40, fmt, value);
    return (Str){text, n};
}

static void answer_page(Asked *x) {
    Call *c = x->call;
    Buf *body = &x->answer.body;
    put_rest(x, body);
    HttpReply reply = {.status = 200, .type = JSON_TYPE, .prefix = STR("{\"value\":"), .take = body};
    http_reply_header(&reply, STR("query-charge"), print_number(c, "%.2f", x->answer.charge));
    http_reply_header(&reply, STR("sosia-sequence"), print_number(c, "%.0f", (double)x->answer.seq));
    call_reply(c, &reply);
}

#define GONE_TEXT "The connection was closed from the other side before the answer was there; the question was ended."

static void answer(Asked *x) {
    if (x->err == SOSIA_OK) answer_page(x);
    else if (x->err == SOSIA_CLOSED && x->gone) call_fail(x->call, ERR_CLOSED, STR(GONE_TEXT), (Str){0});
    else call_fail(x->call, (Err)x->err, buf_str(&x->answer.message), (Str){0});
    sosia_answer_free(&x->answer);
}

static void on_posted(HttpReq *r, void *arg) {
    (void)r;
    answer(arg);
}

// On this thread of I/O, or one of the engine's.
static void on_answer(void *arg, SosiaErr err, SosiaAnswer *a) {
    Asked *x = arg;
    x->err = err;
    x->answer = *a;
    a->body = a->plan = a->notes = a->columns = a->message = (Buf){0};
    if (pthread_equal(x->thread, pthread_self())) x->here = true;
    else http_post(x->call->req, on_posted, x);
}

// Nobody else has this arg, so it names the one question.
static void on_gone(void *arg) {
    Asked *x = arg;
    x->gone = true;
    sosia_query_cancel(x->call->server->engine, on_answer, x);
}

void adt_query_stop(Server *s) { sosia_query_cancel(s->engine, on_answer, NULL); }

// ---- the request --------------------------------------------------------------------------------------------------

// A text member; absent and null are "". False when it is anything else.
static bool read_text(const Json *body, Str name, Str *out) {
    const Json *v = json_get(body, name);
    *out = v && v->type == JSON_STRING ? v->s : (Str){0};
    return !v || v->type == JSON_NULL || v->type == JSON_STRING;
}

// What the body says; false when it was answered.
static bool read_body(Call *c, Arena *arena, SosiaQuery *q) {
    Json body;
    bool object = json_parse(c->view->body, NULL, arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
    const Json *explain = object ? json_get(&body, STR("explain")) : NULL;
    const Json *columns = object ? json_get(&body, STR("columns")) : NULL;
    bool ok =
        object && read_text(&body, STR("query"), &q->text) && read_text(&body, STR("continuationToken"), &q->token);
    q->explain = explain && explain->type == JSON_TRUE;
    q->columns = columns && columns->type == JSON_TRUE;
    if (!ok) {
        call_failf(c, ERR_TOKEN, "The body must be a JSON object with the texts query and continuationToken.");
    } else if (!q->text.n && !q->token.n) {
        call_failf(c, ERR_TOKEN, "The body has neither a query nor a continuationToken.");
        ok = false;
    }
    return ok;
}

static void ask(Call *c, const SosiaQuery *q) {
    Asked *x = http_alloc(c->req, sizeof *x);
    *x = (Asked){.call = c, .thread = pthread_self()};
    SosiaErr err = sosia_query_start(c->server->engine, &c->who, q, on_answer, x);
    if (err != SOSIA_OK) call_fail(c, (Err)err, (Str){0}, (Str){0});
    else if (x->here) answer(x);
    else http_on_gone(c->req, on_gone, x); // the answer waits for this thread
}

void adt_query(Call *c) {
    SosiaQuery q = {.world = c->world, .no_times = str_eq(c->api_version, STR("2020-10-31"))};
    Arena arena;
    if (c->view->body.n > QUERY_BODY_MAX) {
        call_failf(c, ERR_TOO_LARGE, "The body of a query may have %d bytes.", QUERY_BODY_MAX);
        return;
    }
    if (!call_page_size(c, &q.limit)) return;
    arena_init(&arena, 0);
    if (read_body(c, &arena, &q)) ask(c, &q);
    arena_free(&arena);
}
