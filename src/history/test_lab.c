// SPDX-License-Identifier: Apache-2.0
#include "history/test_lab.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"

#define RING 16384

static void fail(const HistoryLab *l, const char *what, uint64_t a, uint64_t b) {
    fprintf(stderr, "seed %llu: %s: %llu %llu\n", (unsigned long long)l->seed, what, (unsigned long long)a,
            (unsigned long long)b);
    abort();
}

static uint64_t below(HistoryLab *l, uint64_t n) { return rng_below(&l->rng, n); }

// ---- life ---------------------------------------------------------------------------------------------------------

static void on_commit(void *ctx, uint64_t last_seq) { atomic_store(&((HistoryLab *)ctx)->acked, last_seq); }

static void on_group(void *ctx, uint64_t last_seq, uint64_t ticket) {
    on_commit(ctx, last_seq);
    atomic_store(&((HistoryLab *)ctx)->durable, ticket);
}

static void on_fail(void *ctx, Err err, const char *why) {
    (void)err, (void)why;
    atomic_fetch_add(&((HistoryLab *)ctx)->fails, 1);
}

static void on_replay(void *ctx, const BatchHead *head, Str trail) {
    history_replay(((HistoryLab *)ctx)->h, head, trail);
}

void history_lab_init(HistoryLab *l, uint64_t seed, Str path, const char *vfs) {
    *l = (HistoryLab){.path = path, .vfs = vfs, .seed = seed, .rng = rng_make(seed, 11)};
    l->writer.rng = rng_make(seed, 12);
    arena_init(&l->keep, 0);
}

void history_lab_free(HistoryLab *l) {
    for (int i = 0; i < l->moment_count; i++) buf_free(&l->moments[i].dump);
    test_writer_free(&l->writer);
    mem_free(l->points);
    mem_free(l->batches);
    arena_free(&l->keep);
}

void history_lab_forget(HistoryLab *l, uint64_t seq) {
    while (l->batch_count && l->batches[l->batch_count - 1].seq > seq)
        l->point_count = l->batches[--l->batch_count].first;
    int n = 0;
    for (int i = 0; i < l->moment_count; i++) {
        if (l->moments[i].seq <= seq) l->moments[n++] = l->moments[i];
        else buf_free(&l->moments[i].dump);
    }
    for (int i = n; i < l->moment_count; i++) l->moments[i].dump = (Buf){0}; // moved or freed
    l->moment_count = n;
}

static void give_up(HistoryLab *l) {
    history_close(l->h);
    if (l->store) store_close(l->store);
    if (l->world) world_free(l->world);
    domain_free(l->domain);
    l->store = NULL;
    l->world = NULL;
    l->h = NULL;
}

Err history_lab_open(HistoryLab *l) {
    const StoreOpen o = {.path = l->path,
                         .vfs = l->vfs,
                         .ctx = l,
                         .on_commit = on_commit,
                         .on_group = on_group,
                         .on_fail = on_fail,
                         .on_replay = on_replay};
    l->submitted = 0;
    atomic_store(&l->durable, 0);
    Buf why = {0};
    l->domain = domain_new();
    l->h = history_new(&l->open);
    l->store = NULL;
    l->world = NULL;
    Err e = store_open(&o, l->domain, RING, &l->store, &l->world, &why);
    if (e == ERR_OK) e = history_open(l->h, l->store, l->world, &why);
    if (e == ERR_OK) e = store_start(l->store);
    if (e == ERR_OK && l->threads) e = history_start(l->h);
    if (e != ERR_OK) give_up(l);
    buf_free(&why);
    if (e != ERR_OK) return e;
    atomic_store(&l->fails, 0);
    atomic_store(&l->acked, world_seq(l->world));
    history_lab_forget(l, world_seq(l->world));
    test_writer_look(&l->writer, l->world);
    return ERR_OK;
}

void history_lab_close(HistoryLab *l) {
    if (l->store) give_up(l);
}

// ---- writing ------------------------------------------------------------------------------------------------------

bool history_lab_turn(HistoryLab *l) { return !l->threads && (history_step(l->h) || history_merge_step(l->h)); }

