// SPDX-License-Identifier: Apache-2.0
// Questions: sosia_query and sosia_query_start, page by page. query_desk.h tells how the parts go together.
//
// A step answers as much as it may where it is: it ends with the answer, or says that a thread of the pool must go on
// (a small question turned out large), or that a snapshot is needed first. Steps start over; nothing of one that did
// not end in an answer is kept.
#include "engine/pasts.h"
#include "engine/query_desk.h"
#include <stddef.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

typedef enum Step { STEP_DONE, STEP_POOL, STEP_SNAPSHOT } Step;

// One page being asked for.
struct Ask {
    Job job;           // first: a thread of the pool runs it
    SnapshotWait wait; // for a snapshot
    uint64_t number;   // of those that entered
    Ask *next, *prev;  // of those under way; desk lock
    Desk *desk;
    Question *question;
    struct Later *later; // about the past, while its world is looked for; else NULL
    Cursor *cursor;      // a later page
    Snapshot *snapshot;  // a first page that must be read from one
    int64_t at;          // rows before this page
    int64_t limit;
    QueryLimits limits;
    _Atomic bool cancel;
    bool explain, columns;
    bool small; // this thread must not wait nor work for long
    bool grown; // large, although nobody expected it
    int32_t tries;
    int64_t began_ns, looked;
    SosiaAnswer own, *out;
    Err err;
    SosiaAnswerFn fn;
    void *arg;
    // the waiting form
    pthread_cond_t *arrived;
    bool has_arrived; // desk lock
};

// ---- questions -----------------------------------------------------------------------------------------------------

Question *question_ref(Question *q) {
    atomic_fetch_add_explicit(&q->refs, 1, memory_order_relaxed);
    return q;
}

void question_unref(Question *q) {
    if (!q || atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) != 1) return;
    realm_unref(q->realm);
    arena_free(&q->arena);
    mem_free(q);
}

static Step fail(Ask *a, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Step fail(Ask *a, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&a->out->message);
    buf_vprintf(&a->out->message, fmt, ap);
    va_end(ap);
    a->err = err;
    return STEP_DONE;
}

// What the executor or the parser said. Time and cancelling come as BUDGET too.
static Step fail_diag(Ask *a, Err err, const Diag *d) {
    if (err == ERR_BUDGET && atomic_load(&a->desk->closing)) return fail(a, ERR_CLOSED, "%s", err_text(ERR_CLOSED));
    if (err == ERR_BUDGET && atomic_load(&a->cancel)) return fail(a, ERR_CLOSED, "the question was cancelled");
    bool late = err == ERR_BUDGET && a->limits.until_ns && time_mono_ns() >= a->limits.until_ns;
    if (late) err = ERR_TIMEOUT;
    buf_reset(&a->out->message);
    if (err == ERR_SYNTAX) query_error_text(a->question->text, d, &a->out->message);
    else if (d->count) buf_str_put(&a->out->message, d->messages[0].text);
    else buf_printf(&a->out->message, "%s", err_text(err));
    a->err = err == ERR_SYNTAX ? ERR_QUERY : err;
    return STEP_DONE;
}

// The facts of a realm's world, made by the first who asks.
static QueryCache *facts_of(Desk *d, Realm *r) {
    pthread_mutex_lock(&d->lock);
    QueryCache *facts = r->facts;
    pthread_mutex_unlock(&d->lock);
    if (facts) return facts;
    QueryCache *fresh = query_cache_new(r->parent.n ? QUERY_FORK_CACHE_BYTES : QUERY_CACHE_BYTES);
    pthread_mutex_lock(&d->lock);
    if (!r->facts) {
        r->facts = fresh;
        fresh = NULL;
    }
    facts = r->facts;
    pthread_mutex_unlock(&d->lock);
    if (fresh) query_cache_free(fresh);
    return facts;
}

// ---- runs ----------------------------------------------------------------------------------------------------------

static void run_look(Run *r) {
    view_begin(&r->view, r->snapshot ? r->snapshot->world : r->question->realm->world);
    r->open = true;
}

static void run_look_away(Run *r) {
    if (r->open) view_end(&r->view);
    r->open = false;
}

static void run_free(Job *j) {
    Run *r = (Run *)j;
    if (r->cursor) query_close(r->cursor);
    run_look_away(r);
    snapshot_unref(r->desk, r->snapshot);
    question_unref(r->question);
    mem_free(r);
}

void run_close(Desk *d, Run *r) {
    if (!r) return;
    r->desk = d;
    r->job.run = run_free;
    bool much = r->cursor && !r->open && query_stats(r->cursor).bytes_peak > QUERY_FREE_BYTES;
    if (much) pool_push(d->pool, &r->job, true);
    else run_free(&r->job);
}

// What the question may cost in this thread.
static QueryLimits limits_here(const Ask *a) {
    QueryLimits l = a->limits;
    int64_t soon = a->began_ns + QUERY_SMALL_NS;
    if (a->small && (!l.until_ns || l.until_ns > soon)) l.until_ns = soon;
    return l;
}

