// SPDX-License-Identifier: Apache-2.0
#include "blocks.h"
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"
SQLITE_EXTENSION_INIT3

#define MEANS "16" // tiers from here on are means, see store/store.h

void blocks_init(Blocks *b, sqlite3 *db) {
    *b = (Blocks){.db = db, .work = hwork_new(), .domain = domain_new(), .version = -1};
}

void blocks_free(Blocks *b) {
    sqlite3_stmt *all[] = {b->known, b->range, b->pages, b->newest, b->dead};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
    if (b->world) world_free(b->world);
    domain_free(b->domain);
    hwork_free(b->work);
}

// The statement, prepared when it is used first.
static Err use(Blocks *b, sqlite3_stmt **st, const char *sql) {
    if (*st) return ERR_OK;
    return sqlite3_prepare_v3(b->db, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL) == SQLITE_OK ? ERR_OK : ERR_STORAGE;
}

static Str blob_at(sqlite3_stmt *st, int column) {
    const char *p = sqlite3_column_blob(st, column);
    return (Str){p, sqlite3_column_bytes(st, column)};
}

// What a statement that was stepped to its end means.
static Err ended(sqlite3_stmt *st, int rc) {
    sqlite3_reset(st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_OK : rc == SQLITE_CORRUPT ? ERR_CORRUPT : ERR_STORAGE;
}

// ---- the world --------------------------------------------------------------------------------------------------

static bool any_open(const uint8_t *open) {
    for (int r = 0; r < HBLOCK_ROWS; r++)
        if (open[r]) return true;
    return false;
}

// States of rows of a page at an instant: blocks back to the newest one with a start, until nothing is open.
static Err known(Blocks *b, uint64_t lane, uint64_t page, int64_t at, Arena *keep, uint8_t *open, HState *out) {
    TRY(use(b, &b->known,
            "SELECT bytes FROM history WHERE lane = ?1 AND page = ?2 AND tier < " MEANS " AND t0 <= ?3 AND t0 >= "
            "(SELECT max(t0) FROM history WHERE lane = ?1 AND page = ?2 AND tier < " MEANS
            " AND start AND t0 <= ?3) ORDER BY t0 DESC"));
    sqlite3_bind_int64(b->known, 1, (int64_t)lane);
    sqlite3_bind_int64(b->known, 2, (int64_t)page);
    sqlite3_bind_int64(b->known, 3, at);
    Err e = ERR_OK;
    int rc = SQLITE_ROW;
    while (e == ERR_OK && any_open(open) && (rc = sqlite3_step(b->known)) == SQLITE_ROW) {
        HBlock block;
        e = hblock_open(b->work, blob_at(b->known, 0), keep, &block);
        if (e == ERR_OK) e = hblock_known(b->work, &block, at, keep, open, out);
    }
    Err end = ended(b->known, rc);
    return e != ERR_OK ? e : end;
}

static void put_row(PastRows *to, const VecLayout *l, uint32_t word, uint32_t row, const HState *s) {
    if (!s->valid) return;
    if (l->timed) past_put_cell(to, row, s->bits, s->text, s->update_time, s->source_time);
    else if (l->text_mask >> word & 1) past_put_text(to, row, word, s->text);
    else past_put_word(to, row, word, s->bits);
}

static Err put_rows(Blocks *b, int64_t at, uint32_t vec, uint64_t page, uint32_t first, uint32_t last, PastRows *to) {
    const VecLayout *l = &vec_layout[past_shape(to)];
    Arena keep;
    Err e = ERR_OK;
    arena_init(&keep, 1 << 20);
    for (uint32_t word = 0; word < (l->timed ? 1u : l->words) && e == ERR_OK; word++) {
        if (word && l->text_mask >> (word - 1) & 1) continue; // the second half of a text
        HState *states = NEW(&keep, HState, HBLOCK_ROWS);
        uint8_t open[HBLOCK_ROWS] = {0};
        memset(open + first, l->timed ? HOPEN_ALL : HOPEN_VALUE, last - first + 1);
        e = known(b, trail_lane(vec, word), page, at, &keep, open, states);
        for (uint32_t r = first; r <= last && e == ERR_OK; r++) put_row(to, l, word, r, &states[r]);
        arena_reset(&keep);
    }
    arena_free(&keep);
    return e;
}

static Err file_rows(void *ctx, int64_t at, uint32_t vec, uint64_t page, uint16_t groups, PastRows *to) {
    for (uint32_t g = 0; g < PAST_GROUPS; g++) {
        uint32_t begin = g;
        while (g < PAST_GROUPS && groups >> g & 1) g++;
        if (g > begin) TRY(put_rows(ctx, at, vec, page, begin * PAST_GROUP_ROWS, g * PAST_GROUP_ROWS - 1, to));
    }
    return ERR_OK;
}

static Err file_pages(void *ctx, uint32_t vec, uint64_t *count) {
    Blocks *b = ctx;
    TRY(use(b, &b->pages, "SELECT max(page) + 1 FROM history WHERE lane BETWEEN ?1 AND ?1 + 7 AND tier < " MEANS));
    sqlite3_bind_int64(b->pages, 1, (int64_t)trail_lane(vec, 0));
    int rc = sqlite3_step(b->pages);
    *count = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(b->pages, 0) : 0;
    return ended(b->pages, rc);
}

Err blocks_world_at(Blocks *b, int64_t at, World **out) {
    const PastSource source = {.ctx = b, .rows = file_rows, .pages = file_pages};
    return world_past(b->domain, &source, 1, at, NULL, out);
}

static Err data_version(Blocks *b, int64_t *version) {
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(b->db, "PRAGMA data_version", -1, &st, NULL) != SQLITE_OK) return ERR_STORAGE;
    int rc = sqlite3_step(st);
    *version = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? ERR_OK : ERR_STORAGE;
}

