// SPDX-License-Identifier: Apache-2.0
#include "engine/scenario_keep.h"
#include "engine/run.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/pasts.h"
#include "world/forget.h"

#define ROW_FORMAT 1
#define READ_BYTES ((int64_t)1 << 20) // of a journal in memory while it is replayed

static Str str_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

Scenario *scenario_new(Str name, Str from) {
    Scenario *s = mem_alloc(sizeof *s);
    atomic_init(&s->refs, 1);
    s->name = str_own(name);
    s->from = str_own(from);
    return s;
}

void scenario_from(Scenario *s, Str from, int64_t at) {
    int64_t same;
    Str base;
    if (pasts_parse(from, 0, &base, &same)) return;
    Buf name = {0};
    buf_printf(&name, "%.*s@", STR_ARG(base));
    time_print(at, 9, &name);
    mem_free((void *)s->from.p);
    s->from = str_own(buf_str(&name));
    buf_free(&name);
}

void scenario_ask(Scenario *s, const SosiaFork *f) {
    s->purpose = str_own(f->purpose);
    s->until_ns = f->until_ns;
    s->seed = f->seed;
    s->seeded = f->seeded;
}

Scenario *scenario_ref(Scenario *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void scenario_unref(Scenario *s) {
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    history_close(s->history);
    scenario_unref(s->up);
    mem_free((void *)s->name.p);
    mem_free((void *)s->from.p);
    mem_free((void *)s->purpose.p);
    mem_free(s);
}

bool scenarios_kept(const Sosia *e) { return e->store && e->history; }

int64_t scenario_clock(const Realm *r) {
    int64_t clock = r->scenario->clock, time = atomic_load(&r->scenario->time);
    return time > clock ? time : clock;
}

int64_t scenario_next_time(const Realm *r, int64_t time) {
    int64_t first = r->scenario->clock + TIME_GRAIN;
    return world_next_time(r->world, time > first ? time : first);
}

// ---- rows: ROW_FORMAT u8, flags u8, then numbers as varints and texts with their sizes -----------------------------

enum { ROW_DROPPED = 1, ROW_SEEDED = 2 };

static void row_encode(const Scenario *s, bool dropped, Buf *out) {
    buf_byte(out, ROW_FORMAT);
    buf_byte(out, (char)((dropped ? ROW_DROPPED : 0) | (s->seeded ? ROW_SEEDED : 0)));
    uint64_t numbers[] = {s->parent,
                          s->fork_seq,
                          (uint64_t)s->clock,
                          s->live_seq,
                          (uint64_t)s->live_time,
                          (uint64_t)s->created_ns,
                          (uint64_t)s->until_ns,
                          s->seed,
                          (uint64_t)s->depth};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) buf_u64(out, numbers[i]);
    const Str texts[] = {s->name, s->from, s->purpose};
    for (size_t i = 0; i < 3; i++) {
        buf_varint(out, (uint64_t)texts[i].n);
        buf_str_put(out, texts[i]);
    }
}

static Scenario *row_decode(uint64_t number, Str bytes) {
    Cut c = cut_of(bytes);
    uint8_t format = cut_byte(&c), flags = cut_byte(&c);
    uint64_t n[9];
    Str texts[3];
    for (int i = 0; i < 9; i++) n[i] = cut_u64(&c);
    for (int i = 0; i < 3; i++) texts[i] = cut_bytes(&c, (int64_t)cut_varint(&c));
    if (c.bad || format != ROW_FORMAT || n[8] > SCENARIO_DEPTH_MAX) return NULL;
    Scenario *s = scenario_new(texts[0], texts[1]);
    s->purpose = str_own(texts[2]);
    s->number = number;
    s->parent = n[0];
    s->fork_seq = n[1];
    s->clock = (int64_t)n[2];
    s->live_seq = n[3];
    s->live_time = (int64_t)n[4];
    s->created_ns = (int64_t)n[5];
    s->until_ns = (int64_t)n[6];
    s->seed = n[7];
    s->depth = (int32_t)n[8];
    s->seeded = flags & ROW_SEEDED;
    s->dropped = flags & ROW_DROPPED;
    return s;
}

