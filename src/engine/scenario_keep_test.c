// SPDX-License-Identifier: Apache-2.0
// Checkpoints of forks: a fork that is made again with them is, word for word, the one that its journals tell, whatever
// was cut, damaged or erased. A failure prints its seed.
// LABELS: threads
#include <stdatomic.h>
#include "base/rng.h"
#include "base/time.h"
#include "engine/pasts.h"
#include "engine/scenario_keep.h"
#include "engine/test_erase.h"
#include "sosia/file.h"
#include "store/test_vfs.h"
#include "world/core.h"

#define START INT64_C(1793520000000000000) // 2026-11-01T08:00:00Z
enum { TWINS = 24 };

static const char *const vfs_now = "keep";

static void open_disk(Kit *k) {
    kit_open(k, &(SosiaOpen){.path = kit_str("w.sosia"),
                             .vfs = vfs_now,
                             .now = test_now,
                             .tick_ns = -1,
                             .retain_interval_ns = -1,
                             .checkpoint_interval_ns = -1});
}

static void must_fork(Kit *k, const char *from, const char *name) {
    SosiaErr err = sosia_fork(k->s, NULL, kit_str(from), kit_str(name));
    if (err) fail_msg("%s of %s: %s", name, from, sosia_err_name(err));
}

static Realm *realm(Kit *k, const char *name) {
    Realm *r;
    assert_int_equal(realm_open(k->s, kit_str(name), &r), ERR_OK);
    return r;
}

static Err keep(Kit *k, const char *name) {
    Realm *r = realm(k, name);
    Err err = scenario_keep_now(k->s, r);
    realm_unref(r);
    return err;
}

static void must_keep(Kit *k, const char *name) {
    Err err = keep(k, name);
    if (err) fail_msg("checkpoint of %s: %s", name, err_name(err));
}

// ---- random edits -------------------------------------------------------------------------------------------------

static void edit(Kit *k, const char *world, Rng *r) {
    char id[32], sub[32], body[300];
    snprintf(id, sizeof id, "twin-%d", (int)rng_below(r, TWINS));
    snprintf(sub, sizeof sub, "link-%d", (int)rng_below(r, 3));
    switch (rng_below(r, 9)) {
    case 0:
        snprintf(body, sizeof body,
                 "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{},\"setPoint\":%d},"
                 "\"label\":\"a label that is longer than twelve %d\"}",
                 (int)rng_below(r, 30), (int)rng_below(r, 100));
        (void)kit_write_in(k, world, SOSIA_TWIN_PUT, id, "", body);
        break;
    case 1:
        snprintf(body, sizeof body, "{\"$relationshipName\":\"feeds\",\"$targetId\":\"twin-%d\",\"flow\":%d}",
                 (int)rng_below(r, TWINS), (int)rng_below(r, 50));
        (void)kit_write_in(k, world, SOSIA_LINK_PUT, id, sub, body);
        break;
    case 2: (void)kit_write_in(k, world, SOSIA_LINK_DELETE, id, sub, ""); break;
    case 3: (void)kit_write_in(k, world, SOSIA_TWIN_DELETE, id, "", ""); break;
    case 4:
        (void)kit_write_in(k, world, SOSIA_TWIN_PATCH, id, "", "[{\"op\":\"remove\",\"path\":\"/temperature\"}]");
        break;
    case 5:
        snprintf(body, sizeof body, "{\"id\":\"%s\",\"property\":\"count\",\"value\":%d,\"time\":%lld}", id,
                 (int)rng_below(r, 99), (long long)(atomic_load(&test_clock) / 1000000 - (int64_t)rng_below(r, 5000)));
        (void)kit_write_in(k, world, SOSIA_INGEST, "", "", body);
        break;
    default:
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d.5}]",
                 (int)rng_below(r, 100));
        (void)kit_write_in(k, world, SOSIA_TWIN_PATCH, id, "", body);
    }
    atomic_fetch_add(&test_clock, (int64_t)rng_below(r, 3000) * NS_PER_MS);
}

