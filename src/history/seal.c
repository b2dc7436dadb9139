// SPDX-License-Identifier: Apache-2.0
// Sealing: runs to blocks.
//
//   open run --freeze--> frozen --encode--> slice --history_put--> durable: let go
//                                                                 refused: frozen still, tried again later
//
// What is sealed is a list of keys, made by one of three reasons:
//   asked     history_seal(F): every head of that world with points of batches up to F, in order of lane and page. When
//             a list was worked off and its puts have ended, a new one is made; when nothing of the world is in it, the
//             store is told, or of a fork history_sealed tells.
//   pressure  open runs hold more than 3/4 of what heads may: the largest ones, down to a half; and runs that are long.
//   again     what the disk refused, after a while.
// One list has heads of all worlds. A head whose frozen run is on its way is passed over; it comes up again.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/history_inner.h"

enum {
    FLYING_MAX = 8, // slices on their way
    SLICE_SHORT = 64 << 10,
    DEAD_SLICE = 4096, // dead twins in one put
};
#define AGAIN_FIRST_NS (50 * NS_PER_MS)
#define AGAIN_MAX_NS NS_PER_S

typedef enum SealWhy { SEAL_NOTHING, SEAL_ASKED, SEAL_PRESSURE, SEAL_AGAIN } SealWhy;

typedef struct SealKey {
    History *of;
    uint64_t lane, page;
    int64_t bytes; // of the open run
} SealKey;

// A put of blocks on its way.
typedef struct Slice {
    SealKey *keys;
    StoreHistory *rows; // bytes are in `bytes` from offset on until it goes
    int64_t count, cap;
    int64_t dead;   // of the oldest dead twins
    History *whose; // dead twins
    Buf bytes;
} Slice;

struct Seal {
    SealWhy why;
    SealKey *keys;
    int64_t at, count, cap;
    int64_t flying;       // slices
    int64_t frozen_bytes; // in frozen runs
    int64_t again_at, again_ns;
    int64_t dead_flying;
    bool failed;
    bool again_asked; // look again whether everything asked for is durable
    // Working memory.
    HPoint *points, *sorted;
    int64_t point_cap;
    HBatch *batches;
    int64_t batch_cap;
    uint32_t *local; // by number of a source: its number in the block + 1
    Str *sources;
    int64_t source_cap;
    HState *nothing; // HBLOCK_ROWS
};

Seal *seal_new(void) {
    Seal *s = mem_alloc(sizeof *s);
    s->nothing = mem_alloc(HBLOCK_ROWS * sizeof *s->nothing);
    s->local = mem_alloc(HISTORY_SOURCES_MAX * sizeof *s->local);
    return s;
}

void seal_tidy(Seal *s) {
    mem_free(s->points);
    mem_free(s->sorted);
    s->points = s->sorted = NULL;
    s->point_cap = 0;
}

void seal_free(Seal *s) {
    seal_tidy(s);
    mem_free(s->keys);
    mem_free(s->batches);
    mem_free(s->local);
    mem_free(s->sources);
    mem_free(s->nothing);
    mem_free(s);
}

// ---- a run as a block ----

static void points_reserve(Seal *s, int64_t n) {
    if (n <= s->point_cap) return;
    s->point_cap = n + n / 2;
    s->points = mem_grow(s->points, (size_t)s->point_cap * sizeof *s->points);
    s->sorted = mem_grow(s->sorted, (size_t)s->point_cap * sizeof *s->sorted);
}

// The number of a source among those of the block; a new one for every text that is not that of the batch before.
static uint32_t local_source(Seal *s, HBlockIn *in, const HistorySource *x, Str text) {
    bool numbered = x->number != SOURCE_IS_TEXT;
    if (numbered && s->local[x->number]) return s->local[x->number] - 1;
    if (!numbered && in->source_count && str_eq(s->sources[in->source_count - 1], text))
        return (uint32_t)in->source_count - 1;
    if (in->source_count == s->source_cap) {
        s->source_cap = s->source_cap ? s->source_cap * 2 : 64;
        s->sources = mem_grow(s->sources, (size_t)s->source_cap * sizeof *s->sources);
    }
    s->sources[in->source_count++] = text;
    if (numbered) s->local[x->number] = (uint32_t)in->source_count;
    return (uint32_t)in->source_count - 1;
}

