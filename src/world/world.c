// SPDX-License-Identifier: Apache-2.0
#include "world/world.h"
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"

enum { IDS_TWIN, IDS_TWIN_END, IDS_LINK, IDS_LINK_END };

// ---- making, forking, freeing ----

static World *world_make(Domain *d, int64_t ring_records) {
    World *w = mem_alloc(sizeof *w);
    w->domain = d;
    w->epoch = w->born = domain_next_epoch(d);
    w->future_ns = WORLD_FUTURE_NS;
    w->ring = ring_records > 0 ? ring_new(ring_records) : NULL;
    arena_init(&w->scratch, 4096);
    return w;
}

World *world_new(Domain *d, int64_t ring_records) {
    World *w = world_make(d, ring_records);
    Node *root = node_new(VEC_META, 0, w->epoch);
    block_account(d, &root->b);
    atomic_init(&w->root, root);
    atomic_init(&w->catalog, catalog_new());
    return w;
}

World *world_adopt(Domain *d, int64_t ring_records, Node *root, Catalog *catalog) {
    World *w = world_make(d, ring_records);
    atomic_init(&w->root, root);
    atomic_init(&w->catalog, catalog);
    w->seq = w->base_seq = meta_get(w, META_SEQ);
    w->time = (int64_t)meta_get(w, META_TIME);
    atomic_init(&w->visible, w->seq);
    domain_reserve_ids(d, meta_get(w, META_ID_MAX) + 1);
    return w;
}

World *world_fork(World *w, int64_t ring_records) {
    CHECK(!w->open);
    World *f = world_make(w->domain, ring_records);
    Node *root = atomic_load_explicit(&w->root, memory_order_relaxed);
    if (w->past || w->base) f->base = over_base(w->past ? w : w->base);
    Catalog *catalog = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    block_ref(&root->b);
    catalog_ref(catalog);
    atomic_init(&f->root, root);
    atomic_init(&f->catalog, catalog);
    atomic_init(&f->visible, w->seq);
    f->seq = f->base_seq = w->seq;
    f->time = w->time;
    f->future_ns = w->future_ns;
    if (!w->past) w->epoch = domain_next_epoch(w->domain); // invariant 2: what was shared is nobody's to write
    return f;
}

void world_set_future(World *w, int64_t future_ns) { w->future_ns = future_ns; }
int64_t world_future(const World *w) { return w->future_ns; }

static void catalog_drop(Domain *d, void *c) {
    (void)d;
    catalog_unref(c);
}

static void retire_catalog(World *w, Catalog *c) { domain_retire(w->domain, c, catalog_drop); }

void world_free(World *w) {
    if (!w) return;
    if (w->past && atomic_fetch_sub(&w->overs, 1) > 0) return; // the last world over it frees it
    for (TextTrails *q = &w->graves; q->count; q->count--) text_retire(w->domain, q->p[q->head++ & (q->cap - 1)].text);
    block_unref(w->domain, (Block *)atomic_load(&w->root));
    if (w->past) past_free(w);
    if (w->base) over_free(w);
    for (Catalog *c = atomic_load(&w->catalog); c;) {
        Catalog *prev = c->since > atomic_load(&w->visible) ? atomic_load(&c->prev) : NULL;
        retire_catalog(w, c);
        c = prev;
    }
    if (w->writes) domain_count_writer(w->domain, -1);
    ring_free(w->ring);
    mem_free(w->graves.p);
    mem_free(w->births.p);
    mem_free(w->batches.p);
    mem_free(w->cache);
    mem_free(w->put);
    buf_free(&w->batch);
    buf_free(&w->trail);
    arena_free(&w->scratch);
    domain_reclaim(w->domain);
    mem_free(w);
}

// ---- batches ----

int64_t world_next_time(const World *w, int64_t now) {
    int64_t t = now - now % 100;
    return t > w->time ? t : w->time + 100;
}

void world_begin(World *w, uint64_t seq, int64_t time) {
    CHECK(!w->open && !w->past);
    CHECK(seq > w->seq);
    CHECK(time > w->time || w->seq == 0);
    atomic_store_explicit(&w->broken, ERR_OK, memory_order_relaxed);
    if (!w->writes) domain_count_writer(w->domain, 1);
    w->writes = w->open = true;
    w->begin_pos = w->ring ? atomic_load_explicit(&w->ring->head, memory_order_relaxed) : 0;
    w->begin_time = w->time;
    w->begin_seq = w->seq;
    memcpy(w->begin_ids, w->ids, sizeof w->ids);
    w->seq = seq;
    w->time = time;
    buf_reset(&w->batch);
    w->batch_count = 0;
    w->link_said = 0;
    buf_reset(&w->trail);
    w->touched = false;
    w->tally = (StreamTally){0};
    meta_put(w, META_SEQ, seq);
    meta_put(w, META_TIME, (uint64_t)time);
}

