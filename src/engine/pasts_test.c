// SPDX-License-Identifier: Apache-2.0
// Past worlds through the public calls. Random streams of edits; at sampled instants everything anybody could read is
// copied (lists, documents, etags, sequences, answers to questions, refusals). Whatever happens afterwards, restarts
// included, live@INSTANT gives the same bytes.
// LABELS: threads
#include <pthread.h>
#include <stdatomic.h>
#include "base/rng.h"
#include "base/time.h"
#include "engine/test_kit.h"

#define START INT64_C(1793520000000000000) // 2026-11-01T08:00:00Z
#define TWINS 14
#define SAMPLES_MAX 64

static _Atomic int64_t test_clock;

static int64_t test_now(void *ctx) {
    (void)ctx;
    return atomic_load(&test_clock);
}

static void pass(int64_t ns) { atomic_fetch_add(&test_clock, ns); }

// "live@..." of an instant; the caller frees it with sosia_buf_free.
static SosiaBuf world_at(int64_t at) {
    SosiaBuf b = {0};
    buf_printf(&b, "live@");
    time_print(at, 9, &b);
    buf_byte(&b, 0);
    b.n--;
    return b;
}

// ---- a copy of all that can be read -------------------------------------------------------------------------------

static void add_text(KitText *t, const char *z) { kit_add(t, z, strlen(z)); }

static void add_out(Kit *k, SosiaErr err, KitText *t) {
    char head[200];
    snprintf(head, sizeof head, "\n%s %s %llu ", sosia_err_name(err), k->out.etag,
             err ? 0 : (unsigned long long)k->out.seq);
    add_text(t, head);
    if (err) kit_add(t, k->out.message.p, (size_t)k->out.message.n);
    else kit_add(t, k->out.body.p, (size_t)k->out.body.n);
}

static void add_one(Kit *k, const char *world, SosiaGet what, const char *id, const char *sub, KitText *t) {
    SosiaRead r = {.what = what,
                   .world = kit_str(world),
                   .id = kit_str(id),
                   .sub = kit_str(sub),
                   .definition = true,
                   .base_url = kit_str("http://h/x")};
    add_out(k, kit_read(k, &r), t);
}

static void add_pages(Kit *k, SosiaRead r, KitText *t) {
    char token[96] = "";
    do {
        r.token = kit_str(token);
        SosiaErr err = kit_read(k, &r);
        add_out(k, err, t);
        memcpy(token, k->out.token, sizeof token);
        if (err) return;
    } while (token[0]);
}

static void add_answer(Kit *k, const char *world, const char *text, int32_t limit, KitText *t) {
    SosiaAnswer a = {0};
    char token[96] = "";
    add_text(t, "\n");
    add_text(t, text);
    do {
        SosiaQuery q = {.world = kit_str(world), .text = kit_str(text), .token = kit_str(token), .limit = limit};
        SosiaErr err = sosia_query(k->s, NULL, &q, &a);
        if (err) fail_msg("%s in %s: %s: %.*s", text, world, sosia_err_name(err), (int)a.message.n, a.message.p);
        add_text(t, "\n");
        kit_add(t, a.body.p, (size_t)a.body.n);
        memcpy(token, a.token, sizeof token);
    } while (token[0]);
    sosia_answer_free(&a);
}

static const char *const questions[] = {
    "SELECT * FROM DIGITALTWINS",
    "SELECT COUNT() FROM DIGITALTWINS",
    "SELECT T FROM DIGITALTWINS T WHERE T.temperature > 20 AND T.on = true",
    "SELECT T.$dtId, T.temperature FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:test:Base;1') ORDER BY T.count DESC",
    "SELECT T.$dtId, T.$metadata.$lastUpdateTime AS t, T.$etag AS e FROM DIGITALTWINS T ORDER BY T.$dtId",
    "SELECT T.$dtId, age(T.temperature) AS a, now() AS n FROM DIGITALTWINS T",
    "SELECT T.$dtId FROM DIGITALTWINS T WHERE STARTSWITH(T.label, 'a label') OR T.thermostat.setPoint < 5",
    "SELECT * FROM RELATIONSHIPS",
    "SELECT R FROM RELATIONSHIPS R WHERE R.flow > 10",
    "SELECT A.$dtId AS a, B.$dtId AS b FROM DIGITALTWINS MATCH (A)-[:feeds]->(B)",
    "SELECT A.$dtId AS a, B.$dtId AS b FROM DIGITALTWINS MATCH (A)-[*1..3]->(B) WHERE A.$dtId = 'twin-1'",
    "SELECT T, C FROM DIGITALTWINS T JOIN C RELATED T.near WHERE T.$dtId = 'twin-2'",
    "SELECT T.on AS o, COUNT() AS n, AVG(T.temperature) AS m FROM DIGITALTWINS T GROUP BY T.on",
};

