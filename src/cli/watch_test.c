// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/time.h"
#include "cli/watch.h"

#define S NS_PER_S

static Watch w;
static Arena arena;

static int begin(void **state) {
    (void)state;
    watch_init(&w);
    arena_init(&arena, 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    watch_free(&w);
    arena_free(&arena);
    return 0;
}

static const Json *json(const char *text) {
    Json *v = NEW(&arena, Json, 1);
    assert_int_equal(json_parse(str_of(text), NULL, &arena, v, NULL), ERR_OK);
    return v;
}

static WatchRow *set(const char *twin, const char *path, const char *value, int64_t time_ns) {
    return watch_set(&w, str_of(twin), str_of(path), json(value), time_ns, true);
}

static bool stale(const WatchRow *r, int64_t now_ns) { return watch_is_stale(&w, r, now_ns); }

static void test_globs(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool want;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"line-1*", "line-1-filler", true},
        {"line-1*", "line-2", false},
        {"*filler", "line-1-filler", true},
        {"l?ne", "line", true},
        {"l?ne", "lne", false},
        {"*a*b*c", "xxaxxbxxbc", true},
        {"*a*b*c", "xxaxxc", false},
        {"a**b", "ab", true},
        {"ab", "abc", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(watch_glob(str_of(cases[i].pattern), str_of(cases[i].text)), cases[i].want);
    }
}

static void test_stale_follows_the_usual_interval(void **state) {
    (void)state;
    WatchRow *slow = NULL;
    for (int i = 0; i <= 5; i++) slow = set("t", "slow", "1", 1000 * S + i * 10 * S);
    assert_true(slow->interval_ns > 9.9e9 && slow->interval_ns < 10.1e9);
    assert_false(stale(slow, 1050 * S + 49 * S));
    assert_true(stale(slow, 1050 * S + 51 * S));
    WatchRow *quick = NULL;
    for (int i = 0; i <= 50; i++) quick = set("t", "quick", "1", 2000 * S + i * S / 10);
    assert_false(stale(quick, 2005 * S + 2900 * NS_PER_MS)); // half a second would be too nervous
    assert_true(stale(quick, 2005 * S + 3100 * NS_PER_MS));
    quick = set("t", "quick", "2", 2100 * S);
    assert_false(stale(quick, 2101 * S)); // it is back
}

static void test_stale_without_an_interval(void **state) {
    (void)state;
    WatchRow *once = set("t", "once", "1", 100 * S);
    assert_false(stale(once, 159 * S));
    assert_true(stale(once, 161 * S));
    w.stale_after_ns = 2 * S;
    assert_true(stale(once, 103 * S));
    WatchRow *by_hand = watch_set(&w, STR("t"), STR("setPoint"), json("4"), 0, false);
    assert_false(stale(by_hand, 1000000 * S)); // nobody measures a set point
    assert_int_equal(watch_stale(&w, 161 * S), 1);
}

static void test_snapshot_and_stream(void **state) {
    (void)state;
    const char *twin = "{\"$dtId\":\"t\",\"a\":1,\"b\":2,\"drive\":{\"speed\":3,\"$metadata\":{\"speed\":{"
                       "\"lastUpdateTime\":\"2026-01-01T00:00:05Z\",\"sourceTime\":\"2026-01-01T00:00:05Z\"}}},"
                       "\"$metadata\":{\"$model\":\"dtmi:m;1\",\"a\":{\"lastUpdateTime\":\"2026-01-01T00:00:05Z\","
                       "\"sourceTime\":\"2026-01-01T00:00:05Z\"},\"b\":{\"lastUpdateTime\":\"2026-01-01T00:00:05Z\"}}}";
    int64_t later;
    assert_true(time_parse(STR("2026-01-01T00:00:09Z"), &later));
    set("t", "a", "9", later); // the stream was faster than the snapshot
    watch_twin(&w, json(twin), false);
    assert_int_equal(w.count, 2); // a and drive.speed: nobody measures b
    assert_true(str_eq(buf_str(&w.rows[0].value), STR("9")));
    assert_true(str_eq(w.rows[1].path, STR("drive.speed")));
    assert_true(str_eq(watch_model_of(&w, STR("t")), STR("dtmi:m;1")));
    watch_twin(&w, json(twin), true);
    assert_int_equal(w.count, 3);
}

