// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"
#include <stdio.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"

bool buf_reserve(Buf *b, int64_t n) {
    CHECK(n >= 0);
    if (b->full) return false;
    if (n <= b->cap - b->n) return true;
    int64_t max = b->max ? b->max : BUF_MAX_DEFAULT;
    if (n > max - b->n) return b->full = true, false;
    int64_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < max && cap - b->n < n) cap = cap > max / 2 ? max : cap * 2;
    if (cap > max) cap = max;
    char *p = mem_grow_try(b->p, (size_t)cap);
    if (!p) return b->full = true, false;
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_put(Buf *b, const void *p, int64_t n) {
    if (n <= 0 || !buf_reserve(b, n)) return;
    memcpy(b->p + b->n, p, (size_t)n);
    b->n += n;
}

void buf_byte(Buf *b, char c) {
    if ((b->full || b->n == b->cap) && !buf_reserve(b, 1)) return;
    b->p[b->n++] = c;
}

void buf_vprintf(Buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    char small[512];
    int n = vsnprintf(small, sizeof small, fmt, ap);
    CHECK(n >= 0);
    if (n < (int)sizeof small) {
        buf_put(b, small, n);
    } else if (buf_reserve(b, (int64_t)n + 1)) { // and the NUL that vsnprintf adds
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += n;
    }
    va_end(again);
}

void buf_printf(Buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_varint(Buf *b, uint64_t v) {
    if ((b->full || b->cap - b->n < 10) && !buf_reserve(b, 10)) return;
    while (v >= 0x80) {
        b->p[b->n++] = (char)(uint8_t)(v | 0x80);
        v >>= 7;
    }
    b->p[b->n++] = (char)(uint8_t)v;
}

void buf_varint_signed(Buf *b, int64_t v) { buf_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63)); }

void buf_u32(Buf *b, uint32_t v) {
    uint8_t x[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    buf_put(b, x, 4);
}

void buf_u64(Buf *b, uint64_t v) {
    uint8_t x[8];
    for (int i = 0; i < 8; i++) x[i] = (uint8_t)(v >> (8 * i));
    buf_put(b, x, 8);
}

void buf_reset(Buf *b) {
    b->n = 0;
    b->full = false;
}

void buf_wipe(Buf *b) {
    if (b->n) explicit_bzero(b->p, (size_t)b->n);
    buf_reset(b);
}

void buf_free(Buf *b) {
    mem_free(b->p);
    *b = (Buf){.max = b->max};
}

uint8_t cut_byte(Cut *c) {
    if (c->p == c->end) return c->bad = true, 0;
    return *c->p++;
}

uint64_t cut_varint(Cut *c) {
    uint64_t v = 0;
    if (!c->bad && c->p < c->end && *c->p < 0x80) return *c->p++; // as most are
    for (int shift = 0; shift < 70; shift += 7) {
        uint8_t x = cut_byte(c);
        if (c->bad) return 0;
        if (shift == 63 && x > 1) break;
        v |= (uint64_t)(x & 0x7f) << shift;
        if (x < 0x80) return v;
    }
    c->bad = true;
    return 0;
}

int64_t cut_varint_signed(Cut *c) {
    uint64_t v = cut_varint(c);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint64_t cut_fixed(Cut *c, int n) {
    uint64_t v = 0;
    if (c->end - c->p < n) return c->p = c->end, c->bad = true, 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)c->p[i] << (8 * i);
    c->p += n;
    return v;
}

uint32_t cut_u32(Cut *c) { return (uint32_t)cut_fixed(c, 4); }
uint64_t cut_u64(Cut *c) { return cut_fixed(c, 8); }

Str cut_bytes(Cut *c, int64_t n) {
    if (n < 0 || n > c->end - c->p) return c->p = c->end, c->bad = true, (Str){0};
    Str s = {(const char *)c->p, n};
    c->p += n;
    return s;
}
