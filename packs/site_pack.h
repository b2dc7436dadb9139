// SPDX-License-Identifier: Apache-2.0
// What sosia-site knows of a pack: its documents, and the emulated site behind its sensors. A site is a function of
// seed, start and steps: it reads no clock and no socket, so the same seed gives the same values. One thread.
#pragma once
#include "base/str.h"
#include "plant.h"

typedef struct SitePack {
    const char *name, *about;
    const char *there;            // a twin by which a graph that was loaded is known
    const char *simulation_there; // likewise of `simulation`; NULL: it has none
    // From where to where; derived, simulation: NULL where there are none.
    const char *models, *models_end, *graph, *graph_end, *derived, *derived_end;
    const char *simulation, *simulation_end, *definitions, *definitions_end;
    const char *files, *files_end;                  // "NAME TYPE BYTES\n" and the bytes of each
    void *(*make)(uint64_t seed, int64_t start_ns); // a site as it might look at start_ns (ns since 1970 UTC)
    void (*free)(void *);
    void (*step)(void *, double seconds);  // at most 5 s
    bool (*next)(void *, PlantValue *out); // the next reading that is due; false: none is left
    int64_t (*time)(const void *);
    // Devices that obey, see plant_command; NULL: none do. jam: something goes wrong there until somebody sees to it.
    int (*command)(void *, Str twin, Str name, Str payload, Buf *answer);
    int (*jam)(void *, Str where, Buf *answer);
    // What went wrong before this site was begun and still stands in the world: a question that gives rows of "id", and
    // having it stand here too. NULL: a site always begins healthy.
    const char *stands;
    void (*take_up)(void *, Str twin);
    void (*story)(void *, int64_t at_ns); // something goes wrong at about that time, with signs before; NULL: nothing
} SitePack;

extern const SitePack bottling_pack, hospital_pack;
