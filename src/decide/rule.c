// SPDX-License-Identifier: Apache-2.0
#include "decide/rule.h"
#include <math.h>
#include "base/check.h"
#include "base/time.h"
#include "decide/take.h"

#define PEOPLE_UNLESS_SAID 1
#define REPLICATIONS_UNLESS_SAID 30
#define PATIENCE_UNLESS_SAID 3
static const int64_t within_unless_said = 15 * 60 * NS_PER_S, timeout_unless_said = 10 * NS_PER_S;

// ---- members ------------------------------------------------------------------------------------------------------

static Err wrong(Diag *d, const Json *at, const char *text) {
    return diag_add(d, ERR_ARGUMENT, at->at, -1, (Str){0}, "%s", text);
}

// Where a member that was said wrongly stands: its value, or the object that lacks it.
static const Json *member(const Json *v, const char *name) {
    const Json *m = json_get(v, str_of(name));
    return m ? m : v;
}

// Which of the texts it is; -1: none.
static int which(Str s, const char *const *of, int n) {
    for (int i = 0; i < n; i++)
        if (str_eq(s, str_of(of[i]))) return i;
    return -1;
}

// ---- actions ------------------------------------------------------------------------------------------------------

static bool name_ok(Str s) {
    bool ok = s.n > 0 && s.n <= 64;
    for (int64_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        ok &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.';
    }
    return ok;
}

// Some object within it has a member twice: devices may differ on which one counts.
static bool twice(const Json *v) {
    bool is = v->type == JSON_OBJECT && v->dup;
    for (int32_t i = 0; v->type == JSON_ARRAY && i < v->count; i++) is |= twice(&v->items[i]);
    for (int32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++) is |= twice(&v->members[i].value);
    return is;
}

static Err command_of(Arena *a, const Json *v, const char *what, RuleCommand *out, Diag *d) {
    const Json *payload = NULL;
    *out = (RuleCommand){.timeout_ns = timeout_unless_said};
    const Take members[] = {{"twin", TAKE_TEXT, &out->twin, 0, 0},
                            {"component", TAKE_TEXT, &out->component, 0, 0},
                            {"name", TAKE_TEXT, &out->name, 0, 0},
                            {"payload", TAKE_ANY, &payload, 0, 0},
                            {"timeout", TAKE_SPAN, &out->timeout_ns, 0.001, RULE_TIMEOUT_MAX / 1e9}};
    TRY(take_object(v, what, members, 5, d));
    if (!out->twin.n || !out->name.n)
        return diag_add(d, ERR_ARGUMENT, v->at, -1, (Str){0}, "%s needs a \"twin\" and a \"name\"", what);
    if (payload && twice(payload)) return wrong(d, payload, "a member of the \"payload\" comes twice");
    if (payload) out->payload = take_compact(a, payload);
    return ERR_OK;
}

static Err change_of(const Json *v, RuleChange *out, Diag *d) {
    *out = (RuleChange){.value = NULL};
    const Take members[] = {{"at", TAKE_SPAN, &out->at_ns, 0, RULE_SPAN_MAX / 1e9},
                            {"twin", TAKE_TEXT, &out->twin, 0, 0},
                            {"property", TAKE_TEXT, &out->property, 0, 0},
                            {"value", TAKE_ANY, &out->value, 0, 0}};
    TRY(take_object(v, "a change", members, 4, d));
    if (!out->twin.n || !out->property.n || !out->value)
        return wrong(d, v, "a change needs a \"twin\", a \"property\" and a \"value\" (null takes it away)");
    return ERR_OK;
}

static Err changes_of(Arena *a, const Json *list, const Json *of, RuleAction *out, Diag *d) {
    TRY(take_list(list, of, "changes", 0, RULE_CHANGES_MAX, d));
    int32_t n = list ? list->count : 0;
    out->changes = NEW(a, RuleChange, n + 1);
    for (int32_t i = 0; i < n; i++) {
        RuleChange c;
        TRY(change_of(&list->items[i], &c, d));
        int32_t k = i; // those of one instant stay in the order they were said
        for (; k > 0 && out->changes[k - 1].at_ns > c.at_ns; k--) out->changes[k] = out->changes[k - 1];
        out->changes[k] = c;
    }
    out->change_count = n;
    return ERR_OK;
}

