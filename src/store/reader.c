// SPDX-License-Identifier: Apache-2.0
// Readers: connections of their own, kept in a pool, and what can be asked of history.
//
// The log can only begin afresh when nobody reads it, and with enough short readers somebody always does. So when it
// has grown long, new readers are held up (HOLD_NS at most) until those under way have ended; then all of it is moved,
// and whoever comes then reads the file alone.
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/scrub_inner.h"
#include "store/store_inner.h"

// The log is long.
#define LOG_LONG_BYTES (4 * DB_LOG_BYTES)
#define HOLD_NS (100 * NS_PER_MS)

struct StoreReader {
    Store *s;
    Db db;
    StoreReader *next;
    int open;           // a statement that was left before its last row, or DB_STATEMENT_COUNT
    sqlite3_blob *blob; // of the row `blob_id`; NULL: none. It holds the transaction like an open statement
    int64_t blob_id;
};

// ---- the pool -----------------------------------------------------------------------------------------------------

void readers_init(Store *s) {
    cond_init_mono(&s->readers.moved);
    s->readers.hold_after = LOG_LONG_BYTES;
}

static void reader_free(StoreReader *r) {
    db_close(&r->db);
    mem_free(r);
}

void readers_free(Store *s) {
    CHECK(s->readers.active == 0);
    for (StoreReader *r; (r = s->readers.idle);) {
        s->readers.idle = r->next;
        reader_free(r);
    }
    pthread_cond_destroy(&s->readers.moved);
}

void readers_forget(Store *s) {
    pthread_mutex_lock(&s->lock);
    StoreReader *r = s->readers.idle;
    s->readers.idle = NULL;
    pthread_mutex_unlock(&s->lock);
    for (StoreReader *next; r; r = next) { // opened again by who needs more of them
        next = r->next;
        reader_free(r);
    }
}

// Count one more, and take an idle one if there is one.
static StoreReader *take(Store *s) {
    struct timespec at = time_after(HOLD_NS);
    pthread_mutex_lock(&s->lock);
    Readers *p = &s->readers;
    for (int rc = 0; p->hold && !rc;) rc = pthread_cond_timedwait(&p->moved, &s->lock, &at);
    while (p->active == STORE_READERS_MAX) pthread_cond_wait(&p->moved, &s->lock);
    p->active++;
    StoreReader *r = p->idle;
    if (r) p->idle = r->next;
    pthread_mutex_unlock(&s->lock);
    return r;
}

// One less; `r` may be NULL.
static void give(Store *s, StoreReader *r) {
    pthread_mutex_lock(&s->lock);
    Readers *p = &s->readers;
    if (r) {
        r->next = p->idle;
        p->idle = r;
    }
    p->active--;
    if (p->hold && !p->active) pthread_cond_signal(&s->work);
    pthread_cond_broadcast(&p->moved);
    pthread_mutex_unlock(&s->lock);
}

// From the first row read on, the transaction sees one instant of the file.
static Err look(StoreReader *r) {
    bool row;
    TRY(db_run(&r->db, DB_READ_BEGIN));
    TRY(db_step(&r->db, DB_LOOK, &row));
    if (row) db_reset(&r->db, DB_LOOK);
    return ERR_OK;
}

Err store_reader_begin(Store *s, StoreReader **out) {
    StoreReader *r = take(s);
    Err e = ERR_OK;
    if (!r) {
        r = mem_alloc(sizeof *r);
        *r = (StoreReader){.s = s, .open = DB_STATEMENT_COUNT};
        e = db_open_reader(&r->db, s->db.path, s->o.vfs);
    }
    if (e == ERR_OK) e = look(r);
    if (e != ERR_OK) {
        reader_free(r);
        give(s, NULL);
        return e == ERR_STORAGE_FULL ? ERR_STORAGE : e;
    }
    *out = r;
    return ERR_OK;
}

static void close_rows(StoreReader *r) {
    if (r->open != DB_STATEMENT_COUNT) db_reset(&r->db, (DbStatement)r->open);
    r->open = DB_STATEMENT_COUNT;
}

static void close_blob(StoreReader *r) {
    sqlite3_blob_close(r->blob);
    r->blob = NULL;
}

