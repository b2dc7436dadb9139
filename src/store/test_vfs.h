// SPDX-License-Identifier: Apache-2.0
// TestVfs: a disk in memory for SQLite, which tests break on purpose. Not part of the product: nothing in it refers to
// this file, so no program but a test links it.
//
// A file has two contents: what programs see, and what lies on the platter. Writes reach the platter at the next sync.
// When power is cut, every write since then survives whole, in some of its 512-byte sectors, or not at all; files that
// were created or deleted since then may be there or not.
//
// Any number of connections: files have locks, and the index of a write-ahead log is memory that its connections share
// and that goes with the last of them, as it does when the power goes.
//
// Any thread; a lock guards everything, taken for one operation.
#pragma once
#include "base/buf.h"

typedef struct TestVfs TestVfs;

// Operations that may fail.
enum {
    TEST_READ = 1,
    TEST_WRITE = 2,
    TEST_SYNC = 4,
    TEST_TRUNCATE = 8,
    TEST_DELETE = 16,
    TEST_CREATE = 32,
    TEST_CHANGE = TEST_WRITE | TEST_SYNC | TEST_TRUNCATE | TEST_DELETE | TEST_CREATE,
    TEST_ANY = TEST_CHANGE | TEST_READ,
};

typedef enum TestFault {
    TEST_FAULT_NONE,
    TEST_FAULT_POWER, // this operation is cut, every later one fails until test_vfs_power_on
    TEST_FAULT_IO,    // SQLITE_IOERR
    TEST_FAULT_FULL,  // SQLITE_FULL, of writes
} TestFault;

// An empty disk, registered with SQLite under `name` (static memory).
TestVfs *test_vfs_new(const char *name);
// Unregister and free; no connection may be open.
void test_vfs_free(TestVfs *v);
// The at-th operation of `kinds` from now (1: the next one) fails, and so do the times - 1 after it.
void test_vfs_break(TestVfs *v, TestFault fault, int kinds, int64_t at, int64_t times);
// Operations of `kinds` since test_vfs_break, which also turns breaking off (TEST_FAULT_NONE).
int64_t test_vfs_count(TestVfs *v);
// Power is off.
bool test_vfs_dead(TestVfs *v);
// Files become what the platter holds, with a random part of what was on its way. No connection may be open.
void test_vfs_power_on(TestVfs *v, uint64_t seed);
// Bytes all files may hold together; beyond, writes answer SQLITE_FULL. 0: no limit.
void test_vfs_room(TestVfs *v, int64_t bytes);
// Bytes all files hold.
int64_t test_vfs_used(TestVfs *v);
// The content of a file, or NULL; borrowed until the next operation. Changing it changes the platter too once it is
// read back: call while no connection is open.
Buf *test_vfs_file(TestVfs *v, const char *name);
// Make disk `to` hold what `from` holds. No connection may be open on either.
void test_vfs_copy(TestVfs *from, TestVfs *to);
