// SPDX-License-Identifier: Apache-2.0
// One batch settles: marks walk from what changed back to the twins whose values depend on it, then units are computed
// by rank, each writing what changed and marking what depends on that.
//
// Invariants
//  1. Links and twins do not change while a batch settles, so walks go over the world as the batch left it. What a
//     batch took away needs no older look: the removal nearest to a row marks that row.
//  2. A mark is (hop, twin): everybody behind it is marked with it, once. Marks may be too many, never too few.
//  3. Ranks ascend: nothing that was computed is marked again to any effect.
#include "base/check.h"
#include "base/mem.h"
#include "engine/derive_past.h"

#define SEEN_MIN 1024
#define TWIN_BITS 36

// ---- what was seen ------------------------------------------------------------------------------------------------

static uint64_t mix(uint64_t k) {
    k *= UINT64_C(0x9e3779b97f4a7c15);
    return k ^ k >> 32;
}

static void seen_grow(DeriveRun *x) {
    uint64_t *old = x->seen;
    int64_t cap = x->seen_cap;
    x->seen_cap = cap ? 2 * cap : SEEN_MIN;
    x->seen = mem_alloc((size_t)x->seen_cap * sizeof *x->seen);
    for (int64_t i = 0; i < cap; i++) {
        if (!old[i]) continue;
        uint64_t at = mix(old[i]) & (uint64_t)(x->seen_cap - 1);
        while (x->seen[at]) at = (at + 1) & (uint64_t)(x->seen_cap - 1);
        x->seen[at] = old[i];
    }
    mem_free(old);
}

// False: it was there.
static bool seen_add(DeriveRun *x, int32_t hop, uint64_t twin) {
    if (2 * x->seen_count >= x->seen_cap) seen_grow(x);
    uint64_t key = (uint64_t)(hop + 1) << TWIN_BITS | twin, mask = (uint64_t)(x->seen_cap - 1), at = mix(key) & mask;
    for (; x->seen[at]; at = (at + 1) & mask)
        if (x->seen[at] == key) return false;
    x->seen[at] = key;
    x->seen_count++;
    return true;
}

// A large table that was hardly used goes: clearing it would cost more than the batch.
static void seen_clear(DeriveRun *x) {
    if (x->seen_cap > 16 * SEEN_MIN && x->seen_count < x->seen_cap / 64) {
        mem_free(x->seen);
        x->seen = NULL;
        x->seen_cap = 0;
    } else if (x->seen_count) {
        memset(x->seen, 0, (size_t)x->seen_cap * sizeof *x->seen);
    }
    x->seen_count = 0;
}

// ---- marks --------------------------------------------------------------------------------------------------------

static void mark_unit(DerivePlan *p, int32_t unit) { p->marked[unit >> 6] |= (uint64_t)1 << (unit & 63); }

static void mark_all(DerivePlan *p, int32_t unit) {
    p->units[unit].all = true;
    mark_unit(p, unit);
}

static void mark_row(DeriveRun *x, DerivePlan *p, int32_t def, uint64_t twin) {
    TwinView t = view_twin_place(&x->view, (TwinId){twin});
    int32_t i = t.alive ? derive_unit_for(p, def, twin, t.table) : -1;
    if (i <= p->rank || p->units[i].all) return;
    DeriveUnit *u = &p->units[i];
    if (u->count == u->cap) {
        u->cap = u->cap ? 2 * u->cap : 16;
        u->twins = mem_grow(u->twins, (size_t)u->cap * sizeof *u->twins);
    }
    u->twins[u->count++] = twin;
    mark_unit(p, i);
}

static void mark(DeriveRun *x, DerivePlan *p, int32_t hop, uint64_t twin);

static bool goes_over(const DeriveHop *h, uint32_t kind) {
    return (int32_t)kind < h->kind_count && h->kinds[kind] >= 0;
}

