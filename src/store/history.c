// SPDX-License-Identifier: Apache-2.0
// Blocks of history and names of the dead: putting, and what a start needs to know of them.
//
// Invariants
//  1. The check of a row is two: the high half covers all numbers of the row, the low half its bytes too, so that a row
//     can be trusted without reading its bytes.
//  2. Ids ascend and are never used twice: neither while the file is open nor behind `mark` after it was closed.
//  3. Every block of points with an id up to `mark` ends at or before the newest root. `ahead` are the others that end
//     later than every one with a smaller id: the first of them that ends behind a new root tells the new mark.
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "store/store_inner.h"

#define HISTORY_QUEUE_BYTES_MAX (64 << 20)
#define ROW_COST 160 // of an empty row in the queue
#define MARK_KEY "history"
#define MARK_BYTES 8
#define TWIN_BITS 36 // part of the statements in db.c

// ---- rows ---------------------------------------------------------------------------------------------------------

static uint32_t head_check(const StoreHistory *h) {
    uint64_t words[14] = {(uint64_t)h->id,   h->lane,
                          h->page,           (uint64_t)h->tier,
                          h->start,          h->first,
                          h->last,           (uint64_t)h->t0,
                          (uint64_t)h->t1,   (uint64_t)h->s0,
                          (uint64_t)h->s1,   (uint64_t)h->points,
                          (uint64_t)h->late, (uint64_t)h->bytes.n};
    return crc32c(0, words, sizeof words);
}

int64_t history_check(const StoreHistory *h) {
    uint32_t head = head_check(h);
    return (int64_t)((uint64_t)head << 32 | crc32c(head, h->bytes.p, h->bytes.n));
}

uint64_t dead_id(const StoreDead *d) { return d->world << TWIN_BITS | d->twin; }

StoreDead dead_by_id(uint64_t id) {
    return (StoreDead){.twin = id & (((uint64_t)1 << TWIN_BITS) - 1), .world = id >> TWIN_BITS};
}

uint32_t dead_check(const StoreDead *d) {
    uint64_t words[3] = {dead_id(d), (uint64_t)d->time, (uint64_t)d->name.n};
    return crc32c(crc32c(0, words, sizeof words), d->name.p, d->name.n);
}

bool history_row(sqlite3_stmt *st, StoreHistory *out) {
    int64_t c[15];
    for (int i = 0; i < 15; i++) c[i] = sqlite3_column_int64(st, i);
    *out = (StoreHistory){.id = c[0],
                          .lane = (uint64_t)c[1],
                          .page = (uint64_t)c[2],
                          .tier = (int32_t)c[3],
                          .start = c[4] != 0,
                          .first = (uint64_t)c[5],
                          .last = (uint64_t)c[6],
                          .t0 = c[7],
                          .t1 = c[8],
                          .s0 = c[9],
                          .s1 = c[10],
                          .points = c[11],
                          .late = c[12],
                          .bytes = {NULL, c[13]}};
    uint64_t crc = (uint64_t)c[14];
    uint32_t head = head_check(out);
    bool sound = head == crc >> 32 && c[3] == out->tier && (c[4] == 0 || c[4] == 1) && c[13] >= 0;
    bool has_bytes = sqlite3_column_type(st, 15) != SQLITE_NULL;
    out->bytes = has_bytes ? (Str){sqlite3_column_blob(st, 15), sqlite3_column_bytes(st, 15)} : (Str){NULL, 0};
    if (has_bytes) sound = sound && out->bytes.n == c[13] && crc32c(head, out->bytes.p, out->bytes.n) == (uint32_t)crc;
    return sound;
}

// ---- the queue ----------------------------------------------------------------------------------------------------

typedef struct HistoryPut {
    HistoryPut *next;
    StoreHistoryPut put; // of our own memory
    Buf texts;
    int64_t cost;
    StoreHistoryFn done;
    void *arg;
} HistoryPut;

static void *copy(const void *from, int64_t n, size_t size) {
    void *to = mem_alloc((size_t)n * size);
    if (n) memcpy(to, from, (size_t)n * size);
    return to;
}

static Str keep_text(Buf *b, Str text) {
    Str kept = {b->p ? b->p + b->n : NULL, text.n};
    buf_str_put(b, text);
    return kept;
}