Str world_batch(const World *w, int64_t *count) {
    *count = w->batch_count;
    return buf_str(&w->batch);
}

StreamTally world_tally(const World *w) { return w->tally; }

static void batch_trail(World *w) {
    BatchTrails *q = &w->batches;
    if (q->count == q->cap) {
        int64_t cap = q->cap ? q->cap * 2 : 64;
        BatchTrail *p = mem_alloc((size_t)cap * sizeof *p);
        for (int64_t i = 0; i < q->count; i++) p[i] = q->p[(q->head + i) & (q->cap - 1)];
        mem_free(q->p);
        *q = (BatchTrails){p, 0, q->count, cap};
    }
    uint64_t end = atomic_load_explicit(&w->ring->head, memory_order_relaxed);
    q->p[(q->head + q->count++) & (q->cap - 1)] = (BatchTrail){w->seq, end};
}

void world_end(World *w) {
    CHECK(w->open && !world_broken(w));
    w->open = false;
    if (w->ring) batch_trail(w);
#ifdef SOSIA_DEBUG
    if (w->seq % 64 == 0 && !w->base) world_verify(w); // not all that lies below
#endif
}

// Catalogs of operations after `seq` go.
static void rewind_catalogs(World *w, uint64_t seq) {
    Catalog *c = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    while (c->since > seq) {
        Catalog *prev = atomic_load_explicit(&c->prev, memory_order_relaxed);
        atomic_store_explicit(&w->catalog, prev, memory_order_release);
        atomic_exchange(&c->prev, NULL); // a reader who finds this sees the store above when it looks again
        retire_catalog(w, c);
        c = prev;
    }
}

// With no batch open or waiting nothing can be undone: the whole ring is free again, dead records too.
static void floor_raise(World *w) {
    if (w->ring && !w->batches.count) w->floor = atomic_load_explicit(&w->ring->head, memory_order_relaxed);
}

void world_rollback(World *w) {
    CHECK(w->open);
    atomic_store_explicit(&w->broken, ERR_OK, memory_order_relaxed); // what is put back is all the world's own
    core_rewind(w, w->begin_pos, w->begin_seq);
    rewind_catalogs(w, w->begin_seq);
    w->open = false;
    w->seq = w->begin_seq;
    w->time = w->begin_time;
    memcpy(w->ids, w->begin_ids, sizeof w->ids);
    buf_reset(&w->trail);
    floor_raise(w);
}

void world_undo_to(World *w, uint64_t seq) {
    CHECK(!w->open && seq >= world_visible(w));
    atomic_store_explicit(&w->broken, ERR_OK, memory_order_relaxed);
    BatchTrails *q = &w->batches;
    while (q->count && q->p[(q->head + q->count - 1) & (q->cap - 1)].seq > seq) q->count--;
    const BatchTrail *last = q->count ? &q->p[(q->head + q->count - 1) & (q->cap - 1)] : NULL;
    core_rewind(w, last ? last->end : w->floor, seq);
    rewind_catalogs(w, seq);
    w->seq = seq;
    w->time = (int64_t)meta_get(w, META_TIME);
    buf_reset(&w->trail);
    floor_raise(w);
}

// ---- becoming visible ----

void world_publish(World *w, uint64_t seq) {
    uint64_t now = atomic_load_explicit(&w->visible, memory_order_relaxed);
    while (now < seq && !atomic_compare_exchange_weak(&w->visible, &now, seq)) {}
}

static void settle_texts(World *w, TextTrails *q, uint64_t seq, bool retire) {
    while (q->count && q->p[q->head].seq <= seq) {
        if (retire) text_retire(w->domain, q->p[q->head].text);
        q->head = (q->head + 1) & (q->cap - 1);
        q->count--;
    }
}

static void settle_catalogs(World *w, uint64_t seq) {
    Catalog *c = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    while (c->since > seq) c = atomic_load_explicit(&c->prev, memory_order_relaxed);
    while (c && c->since > w->base_seq) { // older ones are chained by the world this one was forked from
        Catalog *old = atomic_exchange(&c->prev, NULL);
        if (old) retire_catalog(w, old);
        c = old;
    }
}

