// SPDX-License-Identifier: Apache-2.0
// Ensembles: moments that closed forms give, the same for any number of threads, chances that two cases share, as many
// replications as a precision wants, and what is refused.
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include "base/time.h"
#include "codec/json.h"
#include "engine/test_kit.h"
// LABELS: threads

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Desk;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["          \
    "{\"@type\":\"Property\",\"name\":\"pace\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"count\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"level\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"gain\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"name\",\"schema\":\"string\"}]}]"

// A Poisson process of rate pace, and a level that moves by gain.
#define BEHAVIOUR "{\"model\":\"dtmi:t:Desk;1\",\"say\":[\"at rate pace do count = count + 1\",\"der(level) = gain\"]}"

static void scene_in(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path)});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(k, SOSIA_TWIN_PUT, "d", "",
           "{\"$metadata\":{\"$model\":\"dtmi:t:Desk;1\"},\"pace\":0.1,\"count\":0,\"level\":1,\"gain\":0.5}");
    kit_do(k, SOSIA_DEFINITION_PUT, "desk", "behaviours", BEHAVIOUR);
    kit_do(k, SOSIA_DEFINITION_PUT, "came", "kpis",
           "{\"title\":\"Who came\",\"twin\":\"d\",\"expression\":\"count\",\"better\":\"more\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "height", "kpis", "{\"twin\":\"d\",\"expression\":\"level\",\"over\":\"mean\"}");
    SosiaFork f = {.from = kit_str("live"), .name = kit_str("f"), .seed = 7, .seeded = true};
    assert_int_equal(sosia_world_fork(k->s, NULL, &f), SOSIA_OK);
}

static void scene(Kit *k) { scene_in(k, ""); }

static SosiaErr begin(Kit *k, const char *json) {
    return sosia_ensemble(k->s, NULL, kit_str("f"), kit_str(json), &k->out);
}

typedef struct Answer {
    Arena keep;
    Json json;
} Answer;

static Str state_in(const Answer *a) { return json_get(&a->json, STR("state"))->s; }

// Until it ends.
static void look(Kit *k, Answer *a) {
    for (;;) {
        arena_init(&a->keep, 0);
        assert_int_equal(sosia_ensemble_status(k->s, NULL, kit_str("f"), INT64_C(10000000000), &k->out), SOSIA_OK);
        assert_int_equal(json_parse(arena_str(&a->keep, buf_str(&k->out.body)), NULL, &a->keep, &a->json, NULL),
                         ERR_OK);
        if (!str_eq(state_in(a), STR("running")) && !str_eq(state_in(a), STR("starting"))) return;
        arena_free(&a->keep);
    }
}

static void run(Kit *k, const char *json, Answer *a) {
    SosiaErr err = begin(k, json);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    look(k, a);
    if (!str_eq(state_in(a), STR("done"))) fail_msg("%.*s", (int)k->out.body.n, k->out.body.p);
}

static const Json *kpi_in(const Answer *a, int32_t which, const char *name) {
    const Json *kpis = json_get(&json_get(&a->json, STR("cases"))->items[which], STR("kpis"));
    for (int32_t i = 0; i < kpis->count; i++)
        if (str_eq(json_get(&kpis->items[i], STR("name"))->s, str_of(name))) return &kpis->items[i];
    fail_msg("no KPI %s", name);
    return NULL;
}

static double number(const Json *v, const char *name) {
    const Json *m = json_get(v, str_of(name));
    return m && json_is_number(m) ? json_f64(m) : (double)NAN;
}

