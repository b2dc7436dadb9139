// SPDX-License-Identifier: Apache-2.0
// A stretch of the past through a feed again: what a cursor saw live, a replay shows later, from heads, from blocks,
// after a restart, at its pace.
// LABELS: threads
#include <stdatomic.h>
#include "base/buf.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/time.h"
#include "engine/test_kit.h"

enum { BATCHES = 120 };

typedef struct Scene {
    Kit k;
    char folder[64], path[96];
    _Atomic int64_t now;
    Rng rng;
    SosiaFeed *live;
    Buf seen;                   // one line a change, as seen live
    int64_t times[BATCHES + 8]; // of the batches
    int64_t line[BATCHES + 8];  // where the lines of each begin
    int64_t count;
    uint64_t last;
} Scene;

static int64_t clock_of(void *ctx) { return atomic_fetch_add(&((Scene *)ctx)->now, NS_PER_MS); }

static void scene_open(Scene *x) {
    SosiaOpen o = {.path = kit_str(x->path), .now = clock_of, .now_ctx = x, .checkpoint_interval_ns = -1};
    SosiaBuf why = {0};
    if (sosia_open(&o, &x->k.s, &why)) fail_msg("%.*s", (int)why.n, why.p);
    assert_int_equal(sosia_feed_open(x->k.s, NULL, kit_str(""), 0, &x->live, NULL), 0);
}

static void scene_close(Scene *x) {
    sosia_feed_close(x->live);
    sosia_close(x->k.s);
}

// One line a change; flags that only the moment tells (fresh) and what deletions carry are left out.
static void put_change(Buf *b, const SosiaChange *c) {
    buf_printf(b, "%d %.*s %.*s %.*s %.*s %d %lld ", (int)c->what, (int)c->twin.n, c->twin.p, (int)c->link.n, c->link.p,
               (int)c->path.n, c->path.p, (int)c->other.n, c->other.p, c->late, (long long)c->source_time_ns);
    bool gone = c->what == SOSIA_EV_TWIN_DELETE || c->what == SOSIA_EV_LINK_DELETE;
    switch (gone ? SOSIA_NONE : c->value.kind) {
    case SOSIA_BOOL: buf_printf(b, "%d", c->value.b); break;
    case SOSIA_I64: buf_printf(b, "%lld", (long long)c->value.i); break;
    case SOSIA_F64: buf_printf(b, "%.17g", c->value.d); break;
    case SOSIA_TEXT:
    case SOSIA_JSON: buf_put(b, c->value.s.p, c->value.s.n); break;
    case SOSIA_NONE: break;
    }
    buf_byte(b, '\n');
}

