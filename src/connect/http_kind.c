// SPDX-License-Identifier: Apache-2.0
#include "connect/http_kind.h"
#include "base/mem.h"
#include "base/time.h"
#include "connect/webhook.h"

#define END_GRACE_NS (2 * NS_PER_S) // for what is under way when the connection ends
#define CA_BYTES_MAX (64 << 10)
#define KEY_BYTES_MAX 1024

static const char *const members[] = {"kind",          "description", "paused",   "url",      "headers", "ca",
                                      "authorization", "secret",      "insecure", "commands", NULL};
static const char *const rule_members[] = {"twin", "command", "model", "path", "method", "payload", NULL};
static const char *const methods[] = {"POST", "PUT", NULL};

// ---- documents ----------------------------------------------------------------------------------------------------

static bool token_ok(Str name) {
    for (int64_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && c != '-' && c != '_') return false;
    }
    return name.n > 0 && name.n <= 128;
}

static bool value_ok(Str value) {
    for (int64_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 127) return false;
    return value.n <= HTTP_HEADER_BYTES_MAX;
}

static bool is_ours(Str name) {
    static const char *const ours[] = {"content-type",      "content-length",    "host",       "sosia-signature",
                                       "sosia-correlation", "transfer-encoding", "connection", "expect",
                                       "authorization"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (str_eq_nocase(name, str_of(ours[i]))) return true;
    return false;
}

static void check_headers(Doc *p) {
    const Json *h = json_get(p->json, STR("headers"));
    if (!h || h->type == JSON_NULL) return;
    if (h->type != JSON_OBJECT) {
        doc_bad(p, "headers", "an object of texts is expected");
        return;
    }
    if (h->count > HTTP_HEADERS_MAX) doc_bad(p, "headers", "at most %d are possible", HTTP_HEADERS_MAX);
    for (int32_t i = 0; i < h->count; i++) {
        const JsonMember *m = &h->members[i];
        if (!token_ok(m->key)) doc_bad(p, "headers", "\"%.*s\" is no name of a header", STR_ARG(m->key));
        else if (is_ours(m->key))
            doc_bad(p, "headers", "%.*s is set by the server%s", STR_ARG(m->key),
                    str_eq_nocase(m->key, STR("authorization")) ? ": use the member \"authorization\"" : "");
        else if (m->value.type != JSON_STRING || !value_ok(m->value.s))
            doc_bad(p, "headers", "%.*s: a text of at most %d bytes without control characters is expected",
                    STR_ARG(m->key), HTTP_HEADER_BYTES_MAX);
    }
}

static void read_rule(Doc *p, HttpRule *r) {
    *r = (HttpRule){.match = {.twin = doc_str(p, "twin", STR("*"), RULE_TEXT_MAX),
                              .name = doc_str(p, "command", STR("*"), RULE_TEXT_MAX),
                              .model = doc_str(p, "model", (Str){0}, RULE_TEXT_MAX)},
                    .path = doc_str(p, "path", STR("/{twin}/{command}"), RULE_TEXT_MAX),
                    .payload = doc_str(p, "payload", (Str){0}, RULE_PAYLOAD_MAX),
                    .put = doc_choice(p, "method", methods, 0) == 1};
    bool plain = r->path.n > 0 && r->path.p[0] == '/';
    for (int64_t i = 0; i < r->path.n; i++)
        plain = plain && r->path.p[i] > ' ' && r->path.p[i] <= '~' && r->path.p[i] != '#';
    if (!plain) doc_bad(p, "path", "it begins with '/' and has no blanks: \"/{twin}/{command}\"");
}

static void read_rules(Doc *p, HttpRules *out) {
    int64_t count;
    const Json *items = doc_array(p, "commands", HTTP_RULES_MAX, &count);
    out->count = 0;
    for (int64_t i = 0; i < count; i++) {
        Doc below = doc_item(p, "commands", items, i, rule_members);
        if (below.json) read_rule(&below, &out->items[out->count++]);
        doc_end(p, &below);
    }
    if (!count) doc_need(p, "commands");
}

Err http_document(const Json *doc, Diag *d, Arena *arena, HttpRules *rules) {
    HttpRules *mine = rules ? rules : NEW(arena, HttpRules, 1);
    Doc p = doc_of(doc, (Str){0}, members, d, arena);
    if (!p.json) return p.err;
    Str url = doc_str(&p, "url", (Str){0}, WEBHOOK_URL_MAX);
    doc_need(&p, "url");
    if (url.n && (!webhook_url_ok(url) || str_find(url, '?', 0) >= 0))
        doc_bad(&p, "url", "http://HOST:PORT (or https://, with a path or without) is expected, without a user");
    doc_str(&p, "description", (Str){0}, 1024);
    doc_bool(&p, "paused", false);
    doc_bool(&p, "insecure", false);
    doc_str(&p, "ca", (Str){0}, CA_BYTES_MAX);
    doc_str(&p, "secret", (Str){0}, KEY_BYTES_MAX);
    Str authorization = doc_str(&p, "authorization", (Str){0}, HTTP_HEADER_BYTES_MAX);
    if (!value_ok(authorization)) doc_bad(&p, "authorization", "control characters are not possible");
    check_headers(&p);
    read_rules(&p, mine);
    return p.err;
}

static Err check(const Json *doc, Diag *d) {
    Arena arena;
    arena_init(&arena, 0);
    Err err = http_document(doc, d, &arena, NULL);
    arena_free(&arena);
    return err;
}

// ---- a connection -------------------------------------------------------------------------------------------------

// A command on its way; texts are behind it.
typedef struct Job {
    char correlation[33];
    int64_t deadline_ns; // monotonic
    bool put;
    Buf url, body;
} Job;

typedef struct Http Http;

typedef struct Sender {
    Http *http;
    Webhook *webhook;
    Thread thread;
} Sender;

struct Http {
    Connection *connection;
    HttpRules rules;
    Str names[HTTP_HEADERS_MAX + 1], values[HTTP_HEADERS_MAX + 1];
    Queue queue;                  // of Job
    _Atomic bool ending;          // stop was called: what waits is refused
    _Atomic int64_t end_ns;       // then: what is under way is broken off
    Sender senders[HTTP_SENDERS]; // all of them started, or none
};

static void job_free(Job *j) {
    buf_free(&j->url);
    buf_free(&j->body);
    mem_free(j);
}

static bool stopping(void *ctx) {
    Http *h = ctx;
    return atomic_load(&h->ending) && time_mono_ns() >= atomic_load(&h->end_ns);
}

static void tell_lost(Http *h, const Job *j, const WebhookReply *r) {
    Connection *c = h->connection;
    Buf why = {0};
    buf_printf(&why, r->sent ? "The device did not answer: %s." : "The device cannot be reached: %s.",
               r->why[0] ? r->why : "no reason was given");
    connection_error(c, buf_str(&j->url), buf_str(&j->body), "%.*s", STR_ARG(buf_str(&why)));
    if (!r->sent) connection_state(c, CONN_CONNECTING, buf_str(&why));
    if (!r->sent || time_mono_ns() < j->deadline_ns) // else the table's own time-out is due
        command_failed(c->connect, str_of(j->correlation), r->sent ? ERR_DEVICE : ERR_DEVICE_OFFLINE, buf_str(&why));
    buf_free(&why);
}

static void send(Sender *s, const Job *j) {
    Http *h = s->http;
    Connection *c = h->connection;
    WebhookReply r;
    Buf reply = {.max = COMMAND_BYTES_MAX + 1};
    WebhookCall call = {.url = buf_str(&j->url),
                        .put = j->put,
                        .body = buf_str(&j->body),
                        .id = str_of(j->correlation),
                        .timeout_ns = j->deadline_ns - time_mono_ns(),
                        .reply = &reply};
    if (call.timeout_ns <= 0 || atomic_load(&h->ending)) { // nothing is sent that nobody waits for
        command_failed(c->connect, str_of(j->correlation), ERR_DEVICE_OFFLINE,
                       STR("The command waited too long for others, and was not sent."));
        return;
    }
    webhook_call(s->webhook, &call, &r);
    if (r.status) connection_state(c, CONN_UP, (Str){0});
    if (!r.status) tell_lost(h, j, &r);
    else if (r.status >= 300 && r.status < 400)
        command_failed(c->connect, str_of(j->correlation), ERR_DEVICE_REFUSED,
                       STR("The device answered with a redirect, which is not followed."));
    else command_answer(c->connect, str_of(j->correlation), r.status, buf_str(&reply));
    buf_free(&reply);
}

static void *sender_main(void *arg) {
    Sender *s = arg;
    void *item;
    while (queue_pop(&s->http->queue, &item, 1, -1) == 1) {
        send(s, item);
        job_free(item);
    }
    return NULL;
}

// ---- life ---------------------------------------------------------------------------------------------------------

static void end(Http *h) {
    atomic_store(&h->end_ns, time_mono_ns() + END_GRACE_NS);
    atomic_store(&h->ending, true);
    queue_close(&h->queue);
    for (int i = 0; i < HTTP_SENDERS; i++) {
        thread_join(&h->senders[i].thread);
        webhook_close(h->senders[i].webhook);
    }
    queue_free(&h->queue);
    mem_free(h);
}

static Err start_sender(Http *h, Doc *p, Sender *s, Buf *why) {
    WebhookConfig config = {.url = doc_str(p, "url", (Str){0}, WEBHOOK_URL_MAX),
                            .key = doc_str(p, "secret", (Str){0}, KEY_BYTES_MAX),
                            .ca = doc_str(p, "ca", (Str){0}, CA_BYTES_MAX),
                            .insecure = doc_bool(p, "insecure", false),
                            .origin = h->connection->connect->host,
                            .timeout_ns = COMMAND_TIMEOUT_NS_MAX,
                            .names = h->names,
                            .values = h->values,
                            .stopping = stopping,
                            .ctx = h};
    while (config.header_count <= HTTP_HEADERS_MAX && h->names[config.header_count].n) config.header_count++;
    s->http = h;
    TRY(webhook_open(&config, &s->webhook, why));
    return thread_start(&s->thread, "http", sender_main, s);
}

static void take_headers(Http *h, Doc *p) {
    int32_t n = 0;
    Str authorization = doc_str(p, "authorization", (Str){0}, HTTP_HEADER_BYTES_MAX);
    const Json *headers = json_get(p->json, STR("headers"));
    if (authorization.n) {
        h->names[n] = STR("authorization");
        h->values[n++] = authorization;
    }
    for (int32_t i = 0; headers && headers->type == JSON_OBJECT && i < headers->count; i++) {
        h->names[n] = headers->members[i].key;
        h->values[n++] = headers->members[i].value.s;
    }
}

static Err start(Connection *c, Buf *why) {
    Http *h = mem_alloc(sizeof *h);
    Diag d;
    diag_init(&d);
    h->connection = c;
    queue_init(&h->queue, HTTP_COMMANDS_MAX);
    Err err = http_document(&c->doc, &d, &c->arena, &h->rules);
    Doc p = doc_of(&c->doc, (Str){0}, members, NULL, &c->arena);
    if (!err) take_headers(h, &p);
    for (int i = 0; !err && i < HTTP_SENDERS; i++) err = start_sender(h, &p, &h->senders[i], why);
    if (err && d.count) diag_print(&d, why);
    diag_free(&d);
    if (err) {
        end(h);
        return err;
    }
    c->own = h;
    connection_state(c, CONN_UP, (Str){0}); // until a command says otherwise
    return ERR_OK;
}

static void stop(Connection *c) {
    end(c->own);
    c->own = NULL;
}

// ---- commands -----------------------------------------------------------------------------------------------------

void http_address(const Json *doc, const HttpRule *r, const Command *cmd, Buf *out) {
    Str url = json_get(doc, STR("url"))->s;
    while (str_ends(url, STR("/"))) url.n--;
    buf_str_put(out, url);
    command_expand(r->path, cmd, RULE_URL, out);
}

static Err command(Connection *c, Command *cmd) {
    Http *h = c->own;
    const HttpRule *r = NULL;
    for (int32_t i = 0; !r && i < h->rules.count; i++)
        if (command_match(&h->rules.items[i].match, c->connect, cmd)) r = &h->rules.items[i];
    if (!r) return ERR_NO_ROUTE;
    Job *j = mem_alloc(sizeof *j);
    *j = (Job){.put = r->put, .deadline_ns = time_mono_ns() + cmd->timeout_ns};
    memcpy(j->correlation, cmd->correlation, sizeof j->correlation);
    http_address(&c->doc, r, cmd, &j->url);
    if (r->payload.n) command_expand(r->payload, cmd, RULE_PLAIN, &j->body);
    else buf_str_put(&j->body, cmd->payload);
    if (queue_try_push(&h->queue, j)) return ERR_OK;
    job_free(j);
    return ERR_BUSY;
}

static const char *const secrets[] = {"authorization", "secret", "headers.*", NULL};

const ConnectKind kind_http = {
    .name = "http", .check = check, .secrets = secrets, .start = start, .stop = stop, .command = command};
