// SPDX-License-Identifier: Apache-2.0
// The generated city as a world in this process, without journal, server or network: for benches and tests of the
// floors below the engine. Cost: about 2 us a twin and 1 us a link.
#pragma once
#include "city.h"
#include "world/world.h"

// A settled world that holds the city.
//   ring  records of its ring; 0: nobody reads while it is written
//   ids   out, room for city_twin_count: the twin of every row; may be NULL
World *city_world(const City *c, Domain *d, int64_t ring, TwinId *ids);