// A page of the past could not be made: nothing that was read counts.
static Step fail_view(Ask *a, const Run *r) {
    Buf *why = &a->out->message;
    pasts_why(a->desk->engine, a->question->realm->name, r->view.failed, why);
    a->err = r->view.failed;
    return STEP_DONE;
}

// A run with its view open; the caller closes it, also when this fails.
static Err run_open(Ask *a, Snapshot *s, Run **out, Diag *diag) {
    Desk *d = a->desk;
    Question *q = a->question;
    Run *r = *out = mem_alloc(sizeof *r);
    r->question = question_ref(q);
    r->snapshot = s ? snapshot_ref(d, s) : NULL;
    r->options = (QueryOptions){
        .now = q->now,
        .limits = limits_here(a),
        .crew = a->small ? NULL : pool_crew(d->pool),
        .clock = time_mono_ns,
        .cache = facts_of(d, q->realm),
        .past = q->expr_past,
        .steps = q->expr_past ? &q->steps : NULL,
        .show = {.no_times = q->no_times},
    };
    run_look(r);
    return query_open(q->query, &r->view, &r->options, &r->cursor, diag);
}

// The next rows of a run whose view is open. rows_max 0: what the question may.
static Err run_next(Ask *a, Run *r, int64_t limit, int64_t rows_max, Buf *out, int64_t *rows, bool *more, Diag *diag) {
    QueryLimits l = limits_here(a);
    if (rows_max && (!l.rows || l.rows > rows_max)) l.rows = rows_max;
    query_limits(r->cursor, &l);
    Err err = query_next(r->cursor, limit, out, rows, more, diag);
    int64_t looked = query_stats(r->cursor).rows_looked_at;
    a->looked += looked - r->looked;
    r->looked = looked;
    if (!err) r->at += *rows;
    return err;
}

// What a question may look at before it goes elsewhere: from the caller's thread to the pool, there from the lane of
// small jobs to that of large ones. 0: no bound.
static int64_t rows_most(const Ask *a) {
    if (a->small) return QUERY_SMALL_ROWS_MAX;
    return a->fn && !a->job.large ? QUERY_LARGE_ROWS_MAX : 0;
}

// The rows of one page into the answer: "[...]". They are held like everything else of the question.
static Err run_page(Ask *a, Run *r, bool *more, Diag *diag) {
    Buf *body = &a->out->body;
    int64_t max = body->max, most = a->limits.bytes;
    buf_reset(body);
    if (most && (!max || max > most)) body->max = most;
    buf_byte(body, '[');
    Err err = run_next(a, r, a->limit, rows_most(a), body, &a->out->rows, more, diag);
    buf_byte(body, ']');
    body->max = max;
    if (!err && (body->full || (most && body->n > most))) // it may have had the memory before
        err = diag_add(diag, ERR_LIMIT, -1, -1, (Str){0}, "the page is too large: ask for fewer rows");
    return err;
}

// ---- what the next page needs --------------------------------------------------------------------------------------

static void cursor_fill(Ask *a, Run *r, Cursor *c) {
    c->question = r->question;
    c->seq = r->view.seq;
    c->given = a->out->rows;
    c->looked = a->looked;
    c->page_to = a->out->rows;
    c->page_limit = a->limit;
    c->page_more = true;
}

// A cursor and its token. False when the world is gone.
static bool cursor_made(Ask *a, const Cursor *c) {
    bool dropped;
    a->cursor = cursor_new(a->desk, c, &dropped);
    if (!a->cursor) {
        if (dropped) fail(a, ERR_WORLD_NOT_FOUND, "the world was dropped");
        else fail(a, ERR_OVERRUN, "something was erased from the world meanwhile: ask again");
        return false;
    }
    cursor_token(a->cursor, a->out->rows, a->out->token);
    return true;
}

typedef struct Kept {
    Buf rows;
    int64_t *ends, count, cap;
} Kept;

static void kept_put(Kept *k) {
    if (k->count == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 64;
        k->ends = mem_grow(k->ends, (size_t)k->cap * sizeof *k->ends);
    }
    k->ends[k->count++] = k->rows.n;
}

// All rows behind the first page, one by one. False when that is too much, or the view was outrun.
static bool kept_fill(Ask *a, Run *r, Kept *k) {
    Diag diag;
    diag_init(&diag);
    bool more = true, ok = true;
    int64_t looked = r->looked;
    r->spoiled = true;
    while (ok && more) {
        int64_t rows = 0;
        if (k->count) buf_byte(&k->rows, ',');
        ok = !run_next(a, r, 1, QUERY_KEEP_ROWS * 2, &k->rows, &rows, &more, &diag);
        ok = ok && k->rows.n <= QUERY_KEEP_BYTES && r->looked - looked <= QUERY_KEEP_ROWS * 2 && !r->view.overrun;
        ok = ok && k->count < QUERY_KEEP_ROWS;
        if (ok && rows) kept_put(k);
        else if (k->count) k->rows.n--; // the comma
    }
    diag_free(&diag);
    return ok;
}

