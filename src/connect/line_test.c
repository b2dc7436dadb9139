// SPDX-License-Identifier: Apache-2.0
// Line protocol into twins: made models and fixed ones, names of twins, tags, expressions, partial writes, what happens
// when models and twins change behind the back of the table of series, many at a time.
#include "connect/line.h"
#include <stdatomic.h>
#include "base/check.h"
#include "base/thread.h"
#include "base/time.h"
#include "connect/test_told.h"
#include "engine/test_kit.h"

typedef struct Fixture {
    Kit k;
    SosiaConnect *c;
    Told told;
} Fixture;

static void fixture_open(Fixture *f) {
    memset(f, 0, sizeof *f);
    told_init(&f->told);
    kit_open(&f->k, &(SosiaOpen){0});
    SosiaBuf why = {0};
    assert_int_equal(sosia_connect_start(&(SosiaConnectOpen){0}, f->k.s, &f->c, &why), SOSIA_OK);
    sosia_buf_free(&why);
}

static void fixture_close(Fixture *f) {
    sosia_connect_stop(f->c);
    kit_close(&f->k);
}

static void ask(Fixture *f, Told *t, const SosiaAsk *q) {
    t->count = 0;
    sosia_connect_ask(f->c, NULL, q, told_on, t);
    told_wait(t);
}

static const char *send(Fixture *f, const char *query, const char *body, int status) {
    ask(f, &f->told,
        &(SosiaAsk){
            .method = kit_str("POST"), .folder = kit_str("write"), .query = kit_str(query), .body = kit_str(body)});
    if (f->told.status != status) fail_msg("%d: %s: %s", f->told.status, sosia_err_name(f->told.err), f->told.said);
    return f->told.said;
}

static void write_ok(Fixture *f, const char *body) { send(f, "db=x", body, 204); }

static void connection(Fixture *f, const char *name, const char *doc, int status) {
    ask(f, &f->told,
        &(SosiaAsk){
            .method = kit_str("PUT"), .folder = kit_str("connections"), .id = kit_str(name), .body = kit_str(doc)});
    if (f->told.err ? status != 400 : f->told.status != status) fail_msg("%d: %s", f->told.status, f->told.said);
}

static void twin_has(Fixture *f, const char *id, const char *part) {
    kit_has(kit_get(&f->k, SOSIA_GET_TWIN, id, ""), part);
}

static void twin_lacks(Fixture *f, const char *id, const char *part) {
    kit_lacks(kit_get(&f->k, SOSIA_GET_TWIN, id, ""), part);
}

static void test_without_connection(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    write_ok(&f, "cpu,host=a,core=c0 usage=21.5,n=3i,ok=true,s=\"x y\",u=7u 1700000000000000000\n"
                 "mem,host=a free=5i 1700000000000000000\n");
    const char *id = "cpu,core=c0,host=a"; // tags in order of their names
    twin_has(&f, id, "\"usage\":21.5");
    twin_has(&f, id, "\"n\":3");
    twin_has(&f, id, "\"ok\":true");
    twin_has(&f, id, "\"s\":\"x y\"");
    twin_has(&f, id, "\"u\":7");
    twin_has(&f, id, "\"host\":\"a\"");
    twin_has(&f, id, "\"core\":\"c0\"");
    twin_has(&f, id, "\"$model\":\"dtmi:sosia:line:cpu;1\"");
    twin_has(&f, id, "\"sourceTime\":\"2023-11-14T22:13:20.0000000Z\"");
    twin_has(&f, "mem,host=a", "\"free\":5");
    write_ok(&f, "cpu,core=c0,host=a usage=22.5 1700000001000000000\n"); // the same series
    twin_has(&f, id, "\"usage\":22.5");
    write_ok(&f, "cpu,host=a,core=c0 usage=20 1690000000000000000\n"); // late
    twin_has(&f, id, "\"usage\":22.5");
    fixture_close(&f);
}

