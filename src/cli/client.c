// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"
#include <stdlib.h>
#include <strings.h>
#include "base/check.h"
#include "base/time.h"
#include "cli/term.h"
#include "cli/when.h"

#define API_VERSION "2023-10-31"
#define CONNECT_TIMEOUT_MS 5000L
#define CALL_TIMEOUT_MS 300000L

void url_escape(Str s, Buf *out) {
    for (int64_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        if (plain) buf_byte(out, (char)c);
        else buf_printf(out, "%%%02X", c);
    }
}

Err err_from_wire(int64_t status, Str wire) {
    Err by_status = ERR_IO;
    for (int32_t e = SOSIA_ERR_COUNT - 1; e > 0; e--) {
        if (err_http((Err)e) == status) by_status = (Err)e;
    }
    for (int32_t e = 1; e < SOSIA_ERR_COUNT; e++) {
        if (err_http((Err)e) == status && str_eq(str_of(err_wire((Err)e)), wire)) return (Err)e;
    }
    return by_status;
}

// ---- one connection -----------------------------------------------------------------------------------------------

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
    Buf *b = arg;
    buf_put(b, p, (int64_t)(size * n));
    return b->full ? 0 : size * n;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
    Client *c = arg;
    Str line = {p, (int64_t)(size * n)}, name = str_cut(&line, ':'), value = str_trim(line);
    int64_t seconds;
    if (str_eq_nocase(name, STR("etag")) && value.n < (int64_t)sizeof c->etag) {
        memcpy(c->etag, value.p, (size_t)value.n);
        c->etag[value.n] = 0;
    } else if (str_eq_nocase(name, STR("link"))) {
        buf_reset(&c->link);
        buf_str_put(&c->link, value);
    } else if (str_eq_nocase(name, STR("retry-after")) && str_to_i64(value, &seconds) && seconds >= 0) {
        c->retry_after_s = seconds > 60 ? 60 : (int32_t)seconds;
    }
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t d, curl_off_t e) {
    (void)a, (void)b, (void)d, (void)e;
    Client *c = arg;
    if (c->waiting) c->waiting(c->waiting_arg);
    return term_interrupted() != 0;
}

static Err token_of(Client *c, const Common *common, Str *out) {
    *out = str_trim(str_of(getenv("SOSIA_TOKEN")));
    if (!common->token_file.n) return ERR_OK;
    Buf b = {0};
    Err err = read_file(common->token_file, 1 << 20, &b);
    Str text = buf_str(&b);
    if (err == ERR_OK) *out = arena_str(&c->keep, str_trim(str_cut(&text, '\n')));
    buf_free(&b);
    if (err == ERR_OK && out->n == 0) return tell(ERR_ARGUMENT, "the token file has no token on its first line");
    return err;
}

static void set_options(Client *c, const Common *common) {
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->body);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "sosia/" SOSIA_VERSION);
    if (common->ca_file.n) curl_easy_setopt(c->curl, CURLOPT_CAINFO, arena_str(&c->keep, common->ca_file).p);
    if (!common->insecure) return;
    curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
}

Err client_world(Client *c, Str name, Arena *keep) {
    Str when = name, base = str_cut(&when, '@');
    int64_t at;
    if (base.n == name.n) {
        c->world = str_eq(name, STR("live")) ? (Str){0} : arena_str(keep, name);
        return ERR_OK;
    }
    bool relative = when.n && (when.p[0] == '-' || str_eq(when, STR("now")));
    if (relative && !str_eq(base, STR("live")) &&
        when_parse(when, 1, &at)) { // by the fork's clock, which the server has
        c->world = arena_str(keep, name);
        return ERR_OK;
    }
    if (!when_parse(when, time_now_ns(), &at)) {
        return tell(ERR_ARGUMENT,
                    "'%.*s' is no instant: write 2026-11-01T08:00:00Z, 2026-11-01, -1h, or yesterday 14:00",
                    STR_ARG(when));
    }
    Buf text = {0};
    buf_printf(&text, "%.*s@", STR_ARG(base));
    time_print(at, at % NS_PER_S ? 9 : 0, &text);
    c->world = arena_str(keep, buf_str(&text));
    buf_free(&text);
    return ERR_OK;
}

