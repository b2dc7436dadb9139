// SPDX-License-Identifier: Apache-2.0
// Readers: copy words under the page's version counter, then undo what is newer than the view.
#include <sched.h>
#include "base/check.h"
#include "world/core.h"
#include "world/past.h"

const Catalog *core_catalog(const World *w, uint64_t seq) {
    const Catalog *c = atomic_load_explicit(&w->catalog, memory_order_acquire);
    while (c && c->since > seq) c = atomic_load_explicit(&c->prev, memory_order_acquire);
    return c;
}

void view_begin(View *v, const World *w) {
    int32_t slot = domain_enter(w->domain);
    uint64_t seq;
    const Catalog *c;
    do { // again when the writer settled or undid a model operation in between
        seq = atomic_load_explicit(&w->visible, memory_order_acquire); // before root and catalog
        c = w->past ? atomic_load_explicit(&w->catalog, memory_order_acquire) : core_catalog(w, seq);
    } while (!c);
    *v = (View){
        .world = w,
        .root = atomic_load_explicit(&w->root, memory_order_acquire),
        .catalog = c,
        .ring = w->ring,
        .seq = seq,
        .slot = slot,
        .past = world_past_of(w),
    };
}

View view_writer(World *w) {
    return (View){
        .world = w,
        .root = atomic_load_explicit(&w->root, memory_order_relaxed),
        .catalog = atomic_load_explicit(&w->catalog, memory_order_relaxed),
        .seq = UINT64_MAX,
        .slot = -1,
        .past = world_past_of(w),
    };
}

void view_end(View *v) {
    if (v->slot >= 0) domain_leave(v->world->domain, v->slot);
    v->slot = -1;
}

// Between two looks at a page being written: a breath; when the writer seems to have lost the processor, ours.
static inline void wait_turn(uint32_t tries) {
    if (tries % 64 == 63) sched_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// The n words numbered words[] of a page, as of the view.
static void read_words(View *v, const Page *p, const uint32_t *words, uint32_t n, uint64_t *out) {
    uint64_t seq, undo;
    for (uint32_t tries = 0;; tries++) {
        uint64_t version = atomic_load_explicit(&p->version, memory_order_acquire);
        for (uint32_t i = 0; i < n; i++) out[i] = atomic_load_explicit(&p->words[words[i]], memory_order_relaxed);
        seq = atomic_load_explicit(&p->seq, memory_order_relaxed);
        undo = atomic_load_explicit(&p->undo, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        if ((version & 1) == 0 && atomic_load_explicit(&p->version, memory_order_relaxed) == version) break;
        wait_turn(tries);
    }
    if (seq <= v->seq || !v->ring) return;
    uint32_t logical[8];
    for (uint32_t i = 0; i < n; i++) logical[i] = page_logical(p, words[i]);
    if (ring_undo(v->ring, undo, v->seq, logical, n, out)) return;
    v->overrun = true;
    for (uint32_t i = 0; i < n; i++) out[i] = 0; // half a text must not be followed
}

// n words from `first` on, as of the view: read_words for words that lie side by side, which rows' words do.
static void read_run(View *v, const Page *p, uint32_t first, uint32_t n, uint64_t *out) {
    const _Atomic uint64_t *from = &p->words[first];
    uint64_t seq;
    for (uint32_t tries = 0;; tries++) {
        uint64_t version = atomic_load_explicit(&p->version, memory_order_acquire);
        for (uint32_t i = 0; i < n; i++) out[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
        seq = atomic_load_explicit(&p->seq, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        if ((version & 1) == 0 && atomic_load_explicit(&p->version, memory_order_relaxed) == version) break;
        wait_turn(tries);
    }
    if (seq <= v->seq || !v->ring) return;
    uint32_t words[8];
    for (uint32_t i = 0; i < n; i++) words[i] = first + i;
    read_words(v, p, words, n, out);
}

void view_words(View *v, uint32_t vec, uint64_t row, uint32_t first, uint32_t n, uint64_t *out) {
    const Page *p = view_tree_page(v, vec, row);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1));
    DEBUG_CHECK(n <= 8);
    if (p && r < p->cap) {
        read_run(v, p, page_cell_word(p, r) + first, n, out);
        return;
    }
    for (uint32_t i = 0; i < n; i++) out[i] = 0;
}

static uint64_t view_word(View *v, uint32_t vec, uint64_t row, uint32_t k) {
    uint64_t out;
    view_words(v, vec, row, k, 1, &out);
    return out;
}

CellView view_cell(View *v, uint32_t col, uint64_t row) {
    const Page *p = view_tree_page(v, col, row);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1));
    if (!p || r >= p->cap) return (CellView){0};
    bool text = p->b.shape == VEC_TEXT;
    uint32_t cell = page_cell_word(p, r), n = 3;
    uint32_t words[5] = {page_valid_word(r), page_update_word(p, r), cell};
    if (text) words[n++] = cell + 1;
    if (p->b.sources) words[n++] = page_source_word(p, r);
    uint64_t got[5];
    read_words(v, p, words, n, got);
    if (!(got[0] >> (r & 63) & 1)) return (CellView){0};
    CellView c = {.valid = true, .update_time = (int64_t)got[1]};
    if (text) c.text = (Text){{got[2], got[3]}};
    else c.bits = got[2];
    if (p->b.sources) c.source_time = (int64_t)got[n - 1];
    return c;
}

