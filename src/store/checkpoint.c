// SPDX-License-Identifier: Apache-2.0
// Life of a checkpoint:  put blocks, a slice at a time, one journal group between slices
//                        -> wait until history has everything up to it
//                        -> root row (the point of no return) -> trim the journal, delete unnamed pages, by slices.
// A crash before the root row leaves pages no root names; after it, rows the root makes superfluous. Recovery finds
// both and the store thread deletes them.
#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/time.h"
#include "store/store_inner.h"

#define TRIM_ROWS 256
#define TRIM_BYTES (8 << 20)
#define DELETE_ROWS 128

typedef struct Writing {
    Store *s;
    IdSet put, keep; // blocks written now, and named again
    int64_t slice;   // bytes in the open transaction
    int64_t bytes;   // of blobs written
    bool open;       // in a transaction
} Writing;

// ---- writing ------------------------------------------------------------------------------------------------------

static Err end_slice(Writing *w) {
    if (!w->open) return ERR_OK;
    w->open = false;
    w->slice = 0;
    TRY(db_run(&w->s->db, DB_COMMIT));
    store_serve(w->s); // a refused group is the engine's affair: what the fork holds is committed already
    return ERR_OK;
}

static Err put(void *ctx, Str bytes, uint64_t *id) {
    Writing *w = ctx;
    Store *s = w->s;
    if (!w->open) TRY(db_run(&s->db, DB_BEGIN));
    w->open = true;
    *id = s->page_next++;
    idset_add(&w->put, *id);
    buf_reset(&s->blob);
    blob_pack(&s->zip, *id, bytes, &s->blob);
    if (s->blob.full) return db_say(&s->db, ERR_STORAGE, "out of memory for a block of %lld bytes", (long long)bytes.n);
    sqlite3_stmt *st = db_use(&s->db, DB_PAGE_PUT);
    sqlite3_bind_int64(st, 1, (int64_t)*id);
    sqlite3_bind_blob64(st, 2, s->blob.p, (uint64_t)s->blob.n, SQLITE_STATIC);
    TRY(db_run(&s->db, DB_PAGE_PUT));
    w->bytes += s->blob.n;
    w->slice += bytes.n;
    return w->slice >= STORE_SLICE_BYTES ? end_slice(w) : ERR_OK;
}

static void keep(void *ctx, uint64_t id) { idset_add(&((Writing *)ctx)->keep, id); }

uint32_t root_check(uint64_t world, uint64_t seq, uint64_t page, Str ids) {
    uint64_t head[3] = {world, seq, page};
    return crc32c(crc32c(0, head, sizeof head), ids.p, ids.n);
}

static Err put_root(Store *s, uint64_t root, uint64_t seq, const IdSet *named) {
    buf_reset(&s->blob);
    idset_encode(named, &s->blob);
    TRY(db_run(&s->db, DB_BEGIN));
    sqlite3_stmt *st = db_use(&s->db, DB_ROOT_PUT);
    sqlite3_bind_int64(st, 1, STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 2, (int64_t)seq);
    sqlite3_bind_int64(st, 3, (int64_t)root);
    sqlite3_bind_int64(st, 4, root_check(STORE_WORLD_LIVE, seq, root, buf_str(&s->blob)));
    sqlite3_bind_blob64(st, 5, s->blob.p, (uint64_t)s->blob.n, SQLITE_STATIC);
    TRY(db_run(&s->db, DB_ROOT_PUT));
    TRY(kept_put(s, rows_kept(s, seq)));
    TRY(history_mark_put(s, seq));
    return db_run(&s->db, DB_COMMIT);
}

// What the old root named and neither the new one nor another world's does is garbage from now on.
static void take_over(Store *s, IdSet *named) {
    IdSet gone = {0};
    idset_minus(&s->live, named, &gone);
    idset_minus(&gone, &s->others, &s->garbage);
    idset_free(&gone);
    idset_free(&s->live);
    s->live = *named;
    *named = (IdSet){0};
}

static Err write_all(Writing *w, World *fork, uint64_t seq) {
    Store *s = w->s;
    const BlockStore bs = {.ctx = w, .put = put, .keep = keep};
    uint64_t root = 0;
    TRY(world_store(fork, &bs, &root));
    TRY(end_slice(w));
    TRY(history_await(s, seq));
    idset_sort(&w->keep);
    // A block that says it is stored and is not would be missing at the next start.
    IdSet old = {0}, named = {0};
    idset_minus(&w->keep, &w->put, &old);
    bool sound = idset_within(&old, &s->live);
    idset_free(&old);
    if (!sound) return db_say(&s->db, ERR_STORAGE, "a block was kept that the root before does not name");
    for (int64_t i = 0; i < w->keep.count; i++) idset_add(&named, w->keep.ids[i]);
    for (int64_t i = 0; i < w->put.count; i++) idset_add(&named, w->put.ids[i]);
    idset_sort(&named);
    Err e = put_root(s, root, seq, &named);
    if (e == ERR_OK) {
        take_over(s, &named);
        Kept kept = rows_kept(s, seq);
        rows_drop(&s->behind, seq);
        kept_set(s, kept);
        history_root_moved(s, seq);
        s->trim_to = seq;
    }
    idset_free(&named);
    return e;
}

