// SPDX-License-Identifier: Apache-2.0
// History blocks: what goes in comes out, bit for bit, whole or by rows; damaged bytes are told.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "codec/hblock_inner.h"

#define SECOND 1000000000LL
#define T0 1700000000000000000LL

typedef struct Made {
    HBlockIn in;
    HBatch *batches;
    HPoint *points;
    HState *start;
    Arena keep;
} Made;

// ---- making --------------------------------------------------------------------------------------------------------

static uint64_t bits_of(double d) {
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
}

static const Str SOURCES[] = {{"mqtt:plant", 10}, {"api", 3}, {"", 0}};

// Doubles that hurt.
static uint64_t nasty(Rng *g) {
    static const uint64_t LIST[] = {
        0,
        0x8000000000000000, // -0.0
        0x7ff0000000000000, // inf
        0xfff0000000000000,
        0x7ff8000000000000, // NaN
        0x7ff8000000000001,
        0xfff800000000dead,
        0x7ff0000000000001, // signalling
        1,                  // denormal
        0x000fffffffffffff,
        0x7fefffffffffffff, // largest
        0x4340000000000000, // 2^53
        0x4330000000000001,
        0xc3e0000000000000, // -2^63
        0x3ff0000000000001,
        0x3fb999999999999a, // 0.1
        0x3fb999999999999b, // not 0.1
    };
    return rng_below(g, 3) ? LIST[rng_below(g, sizeof LIST / sizeof *LIST)] : rng_u64(g);
}

enum { SHAPE_KINDS = 13 };

// One of some values with all their digits.
static uint64_t few(uint64_t i) { return bits_of((double)(i * i + 1) / 7); }

static uint64_t number(Rng *g, int shape, int64_t i, double *level) {
    switch (shape) {
    case 0: *level += rng_normal(g) * 3; return bits_of((double)(int64_t)(*level) / 100);
    case 1: return bits_of((double)(int64_t)(rng_normal(g) * 1000) / 1000);
    case 2: return bits_of(rng_normal(g));
    case 3: return bits_of((double)(float)((double)(int64_t)(rng_normal(g) * 1000) / 1000));
    case 4: return nasty(g);
    case 5: return rng_below(g, 20) ? bits_of(21.5) : bits_of((double)rng_below(g, 5));
    case 6: return rng_below(g, 5) ? bits_of((double)(i * 7)) : nasty(g);
    case 7: return bits_of((double)rng_below(g, 100) * 1e15 + 0.5);
    case 8: return bits_of((double)(int64_t)(rng_normal(g) * 1e9) / 1e11);
    case 9: *level += (double)(int64_t)(rng_normal(g) * 10) / 10; return bits_of(*level); // sums: off by a bit
    case 10: return few(rng_below(g, 40));                                                // again and again
    case 11: return bits_of((double)(100 + rng_below(g, 60)) * 0.1 * 3); // the same are off by the same
    default: return rng_below(g, 30) ? few(rng_below(g, 5)) : nasty(g);
    }
}

static uint64_t value_of(Rng *g, HCell cell, int shape, int64_t i, double *level) {
    if (cell == HCELL_BOOL) return rng_below(g, 2);
    if (cell == HCELL_F64) return number(g, shape, i, level);
    switch (shape) {
    case 0: return (uint64_t)i * 1000 + 17;
    case 1: return rng_u64(g);
    case 2: return rng_below(g, 2) ? UINT64_MAX : 0x8000000000000000;
    case 3: return 42;
    default: return (uint64_t)(int64_t)(rng_normal(g) * 1e6);
    }
}

static Str text_of(Rng *g, int shape, Arena *keep) {
    char all[4] = {0, (char)0xff, '\n', 'x'};
    switch (shape % 4) {
    case 0: return rng_below(g, 3) ? STR("running") : STR("");
    case 1: return arena_printf(keep, "{\"n\":%u}", rng_u32(g));
    case 2: return arena_str(keep, (Str){all, (int64_t)rng_below(g, 5)});
    default: return arena_printf(keep, "%0*d", (int)rng_below(g, 300) + 1, 7);
    }
}

