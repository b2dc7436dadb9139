// SPDX-License-Identifier: Apache-2.0
// Nothing here calls what made the decision; the seal (decision_hash) is all that both share. Every reason to refuse is
// a return; OK is reached at the foot only.
#include "decide/guard.h"
#include <math.h>
#include <stdarg.h>
#include "base/time.h"
#include "decide/record.h"

// A proposal may have waited for others before people were asked.
static const int64_t queue_ns = INT64_C(300) * NS_PER_S;

typedef struct Guard {
    const GuardAsk *ask;
    Arena a;
    Json record;
    Str twin, choice;
    const Json *definition, *declared; // the action
    const Json *alternative;           // what it came to
    int64_t at_ns;                     // of the trigger
    Diag *d;
} Guard;

static Err refuse(const Guard *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static Err refuse(const Guard *g, const char *fmt, ...) {
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    Err err = diag_add(g->d, ERR_NOT_ALLOWED, -1, -1, g->choice, "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&text);
    return err;
}

// ---- reading ------------------------------------------------------------------------------------------------------

static Str text_of(const Json *v, const char *name) {
    const Json *m = v ? json_get(v, str_of(name)) : NULL;
    return m && m->type == JSON_STRING ? m->s : (Str){0};
}

static const Json *list_of(const Json *v, const char *name) {
    const Json *m = v ? json_get(v, str_of(name)) : NULL;
    return m && m->type == JSON_ARRAY ? m : NULL;
}

static bool instant_of(const Json *v, const char *name, int64_t *out) {
    Str s = text_of(v, name);
    return s.n && time_parse(s, out);
}

// A whole number that is not said is `otherwise`; anything else is -1.
static int64_t whole_of(const Json *v, const char *name, int64_t otherwise) {
    const Json *m = v ? json_get(v, str_of(name)) : NULL;
    if (!m) return otherwise;
    return m->type == JSON_INT && m->i >= 0 ? m->i : -1;
}

// A bound that is not said is open; what is no number is NaN, within which nothing is.
static double bound_of(const Json *v, const char *name, double open) {
    const Json *m = json_get(v, str_of(name));
    if (!m) return open;
    return json_is_number(m) ? json_f64(m) : NAN;
}

// The only object of a list whose member is that text; NULL: none, or several.
static const Json *only(const Json *list, const char *member, Str text) {
    const Json *found = NULL;
    for (int32_t i = 0; list && i < list->count; i++) {
        if (!str_eq(text_of(&list->items[i], member), text)) continue;
        if (found) return NULL;
        found = &list->items[i];
    }
    return found;
}

// Is `a` more than `span` after `b`? Instants of a damaged record may be centuries apart.
static bool later_by(int64_t a, int64_t b, int64_t span) {
    int64_t between;
    return a > b && (__builtin_sub_overflow(a, b, &between) || between > span);
}

// Some object within it has a member twice: readers may differ on which one counts.
static bool twice(const Json *v) {
    if (v->type == JSON_OBJECT && v->dup) return true;
    for (int32_t i = 0; v->type == JSON_ARRAY && i < v->count; i++)
        if (twice(&v->items[i])) return true;
    for (int32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++)
        if (twice(&v->members[i].value)) return true;
    return false;
}

// ---- 1: switch and seal -------------------------------------------------------------------------------------------

static Err check_seal(Guard *g) {
    char hash[65];
    if (g->ask->stopped) return refuse(g, "the kill switch is on: nothing is sent");
    if (json_parse(g->ask->record, NULL, &g->a, &g->record, NULL) || g->record.type != JSON_OBJECT)
        return refuse(g, "the record cannot be read");
    if (twice(&g->record)) return refuse(g, "the record has a member twice");
    decision_hash(&g->record, hash);
    if (!str_eq(text_of(&g->record, "hash"), str_of(hash))) return refuse(g, "the record is not what was sealed");
    g->definition = json_get(&g->record, STR("definition"));
    g->choice = text_of(&g->record, "choice");
    g->twin = text_of(&g->record, "twin");
    if (!g->definition || g->definition->type != JSON_OBJECT) return refuse(g, "the record has no rule");
    if (!instant_of(json_get(&g->record, STR("trigger")), "at", &g->at_ns) || g->at_ns > g->ask->now_ns)
        return refuse(g, "the record does not say when it was set off");
    return ERR_OK;
}

// ---- 2: the choice, and what leaves -------------------------------------------------------------------------------

static Err check_choice(Guard *g) {
    Str one = text_of(g->definition, "twin");
    if (!g->twin.n || (one.n && !str_eq(one, g->twin))) return refuse(g, "the rule is not for this twin");
    if (!g->choice.n || str_eq(g->choice, RULE_NOTHING)) return refuse(g, "no action was chosen");
    g->declared = only(list_of(g->definition, "actions"), "name", g->choice);
    if (!g->declared) return refuse(g, "the rule does not declare the action");
    g->alternative = only(list_of(&g->record, "alternatives"), "action", g->choice);
    if (!g->alternative) return refuse(g, "the action was not tried");
    if (json_get(g->alternative, STR("dropped"))) return refuse(g, "the action was dropped");
    return ERR_OK;
}

// Is it the command that `said` says, for the record's twin, byte by byte?
static bool same_command(Guard *g, const Json *said, bool filled, const RuleCommand *c) {
    Buf payload = {0};
    const Json *p = json_get(said, STR("payload"));
    Str twin = text_of(said, "twin");
    if (!filled && str_eq(twin, RULE_TWIN)) twin = g->twin;
    if (p) json_put(&payload, p);
    bool same = c->name.n > 0 && str_eq(text_of(said, "name"), c->name) && str_eq(twin, c->twin) &&
                str_eq(text_of(said, "component"), c->component) && str_eq(buf_str(&payload), c->payload);
    buf_free(&payload);
    return same;
}

static Err check_leaving(Guard *g) {
    const char *kind = g->ask->undo ? "undo" : "command";
    const Json *said = json_get(g->declared, str_of(kind));
    if (!said || said->type != JSON_OBJECT) return refuse(g, "the rule declares no %s of this action", kind);
    if (!same_command(g, said, false, &g->ask->leaving)) return refuse(g, "this is not the %s that is declared", kind);
    const Json *recorded = json_get(&g->record, g->ask->undo ? STR("rollback") : STR("command"));
    if (!recorded || recorded->type != JSON_OBJECT || !same_command(g, recorded, true, &g->ask->leaving))
        return refuse(g, "this is not the %s that is on record", kind);
    return ERR_OK;
}

// ---- 3: limits ----------------------------------------------------------------------------------------------------

static Err check_limit(const Guard *g, const Json *declared, const Json *tried, int64_t n) {
    Str kpi = text_of(declared, "kpi");
    const Json *samples = list_of(tried, "samples");
    double min = bound_of(declared, "min", -INFINITY), max = bound_of(declared, "max", INFINITY);
    if (!kpi.n || !str_eq(kpi, text_of(tried, "kpi"))) return refuse(g, "a declared limit was not looked at");
    if (!samples || samples->count != n) return refuse(g, "samples of %.*s are missing", STR_ARG(kpi));
    for (int32_t r = 0; r < n; r++) {
        const Json *v = &samples->items[r];
        if (!json_is_number(v)) return refuse(g, "%.*s is not known in replication %d", STR_ARG(kpi), r);
        if (!(json_f64(v) >= min && json_f64(v) <= max))
            return refuse(g, "%.*s breaks its limit in replication %d", STR_ARG(kpi), r);
    }
    return ERR_OK;
}

// All declared limits hold in all n replications of an alternative, and its objective is known in all.
static Err check_samples(const Guard *g, const Json *alternative, int64_t n) {
    const Json *declared = list_of(g->definition, "limits"), *tried = list_of(alternative, "limits");
    const Json *samples = list_of(alternative, "samples");
    if (!samples || samples->count != n) return refuse(g, "samples of the objective are missing");
    for (int32_t r = 0; r < n; r++)
        if (!json_is_number(&samples->items[r])) return refuse(g, "the objective is not known in replication %d", r);
    if (!declared && json_get(g->definition, STR("limits"))) return refuse(g, "the limits cannot be read");
    if ((declared ? declared->count : 0) != (tried ? tried->count : 0))
        return refuse(g, "a declared limit was not looked at");
    for (int32_t i = 0; declared && i < declared->count; i++)
        TRY(check_limit(g, &declared->items[i], &tried->items[i], n));
    return ERR_OK;
}

// Better than doing nothing on average, unless that breaks a limit.
static Err check_gain(const Guard *g, int64_t n) {
    const Json *nothing = only(list_of(&g->record, "alternatives"), "action", RULE_NOTHING);
    Str better = text_of(json_get(&g->record, STR("objective")), "better");
    Guard quiet = *g;
    double sum = 0;
    quiet.d = NULL;
    if (!nothing) return refuse(g, "doing nothing was not tried");
    if (check_samples(&quiet, nothing, n)) return ERR_OK;
    const Json *a = list_of(g->alternative, "samples"), *b = list_of(nothing, "samples");
    for (int32_t r = 0; r < n; r++) sum += json_f64(&a->items[r]) - json_f64(&b->items[r]);
    bool good = str_eq(better, STR("more")) ? sum > 0 : str_eq(better, STR("less")) && sum < 0;
    return good ? ERR_OK : refuse(g, "doing nothing is as good");
}

static Err check_tried(const Guard *g) {
    int64_t n = whole_of(g->definition, "replications", 30);
    if (n < 2 || n > RULE_REPLICATIONS_MAX || whole_of(&g->record, "replications", -1) != n)
        return refuse(g, "it was not tried as often as the rule says");
    TRY(check_samples(g, g->alternative, n));
    return check_gain(g, n);
}

// ---- 4: the envelope ----------------------------------------------------------------------------------------------

static Err check_bound(Guard *g, const Json *bound, const Json *payload) {
    const Json *pointer = json_get(bound, STR("pointer"));
    if (pointer && pointer->type != JSON_STRING) return refuse(g, "the envelope cannot be read");
    const Json *v = payload ? rule_point(&g->a, payload, pointer ? pointer->s : (Str){0}) : NULL;
    if (!v || !json_is_number(v)) return refuse(g, "the payload lacks a number that the envelope bounds");
    double x = json_f64(v);
    if (x >= bound_of(bound, "min", -INFINITY) && x <= bound_of(bound, "max", INFINITY)) return ERR_OK;
    return refuse(g, "%.10g in the payload is outside of the envelope", x);
}

static Err check_envelope(Guard *g) {
    const Json *envelope = list_of(g->definition, "envelope");
    Json payload;
    bool given = g->ask->leaving.payload.n > 0;
    if (given && (json_parse(g->ask->leaving.payload, NULL, &g->a, &payload, NULL) || twice(&payload)))
        return refuse(g, "the payload cannot be read");
    if (!envelope && json_get(g->definition, STR("envelope"))) return refuse(g, "the envelope cannot be read");
    for (int32_t i = 0; envelope && i < envelope->count; i++) {
        Str command = text_of(&envelope->items[i], "command");
        if (!command.n) return refuse(g, "the envelope cannot be read");
        if (str_eq(command, g->ask->leaving.name)) TRY(check_bound(g, &envelope->items[i], given ? &payload : NULL));
    }
    return ERR_OK;
}

// ---- 5: who allowed it, and when ----------------------------------------------------------------------------------

// The more careful of what the rule says and what the record says; -1: not readable.
static int mode_of(const Guard *g) {
    RuleMode rule = RULE_APPROVE, record;
    const Json *said = json_get(g->definition, STR("mode"));
    if (said && !rule_mode_of(text_of(g->definition, "mode"), &rule)) return -1;
    if (!rule_mode_of(text_of(&g->record, "mode"), &record)) return -1;
    return (int)(rule < record ? rule : record);
}

// One that counts: by this very record, in time.
static bool counts(const Guard *g, const Json *v, int64_t due_ns, int64_t *at_ns) {
    return str_eq(text_of(v, "verdict"), STR("approve")) && str_eq(text_of(v, "hash"), text_of(&g->record, "hash")) &&
           instant_of(v, "at", at_ns) && *at_ns >= g->at_ns && *at_ns <= due_ns && *at_ns <= g->ask->now_ns;
}

static bool said_before(const Json *by, int32_t i) {
    for (int32_t k = 0; k < i; k++)
        if (str_eq(text_of(&by->items[k], "who"), text_of(&by->items[i], "who"))) return true;
    return false;
}

static bool acts_alone(const Json *approval) { return str_eq(text_of(approval, "else"), STR("act")); }

static Err check_approval(const Guard *g, int64_t *allowed_ns) {
    const Json *approval = json_get(&g->record, STR("approval")), *by = list_of(approval, "by");
    const Json *rule = json_get(g->definition, STR("approval"));
    int64_t people = whole_of(rule, "people", 1), n = 0, due, last = INT64_MIN, within = 15 * 60 * NS_PER_S;
    Str said = text_of(rule, "within");
    if (rule && rule->type != JSON_OBJECT) return refuse(g, "the rule does not say who approves");
    if (said.n && !time_parse_period(said, &within) && !time_parse_duration(said, &within))
        return refuse(g, "the rule does not say how long people have");
    if (within < 0 || within > RULE_SPAN_MAX) return refuse(g, "the rule does not say how long people have");
    if (people < 1 || people > 2) return refuse(g, "the rule does not say how many people approve");
    if (!instant_of(approval, "due", &due) || later_by(due, g->at_ns, within + queue_ns))
        return refuse(g, "the record does not say how long people had");
    for (int32_t i = 0; by && i < by->count; i++) {
        int64_t at;
        if (!str_eq(text_of(&by->items[i], "verdict"), STR("approve"))) return refuse(g, "somebody refused it");
        if (said_before(by, i) || !counts(g, &by->items[i], due, &at)) continue;
        if (at > last) last = at;
        n++;
    }
    *allowed_ns = n >= people ? last : due;
    if (n >= people || (acts_alone(rule) && g->ask->now_ns >= due)) return ERR_OK;
    return refuse(g, "%lld of %lld people approved it in time", (long long)n, (long long)people);
}

static Err check_mode(const Guard *g, int64_t *allowed_ns) {
    *allowed_ns = g->at_ns;
    switch (mode_of(g)) {
    case RULE_AUTO: return ERR_OK;
    case RULE_APPROVE: return check_approval(g, allowed_ns);
    case RULE_SHADOW: return refuse(g, "the rule only watches");
    default: return refuse(g, "the mode cannot be read");
    }
}

static Err check_soon(const Guard *g, int64_t from_ns) {
    if (g->ask->now_ns < from_ns) return refuse(g, "it is sent before it was allowed");
    return later_by(g->ask->now_ns, from_ns, GUARD_SEND_NS) ? refuse(g, "it was allowed too long ago") : ERR_OK;
}

// ---- both ---------------------------------------------------------------------------------------------------------

static Err check_command(Guard *g) {
    const Json *command = json_get(&g->record, STR("command"));
    int64_t allowed_ns, sent_ns, most = whole_of(g->definition, "mostPerHour", INT64_MAX);
    if (!str_eq(text_of(&g->record, "state"), STR("sending"))) return refuse(g, "the record is not at sending");
    if (json_get(command, STR("answered"))) return refuse(g, "it was sent before");
    if (!instant_of(command, "sent", &sent_ns)) return refuse(g, "the record does not say that it is sent");
    TRY(check_tried(g));
    TRY(check_mode(g, &allowed_ns));
    TRY(check_soon(g, allowed_ns));
    TRY(check_soon(g, sent_ns));
    if (g->ask->sent_last_hour >= most || most < 0) return refuse(g, "the rule has sent enough within the hour");
    return ERR_OK;
}

static Err check_undo(const Guard *g) {
    static const char *const states[] = {"watching", "kept", "left", "unknown"};
    const Json *undo = json_get(&g->record, STR("rollback")), *watch = json_get(&g->record, STR("watch"));
    const Json *rule = json_get(g->definition, STR("watch"));
    const Json *alone = rule ? json_get(rule, STR("rollback")) : NULL;
    int64_t asked_ns, at;
    bool after = false;
    for (int i = 0; i < 4; i++) after |= str_eq(text_of(&g->record, "state"), str_of(states[i]));
    if (!after || !instant_of(json_get(&g->record, STR("command")), "sent", &at))
        return refuse(g, "there is nothing to undo");
    if (json_get(undo, STR("answered"))) return refuse(g, "it was undone before");
    if (!instant_of(undo, "asked", &asked_ns)) return refuse(g, "nobody asked to undo it");
    bool left = watch && instant_of(watch, "left", &at) && at <= g->ask->now_ns;
    if (!text_of(undo, "by").n && !(alone && alone->type == JSON_TRUE && left))
        return refuse(g, "the rule does not undo it by itself");
    if (mode_of(g) <= RULE_SHADOW) return refuse(g, "the rule only watches");
    return check_soon(g, asked_ns);
}

static Err check_all(Guard *g) {
    TRY(check_seal(g));
    TRY(check_choice(g));
    TRY(check_leaving(g));
    TRY(g->ask->undo ? check_undo(g) : check_command(g));
    return check_envelope(g);
}

Err guard_allows(const GuardAsk *ask, Diag *d) {
    Guard g = {.ask = ask, .d = d};
    arena_init(&g.a, 0);
    Err err = check_all(&g);
    arena_free(&g.a);
    return err;
}