// The last one always does something.
static void edits(Kit *k, const char *world, Rng *r, int n) {
    for (int i = 1; i < n; i++) edit(k, world, r);
    if (n && kit_get_in(k, world, SOSIA_GET_TWIN, "counter", "")) {
        const char *twin = "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}";
        assert_int_equal(kit_write_in(k, world, SOSIA_TWIN_PUT, "counter", "", twin), SOSIA_OK);
    } else if (n) {
        char body[80];
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", (int)rng_below(r, 1 << 30));
        assert_int_equal(kit_write_in(k, world, SOSIA_TWIN_PATCH, "counter", "", body), SOSIA_OK);
    }
    atomic_fetch_add(&test_clock, NS_PER_S);
}

// ---- the same words -----------------------------------------------------------------------------------------------

// A row of an untimed vector; texts by what they say. What no trail tells of a twin's time is compared by what readers
// make of it.
static void same_row(View *a, View *b, uint32_t vec, VecShape shape, uint64_t row, const char *what) {
    const VecLayout *l = &vec_layout[shape];
    uint64_t x[8], y[8];
    view_words(a, vec, row, 0, l->words, x);
    view_words(b, vec, row, 0, l->words, y);
    if (vec == VECNO_HOT) x[HOT_TIME] = y[HOT_TIME] = 0;
    for (uint32_t i = 0; i < l->words; i++) {
        if (l->text_mask >> i & 1) {
            Text s = {{x[i], x[i + 1]}}, t = {{y[i], y[i + 1]}};
            if (!str_eq(text_str(&s), text_str(&t))) fail_msg("%s: text of vector %u, row %d", what, vec, (int)row);
            i++;
        } else if (x[i] != y[i]) {
            fail_msg("%s: word %u of vector %u, row %d: %llx and %llx", what, i, vec, (int)row,
                     (unsigned long long)x[i], (unsigned long long)y[i]);
        }
    }
}

static void same_cell(View *a, View *b, uint32_t vec, bool text, uint64_t row, const char *what) {
    CellView x = view_cell(a, vec, row), y = view_cell(b, vec, row);
    bool same = x.valid == y.valid && x.update_time == y.update_time && x.source_time == y.source_time;
    if (same && x.valid) same = text ? str_eq(text_str(&x.text), text_str(&y.text)) : x.bits == y.bits;
    if (!same) fail_msg("%s: cell of vector %u, row %d", what, vec, (int)row);
}

static void same_words(World *p, World *q, const char *what) {
    View a = view_writer(p), b = view_writer(q);
    assert_int_equal(world_seq(p), world_seq(q));
    assert_int_equal(world_time(p), world_time(q));
    assert_int_equal(a.catalog->next_vec, b.catalog->next_vec);
    uint64_t rows = view_meta(&a, META_ID_MAX) + 1;
    for (uint32_t vec = 0; vec < a.catalog->next_vec; vec++) {
        const Field *f = NULL;
        bool cells =
            vec >= VECNO_COLUMNS && (catalog_column(a.catalog, vec, &f) || catalog_link_column(a.catalog, vec, &f));
        VecShape shape = vec < VECNO_COLUMNS ? shape_of_vec(vec) : VEC_WORD;
        if (!cells && shape == VEC_SHAPE_COUNT) continue;
        uint64_t end = shape == VEC_SLOTS || vec < VECNO_HOT + 1 ? PAGE_ROWS * 2 : rows;
        for (uint64_t row = 0; row < end; row++) {
            if (cells) same_cell(&a, &b, vec, cell_is_text(f->cell), row, what);
            else same_row(&a, &b, vec, shape, row, what);
        }
    }
    for (uint64_t id = 1; id < rows; id++)
        assert_int_equal(view_twin_time(&a, (TwinId){id}), view_twin_time(&b, (TwinId){id}));
    assert_false(a.failed || b.failed);
}

