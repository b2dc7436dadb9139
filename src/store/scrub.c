// SPDX-License-Identifier: Apache-2.0
// ROOT -> JOURNAL -> SCENARIOS -> GARBAGE -> FILL -> LOG -> TAILS -> LOG_AGAIN, one scrub after the other.
//
// Deleted cells are zeroed within their pages (secure_delete = FAST, and clean.h); pages that fell free are not. FILL
// takes them all into rows of zeros and lets those go again: SQLite uses free pages before it makes the file longer. A
// crash in between leaves rows of `page` that no root names, which recovery deletes.
//
// When the log is empty, what rows left behind their ends in pages in use goes too, see tails.h: until that is done the
// log is not moved into the file, and pages that fall free are zeroed at once, so that no new row gets an old page with
// something in it.
#include "store/scrub.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/scrub_inner.h"
#include "store/store_inner.h"
#include "store/tails.h"

#define FILL_BYTES (512 << 10)             // of zeros in one transaction
#define LOOKS 500                          // at pages of the file in one slice
#define LOG_WAIT_NS (20 * NS_PER_MS)       // between tries to empty the log
#define OVERFLOW_BYTES (DB_PAGE_BYTES - 4) // of a blob in a page of its own

#define LOCAL_BYTES ((DB_PAGE_BYTES - 12) * 32 / 255 - 23) // of it in the page of its row, when the others are full
#define WHOLE_BYTES (DB_PAGE_BYTES - 35)                   // of the longest row that fits its page
#define ROW_HEAD_BYTES 5                                   // of a row (NULL, blob of 8,186 to 1,048,569 bytes)

typedef enum ScrubState {
    SCRUB_ROOT,
    SCRUB_JOURNAL,
    SCRUB_SCENARIOS,
    SCRUB_GARBAGE,
    SCRUB_FILL,
    SCRUB_LET_GO,
    SCRUB_LOG,
    SCRUB_TAILS,
    SCRUB_LOG_AGAIN
} ScrubState;

struct Scrub {
    struct Scrub *next;
    ScrubState state;
    uint64_t seq, at; // at: journal rows up to here were looked at; SCENARIOS: rows of other worlds up to this id
    StoreForgetFn forget;
    void *ctx;
    StoreScrubFn done;
    void *arg;
    int64_t rows, zeroed;
    IdSet zeros;      // rows of zeros: garbage when all free pages are taken, not before
    int64_t retry_ns; // mono; LOG: not before
    Tails tails;
    bool walks; // TAILS
};

