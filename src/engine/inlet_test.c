// SPDX-License-Identifier: Apache-2.0
// Points by name through inlets: kinds of values, refusals one by one, twins made on the way, the rules of a source's
// clock, stale handles, order, limits; NDJSON and CSV on the same way.
// LABELS: threads
#include "engine/test_kit.h"
#include "codec/json.h"
#include <pthread.h>
#include <stdatomic.h>

#define S INT64_C(1000000000)
#define NOW (INT64_C(1700000000) * S)

// ---- a waiting form ----

typedef struct Wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int left;
    SosiaErr err;
    char body[20000];
} Wait;

static void on_done(void *arg, const SosiaDone *done) {
    Wait *w = arg;
    pthread_mutex_lock(&w->lock);
    w->err = done->err;
    SosiaStr text = done->err ? done->message : done->body;
    snprintf(w->body, sizeof w->body, "%.*s", (int)text.n, text.p ? text.p : "");
    w->left--;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static Wait waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void wait_all(void) {
    pthread_mutex_lock(&waiter.lock);
    while (waiter.left) pthread_cond_wait(&waiter.cond, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
}

static void put_start(SosiaInlet *in, const SosiaPoint *p, int64_t n) {
    pthread_mutex_lock(&waiter.lock);
    waiter.left++;
    pthread_mutex_unlock(&waiter.lock);
    assert_int_equal(sosia_inlet_put(in, p, n, on_done, &waiter), SOSIA_OK);
}

// Put and wait; the report.
static const char *put(SosiaInlet *in, const SosiaPoint *p, int64_t n) {
    put_start(in, p, n);
    wait_all();
    assert_int_equal(waiter.err, SOSIA_OK);
    return waiter.body;
}

static SosiaInlet *inlet(Kit *k, bool lenient) {
    SosiaInlet *in;
    SosiaInletOpen o = {.source = kit_str("test"), .lenient = lenient};
    assert_int_equal(sosia_inlet_open(k->s, &o, &in), SOSIA_OK);
    return in;
}

static SosiaValue f64(double d) { return (SosiaValue){.kind = SOSIA_F64, .d = d}; }
static SosiaValue i64(int64_t i) { return (SosiaValue){.kind = SOSIA_I64, .i = i}; }
static SosiaValue text(const char *z) { return (SosiaValue){.kind = SOSIA_TEXT, .s = kit_str(z)}; }
static SosiaValue json(const char *z) { return (SosiaValue){.kind = SOSIA_JSON, .s = kit_str(z)}; }
static SosiaValue boolean(bool b) { return (SosiaValue){.kind = SOSIA_BOOL, .b = b}; }

static SosiaPoint point(const char *twin, const char *path, SosiaValue v) {
    return (SosiaPoint){.twin = kit_str(twin), .path = kit_str(path), .value = v};
}

static SosiaPoint timed(const char *twin, const char *path, double d, int64_t time) {
    SosiaPoint p = point(twin, path, f64(d));
    p.source_time_ns = time;
    return p;
}

static int64_t fixed_clock(void *ctx) {
    (void)ctx;
    return NOW;
}

static Kit kit_with_room(void) {
    Kit k;
    kit_open(&k, &(SosiaOpen){.now = fixed_clock});
    kit_models(&k);
    kit_room(&k, "r");
    return k;
}

// ---- tests ----

// Every kind of value by name, nested ones by either form of path, and the inlet's source on the feed.
static void test_kinds(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false);
    SosiaFeed *feed;
    assert_int_equal(sosia_feed_open(k.s, NULL, (SosiaStr){0}, 0, &feed, NULL), SOSIA_OK);
    SosiaPoint p[] = {
        point("r", "temperature", f64(21.5)),
        point("r", "count", i64(7)),
        point("r", "on", boolean(true)),
        point("r", "label", text("a \"b\"")),
        point("r", "size.w", i64(3)),
        point("r", "/thermostat/setPoint", f64(20)),
        point("r", "tags", json("{\"x\": true}")),
    };
    kit_has(put(in, p, 7), "{\"accepted\":7,\"rejected\":0,\"late\":0,\"duplicates\":0,\"errors\":[]}");
    const char *twin = kit_get(&k, SOSIA_GET_TWIN, "r", "");
    kit_has(twin, "\"temperature\":21.5");
    kit_has(twin, "\"count\":7");
    kit_has(twin, "\"on\":true");
    kit_has(twin, "\"label\":\"a \\\"b\\\"\"");
    kit_has(twin, "\"w\":3");
    kit_has(twin, "\"setPoint\":20");
    kit_has(twin, "\"tags\":{\"x\":true}");
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(feed, 0, &b), SOSIA_OK);
    assert_int_equal(b.count, 7);
    assert_memory_equal(b.source.p, "test", 4);
    SosiaPoint gone = point("r", "temperature", (SosiaValue){0});
    kit_has(put(in, &gone, 1), "\"accepted\":1");
    kit_lacks(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "\"temperature\":21.5");
    sosia_feed_close(feed);
    sosia_inlet_close(in);
    kit_close(&k);
}

