// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259, strict): a pull scanner for hot paths, an arena DOM for documents, a writer. Any thread; no state
// outside the structs. Text need not be NUL-terminated and is never read past its end. Strings are valid UTF-8; a \u
// escape of one half of a surrogate pair is an error.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef enum JsonType {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INT,    // integer literal that fits int64_t: `i` is exact (-0 is 0)
    JSON_DOUBLE, // any other number: `d`; finite (1e999 is an error); `raw` keeps the text
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonType;

typedef struct Json Json;
typedef struct JsonMember JsonMember;

// One value of the DOM. Lives as long as its arena; unescaped strings borrow from the input text.
struct Json {
    JsonType type;
    int32_t count; // items or members
    bool dup;      // object: some key occurs twice (json_get gives the last)
    int32_t at;    // byte offset of the value in the text
    Str raw;       // the value's own text, from first to last byte
    union {
        int64_t i;
        double d;
        Str s; // unescaped
        Json *items;
        JsonMember *members;
    };
};

struct JsonMember {
    Str key; // unescaped
    Json value;
};

typedef struct JsonLimits {
    int32_t depth_max; // nested arrays and objects; 0: JSON_DEPTH_MAX; never more than JSON_DEPTH_CAP
    int64_t size_max;  // bytes of text; 0: JSON_SIZE_MAX; never more than 2^31 - 1
} JsonLimits;

#define JSON_DEPTH_MAX 512
#define JSON_DEPTH_CAP 4096
#define JSON_SIZE_MAX ((int64_t)64 << 20)

// Parse one whole text (blank space around it allowed, nothing else).
//   limits  NULL: defaults     d  gets ERR_SYNTAX or ERR_LIMIT with the byte span; may be NULL
// Errors: SYNTAX, LIMIT; *out untouched then. Cost: O(n), a few arena blocks; memory at worst about 60 bytes for each
// byte of text ("[1,1,1,..."). A leading UTF-8 BOM is refused. No recursion.
MUST Err json_parse(Str text, const JsonLimits *limits, Arena *arena, Json *out, Diag *d);
// The member of an object, the last one of that name; NULL when absent or when v is no object (or NULL).
// Cost: O(members).
const Json *json_get(const Json *v, Str key);
// The text of that member, "" when there is none or it is no text; borrowed. Cost: as json_get.
Str json_text(const Json *v, Str key);
// Numbers of either type as double.
static inline double json_f64(const Json *v) { return v->type == JSON_INT ? (double)v->i : v->d; }
static inline bool json_is_number(const Json *v) { return v->type == JSON_INT || v->type == JSON_DOUBLE; }
static inline bool json_is_bool(const Json *v) { return v->type == JSON_FALSE || v->type == JSON_TRUE; }
// Same value: objects without regard to member order (of a name that occurs twice the last counts), 1 equals 1.0,
// strings by bytes. Cost: O(n log n).
bool json_equal(const Json *a, const Json *b);
// "object", "string", ...: for error messages. Static memory.
const char *json_type_name(JsonType t);

// ---- writing: append valid JSON to a Buf ----
// A quoted string, escaped; invalid UTF-8 becomes U+FFFD.
void json_put_str(Buf *b, Str s);
void json_put_i64(Buf *b, int64_t v);
// Shortest text that reads back to the same double ("21.5", "1e+300", "-0.0"); non-finite becomes null.
// A whole number is written without fraction ("5").
void json_put_f64(Buf *b, double v);
// The DOM value, compact, member order kept; numbers as their raw text when they have one.
void json_put(Buf *b, const Json *v);
// Indented by two blanks a level, for people.
void json_put_pretty(Buf *b, const Json *v, int indent);

// ---- RFC 6901 pointers ----
// The next reference token of *path (which starts with '/'), unescaped (~0 ~1) into the arena when needed; moves
// *path behind it. False when *path is empty (the end), or malformed: then *path is not empty and untouched.
bool json_pointer_next(Str *path, Arena *arena, Str *token);

// ---- pull scanner: the hot path (ingest lines) ----
// Walks one text without building anything; the caller drives it: after a key or an item it takes the value by
// json_scan_value, _object, _array or _skip. When err is set, every call returns false and p is the place of the error.
typedef struct JsonScan {
    const char *p, *end, *start;
    int32_t depth;     // arrays and objects entered and not left
    int32_t depth_max; // JSON_DEPTH_MAX; ERR_LIMIT beyond. A caller may lower it
    bool first;        // nothing was read yet in the innermost array or object
    Err err;           // ERR_OK until something is wrong; sticks
    const char *why;   // sentence for a person, static memory
} JsonScan;

typedef struct JsonToken {
    JsonType type;
    Str raw;      // whole text of a scalar; for strings without the quotes, still escaped
    bool escaped; // string holds backslashes: see json_unescape
    int64_t i;    // JSON_INT
    double d;     // JSON_DOUBLE (JSON_INT also, as double)
} JsonToken;

// Blank space before the value is skipped; a text may hold more than one value (NDJSON: give it one line at a time).
void json_scan_init(JsonScan *s, Str text);
// Enter an object or array; false (and err) when the next value is something else.
bool json_scan_object(JsonScan *s);
bool json_scan_array(JsonScan *s);
// Within an object: the next key (raw, may be escaped) with the ':' consumed; false at '}' (consumed) or error.
bool json_scan_key(JsonScan *s, JsonToken *key);
// Within an array: true when another item follows; false at ']' (consumed) or error.
bool json_scan_item(JsonScan *s);
// The next value when it is a scalar; for an array or object sets type only and consumes nothing.
bool json_scan_value(JsonScan *s, JsonToken *v);
// Skip one value of any type; *raw gets its text (NULL: not wanted). Validates what it skips.
bool json_scan_skip(JsonScan *s, Str *raw);
// True when only blank space is left; otherwise false and err = SYNTAX.
bool json_scan_end(JsonScan *s);
// The text of an escaped string token; a token without escapes is returned as it is. Never longer than t.raw.
Str json_unescape(Arena *arena, JsonToken t);
