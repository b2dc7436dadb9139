// SPDX-License-Identifier: Apache-2.0
// A query from its first page to its last: makes the plan, begins it at the first page, and hands rows out.
#include "query/cursor.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"

enum {
    WAVE_MAX = 64,    // parts of a scan looked at together while rows are streamed
    CREW_ROWS = 4096, // walks from given twins that look at less than this wake nobody
};

// ---- opening ------------------------------------------------------------------------------------------------------

static int64_t now_of(const QueryCursor *c) { return c->o.clock ? c->o.clock() : 0; }
static Exec *own(const QueryCursor *c) { return c->team.execs[0]; }

static Err prepare(QueryCursor *c, View *v, Diag *d) {
    TRY(query_measure(&c->keep, c->q, v, &c->q, d));
    TRY(plan_make(&c->keep, c->q, v, &c->plan, d));
    c->team = (Team){.plan = c->plan, .crew = c->o.crew, .now = c->o.now, .past = c->o.past, .meter = &c->meter};
    c->team.execs = mem_alloc(sizeof *c->team.execs);
    c->team.execs[0] = mem_alloc(sizeof(Exec));
    c->team.count = 1;
    exec_init(own(c), c->plan, v, c->o.now, c->o.past, &c->meter);
    if (c->o.naive && c->q->history.on) return ERR_UNSUPPORTED;
    if (c->o.naive) return ERR_OK;
    TRY(exec_check(own(c), d));
    if (c->q->history.on) TRY(tale_new(own(c), c->q, &c->o, &c->tale, d));
    plan_choose(c->plan, &c->keep, own(c), &c->o);
    if (c->plan->how == START_IDS && c->plan->estimate < CREW_ROWS) c->team.crew = NULL;
    if (atomic_load(&c->meter.err) != ERR_OK) return meter_report(&c->meter, 0, d); // many models take their time
    return ERR_OK;
}

Err query_open(const Query *q, View *v, const QueryOptions *o, QueryCursor **out, Diag *d) {
    QueryCursor *c = mem_alloc(sizeof *c);
    int64_t start = o->clock ? o->clock() : 0;
    c->q = q;
    c->o = *o;
    c->left = q->top;
    c->wave = 1;
    arena_init(&c->keep, 4096);
    c->meter.limits = o->limits;
    c->meter.clock = o->clock;
    Err err = prepare(c, v, d);
    if (err != ERR_OK) {
        query_close(c);
        return err;
    }
    c->time_ns = c->plan_ns = now_of(c) - start;
    *out = c;
    return ERR_OK;
}

void query_close(QueryCursor *c) {
    if (!c) return;
    tale_free(c->tale);
    if (c->walk) walk_free(c->walk);
    mem_free(c->walk);
    if (c->has_sorter) sorter_free(&c->sorter);
    if (c->has_groups) groups_free(&c->groups);
    if (c->begun) parts_free(&c->parts);
    team_free(&c->team);
    mem_free(c->spots);
    mem_free(c->ends);
    buf_free(&c->rows);
    buf_free(&c->held);
    arena_free(&c->keep);
    mem_free(c);
}

void query_view(QueryCursor *c, View *v) { exec_view(own(c), v); }

void query_limits(QueryCursor *c, const QueryLimits *l) {
    c->meter.limits = *l;
    c->meter.rows_from = atomic_load(&c->meter.rows);
}

// ---- rows ---------------------------------------------------------------------------------------------------------

// A row of the query: shown, or what is told from now on.
static Err put_row(QueryCursor *c, const QueryRow *row, Buf *out) {
    if (c->tale) return tale_begin(c->tale, row->at, row->values, row->bounds);
    if (out) query_row_json(c->q, own(c)->view, &c->o.show, row, out);
    return ERR_OK;
}

// One row from what its aliases are bound to.
static Err put_bound(QueryCursor *c, const ExprRow *rows, const uint32_t *of, const QueryPath *path, Buf *out) {
    Exec *x = own(c);
    const Query *q = c->q;
    if (!out && !c->tale) return ERR_OK;
    ExprValue *values = NEW(&x->scratch, ExprValue, q->column_count);
    const Bound **bounds = NEW(&x->scratch, const Bound *, q->column_count);
    for (int32_t i = 0; i < q->column_count && !q->star; i++) {
        int32_t expr = c->plan->columns[i];
        if (expr < 0) continue;
        values[i] = exec_value(x, expr, rows, of);
        if (x->err != ERR_OK) return x->err;
        bounds[i] = exec_bound(x, expr, of);
    }
    QueryRow row = {.at = rows, .values = values, .bounds = bounds, .path = path};
    TRY(put_row(c, &row, out));
    if (x->scratch.used > 1 << 14) arena_reset(&x->scratch);
    return ERR_OK;
}

