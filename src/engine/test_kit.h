// SPDX-License-Identifier: Apache-2.0
// For tests of the engine: short forms of the calls of sosia.h, and models to try them on. One thread at a time uses a
// Kit; several may share its engine.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "sosia/sosia.h"

#define KIT __attribute__((unused)) static

typedef struct Kit {
    Sosia *s;
    SosiaDone done; // of the last write
    SosiaBuf keep;  // its texts
    SosiaOut out;   // of the last read
    char *text;     // what kit_body, kit_result and kit_message gave
} Kit;

// Base <- Room with one property of most kinds, a component and a relationship with a property.
#define KIT_MODELS                                                                                                     \
    "[{\"@id\":\"dtmi:test:Base;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["       \
    "{\"@type\":\"Property\",\"name\":\"label\",\"schema\":\"string\"}]},"                                             \
    "{\"@id\":\"dtmi:test:Thermostat;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["  \
    "{\"@type\":\"Property\",\"name\":\"setPoint\",\"schema\":\"double\"}]},"                                          \
    "{\"@id\":\"dtmi:test:Room;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","                      \
    "\"extends\":\"dtmi:test:Base;1\",\"contents\":["                                                                  \
    "{\"@type\":\"Property\",\"name\":\"temperature\",\"schema\":\"double\"},"                                         \
    "{\"@type\":\"Property\",\"name\":\"count\",\"schema\":\"integer\"},"                                              \
    "{\"@type\":\"Property\",\"name\":\"big\",\"schema\":\"long\"},"                                                   \
    "{\"@type\":\"Property\",\"name\":\"on\",\"schema\":\"boolean\"},"                                                 \
    "{\"@type\":\"Property\",\"name\":\"tags\",\"schema\":{\"@type\":\"Map\",\"mapKey\":{\"name\":\"k\","              \
    "\"schema\":\"string\"},\"mapValue\":{\"name\":\"v\",\"schema\":\"boolean\"}}},"                                   \
    "{\"@type\":\"Property\",\"name\":\"size\",\"schema\":{\"@type\":\"Object\",\"fields\":["                          \
    "{\"name\":\"w\",\"schema\":\"double\"},{\"name\":\"h\",\"schema\":\"double\"}]}},"                                \
    "{\"@type\":\"Component\",\"name\":\"thermostat\",\"schema\":\"dtmi:test:Thermostat;1\"},"                         \
    "{\"@type\":\"Relationship\",\"name\":\"feeds\",\"properties\":["                                                  \
    "{\"@type\":\"Property\",\"name\":\"flow\",\"schema\":\"double\"}]},"                                              \
    "{\"@type\":\"Relationship\",\"name\":\"near\"}]}]"

// A Str over a NUL-terminated text.
KIT SosiaStr kit_str(const char *z) { return (SosiaStr){z, z ? (int64_t)strlen(z) : 0}; }

// One write, waited for; its result is in k->done.
KIT SosiaErr kit_write_in(Kit *k, const char *world, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaWrite w = {.op = op, .world = kit_str(world), .id = kit_str(id), .sub = kit_str(sub), .body = kit_str(body)};
    return sosia_write_wait(k->s, NULL, &w, &k->done, &k->keep);
}

// The same in the live world.
KIT SosiaErr kit_write(Kit *k, SosiaOp op, const char *id, const char *sub, const char *body) {
    return kit_write_in(k, "", op, id, sub, body);
}

// A write that must succeed.
KIT void kit_do(Kit *k, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaErr err = kit_write(k, op, id, sub, body);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->done.message.n, k->done.message.p);
}

// A NUL-terminated copy, until the next.
KIT const char *kit_keep(Kit *k, SosiaStr s) {
    k->text = realloc(k->text, (size_t)s.n + 1);
    assert_non_null(k->text);
    if (s.n) memcpy(k->text, s.p, (size_t)s.n);
    k->text[s.n] = 0;
    return k->text;
}

// The result and the message of the last write, NUL-terminated.
KIT const char *kit_result(Kit *k) { return kit_keep(k, k->done.body); }

// What went wrong with the last write.
KIT const char *kit_message(Kit *k) { return kit_keep(k, k->done.message); }

// One read into k->out.
KIT SosiaErr kit_read(Kit *k, const SosiaRead *r) { return sosia_read(k->s, NULL, r, &k->out); }

