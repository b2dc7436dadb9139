// SPDX-License-Identifier: Apache-2.0
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"

// Milliseconds to wait for a tool that is just reading the file.
#define OPEN_WAIT_MS 250

static const char *const schema_sql =
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY, world INTEGER NOT NULL, prev INTEGER NOT NULL,"
    " first INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"
    "CREATE TABLE page(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"
    "CREATE TABLE root(world INTEGER PRIMARY KEY, seq INTEGER NOT NULL, page INTEGER NOT NULL,"
    " crc INTEGER NOT NULL, ids BLOB NOT NULL) STRICT;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB) STRICT;";

// What format 2 added.
static const char *const items_sql =
    "CREATE TABLE item(kind BLOB NOT NULL, key BLOB NOT NULL, crc INTEGER NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY(kind, key)) STRICT, WITHOUT ROWID;";

// ORDER DB_STATEMENT
static const char *const db_sql[DB_STATEMENT_COUNT] = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "PRAGMA page_count",
    "INSERT INTO journal(seq, world, prev, first, crc, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    "SELECT seq, prev, first, crc, bytes FROM journal WHERE world = ?1 AND seq > ?2 ORDER BY seq",
    "SELECT count(*), total(length(bytes)) FROM journal WHERE world = ?1 AND seq <= ?2",
    "SELECT prev FROM journal WHERE world = ?1 ORDER BY seq LIMIT 1",
    "SELECT seq, length(bytes) FROM journal WHERE world = ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    "DELETE FROM journal WHERE world = ?1 AND seq <= ?2",
    "INSERT INTO page(id, bytes) VALUES(?1, ?2)",
    "DELETE FROM page WHERE id = ?1",
    "SELECT id, bytes FROM page ORDER BY id",
    "INSERT OR REPLACE INTO root(world, seq, page, crc, ids) VALUES(?1, ?2, ?3, ?4, ?5)",
    "SELECT world, seq, page, crc, ids FROM root ORDER BY world",
    "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
    "SELECT value FROM meta WHERE key = ?1",
    "INSERT OR REPLACE INTO item(kind, key, crc, value) VALUES(?1, ?2, ?3, ?4)",
    "DELETE FROM item WHERE kind = ?1 AND key = ?2",
    "SELECT key, crc, value FROM item WHERE kind = ?1 AND key > ?2 ORDER BY key",
};

Err db_say(Db *db, Err e, const char *fmt, ...) {
    int n = snprintf(db->why, sizeof db->why, "%.300s: ", db->path);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(db->why + n, sizeof db->why - (size_t)n, fmt, ap);
    va_end(ap);
    return e;
}

// What SQLite's answer means; sets db->why.
static Err failed(Db *db, int rc) {
    int system_errno = db->h ? sqlite3_system_errno(db->h) : 0;
    switch (rc & 0xff) {
    case SQLITE_FULL: return db_say(db, ERR_STORAGE_FULL, "the disk is full");
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return db_say(db, ERR_STORAGE, "another process has the store open");
    case SQLITE_CORRUPT: return db_say(db, ERR_CORRUPT, "the file is damaged (SQLite: %s)", sqlite3_errmsg(db->h));
    case SQLITE_NOTADB: return db_say(db, ERR_STORAGE, "this is not a Sosia store");
    case SQLITE_NOMEM: return db_say(db, ERR_STORAGE, "out of memory");
    case SQLITE_READONLY: return db_say(db, ERR_STORAGE, "the file or its folder cannot be written");
    default: break;
    }
    if (system_errno == EDQUOT || system_errno == ENOSPC) return db_say(db, ERR_STORAGE_FULL, "the disk is full");
    const char *text = db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(rc);
    const char *why = system_errno ? strerrordesc_np(system_errno) : NULL;
    return db_say(db, ERR_STORAGE, "%s (%s%sSQLite code %d)", text, why ? why : "", why ? ", " : "", rc);
}

void db_rollback(Db *db) {
    if (sqlite3_get_autocommit(db->h)) return;
    sqlite3_step(db_use(db, DB_ROLLBACK)); // a failure here leaves autocommit on: the transaction is gone either way
    db_reset(db, DB_ROLLBACK);
}

sqlite3_stmt *db_use(Db *db, DbStatement s) { return db->st[s]; }

void db_reset(Db *db, DbStatement s) {
    sqlite3_reset(db->st[s]); // repeats the error of the step before
    sqlite3_clear_bindings(db->st[s]);
}

Err db_step(Db *db, DbStatement s, bool *row) {
    int rc = sqlite3_step(db->st[s]);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) return ERR_OK;
    Err e = rc == SQLITE_DONE ? ERR_OK : failed(db, rc);
    db_reset(db, s);
    if (e != ERR_OK) db_rollback(db);
    return e;
}

Err db_run(Db *db, DbStatement s) {
    bool row;
    TRY(db_step(db, s, &row));
    CHECK(!row);
    return ERR_OK;
}

// Called by SQLite after each commit with the number of pages now in the log.
static int after_commit(void *ctx, sqlite3 *h, const char *name, int pages) {
    (void)h, (void)name;
    ((Db *)ctx)->log_pages = pages;
    return SQLITE_OK;
}

void db_backfill(Db *db) {
    if (db->log_pages * DB_PAGE_BYTES < db->backfill_after) return;
    int in_log = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    bool all = rc == SQLITE_OK && in_log == moved;
    db->backfill_after = all ? DB_LOG_BYTES : db->log_pages * DB_PAGE_BYTES + DB_LOG_BYTES;
}