static void row_put(Sosia *e, const Scenario *s, bool dropped) {
    Buf row = {0};
    row_encode(s, dropped, &row);
    batch_ticket(e);
    store_world_put(e->store, s->number, buf_str(&row));
    buf_free(&row);
}

// ---- the table: worlds_lock held -----------------------------------------------------------------------------------

static Scenario *table_number(const Sosia *e, uint64_t number) {
    for (int64_t i = 0; i < e->scenario_count; i++)
        if (e->scenarios[i]->number == number) return e->scenarios[i];
    return NULL;
}

static void table_put(Sosia *e, Scenario *s) {
    if (e->scenario_count == e->scenario_cap) {
        e->scenario_cap = e->scenario_cap ? 2 * e->scenario_cap : 16;
        e->scenarios = mem_grow(e->scenarios, (size_t)e->scenario_cap * sizeof *e->scenarios);
    }
    e->scenarios[e->scenario_count++] = scenario_ref(s);
}

static void table_take(Sosia *e, const Scenario *s) {
    for (int64_t i = 0; i < e->scenario_count; i++) {
        if (e->scenarios[i] != s) continue;
        scenario_unref(e->scenarios[i]);
        e->scenarios[i] = e->scenarios[--e->scenario_count];
        return;
    }
}

// Does a fork that stays need it?
static bool needed(const Sosia *e, const Scenario *s) {
    for (int64_t i = 0; i < e->scenario_count; i++) {
        const Scenario *x = e->scenarios[i];
        if (x->parent == s->number && !x->going) return true;
    }
    return false;
}

// ---- keeping and dropping -----------------------------------------------------------------------------------------

// Its parents have theirs. Errors: those of history_fork.
static Err history_make(Sosia *e, Scenario *s) {
    if (s->history) return ERR_OK;
    HistoryFork f = {.parent = s->up ? s->up->history : e->history,
                     .world = s->number,
                     .fork_seq = s->fork_seq,
                     .fork_time = s->clock}; // nothing of the parent's lies between
    return history_fork(&f, &s->history);
}

Err scenario_keep(Sosia *e, Scenario *s) {
    s->number = ++e->world_number;
    TRY(history_make(e, s));
    row_put(e, s, false);
    pthread_mutex_lock(&e->worlds_lock);
    table_put(e, s); // children may be forked of it before it is durable
    pthread_mutex_unlock(&e->worlds_lock);
    scenarios_floor(e);
    return ERR_OK;
}

// What goes with it: parents that were dropped before and have no other child. Writer.
static void drop_up(Sosia *e, Scenario *s) {
    for (Scenario *x = s; x; x = s) {
        pthread_mutex_lock(&e->worlds_lock);
        bool stays = needed(e, x);
        x->leaving = true;
        x->going = !stays;
        s = !stays && x->parent ? table_number(e, x->parent) : NULL;
        if (s && (!s->dropped || s->going)) s = NULL;
        pthread_mutex_unlock(&e->worlds_lock);
        if (stays) {
            row_put(e, x, true);
        } else {
            batch_ticket(e);
            store_world_del(e->store, x->number);
        }
    }
}

void scenario_drop(Sosia *e, Scenario *s) { drop_up(e, s); }

void scenario_dropped(Sosia *e, Scenario *s, bool ok) {
    pthread_mutex_lock(&e->worlds_lock);
    if (ok && !s->going) s->dropped = true;
    if (!ok) s->leaving = false;
    for (Scenario *x = s, *up; x && x->going; x = up) {
        up = x->parent ? table_number(e, x->parent) : NULL;
        if (ok) scenario_keeps_gone(e, x->number);
        if (ok) table_take(e, x);
        else x->going = false;
    }
    pthread_mutex_unlock(&e->worlds_lock);
}

void scenario_refused(Sosia *e, Scenario *s) {
    pthread_mutex_lock(&e->worlds_lock);
    table_take(e, s);
    pthread_mutex_unlock(&e->worlds_lock);
}