void world_settle(World *w, uint64_t seq) {
    world_publish(w, seq);
    BatchTrails *q = &w->batches;
    while (q->count && q->p[q->head].seq <= seq) {
        w->floor = q->p[q->head].end;
        q->head = (q->head + 1) & (q->cap - 1);
        q->count--;
    }
    if (!w->open) floor_raise(w);
    settle_texts(w, &w->graves, seq, true);
    settle_texts(w, &w->births, seq, false);
    settle_catalogs(w, seq);
    domain_reclaim(w->domain);
}

static void trails_free(TextTrails *q) {
    if (q->count) return;
    mem_free(q->p);
    *q = (TextTrails){0};
}

void world_forget(World *w) {
    CHECK(!w->open && !w->batches.count);
    if (w->ring) ring_clear(w->ring, w->seq);
    floor_raise(w);
    trails_free(&w->graves);
    trails_free(&w->births);
    buf_free(&w->batch);
    buf_free(&w->trail);
    arena_free(&w->scratch);
    arena_init(&w->scratch, 4096);
}

int64_t world_room(const World *w) { return core_room(w); }
Err world_broken(const World *w) { return (Err)atomic_load_explicit(&w->broken, memory_order_relaxed); }
uint64_t world_seq(const World *w) { return w->seq; }
uint64_t world_visible(const World *w) { return atomic_load_explicit(&w->visible, memory_order_acquire); }
int64_t world_time(const World *w) { return w->time; }
Domain *world_domain(const World *w) { return w->domain; }

static uint64_t take_id(World *w, int at) {
    if (w->ids[at] == w->ids[at + 1]) {
        w->ids[at] = domain_take_ids(w->domain);
        w->ids[at + 1] = w->ids[at] + 1024;
    }
    return w->ids[at]++;
}

TwinId world_take_twin_id(World *w) { return (TwinId){take_id(w, IDS_TWIN)}; }
LinkId world_take_link_id(World *w) { return (LinkId){take_id(w, IDS_LINK)}; }

// ---- changes ----

static Err model_change(World *w, const Change *c) {
    Catalog *old = atomic_load_explicit(&w->catalog, memory_order_relaxed), *next;
    TRY(catalog_next(old, c->kind, c->text, c->bits != 0, w->time, &next));
    uint64_t row = meta_get(w, META_MODEL_ROWS);
    uint32_t text_at = c->kind == CHANGE_MODELS_ADD || c->kind == CHANGE_DOC ? MODEL_DOC : MODEL_ID;
    core_put(w, VECNO_MODEL, VEC_MODEL, row, MODEL_KIND, c->kind | (c->bits & 0xff) << 8);
    core_put(w, VECNO_MODEL, VEC_MODEL, row, MODEL_TIME, (uint64_t)w->time);
    core_put_text(w, VECNO_MODEL, VEC_MODEL, row, text_at, text_make(w->domain, c->text));
    meta_put(w, META_MODEL_ROWS, row + 1);
    next->since = w->seq;
    atomic_init(&next->prev, old);
    atomic_store_explicit(&w->catalog, next, memory_order_release);
    return ERR_OK;
}

static int64_t fields_of(World *w, uint64_t twin) {
    uint64_t place = core_get(w, VECNO_HOT, twin, HOT_PLACE);
    const Catalog *cat = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    return place ? cat->tables[(place >> TABLE_SHIFT) - 1].model->field_count : 0;
}

// Words a change may log at most.
static int64_t cost_max(World *w, const Change *c) {
    const Catalog *cat = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    switch (c->kind) {
    case CHANGE_TWIN_NEW: return 64 + index_cost_max(w, &index_names, str_hash(c->text));
    case CHANGE_LINK_NEW: return 64 + index_cost_max(w, &index_rids, rid_hash((TwinId){c->other}, c->text));
    case CHANGE_TWIN_DEL:
    case CHANGE_UNSET: return 64 + (int64_t)PAGE_ROWS + 8 * fields_of(w, c->id);
    case CHANGE_LINK_DEL:
    case CHANGE_LINK_UNSET: {
        uint64_t kind = core_get(w, VECNO_LINK, c->id, LINK_SOURCE) >> TABLE_SHIFT;
        return 64 + (int64_t)PAGE_ROWS + 8 * (kind < (uint64_t)cat->kind_count ? cat->kinds[kind].rel->field_count : 0);
    }
    case CHANGE_TWIN_MODEL: {
        int64_t more = c->col < (uint32_t)cat->table_count ? cat->tables[c->col].model->field_count : 0;
        return 64 + 8 * (fields_of(w, c->id) + more);
    }
    default: return 128;
    }
}

