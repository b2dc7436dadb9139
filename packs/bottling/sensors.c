// SPDX-License-Identifier: Apache-2.0
// The table of sensors: which variable of the plant is read by which twin's property, how often, how finely, with how
// much noise.
#include <math.h>
#include "base/check.h"
#include "plant_state.h"

// Seconds between readings.
#define QUICK 2.0 // speeds, flows, pressures
#define SLOW 10.0 // temperatures, levels
#define LAZY 30.0 // counters that nobody waits for
#define BEAT 30.0 // states are sent when they change, and this often to show that somebody is there

static void add(Plant *p, Sensor s) {
    CHECK(p->sensor_count < SENSORS_MAX);
    s.last = -1;
    s.next_s = 0;
    p->sensors[p->sensor_count++] = s;
}

static void number(Plant *p, const char *twin, const char *path, const double *at, double interval_s, int32_t digits,
                   double noise) {
    add(p, (Sensor){.twin = twin,
                    .path = path,
                    .kind = PLANT_NUMBER,
                    .at = at,
                    .interval_s = interval_s,
                    .digits = digits,
                    .noise = noise});
}

static void count(Plant *p, const char *twin, const char *path, const double *at, double interval_s) {
    add(p, (Sensor){.twin = twin, .path = path, .kind = PLANT_COUNT, .at = at, .interval_s = interval_s});
}

static void flag(Plant *p, const char *twin, const char *path, const bool *at) {
    add(p, (Sensor){.twin = twin, .path = path, .kind = PLANT_FLAG, .at = at, .interval_s = BEAT});
}

static void text(Plant *p, const char *twin, const char *path, const char *const *at) {
    add(p, (Sensor){.twin = twin, .path = path, .kind = PLANT_TEXT, .at = at, .interval_s = BEAT});
}

static const char *name(Plant *p, const char *fmt, int n) __attribute__((format(printf, 2, 0)));
static const char *name(Plant *p, const char *fmt, int n) { return arena_printf(&p->keep, fmt, n).p; }

static void wire_motor(Plant *p, const char *twin, const Motor *m) {
    number(p, twin, "drive.speed", &m->speed, QUICK, 0, 1.5);
    number(p, twin, "drive.current", &m->current, QUICK, 1, 0.08);
    number(p, twin, "drive.temperature", &m->temperature, SLOW, 1, 0.15);
    number(p, twin, "drive.vibration", &m->vibration, QUICK, 3, 0.006);
}

// What only one kind of machine has.
static void wire_kind(Plant *p, const char *twin, const Line *l, int line, int i) {
    const Unit *u = &l->units[i];
    switch (i) {
    case BLOWER:
        if (line == 2) {
            count(p, twin, "layersLeft", &u->c, QUICK);
            break;
        }
        number(p, twin, "ovenTemperature", &u->a, SLOW, 1, 0.4);
        number(p, twin, "blowPressure", &u->b, QUICK, 1, 0.1);
        break;
    case RINSER: number(p, twin, "waterPressure", &u->a, QUICK, 2, 0.02); break;
    case FILLER:
        number(p, twin, "bowlLevel", &u->a, QUICK, 1, 0.4);
        number(p, twin, "bowlPressure", &u->b, QUICK, 2, 0.01);
        number(p, twin, "productTemperature", &u->c, SLOW, 1, 0.05);
        number(p, twin, "fillDeviation", &u->d, SLOW, 2, 0.15);
        count(p, twin, "speedLimit", &l->limit, SLOW);
        break;
    case CAPPER:
        number(p, twin, "torque", &u->a, QUICK, 2, 0.03);
        count(p, twin, "capsLeft", &u->b, SLOW);
        break;
    case INSPECTOR:
        count(p, twin, "rejected", &l->rejected, QUICK);
        number(p, twin, "rejectRate", &l->reject_rate, SLOW, 2, 0.01);
        break;
    case LABELLER:
        count(p, twin, "labelsLeft", &u->a, SLOW);
        number(p, twin, "glueTemperature", &u->b, SLOW, 1, 0.3);
        break;
    case PACKER:
        number(p, twin, "tunnelTemperature", &u->a, SLOW, 1, 0.5);
        count(p, twin, "packs", &u->b, SLOW);
        break;
    case PALLETISER:
        count(p, twin, "pallets", &u->a, SLOW);
        count(p, twin, "layer", &u->b, SLOW);
        break;
    case WRAPPER: count(p, twin, "filmLeft", &u->a, SLOW); break;
    default:
        number(p, twin, "beltSpeed", &u->a, QUICK, 2, 0.005);
        number(p, twin, "fill", &u->b, QUICK, 0, 1.5);
        break;
    }
}

