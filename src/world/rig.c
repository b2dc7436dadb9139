// SPDX-License-Identifier: Apache-2.0
#include "world/rig.h"
#include <stdio.h>
#include "base/check.h"
#include "world/past.h"

Str rig_models(void) {
    return STR(
        "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:rig:Part;1\",\"@type\":\"Interface\",\"contents\":["
        "{\"@type\":\"Property\",\"name\":\"t\",\"schema\":\"double\"},"
        "{\"@type\":\"Property\",\"name\":\"u\",\"schema\":\"string\"}]},"
        "{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:rig:A;1\",\"@type\":\"Interface\",\"contents\":["
        "{\"@type\":\"Property\",\"name\":\"d\",\"schema\":\"double\"},"
        "{\"@type\":\"Property\",\"name\":\"i\",\"schema\":\"long\"},"
        "{\"@type\":\"Property\",\"name\":\"s\",\"schema\":\"string\"},"
        "{\"@type\":\"Property\",\"name\":\"o\",\"schema\":{\"@type\":\"Object\",\"fields\":["
        "{\"name\":\"x\",\"schema\":\"double\"},{\"name\":\"y\",\"schema\":\"string\"}]}},"
        "{\"@type\":\"Component\",\"name\":\"c\",\"schema\":\"dtmi:rig:Part;1\"},"
        "{\"@type\":\"Relationship\",\"name\":\"r\",\"properties\":["
        "{\"@type\":\"Property\",\"name\":\"w\",\"schema\":\"double\"},"
        "{\"@type\":\"Property\",\"name\":\"n\",\"schema\":\"string\"}]}]},"
        "{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:rig:B;1\",\"@type\":\"Interface\","
        "\"extends\":\"dtmi:rig:A;1\",\"contents\":["
        "{\"@type\":\"Property\",\"name\":\"z\",\"schema\":\"boolean\"},"
        "{\"@type\":\"Relationship\",\"name\":\"q\"}]}]");
}

// ---- drawing ----

static Str draw_text(Rng *rng, Arena *arena) {
    int64_t n = (int64_t)rng_below(rng, 3) == 0 ? (int64_t)rng_below(rng, 40) : (int64_t)rng_below(rng, 10);
    char *p = arena_alloc(arena, 1, n + 1, 1);
    for (int64_t i = 0; i < n; i++) p[i] = (char)('a' + rng_below(rng, 26));
    return (Str){p, n};
}

static const RefTwin *draw_twin(const Ref *ref, Rng *rng) {
    for (int tries = 0; tries < 20; tries++) {
        const RefTwin *t = &ref->twins[rng_below(rng, RIG_TWINS)];
        if (t->alive) return t;
    }
    return NULL;
}

static const RefLink *draw_link(const Ref *ref, Rng *rng) {
    for (int tries = 0; tries < 20; tries++) {
        const RefLink *l = &ref->links[rng_below(rng, RIG_LINKS)];
        if (l->alive) return l;
    }
    return NULL;
}

static bool has_links(const Ref *ref, uint64_t twin) {
    for (int i = 0; i < RIG_LINKS; i++) {
        if (ref->links[i].alive && (ref->links[i].source == twin || ref->links[i].target == twin)) return true;
    }
    return false;
}

static bool name_taken(const Ref *ref, Str name) {
    for (int i = 0; i < RIG_TWINS; i++) {
        if (ref->twins[i].alive && str_eq(str_of(ref->twins[i].name), name)) return true;
    }
    return false;
}

static bool rid_taken(const Ref *ref, uint64_t source, Str rid) {
    for (int i = 0; i < RIG_LINKS; i++) {
        const RefLink *l = &ref->links[i];
        if (l->alive && l->source == source && str_eq(str_of(l->rid), rid)) return true;
    }
    return false;
}

static bool draw_twin_new(World *w, const Ref *ref, Rng *rng, Arena *arena, Change *out) {
    int free = 0; // names come from a small pool, so that deleted ones come back
    for (int i = 0; i < RIG_TWINS; i++) free += !ref->twins[i].alive;
    uint64_t k = rng_below(rng, RIG_TWINS);
    Str name = arena_printf(arena, k % 2 ? "t%llu" : "a-twin-with-a-long-name-%llu", (unsigned long long)k);
    if (!free || name_taken(ref, name)) return false;
    *out = (Change){.kind = CHANGE_TWIN_NEW, .id = world_take_twin_id(w).v, .text = name};
    out->col = (uint32_t)rng_below(rng, 3);
    return true;
}

