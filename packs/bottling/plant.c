// SPDX-License-Identifier: Apache-2.0
#include "plant.h"
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "plant_state.h"

#define LOCAL_OFFSET_S 3600.0 // the plant lives at UTC+1 all year
#define DAY_S 86400.0
#define SETTLE_S 600
#define FOULING_S 9000.0 // from the first scrap in a filler's star until it jams
#define CALM_AFTER_S 1500.0
#define CALM_UNTIL_S 3600.0
#define PLAIN_S 1800.0  // so long before the jam no other stop of that line begins
#define MENDS_S 21600.0 // from then until somebody comes by
#define AT_WORK_S 900.0 // a line runs so long, by its plan, before its filler jams
#define PI 3.14159265358979323846

// ---- small tools --------------------------------------------------------------------------------------------------

static double clamp(double v, double low, double high) { return v < low ? low : v > high ? high : v; }

// Move *v towards `to` with time constant tau (exact for a constant target).
static void lag(double *v, double to, double tau, double dt) { *v += (to - *v) * (1 - exp(-dt / tau)); }

static void ramp(double *v, double to, double up, double down, double dt) {
    if (*v < to) *v = fmin(to, *v + up * dt);
    else *v = fmax(to, *v - down * dt);
}

// True with the chance of a Poisson process of `per_hour` events.
static bool happens(Plant *p, double per_hour, double dt) { return rng_f64(&p->rng) < 1 - exp(-per_hour * dt / 3600); }

static double between(Plant *p, double low, double high) { return low + (high - low) * rng_f64(&p->rng); }

// An autoregressive disturbance of unit variance with correlation time tau.
static void wander(Plant *p, double *v, double tau, double dt) {
    double keep = exp(-dt / tau);
    *v = *v * keep + sqrt(1 - keep * keep) * rng_normal(&p->rng);
}

static double local_s(const Plant *p) { return (double)(p->start_ns / NS_PER_MS) / 1e3 + p->t + LOCAL_OFFSET_S; }
static double hour_of_day(const Plant *p) { return fmod(local_s(p), DAY_S) / 3600; }
static int weekday(const Plant *p) { return (int)((int64_t)(local_s(p) / DAY_S) + 4) % 7; } // 1970 began on a Thursday
static double year_share(const Plant *p) { return fmod(local_s(p) / DAY_S, 365.25) / 365.25; }

// ---- motors -------------------------------------------------------------------------------------------------------

// load 0: off; 1: rated.
static void motor_step(Motor *m, double load, double ambient, double dt) {
    lag(&m->speed, m->rated_rpm * clamp(load, 0, 1.2), 3, dt);
    double share = m->speed / m->rated_rpm;
    m->current = share < 0.01 ? 0 : m->rated_a * (0.28 + 0.66 * share) * (1 + 0.2 * m->drag);
    lag(&m->temperature, ambient + (46 + 60 * m->drag) * share * share, 1500, dt);
    m->vibration = 0.02 + 0.22 * share + m->shake * share;
}

static void motor_start(Motor *m, double rpm, double amps, double load, double ambient) {
    *m = (Motor){.rated_rpm = rpm, .rated_a = amps, .speed = rpm * load, .temperature = ambient + 46 * load * load};
    motor_step(m, load, ambient, 0.001);
}

// ---- weather and air ----------------------------------------------------------------------------------------------

static void weather_step(Plant *p, double dt) {
    double hour = hour_of_day(p), year = year_share(p);
    wander(p, &p->drift, 6 * 3600, dt);
    wander(p, &p->cloud, 2400, dt);
    wander(p, &p->wind, 1200, dt);
    double mean = 12.5 - 10.5 * cos(2 * PI * (year - 0.045));
    p->outside = mean + 4.5 * cos(2 * PI * (hour - 15) / 24) + 2.2 * p->drift;
    p->humidity = clamp(68 - 2.1 * (p->outside - mean) + 5 * p->cloud, 18, 100);
    p->wind_speed = fabs(2.4 + 1.3 * p->wind);
    double elevation = sin(2 * PI * (hour - 6.4) / 24) * (0.72 - 0.3 * cos(2 * PI * (year - 0.03)));
    p->irradiance = elevation <= 0 ? 0 : 980 * elevation * clamp(0.72 - 0.24 * p->cloud, 0.1, 1);
}

static void air_step(Plant *p, double dt) {
    double lines_kw = p->meters[1].power;
    lag(&p->hall, 19.5 + 0.12 * (p->outside - 12) + lines_kw / 190, 2700, dt);
    lag(&p->hall_humidity, 52 + 6 * (lines_kw > 200) + 0.1 * (p->humidity - 68), 1800, dt);
    lag(&p->utility_air, 22 + 0.2 * (p->outside - 12) + p->meters[2].power / 120, 1800, dt);
    lag(&p->warehouse_air, 14 + 0.35 * (p->outside - 12), 14400, dt);
    lag(&p->warehouse_humidity, 0.8 * p->humidity, 7200, dt);
    lag(&p->substation_air, 18 + 0.3 * (p->outside - 12) + 0.06 * p->transformer_load, 3600, dt);
    lag(&p->pump_house_air, 13 + 0.3 * (p->outside - 12), 7200, dt);
    double halls[4] = {p->hall, p->hall, p->warehouse_air, p->utility_air};
    for (int i = 0; i < 4; i++) {
        double want = clamp(35 + 9 * (halls[i] - 19), 20, 100);
        ramp(&p->handler_fan[i], want, 1, 1, dt);
        lag(&p->handler_supply[i], clamp(20 - 0.6 * (halls[i] - 20), 12, 28), 600, dt);
        p->handler_kw[i] = 0.4 + 7.5 * pow(p->handler_fan[i] / 100, 3);
    }
}

// ---- bottling lines -----------------------------------------------------------------------------------------------

typedef enum Plan { PLAN_OFF, PLAN_BREAK, PLAN_CLEAN, PLAN_RUN } Plan;

