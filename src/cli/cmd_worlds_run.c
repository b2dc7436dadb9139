// SPDX-License-Identifier: Apache-2.0
// Running a fork: begin, watch it, pause it.
#include <stdio.h>
#include <string.h>
#include "base/time.h"
#include "cli/client.h"
#include "cli/term.h"
#include "cli/when.h"

#define LOOK_NS INT64_C(150000000) // between two looks at a run

typedef struct RunWorld {
    Common common;
    Str until, length, output, solver, changes;
    double speed, rtol;
    int64_t steps, trace;
    bool detach, quiet;
} RunWorld;

static const Opt run_opts[] = {
    OPT(RunWorld, length, OPT_STR, 'f', "for", "TIME", "how long, on the world's own clock: 8h, P7D"),
    OPT(RunWorld, until, OPT_STR, 0, "until", "TIME", "until this instant: 2026-12-01T06:00:00Z"),
    OPT(RunWorld, speed, OPT_F64, 's', "speed", "N", "N times real time (0: as fast as it goes)"),
    OPT(RunWorld, output, OPT_STR, 'o', "output", "TIME", "write what moves all the time so often (1m)"),
    OPT(RunWorld, changes, OPT_STR, 'c', "changes", "FILE", "planned changes, a JSON list (\"-\": stdin)"),
    OPT_RANGE(RunWorld, steps, "steps", "N", "only so many instants, then it stands", 1, INT64_MAX),
    OPT_RANGE(RunWorld, trace, "trace", "N", "follow the first N items, see worlds trace", 1, 100000),
    OPT(RunWorld, solver, OPT_STR, 0, "solver", "NAME", "auto, rk45 or cvode"),
    OPT(RunWorld, rtol, OPT_F64, 0, "rtol", "N", "relative tolerance (1e-6)"),
    OPT(RunWorld, detach, OPT_FLAG, 'd', "detach", NULL, "do not wait for its end"),
    OPT(RunWorld, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT_END,
};
static const Opt no_opts[] = {OPT_END};

// ---- the request --------------------------------------------------------------------------------------------------

static void member(Buf *b, const char *name, Str value) {
    if (!value.n) return;
    buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
    json_put_str(b, value);
}

static void number(Buf *b, const char *name, double v) {
    if (v == 0) return;
    buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
    json_put_f64(b, v);
}

static Err put_changes(const RunWorld *o, Buf *b) {
    Buf file = {0};
    if (!o->changes.n) return ERR_OK;
    TRY(read_file(o->changes, 4 << 20, &file));
    Arena a;
    Json json;
    arena_init(&a, 4096);
    Err err = json_parse(buf_str(&file), NULL, &a, &json, NULL);
    const Json *list = !err && json.type == JSON_OBJECT ? json_get(&json, STR("changes")) : &json;
    if (err || !list || list->type != JSON_ARRAY)
        err = tell(ERR_SYNTAX, "%.*s holds no JSON list of changes", STR_ARG(o->changes));
    else {
        buf_printf(b, "%s\"changes\":", b->n > 1 ? "," : "");
        json_put(b, list);
    }
    arena_free(&a);
    buf_free(&file);
    return err;
}

static Err body_of(const RunWorld *o, Buf *b) {
    buf_byte(b, '{');
    member(b, "for", o->length);
    member(b, "until", o->until);
    member(b, "output", o->output);
    member(b, "solver", o->solver);
    number(b, "speed", o->speed);
    number(b, "rtol", o->rtol);
    if (o->trace) buf_printf(b, "%s\"trace\":{\"items\":%lld}", b->n > 1 ? "," : "", (long long)o->trace);
    if (o->steps) buf_printf(b, "%s\"steps\":%lld", b->n > 1 ? "," : "", (long long)o->steps);
    TRY(put_changes(o, b));
    buf_byte(b, '}');
    return ERR_OK;
}

// ---- watching it --------------------------------------------------------------------------------------------------

static double number_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && json_is_number(m) ? json_f64(m) : 0;
}

static bool at_work(const Json *status) {
    Str s = json_text(status, STR("state"));
    return str_eq(s, STR("running")) || str_eq(s, STR("starting"));
}

static Err look(Client *c, Str world, Json *out) {
    client_reset(c);
    TRY(client_do(c, &(Call){.path = client_path(c, "//worlds/{}/run", &world)}));
    return client_json(c, out);
}

static Err watch(Client *c, const RunWorld *o, Str world, Json *status) {
    Progress p;
    progress_begin(&p, "running", 10000, o->quiet || o->common.json);
    term_catch_signals();
    Err err = look(c, world, status);
    while (!err && at_work(status) && !term_interrupted()) {
        progress_at(&p, (int64_t)(number_in(status, STR("progress")) * 10000));
        (void)!term_sleep(LOOK_NS);
        err = look(c, world, status);
    }
    progress_end(&p);
    return err;
}