static Err action_of(Arena *a, const Json *v, RuleAction *out, Diag *d) {
    const Json *changes = NULL, *command = NULL, *undo = NULL;
    *out = (RuleAction){.cost = 0};
    const Take members[] = {{"name", TAKE_TEXT, &out->name, 0, 0},
                            {"title", TAKE_TEXT, &out->title, 0, 0},
                            {"cost", TAKE_NUMBER, &out->cost, 0, RULE_COST_MAX},
                            {"changes", TAKE_ANY, &changes, 0, 0},
                            {"command", TAKE_ANY, &command, 0, 0},
                            {"undo", TAKE_ANY, &undo, 0, 0}};
    TRY(take_object(v, "an action", members, 6, d));
    if (!name_ok(out->name))
        return wrong(d, member(v, "name"), "the \"name\" of an action is 1 to 64 letters, digits, '-', '_', '.'");
    if (str_eq(out->name, RULE_NOTHING))
        return wrong(d, member(v, "name"), "\"nothing\" is tried anyway: call the action otherwise");
    if (!out->title.n) out->title = out->name;
    TRY(changes_of(a, changes, v, out, d));
    if (undo && !command) return wrong(d, undo, "an action without a \"command\" has nothing to \"undo\"");
    if (command) TRY(command_of(a, command, "a command", &out->command, d));
    return undo ? command_of(a, undo, "an undo", &out->undo, d) : ERR_OK;
}

static Err actions_of(Arena *a, const Json *list, const Json *of, Rule *out, Diag *d) {
    TRY(take_list(list, of, "actions", 1, RULE_ACTIONS_MAX, d));
    out->actions = NEW(a, RuleAction, list->count);
    for (int32_t i = 0; i < list->count; i++) {
        RuleAction x;
        TRY(action_of(a, &list->items[i], &x, d));
        if (rule_action(out, x.name) >= 0)
            return diag_add(d, ERR_ARGUMENT, member(&list->items[i], "name")->at, -1, (Str){0},
                            "there are two actions \"%.*s\"", STR_ARG(x.name));
        out->actions[out->action_count++] = x;
    }
    return ERR_OK;
}

// ---- limits and bounds --------------------------------------------------------------------------------------------

// At least one of both is said, and they leave something between them.
static Err check_range(const Json *v, const char *what, double min, double max, Diag *d) {
    if (isinf(min) && isinf(max))
        return diag_add(d, ERR_ARGUMENT, v->at, -1, (Str){0}, "%s needs a \"min\" or a \"max\"", what);
    if (min > max) return diag_add(d, ERR_ARGUMENT, v->at, -1, (Str){0}, "\"min\" of %s is above its \"max\"", what);
    return ERR_OK;
}

static Err limits_of(Arena *a, const Json *list, const Json *of, Rule *out, Diag *d) {
    TRY(take_list(list, of, "limits", 0, RULE_LIMITS_MAX, d));
    int32_t n = list ? list->count : 0;
    out->limits = NEW(a, RuleLimit, n + 1);
    for (int32_t i = 0; i < n; i++) {
        RuleLimit *l = &out->limits[i];
        *l = (RuleLimit){.min = -INFINITY, .max = INFINITY};
        const Take members[] = {{"kpi", TAKE_TEXT, &l->kpi, 0, 0},
                                {"min", TAKE_NUMBER, &l->min, 0, 0},
                                {"max", TAKE_NUMBER, &l->max, 0, 0}};
        TRY(take_object(&list->items[i], "a limit", members, 3, d));
        if (!l->kpi.n) return wrong(d, &list->items[i], "a limit needs a \"kpi\"");
        TRY(check_range(&list->items[i], "a limit", l->min, l->max, d));
    }
    out->limit_count = n;
    return ERR_OK;
}

static Err envelope_of(Arena *a, const Json *list, const Json *of, Rule *out, Diag *d) {
    TRY(take_list(list, of, "envelope", 0, RULE_ENVELOPE_MAX, d));
    int32_t n = list ? list->count : 0;
    out->envelope = NEW(a, RuleBound, n + 1);
    for (int32_t i = 0; i < n; i++) {
        RuleBound *b = &out->envelope[i];
        *b = (RuleBound){.min = -INFINITY, .max = INFINITY};
        const Take members[] = {{"command", TAKE_TEXT, &b->command, 0, 0},
                                {"pointer", TAKE_TEXT, &b->pointer, 0, 0},
                                {"min", TAKE_NUMBER, &b->min, 0, 0},
                                {"max", TAKE_NUMBER, &b->max, 0, 0}};
        TRY(take_object(&list->items[i], "a bound of the envelope", members, 4, d));
        if (!b->command.n) return wrong(d, &list->items[i], "a bound of the envelope needs a \"command\"");
        TRY(check_range(&list->items[i], "a bound of the envelope", b->min, b->max, d));
    }
    out->bound_count = n;
    return ERR_OK;
}