void store_reader_end(StoreReader *r) {
    if (!r) return;
    close_rows(r);
    close_blob(r);
    bool ended = db_run(&r->db, DB_READ_END) == ERR_OK;
    Store *s = r->s;
    if (!ended) reader_free(r);
    give(s, ended ? r : NULL);
}

const char *store_reader_why(const StoreReader *r) { return r->db.why; }
Db *reader_db(StoreReader *r) {
    close_rows(r);
    return &r->db;
}

// ---- the log ------------------------------------------------------------------------------------------------------

// Nobody reads; from here on nobody begins to.
static bool readers_quiet(Store *s) {
    pthread_mutex_lock(&s->lock);
    s->readers.hold = true;
    bool quiet = s->readers.active == 0;
    pthread_mutex_unlock(&s->lock);
    return quiet;
}

static void readers_let_go(Store *s) {
    pthread_mutex_lock(&s->lock);
    s->readers.hold = false;
    pthread_cond_broadcast(&s->readers.moved);
    pthread_mutex_unlock(&s->lock);
}

void store_move_log(Store *s) {
    if (scrub_walks(s)) return;
    int64_t bytes = db_log_bytes(&s->db);
    bool held = s->readers.hold; // this thread alone changes it
    if (bytes < LOG_LONG_BYTES) s->readers.hold_after = LOG_LONG_BYTES;
    bool too_long = bytes >= s->readers.hold_after;
    if (!too_long || !readers_quiet(s)) db_backfill(&s->db);
    else {
        db_move_log(&s->db);
        s->readers.hold_after = bytes + DB_LOG_BYTES; // another process may read it: not again at once
        too_long = false;
    }
    if (!too_long && (held || s->readers.hold)) readers_let_go(s);
}

// ---- asking -------------------------------------------------------------------------------------------------------

typedef bool (*RowFn)(void *ctx, const StoreHistory *h);

static Err history_damaged(StoreReader *r, int64_t id) {
    return db_say(&r->db, ERR_CORRUPT, "history row %lld does not match its check", (long long)id);
}

// Hand over the rows of a bound statement.
static Err each(StoreReader *r, DbStatement what, RowFn fn, void *ctx) {
    sqlite3_stmt *st = db_use(&r->db, what);
    for (bool row;;) {
        TRY(db_step(&r->db, what, &row));
        if (!row) return ERR_OK;
        StoreHistory h;
        bool sound = history_row(st, &h);
        if (sound && fn(ctx, &h)) continue;
        r->open = (int)what; // what fn has seen stays until the next call
        return sound ? ERR_OK : history_damaged(r, h.id);
    }
}

Err store_history_rows(StoreReader *r, const StoreHistoryAsk *ask, RowFn fn, void *ctx) {
    close_rows(r);
    DbStatement what = ask->means ? DB_HISTORY_MEANS : ask->known ? DB_HISTORY_KNOWN : DB_HISTORY_RANGE;
    CHECK(!(ask->means && ask->known));
    sqlite3_stmt *st = db_use(&r->db, what);
    sqlite3_bind_int64(st, 1, (int64_t)ask->lane);
    sqlite3_bind_int64(st, 2, (int64_t)ask->page);
    sqlite3_bind_int(st, 3, ask->bytes);
    sqlite3_bind_int64(st, 4, ask->known ? ask->at : ask->from);
    if (!ask->known) sqlite3_bind_int64(st, 5, ask->to);
    return each(r, what, fn, ctx);
}

Err store_history_scan(StoreReader *r, int64_t after, int32_t tier, RowFn fn, void *ctx) {
    close_rows(r);
    DbStatement what = tier ? DB_HISTORY_SCAN : DB_HISTORY_YOUNG;
    sqlite3_stmt *st = db_use(&r->db, what);
    sqlite3_bind_int64(st, 1, after);
    if (tier) sqlite3_bind_int(st, 2, tier);
    return each(r, what, fn, ctx);
}

static bool take_row(void *ctx, const StoreHistory *row) {
    *(StoreHistory *)ctx = *row;
    return false;
}

Err store_history_row(StoreReader *r, int64_t id, StoreHistory *out) {
    StoreHistory row = {0};
    close_rows(r);
    sqlite3_bind_int64(db_use(&r->db, DB_HISTORY_ROW), 1, id);
    TRY(each(r, DB_HISTORY_ROW, take_row, &row));
    if (!row.id) return db_say(&r->db, ERR_GONE, "there is no history row %lld", (long long)id);
    *out = row;
    return ERR_OK;
}