void store_scrub(Store *s, uint64_t seq, StoreForgetFn forget, void *ctx, StoreScrubFn done, void *arg) {
    Scrub *x = mem_alloc(sizeof *x);
    *x = (Scrub){.seq = seq, .forget = forget, .ctx = ctx, .done = done, .arg = arg};
    pthread_mutex_lock(&s->lock);
    Scrub **at = &s->scrubs;
    while (*at) at = &(*at)->next;
    *at = x;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

static void let_go(Store *s, Scrub *x) {
    for (int64_t i = 0; i < x->zeros.count; i++) idset_add(&s->garbage, x->zeros.ids[i]);
    idset_free(&x->zeros);
}

static Err walk_begin(Store *s, Scrub *x) {
    x->walks = true;
    TRY(db_zero_freed(&s->db, true));
    return tails_begin(&x->tails, &s->db);
}

static void walk_end(Store *s, Scrub *x) {
    Err err = x->walks ? db_zero_freed(&s->db, false) : ERR_OK; // if not: slower, that is all
    (void)err;
    x->walks = false;
    tails_free(&x->tails);
}

bool scrub_walks(const Store *s) { return s->scrubs && s->scrubs->walks; }

// SQLite makes rows in a buffer of one page, where the ends of longer ones stay: one that fills it, and is not kept.
static void tidy_rows(Store *s) {
    if (db_run(&s->db, DB_BEGIN)) return;
    sqlite3_stmt *st = db_use(&s->db, DB_PAGE_ZERO);
    sqlite3_bind_int64(st, 1, (int64_t)s->page_next);
    sqlite3_bind_int64(st, 2, WHOLE_BYTES - ROW_HEAD_BYTES);
    (void)!db_run(&s->db, DB_PAGE_ZERO);
    db_rollback(&s->db);
}

// Working memory that may still have what was written before.
static void tidy(Store *s) {
    tidy_rows(s);
    zip_free(&s->zip);
    buf_free(&s->blob);
    db_forget(&s->db);
    readers_forget(s);
}

static void scrub_end(Store *s, Scrub *x, Err err) {
    let_go(s, x);
    walk_end(s, x);
    tidy(s);
    pthread_mutex_lock(&s->lock);
    s->scrubs = x->next;
    Chunk *spare = s->spare;
    s->spare = NULL;
    pthread_mutex_unlock(&s->lock);
    for (Chunk *next; spare; spare = next) {
        next = spare->next;
        buf_free(&spare->bytes);
        mem_free(spare);
    }
    x->done(x->arg, err, x->rows, x->zeroed);
    mem_free(x);
}

void scrub_refuse_all(Store *s) {
    while (s->scrubs) scrub_end(s, s->scrubs, ERR_CLOSED);
}

int64_t scrub_wait_ns(const Store *s, int64_t now_mono_ns) {
    const Scrub *x = s->scrubs;
    if (!x || (x->state == SCRUB_ROOT && s->root_seq < x->seq)) return -1;
    bool log = x->state == SCRUB_LOG || x->state == SCRUB_LOG_AGAIN;
    if (log && x->retry_ns > now_mono_ns) return x->retry_ns - now_mono_ns;
    return 0;
}

// ---- the journal --------------------------------------------------------------------------------------------------

typedef struct JournalRow {
    uint64_t seq, prev, first;
    Buf bytes, out;
} JournalRow;

// The next row behind x->at that begins before what was erased had ended; *more false: there is none. It may end behind
// the root: recovery leaves out of it what the root has.
static Err next_row(Store *s, Scrub *x, JournalRow *r, bool *more) {
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_SCAN);
    sqlite3_bind_int64(st, 1, STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 2, (int64_t)x->at);
    TRY(db_step(&s->db, DB_JOURNAL_SCAN, more));
    if (!*more) return ERR_OK;
    r->seq = (uint64_t)sqlite3_column_int64(st, 0);
    r->prev = (uint64_t)sqlite3_column_int64(st, 1);
    r->first = (uint64_t)sqlite3_column_int64(st, 2);
    buf_reset(&r->bytes);
    buf_put(&r->bytes, sqlite3_column_blob(st, 4), sqlite3_column_bytes(st, 4));
    bool good = (uint32_t)sqlite3_column_int64(st, 3) == journal_check(r->seq, r->prev, r->first, buf_str(&r->bytes));
    db_reset(&s->db, DB_JOURNAL_SCAN);
    if (!good)
        return db_say(&s->db, ERR_CORRUPT, "journal row %llu does not match its check", (unsigned long long)r->seq);
    *more = r->first <= x->seq;
    return ERR_OK;
}

// *behind: it ends behind the root, so what is kept before that is as it was.
static Err write_row(Store *s, const JournalRow *r, bool *behind) {
    Kept kept = s->kept;
    *behind = r->seq > s->root_seq;
    kept.bytes += r->out.n - r->bytes.n;
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_EDIT);
    sqlite3_bind_int64(st, 1, (int64_t)r->seq);
    sqlite3_bind_int64(st, 2, journal_check(r->seq, r->prev, r->first, buf_str(&r->out)));
    sqlite3_bind_blob64(st, 3, r->out.p, (uint64_t)r->out.n, SQLITE_STATIC);
    TRY(db_run(&s->db, DB_JOURNAL_EDIT));
    if (*behind) return ERR_OK;
    TRY(kept_put(s, kept));
    kept_set(s, kept);
    return ERR_OK;
}

