// SPDX-License-Identifier: Apache-2.0
// Every operation of sosia.h, and every way each of them fails, through that header only.
#include "engine/test_kit.h"
#include <math.h>

static const int64_t T0 = 1700000000000000000; // 2023-11-14T22:13:20Z

static int64_t fixed_clock(void *ctx) { return *(int64_t *)ctx; }

static int64_t clock_ns = T0;

static void open_memory(Kit *k) { kit_open(k, &(SosiaOpen){.now = fixed_clock, .now_ctx = &clock_ns}); }

static void expect(Kit *k, SosiaErr want, SosiaErr got) {
    if (got != want)
        fail_msg("%s instead of %s: %.*s", sosia_err_name(got), sosia_err_name(want), (int)k->done.message.n,
                 k->done.message.p ? k->done.message.p : "");
}

// What a failed write leaves: a code, a sentence, no body.
static void expect_write(Kit *k, SosiaErr want, SosiaOp op, const char *id, const char *sub, const char *body) {
    expect(k, want, kit_write(k, op, id, sub, body));
    assert_int_equal(k->done.err, want);
    assert_true(k->done.message.n > 0);
    assert_int_equal(k->done.body.n, 0);
    assert_int_equal(k->done.seq, 0);
}

static void expect_read(Kit *k, SosiaErr want, SosiaGet what, const char *id, const char *sub) {
    expect(k, want, kit_get_in(k, "", what, id, sub));
    assert_true(k->out.message.n > 0);
    assert_int_equal(k->out.body.n, 0);
}

// ---- opening ------------------------------------------------------------------------------------------------------

