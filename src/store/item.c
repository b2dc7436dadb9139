// SPDX-License-Identifier: Apache-2.0
// Items: small documents beside the world. Puts ride in the transaction of the next group; scans are answered by the
// store thread between commits.
//
//   bytes of a put:   (flag u8: 1 removes, kind, key, value)*      texts with their length
//   bytes of a scan:  (key, value)*
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "store/store_inner.h"

#define ITEM_QUEUE_BYTES_MAX (64 << 20)
#define ITEM_PUT_COST 64 // of an empty put in the queue

// ---- bytes --------------------------------------------------------------------------------------------------------

static void text_put(Buf *out, Str s) {
    buf_varint(out, (uint64_t)s.n);
    buf_str_put(out, s);
}

static Str text_take(Cut *c) {
    uint64_t n = cut_varint(c);
    if (n > (uint64_t)(c->end - c->p)) c->bad = true;
    return cut_bytes(c, c->bad ? 0 : (int64_t)n);
}

void store_item_encode(Str key, Str value, Buf *out) {
    text_put(out, key);
    text_put(out, value);
}

bool store_item_next(Cut *c, Str *key, Str *value) {
    if (c->p == c->end) return false;
    *key = text_take(c);
    *value = text_take(c);
    CHECK(!c->bad); // our own bytes
    return true;
}

uint32_t item_check(Str kind, Str key, Str value) {
    int64_t sizes[2] = {kind.n, key.n};
    uint32_t crc = crc32c(crc32c(0, sizes, sizeof sizes), kind.p, kind.n);
    return crc32c(crc32c(crc, key.p, key.n), value.p, value.n);
}

// ---- putting ------------------------------------------------------------------------------------------------------

static bool items_fit(const StoreItem *items, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const StoreItem *it = &items[i];
        if (it->kind.n < 1 || it->kind.n > STORE_ITEM_NAME_MAX) return false;
        if (it->key.n < 1 || it->key.n > STORE_ITEM_NAME_MAX) return false;
        if (it->value.n < 0 || it->value.n > STORE_ITEM_VALUE_MAX) return false;
    }
    return n > 0;
}

static ItemPut *put_new(const StoreItem *items, int64_t n, StoreItemsFn done, void *arg) {
    ItemPut *p = mem_alloc(sizeof *p);
    p->done = done;
    p->arg = arg;
    for (int64_t i = 0; i < n; i++) {
        buf_byte(&p->bytes, items[i].remove);
        text_put(&p->bytes, items[i].kind);
        text_put(&p->bytes, items[i].key);
        text_put(&p->bytes, items[i].remove ? (Str){0} : items[i].value);
    }
    return p;
}

static void put_free(ItemPut *p) {
    buf_free(&p->bytes);
    mem_free(p);
}

static int64_t put_cost(const ItemPut *p) { return p->bytes.n + ITEM_PUT_COST; }

