// SPDX-License-Identifier: Apache-2.0
// Derived values through sosia.h: what they follow, what refuses them, who may not write them, that they are there when
// a write is acknowledged, and that they outlive a restart, a fork and a full disk.
#include "engine/test_kit.h"
#include <stdatomic.h>
#include "engine/derive.h"

// A site contains rooms, a room sensors; rooms measure in another unit than sites.
#define PROP(name, schema) "{\"@type\":\"Property\",\"name\":\"" name "\",\"schema\":\"" schema "\"}"
#define TEMP(name, unit)                                                                                               \
    "{\"@type\":[\"Property\",\"Temperature\"],\"name\":\"" name "\",\"schema\":\"double\",\"unit\":\"" unit "\"}"
#define FACE(id, contents)                                                                                             \
    "{\"@id\":\"dtmi:d:" id                                                                                            \
    ";1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":[" contents "]}"
#define SUB(id, base, contents)                                                                                        \
    "{\"@id\":\"dtmi:d:" id                                                                                            \
    ";1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"extends\":\"dtmi:d:" base                     \
    ";1\",\"contents\":[" contents "]}"
#define CONTAINS(target)                                                                                               \
    "{\"@type\":\"Relationship\",\"name\":\"contains\",\"target\":\"dtmi:d:" target                                    \
    ";1\",\"properties\":[" PROP("weight", "double") "]}"
// clang-format off
static const char *const MODELS =
    "[" FACE("Sensor", TEMP("temperature", "degreeCelsius") "," PROP("power", "double") "," PROP("on", "boolean") ","
             PROP("label", "string"))
    "," SUB("Meter", "Sensor", PROP("extra", "double"))
    "," FACE("Room", TEMP("mean", "degreeCelsius") "," TEMP("meanF", "degreeFahrenheit") "," PROP("sum", "double") ","
             PROP("twice", "double") "," PROP("count", "integer") "," PROP("any", "boolean") "," PROP("text", "string")
             "," PROP("age", "double") "," CONTAINS("Sensor"))
    "," FACE("Site", PROP("total", "double") "," PROP("rooms", "integer") "," PROP("top", "double") ","
             "{\"@type\":\"Relationship\",\"name\":\"has\",\"target\":\"dtmi:d:Room;1\"},"
             "{\"@type\":\"Relationship\",\"name\":\"part\",\"target\":\"dtmi:d:Site;1\"}")
    "]";
// clang-format on

static void derive(Kit *k, const char *name, const char *model, const char *property, const char *expression) {
    char body[1000];
    snprintf(body, sizeof body, "{\"model\":\"dtmi:d:%s;1\",\"property\":\"%s\",\"expression\":\"%s\"}", model,
             property, expression);
    kit_do(k, SOSIA_DERIVED_PUT, name, "", body);
}

static SosiaErr refuse(Kit *k, const char *name, const char *model, const char *property, const char *expression) {
    char body[1000];
    snprintf(body, sizeof body, "{\"model\":\"dtmi:d:%s;1\",\"property\":\"%s\",\"expression\":\"%s\"}", model,
             property, expression);
    return kit_write(k, SOSIA_DERIVED_PUT, name, "", body);
}

static void twin(Kit *k, const char *id, const char *model, const char *more) {
    char body[1000];
    snprintf(body, sizeof body, "{\"$metadata\":{\"$model\":\"dtmi:d:%s;1\"}%s}", model, more);
    kit_do(k, SOSIA_TWIN_PUT, id, "", body);
}

static void join(Kit *k, const char *source, const char *rel, const char *target) {
    char body[300];
    snprintf(body, sizeof body, "{\"$relationshipName\":\"%s\",\"$targetId\":\"%s\"}", rel, target);
    kit_do(k, SOSIA_LINK_PUT, source, target, body);
}

static void set(Kit *k, const char *id, const char *path, const char *value) {
    char body[300];
    snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/%s\",\"value\":%s}]", path, value);
    kit_do(k, SOSIA_TWIN_PATCH, id, "", body);
}

