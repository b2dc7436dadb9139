// SPDX-License-Identifier: Apache-2.0
#include "store/keep.h"
#include "base/mem.h"

#define KEEP_FORMAT 1

// ---- heads --------------------------------------------------------------------------------------------------------

void keep_encode(const StoreKeep *k, Buf *key, Buf *value) {
    buf_printf(key, "%016llx/%016llx", (unsigned long long)k->world, (unsigned long long)k->seq);
    buf_byte(value, KEEP_FORMAT);
    buf_byte(value, (char)k->whole);
    const uint64_t numbers[] = {k->parts,
                                (uint64_t)k->pages,
                                (uint64_t)k->bytes,
                                (uint64_t)k->packed,
                                (uint64_t)k->batches,
                                (uint64_t)k->batch_bytes,
                                k->foreign};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) buf_varint(value, numbers[i]);
}

static bool hex_take(Str s, int64_t at, uint64_t *out) {
    *out = 0;
    if (s.n < at + 16) return false;
    for (int64_t i = at; i < at + 16; i++) {
        char c = s.p[i];
        uint64_t digit = c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10)
                                                : 16;
        if (digit > 15) return false;
        *out = *out << 4 | digit;
    }
    return true;
}

bool keep_decode(Str key, Str value, StoreKeep *out) {
    Cut c = cut_of(value);
    *out = (StoreKeep){0};
    if (key.n != 33 || key.p[16] != '/' || !hex_take(key, 0, &out->world) || !hex_take(key, 17, &out->seq))
        return false;
    if (cut_byte(&c) != KEEP_FORMAT) return false;
    out->whole = cut_byte(&c) != 0;
    uint64_t parts = cut_varint(&c);
    int64_t *const sizes[] = {&out->pages, &out->bytes, &out->packed, &out->batches, &out->batch_bytes};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) *sizes[i] = (int64_t)cut_varint(&c);
    out->foreign = cut_varint(&c);
    out->parts = (uint32_t)parts;
    return !c.bad && c.p == c.end && parts <= KEEP_BYTES_MAX / 8;
}

void keep_part_key(const StoreKeep *k, uint32_t part, Buf *out) {
    buf_printf(out, "%016llx/%016llx/%08x", (unsigned long long)k->world, (unsigned long long)k->seq, (unsigned)part);
}

// ---- parts --------------------------------------------------------------------------------------------------------

// A blob knows where it belongs.
static uint64_t part_id(uint64_t world, uint64_t seq, uint32_t part) {
    return (world * UINT64_C(0x9E3779B97F4A7C15)) ^ (seq * UINT64_C(0xC2B2AE3D27D4EB4F)) ^ part;
}

static Err part_end(KeepParts *p) {
    if (!p->open.n) return ERR_OK;
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 8;
        p->parts = mem_grow(p->parts, p->cap * sizeof *p->parts);
    }
    Buf *to = &p->parts[p->count];
    *to = (Buf){0};
    blob_pack(&p->zip, part_id(p->world, p->seq, p->count++), buf_str(&p->open), to);
    buf_reset(&p->open);
    p->packed += to->n;
    return to->full || p->packed > p->max ? ERR_LIMIT : ERR_OK;
}

static Err pack_page(void *ctx, uint32_t vec, uint64_t page_no, Str bytes) {
    KeepParts *p = ctx;
    if (p->open.n + bytes.n > KEEP_PART_BYTES) TRY(part_end(p));
    buf_varint(&p->open, vec);
    buf_varint(&p->open, page_no);
    buf_varint(&p->open, (uint64_t)bytes.n);
    buf_str_put(&p->open, bytes);
    return p->open.full ? ERR_LIMIT : ERR_OK;
}

Err keep_pack(const World *w, uint64_t since, uint64_t world, int64_t max, KeepParts *out) {
    *out = (KeepParts){.world = world, .seq = world_seq(w), .max = max ? max : KEEP_BYTES_MAX};
    TRY(world_pages(w, since, pack_page, out));
    return part_end(out);
}