static bool draw_link_new(World *w, const Ref *ref, Rng *rng, Arena *arena, Change *out) {
    const RefTwin *a = draw_twin(ref, rng), *b = draw_twin(ref, rng);
    int free = 0;
    for (int i = 0; i < RIG_LINKS; i++) free += !ref->links[i].alive;
    uint64_t k = rng_below(rng, 9);
    Str rid = arena_printf(arena, k % 3 ? "r%llu" : "relationship-%llu", (unsigned long long)k);
    if (!a || !b || !free || rid_taken(ref, a->id, rid)) return false;
    *out =
        (Change){.kind = CHANGE_LINK_NEW, .id = world_take_link_id(w).v, .other = a->id, .target = b->id, .text = rid};
    out->col = (uint32_t)rng_below(rng, 2);
    return true;
}

static void draw_value(const Field *f, Rng *rng, Arena *arena, Change *out) {
    out->cell = (uint8_t)f->cell;
    if (cell_is_text(f->cell)) out->text = draw_text(rng, arena);
    else if (f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT) out->bits = 1;
    else out->bits = rng_below(rng, 2) ? rng_u64(rng) : rng_below(rng, 4);
}

static bool draw_set(World *w, const Ref *ref, Rng *rng, Arena *arena, Change *out) {
    const RefTwin *t = draw_twin(ref, rng);
    if (!t) return false;
    View v = view_writer(w);
    const Table *table = &v.catalog->tables[t->model];
    uint32_t i = (uint32_t)rng_below(rng, (uint64_t)table->model->field_count);
    const Field *f = &table->model->fields[i];
    bool unset = rng_below(rng, 5) == 0;
    *out = (Change){.kind = unset ? CHANGE_UNSET : CHANGE_SET, .id = t->id, .col = table->first + i};
    if (unset) return true;
    if (rng_below(rng, 8) == 0 && t->cells[i].valid) {
        out->kind = CHANGE_SOURCE_TIME;
        out->source_time = 1 + (int64_t)rng_below(rng, 1000);
        return true;
    }
    draw_value(f, rng, arena, out);
    if (rng_below(rng, 3) == 0) out->source_time = 1 + (int64_t)rng_below(rng, 1000);
    return true;
}

static bool draw_link_set(World *w, const Ref *ref, Rng *rng, Arena *arena, Change *out) {
    const RefLink *l = draw_link(ref, rng);
    View v = view_writer(w);
    if (!l || v.catalog->kinds[l->kind].rel->field_count == 0) return false;
    const LinkKind *k = &v.catalog->kinds[l->kind];
    uint32_t i = (uint32_t)rng_below(rng, (uint64_t)k->rel->field_count);
    bool unset = rng_below(rng, 4) == 0;
    *out = (Change){.kind = unset ? CHANGE_LINK_UNSET : CHANGE_LINK_SET, .id = l->id, .col = k->first + i};
    if (!unset) draw_value(&k->rel->fields[i], rng, arena, out);
    return true;
}

bool rig_draw(World *w, const Ref *ref, Rng *rng, Arena *arena, Change *out) {
    uint64_t dice = rng_below(rng, 100);
    if (dice < 12) return draw_twin_new(w, ref, rng, arena, out);
    if (dice < 26) return draw_link_new(w, ref, rng, arena, out);
    if (dice < 70) return draw_set(w, ref, rng, arena, out);
    if (dice < 82) return draw_link_set(w, ref, rng, arena, out);
    if (dice < 90) {
        const RefLink *l = draw_link(ref, rng);
        if (l) *out = (Change){.kind = CHANGE_LINK_DEL, .id = l->id};
        return l != NULL;
    }
    const RefTwin *t = draw_twin(ref, rng);
    if (!t) return false;
    if (dice < 94) {
        *out = (Change){.kind = CHANGE_TWIN_MODEL, .id = t->id, .col = (uint32_t)rng_below(rng, 3)};
        return true;
    }
    *out = (Change){.kind = CHANGE_TWIN_DEL, .id = t->id};
    return !has_links(ref, t->id);
}

// ---- the reference ----

static RefTwin *ref_twin(Ref *ref, uint64_t id) {
    for (int i = 0; i < RIG_TWINS; i++) {
        if (ref->twins[i].alive && ref->twins[i].id == id) return &ref->twins[i];
    }
    CHECK(!"a living twin");
    return NULL;
}

static RefLink *ref_link(Ref *ref, uint64_t id) {
    for (int i = 0; i < RIG_LINKS; i++) {
        if (ref->links[i].alive && ref->links[i].id == id) return &ref->links[i];
    }
    CHECK(!"a living link");
    return NULL;
}