// The number of a payload that a bound means; false: there is none.
static bool number_at(Str payload, Str pointer, double *out) {
    Arena a;
    Json v;
    arena_init(&a, 1024);
    const Json *at = payload.n && !json_parse(payload, NULL, &a, &v, NULL) ? rule_point(&a, &v, pointer) : NULL;
    bool ok = at && json_is_number(at);
    if (ok) *out = json_f64(at);
    arena_free(&a);
    return ok;
}

static Err check_command(const RuleCommand *c, const RuleBound *b, Str action, const Json *at, Diag *d) {
    double x = 0;
    if (!str_eq(c->name, b->command)) return ERR_OK;
    if (!number_at(c->payload, b->pointer, &x))
        return diag_add(d, ERR_ARGUMENT, at->at, -1, (Str){0},
                        "the payload of \"%.*s\" has no number at \"%.*s\", which the envelope bounds", STR_ARG(action),
                        STR_ARG(b->pointer));
    if (!(x >= b->min && x <= b->max))
        return diag_add(d, ERR_ARGUMENT, at->at, -1, (Str){0}, "%.10g of \"%.*s\" is outside of the envelope", x,
                        STR_ARG(action));
    return ERR_OK;
}

static Err check_envelope(const Rule *r, const Json *list, Diag *d) {
    for (int32_t i = 0; i < r->bound_count; i++) {
        const RuleBound *b = &r->envelope[i];
        bool used = false;
        for (int32_t k = 0; k < r->action_count; k++) {
            const RuleAction *x = &r->actions[k];
            used |= str_eq(x->command.name, b->command) || str_eq(x->undo.name, b->command);
            TRY(check_command(&x->command, b, x->name, &list->items[i], d));
            TRY(check_command(&x->undo, b, x->name, &list->items[i], d));
        }
        if (!used)
            return diag_add(d, ERR_ARGUMENT, list->items[i].at, -1, (Str){0}, "no action has the command \"%.*s\"",
                            STR_ARG(b->command));
    }
    return ERR_OK;
}

// ---- the rest -----------------------------------------------------------------------------------------------------

static Err approval_of(const Json *v, Rule *out, Diag *d) {
    static const char *const elses[] = {"refuse", "act"};
    Str otherwise = STR("refuse");
    int64_t people = PEOPLE_UNLESS_SAID;
    const Take members[] = {{"within", TAKE_SPAN, &out->within_ns, 1, RULE_SPAN_MAX / 1e9},
                            {"else", TAKE_TEXT, &otherwise, 0, 0},
                            {"people", TAKE_WHOLE, &people, 1, 2}};
    TRY(take_object(v, "\"approval\"", members, 3, d));
    int e = which(otherwise, elses, 2);
    if (e < 0) return wrong(d, member(v, "else"), "\"else\" of \"approval\" is refuse or act");
    out->else_act = e == 1;
    out->people = (int32_t)people;
    return ERR_OK;
}

// Where "at" of a change stands; by its value, as the changes of an action are sorted by time.
static const Json *at_of(const Json *action, const RuleChange *c) {
    const Json *list = json_get(action, STR("changes"));
    for (int32_t i = 0; i < list->count; i++)
        if (json_get(&list->items[i], STR("value")) == c->value) return member(&list->items[i], "at");
    return action;
}

// What is changed behind the end of the forks would never be tried.
static Err check_changes(const Json *list, const Rule *r, Diag *d) {
    for (int32_t i = 0; i < r->action_count; i++) {
        const RuleAction *x = &r->actions[i];
        if (x->change_count && x->changes[x->change_count - 1].at_ns >= r->ahead_ns)
            return diag_add(d, ERR_ARGUMENT, at_of(&list->items[i], &x->changes[x->change_count - 1])->at, -1, (Str){0},
                            "\"%.*s\" changes something that is not tried any more: \"at\" before \"ahead\"",
                            STR_ARG(x->name));
    }
    return ERR_OK;
}

static Err objective_of(const Json *v, const Json *of, Rule *out, Diag *d) {
    if (!v) return wrong(d, of, "a rule needs an \"objective\": {\"kpi\"}");
    const Take members[] = {{"kpi", TAKE_TEXT, &out->objective, 0, 0}};
    TRY(take_object(v, "\"objective\"", members, 1, d));
    return out->objective.n ? ERR_OK : wrong(d, v, "\"objective\" needs a \"kpi\"");
}

