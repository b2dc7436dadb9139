// SPDX-License-Identifier: Apache-2.0
// Recovery: newest root -> its pages -> the journal rows behind it.
//
// Page rows are read in one scan in order of id into memory, still packed; a helper thread unpacks them in that order,
// at most AHEAD_BYTES before the world asks for them. The world asks parents first and blocks were stored children
// first, so the scan has to be over before it starts; from then on both run side by side.
#include <pthread.h>
#include "base/check.h"
#include "base/mem.h"
#include "store/store_inner.h"

#define AHEAD_BYTES (64 << 20)
#define SLAB_BYTES (4 << 20)
// Fewer blocks than this are unpacked where they are needed.
#define HELPER_BLOCKS_MIN 64

// ABSENT -> PACKED -> (helper) TAKEN -> READY -> (world) GIVEN, or PACKED -> (world) GIVEN. BAD: the helper could not
// unpack it. A tree asks for each block once; a file that does so twice could ask for 64^15.
typedef enum LoadState { LOAD_ABSENT, LOAD_PACKED, LOAD_TAKEN, LOAD_READY, LOAD_BAD, LOAD_GIVEN } LoadState;

typedef struct LoadBlock {
    Str blob;
    Buf bytes; // READY
    LoadState state;
} LoadBlock;

typedef struct Loader {
    Store *s;
    const IdSet *ids;
    LoadBlock *blocks; // one per id
    Buf *slabs;        // what the blobs lie in
    int64_t slab_count;
    Zip zip, helper_zip;
    uint64_t asked; // newest id the world asked for
    Thread helper;
    // `lock` guards block states, ahead and stop. The opener and the helper take it for a few instructions.
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int64_t ahead; // bytes READY
    bool stop;
} Loader;

// ---- unpacking ----------------------------------------------------------------------------------------------------

static void *unpack_ahead(void *arg) {
    Loader *l = arg;
    pthread_mutex_lock(&l->lock);
    for (int64_t i = 0; i < l->ids->count && !l->stop;) {
        LoadBlock *b = &l->blocks[i];
        if (b->state == LOAD_ABSENT || l->ahead >= AHEAD_BYTES) {
            pthread_cond_wait(&l->moved, &l->lock);
            continue;
        }
        i++;
        if (b->state != LOAD_PACKED) continue;
        b->state = LOAD_TAKEN;
        pthread_mutex_unlock(&l->lock);
        Err e = blob_unpack(&l->helper_zip, l->ids->ids[i - 1], b->blob, &b->bytes);
        pthread_mutex_lock(&l->lock);
        b->state = e == ERR_OK ? LOAD_READY : LOAD_BAD;
        l->ahead += b->bytes.n;
        pthread_cond_signal(&l->moved);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void move_bytes(Buf *from, Buf *to) {
    if (to->n == 0) {
        Buf swap = *to;
        *to = *from;
        *from = swap;
    } else buf_put(to, from->p, from->n);
    buf_free(from);
}

static Err get(void *ctx, uint64_t id, Buf *out) {
    Loader *l = ctx;
    int64_t i = idset_find(l->ids, id);
    l->asked = id;
    if (i < 0) return ERR_CORRUPT;
    LoadBlock *b = &l->blocks[i];
    pthread_mutex_lock(&l->lock);
    while (b->state == LOAD_TAKEN) pthread_cond_wait(&l->moved, &l->lock);
    bool ready = b->state == LOAD_READY, given = b->state == LOAD_GIVEN;
    b->state = LOAD_GIVEN;
    if (ready) {
        l->ahead -= b->bytes.n;
        pthread_cond_signal(&l->moved);
    }
    pthread_mutex_unlock(&l->lock);
    if (given) return ERR_CORRUPT;
    if (!ready) return blob_unpack(&l->zip, id, b->blob, out);
    move_bytes(&b->bytes, out);
    return ERR_OK;
}

// ---- reading the page table ---------------------------------------------------------------------------------------

// A copy of `blob` that stays until the loader ends.
static Str keep_blob(Loader *l, Str blob) {
    Buf *slab = l->slab_count ? &l->slabs[l->slab_count - 1] : NULL;
    if (!slab || slab->cap - slab->n < blob.n) {
        if ((l->slab_count & (l->slab_count - 1)) == 0)
            l->slabs = mem_grow(l->slabs, (size_t)(l->slab_count ? l->slab_count * 2 : 1) * sizeof(Buf));
        slab = &l->slabs[l->slab_count++];
        *slab = (Buf){0};
        CHECK(buf_reserve(slab, blob.n > SLAB_BYTES ? blob.n : SLAB_BYTES));
    }
    Str kept = {slab->p + slab->n, blob.n};
    buf_str_put(slab, blob);
    return kept;
}

static void have_blob(Loader *l, int64_t i, Str blob) {
    blob = keep_blob(l, blob);
    pthread_mutex_lock(&l->lock);
    l->blocks[i].blob = blob;
    l->blocks[i].state = LOAD_PACKED;
    pthread_cond_signal(&l->moved);
    pthread_mutex_unlock(&l->lock);
}

static Err missing(Store *s, uint64_t id) {
    return db_say(&s->db, ERR_CORRUPT, "page row %llu is missing", (unsigned long long)id);
}

// Hand each row to its block; rows no root names are garbage.
static Err scan_pages(Loader *l) {
    Store *s = l->s;
    const IdSet *ids = l->ids;
    sqlite3_stmt *st = db_use(&s->db, DB_PAGE_SCAN);
    int64_t i = 0;
    for (bool row = true;;) {
        TRY(db_step(&s->db, DB_PAGE_SCAN, &row));
        if (!row) break;
        uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
        if (id >= s->page_next) s->page_next = id + 1;
        if (i < ids->count && id == ids->ids[i]) {
            const char *p = sqlite3_column_blob(st, 1);
            have_blob(l, i++, (Str){p, sqlite3_column_bytes(st, 1)});
        } else if (i < ids->count && id > ids->ids[i]) {
            db_reset(&s->db, DB_PAGE_SCAN);
            return missing(s, ids->ids[i]);
        } else if (idset_find(&s->others, id) < 0) idset_add(&s->garbage, id);
    }
    return i < ids->count ? missing(s, ids->ids[i]) : ERR_OK;
}

static void loader_free(Loader *l) {
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->moved);
    pthread_mutex_unlock(&l->lock);
    thread_join(&l->helper);
    for (int64_t i = 0; i < l->ids->count; i++) buf_free(&l->blocks[i].bytes);
    for (int64_t i = 0; i < l->slab_count; i++) buf_free(&l->slabs[i]);
    mem_free(l->slabs);
    mem_free(l->blocks);
    zip_free(&l->zip);
    zip_free(&l->helper_zip);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->moved);
}