void history_lab_keep(HistoryLab *l, uint64_t seq, int64_t time, Str source, Str trail) {
    if (l->batch_count == l->batch_cap) {
        l->batch_cap = l->batch_cap ? l->batch_cap * 2 : 256;
        l->batches = mem_grow(l->batches, (size_t)l->batch_cap * sizeof *l->batches);
    }
    LabBatch *b = &l->batches[l->batch_count++];
    *b = (LabBatch){.seq = seq, .time = time, .source = arena_str(&l->keep, source), .first = l->point_count};
    TrailPoint p;
    for (Cut c = cut_of(trail); trail_next(&c, &p); b->count++) {
        if (l->point_count == l->point_cap) {
            l->point_cap = l->point_cap ? l->point_cap * 2 : 4096;
            l->points = mem_grow(l->points, (size_t)l->point_cap * sizeof *l->points);
        }
        p.text = p.text.n ? arena_str(&l->keep, p.text) : (Str){0};
        l->points[l->point_count] = (LabPoint){.p = p,
                                               .seq = seq,
                                               .lane = trail_lane(p.vec, p.word),
                                               .time = time,
                                               .order = l->point_count,
                                               .source = b->source};
        l->point_count++;
    }
}

static void undo(HistoryLab *l) {
    uint64_t acked = atomic_load(&l->acked);
    world_undo_to(l->world, acked);
    world_settle(l->world, acked);
    if (!l->disk || !test_vfs_dead(l->disk)) history_lab_forget(l, acked);
    test_writer_look(&l->writer, l->world);
}

static void await_commit(HistoryLab *l, uint64_t seq) {
    while (atomic_load(&l->acked) < seq && !atomic_load(&l->fails)) {
        thread_sleep_ns(20000);
    }
}

void history_lab_submitted(HistoryLab *l) {
    l->submitted++;
    while (atomic_load(&l->durable) < l->submitted && !atomic_load(&l->fails)) thread_sleep_ns(20000);
}

Err history_lab_write(HistoryLab *l, int64_t changes) {
    uint64_t seq = world_seq(l->world) + 1;
    Buf bytes = {0}, trail = {0};
    Str source = STR("test"); // what the journal says too
    test_writer_batch(&l->writer, l->world, seq, changes, &bytes);
    int64_t time = world_time(l->world);
    world_take_trail(l->world, &trail);
    history_lab_keep(l, seq, time, source, buf_str(&trail));
    store_submit(l->store, seq, buf_str(&bytes));
    l->submitted++;
    buf_free(&bytes);
    await_commit(l, seq);
    if (atomic_load(&l->acked) < seq) {
        buf_free(&trail);
        if (l->dying) return ERR_STORAGE; // the disk knows whether it was
        undo(l);
        atomic_store(&l->fails, 0);
        store_resume(l->store);
        return ERR_STORAGE;
    }
    world_settle(l->world, seq);
    history_add(l->h, seq, time, source, &trail);
    return ERR_OK;
}

void history_lab_tell(HistoryLab *l, uint64_t seq, int64_t time, Str source, Buf *trail) {
    history_lab_keep(l, seq, time, source, buf_str(trail));
    history_add(l->h, seq, time, source, trail);
}

void history_lab_moment(HistoryLab *l) {
    if (world_seq(l->world) == 0) return;
    int i = l->moment_count < LAB_MOMENTS ? l->moment_count++ : (int)below(l, LAB_MOMENTS);
    LabMoment *m = &l->moments[i];
    buf_reset(&m->dump);
    m->seq = world_seq(l->world);
    m->at = world_time(l->world);
    test_world_dump(l->world, &m->dump);
}

void history_lab_checkpoint(HistoryLab *l) {
    uint64_t seq = world_seq(l->world);
    World *fork = world_fork(l->world, 0);
    if (store_checkpoint(l->store, fork, seq)) history_seal(l->h, seq);
    else world_free(fork);
}

static bool flying(HistoryLab *l) {
    pthread_mutex_lock(&l->h->lock);
    bool any = l->h->flying > 0;
    pthread_mutex_unlock(&l->h->lock);
    return any;
}

void history_lab_rest(HistoryLab *l) {
    if (l->threads) {
        history_wait(l->h, world_visible(l->world));
        history_drain(l->h);
        store_drain(l->store);
        history_drain(l->h);
        return;
    }
    while (history_lab_turn(l) || flying(l) || !seal_idle(l->h) || store_checkpointing(l->store))
        thread_sleep_ns(20000);
}

// ---- comparing worlds ---------------------------------------------------------------------------------------------

// Behind the line that tells the time of the newest batch: of a past world it is the instant.
static Str behind_time(Str dump) {
    for (int i = 0; i < 2; i++) str_cut(&dump, '\n');
    return dump;
}