static int by_text(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

// History tells a batch value by value: its lines in an order that does not matter.
static void put_batch(Buf *out, const SosiaBatch *b) {
    Buf lines = {0};
    Str *each = calloc((size_t)b->count + 1, sizeof *each);
    assert_non_null(each);
    for (int64_t i = 0; i < b->count; i++) put_change(&lines, &b->changes[i]);
    Str rest = buf_str(&lines);
    int64_t n = 0;
    while (rest.n) each[n++] = str_cut(&rest, '\n');
    qsort(each, (size_t)n, sizeof *each, by_text);
    buf_printf(out, "%llu %lld %.*s\n", (unsigned long long)b->seq, (long long)b->time_ns, (int)b->source.n,
               b->source.p);
    for (int64_t i = 0; i < n; i++) buf_printf(out, "  %.*s\n", STR_ARG(each[i]));
    free(each);
    buf_free(&lines);
}

// Write down the batches that are visible by now.
static void look(Scene *x) {
    SosiaBatch b;
    while (x->last < x->k.done.seq) {
        assert_int_equal(sosia_feed_next(x->live, 60 * NS_PER_S, &b), 0);
        if (!b.count) continue;
        assert_true(x->count < BATCHES + 8);
        x->times[x->count] = b.time_ns;
        x->line[x->count++] = x->seen.n;
        put_batch(&x->seen, &b);
        x->last = b.seq;
    }
}

static void one_write(Scene *x) {
    char id[16], other[16], body[200], rid[16];
    snprintf(id, sizeof id, "room-%d", (int)rng_below(&x->rng, 6));
    snprintf(other, sizeof other, "room-%d", (int)rng_below(&x->rng, 6));
    snprintf(rid, sizeof rid, "r%d", (int)rng_below(&x->rng, 4));
    int n = (int)rng_below(&x->rng, 1000);
    switch (rng_below(&x->rng, 8)) {
    case 0: (void)kit_write(&x->k, SOSIA_TWIN_DELETE, id, "", ""); break;
    case 1:
        snprintf(body, sizeof body, "{\"$targetId\":\"%s\",\"$relationshipName\":\"feeds\",\"flow\":%d}", other, n);
        (void)kit_write(&x->k, SOSIA_LINK_PUT, id, rid, body);
        break;
    case 2: (void)kit_write(&x->k, SOSIA_LINK_DELETE, id, rid, ""); break;
    case 3:
        snprintf(body, sizeof body, "{\"t\":%d}", n);
        (void)kit_write(&x->k, SOSIA_TELEMETRY, id, "", body);
        break;
    case 4:
        snprintf(body, sizeof body,
                 "[{\"op\":\"add\",\"path\":\"/thermostat\",\"value\":{\"setPoint\":%d,"
                 "\"$metadata\":{}}},{\"op\":\"add\",\"path\":\"/label\",\"value\":\"text number %d\"}]",
                 n, n);
        (void)kit_write(&x->k, SOSIA_TWIN_PATCH, id, "", body);
        break;
    case 5:
        snprintf(body, sizeof body,
                 "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"temperature\":%d,\"on\":true,\"thermostat\":"
                 "{\"$metadata\":{}}}",
                 n);
        (void)kit_write(&x->k, SOSIA_TWIN_PUT, id, "", body);
        break;
    default:
        snprintf(
            body, sizeof body,
            "{\"id\":\"%s\",\"property\":\"temperature\",\"value\":%d.5,\"time\":\"2026-01-01T00:00:%02d.%03dZ\"}\n"
            "{\"id\":\"%s\",\"property\":\"count\",\"value\":%d}\n",
            id, n, n % 60, n, other, n);
        (void)kit_write(&x->k, SOSIA_INGEST, "", "", body);
        break;
    }
    if (!x->k.done.err) look(x);
}

static void scene_live(Scene *x, uint64_t seed) {
    *x = (Scene){.rng = rng_make(seed, 0)};
    atomic_init(&x->now, INT64_C(1767225600) * NS_PER_S);
    snprintf(x->folder, sizeof x->folder, "/tmp/sosia-replay-XXXXXX");
    assert_non_null(mkdtemp(x->folder));
    snprintf(x->path, sizeof x->path, "%s/w.sosia", x->folder);
    scene_open(x);
    kit_do(&x->k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    look(x);
    while (x->count < BATCHES) one_write(x);
}

static void scene_end(Scene *x) {
    char path[160];
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    scene_close(x);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", x->path, ends[i]);
        unlink(path);
    }
    rmdir(x->folder);
    buf_free(&x->seen);
    sosia_buf_free(&x->k.keep);
}

// Replay batches [a, b) and compare.
static void check(Scene *x, int64_t a, int64_t b) {
    int64_t end_ns = b < x->count ? x->times[b] : x->times[x->count - 1] + 1;
    SosiaReplay r = {.from_ns = a ? x->times[a] : 1, .to_ns = end_ns}; // before the first there was nothing
    SosiaFeed *f;
    Buf got = {0};
    SosiaBatch batch;
    SosiaErr err = sosia_feed_replay(x->k.s, NULL, &r, &f);
    if (err) fail_msg("%s", sosia_err_name(err));
    while ((err = sosia_feed_next(f, 60 * NS_PER_S, &batch)) == SOSIA_OK) {
        assert_true(batch.seq != 0);
        put_batch(&got, &batch);
    }
    assert_int_equal(err, SOSIA_CLOSED);
    int64_t end = b < x->count ? x->line[b] : x->seen.n;
    Str want = {x->seen.p + x->line[a], end - x->line[a]};
    if (!str_eq(want, buf_str(&got)))
        fail_msg("batches %lld to %lld\nlive:\n%.*s\nreplay:\n%.*s", (long long)a, (long long)b, STR_ARG(want),
                 STR_ARG(buf_str(&got)));
    sosia_feed_close(f);
    buf_free(&got);
}

static void a_replay_shows_what_was_seen(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        Scene x;
        scene_live(&x, seed);
        check(&x, 0, x.count);
        check(&x, x.count / 3, 2 * x.count / 3);
        scene_close(&x); // what was in heads is in blocks now
        scene_open(&x);
        check(&x, 0, x.count);
        check(&x, x.count / 2, x.count / 2 + 1);
        scene_end(&x);
    }
}