// The block of a row, ready to be read.
static Err open_blob(StoreReader *r, int64_t id) {
    if (r->blob && r->blob_id == id) return ERR_OK;
    int rc = r->blob ? sqlite3_blob_reopen(r->blob, id)
                     : sqlite3_blob_open(r->db.h, "main", "history", "bytes", id, 0, &r->blob);
    r->blob_id = id;
    if (rc == SQLITE_OK) return ERR_OK;
    Err e = rc == SQLITE_ERROR ? db_say(&r->db, ERR_GONE, "there is no history row %lld", (long long)id)
                               : db_failed(&r->db, rc);
    close_blob(r);
    return e;
}

Err store_history_part(StoreReader *r, int64_t id, int64_t at, char *to, int64_t n, int64_t *size) {
    TRY(open_blob(r, id));
    *size = sqlite3_blob_bytes(r->blob);
    if (n > *size - at) n = *size - at;
    int rc = n > 0 ? sqlite3_blob_read(r->blob, to, (int)n, (int)at) : SQLITE_OK;
    if (rc == SQLITE_OK) return ERR_OK;
    Err e = db_failed(&r->db, rc);
    close_blob(r);
    return e == ERR_STORAGE_FULL ? ERR_STORAGE : e;
}

Err store_history_pages(StoreReader *r, uint64_t lane, uint64_t *count) {
    close_rows(r);
    bool row;
    sqlite3_stmt *st = db_use(&r->db, DB_HISTORY_PAGES);
    sqlite3_bind_int64(st, 1, (int64_t)lane);
    TRY(db_step(&r->db, DB_HISTORY_PAGES, &row));
    CHECK(row); // a SELECT without FROM
    *count = (uint64_t)sqlite3_column_int64(st, 0);
    db_reset(&r->db, DB_HISTORY_PAGES);
    return ERR_OK;
}

Err store_history_lanes(StoreReader *r, bool (*fn)(void *ctx, const StoreLane *l), void *ctx) {
    close_rows(r);
    sqlite3_stmt *st = db_use(&r->db, DB_HISTORY_LANES);
    for (bool row;;) {
        TRY(db_step(&r->db, DB_HISTORY_LANES, &row));
        if (!row) return ERR_OK;
        StoreLane l = {.lane = (uint64_t)sqlite3_column_int64(st, 0),
                       .rows = sqlite3_column_int64(st, 1),
                       .points = sqlite3_column_int64(st, 2),
                       .bytes = sqlite3_column_int64(st, 3),
                       .t0 = sqlite3_column_int64(st, 4),
                       .t1 = sqlite3_column_int64(st, 5),
                       .means_points = sqlite3_column_int64(st, 6),
                       .means_bytes = sqlite3_column_int64(st, 7)};
        if (fn(ctx, &l)) continue;
        r->open = DB_HISTORY_LANES;
        return ERR_OK;
    }
}

static Err each_dead(StoreReader *r, DbStatement what, sqlite3_stmt *st, bool (*fn)(void *ctx, const StoreDead *d),
                     void *ctx) {
    for (bool row;;) {
        TRY(db_step(&r->db, what, &row));
        if (!row) return ERR_OK;
        StoreDead d = dead_by_id((uint64_t)sqlite3_column_int64(st, 0));
        d.name = (Str){sqlite3_column_blob(st, 1), sqlite3_column_bytes(st, 1)};
        d.time = sqlite3_column_int64(st, 2);
        bool sound = dead_check(&d) == (uint32_t)sqlite3_column_int64(st, 3);
        if (sound && fn(ctx, &d)) continue;
        r->open = (int)what;
        if (sound) return ERR_OK;
        return db_say(&r->db, ERR_CORRUPT, "dead row %llu does not match its check", (unsigned long long)d.twin);
    }
}

Err store_history_dead(StoreReader *r, uint64_t world, Str name, bool (*fn)(void *ctx, const StoreDead *d), void *ctx) {
    close_rows(r);
    sqlite3_stmt *st = db_use(&r->db, DB_DEAD_SCAN);
    sqlite3_bind_blob64(st, 1, name.n ? name.p : "", (uint64_t)name.n, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (int64_t)world);
    return each_dead(r, DB_DEAD_SCAN, st, fn, ctx);
}

