// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <sosia/file.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "store/store.h"

_Static_assert((int)SOSIA_STORAGE == (int)ERR_STORAGE, "one list");

// ---- backup -------------------------------------------------------------------------------------------------------

static bool copied(void *ctx, int64_t done, int64_t total) {
    const SosiaBackup *b = ctx;
    return b->progress(b->ctx, STR("bytes"), done, total);
}

static Err copy_to(const SosiaBackup *b, Str to, Buf *why) {
    return store_backup(b->from, to, b->progress ? copied : NULL, (void *)(uintptr_t)b, why);
}

static char *name_of(Str path, const char *end) {
    Buf b = {0};
    buf_str_put(&b, path);
    buf_str_put(&b, str_of(end));
    buf_byte(&b, 0);
    return b.p;
}

static bool in_use(Str path) {
    struct stat st;
    char *log = name_of(path, "-wal"), *lock = name_of(path, ".lock");
    bool is = lstat(log, &st) == 0 || lstat(lock, &st) == 0;
    mem_free(log);
    mem_free(lock);
    return is;
}

// The copy is made under a name of its own and takes the other one's place at once.
static Err copy_over(const SosiaBackup *b, Buf *why) {
    Buf name = {0};
    buf_printf(&name, "%.*s.new-%d", STR_ARG(b->to), (int)getpid());
    Str made = buf_str(&name);
    char *from = name_of(made, ""), *to = name_of(b->to, "");
    Err e = ERR_OK;
    if (in_use(b->to)) {
        if (why) buf_printf(why, "%s: a store of that name is open, or was not closed", to);
        e = ERR_EXISTS;
    }
    if (e == ERR_OK) e = copy_to(b, made, why);
    if (e == ERR_OK && rename(from, to) != 0) {
        if (why)
            buf_printf(why, "%s: cannot take the place of the file that is there (%s)", to, strerrordesc_np(errno));
        unlink(from);
        e = ERR_STORAGE;
    }
    mem_free(from);
    mem_free(to);
    buf_free(&name);
    return e;
}

SosiaErr sosia_backup(const SosiaBackup *b, SosiaBuf *why) {
    char *to = name_of(b->to, "");
    bool there = access(to, F_OK) == 0;
    mem_free(to);
    return (SosiaErr)(b->replace && there ? copy_over(b, why) : copy_to(b, b->to, why));
}

// ---- check --------------------------------------------------------------------------------------------------------

SosiaErr sosia_check(const SosiaCheck *c, SosiaChecked *out, SosiaBuf *why) {
    StoreCheck x = {.ctx = c->ctx, .finding = c->finding, .progress = c->progress};
    Err e = store_check(c->file, &x, why);
    *out = (SosiaChecked){.blocks = x.pages,
                          .journal_rows = x.journal_rows,
                          .batches = x.batches,
                          .history_blocks = x.blocks,
                          .history_points = x.points,
                          .twins = x.twins,
                          .relationships = x.links,
                          .findings = x.findings};
    return (SosiaErr)e;
}