static void add_twin(Kit *k, const char *world, const char *id, int32_t limit, KitText *t) {
    SosiaRead r = {.world = kit_str(world), .id = kit_str(id), .base_url = kit_str("http://h/x"), .limit = limit};
    add_one(k, world, SOSIA_GET_TWIN, id, "", t);
    add_one(k, world, SOSIA_GET_COMPONENT, id, "thermostat", t);
    r.what = SOSIA_GET_LINKS;
    add_pages(k, r, t);
    r.what = SOSIA_GET_INCOMING;
    add_pages(k, r, t);
    for (int i = 0; i < 3; i++) {
        char link[24];
        snprintf(link, sizeof link, "link-%d", i);
        add_one(k, world, SOSIA_GET_LINK, id, link, t);
    }
}

// Everything, as one text the caller frees.
static char *copy_all(Kit *k, const char *world, uint64_t seed) {
    KitText t = {0};
    Rng r = rng_make(seed, 99); // how many a page: the same both times
    SosiaRead models = {.what = SOSIA_GET_MODELS, .world = kit_str(world), .definition = true, .limit = 2};
    add_pages(k, models, &t);
    add_one(k, world, SOSIA_GET_MODEL, "dtmi:test:Room;1", "", &t);
    add_one(k, world, SOSIA_GET_MODEL, "dtmi:test:Extra1;1", "", &t);
    add_one(k, world, SOSIA_GET_DERIVED, "", "", &t);
    SosiaRead twins = {.what = SOSIA_GET_TWINS, .world = kit_str(world), .limit = 1 + (int32_t)rng_below(&r, 5)};
    add_pages(k, twins, &t);
    for (int i = 0; i < TWINS; i++) {
        char id[32];
        snprintf(id, sizeof id, "twin-%d", i);
        add_twin(k, world, id, 1 + (int32_t)rng_below(&r, 4), &t);
    }
    bool models_there = strstr(t.p, "dtmi:test:Room;1\",\"") != NULL;
    for (size_t i = 0; models_there && i < sizeof questions / sizeof *questions; i++)
        add_answer(k, world, questions[i], 1 + (int32_t)rng_below(&r, 6), &t);
    return t.p;
}

// ---- a random stream of edits -------------------------------------------------------------------------------------

typedef struct Stream {
    Kit k;
    Rng r;
    char path[64];
    uint64_t seed;
    int64_t at[SAMPLES_MAX];
    char *copy[SAMPLES_MAX];
    int samples;
    int models; // of the extra ones
} Stream;

static int below(Stream *s, int n) { return (int)rng_below(&s->r, (uint64_t)n); }

static void some_twin(Stream *s, char id[32]) { snprintf(id, 32, "twin-%d", below(s, TWINS)); }

static void edit(Stream *s, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaErr err = kit_write(&s->k, op, id, sub, body); // many are refused, and change nothing
    if (err == SOSIA_STORAGE || err == SOSIA_CLOSED) fail_msg("seed %llu", (unsigned long long)s->seed);
}

static void put_twin(Stream *s, const char *id) {
    char body[512];
    const char *more = below(s, 2) ? ",\"label\":\"a label that is longer than twelve bytes\"" : "";
    snprintf(
        body, sizeof body,
        "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}},\"temperature\":%d.25%s}",
        below(s, 40), more);
    if (below(s, 4) == 0)
        snprintf(body, sizeof body, "{\"$metadata\":{\"$model\":\"dtmi:test:Extra%d;1\"},\"label\":\"x\"}",
                 1 + below(s, 3));
    edit(s, SOSIA_TWIN_PUT, id, "", body);
}