static void test_open_refuses(void **state) {
    (void)state;
    static const SosiaOpen bad[] = {
        {.queue_max = -1}, {.ring_records = 1000}, {.ring_records = 512}, {.ring_records = -8}, {.feed_bytes_max = -1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Sosia *s = NULL;
        SosiaBuf why = {0};
        assert_int_equal(sosia_open(&bad[i], &s, &why), SOSIA_ARGUMENT);
        assert_null(s);
        assert_true(why.n > 0);
        sosia_buf_free(&why);
        assert_int_equal(sosia_open(&bad[i], &s, NULL), SOSIA_ARGUMENT);
    }
    Sosia *s = NULL;
    SosiaBuf why = {0};
    SosiaErr err = sosia_open(&(SosiaOpen){.path = kit_str("/no/such/folder/x.sosia")}, &s, &why);
    assert_true(err == SOSIA_STORAGE || err == SOSIA_IO);
    assert_true(why.n > 0);
    sosia_buf_free(&why);
    sosia_close(NULL);
}

static void test_texts_of_errors(void **state) {
    (void)state;
    assert_string_equal(sosia_err_name(SOSIA_TWIN_NOT_FOUND), "TWIN_NOT_FOUND");
    assert_string_equal(sosia_err_wire(SOSIA_TWIN_NOT_FOUND), "DigitalTwinNotFound");
    assert_int_equal(sosia_err_http(SOSIA_TWIN_NOT_FOUND), 404);
    assert_int_equal(sosia_err_exit(SOSIA_TWIN_NOT_FOUND), 3);
    assert_true(strlen(sosia_err_text(SOSIA_STORAGE_FULL)) > 0);
    assert_string_equal(sosia_version(), SOSIA_VERSION);
}

// ---- models -------------------------------------------------------------------------------------------------------

static void test_models(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    assert_true(k.done.seq > 0);
    assert_int_equal(kit_count(kit_result(&k), "\"uploadTime\""), 3);
    expect_write(&k, SOSIA_MODEL_EXISTS, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    expect_write(&k, SOSIA_ARGUMENT, SOSIA_MODELS_ADD, "", "", "[]");
    expect_write(&k, SOSIA_SYNTAX, SOSIA_MODELS_ADD, "", "", "[");
    expect_write(&k, SOSIA_MODEL, SOSIA_MODELS_ADD, "", "",
                 "[{\"@id\":\"dtmi:x:A;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
                 "\"extends\":\"dtmi:x:Missing;1\"}]");
    kit_has(kit_message(&k), "dtmi:x:Missing;1");

    const char *room = kit_get(&k, SOSIA_GET_MODEL, "dtmi:test:Room;1", "");
    kit_has(room, "\"decommissioned\":false");
    kit_lacks(room, "\"contents\"");
    SosiaRead r = {.what = SOSIA_GET_MODEL, .id = kit_str("dtmi:test:Room;1"), .definition = true};
    assert_int_equal(kit_read(&k, &r), 0);
    kit_has(kit_body(&k), "\"contents\"");
    expect_read(&k, SOSIA_MODEL_NOT_FOUND, SOSIA_GET_MODEL, "dtmi:x:A;1", "");

    kit_do(&k, SOSIA_MODEL_PATCH, "dtmi:test:Room;1", "",
           "[{\"op\":\"replace\",\"path\":\"/decommissioned\",\"value\":true}]");
    kit_has(kit_get(&k, SOSIA_GET_MODEL, "dtmi:test:Room;1", ""), "\"decommissioned\":true");
    expect_write(&k, SOSIA_MODEL_DECOMMISSIONED, SOSIA_TWIN_PUT, "r", "",
                 "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
    expect_write(&k, SOSIA_PATCH, SOSIA_MODEL_PATCH, "dtmi:test:Room;1", "", "[{\"op\":\"add\"}]");
    expect_write(&k, SOSIA_MODEL_NOT_FOUND, SOSIA_MODEL_PATCH, "dtmi:x:A;1", "",
                 "[{\"op\":\"replace\",\"path\":\"/decommissioned\",\"value\":true}]");
    expect_write(&k, SOSIA_MODEL_IN_USE, SOSIA_MODEL_DELETE, "dtmi:test:Base;1", "", "");
    expect_write(&k, SOSIA_MODEL_NOT_FOUND, SOSIA_MODEL_DELETE, "dtmi:x:A;1", "", "");
    kit_do(&k, SOSIA_MODEL_DELETE, "dtmi:test:Room;1", "", "");
    expect_read(&k, SOSIA_MODEL_NOT_FOUND, SOSIA_GET_MODEL, "dtmi:test:Room;1", "");
    kit_close(&k);
}

static void test_models_list(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    assert_int_equal(kit_count(kit_get(&k, SOSIA_GET_MODELS, "", ""), "\"id\":"), 3);
    SosiaStr base = kit_str("dtmi:test:Base;1"), room = kit_str("dtmi:test:Room;1"), none = kit_str("dtmi:x:A;1");
    SosiaRead r = {.what = SOSIA_GET_MODELS, .ids = &base, .id_count = 1};
    assert_int_equal(kit_read(&k, &r), 0);
    assert_int_equal(kit_count(kit_body(&k), "\"id\":"), 1);
    r.ids = &room; // extends Base, embeds Thermostat
    assert_int_equal(kit_read(&k, &r), 0);
    assert_int_equal(kit_count(kit_body(&k), "\"id\":"), 3);
    r.ids = &none;
    expect(&k, SOSIA_MODEL_NOT_FOUND, kit_read(&k, &r));
    KitText all = {0};
    kit_pages(&k, (SosiaRead){.what = SOSIA_GET_MODELS, .ids = &room, .id_count = 1, .limit = 1}, &all);
    assert_int_equal(kit_count(all.p, "\"id\":"), 3);
    assert_int_equal(kit_count(all.p, "]["), 2); // three pages
    free(all.p);
    kit_close(&k);
}

// ---- twins --------------------------------------------------------------------------------------------------------

static void test_twin(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    expect_read(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_GET_TWIN, "r1", "");
    kit_do(&k, SOSIA_TWIN_PUT, "r1", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"temperature\":21.5,\"big\":9007199254740993,"
           "\"thermostat\":{\"$metadata\":{},\"setPoint\":20}}");
    assert_true(k.done.created);
    char body[4096], etag[64];
    snprintf(body, sizeof body, "%.*s", (int)k.done.body.n, k.done.body.p);
    snprintf(etag, sizeof etag, "%.*s", (int)k.done.etag.n, k.done.etag.p);
    uint64_t seq = k.done.seq;
    assert_string_equal(kit_get(&k, SOSIA_GET_TWIN, "r1", ""), body); // the answer is what a read shows
    assert_string_equal(k.out.etag, etag);
    assert_int_equal(k.out.seq, seq);
    kit_has(body, "\"big\":9007199254740993");
    kit_has(body, "2023-11-14T22:13:20.00000");
    kit_do(&k, SOSIA_TWIN_PUT, "r1", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
    assert_false(k.done.created);
    assert_true(k.done.seq > seq);
    kit_lacks(kit_get(&k, SOSIA_GET_TWIN, "r1", ""), "21.5");
    SosiaRead old = {.what = SOSIA_GET_TWIN, .id = kit_str("r1"), .no_times = true};
    assert_int_equal(kit_read(&k, &old), 0);
    kit_lacks(kit_body(&k), "$lastUpdateTime");

    expect_write(&k, SOSIA_VALIDATION, SOSIA_TWIN_PUT, "r2", "", "{\"$metadata\":{\"$model\":\"dtmi:x:A;1\"}}");
    expect_write(&k, SOSIA_VALIDATION, SOSIA_TWIN_PUT, "r2", "",
                 "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"count\":\"x\",\"thermostat\":{\"$metadata\":{}}}");
    kit_has(kit_message(&k), "count");
    expect_write(&k, SOSIA_SYNTAX, SOSIA_TWIN_PUT, "r2", "", "{\"$metadata\":");
    expect_read(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_GET_TWIN, "r2", ""); // nothing half-done

    expect_write(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_TWIN_DELETE, "r2", "", "");
    kit_do(&k, SOSIA_TWIN_DELETE, "r1", "", "");
    expect_read(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_GET_TWIN, "r1", "");
    kit_close(&k);
}

static SosiaErr write_if(Kit *k, SosiaOp op, const char *id, const char *body, const char *match, const char *none) {
    SosiaWrite w = {
        .op = op, .id = kit_str(id), .body = kit_str(body), .if_match = kit_str(match), .if_none_match = kit_str(none)};
    return sosia_write_wait(k->s, NULL, &w, &k->done, &k->keep);
}

static void test_preconditions(void **state) {
    (void)state;
    const char *put = "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}";
    const char *patch = "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]";
    char etag[64], second[64];
    Kit k;
    open_memory(&k);
    kit_models(&k);
    expect(&k, SOSIA_OK, write_if(&k, SOSIA_TWIN_PUT, "r1", put, "", "*"));
    snprintf(etag, sizeof etag, "%.*s", (int)k.done.etag.n, k.done.etag.p);
    expect(&k, SOSIA_EXISTS, write_if(&k, SOSIA_TWIN_PUT, "r1", put, "", "*"));
    expect(&k, SOSIA_ARGUMENT, write_if(&k, SOSIA_TWIN_PUT, "r1", put, "", "\"x\""));
    expect(&k, SOSIA_OK, write_if(&k, SOSIA_TWIN_PATCH, "r1", patch, etag, ""));
    snprintf(second, sizeof second, "%.*s", (int)k.done.etag.n, k.done.etag.p);
    assert_string_not_equal(etag, second);
    expect(&k, SOSIA_PRECONDITION, write_if(&k, SOSIA_TWIN_PATCH, "r1", patch, etag, ""));
    kit_get(&k, SOSIA_GET_TWIN, "r1", "");
    assert_string_equal(k.out.etag, second);
    expect(&k, SOSIA_PRECONDITION, write_if(&k, SOSIA_TWIN_DELETE, "r1", "", etag, ""));
    expect(&k, SOSIA_OK, write_if(&k, SOSIA_TWIN_DELETE, "r1", "", second, ""));
    kit_close(&k);
}

static void test_patch(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "r1");
    kit_do(&k, SOSIA_TWIN_PATCH, "r1", "",
           "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":19.25},"
           "{\"op\":\"add\",\"path\":\"/thermostat/setPoint\",\"value\":20}]");
    assert_int_equal(k.done.etag.n, 40);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r1", ""), "\"temperature\":19.25");
    expect_write(&k, SOSIA_PATCH, SOSIA_TWIN_PATCH, "r1", "", "[{\"op\":\"test\",\"path\":\"/count\",\"value\":1}]");
    // the first operation would do, the second does not: neither is applied
    SosiaErr err = kit_write(&k, SOSIA_TWIN_PATCH, "r1", "",
                             "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":1},"
                             "{\"op\":\"add\",\"path\":\"/count\",\"value\":\"no\"}]");
    expect(&k, SOSIA_VALIDATION, err);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "r1", ""), "\"temperature\":19.25");
    expect_write(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_TWIN_PATCH, "nobody", "",
                 "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]");

    kit_do(&k, SOSIA_COMPONENT_PATCH, "r1", "thermostat", "[{\"op\":\"replace\",\"path\":\"/setPoint\",\"value\":22}]");
    kit_has(kit_get(&k, SOSIA_GET_COMPONENT, "r1", "thermostat"), "\"setPoint\":22");
    char etag[48];
    memcpy(etag, k.out.etag, sizeof etag);
    kit_get(&k, SOSIA_GET_TWIN, "r1", "");
    assert_string_equal(k.out.etag, etag);
    expect_read(&k, SOSIA_COMPONENT_NOT_FOUND, SOSIA_GET_COMPONENT, "r1", "engine");
    expect_read(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_GET_COMPONENT, "nobody", "thermostat");
    expect_write(&k, SOSIA_COMPONENT_NOT_FOUND, SOSIA_COMPONENT_PATCH, "r1", "engine",
                 "[{\"op\":\"replace\",\"path\":\"/setPoint\",\"value\":22}]");
    kit_close(&k);
}

