// SPDX-License-Identifier: Apache-2.0
#include "query/test_graph.h"
#include <stdio.h>
#include "base/check.h"
#include "codec/json.h"
#include "world/edit.h"

static const char models[] =
    "[{'@context':'dtmi:dtdl:context;2','@id':'dtmi:t:Thermo;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'mode','schema':'string'},"
    "{'@type':'Property','name':'box','schema':{'@type':'Object','fields':[{'name':'w','schema':'double'}]}},"
    "{'@type':'Property','name':'setPoint','schema':'double'}"
    "]},"
    "{'@context':'dtmi:dtdl:context;2','@id':'dtmi:t:Base;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'name','schema':'string'},"
    "{'@type':'Property','name':'count','schema':'integer'},"
    "{'@type':['Property','Temperature'],'name':'temp','schema':'double','unit':'degreeCelsius'},"
    "{'@type':'Relationship','name':'has','properties':[{'@type':'Property','name':'label','schema':'string'},"
    "{'@type':'Property','name':'weight','schema':'double'}]},"
    "{'@type':'Relationship','name':'near','properties':[{'@type':'Property','name':'weight','schema':'integer'}]}"
    "]},"
    "{'@context':'dtmi:dtdl:context;2','@id':'dtmi:t:Room;1','@type':'Interface','extends':'dtmi:t:Base;1',"
    "'contents':["
    "{'@type':'Property','name':'on','schema':'boolean'},"
    "{'@type':'Property','name':'area','schema':'float'},"
    "{'@type':'Property','name':'big','schema':'long'},"
    "{'@type':'Property','name':'at','schema':'dateTime'},"
    "{'@type':'Property','name':'tags','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"
    "'mapValue':{'name':'v','schema':'string'}}},"
    "{'@type':'Property','name':'nums','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"
    "'mapValue':{'name':'v','schema':'integer'}}},"
    "{'@type':'Property','name':'pos','schema':{'@type':'Object','fields':[{'name':'x','schema':'double'},"
    "{'name':'y','schema':'integer'}]}},"
    "{'@type':'Component','name':'thermo','schema':'dtmi:t:Thermo;1'}"
    "]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:t:Hall;1','@type':'Interface','extends':'dtmi:t:Room;1',"
    "'contents':["
    "{'@type':'Property','name':'list','schema':{'@type':'Array','elementSchema':'integer'}},"
    "{'@type':'Property','name':'place','schema':'point'},"
    "{'@type':'Property','name':'level','schema':{'@type':'Enum','valueSchema':'integer','enumValues':[{'name':'low',"
    "'enumValue':1},{'name':'high','enumValue':7}]}}"
    "]},"
    "{'@context':'dtmi:dtdl:context;2','@id':'dtmi:t:Other;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'name','schema':'string'},"
    "{'@type':'Property','name':'count','schema':'double'},"
    "{'@type':'Property','name':'on','schema':'string'},"
    "{'@type':'Property','name':'level','schema':'string'},"
    "{'@type':'Relationship','name':'has','properties':[{'@type':'Property','name':'label','schema':'integer'},"
    "{'@type':'Property','name':'weight','schema':'double'}]},"
    "{'@type':'Relationship','name':'inside'}"
    "]}]";

static const char *const model_ids[] = {"Base", "Room", "Hall", "Other"};

static int64_t below(Rng *r, int64_t n) { return (int64_t)rng_below(r, (uint64_t)n); }

#define ONE_OF(r, list) (list)[below((r), (int64_t)(sizeof(list) / sizeof *(list)))]

// ---- writing ------------------------------------------------------------------------------------------------------

static void begin(TestGraph *g) {
    g->now = world_next_time(g->w, g->now + 1000);
    world_begin(g->w, ++g->seq, g->now);
}

static Err finish(TestGraph *g, Err e) {
    if (e == ERR_OK) {
        world_end(g->w);
        world_settle(g->w, g->seq);
        if (g->log) trails_add(g->log, g->w);
    } else {
        world_rollback(g->w);
        g->seq--;
    }
    arena_reset(&g->arena);
    return e;
}

// ' becomes ", parsed into the arena.
static const Json *json_of(TestGraph *g, const char *text) {
    Json *v = NEW(&g->arena, Json, 1);
    Str s = arena_str(&g->arena, str_of(text));
    for (char *p = (char *)(uintptr_t)s.p; *p; p++) {
        if (*p == '\'') *p = '"';
    }
    CHECK(json_parse(s, NULL, &g->arena, v, NULL) == ERR_OK);
    return v;
}

Err test_graph_put(TestGraph *g, bool link, const char *json) {
    begin(g);
    return finish(g, edit_import(g->w, link ? IMPORT_LINKS : IMPORT_TWINS, json_of(g, json), NULL));
}

