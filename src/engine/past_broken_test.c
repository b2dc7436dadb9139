// SPDX-License-Identifier: Apache-2.0
// A past that cannot be read: whichever block of history is damaged, and whichever read of the disk fails, every read,
// question and history of an instant answers as before or with an error. Never something else; and what the disk
// refused once is there the next time.
#include "engine/test_kit.h"
#include <sqlite3.h>
#include <stdatomic.h>
#include "base/rng.h"
#include "base/time.h"
#include "store/test_vfs.h"

#define START INT64_C(1793520000000000000) // 2026-11-01T08:00:00Z
#define PAST "live@2026-11-01T08:02:00Z"
#define ASKS 12
#define TEXT_BYTES 2000

static _Atomic int64_t clock_ns;

static int64_t test_now(void *ctx) {
    (void)ctx;
    return atomic_load(&clock_ns);
}

typedef struct Answer {
    SosiaErr err;
    char *text; // owned
} Answer;

static void open_plant(Kit *k, const char *path, const char *vfs) {
    atomic_fetch_add(&clock_ns, NS_PER_S);
    kit_open(k, &(SosiaOpen){.path = kit_str(path),
                             .vfs = vfs,
                             .now = test_now,
                             .tick_ns = -1,
                             .retain_interval_ns = -1,
                             .checkpoint_interval_ns = -1});
}

static void write_at(Kit *k, int second, SosiaOp op, const char *id, const char *sub, const char *body) {
    atomic_store(&clock_ns, START + second * NS_PER_S);
    kit_do(k, op, id, sub, body);
}

// Of no pattern, so that blocks take pages of the file.
static void long_text(char out[TEXT_BYTES + 1], int seed) {
    Rng rng = rng_make((uint64_t)seed, 1);
    for (int i = 0; i < TEXT_BYTES; i++) out[i] = (char)('A' + rng_below(&rng, 26));
    out[TEXT_BYTES] = 0;
}

// Values, a text, a relationship, a twin that goes; all of it changes after the instant.
static void make_plant(Kit *k) {
    char body[TEXT_BYTES + 200], text[TEXT_BYTES + 1];
    write_at(k, 0, SOSIA_MODELS_ADD, "", "", KIT_MODELS);
    for (int i = 0; i < 4; i++) {
        snprintf(body, sizeof body, "r%d", i);
        atomic_store(&clock_ns, START + (1 + i) * NS_PER_S);
        kit_room(k, body);
    }
    write_at(k, 10, SOSIA_LINK_PUT, "r0", "f", "{\"$targetId\":\"r1\",\"$relationshipName\":\"feeds\",\"flow\":1.5}");
    for (int i = 0; i < 20; i++) {
        long_text(text, i);
        snprintf(body, sizeof body,
                 "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d},{\"op\":\"add\",\"path\":\"/"
                 "label\",\"value\":\"%s\"}]",
                 i, text);
        write_at(k, 20 + i * 10, SOSIA_TWIN_PATCH, "r0", "", body);
    }
    write_at(k, 300, SOSIA_LINK_DELETE, "r0", "f", "");
    write_at(k, 301, SOSIA_TWIN_DELETE, "r3", "", "");
    write_at(k, 302, SOSIA_TWIN_PATCH, "r1", "", "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"late\"}]");
}

// ---- what is asked ------------------------------------------------------------------------------------------------

static Answer keep(SosiaErr err, SosiaBuf body) {
    char *text = malloc((size_t)body.n + 1);
    assert_non_null(text);
    if (!err && body.n) memcpy(text, body.p, (size_t)body.n);
    text[err ? 0 : body.n] = 0;
    return (Answer){err, text};
}

static Answer read_one(Kit *k, SosiaGet what, const char *id, const char *sub) {
    SosiaErr err = kit_get_in(k, PAST, what, id, sub);
    return keep(err, k->out.body);
}

static Answer question(Kit *k, const char *text) {
    SosiaAnswer a = {.rows = 0};
    SosiaQuery q = {.world = kit_str(PAST), .text = kit_str(text)};
    SosiaErr err = sosia_query(k->s, NULL, &q, &a);
    assert_true(err == 0 || a.message.n > 0);
    Answer out = keep(err, a.body);
    sosia_answer_free(&a);
    return out;
}

static Answer history(Kit *k, const char *fn) {
    SosiaHistory h = {.world = kit_str(PAST), .id = kit_str("r0"), .fn = kit_str(fn)};
    SosiaErr err = sosia_history(k->s, NULL, &h, &k->out);
    assert_true(err == 0 || k->out.message.n > 0);
    return keep(err, k->out.body);
}

