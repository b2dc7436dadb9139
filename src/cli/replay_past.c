// SPDX-License-Identifier: Apache-2.0
// The stream of GET /changes?from=&to=&speed=, printed, or applied to a world: values in batches through /ingest, twins
// and relationships one by one, in the order they happened. A fork that is behind is told by the server itself, so that
// everything comes at its time.
#include "cli/replay_past.h"
#include "base/time.h"
#include "cli/derived_here.h"
#include "cli/feed.h"
#include "cli/watch.h"
#include "cli/term.h"
#include "cli/text.h"

typedef struct Past {
    const ReplayPast *o;
    Client tail, into;
    Stream stream;
    SseEvent event;
    Arena scratch;
    Feeder feeder;
    DerivedHere derived; // of the world it goes into
    int64_t batches, changes, skipped, derived_count;
    bool ended;
} Past;

// ---- into a world -------------------------------------------------------------------------------------------------

static Err call_now(Past *p, const char *method, Str path, Str body, const char *type) {
    return client_do(&p->into, &(Call){.method = method, .path = path, .body = body, .type = type});
}

static Err put_value(Past *p, const Json *change, Str twin, Str path, bool unset) {
    const Json *value = json_get(change, STR("value"));
    bool derived;
    if (!unset && !value) return ERR_OK; // a new source time of the value as it is
    TRY(derived_here(&p->derived, twin, path, &derived));
    p->derived_count += derived;
    if (derived) return ERR_OK; // it follows there from what it follows from
    Buf line = {0};
    buf_str_put(&line, STR("{\"id\":"));
    json_put_str(&line, twin);
    buf_str_put(&line, STR(",\"property\":"));
    json_put_str(&line, path);
    buf_printf(&line, ",\"value\":%.*s", STR_ARG(unset ? STR("null") : value->raw));
    Str time = json_text(change, STR("sourceTime"));
    if (time.n) buf_printf(&line, ",\"time\":\"%.*s\"", STR_ARG(time));
    buf_byte(&line, '}');
    Err err = feeder_put(&p->feeder, buf_str(&line), p->changes);
    buf_free(&line);
    return err;
}

static Err put_twin(Past *p, Str twin, Str model) {
    Buf body = {0};
    buf_str_put(&body, STR("{\"$metadata\":{\"$model\":"));
    json_put_str(&body, model);
    buf_str_put(&body, STR("}}"));
    Err err = call_now(p, "PUT", client_path(&p->into, "/digitaltwins/{}", &twin), buf_str(&body), NULL);
    buf_free(&body);
    return err;
}

static Str link_path(Past *p, Str twin, Str link) {
    Str parts[] = {twin, link};
    return client_path(&p->into, "/digitaltwins/{}/relationships/{}", parts);
}

static Err put_link(Past *p, const Json *change, Str twin, Str link) {
    Buf body = {0};
    buf_str_put(&body, STR("{\"$targetId\":"));
    json_put_str(&body, json_text(change, STR("target")));
    buf_str_put(&body, STR(",\"$relationshipName\":"));
    json_put_str(&body, json_text(change, STR("name")));
    buf_byte(&body, '}');
    Err err = call_now(p, "PUT", link_path(p, twin, link), buf_str(&body), NULL);
    buf_free(&body);
    return err;
}

static Err set_link(Past *p, const Json *change, Str twin, Str link, bool unset) {
    Buf body = {0}, path = {0};
    const Json *value = json_get(change, STR("value"));
    buf_printf(&path, "/%.*s", STR_ARG(json_text(change, STR("path"))));
    for (int64_t i = 0; i < path.n; i++)
        if (path.p[i] == '.') path.p[i] = '/';
    buf_printf(&body, "[{\"op\":\"%s\",\"path\":", unset ? "remove" : "add");
    json_put_str(&body, buf_str(&path));
    if (!unset && value) buf_printf(&body, ",\"value\":%.*s", STR_ARG(value->raw));
    buf_str_put(&body, STR("}]"));
    Err err = call_now(p, "PATCH", link_path(p, twin, link), buf_str(&body), "application/json-patch+json");
    buf_free(&body);
    buf_free(&path);
    return err;
}

static Err apply(Past *p, const Json *change) {
    Str op = json_text(change, STR("op")), twin = json_text(change, STR("twin")), link = json_text(change, STR("link"));
    Str path = json_text(change, STR("path"));
    if (str_eq(op, STR("set")) && !str_starts(path, STR("$"))) return put_value(p, change, twin, path, false);
    if (str_eq(op, STR("unset"))) return put_value(p, change, twin, path, true);
    TRY(feeder_flush(&p->feeder)); // values before it come first; before a path is made, which this forgets
    if (str_starts(op, STR("twin_"))) derived_here_forget(&p->derived);
    if (str_eq(op, STR("twin_put"))) return put_twin(p, twin, json_text(change, STR("model")));
    if (str_eq(op, STR("twin_delete")))
        return call_now(p, "DELETE", client_path(&p->into, "/digitaltwins/{}", &twin), (Str){0}, NULL);
    if (str_eq(op, STR("link_put"))) return put_link(p, change, twin, link);
    if (str_eq(op, STR("link_delete"))) return call_now(p, "DELETE", link_path(p, twin, link), (Str){0}, NULL);
    if (str_eq(op, STR("link_set"))) return set_link(p, change, twin, link, false);
    if (str_eq(op, STR("link_unset"))) return set_link(p, change, twin, link, true);
    p->skipped++; // models, telemetry, changes of model
    return ERR_OK;
}

