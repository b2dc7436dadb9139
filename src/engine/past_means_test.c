// SPDX-License-Identifier: Apache-2.0
// Questions and derived values that look back further than retention keeps values: means stand for them where they can,
// and what needs the values themselves is refused with a sentence.
#include "engine/test_kit.h"
#include <math.h>
#include <stdatomic.h>
#include "base/time.h"

#define START (INT64_C(1700000040) * NS_PER_S) // a whole minute
#define VALUES 360                             // of an hour, one in 10 s: 0, 1, 2 ...
#define DAY (INT64_C(86400) * NS_PER_S)

static _Atomic int64_t clock_ns;

static int64_t test_clock(void *ctx) {
    (void)ctx;
    return atomic_load(&clock_ns);
}

typedef struct Old {
    Kit k;
    char path[64];
    SosiaAnswer a;
    int ticks;
} Old;

static void open_old(Old *x) {
    SosiaOpen o = {.path = kit_str(x->path),
                   .now = test_clock,
                   .retain_interval_ns = NS_PER_MS,
                   .tick_ns = NS_PER_MS,
                   .checkpoint_interval_ns = 20 * NS_PER_MS};
    kit_open(&x->k, &o);
}

static void begin_old(Old *x) {
    *x = (Old){.ticks = 0};
    kit_path(x->path);
    atomic_store(&clock_ns, START - 60 * NS_PER_S);
    open_old(x);
    kit_models(&x->k);
}

static void end_old(Old *x) {
    sosia_answer_free(&x->a);
    kit_close(&x->k);
    kit_unlink(x->path);
}

static void policy(Old *x, const char *name, const char *property, const char *rest) {
    char body[160];
    snprintf(body, sizeof body, "{\"property\":\"%s\",\"raw\":\"PT1H\"%s}", property, rest);
    kit_do(&x->k, SOSIA_RETENTION_PUT, name, "", body);
}

static int64_t let_go(Old *x) {
    assert_int_equal(kit_read(&x->k, &(SosiaRead){.what = SOSIA_GET_STATS}), SOSIA_OK);
    const char *at = strstr(kit_body(&x->k), "\"pointsLetGo\":");
    assert_non_null(at);
    return strtoll(at + 14, NULL, 10);
}

// Values of an hour from START on, of three properties: means are kept of two of them.
static void an_hour(Old *x, const char *twin) {
    char body[200];
    policy(x, "t", "temperature", ",\"step\":\"PT1M\"");
    policy(x, "b", "big", ",\"step\":\"PT1M\"");
    policy(x, "c", "count", "");
    atomic_store(&clock_ns, START);
    for (int i = 0; i < VALUES; i++) {
        snprintf(
            body, sizeof body,
            "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d},{\"op\":\"add\",\"path\":\"/big\",\"value\":%d},"
            "{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]",
            i, i, i);
        kit_do(&x->k, SOSIA_TWIN_PATCH, twin, "", body);
        atomic_fetch_add(&clock_ns, 10 * NS_PER_S);
    }
}

static SosiaErr ask(Old *x, const char *text) {
    SosiaQuery q = {.text = kit_str(text), .limit = 1000};
    return sosia_query(x->k.s, NULL, &q, &x->a);
}

static const char *body(Old *x) { return kit_keep(&x->k, (SosiaStr){x->a.body.p, x->a.body.n}); }

static const char *said(Old *x) { return kit_keep(&x->k, (SosiaStr){x->a.message.p, x->a.message.n}); }

static bool all_went(Old *x) {
    static const char *const of[] = {"temperature", "big", "count"};
    char text[80];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "SELECT MEDIAN(%s, 2d) AS v FROM DIGITALTWINS", of[i]);
        if (ask(x, text) != SOSIA_PAST_GONE || !strstr(said(x), "up to 2023-11-14T23:13:50Z")) return false;
    }
    return true;
}

// A day goes by, and all of these are let go.
static void a_day_later(Old *x, const char *twin) {
    atomic_store(&clock_ns, START + DAY);
    while (let_go(x) < 3 * VALUES) {
        char label[80];
        assert_true(x->ticks++ < 1000);
        usleep(10000);
        atomic_fetch_add(&clock_ns, 10 * NS_PER_S); // a page is looked at again when a sixteenth of an hour has passed
        snprintf(label, sizeof label, "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"%d\"}]", x->ticks);
        kit_do(&x->k, SOSIA_TWIN_PATCH, twin, "", label); // a checkpoint seals what is in memory
    }
    atomic_store(&clock_ns, START + DAY + 3 * 3600 * NS_PER_S);
    for (int i = 0; !all_went(x); i++) { // the last changes are on their way
        assert_true(i < 3600);
        usleep(5000);
        atomic_fetch_add(&clock_ns, NS_PER_S); // a page that was looked at too early is due again
    }
    atomic_store(&clock_ns, START + DAY + 4 * 3600 * NS_PER_S);
}