// 0 night (22-06), 1 morning (06-14), 2 afternoon (14-22); counted from 1970 to see a change.
static int shift_now(const Plant *p) { return (int)((local_s(p) + 2 * 3600) / (8 * 3600)); }

static const char *shift_name(int number) {
    static const char *const names[] = {"night", "morning", "afternoon"};
    return names[number % 3];
}

static Plan plan_of(const Plant *p, int line) {
    int shift = shift_now(p) % 3, day = weekday(p);
    double into = fmod(local_s(p) + 2 * 3600, 8 * 3600); // seconds into the shift
    if (day == 0 && line != 0) return PLAN_OFF;          // Sundays only line 1
    if (line == 2 && shift == 0) return PLAN_OFF;        // no glass at night
    if (shift == 0 && line == (int)((int64_t)(local_s(p) / DAY_S) % 2) && into >= 7.5 * 3600) return PLAN_CLEAN;
    double pause = (3.5 + 0.45 * line) * 3600; // breaks are staggered, so that the crew can relieve each other
    return into >= pause && into < pause + 20 * 60 ? PLAN_BREAK : PLAN_RUN;
}

static const char *fault_text(int unit) {
    static const char *const texts[UNITS] = {
        "oven zone 3 too cold",
        "bottle fallen on belt",
        "gripper not closed",
        "jam at infeed star",
        "no caps in chute",
        "photocell blocked",
        "camera 2 no image",
        "label web torn",
        "bottle fallen on belt",
        "film cut missed",
        "pack askew at merge",
        "layer sheet missing",
        "film torn",
    };
    return texts[unit];
}

static void set_fault(Line *l, int unit) {
    l->fault_unit = unit;
    l->units[unit].fault = fault_text(unit);
    l->units[unit].motor.shake = unit == FILLER ? 0.5 : 0.25;
}

static void begin_fault(Plant *p, Line *l) {
    static const int often[] = {FILLER, FILLER, FILLER, LABELLER, PACKER, CONVEYOR_2, CAPPER, PALLETISER};
    uint64_t n = sizeof often / sizeof *often;
    set_fault(l, rng_f64(&p->rng) < 0.8 ? often[rng_below(&p->rng, n)] : (int)rng_below(&p->rng, UNITS));
    l->fault_left = between(p, 70, 420);
}

static void end_fault(Line *l) {
    if (l->fault_unit < 0) return;
    l->units[l->fault_unit].fault = "";
    l->units[l->fault_unit].motor.shake = 0;
    if (l->stuck) l->fouling = l->units[FILLER].motor.drag = 0; // what lay in the star is out
    l->fault_unit = -1;
    l->stuck = false;
    l->mends_at = INFINITY;
    l->clear_left = 0;
    l->after_fault = 120;
}

void plant_line_jam(Line *l) {
    end_fault(l);
    set_fault(l, FILLER);
    l->stuck = true;
}

// Scraps gather in the filler's infeed star: its drive labours, gets warm and shakes, the filler loses speed and fills
// less evenly, until the star jams.
static void fouling_step(Plant *p, Line *l) {
    Motor *m = &l->units[FILLER].motor;
    if (l->jams_at == INFINITY) return;
    double x = clamp(1 + (p->t - l->jams_at) / FOULING_S, 0, 1);
    l->fouling = x * x;
    m->drag = l->fouling;
    if (l->fault_unit != FILLER) m->shake = 0.45 * l->fouling;
    if (p->t < l->jams_at) return;
    plant_line_jam(l);
    l->jams_at = INFINITY;
    l->mends_at = p->t + MENDS_S;
}

// One that is stuck outlasts breaks and shifts; whoever clears it is done after a while, whatever the plan.
static bool fault_passes(Plant *p, Line *l, Plan plan, double dt) {
    bool cleared = (l->clear_left > 0 && l->clear_left <= dt) || p->t >= l->mends_at;
    l->clear_left = fmax(0, l->clear_left - dt);
    l->fault_left -= dt;
    return cleared || (!l->stuck && (l->fault_left <= 0 || plan != PLAN_RUN));
}

// Drawn all the same: what comes later does not depend on it.
static bool breaks(Plant *p, double per_hour, double dt) {
    return happens(p, per_hour, dt) && !(p->t >= p->calm_from && p->t < p->calm_to);
}

// What announces a jam is not covered by stops that pass.
static bool announces(const Plant *p, const Line *l) { return p->t > l->jams_at - PLAIN_S; }

static void faults_step(Plant *p, Line *l, Plan plan, double dt) {
    if (l->fault_unit >= 0) {
        if (!fault_passes(p, l, plan, dt)) return;
        end_fault(l);
    } else if (plan == PLAN_RUN && l->speed > 0.5 * l->limit && breaks(p, 1.4, dt) && !announces(p, l)) {
        begin_fault(p, l);
    }
    l->after_fault = fmax(0, l->after_fault - dt);
}

static const char *unit_state(const Line *l, int i, Plan plan) {
    if (l->fault_unit == i && l->stuck) return "faulted"; // no break mends it
    if (plan == PLAN_OFF) return "stopped";
    if (plan == PLAN_CLEAN) return "cleaning";
    if (plan == PLAN_BREAK) return "idle";
    if (l->fault_unit == i) return "faulted";
    if (l->fault_unit >= 0) return i < l->fault_unit ? "blocked" : "starved";
    return "running";
}

static double unit_rate(const Line *l, int i) {
    bool conveyor = i == CONVEYOR_1 || i == CONVEYOR_2 || i == CONVEYOR_3 || i == CONVEYOR_4;
    return l->speed * (conveyor ? 1.04 : 1);
}

