// SPDX-License-Identifier: Apache-2.0
#include "store/tails.h"
#include <string.h>
#include "base/check.h"
#include "base/mem.h"

#define USABLE DB_PAGE_BYTES // no bytes are reserved at the end of pages
#define CHAIN_BYTES (USABLE - 4)
#define PAYLOAD_MIN ((USABLE - 12) * 32 / 255 - 23)
#define TABLE_MAX (USABLE - 35)
#define INDEX_MAX ((USABLE - 12) * 64 / 255 - 23)

enum { INDEX_INNER = 2, TABLE_INNER = 5, INDEX_LEAF = 10, TABLE_LEAF = 13 };

static const char zeros[DB_PAGE_BYTES];

static uint32_t u16(const char *p) { return (uint32_t)(unsigned char)p[0] << 8 | (unsigned char)p[1]; }
static uint32_t u32(const char *p) { return u16(p) << 16 | u16(p + 2); }

static Err damaged(Db *db, uint32_t page) {
    return db_say(db, ERR_CORRUPT, "page %lu of the file is not as it should be", (unsigned long)page);
}

static sqlite3_file *file_of(Db *db) {
    sqlite3_file *f = NULL;
    CHECK(sqlite3_file_control(db->h, "main", SQLITE_FCNTL_FILE_POINTER, &f) == SQLITE_OK);
    return f;
}

static Err read_at(Db *db, uint32_t page, char *to, int n) {
    sqlite3_file *f = file_of(db);
    int rc = f->pMethods->xRead(f, to, n, (int64_t)(page - 1) * USABLE);
    return rc == SQLITE_OK ? ERR_OK : rc == SQLITE_IOERR_SHORT_READ ? damaged(db, page) : db_failed(db, rc);
}

static Err zero(Tails *t, Db *db, uint32_t page, int64_t from, int64_t to) {
    sqlite3_file *f = file_of(db);
    if (from >= to) return ERR_OK;
    int rc = f->pMethods->xWrite(f, zeros, (int)(to - from), (int64_t)(page - 1) * USABLE + from);
    t->zeroed += to - from;
    return rc == SQLITE_OK ? ERR_OK : db_failed(db, rc);
}

static bool only_zeros(const char *p, int64_t n) { return n <= 0 || memcmp(p, zeros, (size_t)n) == 0; }

static void push(Tails *t, uint32_t page) {
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->pages = mem_grow(t->pages, (size_t)t->cap * sizeof *t->pages);
    }
    t->pages[t->count++] = page;
}

Err tails_begin(Tails *t, Db *db) {
    sqlite3_stmt *st;
    sqlite3_int64 bytes = 0;
    sqlite3_file *f = file_of(db);
    int rc = f->pMethods->xFileSize(f, &bytes);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db->h, "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0", -1, &st, NULL);
    if (rc != SQLITE_OK) return db_failed(db, rc);
    t->left = bytes / USABLE;
    push(t, 1);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) push(t, (uint32_t)sqlite3_column_int64(st, 0));
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? ERR_OK : db_failed(db, rc);
}

// ---- a cell -------------------------------------------------------------------------------------------------------

// Section 1.6: at most nine bytes. False: the page ends before.
static bool varint(const char *page, int64_t *at, uint64_t *out) {
    *out = 0;
    for (int i = 0; i < 9 && *at < USABLE; i++) {
        unsigned char b = (unsigned char)page[(*at)++];
        *out = i == 8 ? *out << 8 | b : *out << 7 | (b & 0x7f);
        if (i == 8 || !(b & 0x80)) return true;
    }
    return false;
}

// Follow a row of which `bytes` are in further pages, and zero what is behind its end.
static Err chain(Tails *t, Db *db, uint32_t first, int64_t bytes, int64_t *looks) {
    char head[4], tail[DB_PAGE_BYTES];
    uint32_t page = first;
    for (; bytes > CHAIN_BYTES; bytes -= CHAIN_BYTES) {
        if (!page || --t->left < 0) return damaged(db, first);
        TRY(read_at(db, page, head, sizeof head));
        page = u32(head);
        --*looks;
    }
    if (!page || --t->left < 0) return damaged(db, first);
    if (bytes == CHAIN_BYTES) return ERR_OK;
    TRY(read_at(db, page, tail, USABLE));
    --*looks;
    return only_zeros(tail + 4 + bytes, CHAIN_BYTES - bytes) ? ERR_OK : zero(t, db, page, 4 + bytes, USABLE);
}

static Err cell(Tails *t, Db *db, uint32_t page, unsigned type, int64_t at, int64_t *looks) {
    uint64_t payload, row;
    if (type == INDEX_INNER || type == TABLE_INNER) {
        if (at + 4 > USABLE) return damaged(db, page);
        push(t, u32(t->page + at));
        at += 4;
    }
    if (type == TABLE_INNER) return ERR_OK;
    if (!varint(t->page, &at, &payload) || payload > INT32_MAX) return damaged(db, page);
    if (type == TABLE_LEAF && !varint(t->page, &at, &row)) return damaged(db, page);
    int64_t n = (int64_t)payload, max = type == TABLE_LEAF ? TABLE_MAX : INDEX_MAX;
    if (n <= max) return ERR_OK;
    int64_t here = PAYLOAD_MIN + (n - PAYLOAD_MIN) % CHAIN_BYTES;
    if (here > max) here = PAYLOAD_MIN;
    if (at + here + 4 > USABLE) return damaged(db, page);
    return chain(t, db, u32(t->page + at + here), n - here, looks);
}

// ---- a page -------------------------------------------------------------------------------------------------------

static Err page_look(Tails *t, Db *db, uint32_t page, int64_t *looks) {
    int64_t at = page == 1 ? 100 : 0, from, to;
    if (!page || --t->left < 0) return damaged(db, page);
    TRY(read_at(db, page, t->page, USABLE));
    --*looks;
    unsigned type = (unsigned char)t->page[at];
    bool inner = type == INDEX_INNER || type == TABLE_INNER;
    if (!inner && type != INDEX_LEAF && type != TABLE_LEAF) return damaged(db, page);
    int64_t cells = u16(t->page + at + 3), first = at + (inner ? 12 : 8);
    if (first + 2 * cells > USABLE) return damaged(db, page);
    if (inner) push(t, u32(t->page + at + 8));
    for (int64_t i = 0; i < cells; i++) TRY(cell(t, db, page, type, u16(t->page + first + 2 * i), looks));
    if (!clean_middle(t->page, page, &from, &to) || only_zeros(t->page + from, to - from)) return ERR_OK;
    return zero(t, db, page, from, to);
}

Err tails_step(Tails *t, Db *db, int64_t looks, bool *more) {
    while (t->count && looks > 0) TRY(page_look(t, db, t->pages[--t->count], &looks));
    *more = t->count > 0;
    if (*more || !t->zeroed) return ERR_OK;
    sqlite3_file *f = file_of(db);
    int rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
    return rc == SQLITE_OK ? ERR_OK : db_failed(db, rc);
}

void tails_free(Tails *t) {
    mem_free(t->pages);
    *t = (Tails){0};
}
