// SPDX-License-Identifier: Apache-2.0
// Derived values that look back: under random values (late ones too), clears, deletions, relationships, definitions
// that come and go, forks and a clock that jumps, each one equals, with the next tick, what its expression gives over
// plain lists of everything that came. What a window holds is bounded.
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"
#include "engine/derive_past.h"
#include "engine/expr_past.h"
#include "engine/test_kit.h"

#define TWINS 6
#define STEPS 120
#define POINTS_MAX 40000

static _Atomic int64_t clock_ns;

static int64_t clock_now(void *ctx) {
    (void)ctx;
    return atomic_load(&clock_ns);
}

// ---- what came, as a list -----------------------------------------------------------------------------------------

typedef struct Came {
    int64_t time;
    int twin, property; // number of P0.., "pns"[property]
    bool valid;
    double d;
    char text[4];
} Came;

typedef struct Storm {
    Kit k;
    Rng rng;
    uint64_t seed;
    Came *came; // by own time, of one time by arrival
    int n;
    bool alive[TWINS];
    int stamp;     // edits since the clock moved: their times, as batches have them
    char path[64]; // of a file with history; "": in memory
    SosiaOpen open;
} Storm;

static void note(Storm *x, Came c) {
    int at = x->n++;
    assert_true(x->n < POINTS_MAX);
    for (; at > 0 && x->came[at - 1].time > c.time; at--) x->came[at] = x->came[at - 1];
    x->came[at] = c;
}

static void forget(Storm *x, int twin) {
    int n = 0;
    for (int i = 0; i < x->n; i++)
        if (x->came[i].twin != twin) x->came[n++] = x->came[i];
    x->n = n;
}

static ExprMoment moment_of(const Came *c) {
    ExprMoment m = {.time = c->time, .valid = c->valid, .text = str_of(c->text)};
    if (c->property == 0) m.bits = bits_of(c->d);
    else m.bits = (uint64_t)(int64_t)c->d;
    return m;
}

static Err moments(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    Storm *x = ctx;
    const Table *t;
    const LinkKind *k;
    TwinView twin = view_twin(v, (TwinId){r->id});
    const Field *f = catalog_field(v->catalog, r->column, &t, &k);
    int number = text_str(&twin.name).p[1] - '0', property = f->name.p[0] == 'p' ? 0 : f->name.p[0] == 'n' ? 1 : 2;
    const Came *stood = NULL;
    for (int i = 0; i < x->n && x->came[i].time <= r->from; i++)
        if (x->came[i].twin == number && x->came[i].property == property) stood = &x->came[i];
    if (stood && stood->valid) {
        ExprMoment m = moment_of(stood);
        m.time = r->from;
        if (!fn(arg, &m)) return ERR_OK;
    }
    for (int i = 0; i < x->n && x->came[i].time <= r->to; i++) {
        const Came *c = &x->came[i];
        if (c->twin != number || c->property != property || c->time <= r->from) continue;
        bool beaten = false; // of one time the last one counts
        for (int j = i + 1; j < x->n && x->came[j].time == c->time; j++)
            beaten = beaten || (x->came[j].twin == number && x->came[j].property == property);
        if (beaten) continue;
        ExprMoment m = moment_of(c);
        if (!fn(arg, &m)) return ERR_OK;
    }
    return ERR_OK;
}

// ---- the site -----------------------------------------------------------------------------------------------------

static const char MODEL[] =
    "[{\"@id\":\"dtmi:w:P;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"p\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"n\",\"schema\":\"long\"},"
    "{\"@type\":\"Property\",\"name\":\"s\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"o0\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"o1\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"o2\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"o3\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"o4\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"o5\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"o6\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"o7\",\"schema\":\"boolean\"},"
    "{\"@type\":\"Relationship\",\"name\":\"feeds\"}]}]";

static const char *const DEFS[] = {"AVG(p, 60s)",
                                   "SUM(->feeds, DELTA(n, 45s))",
                                   "MAX(p, 30s) + COUNT(n, 1m)",
                                   "INCREASE(n, 30s) * 2",
                                   "MEDIAN(p, 60s) - FIRST(p, 30s)",
                                   "CHANGES(s, 60s) + STDDEV(p, 20s)",
                                   "LAST(s, 30s)",
                                   "ANY(<-feeds, LAST(n, 10s) > 5) OR SUM(n, 2m) > 100"};

