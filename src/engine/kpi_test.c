// SPDX-License-Identifier: Apache-2.0
// What is counted over runs: the same runs with and without, over pauses and changes, in few points, forgotten with its
// twin, and nothing of damaged bytes.
#include <math.h>
#include "base/thread.h"
#include "base/time.h"
#include "engine/kpi.h"
#include "engine/run.h"
#include "engine/test_kit.h"
// LABELS: threads

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Tank;1\",\"@type\":\"Interface\",\"@context\":[\"dtmi:dtdl:context;3\","                       \
    "\"dtmi:dtdl:extension:quantitativeTypes;1\"],\"contents\":["                                                      \
    "{\"@type\":[\"Property\",\"Length\"],\"name\":\"level\",\"schema\":\"double\",\"unit\":\"metre\"},"               \
    "{\"@type\":[\"Property\",\"VolumeFlowRate\"],\"name\":\"inflow\",\"schema\":\"double\","                          \
    "\"unit\":\"litrePerSecond\"},"                                                                                    \
    "{\"@type\":[\"Property\",\"Area\"],\"name\":\"area\",\"schema\":\"double\",\"unit\":\"squareMetre\"},"            \
    "{\"@type\":\"Property\",\"name\":\"noise\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"note\",\"schema\":\"string\"},"                                                \
    "{\"@type\":[\"Property\",\"Length\"],\"name\":\"total\",\"schema\":\"double\",\"unit\":\"metre\"},"               \
    "{\"@type\":\"Property\",\"name\":\"share\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Relationship\",\"name\":\"feeds\"}]}]"
#define BEHAVIOUR                                                                                                      \
    "{\"model\":\"dtmi:t:Tank;1\",\"say\":[\"der(level) = inflow / area - 0.0001 '1/s' * level\","                     \
    "\"when level > 2.2 then inflow = 0 'litrePerSecond'\",\"when level < 1 then inflow = 10 'litrePerSecond'\","      \
    "\"every 7m do noise = RANDOM_NORMAL(0, 1)\"]}"
#define HOUR INT64_C(3600000000000)

static const char *const KPIS[][2] = {
    {"water", "{\"twin\":\"a\",\"expression\":\"inflow\",\"over\":\"integral\",\"unit\":\"m³\"}"},
    {"level", "{\"twin\":\"a\",\"expression\":\"level\",\"over\":\"mean\"}"},
    {"top", "{\"twin\":\"b\",\"expression\":\"level\",\"over\":\"max\"}"},
    {"both", "{\"twin\":\"a\",\"expression\":\"level + SUM(out.feeds.level)\",\"over\":\"mean\"}"},
    {"noise", "{\"twin\":\"b\",\"expression\":\"noise * noise\",\"over\":\"mean\"}"},
    {"high", "{\"twin\":\"a\",\"expression\":\"level > 1.5\",\"over\":\"integral\",\"unit\":\"minute\"}"},
    {"time", "{\"twin\":\"a\",\"expression\":\"1\",\"over\":\"integral\",\"unit\":\"second\"}"}};
#define KPI_COUNT ((int)(sizeof KPIS / sizeof *KPIS))

static void tank(Kit *k, const char *id, double inflow) {
    char body[300];
    snprintf(body, sizeof body,
             "{\"$metadata\":{\"$model\":\"dtmi:t:Tank;1\"},\"level\":1.2,\"inflow\":%g,\"area\":4,\"noise\":0}",
             inflow);
    assert_int_equal(kit_write_in(k, "", SOSIA_TWIN_PUT, id, "", body), SOSIA_OK);
}

static void scene(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path)});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    tank(k, "a", 10);
    tank(k, "b", 8);
    kit_do(k, SOSIA_LINK_PUT, "a", "l", "{\"$relationshipName\":\"feeds\",\"$targetId\":\"b\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "tank", "behaviours", BEHAVIOUR);
    for (int i = 0; i < KPI_COUNT; i++) kit_do(k, SOSIA_DEFINITION_PUT, KPIS[i][0], "kpis", KPIS[i][1]);
}

static void fork_it(Kit *k, const char *name) {
    SosiaFork f = {.from = kit_str("live"), .name = kit_str(name), .seed = 7, .seeded = true};
    assert_int_equal(sosia_world_fork(k->s, NULL, &f), SOSIA_OK);
}

