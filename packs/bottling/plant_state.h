// SPDX-License-Identifier: Apache-2.0
// The state of the emulated site: what plant.c moves and sensors.c reads. Private to the pack.
#pragma once
#include "base/arena.h"
#include "base/rng.h"
#include "plant.h"

enum { LINES = 3, UNITS = 13, PUMPS = 3, ROOMS = 3, TRUCKS = 2, SHOPS = 2, AISLES = 6, DOCKS = 4, FORKLIFTS = 3 };

// Position of the machines in a line.
enum {
    BLOWER,
    CONVEYOR_1,
    RINSER,
    FILLER,
    CAPPER,
    CONVEYOR_2,
    INSPECTOR,
    LABELLER,
    CONVEYOR_3,
    PACKER,
    CONVEYOR_4,
    PALLETISER,
    WRAPPER
};

typedef struct Motor {
    double rated_rpm, rated_a;
    double speed, current, temperature, vibration;
    double shake; // vibration that a fault adds
    double drag;  // 0 to 1: what it turns is heavy; a winding gets warmer, a current larger
} Motor;

typedef struct Unit {
    Motor motor;
    const char *state, *fault;
    double rated_kw, power;
    double rate, passed, hours;
    double a, b, c, d; // readings of its kind: see sensors.c
} Unit;

typedef struct Line {
    double target, bottle_l, per_pallet; // target: bottles an hour that it is built for
    double limit;                        // that somebody set, at most target
    double speed, good, rejected, reject_rate, power, water;
    double planned_s, run_s, availability;
    double order, order_made;
    const char *state, *shift;
    int shift_number;
    double fault_left, after_fault;
    int fault_unit;    // -1: none
    bool stuck;        // the fault does not pass by itself
    double clear_left; // s until it is cleared; 0: nobody is at it
    double jams_at;    // of the plant's time: the filler fouls until it jams then; INFINITY: it does not
    double mends_at;   // of the plant's time: somebody comes by who clears it; INFINITY: nobody
    double fouling;    // 0 to 1: shards and scraps that lie in the filler's infeed star
    Unit units[UNITS];
} Line;

typedef struct Tank {
    double capacity, level, volume, temperature, inflow;
} Tank;

typedef struct Pump {
    Motor motor;
    const char *state, *fault;
    double flow, suction, discharge, power, hours, fault_left;
    bool on;
} Pump;

typedef struct Room {
    double set_point, temperature, humidity, pallets, coil, open_min, open_left, openings, defrost_at;
    bool fan, defrosting, open;
    const char *alarm;
} Room;

typedef struct Box { // a small refrigeration unit with its load
    double set_point, temperature, power;
    bool on;
} Box;

typedef struct Truck {
    Box reefer;
    const char *state;
    int leg; // 0 to the first stop, 1 to the second, 2 home
    double left_s, leg_km, done_km;
    double latitude, longitude, speed, heading, odometer, fuel, pallets;
} Truck;

typedef struct Shop {
    double latitude, longitude, customers, sold, air;
    bool open, was_open;
    double shelf[3], fridge[2];
    Box unit[2];
    bool door[2];
} Shop;

typedef struct Meter {
    double power, energy, voltage, current, power_factor;
} Meter;

typedef struct Sensor {
    const char *twin, *path;
    PlantKind kind;
    const void *at; // double, bool or const char *
    double interval_s, noise;
    int32_t digits;
    double next_s;
    int64_t last; // of flags and texts: what was sent last
} Sensor;

#define SENSORS_MAX 1200

struct Plant {
    Arena keep;
    Rng rng;
    int64_t start_ns;
    double t;                  // seconds since start
    double calm_from, calm_to; // when nothing else goes wrong, so that a story can be told
    double drift, wind, cloud;
    double outside, humidity, wind_speed, irradiance;
    double hall, hall_humidity, utility_air, warehouse_air, warehouse_humidity, substation_air, pump_house_air;
    Line lines[LINES];
    Tank raw, buffer[3], co2, caustic, acid;
    double well_depth[2], well_temperature[2];
    Pump pumps[PUMPS];
    double intake, intake_total, treated, filter_dp, conductivity, treatment_kw;
    double carb_flow, carb_pressure, carb_temperature, carbonation, carb_kw;
    const char *cip_phase, *cip_state;
    double cip_left, cip_temperature, cip_flow, cip_kw;
    double valve[8];
    double chill_supply[2], chill_return[2], chill_kw[2], boiler_bar, boiler_temperature, boiler_kw, air_bar[2],
        air_kw[2];
    Motor air_motor[2];
    double handler_supply[4], handler_fan[4], handler_kw[4];
    const char *running, *standby;
    double grid_kv, grid_hz, transformer_load, oil;
    double breaker_a[7]; // main, lines, utilities, water, cold store
    bool breaker_closed[7];
    Meter meters[4]; // main, lines, utilities, cold store
    Room rooms[ROOMS];
    double unit_suction[2], unit_discharge[2], unit_kw[2], cold_kw;
    const char *unit_state[2];
    double stock[3], stored[AISLES], stored_all; // pallets by product, aisle
    const char *dock_state[DOCKS];
    bool dock_door[DOCKS];
    double dock_left[DOCKS];
    double battery[FORKLIFTS], lift_hours[FORKLIFTS];
    const char *lift_state[FORKLIFTS];
    Truck trucks[TRUCKS];
    Shop shops[SHOPS];
    double gateway_cpu[6], gateway_rate[6], headcount;
    bool online;
    Sensor sensors[SENSORS_MAX];
    int32_t sensor_count, cursor;
};

// What a machine of a line is called behind "line-N-".
const char *plant_unit_name(int line, int unit);
// The filler jams, and stands until somebody clears it.
void plant_line_jam(Line *l);
// Fill the table of sensors; the plant's first state is there already.
void plant_wire(Plant *p);
