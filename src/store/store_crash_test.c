// SPDX-License-Identifier: Apache-2.0
// A store on a disk that loses power, fails or fills up at every possible moment. A reference world, fed with the same
// batches in memory only, says what must be there afterwards.
//
//   SOSIA_CRASHES=n  cuts of the random test, 2,000 when unset        SOSIA_SEED=n  its seed
// LABELS: serial
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/store_inner.h"
#include "store/test_vfs.h"
#include "store/test_world.h"

#define RING 16384
#define VFS "store_crash"
#define FILE_NAME "plant.sosia"
#define BATCHES_MAX 4096

// Batches there may be in one life.
#define SEQ_MAX 65536

// Puts of history there may be in one life.
#define PUTS_MAX 4096

typedef struct HistoryState {
    bool told, durable, merges; // merges: takes the rows of the put before away
    uint64_t last;              // sequence its rows end at
    bool seal;                  // the checkpoint there waits for it
    int64_t id;                 // of its first row, as the file has it
} HistoryState;

typedef struct Sent {
    uint64_t seq;
    Buf bytes;
} Sent;

typedef struct Lab {
    TestVfs *disk;
    uint64_t seed; // of this life, for messages
    Rng rng;
    // The store and its world, as the engine holds them.
    Domain *domain;
    Store *store;
    World *world;
    TestWriter writer;
    uint64_t acked;
    int fails;
    Err err;
    char why[512];
    // The reference: everything up to `sure`, and the batches since.
    Domain *ref_domain;
    World *ref;
    uint64_t sure;
    Sent sent[BATCHES_MAX];
    int64_t sent_count;
    int64_t journal_bytes_max;
    uint32_t crc[SEQ_MAX]; // of every batch ever sent, by sequence
    // Items: two rows that are always put together, and a counter in them.
    int64_t item_sent, item_acked;
    // History: put n is two rows of pages 2n and 2n + 1 of lane 1 and a dead twin; now and then the rows of put n - 1
    // go with it. Whether each was put, was refused, or was told durable.
    HistoryState history[PUTS_MAX];
    int64_t history_sent;
    uint64_t replay_first, replay_last; // what recovery told
} Lab;

// ---- the store's side ---------------------------------------------------------------------------------------------

static void on_commit(void *ctx, uint64_t last_seq) { ((Lab *)ctx)->acked = last_seq; }

static void on_fail(void *ctx, Err err, const char *why) {
    Lab *l = ctx;
    l->fails++;
    l->err = err;
    snprintf(l->why, sizeof l->why, "%s", why);
}

static void on_replay(void *ctx, const BatchHead *head, Str trail) {
    Lab *l = ctx;
    assert_true(trail.n >= 0);
    assert_true(!l->replay_first || head->seq == l->replay_last + 1);
    if (!l->replay_first) l->replay_first = head->seq;
    l->replay_last = head->seq;
}

static Err lab_open(Lab *l, Buf *why) {
    StoreOpen o = {.path = STR(FILE_NAME),
                   .on_replay = on_replay,
                   .vfs = VFS,
                   .group_bytes_max = 2000,
                   .row_bytes_max = l->seed % 2 ? 900 : 0,
                   .journal_bytes_max = l->journal_bytes_max,
                   .ctx = l,
                   .on_commit = on_commit,
                   .on_fail = on_fail};
    l->domain = domain_new();
    l->fails = 0;
    l->replay_first = l->replay_last = 0;
    Err e = store_open(&o, l->domain, RING, &l->store, &l->world, why);
    if (e == ERR_OK) {
        test_writer_look(&l->writer, l->world);
        return e;
    }
    domain_free(l->domain);
    l->store = NULL;
    return e;
}

static void lab_close(Lab *l) {
    if (!l->store) return;
    store_close(l->store);
    world_free(l->world);
    domain_free(l->domain);
    l->store = NULL;
}

static void forget_after(Lab *l, uint64_t seq) {
    while (l->sent_count && l->sent[l->sent_count - 1].seq > seq) buf_free(&l->sent[--l->sent_count].bytes);
}

