// SPDX-License-Identifier: Apache-2.0
// The newest change of each thing, in order of their last change: a hash table by number, threaded by two lists.
#include "base/check.h"
#include "base/mem.h"
#include "serve/changes.h"

// ORDER LATEST: what two changes must be about to be of one thing.
enum { OF_TWIN = 1, OF_VALUE, OF_MODEL, OF_LINK, OF_LINK_VALUE, OF_TELEMETRY, OF_DTMI };

typedef struct Key {
    uint64_t id;
    uint32_t column, kind;
} Key;

static Key key_of(const SosiaChange *ch) {
    switch (ch->what) {
    case SOSIA_EV_TWIN_PUT:
    case SOSIA_EV_TWIN_DELETE: return (Key){ch->twin_no, 0, OF_TWIN};
    case SOSIA_EV_SET:
    case SOSIA_EV_UNSET: return (Key){ch->twin_no, ch->column, ch->column ? OF_VALUE : OF_MODEL};
    case SOSIA_EV_LINK_PUT:
    case SOSIA_EV_LINK_DELETE: return (Key){ch->link_no, 0, OF_LINK};
    case SOSIA_EV_LINK_SET:
    case SOSIA_EV_LINK_UNSET: return (Key){ch->link_no, ch->column, OF_LINK_VALUE};
    case SOSIA_EV_TELEMETRY: return (Key){ch->twin_no, (uint32_t)str_hash(ch->path), OF_TELEMETRY};
    default: return (Key){str_hash(ch->twin), 0, OF_DTMI};
    }
}

static uint64_t hash_of(const Key *k) {
    uint64_t h = (k->id ^ (uint64_t)k->column << 40 ^ (uint64_t)k->kind << 36) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 29;
}

static int32_t *head_of(Latest *l, const Key *k) { return &l->heads[hash_of(k) & (uint64_t)(l->cap - 1)]; }

void latest_init(Latest *l, int32_t count_max, int64_t bytes_max) {
    *l = (Latest){.free = -1, .oldest = -1, .newest = -1, .count_max = count_max, .bytes_max = bytes_max};
}

void latest_free(Latest *l) {
    for (int32_t i = 0; i < l->used; i++) buf_free(&l->items[i].json);
    mem_free(l->items);
    mem_free(l->heads);
    latest_init(l, l->count_max, l->bytes_max);
}

static void grow(Latest *l) {
    int32_t cap = l->cap ? l->cap * 2 : 64;
    l->items = mem_grow(l->items, (size_t)cap * sizeof *l->items);
    l->heads = mem_grow(l->heads, (size_t)cap * sizeof *l->heads);
    l->bytes += (int64_t)(cap - l->cap) * (int64_t)(sizeof *l->items + sizeof *l->heads);
    l->cap = cap;
    for (int32_t i = 0; i < cap; i++) l->heads[i] = -1;
    for (int32_t i = l->oldest; i >= 0; i = l->items[i].newer) {
        LatestEntry *e = &l->items[i];
        int32_t *head = head_of(l, &(Key){e->id, e->column, e->kind});
        e->chain = *head;
        *head = i;
    }
}

// ---- the list by last change --------------------------------------------------------------------------------------

static void unlink_entry(Latest *l, int32_t i) {
    LatestEntry *e = &l->items[i];
    *(e->older >= 0 ? &l->items[e->older].newer : &l->oldest) = e->newer;
    *(e->newer >= 0 ? &l->items[e->newer].older : &l->newest) = e->older;
}

static void link_newest(Latest *l, int32_t i) {
    LatestEntry *e = &l->items[i];
    e->older = l->newest;
    e->newer = -1;
    *(l->newest >= 0 ? &l->items[l->newest].newer : &l->oldest) = i;
    l->newest = i;
}

// ---- entries ------------------------------------------------------------------------------------------------------

static int32_t find(Latest *l, const Key *k) {
    for (int32_t i = l->cap ? *head_of(l, k) : -1; i >= 0; i = l->items[i].chain) {
        const LatestEntry *e = &l->items[i];
        if (e->id == k->id && e->column == k->column && e->kind == k->kind) return i;
    }
    return -1;
}

static int32_t add(Latest *l, const Key *k) {
    if (l->free < 0 && l->used == l->cap) grow(l);
    int32_t i = l->free;
    if (i >= 0) l->free = l->items[i].chain;
    else l->items[i = l->used++].json = (Buf){0};
    LatestEntry *e = &l->items[i];
    int32_t *head = head_of(l, k);
    e->id = k->id;
    e->column = k->column;
    e->kind = k->kind;
    e->chain = *head;
    *head = i;
    l->count++;
    return i;
}

bool latest_put(Latest *l, const SosiaChange *ch, Str json) {
    if (ch->late) return true;
    Key k = key_of(ch);
    int32_t i = find(l, &k);
    if (i < 0 && l->count >= l->count_max) return false;
    if (i >= 0) unlink_entry(l, i);
    else i = add(l, &k);
    link_newest(l, i);
    Buf *b = &l->items[i].json;
    int64_t cap = b->cap;
    buf_reset(b);
    buf_str_put(b, json);
    l->bytes += b->cap - cap;
    return l->bytes <= l->bytes_max;
}

void latest_take(Latest *l, Buf *out) {
    int32_t i = l->oldest;
    CHECK(i >= 0);
    LatestEntry *e = &l->items[i];
    int32_t *at = head_of(l, &(Key){e->id, e->column, e->kind});
    while (*at != i) at = &l->items[*at].chain;
    *at = e->chain;
    unlink_entry(l, i);
    e->chain = l->free;
    l->free = i;
    l->count--;
    buf_str_put(out, buf_str(&e->json));
    l->bytes -= e->json.cap;
    buf_free(&e->json);
}
