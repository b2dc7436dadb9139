// SPDX-License-Identifier: Apache-2.0
// Records from JSON: every bound and every count is checked, so that what is read can be used without looking again.
#include <math.h>
#include "base/time.h"
#include "decide/record.h"
#include "decide/record_inner.h"
#include "decide/take.h"

#define WHOLE_MOST 9.2e18

static Err wrong(Diag *d, const Json *at, const char *text) {
    return diag_add(d, ERR_ARGUMENT, at->at, -1, (Str){0}, "%s", text);
}

static Err read_values(Arena *a, const Json *list, const Json *of, Decision *x, Diag *d) {
    TRY(take_list(list, of, "values", 0, DECISION_VALUES_MAX, d));
    x->value_count = list ? list->count : 0;
    x->values = NEW(a, DecisionValue, x->value_count + 1);
    for (int32_t i = 0; i < x->value_count; i++) {
        DecisionValue *v = &x->values[i];
        const Json *value = NULL;
        const Take members[] = {{"twin", TAKE_TEXT, &v->twin, 0, 0},
                                {"property", TAKE_TEXT, &v->property, 0, 0},
                                {"value", TAKE_ANY, &value, 0, 0},
                                {"time", TAKE_INSTANT, &v->time_ns, 0, 0}};
        TRY(take_object(&list->items[i], "a value", members, 4, d));
        if (value) v->value = take_compact(a, value);
    }
    return ERR_OK;
}

static Err read_trigger(Arena *a, const Json *v, const Json *of, Decision *x, Diag *d) {
    const Json *values = NULL;
    const Take members[] = {{"since", TAKE_INSTANT, &x->since_ns, 0, 0},
                            {"at", TAKE_INSTANT, &x->at_ns, 0, 0},
                            {"values", TAKE_ANY, &values, 0, 0}};
    if (!v) return wrong(d, of, "a record has a \"trigger\"");
    TRY(take_object(v, "\"trigger\"", members, 3, d));
    return read_values(a, values, v, x, d);
}

static Err read_limit(Arena *a, const Json *v, const Decision *x, DecisionLimit *l, Diag *d) {
    const Json *samples = NULL;
    int64_t replication = 0;
    *l = (DecisionLimit){.min = -INFINITY, .max = INFINITY, .worst = NAN};
    const Take members[] = {{"kpi", TAKE_TEXT, &l->kpi, 0, 0},
                            {"min", TAKE_NUMBER, &l->min, 0, 0},
                            {"max", TAKE_NUMBER, &l->max, 0, 0},
                            {"worst", TAKE_VALUE, &l->worst, 0, 0},
                            {"replication", TAKE_WHOLE, &replication, 0, RULE_REPLICATIONS_MAX},
                            {"holds", TAKE_FLAG, &l->holds, 0, 0},
                            {"samples", TAKE_ANY, &samples, 0, 0}};
    TRY(take_object(v, "a limit", members, 7, d));
    l->replication = (int32_t)replication;
    return take_numbers(a, samples, v, "samples", x->replications, &l->samples, d);
}

static Err read_objective(const Json *v, DecisionAlternative *o, Diag *d) {
    const Take members[] = {{"mean", TAKE_VALUE, &o->mean, 0, 0},        {"low", TAKE_VALUE, &o->low, 0, 0},
                            {"high", TAKE_VALUE, &o->high, 0, 0},        {"gain", TAKE_VALUE, &o->gain, 0, 0},
                            {"gainLow", TAKE_VALUE, &o->gain_low, 0, 0}, {"gainHigh", TAKE_VALUE, &o->gain_high, 0, 0}};
    return take_object(v, "\"objective\"", members, 6, d);
}

// x->limit_count -1: nothing is known of how many there are.
static Err read_alternative(Arena *a, const Json *v, Decision *x, DecisionAlternative *o, Diag *d) {
    const Json *objective = NULL, *samples = NULL, *limits = NULL;
    *o = (DecisionAlternative){.mean = NAN, .low = NAN, .high = NAN, .gain = NAN, .gain_low = NAN, .gain_high = NAN};
    const Take members[] = {{"action", TAKE_TEXT, &o->action, 0, 0},
                            {"objective", TAKE_ANY, &objective, 0, 0},
                            {"samples", TAKE_ANY, &samples, 0, 0},
                            {"limits", TAKE_ANY, &limits, 0, 0},
                            {"dropped", TAKE_TEXT, &o->dropped, 0, 0}};
    TRY(take_object(v, "an alternative", members, 5, d));
    if (objective) TRY(read_objective(objective, o, d));
    TRY(take_numbers(a, samples, v, "samples", x->replications, &o->samples, d));
    TRY(take_list(limits, v, "limits", 0, RULE_LIMITS_MAX, d));
    int32_t n = limits ? limits->count : 0;
    if (x->limit_count < 0) x->limit_count = n;
    if (x->limit_count != n) return wrong(d, v, "alternatives have different numbers of limits");
    o->limits = NEW(a, DecisionLimit, n + 1);
    for (int32_t i = 0; i < n; i++) TRY(read_limit(a, &limits->items[i], x, &o->limits[i], d));
    return ERR_OK;
}

