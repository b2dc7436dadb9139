// SPDX-License-Identifier: Apache-2.0
// Index: the values of one column as sorted keys with their rows, as they were at the marks of their pages. Immutable
// but for its count of users. Inside of a QueryCache.
//
//   keys    ascending; equal ones by row
//   places  the row of every key: page << 10 | row in the page
//   marks   of every page when it was read; 0: it could not be read, its rows are not here
#pragma once
#include "query/query.h"

#define KEY_HASH_DROPPED 24 // bits of a hash that do not count: five bytes are enough, and sorted in five passes
#define INDEX_PAGES_MOST (UINT64_C(1) << 22) // a place has 32 bits; longer columns are scanned

typedef enum IndexKind { INDEX_ORDER, INDEX_HASH, INDEX_KINDS } IndexKind;

typedef struct Index {
    int32_t refs; // guarded by the cache's lock
    uint32_t vec;
    CellKind cell;
    IndexKind kind;
    int64_t count;
    uint64_t *keys;
    uint32_t *places;
    uint64_t pages;
    uint64_t *marks;
    int64_t stale; // pages whose mark did not hold at the last lookup; guarded by the cache's lock
} Index;

// The key of a cell that is no text; of a text in a hash index.
uint64_t query_key_of_bits(CellKind cell, uint64_t bits);
uint64_t query_key_hash(Str s);

// Read the pages of a column that changed since `old` (NULL: all) and merge them with what `old` has of the others.
// Takes short views of its own. room: bytes it may take, at most. NULL: no room, or the ring was outrun too often.
// Cost: 10 ns a row read, 20 ns a row sorted, 3 ns a row kept.
Index *query_index_build(const World *w, uint32_t vec, CellKind cell, IndexKind kind, const Index *old, int64_t room);
void query_index_free(Index *ix);
int64_t query_index_bytes(const Index *ix);
// Entries [from, to) with keys lo..hi. Cost: two binary searches.
void query_index_find(const Index *ix, uint64_t lo, uint64_t hi, int64_t *from, int64_t *to);

// Sort n keys with their places; ties keep their order. tmp: room for as many again. LSD radix sort: bytes in which all
// keys agree cost nothing.
void query_index_sort(uint64_t *keys, uint32_t *places, int64_t n, uint64_t *key_tmp, uint32_t *place_tmp);
// Sort places. tmp: as many again.
void query_index_sort_places(uint32_t *places, int64_t n, uint32_t *tmp);
