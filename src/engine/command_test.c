// SPDX-License-Identifier: Apache-2.0
// Payloads of commands against the models that define them: own, inherited, of components, of every version.
#include "engine/test_kit.h"

#define MODELS                                                                                                         \
    "[{\"@id\":\"dtmi:test:Valve;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["      \
    "{\"@type\":\"Command\",\"name\":\"open\",\"request\":{\"name\":\"share\",\"schema\":\"double\"},"                 \
    "\"response\":{\"name\":\"done\",\"schema\":\"boolean\"}},"                                                        \
    "{\"@type\":\"Command\",\"name\":\"close\"}]},"                                                                    \
    "{\"@id\":\"dtmi:test:Base;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["        \
    "{\"@type\":\"Command\",\"name\":\"start\",\"request\":{\"name\":\"how\",\"schema\":{\"@type\":\"Object\","        \
    "\"fields\":[{\"name\":\"speed\",\"schema\":\"integer\"},{\"name\":\"mode\",\"schema\":{\"@type\":\"Enum\","       \
    "\"valueSchema\":\"string\",\"enumValues\":[{\"name\":\"a\",\"enumValue\":\"soft\"}]}}]}}}]},"                     \
    "{\"@id\":\"dtmi:test:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\","                      \
    "\"extends\":\"dtmi:test:Base;1\",\"contents\":["                                                                  \
    "{\"@type\":\"Component\",\"name\":\"inlet\",\"schema\":\"dtmi:test:Valve;1\"}]}]"

static void check(Kit *k, const char *component, const char *command, const char *payload, SosiaErr want,
                  const char *part) {
    SosiaBuf why = {0};
    SosiaErr err = sosia_command_check(k->s, kit_str(""), kit_str("p"), kit_str(component), kit_str(command),
                                       kit_str(payload), &why);
    const char *text = kit_keep(k, (SosiaStr){why.p, why.n});
    if (err != want) fail_msg("%s(%s): %s: %s", command, payload, sosia_err_name(err), text);
    kit_has(text, part);
    if (!want) assert_int_equal(why.n, 0);
    sosia_buf_free(&why);
}

static void test_payloads(void **state) {
    (void)state;
    Kit k;
    kit_open(&k, &(SosiaOpen){0});
    check(&k, "", "start", "{}", SOSIA_TWIN_NOT_FOUND, "no twin");
    kit_do(&k, SOSIA_MODELS_ADD, "", "", MODELS);
    kit_do(&k, SOSIA_TWIN_PUT, "p", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Pump;1\"},\"inlet\":{\"$metadata\":{}}}");
    check(&k, "", "start", "{\"speed\":5,\"mode\":\"soft\"}", SOSIA_OK, "");
    check(&k, "", "start", "{\"speed\":5.5}", SOSIA_VALIDATION, "speed");
    check(&k, "", "start", "{\"mode\":\"hard\"}", SOSIA_VALIDATION, "mode");
    check(&k, "", "start", "{\"speed\":", SOSIA_SYNTAX, "");
    check(&k, "", "start", " ", SOSIA_VALIDATION, "how");
    check(&k, "", "stop", "", SOSIA_COMMAND_NOT_FOUND, "stop");
    check(&k, "", "open", "0.5", SOSIA_COMMAND_NOT_FOUND, "open");
    check(&k, "inlet", "open", "0.5", SOSIA_OK, "");
    check(&k, "inlet", "open", "\"half\"", SOSIA_VALIDATION, "share");
    check(&k, "inlet", "close", "", SOSIA_OK, "");
    check(&k, "inlet", "close", "null", SOSIA_OK, "");
    check(&k, "inlet", "close", "{}", SOSIA_VALIDATION, "no payload");
    check(&k, "outlet", "close", "", SOSIA_COMPONENT_NOT_FOUND, "outlet");
    assert_int_equal(sosia_command_check(k.s, kit_str("elsewhere"), kit_str("p"), kit_str(""), kit_str("start"),
                                         kit_str("{}"), NULL),
                     SOSIA_WORLD_NOT_FOUND);
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_payloads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