Err client_open(Client *c, const Common *common) {
    *c = (Client){0};
    arena_init(&c->keep, 0);
    arena_init(&c->names, 0);
    Str url = common->url.n ? common->url : str_of(getenv("SOSIA_URL")), token;
    if (!url.n) url = STR(URL_DEFAULT);
    while (str_ends(url, STR("/"))) url.n--;
    if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://"))) {
        return tell(ERR_ARGUMENT, "'%.*s' is no URL of a server: it begins with http:// or https://", STR_ARG(url));
    }
    c->url = url;
    TRY(client_world(c, common->world, &c->names));
    TRY(token_of(c, common, &token));
    c->curl = curl_easy_init();
    CHECK(c->curl);
    set_options(c, common);
    c->auth = curl_slist_append(NULL, "Expect:");
    if (token.n) {
        c->auth = curl_slist_append(c->auth, arena_printf(&c->keep, "Authorization: Bearer %.*s", STR_ARG(token)).p);
    }
    return ERR_OK;
}

void client_close(Client *c) {
    if (c->curl) curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->auth);
    buf_free(&c->body);
    buf_free(&c->message);
    buf_free(&c->code);
    buf_free(&c->link);
    arena_free(&c->keep);
    arena_free(&c->names);
    *c = (Client){0};
}

void client_reset(Client *c) { arena_reset(&c->keep); }

Str client_path(Client *c, const char *pattern, const Str *parts) {
    Buf b = {0};
    if (pattern[0] && pattern[1] == '/') {
        pattern++;
    } else if (c->world.n) {
        buf_str_put(&b, STR("/worlds/"));
        url_escape(c->world, &b);
    }
    const char *query = strchr(pattern, '?');
    for (const char *p = pattern; *p; p++) {
        if (p[0] == '{' && p[1] == '}') url_escape(*parts++, &b), p++;
        else buf_byte(&b, *p);
    }
    buf_printf(&b, "%capi-version=" API_VERSION, query ? '&' : '?');
    Str out = arena_str(&c->keep, buf_str(&b));
    buf_free(&b);
    return out;
}

// ---- calls --------------------------------------------------------------------------------------------------------

static void begin_answer(Client *c) {
    buf_reset(&c->body);
    buf_reset(&c->message);
    buf_reset(&c->code);
    buf_reset(&c->link);
    c->status = 0;
    c->untrusted = false;
    c->etag[0] = 0;
    c->retry_after_s = 0;
}

static struct curl_slist *headers_of(Client *c, const Call *call) {
    struct curl_slist *h = NULL;
    for (const struct curl_slist *a = c->auth; a; a = a->next) h = curl_slist_append(h, a->data);
    if (call->body.n) {
        const char *type = call->type ? call->type : "application/json";
        h = curl_slist_append(h, arena_printf(&c->keep, "Content-Type: %s", type).p);
    }
    if (call->if_match.n) {
        h = curl_slist_append(h, arena_printf(&c->keep, "If-Match: %.*s", STR_ARG(call->if_match)).p);
    }
    if (call->page_size) {
        h = curl_slist_append(h, arena_printf(&c->keep, "max-items-per-page: %lld", (long long)call->page_size).p);
    }
    if (call->if_none_match.n) {
        h = curl_slist_append(h, arena_printf(&c->keep, "If-None-Match: %.*s", STR_ARG(call->if_none_match)).p);
    }
    return h;
}

// The failure that the last answer states.
static Err read_failure(Client *c) {
    Json doc;
    const Json *error = NULL;
    if (json_parse(buf_str(&c->body), NULL, &c->keep, &doc, NULL) == ERR_OK) error = json_get(&doc, STR("error"));
    const Json *code = json_get(error, STR("code")), *message = json_get(error, STR("message"));
    if (code && code->type == JSON_STRING) buf_str_put(&c->code, code->s);
    if (message && message->type == JSON_STRING) buf_str_put(&c->message, message->s);
    const Json *details = json_get(error, STR("details"));
    for (int32_t i = 0; details && details->type == JSON_ARRAY && i < details->count; i++) {
        const Json *m = json_get(&details->items[i], STR("message"));
        bool new = m && m->type == JSON_STRING &&
                   !str_eq(m->s, message && message->type == JSON_STRING ? message->s : STR(""));
        if (new) buf_printf(&c->message, "\n       %.*s", STR_ARG(m->s));
    }
    if (!c->message.n) buf_printf(&c->message, "the server answered with status %lld", (long long)c->status);
    return err_from_wire(c->status, buf_str(&c->code));
}