static void make_point(Rng *g, Made *m, int shape, int64_t i, double *level, HPoint *p) {
    static const uint8_t OFTEN[] = {HPOINT_PUT,   HPOINT_PUT,    HPOINT_PUT,   HPOINT_PUT,
                                    HPOINT_CLEAR, HPOINT_SOURCE, HPOINT_MOVED, HPOINT_LATE};
    int64_t arrival = m->batches[p->batch].time;
    p->kind = shape % 2 ? HPOINT_PUT : OFTEN[rng_below(g, 8)];
    if (p->kind != HPOINT_CLEAR && shape % 3) p->source_time = arrival / 1000000 * 1000000 - 3000000;
    if (p->kind == HPOINT_LATE) p->source_time = arrival - (int64_t)rng_below(g, 1000) * SECOND;
    if (p->kind == HPOINT_SOURCE) p->source_time = (int64_t)rng_u64(g);
    if (p->kind == HPOINT_MOVED) p->update_time = arrival - 100 * (int64_t)rng_below(g, 1000);
    if (p->kind == HPOINT_CLEAR || p->kind == HPOINT_SOURCE) return;
    if (m->in.cell == HCELL_TEXT) p->text = text_of(g, shape, &m->keep);
    else p->bits = value_of(g, m->in.cell, shape, i, level);
}

static void make_batches(Rng *g, Made *m, int64_t n) {
    m->batches = NEW(&m->keep, HBatch, n);
    uint64_t seq = rng_below(g, 1000);
    int64_t time = T0;
    bool regular = rng_below(g, 2);
    for (int64_t i = 0; i < n; i++) {
        seq += regular ? 1 : 1 + rng_below(g, 50);
        time += regular ? SECOND : 100 * (1 + (int64_t)rng_below(g, 100000));
        m->batches[i] = (HBatch){seq, time, (uint32_t)rng_below(g, regular ? 1 : 3)};
    }
    m->in.batches = m->batches;
    m->in.batch_count = n;
}

static void make_start(Rng *g, Made *m, int shape) {
    double level = 0;
    m->start = NEW(&m->keep, HState, HBLOCK_ROWS);
    for (int r = 0; r < HBLOCK_ROWS; r++) {
        HState *s = &m->start[r];
        if (rng_below(g, 4) == 0) continue;
        s->valid = true;
        s->update_time = T0 - (int64_t)rng_below(g, 3) * 100;
        if (shape % 2) s->source_time = T0 - 5 * SECOND;
        if (m->in.cell == HCELL_TEXT) s->text = text_of(g, shape, &m->keep);
        else s->bits = value_of(g, m->in.cell, shape, r, &level);
    }
    m->in.start = m->start;
}

// `rows` rows of up to `each` points.
static Made make(Rng *g, HCell cell, int rows, int each, bool start) {
    Made m = {.in = {.cell = cell, .sources = SOURCES, .source_count = 3}};
    int shape = (int)rng_below(g, SHAPE_KINDS);
    arena_init(&m.keep, 1 << 20);
    make_batches(g, &m, each);
    m.points = NEW(&m.keep, HPoint, (int64_t)rows * each);
    int first = (int)rng_below(g, (uint64_t)(HBLOCK_ROWS - rows + 1)), stride = (HBLOCK_ROWS - first) / rows;
    bool gaps = rng_below(g, 2);
    for (int r = 0; r < rows; r++) {
        double level = 1000;
        for (int i = 0; i < each; i++) {
            if (gaps && rng_below(g, 3) == 0) continue;
            HPoint *p = &m.points[m.in.count++];
            *p = (HPoint){.batch = (uint32_t)i, .row = (uint16_t)(first + r * stride)};
            make_point(g, &m, shape, i, &level, p);
        }
    }
    m.in.points = m.points;
    if (start) make_start(g, &m, shape);
    m.in.level = rng_below(g, 2) ? 3 : 0;
    return m;
}

