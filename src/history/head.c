// SPDX-License-Identifier: Apache-2.0
// Heads. A run is a list of chunks of records; a record lies in one chunk:
//
//   u16: row (10 bits) | kind (3) | has a source time (1) | size of the value (2)
//   source time, if any: signed varint against the newest one of the run
//   value of PUT, MOVED, LATE: 0, 2, 4 or 8 bytes (see value_size); texts: varint length, bytes
//   update time of MOVED: signed varint against the batch's
//
// Kind 0 says that what follows is of another batch: varint of the sequence and signed varint of the time, against the
// batch before, varint of the source's number, and with SOURCE_IS_TEXT its text. The first record of a run is one.
//
// Readers run along with the writer: a record is published by the release of `used`, a chunk by that of `next`, and a
// chunk that has a next one grows no more.
#include "base/check.h"
#include "base/mem.h"
#include "history/history_inner.h"

enum {
    CHUNK_FIRST = 96,
    CHUNK_MAX = 16 << 10,
    MARK_BYTES_MAX = 2 + 10 + 10 + 5 + 10, // without its text
    POINT_BYTES_MAX = 2 + 10 + 10 + 10,    // without its text
    GROUP = 32,                            // records looked up together
    TABLE_FIRST = 256,                     // slots of live's tables
    FORK_FIRST = 16,                       // of a fork's
};
#define PAGE_BITS 28

_Static_assert(HBLOCK_ROWS == PAGE_ROWS, "a block is of one page");

// ---- the table of heads ----

static uint64_t key_of(uint64_t lane, uint64_t page) {
    CHECK(page < (uint64_t)1 << PAGE_BITS);
    return (lane << PAGE_BITS | page) + 1;
}

static uint64_t mix(uint64_t k) {
    k *= UINT64_C(0x9e3779b97f4a7c15);
    return k ^ k >> 29;
}

static Head *slot_of(const HeadTable *t, uint64_t key) {
    uint64_t i = mix(key) & (uint64_t)(t->cap - 1);
    while (t->slots[i].key && t->slots[i].key != key) i = (i + 1) & (uint64_t)(t->cap - 1);
    return &t->slots[i];
}

Head *head_find(const HeadTable *t, uint64_t lane, uint64_t page) {
    if (!t->cap || page >= (uint64_t)1 << PAGE_BITS) return NULL;
    Head *s = slot_of(t, key_of(lane, page));
    return s->key ? s : NULL;
}

static void table_grow(HeadTable *t, int64_t cap) {
    HeadTable old = *t;
    int64_t kept = 0;
    // Heads with nothing in them are left behind: what they know can be asked of the store again.
    for (int64_t i = 0; i < old.cap; i++) kept += old.slots[i].key && (old.slots[i].open || old.slots[i].frozen);
    while (cap < kept * 4) cap *= 2;
    *t = (HeadTable){.slots = mem_alloc((size_t)cap * sizeof(Head)), .cap = cap, .count = kept};
    for (int64_t i = 0; i < old.cap; i++) {
        const Head *s = &old.slots[i];
        if (s->key && (s->open || s->frozen)) *slot_of(t, s->key) = *s;
    }
    mem_free(old.slots);
}

static int64_t first_cap(const History *h) { return h->parent ? FORK_FIRST : TABLE_FIRST; }

static LanePages *lane_slot(const History *h, uint64_t lane) {
    uint64_t i = mix(lane) & (uint64_t)(h->lane_cap - 1);
    while (h->lanes[i].pages && h->lanes[i].lane != lane) i = (i + 1) & (uint64_t)(h->lane_cap - 1);
    return &h->lanes[i];
}

static void lanes_grow(History *h) {
    LanePages *old = h->lanes;
    int64_t cap = h->lane_cap;
    h->lane_cap = cap ? cap * 2 : first_cap(h);
    h->lanes = mem_alloc((size_t)h->lane_cap * sizeof(LanePages));
    for (int64_t i = 0; i < cap; i++) {
        if (old[i].pages) *lane_slot(h, old[i].lane) = old[i];
    }
    mem_free(old);
}

