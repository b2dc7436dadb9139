// SPDX-License-Identifier: Apache-2.0
// GET /events: what happened in a world. A reader makes it: it may wait for the disk.
#include <stdatomic.h>
#include "base/time.h"
#include "serve/own.h"

#define BACK_NS (-24 * 3600 * NS_PER_S) // from, when nobody says

typedef struct Asking {
    SosiaHappened ask;
    bool from_back, to_back; // relative to the world's now
    _Atomic bool gone;
    SosiaErr err;
    SosiaOut out;
} Asking;

static void answer(Call *c) {
    Asking *a = c->job_arg;
    if (a->err) {
        call_fail(c, (Err)a->err, buf_str(&a->out.message), (Str){0});
    } else {
        HttpReply reply = {.status = 200, .type = JSON_TYPE, .take = &a->out.body};
        http_reply_header(&reply, STR("cache-control"), STR("no-store"));
        call_reply(c, &reply);
    }
    sosia_out_free(&a->out);
}

static void on_reader(Call *c) {
    Asking *a = c->job_arg;
    int64_t now = 0;
    if (a->from_back || a->to_back) a->err = sosia_world_now(c->server->engine, c->world, true, &now);
    if (a->from_back) a->ask.from_ns += now;
    if (a->to_back) a->ask.to_ns += now;
    // Why there is no such world it says better.
    a->err = sosia_happened(c->server->engine, &c->who, &a->ask, &a->out);
    call_post(c, answer);
}

static void on_gone(void *arg) { atomic_store(&((Asking *)arg)->gone, true); }
static bool is_gone(void *ctx) { return atomic_load(&((Asking *)ctx)->gone); }

static bool read_time(Call *c, const char *name, int64_t *out, bool *back) {
    Str text = call_param(c, str_of(name));
    if (!text.p) return true;
    *back = text.n && (text.p[0] == '-' || str_eq(text, STR("now")));
    if (time_parse_when(text, 0, out)) return true;
    call_failf(c, ERR_ARGUMENT, "%s=%.*s: a time is RFC 3339 (2026-11-01T08:00:00Z), a day, now, or before it (-1h)",
               name, STR_ARG(text));
    return false;
}

static bool read_kind(Str name, uint32_t *kinds) {
    static const char *const names[] = {"born", "gone", "command", "decision", "model"}; // ORDER SosiaHappenedKind
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!str_eq(name, str_of(names[i]))) continue;
        *kinds |= 1u << i;
        return true;
    }
    return false;
}

static bool read_kinds(Call *c, uint32_t *kinds) {
    Str rest = c->view->query, list;
    while (call_param_next(c, &rest, STR("kinds"), &list)) {
        while (list.n) {
            Str one = str_trim(str_cut(&list, ','));
            if (!one.n || read_kind(one, kinds)) continue;
            call_failf(c, ERR_ARGUMENT, "kinds=%.*s: there are born, gone, command, decision and model", STR_ARG(one));
            return false;
        }
    }
    return true;
}

void own_events(Call *c) {
    Asking *a = http_alloc(c->req, sizeof *a);
    *a = (Asking){.ask = {.world = c->world, .from_ns = BACK_NS, .stop = is_gone, .stop_ctx = a}, .from_back = true};
    Str limit = call_param(c, STR("limit"));
    int64_t n = SOSIA_HAPPENED_LIMIT;
    if (!read_time(c, "from", &a->ask.from_ns, &a->from_back) || !read_time(c, "to", &a->ask.to_ns, &a->to_back) ||
        !read_kinds(c, &a->ask.kinds))
        return;
    if (limit.p && (!str_to_i64(limit, &n) || n < 1 || n > SOSIA_HAPPENED_LIMIT_MAX)) {
        call_failf(c, ERR_ARGUMENT, "limit must be a whole number from 1 to %d.", SOSIA_HAPPENED_LIMIT_MAX);
        return;
    }
    a->ask.limit = (int32_t)n;
    c->job_arg = a;
    if (call_reader(c, on_reader)) http_on_gone(c->req, on_gone, a);
}
