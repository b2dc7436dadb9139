// SPDX-License-Identifier: Apache-2.0
// The block of state: where its parts are, how it grows, how it is written down.
//
//   Head | nodes | edges | resources | modes | tallies | digests | levels | rings | scratch   fixed by the model
//        | pos | heap | items | attributes                                                      by Head.cap
#include <stdio.h>
#include "base/mem.h"
#include "flow/inner.h"

// What depends on the room for items.
typedef struct Layout {
    size_t heap, item, attr, size;
} Layout;

static size_t take(size_t *at, size_t size) {
    size_t here = *at;
    *at += (size + 63) & ~(size_t)63;
    return here;
}

static uint32_t fixed_timers(const FlowModel *m) { return 3 * m->nodes + m->modes + m->resources; }

void flow_lay_out(FlowModel *m) {
    StateAt *l = &m->state_at;
    size_t at = 0;
    take(&at, sizeof(Head));
    l->node = take(&at, m->nodes * sizeof(Node));
    l->edge = take(&at, m->edges * sizeof(Edge));
    l->res = take(&at, m->resources * sizeof(Res));
    l->mode = take(&at, m->modes * sizeof(Mode));
    l->tally = take(&at, 2 * (size_t)m->tallies * sizeof(FlowTally));
    l->digest = take(&at, 2 * (size_t)m->digests * DIGEST_SIZE * sizeof(uint64_t));
    l->level = take(&at, m->levels * sizeof(double));
    l->dirty = take(&at, m->nodes * sizeof(uint32_t));
    l->res_dirty = take(&at, 2 * (size_t)m->resources * sizeof(uint32_t)); // those at work, and anew
    l->count = take(&at, m->types * sizeof(uint32_t));
    l->changed = take(&at, ((size_t)m->nodes + m->resources) * sizeof(uint32_t));
    l->pos = at;
}

static Layout layout(const FlowModel *m, uint32_t cap) {
    Layout l;
    size_t at = m->state_at.pos, timers = (size_t)fixed_timers(m) + cap;
    take(&at, timers * sizeof(uint32_t));
    l.heap = take(&at, timers * sizeof(HeapEntry));
    l.item = take(&at, cap * sizeof(Item));
    l.attr = take(&at, (size_t)cap * m->attributes * sizeof(double));
    l.size = at;
    return l;
}

size_t flow_state_size(const FlowModel *m, uint32_t cap) { return layout(m, cap).size; }

static const void *model_at(const FlowModel *m, size_t at) { return (const char *)m + at; }

void flow_bind(Flow *f, const FlowModel *m, void *state) {
    f->m = m;
    f->pn = model_at(m, m->node_at);
    f->pe = model_at(m, m->edge_at);
    f->out_edge = model_at(m, m->out_at);
    f->in_edge = model_at(m, m->in_at);
    f->pr = model_at(m, m->resource_at);
    f->cal = model_at(m, m->calendar_at);
    f->dist = model_at(m, m->dist_at);
    f->use = model_at(m, m->use_at);
    f->pm = model_at(m, m->mode_at);
    f->set = model_at(m, m->set_at);
    f->num = model_at(m, m->number_at);
    f->user_ptr = model_at(m, m->user_ptr_at);
    f->user = model_at(m, m->user_at);
    uint8_t *s = f->state = state;
    f->h = (Head *)(void *)s;
    const StateAt *at = &m->state_at;
    Layout l = layout(m, f->h->cap);
    f->n = (Node *)(void *)(s + at->node);
    f->e = (Edge *)(void *)(s + at->edge);
    f->r = (Res *)(void *)(s + at->res);
    f->mode = (Mode *)(void *)(s + at->mode);
    f->tally = (FlowTally *)(void *)(s + at->tally);
    f->digest = (uint64_t *)(void *)(s + at->digest);
    f->level = (double *)(void *)(s + at->level);
    f->dirty = (uint32_t *)(void *)(s + at->dirty);
    f->res_dirty = (uint32_t *)(void *)(s + at->res_dirty);
    f->count = (uint32_t *)(void *)(s + at->count);
    f->changed = (uint32_t *)(void *)(s + at->changed);
    f->h->heap_at = l.heap;
    f->pos = (uint32_t *)(void *)(s + at->pos);
    f->heap = (HeapEntry *)(void *)(s + l.heap);
    f->it = (Item *)(void *)(s + l.item);
    f->attr = (double *)(void *)(s + l.attr);
}

// ---- room for items ------------------------------------------------------------------------------------------------

// Items from `first` on are free.
static void free_items(Flow *f, uint32_t first) {
    for (uint32_t i = f->h->cap; i-- > first;) {
        f->it[i].at = AT_FREE;
        f->it[i].next = f->h->free;
        f->h->free = i;
        f->pos[timer_item(f, i)] = NONE;
    }
}

static void grow(Flow *f, uint32_t cap) {
    uint32_t before = f->h->cap, fixed = fixed_timers(f->m);
    Layout a = layout(f->m, before), b = layout(f->m, cap);
    uint8_t *s = f->resize(f->ctx, b.size);
    memmove(s + b.attr, s + a.attr, (size_t)before * f->m->attributes * sizeof(double));
    memmove(s + b.item, s + a.item, before * sizeof(Item));
    memmove(s + b.heap, s + a.heap, ((size_t)fixed + before) * sizeof(HeapEntry));
    ((Head *)(void *)s)->cap = cap;
    ((Head *)(void *)s)->size = b.size;
    flow_bind(f, f->m, s);
    free_items(f, before);
}

