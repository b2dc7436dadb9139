// SPDX-License-Identifier: Apache-2.0
// Simulation time and the world's time.
#include <math.h>
#include "sim/sim.h"

int64_t sim_week_ns(int64_t world_ns) {
    const int64_t day = INT64_C(86400) * 1000000000, week = 7 * day;
    int64_t since = (world_ns % week - 4 * day) % week; // 1970 began on a Thursday
    return since < 0 ? since + week : since;
}

int64_t sim_world_ns(int64_t epoch_ns, sim_time t) {
    double whole = floor(t);
    if (!(whole < 9e9)) return INT64_MAX / SIM_TICK_NS * SIM_TICK_NS;
    if (whole < -9e9) return INT64_MIN / SIM_TICK_NS * SIM_TICK_NS;
    int64_t ns, since = (int64_t)whole * 1000000000 + (int64_t)rint((t - whole) * 1e9);
    if (__builtin_add_overflow(epoch_ns, since, &ns) || __builtin_add_overflow(ns, SIM_TICK_NS / 2, &ns))
        return (since < 0 ? INT64_MIN : INT64_MAX) / SIM_TICK_NS * SIM_TICK_NS;
    int64_t over = ns % SIM_TICK_NS;
    return ns - (over < 0 ? over + SIM_TICK_NS : over);
}

sim_time sim_time_of(int64_t epoch_ns, int64_t world_ns) {
    int64_t s = world_ns / 1000000000 - epoch_ns / 1000000000, ns = world_ns % 1000000000 - epoch_ns % 1000000000;
    return (double)s + (double)ns / 1e9;
}

int64_t sim_batch_ns(int64_t epoch_ns, sim_time t, int64_t last_ns) {
    int64_t at = sim_world_ns(epoch_ns, t), after = last_ns - last_ns % SIM_TICK_NS + SIM_TICK_NS;
    return at > after ? at : after;
}
