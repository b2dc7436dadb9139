// SPDX-License-Identifier: Apache-2.0
// Erasing: points of rows leave heads, blocks and means as if they had never been. On the history's thread, a page at a
// time, oldest block first, in place of merging and retention; sealing goes on, behind the blocks that were read.
//
//   WAIT (a run of the page is on its way) -> HEADS (runs are written again) -> ROWS (what the store has)
//     -> slices: blocks, then means, replaced by one change each -> next page
//
// Invariants
//  1. A block keeps its place (lane, page, tier, first, last, t0, t1), so that recovery and readers leave out of heads
//     what they did before.
//  2. The state at the start of a block is the one that the blocks before it lead to. A block that begins with another
//     state than they had led to (history was not kept in between, or a crash came between two slices) is judged by
//     itself, see stranger_goes.
//  3. Doing it twice is doing it once.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/merge_inner.h"
#include "world/forget.h"

#define LEVEL_SHORT 3 // of zstd
#define LEVEL_LONG 6

// What the blocks so far lead to in a row that is asked about.
typedef struct Track {
    bool known;
    HState was, is; // before and after erasing
} Track;

struct EraseJob {
    History *of;         // whose points
    HistoryErase *spans; // ascending by lane, row, from
    int64_t count;
    const uint64_t *dead; // twins whose names go
    int64_t dead_count;
    int64_t at, end; // spans of the page at hand
    bool begun;      // HEADS and ROWS are done
    Rows rows, means;
    int64_t row_at, mean_at;
    Arena page, block; // of the page at hand; of the block at hand
    Track *tracks;     // HBLOCK_ROWS
    int64_t first[HBLOCK_ROWS + 1];
    Buf bytes;
    Means work;
    // the slice at hand
    StoreHistory *out;
    int64_t *gone;
    int64_t out_count, gone_count, cap;
    bool ready; // to be sent
    int64_t points;
    bool ended; // under the history's lock
    Err err;
};

static uint64_t page_of(const HistoryErase *e) { return e->row >> PAGE_SHIFT; }

// ---- what goes ----------------------------------------------------------------------------------------------------

typedef struct Seen {
    int64_t time;
    uint8_t kind;
    bool cleared; // the row is cleared behind it in the same batch
} Seen;

// The span that a point falls to; NULL: it stays.
static const HistoryErase *span_of(const EraseJob *j, uint32_t row, const Seen *p, Str text) {
    for (int64_t i = j->first[row]; i < j->first[row + 1]; i++) {
        const HistoryErase *e = &j->spans[i];
        if (p->time == e->from && p->kind == HPOINT_CLEAR) continue; // whose the row was before
        if (e->member.n && !forget_tells(text, e->member)) continue;
        if (p->time >= e->from && p->time < e->to) return e;
        if (p->time == e->to && p->cleared) return e;
    }
    return NULL;
}

static bool asked(const EraseJob *j, uint32_t row) { return j->first[row] < j->first[row + 1]; }

static bool has_value(uint8_t kind) { return kind == HPOINT_PUT || kind == HPOINT_MOVED || kind == HPOINT_LATE; }

// What becomes of a point: stays, goes, or gets another text. *changed: not the first.
static bool keep_point(EraseJob *j, const Seen *seen, HPoint *p, bool *changed) {
    const HistoryErase *e = span_of(j, p->row, seen, p->text);
    *changed = false;
    if (!e) return true;
    *changed = !e->instead.n || (has_value(p->kind) && !str_eq(p->text, e->instead));
    if (*changed) p->text = e->instead;
    return e->instead.n > 0;
}

static bool same_state(SpliceKind kind, const HState *a, const HState *b) {
    if (a->valid != b->valid) return false;
    if (!a->valid) return true;
    if (a->bits != b->bits || !str_eq(a->text, b->text)) return false;
    return kind == SPLICE_WORDS || (a->update_time == b->update_time && a->source_time == b->source_time);
}

// The span that a state falls to of which nothing before tells: it is of who had the row when the block begins. The
// first of the row's own points tells when another takes the row at that very time.
static const HistoryErase *stranger_goes(const EraseJob *j, uint32_t row, const HState *s, int64_t t0, bool cleared) {
    for (int64_t i = j->first[row]; i < j->first[row + 1]; i++) {
        const HistoryErase *e = &j->spans[i];
        if (s->update_time >= e->from && s->update_time < e->to) return e;
        if (s->update_time < e->to && e->from < t0 && t0 <= e->to) return e;
        if (e->from == t0 && e->to > t0 && !cleared) return e;
    }
    return NULL;
}