// ---- comparing -----------------------------------------------------------------------------------------------------

static void same_point(const HPoint *a, const HPoint *b) {
    CHECK(a->batch == b->batch);
    CHECK(a->row == b->row);
    CHECK(a->kind == b->kind);
    CHECK(a->source_time == b->source_time);
    CHECK(a->update_time == b->update_time);
    CHECK(a->bits == b->bits);
    CHECK(str_eq(a->text, b->text));
}

static void same_state(const HState *a, const HState *b) {
    CHECK(a->valid == b->valid);
    CHECK(a->bits == b->bits);
    CHECK(str_eq(a->text, b->text));
    CHECK(a->update_time == b->update_time);
    CHECK(a->source_time == b->source_time);
}

static void check_rows(HWork *w, const HBlock *b, const Made *m, uint32_t first, uint32_t last) {
    Arena keep;
    const HPoint *p;
    int64_t n, at = 0;
    static HState start[HBLOCK_ROWS];
    memset(start, 0xee, sizeof start);
    arena_init(&keep, 0);
    CHECK(hblock_rows(w, b, first, last, &keep, &p, &n, start) == ERR_OK);
    while (at < m->in.count && m->points[at].row < first) at++;
    for (int64_t i = 0; i < n; i++) same_point(&p[i], &m->points[at + i]);
    CHECK(at + n == m->in.count || m->points[at + n].row > last);
    for (uint32_t r = first; r <= last && m->start; r++) same_state(&start[r], &m->start[r]);
    for (uint32_t r = first; r <= last && !m->start; r++) same_state(&start[r], &(HState){0});
    arena_free(&keep);
}

// States as of instants, by folding and by asking for some rows, of some of which a part is known already.
static void check_known(HWork *w, Rng *g, const HBlock *b, const Made *m) {
    static HState want[HBLOCK_ROWS], got[HBLOCK_ROWS];
    static uint8_t open[HBLOCK_ROWS], was[HBLOCK_ROWS], settled[HBLOCK_ROWS];
    for (int i = 0; i < 6; i++) {
        int64_t at = m->batches[rng_below(g, (uint64_t)m->in.batch_count)].time - (int64_t)rng_below(g, 2);
        uint64_t some = rng_below(g, 4);
        Arena keep;
        arena_init(&keep, 0);
        for (uint32_t r = 0; r < HBLOCK_ROWS; r++) {
            open[r] = was[r] = (uint8_t)(i == 0 ? HOPEN_ALL : some && rng_below(g, some) ? 0 : rng_below(g, 4));
            got[r] = (HState){.valid = true, .bits = r, .update_time = 5, .source_time = 7};
            want[r] = m->start ? m->start[r] : (HState){0};
            settled[r] = m->start ? HOPEN_ALL : 0;
        }
        for (int64_t k = 0; k < m->in.count; k++) {
            const HPoint *p = &m->points[k];
            if (m->batches[p->batch].time > at) continue;
            hstate_apply(&want[p->row], p, m->batches[p->batch].time);
            settled[p->row] |= hpoint_settles(p);
        }
        CHECK(hblock_known(w, b, at, &keep, open, got) == ERR_OK);
        for (uint32_t r = 0; r < HBLOCK_ROWS; r++) {
            uint8_t told = was[r] & settled[r];
            CHECK(open[r] == (was[r] & ~told));
            HState x = {.valid = true, .bits = r, .update_time = 5, .source_time = 7};
            hstate_fill(&x, told, &want[r]);
            same_state(&got[r], &x);
        }
        arena_free(&keep);
    }
}

// What hblock_each tells.
typedef struct Told {
    const HPoint *points; // what it should, those of wanted rows
    int64_t n, at;
} Told;