static void lab_write(Lab *l, int64_t changes) {
    assert_true(l->sent_count < BATCHES_MAX);
    Sent *s = &l->sent[l->sent_count++];
    *s = (Sent){.seq = world_seq(l->world) + 1};
    test_writer_batch(&l->writer, l->world, s->seq, changes, &s->bytes);
    assert_true(s->seq < SEQ_MAX);
    l->crc[s->seq] = crc32c(0, s->bytes.p, s->bytes.n);
    store_submit(l->store, s->seq, buf_str(&s->bytes));
}

typedef struct Acked {
    Lab *l;
    int64_t n;
} Acked;

static void item_acked(void *arg, Err err, const char *why) {
    Acked *a = arg;
    assert_true(err == ERR_OK || (why && why[0]));
    if (err == ERR_OK) a->l->item_acked = a->n;
    mem_free(a);
}

// Two rows with the next number, one of them large now and then.
static void lab_put_items(Lab *l, bool large) {
    static const char zeros[5000];
    char text[24];
    Buf value = {0};
    Acked *a = mem_alloc(sizeof *a);
    *a = (Acked){l, ++l->item_sent};
    snprintf(text, sizeof text, "%lld", (long long)a->n);
    buf_str_put(&value, str_of(text));
    if (large) buf_put(&value, zeros, sizeof zeros);
    StoreItem items[] = {{STR("lab"), STR("a"), str_of(text), false}, {STR("lab"), STR("b"), buf_str(&value), false}};
    assert_int_equal(store_items_put(l->store, items, 2, item_acked, a), ERR_OK);
    buf_free(&value);
}

typedef struct HistoryTold {
    Lab *l;
    int64_t n;
    uint64_t seal; // tell the store that it is sealed up to there; 0: nothing
} HistoryTold;

static void history_told(void *arg, Err err, const char *why) {
    HistoryTold *t = arg;
    Lab *l = t->l;
    assert_true(err == ERR_OK || (why && why[0]));
    assert_false(l->history[t->n].told);
    l->history[t->n].told = true;
    l->history[t->n].durable = err == ERR_OK;
    if (t->seal && err == ERR_OK) store_history_sealed(l->store, t->seal);
    else if (t->seal) store_history_failed(l->store);
    mem_free(t);
}

static void put_text(int64_t n, int page, bool large, Buf *out) {
    static const char zeros[9000];
    buf_printf(out, "put %lld page %d", (long long)n, page);
    if (large) buf_put(out, zeros, sizeof zeros);
}

// seal: that of a checkpoint, which waits for it.
static void lab_put_history(Lab *l, bool large, bool merges, bool seal) {
    assert_true(l->history_sent < PUTS_MAX);
    int64_t n = l->history_sent++;
    uint64_t last = world_seq(l->world);
    HistoryState *before = n ? &l->history[n - 1] : NULL;
    merges = merges && before && before->told && before->durable && before->id;
    l->history[n] = (HistoryState){.merges = merges, .last = last, .seal = seal};
    HistoryTold *t = mem_alloc(sizeof *t);
    *t = (HistoryTold){l, n, seal ? last : 0};
    Buf text[2] = {0};
    StoreHistory rows[2];
    for (int i = 0; i < 2; i++) {
        put_text(n, i, large && i, &text[i]);
        rows[i] = (StoreHistory){.lane = 1,
                                 .page = (uint64_t)(2 * n + i),
                                 .first = 1,
                                 .last = last,
                                 .t0 = n,
                                 .t1 = n + 1,
                                 .points = n,
                                 .bytes = buf_str(&text[i])};
    }
    StoreDead dead = {.twin = (uint64_t)n + 1, .name = buf_str(&text[0]), .time = n};
    int64_t gone[2] = {before ? before->id : 0, before ? before->id + 1 : 0};
    StoreHistoryPut put = {gone, merges ? 2 : 0, rows, 2, &dead, 1};
    assert_int_equal(store_history_put(l->store, &put, history_told, t), ERR_OK);
    buf_free(&text[0]);
    buf_free(&text[1]);
}