// Readings that belong to one kind of machine.
static void unit_details(Plant *p, Line *l, int i, double dt) {
    Unit *u = &l->units[i];
    double share = l->speed / l->target;
    bool busy = share > 0.05;
    switch (i) {
    case BLOWER:
        lag(&u->a, busy ? 104 : 60, 400, dt);
        lag(&u->b, busy ? p->air_bar[0] - 2.2 : p->air_bar[0], 20, dt);
        u->c = u->c < 1 ? 12 : u->c - l->speed * dt / 3600 / 90;
        break;
    case RINSER: lag(&u->a, busy ? 2.6 : 3.1, 5, dt); break;
    case FILLER:
        lag(&u->a, 62 + 3 * p->cloud - (busy ? 0 : 6), 30, dt);
        lag(&u->b, l->bottle_l > 0.6 ? 4.1 : 1.2, 60, dt);
        lag(&u->c, l->bottle_l > 0.6 ? p->carb_temperature + 0.8 : 14.5, 300, dt);
        lag(&u->d, l->after_fault > 0 ? 2.4 : 0.2 + 1.6 * l->fouling, 90, dt);
        break;
    case CAPPER:
        lag(&u->a, busy ? 1.75 + 0.05 * p->wind : 0, 8, dt);
        u->b = u->b < 800 ? 24000 : u->b - l->speed * dt / 3600;
        break;
    case LABELLER:
        u->a = u->a < 50 ? 26000 : u->a - l->speed * dt / 3600;
        lag(&u->b, busy ? 152 : 110, 500, dt);
        break;
    case PACKER:
        lag(&u->a, busy ? 178 : 90, 600, dt);
        u->b = u->passed / 6;
        break;
    case PALLETISER:
        u->a = u->passed / l->per_pallet;
        u->b = 1 + floor(fmod(u->a, 1) * 6);
        break;
    case WRAPPER: u->a = u->a < 20 ? 1400 : u->a - l->speed * dt / 3600 / l->per_pallet * 14; break;
    default: // conveyors
        u->a = unit_rate(l, i) / 36000 * 0.9;
        lag(&u->b, l->fault_unit > i ? 92 : l->fault_unit >= 0 ? 6 : busy ? 38 : 24, 45, dt);
        break;
    }
}

static void units_step(Plant *p, Line *l, Plan plan, double dt) {
    l->power = 0;
    for (int i = 0; i < UNITS; i++) {
        Unit *u = &l->units[i];
        u->state = unit_state(l, i, plan);
        bool stuck = l->fault_unit == i;
        u->rate = stuck ? 0 : unit_rate(l, i);
        double load = u->rate / l->target;
        motor_step(&u->motor, load, p->hall, dt);
        u->power =
            (plan == PLAN_OFF ? 0.03 : 0.09) * u->rated_kw + 0.88 * u->rated_kw * load * (1 + 0.2 * u->motor.drag);
        u->passed += u->rate * dt / 3600;
        if (load > 0.02) u->hours += dt / 3600;
        unit_details(p, l, i, dt);
        l->power += u->power;
    }
}

static void new_shift(Line *l, int number) {
    l->shift_number = number;
    l->shift = shift_name(number);
    l->good = l->rejected = l->planned_s = l->run_s = 0;
    for (int i = 0; i < UNITS; i++) l->units[i].passed = 0;
}

static void line_step(Plant *p, int number, double dt) {
    Line *l = &p->lines[number];
    Plan plan = plan_of(p, number);
    if (shift_now(p) != l->shift_number) new_shift(l, shift_now(p));
    fouling_step(p, l);
    faults_step(p, l, plan, dt);
    bool want = plan == PLAN_RUN && l->fault_unit < 0;
    double pace = l->limit * (0.985 + 0.012 * p->wind / 3) * (1 - 0.12 * l->fouling);
    ramp(&l->speed, want ? pace : 0, l->target * 0.015, l->target * 0.12, dt);
    double bad = clamp(0.0042 + 0.001 * p->cloud + (l->after_fault > 0 ? 0.028 : 0) + 0.008 * l->fouling, 0.0005, 0.2);
    lag(&l->reject_rate, l->speed > 0 ? 100 * bad : 0, 150, dt);
    double made = l->speed * dt / 3600;
    l->good += made * (1 - bad);
    l->rejected += made * bad;
    l->order_made = fmod(l->order_made + made * (1 - bad), l->order);
    if (plan == PLAN_RUN) l->planned_s += dt;
    if (l->speed > 0.5 * l->limit) l->run_s += dt;
    l->availability = l->planned_s > 60 ? clamp(100 * l->run_s / l->planned_s, 0, 100) : 100;
    l->state = plan == PLAN_RUN && l->fault_unit >= 0 ? "faulted" : unit_state(l, UNITS, plan);
    l->water = l->speed * l->bottle_l / 1000 * 1.18 + (l->speed > 0 ? 0.9 : 0) + (plan == PLAN_CLEAN ? 7.5 : 0);
    units_step(p, l, plan, dt);
    p->stock[number] += made * (1 - bad) / l->per_pallet;
}

// ---- water --------------------------------------------------------------------------------------------------------

static void pump_step(Plant *p, int i, double dt) {
    Pump *m = &p->pumps[i];
    bool cavitates = m->fault_left > 0;
    if (cavitates) m->fault_left -= dt;
    else if (m->on && breaks(p, 0.09, dt)) m->fault_left = between(p, 500, 1500);
    m->fault = m->on && cavitates ? "cavitation suspected" : "";
    m->motor.shake = cavitates ? 0.8 + 0.2 * rng_normal(&p->rng) : 0;
    motor_step(&m->motor, m->on ? 0.94 : 0, p->pump_house_air, dt);
    double share = m->motor.speed / m->motor.rated_rpm;
    lag(&m->flow, 54 * share * (cavitates ? 0.62 + 0.05 * rng_normal(&p->rng) : 1), 4, dt);
    double depth = p->well_depth[i == 2];
    lag(&m->suction, cavitates && m->on ? 0.12 : 1.35 - 0.045 * (depth - 17), 6, dt);
    lag(&m->discharge, 0.9 + 3.6 * share * (cavitates ? 0.7 : 1), 5, dt);
    m->power = m->on ? 1.2 + 11.5 * share : 0.1;
    if (m->on) m->hours += dt / 3600;
    m->state = m->on ? "running" : "idle";
}