// Keep the rest of a result instead of the world it comes from. What was sorted or grouped is all there by now; other
// rows must still be found. False: it does not lend itself to that.
static bool keep_rest(Ask *a, Run *r) {
    const Query *q = a->question->query;
    bool gathered = q->order_count || q->group_count || q->distinct;
    int64_t most = a->small ? QUERY_SMALL_ROWS : QUERY_KEEP_ROWS;
    if (!gathered && query_estimate(r->cursor, INT64_MAX) > most) return false;
    Kept k = {0};
    if (!kept_fill(a, r, &k)) {
        buf_free(&k.rows);
        mem_free(k.ends);
        return false;
    }
    Cursor c = {0};
    cursor_fill(a, r, &c);
    c.page_from = c.page_to; // the first page is not kept: no token names it
    c.kept = k.rows;
    c.ends = k.ends;
    c.kept_rows = k.count;
    c.keeps = true;
    question_ref(c.question);
    atomic_fetch_add_explicit(&a->desk->counters.kept, 1, memory_order_relaxed);
    if (cursor_made(a, &c)) return true;
    question_unref(c.question);
    buf_free(&k.rows);
    mem_free(k.ends);
    return true;
}

// Put a run on a snapshot aside, for the next page. The run is the cursor's, or closed.
static void put_aside(Ask *a, Run *r) {
    run_look_away(r);
    Cursor c = {0};
    cursor_fill(a, r, &c);
    c.page_from = c.page_to;
    c.snapshot = snapshot_ref(a->desk, r->snapshot);
    c.run = r;
    question_ref(c.question);
    if (cursor_made(a, &c)) return;
    question_unref(c.question);
    snapshot_unref(a->desk, c.snapshot);
    run_close(a->desk, r);
}

// The view of the live world is exactly what a snapshot shows: go on there.
static bool move_over(Ask *a, Run *r) {
    Snapshot *s = r->spoiled ? NULL : snapshot_of(a->desk, a->question->realm, r->view.seq);
    if (!s) return false;
    View live = r->view;
    r->snapshot = s;
    view_begin(&r->view, s->world);
    query_view(r->cursor, &r->view);
    view_end(&live);
    return true;
}

// ---- the first page ------------------------------------------------------------------------------------------------

static void column_put(Str name, Str fn, Buf *out) {
    Buf text = {0};
    buf_printf(&text, "%.*s%s%.*s", STR_ARG(name), fn.n ? "." : "", STR_ARG(fn));
    if (out->p[out->n - 1] != '[') buf_byte(out, ',');
    json_put_str(out, buf_str(&text));
    buf_free(&text);
}

// Those of a HISTORY: of the present, the time, of the past.
static void columns_past_put(const Query *q, Buf *out) {
    const QueryHistory *h = &q->history;
    buf_byte(out, '[');
    for (int32_t i = 0; i < q->column_count; i++)
        if (!h->told[i]) column_put(q->columns[i].name, (Str){0}, out);
    column_put(STR("time"), (Str){0}, out);
    for (int32_t i = 0; i < q->column_count; i++) {
        if (!h->told[i]) continue;
        for (int32_t k = 0; k < (h->fn_count > 1 ? h->fn_count : 1); k++)
            column_put(q->columns[i].name, h->fn_count > 1 ? h->fns[k] : (Str){0}, out);
    }
    buf_byte(out, ']');
}

// The columns' names; none when each row is a twin or a relationship itself.
static void columns_put(const Query *q, Buf *out) {
    if (q->history.on) {
        columns_past_put(q, out);
        return;
    }
    bool whole = q->star || (q->column_count == 1 && q->columns[0].alias >= 0);
    buf_byte(out, '[');
    for (int32_t i = 0; i < q->column_count && !whole; i++) {
        if (i) buf_byte(out, ',');
        json_put_str(out, q->columns[i].name);
    }
    buf_byte(out, ']');
}

static void explain_put(Ask *a, Run *r) {
    SosiaAnswer *out = a->out;
    query_notes(r->cursor, &out->notes);
    engine_past_note(&a->question->past, &out->notes);
    if (a->columns) columns_put(a->question->query, &out->columns);
    if (!a->explain) return;
    query_explain(r->cursor, &out->plan);
    buf_reset(&out->body);
    buf_str_put(&out->body, STR("[]"));
    out->rows = 0;
}

// The view of the run is open still.
static void log_slow(Ask *a, const Run *r) {
    int64_t took = time_mono_ns() - a->began_ns;
    if (a->desk->slow_ns < 0 || took < a->desk->slow_ns) return;
    atomic_fetch_add_explicit(&a->desk->counters.slow, 1, memory_order_relaxed);
    query_log_slow(a->question, r->cursor, took, a->looked);
}

