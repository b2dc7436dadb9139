// SPDX-License-Identifier: Apache-2.0
// GET /graph: the structure of a world in columns; GET /stale: who has gone silent. A reader makes and packs them.
#include <stdatomic.h>
#include "base/time.h"
#include "serve/gzip.h"
#include "serve/own.h"
#include "serve/step.h"

#define PACK_BYTES_MIN 1400 // less is one packet anyway
#define STALE_NS (300 * NS_PER_S)

// A request's own; lives with it.
typedef struct Drawing {
    SosiaGraph ask;
    SosiaStale stale;                                                           // instead, where its older_ns is set
    Str values[SOSIA_GRAPH_VALUES_MAX + 1], labels[SOSIA_GRAPH_VALUES_MAX + 1]; // one more: the engine tells how many
    Str expressions[SOSIA_GRAPH_EXPRESSIONS_MAX + 1];
    _Atomic bool gone;
    SosiaErr err;
    SosiaOut out;
    Buf packed;
} Drawing;

static void answer_graph(Call *c) {
    Drawing *d = c->job_arg;
    if (d->err) {
        call_fail(c, (Err)d->err, buf_str(&d->out.message), (Str){0});
    } else {
        HttpReply reply = {.status = 200, .type = JSON_TYPE, .take = d->packed.n ? &d->packed : &d->out.body};
        if (d->packed.n) http_reply_header(&reply, STR("content-encoding"), STR("gzip"));
        http_reply_header(&reply, STR("vary"), STR("accept-encoding"));
        http_reply_header(&reply, STR("cache-control"), STR("no-store"));
        call_reply(c, &reply);
    }
    sosia_out_free(&d->out);
    buf_free(&d->packed);
}

static void graph_on_reader(Call *c) {
    Drawing *d = c->job_arg;
    Sosia *engine = c->server->engine;
    if (d->stale.older_ns) d->err = sosia_stale(engine, &c->who, &d->stale, &d->out);
    else d->err = sosia_graph(engine, &c->who, &d->ask, &d->out);
    bool pack = !d->err && d->out.body.n >= PACK_BYTES_MIN && !atomic_load(&d->gone);
    if (pack && gzip_accepted(http_header(c->req, STR("accept-encoding"))))
        gzip_pack(buf_str(&d->out.body), 1, &d->packed);
    call_post(c, answer_graph);
}

static void on_gone(void *arg) { atomic_store(&((Drawing *)arg)->gone, true); }
static bool is_gone(void *ctx) { return atomic_load(&((Drawing *)ctx)->gone); }

// "a,b", of all parameters of that name.
static int32_t read_names(Call *c, Str name, Str out[SOSIA_GRAPH_VALUES_MAX + 1]) {
    Str rest = c->view->query, list;
    int32_t n = 0;
    while (call_param_next(c, &rest, name, &list)) {
        while (list.n && n <= SOSIA_GRAPH_VALUES_MAX) {
            Str one = str_trim(str_cut(&list, ','));
            if (one.n) out[n++] = one;
        }
    }
    return n;
}

// Each is a parameter of its own: there are commas in them.
static int32_t read_expressions(Call *c, Str out[SOSIA_GRAPH_EXPRESSIONS_MAX + 1]) {
    Str rest = c->view->query, one;
    int32_t n = 0;
    while (n <= SOSIA_GRAPH_EXPRESSIONS_MAX && call_param_next(c, &rest, STR("expression"), &one)) out[n++] = one;
    return n;
}

void own_graph(Call *c) {
    Drawing *d = http_alloc(c->req, sizeof *d);
    *d = (Drawing){.ask = {.world = c->world, .where = call_param(c, STR("twins")), .stop = is_gone, .stop_ctx = d}};
    Str limit = call_param(c, STR("limit"));
    d->ask.values = d->values;
    d->ask.value_count = read_names(c, STR("values"), d->values);
    d->ask.expressions = d->expressions;
    d->ask.expression_count = read_expressions(c, d->expressions);
    d->ask.labels = d->labels;
    d->ask.label_count = read_names(c, STR("label"), d->labels);
    d->ask.no_links = str_eq_nocase(call_param(c, STR("links")), STR("false"));
    if (limit.p && (!str_to_i64(limit, &d->ask.limit) || d->ask.limit < 1)) {
        call_failf(c, ERR_ARGUMENT, "limit must be a whole number from 1 to %d.", SOSIA_GRAPH_TWINS_MAX);
        return;
    }
    c->job_arg = d;
    if (call_reader(c, graph_on_reader)) http_on_gone(c->req, on_gone, d);
}

void own_stale(Call *c) {
    Drawing *d = http_alloc(c->req, sizeof *d);
    Str older = call_param(c, STR("older")), limit = call_param(c, STR("limit"));
    int64_t n = SOSIA_STALE_TWINS;
    *d = (Drawing){.stale = {.world = c->world, .older_ns = STALE_NS, .stop = is_gone, .stop_ctx = d}};
    if (older.p && !step_parse(older, &d->stale.older_ns)) {
        call_failf(c, ERR_ARGUMENT, "older must be a duration such as PT5M or 5m.");
        return;
    }
    if (limit.p && (!str_to_i64(limit, &n) || n < 1 || n > SOSIA_STALE_TWINS_MAX)) {
        call_failf(c, ERR_ARGUMENT, "limit must be a whole number from 1 to %d.", SOSIA_STALE_TWINS_MAX);
        return;
    }
    d->stale.limit = (int32_t)n;
    c->job_arg = d;
    if (call_reader(c, graph_on_reader)) http_on_gone(c->req, on_gone, d);
}
