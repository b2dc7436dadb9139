// SPDX-License-Identifier: Apache-2.0
#include "ingest_scene.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"

static const char head[] =
    "[{\"@id\":\"dtmi:bench:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
    "\"contents\":[";

void scene_check(SosiaErr err, const char *what) {
    if (!err) return;
    fprintf(stderr, "%s: %s\n", what, sosia_err_name(err));
    exit(1);
}

static void do_write(Scene *x, SosiaOp op, const Buf *body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    scene_check(sosia_write_wait(x->s, NULL, &(SosiaWrite){.op = op, .body = buf_str(body)}, &done, &keep), "load");
    if (op == SOSIA_IMPORT && str_find_str(done.body, STR("\"rejected\":0")) < 0) scene_check(SOSIA_ARGUMENT, keep.p);
    sosia_buf_free(&keep);
}

void scene_open(Scene *x, int64_t twins) { scene_open_with(x, twins, &(SosiaOpen){.queue_max = 0}); }

void scene_open_with(Scene *x, int64_t twins, const SosiaOpen *open) {
    *x = (Scene){.dir = "/var/tmp/sosia-bench-XXXXXX", .twins = twins};
    if (!mkdtemp(x->dir)) scene_check(SOSIA_IO, x->dir);
    snprintf(x->path, sizeof x->path, "%s/b.sosia", x->dir);
    SosiaOpen o = *open;
    o.path = str_of(x->path);
    scene_check(sosia_open(&o, &x->s, NULL), "open");
    Buf b = {0};
    buf_str_put(&b, STR(head));
    for (int i = 0; i < SCENE_FIELDS; i++)
        buf_printf(&b, "%s{\"@type\":\"Property\",\"name\":\"p%d\",\"schema\":\"double\"}", i ? "," : "", i);
    buf_str_put(&b, STR("]}]"));
    do_write(x, SOSIA_MODELS_ADD, &b);
    buf_reset(&b);
    buf_str_put(&b, STR("{\"Section\":\"Twins\"}\n"));
    for (int64_t i = 0; i < twins; i++)
        buf_printf(&b, "{\"$dtId\":\"pump-%d\",\"$metadata\":{\"$model\":\"dtmi:bench:Pump;1\"}}\n", (int)i);
    do_write(x, SOSIA_IMPORT, &b);
    buf_free(&b);
    x->at = mem_alloc(sizeof(SosiaHandle) * (size_t)(twins * SCENE_FIELDS));
    for (int64_t i = 0; i < twins * SCENE_FIELDS; i++) {
        char id[24], path[8];
        snprintf(id, sizeof id, "pump-%d", (int)(i / SCENE_FIELDS));
        snprintf(path, sizeof path, "p%d", (int)(i % SCENE_FIELDS));
        scene_check(sosia_resolve(x->s, (SosiaStr){0}, str_of(id), str_of(path), &x->at[i]), "resolve");
    }
}

void scene_close(Scene *x) {
    sosia_close(x->s);
    mem_free(x->at);
    unlink(x->path);
    rmdir(x->dir);
}