// ---- the stream ---------------------------------------------------------------------------------------------------

static Err print_change(Str time, const Json *change) {
    static const char *const members[] = {"twin", "op", "path", "link", "name", "target", "component"};
    Buf line = {0};
    buf_str_put(&line, time);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        Str text = json_text(change, str_of(members[i]));
        if (!text.n || (str_eq(str_of(members[i]), STR("op")) && str_eq(text, STR("set")))) continue;
        buf_str_put(&line, STR("  "));
        text_clean(text, &line);
    }
    const Json *value = json_get(change, STR("value"));
    if (value) {
        buf_str_put(&line, STR("  "));
        text_clean(value->raw, &line);
    }
    buf_byte(&line, '\n');
    Err err = say(buf_str(&line));
    buf_free(&line);
    return err;
}

static Err take_message(Past *p, const Json *doc) {
    const Json *changes = json_get(doc, STR("changes"));
    if (!changes || changes->type != JSON_ARRAY || !changes->count) return ERR_OK;
    p->batches++;
    if (!p->o->into.n && p->o->common->json) {
        buf_byte(&p->event.data, '\n');
        p->changes += changes->count;
        return say(buf_str(&p->event.data));
    }
    for (int32_t i = 0; i < changes->count; i++) {
        p->changes++;
        if (p->o->into.n) TRY(apply(p, &changes->items[i]));
        else TRY(print_change(json_text(doc, STR("time")), &changes->items[i]));
    }
    return p->o->into.n && p->o->speed != 0 ? feeder_flush(&p->feeder) : ERR_OK;
}

static Err take_event(Past *p) {
    Json doc;
    Str name = str_of(p->event.name);
    arena_reset(&p->scratch);
    if (p->o->into.n) client_reset(&p->into);
    if (json_parse(buf_str(&p->event.data), NULL, &p->scratch, &doc, NULL) != ERR_OK) return ERR_OK;
    p->ended = str_eq(name, STR("end"));
    if (str_eq(name, STR("cut"))) return tell(ERR_CLOSED, "replay: %.*s", STR_ARG(json_text(&doc, STR("reason"))));
    return take_message(p, &doc);
}

static Err follow(Past *p) {
    while (!p->ended && !term_interrupted()) {
        Err err = client_stream_step(&p->stream, 50 * NS_PER_MS);
        while (!p->ended && sse_next(&p->stream.bytes, &p->event)) TRY(take_event(p));
        if (err && !p->ended) return client_tell(&p->tail, err);
    }
    return p->o->into.n ? feeder_flush(&p->feeder) : ERR_OK;
}

static Err subscribe(Past *p) {
    const ReplayPast *o = p->o;
    Buf path = {0};
    Str parts[] = {o->from, o->to};
    buf_str_put(&path, client_path(&p->tail, "/changes?from={}&to={}", parts));
    buf_printf(&path, "&speed=%.17g", o->speed);
    if (o->twin.n) {
        Buf id = {0};
        url_escape(o->twin, &id);
        buf_printf(&path, "&twin=%.*s", (int)id.n, id.p);
        buf_free(&id);
    }
    Err err = client_stream_open(&p->stream, &p->tail, arena_str(&p->tail.keep, buf_str(&path)));
    buf_free(&path);
    return err;
}

static Err report(const Past *p) {
    if (!p->o->into.n) return ERR_OK;
    Buf line = {0};
    if (p->o->common->json)
        buf_printf(&line,
                   "{\"batches\":%lld,\"changes\":%lld,\"skipped\":%lld,\"derived\":%lld,\"accepted\":%lld,"
                   "\"rejected\":%lld}\n",
                   (long long)p->batches, (long long)p->changes, (long long)p->skipped, (long long)p->derived_count,
                   (long long)p->feeder.accepted, (long long)p->feeder.rejected);
    else
        buf_printf(&line, "%lld changes of %lld batches went into %.*s; %lld values taken, %lld refused%s%s\n",
                   (long long)p->changes, (long long)p->batches, STR_ARG(p->o->into), (long long)p->feeder.accepted,
                   (long long)p->feeder.rejected, p->derived_count ? "; what it derives was left to it" : "",
                   p->skipped ? "; models, telemetry and changes of model were left out" : "");
    Err err = say(buf_str(&line));
    buf_free(&line);
    return err ? err : p->feeder.rejected ? ERR_VALIDATION : ERR_OK;
}

// ---- by the server, into a fork that is behind --------------------------------------------------------------------

#define STEP_NS (200 * NS_PER_MS) // between two pieces of a paced replay

