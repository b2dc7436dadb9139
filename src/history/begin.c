// SPDX-License-Identifier: Apache-2.0
// A file is opened: what recovery told again leaves the heads, or history begins with the world as it is.
//
// The lane of batches tells whether there is history: its first block is put last of the beginning. A file whose
// history ends before its root has a gap (somebody wrote it without keeping history): it begins once more.
#include "base/check.h"
#include "base/mem.h"
#include "history/history_inner.h"

// ---- the world as blocks ----

typedef struct Begin {
    History *h;
    const Catalog *catalog;
    uint64_t seq;
    int64_t time;
    bool all;       // pages with nothing in them too: there were blocks that say something else
    HState *states; // HBLOCK_ROWS
    StoreHistory *rows;
    int64_t count, cap;
    Buf bytes;
    Err err;
} Begin;

static void flush(Begin *b) {
    int64_t at = 0;
    for (int64_t i = 0; i < b->count; i++) {
        b->rows[i].bytes.p = b->bytes.p + at;
        at += b->rows[i].bytes.n;
    }
    if (b->count && b->err == ERR_OK)
        b->err = history_put_now(b->h, &(StoreHistoryPut){.rows = b->rows, .row_count = b->count});
    b->count = 0;
    buf_reset(&b->bytes);
}

// The states as a block that has a start and nothing else; in that of batches is the newest one.
static void put_states(Begin *b, uint64_t lane, uint64_t page, HCell cell) {
    const HBatch newest = {.seq = b->seq, .time = b->time};
    const HPoint point = {.kind = HPOINT_PUT};
    const Str nobody = {0};
    HBlockIn in = {.cell = cell, .start = b->states};
    if (lane == LANE_BATCHES && b->seq) in = (HBlockIn){cell, &newest, 1, &nobody, 1, &point, 1, b->states, 0};
    int64_t before = b->bytes.n;
    hblock_encode(b->h->coder, &in, &b->bytes);
    if (b->bytes.full) b->err = ERR_LIMIT;
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->rows = mem_grow(b->rows, (size_t)b->cap * sizeof *b->rows);
    }
    b->rows[b->count++] = (StoreHistory){.lane = lane,
                                         .page = page,
                                         .first = b->seq,
                                         .last = b->seq,
                                         .t0 = b->time,
                                         .t1 = b->time,
                                         .s0 = b->time,
                                         .s1 = b->time,
                                         .points = in.count,
                                         .start = true,
                                         .bytes = {NULL, b->bytes.n - before}};
    if (b->bytes.n >= STORE_SLICE_BYTES / 2) flush(b);
}

static uint64_t word_of(const Page *p, uint32_t word) {
    return atomic_load_explicit(&p->words[word], memory_order_relaxed);
}

static Text text_of(const Page *p, uint32_t word) { return (Text){{word_of(p, word), word_of(p, word + 1)}}; }

// Blocks outlive the texts only by the call: an inline text lies where it was read to.
static Str keep_text(Begin *b, const Page *p, uint32_t word) {
    Text t = text_of(p, word);
    return arena_str(&b->h->scratch, text_str(&t));
}

static HCell cell_of_column(const Catalog *c, uint32_t vec) {
    int32_t owner = c->owner[vec - VECNO_COLUMNS];
    const Field *fields = owner >= 0 ? c->tables[owner].model->fields : c->kinds[-1 - owner].rel->fields;
    uint32_t first = owner >= 0 ? c->tables[owner].first : c->kinds[-1 - owner].first;
    switch (fields[vec - first].cell) {
    case CELL_BOOL:
    case CELL_OBJECT:
    case CELL_COMPONENT: return HCELL_BOOL;
    case CELL_I64: return HCELL_I64;
    case CELL_F64: return HCELL_F64;
    case CELL_STR:
    case CELL_DOC: break;
    }
    return HCELL_TEXT;
}

static void put_cells(Begin *b, uint32_t vec, uint64_t page_no, const Page *p) {
    bool any = b->all, text = p->b.shape == VEC_TEXT;
    for (uint32_t r = 0; r < p->cap; r++) {
        if (!(word_of(p, page_valid_word(r)) >> (r & 63) & 1)) continue;
        uint32_t w = page_cell_word(p, r);
        b->states[r] = (HState){.valid = true,
                                .bits = text ? 0 : word_of(p, w),
                                .text = text ? keep_text(b, p, w) : (Str){0},
                                .update_time = (int64_t)word_of(p, page_update_word(p, r)),
                                .source_time = p->b.sources ? (int64_t)word_of(p, page_source_word(p, r)) : 0};
        any = true;
    }
    if (any) put_states(b, trail_lane(vec, 0), page_no, text ? HCELL_TEXT : cell_of_column(b->catalog, vec));
}

