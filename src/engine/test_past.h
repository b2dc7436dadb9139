// SPDX-License-Identifier: Apache-2.0
// For tests of past worlds: a clock, a copy of everything anybody could read of a world, and random streams of edits.
#pragma once
#include <stdatomic.h>
#include "base/rng.h"
#include "base/time.h"
#include "engine/test_kit.h"

#define START INT64_C(1793520000000000000) // 2026-11-01T08:00:00Z
#define TWINS 14

static _Atomic int64_t test_clock; // wall clock of the engine

// The clock of SosiaOpen.now.
KIT int64_t test_now(void *ctx) {
    (void)ctx;
    return atomic_load(&test_clock);
}

// Time passes.
KIT void pass(int64_t ns) { atomic_fetch_add(&test_clock, ns); }

// "NAME@..." of an instant; the caller frees it with sosia_buf_free.
KIT SosiaBuf world_of(const char *name, int64_t at) {
    SosiaBuf b = {0};
    buf_printf(&b, "%s@", name);
    time_print(at, 9, &b);
    buf_byte(&b, 0);
    b.n--;
    return b;
}

// ---- a copy of all that can be read -------------------------------------------------------------------------------

// Append a text.
KIT void add_text(KitText *t, const char *z) { kit_add(t, z, strlen(z)); }

// Append an answer: its code, etag, sequence, body or message.
KIT void add_out(Kit *k, SosiaErr err, KitText *t) {
    char head[200];
    snprintf(head, sizeof head, "\n%s %s %llu ", sosia_err_name(err), k->out.etag,
             err ? 0 : (unsigned long long)k->out.seq);
    add_text(t, head);
    if (err) kit_add(t, k->out.message.p, (size_t)k->out.message.n);
    else kit_add(t, k->out.body.p, (size_t)k->out.body.n);
}

// One thing of a world.
KIT void add_one(Kit *k, const char *world, SosiaGet what, const char *id, const char *sub, KitText *t) {
    SosiaRead r = {.what = what,
                   .world = kit_str(world),
                   .id = kit_str(id),
                   .sub = kit_str(sub),
                   .definition = true,
                   .base_url = kit_str("http://h/x")};
    add_out(k, kit_read(k, &r), t);
}

// All pages of a list, with their tokens followed.
KIT void add_pages(Kit *k, SosiaRead r, KitText *t) {
    char token[96] = "";
    do {
        r.token = kit_str(token);
        SosiaErr err = kit_read(k, &r);
        add_out(k, err, t);
        memcpy(token, k->out.token, sizeof token);
        if (err) return;
    } while (token[0]);
}

// All pages of the answer to a question.
KIT void add_answer(Kit *k, const char *world, const char *text, int32_t limit, KitText *t) {
    SosiaAnswer a = {0};
    char token[96] = "";
    add_text(t, "\n");
    add_text(t, text);
    do {
        SosiaQuery q = {.world = kit_str(world), .text = kit_str(text), .token = kit_str(token), .limit = limit};
        SosiaErr err = sosia_query(k->s, NULL, &q, &a);
        if (err) fail_msg("%s in %s: %s: %.*s", text, world, sosia_err_name(err), (int)a.message.n, a.message.p);
        add_text(t, "\n");
        kit_add(t, a.body.p, (size_t)a.body.n);
        memcpy(token, a.token, sizeof token);
    } while (token[0]);
    sosia_answer_free(&a);
}

static const char *const questions[] = {
    "SELECT * FROM DIGITALTWINS",
    "SELECT COUNT() FROM DIGITALTWINS",
    "SELECT T FROM DIGITALTWINS T WHERE T.temperature > 20 AND T.on = true",
    "SELECT T.$dtId, T.temperature FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:test:Base;1') ORDER BY T.count DESC",
    "SELECT T.$dtId, T.$metadata.$lastUpdateTime AS t, T.$etag AS e FROM DIGITALTWINS T ORDER BY T.$dtId",
    "SELECT T.$dtId, age(T.temperature) AS a, now() AS n FROM DIGITALTWINS T",
    "SELECT T.$dtId FROM DIGITALTWINS T WHERE STARTSWITH(T.label, 'a label') OR T.thermostat.setPoint < 5",
    "SELECT * FROM RELATIONSHIPS",
    "SELECT R FROM RELATIONSHIPS R WHERE R.flow > 10",
    "SELECT A.$dtId AS a, B.$dtId AS b FROM DIGITALTWINS MATCH (A)-[:feeds]->(B)",
    "SELECT A.$dtId AS a, B.$dtId AS b FROM DIGITALTWINS MATCH (A)-[*1..3]->(B) WHERE A.$dtId = 'twin-1'",
    "SELECT T, C FROM DIGITALTWINS T JOIN C RELATED T.near WHERE T.$dtId = 'twin-2'",
    "SELECT T.on AS o, COUNT() AS n, AVG(T.temperature) AS m FROM DIGITALTWINS T GROUP BY T.on",
};

