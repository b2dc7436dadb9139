// SPDX-License-Identifier: Apache-2.0
// Events of batches: ids and texts are the same when a batch is read again, also by another maker and after what it
// made has changed; every event of a file has an id of its own; a cursor that was cut is counted; signatures.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"
#include "codec/json.h"
#include "connect/cloudevent.h"
#include "connect/webhook.h"
#include "sosia/connect.h"

enum { STEPS = 400, TWINS = 6 };

static const char MODELS[] =
    "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:t:Part;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"v\",\"schema\":\"double\"}]},"
    "{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:t:A;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"x\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"s\",\"schema\":"
    "\"string\"},{\"@type\":\"Property\",\"name\":\"o\",\"schema\":{\"@type\":\"Object\",\"fields\":["
    "{\"name\":\"a\",\"schema\":\"integer\"},{\"name\":\"b\",\"schema\":{\"@type\":\"Object\",\"fields\":["
    "{\"name\":\"c\",\"schema\":\"string\"}]}}]}},"
    "{\"@type\":\"Component\",\"name\":\"part\",\"schema\":\"dtmi:t:Part;1\"},"
    "{\"@type\":\"Relationship\",\"name\":\"r\",\"properties\":[{\"@type\":\"Property\",\"name\":\"w\",\"schema\":"
    "\"double\"}]}]},"
    "{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:t:B;1\",\"@type\":\"Interface\",\"extends\":\"dtmi:t:A;1\"}]";

static SosiaErr put(Sosia *s, SosiaOp op, const char *id, const char *sub, const char *body, Buf *result) {
    SosiaDone done;
    SosiaBuf keep = {0};
    SosiaErr err = sosia_write_wait(
        s, NULL, &(SosiaWrite){.op = op, .id = str_of(id), .sub = str_of(sub), .body = str_of(body)}, &done, &keep);
    if (result && !err) {
        buf_reset(result);
        buf_str_put(result, done.body);
    }
    sosia_buf_free(&keep);
    return err;
}

static Sosia *open_engine(int64_t feed_bytes) {
    Sosia *s = NULL;
    assert_int_equal(sosia_open(&(SosiaOpen){.feed_bytes_max = feed_bytes}, &s, NULL), SOSIA_OK);
    assert_int_equal(put(s, SOSIA_MODELS_ADD, "", "", MODELS, NULL), SOSIA_OK);
    return s;
}

// All events since `since`, a line each.
static void read_all(Sosia *s, uint64_t since, uint64_t instance, Buf *out) {
    SosiaFeed *f;
    SosiaBatch b;
    EventMaker m;
    CloudEvent e;
    event_maker_init(&m, s, STR("host.example"), instance);
    assert_int_equal(sosia_feed_open(s, NULL, (Str){0}, since, &f, NULL), SOSIA_OK);
    while (sosia_feed_next(f, 0, &b) == SOSIA_OK && b.seq) {
        event_maker_batch(&m, &b);
        while (event_maker_next(&m, &e)) {
            Str data = event_maker_data(&m, &e);
            cloudevent_put(&e, data, out);
            buf_byte(out, '\n');
        }
    }
    sosia_feed_close(f);
    event_maker_free(&m);
}

static uint64_t now_at(Sosia *s) {
    SosiaOut out = {0};
    assert_int_equal(sosia_read(s, NULL, &(SosiaRead){.what = SOSIA_GET_MODELS}, &out), SOSIA_OK);
    uint64_t seq = out.seq;
    sosia_out_free(&out);
    return seq;
}

