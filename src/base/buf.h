// SPDX-License-Identifier: Apache-2.0
// Buf: a growing byte buffer with a maximum. One thread at a time. Appends never fail at the call: past the
// maximum (or without memory) the buffer turns `full` and drops what follows; test it once at the end.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

typedef SosiaBuf Buf; // p, n, cap; max 0 means BUF_MAX_DEFAULT; full: something was dropped

#define BUF_MAX_DEFAULT ((int64_t)1 << 30)

// The bytes so far, borrowed until the next append.
static inline Str buf_str(const Buf *b) { return (Str){b->p, b->n}; }
// Room for n more bytes; false (and full) when that passes the maximum.
bool buf_reserve(Buf *b, int64_t n);
void buf_put(Buf *b, const void *p, int64_t n);
static inline void buf_str_put(Buf *b, Str s) { buf_put(b, s.p, s.n); }
void buf_byte(Buf *b, char c);
void buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(Buf *b, const char *fmt, va_list ap);
// Unsigned LEB128, 1..10 bytes; signed through zigzag.
void buf_varint(Buf *b, uint64_t v);
void buf_varint_signed(Buf *b, int64_t v);
// Little-endian fixed width.
void buf_u32(Buf *b, uint32_t v);
void buf_u64(Buf *b, uint64_t v);
// Forget the content, keep the memory.
void buf_reset(Buf *b);
// The same, and what it held is overwritten.
void buf_wipe(Buf *b);
// Release the memory; the Buf is empty and usable again.
void buf_free(Buf *b);

// A reading cursor over bytes; `bad` sticks when anything was cut or malformed, and reads give 0 from then on.
typedef struct Cut {
    const uint8_t *p, *end;
    bool bad;
} Cut;

// Start reading s, borrowed.
static inline Cut cut_of(Str s) {
    const uint8_t *p = (const uint8_t *)s.p;
    return (Cut){p, s.n ? p + s.n : p, false};
}
// What the buf_ call of the same name wrote.
uint64_t cut_varint(Cut *c);
int64_t cut_varint_signed(Cut *c);
uint32_t cut_u32(Cut *c);
uint64_t cut_u64(Cut *c);
uint8_t cut_byte(Cut *c);
// The next n bytes, borrowed.
Str cut_bytes(Cut *c, int64_t n);