static void define(Storm *x, int i) {
    char name[16], body[300];
    snprintf(name, sizeof name, "d%d", i);
    snprintf(body, sizeof body, "{\"model\":\"dtmi:w:P;1\",\"property\":\"o%d\",\"expression\":\"%s\"}", i, DEFS[i]);
    kit_do(&x->k, SOSIA_DERIVED_PUT, name, "", body);
}

static void make(Storm *x, int i) {
    char id[16];
    snprintf(id, sizeof id, "P%d", i);
    kit_do(&x->k, SOSIA_TWIN_PUT, id, "", "{\"$metadata\":{\"$model\":\"dtmi:w:P;1\"}}");
    x->alive[i] = true;
}

static void join(Storm *x, int from, int to) {
    if (from == to) return;
    char id[16], rid[16], body[100];
    snprintf(id, sizeof id, "P%d", from);
    snprintf(rid, sizeof rid, "r%d", to);
    snprintf(body, sizeof body, "{\"$relationshipName\":\"feeds\",\"$targetId\":\"P%d\"}", to);
    kit_do(&x->k, SOSIA_LINK_PUT, id, rid, body);
}

// ---- edits --------------------------------------------------------------------------------------------------------

static int pick(Storm *x, int n) { return (int)rng_below(&x->rng, (uint64_t)n); }

static int some_twin(Storm *x) {
    int i = pick(x, TWINS);
    while (!x->alive[i]) i = (i + 1) % TWINS;
    return i;
}

// One value, by its source's clock or by ours. Times never lie a whole span apart: ours are 7 us ahead with each step.
static void set_value(Storm *x) {
    static const char *const paths[] = {"p", "n", "s"};
    Came c = {.twin = some_twin(x), .property = pick(x, 3), .valid = true, .d = pick(x, 9)};
    char id[16];
    bool source = pick(x, 2) == 0;
    int64_t now = atomic_load(&clock_ns), ago = pick(x, 3) ? pick(x, 2000) : pick(x, 90000);
    c.time = source ? now - ago * NS_PER_MS - 3000 - ++x->stamp : now + ++x->stamp;
    if (c.property == 2) snprintf(c.text, sizeof c.text, "t%d", (int)c.d % 3);
    snprintf(id, sizeof id, "P%d", c.twin);
    SosiaUpdate u = {.source_time_ns = source ? c.time : 0};
    assert_int_equal(sosia_resolve(x->k.s, kit_str(""), kit_str(id), kit_str(paths[c.property]), &u.at), SOSIA_OK);
    if (c.property == 0) u.value = (SosiaValue){.kind = SOSIA_F64, .d = c.d};
    else if (c.property == 1) u.value = (SosiaValue){.kind = SOSIA_I64, .i = (int64_t)c.d};
    else u.value = (SosiaValue){.kind = SOSIA_TEXT, .s = kit_str(c.text)};
    assert_int_equal(sosia_apply(x->k.s, NULL, kit_str(""), &u, 1, NULL), SOSIA_OK);
    note(x, c);
}

static void clear_value(Storm *x) {
    static const char *const paths[] = {"p", "n", "s"};
    Came c = {.twin = some_twin(x), .property = pick(x, 3), .time = atomic_load(&clock_ns) + ++x->stamp};
    char id[16], body[80];
    snprintf(id, sizeof id, "P%d", c.twin);
    snprintf(body, sizeof body, "[{\"op\":\"remove\",\"path\":\"/%s\"}]", paths[c.property]);
    if (kit_write(&x->k, SOSIA_TWIN_PATCH, id, "", body) == SOSIA_OK) note(x, c); // else there was none
}

static void remake_twin(Storm *x) {
    int i = some_twin(x), from = (i + 1) % TWINS;
    char id[16];
    snprintf(id, sizeof id, "P%d", i);
    assert_int_equal(kit_get_in(&x->k, "", SOSIA_GET_TWIN, id, ""), SOSIA_OK);
    for (int k = 0; k < TWINS; k++) { // relationships first
        char rid[16], other[16];
        snprintf(rid, sizeof rid, "r%d", k);
        snprintf(other, sizeof other, "P%d", k);
        kit_write(&x->k, SOSIA_LINK_DELETE, id, rid, "");
        snprintf(rid, sizeof rid, "r%d", i);
        kit_write(&x->k, SOSIA_LINK_DELETE, other, rid, "");
    }
    kit_do(&x->k, SOSIA_TWIN_DELETE, id, "", "");
    forget(x, i);
    make(x, i);
    join(x, from, i);
}

