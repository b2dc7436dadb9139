// SPDX-License-Identifier: Apache-2.0
#include "query/gather.h"
#include "base/mem.h"
#include "query/reach.h"

enum {
    SCAN_RUN = 16, // parts a thread takes at a time
    WALK_RUN = 2,
    WAVE = 64, // runs whose groups are held at once
    THREADS_MAX = 64,
};

// ---- the team -----------------------------------------------------------------------------------------------------

int32_t team_size(const Team *team) {
    int32_t n = team->crew && team->crew->run ? team->crew->threads : 1;
    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
}

Exec *team_exec(Team *team, int32_t i) {
    while (team->count <= i) {
        team->execs = mem_grow(team->execs, (size_t)(team->count + 1) * sizeof *team->execs);
        Exec *x = mem_alloc(sizeof *x);
        exec_init(x, team->plan, team->execs[0]->view, team->now, team->past, team->meter);
        team->execs[team->count++] = x;
    }
    return team->execs[i];
}

void team_free(Team *team) {
    for (int32_t i = 0; i < team->count; i++) {
        exec_free(team->execs[i]);
        mem_free(team->execs[i]);
    }
    mem_free(team->execs);
}

typedef struct Shift {
    Team *team;
    int64_t n;
    _Atomic int64_t next;
    void (*fn)(void *arg, Exec *x, int64_t i);
    void *arg;
} Shift;

// One thread's share: whatever is next, until nothing is, or the thread is wanted elsewhere. The first one stays.
static void work(void *arg, int32_t who) {
    Shift *s = arg;
    Exec *x = s->team->execs[who];
    const QueryCrew *crew = s->team->crew;
    for (;;) {
        if (who && crew->wanted && crew->wanted(crew->ctx)) return;
        int64_t i = atomic_fetch_add(&s->next, 1);
        if (i >= s->n || !exec_goes(x)) return;
        s->fn(s->arg, x, i);
    }
}

// What stopped one stops all.
static void hear(Team *team, int32_t threads) {
    Exec *first = team->execs[0];
    for (int32_t i = 1; i < threads; i++) {
        Exec *x = team->execs[i];
        if (x->joined.overrun) first->view->overrun = true;
        if (x->joined.failed != ERR_OK) first->view->failed = x->joined.failed;
        if (x->err != ERR_OK && first->err == ERR_OK) exec_refuse(first, &x->why);
        x->err = ERR_OK;
        for (int32_t k = 0; k <= team->plan->q->edge_count; k++) {
            first->step_rows[k] += x->step_rows[k];
            x->step_rows[k] = 0;
        }
    }
}

void team_run(Team *team, int64_t n, void (*fn)(void *arg, Exec *x, int64_t i), void *arg) {
    int32_t threads = team_size(team);
    if (threads > n) threads = (int32_t)n;
    Shift s = {.team = team, .n = n, .fn = fn, .arg = arg};
    if (threads <= 1) {
        work(&s, 0);
        return;
    }
    for (int32_t i = 1; i < threads; i++) {
        Exec *x = team_exec(team, i);
        view_join(&x->joined, team->execs[0]->view);
        exec_view(x, &x->joined);
    }
    team->crew->run(team->crew->ctx, threads, work, &s);
    for (int32_t i = 1; i < threads; i++) {
        exec_flush(team->execs[i]);
        view_end(&team->execs[i]->joined);
    }
    hear(team, threads);
}

// ---- rows ---------------------------------------------------------------------------------------------------------

bool out_row(const Out *out, Exec *x, const ExprRow *rows, const uint32_t *of, const Trail *trail) {
    return out->groups ? groups_row(out->groups, x, rows, of) : sorter_add(out->sorter, x, rows, of, trail);
}

// The links of the variable-length edges of the combination a walk stands on.
static bool set_trail(const Walk *w, Trail *trail, int32_t *counts, uint64_t *links) {
    const Query *q = w->x->q;
    bool any = false;
    int32_t n = 0;
    for (int32_t e = 0; e < q->edge_count; e++) {
        counts[e] = q->edges[e].link >= 0 ? 0 : walk_path(w, e, links + n, w->frame_count);
        any |= q->edges[e].link < 0;
        n += counts[e];
    }
    *trail = (Trail){links, counts};
    return any;
}

