// SPDX-License-Identifier: Apache-2.0
// Inside of a QueryCursor, for cursor.c and explain.c.
#pragma once
#include "query/gather.h"
#include "query/tale.h"

struct QueryCursor {
    const Query *q;
    QueryOptions o;
    Arena keep;
    Plan *plan;
    Meter meter;
    Team team; // execs[0] runs on the cursor's own thread
    bool begun, ended;
    Parts parts;

    // STREAM: starts found ahead of what has left, and where a walk stands
    int64_t part; // next of parts
    int64_t wave; // parts looked at together
    Spot *spots;  // found and not used
    int64_t spot_at, spot_count, spot_cap;
    Walk *walk;
    bool walking;
    // SORT, GROUP: everything, and how much of it has left
    Sorter sorter;
    Groups groups;
    bool has_sorter, has_groups;
    int64_t at;
    // HISTORY
    Tale *tale;
    bool telling; // a row of the query is being told
    // naive
    Buf rows;
    int64_t *ends; // by row
    int64_t row_count, row_cap;

    Buf held;     // the row behind the page: it tells that there is one
    int64_t left; // rows still to leave by TOP, -1: no bound; 0: the end
    int64_t rows_out;
    int64_t time_ns;
    int64_t plan_ns, list_ns, run_ns, sort_ns; // of them: planning, listing starts, running, sorting and grouping
};
