// SPDX-License-Identifier: Apache-2.0
// Sosia inside your own program: open a world, load a model, make twins, feed values by handle, watch the feed, try
// something out in a fork. Build it with:
//
//     cc embed.c $(pkg-config --cflags --libs sosia)
//
// Run it with the name of a world file, or without one: then the world lives in memory.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sosia/sosia.h>

#define TEXT(literal) ((SosiaStr){(literal), (int64_t)sizeof(literal) - 1})

static const SosiaStr live = {"live", 4};

// Examples stop at the first failure; a real program looks at the code and goes on.
static void must(SosiaErr err, const char *what) {
    if (err == SOSIA_OK) return;
    fprintf(stderr, "%s: %s (%s)\n", what, sosia_err_text(err), sosia_err_name(err));
    exit(sosia_err_exit(err));
}

// One document in, waiting until it is durable.
static void put(Sosia *s, SosiaOp op, SosiaStr id, SosiaStr sub, SosiaStr body) {
    SosiaWrite write = {.op = op, .world = live, .id = id, .sub = sub, .body = body};
    SosiaDone done = {0};
    SosiaBuf keep = {0};
    SosiaErr err = sosia_write_wait(s, NULL, &write, &done, &keep);
    if (err != SOSIA_OK) fprintf(stderr, "%.*s\n", (int)done.message.n, done.message.p);
    must(err, "write");
    sosia_buf_free(&keep);
}

static const char models[] =
    "[{\"@context\":[\"dtmi:dtdl:context;3\",\"dtmi:dtdl:extension:quantitativeTypes;1\"],"
    "  \"@id\":\"dtmi:example:Pump;1\",\"@type\":\"Interface\",\"contents\":["
    "  "
    "{\"@type\":[\"Property\",\"VolumeFlowRate\"],\"name\":\"flow\",\"schema\":\"double\",\"unit\":"
    "\"cubicMetrePerHour\"},"
    "  {\"@type\":\"Property\",\"name\":\"running\",\"schema\":\"boolean\"},"
    "  {\"@type\":\"Relationship\",\"name\":\"fills\",\"target\":\"dtmi:example:Tank;1\"}]},"
    " {\"@context\":[\"dtmi:dtdl:context;3\",\"dtmi:dtdl:extension:quantitativeTypes;1\"],"
    "  \"@id\":\"dtmi:example:Tank;1\",\"@type\":\"Interface\",\"contents\":["
    "  {\"@type\":[\"Property\",\"Length\"],\"name\":\"level\",\"schema\":\"double\",\"unit\":\"metre\"}]}]";

static void load(Sosia *s) {
    put(s, SOSIA_MODELS_ADD, TEXT(""), TEXT(""), TEXT(models));
    put(s, SOSIA_TWIN_PUT, TEXT("pump-1"), TEXT(""),
        TEXT("{\"$metadata\":{\"$model\":\"dtmi:example:Pump;1\"},\"running\":true}"));
    put(s, SOSIA_TWIN_PUT, TEXT("tank-1"), TEXT(""), TEXT("{\"$metadata\":{\"$model\":\"dtmi:example:Tank;1\"}}"));
    put(s, SOSIA_LINK_PUT, TEXT("pump-1"), TEXT("fills-1"),
        TEXT("{\"$relationshipName\":\"fills\",\"$targetId\":\"tank-1\"}"));
    printf("loaded 2 twins and 1 relationship\n");
}

static SosiaHandle resolve(Sosia *s, SosiaStr world, SosiaStr twin, SosiaStr path) {
    SosiaHandle handle;
    must(sosia_resolve(s, world, twin, path, &handle), "resolve");
    return handle;
}