// Everybody from whom `hop` leads to the twin.
static void mark_back(DeriveRun *x, DerivePlan *p, const DeriveHop *h, uint64_t twin) {
    LinkId out, in;
    view_twin_links(&x->view, (TwinId){twin}, &out, &in);
    for (LinkId id = h->out ? in : (LinkId){0}; id.v;) {
        LinkView l = view_link(&x->view, id);
        if (goes_over(h, l.kind)) mark(x, p, h->parent, l.source.v);
        id = l.next_in;
    }
    for (LinkId id = h->in ? out : (LinkId){0}; id.v;) {
        LinkView l = view_link(&x->view, id);
        if (goes_over(h, l.kind)) mark(x, p, h->parent, l.target.v);
        id = l.next_out;
    }
}

// What depends on the twin where it stands behind `hop`.
static void mark(DeriveRun *x, DerivePlan *p, int32_t hop, uint64_t twin) {
    if (!seen_add(x, hop, twin)) return;
    const DeriveHop *h = &p->hops[hop];
    if (h->parent < 0) mark_row(x, p, h->def, twin);
    else mark_back(x, p, h, twin);
}

static bool watched(const DerivePlan *p, uint32_t col) {
    return col < p->columns && (p->watched[col >> 6] >> (col & 63) & 1);
}

static void mark_twin_value(DeriveRun *x, DerivePlan *p, uint32_t col, uint64_t twin) {
    for (int32_t i = p->first_read[col]; i >= 0; i = p->reads[i].next) mark(x, p, p->reads[i].hop, twin);
}

// The ends of a relationship where the hop starts.
static void mark_ends(DeriveRun *x, DerivePlan *p, int32_t hop, uint64_t source, uint64_t target) {
    const DeriveHop *h = &p->hops[hop];
    if (h->out) mark(x, p, h->parent, source);
    if (h->in) mark(x, p, h->parent, target);
}

static void mark_link_value(DeriveRun *x, DerivePlan *p, uint32_t col, uint64_t link) {
    LinkView l = view_link(&x->view, (LinkId){link});
    for (int32_t i = l.alive ? p->first_read[col] : -1; i >= 0; i = p->reads[i].next)
        if (p->reads[i].link) mark_ends(x, p, p->reads[i].hop, l.source.v, l.target.v);
}

static void mark_link(DeriveRun *x, DerivePlan *p, const Change *c) {
    if (c->col >= (uint32_t)p->catalog->kind_count) return;
    for (int32_t i = 0; i < p->kind_hop_count[c->col]; i++)
        mark_ends(x, p, p->kind_hops[c->col][i], c->other, c->target);
}

// A twin is new, or of another model: its own values, and what it is to its neighbours.
static void mark_twin(DeriveRun *x, DerivePlan *p, uint64_t twin, bool fresh) {
    for (int32_t h = 0; h < p->hop_count; h++)
        if (p->hops[h].parent < 0 || !fresh) mark(x, p, h, twin);
}

// A column and all inside it was cleared: computed ones come back.
static void mark_unset(DeriveRun *x, DerivePlan *p, const Change *c, bool link) {
    const Table *t;
    const LinkKind *k;
    const Field *f = catalog_field(p->catalog, c->col, &t, &k);
    uint32_t end = f ? (t ? t->first : k->first) + (uint32_t)f->end : c->col;
    for (uint32_t col = c->col; col < end; col++) {
        if (!watched(p, col)) continue;
        if (link) mark_link_value(x, p, col, c->id);
        else mark_twin_value(x, p, col, c->id);
        int32_t u = link ? -1 : derive_unit_of(p, c->id, col);
        if (u >= 0) mark(x, p, p->defs[p->units[u].def].root, c->id);
    }
}

// Is it a twin that a definition names?
static bool is_named(DeriveRun *x, const DerivePlan *p, const Change *c) {
    TwinView t = view_twin(&x->view, (TwinId){c->id});
    for (int32_t i = 0; i < p->def_count; i++)
        if (p->defs[i].twin.n && text_eq(&t.name, p->defs[i].twin)) return true;
    return false;
}

