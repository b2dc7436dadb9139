// SPDX-License-Identifier: Apache-2.0
// Models as people read them: for `sosia models` and the query shell. One thread.
#pragma once
#include "cli/client.h"

// Print the list of models: a table, or a JSON array. Errors: those of the calls; told.
MUST Err models_list(Client *c, bool json);
// Print properties, relationships and components of a model with their types and units. Errors: as above.
MUST Err models_show(Client *c, Str id);
