// SPDX-License-Identifier: Apache-2.0
// Requests with line protocol: queue, threads, chunks on their way, answers.
//
// Locks: a job's `lock` and the intake's `lock` are leaves; none is held over a call of the engine.
//
// Invariants of a job
//   1. `left` counts its chunks on their way, and one for the thread that reads its body; who takes it to zero goes on
//   2. the ask, and with it the body, lives until it is answered; a job that was refused for what was out of date reads
//      the lines concerned once more (`again`), after that it is answered
#include "connect/line.h"
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

struct LineIntake {
    SosiaConnect *connect;
    LineMap *map; // without a connection
    Queue queue;
    Thread threads[LINE_THREADS];
    pthread_mutex_t lock; // guards jobs, and the counts of chunks on their way
    pthread_cond_t less;  // a chunk is back, or a job is done
    int64_t jobs;
    bool closing;
    _Atomic int64_t requests, lines, points, accepted, rejected;
};

typedef struct BadLine {
    int64_t line;
    Str text;     // in the job's arena
    bool refused; // by the engine: once more
} BadLine;

// Line numbers, ascending, each once.
typedef struct LineSet {
    int64_t *items;
    int64_t count, cap;
} LineSet;

typedef struct Job {
    LineIntake *in;
    Ask *ask;
    LineMap *map;
    Connection *connection; // NULL: none
    int64_t unit_ns, now_ns;
    int32_t left; // guarded by in->lock
    bool again;   // the second time: lines of `redo`,
    bool all;     // or all, for not all refused ones are known
    LineSet redo;
    pthread_mutex_t lock; // guards what follows
    Err err;              // everything failed
    Arena arena;
    int64_t good_lines, bad_lines; // bad: not read or not learnt
    int64_t accepted, rejected, late, duplicates, points;
    LineSet refused;      // the engine refused points of them
    int64_t refused_more; // points refused that it did not tell
    BadLine told[LINE_ERRORS_MAX];
    int32_t told_count;
} Job;

// Points on their way.
typedef struct Chunk {
    Job *job;
    int64_t count;
    int32_t lines[];
} Chunk;

