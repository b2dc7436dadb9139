// SPDX-License-Identifier: Apache-2.0
// Applying changes of links. A link lies in two doubly linked lists, newest first: those leaving its source and those
// entering its target. See core.h for the words.
#include "base/check.h"
#include "world/core.h"

#define LOW28 (((uint64_t)1 << 28) - 1)

static uint64_t get(World *w, uint64_t link, uint32_t k) { return core_get(w, VECNO_LINK, link, k); }
static void put(World *w, uint64_t link, uint32_t k, uint64_t v) { core_put(w, VECNO_LINK, VEC_LINK, link, k, v); }

// The id in the low bits of a word; what lies above it stays.
static uint64_t id_get(World *w, uint64_t link, uint32_t k) { return get(w, link, k) & ID_MAX; }
static void id_put(World *w, uint64_t link, uint32_t k, uint64_t id) {
    put(w, link, k, (get(w, link, k) & ~ID_MAX) | id);
}

static uint64_t prev_in_get(World *w, uint64_t link) {
    return get(w, link, LINK_NEXT_OUT) >> ID_BITS | (get(w, link, LINK_PREV_OUT) >> ID_BITS & 0xff) << 28;
}

static void prev_in_put(World *w, uint64_t link, uint64_t id) {
    put(w, link, LINK_NEXT_OUT, (get(w, link, LINK_NEXT_OUT) & ID_MAX) | (id & LOW28) << ID_BITS);
    put(w, link, LINK_PREV_OUT, (get(w, link, LINK_PREV_OUT) & ID_MAX) | id >> 28 << ID_BITS);
}

static bool alive(World *w, uint64_t twin) { return core_get(w, VECNO_HOT, twin, HOT_PLACE) != 0; }

static void head_put(World *w, uint64_t twin, uint32_t k, uint64_t link) {
    core_put(w, VECNO_COLD, VEC_COLD, twin, k, link);
}

static void lists_add(World *w, uint64_t link, uint64_t source, uint64_t target) {
    uint64_t out = core_get(w, VECNO_COLD, source, COLD_OUT);
    id_put(w, link, LINK_NEXT_OUT, out);
    if (out) id_put(w, out, LINK_PREV_OUT, link);
    head_put(w, source, COLD_OUT, link);
    uint64_t in = core_get(w, VECNO_COLD, target, COLD_IN);
    id_put(w, link, LINK_NEXT_IN, in);
    if (in) prev_in_put(w, in, link);
    head_put(w, target, COLD_IN, link);
}

static void lists_remove(World *w, uint64_t link, uint64_t source, uint64_t target) {
    uint64_t next = id_get(w, link, LINK_NEXT_OUT), prev = id_get(w, link, LINK_PREV_OUT);
    if (prev) id_put(w, prev, LINK_NEXT_OUT, next);
    else head_put(w, source, COLD_OUT, next);
    if (next) id_put(w, next, LINK_PREV_OUT, prev);
    next = id_get(w, link, LINK_NEXT_IN), prev = prev_in_get(w, link);
    if (prev) id_put(w, prev, LINK_NEXT_IN, next);
    else head_put(w, target, COLD_IN, next);
    if (next) prev_in_put(w, next, prev);
}

