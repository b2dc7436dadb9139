// SPDX-License-Identifier: Apache-2.0
#include "codec/ingest_line.h"
#include "base/time.h"
#include "codec/json_lex.h"

typedef enum Member { ID, PROPERTY, VALUE, TIME, MEMBERS, OTHER = MEMBERS } Member;

static const char *const names[] = {"id", "property", "value", "time"};

typedef struct Reader {
    JsonScan scan;
    Arena *arena;
    Diag *d;
    unsigned seen; // bit per Member
} Reader;

static Member member_of(Str key) {
    switch (key.n) {
    case 2: return memcmp(key.p, "id", 2) == 0 ? ID : OTHER;
    case 4: return memcmp(key.p, "time", 4) == 0 ? TIME : OTHER;
    case 5: return memcmp(key.p, "value", 5) == 0 ? VALUE : OTHER;
    case 8: return memcmp(key.p, "property", 8) == 0 ? PROPERTY : OTHER;
    default: return OTHER;
    }
}

// A complaint about the bytes from `from` to the cursor.
static Err bad_member(Reader *r, const char *from, Member m, const char *why) {
    return diag_add(r->d, ERR_ARGUMENT, from - r->scan.start, r->scan.p - r->scan.start, (Str){0}, "\"%s\" %s",
                    names[m], why);
}

static Err bad_syntax(Reader *r) {
    int64_t at = r->scan.p - r->scan.start, n = r->scan.end - r->scan.start;
    return diag_add(r->d, r->scan.err, at, at < n ? at + 1 : at, (Str){0}, "column %lld: %s", (long long)at + 1,
                    r->scan.why);
}

static Err take_name(Reader *r, Member m, Str *out) {
    JsonToken t;
    r->scan.p = lex_space(r->scan.p, r->scan.end);
    const char *from = r->scan.p;
    if (!lex_value(&r->scan, &t)) return bad_syntax(r);
    if (t.type != JSON_STRING) return bad_member(r, from, m, "must be a string");
    if (t.raw.n == 0) return bad_member(r, from, m, "must not be empty");
    *out = json_unescape(r->arena, t);
    return ERR_OK;
}

static Err take_value(Reader *r, IngestLine *out) {
    r->scan.p = lex_space(r->scan.p, r->scan.end);
    const char *from = r->scan.p;
    if (!lex_value(&r->scan, &out->value)) return bad_syntax(r);
    if (out->value.type >= JSON_ARRAY) {
        if (!json_scan_skip(&r->scan, &out->value.raw)) return bad_syntax(r);
        out->value.escaped = false;
    }
    out->value_text = (Str){from, r->scan.p - from};
    return ERR_OK;
}

static Err take_time(Reader *r, IngestLine *out) {
    JsonToken t;
    r->scan.p = lex_space(r->scan.p, r->scan.end);
    const char *from = r->scan.p;
    if (!lex_value(&r->scan, &t)) return bad_syntax(r);
    out->has_time = t.type != JSON_NULL;
    switch (t.type) {
    case JSON_NULL: return ERR_OK;
    case JSON_STRING:
        if (time_parse(json_unescape(r->arena, t), &out->time_ns)) return ERR_OK;
        return bad_member(r, from, TIME, "is not an RFC 3339 date and time with zone, years 1678 to 2261");
    case JSON_INT:
        if (!__builtin_mul_overflow(t.i, NS_PER_MS, &out->time_ns)) return ERR_OK;
        return bad_member(r, from, TIME, "is too far from 1970 (milliseconds are expected)");
    default: return bad_member(r, from, TIME, "must be RFC 3339 text or whole milliseconds since 1970");
    }
}

static Err take_member(Reader *r, const JsonToken *key, IngestLine *out) {
    Member m = member_of(key->escaped ? json_unescape(r->arena, *key) : key->raw);
    if (m == OTHER) return json_scan_skip(&r->scan, NULL) ? ERR_OK : bad_syntax(r);
    if (r->seen >> m & 1) return bad_member(r, key->raw.p - 1, m, "occurs twice");
    r->seen |= 1u << m;
    switch (m) {
    case ID: return take_name(r, m, &out->id);
    case PROPERTY: return take_name(r, m, &out->property);
    case TIME: return take_time(r, out);
    default: return take_value(r, out);
    }
}

Err ingest_line_parse(Str line, Arena *arena, IngestLine *out, Diag *d) {
    Reader r = {.arena = arena, .d = d};
    IngestLine found;
    JsonToken key;
    found.has_time = false;
    found.time_ns = 0;
    json_scan_init(&r.scan, line);
    if (!json_scan_object(&r.scan)) return bad_syntax(&r);
    while (lex_key(&r.scan, &key)) TRY(take_member(&r, &key, &found));
    if (r.scan.err || !json_scan_end(&r.scan)) return bad_syntax(&r);
    for (Member m = ID; m <= VALUE; m++) {
        if (!(r.seen >> m & 1)) {
            return diag_add(d, ERR_ARGUMENT, 0, line.n, (Str){0}, "\"%s\" is missing", names[m]);
        }
    }
    *out = found;
    return ERR_OK;
}
