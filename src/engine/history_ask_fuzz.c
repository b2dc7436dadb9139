// SPDX-License-Identifier: Apache-2.0
// Bytes in, a page of history out: lines of functions, filling, properties, from, to, step, flags and a page's token,
// asked of a twin that has a little of everything. An answer is well-formed, and its token gives the next page; a
// refusal has a sentence.
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
#include "base/check.h"
#include "base/time.h"
#include "codec/json.h"
#include "sosia/sosia.h"

#define NAMES_MAX 8
#define PAGES_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char models[] =
    "[{\"@id\":\"dtmi:f:A;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"d\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"s\",\"schema\":"
    "\"string\"},{\"@type\":\"Property\",\"name\":\"n\",\"schema\":\"integer\"},{\"@type\":\"Property\",\"name\":\"b\","
    "\"schema\":\"boolean\"},{\"@type\":\"Telemetry\",\"name\":\"t\",\"schema\":\"double\"}]}]";
static char folder[] = "/tmp/sosia-fuzz-XXXXXX";
static Sosia *engine;

static void put(SosiaOp op, const char *id, Str body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    SosiaWrite w = {.op = op, .id = str_of(id), .body = body, .message_id = STR("m")};
    CHECK(sosia_write_wait(engine, NULL, &w, &done, &keep) == SOSIA_OK);
    sosia_buf_free(&keep);
}

static void put_values(void) {
    Buf lines = {0};
    for (int i = 0; i < 50; i++) {
        const char *time = "\"time\":\"2026-11-01T08:";
        buf_printf(&lines, "{\"id\":\"a\",\"property\":\"d\",\"value\":%d.5,%s%02d:00Z\"}\n", i, time, i);
        buf_printf(&lines, "{\"id\":\"a\",\"property\":\"n\",\"value\":%d,%s%02d:30Z\"}\n", i % 7, time, i);
        buf_printf(&lines, "{\"id\":\"a\",\"property\":\"b\",\"value\":%s,%s%02d:00Z\"}\n", i % 3 ? "true" : "false",
                   time, i);
        buf_printf(&lines, "{\"id\":\"a\",\"property\":\"s\",\"value\":\"x%d\",%s%02d:15Z\"}\n", i % 5, time, i);
    }
    put(SOSIA_INGEST, "", buf_str(&lines));
    buf_free(&lines);
}

static void end(void) {
    char file[64];
    sosia_close(engine);
    for (int i = 0; i < 4; i++) {
        static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
        snprintf(file, sizeof file, "%s/w.sosia%s", folder, tails[i]);
        unlink(file);
    }
    rmdir(folder);
}

static void begin(void) {
    char file[64];
    CHECK(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/w.sosia", folder);
    CHECK(sosia_open(&(SosiaOpen){.path = str_of(file), .query_threads = 1, .tick_ns = -1}, &engine, NULL) == SOSIA_OK);
    atexit(end);
    put(SOSIA_MODELS_ADD, "", STR(models));
    put(SOSIA_TWIN_PUT, "a", STR("{\"$metadata\":{\"$model\":\"dtmi:f:A;1\"}}"));
    put_values();
    put(SOSIA_TELEMETRY, "a", STR("{\"t\":2.5}"));
}

static void check_answer(const SosiaHistory *h, const SosiaOut *out) {
    if (h->format != SOSIA_HISTORY_JSON) return;
    Arena arena;
    Json v;
    arena_init(&arena, 0);
    CHECK(json_parse(buf_str(&out->body), NULL, &arena, &v, NULL) == ERR_OK);
    const Json *rows = json_get(&v, STR("value"));
    CHECK(rows && rows->type == JSON_ARRAY);
    CHECK(!h->limit || rows->count <= h->limit);
    arena_free(&arena);
}

// True when there is a further page: h asks for it then.
static bool ask(SosiaHistory *h, SosiaOut *out, char token[96], bool must) {
    SosiaErr err = sosia_history(engine, NULL, h, out);
    if (err) CHECK(out->message.n > 0 && !must);
    else check_answer(h, out);
    if (err || !out->token[0]) return false;
    memcpy(token, out->token, sizeof out->token);
    h->token = str_of(token);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str rest = {(const char *)data, (int64_t)size}, names[NAMES_MAX];
    char token[96];
    if (size > 2048) return 0;
    if (!engine) begin();
    SosiaHistory h = {.id = STR("a"), .properties = names};
    h.fn = str_cut(&rest, '\n');
    h.fill = str_cut(&rest, '\n');
    for (Str list = str_cut(&rest, '\n'); list.n && h.property_count < NAMES_MAX;)
        names[h.property_count++] = str_cut(&list, ',');
    int64_t now = INT64_C(1795000000) * NS_PER_S;
    if (!time_parse_when(str_cut(&rest, '\n'), now, &h.from_ns)) h.from_ns = 0;
    if (!time_parse_when(str_cut(&rest, '\n'), now, &h.to_ns)) h.to_ns = 0;
    if (!time_parse_duration(str_cut(&rest, '\n'), &h.step_ns)) h.step_ns = 0;
    Str flags = str_cut(&rest, '\n');
    uint8_t f = flags.n ? (uint8_t)flags.p[0] : 0;
    h.descending = f & 1;
    h.arrival = f & 2;
    h.sources = f & 4;
    h.format = (f >> 3) % 3;
    h.limit = flags.n > 1 ? (uint8_t)flags.p[1] : 20;
    h.token = rest;
    SosiaOut out = {0};
    bool more = ask(&h, &out, token, false);
    for (int i = 0; more && i < PAGES_MAX; i++) more = ask(&h, &out, token, true);
    sosia_out_free(&out);
    return 0;
}
