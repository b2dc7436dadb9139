// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "serve/metrics.h"
#include "serve/route.h"

#define assert_str(a, b) assert_true(str_eq((a), (b)))

// A path of a route with ids in place of its parameters.
static Str example(const char *path, char *room, size_t cap) {
    size_t n = 0;
    for (const char *p = path; *p; p++) {
        if (*p != '{') {
            room[n++] = *p;
            continue;
        }
        room[n++] = p[1] == 'i' ? 'I' : 'S';
        while (*p != '}') p++;
    }
    assert_true(n < cap);
    return (Str){room, (int64_t)n};
}

static void every_route_is_found_by_its_own_path(void **state) {
    (void)state;
    int32_t count = 0;
    const Route *routes = route_table(&count);
    assert_true(count <= METRICS_ROUTES_MAX);
    for (int32_t i = 0; i < count; i++) {
        char room[128], with_world[160];
        RouteMatch m;
        Str path = example(routes[i].path, room, sizeof room);
        assert_int_equal(route_match(str_of(routes[i].method), path, &m), ERR_OK);
        assert_int_equal(m.index, i);
        assert_str(m.id, strstr(routes[i].path, "{id}") ? STR("I") : STR(""));
        assert_str(m.sub, strstr(routes[i].path, "{sub}") ? STR("S") : STR(""));
        assert_int_equal(m.world.n, 0);
        int n = snprintf(with_world, sizeof with_world, "/Worlds/a%%20b%.*s", STR_ARG(path));
        Err err = route_match(str_of(routes[i].method), (Str){with_world, n}, &m);
        bool of_world = (routes[i].flags & ROUTE_WORLD) != 0;
        if (path.n > 1) assert_int_equal(err, of_world ? ERR_OK : ERR_NO_ROUTE);
        if (err == ERR_OK && path.n > 1) { // "/worlds/NAME/" is the world itself
            assert_int_equal(m.index, i);
            assert_str(m.world, STR("a%20b"));
            assert_str(m.prefix, STR("/Worlds/a%20b"));
        }
    }
}

static void names_are_unique_and_writes_are_marked(void **state) {
    (void)state;
    int32_t count = 0;
    const Route *routes = route_table(&count);
    for (int32_t i = 0; i < count; i++) {
        for (int32_t k = 0; k < i; k++) assert_string_not_equal(routes[i].name, routes[k].name);
        bool reads = strcmp(routes[i].method, "GET") == 0 || strcmp(routes[i].name, "Query_QueryTwins") == 0 ||
                     strcmp(routes[i].name, "Decisions_Replay") == 0;
        if (strcmp(routes[i].name, "IngestSocket") == 0) reads = false; // a GET that becomes a socket for values
        assert_int_equal(reads, !(routes[i].flags & ROUTE_WRITE));
        const char *path = routes[i].path;
        bool open = strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0 || strcmp(path, "/ping") == 0 ||
                    strcmp(path, "/session") == 0 || strcmp(path, "/") == 0 ||
                    strncmp(path, "/page.", 6) == 0; // files of the page hold no data
        assert_int_equal(open, (routes[i].flags & ROUTE_OPEN) != 0);
    }
}

static void methods_and_unknown_paths(void **state) {
    (void)state;
    RouteMatch m;
    assert_int_equal(route_match(STR("HEAD"), STR("/models"), &m), ERR_OK);
    assert_int_equal(route_match(STR("PUT"), STR("/models"), &m), ERR_METHOD);
    assert_string_equal(m.allow, "GET, HEAD, POST, OPTIONS");
    assert_int_equal(route_match(STR("get"), STR("/models"), &m), ERR_METHOD); // methods have case
    const char *unknown[] = {"/x", "/models/a/b", "/worlds/a/b", "/worlds/a/worlds",
                             "",   "*",           "/models//x",  "/worlds/a/healthz"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(route_match(STR("GET"), str_of(unknown[i]), &m), ERR_NO_ROUTE);
        assert_int_equal(m.index, -1);
    }
    assert_int_equal(route_match(STR("GET"), STR("/DigitalTwins/X/Relationships"), &m), ERR_OK);
    assert_str(m.id, STR("X"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_found_by_its_own_path),
        cmocka_unit_test(names_are_unique_and_writes_are_marked),
        cmocka_unit_test(methods_and_unknown_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