static void told(void *ctx, const HPoint *p, int64_t n) {
    Told *t = ctx;
    CHECK(n > 0 && n <= t->n - t->at);
    for (int64_t i = 0; i < n; i++) {
        same_point(&p[i], &t->points[t->at++]);
        CHECK(p[i].row == p[0].row);
    }
}

// Rows here and there.
static void check_pick(HWork *w, Rng *g, const HBlock *b, const Made *m) {
    static HState start[HBLOCK_ROWS];
    uint8_t want[HBLOCK_ROWS];
    Arena keep;
    const HPoint *p;
    int64_t n, at = 0;
    uint64_t one_in = 1 + rng_below(g, 40);
    for (uint32_t r = 0; r < HBLOCK_ROWS; r++) want[r] = rng_below(g, one_in) == 0;
    arena_init(&keep, 0);
    CHECK(hblock_pick(w, b, want, &keep, &p, &n, start) == ERR_OK);
    for (int64_t i = 0; i < m->in.count; i++) {
        if (!want[m->points[i].row]) continue;
        CHECK(at < n);
        same_point(&p[at++], &m->points[i]);
    }
    CHECK(at == n);
    for (uint32_t r = 0; r < HBLOCK_ROWS; r++)
        if (want[r]) same_state(&start[r], m->start ? &m->start[r] : &(HState){0});
    memset(start, 0xee, sizeof start);
    Told t = {.points = p, .n = n};
    CHECK(hblock_each(w, b, want, &keep, &(HBlockEach){.fn = told, .ctx = &t, .start = start}) == ERR_OK);
    CHECK(t.at == n);
    for (uint32_t r = 0; r < HBLOCK_ROWS; r++)
        if (want[r]) same_state(&start[r], m->start ? &m->start[r] : &(HState){0});
    arena_free(&keep);
}

static int64_t kept_bytes; // of frames that stayed decoded in all tests

static void check_head(const HBlock *b, const Made *m) {
    CHECK(b->cell == m->in.cell);
    CHECK(b->count == m->in.count);
    CHECK(b->has_start == (m->start != NULL));
    CHECK(b->batch_count == m->in.batch_count);
    for (int64_t i = 0; i < b->batch_count; i++) {
        CHECK(b->batches[i].seq == m->batches[i].seq);
        CHECK(b->batches[i].time == m->batches[i].time);
        CHECK(b->batches[i].source == m->batches[i].source);
    }
    CHECK(b->source_count == m->in.source_count);
    for (int64_t i = 0; i < b->source_count; i++) CHECK(str_eq(b->sources[i], m->in.sources[i]));
}

static Err read_frame(void *ctx, const HBlock *b, int64_t at, int64_t n, char *to) {
    const Str *bytes = ctx;
    CHECK(b->size == bytes->n && at >= b->bytes.n && at + n <= bytes->n);
    memcpy(to, bytes->p + at, (size_t)n);
    return ERR_OK;
}

// With frames that stay decoded and without, with frames that are read when they are needed.
static void check_asked(HWork *w, Rng *g, Str bytes, const Made *m) {
    Arena keep;
    HBlock b;
    HKept *kept = NULL;
    arena_init(&keep, 0);
    CHECK(hblock_open(w, bytes, &keep, &b) == ERR_OK);
    hwork_reader(w, read_frame, &bytes);
    for (int i = 0; i < 4; i++) {
        if (m->in.batch_count) check_known(w, g, &b, m);
        check_pick(w, g, &b, m);
        check_rows(w, &b, m, 0, HBLOCK_ROWS - 2);
        if (kept) continue;
        int64_t size = hblock_head_size(str_sub(bytes, 0, bytes.n < 16 ? bytes.n : 16));
        CHECK(size > 0 && size <= bytes.n);
        CHECK(hblock_open_head(w, str_sub(bytes, 0, size), bytes.n, &keep, &b) == ERR_OK);
        b.kept = kept = hkept_new(&b);
    }
    kept_bytes += hkept_bytes(kept) - bytes.n;
    hkept_free(kept);
    arena_free(&keep);
}

