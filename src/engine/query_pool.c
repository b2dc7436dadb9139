// SPDX-License-Identifier: Apache-2.0
// The pool's threads: jobs in two lanes, and help for callers that have several parts to do at once.
//
// Invariants
//  1. A thread that is free takes a small job before a large one, and any job before it helps.
//  2. At most threads - 1 large jobs run at a time, so that a small one never waits for a large one to end.
//  3. A caller of crew_run does every part that no helper has begun, so it never waits for a thread that is not at work
//     on one of its parts. A helper leaves between two parts when a small job waits, and a part that goes on for long
//     asks for that itself (QueryCrew.wanted). The first part is the caller's own, so that one always stays.
#include "engine/query_desk.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"

#define NICE 5 // a third of the writer's share where both want the processor

// The parts of one caller. On its stack.
typedef struct Parts Parts;
struct Parts {
    Parts *next;
    int32_t n;
    _Atomic int32_t at; // the next part to be done
    void (*fn)(void *arg, int32_t i);
    void *arg;
    int32_t helpers; // at work; pool lock
};

typedef struct Lane {
    Job *first, *last;
} Lane;

struct Pool {
    pthread_mutex_t lock; // guards what follows, and Parts.helpers; a leaf
    pthread_cond_t work;  // for threads: a job, parts, the end
    pthread_cond_t left;  // for callers: a helper left
    Lane small, large;
    Parts *parts;
    _Atomic int64_t waiting;       // jobs in both lanes
    _Atomic int64_t small_waiting; // in the first
    int32_t asleep, large_running;
    bool closing;
    int32_t count;
    Thread threads[QUERY_THREADS_MAX];
    void (*idle)(void *ctx);
    void *ctx;
    const _Atomic int64_t *watch;
    int64_t looked_ns; // when idle was called last
    QueryCrew crew;
};

// ---- jobs ----------------------------------------------------------------------------------------------------------

static void lane_push(Lane *l, Job *j) {
    j->next = NULL;
    if (l->last) l->last->next = j;
    else l->first = j;
    l->last = j;
}

static Job *lane_take(Lane *l) {
    Job *j = l->first;
    if (j && (l->first = j->next) == NULL) l->last = NULL;
    return j;
}

