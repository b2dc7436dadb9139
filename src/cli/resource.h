// SPDX-License-Identifier: Apache-2.0
// What the commands on named documents of a server share (connections, endpoints, routes): list, show, put, do, remove.
// One thread. Every function tells its failures.
#pragma once
#include "cli/client.h"

// A column of a list: a title and the place of its value in an item, a JSON pointer.
typedef struct ResourceColumn {
    Column column;
    const char *pointer;
} ResourceColumn;

typedef struct Resource {
    const char *noun;   // "connection"
    const char *folder; // "//connections"
    const ResourceColumn *columns;
    int32_t column_count;
    const char *empty; // hint when the list is empty
} Resource;

// GET of the list as a table, or as it is with --json.
MUST Err resource_list(const Resource *r, const Common *common);
// GET of FOLDER/name or FOLDER/name/verb, pretty.
MUST Err resource_show(const Resource *r, const Common *common, Str name, Str verb);
// PUT of a document from a file ("-": stdin). note: said when it worked.
MUST Err resource_put(const Resource *r, const Common *common, Str name, Str file);
// PUT of a document at hand.
MUST Err resource_put_text(const Resource *r, const Common *common, Str name, Str body);
// POST FOLDER/name/verb with a body (may be empty); the answer is printed when there is one.
MUST Err resource_do(const Resource *r, const Common *common, Str name, Str verb, Str body, const char *done);
// DELETE of each name.
MUST Err resource_remove(const Resource *r, const Common *common, const Args *names);