static Err first_rows(Ask *a, Run *r, bool *more, Diag *diag) {
    if (!a->explain) return run_page(a, r, more, diag);
    *more = false;
    bool left;
    return run_next(a, r, INT64_MAX, rows_most(a), NULL, &a->out->rows, &left, diag);
}

// The page is there; make what the next one needs. The run is gone afterwards.
static Step first_done(Ask *a, Run *r, bool more) {
    a->out->seq = r->view.seq;
    bool frozen = a->question->realm->past.is; // its next page costs nothing in the meantime
    if (more && !r->snapshot && !frozen && keep_rest(a, r)) more = false;
    bool aside = more && (r->snapshot || move_over(a, r));
    if (aside || !more) {
        explain_put(a, r);
        log_slow(a, r);
    }
    if (aside) put_aside(a, r);
    else run_close(a->desk, r);
    return more && !aside ? STEP_SNAPSHOT : STEP_DONE;
}

// A question that came to more than it may spend here. In the pool it is a large one from now on.
static bool too_much(Ask *a, Err err) {
    int64_t most = rows_most(a);
    bool time_left = !a->limits.until_ns || time_mono_ns() < a->limits.until_ns;
    bool is = most && ((err == ERR_BUDGET && a->looked >= most) || (a->small && err == ERR_TIMEOUT && time_left));
    if (is && !a->small) a->job.large = a->grown = true;
    return is;
}

// The view was outrun: again, or on a snapshot. A large question would only be outrun again.
static Step outrun(Ask *a, int64_t looked) {
    atomic_fetch_add_explicit(&a->desk->engine->counters.overruns, 1, memory_order_relaxed);
    bool again = ++a->tries < READ_TRIES && looked < QUERY_LARGE_ROWS;
    if (!again) return STEP_SNAPSHOT;
    return STEP_POOL;
}

// Much to be sorted, and surely more of it than one page: all of that twice would be too much.
static bool snapshot_first(const Ask *a, int64_t expected) {
    const Query *q = a->question->query;
    bool sorts = q->order_count && !q->aggregated && !q->distinct && (q->top < 0 || q->top > a->limit);
    return sorts && !a->snapshot && !a->small && !a->explain && expected > QUERY_SMALL_ROWS_MAX;
}

// One try; STEP_POOL: not here, or not this way.
static Step first_try(Ask *a) {
    Diag diag;
    diag_init(&diag);
    Run *r;
    bool more = false;
    Step step;
    buf_reset(&a->out->notes);
    buf_reset(&a->out->plan);
    buf_reset(&a->out->columns);
    Err err = run_open(a, a->snapshot, &r, &diag);
    int64_t expected = err ? 0 : query_estimate(r->cursor, a->explain ? INT64_MAX : a->limit);
    a->job.large = a->grown || expected > QUERY_LARGE_ROWS;
    bool here = err || !a->small || expected <= QUERY_SMALL_ROWS, first = !err && snapshot_first(a, expected);
    if (!err && here && !first) err = first_rows(a, r, &more, &diag);
    if (first) {
        run_close(a->desk, r);
        step = STEP_SNAPSHOT;
    } else if (r->view.failed) {
        step = fail_view(a, r);
        run_close(a->desk, r);
    } else if (!here || (!r->view.overrun && too_much(a, err))) {
        run_close(a->desk, r);
        step = STEP_POOL;
    } else if (r->view.overrun) {
        step = outrun(a, r->looked);
        run_close(a->desk, r);
    } else if (err) {
        step = fail_diag(a, err, &diag);
        log_slow(a, r);
        run_close(a->desk, r);
    } else {
        step = first_done(a, r, more);
    }
    diag_free(&diag);
    return step;
}

static Step first_page(Ask *a) {
    for (;;) {
        bool grown = a->grown;
        Step step = first_try(a);
        if (step == STEP_DONE) return step;
        atomic_fetch_add_explicit(&a->desk->counters.again, 1, memory_order_relaxed);
        if (a->small || step == STEP_SNAPSHOT || a->grown != grown) return step;
    }
}

// ---- later pages ---------------------------------------------------------------------------------------------------

static Step gone(Ask *a) {
    return fail(a, ERR_TOKEN,
                "The continuation token is not valid, or what it continues is "
                "gone: it was not used for ten minutes, "
                "others took its place, the world was dropped, or something was erased from it. Ask the "
                "question again without a token.");
}

// Rows [from, to) of a kept result. Lock held.
static void kept_page(Ask *a, Cursor *c) {
    Buf *body = &a->out->body;
    int64_t from = a->at - c->page_to, to = from + a->limit < c->kept_rows ? from + a->limit : c->kept_rows;
    int64_t start = from ? c->ends[from - 1] + 1 : 0;
    buf_byte(body, '[');
    if (to > from) buf_put(body, c->kept.p + start, c->ends[to - 1] - start);
    buf_byte(body, ']');
    a->out->rows = to - from;
    int64_t end = a->at + a->out->rows;
    if (end > c->given) c->given = end;
    c->ended = c->ended || to == c->kept_rows;
    if (to < c->kept_rows) cursor_token(c, end, a->out->token);
}