const char *plant_unit_name(int line, int unit) {
    static const char *const units[UNITS] = {"blower",     "conveyor-1", "rinser",   "filler",     "capper",
                                             "conveyor-2", "inspector",  "labeller", "conveyor-3", "packer",
                                             "conveyor-4", "palletiser", "wrapper"};
    return line == 2 && unit == BLOWER ? "depalletiser" : units[unit];
}

static void wire_line(Plant *p, int n) {
    Line *l = &p->lines[n];
    const char *line = name(p, "line-%d", n + 1);
    text(p, line, "state", &l->state);
    text(p, line, "shift", &l->shift);
    count(p, line, "speed", &l->speed, QUICK);
    count(p, line, "good", &l->good, QUICK);
    count(p, line, "rejected", &l->rejected, QUICK);
    number(p, line, "availability", &l->availability, SLOW, 1, 0);
    number(p, line, "power", &l->power, QUICK, 1, 0.6);
    number(p, line, "waterUse", &l->water, QUICK, 2, 0.05);
    count(p, name(p, "order-%d", 2041 + n), "produced", &l->order_made, LAZY);
    for (int i = 0; i < UNITS; i++) {
        const char *twin = arena_printf(&p->keep, "%s-%s", line, plant_unit_name(n, i)).p;
        Unit *u = &l->units[i];
        text(p, twin, "state", &u->state);
        text(p, twin, "fault", &u->fault);
        number(p, twin, "power", &u->power, QUICK, 2, 0.03);
        number(p, twin, "runHours", &u->hours, LAZY, 2, 0);
        count(p, twin, "rate", &u->rate, QUICK);
        count(p, twin, "passed", &u->passed, QUICK);
        wire_motor(p, twin, &u->motor);
        wire_kind(p, twin, l, n, i);
    }
}

static void wire_tank(Plant *p, const char *twin, const Tank *t) {
    number(p, twin, "level", &t->level, SLOW, 1, 0.05);
    number(p, twin, "volume", &t->volume, SLOW, 2, 0);
    number(p, twin, "temperature", &t->temperature, LAZY, 1, 0.05);
}

static void wire_water(Plant *p) {
    static const char *const valves[8] = {"valve-intake",     "valve-buffer-1", "valve-buffer-2", "valve-buffer-3",
                                          "valve-carbonator", "valve-cip-1",    "valve-cip-2",    "valve-cip-3"};
    for (int i = 0; i < PUMPS; i++) {
        const char *twin = name(p, "pump-%d", i + 1);
        Pump *m = &p->pumps[i];
        text(p, twin, "state", &m->state);
        text(p, twin, "fault", &m->fault);
        number(p, twin, "flow", &m->flow, QUICK, 1, 0.2);
        number(p, twin, "suctionPressure", &m->suction, QUICK, 2, 0.01);
        number(p, twin, "dischargePressure", &m->discharge, QUICK, 2, 0.01);
        number(p, twin, "power", &m->power, QUICK, 1, 0.05);
        number(p, twin, "runHours", &m->hours, LAZY, 2, 0);
        wire_motor(p, twin, &m->motor);
    }
    for (int i = 0; i < 2; i++) {
        number(p, name(p, "well-%d", i + 1), "waterDepth", &p->well_depth[i], SLOW, 2, 0.01);
        number(p, name(p, "well-%d", i + 1), "temperature", &p->well_temperature[i], LAZY, 1, 0.03);
    }
    for (int i = 0; i < 8; i++) number(p, valves[i], "opening", &p->valve[i], SLOW, 0, 0);
    wire_tank(p, "raw-water-tank", &p->raw);
    for (int i = 0; i < 3; i++) wire_tank(p, name(p, "buffer-tank-%d", i + 1), &p->buffer[i]);
    number(p, "intake-meter", "flow", &p->intake, QUICK, 1, 0.15);
    number(p, "intake-meter", "total", &p->intake_total, SLOW, 2, 0);
    text(p, "water-treatment", "state", &p->running);
    number(p, "water-treatment", "flow", &p->treated, QUICK, 1, 0.15);
    number(p, "water-treatment", "differentialPressure", &p->filter_dp, SLOW, 3, 0.002);
    number(p, "water-treatment", "conductivity", &p->conductivity, SLOW, 0, 0.8);
    number(p, "water-treatment", "power", &p->treatment_kw, SLOW, 1, 0.03);
}