// After a refusal: what the engine does. True when the disk works again: then the refused batches never were. Until
// then nobody knows whether a failed sync kept them, so they may turn up when the store is opened again.
static bool lab_undo(Lab *l) {
    assert_true(l->why[0] != 0);
    assert_true(l->err == ERR_STORAGE || l->err == ERR_STORAGE_FULL);
    world_undo_to(l->world, l->acked);
    world_settle(l->world, l->acked);
    test_writer_look(&l->writer, l->world);
    for (int tries = 0; tries < 3; tries++) {
        l->fails = 0;
        store_resume(l->store);
        store_probe(l->store);
        store_drain(l->store);
        if (l->fails) continue;
        forget_after(l, l->acked);
        return true;
    }
    return false;
}

// Everything up to it is sealed by a put that is on its way: the checkpoint waits for that.
static void lab_checkpoint(Lab *l) {
    uint64_t seq = world_seq(l->world);
    World *fork = world_fork(l->world, 0);
    if (store_checkpoint(l->store, fork, seq)) lab_put_history(l, seq % 3 == 0, seq % 2, true);
    else world_free(fork);
}

// ---- the reference's side -----------------------------------------------------------------------------------------

static void lab_begin(Lab *l, uint64_t seed) {
    l->seed = seed;
    l->rng = rng_make(seed, 0);
    l->writer = (TestWriter){.rng = rng_make(seed, 1)};
    l->ref_domain = domain_new();
    l->ref = world_new(l->ref_domain, 0);
    l->sure = l->acked = 0;
    l->item_sent = l->item_acked = l->history_sent = 0;
    l->journal_bytes_max = seed % 3 == 0 ? 0 : (int64_t)(seed % 7) * 5000;
    l->sent_count = 0;
    l->disk = test_vfs_new(VFS);
}

static void lab_end(Lab *l) {
    lab_close(l);
    forget_after(l, 0);
    test_writer_free(&l->writer);
    world_free(l->ref);
    domain_free(l->ref_domain);
    test_vfs_free(l->disk);
}

// Feed the reference up to `seq` and forget the rest.
static void catch_up(Lab *l, uint64_t seq) {
    for (int64_t i = 0; i < l->sent_count; i++) {
        if (l->sent[i].seq > seq) continue;
        Cut c = cut_of(buf_str(&l->sent[i].bytes));
        BatchHead head;
        assert_int_equal(world_replay(l->ref, &c, &head), ERR_OK);
    }
    forget_after(l, 0);
    assert_int_equal(world_seq(l->ref), seq);
    l->sure = seq;
}

static void same_world(Lab *l) {
    Buf a = {0}, b = {0};
    test_world_dump(l->world, &a);
    test_world_dump(l->ref, &b);
    Str x = buf_str(&a), y = buf_str(&b);
    while (x.n || y.n) {
        Str p = str_cut(&x, '\n'), q = str_cut(&y, '\n');
        if (!str_eq(p, q))
            fail_msg("seed %llu: recovered\n%.*s\nexpected\n%.*s", (unsigned long long)l->seed, STR_ARG(p), STR_ARG(q));
    }
    buf_free(&a);
    buf_free(&b);
}

// Both rows say the same, something between what was acknowledged and what was sent.
static void check_items(Lab *l) {
    Buf slice = {0};
    bool more;
    int64_t said[2] = {0}, n = 0;
    assert_int_equal(store_items_scan(l->store, STR("lab"), (Str){0}, 0, &slice, &more), ERR_OK);
    Cut c = cut_of(buf_str(&slice));
    for (Str key, value; store_item_next(&c, &key, &value); n++) {
        value = str_cut(&value, 0);
        assert_true(n < 2 && str_to_i64(value, &said[n]));
    }
    buf_free(&slice);
    if (said[0] != said[1] || said[0] < l->item_acked || said[0] > l->item_sent)
        fail_msg("seed %llu: items say %lld and %lld, acknowledged %lld, sent %lld", (unsigned long long)l->seed,
                 (long long)said[0], (long long)said[1], (long long)l->item_acked, (long long)l->item_sent);
    l->item_acked = said[0];
}