int64_t line_precision(Str text) {
    static const struct {
        const char *text;
        int64_t ns;
    } all[] = {{"", 1},
               {"ns", 1},
               {"n", 1},
               {"us", 1000},
               {"u", 1000},
               {"ms", NS_PER_MS},
               {"s", NS_PER_S},
               {"m", 60 * NS_PER_S},
               {"h", 3600 * NS_PER_S}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (str_eq(text, str_of(all[i].text))) return all[i].ns;
    return 0;
}

// ---- answers ------------------------------------------------------------------------------------------------------

static void job_free(Job *j) {
    LineIntake *in = j->in;
    line_map_unref(j->map);
    connection_unref(j->connection);
    arena_free(&j->arena);
    mem_free(j->refused.items);
    mem_free(j->redo.items);
    pthread_mutex_destroy(&j->lock);
    mem_free(j);
    pthread_mutex_lock(&in->lock);
    in->jobs--;
    pthread_cond_broadcast(&in->less);
    pthread_mutex_unlock(&in->lock);
}

// The shape of InfluxDB's errors, of version 1 and of version 2.
static void answer_bad(Job *j, Err err, const char *code, int status, Str text) {
    Buf b = {0};
    bool later = err == ERR_BUSY || err == ERR_CLOSED || err == ERR_STORAGE_FULL;
    buf_str_put(&b, STR("{\"error\":"));
    json_put_str(&b, text);
    buf_printf(&b, ",\"code\":\"%s\",\"message\":", code);
    json_put_str(&b, text);
    buf_byte(&b, '}');
    ask_told(j->ask, &(SosiaTold){.err = (SosiaErr)err,
                                  .status = status,
                                  .bare = true,
                                  .body = buf_str(&b),
                                  .message = text,
                                  .retry_after_s = later ? 1 : 0});
    buf_free(&b);
}

static void answer_partial(Job *j) {
    Buf b = {0};
    buf_printf(&b, "partial write: ");
    for (int32_t i = 0; i < j->told_count; i++)
        buf_printf(&b, "%sline %lld: %.*s", i ? "; " : "", (long long)j->told[i].line, STR_ARG(j->told[i].text));
    int64_t dropped = j->bad_lines + j->refused.count + j->refused_more;
    buf_printf(&b, " dropped=%lld", (long long)dropped);
    answer_bad(j, ERR_VALIDATION, "invalid", 400, buf_str(&b));
    buf_free(&b);
}

static void count(Job *j) {
    LineIntake *in = j->in;
    atomic_fetch_add(&in->lines, j->good_lines + j->bad_lines);
    atomic_fetch_add(&in->points, j->points);
    atomic_fetch_add(&in->accepted, j->accepted);
    atomic_fetch_add(&in->rejected, j->rejected);
    if (!j->connection) return;
    ConnStats *s = &j->connection->stats;
    atomic_fetch_add(&s->messages, 1);
    atomic_fetch_add(&s->bytes, j->ask->q->body.n);
    atomic_fetch_add(&s->points, j->points);
    atomic_fetch_add(&s->accepted, j->accepted);
    atomic_fetch_add(&s->rejected, j->rejected);
    atomic_fetch_add(&s->late, j->late);
    atomic_fetch_add(&s->duplicates, j->duplicates);
    atomic_store(&s->last_message_ns, j->now_ns);
    for (int32_t i = 0; i < j->told_count; i++)
        connection_error(j->connection, j->map->database, (Str){0}, "line %lld: %.*s", (long long)j->told[i].line,
                         STR_ARG(j->told[i].text));
}

static void job_answer(Job *j) {
    count(j);
    if (j->err)
        answer_bad(j, j->err, j->err == ERR_BUSY ? "unavailable" : "internal error", err_http(j->err),
                   str_of(err_text(j->err)));
    else if (j->bad_lines || j->refused.count || j->refused_more) answer_partial(j);
    else ask_empty(j->ask, 204);
    job_free(j);
}

// ---- chunks -------------------------------------------------------------------------------------------------------

// Where the line is, or belongs.
static int64_t line_place(const LineSet *set, int64_t line) {
    int64_t low = 0, high = set->count;
    while (low < high) {
        int64_t mid = (low + high) / 2;
        if (set->items[mid] < line) low = mid + 1;
        else high = mid;
    }
    return low;
}

static bool line_in(const LineSet *set, int64_t line) {
    int64_t at = line_place(set, line);
    return at < set->count && set->items[at] == line;
}

// False when it is there already.
static bool line_add(LineSet *set, int64_t line) {
    if (line_in(set, line)) return false;
    if (set->count == set->cap) {
        set->cap = set->cap ? set->cap * 2 : 16;
        set->items = mem_grow(set->items, (size_t)set->cap * sizeof *set->items);
    }
    int64_t at = line_place(set, line);
    memmove(set->items + at + 1, set->items + at, (size_t)(set->count++ - at) * sizeof *set->items);
    set->items[at] = line;
    return true;
}

// Caller holds j->lock.
static void tell_locked(Job *j, int64_t line, Str text, bool refused) {
    if (j->told_count == LINE_ERRORS_MAX) return;
    j->told[j->told_count++] = (BadLine){line, arena_str(&j->arena, text), refused};
}

static void bad_line(Job *j, int64_t line, Str text) {
    pthread_mutex_lock(&j->lock);
    j->bad_lines++;
    tell_locked(j, line, text, false);
    pthread_mutex_unlock(&j->lock);
}

static int64_t number(const Json *doc, const char *name) {
    const Json *v = json_get(doc, str_of(name));
    return v && v->type == JSON_INT ? v->i : 0;
}

// What became of a chunk. Caller holds j->lock.
static void report_locked(Job *j, const Chunk *c, Str body) {
    Arena a;
    Json doc;
    arena_init(&a, 4096);
    if (json_parse(body, NULL, &a, &doc, NULL) == ERR_OK) {
        const Json *errors = json_get(&doc, STR("errors"));
        int64_t rejected = number(&doc, "rejected");
        j->accepted += number(&doc, "accepted");
        j->late += number(&doc, "late");
        j->duplicates += number(&doc, "duplicates");
        j->rejected += rejected;
        for (int32_t i = 0; errors && i < errors->count; i++) {
            const Json *message = json_get(&errors->items[i], STR("message"));
            int64_t at = number(&errors->items[i], "line");
            CHECK(at >= 0 && at < c->count && message);
            if (line_add(&j->refused, c->lines[at])) tell_locked(j, c->lines[at], message->s, true);
        }
        if (errors && rejected > errors->count) j->refused_more += rejected - errors->count;
    }
    arena_free(&a);
}

static void job_step(Job *j);

static void on_done(void *arg, const SosiaDone *done) {
    Chunk *c = arg;
    Job *j = c->job;
    pthread_mutex_lock(&j->lock);
    if (done->err) j->err = (Err)done->err;
    else report_locked(j, c, done->body);
    pthread_mutex_unlock(&j->lock);
    mem_free(c);
    job_step(j);
}

// Wait until fewer than `most` of the job's chunks are on their way.
static void wait_fewer(Job *j, int32_t most) {
    pthread_mutex_lock(&j->in->lock);
    while (j->left - 1 >= most) pthread_cond_wait(&j->in->less, &j->in->lock);
    pthread_mutex_unlock(&j->in->lock);
}

// Put the way's points. Errors: of the engine: BUSY, CLOSED ...
static Err put_chunk(Job *j, LineWay *w) {
    if (!w->count) return ERR_OK;
    wait_fewer(j, LINE_CHUNKS_MAX);
    Chunk *c = mem_alloc(sizeof *c + (size_t)w->count * sizeof *c->lines);
    c->job = j;
    c->count = w->count;
    memcpy(c->lines, w->lines, (size_t)w->count * sizeof *c->lines);
    pthread_mutex_lock(&j->in->lock);
    j->left++;
    pthread_mutex_unlock(&j->in->lock);
    Err err = (Err)sosia_inlet_put(w->inlet, w->points, w->count, on_done, c);
    if (err == ERR_BUSY) { // our own chunks may be what fills the queue
        wait_fewer(j, 2);
        err = (Err)sosia_inlet_put(w->inlet, w->points, w->count, on_done, c);
    }
    if (err) {
        pthread_mutex_lock(&j->in->lock);
        j->left--;
        pthread_mutex_unlock(&j->in->lock);
        mem_free(c);
    }
    j->points += w->count;
    w->count = 0;
    arena_reset(&w->scratch);
    return err;
}

// ---- reading a body -----------------------------------------------------------------------------------------------

// A point of a series that is not known, or has a field it had not. LP_BAD when it cannot be read; p->line 0 when it
// cannot be learnt.
static LpGot learn_point(Job *j, LineWay *w, LineProto *r, Str head, LpPoint *p) {
    LineSeries *s;
    Buf why = {0};
    LpGot got = lineproto_tags(r, head, p);
    if (got == LP_POINT) got = lineproto_rest(r, p);
    if (got != LP_POINT) return got;
    if (line_learn(w, head, p, &s, &why)) bad_line(j, p->line, buf_str(&why));
    else CHECK(line_append(w, s, p));
    buf_free(&why);
    return LP_POINT;
}

static LpGot read_point(Job *j, LineWay *w, LineProto *r, Str head) {
    LpPoint p = {0};
    LineSeries *s = line_series(w, head);
    if (j->again && !j->all && !line_in(&j->redo, r->point_line)) return lineproto_rest(r, &p);
    if (j->again && s && s->learnt != w->request) {
        line_forget(w, head);
        s = NULL;
    }
    if (!s) return learn_point(j, w, r, head, &p);
    if (s->by_names && s->settled != w->request) (void)line_settle(w, s);
    const char *at = r->p, *line_at = r->line_at;
    int64_t line = r->line;
    LpGot got = lineproto_rest(r, &p);
    if (got != LP_POINT || line_append(w, s, &p)) return got;
    r->p = at; // from the tags on
    r->line_at = line_at;
    r->line = line;
    return learn_point(j, w, r, head, &p);
}

static Err read_body(Job *j, LineWay *w) {
    LineProto r;
    Str head;
    Err err = ERR_OK;
    lineproto_init(&r, j->ask->q->body, j->unit_ns, j->now_ns, &w->scratch);
    for (LpGot got; !err && (got = lineproto_head(&r, &head)) != LP_END;) {
        if (got == LP_POINT) got = read_point(j, w, &r, head);
        bool first = !j->again || j->all;
        if (got == LP_BAD && first) {
            char text[200];
            int n = snprintf(text, sizeof text, "unable to parse: %s at column %lld", r.why, (long long)r.bad_column);
            bad_line(j, r.bad_line, (Str){text, n < (int)sizeof text ? n : (int)sizeof text - 1});
        } else if (got == LP_POINT) {
            j->good_lines += first;
        }
        bool full = w->series_count >= LINE_SERIES_MAX;
        if (w->count >= LINE_CHUNK || full) err = put_chunk(j, w);
        if (full && !err) line_forget_all(w);
    }
    if (!err) err = put_chunk(j, w);
    w->count = 0;
    lineproto_free(&r);
    return err;
}

// Start the second time: what the first one refused is no news now.
static void begin_again(Job *j) {
    j->again = true;
    j->all = j->refused_more > 0;
    j->redo = j->refused;
    j->refused = (LineSet){0};
    j->refused_more = j->rejected = 0;
    int32_t kept = 0;
    for (int32_t i = 0; i < j->told_count; i++)
        if (!j->told[i].refused) j->told[kept++] = j->told[i];
    j->told_count = j->all ? 0 : kept;
    if (j->all) j->good_lines = j->bad_lines = j->points = j->accepted = j->late = j->duplicates = 0;
    j->left = 1;
}

static void job_run(Job *j) {
    LineWay *w;
    const SosiaAsk *q = j->ask->q;
    Err err = line_way_take(j->in->connect, j->map, &j->ask->who, q->world, &w);
    if (!err) {
        w->by_names = j->again;
        err = read_body(j, w);
        line_way_leave(w);
    }
    if (err) {
        pthread_mutex_lock(&j->lock);
        j->err = err;
        pthread_mutex_unlock(&j->lock);
    }
    job_step(j);
}

// One of the job's parts is over. The last one goes on: once more for what was refused, or to the answer.
static void job_step(Job *j) {
    LineIntake *in = j->in;
    pthread_mutex_lock(&in->lock);
    bool last = --j->left == 0;
    pthread_cond_broadcast(&in->less);
    bool closing = in->closing;
    pthread_mutex_unlock(&in->lock);
    if (!last) return;
    bool refused = j->refused.count > 0 || j->refused_more > 0;
    if (refused && !j->again && !j->err && !closing) {
        begin_again(j);
        if (queue_try_push(&in->queue, j)) return;
        j->err = ERR_BUSY; // nobody can tell what the second time would do
    }
    job_answer(j);
}

// ---- the intake ---------------------------------------------------------------------------------------------------

static void *intake_main(void *arg) {
    LineIntake *in = arg;
    void *item;
    while (queue_pop(&in->queue, &item, 1, -1) == 1) {
        Job *j = item;
        pthread_mutex_lock(&in->lock);
        bool closing = in->closing;
        pthread_mutex_unlock(&in->lock);
        if (closing) j->err = ERR_CLOSED;
        if (closing) job_step(j);
        else job_run(j);
    }
    return NULL;
}

LineIntake *intake_new(SosiaConnect *k) {
    LineIntake *in = mem_alloc(sizeof *in);
    in->connect = k;
    queue_init(&in->queue, LINE_QUEUE_MAX);
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->less, NULL);
    CHECK(line_map_new(NULL, (Str){0}, &in->map, NULL) == ERR_OK);
    for (int i = 0; i < LINE_THREADS; i++) {
        if (thread_start(&in->threads[i], "lines", intake_main, in) == ERR_OK) continue;
        intake_free(in);
        return NULL;
    }
    return in;
}

