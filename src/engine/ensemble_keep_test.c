// SPDX-License-Identifier: Apache-2.0
// Ensembles that are kept: the same to the byte after a restart, in a list; gone with their world and with a twin that
// they name; what becomes of one that the process does not end; bounds.
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include "engine/ensemble_outcome.h"
#include "engine/test_kit.h"
// LABELS: threads

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Desk;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["          \
    "{\"@type\":\"Property\",\"name\":\"pace\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"count\",\"schema\":\"double\"}]}]"
#define DESK "{\"$metadata\":{\"$model\":\"dtmi:t:Desk;1\"},\"pace\":0.1,\"count\":0}"
#define LONG "{\"for\":\"P1D\",\"output\":\"PT6H\",\"replications\":100000}"
#define LITTLE "{\"for\":\"1m\",\"replications\":2,\"kpis\":[\"came\"]}"
#define TWO                                                                                                            \
    "{\"title\":\"Twice the \\\"pace\\\"\",\"about\":\"More <come>.\",\"for\":\"1m\",\"replications\":11,\"kpis\":["   \
    "\"came\"],\"cases\":[{\"name\":\"as is\"},{\"name\":\"twice\",\"changes\":[{\"at\":\"PT10S\",\"twin\":\"d\","     \
    "\"property\":\"pace\",\"value\":0.2}]}],\"track\":[{\"twin\":\"d\",\"property\":\"pace\"}]}"

static void scene(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path)});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(k, SOSIA_TWIN_PUT, "d", "", DESK);
    kit_do(k, SOSIA_DEFINITION_PUT, "desk", "behaviours",
           "{\"model\":\"dtmi:t:Desk;1\",\"say\":[\"at rate pace do count = count + 1\"]}");
    kit_do(k, SOSIA_DEFINITION_PUT, "came", "kpis",
           "{\"title\":\"Who came\",\"twin\":\"d\",\"expression\":\"count\",\"better\":\"more\"}");
    assert_int_equal(sosia_fork(k->s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
}

// Begin one; its number.
static uint64_t begin(Kit *k, const char *world, const char *json) {
    SosiaErr err = sosia_ensemble(k->s, NULL, kit_str(world), kit_str(json), &k->out);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    const char *id = strstr(kit_body(k), "\"id\":");
    assert_non_null(id);
    return strtoull(id + 5, NULL, 10);
}

static SosiaErr show(Kit *k, uint64_t id, int32_t format) {
    return sosia_ensemble_show(k->s, NULL, &(SosiaEnsembleShow){.id = id, .format = format, .samples = true}, &k->out);
}

// Until it ends; its body.
static char *ended(Kit *k, uint64_t id) {
    do {
        SosiaEnsembleShow a = {.id = id, .wait_ns = INT64_C(10000000000), .samples = true};
        assert_int_equal(sosia_ensemble_show(k->s, NULL, &a, &k->out), SOSIA_OK);
    } while (strstr(kit_body(k), "\"state\":\"running\"") || strstr(kit_body(k), "\"state\":\"starting\""));
    return strdup(kit_body(k));
}

static const char *list(Kit *k) {
    assert_int_equal(sosia_ensembles(k->s, NULL, &k->out), SOSIA_OK);
    return kit_body(k);
}

// As JSON, as a page, as charts: the same before and after.
static void the_same_after_a_restart(void **state) {
    (void)state;
    Kit k;
    char path[64], *before[3];
    kit_path(path);
    scene(&k, path);
    uint64_t id = begin(&k, "f", TWO);
    free(ended(&k, id));
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal(show(&k, id, i), SOSIA_OK);
        before[i] = strdup(kit_body(&k));
    }
    kit_has(before[0], "\"title\":\"Twice the \\\"pace\\\"\"");
    kit_has(before[0], "\"samples\":[");
    kit_has(before[0], "\"verdict\":\"better\"");
    kit_has(before[0], "Who came: ");
    kit_has(before[1], "<h1>Twice the &quot;pace&quot;</h1>");
    kit_has(before[1], "More &lt;come&gt;.");
    kit_has(before[1], "class=\"band f1\"");
    kit_has(before[1], "after 10 s: d.pace = 0.2");
    kit_lacks(before[1], "http-equiv"); // it is done, and does not ask again
    kit_has(before[2], "class=\"band f0\"");
    free(ended(&k, begin(&k, "live", LITTLE)));
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal(show(&k, id, i), SOSIA_OK);
        assert_string_equal(kit_body(&k), before[i]);
        free(before[i]);
    }
    const char *all = list(&k);
    assert_int_equal(kit_count(all, "\"id\":"), 2);
    assert_true(strstr(all, "\"id\":2") < strstr(all, "\"id\":1"));
    kit_has(all, "\"sentence\":\"Who came: ");
    assert_int_equal(sosia_ensemble_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"id\":1,");
    assert_int_equal(begin(&k, "f", LITTLE), 3); // numbers go on
    assert_int_equal(sosia_ensemble_remove(k.s, NULL, id, &k.out), SOSIA_OK);
    assert_int_equal(sosia_ensemble_remove(k.s, NULL, id, &k.out), SOSIA_ENSEMBLE_NOT_FOUND);
    assert_int_equal(show(&k, id, 0), SOSIA_ENSEMBLE_NOT_FOUND);
    assert_int_equal(show(&k, 0, 0), SOSIA_ENSEMBLE_NOT_FOUND);
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    assert_int_equal(show(&k, id, 0), SOSIA_ENSEMBLE_NOT_FOUND);
    kit_close(&k);
    kit_unlink(path);
}