static void edit(Storm *x) {
    switch (pick(x, 24)) {
    case 0: clear_value(x); break;
    case 1: remake_twin(x); break;
    case 2: join(x, some_twin(x), some_twin(x)); break;
    case 3: {
        char name[16];
        int i = pick(x, 8);
        snprintf(name, sizeof name, "d%d", i);
        kit_do(&x->k, SOSIA_DERIVED_DELETE, name, "", "");
        define(x, i);
        break;
    }
    default: set_value(x);
    }
}

// ---- comparing ----------------------------------------------------------------------------------------------------

typedef struct Look {
    Storm *x;
    Buf why;
} Look;

static Err verify_view(View *v, void *ctx) {
    Look *l = ctx;
    const ExprPast past = {.ctx = l->x, .moments = moments};
    buf_reset(&l->why);
    return derive_verify(v, atomic_load(&clock_ns) + 5000, &past, &l->why) ? ERR_OK : ERR_CORRUPT;
}

// The same by what history tells.
static Err verify_history(View *v, void *ctx) {
    Look *l = ctx;
    Realm *r = realm_find(l->x->k.s, (Str){0});
    EnginePast past;
    buf_reset(&l->why);
    const ExprPast *p = engine_past(&past, r);
    Err err = p && derive_verify(v, engine_past_now(r), p, &l->why) ? ERR_OK : ERR_CORRUPT;
    realm_unref(r);
    return err;
}

// With one of the next ticks.
static void settles(Storm *x, int step) {
    Look l = {.x = x};
    Err err = ERR_CORRUPT;
    for (int i = 0; i < 3000 && err; i++) {
        err = engine_read(x->k.s, NULL, (Str){0}, verify_view, &l, NULL);
        if (err) usleep(2000);
    }
    if (err) fail_msg("seed %llu, step %d: %.*s", (unsigned long long)x->seed, step, STR_ARG(buf_str(&l.why)));
    if (x->path[0]) err = engine_read(x->k.s, NULL, (Str){0}, verify_history, &l, NULL);
    if (err) fail_msg("history, seed %llu, step %d: %.*s", (unsigned long long)x->seed, step, STR_ARG(buf_str(&l.why)));
    buf_free(&l.why);
}

static void begin(Storm *x, uint64_t seed, bool file) {
    *x = (Storm){.seed = seed, .rng = rng_make(seed, 5)};
    x->open = (SosiaOpen){.now = clock_now, .tick_ns = NS_PER_MS};
    if (file) {
        kit_path(x->path);
        x->open.path = kit_str(x->path);
    }
    x->came = mem_alloc(POINTS_MAX * sizeof *x->came);
    atomic_store(&clock_ns, INT64_C(1700000000000000000));
    kit_open(&x->k, &x->open);
    kit_do(&x->k, SOSIA_MODELS_ADD, "", "", MODEL);
    for (int i = 0; i < 8; i++) define(x, i);
    for (int i = 0; i < TWINS; i++) make(x, i);
    for (int i = 0; i < TWINS; i++) join(x, i, (i + 1) % TWINS);
}

static void end(Storm *x) {
    kit_close(&x->k);
    mem_free(x->came);
    if (x->path[0]) kit_unlink(x->path);
}

static void storm(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        Storm x;
        begin(&x, seed, false);
        for (int step = 0; step < STEPS; step++) {
            for (int n = pick(&x, 12); n >= 0; n--) edit(&x);
            settles(&x, step);
            int64_t ms = pick(&x, 4) ? pick(&x, 3000) : pick(&x, 40000);
            atomic_fetch_add(&clock_ns, ms * NS_PER_MS + 7000);
            x.stamp = 0;
            if (pick(&x, 2)) settles(&x, step);
        }
        end(&x);
    }
}

// With history behind it: windows are filled from it after every start, and it gives the same by itself.
static void storm_with_history(void **state) {
    (void)state;
    for (uint64_t seed = 21; seed <= 22; seed++) {
        Storm x;
        begin(&x, seed, true);
        for (int step = 0; step < STEPS / 2; step++) {
            for (int n = pick(&x, 12); n >= 0; n--) edit(&x);
            settles(&x, step);
            int64_t ms = pick(&x, 4) ? pick(&x, 3000) : pick(&x, 40000);
            atomic_fetch_add(&clock_ns, ms * NS_PER_MS + 7000);
            x.stamp = 0;
            if (step % 10 == 9) {
                kit_close(&x.k);
                kit_open(&x.k, &x.open);
                settles(&x, step);
            }
        }
        end(&x);
    }
}

