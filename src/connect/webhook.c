// SPDX-License-Identifier: Apache-2.0
#include "connect/webhook.h"
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

struct Webhook {
    WebhookConfig c;
    CURL *curl;
    struct curl_slist *common; // headers of every request, but for those that depend on the body
    char error[CURL_ERROR_SIZE];
    WebhookReply *reply; // of the request under way
    int64_t text;        // bytes of its text kept
    Buf *whole;          // of a call; or NULL
    bool options;
};

// ---- what comes back ----------------------------------------------------------------------------------------------

static Str header_value(Str line, const char *name) {
    Str rest = line;
    Str head = str_cut(&rest, ':');
    return str_eq_nocase(head, str_of(name)) ? str_trim(rest) : (Str){0};
}

// Seconds, or a date.
static int64_t retry_after(Str text) {
    int64_t s;
    char date[64];
    if (str_to_i64(text, &s)) return s > 0 && s < 1000000 ? s * NS_PER_S : 0;
    if (text.n >= (int64_t)sizeof date) return 0;
    memcpy(date, text.p, (size_t)text.n);
    date[text.n] = 0;
    time_t at = curl_getdate(date, NULL);
    s = at < 0 ? 0 : (int64_t)at - time_now_ns() / NS_PER_S;
    return s > 0 && s < 1000000 ? s * NS_PER_S : 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
    Webhook *w = arg;
    Str line = str_trim((Str){p, (int64_t)(size * n)});
    if (str_starts(line, STR("HTTP/"))) { // also after a 1xx
        w->reply->retry_after_ns = 0;
        w->reply->allowed = false;
    }
    Str value = header_value(line, "retry-after");
    if (value.n) w->reply->retry_after_ns = retry_after(value);
    value = header_value(line, "webhook-allowed-origin");
    if (value.n) w->reply->allowed = str_eq(value, STR("*")) || str_eq_nocase(value, w->c.origin);
    return size * n;
}

// The beginning of the text, for people; all of it is read, so that the connection can be used again.
static size_t on_text(char *p, size_t size, size_t n, void *arg) {
    Webhook *w = arg;
    if (w->whole) buf_put(w->whole, p, (int64_t)(size * n));
    for (size_t i = 0; i < size * n && w->text < WEBHOOK_REPLY_MAX; i++) {
        unsigned char c = (unsigned char)p[i];
        w->reply->why[w->text++] = (char)(c < ' ' || c > '~' ? ' ' : c);
    }
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    Webhook *w = arg;
    (void)a, (void)b, (void)c, (void)d;
    return w->c.stopping && w->c.stopping(w->c.ctx);
}

// ---- opening ------------------------------------------------------------------------------------------------------

bool webhook_url_ok(Str url) {
    bool tls = str_starts(url, STR("https://"));
    if ((!tls && !str_starts(url, STR("http://"))) || url.n > WEBHOOK_URL_MAX) return false;
    Str rest = str_sub(url, tls ? 8 : 7, url.n);
    for (int64_t i = 0; i < rest.n; i++) {
        if (rest.p[i] <= ' ' || rest.p[i] > '~' || rest.p[i] == '#') return false;
    }
    Str host = str_cut(&rest, '/');
    return host.n > 0 && str_find(host, '@', 0) < 0 && host.p[0] != ':';
}