// Handles are resolved once and used a million times: this is the fast path.
static void feed_values(Sosia *s, SosiaHandle flow, SosiaHandle level) {
    for (int minute = 1; minute <= 3; minute++) {
        SosiaUpdate updates[2] = {
            {.at = flow, .value = {.kind = SOSIA_F64, .d = 40.0 + minute}, .source_time_ns = minute * 60000000000},
            {.at = level, .value = {.kind = SOSIA_F64, .d = 1.25 * minute}, .source_time_ns = minute * 60000000000},
        };
        uint64_t seq;
        must(sosia_apply(s, NULL, live, updates, 2, &seq), "apply");
    }
    printf("applied 3 batches of 2 values, each durable and all or nothing\n");
}

static double value_of(Sosia *s, SosiaStr world, SosiaHandle at) {
    SosiaValue value;
    SosiaBuf keep = {0};
    int64_t updated, measured;
    must(sosia_value(s, NULL, world, at, &value, &updated, &measured, &keep), "value");
    sosia_buf_free(&keep);
    return value.kind == SOSIA_F64 ? value.d : 0;
}

// Everything that happened since the feed was opened, batch by batch; `prev` proves that none is missing.
static void read_feed(SosiaFeed *feed) {
    SosiaBatch batch;
    uint64_t last = 0;
    while (sosia_feed_next(feed, 0, &batch) == SOSIA_OK && batch.seq) {
        if (last && batch.prev != last) printf("a batch is missing\n");
        last = batch.seq;
        printf("feed:");
        for (int64_t i = 0; i < batch.count; i++) {
            const SosiaChange *c = &batch.changes[i];
            printf(" %.*s.%.*s=%g", (int)c->twin.n, c->twin.p, (int)c->path.n, c->path.p, c->value.d);
        }
        printf("\n");
    }
}

// A fork is a copy of the whole world in microseconds: change it, look, drop it. The live world does not notice.
static void try_something_out(Sosia *s) {
    SosiaStr world = TEXT("full-tank");
    must(sosia_fork(s, NULL, live, world), "fork");
    SosiaHandle level = resolve(s, world, TEXT("tank-1"), TEXT("level"));
    SosiaUpdate update = {.at = level, .value = {.kind = SOSIA_F64, .d = 9.5}};
    must(sosia_apply(s, NULL, world, &update, 1, NULL), "apply to the fork");
    printf("level in the fork %g m, in the live world %g m\n", value_of(s, world, level),
           value_of(s, live, resolve(s, live, TEXT("tank-1"), TEXT("level"))));
    must(sosia_drop(s, NULL, world), "drop");
}

static void print_twin(Sosia *s) {
    SosiaRead read = {.what = SOSIA_GET_TWIN, .world = live, .id = TEXT("pump-1"), .no_times = true};
    SosiaOut out = {0};
    must(sosia_read(s, NULL, &read, &out), "read");
    const char *value = out.body.n ? strstr(out.body.p, "\"flow\"") : NULL;
    printf("pump-1 as JSON says %.*s\n", value ? 9 : 0, value ? value : "");
    sosia_out_free(&out);
}

int main(int argc, char **argv) {
    Sosia *s;
    SosiaBuf why = {0};
    SosiaOpen open = {0};
    if (argc > 1) open.path = (SosiaStr){argv[1], (int64_t)strlen(argv[1])};
    SosiaErr err = sosia_open(&open, &s, &why);
    if (err != SOSIA_OK) fprintf(stderr, "%.*s\n", (int)why.n, why.p ? why.p : "");
    sosia_buf_free(&why);
    must(err, "open");

    load(s);
    SosiaFeed *feed;
    must(sosia_feed_open(s, NULL, live, 0, &feed, NULL), "feed");
    SosiaHandle flow = resolve(s, live, TEXT("pump-1"), TEXT("flow"));
    SosiaHandle level = resolve(s, live, TEXT("tank-1"), TEXT("level"));
    feed_values(s, flow, level);
    printf("flow %g m3/h, level %g m\n", value_of(s, live, flow), value_of(s, live, level));
    read_feed(feed);
    sosia_feed_close(feed);
    try_something_out(s);
    print_twin(s);
    sosia_close(s);
    return 0;
}