void scenario_submit(Sosia *e, Realm *r, const FeedBatch *b) {
    View v = view_writer(r->world);
    StoreBatch to = {.world = r->scenario->number,
                     .prev = b->seq - 1,
                     .seq = b->seq,
                     .ids = view_meta(&v, META_ID_MAX),
                     .bytes = {b->bytes, b->size}};
    store_submit_to(e->store, &to);
}

// ---- making one again ----------------------------------------------------------------------------------------------

// A journal to replay: of a world, up to a sequence.
typedef struct Piece {
    Scenario *of;
    uint64_t upto;
} Piece;

// From the fork up to its first parent, of each what the next is of. Errors: CORRUPT.
static Err pieces_of(Scenario *s, Piece *out, int *n) {
    uint64_t upto = UINT64_MAX;
    for (*n = 0; s; s = s->up) {
        if (*n > SCENARIO_DEPTH_MAX || (s->parent && !s->up)) return ERR_CORRUPT;
        out[(*n)++] = (Piece){s, upto};
        if (s->fork_seq < upto) upto = s->fork_seq;
    }
    return ERR_OK;
}

static Err pass_over(Cut *c, const BatchHead *head) {
    Change change;
    BatchHead again;
    TRY(batch_decode(c, &again));
    for (int64_t i = 0; i < head->count; i++) TRY(change_decode(c, &change));
    return ERR_OK;
}

// own: its batches are counted.
static Err replay_rows(World *w, Str bytes, const Piece *p, bool own) {
    Scenario *s = p->of;
    for (Cut c = cut_of(bytes); c.p < c.end;) {
        Cut peek = c;
        BatchHead head;
        TRY(batch_decode(&peek, &head));
        if (head.seq > p->upto) return ERR_OK;
        if (head.seq <= world_seq(w)) {
            TRY(pass_over(&c, &head));
            continue;
        }
        const char *from = (const char *)c.p;
        Err err = world_replay(w, &c, &head);
        if (err) return world_broken(w) ? world_broken(w) : ERR_CORRUPT;
        if (!atomic_load(&s->made)) history_replay(s->history, &head, world_trail(w));
        if (!own) continue;
        if (!str_eq(head.source, RUN_SOURCE)) atomic_store(&s->foreign, head.seq);
        atomic_fetch_add(&s->batches, 1);
        atomic_fetch_add(&s->bytes, (const char *)c.p - from);
    }
    return ERR_OK;
}

static Err replay_journal(Sosia *e, World *w, const Piece *p, bool own) {
    uint64_t after = world_seq(w);
    Err err = ERR_OK;
    Buf bytes = {0};
    while (!err && world_seq(w) < p->upto) {
        StoreReader *r;
        buf_reset(&bytes);
        err = store_reader_begin(e->store, &r);
        if (err) break;
        err = store_world_journal(r, p->of->number, &after, READ_BYTES, &bytes);
        store_reader_end(r); // before history is read for the pages that the batches touch
        if (err || !bytes.n) break;
        err = replay_rows(w, buf_str(&bytes), p, own);
    }
    buf_free(&bytes);
    if (!err && p->upto != UINT64_MAX && world_seq(w) != p->upto) err = ERR_CORRUPT;
    return err;
}

// Its history is told too, but of a fork that is made: that has all of it. An instant of a fork's parent may lie before
// what that was forked of: then there is nothing of it.
static Err replay_piece(Sosia *e, World *w, const Piece *p, bool own) {
    Scenario *s = p->of;
    if (p->upto <= s->fork_seq) return ERR_OK;
    if (atomic_load(&s->made)) return replay_journal(e, w, p, own);
    TRY(history_replay_begin(s->history));
    Err err = replay_journal(e, w, p, own);
    history_replay_end(s->history);
    return err;
}

// From the first parent down, told or not: a checkpoint has what it does not tell in blocks.
static Err histories_make(Sosia *e, const Piece *pieces, int n) {
    for (int i = n - 1; i >= 0; i--) TRY(history_make(e, pieces[i].of));
    return ERR_OK;
}