static void lane_has(History *h, uint64_t lane, uint64_t page) {
    if (h->lane_count * 2 >= h->lane_cap) lanes_grow(h);
    LanePages *l = lane_slot(h, lane);
    h->lane_count += l->pages == 0;
    l->lane = lane;
    if (l->pages <= page) l->pages = page + 1;
}

uint64_t head_pages(History *h, uint64_t lane) {
    pthread_mutex_lock(&h->root->lock);
    uint64_t pages = h->lane_cap ? lane_slot(h, lane)->pages : 0;
    pthread_mutex_unlock(&h->root->lock);
    return pages;
}

static Head *head_make(History *h, uint64_t lane, uint64_t page) {
    uint64_t key = key_of(lane, page);
    Head *s = h->heads.cap ? slot_of(&h->heads, key) : NULL;
    if (s && s->key) return s;
    pthread_mutex_lock(&h->root->lock);
    if (h->heads.count * 2 >= h->heads.cap) table_grow(&h->heads, first_cap(h));
    s = slot_of(&h->heads, key);
    *s = (Head){.key = key};
    h->heads.count++;
    lane_has(h, lane, page);
    pthread_mutex_unlock(&h->root->lock);
    return s;
}

void head_table_free(HeadTable *t) {
    for (int64_t i = 0; i < t->cap; i++) {
        head_run_unref(t->slots[i].open);
        head_run_unref(t->slots[i].frozen);
    }
    mem_free(t->slots);
    *t = (HeadTable){0};
}

// ---- runs ----

static HeadChunk *chunk_new(HeadRun *r, int64_t need) {
    int64_t cap = r->bytes < CHUNK_FIRST ? CHUNK_FIRST : r->bytes > CHUNK_MAX ? CHUNK_MAX : r->bytes;
    if (cap < need) cap = need;
    HeadChunk *c = mem_alloc(sizeof *c + (size_t)cap);
    c->cap = (uint32_t)cap;
    r->bytes += (int64_t)sizeof *c + cap;
    return c;
}

static HeadRun *run_new(uint64_t lane, uint64_t page, uint64_t seq, int64_t time) {
    HeadRun *r = mem_alloc(sizeof *r);
    *r = (HeadRun){.lane = lane, .page = page, .seq_first = seq, .time_first = time};
    atomic_init(&r->refs, 1);
    r->first = r->last = chunk_new(r, 0);
    return r;
}

void head_run_unref(HeadRun *r) {
    if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) return;
    for (HeadChunk *c = r->first, *next; c; c = next) {
        next = atomic_load_explicit(&c->next, memory_order_relaxed);
        mem_free(c);
    }
    mem_free(r);
}

// Room for `need` bytes more; where they go. What is written there is published by `put_end`.
static uint8_t *put_begin(HeadRun *r, int64_t need) {
    HeadChunk *c = r->last;
    uint32_t used = atomic_load_explicit(&c->used, memory_order_relaxed);
    if ((int64_t)c->cap - used < need) {
        HeadChunk *more = chunk_new(r, need);
        atomic_store_explicit(&c->next, more, memory_order_release);
        r->last = c = more;
        used = 0;
    }
    return c->bytes + used;
}

static void put_end(HeadRun *r, const uint8_t *end) {
    atomic_store_explicit(&r->last->used, (uint32_t)(end - r->last->bytes), memory_order_release);
}