static void answers(Old *x, const char *text, const char *want) {
    SosiaErr err = ask(x, text);
    if (err) fail_msg("%s: %s %s", text, sosia_err_name(err), said(x));
    if (strcmp(body(x), want)) fail_msg("%s: %s, not %s", text, body(x), want);
}

static void refused(Old *x, const char *text, const char *why) {
    SosiaErr err = ask(x, text);
    if (err != SOSIA_PAST_GONE) fail_msg("%s: %s %s", text, sosia_err_name(err), err ? said(x) : body(x));
    kit_has(said(x), why);
}

static void noted(Old *x, bool yes) {
    const char *notes = kit_keep(&x->k, (SosiaStr){x->a.notes.p, x->a.notes.n});
    if (yes) kit_has(notes, "[\"some values were let go by retention");
    else assert_string_equal(notes, "[]");
}

// A question with one number, v.
static void tells(Old *x, const char *text, double want) {
    SosiaErr err = ask(x, text);
    if (err) fail_msg("%s: %s %s", text, sosia_err_name(err), said(x));
    const char *at = strstr(body(x), "\"v\":");
    double got = at ? strtod(at + 4, NULL) : (double)NAN;
    if (!(fabs(got - want) <= 1e-9 * fabs(want))) fail_msg("%s: %s, not %.17g", text, body(x), want);
}

#define SPAN "1650m" // to half of the hour
#define OF(what) "SELECT " what " AS v FROM DIGITALTWINS"

// ---- spans ----------------------------------------------------------------------------------------------------------

static void spans(Old *x) {
    // What begins after the half: the minutes 31 to 59, values 186 to 359.
    tells(x, OF("AVG(temperature, " SPAN ")"), 272.5);
    noted(x, true);
    tells(x, OF("SUM(temperature, " SPAN ")"), 174 * 272.5);
    tells(x, OF("COUNT(temperature, " SPAN ")"), 174);
    tells(x, OF("MIN(temperature, " SPAN ")"), 186);
    tells(x, OF("MAX(temperature, " SPAN ")"), 359);
    // The mean of the minute that begins with the span stands too, and the last of all values until now.
    tells(x, OF("TWA(temperature, " SPAN ")"), (8085.0 * 60 + 359.0 * 97200) / 99000);
    answers(x, OF("SUM(big, " SPAN ")"), "[{\"v\":47415}]"); // whole numbers stay whole
    answers(x, OF("MIN(big, " SPAN ")"), "[{\"v\":186}]");
    tells(x, OF("AVG(big, " SPAN ")"), 272.5);
}

static void refusals(Old *x) {
    static const char *const of[] = {"MEDIAN", "STDDEV", "FIRST", "LAST", "DELTA", "INCREASE", "RATE", "CHANGES"};
    char text[160], why[160];
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        snprintf(text, sizeof text, "SELECT %s(temperature, " SPAN ") AS v FROM DIGITALTWINS", of[i]);
        snprintf(why, sizeof why, "%s: values of \"temperature\" up to 2023-11-14T23:13:50Z were let go", of[i]);
        refused(x, text, why);
        kit_has(said(x), "means of PT1M are kept of them, which tell AVG, TWA, MIN, MAX, SUM and COUNT");
    }
    refused(x, OF("AVG(temperature * 2, " SPAN ")"), "which tell AVG");
    refused(x, "SELECT $dtId FROM DIGITALTWINS WHERE P95(temperature, " SPAN ") > 3", "P95: values of");
    refused(x, OF("AVG(count, " SPAN ")"), "nothing is kept of them");
    refused(x, OF("LAST(count, " SPAN ")"), "nothing is kept of them");
    // Of what is younger than all that went everything is known, also what stood at its start.
    tells(x, OF("LAST(count, 26h)"), 359);
    tells(x, OF("TWA(count, 26h)"), 359);
    answers(x, OF("MAX(temperature, 26h)"), "[{}]");
}

// ---- questions about history ----------------------------------------------------------------------------------------

#define HISTORY "HISTORY FROM '2023-11-14T22:14:00Z' TO '2023-11-14T23:14:00Z'"

