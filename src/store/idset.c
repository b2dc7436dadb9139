// SPDX-License-Identifier: Apache-2.0
#include "store/idset.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"

void idset_add(IdSet *s, uint64_t id) {
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->ids = mem_grow(s->ids, (size_t)s->cap * sizeof(uint64_t));
    }
    s->ids[s->count++] = id;
}

static int by_id(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void idset_sort(IdSet *s) {
    int64_t i = 1;
    while (i < s->count && s->ids[i - 1] < s->ids[i]) i++;
    if (i >= s->count) return;
    qsort(s->ids, (size_t)s->count, sizeof(uint64_t), by_id);
    int64_t kept = 1;
    for (i = 1; i < s->count; i++)
        if (s->ids[i] != s->ids[kept - 1]) s->ids[kept++] = s->ids[i];
    s->count = kept;
}

int64_t idset_find(const IdSet *s, uint64_t id) {
    int64_t low = 0, high = s->count;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (s->ids[mid] < id) low = mid + 1;
        else high = mid;
    }
    return low < s->count && s->ids[low] == id ? low : -1;
}

void idset_minus(const IdSet *a, const IdSet *b, IdSet *out) {
    int64_t k = 0;
    for (int64_t i = 0; i < a->count; i++) {
        while (k < b->count && b->ids[k] < a->ids[i]) k++;
        if (k == b->count || b->ids[k] != a->ids[i]) idset_add(out, a->ids[i]);
    }
}

bool idset_within(const IdSet *a, const IdSet *b) {
    int64_t k = 0;
    for (int64_t i = 0; i < a->count; i++) {
        while (k < b->count && b->ids[k] < a->ids[i]) k++;
        if (k == b->count || b->ids[k] != a->ids[i]) return false;
    }
    return true;
}

void idset_encode(const IdSet *s, Buf *out) {
    buf_varint(out, (uint64_t)s->count);
    for (int64_t i = 0; i < s->count; i++) buf_varint(out, s->ids[i] - (i ? s->ids[i - 1] : 0));
}

Err idset_decode(Str bytes, IdSet *out) {
    CHECK(out->count == 0);
    Cut c = cut_of(bytes);
    uint64_t n = cut_varint(&c), id = 0;
    if (c.bad || n > (uint64_t)bytes.n) return ERR_CORRUPT; // a distance takes a byte at least
    for (uint64_t i = 0; i < n && !c.bad; i++) {
        uint64_t step = cut_varint(&c);
        if (step == 0 || step > INT64_MAX - id) c.bad = true;
        else idset_add(out, id += step);
    }
    if (!c.bad && c.p == c.end) return ERR_OK;
    idset_free(out);
    return ERR_CORRUPT;
}

void idset_free(IdSet *s) {
    mem_free(s->ids);
    *s = (IdSet){0};
}
