// SPDX-License-Identifier: Apache-2.0
// Bytes in, rule out: refused, or a rule within its bounds that can be filled in for a twin.
#include "base/check.h"
#include "decide/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_command(const RuleCommand *c, Arena *a) {
    Json v;
    CHECK(c->timeout_ns >= 0 && c->timeout_ns <= RULE_TIMEOUT_MAX);
    if (!c->payload.n) return;
    Err err = json_parse(c->payload, NULL, a, &v, NULL);
    CHECK(!err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a;
    Diag d;
    Json v;
    Rule r, mine;
    if (size > 1 << 16) return 0;
    arena_init(&a, 0);
    diag_init(&d);
    Err err = json_parse((Str){(const char *)data, (int64_t)size}, NULL, &a, &v, &d);
    if (!err) err = rule_of(&a, &v, STR("r"), &r, &d);
    if (err) {
        CHECK(d.count > 0);
    } else {
        CHECK(r.action_count >= 1 && r.action_count <= RULE_ACTIONS_MAX);
        CHECK(r.limit_count <= RULE_LIMITS_MAX && r.bound_count <= RULE_ENVELOPE_MAX);
        CHECK((r.action_count + 1) * (r.limit_count + 1) * r.replications <= RULE_SAMPLES_MAX);
        CHECK(r.ahead_ns > 0 && r.watch_for_ns <= r.ahead_ns && r.within_ns > 0);
        rule_for(&a, &r, STR("twin"), &mine);
        for (int32_t i = 0; i < mine.action_count; i++) {
            check_command(&mine.actions[i].command, &a);
            check_command(&mine.actions[i].undo, &a);
            CHECK(!str_eq(mine.actions[i].command.twin, RULE_TWIN));
            CHECK(rule_action(&mine, mine.actions[i].name) == i + 1);
        }
    }
    diag_free(&d);
    arena_free(&a);
    return 0;
}
