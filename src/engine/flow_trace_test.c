// SPDX-License-Identifier: Apache-2.0
// Traces of runs: what a line that can be followed by hand does, to the second; nothing else changes by it; bounded,
// kept, gone on with after a restart, without what was erased.
#include "engine/flow_trace.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/test_kit.h"
// LABELS: threads

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Station;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["       \
    "{\"@type\":\"Property\",\"name\":\"kind\",\"schema\":\"string\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"made\",\"schema\":\"long\"},"                                                  \
    "{\"@type\":\"Relationship\",\"name\":\"feeds\"}]}]"

// A part every 10 s; the saw takes 4 s, the press 13 s and breaks down once an hour for 60 s.
#define MAPPING                                                                                                        \
    "{\"engine\":\"flow\",\"nodes\":[{\"model\":\"dtmi:t:Station;1\",\"roles\":{\"kind\":\"kind\",\"made\":\"made\"}}" \
    "],"                                                                                                               \
    "\"edges\":[{\"relationship\":\"feeds\"}],\"config\":{\"nodes\":{\"in\":{\"is\":\"source\",\"gap\":10},"           \
    "\"saw\":{\"is\":\"station\",\"service\":4,\"capacity\":1},"                                                       \
    "\"press\":{\"is\":\"station\",\"service\":13,\"capacity\":0,"                                                     \
    "\"failures\":[{\"after\":3600,\"repair\":60}]},\"out\":{\"is\":\"sink\"}}}}"

static void station(Kit *k, const char *id, const char *kind, const char *before) {
    char body[200], link[100];
    snprintf(body, sizeof body, "{\"$metadata\":{\"$model\":\"dtmi:t:Station;1\"},\"kind\":\"%s\"}", kind);
    kit_do(k, SOSIA_TWIN_PUT, id, "", body);
    snprintf(link, sizeof link, "{\"$targetId\":\"%s\",\"$relationshipName\":\"feeds\"}", id);
    if (before) kit_do(k, SOSIA_LINK_PUT, before, id, link);
}

static void scene(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path)});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    station(k, "parts", "in", NULL);
    station(k, "saw", "saw", "parts");
    station(k, "press", "press", "saw");
    station(k, "store", "out", "press");
    kit_do(k, SOSIA_DEFINITION_PUT, "line", "mappings", MAPPING);
}

static void fork_of(Kit *k, const char *from, const char *name) {
    SosiaFork f = {.from = kit_str(from), .name = kit_str(name), .seed = 7, .seeded = true};
    assert_int_equal(sosia_world_fork(k->s, NULL, &f), SOSIA_OK);
}

static void fork_it(Kit *k, const char *name) { fork_of(k, "live", name); }

#define SECOND INT64_C(1000000000)

static void begin(Kit *k, const char *world, int64_t seconds, int32_t trace) {
    SosiaRun r = {.world = kit_str(world), .for_ns = seconds * SECOND, .trace = trace};
    SosiaErr err = sosia_run(k->s, NULL, &r, &k->out);
    if (err) fail_msg("%.*s", (int)k->out.message.n, k->out.message.p);
}

static const char *ended(Kit *k, const char *world) {
    do {
        assert_int_equal(sosia_run_status(k->s, NULL, kit_str(world), SECOND, &k->out), SOSIA_OK);
    } while (strstr(kit_body(k), "\"state\":\"running\"") || strstr(kit_body(k), "\"state\":\"starting\""));
    kit_has(kit_body(k), "\"state\":\"done\"");
    return kit_body(k);
}

// The lines, to be freed.
static char *trace(Kit *k, SosiaTrace a) {
    if (!a.world.n) a.world = kit_str("f");
    assert_int_equal(sosia_trace(k->s, NULL, &a, &k->out), SOSIA_OK);
    return strdup(kit_body(k));
}

// Without what differs between two worlds: "SECOND twin what item" by line.
static char *plain(const char *lines) {
    KitText t = {0};
    double zero = -1;
    kit_add(&t, "", 0);
    for (const char *p = lines; *p; p = strchr(p, '\n') + 1) {
        int h, m, n;
        unsigned long long at, item = 0;
        double s;
        char twin[20] = "", what[20] = "", one[100];
        if (sscanf(p, "{\"n\":%llu,\"time\":\"%*d-%*d-%*dT%d:%d:%lfZ\",\"twin\":\"%19[^\"]\",\"what\":\"%19[^\"]\"%n",
                   &at, &h, &m, &s, twin, what, &n) < 6)
            fail_msg("what is this line: %.100s", p);
        double now = h * 3600 + m * 60 + s;
        if (zero < 0) zero = now;
        if (now < zero) now += 86400;
        bool of = sscanf(p + n, ",\"item\":%llu", &item) == 1;
        snprintf(one, sizeof one, of ? "%g %s %s %llu\n" : "%g %s %s\n", now - zero, twin, what, item);
        kit_add(&t, one, strlen(one));
    }
    return t.p;
}