static World *past_of(HistoryLab *l, uint64_t seq, int64_t at) {
    PastSource src = history_past(l->h);
    World *past = NULL;
    Err e = world_past(l->domain, &src, seq, at, l->world, &past);
    if (e != ERR_OK) fail(l, err_name(e), seq, (uint64_t)at);
    return past;
}

static void check_moment(HistoryLab *l, const LabMoment *m, int64_t after) {
    uint64_t seq = 0;
    int64_t time = 0;
    if (history_seq_at(l->h, m->at + after, &seq, &time) != ERR_OK || seq != m->seq || time != m->at)
        fail(l, "batch at", m->seq, seq);
    World *past = past_of(l, seq, m->at + after);
    Buf dump = {0};
    test_world_dump(past, &dump);
    Str a = behind_time(buf_str(&m->dump)), b = behind_time(buf_str(&dump));
    if (!str_eq(a, b)) {
        int64_t i = 0, line = 0;
        while (i < a.n && i < b.n && a.p[i] == b.p[i]) line = a.p[i++] == '\n' ? i : line;
        fprintf(stderr, "was: %.160s\nis:  %.160s\n", a.p + line, b.p + line);
        fail(l, "past world", m->seq, (uint64_t)i);
    }
    buf_free(&dump);
    world_free(past);
}

// ---- comparing series ---------------------------------------------------------------------------------------------

// ORDER TRAIL
static const uint8_t kinds[TRAIL_KIND_COUNT] = {
    0, HPOINT_PUT, HPOINT_PUT, HPOINT_PUT, HPOINT_CLEAR, HPOINT_SOURCE, HPOINT_MOVED, HPOINT_LATE, HPOINT_PUT, 0};

static int64_t own_time(const LabPoint *p) { return p->p.source_time ? p->p.source_time : p->time; }

typedef struct Expect {
    HistoryLab *l;
    const LabPoint **points;
    int64_t count, at;
} Expect;

static bool same_point(const HistoryPoint *a, const LabPoint *b) {
    bool value = a->kind != HPOINT_CLEAR && a->kind != HPOINT_SOURCE;
    return a->kind == kinds[b->p.kind] && a->seq == b->seq && a->arrival == b->time &&
           a->source_time == b->p.source_time && a->time == own_time(b) && a->row == (b->p.row & 1023) &&
           (!value || (a->bits == b->p.bits && str_eq(a->text, b->p.text))) && str_eq(a->source, b->source);
}

static bool expect_point(void *ctx, const HistoryPoint *p) {
    Expect *e = ctx;
    if (e->at >= e->count) fail(e->l, "a point too many", p->seq, p->row);
    if (!same_point(p, e->points[e->at])) fail(e->l, "another point", p->seq, e->points[e->at]->seq);
    e->at++;
    return true;
}