typedef struct Seen {
    Lab *l;
    int64_t count;
    int rows[PUTS_MAX]; // of each put
    uint64_t root_seq;
    uint64_t ends[2 * PUTS_MAX]; // of pages that end behind the root
} Seen;

static bool history_seen(void *ctx, const StoreHistory *h) {
    Seen *s = ctx;
    Buf text = {0};
    int64_t n = (int64_t)h->page / 2;
    int page = (int)h->page % 2;
    assert_true(n < s->l->history_sent && h->t0 == n && h->last == s->l->history[n].last);
    put_text(n, page, h->bytes.n > 100, &text);
    assert_true(str_eq(text.p ? buf_str(&text) : (Str){0}, h->bytes));
    buf_free(&text);
    if (page == 0) s->l->history[n].id = h->id;
    s->rows[n]++;
    s->count++;
    return true;
}

static bool dead_seen(void *ctx, const StoreDead *d) {
    ++*(int *)ctx;
    assert_true(d->twin > 0);
    return true;
}

static void end_seen(void *ctx, uint64_t lane, uint64_t page, uint64_t last) {
    Seen *s = ctx;
    assert_true(lane == 1 && page < 2 * PUTS_MAX && !s->ends[page]);
    s->ends[page] = last;
}

// Each put is there whole or not at all, nothing durable is lost, what a put took away is gone with it; what ends
// behind the root is told exactly; and recovery told every batch behind it.
static void check_history(Lab *l) {
    Seen *s = mem_alloc(sizeof *s);
    StoreReader *r;
    s->l = l;
    s->root_seq = l->store->root_seq;
    assert_int_equal(store_reader_begin(l->store, &r), ERR_OK);
    for (int64_t n = 0; n < l->history_sent; n++) {
        for (int i = 0; i < 2; i++) {
            StoreHistoryAsk ask = {.lane = 1, .page = (uint64_t)(2 * n + i), .bytes = true, .from = 0, .to = INT64_MAX};
            assert_int_equal(store_history_rows(r, &ask, history_seen, s), ERR_OK);
        }
        Buf name = {0};
        int dead = 0;
        put_text(n, 0, false, &name);
        assert_int_equal(store_history_dead(r, 0, buf_str(&name), dead_seen, &dead), ERR_OK);
        buf_free(&name);
        HistoryState *h = &l->history[n];
        bool there = dead == 1, merged = !there ? false : s->rows[n] == 0;
        if (dead > 1 || s->rows[n] == 1 || s->rows[n] > 2 || (!there && s->rows[n]))
            fail_msg("seed %llu: put %lld is there by half: %d rows, %d dead", (unsigned long long)l->seed,
                     (long long)n, s->rows[n], dead);
        if (h->durable && !there)
            fail_msg("seed %llu: put %lld was durable and is lost", (unsigned long long)l->seed, (long long)n);
        if (n && h->merges && there && s->rows[n - 1])
            fail_msg("seed %llu: put %lld took its forerunner away, which is there", (unsigned long long)l->seed,
                     (long long)n);
        bool may_merge = n + 1 < l->history_sent && l->history[n + 1].merges;
        if (merged && !may_merge)
            fail_msg("seed %llu: the rows of put %lld are gone", (unsigned long long)l->seed, (long long)n);
        h->told = true; // what became of it is known now
        h->durable = there;
        if (!there) h->id = 0;
    }
    store_reader_end(r);
    bool sealed = s->root_seq == 0;
    for (int64_t n = 0; n < l->history_sent; n++) {
        const HistoryState *h = &l->history[n];
        sealed |= h->seal && h->durable && h->last == s->root_seq;
    }
    if (!sealed) fail_msg("seed %llu: a root before its history", (unsigned long long)l->seed);
    assert_int_equal(store_history_ahead(l->store, end_seen, s), ERR_OK);
    for (int64_t page = 0; page < 2 * l->history_sent; page++) {
        uint64_t last = l->history[page / 2].last;
        assert_int_equal(s->ends[page], s->rows[page / 2] && last > s->root_seq ? last : 0);
    }
    uint64_t seq = world_seq(l->world);
    assert_int_equal(l->replay_first, seq > s->root_seq ? s->root_seq + 1 : 0);
    assert_int_equal(l->replay_last, seq > s->root_seq ? seq : 0);
    mem_free(s);
}