// A slice of rows, in one transaction.
static Err journal_slice(Store *s, Scrub *x, bool *more) {
    JournalRow r = {0};
    Kept before = s->kept;
    uint64_t last = 0; // the one row that ends behind the root
    int64_t last_bytes = 0;
    Err err = db_run(&s->db, DB_BEGIN);
    *more = true;
    for (int64_t bytes = 0; !err && bytes < STORE_SLICE_BYTES;) {
        err = next_row(s, x, &r, more);
        if (err || !*more) break;
        buf_reset(&r.out);
        err = x->forget(x->ctx, 0, buf_str(&r.bytes), &r.out);
        if (!err && r.out.n) {
            bool behind;
            err = write_row(s, &r, &behind);
            if (behind) last = r.seq, last_bytes = r.out.n;
            x->rows++;
        }
        bytes += r.bytes.n;
        x->at = r.seq;
    }
    if (!err) err = db_run(&s->db, DB_COMMIT);
    if (err) {
        db_rollback(&s->db);
        kept_set(s, before);
    } else if (last) {
        rows_resize(&s->behind, last, last_bytes);
    }
    buf_free(&r.bytes);
    buf_free(&r.out);
    return err;
}

// ---- journals of other worlds -------------------------------------------------------------------------------------

static Err next_scenario(Store *s, Scrub *x, ScenarioRow *r, Buf *keep, bool *more) {
    sqlite3_stmt *st = db_use(&s->db, DB_SCENARIO_NEXT);
    sqlite3_bind_int64(st, 1, (int64_t)x->at);
    TRY(db_step(&s->db, DB_SCENARIO_NEXT, more));
    if (!*more) return ERR_OK;
    bool good = others_row(st, r);
    buf_reset(keep);
    buf_str_put(keep, r->bytes);
    r->bytes = buf_str(keep);
    db_reset(&s->db, DB_SCENARIO_NEXT);
    if (!good) return db_say(&s->db, ERR_CORRUPT, "scenario row %lld does not match its check", (long long)r->id);
    return ERR_OK;
}

static Err write_scenario(Store *s, const ScenarioRow *r) {
    sqlite3_stmt *st = db_use(&s->db, DB_SCENARIO_EDIT);
    sqlite3_bind_int64(st, 1, r->id);
    sqlite3_bind_int64(st, 2, others_check(r));
    sqlite3_bind_blob64(st, 3, r->bytes.p, (uint64_t)r->bytes.n, SQLITE_STATIC);
    return db_run(&s->db, DB_SCENARIO_EDIT);
}

static Err scenario_rows(Store *s, Scrub *x, Buf *keep, Buf *out, bool *more) {
    ScenarioRow r = {0};
    for (int64_t bytes = 0; bytes < STORE_SLICE_BYTES;) {
        TRY(next_scenario(s, x, &r, keep, more));
        if (!*more) return ERR_OK;
        buf_reset(out);
        bytes += r.bytes.n;
        x->at = (uint64_t)r.id;
        TRY(x->forget(x->ctx, r.world, r.bytes, out));
        if (!out->n) continue;
        r.bytes = buf_str(out);
        TRY(write_scenario(s, &r));
        x->rows++;
    }
    return ERR_OK;
}

// As journal_slice, of the other worlds' journals.
static Err scenario_slice(Store *s, Scrub *x, bool *more) {
    Buf keep = {0}, out = {0};
    Err err = db_run(&s->db, DB_BEGIN);
    *more = true;
    if (!err) err = scenario_rows(s, x, &keep, &out, more);
    if (!err) err = db_run(&s->db, DB_COMMIT);
    if (err) db_rollback(&s->db);
    buf_free(&keep);
    buf_free(&out);
    return err;
}

// ---- free pages ---------------------------------------------------------------------------------------------------

static Err free_pages(Store *s, int64_t *out) {
    bool row = false;
    TRY(db_step(&s->db, DB_FREE_PAGES, &row));
    *out = row ? sqlite3_column_int64(db_use(&s->db, DB_FREE_PAGES), 0) : 0;
    db_reset(&s->db, DB_FREE_PAGES);
    return ERR_OK;
}