static int by_own(const void *a, const void *b) {
    const LabPoint *x = *(const LabPoint *const *)a, *y = *(const LabPoint *const *)b;
    if (own_time(x) != own_time(y)) return own_time(x) < own_time(y) ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void check_series(HistoryLab *l, const HistorySeries *s) {
    Expect e = {.l = l, .points = mem_alloc((size_t)l->point_count * sizeof *e.points)};
    for (int64_t i = 0; i < l->point_count; i++) {
        const LabPoint *p = &l->points[i];
        int64_t key = s->arrival ? p->time : own_time(p);
        if (p->lane != s->lane || p->p.row != s->row || p->p.kind == TRAIL_DEAD || key < s->from || key >= s->to)
            continue;
        if (!s->everything && (p->p.kind == TRAIL_MOVED || p->p.kind == TRAIL_SOURCE)) continue;
        e.points[e.count++] = p;
    }
    if (!s->arrival && e.count) qsort(e.points, (size_t)e.count, sizeof *e.points, by_own);
    int64_t n = 0;
    for (int64_t i = 0; i < e.count; i++) {
        bool beaten =
            !s->arrival && !s->everything && i + 1 < e.count && own_time(e.points[i]) == own_time(e.points[i + 1]);
        if (!beaten) e.points[n++] = e.points[i];
    }
    e.count = n;
    if (history_series(l->h, s, expect_point, &e) != ERR_OK) fail(l, "no series", s->lane, s->row);
    if (e.at != e.count) fail(l, "points missing", (uint64_t)e.at, (uint64_t)e.count);
    mem_free(e.points);
}

static int64_t some_time(HistoryLab *l) {
    const LabPoint *p = &l->points[below(l, (uint64_t)l->point_count)];
    return (below(l, 2) ? own_time(p) : p->time) + (int64_t)below(l, 3) - 1;
}

static void check_some_series(HistoryLab *l) {
    const LabPoint *p = &l->points[below(l, (uint64_t)l->point_count)];
    HistorySeries s = {.lane = p->lane, .row = p->p.row, .from = INT64_MIN, .to = INT64_MAX};
    s.arrival = below(l, 2);
    s.everything = below(l, 2);
    if (below(l, 2)) {
        int64_t a = some_time(l), b = some_time(l);
        s.from = a < b ? a : b;
        s.to = a < b ? b : a;
    }
    check_series(l, &s);
}

// ---- comparing last values ----------------------------------------------------------------------------------------

static const LabPoint *last_of(const HistoryLab *l, uint64_t lane, uint64_t row, int64_t at) {
    const LabPoint *best = NULL;
    for (int64_t i = 0; i < l->point_count; i++) {
        const LabPoint *p = &l->points[i];
        if (p->lane != lane || p->p.row != row || own_time(p) > at) continue;
        if (p->p.kind == TRAIL_SOURCE || p->p.kind == TRAIL_DEAD) continue;
        if (!best || own_time(p) >= own_time(best)) best = p;
    }
    return best;
}

enum { LAST_ROWS = 24 };

static void check_some_last(HistoryLab *l) {
    uint64_t rows[LAST_ROWS], lane = l->points[below(l, (uint64_t)l->point_count)].lane;
    HistoryPoint out[LAST_ROWS];
    int64_t n = 1 + (int64_t)below(l, LAST_ROWS), at = some_time(l);
    Arena keep;
    arena_init(&keep, 0);
    for (int64_t i = 0; i < n; i++) {
        const LabPoint *p = &l->points[below(l, (uint64_t)l->point_count)];
        for (int k = 0; k < 50 && p->lane != lane; k++) p = &l->points[below(l, (uint64_t)l->point_count)];
        rows[i] = p->p.row;
    }
    if (history_last(l->h, lane, rows, n, at, &keep, out) != ERR_OK) fail(l, "no last values", lane, 0);
    for (int64_t i = 0; i < n; i++) {
        const LabPoint *p = last_of(l, lane, rows[i], at);
        if (p ? same_point(&out[i], p) : out[i].kind == 0) continue;
        fprintf(stderr, "at %lld: is %d seq %llu time %lld, was %d seq %llu time %lld\n", (long long)at, out[i].kind,
                (unsigned long long)out[i].seq, (long long)out[i].time, p ? kinds[p->p.kind] : 0,
                p ? (unsigned long long)p->seq : 0, p ? (long long)own_time(p) : 0);
        fail(l, "last value", lane, rows[i]);
    }
    arena_free(&keep);
}

// ---- comparing batches --------------------------------------------------------------------------------------------

typedef struct Batches {
    HistoryLab *l;
    int64_t at;
    LabPoint *sorted;
} Batches;

static int by_place(const void *a, const void *b) {
    const LabPoint *x = a, *y = b;
    if (x->lane != y->lane) return x->lane < y->lane ? -1 : 1;
    if (x->p.row != y->p.row) return x->p.row < y->p.row ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static bool same_record(const TrailPoint *a, const TrailPoint *b) {
    return a->kind == b->kind && a->vec == b->vec && a->word == b->word && a->row == b->row && a->bits == b->bits &&
           a->source_time == b->source_time && a->update_time == b->update_time && str_eq(a->text, b->text);
}

static bool expect_batch(void *ctx, const HistoryBatch *b) {
    Batches *x = ctx;
    HistoryLab *l = x->l;
    if (x->at >= l->batch_count) fail(l, "a batch too many", b->seq, 0);
    const LabBatch *e = &l->batches[x->at++];
    if (b->seq != e->seq || b->time != e->time || !str_eq(b->source, e->source)) fail(l, "batch", b->seq, e->seq);
    LabPoint *sorted = mem_alloc((size_t)e->count * sizeof *sorted);
    int64_t n = 0;
    for (int64_t i = 0; i < e->count; i++) {
        if (l->points[e->first + i].p.kind != TRAIL_DEAD) sorted[n++] = l->points[e->first + i];
    }
    if (n) qsort(sorted, (size_t)n, sizeof *sorted, by_place);
    if (n != b->count) fail(l, "points of a batch", (uint64_t)n, (uint64_t)b->count);
    for (int64_t i = 0; i < n; i++) {
        const TrailPoint *a = &sorted[i].p, *c = &b->points[i];
        if (same_record(a, c)) continue;
        fprintf(stderr, "kind %d %d, vec %u %u, row %llu %llu, bits %llx %llx, text %lld %lld\n", a->kind, c->kind,
                a->vec, c->vec, (unsigned long long)a->row, (unsigned long long)c->row, (unsigned long long)a->bits,
                (unsigned long long)c->bits, (long long)a->text.n, (long long)c->text.n);
        fail(l, "point of a batch", b->seq, (uint64_t)i);
    }
    mem_free(sorted);
    return true;
}

static void check_batches(HistoryLab *l, int64_t first, int64_t end) {
    Batches x = {.l = l, .at = first};
    int64_t from = l->batches[first].time, to = end < l->batch_count ? l->batches[end].time : INT64_MAX;
    if (history_batches(l->h, from, to, expect_batch, &x) != ERR_OK) fail(l, "no batches", (uint64_t)first, 0);
    if (x.at != end) fail(l, "batches missing", (uint64_t)x.at, (uint64_t)end);
}

// ---- the dead -----------------------------------------------------------------------------------------------------

typedef struct Dead {
    HistoryLab *l;
    const LabPoint **points; // of one name, newest first
    int64_t count, at;
} Dead;

static bool expect_dead(void *ctx, const StoreDead *d) {
    Dead *x = ctx;
    if (x->at >= x->count) fail(x->l, "a dead twin too many", d->twin, 0);
    const LabPoint *p = x->points[x->at++];
    if (d->twin != p->p.row || d->time != p->time) fail(x->l, "dead twin", d->twin, p->p.row);
    return true;
}

static void check_dead(HistoryLab *l) {
    const LabPoint *some = NULL;
    Dead x = {.l = l, .points = mem_alloc((size_t)l->point_count * sizeof *x.points)};
    uint64_t skip = below(l, 20);
    for (int64_t i = 0; i < l->point_count; i++) {
        if (l->points[i].p.kind == TRAIL_DEAD && (!some || skip-- > 0)) some = &l->points[i];
    }
    for (int64_t i = l->point_count - 1; i >= 0 && some; i--) {
        const LabPoint *p = &l->points[i];
        if (p->p.kind == TRAIL_DEAD && str_eq(p->p.text, some->p.text)) x.points[x.count++] = p;
    }
    if (some && history_dead(l->h, some->p.text, expect_dead, &x) != ERR_OK) fail(l, "no dead", 0, 0);
    if (x.at != x.count) fail(l, "dead missing", (uint64_t)x.at, (uint64_t)x.count);
    mem_free(x.points);
}

// ---- all of it ----------------------------------------------------------------------------------------------------

static void get_ready(HistoryLab *l) {
    if (l->batch_count == 0) return;
    uint64_t seq = l->batches[l->batch_count - 1].seq;
    History *h = l->h;
    while (h->parent && seq <= h->f.fork_seq) h = h->parent; // as history_wait
    if (l->threads) history_wait(h, seq);
    else
        while (atomic_load(&h->taken) < seq) history_step(h->root);
}

void history_lab_check(HistoryLab *l, int n) {
    if (l->batch_count == 0) return;
    get_ready(l);
    for (int i = 0; i < n; i++) {
        check_some_series(l);
        check_some_last(l);
        if (l->moment_count && i % 4 == 0) {
            const LabMoment *m = &l->moments[below(l, (uint64_t)l->moment_count)];
            check_moment(l, m, (int64_t)below(l, 2) * 57);
        }
    }
    int64_t first = (int64_t)below(l, (uint64_t)l->batch_count);
    check_batches(l, first, first + (int64_t)below(l, (uint64_t)(l->batch_count - first)) + 1);
    check_dead(l);
}

void history_lab_check_all(HistoryLab *l) {
    if (l->batch_count == 0) return;
    get_ready(l);
    check_batches(l, 0, l->batch_count);
    for (int i = 0; i < l->moment_count; i++) check_moment(l, &l->moments[i], i % 2 * 57);
    history_lab_check(l, 40);
}

void history_lab_check_moments(HistoryLab *l) {
    get_ready(l);
    for (int i = 0; i < l->moment_count; i++) check_moment(l, &l->moments[i], i % 2 * 57);
}
