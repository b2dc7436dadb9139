// SPDX-License-Identifier: Apache-2.0
// sim_load on any bytes whose check holds: it refuses them or takes them; what it took is written and taken again, byte
// for byte.
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "sim/test_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TestSim world;

static Sim *fresh(void) {
    static const ToySum sum = {1, 1, 0};
    Sim *s = sim_new(&(SimOpen){.graph = world.g, .epoch_ns = TEST_SIM_EPOCH, .lanes = 1});
#define C(f) test_column(&world, s, f)
    uint32_t row[] = {2, 1}, column[] = {C(UNIT_COUNT), C(UNIT_COUNT)};
    SimBind part = {.column = UINT32_MAX, .rows = 2, .from_column = column, .from_row = row, .tol = 2};
    SimBind tick[] = {{.column = C(UNIT_PERIOD)}, {.column = C(UNIT_COUNT)}};
    SimBind tank[] = {{.column = C(UNIT_RATE), .tol = 0.5}, {.column = C(UNIT_LEVEL)}};
    SimBind desk[] = {{.column = C(UNIT_QUEUE)}, {.column = C(UNIT_ON)}};
    SimBind add[] = {part, {.column = UINT32_MAX}, {.column = C(UNIT_SUM)}};
    (void)C(UNIT_TAG);
#undef C
    const SimEngine engines[] = {
        {.engine = &toy_tick, .roles = tick, .role_count = 2},
        {.engine = &toy_tank, .roles = tank, .role_count = 2},
        {.engine = &toy_queue, .roles = desk, .role_count = 2},
        {.engine = &toy_sum, .instance = STR("of some"), .roles = add, .role_count = 3, .config = &sum}};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) CHECK(sim_add(s, &engines[i], NULL) == ERR_OK);
    return s;
}

static void save_again(Sim *s) {
    Buf once = {0}, twice = {0};
    Sim *other = fresh();
    sim_save(s, &once);
    CHECK(sim_load(other, buf_str(&once), NULL) == ERR_OK);
    sim_save(other, &twice);
    CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    buf_free(&once);
    buf_free(&twice);
    sim_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!world.w) test_sim_open(&world, 3, 1);
    uint8_t *copy = mem_alloc(size + 1);
    if (size) memcpy(copy, data, size);
    if (size >= 4) {
        uint32_t check = crc32c(0, copy, (int64_t)size - 4);
        memcpy(copy + size - 4, &check, 4);
    }
    Sim *s = fresh();
    if (sim_load(s, (Str){(const char *)copy, (int64_t)size}, NULL) == ERR_OK) save_again(s);
    sim_free(s);
    mem_free(copy);
    return 0;
}
