// SPDX-License-Identifier: Apache-2.0
// Db: the SQLite file under a store: opening, format, prepared statements, errors. One thread at a time per Db.
//
// One Db writes: it holds PATH.lock from open to close, so that no second Sosia writes. Others, here or elsewhere, may
// read at any time, each what was committed when its transaction began. Commits go to the write-ahead log with one sync
// each; db_backfill moves the log into the file, at times the caller chooses, as far as no reader needs it.
#pragma once
#include <sqlite3.h>
#include "base/buf.h"
#include "base/err.h"
#include "store/clean.h"
#include "store/lock.h"

#define DB_APPLICATION_ID 0x534F5349 // "SOSI"
// user_version; 1 had no items, 2 no history, 3 no scenarios: they are brought up to 4 when opened
#define DB_FORMAT 4
#define DB_PAGE_BYTES 8192
// The log is moved into the file when it has grown past this: what a commit may have to wait for.
#define DB_LOG_BYTES (4 << 20)
// A longer one, which readers made necessary, is cut to this when it starts afresh.
#define DB_LOG_BYTES_KEPT (16 << 20)

// ORDER DB_STATEMENT: as db_sql in db.c.
typedef enum DbStatement {
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_PAGES,
    DB_JOURNAL_PUT,
    DB_JOURNAL_SCAN,
    DB_JOURNAL_SUM,
    DB_JOURNAL_FIRST,
    DB_JOURNAL_OLDEST,
    DB_JOURNAL_TRIM,
    DB_PAGE_PUT,
    DB_PAGE_DEL,
    DB_PAGE_SCAN,
    DB_ROOT_PUT,
    DB_ROOT_SCAN,
    DB_META_PUT,
    DB_META_GET,
    DB_ITEM_PUT,
    DB_ITEM_DEL,
    DB_HISTORY_PUT,
    DB_HISTORY_DEL,
    DB_HISTORY_SAME,
    DB_HISTORY_LAST,
    DB_HISTORY_AHEAD,
    DB_DEAD_PUT,
    DB_JOURNAL_EDIT,
    DB_FREE_PAGES,
    DB_PAGE_ZERO,
    DB_WORLD_PUT,
    DB_WORLD_DEL,
    DB_SCENARIO_PUT,
    DB_SCENARIO_DEL,
    DB_SCENARIO_EDIT,
    DB_SCENARIO_NEXT,
    DB_SCENARIO_GONE,
    DB_WORLD_HAS,
    DB_HISTORY_NEXT,
    DB_HISTORY_WORLD_DEL,
    DB_DEAD_NEXT,
    DB_DEAD_WORLD_DEL,
    DB_READ_BEGIN,
    DB_READ_END,
    DB_LOOK,
    DB_HISTORY_RANGE,
    DB_HISTORY_MEANS,
    DB_HISTORY_KNOWN,
    DB_HISTORY_PAGES,
    DB_HISTORY_LANES,
    DB_HISTORY_ENDS,
    DB_HISTORY_YOUNG,
    DB_HISTORY_SCAN,
    DB_HISTORY_SUM,
    DB_HISTORY_WORLD,
    DB_HISTORY_WORLD_ENDS,
    DB_HISTORY_ROW,
    DB_DEAD_SCAN,
    DB_DEAD_LIST,
    DB_WORLD_SCAN,
    DB_SCENARIO_SCAN,
    DB_SCENARIO_LAST,
    DB_ITEM_SCAN,
    DB_STATEMENT_COUNT,
    DB_READER_FIRST = DB_READ_BEGIN, // from here on: those of a reader, which are the writer's too
} DbStatement;

typedef struct Db {
    sqlite3 *h;
    sqlite3_stmt *st[DB_STATEMENT_COUNT];
    char *path;
    FileLock lock;          // of the one that writes
    bool ready;             // opening is over
    int64_t log_pages;      // in the write-ahead log and not known to be in the file
    int64_t backfill_after; // next db_backfill when log_pages passes this
    Clean clean;            // of the one that writes
    char why[512];          // a sentence about the newest failure, starting with the path
} Db;

// Open or create the file, take its lock, check or write the format. On failure nothing is open and db->why tells.
// Errors: STORAGE (in use, not a store, newer format, cannot open), CORRUPT, STORAGE_FULL.
MUST Err db_open(Db *db, Str path, const char *vfs);
// Open the file of a Db that is open for reading only. Errors: as db_open.
MUST Err db_open_reader(Db *db, const char *path, const char *vfs);
// Open any store's file just to look at it: nothing is written, and nothing stays beside it that was not there. For
// files nobody has open too, and for those on media that cannot be written. No statement is prepared. *format: as
// user_version says. Errors: STORAGE (not there, not a store, newer format, cannot be read), CORRUPT.
MUST Err db_open_look(Db *db, Str path, int64_t *format);
// What SQLite's answer to a call on db->h means: sets db->why.
Err db_failed(Db *db, int rc);
// Make an empty file for its owner alone, if there is none. False: errno tells.
bool db_create_private(const char *path);
// Close; the last one moves the log into the file. A closed Db is fine, and one of zeros.
void db_close(Db *db);
// The statement, ready to bind.
sqlite3_stmt *db_use(Db *db, DbStatement s);
// Run a bound statement that returns no row. On failure an open transaction is rolled back.
MUST Err db_run(Db *db, DbStatement s);
// Next row of a bound statement: *row tells whether there is one; after the last it is ready to bind again.
MUST Err db_step(Db *db, DbStatement s, bool *row);
// Done with a statement before its last row.
void db_reset(Db *db, DbStatement s);
// Undo the open transaction, if any.
void db_rollback(Db *db);
// Set db->why ("PATH: ...") and return e.
Err db_say(Db *db, Err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// Bytes of the write-ahead log.
int64_t db_log_bytes(const Db *db);
// Move the log into the file when it has become long enough; a failure costs nothing but its length.
void db_backfill(Db *db);
// The same now. True when all of it is in the file: the next commit starts it afresh, unless somebody reads it then.
bool db_move_log(Db *db);
// Give back what SQLite caches, after work that went through many pages once.
void db_forget(Db *db);
// Pages that fall free are zeroed at once (on), or not. Errors: STORAGE.
MUST Err db_zero_freed(Db *db, bool on);
// Size of the file, without the log.
int64_t db_file_bytes(Db *db);