// What all of it lies over: the live world as it was; NULL: nothing.
static Err under_of(Sosia *e, const Scenario *s, Realm **under) {
    *under = NULL;
    if (!s->live_seq) return ERR_OK;
    TRY(pasts_at(e, e->live, s->live_time, under));
    if ((*under)->past.seq == s->live_seq) return ERR_OK;
    realm_unref(*under); // the batch of that time is another one
    *under = NULL;
    return ERR_CORRUPT;
}

static World *fresh(Sosia *e, const Realm *under) {
    World *w = under ? world_fork(under->world, FORK_RING_RECORDS) : world_new(e->domain, FORK_RING_RECORDS);
    world_keep_trail(w, true);
    return w;
}

// A world with the newest checkpoint of a piece. GONE: there is none; nor when it is damaged, as the journal tells the
// same.
static Err kept_world(Sosia *e, const Realm *under, const Piece *p, StoreKeep *kept, World **out) {
    if (!scenario_kept(e, p->of->number, p->upto, kept)) return ERR_GONE;
    World *w = fresh(e, under);
    Err err = scenario_keep_load(e, kept, w);
    if (err) world_free(w);
    else *out = w;
    return err == ERR_CORRUPT ? ERR_GONE : err;
}

// The world at the end of pieces[first], or of nothing. whole: of journals alone.
static Err world_of(Sosia *e, const Realm *under, const Piece *pieces, int n, int first, bool whole, World **out) {
    int at = whole ? n : first;
    StoreKeep kept;
    World *w = NULL;
    Err err = ERR_GONE;
    for (; at < n && err == ERR_GONE; at++) err = kept_world(e, under, &pieces[at], &kept, &w);
    if (err == ERR_GONE) w = fresh(e, under);
    else if (err) return err;
    err = ERR_OK;
    for (int i = at - 1; i >= first && !err; i--) err = replay_piece(e, w, &pieces[i], false);
    if (err) world_free(w);
    else *out = w;
    return err;
}

// The world, and what it was forked of.
static Err worlds_of(Sosia *e, const Realm *under, const Piece *pieces, int n, Scenario *s, World **out, World **base) {
    StoreKeep kept = {0};
    World *w = NULL, *before = NULL;
    Err err = kept_world(e, under, &pieces[0], &kept, &w);
    if (err && err != ERR_GONE) return err;
    atomic_store(&s->batches, kept.batches);
    atomic_store(&s->bytes, kept.batch_bytes);
    atomic_store(&s->foreign, kept.foreign);
    err = world_of(e, under, pieces, n, 1, false, &before);
    if (!err) *base = world_fork(before, 0);
    if (!err && w) world_free(before);
    else if (!err) w = before;
    if (!err) err = replay_piece(e, w, &pieces[0], true);
    if (!err) return *out = w, ERR_OK;
    if (w) world_free(w);
    if (*base) world_free(*base);
    return err;
}

static Err build(Sosia *e, Realm *r) {
    Scenario *s = r->scenario;
    Piece pieces[SCENARIO_DEPTH_MAX + 1];
    int n;
    World *w = NULL, *base = NULL;
    Realm *under;
    TRY(pieces_of(s, pieces, &n));
    TRY(histories_make(e, pieces, n));
    TRY(under_of(e, s, &under));
    Err err = worlds_of(e, under, pieces, n, s, &w, &base);
    if (err) {
        if (under) realm_unref(under);
        return err;
    }
    world_set_future(w, INT64_MAX);
    s->settled = world_seq(w);
    atomic_store(&s->durable, s->settled);
    atomic_store(&s->time, s->settled > s->fork_seq ? world_time(w) : 0);
    atomic_store(&s->made, true);
    r->base = base;
    r->under = under;
    realm_fill(r, w);
    return ERR_OK;
}

Err scenario_history(Sosia *e, Scenario *s, History **out) {
    Piece pieces[SCENARIO_DEPTH_MAX + 1];
    int n;
    TRY(pieces_of(s, pieces, &n));
    pthread_mutex_lock(&e->load_lock);
    Err err = histories_make(e, pieces, n);
    *out = s->history;
    pthread_mutex_unlock(&e->load_lock);
    return err;
}