void intake_free(LineIntake *in) {
    if (!in) return;
    pthread_mutex_lock(&in->lock);
    in->closing = true;
    pthread_mutex_unlock(&in->lock);
    queue_close(&in->queue);
    for (int i = 0; i < LINE_THREADS; i++) thread_join(&in->threads[i]);
    pthread_mutex_lock(&in->lock);
    while (in->jobs) pthread_cond_wait(&in->less, &in->lock);
    pthread_mutex_unlock(&in->lock);
    line_map_unref(in->map);
    pthread_cond_destroy(&in->less);
    pthread_mutex_destroy(&in->lock);
    queue_free(&in->queue);
    mem_free(in);
}

void intake_stats(LineIntake *in, Buf *out) {
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"lineRequests", in->requests}, {"lineLines", in->lines},
                {"linePoints", in->points},     {"lineAccepted", in->accepted},
                {"lineRejected", in->rejected}, {"lineWaiting", queue_count(&in->queue)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out, ",\"%s\":%lld", rows[i].name, (long long)rows[i].value);
}

// The connection for a database: the one that names it, else one that names none.
typedef struct Choice {
    Str database;
    LineMap *map; // counted
    bool exact;
} Choice;

static Err choose(Connection *c, void *ctx) {
    Choice *x = ctx;
    if (c->kind != &kind_line) return ERR_NO_ROUTE;
    LineMap *m = c->own;
    bool exact = m->database.n && str_eq(m->database, x->database);
    if (x->exact || (m->database.n && !exact) || (x->map && !exact)) return ERR_NO_ROUTE;
    line_map_unref(x->map);
    x->map = line_map_ref(m);
    x->exact = exact;
    return ERR_NO_ROUTE;
}

