// SPDX-License-Identifier: Apache-2.0
// The graph in columns against twin by twin: of the live world, of forks and of the past of both, while random edits go
// on; conditions, limits, and what cannot be asked.
#include "codec/json.h"
#include "engine/test_past.h"

#define PATHS 6

static const char *const paths[PATHS] = {"temperature", "count", "big", "on", "thermostat.setPoint", "size.w"};

// ---- lines, sorted -------------------------------------------------------------------------------------------------

typedef struct Lines {
    char **p;
    size_t n, cap;
} Lines;

static void add_line(Lines *l, const Buf *b) {
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->p = realloc(l->p, l->cap * sizeof *l->p);
        assert_non_null(l->p);
    }
    l->p[l->n] = strndup(b->p, (size_t)b->n);
    assert_non_null(l->p[l->n++]);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void free_lines(Lines *l) {
    for (size_t i = 0; i < l->n; i++) free(l->p[i]);
    free(l->p);
    *l = (Lines){0};
}

static void same_lines(Lines *was, Lines *is, const char *world, uint64_t seed) {
    if (was->n) qsort(was->p, was->n, sizeof *was->p, by_text);
    if (is->n) qsort(is->p, is->n, sizeof *is->p, by_text);
    for (size_t i = 0; i < was->n || i < is->n; i++) {
        const char *a = i < was->n ? was->p[i] : "nothing", *b = i < is->n ? is->p[i] : "nothing";
        if (strcmp(a, b)) fail_msg("seed %llu, %s: should be %s, is %s", (unsigned long long)seed, world, a, b);
    }
}

// ---- twin by twin --------------------------------------------------------------------------------------------------

static Json parse(Arena *a, const SosiaBuf *body) {
    Json j;
    assert_int_equal(json_parse((Str){body->p, body->n}, NULL, a, &j, NULL), ERR_OK);
    return j;
}

static void put_raw(Buf *b, const Json *v) {
    buf_byte(b, ' ');
    if (v) buf_str_put(b, v->raw);
    else buf_str_put(b, STR("null"));
}

static const Json *at_path(const Json *v, const char *path) {
    Str rest = str_of(path);
    while (rest.n && v) v = json_get(v, str_cut(&rest, '.'));
    return v;
}

static void naive_links(Kit *k, const char *world, Str id, const Lines *in, Lines *out) {
    Buf name = {0}, line = {0};
    char token[96] = "";
    Arena a;
    arena_init(&a, 0);
    buf_printf(&name, "%.*s", STR_ARG(id));
    do {
        SosiaRead r = {.what = SOSIA_GET_LINKS, .world = kit_str(world), .id = buf_str(&name), .token = kit_str(token)};
        assert_int_equal(kit_read(k, &r), SOSIA_OK);
        Json list = parse(&a, &k->out.body);
        memcpy(token, k->out.token, sizeof token);
        for (int32_t i = 0; i < list.count; i++) {
            const Json *to = json_get(&list.items[i], STR("$targetId"));
            bool both = !in;
            for (size_t n = 0; in && n < in->n; n++) both |= str_eq(str_of(in->p[n]), to->s);
            if (!both) continue;
            buf_reset(&line);
            buf_printf(&line, "link %.*s -%.*s-> %.*s", STR_ARG(id),
                       STR_ARG(json_get(&list.items[i], STR("$relationshipName"))->s), STR_ARG(to->s));
            add_line(out, &line);
        }
    } while (token[0]);
    arena_free(&a);
    buf_free(&name);
    buf_free(&line);
}

static bool is_in(const Lines *in, Str id) {
    for (size_t i = 0; in && i < in->n; i++) {
        if (str_eq(str_of(in->p[i]), id)) return true;
    }
    return !in;
}

// in: names of the twins that count; NULL: all.
static void naive(Kit *k, const char *world, const Lines *in, Lines *out) {
    Buf line = {0}, body = {0};
    Arena a;
    arena_init(&a, 0);
    assert_int_equal(kit_read(k, &(SosiaRead){.what = SOSIA_GET_TWINS, .world = kit_str(world), .limit = 1000}), 0);
    buf_str_put(&body, buf_str(&k->out.body));
    Json list = parse(&a, &body);
    for (int32_t i = 0; i < list.count; i++) {
        const Json *twin = &list.items[i], *model = at_path(twin, "$metadata.$model");
        Str id = json_get(twin, STR("$dtId"))->s;
        if (!is_in(in, id)) continue;
        buf_reset(&line);
        buf_printf(&line, "twin %.*s %.*s", STR_ARG(id), STR_ARG(model->s));
        put_raw(&line, json_get(twin, STR("label")));
        for (int n = 0; n < PATHS; n++) put_raw(&line, at_path(twin, paths[n]));
        add_line(out, &line);
        naive_links(k, world, id, in, out);
    }
    arena_free(&a);
    buf_free(&line);
    buf_free(&body);
}

