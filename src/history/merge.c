// SPDX-License-Identifier: Apache-2.0
// What waits to be merged, and what merging and retention share.
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/merge_inner.h"

#define PAUSE_NS NS_PER_S // after the store refused a change; doubles
#define PAUSE_NS_MAX (60 * NS_PER_S)
#define FROM_KIND STR("sosia.history")
#define FROM_KEY STR("from")

enum { FROM_IDLE, FROM_DURABLE, FROM_REFUSED };

// ---- places -------------------------------------------------------------------------------------------------------

static uint64_t place_hash(uint64_t lane, uint64_t page) {
    uint64_t x = (lane * UINT64_C(0x9e3779b97f4a7c15)) ^ (page * UINT64_C(0xc2b2ae3d27d4eb4f));
    return x ^ x >> 29;
}

static int64_t place_find(const Merge *m, uint64_t lane, uint64_t page) {
    int64_t i = (int64_t)(place_hash(lane, page) & (uint64_t)(m->place_cap - 1));
    while (m->places[i].used && (m->places[i].lane != lane || m->places[i].page != page))
        i = (i + 1) & (m->place_cap - 1);
    return i;
}

// Pages of forks that are no longer open leave. Returns how many stay.
static int64_t places_leave(const Merge *m) {
    int64_t kept = 0;
    for (int64_t i = 0; i < m->place_cap; i++) {
        Place *p = &m->places[i];
        uint64_t world = store_lane_world(p->lane);
        if (p->used && world && !fork_is_open(m->root, world)) p->used = false;
        kept += p->used;
    }
    return kept;
}

// More slots when they are needed; the ring of those due is made again, since it numbers them.
static void places_grow(Merge *m) {
    int64_t was_cap = m->place_cap, n = m->due_count, kept = places_leave(m), k = 0;
    Place *was = m->places;
    int64_t *due = mem_alloc((size_t)n * sizeof *due);
    for (m->place_cap = 256; m->place_cap < kept * 4;) m->place_cap *= 2;
    m->places = mem_alloc((size_t)m->place_cap * sizeof *m->places);
    for (int64_t i = 0; i < was_cap; i++)
        if (was[i].used) m->places[place_find(m, was[i].lane, was[i].page)] = was[i];
    for (int64_t i = 0; i < n; i++) {
        const Place *p = &was[m->due[(m->due_head + i) % m->due_cap]];
        if (p->used) due[k++] = place_find(m, p->lane, p->page);
    }
    for (int64_t i = 0; i < k; i++) m->due[i] = due[i];
    m->due_head = 0;
    m->due_count = k;
    m->place_count = kept;
    mem_free(due);
    mem_free(was);
}

Place *merge_place(Merge *m, uint64_t lane, uint64_t page) {
    if (m->place_count * 2 >= m->place_cap) places_grow(m);
    Place *p = &m->places[place_find(m, lane, page)];
    if (p->used) return p;
    *p = (Place){.lane = lane, .page = page, .cut = INT64_MIN, .used = true};
    m->place_count++;
    return p;
}

static void due_grow(Merge *m) {
    int64_t cap = m->due_cap ? m->due_cap * 2 : 64;
    int64_t *to = mem_alloc((size_t)cap * sizeof *to);
    for (int64_t i = 0; i < m->due_count; i++) to[i] = m->due[(m->due_head + i) % m->due_cap];
    mem_free(m->due);
    m->due = to;
    m->due_cap = cap;
    m->due_head = 0;
}

static void due_put(Merge *m, Place *p) {
    if (p->queued || p->corrupt) return;
    if (m->due_count == m->due_cap) due_grow(m);
    m->due[(m->due_head + m->due_count++) % m->due_cap] = p - m->places;
    p->queued = true;
    atomic_store(&m->n.behind, m->due_count);
}

static Place *due_take(Merge *m) {
    Place *p = &m->places[m->due[m->due_head]];
    m->due_head = (m->due_head + 1) % m->due_cap;
    m->due_count--;
    p->queued = false;
    atomic_store(&m->n.behind, m->due_count);
    return p;
}

static void young(Merge *m, uint64_t lane, uint64_t page, int64_t points) {
    Place *p = merge_place(m, lane, page);
    p->young++;
    p->points += points;
    if (p->young >= MERGE_FAN || p->points >= MERGE_POINTS) due_put(m, p);
}

