// SPDX-License-Identifier: Apache-2.0
// For tests: files of the shared data sets, read in place. Not part of the library.
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/buf.h"

// Where the data sets are: SOSIA_DATA, or beside the repository.
static inline const char *data_root(void) {
    const char *env = getenv("SOSIA_DATA");
    return env ? env : "../shared/data";
}

// False, after a line that says so, when the data set is absent.
static inline bool data_present(const char *test, const char *path) {
    struct stat st;
    if (stat(path, &st) == 0) return true;
    printf("SKIP %s: %s not found\n", test, path);
    return false;
}

typedef struct FileList {
    Str *paths;
    int32_t count, cap;
} FileList;

// Order of qsort: by path.
static inline int file_order(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

// Add the files below `dir` to l, in the order the system gives them.
static inline void files_walk(Arena *a, FileList *l, const char *dir, const char *suffix) {
    DIR *d = opendir(dir);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        Str path = arena_printf(a, "%s/%s", dir, e->d_name);
        if (stat(path.p, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) files_walk(a, l, path.p, suffix);
        if (!S_ISREG(st.st_mode) || !str_ends(path, str_of(suffix))) continue;
        if (l->count == l->cap) {
            l->cap = l->cap ? l->cap * 2 : 256;
            Str *grown = NEW(a, Str, l->cap);
            if (l->count) memcpy(grown, l->paths, (size_t)l->count * sizeof(Str));
            l->paths = grown;
        }
        l->paths[l->count++] = path;
    }
    closedir(d);
}

// Every file below `dir` whose name ends so, in order of name.
static inline FileList files_below(Arena *a, const char *dir, const char *suffix) {
    FileList l = {0};
    files_walk(a, &l, dir, suffix);
    if (l.count) qsort(l.paths, (size_t)l.count, sizeof(Str), file_order);
    return l;
}

// The whole file, without a byte order mark; empty when it cannot be read.
static inline Str file_text(Arena *a, const char *path) {
    FILE *f = fopen(path, "rb");
    Buf b = {0};
    char part[65536];
    for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;) buf_put(&b, part, (int64_t)n);
    if (f) fclose(f);
    Str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return str_starts(s, STR("\xEF\xBB\xBF")) ? str_sub(s, 3, s.n) : s;
}