static void same_text(const char *got, const char *want) {
    if (strcmp(got, want) != 0) fail_msg("this came:\n%s\ninstead of:\n%s", got, want);
}

// Followed by hand. Counted from the first arrival, at 10 s. The press takes 13 s and has no queue: from the second
// part on parts wait on the saw until it is free.
static void by_hand(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    begin(&k, "f", 60, 3);
    kit_has(ended(&k, "f"), "\"trace\":{\"items\":3,\"followed\":3,\"events\":");
    char *lines = trace(&k, (SosiaTrace){0}), *got = plain(lines);
    same_text(got, "0 parts made 0\n0 parts leave 0\n0 saw enter 0\n0 saw start 0\n4 saw done 0\n4 saw leave 0\n"
                   "4 press enter 0\n4 press start 0\n10 parts made 1\n10 parts leave 1\n10 saw enter 1\n"
                   "10 saw start 1\n14 saw done 1\n14 saw block 1\n17 press done 0\n17 press leave 0\n17 store out 0\n"
                   "17 saw leave 1\n17 press enter 1\n17 press start 1\n20 parts made 2\n20 parts leave 2\n"
                   "20 saw enter 2\n20 saw start 2\n24 saw done 2\n24 saw block 2\n30 press done 1\n30 press leave 1\n"
                   "30 store out 1\n30 saw leave 2\n30 press enter 2\n30 press start 2\n43 press done 2\n"
                   "43 press leave 2\n43 store out 2\n");
    free(got);
    free(lines);
    lines = trace(&k, (SosiaTrace){.item = 2, .twin = kit_str("press")});
    got = plain(lines);
    same_text(got, "0 press enter 1\n0 press start 1\n13 press done 1\n13 press leave 1\n");
    kit_has(lines, "\"item\":1,\"source\":\"parts\"}\n");
    free(got);
    free(lines);
    kit_close(&k);
}

// Pages put together are the whole; failures are told without an item; who is not there has no trace.
static void pages(void **state) {
    (void)state;
    Kit k;
    KitText all = {0};
    scene(&k, "");
    fork_it(&k, "f");
    begin(&k, "f", 7400, 100);
    kit_has(ended(&k, "f"), "\"followed\":100,");
    char *whole = trace(&k, (SosiaTrace){0}), *some;
    kit_has(whole, "\"twin\":\"press\",\"what\":\"fail\"}\n");
    kit_has(whole, "\"twin\":\"press\",\"what\":\"repair\"}\n");
    uint64_t after = 0;
    for (some = trace(&k, (SosiaTrace){.limit = 7}); *some;
         some = trace(&k, (SosiaTrace){.limit = 7, .after = after})) {
        kit_add(&all, some, strlen(some));
        for (const char *p = some; *p; p = strchr(p, '\n') + 1) after = strtoull(p + strlen("{\"n\":"), NULL, 10);
        free(some);
    }
    free(some);
    same_text(all.p, whole);
    assert_null(strstr(whole, "\"item\":100,"));
    assert_int_equal(sosia_trace(k.s, NULL, &(SosiaTrace){.world = kit_str("live")}, &k.out), SOSIA_UNSUPPORTED);
    assert_int_equal(sosia_trace(k.s, NULL, &(SosiaTrace){.world = kit_str("x")}, &k.out), SOSIA_WORLD_NOT_FOUND);
    SosiaRun r = {.world = kit_str("f"), .for_ns = SECOND, .trace = SOSIA_TRACE_MAX + 1};
    assert_int_equal(sosia_run(k.s, NULL, &r, &k.out), SOSIA_ARGUMENT);
    free(all.p);
    free(whole);
    kit_close(&k);
}

