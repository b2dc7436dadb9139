// SPDX-License-Identifier: Apache-2.0
// What derived values add to a change: five roll-ups over 1,000 children each, batches of 5,000 updates through
// sosia.h, against the same updates without definitions; one change a batch, which computes one roll-up whole; and
// updates of what no definition looks at.
#include <string.h>
#include "base/bench.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sosia/sosia.h"

#define PARENTS 5
#define CHILDREN 1000
#define ALL (PARENTS * CHILDREN)
#define ROUNDS 15
#define BATCHES 20
#define SINGLES 500

static const char models[] =
    "[{\"@id\":\"dtmi:bench:Sensor;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"value\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"other\",\"schema\":\"double\"}]},"
    "{\"@id\":\"dtmi:bench:Room;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"mean\",\"schema\":\"double\"},"
    "{\"@type\":\"Relationship\",\"name\":\"contains\",\"target\":\"dtmi:bench:Sensor;1\"}]}]";
static const char definition[] = "{\"model\":\"dtmi:bench:Room;1\",\"property\":\"mean\",\"expression\":"
                                 "\"AVG(out.contains.value)\"}";

typedef struct Scene {
    Sosia *s;
    SosiaHandle *at, *value, *other; // at: those that are written
    SosiaUpdate *updates;
    Rng rng;
} Scene;

static SosiaStr str(const char *z) { return (SosiaStr){z, (int64_t)strlen(z)}; }

static void check(SosiaErr err, const char *what) {
    if (!err) return;
    fprintf(stderr, "%s: %s\n", what, sosia_err_name(err));
    exit(1);
}

static void do_write(Scene *x, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    SosiaWrite w = {.op = op, .id = str(id), .sub = str(sub), .body = str(body)};
    check(sosia_write_wait(x->s, NULL, &w, &done, &keep), "write");
    sosia_buf_free(&keep);
}

static void make(Scene *x) {
    char parent[16], child[16], body[200];
    check(sosia_open(&(SosiaOpen){.ring_records = 0}, &x->s, NULL), "open");
    x->at = x->value = mem_alloc(ALL * sizeof *x->at);
    x->other = mem_alloc(ALL * sizeof *x->at);
    x->updates = mem_alloc(ALL * sizeof *x->updates);
    do_write(x, SOSIA_MODELS_ADD, "", "", models);
    for (int p = 0; p < PARENTS; p++) {
        snprintf(parent, sizeof parent, "room-%d", p);
        do_write(x, SOSIA_TWIN_PUT, parent, "", "{\"$metadata\":{\"$model\":\"dtmi:bench:Room;1\"}}");
        for (int c = 0; c < CHILDREN; c++) {
            snprintf(child, sizeof child, "s-%d", p * CHILDREN + c);
            do_write(x, SOSIA_TWIN_PUT, child, "", "{\"$metadata\":{\"$model\":\"dtmi:bench:Sensor;1\"},\"value\":1}");
            snprintf(body, sizeof body, "{\"$relationshipName\":\"contains\",\"$targetId\":\"%s\"}", child);
            do_write(x, SOSIA_LINK_PUT, parent, child, body);
            check(sosia_resolve(x->s, str(""), str(child), str("value"), &x->value[p * CHILDREN + c]), "resolve");
            check(sosia_resolve(x->s, str(""), str(child), str("other"), &x->other[p * CHILDREN + c]), "resolve");
        }
    }
}

// Microseconds a change of `batches` batches of n changes each.
static double run(Scene *x, int batches, int64_t n) {
    double spent = 0;
    for (int b = 0; b < batches; b++) {
        for (int64_t i = 0; i < n; i++)
            x->updates[i] = (SosiaUpdate){.at = x->at[n == ALL ? i : (int64_t)rng_below(&x->rng, ALL)],
                                          .value = {.kind = SOSIA_F64, .d = rng_f64(&x->rng)}};
        for (int64_t i = n - 1; i > 0; i--) { // sensors do not report in order
            int64_t k = (int64_t)rng_below(&x->rng, (uint64_t)i + 1);
            SosiaUpdate swap = x->updates[i];
            x->updates[i] = x->updates[k];
            x->updates[k] = swap;
        }
        int64_t start = time_mono_ns();
        check(sosia_apply(x->s, NULL, str(""), x->updates, n, NULL), "apply");
        spent += bench_seconds(start);
    }
    return spent * 1e6 / (double)(batches * n);
}

static void measure(Scene *x, const char *name, int batches, int64_t n, double goal) {
    Bench b = {.name = name, .unit = "us", .goal = goal, .less = true, .peer = "the same without definitions"};
    for (int r = 0; r < ROUNDS; r++) {
        double without = run(x, batches, n);
        do_write(x, SOSIA_DERIVED_PUT, "mean", "", definition);
        double with = run(x, batches, n);
        do_write(x, SOSIA_DERIVED_DELETE, "mean", "", "");
        bench_add(&b, with - without);
        b.peer_value = without;
    }
    bench_print(&b);
}

int main(void) {
    Scene x = {0};
    x.rng = rng_make(1, 0);
    make(&x);
    measure(&x, "derived.update", BATCHES, ALL, 1);
    measure(&x, "derived.single", SINGLES, 1, 0);
    x.at = x.other; // what no definition looks at
    measure(&x, "derived.beside", BATCHES, ALL, 0);
    sosia_close(x.s);
    mem_free(x.value);
    mem_free(x.other);
    mem_free(x.updates);
    return 0;
}