static Err report(const Json *status, Str world) {
    Str state = json_text(status, STR("state")), now = json_text(status, STR("now"));
    const Json *error = json_get(status, STR("error"));
    if (error) {
        tell(ERR_SIM_FAILED, "%.*s stopped at %.*s: %.*s", STR_ARG(world), STR_ARG(now),
             STR_ARG(json_text(error, STR("message"))));
        hint("mend it and run it again: it goes on from there");
        return ERR_SIM_FAILED;
    }
    if (at_work(status)) {
        note("%.*s goes on without you; look: sosia worlds list, stop: sosia worlds pause %.*s", STR_ARG(world),
             STR_ARG(world));
        return ERR_OK;
    }
    note("%.*s is %.*s at %.*s: %.0f instants, %.0f values, %.2f s", STR_ARG(world), STR_ARG(state), STR_ARG(now),
         number_in(status, STR("instants")), number_in(status, STR("values")), number_in(status, STR("seconds")));
    hint("see what came of it: sosia worlds diff %.*s", STR_ARG(world));
    if (json_get(status, STR("trace"))) hint("what became of single items: sosia worlds trace %.*s", STR_ARG(world));
    return ERR_OK;
}

static Err run_it(Client *c, const RunWorld *o, Str world) {
    Buf body = {0};
    Json status;
    Err err = body_of(o, &body);
    if (!err)
        err = client_do(
            c, &(Call){.method = "POST", .path = client_path(c, "//worlds/{}/run", &world), .body = buf_str(&body)});
    buf_free(&body);
    TRY(err);
    if (o->detach) TRY(client_json(c, &status));
    else TRY(watch(c, o, world, &status));
    if (!o->common.json) return report(&status, world);
    Buf out = {0};
    json_put(&out, &status);
    buf_byte(&out, '\n');
    err = say(buf_str(&out));
    buf_free(&out);
    return err ? err : json_get(&status, STR("error")) ? ERR_SIM_FAILED : ERR_OK;
}

static Err open_client(Client *c, const Common *common) {
    if (!common->world.p) return client_open(c, common);
    tell(ERR_ARGUMENT, "worlds: --world has no meaning here");
    hint("name the world as an argument");
    return ERR_ARGUMENT;
}

static Err run_run(void *fields, const Args *args) {
    const RunWorld *o = fields;
    Client c = {0};
    Err err = open_client(&c, &o->common);
    if (!err) err = run_it(&c, o, args->items[0]);
    client_close(&c);
    return err;
}

static Err run_pause(void *fields, const Args *args) {
    const RunWorld *o = fields;
    Client c = {0};
    Json status;
    Err err = open_client(&c, &o->common);
    Call call = {.method = "POST", .path = err ? (Str){0} : client_path(&c, "//worlds/{}/pause", args->items)};
    if (!err) err = client_do(&c, &call);
    if (!err && o->common.json) {
        buf_byte(&c.body, '\n');
        err = say(buf_str(&c.body));
    } else if (!err) {
        err = client_json(&c, &status);
        if (!err)
            note("%.*s is %.*s%s%.*s", STR_ARG(args->items[0]), STR_ARG(json_text(&status, STR("state"))),
                 json_get(&status, STR("now")) ? " at " : "", STR_ARG(json_text(&status, STR("now"))));
    }
    client_close(&c);
    return err;
}

const Command cmd_worlds_run = {
    .name = "worlds run",
    .arguments = "WORLD",
    .summary = "let a fork move by its behaviours, faster than real time",
    .about = "The fork goes on from where its clock stands. What it does is written to it like anything else: look at\n"
             "it with --world WORLD, ask for its history, compare it. Ctrl-C stops watching; the run goes on.",
    .examples = "  sosia worlds run night-shift --for 8h\n"
                "  sosia worlds run night-shift --until 2026-12-01T06:00:00Z --output 15m\n"
                "  sosia worlds run night-shift --for 1h --speed 60 --detach\n"
                "  sosia worlds run night-shift --for 8h --trace 100",
    .opts = run_opts,
    .size = sizeof(RunWorld),
    .client = true,
    .args_min = 1,
    .args_max = 1,
    .run = run_run,
};

const Command cmd_worlds_pause = {
    .name = "worlds pause",
    .arguments = "WORLD",
    .summary = "have a run stand; worlds run goes on with it",
    .examples = "  sosia worlds pause night-shift",
    .opts = no_opts,
    .size = sizeof(RunWorld),
    .client = true,
    .args_min = 1,
    .args_max = 1,
    .run = run_pause,
};
