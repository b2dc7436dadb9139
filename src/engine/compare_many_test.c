// SPDX-License-Identifier: Apache-2.0
// Worlds and what-ifs many times over: the first replication of each world is the run that was compared, chances are
// shared, worlds of the past and such as never ran take part, titles and sentences, and what is refused.
#include <math.h>
#include "base/time.h"
#include "codec/json.h"
#include "engine/test_kit.h"

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Desk;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["          \
    "{\"@type\":\"Property\",\"name\":\"pace\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"count\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"fee\",\"schema\":\"double\"}]}]"

static void scene(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path)});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(k, SOSIA_TWIN_PUT, "d", "",
           "{\"$metadata\":{\"$model\":\"dtmi:t:Desk;1\"},\"pace\":0.1,\"count\":0,\"fee\":2}");
    kit_do(k, SOSIA_DEFINITION_PUT, "desk", "behaviours",
           "{\"model\":\"dtmi:t:Desk;1\",\"say\":[\"at rate pace do count = count + 1\"]}");
    kit_do(k, SOSIA_DEFINITION_PUT, "came", "kpis",
           "{\"title\":\"Who came\",\"twin\":\"d\",\"expression\":\"count\",\"better\":\"more\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "earned", "kpis",
           "{\"title\":\"Income\",\"unit\":\"EUR\",\"of\":\"money\",\"twin\":\"d\",\"expression\":\"count * fee\","
           "\"better\":\"more\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "w", "whatifs",
           "{\"title\":\"More <come>\",\"about\":\"Twice the pace.\",\"for\":\"PT10M\",\"seed\":3,\"kpis\":[\"earned\","
           "\"came\"],\"changes\":[{\"at\":\"PT5M\",\"twin\":\"d\",\"property\":\"pace\",\"value\":0.2}]}");
}

static void fork_of(Kit *k, const char *name) {
    SosiaFork f = {.from = kit_str("live"), .name = kit_str(name), .seed = 7, .seeded = true};
    assert_int_equal(sosia_world_fork(k->s, NULL, &f), SOSIA_OK);
}

static void run(Kit *k, const char *world, const char *changes) {
    SosiaRun r = {.world = kit_str(world), .for_ns = INT64_C(600000000000), .changes = kit_str(changes)};
    assert_int_equal(sosia_run(k->s, NULL, &r, &k->out), SOSIA_OK);
    do assert_int_equal(sosia_run_status(k->s, NULL, kit_str(world), INT64_C(10000000000), &k->out), SOSIA_OK);
    while (!strstr(kit_body(k), "\"state\":\"done\""));
}

static SosiaErr compare_many(Kit *k, const char *a, const char *b, SosiaCompare c) {
    SosiaStr worlds[] = {kit_str(a), kit_str(b)};
    c.worlds = worlds;
    c.world_count = 2;
    return sosia_compare_many(k->s, NULL, &c, &k->out);
}

// Of one by its number, at its end.
static void ended(Kit *k, uint64_t id, Arena *a, Json *v) {
    do {
        SosiaEnsembleShow x = {.id = id, .wait_ns = INT64_C(10000000000), .samples = true};
        assert_int_equal(sosia_ensemble_show(k->s, NULL, &x, &k->out), SOSIA_OK);
    } while (strstr(kit_body(k), "\"state\":\"running\"") || strstr(kit_body(k), "\"state\":\"starting\""));
    if (!strstr(kit_body(k), "\"state\":\"done\"")) fail_msg("%s", kit_body(k));
    arena_init(a, 0);
    assert_int_equal(json_parse(arena_str(a, (SosiaStr){k->out.body.p, k->out.body.n}), NULL, a, v, NULL), ERR_OK);
}

static const Json *kpi_of(const Json *v, int32_t which, const char *name) {
    const Json *kpis = json_get(&json_get(v, STR("cases"))->items[which], STR("kpis"));
    for (int32_t i = 0; i < kpis->count; i++)
        if (str_eq(json_get(&kpis->items[i], STR("name"))->s, str_of(name))) return &kpis->items[i];
    fail_msg("no KPI %s", name);
    return NULL;
}