static Err read_alternatives(Arena *a, const Json *list, const Json *of, Decision *x, Diag *d) {
    TRY(take_list(list, of, "alternatives", 0, RULE_ACTIONS_MAX + 1, d));
    int32_t n = list ? list->count : 0;
    x->limit_count = -1;
    x->alternatives = NEW(a, DecisionAlternative, n + 1);
    for (int32_t i = 0; i < n; i++) TRY(read_alternative(a, &list->items[i], x, &x->alternatives[i], d));
    x->alternative_count = n;
    if (x->limit_count < 0) x->limit_count = 0;
    return ERR_OK;
}

static Err read_kpi(const Json *v, Decision *x, Diag *d) {
    Str better = STR("more");
    const Take members[] = {{"kpi", TAKE_TEXT, &x->objective, 0, 0},
                            {"unit", TAKE_TEXT, &x->unit, 0, 0},
                            {"better", TAKE_TEXT, &better, 0, 0}};
    TRY(take_object(v, "\"objective\"", members, 3, d));
    x->better = str_eq(better, STR("less")) ? -1 : 1;
    return x->better > 0 && !str_eq(better, STR("more")) ? wrong(d, v, "\"better\" is more or less") : ERR_OK;
}

static Err read_verdict(const Json *v, DecisionVerdict *o, Diag *d) {
    const Take members[] = {{"who", TAKE_TEXT, &o->who, 0, 0},
                            {"at", TAKE_INSTANT, &o->at_ns, 0, 0},
                            {"verdict", TAKE_TEXT, &o->verdict, 0, 0},
                            {"note", TAKE_TEXT, &o->note, 0, 0},
                            {"hash", TAKE_TEXT, &o->hash, 0, 0}};
    TRY(take_object(v, "a verdict", members, 5, d));
    bool known = str_eq(o->verdict, STR("approve")) || str_eq(o->verdict, STR("refuse"));
    return known ? ERR_OK : wrong(d, v, "a \"verdict\" is approve or refuse");
}

static Err read_approval(Arena *a, const Json *v, Decision *x, Diag *d) {
    const Json *by = NULL;
    const Take members[] = {{"due", TAKE_INSTANT, &x->due_ns, 0, 0}, {"by", TAKE_ANY, &by, 0, 0}};
    TRY(take_object(v, "\"approval\"", members, 2, d));
    TRY(take_list(by, v, "by", 0, DECISION_VERDICTS_MAX, d));
    x->verdict_count = by ? by->count : 0;
    x->verdicts = NEW(a, DecisionVerdict, record_room(x->verdict_count));
    for (int32_t i = 0; i < x->verdict_count; i++) TRY(read_verdict(&by->items[i], &x->verdicts[i], d));
    return ERR_OK;
}

static Err read_command(Arena *a, const Json *v, const char *what, DecisionCommand *c, Diag *d) {
    const Json *payload = NULL;
    int64_t status = 0;
    const Take members[] = {{"twin", TAKE_TEXT, &c->c.twin, 0, 0},
                            {"component", TAKE_TEXT, &c->c.component, 0, 0},
                            {"name", TAKE_TEXT, &c->c.name, 0, 0},
                            {"payload", TAKE_ANY, &payload, 0, 0},
                            {"timeout", TAKE_SPAN, &c->c.timeout_ns, 0, RULE_TIMEOUT_MAX / 1e9},
                            {"asked", TAKE_INSTANT, &c->asked_ns, 0, 0},
                            {"by", TAKE_TEXT, &c->by, 0, 0},
                            {"sent", TAKE_INSTANT, &c->sent_ns, 0, 0},
                            {"answered", TAKE_INSTANT, &c->answered_ns, 0, 0},
                            {"status", TAKE_WHOLE, &status, -1e9, 1e9},
                            {"error", TAKE_TEXT, &c->error, 0, 0},
                            {"answer", TAKE_TEXT, &c->answer, 0, 0}};
    TRY(take_object(v, what, members, 12, d));
    if (payload) c->c.payload = take_compact(a, payload);
    c->status = (int32_t)status;
    if (!c->c.name.n) return wrong(d, v, "a command has a \"name\"");
    // A byte that was not UTF-8 became three.
    return c->answer.n > 3 * DECISION_ANSWER_MAX ? diag_add(d, ERR_LIMIT, v->at, -1, (Str){0}, "the answer is too long")
                                                 : ERR_OK;
}

