// SPDX-License-Identifier: Apache-2.0
// Sweeps: the cases of a grid, in order and by name; values that ranges give; means that closed forms give; the report;
// what is refused.
#include <math.h>
#include "codec/json.h"
#include "engine/ensemble_outcome.h"
#include "engine/test_kit.h"

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Tank;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["          \
    "{\"@type\":\"Property\",\"name\":\"level\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"gain\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"steps\",\"schema\":\"integer\"},"                                              \
    "{\"@type\":\"Property\",\"name\":\"noise\",\"schema\":\"double\"}]}]"
#define TANK "{\"$metadata\":{\"$model\":\"dtmi:t:Tank;1\"},\"level\":1,\"gain\":0.5,\"steps\":2,\"noise\":0}"

static Err ask_of(Arena *a, const char *json, EnsembleAsk *out, Diag *d) {
    Json v;
    arena_init(a, 0);
    diag_init(d);
    assert_int_equal(json_parse(arena_str(a, kit_str(json)), NULL, a, &v, NULL), ERR_OK);
    return ensemble_ask_of(a, &v, out, d);
}

static void named(const EnsembleAsk *x, int32_t i, const char *name) {
    if (!str_eq(x->cases[i].name, kit_str(name)))
        fail_msg("case %d is %.*s, not %s", i, STR_ARG(x->cases[i].name), name);
}

static void grid(void **state) {
    (void)state;
    Arena a;
    Diag d;
    EnsembleAsk x;
    assert_int_equal(ask_of(&a,
                            "{\"for\":\"1m\",\"sweep\":[{\"twin\":\"t\",\"property\":\"gain\",\"from\":0.1,\"to\":0.3,"
                            "\"step\":0.1},{\"twin\":\"t\",\"property\":\"steps\",\"values\":[1,5],\"at\":\"PT10S\","
                            "\"name\":\"n\"}]}",
                            &x, &d),
                     ERR_OK);
    assert_int_equal(x.case_count, 7);
    assert_int_equal(x.grid_from, 1);
    named(&x, 0, "as is");
    named(&x, 1, "gain = 0.1, n = 1");
    named(&x, 2, "gain = 0.1, n = 5");
    named(&x, 5, "gain = 0.3, n = 1"); // not 0.30000000000000004
    named(&x, 6, "gain = 0.3, n = 5");
    const EnsembleCase *c = &x.cases[6];
    assert_int_equal(c->change_count, 2);
    assert_true(c->changes[0].at_ns == 0 && json_f64(c->changes[0].value) == 0.3);
    assert_true(c->changes[1].at_ns == INT64_C(10000000000) && c->changes[1].value->type == JSON_INT);
    diag_free(&d);
    arena_free(&a);
    // Two of one property are told apart by their twins; given cases come first; later changes behind earlier ones.
    assert_int_equal(ask_of(&a,
                            "{\"for\":\"1m\",\"cases\":[{\"name\":\"base\"}],\"sweep\":[{\"twin\":\"t\",\"property\":"
                            "\"gain\",\"from\":1,\"to\":2,\"count\":2,\"at\":\"PT5S\"},{\"twin\":\"u\",\"property\":"
                            "\"gain\",\"values\":[null,\"x\",true]}]}",
                            &x, &d),
                     ERR_OK);
    assert_int_equal(x.case_count, 7);
    named(&x, 0, "base");
    named(&x, 1, "t.gain = 1, u.gain = null");
    named(&x, 6, "t.gain = 2, u.gain = true");
    assert_true(str_eq(x.cases[6].changes[0].twin, STR("u")) && str_eq(x.cases[6].changes[1].twin, STR("t")));
    diag_free(&d);
    arena_free(&a);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *sweep;
        Err err;
    } bad[] = {
        {"[]", ERR_ARGUMENT},
        {"{}", ERR_ARGUMENT},
        {"[{\"twin\":\"t\"}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\"}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"values\":[]}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"values\":[[1]]}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"values\":[1],\"from\":1}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"values\":[1],\"colour\":1}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"values\":[1,1]}]", ERR_ARGUMENT}, // two of one name
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":2}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":2,\"count\":0}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":2,\"count\":1.5}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":2,\"step\":-1}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":2,\"step\":1,\"count\":2}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"values\":[1],\"at\":\"soon\"}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":2,\"step\":0}]", ERR_ARGUMENT},
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":1000,\"count\":1000}]", ERR_LIMIT}, // and "as is"
        {"[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":40,\"count\":40},{\"twin\":\"t\",\"property\":"
         "\"steps\",\"from\":1,\"to\":40,\"count\":40}]",
         ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Arena a;
        Diag d;
        EnsembleAsk x;
        char json[400];
        snprintf(json, sizeof json, "{\"for\":\"1m\",\"sweep\":%s}", bad[i].sweep);
        Err err = ask_of(&a, json, &x, &d);
        Str said = d.count ? d.messages[0].text : (Str){0};
        bool zero = strstr(bad[i].sweep, "\"step\":0}") != NULL; // which is told as what it is
        bool told = d.count && (str_find_str(said, STR("the step is zero")) >= 0) == zero;
        if (err != bad[i].err || !told) fail_msg("%s: %s", bad[i].sweep, err_name(err));
        diag_free(&d);
        arena_free(&a);
    }
    // As many as there may be.
    Arena a;
    Diag d;
    EnsembleAsk x;
    assert_int_equal(ask_of(&a,
                            "{\"for\":\"1m\",\"sweep\":[{\"twin\":\"t\",\"property\":\"gain\",\"from\":1,\"to\":999,"
                            "\"count\":999}]}",
                            &x, &d),
                     ERR_OK);
    assert_int_equal(x.case_count, ENSEMBLE_CASES_MAX);
    diag_free(&d);
    arena_free(&a);
}