// Encode, open, read all, read some rows, verify. Returns the size.
static int64_t round_trip(HWork *w, Rng *g, const Made *m) {
    Buf out = {0}, again = {0}, why = {0};
    Arena keep;
    HBlock b;
    arena_init(&keep, 0);
    buf_put(&out, "x", 1); // it is appended
    hblock_encode(w, &m->in, &out);
    CHECK(!out.full);
    hblock_encode(w, &m->in, &again);
    Str bytes = str_sub(buf_str(&out), 1, out.n);
    CHECK(str_eq(bytes, buf_str(&again))); // the same bytes again
    CHECK(hblock_open(w, bytes, &keep, &b) == ERR_OK);
    check_head(&b, m);
    check_rows(w, &b, m, 0, HBLOCK_ROWS - 1);
    for (int i = 0; i < 4; i++) {
        uint32_t first = (uint32_t)rng_below(g, HBLOCK_ROWS), more = (uint32_t)rng_below(g, HBLOCK_ROWS - first);
        check_rows(w, &b, m, first, first);
        check_rows(w, &b, m, first, first + more);
    }
    check_asked(w, g, bytes, m);
    if (m->in.count) check_rows(w, &b, m, m->points[m->in.count / 2].row, m->points[m->in.count / 2].row);
    CHECK(hblock_verify(w, bytes, &why) == ERR_OK);
    CHECK(why.n == 0);
    arena_free(&keep);
    int64_t n = bytes.n;
    buf_free(&out), buf_free(&again), buf_free(&why);
    return n;
}

// ---- tests ---------------------------------------------------------------------------------------------------------

static void any_points_come_back(void **state) {
    (void)state;
    HWork *w = hwork_new();
    for (uint64_t seed = 1; seed <= 300; seed++) {
        Rng g = rng_make(seed, 0);
        HCell cell = (HCell)(HCELL_F64 + rng_below(&g, 5));
        int rows = 1 + (int)rng_below(&g, rng_below(&g, 2) ? 5 : 1024);
        int each = 1 + (int)rng_below(&g, (uint64_t)(rows < 10 ? 2000 : rows < 100 ? 200 : 10));
        fprintf(stderr, "seed %llu cell %d rows %d each %d\n", (unsigned long long)seed, cell, rows, each);
        Made m = make(&g, cell, rows, each, rng_below(&g, 2));
        round_trip(w, &g, &m);
        arena_free(&m.keep);
    }
    assert_true(kept_bytes > 1000000); // of some of them
    hwork_free(w);
}

static void edges_come_back(void **state) {
    (void)state;
    static const struct { int rows, each; } SIZES[] = {{1, 1}, {1024, 1}, {1, 20000}, {3, 9000}, {2, 4096}, {1024, 9}};
    HWork *w = hwork_new();
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        for (int cell = HCELL_F64; cell <= HCELL_TEXT; cell++) {
            Rng g = rng_make(77 + i, (uint64_t)cell);
            Made m = make(&g, (HCell)cell, SIZES[i].rows, SIZES[i].each, cell % 2);
            round_trip(w, &g, &m);
            arena_free(&m.keep);
        }
    }
    hwork_free(w);
}

static void one_long_row_comes_back(void **state) {
    (void)state;
    HWork *w = hwork_new();
    for (int start = 0; start < 2; start++) {
        Rng g = rng_make(5, (uint64_t)start);
        Made m = make(&g, HCELL_F64, 1, 200000, start);
        round_trip(w, &g, &m);
        arena_free(&m.keep);
    }
    hwork_free(w);
}

static void a_block_without_points_keeps_its_start(void **state) {
    (void)state;
    HWork *w = hwork_new();
    for (int start = 0; start < 2; start++) {
        Rng g = rng_make(6, 0);
        Made m = make(&g, HCELL_F64, 1, 1, start);
        m.in.count = 0;
        m.in.batch_count = 0;
        round_trip(w, &g, &m);
        arena_free(&m.keep);
    }
    hwork_free(w);
}

