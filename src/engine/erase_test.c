// SPDX-License-Identifier: Apache-2.0
// Erasing through the public calls: a world with secrets in values, names, relationships, telemetry, forks, dead twins
// and past places. After the receipt nothing of them is told by anybody, nor found in the file: every block of history
// is decoded, what the journal tells again is searched, and so are the bytes of the file and its log. What was not
// meant is told as before.
#include <math.h>
#include "base/mem.h"
#include "base/sha256.h"
#include "base/thread.h"
#include "base/time.h"
#include "codec/hblock.h"
#include "engine/test_erase.h"
#include "store/store_inner.h"

static void open_file(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path), .checkpoint_interval_ns = -1, .now = test_now});
}

// ---- what the file holds ------------------------------------------------------------------------------------------

typedef struct Search {
    const char *text;
    HWork *work;
    Arena arena;
    StoreReader *rows;
    int64_t blocks, points;
} Search;

static void no_text(const Search *s, Str where) {
    if (where.n && memmem(where.p, (size_t)where.n, s->text, strlen(s->text))) fail_msg("%s is still there", s->text);
}

static void no_bits(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    assert_true(v != SECRET);
}

static bool look_at_block(void *ctx, const StoreHistory *at) {
    Search *s = ctx;
    StoreHistory row;
    HBlock b;
    const HPoint *p;
    int64_t n;
    arena_reset(&s->arena);
    assert_int_equal(store_history_row(s->rows, at->id, &row), 0);
    assert_int_equal(hblock_open(s->work, row.bytes, &s->arena, &b), 0);
    HState *start = NEW(&s->arena, HState, HBLOCK_ROWS);
    assert_int_equal(hblock_rows(s->work, &b, 0, HBLOCK_ROWS - 1, &s->arena, &p, &n, start), 0);
    for (int64_t i = 0; i < n; i++) {
        no_text(s, p[i].text);
        no_bits(p[i].bits);
    }
    for (int i = 0; i < HBLOCK_ROWS && b.has_start; i++) {
        no_text(s, start[i].text);
        no_bits(start[i].bits);
    }
    s->blocks++;
    s->points += n;
    return true;
}

static void on_commit(void *ctx, uint64_t seq) { (void)ctx, (void)seq; }
static void on_fail(void *ctx, Err err, const char *why) { (void)ctx, (void)err, (void)why; }

static void look_at_replay(void *ctx, const BatchHead *head, Str trail) {
    (void)head;
    no_text(ctx, trail);
    double v = SECRET;
    assert_true(!trail.n || !memmem(trail.p, (size_t)trail.n, &v, sizeof v));
}

static void look_at_blocks(const char *path, Search *s) {
    StoreOpen o = {
        .path = kit_str(path), .ctx = s, .on_commit = on_commit, .on_fail = on_fail, .on_replay = look_at_replay};
    Domain *domain = domain_new();
    Store *store;
    World *world;
    Buf why = {0};
    StoreReader *r;
    assert_int_equal(store_open(&o, domain, 8192, &store, &world, &why), 0);
    assert_int_equal(store_reader_begin(store, &r), 0);
    assert_int_equal(store_reader_begin(store, &s->rows), 0);
    assert_int_equal(store_history_scan(r, 0, INT32_MAX, look_at_block, s), 0);
    store_reader_end(s->rows);
    store_reader_end(r);
    store_close(store);
    world_free(world);
    domain_free(domain);
    buf_free(&why);
}

static void look_at_bytes(const Search *s, const char *path, const char *more) {
    char name[80];
    double v = SECRET;
    snprintf(name, sizeof name, "%s%s", path, more);
    FILE *f = fopen(name, "rb");
    if (!f) return;
    Buf b = {0};
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buf_str_put(&b, (Str){part, (int64_t)n});
    fclose(f);
    no_text(s, buf_str(&b));
    assert_true(!b.n || !memmem(b.p, (size_t)b.n, &v, sizeof v));
    buf_free(&b);
}