static void tank_fill(Tank *t, double in_m3h, double out_m3h, double dt) {
    t->inflow = in_m3h;
    t->volume = clamp(t->volume + (in_m3h - out_m3h) * dt / 3600, 0, t->capacity);
    t->level = 100 * t->volume / t->capacity;
}

static void duty_step(Plant *p) {
    int on = p->pumps[0].on + p->pumps[1].on + p->pumps[2].on;
    int first = (int)((int64_t)(local_s(p) / DAY_S) % PUMPS); // the lead changes every day
    if (p->raw.level < 58 && on == 0) p->pumps[first].on = true;
    if (p->raw.level < 46 && on <= 1) p->pumps[(first + 1) % PUMPS].on = true;
    if (p->raw.level < 30) p->pumps[0].on = p->pumps[1].on = p->pumps[2].on = true;
    if (p->raw.level > 74 && on >= 2) p->pumps[(first + 1) % PUMPS].on = p->pumps[(first + 2) % PUMPS].on = false;
    if (p->raw.level > 88) p->pumps[0].on = p->pumps[1].on = p->pumps[2].on = false;
}

static void water_step(Plant *p, double dt) {
    duty_step(p);
    p->intake = 0;
    for (int i = 0; i < PUMPS; i++) {
        pump_step(p, i, dt);
        p->intake += p->pumps[i].flow;
    }
    double drawn[2] = {p->pumps[0].flow + p->pumps[1].flow, p->pumps[2].flow};
    for (int i = 0; i < 2; i++) lag(&p->well_depth[i], 17.2 + 0.8 * i + 0.055 * drawn[i], 1800, dt);
    p->treated = 0;
    for (int i = 0; i < 3; i++) {
        double in = clamp((76 - p->buffer[i].level) * 6, 0, 45);
        ramp(&p->valve[1 + i], in / 45 * 100, 4, 4, dt);
        tank_fill(&p->buffer[i], p->valve[1 + i] * 0.45, p->lines[i].water, dt);
        lag(&p->buffer[i].temperature, 13.4 + 0.1 * (p->utility_air - 22), 7200, dt);
        p->treated += p->valve[1 + i] * 0.45;
    }
    tank_fill(&p->raw, p->intake, p->treated * 1.03, dt);
    lag(&p->raw.temperature, 12.6 + 0.05 * (p->outside - 12), 9000, dt);
    p->intake_total += p->intake * dt / 3600;
    p->valve[0] = p->intake > 1 ? clamp(p->intake / 1.2, 8, 100) : 0;
    p->filter_dp += p->treated * dt / 3600 * 0.00022;
    if (p->filter_dp > 0.75) p->filter_dp = 0.24; // backwash
    p->conductivity = 412 + 6 * p->drift;
    p->treatment_kw = 1.1 + 0.09 * p->treated;
}

// ---- utilities ----------------------------------------------------------------------------------------------------

static void cleaning_step(Plant *p, double dt) {
    static const char *const phases[] = {"rinse", "caustic", "acid", "finalRinse"};
    bool wanted = false;
    for (int i = 0; i < LINES; i++) {
        bool cleans = plan_of(p, i) == PLAN_CLEAN;
        wanted |= cleans;
        ramp(&p->valve[5 + i], cleans ? 100 : 0, 10, 10, dt);
    }
    p->cip_left = wanted ? p->cip_left + dt : 0;
    int phase = (int)clamp(p->cip_left / 450, 0, 3);
    p->cip_phase = wanted ? phases[phase] : "off";
    p->cip_state = wanted ? "running" : "stopped";
    lag(&p->cip_temperature, !wanted ? 24 : phase == 1 ? 78 : phase == 2 ? 62 : 22, 240, dt);
    lag(&p->cip_flow, wanted ? 18 : 0, 15, dt);
    p->cip_kw = wanted ? 9 : 0.2;
    Tank *used = phase == 1 ? &p->caustic : &p->acid;
    if (wanted && (phase == 1 || phase == 2)) tank_fill(used, 0, 0.25, dt);
    if (p->caustic.level < 20) p->caustic.volume = 5.4;
    if (p->acid.level < 20) p->acid.volume = 5.4;
    tank_fill(&p->caustic, 0, 0, dt);
    tank_fill(&p->acid, 0, 0, dt);
}

static void utilities_step(Plant *p, double dt) {
    double gas = p->lines[1].water + p->lines[2].water;
    lag(&p->carb_flow, gas, 10, dt);
    lag(&p->carb_pressure, 5.2 + (gas > 1 ? 0.4 : 0), 30, dt);
    lag(&p->carb_temperature, gas > 1 ? 5.6 + 0.02 * gas : 8.5, 400, dt);
    lag(&p->carbonation, gas > 1 ? 6.1 + 0.08 * p->cloud : 5.8, 120, dt);
    p->carb_kw = 1 + 0.35 * gas;
    ramp(&p->valve[4], gas > 1 ? clamp(gas * 1.9, 10, 100) : 0, 5, 5, dt);
    tank_fill(&p->co2, 0, gas * 0.0068, dt);
    if (p->co2.level < 18) p->co2.volume = 0.93 * p->co2.capacity; // the supplier came
    tank_fill(&p->co2, 0, 0, dt);
    p->co2.temperature = -22 + 0.05 * p->outside;
    double heat = gas * 8.5 + 14;
    for (int i = 0; i < 2; i++) {
        double load = clamp(heat / 175 - i, i ? 0 : 0.06, 1);
        lag(&p->chill_return[i], 6.2 + 5.5 * load, 240, dt);
        lag(&p->chill_supply[i], 2.4 + 0.7 * load, 240, dt);
        lag(&p->chill_kw[i], 2 + 62 * load * (1 + 0.012 * (p->outside - 20)), 60, dt);
    }
    double blowing = p->lines[0].speed / 36000 + p->lines[1].speed / 24000;
    double air[2] = {0.5 * blowing, clamp(0.25 + 0.22 * (blowing + p->lines[2].speed / 12000), 0, 1)};
    for (int i = 0; i < 2; i++) {
        lag(&p->air_bar[i], (i ? 7.1 : 38.5) - (i ? 0.25 : 1.4) * air[i], 90, dt);
        motor_step(&p->air_motor[i], air[i] > 0.03 ? 0.3 + 0.65 * air[i] : 0, p->utility_air, dt);
        lag(&p->air_kw[i], (i ? 4 : 8) + (i ? 48 : 150) * air[i], 30, dt);
    }
    bool steam = p->cip_temperature > 30;
    lag(&p->boiler_bar, steam ? 6.4 : 7.2, 200, dt);
    lag(&p->boiler_temperature, steam ? 92 : 98, 900, dt);
    p->boiler_kw = steam ? 6.5 : 2.2;
    cleaning_step(p, dt);
}