#define NEAR(got, want, by)                                                                                            \
    do {                                                                                                               \
        double got_ = (got), want_ = (want);                                                                           \
        if (!(fabs(got_ - want_) <= (by))) fail_msg("%s is %.12g, not %.12g", #got, got_, want_);                      \
    } while (0)

// Counts of 100 s are Poisson of mean 10: of 400 the mean is within 3.3 standard errors, and so is the variance.
static void test_moments(void **state) {
    (void)state;
    Kit k;
    Answer a;
    scene(&k);
    run(&k, "{\"for\":\"100s\",\"replications\":400,\"track\":[{\"twin\":\"d\",\"property\":\"level\"}]}", &a);
    const Json *came = kpi_in(&a, 0, "came");
    NEAR(number(came, "n"), 400, 0);
    NEAR(number(came, "mean"), 10, 3.3 * sqrt(10.0 / 400));
    NEAR(pow(number(came, "sd"), 2), 10, 3.3 * sqrt((10 + 2 * 100.0) / 400));
    double half = number(came, "high") - number(came, "mean");
    NEAR(half, 1.9659 * number(came, "sd") / 20, 1e-3); // t of 399
    assert_true(number(came, "p05") < number(came, "p50") && number(came, "p50") < number(came, "p95"));
    NEAR(number(kpi_in(&a, 0, "height"), "mean"), 1 + 0.5 * 100 / 2, 1e-6);
    NEAR(number(kpi_in(&a, 0, "height"), "sd"), 0, 1e-9);
    const Json *series = json_get(&a.json, STR("series")), *times = json_get(&a.json, STR("times"));
    assert_int_equal(series->count, 3);
    assert_int_equal(times->count, 101);
    const Json *level = &series->items[2], *band = &json_get(level, STR("cases"))->items[0];
    for (int32_t i = 0; i <= 100; i += 10) {
        NEAR(json_f64(&json_get(band, STR("mean"))->items[i]), 1 + 0.5 * i, 1e-4);
        NEAR(json_f64(&json_get(&json_get(&series->items[0], STR("cases"))->items[0], STR("mean"))->items[i]), 0.1 * i,
             3.5 * sqrt(0.1 * i / 400) + 1e-9);
    }
    arena_free(&a.keep);
    kit_close(&k);
}

// The body behind the seconds it took.
static char *rest_of(Kit *k) {
    SosiaBuf b = k->out.body;
    char *at = memmem(b.p, (size_t)b.n, "\"replications\"", 14);
    return strndup(at, (size_t)(b.n - (at - (char *)b.p)));
}

static void test_threads(void **state) {
    (void)state;
    static const char *const asks[] = {"1", "2", "5,\"lanes\":1", "1,\"lanes\":1", "3,\"lanes\":8"};
    Kit k;
    char *first = NULL;
    scene(&k);
    for (int i = 0; i < 5; i++) {
        Answer a;
        char json[400];
        snprintf(
            json, sizeof json,
            "{\"for\":\"1m\",\"replications\":21,\"threads\":%s,\"cases\":[{\"name\":\"as is\"},{\"name\":\"busy\","
            "\"changes\":[{\"at\":\"20s\",\"twin\":\"d\",\"property\":\"pace\",\"value\":0.5}]},{\"name\":\"flat\","
            "\"changes\":[{\"twin\":\"d\",\"property\":\"gain\",\"value\":0}]}],"
            "\"precision\":{\"kpi\":\"came\",\"relative\":0.1,\"most\":300}}",
            asks[i]);
        run(&k, json, &a);
        char *text = rest_of(&k);
        if (first) assert_string_equal(text, first);
        else first = strdup(text);
        free(text);
        // Enough of them, of the case that needs most, and no more than it took.
        double n = number(&a.json, "replications");
        assert_true(n > 21 && n < 300);
        for (int32_t c = 0; c < 3; c++) {
            const Json *came = kpi_in(&a, c, "came");
            NEAR(number(came, "n"), n, 0);
            assert_true(number(came, "high") - number(came, "mean") <= 0.1 * number(came, "mean"));
        }
        // The chances are the same: what differs is what was changed.
        const Json *same = json_get(kpi_in(&a, 2, "came"), STR("difference"));
        NEAR(number(same, "mean"), 0, 0);
        NEAR(number(same, "high"), 0, 0);
        assert_true(str_eq(json_get(same, STR("verdict"))->s, STR("no difference is shown")));
        const Json *more = json_get(kpi_in(&a, 1, "came"), STR("difference"));
        NEAR(number(more, "mean"), 0.4 * 40, 4);
        assert_true(str_eq(json_get(more, STR("verdict"))->s, STR("better")));
        const Json *flat = json_get(kpi_in(&a, 2, "height"), STR("difference"));
        NEAR(number(flat, "mean"), -0.5 * 60 / 2, 1e-6);
        assert_true(str_eq(json_get(flat, STR("verdict"))->s, STR("less")));
        arena_free(&a.keep);
    }
    free(first);
    kit_close(&k);
}

// The first replication is what a run of the world gives.
static void test_first_is_the_run(void **state) {
    (void)state;
    Kit k;
    Answer a;
    scene(&k);
    run(&k, "{\"for\":\"5m\",\"replications\":1}", &a);
    double came = number(kpi_in(&a, 0, "came"), "mean");
    arena_free(&a.keep);
    SosiaRun r = {.world = kit_str("f"), .for_ns = INT64_C(300000000000)};
    assert_int_equal(sosia_run(k.s, NULL, &r, &k.out), SOSIA_OK);
    do assert_int_equal(sosia_run_status(k.s, NULL, kit_str("f"), INT64_C(10000000000), &k.out), SOSIA_OK);
    while (memmem(k.out.body.p, (size_t)k.out.body.n, "\"done\"", 6) == NULL);
    assert_int_equal(kit_get_in(&k, "f", SOSIA_GET_TWIN, "d", ""), SOSIA_OK);
    const char *twin = kit_body(&k);
    char want[40];
    snprintf(want, sizeof want, "\"count\":%.0f", came);
    if (!strstr(twin, want)) fail_msg("%s in %s", want, twin);
    kit_close(&k);
}

// Of 100 intervals of 90 % about 90 hold the true mean; so far off as this is one time in 10,000.
static void test_coverage(void **state) {
    (void)state;
    Kit k;
    int held = 0;
    scene(&k);
    for (int i = 0; i < 100; i++) {
        Answer a;
        char json[200];
        snprintf(json, sizeof json,
                 "{\"for\":\"100s\",\"output\":\"100s\",\"replications\":40,\"level\":0.9,\"seed\":%d,\"kpis\":"
                 "[\"came\"]}",
                 1000 + i);
        run(&k, json, &a);
        const Json *came = kpi_in(&a, 0, "came");
        held += number(came, "low") <= 10 && number(came, "high") >= 10;
        arena_free(&a.keep);
    }
    if (held < 78 || held > 99) fail_msg("%d of 100 intervals hold the mean", held);
    kit_close(&k);
}

static void refused(Kit *k, const char *json, SosiaErr want, const char *text) {
    SosiaErr err = begin(k, json);
    if (err == SOSIA_OK) { // it is found when it looks at the world
        Answer a;
        look(k, &a);
        assert_true(str_eq(state_in(&a), STR("failed")));
        const Json *e = json_get(&a.json, STR("error"));
        Str code = json_get(e, STR("code"))->s, message = json_get(e, STR("message"))->s;
        if (!str_eq(code, str_of(err_wire((Err)want))) || !memmem(message.p, (size_t)message.n, text, strlen(text)))
            fail_msg("%s: %.*s: %.*s", json, STR_ARG(code), STR_ARG(message));
        arena_free(&a.keep);
        return;
    }
    if (err != want || !memmem(k->out.message.p, (size_t)k->out.message.n, text, strlen(text)))
        fail_msg("%s: %s: %.*s", json, sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
}

// Before anything begins.
static void refused_at_once(Kit *k, const char *json, SosiaErr err, const char *text) {
    assert_int_equal(begin(k, json), err);
    if (str_find_str(buf_str(&k->out.message), str_of(text)) < 0)
        fail_msg("%s: %.*s", json, (int)k->out.message.n, k->out.message.p);
}

static void test_refused(void **state) {
    (void)state;
    Kit k;
    scene(&k);
    refused(&k, "{\"for\":", SOSIA_SYNTAX, "");
    refused(&k, "[]", SOSIA_ARGUMENT, "object");
    refused(&k, "{}", SOSIA_ARGUMENT, "how long");
    refused(&k, "{\"for\":\"1m\",\"replications\":0}", SOSIA_ARGUMENT, "1,000,000");
    refused(&k, "{\"for\":\"1m\",\"colour\":1}", SOSIA_ARGUMENT, "colour");
    refused(&k, "{\"for\":\"1h\",\"output\":\"1ms\"}", SOSIA_LIMIT, "10000 instants");
    refused(&k, "{\"for\":\"P290Y\"}", SOSIA_ARGUMENT, "longer than clocks go");
    refused(&k, "{\"for\":\"1m\",\"cases\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", SOSIA_ARGUMENT, "one name");
    refused(&k, "{\"for\":\"1m\",\"precision\":{\"kpi\":\"came\"}}", SOSIA_ARGUMENT, "half");
    refused_at_once(&k, "{\"for\":\"1m\",\"precision\":{\"kpi\":\"gone\",\"half\":1}}", SOSIA_ARGUMENT,
                    "there is no KPI \"gone\"");
    refused_at_once(&k, "{\"for\":\"1m\",\"kpis\":[\"came\",\"gone\"]}", SOSIA_ARGUMENT, "there is no KPI \"gone\"");
    refused_at_once(&k,
                    "{\"for\":\"1m\",\"cases\":[{\"name\":\"as is\"},{\"name\":\"less\",\"changes\":[{\"twin\":"
                    "\"nobody\",\"property\":\"x\",\"value\":1}]}]}",
                    SOSIA_TWIN_NOT_FOUND, "case \"less\": changes[0].twin: there is no twin with the id \"nobody\"");
    refused(&k, "{\"for\":\"1m\",\"track\":[{\"twin\":\"x\",\"property\":\"level\"}]}", SOSIA_TWIN_NOT_FOUND, "\"x\"");
    refused(&k, "{\"for\":\"1m\",\"track\":[{\"twin\":\"d\",\"property\":\"name\"}]}", SOSIA_VALIDATION, "text");
    refused(&k, "{\"for\":\"1m\",\"cases\":[{\"changes\":[{\"twin\":\"d\",\"property\":\"pace\",\"value\":\"x\"}]}]}",
            SOSIA_VALIDATION, "pace");
    refused(&k, "{\"for\":\"1m\",\"replications\":1000000}", SOSIA_LIMIT, "MB of samples");
    assert_int_equal(sosia_ensemble(k.s, NULL, kit_str("no"), kit_str("{\"for\":\"1m\"}"), &k.out),
                     SOSIA_WORLD_NOT_FOUND);
    kit_close(&k);
}

static void on_erased(void *arg, const SosiaDone *done) {
    assert_int_equal(done->err, SOSIA_OK);
    atomic_store((_Atomic int *)arg, 1);
}

// One that names an erased twin, at work or not, is told of no more; others stay.
static void test_erased(void **state) {
    (void)state;
    static const char *const asked[] = {
        "{\"for\":\"1m\",\"replications\":2}",
        "{\"for\":\"1m\",\"kpis\":[\"came\"],\"track\":[{\"twin\":\"e\",\"property\":\"level\"}],\"replications\":2}",
        ("{\"for\":\"1m\",\"kpis\":[\"came\"],\"cases\":[{\"name\":\"x\",\"changes\":[{\"at\":\"PT1S\",\"twin\":\"e\","
         "\"property\":\"gain\",\"value\":3}]}],\"replications\":2}"),
        "{\"for\":\"P1D\",\"output\":\"PT6H\",\"replications\":100000}",
        "{\"for\":\"1m\",\"kpis\":[\"came\"],\"replications\":2}"};
    for (int i = 0; i < 5; i++) {
        Kit k;
        Answer a;
        _Atomic int done = 0;
        char path[64];
        kit_path(path);
        scene_in(&k, path);
        kit_do(&k, SOSIA_TWIN_PUT, "e", "", "{\"$metadata\":{\"$model\":\"dtmi:t:Desk;1\"},\"level\":1,\"gain\":2}");
        kit_do(&k, SOSIA_DEFINITION_PUT, "theirs", "kpis",
               "{\"twin\":\"e\",\"expression\":\"level\",\"over\":\"mean\"}");
        assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
        assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
        assert_int_equal(begin(&k, asked[i]), SOSIA_OK);
        if (i != 3) look(&k, &a), arena_free(&a.keep);
        assert_int_equal(sosia_erase(k.s, NULL, kit_str("e"), kit_str(""), on_erased, &done), SOSIA_OK);
        while (!atomic_load(&done)) sched_yield();
        look(&k, &a);
        if (!str_eq(state_in(&a), i == 4 ? STR("done") : STR("idle"))) fail_msg("%d: %s", i, kit_body(&k));
        arena_free(&a.keep);
        kit_close(&k);
        kit_unlink(path);
    }
}

static void test_stop(void **state) {
    (void)state;
    Kit k;
    Answer a;
    scene(&k);
    assert_int_equal(sosia_ensemble_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_OK);
    assert_non_null(memmem(k.out.body.p, (size_t)k.out.body.n, "idle", 4));
    assert_int_equal(begin(&k, "{\"for\":\"P1D\",\"output\":\"PT6H\",\"replications\":100000}"), SOSIA_OK);
    assert_int_equal(begin(&k, "{\"for\":\"1m\",\"replications\":2}"), SOSIA_OK); // beside the other one
    look(&k, &a);
    assert_true(str_eq(state_in(&a), STR("done")));
    arena_free(&a.keep);
    assert_int_equal(sosia_ensemble_show(k.s, NULL, &(SosiaEnsembleShow){.id = 1, .stop = true, .wait_ns = 1}, &k.out),
                     SOSIA_OK);
    do
        assert_int_equal(
            sosia_ensemble_show(k.s, NULL, &(SosiaEnsembleShow){.id = 1, .wait_ns = INT64_C(10000000000)}, &k.out),
            SOSIA_OK);
    while (strstr(kit_body(&k), "\"running\""));
    kit_has(kit_body(&k), "\"state\":\"stopped\"");
    assert_int_equal(begin(&k, "{\"for\":\"P1D\",\"output\":\"PT6H\",\"replications\":100000}"), SOSIA_OK);
    assert_int_equal(sosia_ensemble_stop(k.s, NULL, kit_str("f"), &k.out), SOSIA_OK);
    look(&k, &a);
    assert_true(str_eq(state_in(&a), STR("stopped")));
    assert_true(number(&a.json, "replications") < 100000);
    arena_free(&a.keep);
    assert_int_equal(begin(&k, "{\"for\":\"P200Y\"}"),
                     SOSIA_OK); // two years, some millions of events, to the first look
    do {                        // until it is well within them
        assert_int_equal(sosia_ensemble_status(k.s, NULL, kit_str("f"), INT64_C(50000000), &k.out), SOSIA_OK);
    } while (!strstr(kit_body(&k), "\"running\"") || strtod(strstr(kit_body(&k), "\"seconds\":") + 10, NULL) < 0.5);
    int64_t asked = time_mono_ns();
    assert_int_equal(sosia_ensemble_stop(k.s, NULL, kit_str("f"), &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"state\":\"stopped\"");
    if (time_mono_ns() - asked > INT64_C(8000000000)) fail_msg("it goes on after it was stopped");
    assert_int_equal(begin(&k, "{\"for\":\"P1D\",\"replications\":10000}"), SOSIA_OK);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK); // at work
    assert_int_equal(sosia_ensemble_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(sosia_ensemble(k.s, NULL, kit_str("live"), kit_str("{\"for\":\"P1D\"}"), &k.out), SOSIA_OK);
    kit_close(&k); // waits for it
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),  cmocka_unit_test(test_threads), cmocka_unit_test(test_first_is_the_run),
        cmocka_unit_test(test_coverage), cmocka_unit_test(test_refused), cmocka_unit_test(test_erased),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