// A dropped world takes its ensembles along, also those that compare it with others, and one that is at work.
static void gone_with_the_world(void **state) {
    (void)state;
    for (int file = 0; file < 2; file++) {
        Kit k;
        char path[64] = "";
        if (file) kit_path(path);
        scene(&k, path);
        uint64_t own = begin(&k, "f", LITTLE), live = begin(&k, "live", LITTLE);
        uint64_t both = begin(&k, "live",
                              "{\"for\":\"1m\",\"replications\":3,\"cases\":[{\"name\":\"a\"},{\"name\":\"b\","
                              "\"world\":\"f\"}]}");
        free(ended(&k, own));
        free(ended(&k, live));
        free(ended(&k, both));
        uint64_t works = begin(&k, "f", LONG);
        assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
        const uint64_t gone[] = {own, both, works};
        for (int i = 0; i < 3; i++) assert_int_equal(show(&k, gone[i], 0), SOSIA_ENSEMBLE_NOT_FOUND);
        assert_int_equal(show(&k, live, 0), SOSIA_OK);
        // Another world of that name has nothing to do with them.
        assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
        assert_int_equal(sosia_ensemble_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_OK);
        kit_has(kit_body(&k), "idle");
        kit_close(&k);
        if (!file) continue;
        kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
        assert_int_equal(kit_count(list(&k), "\"id\":"), 1);
        kit_close(&k);
        kit_unlink(path);
    }
}

static void on_erased(void *arg, const SosiaDone *done) {
    assert_int_equal(done->err, SOSIA_OK);
    atomic_store((_Atomic int *)arg, 1);
}

static bool file_has(const char *path, const char *text) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    KitText all = {0};
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) kit_add(&all, part, n);
    fclose(f);
    bool has = memmem(all.p, all.n, text, strlen(text)) != NULL;
    free(all.p);
    return has;
}

// What names an erased twin goes from the list and from the file, by its change, track, text or value of a sweep.
static void gone_with_the_twin(void **state) {
    (void)state;
    static const char *const asks[] = {
        "{\"for\":\"1m\",\"replications\":2,\"kpis\":[\"came\"],\"cases\":[{\"name\":\"x\",\"changes\":[{\"at\":"
        "\"PT1S\",\"twin\":\"secret-7\",\"property\":\"pace\",\"value\":1}]}]}",
        "{\"for\":\"1m\",\"replications\":2,\"kpis\":[\"came\"],\"track\":[{\"twin\":\"secret-7\",\"property\":"
        "\"pace\"}]}",
        "{\"for\":\"1m\",\"replications\":2,\"kpis\":[\"came\"],\"about\":\"What secret-7 does\"}",
        "{\"for\":\"1m\",\"replications\":2,\"kpis\":[\"came\"],\"sweep\":[{\"twin\":\"secret-7\",\"property\":"
        "\"pace\",\"values\":[1,2]}]}",
        "{\"for\":\"1m\",\"replications\":2,\"kpis\":[\"came\"],\"about\":\"What others do\"}"};
    Kit k;
    _Atomic int done = 0;
    char path[64];
    kit_path(path);
    scene(&k, path);
    kit_do(&k, SOSIA_TWIN_PUT, "secret-7", "", DESK);
    for (int i = 0; i < 5; i++) free(ended(&k, begin(&k, "live", asks[i])));
    assert_int_equal(sosia_erase(k.s, NULL, kit_str("secret-7"), kit_str(""), on_erased, &done), SOSIA_OK);
    while (!atomic_load(&done)) sched_yield();
    const char *all = list(&k);
    assert_int_equal(kit_count(all, "\"id\":"), 1);
    kit_has(all, "What others do");
    kit_close(&k);
    assert_false(file_has(path, "secret-7"));
    assert_true(file_has(path, "What others do"));
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    assert_int_equal(kit_count(list(&k), "\"id\":"), 1);
    kit_close(&k);
    kit_unlink(path);
}