static void wire_utilities(Plant *p) {
    text(p, "carbonator", "state", &p->running);
    number(p, "carbonator", "flow", &p->carb_flow, QUICK, 1, 0.08);
    number(p, "carbonator", "gasPressure", &p->carb_pressure, QUICK, 2, 0.01);
    number(p, "carbonator", "temperature", &p->carb_temperature, SLOW, 1, 0.05);
    number(p, "carbonator", "carbonation", &p->carbonation, SLOW, 2, 0.02);
    number(p, "carbonator", "power", &p->carb_kw, SLOW, 1, 0.03);
    text(p, "cip-skid", "state", &p->cip_state);
    text(p, "cip-skid", "phase", &p->cip_phase);
    number(p, "cip-skid", "temperature", &p->cip_temperature, SLOW, 1, 0.1);
    number(p, "cip-skid", "flow", &p->cip_flow, SLOW, 1, 0.05);
    number(p, "cip-skid", "power", &p->cip_kw, SLOW, 1, 0.01);
    wire_tank(p, "co2-tank", &p->co2);
    wire_tank(p, "caustic-tank", &p->caustic);
    wire_tank(p, "acid-tank", &p->acid);
    for (int i = 0; i < 2; i++) {
        const char *chiller = name(p, "chiller-%d", i + 1), *air = name(p, "air-compressor-%d", i + 1);
        text(p, chiller, "state", &p->running);
        number(p, chiller, "supplyTemperature", &p->chill_supply[i], SLOW, 1, 0.05);
        number(p, chiller, "returnTemperature", &p->chill_return[i], SLOW, 1, 0.05);
        number(p, chiller, "power", &p->chill_kw[i], QUICK, 1, 0.2);
        text(p, air, "state", &p->running);
        number(p, air, "pressure", &p->air_bar[i], QUICK, 2, 0.02);
        number(p, air, "power", &p->air_kw[i], QUICK, 1, 0.3);
        wire_motor(p, air, &p->air_motor[i]);
    }
    text(p, "boiler", "state", &p->running);
    number(p, "boiler", "pressure", &p->boiler_bar, SLOW, 2, 0.01);
    number(p, "boiler", "temperature", &p->boiler_temperature, SLOW, 1, 0.2);
    number(p, "boiler", "power", &p->boiler_kw, SLOW, 1, 0.02);
    for (int i = 0; i < 4; i++) {
        const char *twin = name(p, "air-handler-%d", i + 1);
        text(p, twin, "state", &p->running);
        number(p, twin, "supplyTemperature", &p->handler_supply[i], SLOW, 1, 0.1);
        number(p, twin, "fanSpeed", &p->handler_fan[i], SLOW, 0, 0);
        number(p, twin, "power", &p->handler_kw[i], SLOW, 2, 0.02);
    }
}

static void wire_power(Plant *p) {
    static const char *const breakers[7] = {"main-breaker",      "breaker-line-1",    "breaker-line-2",
                                            "breaker-line-3",    "breaker-utilities", "breaker-water",
                                            "breaker-cold-store"};
    static const char *const meters[4] = {"main-meter", "meter-lines", "meter-utilities", "meter-cold-store"};
    number(p, "grid-feed", "voltage", &p->grid_kv, QUICK, 2, 0.01);
    number(p, "grid-feed", "frequency", &p->grid_hz, QUICK, 3, 0.004);
    number(p, "transformer", "load", &p->transformer_load, QUICK, 1, 0.1);
    number(p, "transformer", "oilTemperature", &p->oil, SLOW, 1, 0.1);
    for (int i = 0; i < 7; i++) {
        flag(p, breakers[i], "closed", &p->breaker_closed[i]);
        number(p, breakers[i], "current", &p->breaker_a[i], QUICK, 0, 0.7);
    }
    for (int i = 0; i < 4; i++) {
        const Meter *m = &p->meters[i];
        number(p, meters[i], "power", &m->power, QUICK, 1, 0.3);
        number(p, meters[i], "energy", &m->energy, SLOW, 1, 0);
        number(p, meters[i], "voltage", &m->voltage, QUICK, 1, 0.2);
        number(p, meters[i], "current", &m->current, QUICK, 1, 0.4);
        number(p, meters[i], "powerFactor", &m->power_factor, SLOW, 3, 0.003);
    }
    number(p, "weather-station", "airTemperature", &p->outside, SLOW, 1, 0.05);
    number(p, "weather-station", "humidity", &p->humidity, SLOW, 0, 0.4);
    number(p, "weather-station", "windSpeed", &p->wind_speed, SLOW, 1, 0.1);
    number(p, "weather-station", "irradiance", &p->irradiance, SLOW, 0, 0.4);
}