static void nasty_doubles_come_back(void **state) {
    (void)state;
    HWork *w = hwork_new();
    Rng g = rng_make(9, 9);
    for (int round = 0; round < 60; round++) {
        Made m = make(&g, HCELL_F64, 3, 700, round % 2);
        for (int64_t i = 0; i < m.in.count; i++) { // decimals with more and more of the others between
            bool has = m.points[i].kind != HPOINT_CLEAR && m.points[i].kind != HPOINT_SOURCE;
            if (has && (int)rng_below(&g, 60) < round) m.points[i].bits = nasty(&g);
        }
        round_trip(w, &g, &m);
        arena_free(&m.keep);
    }
    hwork_free(w);
}

static void long_texts_are_cut_into_frames(void **state) {
    (void)state;
    HWork *w = hwork_new();
    Rng g = rng_make(11, 0);
    Made m = make(&g, HCELL_TEXT, 4, 40, true);
    for (int64_t i = 0; i < m.in.count; i++) {
        if (m.points[i].kind == HPOINT_CLEAR || m.points[i].kind == HPOINT_SOURCE) continue;
        char *p = NEW(&m.keep, char, 60000);
        for (int k = 0; k < 60000; k++) p[k] = (char)rng_u32(&g);
        m.points[i].text = (Str){p, 60000};
    }
    round_trip(w, &g, &m);
    arena_free(&m.keep);
    hwork_free(w);
}

// Every byte of a block damaged once, and the block cut everywhere: never a crash, CORRUPT or the same content.
static void damage_is_told(void **state) {
    (void)state;
    HWork *w = hwork_new();
    for (int cell = HCELL_F64; cell <= HCELL_TEXT; cell++) {
        Rng g = rng_make(13, (uint64_t)cell);
        Made m = make(&g, (HCell)cell, 20, 12, true);
        Buf out = {0}, why = {0};
        hblock_encode(w, &m.in, &out);
        for (int64_t i = 0; i < out.n; i++) {
            char was = out.p[i];
            out.p[i] = (char)(was ^ (1 << rng_below(&g, 8)));
            buf_reset(&why);
            CHECK(hblock_verify(w, buf_str(&out), &why) == ERR_CORRUPT);
            CHECK(why.n > 0);
            out.p[i] = was;
            char *cut = mem_alloc((size_t)i); // of its own: reads beyond are seen
            if (i) memcpy(cut, out.p, (size_t)i);
            CHECK(hblock_verify(w, (Str){cut, i}, &why) == ERR_CORRUPT);
            mem_free(cut);
        }
        buf_free(&out), buf_free(&why);
        arena_free(&m.keep);
    }
    hwork_free(w);
}

// Blocks as they were written then, by points made in the same way.
static void check_version(HWork *w, int version) {
    for (int cell = HCELL_F64; cell <= HCELL_TEXT; cell++) {
        Rng g = rng_make((uint64_t)version, (uint64_t)cell);
        Made m = make(&g, (HCell)cell, 20, 60, true);
        static char bytes[1 << 16];
        char path[64];
        HBlock b;
        snprintf(path, sizeof path, "fuzz/corpus/hblock/version-%d-%d", version, cell);
        FILE *f = fopen(path, "rb");
        CHECK(f);
        int64_t n = (int64_t)fread(bytes, 1, sizeof bytes, f) - 1; // the first byte is for the fuzzer
        fclose(f);
        CHECK(n > 100 && bytes[5] == version);
        CHECK(hblock_open(w, (Str){bytes + 1, n}, &m.keep, &b) == ERR_OK);
        check_head(&b, &m);
        check_rows(w, &b, &m, 0, HBLOCK_ROWS - 1);
        check_pick(w, &g, &b, &m);
        check_known(w, &g, &b, &m);
        arena_free(&m.keep);
    }
}

static void blocks_of_older_versions_are_read(void **state) {
    (void)state;
    HWork *w = hwork_new();
    for (int version = HBLOCK_VERSION_OLDEST; version < HBLOCK_VERSION; version++) check_version(w, version);
    hwork_free(w);
}

