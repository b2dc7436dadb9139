// SPDX-License-Identifier: Apache-2.0
// Invariants of building:
// 1. `slots` is a stack. An open container sits in a slot, its `count` the slot of its parent (-1: none), its `at` the
//    offset of its bracket; the finished items of it lie above it.
// 2. When a container closes, its items move to the arena at once, so that they lie side by side, and the stack shrinks
//    to the container's own slot.
// Slots are members for arrays too (16 bytes of each lie fallow): one stride, one loop.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/json_lex.h"

#define SLOTS_LOCAL 64

typedef struct Builder {
    JsonScan scan;
    Arena *arena;
    JsonMember *slots, *local;
    int32_t top, cap;
    int32_t open; // slot of the innermost open container, -1: none
} Builder;

__attribute__((noinline, cold)) static void slots_grow(Builder *b) {
    size_t size = sizeof *b->slots;
    int32_t cap = b->cap < INT32_MAX / 2 ? b->cap * 2 : INT32_MAX; // 2^31 bytes of text hold fewer values than that
    if (b->slots == b->local) {
        b->slots = mem_grow(NULL, (size_t)cap * size);
        memcpy(b->slots, b->local, (size_t)b->top * size);
    } else {
        b->slots = mem_grow(b->slots, (size_t)cap * size);
    }
    b->cap = cap;
}

// A fresh slot on top of the stack; other slots may move.
static inline JsonMember *slot_push(Builder *b) {
    if (b->top == b->cap) slots_grow(b);
    return &b->slots[b->top++];
}

// Keys of n members: is there a pair of equal ones? Small objects pairwise, and only when two of 64 hash bits collide.
static bool keys_repeat_small(const JsonMember *m, int32_t n) {
    uint64_t seen = 0, clash = 0;
    for (int32_t i = 0; i < n; i++) {
        Str k = m[i].key;
        uint64_t h = (uint64_t)k.n * 7;
        if (k.n) h += (uint8_t)k.p[0] * 3u + (uint8_t)k.p[k.n / 2] * 5u + (uint8_t)k.p[k.n - 1] * 11u;
        uint64_t bit = UINT64_C(1) << (h & 63);
        clash |= seen & bit;
        seen |= bit;
    }
    if (!clash) return false;
    for (int32_t i = 1; i < n; i++) {
        for (int32_t k = 0; k < i; k++) {
            if (str_eq(m[i].key, m[k].key)) return true;
        }
    }
    return false;
}

static int key_order(const void *a, const void *b) {
    return str_cmp((*(const JsonMember *const *)a)->key, (*(const JsonMember *const *)b)->key);
}

static bool keys_repeat_sorted(const JsonMember *m, int32_t n) {
    const JsonMember **sorted = mem_alloc((size_t)n * sizeof *sorted);
    for (int32_t i = 0; i < n; i++) sorted[i] = &m[i];
    qsort(sorted, (size_t)n, sizeof *sorted, key_order);
    bool repeat = false;
    for (int32_t i = 1; i < n && !repeat; i++) repeat = str_eq(sorted[i - 1]->key, sorted[i]->key);
    mem_free(sorted);
    return repeat;
}

// By hashing, unless the keys were chosen to collide: then by sorting, so that no input takes quadratic time.
static bool keys_repeat(const JsonMember *m, int32_t n) {
    if (n <= 16) return keys_repeat_small(m, n);
    int64_t cap = 64, steps = (int64_t)n * 16;
    while (cap < (int64_t)n * 2) cap *= 2;
    int32_t *table = mem_alloc((size_t)cap * sizeof *table); // member + 1, 0: empty
    bool repeat = false;
    for (int32_t i = 0; i < n && !repeat && steps > 0; i++) {
        int64_t at = (int64_t)(str_hash(m[i].key) & (uint64_t)(cap - 1));
        while (table[at] && steps > 0 && !(repeat = str_eq(m[table[at] - 1].key, m[i].key))) {
            at = (at + 1) & (cap - 1);
            steps--;
        }
        table[at] = i + 1;
    }
    mem_free(table);
    return steps > 0 ? repeat : keys_repeat_sorted(m, n);
}

// Close the innermost container: s->p is behind its bracket.
static void container_close(Builder *b) {
    Json *v = &b->slots[b->open].value;
    JsonMember *first = &b->slots[b->open + 1];
    int32_t n = b->top - b->open - 1, parent = v->count;
    v->count = n;
    v->raw.p = b->scan.start + v->at;
    v->raw.n = b->scan.p - v->raw.p;
    if (v->type == JSON_OBJECT) {
        v->members = n ? NEW(b->arena, JsonMember, n) : NULL;
        if (n) memcpy(v->members, first, (size_t)n * sizeof *first);
        v->dup = n > 1 && keys_repeat(first, n);
    } else {
        v->items = n ? NEW(b->arena, Json, n) : NULL;
        for (int32_t i = 0; i < n; i++) v->items[i] = first[i].value;
    }
    b->top = b->open + 1;
    b->open = parent;
}

