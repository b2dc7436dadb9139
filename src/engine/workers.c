// SPDX-License-Identifier: Apache-2.0
#include "engine/workers.h"
#include "base/mem.h"

struct Workers {
    Sosia *engine;
    Queue jobs; // of Task
    Thread threads[WORKERS];
};

static void parse_one(Sosia *e, Task *c) {
    task_parse(e, c);
    Err err = task_queue(e, c, true);
    if (err == ERR_OK) return;
    task_fail(c, err, NULL);
    task_finish(e, c);
}

static void *worker_main(void *arg) {
    Workers *w = arg;
    void *job;
    while (queue_pop(&w->jobs, &job, 1, -1) == 1) parse_one(w->engine, job);
    return NULL;
}

Err workers_start(Sosia *e, Workers **out) {
    Workers *w = mem_alloc(sizeof *w);
    w->engine = e;
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

Err workers_parse(Workers *w, Task *c) { return queue_try_push(&w->jobs, c) ? ERR_OK : ERR_BUSY; }

void workers_stop(Workers *w) {
    if (!w) return;
    queue_close(&w->jobs);
    for (int i = 0; i < WORKERS; i++) thread_join(&w->threads[i]);
}

void workers_free(Workers *w) {
    if (!w) return;
    workers_stop(w);
    queue_free(&w->jobs);
    mem_free(w);
}