// NULL when its texts are too much for any memory.
static HistoryPut *put_new(const StoreHistoryPut *from) {
    HistoryPut *p = mem_alloc(sizeof *p);
    int64_t texts = 0;
    for (int64_t i = 0; i < from->row_count; i++) texts += from->rows[i].bytes.n;
    for (int64_t i = 0; i < from->dead_count; i++) texts += from->dead[i].name.n;
    if (!buf_reserve(&p->texts, texts)) {
        mem_free(p);
        return NULL;
    }
    StoreHistory *rows = copy(from->rows, from->row_count, sizeof *rows);
    StoreDead *dead = copy(from->dead, from->dead_count, sizeof *dead);
    for (int64_t i = 0; i < from->row_count; i++) rows[i].bytes = keep_text(&p->texts, rows[i].bytes);
    for (int64_t i = 0; i < from->dead_count; i++) dead[i].name = keep_text(&p->texts, dead[i].name);
    p->put = (StoreHistoryPut){.gone = copy(from->gone, from->gone_count, sizeof *from->gone),
                               .gone_count = from->gone_count,
                               .rows = rows,
                               .row_count = from->row_count,
                               .dead = dead,
                               .dead_count = from->dead_count};
    p->cost = texts + (from->row_count + from->dead_count) * ROW_COST + from->gone_count * 8 + ROW_COST;
    return p;
}

static void put_free(HistoryPut *p) {
    mem_free((void *)(uintptr_t)p->put.gone);
    mem_free((void *)(uintptr_t)p->put.rows);
    mem_free((void *)(uintptr_t)p->put.dead);
    buf_free(&p->texts);
    mem_free(p);
}

