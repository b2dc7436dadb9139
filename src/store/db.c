// SPDX-License-Identifier: Apache-2.0
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "store/store.h"

// Milliseconds to wait for a tool that has just the file to itself: it opens it after a crash, or writes.
#define WAIT_MS 1000

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

// What format 3 added. An index for the blocks of points and one for means hold what a question asks for, so that
// blocks that do not answer it are not touched; history_tier finds the young ones among many.
static const char *const history_sql =
    "CREATE TABLE history(id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, page INTEGER NOT NULL, tier INTEGER NOT NULL,"
    " start INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,"
    " s0 INTEGER NOT NULL, s1 INTEGER NOT NULL, points INTEGER NOT NULL, late INTEGER NOT NULL, size INTEGER NOT NULL,"
    " crc INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"
    "CREATE INDEX history_raw ON history(lane, page, t0, start, s0, s1, t1, points, size) WHERE tier < 16;"
    "CREATE INDEX history_mean ON history(lane, page, t0, tier, s0, s1, t1, points, size) WHERE tier >= 16;"
    "CREATE INDEX history_tier ON history(tier);"
    "CREATE TABLE dead(id INTEGER PRIMARY KEY, name BLOB NOT NULL, time INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT;"
    "CREATE INDEX dead_name ON dead(name, time);";

// What format 4 added: worlds beside the live one, and their journals.
static const char *const worlds_sql =
    "CREATE TABLE world(id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"
    "CREATE TABLE scenario(id INTEGER PRIMARY KEY, world INTEGER NOT NULL, seq INTEGER NOT NULL, prev INTEGER NOT NULL,"
    " first INTEGER NOT NULL, ids INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX scenario_world ON scenario(world, seq, ids);";

_Static_assert(STORE_TIER_MEANS == 16, "stored in the indexes");
_Static_assert(STORE_LANE_BITS == 35, "part of the statements");