// The twins along a path of links.
static QueryPath path_of(QueryCursor *c, const Entry *e) {
    Exec *x = own(c);
    int32_t n = e->trail.counts[0];
    uint64_t *twins = NEW(&x->scratch, uint64_t, n + 1);
    twins[0] = e->rows[c->q->edges[0].from].id;
    for (int32_t i = 0; i < n; i++) {
        LinkView l = view_link(x->view, (LinkId){e->trail.links[i]});
        twins[i + 1] = l.source.v == twins[i] ? l.target.v : l.source.v;
    }
    return (QueryPath){n, twins, e->trail.links};
}

static Err put_entry(QueryCursor *c, const Entry *e, Buf *out) {
    Exec *x = own(c);
    QueryPath path = {0};
    if (c->q->shortest && e->trail.counts) {
        path = path_of(c, e);
        x->slots[0] = (ExprValue){.type = EXPR_I64, .i = path.length};
    }
    if (!e->values) return put_bound(c, e->rows, e->of, &path, out);
    QueryRow row = {.at = e->rows, .values = e->values, .bounds = e->bounds, .path = &path};
    return put_row(c, &row, out);
}

// ---- SORT and GROUP: everything first -------------------------------------------------------------------------------

static void count_whole(QueryCursor *c) {
    Exec *x = own(c);
    const PlanAlias *al = &c->plan->aliases[0];
    int32_t n = al->kind == EXPR_TWIN ? c->plan->table_count : c->plan->kind_count;
    int64_t count = 0, looked = 0;
    for (int32_t of = 0; of < n; of++) {
        if (al->term_count && exec_tab(x, 0, (uint32_t)of)->none) continue;
        if (al->kind == EXPR_TWIN && view_table_rows(x->view, (uint32_t)of) == 0) continue;
        ExprSource s = {.kind = al->kind, .table = (uint32_t)of, .link = (uint32_t)of};
        count += query_count(c->o.cache, x->view, &s, &looked);
    }
    x->step_rows[c->q->edge_count] = count;
    exec_tick(x, looked);
    groups_count(&c->groups, count);
}

static void begin_gather(QueryCursor *c) {
    Out out = {0};
    if (c->plan->sink == SINK_GROUP) {
        groups_init(&c->groups, c->plan, &c->meter);
        c->has_groups = true;
        out.groups = &c->groups;
    } else {
        sorter_init(&c->sorter, c->plan, &c->meter);
        c->has_sorter = true;
        out.sorter = &c->sorter;
    }
    int64_t start = now_of(c);
    if (c->plan->count_only) count_whole(c);
    else gather(&c->team, &c->parts, &out);
    exec_flush(own(c));
    int64_t ran = now_of(c);
    c->run_ns = ran - start;
    if (!exec_goes(own(c))) return;
    if (out.sorter) sorter_finish(&c->sorter);
    else own(c)->err = groups_finish(&c->groups, own(c));
    c->sort_ns = now_of(c) - ran;
}

static Err next_gathered(QueryCursor *c, Buf *out, bool *got) {
    int64_t n = c->has_groups ? c->groups.ranked_count : c->sorter.n;
    *got = c->at < n;
    if (!*got) return ERR_OK;
    int64_t i = c->at++;
    if (c->has_sorter) return put_entry(c, c->sorter.list[i], out);
    QueryRow row = {.values = c->groups.ranked[i]->values};
    if (out) query_row_json(c->q, own(c)->view, &c->o.show, &row, out);
    return ERR_OK;
}

// ---- STREAM: starts ahead of the rows -------------------------------------------------------------------------------

typedef struct Wave {
    const Part *parts;
    Found *found; // by part
} Wave;

static void look_at(void *arg, Exec *x, int64_t i) {
    Wave *w = arg;
    part_run(&w->parts[i], x, true, &w->found[i]);
}

static int by_link_id(const void *a, const void *b) {
    const Spot *x = a, *y = b;
    return (x->at.id > y->at.id) - (x->at.id < y->at.id);
}