static void copy_text(char to[RIG_TEXT], Str s) {
    CHECK(s.n < RIG_TEXT);
    memset(to, 0, RIG_TEXT);
    if (s.n) memcpy(to, s.p, (size_t)s.n);
}

static void ref_mark(const Field *fields, RefCell *cells, int32_t i, int64_t source_time, int64_t time) {
    for (i = fields[i].parent; i >= 0; i = fields[i].parent) {
        cells[i].valid = true;
        cells[i].bits = 1;
        cells[i].update_time = time;
        if (source_time > cells[i].source_time) cells[i].source_time = source_time;
    }
}

static void ref_set(const Field *fields, RefCell *cells, int32_t i, const Change *c, int64_t time) {
    cells[i].valid = true;
    cells[i].bits = cell_is_text(fields[i].cell) ? 0 : c->bits;
    copy_text(cells[i].text, cell_is_text(fields[i].cell) ? c->text : (Str){0});
    cells[i].update_time = time;
    if (c->source_time) cells[i].source_time = c->source_time;
    ref_mark(fields, cells, i, c->source_time, time);
}

static void ref_unset(const Field *fields, RefCell *cells, int32_t i, int64_t time) {
    for (int32_t k = i; k < fields[i].end; k++) cells[k] = (RefCell){0};
    ref_mark(fields, cells, i, 0, time);
}

static void ref_retype(const Catalog *c, RefTwin *t, uint32_t model) {
    const Model *a = c->tables[t->model].model, *b = c->tables[model].model;
    RefCell cells[RIG_CELLS] = {0};
    for (int32_t i = 0; i < b->field_count; i++) {
        for (int32_t k = 0; k < a->field_count; k++) {
            if (str_eq(a->fields[k].path, b->fields[i].path) && a->fields[k].cell == b->fields[i].cell)
                cells[i] = t->cells[k];
        }
    }
    memcpy(t->cells, cells, sizeof cells);
    t->model = model;
}

static void ref_twin_new(Ref *ref, const Change *c, int64_t time) {
    int i = 0;
    while (ref->twins[i].alive) i++;
    ref->twins[i] = (RefTwin){.alive = true, .id = c->id, .model = c->col, .update_time = time};
    copy_text(ref->twins[i].name, c->text);
}

static void ref_link_new(Ref *ref, const Change *c, int64_t time) {
    int i = 0;
    while (ref->links[i].alive) i++;
    ref->links[i] = (RefLink){
        .alive = true, .id = c->id, .source = c->other, .target = c->target, .kind = c->col, .update_time = time};
    copy_text(ref->links[i].rid, c->text);
}

static void ref_twin_value(const Catalog *cat, RefTwin *t, const Change *c, int64_t time) {
    const Table *table = &cat->tables[t->model];
    const Field *fields = table->model->fields;
    int32_t i = (int32_t)(c->col - table->first);
    if (c->kind == CHANGE_SET) {
        if (c->source_time && t->cells[i].source_time > c->source_time) return;
        ref_set(fields, t->cells, i, c, time);
    } else if (c->kind == CHANGE_UNSET) {
        ref_unset(fields, t->cells, i, time);
    } else {
        t->cells[i].source_time = c->source_time;
    }
    t->update_time = time;
}

static void ref_link_value(const Catalog *cat, RefLink *l, const Change *c, int64_t time) {
    const LinkKind *k = &cat->kinds[l->kind];
    int32_t i = (int32_t)(c->col - k->first);
    if (c->kind == CHANGE_LINK_SET) ref_set(k->rel->fields, l->cells, i, c, time);
    else ref_unset(k->rel->fields, l->cells, i, time);
    l->update_time = time;
}

void rig_apply(const Catalog *cat, Ref *ref, const Change *c, int64_t time) {
    switch ((ChangeKind)c->kind) {
    case CHANGE_TWIN_NEW: ref_twin_new(ref, c, time); break;
    case CHANGE_TWIN_DEL: ref_twin(ref, c->id)->alive = false; break;
    case CHANGE_TWIN_MODEL:
        ref_retype(cat, ref_twin(ref, c->id), c->col);
        ref_twin(ref, c->id)->update_time = time;
        break;
    case CHANGE_SET:
    case CHANGE_UNSET:
    case CHANGE_SOURCE_TIME: ref_twin_value(cat, ref_twin(ref, c->id), c, time); break;
    case CHANGE_LINK_NEW: ref_link_new(ref, c, time); break;
    case CHANGE_LINK_DEL: ref_link(ref, c->id)->alive = false; break;
    case CHANGE_LINK_SET:
    case CHANGE_LINK_UNSET: ref_link_value(cat, ref_link(ref, c->id), c, time); break;
    default: break;
    }
}