Err store_items_put(Store *s, const StoreItem *items, int64_t n, StoreItemsFn done, void *arg) {
    if (!items_fit(items, n)) return ERR_ARGUMENT;
    ItemPut *p = put_new(items, n, done, arg);
    pthread_mutex_lock(&s->lock);
    bool busy = p->bytes.full || (s->items && s->item_bytes + put_cost(p) > ITEM_QUEUE_BYTES_MAX);
    if (!busy) {
        if (s->items_last) s->items_last->next = p;
        else s->items = p;
        s->items_last = p;
        s->item_bytes += put_cost(p);
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    if (busy) put_free(p);
    return busy ? ERR_BUSY : ERR_OK;
}

ItemPut *items_take(Store *s) {
    ItemPut *list = s->items, *last = NULL;
    int64_t bytes = 0;
    while (s->items && (!last || bytes + s->items->bytes.n <= STORE_SLICE_BYTES)) {
        last = s->items;
        bytes += last->bytes.n;
        s->item_bytes -= put_cost(last);
        s->items = last->next;
    }
    if (!s->items) s->items_last = NULL;
    if (last) last->next = NULL;
    return list;
}

static Err item_write(Store *s, bool remove, Str kind, Str key, Str value) {
    DbStatement what = remove ? DB_ITEM_DEL : DB_ITEM_PUT;
    sqlite3_stmt *st = db_use(&s->db, what);
    sqlite3_bind_blob64(st, 1, kind.p, (uint64_t)kind.n, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 2, key.p, (uint64_t)key.n, SQLITE_STATIC);
    if (!remove) {
        sqlite3_bind_int64(st, 3, item_check(kind, key, value));
        sqlite3_bind_blob64(st, 4, value.n ? value.p : "", (uint64_t)value.n, SQLITE_STATIC);
    }
    return db_run(&s->db, what);
}

Err items_write(Store *s, const ItemPut *list) {
    for (; list; list = list->next) {
        Cut c = cut_of(buf_str(&list->bytes));
        while (c.p < c.end) {
            bool remove = cut_byte(&c);
            Str kind = text_take(&c), key = text_take(&c), value = text_take(&c);
            CHECK(!c.bad);
            TRY(item_write(s, remove, kind, key, value));
        }
    }
    return ERR_OK;
}

void items_end(Store *s, ItemPut *list, Err err) {
    while (list) {
        ItemPut *p = list;
        list = p->next;
        if (p->done) p->done(p->arg, err, err != ERR_OK ? s->db.why : NULL);
        put_free(p);
    }
}

// ---- scanning -----------------------------------------------------------------------------------------------------

static Str column(sqlite3_stmt *st, int i) {
    const char *p = sqlite3_column_blob(st, i);
    return (Str){p, sqlite3_column_bytes(st, i)};
}

static Err scan_rows(Store *s, ItemScan *x) {
    sqlite3_stmt *st = db_use(&s->db, DB_ITEM_SCAN);
    int64_t count = 0, start = x->out->n;
    sqlite3_bind_blob64(st, 1, x->kind.p, (uint64_t)x->kind.n, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 2, x->after.n ? x->after.p : "", (uint64_t)x->after.n, SQLITE_STATIC);
    for (bool row = true;;) {
        TRY(db_step(&s->db, DB_ITEM_SCAN, &row));
        if (!row) return ERR_OK;
        Str key = column(st, 0), value = column(st, 2);
        bool sound = item_check(x->kind, key, value) == (uint32_t)sqlite3_column_int64(st, 1);
        bool room = !count || x->out->n - start + key.n + value.n <= STORE_SLICE_BYTES;
        if (sound && room) store_item_encode(key, value, x->out);
        count++;
        x->more = !room || count == x->limit;
        if (sound && !x->more) continue;
        db_reset(&s->db, DB_ITEM_SCAN);
        return sound ? ERR_OK : db_say(&s->db, ERR_CORRUPT, "an item does not match its check");
    }
}

bool items_serve(Store *s) {
    pthread_mutex_lock(&s->lock);
    ItemScan *x = s->scans;
    if (x && !(s->scans = x->next)) s->scans_last = NULL;
    pthread_mutex_unlock(&s->lock);
    if (!x) return false;
    Err err = scan_rows(s, x);
    pthread_mutex_lock(&s->lock);
    x->err = x->out->full ? ERR_STORAGE : err;
    x->ended = true;
    pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
    return true;
}

Err store_items_scan(Store *s, Str kind, Str after, int64_t limit, Buf *out, bool *more) {
    ItemScan x = {.kind = kind, .after = after, .limit = limit, .out = out};
    pthread_mutex_lock(&s->lock);
    if (s->scans_last) s->scans_last->next = &x;
    else s->scans = &x;
    s->scans_last = &x;
    pthread_cond_signal(&s->work);
    while (!x.ended) store_wait(s);
    pthread_mutex_unlock(&s->lock);
    *more = x.more;
    return x.err;
}

Err store_reader_items(StoreReader *r, Str kind, Str after, bool (*fn)(void *ctx, Str key, Str value), void *ctx) {
    Db *db = reader_db(r);
    sqlite3_stmt *st = db_use(db, DB_ITEM_SCAN);
    sqlite3_bind_blob64(st, 1, kind.p, (uint64_t)kind.n, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 2, after.n ? after.p : "", (uint64_t)after.n, SQLITE_STATIC);
    for (bool row;;) {
        TRY(db_step(db, DB_ITEM_SCAN, &row));
        if (!row) return ERR_OK;
        Str key = column(st, 0), value = column(st, 2);
        bool sound = item_check(kind, key, value) == (uint32_t)sqlite3_column_int64(st, 1);
        if (sound && fn(ctx, key, value)) continue;
        db_reset(db, DB_ITEM_SCAN);
        return sound ? ERR_OK : db_say(db, ERR_CORRUPT, "an item does not match its check");
    }
}
