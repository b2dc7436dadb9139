// SPDX-License-Identifier: Apache-2.0
// A line of twins runs: the flow engine bound by a mapping, beside behaviours, in a simulation. What the bare engine
// makes of the same line comes out; forks, saves and stops on the way change nothing; a station rests when its feeder
// is off; mistakes name the twin.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "flow/engine.h"
#include "flow/flow.h"
#include "sim/behaviour.h"
#include "sim/mapping.h"
#include "sim/test_rates.h"

static const char MODELS[] =
    "[{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:t:Station;1',"
    "'@type':'Interface','contents':["
    "{'@type':'Property','name':'kind','schema':'string'},{'@type':'Property','name':'on','schema':'boolean'},"
    "{'@type':'Property','name':'state','schema':'string'},"
    "{'@type':'Property','name':'queue','schema':'integer'},{'@type':'Property','name':'inside','schema':'integer'},"
    "{'@type':'Property','name':'made','schema':'long'},{'@type':'Property','name':'room','schema':'integer'},"
    "{'@type':'Property','name':'servers','schema':'integer'},"
    "{'@type':'Property','name':'piled','schema':'boolean'},"
    "{'@type':['Property','TimeSpan'],'name':'cycle','schema':'double','unit':'minute'},"
    "{'@type':'Property','name':'utilisation','schema':'double'},"
    "{'@type':'Relationship','name':'feeds','properties':[{'@type':'Property','name':'share','schema':'double'}]},"
    "{'@type':'Relationship','name':'needs','properties':[{'@type':'Property','name':'how','schema':'string'}]},"
    "{'@type':'Relationship','name':'poweredBy'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:t:Feeder;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'closed','schema':'boolean'}]}]";

static const char MAPPING[] =
    "{'engine':'flow','nodes':[{'model':'dtmi:t:Station;1','roles':{'kind':'kind','on':'on','state':'state',"
    "'queue':'queue','inside':'inside','made':'made','capacity':'room','time':'cycle','servers':'servers',"
    "'initial':'queue','utilisation':'utilisation'}}],"
    "'edges':[{'relationship':'feeds','roles':{'weight':'share'}},{'relationship':'needs'}],"
    "'config':{'nodes':{'in':{'is':'source','gap':{'exponential':10}},"
    "'machine':{'is':'station','service':{'exponential':1}},"
    "'out':{'is':'sink'},'worker':{'is':'resource'}}}}";

typedef struct Line {
    Rig rig;
    SimRegistry *registry;
    Mapping *mapping;
    Sim *s;
    double now;
    Diag d;
    Arena a;
} Line;

static Str quoted(Arena *a, const char *text) {
    Str s = arena_str(a, str_of(text));
    for (char *p = (char *)(uintptr_t)s.p; *p; p++) {
        if (*p == '\'') *p = '"';
    }
    return s;
}

static void must(Line *l, Err e) {
    Buf b = {0};
    diag_print(&l->d, &b);
    if (e != ERR_OK) print_message("%.*s\n", STR_ARG(buf_str(&b)));
    buf_free(&b);
    assert_int_equal(e, ERR_OK);
}

static void put(Line *l, const char *id, const char *model, const char *values) {
    char body[600];
    snprintf(body, sizeof body, "{'$metadata':{'$model':'dtmi:t:%s;1'},%s}", model, values);
    assert_int_equal(lab_put(&l->rig.lab, id, body), ERR_OK);
}

// source -> filler -> capper -> sink; the filler is powered by a feeder.
static void line_open(Line *l) {
    *l = (Line){0};
    lab_open(&l->rig.lab);
    assert_int_equal(lab_models(&l->rig.lab, MODELS), ERR_OK);
    put(l, "bottles", "Station", "'kind':'in'");
    put(l, "filler", "Station", "'kind':'machine','cycle':0.1,'room':5,'on':true,'queue':3");
    put(l, "capper", "Station", "'kind':'machine','cycle':0.12,'room':2");
    put(l, "pallet", "Station", "'kind':'out'");
    put(l, "feeder", "Feeder", "'closed':true");
    rig_link(&l->rig, "bottles", "feeds", "filler", "");
    rig_link(&l->rig, "filler", "feeds", "capper", "");
    rig_link(&l->rig, "capper", "feeds", "pallet", "");
    rig_link(&l->rig, "filler", "poweredBy", "feeder", "");
    l->registry = sim_registry_new();
    must(l, sim_registry_add(l->registry, &flow_engine, &l->d));
}