// ---- relationships ------------------------------------------------------------------------------------------------

static void test_links(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    kit_room(&k, "b");
    const char *feeds = "{\"$relationshipName\":\"feeds\",\"$targetId\":\"b\",\"flow\":1.5}";
    kit_do(&k, SOSIA_LINK_PUT, "a", "r", feeds);
    assert_true(k.done.created);
    kit_has(kit_result(&k), "\"flow\":1.5");
    char etag[48];
    snprintf(etag, sizeof etag, "%.*s", (int)k.done.etag.n, k.done.etag.p);
    kit_has(kit_get(&k, SOSIA_GET_LINK, "a", "r"), "\"$targetId\":\"b\"");
    assert_string_equal(k.out.etag, etag);
    kit_do(&k, SOSIA_LINK_PATCH, "a", "r", "[{\"op\":\"replace\",\"path\":\"/flow\",\"value\":2}]");
    assert_int_equal(k.done.etag.n, 40);
    kit_has(kit_get(&k, SOSIA_GET_LINK, "a", "r"), "\"flow\":2");
    SosiaRead in = {.what = SOSIA_GET_INCOMING,
                    .id = kit_str("b"),
                    .base_url = kit_str("http://h:1"),
                    .api_version = kit_str("2023-10-31")};
    assert_int_equal(kit_read(&k, &in), 0);
    kit_has(kit_body(&k), "\"$relationshipLink\":\"http://h:1/digitaltwins/a/relationships/r");

    expect_write(&k, SOSIA_LINKS_LEFT, SOSIA_TWIN_DELETE, "a", "", "");
    expect_write(&k, SOSIA_LINKS_LEFT, SOSIA_TWIN_DELETE, "b", "", "");
    expect_write(&k, SOSIA_LINK_INVALID, SOSIA_LINK_PUT, "a", "x",
                 "{\"$relationshipName\":\"eats\",\"$targetId\":\"b\"}");
    expect_write(&k, SOSIA_TARGET_NOT_FOUND, SOSIA_LINK_PUT, "a", "x",
                 "{\"$relationshipName\":\"feeds\",\"$targetId\":\"c\"}");
    expect_write(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_LINK_PUT, "c", "x", feeds);
    expect_write(&k, SOSIA_VALIDATION, SOSIA_LINK_PUT, "a", "x",
                 "{\"$relationshipName\":\"feeds\",\"$targetId\":\"b\",\"flow\":\"x\"}");
    expect_write(&k, SOSIA_LINK_NOT_FOUND, SOSIA_LINK_PATCH, "a", "x",
                 "[{\"op\":\"add\",\"path\":\"/flow\",\"value\":1}]");
    expect_write(&k, SOSIA_LINK_NOT_FOUND, SOSIA_LINK_DELETE, "a", "x", "");
    expect_read(&k, SOSIA_LINK_NOT_FOUND, SOSIA_GET_LINK, "a", "x");
    expect_read(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_GET_LINK, "c", "x");
    expect_read(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_GET_LINKS, "c", "");
    expect_read(&k, SOSIA_TWIN_NOT_FOUND, SOSIA_GET_INCOMING, "c", "");
    kit_do(&k, SOSIA_LINK_DELETE, "a", "r", "");
    assert_string_equal(kit_get(&k, SOSIA_GET_LINKS, "a", ""), "[]");
    kit_do(&k, SOSIA_TWIN_DELETE, "a", "", "");
    kit_close(&k);
}

