// SPDX-License-Identifier: Apache-2.0
// The past of a site: what its sensors told from some hours ago until now, as fast as it can be computed, for somebody
// who keeps a file of it (sosia demo; src/cli/past.h reads it). It is told as frames on a stream:
//
//   NAME BYTES TIME\n   and as many bytes, a line feed behind them; TIME in ns since 1970 UTC
//
//   models              an array of DTDL interfaces
//   import              NDJSON as for /import: the graph
//   derived/NAME        as for PUT /derived/NAME; behaviours/NAME and the like likewise (rules are not told)
//   values              NDJSON as for /ingest: what became known at TIME
//   end                 that was all; TIME is that of the site
//
// Numbers come coarser than in life: twice a minute the newest of each sensor, with its own time. States and flags come
// in the second they change, and every ten minutes. The last values are all of them. One thread.
#pragma once
#include <signal.h>
#include <stdio.h>
#include "base/buf.h"
#include "site_pack.h"

// Tell the pack's documents, as of start_ns, and what the site tells until the wall clock reads the site's time.
//   step_s  of the physics
//   ended   not 0: stop early
// False: nobody reads it, or it ended.
bool site_past_tell(const SitePack *pack, void *site, int64_t start_ns, double step_s,
                    const volatile sig_atomic_t *ended, FILE *out);

// Append a value as a line for /ingest.
void site_put_value(const PlantValue *v, Buf *out);