// The page that was given last, again. Lock held.
static void same_page(Ask *a, Cursor *c) {
    buf_str_put(&a->out->body, buf_str(&c->page));
    a->out->rows = c->page_to - c->page_from;
    if (c->page_more) cursor_token(c, c->page_to, a->out->token);
}

// Answer from what the cursor has: true. Else a run to go on with (NULL: start over), or no snapshot: it has ended.
static bool cursor_take(Ask *a, Cursor *c, Run **run, Snapshot **s) {
    Desk *d = a->desk;
    bool done = true;
    *run = NULL;
    *s = NULL;
    pthread_mutex_lock(&d->lock);
    if (c->keeps) kept_page(a, c);
    else if (c->page.n && c->page_from == a->at && c->page_limit == a->limit) same_page(a, c);
    else done = false;
    bool next = !done && c->run && c->run->at == a->at;
    if (next && (!a->small || c->looked <= QUERY_SMALL_ROWS)) {
        *run = c->run;
        c->run = NULL;
    }
    if (!done && c->snapshot) {
        *s = c->snapshot;
        c->snapshot->refs++;
    }
    a->job.large = a->grown || !next || c->looked > QUERY_LARGE_ROWS;
    cursor_touch(d, c);
    pthread_mutex_unlock(&d->lock);
    return done;
}

// A page was made: remember it, and put the run aside unless somebody was faster. The run is gone afterwards.
static void cursor_give(Ask *a, Cursor *c, Run *r, bool more) {
    Desk *d = a->desk;
    Buf page = {0};
    buf_str_put(&page, buf_str(&a->out->body));
    run_look_away(r);
    Run *old = r, *last = NULL;
    Snapshot *s = NULL;
    int64_t end = a->at + a->out->rows;
    pthread_mutex_lock(&d->lock);
    if (end >= c->page_to) {
        Buf swap = c->page;
        c->page = page;
        page = swap;
        c->page_from = a->at;
        c->page_to = end;
        c->page_limit = a->limit;
        c->page_more = more;
        c->looked = a->looked;
        if (c->given < end) c->given = end;
        old = c->run;
        c->run = r;
        c->ended = !more;
    }
    if (c->ended) {
        s = c->snapshot;
        last = c->run;
        c->snapshot = NULL;
        c->run = NULL;
    }
    cursor_touch(d, c);
    if (more) cursor_token(c, end, a->out->token);
    pthread_mutex_unlock(&d->lock);
    run_close(d, old);
    run_close(d, last);
    snapshot_unref(d, s);
    buf_free(&page);
}

// Go on with a run, or begin one and skip what was given before.
static Step later_run(Ask *a, Cursor *c, Run *r, Snapshot *s) {
    Diag diag;
    diag_init(&diag);
    bool more = true;
    Err err = ERR_OK;
    if (r) {
        run_look(r);
        r->options.crew = a->small ? NULL : pool_crew(a->desk->pool);
        query_view(r->cursor, &r->view);
    } else {
        int64_t skipped = 0;
        err = run_open(a, s, &r, &diag);
        if (!err && a->at) err = run_next(a, r, a->at, 0, NULL, &skipped, &more, &diag);
        atomic_fetch_add_explicit(&a->desk->counters.again, 1, memory_order_relaxed);
    }
    if (!err) err = run_page(a, r, &more, &diag);
    CHECK(!r->view.overrun || r->view.failed);
    Step step = STEP_DONE;
    bool failed = r->view.failed != ERR_OK;
    if (failed) step = fail_view(a, r);
    else if (too_much(a, err)) step = STEP_POOL;
    else if (err) step = fail_diag(a, err, &diag);
    if (step == STEP_DONE) log_slow(a, r);
    if (err || failed) run_close(a->desk, r);
    else cursor_give(a, c, r, more);
    diag_free(&diag);
    return step;
}

static Step later_page(Ask *a) {
    Run *r;
    Snapshot *s;
    Step step = STEP_DONE;
    a->out->seq = a->cursor->seq;
    buf_reset(&a->out->body);
    if (cursor_take(a, a->cursor, &r, &s)) return step;
    if (!s && !r) step = gone(a);
    else if (!r && a->small) step = STEP_POOL;
    else step = later_run(a, a->cursor, r, s);
    snapshot_unref(a->desk, s);
    return step;
}

// ---- one step ------------------------------------------------------------------------------------------------------

static Step ask_step(Ask *a) {
    if (atomic_load(&a->desk->closing)) return fail(a, ERR_CLOSED, "%s", err_text(ERR_CLOSED));
    if (a->limits.until_ns && time_mono_ns() >= a->limits.until_ns)
        return fail(a, ERR_TIMEOUT, "the question waited too long for its turn");
    a->looked = 0;
    return a->cursor ? later_page(a) : first_page(a);
}