// The engine closes: it is kept as far as it came. The process dies: what is known is that it began.
static void not_ended(void **state) {
    (void)state;
    Kit k;
    char path[64];
    kit_path(path);
    scene(&k, path);
    uint64_t id = begin(&k, "live", "{\"for\":\"PT1H\",\"output\":\"PT1H\",\"replications\":900000}");
    do {
        assert_int_equal(show(&k, id, 0), SOSIA_OK);
    } while (strstr(kit_body(&k), "\"replications\":0,"));
    kit_close(&k);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        Kit c;
        kit_open(&c, &(SosiaOpen){.path = kit_str(path)});
        begin(&c, "live", LONG);
        begin(&c, "live", LITTLE);
        free(ended(&c, 3)); // durable, and so is what came before
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    char *one = ended(&k, id);
    kit_has(one, "\"state\":\"stopped\"");
    kit_lacks(one, "\"replications\":0,");
    kit_has(one, "\"kpis\":[{");
    free(one);
    char *two = ended(&k, 2);
    kit_has(two, "\"state\":\"stopped\"");
    kit_has(two, "the process ended before it did");
    free(two);
    char *three = ended(&k, 3);
    kit_has(three, "\"state\":\"done\"");
    free(three);
    kit_close(&k);
    kit_unlink(path);
}

static void bounds(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    for (int i = 0; i < ENSEMBLES_KEPT_MAX + 3; i++) free(ended(&k, begin(&k, "live", LITTLE)));
    assert_int_equal(kit_count(list(&k), "\"id\":"), ENSEMBLES_KEPT_MAX);
    assert_int_equal(show(&k, 3, 0), SOSIA_ENSEMBLE_NOT_FOUND);
    assert_int_equal(show(&k, 4, 0), SOSIA_OK);
    for (int i = 0; i < ENSEMBLES_MAX; i++) begin(&k, "live", LONG);
    assert_int_equal(sosia_ensemble(k.s, NULL, kit_str("live"), kit_str(LITTLE), &k.out), SOSIA_LIMIT);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "16 ensembles are at work");
    assert_int_equal(kit_count(list(&k), "\"id\":"), ENSEMBLES_KEPT_MAX + ENSEMBLES_MAX);
    kit_close(&k); // waits for them
}

// A title in a text, a word of its own.
static void names(void **state) {
    (void)state;
    Str texts[] = {STR("pump-1.speed = 3"), STR("after pump-12"), STR("my-pump-1x")};
    EnsembleHead h = {.texts = texts, .text_count = 1};
    assert_true(ensemble_head_names(&h, STR("pump-1")));
    assert_false(ensemble_head_names(&h, STR("speed-1")));
    assert_false(ensemble_head_names(&h, STR("ump-1")));
    h = (EnsembleHead){.texts = texts + 1, .text_count = 2};
    assert_false(ensemble_head_names(&h, STR("pump-1")));
    assert_true(ensemble_head_names(&h, STR("pump-12")));
    assert_false(ensemble_head_names(&h, STR("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_after_a_restart),
        cmocka_unit_test(gone_with_the_world),
        cmocka_unit_test(gone_with_the_twin),
        cmocka_unit_test(not_ended),
        cmocka_unit_test(bounds),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