void history_merge_sealed(History *h, uint64_t lane, uint64_t page, int64_t points, int64_t bytes) {
    (void)bytes;
    young(h->merge, lane, page, points);
}

// ---- open and close -----------------------------------------------------------------------------------------------

Merge *history_merge_new(void) {
    Merge *m = mem_alloc(sizeof *m);
    splice_init(&m->splice);
    arena_init(&m->list, 1 << 16);
    return m;
}

static void work_free(Merge *m) {
    splice_free(&m->splice);
    means_free(&m->means);
    buf_free(&m->bytes);
    buf_free(&m->means_bytes);
    arena_free(&m->list);
}

void merge_tidy(Merge *m) {
    CHECK(!m->under_way);
    work_free(m);
    splice_init(&m->splice);
    arena_init(&m->list, 1 << 16);
}

void history_merge_free(Merge *m) {
    if (!m) return;
    work_free(m);
    mem_free(m->places);
    mem_free(m->due);
    mem_free(m->pass.lanes);
    mem_free(m);
}

// Pages of forks are counted when something is sealed of them again.
static bool load_young(void *ctx, const StoreHistory *row) {
    if (store_lane_world(row->lane)) return true;
    young(ctx, row->lane, row->page, row->points);
    return true;
}

Err history_merge_open(History *h) {
    StoreReader *r;
    h->merge->splice.work = h->coder;
    h->merge->root = h;
    TRY(merge_load_from(h));
    TRY(store_reader_begin(h->store, &r));
    Err err = store_history_scan(r, 0, 0, load_young, h->merge);
    store_reader_end(r);
    return err;
}

SpliceKind merge_kind(uint64_t lane) {
    if (LANE_IS_BATCHES(lane) || LANE_IS_TELEMETRY(lane)) return SPLICE_BARE;
    return lane_vec(lane) >= VECNO_COLUMNS ? SPLICE_CELLS : SPLICE_WORDS;
}

// ---- rows of a page -----------------------------------------------------------------------------------------------

static bool keep_row(void *ctx, const StoreHistory *row) {
    Rows *rows = ctx;
    if (rows->count == rows->cap) {
        int64_t cap = rows->cap ? rows->cap * 2 : 64;
        StoreHistory *to = NEW(rows->keep, StoreHistory, cap);
        if (rows->count) memcpy(to, rows->items, (size_t)rows->count * sizeof *to);
        rows->items = to;
        rows->cap = cap;
    }
    rows->items[rows->count++] = *row;
    return true;
}

Err merge_rows(StoreReader *r, uint64_t lane, uint64_t page, bool means, Rows *out) {
    StoreHistoryAsk ask = {.lane = lane, .page = page, .means = means, .from = INT64_MIN, .to = INT64_MAX};
    out->count = 0;
    return store_history_rows(r, &ask, keep_row, out);
}

Err merge_fetch(StoreReader *r, const StoreHistory *rows, int64_t n, int64_t bytes_max, MergeRowFn fn, void *ctx) {
    bool go_on = true;
    int64_t bytes = 0;
    for (int64_t i = 0; i < n && go_on && bytes < bytes_max; i++) {
        StoreHistory row;
        TRY(store_history_row(r, rows[i].id, &row));
        bytes += row.bytes.n;
        TRY(fn(ctx, &row, &go_on));
    }
    return ERR_OK;
}

typedef struct Before {
    Merge *m;
    Err err;
} Before;

static bool pass_row(void *ctx, const StoreHistory *row) {
    Before *b = ctx;
    b->err = splice_pass(&b->m->splice, row);
    return !b->err;
}

Err merge_state_before(Merge *m, StoreReader *r, const StoreHistory *row) {
    Before b = {m, ERR_OK};
    StoreHistoryAsk ask = {.lane = row->lane, .page = row->page, .bytes = true, .known = true, .at = row->t0 - 1};
    splice_from_nothing(&m->splice);
    TRY(store_history_rows(r, &ask, pass_row, &b));
    return b.err;
}

// ---- changes ------------------------------------------------------------------------------------------------------

static void ended(Merge *m, Err err) {
    m->under_way = false;
    if (!err) {
        m->pause_ns = m->next_ns = 0;
        return;
    }
    m->pause_ns = m->pause_ns ? m->pause_ns * 2 : PAUSE_NS;
    if (m->pause_ns > PAUSE_NS_MAX) m->pause_ns = PAUSE_NS_MAX;
    m->next_ns = time_mono_ns() + m->pause_ns;
}

