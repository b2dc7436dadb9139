// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"
#include "base/mem.h"

static MapSlot *map_slot(const Map *m, Str key, uint64_t hash) {
    int64_t mask = m->cap - 1;
    int64_t i = (int64_t)(hash & (uint64_t)mask);
    while (m->slots[i].used && !(m->slots[i].hash == hash && str_eq(m->slots[i].key, key))) i = (i + 1) & mask;
    return &m->slots[i];
}

static void map_grow(Map *m) {
    Map big = {.cap = m->cap ? m->cap * 2 : 16};
    big.slots = mem_alloc((size_t)big.cap * sizeof *big.slots);
    for (int64_t i = 0; i < m->cap; i++) {
        if (m->slots[i].used) *map_slot(&big, m->slots[i].key, m->slots[i].hash) = m->slots[i];
    }
    big.count = m->count;
    mem_free(m->slots);
    *m = big;
}

void map_put(Map *m, Str key, int64_t value) {
    if (m->count * 4 >= m->cap * 3) map_grow(m);
    uint64_t hash = str_hash(key);
    MapSlot *s = map_slot(m, key, hash);
    if (!s->used) m->count++;
    *s = (MapSlot){key, hash, value, true};
}

bool map_get(const Map *m, Str key, int64_t *out) {
    if (!m->cap) return false;
    MapSlot *s = map_slot(m, key, str_hash(key));
    if (!s->used) return false;
    *out = s->value;
    return true;
}

bool map_del(Map *m, Str key) {
    if (!m->cap) return false;
    MapSlot *s = map_slot(m, key, str_hash(key));
    if (!s->used) return false;
    int64_t mask = m->cap - 1, hole = s - m->slots;
    for (int64_t i = (hole + 1) & mask; m->slots[i].used; i = (i + 1) & mask) {
        int64_t home = (int64_t)(m->slots[i].hash & (uint64_t)mask);
        bool between = hole <= i ? (home > hole && home <= i) : (home > hole || home <= i);
        if (between) continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (MapSlot){0};
    m->count--;
    return true;
}

void map_free(Map *m) {
    mem_free(m->slots);
    *m = (Map){0};
}