static bool has(Kit *k, const char *world, const char *id, const char *part) {
    assert_int_equal(kit_get_in(k, world, SOSIA_GET_TWIN, id, ""), SOSIA_OK);
    return strstr(kit_body(k), part) != NULL;
}

#define HAS(k, id, part)                                                                                               \
    do {                                                                                                               \
        if (!has(k, "", id, part)) fail_msg("%s is not in %s", part, kit_body(k));                                     \
    } while (0)
#define LACKS(k, id, part)                                                                                             \
    do {                                                                                                               \
        if (has(k, "", id, part)) fail_msg("%s is in %s", part, kit_body(k));                                          \
    } while (0)

static Err verify_view(View *v, void *ctx) {
    buf_reset(ctx);
    return derive_verify(v, 0, NULL, ctx) ? ERR_OK : ERR_CORRUPT;
}

// Every derived value of the world against a computation from nothing.
static void verify(Kit *k, const char *world) {
    Buf why = {0};
    if (engine_read(k->s, NULL, kit_str(world), verify_view, &why, NULL)) fail_msg("%.*s", STR_ARG(buf_str(&why)));
    buf_free(&why);
}

static void site(Kit *k) {
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODELS);
    twin(k, "site", "Site", "");
    twin(k, "r1", "Room", "");
    twin(k, "r2", "Room", "");
    twin(k, "s1", "Sensor", ",\"temperature\":10,\"power\":1");
    twin(k, "s2", "Sensor", ",\"temperature\":20,\"power\":2");
    twin(k, "m1", "Meter", ",\"temperature\":30,\"power\":4");
    join(k, "site", "has", "r1");
    join(k, "site", "has", "r2");
    join(k, "r1", "contains", "s1");
    join(k, "r1", "contains", "s2");
    join(k, "r2", "contains", "m1");
}

static int open_site(void **state) {
    static Kit k;
    kit_open(&k, &(SosiaOpen){.tick_ns = -1});
    site(&k);
    *state = &k;
    return 0;
}

static int close_site(void **state) {
    kit_close(*state);
    return 0;
}

static void follow_values_and_links(void **state) {
    Kit *k = *state;
    derive(k, "mean", "Room", "mean", "AVG(out.contains.temperature)");
    kit_has(kit_result(k), "{\"name\":\"mean\",\"model\":\"dtmi:d:Room;1\",\"property\":\"mean\"");
    HAS(k, "r1", "\"mean\":15,"); // of twins that are there already
    HAS(k, "r2", "\"mean\":30,");
    derive(k, "meanF", "Room", "meanF", "AVG(->contains.temperature)");
    HAS(k, "r1", "\"meanF\":59,");
    set(k, "s1", "temperature", "14");
    HAS(k, "r1", "\"mean\":17,");
    HAS(k, "r2", "\"mean\":30,");
    kit_do(k, SOSIA_LINK_DELETE, "r1", "s2", "");
    HAS(k, "r1", "\"mean\":14,");
    join(k, "r2", "contains", "s2");
    HAS(k, "r2", "\"mean\":25,");
    kit_do(k, SOSIA_LINK_DELETE, "r1", "s1", "");
    LACKS(k, "r1", "\"mean\":"); // of nothing there is no mean
    verify(k, "");
}