static void patch_twin(Stream *s, const char *id) {
    static const char *const forms[] = {
        "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d.5}]",
        "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d},{\"op\":\"add\",\"path\":\"/on\",\"value\":true}]",
        "[{\"op\":\"remove\",\"path\":\"/temperature\"}]",
        "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"a label with the number %d in it, and quite long\"}]",
        "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"b%d\"}]",
        "[{\"op\":\"add\",\"path\":\"/tags\",\"value\":{\"t%d\":true}}]",
        "[{\"op\":\"add\",\"path\":\"/size\",\"value\":{\"w\":%d}}]",
        "[{\"op\":\"remove\",\"path\":\"/size\"}]",
        "[{\"op\":\"add\",\"path\":\"/on\",\"value\":false}]",
        "[{\"op\":\"add\",\"path\":\"/big\",\"value\":-%d000000000000}]",
        "[{\"op\":\"replace\",\"path\":\"/$metadata/temperature/sourceTime\",\"value\":\"2026-10-31T00:00:%02dZ\"}]",
        "[{\"op\":\"replace\",\"path\":\"/$metadata/$model\",\"value\":\"dtmi:test:Extra%d;1\"}]",
    };
    char body[512];
    int form = below(s, (int)(sizeof forms / sizeof *forms)), n = form == 11 ? 1 + below(s, 3) : below(s, 60);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, forms[form], n);
#pragma GCC diagnostic pop
    edit(s, SOSIA_TWIN_PATCH, id, "", body);
}

// A value of a stream: now, late, of the future, again.
static void ingest(Stream *s, const char *id) {
    char body[512];
    int64_t time = atomic_load(&test_clock) / 1000000 + (int64_t)below(s, 4000) - 3000;
    if (below(s, 8) == 0) time += 100000000; // far ahead
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"property\":\"temperature\",\"value\":%d.125,\"time\":%lld}\n"
             "{\"id\":\"twin-%d\",\"property\":\"count\",\"value\":%d,\"time\":%lld}\n"
             "{\"id\":\"%s\",\"property\":\"thermostat.setPoint\",\"value\":%d}\n",
             id, below(s, 40), (long long)time, below(s, TWINS), below(s, 9), (long long)time - 5, id, below(s, 10));
    edit(s, SOSIA_INGEST, "", "", body);
}

static void links(Stream *s, const char *id) {
    char link[24], body[256];
    snprintf(link, sizeof link, "link-%d", below(s, 3));
    int what = below(s, 6);
    if (what == 0) {
        edit(s, SOSIA_LINK_DELETE, id, link, "");
    } else if (what == 1) {
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/flow\",\"value\":%d}]", below(s, 30));
        edit(s, SOSIA_LINK_PATCH, id, link, body);
    } else {
        snprintf(body, sizeof body, "{\"$relationshipName\":\"%s\",\"$targetId\":\"twin-%d\"%s}",
                 below(s, 3) ? "feeds" : "near", below(s, TWINS), "");
        edit(s, SOSIA_LINK_PUT, id, link, body);
    }
}

static void delete_twin(Stream *s, const char *id) {
    for (int i = 0; i < 3; i++) {
        char link[24];
        snprintf(link, sizeof link, "link-%d", i);
        edit(s, SOSIA_LINK_DELETE, id, link, "");
    }
    edit(s, SOSIA_TWIN_DELETE, id, "", "");
}