// Every blob of a table, unpacked when it is packed.
static void look_at_rows(const Search *s, const char *path, const char *sql, bool packed) {
    sqlite3 *h;
    sqlite3_stmt *st;
    Zip zip = {0};
    Buf out = {0};
    double v = SECRET;
    assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        Str blob = {sqlite3_column_blob(st, 1), sqlite3_column_bytes(st, 1)};
        buf_reset(&out);
        if (packed) assert_int_equal(blob_unpack(&zip, (uint64_t)sqlite3_column_int64(st, 0), blob, &out), 0);
        if (packed) blob = buf_str(&out);
        no_text(s, blob);
        assert_true(!blob.n || !memmem(blob.p, (size_t)blob.n, &v, sizeof v));
    }
    sqlite3_finalize(st);
    sqlite3_close(h);
    zip_free(&zip);
    buf_free(&out);
}

// While the file is open (its log too), then closed.
static void file_lacks(Kit *k, const char *path, const char *text) {
    Search s = {.text = text, .work = hwork_new()};
    arena_init(&s.arena, 0);
    look_at_bytes(&s, path, "");
    look_at_bytes(&s, path, "-wal");
    look_at_rows(&s, path, "SELECT id, bytes FROM page", true);
    look_at_rows(&s, path, "SELECT seq, bytes FROM journal", false);
    look_at_rows(&s, path, "SELECT id, name FROM dead", false);
    look_at_rows(&s, path, "SELECT 0, value FROM item", false);
    look_at_rows(&s, path, "SELECT id, bytes FROM scenario", false);
    kit_close(k);
    look_at_bytes(&s, path, "");
    look_at_blocks(path, &s);
    assert_true(s.blocks > 5 && s.points > 5);
    hwork_free(s.work);
    arena_free(&s.arena);
    open_file(k, path);
}

// ---- a world with secrets -----------------------------------------------------------------------------------------

static int64_t now_of(Kit *k) {
    (void)k;
    return test_now(NULL);
}

static void put_room(Kit *k, const char *id) {
    kit_do(k, SOSIA_TWIN_PUT, id, "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
}

static void set_secret(Kit *k, const char *world, const char *id, int i) {
    char body[256];
    snprintf(body, sizeof body,
             "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"hush-hush number %d\"},"
             "{\"op\":\"add\",\"path\":\"/temperature\",\"value\":4242.125},"
             "{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]",
             i, i);
    SosiaErr err = kit_write_in(k, world, SOSIA_TWIN_PATCH, id, "", body);
    if (err) fail_msg("%s", kit_message(k));
}

// Two twins of the secret name one after the other, a neighbour, a relationship each way, a fork.
static int fill(Kit *k, const char *path, int64_t at[8]) {
    int n = 0;
    open_file(k, path);
    kit_do(k, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    put_room(k, "neighbour");
    put_room(k, "hush-twin");
    for (int i = 0; i < 30; i++) {
        set_secret(k, "", "hush-twin", i);
        kit_do(k, SOSIA_TWIN_PATCH, "neighbour", "", "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":7.5}]");
    }
    kit_do(k, SOSIA_LINK_PUT, "hush-twin", "hush-link",
           "{\"$relationshipName\":\"feeds\",\"$targetId\":\"neighbour\",\"flow\":4242.125}");
    kit_do(k, SOSIA_LINK_PUT, "neighbour", "hush-back", "{\"$relationshipName\":\"near\",\"$targetId\":\"hush-twin\"}");
    SosiaWrite w = {.op = SOSIA_TELEMETRY,
                    .id = kit_str("hush-twin"),
                    .body = kit_str("{\"heard\":\"hush\"}"),
                    .message_id = kit_str("m1")};
    assert_int_equal(sosia_write_wait(k->s, NULL, &w, &k->done, &k->keep), SOSIA_OK);
    kit_do(k, SOSIA_INGEST, "", "",
           "{\"id\":\"hush-twin\",\"property\":\"temperature\",\"value\":4242.125,\"time\":1500000000000}");
    at[n++] = now_of(k);
    assert_int_equal(sosia_fork(k->s, NULL, kit_str("live"), kit_str("try")), SOSIA_OK);
    set_secret(k, "try", "hush-twin", 99);
    kit_do(k, SOSIA_LINK_DELETE, "hush-twin", "hush-link", "");
    kit_do(k, SOSIA_LINK_DELETE, "neighbour", "hush-back", "");
    kit_do(k, SOSIA_TWIN_DELETE, "hush-twin", "", "");
    put_room(k, "heir"); // perhaps in the row of the dead
    kit_do(k, SOSIA_TWIN_PATCH, "heir", "", "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":8.5}]");
    kit_close(k);
    open_file(k, path);
    at[n++] = now_of(k);
    put_room(k, "hush-twin");
    for (int i = 0; i < 30; i++) set_secret(k, "", "hush-twin", i);
    kit_do(k, SOSIA_LINK_PUT, "hush-twin", "hush-link",
           "{\"$relationshipName\":\"feeds\",\"$targetId\":\"neighbour\",\"flow\":4242.125}");
    at[n++] = now_of(k);
    return n;
}

