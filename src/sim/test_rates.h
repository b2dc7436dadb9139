// SPDX-License-Identifier: Apache-2.0
// For tests of behaviours: a world from texts (' for "), its behaviours as a simulation, values of twins by name.
// Not part of the product. One thread at a time.
#pragma once
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "sim/behaviour.h"
#include "world/test_edit.h"

#define RIG_EPOCH LAB_START

typedef struct Rig {
    Lab lab;
    SimGraph *g;
    Rates *r;
    Sim *s;
    double now;
    Buf why; // of the last failure
} Rig;

static const char RIG_MODELS[] =
    "[{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:t:Cell;1',"
    "'@type':'Interface','contents':["
    "{'@type':'Property','name':'x','schema':'double'},{'@type':'Property','name':'y','schema':'double'},"
    "{'@type':'Property','name':'z','schema':'double'},{'@type':'Property','name':'k','schema':'double'},"
    "{'@type':'Property','name':'n','schema':'long'},{'@type':'Property','name':'m','schema':'long'},"
    "{'@type':'Property','name':'on','schema':'boolean'},{'@type':'Property','name':'hot','schema':'boolean'},"
    "{'@type':'Property','name':'state','schema':'string'},"
    "{'@type':['Property','Length'],'name':'level','schema':'double','unit':'centimetre'},"
    "{'@type':['Property','Area'],'name':'area','schema':'double','unit':'squareMetre'},"
    "{'@type':['Property','VolumeFlowRate'],'name':'flow','schema':'double','unit':'litrePerSecond'},"
    "{'@type':['Property','Temperature'],'name':'temp','schema':'double','unit':'degreeCelsius'},"
    "{'@type':['Property','Temperature'],'name':'set','schema':'double','unit':'degreeCelsius'},"
    "{'@type':['Property','Pressure'],'name':'pressure','schema':'double','unit':'pascal'},"
    "{'@type':['Property','Power'],'name':'power','schema':'double','unit':'kilowatt'},"
    "{'@type':['Property','TimeSpan'],'name':'span','schema':'double','unit':'minute'},"
    "{'@type':'Component','name':'pump','schema':'dtmi:t:Part;1'},"
    "{'@type':'Relationship','name':'feeds','properties':[{'@type':'Property','name':'w','schema':'double'}]},"
    "{'@type':'Relationship','name':'near'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:t:Part;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'on','schema':'boolean'},{'@type':'Property','name':'speed','schema':'double'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:t:Big;1','@type':'Interface','extends':'dtmi:t:Cell;1','contents':["
    "{'@type':'Property','name':'extra','schema':'double'}]}]";

// A world with those models.
static inline void rig_open(Rig *t) {
    *t = (Rig){0};
    lab_open(&t->lab);
    CHECK(lab_models(&t->lab, RIG_MODELS) == ERR_OK);
}

// Free the Sim and what it was made of; the world stays.
static inline void rig_stop(Rig *t) {
    sim_free(t->s);
    rates_unref(t->r);
    sim_graph_unref(t->g);
    t->s = NULL;
    t->r = NULL;
    t->g = NULL;
}

// Free everything.
static inline void rig_close(Rig *t) {
    rig_stop(t);
    buf_free(&t->why);
    lab_close(&t->lab);
}

// A twin of Cell (or the model named) with values.
static inline void rig_twin(Rig *t, const char *id, const char *model, const char *values) {
    char body[2000];
    snprintf(body, sizeof body, "{'$metadata':{'$model':'dtmi:t:%s;1'},'pump':{'$metadata':{}}%s%s}", model,
             *values ? "," : "", values);
    Err e = lab_put(&t->lab, id, body);
    if (e != ERR_OK) {
        diag_print(&t->lab.diag, &t->why);
        fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&t->why)));
    }
    CHECK(e == ERR_OK);
}

// A relationship with values.
static inline void rig_link(Rig *t, const char *from, const char *rel, const char *to, const char *values) {
    char body[500], rid[100];
    snprintf(rid, sizeof rid, "%s-%s", rel, to);
    snprintf(body, sizeof body, "{'$relationshipName':'%s','$targetId':'%s'%s%s}", rel, to, *values ? "," : "", values);
    Err e = lab_link(&t->lab, from, rid, body);
    if (e != ERR_OK)
        diag_print(&t->lab.diag, &t->why), fprintf(stderr, "%s %s: %.*s\n", from, body, STR_ARG(buf_str(&t->why)));
    CHECK(e == ERR_OK);
}

// A document of a collection, put without a look at it. Texts in statements have ` for their quotes.
static inline void rig_document(Rig *t, const char *collection, const char *name, const char *json) {
    Buf b = {0};
    buf_str_put(&b, str_of(collection));
    buf_byte(&b, 0);
    buf_str_put(&b, str_of(name));
    buf_byte(&b, 0);
    for (const char *p = json; *p; p++) buf_byte(&b, *p == '\'' ? '"' : *p == '`' ? '\'' : *p);
    lab_begin(&t->lab);
    CHECK(lab_finish(&t->lab, world_do(t->lab.w, &(Change){.kind = CHANGE_DOC, .text = buf_str(&b)})) == ERR_OK);
    buf_free(&b);
}
static inline void rig_behaviour(Rig *t, const char *name, const char *json) {
    rig_document(t, "behaviours", name, json);
}