// ---- cold store ---------------------------------------------------------------------------------------------------

static void door_step(Plant *p, int i, double dt) {
    Room *r = &p->rooms[i];
    double hour = hour_of_day(p);
    bool work = hour > 5 && hour < 21 && weekday(p) != 0;
    if (r->open) {
        r->open_left -= dt;
        r->open_min += dt / 60;
        if (r->open_left <= 0) r->open = false, r->open_min = 0;
    } else if (happens(p, work ? 7 : 0.4, dt)) {
        r->open = true;
        r->openings++;
        bool forgotten = rng_f64(&p->rng) < 0.02;
        r->open_left = forgotten ? between(p, 700, 1900) : between(p, 15, 80);
    }
}

static void room_step(Plant *p, int i, double dt) {
    Room *r = &p->rooms[i];
    door_step(p, i, dt);
    double since = fmod(local_s(p) + i * 7200.0, 6 * 3600);
    r->defrosting = since < 18 * 60;
    if (r->temperature > r->set_point + 0.5) r->fan = true;
    if (r->temperature < r->set_point - 0.4) r->fan = false;
    bool cooling = r->fan && !r->defrosting;
    double gain = (p->warehouse_air - r->temperature) * (1.0 / (26 * 3600) + (r->open ? 1.0 / 2100 : 0));
    r->temperature += dt * (gain - (cooling ? 5.6 / 3600 * clamp((r->temperature + 12) / 16, 0.2, 2) : 0));
    lag(&r->humidity, 84 + (r->open ? 9 : 0) - (cooling ? 3 : 0), 300, dt);
    lag(&r->coil, r->defrosting ? 9 : cooling ? r->temperature - 8 : r->temperature - 0.5, 120, dt);
    r->alarm = r->open_min > 3 ? "doorOpen" : r->temperature > r->set_point + 3 ? "warm" : "none";
}

static void cold_step(Plant *p, double dt) {
    int cooling = 0;
    for (int i = 0; i < ROOMS; i++) {
        room_step(p, i, dt);
        cooling += p->rooms[i].fan && !p->rooms[i].defrosting;
    }
    p->cold_kw = 3.5;
    for (int i = 0; i < 2; i++) {
        double load = clamp(cooling / 2.0 - 0.75 * i, 0, 1);
        p->unit_state[i] = load > 0 ? "running" : "idle";
        lag(&p->unit_suction[i], load > 0 ? 2.3 : 3.4, 60, dt);
        lag(&p->unit_discharge[i], load > 0 ? 11.4 + 0.24 * (p->outside - 15) : 8.2, 60, dt);
        lag(&p->unit_kw[i], 0.3 + 17 * load, 12, dt);
        p->cold_kw += p->unit_kw[i];
    }
}

// ---- power --------------------------------------------------------------------------------------------------------

static void meter_step(Plant *p, Meter *m, double kw, double factor, double dt) {
    m->power = kw;
    m->power_factor = factor;
    m->voltage = 402 - 0.004 * p->meters[0].power + 1.1 * p->cloud;
    m->current = kw * 1000 / (1.7320508 * m->voltage * factor);
    m->energy += kw * dt / 3600;
}

static double amps(const Plant *p, double kw) { return kw * 1000 / (1.7320508 * p->meters[0].voltage * 0.9); }

static void power_step(Plant *p, double dt) {
    double lines = 0, utilities = p->carb_kw + p->cip_kw + p->boiler_kw, water = p->treatment_kw, handlers = 0;
    for (int i = 0; i < LINES; i++) lines += p->lines[i].power;
    for (int i = 0; i < 2; i++) utilities += p->chill_kw[i] + p->air_kw[i];
    for (int i = 0; i < PUMPS; i++) water += p->pumps[i].power;
    for (int i = 0; i < 4; i++) handlers += p->handler_kw[i];
    double hour = hour_of_day(p), light = 18 + (hour < 7 || hour > 17 ? 22 : 6);
    for (int i = 0; i < FORKLIFTS; i++) light += p->lift_state[i][0] == 'c' ? 6 : 0;
    double loads[6] = {p->lines[0].power, p->lines[1].power, p->lines[2].power, utilities, water, p->cold_kw};
    double all = lines + utilities + water + p->cold_kw + handlers + light;
    for (int i = 0; i < 6; i++) p->breaker_a[1 + i] = amps(p, loads[i]) * 1.03;
    p->breaker_a[0] = amps(p, all) * 1.02;
    meter_step(p, &p->meters[0], all, 0.93, dt);
    meter_step(p, &p->meters[1], lines, 0.91, dt);
    meter_step(p, &p->meters[2], utilities + water, 0.88, dt);
    meter_step(p, &p->meters[3], p->cold_kw, 0.86, dt);
    p->transformer_load = 100 * all / 0.93 / 1600;
    lag(&p->oil, p->substation_air + 12 + 38 * pow(p->transformer_load / 100, 1.6), 9000, dt);
    p->grid_kv = 15.1 - 0.0001 * all + 0.03 * p->cloud;
    p->grid_hz = 50 + 0.012 * p->wind;
}

// ---- warehouse ----------------------------------------------------------------------------------------------------

// Take pallets of the product that there is most of; returns how many.
static double take_pallets(Plant *p, double wanted) {
    int most = 0;
    for (int i = 1; i < 3; i++) {
        if (p->stock[i] > p->stock[most]) most = i;
    }
    double n = fmin(wanted, floor(p->stock[most]));
    p->stock[most] -= n;
    return n;
}

