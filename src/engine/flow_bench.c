// SPDX-License-Identifier: Apache-2.0
// Events a second of the flow engine in a simulation: forty lines of four stations that are twins, whose states, queues
// and counts live in columns, and are told.
#include "base/bench.h"
#include "base/check.h"
#include "flow/engine.h"
#include "sim/mapping.h"
#include "sim/test_rates.h"

enum { LINES = 40, STATIONS = 4, ROUNDS = 5 };

static const char MODELS[] =
    "[{'@context':'dtmi:dtdl:context;3','@id':'dtmi:t:Station;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'kind','schema':'string'},{'@type':'Property','name':'state','schema':'string'},"
    "{'@type':'Property','name':'queue','schema':'integer'},{'@type':'Property','name':'made','schema':'long'},"
    "{'@type':'Property','name':'utilisation','schema':'double'},{'@type':'Relationship','name':'feeds'}]}]";

static const char MAPPING[] =
    "{\"engine\":\"flow\",\"nodes\":[{\"model\":\"dtmi:t:Station;1\",\"roles\":{\"kind\":\"kind\",\"state\":\"state\","
    "\"queue\":\"queue\",\"made\":\"made\",\"utilisation\":\"utilisation\"}}],\"edges\":[{\"relationship\":\"feeds\"}],"
    "\"config\":{\"nodes\":{\"in\":{\"is\":\"source\",\"gap\":{\"exponential\":10}},\"machine\":{\"is\":\"station\","
    "\"service\":{\"exponential\":8}},\"out\":{\"is\":\"sink\"}}}}";

static void put(Rig *t, const char *id, const char *kind) {
    char body[200];
    snprintf(body, sizeof body, "{'$metadata':{'$model':'dtmi:t:Station;1'},'kind':'%s'}", kind);
    CHECK(lab_put(&t->lab, id, body) == ERR_OK);
}

static void lines(Rig *t) {
    *t = (Rig){0};
    lab_open(&t->lab);
    CHECK(lab_models(&t->lab, MODELS) == ERR_OK);
    for (int i = 0; i < LINES; i++) {
        char id[40], before[40];
        for (int k = 0; k < STATIONS + 2; k++) {
            snprintf(id, sizeof id, "s-%d-%d", i, k);
            put(t, id, k == 0 ? "in" : k <= STATIONS ? "machine" : "out");
            if (k) rig_link(t, before, "feeds", id, "");
            memcpy(before, id, sizeof id);
        }
    }
    View v;
    view_begin(&v, t->lab.w);
    CHECK(sim_graph(&v, &t->g) == ERR_OK);
    view_end(&v);
}

static Sim *begin(Rig *t, const Mapping *m) {
    Sim *s = sim_new(&(SimOpen){.graph = t->g, .epoch_ns = RIG_EPOCH, .seed = 1, .lanes = 1});
    View v;
    CHECK(mapping_add(m, s, NULL) == ERR_OK);
    view_begin(&v, t->lab.w);
    CHECK(sim_gather(s, &v, 1) == ERR_OK);
    view_end(&v);
    CHECK(sim_start(s, NULL) == ERR_OK);
    return s;
}

int main(void) {
    Bench b = {.name = "flow.events_twins", .unit = "M/s", .goal = 2};
    Rig t;
    Mapping *m = NULL;
    SimRegistry *r = sim_registry_new();
    lines(&t);
    CHECK(sim_registry_add(r, &flow_engine, NULL) == ERR_OK);
    CHECK(mapping_make(t.g, r, STR("lines"), str_of(MAPPING), &m, NULL) == ERR_OK);
    for (int k = 0; k < ROUNDS; k++) {
        Sim *s = begin(&t, m);
        SimStats x;
        SimSink sink = {.told = rig_told};
        int64_t since = time_mono_ns();
        CHECK(sim_run(s, 20000, 0, &sink, NULL, NULL) == ERR_OK);
        double seconds = bench_seconds(since);
        sim_stats(s, &x);
        CHECK(x.instants > 100000 && x.told > x.instants);
        bench_add(&b, (double)x.instants / seconds / 1e6);
        sim_free(s);
    }
    bench_print(&b);
    mapping_unref(m);
    sim_registry_free(r);
    rig_close(&t);
    return 0;
}