// ---- heads --------------------------------------------------------------------------------------------------------

typedef struct Sift {
    EraseJob *job;
    Seen *seen; // of every point of the run
    int64_t at, changed;
} Sift;

static bool sift(void *ctx, HeadPoint *x) {
    Sift *s = ctx;
    bool changed, keep = keep_point(s->job, &s->seen[s->at++], &x->p, &changed);
    s->changed += changed;
    return keep;
}

// Which points of a row of one batch are followed by its clearing.
static void look_behind(Seen *seen, const uint16_t *row, int64_t first, int64_t end) {
    for (int64_t i = first; i < end; i++) {
        if (seen[i].kind != HPOINT_CLEAR) continue;
        for (int64_t k = first; k < i; k++) seen[k].cleared |= row[k] == row[i];
    }
}

static void look_through(EraseJob *j, const HeadRun *run, Sift *s) {
    uint16_t *row = NEW(&j->page, uint16_t, run->points + 1);
    s->seen = NEW(&j->page, Seen, run->points + 1);
    HeadCursor c = head_cursor(run, UINT64_MAX);
    int64_t n = 0, first = 0;
    uint64_t seq = 0;
    for (HeadPoint x; head_next(&c, &x); n++) {
        if (x.seq != seq) look_behind(s->seen, row, first, n);
        if (x.seq != seq) first = n;
        seq = x.seq;
        row[n] = x.p.row;
        s->seen[n] = (Seen){.time = x.time, .kind = asked(j, x.p.row) ? x.p.kind : HPOINT_PUT};
    }
    look_behind(s->seen, row, first, n);
    CHECK(n == run->points);
}

static void erase_run(History *h, EraseJob *j, Head *head, bool frozen) {
    const HeadRun *run = frozen ? head->frozen : head->open;
    Sift s = {.job = j};
    if (!run) return;
    look_through(j, run, &s);
    HeadCursor c = head_cursor(run, UINT64_MAX);
    for (HeadPoint x; head_next(&c, &x);) sift(&s, &x);
    if (!s.changed) return;
    j->points += s.changed;
    s.at = 0;
    int64_t bytes = head_sift(h, head, frozen, sift, &s);
    if (frozen) seal_frozen_add(h->root, bytes);
}

// ---- a block ------------------------------------------------------------------------------------------------------

typedef struct Opened {
    HBlock block;
    HPoint *points;
    int64_t count, kept, changed;
    HState *start; // NULL: it has none
    SpliceKind kind;
} Opened;

static Err open_block(History *h, EraseJob *j, const StoreHistory *row, Opened *o) {
    const HPoint *points;
    Str bytes = arena_str(&j->block, row->bytes);
    *o = (Opened){.kind = merge_kind(row->lane)};
    TRY(hblock_open(h->coder, bytes, &j->block, &o->block));
    if (o->block.has_start) o->start = NEW(&j->block, HState, HBLOCK_ROWS);
    TRY(hblock_rows(h->coder, &o->block, 0, HBLOCK_ROWS - 1, &j->block, &points, &o->count, o->start));
    o->points = NEW(&j->block, HPoint, o->count + 1);
    if (o->count) memcpy(o->points, points, (size_t)o->count * sizeof *points);
    return ERR_OK;
}

static HState own_state(EraseJob *j, HState s) {
    if (s.text.n) s.text = arena_str(&j->page, s.text);
    return s;
}

// Is the row cleared in the block's first batch, at `t0`?
static bool cleared_at(const Opened *o, uint32_t row, int64_t t0) {
    for (int64_t i = 0; i < o->count; i++) {
        const HPoint *p = &o->points[i];
        if (p->row == row && p->kind == HPOINT_CLEAR && o->block.batches[p->batch].time == t0) return true;
    }
    return false;
}