static void scene(Kit *k) {
    kit_open(k, &(SosiaOpen){0});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(k, SOSIA_TWIN_PUT, "t", "", TANK);
    kit_do(k, SOSIA_DEFINITION_PUT, "tank", "behaviours",
           "{\"model\":\"dtmi:t:Tank;1\",\"say\":[\"der(level) = gain * steps\",\"every 7s do noise = "
           "RANDOM_NORMAL(0, 1)\"]}");
    kit_do(k, SOSIA_DEFINITION_PUT, "level", "kpis",
           "{\"title\":\"Level\",\"twin\":\"t\",\"expression\":\"level\",\"better\":\"less\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "noise", "kpis", "{\"twin\":\"t\",\"expression\":\"noise\",\"over\":\"mean\"}");
}

static void run(Kit *k, const char *json) {
    SosiaErr err = sosia_ensemble(k->s, NULL, kit_str("live"), kit_str(json), &k->out);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    do assert_int_equal(sosia_ensemble_status(k->s, NULL, kit_str("live"), INT64_C(10000000000), &k->out), SOSIA_OK);
    while (strstr(kit_body(k), "\"state\":\"running\"") || strstr(kit_body(k), "\"state\":\"starting\""));
    kit_has(kit_body(k), "\"state\":\"done\"");
}

// level = 1 + gain steps t, in each of the grid's cases; chances are those of the first case.
static void means(void **state) {
    (void)state;
    Kit k;
    Arena a;
    Json v;
    scene(&k);
    run(&k, "{\"for\":\"50s\",\"replications\":3,\"sweep\":[{\"twin\":\"t\",\"property\":\"gain\",\"values\":[0.25,1]},"
            "{\"twin\":\"t\",\"property\":\"steps\",\"from\":1,\"to\":3,\"count\":3,\"at\":\"PT10S\"}]}");
    arena_init(&a, 0);
    assert_int_equal(json_parse(arena_str(&a, (Str){k.out.body.p, k.out.body.n}), NULL, &a, &v, NULL), ERR_OK);
    const Json *cases = json_get(&v, STR("cases"));
    assert_int_equal(cases->count, 7);
    for (int32_t i = 0; i < 7; i++) {
        const Json *kpis = json_get(&cases->items[i], STR("kpis")), *level = &kpis->items[0];
        double gain = !i ? 0.5 : i <= 3 ? 0.25 : 1, steps = !i ? 2 : (i - 1) % 3 + 1;
        double want = 1 + gain * (2 * 10 + steps * 40), got = json_f64(json_get(level, STR("mean")));
        if (fabs(got - want) > 1e-9 * want) fail_msg("case %d: %.12g, not %.12g", i, got, want);
        if (!i) continue;
        const Json *by = json_get(level, STR("difference")), *noise = json_get(&kpis->items[1], STR("difference"));
        assert_true(fabs(json_f64(json_get(by, STR("mean"))) - (want - 51)) < 1e-9 * want);
        assert_true(json_f64(json_get(noise, STR("mean"))) == 0 && json_f64(json_get(noise, STR("high"))) == 0);
    }
    const Json *sweep = json_get(&v, STR("sweep")), *axes = json_get(sweep, STR("axes"));
    assert_true(json_get(sweep, STR("from"))->i == 1 && axes->count == 2);
    assert_int_equal(json_get(&axes->items[1], STR("values"))->count, 3);
    // The best is the least: gain 0.25 and 1 step.
    kit_has(kit_body(&k), "\"sentence\":\"Of 7 cases gain = 0.25, steps = 1 is best by level. Level: 35 less with it,");
    arena_free(&a);
    assert_int_equal(
        sosia_ensemble_show(k.s, NULL, &(SosiaEnsembleShow){.id = 1, .format = SOSIA_COMPARE_HTML}, &k.out), SOSIA_OK);
    const char *page = kit_body(&k);
    kit_has(page, "<h2>By value</h2>");
    kit_has(page, "gain = 0.25</text>"); // a curve each, over the values of the other
    kit_has(page, ">steps</text>");
    assert_int_equal(kit_count(page, "<tr class=\"best\">"), 1); // of the KPI of which it is said what is better
    assert_int_equal(sosia_ensemble_show(k.s, NULL, &(SosiaEnsembleShow){.id = 1, .format = SOSIA_COMPARE_SVG}, &k.out),
                     SOSIA_OK);
    assert_int_equal(kit_count(kit_body(&k), "<g role=\"img\""), 2);
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid),
        cmocka_unit_test(refused),
        cmocka_unit_test(means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
