// SPDX-License-Identifier: Apache-2.0
#include "engine/workers.h"
#include "base/mem.h"

struct Workers {
    Sosia *engine;
    Queue jobs; // of Task
    Thread threads[WORKERS];
    pthread_mutex_t lock; // guards the list; the queue's and the inbox's are taken inside
    Task *first, *last;   // what is here, in the order it came, by `next`
};

// ---- order --------------------------------------------------------------------------------------------------------

static bool same_stream(const Task *a, const Task *b) {
    return a->op != SOSIA_IMPORT && b->op != SOSIA_IMPORT && str_eq(a->source, b->source) && str_eq(a->world, b->world);
}

// Is an earlier one of its stream not parsed yet? Lock held.
static bool must_wait(const Workers *w, const Task *c) {
    for (const Task *t = w->first; t && t != c; t = t->next)
        if (!t->parsed && same_stream(t, c)) return true;
    return false;
}

static Task *unlink_behind(Workers *w, Task *before) {
    Task **slot = before ? &before->next : &w->first, *c = *slot;
    *slot = c->next;
    if (w->last == c) w->last = before;
    c->next = NULL;
    return c;
}

// Put into the inbox what has its turn; returns the list of those refused there. Lock held.
static Task *release(Workers *w) {
    Task *refused = NULL, *before = NULL;
    for (Task *t = w->first, *next; t; t = next) {
        next = t->next;
        if (!t->parsed || must_wait(w, t)) {
            before = t;
            continue;
        }
        unlink_behind(w, before);
        Err err = task_queue(w->engine, t, true);
        if (!err) continue;
        task_fail(t, err, NULL);
        t->next = refused;
        refused = t;
    }
    return refused;
}

static void parse_one(Workers *w, Task *c) {
    task_parse(w->engine, c);
    pthread_mutex_lock(&w->lock);
    c->parsed = true;
    Task *refused = release(w);
    pthread_mutex_unlock(&w->lock);
    while (refused) {
        Task *next = refused->next;
        refused->next = NULL;
        task_finish(w->engine, refused);
        refused = next;
    }
}

// ---- the pool -----------------------------------------------------------------------------------------------------

static void *worker_main(void *arg) {
    Workers *w = arg;
    void *job;
    while (queue_pop(&w->jobs, &job, 1, -1) == 1) parse_one(w, job);
    return NULL;
}

Err workers_start(Sosia *e, Workers **out) {
    Workers *w = mem_alloc(sizeof *w);
    w->engine = e;
    pthread_mutex_init(&w->lock, NULL);
    queue_init(&w->jobs, WORKERS_QUEUE_MAX);
    for (int i = 0; i < WORKERS; i++) {
        Err err = thread_start(&w->threads[i], "sosia-worker", worker_main, w);
        if (err == ERR_OK) continue;
        workers_free(w);
        return err;
    }
    *out = w;
    return ERR_OK;
}

Err workers_parse(Workers *w, Task *c) {
    pthread_mutex_lock(&w->lock);
    bool taken = queue_try_push(&w->jobs, c); // nobody can be done with it before it is in the list
    if (taken) {
        if (w->last) w->last->next = c;
        else w->first = c;
        w->last = c;
    }
    pthread_mutex_unlock(&w->lock);
    return taken ? ERR_OK : ERR_BUSY;
}

bool workers_behind(Workers *w, const Task *c) {
    bool found = false;
    pthread_mutex_lock(&w->lock);
    for (const Task *t = w->first; t && !found; t = t->next) found = same_stream(t, c);
    pthread_mutex_unlock(&w->lock);
    return found;
}

void workers_stop(Workers *w) {
    if (!w) return;
    queue_close(&w->jobs);
    for (int i = 0; i < WORKERS; i++) thread_join(&w->threads[i]);
}

void workers_free(Workers *w) {
    if (!w) return;
    workers_stop(w);
    queue_free(&w->jobs);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}
