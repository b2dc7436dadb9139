// SPDX-License-Identifier: Apache-2.0
// Edits and views as JSON: one plain value by path, one whole twin of 10 properties written and read. 100,000 twins in
// random order, so that caches are as cold as in service.
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "world/edit.h"
#include "world/show.h"

enum { TWINS = 100000, PROPERTIES = 10, ROUNDS = 9, BATCH = 1000 };

typedef struct Rig {
    Domain *d;
    World *w;
    Arena arena;
    uint64_t seq;
    int64_t time;
    TwinId *ids;
    int32_t *order; // a random permutation
} Rig;

static void begin(Rig *r) {
    r->time = world_next_time(r->w, r->time + 100);
    world_begin(r->w, ++r->seq, r->time);
}

static void end(Rig *r) {
    world_end(r->w);
    world_settle(r->w, r->seq);
}

static Json parse(Rig *r, Str text) {
    Json v;
    CHECK(json_parse(text, NULL, &r->arena, &v, NULL) == ERR_OK);
    return v;
}

static void add_model(Rig *r) {
    Buf b = {0};
    buf_printf(&b,
               "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:b:M;1\",\"@type\":\"Interface\",\"contents\":[");
    for (int i = 0; i < PROPERTIES; i++)
        buf_printf(&b, "%s{\"@type\":\"Property\",\"name\":\"value%d\",\"schema\":\"%s\"}", i ? "," : "", i,
                   i < 8 ? "double" : "string");
    buf_printf(&b, "]}]");
    Json docs = parse(r, buf_str(&b));
    begin(r);
    CHECK(edit_models_add(r->w, &docs, NULL) == ERR_OK);
    end(r);
    buf_free(&b);
}

static Json body_of(Rig *r, int i) {
    Str text =
        arena_printf(&r->arena,
                     "{\"$metadata\":{\"$model\":\"dtmi:b:M;1\"},\"value0\":%d.5,\"value1\":2.25,\"value2\":21.5,"
                     "\"value3\":1e-3,\"value4\":70,\"value5\":0.1,\"value6\":%d,\"value7\":1013.25,"
                     "\"value8\":\"running\",\"value9\":\"Turin, hall 7, line %d\"}",
                     i % 100, i, i % 9);
    return parse(r, text);
}

static double put_all(Rig *r) {
    int64_t since = time_mono_ns();
    for (int i = 0; i < TWINS; i++) {
        char id[16];
        int n = snprintf(id, sizeof id, "machine-%06d", i);
        if (i % BATCH == 0) begin(r);
        Json body = body_of(r, i);
        CHECK(edit_twin_put(r->w, (Str){id, n}, &body, (Precondition){0}, NULL, NULL) == ERR_OK);
        if (i % BATCH == BATCH - 1) {
            end(r);
            arena_reset(&r->arena);
        }
    }
    return bench_seconds(since) / TWINS * 1e6;
}

static void shuffle(Rig *r) {
    Rng rng = rng_make(7, 0);
    View v = view_writer(r->w);
    for (int i = 0; i < TWINS; i++) {
        char id[16];
        int n = snprintf(id, sizeof id, "machine-%06d", i);
        r->ids[i] = view_find_twin(&v, (Str){id, n});
        r->order[i] = i;
    }
    for (int i = TWINS - 1; i > 0; i--) {
        int j = (int)rng_below(&rng, (uint64_t)i + 1), k = r->order[i];
        r->order[i] = r->order[j];
        r->order[j] = k;
    }
}

static double set_values(Rig *r, bool hot) {
    static const char *const values[] = {"21.5", "3.14159", "-7", "1013.25"};
    static const char *const paths[] = {"value0", "value3", "value5", "value7"};
    int64_t since = time_mono_ns();
    for (int i = 0; i < TWINS; i++) {
        if (i % BATCH == 0) begin(r);
        TwinId id = r->ids[hot ? i % 16 : r->order[i]];
        CHECK(edit_value(r->w, id, str_of(paths[i & 3]), str_of(values[i >> 2 & 3]), r->time + i, &r->arena, NULL) ==
              ERR_OK);
        if (i % BATCH == BATCH - 1) end(r);
    }
    return bench_seconds(since) / TWINS * 1e9;
}

static double show_all(Rig *r, bool hot) {
    Buf out = {0};
    int64_t bytes = 0, since = time_mono_ns();
    for (int i = 0; i < TWINS; i++) {
        View v;
        buf_reset(&out);
        view_begin(&v, r->w);
        show_twin(&v, r->ids[hot ? i % 16 : r->order[i]], NULL, &out);
        view_end(&v);
        bytes += out.n;
    }
    double each = bench_seconds(since) / TWINS * 1e9;
    fprintf(stderr, "%.0f bytes a twin\n", (double)bytes / TWINS);
    buf_free(&out);
    return each;
}

int main(void) {
    Rig r = {.d = domain_new(), .time = INT64_C(1767225600000000000)};
    r.w = world_new(r.d, 1 << 20);
    r.ids = mem_alloc(TWINS * sizeof *r.ids);
    r.order = mem_alloc(TWINS * sizeof *r.order);
    arena_init(&r.arena, 0);
    add_model(&r);
    Bench put = {.name = "world.edit_put", .unit = "us", .less = true};
    Bench again = {.name = "world.edit_put_again", .unit = "us", .less = true};
    Bench value = {.name = "world.edit_value", .unit = "ns", .less = true};
    Bench value_hot = {.name = "world.edit_value_hot", .unit = "ns", .goal = 250, .less = true};
    Bench show = {.name = "world.show_twin", .unit = "ns", .less = true};
    Bench show_hot = {.name = "world.show_twin_hot", .unit = "ns", .goal = 2000, .less = true};
    bench_add(&put, put_all(&r));
    shuffle(&r);
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(&value, set_values(&r, false));
        bench_add(&value_hot, set_values(&r, true));
        bench_add(&show, show_all(&r, false));
        bench_add(&show_hot, show_all(&r, true));
        bench_add(&again, put_all(&r));
    }
    bench_print(&put);
    bench_print(&again);
    bench_print(&value);
    bench_print(&value_hot);
    bench_print(&show);
    bench_print(&show_hot);
    mem_free(r.ids);
    mem_free(r.order);
    arena_free(&r.arena);
    world_free(r.w);
    domain_free(r.d);
    return 0;
}