// One random write; some are refused. `made` gets a line a twin or relationship that came to be, as PUT answered.
static void random_write(Sosia *s, Rng *r, Buf *made) {
    char id[16], other[16], body[300];
    Buf got = {0};
    snprintf(id, sizeof id, "t%d", (int)rng_below(r, TWINS));
    snprintf(other, sizeof other, "t%d", (int)rng_below(r, TWINS));
    int n = (int)rng_below(r, 100);
    switch (rng_below(r, 9)) {
    case 0:
    case 1:
        snprintf(
            body, sizeof body,
            "{\"$metadata\":{\"$model\":\"dtmi:t:%s;1\"},\"x\":%d,\"o\":{\"a\":%d%s},\"part\":{\"$metadata\":{}%s}}",
            n % 2 ? "A" : "B", n, n, n % 3 ? ",\"b\":{\"c\":\"d\"}" : "", n % 5 ? ",\"v\":1.5" : "");
        {
            SosiaRead read = {.what = SOSIA_GET_TWIN, .id = str_of(id)};
            SosiaOut out = {0};
            bool there = sosia_read(s, NULL, &read, &out) == SOSIA_OK;
            sosia_out_free(&out);
            if (put(s, SOSIA_TWIN_PUT, id, "", body, &got) == SOSIA_OK && !there) {
                buf_str_put(made, buf_str(&got));
                buf_byte(made, '\n');
            }
        }
        break;
    case 2:
    case 3:
        snprintf(body, sizeof body,
                 "[{\"op\":\"add\",\"path\":\"/x\",\"value\":%d},{\"op\":\"add\",\"path\":\"/part/v\",\"value\":%d}]",
                 n, n);
        (void)!put(s, SOSIA_TWIN_PATCH, id, "", body, NULL);
        break;
    case 4: (void)!put(s, SOSIA_TWIN_PATCH, id, "", "[{\"op\":\"remove\",\"path\":\"/o\"}]", NULL); break;
    case 5: (void)!put(s, SOSIA_TWIN_DELETE, id, "", "", NULL); break;
    case 6:
        snprintf(body, sizeof body, "{\"$relationshipName\":\"r\",\"$targetId\":\"%s\",\"w\":%d}", other, n);
        (void)!put(s, SOSIA_LINK_PUT, id, "l", body, NULL);
        break;
    case 7: (void)!put(s, SOSIA_LINK_DELETE, id, "l", "", NULL); break;
    default: (void)!put(s, SOSIA_TELEMETRY, id, "", "{\"a\":1}", NULL);
    }
    buf_free(&got);
}

static void each_line(Str text, void (*fn)(void *ctx, const Json *event), void *ctx) {
    Arena a;
    arena_init(&a, 0);
    while (text.n) {
        Json event;
        arena_reset(&a);
        Str line = str_cut(&text, '\n');
        assert_int_equal(json_parse(line, NULL, &a, &event, NULL), ERR_OK);
        fn(ctx, &event);
    }
    arena_free(&a);
}

typedef struct Seen {
    Map ids;
    Arena keep;
    Str made; // what PUT answered, a line each, in order
    int events, created;
} Seen;

static Str text_of(const Json *v, const char *name) {
    const Json *m = json_get(v, str_of(name));
    return m && m->type == JSON_STRING ? m->s : (Str){0};
}

static void see(void *ctx, const Json *event) {
    Seen *x = ctx;
    int64_t before;
    Str id = arena_str(&x->keep, text_of(event, "id"));
    assert_false(map_get(&x->ids, id, &before));
    map_put(&x->ids, id, 1);
    x->events++;
    if (!str_eq(text_of(event, "type"), STR("Microsoft.DigitalTwins.Twin.Create"))) return;
    Str expected = str_cut(&x->made, '\n');
    Str data = json_get(event, STR("data"))->raw;
    if (!str_eq(data, expected)) fail_msg("made %.*s\nshown %.*s", STR_ARG(expected), STR_ARG(data));
    x->created++;
}

static void same_again(void **state) {
    (void)state;
    Buf made = {0}, first = {0}, again = {0}, foreign = {0};
    Sosia *s = open_engine(0);
    uint64_t since = now_at(s);
    Rng r = rng_make(7, 3);
    for (int i = 0; i < STEPS; i++) random_write(s, &r, &made);
    read_all(s, since, 42, &first);
    for (int i = 0; i < TWINS; i++) { // nothing is as it was any more
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        (void)!put(s, SOSIA_TWIN_PATCH, id, "", "[{\"op\":\"add\",\"path\":\"/s\",\"value\":\"later\"}]", NULL);
    }
    read_all(s, since, 42, &again);
    assert_true(again.n >= first.n);
    assert_memory_equal(again.p, first.p, (size_t)first.n);
    Seen x = {.made = buf_str(&made)};
    arena_init(&x.keep, 0);
    each_line(buf_str(&first), see, &x);
    assert_true(x.events > STEPS / 3 && x.created > 10 && x.made.n == 0);
    read_all(s, since, 43, &foreign); // another file's events have other ids
    x.made = buf_str(&made);
    x.created = x.events = 0;
    each_line(buf_str(&foreign), see, &x);
    assert_true(x.events > STEPS / 3);
    map_free(&x.ids);
    arena_free(&x.keep);
    sosia_close(s);
    buf_free(&made);
    buf_free(&first);
    buf_free(&again);
    buf_free(&foreign);
}

// ---- a cursor that was cut ----------------------------------------------------------------------------------------

typedef struct Told {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool there;
    int status;
    Buf body;
} Told;

static void on_told(void *arg, const SosiaTold *told) {
    Told *t = arg;
    pthread_mutex_lock(&t->lock);
    t->there = true;
    t->status = told->err ? sosia_err_http(told->err) : told->status;
    buf_str_put(&t->body, told->err ? told->message : told->body);
    pthread_cond_signal(&t->done);
    pthread_mutex_unlock(&t->lock);
}