// The world is the same with and without; what was followed stays when the run goes on without.
static void only_looks(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    fork_of(&k, "f", "g"); // of one instant
    begin(&k, "f", 3700, 1000);
    begin(&k, "g", 3700, 0);
    ended(&k, "f");
    kit_lacks(ended(&k, "g"), "trace");
    char *f = kit_dump(&k, "f"), *g = kit_dump(&k, "g"), *before = trace(&k, (SosiaTrace){0});
    same_text(f, g);
    begin(&k, "f", 100, 0);
    ended(&k, "f");
    char *after = trace(&k, (SosiaTrace){0}), *none = trace(&k, (SosiaTrace){.world = kit_str("g")});
    same_text(after, before);
    same_text(none, "");
    free(f), free(g), free(before), free(after), free(none);
    kit_close(&k);
}

// Closed in the middle: the next start goes on, and the trace is that of one that was never closed.
static void after_restart(void **state) {
    (void)state;
    Kit k;
    char path[64];
    scene(&k, "");
    fork_it(&k, "f");
    begin(&k, "f", 7200, 500);
    ended(&k, "f");
    char *lines = trace(&k, (SosiaTrace){0}), *whole = plain(lines);
    free(lines);
    kit_close(&k);
    kit_path(path);
    scene(&k, path);
    fork_it(&k, "f");
    SosiaRun r = {.world = kit_str("f"), .for_ns = 7200 * SECOND, .trace = 500, .speed = 20000};
    assert_int_equal(sosia_run(k.s, NULL, &r, &k.out), SOSIA_OK);
    do assert_int_equal(sosia_run_status(k.s, NULL, kit_str("f"), SECOND / 20, &k.out), SOSIA_OK);
    while (strstr(kit_body(&k), "\"events\":0,") || strstr(kit_body(&k), "\"starting\""));
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    ended(&k, "f");
    lines = trace(&k, (SosiaTrace){0});
    char *got = plain(lines);
    same_text(got, whole);
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)}); // of a run that has ended it stays, too
    char *again = trace(&k, (SosiaTrace){0});
    same_text(again, lines);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
    fork_it(&k, "f");
    char *none = trace(&k, (SosiaTrace){0}); // another world of that name
    same_text(none, "");
    free(lines), free(whole), free(got), free(again), free(none);
    kit_close(&k);
    kit_unlink(path);
}

static void on_erased(void *arg, const SosiaDone *e) {
    assert_int_equal(e->err, SOSIA_OK);
    __atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
}

// What happened at a twin that is erased is not told any more, in memory and in the file.
static void erased(void **state) {
    (void)state;
    Kit k;
    char path[64];
    bool done = false;
    kit_path(path);
    scene(&k, path);
    fork_it(&k, "f");
    begin(&k, "f", 600, 20);
    ended(&k, "f");
    char *whole = trace(&k, (SosiaTrace){0});
    kit_has(whole, "\"press\"");
    assert_int_equal(sosia_erase(k.s, NULL, kit_str("press"), kit_str(""), on_erased, &done), SOSIA_OK);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) usleep(1000);
    for (int round = 0; round < 2; round++) {
        char *left = trace(&k, (SosiaTrace){0});
        kit_lacks(left, "press");
        kit_has(left, "\"twin\":\"saw\",\"what\":\"block\"");
        free(left);
        kit_close(&k);
        kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    }
    free(whole);
    kit_close(&k);
    kit_unlink(path);
}

// ---- without an engine ----------------------------------------------------------------------------------------------

// Twins "a", "b" ...
typedef struct Names {
    SimGraph g;
    char text[26];
    uint64_t at[27];
} Names;

static void names_make(Names *n) {
    *n = (Names){.g = {.twins = 26, .names = n->text, .name_at = n->at}};
    for (int i = 0; i < 26; i++) n->text[i] = (char)('a' + i), n->at[i + 1] = (uint64_t)i + 1;
}

static char *shown(const Trace *t) {
    Buf b = {0};
    flow_trace_show(t, &(TraceAsk){.item = -1}, &b);
    buf_byte(&b, 0);
    return b.p;
}

