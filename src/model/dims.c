// SPDX-License-Identifier: Apache-2.0
#include "model/dims.h"

// Whole powers by family: m kg s A K mol cd. ORDER FAMILY
static const int8_t POWERS[FAM_COUNT][DIM_COUNT] = {
    [FAM_ACCELERATION] = {1, 0, -2},
    [FAM_ANGLE] = {0},
    [FAM_ANGULAR_ACCELERATION] = {0, 0, -2},
    [FAM_ANGULAR_VELOCITY] = {0, 0, -1},
    [FAM_APPARENT_ENERGY] = {2, 1, -2},
    [FAM_APPARENT_POWER] = {2, 1, -3},
    [FAM_AREA] = {2},
    [FAM_CAPACITANCE] = {-2, -1, 4, 2},
    [FAM_CHARGE] = {0, 0, 1, 1},
    [FAM_CURRENT] = {0, 0, 0, 1},
    [FAM_DATA_RATE] = {0, 0, -1},
    [FAM_DATA_SIZE] = {0},
    [FAM_DENSITY] = {-3, 1},
    [FAM_DYNAMIC_VISCOSITY] = {-1, 1, -1},
    [FAM_ENERGY] = {2, 1, -2},
    [FAM_FORCE] = {1, 1, -2},
    [FAM_FREQUENCY] = {0, 0, -1},
    [FAM_GAS_LEAKAGE_RATE] = {2, 1, -3},
    [FAM_ILLUMINANCE] = {-2, 0, 0, 0, 0, 0, 1},
    [FAM_INDUCTANCE] = {2, 1, -2, -2},
    [FAM_IONIZING_RADIATION_DOSE] = {2, 0, -2},
    [FAM_IRRADIANCE] = {0, 1, -3},
    [FAM_KINEMATIC_VISCOSITY] = {2, 0, -1},
    [FAM_LENGTH] = {1},
    [FAM_LUMINANCE] = {-2, 0, 0, 0, 0, 0, 1},
    [FAM_LUMINOUS_FLUX] = {0, 0, 0, 0, 0, 0, 1},
    [FAM_LUMINOUS_INTENSITY] = {0, 0, 0, 0, 0, 0, 1},
    [FAM_MAGNETIC_FLUX] = {2, 1, -2, -1},
    [FAM_MAGNETIC_INDUCTION] = {0, 1, -2, -1},
    [FAM_MASS_FLOW_RATE] = {0, 1, -1},
    [FAM_MASS] = {0, 1},
    [FAM_POWER] = {2, 1, -3},
    [FAM_PRESSURE] = {-1, 1, -2},
    [FAM_RADIOACTIVITY] = {0, 0, -1},
    [FAM_REACTIVE_ENERGY] = {2, 1, -2},
    [FAM_REACTIVE_POWER] = {2, 1, -3},
    [FAM_RECIPROCAL_LENGTH] = {-1},
    [FAM_RECIPROCAL_TIME] = {0, 0, -1},
    [FAM_RESISTANCE] = {2, 1, -3, -2},
    [FAM_SOUND_PRESSURE] = {0},
    [FAM_TEMPERATURE] = {0, 0, 0, 0, 1},
    [FAM_TIME] = {0, 0, 1},
    [FAM_TORQUE] = {2, 1, -2},
    [FAM_UNITLESS] = {0},
    [FAM_VELOCITY] = {1, 0, -1},
    [FAM_VOLTAGE] = {2, 1, -3, -1},
    [FAM_VOLUME_FLOW_RATE] = {3, 0, -1},
    [FAM_VOLUME] = {3},
};

Dims dims_of(UnitFamily f) {
    Dims d;
    for (int i = 0; i < DIM_COUNT; i++) d.half[i] = (int8_t)(2 * POWERS[f][i]);
    return d;
}

bool dims_equal(Dims a, Dims b) { return memcmp(&a, &b, sizeof a) == 0; }

bool dims_none(Dims a) { return dims_equal(a, (Dims){0}); }

bool dims_mul(Dims a, Dims b, int power, Dims *out) {
    Dims d;
    for (int i = 0; i < DIM_COUNT; i++) {
        int v = b.half[i] * power;
        if (v % 2) return false; // a power that is no half
        v = a.half[i] + v / 2;
        if (v < -100 || v > 100) return false;
        d.half[i] = (int8_t)v;
    }
    *out = d;
    return true;
}

static void put_power(Buf *out, const char *name, int half, bool *first) {
    static const char *const SMALL[] = {"", "", "²", "³"};
    if (!*first) buf_printf(out, "·");
    *first = false;
    if (half % 2) buf_printf(out, "%s^(%d/2)", name, half);
    else if (half / 2 <= 3) buf_printf(out, "%s%s", name, SMALL[half / 2]);
    else buf_printf(out, "%s^%d", name, half / 2);
}