#define HISTORY_COLUMNS "id, lane, page, tier, start, first, last, t0, t1, s0, s1, points, late, size, crc"
#define OF_WORLD "lane >= ?1 << 35 AND lane < (?1 + 1) << 35" // as store_lane has it
#define OF_LIVE "lane < 1 << 35"
// ?3: with bytes
#define HISTORY_ROW "SELECT " HISTORY_COLUMNS ", CASE WHEN ?3 THEN bytes END FROM history "

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
    "INSERT INTO history(" HISTORY_COLUMNS ", bytes)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    "DELETE FROM history WHERE id = ?1",
    "SELECT id FROM history WHERE lane = ?1 AND page = ?2 AND t0 = ?3 AND tier < 16 LIMIT 1",
    "SELECT max(id) FROM history",
    "SELECT " HISTORY_COLUMNS ", NULL FROM history WHERE id > ?1 ORDER BY id",
    "INSERT OR REPLACE INTO dead(id, name, time, crc) VALUES(?1, ?2, ?3, ?4)",
    "UPDATE journal SET crc = ?2, bytes = ?3 WHERE seq = ?1",
    "PRAGMA freelist_count",
    "INSERT INTO page(id, bytes) VALUES(?1, zeroblob(?2))",
    "INSERT OR REPLACE INTO world(id, crc, bytes) VALUES(?1, ?2, ?3)",
    "DELETE FROM world WHERE id = ?1",
    "INSERT INTO scenario(world, seq, prev, first, ids, crc, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    "DELETE FROM scenario WHERE id IN (SELECT id FROM scenario WHERE world = ?1 ORDER BY seq LIMIT ?2)",
    "UPDATE scenario SET crc = ?2, bytes = ?3 WHERE id = ?1",
    "SELECT id, world, seq, prev, first, ids, crc, bytes FROM scenario WHERE id > ?1 ORDER BY id LIMIT 1",
    "SELECT DISTINCT world FROM scenario WHERE world NOT IN (SELECT id FROM world)",
    "SELECT 1 FROM world WHERE id = ?1",
    "SELECT lane >> 35 FROM history WHERE tier < 16 AND lane >= ?1 << 35 ORDER BY lane LIMIT 1",
    "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE tier < 16 AND " OF_WORLD " LIMIT ?2)",
    "SELECT id >> 36 FROM dead WHERE id >= ?1 << 36 ORDER BY id LIMIT 1",
    "DELETE FROM dead WHERE id IN (SELECT id FROM dead WHERE id >= ?1 << 36 AND id < (?1 + 1) << 36 LIMIT ?2)",
    "BEGIN",
    "ROLLBACK",
    "SELECT seq FROM root",
    HISTORY_ROW "WHERE lane = ?1 AND page = ?2 AND tier < 16 AND s1 >= ?4 AND s0 < ?5 ORDER BY t0",
    HISTORY_ROW "WHERE lane = ?1 AND page = ?2 AND tier >= 16 AND s1 >= ?4 AND s0 < ?5 ORDER BY t0, tier",
    HISTORY_ROW "WHERE lane = ?1 AND page = ?2 AND tier < 16 AND t0 <= ?4 AND t0 >= ifnull((SELECT t0 FROM history"
                " WHERE lane = ?1 AND page = ?2 AND tier < 16 AND t0 <= ?4 AND start ORDER BY t0 DESC LIMIT 1),"
                " -9223372036854775808) ORDER BY t0",
    "SELECT max(ifnull((SELECT page FROM history WHERE lane = ?1 AND tier < 16 ORDER BY page DESC LIMIT 1), -1),"
    " ifnull((SELECT page FROM history WHERE lane = ?1 AND tier >= 16 ORDER BY page DESC LIMIT 1), -1)) + 1",
    "SELECT lane, count(*), sum(points), sum(size), min(t0), max(t1), sum(points * means), sum(size * means) FROM"
    " (SELECT lane, points, size, t0, t1, 0 AS means FROM history WHERE tier < 16 AND " OF_LIVE " UNION ALL"
    "  SELECT lane, points, size, t0, t1, 1 FROM history WHERE tier >= 16 AND " OF_LIVE ") GROUP BY lane",
    "SELECT lane, page, max(last) FROM history WHERE id > ?1 AND last > ?2 AND +tier < 16 AND +" OF_LIVE
    " GROUP BY lane, page",
    "SELECT " HISTORY_COLUMNS ", NULL FROM history WHERE id > ?1 AND tier = 0 ORDER BY id",
    "SELECT " HISTORY_COLUMNS ", NULL FROM history NOT INDEXED WHERE id > ?1 AND tier <= ?2 ORDER BY id",
    "SELECT count(*), sum(points), sum(size), min(t0), max(t1) FROM history"
    " WHERE tier < 16 AND lane >= ?1 AND lane < ?2",
    "SELECT " HISTORY_COLUMNS ", NULL FROM history WHERE tier < 16 AND " OF_WORLD " ORDER BY lane, page, t0",
    "SELECT lane, page, max(last) FROM history WHERE tier < 16 AND " OF_WORLD
    " GROUP BY lane, page ORDER BY lane, page",
    "SELECT " HISTORY_COLUMNS ", bytes FROM history WHERE id = ?1",
    "SELECT id, name, time, crc FROM dead WHERE name = ?1 AND id >= ?2 << 36 AND id < (?2 + 1) << 36"
    " ORDER BY time DESC, id DESC",
    "SELECT id, name, time, crc FROM dead WHERE id > (?1 << 36) + ?2 AND id < (?1 + 1) << 36 ORDER BY id LIMIT ?3",
    "SELECT id, crc, bytes FROM world ORDER BY id",
    "SELECT id, world, seq, prev, first, ids, crc, bytes FROM scenario WHERE world = ?1 AND seq > ?2 ORDER BY seq",
    "SELECT ifnull(max(world), 0), ifnull(max(ids), 0) FROM scenario",
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

