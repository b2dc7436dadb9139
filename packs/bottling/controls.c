// SPDX-License-Identifier: Apache-2.0
// What the controllers of machines take: commands, as they come in over the site's door.
#include <stdio.h>
#include "codec/json.h"
#include "plant_state.h"

#define CLEAR_S 30.0 // to reverse the infeed star and throw out what lies in it

static int refuse(Buf *answer, int status, const char *why) {
    buf_printf(answer, "{\"why\":\"%s\"}", why);
    return status;
}

// ---- fillers ------------------------------------------------------------------------------------------------------

// A speed in bottles an hour; more than the line is built for is that.
static bool read_speed(const Json *v, const Line *l, double *out) {
    if (!v || !json_is_number(v) || json_f64(v) < 0) return false;
    double speed = json_f64(v);
    *out = speed < l->target ? speed : l->target;
    return true;
}

static int clear_jam(Line *l, const Json *payload, Buf *answer) {
    const Json *speed = payload ? json_get(payload, STR("speed")) : NULL;
    double limit = l->limit;
    if (speed && !read_speed(speed, l, &limit)) return refuse(answer, 400, "speed is bottles an hour");
    if (l->fault_unit != FILLER) return refuse(answer, 409, "there is no jam");
    l->limit = limit;
    if (l->clear_left <= 0) l->clear_left = CLEAR_S;
    buf_printf(answer, "{\"seconds\":%.0f,\"speed\":%.0f}", l->clear_left, l->limit);
    return 200;
}

static int set_speed(Line *l, const Json *payload, Buf *answer) {
    double limit;
    if (!read_speed(payload, l, &limit)) return refuse(answer, 400, "a speed in bottles an hour is expected");
    l->limit = limit;
    buf_printf(answer, "%.0f", l->limit);
    return 200;
}

// ---- any machine --------------------------------------------------------------------------------------------------

static int reset_unit(Line *l, int unit, Buf *answer) {
    if (l->fault_unit != unit) return refuse(answer, 409, "there is no fault");
    if (unit == FILLER) return refuse(answer, 409, "bottles lie in the infeed star: clear the jam");
    l->fault_left = 0;
    return 200;
}

static int reset_pump(Pump *m) {
    m->fault_left = 0;
    m->on = false;
    return 200;
}

// ---- who is who ---------------------------------------------------------------------------------------------------

// Which of `count` things that are called FMT with 1, 2 ...; -1: none.
static int number_of(Str twin, const char *fmt, int count) __attribute__((format(printf, 2, 0)));
static int number_of(Str twin, const char *fmt, int count) {
    char name[64];
    for (int i = 0; i < count; i++) {
        int n = snprintf(name, sizeof name, fmt, i + 1);
        if (str_eq(twin, (Str){name, n})) return i;
    }
    return -1;
}

static int unit_of(int line, Str twin) {
    char name[64];
    for (int i = 0; i < UNITS; i++) {
        int n = snprintf(name, sizeof name, "line-%d-%s", line + 1, plant_unit_name(line, i));
        if (str_eq(twin, (Str){name, n})) return i;
    }
    return -1;
}

static int command_unit(Line *l, int unit, Str command, const Json *payload, Buf *answer) {
    if (str_eq(command, STR("reset"))) return reset_unit(l, unit, answer);
    if (unit == FILLER && str_eq(command, STR("clearJam"))) return clear_jam(l, payload, answer);
    if (unit == FILLER && str_eq(command, STR("setSpeed"))) return set_speed(l, payload, answer);
    return refuse(answer, 404, "it has no such command");
}

int plant_command(Plant *p, Str twin, Str command, Str payload, Buf *answer) {
    Arena arena;
    Json v;
    arena_init(&arena, 1024);
    bool given = str_trim(payload).n > 0;
    bool good = !given || json_parse(payload, NULL, &arena, &v, NULL) == ERR_OK;
    int status = good ? 0 : refuse(answer, 400, "the payload is no JSON");
    for (int i = 0; !status && i < LINES; i++) {
        int unit = unit_of(i, twin);
        if (unit >= 0) status = command_unit(&p->lines[i], unit, command, given ? &v : NULL, answer);
    }
    int pump = status ? -1 : number_of(twin, "pump-%d", PUMPS);
    if (pump >= 0 && str_eq(command, STR("reset"))) status = reset_pump(&p->pumps[pump]);
    if (!status) status = refuse(answer, 404, "nothing of that name takes commands here");
    arena_free(&arena);
    return status;
}

int plant_jam(Plant *p, Str line, Buf *answer) {
    int i = number_of(line, "line-%d", LINES);
    if (i < 0) return refuse(answer, 404, "there is no such line");
    plant_line_jam(&p->lines[i]);
    return 200;
}
