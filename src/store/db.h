// SPDX-License-Identifier: Apache-2.0
// Db: the SQLite file under a store: opening, format, prepared statements, errors. One thread at a time.
//
// The connection holds SQLite's exclusive lock from open to close (no shared memory, no second process). Commits go to
// the write-ahead log with one sync each; db_backfill moves the log into the file, at times the caller chooses.
#pragma once
#include <sqlite3.h>
#include "base/buf.h"
#include "base/err.h"

#define DB_APPLICATION_ID 0x534F5349 // "SOSI"
#define DB_FORMAT 2                  // user_version; 1 had no items and is brought up to 2 when opened
#define DB_PAGE_BYTES 8192
// The log is moved into the file when it has grown past this: what a commit may have to wait for.
#define DB_LOG_BYTES (4 << 20)

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
    DB_ITEM_SCAN,
    DB_STATEMENT_COUNT
} DbStatement;

typedef struct Db {
    sqlite3 *h;
    sqlite3_stmt *st[DB_STATEMENT_COUNT];
    char *path;
    int64_t log_pages;      // in the write-ahead log and not known to be in the file
    int64_t backfill_after; // next db_backfill when log_pages passes this
    char why[512];          // a sentence about the newest failure, starting with the path
} Db;

// Open or create the file, take its lock, check or write the format. On failure nothing is open and db->why tells.
// Errors: STORAGE (in use, not a store, newer format, cannot open), CORRUPT, STORAGE_FULL.
MUST Err db_open(Db *db, Str path, const char *vfs);
// Close; moves the log into the file. A closed or never opened Db is fine.
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
// Move the write-ahead log into the file when it is long enough; a failure costs nothing but its length.
void db_backfill(Db *db);
// Give back what SQLite caches, after work that went through many pages once.
void db_forget(Db *db);
// Size of the file, without the log.
int64_t db_file_bytes(Db *db);
