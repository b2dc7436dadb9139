// SPDX-License-Identifier: Apache-2.0
// Fuzz: a formula, a NUL byte, a JSON document. What binds has a value that is valid JSON and the same twice, and
// formula_can never denies what is true.
#include "base/check.h"
#include "codec/json.h"
#include "expr/formula.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate(Formula *f, Str document) {
    Arena a;
    Json doc;
    Buf first = {0}, second = {0};
    arena_init(&a, 0);
    bool ok = json_parse(document, NULL, &a, &doc, NULL) == ERR_OK;
    bool whole = ok && (doc.type == JSON_OBJECT || doc.type == JSON_ARRAY);
    ExprValue slots[3] = {{.type = EXPR_F64, .d = 21.5},
                          {.type = EXPR_STR, .s = STR("microsoft.iot.telemetry")},
                          {.type = whole ? EXPR_DOC : EXPR_UNDEFINED, .s = ok ? doc.raw : (Str){0}}};
    ExprValue v = formula_eval(f, slots, 1767225600000000000);
    bool yes = v.type == EXPR_BOOL && v.b;
    expr_value_json(&v, &first);
    CHECK(first.full || json_parse(buf_str(&first), NULL, &a, &doc, NULL) == ERR_OK);
    v = formula_eval(f, slots, 1767225600000000000);
    expr_value_json(&v, &second);
    CHECK(str_eq(buf_str(&first), buf_str(&second)));
    for (uint64_t known = 0; known < 8; known++) CHECK(!yes || formula_can(f, slots, known, 1767225600000000000));
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const Str names[] = {{"value", 5}, {"type", 4}, {"$body", 5}};
    Str text = {(const char *)data, (int64_t)size};
    Formula f;
    Diag d;
    if (size > 4000) return 0;
    Str formula = str_cut(&text, '\0');
    diag_init(&d);
    Err err = formula_init(&f, formula, names, 3, &d);
    CHECK((err == ERR_OK) == (d.count == 0));
    if (err == ERR_OK) evaluate(&f, text);
    else CHECK(err == ERR_SYNTAX || err == ERR_LIMIT || err == ERR_ARGUMENT);
    formula_free(&f);
    diag_free(&d);
    return 0;
}