bool pool_push(Pool *p, Job *j, bool force) {
    pthread_mutex_lock(&p->lock);
    bool ok = force || atomic_load(&p->waiting) < QUERY_QUEUE_MAX;
    if (ok) {
        lane_push(j->large ? &p->large : &p->small, j);
        atomic_fetch_add(&p->waiting, 1);
        if (!j->large) atomic_fetch_add(&p->small_waiting, 1);
        if (p->asleep) pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

int64_t pool_waiting(Pool *p) { return atomic_load(&p->waiting); }

void pool_wake(Pool *p) {
    pthread_mutex_lock(&p->lock);
    if (p->asleep) pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

// The next job this thread may run, or NULL. Lock held.
static Job *job_take(Pool *p) {
    Job *j = lane_take(&p->small);
    if (j) atomic_fetch_sub(&p->small_waiting, 1);
    if (!j && (p->large_running < p->count - 1 || p->count == 1)) j = lane_take(&p->large);
    if (j) atomic_fetch_sub(&p->waiting, 1);
    return j;
}

static void job_run(Pool *p, Job *j) {
    bool large = j->large;
    p->large_running += large;
    pthread_mutex_unlock(&p->lock);
    j->run(j);
    pthread_mutex_lock(&p->lock);
    p->large_running -= large;
    if (large && p->large.first && p->asleep) pthread_cond_signal(&p->work);
}

// ---- parts ---------------------------------------------------------------------------------------------------------

// Parts that more hands could do; NULL when there are none. Lock held.
static Parts *parts_find(Pool *p) {
    for (Parts *x = p->parts; x; x = x->next)
        if (atomic_load(&x->at) < x->n && x->helpers < p->count - 1) return x;
    return NULL;
}

static void help(Pool *p, Parts *x) {
    x->helpers++;
    pthread_mutex_unlock(&p->lock);
    for (int32_t i; !atomic_load(&p->small_waiting) && (i = atomic_fetch_add(&x->at, 1)) < x->n;) x->fn(x->arg, i);
    pthread_mutex_lock(&p->lock);
    if (--x->helpers == 0) pthread_cond_broadcast(&p->left);
}

static void parts_add(Pool *p, Parts *x) {
    pthread_mutex_lock(&p->lock);
    x->next = p->parts;
    p->parts = x;
    if (p->asleep) pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
}

// Nobody joins any more; wait for those who are at a part.
static void parts_end(Pool *p, Parts *x) {
    pthread_mutex_lock(&p->lock);
    Parts **at = &p->parts;
    while (*at != x) at = &(*at)->next;
    *at = x->next;
    while (x->helpers) pthread_cond_wait(&p->left, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void crew_run(void *ctx, int32_t n, void (*fn)(void *arg, int32_t i), void *arg) {
    Pool *p = ctx;
    Parts x = {.n = n, .at = 1, .fn = fn, .arg = arg};
    bool alone = n < 2;
    if (!alone) parts_add(p, &x);
    if (n > 0) fn(arg, 0);
    for (int32_t i; (i = atomic_fetch_add(&x.at, 1)) < n;) fn(arg, i);
    if (!alone) parts_end(p, &x);
}

static bool crew_wanted(void *ctx) { return atomic_load(&((Pool *)ctx)->small_waiting) > 0; }

const QueryCrew *pool_crew(Pool *p) { return &p->crew; }

// ---- threads -------------------------------------------------------------------------------------------------------

// Until something may have happened, or the idle function wants to know. Lock held.
static void sleep_some(Pool *p) {
    p->asleep++;
    if (atomic_load(p->watch)) {
        struct timespec until = time_after(QUERY_SWEEP_NS);
        pthread_cond_timedwait(&p->work, &p->lock, &until);
    } else {
        pthread_cond_wait(&p->work, &p->lock);
    }
    p->asleep--;
}

// However busy the threads are. Lock held.
static void look_round(Pool *p) {
    int64_t now = time_mono_ns();
    if (!atomic_load(p->watch) || now - p->looked_ns < QUERY_SWEEP_NS) return;
    p->looked_ns = now;
    pthread_mutex_unlock(&p->lock);
    p->idle(p->ctx);
    pthread_mutex_lock(&p->lock);
}

static void *pool_main(void *arg) {
    Pool *p = arg;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid),
                NICE); // of this thread alone, on Linux
    pthread_mutex_lock(&p->lock);
    for (;;) {
        look_round(p);
        Job *j = job_take(p);
        Parts *x = j ? NULL : parts_find(p);
        if (j) job_run(p, j);
        else if (x) help(p, x);
        else if (p->closing && !p->large.first) break;
        else sleep_some(p);
    }
    pthread_cond_broadcast(&p->work); // who sleeps because of invariant 2 has nothing to wait for any more
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

Err pool_start(int32_t threads, void (*idle)(void *ctx), void *ctx, const _Atomic int64_t *watch, Pool **out) {
    CHECK(threads >= 1 && threads <= QUERY_THREADS_MAX);
    Pool *p = mem_alloc(sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    cond_init_mono(&p->work);
    cond_init_mono(&p->left);
    p->idle = idle;
    p->ctx = ctx;
    p->watch = watch;
    p->count = threads;
    p->crew = (QueryCrew){.ctx = p, .threads = threads, .run = crew_run, .wanted = crew_wanted};
    for (int32_t i = 0; i < threads; i++) {
        Err err = thread_start(&p->threads[i], "sosia-query", pool_main, p);
        if (err == ERR_OK) continue;
        pool_free(p);
        return err;
    }
    *out = p;
    return ERR_OK;
}

void pool_free(Pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int32_t i = 0; i < p->count; i++) thread_join(&p->threads[i]);
    CHECK(!p->parts);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->left);
    mem_free(p);
}