Err store_history_dead_list(StoreReader *r, uint64_t world, uint64_t after, int64_t limit,
                            bool (*fn)(void *ctx, const StoreDead *d), void *ctx) {
    close_rows(r);
    sqlite3_stmt *st = db_use(&r->db, DB_DEAD_LIST);
    sqlite3_bind_int64(st, 1, (int64_t)world);
    sqlite3_bind_int64(st, 2, (int64_t)after);
    sqlite3_bind_int64(st, 3, limit);
    return each_dead(r, DB_DEAD_LIST, st, fn, ctx);
}

Err store_history_sum(StoreReader *r, uint64_t world, StoreLane *out) {
    close_rows(r);
    bool row;
    sqlite3_stmt *st = db_use(&r->db, DB_HISTORY_SUM);
    sqlite3_bind_int64(st, 1, (int64_t)store_lane(world ? world : 1, 0));
    sqlite3_bind_int64(st, 2, world ? (int64_t)store_lane(world + 1, 0) : INT64_MAX);
    TRY(db_step(&r->db, DB_HISTORY_SUM, &row));
    CHECK(row); // an aggregate
    *out = (StoreLane){.rows = sqlite3_column_int64(st, 0),
                       .points = sqlite3_column_int64(st, 1),
                       .bytes = sqlite3_column_int64(st, 2),
                       .t0 = sqlite3_column_int64(st, 3),
                       .t1 = sqlite3_column_int64(st, 4)};
    db_reset(&r->db, DB_HISTORY_SUM);
    return ERR_OK;
}

typedef struct OfLive {
    RowFn fn;
    void *ctx;
} OfLive;

static bool of_live(void *ctx, const StoreHistory *h) {
    OfLive *x = ctx;
    return store_lane_world(h->lane) || x->fn(x->ctx, h);
}

Err store_history_world(StoreReader *r, uint64_t world, RowFn fn, void *ctx) {
    OfLive live = {fn, ctx};
    if (!world) return store_history_scan(r, 0, STORE_TIER_MEANS - 1, of_live, &live);
    close_rows(r);
    sqlite3_bind_int64(db_use(&r->db, DB_HISTORY_WORLD), 1, (int64_t)world);
    return each(r, DB_HISTORY_WORLD, fn, ctx);
}

Err store_history_ends(StoreReader *r, uint64_t world,
                       void (*fn)(void *ctx, uint64_t lane, uint64_t page, uint64_t last), void *ctx) {
    close_rows(r);
    sqlite3_stmt *st = db_use(&r->db, DB_HISTORY_WORLD_ENDS);
    sqlite3_bind_int64(st, 1, (int64_t)world);
    for (bool row;;) {
        TRY(db_step(&r->db, DB_HISTORY_WORLD_ENDS, &row));
        if (!row) return ERR_OK;
        fn(ctx, store_lane_own((uint64_t)sqlite3_column_int64(st, 0)), (uint64_t)sqlite3_column_int64(st, 1),
           (uint64_t)sqlite3_column_int64(st, 2));
    }
}

Err store_history_ahead(Store *s, void (*fn)(void *ctx, uint64_t lane, uint64_t page, uint64_t last), void *ctx) {
    StoreReader *r;
    TRY(store_reader_begin(s, &r));
    sqlite3_stmt *st = db_use(&r->db, DB_HISTORY_ENDS);
    pthread_mutex_lock(&s->lock);
    sqlite3_bind_int64(st, 1, s->mark);
    sqlite3_bind_int64(st, 2, (int64_t)s->root_seq);
    pthread_mutex_unlock(&s->lock);
    Err e = ERR_OK;
    for (bool row = true; row && e == ERR_OK;) {
        e = db_step(&r->db, DB_HISTORY_ENDS, &row);
        if (e == ERR_OK && row)
            fn(ctx, (uint64_t)sqlite3_column_int64(st, 0), (uint64_t)sqlite3_column_int64(st, 1),
               (uint64_t)sqlite3_column_int64(st, 2));
    }
    store_reader_end(r);
    return e;
}
