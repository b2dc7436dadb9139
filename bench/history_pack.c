// SPDX-License-Identifier: Apache-2.0
// history_pack POINTS [young]: what points come to as history blocks. POINTS is a CSV file, ascending by time:
//
//   cell,lane,row,time_ns,arrival_ns,value        cell: f64, i64, bool, text
//
// Points of one arrival are one batch. Each page of a lane becomes blocks of 131,072 points that know their start, as
// merging makes them; `young`: blocks of 4 points a row, 64 at least, as they are sealed first. Prints one JSON object:
// points, bytes, nanoseconds of processor time to encode and to decode a point (medians of some rounds).
#include <time.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "codec/csv.h"
#include "codec/hblock.h"

#define MERGED_POINTS 131072
#define YOUNG_ROW_POINTS 4
#define YOUNG_POINTS 64 // of a block at least
#define ROUNDS 5
#define LANES 256
#define PAGES 64

typedef struct Point {
    int64_t row, time, arrival;
    uint64_t bits, order;
    Str text;
} Point;

typedef struct Page {
    HCell cell;
    Point *p;
    int64_t n, cap;
} Page;

static Page pages[LANES][PAGES];
static Arena keep, scratch; // what was read; what is decoded, warm after the first round

static HCell cell_of(Str s) {
    static const char *const NAMES[] = {"f64", "i64", "bool", "word", "text"};
    for (int i = 0; i < 5; i++) {
        if (str_eq(s, str_of(NAMES[i]))) return (HCell)(HCELL_F64 + i);
    }
    CHECK(!"a cell of another kind");
}

static int64_t number(Str s) {
    int64_t v;
    CHECK(str_to_i64(s, &v));
    return v;
}

static void take(const CsvRow *row, uint64_t order) {
    CHECK(row->count == 6);
    int64_t lane = number(row->fields[1]), r = number(row->fields[2]);
    CHECK(lane < LANES && r >> 10 < PAGES);
    Page *g = &pages[lane][r >> 10];
    Point p = {.row = r & 1023, .time = number(row->fields[3]), .arrival = number(row->fields[4]), .order = order};
    g->cell = cell_of(row->fields[0]);
    if (g->cell == HCELL_TEXT) {
        p.text = arena_str(&keep, row->fields[5]);
    } else if (g->cell == HCELL_F64) {
        double d;
        CHECK(str_to_f64(row->fields[5], &d));
        memcpy(&p.bits, &d, 8);
    } else {
        p.bits = (uint64_t)number(row->fields[5]);
    }
    if (g->n == g->cap) g->p = mem_grow(g->p, (size_t)(g->cap = g->cap ? 2 * g->cap : 1024) * sizeof *g->p);
    g->p[g->n++] = p;
}

static void read_points(const char *path) {
    FILE *f = fopen(path, "rb");
    CHECK(f);
    CsvReader r;
    CsvRow row;
    CsvGot got;
    static char chunk[1 << 16];
    uint64_t order = 0;
    csv_reader_init(&r, NULL);
    do {
        size_t n = fread(chunk, 1, sizeof chunk, f);
        csv_reader_feed(&r, (Str){chunk, (int64_t)n}, n == 0);
        while ((got = csv_reader_next(&r, &row)) == CSV_ROW) take(&row, order++);
    } while (got == CSV_MORE);
    CHECK(got == CSV_END);
    csv_reader_free(&r);
    fclose(f);
}

