// SPDX-License-Identifier: Apache-2.0
// Etags and the two conditional headers, RFC 9110 section 13.1 as the REST dialect narrows it.
//
// An etag is a fixed bijection of (id, update time) to 128 bits, printed as a GUID: two states of one twin or link
// never share one, and nothing has to be stored.
#include "base/check.h"
#include "world/edit_inner.h"

#define GUID_SIZE 36

// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection.
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

// Two Feistel rounds over (id, time) keyed by the kind, printed 8-4-4-4-12.
static void etag_print(uint64_t kind, uint64_t id, int64_t time, char out[48]) {
    uint64_t a = mix(id ^ kind), b = (uint64_t)time ^ a;
    b = mix(b + kind);
    a ^= mix(b);
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    memcpy(p, "W/\"", 3);
    p += 3;
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) *p++ = '-';
        uint64_t w = i < 16 ? a : b;
        *p++ = hex[(w >> (60 - 4 * (i & 15))) & 15];
    }
    memcpy(p, "\"", 2);
    CHECK(p + 2 - out <= 48);
}

void etag_of_twin(TwinId id, int64_t update_time, char out[48]) {
    etag_print(UINT64_C(0x74b0c5a3d1f29e67), id.v, update_time, out);
}

void etag_of_link(LinkId id, int64_t update_time, char out[48]) {
    etag_print(UINT64_C(0x2f86e0b94c71ad35), id.v, update_time, out);
}

static bool guid_like(Str s) {
    if (s.n != GUID_SIZE) return false;
    for (int i = 0; i < GUID_SIZE; i++) {
        char c = s.p[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!hex && c != '-') return false;
    }
    return true;
}

// The opaque part of one etag: W/"x", "x", W/guid or guid. False when it is anything else.
static bool etag_opaque(Str s, Str *out) {
    s = str_trim(s);
    if (str_starts(s, STR("W/"))) s = str_sub(s, 2, s.n);
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') {
        *out = str_sub(s, 1, s.n - 1);
        return str_find(*out, '"', 0) < 0;
    }
    *out = s;
    return guid_like(s);
}

// Does the header name the etag? Errors: ARGUMENT.
static Err etag_matches(Str header, Str etag, bool *match, Diag *d) {
    *match = str_eq(str_trim(header), STR("*"));
    if (*match) return ERR_OK;
    Str own = {0}, other = {0};
    CHECK(etag.n == 0 || etag_opaque(etag, &own));
    for (Str rest = header; rest.n > 0;) {
        if (!etag_opaque(str_cut(&rest, ','), &other))
            return diag_add(d, ERR_ARGUMENT, -1, -1, STR("If-Match"),
                            "If-Match takes *, one etag, or etags separated by commas; \"%.*s\" is none of these",
                            STR_ARG(header));
        if (str_eq_nocase(own, other)) *match = true;
    }
    return ERR_OK;
}

Err edit_precondition(Precondition pre, bool put, Str etag, Err missing, Str id, Diag *d) {
    bool match = true;
    if (pre.if_none_match.n > 0 && (!put || !str_eq(str_trim(pre.if_none_match), STR("*"))))
        return diag_add(d, ERR_ARGUMENT, -1, -1, STR("If-None-Match"),
                        put ? "the only value If-None-Match takes is *" : "If-None-Match is only for PUT");
    if (pre.if_match.n > 0) TRY(etag_matches(pre.if_match, etag, &match, d));
    if (etag.n == 0 && pre.if_match.n > 0)
        return diag_add(d, missing, -1, -1, id, "there is no \"%.*s\" that If-Match could match", STR_ARG(id));
    if (!match)
        return diag_add(d, ERR_PRECONDITION, -1, -1, id,
                        "\"%.*s\" was changed meanwhile: its etag is %.*s now, which If-Match does not name",
                        STR_ARG(id), STR_ARG(etag));
    if (etag.n > 0 && pre.if_none_match.n > 0)
        return diag_add(d, ERR_EXISTS, -1, -1, id, "If-None-Match: * was given, and \"%.*s\" exists", STR_ARG(id));
    return ERR_OK;
}