static void test_filter(void **state) {
    (void)state;
    Str patterns[] = {STR("line-*"), STR("pump")};
    w.patterns = patterns;
    w.pattern_count = 2;
    w.property = STR("temp*");
    assert_non_null(set("line-1", "temperature", "1", S));
    assert_non_null(set("pump", "temp", "1", S));
    assert_null(set("pump", "flow", "1", S));
    assert_null(set("pumps", "temp", "1", S));
    assert_int_equal(w.count, 2);
}

static Str draw_wide(int32_t columns, int32_t rows, int64_t first, int64_t now_ns) {
    static Buf out;
    buf_free(&out);
    WatchScreen screen = {.columns = columns, .rows = rows, .first = first, .title = STR("title")};
    watch_draw(&w, &screen, now_ns, &out);
    return buf_str(&out);
}

static Str draw(int32_t rows, int64_t first, int64_t now_ns) { return draw_wide(60, rows, first, now_ns); }

static int32_t lines(Str s) {
    int32_t n = 0;
    for (int64_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
    return n;
}

static bool holds(Str s, const char *part) { return str_find_str(s, str_of(part)) >= 0; }

static void test_screen(void **state) {
    (void)state;
    for (int i = 0; i < 30; i++) {
        Str twin = arena_printf(&arena, "twin-%02d", i);
        watch_set(&w, twin, STR("v"), json("1.5"), i * S, true);
    }
    Str s = draw(24, 0, 32 * S);
    assert_int_equal(lines(s), 24);
    assert_true(holds(s, "title  30 values"));
    assert_true(holds(s, "1-19 of 30"));
    assert_true(holds(s, "twin-00  v           1.5        32 s old"));
    assert_false(holds(s, "twin-19"));
    s = draw(24, 1000, 32 * S); // past the end: the last page
    assert_true(holds(s, "12-30 of 30"));
    w.sort = WATCH_BY_CHANGE;
    w.dirty = true;
    s = draw(9, 0, 32 * S);
    assert_int_equal(lines(s), 9);
    assert_true(holds(s, "twin-29") && holds(s, "twin-26") && !holds(s, "twin-25"));
    watch_gone(&w, STR("twin-29"), (Str){0});
    assert_false(holds(draw(9, 0, 32 * S), "twin-29"));
    w.sort = WATCH_BY_STALE;
    s = draw(9, 0, 85 * S); // only twin-00 .. twin-24 are older than a minute
    assert_true(holds(s, "25 stale"));
    assert_true(holds(s, "twin-00"));
    assert_int_equal(lines(draw(1, 0, 85 * S)), 6); // never less than one row and the frame
}

static void test_narrow_screen_keeps_the_age(void **state) {
    (void)state;
    WatchRow *r = set("refrigerator-12", "temperature", "21.53125", 100 * S);
    r->unit = STR("degrees");
    assert_true(holds(draw_wide(49, 24, 0, 132 * S), "  degrees  32 s old\n"));
    Str s = draw_wide(45, 24, 0, 132 * S);
    assert_false(holds(s, "Unit") || holds(s, "degrees"));
    assert_true(holds(s, "  21.53125  32 s old\n"));
    for (Str rest = s; rest.n;) assert_true(text_width(str_cut(&rest, '\n')) <= 45);
}

static void test_server_sent_events(void **state) {
    (void)state;
    Buf in = {0};
    SseEvent e = {0};
    static const char text[] =
        ": hello\n\nevent: ready\ndata: {\"since\":4}\n\nid: 5\r\ndata: a\r\ndata: b\r\n\r\n: keep-alive\n\ndata:c";
    int32_t seen = 0;
    for (size_t i = 0; i < sizeof text - 1; i++) { // byte by byte: events may arrive in any pieces
        buf_byte(&in, text[i]);
        while (sse_next(&in, &e)) {
            seen++;
            if (seen == 1)
                assert_true(str_eq(str_of(e.name), STR("ready")) && str_eq(buf_str(&e.data), STR("{\"since\":4}")));
            if (seen == 2) assert_true(str_eq(str_of(e.name), STR("message")) && str_eq(buf_str(&e.data), STR("a\nb")));
        }
    }
    assert_int_equal(seen, 2);
    buf_str_put(&in, STR("\n\n"));
    assert_true(sse_next(&in, &e));
    assert_true(str_eq(buf_str(&e.data), STR("c")));
    assert_int_equal(in.n, 0);
    buf_free(&in);
    buf_free(&e.data);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_globs),
        CASE(test_stale_follows_the_usual_interval),
        CASE(test_stale_without_an_interval),
        CASE(test_snapshot_and_stream),
        CASE(test_filter),
        CASE(test_screen),
        CASE(test_narrow_screen_keeps_the_age),
        CASE(test_server_sent_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