// At its bound it says that it is full; nothing is added, and what is there can be read.
static void full(void **state) {
    (void)state;
    Names n;
    names_make(&n);
    Trace *t = flow_trace_new(5);
    flow_trace_graph(t, &n.g);
    int64_t ns = 0;
    for (; !t->full; ns += 1000) {
        SimTrace x = {.twin = 1, .source = 0, .item = (uint64_t)ns / 1000 % 5, .what = "start"};
        flow_trace_add(t, ns, &x);
    }
    assert_true(t->bytes.n >= TRACE_BYTES_MAX && t->bytes.n < TRACE_BYTES_MAX + 100);
    uint64_t events = t->events;
    flow_trace_add(t, ns, &(SimTrace){.twin = 1, .source = 0, .item = 1, .what = "start"});
    assert_int_equal(t->events, events);
    Buf b = {0};
    flow_trace_encode(t, &b);
    assert_true(b.n < 8 << 20); // fits an item
    Trace *again = flow_trace_decode(buf_str(&b));
    assert_non_null(again);
    assert_true(again->full && again->events == events && again->last_ns == t->last_ns);
    buf_free(&b);
    flow_trace_free(t);
    flow_trace_free(again);
}

typedef struct Told {
    int64_t ns;
    uint32_t twin, source;
    uint64_t item;
    int anew;
    bool kept;
} Told;

static Trace *through_bytes(Trace *t, const Names *n) {
    Buf b = {0};
    flow_trace_encode(t, &b);
    Trace *again = flow_trace_decode(buf_str(&b));
    assert_non_null(again);
    flow_trace_graph(again, &n->g);
    buf_free(&b);
    flow_trace_free(t);
    return again;
}

// Random events beside a list of them: what is told is the list, without who came too late and whom was forgotten,
// however often it went through a file or was begun anew.
static void against_a_list(void **state) {
    (void)state;
    static Told told[3000];
    for (uint64_t seed = 1; seed <= 40; seed++) {
        Rng rng = rng_make(seed, 0);
        Names n;
        names_make(&n);
        uint32_t count = 0, most = 1 + (uint32_t)rng_below(&rng, 60), met = 0, forgotten = 26;
        int64_t ns = 0;
        int anew = 0;
        Trace *t = flow_trace_new(most);
        flow_trace_graph(t, &n.g);
        for (int i = 0; i < 3000; i++) {
            Told *x = &told[count++];
            *x = (Told){
                .ns = ns += (int64_t)rng_below(&rng, 3) * 100, .twin = (uint32_t)rng_below(&rng, 20), .anew = anew};
            x->source = rng_below(&rng, 9) ? 20 + (uint32_t)rng_below(&rng, 3) : UINT32_MAX;
            x->item = rng_below(&rng, 40);
            x->kept = x->source == UINT32_MAX;
            for (uint32_t k = 0; k + 1 < count && !x->kept; k++)
                x->kept =
                    told[k].kept && told[k].anew == anew && told[k].source == x->source && told[k].item == x->item;
            if (!x->kept && met < most) x->kept = true, met++;
            flow_trace_add(t, ns, &(SimTrace){.twin = x->twin, .source = x->source, .item = x->item, .what = "made"});
            if (rng_below(&rng, 400) == 0) t = through_bytes(t, &n);
            if (rng_below(&rng, 900) == 0) flow_trace_anew(t), anew++;
        }
        assert_int_equal(t->items, met);
        if (seed % 2) forgotten = (uint32_t)rng_below(&rng, 23);
        if (seed % 2) (void)flow_trace_forget(t, (Str){&n.text[forgotten], 1});
        KitText want = {0};
        kit_add(&want, "", 0);
        char *got = shown(t);
        uint64_t at = 0;
        const char *p = got;
        for (uint32_t k = 0; k < count; k++) {
            const Told *x = &told[k];
            if (!x->kept || x->twin == forgotten || x->source == forgotten) continue;
            char twin[40];
            snprintf(twin, sizeof twin, "{\"n\":%llu,", (unsigned long long)++at);
            if (strncmp(p, twin, strlen(twin)) != 0) fail_msg("seed %llu: %.80s", (unsigned long long)seed, p);
            snprintf(twin, sizeof twin, "\"twin\":\"%c\"", 'a' + (int)x->twin);
            const char *end = strchr(p, '\n'), *found = strstr(p, twin);
            if (!found || found > end) fail_msg("seed %llu: %.80s, not %s", (unsigned long long)seed, p, twin);
            p = end + 1;
        }
        if (*p) fail_msg("seed %llu: more came: %.80s", (unsigned long long)seed, p);
        free(want.p);
        mem_free(got);
        flow_trace_free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand),       cmocka_unit_test(pages),
                                       cmocka_unit_test(only_looks),    cmocka_unit_test(after_restart),
                                       cmocka_unit_test(erased),        cmocka_unit_test(full),
                                       cmocka_unit_test(against_a_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
