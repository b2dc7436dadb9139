// SPDX-License-Identifier: Apache-2.0
#include "store/test_world.h"
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "world/past.h"

const char test_models[] =
    "[{\"@context\":\"dtmi:dtdl:context;2\",\"@id\":\"dtmi:test:Part;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"serial\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"hours\",\"schema\":\"long\"}]},"
    "{\"@context\":\"dtmi:dtdl:context;2\",\"@id\":\"dtmi:test:Machine;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"speed\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"count\",\"schema\":\"long\"},"
    "{\"@type\":\"Property\",\"name\":\"on\",\"schema\":\"boolean\"},"
    "{\"@type\":\"Property\",\"name\":\"note\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"limits\",\"schema\":{\"@type\":\"Map\",\"mapKey\":{\"name\":\"k\","
    "\"schema\":\"string\"},\"mapValue\":{\"name\":\"v\",\"schema\":\"double\"}}},"
    "{\"@type\":\"Component\",\"name\":\"motor\",\"schema\":\"dtmi:test:Part;1\"},"
    "{\"@type\":\"Relationship\",\"name\":\"feeds\",\"properties\":["
    "{\"@type\":\"Property\",\"name\":\"rate\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"label\",\"schema\":\"string\"}]}]},"
    "{\"@context\":\"dtmi:dtdl:context;2\",\"@id\":\"dtmi:test:Place;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"speed\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"note\",\"schema\":\"string\"},"
    "{\"@type\":\"Relationship\",\"name\":\"holds\"}]}]";

// ---- what is alive ------------------------------------------------------------------------------------------------

static void push(uint64_t **ids, int64_t *count, int64_t *cap, uint64_t id) {
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        *ids = mem_grow(*ids, (size_t)*cap * sizeof(uint64_t));
    }
    (*ids)[(*count)++] = id;
}

static void forget(uint64_t *ids, int64_t *count, int64_t at) { ids[at] = ids[--*count]; }

void test_writer_look(TestWriter *t, World *w) {
    View v = view_writer(w);
    uint64_t last = view_meta(&v, META_ID_MAX);
    t->twin_count = t->link_count = 0;
    for (uint64_t id = 1; id <= last; id++) {
        if (view_twin_place(&v, (TwinId){id}).alive) push(&t->twins, &t->twin_count, &t->twin_cap, id);
        if (view_link(&v, (LinkId){id}).alive) push(&t->links, &t->link_count, &t->link_cap, id);
    }
}

void test_writer_free(TestWriter *t) {
    mem_free(t->twins);
    mem_free(t->links);
    *t = (TestWriter){0};
}

// ---- changes ------------------------------------------------------------------------------------------------------

static int64_t below(TestWriter *t, int64_t n) { return (int64_t)rng_below(&t->rng, (uint64_t)n); }

// A value of the field, or a text of up to 200 bytes in room.
static void random_value(TestWriter *t, const Field *f, Change *c, char room[256]) {
    c->cell = (uint8_t)f->cell;
    c->bits = rng_u64(&t->rng) >> below(t, 64);
    if (f->cell == CELL_BOOL) c->bits &= 1;
    if (f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT) c->bits = 1;
    if (f->cell == CELL_F64) c->bits = bits_of(rng_f64(&t->rng) * 100);
    int n = (int)below(t, below(t, 4) ? 20 : 200);
    if (f->cell == CELL_STR) n = snprintf(room, 256, "%0*llu", n, (unsigned long long)rng_u32(&t->rng));
    if (f->cell == CELL_DOC) n = snprintf(room, 256, "{\"k%0*d\":%u}", n, 1, rng_u32(&t->rng));
    if (cell_is_text(f->cell)) c->text = (Str){room, n};
    if (below(t, 4) == 0) c->source_time = (1 + below(t, 1000)) * 1000;
}

