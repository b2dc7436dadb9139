// SPDX-License-Identifier: Apache-2.0
#include "city.h"
#include <stdio.h>
#include "base/check.h"
#include "base/rng.h"
#include "codec/json.h"

#define FIRST_BUILDING 1
#define FIRST_FLOOR (FIRST_BUILDING + CITY_BUILDINGS)
#define FIRST_ROOM (FIRST_FLOOR + CITY_FLOORS)
#define FIRST_SENSOR (FIRST_ROOM + CITY_ROOMS)
#define FIRST_JUNCTION (FIRST_SENSOR + CITY_SENSORS)
#define FIRST_PUMP (FIRST_JUNCTION + CITY_JUNCTIONS)
#define STRIP_ROWS (CITY_JUNCTIONS / CITY_GRID)
#define LONG_ROADS 50 // pairs a district
#define LINK_STREAM ((uint64_t)1 << 40)

_Static_assert(FIRST_PUMP + CITY_PUMPS == CITY_TWINS_EACH, "a district has as many twins as it says");

// ---- models -------------------------------------------------------------------------------------------------------

#define INTERFACE(name)                                                                                                \
    "{\"@context\":\"dtmi:dtdl:context;2\",\"@type\":\"Interface\",\"@id\":\"dtmi:city:" name ";1\",\"contents\":["
#define EXTENDS(base) "],\"extends\":\"dtmi:city:" base ";1\"}"
#define PROP(name, schema) "{\"@type\":\"Property\",\"name\":\"" name "\",\"schema\":\"" schema "\"}"
#define MEASURE(name, type, unit)                                                                                      \
    "{\"@type\":[\"Property\",\"" type "\"],\"name\":\"" name "\",\"schema\":\"double\",\"unit\":\"" unit "\"}"
#define LINK(name, target) "{\"@type\":\"Relationship\",\"name\":\"" name "\",\"target\":\"dtmi:city:" target ";1\"}"

static const char models[] = "[" INTERFACE("Asset") PROP("name", "string") "," PROP("status", "string") "," PROP(
    "district", "string") "," PROP("load", "double") "," PROP("age", "integer") "]}," INTERFACE("Place")
    LINK("contains", "Place") "," LINK("has", "Asset") "," MEASURE("area", "Area", "squareMetre") EXTENDS(
        "Asset") "," INTERFACE("City") PROP("population", "integer") EXTENDS("Place") "," INTERFACE("District")
        PROP("population", "integer") EXTENDS("Place") "," INTERFACE("Building") LINK("faces", "Junction") "," MEASURE(
            "height", "Length", "metre") "," MEASURE("energy", "Energy", "kilowattHour")
            EXTENDS("Place") "," INTERFACE("Floor") PROP("level", "integer") EXTENDS("Place") "," INTERFACE("Room")
                LINK("adjacent", "Room") "," PROP("occupancy", "integer") EXTENDS("Place") "," INTERFACE("Device")
                    PROP("online", "boolean") EXTENDS("Asset") "," INTERFACE("Sensor")
                        LINK("reportsTo", "Building") "," PROP("battery", "double") EXTENDS("Device") "," INTERFACE(
                            "TemperatureSensor") MEASURE("temperature", "Temperature", "degreeCelsius")
                            EXTENDS("Sensor") "," INTERFACE("HumiditySensor") PROP("humidity", "double")
                                EXTENDS("Sensor") "," INTERFACE("Co2Sensor") PROP("co2", "double")
                                    EXTENDS("Sensor") "," INTERFACE("PowerSensor") MEASURE("power", "Power", "kilowatt")
                                        EXTENDS("Sensor") "," INTERFACE("Pump") LINK("feeds", "Building") "," MEASURE(
                                            "flow", "VolumeFlowRate",
                                            "litrePerSecond") "," MEASURE("pressure", "Pressure", "kilopascal")
                                            EXTENDS("Device") "," INTERFACE(
                                                "Junction") "{\"@type\":\"Relationship\",\"name\":\"road\",\"target\":"
                                                            "\"dtmi:city:Junction;1\","
                                                            "\"properties\":[" PROP("length", "double") "," PROP(
                                                                "lanes",
                                                                "integer") "]}," MEASURE("elevation", "Length",
                                                                                         "metre") "," PROP("signal",
                                                                                                           "boolean")
                                                                EXTENDS("Asset") "]";

