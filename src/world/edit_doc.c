// SPDX-License-Identifier: Apache-2.0
// add, replace and remove of RFC 6902 on a JSON document in memory: maps, arrays and geometry are patched this way, and
// written back whole.
#include "base/check.h"
#include "world/edit_inner.h"

static bool fail(const char **why, const char *phrase) {
    *why = phrase;
    return false;
}

// RFC 6901, section 4: digits without leading zeros. -1: anything else.
static int32_t index_of(Str token) {
    if (token.n == 0 || token.n > 9 || (token.n > 1 && token.p[0] == '0')) return -1;
    int32_t v = 0;
    for (int64_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9') return -1;
        v = v * 10 + (token.p[i] - '0');
    }
    return v;
}

static int32_t member_of(const Json *object, Str key) {
    for (int32_t i = object->count - 1; i >= 0; i--) {
        if (str_eq(object->members[i].key, key)) return i;
    }
    return -1;
}

// The child a token names; NULL when there is none.
static Json *child_of(Json *v, Str token) {
    int32_t i = v->type == JSON_OBJECT ? member_of(v, token) : v->type == JSON_ARRAY ? index_of(token) : -1;
    if (i < 0 || i >= v->count) return NULL;
    return v->type == JSON_OBJECT ? &v->members[i].value : &v->items[i];
}

static bool patch_object(Json *o, const PatchOp *op, Str key, Arena *arena, const char **why) {
    int32_t i = member_of(o, key);
    if (i < 0 && op->kind != PATCH_ADD) return fail(why, "there is no value at");
    if (op->kind == PATCH_REMOVE) {
        memmove(&o->members[i], &o->members[i + 1], (size_t)(o->count - i - 1) * sizeof *o->members);
        o->count--;
        return true;
    }
    if (i < 0) {
        JsonMember *grown = NEW(arena, JsonMember, o->count + 1);
        if (o->count) memcpy(grown, o->members, (size_t)o->count * sizeof *grown);
        o->members = grown;
        i = o->count++;
        o->members[i].key = key;
    }
    o->members[i].value = *op->value;
    return true;
}

static bool patch_array(Json *a, const PatchOp *op, Str token, Arena *arena, const char **why) {
    bool add = op->kind == PATCH_ADD;
    int32_t i = add && str_eq(token, STR("-")) ? a->count : index_of(token);
    if (i < 0) return fail(why, "an array is addressed by a number or -, not as in");
    if (i >= a->count + add) return fail(why, "the array has no such element:");
    if (op->kind == PATCH_REPLACE) {
        a->items[i] = *op->value;
        return true;
    }
    if (add) {
        Json *grown = NEW(arena, Json, a->count + 1);
        if (i) memcpy(grown, a->items, (size_t)i * sizeof *grown);
        if (a->count > i) memcpy(&grown[i + 1], &a->items[i], (size_t)(a->count - i) * sizeof *grown);
        grown[i] = *op->value;
        a->items = grown;
        a->count++;
        return true;
    }
    memmove(&a->items[i], &a->items[i + 1], (size_t)(a->count - i - 1) * sizeof *a->items);
    a->count--;
    return true;
}

bool edit_doc_apply(Json *doc, const PatchOp *op, Str path, Arena *arena, const char **why) {
    Json *at = doc;
    Str token;
    if (path.n == 0) {
        CHECK(op->kind != PATCH_REMOVE);
        *doc = *op->value;
        return true;
    }
    for (;;) {
        if (!json_pointer_next(&path, arena, &token)) return fail(why, "a malformed path:");
        at->raw = (Str){0}; // its text no longer is what it holds
        if (path.n == 0) break;
        at = child_of(at, token);
        if (!at) return fail(why, "there is nothing above");
    }
    if (at->type == JSON_OBJECT) return patch_object(at, op, token, arena, why);
    if (at->type == JSON_ARRAY) return patch_array(at, op, token, arena, why);
    return fail(why, "only objects and arrays have parts, as asked for in");
}