static void put_link(Kit *k, const char *source, int i, const char *name, const char *target) {
    char rid[32], body[128];
    snprintf(rid, sizeof rid, "r%03d", i);
    snprintf(body, sizeof body, "{\"$relationshipName\":\"%s\",\"$targetId\":\"%s\"}", name, target);
    kit_do(k, SOSIA_LINK_PUT, source, rid, body);
}

// Pages of links while others come and go, and even the one the token names: what stays is shown exactly once.
static void test_link_pages(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    kit_room(&k, "b");
    for (int i = 0; i < 30; i++) put_link(&k, "a", i, i % 3 ? "feeds" : "near", "b");
    static const SosiaGet what[] = {SOSIA_GET_LINKS, SOSIA_GET_INCOMING};
    for (int w = 0; w < 2; w++) {
        KitText all = {0};
        char token[96] = "", rid[16];
        for (int page = 0; page == 0 || token[0]; page++) {
            SosiaRead r = {.what = what[w], .id = kit_str(w ? "b" : "a"), .token = kit_str(token), .limit = 4};
            assert_int_equal(kit_read(&k, &r), 0);
            kit_add(&all, k.out.body.p, (size_t)k.out.body.n);
            memcpy(token, k.out.token, sizeof token);
            // The token's own link goes (it is shown last), and a new one comes.
            const char *last = NULL;
            for (const char *p = kit_body(&k); (p = strstr(p, "\"$relationshipId\":\"")); p += 19) last = p + 19;
            assert_non_null(last);
            snprintf(rid, sizeof rid, "%.4s", last);
            if (page % 2 == 0) kit_do(&k, SOSIA_LINK_DELETE, "a", rid, "");
            put_link(&k, "a", 100 + 20 * w + page, "feeds", "b");
        }
        for (int i = 0; i < 30; i++) {
            snprintf(rid, sizeof rid, "\"r%03d\"", i);
            int links = kit_count(all.p, rid);
            if (w == 0) assert_int_equal(links, 1);
            else assert_true(links <= 1); // some went in the first round
        }
        free(all.p);
    }
    KitText near = {0};
    kit_pages(&k, (SosiaRead){.what = SOSIA_GET_LINKS, .id = kit_str("a"), .filter = kit_str("near"), .limit = 3},
              &near);
    kit_lacks(near.p, "feeds");
    assert_true(kit_count(near.p, "\"near\"") > 3);
    free(near.p);
    SosiaRead r = {.what = SOSIA_GET_LINKS, .id = kit_str("a"), .limit = 2};
    assert_int_equal(kit_read(&k, &r), 0);
    char token[96];
    memcpy(token, k.out.token, sizeof token);
    r.token = kit_str(token);
    r.id = kit_str("b"); // another list's token
    expect(&k, SOSIA_ARGUMENT, kit_read(&k, &r));
    r = (SosiaRead){.what = SOSIA_GET_TWINS, .token = kit_str("x y")};
    expect(&k, SOSIA_ARGUMENT, kit_read(&k, &r));
    r = (SosiaRead){.what = SOSIA_GET_TWINS, .limit = -1};
    expect(&k, SOSIA_ARGUMENT, kit_read(&k, &r));
    kit_close(&k);
}