static void check_gone(Kit *k, const int64_t *at, int n) {
    char *told = told_of(k, "hush-twin", at, n);
    assert_null(strstr(told, "hush-hush"));
    assert_null(strstr(told, "4242"));
    assert_null(strstr(told, "OK"));
    free(told);
    told = told_of(k, "neighbour", at, n);
    assert_null(strstr(told, "hush"));
    free(told);
    feed_lacks(k, "hush");
}

static void check_receipt(Kit *k, const Receipt *r, const char *twin, const char *property) {
    char text[256], hex[65], id[33];
    assert_memory_equal(r->text, "{\"id\":\"", 7);
    snprintf(id, sizeof id, "%.32s", r->text + 7);
    snprintf(text, sizeof text, "sosia.erasure\n%s\n%s\n%s\n", id, twin, property);
    sha256_hex(kit_str(text), hex);
    assert_non_null(strstr(r->text, hex));
    assert_int_equal(sosia_erasures(k->s, NULL, kit_str(id), &k->out), SOSIA_OK);
    assert_int_equal(k->out.body.n, strlen(r->text));
    assert_memory_equal(k->out.body.p, r->text, strlen(r->text));
    assert_int_equal(sosia_erasures(k->s, NULL, kit_str(""), &k->out), SOSIA_OK);
    buf_byte(&k->out.body, 0);
    assert_non_null(strstr(k->out.body.p, r->text));
    assert_non_null(strstr(k->out.body.p, "\"pending\":[]"));
    assert_int_equal(sosia_erasures(k->s, NULL, kit_str("nothing"), &k->out), SOSIA_ERASURE_NOT_FOUND);
}