static Err no_answer(Client *c, CURLcode code) {
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        buf_str_put(&c->message, STR("interrupted"));
        return ERR_CLOSED;
    }
    c->untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
    if (c->untrusted) buf_printf(&c->message, "the certificate of %.*s is not trusted", STR_ARG(c->url));
    else buf_printf(&c->message, "no server answers at %.*s (%s)", STR_ARG(c->url), curl_easy_strerror(code));
    return ERR_UNREACHABLE;
}

Err client_call(Client *c, const Call *call) {
    begin_answer(c);
    struct curl_slist *headers = headers_of(c, call);
    Str url = arena_printf(&c->keep, "%.*s%.*s", STR_ARG(c->url), STR_ARG(call->path));
    curl_easy_setopt(c->curl, CURLOPT_URL, url.p);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    if (call->body.n || (call->method && call->method[0] == 'P')) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, call->body.n ? call->body.p : "");
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
    } else {
        curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, call->patient ? 0L : CALL_TIMEOUT_MS);
    CURLcode code = curl_easy_perform(c->curl);
    curl_slist_free_all(headers);
    if (code != CURLE_OK) return no_answer(c, code);
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    c->status = status;
    return status >= 200 && status < 300 ? ERR_OK : read_failure(c);
}

// Only a server of this machine can be started from here.
static void advise_start(Str url) {
    Str address = str_starts(url, STR("http://")) ? str_sub(url, 7, url.n) : (Str){0};
    bool here =
        str_starts(address, STR("127.")) || str_starts(address, STR("localhost")) || str_starts(address, STR("[::1]"));
    if (here) hint("start it with: sosia serve --data plant.sosia --http %.*s", STR_ARG(address));
    else hint("is it running, and is the address right? --url or SOSIA_URL names another");
}

static void advise(const Client *c, Err err) {
    switch (err) {
    case ERR_UNREACHABLE:
        if (c->untrusted) hint("name the certificate to trust with --ca FILE, or skip the check with --insecure");
        else if (!c->status) advise_start(c->url);
        break;
    case ERR_UNAUTHORIZED: hint("name the token with --token-file FILE or in SOSIA_TOKEN"); break;
    case ERR_TWIN_NOT_FOUND: hint("list the twins with: sosia get"); break;
    case ERR_MODEL_NOT_FOUND: hint("list the models with: sosia models list"); break;
    case ERR_WORLD_NOT_FOUND: hint("list the worlds with: sosia worlds list"); break;
    case ERR_BUSY: hint("the server is busy: send less, or try again in a moment"); break;
    case ERR_STORAGE_FULL: hint("free space on the server's disk; writing resumes by itself"); break;
    default: break;
    }
}

Err client_tell(const Client *c, Err err) {
    tell(err, "%.*s", STR_ARG(buf_str(&c->message)));
    if (err != ERR_CLOSED || c->status) advise(c, err);
    return err;
}

Err client_do(Client *c, const Call *call) {
    Err err = client_call(c, call);
    return err == ERR_OK ? ERR_OK : client_tell(c, err);
}

static Err push(Client *c, const Call *call, int64_t patience_ns) {
    int64_t end = time_mono_ns() + patience_ns, pause = 20 * NS_PER_MS;
    for (;;) {
        Err err = client_call(c, call);
        bool again = c->status == 503 || c->status == 429;
        if (err == ERR_OK) return ERR_OK;
        if (!again || time_mono_ns() + pause > end) return err;
        if (c->retry_after_s && pause < NS_PER_S) pause = NS_PER_S / 4; // ask a little earlier: the queue drains fast
        if (!term_sleep(pause)) {
            buf_reset(&c->message);
            buf_str_put(&c->message, STR("interrupted"));
            c->status = 0;
            return ERR_CLOSED;
        }
        pause = pause * 2 > NS_PER_S ? NS_PER_S : pause * 2;
    }
}

Err client_json(Client *c, Json *out) {
    if (json_parse(buf_str(&c->body), NULL, &c->keep, out, NULL) == ERR_OK) return ERR_OK;
    return tell(ERR_SYNTAX, "the answer of %.*s is not JSON: is it a Sosia server?", STR_ARG(c->url));
}

Err client_say(Client *c) {
    buf_byte(&c->body, '\n');
    return say(buf_str(&c->body));
}

static int64_t number_of(const Json *doc, Str key) {
    const Json *v = json_get(doc, key);
    return v && v->type == JSON_INT ? v->i : 0;
}