static void docks_step(Plant *p, double dt) {
    for (int i = 2; i < DOCKS; i++) { // hauliers; docks 1 and 2 belong to the plant's own trucks
        if (p->dock_left[i] > 0) {
            p->dock_left[i] -= dt;
            if (p->dock_left[i] <= 0) take_pallets(p, 33);
        }
        double all = p->stock[0] + p->stock[1] + p->stock[2];
        if (p->dock_left[i] <= 0 && all > 1150 && happens(p, 6, dt)) p->dock_left[i] = between(p, 1000, 1500);
        p->dock_state[i] = p->dock_left[i] > 0 ? "loading" : "free";
        p->dock_door[i] = p->dock_left[i] > 0;
    }
    for (int i = 0; i < TRUCKS; i++) {
        bool here = p->trucks[i].state[0] == 'l', parked = p->trucks[i].state[0] == 'p';
        p->dock_state[i] = here ? "loading" : parked ? "waiting" : "free";
        p->dock_door[i] = here;
    }
}

static void forklifts_step(Plant *p, double dt) {
    double work = 0;
    for (int i = 0; i < LINES; i++) work += p->lines[i].speed / p->lines[i].target;
    for (int i = 0; i < FORKLIFTS; i++) {
        bool charging = p->lift_state[i][0] == 'c';
        if (charging) {
            p->battery[i] += dt / 3600 * 30;
            if (p->battery[i] >= 97) p->lift_state[i] = "parked";
        } else if (p->battery[i] < 18) {
            p->lift_state[i] = "charging";
        } else if (happens(p, 90, dt)) {
            double dice = rng_f64(&p->rng) * 3;
            p->lift_state[i] = dice > work ? "parked" : dice < work * 0.6 ? "driving" : "lifting";
        }
        if (p->lift_state[i][0] == 'd' || p->lift_state[i][0] == 'l') {
            p->battery[i] -= dt / 3600 * 13;
            p->lift_hours[i] += dt / 3600;
        }
    }
}

static void warehouse_step(Plant *p, double dt) {
    docks_step(p, dt);
    forklifts_step(p, dt);
    p->stored_all = 0;
    for (int i = 0; i < AISLES; i++) {
        double all = p->stock[i / 2], first = fmin(360, all * 0.55); // the front aisle fills first
        p->stock[i / 2] = fmin(all, 720);
        p->stored[i] = clamp(i % 2 ? all - first : first, 0, 360);
        p->stored_all += floor(p->stored[i]);
    }
}

// ---- trucks and shops ---------------------------------------------------------------------------------------------

static void box_step(Box *b, double ambient, double gain_s, double dt) {
    if (b->temperature > b->set_point + 0.7) b->on = true;
    if (b->temperature < b->set_point - 0.7) b->on = false;
    b->temperature += dt * ((ambient - b->temperature) / gain_s - (b->on ? 9.0 / 3600 : 0));
    lag(&b->power, b->on ? 0.62 : 0.06, 4, dt);
}

typedef struct Place {
    double latitude, longitude;
} Place;

static Place stop_of(const Plant *p, int truck, int leg) {
    if (leg == 2 || leg < 0) return (Place){44.3127, 10.6214};
    const Shop *s = &p->shops[truck ^ leg];
    return (Place){s->latitude, s->longitude};
}

static void drive_step(Plant *p, int n, double dt) {
    Truck *k = &p->trucks[n];
    Place a = stop_of(p, n, k->leg - 1), b = stop_of(p, n, k->leg);
    double share = k->done_km / k->leg_km, town = share < 0.12 || share > 0.88 ? 32 : 68;
    lag(&k->speed, fmax(4, town + 9 * p->wind + (rng_f64(&p->rng) < 0.02 ? -25 : 0)), 25, dt);
    k->done_km += k->speed * dt / 3600;
    k->odometer += k->speed * dt / 3600;
    k->fuel -= k->speed * dt / 3600 * 0.1;
    share = clamp(k->done_km / k->leg_km, 0, 1);
    double bend = 0.05 * sin(PI * share); // no road is straight
    k->latitude = a.latitude + (b.latitude - a.latitude) * share + bend * (b.longitude - a.longitude);
    k->longitude = a.longitude + (b.longitude - a.longitude) * share - bend * (b.latitude - a.latitude);
    double heading = atan2((b.longitude - a.longitude) * 0.715, b.latitude - a.latitude) * 180 / PI;
    k->heading = fmod(heading + 12 * cos(PI * share) + 360, 360);
    if (k->done_km < k->leg_km) return;
    k->speed = 0;
    k->state = k->leg == 2 ? "parked" : "unloading";
    k->left_s = between(p, 900, 1500);
}

static void deliver(Plant *p, int n) {
    Truck *k = &p->trucks[n];
    Shop *s = &p->shops[n ^ k->leg];
    for (int i = 0; i < 3; i++) s->shelf[i] = 240;
    for (int i = 0; i < 2; i++) s->fridge[i] = 120;
    k->pallets = k->leg == 0 ? floor(k->pallets / 2) : 0;
}

static void depart(Plant *p, int n, int leg) {
    static const double km[TRUCKS][3] = {{48.2, 26.5, 51.0}, {51.0, 26.5, 48.2}};
    Truck *k = &p->trucks[n];
    k->leg = leg;
    k->leg_km = km[n][leg];
    k->done_km = 0;
    k->state = "driving";
}

static void truck_step(Plant *p, int n, double dt) {
    Truck *k = &p->trucks[n];
    double hour = hour_of_day(p);
    box_step(&k->reefer, p->outside, 5 * 3600, dt);
    if (k->state[0] == 'd') {
        drive_step(p, n, dt);
        return;
    }
    k->left_s -= dt;
    if (k->left_s > 0) return;
    if (k->state[0] == 'u') {
        deliver(p, n);
        depart(p, n, k->leg + 1);
    } else if (k->state[0] == 'l') {
        k->pallets = take_pallets(p, 18);
        depart(p, n, 0);
    } else if (hour > 5 + 0.7 * n && hour < 15) {
        k->state = "loading";
        k->left_s = between(p, 1500, 2100);
        if (k->fuel < 40) k->fuel = 98;
    }
}

