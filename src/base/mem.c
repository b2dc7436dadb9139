// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <malloc.h>
#include <sys/mman.h>

#define MAP_PAGE 4096

static int32_t wiping;     // begins without their ends; accessed atomically
static int64_t fail_after; // tests only; accessed atomically

void mem_fail_after(int64_t n) { __atomic_store_n(&fail_after, n, __ATOMIC_SEQ_CST); }

static int should_fail(void) {
    if (__atomic_load_n(&fail_after, __ATOMIC_RELAXED) <= 0) return 0;
    return __atomic_sub_fetch(&fail_after, 1, __ATOMIC_SEQ_CST) == 0;
}

__attribute__((noreturn, cold)) static void out_of_memory(size_t n) {
    fprintf(stderr, "sosia: out of memory (%zu bytes asked)\n", n);
    abort();
}

void *mem_alloc(size_t n) {
    void *p = calloc(1, n ? n : 1);
    if (!p) out_of_memory(n);
    return p;
}

void *mem_alloc_page(size_t n) {
    void *p = aligned_alloc(64, (n + 63) & ~(size_t)63);
    if (!p) out_of_memory(n);
    return p;
}

void *mem_map(size_t n) {
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) out_of_memory(n);
    (void)madvise(p, n, MADV_NOHUGEPAGE); // a touch shall not bring 2 MiB; kernels without do not
    return p;
}

void mem_unmap(void *p, size_t n) {
    if (p) munmap(p, n);
}

void mem_map_clear(void *p, size_t n) {
    char *from = p, *to = from + n, *page = from + (MAP_PAGE - (uintptr_t)from % MAP_PAGE) % MAP_PAGE;
    char *end = to - (uintptr_t)to % MAP_PAGE;
    bool whole = page < end && madvise(page, (size_t)(end - page), MADV_DONTNEED) == 0;
    if (whole) memset(from, 0, (size_t)(page - from));
    memset(whole ? end : from, 0, (size_t)(to - (whole ? end : from)));
}

// ---- wiping -------------------------------------------------------------------------------------------------------

void mem_wipe_begin(void) { __atomic_add_fetch(&wiping, 1, __ATOMIC_SEQ_CST); }
void mem_wipe_end(void) { __atomic_sub_fetch(&wiping, 1, __ATOMIC_SEQ_CST); }

static bool wipes(void) { return __atomic_load_n(&wiping, __ATOMIC_RELAXED) > 0; }

// Not to be seen through: the compiler would leave it out, or believe that the block ends where it was asked for.
__attribute__((noinline)) static void wipe(void *p) {
    size_t n = p ? malloc_usable_size(p) : 0;
    __asm__ volatile("" : "+r"(p));
    if (n) explicit_bzero(p, n);
}

// As realloc, but nothing stays where it was.
static void *move_wiped(void *p, size_t n) {
    size_t had = p ? malloc_usable_size(p) : 0;
    if (had >= n && had - n < n) return p;
    void *q = malloc(n);
    if (!q) return NULL;
    if (had) memcpy(q, p, had < n ? had : n);
    wipe(p);
    free(p);
    return q;
}

void mem_trim(void) {
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

// ---- the heap -----------------------------------------------------------------------------------------------------

static void *grow(void *p, size_t n) {
    size_t size = n ? n : 1;
    return wipes() ? move_wiped(p, size) : realloc(p, size);
}

void *mem_grow(void *p, size_t n) {
    void *q = grow(p, n);
    if (!q) out_of_memory(n);
    return q;
}

void mem_free(void *p) {
    if (wipes()) wipe(p);
    free(p);
}

void *mem_try(size_t n) { return should_fail() ? NULL : calloc(1, n ? n : 1); }

void *mem_grow_try(void *p, size_t n) { return should_fail() ? NULL : grow(p, n); }