static Err read_times(Arena *a, const Json *list, const Json *of, DecisionWatch *w, Diag *d) {
    TRY(take_list(list, of, "times", 1, DECISION_INSTANTS_MAX, d));
    w->count = list->count;
    w->times = NEW(a, int64_t, w->count);
    for (int32_t i = 0; i < w->count; i++) {
        const Json *v = &list->items[i];
        if (v->type != JSON_STRING || !time_parse(v->s, &w->times[i])) return wrong(d, v, "\"times\" are instants");
        if (i && w->times[i] <= w->times[i - 1]) return wrong(d, v, "\"times\" ascend");
    }
    return ERR_OK;
}

static Err read_watch(Arena *a, const Json *v, DecisionWatch *w, Diag *d) {
    const Json *times = NULL, *low = NULL, *high = NULL, *mean = NULL, *seen = NULL;
    int64_t patience = 0, outside = 0;
    const Take members[] = {{"kpi", TAKE_TEXT, &w->kpi, 0, 0},
                            {"unit", TAKE_TEXT, &w->unit, 0, 0},
                            {"begin", TAKE_INSTANT, &w->begin_ns, 0, 0},
                            {"until", TAKE_INSTANT, &w->until_ns, 0, 0},
                            {"patience", TAKE_WHOLE, &patience, 0, RULE_PATIENCE_MAX},
                            {"margin", TAKE_NUMBER, &w->margin, 0, 1e300},
                            {"times", TAKE_ANY, &times, 0, 0},
                            {"low", TAKE_ANY, &low, 0, 0},
                            {"high", TAKE_ANY, &high, 0, 0},
                            {"mean", TAKE_ANY, &mean, 0, 0},
                            {"seen", TAKE_ANY, &seen, 0, 0},
                            {"outside", TAKE_WHOLE, &outside, 0, DECISION_INSTANTS_MAX},
                            {"left", TAKE_INSTANT, &w->left_ns, 0, 0}};
    TRY(take_object(v, "\"watch\"", members, 13, d));
    TRY(read_times(a, times, v, w, d));
    TRY(take_numbers(a, low, v, "low", w->count, &w->low, d));
    TRY(take_numbers(a, high, v, "high", w->count, &w->high, d));
    TRY(take_numbers(a, mean, v, "mean", w->count, &w->mean, d));
    TRY(take_list(seen, v, "seen", 0, w->count, d));
    w->seen_count = seen ? seen->count : 0;
    double *values;
    TRY(take_numbers(a, seen, v, "seen", w->seen_count, &values, d));
    w->seen = NEW(a, double, w->count);
    for (int32_t i = 0; i < w->seen_count; i++) w->seen[i] = values[i];
    w->patience = (int32_t)patience;
    w->outside = (int32_t)outside;
    return ERR_OK;
}

static Err read_log(Arena *a, const Json *list, const Json *of, Decision *x, Diag *d) {
    TRY(take_list(list, of, "log", 0, DECISION_LOG_MAX, d));
    x->log_count = list ? list->count : 0;
    x->log = NEW(a, DecisionLog, record_room(x->log_count));
    for (int32_t i = 0; i < x->log_count; i++) {
        const Take members[] = {{"at", TAKE_INSTANT, &x->log[i].at_ns, 0, 0},
                                {"what", TAKE_TEXT, &x->log[i].what, 0, 0}};
        TRY(take_object(&list->items[i], "an entry of the log", members, 2, d));
    }
    return ERR_OK;
}

static Err read_steps(Arena *a, const Json *list, const Json *of, Decision *x, Diag *d) {
    TRY(take_list(list, of, "steps", 0, DECISION_STEPS_MAX, d));
    x->step_count = list ? list->count : 0;
    x->steps = x->step_count ? NEW(a, DecisionStep, DECISION_STEPS_MAX) : NULL;
    for (int32_t i = 0; i < x->step_count; i++) {
        DecisionStep *s = &x->steps[i];
        Str state = {0};
        const Take members[] = {{"at", TAKE_INSTANT, &s->at_ns, 0, 0}, {"state", TAKE_TEXT, &state, 0, 0}};
        TRY(take_object(&list->items[i], "a step", members, 2, d));
        if (!decision_state_of(state, &s->state)) return wrong(d, &list->items[i], "there is no such \"state\"");
        if (i && s->at_ns < s[-1].at_ns) return wrong(d, &list->items[i], "steps ascend by time");
    }
    return ERR_OK;
}

