// SPDX-License-Identifier: Apache-2.0
// Behaviours: how twins move by themselves, said in expressions. Documents of the world (collection "behaviours"):
//
//   { "model": "dtmi:...:Tank;1",            or "twin": "tank-1"
//     "title": "...", "zone": "+01:00",      optional
//     "parameters": { "k": 0.2 },            constants, with a unit: { "k": "0.2 'wattPerKelvin'" }
//     "say": [ "der(level) = (SUM(in.fills.flow) - SUM(out.drains.flow)) / area",
//              "pressure = density * 9.81 'metrePerSecondSquared' * level",
//              "when level > high then pump.on = false, alarm = 'high' else alarm = 'none'",
//              "every 1h do noise = RANDOM_NORMAL(0, 0.1)",
//              "at rate failureRate do state = 'down', repairAt = elapsed + RANDOM_EXPONENTIAL(2h)",
//              "initially level = 2" ] }
//
//   statement = "der" "(" path ")" "=" expr                  a rate, per second of the property's unit
//             | path "=" expr                                always so (algebraic); no circles among them
//             | "when" expr "then" acts [ "else" acts ]      once, when it becomes true (false)
//             | "every" span [ "from" span | "at" span ] "do" acts     at: behind Monday 00:00 of the world's clock
//             | "at" "rate" expr "do" acts                   a Poisson process of that rate, 1/s
//             | "initially" acts                             when a run begins
//   acts      = target "=" expr { "," target "=" expr }      all right sides are taken before any left side is set
//   target    = path | ("in" | "out") "." relationship "." path      its own, a component's, or all such neighbours'
//   expr      as in expr/expr.h over numbers, truths and texts, without functions of texts, times and the past, with
//     elapsed                   seconds since the run began, a quantity of time
//     hour, weekday             of the world's clock in the document's "zone" ("+01:00"; UTC): 0 <= hour < 24, a number
//                               with its parts; Monday is 1
//     DELAY(x, span [, start])  x as it was a span ago
//     TABLE(x, x0, y0, x1, y1 ...)   piecewise linear, constant outside; kinks in time are instants
//     RANDOM_UNIFORM(a, b) RANDOM_NORMAL(mean, sd) RANDOM_EXPONENTIAL(mean) RANDOM_POISSON(mean)   in acts only; by
//                               (seed, scenario, twin, statement, how many before)
//     PRE(x)                    in acts: before this instant
//
// Units are checked as dimensions: a sum of metres and seconds, or a rate that is not its property's unit per time, is
// refused with the statement, the column of text and both dimensions. All arithmetic is in SI; what is missing is
// undefined (NaN) and whatever needs it too; a state whose rate is undefined rests.
//
// The narrower model's statement for a property wins over that of the model it extends; a twin's own over both; two of
// one width are refused.
#pragma once
#include "expr/expr.h"
#include "sim/sim.h"

#define BEHAVIOURS_COLLECTION STR("behaviours")
#define BEHAVIOURS_MAX 1000           // in one world
#define BEHAVIOUR_STATEMENTS_MAX 1000 // in one of them

// Look at one document alone, for the models of the catalog: everything but what other documents say. Errors:
// VALIDATION, SYNTAX, MODEL_NOT_FOUND; messages name statement and column.
MUST Err behaviour_check(const Catalog *c, Str name, Str json, Diag *d);

// All behaviours of a world as one engine "rates" in `s`. Does nothing when there are none. Errors: as behaviour_check,
// and VALIDATION for what they say together (two statements for one property, a circle of definitions, with the path).
typedef struct Rates Rates; // what it was made into; shared by all Sims of one graph and one catalog
MUST Err rates_make(SimGraph *g, const Catalog *c, Rates **out, Diag *d);
// The same without any behaviour: nothing moves, and what is watched is what the world's values make of it.
MUST Err rates_still(SimGraph *g, const Catalog *c, Rates **out, Diag *d);
Rates *rates_ref(Rates *r);
void rates_unref(Rates *r); // NULL is fine
MUST Err rates_add(const Rates *r, Sim *s, Diag *d);
// Definitions of derived values (collection "derived") that statements read move with them within a run, see derived.c.
// Those that cannot stand as they are: their names, and a sentence why. Texts live as long as r.
typedef struct RatesNote {
    Str name, why;
} RatesNote;
const RatesNote *rates_notes(const Rates *r, uint32_t *count);
// Does nothing move: no rate, no event, no definition?
bool rates_empty(const Rates *r);

// How it is solved.
typedef enum RatesSolver { RATES_AUTO, RATES_RK45, RATES_CVODE } RatesSolver;
typedef struct RatesOptions {
    RatesSolver solver; // AUTO: RK45, and CVODE when it is found to be stiff
    double rtol, atol;  // 0: 1e-6; 1e-9 (SI)
    double step_max_s;  // 0: none
    double watch_s;     // what is watched is looked at at least that often; 0: 60 s
    bool brief;         // of what is wanted as of the present alone, nothing is counted on the way
} RatesOptions;
void rates_options(Rates *r, const RatesOptions *o); // before rates_add

// ---- what is watched ------------------------------------------------------------------------------------------------
// Expressions of single twins whose course is counted over a run: what they were, their mean, integral, least and most.
// They change nothing of what the behaviours do, to the last bit.
//
// What moves by events alone is counted exactly. What moves between events is integrated over the dense output of the
// solver, step by step, where it lies between two instants (Gauss-Lobatto with Kronrod's extension, Gander and Gautschi
// 2000, halved until both agree to 1e-8); comparisons that change sides on the way are found first. Least and most are
// those of instants and of at least seven looks at each step, and of a parabola through them.
// What an expression is not known at is left out. Values that engines move between instants count as of the last one.

typedef struct RatesAsk {
    Str name;      // in messages: "KPI NAME"
    uint64_t twin; // its number
    Str text;      // the expression, as in behaviours, without DELAY and what is random
    Str unit;      // "": that of the property, or SI; a unit of measure; else a label for what has no dimension
    bool integral; // the unit is that of the integral over time
    bool extremes; // least and most are wanted
    // What it is at the end is wanted: with RatesOptions.brief that alone is told, and `known` as of instants.
    bool present;
} RatesAsk;
typedef struct RatesMeasure {
    double factor, offset; // SI = value * factor + offset; of integrals without the offset
    Str unit;
} RatesMeasure;

// Add one; after rates_make, before rates_add and rates_ref. They are numbered from 0 on in order; one that fails takes
// no number. Errors: VALIDATION, SYNTAX, LIMIT, TWIN_NOT_FOUND; messages name KPI and
// column.
MUST Err rates_watch(Rates *r, const RatesAsk *a, Diag *d);
uint32_t rates_watches(const Rates *r);
// Lives as long as the Rates.
const RatesMeasure *rates_measure(const Rates *r, uint32_t watch);
// Look at one for the twins of a table, without the rest. Errors: as rates_watch.
MUST Err rates_watch_check(const Catalog *c, int32_t table, const RatesAsk *a, Diag *d);

// What came of one since t = 0, in SI.
typedef struct RatesWatched {
    double now;         // NaN: undefined
    double sum, known;  // over the time that it was known: its integral, and that time in s
    double least, most; // NaN: it was never known
} RatesWatched;
// As of sim_now, of a Sim that has started; it must be the one the Rates was added to, or a fork of it.
void rates_watched(const Rates *r, const Sim *s, uint32_t watch, uint16_t lane, RatesWatched *out);