static uint8_t *put_varint(uint8_t *p, uint64_t v) {
    for (; v >= 0x80; v >>= 7) *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *put_signed(uint8_t *p, uint64_t v) { return put_varint(p, v << 1 ^ (uint64_t)((int64_t)v >> 63)); }

static uint8_t *put_u16(uint8_t *p, uint32_t v) {
    uint16_t x = (uint16_t)v;
    memcpy(p, &x, 2);
    return p + 2;
}

static uint32_t value_size(uint64_t bits) {
    if (bits == 0) return 0;
    if (bits <= UINT16_MAX) return 1;
    return (uint32_t)bits == 0 ? 2 : 3;
}

static uint8_t *put_value(uint8_t *p, uint64_t bits, uint32_t size) {
    if (size == 1) return put_u16(p, (uint32_t)bits);
    if (size == 2) bits >>= 32;
    memcpy(p, &bits, 8);
    return p + (size == 0 ? 0 : size == 2 ? 4 : 8);
}

static uint8_t *put_text(uint8_t *p, Str text) {
    p = put_varint(p, (uint64_t)text.n);
    if (text.n) memcpy(p, text.p, (size_t)text.n);
    return p + text.n;
}

static void put_mark(HeadRun *r, uint64_t seq, int64_t time, HistorySource source) {
    uint8_t *p = put_u16(put_begin(r, MARK_BYTES_MAX + source.text.n), 0);
    p = put_varint(p, seq - r->seq_last);
    p = put_signed(p, (uint64_t)time - (uint64_t)r->time_last);
    p = put_varint(p, source.number);
    put_end(r, source.number == SOURCE_IS_TEXT ? put_text(p, source.text) : p);
    r->seq_last = seq;
    r->time_last = time;
}

static bool has_value(uint8_t kind) { return kind == HPOINT_PUT || kind == HPOINT_MOVED || kind == HPOINT_LATE; }

// One point of the batch that was marked last.
static void put_point(HeadRun *r, const HPoint *x, bool text) {
    bool value = has_value(x->kind), source = x->source_time != 0;
    text = text && value;
    int64_t need = POINT_BYTES_MAX + 8 + (text ? x->text.n : 0);
    uint32_t size = value && !text ? value_size(x->bits) : 0;
    uint8_t *p = put_begin(r, need);
    p = put_u16(p, x->row | (uint32_t)x->kind << 10 | (uint32_t)source << 13 | size << 14);
    if (source) {
        p = put_signed(p, (uint64_t)x->source_time - (uint64_t)r->source_last);
        r->source_last = x->source_time;
    }
    if (text) p = put_text(p, x->text);
    else p = put_value(p, x->bits, size);
    if (x->kind == HPOINT_MOVED) p = put_signed(p, (uint64_t)x->update_time - (uint64_t)r->time_last);
    put_end(r, p);
    r->points++;
}

// ---- trails to points ----

// What kind of values a lane has, as a record of it tells; 0: it does not.
static HCell cell_of(const TrailPoint *p) {
    switch ((TrailKind)p->kind) {
    case TRAIL_WORD: return HCELL_WORD;
    case TRAIL_TEXT:
    case TRAIL_TELEMETRY: return HCELL_TEXT;
    case TRAIL_PUT:
    case TRAIL_MOVED:
    case TRAIL_LATE: break;
    case TRAIL_CLEAR:
    case TRAIL_SOURCE:
    case TRAIL_DEAD:
    case TRAIL_KIND_COUNT: return 0;
    }
    switch ((CellKind)p->cell) {
    case CELL_BOOL:
    case CELL_OBJECT:
    case CELL_COMPONENT: return HCELL_BOOL; // markers: 1
    case CELL_I64: return HCELL_I64;
    case CELL_F64: return HCELL_F64;
    case CELL_STR:
    case CELL_DOC: return HCELL_TEXT;
    }
    return HCELL_WORD;
}

// ORDER TRAIL
static const uint8_t point_kind[TRAIL_KIND_COUNT] = {
    [TRAIL_WORD] = HPOINT_PUT,    [TRAIL_TEXT] = HPOINT_PUT,      [TRAIL_PUT] = HPOINT_PUT,
    [TRAIL_CLEAR] = HPOINT_CLEAR, [TRAIL_SOURCE] = HPOINT_SOURCE, [TRAIL_MOVED] = HPOINT_MOVED,
    [TRAIL_LATE] = HPOINT_LATE,   [TRAIL_TELEMETRY] = HPOINT_PUT, [TRAIL_DEAD] = 0,
};

static HPoint point_of(const TrailPoint *t) {
    return (HPoint){.row = (uint16_t)(t->row & (PAGE_ROWS - 1)),
                    .kind = point_kind[t->kind],
                    .source_time = t->source_time,
                    .update_time = t->update_time,
                    .bits = t->bits,
                    .text = t->text};
}

static void add_dead(History *h, const TrailPoint *p, uint64_t seq, int64_t time) {
    char *name = mem_alloc((size_t)p->text.n + 1);
    if (p->text.n) memcpy(name, p->text.p, (size_t)p->text.n);
    pthread_mutex_lock(&h->root->lock);
    if (h->dead_count == h->dead_cap) {
        h->dead_cap = h->dead_cap ? h->dead_cap * 2 : 64;
        h->dead = mem_grow(h->dead, (size_t)h->dead_cap * sizeof *h->dead);
    }
    h->dead[h->dead_count++] = (DeadTwin){.twin = p->row, .seq = seq, .name = {name, p->text.n}, .time = time};
    if (h->dead_count > DEAD_MANY) h->root->many_dead = true;
    pthread_mutex_unlock(&h->root->lock);
}

typedef struct Add {
    History *h;
    uint64_t seq;
    int64_t time;
    HistorySource source;
    int64_t bytes, points;
} Add;

// Where a point of the batch goes: the open run of its head, begun when there is none, its batch marked.
static HeadRun *run_for(Add *a, uint64_t lane, uint64_t page) {
    Head *head = head_make(a->h, lane, page);
    HeadRun *r = head->open;
    if (!r) {
        r = run_new(lane, page, a->seq, a->time);
        put_mark(r, a->seq, a->time, a->source);
        pthread_mutex_lock(&a->h->root->lock);
        head->open = r;
        pthread_mutex_unlock(&a->h->root->lock);
        a->bytes += r->bytes;
    } else if (r->seq_last != a->seq) {
        int64_t before = r->bytes;
        put_mark(r, a->seq, a->time, a->source);
        a->bytes += r->bytes - before;
    }
    return r;
}

static void add_point(Add *a, uint64_t lane, uint64_t page, HCell cell, const HPoint *p) {
    HeadRun *r = run_for(a, lane, page);
    int64_t before = r->bytes;
    uint8_t had = atomic_load_explicit(&r->cell, memory_order_relaxed);
    if (cell && !had) atomic_store_explicit(&r->cell, (uint8_t)cell, memory_order_relaxed);
    CHECK(!cell || !had || cell == had);
    put_point(r, p, cell == HCELL_TEXT);
    a->bytes += r->bytes - before;
    a->points++;
    if (r->bytes > HEAD_RUN_BYTES_MAX) a->h->root->long_run = true;
}

// Ask for the lines that a record will need, one step of the way each time.
static void look_ahead(const HeadTable *t, uint64_t lane, uint64_t page, int step) {
    if (!t->cap) return;
    const Head *s = &t->slots[mix(key_of(lane, page)) & (uint64_t)(t->cap - 1)];
    if (step == 0) {
        __builtin_prefetch(s);
        return;
    }
    s = slot_of(t, key_of(lane, page));
    if (!s->key || !s->open) return;
    if (step == 1) {
        __builtin_prefetch(s->open);
        __builtin_prefetch((const char *)s->open + 64);
    } else __builtin_prefetch(s->open->last);
}

static void add_group(Add *a, const TrailPoint *group, int32_t n) {
    for (int step = 0; step < 3; step++) {
        for (int32_t i = 0; i < n; i++) {
            look_ahead(&a->h->heads, trail_lane(group[i].vec, group[i].word), group[i].row >> PAGE_SHIFT, step);
        }
    }
    for (int32_t i = 0; i < n; i++) {
        const TrailPoint *t = &group[i];
        if (t->kind == TRAIL_DEAD) {
            add_dead(a->h, t, a->seq, a->time);
            continue;
        }
        HPoint p = point_of(t);
        add_point(a, trail_lane(t->vec, t->word), t->row >> PAGE_SHIFT, cell_of(t), &p);
    }
}

void head_append(History *h, uint64_t seq, int64_t time, HistorySource source, Str trail, bool no_batch) {
    Add a = {.h = h, .seq = seq, .time = time, .source = source};
    TrailPoint group[GROUP];
    HPoint batch = {.kind = HPOINT_PUT};
    Cut c = cut_of(trail);
    if (!no_batch) add_point(&a, LANE_BATCHES, 0, HCELL_WORD, &batch);
    for (int32_t n = GROUP; n == GROUP;) {
        for (n = 0; n < GROUP && trail_next(&c, &group[n]);) n++;
        add_group(&a, group, n);
    }
    atomic_fetch_add_explicit(&h->root->head_bytes, a.bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->root->n.points, a.points - !no_batch, memory_order_relaxed);
}

// ---- reading ----

static HeadView view_of(const Head *s) {
    HeadView v = {0};
    if (s && s->frozen) v.runs[v.count++] = s->frozen;
    if (s && s->open) v.runs[v.count++] = s->open;
    for (int32_t i = 0; i < v.count; i++) atomic_fetch_add_explicit(&v.runs[i]->refs, 1, memory_order_relaxed);
    return v;
}

HeadView head_view(History *h, uint64_t lane, uint64_t page) {
    pthread_mutex_lock(&h->root->lock);
    HeadView v = view_of(head_find(&h->heads, lane, page));
    pthread_mutex_unlock(&h->root->lock);
    return v;
}

HeadView *head_views(History *h, int64_t *count) {
    int64_t n = 0;
    pthread_mutex_lock(&h->root->lock);
    HeadView *views = mem_alloc((size_t)h->heads.count * sizeof *views);
    for (int64_t i = 0; i < h->heads.cap; i++) {
        if (h->heads.slots[i].key) views[n++] = view_of(&h->heads.slots[i]);
    }
    pthread_mutex_unlock(&h->root->lock);
    *count = n;
    return views;
}

void head_view_free(HeadView *v) {
    for (int32_t i = 0; i < v->count; i++) head_run_unref(v->runs[i]);
    v->count = 0;
}

// What can be read of the chunk now; asks for the next one first, so that a chunk that has one is seen whole.
static void chunk_look(HeadCursor *c) {
    c->final = atomic_load_explicit(&c->chunk->next, memory_order_acquire) != NULL;
    c->end = c->chunk->bytes + atomic_load_explicit(&c->chunk->used, memory_order_acquire);
}

HeadCursor head_cursor(const HeadRun *r, uint64_t to) {
    HeadCursor c = {.run = r, .chunk = r->first, .at = r->first->bytes, .to = to};
    chunk_look(&c);
    return c;
}

static uint64_t get_varint(const uint8_t **p) {
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return v;
    }
}