// The twins that a question finds.
static void naive_where(Kit *k, const char *world, const char *where, Lines *in) {
    SosiaAnswer answer = {0};
    Buf text = {0};
    Arena a;
    arena_init(&a, 0);
    buf_printf(&text, "SELECT $dtId AS id FROM DIGITALTWINS WHERE %s", where);
    SosiaQuery q = {.world = kit_str(world), .text = buf_str(&text), .limit = 1000};
    assert_int_equal(sosia_query(k->s, NULL, &q, &answer), SOSIA_OK);
    Json rows = parse(&a, &answer.body);
    for (int32_t i = 0; i < rows.count; i++) {
        buf_reset(&text);
        buf_str_put(&text, json_get(&rows.items[i], STR("id"))->s);
        add_line(in, &text);
    }
    sosia_answer_free(&answer);
    buf_free(&text);
    arena_free(&a);
}

// ---- in columns ----------------------------------------------------------------------------------------------------

static const Json *column(const Json *of, const char *name, int32_t count) {
    const Json *c = json_get(of, str_of(name));
    assert_non_null(c);
    assert_int_equal(c->type, JSON_ARRAY);
    assert_int_equal(c->count, count);
    return c;
}

static Str item(const Json *array, int64_t i) {
    assert_true(i >= 0 && i < array->count);
    return array->items[i].s;
}

static void links_of(const Json *g, const Json *ids, Lines *out) {
    const Json *links = json_get(g, STR("links")), *names = json_get(g, STR("names"));
    int32_t n = json_get(links, STR("from"))->count;
    const Json *from = column(links, "from", n), *to = column(links, "to", n), *name = column(links, "name", n);
    Buf line = {0};
    for (int32_t i = 0; i < n; i++) {
        buf_reset(&line);
        buf_printf(&line, "link %.*s -%.*s-> %.*s", STR_ARG(item(ids, from->items[i].i)),
                   STR_ARG(item(names, name->items[i].i)), STR_ARG(item(ids, to->items[i].i)));
        add_line(out, &line);
    }
    buf_free(&line);
}

// Properties as expressions are the same to the last byte.
static const char *const worked_out[] = {"(temperature)", "(on)", "(thermostat.setPoint)", "(count)"};
static const char *const as_they_are[] = {"temperature", "on", "thermostat.setPoint", "count"};
#define WORKED_OUT 4

static void same_columns(const Json *values, int32_t n) {
    for (int k = 0; k < WORKED_OUT; k++) {
        const Json *a = column(values, worked_out[k], n), *b = column(values, as_they_are[k], n);
        for (int32_t i = 0; i < n; i++) {
            if (!str_eq(a->items[i].raw, b->items[i].raw))
                fail_msg("%s: %.*s is %.*s", as_they_are[k], STR_ARG(b->items[i].raw), STR_ARG(a->items[i].raw));
        }
    }
}

static void lines_of(const Json *g, bool values, Lines *out) {
    const Json *twins = json_get(g, STR("twins")), *ids = json_get(twins, STR("id"));
    int32_t n = ids->count;
    const Json *model = column(twins, "model", n), *label = column(twins, "label", n);
    Buf line = {0};
    if (values) same_columns(json_get(g, STR("values")), n);
    for (int32_t i = 0; i < n; i++) {
        buf_reset(&line);
        buf_printf(&line, "twin %.*s %.*s", STR_ARG(ids->items[i].s),
                   STR_ARG(item(json_get(g, STR("models")), model->items[i].i)));
        put_raw(&line, &label->items[i]);
        for (int k = 0; values && k < PATHS; k++)
            put_raw(&line, &column(json_get(g, STR("values")), paths[k], n)->items[i]);
        add_line(out, &line);
    }
    links_of(g, ids, out);
    buf_free(&line);
}