// In worlds of the past its place is found by the name that stands there, empty; its relationships likewise.
static void place_is_found(Kit *k, int64_t at) {
    SosiaBuf world = {0};
    buf_printf(&world, "live@");
    time_print(at, 9, &world);
    buf_byte(&world, 0);
    assert_int_equal(kit_get_in(k, world.p, SOSIA_GET_TWINS, "", ""), SOSIA_OK);
    buf_byte(&k->out.body, 0);
    const char *name = strstr(k->out.body.p, "erased:");
    assert_non_null(name);
    char id[40], link[40];
    snprintf(id, sizeof id, "%.*s", (int)strcspn(name, "\""), name);
    assert_int_equal(kit_get_in(k, world.p, SOSIA_GET_TWIN, id, ""), SOSIA_OK);
    buf_byte(&k->out.body, 0);
    kit_has(k->out.body.p, id);
    assert_null(strstr(k->out.body.p, "\"label\"")); // no values
    assert_null(strstr(k->out.body.p, "4242"));
    assert_int_equal(kit_get_in(k, world.p, SOSIA_GET_LINKS, id, ""), SOSIA_OK);
    buf_byte(&k->out.body, 0);
    const char *rid = strstr(k->out.body.p, "\"$relationshipId\":\"erased:");
    assert_non_null(rid);
    snprintf(link, sizeof link, "%.*s", (int)strcspn(rid + 19, "\""), rid + 19);
    assert_int_equal(kit_get_in(k, world.p, SOSIA_GET_LINK, id, link), SOSIA_OK);
    assert_int_equal(kit_get_in(k, world.p, SOSIA_GET_TWIN, "erased:1", ""), SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(kit_get_in(k, world.p, SOSIA_GET_TWIN, "erased:9999999999999999", ""), SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(kit_get_in(k, "", SOSIA_GET_TWIN, id, ""), SOSIA_TWIN_NOT_FOUND); // now it is nowhere
    sosia_buf_free(&world);
}

static void test_twin(void **state) {
    (void)state;
    char path[64];
    int64_t at[8];
    Kit k;
    Receipt r;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    int n = fill(&k, path, at);
    char *heir = told_of(&k, "heir", &at[1], n - 1);
    assert_int_equal(erase(&k, "nobody", "", &r), SOSIA_TWIN_NOT_FOUND);
    SosiaErr err = erase(&k, "hush-twin", "", &r);
    if (err) fail_msg("%s", sosia_err_name(err));
    assert_null(strstr(r.text, "hush"));
    kit_has(r.text, "\"kind\":\"twin\",\"twins\":2");
    check_receipt(&k, &r, "hush-twin", "");
    check_gone(&k, at, n);
    place_is_found(&k, at[0]);
    file_lacks(&k, path, "hush");
    check_gone(&k, at, n);
    place_is_found(&k, at[0]);
    char *after = told_of(&k, "heir", &at[1], n - 1);
    assert_string_equal(heir, after);
    free(heir);
    free(after);
    assert_int_equal(erase(&k, "hush-twin", "", &r), SOSIA_TWIN_NOT_FOUND);
    kit_close(&k);
    kit_unlink(path);
}

static void test_property(void **state) {
    (void)state;
    char path[64];
    int64_t at[8];
    Kit k;
    Receipt r;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    int n = fill(&k, path, at);
    SosiaErr err = erase(&k, "hush-twin", "label", &r);
    if (err) fail_msg("%s", sosia_err_name(err));
    char *told = told_of(&k, "hush-twin", at, n);
    assert_null(strstr(told, "hush-hush"));
    assert_non_null(strstr(told, "4242.125")); // the rest is there, then and now
    assert_non_null(strstr(told, "\"count\":29"));
    free(told);
    kit_do(&k, SOSIA_TWIN_PATCH, "hush-twin", "", "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"later\"}]");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "hush-twin", ""), "\"label\":\"later\"");
    told = told_of(&k, "hush-twin", at, 0);
    assert_non_null(strstr(told, "later"));
    free(told);
    kit_close(&k);
    kit_unlink(path);
}

// ---- kinds of properties ------------------------------------------------------------------------------------------

static void say(Kit *k, const char *id, const char *payload, const char *message) {
    SosiaWrite w = {.op = SOSIA_TELEMETRY, .id = kit_str(id), .body = kit_str(payload), .message_id = kit_str(message)};
    assert_int_equal(sosia_write_wait(k->s, NULL, &w, &k->done, &k->keep), SOSIA_OK);
}

// A twin whose object, component, map and messages tell the same secret.
static void tell_all(Kit *k, const char *id) {
    kit_do(k, SOSIA_TWIN_PUT, id, "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\",\"size\":{\"sourceTime\":\"2021-06-07T08:09:10Z\"}},"
           "\"label\":\"stays\",\"size\":{\"w\":4242.125,\"h\":4242.125},\"tags\":{\"hush\":true},"
           "\"thermostat\":{\"$metadata\":{},\"setPoint\":4242.125}}");
    for (int i = 0; i < 5; i++) {
        kit_do(k, SOSIA_TWIN_PATCH, id, "",
               "[{\"op\":\"replace\",\"path\":\"/size/w\",\"value\":4242.125},"
               "{\"op\":\"replace\",\"path\":\"/thermostat/setPoint\",\"value\":4242.125}]");
        say(k, id, "{\"heard\":\"hush\"}", "m");
        say(k, id, "{\"seen\":\"light\"}", "m");
    }
}