static double number(const Json *v, const char *name) { return json_f64(json_get(v, str_of(name))); }

static double counted(Kit *k, const char *world) {
    assert_int_equal(kit_get_in(k, world, SOSIA_GET_TWIN, "d", ""), SOSIA_OK);
    const char *at = strstr(kit_body(k), "\"count\":");
    assert_non_null(at);
    return strtod(at + 8, NULL);
}

// From an instant of live, and that is the tick where its run begins: such a run's past is live's up to there.
static void fork_on_a_tick(Kit *k, const char *name) {
    int64_t now;
    assert_int_equal(sosia_world_now(k->s, kit_str("live"), true, &now), SOSIA_OK);
    Buf from = {0};
    buf_printf(&from, "live@");
    time_print(now - now % 100, 9, &from);
    SosiaFork f = {.from = buf_str(&from), .name = kit_str(name), .seed = 7, .seeded = true};
    assert_int_equal(sosia_world_fork(k->s, NULL, &f), SOSIA_OK);
    buf_free(&from);
}

// Of both with a file and without one; b was changed before it ran, and by its run.
static void the_first_is_the_run(void **state) {
    (void)state;
    Kit k;
    Arena a;
    Json v;
    char path[64];
    kit_path(path);
    scene(&k, path);
    fork_of(&k, "a");
    fork_of(&k, "b");
    assert_int_equal(
        kit_write_in(&k, "b", SOSIA_TWIN_PATCH, "d", "", "[{\"op\":\"replace\",\"path\":\"/pace\",\"value\":0.3}]"),
        SOSIA_OK);
    run(&k, "a", "");
    run(&k, "b", "[{\"at\":\"PT5M\",\"twin\":\"d\",\"property\":\"pace\",\"value\":0.05}]");
    double ran[] = {counted(&k, "a"), counted(&k, "b")};
    assert_int_equal(compare_many(&k, "a", "b", (SosiaCompare){.replications = 20}), SOSIA_OK);
    ended(&k, 1, &a, &v);
    for (int32_t c = 0; c < 2; c++) {
        const Json *x = kpi_of(&v, c, "came"), *samples = json_get(x, STR("samples"));
        assert_int_equal(samples->count, 20);
        if (json_f64(&samples->items[0]) != ran[c])
            fail_msg("world %d: %g, not %g", c, json_f64(&samples->items[0]), ran[c]);
    }
    // Poisson of 0.1 * 600 = 60, and of 0.3 * 300 + 0.05 * 300 = 105: within 4 standard errors.
    assert_true(fabs(number(kpi_of(&v, 0, "came"), "mean") - 60) < 4 * sqrt(60.0 / 20));
    assert_true(fabs(number(kpi_of(&v, 1, "came"), "mean") - 105) < 4 * sqrt(105.0 / 20));
    // Differences are those of pairs.
    const Json *x = json_get(kpi_of(&v, 0, "came"), STR("samples")),
               *y = json_get(kpi_of(&v, 1, "came"), STR("samples"));
    double sum = 0;
    for (int32_t i = 0; i < 20; i++) sum += json_f64(&y->items[i]) - json_f64(&x->items[i]);
    const Json *by = json_get(kpi_of(&v, 1, "came"), STR("difference"));
    assert_true(fabs(number(by, "mean") - sum / 20) < 1e-9);
    kit_has(kit_body(&k), "\"told\":[\"d.pace = 0.3\",\"after 5 min: d.pace = 0.05\"]");
    kit_has(kit_body(&k), "\"title\":\"a and b\"");
    kit_has(kit_body(&k), "\"sentence\":\"b brings ");
    arena_free(&a);
    kit_close(&k);
    kit_unlink(path);
}

