// SPDX-License-Identifier: Apache-2.0
#include "cli/units.h"
#include "base/check.h"

Str unit_symbol(Str unit) {
    static const char *const rows[][2] = {
        {"degreeCelsius", "°C"},
        {"degreeFahrenheit", "°F"},
        {"kelvin", "K"},
        {"kilowatt", "kW"},
        {"watt", "W"},
        {"megawatt", "MW"},
        {"kilowattHour", "kWh"},
        {"megawattHour", "MWh"},
        {"wattHour", "Wh"},
        {"volt", "V"},
        {"millivolt", "mV"},
        {"kilovolt", "kV"},
        {"ampere", "A"},
        {"milliampere", "mA"},
        {"hertz", "Hz"},
        {"kilohertz", "kHz"},
        {"bar", "bar"},
        {"millibar", "mbar"},
        {"pascal", "Pa"},
        {"kilopascal", "kPa"},
        {"metre", "m"},
        {"centimetre", "cm"},
        {"millimetre", "mm"},
        {"kilometre", "km"},
        {"metrePerSecond", "m/s"},
        {"centimetrePerSecond", "cm/s"},
        {"kilometrePerHour", "km/h"},
        {"litre", "l"},
        {"millilitre", "ml"},
        {"cubicMetre", "m³"},
        {"litrePerSecond", "l/s"},
        {"litrePerHour", "l/h"},
        {"cubicMetrePerHour", "m³/h"},
        {"kilogram", "kg"},
        {"gram", "g"},
        {"gForce", "gₙ"},
        {"kilovoltAmpere", "kVA"},
        {"wattPerSquareMetre", "W/m²"},
        {"tonne", "t"},
        {"gramPerHour", "g/h"},
        {"kilogramPerCubicMetre", "kg/m³"},
        {"percent", "%"},
        {"unity", ""},
        {"second", "s"},
        {"millisecond", "ms"},
        {"minute", "min"},
        {"hour", "h"},
        {"day", "d"},
        {"revolutionPerMinute", "rpm"},
        {"degreeOfArc", "°"},
        {"lux", "lx"},
        {"newton", "N"},
        {"newtonMetre", "Nm"},
        {"radian", "rad"},
        {"squareMetre", "m²"},
        {"decibel", "dB"},
        {"farad", "F"},
        {"ohm", "Ω"},
        {"joule", "J"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_eq(unit, str_of(rows[i][0]))) return str_of(rows[i][1]);
    }
    return unit;
}

void units_init(Units *u) {
    *u = (Units){0};
    arena_init(&u->keep, 0);
}

void units_free(Units *u) {
    arena_free(&u->keep);
    map_free(&u->models);
    map_free(&u->units);
    buf_free(&u->names);
}

static Str key_of(Units *u, Str model, Str path) {
    return arena_printf(&u->keep, "%.*s %.*s", STR_ARG(model), STR_ARG(path));
}

static void put(Units *u, Str model, Str path, Str unit) {
    Str symbol = arena_str(&u->keep, unit_symbol(unit));
    buf_put(&u->names, &symbol, (int64_t)sizeof symbol);
    map_put(&u->units, key_of(u, model, path), u->names.n / (int64_t)sizeof(Str));
}

static bool get(const Units *u, Str key, Str *out) {
    int64_t at;
    if (!map_get(&u->units, key, &at)) return false;
    *out = ((const Str *)(const void *)u->names.p)[at - 1];
    return true;
}

static Str text_at(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_STRING ? m->s : (Str){0};
}

static const Json *find_model(const Json *list, Str id) {
    for (int32_t i = 0; list && i < list->count; i++) {
        if (str_eq(text_at(&list->items[i], STR("id")), id)) return json_get(&list->items[i], STR("model"));
    }
    return NULL;
}

#define DEPTH_MAX 24

static bool is_type(const Json *type, Str name) {
    if (type && type->type == JSON_STRING) return str_eq(type->s, name);
    for (int32_t i = 0; type && type->type == JSON_ARRAY && i < type->count; i++) {
        if (is_type(&type->items[i], name)) return true;
    }
    return false;
}

static void walk(Units *u, Str root, Str prefix, const Json *list, Str id, int32_t depth);

static void walk_bases(Units *u, Str root, Str prefix, const Json *list, const Json *extends, int32_t depth) {
    if (!extends) return;
    if (extends->type == JSON_STRING) walk(u, root, prefix, list, extends->s, depth + 1);
    for (int32_t i = 0; extends->type == JSON_ARRAY && i < extends->count; i++) {
        if (extends->items[i].type == JSON_STRING) walk(u, root, prefix, list, extends->items[i].s, depth + 1);
    }
}

// Units of the interface `id` and all it extends, under `prefix` of the model `root`.
static void walk(Units *u, Str root, Str prefix, const Json *list, Str id, int32_t depth) {
    const Json *model = find_model(list, id), *contents = json_get(model, STR("contents"));
    if (!model || depth > DEPTH_MAX) return;
    walk_bases(u, root, prefix, list, json_get(model, STR("extends")), depth);
    for (int32_t i = 0; contents && contents->type == JSON_ARRAY && i < contents->count; i++) {
        const Json *c = &contents->items[i], *type = json_get(c, STR("@type"));
        Str name = text_at(c, STR("name")), unit = text_at(c, STR("unit"));
        Str path = prefix.n ? arena_printf(&u->keep, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(name)) : name;
        if (is_type(type, STR("Component"))) walk(u, root, path, list, text_at(c, STR("schema")), depth + 1);
        else if (unit.n) put(u, root, path, unit);
    }
}

static void ask(Units *u, Client *c, Str model) {
    Json doc;
    Str path = client_path(c, "/models?includeModelDefinition=true&dependenciesFor={}", &model);
    Err err = client_call(c, &(Call){.path = path});
    if (err != ERR_OK && !c->status) return; // the server is away: ask again with the next value
    map_put(&u->models, arena_str(&u->keep, model), 1);
    if (err != ERR_OK) return; // units are a comfort, not a duty
    if (json_parse(buf_str(&c->body), NULL, &c->keep, &doc, NULL) != ERR_OK) return;
    const Json *list = json_get(&doc, STR("value"));
    if (list && list->type == JSON_ARRAY) walk(u, model, (Str){0}, list, model, 0);
}

Str units_of(Units *u, Client *c, Str model, Str path) {
    int64_t known;
    Str out = {0};
    if (!model.n) return out;
    if (!map_get(&u->models, model, &known)) ask(u, c, model);
    if (!map_get(&u->models, model, &known)) return out;
    out = STR("");
    char text[1024];
    if (model.n + path.n + 1 > (int64_t)sizeof text) return out;
    memcpy(text, model.p, (size_t)model.n);
    text[model.n] = ' ';
    if (path.n) memcpy(text + model.n + 1, path.p, (size_t)path.n);
    get(u, (Str){text, model.n + 1 + path.n}, &out);
    return out;
}