static void add_header(struct curl_slist **list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_header(struct curl_slist **list, const char *fmt, ...) {
    Buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    buf_byte(&b, 0);
    struct curl_slist *longer = curl_slist_append(*list, b.p);
    CHECK(longer);
    *list = longer;
    buf_free(&b);
}

static void set_trust(Webhook *w) {
    const WebhookConfig *c = &w->c;
    curl_easy_setopt(w->curl, CURLOPT_SSL_VERIFYPEER, c->insecure ? 0L : 1L);
    curl_easy_setopt(w->curl, CURLOPT_SSL_VERIFYHOST, c->insecure ? 0L : 2L);
    if (!c->ca.n) return;
    if (c->ca.p[0] == '/') {
        Buf path = {0};
        buf_printf(&path, "%.*s%c", STR_ARG(c->ca), 0);
        curl_easy_setopt(w->curl, CURLOPT_CAINFO, path.p);
        buf_free(&path);
        return;
    }
    struct curl_blob blob = {.data = (void *)(uintptr_t)c->ca.p, .len = (size_t)c->ca.n, .flags = CURL_BLOB_COPY};
    curl_easy_setopt(w->curl, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_url(Webhook *w, Str text) {
    Buf url = {0};
    buf_printf(&url, "%.*s%c", STR_ARG(text), 0);
    curl_easy_setopt(w->curl, CURLOPT_URL, url.p);
    buf_free(&url);
}

static void set_up(Webhook *w) {
    set_url(w, w->c.url);
    curl_easy_setopt(w->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(w->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(w->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(w->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT_MS, (long)(w->c.timeout_ns / NS_PER_MS));
    curl_easy_setopt(w->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(w->c.timeout_ns / NS_PER_MS));
    curl_easy_setopt(w->curl, CURLOPT_ERRORBUFFER, w->error);
    curl_easy_setopt(w->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(w->curl, CURLOPT_HEADERDATA, w);
    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, on_text);
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, w);
    curl_easy_setopt(w->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(w->curl, CURLOPT_XFERINFODATA, w);
    curl_easy_setopt(w->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(w->curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(w->curl, CURLOPT_TCP_NODELAY, 1L);
    set_trust(w);
}

Err webhook_open(const WebhookConfig *c, Webhook **out, Buf *why) {
    Webhook *w = mem_alloc(sizeof *w);
    w->c = *c;
    w->curl = curl_easy_init();
    if (!w->curl) {
        buf_str_put(why, STR("libcurl could not be started"));
        mem_free(w);
        return ERR_IO;
    }
    set_up(w);
    add_header(&w->common, "user-agent: sosia/%s", SOSIA_VERSION);
    add_header(&w->common, "expect:"); // no waiting for 100 Continue
    for (int32_t i = 0; i < c->header_count; i++)
        add_header(&w->common, "%.*s: %.*s", STR_ARG(c->names[i]), STR_ARG(c->values[i]));
    *out = w;
    return ERR_OK;
}

void webhook_close(Webhook *w) {
    if (!w) return;
    curl_easy_cleanup(w->curl);
    curl_slist_free_all(w->common);
    mem_free(w);
}

// ---- requests -----------------------------------------------------------------------------------------------------

void webhook_sign(Str key, int64_t seconds, Str body, Buf *out) {
    Buf text = {0};
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    buf_printf(&text, "%lld.", (long long)seconds);
    buf_str_put(&text, body);
    CHECK(HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)text.p, (size_t)text.n, mac, &n));
    buf_printf(out, "t=%lld,v1=", (long long)seconds);
    for (unsigned int i = 0; i < n; i++) buf_printf(out, "%02x", mac[i]);
    buf_free(&text);
}

static void perform(Webhook *w, struct curl_slist *headers, WebhookReply *out) {
    *out = (WebhookReply){0};
    w->reply = out;
    w->text = 0;
    w->error[0] = 0;
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(w->curl);
    long status = 0;
    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = code == CURLE_OK ? (int)status : 0;
    curl_off_t ready = 0; // microseconds until a connection stood, TLS included
    curl_easy_getinfo(w->curl, CURLINFO_PRETRANSFER_TIME_T, &ready);
    out->sent = code == CURLE_OK || ready > 0;
    if (code != CURLE_OK) snprintf(out->why, sizeof out->why, "%s", w->error[0] ? w->error : curl_easy_strerror(code));
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, NULL);
}

// A list of headers that ends in the common ones; headers_free frees the front alone.
static struct curl_slist *headers_of(Webhook *w, struct curl_slist *front) {
    struct curl_slist *last = front;
    while (last->next) last = last->next;
    last->next = w->common;
    return front;
}

static void headers_free(Webhook *w, struct curl_slist *list) {
    struct curl_slist *last = list;
    while (last->next != w->common) last = last->next;
    last->next = NULL;
    curl_slist_free_all(list);
}

static void add_signature(Webhook *w, struct curl_slist **headers, Str body) {
    if (!w->c.key.n) return;
    Buf signature = {0};
    webhook_sign(w->c.key, time_now_ns() / NS_PER_S, body, &signature);
    add_header(headers, "sosia-signature: %.*s", STR_ARG(buf_str(&signature)));
    buf_free(&signature);
}

void webhook_call(Webhook *w, const WebhookCall *call, WebhookReply *out) {
    struct curl_slist *headers = NULL;
    add_header(&headers, "content-type: application/json");
    add_header(&headers, "sosia-correlation: %.*s", STR_ARG(call->id));
    add_signature(w, &headers, call->body);
    headers = headers_of(w, headers);
    set_url(w, call->url);
    curl_easy_setopt(w->curl, CURLOPT_FRESH_CONNECT, 1L); // over a kept one that turns out dead, curl would send twice
    curl_easy_setopt(w->curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT_MS, (long)(call->timeout_ns / NS_PER_MS) + 1);
    curl_easy_setopt(w->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(call->timeout_ns / NS_PER_MS) + 1);
    curl_easy_setopt(w->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, call->put ? "PUT" : NULL);
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, call->body.n ? call->body.p : "");
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
    w->whole = call->reply;
    perform(w, headers, out);
    w->whole = NULL;
    headers_free(w, headers);
}

void webhook_post(Webhook *w, Str body, bool batch, WebhookReply *out) {
    struct curl_slist *headers = NULL;
    add_header(&headers, "content-type: application/cloudevents%s+json; charset=utf-8", batch ? "-batch" : "");
    add_signature(w, &headers, body);
    headers = headers_of(w, headers);
    if (w->options) curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, NULL);
    if (w->options) curl_easy_setopt(w->curl, CURLOPT_NOBODY, 0L);
    w->options = false;
    curl_easy_setopt(w->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    perform(w, headers, out);
    headers_free(w, headers);
}

void webhook_handshake(Webhook *w, WebhookReply *out) {
    struct curl_slist *headers = NULL;
    add_header(&headers, "webhook-request-origin: %.*s", STR_ARG(w->c.origin));
    headers = headers_of(w, headers);
    curl_easy_setopt(w->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, "OPTIONS");
    w->options = true;
    perform(w, headers, out);
    headers_free(w, headers);
}
