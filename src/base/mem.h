// SPDX-License-Identifier: Apache-2.0
// The only door to the C heap. Any thread. Sizes were checked before: no memory left stops the process, unless the
// `_try` form is used, which returns NULL. Tests make the Nth `_try` call fail.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Zeroed memory, 16-byte aligned; n may be 0.
void *mem_alloc(size_t n);
// Unzeroed memory aligned to 64 bytes, for pages.
void *mem_alloc_page(size_t n);
// Zeroed memory that is only there where it is touched, 4 KiB at a time, whatever was freed before; for what is large
// and mostly never used. Freed by mem_unmap with the same size.
void *mem_map(size_t n);
void mem_unmap(void *p, size_t n); // NULL is fine
// Zero a part of what mem_map gave; whole pages of it are given back.
void mem_map_clear(void *p, size_t n);
void *mem_grow(void *p, size_t n);
void mem_free(void *p);
// NULL when memory is out (or a test said so).
void *mem_try(size_t n);
void *mem_grow_try(void *p, size_t n);
// From begin to end, which may be nested, what is freed here is overwritten before. Best effort: what was freed
// earlier, or by others, is not.
void mem_wipe_begin(void);
void mem_wipe_end(void);
// Give free memory back to the system, where the C library can; what was in it is gone then.
void mem_trim(void);
// Tests: the n-th `_try` call from now fails once; 0 turns it off.
void mem_fail_after(int64_t n);
