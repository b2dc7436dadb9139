// SPDX-License-Identifier: Apache-2.0
// The members of a document that say where a broker is and who we are to it.
#include "connect/connect_doc.h"
#include "connect/mqtt_tls.h"

#define TEXT_MAX 4096
#define PEM_MAX (64 << 10)

const char *const mqtt_members[] = {"url",       "version",  "clientId", "cleanStart", "sessionExpiry",
                                    "keepAlive", "username", "password", "tls",        NULL};
const char *const mqtt_tls_members[] = {"ca", "cert", "key", "keyPassword", "insecure", "serverName", NULL};

// "host", "host:1883", "[::1]:1883".
static bool read_host(Str s, Str *host, int32_t *port) {
    Str after = {0};
    if (s.n && s.p[0] == '[') {
        int64_t end = str_find(s, ']', 0);
        if (end < 0) return false;
        *host = str_sub(s, 1, end);
        after = str_sub(s, end + 1, s.n);
    } else {
        int64_t colon = str_find(s, ':', 0);
        *host = colon < 0 ? s : str_sub(s, 0, colon);
        if (colon >= 0) after = str_sub(s, colon, s.n);
    }
    int64_t number = *port;
    if (after.n && (after.p[0] != ':' || !str_to_i64(str_sub(after, 1, after.n), &number))) return false;
    if (number < 1 || number > 65535 || !host->n || host->n > 255) return false;
    *port = (int32_t)number;
    return true;
}

static void read_url(Doc *p, MqttConfig *c) {
    static const struct {
        Str scheme;
        bool tls;
    } schemes[] = {{{"mqtt://", 7}, false}, {{"mqtts://", 8}, true}, {{"tcp://", 6}, false}, {{"ssl://", 6}, true}};
    doc_need(p, "url");
    Str url = doc_str(p, "url", (Str){0}, 1024);
    if (p->err) return;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!str_starts(url, schemes[i].scheme)) continue;
        Str rest = str_sub(url, schemes[i].scheme.n, url.n);
        if (str_ends(rest, STR("/"))) rest.n--;
        c->tls = schemes[i].tls;
        c->port = c->tls ? 8883 : 1883;
        if (str_find(rest, '@', 0) >= 0) doc_bad(p, "url", "names and passwords belong into username and password");
        else if (!read_host(rest, &c->host, &c->port)) doc_bad(p, "url", "mqtt://HOST:PORT is expected");
        return;
    }
    doc_bad(p, "url", "it begins with mqtt:// or, with TLS, with mqtts://");
}

// A text is PEM or the absolute path of a file.
static Str read_pem(Doc *p, const char *name) {
    Str s = doc_str(p, name, (Str){0}, PEM_MAX);
    if (s.n && s.p[0] != '/' && str_find_str(s, STR("-----BEGIN")) < 0)
        doc_bad(p, name, "a PEM text or the absolute path of a file is expected");
    return s;
}

static bool is_path(Str s) { return s.n && s.p[0] == '/'; }

static void read_tls(Doc *p, MqttConfig *c) {
    Doc t = doc_object(p, "tls", mqtt_tls_members);
    c->ca = read_pem(&t, "ca");
    c->cert = read_pem(&t, "cert");
    c->key = read_pem(&t, "key");
    c->key_password = doc_str(&t, "keyPassword", (Str){0}, TEXT_MAX);
    c->insecure = doc_bool(&t, "insecure", false);
    c->server_name = doc_str(&t, "serverName", (Str){0}, 255);
    if (!t.err && t.json && !c->tls) doc_bad(p, "tls", "it needs a url that begins with mqtts://");
    if (!t.err && !!c->cert.n != !!c->key.n) doc_bad(&t, c->cert.n ? "key" : "cert", "certificate and key go together");
    doc_end(p, &t);
    if (p->err || !c->tls || is_path(c->ca) || is_path(c->cert) || is_path(c->key)) return;
    SSL_CTX *ctx = NULL;
    Buf why = {0};
    if (mqtt_tls_make(c, &ctx, &why)) doc_bad(p, "", "%.*s", STR_ARG(buf_str(&why)));
    else SSL_CTX_free(ctx);
    buf_free(&why);
}

// A text of MQTT: UTF-8 without a zero.
static Str read_text(Doc *p, const char *name) {
    Str s = doc_str(p, name, (Str){0}, TEXT_MAX);
    if (s.n && memchr(s.p, 0, (size_t)s.n)) doc_bad(p, name, "a zero byte is not possible");
    return s;
}

Err mqtt_config(const Json *doc, MqttConfig *out, Diag *d) {
    static const char *const versions[] = {"5", "3.1.1", NULL};
    Arena arena;
    arena_init(&arena, 1024);
    Doc p = {.json = doc, .d = d, .arena = &arena};
    MqttConfig c = {0};
    read_url(&p, &c);
    c.version = doc_choice(&p, "version", versions, 0) == 0 ? 5 : 4;
    c.client_id = read_text(&p, "clientId");
    c.clean_start = doc_bool(&p, "cleanStart", !c.client_id.n);
    c.session_expiry_s = doc_int(&p, "sessionExpiry", c.clean_start ? 0 : 86400, 0, UINT32_MAX);
    c.keep_alive_s = doc_int(&p, "keepAlive", 30, 5, 65535);
    c.username = read_text(&p, "username");
    c.password = read_text(&p, "password");
    read_tls(&p, &c);
    if (!c.clean_start && !c.client_id.n) doc_bad(&p, "clientId", "it is needed where cleanStart is false");
    if (c.password.n && !c.username.n) doc_bad(&p, "username", "a password needs one");
    arena_free(&arena);
    if (p.err) return p.err;
    *out = c;
    return ERR_OK;
}
