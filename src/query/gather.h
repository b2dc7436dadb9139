// SPDX-License-Identifier: Apache-2.0
// Gather: run a plan to its end into groups or a sorter, on all threads of the crew where there is enough to do. Work
// is cut into runs of parts whose size does not depend on the number of threads; groups are merged in the order of the
// runs, rows are put into a total order: the result is the same for any crew.
#pragma once
#include "query/group.h"
#include "query/match.h"
#include "query/order.h"
#include "query/run_scan.h"

// Where rows go: one of the two.
typedef struct Out {
    Groups *groups;
    Sorter *sorter;
} Out;

// Hand over a row. False: stop.
bool out_row(const Out *out, Exec *x, const ExprRow *rows, const uint32_t *of, const Trail *trail);

// Several threads' Execs of one cursor; [0] is the cursor's own.
typedef struct Team {
    const Plan *plan;
    const QueryCrew *crew;
    Exec **execs;
    int32_t count; // made so far
    int64_t now;
    const ExprPast *past; // NULL: none
    Meter *meter;
} Team;

// Run the plan from all parts. Errors are in the execs' err and the meter; the first Exec gets them all.
void gather(Team *team, const Parts *parts, const Out *out);
// Exec number i, made when it is new, and how many may work at once (the crew's threads, at most 64).
Exec *team_exec(Team *team, int32_t i);
int32_t team_size(const Team *team);
void team_free(Team *team);
// Run fn(arg, x, i) for every i < n, each once, in any order, on as many threads as there are; every x has a view of
// its own while it runs. Errors and overruns of others come to execs[0].
void team_run(Team *team, int64_t n, void (*fn)(void *arg, Exec *x, int64_t i), void *arg);
