// SPDX-License-Identifier: Apache-2.0
#include "city_world.h"
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"

#define BATCH 1000

typedef struct Fill {
    const City *city;
    World *w;
    const Catalog *catalog;
    TwinId *ids;
    int64_t open; // changes of the open batch, 0: none is open
} Fill;

static void settle(Fill *f) {
    if (!f->open) return;
    world_end(f->w);
    world_settle(f->w, world_seq(f->w));
    f->open = 0;
}

static void put(Fill *f, const Change *c) {
    if (!f->open) world_begin(f->w, world_seq(f->w) + 1, world_next_time(f->w, 0));
    f->open++;
    Err e = world_do(f->w, c);
    CHECK(e == ERR_OK);
}

static uint32_t table_of(const Catalog *c, CityKind kind) {
    for (int32_t t = 0; t < c->table_count; t++) {
        if (str_eq(c->tables[t].model->id, str_of(city_model_id(kind)))) return (uint32_t)t;
    }
    CHECK(!"the catalog has every model of the city");
    return 0;
}

static void put_prop(Fill *f, TwinId id, const Table *table, const CityProp *p) {
    const Field *field = model_field(table->model, str_of(p->name));
    CHECK(field != NULL);
    Change c = {.kind = CHANGE_SET, .cell = (uint8_t)field->cell, .id = id.v};
    c.col = table->first + (uint32_t)(field - table->model->fields);
    if (p->type == CITY_TEXT) c.text = str_of(p->s);
    else c.bits = p->type == CITY_F64 ? bits_of(p->d) : (uint64_t)p->i;
    put(f, &c);
}

static void put_twin(Fill *f, int64_t row) {
    CityTwin t;
    city_twin(f->city, row, &t);
    f->ids[row] = world_take_twin_id(f->w);
    uint32_t table = table_of(f->catalog, t.kind);
    put(f, &(Change){.kind = CHANGE_TWIN_NEW, .id = f->ids[row].v, .col = table, .text = str_of(t.id)});
    for (int32_t i = 0; i < t.prop_count; i++) put_prop(f, f->ids[row], &f->catalog->tables[table], &t.props[i]);
    if (f->open >= BATCH) settle(f);
}

static uint32_t kind_of(const Catalog *c, CityRel rel) {
    for (int32_t k = 0; k < c->kind_count; k++) {
        if (str_eq(c->kinds[k].rel->name, str_of(city_rel_name(rel)))) return (uint32_t)k;
    }
    CHECK(!"the catalog has every relationship of the city");
    return 0;
}

static void put_link_value(Fill *f, uint64_t id, const LinkKind *kind, const char *name, uint64_t bits) {
    const Field *field = fields_child(kind->rel->fields, kind->rel->field_count, -1, str_of(name));
    CHECK(field != NULL);
    Change c = {.kind = CHANGE_LINK_SET, .cell = (uint8_t)field->cell, .id = id, .bits = bits};
    c.col = kind->first + (uint32_t)(field - kind->rel->fields);
    put(f, &c);
}

static void put_link(void *arg, const CityLink *l) {
    Fill *f = arg;
    char rid[CITY_ID_MAX];
    int n = snprintf(rid, sizeof rid, "l%lld", (long long)l->number);
    uint32_t kind = kind_of(f->catalog, l->rel);
    uint64_t id = world_take_link_id(f->w).v;
    Change c = {.kind = CHANGE_LINK_NEW, .id = id, .col = kind, .text = {rid, n}};
    c.other = f->ids[l->source].v;
    c.target = f->ids[l->target].v;
    put(f, &c);
    if (l->lanes) {
        put_link_value(f, id, &f->catalog->kinds[kind], "length", bits_of(l->length));
        put_link_value(f, id, &f->catalog->kinds[kind], "lanes", (uint64_t)l->lanes);
    }
    if (f->open >= BATCH) settle(f);
}

World *city_world(const City *c, Domain *d, int64_t ring, TwinId *ids) {
    Fill f = {.city = c, .w = world_new(d, ring)};
    int64_t twins = city_twin_count(c);
    f.ids = ids ? ids : mem_alloc((size_t)twins * sizeof *ids);
    put(&f, &(Change){.kind = CHANGE_MODELS_ADD, .text = city_models()});
    settle(&f);
    f.catalog = view_writer(f.w).catalog;
    for (int64_t row = 0; row < twins; row++) put_twin(&f, row);
    settle(&f);
    city_links(c, put_link, &f);
    settle(&f);
    if (!ids) mem_free(f.ids);
    return f.w;
}
