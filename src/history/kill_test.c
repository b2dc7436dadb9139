// SPDX-License-Identifier: Apache-2.0
// A process that writes history is killed again and again at any moment, also while it opens; each time the file is
// opened again, and every batch that was acknowledged is there, once, in the world, in series and in past worlds.
//
//   SOSIA_KILLS=n  how often, 100 when unset        SOSIA_SEED=n  its seed
// LABELS: serial
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/history_inner.h"
#include "history/test_lab.h"

enum { TWINS = 40, SETS = 10, FIRST_SET = 3 }; // batch 1: models, 2: twins, from 3 on: values

// What a killed process leaves behind beside its file.
typedef struct Shared {
    _Atomic uint64_t acked;
    _Atomic uint64_t checkpoints;
} Shared;

typedef struct Victim {
    Domain *domain;
    Store *store;
    World *world;
    History *h;
    Shared *shared;
    Rng rng;
    uint32_t speed, note; // columns
    uint64_t twins[TWINS];
} Victim;

static void on_commit(void *ctx, uint64_t last_seq) { atomic_store(&((Victim *)ctx)->shared->acked, last_seq); }
static void on_fail(void *ctx, Err err, const char *why) {
    (void)ctx;
    fprintf(stderr, "%s: %s\n", err_name(err), why);
    abort();
}
static void on_replay(void *ctx, const BatchHead *head, Str trail) { history_replay(((Victim *)ctx)->h, head, trail); }

// ---- what a batch does --------------------------------------------------------------------------------------------

static uint64_t row_of(uint64_t seq, uint64_t k) { return (seq * 7 + k * 13) % TWINS; }
static double value_of(uint64_t seq, uint64_t k) { return (double)(seq * 100 + k) / 8; }

// The newest batch up to `seq` that sets a row, and which of its values; 0: none.
static uint64_t last_set(uint64_t seq, uint64_t row, uint64_t *k) {
    for (; seq >= FIRST_SET; seq--) {
        for (uint64_t i = SETS; i-- > 0;) {
            if (row_of(seq, i) != row) continue;
            *k = i;
            return seq;
        }
    }
    return 0;
}

static void do_models(World *w) {
    const Change c = {.kind = CHANGE_MODELS_ADD, .text = str_of(test_models)};
    CHECK(world_do(w, &c) == ERR_OK);
}

static void do_twins(World *w) {
    for (int i = 0; i < TWINS; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "machine %d", i);
        const Change c = {.kind = CHANGE_TWIN_NEW, .id = world_take_twin_id(w).v, .col = 1, .text = {name, n}};
        CHECK(world_do(w, &c) == ERR_OK);
    }
}

static void find_columns(Victim *v) {
    View view = view_writer(v->world);
    const Table *t = &view.catalog->tables[1];
    for (int32_t i = 0; i < t->model->field_count; i++) {
        if (str_eq(t->model->fields[i].path, STR("speed"))) v->speed = t->first + (uint32_t)i;
        if (str_eq(t->model->fields[i].path, STR("note"))) v->note = t->first + (uint32_t)i;
    }
    for (uint64_t r = 0; r < TWINS; r++) v->twins[r] = view_row_twin(&view, 1, r).v;
}

static void do_values(Victim *v, uint64_t seq) {
    for (uint64_t k = 0; k < SETS; k++) {
        char text[64];
        Change c = {.kind = CHANGE_SET, .id = v->twins[row_of(seq, k)], .cell = CELL_F64, .col = v->speed};
        c.bits = bits_of(value_of(seq, k));
        CHECK(world_do(v->world, &c) == ERR_OK);
        c.cell = CELL_STR;
        c.col = v->note;
        int n = snprintf(text, sizeof text, "a note of batch %llu", (unsigned long long)seq);
        c.text = (Str){text, n};
        if (k == 0) CHECK(world_do(v->world, &c) == ERR_OK);
    }
}

static void write_batch(Victim *v) {
    uint64_t seq = world_seq(v->world) + 1;
    Buf bytes = {0}, trail = {0};
    int64_t count, time = world_next_time(v->world, (int64_t)seq * 1000000);
    world_begin(v->world, seq, time);
    if (seq == 1) do_models(v->world);
    else if (seq == 2) do_twins(v->world);
    else do_values(v, seq);
    Str changes = world_batch(v->world, &count);
    const BatchHead head = {.seq = seq, .time = time, .source = STR("victim"), .count = count};
    batch_encode(&head, changes, &bytes);
    world_end(v->world);
    world_take_trail(v->world, &trail);
    store_submit(v->store, seq, buf_str(&bytes));
    while (atomic_load(&v->shared->acked) < seq) thread_sleep_ns(10000);
    world_settle(v->world, seq);
    history_add(v->h, seq, time, STR("victim"), &trail);
    buf_free(&bytes);
    if (seq >= 2 && !v->speed) find_columns(v);
}

// ---- what must be there -------------------------------------------------------------------------------------------

typedef struct Expect {
    uint64_t row, seq, k, told; // seq, k: of the newest point that was seen
    bool text;
} Expect;

static bool next_point(void *ctx, const HistoryPoint *p) {
    Expect *e = ctx;
    // The next value of the row, of the same batch or a later one; the last of a batch alone is told: own times are
    // those of arrival.
    do e->seq++;
    while (e->seq < FIRST_SET || (e->text ? row_of(e->seq, 0) != e->row : last_set(e->seq, e->row, &e->k) != e->seq));
    CHECK(p->seq == e->seq);
    CHECK(str_eq(p->source, STR("victim")));
    if (!e->text) CHECK(p->bits == bits_of(value_of(e->seq, e->k)));
    else CHECK(p->text.n > 16);
    e->told++;
    return true;
}

