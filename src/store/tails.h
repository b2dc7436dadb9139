// SPDX-License-Identifier: Apache-2.0
// Tails: the last page of a row that goes on over further pages keeps, behind the row's end, what was there before; and
// pages that were written before clean.h was may still have something in their middles. A walk over all b-trees of the
// file zeroes both, in the file itself: nothing of what is zeroed is in use, so readers notice nothing.
//
// SQLite file format, sections 1.5 and 1.6. The file must not change meanwhile: its log was moved into it, and is not
// again before the walk ends. Store thread.
#pragma once
#include "store/db.h"

typedef struct Tails {
    uint32_t *pages; // of b-trees, to be looked at
    int64_t count, cap;
    int64_t left; // looks at pages left before the b-trees must lead in a circle
    int64_t zeroed;
    char page[DB_PAGE_BYTES];
} Tails;

// Errors: STORAGE.
MUST Err tails_begin(Tails *t, Db *db);
// Look at pages, about `looks` of them. *more: there are others. When there are none the file has been synced.
// Errors: STORAGE, CORRUPT.
MUST Err tails_step(Tails *t, Db *db, int64_t looks, bool *more);
// Release its list. One of zeros is fine.
void tails_free(Tails *t);