static void test_twin_pages(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    char id[16];
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof id, "t%03d", i);
        if (i % 5) kit_room(&k, id);
        else kit_do(&k, SOSIA_TWIN_PUT, id, "", "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"}}");
    }
    KitText all = {0}, rooms = {0};
    char token[96] = "";
    for (int page = 0; page == 0 || token[0]; page++) {
        SosiaRead r = {.what = SOSIA_GET_TWINS, .token = kit_str(token), .limit = 7};
        assert_int_equal(kit_read(&k, &r), 0);
        kit_add(&all, k.out.body.p, (size_t)k.out.body.n);
        memcpy(token, k.out.token, sizeof token);
        snprintf(id, sizeof id, "t%03d", page); // shown already: a row becomes free, a new twin takes it
        kit_do(&k, SOSIA_TWIN_DELETE, id, "", "");
        snprintf(id, sizeof id, "u%03d", page);
        if (page < 3) kit_room(&k, id);
    }
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof id, "\"t%03d\"", i);
        assert_int_equal(kit_count(all.p, id), 1);
    }
    assert_true(strstr(all.p, "\"t010\"") < strstr(all.p, "\"t011\"")); // in order of creation
    kit_pages(&k, (SosiaRead){.what = SOSIA_GET_TWINS, .filter = kit_str("dtmi:test:Room;1"), .limit = 7}, &rooms);
    kit_lacks(rooms.p, "dtmi:test:Base;1");
    kit_has(rooms.p, "dtmi:test:Room;1");
    free(rooms.p);
    rooms = (KitText){0};
    kit_pages(&k, (SosiaRead){.what = SOSIA_GET_TWINS, .filter = kit_str("dtmi:test:Base;1")}, &rooms);
    kit_has(rooms.p, "dtmi:test:Room;1"); // subtypes too
    kit_has(rooms.p, "dtmi:test:Base;1");
    SosiaRead r = {.what = SOSIA_GET_TWINS, .filter = kit_str("dtmi:x:A;1")};
    expect(&k, SOSIA_MODEL_NOT_FOUND, kit_read(&k, &r));
    free(all.p);
    free(rooms.p);
    kit_close(&k);
}

// ---- telemetry, ingest, import ------------------------------------------------------------------------------------

static void test_telemetry(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    kit_get(&k, SOSIA_GET_TWIN, "a", "");
    char etag[48];
    memcpy(etag, k.out.etag, sizeof etag);
    SosiaWrite w = {
        .op = SOSIA_TELEMETRY, .id = kit_str("a"), .body = kit_str("{\"x\":1}"), .message_id = kit_str("m")};
    expect(&k, SOSIA_OK, sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep));
    kit_get(&k, SOSIA_GET_TWIN, "a", "");
    assert_string_equal(k.out.etag, etag); // nothing of it stays
    w.sub = kit_str("engine");
    expect(&k, SOSIA_COMPONENT_NOT_FOUND, sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep));
    w.id = kit_str("b");
    expect(&k, SOSIA_TWIN_NOT_FOUND, sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep));
    w.body = kit_str("{");
    expect(&k, SOSIA_SYNTAX, sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep));
    kit_close(&k);
}

static void test_ingest(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    kit_room(&k, "b");
    kit_do(&k, SOSIA_INGEST, "", "",
           "{\"id\":\"a\",\"property\":\"temperature\",\"value\":1.5}\n"
           "{\"id\":\"nobody\",\"property\":\"temperature\",\"value\":1}\n"
           "{\"id\":\"a\",\"property\":\"count\",\"value\":\"x\"}\r\n"
           "\n"
           "not json\n"
           "{\"id\":\"a\",\"property\":\"thermostat.setPoint\",\"value\":18,\"time\":\"2023-01-01T00:00:00Z\"}\n"
           "{\"id\":\"b\",\"property\":\"/thermostat/setPoint\",\"value\":17}\n"
           "{\"id\":\"b\",\"property\":\"tags\",\"value\":{\"red\":true}}");
    char body[2048];
    snprintf(body, sizeof body, "%.*s", (int)k.done.body.n, k.done.body.p);
    kit_has(body, "\"accepted\":4,\"rejected\":3");
    kit_has(body, "{\"line\":2,\"code\":\"DigitalTwinNotFound\"");
    kit_has(body, "{\"line\":3,\"code\":\"ValidationFailed\"");
    kit_has(body, "{\"line\":5,\"code\":\"InvalidArgument\"");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"temperature\":1.5");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"sourceTime\":\"2023-01-01T00:00:00.0000000Z\"");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "b", ""), "\"setPoint\":17");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "b", ""), "\"red\":true");
    // late: accepted, changes nothing now
    kit_do(&k, SOSIA_INGEST, "", "",
           "{\"id\":\"a\",\"property\":\"thermostat.setPoint\",\"value\":5,\"time\":\"2022-01-01T00:00:00Z\"}");
    kit_has(kit_result(&k), "\"accepted\":1,\"rejected\":0");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"setPoint\":18");
    kit_do(&k, SOSIA_INGEST, "", "", "\n\n");
    kit_has(kit_result(&k), "{\"accepted\":0,\"rejected\":0,\"late\":0,\"duplicates\":0,\"errors\":[]}");
    kit_close(&k);
}

