// SPDX-License-Identifier: Apache-2.0
// Inlets: points of one source, checked and copied in the caller's thread. Names are looked up in the world's own index
// at every call, many at a time: it is as fast as a table of names beside it would be, takes no memory and never is out
// of date.
#include "base/mem.h"
#include "engine/pasts.h"
#include "engine/points.h"

struct SosiaInlet {
    Sosia *engine;
    SosiaStr world, source, principal, purpose; // owned
    bool lenient;
};

static Str str_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

SosiaErr sosia_inlet_open(Sosia *s, const SosiaInletOpen *o, SosiaInlet **out) {
    Err past = pasts_refuse(s, o->world);
    if (past) return (SosiaErr)past;
    Realm *r = realm_find(s, o->world);
    if (!r) return SOSIA_WORLD_NOT_FOUND;
    realm_unref(r);
    SosiaInlet *in = mem_alloc(sizeof *in);
    in->engine = s;
    in->world = str_own(o->world);
    in->source = str_own(o->source.n ? o->source : o->who.principal);
    in->principal = str_own(o->who.principal);
    in->purpose = str_own(o->who.purpose);
    in->lenient = o->lenient;
    *out = in;
    return SOSIA_OK;
}

void sosia_inlet_close(SosiaInlet *in) {
    if (!in) return;
    SosiaStr owned[] = {in->world, in->source, in->principal, in->purpose};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) mem_free((void *)(uintptr_t)owned[i].p);
    mem_free(in);
}

SosiaErr sosia_inlet_resolve(SosiaInlet *in, SosiaStr twin, SosiaStr path, SosiaHandle *out) {
    Arena a;
    arena_init(&a, 256);
    SosiaErr err = sosia_resolve(in->engine, in->world, twin, points_path(path, &a), out);
    arena_free(&a);
    return err;
}

// Copies of a run of points' texts; what the last point named too is copied once.
typedef struct Copier {
    Arena *arena;
    Str twin, path, model; // as given
    Str own_twin, own_path, own_model;
} Copier;

static Str copy_again(Arena *a, Str s, Str *given, Str *own) {
    if (s.n == given->n && (s.p == given->p || str_eq(s, *given))) return *own;
    *given = s;
    *own = arena_str(a, s);
    return *own;
}

static void point_copy(Copier *c, const SosiaPoint *from, Point *to) {
    to->at = from->at;
    to->twin = copy_again(c->arena, from->twin, &c->twin, &c->own_twin);
    if (c->path.n != from->path.n || !str_eq(c->path, from->path)) {
        c->path = from->path;
        Str path = points_path(from->path, c->arena);
        c->own_path = path.p == from->path.p ? arena_str(c->arena, path) : path;
    }
    to->path = c->own_path;
    to->model = copy_again(c->arena, from->model, &c->model, &c->own_model);
    to->value = from->value;
    if (from->value.kind == SOSIA_TEXT || from->value.kind == SOSIA_JSON)
        to->value.s = arena_str(c->arena, from->value.s);
    to->time = from->source_time_ns;
    if (!to->twin.n && !to->at.twin) {
        to->err = ERR_ARGUMENT;
        to->message = STR("a point needs the name of its twin or a handle");
    }
}

// What is known to come to nothing, before anything is spent on the points.
static Err look_first(Sosia *e, Str world, int64_t n) {
    if (n < 0) return ERR_ARGUMENT;
    if (n > POINTS_MAX) return ERR_TOO_LARGE;
    TRY(inbox_look(e));
    Realm *r = realm_find(e, world);
    if (!r) return ERR_WORLD_NOT_FOUND;
    realm_unref(r);
    return ERR_OK;
}

SosiaErr sosia_inlet_put(SosiaInlet *in, const SosiaPoint *points, int64_t n, SosiaDoneFn done, void *arg) {
    Sosia *e = in->engine;
    Err err = look_first(e, in->world, n);
    if (err) return (SosiaErr)err;
    Task *c = task_new(OP_POINTS, done, arg, n * 64 + 256);
    c->world = arena_str(&c->arena, in->world);
    c->source = arena_str(&c->arena, in->source);
    c->points = points_new(in->lenient ? FIT_LENIENT : FIT_STRICT, n);
    Copier copier = {.arena = &c->arena};
    for (int64_t i = 0; i < n; i++) point_copy(&copier, &points[i], points_add(c->points, i));
    points_resolve(e, c);
    err = task_queue(e, c, false);
    if (err) task_free(c);
    return (SosiaErr)err;
}

SosiaErr sosia_inlet_check(SosiaInlet *in, const SosiaPoint *points, int64_t n,
                           void (*fn)(void *ctx, int64_t i, SosiaErr err, SosiaStr why), void *ctx) {
    if (n < 0) return SOSIA_ARGUMENT;
    if (n > POINTS_MAX) return SOSIA_TOO_LARGE;
    Arena a;
    arena_init(&a, 1024);
    Points *p = points_new(in->lenient ? FIT_LENIENT : FIT_STRICT, n);
    Copier copier = {.arena = &a};
    for (int64_t i = 0; i < n; i++) point_copy(&copier, &points[i], points_add(p, i));
    Err err = points_check(in->engine, in->world, p, &a);
    for (int64_t i = 0; i < n && !err; i++)
        if (p->items[i].err) fn(ctx, i, (SosiaErr)p->items[i].err, p->items[i].message);
    points_free(p);
    arena_free(&a);
    return (SosiaErr)err;
}
