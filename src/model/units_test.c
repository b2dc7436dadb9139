// SPDX-License-Identifier: Apache-2.0
// Units: tables in order and complete against the published contexts, conversions against values fixed by definition.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "codec/json.h"
#include "model/test_files.h"
#include "model/units.h"

// Names ascend, so that the binary search is right, and every factor is usable.
static void test_tables(void **state) {
    (void)state;
    for (int32_t i = 0; i < unit_count(); i++) {
        const Unit *u = unit_at(i);
        if (i) assert_true(str_cmp(str_of(unit_at(i - 1)->name), str_of(u->name)) < 0);
        assert_ptr_equal(unit_find(str_of(u->name)), u);
        assert_true(isfinite(u->factor) && u->factor > 0 && u->sets > 0 && u->sets < 16);
    }
    for (int32_t i = 0; i < semantic_count(); i++) {
        const SemanticType *t = semantic_at(i);
        if (i) assert_true(str_cmp(str_of(semantic_at(i - 1)->name), str_of(t->name)) < 0);
        assert_ptr_equal(semantic_find(str_of(t->name)), t);
    }
    for (int f = 0; f < FAM_COUNT; f++) {
        UnitFamily found;
        int units = 0, si = 0;
        assert_true(unit_family_find(str_of(unit_family((UnitFamily)f)->name), &found) && (int)found == f);
        for (int32_t i = 0; i < unit_count(); i++) {
            if ((int)unit_at(i)->family != f) continue;
            units++;
            si += unit_at(i)->factor == 1 && unit_at(i)->offset == 0;
        }
        assert_true(units > 0);
        // The SI unit itself is there, but for reactive and apparent energy, whose units are all hours.
        if (f != FAM_REACTIVE_ENERGY && f != FAM_APPARENT_ENERGY) assert_true(si > 0);
    }
    assert_null(unit_find(STR("furlong")));
    assert_null(semantic_find(STR("Happiness")));
}

// Expected values: definitions of NIST SP 811 appendix B and of the SI brochure, to 7 digits or exact.
static void test_convert(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        double value, want;
    } CASES[] = {
        {"degreeCelsius", "degreeFahrenheit", 100, 212},
        {"degreeFahrenheit", "kelvin", -459.67, 0},
        {"degreeCelsius", "kelvin", 0, 273.15},
        {"mile", "kilometre", 1, 1.609344},
        {"inch", "foot", 12, 1},
        {"kilowattHour", "megajoule", 1, 3.6},
        {"britishThermalUnit", "joule", 1, 1055.05585262},
        {"horsepower", "watt", 1, 745.69987},
        {"poundPerSquareInch", "kilopascal", 1, 6.894757},
        {"bar", "pascal", 1, 1e5},
        {"knot", "metrePerSecond", 1, 0.5144444},
        {"gallon", "litre", 1, 3.785412},
        {"cubicFootPerMinute", "cubicMetrePerHour", 1, 1.699011},
        {"revolutionPerMinute", "degreePerSecond", 1, 6},
        {"acre", "squareMetre", 1, 4046.8564},
        {"slug", "kilogram", 1, 14.593903},
        {"kibibyte", "bit", 1, 8192},
        {"percent", "unity", 50, 0.5},
        {"turn", "degreeOfArc", 1, 360},
        {"ampereHour", "coulomb", 1, 3600},
        {"tonOfRefrigeration", "watt", 1, 3516.853},
        {"gForce", "metrePerSecondSquared", 1, 9.80665},
        {"massPoundPerHour", "gramPerSecond", 1, 0.1259979},
        {"kilovoltAmpereReactiveHour", "voltAmpereReactiveHour", 1, 1000},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        double got = NAN, back = NAN;
        assert_true(unit_convert(str_of(CASES[i].from), str_of(CASES[i].to), CASES[i].value, &got));
        if (fabs(got - CASES[i].want) > 2e-7 * fmax(1, fabs(CASES[i].want)))
            fail_msg("%s to %s: %.10g, want %.10g", CASES[i].from, CASES[i].to, got, CASES[i].want);
        assert_true(unit_convert(str_of(CASES[i].to), str_of(CASES[i].from), got, &back));
        assert_true(fabs(back - CASES[i].value) <= 1e-10 * fmax(1, fabs(CASES[i].value)));
    }
    double out = 7;
    assert_false(unit_convert(STR("metre"), STR("second"), 1, &out));
    assert_false(unit_convert(STR("metre"), STR("furlong"), 1, &out));
    assert_true(out == 7);
}

// Terms that belong to the description of units, not to twins' properties.
static bool helper(Str term) {
    static const char *const HELPERS[] = {"RatioUnit",  "UnitPrefix",   "DecimalUnit",
                                          "BinaryUnit", "SymbolicUnit", "QuantitativeType"};
    for (size_t i = 0; i < sizeof(HELPERS) / sizeof(HELPERS[0]); i++)
        if (str_eq(term, str_of(HELPERS[i]))) return true;
    return false;
}

static void check_context(const char *file, UnitSet set) {
    char path[512];
    snprintf(path, sizeof path, "%s/dtdl-contexts/%s", data_root(), file);
    if (!data_present("contexts", path)) skip();
    Arena a;
    Json v;
    arena_init(&a, 0);
    assert_int_equal(json_parse(file_text(&a, path), NULL, &a, &v, NULL), ERR_OK);
    int units = 0, types = 0;
    for (int32_t i = 0; i < v.count; i++) {
        const Json *id = json_get(&v.members[i].value, STR("@id"));
        Str term = v.members[i].key;
        if (!id || id->type != JSON_STRING) continue;
        const Unit *u = unit_find(term);
        const SemanticType *t = semantic_find(term);
        UnitFamily f;
        if (str_find_str(id->s, STR(":unit:")) > 0) {
            if (!u || !(u->sets & set)) fail_msg("%s: %.*s is missing", file, STR_ARG(term));
            units++;
        } else if (str_find_str(id->s, STR(":class:")) > 0 && !str_starts(id->s, STR("dtmi:dtdl:class:")) &&
                   !helper(term) && !unit_family_find(term, &f) && !str_ends(term, STR("Prefix"))) {
            if (!t || !(t->sets & set)) fail_msg("%s: %.*s is missing", file, STR_ARG(term));
            types++;
        }
    }
    for (int32_t i = 0; i < unit_count(); i++) units -= (unit_at(i)->sets & set) != 0;
    for (int32_t i = 0; i < semantic_count(); i++) types -= (semantic_at(i)->sets & set) != 0;
    assert_int_equal(units, 0);
    assert_int_equal(types, 0);
    arena_free(&a);
}

static void test_contexts(void **state) {
    (void)state;
    check_context("v2/DTDL.v2.context.json", UNITS_V2);
    check_context("v3/DTDL.FeatureExtension.quantitativeTypes.v1.context.json", UNITS_Q1);
    check_context("v4/DTDL.FeatureExtension.quantitativeTypes.v2.context.json", UNITS_Q2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables), cmocka_unit_test(test_convert),
                                       cmocka_unit_test(test_contexts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
