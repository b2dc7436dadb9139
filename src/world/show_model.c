// SPDX-License-Identifier: Apache-2.0
// Model data of the REST dialect.
#include "base/time.h"
#include "codec/json.h"
#include "world/show.h"

static void put_langs(Buf *out, const Lang *langs, int32_t count) {
    buf_byte(out, '{');
    for (int32_t i = 0; i < count; i++) {
        if (i) buf_byte(out, ',');
        json_put_str(out, langs[i].language);
        buf_byte(out, ':');
        json_put_str(out, langs[i].text);
    }
    buf_byte(out, '}');
}

// The document as it was given, but "@context" always as an array, as clients of the dialect know it.
static void put_definition(Buf *out, Str document) {
    JsonScan scan;
    JsonToken key;
    json_scan_init(&scan, document);
    bool open = json_scan_object(&scan), first = true;
    buf_byte(out, '{');
    while (open && json_scan_key(&scan, &key)) {
        Str value;
        if (!json_scan_skip(&scan, &value)) break;
        bool wrap = str_eq(key.raw, STR("@context")) && value.n > 0 && value.p[0] != '[';
        if (!first) buf_byte(out, ',');
        first = false;
        buf_byte(out, '"');
        buf_str_put(out, key.raw);
        buf_str_put(out, wrap ? STR("\":[") : STR("\":"));
        buf_str_put(out, value);
        if (wrap) buf_byte(out, ']');
    }
    buf_byte(out, '}');
}

static void put_upload_time(Buf *out, int64_t ns) {
    buf_byte(out, '"');
    time_print(ns, 7, out);
    if (!out->full) out->n--; // +00:00 in place of Z
    buf_str_put(out, STR("+00:00\""));
}

void show_model(View *v, const Model *m, bool definition, Buf *out) {
    buf_str_put(out, STR("{\"id\":"));
    json_put_str(out, m->id);
    buf_str_put(out, STR(",\"displayName\":"));
    put_langs(out, m->display, m->display_count);
    buf_str_put(out, STR(",\"description\":"));
    put_langs(out, m->description, m->description_count);
    buf_str_put(out, STR(",\"uploadTime\":"));
    put_upload_time(out, v->catalog->tables[m->index].upload_time);
    buf_str_put(out, m->decommissioned ? STR(",\"decommissioned\":true") : STR(",\"decommissioned\":false"));
    if (definition) {
        buf_str_put(out, STR(",\"model\":"));
        put_definition(out, m->document);
    }
    buf_byte(out, '}');
}
