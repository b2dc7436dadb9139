// SPDX-License-Identifier: Apache-2.0
// What-ifs that run. Forking waits for the writer: a reader does it.
#include "serve/own.h"
#include "codec/json.h"

// A request's own; lives with it.
typedef struct Trying {
    SosiaWhatif what;
    SosiaErr err;
    SosiaOut out;
} Trying;

static void answer(Call *c) {
    Trying *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else call_json(c, 202, (Str){0}, &x->out.body);
    sosia_out_free(&x->out);
}

static void on_reader(Call *c) {
    Trying *x = c->job_arg;
    x->err = sosia_whatif(c->server->engine, &c->who, &x->what, &x->out);
    call_post(c, answer);
}

static bool take(Call *c, const JsonMember *m, SosiaWhatif *w) {
    if (str_eq(m->key, STR("name")) && m->value.type == JSON_STRING) {
        char *p = http_alloc(c->req, m->value.s.n > 0 ? m->value.s.n : 1);
        if (m->value.s.n) memcpy(p, m->value.s.p, (size_t)m->value.s.n);
        w->as = (Str){p, m->value.s.n};
        return true;
    }
    if (str_eq(m->key, STR("replications"))) {
        if (m->value.type != JSON_INT || m->value.i < 1 || m->value.i > 1000000) return false;
        w->replications = (int32_t)m->value.i;
        return true;
    }
    if (str_eq(m->key, STR("level"))) {
        w->level = json_is_number(&m->value) ? json_f64(&m->value) : 0;
        return w->level > 0 && w->level < 1;
    }
    if (!json_is_bool(&m->value)) return false;
    bool yes = m->value.type == JSON_TRUE;
    if (str_eq(m->key, STR("baseline"))) w->alone = !yes;
    else if (str_eq(m->key, STR("again"))) w->again = yes;
    else return false;
    return true;
}

// False when it was answered.
static bool read_body(Call *c, SosiaWhatif *w) {
    if (!c->view->body.n) return true;
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    bool ok = json_parse(c->view->body, NULL, &arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
    for (int32_t i = 0; ok && i < body.count; i++) ok = take(c, &body.members[i], w);
    arena_free(&arena);
    if (!ok)
        call_failf(c, ERR_ARGUMENT,
                   "The body is {\"name\":\"of the world\",\"baseline\":true,\"again\":false}, or "
                   "{\"replications\":100,\"level\":0.95}, each when wanted.");
    return ok;
}

void own_whatif_run(Call *c) {
    Trying *x = http_alloc(c->req, sizeof *x);
    *x = (Trying){.what = {.name = c->id, .world = c->world}};
    c->job_arg = x;
    if (read_body(c, &x->what)) call_reader(c, on_reader);
}