// The world of a root; an empty one when root is 0. Fills s->garbage and s->page_next on the way.
static Err load_pages(Store *s, uint64_t root, int64_t ring_records, World **world) {
    Loader l = {.s = s, .ids = &s->live, .blocks = mem_alloc((size_t)s->live.count * sizeof(LoadBlock))};
    const BlockStore bs = {.ctx = &l, .get = get};
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.moved, NULL);
    Err e = ERR_OK;
    if (s->live.count >= HELPER_BLOCKS_MIN) e = thread_start(&l.helper, "load", unpack_ahead, &l);
    if (e != ERR_OK) db_say(&s->db, e, "cannot start a thread");
    else e = scan_pages(&l);
    if (e == ERR_OK && root) {
        e = world_load(s->domain, &bs, root, ring_records, world);
        if (e != ERR_OK) db_say(&s->db, e, "page row %llu does not hold what it should", (unsigned long long)l.asked);
    } else if (e == ERR_OK) *world = world_new(s->domain, ring_records);
    loader_free(&l);
    return e;
}

// ---- roots --------------------------------------------------------------------------------------------------------

typedef struct Root {
    uint64_t seq, page; // page 0: no root yet
} Root;

static Err read_root(Store *s, sqlite3_stmt *st, Root *live) {
    uint64_t world = (uint64_t)sqlite3_column_int64(st, 0), seq = (uint64_t)sqlite3_column_int64(st, 1);
    uint64_t page = (uint64_t)sqlite3_column_int64(st, 2);
    Str ids = {sqlite3_column_blob(st, 4), sqlite3_column_bytes(st, 4)};
    IdSet named = {0};
    bool sound = root_check(world, seq, page, ids) == (uint32_t)sqlite3_column_int64(st, 3);
    if (!sound || idset_decode(ids, &named) != ERR_OK || idset_find(&named, page) < 0) {
        idset_free(&named);
        return db_say(&s->db, ERR_CORRUPT, "root row %llu does not match its check", (unsigned long long)world);
    }
    if (world == STORE_WORLD_LIVE) {
        s->live = named;
        *live = (Root){seq, page};
        return ERR_OK;
    }
    for (int64_t i = 0; i < named.count; i++) idset_add(&s->others, named.ids[i]);
    idset_free(&named);
    return ERR_OK;
}