static const char *const model_ids[CITY_KINDS] = {
    [CITY_CITY] = "dtmi:city:City;1",         [CITY_DISTRICT] = "dtmi:city:District;1",
    [CITY_BUILDING] = "dtmi:city:Building;1", [CITY_FLOOR] = "dtmi:city:Floor;1",
    [CITY_ROOM] = "dtmi:city:Room;1",         [CITY_SENSOR] = "dtmi:city:Sensor;1",
    [CITY_JUNCTION] = "dtmi:city:Junction;1", [CITY_PUMP] = "dtmi:city:Pump;1",
    [CITY_CO2] = "dtmi:city:Co2Sensor;1",     [CITY_TEMPERATURE] = "dtmi:city:TemperatureSensor;1",
    [CITY_POWER] = "dtmi:city:PowerSensor;1", [CITY_HUMIDITY] = "dtmi:city:HumiditySensor;1",
};

static const char *const rel_names[CITY_RELS] = {
    [CITY_CONTAINS] = "contains", [CITY_HAS] = "has",   [CITY_ADJACENT] = "adjacent", [CITY_REPORTS_TO] = "reportsTo",
    [CITY_FACES] = "faces",       [CITY_ROAD] = "road", [CITY_FEEDS] = "feeds",
};

const char *city_rel_name(CityRel r) { return rel_names[r]; }
const char *city_model_id(CityKind k) { return model_ids[k]; }
Str city_models(void) { return STR(models); }

// ---- rows ---------------------------------------------------------------------------------------------------------

int64_t city_twin_count(const City *c) { return (int64_t)c->districts * CITY_TWINS_EACH; }
int64_t city_link_count(const City *c) { return (int64_t)c->districts * CITY_LINKS_EACH; }

// The first district begins behind the city.
static int64_t district_row(int32_t d) { return d ? (int64_t)d * CITY_TWINS_EACH : 1; }

static const int32_t firsts[] = {
    [CITY_CITY] = 0,
    [CITY_DISTRICT] = 0,
    [CITY_BUILDING] = FIRST_BUILDING,
    [CITY_FLOOR] = FIRST_FLOOR,
    [CITY_ROOM] = FIRST_ROOM,
    [CITY_SENSOR] = FIRST_SENSOR,
    [CITY_JUNCTION] = FIRST_JUNCTION,
    [CITY_PUMP] = FIRST_PUMP,
};

int64_t city_row(const City *c, CityKind kind, int32_t district, int32_t n) {
    CHECK(kind <= CITY_PUMP);
    CHECK(district >= 0 && district < c->districts);
    return kind == CITY_CITY ? 0 : district_row(district) + firsts[kind] + n;
}

typedef struct At {
    CityKind kind;
    int32_t district, n;
} At;

static At at_of(const City *c, int64_t row) {
    CHECK(row >= 0 && row < city_twin_count(c));
    if (row == 0) return (At){CITY_CITY, 0, 0};
    int32_t d = (int32_t)(row / CITY_TWINS_EACH), at = (int32_t)(row - district_row(d));
    CityKind kind = CITY_PUMP;
    while (kind > CITY_DISTRICT && at < firsts[kind]) kind--;
    return (At){kind, d, at - firsts[kind]};
}

void city_id(const City *c, int64_t row, char out[CITY_ID_MAX]) {
    static const struct {
        const char *name;
        int width;
    } forms[] = {
        [CITY_BUILDING] = {"building", 3}, [CITY_FLOOR] = {"floor", 4},       [CITY_ROOM] = {"room", 4},
        [CITY_SENSOR] = {"sensor", 5},     [CITY_JUNCTION] = {"junction", 4}, [CITY_PUMP] = {"pump", 3},
    };
    At at = at_of(c, row);
    if (at.kind == CITY_CITY) snprintf(out, CITY_ID_MAX, "city");
    else if (at.kind == CITY_DISTRICT) snprintf(out, CITY_ID_MAX, "district-%02d", at.district);
    else snprintf(out, CITY_ID_MAX, "%s-%02d-%0*d", forms[at.kind].name, at.district, forms[at.kind].width, at.n);
}

// ---- twins --------------------------------------------------------------------------------------------------------

static CityProp *prop_add(CityTwin *t, const char *name, CityType type) {
    CHECK(t->prop_count < CITY_PROPS_MAX);
    CityProp *p = &t->props[t->prop_count++];
    *p = (CityProp){.name = name, .type = type};
    return p;
}