static Err live_models(Sosia *e, int64_t time, Catalog **out) {
    for (int i = 0; i < READ_TRIES; i++) {
        View v;
        view_begin(&v, e->live->world);
        Err err = forget_models_begin(&v, time, out);
        view_end(&v);
        if (!v.overrun) return err;
        if (!err) catalog_unref(*out);
    }
    return ERR_OVERRUN;
}

static Err models_of_piece(Sosia *e, const Piece *p, Catalog **c, void (*fn)(void *ctx, const Catalog *c), void *ctx) {
    StoreReader *r;
    Buf bytes = {0};
    uint64_t after = p->of->fork_seq;
    TRY(store_reader_begin(e->store, &r));
    Err err = ERR_OK;
    while (!err && after < p->upto) {
        buf_reset(&bytes);
        err = store_world_journal(r, p->of->number, &after, READ_BYTES, &bytes);
        if (err || !bytes.n) break;
        err = forget_models_next(c, buf_str(&bytes), p->upto, fn, ctx);
    }
    store_reader_end(r);
    buf_free(&bytes);
    return err;
}

Err scenario_models(Sosia *e, Scenario *s, void (*fn)(void *ctx, const Catalog *c), void *ctx) {
    Piece pieces[SCENARIO_DEPTH_MAX + 1];
    Catalog *c;
    int n;
    TRY(pieces_of(s, pieces, &n));
    TRY(live_models(e, s->live_time, &c));
    fn(ctx, c);
    Err err = ERR_OK;
    for (int i = n - 1; i >= 0 && !err; i--) err = models_of_piece(e, &pieces[i], &c, fn, ctx);
    catalog_unref(c);
    return err;
}

Scenario **scenarios_all(Sosia *e, int64_t *count) {
    pthread_mutex_lock(&e->worlds_lock);
    *count = e->scenario_count;
    Scenario **all = mem_alloc((size_t)(*count + 1) * sizeof *all);
    for (int64_t i = 0; i < *count; i++) all[i] = scenario_ref(e->scenarios[i]);
    pthread_mutex_unlock(&e->worlds_lock);
    return all;
}

Err scenario_base(Sosia *e, Scenario *s, Realm **under, World **out) {
    Piece pieces[SCENARIO_DEPTH_MAX + 1];
    int n;
    TRY(pieces_of(s, pieces, &n));
    TRY(histories_make(e, pieces, n));
    TRY(under_of(e, s, under));
    Err err = world_of(e, *under, pieces, n, 1, false, out);
    if (err && *under) realm_unref(*under);
    return err;
}

Err scenario_replay(Sosia *e, Scenario *s, Realm **under, World **out) {
    Piece pieces[SCENARIO_DEPTH_MAX + 1];
    int n;
    TRY(pieces_of(s, pieces, &n));
    TRY(histories_make(e, pieces, n));
    TRY(under_of(e, s, under));
    Err err = world_of(e, *under, pieces, n, 0, true, out);
    if (err && *under) realm_unref(*under);
    return err;
}

Err scenario_load(Sosia *e, Realm *r) {
    if (atomic_load(&r->loaded)) return ERR_OK;
    pthread_mutex_lock(&e->load_lock);
    Err err = atomic_load(&r->loaded) ? ERR_OK : build(e, r);
    if (!err) atomic_store(&r->loaded, true);
    pthread_mutex_unlock(&e->load_lock);
    return err;
}

// ---- opening -------------------------------------------------------------------------------------------------------

typedef struct Opening {
    Sosia *e;
    bool bad;
} Opening;

static bool take_row(void *ctx, uint64_t number, Str bytes) {
    Opening *x = ctx;
    Scenario *s = row_decode(number, bytes);
    x->bad = !s;
    if (!s) return false;
    table_put(x->e, s);
    scenario_unref(s);
    return true;
}

static Err read_rows(Sosia *e, StoreReader *r) {
    Opening x = {.e = e};
    uint64_t ids;
    TRY(store_worlds(r, take_row, &x));
    if (x.bad) return ERR_CORRUPT;
    TRY(store_worlds_highest(r, &e->world_number, &ids));
    domain_reserve_ids(e->domain, ids + 1);
    return ERR_OK;
}