// More lines than one batch holds, most of them bad: all are counted, 100 are told.
static void test_ingest_many(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    KitText body = {0};
    char line[128];
    for (int i = 0; i < 12000; i++) {
        int n =
            snprintf(line, sizeof line, "{\"id\":\"%s\",\"property\":\"count\",\"value\":%d}\n", i % 4 ? "x" : "a", i);
        kit_add(&body, line, (size_t)n);
    }
    kit_do(&k, SOSIA_INGEST, "", "", body.p);
    kit_has(kit_result(&k), "\"accepted\":3000,\"rejected\":9000");
    assert_int_equal(kit_count(kit_result(&k), "\"line\":"), 100);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"count\":11996");
    free(body.p);
    kit_close(&k);
}

static void test_import(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_do(
        &k, SOSIA_IMPORT, "", "",
        "{\"Section\":\"Header\"}\n{\"fileVersion\":\"1.0.0\",\"author\":\"me\"}\n"
        "{\"Section\":\"Models\"}\n"
        "{\"@id\":\"dtmi:i:Child;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"extends\":"
        "\"dtmi:i:Parent;1\"}\n"
        "{\"@id\":\"dtmi:i:Bad;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"extends\":"
        "\"dtmi:i:Missing;1\"}\n"
        "{\"@id\":\"dtmi:i:Parent;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
        "{\"@type\":\"Property\",\"name\":\"p\",\"schema\":\"double\"},{\"@type\":\"Relationship\",\"name\":\"r\"}]}\n"
        "{\"Section\":\"Twins\"}\n"
        "{\"$dtId\":\"t1\",\"$metadata\":{\"$model\":\"dtmi:i:Child;1\"},\"p\":1}\n"
        "{\"$dtId\":\"t2\",\"$metadata\":{\"$model\":\"dtmi:i:Child;1\"},\"p\":\"x\"}\n"
        "{\"$dtId\":\"t3\",\"$metadata\":{\"$model\":\"dtmi:i:Parent;1\"}}\n"
        "{\"Section\":\"Relationships\"}\n"
        "{\"$dtId\":\"t1\",\"$relationshipId\":\"r1\",\"$targetId\":\"t3\",\"$relationshipName\":\"r\"}\n"
        "{\"$dtId\":\"t1\",\"$relationshipId\":\"r2\",\"$targetId\":\"t2\",\"$relationshipName\":\"r\"}\n");
    char body[4096];
    snprintf(body, sizeof body, "%.*s", (int)k.done.body.n, k.done.body.p);
    kit_has(body, "\"rejected\":3,\"models\":2,\"twins\":2,\"relationships\":1");
    kit_has(body, "{\"line\":5,\"code\":\"DTDLParserError\"");
    kit_has(body, "{\"line\":9,\"code\":\"ValidationFailed\"");
    kit_has(body, "{\"line\":13,\"code\":\"TargetDigitalTwinNotFound\"");
    kit_has(kit_get(&k, SOSIA_GET_LINKS, "t1", ""), "\"r1\"");
    kit_do(&k, SOSIA_IMPORT, "", "", "{\"$dtId\":\"t9\"}\n{\"Section\":\"Nonsense\"}\n[1]\n");
    kit_has(kit_result(&k), "\"accepted\":0,\"rejected\":3");
    kit_close(&k);
}

// A ring that holds a small part of the lines: batches end where it is full, nothing is lost. What alone is too large
// for it is refused and hurts nobody else.
static void test_import_small_ring(void **state) {
    (void)state;
    char path[64], line[256];
    Kit k;
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .ring_records = 8192});
    kit_models(&k);
    KitText body = {0};
    kit_add(&body, "{\"Section\":\"Twins\"}\n", 20);
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(line, sizeof line,
                         "{\"$dtId\":\"t%d\",\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"count\":%d,"
                         "\"thermostat\":{\"$metadata\":{},\"setPoint\":%d}}\n",
                         i, i, i);
        kit_add(&body, line, (size_t)n);
    }
    kit_do(&k, SOSIA_IMPORT, "", "", body.p);
    kit_has(kit_result(&k), "{\"accepted\":20000,\"rejected\":0,");
    SosiaHandle h;
    assert_int_equal(sosia_resolve(k.s, kit_str(""), kit_str("t19999"), kit_str("count"), &h), 0);
    SosiaUpdate *u = calloc(10000, sizeof *u);
    assert_non_null(u);
    for (int i = 0; i < 10000; i++) u[i] = (SosiaUpdate){.at = h, .value = {.kind = SOSIA_I64, .i = i}};
    for (int i = 0; i < 3; i++) assert_int_equal(sosia_apply(k.s, NULL, kit_str(""), u, 10000, NULL), SOSIA_LIMIT);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "t19999", ""), "\"count\":19999,");
    kit_do(&k, SOSIA_IMPORT, "", "", body.p); // and the ring is whole again
    kit_has(kit_result(&k), "{\"accepted\":20000,\"rejected\":0,");
    free(u);
    free(body.p);
    kit_close(&k);
    kit_unlink(path);
}

// ---- values by handle ---------------------------------------------------------------------------------------------

static SosiaHandle handle(Kit *k, const char *id, const char *path) {
    SosiaHandle h;
    assert_int_equal(sosia_resolve(k->s, kit_str(""), kit_str(id), kit_str(path), &h), 0);
    return h;
}