static void mark_change(DeriveRun *x, DerivePlan *p, const Change *c) {
    switch (c->kind) {
    case CHANGE_SET:
    case CHANGE_SOURCE_TIME:
        if (watched(p, c->col)) mark_twin_value(x, p, c->col, c->id);
        break;
    case CHANGE_LATE: // moves the past alone
        if (watched(p, c->col) && p->spans[c->col]) mark_twin_value(x, p, c->col, c->id);
        break;
    case CHANGE_UNSET: mark_unset(x, p, c, false); break;
    case CHANGE_LINK_SET:
        if (watched(p, c->col)) mark_link_value(x, p, c->col, c->id);
        break;
    case CHANGE_LINK_UNSET: mark_unset(x, p, c, true); break;
    case CHANGE_LINK_NEW:
    case CHANGE_LINK_DEL: mark_link(x, p, c); break;
    case CHANGE_TWIN_NEW:
    case CHANGE_TWIN_MODEL: mark_twin(x, p, c->id, c->kind == CHANGE_TWIN_NEW); break;
    default: break;
    }
}

bool derive_mark_batch(DeriveRun *x, DerivePlan *p, bool again) {
    BatchHead head;
    Cut cut = cut_of(world_batch(x->world, &head.count));
    for (int64_t i = 0; i < head.count; i++) {
        Change c;
        CHECK(change_decode(&cut, &c) == ERR_OK);
        bool life = c.kind == CHANGE_TWIN_NEW || c.kind == CHANGE_TWIN_DEL || c.kind == CHANGE_TWIN_MODEL;
        if (life && p->names_twins && !again && is_named(x, p, &c)) return true;
        if (x->past) derive_past_change(x->past, &c);
        mark_change(x, p, &c);
    }
    return false;
}

static bool same_unit(const DerivePlan *p, const DeriveUnit *u, const DerivePlan *old) {
    for (int32_t i = u->col < old->columns ? old->first_unit[u->col] : -1; i >= 0; i = old->units[i].next_of_col) {
        const DeriveUnit *was = &old->units[i];
        if (was->twin == u->twin) return str_eq(p->defs[u->def].expression, old->defs[was->def].expression);
    }
    return false;
}

void derive_mark_new(DeriveRun *x, DerivePlan *p, const DerivePlan *old) {
    for (int32_t i = 0; i < p->unit_count; i++)
        if (!old || !same_unit(p, &p->units[i], old)) mark_all(p, i);
    for (int32_t i = 0; old && i < old->unit_count; i++) { // a twin that falls back to its model's definition
        uint64_t twin = old->units[i].twin;
        int32_t u = twin ? derive_unit_of(p, twin, old->units[i].col) : -1;
        if (u >= 0 && !p->units[u].twin) mark(x, p, p->defs[p->units[u].def].root, twin);
    }
}

void derive_mark_twin(DeriveRun *x, DerivePlan *p, int32_t unit, uint64_t twin) {
    mark(x, p, p->defs[p->units[unit].def].root, twin);
}

// ---- computing ----------------------------------------------------------------------------------------------------

static bool stands(const DeriveUnit *u, const CellView *now, uint64_t bits, Str text) {
    if (!now->valid) return false;
    return cell_is_text(u->field->cell) ? text_eq(&now->text, text) : now->bits == bits;
}

// A text that is no value of the property (an enum's, a date's) counts as none.
static Err put(DeriveRun *x, const DeriveUnit *u, uint64_t twin, uint64_t bits, Str text, bool *none) {
    Change c = {
        .kind = CHANGE_SET, .cell = (uint8_t)u->field->cell, .col = u->col, .id = twin, .bits = bits, .text = text};
    Err err = edit_set(x->world, &c, NULL);
    if (x->past && !err) derive_past_change(x->past, &c);
    *none = err == ERR_VALIDATION || err == ERR_SYNTAX;
    return *none ? ERR_OK : err;
}

static Err take(DeriveRun *x, const DeriveUnit *u, uint64_t twin) {
    Change c = {.kind = CHANGE_UNSET, .cell = (uint8_t)u->field->cell, .col = u->col, .id = twin};
    Err err = world_do(x->world, &c);
    if (x->past && !err) derive_past_change(x->past, &c);
    return err;
}