static void erase_start(EraseJob *j, Opened *o, uint32_t row, int64_t t0) {
    Track *t = &j->tracks[row];
    HState *s = &o->start[row], to = *s;
    if (t->known && same_state(o->kind, &t->was, s)) to = t->is;
    else if (s->valid) {
        const HistoryErase *e = stranger_goes(j, row, s, t0, cleared_at(o, row, t0));
        if (e) to = e->instead.n ? *s : (HState){0};
        if (e && e->instead.n) to.text = e->instead;
    }
    t->known = true;
    t->was = own_state(j, *s);
    t->is = own_state(j, to);
    o->changed += !same_state(o->kind, s, &to);
    *s = to;
}

static void apply(const Opened *o, HState *to, const HPoint *p, int64_t time) {
    if (o->kind == SPLICE_BARE) return;
    hstate_apply(to, p, time);
    if (o->kind == SPLICE_WORDS) to->update_time = to->source_time = 0;
}

// Points [first, end) of one row.
static void erase_points(EraseJob *j, Opened *o, int64_t first, int64_t end) {
    uint32_t row = o->points[first].row;
    for (int64_t i = first; i < end; i++) {
        HPoint p = o->points[i];
        Seen seen = {.time = o->block.batches[p.batch].time, .kind = p.kind};
        for (int64_t k = i + 1; k < end && o->points[k].batch == p.batch; k++)
            seen.cleared |= o->points[k].kind == HPOINT_CLEAR;
        if (asked(j, row)) apply(o, &j->tracks[row].was, &p, seen.time);
        bool changed, keep = keep_point(j, &seen, &p, &changed);
        o->changed += changed;
        j->points += changed;
        if (!keep) continue;
        if (asked(j, row)) apply(o, &j->tracks[row].is, &p, seen.time);
        o->points[o->kept++] = p;
    }
    j->tracks[row].was = own_state(j, j->tracks[row].was);
    j->tracks[row].is = own_state(j, j->tracks[row].is);
}

// Only batches and sources that a point still has.
static void drop_unused(EraseJob *j, const Opened *o, HBlockIn *in) {
    const HBlock *b = &o->block;
    uint32_t *batch = NEW(&j->block, uint32_t, b->batch_count + 1),
             *source = NEW(&j->block, uint32_t, b->source_count + 1);
    HBatch *batches = NEW(&j->block, HBatch, b->batch_count + 1);
    Str *sources = NEW(&j->block, Str, b->source_count + 1);
    for (int64_t i = 0; i < o->kept; i++) batch[o->points[i].batch] = 1;
    for (int64_t i = 0; i < b->batch_count; i++) {
        if (!batch[i]) continue;
        uint32_t s = b->batches[i].source;
        if (b->source_count && !source[s]) {
            sources[in->source_count++] = b->sources[s];
            source[s] = (uint32_t)in->source_count;
        }
        batch[i] = (uint32_t)in->batch_count;
        batches[in->batch_count] = b->batches[i];
        batches[in->batch_count++].source = b->source_count ? source[s] - 1 : s;
    }
    for (int64_t i = 0; i < o->kept; i++) o->points[i].batch = batch[o->points[i].batch];
    in->batches = batches;
    in->sources = sources;
}

static void own_times(const Opened *o, const HBatch *batches, StoreHistory *out) {
    out->s0 = o->kept ? INT64_MAX : out->t0;
    out->s1 = o->kept ? INT64_MIN : out->t0;
    out->late = 0;
    for (int64_t i = 0; i < o->kept; i++) {
        const HPoint *p = &o->points[i];
        int64_t t = p->source_time ? p->source_time : batches[p->batch].time;
        if (t < out->s0) out->s0 = t;
        if (t > out->s1) out->s1 = t;
        out->late += p->kind == HPOINT_LATE;
    }
}

// Another row for one that is there; bytes stay where they are in j->bytes, told by their number until it is sent.
static void slice_add(EraseJob *j, int64_t gone, const StoreHistory *row) {
    if (j->gone_count == j->cap) {
        j->cap = j->cap ? j->cap * 2 : 16;
        j->gone = mem_grow(j->gone, (size_t)j->cap * sizeof *j->gone);
        j->out = mem_grow(j->out, (size_t)j->cap * sizeof *j->out);
    }
    j->gone[j->gone_count++] = gone;
    if (row) j->out[j->out_count++] = *row;
}