static void sell(Plant *p, Shop *s) {
    double *from = rng_f64(&p->rng) < 0.7 ? &s->shelf[rng_below(&p->rng, 3)] : &s->fridge[rng_below(&p->rng, 2)];
    double n = fmin(*from, (double)(1 + rng_below(&p->rng, 3)));
    *from -= n;
    s->sold += n;
    if (*from < 20) *from += 60; // from the stockroom
}

static void shop_step(Plant *p, int n, double dt) {
    Shop *s = &p->shops[n];
    double hour = hour_of_day(p),
           rush = 18 + 26 * exp(-pow((hour - 18) / 1.6, 2)) + 14 * exp(-pow((hour - 12) / 1.2, 2));
    s->open = hour >= 8 && hour < 20 && weekday(p) != 0;
    if (s->open && !s->was_open) s->customers = s->sold = 0;
    s->was_open = s->open;
    lag(&s->air, s->open ? 21.5 : 18.5, 3600, dt);
    bool came = s->open && happens(p, rush * (n ? 0.8 : 1), dt);
    if (came) {
        s->customers++;
        if (rng_f64(&p->rng) < 0.6) sell(p, s);
    }
    for (int i = 0; i < 2; i++) {
        s->door[i] = came && rng_f64(&p->rng) < 0.5;
        box_step(&s->unit[i], s->air, s->door[i] ? 1500 : 7 * 3600, dt);
    }
}

// ---- the whole ----------------------------------------------------------------------------------------------------

static void gateways_step(Plant *p, double dt) {
    for (int i = 0; i < 6; i++) {
        lag(&p->gateway_cpu[i], 22 + 4 * i + 6 * fabs(p->wind), 60, dt);
        p->gateway_rate[i] = (i < 3 ? 1450 : 320) + 10 * i;
    }
    p->headcount = 14 + (shift_now(p) % 3 ? 24 : 6) - (weekday(p) == 0 ? 12 : 0);
}

static void step(Plant *p, double dt) {
    p->t += dt;
    weather_step(p, dt);
    for (int i = 0; i < LINES; i++) line_step(p, i, dt);
    utilities_step(p, dt);
    water_step(p, dt);
    cold_step(p, dt);
    warehouse_step(p, dt);
    for (int i = 0; i < TRUCKS; i++) truck_step(p, i, dt);
    for (int i = 0; i < SHOPS; i++) shop_step(p, i, dt);
    power_step(p, dt);
    air_step(p, dt);
    gateways_step(p, dt);
}

void plant_step(Plant *p, double seconds) {
    CHECK(seconds > 0 && seconds <= 5);
    step(p, seconds);
    p->cursor = 0;
}

static Tank tank(double capacity, double level, double temperature) {
    return (Tank){.capacity = capacity, .level = level, .volume = capacity * level / 100, .temperature = temperature};
}

static void start_line(Plant *p, int i) {
    static const double targets[] = {36000, 24000, 12000}, orders[] = {600000, 400000, 90000};
    static const double litres[] = {0.5, 1.5, 0.75}, pallets[] = {1512, 504, 640};
    static const double kw[UNITS] = {120, 4, 9, 34, 6, 5, 3, 12, 4, 58, 4, 22, 8};
    Line *l = &p->lines[i];
    *l = (Line){.target = targets[i],
                .limit = targets[i],
                .bottle_l = litres[i],
                .per_pallet = pallets[i],
                .fault_unit = -1,
                .jams_at = INFINITY,
                .mends_at = INFINITY,
                .state = "stopped",
                .order = orders[i],
                .order_made = 0.4 * orders[i]};
    new_shift(l, shift_now(p));
    double into = fmod(local_s(p) + 2 * 3600, 8 * 3600) / 3600; // as if it had run since the shift began
    bool runs = plan_of(p, i) == PLAN_RUN;
    l->speed = runs ? l->target * 0.98 : 0;
    l->good = plan_of(p, i) == PLAN_OFF ? 0 : floor(l->target * 0.86 * into);
    l->rejected = floor(l->good * 0.005);
    l->planned_s = into * 3600;
    l->run_s = l->planned_s * 0.9;
    for (int u = 0; u < UNITS; u++) {
        Unit *m = &l->units[u];
        *m = (Unit){.state = "stopped", .fault = "", .rated_kw = kw[u] * (0.4 + 0.6 * l->target / 36000)};
        if (i == 2 && u == BLOWER) m->rated_kw = 14; // glass: a depalletiser
        m->passed = floor(l->good * 1.005);
        m->hours = 9000 + 137 * u + 1900 * i + floor((double)(p->start_ns / NS_PER_S - 1700000000) / 3600 * 0.7);
        motor_start(&m->motor, u == FILLER ? 960 : 1450, m->rated_kw * 1.6 + 1, l->speed / l->target, 21);
    }
    l->units[CAPPER].b = 9000 + 4000 * i;
    l->units[LABELLER].a = 21000 - 5000 * i;
    l->units[BLOWER].c = 8;
    l->units[WRAPPER].a = 900;
}