static Err new_twin(TestWriter *t, World *w, const Catalog *cat) {
    char name[64];
    int n = snprintf(name, sizeof name, "%s%lld", below(t, 2) ? "a twin with a long name " : "t",
                     (long long)(below(t, 3) ? t->named++ : below(t, t->named + 1)));
    Change c = {.kind = CHANGE_TWIN_NEW, .col = (uint32_t)below(t, cat->table_count), .text = {name, n}};
    View v = view_writer(w);
    if (view_find_twin(&v, c.text).v) return ERR_EXISTS;
    c.id = world_take_twin_id(w).v;
    Err e = world_do(w, &c);
    if (e == ERR_OK) push(&t->twins, &t->twin_count, &t->twin_cap, c.id);
    return e;
}

static Err delete_twin(TestWriter *t, World *w) {
    int64_t at = below(t, t->twin_count);
    Err e = world_do(w, &(Change){.kind = CHANGE_TWIN_DEL, .id = t->twins[at]});
    if (e == ERR_OK) forget(t->twins, &t->twin_count, at);
    return e;
}

static Err set_value(TestWriter *t, World *w, const Catalog *cat) {
    View v = view_writer(w);
    char room[256];
    Change c = {.kind = below(t, 8) ? CHANGE_SET : CHANGE_UNSET, .id = t->twins[below(t, t->twin_count)]};
    const Table *table = &cat->tables[view_twin_place(&v, (TwinId){c.id}).table];
    int64_t at = below(t, table->model->field_count);
    c.col = table->first + (uint32_t)at;
    if (c.kind == CHANGE_SET) random_value(t, &table->model->fields[at], &c, room);
    return world_do(w, &c);
}

static Err new_link(TestWriter *t, World *w, const Catalog *cat) {
    char rid[64];
    int n = snprintf(rid, sizeof rid, "%s%lld", below(t, 2) ? "relationship " : "r", (long long)below(t, 40));
    Change c = {.kind = CHANGE_LINK_NEW, .col = (uint32_t)below(t, cat->kind_count), .text = {rid, n}};
    c.other = t->twins[below(t, t->twin_count)];
    c.target = t->twins[below(t, t->twin_count)];
    View v = view_writer(w);
    if (view_find_link(&v, (TwinId){c.other}, c.text).v) return ERR_EXISTS;
    c.id = world_take_link_id(w).v;
    Err e = world_do(w, &c);
    if (e == ERR_OK) push(&t->links, &t->link_count, &t->link_cap, c.id);
    return e;
}

static Err change_link(TestWriter *t, World *w, const Catalog *cat) {
    View v = view_writer(w);
    char room[256];
    int64_t at = below(t, t->link_count);
    Change c = {.kind = CHANGE_LINK_DEL, .id = t->links[at]};
    const LinkKind *kind = &cat->kinds[view_link(&v, (LinkId){c.id}).kind];
    if (below(t, 3) == 0 || kind->rel->field_count == 0) {
        Err e = world_do(w, &c);
        if (e == ERR_OK) forget(t->links, &t->link_count, at);
        return e;
    }
    int64_t field = below(t, kind->rel->field_count);
    c.kind = below(t, 5) ? CHANGE_LINK_SET : CHANGE_LINK_UNSET;
    c.col = kind->first + (uint32_t)field;
    if (c.kind == CHANGE_LINK_SET) random_value(t, &kind->rel->fields[field], &c, room);
    c.source_time = 0; // links have none
    return world_do(w, &c);
}

static Err change_model(TestWriter *t, World *w, const Catalog *cat) {
    Change c = {.kind = CHANGE_TWIN_MODEL, .id = t->twins[below(t, t->twin_count)]};
    c.col = (uint32_t)below(t, cat->table_count);
    View v = view_writer(w);
    return view_twin_place(&v, (TwinId){c.id}).table == c.col ? ERR_EXISTS : world_do(w, &c);
}

static Err one_change(TestWriter *t, World *w) {
    const Catalog *cat = view_writer(w).catalog;
    int64_t dice = below(t, 100);
    if (t->twin_count < 5 || dice < 8) return new_twin(t, w, cat);
    if (dice < 11) return delete_twin(t, w);
    if (dice < 14) return change_model(t, w, cat);
    if (dice < 22) return new_link(t, w, cat);
    if (dice < 32 && t->link_count) return change_link(t, w, cat);
    return set_value(t, w, cat);
}

