// SPDX-License-Identifier: Apache-2.0
// Heads and outcomes as bytes of items, and back. What comes from a file may be damaged: every count is checked against
// the bytes that are left before anything is made of it.
#include <math.h>
#include "base/mem.h"
#include "engine/ensemble_outcome.h"
#include "world/batch.h"

#define HEAD_VERSION 1
#define OUTCOME_VERSION 2 // 1: courses with the first bands only

static void put_text(Buf *b, Str s) {
    buf_varint(b, (uint64_t)s.n);
    buf_str_put(b, s);
}

static void put_int(Buf *b, int64_t v) { buf_varint_signed(b, v); }

static void put_double(Buf *b, double d) { buf_u64(b, bits_of(d)); }

static void put_texts(Buf *b, const Str *list, int32_t n) {
    put_int(b, n);
    for (int32_t i = 0; i < n; i++) put_text(b, list[i]);
}

static Str cut_text(Cut *c, Arena *a) {
    uint64_t n = cut_varint(c);
    if (n > (uint64_t)(c->end - c->p)) c->bad = true;
    return c->bad ? (Str){0} : arena_str(a, cut_bytes(c, (int64_t)n));
}

// A count of things of at least `least` bytes each.
static int32_t cut_count(Cut *c, int64_t least) {
    int64_t n = cut_varint_signed(c);
    if (n < 0 || n > (c->end - c->p) / least) c->bad = true;
    return c->bad ? 0 : (int32_t)n;
}

static int32_t cut_within(Cut *c, int64_t from, int64_t to) {
    int64_t v = cut_varint_signed(c);
    if (v < from || v > to) c->bad = true;
    return c->bad ? 0 : (int32_t)v;
}

static Str *cut_texts(Cut *c, Arena *a, int32_t *count) {
    *count = cut_count(c, 1);
    Str *list = NEW(a, Str, *count + 1);
    for (int32_t i = 0; i < *count; i++) list[i] = cut_text(c, a);
    return list;
}

static double cut_double(Cut *c) { return double_of(cut_u64(c)); }

// ---- the head -----------------------------------------------------------------------------------------------------

void ensemble_head_encode(const EnsembleHead *h, Buf *b) {
    buf_byte(b, HEAD_VERSION);
    buf_varint(b, h->id);
    const Str texts[] = {h->title, h->about, h->whatif, h->why, h->sentence};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) put_text(b, texts[i]);
    put_int(b, h->world_count);
    for (int32_t i = 0; i < h->world_count; i++) {
        put_text(b, h->worlds[i].name);
        buf_varint(b, h->worlds[i].number);
    }
    const int64_t numbers[] = {h->state, h->err,          h->begun_ns,   h->spent_ns,  h->begin_ns, h->for_ns,
                               h->goal,  h->replications, h->case_count, h->kpi_count, h->bytes};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) put_int(b, numbers[i]);
    buf_varint(b, h->seed);
    put_double(b, h->level);
    put_texts(b, h->names, h->name_count);
    put_texts(b, h->texts, h->text_count);
}

bool ensemble_head_decode(Arena *a, Str bytes, EnsembleHead *h) {
    Cut c = cut_of(bytes);
    *h = (EnsembleHead){0};
    if (cut_byte(&c) != HEAD_VERSION) return false;
    h->id = cut_varint(&c);
    Str *const texts[] = {&h->title, &h->about, &h->whatif, &h->why, &h->sentence};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = cut_text(&c, a);
    h->world_count = cut_count(&c, 2);
    if (h->world_count < 1) c.bad = true;
    h->worlds = NEW(a, EnsembleWorld, h->world_count + 1);
    for (int32_t i = 0; i < h->world_count; i++) {
        h->worlds[i].name = cut_text(&c, a);
        h->worlds[i].number = cut_varint(&c);
    }
    h->state = (EnsembleState)cut_within(&c, 0, ENSEMBLE_FAILED);
    h->err = (Err)cut_within(&c, 0, SOSIA_ERR_COUNT - 1);
    int64_t *const times[] = {&h->begun_ns, &h->spent_ns, &h->begin_ns, &h->for_ns};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) *times[i] = cut_varint_signed(&c);
    h->goal = cut_within(&c, 0, ENSEMBLE_REPLICATIONS_MAX);
    h->replications = cut_within(&c, 0, ENSEMBLE_REPLICATIONS_MAX);
    h->case_count = cut_within(&c, 0, ENSEMBLE_CASES_MAX);
    h->kpi_count = cut_within(&c, 0, ENSEMBLE_CELLS_MAX);
    h->bytes = cut_varint_signed(&c);
    h->seed = cut_varint(&c);
    h->level = cut_double(&c);
    h->names = cut_texts(&c, a, &h->name_count);
    h->texts = cut_texts(&c, a, &h->text_count);
    int64_t until;
    bool in_time = h->for_ns >= 0 && !__builtin_add_overflow(h->begin_ns, h->for_ns, &until);
    return !c.bad && c.p == c.end && in_time && h->level > 0 && h->level < 1;
}

static bool in_name(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-';
}