typedef struct Told {
    int64_t batches, changes, refused;
} Told;

static int64_t number_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_INT ? m->i : 0;
}

// Where the clock of a fork stands; untouched when it is none.
static Err clock_of(Client *c, Str world, int64_t *out, bool *fork) {
    Json doc;
    int64_t at;
    TRY(client_do(c, &(Call){.path = client_path(c, "//worlds/{}", &world)}));
    TRY(client_json(c, &doc));
    Str clock = json_text(&doc, STR("forkedFrom")), time = json_text(&doc, STR("time"));
    *fork = clock.n && time_parse(clock, &at);
    if (*fork) *out = at;
    if (*fork && time.n && time_parse(time, &at) && at > *out) *out = at;
    client_reset(c);
    return ERR_OK;
}

static Err tell_piece(Client *c, const ReplayPast *o, int64_t from, int64_t to, Told *told) {
    Buf body = {0};
    Json doc;
    buf_str_put(&body, STR("{\"from\":\""));
    time_print(from, 9, &body);
    buf_str_put(&body, STR("\",\"to\":\""));
    time_print(to, 9, &body);
    buf_byte(&body, '"');
    if (o->twin.n) {
        buf_str_put(&body, STR(",\"twin\":"));
        json_put_str(&body, o->twin);
    }
    if (o->common->world.n) {
        buf_str_put(&body, STR(",\"source\":"));
        json_put_str(&body, o->common->world);
    }
    buf_byte(&body, '}');
    Str path = client_path(c, "//worlds/{}/replay", &o->into);
    Err err = client_do(c, &(Call){.method = "POST", .path = path, .body = buf_str(&body)});
    buf_free(&body);
    TRY(err);
    TRY(client_json(c, &doc));
    told->batches += number_in(&doc, STR("batches"));
    told->changes += number_in(&doc, STR("changes"));
    told->refused += number_in(&doc, STR("refused"));
    client_reset(c);
    return ERR_OK;
}

static Err tell_all(Client *c, const ReplayPast *o, int64_t from, int64_t to, Told *told) {
    double step = o->speed > 0 ? o->speed * (double)STEP_NS : 9e18;
    for (int64_t at = from; at < to && !term_interrupted();) {
        int64_t next = step < (double)(to - at) ? at + (int64_t)step + 1 : to;
        TRY(tell_piece(c, o, at, next, told));
        at = next;
        if (at < to) (void)term_sleep(STEP_NS);
    }
    return ERR_OK;
}

static Err report_told(const ReplayPast *o, const Told *told) {
    Buf line = {0};
    if (o->common->json)
        buf_printf(&line, "{\"batches\":%lld,\"changes\":%lld,\"refused\":%lld}\n", (long long)told->batches,
                   (long long)told->changes, (long long)told->refused);
    else
        buf_printf(
            &line,
            "%lld changes of %lld batches happened again in %.*s, at their times; %lld refused; what it derives was "
            "left to it\n",
            (long long)told->changes, (long long)told->batches, STR_ARG(o->into), (long long)told->refused);
    Err err = say(buf_str(&line));
    buf_free(&line);
    return err;
}

// *done: it was, or could not be; else the stream does it.
static Err by_server(const ReplayPast *o, bool *done) {
    int64_t from = 0, to = 0, now = time_now_ns(), at = 0;
    Client c = {0};
    Told told = {0};
    bool fork;
    Err err = client_open(&c, o->common);
    // What is told is of its own time.
    if (!err && o->common->world.n) err = clock_of(&c, o->common->world, &now, &fork);
    bool known =
        !err && time_parse_when(o->from, now, &from) && time_parse_when(o->to, now, &to); // else the server says
    if (known) err = clock_of(&c, o->into, &at, done);
    if (o->common->world.n && str_eq(o->to, STR("now"))) to++; // with the batch that a fork's clock stands at
    // A clock that stands before `from`: what happened can happen there at its times.
    *done = *done && at <= from;
    if (!err && *done) err = tell_all(&c, o, from, to, &told);
    if (!err && *done) err = report_told(o, &told);
    *done = *done || err;
    client_close(&c);
    return err;
}

Err replay_past(const ReplayPast *o) {
    static Past p;
    bool done = false;
    if (o->into.n) TRY(by_server(o, &done));
    if (done) return ERR_OK;
    Common target = *o->common;
    p = (Past){.o = o};
    target.world = o->into;
    arena_init(&p.scratch, 0);
    Err err = client_open(&p.tail, o->common);
    if (!err && o->into.n) err = client_open(&p.into, &target);
    if (!err && o->into.n) err = derived_here_open(&p.derived, &p.into);
    if (!err) feeder_init(&p.feeder, &p.into, STR("the past"), 1000);
    if (!err) err = subscribe(&p);
    if (!err) err = follow(&p);
    if (!err) err = report(&p);
    client_stream_close(&p.stream);
    feeder_free(&p.feeder);
    derived_here_close(&p.derived);
    client_close(&p.tail);
    client_close(&p.into);
    arena_free(&p.scratch);
    return err;
}
