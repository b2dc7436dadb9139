// SPDX-License-Identifier: Apache-2.0
// Threads, locks and a bounded queue of pointers. POSIX threads below.
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "base/err.h"

typedef struct Thread {
    pthread_t id;
    bool running;
} Thread;

// Start fn(arg); `name` (max 15 bytes) shows in top and gdb. All signals are blocked in the new thread.
MUST Err thread_start(Thread *t, const char *name, void *(*fn)(void *), void *arg);
// Wait for its end; no-op when it never ran.
void thread_join(Thread *t);
void thread_sleep_ns(int64_t ns);

// For waiting on a condition by the monotonic clock, whatever is done to the other: a condition that does, and the time
// `wait_ns` from now.
void cond_init_mono(pthread_cond_t *cond);
struct timespec time_after(int64_t wait_ns);

// Bounded FIFO of pointers, many producers and consumers. One mutex guards all of it, held for a few instructions.
typedef struct Queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void **items;
    int64_t cap, head, count;
    bool closed;
} Queue;

// Room for cap items, > 0. free: nobody may still use it; items left are forgotten.
void queue_init(Queue *q, int64_t cap);
void queue_free(Queue *q);
// False at once when full or closed.
bool queue_try_push(Queue *q, void *item);
// Waits for room; false when the queue was closed.
bool queue_push(Queue *q, void *item);
// Takes up to max items in order; waits up to wait_ns (<0: for ever) for the first. Returns how many; 0 after
// a time-out, or when closed and empty.
int64_t queue_pop(Queue *q, void **out, int64_t max, int64_t wait_ns);
int64_t queue_count(Queue *q);
// No more pushes; poppers drain what is left.
void queue_close(Queue *q);
