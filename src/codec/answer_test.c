// SPDX-License-Identifier: Apache-2.0
// What devices say, in the ways they say it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "codec/answer.h"

static void says(const char *answer, const char *want) {
    Arena a;
    arena_init(&a, 0);
    Str got = answer_words(str_of(answer), &a);
    if (!str_eq(got, str_of(want))) fail_msg("%s says \"%.*s\", not \"%s\"", answer, STR_ARG(got), want);
    arena_free(&a);
}

static void words(void **state) {
    (void)state;
    says("", "");
    says("  the hood is open \n", "the hood is open");
    says("\"the hood is open\"", "the hood is open");
    says("{\"why\":\"dry\"}", "dry");
    says("{\"code\":7,\"error\":{\"code\":\"E1\",\"detail\":\"no \\\"air\\\"\"}}", "no \"air\"");
    says("{\"message\":\"{\\\"reason\\\":\\\"cold\\\"}\"}", "cold");
    says("\"{\\\"reason\\\":\\\"cold\\\"}\"", "cold");
    says("{\"message\":\"\",\"why\":\"late\"}", "late");
    says("{\"message\":null,\"detail\":5}", "");
    says("{\"speed\":5}", "");
    says("[1,2]", "");
    says("409", "");
    says("{broken", "{broken");
}

// A nest of documents ends.
static void nested(void **state) {
    (void)state;
    says("{\"error\":{\"error\":{\"error\":{\"error\":\"deep\"}}}}", "deep");
    says("{\"error\":{\"error\":{\"error\":{\"error\":{\"error\":\"too deep\"}}}}}", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(nested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