static Err line_make(Line *l, const char *doc) {
    View v;
    if (l->rig.g == NULL) {
        view_begin(&v, l->rig.lab.w);
        assert_int_equal(sim_graph(&v, &l->rig.g), ERR_OK);
        view_end(&v);
    }
    if (!l->rig.r) must(l, rates_make(l->rig.g, l->rig.g->catalog, &l->rig.r, &l->d));
    return mapping_make(l->rig.g, l->registry, STR("line"), quoted(&l->a, doc), &l->mapping, &l->d);
}

static Sim *line_sim(Line *l) {
    View v;
    Sim *s = sim_new(&(SimOpen){.graph = l->rig.g, .epoch_ns = RIG_EPOCH, .seed = 3, .lanes = 1, .scenario = {7}});
    must(l, rates_add(l->rig.r, s, &l->d));
    must(l, mapping_add(l->mapping, s, &l->d));
    view_begin(&v, l->rig.lab.w);
    assert_int_equal(sim_gather(s, &v, 0xff), ERR_OK);
    view_end(&v);
    return s;
}

static void line_begin(Line *l) {
    must(l, line_make(l, MAPPING));
    l->s = l->rig.s = line_sim(l);
    must(l, mapping_ready(l->mapping, l->s, &l->d));
    must(l, sim_start(l->s, &l->d));
}

static void line_run(Line *l, Sim *s, double until) {
    SimSink sink = {.told = rig_told};
    must(l, sim_run(s, until, 0, &sink, &l->now, &l->d));
}

static void line_close(Line *l) {
    sim_free(l->s);
    l->rig.s = NULL;
    mapping_unref(l->mapping);
    sim_registry_free(l->registry);
    diag_free(&l->d);
    arena_free(&l->a);
    rig_close(&l->rig);
}

static double value(Line *l, const char *twin, const char *path) { return rig_value_of(&l->rig, l->s, twin, path, 0); }

static uint64_t test_twin(const Line *l, const char *name) {
    for (uint32_t t = 0; t < l->rig.g->twins; t++) {
        if (str_eq(sim_graph_name(l->rig.g, t), str_of(name))) return l->rig.g->twin_id[t];
    }
    return 0;
}

// The same line for the bare engine, with the twins' numbers.
static FlowModel *bare(Line *l) {
    const char *names[] = {"bottles", "filler", "capper", "pallet"};
    FlowDist dists[] = {
        {FLOW_EXPONENTIAL, 10, 0, 0, {0}}, {FLOW_EXPONENTIAL, 6, 0, 0, {0}}, {FLOW_EXPONENTIAL, 7.2, 0, 0, {0}}};
    FlowNode nodes[] = {
        {.kind = FLOW_SOURCE, .gap = FLOW_REF(0), .first_gap = true},
        {.kind = FLOW_STATION, .service = FLOW_REF(1), .capacity = 5, .bounded = true, .initial = 3},
        {.kind = FLOW_STATION, .service = FLOW_REF(2), .capacity = 2, .bounded = true},
        {.kind = FLOW_SINK},
    };
    FlowEdge edges[] = {
        {.from = 0, .to = 1, .weight = 1}, {.from = 1, .to = 2, .weight = 1}, {.from = 2, .to = 3, .weight = 1}};
    for (uint32_t i = 0; i < 4; i++) nodes[i].twin = test_twin(l, names[i]);
    FlowModel *m = NULL;
    assert_int_equal(
        flow_make(
            &(FlowDef){
                .nodes = nodes, .edges = edges, .dists = dists, .node_count = 4, .edge_count = 3, .dist_count = 3},
            &m, &l->d),
        ERR_OK);
    return m;
}

// Minute by minute the twins say what the bare engine says.
static void test_a_line_as_the_bare_engine_runs_it(void **state) {
    (void)state;
    static const char *const names[] = {"bottles", "filler", "capper", "pallet"};
    Line l;
    line_open(&l);
    line_begin(&l);
    FlowModel *m = bare(&l);
    Flow *f = flow_open(m);
    must(&l, flow_start(f, &(FlowStart){.seed = 3, .scenario = 7}, &l.d));
    for (int k = 1; k <= 100; k++) {
        line_run(&l, l.s, 60.0 * k);
        must(&l, flow_until(f, 60.0 * k, &l.d));
        for (uint32_t i = 0; i < 4; i++) {
            FlowFigures x;
            flow_figures(f, i, &x);
            assert_true(value(&l, names[i], "made") == (double)(i == 3 ? x.entered : x.left));
            assert_true(value(&l, names[i], "queue") == x.queue);
            if (i) assert_true(value(&l, names[i], "inside") == x.inside);
        }
    }
    assert_true(value(&l, "pallet", "made") > 400);
    assert_true(value(&l, "filler", "utilisation") > 0.4);
    flow_close(f);
    flow_model_free(m);
    line_close(&l);
}