typedef struct Slice {
    Err err;
    uint64_t last;
    Buf bytes;
    bool ended;
} Slice;

static void slice_read(void *arg, Err err, uint64_t last, Buf *bytes) {
    Slice *s = arg;
    s->err = err;
    s->last = last;
    s->bytes = *bytes;
    *bytes = (Buf){0};
    s->ended = true;
}

// From the oldest batch kept to the newest, every batch is there once, byte by byte as it was sent.
static void check_journal(Lab *l) {
    uint64_t at = store_journal_oldest(l->store), end = world_seq(l->world);
    int64_t max = (int64_t)rng_below(&l->rng, 6000);
    assert_true(at <= end);
    while (at < end) {
        Slice s = {0};
        store_journal_read(l->store, 0, at, max, slice_read, &s);
        store_drain(l->store);
        assert_true(s.ended);
        if (s.err == ERR_GONE && store_journal_oldest(l->store) > at) { // trimmed meanwhile
            at = store_journal_oldest(l->store);
            continue;
        }
        if (s.err)
            fail_msg("seed %llu: reading behind %llu: error %d", (unsigned long long)l->seed, (unsigned long long)at,
                     (int)s.err);
        for (Cut c = cut_of(buf_str(&s.bytes)); c.p < c.end;) {
            const uint8_t *from = c.p;
            BatchHead head;
            Change change;
            assert_int_equal(batch_decode(&c, &head), ERR_OK);
            for (int64_t i = 0; i < head.count; i++) assert_int_equal(change_decode(&c, &change), ERR_OK);
            assert_int_equal(head.seq, ++at);
            if (crc32c(0, from, c.p - from) != l->crc[at])
                fail_msg("seed %llu: batch %llu reads back as another", (unsigned long long)l->seed,
                         (unsigned long long)at);
        }
        assert_int_equal(s.last, at);
        buf_free(&s.bytes);
    }
}

// Open the sound disk: nothing acknowledged is lost, nothing is there by half, no page row is lost or left over.
static void check_recovered(Lab *l) {
    Buf why = {0};
    uint64_t last = l->sent_count ? l->sent[l->sent_count - 1].seq : l->sure;
    Err e = lab_open(l, &why);
    if (e != ERR_OK) fail_msg("seed %llu: %.*s", (unsigned long long)l->seed, STR_ARG(buf_str(&why)));
    uint64_t seq = world_seq(l->world);
    if (seq < l->acked || seq > last)
        fail_msg("seed %llu: recovered %llu, acknowledged %llu, sent %llu", (unsigned long long)l->seed,
                 (unsigned long long)seq, (unsigned long long)l->acked, (unsigned long long)last);
    catch_up(l, seq);
    l->acked = seq;
    world_verify(l->world);
    same_world(l);
    check_items(l);
    check_history(l);
    check_journal(l);
    buf_free(&why);
}

