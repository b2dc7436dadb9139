// SPDX-License-Identifier: Apache-2.0
// Shows: every family's dimension fits the SI unit it counts in, and units that no table has are read from their parts.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "model/dims.h"

static void reads(const char *text, const char *dims, double factor) {
    DimUnit u;
    Buf b = {0};
    assert_true(dims_unit(str_of(text), &u));
    dims_print(u.dims, &b);
    assert_int_equal(b.n, strlen(dims));
    assert_memory_equal(b.p ? b.p : "", dims, strlen(dims));
    assert_true(fabs(u.factor - factor) <= 1e-12 * factor);
    buf_free(&b);
}

static void text_test(void **state) {
    (void)state;
    reads("metre", "m", 1);
    reads("wattPerKelvin", "kg·m²/(s³·K)", 1);
    reads("kilowattHourPerSquareMetre", "kg/s²", 3.6e6);
    reads("1/s", "1/s", 1);
    reads("1/min", "1/s", 1.0 / 60);
    reads("m^2", "m²", 1);
    reads("m³/h", "m³/s", 1.0 / 3600);
    reads("mg/l", "kg/m³", 1e-3);
    reads("kg·m^-3*m²", "kg/m", 1);
    reads("cm/s²", "m/s²", 0.01);
    reads("percent", "", 0.01);
    DimUnit u;
    const char *const bad[] = {"", "parsec2", "metrePer", "PerMetre", "m^x", "m^0", "m//s", "*", "^2", "m^99"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(dims_unit(str_of(bad[i]), &u));
}

// What the table of families says must follow from the symbol of its own SI unit.
static void families_test(void **state) {
    (void)state;
    static const struct {
        UnitFamily f;
        const char *same;
    } PAIRS[] = {{FAM_FORCE, "kg*m/s^2"},
                 {FAM_PRESSURE, "N/m^2"},
                 {FAM_ENERGY, "N*m"},
                 {FAM_POWER, "J/s"},
                 {FAM_CHARGE, "A*s"},
                 {FAM_VOLTAGE, "W/A"},
                 {FAM_CAPACITANCE, "C/V"},
                 {FAM_RESISTANCE, "V/A"},
                 {FAM_MAGNETIC_FLUX, "V*s"},
                 {FAM_INDUCTANCE, "Wb/A"},
                 {FAM_DENSITY, "kg/m^3"},
                 {FAM_DYNAMIC_VISCOSITY, "Pa*s"},
                 {FAM_TORQUE, "N*m"},
                 {FAM_IRRADIANCE, "W/m^2"},
                 {FAM_KINEMATIC_VISCOSITY, "m^2/s"},
                 {FAM_VOLUME_FLOW_RATE, "m^3/s"},
                 {FAM_MAGNETIC_INDUCTION, "Wb/m^2"},
                 {FAM_ILLUMINANCE, "lm/m^2"},
                 {FAM_LUMINANCE, "cd/m^2"},
                 {FAM_GAS_LEAKAGE_RATE, "Pa*m^3/s"},
                 {FAM_IONIZING_RADIATION_DOSE, "J/kg"},
                 {FAM_MASS_FLOW_RATE, "kg/s"},
                 {FAM_VELOCITY, "m/s"},
                 {FAM_ACCELERATION, "m/s^2"},
                 {FAM_APPARENT_POWER, "V*A"},
                 {FAM_REACTIVE_POWER, "V*A"},
                 {FAM_APPARENT_ENERGY, "W*s"},
                 {FAM_REACTIVE_ENERGY, "W*s"},
                 {FAM_FREQUENCY, "1/s"},
                 {FAM_RADIOACTIVITY, "1/s"},
                 {FAM_ANGULAR_VELOCITY, "rad/s"},
                 {FAM_RECIPROCAL_LENGTH, "1/m"},
                 {FAM_RECIPROCAL_TIME, "1/s"},
                 {FAM_AREA, "m^2"},
                 {FAM_VOLUME, "m^3"},
                 {FAM_DATA_RATE, "bit/s"}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        DimUnit u;
        assert_true(dims_unit(str_of(PAIRS[i].same), &u));
        assert_true(dims_equal(u.dims, dims_of(PAIRS[i].f)));
        assert_true(fabs(u.factor - 1) < 1e-12);
    }
    Dims root;
    assert_true(dims_mul((Dims){0}, dims_of(FAM_PRESSURE), 1, &root));
    assert_true(dims_mul(root, root, 2, &root) && dims_equal(root, dims_of(FAM_PRESSURE)));
    assert_false(dims_mul((Dims){0}, (Dims){.half = {1}}, 1, &root));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_test), cmocka_unit_test(families_test)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