// A twin, its component and its relationships.
KIT void add_twin(Kit *k, const char *world, const char *id, int32_t limit, KitText *t) {
    SosiaRead r = {.world = kit_str(world), .id = kit_str(id), .base_url = kit_str("http://h/x"), .limit = limit};
    add_one(k, world, SOSIA_GET_TWIN, id, "", t);
    add_one(k, world, SOSIA_GET_COMPONENT, id, "thermostat", t);
    r.what = SOSIA_GET_LINKS;
    add_pages(k, r, t);
    r.what = SOSIA_GET_INCOMING;
    add_pages(k, r, t);
    for (int i = 0; i < 3; i++) {
        char link[24];
        snprintf(link, sizeof link, "link-%d", i);
        add_one(k, world, SOSIA_GET_LINK, id, link, t);
    }
}

// Everything, as one text the caller frees.
KIT char *copy_all(Kit *k, const char *world, uint64_t seed) {
    KitText t = {0};
    Rng r = rng_make(seed, 99); // how many a page: the same both times
    SosiaRead models = {.what = SOSIA_GET_MODELS, .world = kit_str(world), .definition = true, .limit = 2};
    add_pages(k, models, &t);
    add_one(k, world, SOSIA_GET_MODEL, "dtmi:test:Room;1", "", &t);
    add_one(k, world, SOSIA_GET_MODEL, "dtmi:test:Extra1;1", "", &t);
    add_one(k, world, SOSIA_GET_DERIVED, "", "", &t);
    SosiaRead twins = {.what = SOSIA_GET_TWINS, .world = kit_str(world), .limit = 1 + (int32_t)rng_below(&r, 5)};
    add_pages(k, twins, &t);
    for (int i = 0; i < TWINS; i++) {
        char id[32];
        snprintf(id, sizeof id, "twin-%d", i);
        add_twin(k, world, id, 1 + (int32_t)rng_below(&r, 4), &t);
    }
    bool models_there = strstr(t.p, "dtmi:test:Room;1\",\"") != NULL;
    for (size_t i = 0; models_there && i < sizeof questions / sizeof *questions; i++)
        add_answer(k, world, questions[i], 1 + (int32_t)rng_below(&r, 6), &t);
    return t.p;
}

// ---- a random stream of edits -------------------------------------------------------------------------------------

typedef struct Stream {
    Kit k;
    Rng r;
    const char *world; // where edits go
    uint64_t seed;
    int models; // of the extra ones
} Stream;

// A random number from 0 on.
KIT int below(Stream *s, int n) { return (int)rng_below(&s->r, (uint64_t)n); }

// The name of a twin that there may be.
KIT void some_twin(Stream *s, char id[32]) { snprintf(id, 32, "twin-%d", below(s, TWINS)); }

// One write, which may be refused.
KIT void edit(Stream *s, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaErr err = kit_write_in(&s->k, s->world, op, id, sub, body); // many are refused, and change nothing
    if (err == SOSIA_STORAGE || err == SOSIA_CLOSED) fail_msg("seed %llu", (unsigned long long)s->seed);
}

// Make a twin, or another in its place.
KIT void put_twin(Stream *s, const char *id) {
    char body[512];
    const char *more = below(s, 2) ? ",\"label\":\"a label that is longer than twelve bytes\"" : "";
    snprintf(
        body, sizeof body,
        "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}},\"temperature\":%d.25%s}",
        below(s, 40), more);
    if (below(s, 4) == 0)
        snprintf(body, sizeof body, "{\"$metadata\":{\"$model\":\"dtmi:test:Extra%d;1\"},\"label\":\"x\"}",
                 1 + below(s, 3));
    edit(s, SOSIA_TWIN_PUT, id, "", body);
}

// Change some of its values, or its model.
KIT void patch_twin(Stream *s, const char *id) {
    static const char *const forms[] = {
        "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%d.5}]",
        "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d},{\"op\":\"add\",\"path\":\"/on\",\"value\":true}]",
        "[{\"op\":\"remove\",\"path\":\"/temperature\"}]",
        "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"a label with the number %d in it, and quite long\"}]",
        "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"b%d\"}]",
        "[{\"op\":\"add\",\"path\":\"/tags\",\"value\":{\"t%d\":true}}]",
        "[{\"op\":\"add\",\"path\":\"/size\",\"value\":{\"w\":%d}}]",
        "[{\"op\":\"remove\",\"path\":\"/size\"}]",
        "[{\"op\":\"add\",\"path\":\"/on\",\"value\":false}]",
        "[{\"op\":\"add\",\"path\":\"/big\",\"value\":-%d000000000000}]",
        "[{\"op\":\"replace\",\"path\":\"/$metadata/temperature/sourceTime\",\"value\":\"2026-10-31T00:00:%02dZ\"}]",
        "[{\"op\":\"replace\",\"path\":\"/$metadata/$model\",\"value\":\"dtmi:test:Extra%d;1\"}]",
    };
    char body[512];
    int form = below(s, (int)(sizeof forms / sizeof *forms)), n = form == 11 ? 1 + below(s, 3) : below(s, 60);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, forms[form], n);
