// SPDX-License-Identifier: Apache-2.0
// FileLock: one process at a time has a store open for writing. SQLite's own locks let readers in beside it, so this is
// a file of our own, PATH.lock, with an advisory lock that ends with the process that holds it. One thread at a time.
#pragma once
#include "base/err.h"

typedef struct FileLock {
    int fd; // -1: not held
    char *path;
} FileLock;

// Take the lock of the file at `path`, which should exist so that links to it are followed. *holder: the process that
// has it, when there is one and it is known. Errors: BUSY (somebody has it), IO (errno tells).
MUST Err lock_take(FileLock *l, const char *path, int64_t *holder);
// Let go and remove the lock's file. A lock that was never taken is fine when its fd is -1.
void lock_drop(FileLock *l);
