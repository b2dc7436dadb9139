// SPDX-License-Identifier: Apache-2.0
#include "serve/guard.h"
#include <errno.h>
#include <stdio.h>
#include "base/mem.h"
#include "base/sha256.h"
#include "serve/url.h"

#define TOKEN_FILE_BYTES_MAX (1 << 20)
#define BASIC_BYTES_MAX 1024 // of the text behind "Basic"

typedef struct Token {
    Str text;
    uint8_t hash[32]; // by which sessions know it
    int32_t line;
} Token;

struct Tokens {
    Tokens *older;
    Arena keep;
    Token *items;
    int32_t count;
};

static Err read_file(const char *file, Buf *out, Buf *why) {
    char room[4096];
    FILE *f = fopen(file, "rbe");
    if (!f) {
        if (why) buf_printf(why, "token file %s: %s", file, strerror_r(errno, room, sizeof room));
        return ERR_IO;
    }
    out->max = TOKEN_FILE_BYTES_MAX;
    for (size_t n; (n = fread(room, 1, sizeof room, f)) > 0;) buf_put(out, room, (int64_t)n);
    bool bad = ferror(f) != 0;
    fclose(f);
    explicit_bzero(room, sizeof room);
    if (!bad && !out->full) return ERR_OK;
    if (why) buf_printf(why, "token file %s: %s", file, bad ? "cannot be read" : "is longer than 1 MiB");
    return ERR_IO;
}

