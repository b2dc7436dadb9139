// SPDX-License-Identifier: Apache-2.0
// The journal beyond recovery: which rows are behind the root and what is kept before it, and reading it back for feed
// cursors, a slice at a time between commits.
#include "base/check.h"
#include "base/mem.h"
#include "store/store_inner.h"

#define KEPT_KEY "kept"
#define KEPT_BYTES 16

// ---- rows behind the root -----------------------------------------------------------------------------------------

void rows_push(RowSizes *r, uint64_t seq, int64_t bytes) {
    if (r->count == r->cap) {
        int64_t cap = r->cap ? r->cap * 2 : 64;
        RowSize *rows = mem_alloc((size_t)cap * sizeof *rows);
        for (int64_t i = 0; i < r->count; i++) rows[i] = r->rows[(r->head + i) & (r->cap - 1)];
        mem_free(r->rows);
        *r = (RowSizes){rows, 0, r->count, cap};
    }
    r->rows[(r->head + r->count++) & (r->cap - 1)] = (RowSize){seq, bytes};
}

void rows_drop(RowSizes *r, uint64_t seq) {
    for (; r->count && r->rows[r->head].seq <= seq; r->count--) r->head = (r->head + 1) & (r->cap - 1);
}

void rows_resize(RowSizes *r, uint64_t seq, int64_t bytes) {
    for (int64_t i = 0; i < r->count; i++) {
        RowSize *row = &r->rows[(r->head + i) & (r->cap - 1)];
        if (row->seq == seq) row->bytes = bytes;
    }
}

// ---- what is kept before it ---------------------------------------------------------------------------------------

Kept rows_kept(const Store *s, uint64_t seq) {
    const RowSizes *r = &s->behind;
    Kept k = s->kept;
    for (int64_t i = 0; i < r->count; i++) {
        const RowSize *row = &r->rows[(r->head + i) & (r->cap - 1)];
        if (row->seq > seq) break;
        k.rows++;
        k.bytes += row->bytes;
    }
    return k;
}

void kept_set(Store *s, Kept kept) {
    s->kept = kept;
    pthread_mutex_lock(&s->lock);
    s->stats.kept_rows = kept.rows;
    s->stats.kept_bytes = kept.bytes;
    s->stats.journal_rows = s->behind.count;
    pthread_mutex_unlock(&s->lock);
}

Err kept_put(Store *s, Kept kept) {
    sqlite3_stmt *st = db_use(&s->db, DB_META_PUT);
    int64_t words[2] = {kept.rows, kept.bytes};
    _Static_assert(sizeof words == KEPT_BYTES, "stored");
    sqlite3_bind_text(st, 1, KEPT_KEY, -1, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, words, sizeof words, SQLITE_TRANSIENT);
    return db_run(&s->db, DB_META_PUT);
}

// A file of format 1 does not say: count. There it is what a crash left over.
static Err kept_count(Store *s, uint64_t root_seq, Kept *out) {
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_SUM);
    bool row;
    sqlite3_bind_int64(st, 1, STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 2, (int64_t)root_seq);
    TRY(db_step(&s->db, DB_JOURNAL_SUM, &row));
    CHECK(row);
    *out = (Kept){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1)};
    db_reset(&s->db, DB_JOURNAL_SUM);
    return ERR_OK;
}

static Err kept_get(Store *s, Kept *out, bool *there) {
    sqlite3_stmt *st = db_use(&s->db, DB_META_GET);
    int64_t words[2];
    *there = false;
    sqlite3_bind_text(st, 1, KEPT_KEY, -1, SQLITE_STATIC);
    bool row;
    TRY(db_step(&s->db, DB_META_GET, &row));
    if (!row) return ERR_OK;
    const void *p = sqlite3_column_blob(st, 0);
    if (p && sqlite3_column_bytes(st, 0) == KEPT_BYTES) {
        memcpy(words, p, sizeof words);
        *there = words[0] >= 0 && words[1] >= 0;
        *out = (Kept){words[0], words[1]};
    }
    db_reset(&s->db, DB_META_GET);
    return ERR_OK;
}

Err kept_load(Store *s, uint64_t root_seq) {
    Kept kept;
    bool there, row;
    TRY(kept_get(s, &kept, &there));
    if (!there) TRY(kept_count(s, root_seq, &kept));
    kept_set(s, kept);
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_FIRST);
    sqlite3_bind_int64(st, 1, STORE_WORLD_LIVE);
    TRY(db_step(&s->db, DB_JOURNAL_FIRST, &row));
    s->oldest = row ? (uint64_t)sqlite3_column_int64(st, 0) : s->committed;
    if (row) db_reset(&s->db, DB_JOURNAL_FIRST);
    return ERR_OK;
}

uint64_t store_journal_oldest(Store *s) {
    pthread_mutex_lock(&s->lock);
    uint64_t oldest = s->oldest;
    pthread_mutex_unlock(&s->lock);
    return oldest;
}

// ---- reading back -------------------------------------------------------------------------------------------------