Err client_batch(Client *c, const Call *call, int64_t patience_ns, Verdict *out) {
    Json doc;
    Err err = push(c, call, patience_ns);
    if (err != ERR_OK && c->status != 400) return client_tell(c, err);
    TRY(client_json(c, &doc));
    if (err != ERR_OK && !json_get(&doc, STR("rejected"))) return client_tell(c, err); // not even looked at
    const Json *errors = json_get(&doc, STR("errors"));
    out->accepted = number_of(&doc, STR("accepted"));
    out->rejected = number_of(&doc, STR("rejected"));
    out->late = number_of(&doc, STR("late"));
    out->errors = errors && errors->type == JSON_ARRAY ? errors : NULL;
    return ERR_OK;
}

// ---- lists --------------------------------------------------------------------------------------------------------

Err client_each(Client *c, Str path, int64_t limit, int64_t *count, ClientItemFn fn, void *arg) {
    Buf next = {0};
    Err err = ERR_OK;
    buf_str_put(&next, path);
    while (next.n && *count < limit && err == ERR_OK) {
        Json doc;
        client_reset(c);
        if ((err = client_do(c, &(Call){.path = arena_str(&c->keep, buf_str(&next))})) != ERR_OK) break;
        if ((err = client_json(c, &doc)) != ERR_OK) break;
        const Json *list = doc.type == JSON_ARRAY ? &doc : json_get(&doc, STR("value"));
        for (int32_t i = 0; list && i < list->count && *count < limit && err == ERR_OK; i++, (*count)++) {
            err = fn(arg, &list->items[i]);
        }
        const Json *more = json_get(&doc, STR("nextLink"));
        Str link = more && more->type == JSON_STRING ? more->s : (Str){0};
        int64_t scheme = str_find_str(link, STR("://"));
        if (scheme >= 0) {
            int64_t slash = str_find(link, '/', scheme + 3);
            link = slash < 0 ? (Str){0} : str_sub(link, slash, link.n);
        }
        buf_reset(&next);
        buf_str_put(&next, link);
    }
    buf_free(&next);
    return err;
}

// ---- streams ------------------------------------------------------------------------------------------------------

Err client_stream_open(Stream *s, Client *c, Str path) {
    *s = (Stream){.client = c};
    begin_answer(c);
    s->multi = curl_multi_init();
    CHECK(s->multi);
    for (const struct curl_slist *a = c->auth; a; a = a->next) s->headers = curl_slist_append(s->headers, a->data);
    s->headers = curl_slist_append(s->headers, "Accept: text/event-stream");
    Str url = arena_printf(&c->keep, "%.*s%.*s", STR_ARG(c->url), STR_ARG(path));
    curl_easy_setopt(c->curl, CURLOPT_URL, url.p);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &s->bytes);
    curl_multi_add_handle(s->multi, c->curl);
    s->open = true;
    return ERR_OK;
}

static Err stream_over(Stream *s, CURLcode code) {
    Client *c = s->client;
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    c->status = status;
    s->open = false;
    if (code == CURLE_OK && status >= 400) {
        buf_str_put(&c->body, buf_str(&s->bytes));
        buf_reset(&s->bytes);
        return read_failure(c);
    }
    if (status && code != CURLE_ABORTED_BY_CALLBACK) {
        buf_printf(&c->message, "the server at %.*s closed the stream", STR_ARG(c->url));
        return ERR_UNREACHABLE;
    }
    return no_answer(c, code);
}

Err client_stream_step(Stream *s, int64_t wait_ns) {
    int running = 0, left = 0;
    CHECK(s->open);
    curl_multi_perform(s->multi, &running);
    if (!s->bytes.n && running) {
        curl_multi_poll(s->multi, NULL, 0, (int)(wait_ns / NS_PER_MS), NULL);
        curl_multi_perform(s->multi, &running);
    }
    for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left));) {
        if (m->msg == CURLMSG_DONE) return stream_over(s, m->data.result);
    }
    return ERR_OK;
}

void client_stream_close(Stream *s) {
    if (!s->multi) return;
    Client *c = s->client;
    curl_multi_remove_handle(s->multi, c->curl);
    curl_multi_cleanup(s->multi);
    curl_slist_free_all(s->headers);
    buf_free(&s->bytes);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->body);
    *s = (Stream){0};
}