static Answer ask(Kit *k, int i) {
    switch (i) {
    case 0: return read_one(k, SOSIA_GET_TWIN, "r0", "");
    case 1: return read_one(k, SOSIA_GET_TWIN, "r3", "");
    case 2: return read_one(k, SOSIA_GET_TWINS, "", "");
    case 3: return read_one(k, SOSIA_GET_LINK, "r0", "f");
    case 4: return read_one(k, SOSIA_GET_INCOMING, "r1", "");
    case 5: return read_one(k, SOSIA_GET_MODELS, "", "");
    case 6: return question(k, "SELECT T.$dtId, T.temperature, T.label FROM DIGITALTWINS T WHERE T.temperature > 3");
    case 7: return question(k, "SELECT R, B.$dtId FROM DIGITALTWINS A JOIN B RELATED A.feeds R WHERE A.$dtId = 'r0'");
    case 8: return question(k, "SELECT AVG(temperature, 1h) AS a, LAST(label, 30s) AS l FROM DIGITALTWINS");
    case 9: return question(k, "SELECT T.temperature, T.label FROM DIGITALTWINS T HISTORY FROM '2026-11-01T08:00:00Z'");
    case 10: return history(k, "");
    default: return history(k, "count,last");
    }
}

static void ask_all(Kit *k, Answer out[ASKS]) {
    for (int i = 0; i < ASKS; i++) out[i] = ask(k, i);
}

static void free_all(Answer a[ASKS]) {
    for (int i = 0; i < ASKS; i++) free(a[i].text);
}

// Each is what it was, or the error. Counts errors by question.
static void compare(const Answer good[ASKS], const Answer now[ASKS], SosiaErr broken, const char *when, int64_t at,
                    int errors[ASKS]) {
    for (int i = 0; i < ASKS; i++) {
        errors[i] += now[i].err == broken;
        if (now[i].err == broken || (now[i].err == good[i].err && !strcmp(now[i].text, good[i].text))) continue;
        fail_msg("%s %lld, question %d: %s %s\nnot %s", when, (long long)at, i, sosia_err_name(now[i].err), now[i].text,
                 good[i].text);
    }
}

// ---- blocks -------------------------------------------------------------------------------------------------------

static int64_t block_ids(sqlite3 *db, int64_t *ids, int64_t max) {
    sqlite3_stmt *st;
    int64_t n = 0;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT id FROM history WHERE size > 0", -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW && n < max) ids[n++] = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

// Turn a bit over in the middle of a block. Twice: as it was.
static void turn_bit(const char *path, int64_t id) {
    sqlite3 *db;
    sqlite3_blob *blob;
    unsigned char byte;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_blob_open(db, "main", "history", "bytes", id, 1, &blob), SQLITE_OK);
    int at = sqlite3_blob_bytes(blob) / 2;
    assert_int_equal(sqlite3_blob_read(blob, &byte, 1, at), SQLITE_OK);
    byte ^= 0x10;
    assert_int_equal(sqlite3_blob_write(blob, &byte, 1, at), SQLITE_OK);
    sqlite3_blob_close(blob);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t find_blocks(const char *path, int64_t *ids, int64_t max) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int64_t n = block_ids(db, ids, max);
    sqlite3_close(db);
    return n;
}

static void damaged_blocks(void **state) {
    (void)state;
    Kit k;
    Answer good[ASKS], now[ASKS];
    char path[64];
    int64_t ids[512];
    int errors[ASKS] = {0};
    kit_path(path);
    atomic_store(&clock_ns, START);
    open_plant(&k, path, NULL);
    make_plant(&k);
    kit_close(&k);
    open_plant(&k, path, NULL);
    ask_all(&k, good);
    kit_close(&k);
    for (int i = 0; i < ASKS; i++)
        if (good[i].err) fail_msg("question %d: %s", i, sosia_err_name(good[i].err));
    int64_t n = find_blocks(path, ids, 512);
    assert_in_range(n, 20, 511);
    for (int64_t i = 0; i < n; i++) {
        turn_bit(path, ids[i]);
        open_plant(&k, path, NULL);
        ask_all(&k, now);
        compare(good, now, SOSIA_CORRUPT, "block", ids[i], errors);
        free_all(now);
        kit_close(&k);
        turn_bit(path, ids[i]);
    }
    for (int i = 0; i < ASKS; i++) assert_true(errors[i] > 0); // each reads some block that matters
    free_all(good);
    kit_unlink(path);
}

// ---- reads that fail ------------------------------------------------------------------------------------------------

static void reads_that_fail(void **state) {
    (void)state;
    Kit k;
    Answer good[ASKS], now[ASKS];
    int errors[ASKS] = {0};
    TestVfs *disk = test_vfs_new("broken");
    atomic_store(&clock_ns, START);
    open_plant(&k, "plant.sosia", "broken");
    make_plant(&k);
    kit_close(&k);
    open_plant(&k, "plant.sosia", "broken");
    ask_all(&k, good);
    kit_close(&k);
    for (int64_t i = 0; i < 20; i++) { // one read, or all from one on
        int64_t at = 1 + i / 2;
        open_plant(&k, "plant.sosia", "broken");
        test_vfs_break(disk, TEST_FAULT_IO, TEST_READ, at, i % 2 ? 1000 : 1);
        ask_all(&k, now);
        test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
        compare(good, now, SOSIA_STORAGE, "read", at, errors);
        free_all(now);
        ask_all(&k, now); // the disk is well again
        int none[ASKS] = {0};
        compare(good, now, SOSIA_OK, "after read", at, none);
        free_all(now);
        kit_close(&k);
    }
    int all = 0;
    for (int i = 0; i < ASKS; i++) all += errors[i];
    assert_true(all > 3);
    free_all(good);
    test_vfs_free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_blocks),
        cmocka_unit_test(reads_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
