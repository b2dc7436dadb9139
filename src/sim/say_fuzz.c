// SPDX-License-Identifier: Apache-2.0
// Fuzz: the input is a statement of a behaviour (or, when it begins with "{", a whole document). What is refused says
// where; what parses compiles for a model, or is refused with a message that names the behaviour; twice the same.
#include "base/check.h"
#include "sim/test_rates.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Rig rig;
static View view;

static void one_document(Str json) {
    Diag a, b;
    diag_init(&a);
    diag_init(&b);
    Err first = behaviour_check(view.catalog, STR("doc"), json, &a);
    Err again = behaviour_check(view.catalog, STR("doc"), json, &b);
    CHECK(first == again && a.count == b.count);
    CHECK((first == ERR_OK) == (a.count == 0));
    diag_free(&a);
    diag_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Buf doc = {0};
    Str text = {(const char *)data, (int64_t)size};
    if (size > 3000) return 0;
    if (!rig.lab.w) {
        rig_open(&rig);
        view_begin(&view, rig.lab.w);
    }
    if (size && data[0] == '{') {
        one_document(text);
        return 0;
    }
    buf_printf(&doc, "{\"model\":\"dtmi:t:Cell;1\",\"parameters\":{\"p\":\"2 'W/K'\",\"q\":3,\"s\":\"a\",\"b\":true},"
                     "\"say\":[");
    json_put_str(&doc, text);
    buf_printf(&doc, "]}");
    one_document(buf_str(&doc));
    buf_free(&doc);
    return 0;
}
