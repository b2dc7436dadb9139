// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

void *mem_grow(void *p, size_t n) {
    void *q = realloc(p, n ? n : 1);
    if (!q) out_of_memory(n);
    return q;
}

void mem_free(void *p) { free(p); }

void *mem_try(size_t n) { return should_fail() ? NULL : calloc(1, n ? n : 1); }

void *mem_grow_try(void *p, size_t n) { return should_fail() ? NULL : realloc(p, n ? n : 1); }