static void add_spots(QueryCursor *c, const Found *f) {
    if (c->spot_count + f->n > c->spot_cap) {
        c->spot_cap = 2 * (c->spot_count + f->n);
        c->spots = mem_grow(c->spots, (size_t)c->spot_cap * sizeof *c->spots);
    }
    if (f->n) memcpy(c->spots + c->spot_count, f->spots, (size_t)f->n * sizeof *c->spots);
    c->spot_count += f->n;
}

// Look at the next parts, more of them each time. Parts of one page (links of several kinds) stay together.
static void next_wave(QueryCursor *c) {
    const Parts *p = &c->parts;
    bool links = c->plan->aliases[c->plan->start].kind == EXPR_LINK;
    int64_t n = p->n - c->part < c->wave ? p->n - c->part : c->wave, first = 0;
    while (links && c->part + n < p->n && p->p[c->part + n].page_no == p->p[c->part + n - 1].page_no) n++;
    Wave w = {.parts = p->p + c->part, .found = mem_grow(NULL, (size_t)n * sizeof(Found))};
    for (int64_t i = 0; i < n; i++) w.found[i].n = 0;
    team_run(&c->team, n, look_at, &w);
    c->spot_at = c->spot_count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i && w.parts[i].page_no != w.parts[i - 1].page_no) first = c->spot_count;
        add_spots(c, &w.found[i]);
        if (links && c->spot_count > first)
            qsort(c->spots + first, (size_t)(c->spot_count - first), sizeof *c->spots, by_link_id);
    }
    mem_free(w.found);
    c->part += n;
    if (c->wave < WAVE_MAX) c->wave *= 2;
}

// The next start; NULL: none left, or stopped.
static const Spot *next_spot(QueryCursor *c) {
    while (c->spot_at == c->spot_count) {
        if (c->part >= c->parts.n || !exec_goes(own(c))) return NULL;
        next_wave(c);
    }
    return exec_goes(own(c)) ? &c->spots[c->spot_at++] : NULL;
}

static Err next_scanned(QueryCursor *c, Buf *out, bool *got) {
    const Spot *s = next_spot(c);
    *got = s != NULL;
    return s ? put_bound(c, &s->at, &s->of, NULL, out) : ERR_OK;
}

// Let the walk stand on the next combination that was not given out. False: there is none.
static bool walk_on(QueryCursor *c) {
    for (;;) {
        if (c->walking && walk_next(c->walk)) return true;
        const Spot *s = next_spot(c);
        if (!s) return false;
        c->walking = walk_start(c->walk, s);
    }
}

static Err next_walked(QueryCursor *c, Buf *out, bool *got) {
    *got = walk_on(c);
    return *got ? put_bound(c, c->walk->rows, c->walk->of, NULL, out) : ERR_OK;
}

// ---- the oracle ---------------------------------------------------------------------------------------------------

static bool keep_row(void *ctx, Str json) {
    QueryCursor *c = ctx;
    if (c->row_count == c->row_cap) {
        c->row_cap = c->row_cap ? 2 * c->row_cap : 64;
        c->ends = mem_grow(c->ends, (size_t)c->row_cap * sizeof *c->ends);
    }
    buf_str_put(&c->rows, json);
    c->ends[c->row_count++] = c->rows.n;
    return true;
}

static Err begin_naive(QueryCursor *c, Diag *d) {
    int64_t looked = 0;
    QuerySink sink = {c, keep_row};
    Err err = query_naive(c->q, own(c)->view, &c->o, &sink, &looked, d);
    atomic_fetch_add(&c->meter.rows, looked);
    return err;
}

static Err next_naive(QueryCursor *c, Buf *out, bool *got) {
    *got = c->at < c->row_count;
    if (!*got) return ERR_OK;
    int64_t from = c->at ? c->ends[c->at - 1] : 0, to = c->ends[c->at];
    c->at++;
    if (out) buf_str_put(out, str_sub(buf_str(&c->rows), from, to));
    return ERR_OK;
}

// ---- pages --------------------------------------------------------------------------------------------------------