#pragma GCC diagnostic pop
    edit(s, SOSIA_TWIN_PATCH, id, "", body);
}

// A value of a stream: now, late, of the future, again.
KIT void ingest(Stream *s, const char *id) {
    char body[512];
    int64_t time = atomic_load(&test_clock) / 1000000 + (int64_t)below(s, 4000) - 3000;
    if (below(s, 8) == 0) time += 100000000; // far ahead
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"property\":\"temperature\",\"value\":%d.125,\"time\":%lld}\n"
             "{\"id\":\"twin-%d\",\"property\":\"count\",\"value\":%d,\"time\":%lld}\n"
             "{\"id\":\"%s\",\"property\":\"thermostat.setPoint\",\"value\":%d}\n",
             id, below(s, 40), (long long)time, below(s, TWINS), below(s, 9), (long long)time - 5, id, below(s, 10));
    edit(s, SOSIA_INGEST, "", "", body);
}

// Make, change or delete a relationship.
KIT void links(Stream *s, const char *id) {
    char link[24], body[256];
    snprintf(link, sizeof link, "link-%d", below(s, 3));
    int what = below(s, 6);
    if (what == 0) {
        edit(s, SOSIA_LINK_DELETE, id, link, "");
    } else if (what == 1) {
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/flow\",\"value\":%d}]", below(s, 30));
        edit(s, SOSIA_LINK_PATCH, id, link, body);
    } else {
        snprintf(body, sizeof body, "{\"$relationshipName\":\"%s\",\"$targetId\":\"twin-%d\"%s}",
                 below(s, 3) ? "feeds" : "near", below(s, TWINS), "");
        edit(s, SOSIA_LINK_PUT, id, link, body);
    }
}

// Delete a twin and what leaves it.
KIT void delete_twin(Stream *s, const char *id) {
    for (int i = 0; i < 3; i++) {
        char link[24];
        snprintf(link, sizeof link, "link-%d", i);
        edit(s, SOSIA_LINK_DELETE, id, link, "");
    }
    edit(s, SOSIA_TWIN_DELETE, id, "", "");
}

// Add, retire or delete a model.
KIT void extra_model(Stream *s) {
    char body[512], id[64];
    int what = below(s, 4);
    snprintf(id, sizeof id, "dtmi:test:Extra%d;1", 1 + below(s, 3));
    if (what == 0) {
        edit(s, SOSIA_MODEL_DELETE, id, "", "");
    } else if (what == 1) {
        edit(s, SOSIA_MODEL_PATCH, id, "", "[{\"op\":\"replace\",\"path\":\"/decommissioned\",\"value\":true}]");
    } else {
        snprintf(body, sizeof body,
                 "[{\"@id\":\"%s\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"extends\":"
                 "\"dtmi:test:Base;1\",\"contents\":[{\"@type\":\"Property\",\"name\":\"temperature\",\"schema\":"
                 "\"double\"},{\"@type\":\"Property\",\"name\":\"extra%d\",\"schema\":\"string\"},{\"@type\":"
                 "\"Relationship\",\"name\":\"feeds\"}]}]",
                 id, s->models++);
        edit(s, SOSIA_MODELS_ADD, "", "", body);
    }
}

// Define a derived value, or take it away.
KIT void derived(Stream *s) {
    char body[256], name[32];
    snprintf(name, sizeof name, "derived-%d", below(s, 2));
    if (below(s, 3) == 0) {
        edit(s, SOSIA_DERIVED_DELETE, name, "", "");
    } else {
        snprintf(body, sizeof body,
                 "{\"model\":\"dtmi:test:Room;1\",\"property\":\"thermostat.setPoint\",\"expression\":"
                 "\"temperature * %d\"}",
                 below(s, 5));
        edit(s, SOSIA_DERIVED_PUT, name, "", body);
    }
}

// One edit of any kind.
KIT void step(Stream *s) {
    char id[32];
    some_twin(s, id);
    if (below(s, 5)) pass(1 + below(s, 900000000)); // else several batches at one reading of the clock
    switch (below(s, 16)) {
    case 0:
    case 1: put_twin(s, id); break;
    case 2:
    case 3:
    case 4:
    case 5: patch_twin(s, id); break;
    case 6:
    case 7:
    case 8: ingest(s, id); break;
    case 9:
    case 10:
    case 11: links(s, id); break;
    case 12: delete_twin(s, id); break;
    case 13: extra_model(s); break;
    case 14: edit(s, SOSIA_TELEMETRY, id, "", "{\"x\":1}"); break;
    default: derived(s); break;
    }
}