static void extra_model(Stream *s) {
    char body[512], id[64];
    int what = below(s, 4);
    snprintf(id, sizeof id, "dtmi:test:Extra%d;1", 1 + below(s, 3));
    if (what == 0) {
        edit(s, SOSIA_MODEL_DELETE, id, "", "");
    } else if (what == 1) {
        edit(s, SOSIA_MODEL_PATCH, id, "", "[{\"op\":\"replace\",\"path\":\"/decommissioned\",\"value\":true}]");
    } else {
        snprintf(body, sizeof body,
                 "[{\"@id\":\"%s\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"extends\":"
                 "\"dtmi:test:Base;1\",\"contents\":[{\"@type\":\"Property\",\"name\":\"temperature\",\"schema\":"
                 "\"double\"},{\"@type\":\"Property\",\"name\":\"extra%d\",\"schema\":\"string\"},{\"@type\":"
                 "\"Relationship\",\"name\":\"feeds\"}]}]",
                 id, s->models++);
        edit(s, SOSIA_MODELS_ADD, "", "", body);
    }
}

static void derived(Stream *s) {
    char body[256], name[32];
    snprintf(name, sizeof name, "derived-%d", below(s, 2));
    if (below(s, 3) == 0) {
        edit(s, SOSIA_DERIVED_DELETE, name, "", "");
    } else {
        snprintf(body, sizeof body,
                 "{\"model\":\"dtmi:test:Room;1\",\"property\":\"thermostat.setPoint\",\"expression\":"
                 "\"temperature * %d\"}",
                 below(s, 5));
        edit(s, SOSIA_DERIVED_PUT, name, "", body);
    }
}

static void step(Stream *s) {
    char id[32];
    some_twin(s, id);
    if (below(s, 5)) pass(1 + below(s, 900000000)); // else several batches at one reading of the clock
    switch (below(s, 16)) {
    case 0:
    case 1: put_twin(s, id); break;
    case 2:
    case 3:
    case 4:
    case 5: patch_twin(s, id); break;
    case 6:
    case 7:
    case 8: ingest(s, id); break;
    case 9:
    case 10:
    case 11: links(s, id); break;
    case 12: delete_twin(s, id); break;
    case 13: extra_model(s); break;
    case 14: edit(s, SOSIA_TELEMETRY, id, "", "{\"x\":1}"); break;
    default: derived(s); break;
    }
}

// Keep all there is to read at an instant behind the newest batch, some time before the next.
static void sample(Stream *s) {
    if (s->samples == SAMPLES_MAX) return;
    pass(1000);
    s->at[s->samples] = atomic_load(&test_clock);
    s->copy[s->samples] = copy_all(&s->k, "", s->seed + (uint64_t)s->samples);
    s->samples++;
    pass(1000);
}

static void differ(const Stream *s, int i, const char *now, const char *world) {
    size_t at = 0;
    while (s->copy[i][at] && s->copy[i][at] == now[at]) at++;
    size_t from = at > 200 ? at - 200 : 0;
    fail_msg("seed %llu, %s differs at %zu:\nwas %.400s\nis  %.400s", (unsigned long long)s->seed, world, at,
             s->copy[i] + from, now + from);
}

static void check(Stream *s, int i) {
    SosiaBuf world = world_at(s->at[i]);
    char *now = copy_all(&s->k, world.p, s->seed + (uint64_t)i);
    if (strcmp(now, s->copy[i]) != 0) differ(s, i, now, world.p);
    free(now);
    sosia_buf_free(&world);
}

static void check_all(Stream *s) {
    for (int i = 0; i < s->samples; i++) check(s, (i * 7 + 3) % s->samples);
    for (int i = 0; i < s->samples; i++) check(s, i);
}

static void stream_open(Stream *s, int64_t checkpoint_ns, int64_t past_bytes) {
    kit_open(&s->k, &(SosiaOpen){.path = kit_str(s->path),
                                 .checkpoint_interval_ns = checkpoint_ns,
                                 .history_head_bytes = 1 << 20,
                                 .past_bytes_max = past_bytes,
                                 .now = test_now,
                                 .tick_ns = -1});
}

