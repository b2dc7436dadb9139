// SPDX-License-Identifier: Apache-2.0
// What the tests of history in the store share: a rig that keeps one, and rows.
#pragma once
#include <sys/stat.h>
#include "base/check.h"
#include "base/time.h"
#include "store/test_rig.h"

// It keeps one, and may not fail.
static Rig *keeping(void **state) {
    Rig *r = *state;
    r->replays = r->sound = true;
    return r;
}

// Rigs that keep a history; a store that fails ends the test.
KIT int setup_history(void **state) { return setup(state) || !keeping(state); }
// The same on the real disk.
KIT int setup_real_history(void **state) { return setup_real(state) || !keeping(state); }

// ---- putting ------------------------------------------------------------------------------------------------------

typedef struct Told {
    atomic_int ok, refused;
    char why[200];
} Told;

// The answer to a put.
KIT void told(void *arg, Err err, const char *why) {
    Told *t = arg;
    if (err == ERR_OK) assert_null(why);
    else snprintf(t->why, sizeof t->why, "%s", why);
    atomic_fetch_add(err == ERR_OK ? &t->ok : &t->refused, 1);
}

// Put one block, and wait for the answer.
KIT void put_one(Store *s, const StoreHistory *h, Told *t) {
    assert_int_equal(store_history_put(s, &(StoreHistoryPut){.rows = h, .row_count = 1}, told, t), ERR_OK);
}

// A block whose bytes tell its numbers.
KIT StoreHistory block(uint64_t lane, uint64_t page, uint64_t first, uint64_t last, char *text, size_t n) {
    int len = snprintf(text, n, "lane %llu page %llu first %llu", (unsigned long long)lane, (unsigned long long)page,
                       (unsigned long long)first);
    return (StoreHistory){.lane = lane,
                          .page = page,
                          .first = first,
                          .last = last,
                          .t0 = (int64_t)first * 1000,
                          .t1 = (int64_t)last * 1000,
                          .s0 = (int64_t)first * 1000,
                          .s1 = (int64_t)last * 1000,
                          .points = (int64_t)(last - first + 1),
                          .bytes = {text, len}};
}

// ---- looking -----------------------------------------------------------------------------------------------------

// The same but for its bytes.
KIT bool same_row(const StoreHistory *a, const StoreHistory *b) {
    return a->lane == b->lane && a->page == b->page && a->tier == b->tier && a->first == b->first &&
           a->last == b->last && a->t0 == b->t0 && a->t1 == b->t1 && a->s0 == b->s0 && a->s1 == b->s1 &&
           a->points == b->points && a->late == b->late && a->start == b->start;
}

// Counts.
KIT bool count_row(void *ctx, const StoreHistory *h) {
    (void)h;
    ++*(int64_t *)ctx;
    return true;
}

// Blocks of a page of a lane; -1: they cannot be read.
KIT int64_t rows_of(Store *s, uint64_t lane, uint64_t page) {
    StoreReader *r;
    int64_t n = 0;
    StoreHistoryAsk ask = {.lane = lane, .page = page, .bytes = true, .from = INT64_MIN, .to = INT64_MAX};
    assert_int_equal(store_reader_begin(s, &r), ERR_OK);
    Err e = store_history_rows(r, &ask, count_row, &n);
    store_reader_end(r);
    return e == ERR_OK ? n : -1;
}