static void put_key(Buf *b, const char *key) {
    char last = b->p[b->n - 1];
    buf_printf(b, "%s'%s':", last == '{' ? "" : ",", key);
}

// Doubles are few and exact; integers few; both meet now and then.
static void put_double(Rng *r, Buf *b) {
    if (below(r, 30) == 0) buf_printf(b, "-0.0");
    else buf_printf(b, "%g", (double)(below(r, 60) - 12) / 4);
}

static void put_integer(Rng *r, Buf *b) { buf_printf(b, "%d", (int)below(r, 9) - 3); }

static void put_word(Rng *r, Buf *b) {
    static const char *const words[] = {
        "", "a", "b", "ab", "room", "Room 1", "pump-7", "a longer name than inline", "\\u00e4\\u00f6"};
    buf_printf(b, "'%s'", ONE_OF(r, words));
}

static void put_map(Rng *r, Buf *b, bool words) {
    static const char *const keys[] = {"a", "b", "c d"};
    buf_byte(b, '{');
    for (int i = 0; i < 3; i++) {
        if (below(r, 2)) continue;
        put_key(b, keys[i]);
        if (words) put_word(r, b);
        else put_integer(r, b);
    }
    buf_byte(b, '}');
}

static bool some(Rng *r) { return below(r, 3) != 0; }

static void put_room(Rng *r, Buf *b) {
    if (some(r)) put_key(b, "on"), buf_printf(b, below(r, 2) ? "true" : "false");
    if (some(r)) put_key(b, "area"), put_double(r, b);
    if (some(r)) put_key(b, "big"), buf_printf(b, below(r, 4) ? "%d" : "900719925474099%d", (int)below(r, 4));
    if (some(r)) put_key(b, "at"), buf_printf(b, "'2025-12-%02dT10:00:00Z'", 1 + (int)below(r, 28));
    if (some(r)) put_key(b, "tags"), put_map(r, b, true);
    if (some(r)) put_key(b, "nums"), put_map(r, b, false);
    if (some(r)) {
        put_key(b, "pos");
        buf_byte(b, '{');
        if (some(r)) put_key(b, "x"), put_double(r, b);
        if (some(r)) put_key(b, "y"), put_integer(r, b);
        buf_byte(b, '}');
    }
    put_key(b, "thermo");
    buf_printf(b, "{'$metadata':{}");
    if (some(r)) put_key(b, "mode"), put_word(r, b);
    if (some(r)) put_key(b, "setPoint"), put_double(r, b);
    if (some(r)) put_key(b, "box"), buf_printf(b, "{'w':"), put_double(r, b), buf_byte(b, '}');
    buf_byte(b, '}');
}

static void put_hall(Rng *r, Buf *b) {
    if (some(r)) {
        put_key(b, "list");
        buf_byte(b, '[');
        for (int64_t i = 0, n = below(r, 4); i < n; i++) buf_printf(b, "%s%d", i ? "," : "", (int)below(r, 5));
        buf_byte(b, ']');
    }
    if (some(r)) put_key(b, "level"), buf_printf(b, below(r, 2) ? "1" : "7");
    if (!some(r)) return;
    put_key(b, "place");
    buf_printf(b, "{'type':'Point','coordinates':[%d,%d]}", (int)below(r, 3), 50 + (int)below(r, 3));
}

static Err put_twin(TestGraph *g, int64_t name) {
    Rng *r = &g->rng;
    int64_t model = below(r, 4);
    Buf b = {0};
    buf_printf(&b, "{'$dtId':'t%lld','$metadata':{'$model':'dtmi:t:%s;1'}", (long long)name, model_ids[model]);
    if (some(r)) put_key(&b, "name"), put_word(r, &b);
    if (some(r)) put_key(&b, "count"), model == 3 && below(r, 2) ? put_double(r, &b) : put_integer(r, &b);
    if (model < 3 && some(r)) put_key(&b, "temp"), put_double(r, &b);
    if (model == 1 || model == 2) put_room(r, &b);
    if (model == 2) put_hall(r, &b);
    if (model == 3 && some(r)) put_key(&b, "on"), put_word(r, &b);
    if (model == 3 && some(r)) put_key(&b, "level"), put_word(r, &b);
    buf_byte(&b, '}');
    buf_byte(&b, 0);
    Err e = test_graph_put(g, false, b.p);
    buf_free(&b);
    return e;
}

// A random twin that was made; it may be gone. 0: none.
static TwinId some_twin(TestGraph *g) {
    char name[32];
    if (g->named == 0) return (TwinId){0};
    View v = view_writer(g->w);
    return view_find_twin(&v, (Str){name, snprintf(name, sizeof name, "t%lld", (long long)below(&g->rng, g->named))});
}

