// SPDX-License-Identifier: Apache-2.0
// Storm: sensors of the city that report over POST /ingest at a wanted rate, from threads of this process.
#pragma once
#include "city.h"

typedef struct Storm Storm;

typedef struct StormOptions {
    const City *city;
    int port;
    int64_t rate;        // values a second
    int32_t lines;       // values of one request
    int32_t connections; // one thread each
} StormOptions;

// Begin to send; bodies are made before the first is sent.
Storm *storm_start(const StormOptions *o);
// Values acknowledged until now.
int64_t storm_count(const Storm *s);
// Stop and free.
void storm_stop(Storm *s);