static Err begin(QueryCursor *c, Diag *d) {
    c->begun = true;
    parts_init(&c->parts);
    if (c->o.naive) return begin_naive(c, d);
    int64_t start = now_of(c);
    if (!c->plan->count_only) parts_make(&c->parts, own(c), c->o.cache);
    c->list_ns = now_of(c) - start;
    if (!exec_goes(own(c))) return own(c)->err;
    if (c->plan->sink != SINK_STREAM) {
        begin_gather(c);
    } else if (c->plan->producer == PRODUCE_WALK) {
        c->walk = mem_alloc(sizeof *c->walk);
        walk_init(c->walk, own(c));
    }
    return own(c)->err;
}

static Err next_found(QueryCursor *c, Buf *out, bool *got) {
    if (c->plan->sink != SINK_STREAM) return next_gathered(c, out, got);
    return c->plan->producer == PRODUCE_WALK ? next_walked(c, out, got) : next_scanned(c, out, got);
}

static Err next_row(QueryCursor *c, Buf *out, bool *got) {
    if (c->o.naive) return next_naive(c, out, got);
    if (!c->tale) return next_found(c, out, got);
    for (;;) {
        *got = false;
        if (c->telling) TRY(tale_next(c->tale, out, got));
        if (*got || !exec_goes(own(c))) return ERR_OK;
        TRY(next_found(c, NULL, &c->telling));
        if (!c->telling) return ERR_OK;
    }
}

// Rows are held back by one, so that *more is the truth: the row after the page waits in `held`.
static Err fill_page(QueryCursor *c, int64_t limit, Buf *out, int64_t *rows, bool *more) {
    *rows = 0;
    while (*rows < limit && c->left != 0) {
        bool got;
        int64_t at = out ? out->n : 0;
        if (out && *rows) buf_byte(out, ',');
        if (c->held.n) {
            if (out) buf_str_put(out, buf_str(&c->held));
            buf_reset(&c->held);
            got = true;
        } else {
            TRY(next_row(c, out, &got));
        }
        if (!got) {
            if (out) out->n = at;
            c->left = 0;
            break;
        }
        if (c->left > 0) c->left--;
        ++*rows;
    }
    if (c->left != 0 && c->held.n == 0) {
        bool got;
        TRY(next_row(c, &c->held, &got));
        if (!got) c->left = 0;
    }
    *more = c->left != 0;
    return ERR_OK;
}

static Err report(QueryCursor *c, Err err, Diag *d) {
    const Exec *x = own(c);
    if (atomic_load(&c->meter.err) != ERR_OK) return meter_report(&c->meter, c->rows_out, d);
    if (err != ERR_OK && x->why.err == err && x->err == err)
        return diag_add(d, err, x->why.at, x->why.end, x->why.where, "%.*s", STR_ARG(x->why.text));
    return err;
}

Err query_next(QueryCursor *c, int64_t limit, Buf *out, int64_t *rows, bool *more, Diag *d) {
    int64_t start = now_of(c);
    *rows = 0;
    *more = false;
    Err err = c->begun ? ERR_OK : begin(c, d);
    if (err == ERR_OK && !own(c)->view->overrun) err = fill_page(c, limit, out, rows, more);
    exec_flush(own(c));
    c->rows_out += *rows;
    c->time_ns += now_of(c) - start;
    if (c->o.naive) return err;
    if (own(c)->view->overrun) return ERR_OK; // whatever went wrong, nothing of it counts
    if (err == ERR_OK) err = own(c)->err;
    if (err == ERR_OK) err = (Err)atomic_load(&c->meter.err);
    return err == ERR_OK ? ERR_OK : report(c, err, d);
}

QueryStats query_stats(const QueryCursor *c) {
    QueryStats s = {
        .rows_looked_at = atomic_load(&c->meter.rows),
        .pages_read = atomic_load(&c->meter.pages),
        .pages_skipped = atomic_load(&c->meter.skipped),
        .rows_out = c->rows_out,
        .bytes_peak = atomic_load(&c->meter.peak),
        .time_ns = c->time_ns,
    };
    s.charge = 1 + (double)s.rows_looked_at / 100;
    return s;
}

int64_t query_estimate(const QueryCursor *c, int64_t limit) {
    const Plan *p = c->plan;
    double all = p->estimate, rows = p->rows;
    double want = (double)(c->q->top >= 0 && c->q->top < limit ? c->q->top : limit);
    if (p->sink == SINK_STREAM && rows > want && rows > 0) all *= want / rows;
    return all > 9e18 ? INT64_MAX : (int64_t)all;
}