static void wire_cold_store(Plant *p) {
    number(p, "cold-store", "power", &p->cold_kw, QUICK, 1, 0.1);
    for (int i = 0; i < ROOMS; i++) {
        const char *room = name(p, "cold-room-%d", i + 1), *coil = name(p, "evaporator-%d", i + 1);
        const char *door = name(p, "cold-door-%d", i + 1);
        Room *r = &p->rooms[i];
        number(p, room, "airTemperature", &r->temperature, SLOW, 1, 0.06);
        number(p, room, "humidity", &r->humidity, SLOW, 0, 0.4);
        count(p, room, "palletsStored", &r->pallets, LAZY);
        text(p, room, "alarm", &r->alarm);
        number(p, coil, "coilTemperature", &r->coil, SLOW, 1, 0.1);
        flag(p, coil, "fanOn", &r->fan);
        flag(p, coil, "defrosting", &r->defrosting);
        flag(p, door, "open", &r->open);
        count(p, door, "openings", &r->openings, LAZY);
        number(p, door, "openFor", &r->open_min, SLOW, 1, 0);
    }
    for (int i = 0; i < 2; i++) {
        const char *twin = name(p, "condensing-unit-%d", i + 1);
        text(p, twin, "state", &p->unit_state[i]);
        number(p, twin, "suctionPressure", &p->unit_suction[i], QUICK, 2, 0.02);
        number(p, twin, "dischargePressure", &p->unit_discharge[i], QUICK, 2, 0.03);
        number(p, twin, "power", &p->unit_kw[i], QUICK, 1, 0.08);
    }
}

static void wire_warehouse(Plant *p) {
    count(p, "montefalda", "headcount", &p->headcount, LAZY);
    number(p, "bottling-hall", "airTemperature", &p->hall, SLOW, 1, 0.05);
    number(p, "bottling-hall", "humidity", &p->hall_humidity, SLOW, 0, 0.3);
    number(p, "utility-building", "airTemperature", &p->utility_air, SLOW, 1, 0.05);
    number(p, "pump-house", "airTemperature", &p->pump_house_air, SLOW, 1, 0.05);
    number(p, "substation", "airTemperature", &p->substation_air, SLOW, 1, 0.05);
    number(p, "warehouse", "airTemperature", &p->warehouse_air, SLOW, 1, 0.05);
    number(p, "warehouse", "humidity", &p->warehouse_humidity, SLOW, 0, 0.3);
    count(p, "warehouse", "palletsStored", &p->stored_all, SLOW);
    for (int i = 0; i < AISLES; i++) count(p, name(p, "aisle-%c", 'a' + i), "palletsStored", &p->stored[i], SLOW);
    for (int i = 0; i < DOCKS; i++) {
        text(p, name(p, "dock-%d", i + 1), "state", &p->dock_state[i]);
        flag(p, name(p, "dock-%d", i + 1), "doorOpen", &p->dock_door[i]);
    }
    for (int i = 0; i < FORKLIFTS; i++) {
        const char *twin = name(p, "forklift-%d", i + 1);
        text(p, twin, "state", &p->lift_state[i]);
        number(p, twin, "battery", &p->battery[i], SLOW, 0, 0);
        number(p, twin, "liftHours", &p->lift_hours[i], LAZY, 2, 0);
    }
}