static void follow_each_other(void **state) {
    Kit *k = *state;
    derive(k, "total", "Site", "total", "SUM(->has.twice)");
    derive(k, "twice", "Room", "twice", "sum * 2");
    derive(k, "sum", "Room", "sum", "SUM(->contains.power)");
    derive(k, "rooms", "Site", "rooms", "COUNT(->has WHERE twice > 5)");
    derive(k, "top", "Site", "top", "MAX(->has, MAX(->contains.power))");
    HAS(k, "site", "\"total\":14,");
    HAS(k, "site", "\"rooms\":2,");
    HAS(k, "site", "\"top\":4,");
    set(k, "s2", "power", "0.5");
    HAS(k, "site", "\"total\":11,");
    HAS(k, "site", "\"rooms\":1,");
    kit_do(k, SOSIA_LINK_DELETE, "r2", "m1", "");
    HAS(k, "site", "\"top\":1,");
    HAS(k, "site", "\"total\":3,");
    kit_do(k, SOSIA_DERIVED_DELETE, "twice", "", "");
    set(k, "r1", "twice", "100"); // clients' again; what it is follows
    HAS(k, "site", "\"total\":100,");
    verify(k, "");
}

static void circles_are_refused(void **state) {
    Kit *k = *state;
    assert_int_equal(refuse(k, "x", "Room", "sum", "sum + 1"), SOSIA_DERIVED_CYCLE);
    kit_has(kit_message(k), "Room.sum -> Room.sum");
    derive(k, "up", "Site", "total", "SUM(->has.sum)");
    assert_int_equal(refuse(k, "down", "Room", "sum", "SUM(<-has.total)"), SOSIA_DERIVED_CYCLE);
    kit_has(kit_message(k), "Room.sum -> Site.total -> Room.sum");
    // A tree it might be, or a ring.
    assert_int_equal(refuse(k, "up", "Site", "total", "SUM(in.part.total) + SUM(->has.sum)"), SOSIA_DERIVED_CYCLE);
    kit_has(kit_message(k), "Site.total -> Site.total");
    assert_int_equal(kit_read(k, &(SosiaRead){.what = SOSIA_GET_DERIVED}), SOSIA_OK);
    kit_has(kit_body(k), "SUM(->has.sum)"); // as it was
    kit_lacks(kit_body(k), "down");
}