// What a record has beside texts and instants.
typedef struct Parts {
    Str state, mode;
    int64_t id, sequence, seed, replications;
    const Json *trigger, *definition, *objective, *alternatives, *approval, *command, *rollback, *watch, *steps, *log;
} Parts;

static Err take_record(const Json *v, Decision *x, Parts *p, Diag *d) {
    const Take members[] = {{"id", TAKE_WHOLE, &p->id, 0, WHOLE_MOST},
                            {"rule", TAKE_TEXT, &x->rule, 0, 0},
                            {"state", TAKE_TEXT, &p->state, 0, 0},
                            {"twin", TAKE_TEXT, &x->twin, 0, 0},
                            {"mode", TAKE_TEXT, &p->mode, 0, 0},
                            {"by", TAKE_TEXT, &x->by, 0, 0},
                            {"world", TAKE_TEXT, &x->world, 0, 0},
                            {"sequence", TAKE_WHOLE, &p->sequence, 0, WHOLE_MOST},
                            {"trigger", TAKE_ANY, &p->trigger, 0, 0},
                            {"definition", TAKE_ANY, &p->definition, 0, 0},
                            {"seed", TAKE_WHOLE, &p->seed, 0, WHOLE_MOST},
                            {"replications", TAKE_WHOLE, &p->replications, 0, RULE_REPLICATIONS_MAX},
                            {"ahead", TAKE_SPAN, &x->ahead_ns, 0, RULE_SPAN_MAX / 1e9},
                            {"objective", TAKE_ANY, &p->objective, 0, 0},
                            {"alternatives", TAKE_ANY, &p->alternatives, 0, 0},
                            {"choice", TAKE_TEXT, &x->choice, 0, 0},
                            {"why", TAKE_TEXT, &x->why, 0, 0},
                            {"hash", TAKE_TEXT, &x->hash, 0, 0},
                            {"approval", TAKE_ANY, &p->approval, 0, 0},
                            {"command", TAKE_ANY, &p->command, 0, 0},
                            {"watch", TAKE_ANY, &p->watch, 0, 0},
                            {"rollback", TAKE_ANY, &p->rollback, 0, 0},
                            {"steps", TAKE_ANY, &p->steps, 0, 0},
                            {"log", TAKE_ANY, &p->log, 0, 0},
                            {"ended", TAKE_INSTANT, &x->ended_ns, 0, 0}};
    return take_object(v, "a record", members, (int)(sizeof members / sizeof *members), d);
}

static Err read_plain(Arena *a, const Json *v, const Parts *p, Decision *x, Diag *d) {
    if (!decision_state_of(p->state, &x->state)) return wrong(d, v, "there is no such \"state\"");
    if (!rule_mode_of(p->mode, &x->mode)) return wrong(d, v, "\"mode\" is shadow, approve or auto");
    if (p->definition && p->definition->type != JSON_OBJECT) return wrong(d, v, "\"definition\" is a rule");
    if (p->definition) x->definition = take_compact(a, p->definition);
    x->id = (uint64_t)p->id;
    x->sequence = (uint64_t)p->sequence;
    x->seed = (uint64_t)p->seed;
    x->replications = (int32_t)p->replications;
    return ERR_OK;
}

Err decision_of(Arena *a, const Json *v, Decision *out, Diag *d) {
    Decision x = {.better = 1};
    Parts p = {.id = 0};
    TRY(take_record(v, &x, &p, d));
    TRY(read_plain(a, v, &p, &x, d));
    TRY(read_trigger(a, p.trigger, v, &x, d));
    if (p.objective) TRY(read_kpi(p.objective, &x, d));
    TRY(read_alternatives(a, p.alternatives, v, &x, d));
    if (p.approval) TRY(read_approval(a, p.approval, &x, d));
    if (p.command) TRY(read_command(a, p.command, "\"command\"", &x.command, d));
    if (p.rollback) TRY(read_command(a, p.rollback, "\"rollback\"", &x.rollback, d));
    if (p.watch) TRY(read_watch(a, p.watch, &x.watch, d));
    if (p.steps) TRY(read_steps(a, p.steps, v, &x, d));
    TRY(read_log(a, p.log, v, &x, d));
    *out = x;
    return ERR_OK;
}
