// SPDX-License-Identifier: Apache-2.0
// Inside of erasing, for src/engine/erase*.c only: what is to be done, and who does it.
#pragma once
#include "engine/erase.h"

#define ERASE_KIND "sosia.erase" // what is to be erased
#define ERASED_KIND "erasure"    // what was

typedef enum JobState {
    JOB_ASKED = 1, // stored
    JOB_GONE,      // from every world; durable at seq
    JOB_WASH,      // from everywhere; what asked for it is to leave the file too
} JobState;

// Ascending numbers of columns.
typedef struct Columns {
    uint32_t *items;
    int64_t count, cap;
} Columns;

// A fork that it was erased from, and its sequence then.
typedef struct ForkDone {
    Realm *realm;    // reference; NULL: it is only in the file
    uint64_t number; // in the file
    uint64_t seq;    // 0: it could not be made, all of it is meant
    int64_t time;    // of that batch; 0: not known, what is there now is meant
    bool unknown;    // which columns the property has in it cannot be known
    Columns columns; // of the property there: a fork may have models, and types of the twin, of its own
} ForkDone;

typedef struct Job {
    struct Job *next;
    Arena arena; // of everything below
    JobState state;
    char id[40], subject[65];
    Str twin, property, by;
    bool whole; // no property
    Str why;    // of a failure, when the writer said
    int64_t asked_ns, done_ns;
    SosiaDoneFn done; // NULL: nobody waits any more
    void *arg;
    int64_t again_ns; // mono; not before
    // Of the tries so far; under the eraser's lock.
    int64_t tries;
    int64_t next_ns; // wall clock; of the next try
    Err stands;      // why the newest came to nothing; OK: none has
    // found
    uint64_t *twins; // of that name, dead ones too
    int64_t twin_count;
    HistoryErase *spans;
    int64_t span_count, span_cap;
    uint64_t *links; // ascending, of whole twins
    int64_t link_count, link_cap;
    Columns columns;
    Columns everywhere; // of the property in any table of live, for what is left of forks that cannot be made
    bool telemetry;     // the property is the name of one
    bool known;         // some model had it, or some message
    ForkDone *forks;
    int64_t fork_count;
    // done
    uint64_t seq;
    int64_t time; // of that batch
    int64_t points, rows, zeroed;
    Eraser *eraser;
    Str receipt;
    bool scrubbed; // under the eraser's lock
    Err scrub_err;
    Err err;
} Job;

struct Eraser {
    Sosia *engine;
    Thread thread;
    pthread_mutex_t lock; // guards the rest
    pthread_cond_t more;
    Job *first;   // in order
    Job *running; // or NULL
    int64_t count;
    int64_t done, failed; // receipts; tries that came to nothing
    bool stop;
    Job *left; // not finished when the engine closed
};

// A job as its item says; NULL: it is damaged.
Job *erase_job_decode(Str id, Str value);
void erase_job_free(Job *j);
// Append ,"name":"TIME".
void erase_time_put(Buf *out, const char *name, int64_t ns);

// The spans of a world's history that are erased, up to j->time; of relationships too, those are noted as well.
MUST Err erase_spans(Job *j, History *h, const World *w);
// The same by models alone.
MUST Err erase_spans_of(Job *j, History *h, const Catalog *c);
// Erase from what forks have of their own. Forks were made as far as they can be. Errors: those of history_erase.
MUST Err erase_fork_histories(Sosia *e, Job *j);
