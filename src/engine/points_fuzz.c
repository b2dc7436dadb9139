// SPDX-License-Identifier: Apache-2.0
// Bytes in, values out: the first byte chooses NDJSON or CSV, the rest is the body, applied to a world in memory. Every
// body gets a report whose counts fit together, or is refused as a whole with a reason.
#include <stdlib.h>
#include <string.h>
#include "base/check.h"
#include "codec/json.h"
#include "sosia/sosia.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char models[] =
    "[{\"@id\":\"dtmi:f:A;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"d\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"s\",\"schema\":"
    "\"string\"},{\"@type\":\"Property\",\"name\":\"n\",\"schema\":\"integer\"},{\"@type\":\"Property\",\"name\":\"b\","
    "\"schema\":\"boolean\"},{\"@type\":\"Property\",\"name\":\"o\",\"schema\":{\"@type\":\"Object\",\"fields\":[{"
    "\"name\":\"x\",\"schema\":\"float\"}]}},{\"@type\":\"Property\",\"name\":\"t\",\"schema\":\"dateTime\"}]}]";

static SosiaErr do_write(Sosia *s, SosiaOp op, const char *id, Str body, SosiaDone *done, SosiaBuf *keep) {
    SosiaWrite w = {.op = op, .id = str_of(id), .body = body};
    return sosia_write_wait(s, NULL, &w, done, keep);
}

static Sosia *open_once(void) {
    static Sosia *s;
    SosiaDone done;
    SosiaBuf keep = {0};
    if (s) return s;
    CHECK(sosia_open(&(SosiaOpen){.query_threads = 1}, &s, NULL) == SOSIA_OK);
    CHECK(do_write(s, SOSIA_MODELS_ADD, "", STR(models), &done, &keep) == SOSIA_OK);
    Str twin = STR("{\"$metadata\":{\"$model\":\"dtmi:f:A;1\"}}");
    CHECK(do_write(s, SOSIA_TWIN_PUT, "a", twin, &done, &keep) == SOSIA_OK);
    CHECK(do_write(s, SOSIA_TWIN_PUT, "b", twin, &done, &keep) == SOSIA_OK);
    sosia_buf_free(&keep);
    return s;
}

static void check_report(Str body) {
    Arena arena;
    Json v;
    arena_init(&arena, 0);
    CHECK(json_parse(body, NULL, &arena, &v, NULL) == ERR_OK);
    int64_t accepted = json_get(&v, STR("accepted"))->i, rejected = json_get(&v, STR("rejected"))->i;
    const Json *errors = json_get(&v, STR("errors"));
    CHECK(accepted >= 0 && rejected >= 0);
    CHECK(json_get(&v, STR("late"))->i + json_get(&v, STR("duplicates"))->i <= accepted);
    CHECK(errors->count == (rejected < 100 ? rejected : 100));
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1 << 14) return 0;
    Sosia *s = open_once();
    SosiaDone done;
    SosiaBuf keep = {0};
    Str body = {(const char *)data + 1, (int64_t)size - 1};
    SosiaErr err = do_write(s, data[0] == 'c' ? SOSIA_INGEST_CSV : SOSIA_INGEST, "", body, &done, &keep);
    if (err) CHECK(done.message.n > 0);
    else check_report(done.body);
    sosia_buf_free(&keep);
    return 0;
}