static void test_forks_saves_and_stops_change_nothing(void **state) {
    (void)state;
    Line l;
    line_open(&l);
    line_begin(&l);
    Rng rng = rng_make(1, 1);
    for (int k = 0; k < 50; k++) line_run(&l, l.s, l.now + rng_f64(&rng) * 20);
    Sim *f = sim_fork(l.s);
    Buf saved = {0};
    sim_save(l.s, &saved);
    Sim *g = line_sim(&l);
    must(&l, sim_load(g, buf_str(&saved), &l.d));
    assert_int_equal(sim_hash(l.s), sim_hash(g));
    line_run(&l, l.s, 3000);
    line_run(&l, f, 1500);
    line_run(&l, f, 3000);
    line_run(&l, g, 3000);
    assert_int_equal(sim_hash(l.s), sim_hash(f));
    assert_int_equal(sim_hash(l.s), sim_hash(g));
    assert_true(value(&l, "pallet", "made") > 100);
    buf_free(&saved);
    sim_free(f);
    sim_free(g);
    line_close(&l);
}

// The feeder opens at 600 s and closes at 1200 s; a behaviour carries that to the filler.
static void test_a_station_rests_when_its_feeder_is_off(void **state) {
    (void)state;
    Line l;
    line_open(&l);
    rig_behaviour(&l.rig, "power",
                  "{'model':'dtmi:t:Feeder;1','say':['when closed then in.poweredBy.on = true "
                  "else in.poweredBy.on = false']}");
    line_begin(&l);
    rig_input(&l.rig, l.s, 600, "feeder", "closed", 0, 1);
    rig_input(&l.rig, l.s, 1200, "feeder", "closed", 1, 1);
    line_run(&l, l.s, 599);
    double before = value(&l, "filler", "made");
    assert_true(before > 20);
    line_run(&l, l.s, 600);
    before = value(&l, "filler", "made");
    line_run(&l, l.s, 1199);
    assert_true(value(&l, "filler", "made") == before);
    assert_true(value(&l, "filler", "queue") == 5);
    assert_true(str_eq(rig_text(&l.rig, "filler", "state"), STR("off")));
    assert_true(str_eq(rig_text(&l.rig, "capper", "state"), STR("idle")));
    assert_true(str_eq(rig_text(&l.rig, "bottles", "state"), STR("blocked")));
    line_run(&l, l.s, 1400);
    assert_true(value(&l, "filler", "made") > before + 10);
    line_close(&l);
}

// Capacity, servers and shares that move while it runs.
static void test_inputs_move_the_line(void **state) {
    (void)state;
    Line l;
    line_open(&l);
    line_begin(&l);
    line_run(&l, l.s, 100);
    rig_input(&l.rig, l.s, 200, "capper", "servers", 0, 1);
    line_run(&l, l.s, 900);
    assert_true(value(&l, "capper", "queue") == 2);
    assert_true(str_eq(rig_text(&l.rig, "filler", "state"), STR("blocked")));
    rig_input(&l.rig, l.s, 1000, "capper", "room", 10, 1);
    line_run(&l, l.s, 1100);
    assert_true(value(&l, "capper", "queue") == 10);
    double made = value(&l, "pallet", "made");
    rig_input(&l.rig, l.s, 1200, "capper", "servers", 3, 1);
    line_run(&l, l.s, 1400);
    assert_true(value(&l, "pallet", "made") > made + 10);
    line_close(&l);
}

// A worker twin that filler and capper both need: they never work at once.
static void test_a_resource_is_a_twin(void **state) {
    (void)state;
    Line l;
    line_open(&l);
    put(&l, "anna", "Station", "'kind':'worker','servers':1");
    rig_link(&l.rig, "filler", "needs", "anna", "");
    rig_link(&l.rig, "capper", "needs", "anna", "");
    line_begin(&l);
    bool both = false;
    for (int k = 1; k < 2000; k++) {
        line_run(&l, l.s, k);
        bool filler = str_eq(rig_text(&l.rig, "filler", "state"), STR("busy"));
        bool capper = str_eq(rig_text(&l.rig, "capper", "state"), STR("busy"));
        assert_false(filler && capper);
        both |= capper;
        assert_true((value(&l, "anna", "inside") == 1) == (filler || capper));
    }
    assert_true(both);
    assert_true(value(&l, "pallet", "made") > 50);
    line_close(&l);
}