static void put_ended(History *h, void *arg, Err err) {
    (void)arg;
    if (err) atomic_fetch_add(&h->n.failed, 1);
    h->merge->pass.refused |= err != ERR_OK;
    ended(h->merge, err);
}

Err merge_put(History *h, const StoreHistoryPut *put) {
    CHECK(!h->merge->under_way);
    h->merge->under_way = true;
    Err err = history_put(h, put, put_ended, NULL);
    if (err) ended(h->merge, err);
    return err;
}

// ---- history_from -------------------------------------------------------------------------------------------------

Err merge_load_from(History *h) {
    Buf items = {0};
    bool more;
    Str key, value;
    Err err = store_items_scan(h->store, FROM_KIND, (Str){0}, 0, &items, &more);
    Cut c = cut_of(buf_str(&items));
    while (!err && store_item_next(&c, &key, &value)) {
        if (!str_eq(key, FROM_KEY)) continue;
        Cut v = cut_of(value);
        int64_t from = (int64_t)cut_u64(&v);
        if (v.bad) err = ERR_CORRUPT;
        else if (from > atomic_load(&h->from)) atomic_store(&h->from, from); // later than its beginning
    }
    buf_free(&items);
    return err;
}

// The store's thread.
static void on_from(void *arg, Err err, const char *why) {
    (void)why;
    History *h = arg;
    atomic_store(&h->merge->from_ended, err ? FROM_REFUSED : FROM_DURABLE);
    pthread_mutex_lock(&h->lock);
    h->flying--;
    h->poked = true;
    h->idle = false;
    pthread_cond_signal(&h->work);
    pthread_mutex_unlock(&h->lock);
}

static void fly(History *h, int64_t n) {
    pthread_mutex_lock(&h->lock);
    h->flying += n;
    pthread_mutex_unlock(&h->lock);
}

bool merge_put_from(History *h, int64_t from) {
    Merge *m = h->merge;
    if (atomic_load(&h->from) >= from) return true;
    Buf value = {0};
    buf_u64(&value, (uint64_t)from);
    StoreItem item = {.kind = FROM_KIND, .key = FROM_KEY, .value = buf_str(&value)};
    m->under_way = true;
    m->from_next = from;
    fly(h, 1);
    Err err = store_items_put(h->store, &item, 1, on_from, h);
    if (err) {
        fly(h, -1);
        ended(m, err);
    }
    buf_free(&value);
    return false;
}

static void take_from(History *h) {
    Merge *m = h->merge;
    int state = atomic_exchange(&m->from_ended, FROM_IDLE);
    if (state == FROM_IDLE) return;
    if (state == FROM_DURABLE) atomic_store(&h->from, m->from_next);
    ended(m, state == FROM_DURABLE ? ERR_OK : ERR_STORAGE);
}

// ---- steps --------------------------------------------------------------------------------------------------------

static Err step_merge(History *h) {
    Merge *m = h->merge;
    Place *p = due_take(m);
    uint64_t lane = p->lane, page = p->page;
    bool more = false;
    Err err = merge_page(h, lane, page, &more);
    p = merge_place(m, lane, page);
    if (err == ERR_CORRUPT || err == ERR_LIMIT) {
        p->corrupt = true; // told by `check`; the blocks stay as they are
        atomic_fetch_add(&m->n.corrupt, 1);
        err = ERR_OK;
    } else if (more || err) {
        due_put(m, p);
    }
    return err;
}

static Err step_retain(History *h) {
    int64_t began = time_mono_ns();
    Err err = retain_step(h);
    atomic_fetch_add(&h->merge->n.retain_ns, time_mono_ns() - began);
    return err;
}

bool history_merge_step(History *h) {
    Merge *m = h->merge;
    take_from(h);
    if (m->under_way) return false;
    if (atomic_load(&h->erase)) return erase_step(h);
    if (m->next_ns && time_mono_ns() < m->next_ns) return false;
    retain_begin(h);
    if (!m->due_count && !m->pass.running) return false;
    bool retain = m->pass.running && (!m->due_count || m->turns++ % 4 == 0);
    Err err = retain ? step_retain(h) : step_merge(h);
    if (err && !m->under_way) ended(m, err);
    return !err;
}