static void run_stream(uint64_t seed, int steps) {
    Stream *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->seed = seed;
    s->r = rng_make(seed, 1);
    kit_path(s->path);
    atomic_store(&test_clock, START);
    int64_t checkpoint = seed % 3 == 0 ? 1000000 : -1, bytes = seed % 2 ? 0 : 200000;
    stream_open(s, checkpoint, bytes);
    kit_models(&s->k);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < steps; i++) {
            step(s);
            if (below(s, 12) == 0) sample(s);
            if (s->samples && below(s, 10) == 0) check(s, below(s, s->samples));
        }
        if (round == 1) check_all(s);
        if (round == 2) break;
        kit_close(&s->k);
        stream_open(s, checkpoint, bytes);
    }
    check_all(s);
    kit_close(&s->k);
    for (int i = 0; i < s->samples; i++) free(s->copy[i]);
    kit_unlink(s->path);
    free(s);
}

static void the_past_is_as_it_was(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) run_stream(seed, 60);
}

// ---- names --------------------------------------------------------------------------------------------------------

static void open_file(Kit *k, char path[64], const SosiaOpen *more) {
    SosiaOpen o = *more;
    kit_path(path);
    atomic_store(&test_clock, START);
    o.path = kit_str(path);
    o.now = test_now;
    o.tick_ns = -1;
    kit_open(k, &o);
    pass(1000000);
    kit_models(k);
}

static void refused(Kit *k, const char *world, SosiaErr want, const char *part) {
    SosiaErr err = kit_get_in(k, world, SOSIA_GET_TWINS, "", "");
    if (err != want) fail_msg("%s: %s", world, sosia_err_name(err));
    kit_has(kit_keep(k, (SosiaStr){k->out.message.p, k->out.message.n}), part);
    SosiaAnswer a = {0};
    SosiaQuery q = {.world = kit_str(world), .text = kit_str("SELECT * FROM DIGITALTWINS")};
    assert_int_equal(sosia_query(k->s, NULL, &q, &a), want);
    kit_has(kit_keep(k, (SosiaStr){a.message.p, a.message.n}), part);
    sosia_answer_free(&a);
    SosiaHandle h;
    SosiaTest *t;
    SosiaBuf why = {0};
    assert_int_equal(sosia_resolve(k->s, kit_str(world), kit_str("a"), kit_str("temperature"), &h), want);
    assert_int_equal(sosia_test_new(k->s, kit_str(world), kit_str("temperature > 1"), &t, &why), want);
    kit_has(kit_keep(k, (SosiaStr){why.p, why.n}), part);
    sosia_buf_free(&why);
}