static void intervals(Old *x) {
    static const char *const fns[] = {"avg", "twa", "min", "max", "sum", "count", "first", "last", "range"};
    double want[] = {29.5, 29.5, 0, 59, 60 * 29.5, 60, 0, 59, 59};
    char text[200], first[80], last[80];
    for (size_t i = 0; i < sizeof fns / sizeof *fns; i++) {
        snprintf(text, sizeof text, "SELECT T.temperature AS v FROM DIGITALTWINS T " HISTORY " STEP 10m FN %s", fns[i]);
        tells(x, text, want[i]);
        noted(x, true);
        assert_int_equal(x->a.rows, 6);
    }
    snprintf(text, sizeof text, "SELECT T.temperature AS v FROM DIGITALTWINS T " HISTORY);
    tells(x, text, 2.5);
    assert_int_equal(x->a.rows, 60);
    noted(x, true);
    snprintf(first, sizeof first, "{\"time\":\"2023-11-14T22:14:00.0000000Z\",\"v\":2.5}");
    snprintf(last, sizeof last, "{\"time\":\"2023-11-14T23:13:00.0000000Z\",\"v\":356.5}]");
    kit_has(body(x), first);
    kit_has(body(x), last);
    refused(x, "SELECT T.temperature AS v FROM DIGITALTWINS T " HISTORY " STEP 10m FN p95", "FN: values of");
    // Longer pages than are read ahead at a time.
    answers(x, "SELECT T.count AS v FROM DIGITALTWINS T " HISTORY, "[]"); // as if they had never been
}

// A row that was another's does not lend its means.
static void of_another_twin(Old *x) {
    const SosiaStr property = kit_str("temperature");
    SosiaHistory h = {.id = kit_str("r1"), .properties = &property, .property_count = 1};
    SosiaOut out = {.etag = ""};
    kit_do(&x->k, SOSIA_TWIN_DELETE, "r0", "", "");
    kit_room(&x->k, "r1");
    answers(x, OF("AVG(temperature, " SPAN ")"), "[{}]");
    answers(x, "SELECT T.temperature AS v FROM DIGITALTWINS T " HISTORY, "[]");
    assert_int_equal(sosia_history(x->k.s, NULL, &h, &out), SOSIA_OK);
    kit_has(kit_keep(&x->k, (SosiaStr){out.body.p, out.body.n}), "{\"value\":[],");
    h.id = kit_str("r0");
    h.fn = kit_str("count");
    assert_int_equal(sosia_history(x->k.s, NULL, &h, &out), SOSIA_OK);
    kit_has(kit_keep(&x->k, (SosiaStr){out.body.p, out.body.n}), "\"count\":361");
    sosia_out_free(&out);
}

// ---- derived values -------------------------------------------------------------------------------------------------

// Their windows are filled from history after a start.
static void derived_values_take_means(void **state) {
    (void)state;
    Old x;
    const char *value = "{\"model\":\"dtmi:test:Room;1\",\"property\":\"thermostat.setPoint\",\"expression\":";
    char says[200];
    begin_old(&x);
    kit_room(&x.k, "r0");
    an_hour(&x, "r0");
    a_day_later(&x, "r0");
    snprintf(says, sizeof says, "%s\"AVG(temperature, " SPAN ") + TWA(temperature, " SPAN ")\"}", value);
    kit_do(&x.k, SOSIA_DERIVED_PUT, "mean", "", says);
    kit_close(&x.k);
    open_old(&x);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(ask(&x, OF("T.thermostat.setPoint") " T"), SOSIA_OK);
        if (strstr(body(&x), "\"v\":")) break;
        usleep(5000);
    }
    tells(&x, OF("T.thermostat.setPoint") " T", 272.5 + (8085.0 * 60 + 359.0 * 97200) / 99000);
    snprintf(says, sizeof says, "%s\"MEDIAN(temperature, " SPAN ")\"}", value);
    kit_do(&x.k, SOSIA_DERIVED_PUT, "mean", "", says);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(ask(&x, OF("T.thermostat.setPoint") " T"), SOSIA_OK);
        if (!strstr(body(&x), "\"v\":")) break;
        usleep(5000);
    }
    answers(&x, OF("T.thermostat.setPoint") " T", "[{}]"); // undefined, not the median of what is left
    end_old(&x);
}

// ---- all ------------------------------------------------------------------------------------------------------------

static void means_stand_for_values(void **state) {
    (void)state;
    Old x;
    begin_old(&x);
    kit_room(&x.k, "r0");
    an_hour(&x, "r0");
    tells(&x, OF("MEDIAN(temperature, 2d)"), 179.5);
    noted(&x, false);
    a_day_later(&x, "r0");
    spans(&x);
    refusals(&x);
    intervals(&x);
    kit_do(&x.k, SOSIA_TWIN_PATCH, "r0", "", "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":1000}]");
    tells(&x, OF("AVG(temperature, " SPAN ")"), (174 * 272.5 + 1000) / 175);
    of_another_twin(&x);
    end_old(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_stand_for_values),
        cmocka_unit_test(derived_values_take_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