// ---- asking --------------------------------------------------------------------------------------------------------

static void answer_reset(SosiaAnswer *out) {
    buf_reset(&out->body);
    buf_reset(&out->plan);
    buf_reset(&out->notes);
    buf_reset(&out->columns);
    buf_reset(&out->message);
    out->token[0] = 0;
    out->seq = 0;
    out->rows = out->rows_looked_at = out->time_ns = 0;
    out->charge = 1;
}

static Ask *ask_new(Desk *d, const SosiaQuery *q, SosiaAnswer *out) {
    Ask *a = mem_alloc(sizeof *a);
    a->desk = d;
    a->out = out ? out : &a->own;
    a->began_ns = time_mono_ns();
    a->limit = q->limit > QUERY_PAGE_MAX ? QUERY_PAGE_MAX : q->limit ? q->limit : QUERY_PAGE_DEFAULT;
    a->explain = q->explain;
    a->columns = q->columns;
    int64_t timeout = q->timeout_ns ? q->timeout_ns : d->timeout_ns;
    a->limits = (QueryLimits){
        .rows = q->rows_max ? q->rows_max : d->rows_max,
        .bytes = q->bytes_max ? q->bytes_max : d->bytes_max,
        .until_ns = timeout > 0 ? a->began_ns + timeout : 0,
        .cancel = &a->cancel,
    };
    if (a->limits.bytes < 0) a->limits.bytes = 0;
    if (a->limits.rows < 0) a->limits.rows = 0;
    answer_reset(a->out);
    return a;
}

// Let go of everything that needs the desk; before ask_leave, behind which there may be none.
static void ask_clear(Ask *a) {
    cursor_unref(a->desk, a->cursor);
    snapshot_unref(a->desk, a->snapshot);
    question_unref(a->question);
}

// A question about the past, kept until a thread of the pool finds its world: that reads blocks of history.
typedef struct Later {
    Arena arena;
    SosiaQuery query;
    SosiaCaller who;
} Later;

static Later *later_new(const SosiaQuery *q, const SosiaCaller *who) {
    Later *l = mem_alloc(sizeof *l);
    arena_init(&l->arena, 1024);
    l->query = *q;
    l->query.world = arena_str(&l->arena, q->world);
    l->query.text = arena_str(&l->arena, q->text);
    l->query.token = arena_str(&l->arena, q->token);
    if (!who) return l;
    l->who.principal = arena_str(&l->arena, who->principal);
    l->who.purpose = arena_str(&l->arena, who->purpose);
    return l;
}

static void later_free(Later *l) {
    if (!l) return;
    arena_free(&l->arena);
    mem_free(l);
}

static void ask_free(Ask *a) {
    later_free(a->later);
    sosia_answer_free(&a->own);
    mem_free(a);
}

// Among those under way from now on. False when the desk is closing.
static bool ask_enter(Ask *a) {
    Desk *d = a->desk;
    pthread_mutex_lock(&d->lock);
    bool ok = !atomic_load(&d->closing);
    if (ok) {
        a->next = d->asks;
        if (a->next) a->next->prev = a;
        d->asks = a;
        d->running++;
        a->number = ++d->entered;
    }
    pthread_mutex_unlock(&d->lock);
    return ok;
}

static void ask_leave(Ask *a) {
    Desk *d = a->desk;
    pthread_mutex_lock(&d->lock);
    if (a->prev) a->prev->next = a->next;
    else d->asks = a->next;
    if (a->next) a->next->prev = a->prev;
    d->running--;
    pthread_cond_broadcast(&d->none);
    pthread_mutex_unlock(&d->lock);
}

// The question of a first page.
static void ask_parse(Ask *a, const SosiaQuery *q, const SosiaCaller *who, Realm *r, int64_t at) {
    Question *x = a->question = mem_alloc(sizeof *x);
    atomic_init(&x->refs, 1);
    arena_init(&x->arena, 4096);
    x->realm = realm_ref(r);
    pthread_mutex_lock(&a->desk->lock);
    x->renewed = r->renewed;
    pthread_mutex_unlock(&a->desk->lock);
    x->text = arena_str(&x->arena, q->text);
    x->principal = who ? arena_str(&x->arena, who->principal) : (Str){0};
    x->now = r->past.is ? at : engine_past_now(r);
    x->expr_past = engine_past(&x->past, r);
    x->steps = query_past(&x->past);
    x->no_times = q->no_times;
    Diag diag;
    diag_init(&diag);
    Err err = query_parse(&x->arena, x->text, &x->query, &diag);
    if (err) fail_diag(a, err, &diag);
    else a->explain = a->explain || x->query->explain;
    diag_free(&diag);
}