static void instants_by_name(void **state) {
    (void)state;
    char path[64];
    Kit k;
    open_file(&k, path, &(SosiaOpen){0});
    pass(1000000000);
    kit_room(&k, "a");
    pass(3600000000000);
    static const char *const same[] = {"live@2026-11-01T08:00:02Z", "live@2026-11-01T09:00:02+01:00",
                                       "live@2026-11-01T08:00:01.001Z", "live@2026-11-01T08:59Z",
                                       "live@2026-11-01 08:00:03z"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(kit_get_in(&k, same[i], SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        assert_int_equal(k.out.seq, 2);
    }
    assert_int_equal(kit_get_in(&k, "live@2026-11-01T08:00:01.0009999Z", SOSIA_GET_TWIN, "a", ""),
                     SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(kit_get_in(&k, "live@2026-11-01T08:00:01Z", SOSIA_GET_MODEL, "dtmi:test:Room;1", ""), SOSIA_OK);
    refused(&k, "live@2026-11-01T09:00:02Z", SOSIA_ARGUMENT, "has not come yet");
    refused(&k, "live@2026-11-01", SOSIA_PAST_GONE, "nothing is known");
    refused(&k, "live@2026-11-01T08:00:00Z", SOSIA_PAST_GONE, "nothing is known");
    refused(&k, "live@1999-01-01", SOSIA_PAST_GONE,
            "nothing is known of this world at that instant: it began at 2026-");
    static const char *const bad[] = {
        "live@",       "live@now",           "live@-1h",        "live@2026-11-01T08:00:00", "live@x",
        "@2026-11-01", "what-if@2026-11-01", "live@2026-13-01", "live@live@2026-11-01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refused(&k, bad[i], SOSIA_WORLD_NOT_FOUND, "no world");
    SosiaRead one = {.what = SOSIA_GET_WORLDS, .id = kit_str("live@2026-11-01T08:00:02Z")};
    assert_int_equal(kit_read(&k, &one), SOSIA_OK);
    assert_string_equal(kit_body(&k), "{\"name\":\"live@2026-11-01T08:00:02Z\",\"parent\":\"live\",\"sequence\":2,"
                                      "\"time\":\"2026-11-01T08:00:01.0010000Z\",\"twins\":1,\"relationships\":0}");
    kit_lacks(kit_get(&k, SOSIA_GET_WORLDS, "", ""), "@");
    kit_close(&k);
    kit_unlink(path);
    kit_open(&k, &(SosiaOpen){.now = test_now});
    refused(&k, "live@2026-11-01", SOSIA_UNSUPPORTED, "no history is kept");
    kit_close(&k);
}

static void never(void *arg, const SosiaDone *done) {
    (void)arg;
    (void)done;
    fail_msg("a write to the past was carried out");
}

static void the_past_is_not_written(void **state) {
    (void)state;
    char path[64];
    Kit k;
    open_file(&k, path, &(SosiaOpen){0});
    kit_room(&k, "a");
    pass(1000000000);
    const char *world = "live@2026-11-01T08:00:01Z";
    for (int op = SOSIA_MODELS_ADD; op <= SOSIA_IMPORT; op++) {
        assert_int_equal(kit_write_in(&k, world, (SosiaOp)op, "a", "x", "{}"), SOSIA_READ_ONLY);
        kit_has(kit_message(&k), "is the past");
        SosiaWrite w = {.op = (SosiaOp)op, .world = kit_str(world), .id = kit_str("a"), .body = kit_str("{}")};
        assert_int_equal(sosia_write(k.s, NULL, &w, never, NULL), SOSIA_READ_ONLY);
    }
    assert_int_equal(kit_write_in(&k, "live@x", SOSIA_TWIN_DELETE, "a", "", ""), SOSIA_WORLD_NOT_FOUND);
    SosiaHandle h;
    assert_int_equal(sosia_resolve(k.s, kit_str(world), kit_str("a"), kit_str("temperature"), &h), SOSIA_OK);
    SosiaUpdate u = {h, {.kind = SOSIA_F64, .d = 1}, 0};
    assert_int_equal(sosia_apply(k.s, NULL, kit_str(world), &u, 1, NULL), SOSIA_READ_ONLY);
    assert_int_equal(sosia_apply_async(k.s, NULL, kit_str(world), &u, 1, never, NULL), SOSIA_READ_ONLY);
    SosiaInlet *in;
    assert_int_equal(sosia_inlet_open(k.s, &(SosiaInletOpen){.world = kit_str(world)}, &in), SOSIA_READ_ONLY);
    SosiaFeed *f;
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str(world), 0, &f, NULL), SOSIA_UNSUPPORTED);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str(world), kit_str("what-if")), SOSIA_OK);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str(world)), SOSIA_READ_ONLY);
    kit_close(&k);
    kit_unlink(path);
}

// ---- what is kept -------------------------------------------------------------------------------------------------

static long long stat_of(Kit *k, const char *name) {
    const char *text = kit_get(k, SOSIA_GET_STATS, "", ""), *past = strstr(text, "\"past\":{"), *at;
    assert_non_null(past);
    at = strstr(past, name);
    assert_non_null(at);
    return atoll(at + strlen(name) + 2);
}