void keep_parts_free(KeepParts *p) {
    for (uint32_t i = 0; i < p->count; i++) buf_free(&p->parts[i]);
    mem_free(p->parts);
    buf_free(&p->open);
    zip_free(&p->zip);
    *p = (KeepParts){0};
}

Err keep_unpack(Zip *z, const StoreKeep *k, uint32_t part, Str blob, WorldPageFn fn, void *ctx) {
    Buf bytes = {0};
    Err err = blob_unpack(z, part_id(k->world, k->seq, part), blob, &bytes);
    for (Cut c = cut_of(buf_str(&bytes)); !err && c.p < c.end;) {
        uint64_t vec = cut_varint(&c), page_no = cut_varint(&c), size = cut_varint(&c);
        Str page = cut_bytes(&c, size <= INT64_MAX ? (int64_t)size : -1);
        err = c.bad || vec > UINT32_MAX ? ERR_CORRUPT : fn(ctx, (uint32_t)vec, page_no, page);
    }
    buf_free(&bytes);
    return err;
}

// ---- reading ------------------------------------------------------------------------------------------------------

typedef struct Heads {
    bool (*fn)(void *ctx, const StoreKeep *k);
    void *ctx;
    bool bad;
} Heads;

static bool take_head(void *ctx, Str key, Str value) {
    Heads *x = ctx;
    StoreKeep k;
    x->bad = !keep_decode(key, value, &k);
    return !x->bad && x->fn(x->ctx, &k);
}

Err store_keeps(StoreReader *r, bool (*fn)(void *ctx, const StoreKeep *k), void *ctx) {
    Heads x = {fn, ctx, false};
    TRY(store_reader_items(r, KEEP_KIND, (Str){0}, take_head, &x));
    return x.bad ? ERR_CORRUPT : ERR_OK;
}

typedef struct Loading {
    const StoreKeep *k;
    World *w;
    Zip zip;
    uint32_t next;
    Buf key;
    Err err;
    bool there; // the head
} Loading;

static bool see_head(void *ctx, Str key, Str value) {
    Loading *x = ctx;
    StoreKeep k;
    x->there = keep_decode(key, value, &k) && k.world == x->k->world && k.seq == x->k->seq && k.whole;
    return false;
}

static Err put_page(void *ctx, uint32_t vec, uint64_t page_no, Str bytes) {
    return world_pages_put(((Loading *)ctx)->w, vec, page_no, bytes);
}

static bool take_part(void *ctx, Str key, Str value) {
    Loading *x = ctx;
    buf_reset(&x->key);
    keep_part_key(x->k, x->next, &x->key);
    if (!str_eq(key, buf_str(&x->key))) return false; // what is missing is seen by the count
    x->err = keep_unpack(&x->zip, x->k, x->next++, value, put_page, x);
    return !x->err && x->next < x->k->parts;
}

// The key before the first of those that begin with `key`.
static Str before(Buf *key) {
    key->p[key->n - 1]--; // a digit, never the least character
    return buf_str(key);
}

Err store_keep_load(StoreReader *r, const StoreKeep *k, World *w) {
    Loading x = {.k = k, .w = w};
    Buf key = {0}, value = {0}, from = {0};
    keep_encode(k, &key, &value);
    keep_part_key(k, 0, &from);
    Err err = store_reader_items(r, KEEP_KIND, before(&key), see_head, &x);
    if (!err && !x.there) err = ERR_GONE;
    if (!err && k->parts) err = store_reader_items(r, KEEP_PART_KIND, before(&from), take_part, &x);
    if (!err) err = x.err;
    if (!err && x.next < k->parts) err = ERR_CORRUPT;
    zip_free(&x.zip);
    buf_free(&x.key);
    buf_free(&key);
    buf_free(&value);
    buf_free(&from);
    return err;
}
