// SPDX-License-Identifier: Apache-2.0
// Endpoints of kind "webhook". What an answer means: 2xx delivered; 408, 429, 5xx, no answer: again; everything else
// (410 and other 4xx, redirects) refused for good.
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "connect/endpoints.h"
#include "connect/webhook.h"

#define TIMEOUT_DEFAULT_NS (10 * NS_PER_S)
#define HEADER_BYTES_MAX 8192 // of one value
#define CA_BYTES_MAX (64 << 10)
#define KEY_BYTES_MAX 1024

typedef struct Hook {
    Webhook *webhook;
    Buf body;
    Str names[WEBHOOK_HEADERS_MAX], values[WEBHOOK_HEADERS_MAX];
} Hook;

static const char *const MEMBERS[] = {"kind",       "description", "paused",   "url",     "headers",
                                      "secret",     "handshake",   "batch",    "timeout", "retries",
                                      "deadLetter", "ca",          "insecure", NULL};

static bool token_ok(Str name) {
    static const char more[] = "!#$%&'*+-.^_`|~";
    for (int64_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == 0 || !strchr(more, c))) return false;
    }
    return name.n > 0 && name.n <= 128;
}

static bool value_ok(Str value) {
    for (int64_t i = 0; i < value.n; i++) {
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 127) return false;
    }
    return value.n <= HEADER_BYTES_MAX;
}

static void check_headers(Doc *p) {
    static const char *const ours[] = {"content-type",      "content-length", "host",  "sosia-signature",
                                       "transfer-encoding", "connection",     "expect"};
    const Json *h = json_get(p->json, STR("headers"));
    if (!h || h->type != JSON_OBJECT) return; // read before
    if (h->count > WEBHOOK_HEADERS_MAX) doc_bad(p, "headers", "at most %d are possible", WEBHOOK_HEADERS_MAX);
    for (int32_t i = 0; i < h->count; i++) {
        Str name = h->members[i].key;
        if (!token_ok(name)) doc_bad(p, "headers", "\"%.*s\" is no name of a header", STR_ARG(name));
        else if (!value_ok(h->members[i].value.s))
            doc_bad(p, "headers", "the value of %.*s has control characters, or more than %d bytes", STR_ARG(name),
                    HEADER_BYTES_MAX);
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++) {
            if (str_eq_nocase(name, str_of(ours[k]))) doc_bad(p, "headers", "%s is set by the server", ours[k]);
        }
    }
}

static int64_t timeout_of(Doc *p) {
    int64_t ns = TIMEOUT_DEFAULT_NS;
    Str text = doc_str(p, "timeout", (Str){0}, 32);
    if (text.n && (!time_parse_duration(text, &ns) || ns < 100 * NS_PER_MS || ns > WEBHOOK_TIMEOUT_MAX_NS))
        doc_bad(p, "timeout", "a time from \"100ms\" to \"2m\" is expected");
    return ns;
}

static void check(Doc *p) {
    Str url = doc_str(p, "url", (Str){0}, WEBHOOK_URL_MAX);
    doc_need(p, "url");
    if (url.n && !webhook_url_ok(url)) doc_bad(p, "url", "https://HOST/PATH is expected (or http://), without a user");
    doc_str(p, "description", (Str){0}, 1024);
    doc_bool(p, "paused", false);
    doc_bool(p, "handshake", false);
    doc_bool(p, "deadLetter", true);
    doc_bool(p, "insecure", false);
    doc_int(p, "batch", 1, 1, WEBHOOK_BATCH_MAX);
    doc_int(p, "retries", RETRIES_DEFAULT, 0, RETRIES_MAX);
    doc_str(p, "secret", (Str){0}, KEY_BYTES_MAX);
    doc_str(p, "ca", (Str){0}, CA_BYTES_MAX);
    timeout_of(p);
    check_headers(p);
}

static bool stopping(void *ctx) { return endpoint_stopping(ctx); }

static void close_hook(Endpoint *e) {
    Hook *h = e->own;
    webhook_close(h->webhook);
    buf_free(&h->body);
    mem_free(h);
    e->own = NULL;
}

// What stands in front of the peer's own words.
static void explain(const WebhookReply *r, char out[320]) {
    if (r->status) snprintf(out, 320, "HTTP %d%s%.256s", r->status, r->why[0] ? ": " : "", r->why);
    else snprintf(out, 320, "%s", r->why[0] ? r->why : "no answer");
}

static Err handshake(Endpoint *e, Buf *why) {
    WebhookReply r;
    char text[320];
    Hook *h = e->own;
    webhook_handshake(h->webhook, &r);
    if (r.status >= 200 && r.status < 300 && r.allowed) return ERR_OK;
    explain(&r, text);
    if (r.status >= 200 && r.status < 300) buf_str_put(why, STR("the handshake's answer does not allow our origin"));
    else buf_printf(why, "the handshake failed: %s", text);
    return ERR_UNREACHABLE;
}

static Err open_hook(Endpoint *e, Buf *why) {
    Hook *h = mem_alloc(sizeof *h);
    Doc p = endpoint_doc(e);
    WebhookConfig c = {.url = doc_str(&p, "url", (Str){0}, WEBHOOK_URL_MAX),
                       .key = doc_str(&p, "secret", (Str){0}, KEY_BYTES_MAX),
                       .ca = doc_str(&p, "ca", (Str){0}, CA_BYTES_MAX),
                       .insecure = doc_bool(&p, "insecure", false),
                       .origin = e->connect->host,
                       .timeout_ns = timeout_of(&p),
                       .names = h->names,
                       .values = h->values,
                       .stopping = stopping,
                       .ctx = e};
    const Json *headers = json_get(&e->doc, STR("headers"));
    for (int32_t i = 0; headers && i < headers->count; i++) {
        h->names[i] = headers->members[i].key;
        h->values[i] = headers->members[i].value.s;
        c.header_count++;
    }
    Err err = webhook_open(&c, &h->webhook, why);
    if (err) {
        mem_free(h);
        return err;
    }
    e->own = h;
    if (!doc_bool(&p, "handshake", false)) return ERR_OK;
    err = handshake(e, why);
    if (err) close_hook(e);
    return err;
}

static SendKind kind_of(int status) {
    if (status >= 200 && status < 300) return SEND_OK;
    return status == 0 || status == 408 || status == 429 || status >= 500 ? SEND_AGAIN : SEND_REFUSED;
}

static void send_events(Endpoint *e, const Outgoing *events, int32_t n, SendResult *out) {
    Hook *h = e->own;
    WebhookReply r;
    bool batch = e->batch > 1;
    buf_reset(&h->body);
    if (batch) buf_byte(&h->body, '[');
    for (int32_t i = 0; i < n; i++) {
        if (i) buf_byte(&h->body, ',');
        buf_str_put(&h->body, events[i].body);
    }
    if (batch) buf_byte(&h->body, ']');
    webhook_post(h->webhook, buf_str(&h->body), batch, &r);
    out->status = r.status;
    out->kind = kind_of(r.status);
    out->retry_after_ns = r.retry_after_ns;
    if (out->kind == SEND_OK) out->done = n;
    else explain(&r, out->why);
    if (out->kind == SEND_REFUSED) out->refused = n;
    if (out->kind == SEND_AGAIN && endpoint_stopping(e)) out->kind = SEND_STOPPED;
}

const EndpointKind endpoint_webhook = {
    .name = "webhook",
    .members = MEMBERS,
    .check = check,
    .open = open_hook,
    .close = close_hook,
    .send = send_events,
};
