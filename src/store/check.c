// SPDX-License-Identifier: Apache-2.0
// Each table is looked through by itself, all in one transaction. Damage is a finding and not
// the end: only what it makes unreadable is passed over.
//
// The order is that of what is built on what: SQLite's pages, roots, blocks, items, history, then the world: its blocks
// as a tree, the journal on top of it, the invariants of what comes out.
#include "store/check.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/hblock.h"
#include "store/keep.h"
#include "store/store_inner.h"

#define SAMPLES 1000       // rows of a table that a sample looks at
#define TELL_ROWS 64       // between two calls of progress
#define VM_STEPS 200000    // of SQLite's own check
#define SQLITE_FINDINGS 50 // it tells

// A block of history, as far as its neighbours matter.
typedef struct Span {
    int64_t id;
    uint64_t lane, page, first, last;
    int64_t t0, t1;
} Span;

typedef struct Look {
    StoreCheck *c;
    Db db;
    bool sample;
    int64_t format;
    Err err; // the end of it
    Zip zip;
    Domain *domain;
    World *world;  // what stands so far; NULL: it cannot be built
    bool has_root; // there is a sound one
    uint64_t root_seq, root_page;
    IdSet named;     // blocks it names
    uint8_t *given;  // a bit each: the tree has it already
    uint64_t asked;  // newest block the world asked for
    bool bad_pages;  // told
    bool has_items;  // the table can be asked
    uint64_t newest; // sequence of the newest batch
    Kept kept;       // journal rows before the root
    int64_t mark;    // see history.c
    Span *spans;
    int64_t span_count, span_cap;
} Look;

// ---- telling ------------------------------------------------------------------------------------------------------

__attribute__((format(printf, 3, 4))) static void found(Look *l, Str where, const char *fmt, ...) {
    Buf what = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&what, fmt, ap);
    va_end(ap);
    l->c->findings++;
    if (l->c->finding) l->c->finding(l->c->ctx, where, buf_str(&what));
    buf_free(&what);
}

__attribute__((format(printf, 4, 5))) static void found_row(Look *l, const char *table, int64_t row, const char *fmt,
                                                            ...) {
    char where[64];
    Buf what = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&what, fmt, ap);
    va_end(ap);
    snprintf(where, sizeof where, "%s row %lld", table, (long long)row);
    found(l, str_of(where), "%.*s", STR_ARG(buf_str(&what)));
    buf_free(&what);
}

static void told(Look *l, const char *what, int64_t done, int64_t total) {
    bool on = !l->c->progress || l->c->progress(l->c->ctx, str_of(what), done, total);
    if (!on && l->err == ERR_OK) l->err = db_say(&l->db, ERR_CLOSED, "stopped");
}

// ---- rows ---------------------------------------------------------------------------------------------------------

// What SQLite says: damage is a finding, anything else the end.
static void trouble(Look *l, const char *table, int rc) {
    if (l->err != ERR_OK) return; // it was stopped
    Err e = db_failed(&l->db, rc);
    if (e == ERR_CORRUPT) found(l, str_of(table), "cannot be read to its end (%s)", sqlite3_errmsg(l->db.h));
    else l->err = e;
}

static sqlite3_stmt *ask(Look *l, const char *table, const char *sql) {
    sqlite3_stmt *st = NULL;
    if (l->err != ERR_OK) return NULL;
    int rc = sqlite3_prepare_v2(l->db.h, sql, -1, &st, NULL);
    if (rc == SQLITE_ERROR) found(l, str_of(table), "the table, or a column of it, is missing");
    else if (rc != SQLITE_OK) trouble(l, table, rc);
    return st;
}

static bool next(Look *l, const char *table, sqlite3_stmt *st) {
    if (!st || l->err != ERR_OK) return false;
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) trouble(l, table, rc);
    return rc == SQLITE_ROW;
}

