// SPDX-License-Identifier: Apache-2.0
// The history in a world file, read through a connection of SQLite that somebody else opened: blocks of a page of a
// lane, and a world out of them. What is not in blocks yet (the last minutes of a world that is served) is not seen.
// One thread; nothing is written.
#pragma once
#include <sqlite3ext.h>
#include "codec/hblock.h"
#include "world/lane.h"
#include "world/past.h"

typedef struct Blocks {
    sqlite3 *db;
    sqlite3_stmt *known, *range, *pages, *newest, *dead;
    HWork *work;
    Domain *domain;
    World *world; // as of `at`; NULL: not built yet
    int64_t at;   // arrival of the newest batch in blocks; 0: there is none
    int64_t version;
} Blocks;

// db: borrowed. Nothing is read yet.
void blocks_init(Blocks *b, sqlite3 *db);
void blocks_free(Blocks *b);
// Look what is newest: builds the world of it when the file has changed. Errors: STORAGE, CORRUPT, those of world_past.
MUST Err blocks_refresh(Blocks *b);
// The world as of another instant; world_free it.
MUST Err blocks_world_at(Blocks *b, int64_t at, World **out);

// One block with points of a row; first: the oldest block there is, whose `start` stood before all of history.
typedef bool (*BlockFn)(void *ctx, const HBlock *b, const HPoint *points, int64_t n, const HState *start);
// The points of one row, block by block, oldest first; fn false: stop. from, to: own times of the blocks wanted.
// start: of the oldest block of all, else NULL. Errors: STORAGE, CORRUPT.
typedef struct BlocksRow {
    uint64_t lane, row;
    int64_t from, to;
} BlocksRow;
MUST Err blocks_row(Blocks *b, const BlocksRow *r, Arena *keep, BlockFn fn, void *ctx);
// When the newest dead twin of a name was deleted; false: none.
bool blocks_dead(Blocks *b, Str name, int64_t *time);