// A bad point is told by its index; the others count.
static void test_refusals(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false);
    SosiaPoint p[] = {
        point("r", "temperature", f64(1)), point("nobody", "temperature", f64(1)),
        point("r", "nothing", f64(1)),     point("r", "count", f64(1.5)),
        point("r", "count", f64(5.0)),     point("r", "label", text("\xff\xfe")),
        point("", "label", text("x")),     point("r", "on", i64(1)),
        point("r", "temperature", f64(2)), point("r", "thermostat", (SosiaValue){0}),
    };
    const char *said = put(in, p, 10);
    kit_has(said, "{\"accepted\":2,\"rejected\":8,");
    kit_has(said, "{\"line\":1,\"code\":\"DigitalTwinNotFound\"");
    for (int i = 2; i < 8; i++) {
        char part[32];
        snprintf(part, sizeof part, "{\"line\":%d,", i);
        kit_has(said, part);
    }
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "\"temperature\":2");
    SosiaInlet *none;
    SosiaInletOpen o = {.world = kit_str("no-world")};
    assert_int_equal(sosia_inlet_open(k.s, &o, &none), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(sosia_inlet_put(in, p, 100001, on_done, &waiter), SOSIA_TOO_LARGE);
    kit_has(put(in, NULL, 0), "\"accepted\":0");
    sosia_inlet_close(in);
    kit_close(&k);
}

// A lenient inlet converts what loses nothing, and only that.
static void test_lenient(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, true);
    SosiaPoint good[] = {
        point("r", "count", f64(5.0)),           point("r", "on", i64(1)),     point("r", "label", f64(21.5)),
        point("r", "temperature", text("21.5")), point("r", "big", text("9")),
    };
    kit_has(put(in, good, 5), "\"accepted\":5,\"rejected\":0");
    const char *twin = kit_get(&k, SOSIA_GET_TWIN, "r", "");
    kit_has(twin, "\"count\":5");
    kit_has(twin, "\"on\":true");
    kit_has(twin, "\"label\":\"21.5\"");
    kit_has(twin, "\"temperature\":21.5");
    kit_has(twin, "\"big\":9");
    SosiaPoint bad[] = {point("r", "count", f64(5.5)),           point("r", "on", i64(2)),
                        point("r", "temperature", text("warm")), point("r", "big", f64(1e30)),
                        point("r", "temperature", text("")),     point("r", "count", text("0x10"))};
    kit_has(put(in, bad, 6), "\"accepted\":0,\"rejected\":6");
    sosia_inlet_close(in);
    kit_close(&k);
}

// A point with a model makes the twin that is missing, once, with its components; a model that is none is refused.
static void test_model(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false);
    SosiaPoint p[4];
    for (int i = 0; i < 4; i++) {
        p[i] = point(i < 3 ? "new" : "other", "temperature", f64(i));
        p[i].model = kit_str(i < 3 ? "dtmi:test:Room;1" : "dtmi:test:None;1");
    }
    const char *said = put(in, p, 4);
    kit_has(said, "\"accepted\":3,\"rejected\":1");
    kit_has(said, "{\"line\":3,");
    const char *twin = kit_get(&k, SOSIA_GET_TWIN, "new", "");
    kit_has(twin, "\"temperature\":2");
    kit_has(twin, "\"thermostat\":{");
    assert_int_equal(kit_get_in(&k, "", SOSIA_GET_TWIN, "other", ""), SOSIA_TWIN_NOT_FOUND);
    sosia_inlet_close(in);
    kit_close(&k);
}

