// SPDX-License-Identifier: Apache-2.0
// The name may be removed by its holder between our opening it and locking it: then what we have locked is a file
// without a name, and we begin again.
#include "store/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"

static char *lock_name(const char *path) {
    char real[PATH_MAX];
    const char *of = realpath(path, real) ? real : path;
    size_t n = strlen(of);
    char *name = mem_alloc(n + sizeof ".lock");
    memcpy(name, of, n);
    memcpy(name + n, ".lock", sizeof ".lock");
    return name;
}

static int64_t read_holder(int fd) {
    char text[24];
    int64_t pid = 0;
    ssize_t n = pread(fd, text, sizeof text, 0);
    return n > 0 && str_to_i64(str_trim((Str){text, n}), &pid) ? pid : 0;
}

// Nobody reads it but people and read_holder: a failure is nobody's loss.
static void write_holder(int fd) {
    char text[24];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) < 0) return;
}

static bool still_named(int fd, const char *name) {
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(name, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

Err lock_take(FileLock *l, const char *path, int64_t *holder) {
    *holder = 0;
    *l = (FileLock){.fd = -1, .path = lock_name(path)};
    for (;;) {
        int fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) break;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (still_named(fd, l->path)) {
                write_holder(fd);
                l->fd = fd;
                return ERR_OK;
            }
            close(fd);
            continue;
        }
        int code = errno;
        if (code == EWOULDBLOCK) *holder = read_holder(fd);
        close(fd);
        errno = code;
        break;
    }
    int code = errno;
    mem_free(l->path);
    l->path = NULL;
    errno = code;
    return code == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
}

void lock_drop(FileLock *l) {
    if (l->fd < 0) return;
    unlink(l->path); // while it is still ours
    close(l->fd);
    mem_free(l->path);
    *l = (FileLock){.fd = -1};
}
