// SPDX-License-Identifier: Apache-2.0
// Definitions that people make for simulation, as documents of a world: how twins behave, how engines are bound to
// models, what is counted, what may be tried out. Part of the world: forked, journalled and undone with it.
//
//   behaviours  sim/behaviour.h
//   mappings    sim/mapping.h
//   kpis        { "title", "unit", "twin", "expression", "over": "last" | "mean" | "min" | "max" | "integral",
//                 "better": "more" | "less", "of": "money" | "co2" | "time" | "service" | ... }
//   whatifs     { "title", "about", "from", "for": "P7D", "output": "PT15M", "seed", "changes": [ { "at": "PT2H",
//                 "twin", "property", "value" } ], "kpis": [ "name" ] }
//   rules       decide/rule.h: what is to be done when something holds in the live world
#pragma once
#include "engine/engine.h"

#define DEFINITION_NAME_MAX 128    // bytes of a name
#define DEFINITIONS_MAX 1000       // of one collection of a world
#define WHATIF_CHANGES_MAX 10000   // of one what-if
#define DEFINITION_BYTES_MAX 65536 // of one definition

#define KPIS_COLLECTION STR("kpis")
#define WHATIFS_COLLECTION STR("whatifs")
#define RULES_COLLECTION STR("rules")

// SOSIA_DEFINITION_PUT, _DELETE: into the open batch; the task's `sub` is the collection, `id` the name. Errors:
// ARGUMENT, SYNTAX, VALIDATION, MODEL_NOT_FOUND, TWIN_NOT_FOUND, LIMIT, DEFINITION_NOT_FOUND; of rules also
// COMPONENT_NOT_FOUND, COMMAND_NOT_FOUND.
MUST Err definition_put(Realm *r, Task *c, Diag *d);
MUST Err definition_delete(Realm *r, const Task *c, Diag *d);
// Append the JSON of one, or of all of the collection ("" id). Errors: ARGUMENT (no such collection),
// DEFINITION_NOT_FOUND.
MUST Err definition_show(View *v, Str collection, Str id, Buf *out);

// What is counted over a run.
typedef enum KpiOver { KPI_LAST, KPI_MEAN, KPI_MIN, KPI_MAX, KPI_INTEGRAL } KpiOver;
typedef struct Kpi {
    Str name, title, unit, twin, expression, of;
    KpiOver over;
    int better; // 1: more, -1: less, 0: nothing is said
} Kpi;
// Read a definition; texts are those of `v`. Errors: ARGUMENT.
MUST Err kpi_of(const Json *v, Str name, Kpi *out, Diag *d);

// A change of a what-if or of a run: `at` after its beginning.
typedef struct PlannedChange {
    int64_t at_ns;
    Str twin, property;
    const Json *value;
    int32_t index; // where it was said, as changes are sorted by time
} PlannedChange;
typedef struct Whatif {
    Str name, title, about, from;
    int64_t for_ns, output_ns; // 0: not said
    uint64_t seed;
    PlannedChange *changes; // ascending by time
    int32_t change_count;
    Str *kpis;
    int32_t kpi_count;
} Whatif;
// Only its changes, from a list of them.
MUST Err whatif_changes(Arena *a, const Json *list, Whatif *out, Diag *d);
// Read one; arrays live in `a`, texts and values in `v`. Errors: ARGUMENT.
MUST Err whatif_of(Arena *a, const Json *v, Str name, Whatif *out, Diag *d);

// Does a rule fit the world as it is? Models, twins, KPIs, properties and commands are there, values and payloads of
// their types, and the condition can be true for what it watches. definition_rule.c.
MUST Err definition_rule_check(const View *v, const Json *json, Str name, Diag *d);