// ---- a dry run ----

typedef struct Refused {
    int count;
    int64_t at[40];
    SosiaErr err[40];
    char why[40][200];
} Refused;

static void on_refused(void *ctx, int64_t i, SosiaErr err, SosiaStr why) {
    Refused *r = ctx;
    assert_in_range(r->count, 0, 39);
    r->at[r->count] = i;
    r->err[r->count] = err;
    snprintf(r->why[r->count++], sizeof *r->why, "%.*s", (int)why.n, why.p);
}

// What the dry run says of each point alone is what the writer says of it then, by the same code and sentence.
static void check_as_put(SosiaInlet *in, const SosiaPoint *p, int64_t n, int64_t refused) {
    static Refused said;
    said.count = 0;
    assert_int_equal(sosia_inlet_check(in, p, n, on_refused, &said), SOSIA_OK);
    for (int64_t i = 0, k = 0; i < n; i++) {
        bool bad = k < said.count && said.at[k] == i;
        const char *body = put(in, &p[i], 1);
        if (!strstr(body, bad ? "\"rejected\":1" : "\"accepted\":1"))
            fail_msg("point %d: the dry run says \"%s\", the writer %s", (int)i, bad ? said.why[k] : "good", body);
        if (!bad) continue;
        SosiaBuf text = {0};
        kit_has(body, sosia_err_wire(said.err[k]));
        assert_true(said.why[k][0]);
        buf_printf(&text, "\"message\":");
        json_put_str(&text, kit_str(said.why[k++]));
        buf_byte(&text, 0);
        kit_has(body, text.p);
        buf_free(&text);
    }
    assert_int_equal(said.count, refused);
}

static SosiaPoint of_model(const char *twin, const char *path, SosiaValue v, const char *model) {
    SosiaPoint p = point(twin, path, v);
    p.model = kit_str(model);
    return p;
}

static void test_check(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false), *lenient = inlet(&k, true);
    static const char room[] = "dtmi:test:Room;1";
    SosiaPoint good[] = {
        point("r", "temperature", i64(2)),
        point("r", "size.w", i64(3)),
        point("r", "/thermostat/setPoint", f64(20)),
        point("r", "tags", json("{\"x\": true}")),
        point("r", "size", json("{\"w\":1}")),
        point("r", "label", (SosiaValue){0}),
        of_model("r", "count", i64(1), "dtmi:test:None;1"), // it is there: no model is asked for
        of_model("n1", "count", i64(1), room),
    };
    check_as_put(in, good, sizeof good / sizeof *good, 0);
    SosiaPoint bad[] = {
        point("nobody", "temperature", f64(1)),
        point("r", "nothing", f64(1)),
        point("r", "count", f64(4.5)),
        point("r", "count", f64(5.0)),
        point("r", "count", i64(INT64_C(1) << 40)),
        point("r", "label", text("\xff\xfe")),
        point("r", "label", i64(1)),
        point("", "label", text("x")),
        point("r", "on", i64(1)),
        point("r", "temperature", f64(__builtin_nan(""))),
        point("r", "tags", json("{\"x\":1}")),
        point("r", "tags", json("{\"x\"")),
        point("r", "size", json("{\"z\":1}")),
        point("r", "thermostat", (SosiaValue){0}),
        point("r", "thermostat", i64(1)),
        of_model("n2", "count", i64(1), "dtmi:test:None;1"),
        of_model("n2", "nothing", i64(1), room),
        of_model("n2\n", "count", i64(1), room),
    };
    int64_t n = sizeof bad / sizeof *bad;
    check_as_put(in, bad, n, n);
    SosiaPoint either[] = {point("r", "count", f64(5.0)), point("r", "on", i64(1)), point("r", "label", i64(1)),
                           point("r", "count", f64(4.5)), point("r", "temperature", text("warm"))};
    check_as_put(lenient, either, 5, 2);
    // By handle: while the twin is there. And nothing is made by asking.
    SosiaPoint h = {.value = f64(1)};
    assert_int_equal(sosia_inlet_resolve(in, kit_str("r"), kit_str("temperature"), &h.at), SOSIA_OK);
    check_as_put(in, &h, 1, 0);
    kit_do(&k, SOSIA_TWIN_DELETE, "r", "", "");
    check_as_put(in, &h, 1, 1);
    Refused none = {0};
    SosiaPoint fresh = of_model("n3", "count", i64(1), room);
    assert_int_equal(sosia_inlet_check(in, &fresh, 1, on_refused, &none), SOSIA_OK);
    assert_int_equal(none.count, 0);
    assert_int_equal(kit_get_in(&k, "", SOSIA_GET_TWIN, "n3", ""), SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(sosia_inlet_check(in, &fresh, 100001, on_refused, &none), SOSIA_TOO_LARGE);
    assert_int_equal(sosia_inlet_check(in, &fresh, -1, on_refused, &none), SOSIA_ARGUMENT);
    sosia_inlet_close(lenient);
    sosia_inlet_close(in);
    kit_close(&k);
}

