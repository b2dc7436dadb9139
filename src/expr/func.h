// SPDX-License-Identifier: Apache-2.0
// What the binder and the evaluators share: the function table and the arithmetic of single values. Only src/expr
// includes this. Any thread; texts that are made come from the arena given.
#pragma once
#include "expr/expr.h"

// ORDER FUNC
typedef enum FuncId {
#define FUNC(id, name, alias, args, min, max, params, result, units, doc, example) FUNC_##id,
#include "expr/func.def"
#undef FUNC
    FUNC_COUNT
} FuncId;

typedef enum FuncResult {
    RESULT_BOOL,
    RESULT_I64,
    RESULT_F64,
    RESULT_STR,
    RESULT_TIME,
    RESULT_DURATION,
    RESULT_POINT,
    RESULT_SAME,
    RESULT_OWN,
} FuncResult;

typedef enum FuncUnits { UNITS_DROP, UNITS_KEEP, UNITS_LIKE, UNITS_ANGLE, UNITS_DERIVE } FuncUnits;

// The part of a row that is not for people.
typedef struct FuncRule {
    const char *params;
    FuncResult result;
    FuncUnits units;
} FuncRule;

#define FUNC_ARGS_MAX 64         // of one call
#define FUNC_TEXT_MAX (1 << 20)  // bytes a function may make; beyond it is undefined
#define EARTH_RADIUS_M 6371008.8 // mean radius R1 of GRS 80: Moritz, "Geodetic Reference System 1980", 2000

// The row of that name or alias (case ignored), or -1.
int32_t expr_func_find(Str name);
const FuncRule *expr_func_rule(int32_t func);
// The function of n values. Undefined when one is (but for IS_*, COALESCE) and where the types do not fit.
ExprValue expr_func_call(int32_t func, const ExprValue *args, int32_t n, const ExprRun *run);
// Geometry functions; texts are GeoJSON. Undefined when a text is no geometry of the kind wanted.
ExprValue expr_geo_point(Str geojson);
ExprValue expr_geo_distance(const ExprValue *a, const ExprValue *b);
ExprValue expr_geo_within(const ExprValue *place, const ExprValue *area);
// The text in lower or upper case, in the arena.
Str expr_text_case(Str s, bool upper, Arena *a);

// a OP b for BOUND_ADD ... BOUND_MOD, and -a for BOUND_NEG (b is not looked at).
ExprValue expr_value_arith(BoundOp op, const ExprValue *a, const ExprValue *b);
// a OP b for BOUND_EQ ... BOUND_GE: BOOL or undefined.
ExprValue expr_value_relate(BoundOp op, const ExprValue *a, const ExprValue *b);
// As BOUND_CAST.
ExprValue expr_value_cast(const ExprValue *v, ExprType to, Arena *a);
// As BOUND_SCALE.
ExprValue expr_value_scale(const ExprValue *v, double factor, double offset);
// As BOUND_DOC: the member or element, cast to `to` unless that is ANY.
ExprValue expr_value_member(const ExprValue *doc, const ExprSeg *seg, ExprType to, Arena *a);
// Value IN the constants of args[1..] of b, a BOUND_IN or BOUND_NIN.
ExprValue expr_value_in(const Bound *b, const ExprValue *v);
// The value of a scanned JSON token whose text begins at raw (an array's or object's whole text).
ExprValue expr_value_of_json(Str raw, Arena *a);
// TO_STRING.
Str expr_value_text(const ExprValue *v, Arena *a);
// An ISO 8601 duration of weeks, days, hours, minutes, seconds (a year has 365 days; months do not fit), or "90s".
bool expr_duration_parse(Str s, int64_t *ns);
// RFC 3339 date-time, or a date (its midnight UTC).
bool expr_time_parse(Str s, int64_t *ns);

// I64 or F64.
static inline bool expr_is_number(ExprType t) { return t == EXPR_I64 || t == EXPR_F64; }
