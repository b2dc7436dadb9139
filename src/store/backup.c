// SPDX-License-Identifier: Apache-2.0
// A copy is made beside its target under another name, looked through, and only then given its name: whatever ends the
// process on the way, no half copy has the name of a whole one.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "store/check.h"
#include "store/db.h"

#define STEP_PAGES 128 // a MiB

typedef struct Backup {
    Db from, to;
    char *target, *part;
    bool made; // the part is ours
    bool (*progress)(void *ctx, int64_t done, int64_t total);
    void *ctx;
} Backup;

static char *name_of(Str path, const char *end) {
    Buf b = {0};
    buf_str_put(&b, path);
    buf_str_put(&b, str_of(end));
    buf_byte(&b, 0);
    return b.p;
}

static bool is_there(Str path, const char *end) {
    struct stat st;
    char *name = name_of(path, end);
    bool there = lstat(name, &st) == 0;
    mem_free(name);
    return there;
}

// A log left beside a name would be taken for that of the new file.
static Err refuse_existing(Backup *b, Str to) {
    if (is_there(to, "")) return db_say(&b->to, ERR_EXISTS, "it exists already");
    if (is_there(to, "-wal") || is_there(to, ".lock"))
        return db_say(&b->to, ERR_EXISTS, "a store of that name is open, or was not closed: %s is there",
                      is_there(to, "-wal") ? "its log (-wal)" : "its lock");
    return ERR_OK;
}

static Err make_part(Backup *b, Str to) {
    char end[48];
    snprintf(end, sizeof end, ".part-%d", (int)getpid());
    b->part = name_of(to, end);
    unlink(b->part); // of a process long gone that had our number
    if (!db_create_private(b->part)) {
        bool full = errno == ENOSPC || errno == EDQUOT;
        return db_say(&b->to, full ? ERR_STORAGE_FULL : ERR_STORAGE, "cannot be made: %s", strerrordesc_np(errno));
    }
    b->made = true;
    int rc = sqlite3_open_v2(b->part, &b->to.h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(b->to.h, "PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL", NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : db_failed(&b->to, rc);
}

// One transaction of the source for all steps: what is committed meanwhile does not make the copy begin again.
static Err begin(Backup *b) {
    int rc = sqlite3_exec(b->from.h, "BEGIN; SELECT count(*) FROM root", NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : db_failed(&b->from, rc);
}

// Which side an error is of, SQLite tells by the connection that has it.
static Err side_failed(Backup *b, int rc) {
    return sqlite3_errcode(b->to.h) == SQLITE_OK ? db_failed(&b->from, rc) : db_failed(&b->to, rc);
}

static Err copy_pages(Backup *b) {
    sqlite3_backup *x = sqlite3_backup_init(b->to.h, "main", b->from.h, "main");
    if (!x) return db_failed(&b->to, sqlite3_errcode(b->to.h));
    int rc = SQLITE_OK;
    bool on = true;
    while (rc == SQLITE_OK && on) {
        rc = sqlite3_backup_step(x, STEP_PAGES);
        int64_t total = sqlite3_backup_pagecount(x), left = sqlite3_backup_remaining(x);
        if (b->progress) on = b->progress(b->ctx, (total - left) * DB_PAGE_BYTES, total * DB_PAGE_BYTES);
    }
    int end = sqlite3_backup_finish(x);
    if (rc == SQLITE_OK && !on) return db_say(&b->to, ERR_CLOSED, "stopped");
    if (rc == SQLITE_DONE) return end == SQLITE_OK ? ERR_OK : side_failed(b, end);
    return side_failed(b, rc);
}

static Err close_part(Backup *b) {
    int rc = sqlite3_close(b->to.h);
    CHECK(rc == SQLITE_OK);
    b->to.h = NULL;
    int fd = open(b->part, O_RDONLY | O_CLOEXEC); // SQLite has synced; a disk that lies in one place may not in another
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return synced ? ERR_OK : db_say(&b->to, ERR_STORAGE, "cannot be synced: %s", strerrordesc_np(errno));
}

static void first_finding(void *ctx, Str where, Str what) {
    Buf *b = ctx;
    if (!b->n) buf_printf(b, "%.*s %.*s", STR_ARG(where), STR_ARG(what));
}

static Err look_through(Backup *b) {
    Buf first = {0}, why = {0};
    StoreCheck c = {.ctx = &first, .finding = first_finding};
    Err e = check_file(str_of(b->part), true, &c, &why);
    if (e != ERR_OK) (void)db_say(&b->to, e, "the copy cannot be read: %.*s", STR_ARG(buf_str(&why)));
    else if (c.findings)
        e = db_say(&b->to, ERR_CORRUPT, "the copy is damaged, as its source is: %.*s", STR_ARG(buf_str(&first)));
    buf_free(&first);
    buf_free(&why);
    return e;
}

static void sync_folder(const char *path) {
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) + 1 : 1;
    snprintf(folder, sizeof folder, "%.*s", n, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!fsync(fd); // the name is there; whether it outlives a power cut is up to the disk then
    close(fd);
}

static Err give_name(Backup *b) {
    int rc = renameat2(AT_FDCWD, b->part, AT_FDCWD, b->target, RENAME_NOREPLACE);
    if (rc != 0 && errno == EEXIST) return db_say(&b->to, ERR_EXISTS, "it exists already");
    if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) rc = rename(b->part, b->target); // a file system without it
    if (rc != 0) return db_say(&b->to, ERR_STORAGE, "cannot be given its name: %s", strerrordesc_np(errno));
    b->made = false;
    sync_folder(b->target);
    return ERR_OK;
}

static Err back_up(Backup *b, Str path, Str to) {
    int64_t format;
    TRY(refuse_existing(b, to));
    TRY(db_open_look(&b->from, path, &format));
    TRY(begin(b));
    TRY(make_part(b, to));
    TRY(copy_pages(b));
    TRY(close_part(b));
    TRY(look_through(b));
    return give_name(b);
}

Err store_backup(Str path, Str to, bool (*progress)(void *ctx, int64_t done, int64_t total), void *ctx, Buf *why) {
    Backup b = {.progress = progress, .ctx = ctx, .target = name_of(to, "")};
    b.to.path = name_of(to, ""); // of messages
    b.to.lock.fd = b.from.lock.fd = -1;
    Err e = back_up(&b, path, to);
    if (e != ERR_OK && why) buf_printf(why, "%s", b.to.why[0] ? b.to.why : b.from.why);
    if (b.to.h) sqlite3_close(b.to.h);
    b.to.h = NULL;
    db_close(&b.to);
    if (b.from.h) sqlite3_exec(b.from.h, "ROLLBACK", NULL, NULL, NULL);
    db_close(&b.from);
    if (b.made) unlink(b.part);
    mem_free(b.target);
    mem_free(b.part);
    return e;
}
