// SPDX-License-Identifier: Apache-2.0
// Journals of worlds beside the live one, and what is kept of such worlds. They travel in chunks of their own through
// the store's one queue, so that a group holds them and the live world's in the order they were submitted.
//
// Rows of a world form a chain like the journal's: prev of a row is the seq of the row before it. A world that goes
// leaves its rows, which are deleted by slices; a crash in between leaves some, which the next start finds.
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "store/store_inner.h"

#define DELETE_ROWS 32 // of about STORE_SLICE_BYTES at most each

// ---- submitting ---------------------------------------------------------------------------------------------------

// Wait for room; false: it is refused, as everything before the engine's answer to a failure.
static bool submit_begin(Store *s, int64_t bytes) {
    pthread_mutex_lock(&s->lock);
    s->tickets++;
    while (!s->failed && s->queue_bytes && s->queue_bytes + bytes > s->o.queue_bytes_max) store_wait(s);
    return !s->failed;
}

static void submit_end(Store *s) {
    if (!s->busy) pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

void store_submit_to(Store *s, const StoreBatch *b) {
    CHECK(b->world != STORE_WORLD_LIVE && b->bytes.n > 0 && b->seq > b->prev);
    if (submit_begin(s, b->bytes.n)) {
        Chunk *c = chunk_for(s, CHUNK_SCENARIO, b->world, b->bytes.n);
        if (!c->batches) {
            c->first = b->seq;
            c->prev = b->prev;
        }
        CHECK(!c->batches || c->last == b->prev);
        buf_put(&c->bytes, b->bytes.p, b->bytes.n);
        CHECK(!c->bytes.full);
        c->last = b->seq;
        c->ids = b->ids;
        c->batches++;
    }
    submit_end(s);
}

void store_world_put(Store *s, uint64_t world, Str bytes) {
    CHECK(world != STORE_WORLD_LIVE && bytes.n <= STORE_WORLD_BYTES_MAX);
    if (submit_begin(s, bytes.n)) {
        Chunk *c = chunk_for(s, CHUNK_WORLD, world, bytes.n);
        buf_put(&c->bytes, bytes.p, bytes.n);
    }
    submit_end(s);
}

void store_world_del(Store *s, uint64_t world) {
    CHECK(world != STORE_WORLD_LIVE);
    if (submit_begin(s, 0)) (void)chunk_for(s, CHUNK_WORLD_GONE, world, 0);
    submit_end(s);
}

// ---- writing: the store's thread ----------------------------------------------------------------------------------

uint32_t others_check(const ScenarioRow *r) {
    uint64_t head[5] = {r->world, r->seq, r->prev, r->first, r->ids};
    return crc32c(crc32c(0, head, sizeof head), r->bytes.p, r->bytes.n);
}

uint32_t world_row_check(uint64_t world, Str bytes) {
    return crc32c(crc32c(0, &world, sizeof world), bytes.p, bytes.n);
}

static Err put_batches(Store *s, const Chunk *c) {
    ScenarioRow r = {0, c->world, c->last, c->prev, c->first, c->ids, buf_str(&c->bytes)};
    sqlite3_stmt *st = db_use(&s->db, DB_SCENARIO_PUT);
    sqlite3_bind_int64(st, 1, (int64_t)r.world);
    sqlite3_bind_int64(st, 2, (int64_t)r.seq);
    sqlite3_bind_int64(st, 3, (int64_t)r.prev);
    sqlite3_bind_int64(st, 4, (int64_t)r.first);
    sqlite3_bind_int64(st, 5, (int64_t)r.ids);
    sqlite3_bind_int64(st, 6, others_check(&r));
    sqlite3_bind_blob64(st, 7, r.bytes.p, (uint64_t)r.bytes.n, SQLITE_STATIC);
    return db_run(&s->db, DB_SCENARIO_PUT);
}

Err others_write(Store *s, const Chunk *c) {
    if (c->kind == CHUNK_SCENARIO) return put_batches(s, c);
    bool put = c->kind == CHUNK_WORLD;
    DbStatement what = put ? DB_WORLD_PUT : DB_WORLD_DEL;
    Str bytes = buf_str(&c->bytes);
    sqlite3_stmt *st = db_use(&s->db, what);
    sqlite3_bind_int64(st, 1, (int64_t)c->world);
    if (put) sqlite3_bind_int64(st, 2, world_row_check(c->world, bytes));
    if (put) sqlite3_bind_blob64(st, 3, bytes.n ? bytes.p : "", (uint64_t)bytes.n, SQLITE_STATIC);
    return db_run(&s->db, what);
}

static void gone_add(Store *s, uint64_t world) {
    if (s->gone_count == s->gone_cap) {
        s->gone_cap = s->gone_cap ? 2 * s->gone_cap : 16;
        s->gone = mem_grow(s->gone, (size_t)s->gone_cap * sizeof *s->gone);
    }
    s->gone[s->gone_count++] = world;
}

void others_written(Store *s, const Chunk *c) {
    if (c->kind == CHUNK_WORLD_GONE) gone_add(s, c->world);
}

static Err is_gone(Store *s, uint64_t world, bool *gone) {
    bool row;
    sqlite3_bind_int64(db_use(&s->db, DB_WORLD_HAS), 1, (int64_t)world);
    TRY(db_step(&s->db, DB_WORLD_HAS, &row));
    if (row) db_reset(&s->db, DB_WORLD_HAS);
    *gone = !row;
    return ERR_OK;
}

// Worlds that have rows behind such a statement, one after the other.
static Err gone_of(Store *s, DbStatement next) {
    for (int64_t world = 1;; world++) {
        bool row, gone;
        sqlite3_bind_int64(db_use(&s->db, next), 1, world);
        TRY(db_step(&s->db, next, &row));
        if (!row) return ERR_OK;
        world = sqlite3_column_int64(db_use(&s->db, next), 0);
        db_reset(&s->db, next);
        TRY(is_gone(s, (uint64_t)world, &gone));
        if (gone) gone_add(s, (uint64_t)world);
    }
}

Err others_load(Store *s) {
    for (bool row = true;;) {
        TRY(db_step(&s->db, DB_SCENARIO_GONE, &row));
        if (!row) break;
        gone_add(s, (uint64_t)sqlite3_column_int64(db_use(&s->db, DB_SCENARIO_GONE), 0));
    }
    TRY(gone_of(s, DB_HISTORY_NEXT));
    return gone_of(s, DB_DEAD_NEXT);
}

Err others_delete(Store *s) {
    static const DbStatement parts[] = {DB_SCENARIO_DEL, DB_HISTORY_WORLD_DEL, DB_DEAD_WORLD_DEL};
    for (int i = 0; i < 3; i++) {
        sqlite3_stmt *st = db_use(&s->db, parts[i]);
        sqlite3_bind_int64(st, 1, (int64_t)s->gone[s->gone_count - 1]);
        sqlite3_bind_int64(st, 2, DELETE_ROWS);
        TRY(db_run(&s->db, parts[i]));
        if (sqlite3_changes64(s->db.h) == DELETE_ROWS) return ERR_OK;
    }
    s->gone_count--;
    return ERR_OK;
}

// ---- reading ------------------------------------------------------------------------------------------------------

bool others_row(sqlite3_stmt *st, ScenarioRow *out) {
    *out = (ScenarioRow){
        .id = sqlite3_column_int64(st, 0),
        .world = (uint64_t)sqlite3_column_int64(st, 1),
        .seq = (uint64_t)sqlite3_column_int64(st, 2),
        .prev = (uint64_t)sqlite3_column_int64(st, 3),
        .first = (uint64_t)sqlite3_column_int64(st, 4),
        .ids = (uint64_t)sqlite3_column_int64(st, 5),
        .bytes = {sqlite3_column_blob(st, 7), sqlite3_column_bytes(st, 7)},
    };
    return others_check(out) == (uint32_t)sqlite3_column_int64(st, 6);
}

Err store_worlds(StoreReader *r, bool (*fn)(void *ctx, uint64_t world, Str bytes), void *ctx) {
    Db *db = reader_db(r);
    sqlite3_stmt *st = db_use(db, DB_WORLD_SCAN);
    for (bool row;;) {
        TRY(db_step(db, DB_WORLD_SCAN, &row));
        if (!row) return ERR_OK;
        uint64_t world = (uint64_t)sqlite3_column_int64(st, 0);
        Str bytes = {sqlite3_column_blob(st, 2), sqlite3_column_bytes(st, 2)};
        bool sound = world_row_check(world, bytes) == (uint32_t)sqlite3_column_int64(st, 1);
        if (sound && fn(ctx, world, bytes)) continue;
        db_reset(db, DB_WORLD_SCAN);
        if (sound) return ERR_OK;
        return db_say(db, ERR_CORRUPT, "world row %llu does not match its check", (unsigned long long)world);
    }
}

Err store_world_journal(StoreReader *r, uint64_t world, uint64_t *after, int64_t bytes_max, Buf *out) {
    Db *db = reader_db(r);
    sqlite3_stmt *st = db_use(db, DB_SCENARIO_SCAN);
    sqlite3_bind_int64(st, 1, (int64_t)world);
    sqlite3_bind_int64(st, 2, (int64_t)*after);
    for (bool row, first = true;; first = false) {
        TRY(db_step(db, DB_SCENARIO_SCAN, &row));
        if (!row) return ERR_OK;
        ScenarioRow x;
        bool sound = others_row(st, &x), follows = x.prev == *after || (first && x.prev < *after);
        bool room = !out->n || out->n + x.bytes.n <= bytes_max;
        if (sound && follows && room) {
            buf_str_put(out, x.bytes);
            *after = x.seq;
            continue;
        }
        db_reset(db, DB_SCENARIO_SCAN);
        if (!sound) return db_say(db, ERR_CORRUPT, "scenario row %lld does not match its check", (long long)x.id);
        if (!follows) return db_say(db, ERR_CORRUPT, "the scenario row before row %lld is missing", (long long)x.id);
        return ERR_OK;
    }
}

Err store_worlds_highest(StoreReader *r, uint64_t *world, uint64_t *ids) {
    Db *db = reader_db(r);
    bool row;
    sqlite3_stmt *st = db_use(db, DB_SCENARIO_LAST);
    TRY(db_step(db, DB_SCENARIO_LAST, &row));
    CHECK(row); // an aggregate
    *world = (uint64_t)sqlite3_column_int64(st, 0);
    *ids = (uint64_t)sqlite3_column_int64(st, 1);
    db_reset(db, DB_SCENARIO_LAST);
    st = db_use(db, DB_WORLD_SCAN);
    for (;;) {
        TRY(db_step(db, DB_WORLD_SCAN, &row));
        if (!row) return ERR_OK;
        uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
        if (id > *world) *world = id;
    }
}
