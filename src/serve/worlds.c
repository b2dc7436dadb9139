// SPDX-License-Identifier: Apache-2.0
// Worlds and what they hold. Forking and dropping wait for the writer of a world, so the worker does them.
#include "serve/own.h"
#include "base/time.h"
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
    SosiaFork what;
    Str name; // dropping
    SosiaErr err;
    SosiaOut out;
    SosiaBuf why;
} Fork;

static void forked(Call *c) {
    Fork *f = c->job_arg;
    if (f->err) call_fail(c, (Err)f->err, buf_str(&f->why), (Str){0});
    else call_json(c, 201, (Str){0}, &f->out.body);
    sosia_out_free(&f->out);
    sosia_buf_free(&f->why);
}

static void fork_on_reader(Call *c) {
    Fork *f = c->job_arg;
    f->what.why = &f->why;
    f->err = sosia_world_fork(c->server->engine, &c->who, &f->what);
    SosiaRead r = {.what = SOSIA_GET_WORLDS, .id = f->what.name};
    if (!f->err) f->err = sosia_read(c->server->engine, &c->who, &r, &f->out);
    call_post(c, forked);
}

static Str keep(Call *c, Str s) {
    char *p = http_alloc(c->req, s.n > 0 ? s.n : 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

// A fork of "live@-1h" is one of the instant that is now. Of a fork the engine finds it, by its clock.
static Str keep_from(Call *c, Str from) {
    Str when = from, base = str_cut(&when, '@');
    int64_t at;
    bool relative = base.n < from.n && when.n && (when.p[0] == '-' || str_eq(when, STR("now")));
    bool live = str_eq(base, STR("live"));
    if (!live || !relative || !time_parse_when(when, time_now_ns(), &at)) return keep(c, from);
    Buf text = {0};
    buf_printf(&text, "%.*s@", STR_ARG(base));
    time_print(at, 9, &text);
    Str kept = keep(c, buf_str(&text));
    buf_free(&text);
    return kept;
}

// False: it is of another kind.
static bool read_member(Call *c, const JsonMember *m, SosiaFork *f) {
    const Json *v = &m->value;
    bool text = v->type == JSON_STRING;
    if (str_eq(m->key, STR("name")) && text) f->name = keep(c, v->s);
    else if (str_eq(m->key, STR("from")) && text) f->from = keep_from(c, v->s);
    else if (str_eq(m->key, STR("purpose")) && text) f->purpose = keep(c, v->s);
    else if (str_eq(m->key, STR("until")) && text) return time_parse(v->s, &f->until_ns);
    else if (str_eq(m->key, STR("seed")) && v->type == JSON_INT && v->i >= 0) {
        f->seed = (uint64_t)v->i;
        f->seeded = true;
    } else return v->type == JSON_NULL;
    return true;
}

static bool read_fork(Call *c, SosiaFork *f) {
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    bool ok = json_parse(c->view->body, NULL, &arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
    for (int32_t i = 0; ok && i < body.count; i++) ok = read_member(c, &body.members[i], f);
    arena_free(&arena);
    return ok && f->name.n;
}

void own_world_add(Call *c) {
    Fork *f = http_alloc(c->req, sizeof *f);
    *f = (Fork){.what = {.from = STR("live")}};
    if (!read_fork(c, &f->what)) {
        call_failf(
            c, ERR_ARGUMENT,
            "The body must be {\"name\":\"...\"}, with \"from\" for a world other than live or an instant of it, "
            "\"purpose\" (text), \"until\" (an instant) and \"seed\" (a whole number, not less than 0).");
        return;
    }
    c->job_arg = f;
    call_reader(c, fork_on_reader);
}

// ---- told what came since -----------------------------------------------------------------------------------------

typedef struct Retelling {
    SosiaRetell what;
    bool from_back, to_back; // they are relative to the now of what is told
    SosiaRetold told;
    SosiaErr err;
} Retelling;

static void retold(Call *c) {
    Retelling *x = c->job_arg;
    if (x->err == SOSIA_ARGUMENT) {
        call_failf(c, ERR_ARGUMENT, "\"%.*s\" must be a fork, \"from\" before \"to\", and \"to\" not in the future.",
                   STR_ARG(x->what.world));
        return;
    }
    if (x->err) {
        call_fail(c, (Err)x->err, (Str){0}, (Str){0});
        return;
    }
    Buf body = {0};
    buf_printf(&body, "{\"batches\":%lld,\"changes\":%lld,\"refused\":%lld,\"sequence\":%llu",
               (long long)x->told.batches, (long long)x->told.changes, (long long)x->told.refused,
               (unsigned long long)x->told.seq);
    if (x->told.time_ns) {
        buf_printf(&body, ",\"time\":\"");
        time_print(x->told.time_ns, 7, &body);
        buf_byte(&body, '"');
    }
    buf_byte(&body, '}');
    call_json(c, 200, (Str){0}, &body);
    buf_free(&body);
}

static void retell_on_reader(Call *c) {
    Retelling *x = c->job_arg;
    int64_t now = 0;
    x->err = sosia_world_now(c->server->engine, x->what.source, true, &now);
    if (x->from_back) x->what.from_ns += now;
    if (x->to_back) x->what.to_ns += now + (x->what.source.n > 0); // with the batch that a fork's clock stands at
    if (!x->err) x->err = sosia_retell(c->server->engine, &c->who, &x->what, &x->told);
    call_post(c, retold);
}

static bool read_when(const Json *body, Str name, int64_t *out, bool *back) {
    const Json *v = json_get(body, name);
    bool text = v && v->type == JSON_STRING;
    *back = text && (str_starts(v->s, STR("-")) || str_eq(v->s, STR("now")));
    return text && time_parse_when(v->s, 0, out);
}

void own_world_retell(Call *c) {
    Retelling *x = http_alloc(c->req, sizeof *x);
    *x = (Retelling){.what = {.world = c->world}};
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    bool ok = json_parse(c->view->body, NULL, &arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
    ok = ok && read_when(&body, STR("from"), &x->what.from_ns, &x->from_back);
    ok = ok && read_when(&body, STR("to"), &x->what.to_ns, &x->to_back);
    const Json *twin = ok ? json_get(&body, STR("twin")) : NULL, *source = ok ? json_get(&body, STR("source")) : NULL;
    if (twin && twin->type == JSON_STRING) x->what.twin = keep(c, twin->s);
    if (source && source->type == JSON_STRING) x->what.source = keep(c, source->s);
    arena_free(&arena);
    if (!ok) {
        call_failf(
            c, ERR_ARGUMENT,
            "The body must be {\"from\":INSTANT,\"to\":INSTANT}, with \"twin\" for one alone, and \"source\" for "
            "what another world than live was told.");
        return;
    }
    c->job_arg = x;
    call_reader(c, retell_on_reader);
}

static void dropped(Call *c) {
    Fork *f = c->job_arg;
    if (!f->err) {
        call_empty(c, 204, (Str){0}, 0);
    } else if (f->err == SOSIA_WORLD_NOT_FOUND) {
        call_failf(c, ERR_WORLD_NOT_FOUND, "there is no world \"%.*s\"", STR_ARG(f->name));
    } else if (f->err == SOSIA_READ_ONLY) {
        call_failf(c, ERR_READ_ONLY, "\"%.*s\" is the past: it can be read, not dropped", STR_ARG(f->name));
    } else {
        call_fail(c, (Err)f->err, (Str){0}, (Str){0});
    }
}

static void drop_on_worker(Call *c) {
    Fork *f = c->job_arg;
    f->err = sosia_drop(c->server->engine, &c->who, f->name);
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
