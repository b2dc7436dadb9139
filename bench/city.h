// SPDX-License-Identifier: Apache-2.0
// City: the generated operation that questions are asked of in benches and tests. Every value is a function of the seed
// and a row number: Sosia, its peers and an oracle are fed the very same thing, in any order, without keeping it.
//
//   city --contains--> district --contains--> building --contains--> floor --contains--> room --has--> sensor
//                      district --has--> junction, pump
//   room --adjacent--> room   sensor --reportsTo--> building   pump --feeds--> building   building --faces--> junction
//   junction --road--> junction: a grid CITY_GRID wide, both ways, and some long-range roads between any two of them
//
// Every district has CITY_TWINS_EACH twins and CITY_LINKS_EACH links: 40 districts are 1 M twins and 3 M links. Twin
// rows and links are numbered in order of creation: twins by district, within one by kind as in CityKind.
// No state; any thread.
#pragma once
#include "base/buf.h"

#define CITY_TWINS_EACH 25000
#define CITY_LINKS_EACH 75000
#define CITY_BUILDINGS 230  // a district
#define CITY_FLOORS 1150    // a district; 5 a building
#define CITY_ROOMS 5750     // a district; 5 a floor
#define CITY_SENSORS 11500  // a district; 2 a room, the first a TemperatureSensor
#define CITY_JUNCTIONS 6250 // a district
#define CITY_PUMPS 119      // a district; one less in the first
#define CITY_GRID 250       // junctions from west to east; a district is a strip of 25 rows of them
#define CITY_ID_MAX 24      // bytes of an id with its NUL
#define CITY_PROPS_MAX 8

typedef struct City {
    int32_t districts; // 1 to 99
    uint64_t seed;
} City;

typedef enum CityKind {
    CITY_CITY,
    CITY_DISTRICT,
    CITY_BUILDING,
    CITY_FLOOR,
    CITY_ROOM,
    CITY_SENSOR, // any; twins themselves are of one of the four below
    CITY_JUNCTION,
    CITY_PUMP,
    CITY_TEMPERATURE,
    CITY_HUMIDITY,
    CITY_CO2,
    CITY_POWER,
    CITY_KINDS
} CityKind;

typedef enum CityRel {
    CITY_CONTAINS,
    CITY_HAS,
    CITY_ADJACENT,
    CITY_REPORTS_TO,
    CITY_FACES,
    CITY_ROAD,
    CITY_FEEDS,
    CITY_RELS
} CityRel;

typedef enum CityType { CITY_I64, CITY_F64, CITY_BOOL, CITY_TEXT } CityType;

typedef struct CityProp {
    const char *name;
    CityType type;
    int64_t i; // I64 and BOOL
    double d;  // F64: at most two digits behind the point
    char s[CITY_ID_MAX];
} CityProp;

// All twins have status, district (texts of few values), load (0 to 100, double) and age (days, integer).
typedef struct CityTwin {
    int64_t row;
    CityKind kind;
    char id[CITY_ID_MAX];
    CityProp props[CITY_PROPS_MAX];
    int32_t prop_count;
} CityTwin;

typedef struct CityLink {
    int64_t number; // from 0; its id is "l" and the number
    CityRel rel;
    int64_t source, target; // rows
    double length;          // roads, metres
    int32_t lanes;          // roads; 0: no property
} CityLink;

// How many twins and links.
int64_t city_twin_count(const City *c);
int64_t city_link_count(const City *c);
// Row of the n-th of a kind in a district: kinds CITY to PUMP.
int64_t city_row(const City *c, CityKind kind, int32_t district, int32_t n);
// The id of a row: "city", "district-07", "building-07-123", "sensor-07-01234".
void city_id(const City *c, int64_t row, char out[CITY_ID_MAX]);
// Everything about a row.
void city_twin(const City *c, int64_t row, CityTwin *out);
// The value of its property "load".
double city_load(const CityTwin *t);
// Call fn for every link, in order.
void city_links(const City *c, void (*fn)(void *arg, const CityLink *l), void *arg);
// "contains", "reportsTo"; "dtmi:city:Building;1". Static memory.
const char *city_rel_name(CityRel r);
const char *city_model_id(CityKind k);
// The models as a JSON array: Asset over all, Place, Device and Sensor between.
Str city_models(void);
// Append one document without newline, as PUT and the bulk import take it (twins with $dtId, links with both ends).
void city_put_twin(const CityTwin *t, Buf *out);
void city_put_link(const City *c, const CityLink *l, Buf *out);
// Write the whole as bulk import bodies of at most about `size` bytes: models, then twins, then links; each body is
// complete in itself. fn false stops.
bool city_import(const City *c, int64_t size, bool (*fn)(void *arg, Str body), void *arg);
