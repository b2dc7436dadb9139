// SPDX-License-Identifier: Apache-2.0
// Runs of forks: begun, looked at, paused. All wait for others: a reader does them.
#include "serve/own.h"
#include "base/time.h"
#include "codec/json.h"

// A request's own; lives with it.
typedef struct Running {
    SosiaRun run;
    SosiaErr (*job)(Call *c, struct Running *x);
    int status;
    SosiaErr err;
    SosiaOut out;
} Running;

static void answer(Call *c) {
    Running *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else call_json(c, x->status, (Str){0}, &x->out.body);
    sosia_out_free(&x->out);
}

static void on_reader(Call *c) {
    Running *x = c->job_arg;
    x->err = x->job(c, x);
    call_post(c, answer);
}

static Running *running_new(Call *c, int status, SosiaErr (*job)(Call *, Running *)) {
    Running *x = http_alloc(c->req, sizeof *x);
    *x = (Running){.run = {.world = c->world.n ? c->world : STR("live")}, .status = status, .job = job};
    c->job_arg = x;
    return x;
}

// ---- the body of a run --------------------------------------------------------------------------------------------

static Str keep(Call *c, Str s) {
    char *p = http_alloc(c->req, s.n > 0 ? s.n : 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static bool duration(Str s, int64_t *out) {
    return (time_parse_period(s, out) || time_parse_duration(s, out)) && *out > 0;
}

static bool take_text(Call *c, Str key, Str s, SosiaRun *r) {
    if (str_eq(key, STR("until"))) return time_parse(s, &r->until_ns);
    if (str_eq(key, STR("for"))) return duration(s, &r->for_ns);
    if (str_eq(key, STR("output"))) return duration(s, &r->output_ns);
    if (!str_eq(key, STR("solver"))) return false;
    r->solver = keep(c, s);
    return true;
}

static bool take_number(Str key, const Json *v, SosiaRun *r) {
    if (str_eq(key, STR("steps")) && v->type == JSON_INT) {
        r->steps = v->i;
        return v->i > 0;
    }
    double *to = str_eq(key, STR("speed"))  ? &r->speed
                 : str_eq(key, STR("rtol")) ? &r->rtol
                 : str_eq(key, STR("atol")) ? &r->atol
                                            : NULL;
    if (to) *to = json_f64(v);
    return to != NULL;
}

static bool take_names(Call *c, const Json *list, Str *out) {
    Buf names = {0};
    bool ok = true;
    for (int32_t i = 0; i < list->count; i++) {
        ok = ok && list->items[i].type == JSON_STRING && list->items[i].s.n;
        if (i) buf_byte(&names, ',');
        if (ok) buf_str_put(&names, list->items[i].s);
    }
    *out = keep(c, buf_str(&names));
    buf_free(&names);
    return ok;
}

// {"items":1000}
static bool take_trace(const Json *v, SosiaRun *r) {
    const Json *items = v->type == JSON_OBJECT && v->count == 1 ? json_get(v, STR("items")) : NULL;
    if (!items || items->type != JSON_INT || items->i < 1 || items->i > SOSIA_TRACE_MAX) return false;
    r->trace = (int32_t)items->i;
    return true;
}

static bool take(Call *c, const JsonMember *m, SosiaRun *r) {
    if (str_eq(m->key, STR("trace"))) return take_trace(&m->value, r);
    if (m->value.type == JSON_STRING) return take_text(c, m->key, m->value.s, r);
    if (json_is_number(&m->value)) return take_number(m->key, &m->value, r);
    if (m->value.type != JSON_ARRAY) return false;
    if (str_eq(m->key, STR("kpis"))) return take_names(c, &m->value, &r->kpis);
    if (!str_eq(m->key, STR("changes"))) return false;
    Buf text = {0};
    json_put(&text, &m->value);
    r->changes = keep(c, buf_str(&text));
    buf_free(&text);
    return true;
}

// False when it was answered.
static bool read_body(Call *c, SosiaRun *r) {
    if (!c->view->body.n) return true;
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    bool ok = json_parse(c->view->body, NULL, &arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
    if (!ok) call_failf(c, ERR_SYNTAX, "The body of a run is a JSON object, or empty.");
    for (int32_t i = 0; ok && i < body.count; i++) {
        ok = take(c, &body.members[i], r);
        if (!ok)
            call_failf(c, ERR_ARGUMENT,
                       "\"%.*s\" is not a member of a run, or not what it should be: until (a time), for and output "
                       "(\"PT8H\", \"15m\"), speed, steps, solver, rtol, atol, changes, kpis (names), trace "
                       "({\"items\":1000}).",
                       STR_ARG(body.members[i].key));
    }
    arena_free(&arena);
    return ok;
}

// ---- operations ---------------------------------------------------------------------------------------------------

static SosiaErr do_run(Call *c, Running *x) { return sosia_run(c->server->engine, &c->who, &x->run, &x->out); }

static SosiaErr do_pause(Call *c, Running *x) {
    return sosia_run_pause(c->server->engine, &c->who, x->run.world, &x->out);
}

static SosiaErr do_status(Call *c, Running *x) {
    return sosia_run_status(c->server->engine, &c->who, x->run.world, 0, &x->out);
}

void own_run(Call *c) {
    Running *x = running_new(c, 202, do_run);
    if (read_body(c, &x->run)) call_reader(c, on_reader);
}

void own_run_pause(Call *c) {
    running_new(c, 200, do_pause);
    call_reader(c, on_reader);
}

void own_run_status(Call *c) {
    running_new(c, 200, do_status);
    call_reader(c, on_reader);
}

// ---- its trace ----------------------------------------------------------------------------------------------------

// A request's own; lives with it.
typedef struct Tracing {
    SosiaTrace trace;
    SosiaErr err;
    SosiaOut out;
} Tracing;

static void answer_trace(Call *c) {
    Tracing *x = c->job_arg;
    HttpReply reply = {.status = 200, .type = STR("application/x-ndjson"), .take = &x->out.body};
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else call_reply(c, &reply);
    sosia_out_free(&x->out);
}

static void trace_on_reader(Call *c) {
    Tracing *x = c->job_arg;
    x->out.body.max = INT64_C(256) << 20; // of a page with long names
    x->err = sosia_trace(c->server->engine, &c->who, &x->trace, &x->out);
    call_post(c, answer_trace);
}

// False when it was answered.
static bool number_param(Call *c, Str name, int64_t low, int64_t high, int64_t *out) {
    Str s = call_param(c, name);
    if (!s.n || (str_to_i64(s, out) && *out >= low && *out <= high)) return true;
    call_failf(c, ERR_ARGUMENT, "%.*s must be a whole number from %lld to %lld.", STR_ARG(name), (long long)low,
               (long long)high);
    return false;
}

void own_run_trace(Call *c) {
    Tracing *x = http_alloc(c->req, sizeof *x);
    int64_t item = -1, after = 0, limit = 0;
    *x = (Tracing){.trace = {.world = c->world.n ? c->world : STR("live")}};
    x->trace.twin = call_param(c, STR("twin"));
    x->trace.source = call_param(c, STR("source"));
    if (!number_param(c, STR("item"), 0, INT64_MAX - 1, &item)) return;
    if (!number_param(c, STR("after"), 0, INT64_MAX, &after)) return;
    if (!number_param(c, STR("limit"), 1, 100000, &limit)) return;
    x->trace.item = item + 1;
    x->trace.after = (uint64_t)after;
    x->trace.limit = (int32_t)limit;
    c->job_arg = x;
    call_reader(c, trace_on_reader);
}
