// SPDX-License-Identifier: Apache-2.0
#include "house.h"
#include "site_pack.h"

extern const char hospital_models[], hospital_models_end[], hospital_graph[], hospital_graph_end[];
extern const char hospital_derived[], hospital_derived_end[], hospital_definitions[], hospital_definitions_end[];
extern const char hospital_files[], hospital_files_end[];

static void *make(uint64_t seed, int64_t start_ns) {
    Str graph = {hospital_graph, hospital_graph_end - hospital_graph};
    Str definitions = {hospital_definitions, hospital_definitions_end - hospital_definitions};
    return house_new(graph, definitions, seed, start_ns);
}
static void end(void *h) { house_free(h); }
static void step(void *h, double seconds) { house_step(h, seconds); }
static bool next(void *h, PlantValue *out) { return house_next(h, out); }
static int64_t time_of(const void *h) { return house_time(h); }
static int command(void *h, Str twin, Str name, Str payload, Buf *answer) {
    return house_command(h, twin, name, payload, answer);
}

const SitePack hospital_pack = {
    .name = "hospital",
    .about = "St Clare's Hospital",
    .there = "st-clare",
    .models = hospital_models,
    .models_end = hospital_models_end,
    .graph = hospital_graph,
    .graph_end = hospital_graph_end,
    .derived = hospital_derived,
    .derived_end = hospital_derived_end,
    .definitions = hospital_definitions,
    .definitions_end = hospital_definitions_end,
    .files = hospital_files,
    .files_end = hospital_files_end,
    .make = make,
    .free = end,
    .step = step,
    .next = next,
    .time = time_of,
    .command = command,
};
