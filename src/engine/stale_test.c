// SPDX-License-Identifier: Apache-2.0
// Who has gone silent, against twin by twin: of the live world, forks and the past, while random edits go on.
#include "codec/json.h"
#include "engine/test_past.h"

static const char *const paths[] = {"label",  "temperature", "count", "big", "on", "thermostat.setPoint",
                                    "size.w", "size.h",      "tags"};

// ---- twin by twin --------------------------------------------------------------------------------------------------

static Json parse(Arena *a, const SosiaBuf *body) {
    Json j;
    assert_int_equal(json_parse((Str){body->p, body->n}, NULL, a, &j, NULL), ERR_OK);
    return j;
}

// The sourceTime of a property, 0: none. Objects have those of what is in them.
static int64_t source_of(const Json *twin, const char *path) {
    Str rest = str_of(path), head = str_cut(&rest, '.');
    const Json *at = twin;
    if (str_eq(head, STR("thermostat"))) {
        at = json_get(twin, head);
        head = rest;
    } else if (rest.n) {
        const Json *member = json_get(json_get(twin, head), rest);
        if (!member) return 0;
    }
    const Json *meta = json_get(json_get(at, STR("$metadata")), head), *time = json_get(meta, STR("sourceTime"));
    int64_t ns = 0;
    if (time && json_get(at, head)) assert_true(time_parse(time->s, &ns));
    return ns;
}

static void check(Stream *s, const char *world, int64_t older_ns) {
    Kit *k = &s->k;
    Arena a;
    int64_t now = 0, watched = 0, stale = 0;
    arena_init(&a, 0);
    SosiaErr err = sosia_stale(k->s, NULL, &(SosiaStale){.world = kit_str(world), .older_ns = older_ns}, &k->out);
    if (err) fail_msg("%s: %s: %.*s", world, sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    SosiaBuf keep = k->out.body;
    k->out.body = (SosiaBuf){0};
    Json told = parse(&a, &keep);
    assert_true(time_parse(json_get(&told, STR("time"))->s, &now));
    assert_int_equal(kit_read(k, &(SosiaRead){.what = SOSIA_GET_TWINS, .world = kit_str(world), .limit = 1000}), 0);
    Json list = parse(&a, &k->out.body);
    for (int32_t i = 0; i < list.count; i++) {
        int64_t newest = 0;
        for (size_t n = 0; n < sizeof paths / sizeof *paths; n++) {
            int64_t t = source_of(&list.items[i], paths[n]);
            if (t > newest) newest = t;
        }
        bool silent = newest && now - newest > older_ns, found = false;
        watched += newest != 0;
        stale += silent;
        const Json *twins = json_get(&told, STR("twins"));
        for (int32_t n = 0; n < twins->count; n++) {
            if (!str_eq(json_get(&twins->items[n], STR("id"))->s, json_get(&list.items[i], STR("$dtId"))->s)) continue;
            int64_t t = 0;
            assert_true(time_parse(json_get(&twins->items[n], STR("newest"))->s, &t));
            assert_true(t == newest / 100 * 100);
            found = true;
        }
        if (found != silent)
            fail_msg("seed %llu, %s: %.*s", (unsigned long long)s->seed, world, STR_ARG(list.items[i].raw));
    }
    assert_int_equal(json_get(&told, STR("watched"))->i, watched);
    assert_int_equal(json_get(&told, STR("stale"))->i, stale);
    sosia_buf_free(&keep);
    arena_free(&a);
}

static void random_worlds(uint64_t seed) {
    Stream s = {.seed = seed, .world = "", .r = rng_make(seed, 2)};
    char path[64];
    kit_path(path);
    atomic_store(&test_clock, START);
    kit_open(&s.k, &(SosiaOpen){.path = kit_str(path), .now = test_now, .tick_ns = -1});
    kit_models(&s.k);
    int64_t instants[3];
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < 80; n++) step(&s);
        pass(1000);
        assert_int_equal(sosia_world_now(s.k.s, kit_str(""), true, &instants[i]), SOSIA_OK);
        pass(1000);
        for (int64_t older = 1; older <= 60 * NS_PER_S; older *= 7) check(&s, "live", older);
        if (i) continue;
        assert_int_equal(sosia_fork(s.k.s, NULL, kit_str("live"), kit_str("fork")), SOSIA_OK);
        s.world = "fork";
        for (int n = 0; n < 30; n++) step(&s);
        check(&s, "fork", 5 * NS_PER_S);
        s.world = "";
    }
    for (int i = 0; i < 3; i++) {
        SosiaBuf world = world_of("live", instants[i]);
        check(&s, world.p, 5 * NS_PER_S);
        sosia_buf_free(&world);
    }
    kit_close(&s.k);
    kit_unlink(path);
}

static void as_twin_by_twin(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) random_worlds(seed);
}

// ---- order, limits -------------------------------------------------------------------------------------------------

static void spoke(Kit *k, const char *id, int64_t at) {
    char body[200];
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"property\":\"count\",\"value\":1,\"time\":%lld}\n", id,
             (long long)(at / NS_PER_MS));
    kit_do(k, SOSIA_INGEST, "", "", body);
}

static void who_fell_silent_last_comes_first(void **state) {
    (void)state;
    Kit k;
    char id[16];
    atomic_store(&test_clock, START);
    kit_open(&k, &(SosiaOpen){.now = test_now, .tick_ns = -1});
    kit_models(&k);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "r%d", i);
        kit_room(&k, id);
        if (i < 4) spoke(&k, id, START - (i * 3 % 4) * 60 * NS_PER_S); // r0 now, r1 3 min, r2 2 min, r3 1 min ago
    }
    SosiaStale ask = {.older_ns = 30 * NS_PER_S, .limit = 2};
    assert_int_equal(sosia_stale(k.s, NULL, &ask, &k.out), SOSIA_OK);
    kit_has(kit_body(&k),
            "\"watched\":4,\"stale\":3,\"models\":[{\"model\":\"dtmi:test:Room;1\",\"watched\":4,\"stale\":3,"
            "\"oldest\":\"2026-11-01T07:57:00.0000000Z\",\"newest\":\"2026-11-01T07:59:00.0000000Z\"}]");
    kit_has(kit_body(&k), "\"twins\":[{\"id\":\"r3\",\"model\":\"dtmi:test:Room;1\",\"property\":\"count\",\"newest\":"
                          "\"2026-11-01T07:59:00.0000000Z\"},{\"id\":\"r2\",");
    kit_has(kit_body(&k), "],\"more\":true}");
    kit_lacks(kit_body(&k), "\"r1\"");
    ask.limit = 3;
    assert_int_equal(sosia_stale(k.s, NULL, &ask, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "],\"more\":false}");
    ask.limit = SOSIA_STALE_TWINS_MAX + 1;
    assert_int_equal(sosia_stale(k.s, NULL, &ask, &k.out), SOSIA_ARGUMENT);
    ask = (SosiaStale){.older_ns = -1};
    assert_int_equal(sosia_stale(k.s, NULL, &ask, &k.out), SOSIA_ARGUMENT);
    ask = (SosiaStale){.world = kit_str("nowhere"), .older_ns = 1};
    assert_int_equal(sosia_stale(k.s, NULL, &ask, &k.out), SOSIA_WORLD_NOT_FOUND);
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_twin_by_twin),
        cmocka_unit_test(who_fell_silent_last_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