static void run_it(Kit *k, const char *world, int64_t length) {
    SosiaRun r = {.world = kit_str(world), .for_ns = length};
    assert_int_equal(sosia_run(k->s, NULL, &r, &k->out), SOSIA_OK);
    do {
        assert_int_equal(sosia_run_status(k->s, NULL, kit_str(world), INT64_C(1000000000), &k->out), SOSIA_OK);
    } while (strstr(kit_body(k), "\"state\":\"running\"") || strstr(kit_body(k), "\"state\":\"starting\""));
    kit_has(kit_body(k), "\"state\":\"done\"");
}

// The JSON of one KPI, or NULL.
static const char *kpi_in(Kit *k, const char *world, const char *name) {
    char begin[64];
    SosiaKpis a = {.world = kit_str(world), .kpis = kit_str(name)};
    assert_int_equal(sosia_kpis(k->s, NULL, &a, &k->out), SOSIA_OK);
    snprintf(begin, sizeof begin, "\"kpis\":[{\"name\":\"%s\"", name);
    return strstr(kit_body(k), begin);
}

static double number_of(const char *json, const char *member) {
    char key[40];
    snprintf(key, sizeof key, "\"%s\":", member);
    assert_non_null(json);
    const char *at = strstr(json, key);
    assert_non_null(at);
    return strtod(at + strlen(key), NULL);
}

static int64_t count_in(Kit *k, const char *world, const char *name, const char *part) {
    const char *at = kpi_in(k, world, name);
    assert_non_null(at);
    at = strstr(at, "\"times\":[");
    assert_non_null(at);
    int64_t n = 0;
    for (const char *end = strchr(at, ']'); (at = strstr(at, part)) && at < end; at++) n++;
    return n;
}

// Two forks, one run with what is counted and one without, come to the same values.
static void same_values(Kit *k) {
    SosiaDiff d = {.world = kit_str("with"), .against = kit_str("without")};
    assert_int_equal(sosia_diff(k->s, NULL, &d, &k->out), SOSIA_OK);
    kit_has(kit_body(k), "\"counts\":{\"values\":0,");
}

// The same values in two forks, with and without what is counted.
static void nobody_notices(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "with");
    fork_it(&k, "without");
    for (int i = 0; i < KPI_COUNT; i++)
        assert_int_equal(kit_write_in(&k, "without", SOSIA_DEFINITION_DELETE, KPIS[i][0], "kpis", ""), SOSIA_OK);
    run_it(&k, "with", 30 * HOUR);
    run_it(&k, "without", 30 * HOUR);
    same_values(&k);
    kit_has(kit_body(&k), "\"documents\":7}");
    assert_true(number_of(kpi_in(&k, "with", "time"), "value") == 108000);
    assert_true(number_of(kpi_in(&k, "with", "water"), "value") > 1);
    assert_null(kpi_in(&k, "without", "water"));
    kit_close(&k);
}

static void near(Kit *k, const char *name, double want) {
    double got = number_of(kpi_in(k, "with", name), "value");
    if (!(fabs(got - want) <= 1e-6 * fabs(want))) fail_msg("%s: %.17g, not %.17g", name, got, want);
}