static int by_row(const void *x, const void *y) {
    const Point *a = x, *b = y;
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

typedef struct Sum {
    int64_t points, bytes, blocks;
    double encode_ns, decode_ns;
} Sum;

// The block of points [from, to), and the state behind them.
static HBlockIn block_of(const Page *g, int64_t from, int64_t to, HState *state, bool start, Arena *a) {
    int64_t n = to - from;
    Point *p = NEW(a, Point, n);
    HPoint *points = NEW(a, HPoint, n);
    HBatch *batches = NEW(a, HBatch, n);
    HBlockIn in = {.cell = g->cell, .batches = batches, .points = points, .count = n};
    static const Str SOURCE = {"mqtt:plant", 10};
    in.sources = &SOURCE;
    in.source_count = 1;
    if (start) {
        HState *before = NEW(a, HState, HBLOCK_ROWS);
        memcpy(before, state, HBLOCK_ROWS * sizeof *state);
        in.start = before;
    }
    memcpy(p, g->p + from, (size_t)n * sizeof *p);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || p[i].arrival != batches[in.batch_count - 1].time) {
            batches[in.batch_count] = (HBatch){(uint64_t)(1000 + in.batch_count), p[i].arrival, 0};
            in.batch_count++;
        }
        p[i].arrival = in.batch_count - 1;
    }
    qsort(p, (size_t)n, sizeof *p, by_row);
    for (int64_t i = 0; i < n; i++) {
        points[i] = (HPoint){.batch = (uint32_t)p[i].arrival,
                             .row = (uint16_t)p[i].row,
                             .kind = HPOINT_PUT,
                             .source_time = p[i].time,
                             .bits = p[i].bits,
                             .text = p[i].text};
        hstate_apply(&state[p[i].row], &points[i], batches[p[i].arrival].time);
    }
    return in;
}

// Processor time of this thread: the peers' machine is busy at times.
static double cpu_ns(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(HWork *w, const HBlockIn *in, Sum *sum) {
    double encode[ROUNDS], decode[ROUNDS];
    Buf out = {0};
    for (int i = 0; i < ROUNDS; i++) {
        buf_reset(&out);
        double start = cpu_ns();
        hblock_encode(w, in, &out);
        encode[i] = cpu_ns() - start;
        CHECK(!out.full);
        HBlock b;
        const HPoint *p;
        int64_t n;
        arena_reset(&scratch);
        start = cpu_ns();
        CHECK(hblock_open(w, buf_str(&out), &scratch, &b) == ERR_OK);
        CHECK(hblock_rows(w, &b, 0, HBLOCK_ROWS - 1, &scratch, &p, &n, NULL) == ERR_OK);
        decode[i] = cpu_ns() - start;
        CHECK(n == in->count);
        for (int64_t k = 0; k < n; k++) CHECK(p[k].bits == in->points[k].bits);
    }
    sum->points += in->count;
    sum->bytes += out.n;
    sum->blocks++;
    sum->encode_ns += bench_median(encode, ROUNDS);
    sum->decode_ns += bench_median(decode, ROUNDS);
    buf_free(&out);
}

static int64_t rows_of(const Page *g) {
    uint8_t seen[HBLOCK_ROWS] = {0};
    int64_t n = 0;
    for (int64_t i = 0; i < g->n; i++) {
        n += !seen[g->p[i].row];
        seen[g->p[i].row] = 1;
    }
    return n;
}

static void pack(HWork *w, const Page *g, bool young, int level, Sum *sum) {
    int64_t each = young ? rows_of(g) * YOUNG_ROW_POINTS : MERGED_POINTS;
    if (each < YOUNG_POINTS) each = YOUNG_POINTS;
    HState *state = mem_alloc(HBLOCK_ROWS * sizeof *state);
    for (int64_t from = 0; from < g->n; from += each) {
        Arena a;
        arena_init(&a, 0);
        int64_t to = from + each < g->n ? from + each : g->n;
        HBlockIn in = block_of(g, from, to, state, !young, &a);
        in.level = level;
        measure(w, &in, sum);
        arena_free(&a);
    }
    mem_free(state);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    bool young = argc > 2 && str_eq(str_of(argv[2]), STR("young"));
    int level = argc > 3 ? (int)number(str_of(argv[3])) : young ? 1 : 3;
    HWork *w = hwork_new();
    Sum sum = {0};
    arena_init(&keep, 0);
    arena_init(&scratch, 16 << 20);
    read_points(argv[1]);
    for (int l = 0; l < LANES; l++) {
        for (int p = 0; p < PAGES; p++) {
            if (pages[l][p].n) pack(w, &pages[l][p], young, level, &sum);
            mem_free(pages[l][p].p);
        }
    }
    CHECK(sum.points > 0);
    printf("{\"points\":%lld,\"bytes\":%lld,\"blocks\":%lld,\"encode_ns\":%.4g,\"decode_ns\":%.4g}\n",
           (long long)sum.points, (long long)sum.bytes, (long long)sum.blocks, sum.encode_ns / (double)sum.points,
           sum.decode_ns / (double)sum.points);
    hwork_free(w);
    arena_free(&keep);
    arena_free(&scratch);
    return 0;
}