// Older, the same again, another value of the same time, far ahead: what moves, what is counted, what the feed says.
static void test_clock(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false);
    SosiaFeed *feed;
    assert_int_equal(sosia_feed_open(k.s, NULL, (SosiaStr){0}, 0, &feed, NULL), SOSIA_OK);
    SosiaPoint p[] = {
        timed("r", "temperature", 1, NOW),
        timed("r", "temperature", 2, NOW - S),
        timed("r", "temperature", 1, NOW),
        timed("r", "temperature", 3, NOW),
        timed("r", "temperature", 4, NOW + SOSIA_FUTURE_NS + S),
        timed("r", "temperature", 5, NOW + S),
    };
    kit_has(put(in, p, 6), "{\"accepted\":6,\"rejected\":0,\"late\":2,\"duplicates\":1,");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "\"temperature\":5");
    SosiaBatch b;
    assert_int_equal(sosia_feed_next(feed, 0, &b), SOSIA_OK);
    assert_int_equal(b.count, 5);
    assert_true(b.changes[1].late && b.changes[1].source_time_ns == NOW - S);
    assert_true(b.changes[3].late && b.changes[3].value.d == 4);
    kit_has(put(in, &p[5], 1), "\"duplicates\":1");
    assert_int_equal(sosia_feed_next(feed, 0, &b), SOSIA_OK);
    assert_int_equal(b.seq, 0); // nothing happened
    // A document of the future clears nothing; a patch is believed whatever its time.
    SosiaPoint size = point("r", "size", json("{\"w\":1,\"h\":2}")), later = point("r", "size", json("{\"w\":9}"));
    later.source_time_ns = NOW + 2 * SOSIA_FUTURE_NS;
    put(in, &size, 1);
    kit_has(put(in, &later, 1), "\"late\":1");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "\"size\":{\"w\":1,\"h\":2}");
    kit_do(&k, SOSIA_TWIN_PATCH, "r", "",
           "[{\"op\":\"replace\",\"path\":\"/temperature\",\"value\":8},{\"op\":\"replace\",\"path\":"
           "\"/$metadata/temperature/sourceTime\",\"value\":\"2099-01-01T00:00:00Z\"}]");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "\"temperature\":8");
    sosia_feed_close(feed);
    sosia_inlet_close(in);
    kit_close(&k);
}