// The body of the last read, NUL-terminated.
KIT const char *kit_body(Kit *k) { return kit_keep(k, (SosiaStr){k->out.body.p, k->out.body.n}); }

// One thing of a world.
KIT SosiaErr kit_get_in(Kit *k, const char *world, SosiaGet what, const char *id, const char *sub) {
    return kit_read(k, &(SosiaRead){.what = what, .world = kit_str(world), .id = kit_str(id), .sub = kit_str(sub)});
}

// The JSON of one thing that must be there.
KIT const char *kit_get(Kit *k, SosiaGet what, const char *id, const char *sub) {
    SosiaErr err = kit_get_in(k, "", what, id, sub);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    return kit_body(k);
}

// Fail unless the text holds the part, or when it does.
KIT void kit_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("\"%s\" is not in: %s", part, text);
}

// See kit_has.
KIT void kit_lacks(const char *text, const char *part) {
    if (strstr(text, part)) fail_msg("\"%s\" is in: %s", part, text);
}

// Open an engine, which must succeed.
KIT void kit_open(Kit *k, const SosiaOpen *o) {
    *k = (Kit){0};
    SosiaBuf why = {0};
    SosiaErr err = sosia_open(o, &k->s, &why);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)why.n, why.p ? why.p : "");
    sosia_buf_free(&why);
}

// A kit that only shares an engine.
KIT void kit_free(Kit *k) {
    sosia_buf_free(&k->keep);
    sosia_out_free(&k->out);
    free(k->text);
}

// Close it and free the kit.
KIT void kit_close(Kit *k) {
    sosia_close(k->s);
    kit_free(k);
}

// Load KIT_MODELS.
KIT void kit_models(Kit *k) { kit_do(k, SOSIA_MODELS_ADD, "", "", KIT_MODELS); }

// A new, empty Room.
KIT void kit_room(Kit *k, const char *id) {
    kit_do(k, SOSIA_TWIN_PUT, id, "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}}}");
}

// A name in a fresh scratch folder; both are removed by kit_unlink.
KIT void kit_path(char out[64]) {
    char dir[] = "/tmp/sosia-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    snprintf(out, 64, "%s/t.sosia", dir);
}

// Remove a file of kit_path and its folder.
KIT void kit_unlink(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", ".lock"};
    char name[80];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    snprintf(name, sizeof name, "%s", path);
    *strrchr(name, '/') = 0;
    rmdir(name);
}

// Texts put together. Grows as needed; NUL-terminated.
typedef struct KitText {
    char *p;
    size_t n, cap;
} KitText;

// Append to a text.
KIT void kit_add(KitText *t, const char *p, size_t n) {
    if (t->n + n + 1 > t->cap) {
        t->cap = (t->n + n + 1) * 2;
        t->p = realloc(t->p, t->cap);
        assert_non_null(t->p);
    }
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

// All pages of a list, appended.
KIT void kit_pages(Kit *k, SosiaRead r, KitText *all) {
    char token[96] = "";
    do {
        r.token = kit_str(token);
        SosiaErr err = kit_read(k, &r);
        if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
        kit_add(all, k->out.body.p, (size_t)k->out.body.n);
        memcpy(token, k->out.token, sizeof token);
    } while (token[0]);
}

// Every model, twin and relationship as one text: the whole world. The caller frees it.
KIT char *kit_dump(Kit *k, const char *world) {
    KitText all = {0};
    kit_pages(k, (SosiaRead){.what = SOSIA_GET_MODELS, .world = kit_str(world), .definition = true}, &all);
    size_t at = all.n;
    kit_pages(k, (SosiaRead){.what = SOSIA_GET_TWINS, .world = kit_str(world)}, &all);
    size_t end = all.n;
    for (;;) {
        const char *id = strstr(all.p + at, "{\"$dtId\":\"");
        if (!id || id >= all.p + end) break;
        id += 10;
        char name[256];
        size_t n = strcspn(id, "\"");
        assert_true(n < sizeof name);
        memcpy(name, id, n);
        name[n] = 0;
        at = (size_t)(id - all.p) + n;
        kit_pages(k, (SosiaRead){.what = SOSIA_GET_LINKS, .world = kit_str(world), .id = kit_str(name)}, &all);
    }
    return all.p;
}

// How often `part` occurs.
KIT int kit_count(const char *text, const char *part) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part)) n++;
    return n;
}