static int64_t count_rows(Look *l, const char *table) {
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    sqlite3_stmt *st = ask(l, table, sql);
    int64_t n = next(l, table, st) ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return n;
}

static Str blob_at(sqlite3_stmt *st, int column) {
    const char *p = sqlite3_column_blob(st, column);
    return (Str){p, sqlite3_column_bytes(st, column)};
}

static uint64_t u64_at(sqlite3_stmt *st, int column) { return (uint64_t)sqlite3_column_int64(st, column); }

// ---- SQLite -------------------------------------------------------------------------------------------------------

static int vm_progress(void *arg) {
    Look *l = arg;
    told(l, "the file", 0, 0);
    return l->err != ERR_OK;
}

static void look_sqlite(Look *l) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", SQLITE_FINDINGS);
    sqlite3_progress_handler(l->db.h, VM_STEPS, vm_progress, l);
    sqlite3_stmt *st = ask(l, "SQLite", sql);
    while (next(l, "SQLite", st)) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        if (text && strcmp(text, "ok") != 0) found(l, STR("SQLite"), "%s", text);
    }
    sqlite3_finalize(st);
    sqlite3_progress_handler(l->db.h, 0, NULL, NULL);
}

// ---- roots and meta -----------------------------------------------------------------------------------------------

static void look_root(Look *l, sqlite3_stmt *st) {
    uint64_t world = u64_at(st, 0), seq = u64_at(st, 1), page = u64_at(st, 2);
    Str ids = blob_at(st, 4);
    IdSet named = {0};
    bool sound = root_check(world, seq, page, ids) == (uint32_t)sqlite3_column_int64(st, 3);
    if (!sound || idset_decode(ids, &named) != ERR_OK || idset_find(&named, page) < 0) {
        found_row(l, "root", (int64_t)world, "does not match its check");
        if (world == STORE_WORLD_LIVE) l->bad_pages = true; // which blocks there should be, nobody knows
    } else if (world == STORE_WORLD_LIVE) {
        l->has_root = true;
        l->root_seq = l->newest = seq;
        l->root_page = page;
        l->named = named;
        l->given = mem_alloc((size_t)named.count);
        return;
    }
    idset_free(&named);
}

static void look_roots(Look *l) {
    sqlite3_stmt *st = ask(l, "root", "SELECT world, seq, page, crc, ids FROM root ORDER BY world");
    while (next(l, "root", st)) look_root(l, st);
    sqlite3_finalize(st);
}

// Up to two words of a row of meta; how many there are.
static int meta_words(Look *l, const char *key, int64_t out[2]) {
    sqlite3_stmt *st = ask(l, "meta", "SELECT value FROM meta WHERE key = ?1");
    int n = 0;
    if (st) sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
    if (next(l, "meta", st)) {
        Str value = blob_at(st, 0);
        n = value.n == 8 ? 1 : value.n == 16 ? 2 : 0;
        if (n) memcpy(out, value.p, (size_t)value.n);
        else found(l, STR("meta"), "row %s does not hold what it should", key);
    }
    sqlite3_finalize(st);
    return n;
}

// ---- blocks of the world ------------------------------------------------------------------------------------------

static void look_page(Look *l, sqlite3_stmt *st, Buf *scratch, int64_t *place) {
    uint64_t id = u64_at(st, 0);
    for (; *place < l->named.count && l->named.ids[*place] < id; ++*place) {
        found_row(l, "page", (int64_t)l->named.ids[*place], "is missing: the newest root names it");
        l->bad_pages = true;
    }
    bool named = *place < l->named.count && l->named.ids[*place] == id;
    *place += named;
    buf_reset(scratch);
    if (blob_unpack(&l->zip, id, blob_at(st, 1), scratch) == ERR_OK) return;
    found_row(l, "page", (int64_t)id, "does not match its check%s", named ? "" : "; no root names it");
    l->bad_pages |= named;
}