static Err encode(History *h, EraseJob *j, const Opened *o, const StoreHistory *row) {
    HBlockIn in = {.cell = o->block.cell,
                   .points = o->points,
                   .count = o->kept,
                   .start = o->start,
                   .level = row->tier == MERGE_TIER_LONG ? LEVEL_LONG : LEVEL_SHORT};
    StoreHistory out = *row;
    int64_t before = j->bytes.n;
    drop_unused(j, o, &in);
    own_times(o, in.batches, &out);
    hblock_encode(h->coder, &in, &j->bytes);
    if (j->bytes.full) return ERR_LIMIT;
    out.id = 0;
    out.points = o->kept;
    out.bytes = (Str){NULL, j->bytes.n - before};
    slice_add(j, row->id, &out);
    return ERR_OK;
}

static Err erase_block(History *h, EraseJob *j, const StoreHistory *row) {
    Opened o;
    arena_reset(&j->block);
    TRY(open_block(h, j, row, &o));
    for (uint32_t r = 0; r < HBLOCK_ROWS && o.start && o.kind != SPLICE_BARE; r++)
        if (asked(j, r)) erase_start(j, &o, r, row->t0);
    for (int64_t i = 0, end; i < o.count; i = end) {
        for (end = i + 1; end < o.count && o.points[end].row == o.points[i].row;) end++;
        erase_points(j, &o, i, end);
    }
    return o.changed ? encode(h, j, &o, row) : ERR_OK;
}

// ---- means --------------------------------------------------------------------------------------------------------

// Means do not tell when their points arrived, but within the times of their block: a row goes as a whole.
static bool mean_goes(const EraseJob *j, uint32_t row, const StoreHistory *block) {
    for (int64_t i = j->first[row]; i < j->first[row + 1]; i++)
        if (!j->spans[i].instead.n && block->t0 < j->spans[i].to && block->t1 >= j->spans[i].from) return true;
    return false;
}

static Err erase_means(History *h, EraseJob *j, const StoreHistory *row) {
    Means *m = &j->work;
    arena_reset(&j->block);
    means_begin(m, 1);
    TRY(means_decode(h->coder, row->bytes, 0, HBLOCK_ROWS - 1, &j->block, m));
    means_settle(m);
    int64_t was = m->count, kept = 0, before = j->bytes.n;
    for (int64_t i = 0; i < was; i++)
        if (!mean_goes(j, m->items[i].row, row)) m->items[kept++] = m->items[i];
    if (kept == was) return ERR_OK;
    j->points += was - kept;
    m->count = kept;
    StoreHistory out = *row;
    if (kept) {
        means_encode(h->coder, m, &j->bytes);
        if (j->bytes.full) return ERR_LIMIT;
        means_span(m, &out.s0, &out.s1);
    }
    out.id = 0;
    out.points = row->points / was * kept;
    out.bytes = (Str){NULL, j->bytes.n - before};
    slice_add(j, row->id, kept ? &out : NULL);
    return ERR_OK;
}

// ---- a page -------------------------------------------------------------------------------------------------------

static bool slice_full(const EraseJob *j) { return j->bytes.n >= STORE_SLICE_BYTES; }

static Err read_slice(History *h, EraseJob *j, StoreReader *r) {
    StoreHistory row;
    while (j->row_at < j->rows.count && !slice_full(j)) {
        TRY(store_history_row(r, j->rows.items[j->row_at].id, &row));
        TRY(erase_block(h, j, &row));
        j->row_at++;
    }
    while (j->row_at == j->rows.count && j->mean_at < j->means.count && !slice_full(j)) {
        TRY(store_history_row(r, j->means.items[j->mean_at].id, &row));
        TRY(erase_means(h, j, &row));
        j->mean_at++;
    }
    return ERR_OK;
}

static void page_spans(EraseJob *j) {
    const HistoryErase *e = &j->spans[j->at];
    int64_t at = j->at;
    for (j->end = j->at; j->end < j->count; j->end++)
        if (j->spans[j->end].lane != e->lane || page_of(&j->spans[j->end]) != page_of(e)) break;
    for (uint32_t row = 0; row < HBLOCK_ROWS; row++) {
        j->first[row] = at;
        while (at < j->end && (j->spans[at].row & (HBLOCK_ROWS - 1)) == row) at++;
    }
    j->first[HBLOCK_ROWS] = at;
}