// How many messages of a twin tell of `what`, as the feed tells again.
static int messages(Kit *k, const char *id, const char *what) {
    SosiaFeed *f;
    SosiaBatch b;
    int n = 0;
    assert_int_equal(sosia_feed_open(k->s, NULL, kit_str(""), SOSIA_FEED_OLDEST, &f, NULL), SOSIA_OK);
    while (sosia_feed_next(f, 0, &b) == SOSIA_OK && b.seq) {
        for (int64_t i = 0; i < b.count; i++) {
            const SosiaChange *c = &b.changes[i];
            if (c->what != SOSIA_EV_TELEMETRY || !str_eq(c->twin, kit_str(id))) continue;
            n += memmem(c->value.s.p, (size_t)c->value.s.n, what, strlen(what)) != NULL;
        }
    }
    sosia_feed_close(f);
    return n;
}

// One after the other goes, with all inside, and what is beside it stays, now and then.
static void test_kinds(void **state) {
    (void)state;
    char path[64];
    Kit k;
    Receipt r;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    open_file(&k, path);
    kit_models(&k);
    tell_all(&k, "home");
    tell_all(&k, "other");
    int64_t at[1] = {now_of(&k)};
    char *before = told_of(&k, "other", at, 1);
    assert_int_equal(erase(&k, "home", "sise", &r), SOSIA_VALIDATION);
    assert_int_equal(erase(&k, "home", "size", &r), SOSIA_OK);
    check_receipt(&k, &r, "home", "size");
    assert_int_equal(erase(&k, "home", "tags", &r), SOSIA_OK);
    assert_int_equal(erase(&k, "home", "thermostat", &r), SOSIA_OK);
    assert_int_equal(erase(&k, "home", "heard", &r), SOSIA_OK);
    char *told = told_of(&k, "home", at, 1);
    kit_lacks(told, "4242");
    kit_lacks(told, "hush");
    kit_lacks(told, "2021-06-07");
    kit_has(told, "\"label\":\"stays\"");
    kit_has(told, "\"thermostat\":{");
    assert_int_equal(messages(&k, "home", "light"), 5);
    assert_int_equal(messages(&k, "home", "hush"), 0);
    assert_int_equal(messages(&k, "other", "hush"), 5);
    free(told);
    kit_do(&k, SOSIA_TWIN_PATCH, "home", "", "[{\"op\":\"add\",\"path\":\"/thermostat/setPoint\",\"value\":20.5}]");
    char *after = told_of(&k, "other", at, 1);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_int_equal(erase(&k, "other", "", &r), SOSIA_OK);
    file_lacks(&k, path, "hush");
    told = told_of(&k, "home", at, 1);
    kit_has(told, "20.5");
    free(told);
    kit_close(&k);
    kit_unlink(path);
}

// ---- forks --------------------------------------------------------------------------------------------------------

static void fork_of(Kit *k, const char *from, const char *name) {
    assert_int_equal(sosia_fork(k->s, NULL, kit_str(from), kit_str(name)), SOSIA_OK);
}

static bool forks_tell(Kit *k, const char *world) {
    return kit_get_in(k, world, SOSIA_GET_TWIN, "hush-twin", "") == SOSIA_OK;
}

// Forks of before have it no more; a twin of that name that only a fork made goes too; who takes the name later stays.
static void test_forks(void **state) {
    (void)state;
    char path[64];
    int64_t at[8];
    Kit k;
    Receipt r;
    SosiaFeed *f;
    SosiaBatch b;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    fill(&k, path, at);
    fork_of(&k, "live", "one");
    fork_of(&k, "one", "two");
    assert_int_equal(kit_write_in(&k, "two", SOSIA_LINK_DELETE, "hush-twin", "hush-link", ""), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "two", SOSIA_TWIN_DELETE, "hush-twin", "", ""), SOSIA_OK);
    assert_int_equal(
        kit_write_in(&k, "two", SOSIA_TWIN_PUT, "hush-twin", "",
                     "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}"),
        SOSIA_OK);
    set_secret(&k, "two", "hush-twin", 7);
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str("two"), SOSIA_FEED_OLDEST, &f, NULL), SOSIA_OK);
    assert_int_equal(sosia_feed_next(f, 0, &b), SOSIA_OK);
    assert_int_equal(erase(&k, "hush-twin", "", &r), SOSIA_OK);
    kit_has(r.text, "\"twins\":3");
    assert_false(forks_tell(&k, "live"));
    assert_false(forks_tell(&k, "one"));
    assert_false(forks_tell(&k, "two"));
    while (sosia_feed_next(f, 0, &b) == SOSIA_OK && b.seq) { // it goes on, over what was written again
        for (int64_t i = 0; i < b.count; i++) {
            SosiaStr id = b.changes[i].twin;
            assert_true(!id.n || !memmem(id.p, (size_t)id.n, "hush", 4));
        }
    }
    sosia_feed_close(f);
    put_room(&k, "hush-twin");
    assert_true(forks_tell(&k, "live"));
    kit_close(&k);
    kit_unlink(path);
}

