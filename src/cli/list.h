// SPDX-License-Identifier: Apache-2.0
// Short lists that a server answers whole, {"value":[...]}, as a table of a row an item. One thread. Failures are told.
#pragma once
#include "cli/client.h"

typedef struct List {
    const Column *columns;
    int32_t column_count;
    void (*put)(Table *t, Client *c, const Json *item); // a row
    const char *none;                                   // said when there is nothing; NULL: the table's head alone
    const char *next;                                   // then: what to do; NULL: nothing
} List;

// GET path and print what came: as it is with json, else as a table.
//   doc  gets the answer, in c->keep, for what is to be said of it besides; JSON_NULL after --json; may be NULL
MUST Err list_say(const List *l, Client *c, Str path, bool json, Json *doc);
