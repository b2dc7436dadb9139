// SPDX-License-Identifier: Apache-2.0
// The browser app: files of web/ as the build packed them, served from memory. A file is found by its path, GET / is
// index.html. They hold no data and need no token. Everything here is static data; any thread.
// The table is written by the build of web/ (build/web/assets_table.c). Without one cmake/assets_none.c stands in,
// which is empty, and GET / is the simple page of serve/ui.
#pragma once
#include "base/err.h"

struct Call;

typedef struct Asset {
    const char *path; // behind the first '/': "index.html", "assets/app-1a2b3c4d.js"; ascending by bytes, each once
    const char *type; // Content-Type
    const char *etag; // of the unpacked bytes, with its quotes: "\"1a2b3c4d\""
    const unsigned char *bytes;
    unsigned int size;
    bool gzip;   // `bytes` are packed (RFC 1952)
    bool hashed; // the name changes with the content: kept for a year
} Asset;

extern const Asset assets[];
extern const int assets_count;

// The file at a path without its first '/', NULL when there is none. Cost: O(log count).
const Asset *asset_find(const Asset *table, int32_t count, Str path);
// Answer a request with a file: packed when the client takes that, 304 when it has it.
void asset_answer(struct Call *c, const Asset *a);
// Answer with the file that a request's path names. False: it names none (or the method is not GET), nothing was done.
bool asset_serve(struct Call *c);
