// SPDX-License-Identifier: Apache-2.0
// HistoryLab: a store, a world and its history as the engine puts them together, fed with random batches by seed, and
// plain lists of everything that was ever told to compare with. Not part of the product. One thread at a time writes.
#pragma once
#include "base/rng.h"
#include "history/history_inner.h"
#include "store/test_vfs.h"
#include "store/test_world.h"

// A record of a trail, as it was told.
typedef struct LabPoint {
    TrailPoint p;
    uint64_t seq, lane;
    int64_t time, order;
    Str source;
} LabPoint;

typedef struct LabBatch {
    uint64_t seq;
    int64_t time;
    Str source;
    int64_t first, count; // of points
} LabBatch;

// The world as it was.
typedef struct LabMoment {
    uint64_t seq;
    int64_t at;
    Buf dump;
} LabMoment;

enum { LAB_MOMENTS = 64 };

typedef struct HistoryLab {
    Str path;
    const char *vfs; // NULL: the default
    TestVfs *disk;   // may be NULL: it never loses power
    HistoryOpen open;
    bool threads; // history has its own; else the lab does its work, turn by turn
    bool dying;   // a write that fails ends this life: what became of it the next opening tells
    uint64_t seed;
    Rng rng;
    Domain *domain;
    Store *store;
    World *world;
    History *h;
    TestWriter writer;
    _Atomic uint64_t acked, durable; // durable: of what was submitted
    uint64_t submitted;
    _Atomic int fails;
    Arena keep;
    LabPoint *points; // of batches that are in `batches`
    int64_t point_count, point_cap;
    LabBatch *batches;
    int64_t batch_count, batch_cap;
    LabMoment moments[LAB_MOMENTS];
    int moment_count;
} HistoryLab;

// An empty lab; path and vfs are borrowed.
void history_lab_init(HistoryLab *l, uint64_t seed, Str path, const char *vfs);
void history_lab_free(HistoryLab *l);
// Open the file and begin; lists lose what did not survive.
MUST Err history_lab_open(HistoryLab *l);
// Close in order. At once: as after a kill, the history loses what it has in memory.
void history_lab_close(HistoryLab *l);
// One batch of up to `changes` random changes, durable and told to history. An error: it was refused and undone; when
// the disk lost power, it may be there at the next opening.
MUST Err history_lab_write(HistoryLab *l, int64_t changes);
// A batch that no world knows of: its trail goes to history alone. Takes the trail's bytes.
void history_lab_tell(HistoryLab *l, uint64_t seq, int64_t time, Str source, Buf *trail);
// Something else was submitted to the store: wait until it is durable or refused.
void history_lab_submitted(HistoryLab *l);
// Lists alone: a batch that was told; what is behind seq never was.
void history_lab_keep(HistoryLab *l, uint64_t seq, int64_t time, Str source, Str trail);
void history_lab_forget(HistoryLab *l, uint64_t seq);
// The world as it is becomes a moment to compare with (some are overwritten when there are many).
void history_lab_moment(HistoryLab *l);
// Begin a checkpoint.
void history_lab_checkpoint(HistoryLab *l);
// Until nothing moves any more.
void history_lab_rest(HistoryLab *l);
// A turn of the history's work, when it has no thread. False: nothing to do.
bool history_lab_turn(HistoryLab *l);
// Compare `n` random things of each kind with the lists; prints the seed and stops the process when they differ.
void history_lab_check(HistoryLab *l, int n);
// Compare everything.
void history_lab_check_all(HistoryLab *l);
// Compare the moments alone.
void history_lab_check_moments(HistoryLab *l);
