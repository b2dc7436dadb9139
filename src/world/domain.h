// SPDX-License-Identifier: Apache-2.0
// Domain: what all worlds of one engine share: the blob heap, the id counters, and reclamation of memory that readers
// may still hold (epoch-based: Fraser, "Practical lock-freedom", 2004, section 5.2.3). Any thread.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "base/buf.h"
#include "base/str.h"

#define READERS_MAX 256 // views open at once; one more waits
#define BLOB_CLASSES 32 // slab classes of 8 bytes: texts up to 252 bytes; longer ones come from the C heap

typedef struct Domain Domain;

// A text of a cell: up to 12 bytes inline, longer ones in a shared immutable blob (Neumann, Freitag, "Umbra", CIDR
// 2020).
//   word 0: length (32 bits), first 4 bytes; word 1: the next 8 bytes, or the blob. {0, 0} is the empty text.
typedef struct Text {
    uint64_t w[2];
} Text;

#define TEXT_INLINE 12

// One reader's presence. 64 bytes, so that readers do not share cache lines.
typedef struct ReaderSlot {
    _Alignas(64) _Atomic uint64_t epoch; // 0: free
} ReaderSlot;

// An empty domain; ids start at 1,024.
Domain *domain_new(void);
// Frees everything; no world, view or text of it may be left.
void domain_free(Domain *d);

// Enter and leave a reading section. Returns the slot; what was reachable at the call stays in memory until leave.
int32_t domain_enter(Domain *d);
void domain_leave(Domain *d, int32_t slot);
// Free `p` by `fn(d, p)` once every reader now inside has left.
void domain_retire(Domain *d, void *p, void (*fn)(Domain *, void *));
// Free what can be freed now. Cost: O(readers + freed). Writers call it once a batch.
void domain_reclaim(Domain *d);

// A text with one reference of its own.
Text text_make(Domain *d, Str s);
// One more reference (inline texts have none to count).
void text_ref(Text t);
// Drop one; the last frees the blob at once: use text_retire where readers may hold it.
void text_unref(Domain *d, Text t);
void text_retire(Domain *d, Text t);
static inline int64_t text_size(Text t) { return (int64_t)(uint32_t)t.w[0]; }
static inline bool text_is_inline(Text t) { return text_size(t) <= TEXT_INLINE; }
// The bytes; inline ones borrow from *t, so *t must stay where it is.
Str text_str(const Text *t);
bool text_eq(const Text *t, Str s);

// A fresh run of 1,024 ids that no other world of the domain gets; returns its first. Ids start at 1,024.
uint64_t domain_take_ids(Domain *d);
// Never hand out ids below `first` (recovery).
void domain_reserve_ids(Domain *d, uint64_t first);

// A number no world of the domain had before: the owner epoch of a world's blocks.
uint64_t domain_next_epoch(Domain *d);

// Worlds that are or were written, and are not freed: `more` is 1 or -1.
void domain_count_writer(Domain *d, int32_t more);
int32_t domain_writers(Domain *d);

// Bytes held by blocks and blobs, for metrics.
typedef struct DomainStats {
    int64_t blocks, block_bytes, blobs, blob_bytes, retired;
} DomainStats;
DomainStats domain_stats(Domain *d);
// Used by page.c to account for blocks.
void domain_count_block(Domain *d, int64_t blocks, int64_t bytes);
