// SPDX-License-Identifier: Apache-2.0
// What is erased leaves encoded batches; everything else stays, byte for byte.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "world/batch.h"
#include "world/forget.h"

static const uint64_t LINKS[] = {50, 52};
static const uint32_t COLUMNS[] = {70};

static void put(Buf *b, uint64_t seq, const Change *c, int64_t n) {
    Buf changes = {0};
    for (int64_t i = 0; i < n; i++) change_encode(&c[i], &changes);
    batch_encode(&(BatchHead){.seq = seq, .time = (int64_t)seq * 100, .source = STR("me"), .count = n},
                 buf_str(&changes), b);
    buf_free(&changes);
}

static Change set(uint64_t id, uint32_t col, const char *text) {
    return (Change){.kind = CHANGE_SET, .cell = CELL_STR, .id = id, .col = col, .text = str_of(text)};
}

static bool holds(const Buf *b, const char *text) { return memmem(b->p, (size_t)b->n, text, strlen(text)) != NULL; }

// Two batches about twin 7 (secret), its link 50 and about twin 8.
static void scene(Buf *b) {
    Change one[] = {
        {.kind = CHANGE_TWIN_NEW, .id = 7, .col = 0, .text = STR("secret name")},
        set(7, 70, "secret value"),
        set(7, 71, "other value"),
        set(8, 70, "neighbour"),
        {.kind = CHANGE_LINK_NEW, .id = 50, .other = 7, .target = 8, .col = 0, .text = STR("secret link")},
        {.kind = CHANGE_TELEMETRY, .id = 7, .text = {"\0m\0{\"t\":\"secret pulse\"}", 23}},
    };
    Change two[] = {
        {.kind = CHANGE_LINK_AT, .id = 50, .other = 7, .target = 8, .col = 0, .text = STR("secret link")},
        {.kind = CHANGE_LINK_SET, .cell = CELL_STR, .id = 50, .col = 80, .text = STR("secret dose")},
        {.kind = CHANGE_TWIN_WAS, .id = 7, .col = 0, .text = STR("{\"secret\":1}")},
        {.kind = CHANGE_TWIN_DEL, .id = 7, .text = STR("secret name")},
    };
    put(b, 4, one, 6);
    put(b, 5, two, 4);
}

static void everything_of_a_twin_goes(void **state) {
    (void)state;
    Buf in = {0}, out = {0};
    int64_t taken, again;
    scene(&in);
    Forget f = {.twin = 7, .all = true, .links = LINKS, .link_count = 2};
    assert_int_equal(forget_batches(&f, buf_str(&in), &out, &taken), ERR_OK);
    assert_int_equal(taken, 9);
    assert_true(holds(&in, "secret"));
    assert_false(holds(&out, "secret"));
    assert_false(holds(&out, "other value"));
    assert_true(holds(&out, "neighbour"));
    assert_true(holds(&out, "erased:7"));
    Buf twice = {0};
    assert_int_equal(forget_batches(&f, buf_str(&out), &twice, &again), ERR_OK);
    assert_true(str_eq(buf_str(&out), buf_str(&twice)));
    buf_free(&in);
    buf_free(&out);
    buf_free(&twice);
}