// False: a run is on its way; its end comes by the store.
static bool page_begin(EraseJob *j) {
    const HistoryErase *e = &j->spans[j->at];
    Head *head = head_find(&j->of->heads, e->lane, page_of(e));
    if (head && head->flying) return false;
    arena_reset(&j->page);
    page_spans(j);
    memset(j->tracks, 0, HBLOCK_ROWS * sizeof *j->tracks);
    if (head) {
        erase_run(j->of, j, head, true);
        erase_run(j->of, j, head, false);
    }
    j->rows = (Rows){.keep = &j->page};
    j->means = (Rows){.keep = &j->page};
    j->row_at = j->mean_at = -1;
    j->begun = true;
    return true;
}

static Err page_slice(History *h, EraseJob *j) {
    const HistoryErase *e = &j->spans[j->at];
    StoreReader *r;
    Err err = ERR_OK;
    j->out_count = j->gone_count = 0;
    buf_reset(&j->bytes);
    TRY(store_reader_begin(h->store, &r));
    if (j->row_at < 0) {
        j->row_at = j->mean_at = 0;
        uint64_t lane = store_lane(j->of->f.world, e->lane);
        err = merge_rows(r, lane, page_of(e), false, &j->rows);
        if (!err) err = merge_rows(r, lane, page_of(e), true, &j->means);
    }
    if (!err) err = read_slice(h, j, r);
    store_reader_end(r);
    j->ready = j->gone_count > 0;
    int64_t at = 0;
    for (int64_t i = 0; i < j->out_count; i++) {
        j->out[i].bytes.p = j->bytes.p + at;
        at += j->out[i].bytes.n;
    }
    return err;
}

// ---- the job ------------------------------------------------------------------------------------------------------

static void put_ended(History *h, void *arg, Err err) {
    (void)arg;
    h->merge->under_way = false;
    EraseJob *j = atomic_load(&h->erase);
    if (err) atomic_fetch_add(&h->n.failed, 1);
    if (j && err) j->err = err;
}

// False: the store has too much to do.
static bool send_slice(History *h, EraseJob *j) {
    const StoreHistoryPut put = {
        .gone = j->gone, .gone_count = j->gone_count, .rows = j->out, .row_count = j->out_count};
    if (history_put(h, &put, put_ended, NULL)) return false;
    h->merge->under_way = true;
    j->ready = false;
    return true;
}

static Str name_of(uint64_t twin) {
    char room[32];
    Str name = forget_name(twin, room);
    char *p = mem_alloc((size_t)name.n + 1);
    memcpy(p, name.p, (size_t)name.n);
    return (Str){p, name.n};
}

// Names of dead twins that are not in the store yet.
static bool rename_dead(History *h, EraseJob *j) {
    History *of = j->of;
    if (seal_has_dead(h)) return false; // on their way under the old name: the new one goes behind
    pthread_mutex_lock(&h->lock);
    for (int64_t i = 0; i < of->dead_count; i++) {
        for (int64_t k = 0; k < j->dead_count; k++) {
            if (of->dead[i].twin != j->dead[k]) continue;
            mem_free((void *)(uintptr_t)of->dead[i].name.p);
            of->dead[i].name = name_of(j->dead[k]);
        }
    }
    pthread_mutex_unlock(&h->lock);
    j->dead_count = 0;
    return true;
}

// Nothing of what went stays in working memory or caches.
static void tidy(History *h, const EraseJob *j) {
    cached_erase(h, j->of->f.world, j->spans, j->count);
    seal_tidy(h->seal);
    merge_tidy(h->merge);
    hwork_free(h->coder);
    h->coder = h->merge->splice.work = hwork_new();
    arena_free(&h->scratch);
    arena_init(&h->scratch, 0);
}

static void job_end(History *h, EraseJob *j) {
    if (!h->merge->under_way) tidy(h, j); // else it failed, and will be done again
    pthread_mutex_lock(&h->lock);
    j->ended = true;
    atomic_store(&h->erase, NULL);
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->lock);
}

bool erase_step(History *h) {
    EraseJob *j = atomic_load(&h->erase);
    if (!j->err && j->ready) return send_slice(h, j);
    if (!j->err && j->dead_count) return rename_dead(h, j);
    if (j->err || j->at == j->count) {
        job_end(h, j);
    } else if (!j->begun) {
        return page_begin(j);
    } else if (j->row_at < 0 || j->row_at < j->rows.count || j->mean_at < j->means.count) {
        j->err = page_slice(h, j);
    } else {
        j->at = j->end;
        j->begun = false;
    }
    return true;
}