// Hundredths from low to below high: what survives every way of writing it down.
static void put_f64(CityTwin *t, Rng *r, const char *name, double low, double high) {
    prop_add(t, name, CITY_F64)->d = (low * 100 + (double)rng_below(r, (uint64_t)((high - low) * 100))) / 100;
}

static void put_i64(CityTwin *t, const char *name, int64_t v) { prop_add(t, name, CITY_I64)->i = v; }

static void put_bool(CityTwin *t, const char *name, bool v) { prop_add(t, name, CITY_BOOL)->i = v; }

static void put_common(CityTwin *t, const At *at, Rng *r) {
    uint64_t luck = rng_below(r, 100);
    const char *status = luck < 80 ? "ok" : luck < 92 ? "warning" : luck < 97 ? "fault" : "off";
    snprintf(prop_add(t, "status", CITY_TEXT)->s, CITY_ID_MAX, "%s", status);
    snprintf(prop_add(t, "district", CITY_TEXT)->s, CITY_ID_MAX, "D%02d", at->district);
    put_f64(t, r, "load", 0, 100);
    put_i64(t, "age", (int64_t)rng_below(r, 3650));
}

static void put_place(CityTwin *t, const At *at, Rng *r) {
    static const double areas[] = {
        [CITY_CITY] = 1e9, [CITY_DISTRICT] = 1e7, [CITY_BUILDING] = 1e4, [CITY_FLOOR] = 2000, [CITY_ROOM] = 100};
    put_f64(t, r, "area", areas[t->kind] / 10, areas[t->kind]);
    switch (t->kind) {
    case CITY_BUILDING:
        snprintf(prop_add(t, "name", CITY_TEXT)->s, CITY_ID_MAX, "Building %d of D%02d", at->n, at->district);
        put_f64(t, r, "height", 12, 60);
        put_f64(t, r, "energy", 0, 5000);
        break;
    case CITY_FLOOR: put_i64(t, "level", at->n % 5); break;
    case CITY_ROOM: put_i64(t, "occupancy", (int64_t)rng_below(r, 12)); break;
    default:
        snprintf(prop_add(t, "name", CITY_TEXT)->s, CITY_ID_MAX, t->kind == CITY_CITY ? "City" : "District %d",
                 at->district);
        put_i64(t, "population", (int64_t)rng_below(r, 1000000));
    }
}

static void put_sensor(CityTwin *t, Rng *r) {
    put_bool(t, "online", rng_below(r, 50) != 0);
    put_f64(t, r, "battery", 0, 100);
    if (t->kind == CITY_TEMPERATURE) put_f64(t, r, "temperature", 10, 35);
    else if (t->kind == CITY_HUMIDITY) put_f64(t, r, "humidity", 20, 90);
    else if (t->kind == CITY_CO2) put_f64(t, r, "co2", 350, 2000);
    else put_f64(t, r, "power", 0, 20);
}

static CityKind sensor_kind(int32_t n) {
    static const CityKind others[] = {CITY_HUMIDITY, CITY_CO2, CITY_POWER};
    return n % 2 == 0 ? CITY_TEMPERATURE : others[n / 2 % 3];
}

void city_twin(const City *c, int64_t row, CityTwin *out) {
    At at = at_of(c, row);
    Rng r = rng_make(c->seed, (uint64_t)row);
    out->row = row;
    out->kind = at.kind == CITY_SENSOR ? sensor_kind(at.n) : at.kind;
    out->prop_count = 0;
    city_id(c, row, out->id);
    put_common(out, &at, &r);
    if (at.kind == CITY_SENSOR) {
        put_sensor(out, &r);
    } else if (at.kind == CITY_JUNCTION) {
        put_f64(out, &r, "elevation", 0, 300);
        put_bool(out, "signal", rng_below(&r, 8) == 0);
    } else if (at.kind == CITY_PUMP) {
        put_bool(out, "online", rng_below(&r, 50) != 0);
        put_f64(out, &r, "flow", 0, 80);
        put_f64(out, &r, "pressure", 100, 900);
    } else {
        put_place(out, &at, &r);
    }
}

double city_load(const CityTwin *t) { return t->props[2].d; }

// ---- links --------------------------------------------------------------------------------------------------------

typedef struct Linking {
    const City *c;
    void (*fn)(void *arg, const CityLink *l);
    void *arg;
    int64_t number;
    Rng rng; // of the district
} Linking;

