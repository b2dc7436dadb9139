// SPDX-License-Identifier: Apache-2.0
#include "query/match_ball.h"
#include "base/mem.h"
#include "world/past.h"

void ball_init(Ball *b, Exec *x, int32_t edge, bool out, bool in) {
    *b = (Ball){.x = x, .edge = edge, .out = out, .in = in};
}

void ball_free(Ball *b) {
    int64_t bytes = b->cap * (int64_t)sizeof *b->list + b->slot_cap * (int64_t)sizeof *b->slots +
                    b->link_cap * (int64_t)sizeof *b->links;
    meter_bytes(b->x->meter, -bytes);
    mem_free(b->list);
    mem_free(b->slots);
    mem_free(b->links);
}

static int64_t slot_of(const Ball *b, uint64_t id) {
    uint64_t h = id * 0x9E3779B97F4A7C15u;
    int64_t i = (int64_t)(h >> 20) & (b->slot_cap - 1);
    while (b->slots[i] && b->list[b->slots[i] - 1].id != id) i = (i + 1) & (b->slot_cap - 1);
    return i;
}

Near *ball_find(const Ball *b, uint64_t id) {
    int64_t at = b->slot_cap ? b->slots[slot_of(b, id)] : 0;
    return at ? &b->list[at - 1] : NULL;
}

static bool grow(Ball *b) {
    int64_t slots = b->slot_cap ? 4 * b->slot_cap : 256, cap = slots / 2;
    int64_t bytes = (slots - b->slot_cap) * (int64_t)sizeof *b->slots + (cap - b->cap) * (int64_t)sizeof *b->list;
    if (!meter_bytes(b->x->meter, bytes)) {
        meter_bytes(b->x->meter, -bytes);
        return false;
    }
    b->list = mem_grow(b->list, (size_t)cap * sizeof *b->list);
    b->cap = cap;
    mem_free(b->slots);
    b->slots = mem_alloc((size_t)slots * sizeof *b->slots);
    b->slot_cap = slots;
    for (int64_t i = 0; i < b->n; i++) b->slots[slot_of(b, b->list[i].id)] = i + 1;
    return true;
}

bool ball_add(Ball *b, uint64_t id, uint64_t link, int64_t from, int32_t hops) {
    if (b->n == b->cap && !grow(b)) return false;
    int64_t at = slot_of(b, id);
    if (b->slots[at]) return false;
    Near *near = &b->list[b->n];
    *near = (Near){.id = id, .link = link, .from = from, .hops = hops, .root = b->n};
    if (from >= 0) near->root = b->list[from].root;
    if (from >= 0) near->branch = b->list[from].from < 0 ? link : b->list[from].branch;
    b->slots[at] = ++b->n;
    return true;
}

void ball_prefetch(const Ball *b, int64_t i) {
    if (i >= b->n) return;
    uint64_t id = b->list[i].id;
    const Page *p = view_page_ahead(b->x->view, VECNO_COLD, id);
    if (p && (id & (PAGE_ROWS - 1)) < p->cap)
        __builtin_prefetch((const void *)&p->words[page_cell_word(p, (uint32_t)(id & (PAGE_ROWS - 1)))]);
}

bool ball_grow(Ball *b) {
    int64_t end = b->n;
    for (int64_t i = b->level; i < end; i++) {
        if (i + 4 < end) ball_prefetch(b, i + 4);
        b->link_count = 0;
        if (!walk_links(b->x, b->edge, b->list[i].id, b->out, b->in, &b->links, &b->link_count, &b->link_cap))
            return false;
        for (int64_t k = 0; k < b->link_count; k++)
            ball_add(b, b->links[k].other, b->links[k].link, i, b->list[i].hops + 1);
        if (!exec_goes(b->x)) return false;
    }
    b->level = end;
    b->hops++;
    return b->n > end;
}
