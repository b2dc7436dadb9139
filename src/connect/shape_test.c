// SPDX-License-Identifier: Apache-2.0
// Shapes: models made of what sources send, the same ones after a restart, whatever names fields have.
#include "connect/shape.h"
#include "base/check.h"
#include "base/thread.h"
#include "engine/test_kit.h"

typedef struct Fixture {
    Kit k;
    Shapes *s;
    Arena a;
    Buf why;
} Fixture;

static void fixture_open(Fixture *f, const char *path) {
    memset(f, 0, sizeof *f);
    kit_open(&f->k, &(SosiaOpen){.path = kit_str(path)});
    f->s = shapes_new(f->k.s);
    arena_init(&f->a, 0);
}

static void fixture_close(Fixture *f) {
    shapes_free(f->s);
    arena_free(&f->a);
    buf_free(&f->why);
    kit_close(&f->k);
}

// As after a restart: nothing is known but what the models say.
static void fixture_forget(Fixture *f) {
    shapes_free(f->s);
    f->s = shapes_new(f->k.s);
}

static Str shape(Fixture *f, const char *kind, ShapeField *fields, int32_t n) {
    Str model = {0};
    assert_int_equal(shape_of(f->s, STR("line"), kit_str(kind), (Str){0}, fields, n, &f->a, &model), ERR_OK);
    return model;
}

static ShapeField field(const char *name, const char *schema) {
    return (ShapeField){.name = kit_str(name), .schema = kit_str(schema)};
}

static void is(Str got, const char *want) {
    if (!str_eq(got, kit_str(want))) fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(got), want);
}

// Relationships and documents, as Sparkplug births need them, are found again after a restart.
static void test_relationships_and_documents(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    static const char doc[] = "{\"@type\":\"Object\",\"fields\":[{\"name\":\"rpm\",\"schema\":\"integer\"}]}";
    ShapeField a[] = {field("contains", "Relationship"), field("Pump 1", doc)};
    is(shape(&f, "node", a, 2), "dtmi:sosia:line:node;1");
    is(a[1].property, "Pump_1");
    fixture_forget(&f);
    is(shape(&f, "node", a, 2), "dtmi:sosia:line:node;1");
    ShapeField b[] = {field("Pump 1", "{\"@type\":\"Array\",\"elementSchema\":\"double\"}")};
    is(shape(&f, "node", b, 1), "dtmi:sosia:line:node;2");
    is(b[0].property, "Pump_1_document");
    fixture_close(&f);
}

static void test_versions(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    ShapeField a[] = {field("usage", "double"), field("host", "string")};
    is(shape(&f, "cpu", a, 2), "dtmi:sosia:line:cpu;1");
    is(a[0].property, "usage");
    ShapeField b[] = {field("usage", "double"), field("idle", "double")};
    is(shape(&f, "cpu", b, 2), "dtmi:sosia:line:cpu;2");
    ShapeField c[] = {field("level", "double")};
    is(shape(&f, "cpu", c, 1), "dtmi:sosia:line:cpu;3");
    is(shape(&f, "cpu", b, 2), "dtmi:sosia:line:cpu;2"); // the least that has them
    is(shape(&f, "cpu", a, 2), "dtmi:sosia:line:cpu;1");
    fixture_forget(&f);
    is(shape(&f, "cpu", c, 1), "dtmi:sosia:line:cpu;3");
    is(shape(&f, "cpu", b, 2), "dtmi:sosia:line:cpu;2");
    kit_read(&f.k, &(SosiaRead){.what = SOSIA_GET_MODEL, .id = kit_str("dtmi:sosia:line:cpu;3"), .definition = true});
    const char *doc = kit_body(&f.k);
    kit_has(doc, "\"extends\":\"dtmi:sosia:line:cpu;1\"");
    kit_has(doc, "\"name\":\"idle\""); // of version 2
    kit_lacks(doc, "\"name\":\"usage\"");
    fixture_close(&f);
}