// A block of one row of n doubles, a second apart; returns its bytes for a point.
static double bytes_a_point(HWork *w, Rng *g, int64_t n, int shape) {
    Made m = {.in = {.cell = HCELL_F64, .sources = SOURCES, .source_count = 3, .level = 3}};
    double level = 1000;
    arena_init(&m.keep, 1 << 20);
    m.batches = NEW(&m.keep, HBatch, n);
    m.points = NEW(&m.keep, HPoint, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t time = T0 + i * SECOND;
        m.batches[i] = (HBatch){(uint64_t)i + 1, time + 1000 * (2000 + (int64_t)rng_below(g, 1000)), 0};
        m.points[i] = (HPoint){.batch = (uint32_t)i, .kind = HPOINT_PUT, .source_time = time};
        m.points[i].bits = number(g, shape, i, &level);
    }
    m.in.batches = m.batches;
    m.in.points = m.points;
    m.in.batch_count = m.in.count = n;
    double size = (double)round_trip(w, g, &m) / (double)n;
    arena_free(&m.keep);
    return size;
}

static void long_rows_take_little(void **state) {
    (void)state;
    HWork *w = hwork_new();
    Rng g = rng_make(21, 0);
    double arrivals = 10 / 8.0;                                         // 1,000 microseconds that are as likely
    CHECK(bytes_a_point(w, &g, 20000, 10) < arrivals + 5.33 / 8 + 0.1); // ranks of 40
    CHECK(bytes_a_point(w, &g, 20000, 11) < arrivals + 5.91 / 8 + 0.1); // 60, many of which are off by a bit
    CHECK(bytes_a_point(w, &g, 20000, 0) < arrivals + 3.64 / 8 + 0.1);  // a gauge that wanders, off by three or so
    hwork_free(w);
}

// Bytes of any distribution, in all lengths.
static void streams_come_back(void **state) {
    (void)state;
    HWork *w = hwork_new();
    w->level = 3;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        Rng g = rng_make(seed, 3);
        int64_t n = (int64_t)rng_below(&g, 5000) + 1;
        uint64_t kinds = 1 + rng_below(&g, rng_below(&g, 2) ? 4 : 256), rare = 1 + rng_below(&g, 300);
        uint8_t *bytes = mem_alloc((size_t)n);
        for (int64_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(rng_below(&g, rare) ? 255 - rng_below(&g, kinds) : (uint64_t)(i * i));
        Buf out = {0};
        stream_put(w, &out, bytes, n);
        for (int64_t size = 0; size <= out.n; size += size < 40 || size > out.n - 10 ? 1 : 97) {
            char *cut = mem_alloc((size_t)size); // of its own: reads beyond are seen
            if (size) memcpy(cut, out.p, (size_t)size);
            Cut c = cut_of((Str){cut, size}), past = c;
            Str got = stream_get_exact(w, &c, SLOT_SYMBOLS, n);
            stream_skip(&past);
            CHECK(c.bad == (size < out.n) && past.bad == c.bad);
            CHECK(c.bad || (c.p == c.end && past.p == c.end && memcmp(got.p, bytes, (size_t)n) == 0));
            mem_free(cut);
        }
        buf_free(&out);
        mem_free(bytes);
    }
    hwork_free(w);
}