// Made again with checkpoints, it is what its journals tell.
static void expect_replayed(Kit *k, const char *name, const char *what) {
    Realm *r = realm(k, name), *under;
    World *w;
    Err err = scenario_replay(k->s, r->scenario, &under, &w);
    if (err) fail_msg("%s: %s cannot be replayed: %s", what, name, err_name(err));
    same_words(r->world, w, what);
    world_free(w);
    if (under) realm_unref(under);
    realm_unref(r);
}

static int32_t keeps_of(Kit *k, const char *name) {
    Realm *r = realm(k, name);
    pthread_mutex_lock(&k->s->worlds_lock);
    int32_t n = r->scenario->keep_count;
    pthread_mutex_unlock(&k->s->worlds_lock);
    realm_unref(r);
    return n;
}

static int64_t batches_of(Kit *k, const char *name) {
    Realm *r = realm(k, name);
    int64_t n = atomic_load(&r->scenario->batches);
    realm_unref(r);
    return n;
}

static void reopen(Kit *k) {
    kit_close(k);
    open_disk(k);
}

// ---- equal --------------------------------------------------------------------------------------------------------

#define FORKS 5
static const char *const names[FORKS] = {"a", "b", "c", "of-a", "of-of-a"};

// Forks of the present, of the past, of nothing, of forks; edits, checkpoints and restarts as the seed says.
static void equal_to_the_journal(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        TestVfs *disk = test_vfs_new(vfs_now);
        Rng r = rng_make(seed, 0);
        Kit k;
        char what[40];
        snprintf(what, sizeof what, "seed %d", (int)seed);
        atomic_store(&test_clock, START);
        open_disk(&k);
        must_fork(&k, "live", "c"); // of nothing
        kit_models(&k);
        assert_int_equal(kit_write_in(&k, "c", SOSIA_MODELS_ADD, "", "", KIT_MODELS), SOSIA_OK);
        edits(&k, "", &r, 30);
        must_fork(&k, "live", "a");
        edits(&k, "", &r, 10);
        must_fork(&k, "live", "b");
        for (int round = 0; round < 40; round++) {
            const char *name = names[rng_below(&r, FORKS)];
            bool there = kit_get_in(&k, name, SOSIA_GET_MODELS, "", "") == SOSIA_OK;
            if (!there) must_fork(&k, str_eq(kit_str(name), STR("of-a")) ? "a" : "live", name);
            edits(&k, rng_below(&r, 4) ? name : "", &r, 1 + (int)rng_below(&r, 12));
            if (rng_below(&r, 3) == 0) must_keep(&k, name);
            if (rng_below(&r, 8) == 0) reopen(&k);
            if (rng_below(&r, 4) == 0) expect_replayed(&k, name, what);
        }
        int64_t batches[FORKS];
        for (int i = 0; i < FORKS; i++) {
            if (kit_get_in(&k, names[i], SOSIA_GET_MODELS, "", "")) must_fork(&k, "live", names[i]);
            edits(&k, names[i], &r, 5);
            batches[i] = batches_of(&k, names[i]);
        }
        reopen(&k);
        for (int i = 0; i < FORKS; i++) {
            expect_replayed(&k, names[i], what);
            assert_int_equal(batches_of(&k, names[i]), batches[i]);
        }
        kit_close(&k);
        test_vfs_free(disk);
    }
}

// Models made in a fork are in its checkpoint; later ones in the journal behind it.
static void models_of_its_own(void **state) {
    (void)state;
    static const char *const more =
        "[{\"@id\":\"dtmi:test:More;%d\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
        "{\"@type\":\"Property\",\"name\":\"x\",\"schema\":\"double\"}]}]";
    TestVfs *disk = test_vfs_new(vfs_now);
    char body[400];
    Kit k;
    atomic_store(&test_clock, START);
    open_disk(&k);
    kit_models(&k);
    kit_room(&k, "t");
    must_fork(&k, "live", "f");
    for (int i = 1; i <= 2; i++) {
        snprintf(body, sizeof body, more, i);
        assert_int_equal(kit_write_in(&k, "f", SOSIA_MODELS_ADD, "", "", body), SOSIA_OK);
        snprintf(body, sizeof body, "{\"$metadata\":{\"$model\":\"dtmi:test:More;%d\"},\"x\":%d}", i, i);
        assert_int_equal(kit_write_in(&k, "f", SOSIA_TWIN_PUT, i == 1 ? "m1" : "m2", "", body), SOSIA_OK);
        if (i == 1) must_keep(&k, "f");
    }
    char *before = kit_dump(&k, "f");
    reopen(&k);
    assert_int_equal(keeps_of(&k, "f"), 1);
    char *after = kit_dump(&k, "f");
    assert_string_equal(before, after);
    expect_replayed(&k, "f", "models");
    free(before);
    free(after);
    kit_close(&k);
    test_vfs_free(disk);
}

