// SPDX-License-Identifier: Apache-2.0
// The graph in columns: 100,000 twins with labels and a value each, 200,000 relationships; as it is, and packed.
#include <string.h>
#include <sosia/sosia.h>
#include "base/bench.h"
#include "base/buf.h"
#include "base/check.h"
#include "serve/gzip.h"

#define TWINS 100000
#define ROUNDS 9

static const char MODELS[] =
    "[{\"@id\":\"dtmi:bench:Node;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"name\",\"schema\":\"string\"},{\"@type\":\"Property\",\"name\":\"load\","
    "\"schema\":\"double\"},{\"@type\":\"Relationship\",\"name\":\"feeds\"},{\"@type\":\"Relationship\",\"name\":"
    "\"partOf\"}]}]";

static void put_in(Sosia *s, SosiaOp op, Str body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    CHECK(sosia_write_wait(s, NULL, &(SosiaWrite){.op = op, .body = body}, &done, &keep) == SOSIA_OK);
    sosia_buf_free(&keep);
}

static void load(Sosia *s) {
    Buf b = {0};
    put_in(s, SOSIA_MODELS_ADD, STR(MODELS));
    buf_str_put(&b, STR("{\"Section\":\"Twins\"}\n"));
    for (int i = 0; i < TWINS; i++)
        buf_printf(&b,
                   "{\"$dtId\":\"node-%06d\",\"$metadata\":{\"$model\":\"dtmi:bench:Node;1\"},\"name\":\"Node %d\","
                   "\"load\":%.3f}\n",
                   i, i, (i * 7919 % 1000) / 37.0);
    put_in(s, SOSIA_IMPORT, buf_str(&b));
    buf_reset(&b);
    buf_str_put(&b, STR("{\"Section\":\"Relationships\"}\n"));
    for (int i = 1; i < TWINS; i++)
        buf_printf(&b,
                   "{\"$sourceId\":\"node-%06d\",\"$relationshipId\":\"a\",\"$targetId\":\"node-%06d\","
                   "\"$relationshipName\":\"feeds\"}\n{\"$sourceId\":\"node-%06d\",\"$relationshipId\":\"b\","
                   "\"$targetId\":\"node-%06d\",\"$relationshipName\":\"partOf\"}\n",
                   i, (i * 7 + 1) % TWINS == i ? 0 : (i * 7 + 1) % TWINS, i, i / 20);
    put_in(s, SOSIA_IMPORT, buf_str(&b));
    buf_free(&b);
}

int main(void) {
    Sosia *s;
    SosiaOut out = {0};
    Buf packed = {0};
    Str label = STR("name"), value = STR("load");
    SosiaGraph ask = {.labels = &label, .label_count = 1, .values = &value, .value_count = 1};
    Bench plain = {.name = "graph.columns", .unit = "ms", .goal = 150, .less = true};
    Bench gzip = {.name = "graph.packed", .unit = "ms", .goal = 150, .less = true};
    CHECK(sosia_open(&(SosiaOpen){.no_history = true}, &s, NULL) == SOSIA_OK);
    load(s);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t began = time_mono_ns();
        CHECK(sosia_graph(s, NULL, &ask, &out) == SOSIA_OK);
        bench_add(&plain, bench_seconds(began) * 1e3);
        buf_reset(&packed);
        gzip_pack(buf_str(&out.body), 1, &packed);
        bench_add(&gzip, bench_seconds(began) * 1e3);
    }
    bench_print(&plain);
    bench_print(&gzip);
    fprintf(stderr, "%lld bytes, %lld packed\n", (long long)out.body.n, (long long)packed.n);
    buf_free(&packed);
    sosia_out_free(&out);
    sosia_close(s);
    return 0;
}