// The cursor of a later page: of this world, this caller and this question.
static void ask_continue(Ask *a, const SosiaQuery *q, const SosiaCaller *who, const Realm *r) {
    Cursor *c = a->cursor = cursor_find(a->desk, q->token, &a->at);
    bool mine = c && c->question->realm == r && (!c->keeps || a->at >= c->page_to);
    if (!mine || !str_eq(c->question->principal, who ? who->principal : (Str){0})) {
        gone(a);
    } else if (q->text.n && !str_eq(q->text, c->question->text)) {
        fail(a, ERR_TOKEN,
             "The continuation token belongs to another question. Send it with the "
             "text it came from, or "
             "alone.");
    } else if (q->explain) {
        fail(a, ERR_ARGUMENT,
             "explain tells about a question from its start: leave the "
             "continuation token out");
    } else {
        a->question = question_ref(c->question);
    }
}

// There is no such world, or it is out of reach.
static void fail_world(Ask *a, const SosiaQuery *q, Err err) {
    if (err == ERR_WORLD_NOT_FOUND && q->token.n) {
        gone(a);
        return;
    }
    pasts_why(a->desk->engine, q->world, err, &a->out->message);
    a->err = err;
}

// Find what it is about. Failures are kept in the ask. In the past, now() is the instant of the world.
static void ask_prepare(Ask *a, const SosiaQuery *q, const SosiaCaller *who) {
    Sosia *e = a->desk->engine;
    Realm *r = NULL;
    if (q->limit < 0) {
        fail(a, ERR_ARGUMENT, "the number of rows a page must be positive");
        return;
    }
    int64_t at = 0;
    Err err = realm_get(e, q->world, &r, &at);
    if (err) fail_world(a, q, err);
    else if (q->token.n) ask_continue(a, q, who, r);
    else ask_parse(a, q, who, r, at);
    if (r) realm_unref(r);
}

static void count(_Atomic int64_t *c, int64_t n) { atomic_fetch_add_explicit(c, n, memory_order_relaxed); }

// It has ended: counters and what the answer tells about itself.
static void ask_settle(Ask *a) {
    QueryCounters *c = &a->desk->counters;
    SosiaAnswer *out = a->out;
    out->time_ns = time_mono_ns() - a->began_ns;
    out->rows_looked_at = a->looked;
    out->charge = 1 + (double)a->looked / 100;
    bool tend = a->question && !a->err && !a->question->realm->past.is; // the past is not asked often enough
    if (tend) desk_tend(a->desk, a->question->realm, a->looked);
    count(&c->total, 1);
    count(&c->failed, a->err != ERR_OK);
    count(&c->looked, a->looked);
    count(&c->time_ns, out->time_ns);
    if (!a->err) return;
    if (!out->message.n) buf_printf(&out->message, "%s", err_text(a->err));
    buf_reset(&out->body);
    out->token[0] = 0;
    out->rows = 0;
}

// ---- in the caller's thread ----------------------------------------------------------------------------------------

static void snapshot_came(SnapshotWait *w, Err err, Snapshot *s) {
    Ask *a = (Ask *)((char *)w - offsetof(Ask, wait));
    Desk *d = a->desk;
    pthread_mutex_lock(&d->lock);
    a->err = err;
    a->snapshot = s;
    a->has_arrived = true;
    pthread_cond_signal(a->arrived);
    pthread_mutex_unlock(&d->lock);
}

static void snapshot_await(Ask *a) {
    Desk *d = a->desk;
    pthread_cond_t arrived;
    pthread_cond_init(&arrived, NULL);
    a->arrived = &arrived;
    a->wait.fn = snapshot_came;
    snapshot_get(d, a->question->realm, &a->wait);
    pthread_mutex_lock(&d->lock);
    while (!a->has_arrived) pthread_cond_wait(&arrived, &d->lock);
    pthread_mutex_unlock(&d->lock);
    pthread_cond_destroy(&arrived);
}

SosiaErr sosia_query(Sosia *s, const SosiaCaller *who, const SosiaQuery *q, SosiaAnswer *out) {
    CHECK(!engine_own_thread(s)); // it may have to wait for the writer
    Ask *a = ask_new(s->desk, q, out);
    bool entered = ask_enter(a);
    if (!entered) fail(a, ERR_CLOSED, "%s", err_text(ERR_CLOSED));
    else ask_prepare(a, q, who);
    if (!a->err && ask_step(a) == STEP_SNAPSHOT) {
        snapshot_await(a);
        if (!a->err) CHECK(ask_step(a) == STEP_DONE);
    }
    ask_settle(a);
    SosiaErr err = (SosiaErr)a->err;
    ask_clear(a);
    if (entered) ask_leave(a);
    ask_free(a);
    return err;
}

// ---- without waiting -----------------------------------------------------------------------------------------------

static void ask_end(Ask *a) {
    ask_settle(a);
    a->fn(a->arg, (SosiaErr)a->err, a->out);
    ask_clear(a);
    ask_leave(a);
    ask_free(a);
}

