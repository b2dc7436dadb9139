// SPDX-License-Identifier: Apache-2.0
// What the cache of facts and indexes costs and saves, on the generated city, in this process.
// usage: query_cache_bench [districts]
#include <string.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "city_world.h"
#include "query/cache.h"

enum { ROUNDS = 21, RING = 1 << 18 };

typedef struct Scene {
    World *w;
    QueryCache *c;
    TwinId *ids;
    int64_t twins;
    ExprSource rooms; // the largest table with all properties of an asset
    uint32_t name, load;
    const Field *name_leaf, *load_leaf;
} Scene;

static const Field *column(const Catalog *c, uint32_t table, const char *name, uint32_t *col) {
    const Field *f = model_field(c->tables[table].model, str_of(name));
    CHECK(f != NULL);
    *col = c->tables[table].first + (uint32_t)(f - c->tables[table].model->fields);
    return f;
}

static double us(int64_t since) { return bench_seconds(since) * 1e6; }

static QueryHits look(Scene *s, const QueryTest *t, Bench *b) {
    View v;
    QueryHits hits;
    view_begin(&v, s->w);
    int64_t at = time_mono_ns();
    query_hits(s->c, &v, &s->rooms, t, t ? 1 : 0, &hits);
    if (b) bench_add(b, us(at));
    view_end(&v);
    return hits;
}

static void print_hits(const char *what, const QueryHits *h) {
    fprintf(stderr, "%-24s %s: %lld pages, %lld rows, %lld pages skipped\n", what,
            h->how == QUERY_HOW_INDEX   ? "index"
            : h->how == QUERY_HOW_FACTS ? "facts"
                                        : "all",
            (long long)h->page_count, (long long)h->rows, (long long)h->skipped);
}

// Ask until an index is there; print what building took.
static void build(Scene *s, const QueryTest *t, const char *name) {
    Bench b = {.name = name, .unit = "ms", .less = true};
    for (int i = 0; i < 200 && query_cache_stats(s->c).built == 0; i++) {
        QueryHits h = look(s, t, NULL);
        query_hits_free(&h);
        int64_t at = time_mono_ns();
        query_cache_tend(s->c, s->w);
        if (query_cache_stats(s->c).built) bench_add(&b, us(at) / 1e3);
    }
    bench_print(&b);
}

static void lookups(Scene *s, const QueryTest *t, const char *name) {
    Bench b = {.name = name, .unit = "us", .less = true};
    for (int i = 0; i < ROUNDS; i++) {
        QueryHits h = look(s, t, &b);
        if (i == 0) print_hits(name, &h);
        query_hits_free(&h);
    }
    bench_print(&b);
}

// A write that no lookup is about: marks must be checked again.
static void touch(Scene *s) {
    View v = view_writer(s->w);
    const Catalog *c = v.catalog;
    TwinView t = view_twin_place(&v, s->ids[0]);
    world_begin(s->w, world_seq(s->w) + 1, world_next_time(s->w, 0));
    Err e = world_do(s->w, &(Change){.kind = CHANGE_SET,
                                     .cell = CELL_F64,
                                     .id = s->ids[0].v,
                                     .col = c->tables[t.table].first + 3,
                                     .bits = bits_of((double)world_seq(s->w))});
    CHECK(e == ERR_OK);
    world_end(s->w);
    world_settle(s->w, world_seq(s->w));
}

static void fresh_lookups(Scene *s, const QueryTest *t, const char *name) {
    Bench b = {.name = name, .unit = "us", .less = true};
    for (int i = 0; i < ROUNDS; i++) {
        touch(s);
        QueryHits h = look(s, t, &b);
        query_hits_free(&h);
    }
    bench_print(&b);
}

static void counts(Scene *s) {
    Bench first = {.name = "query.cache_count_first", .unit = "us", .less = true};
    Bench b = {.name = "query.cache_count", .unit = "us", .less = true};
    View v;
    view_begin(&v, s->w);
    for (int i = 0; i <= ROUNDS; i++) {
        int64_t at = time_mono_ns(), sum = 0;
        for (int32_t t = 0; t < v.catalog->table_count; t++)
            sum += query_count(s->c, &v, &(ExprSource){.kind = EXPR_TWIN, .table = (uint32_t)t}, NULL);
        bench_add(i ? &b : &first, us(at));
        CHECK(sum == s->twins);
    }
    bench_print(&first);
    bench_print(&b);
    first.name = "query.cache_count_links_first";
    b.name = "query.cache_count_links";
    for (int i = 0; i <= ROUNDS; i++) {
        int64_t at = time_mono_ns(), sum = 0;
        for (int32_t k = 0; k < v.catalog->kind_count; k++)
            sum += query_count(s->c, &v, &(ExprSource){.kind = EXPR_LINK, .link = (uint32_t)k}, NULL);
        bench_add(i ? &b : &first, us(at));
        CHECK(sum == s->twins * 3);
    }
    bench_print(&first);
    bench_print(&b);
    view_end(&v);
}

