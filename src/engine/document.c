// SPDX-License-Identifier: Apache-2.0
#include "engine/document.h"

bool document_name_ok(Str s, int64_t max) {
    if (s.n < 1 || s.n > max) return false;
    for (int64_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool alnum = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!alnum && (i == 0 || (ch != '-' && ch != '_' && ch != '.'))) return false;
    }
    return true;
}

Err document_do(World *w, Str collection, Str name, Str json, Diag *d) {
    Buf text = {0};
    buf_str_put(&text, collection);
    buf_byte(&text, 0);
    buf_str_put(&text, name);
    buf_byte(&text, 0);
    buf_str_put(&text, json);
    Err err = world_do(w, &(Change){.kind = CHANGE_DOC, .text = buf_str(&text)});
    buf_free(&text);
    return err ? diag_add(d, err, -1, -1, name, "%s", err_text(err)) : ERR_OK;
}

static void show_one(const Doc *doc, Buf *out) {
    buf_str_put(out, STR("{\"name\":"));
    json_put_str(out, doc->name);
    buf_byte(out, ',');
    buf_str_put(out, str_sub(doc->json, 1, doc->json.n));
}

bool document_show(View *v, Str collection, Str name, Buf *out) {
    if (name.n) {
        const Doc *doc = catalog_doc(v->catalog, collection, name);
        if (doc) show_one(doc, out);
        return doc != NULL;
    }
    int32_t count, first = catalog_docs(v->catalog, collection, &count);
    buf_byte(out, '[');
    for (int32_t i = first; i < first + count; i++) {
        if (i > first) buf_byte(out, ',');
        show_one(v->catalog->docs[i], out);
    }
    buf_byte(out, ']');
    return true;
}