// The chances are the fork's, and it is forgotten with it, also where what it begins with is live's past.
static void from_the_first_instant(void **state) {
    (void)state;
    Kit k;
    Arena a;
    Json v;
    char path[64];
    kit_path(path);
    scene(&k, path);
    fork_on_a_tick(&k, "a");
    run(&k, "a", "");
    double ran = counted(&k, "a");
    assert_int_equal(compare_many(&k, "a", "live", (SosiaCompare){.replications = 4}), SOSIA_OK);
    ended(&k, 1, &a, &v);
    assert_true(number(&v, "seed") == 7);
    const Json *samples = json_get(kpi_of(&v, 0, "came"), STR("samples"));
    if (json_f64(&samples->items[0]) != ran) fail_msg("%g, not %g", json_f64(&samples->items[0]), ran);
    arena_free(&a);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("a")), SOSIA_OK);
    SosiaEnsembleShow x = {.id = 1};
    assert_int_equal(sosia_ensemble_show(k.s, NULL, &x, &k.out), SOSIA_ENSEMBLE_NOT_FOUND);
    kit_close(&k);
    kit_unlink(path);
}

// live, a world that never ran, and the past: with the chances of the first one's seed.
static void of_any_world(void **state) {
    (void)state;
    Kit k;
    Arena a;
    Json v;
    char path[64], name[96], json[400];
    kit_path(path);
    scene(&k, path);
    int64_t then;
    assert_int_equal(sosia_world_now(k.s, kit_str("live"), true, &then), SOSIA_OK);
    fork_of(&k, "a");
    assert_int_equal(compare_many(&k, "a", "live", (SosiaCompare){.replications = 4}), SOSIA_ARGUMENT);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "none of these worlds has been run");
    SosiaCompare ask = {
        .replications = 4, .for_ns = INT64_C(60000000000), .kpis = kit_str("earned,came"), .level = 0.9};
    assert_int_equal(compare_many(&k, "a", "live", ask), SOSIA_OK);
    ended(&k, 1, &a, &v);
    // One chance, one world: nothing differs. KPIs stand in the order they were asked for.
    const Json *by = json_get(kpi_of(&v, 1, "came"), STR("difference"));
    assert_true(number(by, "mean") == 0 && number(by, "low") == 0 && number(by, "high") == 0);
    assert_true(number(&v, "level") == 0.9);
    kit_has(kit_body(&k), "live does nothing to income");
    const char *body = kit_body(&k);
    assert_true(strstr(body, "\"name\":\"earned\"") < strstr(body, "\"name\":\"came\""));
    arena_free(&a);
    assert_int_equal(compare_many(&k, "a", "a", ask), SOSIA_ARGUMENT);
    assert_int_equal(compare_many(&k, "a", "none", ask), SOSIA_WORLD_NOT_FOUND);
    ask.replications = 0;
    assert_int_equal(compare_many(&k, "a", "live", ask), SOSIA_ARGUMENT);
    // What the desk would have done at the old fee.
    assert_int_equal(kit_write(&k, SOSIA_TWIN_PATCH, "d", "", "[{\"op\":\"replace\",\"path\":\"/fee\",\"value\":3}]"),
                     SOSIA_OK);
    Buf text = {0};
    time_print(then, 9, &text);
    snprintf(name, sizeof name, "live@%.*s", (int)text.n, text.p);
    buf_free(&text);
    snprintf(json, sizeof json,
             "{\"for\":\"10m\",\"replications\":8,\"cases\":[{\"name\":\"then\",\"world\":\"%s\"},{\"name\":\"now\"}]}",
             name);
    assert_int_equal(sosia_ensemble(k.s, NULL, kit_str("live"), kit_str(json), &k.out), SOSIA_OK);
    ended(&k, 2, &a, &v);
    double came = number(kpi_of(&v, 0, "came"), "mean");
    assert_true(fabs(number(kpi_of(&v, 0, "earned"), "mean") - 2 * came) < 1e-9);
    assert_true(fabs(number(kpi_of(&v, 1, "earned"), "mean") - 3 * came) < 1e-9);
    arena_free(&a);
    snprintf(
        json, sizeof json,
        "{\"for\":\"10m\",\"precision\":{\"kpi\":\"came\",\"relative\":0.1},\"cases\":[{\"name\":\"then\",\"world\":"
        "\"%s\"},{\"name\":\"now\"}]}",
        name);
    assert_int_equal(sosia_ensemble(k.s, NULL, kit_str("live"), kit_str(json), &k.out), SOSIA_ARGUMENT);
    kit_close(&k);
    kit_unlink(path);
}