static void link_in(Kit *k, const char *world, const char *from, const char *id, const char *to) {
    char body[160];
    snprintf(body, sizeof body, "{\"$relationshipName\":\"feeds\",\"$targetId\":\"%s\",\"flow\":4242.125}", to);
    assert_int_equal(kit_write_in(k, world, SOSIA_LINK_PUT, from, id, body), SOSIA_OK);
}

static bool history_tells(Kit *k, const char *world, const char *id, const char *text) {
    SosiaHistory h = {.world = kit_str(world), .id = kit_str(id)};
    if (sosia_history(k->s, NULL, &h, &k->out)) return false;
    return memmem(k->out.body.p, (size_t)k->out.body.n, text, strlen(text)) != NULL;
}

// What only a fork had leaves its journal: relationships, also those that went, and twins.
static void test_forks_in_the_file(void **state) {
    (void)state;
    char path[64];
    int64_t at[8];
    Kit k;
    Receipt r;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    fill(&k, path, at);
    fork_of(&k, "live", "one");
    link_in(&k, "one", "neighbour", "hush-own", "hush-twin");
    link_in(&k, "one", "hush-twin", "hush-gone", "heir");
    assert_int_equal(kit_write_in(&k, "one", SOSIA_LINK_PATCH, "neighbour", "hush-own",
                                  "[{\"op\":\"replace\",\"path\":\"/flow\",\"value\":4242.125}]"),
                     SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "one", SOSIA_LINK_DELETE, "hush-twin", "hush-gone", ""), SOSIA_OK);
    for (int i = 0; i < 20; i++) set_secret(&k, "one", "hush-twin", i);
    assert_int_equal(kit_write_in(&k, "one", SOSIA_TWIN_PATCH, "neighbour", "",
                                  "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":9.5}]"),
                     SOSIA_OK);
    kit_close(&k); // what the fork was told is in blocks of its own
    open_file(&k, path);
    assert_true(history_tells(&k, "one", "hush-twin", "hush-hush number 19"));
    SosiaItem kept = {
        .kind = kit_str("sosia.run.state"), .key = kit_str("one/000000"), .value = kit_str("a level of hush")};
    assert_int_equal(sosia_items_put_wait(k.s, &kept, 1), SOSIA_OK);
    assert_int_equal(erase(&k, "hush-twin", "", &r), SOSIA_OK);
    assert_false(history_tells(&k, "one", "hush-twin", "hush-hush"));
    file_lacks(&k, path, "hush");
    assert_false(forks_tell(&k, "one"));
    assert_false(history_tells(&k, "one", "hush-twin", "hush-hush"));
    assert_true(history_tells(&k, "one", "neighbour", "9.5")); // what others were told stays
    assert_int_equal(kit_get_in(&k, "one", SOSIA_GET_TWIN, "neighbour", ""), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "one", SOSIA_TWIN_PUT, "hush-other", "",
                                  "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"},\"label\":\"hush-hush\"}"),
                     SOSIA_OK);
    assert_int_equal(erase(&k, "hush-other", "label", &r), SOSIA_OK);
    file_lacks(&k, path, "hush-hush");
    assert_int_equal(kit_get_in(&k, "one", SOSIA_GET_TWIN, "hush-other", ""), SOSIA_OK);
    kit_close(&k);
    kit_unlink(path);
}