static void what_does_not_fit_is_refused(void **state) {
    Kit *k = *state;
    static const struct {
        const char *model, *property, *expression;
        SosiaErr err;
        const char *says;
    } cases[] = {
        {"Nobody", "sum", "1", SOSIA_MODEL_NOT_FOUND, "dtmi:d:Nobody;1"},
        {"Room", "summ", "1", SOSIA_VALIDATION, "\"summ\" is not a property"},
        {"Room", "sum", "1 +", SOSIA_SYNTAX, "expected a value"},
        {"Room", "sum", "AVG(->contains.temprature)", SOSIA_SYNTAX, "did you mean temperature"},
        {"Room", "sum", "AVG(->contans.temperature)", SOSIA_SYNTAX, "did you mean contains"},
        {"Room", "sum", "any", SOSIA_SYNTAX, "schema double"},
        {"Room", "any", "sum", SOSIA_SYNTAX, "schema boolean"},
        {"Room", "mean", "3 'metre'", SOSIA_SYNTAX, "degreeCelsius"},
        {"Room", "text", "$metadata.$lastUpdateTime", SOSIA_SYNTAX, "cannot look at"},
        {"Room", "text", "$etag", SOSIA_SYNTAX, "cannot look at"},
        {"Room", "", "1", SOSIA_ARGUMENT, "a derived value is"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SosiaErr err = refuse(k, "x", cases[i].model, cases[i].property, cases[i].expression);
        if (err != cases[i].err) fail_msg("%s: %s %s", cases[i].expression, sosia_err_name(err), kit_message(k));
        kit_has(kit_message(k), cases[i].says);
    }
    assert_int_equal(refuse(k, "a b", "Room", "sum", "1"), SOSIA_ARGUMENT);
    assert_int_equal(
        kit_write(k, SOSIA_DERIVED_PUT, "x", "", "{\"twin\":\"nobody\",\"property\":\"sum\",\"expression\":\"1\"}"),
        SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(kit_write(k, SOSIA_DERIVED_PUT, "x", "", "[1]"), SOSIA_ARGUMENT);
    assert_int_equal(kit_write(k, SOSIA_DERIVED_PUT, "x", "", "{\"mode\":\"dtmi:d:Room;1\"}"), SOSIA_ARGUMENT);
    assert_int_equal(kit_write(k, SOSIA_DERIVED_DELETE, "x", "", ""), SOSIA_DERIVED_NOT_FOUND);
    assert_int_equal(kit_get_in(k, "", SOSIA_GET_DERIVED, "x", ""), SOSIA_DERIVED_NOT_FOUND);
    derive(k, "a", "Room", "sum", "1");
    assert_int_equal(refuse(k, "b", "Room", "sum", "2"), SOSIA_ARGUMENT);
    kit_has(kit_message(k), "derived by \"a\" already");
    HAS(k, "r1", "\"sum\":1,");
}

static void clients_do_not_write_them(void **state) {
    Kit *k = *state;
    derive(k, "roll", "Room", "sum", "SUM(->contains.power)");
    const char *says = "\"sum\" is derived by \"roll\" and cannot be written";
    assert_int_equal(kit_write(k, SOSIA_TWIN_PATCH, "r1", "", "[{\"op\":\"add\",\"path\":\"/sum\",\"value\":9}]"),
                     SOSIA_VALIDATION);
    kit_has(kit_message(k), says);
    assert_int_equal(kit_write(k, SOSIA_TWIN_PATCH, "r1", "", "[{\"op\":\"remove\",\"path\":\"/sum\"}]"),
                     SOSIA_VALIDATION);
    kit_has(kit_message(k), says);
    assert_int_equal(kit_write(k, SOSIA_TWIN_PUT, "r1", "", "{\"$metadata\":{\"$model\":\"dtmi:d:Room;1\"},\"sum\":9}"),
                     SOSIA_VALIDATION);
    kit_has(kit_message(k), says);
    kit_do(k, SOSIA_INGEST, "", "",
           "{\"id\":\"r1\",\"property\":\"sum\",\"value\":9}\n{\"id\":\"s1\",\"property\":\"power\",\"value\":2}\n");
    kit_has(kit_result(k), "\"accepted\":1,\"rejected\":1");
    kit_has(kit_result(k), "is derived by");
    SosiaHandle h;
    assert_int_equal(sosia_resolve(k->s, kit_str(""), kit_str("r1"), kit_str("sum"), &h), SOSIA_OK);
    SosiaUpdate u = {.at = h, .value = {.kind = SOSIA_F64, .d = 9}};
    assert_int_equal(sosia_apply(k->s, NULL, kit_str(""), &u, 1, NULL), SOSIA_VALIDATION);
    u.value.d = 4; // what it is already
    assert_int_equal(sosia_apply(k->s, NULL, kit_str(""), &u, 1, NULL), SOSIA_OK);
    HAS(k, "r1", "\"sum\":4,");
    // As clients do after a GET, and without it: nothing is lost.
    kit_do(k, SOSIA_TWIN_PUT, "r1", "", "{\"$metadata\":{\"$model\":\"dtmi:d:Room;1\"},\"sum\":4,\"text\":\"a\"}");
    kit_has(kit_result(k), "\"sum\":4,");
    kit_do(k, SOSIA_TWIN_PUT, "r1", "", "{\"$metadata\":{\"$model\":\"dtmi:d:Room;1\"},\"text\":\"b\"}");
    kit_has(kit_result(k), "\"sum\":4,");
    kit_do(k, SOSIA_DERIVED_DELETE, "roll", "", "");
    HAS(k, "r1", "\"sum\":4,"); // the value stays
    set(k, "r1", "sum", "9");
    HAS(k, "r1", "\"sum\":9,");
}

static void the_narrower_definition_wins(void **state) {
    Kit *k = *state;
    derive(k, "wide", "Sensor", "label", "'sensor'");
    derive(k, "narrow", "Meter", "label", "'meter'");
    kit_do(k, SOSIA_DERIVED_PUT, "one", "", "{\"twin\":\"m1\",\"property\":\"on\",\"expression\":\"power > 3\"}");
    derive(k, "on", "Sensor", "on", "power > 1.5");
    HAS(k, "s1", "\"label\":\"sensor\"");
    HAS(k, "m1", "\"label\":\"meter\"");
    HAS(k, "s1", "\"on\":false");
    HAS(k, "s2", "\"on\":true");
    set(k, "m1", "power", "2");
    HAS(k, "m1", "\"on\":false");
    kit_do(k, SOSIA_DERIVED_DELETE, "narrow", "", "");
    kit_do(k, SOSIA_DERIVED_DELETE, "one", "", "");
    HAS(k, "m1", "\"label\":\"sensor\"");
    HAS(k, "m1", "\"on\":true");
    verify(k, "");
}

static void named_twins_come_and_go(void **state) {
    Kit *k = *state;
    kit_do(k, SOSIA_DERIVED_PUT, "one", "",
           "{\"twin\":\"s1\",\"property\":\"label\",\"expression\":\"power > 3 ? 'high' : 'low'\"}");
    HAS(k, "s1", "\"label\":\"low\"");
    kit_do(k, SOSIA_LINK_DELETE, "r1", "s1", "");
    kit_do(k, SOSIA_TWIN_DELETE, "s1", "", "");
    twin(k, "s1", "Sensor", ",\"power\":7");
    HAS(k, "s1", "\"label\":\"high\"");
    kit_do(k, SOSIA_TWIN_PATCH, "s1", "",
           "[{\"op\":\"replace\",\"path\":\"/$metadata/$model\",\"value\":\"dtmi:d:Meter;1\"},"
           "{\"op\":\"replace\",\"path\":\"/power\",\"value\":1}]");
    HAS(k, "s1", "\"label\":\"low\"");
    verify(k, "");
}

static void results_take_the_property_s_type(void **state) {
    Kit *k = *state;
    derive(k, "count", "Room", "count", "AVG(->contains.power)"); // 1.5 to the even neighbour
    HAS(k, "r1", "\"count\":2,");
    derive(k, "any", "Room", "any", "ANY(->contains, power > 3)");
    HAS(k, "r1", "\"any\":false");
    HAS(k, "r2", "\"any\":true");
    derive(k, "text", "Room", "text", "count > 3 ? 'many' : 'few'");
    HAS(k, "r1", "\"text\":\"few\"");
    set(k, "m1", "power", "1e12");
    LACKS(k, "r2", "\"count\":"); // no integer
    HAS(k, "r1", "\"count\":2,");
    derive(k, "sum", "Room", "sum", "SUM(->contains, R.weight * power)");
    HAS(k, "r1", "\"sum\":0,");
    kit_do(k, SOSIA_LINK_PATCH, "r1", "s2", "[{\"op\":\"add\",\"path\":\"/weight\",\"value\":10}]");
    HAS(k, "r1", "\"sum\":20,");
    verify(k, "");
}

static void forks_go_on_with_their_copy(void **state) {
    Kit *k = *state;
    derive(k, "sum", "Room", "sum", "SUM(->contains.power)");
    assert_int_equal(sosia_fork(k->s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
    SosiaWrite w = {.op = SOSIA_TWIN_PATCH,
                    .world = kit_str("f"),
                    .id = kit_str("s1"),
                    .body = kit_str("[{\"op\":\"add\",\"path\":\"/power\",\"value\":5}]")};
    assert_int_equal(sosia_write_wait(k->s, NULL, &w, &k->done, &k->keep), SOSIA_OK);
    assert_true(has(k, "f", "r1", "\"sum\":7,"));
    HAS(k, "r1", "\"sum\":3,");
    w = (SosiaWrite){.op = SOSIA_DERIVED_DELETE, .world = kit_str("f"), .id = kit_str("sum")};
    assert_int_equal(sosia_write_wait(k->s, NULL, &w, &k->done, &k->keep), SOSIA_OK);
    set(k, "s2", "power", "20");
    HAS(k, "r1", "\"sum\":21,");
    verify(k, "f");
    verify(k, "");
}

// ---- many, and much -------------------------------------------------------------------------------------------------

static void say(KitText *t, const char *z) { kit_add(t, z, strlen(z)); }

// Sensors below one room by IMPORT; returns what must be freed.
static char *many(int sensors, const char *room) {
    KitText all = {0};
    char line[300];
    int n =
        snprintf(line, sizeof line,
                 "{\"Section\":\"Twins\"}\n{\"$dtId\":\"%s\",\"$metadata\":{\"$model\":\"dtmi:d:Room;1\"}}\n", room);
    say(&all, "{\"Section\":\"Header\"}\n{\"fileVersion\":\"1.0.0\"}\n");
    kit_add(&all, line, (size_t)n);
    for (int i = 0; i < sensors; i++) {
        n = snprintf(line, sizeof line,
                     "{\"$dtId\":\"%s-%d\",\"$metadata\":{\"$model\":\"dtmi:d:Sensor;1\"},\"power\":1}\n", room, i);
        kit_add(&all, line, (size_t)n);
    }
    say(&all, "{\"Section\":\"Relationships\"}\n");
    for (int i = 0; i < sensors; i++) {
        n = snprintf(line, sizeof line,
                     "{\"$dtId\":\"%s\",\"$targetId\":\"%s-%d\",\"$relationshipId\":\"c%d\",\"$relationshipName\":"
                     "\"contains\"}\n",
                     room, room, i, i);
        kit_add(&all, line, (size_t)n);
    }
    return all.p;
}

static const SosiaOpen TINY = {.ring_records = 8192, .tick_ns = -1};

static void a_new_definition_takes_as_many_batches_as_it_needs(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &TINY);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", MODELS);
    char *file = many(6000, "hall");
    kit_do(&k, SOSIA_IMPORT, "", "", file);
    free(file);
    kit_has(kit_result(&k), "\"rejected\":0");
    uint64_t before = k.done.seq;
    derive(&k, "label", "Sensor", "label", "power > 0 ? 'a label that is not short at all' : 'low'");
    assert_true(k.done.seq > before + 2); // it was not one
    verify(&k, "");
    HAS(&k, "hall-5999", "\"label\":\"a label that");
    derive(&k, "sum", "Room", "sum", "SUM(->contains.power)");
    HAS(&k, "hall", "\"sum\":6000,");
    before = k.done.seq;
    derive(&k, "label", "Sensor", "label", "'another label that is not short at all'");
    assert_true(k.done.seq > before + 2);
    verify(&k, "");
    // A value that 6,000 others follow is too much for this ring, and leaves nothing behind.
    assert_int_equal(refuse(&k, "down", "Sensor", "on", "ANY(<-contains, text = 'go')"), SOSIA_OK);
    assert_int_equal(
        kit_write(&k, SOSIA_TWIN_PATCH, "hall", "", "[{\"op\":\"add\",\"path\":\"/text\",\"value\":\"go\"}]"),
        SOSIA_LIMIT);
    kit_has(kit_message(&k), "too large for one batch");
    LACKS(&k, "hall", "\"text\"");
    verify(&k, "");
    kit_do(&k, SOSIA_INGEST, "", "",
           "{\"id\":\"hall\",\"property\":\"text\",\"value\":\"go\"}\n"
           "{\"id\":\"hall-1\",\"property\":\"power\",\"value\":5}\n{\"id\":\"hall-2\",\"property\":\"power\","
           "\"value\":5}\n");
    kit_has(kit_result(&k), "\"accepted\":2,\"rejected\":1"); // the others come through
    HAS(&k, "hall", "\"sum\":6008,");
    verify(&k, "");
    kit_close(&k);
}

// A body of values whose consequences are more than one batch holds is cut into smaller batches.
static void a_body_with_much_behind_it_is_cut(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &TINY);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", MODELS);
    KitText body = {0};
    for (int r = 0; r < 20; r++) {
        char room[16], line[100];
        snprintf(room, sizeof room, "h%d", r);
        char *file = many(200, room);
        kit_do(&k, SOSIA_IMPORT, "", "", file);
        free(file);
        int n = snprintf(line, sizeof line, "{\"id\":\"%s\",\"property\":\"text\",\"value\":\"go\"}\n", room);
        kit_add(&body, line, (size_t)n);
    }
    derive(&k, "down", "Sensor", "on", "ANY(<-contains, text = 'go')");
    kit_do(&k, SOSIA_INGEST, "", "", body.p);
    kit_has(kit_result(&k), "\"accepted\":20,\"rejected\":0");
    HAS(&k, "h19-199", "\"on\":true");
    verify(&k, "");
    free(body.p);
    kit_close(&k);
}

// ---- time -----------------------------------------------------------------------------------------------------------

static _Atomic int64_t clock_ns = INT64_C(1700000000000000000);
static int64_t clock_now(void *ctx) {
    (void)ctx;
    return atomic_load(&clock_ns);
}

static void wait_for(Kit *k, const char *id, const char *part) {
    for (int i = 0; i < 3000 && !has(k, "", id, part); i++) usleep(10000);
    HAS(k, id, part);
}

static void time_comes_as_ticks(void **state) {
    (void)state;
    Kit k;
    char path[64];
    kit_path(path);
    SosiaOpen o = {.path = kit_str(path), .now = clock_now, .tick_ns = 1000000, .checkpoint_interval_ns = -1};
    kit_open(&k, &o);
    site(&k);
    set(&k, "r1", "sum", "1");
    derive(&k, "old", "Room", "any", "AGE(sum) > 'PT60S'");
    derive(&k, "text", "Room", "text", "any ? 'old' : 'new'");
    HAS(&k, "r1", "\"text\":\"new\"");
    LACKS(&k, "r2", "\"any\":"); // there is nothing that could be old
    uint64_t quiet = k.out.seq;
    usleep(50000); // ticks that change nothing leave nothing
    kit_get(&k, SOSIA_GET_TWIN, "r1", "");
    assert_int_equal(k.out.seq, quiet);
    atomic_fetch_add(&clock_ns, INT64_C(90000000000));
    wait_for(&k, "r1", "\"text\":\"old\""); // what follows is in the same batch
    HAS(&k, "r1", "\"any\":true");
    verify(&k, "");
    derive(&k, "age", "Room", "age", "AGE(sum)");
    wait_for(&k, "r1", "\"age\":90.");
    kit_do(&k, SOSIA_DERIVED_DELETE, "age", "", ""); // it changes with every tick
    char *before = kit_dump(&k, "");
    kit_close(&k);
    o.tick_ns = -1;
    kit_open(&k, &o); // replay asks no clock
    char *after = kit_dump(&k, "");
    assert_string_equal(before, after);
    free(before);
    free(after);
    kit_close(&k);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_definition_takes_as_many_batches_as_it_needs),
        cmocka_unit_test(a_body_with_much_behind_it_is_cut),
        cmocka_unit_test(time_comes_as_ticks),
        cmocka_unit_test_setup_teardown(follow_values_and_links, open_site, close_site),
        cmocka_unit_test_setup_teardown(follow_each_other, open_site, close_site),
        cmocka_unit_test_setup_teardown(circles_are_refused, open_site, close_site),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, open_site, close_site),
        cmocka_unit_test_setup_teardown(clients_do_not_write_them, open_site, close_site),
        cmocka_unit_test_setup_teardown(the_narrower_definition_wins, open_site, close_site),
        cmocka_unit_test_setup_teardown(named_twins_come_and_go, open_site, close_site),
        cmocka_unit_test_setup_teardown(results_take_the_property_s_type, open_site, close_site),
        cmocka_unit_test_setup_teardown(forks_go_on_with_their_copy, open_site, close_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