static SosiaErr ask(Kit *k, const char *world, const char *where, int64_t limit) {
    static SosiaStr values[PATHS];
    SosiaStr labels[] = {{"nothing", 7}, {"label", 5}}, expressions[WORKED_OUT];
    for (int i = 0; i < WORKED_OUT; i++) expressions[i] = str_of(worked_out[i]);
    for (int i = 0; i < PATHS; i++) values[i] = str_of(paths[i]);
    SosiaGraph g = {.world = kit_str(world), .where = kit_str(where), .limit = limit};
    g.values = values;
    g.value_count = PATHS;
    g.expressions = expressions;
    g.expression_count = WORKED_OUT;
    g.labels = labels;
    g.label_count = 2;
    return sosia_graph(k->s, NULL, &g, &k->out);
}

// ---- the same ------------------------------------------------------------------------------------------------------

static void check(Stream *s, const char *world, const char *where) {
    Kit *k = &s->k;
    Lines was = {0}, is = {0}, in = {0};
    Arena a;
    arena_init(&a, 0);
    SosiaErr err = ask(k, world, where, 0);
    if (err) fail_msg("%s: %s: %.*s", world, sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    Json g = parse(&a, &k->out.body);
    assert_int_equal(json_get(&g, STR("more"))->type, JSON_FALSE);
    assert_true((uint64_t)json_get(&g, STR("sequence"))->i == k->out.seq);
    lines_of(&g, true, &is);
    if (where) naive_where(k, world, where, &in);
    naive(k, world, where ? &in : NULL, &was);
    same_lines(&was, &is, world, s->seed);
    free_lines(&was);
    free_lines(&is);
    free_lines(&in);
    arena_free(&a);
}

static void check_world(Stream *s, const char *world) {
    check(s, world, NULL);
    check(s, world, "temperature > 20 AND on = true");
    check(s, world, "label = 'nobody has it'");
    check(s, world, "IS_OF_MODEL('dtmi:test:Base;1') AND COUNT(->feeds) > 0");
}

static void random_worlds(uint64_t seed) {
    Stream s = {.seed = seed, .world = "", .r = rng_make(seed, 1)};
    char path[64];
    kit_path(path);
    atomic_store(&test_clock, START);
    kit_open(&s.k, &(SosiaOpen){.path = kit_str(path), .now = test_now, .tick_ns = -1});
    kit_models(&s.k);
    int64_t instants[4];
    for (int i = 0; i < 4; i++) {
        for (int n = 0; n < 60; n++) step(&s);
        pass(1000);
        assert_int_equal(sosia_world_now(s.k.s, kit_str(""), true, &instants[i]), SOSIA_OK);
        pass(1000);
        check_world(&s, "live");
        if (i == 1) assert_int_equal(sosia_fork(s.k.s, NULL, kit_str("live"), kit_str("fork")), SOSIA_OK);
        if (i < 1) continue;
        s.world = "fork";
        for (int n = 0; n < 20; n++) step(&s);
        check_world(&s, "fork");
        s.world = "";
    }
    for (int i = 0; i < 4; i++) {
        SosiaBuf world = world_of("live", instants[i]);
        check_world(&s, world.p);
        sosia_buf_free(&world);
    }
    kit_close(&s.k);
    kit_unlink(path);
}

static void as_twin_by_twin(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) random_worlds(seed);
}

// ---- pages of rows, limits -----------------------------------------------------------------------------------------

static void put_many(Kit *k, int from, int to) {
    KitText t = {0};
    char line[200];
    add_text(&t, "{\"Section\":\"Twins\"}\n");
    for (int i = from; i < to; i++) {
        snprintf(line, sizeof line,
                 "{\"$dtId\":\"n%d\",\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}},"
                 "\"count\":%d}\n",
                 i, i);
        add_text(&t, line);
    }
    add_text(&t, "{\"Section\":\"Relationships\"}\n");
    for (int i = from ? from : 1; i < to; i++) {
        snprintf(
            line, sizeof line,
            "{\"$sourceId\":\"n%d\",\"$relationshipId\":\"r\",\"$targetId\":\"n%d\",\"$relationshipName\":\"near\"}\n",
            i, i / 2);
        add_text(&t, line);
    }
    kit_do(k, SOSIA_IMPORT, "", "", t.p);
    free(t.p);
}