static void add_batch(Seal *s, HBlockIn *in, const HeadPoint *x, Str text) {
    if (in->batch_count == s->batch_cap) {
        s->batch_cap = s->batch_cap ? s->batch_cap * 2 : 256;
        s->batches = mem_grow(s->batches, (size_t)s->batch_cap * sizeof *s->batches);
    }
    s->batches[in->batch_count++] =
        (HBatch){.seq = x->seq, .time = x->time, .source = local_source(s, in, &x->source, text)};
}

static void span_of(StoreHistory *row, const HPoint *p, int64_t arrival) {
    int64_t own = p->source_time ? p->source_time : arrival;
    if (own < row->s0) row->s0 = own;
    if (own > row->s1) row->s1 = own;
    row->late += p->kind == HPOINT_LATE;
}

// All points of a run, in order of arrival, and its batches; counts[r + 1]: points of row r.
static void read_run(History *h, const HeadRun *r, HBlockIn *in, StoreHistory *row, int64_t counts[HBLOCK_ROWS + 1]) {
    Seal *s = h->seal;
    HeadCursor c = head_cursor(r, UINT64_MAX);
    points_reserve(s, r->points);
    for (HeadPoint x; head_next(&c, &x); in->count++) {
        if (in->batch_count == 0 || s->batches[in->batch_count - 1].seq != x.seq)
            add_batch(s, in, &x, history_source_text(h, x.source));
        s->points[in->count] = x.p;
        s->points[in->count].batch = (uint32_t)(in->batch_count - 1);
        span_of(row, &x.p, x.time);
        counts[x.p.row + 1]++;
    }
    CHECK(in->count == r->points);
}

static void sort_rows(Seal *s, int64_t n, int64_t counts[HBLOCK_ROWS + 1]) {
    for (int r = 0; r < HBLOCK_ROWS; r++) counts[r + 1] += counts[r];
    for (int64_t i = 0; i < n; i++) s->sorted[counts[s->points[i].row]++] = s->points[i];
}

// Append the block of a run.
static void encode_run(History *h, const History *of, const HeadRun *r, HCell cell, bool start, StoreHistory *row,
                       Buf *out) {
    Seal *s = h->seal;
    int64_t counts[HBLOCK_ROWS + 1] = {0};
    HBlockIn in = {.cell = cell, .start = start ? s->nothing : NULL};
    *row = (StoreHistory){.lane = store_lane(of->f.world, r->lane),
                          .page = r->page,
                          .first = r->seq_first,
                          .last = r->seq_last,
                          .t0 = r->time_first,
                          .t1 = r->time_last,
                          .s0 = INT64_MAX,
                          .s1 = INT64_MIN,
                          .start = start};
    read_run(h, r, &in, row, counts);
    sort_rows(s, in.count, counts);
    in.batches = s->batches;
    in.sources = s->sources;
    in.points = s->sorted;
    row->points = in.count;
    hblock_encode(h->coder, &in, out);
    memset(s->local, 0, HISTORY_SOURCES_MAX * sizeof *s->local);
}

// ---- what the store has of a page ----

typedef struct Look {
    bool any;
    int64_t id;
} Look;

static bool see_row(void *ctx, const StoreHistory *row) {
    *(Look *)ctx = (Look){.any = true, .id = row->id};
    return false;
}

static Err cell_of_block(History *h, StoreReader *r, int64_t id, HCell *cell) {
    StoreHistory row;
    HBlock b;
    TRY(store_history_row(r, id, &row));
    arena_reset(&h->scratch);
    TRY(hblock_open(h->coder, row.bytes, &h->scratch, &b));
    *cell = b.cell;
    return ERR_OK;
}

// What the newest of a layer's blocks of a page holds, or a run of it.
static Err cell_of_layer(History *h, StoreReader *r, const Layer *l, const HeadRun *run, HCell *cell) {
    Look look = {0};
    const StoreHistoryAsk ask = {.lane = layer_lane(l, run->lane), .page = run->page, .known = true, .at = l->at};
    const Head *head = head_find(&l->of->heads, run->lane, run->page);
    const HeadRun *runs[] = {head ? head->frozen : NULL, head ? head->open : NULL};
    for (int i = 0; i < 2 && !*cell; i++)
        if (runs[i] && runs[i]->seq_first <= l->to)
            *cell = (HCell)atomic_load_explicit(&runs[i]->cell, memory_order_relaxed);
    if (*cell) return ERR_OK;
    TRY(store_history_rows(r, &ask, see_row, &look));
    return look.any ? cell_of_block(h, r, look.id, cell) : ERR_OK;
}

