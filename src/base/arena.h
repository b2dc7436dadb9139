// SPDX-License-Identifier: Apache-2.0
// Arena: memory of one call, request or tick, released at once. One thread at a time owns an arena.
// Takes blocks from the C heap as it grows; never moves what it handed out; never returns NULL: sizes were checked
// against limits before, and a machine out of memory stops the process with a message.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

typedef struct ArenaBlock ArenaBlock;
typedef struct Arena {
    ArenaBlock *block; // newest first
    char *at, *end;    // free stretch of the newest block
    int64_t used;      // bytes handed out since init or reset
    int64_t block_size;
} Arena;

// Zeroed array of n T.
#define NEW(arena, T, n) ((T *)arena_alloc((arena), (int64_t)sizeof(T), (int64_t)(n), _Alignof(T)))

// Start empty; nothing is allocated before the first use. block_size 0: 64 KiB.
void arena_init(Arena *a, int64_t block_size);
// Zeroed bytes for n items of `size`, aligned. CHECKs size * n against overflow.
void *arena_alloc(Arena *a, int64_t size, int64_t n, size_t align);
// A copy of s that lives as long as the arena, with a NUL behind it.
Str arena_str(Arena *a, Str s);
// printf into the arena.
Str arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Forget everything, keep the newest block for reuse.
void arena_reset(Arena *a);
// Give all blocks back.
void arena_free(Arena *a);