// A link below the rules of the models: also to oneself, and of any kind its source has.
static Err new_link(TestGraph *g, TwinId source, TwinId target) {
    Rng *r = &g->rng;
    View v = view_writer(g->w);
    const Model *m = v.catalog->tables[view_twin_place(&v, source).table].model;
    const Rel *rel = m->rels[below(r, m->rel_count)];
    LinkId id = world_take_link_id(g->w);
    uint32_t kind = (uint32_t)catalog_kind(v.catalog, rel);
    Change c = {.kind = CHANGE_LINK_NEW, .id = id.v, .other = source.v, .target = target.v, .col = kind};
    c.text = arena_printf(&g->arena, "r%llu", (unsigned long long)id.v);
    TRY(world_do(g->w, &c));
    for (int32_t i = 0; i < rel->field_count; i++) {
        const Field *f = &rel->fields[i];
        if (!some(r)) continue;
        c = (Change){.kind = CHANGE_LINK_SET, .id = id.v, .col = v.catalog->kinds[kind].first + (uint32_t)i};
        c.cell = (uint8_t)f->cell;
        c.bits = f->cell == CELL_F64 ? bits_of((double)below(r, 20) / 4) : (uint64_t)below(r, 5);
        if (f->cell == CELL_STR) c.text = below(r, 2) ? STR("a") : STR("label");
        TRY(world_do(g->w, &c));
    }
    return ERR_OK;
}

static void add_link(TestGraph *g) {
    TwinId source = some_twin(g), target = below(&g->rng, 12) ? some_twin(g) : source;
    if (!source.v || !target.v) return;
    begin(g);
    Err e = finish(g, new_link(g, source, target));
    CHECK(e == ERR_OK);
}

// Delete a link of the twin, or the twin when it has none.
static Err cut(TestGraph *g, TwinId twin) {
    View v = view_writer(g->w);
    TwinView t = view_twin(&v, twin);
    LinkId link = t.first_out.v ? t.first_out : t.first_in;
    Change c = {.kind = link.v ? CHANGE_LINK_DEL : CHANGE_TWIN_DEL, .id = link.v ? link.v : twin.v};
    return world_do(g->w, &c);
}

// One value of a twin set to another, with or without a source time.
static Err set_value(TestGraph *g, TwinId twin) {
    static const char *const sets[][2] = {{"temp", "3.25"},         {"temp", "-7"},        {"count", "2"},
                                          {"name", "\"a\""},        {"on", "true"},        {"on", "\"b\""},
                                          {"pos", "{\"x\":1}"},     {"nums", "{\"a\":1}"}, {"area", "0.5"},
                                          {"thermo.mode", "\"b\""}, {"level", "7"}};
    int64_t k = below(&g->rng, (int64_t)(sizeof sets / sizeof *sets));
    int64_t source = below(&g->rng, 2) ? g->now - 3600 * INT64_C(1000000000) : 0;
    return edit_value(g->w, twin, str_of(sets[k][0]), str_of(sets[k][1]), source, &g->arena, NULL);
}

static void write_once(TestGraph *g) {
    int64_t what = below(&g->rng, 10);
    TwinId twin = some_twin(g);
    if (what < 2) { // a twin with relationships does not take every model
        Err e = put_twin(g, below(&g->rng, 3) && g->named ? below(&g->rng, g->named) : g->named++);
        CHECK(e == ERR_OK || e == ERR_VALIDATION || e == ERR_LINK_INVALID);
    }
    if (what >= 2 && what < 4) add_link(g);
    if (what < 4 || !twin.v) return;
    begin(g);
    Err e = finish(g, what < 6 ? cut(g, twin) : set_value(g, twin)); // a value that the model has not is refused
    CHECK(e == ERR_OK || e == ERR_VALIDATION);
}

void test_graph_open(TestGraph *g, uint64_t seed) { test_graph_open_kept(g, seed, NULL); }

void test_graph_open_kept(TestGraph *g, uint64_t seed, TrailLog *log) {
    *g = (TestGraph){.d = domain_new(), .rng = rng_make(seed, 0), .now = TEST_GRAPH_NOW, .log = log};
    g->w = world_new(g->d, 1 << 16);
    world_keep_trail(g->w, log != NULL);
    arena_init(&g->arena, 0);
    begin(g);
    Diag d;
    diag_init(&d);
    Err e = edit_models_add(g->w, json_of(g, models), &d);
    if (e != ERR_OK) fprintf(stderr, "models: %.*s\n", STR_ARG(d.messages[0].text));
    diag_free(&d);
    e = finish(g, e);
    CHECK(e == ERR_OK);
}

