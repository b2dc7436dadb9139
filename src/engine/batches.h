// SPDX-License-Identifier: Apache-2.0
// Batches: how the writer applies the many items (lines, points) of one task: in as many batches as needed, each with
// its derived values.
//
// Invariant: when an item fails and has left something in the open batch, or the ring is full, the items before it are
// kept (once more, when a rollback was needed) and it begins the next batch; alone there, its error is its own.
#pragma once
#include "engine/engine.h"
#include "engine/report.h"

typedef struct Batches Batches;

typedef struct BatchKind {
    // The next batch: choose x->to and call batches_apply, or fill one otherwise. Returns the item behind it, with the
    // batch left open; -1: a commit failed.
    int64_t (*next)(Batches *x);
    // Items [from, to) into the open batch; returns the one that must begin the next. *dirty, false at first: the open
    // batch must be rolled back and the items before that one applied again.
    int64_t (*apply)(Batches *x, bool *dirty);
    int64_t (*line)(const Batches *x, int64_t item); // its number in messages
    void (*result)(Task *c);                         // into c->out
} BatchKind;

struct Batches {
    const BatchKind *kind;
    Sosia *e;
    Realm *r;
    Task *c;
    Report *report;
    int64_t count;    // of all items
    int64_t from, to; // of this batch
    Arena scratch;    // of this batch
    Diag d;           // of this item
};

// Apply all items and complete the task. The report is the task's.
void batches_run(const BatchKind *kind, Sosia *e, Realm *r, Task *c, Report *report, int64_t count);
// One batch of items [from, to) or fewer; returns as BatchKind.next.
int64_t batches_apply(Batches *x);
// Changes in the open batch.
int64_t batches_changes(const Batches *x);
// An empty x->d.
void batches_diag(Batches *x);
// Report an item as refused, in the words of x->d.
void batches_reject(Batches *x, int64_t item, Err err);
// The same after its edit failed, with `before` changes in the batch when it began. False: the item must begin the next
// batch, and *dirty is set.
bool batches_refuse(Batches *x, int64_t item, int64_t before, Err err, bool *dirty);