static void test_handles(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    SosiaStr live = kit_str("live");
    SosiaHandle h;
    assert_int_equal(sosia_resolve(k.s, live, kit_str("x"), kit_str("count"), &h), SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(sosia_resolve(k.s, live, kit_str("a"), kit_str("x"), &h), SOSIA_VALIDATION);
    assert_int_equal(sosia_resolve(k.s, kit_str("x"), kit_str("a"), kit_str("count"), &h), SOSIA_WORLD_NOT_FOUND);
    SosiaHandle temperature = handle(&k, "a", "temperature"), count = handle(&k, "a", "count");
    SosiaHandle label = handle(&k, "a", "label"), w = handle(&k, "a", "size.w"), tags = handle(&k, "a", "tags");
    SosiaUpdate u[] = {
        {.at = temperature, .value = {.kind = SOSIA_F64, .d = 1.25}, .source_time_ns = T0},
        {.at = count, .value = {.kind = SOSIA_I64, .i = 7}},
        {.at = label, .value = {.kind = SOSIA_TEXT, .s = kit_str("a text longer than twelve bytes")}},
        {.at = w, .value = {.kind = SOSIA_I64, .i = 3}},
        {.at = tags, .value = {.kind = SOSIA_JSON, .s = kit_str("{\"red\":true}")}},
    };
    uint64_t seq = 0;
    assert_int_equal(sosia_apply(k.s, NULL, live, u, 5, &seq), 0);
    assert_true(seq > 0);
    const char *twin = kit_get(&k, SOSIA_GET_TWIN, "a", "");
    kit_has(twin, "\"temperature\":1.25");
    kit_has(twin, "\"count\":7");
    kit_has(twin, "\"size\":{\"w\":3}");
    kit_has(twin, "\"tags\":{\"red\":true}");
    SosiaValue v;
    int64_t at, source;
    SosiaBuf keep = {0};
    assert_int_equal(sosia_value(k.s, NULL, live, label, &v, &at, &source, &keep), 0);
    assert_int_equal(v.kind, SOSIA_TEXT);
    assert_memory_equal(v.s.p, "a text longer than twelve bytes", 31);
    assert_int_equal(source, 0);
    assert_int_equal(sosia_value(k.s, NULL, live, temperature, &v, &at, &source, &keep), 0);
    assert_true(v.kind == SOSIA_F64 && v.d == 1.25 && source == T0 && at >= T0);
    assert_int_equal(sosia_value(k.s, NULL, live, handle(&k, "a", "on"), &v, NULL, NULL, &keep), 0);
    assert_int_equal(v.kind, SOSIA_NONE);

    // all or nothing
    u[0].value.d = 2;
    u[0].source_time_ns = 0;
    u[1].value = (SosiaValue){.kind = SOSIA_I64, .i = INT64_C(1) << 40};
    assert_int_equal(sosia_apply(k.s, NULL, live, u, 2, NULL), SOSIA_VALIDATION);
    u[1].value = (SosiaValue){.kind = SOSIA_TEXT, .s = kit_str("7")};
    assert_int_equal(sosia_apply(k.s, NULL, live, u, 2, NULL), SOSIA_VALIDATION);
    u[1] = (SosiaUpdate){.at = tags, .value = {.kind = SOSIA_JSON, .s = kit_str("{\"red\":1}")}};
    assert_int_equal(sosia_apply(k.s, NULL, live, u, 2, NULL), SOSIA_VALIDATION);
    u[1] = (SosiaUpdate){.at = {count.twin, 5}, .value = {.kind = SOSIA_I64, .i = 1}};
    assert_int_equal(sosia_apply(k.s, NULL, live, u, 2, NULL), SOSIA_STALE);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"temperature\":1.25");
    u[1] = (SosiaUpdate){.at = temperature, .value = {.kind = SOSIA_F64, .d = HUGE_VAL}};
    assert_int_equal(sosia_apply(k.s, NULL, live, u, 2, NULL), SOSIA_VALIDATION);
    assert_int_equal(sosia_apply(k.s, NULL, live, u, -1, NULL), SOSIA_ARGUMENT);
    assert_int_equal(sosia_apply(k.s, NULL, kit_str("x"), u, 1, NULL), SOSIA_WORLD_NOT_FOUND);

    kit_do(&k, SOSIA_TWIN_PUT, "a", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"}}");
    assert_int_equal(sosia_value(k.s, NULL, live, count, &v, NULL, NULL, &keep), SOSIA_STALE);
    assert_int_equal(sosia_apply(k.s, NULL, live, u, 1, NULL), SOSIA_STALE);
    kit_do(&k, SOSIA_TWIN_DELETE, "a", "", "");
    assert_int_equal(sosia_value(k.s, NULL, live, count, &v, NULL, NULL, &keep), SOSIA_TWIN_NOT_FOUND);
    sosia_buf_free(&keep);
    kit_close(&k);
}

// ---- worlds -------------------------------------------------------------------------------------------------------