static Err look_in(History *h, StoreReader *r, History *of, const HeadRun *run, HCell *cell, Look *look) {
    const StoreHistoryAsk ask = {
        .lane = store_lane(of->f.world, run->lane), .page = run->page, .from = INT64_MIN, .to = INT64_MAX};
    TRY(store_history_rows(r, &ask, see_row, look));
    if (!*cell && look->any) TRY(cell_of_block(h, r, look->id, cell));
    for (Layer l = layer_first(of); !*cell && layer_next(&l);) TRY(cell_of_layer(h, r, &l, run, cell));
    return ERR_OK;
}

// Whether the store has blocks of the head's page, and what a lane holds of which the run says nothing.
static Err look_up(History *h, History *of, Head *head, const HeadRun *run, HCell *cell) {
    StoreReader *r;
    Look look = {0};
    *cell = (HCell)atomic_load_explicit(&run->cell, memory_order_relaxed);
    if (head->blocks != HEAD_BLOCKS_UNKNOWN && *cell) return ERR_OK;
    TRY(store_reader_begin(h->store, &r));
    Err e = look_in(h, r, of, run, cell, &look);
    store_reader_end(r);
    if (e != ERR_OK) return e;
    if (!*cell) *cell = HCELL_WORD; // nothing was ever there
    head->blocks = look.any ? HEAD_BLOCKS_SOME : HEAD_BLOCKS_NONE;
    return ERR_OK;
}

// ---- slices ----

static void slice_free(Slice *s) {
    buf_free(&s->bytes);
    mem_free(s->keys);
    mem_free(s->rows);
    mem_free(s);
}

static void slice_add(Slice *s, const SealKey *key, const StoreHistory *row) {
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->keys = mem_grow(s->keys, (size_t)s->cap * sizeof *s->keys);
        s->rows = mem_grow(s->rows, (size_t)s->cap * sizeof *s->rows);
    }
    s->keys[s->count] = *key;
    s->rows[s->count++] = *row;
}

static void failed(History *h) {
    Seal *s = h->seal;
    int64_t now = time_mono_ns();
    atomic_fetch_add_explicit(&h->n.failed, 1, memory_order_relaxed);
    s->again_ns = s->again_ns ? s->again_ns * 2 : AGAIN_FIRST_NS;
    if (s->again_ns > AGAIN_MAX_NS) s->again_ns = AGAIN_MAX_NS;
    s->again_at = now + s->again_ns;
    s->failed = true;
    s->at = s->count = 0;
    s->why = SEAL_NOTHING;
    pthread_mutex_lock(&h->lock);
    bool asked = h->seal_to != 0;
    h->seal_to = h->sealing = 0;
    for (History *of; (of = h->asked);) {
        h->asked = of->next_ask;
        of->seal_to = of->sealing = 0;
    }
    pthread_mutex_unlock(&h->lock);
    if (asked) store_history_failed(h->store);
}

static void let_go(History *h, const SealKey *key, const StoreHistory *row) {
    Head *head = head_find(&key->of->heads, key->lane, key->page);
    HeadRun *run = head->frozen;
    head->blocks = HEAD_BLOCKS_SOME;
    pthread_mutex_lock(&h->lock);
    head->frozen = NULL;
    pthread_mutex_unlock(&h->lock);
    h->seal->frozen_bytes -= run->bytes;
    atomic_fetch_sub_explicit(&h->head_bytes, run->bytes, memory_order_relaxed);
    head_run_unref(run);
    history_merge_sealed(h, row->lane, key->page, row->points, row->bytes.n);
}

static void drop_dead(History *of, int64_t n) {
    pthread_mutex_lock(&of->root->lock);
    for (int64_t i = 0; i < n; i++) mem_free((void *)(uintptr_t)of->dead[i].name.p);
    of->dead_count -= n;
    if (of->dead_count) memmove(of->dead, of->dead + n, (size_t)of->dead_count * sizeof *of->dead);
    pthread_mutex_unlock(&of->root->lock);
}

// n more of its heads, or of its dead, are on their way.
static void fly(Seal *s, History *of, int64_t n, int64_t dead) {
    of->f.flying += n + (dead > 0) - (dead < 0);
    of->dead_flying += dead;
    s->dead_flying += dead;
}

