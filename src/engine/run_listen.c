// SPDX-License-Identifier: Apache-2.0
// What others write to a world that runs: read from its feed, in one order with the batches of the run itself.
//
//   others  ----A-----------B---->     A becomes input of the Sim, and is not told: the world has it. Where a batch of
//   the run ------own----own----->     the run came behind A and wrote another value there, A is put again: it is later
//                                      news to the run than what the run knew when it wrote.
//
// So what was acknowledged to others stands, and a run never writes what it has only heard of: B would be lost if it
// came between A and that, and the run ended then.
#include "base/map.h"
#include "base/mem.h"
#include "engine/run_sim.h"

// The newest value that somebody else gave a cell.
typedef struct Word {
    Change c;
    bool over; // the run wrote another one behind it
} Word;

typedef struct Listening {
    Run *r;
    bool anew;
    Arena keep;
    Map cells; // column and row to the number of a word
    Word *words;
    int64_t count, cap;
} Listening;

static bool of_link(const SosiaChange *x) { return x->what == SOSIA_EV_LINK_SET || x->what == SOSIA_EV_LINK_UNSET; }

static bool is_set(const SosiaChange *x) { return x->what == SOSIA_EV_SET || x->what == SOSIA_EV_LINK_SET; }

static bool is_value(const SosiaChange *x) {
    return is_set(x) || x->what == SOSIA_EV_UNSET || x->what == SOSIA_EV_LINK_UNSET;
}

// A value of now, of a cell that the Sim has. A set without a value tells of its source's time alone.
static bool cell_of(const Run *r, const SosiaChange *x, uint32_t *column, uint32_t *row) {
    const SimGraph *g = r->model.graph;
    if (x->late || (is_set(x) && x->value.kind == SOSIA_NONE)) return false;
    uint32_t dense = of_link(x) ? sim_graph_link(g, x->link_no) : sim_graph_twin(g, x->twin_no);
    for (*column = 0; dense != UINT32_MAX && *column < sim_columns(r->sim); ++*column) {
        SimColumn c = sim_column_of(r->sim, *column);
        if (c.col != x->column || !c.field || dense < c.first || dense - c.first >= c.rows) continue;
        *row = dense - c.first;
        return true;
    }
    return false;
}

// ---- words --------------------------------------------------------------------------------------------------------

static Str key_of(const uint32_t cell[2]) { return (Str){(const char *)cell, 2 * sizeof *cell}; }

static Word *word_find(const Listening *l, uint32_t column, uint32_t row) {
    const uint32_t cell[2] = {column, row};
    int64_t i;
    return l->count && map_get(&l->cells, key_of(cell), &i) ? &l->words[i] : NULL;
}

static Word *word_of(Listening *l, uint32_t column, uint32_t row) {
    const uint32_t cell[2] = {column, row};
    Word *w = word_find(l, column, row);
    if (w) return w;
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->words = mem_grow(l->words, (size_t)l->cap * sizeof *l->words);
    }
    map_put(&l->cells, arena_str(&l->keep, key_of(cell)), l->count);
    return &l->words[l->count++];
}

static uint64_t bits_in(const SosiaValue *v) {
    return v->kind == SOSIA_F64 ? bits_of(v->d) : v->kind == SOSIA_BOOL ? (uint64_t)v->b : (uint64_t)v->i;
}

// ---- batches ------------------------------------------------------------------------------------------------------

static void take_value(Listening *l, const SosiaChange *x) {
    Sim *s = l->r->sim;
    uint32_t column, row;
    if (!cell_of(l->r, x, &column, &row)) return;
    const Field *f = sim_column_of(s, column).field;
    bool text = cell_is_text(f->cell), set = is_set(x);
    Change c = {.kind = of_link(x) ? set ? CHANGE_LINK_SET : CHANGE_LINK_UNSET
                        : set      ? CHANGE_SET
                                   : CHANGE_UNSET,
                .cell = (uint8_t)f->cell,
                .col = x->column,
                .id = of_link(x) ? x->link_no : x->twin_no,
                .bits = text || !set ? 0 : bits_in(&x->value),
                .text = text && set ? arena_str(&l->keep, x->value.s) : (Str){0},
                .source_time = of_link(x) || !set ? 0 : x->source_time_ns};
    *word_of(l, column, row) = (Word){.c = c};
    sim_known(s, column, row, sim_value_in(s, column, set, c.bits, c.text));
}

static void take_own(Listening *l, const SosiaChange *x) {
    uint32_t column, row;
    Word *w = is_value(x) && cell_of(l->r, x, &column, &row) ? word_find(l, column, row) : NULL;
    if (w) w->over = true;
}

static void take_batch(Listening *l, const SosiaBatch *b) {
    bool own = str_eq(b->source, RUN_SOURCE);
    for (int64_t i = 0; i < b->count && (!own || l->count); i++) {
        const SosiaChange *x = &b->changes[i];
        if (own) take_own(l, x);
        else if (is_value(x)) take_value(l, x);
        else if (x->what != SOSIA_EV_TELEMETRY) l->anew = true;
    }
    l->r->seen = b->seq;
}

static void put_again(Listening *l) {
    Change *sets = NEW(&l->keep, Change, l->count + 1);
    int64_t n = 0;
    for (int64_t i = 0; i < l->count; i++)
        if (l->words[i].over) sets[n++] = l->words[i].c;
    if (n) run_put(l->r, sets, n);
}

// All of its own are visible up to `visible`; what others wrote behind that may come yet, or be undone.
static uint64_t feed_end(const Run *r, uint64_t visible) {
    uint64_t newest = atomic_load(&r->realm->scenario->foreign);
    return newest > visible ? newest : visible;
}

// GONE: it cannot be told any more.
static Err read_feed(Listening *l, uint64_t visible) {
    Run *r = l->r;
    uint64_t upto = feed_end(r, visible);
    SosiaFeed *f;
    SosiaErr err = sosia_feed_open(r->engine, NULL, r->realm->name, r->seen, &f, NULL);
    if (err) return (Err)err;
    SosiaBatch b = {.seq = 1};
    while (!err && r->seen < upto && r->seen < feed_end(r, visible)) {
        err = sosia_feed_next(f, INT64_C(1000000000), &b);
        if (!err && b.seq) take_batch(l, &b);
    }
    sosia_feed_close(f);
    return (Err)err;
}

Err run_listen(Run *r, bool *anew) {
    *anew = atomic_exchange(&r->renew, false);
    if (*anew || atomic_load(&r->realm->scenario->foreign) <= r->seen) return ERR_OK;
    TRY(run_land(r)); // its own, so that they are in the feed
    Listening l = {.r = r};
    arena_init(&l.keep, 4096);
    Err err = read_feed(&l, world_visible(r->realm->world));
    if (!err) put_again(&l);
    *anew = l.anew || err == ERR_GONE;
    map_free(&l.cells);
    mem_free(l.words);
    arena_free(&l.keep);
    return err == ERR_GONE ? ERR_OK : err;
}
