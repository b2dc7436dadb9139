// SPDX-License-Identifier: Apache-2.0
// Items through sosia.h: put, scan, remove, with a file and without one.
#include "engine/test_kit.h"
#include <pthread.h>
#include <stdatomic.h>

typedef struct Seen {
    char text[4096];
    int64_t count, stop_after;
} Seen;

static bool see(void *ctx, SosiaStr key, SosiaStr value) {
    Seen *s = ctx;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%.*s=%.*s;", (int)key.n, key.p, (int)value.n, value.p);
    return ++s->count != s->stop_after;
}

static void scan(Sosia *s, const char *kind, const char *after, int64_t limit, const char *want) {
    Seen seen = {.count = 0};
    assert_int_equal(sosia_items_scan(s, kit_str(kind), kit_str(after), limit, see, &seen), SOSIA_OK);
    assert_string_equal(seen.text, want);
}

static void put(Sosia *s, const char *kind, const char *key, const char *value) {
    SosiaItem it = {.kind = kit_str(kind), .key = kit_str(key), .value = kit_str(value), .remove = !value};
    assert_int_equal(sosia_items_put_wait(s, &it, 1), SOSIA_OK);
}

static void fill(Sosia *s) {
    put(s, "endpoint", "b", "2");
    put(s, "endpoint", "a", "1");
    put(s, "endpoint", "c", "");
    put(s, "endpoint", "aa", "x");
    put(s, "route", "a", "of another kind");
}

static void check(Sosia *s) {
    scan(s, "endpoint", "", 0, "a=1;aa=x;b=2;c=;");
    scan(s, "endpoint", "a", 0, "aa=x;b=2;c=;");
    scan(s, "endpoint", "a", 2, "aa=x;b=2;");
    scan(s, "endpoint", "c", 0, "");
    scan(s, "route", "", 0, "a=of another kind;");
    scan(s, "endpoin", "", 0, "");
    scan(s, "zzz", "", 0, "");
    Seen seen = {.stop_after = 2};
    assert_int_equal(sosia_items_scan(s, kit_str("endpoint"), kit_str(""), 0, see, &seen), SOSIA_OK);
    assert_string_equal(seen.text, "a=1;aa=x;");
}

static void change(Sosia *s) {
    SosiaItem items[] = {
        {.kind = kit_str("endpoint"), .key = kit_str("a"), .value = kit_str("new")},
        {.kind = kit_str("endpoint"), .key = kit_str("b"), .remove = true},
        {.kind = kit_str("endpoint"), .key = kit_str("never"), .remove = true},
        {.kind = kit_str("endpoint"), .key = kit_str("c"), .value = kit_str("once")},
        {.kind = kit_str("endpoint"), .key = kit_str("c"), .value = kit_str("twice")},
    };
    assert_int_equal(sosia_items_put_wait(s, items, 5), SOSIA_OK);
    scan(s, "endpoint", "", 0, "a=new;aa=x;c=twice;");
}

static void in_memory(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    fill(k.s);
    check(k.s);
    change(k.s);
    kit_close(&k);
}

// They are there after closing, and so is what removed them.
static void in_a_file(void **state) {
    (void)state;
    char path[64];
    kit_path(path);
    Kit k;
    SosiaOpen o = {.path = kit_str(path)};
    kit_open(&k, &o);
    fill(k.s);
    check(k.s);
    kit_close(&k);
    kit_open(&k, &o);
    check(k.s);
    change(k.s);
    kit_close(&k);
    kit_open(&k, &o);
    scan(k.s, "endpoint", "", 0, "a=new;aa=x;c=twice;");
    kit_close(&k);
    kit_unlink(path);
}

static void refuses(Sosia *s) {
    static char big[513];
    memset(big, 'k', sizeof big);
    SosiaStr ok = kit_str("ok"), most = {big, 512}, over = {big, 513};
    assert_int_equal(sosia_items_put_wait(s, &(SosiaItem){.kind = ok, .key = most}, 1), SOSIA_OK);
    assert_int_equal(sosia_items_put_wait(s, &(SosiaItem){.kind = most, .key = most}, 1), SOSIA_OK);
    assert_int_equal(sosia_items_put_wait(s, &(SosiaItem){.kind = ok, .key = over}, 1), SOSIA_ARGUMENT);
    assert_int_equal(sosia_items_put_wait(s, &(SosiaItem){.kind = over, .key = ok}, 1), SOSIA_ARGUMENT);
    assert_int_equal(sosia_items_put_wait(s, &(SosiaItem){.kind = ok}, 1), SOSIA_ARGUMENT);
    assert_int_equal(sosia_items_put_wait(s, &(SosiaItem){.key = ok}, 1), SOSIA_ARGUMENT);
    assert_int_equal(sosia_items_put_wait(s, NULL, 0), SOSIA_ARGUMENT);
    SosiaStr huge = {big, (16 << 20) + 1}; // refused before anything of it is read
    assert_int_equal(sosia_items_put_wait(s, &(SosiaItem){.kind = ok, .key = ok, .value = huge}, 1), SOSIA_ARGUMENT);
    assert_int_equal(sosia_items_scan(s, (SosiaStr){0}, ok, 0, see, NULL), SOSIA_ARGUMENT);
    assert_int_equal(sosia_items_scan(s, ok, ok, -1, see, NULL), SOSIA_ARGUMENT);
}