static void statistics(Scene *s) {
    Bench first = {.name = "query.cache_refresh_first", .unit = "us", .less = true};
    Bench b = {.name = "query.cache_refresh", .unit = "us", .less = true};
    View v;
    view_begin(&v, s->w);
    for (int i = 0; i <= ROUNDS; i++) {
        int64_t at = time_mono_ns();
        query_stat_refresh(s->c, &v);
        bench_add(i ? &b : &first, us(at));
    }
    bench_print(&first);
    bench_print(&b);
    const Catalog *c = v.catalog;
    for (int32_t k = 0; k < c->kind_count; k++) {
        int64_t links = query_count(s->c, &v, &(ExprSource){.kind = EXPR_LINK, .link = (uint32_t)k}, NULL);
        fprintf(stderr, "%-12.*s %9lld links, estimated %9.0f\n", STR_ARG(c->kinds[k].rel->name), (long long)links,
                query_stat_links(s->c, &v, (uint32_t)k));
        for (int32_t t = 0; t < c->table_count; t++) {
            double out = query_stat_fan(s->c, &v, (uint32_t)k, (uint32_t)t, true);
            double in = query_stat_fan(s->c, &v, (uint32_t)k, (uint32_t)t, false);
            bool big = view_table_rows(&v, (uint32_t)t) > 0 && (out > 0.01 || in > 0.01);
            if (big) fprintf(stderr, "    %-36.*s %6.2f out %6.2f in\n", STR_ARG(c->tables[t].model->id), out, in);
        }
    }
    view_end(&v);
}

int main(int argc, char **argv) {
    City city = {.districts = argc > 1 ? atoi(argv[1]) : 40, .seed = 1};
    if (city.districts < 1 || city.districts > 99) return 2;
    Scene s = {.twins = city_twin_count(&city)};
    s.ids = mem_alloc((size_t)s.twins * sizeof *s.ids);
    Domain *d = domain_new();
    int64_t at = time_mono_ns();
    s.w = city_world(&city, d, RING, s.ids);
    fprintf(stderr, "%lld twins and their links in %.2f s\n", (long long)s.twins, bench_seconds(at));
    View v = view_writer(s.w);
    for (int32_t t = 0; t < v.catalog->table_count; t++) {
        if (view_table_rows(&v, (uint32_t)t) > view_table_rows(&v, s.rooms.table)) s.rooms.table = (uint32_t)t;
    }
    fprintf(stderr, "table %.*s, %llu rows\n", STR_ARG(v.catalog->tables[s.rooms.table].model->id),
            (unsigned long long)view_table_rows(&v, s.rooms.table));
    s.load_leaf = column(v.catalog, s.rooms.table, "load", &s.load);
    s.name_leaf = column(v.catalog, s.rooms.table, "status", &s.name);
    QueryRange load, text;
    ExprValue high = {.type = EXPR_F64, .d = 99.9}, odd = {.type = EXPR_STR, .s = STR("no such status")};
    CHECK(query_range(s.load_leaf, BOUND_GT, &high, &load));
    CHECK(query_range(s.name_leaf, BOUND_EQ, &odd, &text));
    QueryTest by_load = {.col = s.load, .cell = CELL_F64, .ranges = &load, .count = 1};
    QueryTest by_text = {.col = s.name, .cell = CELL_STR, .ranges = &text, .count = 1};

    s.c = query_cache_new(0);
    counts(&s);
    statistics(&s);
    lookups(&s, NULL, "query.cache_all");
    lookups(&s, &by_load, "query.cache_facts");
    build(&s, &by_load, "query.cache_build_order");
    lookups(&s, &by_load, "query.cache_index_range");
    fresh_lookups(&s, &by_load, "query.cache_index_range_after_write");
    lookups(&s, &by_text, "query.cache_no_such_text");
    QueryCacheStats stats = query_cache_stats(s.c);
    fprintf(stderr, "%lld bytes, %lld indexes\n", (long long)stats.bytes, (long long)stats.indexes);
    query_cache_free(s.c);
    world_free(s.w);
    domain_free(d);
    mem_free(s.ids);
    return 0;
}