static void link(Linking *x, CityRel rel, int64_t source, int64_t target) {
    CityLink l = {.number = x->number++, .rel = rel, .source = source, .target = target};
    x->fn(x->arg, &l);
}

static void road(Linking *x, int64_t a, int64_t b, uint64_t shortest, uint64_t longest) {
    CityLink l = {.rel = CITY_ROAD};
    l.length = (double)(shortest + rng_below(&x->rng, longest - shortest));
    l.lanes = (int32_t)(1 + rng_below(&x->rng, 4));
    for (int way = 0; way < 2; way++) {
        l.number = x->number++;
        l.source = way ? b : a;
        l.target = way ? a : b;
        x->fn(x->arg, &l);
    }
}

static void link_tree(Linking *x, int32_t d) {
    const City *c = x->c;
    int64_t district = district_row(d);
    int32_t pumps = CITY_PUMPS - (d == 0);
    link(x, CITY_CONTAINS, 0, district);
    for (int32_t i = 0; i < CITY_BUILDINGS; i++) link(x, CITY_CONTAINS, district, city_row(c, CITY_BUILDING, d, i));
    for (int32_t i = 0; i < CITY_FLOORS; i++)
        link(x, CITY_CONTAINS, city_row(c, CITY_BUILDING, d, i / 5), city_row(c, CITY_FLOOR, d, i));
    for (int32_t i = 0; i < CITY_ROOMS; i++)
        link(x, CITY_CONTAINS, city_row(c, CITY_FLOOR, d, i / 5), city_row(c, CITY_ROOM, d, i));
    for (int32_t i = 0; i < CITY_SENSORS; i++)
        link(x, CITY_HAS, city_row(c, CITY_ROOM, d, i / 2), city_row(c, CITY_SENSOR, d, i));
    for (int32_t i = 0; i < CITY_JUNCTIONS; i++) link(x, CITY_HAS, district, city_row(c, CITY_JUNCTION, d, i));
    for (int32_t i = 0; i < pumps; i++) link(x, CITY_HAS, district, city_row(c, CITY_PUMP, d, i));
}

static void link_inside(Linking *x, int32_t d) {
    const City *c = x->c;
    for (int32_t i = 0; i < CITY_ROOMS; i++) { // a ring a floor
        int64_t a = city_row(c, CITY_ROOM, d, i), b = city_row(c, CITY_ROOM, d, i % 5 == 4 ? i - 4 : i + 1);
        link(x, CITY_ADJACENT, a, b);
        link(x, CITY_ADJACENT, b, a);
    }
    for (int32_t i = 0; i < CITY_SENSORS; i++)
        link(x, CITY_REPORTS_TO, city_row(c, CITY_SENSOR, d, i), city_row(c, CITY_BUILDING, d, i / 50));
    for (int32_t i = 0; i < CITY_BUILDINGS; i++)
        link(x, CITY_FACES, city_row(c, CITY_BUILDING, d, i),
             city_row(c, CITY_JUNCTION, d, (int32_t)rng_below(&x->rng, CITY_JUNCTIONS)));
}

static int64_t crossing(const City *c, int32_t line, int32_t column) {
    return city_row(c, CITY_JUNCTION, line / STRIP_ROWS, line % STRIP_ROWS * CITY_GRID + column);
}

static void link_roads(Linking *x, int32_t d) {
    const City *c = x->c;
    for (int32_t line = d * STRIP_ROWS; line < (d + 1) * STRIP_ROWS; line++) {
        for (int32_t i = 0; i < CITY_GRID; i++) {
            int64_t here = crossing(c, line, i);
            if (i + 1 < CITY_GRID) road(x, here, crossing(c, line, i + 1), 50, 250);
            if (line + 1 < c->districts * STRIP_ROWS) road(x, here, crossing(c, line + 1, i), 50, 250);
        }
    }
    for (int32_t i = 0; i < LONG_ROADS; i++) {
        int64_t a = city_row(c, CITY_JUNCTION, d, (int32_t)rng_below(&x->rng, CITY_JUNCTIONS));
        int32_t other = (int32_t)rng_below(&x->rng, (uint64_t)c->districts);
        road(x, a, city_row(c, CITY_JUNCTION, other, (int32_t)rng_below(&x->rng, CITY_JUNCTIONS)), 500, 3000);
    }
}

