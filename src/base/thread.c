// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

Err thread_start(Thread *t, const char *name, void *(*fn)(void *), void *arg) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); // the new thread inherits the mask
    int rc = pthread_create(&t->id, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) return ERR_IO;
    t->running = true;
    char short_name[16];
    snprintf(short_name, sizeof short_name, "%s", name);
    pthread_setname_np(t->id, short_name);
    return ERR_OK;
}

void thread_join(Thread *t) {
    if (!t->running) return;
    pthread_join(t->id, NULL);
    t->running = false;
}

void thread_sleep_ns(int64_t ns) {
    struct timespec left = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {}
}

void cond_init_mono(pthread_cond_t *cond) {
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &mono);
    pthread_condattr_destroy(&mono);
}

struct timespec time_after(int64_t wait_ns) {
    int64_t ns = time_mono_ns() + wait_ns;
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

void queue_init(Queue *q, int64_t cap) {
    CHECK(cap > 0);
    *q = (Queue){.cap = cap, .items = mem_alloc((size_t)cap * sizeof(void *))};
    pthread_mutex_init(&q->lock, NULL);
    cond_init_mono(&q->not_empty);
    cond_init_mono(&q->not_full);
}

void queue_free(Queue *q) {
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->not_empty);
    pthread_cond_destroy(&q->not_full);
    mem_free(q->items);
    q->items = NULL;
}

// Caller holds the lock and there is room.
static void put_locked(Queue *q, void *item) {
    q->items[(q->head + q->count++) % q->cap] = item;
    pthread_cond_signal(&q->not_empty);
}

bool queue_try_push(Queue *q, void *item) {
    pthread_mutex_lock(&q->lock);
    bool ok = !q->closed && q->count < q->cap;
    if (ok) put_locked(q, item);
    pthread_mutex_unlock(&q->lock);
    return ok;
}

bool queue_push(Queue *q, void *item) {
    pthread_mutex_lock(&q->lock);
    while (!q->closed && q->count == q->cap) pthread_cond_wait(&q->not_full, &q->lock);
    bool ok = !q->closed;
    if (ok) put_locked(q, item);
    pthread_mutex_unlock(&q->lock);
    return ok;
}

// Caller holds the lock. Waits until there is an item, the queue is closed, or the time is over.
static void wait_item(Queue *q, int64_t wait_ns) {
    int64_t until;
    if (__builtin_add_overflow(time_mono_ns(), wait_ns, &until)) wait_ns = -1, until = 0; // for ever, as good as
    struct timespec at = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
    while (q->count == 0 && !q->closed) {
        int rc = wait_ns < 0 ? pthread_cond_wait(&q->not_empty, &q->lock)
                             : pthread_cond_timedwait(&q->not_empty, &q->lock, &at);
        if (rc == ETIMEDOUT) return;
    }
}

int64_t queue_pop(Queue *q, void **out, int64_t max, int64_t wait_ns) {
    pthread_mutex_lock(&q->lock);
    if (wait_ns != 0) wait_item(q, wait_ns);
    int64_t n = q->count < max ? q->count : max;
    for (int64_t i = 0; i < n; i++) out[i] = q->items[(q->head + i) % q->cap];
    q->head = (q->head + n) % q->cap;
    q->count -= n;
    if (n) pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
    return n;
}

int64_t queue_count(Queue *q) {
    pthread_mutex_lock(&q->lock);
    int64_t n = q->count;
    pthread_mutex_unlock(&q->lock);
    return n;
}

void queue_close(Queue *q) {
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}
