// SPDX-License-Identifier: Apache-2.0
// For tests of the closed loop: a small filling hall whose fillers jam, a clock that is set, and a device that is told
// what to answer.
#pragma once
#include <stdatomic.h>
#include "base/time.h"
#include "codec/json.h"
#include "engine/test_kit.h"

// A filler makes money while it runs, gets hot when it is fast, and pays nothing while it is jammed.
#define HALL_MODEL                                                                                                     \
    "[{\"@id\":\"dtmi:t:Filler;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["        \
    "{\"@type\":\"Property\",\"name\":\"fault\",\"schema\":\"string\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"speed\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"rate\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"heat\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Property\",\"name\":\"money\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"note\",\"schema\":\"string\"},"                                                \
    "{\"@type\":\"Command\",\"name\":\"clearJam\"},"                                                                   \
    "{\"@type\":\"Command\",\"name\":\"setSpeed\",\"request\":{\"name\":\"speed\",\"schema\":\"double\"}}]}]"
#define HALL_BEHAVIOUR                                                                                                 \
    "{\"model\":\"dtmi:t:Filler;1\",\"say\":[\"rate = fault = '' ? speed : 0\",\"der(money) = rate\","                 \
    "\"der(heat) = rate > 15 ? 1 : 0\",\"at rate 0.01 do money = money - RANDOM_EXPONENTIAL(5)\"]}"

// Its parts, for rules that differ in a member or two.
#define HALL_HEAD                                                                                                      \
    "\"title\":\"A filler jams\",\"model\":\"dtmi:t:Filler;1\",\"when\":\"fault = 'jam'\","                            \
    "\"ahead\":\"PT10M\",\"replications\":8,\"seed\":7,\"objective\":{\"kpi\":\"margin\"},"                            \
    "\"limits\":[{\"kpi\":\"heat\",\"max\":300}],"                                                                     \
    "\"envelope\":[{\"command\":\"setSpeed\",\"min\":0,\"max\":50}],"
#define HALL_CLEAR                                                                                                     \
    "{\"name\":\"clear\",\"title\":\"Clear the jam\",\"cost\":12,\"changes\":["                                        \
    "{\"twin\":\"$twin\",\"property\":\"fault\",\"value\":\"\"}],"                                                     \
    "\"command\":{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":10,\"timeout\":\"10s\"},"                       \
    "\"undo\":{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":5}}"
#define HALL_PUSH                                                                                                      \
    "{\"name\":\"push\",\"changes\":[{\"twin\":\"$twin\",\"property\":\"fault\",\"value\":\"\"},"                      \
    "{\"twin\":\"$twin\",\"property\":\"speed\",\"value\":40}],"                                                       \
    "\"command\":{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":40}}"
#define HALL_ACTIONS "\"actions\":[" HALL_CLEAR "," HALL_PUSH "]"
#define HALL_WATCH "\"watch\":{\"kpi\":\"pace\",\"for\":\"PT5M\",\"patience\":2,\"margin\":0.5}"
#define HALL_RULE(rest) "{" HALL_HEAD HALL_ACTIONS "," rest "}"

#define HALL_START INT64_C(1790000000000000000)

// What the device was told last, and what it answers.
typedef struct Hall {
    Kit k;
    _Atomic int64_t now;
    _Atomic int calls;
    SosiaErr err; // of the hand-over
    bool mute;    // no answer
    SosiaErr answer;
    const char *says; // NULL: "fine"
    char twin[64], command[64], payload[200];
    void (*told)(struct Hall *h); // may be NULL; within the hand-over
    uint64_t watched;             // decision to be looked at by `told`
} Hall;

// The clock of the engine.
KIT int64_t hall_now(void *ctx) { return atomic_load(&((Hall *)ctx)->now); }

// A NUL-terminated copy, cut to fit.
KIT void hall_copy(char *to, size_t size, SosiaStr s) {
    size_t n = (size_t)s.n < size - 1 ? (size_t)s.n : size - 1;
    memcpy(to, s.p ? s.p : "", n);
    to[n] = 0;
}

// The commander: notes what is told, and answers.
KIT SosiaErr hall_command(void *ctx, SosiaStr world, SosiaStr twin, SosiaStr component, SosiaStr command,
                          SosiaStr payload, int64_t timeout_ns, SosiaCommandDone done, void *arg) {
    Hall *h = ctx;
    assert_true(world.n == 4 && component.n == 0 && timeout_ns > 0);
    hall_copy(h->twin, sizeof h->twin, twin);
    hall_copy(h->command, sizeof h->command, command);
    hall_copy(h->payload, sizeof h->payload, payload);
    if (h->told) h->told(h);
    atomic_fetch_add(&h->calls, 1);
    if (h->err) return h->err;
    if (!h->mute) done(arg, h->answer, h->answer ? 409 : 200, kit_str(h->says ? h->says : "\"fine\""));
    return SOSIA_OK;
}

// Set a property (value: JSON).
KIT void hall_put(Hall *h, const char *id, const char *property, const char *value) {
    char body[256];
    snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/%s\",\"value\":%s}]", property, value);
    kit_do(&h->k, SOSIA_TWIN_PATCH, id, "", body);
}