// More values than a window holds: no value, until those that were let go are past.
static void windows_are_bounded(void **state) {
    (void)state;
    Storm x;
    begin(&x, 9, false);
    SosiaHandle at;
    static SosiaUpdate u[DERIVE_WINDOW_MAX + 2000];
    int n = (int)(sizeof u / sizeof *u);
    assert_int_equal(sosia_resolve(x.k.s, kit_str(""), kit_str("P0"), kit_str("p"), &at), SOSIA_OK);
    int64_t now = atomic_load(&clock_ns);
    for (int i = 0; i < n; i++)
        u[i] = (SosiaUpdate){
            .at = at, .value = {.kind = SOSIA_F64, .d = 4}, .source_time_ns = now - (int64_t)(n - i) * NS_PER_MS};
    for (int i = 0; i < n; i += 1000)
        assert_int_equal(sosia_apply(x.k.s, NULL, kit_str(""), u + i, n - i < 1000 ? n - i : 1000, NULL), SOSIA_OK);
    for (int i = 0; i < 3000 && strstr(kit_get(&x.k, SOSIA_GET_TWIN, "P0", ""), "\"o0\":"); i++) usleep(2000);
    kit_lacks(kit_get(&x.k, SOSIA_GET_TWIN, "P0", ""), "\"o0\":");
    atomic_fetch_add(&clock_ns, 58 * NS_PER_S);
    for (int i = 0; i < 3000 && !strstr(kit_get(&x.k, SOSIA_GET_TWIN, "P0", ""), "\"o0\":4,"); i++) usleep(2000);
    kit_has(kit_get(&x.k, SOSIA_GET_TWIN, "P0", ""), "\"o0\":4,");
    end(&x);
}

// A fork goes on with what it had and what is written there; spans that are no constant are refused.
static void forks_and_refusals(void **state) {
    (void)state;
    Storm x;
    begin(&x, 10, false);
    kit_do(&x.k, SOSIA_TWIN_PATCH, "P0", "", "[{\"op\":\"add\",\"path\":\"/p\",\"value\":4}]");
    assert_int_equal(sosia_fork(x.k.s, NULL, kit_str(""), kit_str("plan")), SOSIA_OK);
    int64_t at = atomic_load(&clock_ns);
    atomic_fetch_add(&clock_ns, NS_PER_S);
    assert_int_equal(
        kit_write_in(&x.k, "plan", SOSIA_TWIN_PATCH, "P0", "", "[{\"op\":\"add\",\"path\":\"/p\",\"value\":8}]"),
        SOSIA_OK);
    // a fork has a clock of its own, which does not go on by itself: the 8 has just come
    assert_int_equal(kit_get_in(&x.k, "plan", SOSIA_GET_TWIN, "P0", ""), SOSIA_OK);
    kit_lacks(kit_body(&x.k), "\"o0\":8,");
    SosiaUpdate u = {.value = {.kind = SOSIA_F64, .d = 9}};
    assert_int_equal(sosia_resolve(x.k.s, kit_str("plan"), kit_str("P0"), kit_str("p"), &u.at), SOSIA_OK);
    assert_int_equal(sosia_apply_at(x.k.s, NULL, kit_str("plan"), at + 3600 * NS_PER_S, &u, 1, NULL), SOSIA_OK);
    assert_int_equal(kit_get_in(&x.k, "plan", SOSIA_GET_TWIN, "P0", ""), SOSIA_OK);
    kit_has(kit_body(&x.k), "\"o0\":9,"); // in memory no history tells what was before
    kit_has(kit_get(&x.k, SOSIA_GET_TWIN, "P0", ""), "\"o0\":4,");
    SosiaErr err = kit_write(&x.k, SOSIA_DERIVED_PUT, "bad", "",
                             "{\"twin\":\"P1\",\"property\":\"o1\",\"expression\":\"LAST(n, NOW() - 5m)\"}");
    assert_int_equal(err, SOSIA_SYNTAX);
    kit_has(kit_message(&x.k), "constant span");
    err = kit_write(&x.k, SOSIA_DERIVED_PUT, "bad", "",
                    "{\"twin\":\"P1\",\"property\":\"o1\",\"expression\":\"AVG(o1, 5m)\"}");
    assert_int_equal(err, SOSIA_DERIVED_CYCLE);
    end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storm),
        cmocka_unit_test(storm_with_history),
        cmocka_unit_test(windows_are_bounded),
        cmocka_unit_test(forks_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