// Does the id stand in a text as a word of its own?
static bool mentions(Str text, Str twin) {
    for (int64_t from = 0; twin.n && from + twin.n <= text.n;) {
        int64_t at = str_find_str(str_sub(text, from, text.n), twin);
        if (at < 0) return false;
        at += from;
        bool begins = !at || !in_name(text.p[at - 1]);
        bool ends = at + twin.n == text.n || !in_name(text.p[at + twin.n]);
        if (begins && ends) return true;
        from = at + 1;
    }
    return false;
}

bool ensemble_head_names(const EnsembleHead *h, Str twin) {
    for (int32_t i = 0; i < h->name_count; i++)
        if (str_eq(h->names[i], twin)) return true;
    for (int32_t i = 0; i < h->text_count; i++)
        if (mentions(h->texts[i], twin)) return true;
    return false;
}

// ---- the outcome --------------------------------------------------------------------------------------------------

#define STAT_DOUBLES 10

static void put_stat(Buf *b, const EnsembleStat *x) {
    const double all[STAT_DOUBLES] = {x->mean, x->half, x->sd,  x->min, x->p05,
                                      x->p50,  x->p95,  x->max, x->by,  x->by_half};
    buf_varint(b, x->n);
    buf_varint(b, x->pairs);
    for (size_t i = 0; i < STAT_DOUBLES; i++) put_double(b, all[i]);
}

static void put_cases(Buf *b, const EnsembleOutcome *o) {
    put_int(b, o->case_count);
    for (int32_t i = 0; i < o->case_count; i++) {
        put_text(b, o->cases[i].name);
        put_text(b, o->cases[i].world);
        put_int(b, o->cases[i].changes);
        put_texts(b, o->cases[i].told, o->cases[i].told_count);
    }
}

static void put_kpis(Buf *b, const EnsembleOutcome *o) {
    put_int(b, o->kpi_count);
    for (int32_t i = 0; i < o->kpi_count; i++) {
        const EnsembleKpi *k = &o->kpis[i];
        const Str texts[] = {k->name, k->title, k->unit, k->of, k->why};
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) put_text(b, texts[t]);
        put_int(b, k->over);
        put_int(b, k->better);
        for (int32_t c = 0; c < o->case_count; c++) put_stat(b, &k->cases[c]);
    }
}

static void put_axes(Buf *b, const EnsembleOutcome *o) {
    put_int(b, o->grid_from);
    put_int(b, o->axis_count);
    for (int32_t i = 0; i < o->axis_count; i++) {
        put_text(b, o->axes[i].twin);
        put_text(b, o->axes[i].property);
        put_text(b, o->axes[i].name);
        put_texts(b, o->axes[i].values, o->axes[i].count);
        for (int32_t k = 0; k < o->axes[i].count; k++) put_double(b, o->axes[i].numbers[k]);
    }
}

static void put_series(Buf *b, const EnsembleOutcome *o) {
    put_int(b, o->instants);
    for (int32_t i = 0; i < o->instants; i++) put_int(b, o->times[i] - (i ? o->times[i - 1] : 0));
    put_int(b, o->series_count);
    for (int32_t i = 0; i < o->series_count; i++) {
        const EnsembleSeries *x = &o->series[i];
        put_int(b, x->kpi);
        put_text(b, x->twin);
        put_text(b, x->property);
        put_text(b, x->unit);
        for (int64_t k = 0; k < (int64_t)o->instants * BANDS * o->case_count; k++) {
            uint32_t bits;
            memcpy(&bits, &x->bands[k], sizeof bits);
            buf_u32(b, bits);
        }
    }
}

void ensemble_outcome_encode(const EnsembleOutcome *o, Buf *b) {
    buf_byte(b, OUTCOME_VERSION);
    put_cases(b, o);
    put_kpis(b, o);
    put_axes(b, o);
    put_series(b, o);
    put_int(b, o->ends ? o->replications : 0);
    for (int64_t i = 0; o->ends && i < (int64_t)o->kpi_count * o->case_count * o->replications; i++)
        put_double(b, o->ends[i]);
}

static void cut_cases(Cut *c, EnsembleOutcome *o) {
    o->case_count = cut_count(c, 4);
    if (o->case_count < 1 || o->case_count > ENSEMBLE_CASES_MAX) c->bad = true;
    if (c->bad) return;
    o->cases = NEW(&o->keep, EnsembleCaseTold, o->case_count);
    for (int32_t i = 0; i < o->case_count; i++) {
        EnsembleCaseTold *x = &o->cases[i];
        x->name = cut_text(c, &o->keep);
        x->world = cut_text(c, &o->keep);
        x->changes = cut_within(c, 0, INT32_MAX);
        x->told = cut_texts(c, &o->keep, &x->told_count);
    }
}

static void cut_stat(Cut *c, EnsembleStat *x) {
    double all[STAT_DOUBLES];
    x->n = cut_varint(c);
    x->pairs = cut_varint(c);
    for (size_t i = 0; i < STAT_DOUBLES; i++) all[i] = cut_double(c);
    *x = (EnsembleStat){x->n, all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7], x->pairs, all[8], all[9]};
}