static Err read_roots(Store *s, Root *live) {
    for (bool row = true;;) {
        TRY(db_step(&s->db, DB_ROOT_SCAN, &row));
        if (!row) break;
        Err e = read_root(s, db_use(&s->db, DB_ROOT_SCAN), live);
        if (e == ERR_OK) continue;
        db_reset(&s->db, DB_ROOT_SCAN);
        return e;
    }
    idset_sort(&s->others);
    return ERR_OK;
}

// ---- the journal --------------------------------------------------------------------------------------------------

typedef struct Row {
    uint64_t seq, prev, first;
    Str bytes;
} Row;

// Read over a batch that the root holds already: a checkpoint may end in the middle of a group.
static Err pass_over(Cut *c) {
    BatchHead head;
    Change change;
    TRY(batch_decode(c, &head));
    for (int64_t i = 0; i < head.count; i++) TRY(change_decode(c, &change));
    return ERR_OK;
}

static Err replay_group(Store *s, World *w, const Row *r) {
    Cut c = cut_of(r->bytes);
    uint64_t last = 0;
    while (c.p < c.end) {
        Cut peek = c;
        BatchHead head;
        TRY(batch_decode(&peek, &head));
        if (last == 0 && head.seq != r->first) return ERR_CORRUPT;
        if (head.seq <= last || head.seq > r->seq) return ERR_CORRUPT;
        last = head.seq;
        if (head.seq <= world_seq(w)) {
            TRY(pass_over(&c));
            continue;
        }
        TRY(world_replay(w, &c, &head));
        if (s->o.on_replay) s->o.on_replay(s->o.ctx, &head, world_trail(w));
    }
    return last == r->seq ? ERR_OK : ERR_CORRUPT;
}

// One row onto the world; `at` is the sequence of the row before it, or of the root.
static Err replay_row(Store *s, World *w, const Row *r, uint32_t crc, uint64_t at, bool first_row) {
    long long seq = (long long)r->seq;
    if (journal_check(r->seq, r->prev, r->first, r->bytes) != crc)
        return db_say(&s->db, ERR_CORRUPT, "journal row %lld does not match its check", seq);
    if (first_row ? r->prev > at : r->prev != at)
        return db_say(&s->db, ERR_CORRUPT, "the journal row before row %lld is missing", seq);
    Err e = replay_group(s, w, r);
    if (e == ERR_OK) return ERR_OK;
    return db_say(&s->db, ERR_CORRUPT, "journal row %lld cannot be applied (%s)", seq, err_text(e));
}

static Err replay(Store *s, World *w, uint64_t root_seq) {
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_SCAN);
    sqlite3_bind_int64(st, 1, STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 2, (int64_t)root_seq);
    s->committed = root_seq;
    for (bool row = true, first_row = true;; first_row = false) {
        TRY(db_step(&s->db, DB_JOURNAL_SCAN, &row));
        if (!row) break;
        Row r = {.seq = (uint64_t)sqlite3_column_int64(st, 0),
                 .prev = (uint64_t)sqlite3_column_int64(st, 1),
                 .first = (uint64_t)sqlite3_column_int64(st, 2)};
        r.bytes = (Str){sqlite3_column_blob(st, 4), sqlite3_column_bytes(st, 4)};
        Err e = replay_row(s, w, &r, (uint32_t)sqlite3_column_int64(st, 3), s->committed, first_row);
        if (e != ERR_OK) {
            db_reset(&s->db, DB_JOURNAL_SCAN);
            return e;
        }
        s->committed = r.seq;
        rows_push(&s->behind, r.seq, r.bytes.n);
    }
    s->submitted = s->committed;
    s->stats.journal_rows = s->behind.count;
    return ERR_OK;
}

Err recover(Store *s, int64_t ring_records, World **world) {
    Root live = {0};
    World *w = NULL;
    s->page_next = 1;
    TRY(read_roots(s, &live));
    TRY(load_pages(s, live.page, ring_records, &w));
    Err e = ERR_OK;
    if (world_seq(w) != live.seq) e = db_say(&s->db, ERR_CORRUPT, "root row 0 and its page disagree");
    if (s->o.on_replay) world_keep_trail(w, true);
    if (e == ERR_OK) e = history_load(s, live.seq);
    if (e == ERR_OK) e = replay(s, w, live.seq);
    if (e == ERR_OK) e = kept_load(s, live.seq);
    if (e == ERR_OK) e = others_load(s);
    if (e != ERR_OK) {
        world_free(w);
        return e;
    }
    s->trim_to = live.seq; // rows a crash left before the root, or a smaller journal_bytes_max
    db_forget(&s->db);
    *world = w;
    return ERR_OK;
}
