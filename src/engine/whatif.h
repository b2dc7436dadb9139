// SPDX-License-Identifier: Apache-2.0
// What-ifs that run: two forks of one instant and one seed, one of them with the changes, both moving at once.
//
//   from --fork--> NAME.base (as it would be)  --fork--> NAME (with the changes)
//                      |                                     |
//                   sosia_run                             sosia_run
//
// The changed world is forked of the other before anything moves, so that both stand at one instant, whatever is
// written to `from` meanwhile, and a diff of it tells what the changes did.
#pragma once
#include "engine/definition.h"

#define WHATIF_BASE ".base"                    // behind the name of the world without the changes
#define WHATIF_PURPOSE "what-if "              // the purpose of its worlds, before its name,
#define WHATIF_WITHOUT ", without its changes" // and behind it

// Does the world have the twins and properties that the what-if changes, values of their types and its KPIs? Errors:
// TWIN_NOT_FOUND, VALIDATION, DEFINITION_NOT_FOUND; told, with where in the definition: "changes[1].value: ...".
MUST Err whatif_fits(View *v, const Whatif *w, Diag *d);