static void look_pages(Look *l) {
    sqlite3_stmt *st = ask(l, "page", "SELECT id, bytes FROM page ORDER BY id");
    int64_t total = l->c->progress ? count_rows(l, "page") : 0, place = 0;
    Buf scratch = {0};
    for (; next(l, "page", st); l->c->pages++) {
        look_page(l, st, &scratch, &place);
        if (l->c->pages % TELL_ROWS == 0) told(l, "blocks", l->c->pages, total);
    }
    for (; place < l->named.count && l->err == ERR_OK; place++) {
        found_row(l, "page", (int64_t)l->named.ids[place], "is missing: the newest root names it");
        l->bad_pages = true;
    }
    buf_free(&scratch);
    sqlite3_finalize(st);
}

static void sample_pages(Look *l) {
    sqlite3_stmt *st = ask(l, "page", "SELECT bytes FROM page WHERE id = ?1");
    Buf scratch = {0};
    int64_t gap = l->named.count / SAMPLES + 1;
    for (int64_t i = l->named.count - 1; st && i >= 0; i -= gap, l->c->pages++) { // the root's own is the last
        uint64_t id = l->named.ids[i];
        buf_reset(&scratch);
        sqlite3_bind_int64(st, 1, (int64_t)id);
        if (!next(l, "page", st)) found_row(l, "page", (int64_t)id, "is missing: the newest root names it");
        else if (blob_unpack(&l->zip, id, blob_at(st, 0), &scratch) != ERR_OK)
            found_row(l, "page", (int64_t)id, "does not match its check");
        sqlite3_reset(st);
    }
    buf_free(&scratch);
    sqlite3_finalize(st);
}

// ---- items --------------------------------------------------------------------------------------------------------

static void look_items(Look *l) {
    sqlite3_stmt *st = ask(l, "item", "SELECT kind, key, crc, value FROM item");
    l->has_items = st != NULL;
    for (int64_t row = 1; next(l, "item", st); row++) {
        Str kind = blob_at(st, 0), key = blob_at(st, 1);
        if (item_check(kind, key, blob_at(st, 3)) == (uint32_t)sqlite3_column_int64(st, 2)) continue;
        found_row(l, "item", row, "(%.*s, %.*s) does not match its check", STR_ARG(kind), STR_ARG(key));
    }
    sqlite3_finalize(st);
}

// ---- history ------------------------------------------------------------------------------------------------------

static void add_span(Look *l, const StoreHistory *h) {
    if (l->span_count == l->span_cap) {
        l->span_cap = l->span_cap ? l->span_cap * 2 : 256;
        l->spans = mem_grow(l->spans, (size_t)l->span_cap * sizeof *l->spans);
    }
    l->spans[l->span_count++] = (Span){h->id, h->lane, h->page, h->first, h->last, h->t0, h->t1};
}