// Instants between two batches are one world; those nobody looks at any more go when they are too much, and come again.
static void worlds_are_shared_and_let_go(void **state) {
    (void)state;
    char path[64], body[128];
    Kit k;
    open_file(&k, path, &(SosiaOpen){.past_bytes_max = 100000});
    kit_room(&k, "a");
    for (int i = 0; i < 50; i++) {
        pass(1000000000);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        kit_do(&k, SOSIA_TWIN_PATCH, "a", "", body);
    }
    pass(1000000000);
    for (int j = 0; j < 20; j++) {
        SosiaBuf world = world_at(START + 5000000000 + 2000000 + j * 7);
        assert_int_equal(kit_get_in(&k, world.p, SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
        kit_has(kit_body(&k), "\"count\":4");
        sosia_buf_free(&world);
    }
    assert_int_equal(stat_of(&k, "made"), 1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50; i++) {
            SosiaBuf world = world_at(START + (int64_t)(i + 1) * 1000000000 + 2000000);
            snprintf(body, sizeof body, "\"count\":%d", i);
            assert_int_equal(kit_get_in(&k, world.p, SOSIA_GET_TWIN, "a", ""), SOSIA_OK);
            kit_has(kit_body(&k), body);
            sosia_buf_free(&world);
            assert_true(stat_of(&k, "bytes") <= 100000);
        }
    }
    assert_true(stat_of(&k, "made") > 51);
    assert_true(stat_of(&k, "dropped") > 0);
    kit_close(&k);
    kit_unlink(path);
}

// A question's pages go on with their world, whatever else is looked at and however little may be kept.
static void pages_outlive_the_bound(void **state) {
    (void)state;
    char path[64], id[32];
    Kit k;
    open_file(&k, path, &(SosiaOpen){.past_bytes_max = 1});
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "room-%d", i);
        kit_room(&k, id);
        pass(1000000000);
    }
    SosiaBuf world = world_at(START + 30 * INT64_C(1000000000));
    SosiaAnswer a = {0};
    char token[96] = "";
    int64_t rows = 0;
    for (int page = 0; !page || token[0]; page++) {
        SosiaQuery q = {.world = kit_str(page % 2 ? world.p : world.p),
                        .text = kit_str(page ? "" : "SELECT T.$dtId, now() AS n FROM DIGITALTWINS T"),
                        .token = kit_str(token),
                        .limit = 4};
        assert_int_equal(sosia_query(k.s, NULL, &q, &a), SOSIA_OK);
        kit_has(kit_keep(&k, (SosiaStr){a.body.p, a.body.n}), "\"n\":\"2026-11-01T08:00:30");
        rows += a.rows;
        memcpy(token, a.token, sizeof token);
        SosiaBuf other = world_at(START + (page + 2) * INT64_C(1000000000));
        assert_int_equal(kit_get_in(&k, other.p, SOSIA_GET_TWIN, "room-0", ""), SOSIA_OK);
        sosia_buf_free(&other);
        kit_room(&k, "room-0"); // the present goes on
        if (!token[0]) break;
        SosiaQuery wrong = {.world = kit_str("live"), .token = kit_str(token)};
        SosiaAnswer no = {0};
        assert_int_equal(sosia_query(k.s, NULL, &wrong, &no), SOSIA_TOKEN);
        sosia_answer_free(&no);
    }
    assert_int_equal(rows, 30);
    sosia_answer_free(&a);
    sosia_buf_free(&world);
    kit_close(&k);
    kit_unlink(path);
}

// ---- threads ------------------------------------------------------------------------------------------------------

typedef struct Came {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    SosiaErr err;
    int64_t rows;
    bool there;
} Came;

static void came(void *arg, SosiaErr err, SosiaAnswer *a) {
    Came *c = arg;
    pthread_mutex_lock(&c->lock);
    c->err = err;
    c->rows = a->rows;
    c->there = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static SosiaErr ask(Kit *k, const char *world, int64_t *rows) {
    Came c = {.there = false};
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.cond, NULL);
    SosiaQuery q = {.world = kit_str(world), .text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 1000};
    assert_int_equal(sosia_query_start(k->s, NULL, &q, came, &c), SOSIA_OK);
    pthread_mutex_lock(&c.lock);
    while (!c.there) pthread_cond_wait(&c.cond, &c.lock);
    pthread_mutex_unlock(&c.lock);
    pthread_mutex_destroy(&c.lock);
    pthread_cond_destroy(&c.cond);
    *rows = c.rows;
    return c.err;
}

typedef struct Looker {
    Kit k;
    uint64_t seed;
    _Atomic bool *stop;
} Looker;