static void cut_kpis(Cut *c, EnsembleOutcome *o) {
    o->kpi_count = cut_count(c, 7 + (8 * STAT_DOUBLES + 2) * (int64_t)o->case_count);
    o->kpis = NEW(&o->keep, EnsembleKpi, o->kpi_count + 1);
    for (int32_t i = 0; i < o->kpi_count; i++) {
        EnsembleKpi *k = &o->kpis[i];
        Str *const texts[] = {&k->name, &k->title, &k->unit, &k->of, &k->why};
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) *texts[t] = cut_text(c, &o->keep);
        k->over = cut_within(c, KPI_LAST, KPI_INTEGRAL);
        k->better = cut_within(c, -1, 1);
        k->cases = NEW(&o->keep, EnsembleStat, o->case_count);
        for (int32_t s = 0; s < o->case_count; s++) cut_stat(c, &k->cases[s]);
    }
}

// The grid of the axes is that of the cases behind grid_from.
static void cut_axes(Cut *c, EnsembleOutcome *o) {
    int64_t cells = 1;
    o->grid_from = cut_within(c, 0, o->case_count);
    o->axis_count = cut_within(c, 0, ENSEMBLE_AXES_MAX);
    o->axes = NEW(&o->keep, EnsembleAxisTold, o->axis_count + 1);
    for (int32_t i = 0; i < o->axis_count; i++) {
        EnsembleAxisTold *x = &o->axes[i];
        x->twin = cut_text(c, &o->keep);
        x->property = cut_text(c, &o->keep);
        x->name = cut_text(c, &o->keep);
        x->values = cut_texts(c, &o->keep, &x->count);
        if (x->count > ENSEMBLE_CASES_MAX) c->bad = true;
        x->numbers = NEW(&o->keep, double, c->bad ? 1 : x->count + 1);
        for (int32_t k = 0; !c->bad && k < x->count; k++) x->numbers[k] = cut_double(c);
        cells = c->bad ? 0 : cells * x->count;
        if (cells > ENSEMBLE_CASES_MAX) c->bad = true;
    }
    if (o->axis_count && cells != o->case_count - o->grid_from) c->bad = true;
}

// Courses as files have them, `kept` bands a case; those that a file of before has not are not known.
static float *cut_bands(Cut *c, EnsembleOutcome *o, int64_t kept) {
    int64_t each = (int64_t)o->instants * BANDS, all = each * o->case_count;
    float *bands = NEW(&o->keep, float, all + 1);
    for (int64_t k = 0; !c->bad && k < all; k++) {
        bands[k] = NAN;
        if (k % each >= kept * o->instants) continue;
        uint32_t bits = cut_u32(c);
        memcpy(&bands[k], &bits, sizeof bits);
    }
    return bands;
}

static void cut_series(Cut *c, EnsembleOutcome *o, int64_t kept) {
    o->instants = cut_count(c, 1);
    o->times = NEW(&o->keep, int64_t, o->instants + 1);
    for (int32_t i = 0; i < o->instants; i++) { // they ascend, from 0 on
        int64_t before = i ? o->times[i - 1] : 0, by = cut_varint_signed(c);
        if (by < 0 || __builtin_add_overflow(before, by, &o->times[i])) c->bad = true;
    }
    o->series_count = cut_count(c, 4 + 4 * (int64_t)o->instants * kept * o->case_count);
    o->series = NEW(&o->keep, EnsembleSeries, o->series_count + 1);
    for (int32_t i = 0; i < o->series_count; i++) {
        EnsembleSeries *x = &o->series[i];
        x->kpi = cut_within(c, -1, o->kpi_count - 1);
        x->twin = cut_text(c, &o->keep);
        x->property = cut_text(c, &o->keep);
        x->unit = cut_text(c, &o->keep);
        x->bands = cut_bands(c, o, kept);
    }
}

static void cut_ends(Cut *c, EnsembleOutcome *o) {
    o->replications = cut_within(c, 0, ENSEMBLE_REPLICATIONS_MAX);
    int64_t n = (int64_t)o->kpi_count * o->case_count * o->replications;
    if (n > (c->end - c->p) / 8) c->bad = true;
    if (c->bad || !o->replications) return;
    o->ends = NEW(&o->keep, double, n + 1);
    for (int64_t i = 0; i < n; i++) o->ends[i] = cut_double(c);
}

EnsembleOutcome *ensemble_outcome_decode(Str bytes) {
    Cut c = cut_of(bytes);
    uint8_t version = cut_byte(&c);
    if (version < 1 || version > OUTCOME_VERSION) return NULL;
    EnsembleOutcome *o = mem_alloc(sizeof *o);
    arena_init(&o->keep, 0);
    cut_cases(&c, o);
    if (!c.bad) cut_kpis(&c, o);
    if (!c.bad) cut_axes(&c, o);
    if (!c.bad) cut_series(&c, o, version == 1 ? BANDS_FIRST : BANDS);
    if (!c.bad) cut_ends(&c, o);
    if (!c.bad && c.p == c.end) return o;
    ensemble_outcome_free(o);
    return NULL;
}