// ---- the guard ----

void world_guard(World *w, const WorldGuard *g) { w->guard = g; }
const WorldGuard *world_guard_now(const World *w) { return w->guard; }
bool world_touched(const World *w) { return w->touched; }

static bool touches(const WorldGuard *g, const Change *c) {
    bool value = c->kind == CHANGE_SET || c->kind == CHANGE_LINK_SET || c->kind == CHANGE_LATE;
    if (!value && c->kind != CHANGE_SOURCE_TIME) return c->kind != CHANGE_TELEMETRY;
    return c->col >= g->count || (g->watched[c->col >> 6] >> (c->col & 63) & 1);
}

Str world_guarded(const World *w, uint64_t twin, uint32_t col) {
    const WorldGuard *g = w->guard;
    if (!g || col >= g->count || !(g->columns[col >> 6] >> (col & 63) & 1)) return (Str){0};
    return g->by(g, twin, col);
}

// Does the value stand there already?
static bool same_value(World *w, const Change *c) {
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, (TwinId){c->id});
    const Field *f;
    if (!t.alive || catalog_column(v.catalog, c->col, &f) != &v.catalog->tables[t.table]) return false;
    CellView now = view_cell(&v, c->col, t.row);
    if (!now.valid || c->cell != f->cell) return false;
    return cell_is_text(f->cell) ? text_eq(&now.text, c->text) : now.bits == c->bits;
}

static Err twin_set_guarded(World *w, const Change *c, Change *full) {
    if (!world_guarded(w, c->id, c->col).n) return twin_set(w, c, full);
    if (!same_value(w, c)) return ERR_VALIDATION;
    full->kind = 0;
    return ERR_OK;
}

static Err apply(World *w, const Change *c, Change *full) {
    if (w->guard && (c->kind == CHANGE_UNSET || c->kind == CHANGE_SOURCE_TIME) && world_guarded(w, c->id, c->col).n)
        return ERR_VALIDATION;
    switch ((ChangeKind)c->kind) {
    case CHANGE_MODELS_ADD:
    case CHANGE_MODEL_REMOVE:
    case CHANGE_DOC:
    case CHANGE_MODEL_FLAG: return model_change(w, c);
    case CHANGE_TICK: return ERR_OK;
    case CHANGE_TWIN_NEW: return twin_new(w, c);
    case CHANGE_TWIN_DEL: return twin_del(w, c, full);
    case CHANGE_TWIN_MODEL: return twin_model(w, c);
    case CHANGE_SET: return w->guard ? twin_set_guarded(w, c, full) : twin_set(w, c, full);
    case CHANGE_LATE: return twin_late(w, c);
    case CHANGE_UNSET: return twin_unset(w, c);
    case CHANGE_SOURCE_TIME: return twin_source_time(w, c);
    case CHANGE_LINK_NEW: return link_new(w, c);
    case CHANGE_LINK_DEL: return link_del(w, c, full, &w->scratch);
    case CHANGE_LINK_SET: return link_set(w, c, full);
    case CHANGE_LINK_UNSET: return link_unset(w, c);
    case CHANGE_TELEMETRY: return twin_telemetry(w, c);
    case CHANGE_ERASED: return twin_erased(w, c);
    case CHANGE_TWIN_WAS: return core_get(w, VECNO_HOT, c->id, HOT_PLACE) ? ERR_OK : ERR_TWIN_NOT_FOUND;
    case CHANGE_LINK_AT:
    case CHANGE_LINK_WAS: return core_get(w, VECNO_LINK, c->id, LINK_SOURCE) ? ERR_OK : ERR_LINK_NOT_FOUND;
    case CHANGE_KIND_COUNT: break;
    }
    return ERR_ARGUMENT;
}