// A property that is set anew in a fork while the rest goes on is not lost with what was erased.
static void test_forks_go_on(void **state) {
    (void)state;
    char path[64];
    int64_t at[8];
    Kit k;
    Receipt r = {.err = SOSIA_OK};
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    fill(&k, path, at);
    fork_of(&k, "live", "one");
    assert_int_equal(sosia_erase(k.s, NULL, kit_str("hush-twin"), kit_str("label"), on_receipt, &r), SOSIA_OK);
    const char *later = "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"later\"}]";
    do assert_int_equal(kit_get_in(&k, "one", SOSIA_GET_TWIN, "hush-twin", ""), SOSIA_OK);
    while (memmem(k.out.body.p, (size_t)k.out.body.n, "hush-hush", 9));
    assert_int_equal(kit_write_in(&k, "one", SOSIA_TWIN_PATCH, "hush-twin", "", later), SOSIA_OK);
    while (!atomic_load(&r.ended)) thread_sleep_ns(NS_PER_MS);
    assert_int_equal(r.err, SOSIA_OK);
    kit_close(&k);
    open_file(&k, path);
    assert_int_equal(kit_get_in(&k, "one", SOSIA_GET_TWIN, "hush-twin", ""), SOSIA_OK);
    assert_non_null(memmem(k.out.body.p, (size_t)k.out.body.n, "later", 5));
    kit_close(&k);
    kit_unlink(path);
}

// A replay that began before goes on behind the last batch it gave, with what there is now.
static void replay_lacks(SosiaFeed *f) {
    SosiaBatch b;
    SosiaErr err;
    int64_t batches = 0, last = 0;
    while ((err = sosia_feed_next(f, 10 * NS_PER_S, &b)) == SOSIA_OK && b.seq) {
        assert_true(b.time_ns > last);
        last = b.time_ns;
        batches++;
        for (int64_t i = 0; i < b.count; i++) {
            const SosiaChange *c = &b.changes[i];
            bool text = c->value.kind == SOSIA_TEXT || c->value.kind == SOSIA_JSON;
            assert_false(text && memmem(c->value.s.p, (size_t)c->value.s.n, "hush", 4));
            assert_false(!text && c->value.d == SECRET);
            assert_null(memmem(c->twin.p, (size_t)c->twin.n, "hush", 4));
        }
    }
    assert_int_equal(err, SOSIA_CLOSED);
    assert_true(batches > 30); // the neighbour's
    sosia_feed_close(f);
}

// What was read of the past before is not carried into the present behind the erasure.
static void test_nothing_is_carried(void **state) {
    (void)state;
    char path[64], name[32], past[80];
    int64_t at[8];
    Kit k;
    Receipt r = {.err = SOSIA_OK};
    SosiaFeed *f;
    SosiaBatch b;
    SosiaBuf world = {0};
    int forks = 0;
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    fill(&k, path, at);
    buf_printf(&world, "live@");
    time_print(at[0], 9, &world);
    snprintf(past, sizeof past, "%.*s", (int)world.n, world.p);
    sosia_buf_free(&world);
    SosiaReplay again = {.from_ns = INT64_C(1793520000000000000), .to_ns = at[1], .speed = 1};
    assert_int_equal(sosia_feed_replay(k.s, NULL, &again, &f), SOSIA_OK);
    assert_int_equal(sosia_feed_next(f, 10 * NS_PER_S, &b), SOSIA_OK);
    assert_int_equal(sosia_erase(k.s, NULL, kit_str("hush-twin"), kit_str(""), on_receipt, &r), SOSIA_OK);
    while (!atomic_load(&r.ended) && forks < 60) {
        snprintf(name, sizeof name, "f%d", forks);
        SosiaErr err = sosia_fork(k.s, NULL, kit_str(past), kit_str(name));
        assert_int_equal(err, SOSIA_OK); // it waits for the erasure
        forks++;
        (void)forks_tell(&k, name);
    }
    while (!atomic_load(&r.ended)) thread_sleep_ns(NS_PER_MS);
    assert_int_equal(r.err, SOSIA_OK);
    replay_lacks(f);
    for (int i = 0; i < forks; i++) {
        snprintf(name, sizeof name, "f%d", i);
        assert_false(forks_tell(&k, name));
    }
    kit_close(&k);
    kit_unlink(path);
}