static void snapshot_pool(SnapshotWait *w, Err err, Snapshot *s) {
    Ask *a = (Ask *)((char *)w - offsetof(Ask, wait));
    a->err = err;
    a->snapshot = s;
    pool_push(a->desk->pool, &a->job, true);
}

static void ask_run(Job *j) {
    Ask *a = (Ask *)j;
    a->small = false;
    Step step = a->err ? STEP_DONE : ask_step(a);
    if (step == STEP_SNAPSHOT) {
        CHECK(!a->snapshot);
        a->wait.fn = snapshot_pool;
        snapshot_get(a->desk, a->question->realm, &a->wait);
    } else if (step == STEP_POOL) {
        pool_push(a->desk->pool, &a->job, true);
    } else {
        ask_end(a);
    }
}

// Hand it to the pool, perhaps by way of a snapshot. Errors: BUSY.
static Err ask_hand_over(Ask *a, Step step) {
    Desk *d = a->desk;
    a->job.run = ask_run;
    if (pool_waiting(d->pool) >= QUERY_QUEUE_MAX) return ERR_BUSY;
    count(&d->counters.pooled, 1);
    if (step == STEP_SNAPSHOT) {
        a->wait.fn = snapshot_pool;
        snapshot_get(d, a->question->realm, &a->wait);
        return ERR_OK;
    }
    return pool_push(d->pool, &a->job, false) ? ERR_OK : ERR_BUSY;
}

static void later_begin(Job *j) {
    Ask *a = (Ask *)j;
    if (!atomic_load(&a->desk->closing)) ask_prepare(a, &a->later->query, &a->later->who);
    ask_run(j);
}

static void later_settled(void *arg, const SosiaDone *done) {
    (void)done; // looking for the world tells
    Ask *a = arg;
    pool_push(a->desk->pool, &a->job, true);
}

// No thread of the pool waits for the writer: it is asked first when it must be.
static Err later_start(Ask *a, const SosiaQuery *q, const SosiaCaller *who) {
    Desk *d = a->desk;
    if (pool_waiting(d->pool) >= QUERY_QUEUE_MAX) return ERR_BUSY;
    a->small = false;
    a->later = later_new(q, who);
    a->job.run = later_begin;
    count(&d->counters.pooled, 1);
    if (pasts_waits(d->engine, q->world)) return pasts_settle(d->engine, q->world, later_settled, a);
    return pool_push(d->pool, &a->job, false) ? ERR_OK : ERR_BUSY;
}

static SosiaErr ask_refuse(Ask *a, Err err) {
    count(&a->desk->counters.refused, 1);
    ask_clear(a);
    ask_leave(a);
    ask_free(a);
    return (SosiaErr)err;
}

SosiaErr sosia_query_start(Sosia *s, const SosiaCaller *who, const SosiaQuery *q, SosiaAnswerFn fn, void *arg) {
    Desk *d = s->desk;
    Ask *a = ask_new(d, q, NULL);
    a->fn = fn;
    a->arg = arg;
    a->small = true;
    if (!ask_enter(a)) {
        ask_free(a);
        return SOSIA_CLOSED;
    }
    Err err = ERR_OK;
    if (pasts_named(q->world)) {
        err = later_start(a, q, who);
        return err ? ask_refuse(a, err) : SOSIA_OK;
    }
    ask_prepare(a, q, who);
    Step step = a->err ? STEP_DONE : ask_step(a);
    if (step == STEP_DONE) ask_end(a);
    else err = ask_hand_over(a, step);
    return err ? ask_refuse(a, err) : SOSIA_OK;
}

void asks_cancel(Desk *d, SosiaAnswerFn fn, void *arg) {
    pthread_mutex_lock(&d->lock);
    for (Ask *a = d->asks; a; a = a->next)
        if ((!fn || a->fn == fn) && (!arg || a->arg == arg)) atomic_store(&a->cancel, true);
    pthread_mutex_unlock(&d->lock);
}

static bool asks_older(const Desk *d, uint64_t number, bool cancel) {
    bool any = false;
    for (Ask *a = d->asks; a; a = a->next) {
        if (a->number > number) continue;
        any = true;
        if (cancel) atomic_store(&a->cancel, true);
    }
    return any;
}

void asks_outlive(Desk *d) {
    struct timespec until = time_after(QUERY_RENEW_NS);
    pthread_mutex_lock(&d->lock);
    uint64_t number = d->entered;
    int rc = 0;
    while (!rc && asks_older(d, number, false)) rc = pthread_cond_timedwait(&d->none, &d->lock, &until);
    while (asks_older(d, number, true)) pthread_cond_wait(&d->none, &d->lock);
    pthread_mutex_unlock(&d->lock);
}

void sosia_query_cancel(Sosia *s, SosiaAnswerFn fn, void *arg) { asks_cancel(s->desk, fn, arg); }

void sosia_answer_free(SosiaAnswer *out) {
    buf_free(&out->body);
    buf_free(&out->plan);
    buf_free(&out->notes);
    buf_free(&out->columns);
    buf_free(&out->message);
}