// A field that changes its type has one property a type.
static void test_types(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    ShapeField a[] = {field("level", "double")}, b[] = {field("level", "string")};
    ShapeField c[] = {field("level_string", "long")};
    shape(&f, "tank", a, 1);
    shape(&f, "tank", b, 1);
    shape(&f, "tank", c, 1);
    is(b[0].property, "level_string");
    is(c[0].property, "level_string_2");
    fixture_forget(&f);
    ShapeField again[] = {field("level_string", "long"), field("level", "string"), field("level", "double")};
    is(shape(&f, "tank", again, 3), "dtmi:sosia:line:tank;3");
    is(again[0].property, "level_string_2");
    is(again[1].property, "level_string");
    is(again[2].property, "level");
    fixture_close(&f);
}

// Names that DTDL does not allow become ones that it allows, each its own.
static void test_names(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    static const struct {
        const char *text, *name;
    } all[] = {{"Inputs/A", "Inputs_A"},   {"Inputs A", "Inputs_A_2"},
               {"Inputs_A", "Inputs_A_3"}, {"_x_", "x"},
               {"9 lives", "n9_lives"},    {"\xc3\xa9t\xc3\xa9", "t"},
               {"%", "unnamed"},           {"a__b", "a__b"},
               {"a - b", "a_b"},           {"\"q\"\\", "q"}};
    enum { N = sizeof all / sizeof *all };
    ShapeField fields[N];
    for (int i = 0; i < N; i++) fields[i] = field(all[i].text, "double");
    is(shape(&f, "a/b", fields, N), "dtmi:sosia:line:a_b;1");
    for (int i = 0; i < N; i++) is(fields[i].property, all[i].name);
    is(shape(&f, "a b", fields, 1), "dtmi:sosia:line:a_b_2;1"); // another kind of the same name
    char wide[301];
    memset(wide, 'w', 300);
    wide[300] = 0;
    ShapeField w[] = {field(wide, "double")};
    shape(&f, "wide", w, 1);
    assert_true(w[0].property.n <= 64);
    fixture_forget(&f);
    is(shape(&f, "a b", fields, 1), "dtmi:sosia:line:a_b_2;1");
    is(shape(&f, "a/b", fields, N), "dtmi:sosia:line:a_b;1");
    for (int i = 0; i < N; i++) is(fields[i].property, all[i].name);
    fixture_close(&f);
}

// Someone else's model of that name is left alone.
static void test_foreign_model(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    kit_do(&f.k, SOSIA_MODELS_ADD, "", "",
           "[{\"@id\":\"dtmi:sosia:line:cpu;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\"}]");
    ShapeField a[] = {field("usage", "double")};
    is(shape(&f, "cpu", a, 1), "dtmi:sosia:line:cpu_2;1");
    fixture_close(&f);
}

static void test_limits(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    enum { N = SHAPE_FIELDS_MAX };
    ShapeField *all = NEW(&f.a, ShapeField, N + 1);
    for (int i = 0; i <= N; i++)
        all[i] = (ShapeField){.name = arena_printf(&f.a, "field %d", i), .schema = STR("double")};
    Str model;
    assert_int_equal(shape_of(f.s, STR("line"), STR("big"), (Str){0}, all, N + 1, &f.a, &model), ERR_LIMIT);
    is(shape(&f, "big", all, N), "dtmi:sosia:line:big;1");
    assert_int_equal(shape_of(f.s, STR("line"), STR("big"), (Str){0}, all + N, 1, &f.a, &model), ERR_LIMIT);
    for (int i = 0; i < SHAPE_VERSIONS_MAX; i++) shape(&f, "slow", all + i, 1);
    assert_int_equal(shape_of(f.s, STR("line"), STR("slow"), (Str){0}, all + SHAPE_VERSIONS_MAX, 1, &f.a, &model),
                     ERR_LIMIT);
    ShapeField odd[] = {field("", "double")}, raw[] = {field("\xff", "double")};
    assert_int_equal(shape_of(f.s, STR("line"), STR("odd"), (Str){0}, odd, 1, &f.a, &model), ERR_ARGUMENT);
    assert_int_equal(shape_of(f.s, STR("line"), STR("odd"), (Str){0}, raw, 1, &f.a, &model), ERR_ARGUMENT);
    assert_int_equal(shape_of(f.s, STR("line"), (Str){0}, (Str){0}, all, 1, &f.a, &model), ERR_ARGUMENT);
    raw[0].name = (Str){arena_alloc(&f.a, 1, SHAPE_TEXT_MAX + 1, 1), SHAPE_TEXT_MAX + 1};
    assert_int_equal(shape_of(f.s, STR("line"), STR("odd"), (Str){0}, raw, 1, &f.a, &model), ERR_LIMIT);
    fixture_close(&f);
}