// ---- crashes ------------------------------------------------------------------------------------------------------

static int64_t items_of(Kit *k, SosiaStr kind);

static bool count_item(void *ctx, SosiaStr key, SosiaStr value) {
    (void)key, (void)value;
    ++*(int64_t *)ctx;
    return true;
}

static int64_t items_of(Kit *k, SosiaStr kind) {
    int64_t n = 0;
    assert_int_equal(sosia_items_scan(k->s, kind, (SosiaStr){0}, 0, count_item, &n), SOSIA_OK);
    return n;
}

// What is left of a checkpoint that was cut short goes when the file is opened.
static void expect_heads_and_parts(Kit *k, int64_t heads) {
    int64_t parts = -1;
    for (int i = 0; i < 20000 && (items_of(k, KEEP_KIND) != heads || (parts = items_of(k, KEEP_PART_KIND)) != heads);
         i++)
        thread_sleep_ns(NS_PER_MS);
    assert_int_equal(items_of(k, KEEP_KIND), heads);
    assert_int_equal(parts, heads); // these are small: a part each
}

// The power goes at each change of the file while a second checkpoint takes the place of the first.
static void power_is_cut_at_every_step(void **state) {
    (void)state;
    int64_t steps = 1;
    int cut = 0;
    for (int64_t at = 1; at <= steps; at++) {
        TestVfs *disk = test_vfs_new(vfs_now);
        Rng r = rng_make(7, 0);
        Kit k;
        atomic_store(&test_clock, START);
        open_disk(&k);
        kit_models(&k);
        edits(&k, "", &r, 20);
        must_fork(&k, "live", "f");
        edits(&k, "f", &r, 20);
        must_keep(&k, "f");
        edits(&k, "f", &r, 20);
        char *want = kit_dump(&k, "f");
        test_vfs_break(disk, at == 1 ? TEST_FAULT_NONE : TEST_FAULT_POWER, TEST_CHANGE, at - 1, 1);
        Err err = keep(&k, "f");
        if (at == 1) steps = test_vfs_count(disk) + 1;
        if (at == 1) assert_int_equal(err, ERR_OK);
        cut += err != ERR_OK;
        kit_close(&k);
        test_vfs_power_on(disk, (uint64_t)at);
        open_disk(&k);
        char *got = kit_dump(&k, "f");
        if (strcmp(got, want) != 0) fail_msg("cut at change %d: another world", (int)at - 1);
        expect_replayed(&k, "f", "after the cut");
        expect_heads_and_parts(&k, 1);
        free(got);
        free(want);
        kit_close(&k);
        test_vfs_free(disk);
    }
    print_message("%d changes of the file, %d cuts were seen\n", (int)steps - 1, cut);
    assert_true(steps > 6 && cut > 3);
}

// A full disk refuses a checkpoint and nothing else; there is one when there is room again.
static void full_disk(void **state) {
    (void)state;
    TestVfs *disk = test_vfs_new(vfs_now);
    Rng r = rng_make(3, 0);
    Kit k;
    atomic_store(&test_clock, START);
    open_disk(&k);
    kit_models(&k);
    edits(&k, "", &r, 40);
    must_fork(&k, "live", "f");
    edits(&k, "f", &r, 40);
    test_vfs_room(disk, test_vfs_used(disk) + 4096);
    assert_int_not_equal(keep(&k, "f"), ERR_OK);
    assert_int_equal(keeps_of(&k, "f"), 0);
    test_vfs_room(disk, 0);
    edits(&k, "f", &r, 5);
    must_keep(&k, "f");
    reopen(&k);
    assert_int_equal(keeps_of(&k, "f"), 1);
    expect_replayed(&k, "f", "full disk");
    kit_close(&k);
    test_vfs_free(disk);
}