static void test_forks(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    SosiaStr live = kit_str(""), what_if = kit_str("what-if");
    assert_int_equal(sosia_fork(k.s, NULL, live, what_if), 0);
    assert_int_equal(sosia_fork(k.s, NULL, live, what_if), SOSIA_WORLD_EXISTS);
    assert_int_equal(sosia_fork(k.s, NULL, live, kit_str("live")), SOSIA_WORLD_EXISTS);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("x"), kit_str("y")), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(sosia_fork(k.s, NULL, live, kit_str("a/b")), SOSIA_ARGUMENT);
    assert_int_equal(sosia_fork(k.s, NULL, live, kit_str("-x")), SOSIA_ARGUMENT);
    char *before = kit_dump(&k, ""), *same = kit_dump(&k, "what-if");
    assert_string_equal(before, same);
    assert_int_equal(
        kit_write_in(&k, "what-if", SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":1}]"),
        0);
    kit_do(&k, SOSIA_TWIN_PATCH, "a", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":2}]");
    assert_int_equal(sosia_fork(k.s, NULL, what_if, kit_str("second")), 0);
    assert_int_equal(kit_write_in(&k, "what-if", SOSIA_TWIN_DELETE, "a", "", ""), 0);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"count\":2");
    assert_int_equal(kit_get_in(&k, "what-if", SOSIA_GET_TWIN, "a", ""), SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(kit_get_in(&k, "second", SOSIA_GET_TWIN, "a", ""), 0);
    kit_has(kit_body(&k), "\"count\":1");
    const char *list = kit_get(&k, SOSIA_GET_WORLDS, "", "");
    kit_has(list, "{\"name\":\"live\",\"parent\":null,");
    kit_has(list, "{\"name\":\"second\",\"parent\":\"what-if\",");
    assert_int_equal(sosia_drop(k.s, NULL, what_if), 0);
    assert_int_equal(sosia_drop(k.s, NULL, what_if), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("live")), SOSIA_NOT_ALLOWED);
    assert_int_equal(kit_get_in(&k, "what-if", SOSIA_GET_TWIN, "a", ""), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(kit_write_in(&k, "what-if", SOSIA_TWIN_DELETE, "a", "", ""), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(kit_get_in(&k, "second", SOSIA_GET_TWIN, "a", ""), 0);
    assert_int_equal(sosia_fork(k.s, NULL, live, what_if), 0); // the name is free again
    free(before);
    free(same);
    kit_close(&k);
}

static void test_many_forks(void **state) {
    (void)state;
    Kit k;
    char name[32], body[128];
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    char *before = kit_dump(&k, "");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "fork-%d", i);
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        assert_int_equal(sosia_fork(k.s, NULL, kit_str(""), kit_str(name)), 0);
        assert_int_equal(kit_write_in(&k, name, SOSIA_TWIN_PATCH, "a", "", body), 0);
    }
    for (int i = 0; i < 1000; i += 3) {
        snprintf(name, sizeof name, "fork-%d", i);
        assert_int_equal(sosia_drop(k.s, NULL, kit_str(name)), 0);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "fork-%d", i);
        snprintf(body, sizeof body, "\"count\":%d,", i);
        SosiaErr err = kit_get_in(&k, name, SOSIA_GET_TWIN, "a", "");
        assert_int_equal(err, i % 3 ? SOSIA_OK : SOSIA_WORLD_NOT_FOUND);
        if (!err) kit_has(kit_body(&k), body);
    }
    char *after = kit_dump(&k, "");
    assert_string_equal(before, after);
    free(before);
    free(after);
    kit_close(&k);
}

// ---- the rest -----------------------------------------------------------------------------------------------------

static void test_stats(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    kit_models(&k);
    kit_room(&k, "a");
    kit_write(&k, SOSIA_TWIN_DELETE, "nobody", "", "");
    const char *stats = kit_get(&k, SOSIA_GET_STATS, "", "");
    kit_has(stats, "\"twins\":1,\"relationships\":0,\"models\":3,\"worlds\":1");
    kit_has(stats, "\"commands\":3,\"commandsFailed\":1");
    kit_has(stats, "\"memory\":{");
    kit_close(&k);
}

static void test_refused_at_the_door(void **state) {
    (void)state;
    Kit k;
    open_memory(&k);
    SosiaWrite w = {.op = (SosiaOp)99};
    assert_int_equal(sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep), SOSIA_ARGUMENT);
    assert_true(k.done.message.n > 0);
    size_t n = (64 << 20) + 1;
    char *big = malloc(n);
    assert_non_null(big);
    memset(big, ' ', n);
    w = (SosiaWrite){.op = SOSIA_INGEST, .body = {big, (int64_t)n}};
    assert_int_equal(sosia_write_wait(k.s, NULL, &w, &k.done, &k.keep), SOSIA_TOO_LARGE);
    free(big);
    SosiaRead r = {.what = (SosiaGet)99};
    assert_int_equal(kit_read(&k, &r), SOSIA_ARGUMENT);
    r = (SosiaRead){.what = SOSIA_GET_TWIN, .world = kit_str("x")};
    assert_int_equal(kit_read(&k, &r), SOSIA_WORLD_NOT_FOUND);
    assert_true(k.out.message.n > 0);
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_texts_of_errors),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_models_list),
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_preconditions),
        cmocka_unit_test(test_patch),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_link_pages),
        cmocka_unit_test(test_twin_pages),
        cmocka_unit_test(test_telemetry),
        cmocka_unit_test(test_ingest),
        cmocka_unit_test(test_ingest_many),
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_import_small_ring),
        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_many_forks),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_refused_at_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