// One row of zeros that takes about `pages` pages, each of them whole: what is left of a page is not written over.
// SQLite file format, section 1.6: a row that is too long for its page keeps LOCAL bytes of it there, or up to a page
// less when the rest fills whole pages then.
static Err zero_row(Store *s, Scrub *x, int64_t pages) {
    uint64_t id = s->page_next++;
    sqlite3_stmt *st = db_use(&s->db, DB_PAGE_ZERO);
    sqlite3_bind_int64(st, 1, (int64_t)id);
    sqlite3_bind_int64(st, 2, LOCAL_BYTES - ROW_HEAD_BYTES + pages * OVERFLOW_BYTES);
    TRY(db_run(&s->db, DB_PAGE_ZERO));
    idset_add(&x->zeros, id);
    return ERR_OK;
}

// Fill some free pages. *more: there are others.
static Err fill_slice(Store *s, Scrub *x, bool *more) {
    int64_t pages = 0, left = 0;
    TRY(free_pages(s, &pages));
    *more = pages > 0;
    if (!*more) return ERR_OK;
    int64_t take = pages > FILL_BYTES / DB_PAGE_BYTES ? FILL_BYTES / DB_PAGE_BYTES : pages;
    TRY(db_run(&s->db, DB_BEGIN));
    TRY(zero_row(s, x, take));
    TRY(free_pages(s, &left));
    TRY(db_run(&s->db, DB_COMMIT));
    x->zeroed += (pages - left) * DB_PAGE_BYTES;
    return ERR_OK;
}

// ---- the way ------------------------------------------------------------------------------------------------------

// Readers of older states must end first; new ones do not.
static bool empty_log(Store *s, Scrub *x) {
    int rc = sqlite3_wal_checkpoint_v2(s->db.h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK) {
        s->db.log_pages = 0;
        db_forget(&s->db); // pages in memory may tell more than the same in the file, see clean.h
    }
    if (rc != SQLITE_OK) x->retry_ns = time_mono_ns() + LOG_WAIT_NS;
    return rc == SQLITE_OK;
}

static Err scrub_step(Store *s, Scrub *x, bool *ended) {
    bool more = true;
    switch (x->state) {
    case SCRUB_ROOT:
        s->gc_stuck = false; // what could not be deleted before is tried again
        x->state = x->forget ? SCRUB_JOURNAL : SCRUB_GARBAGE;
        break;
    case SCRUB_JOURNAL:
        TRY(journal_slice(s, x, &more));
        if (more) break;
        x->state = SCRUB_SCENARIOS;
        x->at = 0;
        break;
    case SCRUB_SCENARIOS:
        TRY(scenario_slice(s, x, &more));
        if (!more) x->state = SCRUB_GARBAGE;
        break;
    case SCRUB_GARBAGE:
        if (gc_left(s)) return ERR_STORAGE; // it would stay in the file
        x->state = SCRUB_FILL;
        break;
    case SCRUB_FILL:
        TRY(fill_slice(s, x, &more));
        if (more) break;
        let_go(s, x);
        x->state = SCRUB_LET_GO;
        break;
    case SCRUB_LET_GO:
        if (gc_left(s)) return ERR_STORAGE;
        x->state = SCRUB_LOG;
        break;
    case SCRUB_LOG:
        if (!empty_log(s, x)) break;
        x->state = SCRUB_TAILS;
        return walk_begin(s, x);
    case SCRUB_TAILS:
        TRY(tails_step(&x->tails, &s->db, LOOKS, &more));
        if (more) break;
        x->zeroed += x->tails.zeroed;
        walk_end(s, x);
        x->state = SCRUB_LOG_AGAIN;
        break;
    case SCRUB_LOG_AGAIN: *ended = empty_log(s, x); break;
    }
    return ERR_OK;
}

bool scrub_serve(Store *s) {
    pthread_mutex_lock(&s->lock);
    Scrub *x = scrub_wait_ns(s, time_mono_ns()) == 0 ? s->scrubs : NULL;
    pthread_mutex_unlock(&s->lock);
    if (!x) return false;
    bool waits = (x->state == SCRUB_GARBAGE || x->state == SCRUB_LET_GO) && gc_pending(s);
    if (waits) return false; // store_step deletes
    bool ended = false;
    Err err = scrub_step(s, x, &ended);
    if (err) db_rollback(&s->db);
    if (err || ended) scrub_end(s, x, err);
    return true;
}
