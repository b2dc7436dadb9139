// SPDX-License-Identifier: Apache-2.0
// Erasing from the histories that forks have of their own: a twin has its rows and columns there as in live, and others
// where the fork has models of its own.
#include "base/log.h"
#include "base/mem.h"
#include "engine/erase_inner.h"
#include "engine/scenarios.h"

// What one fork needs of the job: spans, columns and relationships are its own.
static Job part_of(const Job *j, const ForkDone *f) {
    Job x = {.twin = j->twin, .property = j->property, .whole = j->whole, .twins = j->twins};
    x.twin_count = j->twin_count;
    x.time = f->time ? f->time : INT64_MAX - 1;
    arena_init(&x.arena, 4096);
    return x;
}

// w NULL: by models alone.
static Err erase_one(Job *j, const ForkDone *f, History *h, const World *w, const Catalog *c) {
    int64_t points = 0;
    Job x = part_of(j, f);
    if (w) history_wait(h, f->seq ? f->seq : world_visible(w));
    Err err = w ? erase_spans(&x, h, w) : erase_spans_of(&x, h, c);
    if (!err) err = history_erase(h, x.spans, x.span_count, &points);
    if (!err && j->whole) err = history_erase_dead(h, j->twins, j->twin_count);
    j->points += points;
    mem_free(x.spans);
    mem_free(x.links);
    mem_free(x.columns.items);
    arena_free(&x.arena);
    return err;
}

static void keep_last(void *ctx, const Catalog *c) {
    Catalog **last = ctx;
    if (*last) catalog_unref(*last);
    *last = (Catalog *)(uintptr_t)c; // NOLINT: to count it
    catalog_ref(*last);
}

// One that nobody can make: what it has in blocks goes by the models that its journal tells, as far as they are known.
static Err erase_unmakeable(Sosia *e, Job *j, const ForkDone *f, Scenario *s) {
    Catalog *c = NULL;
    History *h;
    Err err = scenario_history(e, s, &h);
    if (!err && h) err = scenario_models(e, s, keep_last, &c);
    if (err == ERR_CORRUPT) err = ERR_OK;
    if (!err && c) err = erase_one(j, f, h, NULL, c);
    else if (!err) LOG(ERASE_UNKNOWN, (long long)s->number, j->id);
    if (c) catalog_unref(c);
    return err;
}

// One that is not made: it was dropped and others need it. Its journal is told to its history again, as points of it
// may be in no block.
static Err erase_unmade(Sosia *e, Job *j, const ForkDone *f, Scenario *s) {
    Realm *under = NULL;
    World *w;
    pthread_mutex_lock(&e->load_lock);
    Err err = scenario_replay(e, s, &under, &w);
    pthread_mutex_unlock(&e->load_lock);
    bool never = err == ERR_GONE || err == ERR_PAST_GONE || err == ERR_CORRUPT;
    if (err) return never ? erase_unmakeable(e, j, f, s) : err;
    err = erase_one(j, f, s->history, w, NULL);
    world_free(w);
    if (under) realm_unref(under);
    return err;
}

static Scenario *numbered(Scenario **all, int64_t count, uint64_t number) {
    for (int64_t i = 0; i < count; i++)
        if (number && all[i]->number == number) return all[i];
    return NULL;
}

Err erase_fork_histories(Sosia *e, Job *j) {
    int64_t count;
    Err err = ERR_OK;
    Scenario **all = scenarios_all(e, &count);
    for (int64_t i = 0; i < j->fork_count && !err; i++) {
        const ForkDone *f = &j->forks[i];
        Scenario *s = numbered(all, count, f->number);
        if (f->realm && realm_history(f->realm)) err = erase_one(j, f, realm_history(f->realm), f->realm->world, NULL);
        else if (s) err = erase_unmade(e, j, f, s);
    }
    for (int64_t i = 0; i < count; i++) scenario_unref(all[i]);
    mem_free(all);
    return err;
}
