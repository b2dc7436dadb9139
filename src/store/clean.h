// SPDX-License-Identifier: Apache-2.0
// Clean: what SQLite writes to the file of a store carries nothing in its unused bytes.
//
// SQLite zeroes the cells it deletes (secure_delete), but when it spreads the cells of a page over its neighbours, what
// had been there stays in the page's unused middle, and is written again with it. A cell that is deleted where it went
// to would still be read there. So the middle of every page of a b-tree is zeroed on its way from the log to the file.
//
//   page of a b-tree:  [head][places of cells] middle, unused [cells, free blocks of zeros]
//   SQLite file format, section 1.6. Pages that go on with a large blob begin with a page's number, so their first byte
//   is not a b-tree's while the file has fewer than 2^25 pages; the places of cells are checked all the same.
#pragma once
#include <sqlite3.h>
#include "base/str.h"

typedef struct Clean {
    sqlite3_io_methods methods; // those of the file, but for writing
    const sqlite3_io_methods *below;
} Clean;

// From now on, for the file of a connection that was just opened; `c` lives as long as the connection.
void clean_writes(Clean *c, sqlite3 *h);
// The unused middle [*from, *to) of the page of DB_PAGE_BYTES with that number (the first is 1). False: none, or not a
// page of a b-tree. Any bytes.
bool clean_middle(const char *page, int64_t number, int64_t *from, int64_t *to);