// A hall that 400 wait in at the start. NAN: it does not begin.
static double utilisation(const char *warmup, double minutes, bool *said) {
    Line l;
    Buf doc = {0};
    char values[100];
    const char *config = strstr(MAPPING, "'config':{") + strlen("'config':{");
    line_open(&l);
    snprintf(values, sizeof values, "'kind':'machine','cycle':%.16g,'queue':400", minutes);
    put(&l, "hall", "Station", values);
    put(&l, "door", "Station", "'kind':'in'"); // every 10 s
    rig_link(&l.rig, "door", "feeds", "hall", "");
    rig_link(&l.rig, "hall", "feeds", "pallet", "");
    buf_printf(&doc, "%.*s%s%s%c", (int)(config - MAPPING), MAPPING, warmup, config, 0);
    must(&l, line_make(&l, doc.p));
    l.s = l.rig.s = line_sim(&l);
    must(&l, mapping_ready(l.mapping, l.s, &l.d));
    bool begun = sim_start(l.s, &l.d) == ERR_OK;
    if (begun) line_run(&l, l.s, 20000);
    double u = begun ? value(&l, "hall", "utilisation") : (double)NAN;
    *said = l.d.count && str_find_str(l.d.messages[0].text, STR("warm-up was not found")) >= 0;
    buf_free(&doc);
    line_close(&l);
    return u;
}

// What is shown is without the warm-up, given or found. A hall that is too slow never settles: the run says so.
static void test_warm_up(void **state) {
    (void)state;
    bool said;
    double with = utilisation("", 5.0 / 60, &said), given = utilisation("'warmup':5000,", 5.0 / 60, &said);
    double found = utilisation("'warmup':'auto',", 5.0 / 60, &said);
    double pilot = utilisation("'warmup':{'pilot':15000},", 5.0 / 60, &said);
    print_message("busy %.3f; from 5,000 s on %.3f, found %.3f, by pilots of 15,000 s %.3f (0.5)\n", with, given, found,
                  pilot);
    assert_true(with > 0.58);
    assert_true(fabs(given - 0.5) < 0.04 && fabs(found - 0.5) < 0.04 && fabs(pilot - 0.5) < 0.04);
    assert_true(utilisation("'warmup':5000,", 20.0 / 60, &said) > 0.99);
    assert_true(isnan(utilisation("'warmup':'auto',", 20.0 / 60, &said)) && said);
}

// Two patients are in bays from before, 180 and 60 s old. The one is done and finds the bed; the other keeps the bay
// until the bed is free.
static void test_who_is_there_holds_and_ages(void **state) {
    static const char doc[] =
        "{'engine':'flow','nodes':[{'model':'dtmi:t:Station;1','roles':{'kind':'kind','servers':'servers','initial':"
        "'queue','age':'cycle','inside':'inside','made':'made','late':'room'}}],"
        "'edges':[{'relationship':'feeds'},{'relationship':'needs','roles':{'way':'how'}}],"
        "'config':{'nodes':{'in':{'is':'source','gap':100000},'treat':{'is':'station','service':60,'target':100},"
        "'bed':{'is':'station','service':1000,'capacity':0},'out':{'is':'sink'},'bay':{'is':'resource'}},"
        "'ways':{'vacates':{'use':'release'}}}}";
    (void)state;
    Line l;
    line_open(&l);
    put(&l, "bottles", "Station", "'kind':'in'");
    put(&l, "filler", "Station", "'kind':'treat','servers':2,'queue':2,'cycle':2.0");
    put(&l, "capper", "Station", "'kind':'bed'");
    put(&l, "bays", "Station", "'kind':'bay','servers':3");
    rig_link(&l.rig, "filler", "needs", "bays", "'how':'vacates'");
    must(&l, line_make(&l, doc));
    l.s = l.rig.s = line_sim(&l);
    must(&l, sim_start(l.s, &l.d));
    line_run(&l, l.s, 1);
    assert_true(value(&l, "bays", "inside") == 2 && value(&l, "filler", "inside") == 2);
    line_run(&l, l.s, 61);
    assert_true(value(&l, "bays", "inside") == 1 && value(&l, "capper", "inside") == 1);
    assert_true(value(&l, "filler", "made") == 1 && value(&l, "filler", "room") == 1);
    line_run(&l, l.s, 1061);
    assert_true(value(&l, "bays", "inside") == 0 && value(&l, "filler", "room") == 2);
    line_close(&l);
}