static void slice_ended(History *h, void *arg, Err err) {
    Slice *slice = arg;
    Seal *s = h->seal;
    s->flying--;
    s->again_asked = true;
    for (int64_t i = 0; i < slice->count; i++) {
        const SealKey *key = &slice->keys[i];
        fly(s, key->of, -1, 0);
        head_find(&key->of->heads, key->lane, key->page)->flying = false;
        if (err == ERR_OK) let_go(h, key, &slice->rows[i]);
    }
    if (slice->dead) fly(s, slice->whose, 0, -slice->dead);
    if (err == ERR_OK) {
        if (slice->dead) drop_dead(slice->whose, slice->dead);
        atomic_fetch_add_explicit(&h->n.sealed_blocks, slice->count, memory_order_relaxed);
        s->again_ns = 0;
    } else failed(h);
    History *whose = slice->dead ? slice->whose : NULL;
    slice_free(slice);
    pthread_mutex_lock(&h->lock);
    if (whose && whose->dead_count > DEAD_MANY) h->many_dead = true;
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->lock);
}

// Put a slice; it is ours no more. The heads of one that the store does not take stay as they are.
static void slice_send(History *h, Slice *slice, const StoreDead *dead) {
    const StoreHistoryPut put = {
        .rows = slice->rows, .row_count = slice->count, .dead = dead, .dead_count = slice->dead};
    int64_t at = 0;
    for (int64_t i = 0; i < slice->count; i++) {
        slice->rows[i].bytes.p = slice->bytes.p + at;
        at += slice->rows[i].bytes.n;
        const SealKey *key = &slice->keys[i];
        head_find(&key->of->heads, key->lane, key->page)->flying = true;
        fly(h->seal, key->of, 1, 0);
    }
    h->seal->flying++;
    if (slice->dead) fly(h->seal, slice->whose, 0, slice->dead);
    Err e = history_put(h, &put, slice_ended, slice);
    if (e != ERR_OK) slice_ended(h, slice, e);
    else buf_free(&slice->bytes);
}

static void freeze(History *h, Head *head) {
    pthread_mutex_lock(&h->lock);
    head->frozen = head->open;
    head->open = NULL;
    pthread_mutex_unlock(&h->lock);
    h->seal->frozen_bytes += head->frozen->bytes;
}

// ---- what to seal ----

static bool wanted(const Seal *s, const History *of, const Head *head) {
    const HeadRun *oldest = head->frozen ? head->frozen : head->open;
    if (!oldest) return false;
    if (s->why == SEAL_ASKED) return oldest->seq_first <= of->sealing;
    if (s->why == SEAL_PRESSURE) return !head->frozen;
    return head->frozen != NULL;
}

static void keys_add(Seal *s, History *of, const HeadRun *r) {
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->keys = mem_grow(s->keys, (size_t)s->cap * sizeof *s->keys);
    }
    s->keys[s->count++] = (SealKey){.of = of, .lane = r->lane, .page = r->page, .bytes = r->bytes};
}

static int by_place(const void *a, const void *b) {
    const SealKey *x = a, *y = b;
    if (x->of != y->of) return x->of->f.world < y->of->f.world ? -1 : 1;
    if (x->lane != y->lane) return x->lane < y->lane ? -1 : 1;
    return x->page < y->page ? -1 : x->page > y->page;
}

static int by_size(const void *a, const void *b) {
    const SealKey *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return by_place(a, b);
}

static void list_world(Seal *s, History *of) {
    of->awaits = false;
    for (int64_t i = 0; i < of->heads.cap; i++) {
        const Head *head = &of->heads.slots[i];
        if (head->key == 0 || !wanted(s, of, head)) continue;
        if (head->flying) of->awaits = true;
        else keys_add(s, of, head->frozen ? head->frozen : head->open);
    }
}

// List what is wanted for a reason. False: nothing.
static bool list(History *h, SealWhy why) {
    Seal *s = h->seal;
    s->why = why;
    s->at = s->count = 0;
    if (why != SEAL_ASKED || h->sealing) list_world(s, h);
    for (int64_t i = 0; i < h->active_count; i++)
        if (why != SEAL_ASKED || h->active[i]->sealing) list_world(s, h->active[i]);
    if (s->count) qsort(s->keys, (size_t)s->count, sizeof *s->keys, why == SEAL_PRESSURE ? by_size : by_place);
    if (s->count == 0) s->why = SEAL_NOTHING;
    return s->count > 0;
}

static bool pressed(const History *h) {
    int64_t open = atomic_load_explicit(&h->head_bytes, memory_order_relaxed) - h->seal->frozen_bytes;
    return open > h->o.head_bytes_max / 4 * 3;
}