// ---- printing ----

static void print_cell(Buf *out, const Field *f, uint64_t bits, Str text, int64_t update, int64_t source) {
    buf_printf(out, "  %.*s = ", STR_ARG(f->path));
    if (cell_is_text(f->cell)) buf_printf(out, "'%.*s'", STR_ARG(text));
    else buf_printf(out, "%llx", (unsigned long long)bits);
    buf_printf(out, " @%lld %lld\n", (long long)update, (long long)source);
}

static void print_twin_head(Buf *out, uint64_t id, Str name, const Model *m, int64_t update) {
    buf_printf(out, "twin %llu %.*s %.*s @%lld\n", (unsigned long long)id, STR_ARG(name), STR_ARG(m->id),
               (long long)update);
}

static void print_link_head(Buf *out, uint64_t id, uint64_t from, uint64_t to, const Rel *rel, Str rid,
                            int64_t update) {
    buf_printf(out, "link %llu %llu -> %llu %.*s %.*s @%lld\n", (unsigned long long)id, (unsigned long long)from,
               (unsigned long long)to, STR_ARG(rel->name), STR_ARG(rid), (long long)update);
}

static void view_cells(View *v, const Field *fields, int32_t n, uint32_t first, uint64_t row, Buf *out) {
    for (int32_t i = 0; i < n; i++) {
        CellView c = view_cell(v, first + (uint32_t)i, row);
        if (c.valid) print_cell(out, &fields[i], c.bits, text_str(&c.text), c.update_time, c.source_time);
    }
}

static void view_link_line(View *v, LinkId id, Buf *out) {
    LinkView l = view_link(v, id);
    if (!l.alive) return;
    const LinkKind *k = &v->catalog->kinds[l.kind];
    print_link_head(out, id.v, l.source.v, l.target.v, k->rel, text_str(&l.rid), l.update_time);
    view_cells(v, k->rel->fields, k->rel->field_count, k->first, id.v, out);
}

// Ids in use lie below META_ID_MAX; worlds of tests are small.
void rig_print_view(View *v, Buf *out) {
    uint64_t max = view_meta(v, META_ID_MAX);
    for (uint64_t id = 1; id <= max && !v->overrun; id++) {
        TwinView t = view_twin(v, (TwinId){id});
        if (!t.alive || v->overrun) continue;
        const Table *table = &v->catalog->tables[t.table];
        print_twin_head(out, id, text_str(&t.name), table->model, view_time_of(v, &t));
        view_cells(v, table->model->fields, table->model->field_count, table->first, t.row, out);
        if (view_find_twin(v, text_str(&t.name)).v != id && !v->overrun) buf_printf(out, "  NOT FOUND BY NAME\n");
    }
    for (uint64_t id = 1; id <= max && !v->overrun; id++) view_link_line(v, (LinkId){id}, out);
}

static void ref_cells(const Field *fields, int32_t n, const RefCell *cells, Buf *out) {
    for (int32_t i = 0; i < n; i++) {
        if (!cells[i].valid) continue;
        print_cell(out, &fields[i], cells[i].bits, str_of(cells[i].text), cells[i].update_time, cells[i].source_time);
    }
}

void rig_print_ref(const Catalog *cat, const Ref *ref, Buf *out) {
    for (uint64_t last = 0;;) { // selection by id: slow and obvious
        const RefTwin *next = NULL;
        for (int i = 0; i < RIG_TWINS; i++) {
            const RefTwin *t = &ref->twins[i];
            if (t->alive && t->id > last && (!next || t->id < next->id)) next = t;
        }
        if (!next) break;
        const Model *m = cat->tables[next->model].model;
        print_twin_head(out, next->id, str_of(next->name), m, next->update_time);
        ref_cells(m->fields, m->field_count, next->cells, out);
        last = next->id;
    }
    for (uint64_t last = 0;;) {
        const RefLink *next = NULL;
        for (int i = 0; i < RIG_LINKS; i++) {
            const RefLink *l = &ref->links[i];
            if (l->alive && l->id > last && (!next || l->id < next->id)) next = l;
        }
        if (!next) break;
        const Rel *rel = cat->kinds[next->kind].rel;
        print_link_head(out, next->id, next->source, next->target, rel, str_of(next->rid), next->update_time);
        ref_cells(rel->fields, rel->field_count, next->cells, out);
        last = next->id;
    }
}