// More items than there was room for: the state grows, and with it moves the model.
static void test_a_crowd(void **state) {
    (void)state;
    Line l;
    line_open(&l);
    put(&l, "hall", "Station", "'kind':'machine','cycle':100000,'queue':1000");
    put(&l, "door", "Station", "'kind':'in','cycle':0.01");
    rig_link(&l.rig, "door", "feeds", "hall", "");
    rig_link(&l.rig, "hall", "feeds", "pallet", "");
    line_begin(&l);
    for (int k = 1; k <= 20; k++) line_run(&l, l.s, 300.0 * k);
    assert_true(value(&l, "hall", "inside") > 6000);
    assert_true(value(&l, "hall", "inside") == 1000 + value(&l, "door", "made") - value(&l, "hall", "made"));
    line_close(&l);
}

// Eight lanes are eight scenarios: lane 5 comes out as that scenario alone.
static void test_lanes_are_scenarios(void **state) {
    static const char *const paths[] = {"made", "queue", "inside"};
    (void)state;
    Line l;
    line_open(&l);
    line_begin(&l); // scenario 7
    SimOpen o = {.graph = l.rig.g, .epoch_ns = RIG_EPOCH, .seed = 3, .lanes = 8};
    for (uint16_t i = 0; i < 8; i++) o.scenario[i] = i + 2u;
    Sim *eight = sim_new(&o);
    must(&l, rates_add(l.rig.r, eight, &l.d));
    must(&l, mapping_add(l.mapping, eight, &l.d));
    View v;
    view_begin(&v, l.rig.lab.w);
    assert_int_equal(sim_gather(eight, &v, 0xff), ERR_OK);
    view_end(&v);
    must(&l, sim_start(eight, &l.d));
    line_run(&l, eight, 2000);
    line_run(&l, l.s, 2000);
    bool other = false;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        double alone = value(&l, "filler", paths[i]);
        assert_true(rig_value_of(&l.rig, eight, "filler", paths[i], 5) == alone);
        other |= rig_value_of(&l.rig, eight, "filler", paths[i], 4) != alone;
    }
    assert_true(other);
    sim_free(eight);
    line_close(&l);
}

// ---- what nobody sees ----------------------------------------------------------------------------------------------

static const char SEEN[] = "{'engine':'flow','nodes':[{'model':'dtmi:t:Station;1','roles':{'kind':'kind','on':'on',%s"
                           "'capacity':'room','time':'cycle','piled':'piled'}}],"
                           "'edges':[{'relationship':'feeds','roles':{'weight':'share'}}],"
                           "'config':{'nodes':{'in':{'is':'source','gap':{'exponential':8}},"
                           "'machine':{'is':'station','service':{'exponential':1},'high':5,'low':1},"
                           "'out':{'is':'sink'}}}}";

static void line_seen(Line *l, const char *more) {
    char doc[1200];
    snprintf(doc, sizeof doc, SEEN, more);
    line_open(l);
    must(l, line_make(l, doc));
    l->s = l->rig.s = line_sim(l);
    must(l, sim_start(l->s, &l->d));
}

// Two runs, the second without anything bound but `piled`: it moves at the same times, also when inputs come between,
// and after a fork and a save within what nobody sees; and the instants at which nothing shows are not there.
static void test_what_nobody_sees_needs_no_instant(void **state) {
    (void)state;
    Line a, b;
    Buf saved = {0};
    SimStats all, few;
    line_seen(&a, "'made':'made','inside':'inside',");
    line_seen(&b, "");
    Rng rng = rng_make(5, 1);
    int piled = 0;
    for (int k = 1; k <= 400; k++) {
        double t = a.now + rng_f64(&rng) * 60, at = t + rng_f64(&rng) * 10;
        bool on = rng_f64(&rng) < 0.7;
        rig_input(&a.rig, a.s, at, "filler", "on", on, 1);
        rig_input(&b.rig, b.s, at, "filler", "on", on, 1);
        line_run(&a, a.s, t);
        line_run(&b, b.s, t);
        assert_true(value(&a, "filler", "piled") == value(&b, "filler", "piled"));
        assert_true(value(&a, "capper", "piled") == value(&b, "capper", "piled"));
        piled += value(&a, "filler", "piled") == 1;
        if (k != 200) continue;
        Sim *f = sim_fork(b.s), *g = line_sim(&b);
        sim_save(b.s, &saved);
        must(&b, sim_load(g, buf_str(&saved), &b.d));
        line_run(&b, f, t + 1000);
        line_run(&b, g, t + 1000);
        assert_int_equal(sim_hash(f), sim_hash(g));
        sim_free(g);
        sim_free(f);
    }
    assert_true(piled > 20);
    assert_true(piled < 380);
    sim_stats(a.s, &all);
    sim_stats(b.s, &few);
    assert_true(few.instants * 3 < all.instants * 2);
    assert_true(few.events == all.events);
    buf_free(&saved);
    line_close(&a);
    line_close(&b);
}