void test_graph_grow(TestGraph *g, int64_t twins, int64_t links) {
    for (int64_t i = 0; i < twins; i++) {
        Err e = put_twin(g, g->named++);
        CHECK(e == ERR_OK);
    }
    for (int64_t i = 0; i < links; i++) add_link(g);
}

static void must(Err e) { CHECK(e == ERR_OK); }

// A change of the open batch.
static void change(TestGraph *g, Change c) { must(world_do(g->w, &c)); }

static void bulk_twin(TestGraph *g, const Table *t, uint32_t table) {
    Rng *r = &g->rng;
    TwinId id = world_take_twin_id(g->w);
    uint64_t cell[] = {0, (uint64_t)(g->named / 7), bits_of((double)below(r, 8000) / 4)}; // name, count, temp
    Str name = arena_printf(&g->arena, "t%lld", (long long)g->named++);
    change(g, (Change){.kind = CHANGE_TWIN_NEW, .id = id.v, .col = table, .text = name});
    for (uint32_t i = 0; i < 3; i++) {
        Change c = {.kind = CHANGE_SET, .id = id.v, .col = t->first + i, .cell = (uint8_t)t->model->fields[i].cell};
        c.bits = cell[i];
        if (i == 0) c.text = arena_printf(&g->arena, "name of %d", (int)below(r, 600));
        if (below(r, 20)) change(g, c);
    }
}

static void bulk_link(TestGraph *g, const Catalog *cat, TwinId source, TwinId target) {
    LinkId id = world_take_link_id(g->w);
    uint32_t kind = (uint32_t)catalog_kind(cat, model_rel(schema_find(cat->schema, STR("dtmi:t:Base;1")), STR("near")));
    Str rid = arena_printf(&g->arena, "n%llu", (unsigned long long)id.v);
    change(
        g,
        (Change){.kind = CHANGE_LINK_NEW, .id = id.v, .other = source.v, .target = target.v, .col = kind, .text = rid});
    Change c = {.kind = CHANGE_LINK_SET, .id = id.v, .col = cat->kinds[kind].first, .cell = CELL_I64};
    c.bits = (uint64_t)below(&g->rng, 500);
    if (below(&g->rng, 10)) change(g, c);
}

void test_graph_bulk(TestGraph *g, int64_t twins, int64_t links) {
    View v = view_writer(g->w);
    const Catalog *cat = v.catalog;
    uint32_t table = 0;
    while (!str_eq(cat->tables[table].model->id, STR("dtmi:t:Base;1"))) table++;
    for (int64_t i = 0; i < twins;) {
        begin(g);
        for (int64_t k = 0; k < 200 && i < twins; k++, i++) bulk_twin(g, &cat->tables[table], table);
        must(finish(g, ERR_OK));
    }
    for (int64_t i = 0; i < links;) {
        begin(g);
        for (int64_t k = 0; k < 200 && i < links; k++, i++) {
            TwinId source = some_twin(g), target = some_twin(g);
            bool fits = source.v && target.v && view_twin_place(&v, source).table == table;
            if (fits) bulk_link(g, cat, source, target);
        }
        must(finish(g, ERR_OK));
    }
}

void test_graph_write(TestGraph *g, int64_t writes) {
    for (int64_t i = 0; i < writes; i++) write_once(g);
}

void test_graph_close(TestGraph *g) {
    world_verify(g->w);
    world_free(g->w);
    domain_free(g->d);
    arena_free(&g->arena);
}

// ---- a past -------------------------------------------------------------------------------------------------------

static Err made_up(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    static const char *const texts[] = {"a", "b", "t1", "2026-01-01"};
    const int64_t minute = INT64_C(60000000000);
    uint64_t h = (r->id * 31 + r->column) * UINT64_C(0x9e3779b97f4a7c15);
    int64_t step = (int64_t)(5 + h % 20) * minute, first = r->from - r->from % step;
    (void)ctx;
    (void)v;
    if (h >> 62 == 0) return ERR_OK; // none
    for (int64_t at = first; at <= r->to; at += step) {
        h = (h ^ (uint64_t)(at / minute)) * UINT64_C(0x9e3779b97f4a7c15);
        ExprMoment m = {.time = at < r->from ? r->from : at, .valid = h >> 60 != 0, .text = str_of(texts[h >> 62])};
        m.bits = r->column % 2 ? h >> 60 : bits_of((double)(h >> 58) / 4);
        if (at == first && !m.valid) continue;
        if (!fn(arg, &m)) break;
    }
    return ERR_OK;
}

const ExprPast TEST_PAST = {.moments = made_up};
