// SPDX-License-Identifier: Apache-2.0
// Ensembles: begun, looked at, listed, stopped, forgotten. All wait for others: a reader does them.
#include "serve/own.h"
#include "base/time.h"

// A request's own; lives with it.
typedef struct Ensemble {
    Str world;
    SosiaEnsembleShow show; // of one by its number
    SosiaErr (*job)(Call *c, struct Ensemble *x);
    int status;
    SosiaErr err;
    SosiaOut out;
} Ensemble;

static void answer(Call *c) {
    Ensemble *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else if (x->status == 204) call_empty(c, 204, (Str){0}, 0);
    else if (x->show.id) own_document(c, x->show.format, &x->out.body);
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

// ---- by number ----------------------------------------------------------------------------------------------------

static SosiaErr do_list(Call *c, Ensemble *x) { return sosia_ensembles(c->server->engine, &c->who, &x->out); }

static SosiaErr do_show(Call *c, Ensemble *x) {
    return sosia_ensemble_show(c->server->engine, &c->who, &x->show, &x->out);
}

static SosiaErr do_remove(Call *c, Ensemble *x) {
    return sosia_ensemble_remove(c->server->engine, &c->who, x->show.id, &x->out);
}

// False when it was answered: there is none of such a number.
static bool read_id(Call *c, Ensemble *x) {
    int64_t id = 0;
    if (str_to_i64(c->id, &id) && id > 0) x->show.id = (uint64_t)id;
    else call_failf(c, ERR_ENSEMBLE_NOT_FOUND, "There is no ensemble \"%.*s\".", STR_ARG(c->id));
    return id > 0;
}

void own_ensembles(Call *c) {
    begin(c, 200, do_list);
    call_reader(c, on_reader);
}

void own_ensemble_get(Call *c) {
    Ensemble *x = begin(c, 200, do_show);
    if (!read_id(c, x)) return;
    if (str_eq(call_param(c, STR("format")), STR("runs"))) x->show.format = SOSIA_COMPARE_RUNS;
    else if (!own_format(c, &x->show.format)) return;
    x->show.samples = call_param_bool(c, STR("samples"));
    call_reader(c, on_reader);
}

void own_ensemble_end(Call *c) {
    Ensemble *x = begin(c, 200, do_show);
    if (!read_id(c, x)) return;
    x->show.stop = true;
    x->show.wait_ns = 10 * NS_PER_S;
    call_reader(c, on_reader);
}

void own_ensemble_delete(Call *c) {
    Ensemble *x = begin(c, 204, do_remove);
    if (read_id(c, x)) call_reader(c, on_reader);
}