// Residuals of all widths, taken and skipped in stretches; cut anywhere they are told to be bad.
static void residuals_come_back(void **state) {
    (void)state;
    HWork *w = hwork_new();
    for (uint64_t seed = 1; seed <= 300; seed++) {
        Rng g = rng_make(seed, 4);
        int64_t n = (int64_t)rng_below(&g, 1000) + 1;
        int most = (int)rng_below(&g, 65), least = (int)rng_below(&g, (uint64_t)most + 1);
        uint64_t *z = mem_alloc((size_t)n * 8);
        for (int64_t i = 0; i < n; i++) {
            int bits = i / 100 % 3 ? most : least;
            z[i] = bits ? rng_u64(&g) >> (64 - bits) : 0;
        }
        w->level = seed % 4 ? 1 : 3;
        w->in_head = seed % 3 == 0;
        Buf out = {0};
        residuals_put(w, &out, z, n, NULL, 0);
        for (int64_t size = out.n; size >= 0; size -= size > out.n - 3 ? 1 : 61) {
            char *cut = mem_alloc((size_t)size); // of its own: reads beyond are seen
            if (size) memcpy(cut, out.p, (size_t)size);
            Cut c = cut_of((Str){cut, size});
            Residuals r;
            residuals_open(&r, w, &c, n);
            for (int64_t at = 0; at < n && !c.bad;) {
                int64_t m = 1 + (int64_t)rng_below(&g, rng_below(&g, 2) ? 10 : 300);
                if (m > n - at) m = n - at;
                const uint64_t *got = rng_below(&g, 3) ? residuals_take(&r, m) : NULL;
                if (got) CHECK(memcmp(got, z + at, (size_t)m * 8) == 0);
                else if (!c.bad) residuals_skip(&r, m);
                at += m;
            }
            residuals_close(&r);
            CHECK(c.bad == (size < out.n) && (c.bad || c.p == c.end));
            mem_free(cut);
        }
        buf_free(&out);
        mem_free(z);
    }
    hwork_free(w);
}

// A few of many rows of sensors, as young blocks have them: what residuals are by widths for.
static void young_blocks_are_read_in_part(void **state) {
    (void)state;
    HWork *w = hwork_new();
    for (uint64_t seed = 1; seed <= 20; seed++) {
        Rng g = rng_make(seed, 5);
        Made m = {.in = {.cell = seed % 2 ? HCELL_F64 : HCELL_I64, .sources = SOURCES, .source_count = 3}};
        int64_t n = 6000, batches = 2000;
        arena_init(&m.keep, 1 << 20);
        make_batches(&g, &m, batches);
        m.points = NEW(&m.keep, HPoint, n);
        if (seed % 4 > 1) make_start(&g, &m, 0);
        uint64_t rows = 1 + rng_below(&g, HBLOCK_ROWS);
        for (int64_t i = 0; i < n; i++) {
            HPoint *p = &m.points[i];
            uint64_t row = (uint64_t)i * rows / (uint64_t)n, in_row = (uint64_t)n / rows + 1;
            bool same = i && row == p[-1].row;
            uint32_t least = same ? p[-1].batch : 0, step = (uint32_t)((uint64_t)batches / in_row);
            *p = (HPoint){.batch = least + (uint32_t)rng_below(&g, step ? step : 1), .row = (uint16_t)row};
            if (p->batch >= (uint64_t)batches) p->batch = (uint32_t)batches - 1;
            p->kind = HPOINT_PUT;
            p->source_time = m.batches[p->batch].time - (int64_t)rng_below(&g, 50) * 1000000;
            p->bits = seed % 2 ? bits_of((double)rng_below(&g, 300) / 100) : rng_below(&g, 1000);
        }
        m.in.points = m.points;
        m.in.start = m.start;
        m.in.count = n;
        CHECK(round_trip(w, &g, &m) < 7 * n);
        arena_free(&m.keep);
    }
    hwork_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_points_come_back),    cmocka_unit_test(edges_come_back),
        cmocka_unit_test(one_long_row_comes_back), cmocka_unit_test(a_block_without_points_keeps_its_start),
        cmocka_unit_test(nasty_doubles_come_back), cmocka_unit_test(long_texts_are_cut_into_frames),
        cmocka_unit_test(damage_is_told),          cmocka_unit_test(blocks_of_older_versions_are_read),
        cmocka_unit_test(residuals_come_back),     cmocka_unit_test(young_blocks_are_read_in_part),
        cmocka_unit_test(long_rows_take_little),   cmocka_unit_test(streams_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
