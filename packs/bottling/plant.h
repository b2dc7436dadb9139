// SPDX-License-Identifier: Apache-2.0
// The physical site of Montefalda, emulated: bottling lines, water, power, cold store, warehouse, trucks, shops. A
// function of (seed, start, steps): reads no clock and no socket, so the same seed gives the same values. One thread.
//
// Everything hangs together: the shift calendar starts and stops lines; line speed drives counts, motor loads, power
// and water; water demand drives tank levels and pumps; doors and weather drive the cold rooms; pallets fill aisles,
// trucks empty them and fill shops. Faults come by chance (Poisson) and pass: jams, cavitation, a door left open.
//
// Its machines obey: what was told them when is part of what the values follow from.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

typedef struct Plant Plant;

typedef enum PlantKind { PLANT_NUMBER, PLANT_COUNT, PLANT_FLAG, PLANT_TEXT } PlantKind;

// One reading of one sensor.
typedef struct PlantValue {
    const char *twin, *path;
    PlantKind kind;
    double number; // NUMBER, with `digits` behind the point
    int32_t digits;
    int64_t count;    // COUNT
    bool flag;        // FLAG
    const char *text; // TEXT
    int64_t time_ns;  // when it was measured
} PlantValue;

// A plant as it might look at start_ns (nanoseconds since 1970 UTC).
Plant *plant_new(uint64_t seed, int64_t start_ns);
void plant_free(Plant *p);
// Let time pass: one step of the physics, at most 5 s; longer times in several steps.
void plant_step(Plant *p, double seconds);
// The next reading that is due at the plant's time, in a fixed order; false when there is none left. The first round
// gives every sensor. Strings live as long as the plant.
bool plant_next(Plant *p, PlantValue *out);
// Something goes wrong at about that time (the newest instant up to it at which line 1 is at work). In the 2.5
// hours before, scraps gather in the infeed star of line 1's filler: its drive shakes, draws more and gets warm, the
// filler loses up to 12 % of its speed, fills less evenly, more bottles are rejected. Then the star jams, and stands
// until it is cleared by a command, or six hours later by somebody who comes by. In the half hour before the jam no
// other stop of that line begins: it would cover the signs. From 25 minutes after that time to an hour after it nothing
// else fails by itself: whoever looks then meets one thing at a time.
void plant_story(Plant *p, int64_t at_ns);
// Sensors in all.
int32_t plant_sensors(const Plant *p);
// The plant's time.
int64_t plant_time(const Plant *p);

// Tell a device something, as its controller takes it (controls.c). `payload` is JSON or "". Returns the status as over
// HTTP; `answer` gets the payload of the answer, JSON: 200; 400 (the payload), 404 (no such device or command), 409
// (not now), each with {"why":"..."}.
//   line-N-filler  clearJam {"speed"}  takes 30 s, then goes on, at that speed at most when one is given
//                  setSpeed N          bottles an hour, at most what the line is built for; 0 stands
//   line-N-*       reset               acknowledge a fault that somebody saw to; not a jam
//   pump-N         reset               stop and start it
int plant_command(Plant *p, Str twin, Str command, Str payload, Buf *answer);
// The filler of that line ("line-1") jams and stands until it is cleared. Answers likewise.
int plant_jam(Plant *p, Str line, Buf *answer);