// ---- a reader of the journal, answers to be continued -------------------------------------------------------------

// A cursor that has a piece of the journal in memory, and a question whose next page is kept.
static void test_readers(void **state) {
    (void)state;
    char path[64];
    int64_t at[8];
    Kit k;
    Receipt r;
    SosiaFeed *f;
    SosiaBatch b;
    SosiaAnswer first = {0}, next = {0};
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    fill(&k, path, at);
    kit_close(&k);
    open_file(&k, path); // nothing is in memory
    assert_int_equal(sosia_feed_open(k.s, NULL, kit_str(""), SOSIA_FEED_OLDEST, &f, NULL), SOSIA_OK);
    assert_int_equal(sosia_feed_next(f, 10 * NS_PER_S, &b), SOSIA_OK);
    assert_true(b.seq > 0);
    SosiaQuery q = {.text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 1};
    assert_int_equal(sosia_query(k.s, NULL, &q, &first), SOSIA_OK);
    assert_true(first.token[0]);
    assert_int_equal(erase(&k, "hush-twin", "", &r), SOSIA_OK);
    int seen = 0;
    while (sosia_feed_next(f, NS_PER_S, &b) == SOSIA_OK && b.seq) {
        seen++;
        for (int64_t i = 0; i < b.count; i++) {
            const SosiaChange *c = &b.changes[i];
            assert_true(c->value.kind != SOSIA_F64 || c->value.d != SECRET);
            assert_true(!c->twin.n || !memmem(c->twin.p, (size_t)c->twin.n, "hush", 4));
        }
    }
    assert_true(seen > 50);
    sosia_feed_close(f);
    q.token = kit_str(first.token);
    q.text = (SosiaStr){0};
    assert_int_equal(sosia_query(k.s, NULL, &q, &next), SOSIA_TOKEN);
    sosia_answer_free(&first);
    sosia_answer_free(&next);
    kit_close(&k);
    kit_unlink(path);
}

// ---- writing goes on ----------------------------------------------------------------------------------------------

typedef struct Writing {
    Kit k;
    _Atomic bool stop;
    int64_t count, longest_ns;
} Writing;

static void *write_on(void *arg) {
    Writing *w = arg;
    char body[120];
    while (!atomic_load(&w->stop)) {
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d.5}]", (int)w->count);
        int64_t begin = time_mono_ns();
        assert_int_equal(kit_write(&w->k, SOSIA_TWIN_PATCH, "neighbour", "", body), SOSIA_OK);
        int64_t took = time_mono_ns() - begin;
        if (took > w->longest_ns) w->longest_ns = took;
        w->count++;
    }
    return NULL;
}

// Whoever writes meanwhile waits for nothing, and what was written is there.
static void test_writing_goes_on(void **state) {
    (void)state;
    char path[64], last[40];
    int64_t at[8];
    Kit k;
    Receipt r;
    Thread thread = {0};
    kit_path(path);
    atomic_store(&test_clock, INT64_C(1793520000000000000));
    fill(&k, path, at);
    Writing w = {.k.s = k.s};
    assert_int_equal(thread_start(&thread, "writing", write_on, &w), ERR_OK);
    int64_t begin = time_mono_ns();
    assert_int_equal(erase(&k, "hush-twin", "", &r), SOSIA_OK);
    int64_t took = time_mono_ns() - begin;
    atomic_store(&w.stop, true);
    thread_join(&thread);
    print_message("erased in %.1f ms; %lld writes meanwhile, the longest took %.1f ms\n", (double)took / 1e6,
                  (long long)w.count, (double)w.longest_ns / 1e6);
    assert_true(w.count > 0);
    assert_true(w.longest_ns < 10 * NS_PER_S);
    snprintf(last, sizeof last, "\"temperature\":%d.5", (int)w.count - 1);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "neighbour", ""), last);
    kit_free(&w.k);
    file_lacks(&k, path, "hush");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "neighbour", ""), last);
    kit_close(&k);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_property),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_forks_in_the_file),
        cmocka_unit_test(test_forks_go_on),
        cmocka_unit_test(test_nothing_is_carried),
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_writing_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