// Derived values that no behaviour reads, one of them over another: they move for the KPIs, as the closed forms say and
// as they are stored in the end, and nothing else moves otherwise.
static void derived_values(void **state) {
    (void)state;
    static const char *const OF[][2] = {
        {"total", "{\"twin\":\"a\",\"expression\":\"total\",\"over\":\"mean\"}"},
        {"most", "{\"twin\":\"a\",\"expression\":\"total\",\"over\":\"max\"}"},
        {"share", "{\"twin\":\"a\",\"expression\":\"share\",\"over\":\"mean\"}"},
        {"last", "{\"twin\":\"a\",\"expression\":\"share\",\"over\":\"last\"}"},
        {"above", "{\"twin\":\"c\",\"expression\":\"SUM(out.feeds.share)\",\"over\":\"mean\"}"}};
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    kit_do(&k, SOSIA_MODELS_ADD, "", "", MODEL);
    tank(&k, "a", 10);
    tank(&k, "b", 8);
    tank(&k, "c", 0);
    kit_do(&k, SOSIA_LINK_PUT, "a", "l", "{\"$relationshipName\":\"feeds\",\"$targetId\":\"b\"}");
    kit_do(&k, SOSIA_LINK_PUT, "c", "l", "{\"$relationshipName\":\"feeds\",\"$targetId\":\"a\"}");
    kit_do(&k, SOSIA_DEFINITION_PUT, "tank", "behaviours",
           "{\"model\":\"dtmi:t:Tank;1\",\"say\":[\"der(level) = inflow / area\"]}");
    kit_do(&k, SOSIA_DERIVED_PUT, "total", "",
           "{\"twin\":\"a\",\"property\":\"total\",\"expression\":\"level + SUM(out.feeds.level)\"}");
    kit_do(&k, SOSIA_DERIVED_PUT, "share", "",
           "{\"model\":\"dtmi:t:Tank;1\",\"property\":\"share\",\"expression\":\"level / total\"}");
    fork_it(&k, "with");
    fork_it(&k, "without");
    for (size_t i = 0; i < sizeof OF / sizeof *OF; i++)
        assert_int_equal(kit_write_in(&k, "with", SOSIA_DEFINITION_PUT, OF[i][0], "kpis", OF[i][1]), SOSIA_OK);
    run_it(&k, "with", HOUR);
    assert_null(strstr(kit_body(&k), "\"notes\""));
    run_it(&k, "without", HOUR);
    same_values(&k);
    // Levels are 1.2 m + p t of a, and q t of both.
    double p = 0.01 / 4, q = 0.018 / 4, t = 3600;
    double share = p / q + (1.2 - p / q * 2.4) / q * log((2.4 + q * t) / 2.4) / t;
    near(&k, "total", 2.4 + q * t / 2);
    near(&k, "most", 2.4 + q * t);
    near(&k, "share", share);
    near(&k, "above", share);
    near(&k, "last", (1.2 + p * t) / (2.4 + q * t));
    assert_int_equal(kit_get_in(&k, "with", SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
    near(&k, "last", number_of(kit_body(&k), "share"));
    kit_close(&k);
}

// Two days in one go are two days in pieces, also when somebody wrote in between; what begins later says so.
static void pieces_and_changes(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    scene(&k, path);
    fork_it(&k, "f");
    run_it(&k, "f", HOUR);
    double first = number_of(kpi_in(&k, "f", "water"), "value");
    assert_int_equal(
        kit_write_in(&k, "f", SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"replace\",\"path\":\"/noise\",\"value\":3}]"),
        SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "f", SOSIA_DEFINITION_PUT, "late", "kpis",
                                  "{\"twin\":\"a\",\"expression\":\"1\",\"over\":\"integral\"}"),
                     SOSIA_OK);
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    assert_true(number_of(kpi_in(&k, "f", "water"), "value") == first);
    run_it(&k, "f", HOUR);
    double known = number_of(kpi_in(&k, "f", "time"), "known");
    assert_true(known > 7199 && known <= 7200); // what lies between two runs is not counted
    assert_true(number_of(kpi_in(&k, "f", "water"), "value") >= first);
    double late = number_of(kpi_in(&k, "f", "late"), "value");
    assert_true(late > 3599 && late <= 3600);
    kit_has(kpi_in(&k, "f", "late"), "\"from\":\"");
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
    fork_it(&k, "f");
    assert_null(kpi_in(&k, "f", "water"));
    kit_close(&k);
    kit_unlink(path);
}

// 9,001 times of output are at most 2,000 points, evenly, and the last of all.
static void few_points(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    run_it(&k, "f", 150 * HOUR);
    assert_int_equal(count_in(&k, "f", "time", "T"), 1126); // every eighth of 9,001
    const char *values = strstr(kpi_in(&k, "f", "time"), "\"values\":[");
    assert_non_null(values);
    for (int i = 0; i < 1126; i++) {
        double v = strtod(values + (i ? 0 : strlen("\"values\":[")), (char **)&values);
        if (v != 480.0 * i) fail_msg("point %d is %.17g", i, v);
        values++;
    }
    kit_close(&k);
}

static void on_erased(void *arg, const SosiaDone *done) {
    assert_int_equal(done->err, SOSIA_OK);
    atomic_store((_Atomic int *)arg, 1);
}

// What was counted of a twin goes when it is erased: from memory and from the file; that of others stays.
static void forgotten(void **state) {
    (void)state;
    char path[64];
    _Atomic int done = 0;
    Kit k;
    kit_path(path);
    scene(&k, path);
    fork_it(&k, "f");
    run_it(&k, "f", HOUR);
    assert_non_null(kpi_in(&k, "f", "top"));
    assert_int_equal(sosia_erase(k.s, NULL, kit_str("b"), kit_str(""), on_erased, &done), SOSIA_OK);
    while (!atomic_load(&done)) sched_yield();
    for (int round = 0; round < 2; round++) {
        assert_null(kpi_in(&k, "f", "top"));
        assert_null(kpi_in(&k, "f", "noise"));
        assert_true(number_of(kpi_in(&k, "f", "time"), "value") == 3600);
        kit_close(&k);
        kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    }
    kit_close(&k);
    kit_unlink(path);
}

// Forks that nobody touched are not waited for; a long text ends between two characters; live is not to be run.
static void side_by_side(void **state) {
    (void)state;
    Kit k;
    SosiaStr worlds[SOSIA_COMPARE_WORLDS_MAX] = {kit_str("live")};
    char names[SOSIA_COMPARE_WORLDS_MAX][16], patch[256] = "[{\"op\":\"add\",\"path\":\"/note\",\"value\":\"x";
    scene(&k, "");
    for (int i = 1; i < SOSIA_COMPARE_WORLDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "w%d", i);
        fork_it(&k, names[i]);
        worlds[i] = kit_str(names[i]);
    }
    for (size_t i = 0; i < 60; i++) memcpy(patch + strlen(patch), "\xC3\xA9", 3);
    memcpy(patch + strlen(patch), "\"}]", 4);
    assert_int_equal(kit_write_in(&k, "w1", SOSIA_TWIN_PATCH, "a", "", patch), SOSIA_OK);
    int64_t begin = time_mono_ns();
    SosiaCompare c = {.worlds = worlds, .world_count = SOSIA_COMPARE_WORLDS_MAX};
    assert_int_equal(sosia_compare(k.s, NULL, &c, &k.out), SOSIA_OK);
    if (time_mono_ns() - begin > INT64_C(8000000000)) fail_msg("it waits for forks that nobody touched");
    kit_has(kit_body(&k), "live does not run: fork it");
    kit_has(kit_body(&k), "w2 has not been run: sosia worlds run w2");
    kit_has(kit_body(&k), "\xC3\xA9\xE2\x80\xA6\"]");
    c.format = SOSIA_COMPARE_HTML;
    assert_int_equal(sosia_compare(k.s, NULL, &c, &k.out), SOSIA_OK);
    assert_true(str_utf8_ok(buf_str(&k.out.body)));
    kit_close(&k);
}

// Every prefix of what was kept, and every byte of it changed: refused, or something that can be shown.
static void damaged(void **state) {
    (void)state;
    Buf whole = {0}, out = {0};
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    run_it(&k, "f", HOUR / 10);
    Realm *r = realm_find(k.s, STR("f"));
    const char *name;
    Kpis *kpis = run_counted(r, &name);
    assert_non_null(kpis);
    kpis_encode(kpis, &whole);
    for (int64_t n = 0; n < whole.n; n++) assert_null(kpis_decode(str_sub(buf_str(&whole), 0, n)));
    for (int64_t i = 0; i < whole.n; i++) {
        whole.p[i] ^= 0x41;
        Kpis *other = kpis_decode(buf_str(&whole));
        whole.p[i] ^= 0x41;
        buf_reset(&out);
        if (other) kpis_show(other, (Str){0}, 50, &out);
        kpis_free(other);
    }
    kpis_free(kpis);
    realm_unref(r);
    buf_free(&whole);
    buf_free(&out);
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_notices), cmocka_unit_test(derived_values), cmocka_unit_test(pieces_and_changes),
        cmocka_unit_test(few_points),     cmocka_unit_test(forgotten),      cmocka_unit_test(side_by_side),
        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