static void check_series(Victim *v, uint64_t row, bool text) {
    uint64_t newest = world_seq(v->world), want = 0, k;
    Expect e = {.row = row, .text = text};
    const HistorySeries s = {
        .lane = trail_lane(text ? v->note : v->speed, 0), .row = row, .from = INT64_MIN, .to = INT64_MAX};
    CHECK(history_series(v->h, &s, next_point, &e) == ERR_OK);
    for (uint64_t seq = FIRST_SET; seq <= newest; seq++)
        want += text ? row_of(seq, 0) == row : last_set(seq, row, &k) == seq;
    CHECK(e.told == want);
}

static void check_past(Victim *v, uint64_t seq) {
    uint64_t found = 0, k = 0;
    int64_t time = 0;
    PastSource src = history_past(v->h);
    World *past;
    CHECK(history_seq_at(v->h, (int64_t)seq * 1000000 + 500, &found, &time) == ERR_OK);
    CHECK(found == seq);
    CHECK(world_past(v->domain, &src, seq, time, v->world, &past) == ERR_OK);
    View view;
    view_begin(&view, past);
    for (uint64_t r = 0; r < TWINS; r++) {
        CellView c = view_cell(&view, v->speed, r);
        uint64_t at = last_set(seq, r, &k);
        CHECK(c.valid == (at > 0));
        if (at) CHECK(c.bits == bits_of(value_of(at, k)));
    }
    CHECK(view_find_twin(&view, STR("machine 7")).v == v->twins[7]);
    CHECK(view.failed == ERR_OK);
    view_end(&view);
    world_free(past);
}

static void check_some(Victim *v, int n) {
    uint64_t newest = world_seq(v->world);
    if (newest < FIRST_SET) return;
    for (int i = 0; i < n; i++) {
        check_series(v, rng_below(&v->rng, TWINS), i % 3 == 0);
        check_past(v, FIRST_SET + rng_below(&v->rng, newest - FIRST_SET + 1));
    }
}

// ---- lives --------------------------------------------------------------------------------------------------------

static void open_all(Victim *v, Str path) {
    uint64_t acked = atomic_load(&v->shared->acked);
    const StoreOpen o = {.path = path, .ctx = v, .on_commit = on_commit, .on_fail = on_fail, .on_replay = on_replay};
    Buf why = {0};
    v->domain = domain_new();
    v->h = history_new(&(HistoryOpen){.head_bytes_max = 60000});
    CHECK(store_open(&o, v->domain, 16384, &v->store, &v->world, &why) == ERR_OK);
    CHECK(history_open(v->h, v->store, v->world, &why) == ERR_OK);
    CHECK(store_start(v->store) == ERR_OK);
    CHECK(history_start(v->h) == ERR_OK);
    CHECK(world_seq(v->world) >= acked);
    atomic_store(&v->shared->acked, world_seq(v->world));
    if (world_seq(v->world) >= 2) find_columns(v);
    buf_free(&why);
}

static void close_all(Victim *v) {
    history_close(v->h);
    store_close(v->store);
    world_free(v->world);
    domain_free(v->domain);
}

static void checkpoint(Victim *v) {
    uint64_t seq = world_seq(v->world);
    World *fork = world_fork(v->world, 0);
    if (store_checkpoint(v->store, fork, seq)) {
        history_seal(v->h, seq);
        atomic_fetch_add(&v->shared->checkpoints, 1);
    } else world_free(fork);
}

// Until it is killed.
__attribute__((noreturn)) static void live_on(Shared *shared, Str path, uint64_t seed) {
    Victim v = {.shared = shared, .rng = rng_make(seed, 3)};
    open_all(&v, path);
    check_some(&v, 2);
    for (uint64_t i = 1;; i++) {
        write_batch(&v);
        if (i % 10 == 0) checkpoint(&v);
    }
}

static void killed_at_any_moment(void **state) {
    (void)state;
    const char *n = getenv("SOSIA_KILLS"), *s = getenv("SOSIA_SEED");
    uint64_t kills = n ? strtoull(n, NULL, 10) : 100, seed = s ? strtoull(s, NULL, 10) : 1;
    Rng rng = rng_make(seed, 4);
    char dir[] = "/tmp/sosia-kill-XXXXXX", path[64], rm[96];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/plant.sosia", dir);
    Shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    for (uint64_t i = 0; i < kills; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) live_on(shared, str_of(path), seed + i);
        thread_sleep_ns((int64_t)rng_below(&rng, 70) * NS_PER_MS + (int64_t)rng_below(&rng, 1000000));
        assert_int_equal(kill(child, SIGKILL), 0);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGKILL) {
            fprintf(stderr, "seed %llu, kill %llu: died by itself\n", (unsigned long long)seed, (unsigned long long)i);
            abort();
        }
    }
    Victim v = {.shared = shared, .rng = rng_make(seed, 5)};
    open_all(&v, str_of(path));
    check_some(&v, 20);
    for (uint64_t r = 0; r < TWINS; r++) check_series(&v, r, false);
    history_drain(v.h);
    check_some(&v, 10);
    print_message("%llu kills, %llu batches, %llu checkpoints begun\n", (unsigned long long)kills,
                  (unsigned long long)world_seq(v.world), (unsigned long long)atomic_load(&shared->checkpoints));
    close_all(&v);
    munmap(shared, sizeof *shared);
    snprintf(rm, sizeof rm, "rm -rf %s", dir);
    assert_int_equal(system(rm), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
