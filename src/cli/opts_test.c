// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "cli/opts.h"

typedef struct Fields {
    bool loud;
    Str name;
    int64_t count;
    double rate;
    int64_t wait_ns;
    StrList maps;
} Fields;

static const Opt table[] = {
    OPT(Fields, loud, OPT_FLAG, 'l', "loud", NULL, "say more"),
    OPT(Fields, name, OPT_STR, 'n', "name", "NAME", "what to call it"),
    OPT_RANGE(Fields, count, "count", "N", "how many", 1, 10),
    OPT_END,
};
static const Opt more[] = {
    OPT(Fields, rate, OPT_F64, 0, "rate", "R", "how fast"),
    OPT(Fields, wait_ns, OPT_DURATION, 'w', "wait", "TIME", "how long"),
    OPT(Fields, maps, OPT_LIST, 'm', "map", "COL=PATH", "one of many"),
    OPT_END,
};

typedef struct Run {
    Err err;
    Fields f;
    Args args;
    Buf why;
} Run;

static Run *run(char *const *argv) {
    static Run r;
    buf_free(&r.why);
    r = (Run){0};
    int32_t argc = 0;
    while (argv[argc]) argc++;
    r.err = opts_parse(table, more, &r.f, argv, argc, &r.args, &r.why);
    return &r;
}

#define RUN(...) run((char *[]){__VA_ARGS__, NULL})

static void assert_why(Run *r, const char *part) {
    assert_int_equal(r->err, ERR_ARGUMENT);
    buf_byte(&r->why, 0);
    assert_non_null(strstr(r->why.p, part));
}

static void test_every_kind(void **state) {
    (void)state;
    Run *r = RUN("-l", "--name=pump 1", "file", "--count", "7", "--rate", "2.5", "-w", "250ms", "-m", "a=b", "--map",
                 "c=d", "-");
    assert_int_equal(r->err, ERR_OK);
    assert_true(r->f.loud);
    assert_true(str_eq(r->f.name, STR("pump 1")));
    assert_int_equal(r->f.count, 7);
    assert_true(r->f.rate == 2.5);
    assert_int_equal(r->f.wait_ns, 250000000);
    assert_int_equal(r->f.maps.count, 2);
    assert_true(str_eq(r->f.maps.items[1], STR("c=d")));
    assert_int_equal(r->args.count, 2);
    assert_true(str_eq(r->args.items[0], STR("file")));
    assert_true(str_eq(r->args.items[1], STR("-")));
}

static void test_dashes_end_options(void **state) {
    (void)state;
    Run *r = RUN("--", "--loud", "-5");
    assert_int_equal(r->err, ERR_OK);
    assert_false(r->f.loud);
    assert_int_equal(r->args.count, 2);
}

static void test_negative_numbers_are_arguments(void **state) {
    (void)state;
    Run *r = RUN("-5", "-4e1", "-l", "-.5");
    assert_int_equal(r->err, ERR_OK);
    assert_true(r->f.loud);
    assert_int_equal(r->args.count, 3);
}

static void test_empty_value_is_a_value(void **state) {
    (void)state;
    Run *r = RUN("--name=", "--name", "");
    assert_int_equal(r->err, ERR_OK);
    assert_int_equal(r->f.name.n, 0);
}

static void test_help_stops(void **state) {
    (void)state;
    Run *r = RUN("--help", "--nonsense");
    assert_int_equal(r->err, ERR_OK);
    assert_true(r->args.help);
}

static void test_refusals(void **state) {
    (void)state;
    assert_why(RUN("--coumt", "3"), "did you mean --count?");
    assert_why(RUN("--zzzzzz"), "unknown option --zzzzzz");
    assert_why(RUN("-q"), "unknown option -q");
    assert_why(RUN("-lq"), "unknown option -lq");
    assert_why(RUN("--count"), "needs a value");
    assert_why(RUN("--count", "x"), "whole number");
    assert_why(RUN("--count", "11"), "between 1 and 10");
    assert_why(RUN("--loud=yes"), "takes no value");
    assert_why(RUN("--rate", "fast"), "needs a number");
    assert_why(RUN("--wait", "soon"), "duration");
}

static void test_help_lines(void **state) {
    (void)state;
    Buf b = {0};
    opts_print(table, 80, &b);
    buf_byte(&b, 0);
    assert_string_equal(b.p, "  -l, --loud                  say more\n"
                             "  -n, --name NAME             what to call it\n"
                             "      --count N               how many\n");
    buf_free(&b);
}

static void test_nearest(void **state) {
    (void)state;
    const char *names[] = {"serve", "watch", "worlds"};
    assert_string_equal(opts_nearest(STR("sevre"), names, 3), "serve");
    assert_string_equal(opts_nearest(STR("world"), names, 3), "worlds");
    assert_null(opts_nearest(STR("banana"), names, 3));
    assert_null(opts_nearest(STR(""), names, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_dashes_end_options),
        cmocka_unit_test(test_negative_numbers_are_arguments),
        cmocka_unit_test(test_empty_value_is_a_value),
        cmocka_unit_test(test_help_stops),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_help_lines),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
