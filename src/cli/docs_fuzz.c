// SPDX-License-Identifier: Apache-2.0
// Any bytes as an import file: nothing crashes, every document kept is one line of valid JSON, every place exists.
#include "base/check.h"
#include "cli/docs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Docs docs;
    Arena scratch;
    Str text = {(const char *)data, (int64_t)size};
    int64_t lines = 1;
    for (int64_t at = str_find(text, '\n', 0); at >= 0; at = str_find(text, '\n', at + 1)) lines++;
    docs_init(&docs);
    arena_init(&scratch, 0);
    docs_read_text(&docs, STR("fuzz"), text);
    docs_order_models(&docs);
    for (int32_t k = 0; k < DOC_KINDS; k++) {
        for (int64_t i = 0; i < docs.list[k].count; i++) {
            const Doc *d = &docs.list[k].items[i];
            Json v;
            CHECK(json_parse(d->text, NULL, &scratch, &v, NULL) == ERR_OK);
            CHECK(v.type == JSON_OBJECT && str_find(d->text, '\n', 0) < 0);
            CHECK(d->line >= 1 && d->line <= lines);
        }
    }
    for (int32_t i = 0; i < docs.error_count; i++) CHECK(docs.errors[i].line >= 1 && docs.errors[i].line <= lines);
    arena_free(&scratch);
    docs_free(&docs);
    return 0;
}
