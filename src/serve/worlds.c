// SPDX-License-Identifier: Apache-2.0
// Worlds and what they hold. Forking and dropping wait for the writer of a world, so the worker does them.
#include "serve/own.h"
#include "codec/json.h"

void own_twins(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_TWINS);
    r.filter = call_param(c, STR("model"));
    call_list(c, &r);
}

void own_worlds(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_WORLDS);
    call_list(c, &r);
}

// The instant of a past world may be relative: it is told as it was taken.
void own_world(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_WORLDS);
    call_world(c, c->id);
    r.id = c->world.n ? c->world : STR("live");
    call_get(c, &r);
}

typedef struct Fork {
    Str from, name;
    Err err;
} Fork;

static void forked(Call *c) {
    Fork *f = c->job_arg;
    if (f->err == ERR_WORLD_NOT_FOUND) {
        call_failf(c, f->err, "there is no world \"%.*s\"", STR_ARG(f->from));
        return;
    }
    if (f->err == ERR_WORLD_EXISTS) {
        call_failf(c, f->err, "there is a world \"%.*s\" already", STR_ARG(f->name));
        return;
    }
    if (f->err == ERR_ARGUMENT) {
        call_failf(c, f->err,
                   "a world's name is 1 to 64 letters, digits, '-', '_' and '.', and begins with one of "
                   "the first two");
        return;
    }
    if (f->err == ERR_UNSUPPORTED) {
        call_failf(c, f->err, "\"%.*s\" is the past; it cannot be forked yet", STR_ARG(f->from));
        return;
    }
    if (f->err != ERR_OK) {
        call_fail(c, f->err, (Str){0}, (Str){0});
        return;
    }
    Buf body = {0};
    buf_str_put(&body, STR("{\"name\":"));
    json_put_str(&body, f->name);
    buf_str_put(&body, STR(",\"parent\":"));
    json_put_str(&body, f->from);
    buf_byte(&body, '}');
    call_json(c, 201, (Str){0}, &body);
    buf_free(&body);
}

static void fork_on_worker(Call *c) {
    Fork *f = c->job_arg;
    f->err = (Err)sosia_fork(c->server->engine, &c->who, f->from, f->name);
    call_post(c, forked);
}

static Str keep(Call *c, const Json *text) {
    char *p = http_alloc(c->req, text->s.n > 0 ? text->s.n : 1);
    memcpy(p, text->s.p, (size_t)text->s.n);
    return (Str){p, text->s.n};
}

void own_world_add(Call *c) {
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    Err err = json_parse(c->view->body, NULL, &arena, &body, NULL);
    const Json *name = err == ERR_OK ? json_get(&body, STR("name")) : NULL;
    const Json *from = err == ERR_OK ? json_get(&body, STR("from")) : NULL;
    bool ok = name && name->type == JSON_STRING && name->s.n > 0 && (!from || from->type == JSON_STRING);
    Fork *f = http_alloc(c->req, sizeof *f);
    *f = (Fork){.from = STR("live")};
    if (ok) f->name = keep(c, name);
    if (ok && from && from->s.n > 0) f->from = keep(c, from);
    arena_free(&arena);
    if (!ok) {
        call_failf(c, ERR_ARGUMENT, "The body must be {\"name\":\"...\"}, with \"from\" for a world other than live.");
        return;
    }
    c->job_arg = f;
    call_work(c, fork_on_worker);
}

static void dropped(Call *c) {
    Fork *f = c->job_arg;
    if (f->err == ERR_OK) {
        call_empty(c, 204, (Str){0}, 0);
    } else if (f->err == ERR_WORLD_NOT_FOUND) {
        call_failf(c, f->err, "there is no world \"%.*s\"", STR_ARG(f->name));
    } else {
        call_fail(c, f->err, (Str){0}, (Str){0});
    }
}

static void drop_on_worker(Call *c) {
    Fork *f = c->job_arg;
    f->err = (Err)sosia_drop(c->server->engine, &c->who, f->name);
    call_post(c, dropped);
}

void own_world_delete(Call *c) {
    Fork *f = http_alloc(c->req, sizeof *f);
    *f = (Fork){.name = c->id};
    c->job_arg = f;
    if (str_eq(c->id, STR("live"))) {
        call_failf(c, ERR_NOT_ALLOWED, "the live world cannot be dropped");
        return;
    }
    call_work(c, drop_on_worker);
}