static void it_keeps_its_pace(void **state) {
    (void)state;
    Scene x;
    scene_live(&x, 9);
    int64_t span = x.times[x.count - 1] - x.times[0];
    SosiaReplay r = {.from_ns = x.times[0], .to_ns = x.times[x.count - 1] + 1, .speed = (double)span / 3e8};
    SosiaFeed *f;
    SosiaBatch b;
    int64_t begun = time_mono_ns(), n = 0;
    assert_int_equal(sosia_feed_replay(x.k.s, NULL, &r, &f), 0);
    while (sosia_feed_next(f, 60 * NS_PER_S, &b) == SOSIA_OK) n++;
    assert_true(n == x.count);
    assert_true(time_mono_ns() - begun >= 3 * NS_PER_S / 10); // a slow machine takes longer
    sosia_feed_close(f);
    scene_end(&x);
}

static void what_cannot_be_replayed_is_refused(void **state) {
    (void)state;
    Scene x;
    SosiaFeed *f[17];
    scene_live(&x, 5);
    SosiaReplay back = {.from_ns = x.times[5], .to_ns = x.times[4]};
    SosiaReplay future = {.from_ns = x.times[5], .to_ns = x.times[5] + 86400 * NS_PER_S};
    assert_int_equal(sosia_feed_replay(x.k.s, NULL, &back, &f[0]), SOSIA_ARGUMENT);
    assert_int_equal(sosia_feed_replay(x.k.s, NULL, &future, &f[0]), SOSIA_ARGUMENT);
    SosiaReplay all = {.from_ns = x.times[0], .to_ns = x.times[9], .speed = 1e-6}; // REPLAYS_MAX at once
    for (int i = 0; i < 16; i++) assert_int_equal(sosia_feed_replay(x.k.s, NULL, &all, &f[i]), 0);
    assert_int_equal(sosia_feed_replay(x.k.s, NULL, &all, &f[16]), SOSIA_LIMIT);
    for (int i = 0; i < 15; i++) sosia_feed_close(f[i]); // the last one is open when the engine closes
    sosia_feed_close(x.live);
    sosia_close(x.k.s);
    SosiaBatch b;
    SosiaErr err;
    while ((err = sosia_feed_next(f[15], NS_PER_S, &b)) == SOSIA_OK) {}
    assert_int_equal(err, SOSIA_CLOSED);
    sosia_feed_close(f[15]);
    x.live = NULL;
    scene_open(&x);
    scene_end(&x);
    Kit none = {0};
    assert_int_equal(sosia_open(&(SosiaOpen){0}, &none.s, NULL), 0);
    assert_int_equal(sosia_feed_replay(none.s, NULL, &all, &f[0]), SOSIA_UNSUPPORTED);
    sosia_close(none.s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_shows_what_was_seen),
        cmocka_unit_test(it_keeps_its_pace),
        cmocka_unit_test(what_cannot_be_replayed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