// Handles go stale with the twin's model; names are looked up anew.
static void test_stale(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false);
    SosiaHandle at;
    assert_int_equal(sosia_inlet_resolve(in, kit_str("r"), kit_str("/size/w"), &at), SOSIA_OK);
    assert_int_equal(sosia_inlet_resolve(in, kit_str("x"), kit_str("size"), &at), SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(sosia_inlet_resolve(in, kit_str("r"), kit_str("x"), &at), SOSIA_VALIDATION);
    assert_int_equal(sosia_inlet_resolve(in, kit_str("r"), kit_str("label"), &at), SOSIA_OK);
    SosiaPoint p[] = {{.at = at, .value = text("by handle")}, point("r", "label", text("by name"))};
    kit_has(put(in, p, 1), "\"accepted\":1");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "by handle");
    kit_do(&k, SOSIA_TWIN_DELETE, "r", "", "");
    kit_has(put(in, p, 2), "\"accepted\":0,\"rejected\":2");
    kit_do(&k, SOSIA_TWIN_PUT, "r", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"}}");
    kit_has(put(in, p, 2), "\"accepted\":1,\"rejected\":1");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "by name");
    sosia_inlet_close(in);
    kit_close(&k);
}

// What is put before an earlier write is visible finds it applied all the same, and in order.
static void test_order(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false);
    enum { N = 12000 };
    SosiaPoint *p = calloc(N, sizeof *p);
    for (int i = 0; i < N; i++) p[i] = point(i % 2 ? "r" : "s", "temperature", f64(i));
    for (int round = 0; round < 5; round++) {
        char body[] = "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}";
        SosiaWrite w = {.op = SOSIA_TWIN_PUT, .id = kit_str("s"), .body = kit_str(body)};
        SosiaWrite del = {.op = SOSIA_TWIN_DELETE, .id = kit_str("s")};
        waiter.left += 2;
        assert_int_equal(sosia_write(k.s, NULL, &w, on_done, &waiter), SOSIA_OK);
        put_start(in, p, N);
        assert_int_equal(sosia_write(k.s, NULL, &del, on_done, &waiter), SOSIA_OK);
        wait_all();
        assert_int_equal(waiter.err, SOSIA_OK);
        kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), "\"temperature\":11999");
        kit_has(put(in, p, N), "{\"accepted\":6000,\"rejected\":6000,");
    }
    free(p);
    sosia_inlet_close(in);
    kit_close(&k);
}

// A full inbox says BUSY at once; what it took is carried out.
static void test_busy(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){.queue_max = 2});
    kit_models(&k);
    kit_room(&k, "r");
    SosiaInlet *in = inlet(&k, false);
    SosiaPoint p = point("r", "count", i64(0));
    int64_t taken = 0, busy = 0;
    for (int i = 0; i < 100000 && (!busy || i < 1000); i++) {
        p.value.i = i;
        pthread_mutex_lock(&waiter.lock);
        waiter.left++;
        pthread_mutex_unlock(&waiter.lock);
        SosiaErr err = sosia_inlet_put(in, &p, 1, on_done, &waiter);
        if (!err) {
            taken = i;
            continue;
        }
        assert_int_equal(err, SOSIA_BUSY);
        busy++;
        pthread_mutex_lock(&waiter.lock);
        waiter.left--;
        pthread_mutex_unlock(&waiter.lock);
    }
    wait_all();
    assert_true(busy > 0);
    char part[40];
    snprintf(part, sizeof part, "\"count\":%lld,", (long long)taken);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r", ""), part);
    sosia_inlet_close(in);
    kit_close(&k);
}