static bool walk_from(Walk *w, const Spot *start, const Out *out) {
    Exec *x = w->x;
    if (!walk_start(w, start)) return exec_goes(x);
    while (walk_next(w)) {
        Trail trail = {0};
        if (out->sorter) {
            int32_t *counts = NEW(&x->scratch, int32_t, x->q->edge_count);
            uint64_t *links = NEW(&x->scratch, uint64_t, w->frame_count);
            if (!set_trail(w, &trail, counts, links)) trail = (Trail){0};
        }
        if (!out_row(out, x, w->rows, w->of, out->sorter && trail.counts ? &trail : NULL)) return false;
    }
    return exec_goes(x);
}

// ---- runs of parts ------------------------------------------------------------------------------------------------

typedef struct Job {
    const Parts *parts;
    int64_t run, first; // parts a run has; first run of this wave
    Groups *groups;     // by run of the wave
    Sorter *sorters;    // by thread
    Team *team;
} Job;

static int32_t number_of(const Team *team, const Exec *x) {
    int32_t i = 0;
    while (team->execs[i] != x) i++;
    return i;
}

static bool do_part(const Part *part, Exec *x, Walk *w, const Out *out, Found *found) {
    bool walks = x->plan->producer == PRODUCE_WALK;
    bool paged = !walks && out->groups;
    part_run(part, x, !paged, found);
    if (!exec_goes(x)) return false;
    if (paged && found->paged) return groups_page(out->groups, x, part->of, found->sel, found->n);
    for (int32_t i = 0; i < found->n; i++) {
        const Spot *s = &found->spots[i];
        if (walks ? !walk_from(w, s, out) : !out_row(out, x, &s->at, &s->of, NULL)) return false;
    }
    return exec_goes(x);
}

static void do_run(void *arg, Exec *x, int64_t i) {
    Job *job = arg;
    Out out = {0};
    if (job->groups) out.groups = &job->groups[i];
    else out.sorter = &job->sorters[number_of(job->team, x)];
    int64_t from = (job->first + i) * job->run, to = from + job->run;
    Walk *w = mem_alloc(sizeof *w);
    Found *found = mem_alloc(sizeof *found);
    walk_init(w, x);
    for (int64_t k = from; k < to && k < job->parts->n; k++)
        if (!do_part(&job->parts->p[k], x, w, &out, found)) break;
    walk_free(w);
    mem_free(found);
    mem_free(w);
}

static void gather_groups(Team *team, Job *job, int64_t runs, const Out *out) {
    const Plan *p = team->plan;
    job->groups = mem_alloc(WAVE * sizeof *job->groups);
    for (int64_t first = 0; first < runs && exec_goes(team->execs[0]); first += WAVE) {
        int64_t n = runs - first < WAVE ? runs - first : WAVE;
        for (int64_t i = 0; i < n; i++) groups_init(&job->groups[i], p, team->meter);
        job->first = first;
        team_run(team, n, do_run, job);
        for (int64_t i = 0; i < n; i++) {
            groups_merge(out->groups, &job->groups[i]);
            groups_free(&job->groups[i]);
        }
    }
    mem_free(job->groups);
}

static void gather_rows(Team *team, Job *job, int64_t runs, const Out *out) {
    int32_t threads = team_size(team);
    job->sorters = mem_alloc((size_t)threads * sizeof *job->sorters);
    for (int32_t i = 0; i < threads; i++) sorter_init(&job->sorters[i], team->plan, team->meter);
    team_run(team, runs, do_run, job);
    for (int32_t i = 0; i < threads; i++) {
        sorter_take(out->sorter, &job->sorters[i]);
        sorter_free(&job->sorters[i]);
    }
    mem_free(job->sorters);
}

void gather(Team *team, const Parts *parts, const Out *out) {
    const Plan *p = team->plan;
    if (p->producer >= PRODUCE_REACH) {
        if (p->producer == PRODUCE_REACH) reach_ends(team->execs[0], parts, out);
        else reach_shortest(team->execs[0], parts, out);
        return;
    }
    Job job = {.parts = parts, .team = team, .run = p->producer == PRODUCE_SCAN ? SCAN_RUN : WALK_RUN};
    int64_t runs = (parts->n + job.run - 1) / job.run;
    if (out->groups) gather_groups(team, &job, runs, out);
    else gather_rows(team, &job, runs, out);
}