void test_writer_batch(TestWriter *t, World *w, uint64_t seq, int64_t changes, Buf *out) {
    world_begin(w, seq, world_next_time(w, (int64_t)seq * 1000));
    View v = view_writer(w);
    if (view_model_rows(&v) == 0) {
        Change models = {.kind = CHANGE_MODELS_ADD, .text = str_of(test_models)};
        CHECK(world_do(w, &models) == ERR_OK || world_broken(w));
    }
    for (int64_t i = 0; i < changes; i++) {
        Err e = one_change(t, w); // many are refused: links left, name taken
        CHECK(e != ERR_LIMIT);
        CHECK(e != ERR_STALE);
    }
    if (world_broken(w)) {
        world_rollback(w);
        return;
    }
    int64_t count;
    Str bytes = world_batch(w, &count);
    BatchHead head = {.seq = seq, .time = world_time(w), .source = STR("test"), .count = count};
    batch_encode(&head, bytes, out);
    world_end(w);
}

// ---- the content --------------------------------------------------------------------------------------------------

static void dump_text(Text t, Buf *out) {
    Str s = text_str(&t);
    buf_printf(out, " '%.*s'", STR_ARG(s));
}

static void dump_cells(View *v, uint32_t first, const Field *fields, int32_t count, uint64_t row, Buf *out) {
    for (int32_t i = 0; i < count; i++) {
        CellView c = view_cell(v, first + (uint32_t)i, row);
        if (!c.valid) continue;
        buf_printf(out, "  %.*s %llx @%lld %lld", STR_ARG(fields[i].path),
                   cell_is_text(fields[i].cell) ? 0 : (unsigned long long)c.bits, (long long)c.update_time,
                   (long long)c.source_time);
        if (cell_is_text(fields[i].cell)) dump_text(c.text, out);
        buf_byte(out, '\n');
    }
}

static void dump_twin(View *v, TwinId id, Buf *out) {
    TwinView t = view_twin(v, id);
    if (!t.update_time) return;
    buf_printf(out, "twin %llu %d %u %llu @%lld out %llu in %llu", (unsigned long long)id.v, t.alive, t.table,
               (unsigned long long)t.row, (long long)(t.alive ? view_time_of(v, &t) : t.update_time),
               (unsigned long long)t.first_out.v, (unsigned long long)t.first_in.v);
    dump_text(t.name, out);
    buf_byte(out, '\n');
    if (!t.alive) return;
    const Table *table = &v->catalog->tables[t.table];
    dump_cells(v, table->first, table->model->fields, table->model->field_count, t.row, out);
}

static void dump_link(View *v, LinkId id, Buf *out) {
    LinkView l = view_link(v, id);
    if (!l.alive) return;
    buf_printf(out, "link %llu %u %llu->%llu @%lld %llu %llu", (unsigned long long)id.v, l.kind,
               (unsigned long long)l.source.v, (unsigned long long)l.target.v, (long long)l.update_time,
               (unsigned long long)l.next_out.v, (unsigned long long)l.next_in.v);
    dump_text(l.rid, out);
    buf_byte(out, '\n');
    const LinkKind *kind = &v->catalog->kinds[l.kind];
    dump_cells(v, kind->first, kind->rel->fields, kind->rel->field_count, id.v, out);
}

void test_world_dump(World *w, Buf *out) {
    View v = view_writer(w);
    static const uint32_t scalars[] = {META_SEQ, META_TIME, META_TWINS, META_LINKS, META_MODEL_ROWS, META_ID_MAX};
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        buf_printf(out, "meta %u %llu\n", scalars[i], (unsigned long long)view_meta(&v, scalars[i]));
    for (int64_t i = 0, n = view_model_rows(&v); i < n; i++) {
        ModelView m = view_model(&v, i);
        buf_printf(out, "model %u %u @%lld", m.kind, m.flag, (long long)m.time);
        dump_text(m.id, out);
        dump_text(m.doc, out);
        buf_byte(out, '\n');
    }
    uint64_t last = view_meta(&v, META_ID_MAX);
    for (uint64_t id = 1; id <= last; id++) {
        dump_twin(&v, (TwinId){id}, out);
        dump_link(&v, (LinkId){id}, out);
    }
    CHECK(!out->full);
}
