// SPDX-License-Identifier: Apache-2.0
// A world of pumps with five properties in this process, durable, for benches of ingest. One thread.
#pragma once
#include "base/rng.h"
#include "sosia/sosia.h"

#define SCENE_FIELDS 5

typedef struct Scene {
    char dir[40], path[64];
    Sosia *s;
    int64_t twins;
    SosiaHandle *at; // twins x SCENE_FIELDS
} Scene;

// pump-0 ... in a file of its own in /var/tmp. Ends the process when something fails.
void scene_open(Scene *x, int64_t twins);
// The same with options; the path is ours.
void scene_open_with(Scene *x, int64_t twins, const SosiaOpen *open);
// Close it and remove the file.
void scene_close(Scene *x);
// End the process unless err is SOSIA_OK.
void scene_check(SosiaErr err, const char *what);