// ---- damage, erasing, dropping --------------------------------------------------------------------------------------

// A part that is not what was written is not believed: the journal tells.
static void damage_is_passed_over(void **state) {
    (void)state;
    TestVfs *disk = test_vfs_new(vfs_now);
    Rng r = rng_make(4, 0);
    Kit k;
    Buf key = {0}, head = {0}, part = {0}, value = {0};
    atomic_store(&test_clock, START);
    open_disk(&k);
    kit_models(&k);
    edits(&k, "", &r, 20);
    must_fork(&k, "live", "f");
    edits(&k, "f", &r, 30);
    must_keep(&k, "f");
    char *want = kit_dump(&k, "f");
    StoreKeep x;
    assert_true(scenario_kept(k.s, 1, UINT64_MAX, &x));
    keep_encode(&x, &key, &head);
    keep_part_key(&x, 0, &part);
    buf_printf(&value, "these are no pages");
    SosiaItem bad = {.kind = KEEP_PART_KIND, .key = buf_str(&part), .value = buf_str(&value)};
    assert_int_equal(sosia_items_put_wait(k.s, &bad, 1), SOSIA_OK);
    for (int round = 0; round < 2; round++) {
        reopen(&k);
        char *got = kit_dump(&k, "f");
        assert_string_equal(got, want);
        free(got);
        edits(&k, "f", &r, 0);
        bad.remove = true; // and one that is missing
        assert_int_equal(sosia_items_put_wait(k.s, &bad, 1), SOSIA_OK);
    }
    free(want);
    buf_free(&key);
    buf_free(&head);
    buf_free(&part);
    buf_free(&value);
    kit_close(&k);
    test_vfs_free(disk);
}

typedef struct Looking {
    StoreKeep keep;
    uint32_t part;
    int64_t pages;
} Looking;

static Err look_page(void *ctx, uint32_t vec, uint64_t page_no, Str bytes) {
    (void)vec, (void)page_no;
    assert_null(memmem(bytes.p, (size_t)bytes.n, "a very secret label", 19));
    ((Looking *)ctx)->pages++;
    return ERR_OK;
}

static bool look_part(void *ctx, SosiaStr key, SosiaStr value) {
    Looking *x = ctx;
    Zip z = {0};
    (void)key;
    assert_int_equal(keep_unpack(&z, &x->keep, x->part++, value, look_page, x), ERR_OK);
    zip_free(&z);
    return true;
}

// Nothing that was erased is in a checkpoint, and none is left that was made before.
static void erased(void **state) {
    (void)state;
    TestVfs *disk = test_vfs_new(vfs_now);
    Rng r = rng_make(5, 0);
    Kit k;
    Receipt receipt;
    atomic_store(&test_clock, START);
    open_disk(&k);
    kit_models(&k);
    kit_room(&k, "person");
    kit_do(&k, SOSIA_TWIN_PATCH, "person", "",
           "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"a very secret label\"}]");
    must_fork(&k, "live", "f");
    edits(&k, "f", &r, 30);
    must_keep(&k, "f");
    must_fork(&k, "f", "g");
    edits(&k, "g", &r, 10);
    must_keep(&k, "g");
    reopen(&k); // nobody looks at them
    assert_int_equal(items_of(&k, KEEP_KIND), 2);
    assert_int_equal(erase(&k, "person", "", &receipt), SOSIA_OK);
    assert_int_equal(items_of(&k, KEEP_KIND), 0);
    assert_int_equal(items_of(&k, KEEP_PART_KIND), 0);
    edits(&k, "f", &r, 10);
    must_keep(&k, "f");
    Looking look = {0};
    assert_true(scenario_kept(k.s, 1, UINT64_MAX, &look.keep));
    assert_int_equal(sosia_items_scan(k.s, KEEP_PART_KIND, (SosiaStr){0}, 0, look_part, &look), SOSIA_OK);
    assert_true(look.pages > 3);
    reopen(&k);
    // What was erased leaves its places in the index of names of what is replayed: the same is told, not word for word.
    char *kept[2];
    for (int i = 0; i < 2; i++) {
        kept[i] = kit_dump(&k, i ? "g" : "f");
        kit_lacks(kept[i], "secret");
    }
    assert_int_equal(scenario_keeps_forget(k.s), ERR_OK);
    reopen(&k);
    for (int i = 0; i < 2; i++) {
        char *replayed = kit_dump(&k, i ? "g" : "f");
        assert_string_equal(kept[i], replayed);
        free(replayed);
        free(kept[i]);
    }
    kit_close(&k);
    test_vfs_free(disk);
}

