// SPDX-License-Identifier: Apache-2.0
// What is written to a fork stays, whatever else goes on: live moves all the time, past worlds are made and let go of
// under pressure, forks are made of forks and of the past, run, paused, kept, dropped, made again after a restart.
// Beside every fork stands a table of what its values are; from time to time all of it is compared, by handle, by
// document and by question. A failure prints its seed. SOSIA_STORM_S: seconds, SOSIA_STORM_SEED: where to begin.
// LABELS: threads
#include <math.h>
#include <stdatomic.h>
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"
#include "engine/scenario_keep.h"
#include "engine/test_kit.h"

enum { TWINS = 60, FORKS = 6, TEXT = 48, LOOK_BACK_MS = 300 };

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Machine;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["       \
    "{\"@type\":\"Property\",\"name\":\"fault\",\"schema\":\"string\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"rate\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"made\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"looks\",\"schema\":\"double\"}]}]"
#define BEHAVIOUR                                                                                                      \
    "{\"model\":\"dtmi:t:Machine;1\",\"say\":[\"der(made) = rate\",\"every 1m do looks = COALESCE(looks, 0) + 1\"]}"

#define TWIN "{\"$metadata\":{\"$model\":\"dtmi:t:Machine;1\"},\"fault\":\"\",\"rate\":1,\"made\":0,\"looks\":0}"

// What a twin holds in a fork; what runs write is not among it.
typedef struct Cells {
    char fault[TEXT];
    double rate;
} Cells;

typedef struct Fork {
    char name[16];
    bool there, runs;
    Cells cells[TWINS];
} Fork;

typedef struct Storm {
    Kit k;
    char path[64];
    uint64_t seed;
    Rng rng;
    Fork forks[FORKS];
    int made, checks;
    _Atomic bool over;
    Thread mover, looker;
} Storm;

static int below(Storm *s, int n) { return (int)rng_below(&s->rng, (uint32_t)n); }

static void twin_name(int i, char out[16]) { snprintf(out, 16, "m-%d", i); }

// Short, and too long to lie in a cell.
static void some_text(Rng *r, char out[TEXT]) {
    static const char *const texts[] = {"", "jam", "no air", "jam at infeed star, seen by %d",
                                        "belt %d worn, to be changed"};
    snprintf(out, TEXT, texts[rng_below(r, 5)], (int)rng_below(r, 1000)); // NOLINT: constants all
}

// ---- what goes on beside -------------------------------------------------------------------------------------------

static SosiaErr patch(Kit *k, const char *world, int twin, const char *property, const char *value, bool sensed) {
    char id[16], body[300];
    twin_name(twin, id);
    int n = snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/%s\",\"value\":%s}", property, value);
    if (sensed)
        n += snprintf(body + n, sizeof body - (size_t)n,
                      ",{\"op\":\"add\",\"path\":\"/$metadata/%s/sourceTime\",\"value\":\"2030-01-01T00:00:00Z\"}",
                      property);
    snprintf(body + n, sizeof body - (size_t)n, "]");
    return kit_write_in(k, world, SOSIA_TWIN_PATCH, id, "", body);
}

// Live moves, by the clocks of its sensors.
static void *move(void *arg) {
    Storm *s = arg;
    Kit k = {.s = s->k.s};
    Rng r = rng_make(s->seed, 1);
    while (!atomic_load(&s->over)) {
        char value[TEXT + 2], text[TEXT];
        int twin = (int)rng_below(&r, TWINS);
        some_text(&r, text);
        snprintf(value, sizeof value, "\"%s\"", text);
        assert_int_equal(patch(&k, "", twin, "fault", value, rng_below(&r, 2)), SOSIA_OK);
        snprintf(value, sizeof value, "%d", (int)rng_below(&r, 1000));
        assert_int_equal(patch(&k, "", twin, "rate", value, rng_below(&r, 2)), SOSIA_OK);
    }
    kit_free(&k);
    return NULL;
}

// "live@" a moment ago.
static void past_name(Rng *r, char out[48]) {
    Buf b = {0};
    buf_printf(&b, "live@");
    time_print(time_now_ns() - (int64_t)rng_below(r, LOOK_BACK_MS) * NS_PER_MS, 9, &b);
    snprintf(out, 48, "%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

// Past worlds come and go, with questions about all of them. What is not there (any more) is no failure here.
static void *look_back(void *arg) {
    Storm *s = arg;
    Kit k = {.s = s->k.s};
    Rng r = rng_make(s->seed, 2);
    while (!atomic_load(&s->over)) {
        char world[48];
        SosiaAnswer a = {0};
        if (rng_below(&r, 2)) past_name(&r, world);
        else snprintf(world, sizeof world, "f%d@-%ds", (int)rng_below(&r, 40), (int)rng_below(&r, 3));
        SosiaQuery q = {.world = kit_str(world),
                        .text = kit_str("SELECT COUNT() FROM DIGITALTWINS T WHERE T.rate > 500")};
        (void)!sosia_query(k.s, NULL, &q, &a);
        sosia_answer_free(&a);
    }
    kit_free(&k);
    return NULL;
}

static void storm_begin(Storm *s) {
    kit_open(&s->k, &(SosiaOpen){.path = kit_str(s->path),
                                 .ring_records = 8192,
                                 .checkpoint_interval_ns = 20 * NS_PER_MS,
                                 .retain_interval_ns = 30 * NS_PER_MS,
                                 .journal_bytes_max = 1 << 16,
                                 .past_bytes_max = 1 << 17,
                                 .tick_ns = 10 * NS_PER_MS});
    atomic_store(&s->over, false);
}

static void threads_begin(Storm *s) {
    assert_int_equal(thread_start(&s->mover, "moves", move, s), ERR_OK);
    assert_int_equal(thread_start(&s->looker, "looks", look_back, s), ERR_OK);
}

static void threads_end(Storm *s) {
    atomic_store(&s->over, true);
    thread_join(&s->mover);
    thread_join(&s->looker);
}

// ---- what is there -------------------------------------------------------------------------------------------------

static void read_cell(Storm *s, const char *world, int twin, Cells *out) {
    char id[16];
    SosiaHandle at;
    SosiaValue v;
    SosiaBuf keep = {0};
    twin_name(twin, id);
    SosiaErr err = sosia_resolve(s->k.s, kit_str(world), kit_str(id), kit_str("fault"), &at);
    if (err) fail_msg("seed %llu: %s of %s: %s", (unsigned long long)s->seed, id, world, sosia_err_name(err));
    assert_int_equal(sosia_value(s->k.s, NULL, kit_str(world), at, &v, NULL, NULL, &keep), SOSIA_OK);
    assert_true(v.kind == SOSIA_TEXT && v.s.n < TEXT);
    memcpy(out->fault, v.s.p ? v.s.p : "", (size_t)v.s.n);
    out->fault[v.s.n] = 0;
    assert_int_equal(sosia_resolve(s->k.s, kit_str(world), kit_str(id), kit_str("rate"), &at), SOSIA_OK);
    assert_int_equal(sosia_value(s->k.s, NULL, kit_str(world), at, &v, NULL, NULL, &keep), SOSIA_OK);
    if (v.kind != SOSIA_F64) {
        (void)kit_get_in(&s->k, world, SOSIA_GET_TWIN, id, "");
        fail_msg("seed %llu: %s of %s has no rate: %s", (unsigned long long)s->seed, id, world, kit_body(&s->k));
    }
    out->rate = v.d;
    sosia_buf_free(&keep);
}

static void wrong(Storm *s, const Fork *f, int twin, const char *how, const Cells *is) {
    const Cells *was = &f->cells[twin];
    fail_msg("seed %llu, m-%d of %s, %s: \"%s\" %g, not \"%s\" %g", (unsigned long long)s->seed, twin, f->name, how,
             is->fault, is->rate, was->fault, was->rate);
}

static void check_document(Storm *s, Fork *f, int twin) {
    char id[16], want[TEXT + 40];
    twin_name(twin, id);
    assert_int_equal(kit_get_in(&s->k, f->name, SOSIA_GET_TWIN, id, ""), SOSIA_OK);
    snprintf(want, sizeof want, "\"fault\":\"%s\",", f->cells[twin].fault);
    if (!strstr(kit_body(&s->k), want))
        fail_msg("seed %llu, %s of %s: %s is not in %s", (unsigned long long)s->seed, id, f->name, want,
                 kit_body(&s->k));
}

static void check_question(Storm *s, Fork *f) {
    char want[40];
    int n = 0;
    SosiaAnswer a = {0};
    SosiaQuery q = {.world = kit_str(f->name),
                    .text = kit_str("SELECT COUNT() AS n FROM DIGITALTWINS T WHERE T.fault = 'jam' AND T.rate >= 400")};
    for (int i = 0; i < TWINS; i++) n += !strcmp(f->cells[i].fault, "jam") && f->cells[i].rate >= 400;
    assert_int_equal(sosia_query(s->k.s, NULL, &q, &a), SOSIA_OK);
    snprintf(want, sizeof want, "\"n\":%d}", n);
    kit_has(kit_keep(&s->k, (SosiaStr){a.body.p, a.body.n}), want);
    sosia_answer_free(&a);
}

static void check(Storm *s, Fork *f) {
    for (int i = 0; i < TWINS; i++) {
        Cells is;
        read_cell(s, f->name, i, &is);
        if (strcmp(is.fault, f->cells[i].fault) || is.rate != f->cells[i].rate) wrong(s, f, i, "by handle", &is);
    }
    check_document(s, f, below(s, TWINS));
    check_question(s, f);
    s->checks++;
}

// ---- what is done --------------------------------------------------------------------------------------------------

static Fork *some_fork(Storm *s) {
    Fork *f = &s->forks[below(s, FORKS)];
    return f->there ? f : NULL;
}

static void edit(Storm *s, Fork *f) {
    char value[TEXT + 2];
    int twin = below(s, TWINS);
    Cells *c = &f->cells[twin];
    if (below(s, 2)) {
        some_text(&s->rng, c->fault);
        snprintf(value, sizeof value, "\"%s\"", c->fault);
        assert_int_equal(patch(&s->k, f->name, twin, "fault", value, below(s, 4) == 0), SOSIA_OK);
    } else {
        c->rate = below(s, 1000);
        snprintf(value, sizeof value, "%g", c->rate);
        assert_int_equal(patch(&s->k, f->name, twin, "rate", value, below(s, 4) == 0), SOSIA_OK);
    }
}

// A refused instant is no failure: it may lie before the beginning.
static void fork_of(Storm *s, const Fork *of, const char *from) {
    Fork *f = &s->forks[below(s, FORKS)];
    if (f->there) return;
    snprintf(f->name, sizeof f->name, "f%d", s->made++);
    SosiaErr err = sosia_fork(s->k.s, NULL, kit_str(from), kit_str(f->name));
    if (err == SOSIA_PAST_GONE) return;
    if (err) fail_msg("seed %llu: %s of %s: %s", (unsigned long long)s->seed, f->name, from, sosia_err_name(err));
    f->there = true;
    f->runs = false;
    if (of) memcpy(f->cells, of->cells, sizeof f->cells);
    for (int i = 0; !of && i < TWINS; i++) read_cell(s, f->name, i, &f->cells[i]);
}

static void drop(Storm *s, Fork *f) {
    SosiaErr err = sosia_drop(s->k.s, NULL, kit_str(f->name));
    assert_int_equal(err, SOSIA_OK);
    f->there = f->runs = false;
}

static void run_on(Storm *s, Fork *f) {
    if (f->runs) {
        assert_int_equal(sosia_run_pause(s->k.s, NULL, kit_str(f->name), &s->k.out), SOSIA_OK);
        f->runs = false;
        return;
    }
    SosiaRun r = {.world = kit_str(f->name),
                  .for_ns = 100 * 24 * 3600 * NS_PER_S,
                  .output_ns = 60 * NS_PER_S,
                  .speed = below(s, 2) ? 0 : 3600};
    SosiaErr err = sosia_run(s->k.s, NULL, &r, &s->k.out);
    if (err)
        fail_msg("seed %llu: %s does not run: %.*s", (unsigned long long)s->seed, f->name, (int)s->k.out.message.n,
                 s->k.out.message.p);
    f->runs = true;
}

static void keep(Storm *s, Fork *f) {
    Realm *r;
    assert_int_equal(realm_open(s->k.s, kit_str(f->name), &r), ERR_OK);
    Err err = scenario_keep_now(s->k.s, r);
    assert_true(err == ERR_OK || err == ERR_BUSY);
    realm_unref(r);
}

static void restart(Storm *s) {
    threads_end(s);
    kit_close(&s->k);
    storm_begin(s);
    threads_begin(s);
    for (int i = 0; i < FORKS; i++) s->forks[i].runs = s->forks[i].runs && s->forks[i].there; // they go on
    for (int i = 0; i < FORKS; i++)
        if (s->forks[i].there) check(s, &s->forks[i]);
}

static void step(Storm *s) {
    Fork *f = some_fork(s);
    char from[48];
    int dice = below(s, 100);
    if (dice < 8) fork_of(s, NULL, "live");
    else if (dice < 14) {
        past_name(&s->rng, from);
        fork_of(s, NULL, from);
    } else if (!f) return;
    else if (dice < 20) fork_of(s, f, f->name);
    else if (dice < 24) drop(s, f);
    else if (dice < 34) run_on(s, f);
    else if (dice < 36) keep(s, f);
    else if (dice < 42) check(s, f);
    else if (dice < 43 && below(s, 4) == 0) restart(s);
    else edit(s, f);
}

static void all_stand(Storm *s) {
    for (int i = 0; i < FORKS; i++) {
        Fork *f = &s->forks[i];
        if (!f->there) continue;
        if (f->runs) run_on(s, f);
        check(s, f);
    }
}

static void one_seed(uint64_t seed, int64_t for_ns) {
    Storm s = {.seed = seed, .rng = rng_make(seed, 0)};
    kit_path(s.path);
    storm_begin(&s);
    kit_do(&s.k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(&s.k, SOSIA_DEFINITION_PUT, "machine", "behaviours", BEHAVIOUR);
    kit_do(&s.k, SOSIA_RETENTION_PUT, "all", "", "{\"raw\":\"PT1M\"}");
    for (int i = 0; i < TWINS; i++) {
        char id[16];
        twin_name(i, id);
        kit_do(&s.k, SOSIA_TWIN_PUT, id, "", TWIN);
    }
    thread_sleep_ns(LOOK_BACK_MS * NS_PER_MS); // the past that is forked has them
    threads_begin(&s);
    fork_of(&s, NULL, "live");
    for (int64_t end = time_mono_ns() + for_ns; time_mono_ns() < end;) step(&s);
    all_stand(&s);
    threads_end(&s);
    kit_close(&s.k);
    kit_unlink(s.path);
    assert_true(s.checks > 0);
}

static int64_t number_of(const char *name, int64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

static void what_is_written_stays(void **state) {
    (void)state;
    int64_t seconds = number_of("SOSIA_STORM_S", 4), seed = number_of("SOSIA_STORM_SEED", 1);
    for (int64_t i = 0; i < (seconds + 1) / 2; i++) one_seed((uint64_t)(seed + i), 2 * NS_PER_S);
}

static double number_in_fork(Kit *k, const char *twin, const char *property) {
    SosiaHandle at;
    SosiaValue v;
    assert_int_equal(sosia_resolve(k->s, kit_str("f"), kit_str(twin), kit_str(property), &at), SOSIA_OK);
    assert_int_equal(sosia_value(k->s, NULL, kit_str("f"), at, &v, NULL, NULL, NULL), SOSIA_OK);
    return v.d;
}

// Of what others write to a fork while it runs the last word stands, whenever the run ends behind it: the rate, which
// the run only reads, and what is made, which it moves on from there.
static void the_last_word_stands(void **state) {
    (void)state;
    Kit k;
    Rng r = rng_make(1, 1);
    kit_open(&k, &(SosiaOpen){0});
    kit_do(&k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(&k, SOSIA_DEFINITION_PUT, "machine", "behaviours", BEHAVIOUR);
    kit_do(&k, SOSIA_TWIN_PUT, "m-0", "", TWIN);
    kit_do(&k, SOSIA_TWIN_PUT, "m-1", "", TWIN);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
    for (int i = 0, last = 0; i < 300; i++) {
        char value[24];
        double speed = i % 2 ? 0 : 100;
        SosiaRun run = {.world = kit_str("f"), .for_ns = 3600 * NS_PER_S, .output_ns = NS_PER_S, .speed = speed};
        assert_int_equal(sosia_run(k.s, NULL, &run, &k.out), SOSIA_OK);
        for (int n = 1 + (int)rng_below(&r, 4); n; n--) {
            snprintf(value, sizeof value, "%d", ++last);
            assert_int_equal(patch(&k, "f", 0, "rate", value, false), SOSIA_OK);
            snprintf(value, sizeof value, "%d000000", last);
            assert_int_equal(patch(&k, "f", 1, "made", value, false), SOSIA_OK);
            thread_sleep_ns((int64_t)rng_below(&r, 400) * 1000);
        }
        assert_int_equal(sosia_run_pause(k.s, NULL, kit_str("f"), &k.out), SOSIA_OK);
        double rate = number_in_fork(&k, "m-0", "rate"), made = number_in_fork(&k, "m-1", "made");
        if (rate != last) fail_msg("run %d: %g instead of %d", i, rate, last);
        if (!(made >= 1e6 * last && made < 1e6 * (last + 1)))
            fail_msg("run %d: %g are made, not %d million", i, made, last);
    }
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_word_stands), cmocka_unit_test(what_is_written_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