// ---- twins, links, rows ----

TwinView view_twin_place(View *v, TwinId id) {
    uint64_t hot[2];
    view_words(v, VECNO_HOT, id.v, 0, 2, hot);
    if (!hot[HOT_PLACE]) return (TwinView){0};
    return (TwinView){
        .alive = true,
        .table = (uint32_t)(hot[HOT_PLACE] >> TABLE_SHIFT) - 1,
        .row = hot[HOT_PLACE] & (((uint64_t)1 << TABLE_SHIFT) - 1),
        .update_time = (int64_t)hot[HOT_TIME],
    };
}

TwinView view_twin(View *v, TwinId id) {
    TwinView t = view_twin_place(v, id);
    uint64_t cold[4];
    view_words(v, VECNO_COLD, id.v, 0, 4, cold);
    t.name = (Text){{cold[COLD_NAME], cold[COLD_NAME_1]}};
    t.first_out.v = cold[COLD_OUT];
    t.first_in.v = cold[COLD_IN];
    return t;
}

void view_twin_links(View *v, TwinId id, LinkId *out, LinkId *in) {
    uint64_t heads[2];
    view_words(v, VECNO_COLD, id.v, COLD_OUT, 2, heads);
    out->v = heads[0];
    in->v = heads[1];
}

LinkView view_link(View *v, LinkId id) {
    uint64_t x[8];
    view_words(v, VECNO_LINK, id.v, 0, 8, x);
    if (!x[LINK_SOURCE]) return (LinkView){0};
    return (LinkView){
        .alive = true,
        .kind = (uint32_t)(x[LINK_SOURCE] >> TABLE_SHIFT),
        .source = {x[LINK_SOURCE] & ID_MAX},
        .target = {x[LINK_TARGET] & ID_MAX},
        .rid = {{x[LINK_RID], x[LINK_RID_1]}},
        .update_time = (int64_t)x[LINK_TIME],
        .next_out = {x[LINK_NEXT_OUT] & ID_MAX},
        .next_in = {x[LINK_NEXT_IN] & ID_MAX},
    };
}

int64_t view_model_rows(View *v) { return (int64_t)view_meta(v, META_MODEL_ROWS); }

ModelView view_model(View *v, int64_t row) {
    uint64_t x[8];
    view_words(v, VECNO_MODEL, (uint64_t)row, 0, 8, x);
    return (ModelView){
        .kind = (uint8_t)x[MODEL_KIND],
        .flag = (uint8_t)(x[MODEL_KIND] >> 8),
        .time = (int64_t)x[MODEL_TIME],
        .id = {{x[MODEL_ID], x[MODEL_ID_1]}},
        .doc = {{x[MODEL_DOC], x[MODEL_DOC_1]}},
    };
}

uint64_t view_table_rows(View *v, uint32_t table) { return view_word(v, VECNO_TABLE, 2 * (uint64_t)table, 0); }

TwinId view_row_twin(View *v, uint32_t table, uint64_t row) {
    uint64_t x = view_word(v, v->catalog->tables[table].rows, row, 0);
    return (TwinId){x & FREE_ROW ? 0 : x};
}

uint64_t view_meta(View *v, uint32_t row) { return view_word(v, VECNO_META, row, 0); }

// ---- names ----

static bool match_name(View *v, uint64_t id, const void *key) {
    Text t;
    view_words(v, VECNO_COLD, id, COLD_NAME, 2, t.w);
    return text_eq(&t, *(const Str *)key);
}

TwinId view_find_twin(View *v, Str name) {
    TwinId known = v->past ? past_find_twin(v, name) : (TwinId){0};
    if (known.v) return known;
    return (TwinId){index_find(v, &index_names, str_hash(name), match_name, &name)};
}