// A child begins with a checkpoint of its parent, however far that has gone since; there are at most so many.
static void children(void **state) {
    (void)state;
    TestVfs *disk = test_vfs_new(vfs_now);
    Rng r = rng_make(6, 0);
    Kit k;
    char name[24];
    atomic_store(&test_clock, START);
    open_disk(&k);
    kit_models(&k);
    edits(&k, "", &r, 20);
    must_fork(&k, "live", "p");
    for (int i = 0; i < SCENARIO_KEEPS_MAX + 3; i++) {
        edits(&k, "p", &r, 6);
        must_keep(&k, "p");
        if (i % 2 == 0) continue;
        snprintf(name, sizeof name, "child-%d", i);
        must_fork(&k, "p", name);
        edits(&k, name, &r, 3);
        assert_true(keeps_of(&k, "p") <= SCENARIO_KEEPS_MAX);
    }
    assert_int_equal(keeps_of(&k, "p"), 6); // the newest, and one for each child
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("child-1")), SOSIA_OK);
    edits(&k, "p", &r, 3);
    must_keep(&k, "p");
    assert_int_equal(keeps_of(&k, "p"), 5);
    reopen(&k);
    for (int i = 3; i < SCENARIO_KEEPS_MAX + 3; i += 2) {
        snprintf(name, sizeof name, "child-%d", i);
        expect_replayed(&k, name, name);
        SosiaDiff d = {.world = kit_str(name)};
        assert_int_equal(sosia_diff(k.s, NULL, &d, &k.out), SOSIA_OK);
        assert_int_equal(sosia_drop(k.s, NULL, kit_str(name)), SOSIA_OK);
    }
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("p")), SOSIA_OK);
    expect_heads_and_parts(&k, 0);
    must_fork(&k, "live", "q"); // has a number of its own
    assert_int_equal(keeps_of(&k, "q"), 0);
    kit_close(&k);
    test_vfs_free(disk);
}

// ---- by itself ----------------------------------------------------------------------------------------------------

static void write_much(Kit *k, const char *world, int n) {
    static char body[20000];
    for (int i = 0; i < n; i++) {
        int at = snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"%d ", i);
        memset(body + at, 'x', 16000);
        memcpy(body + at + 16000, "\"}]", 4);
        assert_int_equal(kit_write_in(k, world, SOSIA_TWIN_PATCH, "t", "", body), SOSIA_OK);
    }
}