// The instant that has just come, at once and again a little later: the same.
static void *look_twice(void *arg) {
    Looker *l = arg;
    Rng r = rng_make(l->seed, 0);
    while (!atomic_load(l->stop)) {
        SosiaBuf world = world_at(time_now_ns() - (int64_t)rng_below(&r, 3) * 100000);
        SosiaErr err = kit_get_in(&l->k, world.p, SOSIA_GET_TWINS, "", "");
        if (err != SOSIA_PAST_GONE) {
            assert_int_equal(err, SOSIA_OK);
            SosiaBuf first = l->k.out.body;
            uint64_t seq = l->k.out.seq;
            l->k.out.body = (SosiaBuf){0};
            int64_t rows, until = time_mono_ns() + (int64_t)rng_below(&r, 3000000);
            while (time_mono_ns() < until) sched_yield();
            assert_int_equal(ask(&l->k, world.p, &rows), SOSIA_OK);
            assert_int_equal(kit_get_in(&l->k, world.p, SOSIA_GET_TWINS, "", ""), SOSIA_OK);
            assert_int_equal(l->k.out.seq, seq);
            assert_int_equal(l->k.out.body.n, first.n);
            assert_memory_equal(l->k.out.body.p, first.p, (size_t)first.n);
            sosia_buf_free(&first);
        }
        sosia_buf_free(&world);
    }
    return NULL;
}

static void what_was_answered_stays(void **state) {
    (void)state;
    char path[64], body[128], id[24];
    Kit k;
    _Atomic bool stop = false;
    Looker lookers[2];
    pthread_t threads[2];
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .past_bytes_max = 300000, .checkpoint_interval_ns = 20000000});
    kit_models(&k);
    for (int i = 0; i < 8; i++) {
        snprintf(id, sizeof id, "r%d", i);
        kit_room(&k, id);
    }
    for (int i = 0; i < 2; i++) {
        lookers[i] = (Looker){.k = {.s = k.s}, .seed = (uint64_t)i + 1, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, look_twice, &lookers[i]), 0);
    }
    int64_t until = time_mono_ns() + 1500000000;
    for (int i = 0; time_mono_ns() < until; i++) {
        snprintf(id, sizeof id, "r%d", i % 8);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        kit_do(&k, SOSIA_TWIN_PATCH, id, "", body);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        kit_free(&lookers[i].k);
    }
    kit_close(&k);
    kit_unlink(path);
}

static void any_end(void *arg, SosiaErr err, SosiaAnswer *a) {
    (void)a;
    if (err != SOSIA_OK && err != SOSIA_CLOSED && err != SOSIA_TIMEOUT) *(SosiaErr *)arg = err;
}

// Questions of the past under way, cursors open: closing ends and frees them.
static void closing_lets_the_past_go(void **state) {
    (void)state;
    char path[64], id[32];
    Kit k;
    SosiaErr wrong = SOSIA_OK;
    open_file(&k, path, &(SosiaOpen){0});
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "room-%d", i);
        kit_room(&k, id);
        pass(1000000000);
    }
    SosiaAnswer a = {0};
    SosiaBuf world = world_at(START + 20 * INT64_C(1000000000)), now = world_at(atomic_load(&test_clock));
    SosiaQuery q = {.world = kit_str(world.p), .text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 2};
    assert_int_equal(sosia_query(k.s, NULL, &q, &a), SOSIA_OK);
    assert_true(a.token[0]);
    for (int i = 0; i < 20; i++) {
        q.world = kit_str(i % 2 ? world.p : now.p);
        assert_int_equal(sosia_query_start(k.s, NULL, &q, any_end, &wrong), SOSIA_OK);
    }
    kit_close(&k);
    assert_int_equal(wrong, SOSIA_OK);
    sosia_answer_free(&a);
    sosia_buf_free(&world);
    sosia_buf_free(&now);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_by_name),
        cmocka_unit_test(the_past_is_not_written),
        cmocka_unit_test(worlds_are_shared_and_let_go),
        cmocka_unit_test(pages_outlive_the_bound),
        cmocka_unit_test(what_was_answered_stays),
        cmocka_unit_test(closing_lets_the_past_go),
        cmocka_unit_test(the_past_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