static Err watch_of(const Json *v, Rule *out, Diag *d) {
    int64_t patience = PATIENCE_UNLESS_SAID;
    out->watch_for_ns = out->ahead_ns;
    const Take members[] = {{"kpi", TAKE_TEXT, &out->watch_kpi, 0, 0},
                            {"for", TAKE_SPAN, &out->watch_for_ns, 1, RULE_SPAN_MAX / 1e9},
                            {"patience", TAKE_WHOLE, &patience, 1, RULE_PATIENCE_MAX},
                            {"margin", TAKE_NUMBER, &out->margin, 0, 1e300},
                            {"rollback", TAKE_FLAG, &out->rollback, 0, 0}};
    TRY(take_object(v, "\"watch\"", members, 5, d));
    out->patience = (int32_t)patience;
    if (!out->watch_kpi.n) return wrong(d, v, "\"watch\" needs a \"kpi\"");
    if (out->watch_for_ns > out->ahead_ns)
        return wrong(d, member(v, "for"), "what is watched was predicted: \"for\" within \"ahead\"");
    for (int32_t i = 0; out->rollback && i < out->action_count; i++)
        if (out->actions[i].command.name.n && !out->actions[i].undo.name.n)
            return diag_add(d, ERR_ARGUMENT, member(v, "rollback")->at, -1, (Str){0},
                            "\"rollback\" needs an \"undo\" of the action \"%.*s\"", STR_ARG(out->actions[i].name));
    return ERR_OK;
}

// What is said in a rule beside its texts.
typedef struct Parts {
    const Json *approval, *objective, *limits, *envelope, *actions, *watch;
    Str mode, same;
    int64_t most, replications, seed;
} Parts;

static Err take_rule(const Json *v, Rule *r, Parts *p, Diag *d) {
    const double longest = RULE_SPAN_MAX / 1e9;
    const Take members[] = {{"name", TAKE_TEXT, &p->same, 0, 0},
                            {"title", TAKE_TEXT, &r->title, 0, 0},
                            {"about", TAKE_TEXT, &r->about, 0, 0},
                            {"model", TAKE_TEXT, &r->model, 0, 0},
                            {"twin", TAKE_TEXT, &r->twin, 0, 0},
                            {"when", TAKE_TEXT, &r->when, 0, 0},
                            {"for", TAKE_SPAN, &r->for_ns, 0, longest},
                            {"again", TAKE_SPAN, &r->again_ns, 0, longest},
                            {"mostPerHour", TAKE_WHOLE, &p->most, 1, RULE_PER_HOUR_MAX},
                            {"fresh", TAKE_SPAN, &r->fresh_ns, 0, longest},
                            {"mode", TAKE_TEXT, &p->mode, 0, 0},
                            {"approval", TAKE_ANY, &p->approval, 0, 0},
                            {"ahead", TAKE_SPAN, &r->ahead_ns, 1, longest},
                            {"replications", TAKE_WHOLE, &p->replications, 2, RULE_REPLICATIONS_MAX},
                            {"seed", TAKE_WHOLE, &p->seed, 0, 9e18},
                            {"objective", TAKE_ANY, &p->objective, 0, 0},
                            {"limits", TAKE_ANY, &p->limits, 0, 0},
                            {"envelope", TAKE_ANY, &p->envelope, 0, 0},
                            {"actions", TAKE_ANY, &p->actions, 0, 0},
                            {"watch", TAKE_ANY, &p->watch, 0, 0}};
    return take_object(v, "a rule", members, (int)(sizeof members / sizeof *members), d);
}

static Err check_texts(const Json *v, const Rule *r, Diag *d) {
    if (!r->model.n == !r->twin.n) return wrong(d, v, "a rule is for a \"model\" or for a \"twin\"");
    if (!str_trim(r->when).n) return wrong(d, member(v, "when"), "a rule needs a condition: \"when\"");
    return r->ahead_ns ? ERR_OK : wrong(d, v, "a rule says how far it looks \"ahead\": \"PT1H\"");
}

static Err check_samples(const Json *v, const Rule *r, Diag *d) {
    int64_t n = (int64_t)(r->action_count + 1) * (r->limit_count + 1) * r->replications;
    if (n <= RULE_SAMPLES_MAX) return ERR_OK;
    return diag_add(d, ERR_LIMIT, v->at, -1, (Str){0},
                    "%d actions and \"nothing\", %d limits and the objective, %d replications: over %d values",
                    r->action_count, r->limit_count, r->replications, RULE_SAMPLES_MAX);
}