Err scenarios_open(Sosia *e, void (*add)(Sosia *e, Scenario *s)) {
    StoreReader *r;
    atomic_store(&e->retain_floor, INT64_MAX);
    if (!scenarios_kept(e)) return ERR_OK;
    TRY(store_reader_begin(e->store, &r));
    Err err = read_rows(e, r);
    if (!err) err = scenario_keeps_open(e, r);
    store_reader_end(r);
    TRY(err);
    for (int64_t i = 0; i < e->scenario_count; i++) {
        Scenario *s = e->scenarios[i], *up = s->parent ? table_number(e, s->parent) : NULL;
        s->up = up ? scenario_ref(up) : NULL;
    }
    for (int64_t i = 0; i < e->scenario_count; i++)
        if (!e->scenarios[i]->dropped) add(e, e->scenarios[i]);
    scenarios_floor(e);
    return ERR_OK;
}

void scenarios_free(Sosia *e) {
    for (int64_t i = 0; i < e->scenario_count; i++) scenario_unref(e->scenarios[i]);
    mem_free(e->scenarios);
}

int64_t scenarios_holder(Sosia *e, Buf *name, int64_t *worlds) {
    const Scenario *oldest = NULL;
    *worlds = 0;
    pthread_mutex_lock(&e->worlds_lock);
    for (int64_t i = 0; i < e->scenario_count; i++) {
        const Scenario *s = e->scenarios[i];
        if (!s->live_seq || s->dropped) continue; // of one that was dropped a child tells, of the same instant
        ++*worlds;
        bool older = !oldest || s->live_time < oldest->live_time;
        if (older || (s->live_time == oldest->live_time && s->number < oldest->number)) oldest = s;
    }
    if (oldest) buf_str_put(name, oldest->name);
    int64_t since = oldest ? oldest->live_time : 0;
    pthread_mutex_unlock(&e->worlds_lock);
    return since;
}

void scenarios_floor(Sosia *e) {
    int64_t floor = INT64_MAX;
    pthread_mutex_lock(&e->worlds_lock);
    for (int64_t i = 0; i < e->scenario_count; i++) {
        const Scenario *s = e->scenarios[i];
        if (s->live_seq && s->live_time < floor) floor = s->live_time;
    }
    pthread_mutex_unlock(&e->worlds_lock);
    atomic_store(&e->retain_floor, floor);
}

// ---- telling -------------------------------------------------------------------------------------------------------

static void show_time(const char *name, int64_t ns, Buf *out) {
    buf_printf(out, ",\"%s\":\"", name);
    time_print(ns, 7, out);
    buf_byte(out, '"');
}

void scenario_show(Sosia *e, const Scenario *s, const World *w, int64_t now_ns, Buf *out) {
    show_time("forkedFrom", s->clock, out);
    buf_printf(out, ",\"forkedAt\":%llu", (unsigned long long)s->fork_seq);
    show_time("created", s->created_ns, out);
    int64_t age = now_ns > s->created_ns ? (now_ns - s->created_ns) / NS_PER_S : 0;
    buf_printf(out, ",\"age\":%lld,\"kept\":%s,\"loaded\":%s", (long long)age, s->number ? "true" : "false",
               w ? "true" : "false");
    pthread_mutex_lock(&e->worlds_lock);
    ScenarioOwn own = s->own;
    pthread_mutex_unlock(&e->worlds_lock);
    if (w) {
        WorldOwn now = world_own(w);
        own = (ScenarioOwn){now.pages, now.bytes, atomic_load(&s->batches), atomic_load(&s->bytes)};
    }
    if (w || own.batches)
        buf_printf(out, ",\"ownPages\":%lld,\"ownBytes\":%lld,\"batches\":%lld,\"journalBytes\":%lld",
                   (long long)own.pages, (long long)own.bytes, (long long)own.batches, (long long)own.batch_bytes);
    if (s->seeded) buf_printf(out, ",\"seed\":%llu", (unsigned long long)s->seed);
    if (s->until_ns) show_time("until", s->until_ns, out);
    if (s->purpose.n) {
        buf_printf(out, ",\"purpose\":");
        json_put_str(out, s->purpose);
    }
}