static uint64_t get_signed(const uint8_t **p) {
    uint64_t v = get_varint(p);
    return v >> 1 ^ -(v & 1);
}

static uint32_t get_u16(const uint8_t **p) {
    uint16_t x;
    memcpy(&x, *p, 2);
    *p += 2;
    return x;
}

static uint64_t get_value(const uint8_t **p, uint32_t size) {
    static const uint8_t bytes[] = {0, 2, 4, 8};
    uint64_t v = 0;
    memcpy(&v, *p, bytes[size]);
    *p += bytes[size];
    return size == 2 ? v << 32 : v;
}

static Str get_text(const uint8_t **p) {
    int64_t n = (int64_t)get_varint(p);
    Str s = {(const char *)*p, n};
    *p += n;
    return s;
}

// False: there is no record any more.
static bool more_bytes(HeadCursor *c) {
    while (c->at == c->end) {
        if (!c->final) return false;
        c->chunk = atomic_load_explicit(&c->chunk->next, memory_order_acquire);
        c->at = c->chunk->bytes;
        chunk_look(c);
    }
    return true;
}

static void get_point(HeadCursor *c, uint32_t head, HPoint *p) {
    *p = (HPoint){.row = (uint16_t)(head & (PAGE_ROWS - 1)), .kind = (uint8_t)(head >> 10 & 7)};
    if (head >> 13 & 1) {
        c->source_time = (int64_t)((uint64_t)c->source_time + get_signed(&c->at));
        p->source_time = c->source_time;
    }
    bool text = atomic_load_explicit(&c->run->cell, memory_order_relaxed) == HCELL_TEXT;
    if (text && has_value(p->kind)) p->text = get_text(&c->at);
    else p->bits = get_value(&c->at, head >> 14);
    if (p->kind == HPOINT_MOVED) p->update_time = (int64_t)((uint64_t)c->time + get_signed(&c->at));
}

