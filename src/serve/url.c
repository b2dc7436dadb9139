// SPDX-License-Identifier: Apache-2.0
#include "serve/url.h"
#include <arpa/inet.h>

static Str without_authority(Str path) {
    Str http = STR("http://"), https = STR("https://");
    int64_t from = 0;
    if (path.n >= http.n && str_eq_nocase(str_sub(path, 0, http.n), http)) from = http.n;
    if (path.n >= https.n && str_eq_nocase(str_sub(path, 0, https.n), https)) from = https.n;
    if (from == 0) return path;
    int64_t slash = str_find(path, '/', from);
    return slash < 0 ? STR("/") : str_sub(path, slash, path.n);
}

Err url_split(Str path, UrlPath *out) {
    path = without_authority(path);
    if (path.n == 0 || path.p[0] != '/') return ERR_NO_ROUTE;
    Str rest = str_sub(path, 1, path.n);
    if (rest.n > 0 && rest.p[rest.n - 1] == '/') rest.n--;
    UrlPath p = {.count = 0};
    bool more = rest.n > 0;
    while (more) {
        if (p.count == URL_SEGMENTS_MAX) return ERR_NO_ROUTE;
        more = str_find(rest, '/', 0) >= 0;
        p.seg[p.count++] = str_cut(&rest, '/');
    }
    *out = p;
    return ERR_OK;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool needs_decoding(Str raw, bool plus) {
    for (int64_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '%' || (plus && raw.p[i] == '+')) return true;
    }
    return false;
}

Err url_decode(Str raw, bool plus, char *room, Str *out) {
    Str text = raw;
    if (needs_decoding(raw, plus)) {
        int64_t n = 0;
        for (int64_t i = 0; i < raw.n; i++) {
            char c = raw.p[i];
            if (c == '%') {
                if (i + 2 >= raw.n || hex(raw.p[i + 1]) < 0 || hex(raw.p[i + 2]) < 0) return ERR_ARGUMENT;
                c = (char)(hex(raw.p[i + 1]) << 4 | hex(raw.p[i + 2]));
                i += 2;
            } else if (plus && c == '+') {
                c = ' ';
            }
            room[n++] = c;
        }
        text = (Str){room, n};
    }
    if (!str_utf8_ok(text)) return ERR_ARGUMENT;
    *out = text;
    return ERR_OK;
}

bool url_query_next(Str *rest, Str *key, Str *value) {
    while (rest->n > 0) {
        Str pair = str_cut(rest, '&');
        if (pair.n == 0) continue;
        *key = str_cut(&pair, '=');
        *value = pair;
        return true;
    }
    return false;
}

void url_encode(Str s, Buf *out) {
    static const char digits[] = "0123456789ABCDEF";
    for (int64_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_byte(out, (char)c);
        } else {
            char code[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_put(out, code, 3);
        }
    }
}

bool header_list_next(Str *rest, Str *item) {
    while (rest->n > 0) {
        int64_t i = 0;
        bool quoted = false;
        for (; i < rest->n && (quoted || rest->p[i] != ','); i++) quoted ^= rest->p[i] == '"';
        *item = str_trim(str_sub(*rest, 0, i));
        *rest = str_sub(*rest, i < rest->n ? i + 1 : i, rest->n);
        if (item->n > 0) return true;
    }
    return false;
}

static bool etag_ok(Str tag) {
    if (str_starts(tag, STR("W/"))) tag = str_sub(tag, 2, tag.n);
    if (tag.n < 2 || tag.p[0] != '"' || tag.p[tag.n - 1] != '"') return false;
    return str_find(tag, '"', 1) == tag.n - 1;
}

bool etag_list_ok(Str text) {
    if (str_eq(str_trim(text), STR("*"))) return true;
    Str item;
    int64_t count = 0;
    while (header_list_next(&text, &item)) {
        if (!etag_ok(item)) return false;
        count++;
    }
    return count > 0;
}

static bool port_ok(Str port) {
    int64_t n = 0;
    return str_to_i64(port, &n) && n >= 0 && n <= 65535;
}

bool host_split(Str authority, Str *name, Str *port) {
    if (authority.n == 0) return false;
    Str host = authority, tail = {0};
    if (authority.p[0] == '[') {
        int64_t close = str_find(authority, ']', 0);
        if (close < 0) return false;
        host = str_sub(authority, 1, close);
        tail = str_sub(authority, close + 1, authority.n);
        if (tail.n > 0 && tail.p[0] != ':') return false;
        if (tail.n > 0) tail = str_sub(tail, 1, tail.n);
    } else {
        tail = authority;
        host = str_cut(&tail, ':');
    }
    if (host.n == 0 || (tail.n > 0 && !port_ok(tail))) return false;
    *name = host;
    *port = tail;
    return true;
}

bool host_is_loopback(Str name) {
    char z[64];
    if (str_eq_nocase(name, STR("localhost"))) return true;
    Str tail = STR(".localhost");
    if (name.n > tail.n && str_eq_nocase(str_sub(name, name.n - tail.n, name.n), tail)) return true;
    if (name.n == 0 || name.n >= (int64_t)sizeof z) return false;
    memcpy(z, name.p, (size_t)name.n);
    z[name.n] = 0;
    struct in_addr v4;
    if (inet_pton(AF_INET, z, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    struct in6_addr v6;
    return inet_pton(AF_INET6, z, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