static Err read_rule(Arena *a, const Json *v, Str name, Rule *out, Diag *d) {
    Rule r = {.name = name, .within_ns = within_unless_said, .people = PEOPLE_UNLESS_SAID};
    Parts p = {.mode = STR("approve"), .replications = REPLICATIONS_UNLESS_SAID};
    TRY(take_rule(v, &r, &p, d));
    TRY(check_texts(v, &r, d));
    if (!rule_mode_of(p.mode, &r.mode)) return wrong(d, member(v, "mode"), "\"mode\" is shadow, approve or auto");
    r.most_per_hour = (int32_t)p.most;
    r.replications = (int32_t)p.replications;
    r.seed = (uint64_t)p.seed;
    if (!r.title.n) r.title = name;
    if (p.approval) TRY(approval_of(p.approval, &r, d));
    TRY(objective_of(p.objective, v, &r, d));
    TRY(limits_of(a, p.limits, v, &r, d));
    TRY(actions_of(a, p.actions, v, &r, d));
    TRY(check_changes(p.actions, &r, d));
    TRY(envelope_of(a, p.envelope, v, &r, d));
    TRY(check_envelope(&r, p.envelope, d));
    TRY(check_samples(v, &r, d));
    if (p.watch) TRY(watch_of(p.watch, &r, d));
    *out = r;
    return ERR_OK;
}

// The path of the value that stands at that byte of the document, as limits[1].min; "" for the whole.
static void place_put(Buf *b, const Json *v, int64_t at) {
    int32_t i = v->type == JSON_ARRAY || v->type == JSON_OBJECT ? v->count - 1 : -1;
    if (v->at == at) return;
    if (v->type == JSON_ARRAY) {
        while (i > 0 && v->items[i].at > at) i--;
        if (i < 0) return;
        buf_printf(b, "[%d]", i);
        place_put(b, &v->items[i], at);
    } else if (v->type == JSON_OBJECT) {
        while (i > 0 && v->members[i].value.at > at) i--;
        if (i < 0) return;
        buf_printf(b, "%s%.*s", b->n ? "." : "", STR_ARG(v->members[i].key));
        place_put(b, &v->members[i].value, at);
    }
}

Err rule_of(Arena *a, const Json *v, Str name, Rule *out, Diag *d) {
    Diag found;
    Buf place = {0};
    diag_init(&found);
    Err err = read_rule(a, v, name, out, &found);
    for (int32_t i = 0; i < found.count; i++) {
        const DiagMessage *m = &found.messages[i];
        buf_reset(&place);
        place_put(&place, v, m->at);
        err = diag_add(d, m->code, m->at, m->end, (Str){0}, "%.*s%s%.*s", STR_ARG(buf_str(&place)), place.n ? ": " : "",
                       STR_ARG(m->text));
    }
    buf_free(&place);
    diag_free(&found);
    return err;
}

static const char *const mode_names[] = {"shadow", "approve", "auto"};

const char *rule_mode_name(RuleMode m) {
    CHECK(m >= RULE_SHADOW && m <= RULE_AUTO);
    return mode_names[m];
}

bool rule_mode_of(Str name, RuleMode *out) {
    int mode = which(name, mode_names, 3);
    if (mode >= 0) *out = (RuleMode)mode;
    return mode >= 0;
}

// ---- for one twin -------------------------------------------------------------------------------------------------

static Str filled(Str s, Str twin) { return str_eq(s, RULE_TWIN) ? twin : s; }

void rule_for(Arena *a, const Rule *r, Str twin, Rule *out) {
    Rule x = *r;
    x.actions = NEW(a, RuleAction, r->action_count + 1);
    for (int32_t i = 0; i < r->action_count; i++) {
        RuleAction *to = &x.actions[i];
        *to = r->actions[i];
        to->changes = NEW(a, RuleChange, to->change_count + 1);
        for (int32_t k = 0; k < to->change_count; k++) {
            to->changes[k] = r->actions[i].changes[k];
            to->changes[k].twin = filled(to->changes[k].twin, twin);
        }
        to->command.twin = filled(to->command.twin, twin);
        to->undo.twin = filled(to->undo.twin, twin);
    }
    *out = x;
}

int32_t rule_action(const Rule *r, Str name) {
    if (str_eq(name, RULE_NOTHING)) return 0;
    for (int32_t i = 0; i < r->action_count; i++)
        if (str_eq(r->actions[i].name, name)) return i + 1;
    return -1;
}

const Json *rule_point(Arena *a, const Json *v, Str pointer) {
    Str token;
    while (v && json_pointer_next(&pointer, a, &token)) {
        int64_t i;
        if (v->type == JSON_OBJECT) v = json_get(v, token);
        else if (v->type == JSON_ARRAY && token.n && token.p[0] >= '0' && token.p[0] <= '9' && str_to_i64(token, &i) &&
                 i < v->count && (token.n == 1 || token.p[0] != '0'))
            v = &v->items[i];
        else v = NULL;
    }
    return pointer.n ? NULL : v;
}
