// SPDX-License-Identifier: Apache-2.0
#include "cli/hist.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/term.h"

#define BYTES_MAX (16 << 20)

Str hist_path(Arena *a) {
    Str state = str_of(getenv("XDG_STATE_HOME")), home = str_of(getenv("HOME"));
    if (str_starts(state, STR("/"))) return arena_printf(a, "%.*s/sosia/query_history", STR_ARG(state));
    if (str_starts(home, STR("/"))) return arena_printf(a, "%.*s/.local/state/sosia/query_history", STR_ARG(home));
    return (Str){0};
}

// The whole file, or what could be read of it.
static void read_all(const char *path, Buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    out->max = BYTES_MAX;
    ssize_t n = 1;
    while (n > 0 && buf_reserve(out, 1 << 16)) {
        n = read(fd, out->p + out->n, (size_t)(out->cap - out->n));
        if (n > 0) out->n += n;
        else if (n < 0 && errno == EINTR) n = 1;
    }
    close(fd);
}

// Written beside and renamed, so that a shell that ends on the way leaves the old one.
static void cut_file(Arena *a, const char *path, Str lines) {
    Str part = arena_printf(a, "%s.%ld", path, (long)getpid());
    int fd = open(part.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return;
    Err err = term_write(fd, lines);
    if (close(fd) != 0 || err != ERR_OK || rename(part.p, path) != 0) unlink(part.p);
}

void hist_load(Str path, void (*fn)(void *ctx, Str line), void *ctx) {
    if (!path.n) return;
    Buf text = {0};
    Arena a;
    arena_init(&a, 0);
    read_all(path.p, &text);
    int64_t lines = 0, skip = 0;
    for (int64_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
    Str rest = buf_str(&text);
    for (; skip < lines - HIST_LINES_MAX; skip++) str_cut(&rest, '\n');
    if (lines > 2 * HIST_LINES_MAX) cut_file(&a, path.p, rest);
    while (rest.n) {
        Str line = str_cut(&rest, '\n');
        if (line.n && str_utf8_ok(line) && str_find(line, 0, 0) < 0) fn(ctx, line);
    }
    arena_free(&a);
    buf_free(&text);
}

static void make_folders(Arena *a, Str path) {
    for (int64_t at = 1; (at = str_find(path, '/', at)) > 0; at++) {
        if (mkdir(arena_str(a, str_sub(path, 0, at)).p, 0700) != 0 && errno != EEXIST) return;
    }
}

void hist_add(Str path, Str line) {
    if (!path.n || !line.n) return;
    Arena a;
    arena_init(&a, 0);
    Str text = arena_printf(&a, "%.*s\n", STR_ARG(line));
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    int fd = open(path.p, flags, 0600);
    if (fd < 0 && errno == ENOENT) {
        make_folders(&a, path);
        fd = open(path.p, flags, 0600);
    }
    if (fd >= 0) {
        Err ignored = term_write(fd, text);
        (void)ignored; // a full disk costs the history, not the answer
        close(fd);
    }
    arena_free(&a);
}