static bool untold(uint32_t vec, uint64_t row) { return vec == VECNO_META && row <= META_TIME; }

static void put_words(Begin *b, uint32_t vec, uint64_t page_no, const Page *p, uint32_t word) {
    bool any = b->all, text = vec_layout[p->b.shape].text_mask >> word & 1;
    for (uint32_t r = 0; r < p->cap; r++) {
        uint32_t w = page_cell_word(p, r) + word;
        b->states[r] = (HState){.bits = text ? 0 : word_of(p, w), .text = text ? keep_text(b, p, w) : (Str){0}};
        if (untold(vec, r)) b->states[r].bits = 0;
        b->states[r].valid = b->states[r].bits || b->states[r].text.n;
        any |= b->states[r].valid;
    }
    if (any) put_states(b, trail_lane(vec, word), page_no, text ? HCELL_TEXT : HCELL_WORD);
}

static void put_page(Begin *b, uint32_t vec, uint64_t page_no, const Page *p) {
    VecLayout l = vec_layout[p->b.shape];
    for (uint32_t word = 0; word < (l.timed ? 1u : l.words); word++) {
        if (word && l.text_mask >> (word - 1) & 1) continue;
        memset(b->states, 0, HBLOCK_ROWS * sizeof *b->states);
        arena_reset(&b->h->scratch);
        if (l.timed) put_cells(b, vec, page_no, p);
        else put_words(b, vec, page_no, p, word);
    }
}

// All pages below a node; `at` is the number of its first child.
static void walk_pages(Begin *b, const Node *n, uint32_t vec, uint64_t at) {
    for (uint32_t i = 0; i < NODE_FAN && b->err == ERR_OK; i++) {
        const Block *c = atomic_load_explicit(&n->child[i], memory_order_acquire);
        uint64_t no = at << NODE_SHIFT | i;
        if (c && n->b.level == 0) put_page(b, vec, no, (const Page *)c);
        else if (c) walk_pages(b, (const Node *)c, vec, no);
    }
}

static void walk_vecs(Begin *b, const Node *n, uint64_t at) {
    for (uint32_t i = 0; i < NODE_FAN && b->err == ERR_OK; i++) {
        const Block *c = atomic_load_explicit(&n->child[i], memory_order_acquire);
        uint64_t no = at << NODE_SHIFT | i;
        if (c && n->b.level == 0) walk_pages(b, (const Node *)c, (uint32_t)no, 0);
        else if (c) walk_vecs(b, (const Node *)c, no);
    }
}

static Err put_world(History *h, World *live, bool all) {
    View v = view_writer(live);
    Begin b = {.h = h, .catalog = v.catalog, .seq = world_seq(live), .time = world_time(live), .all = all};
    b.states = mem_alloc(HBLOCK_ROWS * sizeof *b.states);
    walk_vecs(&b, v.root, 0);
    flush(&b);
    // Last of all, so that a beginning that was cut short is none.
    memset(b.states, 0, HBLOCK_ROWS * sizeof *b.states);
    if (b.err == ERR_OK) put_states(&b, LANE_BATCHES, 0, HCELL_WORD);
    flush(&b);
    buf_free(&b.bytes);
    mem_free(b.rows);
    mem_free(b.states);
    return b.err;
}

// ---- what the file has ----

typedef struct Had {
    History *h;
    bool begun;
    int64_t from;  // t0 of the first block of batches
    uint64_t last; // batch in the newest one
    int64_t *ids;
    int64_t count, cap;
} Had;

static bool see_batches(void *ctx, const StoreHistory *row) {
    Had *had = ctx;
    if (!had->begun) had->from = row->t0;
    had->begun = true;
    had->last = row->last;
    return true;
}

static Err look(History *h, Had *had) {
    StoreReader *r;
    const StoreHistoryAsk ask = {.lane = LANE_BATCHES, .from = INT64_MIN, .to = INT64_MAX};
    TRY(store_reader_begin(h->store, &r));
    Err e = store_history_rows(r, &ask, see_batches, had);
    store_reader_end(r);
    return e;
}