Err db_failed(Db *db, int rc) {
    int system_errno = db->h ? sqlite3_system_errno(db->h) : 0;
    switch (rc & 0xff) {
    case SQLITE_FULL: return db_say(db, ERR_STORAGE_FULL, "the disk is full");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return db_say(db, ERR_STORAGE,
                      db->ready ? "another process is writing to the file" : "another process has the store open");
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
    if (!db->st[DB_ROLLBACK] || sqlite3_get_autocommit(db->h)) return; // a reader's transaction goes on
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
    Err e = rc == SQLITE_DONE ? ERR_OK : db_failed(db, rc);
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
    Db *db = ctx;
    if (pages < db->log_pages) db->backfill_after = DB_LOG_BYTES; // it has begun afresh
    db->log_pages = pages;
    return SQLITE_OK;
}

int64_t db_log_bytes(const Db *db) { return db->log_pages * DB_PAGE_BYTES; }

bool db_move_log(Db *db) {
    int in_log = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    db->backfill_after = db_log_bytes(db) + DB_LOG_BYTES;
    return rc == SQLITE_OK && in_log == moved;
}

void db_backfill(Db *db) {
    if (db_log_bytes(db) >= db->backfill_after) db_move_log(db);
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
    return rc == SQLITE_OK ? ERR_OK : db_failed(db, rc);
}

Err db_zero_freed(Db *db, bool on) {
    return exec(db, on ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = FAST");
}

// First column of the first row of `sql`; *number when it is one. The text "wal" is told by is_wal.
static Err ask(Db *db, const char *sql, int64_t *number, bool *is_wal) {
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db->h, sql, -1, &st, NULL);
    if (rc != SQLITE_OK) return db_failed(db, rc);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        if (is_wal) *is_wal = text && strcmp(text, "wal") == 0;
        if (number) *number = sqlite3_column_int64(st, 0);
    }
    Err e = rc == SQLITE_ROW ? ERR_OK : db_failed(db, rc == SQLITE_DONE ? SQLITE_ERROR : rc);
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
    if (e == ERR_OK && format < 2) e = exec(db, items_sql);
    if (e == ERR_OK && format < 3) e = exec(db, history_sql);
    if (e == ERR_OK) e = exec(db, worlds_sql);
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

static Err prepare(Db *db, int from) {
    for (int i = from; i < DB_STATEMENT_COUNT; i++) {
        int rc = sqlite3_prepare_v3(db->h, db_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->st[i], NULL);
        if (rc == SQLITE_ERROR) return db_say(db, ERR_CORRUPT, "a table is missing: %s", sqlite3_errmsg(db->h));
        if (rc != SQLITE_OK) return db_failed(db, rc);
    }
    return ERR_OK;
}

static Err setup(Db *db) {
    char sql[320];
    bool wal = false;
    int64_t format = 0;
    snprintf(
        sql, sizeof sql,
        "PRAGMA page_size = %d; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST; PRAGMA cache_size = -16384;"
        "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = %d",
        DB_PAGE_BYTES, DB_LOG_BYTES_KEPT);
    if (sqlite3_db_readonly(db->h, "main") == 1) return db_say(db, ERR_STORAGE, "the file cannot be written");
    TRY(exec(db, sql));
    TRY(check_format(db, &format));
    TRY(ask(db, "PRAGMA journal_mode = WAL", NULL, &wal));
    if (!wal) return db_say(db, ERR_STORAGE, "the file system does not allow a write-ahead log");
    TRY(exec(db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT")); // it can be written
    sqlite3_wal_hook(db->h, after_commit, db); // also turns SQLite's own moving of the log off
    db->backfill_after = DB_LOG_BYTES;
    if (format < DB_FORMAT) TRY(create_format(db, format));
    TRY(prepare(db, 0));
    db->ready = true;
    return ERR_OK;
}

// A new file is for its owner alone: it holds passwords of brokers and keys. The files beside it take its mode. When
// this fails, SQLite tells why.
bool db_create_private(const char *path) {
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

// Files of a VFS of tests have no lock: one process alone has them.
static Err take_lock(Db *db) {
    int64_t holder = 0;
    Err e = lock_take(&db->lock, db->path, &holder);
    if (e == ERR_BUSY && holder)
        return db_say(db, ERR_STORAGE, "another process has the store open (process %lld)", (long long)holder);
    if (e == ERR_BUSY) return db_say(db, ERR_STORAGE, "another process has the store open");
    if (e == ERR_OK || access(db->path, F_OK) != 0) return ERR_OK; // without the file, SQLite tells why
    return db_say(db, ERR_STORAGE, "the file or its folder cannot be written: no lock file (%s)",
                  strerrordesc_np(errno));
}

static Err open_file(Db *db, int flags, const char *vfs) {
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(db->path, &db->h, flags, vfs);
    if (rc != SQLITE_OK) return db_failed(db, rc);
    sqlite3_busy_timeout(db->h, WAIT_MS);
    return ERR_OK;
}

static void set_path(Db *db, Str path) {
    *db = (Db){.path = mem_alloc((size_t)path.n + 1), .lock.fd = -1};
    memcpy(db->path, path.p, (size_t)path.n);
}

Err db_open(Db *db, Str path, const char *vfs) {
    set_path(db, path);
    Err e = ERR_OK;
    if (!vfs) {
        (void)db_create_private(db->path); // it is there, or SQLite tells why it cannot be
        e = take_lock(db);
    }
    if (e == ERR_OK) e = open_file(db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
    if (e == ERR_OK) clean_writes(&db->clean, db->h);
    if (e == ERR_OK) e = setup(db);
    if (e != ERR_OK) db_close(db);
    return e;
}

Err db_open_reader(Db *db, const char *path, const char *vfs) {
    set_path(db, str_of(path));
    Err e = open_file(db, SQLITE_OPEN_READONLY, vfs);
    if (e == ERR_OK) e = exec(db, "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY");
    if (e == ERR_OK) e = prepare(db, DB_READER_FIRST);
    if (e != ERR_OK) db_close(db);
    db->ready = true;
    return e;
}

// "file:PATH?immutable=1" with what a URI may not hold as %XX.
static void put_uri(const char *path, Buf *out) {
    buf_str_put(out, STR("file:"));
    for (; *path; path++) {
        bool plain = (*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z') || strchr("/._-", *path) ||
                     (*path >= '0' && *path <= '9');
        if (plain) buf_byte(out, *path);
        else buf_printf(out, "%%%02x", (unsigned)(unsigned char)*path);
    }
    buf_str_put(out, STR("?immutable=1"));
    buf_byte(out, 0);
}

static Err look_as(Db *db, int flags, bool leave_log, int64_t *format) {
    Buf uri = {0};
    if (flags & SQLITE_OPEN_URI) put_uri(db->path, &uri);
    int rc =
        sqlite3_open_v2(uri.p ? uri.p : db->path, &db->h, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    buf_free(&uri);
    Err e = rc == SQLITE_OK ? ERR_OK : db_failed(db, rc);
    if (e == ERR_OK) {
        sqlite3_busy_timeout(db->h, WAIT_MS);
        sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)leave_log, NULL);
        e = exec(db, "PRAGMA query_only = 1; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY");
    }
    if (e == ERR_OK) e = check_format(db, format);
    if (e == ERR_OK && *format == 0) e = db_say(db, ERR_STORAGE, "this is not a Sosia store");
    return e;
}

// Whoever closes a file last moves its log and removes it: a log that was left by a crash shall stay as it is found.
Err db_open_look(Db *db, Str path, int64_t *format) {
    static const int ways[] = {SQLITE_OPEN_READWRITE, SQLITE_OPEN_READONLY, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI};
    char why[sizeof db->why];
    Buf log = {0};
    struct stat st;
    buf_printf(&log, "%.*s-wal", STR_ARG(path));
    buf_byte(&log, 0);
    bool has_log = stat(log.p, &st) == 0 && st.st_size > 0;
    buf_free(&log);
    Err e = ERR_OK;
    for (int i = 0; i < 3; i++) {
        set_path(db, path);
        e = look_as(db, ways[i], has_log, format);
        if (e == ERR_OK) break;
        int code = db->h ? sqlite3_errcode(db->h) : SQLITE_ERROR;
        memcpy(why, db->why, sizeof why);
        db_close(db);
        memcpy(db->why, why, sizeof why);
        bool no_right = code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_PERM;
        if (!no_right || (i == 1 && has_log)) break; // a log cannot be left out
    }
    db->ready = true;
    return e;
}

void db_close(Db *db) {
    for (int i = 0; i < DB_STATEMENT_COUNT; i++) {
        sqlite3_finalize(db->st[i]);
        db->st[i] = NULL;
    }
    if (db->h) CHECK(sqlite3_close(db->h) == SQLITE_OK); // BUSY would mean a statement was left behind
    db->h = NULL;
    if (db->path) lock_drop(&db->lock);
    mem_free(db->path);
    db->path = NULL;
}