Err link_new(World *w, const Change *c) {
    const Catalog *cat = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    if (c->col >= (uint32_t)cat->kind_count || c->id == 0) return ERR_STALE;
    if (c->id > ID_MAX) return ERR_LIMIT;
    if (!alive(w, c->other)) return ERR_TWIN_NOT_FOUND;
    if (!alive(w, c->target)) return ERR_TARGET_NOT_FOUND;
    // Ids ascend, so that lists descend: pages of links are cut by id.
    if (core_get(w, VECNO_COLD, c->other, COLD_OUT) >= c->id || core_get(w, VECNO_COLD, c->target, COLD_IN) >= c->id)
        return get(w, c->id, LINK_SOURCE) ? ERR_EXISTS : ERR_STALE;
    View v = view_writer(w);
    if (get(w, c->id, LINK_SOURCE) || view_find_link(&v, (TwinId){c->other}, c->text).v) return ERR_EXISTS;
    put(w, c->id, LINK_SOURCE, c->other | (uint64_t)c->col << TABLE_SHIFT);
    put(w, c->id, LINK_TARGET, c->target);
    core_put_text(w, VECNO_LINK, VEC_LINK, c->id, LINK_RID, text_make(w->domain, c->text));
    put(w, c->id, LINK_TIME, (uint64_t)w->time);
    lists_add(w, c->id, c->other, c->target);
    index_insert(w, &index_rids, rid_hash((TwinId){c->other}, c->text), c->id);
    meta_put(w, META_LINKS, meta_get(w, META_LINKS) + 1);
    if (c->id > meta_get(w, META_ID_MAX)) meta_put(w, META_ID_MAX, c->id);
    return ERR_OK;
}

static void clear_values(World *w, uint64_t link, const LinkKind *k) {
    for (int32_t i = 0; i < k->rel->field_count; i++)
        cell_clear(w, k->first + (uint32_t)i, cell_shape(k->rel->fields[i].cell), link);
}

Err link_del(World *w, const Change *c, Change *full, Arena *keep) {
    View v = view_writer(w);
    LinkView l = view_link(&v, (LinkId){c->id});
    if (!l.alive) return ERR_LINK_NOT_FOUND;
    full->col = l.kind;
    full->other = l.source.v;
    full->target = l.target.v;
    full->text = arena_str(keep, text_str(&l.rid)); // the blob may go with the link
    index_remove(w, &index_rids, rid_hash(l.source, full->text), c->id);
    lists_remove(w, c->id, l.source.v, l.target.v);
    clear_values(w, c->id, &atomic_load_explicit(&w->catalog, memory_order_relaxed)->kinds[l.kind]);
    core_put_text(w, VECNO_LINK, VEC_LINK, c->id, LINK_RID, (Text){{0, 0}});
    for (uint32_t k = 0; k < 8; k++) put(w, c->id, k, 0);
    meta_put(w, META_LINKS, meta_get(w, META_LINKS) - 1);
    return ERR_OK;
}

// The link a change of a property means, with its kind and field.
static Err target(World *w, const Change *c, const LinkKind **k, const Field **f) {
    uint64_t source = get(w, c->id, LINK_SOURCE);
    if (!source) return ERR_LINK_NOT_FOUND;
    const Catalog *cat = atomic_load_explicit(&w->catalog, memory_order_relaxed);
    *k = catalog_link_column(cat, c->col, f);
    return *k && *k == &cat->kinds[source >> TABLE_SHIFT] ? ERR_OK : ERR_STALE;
}

static void touch_markers(World *w, const LinkKind *k, const Field *f, uint64_t link) {
    for (int32_t i = f->parent; i >= 0; i = k->rel->fields[i].parent) {
        Change mark = {.cell = (uint8_t)k->rel->fields[i].cell, .bits = 1};
        cell_put(w, k->first + (uint32_t)i, link, &mark);
    }
}

Err link_set(World *w, const Change *c, Change *full) {
    const LinkKind *k;
    const Field *f;
    TRY(target(w, c, &k, &f));
    if (c->cell != f->cell) return ERR_STALE;
    Change set = *c;
    set.source_time = 0; // not journalled for links
    full->fresh = cell_put(w, c->col, c->id, &set);
    touch_markers(w, k, f, c->id);
    put(w, c->id, LINK_TIME, (uint64_t)w->time);
    return ERR_OK;
}

Err link_unset(World *w, const Change *c) {
    const LinkKind *k;
    const Field *f;
    TRY(target(w, c, &k, &f));
    for (int32_t i = (int32_t)(c->col - k->first), end = f->end; i < end; i++)
        cell_clear(w, k->first + (uint32_t)i, cell_shape(k->rel->fields[i].cell), c->id);
    touch_markers(w, k, f, c->id);
    put(w, c->id, LINK_TIME, (uint64_t)w->time);
    return ERR_OK;
}