static SosiaErr try_it(Kit *k, SosiaWhatif w) {
    w.name = w.name.n ? w.name : kit_str("w");
    return sosia_whatif(k->s, NULL, &w, &k->out);
}

static void whatifs(void **state) {
    (void)state;
    Kit k;
    Arena a;
    Json v;
    scene(&k, "");
    assert_int_equal(try_it(&k, (SosiaWhatif){.replications = 30, .level = 0.99}), SOSIA_OK);
    kit_has(kit_body(&k), "{\"whatif\":\"w\",\"title\":\"More <come>\",\"from\":\"live\",\"ensemble\":1,"
                          "\"report\":\"/ensembles/1\"}");
    ended(&k, 1, &a, &v);
    kit_has(kit_body(&k), "\"about\":\"Twice the pace.\",\"whatif\":\"w\"");
    kit_has(kit_body(&k), "\"sentence\":\"The change brings ");
    kit_has(kit_body(&k), " EUR of income in 10 min (99 %: ");
    assert_true(number(&v, "seed") == 3 && number(&v, "level") == 0.99);
    // 0.1 more for 5 min: 30.
    const Json *by = json_get(kpi_of(&v, 1, "came"), STR("difference"));
    assert_true(number(by, "low") < 30 && number(by, "high") > 30);
    arena_free(&a);
    assert_int_equal(
        sosia_ensemble_show(k.s, NULL, &(SosiaEnsembleShow){.id = 1, .format = SOSIA_COMPARE_HTML}, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "<h1>More &lt;come&gt;</h1>");
    // No world was made, and what does not fit begins nothing.
    SosiaRead r = {.what = SOSIA_GET_WORLDS};
    assert_int_equal(sosia_read(k.s, NULL, &r, &k.out), SOSIA_OK);
    assert_int_equal(kit_count(kit_body(&k), "\"name\":"), 1);
    assert_int_equal(try_it(&k, (SosiaWhatif){.name = kit_str("none"), .replications = 2}), SOSIA_DEFINITION_NOT_FOUND);
    kit_do(&k, SOSIA_DEFINITION_PUT, "nowhere", "whatifs", "{\"for\":\"PT1M\",\"from\":\"nowhere\",\"changes\":[]}");
    assert_int_equal(try_it(&k, (SosiaWhatif){.name = kit_str("nowhere"), .replications = 2}), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(sosia_ensembles(k.s, NULL, &k.out), SOSIA_OK);
    assert_int_equal(kit_count(kit_body(&k), "\"id\":"), 1);
    // The two worlds of one run have its title, too.
    assert_int_equal(try_it(&k, (SosiaWhatif){0}), SOSIA_OK);
    static const char *const made[] = {"w", "w.base"};
    for (int i = 0; i < 2; i++) do
            assert_int_equal(sosia_run_status(k.s, NULL, kit_str(made[i]), INT64_C(10000000000), &k.out), SOSIA_OK);
        while (!strstr(kit_body(&k), "\"state\":\"done\""));
    SosiaStr worlds[] = {kit_str("w.base"), kit_str("w")};
    SosiaCompare c = {.worlds = worlds, .world_count = 2, .kpis = kit_str("earned,came")};
    assert_int_equal(sosia_compare(k.s, NULL, &c, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "{\"title\":\"More <come>\",\"sentence\":\"In this one run, the change brings ");
    c.format = SOSIA_COMPARE_HTML;
    assert_int_equal(sosia_compare(k.s, NULL, &c, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "<h1>More &lt;come&gt;</h1><p class=\"say\">In this one run, the change brings ");
    const char *page = kit_body(&k);
    assert_true(strstr(page, ">Income") < strstr(page, ">Who came"));
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_run),
        cmocka_unit_test(from_the_first_instant),
        cmocka_unit_test(of_any_world),
        cmocka_unit_test(whatifs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
