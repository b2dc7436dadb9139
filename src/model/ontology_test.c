// SPDX-License-Identifier: Apache-2.0
// Published model sets load whole and in parts, in any order, and unfold to the same models.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/time.h"
#include "model/schema.h"
#include "model/test_files.h"

typedef struct Set {
    Arena arena;
    Json *docs; // one per file
    int32_t count;
} Set;

static Set set_load(const char *dir, const char *suffix) {
    Set s = {0};
    arena_init(&s.arena, 0);
    FileList files = files_below(&s.arena, dir, suffix);
    s.docs = NEW(&s.arena, Json, files.count);
    s.count = files.count;
    for (int32_t i = 0; i < files.count; i++) {
        Err e = json_parse(file_text(&s.arena, files.paths[i].p), NULL, &s.arena, &s.docs[i], NULL);
        if (e != ERR_OK) fail_msg("%s is no JSON", files.paths[i].p);
    }
    return s;
}

static Schema *add(const Schema *base, Json *docs, int32_t count) {
    Diag d;
    diag_init(&d);
    Json all = {.type = JSON_ARRAY, .count = count, .items = docs};
    Schema *out = NULL;
    if (schema_add(base, &all, &out, &d) != ERR_OK) {
        Buf b = {0};
        diag_print(&d, &b);
        fail_msg("%lld complaints:\n%.*s", (long long)d.total, STR_ARG(buf_str(&b)));
    }
    diag_free(&d);
    return out;
}

static void check_same(const Schema *a, const Schema *b) {
    assert_int_equal(schema_count(a), schema_count(b));
    for (int32_t i = 0; i < schema_count(a); i++) {
        const Model *x = schema_at(a, i), *y = schema_find(b, x->id);
        assert_non_null(y);
        assert_int_equal(x->field_count, y->field_count);
        assert_int_equal(x->rel_count, y->rel_count);
        assert_int_equal(x->base_count, y->base_count);
        assert_true(str_eq(x->document, y->document));
        for (int32_t f = 0; f < x->field_count; f++) {
            assert_true(str_eq(x->fields[f].path, y->fields[f].path));
            assert_ptr_equal(model_field(y, x->fields[f].path), &y->fields[f]);
        }
        for (int32_t j = 0; j < x->rel_count; j++) assert_ptr_equal(model_rel(y, x->rels[j]->name), y->rels[j]);
        for (int32_t j = 0; j < x->base_count; j++) assert_true(model_is(y, x->bases[j]->id));
    }
}

// Documents whose dependencies are all stored, at most `most` of them, moved to the front of what is left.
static int32_t ready(const Schema *whole, const Schema *stored, Json *docs, int32_t count, int32_t most) {
    int32_t n = 0;
    for (int32_t i = 0; i < count && n < most; i++) {
        const Model *m = schema_find(whole, json_get(&docs[i], STR("@id"))->s);
        bool fine = true;
        for (int32_t j = 0; j < m->dependency_count; j++) fine &= schema_find(stored, m->dependencies[j]) != NULL;
        if (!fine) continue;
        Json x = docs[i];
        docs[i] = docs[n];
        docs[n++] = x;
    }
    return n;
}

static Schema *add_in_batches(const Schema *whole, Json *docs, int32_t count) {
    Schema *s = schema_new();
    for (int32_t at = 0; at < count;) {
        int32_t n = ready(whole, s, docs + at, count - at, 250);
        assert_int_not_equal(n, 0);
        Schema *next = add(s, docs + at, n);
        schema_unref(s);
        s = next;
        at += n;
    }
    return s;
}

// Remove every model, dependants first; a model still needed is refused.
static void remove_all(Schema *s) {
    int32_t left = schema_count(s);
    for (int32_t round = 0; left > 0 && round < 64; round++)
        for (int32_t i = 0; i < schema_count(s); i++) {
            const Model *m = schema_at(s, i);
            Schema *next;
            if (!m || schema_remove(s, m->id, &next, NULL) != ERR_OK) continue;
            schema_unref(s);
            s = next;
            left--;
        }
    assert_int_equal(left, 0);
    schema_unref(s);
}

static void check_set(const char *name, int32_t files, int32_t depth_at_least) {
    char dir[512];
    snprintf(dir, sizeof dir, "%s/dtdl-ontologies/%s", data_root(), name);
    if (!data_present(name, dir)) skip();
    Set set = set_load(dir, ".json");
    assert_int_equal(set.count, files);
    Schema *empty = schema_new();
    int64_t t0 = time_mono_ns();
    Schema *whole = add(empty, set.docs, set.count);
    double ms = (double)(time_mono_ns() - t0) / 1e6;
    int64_t fields = 0, deepest = 0;
    for (int32_t i = 0; i < schema_count(whole); i++) {
        fields += schema_at(whole, i)->field_count;
        if (schema_at(whole, i)->base_count > deepest) deepest = schema_at(whole, i)->base_count;
    }
    printf("%s: %d models in %.1f ms, %lld fields, up to %lld bases\n", name, schema_count(whole), ms,
           (long long)fields, (long long)deepest);
    assert_int_equal(schema_count(whole), files);
    assert_true(deepest >= depth_at_least);
    Schema *parts = add_in_batches(whole, set.docs, set.count);
    check_same(whole, parts);
    remove_all(parts);
    schema_unref(whole);
    schema_unref(empty);
    arena_free(&set.arena);
}

static void test_building(void **state) {
    (void)state;
    check_set("opendigitaltwins-building", 767, 3);
}

static void test_cities(void **state) {
    (void)state;
    check_set("opendigitaltwins-smartcities", 63, 1);
}

static void test_grid(void **state) {
    (void)state;
    check_set("opendigitaltwins-energygrid", 113, 3);
}

// Every complaint is about an interface that the sample does not hold.
static bool only_missing(const Diag *d) {
    for (int32_t i = 0; i < d->count; i++)
        if (str_find_str(d->messages[i].text, STR("[undefinedReference]")) < 0) return false;
    return d->total > 0;
}

// Device models of many vendors, dependencies first. What is refused at last is refused because of a dependency that
// the sample lacks, and for nothing else.
static void test_devices(void **state) {
    (void)state;
    char dir[512];
    snprintf(dir, sizeof dir, "%s/iot-plugandplay-models", data_root());
    if (!data_present("devices", dir)) skip();
    Set set = set_load(dir, ".json");
    assert_true(set.count > 50);
    Schema *s = schema_new();
    Diag d;
    diag_init(&d);
    int32_t left = set.count, before;
    do {
        before = left;
        left = 0;
        for (int32_t i = 0; i < set.count; i++) {
            Schema *next;
            if (set.docs[i].type == JSON_NULL) continue;
            diag_free(&d);
            diag_init(&d);
            if (schema_add(s, &set.docs[i], &next, &d) == ERR_OK) {
                schema_unref(s);
                s = next;
                set.docs[i].type = JSON_NULL;
            } else if (!only_missing(&d)) {
                Buf b = {0};
                diag_print(&d, &b);
                fail_msg("%.*s", STR_ARG(buf_str(&b)));
            } else {
                left++;
            }
        }
    } while (left < before);
    printf("devices: %d of %d accepted, %d lack a dependency\n", set.count - left, set.count, left);
    assert_true(set.count - left >= 50);
    diag_free(&d);
    schema_unref(s);
    arena_free(&set.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_building), cmocka_unit_test(test_cities),
                                       cmocka_unit_test(test_grid), cmocka_unit_test(test_devices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