static void test_twins(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    ShapeField a[] = {field("usage", "double")}, b[] = {field("idle", "double")};
    Str one = shape(&f, "cpu", a, 1), two = shape(&f, "cpu", b, 1);
    assert_int_equal(shape_twin(f.s, (Str){0}, STR("c1"), one, &f.why), ERR_OK);
    kit_do(&f.k, SOSIA_TWIN_PATCH, "c1", "", "[{\"op\":\"add\",\"path\":\"/usage\",\"value\":5}]");
    assert_int_equal(shape_twin(f.s, (Str){0}, STR("c1"), two, &f.why), ERR_OK);
    kit_has(kit_get(&f.k, SOSIA_GET_TWIN, "c1", ""), "dtmi:sosia:line:cpu;2");
    kit_has(kit_get(&f.k, SOSIA_GET_TWIN, "c1", ""), "\"usage\":5");
    assert_int_equal(shape_twin(f.s, (Str){0}, STR("c1"), one, &f.why), ERR_OK); // stays
    kit_has(kit_get(&f.k, SOSIA_GET_TWIN, "c1", ""), "dtmi:sosia:line:cpu;2");
    Str tank = shape(&f, "tank", a, 1);
    assert_int_equal(shape_twin(f.s, (Str){0}, STR("c1"), tank, &f.why), ERR_VALIDATION);
    kit_has(kit_keep(&f.k, buf_str(&f.why)), "cpu;2");
    fixture_close(&f);
}

// A model that someone removed is made again once that was noticed.
static void test_removed(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    ShapeField a[] = {field("usage", "double")};
    Str one = shape(&f, "cpu", a, 1);
    kit_do(&f.k, SOSIA_MODEL_DELETE, "dtmi:sosia:line:cpu;1", "", "");
    assert_int_not_equal(shape_twin(f.s, (Str){0}, STR("c1"), one, &f.why), ERR_OK);
    is(shape(&f, "cpu", a, 1), "dtmi:sosia:line:cpu;1");
    assert_int_equal(shape_twin(f.s, (Str){0}, STR("c1"), one, &f.why), ERR_OK);
    fixture_close(&f);
}

#define CHECK_OK(e) CHECK((e) == ERR_OK)
static void *many_shapes(void *arg) {
    Fixture *f = arg;
    Arena a;
    arena_init(&a, 0);
    for (int i = 0; i < 40; i++) {
        ShapeField x[] = {{.name = arena_printf(&a, "f%d", i), .schema = STR("double")}};
        Str model;
        CHECK_OK(shape_of(f->s, STR("line"), STR("cpu"), (Str){0}, x, 1, &a, &model));
        Str twin = arena_printf(&a, "t%d", i % 7);
        Buf why = {0};
        CHECK_OK(shape_twin(f->s, (Str){0}, twin, model, &why));
        buf_free(&why);
    }
    arena_free(&a);
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, "");
    Thread t[3] = {0};
    for (int i = 0; i < 3; i++) assert_int_equal(thread_start(&t[i], "shape", many_shapes, &f), ERR_OK);
    for (int i = 0; i < 3; i++) thread_join(&t[i]);
    ShapeField last[] = {field("f39", "double")};
    is(shape(&f, "cpu", last, 1), "dtmi:sosia:line:cpu;40");
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),      cmocka_unit_test(test_relationships_and_documents),
        cmocka_unit_test(test_types),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_foreign_model), cmocka_unit_test(test_removed),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
