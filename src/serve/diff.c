// SPDX-License-Identifier: Apache-2.0
// What differs between worlds, and merging. Both wait for the writer: a reader does the one, the worker the other.
#include "serve/own.h"
#include <stdlib.h>
#include "codec/json.h"

#define ONLY_MAX 10000 // twins and properties that one merge names

// A request's own; lives with it.
typedef struct Comparing {
    SosiaDiff diff;
    SosiaMerge merge;
    SosiaErr err;
    SosiaOut out;
} Comparing;

// ---- differences --------------------------------------------------------------------------------------------------

// False when it was answered.
static bool number_param(Call *c, Str name, double *out) {
    Str s = call_param(c, name);
    if (!s.n) return true;
    char text[64], *end;
    bool ok = s.n < (int64_t)sizeof text;
    if (ok) {
        memcpy(text, s.p, (size_t)s.n);
        text[s.n] = 0;
        *out = strtod(text, &end);
        ok = *end == 0 && *out >= 0 && *out <= 1e300;
    }
    if (!ok) call_failf(c, ERR_ARGUMENT, "%.*s must be a number, not less than 0.", STR_ARG(name));
    return ok;
}

static void fail(Call *c, const Comparing *x, Str details) {
    call_fail(c, (Err)x->err, buf_str(&x->out.message), details);
}

static void answer_diff(Call *c) {
    Comparing *x = c->job_arg;
    if (x->err) {
        fail(c, x, (Str){0});
    } else {
        x->out.body.n--; // its '}'
        buf_str_put(&x->out.body, STR(",\"nextLink\":"));
        if (x->out.token[0]) call_next_link(c, str_of(x->out.token), &x->out.body);
        else buf_str_put(&x->out.body, STR("null"));
        buf_byte(&x->out.body, '}');
        call_json(c, 200, (Str){0}, &x->out.body);
    }
    sosia_out_free(&x->out);
}

static void diff_on_reader(Call *c) {
    Comparing *x = c->job_arg;
    x->err = sosia_diff(c->server->engine, &c->who, &x->diff, &x->out);
    call_post(c, answer_diff);
}

void own_diff(Call *c) {
    Comparing *x = http_alloc(c->req, sizeof *x);
    *x = (Comparing){.diff = {.world = c->world.n ? c->world : STR("live")}};
    SosiaDiff *d = &x->diff;
    d->against = call_param(c, STR("against"));
    d->model = call_param(c, STR("model"));
    d->twin = call_param(c, STR("twin"));
    d->property = call_param(c, STR("property"));
    d->token = call_param(c, STR("continuationToken"));
    if (!call_page_size(c, &d->limit) || !number_param(c, STR("tolerance"), &d->tolerance)) return;
    if (!number_param(c, STR("relative"), &d->relative)) return;
    c->job_arg = x;
    call_reader(c, diff_on_reader);
}

// ---- merging ------------------------------------------------------------------------------------------------------

static Str keep(Call *c, Str s) {
    char *p = http_alloc(c->req, s.n > 0 ? s.n : 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static bool wrong(Call *c, const char *text) {
    call_failf(c, ERR_ARGUMENT, "%s", text);
    return false;
}

static bool read_only(Call *c, const Json *list, SosiaMerge *m) {
    const char *shape = "\"only\" must be a list of {\"twin\":\"...\"}, with \"property\" for one value of it.";
    if (list->type != JSON_ARRAY || list->count > ONLY_MAX) return wrong(c, shape);
    SosiaMergeOnly *only = http_alloc(c->req, (int64_t)sizeof *only * (list->count + 1));
    for (int32_t i = 0; i < list->count; i++) {
        const Json *twin = json_get(&list->items[i], STR("twin")), *path = json_get(&list->items[i], STR("property"));
        if (!twin || twin->type != JSON_STRING || (path && path->type != JSON_STRING)) return wrong(c, shape);
        only[i] = (SosiaMergeOnly){keep(c, twin->s), path ? keep(c, path->s) : (Str){0}};
    }
    m->only = only;
    m->only_count = list->count;
    return list->count > 0 || wrong(c, "\"only\" names nothing: leave it out to merge everything.");
}

static bool read_member(Call *c, const JsonMember *j, SosiaMerge *m) {
    if (str_eq(j->key, STR("only"))) return read_only(c, &j->value, m);
    if (str_eq(j->key, STR("into")) && j->value.type == JSON_STRING) {
        m->into = keep(c, j->value.s);
        return true;
    }
    bool *flag = str_eq(j->key, STR("dryRun"))          ? &m->dry_run
                 : str_eq(j->key, STR("skipConflicts")) ? &m->skip_conflicts
                                                        : NULL;
    double *number = str_eq(j->key, STR("tolerance"))  ? &m->tolerance
                     : str_eq(j->key, STR("relative")) ? &m->relative
                                                       : NULL;
    if (flag && json_is_bool(&j->value)) *flag = j->value.type == JSON_TRUE;
    else if (number && json_is_number(&j->value)) *number = json_f64(&j->value);
    else return wrong(c, "The members of a merge are into, only, dryRun, skipConflicts, tolerance and relative.");
    return true;
}

// False when it was answered.
static bool read_merge(Call *c, SosiaMerge *m) {
    if (!c->view->body.n) return true;
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    bool ok = json_parse(c->view->body, NULL, &arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
    if (!ok) call_failf(c, ERR_SYNTAX, "The body of a merge is a JSON object, or empty.");
    for (int32_t i = 0; ok && i < body.count; i++) ok = read_member(c, &body.members[i], m);
    arena_free(&arena);
    return ok;
}

// The conflicts of an answer, as details of an error.
static void conflicts_of(Str answer, Buf *out) {
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    const Json *list = json_parse(answer, NULL, &arena, &body, NULL) ? NULL : json_get(&body, STR("conflicts"));
    buf_byte(out, '[');
    for (int32_t i = 0; list && i < list->count; i++) {
        const Json *why = json_get(&list->items[i], STR("why"));
        if (i) buf_byte(out, ',');
        buf_str_put(out, STR("{\"code\":\"WorldConflict\",\"message\":"));
        json_put_str(out, why ? why->s : (Str){0});
        buf_str_put(out, STR(",\"conflict\":"));
        json_put(out, &list->items[i]);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
    arena_free(&arena);
}

static void answer_merge(Call *c) {
    Comparing *x = c->job_arg;
    Buf details = {0};
    if (x->err == SOSIA_WORLD_CONFLICT) conflicts_of(buf_str(&x->out.body), &details);
    if (x->err) fail(c, x, buf_str(&details));
    else call_json(c, 200, (Str){0}, &x->out.body);
    buf_free(&details);
    sosia_out_free(&x->out);
}

static void merge_on_worker(Call *c) {
    Comparing *x = c->job_arg;
    x->err = sosia_merge(c->server->engine, &c->who, &x->merge, &x->out);
    call_post(c, answer_merge);
}

void own_merge(Call *c) {
    Comparing *x = http_alloc(c->req, sizeof *x);
    *x = (Comparing){.merge = {.world = c->world.n ? c->world : STR("live")}};
    if (!read_merge(c, &x->merge)) return;
    c->job_arg = x;
    call_work(c, merge_on_worker);
}