static bool see_id(void *ctx, const StoreHistory *row) {
    Had *had = ctx;
    if (had->count == had->cap) {
        had->cap = had->cap ? had->cap * 2 : 256;
        had->ids = mem_grow(had->ids, (size_t)had->cap * sizeof *had->ids);
    }
    had->ids[had->count++] = row->id;
    return had->count < 4096;
}

// What a beginning that was cut short left behind.
static Err clear(History *h) {
    for (Had had = {0};;) {
        StoreReader *r;
        had.count = 0;
        TRY(store_reader_begin(h->store, &r));
        Err e = store_history_scan(r, 0, INT32_MAX, see_id, &had);
        store_reader_end(r);
        if (e == ERR_OK && had.count)
            e = history_put_now(h, &(StoreHistoryPut){.gone = had.ids, .gone_count = had.count});
        if (e == ERR_OK && had.count) continue;
        mem_free(had.ids);
        return e;
    }
}

// All heads are let go: the state of the world says what they led to.
static void forget_heads(History *h) {
    for (int64_t i = 0; i < h->heads.cap; i++) {
        if (h->heads.slots[i].key) head_drop(h, &h->heads.slots[i], UINT64_MAX);
    }
}

static void drop_ahead(void *ctx, uint64_t lane, uint64_t page, uint64_t last) {
    History *h = ctx;
    Head *head = head_find(&h->heads, lane, page);
    if (head) head_drop(h, head, last);
}

// Is there a batch between those in blocks and those told by recovery (or, when it told none, the world's newest)?
static bool has_gap(const History *h, const Had *had, World *live) {
    uint64_t next = h->replayed ? h->replayed : world_seq(live) + 1;
    return had->begun && next > had->last + 1;
}

Err history_begin(History *h, World *live, Buf *why) {
    Had had = {.h = h};
    (void)why;
    TRY(look(h, &had));
    atomic_store_explicit(&h->taken, world_seq(live), memory_order_relaxed);
    if (had.begun && !has_gap(h, &had, live)) {
        atomic_store_explicit(&h->from, had.from, memory_order_relaxed);
        return store_history_ahead(h->store, drop_ahead, h);
    }
    if (!had.begun) TRY(clear(h));
    forget_heads(h);
    TRY(put_world(h, live, had.begun));
    atomic_store_explicit(&h->from, had.begun ? had.from : world_time(live), memory_order_relaxed);
    return ERR_OK;
}

// ---- when it began ----

static bool take_first(void *ctx, const StoreHistory *row) {
    *(StoreHistory *)ctx = *row;
    return !row->points; // that of a new file has nothing in it
}

static Err begun_in_store(History *h, int64_t *time) {
    StoreReader *r;
    StoreHistory first = {.id = 0};
    const StoreHistoryAsk ask = {.lane = store_lane(h->f.world, LANE_BATCHES), .from = INT64_MIN, .to = INT64_MAX};
    TRY(store_reader_begin(h->store, &r));
    HistoryDesk *d = history_desk_take(h);
    Err err = store_history_rows(r, &ask, take_first, &first);
    if (!err && first.points) {
        CachedBlock *b;
        err = history_block(h, r, d, &first, &b);
        if (!err) *time = b->block.batches[0].time;
        if (!err) history_block_drop(h, b);
    }
    store_reader_end(r);
    history_desk_give(h, d);
    return err;
}

static Err begun_of(History *h, int64_t *time) {
    uint64_t to = atomic_load_explicit(&h->taken, memory_order_acquire);
    HeadView v = head_view(h, LANE_BATCHES, 0);
    *time = 0;
    Err err = begun_in_store(h, time);
    for (int32_t i = 0; !err && !*time && i < v.count; i++) {
        HeadCursor c = head_cursor(v.runs[i], to);
        HeadPoint x;
        if (head_next(&c, &x)) *time = x.time;
    }
    head_view_free(&v);
    return err;
}

Err history_begun(History *h, int64_t *time) {
    *time = 0;
    if (h->parent && h->f.fork_seq) {
        TRY(history_begun(h->parent, time));
        if (*time > h->f.fork_time) *time = 0;
    }
    return *time ? ERR_OK : begun_of(h, time);
}