static void give_up(Writing *w, World *fork) {
    Store *s = w->s;
    db_rollback(&s->db);
    world_unstore(fork);
    for (int64_t i = 0; i < w->put.count; i++) idset_add(&s->garbage, w->put.ids[i]);
    s->gc_stuck = true;
    LOG(STORE_FAILED, "checkpoint", s->db.why);
}

void checkpoint_run(Store *s, World *fork, uint64_t seq) {
    Writing w = {.s = s};
    int64_t start = time_mono_ns();
    s->gc_stuck = false;
    Err e = write_all(&w, fork, seq);
    if (e != ERR_OK) give_up(&w, fork);
    else
        LOG(CHECKPOINT, (long long)seq, (long long)w.put.count, (long long)w.bytes,
            (double)(time_mono_ns() - start) / (double)NS_PER_MS);
    world_free(fork);
    db_forget(&s->db);
    pthread_mutex_lock(&s->lock);
    s->checkpointing = false;
    if (e == ERR_OK) {
        s->stats.checkpoints++;
        s->stats.checkpoint_pages += w.put.count;
        s->stats.checkpoint_bytes += w.bytes;
    } else s->stats.checkpoints_failed++;
    pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
    idset_free(&w.put);
    idset_free(&w.keep);
}

// ---- deleting -----------------------------------------------------------------------------------------------------

bool gc_left(const Store *s) { return s->trim_to || s->garbage.count || s->gone_count; }

bool gc_pending(const Store *s) { return !s->gc_stuck && gc_left(s); }

// The sequence up to which one slice deletes journal rows, 0 when there is none; what is kept then. *last: no further
// slice is needed.
static Err trim_slice(Store *s, uint64_t *upto, Kept *kept, bool *last) {
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_OLDEST);
    sqlite3_bind_int64(st, 1, STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 2, (int64_t)s->trim_to);
    sqlite3_bind_int64(st, 3, TRIM_ROWS);
    int64_t bytes = 0, rows = 0;
    bool row = true;
    for (*upto = 0, *kept = s->kept, *last = false; !*last && bytes < TRIM_BYTES;) {
        TRY(db_step(&s->db, DB_JOURNAL_OLDEST, &row));
        if (!row) break;
        *upto = (uint64_t)sqlite3_column_int64(st, 0);
        bytes += sqlite3_column_int64(st, 1);
        rows++;
        *last = s->kept.bytes - bytes <= s->o.journal_bytes_max && s->o.journal_bytes_max;
    }
    if (row) db_reset(&s->db, DB_JOURNAL_OLDEST);
    *kept = (Kept){s->kept.rows - rows, s->kept.bytes - bytes};
    if (!row && rows < TRIM_ROWS) { // none is left, whatever was counted
        *kept = (Kept){0};
        *last = true;
    }
    return ERR_OK;
}

static Err trim_rows(Store *s, uint64_t upto, Kept kept) {
    TRY(db_run(&s->db, DB_BEGIN));
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_TRIM);
    sqlite3_bind_int64(st, 1, STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 2, (int64_t)upto);
    TRY(db_run(&s->db, DB_JOURNAL_TRIM));
    TRY(kept_put(s, kept));
    TRY(db_run(&s->db, DB_COMMIT));
    kept_set(s, kept);
    pthread_mutex_lock(&s->lock);
    s->oldest = upto; // prev of the row behind it
    pthread_mutex_unlock(&s->lock);
    return ERR_OK;
}

static Err trim(Store *s) {
    uint64_t upto = 0;
    Kept kept;
    bool last = s->o.journal_bytes_max && s->kept.bytes <= s->o.journal_bytes_max;
    if (!last) TRY(trim_slice(s, &upto, &kept, &last));
    if (upto) TRY(trim_rows(s, upto, kept));
    if (last) s->trim_to = 0;
    return ERR_OK;
}

static Err delete_pages(Store *s) {
    int64_t left = s->garbage.count > DELETE_ROWS ? s->garbage.count - DELETE_ROWS : 0;
    TRY(db_run(&s->db, DB_BEGIN));
    for (int64_t i = left; i < s->garbage.count; i++) {
        sqlite3_stmt *st = db_use(&s->db, DB_PAGE_DEL);
        sqlite3_bind_int64(st, 1, (int64_t)s->garbage.ids[i]);
        TRY(db_run(&s->db, DB_PAGE_DEL));
    }
    TRY(db_run(&s->db, DB_COMMIT));
    s->garbage.count = left;
    return ERR_OK;
}

void gc_slice(Store *s) {
    Err e = s->trim_to ? trim(s) : s->garbage.count ? delete_pages(s) : others_delete(s);
    if (e != ERR_OK) s->gc_stuck = true; // tried again by the next checkpoint or probe
}
