// SPDX-License-Identifier: Apache-2.0
// Ensembles of a world: begun, looked at, stopped. All wait for others: a reader does them.
#include "serve/own.h"

// A request's own; lives with it.
typedef struct Ensemble {
    Str world, body;
    SosiaErr (*job)(Call *c, struct Ensemble *x);
    int status;
    SosiaErr err;
    SosiaOut out;
} Ensemble;

static void answer(Call *c) {
    Ensemble *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else call_json(c, x->status, (Str){0}, &x->out.body);
    sosia_out_free(&x->out);
}

static void on_reader(Call *c) {
    Ensemble *x = c->job_arg;
    x->err = x->job(c, x);
    call_post(c, answer);
}

static Ensemble *begin(Call *c, int status, SosiaErr (*job)(Call *, Ensemble *)) {
    Ensemble *x = http_alloc(c->req, sizeof *x);
    *x = (Ensemble){.world = c->world.n ? c->world : STR("live"), .status = status, .job = job};
    c->job_arg = x;
    return x;
}

static SosiaErr do_begin(Call *c, Ensemble *x) {
    return sosia_ensemble(c->server->engine, &c->who, x->world, c->view->body, &x->out);
}

static SosiaErr do_look(Call *c, Ensemble *x) {
    return sosia_ensemble_status(c->server->engine, &c->who, x->world, 0, &x->out);
}

static SosiaErr do_stop(Call *c, Ensemble *x) {
    return sosia_ensemble_stop(c->server->engine, &c->who, x->world, &x->out);
}

void own_ensemble(Call *c) {
    begin(c, 202, do_begin);
    call_reader(c, on_reader);
}

void own_ensemble_look(Call *c) {
    begin(c, 200, do_look);
    call_reader(c, on_reader);
}

void own_ensemble_stop(Call *c) {
    begin(c, 200, do_stop);
    call_reader(c, on_reader);
}
