// SPDX-License-Identifier: Apache-2.0
// Mappings and plug-ins: a shared object's engine bound to twins and relationships by documents, against sums made by
// hand; what is refused, and with which words.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/mapping.h"
#include "sim/test_sim.h"

static void ok(Err e) { assert_int_equal(e, ERR_OK); }

// ' stands for ".
static Str quoted(Arena *a, const char *text) {
    Str s = arena_str(a, str_of(text));
    for (char *p = (char *)(uintptr_t)s.p; *p; p++) {
        if (*p == '\'') *p = '"';
        if (*p == '`') *p = '\'';
    }
    return s;
}

static SimRegistry *registry(void) {
    Diag d = {0};
    SimRegistry *r = sim_registry_new();
    ok(sim_registry_add(r, &toy_sum, &d));
    ok(sim_registry_add(r, &toy_tick, &d));
    Err e = sim_plugin_open(r, STR(ENGINE_HEAT), &d);
    if (e != ERR_OK) {
        Buf b = {0};
        diag_print(&d, &b);
        print_message("%.*s\n", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    ok(e);
    diag_free(&d);
    return r;
}

// The units in a row, each feeding the next, the last the first: walls with conductance weight = i + 0.25.
#define HEAT_DOC                                                                                                       \
    "{'engine':'heat-network','title':'walls','nodes':[{'model':'dtmi:test:Unit;1','roles':{"                          \
    "'fixed':'mode = `OFF` AND NOT on','given':'temp','heat':'rate * 2','temperature':'sum'}}],"                       \
    "'edges':[{'relationship':'feeds','roles':{'conductance':'weight'}}]}"

typedef struct Lab {
    TestSim t;
    SimRegistry *r;
    Arena a;
    Diag d;
} Lab;

static Lab lab_open(uint32_t units) {
    Lab l = {.r = registry()};
    test_sim_open(&l.t, units, 3);
    return l;
}

static void lab_close(Lab *l) {
    test_sim_close(&l->t);
    sim_registry_free(l->r);
    diag_free(&l->d);
    arena_free(&l->a);
}

static bool says(Lab *l, const char *text) {
    Buf b = {0};
    diag_print(&l->d, &b);
    bool found = str_find_str(buf_str(&b), str_of(text)) >= 0;
    if (!found) print_message("no \"%s\" in: %.*s\n", text, STR_ARG(buf_str(&b)));
    buf_free(&b);
    return found;
}

static Mapping *made(Lab *l, const char *doc) {
    Mapping *m = NULL;
    Err e = mapping_make(l->t.g, l->r, STR("test"), quoted(&l->a, doc), &m, &l->d);
    if (e != ERR_OK) {
        Buf b = {0};
        diag_print(&l->d, &b);
        print_message("%.*s\n", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    ok(e);
    return m;
}

static Sim *sim_of(Lab *l, uint16_t lanes) {
    return sim_new(&(SimOpen){.graph = l->t.g, .epoch_ns = TEST_SIM_EPOCH, .lanes = lanes});
}

static void check_balance(Lab *l, Sim *s, uint32_t lane) {
    uint32_t n = l->t.units, temperature = test_column(&l->t, s, UNIT_SUM), lanes = sim_column_at(s, 0)->lanes;
    const double *t = sim_column_at(s, temperature)->v, *rate = sim_column_at(s, test_column(&l->t, s, UNIT_RATE))->v;
    const double *on = sim_column_at(s, test_column(&l->t, s, UNIT_ON))->v;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t before = (i + n - 1) % n, after = (i + 1) % n;
        bool fixed = i % 2 == 0 && on[i * lanes + lane] == 0;
        double in = (before + 0.25) * (t[before * lanes + lane] - t[i * lanes + lane]) +
                    (i + 0.25) * (t[after * lanes + lane] - t[i * lanes + lane]);
        if (fixed) assert_true(fabs(t[i * lanes + lane] - 294.65) < 1e-9);
        else assert_true(fabs(in + 2 * rate[i * lanes + lane]) < 1e-6);
    }
}

static void test_plugin_and_mapping(void **state) {
    (void)state;
    for (uint16_t lanes = 1; lanes <= 8; lanes = (uint16_t)(lanes + 7)) {
        Lab l = lab_open(6);
        test_sim_set(&l.t, 0, UNIT_ON, 0); // unit-0 is OFF and not on: fixed at 21.5 degrees
        Mapping *m = made(&l, HEAT_DOC);
        assert_int_equal(mapping_topo(m)->nodes, 6);
        assert_int_equal(mapping_topo(m)->edges, 6);
        Sim *s = sim_of(&l, lanes);
        ok(mapping_add(m, s, &l.d));
        test_gather(&l.t, s, UINT8_MAX);
        ok(mapping_ready(m, s, &l.d));
        ok(sim_start(s, &l.d));
        for (uint32_t k = 0; k < lanes; k++) check_balance(&l, s, k);
        // an input of an expression: unit-2 becomes fixed, in one lane
        sim_input(s, 5, 0, test_column(&l.t, s, UNIT_ON), 2, (uint16_t)(1u << (lanes - 1)), 0);
        sim_input(s, 5, 0, test_column(&l.t, s, UNIT_RATE), 3, UINT8_MAX, 4);
        ok(sim_run(s, 5, 0, NULL, NULL, &l.d));
        for (uint32_t k = 0; k < lanes; k++) check_balance(&l, s, k);
        Sim *f = sim_fork(s);
        sim_free(s);
        sim_input(f, 6, 0, test_column(&l.t, f, UNIT_RATE), 3, UINT8_MAX, -1);
        ok(sim_run(f, 6, 0, NULL, NULL, &l.d));
        for (uint32_t k = 0; k < lanes; k++) check_balance(&l, f, k);
        sim_free(f);
        mapping_unref(m);
        lab_close(&l);
    }
}

static void test_engine_says_which(void **state) {
    (void)state;
    Lab l = lab_open(3); // nothing is fixed
    Mapping *m = made(&l, HEAT_DOC);
    Sim *s = sim_of(&l, 1);
    ok(mapping_add(m, s, &l.d));
    test_gather(&l.t, s, 1);
    assert_int_equal(sim_start(s, &l.d), ERR_SIM_FAILED);
    assert_true(says(&l, "unit-") && says(&l, "heat-network test at 0 s: its heat has nowhere to go"));
    sim_free(s);
    mapping_unref(m);
    lab_close(&l);
}

static void test_show(void **state) {
    (void)state;
    Lab l = lab_open(6);
    Buf b = {0};
    Json v;
    Mapping *m = made(&l, HEAT_DOC);
    mapping_show(m, &b);
    ok(json_parse(buf_str(&b), NULL, &l.a, &v, &l.d));
    static const char *const parts[] = {
        "\"name\":\"test\",\"engine\":\"heat-network\",\"title\":\"walls\"",
        "\"nodes\":6,\"edges\":6,\"leftOut\":0",
        "\"property\":\"temp\",\"unit\":\"degreeCelsius\",\"factor\":1,\"offset\":273.15",
        "\"relationship\":\"feeds\",\"entry\":0,\"rows\":6,\"property\":\"weight\",\"factor\":1",
        "\"expression\":\"rate * 2\"",
        "\"role\":\"flow\",\"unit\":\"W\",\"type\":\"number\",\"writes\":true,\"of\":\"edges\",\"needed\":false"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (str_find_str(buf_str(&b), str_of(parts[i])) < 0) fail_msg("no %s in %.*s", parts[i], STR_ARG(buf_str(&b)));
    }
    buf_free(&b);
    mapping_unref(m);
    lab_close(&l);
}

#define NODE(roles) "{'engine':'toy-sum','nodes':[{'model':'dtmi:test:Unit;1','roles':{" roles "}}]}"
#define HEAT(roles) "{'engine':'heat-network','nodes':[{'model':'dtmi:test:Unit;1','roles':{" roles "}}]}"

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *doc;
        Err err;
        const char *where, *why;
    } bad[] = {
        {"[]", ERR_VALIDATION, "", "a mapping is an object"},
        {"{", ERR_SYNTAX, "", ""},
        {"{}", ERR_VALIDATION, "engine", "missing"},
        {"{'engine':'none'}", ERR_VALIDATION, "engine", "no engine \"none\""},
        {"{'engine':'toy-sum','nods':[]}", ERR_VALIDATION, "nods", "did you mean \"nodes\""},
        {"{'engine':'toy-sum','rank':1.5}", ERR_VALIDATION, "rank", "whole number"},
        {"{'engine':'toy-sum','rank':1001}", ERR_VALIDATION, "rank", "1000"},
        {"{'engine':'toy-sum','nodes':{}}", ERR_VALIDATION, "nodes", "array"},
        {"{'engine':'toy-sum','nodes':[3]}", ERR_VALIDATION, "nodes[0]", "object"},
        {"{'engine':'toy-sum','nodes':[{'model':'dtmi:no;1'}]}", ERR_MODEL_NOT_FOUND, "nodes[0].model", "dtmi:no;1"},
        {"{'engine':'toy-sum','tolerance':{'a':-1}}", ERR_VALIDATION, "tolerance.a", "not negative"},
        {NODE("'a':'level'"), ERR_VALIDATION, "nodes[0].roles", "needs the role \"out\""},
        {NODE("'a':'levl','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "level"},
        {NODE("'a':3,'out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "must be a text"},
        {NODE("'aa':'level','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.aa", "no such role"},
        {NODE("'a':'temp','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "degreeCelsius"},
        {NODE("'a':'on','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "schema boolean"},
        {NODE("'a':'level >','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "column"},
        {NODE("'a':'level > 2','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "is a number"},
        {NODE("'a':'level','out':'sum + 1'"), ERR_VALIDATION, "nodes[0].roles.out", "must be a property"},
        {NODE("'a':'SUM(->feeds.level)','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "neighbours"},
        {NODE("'a':'SECONDS(AGE(level))','out':'sum'"), ERR_VALIDATION, "nodes[0].roles.a", "clock"},
        {HEAT("'temperature':'temp','given':'height'"), ERR_VALIDATION, "nodes[0].roles.given", "in K"},
        {HEAT("'temperature':'temp','given':'height * height'"), ERR_OK, "", ""},
        {HEAT("'temperature':'temp','given':'size * height'"), ERR_VALIDATION, "nodes[0].roles.given", "not SI"},
        {HEAT("'temperature':'temp','conductance':'level'"), ERR_VALIDATION, "roles.conductance", "role of edges"},
        {"{'engine':'toy-sum','edges':[{'relationship':'no'}]}", ERR_VALIDATION, "edges[0].relationship", "\"no\""},
        {"{'engine':'toy-sum','nodes':[{'model':'dtmi:test:Unit;1','roles':{'a':'level','out':'sum'}},"
         "{'model':'dtmi:test:Unit;1','roles':{'a':'level','out':'sum'}}]}",
         ERR_VALIDATION, "nodes[1]", "in nodes[0] already"},
    };
    Lab l = lab_open(3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        diag_free(&l.d);
        l.d = (Diag){0};
        Err e = mapping_check(l.t.g->catalog, l.r, STR("x"), quoted(&l.a, bad[i].doc), &l.d);
        if (e != bad[i].err) fail_msg("%s: %s", bad[i].doc, err_name(e));
        if (e != ERR_OK && !(says(&l, bad[i].where) && says(&l, bad[i].why))) fail_msg("%s", bad[i].doc);
    }
    lab_close(&l);
}

static void test_limit(void **state) {
    (void)state;
    Lab l = lab_open(1);
    Buf b = {0};
    buf_printf(&b, "{\"engine\":\"toy-sum\",\"nodes\":[");
    for (int i = 0; i <= MAPPING_ENTRIES_MAX; i++) buf_printf(&b, "%s{}", i ? "," : "");
    buf_printf(&b, "]}");
    assert_int_equal(mapping_check(l.t.g->catalog, l.r, STR("x"), buf_str(&b), &l.d), ERR_LIMIT);
    assert_true(says(&l, "more than 1000"));
    buf_free(&b);
    lab_close(&l);
}

// Twins by name: without a value, and as edges without ends.
static void test_twins_refused(void **state) {
    (void)state;
    Lab l = lab_open(4);
    test_sim_set(&l.t, 2, UNIT_LEVEL, NAN);
    Mapping *m = made(&l, NODE("'a':'level * 2','out':'sum'"));
    Sim *s = sim_of(&l, 1);
    ok(mapping_add(m, s, &l.d));
    test_gather(&l.t, s, 1);
    assert_int_equal(mapping_ready(m, s, &l.d), ERR_VALIDATION);
    assert_true(says(&l, "unit-2: the expression level * 2 has no value") && says(&l, "\"a\""));
    sim_free(s);
    mapping_unref(m);
    diag_free(&l.d);
    l.d = (Diag){0};
    static const char edges[] =
        "{'engine':'heat-network','nodes':[{'model':'dtmi:test:Other;1','roles':{'temperature':'level'}}],"
        "'edges':[{'model':'dtmi:test:Unit;1','from':'startsAt','to':'endsAt','roles':{'conductance':'level'}}]}";
    assert_int_equal(mapping_make(l.t.g, l.r, STR("e"), quoted(&l.a, edges), &m, &l.d), ERR_VALIDATION);
    assert_true(says(&l, "unit-0: an edge of edges[0] needs one relationship \"startsAt\" to a node, and it has 0"));
    lab_close(&l);
}

// Units as pipes between the others: unit-i from other-i to other-(i + 1).
static void test_edge_twins(void **state) {
    (void)state;
    enum { N = 5 };
    static const char doc[] =
        "{'engine':'heat-network','nodes':[{'model':'dtmi:test:Other;1','roles':{'temperature':'level','fixed':'TRUE',"
        "'given':'300 `kelvin`'}}],'edges':[{'model':'dtmi:test:Unit;1','from':'startsAt','to':'endsAt',"
        "'roles':{'conductance':'2','flow':'total'}}]}";
    Lab l = lab_open(N);
    uint64_t other[N];
    for (uint32_t i = 0; i < N; i++) {
        char name[16];
        snprintf(name, sizeof name, "other-%u", i);
        other[i] = test_sim_twin(&l.t, name);
    }
    for (uint32_t i = 0; i < N; i++) {
        test_sim_link(&l.t, 1, l.t.ids[i], other[i]);
        test_sim_link(&l.t, 2, l.t.ids[i], other[(i + 1) % N]);
    }
    Mapping *m = made(&l, doc);
    const sim_topo *t = mapping_topo(m);
    const SimGraph *g = l.t.g;
    assert_int_equal(t->nodes, N);
    assert_int_equal(t->edges, N);
    for (uint32_t e = 0; e < N; e++) { // unit-e is edge e; other-i is node i: both by row
        assert_true(g->table_first[1] + t->from[e] == sim_graph_twin(g, other[e]));
        assert_true(g->table_first[1] + t->to[e] == sim_graph_twin(g, other[(e + 1) % N]));
        assert_int_equal(t->out_edge[t->out_ptr[t->from[e]]], e);
        assert_int_equal(t->in_edge[t->in_ptr[t->to[e]]], e);
    }
    Sim *s = sim_of(&l, 1);
    ok(mapping_add(m, s, &l.d));
    test_gather(&l.t, s, 1);
    ok(mapping_ready(m, s, &l.d));
    ok(sim_start(s, &l.d));
    assert_true(sim_column_at(s, sim_column(s, g->catalog->tables[1].first))->v[3] == 300);
    sim_free(s);
    mapping_unref(m);
    lab_close(&l);
}

// Relationships between nodes are edges; those that lead elsewhere are counted; one that two entries mean is refused.
static void test_edge_links(void **state) {
    (void)state;
    enum { N = 5 };
#define NODES "{'engine':'heat-network','nodes':[{'model':'dtmi:test:Unit;1','roles':{'temperature':'sum'}}],'edges':["
    Lab l = lab_open(N);
    for (uint32_t i = 0; i < N; i++) test_sim_link(&l.t, 1, l.t.ids[i], test_sim_twin(&l.t, "other-1"));
    test_sim_link(&l.t, 0, l.t.ids[2], l.t.ids[0]);
    Mapping *m = made(&l, NODES "{'relationship':'startsAt','roles':{'conductance':'1'}},"
                                "{'relationship':'feeds','source':'dtmi:test:Unit;1','target':'dtmi:test:Unit;1',"
                                "'roles':{'conductance':'weight'}},"
                                "{'relationship':'feeds','source':'dtmi:test:Other;1','roles':{'conductance':'1'}}]}");
    assert_int_equal(mapping_topo(m)->edges, N + 1);
    Buf b = {0};
    mapping_show(m, &b);
    assert_true(str_find_str(buf_str(&b), STR("\"leftOut\":5")) > 0);
    buf_free(&b);
    mapping_unref(m);
    Str twice =
        quoted(&l.a, NODES "{'relationship':'feeds','roles':{'conductance':'1'}},"
                           "{'relationship':'feeds','source':'dtmi:test:Unit;1','roles':{'conductance':'1'}}]}");
    assert_int_equal(mapping_make(l.t.g, l.r, STR("twice"), twice, &m, &l.d), ERR_VALIDATION);
    assert_true(says(&l, "-feeds-> unit-") && says(&l, "it is an edge of edges[0] and of edges[1]"));
#undef NODES
    lab_close(&l);
}

// A role's default stands where a twin has no value; an expression may say another, in any unit of the kind.
static void test_default(void **state) {
    (void)state;
    static const struct {
        const char *given;
        double expected;
    } cases[] = {{"temp", 293.15}, {"COALESCE(temp, 10 `degreeCelsius`)", 283.15}, {"temp > 0 ? temp : temp", 293.15}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Lab l = lab_open(3);
        test_sim_set(&l.t, 1, UNIT_TEMP, NAN);
        Str doc = arena_printf(&l.a,
                               "{'engine':'heat-network','nodes':[{'model':'dtmi:test:Unit;1','roles':{'fixed':'on',"
                               "'given':'%s','temperature':'sum'}}]}",
                               cases[i].given);
        Mapping *m = made(&l, doc.p);
        Sim *s = sim_of(&l, 1);
        ok(mapping_add(m, s, &l.d));
        test_gather(&l.t, s, 1);
        ok(mapping_ready(m, s, &l.d));
        ok(sim_start(s, &l.d));
        const double *t = sim_column_at(s, test_column(&l.t, s, UNIT_SUM))->v;
        assert_true(fabs(t[0] - 294.65) < 1e-9);
        assert_true(fabs(t[1] - cases[i].expected) < 1e-9);
        sim_free(s);
        mapping_unref(m);
        lab_close(&l);
    }
}

static void test_plugins_refused(void **state) {
    (void)state;
    Lab l = lab_open(1);
    assert_int_equal(sim_plugin_open(l.r, STR("/no/such/engine.so"), &l.d), ERR_IO);
    assert_int_equal(sim_plugin_open(l.r, STR(ENGINE_HEAT), &l.d), ERR_EXISTS);
    assert_true(says(&l, "heat-network: an engine of that name is there"));
    sim_engine old = toy_tick;
    old.abi = 7;
    old.name = "old";
    assert_int_equal(sim_registry_add(l.r, &old, &l.d), ERR_ARGUMENT);
    assert_true(says(&l, "interface is 7"));
    assert_int_equal(sim_registry_count(l.r), 3);
    assert_string_equal(sim_registry_at(l.r, 0)->name, "heat-network");
    lab_close(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plugin_and_mapping),
        cmocka_unit_test(test_engine_says_which),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_edge_twins),
        cmocka_unit_test(test_edge_links),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_twins_refused),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_plugins_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
