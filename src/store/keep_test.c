// SPDX-License-Identifier: Apache-2.0
// Checkpoints of worlds beside live, as bytes: what is packed comes back; what is damaged is told; there is a limit.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/rng.h"
#include "store/keep.h"

// A world with a model log of documents, so that it has texts.
static World *scene(Domain *d, int documents) {
    static const char hex[] = "0123456789abcdef";
    World *w = world_new(d, 1 << 16);
    Rng r = rng_make(1, 0);
    for (int i = 0; i < documents; i++) {
        Buf text = {0};
        char name[2000];
        for (size_t n = 0; n < sizeof name; n++) name[n] = hex[rng_below(&r, 16)];
        buf_printf(&text, "notes");
        buf_byte(&text, 0);
        buf_printf(&text, "note-%d", i);
        buf_byte(&text, 0);
        buf_put(&text, name, sizeof name);
        world_begin(w, (uint64_t)i + 1, 1000 * (i + 1));
        assert_int_equal(world_do(w, &(Change){.kind = CHANGE_DOC, .text = buf_str(&text)}), ERR_OK);
        world_end(w);
        world_settle(w, (uint64_t)i + 1);
        buf_free(&text);
    }
    return w;
}

static Err put(void *ctx, uint32_t vec, uint64_t page_no, Str bytes) {
    return world_pages_put(ctx, vec, page_no, bytes);
}

static Err load(Domain *d, const KeepParts *p, World **out) {
    StoreKeep k = {.world = p->world, .seq = p->seq, .parts = p->count};
    Zip z = {0};
    Err err = ERR_OK;
    World *w = world_new(d, 0);
    for (uint32_t i = 0; i < p->count && !err; i++) err = keep_unpack(&z, &k, i, buf_str(&p->parts[i]), put, w);
    if (!err) err = world_pages_end(w);
    zip_free(&z);
    if (err) world_free(w);
    else *out = w;
    return err;
}

static void there_and_back(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = scene(d, 700), *f = world_fork(w, 0), *again;
    KeepParts p, q;
    assert_int_equal(keep_pack(f, 0, 5, 0, &p), ERR_OK);
    assert_true(p.count > 1); // more than fits into one part
    assert_int_equal(load(d, &p, &again), ERR_OK);
    assert_int_equal(world_seq(again), world_seq(w));
    assert_int_equal(world_time(again), world_time(w));
    assert_int_equal(keep_pack(again, 0, 5, 0, &q), ERR_OK);
    assert_int_equal(q.count, p.count);
    for (uint32_t i = 0; i < p.count; i++) assert_true(str_eq(buf_str(&p.parts[i]), buf_str(&q.parts[i])));
    world_free(again);
    keep_parts_free(&q);
    assert_int_equal(keep_pack(f, 0, 5, p.packed - 1, &q), ERR_LIMIT);
    keep_parts_free(&q);
    assert_int_equal(keep_pack(f, world_born(f), 5, 0, &q), ERR_OK); // nothing of its own
    assert_int_equal(q.count, 0);
    keep_parts_free(&q);
    keep_parts_free(&p);
    world_free(f);
    world_free(w);
    domain_free(d);
}

// Each byte is covered: whatever is changed, it is no checkpoint any more.
static void damaged(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = scene(d, 3), *f = world_fork(w, 0), *again;
    KeepParts p;
    assert_int_equal(keep_pack(f, 0, 5, 0, &p), ERR_OK);
    assert_int_equal(p.count, 1);
    for (int64_t i = 0; i < p.parts[0].n; i += 7) {
        p.parts[0].p[i] ^= 0x10;
        assert_int_equal(load(d, &p, &again), ERR_CORRUPT);
        p.parts[0].p[i] ^= 0x10;
    }
    p.seq++; // of another sequence
    assert_int_equal(load(d, &p, &again), ERR_CORRUPT);
    p.seq--;
    p.count = 0;
    assert_int_equal(load(d, &p, &again), ERR_CORRUPT); // no page at all
    p.count = 1;
    keep_parts_free(&p);
    world_free(f);
    world_free(w);
    domain_free(d);
}

static void heads(void **state) {
    (void)state;
    StoreKeep k = {.world = 0xabc,
                   .seq = UINT64_MAX,
                   .whole = true,
                   .parts = 77,
                   .pages = 1,
                   .bytes = 2,
                   .packed = 3,
                   .batches = 4,
                   .batch_bytes = 5,
                   .foreign = 6},
              x;
    Buf key = {0}, value = {0};
    keep_encode(&k, &key, &value);
    assert_true(keep_decode(buf_str(&key), buf_str(&value), &x));
    assert_true(x.world == k.world && x.seq == k.seq && x.whole && x.parts == 77 && x.pages == 1 && x.bytes == 2);
    assert_true(x.packed == 3 && x.batches == 4 && x.batch_bytes == 5 && x.foreign == 6);
    for (int64_t n = 0; n < value.n; n++) assert_false(keep_decode(buf_str(&key), (Str){value.p, n}, &x));
    assert_false(keep_decode(STR("nonsense"), buf_str(&value), &x));
    key.p[3] = 'g';
    assert_false(keep_decode(buf_str(&key), buf_str(&value), &x));
    buf_free(&key);
    buf_free(&value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(damaged),
        cmocka_unit_test(heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
