// SPDX-License-Identifier: Apache-2.0
#include "store/clean.h"
#include <string.h>
#include "base/check.h"
#include "store/db.h"

#define FILE_HEAD_BYTES 100 // of the first page

static int64_t u16(const char *p) { return (int64_t)(unsigned char)p[0] << 8 | (unsigned char)p[1]; }

// Bytes of a b-tree page's head; 0: it is none.
static int64_t head_bytes(unsigned type) {
    switch (type) {
    case 2:
    case 5: return 12;
    case 10:
    case 13: return 8;
    default: return 0;
    }
}

bool clean_middle(const char *page, int64_t number, int64_t *from, int64_t *to) {
    int64_t at = number == 1 ? FILE_HEAD_BYTES : 0, head = head_bytes((unsigned char)page[at]);
    if (!head) return false;
    int64_t cells = u16(page + at + 3), first = at + head;
    *to = u16(page + at + 5);
    *from = first + 2 * cells;
    if (*from >= *to || *to > DB_PAGE_BYTES) return false;
    for (int64_t i = 0; i < cells; i++) {
        int64_t cell = u16(page + first + 2 * i);
        if (cell < *to || cell > DB_PAGE_BYTES - 4) return false;
    }
    return true;
}

static int write_clean(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    const Clean *c = (const Clean *)(const void *)f->pMethods;
    char page[DB_PAGE_BYTES];
    int64_t from, to;
    bool whole = n == DB_PAGE_BYTES && at % DB_PAGE_BYTES == 0;
    if (!whole || !clean_middle(p, at / DB_PAGE_BYTES + 1, &from, &to)) return c->below->xWrite(f, p, n, at);
    memcpy(page, p, sizeof page);
    memset(page + from, 0, (size_t)(to - from));
    return c->below->xWrite(f, page, n, at);
}

void clean_writes(Clean *c, sqlite3 *h) {
    _Static_assert(offsetof(Clean, methods) == 0, "what SQLite has of it leads to it");
    sqlite3_file *f = NULL;
    CHECK(sqlite3_file_control(h, "main", SQLITE_FCNTL_FILE_POINTER, &f) == SQLITE_OK);
    CHECK(f && f->pMethods);
    c->below = f->pMethods;
    c->methods = *f->pMethods;
    c->methods.xWrite = write_clean;
    f->pMethods = &c->methods;
}
