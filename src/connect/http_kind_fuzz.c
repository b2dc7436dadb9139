// SPDX-License-Identifier: Apache-2.0
// Bytes are the document of a connection, a twin's id and a command's name, a line each. Addresses that are made of it
// stay within the document's own server, whatever the names are.
#include "base/check.h"
#include "connect/http_kind.h"
#include "connect/webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const Json *doc, const HttpRules *rules, const Command *cmd) {
    Str server = json_get(doc, STR("url"))->s;
    while (str_ends(server, STR("/"))) server.n--;
    CHECK(rules->count > 0 && rules->count <= HTTP_RULES_MAX);
    for (int32_t i = 0; i < rules->count; i++) {
        Buf url = {0};
        http_address(doc, &rules->items[i], cmd, &url);
        CHECK(str_starts(buf_str(&url), server) && url.p[server.n] == '/');
        for (int64_t k = 0; k < url.n; k++) CHECK(url.p[k] > ' ' && url.p[k] <= '~' && url.p[k] != '#');
        buf_free(&url);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str rest = {(const char *)data, (int64_t)size};
    Str text = str_cut(&rest, '\n'), twin = str_cut(&rest, '\n');
    Arena arena;
    Json doc;
    Diag d;
    arena_init(&arena, 0);
    diag_init(&d);
    HttpRules *rules = NEW(&arena, HttpRules, 1);
    if (!json_parse(text, NULL, &arena, &doc, NULL)) {
        Err err = http_document(&doc, &d, &arena, rules);
        CHECK(!err == !d.count);
        if (!err) look_at(&doc, rules, &(Command){.twin = twin, .name = rest});
    }
    diag_free(&d);
    arena_free(&arena);
    return 0;
}