// Keep the messages as text.
static inline Err rig_why(Rig *t, Err e, Diag *d) {
    buf_reset(&t->why);
    diag_print(d, &t->why);
    buf_byte(&t->why, 0);
    diag_free(d);
    return e;
}

// Make the behaviours of the world.
static inline Err rig_make(Rig *t, const RatesOptions *o) {
    Diag d;
    View v;
    diag_init(&d);
    rig_stop(t);
    view_begin(&v, t->lab.w);
    CHECK(sim_graph(&v, &t->g) == ERR_OK);
    view_end(&v);
    Err e = rates_make(t->g, t->g->catalog, &t->r, &d);
    if (e == ERR_OK && o) rates_options(t->r, o);
    return rig_why(t, e, &d);
}

// A Sim of them, gathered, not started.
static inline Sim *rig_sim(Rig *t, uint16_t lanes, uint64_t seed) {
    SimOpen o = {.graph = t->g, .epoch_ns = RIG_EPOCH, .seed = seed, .lanes = lanes};
    Diag d;
    View v;
    diag_init(&d);
    for (uint16_t i = 0; i < lanes; i++) o.scenario[i] = i;
    Sim *s = sim_new(&o);
    Err e = rates_add(t->r, s, &d);
    rig_why(t, e, &d);
    if (e != ERR_OK) fprintf(stderr, "%s\n", t->why.p);
    CHECK(e == ERR_OK);
    view_begin(&v, t->lab.w);
    CHECK(sim_gather(s, &v, 0xff) == ERR_OK);
    view_end(&v);
    return s;
}

// A sink that keeps nothing.
static inline bool rig_told(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n) {
    (void)ctx, (void)t, (void)lane, (void)cells, (void)n;
    return true;
}

// sim_start.
static inline Err rig_start_sim(Rig *t, Sim *s) {
    Diag d;
    diag_init(&d);
    return rig_why(t, sim_start(s, &d), &d);
}

// sim_run.
static inline Err rig_run_sim(Rig *t, Sim *s, double until) {
    SimSink sink = {.told = rig_told};
    Diag d;
    diag_init(&d);
    return rig_why(t, sim_run(s, until, 0, &sink, &t->now, &d), &d);
}

// All of it at once: behaviours, a Sim of one lane, started.
static inline Err rig_begin(Rig *t, const RatesOptions *o) {
    Err e = rig_make(t, o);
    if (e != ERR_OK) return e;
    t->s = rig_sim(t, 1, 1);
    return rig_start_sim(t, t->s);
}

// CHECK with the message.
static inline void rig_must(Rig *t, Err e) {
    if (e != ERR_OK) fprintf(stderr, "%s\n", t->why.p ? t->why.p : "");
    CHECK(e == ERR_OK);
}

// Run the rig's own Sim.
static inline Err rig_run(Rig *t, double until) { return rig_run_sim(t, t->s, until); }

// Row and column of a twin's property in a Sim.
static inline uint32_t rig_cell(const Rig *t, Sim *s, const char *twin, const char *path, uint32_t *column) {
    uint32_t dense = UINT32_MAX;
    for (uint32_t i = 0; i < t->g->twins; i++) {
        if (str_eq(sim_graph_name(t->g, i), str_of(twin))) dense = i;
    }
    CHECK(dense != UINT32_MAX);
    const Table *table = &t->g->catalog->tables[t->g->table[dense]];
    const Field *f = model_field(table->model, str_of(path));
    CHECK(f != NULL);
    uint32_t col = table->first + (uint32_t)(f - table->model->fields);
    for (uint32_t i = 0; i < sim_columns(s); i++) {
        if (sim_column_of(s, i).col == col) *column = i;
    }
    return dense - t->g->table_first[t->g->table[dense]];
}

// A value in SI.
static inline double rig_value_of(const Rig *t, Sim *s, const char *twin, const char *path, uint32_t lane) {
    uint32_t column = UINT32_MAX, row = rig_cell(t, s, twin, path, &column);
    CHECK(column != UINT32_MAX);
    const sim_col *c = sim_column_at(s, column);
    return c->v[(size_t)row * c->lanes + lane];
}
// In the rig's own Sim.
static inline double rig_value(const Rig *t, const char *twin, const char *path) {
    return rig_value_of(t, t->s, twin, path, 0);
}

// A value from outside.
static inline void rig_input(Rig *t, Sim *s, double at, const char *twin, const char *path, double v, uint8_t lanes) {
    uint32_t column = UINT32_MAX, row = rig_cell(t, s, twin, path, &column);
    sim_input(s, at, 0, column, row, lanes, v);
}

// A text.
static inline Str rig_text(const Rig *t, const char *twin, const char *path) {
    return sim_symbol_text(t->s, (uint32_t)rig_value(t, twin, path));
}