// What is left of the district's links: pumps in turn, each to buildings that it does not feed yet.
static void link_pumps(Linking *x, int32_t d) {
    int32_t pumps = CITY_PUMPS - (d == 0);
    int64_t left = (int64_t)(d + 1) * CITY_LINKS_EACH - x->number;
    CHECK(left > 0 && left < (int64_t)pumps * CITY_BUILDINGS);
    for (int32_t i = 0; i < left; i++) {
        int32_t pump = i % pumps, building = (pump * 17 + i / pumps) % CITY_BUILDINGS;
        link(x, CITY_FEEDS, city_row(x->c, CITY_PUMP, d, pump), city_row(x->c, CITY_BUILDING, d, building));
    }
}

void city_links(const City *c, void (*fn)(void *arg, const CityLink *l), void *arg) {
    Linking x = {.c = c, .fn = fn, .arg = arg};
    for (int32_t d = 0; d < c->districts; d++) {
        x.rng = rng_make(c->seed, LINK_STREAM + (uint64_t)d);
        link_tree(&x, d);
        link_inside(&x, d);
        link_roads(&x, d);
        link_pumps(&x, d);
    }
    CHECK(x.number == city_link_count(c));
}

// ---- documents ----------------------------------------------------------------------------------------------------

void city_put_twin(const CityTwin *t, Buf *out) {
    buf_printf(out, "{\"$dtId\":\"%s\",\"$metadata\":{\"$model\":\"%s\"}", t->id, model_ids[t->kind]);
    for (int32_t i = 0; i < t->prop_count; i++) {
        const CityProp *p = &t->props[i];
        buf_printf(out, ",\"%s\":", p->name);
        if (p->type == CITY_F64) json_put_f64(out, p->d);
        else if (p->type == CITY_I64) json_put_i64(out, p->i);
        else if (p->type == CITY_BOOL) buf_str_put(out, p->i ? STR("true") : STR("false"));
        else json_put_str(out, str_of(p->s));
    }
    buf_byte(out, '}');
}

void city_put_link(const City *c, const CityLink *l, Buf *out) {
    char source[CITY_ID_MAX], target[CITY_ID_MAX];
    city_id(c, l->source, source);
    city_id(c, l->target, target);
    buf_printf(out, "{\"$dtId\":\"%s\",\"$targetId\":\"%s\",\"$relationshipName\":\"%s\",\"$relationshipId\":\"l%lld\"",
               source, target, rel_names[l->rel], (long long)l->number);
    if (l->lanes) buf_printf(out, ",\"length\":%.0f,\"lanes\":%d", l->length, l->lanes);
    buf_byte(out, '}');
}

typedef struct Importing {
    const City *c;
    Buf body;
    int64_t size;
    const char *section;
    bool (*fn)(void *arg, Str body);
    void *arg;
    bool stopped;
} Importing;

static void body_flush(Importing *x) {
    if (x->body.n && !x->stopped) x->stopped = !x->fn(x->arg, buf_str(&x->body));
    buf_reset(&x->body);
}

static void line_begin(Importing *x) {
    if (x->body.n == 0) buf_printf(&x->body, "{\"Section\":\"%s\"}\n", x->section);
}

static void line_end(Importing *x) {
    buf_byte(&x->body, '\n');
    if (x->body.n >= x->size) body_flush(x);
}

static void import_link(void *arg, const CityLink *l) {
    Importing *x = arg;
    if (x->stopped) return;
    line_begin(x);
    city_put_link(x->c, l, &x->body);
    line_end(x);
}

static void import_models(Importing *x) {
    Arena a;
    Json v;
    arena_init(&a, 0);
    CHECK(json_parse(city_models(), NULL, &a, &v, NULL) == ERR_OK);
    x->section = "Models";
    line_begin(x);
    for (int32_t i = 0; i < v.count; i++) {
        json_put(&x->body, &v.items[i]);
        buf_byte(&x->body, '\n');
    }
    body_flush(x);
    arena_free(&a);
}

bool city_import(const City *c, int64_t size, bool (*fn)(void *arg, Str body), void *arg) {
    Importing x = {.c = c, .size = size, .fn = fn, .arg = arg};
    CityTwin t;
    import_models(&x);
    x.section = "Twins";
    for (int64_t row = 0; row < city_twin_count(c) && !x.stopped; row++) {
        city_twin(c, row, &t);
        line_begin(&x);
        city_put_twin(&t, &x.body);
        line_end(&x);
    }
    body_flush(&x);
    x.section = "Relationships";
    city_links(c, import_link, &x);
    body_flush(&x);
    buf_free(&x.body);
    return !x.stopped;
}