// Feeds and history speak of links that are dead by then: the batch names a link before it tells of its values.
static void link_say(World *w, const Change *c) {
    bool names = c->kind == CHANGE_LINK_NEW || c->kind == CHANGE_LINK_AT;
    bool tells = c->kind == CHANGE_LINK_SET || c->kind == CHANGE_LINK_UNSET;
    if (tells && c->id != w->link_said) {
        View v = view_writer(w);
        LinkView l = view_link(&v, (LinkId){c->id});
        Change at = {.kind = CHANGE_LINK_AT,
                     .id = c->id,
                     .other = l.source.v,
                     .target = l.target.v,
                     .col = l.kind,
                     .text = text_str(&l.rid)};
        change_encode(&at, &w->batch);
        w->batch_count++;
    }
    if (tells || names) w->link_said = c->id;
}

Err world_do(World *w, const Change *c) {
    DEBUG_CHECK(w->open);
    int64_t cost = cost_max(w, c);
    TRY(world_broken(w));
    if (cost == INT64_MAX || (!w->replaying && core_room(w) < cost)) return ERR_LIMIT;
    Change full = *c;
    Err e = apply(w, c, &full);
    TRY(world_broken(w));
    TRY(e);
    if (full.kind != c->kind) {
        w->tally.late += full.kind == CHANGE_LATE;
        w->tally.duplicates += full.kind == 0;
        if (!full.kind) return ERR_OK;
    }
    if (full.kind >= CHANGE_LINK_NEW) link_say(w, &full);
    if (w->guard && !w->touched) w->touched = touches(w->guard, &full);
    change_encode(&full, &w->batch);
    w->batch_count++;
    if (w->scratch.used) arena_reset(&w->scratch);
    return w->batch.full || w->trail.full ? ERR_LIMIT : ERR_OK;
}

// Ask for the lines that the SET will touch: first the twin's place, later its cells.
static void prefetch_place(World *w, const Change *c) {
    const Page *p = core_page(w, VECNO_HOT, c->id >> PAGE_SHIFT);
    uint32_t r = (uint32_t)(c->id & (PAGE_ROWS - 1));
    if (p && r < p->cap) __builtin_prefetch((const void *)&p->words[2 * r], 1);
}

static void prefetch_cell(World *w, const Change *c) {
    uint64_t place = core_get(w, VECNO_HOT, c->id, HOT_PLACE), row = place & (((uint64_t)1 << TABLE_SHIFT) - 1);
    if (!place || c->col < VECNO_COLUMNS) return;
    const Page *p = core_page(w, c->col, row >> PAGE_SHIFT);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1));
    if (!p || r >= p->cap || !vec_layout[p->b.shape].timed) return;
    __builtin_prefetch((const void *)&p->words[page_cell_word(p, r)], 1);
    __builtin_prefetch((const void *)&p->words[page_update_word(p, r)], 1);
    __builtin_prefetch((const void *)&p->words[page_valid_word(r)], 1);
    if (p->b.sources) __builtin_prefetch((const void *)&p->words[page_source_word(p, r)], 1);
}

Err world_do_sets(World *w, const Change *sets, int64_t n, int64_t *failed) {
    enum { FAR = 32, NEAR = 16 };
    for (int64_t i = 0; i < n && i < FAR; i++) prefetch_place(w, &sets[i]);
    for (int64_t i = 0; i < n && i < NEAR; i++) prefetch_cell(w, &sets[i]);
    for (int64_t i = 0; i < n; i++) {
        if (i + FAR < n) prefetch_place(w, &sets[i + FAR]);
        if (i + NEAR < n) prefetch_cell(w, &sets[i + NEAR]);
        Err e = sets[i].kind == CHANGE_SET ? world_do(w, &sets[i]) : ERR_ARGUMENT;
        if (e == ERR_OK) continue;
        if (failed) *failed = i;
        return e;
    }
    return ERR_OK;
}

static Err replay_changes(World *w, Cut *bytes, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        Change c;
        TRY(change_decode(bytes, &c));
        TRY(world_do(w, &c));
        domain_reserve_ids(w->domain, c.kind == CHANGE_TWIN_NEW || c.kind == CHANGE_LINK_NEW ? c.id + 1 : 0);
    }
    return ERR_OK;
}

Err world_replay(World *w, Cut *bytes, BatchHead *head) {
    TRY(batch_decode(bytes, head));
    if (head->seq <= w->seq || (head->time <= w->time && w->seq)) return ERR_CORRUPT;
    world_begin(w, head->seq, head->time);
    w->replaying = true; // nothing will be undone: a batch may be larger than the ring, which was another one then
    Err e = replay_changes(w, bytes, head->count);
    w->replaying = false;
    TRY(e);
    world_end(w);
    world_settle(w, head->seq);
    return ERR_OK;
}