// The largest runs, down to half of what heads may hold.
static void cut_list(History *h) {
    Seal *s = h->seal;
    int64_t open = atomic_load_explicit(&h->head_bytes, memory_order_relaxed) - s->frozen_bytes;
    int64_t n = 0, goal = pressed(h) ? h->o.head_bytes_max / 2 : INT64_MAX;
    while (n < s->count && (open > goal || s->keys[n].bytes > HEAD_RUN_BYTES_MAX)) open -= s->keys[n++].bytes;
    s->count = n;
    h->long_run = false;
}

static int64_t take_dead(const History *of, StoreDead *out, uint64_t to) {
    int64_t n = 0;
    pthread_mutex_lock(&of->root->lock);
    for (; n < of->dead_count && n < DEAD_SLICE && of->dead[n].seq <= to; n++) {
        const DeadTwin *d = &of->dead[n];
        out[n] = (StoreDead){.twin = d->twin, .name = d->name, .time = d->time, .world = of->f.world};
    }
    pthread_mutex_unlock(&of->root->lock);
    return n;
}

// Put the oldest dead twins of a world. False: there are none, or some are on their way.
static bool put_dead(History *h, History *of, uint64_t to) {
    if (of->dead_flying || !of->dead_count) return false;
    StoreDead *dead = mem_alloc(DEAD_SLICE * sizeof *dead);
    int64_t n = take_dead(of, dead, to);
    if (n) {
        Slice *slice = mem_alloc(sizeof *slice);
        slice->dead = n;
        slice->whose = of;
        slice_send(h, slice, dead);
    }
    mem_free(dead);
    return n > 0;
}

// One world's ask is taken up when everything up to it is in heads. The lock is held.
static bool take_ask(History *of) {
    if (!of->seal_to || of->sealing == of->seal_to) return false;
    if (atomic_load_explicit(&of->taken, memory_order_relaxed) < of->seal_to) return false;
    of->sealing = of->seal_to;
    return true;
}

// Blocks may have more of forks than they were told.
static void learn_asked(History *h) {
    pthread_mutex_lock(&h->lock);
    History *of = h->asked;
    pthread_mutex_unlock(&h->lock);
    while (of) {
        if (fork_learn(of)) return; // again with the next turn
        pthread_mutex_lock(&h->lock);
        of = of->next_ask;
        pthread_mutex_unlock(&h->lock);
    }
}

static bool take_asks(History *h) {
    pthread_mutex_lock(&h->lock);
    bool any = take_ask(h);
    for (History *of = h->asked; of; of = of->next_ask) any |= take_ask(of);
    pthread_mutex_unlock(&h->lock);
    return any;
}

// The next fork behind `of` whose ask was taken up; NULL: none. The list is others' to lengthen at its front only.
static History *next_sealing(History *h, History *of) {
    pthread_mutex_lock(&h->lock);
    of = of == h ? h->asked : of->next_ask;
    while (of && !of->sealing) of = of->next_ask;
    pthread_mutex_unlock(&h->lock);
    return of;
}

static void unlist(History *h, const History *of) {
    for (History **at = &h->asked; *at; at = &(*at)->next_ask) {
        if (*at != of) continue;
        *at = of->next_ask;
        return;
    }
}

// Everything that a world's ask was taken up for is durable.
static void sealed(History *h, History *of) {
    uint64_t to = of->sealing;
    pthread_mutex_lock(&h->lock);
    bool all = of->seal_to == to;
    of->sealing = 0;
    if (all) of->seal_to = 0;
    if (all && of != h) unlist(h, of);
    pthread_mutex_unlock(&h->lock);
    if (of == h) store_history_sealed(h->store, to);
    else if (atomic_load_explicit(&of->f.sealed, memory_order_relaxed) < to)
        atomic_store_explicit(&of->f.sealed, to, memory_order_release);
}

// List what was asked for, or tell of what of it is durable. True when something was done.
static bool list_asked(History *h) {
    Seal *s = h->seal;
    learn_asked(h);
    bool more = take_asks(h), did = false;
    if (!more && !s->again_asked) return false;
    s->again_asked = false;
    if (list(h, SEAL_ASKED)) return true;
    for (History *of = h, *next; of; of = next) {
        next = next_sealing(h, of);
        if (!of->sealing) continue;
        if (put_dead(h, of, of->sealing)) did = true;
        else if (!of->awaits && !of->dead_flying) sealed(h, of);
    }
    return did;
}