void erase_give_up(History *h) {
    EraseJob *j = atomic_load(&h->erase);
    if (!j) return;
    j->err = ERR_CLOSED;
    job_end(h, j);
}

static void job_free(EraseJob *j) {
    mem_free(j->spans);
    mem_free(j->tracks);
    mem_free(j->out);
    mem_free(j->gone);
    buf_free(&j->bytes);
    means_free(&j->work);
    arena_free(&j->page);
    arena_free(&j->block);
}

// Everything that was told so far is in heads.
static void settle(History *h) {
    History *root = h->root;
    pthread_mutex_lock(&root->lock);
    while (!root->stop && root->thread.running && atomic_load(&root->queue_taken) < root->queue_told)
        pthread_cond_wait(&root->moved, &root->lock);
    pthread_mutex_unlock(&root->lock);
    while (!root->thread.running && atomic_load(&root->queue_taken) < root->queue_told) history_step(root);
}

// The history has no thread: do its work.
static void drive(History *h, const EraseJob *j) {
    while (!j->ended)
        if (!history_step(h) && !history_merge_step(h)) thread_sleep_ns(20000); // until a change is durable
}

// Hand the job to the history's thread and wait for its end.
static Err job_run(History *of, EraseJob *j) {
    History *h = of->root;
    j->of = of;
    arena_init(&j->page, 0);
    arena_init(&j->block, 0);
    j->tracks = mem_alloc(HBLOCK_ROWS * sizeof *j->tracks);
    settle(h);
    pthread_mutex_lock(&h->lock);
    while (!h->stop && atomic_load(&h->erase)) pthread_cond_wait(&h->moved, &h->lock);
    bool closed = h->stop;
    if (!closed) atomic_store(&h->erase, j);
    h->poked = true;
    h->idle = false;
    pthread_cond_signal(&h->work);
    while (!closed && h->thread.running && !j->ended) pthread_cond_wait(&h->moved, &h->lock);
    pthread_mutex_unlock(&h->lock);
    if (closed) return ERR_CLOSED;
    if (!h->thread.running) drive(h, j);
    return j->err;
}