static void scalar_fill(Builder *b, Json *v, const JsonToken *t) {
    v->type = t->type;
    v->raw = t->raw;
    switch (t->type) {
    case JSON_INT: v->i = t->i; break;
    case JSON_DOUBLE: v->d = t->d; break;
    case JSON_STRING:
        v->s = json_unescape(b->arena, *t);
        v->raw = (Str){t->raw.p - 1, t->raw.n + 2};
        break;
    default: v->i = 0; break;
    }
    v->at = (int32_t)(v->raw.p - b->scan.start);
    v->count = 0;
    v->dup = false;
}

// Take the value at the cursor into slot `at`, whose key is set already.
static bool value_take(Builder *b, int32_t at) {
    JsonToken t;
    if (!lex_value(&b->scan, &t)) return false;
    Json *v = &b->slots[at].value;
    if (t.type < JSON_ARRAY) {
        scalar_fill(b, v, &t);
        return true;
    }
    *v = (Json){.type = t.type, .count = b->open, .at = (int32_t)(b->scan.p - b->scan.start)};
    b->open = at;
    return lex_enter(&b->scan);
}

static bool build(Builder *b) {
    JsonToken key;
    slot_push(b);
    if (!value_take(b, 0)) return false;
    while (b->open >= 0) {
        bool object = b->slots[b->open].value.type == JSON_OBJECT;
        bool more = object ? lex_key(&b->scan, &key) : lex_item(&b->scan);
        if (b->scan.err) return false;
        if (!more) {
            container_close(b);
            continue;
        }
        JsonMember *slot = slot_push(b);
        slot->key = object ? json_unescape(b->arena, key) : (Str){0};
        if (!value_take(b, b->top - 1)) return false;
    }
    return json_scan_end(&b->scan);
}

// "line 3, column 14: why".
static Err complain(const JsonScan *s, Diag *d) {
    int64_t line = 1, at = s->p - s->start;
    const char *line_start = s->start;
    for (const char *p = s->start; p < s->p; p++) {
        if (*p != '\n') continue;
        line++;
        line_start = p + 1;
    }
    return diag_add(d, s->err, at, at < s->end - s->start ? at + 1 : at, (Str){0}, "line %lld, column %lld: %s",
                    (long long)line, (long long)(s->p - line_start + 1), s->why);
}

Err json_parse(Str text, const JsonLimits *limits, Arena *arena, Json *out, Diag *d) {
    JsonLimits l = limits ? *limits : (JsonLimits){0};
    if (l.size_max <= 0) l.size_max = JSON_SIZE_MAX;
    if (l.size_max > INT32_MAX) l.size_max = INT32_MAX;
    if (l.depth_max <= 0) l.depth_max = JSON_DEPTH_MAX;
    if (l.depth_max > JSON_DEPTH_CAP) l.depth_max = JSON_DEPTH_CAP;
    if (text.n > l.size_max) {
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "the text has %lld bytes, at most %lld are allowed",
                        (long long)text.n, (long long)l.size_max);
    }
    if (str_starts(text, STR("\xEF\xBB\xBF"))) {
        return diag_add(d, ERR_SYNTAX, 0, 3, (Str){0}, "line 1, column 1: a byte order mark is not allowed");
    }
    JsonMember local[SLOTS_LOCAL];
    Builder b = {.arena = arena, .slots = local, .local = local, .cap = SLOTS_LOCAL, .open = -1};
    json_scan_init(&b.scan, text);
    b.scan.depth_max = l.depth_max;
    bool ok = build(&b);
    if (ok) *out = b.slots[0].value;
    if (b.slots != local) mem_free(b.slots);
    return ok ? ERR_OK : complain(&b.scan, d);
}

const Json *json_get(const Json *v, Str key) {
    if (!v || v->type != JSON_OBJECT) return NULL;
    for (int32_t i = v->count - 1; i >= 0; i--) {
        if (str_eq(v->members[i].key, key)) return &v->members[i].value;
    }
    return NULL;
}

Str json_text(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_STRING ? m->s : (Str){0};
}

const char *json_type_name(JsonType t) {
    static const char *const names[] = {"null", "boolean", "boolean", "integer", "number", "string", "array", "object"};
    CHECK((unsigned)t < sizeof names / sizeof *names);
    return names[t];
}
