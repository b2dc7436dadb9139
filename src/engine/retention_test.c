// SPDX-License-Identifier: Apache-2.0
// Policies of retention: documents in and out, and which of them holds for a value.
#include "engine/test_kit.h"
#include <stdatomic.h>
#include "base/check.h"
#include "base/time.h"
#include "engine/retention.h"
#include "world/trail.h"

#define DAY (INT64_C(86400) * NS_PER_S)

static int setup(void **state) {
    static Kit k;
    k = (Kit){.s = NULL};
    kit_open(&k, &(SosiaOpen){.queue_max = 0});
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    kit_do(&k, SOSIA_TWIN_PUT, "b", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"}}");
    kit_do(&k, SOSIA_TWIN_PUT, "r0", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
    kit_do(&k, SOSIA_TWIN_PUT, "r1", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
    *state = &k;
    return 0;
}

static int teardown(void **state) {
    kit_close(*state);
    return 0;
}

static void policy(Kit *k, const char *name, const char *of, const char *id, const char *property, const char *says) {
    char body[512];
    int n = snprintf(body, sizeof body, "{%s", says);
    if (*of) n += snprintf(body + n, sizeof body - (size_t)n, ",\"%s\":\"%s\"", of, id);
    if (*property) n += snprintf(body + n, sizeof body - (size_t)n, ",\"property\":\"%s\"", property);
    snprintf(body + n, sizeof body - (size_t)n, "}");
    kit_do(k, SOSIA_RETENTION_PUT, name, "", body);
}

// Days that raw values of a twin's property are kept; -1: there is no such property.
static int64_t days(Kit *k, const Retention *x, const char *twin, const char *property) {
    View v;
    int64_t found = -1;
    view_begin(&v, k->s->live->world);
    TwinView t = view_twin_place(&v, view_find_twin(&v, kit_str(twin)));
    const Table *table = &v.catalog->tables[t.table];
    for (int32_t i = 0; i < table->model->field_count; i++) {
        if (!str_eq(table->model->fields[i].path, kit_str(property))) continue;
        uint64_t lane = trail_lane(table->first + (uint32_t)i, 0);
        bool rows;
        HistoryKeep keep = retention_lane(x, lane, &rows);
        if (rows) keep = retention_row(x, lane, t.row);
        found = keep.raw_ns / DAY;
    }
    if (!*property) found = retention_row(x, trail_lane(TRAIL_TELEMETRY_VEC + t.table, 0), t.row).raw_ns / DAY;
    view_end(&v);
    return found;
}

static Retention *resolve(Kit *k) {
    View v;
    view_begin(&v, k->s->live->world);
    Retention *x = retention_of(&v);
    view_end(&v);
    return x;
}

static void the_most_specific_holds(void **state) {
    Kit *k = *state;
    assert_null(resolve(k));
    policy(k, "all", "", "", "", "\"raw\":\"P1D\"");
    policy(k, "base", "model", "dtmi:test:Base;1", "", "\"raw\":\"P2D\"");
    policy(k, "room", "model", "dtmi:test:Room;1", "", "\"raw\":\"P3D\"");
    policy(k, "base-label", "model", "dtmi:test:Base;1", "label", "\"raw\":\"P4D\"");
    policy(k, "size", "model", "dtmi:test:Room;1", "size", "\"raw\":\"P5D\"");
    policy(k, "size-w", "", "", "size.w", "\"raw\":\"P6D\"");
    policy(k, "r1", "twin", "r1", "", "\"raw\":\"P7D\"");
    policy(k, "r1-count", "twin", "r1", "count", "\"raw\":\"8d\"");
    Retention *x = resolve(k);
    assert_int_equal(days(k, x, "b", "label"), 4);
    assert_int_equal(days(k, x, "r0", "label"), 4); // subtypes too; the property before the nearer model
    assert_int_equal(days(k, x, "r0", "temperature"), 3);
    assert_int_equal(days(k, x, "r0", "size.h"), 5); // what lies in an object
    assert_int_equal(days(k, x, "r0", "size.w"), 6); // the longer path
    assert_int_equal(days(k, x, "r0", "thermostat.setPoint"), 3);
    assert_int_equal(days(k, x, "r1", "temperature"), 7);
    assert_int_equal(days(k, x, "r1", "size.w"), 7); // the twin before all
    assert_int_equal(days(k, x, "r1", "count"), 8);
    assert_int_equal(days(k, x, "b", ""), 2); // telemetry
    assert_int_equal(days(k, x, "r0", ""), 3);
    assert_int_equal(days(k, x, "r1", ""), 7);
    bool rows;
    HistoryKeep none = retention_lane(x, trail_lane(VECNO_LINK, 0), &rows); // what the world is made of stays
    assert_true(none.raw_ns == 0 && !rows);
    none = retention_lane(x, UINT64_MAX, &rows);
    assert_true(none.raw_ns == 0 && !rows);
    retention_free(x);
    kit_do(k, SOSIA_TWIN_DELETE, "r1", "", "");
    x = resolve(k); // a policy whose twin is gone is of nobody
    assert_int_equal(days(k, x, "r0", "count"), 3);
    retention_free(x);
}

static void documents_come_back(void **state) {
    Kit *k = *state;
    const char *body = "{\"raw\":\"P30D\",\"keep\":\"P2Y\",\"step\":\"PT1M\",\"property\":\"temperature\","
                       "\"model\":\"dtmi:test:Room;1\"}";
    const char *says =
        "{\"name\":\"rooms\",\"model\":\"dtmi:test:Room;1\",\"property\":\"temperature\",\"raw\":\"P30D\","
        "\"step\":\"PT1M\",\"keep\":\"P2Y\"}";
    kit_do(k, SOSIA_RETENTION_PUT, "rooms", "", body);
    assert_string_equal(kit_result(k), says);
    assert_true(k->done.created);
    kit_do(k, SOSIA_RETENTION_PUT, "rooms", "", body);
    assert_false(k->done.created);
    assert_int_equal(kit_read(k, &(SosiaRead){.what = SOSIA_GET_RETENTION}), SOSIA_OK);
    kit_has(kit_body(k), says);
    assert_int_equal(kit_read(k, &(SosiaRead){.what = SOSIA_GET_RETENTION, .id = kit_str("rooms")}), SOSIA_OK);
    assert_string_equal(kit_body(k), says);
    kit_do(k, SOSIA_RETENTION_DELETE, "rooms", "", "");
    assert_int_equal(kit_read(k, &(SosiaRead){.what = SOSIA_GET_RETENTION, .id = kit_str("rooms")}),
                     SOSIA_RETENTION_NOT_FOUND);
    assert_int_equal(kit_write(k, SOSIA_RETENTION_DELETE, "rooms", "", ""), SOSIA_RETENTION_NOT_FOUND);
}

static void what_makes_no_sense_is_refused(void **state) {
    Kit *k = *state;
    static const struct {
        const char *body;
        SosiaErr err;
        const char *says;
    } cases[] = {
        {"[]", SOSIA_ARGUMENT, "is an object"},
        {"{}", SOSIA_ARGUMENT, "\"raw\" says"},
        {"{\"raw\":\"30\"}", SOSIA_ARGUMENT, "raw"},
        {"{\"raw\":\"PT59S\"}", SOSIA_ARGUMENT, "at least"},
        {"{\"raw\":30}", SOSIA_ARGUMENT, "not a text"},
        {"{\"raw\":\"P1D\",\"steps\":\"PT1M\"}", SOSIA_ARGUMENT, "\"steps\" is not a member"},
        {"{\"raw\":\"P1D\",\"step\":\"PT0.1S\"}", SOSIA_ARGUMENT, "step"},
        {"{\"raw\":\"P1D\",\"step\":\"P91D\"}", SOSIA_ARGUMENT, "P90D"},
        {"{\"raw\":\"P1D\",\"keep\":\"P2Y\"}", SOSIA_ARGUMENT, "there is no \"step\""},
        {"{\"raw\":\"P30D\",\"step\":\"PT1M\",\"keep\":\"P29D\"}", SOSIA_ARGUMENT, "not less than"},
        {"{\"raw\":\"P1D\",\"model\":\"dtmi:test:Room;1\",\"twin\":\"r0\"}", SOSIA_ARGUMENT, "not for both"},
        {"{\"raw\":\"P1D\",\"model\":\"dtmi:test:Nobody;1\"}", SOSIA_MODEL_NOT_FOUND, "Nobody"},
        {"{\"raw\":\"P1D\",\"twin\":\"nobody\"}", SOSIA_TWIN_NOT_FOUND, "nobody"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SosiaErr err = kit_write(k, SOSIA_RETENTION_PUT, "p", "", cases[i].body);
        if (err != cases[i].err) fail_msg("%s: %s %s", cases[i].body, sosia_err_name(err), kit_message(k));
        kit_has(kit_message(k), cases[i].says);
    }
    assert_int_equal(kit_write(k, SOSIA_RETENTION_PUT, "-p", "", "{\"raw\":\"P1D\"}"), SOSIA_ARGUMENT);
    assert_int_equal(sosia_fork(k->s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
    assert_int_equal(kit_write_in(k, "f", SOSIA_RETENTION_PUT, "p", "", "{\"raw\":\"P1D\"}"), SOSIA_ARGUMENT);
    kit_has(kit_message(k), "live world");
}

static void there_is_a_bound(void **state) {
    Kit *k = *state;
    char name[32];
    for (int i = 0; i < RETENTION_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        kit_do(k, SOSIA_RETENTION_PUT, name, "", "{\"raw\":\"P1D\"}");
    }
    assert_int_equal(kit_write(k, SOSIA_RETENTION_PUT, "one-more", "", "{\"raw\":\"P1D\"}"), SOSIA_LIMIT);
    kit_do(k, SOSIA_RETENTION_PUT, "p7", "", "{\"raw\":\"P2D\"}"); // one that is there may change
}

// ---- carried out --------------------------------------------------------------------------------------------------

static _Atomic int64_t clock_ns;

static int64_t test_clock(void *ctx) {
    (void)ctx;
    return atomic_load(&clock_ns);
}

static int64_t number_in_stats(Kit *k, const char *name) {
    assert_int_equal(kit_read(k, &(SosiaRead){.what = SOSIA_GET_STATS}), SOSIA_OK);
    const char *at = strstr(kit_body(k), name);
    assert_non_null(at);
    return strtoll(at + strlen(name) + 2, NULL, 10);
}

// Values of an hour, one a second, then a day goes by.
static void old_values_go(void **state) {
    (void)state;
    Kit k = {.s = NULL};
    char path[64];
    kit_path(path);
    SosiaOpen o = {.path = kit_str(path),
                   .now = test_clock,
                   .retain_interval_ns = NS_PER_MS,
                   .checkpoint_interval_ns = 20 * NS_PER_MS};
    atomic_store(&clock_ns, INT64_C(1700000000) * NS_PER_S);
    kit_open(&k, &o);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    kit_do(&k, SOSIA_TWIN_PUT, "r0", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
    policy(&k, "rooms", "model", "dtmi:test:Room;1", "temperature", "\"raw\":\"PT1H\",\"step\":\"PT1M\"");
    char body[160];
    for (int i = 0; i < 3600; i++) {
        atomic_fetch_add(&clock_ns, NS_PER_S);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d}]", i);
        if (i % 10 == 0) kit_do(&k, SOSIA_TWIN_PATCH, "r0", "", body);
    }
    assert_int_equal(number_in_stats(&k, "pointsLetGo"), 0);
    atomic_fetch_add(&clock_ns, DAY);
    for (int i = 0; number_in_stats(&k, "pointsLetGo") < 360; i++) {
        assert_true(i < 6000);
        usleep(10000);
        atomic_fetch_add(&clock_ns, 10 * NS_PER_S); // a page is looked at again when a sixteenth of an hour has passed
        // a checkpoint seals what is in memory
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        kit_do(&k, SOSIA_TWIN_PATCH, "r0", "", body);
    }
    assert_int_equal(number_in_stats(&k, "pointsLetGo"), 360); // of the one property
    assert_in_range(number_in_stats(&k, "meansMade"), 60, 61);
    SosiaOut out = {.etag = ""};
    const char *says = "\"model\":\"dtmi:test:Room;1\",\"property\":\"temperature\",\"points\":0,";
    for (int i = 0; i == 0 || !strstr(kit_keep(&k, (SosiaStr){out.body.p, out.body.n}), says); i++) {
        assert_true(i < 2000); // the last change is on its way
        usleep(i ? 10000 : 0);
        assert_int_equal(sosia_history_stats(k.s, NULL, &out), SOSIA_OK);
    }
    sosia_out_free(&out);
    kit_close(&k);
    kit_unlink(path);
}

// Time goes on, and with it rounds of retention, until so many points are gone.
static void pass_until_gone(Kit *k, int64_t points) {
    char body[100];
    for (int i = 0; number_in_stats(k, "pointsLetGo") < points; i++) {
        assert_true(i < 6000);
        usleep(5000);
        atomic_fetch_add(&clock_ns, 10 * NS_PER_S);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        kit_do(k, SOSIA_TWIN_PATCH, "r0", "", body);
    }
}

// What a fork lies over stays as long as the fork, over restarts too; what is older goes.
static void forks_keep_what_they_lie_over(void **state) {
    (void)state;
    Kit k = {.s = NULL};
    char path[64], body[160];
    kit_path(path);
    SosiaOpen o = {.path = kit_str(path),
                   .now = test_clock,
                   .retain_interval_ns = NS_PER_MS,
                   .checkpoint_interval_ns = 20 * NS_PER_MS};
    atomic_store(&clock_ns, INT64_C(1700000000) * NS_PER_S);
    kit_open(&k, &o);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    kit_room(&k, "r0");
    policy(&k, "rooms", "model", "dtmi:test:Room;1", "temperature", "\"raw\":\"PT1H\",\"step\":\"PT1M\"");
    for (int i = 0; i < 200; i++) {
        atomic_fetch_add(&clock_ns, 10 * NS_PER_S);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d}]", i);
        kit_do(&k, SOSIA_TWIN_PATCH, "r0", "", body);
        if (i == 99) assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
    }
    char *before = kit_dump(&k, "f");
    atomic_fetch_add(&clock_ns, DAY);
    pass_until_gone(&k, 99);
    for (int i = 0; i < 50; i++) {
        usleep(2000);
        atomic_fetch_add(&clock_ns, 300 * NS_PER_S);
    }
    assert_in_range(number_in_stats(&k, "pointsLetGo"), 99, 100);
    kit_close(&k);
    kit_open(&k, &o);
    char *after = kit_dump(&k, "f");
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
    pass_until_gone(&k, 99); // of this run of the engine
    kit_close(&k);
    kit_unlink(path);
}

static SosiaErr past_of(Kit *k, int64_t at, const char *id) {
    SosiaBuf b = {0};
    buf_printf(&b, "live@");
    time_print(at, 9, &b);
    buf_byte(&b, 0);
    SosiaErr err = kit_get_in(k, b.p, SOSIA_GET_TWIN, id, "");
    sosia_buf_free(&b);
    return err;
}

// All that there was is too old, and nothing came since: the world is still there, now and since the cut.
static void what_stands_has_a_past(void **state) {
    (void)state;
    Kit k = {.s = NULL};
    char path[64], name[32];
    kit_path(path);
    SosiaOpen o = {.path = kit_str(path),
                   .now = test_clock,
                   .retain_interval_ns = NS_PER_MS,
                   .checkpoint_interval_ns = 20 * NS_PER_MS};
    atomic_store(&clock_ns, INT64_C(1700000000) * NS_PER_S);
    kit_open(&k, &o);
    kit_do(&k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    kit_do(&k, SOSIA_TWIN_PUT, "r0", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
    policy(&k, "all", "", "", "", "\"raw\":\"PT1H\"");
    for (int i = 0; i < 100; i++) {
        atomic_fetch_add(&clock_ns, NS_PER_S);
        kit_do(&k, SOSIA_TWIN_PATCH, "r0", "", "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":21.5}]");
    }
    int64_t written = atomic_load(&clock_ns);
    kit_close(&k);
    kit_open(&k, &o); // all of it is in blocks
    atomic_fetch_add(&clock_ns, DAY);
    for (int i = 0; number_in_stats(&k, "pointsLetGo") < 100; i++) {
        assert_true(i < 6000);
        usleep(10000);
        atomic_fetch_add(&clock_ns, 10 * NS_PER_S);
    }
    for (int times = 0; times < 2; times++) {
        int64_t now = atomic_load(&clock_ns);
        assert_int_equal(past_of(&k, now - NS_PER_S, "r0"), SOSIA_OK);
        kit_has(kit_body(&k), "\"temperature\":21.5");
        assert_int_equal(past_of(&k, now, "r0"), SOSIA_OK);
        assert_int_equal(past_of(&k, written, "r0"), SOSIA_OK); // nothing came since
        assert_int_equal(past_of(&k, written - 2 * NS_PER_S, "r0"), SOSIA_PAST_GONE);
        snprintf(name, sizeof name, "fork-%d", times);
        assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str(name)), SOSIA_OK);
        assert_int_equal(past_of(&k, now + 1000 * NS_PER_S, "r0"), SOSIA_ARGUMENT);
        kit_close(&k);
        kit_open(&k, &o);
        assert_int_equal(kit_get_in(&k, name, SOSIA_GET_TWIN, "r0", ""), SOSIA_OK); // it lies over that past
    }
    kit_close(&k);
    kit_unlink(path);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_most_specific_holds),
        CASE(documents_come_back),
        CASE(what_makes_no_sense_is_refused),
        CASE(there_is_a_bound),
        cmocka_unit_test(old_values_go),
        cmocka_unit_test(forks_keep_what_they_lie_over),
        cmocka_unit_test(what_stands_has_a_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
