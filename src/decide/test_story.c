// SPDX-License-Identifier: Apache-2.0
#include "decide/test_story.h"
#include <math.h>
#include "base/check.h"

static bool one_in(Story *s, uint64_t n) { return rng_below(&s->rng, n) == 0; }
static int below(Story *s, uint64_t n) { return (int)rng_below(&s->rng, n); }

// ---- the rule -----------------------------------------------------------------------------------------------------

// Command c of a story takes: c0 a number, c1 an object with a number, c2 nothing.
static void put_command(Story *s, const char *key, Buf *out) {
    int c = below(s, 3);
    buf_printf(out, ",\"%s\":{\"twin\":\"%s\",\"name\":\"c%d\"", key, one_in(s, 3) ? "other" : "$twin", c);
    if (c == 0) buf_printf(out, ",\"payload\":%d", below(s, 100));
    if (c == 1) buf_printf(out, ",\"payload\":{\"speed\":%d.5,\"gently\":true}", below(s, 100));
    if (one_in(s, 3)) buf_printf(out, ",\"component\":\"drive\"");
    if (one_in(s, 3)) buf_printf(out, ",\"timeout\":\"PT%dS\"", 1 + below(s, 60));
    buf_byte(out, '}');
}

static void put_actions(Story *s, Buf *out) {
    int n = 1 + below(s, 4);
    buf_printf(out, ",\"actions\":[");
    for (int i = 0; i < n; i++) {
        buf_printf(out, "%s{\"name\":\"a%d\",\"cost\":%d", i ? "," : "", i, below(s, 20));
        buf_printf(out, ",\"changes\":[{\"twin\":\"$twin\",\"property\":\"fault\",\"value\":\"\"}]");
        if (!one_in(s, 6)) {
            put_command(s, "command", out);
            put_command(s, "undo", out);
        }
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void put_bounds(Story *s, Str actions, Buf *out) {
    int n = below(s, 4);
    buf_printf(out, ",\"limits\":[");
    for (int i = 0; i < n; i++) {
        int kind = below(s, 3), min = below(s, 8);
        buf_printf(out, "%s{\"kpi\":\"k%d\"", i ? "," : "", i);
        if (kind != 1) buf_printf(out, ",\"min\":%d", min);
        if (kind != 0) buf_printf(out, ",\"max\":%d", min + 4 + below(s, 8));
        buf_byte(out, '}');
    }
    buf_printf(out, "],\"envelope\":[");
    bool c0 = str_find_str(actions, STR("\"c0\"")) >= 0, c1 = str_find_str(actions, STR("\"c1\"")) >= 0;
    if (c0) buf_printf(out, "{\"command\":\"c0\",\"min\":0,\"max\":100}");
    if (c1) buf_printf(out, "%s{\"command\":\"c1\",\"pointer\":\"/speed\",\"max\":100}", c0 ? "," : "");
    buf_byte(out, ']');
}

static void make_rule(Story *s) {
    static const char *const modes[] = {"shadow", "approve", "approve", "auto"};
    Buf text = {0}, actions = {0};
    put_actions(s, &actions);
    buf_printf(&text, "{\"model\":\"dtmi:a;1\",\"when\":\"x\",\"ahead\":\"PT1H\",\"replications\":%d", 2 + below(s, 5));
    buf_printf(&text, ",\"mode\":\"%s\",\"approval\":{\"within\":\"PT5M\",\"else\":\"%s\",\"people\":%d}",
               modes[below(s, 4)], one_in(s, 2) ? "act" : "refuse", 1 + below(s, 2));
    buf_printf(&text, ",\"objective\":{\"kpi\":\"margin\"}");
    if (one_in(s, 2)) buf_printf(&text, ",\"mostPerHour\":%d", 1 + below(s, 3));
    put_bounds(s, buf_str(&actions), &text);
    buf_str_put(&text, buf_str(&actions));
    bool undo = str_find_str(buf_str(&actions), STR("\"undo\"")) >= 0;
    if (!one_in(s, 3))
        buf_printf(&text, ",\"watch\":{\"kpi\":\"rate\",\"for\":\"PT30M\",\"rollback\":%s}",
                   undo && one_in(s, 2) ? "true" : "false");
    buf_byte(&text, '}');
    s->definition = arena_str(&s->a, buf_str(&text));
    buf_free(&text);
    buf_free(&actions);
}

static void read_rule(Story *s) {
    Rule r;
    Diag d;
    diag_init(&d);
    Err err = json_parse(s->definition, NULL, &s->a, &s->json, NULL);
    CHECK(!err);
    err = rule_of(&s->a, &s->json, STR("r"), &r, &d);
    CHECK(!err);
    rule_for(&s->a, &r, STR("f7"), &s->rule);
    s->n = r.replications;
    diag_free(&d);
}

// ---- the world ----------------------------------------------------------------------------------------------------

static void make_samples(Story *s) {
    int rows = s->rule.action_count + 1;
    s->objective = NEW(&s->a, double, rows * s->n);
    s->limits = NEW(&s->a, double, (s->rule.limit_count + 1) * rows * s->n);
    for (int i = 0; i < rows; i++) {
        double good = below(s, 60) - 10;
        for (int r = 0; r < s->n; r++) {
            s->objective[i * s->n + r] = 100 + (i ? good : 0) + rng_normal(&s->rng) * 2;
            if (one_in(s, 200)) s->objective[i * s->n + r] = NAN;
        }
    }
    bool tight = one_in(s, 2);
    for (int k = 0; k < s->rule.limit_count; k++) {
        const RuleLimit *l = &s->rule.limits[k];
        double mid = isinf(l->min) ? l->max - 5 : isinf(l->max) ? l->min + 5 : (l->min + l->max) / 2;
        for (int i = 0; i < rows * s->n; i++) {
            double *v = &s->limits[k * rows * s->n + i];
            *v = one_in(s, 100) ? NAN : mid + rng_normal(&s->rng) * (tight ? 1.5 : 0.5);
        }
    }
}

static void make_watch(Story *s) {
    enum { INSTANTS = 13 };
    float *course = NEW(&s->a, float, INSTANTS * s->n);
    for (int i = 0; i < INSTANTS * s->n; i++) course[i] = one_in(s, 9) ? NAN : (float)(50 + rng_normal(&s->rng));
    BandAsk ask = {.kpi = s->rule.watch_kpi,
                   .unit = STR("1/h"),
                   .for_ns = s->rule.watch_for_ns,
                   .step_ns = 300 * STORY_S,
                   .instants = INSTANTS,
                   .replications = s->n,
                   .stride = s->n,
                   .course = course,
                   .patience = s->rule.patience,
                   .margin = s->rule.margin};
    if (s->rule.watch_kpi.n) band_make(&ask, &s->a, &s->x.watch);
}

static void make_record(Story *s) {
    static DecisionValue values[] = {{{"f7", 2}, {"fault", 5}, {"\"jam\"", 5}, STORY_AT - 40 * STORY_S},
                                     {{"other", 5}, {"rate", 4}, {"17.5", 4}, STORY_AT - STORY_S + 5}};
    Decision *x = &s->x;
    *x = (Decision){.id = 1 + (uint64_t)below(s, 1000), .rule = STR("r"), .twin = STR("f7"), .mode = s->rule.mode};
    x->world = STR("live@2026-11-23T05:00:00Z");
    x->sequence = (uint64_t)below(s, 1000000);
    x->since_ns = STORY_AT - 30 * STORY_S;
    x->at_ns = STORY_AT;
    x->values = values;
    x->value_count = below(s, 3);
    x->definition = s->definition;
    x->seed = s->rule.seed;
    x->ahead_ns = s->rule.ahead_ns;
    decision_log(x, &s->a, STORY_AT, "set off by \"%s\"", "f7");
    ChooseAsk ask = {.rule = &s->rule,
                     .unit = STR("EUR"),
                     .better = 1,
                     .replications = s->n,
                     .objective = s->objective,
                     .limits = s->limits};
    s->end = choose(&ask, &s->a, x);
    make_watch(s);
    int32_t action = s->end == CHOSE_ACTION ? rule_action(&s->rule, x->choice) : 0;
    if (action > 0) x->command.c = s->rule.actions[action - 1].command;
}

static void seal(Story *s) {
    bool asks = s->x.mode == RULE_APPROVE;
    s->x.state = asks ? DECISION_WAITING : DECISION_APPROVED;
    s->x.due_ns = asks ? STORY_AT + s->rule.within_ns : 0;
    decision_seal(&s->x, &s->a);
}

void story_make(Story *s, uint64_t seed) {
    *s = (Story){.rng = rng_make(seed, 7)};
    arena_init(&s->a, 0);
    make_rule(s);
    read_rule(s);
    make_samples(s);
    make_record(s);
    seal(s);
}

void story_free(Story *s) { arena_free(&s->a); }

bool story_force(Story *s) {
    int32_t i = below(s, (uint64_t)s->rule.action_count);
    if (!s->rule.actions[i].command.name.n) return false;
    DecisionAlternative *o = &s->x.alternatives[i + 1];
    s->x.choice = o->action;
    s->x.command.c = s->rule.actions[i].command;
    s->end = CHOSE_ACTION;
    o->dropped = (Str){0};
    for (int32_t k = 0; k < s->x.limit_count; k++) o->limits[k].holds = true;
    seal(s);
    return true;
}

void story_send(Story *s, int64_t now_ns) {
    s->x.state = DECISION_SENDING;
    s->x.command.sent_ns = now_ns;
}

RuleCommand story_leaving(const Story *s, bool undo) { return undo ? s->x.rollback.c : s->x.command.c; }