static int ask(SosiaConnect *c, const char *method, const char *folder, const char *id, const char *body, Buf *out) {
    Told t = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    SosiaAsk q = {.method = str_of(method), .folder = str_of(folder), .id = str_of(id), .body = str_of(body)};
    sosia_connect_ask(c, NULL, &q, on_told, &t);
    pthread_mutex_lock(&t.lock);
    while (!t.there) pthread_cond_wait(&t.done, &t.lock);
    pthread_mutex_unlock(&t.lock);
    if (out) *out = t.body;
    else buf_free(&t.body);
    return t.status;
}

static int64_t status_of(SosiaConnect *c, const char *name) {
    Buf b;
    Arena a;
    Json doc;
    arena_init(&a, 0);
    assert_int_equal(ask(c, "GET", "endpoints", "dead", "", &b), 200);
    assert_int_equal(json_parse(buf_str(&b), NULL, &a, &doc, NULL), ERR_OK);
    int64_t n = json_get(json_get(&doc, STR("status")), str_of(name))->i;
    arena_free(&a);
    buf_free(&b);
    return n;
}

// In memory the feed keeps 64 KiB: an endpoint that nobody answers falls behind, says so, and goes on to the end.
static void gaps(void **state) {
    (void)state;
    Sosia *s = open_engine(64 << 10);
    SosiaConnect *c;
    assert_int_equal(sosia_connect_start(&(SosiaConnectOpen){0}, s, &c, NULL), SOSIA_OK);
    const char *paused = "{\"kind\":\"webhook\",\"url\":\"http://127.0.0.1:9/\",\"retries\":0,\"deadLetter\":false,"
                         "\"paused\":true}";
    const char *running = "{\"kind\":\"webhook\",\"url\":\"http://127.0.0.1:9/\",\"retries\":0,\"deadLetter\":false}";
    assert_int_equal(ask(c, "PUT", "endpoints", "dead", paused, NULL), 201);
    assert_int_equal(ask(c, "PUT", "eventroutes", "r", "{\"endpointName\":\"dead\",\"filter\":\"true\"}", NULL), 204);
    assert_int_equal(put(s, SOSIA_TWIN_PUT, "t", "",
                         "{\"$metadata\":{\"$model\":\"dtmi:t:A;1\"},\"part\":{\"$metadata\":{}}}", NULL),
                     SOSIA_OK);
    for (int i = 0; i < 2000; i++) {
        char body[100];
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/x\",\"value\":%d}]", i);
        assert_int_equal(put(s, SOSIA_TWIN_PATCH, "t", "", body, NULL), SOSIA_OK);
    }
    assert_int_equal(status_of(c, "gaps"), 0);
    assert_int_equal(ask(c, "PUT", "endpoints", "dead", running, NULL), 200);
    int64_t end = time_mono_ns() + 60 * NS_PER_S;
    while (status_of(c, "lag") > 0 && time_mono_ns() < end) thread_sleep_ns(20 * NS_PER_MS);
    assert_int_equal(status_of(c, "lag"), 0);
    assert_int_equal(status_of(c, "gaps"), 1);
    int64_t failed = status_of(c, "failed");
    assert_true(failed > 0 && failed < 2000);
    assert_int_equal(status_of(c, "deadLettersDropped"), failed);
    sosia_connect_stop(c);
    sosia_close(s);
}

// ---- small things -------------------------------------------------------------------------------------------------

static void signature(void **state) {
    (void)state;
    Buf b = {0};
    // printf '5.{"a":1}' | openssl dgst -sha256 -hmac key
    webhook_sign(STR("key"), 5, STR("{\"a\":1}"), &b);
    buf_byte(&b, 0);
    assert_string_equal(b.p, "t=5,v1=76a265040774cfbae5f9cb82bfcf6bc0ea27bf4ce7d7220196eb0e1a7cc760e0");
    buf_free(&b);
    static const struct {
        const char *url;
        bool ok;
    } urls[] = {
        {"https://h/x", true},     {"http://127.0.0.1:80", true}, {"https://", false}, {"https:///x", false},
        {"ftp://h", false},        {"https://u@h/", false},       {"h", false},        {"https://h/a b", false},
        {"https://h/#f", false},   {"https://:80/", false},       {"", false},         {"https://[::1]:8/p?q=1", true},
        {"https://h/\x01", false}, {"https://h/\xc3\xa4", false}};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (webhook_url_ok(str_of(urls[i].url)) != urls[i].ok) fail_msg("%s", urls[i].url);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_again),
        cmocka_unit_test(gaps),
        cmocka_unit_test(signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