static void test_precision(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    static const char *const all[][2] = {{"precision=ns", "m x=1 1700000000000000000"},
                                         {"precision=n", "m x=1 1700000000000000000"},
                                         {"precision=us", "m x=1 1700000000000000"},
                                         {"precision=u", "m x=1 1700000000000000"},
                                         {"precision=ms", "m x=1 1700000000000"},
                                         {"precision=s", "m x=1 1700000000"},
                                         {"precision=m", "m x=1 28333333"},
                                         {"precision=h", "m x=1 472222"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char line[64];
        snprintf(line, sizeof line, "p%d%s", (int)i, all[i][1] + 1);
        send(&f, all[i][0], line, 204);
        char id[8];
        snprintf(id, sizeof id, "p%d", (int)i);
        twin_has(&f, id, "\"sourceTime\":\"2023-11-14T22:");
    }
    send(&f, "precision=d", "m x=1", 0);
    assert_int_equal(f.told.err, SOSIA_ARGUMENT);
    fixture_close(&f);
}

// Good points count, bad ones are told by line.
static void test_partial(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    const char *body =
        send(&f, "db=x", "a x=1 1\nb x 1\n\n# note\nc x=1,y= 1\nd x=4 1\ne x=18446744073709551615u 1\n", 400);
    kit_has(body, "{\"error\":\"partial write: line 2: unable to parse: '=' is expected");
    kit_has(body, "line 5: unable to parse");
    kit_has(body, "line 7: ");
    kit_has(body, "dropped=3\",\"code\":\"invalid\",\"message\":\"partial write");
    twin_has(&f, "a", "\"x\":1");
    twin_has(&f, "d", "\"x\":4");
    assert_int_equal(kit_get_in(&f.k, "", SOSIA_GET_TWIN, "b", ""), SOSIA_TWIN_NOT_FOUND);
    write_ok(&f, "");
    write_ok(&f, "\n\n# nothing\n");
    fixture_close(&f);
}

// Fields that come later move the twin to a further version of its model, also within one request.
static void test_growing(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    write_ok(&f, "cpu,host=a x=1 1000\ncpu,host=a y=2 1000\ncpu,host=a x=3,y=4,z=5 2000\ncpu,host=b x=1,z=1 1\n");
    twin_has(&f, "cpu,host=a", "\"x\":3");
    twin_has(&f, "cpu,host=a", "\"y\":4");
    twin_has(&f, "cpu,host=a", "\"z\":5");
    twin_has(&f, "cpu,host=b", "\"z\":1");
    write_ok(&f, "cpu,host=a x=\"now a text\" 3000\n"); // another type: another property
    twin_has(&f, "cpu,host=a", "\"x_string\":\"now a text\"");
    twin_has(&f, "cpu,host=a", "\"x\":3");
    write_ok(&f, "cpu,host=a x=9 4000\ncpu,host=b x=9 4000\n");
    twin_has(&f, "cpu,host=a", "\"x\":9");
    fixture_close(&f);
}

// What the table of series knows is out of date: learnt anew, nothing is lost.
static void test_changes_behind(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    write_ok(&f, "cpu,host=a x=1,y=1 1000\n");
    write_ok(&f, "cpu,host=a x=2,y=2 2000\n"); // by handles now
    kit_do(&f.k, SOSIA_TWIN_DELETE, "cpu,host=a", "", "");
    write_ok(&f, "cpu,host=a x=3,y=3 3000\nmem,host=a z=1 3000\n");
    twin_has(&f, "cpu,host=a", "\"x\":3");
    twin_has(&f, "cpu,host=a", "\"host\":\"a\"");
    write_ok(&f, "cpu,host=a x=4 4000\n");
    kit_do(&f.k, SOSIA_TWIN_DELETE, "cpu,host=a", "", "");
    kit_do(&f.k, SOSIA_MODEL_DELETE, "dtmi:sosia:line:cpu;1", "", "");
    write_ok(&f, "cpu,host=a x=5 5000\n");
    twin_has(&f, "cpu,host=a", "\"x\":5");
    // Another model with room for x only.
    kit_models(&f.k);
    kit_do(&f.k, SOSIA_TWIN_DELETE, "cpu,host=a", "", "");
    kit_room(&f.k, "cpu,host=a");
    kit_has(send(&f, "db=x", "cpu,host=a x=6 6000\ncpu,host=a temperature=6 6000\n", 400), "dropped=1");
    twin_has(&f, "cpu,host=a", "\"temperature\":6");
    fixture_close(&f);
}

static void test_document(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    kit_models(&f.k);
    connection(
        &f, "rooms",
        "{\"kind\":\"line\",\"database\":\"plant\",\"twin\":\"{measurement}-{tag:id}\",\"model\":\"dtmi:test:Room;1\","
        "\"properties\":{\"t\":{\"path\":\"temperature\",\"expression\":\"value * "
        "0.1\"},\"sp\":\"thermostat.setPoint\","
        "\"junk\":null},\"tags\":{\"label\":\"label\"}}",
        201);
    send(&f, "db=plant", "room,id=7,label=hall t=215i,sp=20,junk=5,count=3i 1000\n", 204);
    twin_has(&f, "room-7", "\"temperature\":21.5");
    twin_has(&f, "room-7", "\"setPoint\":20");
    twin_has(&f, "room-7", "\"count\":3");
    twin_has(&f, "room-7", "\"label\":\"hall\"");
    send(&f, "bucket=plant%2Fautogen", "room,id=7,label=hall t=225i 2000\n", 204);
    twin_has(&f, "room-7", "\"temperature\":22.5");
    kit_has(send(&f, "db=plant", "room,label=x t=1i 3000\nroom,id=7,label=hall count=2.5 3000\n", 400),
            "the tag \\\"id\\\"");
    kit_has(f.told.said, "line 2: ");
    kit_has(f.told.said, "dropped=2");
    send(&f, "db=plant", "room,id=7,label=hall other=1 4000\n", 400); // the model has no place for it
    send(&f, "db=elsewhere", "room,id=7 t=1 1000\n", 204);            // no connection for it: the default
    twin_has(&f, "room,id=7", "\"t\":1");
    ask(&f, &f.told, &(SosiaAsk){.method = kit_str("GET"), .folder = kit_str("connections"), .id = kit_str("rooms")});
    kit_has(f.told.said, "\"messages\":4");
    kit_has(f.told.said, "\"state\":\"up\"");
    fixture_close(&f);
}

// Twins that are there take values under the names of their own models.
static void test_existing_twins(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    kit_models(&f.k);
    kit_room(&f.k, "r1");
    connection(&f, "rooms",
               "{\"kind\":\"line\",\"twin\":\"{tag:id}\",\"create\":false,\"others\":\"ignore\","
               "\"properties\":{\"temperature\":\"temperature\"}}",
               201);
    send(&f, "db=any", "room,id=r1 temperature=21.5,hum=7 1000\n", 204);
    twin_has(&f, "r1", "\"temperature\":21.5");
    kit_has(send(&f, "db=any", "room,id=r2 temperature=21.5 1000\n", 400), "no twin");
    connection(&f, "rooms", "{\"kind\":\"line\",\"twin\":\"{tag:id}\"}", 200);
    send(&f, "db=any", "room,id=r1 temperature=22.5 2000\nroom,id=r3 temperature=5 2000\n", 204);
    twin_has(&f, "r1", "\"temperature\":22.5");
    twin_lacks(&f, "r1", "dtmi:sosia");
    twin_has(&f, "r3", "dtmi:sosia:line:room;1");
    fixture_close(&f);
}

static void test_bad_documents(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    static const char *const bad[] = {
        "{\"kind\":\"line\",\"twin\":\"{measure}\"}",
        "{\"kind\":\"line\",\"twin\":\"{tag:}\"}",
        "{\"kind\":\"line\",\"twin\":\"{measurement\"}",
        "{\"kind\":\"line\",\"tags\":\"some\"}",
        "{\"kind\":\"line\",\"properties\":[]}",
        "{\"kind\":\"line\",\"properties\":{\"a\":5}}",
        "{\"kind\":\"line\",\"create\":1}",
        "{\"kind\":\"line\",\"others\":\"drop\"}",
        "{\"kind\":\"line\",\"properties\":{\"a\":{\"path\":\"b\",\"expression\":\"value *\"}}}",
        "{\"kind\":\"line\",\"properties\":{\"a\":{\"path\":\"b\",\"expression\":\"other + 1\"}}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) connection(&f, "x", bad[i], 400);
    fixture_close(&f);
}

// Ids are legal, and different series have different ones.
static void test_ids(void **state) {
    (void)state;
    Arena a;
    LineMap *m;
    Buf why = {0};
    arena_init(&a, 0);
    assert_int_equal(line_map_new(NULL, (Str){0}, &m, NULL), ERR_OK);
    char wide[300];
    memset(wide, 'w', sizeof wide);
    LpTag one[] = {{STR("a"), STR("1,b=2")}}, two[] = {{STR("b"), STR("2")}, {STR("a"), STR("1")}};
    LpTag odd[] = {{STR("a"), STR("x\001y")}}, odd2[] = {{STR("a"), STR("x\002y")}};
    LpTag big[] = {{STR("a"), {wide, 200}}}, big2[] = {{STR("a"), {wide, 201}}};
    const LpPoint all[] = {{.name = STR("m"), .tags = one, .tag_count = 1},
                           {.name = STR("m"), .tags = two, .tag_count = 2},
                           {.name = STR("m"), .tags = odd, .tag_count = 1},
                           {.name = STR("m"), .tags = odd2, .tag_count = 1},
                           {.name = STR("m"), .tags = big, .tag_count = 1},
                           {.name = STR("m"), .tags = big2, .tag_count = 1},
                           {.name = {wide, 300}}};
    enum { N = sizeof all / sizeof *all };
    Str ids[N];
    for (int i = 0; i < N; i++) {
        ids[i] = line_twin(m, &all[i], &a, &why);
        assert_true(ids[i].n > 0 && ids[i].n <= 128);
        for (int64_t k = 0; k < ids[i].n; k++) assert_true((unsigned char)ids[i].p[k] >= 0x20);
        for (int k = 0; k < i; k++) assert_false(str_eq(ids[i], ids[k]));
    }
    assert_true(str_eq(ids[1], STR("m,a=1,b=2")));
    line_map_unref(m);
    arena_free(&a);
}

// A body of many chunks, some of its points refused beyond what is told one by one.
static void test_large(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    kit_models(&f.k);
    connection(&f, "rooms", "{\"kind\":\"line\",\"twin\":\"{tag:id}\",\"model\":\"dtmi:test:Room;1\"}", 201);
    Buf b = {0};
    for (int i = 0; i < 30000; i++)
        buf_printf(&b, "room,id=r%d temperature=%d,count=%s %d\n", i % 1000, i, i % 100 ? "5i" : "5.5", 1000 + i);
    buf_byte(&b, 0);
    kit_has(send(&f, "db=x", b.p, 400), "dropped=300\"");
    twin_has(&f, "r999", "\"temperature\":29999");
    twin_has(&f, "r0", "\"temperature\":29000");
    twin_lacks(&f, "r0", "\"count\":5.5");
    buf_free(&b);
    fixture_close(&f);
}

typedef struct Writer {
    Fixture *f;
    int number;
} Writer;

static void *writer_main(void *arg) {
    Writer *w = arg;
    Told t = {0};
    pthread_mutex_init(&t.lock, NULL);
    pthread_cond_init(&t.done, NULL);
    for (int i = 0; i < 30; i++) {
        Buf b = {0};
        for (int k = 0; k < 50; k++)
            buf_printf(&b, "m%d,w=%d x=%d,y%d=1i %d\n", k % 5, k % 7, i, (i + w->number) % 6, 1000 + i);
        ask(w->f, &t, &(SosiaAsk){.method = kit_str("POST"), .folder = kit_str("write"), .body = buf_str(&b)});
        buf_free(&b);
        CHECK(t.status == 204);
    }
    return NULL;
}

// The same new series and fields from several sides at once.
static void test_threads(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    Thread t[3] = {0};
    Writer w[3];
    for (int i = 0; i < 3; i++) {
        w[i] = (Writer){&f, i};
        assert_int_equal(thread_start(&t[i], "writer", writer_main, &w[i]), ERR_OK);
    }
    for (int i = 0; i < 3; i++) thread_join(&t[i]);
    twin_has(&f, "m4,w=6", "\"x\":29");
    for (int i = 0; i < 6; i++) {
        char part[24];
        snprintf(part, sizeof part, "\"y%d\":1", i);
        twin_has(&f, "m4,w=6", part);
    }
    fixture_close(&f);
}

// Stopping answers everything that was taken in.
static void test_stop(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    enum { N = 50 };
    static Told told[N];
    Buf b = {0};
    for (int i = 0; i < 3000; i++) buf_printf(&b, "m,i=%d x=1 1000\n", i);
    for (int i = 0; i < N; i++) {
        told_init(&told[i]);
        SosiaAsk q = {.method = kit_str("POST"), .folder = kit_str("write"), .body = buf_str(&b)};
        sosia_connect_ask(f.c, NULL, &q, told_on, &told[i]);
    }
    sosia_connect_stop(f.c);
    for (int i = 0; i < N; i++) {
        assert_int_equal(told[i].count, 1);
        assert_true(told[i].status == 204 || told[i].err == SOSIA_CLOSED);
        if (told[i].err) assert_int_equal(told[i].retry, 1);
    }
    buf_free(&b);
    kit_close(&f.k);
}

static _Atomic bool stalled;

// The engine's clock, which its writer reads: it stands still with it.
static int64_t stalling_now(void *ctx) {
    (void)ctx;
    while (atomic_load(&stalled)) thread_sleep_ns(NS_PER_MS);
    return time_now_ns();
}

// More requests than may wait are refused, and told to come again; the others are all answered.
static void test_full(void **state) {
    (void)state;
    Fixture f = {0};
    enum { N = 2 * LINE_QUEUE_MAX };
    static Told told[N];
    kit_open(&f.k, &(SosiaOpen){.now = stalling_now});
    assert_int_equal(sosia_connect_start(&(SosiaConnectOpen){0}, f.k.s, &f.c, NULL), SOSIA_OK);
    atomic_store(&stalled, true); // the threads wait for models to be made
    int last = -1;                // the writer may still be at what it began before
    for (bool refused = false; !refused;) {
        assert_true(++last < N);
        told_init(&told[last]);
        SosiaAsk q = {.method = kit_str("POST"), .folder = kit_str("write"), .body = kit_str("m x=1 1000")};
        sosia_connect_ask(f.c, NULL, &q, told_on, &told[last]);
        pthread_mutex_lock(&told[last].lock);
        refused = told[last].count == 1 && told[last].err == SOSIA_BUSY; // at once
        pthread_mutex_unlock(&told[last].lock);
    }
    assert_true(last >= LINE_QUEUE_MAX);
    assert_int_equal(told[last].status, 503);
    assert_int_equal(told[last].retry, 1);
    kit_has(told[last].said, "\"error\":\"");
    atomic_store(&stalled, false);
    for (int i = 0; i <= last; i++) {
        told_wait(&told[i]);
        assert_true(told[i].status == 204 || told[i].err == SOSIA_BUSY);
    }
    assert_int_equal(told[0].status, 204);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_connection),
        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_changes_behind),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_existing_twins),
        cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
