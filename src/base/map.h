// SPDX-License-Identifier: Apache-2.0
// Map: Str -> int64_t, open addressing. One thread at a time. Keys are borrowed: they outlive the map.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

typedef struct MapSlot {
    Str key;
    uint64_t hash;
    int64_t value;
    bool used;
} MapSlot;

typedef struct Map {
    MapSlot *slots;
    int64_t cap, count;
} Map;

// Put or replace.
void map_put(Map *m, Str key, int64_t value);
// True and *out when present; out untouched otherwise.
bool map_get(const Map *m, Str key, int64_t *out);
// Remove; true when it was there. Cost: O(1) amortised (backward shift).
bool map_del(Map *m, Str key);
// Release; the map is empty and usable again.
void map_free(Map *m);
