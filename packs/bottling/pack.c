// SPDX-License-Identifier: Apache-2.0
#include "site_pack.h"

extern const char bottling_models[], bottling_models_end[], bottling_graph[], bottling_graph_end[];
extern const char bottling_derived[], bottling_derived_end[], bottling_simulation[], bottling_simulation_end[];
extern const char bottling_definitions[], bottling_definitions_end[], bottling_files[], bottling_files_end[];

static void *make(uint64_t seed, int64_t start_ns) { return plant_new(seed, start_ns); }
static void end(void *p) { plant_free(p); }
static void step(void *p, double seconds) { plant_step(p, seconds); }
static bool next(void *p, PlantValue *out) { return plant_next(p, out); }
static int command(void *p, Str twin, Str name, Str payload, Buf *answer) {
    return plant_command(p, twin, name, payload, answer);
}
static int jam(void *p, Str where, Buf *answer) { return plant_jam(p, where, answer); }
static void take_up(void *p, Str twin) {
    Buf answer = {0};
    Str line = twin;
    if (str_starts(twin, STR("line-"))) line.n = 6; // line-1-filler
    (void)plant_jam(p, line, &answer);
    buf_free(&answer);
}
static void story(void *p, int64_t at_ns) { plant_story(p, at_ns); }
static int64_t time_of(const void *p) { return plant_time(p); }

const SitePack bottling_pack = {
    .name = "bottling",
    .about = "the bottling plant of Montefalda",
    .there = "montefalda",
    .simulation_there = "ledger",
    .models = bottling_models,
    .models_end = bottling_models_end,
    .graph = bottling_graph,
    .graph_end = bottling_graph_end,
    .derived = bottling_derived,
    .derived_end = bottling_derived_end,
    .simulation = bottling_simulation,
    .simulation_end = bottling_simulation_end,
    .definitions = bottling_definitions,
    .definitions_end = bottling_definitions_end,
    .files = bottling_files,
    .files_end = bottling_files_end,
    .make = make,
    .free = end,
    .step = step,
    .next = next,
    .time = time_of,
    .command = command,
    .jam = jam,
    .stands = "SELECT $dtId AS id FROM DIGITALTWINS WHERE fault = 'jam at infeed star'",
    .take_up = take_up,
    .story = story,
};