// The engine's draws are those of the host: the first arrival is where the host's words put it.
static uint32_t words[4];
static uint64_t of_twin;

static size_t probe_size(const sim_ctx *c) {
    (void)c;
    return 1;
}

static int probe_init(sim_ctx *c, sim_time t) {
    (void)t;
    c->random(c, 0, of_twin, 0, 0, words);
    return 0;
}

static int probe_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    (void)c, (void)t, (void)moved, (void)n;
    return 0;
}

static void test_draws_are_the_hosts(void **state) {
    static const sim_engine probe = {
        .abi = SOSIA_ENGINE_ABI, .name = "probe", .state_size = probe_size, .init = probe_init, .react = probe_react};
    (void)state;
    Line l;
    line_open(&l);
    must(&l, line_make(&l, MAPPING));
    l.s = l.rig.s = line_sim(&l);
    of_twin = test_twin(&l, "bottles");
    must(&l, sim_add(l.s, &(SimEngine){.engine = &probe}, &l.d));
    must(&l, sim_start(l.s, &l.d));
    double u = ((double)(((uint64_t)words[0] << 32 | words[1]) >> 11) + 0.5) * 0x1p-53, first = -10 * log(u);
    line_run(&l, l.s, first - 1e-9);
    assert_true(value(&l, "bottles", "made") == 0);
    line_run(&l, l.s, first + 1e-9);
    assert_true(value(&l, "bottles", "made") == 1);
    line_close(&l);
}

static void refused(const char *doc, const char *twin, const char *text) {
    Line l;
    Buf b = {0};
    line_open(&l);
    if (twin) put(&l, twin, "Station", "'kind':'machine'");
    must(&l, line_make(&l, doc));
    l.s = l.rig.s = line_sim(&l);
    assert_int_equal(sim_start(l.s, &l.d), ERR_SIM_FAILED);
    diag_print(&l.d, &b);
    if (str_find_str(buf_str(&b), str_of(text)) < 0) print_message("no \"%s\" in %.*s\n", text, STR_ARG(buf_str(&b)));
    assert_true(str_find_str(buf_str(&b), str_of(text)) >= 0);
    buf_free(&b);
    line_close(&l);
}

static void test_mistakes_name_twin_or_place(void **state) {
    (void)state;
    refused(MAPPING, "lonely", "lonely: flow line at 0 s: it leads nowhere");
    refused("{'engine':'flow','nodes':[{'model':'dtmi:t:Station;1','roles':{'kind':'kind'}}],'config':{'nodes':{"
            "'in':{'is':'source'},'machine':{'is':'station','servise':3},'out':{'is':'sink'}}}}",
            NULL, "nodes.machine.servise: there is no such member");
    refused("{'engine':'flow','nodes':[{'model':'dtmi:t:Station;1','roles':{'kind':'kind'}}],'config':{'nodes':{"
            "'in':{'is':'source'},'out':{'is':'sink'}}}}",
            NULL, "filler: flow line at 0 s: its kind is not among the config's nodes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_as_the_bare_engine_runs_it),
        cmocka_unit_test(test_forks_saves_and_stops_change_nothing),
        cmocka_unit_test(test_a_station_rests_when_its_feeder_is_off),
        cmocka_unit_test(test_inputs_move_the_line),
        cmocka_unit_test(test_a_resource_is_a_twin),
        cmocka_unit_test(test_warm_up),
        cmocka_unit_test(test_who_is_there_holds_and_ages),
        cmocka_unit_test(test_a_crowd),
        cmocka_unit_test(test_lanes_are_scenarios),
        cmocka_unit_test(test_what_nobody_sees_needs_no_instant),
        cmocka_unit_test(test_draws_are_the_hosts),
        cmocka_unit_test(test_mistakes_name_twin_or_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