static void limits_and_order(void **state) {
    (void)state;
    Kit k;
    Arena a;
    arena_init(&a, 0);
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    put_many(&k, 0, 3000);
    const int64_t limits[] = {0, 1, 1023, 1024, 1025, 2999, 3000, 3001};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(ask(&k, "", NULL, limits[i]), SOSIA_OK);
        Json g = parse(&a, &k.out.body);
        int64_t n = limits[i] && limits[i] < 3000 ? limits[i] : 3000;
        const Json *ids = column(json_get(&g, STR("twins")), "id", (int32_t)n);
        assert_true(str_eq(ids->items[n - 1].s, STR("n2999")) == (n == 3000));
        assert_int_equal(json_get(&g, STR("more"))->type, n < 3000 ? JSON_TRUE : JSON_FALSE);
        column(json_get(&g, STR("links")), "to", (int32_t)n - 1); // each but the first points down
        assert_int_equal(column(json_get(&g, STR("values")), "count", (int32_t)n)->items[n - 1].i, n - 1);
        arena_reset(&a);
    }
    assert_int_equal(ask(&k, "", "count >= 1000 AND count < 1010", 5), SOSIA_OK);
    Json g = parse(&a, &k.out.body);
    assert_true(str_eq(column(json_get(&g, STR("twins")), "id", 5)->items[4].s, STR("n1004")));
    assert_int_equal(json_get(&g, STR("more"))->type, JSON_TRUE);
    column(json_get(&g, STR("links")), "to", 0);
    kit_close(&k);
    arena_free(&a);
}

static bool at_once(void *ctx) {
    (*(int *)ctx)++;
    return true;
}

static void refused(Kit *k, SosiaGraph g, SosiaErr err, const char *why) {
    assert_int_equal(sosia_graph(k->s, NULL, &g, &k->out), err);
    assert_int_equal(k->out.body.n, 0);
    if (why) kit_has(kit_keep(k, (SosiaStr){k->out.message.p, k->out.message.n}), why);
}

static void what_cannot_be_asked(void **state) {
    (void)state;
    Kit k;
    int asked = 0;
    SosiaStr many[SOSIA_GRAPH_VALUES_MAX + 1];
    for (int i = 0; i <= SOSIA_GRAPH_VALUES_MAX; i++) many[i] = kit_str("count");
    kit_open(&k, &(SosiaOpen){0});
    assert_int_equal(sosia_graph(k.s, NULL, &(SosiaGraph){.limit = 1}, &k.out), SOSIA_OK); // a world without anything
    kit_has(kit_body(&k), "\"models\":[],\"twins\":{\"id\":[],\"model\":[]},\"names\":[],\"links\":{\"from\":[],");
    kit_models(&k);
    put_many(&k, 0, 10);
    refused(&k, (SosiaGraph){.world = kit_str("nowhere")}, SOSIA_WORLD_NOT_FOUND, "nowhere");
    refused(&k, (SosiaGraph){.where = kit_str("count >")}, SOSIA_SYNTAX, "");
    refused(&k, (SosiaGraph){.limit = -1}, SOSIA_LIMIT, "1000000");
    refused(&k, (SosiaGraph){.limit = SOSIA_GRAPH_TWINS_MAX + 1}, SOSIA_LIMIT, "1000000");
    refused(&k, (SosiaGraph){.values = many, .value_count = SOSIA_GRAPH_VALUES_MAX + 1}, SOSIA_LIMIT, "8");
    const char *bad[] = {"nothing", "tags", "thermostat", "size", "$dtId", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SosiaStr one = kit_str(bad[i]);
        refused(&k, (SosiaGraph){.values = &one, .value_count = 1}, SOSIA_ARGUMENT, bad[i]);
    }
    refused(&k, (SosiaGraph){.stop = at_once, .stop_ctx = &asked}, SOSIA_CLOSED, NULL);
    assert_int_equal(asked, 1);
    assert_int_equal(sosia_graph(k.s, NULL, &(SosiaGraph){.no_links = true}, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"names\":[],\"links\":{\"from\":[],\"to\":[],\"name\":[]}");
    kit_close(&k);
}

static void long_texts_are_left_out(void **state) {
    (void)state;
    Kit k;
    char body[400], text[202];
    SosiaStr label = kit_str("label");
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    kit_room(&k, "a");
    for (int n = 200; n <= 201; n++) {
        memset(text, 'x', (size_t)n);
        text[n] = 0;
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"%s\"}]", text);
        kit_do(&k, SOSIA_TWIN_PATCH, "a", "", body);
        assert_int_equal(sosia_graph(k.s, NULL, &(SosiaGraph){.values = &label, .value_count = 1}, &k.out), SOSIA_OK);
        kit_has(kit_body(&k), n == 200 ? text : "\"values\":{\"label\":[null]}");
    }
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_twin_by_twin),
        cmocka_unit_test(limits_and_order),
        cmocka_unit_test(what_cannot_be_asked),
        cmocka_unit_test(long_texts_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