void db_forget(Db *db) { sqlite3_db_release_memory(db->h); }

int64_t db_file_bytes(Db *db) {
    bool row = false;
    if (db_step(db, DB_PAGES, &row) != ERR_OK || !row) return 0;
    int64_t pages = sqlite3_column_int64(db->st[DB_PAGES], 0);
    db_reset(db, DB_PAGES);
    return pages * DB_PAGE_BYTES;
}

static Err exec(Db *db, const char *sql) {
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : failed(db, rc);
}

// First column of the first row of `sql`; *number when it is one. The text "wal" is told by is_wal.
static Err ask(Db *db, const char *sql, int64_t *number, bool *is_wal) {
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db->h, sql, -1, &st, NULL);
    if (rc != SQLITE_OK) return failed(db, rc);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        if (is_wal) *is_wal = text && strcmp(text, "wal") == 0;
        if (number) *number = sqlite3_column_int64(st, 0);
    }
    Err e = rc == SQLITE_ROW ? ERR_OK : failed(db, rc == SQLITE_DONE ? SQLITE_ERROR : rc);
    sqlite3_finalize(st);
    return e;
}

// Bring an empty file (0) or one of an older format up to this one, in one transaction.
static Err create_format(Db *db, int64_t format) {
    char sql[128];
    TRY(exec(db, "BEGIN IMMEDIATE"));
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", DB_APPLICATION_ID,
             DB_FORMAT);
    Err e = format < 1 ? exec(db, schema_sql) : ERR_OK;
    if (e == ERR_OK) e = exec(db, items_sql);
    if (e == ERR_OK) e = exec(db, sql);
    return e;
}

// Reads only, so that a file that is not ours stays as it is. *format: 0 for an empty file.
static Err check_format(Db *db, int64_t *format) {
    int64_t id = 0, tables = 0, page_bytes = 0;
    TRY(ask(db, "PRAGMA application_id", &id, NULL));
    TRY(ask(db, "PRAGMA user_version", format, NULL));
    TRY(ask(db, "SELECT count(*) FROM sqlite_schema", &tables, NULL));
    if (id == 0 && *format == 0 && tables == 0) return ERR_OK;
    if (id != DB_APPLICATION_ID) return db_say(db, ERR_STORAGE, "this is not a Sosia store");
    if (*format < 1 || *format > DB_FORMAT)
        return db_say(db, ERR_STORAGE, "the store has format %lld, this Sosia reads 1 to %d%s", (long long)*format,
                      DB_FORMAT, *format > DB_FORMAT ? ": it was written by a newer one" : "");
    TRY(ask(db, "PRAGMA page_size", &page_bytes, NULL));
    return page_bytes == DB_PAGE_BYTES ? ERR_OK : db_say(db, ERR_CORRUPT, "page size %lld", (long long)page_bytes);
}

static Err prepare(Db *db) {
    for (int i = 0; i < DB_STATEMENT_COUNT; i++) {
        int rc = sqlite3_prepare_v3(db->h, db_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->st[i], NULL);
        if (rc == SQLITE_ERROR) return db_say(db, ERR_CORRUPT, "a table is missing: %s", sqlite3_errmsg(db->h));
        if (rc != SQLITE_OK) return failed(db, rc);
    }
    return ERR_OK;
}

static Err setup(Db *db) {
    char sql[256];
    bool wal = false;
    int64_t format = 0;
    snprintf(sql, sizeof sql,
             "PRAGMA page_size = %d; PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
             "PRAGMA secure_delete = OFF; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY",
             DB_PAGE_BYTES);
    if (sqlite3_db_readonly(db->h, "main") == 1) return db_say(db, ERR_STORAGE, "the file cannot be written");
    sqlite3_busy_timeout(db->h, OPEN_WAIT_MS);
    TRY(exec(db, sql));
    TRY(check_format(db, &format));
    TRY(ask(db, "PRAGMA journal_mode = WAL", NULL, &wal));
    if (!wal) return db_say(db, ERR_STORAGE, "the file system does not allow a write-ahead log");
    TRY(exec(db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT")); // from here on the lock is ours
    sqlite3_wal_hook(db->h, after_commit, db); // also turns SQLite's own moving of the log off
    db->backfill_after = DB_LOG_BYTES;
    if (format < DB_FORMAT) TRY(create_format(db, format));
    return prepare(db);
}

// A new file is for its owner alone: it holds passwords of brokers and keys. The files beside it take its mode. When
// this fails, SQLite tells why.
static void create_private(const char *path) {
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

Err db_open(Db *db, Str path, const char *vfs) {
    *db = (Db){.path = mem_alloc((size_t)path.n + 1)};
    memcpy(db->path, path.p, (size_t)path.n);
    if (!vfs && path.n && path.p[0] != ':') create_private(db->path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(db->path, &db->h, flags, vfs);
    Err e = rc == SQLITE_OK ? setup(db) : failed(db, rc);
    if (e != ERR_OK) db_close(db);
    return e;
}

void db_close(Db *db) {
    for (int i = 0; i < DB_STATEMENT_COUNT; i++) {
        sqlite3_finalize(db->st[i]);
        db->st[i] = NULL;
    }
    if (db->h) CHECK(sqlite3_close(db->h) == SQLITE_OK); // BUSY would mean a statement was left behind
    mem_free(db->path);
    db->h = NULL;
    db->path = NULL;
}