// All that happened before is looked at: the loop reads mail, then looks, so the second answer is behind a look.
KIT void hall_sync(Hall *h) {
    SosiaStr verb = kit_str("refuse"), note = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(sosia_decide(h->k.s, NULL, 999999, verb, note, &h->k.out), SOSIA_DECISION_NOT_FOUND);
}

// Time goes on, and live hears of it.
KIT void hall_wait(Hall *h, int64_t seconds) {
    static _Atomic int n;
    char text[32];
    hall_sync(h);
    atomic_fetch_add(&h->now, seconds * NS_PER_S);
    snprintf(text, sizeof text, "\"%d\"", atomic_fetch_add(&n, 1));
    hall_put(h, "f-2", "note", text);
    hall_sync(h);
}

// path "": in memory.
KIT void hall_open(Hall *h, const char *path) {
    SosiaOpen o = {.path = kit_str(path), .now = hall_now, .now_ctx = h, .tick_ns = -1};
    if (!atomic_load(&h->now)) atomic_store(&h->now, HALL_START);
    kit_open(&h->k, &o);
    sosia_commander(h->k.s, hall_command, h);
}

// Close it; nobody carries commands any more.
KIT void hall_close(Hall *h) {
    sosia_commander(h->k.s, NULL, NULL);
    kit_close(&h->k);
}

// Two fillers that run, and the KPIs.
KIT void hall_make(Hall *h) {
    static const char *const ids[] = {"f-1", "f-2"};
    Kit *k = &h->k;
    kit_do(k, SOSIA_MODELS_ADD, "", "", HALL_MODEL);
    for (int i = 0; i < 2; i++)
        kit_do(k, SOSIA_TWIN_PUT, ids[i], "",
               "{\"$metadata\":{\"$model\":\"dtmi:t:Filler;1\"},\"fault\":\"\",\"speed\":10,\"rate\":10,\"heat\":0,"
               "\"money\":0}");
    kit_do(k, SOSIA_DEFINITION_PUT, "fillers", "behaviours", HALL_BEHAVIOUR);
    kit_do(k, SOSIA_DEFINITION_PUT, "margin", "kpis",
           "{\"twin\":\"f-1\",\"expression\":\"money\",\"unit\":\"EUR\",\"of\":\"money\",\"better\":\"more\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "heat", "kpis", "{\"twin\":\"f-1\",\"expression\":\"heat\",\"over\":\"max\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "pace", "kpis", "{\"twin\":\"f-1\",\"expression\":\"rate\"}");
}

// Put a rule, which must fit.
KIT void hall_rule(Hall *h, const char *name, const char *body) {
    kit_do(&h->k, SOSIA_DEFINITION_PUT, name, "rules", body);
    hall_sync(h);
}

// The record, NUL-terminated; until the next.
KIT const char *hall_record(Hall *h, uint64_t id) {
    SosiaErr err = sosia_decision(h->k.s, NULL, id, &h->k.out);
    if (err) fail_msg("decision %llu: %s", (unsigned long long)id, sosia_err_name(err));
    return kit_body(&h->k);
}

// A list, NUL-terminated; until the next.
KIT const char *hall_list(Hall *h, SosiaDecisions d) {
    SosiaErr err = sosia_decisions(h->k.s, NULL, &d, &h->k.out);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)h->k.out.message.n, h->k.out.message.p);
    return kit_body(&h->k);
}

// The present revision.
KIT uint64_t hall_revision(Hall *h) {
    const char *list = hall_list(h, (SosiaDecisions){.limit = 1});
    return strtoull(strstr(list, "\"revision\":") + 11, NULL, 10);
}

// Until a decision is in that state; a minute of real time at most.
KIT void hall_until(Hall *h, uint64_t id, const char *state) {
    char want[64];
    int64_t end = time_mono_ns() + 30 * NS_PER_S;
    snprintf(want, sizeof want, "\"state\":\"%s\"", state);
    for (uint64_t revision = 0;;) {
        SosiaErr err = sosia_decision(h->k.s, NULL, id, &h->k.out);
        if (!err && strstr(kit_body(&h->k), want)) return;
        if (time_mono_ns() > end) fail_msg("decision %llu is not %s: %s", (unsigned long long)id, state, h->k.text);
        SosiaDecisions d = {.revision = revision, .wait_ns = 2 * NS_PER_S, .limit = 1};
        assert_int_equal(sosia_decisions(h->k.s, NULL, &d, &h->k.out), SOSIA_OK);
        revision = strtoull(strstr(kit_body(&h->k), "\"revision\":") + 11, NULL, 10);
    }
}

// Somebody's word.
KIT SosiaErr hall_decide(Hall *h, uint64_t id, const char *verb, const char *who) {
    SosiaCaller caller = {.principal = kit_str(who)};
    return sosia_decide(h->k.s, &caller, id, kit_str(verb), kit_str(""), &h->k.out);
}

// Somebody approves, which must be taken.
KIT void hall_approve(Hall *h, uint64_t id, const char *who) {
    SosiaErr err = hall_decide(h, id, "approve", who);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)h->k.out.message.n, h->k.out.message.p);
}