static int by_place(const void *a, const void *b) {
    const HistoryErase *x = a, *y = b;
    if (x->lane != y->lane) return x->lane < y->lane ? -1 : 1;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

Err history_erase(History *h, const HistoryErase *what, int64_t n, int64_t *points) {
    EraseJob j = {.count = n, .spans = mem_alloc((size_t)n * sizeof *j.spans)};
    if (n) memcpy(j.spans, what, (size_t)n * sizeof *what);
    if (n) qsort(j.spans, (size_t)n, sizeof *j.spans, by_place);
    Err err = job_run(h, &j);
    *points = j.points;
    job_free(&j);
    return err;
}

// ---- the dead -----------------------------------------------------------------------------------------------------

static bool see_end(void *ctx, const HistoryPoint *p) {
    *(int64_t *)ctx = p->bits ? 0 : p->arrival;
    return true;
}

// When a twin was deleted; 0: it was not, as far as is known.
static Err died(History *h, uint64_t twin, int64_t *time) {
    HistorySeries s = {.lane = LANE_PLACE, .row = twin, .from = INT64_MIN, .to = INT64_MAX, .arrival = true};
    *time = 0;
    return history_series(h, &s, see_end, time);
}

// The store has too much to do: again when it has less.
static Err put_dead(History *h, const StoreDead *dead, int64_t count) {
    for (;;) {
        Err err = history_put_now(h->root, &(StoreHistoryPut){.dead = dead, .dead_count = count});
        pthread_mutex_lock(&h->root->lock);
        bool closed = h->root->stop;
        pthread_mutex_unlock(&h->root->lock);
        if (err != ERR_BUSY || closed) return err;
        thread_sleep_ns(NS_PER_MS);
        store_help(h->store);
    }
}

Err history_erase_dead(History *h, const uint64_t *twins, int64_t n) {
    EraseJob j = {.dead = twins, .dead_count = n};
    StoreDead *dead = mem_alloc((size_t)n * sizeof *dead);
    int64_t count = 0;
    Err err = job_run(h, &j);
    for (int64_t i = 0; i < n && !err; i++) {
        int64_t time;
        err = died(h, twins[i], &time);
        bool own = time > (h->parent ? h->f.fork_time : 0); // its parents' names are not its own
        StoreDead d = {.twin = twins[i], .time = time, .world = h->f.world};
        if (!err && time && own) d.name = name_of(twins[i]);
        if (!err && time && own) dead[count++] = d;
    }
    if (!err && count) err = put_dead(h, dead, count);
    for (int64_t i = 0; i < count; i++) mem_free((void *)(uintptr_t)dead[i].name.p);
    mem_free(dead);
    job_free(&j);
    return err;
}

// ---- finding ------------------------------------------------------------------------------------------------------

typedef struct Find {
    History *h;
    HistoryDesk *d;
    StoreReader *r;
    Layer layer;
    uint64_t lane, page, mask, value;
    bool (*fn)(void *ctx, uint64_t row);
    void *ctx;
    bool stopped;
    Err err;
} Find;

static void find_tell(Find *f, uint32_t row, uint64_t bits) {
    if (!f->stopped && (bits & f->mask) == f->value) f->stopped = !f->fn(f->ctx, f->page << PAGE_SHIFT | row);
}

static bool find_block(void *ctx, const StoreHistory *row) {
    Find *f = ctx;
    HBlock b;
    const HPoint *p;
    int64_t n = 0;
    if (row->first > f->layer.to) return true;
    arena_reset(&f->d->arena);
    f->err = hblock_open(f->d->work, row->bytes, &f->d->arena, &b);
    HState *start = NEW(&f->d->arena, HState, HBLOCK_ROWS);
    if (!f->err) f->err = hblock_rows(f->d->work, &b, 0, HBLOCK_ROWS - 1, &f->d->arena, &p, &n, start);
    if (f->err) return false;
    for (int64_t i = 0; i < n; i++)
        if (has_value(p[i].kind) && b.batches[p[i].batch].seq <= f->layer.to) find_tell(f, p[i].row, p[i].bits);
    for (uint32_t i = 0; i < HBLOCK_ROWS && b.has_start; i++)
        if (start[i].valid) find_tell(f, i, start[i].bits);
    return !f->stopped;
}

// Heads first: what leaves them meanwhile is in the blocks.
static Err find_page(Find *f) {
    StoreHistoryAsk ask = {
        .lane = layer_lane(&f->layer, f->lane), .page = f->page, .bytes = true, .from = INT64_MIN, .to = INT64_MAX};
    HeadView v = head_view(f->layer.of, f->lane, f->page);
    for (int32_t i = 0; i < v.count; i++) {
        HeadCursor c = head_cursor(v.runs[i], f->layer.to);
        for (HeadPoint x; head_next(&c, &x);)
            if (has_value(x.p.kind)) find_tell(f, x.p.row, x.p.bits);
    }
    head_view_free(&v);
    if (f->stopped) return ERR_OK;
    TRY(store_reader_begin(f->h->store, &f->r));
    Err err = store_history_rows(f->r, &ask, find_block, f);
    store_reader_end(f->r);
    return f->err ? f->err : err;
}

static Err pages_of(const Layer *l, uint64_t lane, uint64_t *pages) {
    StoreReader *r;
    uint64_t heads = head_pages(l->of, lane);
    TRY(store_reader_begin(l->of->store, &r));
    Err err = store_history_pages(r, layer_lane(l, lane), pages);
    store_reader_end(r);
    if (heads > *pages) *pages = heads;
    return err;
}

static Err find_layer(Find *f) {
    uint64_t pages = 0;
    TRY(pages_of(&f->layer, f->lane, &pages));
    Err err = ERR_OK;
    for (f->page = 0; f->page < pages && !f->stopped && !err; f->page++) err = find_page(f);
    return err;
}

Err history_find(History *h, uint64_t lane, uint64_t mask, uint64_t value, bool (*fn)(void *ctx, uint64_t row),
                 void *ctx) {
    Find f = {.h = h, .lane = lane, .mask = mask, .value = value, .fn = fn, .ctx = ctx, .layer = layer_first(h)};
    settle(h);
    f.d = history_desk_take(h);
    Err err = find_layer(&f);
    while (!err && !f.stopped && layer_next(&f.layer)) err = find_layer(&f);
    history_desk_give(h, f.d);
    return err;
}