Err derive_one(DeriveRun *x, const DeriveUnit *u, uint64_t twin, uint64_t row, bool *wrote) {
    ExprRun run = {.view = &x->view, .now = x->now, .scratch = &x->scratch};
    ExprRow at = {twin, row};
    uint64_t bits;
    Str text;
    if (x->past) run.past = derive_past_expr(x->past);
    ExprValue v = expr_eval(u->bound, &run, &at);
    *wrote = false;
    if (run.failed == ERR_BUSY) { // not known yet: what stands stays
        if (x->fork) derive_again(x->fork, twin, u->col);
        arena_reset(&x->scratch);
        return ERR_OK;
    }
    if (run.failed) v.type = EXPR_UNDEFINED;
    bool some = expr_cell(u->field, &v, &x->scratch, &bits, &text) && text.n <= STRING_VALUE_MAX, none = false;
    CellView now = view_cell(&x->view, u->col, row);
    Err err = ERR_OK;
    if (some && !stands(u, &now, bits, text)) {
        err = put(x, u, twin, bits, text, &none);
        *wrote = !none;
        if (none) some = false;
    }
    if (!some && now.valid && !err) {
        err = take(x, u, twin);
        *wrote = true;
    }
    if (*wrote) x->view = view_writer(x->world);
    if (x->scratch.used) arena_reset(&x->scratch);
    return err;
}

// One value of a unit, with what follows from it.
static Err compute_twin(DeriveRun *x, DerivePlan *p, int32_t unit, uint64_t twin) {
    TwinView t = view_twin_place(&x->view, (TwinId){twin});
    const DeriveUnit *u = &p->units[unit];
    bool wrote;
    if (!t.alive || t.table != u->table || derive_unit_of(p, twin, u->col) != unit) return ERR_OK;
    TRY(derive_one(x, u, twin, t.row, &wrote));
    if (wrote) mark_twin_value(x, p, u->col, twin);
    return ERR_OK;
}

static Err compute_all(DeriveRun *x, DerivePlan *p, int32_t unit) {
    const DeriveUnit *u = &p->units[unit];
    if (u->twin) return compute_twin(x, p, unit, u->twin);
    uint64_t rows = view_table_rows(&x->view, u->table);
    for (uint64_t row = 0; row < rows; row++) {
        TwinId twin = view_row_twin(&x->view, u->table, row);
        if (twin.v) TRY(compute_twin(x, p, unit, twin.v));
    }
    return ERR_OK;
}

static Err compute_unit(DeriveRun *x, DerivePlan *p, int32_t unit) {
    if (p->units[unit].all) return compute_all(x, p, unit);
    for (int64_t i = 0; i < p->units[unit].count; i++) TRY(compute_twin(x, p, unit, p->units[unit].twins[i]));
    return ERR_OK;
}

// The marks of a unit that is through go at once.
static void unmark(DeriveUnit *u) {
    u->all = false;
    u->count = 0;
    if (u->cap <= 1 << 16) return;
    mem_free(u->twins);
    u->twins = NULL;
    u->cap = 0;
}

Err derive_compute(DeriveRun *x, DerivePlan *p) {
    for (int32_t w = 0; w <= p->unit_count / 64; w++) {
        while (p->marked[w]) {
            p->rank = 64 * w + __builtin_ctzll(p->marked[w]);
            TRY(compute_unit(x, p, p->rank));
            p->marked[w] &= ~((uint64_t)1 << (p->rank & 63));
            unmark(&p->units[p->rank]);
        }
    }
    return ERR_OK;
}

void derive_run_begin(DeriveRun *x, DerivePlan *p, World *w, int64_t now) {
    x->world = w;
    x->view = view_writer(w);
    x->now = now;
    p->rank = -1;
    seen_clear(x);
    if (!x->past && p->looks_back) x->past = derive_past_new();
    if (x->past) derive_past_begin(x->past, p, w, x->fresh);
}

void derive_run_end(DeriveRun *x, DerivePlan *p) {
    for (int32_t w = 0; w <= p->unit_count / 64; w++) {
        for (; p->marked[w]; p->marked[w] &= p->marked[w] - 1)
            unmark(&p->units[64 * w + __builtin_ctzll(p->marked[w])]);
    }
    p->rank = -1;
    seen_clear(x);
}

void derive_run_free(DeriveRun *x) {
    derive_past_free(x->past);
    mem_free(x->seen);
    arena_free(&x->scratch);
}