// CSV in both forms: typed by the model, empty cells skipped, bad rows told by line.
static void test_csv(void **state) {
    (void)state;
    Kit k = kit_with_room();
    kit_do(&k, SOSIA_INGEST_CSV, "", "",
           "id,property,value,time\r\nr,temperature,21.5,2023-11-14T22:13:20Z\r\nr,label,\"a \"\"b\"\", c\",\r\n"
           "r,on,true,\r\nr,thermostat/setPoint,,\r\nr,/thermostat/setPoint,19,1700000000000\r\n"
           "r,tags,\"{\"\"x\"\":true}\",\r\n");
    kit_has(kit_result(&k), "{\"accepted\":5,\"rejected\":0,\"late\":0,\"duplicates\":0,\"errors\":[]}");
    const char *twin = kit_get(&k, SOSIA_GET_TWIN, "r", "");
    kit_has(twin, "\"temperature\":21.5");
    kit_has(twin, "\"label\":\"a \\\"b\\\", c\"");
    kit_has(twin, "\"on\":true");
    kit_has(twin, "\"setPoint\":19");
    kit_has(twin, "\"tags\":{\"x\":true}");
    kit_do(&k, SOSIA_INGEST_CSV, "", "",
           "time,id,count,label,temperature\n,r,12,7,\n2023-11-14T22:13:21Z,r,,,30\nyesterday,r,1,2,3\nr\n,r,many,,\n"
           ",nobody,1,,\n,,1,,\n");
    kit_has(kit_result(&k), "{\"accepted\":3,\"rejected\":5,");
    for (int i = 4; i <= 8; i++) {
        char part[32];
        snprintf(part, sizeof part, "{\"line\":%d,", i);
        kit_has(kit_result(&k), part);
    }
    twin = kit_get(&k, SOSIA_GET_TWIN, "r", "");
    kit_has(twin, "\"count\":12");
    kit_has(twin, "\"label\":\"7\"");
    kit_has(twin, "\"temperature\":30");
    assert_int_equal(kit_write(&k, SOSIA_INGEST_CSV, "", "", "a,b\n1,2\n"), SOSIA_ARGUMENT);
    assert_int_equal(kit_write(&k, SOSIA_INGEST_CSV, "", "", "id\n1\n"), SOSIA_ARGUMENT);
    kit_do(&k, SOSIA_INGEST_CSV, "", "", "");
    kit_has(kit_result(&k), "\"accepted\":0,\"rejected\":0");
    kit_close(&k);
}

// ---- beside other writers ----

enum { SHAKEN = 40 };

typedef struct Shake {
    Kit *k;
    _Atomic bool stop;
} Shake;

// Twins come, change their model and go, all the time.
static void *shake_main(void *arg) {
    Shake *x = arg;
    Kit k = {.s = x->k->s};
    static const char *const bodies[] = {
        "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}",
        "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"}}"};
    for (int i = 0; !atomic_load(&x->stop); i++) {
        char id[8];
        snprintf(id, sizeof id, "s%d", i * 7 % SHAKEN);
        kit_do(&k, SOSIA_TWIN_PUT, id, "", bodies[i % 2]);
        snprintf(id, sizeof id, "s%d", i * 13 % SHAKEN);
        if (i % 3 == 0) (void)kit_write(&k, SOSIA_TWIN_DELETE, id, "", "");
    }
    kit_free(&k);
    return NULL;
}

// Whatever happens to the twins between the look at their names and the write: a value stands in the twin it was meant
// for or nowhere, and every point is accepted or refused.
static void test_names_stay_true(void **state) {
    (void)state;
    Kit k = kit_with_room();
    SosiaInlet *in = inlet(&k, false);
    Shake shake = {.k = &k};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, shake_main, &shake), 0);
    static char names[SHAKEN][8];
    SosiaPoint p[10 * SHAKEN];
    for (int i = 0; i < 10 * SHAKEN; i++) {
        snprintf(names[i % SHAKEN], sizeof *names, "s%d", i % SHAKEN);
        p[i] = point(names[i % SHAKEN], "label", text(names[i % SHAKEN]));
    }
    for (int round = 0; round < 200; round++) {
        const char *said = put(in, p, 10 * SHAKEN);
        int accepted = 0, rejected = 0;
        assert_int_equal(sscanf(said, "{\"accepted\":%d,\"rejected\":%d", &accepted, &rejected), 2);
        assert_int_equal(accepted + rejected, 10 * SHAKEN);
    }
    atomic_store(&shake.stop, true);
    pthread_join(thread, NULL);
    for (int i = 0; i < SHAKEN; i++) {
        if (kit_get_in(&k, "", SOSIA_GET_TWIN, names[i], "")) continue;
        char want[32];
        snprintf(want, sizeof want, "\"label\":\"%.7s\"", names[i]);
        const char *twin = kit_body(&k);
        if (strstr(twin, "\"label\":\"")) kit_has(twin, want);
    }
    sosia_inlet_close(in);
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),           cmocka_unit_test(test_refusals), cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_model),           cmocka_unit_test(test_clock),    cmocka_unit_test(test_stale),
        cmocka_unit_test(test_order),           cmocka_unit_test(test_busy),     cmocka_unit_test(test_csv),
        cmocka_unit_test(test_names_stay_true), cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
