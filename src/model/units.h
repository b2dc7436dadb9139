// SPDX-License-Identifier: Apache-2.0
// Units and semantic types (quantity kinds) of DTDL: the core of v2 and the quantitativeTypes extension 1, 2 and 3.
// Constant tables; any thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

// Contexts as a set. ORDER UNITSET
typedef uint8_t UnitSet;
#define UNITS_V2 1 // core of DTDL v2
#define UNITS_Q1 2 // quantitativeTypes;1, DTDL v3
#define UNITS_Q2 4 // quantitativeTypes;2, DTDL v4
#define UNITS_Q3 8 // quantitativeTypes;3, DTDL v4

// ORDER FAMILY: units.c FAMILIES
typedef enum UnitFamily {
    FAM_ACCELERATION,
    FAM_ANGLE,
    FAM_ANGULAR_ACCELERATION,
    FAM_ANGULAR_VELOCITY,
    FAM_APPARENT_ENERGY,
    FAM_APPARENT_POWER,
    FAM_AREA,
    FAM_CAPACITANCE,
    FAM_CHARGE,
    FAM_CURRENT,
    FAM_DATA_RATE,
    FAM_DATA_SIZE,
    FAM_DENSITY,
    FAM_DYNAMIC_VISCOSITY,
    FAM_ENERGY,
    FAM_FORCE,
    FAM_FREQUENCY,
    FAM_GAS_LEAKAGE_RATE,
    FAM_ILLUMINANCE,
    FAM_INDUCTANCE,
    FAM_IONIZING_RADIATION_DOSE,
    FAM_IRRADIANCE,
    FAM_KINEMATIC_VISCOSITY,
    FAM_LENGTH,
    FAM_LUMINANCE,
    FAM_LUMINOUS_FLUX,
    FAM_LUMINOUS_INTENSITY,
    FAM_MAGNETIC_FLUX,
    FAM_MAGNETIC_INDUCTION,
    FAM_MASS_FLOW_RATE,
    FAM_MASS,
    FAM_POWER,
    FAM_PRESSURE,
    FAM_RADIOACTIVITY,
    FAM_REACTIVE_ENERGY,
    FAM_REACTIVE_POWER,
    FAM_RECIPROCAL_LENGTH,
    FAM_RECIPROCAL_TIME,
    FAM_RESISTANCE,
    FAM_SOUND_PRESSURE,
    FAM_TEMPERATURE,
    FAM_TIME,
    FAM_TORQUE,
    FAM_UNITLESS,
    FAM_VELOCITY,
    FAM_VOLTAGE,
    FAM_VOLUME_FLOW_RATE,
    FAM_VOLUME,
    FAM_COUNT,
} UnitFamily;

typedef struct UnitFamilyInfo {
    const char *name; // "TemperatureUnit"
    const char *si;   // symbol of the SI unit that factors lead to, "K"
} UnitFamilyInfo;

// value in SI = value * factor + offset
typedef struct Unit {
    const char *name;   // "degreeCelsius"
    const char *symbol; // "°C", UTF-8; "" when it has none
    UnitFamily family;
    UnitSet sets; // contexts that have it
    double factor, offset;
} Unit;

typedef struct SemanticType {
    const char *name; // "Temperature"
    UnitFamily family;
    UnitSet sets;
} SemanticType;

// The unit of that name in any context, or NULL. Cost: O(log n).
const Unit *unit_find(Str name);
int32_t unit_count(void);
// In order of name; 0 <= i < unit_count.
const Unit *unit_at(int32_t i);
// The semantic type of that name in any context, or NULL. Cost: O(log n).
const SemanticType *semantic_find(Str name);
int32_t semantic_count(void);
const SemanticType *semantic_at(int32_t i);
const UnitFamilyInfo *unit_family(UnitFamily f);
// The family of that name ("TemperatureUnit"); false when there is none, *out untouched then.
bool unit_family_find(Str name, UnitFamily *out);
// `value` of unit `from` in unit `to`. False when either is unknown or they are of different families; out untouched.
bool unit_convert(Str from, Str to, double value, double *out);
