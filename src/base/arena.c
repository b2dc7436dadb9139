// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"

struct ArenaBlock {
    ArenaBlock *next;
    int64_t size; // bytes behind the header
    char bytes[];
};

#define ARENA_BLOCK_DEFAULT (64 * 1024)

void arena_init(Arena *a, int64_t block_size) { *a = (Arena){.block_size = block_size}; }

static void arena_open_block(Arena *a, int64_t need) {
    int64_t size = a->block_size ? a->block_size : ARENA_BLOCK_DEFAULT;
    if (size < need) size = need;
    ArenaBlock *b = mem_grow(NULL, sizeof *b + (size_t)size);
    *b = (ArenaBlock){.next = a->block, .size = size};
    a->block = b;
    a->at = b->bytes;
    a->end = b->bytes + size;
}

void *arena_alloc(Arena *a, int64_t size, int64_t n, size_t align) {
    CHECK(size >= 0 && n >= 0);
    CHECK(n == 0 || size <= (INT64_MAX - 64) / n);
    int64_t bytes = size * n;
    int64_t pad = (int64_t)(-(uintptr_t)a->at & (align - 1));
    if (!a->at || bytes + pad > a->end - a->at) {
        arena_open_block(a, bytes + (int64_t)align);
        pad = (int64_t)(-(uintptr_t)a->at & (align - 1));
    }
    char *p = a->at + pad;
    a->at = p + bytes;
    a->used += bytes + pad;
    if (bytes) memset(p, 0, (size_t)bytes);
    return p;
}

Str arena_str(Arena *a, Str s) {
    CHECK(s.n >= 0 && s.n < PTRDIFF_MAX);
    char *p = arena_alloc(a, 1, s.n + 1, 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

Str arena_printf(Arena *a, const char *fmt, ...) {
    CHECK(fmt);
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    char *p = arena_alloc(a, 1, n + 1, 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (Str){p, n};
}

static void free_chain(ArenaBlock *b) {
    while (b) {
        ArenaBlock *next = b->next;
        mem_free(b);
        b = next;
    }
}

void arena_reset(Arena *a) {
    a->used = 0;
    if (!a->block) return;
    free_chain(a->block->next);
    a->block->next = NULL;
    a->at = a->block->bytes;
    a->end = a->at + a->block->size;
}

void arena_free(Arena *a) {
    free_chain(a->block);
    *a = (Arena){.block_size = a->block_size};
}