void dims_print(Dims d, Buf *out) {
    static const char *const NAMES[] = {"m", "kg", "s", "A", "K", "mol", "cd"};
    static const int ORDER[] = {DIM_KG, DIM_M, DIM_S, DIM_A, DIM_K, DIM_MOL, DIM_CD};
    int over = 0, under = 0;
    bool first = true;
    for (int i = 0; i < DIM_COUNT; i++) {
        over += d.half[i] > 0;
        under += d.half[i] < 0;
    }
    if (over == 0 && under > 0) buf_printf(out, "1");
    for (int i = 0; i < DIM_COUNT; i++) {
        if (d.half[ORDER[i]] > 0) put_power(out, NAMES[ORDER[i]], d.half[ORDER[i]], &first);
    }
    if (under == 0) return;
    buf_printf(out, under > 1 ? "/(" : "/");
    first = true;
    for (int i = 0; i < DIM_COUNT; i++) {
        if (d.half[ORDER[i]] < 0) put_power(out, NAMES[ORDER[i]], -d.half[ORDER[i]], &first);
    }
    if (under > 1) buf_printf(out, ")");
}

// ---- units as text --------------------------------------------------------------------------------------------------

static const Unit *by_symbol(Str s) {
    for (int32_t i = 0; i < unit_count(); i++) {
        if (s.n && str_eq(str_of(unit_at(i)->symbol), s)) return unit_at(i);
    }
    return NULL;
}

static const Unit *whole(Str s) {
    const Unit *u = unit_find(s);
    return u ? u : by_symbol(s);
}

static bool multiply(DimUnit *acc, Dims d, double factor, int power) {
    if (!dims_mul(acc->dims, d, 2 * power, &acc->dims)) return false;
    for (int i = 0; i < (power < 0 ? -power : power); i++) acc->factor *= power < 0 ? 1 / factor : factor;
    return true;
}

// Take "^-2", "²" ... from the end of *s.
static bool take_power(Str *s, int *power) {
    *power = 1;
    if (str_ends(*s, STR("²")) || str_ends(*s, STR("³"))) {
        *power = str_ends(*s, STR("²")) ? 2 : 3;
        s->n -= 2;
        return true;
    }
    int64_t at = str_find(*s, '^', 0), v;
    if (at < 0) return true;
    if (!str_to_i64(str_sub(*s, at + 1, s->n), &v) || v < -9 || v > 9 || v == 0) return false;
    *power = (int)v;
    s->n = at;
    return true;
}

// One factor: a unit, perhaps with a power.
static bool factor_of(Str s, int sign, DimUnit *acc) {
    int power = 1;
    s = str_trim(s);
    if (str_eq(s, STR("1"))) return true;
    const Unit *u = whole(s);
    if (!u) {
        if (!take_power(&s, &power)) return false;
        u = whole(s);
    }
    return u && multiply(acc, dims_of(u->family), u->factor, sign * power);
}

// "wattPerKelvin": parts with their first letter made small.
static bool by_per(Str s, DimUnit *acc) {
    char part[64];
    int sign = 1;
    while (s.n) {
        int64_t at = str_find_str(s, STR("Per"));
        Str head = at > 0 ? str_sub(s, 0, at) : s;
        if (at == 0 || head.n >= (int64_t)sizeof part) return false;
        memcpy(part, head.p, (size_t)head.n);
        if (part[0] >= 'A' && part[0] <= 'Z') part[0] = (char)(part[0] + 32);
        const Unit *u = unit_find((Str){part, head.n});
        if (!u || !multiply(acc, dims_of(u->family), u->factor, sign)) return false;
        sign = -1;
        s = at > 0 ? str_sub(s, at + 3, s.n) : (Str){0};
        if (at > 0 && s.n == 0) return false;
    }
    return true;
}

// The next factor's end: '*', '/', or the two bytes of '·'.
static int64_t joint(Str s, int *size, int *sign) {
    for (int64_t i = 0; i < s.n; i++) {
        *size = 1;
        *sign = s.p[i] == '/' ? -1 : 1;
        if (s.p[i] == '*' || s.p[i] == '/') return i;
        *size = 2;
        if (str_starts(str_sub(s, i, s.n), STR("·"))) return i;
    }
    return -1;
}

bool dims_unit(Str text, DimUnit *out) {
    const Unit *u = whole(text);
    DimUnit acc = {.factor = 1};
    if (u) {
        *out = (DimUnit){.unit = u, .dims = dims_of(u->family), .factor = u->factor, .offset = u->offset};
        return true;
    }
    int sign = 1, next = 1, size = 1;
    if (text.n == 0 || text.n > 200) return false;
    if (!by_per(text, &acc)) {
        acc = (DimUnit){.factor = 1};
        for (Str rest = text;;) {
            int64_t at = joint(rest, &size, &next);
            if (!factor_of(at < 0 ? rest : str_sub(rest, 0, at), sign, &acc)) return false;
            if (at < 0) break;
            rest = str_sub(rest, at + size, rest.n);
            sign = next;
        }
    }
    *out = acc;
    return true;
}