Err store_history_put(Store *s, const StoreHistoryPut *put, StoreHistoryFn done, void *arg) {
    HistoryPut *p = put_new(put);
    if (!p) return ERR_BUSY;
    p->done = done;
    p->arg = arg;
    pthread_mutex_lock(&s->lock);
    bool busy = s->history && s->history_bytes + p->cost > HISTORY_QUEUE_BYTES_MAX;
    if (!busy) {
        if (s->history_last) s->history_last->next = p;
        else s->history = p;
        s->history_last = p;
        s->history_bytes += p->cost;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    if (busy) put_free(p);
    return busy ? ERR_BUSY : ERR_OK;
}

// Puts that make about a slice, off the list.
static HistoryPut *puts_take(Store *s) {
    pthread_mutex_lock(&s->lock);
    HistoryPut *list = s->history, *last = NULL;
    int64_t bytes = 0;
    while (s->history && (!last || bytes + s->history->cost <= STORE_SLICE_BYTES)) {
        last = s->history;
        bytes += last->cost;
        s->history_bytes -= last->cost;
        s->history = last->next;
    }
    if (!s->history) s->history_last = NULL;
    if (last) last->next = NULL;
    pthread_mutex_unlock(&s->lock);
    return list;
}

// ---- writing ------------------------------------------------------------------------------------------------------

// Blocks of points of one page begin at different instants. Two of the same one would be points told twice.
static Err refuse_same(Store *s, const StoreHistory *h) {
    sqlite3_stmt *st = db_use(&s->db, DB_HISTORY_SAME);
    bool row;
    sqlite3_bind_int64(st, 1, (int64_t)h->lane);
    sqlite3_bind_int64(st, 2, (int64_t)h->page);
    sqlite3_bind_int64(st, 3, h->t0);
    TRY(db_step(&s->db, DB_HISTORY_SAME, &row));
    if (!row) return ERR_OK;
    long long id = sqlite3_column_int64(st, 0);
    db_reset(&s->db, DB_HISTORY_SAME);
    db_rollback(&s->db);
    return db_say(&s->db, ERR_STORAGE, "history row %lld begins at the same instant", id);
}

static Err row_put(Store *s, StoreHistory *h) {
    if (h->tier < STORE_TIER_MEANS) TRY(refuse_same(s, h));
    if (!h->id) h->id = s->history_next;
    if (h->id >= s->history_next) s->history_next = h->id + 1;
    int64_t words[15] = {h->id,
                         (int64_t)h->lane,
                         (int64_t)h->page,
                         h->tier,
                         h->start,
                         (int64_t)h->first,
                         (int64_t)h->last,
                         h->t0,
                         h->t1,
                         h->s0,
                         h->s1,
                         h->points,
                         h->late,
                         h->bytes.n,
                         history_check(h)};
    sqlite3_stmt *st = db_use(&s->db, DB_HISTORY_PUT);
    for (int i = 0; i < 15; i++) sqlite3_bind_int64(st, i + 1, words[i]);
    sqlite3_bind_blob64(st, 16, h->bytes.n ? h->bytes.p : "", (uint64_t)h->bytes.n, SQLITE_STATIC);
    return db_run(&s->db, DB_HISTORY_PUT);
}

static Err dead_put(Store *s, const StoreDead *d) {
    sqlite3_stmt *st = db_use(&s->db, DB_DEAD_PUT);
    sqlite3_bind_int64(st, 1, (int64_t)dead_id(d));
    sqlite3_bind_blob64(st, 2, d->name.n ? d->name.p : "", (uint64_t)d->name.n, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, d->time);
    sqlite3_bind_int64(st, 4, dead_check(d));
    return db_run(&s->db, DB_DEAD_PUT);
}

// Is the world (still) there? *known: the one that was asked about last, 0 for live, is.
static Err has_world(Store *s, uint64_t world, uint64_t *known, bool *has) {
    bool row;
    *has = world == *known;
    if (*has) return ERR_OK;
    sqlite3_bind_int64(db_use(&s->db, DB_WORLD_HAS), 1, (int64_t)world);
    TRY(db_step(&s->db, DB_WORLD_HAS, &row));
    if (row) db_reset(&s->db, DB_WORLD_HAS);
    *has = row || !world;
    if (*has) *known = world;
    return ERR_OK;
}

static Err put_write(Store *s, HistoryPut *p) {
    uint64_t known = 0;
    bool has;
    for (int64_t i = 0; i < p->put.gone_count; i++) {
        sqlite3_bind_int64(db_use(&s->db, DB_HISTORY_DEL), 1, p->put.gone[i]);
        TRY(db_run(&s->db, DB_HISTORY_DEL));
    }
    StoreHistory *rows = (StoreHistory *)(uintptr_t)p->put.rows; // ours
    for (int64_t i = 0; i < p->put.row_count; i++) {
        TRY(has_world(s, store_lane_world(rows[i].lane), &known, &has));
        if (has) TRY(row_put(s, &rows[i]));
    }
    for (int64_t i = 0; i < p->put.dead_count; i++) {
        TRY(has_world(s, p->put.dead[i].world, &known, &has));
        if (has) TRY(dead_put(s, &p->put.dead[i]));
    }
    return ERR_OK;
}

static Err puts_write(Store *s, HistoryPut *list) {
    TRY(db_run(&s->db, DB_BEGIN));
    for (; list; list = list->next) TRY(put_write(s, list));
    return db_run(&s->db, DB_COMMIT);
}

static void ahead_push(Store *s, const StoreHistory *h) {
    HistoryAhead *a = &s->ahead;
    uint64_t highest = a->count ? a->rows[a->count - 1].last : s->root_seq;
    if (h->tier >= STORE_TIER_MEANS || h->last <= highest || store_lane_world(h->lane)) return;
    if (a->count == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 64;
        a->rows = mem_grow(a->rows, (size_t)a->cap * sizeof *a->rows);
    }
    a->rows[a->count++] = (AheadRow){h->id, h->last};
}

// The rows of a put are durable: remember how far they go, and count.
static void puts_count(Store *s, const HistoryPut *list, int64_t *rows, int64_t *bytes, int64_t *gone) {
    for (*rows = *bytes = *gone = 0; list; list = list->next) {
        for (int64_t i = 0; i < list->put.row_count; i++) {
            ahead_push(s, &list->put.rows[i]);
            *bytes += list->put.rows[i].bytes.n;
        }
        *rows += list->put.row_count;
        *gone += list->put.gone_count;
    }
}

bool history_serve(Store *s) {
    HistoryPut *list = puts_take(s);
    if (!list) return false;
    Err e = puts_write(s, list);
    int64_t rows = 0, bytes = 0, gone = 0;
    if (e == ERR_OK) puts_count(s, list, &rows, &bytes, &gone);
    int64_t file_bytes = e == ERR_OK ? db_file_bytes(&s->db) : 0;
    pthread_mutex_lock(&s->lock);
    s->stats.history_rows += rows;
    s->stats.history_bytes += bytes;
    s->stats.history_gone += gone;
    if (e != ERR_OK) s->stats.history_failed++;
    else s->stats.file_bytes = file_bytes;
    pthread_mutex_unlock(&s->lock);
    while (list) {
        HistoryPut *p = list;
        list = p->next;
        if (p->done) p->done(p->arg, e, e != ERR_OK ? s->db.why : NULL);
        put_free(p);
    }
    return true;
}

void history_free(Store *s) {
    for (HistoryPut *p; (p = s->history);) {
        s->history = p->next;
        put_free(p);
    }
    mem_free(s->ahead.rows);
}

// ---- roots --------------------------------------------------------------------------------------------------------

// The first row of `ahead` that ends behind seq; the count when none does.
static int64_t first_behind(const Store *s, uint64_t seq) {
    int64_t i = 0;
    while (i < s->ahead.count && s->ahead.rows[i].last <= seq) i++;
    return i;
}

Err history_mark_put(Store *s, uint64_t seq) {
    int64_t i = first_behind(s, seq);
    int64_t mark = i < s->ahead.count ? s->ahead.rows[i].id - 1 : s->history_next - 1;
    sqlite3_stmt *st = db_use(&s->db, DB_META_PUT);
    sqlite3_bind_text(st, 1, MARK_KEY, -1, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, &mark, MARK_BYTES, SQLITE_TRANSIENT);
    return db_run(&s->db, DB_META_PUT);
}

void history_root_moved(Store *s, uint64_t seq) {
    HistoryAhead *a = &s->ahead;
    int64_t i = first_behind(s, seq);
    int64_t mark = i < a->count ? a->rows[i].id - 1 : s->history_next - 1;
    if (i) memmove(a->rows, a->rows + i, (size_t)(a->count - i) * sizeof *a->rows);
    a->count -= i;
    pthread_mutex_lock(&s->lock);
    s->mark = mark;
    s->root_seq = seq;
    pthread_mutex_unlock(&s->lock);
}

// A file of an older format says nothing: 0.
static Err mark_get(Store *s, int64_t *mark) {
    sqlite3_stmt *st = db_use(&s->db, DB_META_GET);
    bool row;
    *mark = 0;
    sqlite3_bind_text(st, 1, MARK_KEY, -1, SQLITE_STATIC);
    TRY(db_step(&s->db, DB_META_GET, &row));
    if (!row) return ERR_OK;
    const void *p = sqlite3_column_blob(st, 0);
    if (p && sqlite3_column_bytes(st, 0) == MARK_BYTES) memcpy(mark, p, MARK_BYTES);
    db_reset(&s->db, DB_META_GET);
    return *mark >= 0 ? ERR_OK : db_say(&s->db, ERR_CORRUPT, "meta row " MARK_KEY " does not hold what it should");
}

static Err next_get(Store *s) {
    bool row;
    TRY(db_step(&s->db, DB_HISTORY_LAST, &row));
    CHECK(row); // an aggregate
    int64_t last = sqlite3_column_int64(db_use(&s->db, DB_HISTORY_LAST), 0);
    db_reset(&s->db, DB_HISTORY_LAST);
    s->history_next = (last > s->mark ? last : s->mark) + 1;
    return ERR_OK;
}

Err history_load(Store *s, uint64_t root_seq) {
    sqlite3_stmt *st = db_use(&s->db, DB_HISTORY_AHEAD);
    s->root_seq = root_seq;
    TRY(mark_get(s, &s->mark));
    TRY(next_get(s));
    sqlite3_bind_int64(st, 1, s->mark);
    for (bool row;;) {
        TRY(db_step(&s->db, DB_HISTORY_AHEAD, &row));
        if (!row) return ERR_OK;
        StoreHistory h;
        if (!history_row(st, &h)) {
            db_reset(&s->db, DB_HISTORY_AHEAD);
            return db_say(&s->db, ERR_CORRUPT, "history row %lld does not match its check", (long long)h.id);
        }
        ahead_push(s, &h);
    }
}

// ---- checkpoints wait ---------------------------------------------------------------------------------------------

void store_history_sealed(Store *s, uint64_t seq) {
    pthread_mutex_lock(&s->lock);
    if (seq > s->sealed) s->sealed = seq;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

void store_history_failed(Store *s) {
    pthread_mutex_lock(&s->lock);
    s->seal_failed = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

Err history_await(Store *s, uint64_t seq) {
    if (!s->o.on_replay) return ERR_OK;
    for (;;) {
        store_serve(s);
        pthread_mutex_lock(&s->lock);
        while (s->sealed < seq && !s->seal_failed && !s->closing && !store_serve_waits(s)) {
            s->busy = false; // so that store_submit wakes us; nobody takes it for rest while a checkpoint runs
            pthread_cond_wait(&s->work, &s->lock);
            s->busy = true;
        }
        bool sealed = s->sealed >= seq, given_up = s->seal_failed || s->closing;
        if (sealed || given_up) s->seal_failed = false;
        pthread_mutex_unlock(&s->lock);
        if (sealed) return ERR_OK;
        if (given_up) return db_say(&s->db, ERR_STORAGE, "the history up to it could not be written");
    }
}