// One bad item: none of them is put.
static void limits(void **state) {
    (void)state;
    char path[64];
    kit_path(path);
    for (int file = 0; file < 2; file++) {
        Kit k;
        kit_open(&k, &(SosiaOpen){.path = kit_str(file ? path : "")});
        refuses(k.s);
        SosiaItem items[] = {{.kind = kit_str("x"), .key = kit_str("good")}, {.kind = kit_str("x")}};
        assert_int_equal(sosia_items_put_wait(k.s, items, 2), SOSIA_ARGUMENT);
        scan(k.s, "x", "", 0, "");
        kit_close(&k);
    }
    kit_unlink(path);
}

typedef struct Sizes {
    int64_t count, bytes;
    char last[16];
} Sizes;

static bool measure(void *ctx, SosiaStr key, SosiaStr value) {
    Sizes *z = ctx;
    char now[16] = "";
    memcpy(now, key.p, (size_t)key.n);
    assert_true(strcmp(now, z->last) > 0);
    memcpy(z->last, now, sizeof now);
    z->count++;
    z->bytes += value.n;
    return true;
}

// More than one slice of a scan, and values larger than a slice.
static void many_and_large(void **state) {
    (void)state;
    char path[64];
    kit_path(path);
    int64_t size = (1 << 20) + 17;
    char *text = malloc((size_t)size);
    assert_non_null(text);
    memset(text, 'v', (size_t)size);
    for (int file = 0; file < 2; file++) {
        Kit k;
        kit_open(&k, &(SosiaOpen){.path = kit_str(file ? path : "")});
        int64_t bytes = 0;
        for (int i = 0; i < 300; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%03d", i);
            int64_t n = i % 100 == 7 ? size : i * 40;
            SosiaItem it = {.kind = kit_str("dead"), .key = kit_str(key), .value = {text, n}};
            assert_int_equal(sosia_items_put(k.s, &it, 1, NULL, NULL), SOSIA_OK);
            bytes += n;
        }
        put(k.s, "dead", "last", "");
        Sizes z = {.count = 0};
        assert_int_equal(sosia_items_scan(k.s, kit_str("dead"), kit_str(""), 0, measure, &z), SOSIA_OK);
        assert_int_equal(z.count, 301);
        assert_int_equal(z.bytes, bytes);
        kit_close(&k);
    }
    free(text);
    kit_unlink(path);
}

// A callback that puts the next one, as a queue of work does; the engine closes behind the last.
typedef struct Chain {
    Sosia *s;
    atomic_int left, ended, refused;
} Chain;

static void chain_next(void *arg, const SosiaDone *done) {
    Chain *c = arg;
    atomic_fetch_add(&c->ended, 1);
    if (done->err || atomic_fetch_sub(&c->left, 1) <= 0) return;
    SosiaItem it = {.kind = kit_str("chain"), .key = kit_str("k"), .value = kit_str("v")};
    if (sosia_items_put(c->s, &it, 1, chain_next, c)) atomic_fetch_add(&c->refused, 1);
}

static void put_from_callback(void **state) {
    (void)state;
    char path[64];
    kit_path(path);
    for (int file = 0; file < 2; file++) {
        Kit k;
        kit_open(&k, &(SosiaOpen){.path = kit_str(file ? path : "")});
        Chain c = {.s = k.s, .left = 50};
        chain_next(&c, &(SosiaDone){0});
        kit_close(&k);
        // Every put that was taken ended; at most one came after the door was shut.
        assert_int_equal(c.ended + c.refused + c.left, 51 + (c.left < 0 ? c.left : 0));
        assert_true(c.refused <= 1);
    }
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),      cmocka_unit_test(in_a_file),         cmocka_unit_test(limits),
        cmocka_unit_test(many_and_large), cmocka_unit_test(put_from_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