void store_journal_read(Store *s, uint64_t world, uint64_t after, int64_t bytes_max, StoreReadFn fn, void *arg) {
    JournalRead *r = mem_alloc(sizeof *r);
    *r = (JournalRead){.world = world, .after = after, .bytes_max = bytes_max, .fn = fn, .arg = arg};
    pthread_mutex_lock(&s->lock);
    if (s->reads_last) s->reads_last->next = r;
    else s->reads = r;
    s->reads_last = r;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

static Err batch_pass(Cut *c, BatchHead *head) {
    Change change;
    TRY(batch_decode(c, head));
    for (int64_t i = 0; i < head->count; i++) TRY(change_decode(c, &change));
    return ERR_OK;
}

// The batches of a row behind `after`, at most `max` bytes of them but one at least, and the sequence of the last.
static Err row_cut(Str bytes, uint64_t after, int64_t max, Str *out, uint64_t *last) {
    Cut c = cut_of(bytes);
    const uint8_t *from = NULL, *to = NULL;
    while (c.p < c.end) {
        const uint8_t *at = c.p;
        BatchHead head;
        TRY(batch_pass(&c, &head));
        if (head.seq <= after) continue;
        if (from && c.p - from > max) break;
        if (!from) from = at;
        to = c.p;
        *last = head.seq;
    }
    if (!from) return ERR_CORRUPT;
    *out = (Str){(const char *)from, to - from};
    return ERR_OK;
}

static Err row_damaged(Store *s, uint64_t seq, const char *what) {
    return db_say(&s->db, ERR_CORRUPT, "journal row %llu %s", (unsigned long long)seq, what);
}

// A row of a journal.
typedef struct Row {
    uint64_t seq, prev, first;
    Str bytes;
    bool sound;
} Row;

static Row row_at(sqlite3_stmt *st, uint64_t world) {
    if (world) {
        ScenarioRow x;
        bool sound = others_row(st, &x);
        return (Row){x.seq, x.prev, x.first, x.bytes, sound};
    }
    Row r = {.seq = (uint64_t)sqlite3_column_int64(st, 0),
             .prev = (uint64_t)sqlite3_column_int64(st, 1),
             .first = (uint64_t)sqlite3_column_int64(st, 2),
             .bytes = {sqlite3_column_blob(st, 4), sqlite3_column_bytes(st, 4)}};
    r.sound = journal_check(r.seq, r.prev, r.first, r.bytes) == (uint32_t)sqlite3_column_int64(st, 3);
    return r;
}

// Add what a row has behind *at to `out`. *full: nothing more fits.
static Err read_row(Store *s, const Row *r, int64_t max, uint64_t *at, Buf *out, bool *full) {
    uint64_t seq = r->seq, prev = r->prev, first = r->first;
    Str bytes = r->bytes;
    if (out->n && out->n + bytes.n > max) {
        *full = true;
        return ERR_OK;
    }
    if (!r->sound) return row_damaged(s, seq, "does not match its check");
    if (!out->n && prev > *at) return ERR_GONE;
    if (out->n && prev != *at) return row_damaged(s, seq, "does not follow the row before it");
    uint64_t last = seq;
    if (*at >= first || bytes.n > max)
        if (row_cut(bytes, *at, max, &bytes, &last)) return row_damaged(s, seq, "does not hold what it should");
    buf_str_put(out, bytes);
    *at = last;
    *full = out->n >= max || last < seq;
    return out->full ? db_say(&s->db, ERR_STORAGE, "out of memory for a slice of the journal") : ERR_OK;
}

static Err read_rows(Store *s, const JournalRead *r, uint64_t *at, Buf *out) {
    DbStatement scan = r->world ? DB_SCENARIO_SCAN : DB_JOURNAL_SCAN;
    sqlite3_stmt *st = db_use(&s->db, scan);
    sqlite3_bind_int64(st, 1, r->world ? (int64_t)r->world : STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 2, (int64_t)r->after);
    for (bool any, full = false; !full;) {
        TRY(db_step(&s->db, scan, &any));
        if (!any) return ERR_OK;
        Row row = row_at(st, r->world);
        Err e = read_row(s, &row, r->bytes_max, at, out, &full);
        if (e == ERR_OK && !full) continue;
        db_reset(&s->db, scan);
        return e;
    }
    return ERR_OK;
}

bool journal_serve(Store *s) {
    pthread_mutex_lock(&s->lock);
    JournalRead *r = s->reads;
    if (r && !(s->reads = r->next)) s->reads_last = NULL;
    uint64_t oldest = s->oldest;
    pthread_mutex_unlock(&s->lock);
    if (!r) return false;
    Buf bytes = {0};
    uint64_t at = r->after;
    Err e = !r->world && r->after < oldest ? ERR_GONE : read_rows(s, r, &at, &bytes);
    pthread_mutex_lock(&s->lock);
    s->stats.reads++;
    s->stats.read_bytes += bytes.n;
    pthread_mutex_unlock(&s->lock);
    if (e) buf_reset(&bytes);
    r->fn(r->arg, e, e ? r->after : at, &bytes);
    buf_free(&bytes);
    mem_free(r);
    return true;
}