// A fork has relationships that nobody else knows of.
static void relationships_that_a_batch_names_go(void **state) {
    (void)state;
    const Change one[] = {
        {.kind = CHANGE_LINK_NEW, .id = 61, .other = 8, .target = 7, .col = 0, .text = STR("secret link")},
        {.kind = CHANGE_LINK_SET, .cell = CELL_STR, .id = 61, .col = 80, .text = STR("secret dose")},
        {.kind = CHANGE_LINK_NEW, .id = 60, .other = 7, .target = 8, .col = 0, .text = STR("secret link")},
        {.kind = CHANGE_LINK_SET, .cell = CELL_STR, .id = 60, .col = 80, .text = STR("secret dose")},
        {.kind = CHANGE_LINK_NEW, .id = 62, .other = 8, .target = 9, .col = 0, .text = STR("others' link")},
        {.kind = CHANGE_LINK_SET, .cell = CELL_STR, .id = 62, .col = 80, .text = STR("others' dose")},
    };
    const Change two[] = {
        {.kind = CHANGE_LINK_AT, .id = 60, .other = 7, .target = 8, .col = 0, .text = STR("secret link")},
        {.kind = CHANGE_LINK_SET, .cell = CELL_STR, .id = 60, .col = 80, .text = STR("secret again")},
    };
    const Change three[] = {
        {.kind = CHANGE_LINK_WAS, .id = 60, .text = STR("{\"$sourceId\":\"secret\"}")},
        {.kind = CHANGE_LINK_DEL, .id = 60, .other = 7, .target = 8, .col = 0, .text = STR("secret link")},
        {.kind = CHANGE_LINK_WAS, .id = 62, .text = STR("{\"others'\":1}")},
        {.kind = CHANGE_LINK_DEL, .id = 62, .other = 8, .target = 9, .col = 0, .text = STR("others' link")},
    };
    Buf in = {0}, out = {0};
    int64_t taken;
    put(&in, 4, one, 6);
    put(&in, 5, two, 2);
    put(&in, 6, three, 4);
    Forget f = {.twin = 7, .all = true};
    assert_int_equal(forget_batches(&f, buf_str(&in), &out, &taken), ERR_OK);
    assert_int_equal(taken, 8);
    assert_false(holds(&out, "secret"));
    assert_true(holds(&out, "others' dose"));
    assert_true(holds(&out, "{\"others'\":1}"));
    assert_true(holds(&out, "others' link"));
    buf_free(&in);
    buf_free(&out);
}

static void one_property_goes(void **state) {
    (void)state;
    Buf in = {0}, out = {0};
    int64_t taken;
    scene(&in);
    Forget f = {.twin = 7, .columns = COLUMNS, .column_count = 1, .telemetry = STR("t")};
    assert_int_equal(forget_batches(&f, buf_str(&in), &out, &taken), ERR_OK);
    assert_int_equal(taken, 3);
    assert_false(holds(&out, "secret value"));
    assert_false(holds(&out, "secret pulse"));
    assert_true(holds(&out, "other value"));
    assert_true(holds(&out, "secret name"));
    assert_true(holds(&out, "secret dose"));
    buf_free(&in);
    buf_free(&out);
}

static void what_comes_later_stays(void **state) {
    (void)state;
    Buf in = {0}, out = {0};
    int64_t taken;
    scene(&in); // batches 4 and 5
    Forget f = {.twin = 7, .all = true, .links = LINKS, .link_count = 2, .seq_max = 4};
    assert_int_equal(forget_batches(&f, buf_str(&in), &out, &taken), ERR_OK);
    assert_int_equal(taken, 5);
    assert_false(holds(&out, "secret value"));
    assert_false(holds(&out, "secret pulse"));
    assert_true(holds(&out, "secret dose"));
    buf_free(&in);
    buf_free(&out);
}

static void the_rest_stays_as_it_is(void **state) {
    (void)state;
    Buf in = {0}, out = {0};
    int64_t taken;
    scene(&in);
    Forget f = {.twin = 9, .all = true};
    assert_int_equal(forget_batches(&f, buf_str(&in), &out, &taken), ERR_OK);
    assert_int_equal(taken, 0);
    assert_true(str_eq(buf_str(&in), buf_str(&out)));
    in.n--;
    assert_int_equal(forget_batches(&f, buf_str(&in), &out, &taken), ERR_CORRUPT);
    buf_free(&in);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_of_a_twin_goes), cmocka_unit_test(relationships_that_a_batch_names_go),
        cmocka_unit_test(one_property_goes),         cmocka_unit_test(what_comes_later_stays),
        cmocka_unit_test(the_rest_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
