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
Rates *rates_ref(Rates *r);
void rates_unref(Rates *r); // NULL is fine
MUST Err rates_add(const Rates *r, Sim *s, Diag *d);
// Does nothing move: no rate, no event, no definition?
bool rates_empty(const Rates *r);

// How it is solved.
typedef enum RatesSolver { RATES_AUTO, RATES_RK45, RATES_CVODE } RatesSolver;
typedef struct RatesOptions {
    RatesSolver solver; // AUTO: RK45, and CVODE when it is found to be stiff
    double rtol, atol;  // 0: 1e-6; 1e-9 (SI)
    double step_max_s;  // 0: none
} RatesOptions;
void rates_options(Rates *r, const RatesOptions *o); // before rates_add
