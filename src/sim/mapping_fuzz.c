// SPDX-License-Identifier: Apache-2.0
// Any document as a mapping: refused with words, or bound, shown as JSON and added to a Sim.
#include <math.h>
#include "base/check.h"
#include "codec/json.h"
#include "sim/mapping.h"
#include "sim/test_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int nothing(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    (void)c, (void)t, (void)moved, (void)n;
    return 0;
}

static const sim_role roles[] = {{"on", "", SIM_BOOL, SIM_IN, 0, 0, 0, "is it on?"},
                                 {"given", "K", SIM_NUMBER, SIM_IN, 0, 1, NAN, "a temperature"},
                                 {"mode", "", SIM_SYMBOL, SIM_STATE, 0, 0, NAN, "a text"},
                                 {"out", "m", SIM_NUMBER, SIM_OUT, 0, 0, NAN, "a length"},
                                 {"weight", "", SIM_NUMBER, SIM_PARAM, 1, 0, 1, "of an edge"}};
static const sim_engine engine = {.abi = SOSIA_ENGINE_ABI,
                                  .name = "e",
                                  .caps = SIM_CAN_LANES,
                                  .roles = roles,
                                  .role_count = sizeof roles / sizeof *roles,
                                  .react = nothing};

static TestSim world;
static SimRegistry *registry;

static void use(Mapping *m) {
    Buf b = {0};
    Arena a = {0};
    Json v;
    Sim *s = sim_new(&(SimOpen){.graph = world.g, .epoch_ns = TEST_SIM_EPOCH, .lanes = 1});
    mapping_show(m, &b);
    CHECK(json_parse(buf_str(&b), NULL, &a, &v, NULL) == ERR_OK);
    if (mapping_add(m, s, NULL) == ERR_OK) {
        test_gather(&world, s, 1);
        (void)!mapping_ready(m, s, NULL);
        CHECK(sim_start(s, NULL) == ERR_OK);
    }
    sim_free(s);
    buf_free(&b);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!world.w) {
        test_sim_open(&world, 3, 1);
        registry = sim_registry_new();
        CHECK(sim_registry_add(registry, &engine, NULL) == ERR_OK);
    }
    Diag d = {0};
    Mapping *m = NULL;
    Err e = mapping_make(world.g, registry, STR("m"), (Str){(const char *)data, (int64_t)size}, &m, &d);
    if (e == ERR_OK) use(m);
    else CHECK(d.count > 0);
    mapping_unref(m);
    diag_free(&d);
    return 0;
}