static void wire_trucks_and_shops(Plant *p) {
    static const char *const shops[SHOPS] = {"shop-porta-alta", "shop-lungofiume"};
    for (int i = 0; i < TRUCKS; i++) {
        const char *twin = name(p, "truck-%d", i + 1);
        Truck *k = &p->trucks[i];
        text(p, twin, "state", &k->state);
        number(p, twin, "latitude", &k->latitude, QUICK, 5, 0.00001);
        number(p, twin, "longitude", &k->longitude, QUICK, 5, 0.00001);
        number(p, twin, "speed", &k->speed, QUICK, 0, 0);
        number(p, twin, "heading", &k->heading, QUICK, 0, 0);
        number(p, twin, "odometer", &k->odometer, SLOW, 1, 0);
        number(p, twin, "fuel", &k->fuel, SLOW, 1, 0.05);
        count(p, twin, "pallets", &k->pallets, SLOW);
        number(p, twin, "reefer.airTemperature", &k->reefer.temperature, SLOW, 1, 0.05);
        flag(p, twin, "reefer.compressorOn", &k->reefer.on);
        number(p, twin, "reefer.power", &k->reefer.power, SLOW, 2, 0.01);
    }
    for (int i = 0; i < SHOPS; i++) {
        Shop *s = &p->shops[i];
        flag(p, shops[i], "open", &s->open);
        count(p, shops[i], "customersToday", &s->customers, SLOW);
        number(p, shops[i], "airTemperature", &s->air, SLOW, 1, 0.05);
        const char *till = arena_printf(&p->keep, "%s-till", shops[i]).p;
        count(p, till, "bottlesSoldToday", &s->sold, SLOW);
        flag(p, till, "online", &p->online);
        for (int k = 0; k < 3; k++) {
            count(p, arena_printf(&p->keep, "%s-shelf-%d", shops[i], k + 1).p, "bottles", &s->shelf[k], SLOW);
        }
        for (int k = 0; k < 2; k++) {
            const char *fridge = arena_printf(&p->keep, "%s-fridge-%d", shops[i], k + 1).p;
            number(p, fridge, "unit.airTemperature", &s->unit[k].temperature, SLOW, 1, 0.05);
            flag(p, fridge, "unit.compressorOn", &s->unit[k].on);
            number(p, fridge, "unit.power", &s->unit[k].power, SLOW, 2, 0.01);
            flag(p, fridge, "doorOpen", &s->door[k]);
            count(p, fridge, "bottles", &s->fridge[k], SLOW);
        }
    }
}

void plant_wire(Plant *p) {
    static const char *const gateways[6] = {"gateway-line-1", "gateway-line-2", "gateway-line-3",
                                            "gateway-water",  "gateway-power",  "gateway-cold-store"};
    for (int i = 0; i < LINES; i++) wire_line(p, i);
    wire_water(p);
    wire_utilities(p);
    wire_power(p);
    wire_cold_store(p);
    wire_warehouse(p);
    wire_trucks_and_shops(p);
    for (int i = 0; i < 6; i++) {
        count(p, gateways[i], "signalsPerMinute", &p->gateway_rate[i], LAZY);
        number(p, gateways[i], "cpuLoad", &p->gateway_cpu[i], SLOW, 0, 1);
    }
}

// ---- reading ------------------------------------------------------------------------------------------------------

// What a flag or text holds now, as a number to compare.
static int64_t state_of(const Sensor *s) {
    if (s->kind == PLANT_FLAG) return *(const bool *)s->at;
    return s->kind == PLANT_TEXT ? (int64_t)(intptr_t) * (const char *const *)s->at : 0;
}

static void read_sensor(Plant *p, Sensor *s, PlantValue *out) {
    *out =
        (PlantValue){.twin = s->twin, .path = s->path, .kind = s->kind, .digits = s->digits, .time_ns = plant_time(p)};
    switch (s->kind) {
    case PLANT_NUMBER: {
        double scale = pow(10, s->digits), v = *(const double *)s->at;
        if (s->noise > 0) v += s->noise * rng_normal(&p->rng);
        if (v < 0 && *(const double *)s->at >= 0) v = 0; // a stopped pump does not deliver backwards
        out->number = round(v * scale) / scale + 0.0;    // no -0
        break;
    }
    case PLANT_COUNT: out->count = (int64_t)floor(*(const double *)s->at); break;
    case PLANT_FLAG: out->flag = *(const bool *)s->at; break;
    case PLANT_TEXT: out->text = *(const char *const *)s->at; break;
    }
}

bool plant_next(Plant *p, PlantValue *out) {
    while (p->cursor < p->sensor_count) {
        int32_t i = p->cursor++;
        Sensor *s = &p->sensors[i];
        int64_t state = state_of(s);
        bool changed = s->last != state && (s->kind == PLANT_FLAG || s->kind == PLANT_TEXT);
        if (p->t + 1e-6 < s->next_s && !changed) continue;
        bool first = s->next_s <= 0;
        // After the first round readings spread over their interval, as sensors do that know nothing of each other.
        s->next_s = first ? p->t + s->interval_s * (0.1 + 0.9 * (i * 61 % 97) / 97.0) : p->t + s->interval_s;
        s->last = state;
        read_sensor(p, s, out);
        return true;
    }
    return false;
}

int32_t plant_sensors(const Plant *p) { return p->sensor_count; }