// When its journal has become long there is one, made in the background, and `describe` tells how large it is before it
// is made again.
static void made_by_itself(void **state) {
    (void)state;
    TestVfs *disk = test_vfs_new(vfs_now);
    Kit k;
    atomic_store(&test_clock, START);
    open_disk(&k);
    kit_models(&k);
    kit_room(&k, "t");
    must_fork(&k, "live", "f");
    must_fork(&k, "live", "small");
    write_much(&k, "f", (int)(KEEP_JOURNAL_BYTES / 16000) + 2);
    write_much(&k, "small", 3);
    for (int i = 0; i < 20000 && !keeps_of(&k, "f"); i++) thread_sleep_ns(NS_PER_MS);
    assert_int_equal(keeps_of(&k, "f"), 1);
    assert_int_equal(keeps_of(&k, "small"), 0);
    reopen(&k);
    assert_int_equal(kit_get_in(&k, "", SOSIA_GET_WORLDS, "", ""), SOSIA_OK);
    char *list = strdup(kit_body(&k));
    assert_int_equal(kit_count(list, "\"loaded\":false"), 2);
    assert_int_equal(kit_count(list, "\"ownPages\":"), 2);
    kit_lacks(list, "\"ownPages\":0");
    kit_has(list, "\"batches\":3,");
    free(list);
    expect_replayed(&k, "f", "by itself");
    kit_close(&k);
    test_vfs_free(disk);
}

// ---- files --------------------------------------------------------------------------------------------------------

static void on_finding(void *ctx, SosiaStr where, SosiaStr what) {
    (void)where;
    if (memmem(what.p, (size_t)what.n, "checkpoint", 10)) ++*(int *)ctx;
}

static int findings_of(const char *path, int64_t *blocks) {
    int n = 0;
    SosiaBuf why = {0};
    SosiaChecked out;
    SosiaCheck c = {.file = kit_str(path), .finding = on_finding, .ctx = &n};
    assert_int_equal(sosia_check(&c, &out, &why), SOSIA_OK);
    assert_int_equal(out.findings, n); // nothing else is wrong
    *blocks = out.blocks;
    sosia_buf_free(&why);
    return n;
}

// A check looks into checkpoints, and a copy of the file has them.
static void checked_and_copied(void **state) {
    (void)state;
    char dir[] = "/tmp/sosia-test-XXXXXX", path[64], copy[64];
    Rng r = rng_make(8, 0);
    Kit k;
    Buf part = {0};
    StoreKeep x;
    int64_t with, without;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/w.sosia", dir);
    snprintf(copy, sizeof copy, "%s/copy.sosia", dir);
    atomic_store(&test_clock, START);
    SosiaOpen open = {.path = kit_str(path), .now = test_now, .tick_ns = -1, .checkpoint_interval_ns = -1};
    kit_open(&k, &open);
    kit_models(&k);
    edits(&k, "", &r, 20);
    must_fork(&k, "live", "f");
    edits(&k, "f", &r, 20);
    kit_close(&k);
    assert_int_equal(findings_of(path, &without), 0);
    kit_open(&k, &open);
    must_keep(&k, "f");
    kit_close(&k);
    assert_int_equal(findings_of(path, &with), 0);
    assert_true(with > without + 3);
    assert_int_equal(sosia_backup(&(SosiaBackup){.from = kit_str(path), .to = kit_str(copy)}, NULL), SOSIA_OK);
    kit_open(&k, &open);
    assert_true(scenario_kept(k.s, 1, UINT64_MAX, &x));
    keep_part_key(&x, 0, &part);
    SosiaItem bad = {.kind = KEEP_PART_KIND, .key = buf_str(&part), .value = STR("no pages at all")};
    assert_int_equal(sosia_items_put_wait(k.s, &bad, 1), SOSIA_OK);
    kit_close(&k);
    assert_int_equal(findings_of(path, &with), 1);
    kit_open(&k, &open);
    bad.remove = true;
    assert_int_equal(sosia_items_put_wait(k.s, &bad, 1), SOSIA_OK);
    kit_close(&k);
    assert_int_equal(findings_of(path, &with), 1);
    open.path = kit_str(copy);
    kit_open(&k, &open);
    assert_int_equal(keeps_of(&k, "f"), 1);
    expect_replayed(&k, "f", "a copy");
    kit_close(&k);
    buf_free(&part);
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_to_the_journal),
        cmocka_unit_test(models_of_its_own),
        cmocka_unit_test(power_is_cut_at_every_step),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(damage_is_passed_over),
        cmocka_unit_test(erased),
        cmocka_unit_test(children),
        cmocka_unit_test(made_by_itself),
        cmocka_unit_test(checked_and_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
