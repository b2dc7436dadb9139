// SPDX-License-Identifier: Apache-2.0
// Keep: checkpoints of the worlds beside live, as items: the pages a world has of its own, relative to what it lies
// over, as of one sequence. They shorten what must be replayed of its journal and are never needed for anything else:
// the journal is whole.
//
//   ("sosia.world", NUMBER/SEQ)             head: how much it is, and whether it is whole
//   ("sosia.world.page", NUMBER/SEQ/PART)   blob (store/blob.h) of (vector, page, size, encoded page)*
//
// Numbers are 16 digits of base 16, parts 8, so that keys are in order.
// Life: a head that is not whole -> parts -> the whole head, and what it replaces goes in the same transaction. What a
// crash leaves has a head that is not whole.
#pragma once
#include "store/blob.h"
#include "store/store.h"

#define KEEP_KIND STR("sosia.world")
#define KEEP_PART_KIND STR("sosia.world.page")
#define KEEP_PART_BYTES (1 << 20)           // of pages in one part, or one larger page
#define KEEP_BYTES_MAX ((int64_t)256 << 20) // of one checkpoint, packed

typedef struct StoreKeep {
    uint64_t world, seq;
    bool whole;
    uint32_t parts;
    int64_t pages, bytes;         // of its own, in memory
    int64_t packed;               // of all parts
    int64_t batches, batch_bytes; // of its journal up to seq
    uint64_t foreign;             // newest batch up to there that no run wrote
} StoreKeep;

// Packed parts on their way to the file.
typedef struct KeepParts {
    Buf *parts;
    uint32_t count, cap;
    int64_t packed, max;
    uint64_t world, seq; // they are of
    Buf open;            // pages of the next part
    Zip zip;
} KeepParts;

// Append key and value of a head. keep_part_key: of a part.
void keep_encode(const StoreKeep *k, Buf *key, Buf *value);
bool keep_decode(Str key, Str value, StoreKeep *out);
void keep_part_key(const StoreKeep *k, uint32_t part, Buf *out);
// Pack the pages of `w` (frozen) of epoch `since` or later, see world_pages. max: bytes packed, 0: KEEP_BYTES_MAX.
// Errors: LIMIT (more than that). keep_parts_free afterwards, whatever came.
MUST Err keep_pack(const World *w, uint64_t since, uint64_t world, int64_t max, KeepParts *out);
void keep_parts_free(KeepParts *p);
// Read the pages of one part. Errors: CORRUPT, those of fn.
MUST Err keep_unpack(Zip *z, const StoreKeep *k, uint32_t part, Str blob, WorldPageFn fn, void *ctx);

// All heads there are, ascending by world and sequence. fn false: stop. Errors: STORAGE, CORRUPT.
MUST Err store_keeps(StoreReader *r, bool (*fn)(void *ctx, const StoreKeep *k), void *ctx);
// Put its pages into a world that was just made; world_pages_end is the caller's, when the reader has ended. Errors:
// GONE (it is not there any more, or not whole), CORRUPT, STORAGE; the world is good for nothing then.
MUST Err store_keep_load(StoreReader *r, const StoreKeep *k, World *w);