bool flow_room(Flow *f, uint32_t n, uint32_t node) {
    uint32_t most = f->h->items_max;
    uint64_t need = (uint64_t)f->h->alive + n;
    if (need > most) return flow_fail(f, node, ERR_LIMIT, "there are %u items, and %u are the most", f->h->alive, most);
    if (need <= f->h->cap) return true;
    uint64_t cap = need > 2 * (uint64_t)f->h->cap ? need : 2 * (uint64_t)f->h->cap;
    grow(f, cap > FLOW_ITEMS_MAX ? FLOW_ITEMS_MAX : (uint32_t)cap);
    return true;
}

bool flow_fail(Flow *f, uint32_t node, Err e, const char *fmt, ...) {
    Buf text = {0};
    char name[40] = "flow";
    if (f->err != ERR_OK) return false;
    f->err = e;
    f->bad = node;
    if (node < f->m->nodes) snprintf(name, sizeof name, "node %u", node);
    Str at = node < f->m->nodes ? flow_name(f->m, node) : (Str){0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    (void)diag_add(f->d, e, -1, -1, at.n ? at : str_of(name), "%.*s (at %.17g s)", STR_ARG(buf_str(&text)), f->h->now);
    buf_free(&text);
    return false;
}

// ---- a state of our own --------------------------------------------------------------------------------------------

static void *resize_own(void *ctx, size_t size) {
    Flow *f = ctx;
    size_t keep = f->h ? f->h->size : 0;
    uint8_t *s = mem_alloc_page(size);
    if (keep > size) keep = size;
    if (keep) memcpy(s, f->state, keep);
    memset(s + keep, 0, size - keep);
    mem_free(f->state);
    return s;
}

Flow *flow_open(const FlowModel *m) {
    Flow *f = mem_alloc(sizeof *f);
    f->own = true;
    f->resize = resize_own;
    f->ctx = f;
    f->m = m;
    return f;
}

void flow_close(Flow *f) {
    if (!f) return;
    mem_free(f->state);
    mem_free(f->trace);
    mem_free(f);
}

static uint64_t mix(uint64_t h) {
    h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
    return h ^ h >> 31;
}

void flow_key(Flow *f, uint64_t seed, uint64_t scenario) {
    uint64_t key = mix(mix(seed + UINT64_C(0x9E3779B97F4A7C15)) + scenario);
    f->h->key[0] = (uint32_t)key;
    f->h->key[1] = (uint32_t)(key >> 32);
}

void flow_clear(Flow *f, const FlowStart *s) {
    uint32_t cap = f->state ? f->h->cap : s->items ? s->items : 64;
    if (cap > FLOW_ITEMS_MAX) cap = FLOW_ITEMS_MAX;
    size_t size = flow_state_size(f->m, cap);
    uint8_t *state = f->state && f->h->size == size ? f->state : f->resize(f->ctx, size);
    const FlowModel *m = f->m; // it may lie before the state, and move with it
    memset(state, 0, size);
    *(Head *)(void *)state = (Head){.magic = STATE_MAGIC, .size = size, .model = m->hash, .cap = cap, .free = NONE};
    flow_bind(f, m, state);
    flow_key(f, s->seed, s->scenario);
    f->h->week_s = s->week_s;
    f->h->items_max = s->items_max && s->items_max < FLOW_ITEMS_MAX ? s->items_max : FLOW_ITEMS_MAX;
    f->h->warmup = s->warmup;
    f->h->warmed = !(s->warmup > 0);
    memset(f->pos, 0xff, ((size_t)fixed_timers(m) + cap) * sizeof *f->pos);
    free_items(f, 0);
    f->err = ERR_OK;
    f->traced = 0;
}

// ---- saving --------------------------------------------------------------------------------------------------------

void flow_save(const Flow *f, Buf *out) {
    buf_u64(out, str_hash((Str){(const char *)f->state, (int64_t)f->h->size}));
    buf_put(out, f->state, (int64_t)f->h->size);
}

Err flow_load(Flow *f, Str bytes, Diag *d) {
    Cut c = cut_of(bytes);
    uint64_t hash = cut_u64(&c);
    Head head;
    Str body = {bytes.p + 8, bytes.n - 8};
    if (c.bad || body.n < (int64_t)sizeof head)
        return diag_add(d, ERR_CORRUPT, -1, -1, STR("flow"), "the state is cut");
    memcpy(&head, body.p, sizeof head);
    if (head.magic != STATE_MAGIC || head.model != f->m->hash || head.cap > FLOW_ITEMS_MAX)
        return diag_add(d, ERR_CORRUPT, -1, -1, STR("flow"), "the state is of another model");
    if (head.size != (uint64_t)body.n || head.size != flow_state_size(f->m, head.cap) || str_hash(body) != hash)
        return diag_add(d, ERR_CORRUPT, -1, -1, STR("flow"), "the state is cut or changed");
    uint8_t *s = f->resize(f->ctx, head.size);
    memcpy(s, body.p, head.size);
    flow_bind(f, f->m, s);
    f->err = ERR_OK;
    f->traced = 0;
    return ERR_OK;
}