static void start_trucks_and_shops(Plant *p) {
    static const Place places[SHOPS] = {{44.6471, 10.9252}, {44.6983, 10.6312}};
    for (int i = 0; i < SHOPS; i++) {
        Shop *s = &p->shops[i];
        *s = (Shop){.latitude = places[i].latitude, .longitude = places[i].longitude, .air = 20};
        for (int k = 0; k < 3; k++) s->shelf[k] = 110 + 25 * k;
        for (int k = 0; k < 2; k++) s->fridge[k] = 70, s->unit[k] = (Box){.set_point = 5, .temperature = 5.1 + 0.4 * k};
        double open_h = clamp(hour_of_day(p) - 8, 0, 12);
        s->customers = weekday(p) ? floor(open_h * 22) : 0;
        s->sold = floor(s->customers * 1.2);
        s->was_open = hour_of_day(p) >= 8 && hour_of_day(p) < 20 && weekday(p) != 0;
    }
    for (int i = 0; i < TRUCKS; i++) {
        p->trucks[i] = (Truck){.state = "parked",
                               .leg = 2,
                               .leg_km = 50,
                               .fuel = 82 - 20 * i,
                               .latitude = 44.3127,
                               .longitude = 10.6214,
                               .reefer = {.set_point = 6, .temperature = 6.2},
                               .left_s = 300 + 400 * i};
        p->trucks[i].odometer = 210400 + 33100 * i + floor((double)(p->start_ns / NS_PER_S - 1700000000) / 3600 * 25);
        double hour = hour_of_day(p);
        if (hour > 7 && hour < 14) { // on tour already
            depart(p, i, 0);
            p->trucks[i].done_km = 6 + 11 * i;
            p->trucks[i].pallets = 18;
        }
    }
}

static void start_rest(Plant *p) {
    double hours = (double)(p->start_ns / NS_PER_S - 1700000000) / 3600; // totals only ever grow from start to start
    p->raw = tank(180, 66, 12.6);
    for (int i = 0; i < 3; i++) p->buffer[i] = tank(40, 68 + 3 * i, 13.2);
    p->co2 = tank(50, 71, -22);
    p->caustic = tank(6, 64, 19);
    p->acid = tank(6, 58, 19);
    p->intake_total = 48000 + floor(hours * 70);
    p->filter_dp = 0.31;
    for (int i = 0; i < PUMPS; i++) {
        Pump *m = &p->pumps[i];
        m->hours = 15200 + 800 * i + floor(hours * 0.6);
        m->suction = 1.3;
        m->on = i == 0;
        motor_start(&m->motor, 2900, 24, m->on ? 0.94 : 0, 13);
    }
    for (int i = 0; i < 2; i++) {
        p->well_depth[i] = 18 + i;
        p->well_temperature[i] = 11.8 + 0.3 * i;
        p->chill_supply[i] = 2.8, p->chill_return[i] = 8;
        p->air_bar[i] = i ? 7 : 38;
        p->unit_suction[i] = 2.6, p->unit_discharge[i] = 10.8;
        p->unit_state[i] = "idle";
        motor_start(&p->air_motor[i], 1480, i ? 95 : 280, 0.6, 22);
    }
    for (int i = 0; i < ROOMS; i++) {
        p->rooms[i] = (Room){.set_point = i == 2 ? 2 : 4, .humidity = 85, .alarm = "none", .pallets = 64 + 23 * i};
        p->rooms[i].temperature = p->rooms[i].set_point + 0.2;
        p->rooms[i].coil = p->rooms[i].temperature - 4;
        p->rooms[i].openings = 30100 + 2200 * i + floor(hours * 5);
    }
    for (int i = 0; i < 4; i++) {
        p->meters[i] = (Meter){.voltage = 400};
        p->meters[i].energy = floor((double[]){1050, 560, 420, 45}[i] * hours);
        p->handler_fan[i] = 45, p->handler_supply[i] = 19;
    }
    for (int i = 0; i < 7; i++) p->breaker_closed[i] = true;
    for (int i = 0; i < 3; i++) p->stock[i] = 390 + 22 * i;
    for (int i = 0; i < DOCKS; i++) p->dock_state[i] = "free";
    for (int i = 0; i < FORKLIFTS; i++) {
        p->battery[i] = 88 - 23 * i;
        p->lift_state[i] = "parked";
        p->lift_hours[i] = 5200 + 640 * i + floor(hours * 0.5);
    }
    p->hall = 21, p->hall_humidity = 55, p->utility_air = 24, p->warehouse_air = 14, p->warehouse_humidity = 55;
    p->substation_air = 20, p->pump_house_air = 13, p->oil = 48;
    p->boiler_bar = 7, p->boiler_temperature = 97, p->carb_pressure = 5.4, p->carb_temperature = 6, p->carbonation = 6;
    p->cip_phase = "off", p->cip_state = "stopped", p->cip_temperature = 24;
    p->running = "running", p->standby = "idle", p->online = true;
}

Plant *plant_new(uint64_t seed, int64_t start_ns) {
    Plant *p = mem_alloc(sizeof *p);
    arena_init(&p->keep, 0);
    p->rng = rng_make(seed, 0);
    p->start_ns = start_ns;
    p->t = -SETTLE_S; // the quick variables settle before the plant is shown
    p->drift = rng_normal(&p->rng);
    start_rest(p);
    for (int i = 0; i < LINES; i++) start_line(p, i);
    start_trucks_and_shops(p);
    for (int i = 0; i < SETTLE_S; i++) step(p, 1);
    p->t = 0;
    plant_wire(p);
    return p;
}

// The newest instant up to at_s before which line 1 was to run for a while.
static double at_work(Plant *p, double at_s) {
    double now = p->t, found = at_s;
    for (double back = 0; back < 6 * 3600; back += 60) {
        bool runs = true;
        for (double s = 0; s <= AT_WORK_S && runs; s += 60) {
            p->t = at_s - back - s;
            runs = plan_of(p, 0) == PLAN_RUN;
        }
        found = at_s - back;
        if (runs) break;
    }
    p->t = now;
    return found;
}

void plant_story(Plant *p, int64_t at_ns) {
    double at_s = (double)((at_ns - p->start_ns) / NS_PER_MS) / 1e3;
    p->lines[0].jams_at = at_work(p, at_s);
    p->calm_from = at_s + CALM_AFTER_S;
    p->calm_to = at_s + CALM_UNTIL_S;
}

void plant_free(Plant *p) {
    if (!p) return;
    arena_free(&p->keep);
    mem_free(p);
}

int64_t plant_time(const Plant *p) { return p->start_ns + (int64_t)llround(p->t * 1e3) * NS_PER_MS; }
