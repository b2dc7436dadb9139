// SPDX-License-Identifier: Apache-2.0
// Rules: what is to be done when something holds in the live world, as people define it (collection `rules`).
//
//   { "title", "about", "model" | "twin", "when", "for", "again", "mostPerHour", "fresh",
//     "mode": "shadow" | "approve" | "auto", "approval": { "within", "else": "refuse" | "act", "people": 1 | 2 },
//     "ahead", "replications", "seed", "objective": { "kpi" }, "limits": [ { "kpi", "min", "max" } ],
//     "envelope": [ { "command", "pointer", "min", "max" } ],
//     "actions": [ { "name", "title", "cost", "changes": [ { "at", "twin", "property", "value" } ],
//                    "command": { "twin", "component", "name", "payload", "timeout" }, "undo": { the same } } ],
//     "watch": { "kpi", "for", "patience", "margin", "rollback" } }
//
// A document becomes a Rule (rule_of), which is filled in for one twin (rule_for). What a rule names (models, twins,
// KPIs, properties) is not looked up here; the engine does when a rule is put. No clock, no world. Any thread.
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define RULE_ACTIONS_MAX 16  // of a rule; "nothing" comes on top
#define RULE_LIMITS_MAX 32   // of a rule
#define RULE_ENVELOPE_MAX 64 // bounds of a rule
#define RULE_CHANGES_MAX 100 // of an action
#define RULE_REPLICATIONS_MAX 1000
#define RULE_SAMPLES_MAX 20000 // (actions + 1) * (limits + 1) * replications: what a record keeps
#define RULE_PER_HOUR_MAX 3600 // of mostPerHour
#define RULE_PATIENCE_MAX 1000 // of watch
#define RULE_COST_MAX 1e12     // of an action
#define RULE_SPAN_MAX (INT64_C(366) * 86400 * 1000000000) // longest of its lengths of time, ns
#define RULE_TIMEOUT_MAX (INT64_C(300) * 1000000000)      // of a command, ns

#define RULE_NOTHING STR("nothing") // the action that is always tried beside those declared
#define RULE_TWIN STR("$twin")      // the twin that set it off, where a twin is named

typedef enum RuleMode { RULE_SHADOW, RULE_APPROVE, RULE_AUTO } RuleMode; // from the careful to the bold

// One change of the world in the fork where an action is tried.
typedef struct RuleChange {
    int64_t at_ns; // after the beginning
    Str twin, property;
    const Json *value; // JSON_NULL takes the value away
} RuleChange;

typedef struct RuleCommand {
    Str twin, component, name; // name "": there is no command
    Str payload;               // JSON, compact; "": none
    int64_t timeout_ns;
} RuleCommand;

typedef struct RuleAction {
    Str name, title;     // title: the name when none was given
    double cost;         // money, taken off the objective: 0 to RULE_COST_MAX
    RuleChange *changes; // ascending by time
    int32_t change_count;
    RuleCommand command, undo; // without a command it can only be recommended
} RuleAction;

// A KPI within [min, max], in its unit; -INFINITY, INFINITY: open on that side.
typedef struct RuleLimit {
    Str kpi;
    double min, max;
} RuleLimit;

// The number at `pointer` (RFC 6901; "": all of it) of each payload of `command` is within [min, max].
typedef struct RuleBound {
    Str command, pointer;
    double min, max;
} RuleBound;

typedef struct Rule {
    Str name, title, about;
    Str model, twin;       // one of them; each twin of the model, and of those that extend it, is watched by itself
    Str when;              // condition, as WHERE of a query
    int64_t for_ns;        // 0: at once
    int64_t again_ns;      // 0: not before it was false in between
    int32_t most_per_hour; // 0: not bounded
    int64_t fresh_ns;      // 0: values may be of any age
    RuleMode mode;
    int64_t within_ns; // of approval; 15 minutes unless said
    bool else_act;     // nobody answered: act (else refuse)
    int32_t people;    // that have to approve: 1 or 2
    int64_t ahead_ns;
    int32_t replications; // 30 unless said
    uint64_t seed;
    Str objective; // KPI
    RuleLimit *limits;
    int32_t limit_count;
    RuleBound *envelope;
    int32_t bound_count;
    RuleAction *actions;
    int32_t action_count;
    Str watch_kpi; // "": nothing is watched
    int64_t watch_for_ns;
    int32_t patience; // instants in a row outside of the band; 3 unless said
    double margin;    // in the KPI's unit, added to both sides of the band
    bool rollback;    // undo by itself when it leaves the band
} Rule;

// Read one. Arrays live in `a`; texts and values are those of `v`. Payloads of declared commands must lie within the
// envelope already. Errors: ARGUMENT, LIMIT, told with the member and its place.
MUST Err rule_of(Arena *a, const Json *v, Str name, Rule *out, Diag *d);
// The same for one twin: RULE_TWIN is that twin in changes, commands and undos. Arrays in `a`, texts of both.
void rule_for(Arena *a, const Rule *r, Str twin, Rule *out);
// Number of an action in tables that have "nothing" at 0 and action i at i + 1; -1: none is called that.
int32_t rule_action(const Rule *r, Str name);
// The value at a pointer (RFC 6901; "": all of it), as the envelope means it; NULL: there is none. Scratch in `a`.
const Json *rule_point(Arena *a, const Json *v, Str pointer);
// "shadow", "approve", "auto". Static memory.
const char *rule_mode_name(RuleMode m);
// False when there is no such mode.
bool rule_mode_of(Str name, RuleMode *out);