static int by_place(const void *a, const void *b) {
    const Span *x = a, *y = b;
    if (x->lane != y->lane) return x->lane < y->lane ? -1 : 1;
    if (x->page != y->page) return x->page < y->page ? -1 : 1;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void look_spans(Look *l) {
    if (l->span_count) qsort(l->spans, (size_t)l->span_count, sizeof *l->spans, by_place);
    for (int64_t i = 1; i < l->span_count; i++) {
        const Span *a = &l->spans[i - 1], *b = &l->spans[i];
        if (a->lane != b->lane || a->page != b->page) continue;
        if (a->last >= b->first)
            found_row(l, "history", b->id, "has batches that row %lld has too (lane %llu, page %llu, up to %llu)",
                      (long long)a->id, (unsigned long long)b->lane, (unsigned long long)b->page,
                      (unsigned long long)a->last);
        else if (a->t1 >= b->t0)
            found_row(l, "history", b->id, "begins before row %lld, whose batches are older, ends", (long long)a->id);
    }
}

// What the row says of its block, and what the block says.
static const char *block_differs(const StoreHistory *h, const HBlock *b) {
    if (b->count != h->points) return "another number of points";
    if (b->late != h->late) return "another number of late points";
    if (b->has_start != h->start) return "a start where there is none, or none where there is one";
    if (!b->batch_count) return NULL;
    if (b->batches[0].seq < h->first || b->batches[b->batch_count - 1].seq > h->last) return "other batches";
    if (b->batches[0].time < h->t0 || b->batches[b->batch_count - 1].time > h->t1) return "other times of arrival";
    if (b->count && (b->time_min < h->s0 || b->time_max > h->s1)) return "other times of its points";
    return NULL;
}

static void look_block(Look *l, const StoreHistory *h, HWork *work, Arena *scratch) {
    Buf why = {0};
    HBlock block;
    if (hblock_verify(work, h->bytes, &why) != ERR_OK)
        found_row(l, "history", h->id, "the block cannot be read: %.*s", STR_ARG(buf_str(&why)));
    else if (hblock_open(work, h->bytes, scratch, &block) != ERR_OK)
        found_row(l, "history", h->id, "the block cannot be opened");
    else {
        const char *what = block_differs(h, &block);
        if (what) found_row(l, "history", h->id, "the row tells of %s than the block", what);
        l->c->points += block.count;
    }
    arena_reset(scratch);
    buf_free(&why);
}

static void look_history_row(Look *l, sqlite3_stmt *st, HWork *work, Arena *scratch) {
    StoreHistory h;
    l->c->blocks++;
    if (!history_row(st, &h)) {
        found_row(l, "history", h.id, "does not match its check");
        return;
    }
    if (h.first > h.last || h.t0 > h.t1 || (h.points && h.s0 > h.s1) || h.points < 0 || h.late < 0)
        found_row(l, "history", h.id, "ends before it begins, or has less than nothing");
    bool live = !store_lane_world(h.lane);
    if (live && h.last > l->newest && l->newest && !l->sample)
        found_row(l, "history", h.id, "has batches up to %llu, the newest is %llu", (unsigned long long)h.last,
                  (unsigned long long)l->newest);
    if (h.tier >= STORE_TIER_MEANS) return;
    if (live && h.id <= l->mark && h.last > l->root_seq && l->has_root)
        found_row(l, "history", h.id, "ends behind the newest root, but stands among those that do not");
    look_block(l, &h, work, scratch);
    if (!l->sample) add_span(l, &h);
}

#define HISTORY_ALL "SELECT id, lane, page, tier, start, first, last, t0, t1, s0, s1, points, late, size, crc, bytes "

static void look_history(Look *l) {
    char sql[300];
    int64_t total = count_rows(l, "history"), gap = l->sample ? total / SAMPLES + 1 : 1;
    snprintf(sql, sizeof sql, HISTORY_ALL "FROM history WHERE id %% %lld = 0 ORDER BY id", (long long)gap);
    sqlite3_stmt *st = ask(l, "history", gap > 1 ? sql : HISTORY_ALL "FROM history ORDER BY id");
    HWork *work = hwork_new();
    Arena scratch = {0};
    while (next(l, "history", st)) {
        look_history_row(l, st, work, &scratch);
        if (l->c->blocks % TELL_ROWS == 0) told(l, "history", l->c->blocks, total / gap);
    }
    sqlite3_finalize(st);
    look_spans(l);
    arena_free(&scratch);
    hwork_free(work);
}

static void look_dead(Look *l) {
    sqlite3_stmt *st = ask(l, "dead", "SELECT id, name, time, crc FROM dead ORDER BY id");
    while (next(l, "dead", st)) {
        StoreDead d = dead_by_id(u64_at(st, 0));
        d.name = blob_at(st, 1);
        d.time = sqlite3_column_int64(st, 2);
        if (dead_check(&d) != (uint32_t)sqlite3_column_int64(st, 3)) {
            found_row(l, "dead", (int64_t)d.twin, "does not match its check");
            continue;
        }
        if (!l->world || d.world) continue;
        View v = view_writer(l->world);
        if (view_twin_place(&v, (TwinId){d.twin}).alive)
            found_row(l, "dead", (int64_t)d.twin, "is of a twin that lives");
    }
    sqlite3_finalize(st);
}

// ---- the world ----------------------------------------------------------------------------------------------------

typedef struct Getter {
    Look *l;
    sqlite3_stmt *st;
} Getter;

static Err get_block(void *ctx, uint64_t id, Buf *out) {
    Getter *g = ctx;
    Look *l = g->l;
    int64_t i = idset_find(&l->named, id);
    l->asked = id;
    if (i < 0 || l->given[i]) return ERR_CORRUPT;
    l->given[i] = 1;
    if (i % TELL_ROWS == 0) told(l, "the world", i, l->named.count);
    sqlite3_bind_int64(g->st, 1, (int64_t)id);
    Err e = next(l, "page", g->st) ? blob_unpack(&l->zip, id, blob_at(g->st, 0), out) : ERR_CORRUPT;
    sqlite3_reset(g->st);
    return l->err != ERR_OK ? l->err : e;
}

static void load_world(Look *l) {
    if (l->bad_pages || l->err != ERR_OK) return; // told already
    if (!l->has_root) {
        l->world = world_new(l->domain, 0);
        return;
    }
    Getter g = {l, ask(l, "page", "SELECT bytes FROM page WHERE id = ?1")};
    const BlockStore bs = {.ctx = &g, .get = get_block};
    Err e = g.st ? world_load(l->domain, &bs, l->root_page, 0, &l->world) : ERR_CORRUPT;
    sqlite3_finalize(g.st);
    if (e == ERR_OK && world_seq(l->world) != l->root_seq) {
        found(l, STR("root row 0"), "tells sequence %llu, its block %llu", (unsigned long long)l->root_seq,
              (unsigned long long)world_seq(l->world));
    } else if (e != ERR_OK && l->err == ERR_OK)
        found_row(l, "page", (int64_t)l->asked, "does not hold what it should: the world cannot be built");
}

static void drop_world(Look *l) {
    if (l->world) world_free(l->world);
    l->world = NULL;
}

// ---- the journal --------------------------------------------------------------------------------------------------

// The batches of a row, those behind the root onto the world. Errors: CORRUPT; what the world says.
static Err read_batches(Look *l, Str bytes, uint64_t first, uint64_t seq) {
    Cut c = cut_of(bytes);
    uint64_t last = 0;
    while (c.p < c.end) {
        Cut passed = c;
        BatchHead head;
        Change change;
        TRY(batch_decode(&passed, &head));
        for (int64_t i = 0; i < head.count; i++) TRY(change_decode(&passed, &change));
        if ((!last && head.seq != first) || head.seq <= last || head.seq > seq) return ERR_CORRUPT;
        last = head.seq;
        l->c->batches++;
        if (l->world && head.seq > world_seq(l->world)) TRY(world_replay(l->world, &c, &head));
        c = passed;
    }
    return last == seq ? ERR_OK : ERR_CORRUPT;
}

static void look_journal_row(Look *l, sqlite3_stmt *st, uint64_t *at, bool first_row) {
    uint64_t seq = u64_at(st, 0), prev = u64_at(st, 1), first = u64_at(st, 2);
    Str bytes = blob_at(st, 4);
    bool behind = seq > l->root_seq;
    if (!behind) l->kept.rows++, l->kept.bytes += bytes.n;
    if (first_row ? prev > l->root_seq : prev != *at) {
        found_row(l, "journal", (int64_t)seq, "does not follow the row before it, %llu: %llu is missing",
                  (unsigned long long)*at, (unsigned long long)prev);
        if (behind) drop_world(l);
    }
    *at = seq;
    if (seq > l->newest) l->newest = seq;
    if (journal_check(seq, prev, first, bytes) != (uint32_t)sqlite3_column_int64(st, 3)) {
        found_row(l, "journal", (int64_t)seq, "does not match its check");
        if (behind) drop_world(l);
        return;
    }
    Err e = read_batches(l, bytes, first, seq);
    if (e == ERR_OK) return;
    found_row(l, "journal", (int64_t)seq, "cannot be applied (%s)", err_text(e));
    drop_world(l);
}

static void look_journal(Look *l) {
    sqlite3_stmt *st =
        ask(l, "journal", "SELECT seq, prev, first, crc, bytes FROM journal WHERE world = 0 ORDER BY seq");
    int64_t total = l->c->progress ? count_rows(l, "journal") : 0, kept[2];
    uint64_t at = 0;
    for (; next(l, "journal", st); l->c->journal_rows++) {
        look_journal_row(l, st, &at, l->c->journal_rows == 0);
        if (l->c->journal_rows % TELL_ROWS == 0) told(l, "the journal", l->c->journal_rows, total);
    }
    sqlite3_finalize(st);
    if (l->err == ERR_OK && meta_words(l, "kept", kept) == 2 && (kept[0] != l->kept.rows || kept[1] != l->kept.bytes))
        found(l, STR("meta"), "row kept counts %lld rows of the journal before the root, there are %lld",
              (long long)kept[0], (long long)l->kept.rows);
}

static void look_invariants(Look *l) {
    if (!l->world || l->err != ERR_OK) return;
    told(l, "invariants", 0, 0);
    View v = view_writer(l->world);
    l->c->twins = (int64_t)view_meta(&v, META_TWINS);
    l->c->links = (int64_t)view_meta(&v, META_LINKS);
    const char *broken = world_unsound(l->world);
    if (broken) found(l, STR("world"), "an invariant does not hold: %s", broken);
}

// ---- other worlds -------------------------------------------------------------------------------------------------

static void look_worlds(Look *l) {
    sqlite3_stmt *st = ask(l, "world", "SELECT id, crc, bytes FROM world ORDER BY id");
    while (next(l, "world", st)) {
        uint64_t id = u64_at(st, 0);
        if (world_row_check(id, blob_at(st, 2)) != (uint32_t)sqlite3_column_int64(st, 1))
            found_row(l, "world", (int64_t)id, "does not match its check");
    }
    sqlite3_finalize(st);
}

// The batches of a row can be read, one behind the other.
static bool batches_whole(Look *l, const ScenarioRow *r) {
    uint64_t last = 0;
    for (Cut c = cut_of(r->bytes); c.p < c.end;) {
        BatchHead head;
        Change change;
        if (batch_decode(&c, &head) != ERR_OK || head.seq <= last || head.seq > r->seq) return false;
        if (!last && head.seq != r->first) return false;
        for (int64_t i = 0; i < head.count; i++)
            if (change_decode(&c, &change) != ERR_OK) return false;
        last = head.seq;
        l->c->batches++;
    }
    return last == r->seq;
}

static void look_scenarios(Look *l) {
    sqlite3_stmt *st = ask(l, "scenario",
                           "SELECT id, world, seq, prev, first, ids, crc, bytes FROM scenario"
                           " WHERE world IN (SELECT id FROM world) ORDER BY world, seq");
    uint64_t world = 0, at = 0;
    for (; next(l, "scenario", st); l->c->journal_rows++) {
        ScenarioRow r;
        if (!others_row(st, &r)) found_row(l, "scenario", r.id, "does not match its check");
        else if (!batches_whole(l, &r)) found_row(l, "scenario", r.id, "does not hold the batches it should");
        if (r.world == world && r.prev != at)
            found_row(l, "scenario", r.id, "does not follow the row before it, %llu: %llu is missing",
                      (unsigned long long)at, (unsigned long long)r.prev);
        world = r.world;
        at = r.seq;
    }
    sqlite3_finalize(st);
}

// What became of a page in a checkpoint.
static Err look_kept_page(void *ctx, uint32_t vec, uint64_t page_no, Str bytes) {
    Look *l = ctx;
    Page *p;
    (void)vec, (void)page_no;
    TRY(page_decode(l->domain, bytes, &p));
    block_account(l->domain, &p->b);
    block_unref(l->domain, &p->b);
    l->c->pages++;
    return ERR_OK;
}

static void look_keep(Look *l, sqlite3_stmt *part, const StoreKeep *k) {
    Buf key = {0};
    for (uint32_t i = 0; i < k->parts && l->err == ERR_OK; i++) {
        buf_reset(&key);
        keep_part_key(k, i, &key);
        sqlite3_bind_blob64(part, 1, key.p, (uint64_t)key.n, SQLITE_STATIC);
        if (!next(l, "item", part))
            found(l, STR("item"), "part %u of the checkpoint %.*s is missing", i,
                  STR_ARG(str_sub(buf_str(&key), 0, 33)));
        else if (keep_unpack(&l->zip, k, i, blob_at(part, 0), look_kept_page, l) != ERR_OK)
            found(l, STR("item"), "part %u of the checkpoint %.*s cannot be read", i,
                  STR_ARG(str_sub(buf_str(&key), 0, 33)));
        sqlite3_reset(part);
    }
    buf_free(&key);
}

// Checkpoints of other worlds, as far as they are whole: their parts are there and have pages.
static void look_keeps(Look *l) {
    sqlite3_stmt *st = ask(l, "item", "SELECT key, value FROM item WHERE kind = CAST('sosia.world' AS BLOB)");
    sqlite3_stmt *part =
        ask(l, "item", "SELECT value FROM item WHERE kind = CAST('sosia.world.page' AS BLOB) AND key = ?1");
    while (part && next(l, "item", st)) {
        StoreKeep k;
        if (!keep_decode(blob_at(st, 0), blob_at(st, 1), &k)) found(l, STR("item"), "a checkpoint cannot be read");
        else if (k.whole) look_keep(l, part, &k);
    }
    sqlite3_finalize(st);
    sqlite3_finalize(part);
}

// ---- all of it ----------------------------------------------------------------------------------------------------

static void look_all(Look *l) {
    int64_t mark[2] = {0};
    if (!l->sample) look_sqlite(l);
    look_roots(l);
    if (l->sample) sample_pages(l);
    else look_pages(l);
    if (l->format >= 2 && !l->sample) look_items(l);
    if (!l->sample) load_world(l);
    look_journal(l);
    look_invariants(l);
    if (l->format < 3) return;
    if (meta_words(l, "history", mark)) l->mark = mark[0];
    look_history(l);
    look_dead(l);
    if (l->format < 4) return;
    look_worlds(l);
    look_scenarios(l);
    if (l->has_items) look_keeps(l);
}

Err check_file(Str path, bool sample, StoreCheck *c, Buf *why) {
    Look l = {.c = c, .sample = sample};
    c->pages = c->journal_rows = c->batches = c->blocks = c->points = c->twins = c->links = c->findings = 0;
    l.err = db_open_look(&l.db, path, &l.format);
    if (l.err == ERR_OK) {
        int rc = sqlite3_exec(l.db.h, "BEGIN", NULL, NULL, NULL);
        if (rc != SQLITE_OK) l.err = db_failed(&l.db, rc);
        l.domain = domain_new();
        look_all(&l);
        drop_world(&l);
        domain_free(l.domain);
        sqlite3_exec(l.db.h, "ROLLBACK", NULL, NULL, NULL);
    }
    if (l.err != ERR_OK && why) buf_printf(why, "%s", l.db.why);
    db_close(&l.db);
    idset_free(&l.named);
    mem_free(l.given);
    mem_free(l.spans);
    zip_free(&l.zip);
    return l.err;
}

Err store_check(Str path, StoreCheck *c, Buf *why) { return check_file(path, false, c, why); }