// Put names of the dead of worlds that have many.
static bool put_many_dead(History *h) {
    bool did = false;
    pthread_mutex_lock(&h->lock);
    bool many = h->many_dead;
    h->many_dead = false;
    pthread_mutex_unlock(&h->lock);
    if (!many) return false;
    for (int64_t i = -1; i < h->active_count; i++) {
        History *of = i < 0 ? h : h->active[i];
        if (of->dead_count > DEAD_MANY) did |= put_dead(h, of, UINT64_MAX);
    }
    return did;
}

// Make a list, when there is a reason to. True when something was done.
static bool choose(History *h) {
    Seal *s = h->seal;
    if (s->failed) {
        if (time_mono_ns() < s->again_at) return false;
        s->failed = false;
        if (list(h, SEAL_AGAIN)) return true;
    }
    if (list_asked(h)) return true;
    if ((h->long_run || pressed(h)) && list(h, SEAL_PRESSURE)) {
        cut_list(h);
        if (s->count) return true;
        s->why = SEAL_NOTHING;
    }
    return put_many_dead(h);
}

// Add the block of one head to a slice. Errors: STORAGE.
static Err seal_head(History *h, Head *head, const SealKey *key, Slice *slice) {
    History *of = key->of;
    StoreHistory row;
    HCell cell;
    const HeadRun *run = head->frozen ? head->frozen : head->open;
    TRY(look_up(h, of, head, run, &cell));
    if (!head->frozen) freeze(h, head);
    int64_t before = slice->bytes.n;
    bool start = (head->blocks == HEAD_BLOCKS_NONE && !of->parent) || key->lane == LANE_BATCHES;
    encode_run(h, of, head->frozen, cell, start, &row, &slice->bytes);
    row.bytes.n = slice->bytes.n - before;
    slice_add(slice, key, &row);
    return ERR_OK;
}

// A slice is shorter while somebody waits.
static bool slice_full(const History *h, const Slice *slice) {
    return slice->bytes.n >= (history_hurries(h) ? SLICE_SHORT : STORE_SLICE_BYTES / 2);
}

// The next slice of the list.
static void seal_slice(History *h) {
    Seal *s = h->seal;
    Slice *slice = mem_alloc(sizeof *slice);
    Err e = ERR_OK;
    while (s->at < s->count && !slice_full(h, slice) && e == ERR_OK) {
        const SealKey *key = &s->keys[s->at++];
        Head *head = key->of ? head_find(&key->of->heads, key->lane, key->page) : NULL;
        if (head && !head->flying && wanted(s, key->of, head)) e = seal_head(h, head, key, slice);
    }
    if (slice->count) slice_send(h, slice, NULL);
    else slice_free(slice);
    if (e != ERR_OK) failed(h);
    if (s->at >= s->count) s->why = SEAL_NOTHING;
}

bool seal_step(History *h) {
    Seal *s = h->seal;
    if (!h->store || s->flying >= FLYING_MAX) return false;
    if (s->at >= s->count && !choose(h)) return false;
    if (s->at >= s->count) return true;
    int64_t begin = time_mono_ns();
    seal_slice(h);
    atomic_fetch_add_explicit(&h->n.seal_ns, time_mono_ns() - begin, memory_order_relaxed);
    return true;
}

int64_t seal_wait_ns(const History *h) {
    const Seal *s = h->seal;
    if (!s->failed) return -1;
    int64_t ns = s->again_at - time_mono_ns();
    return ns > 0 ? ns : 0;
}

void seal_frozen_add(History *h, int64_t bytes) { h->seal->frozen_bytes += bytes; }

void seal_forget(History *root, const History *fork) {
    Seal *s = root->seal;
    for (int64_t i = s->at; i < s->count; i++)
        if (s->keys[i].of == fork) s->keys[i].of = NULL;
    for (int64_t i = 0; i < fork->heads.cap; i++)
        if (fork->heads.slots[i].frozen) s->frozen_bytes -= fork->heads.slots[i].frozen->bytes;
    pthread_mutex_lock(&root->lock);
    unlist(root, fork);
    pthread_mutex_unlock(&root->lock);
}

bool seal_has_dead(const History *h) { return h->seal->dead_flying > 0; }

bool seal_idle(const History *h) {
    const Seal *s = h->seal;
    return s->at >= s->count && s->flying == 0 && !s->failed;
}
