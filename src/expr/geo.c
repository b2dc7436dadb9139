// SPDX-License-Identifier: Apache-2.0
// Geometry on the earth, and letters beyond ASCII.
// Distance: haversine (Sinnott, "Virtues of the Haversine", Sky & Telescope 68, 1984) on a sphere of the mean radius;
// up to 0.5 % off the ellipsoid. Polygons: straight edges between longitudes and latitudes as RFC 7946 section 3.1.1
// has them; a place is inside by ray casting (Shimrat, "Algorithm 112", CACM 1962), the even-odd rule over all rings,
// so that holes are outside.
#include <math.h>
#include "codec/json.h"
#include "expr/func.h"

static ExprValue undefined(void) { return (ExprValue){.type = EXPR_UNDEFINED}; }

// ---- GeoJSON ------------------------------------------------------------------------------------------------------

// The type and the place of the coordinates of a geometry.
static bool geometry(Str text, Str *type, Str *coordinates) {
    JsonScan s;
    JsonToken key, t;
    *type = *coordinates = (Str){0};
    json_scan_init(&s, text);
    if (!json_scan_object(&s)) return false;
    while (json_scan_key(&s, &key)) {
        if (str_eq(key.raw, STR("type"))) {
            if (!json_scan_value(&s, &t) || t.type != JSON_STRING) return false;
            *type = t.raw;
        } else if (!json_scan_skip(&s, str_eq(key.raw, STR("coordinates")) ? coordinates : NULL)) {
            return false;
        }
    }
    return s.err == ERR_OK && type->n && coordinates->n;
}

// [longitude, latitude, ...]
static bool position(JsonScan *s, double *lon, double *lat) {
    JsonToken t;
    double at[2];
    int n = 0;
    if (!json_scan_array(s)) return false;
    while (json_scan_item(s)) {
        if (!json_scan_value(s, &t) || (t.type != JSON_INT && t.type != JSON_DOUBLE)) return false;
        if (n < 2) at[n++] = t.d;
    }
    if (s->err || n < 2 || fabs(at[1]) > 90) return false;
    *lon = at[0];
    *lat = at[1];
    return true;
}

ExprValue expr_geo_point(Str geojson) {
    Str type, coordinates;
    JsonScan s;
    ExprValue p = {.type = EXPR_POINT};
    if (!geometry(geojson, &type, &coordinates) || !str_eq(type, STR("Point"))) return undefined();
    json_scan_init(&s, coordinates);
    return position(&s, &p.point.lon, &p.point.lat) ? p : undefined();
}

// Does the ray from (x, y) to the east cross the rings of one polygon an odd number of times?
static bool in_polygon(JsonScan *s, double x, double y, bool *inside) {
    *inside = false;
    if (!json_scan_array(s)) return false;
    while (json_scan_item(s)) {
        double x0 = 0, y0 = 0, x1, y1;
        bool first = true;
        if (!json_scan_array(s)) return false;
        for (; json_scan_item(s); x0 = x1, y0 = y1, first = false) {
            if (!position(s, &x1, &y1)) return false;
            if (first || (y0 > y) == (y1 > y)) continue;
            if (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0)) *inside = !*inside;
        }
    }
    return s->err == ERR_OK;
}

static bool as_point(const ExprValue *v, ExprValue *p) {
    *p = v->type == EXPR_POINT ? *v : v->type == EXPR_DOC || v->type == EXPR_STR ? expr_geo_point(v->s) : undefined();
    return p->type == EXPR_POINT;
}

ExprValue expr_geo_within(const ExprValue *place, const ExprValue *area) {
    ExprValue p;
    Str type, coordinates;
    JsonScan s;
    bool inside = false, any = false;
    if (!as_point(place, &p) || (area->type != EXPR_DOC && area->type != EXPR_STR)) return undefined();
    if (!geometry(area->s, &type, &coordinates)) return undefined();
    json_scan_init(&s, coordinates);
    if (str_eq(type, STR("Polygon"))) {
        if (!in_polygon(&s, p.point.lon, p.point.lat, &any)) return undefined();
    } else if (str_eq(type, STR("MultiPolygon"))) {
        if (!json_scan_array(&s)) return undefined();
        while (json_scan_item(&s)) {
            if (!in_polygon(&s, p.point.lon, p.point.lat, &inside)) return undefined();
            any = any || inside;
        }
        if (s.err) return undefined();
    } else {
        return undefined();
    }
    return (ExprValue){.type = EXPR_BOOL, .b = any};
}

ExprValue expr_geo_distance(const ExprValue *a, const ExprValue *b) {
    ExprValue p, q;
    const double rad = 0.017453292519943295;
    if (!as_point(a, &p) || !as_point(b, &q)) return undefined();
    double dlat = (q.point.lat - p.point.lat) * rad, dlon = (q.point.lon - p.point.lon) * rad;
    double s = sin(dlat / 2), t = sin(dlon / 2);
    double h = s * s + cos(p.point.lat * rad) * cos(q.point.lat * rad) * t * t;
    double d = 2 * EARTH_RADIUS_M * asin(sqrt(h > 1 ? 1 : h));
    return isfinite(d) ? (ExprValue){.type = EXPR_F64, .d = d} : undefined();
}

// ---- letters ------------------------------------------------------------------------------------------------------

// The other case of a letter of one or two bytes, when it is as long: Latin-1, Latin Extended-A (in pairs), Greek,
// Cyrillic. Unicode 15, simple case mapping; others stay.
static uint32_t other_case(uint32_t c, bool upper) {
    if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') return c ^ 0x20;
    if (c < 0xC0) return c;
    if (upper ? c >= 0xE0 && c <= 0xFE && c != 0xF7 : c >= 0xC0 && c <= 0xDE && c != 0xD7) return c ^ 0x20;
    bool even = (c >= 0x100 && c <= 0x12F) || (c >= 0x132 && c <= 0x137) || (c >= 0x14A && c <= 0x177) ||
                (c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F);
    bool odd = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E) || (c >= 0x4C1 && c <= 0x4CE);
    if (even) return upper ? c & ~1u : c | 1;
    if (odd) return upper ? (c - 1) | 1 : (c & 1) + c;
    if (upper && c == 0x3C2) return 0x3A3; // the sigma at the end of words
    if (upper ? c >= 0x3B1 && c <= 0x3C9 : c >= 0x391 && c <= 0x3A9 && c != 0x3A2) return upper ? c - 0x20 : c + 0x20;
    if (upper ? c >= 0x430 && c <= 0x44F : c >= 0x410 && c <= 0x42F) return upper ? c - 0x20 : c + 0x20;
    if (upper ? c >= 0x450 && c <= 0x45F : c >= 0x400 && c <= 0x40F) return upper ? c - 0x50 : c + 0x50;
    return c;
}

Str expr_text_case(Str s, bool upper, Arena *a) {
    char *out = NEW(a, char, s.n + 1);
    for (int64_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c < 0x80) {
            out[i] = (char)other_case(c, upper);
        } else if (c >= 0xC2 && c <= 0xDF && i + 1 < s.n) {
            uint32_t u = other_case((uint32_t)(c & 0x1F) << 6 | ((uint8_t)s.p[i + 1] & 0x3F), upper);
            out[i++] = (char)(0xC0 | u >> 6);
            out[i] = (char)(0x80 | (u & 0x3F));
        } else {
            out[i] = (char)c;
        }
    }
    return (Str){out, s.n};
}