// "db", "bucket", or the database of "bucket=db/policy".
static LineMap *choose_map(const Ask *a, LineIntake *in, Arena *arena) {
    Choice x = {.database = ask_param(a, STR("db"), arena)};
    if (!x.database.n) x.database = ask_param(a, STR("bucket"), arena);
    (void)connection_each(a->connect, choose, &x);
    if (!x.exact && str_find(x.database, '/', 0) > 0) {
        x.database = str_cut(&x.database, '/');
        (void)connection_each(a->connect, choose, &x);
    }
    return x.map ? x.map : line_map_ref(in->map);
}

static void queue_job(Ask *a, int64_t unit_ns, Arena *arena) {
    LineIntake *in = a->connect->lines;
    Job *j = mem_alloc(sizeof *j);
    j->in = in;
    j->ask = a;
    j->unit_ns = unit_ns;
    j->now_ns = time_now_ns();
    j->map = choose_map(a, in, arena);
    j->connection = j->map->name.n ? connection_find(a->connect, j->map->name) : NULL;
    j->left = 1;
    pthread_mutex_init(&j->lock, NULL);
    arena_init(&j->arena, 1024);
    atomic_fetch_add(&in->requests, 1);
    pthread_mutex_lock(&in->lock);
    in->jobs++;
    bool closing = in->closing;
    pthread_mutex_unlock(&in->lock);
    if (!closing && queue_try_push(&in->queue, j)) return;
    j->err = closing ? ERR_CLOSED : ERR_BUSY;
    job_step(j);
}