static Tokens *parse(Str text) {
    Tokens *t = mem_alloc(sizeof *t);
    arena_init(&t->keep, 0);
    int32_t lines = 1;
    for (int64_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
    t->items = NEW(&t->keep, Token, lines);
    for (int32_t line = 1; line <= lines; line++) {
        Str token = str_trim(str_cut(&text, '\n'));
        if (token.n == 0 || token.p[0] == '#') continue;
        t->items[t->count] = (Token){.text = arena_str(&t->keep, token), .line = line};
        sha256(token, t->items[t->count++].hash);
    }
    return t;
}

static void tokens_free(Tokens *t) {
    while (t) {
        Tokens *older = t->older;
        arena_free(&t->keep);
        mem_free(t);
        t = older;
    }
}

Err guard_load(Guard *g, const char *file, Buf *why) {
    Buf text = {0};
    Err err = read_file(file, &text, why);
    Tokens *fresh = err == ERR_OK ? parse(buf_str(&text)) : NULL;
    if (text.p) explicit_bzero(text.p, (size_t)text.n);
    buf_free(&text);
    if (err != ERR_OK) return err;
    if (fresh->count == 0) {
        tokens_free(fresh);
        if (why) buf_printf(why, "token file %s: no token in it", file);
        return ERR_ARGUMENT;
    }
    fresh->older = atomic_load(&g->tokens);
    atomic_store(&g->tokens, fresh);
    return ERR_OK;
}

void guard_free(Guard *g) {
    tokens_free(atomic_load(&g->tokens));
    atomic_store(&g->tokens, NULL);
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// The password of "user:password" in base64, in `room`; empty when it is anything else.
static Str basic_password(Str text, char room[BASIC_BYTES_MAX]) {
    uint32_t bits = 0, have = 0;
    Str s = {room, 0};
    while (text.n && text.p[text.n - 1] == '=') text.n--;
    if (text.n > BASIC_BYTES_MAX) return (Str){0};
    for (int64_t i = 0; i < text.n; i++) {
        int digit = base64_digit(text.p[i]);
        if (digit < 0) return (Str){0};
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        room[s.n++] = (char)(bits >> have & 0xff);
    }
    int64_t colon = str_find(s, ':', 0);
    return colon < 0 ? (Str){0} : str_sub(s, colon + 1, s.n);
}

// The token that "Bearer TOKEN" shows; "Token TOKEN" and the password of "Basic" are what InfluxDB's clients send.
static Str shown(Str authorization, char room[BASIC_BYTES_MAX]) {
    int64_t blank = str_find(authorization, ' ', 0);
    if (blank < 0) return (Str){0};
    Str scheme = str_sub(authorization, 0, blank), rest = str_trim(str_sub(authorization, blank, authorization.n));
    if (str_eq_nocase(scheme, STR("Bearer")) || str_eq_nocase(scheme, STR("Token"))) return rest;
    return str_eq_nocase(scheme, STR("Basic")) ? basic_password(rest, room) : (Str){0};
}

// Looks at every token, so that time tells nothing about which one was near.
static int32_t token_line(const Tokens *t, Str given) {
    int32_t line = 0;
    for (int32_t i = 0; i < t->count; i++) {
        if (str_eq_secret(t->items[i].text, given)) line = t->items[i].line;
    }
    return line;
}

static bool listed(const Guard *g, Str host) {
    for (int32_t i = 0; i < g->host_count; i++) {
        if (str_eq_nocase(g->hosts[i], host)) return true;
    }
    return false;
}

static bool host_allowed(const Guard *g, Str host) {
    Str name, port;
    if (host.p == NULL) return true; // HTTP/1.0 without a Host header: no browser
    if (!host_split(host, &name, &port)) return false;
    return host_is_loopback(name) || listed(g, name) || listed(g, host);
}

// A browser names the origin of the page in requests that change something; it must be the server's own or a listed
// host with port.
static bool origin_allowed(const Guard *g, const GuardAsk *ask) {
    if (ask->origin.p == NULL) return !str_eq(ask->fetch_site, STR("cross-site"));
    int64_t at = str_find_str(ask->origin, STR("://"));
    if (at < 0) return false;
    Str from = str_sub(ask->origin, at + 3, ask->origin.n);
    return str_eq_nocase(from, ask->host) || listed(g, from);
}

// The line of the token that opened the session of the cookie; 0: none, or the token is gone.
static int32_t cookie_line(const Guard *g, const Tokens *t, const GuardAsk *ask) {
    uint8_t hash[32];
    Str id = cookie_find(ask->cookie, STR(SESSION_COOKIE));
    if (!g->sessions || !id.n || !sessions_find(g->sessions, id, ask->now_ns, hash)) return 0;
    for (int32_t i = 0; i < t->count; i++) {
        if (memcmp(t->items[i].hash, hash, sizeof hash) == 0) return t->items[i].line;
    }
    return 0;
}

// A page of the server itself asked: the browser says so, and nothing it says speaks against it. No script can make it
// say either.
static bool own_page_asked(const Guard *g, const GuardAsk *ask) {
    bool site = str_eq(ask->fetch_site, STR("same-origin"));
    if (ask->fetch_site.p && !site) return false;
    return ask->origin.p ? origin_allowed(g, ask) : site;
}

Err guard_check(const Guard *g, const GuardAsk *ask, const char **why, int32_t *line) {
    const Tokens *tokens = atomic_load_explicit(&g->tokens, memory_order_acquire);
    char room[BASIC_BYTES_MAX];
    bool by_cookie = tokens && !ask->authorization.p && !ask->token.p;
    *line = 0;
    if (tokens) {
        if (by_cookie) *line = cookie_line(g, tokens, ask);
        else *line = token_line(tokens, ask->authorization.p ? shown(ask->authorization, room) : ask->token);
        explicit_bzero(room, sizeof room);
        if (*line == 0) {
            *why = "A valid bearer token is needed.";
            return ERR_UNAUTHORIZED;
        }
    } else if (!host_allowed(g, ask->host)) {
        *why = "The Host header names neither this machine nor an allowed host.";
        return ERR_FORBIDDEN;
    }
    if (ask->changes && !origin_allowed(g, ask)) {
        *why = "Pages of another origin may not change anything here.";
        return ERR_FORBIDDEN;
    }
    if (by_cookie && (ask->changes || ask->stream) && !own_page_asked(g, ask)) {
        *why = "With a session only pages of this server may do that: neither Origin nor Sec-Fetch-Site says so.";
        return ERR_FORBIDDEN;
    }
    return ERR_OK;
}

Err guard_login(const Guard *g, const GuardAsk *ask, char id[SESSION_ID_SIZE + 1], const char **why) {
    const Tokens *tokens = atomic_load_explicit(&g->tokens, memory_order_acquire);
    int32_t line;
    uint8_t hash[32];
    TRY(guard_check(g, ask, why, &line));
    *why = "No token is asked for here.";
    if (!tokens || !g->sessions) return ERR_ARGUMENT;
    sha256(ask->token, hash);
    sessions_open(g->sessions, hash, ask->now_ns, id);
    return ERR_OK;
}