// Rows of the page table and what the root names agree once the store has had time.
static void check_pages(Lab *l) {
    store_drain(l->store);
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_prepare_v2(l->store->db.h, "SELECT count(*) FROM page", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t rows = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    if (rows != l->store->live.count)
        fail_msg("seed %llu: %lld page rows, the root names %lld", (unsigned long long)l->seed, (long long)rows,
                 (long long)l->store->live.count);
}

// ---- random lives -------------------------------------------------------------------------------------------------

// Work until the power goes, or for `steps`.
static void work(Lab *l, int64_t steps) {
    Rng *r = &l->rng;
    for (int64_t i = 0; i < steps && !test_vfs_dead(l->disk); i++) {
        uint64_t dice = rng_below(r, 100);
        if (dice < 55 || world_room(l->world) < RING / 2) {
            if (world_room(l->world) < RING / 2) {
                store_drain(l->store);
                if (!l->fails) world_settle(l->world, l->acked);
                if (l->fails || world_room(l->world) < RING / 2) return;
            }
            lab_write(l, 1 + (int64_t)rng_below(r, rng_below(r, 10) ? 8 : 100));
        } else if (dice < 60) {
            lab_put_items(l, rng_below(r, 8) == 0);
        } else if (dice < 65) {
            lab_put_history(l, rng_below(r, 8) == 0, rng_below(r, 2), false);
        } else if (dice < 80) {
            store_step(l->store);
        } else if (dice < 92) {
            if (!l->fails) world_settle(l->world, l->acked);
        } else if (dice < 97) {
            lab_checkpoint(l);
        } else if (dice < 99) {
            store_drain(l->store);
        } else {
            Buf why = {0};
            lab_close(l);
            Err e = lab_open(l, &why);
            buf_free(&why);
            if (e != ERR_OK) return;
        }
        if (l->fails) return;
    }
}

// One cut: where is chosen so that short and long ways happen equally often.
static bool cut_once(Lab *l) {
    Rng *r = &l->rng;
    int64_t at = 1 + (int64_t)rng_below(r, (uint64_t)4 << rng_below(r, 8));
    if (rng_below(r, 4) == 0) lab_close(l); // sometimes recovery itself is cut
    test_vfs_break(l->disk, TEST_FAULT_POWER, TEST_CHANGE, at, 1);
    Buf why = {0};
    if (l->store || lab_open(l, &why) == ERR_OK) work(l, 400);
    buf_free(&why);
    bool cut = test_vfs_dead(l->disk);
    lab_close(l);
    cut |= test_vfs_dead(l->disk);
    test_vfs_power_on(l->disk, rng_u64(r));
    check_recovered(l);
    if (rng_below(r, 3) == 0) check_pages(l);
    return cut;
}

static void random_cuts(void **state) {
    Lab *l = *state;
    const char *want = getenv("SOSIA_CRASHES"), *seeded = getenv("SOSIA_SEED");
    int64_t goal = 2000, cuts = 0, seed = 1, lives = 0;
    if (want) assert_true(str_to_i64(str_of(want), &goal));
    if (seeded) assert_true(str_to_i64(str_of(seeded), &seed));
    int64_t start = time_mono_ns();
    for (; cuts < goal; lives++, seed++) {
        lab_begin(l, (uint64_t)seed);
        for (int i = 0; i < 10 && cuts < goal; i++) cuts += cut_once(l);
        lab_end(l);
    }
    double seconds = (double)(time_mono_ns() - start) / (double)NS_PER_S;
    print_message("%lld power cuts in %lld lives, %.1f s\n", (long long)cuts, (long long)lives, seconds);
}

// ---- sweeps: the same work, broken at each operation in turn --------------------------------------------------------

// Open, write, checkpoint twice, delete, close. After an error: undo, resume, go on. Stops when opening fails.
static void fixed_work(Lab *l) {
    Buf why = {0};
    if (lab_open(l, &why) != ERR_OK) {
        assert_true(why.n > 0);
        buf_free(&why);
        return;
    }
    for (int i = 0; i < 12; i++) {
        lab_write(l, 10);
        if (i % 3 == 2) lab_put_items(l, i == 5);
        if (i % 4 == 1) lab_put_history(l, i == 5, i == 9, false);
        if (i % 4 == 3) lab_checkpoint(l);
        if (i % 2) store_drain(l->store);
        if (l->fails && (test_vfs_dead(l->disk) || !lab_undo(l))) break;
        world_settle(l->world, l->acked);
    }
    store_drain(l->store);
    if (l->fails && !test_vfs_dead(l->disk)) lab_undo(l);
    lab_close(l);
    buf_free(&why);
}

// The power goes at operation k, for every k, with several outcomes for what was on its way.
static void cut_everywhere(void **state) {
    Lab *l = *state;
    int64_t k = 1, runs = 0;
    for (bool more = true; more; k++) {
        for (uint64_t outcome = 0; outcome < 6; outcome++, runs++) {
            lab_begin(l, 1);
            test_vfs_break(l->disk, TEST_FAULT_POWER, TEST_CHANGE, k, 1);
            fixed_work(l);
            more = test_vfs_dead(l->disk);

            test_vfs_power_on(l->disk, outcome * 1000003 + (uint64_t)k);
            check_recovered(l);
            check_pages(l);
            lab_end(l);
        }
    }
    print_message("%lld places to cut, %lld runs\n", (long long)k - 2, (long long)runs);
    assert_true(k > 80);
}

// After trouble: what was acknowledged stands, the store takes batches again, and reopening finds exactly those.
static void check_goes_on(Lab *l) {
    check_recovered(l);
    lab_write(l, 10);
    lab_checkpoint(l);
    store_drain(l->store);
    assert_int_equal(l->fails, 0);
    assert_int_equal(l->acked, world_seq(l->world));
    lab_close(l);
    uint64_t acked = l->acked;
    check_recovered(l);
    assert_int_equal(acked, l->acked);
    check_pages(l);
}

// Operations fail at k, once or several times in a row; then the disk is sound again.
static void fail_everywhere(Lab *l, TestFault fault, int kinds, int64_t times) {
    int64_t k = 1;
    for (bool more = true; more; k++) {
        lab_begin(l, 1);
        test_vfs_break(l->disk, fault, kinds, k, times);
        fixed_work(l);
        more = test_vfs_count(l->disk) >= k;
        test_vfs_break(l->disk, TEST_FAULT_NONE, 0, 0, 0);
        check_goes_on(l);
        lab_end(l);
    }
    print_message("%lld places to fail, %lld times each\n", (long long)k - 2, (long long)times);
    assert_true(k > 50);
}

static void io_errors(void **state) {
    fail_everywhere(*state, TEST_FAULT_IO, TEST_ANY, 1);
    fail_everywhere(*state, TEST_FAULT_IO, TEST_CHANGE, 3);
}
static void full_disks(void **state) {
    fail_everywhere(*state, TEST_FAULT_FULL, TEST_WRITE, 1);
    fail_everywhere(*state, TEST_FAULT_FULL, TEST_WRITE, 40);
}

// ---- no memory for SQLite -----------------------------------------------------------------------------------------

static sqlite3_mem_methods system_memory;
static int64_t memory_at, memory_count; // the memory_at-th request fails; 0: none

static bool refuse(void) { return ++memory_count == memory_at; }
static void *try_malloc(int n) { return refuse() ? NULL : system_memory.xMalloc(n); }
static void *try_realloc(void *p, int n) { return refuse() ? NULL : system_memory.xRealloc(p, n); }

static void no_memory(void **state) {
    Lab *l = *state;
    int64_t k = 1, runs = 0;
    for (bool more = true; more; k += 1 + k / 60, runs++) { // closely at first, then ever wider
        lab_begin(l, 1);
        memory_count = 0;
        memory_at = k;
        fixed_work(l);
        more = memory_count >= k;
        memory_at = 0;
        check_goes_on(l);
        lab_end(l);
    }
    print_message("%lld requests for memory refused\n", (long long)runs);
}

static int setup(void **state) {
    *state = mem_alloc(sizeof(Lab));
    return 0;
}
static int teardown(void **state) {
    mem_free(*state);
    return 0;
}

int main(void) {
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory);
    sqlite3_mem_methods mine = system_memory;
    mine.xMalloc = try_malloc;
    mine.xRealloc = try_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(cut_everywhere), T(io_errors), T(full_disks), T(no_memory), T(random_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