void ask_write(Ask *a) {
    Arena arena;
    arena_init(&arena, 1024);
    Str precision = ask_param(a, STR("precision"), &arena);
    int64_t unit = line_precision(precision);
    if (!str_eq(a->q->method, STR("POST"))) ask_fail(a, ERR_METHOD, "Points are written with POST.");
    else if (!unit) ask_fail(a, ERR_ARGUMENT, "precision is ns, us, ms, s, m or h.");
    else queue_job(a, unit, &arena);
    arena_free(&arena);
}

// ---- the kind -----------------------------------------------------------------------------------------------------

static Err line_check(const Json *doc, Diag *d) {
    LineMap *m;
    TRY(line_map_new(doc, (Str){0}, &m, d));
    line_map_unref(m);
    return ERR_OK;
}

static Err line_start(Connection *c, Buf *why) {
    Diag d;
    LineMap *m;
    diag_init(&d);
    Err err = line_map_new(&c->doc, c->name, &m, &d);
    if (err) diag_print(&d, why);
    diag_free(&d);
    if (err) return err;
    c->own = m;
    connection_state(c, CONN_UP, (Str){0});
    return ERR_OK;
}

static void line_stop(Connection *c) {
    line_map_unref(c->own);
    c->own = NULL;
}

static const char *const no_secrets[] = {NULL};

const ConnectKind kind_line = {
    .name = "line", .check = line_check, .secrets = no_secrets, .start = line_start, .stop = line_stop};