typedef struct RidKey {
    TwinId source;
    Str rid;
} RidKey;

static bool match_rid(View *v, uint64_t id, const void *key) {
    const RidKey *k = key;
    LinkView l = view_link(v, (LinkId){id});
    return l.alive && l.source.v == k->source.v && text_eq(&l.rid, k->rid);
}

LinkId view_find_link(View *v, TwinId source, Str rid) {
    LinkId known = v->past ? past_find_link(v, source, rid) : (LinkId){0};
    if (known.v) return known;
    RidKey key = {source, rid};
    return (LinkId){index_find(v, &index_rids, rid_hash(source, rid), match_rid, &key)};
}

// One guess checked against the row it points at; a wrong one (equal tags, a name that is newer than the view or went
// from the index since) is looked up the slow way.
static uint64_t confirm(View *v, uint64_t guess, const Page *cold, uint64_t hash, const Str *name) {
    uint32_t row = (uint32_t)(guess & (PAGE_ROWS - 1));
    if (guess && cold && row < cold->cap) { // ids are never used again: a name that stands there is this one's
        Text t;
        read_run(v, cold, vec_layout[VEC_COLD].words * row, 2, t.w);
        if (text_eq(&t, *name)) return guess;
    }
    return index_find(v, &index_names, hash, match_name, name);
}

// In three passes over runs of names, each touching the lines that the pass before asked for.
void view_find_twins(View *v, const Str *names, int64_t n, TwinId *out) {
    enum { RUN = 32 };
    for (int64_t i = 0; i < n && v->past; i++) out[i] = view_find_twin(v, names[i]);
    if (v->past) return;
    uint64_t hash[RUN], guess[RUN], depth = index_depth(v, &index_names);
    const Page *page[RUN], *cold[RUN];
    for (int64_t at = 0; at < n; at += RUN) {
        int64_t m = n - at < RUN ? n - at : RUN;
        for (int64_t i = 0; i < m; i++) {
            hash[i] = str_hash(names[at + i]);
            page[i] = index_page(v, &index_names, depth, hash[i]);
        }
        for (int64_t i = 0; i < m; i++) {
            guess[i] = page[i] ? index_guess(page[i], hash[i]) : 0;
            cold[i] = guess[i] ? view_page_ahead(v, VECNO_COLD, guess[i]) : NULL;
            if (cold[i]) __builtin_prefetch((const void *)&cold[i]->words[4 * (guess[i] & (PAGE_ROWS - 1))]);
        }
        for (int64_t i = 0; i < m; i++) out[at + i].v = confirm(v, guess[i], cold[i], hash[i], &names[at + i]);
    }
}

void view_guess_tables(View *v, const TwinId *ids, int64_t n, uint32_t *out) {
    enum { FAR = 8 };
    const Page *ahead[FAR] = {0};
    for (int64_t i = 0; i < n + FAR; i++) {
        if (i >= FAR) {
            const Page *p = ahead[i % FAR];
            uint32_t r = (uint32_t)(ids[i - FAR].v & (PAGE_ROWS - 1));
            uint64_t place = p && r < p->cap ? atomic_load_explicit(&p->words[2 * r], memory_order_relaxed) : 0;
            out[i - FAR] = (uint32_t)(place >> TABLE_SHIFT) - 1;
        }
        if (i >= n) continue;
        const Page *p = ids[i].v ? view_tree_page(v, VECNO_HOT, ids[i].v) : NULL;
        ahead[i % FAR] = p;
        if (p) __builtin_prefetch((const void *)&p->words[2 * (ids[i].v & (PAGE_ROWS - 1))]);
    }
}

// In two passes over runs of ids: rows are asked for, then read and their texts asked for.
void view_twin_names(View *v, const uint64_t *ids, int64_t n, Text *out) {
    enum { FAR = 16 };
    uint32_t words = vec_layout[VEC_COLD].words;
    for (int64_t i = 0; i < n + FAR; i++) {
        if (i < n && ids[i]) {
            const Page *p = view_page_ahead(v, VECNO_COLD, ids[i]);
            if (p) __builtin_prefetch((const void *)&p->words[words * (ids[i] & (PAGE_ROWS - 1))]);
        }
        if (i < FAR) continue;
        Text *t = &out[i - FAR];
        *t = (Text){{0, 0}};
        if (ids[i - FAR]) view_words(v, VECNO_COLD, ids[i - FAR], COLD_NAME, 2, t->w);
        if (!text_is_inline(*t)) __builtin_prefetch(text_str(t).p);
    }
}