bool head_next(HeadCursor *c, HeadPoint *out) {
    while (more_bytes(c)) {
        uint32_t head = get_u16(&c->at);
        if ((head >> 10 & 7) == 0) {
            c->seq += get_varint(&c->at);
            c->time = (int64_t)((uint64_t)c->time + get_signed(&c->at));
            c->source = (HistorySource){.number = (uint32_t)get_varint(&c->at)};
            if (c->source.number == SOURCE_IS_TEXT) c->source.text = get_text(&c->at);
            if (c->seq > c->to) {
                c->at = c->end;
                c->final = false;
                return false;
            }
            continue;
        }
        *out = (HeadPoint){.seq = c->seq, .time = c->time, .source = c->source};
        get_point(c, head, &out->p);
        return true;
    }
    return false;
}

// ---- taking out ----

static bool is_text(const HeadRun *r) { return atomic_load_explicit(&r->cell, memory_order_relaxed) == HCELL_TEXT; }

// Append a point of another run to *r, begun when there is none.
static void copy_point(HeadRun **r, const HeadRun *from, const HeadPoint *x) {
    if (!*r) {
        *r = run_new(from->lane, from->page, x->seq, x->time);
        atomic_store_explicit(&(*r)->cell, atomic_load_explicit(&from->cell, memory_order_relaxed),
                              memory_order_relaxed);
    }
    if ((*r)->seq_last != x->seq) put_mark(*r, x->seq, x->time, x->source);
    put_point(*r, &x->p, is_text(from));
}

int64_t head_sift(History *h, Head *head, bool frozen, bool (*keep)(void *ctx, HeadPoint *x), void *ctx) {
    HeadRun *old = frozen ? head->frozen : head->open, *kept = NULL;
    CHECK(!head->flying);
    HeadCursor c = head_cursor(old, UINT64_MAX);
    for (HeadPoint x; head_next(&c, &x);)
        if (keep(ctx, &x)) copy_point(&kept, old, &x);
    pthread_mutex_lock(&h->root->lock);
    *(frozen ? &head->frozen : &head->open) = kept;
    pthread_mutex_unlock(&h->root->lock);
    int64_t grew = (kept ? kept->bytes : 0) - old->bytes;
    atomic_fetch_add_explicit(&h->root->head_bytes, grew, memory_order_relaxed);
    head_run_unref(old);
    return grew;
}

static bool behind(void *ctx, HeadPoint *x) { return x->seq > *(const uint64_t *)ctx; }

void head_drop(History *h, Head *head, uint64_t seq) {
    CHECK(!head->frozen);
    if (head->open) head_sift(h, head, false, behind, &seq);
}