Err blocks_refresh(Blocks *b) {
    int64_t version, at;
    TRY(data_version(b, &version));
    if (b->world && version == b->version) return ERR_OK;
    TRY(use(b, &b->newest, "SELECT max(t1) FROM history WHERE tier < " MEANS));
    int rc = sqlite3_step(b->newest);
    at = rc == SQLITE_ROW ? sqlite3_column_int64(b->newest, 0) : 0;
    TRY(ended(b->newest, rc));
    b->version = version;
    if (b->world && at == b->at) return ERR_OK;
    if (b->world) world_free(b->world);
    b->world = NULL;
    b->at = at;
    return at ? blocks_world_at(b, at, &b->world) : ERR_OK;
}

// ---- rows -------------------------------------------------------------------------------------------------------

Err blocks_row(Blocks *b, const BlocksRow *r, Arena *keep, BlockFn fn, void *ctx) {
    TRY(use(b, &b->range,
            "SELECT bytes, start AND NOT EXISTS (SELECT 1 FROM history AS o WHERE o.lane = h.lane AND o.page = h.page "
            "AND o.tier < " MEANS " AND o.t0 < h.t0) FROM history AS h WHERE lane = ?1 AND page = ?2 AND tier < " MEANS
            " AND (s1 >= ?3 AND s0 < ?4 OR start) ORDER BY t0"));
    uint32_t row = (uint32_t)(r->row % HBLOCK_ROWS);
    sqlite3_bind_int64(b->range, 1, (int64_t)r->lane);
    sqlite3_bind_int64(b->range, 2, (int64_t)(r->row / HBLOCK_ROWS));
    sqlite3_bind_int64(b->range, 3, r->from);
    sqlite3_bind_int64(b->range, 4, r->to);
    Err e = ERR_OK;
    int rc;
    bool on = true;
    while ((rc = sqlite3_step(b->range)) == SQLITE_ROW && e == ERR_OK && on) {
        HBlock block;
        const HPoint *points;
        int64_t n;
        bool oldest = sqlite3_column_int(b->range, 1);
        HState *start = NEW(keep, HState, HBLOCK_ROWS);
        e = hblock_open(b->work, arena_str(keep, blob_at(b->range, 0)), keep, &block);
        if (e == ERR_OK) e = hblock_rows(b->work, &block, row, row, keep, &points, &n, start);
        if (e == ERR_OK) on = fn(ctx, &block, points, n, oldest ? &start[row] : NULL);
    }
    Err end = ended(b->range, rc);
    return e != ERR_OK ? e : end;
}

bool blocks_dead(Blocks *b, Str name, int64_t *time) {
    if (use(b, &b->dead, "SELECT max(time) FROM dead WHERE name = ?1") != ERR_OK) return false;
    sqlite3_bind_blob(b->dead, 1, name.p, (int)name.n, SQLITE_STATIC);
    bool found = sqlite3_step(b->dead) == SQLITE_ROW && sqlite3_column_type(b->dead, 0) == SQLITE_INTEGER;
    *time = found ? sqlite3_column_int64(b->dead, 0) : 0;
    sqlite3_reset(b->dead);
    return found;
}
