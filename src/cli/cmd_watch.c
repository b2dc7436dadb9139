// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <unistd.h>
#include "base/time.h"
#include "cli/term.h"
#include "cli/units.h"
#include "cli/watch.h"

#define FRAME_NS (200 * NS_PER_MS)
#define RETRY_NS (500 * NS_PER_MS)

typedef struct Options {
    Common common;
    Str property;
    Str model;
    int64_t stale_ns, for_ns, count;
    bool all, lines;
} Options;

static const Opt opts[] = {
    OPT(Options, property, OPT_STR, 'p', "property", "GLOB", "only these properties"),
    OPT(Options, model, OPT_STR, 'm', "model", "DTMI", "only twins of this model or of one that extends it"),
    OPT(Options, all, OPT_FLAG, 'a', "all", NULL, "begin with every value, not only those that sensors feed"),
    OPT(Options, stale_ns, OPT_DURATION, 0, "stale-after", "TIME", "stale when older (five times the usual interval)"),
    OPT(Options, lines, OPT_FLAG, 'l', "lines", NULL, "a line for every change even on a terminal"),
    OPT_RANGE(Options, count, "count", "N", "end after N changes (lines and JSON: N lines)", 1, INT64_MAX),
    OPT(Options, for_ns, OPT_DURATION, 0, "for", "TIME", "end after TIME"),
    OPT_END,
};

typedef struct Run {
    const Options *o;
    Client get, tail; // one asks, one listens
    Stream stream;
    Units units;
    Watch watch;
    SseEvent event;
    Arena scratch;
    Str only;       // the one twin that is watched, or ""
    uint64_t seq;   // the last one seen
    int64_t end_ns; // mono; 0: never
    int64_t printed;
    int64_t last_ns;   // update time of the last message
    int64_t caught_ns; // all values up to this update time are told
    bool connected, screen;
    bool take_all; // of a snapshot: also what no sensor feeds
    bool behind;   // messages were missed: catch_up
    WatchScreen view;
    Buf status;
} Run;

// ---- the state to begin with --------------------------------------------------------------------------------------

static Err take_twin(void *arg, const Json *item) {
    Run *r = arg;
    watch_twin(&r->watch, item, r->take_all);
    return ERR_OK;
}

static Err snapshot(Run *r) {
    Client *c = &r->get;
    Json doc;
    int64_t count = 0;
    if (r->only.n) {
        TRY(client_do(c, &(Call){.path = client_path(c, "/digitaltwins/{}", &r->only)}));
        TRY(client_json(c, &doc));
        watch_twin(&r->watch, &doc, r->take_all);
        return ERR_OK;
    }
    Str path =
        r->o->model.n ? client_path(c, "/digitaltwins?model={}", &r->o->model) : client_path(c, "/digitaltwins", NULL);
    return client_each(c, path, INT64_MAX, &count, take_twin, r);
}

static void find_units(Run *r) {
    for (int64_t i = 0; i < r->watch.count; i++) {
        WatchRow *row = &r->watch.rows[i];
        if (row->unit.p) continue;
        row->unit = units_of(&r->units, &r->get, watch_model_of(&r->watch, row->twin), row->path);
    }
    client_reset(&r->get);
}

// ---- the stream ---------------------------------------------------------------------------------------------------

static Err subscribe(Run *r) {
    Client *c = &r->tail;
    Buf path = {0};
    client_reset(c);
    Str parts[] = {r->only};
    buf_str_put(&path, r->only.n ? client_path(c, "/changes?twin={}", parts) : client_path(c, "/changes", NULL));
    if (r->seq) buf_printf(&path, "&since=%llu", (unsigned long long)r->seq);
    Err err = client_stream_open(&r->stream, c, arena_str(&c->keep, buf_str(&path)));
    buf_free(&path);
    return err;
}

static Err print_line(Run *r, Buf *line) {
    buf_byte(line, '\n');
    Err err = say(buf_str(line));
    buf_free(line);
    r->printed++;
    return err;
}

static Err print_value(Run *r, Str time, const WatchRow *row) {
    Buf line = {0};
    buf_printf(&line, "%.*s  ", STR_ARG(time));
    text_clean(row->twin, &line);
    buf_str_put(&line, STR("  "));
    text_clean(row->path, &line);
    buf_str_put(&line, STR("  "));
    text_clean(buf_str(&row->value), &line);
    if (row->unit.n) buf_printf(&line, " %.*s", STR_ARG(row->unit));
    return print_line(r, &line);
}

// Anything but a value: what happened, then its members.
static Err print_event(Run *r, Str time, const Json *change) {
    static const char *const members[] = {"twin", "op", "path", "link", "name", "target", "model", "component"};
    Buf line = {0};
    buf_printf(&line, "%.*s", STR_ARG(time));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        Str text = json_text(change, str_of(members[i]));
        if (!text.n) continue;
        buf_str_put(&line, STR("  "));
        text_clean(text, &line);
    }
    return print_line(r, &line);
}

// The server no longer has what came while we were away: look at the values instead, and print those that changed.
static Err catch_up(Run *r) {
    r->take_all = r->o->all || !r->screen;
    Err err = snapshot(r);
    r->take_all = r->o->all;
    r->behind = err == ERR_UNREACHABLE; // gone again: catch up after the next connection
    if (r->behind) return ERR_OK;
    TRY(err);
    find_units(r);
    for (int64_t i = 0; i < r->watch.count && !r->screen && !r->o->common.json; i++) {
        int64_t updated_ns = r->watch.rows[i].updated_ns;
        if (r->o->count && r->printed >= r->o->count) return ERR_OK;
        if (updated_ns <= r->last_ns) continue;
        if (updated_ns > r->caught_ns) r->caught_ns = updated_ns;
        Buf time = {0};
        time_print(updated_ns, 7, &time);
        err = print_value(r, buf_str(&time), &r->watch.rows[i]);
        buf_free(&time);
        TRY(err);
    }
    return ERR_OK;
}

static Err take_change(Run *r, const Json *change, Str time, int64_t time_ns) {
    Str op = json_text(change, STR("op")), twin = json_text(change, STR("twin")), path = json_text(change, STR("path"));
    const Json *value = json_get(change, STR("value"));
    WatchRow *row = NULL;
    bool put = str_eq(op, STR("twin_put"));
    if (put && r->o->model.n && !watch_model_of(&r->watch, twin).n) TRY(snapshot(r)); // perhaps one of that model
    else if (put) watch_model(&r->watch, twin, json_text(change, STR("model")));
    if (r->o->model.n && !watch_model_of(&r->watch, twin).n) return ERR_OK;
    if (str_eq(op, STR("set")) && value) {
        row = watch_set(&r->watch, twin, path, value, time_ns, json_get(change, STR("sourceTime")) != NULL);
        if (!row) return ERR_OK;
        if (!row->unit.p) find_units(r);
    } else if (str_eq(op, STR("unset"))) {
        watch_gone(&r->watch, twin, path);
    } else if (str_eq(op, STR("twin_delete"))) {
        watch_gone(&r->watch, twin, (Str){0});
    }
    if (r->screen) {
        r->printed++;
        return ERR_OK;
    }
    if (!row && (r->watch.property.n || !watch_wants_twin(&r->watch, twin))) return ERR_OK;
    return row ? print_value(r, time, row) : print_event(r, time, change);
}

static Err take_event(Run *r) {
    Json doc;
    int64_t time_ns = 0;
    arena_reset(&r->scratch);
    if (json_parse(buf_str(&r->event.data), NULL, &r->scratch, &doc, NULL) != ERR_OK) return ERR_OK;
    bool ready = str_eq(str_of(r->event.name), STR("ready")), cut = str_eq(str_of(r->event.name), STR("cut"));
    const Json *seq = json_get(&doc, ready ? STR("since") : STR("seq")), *changes = json_get(&doc, STR("changes"));
    if (cut) {
        r->seq = 0; // too far behind: begin again with what is there now
        r->behind = true;
        return ERR_OK;
    }
    const Json *more = json_get(&doc, STR("more")); // a batch in parts: resume behind the last one only
    if (seq && seq->type == JSON_INT && !(more && more->type == JSON_TRUE)) r->seq = (uint64_t)seq->i;
    if (ready && r->last_ns == 0) r->last_ns = time_now_ns();
    if (ready && r->behind) return catch_up(r);
    if (ready || !changes || changes->type != JSON_ARRAY || changes->count == 0) return ERR_OK; // or only a position
    if (r->o->common.json) {
        buf_byte(&r->event.data, '\n');
        r->printed++;
        return say(buf_str(&r->event.data));
    }
    Str time = json_text(&doc, STR("time"));
    if (!time_parse(time, &time_ns)) time_ns = time_now_ns();
    r->last_ns = time_ns;
    if (time_ns <= r->caught_ns) return ERR_OK; // told already
    for (int32_t i = 0; i < changes->count; i++) {
        if (r->o->count && r->printed >= r->o->count) return ERR_OK;
        TRY(take_change(r, &changes->items[i], time, time_ns));
    }
    return ERR_OK;
}

static Err take_events(Run *r) {
    while (sse_next(&r->stream.bytes, &r->event)) {
        r->connected = true;
        buf_reset(&r->status);
        TRY(take_event(r));
        if (r->o->count && r->printed >= r->o->count) return ERR_OK;
    }
    return ERR_OK;
}

// The stream ended: an error if it never began, else try again later and say so.
static Err lost(Run *r, Err err) {
    bool first = !r->connected;
    client_stream_close(&r->stream);
    if (first && !(r->tail.status == 410)) return client_tell(&r->tail, err);
    if (r->tail.status == 410) r->seq = 0, r->behind = true;
    buf_reset(&r->status);
    buf_str_put(&r->status, STR("the server is gone, trying again"));
    if (!r->screen && !r->behind) note("%.*s", STR_ARG(buf_str(&r->status)));
    return ERR_OK;
}

static Err step(Run *r, int64_t *retry_ns) {
    if (r->stream.open) {
        Err err = client_stream_step(&r->stream, 50 * NS_PER_MS);
        TRY(take_events(r));
        if (err != ERR_OK && !term_interrupted()) {
            *retry_ns = r->tail.status == 410 ? 0 : time_mono_ns() + RETRY_NS;
            return lost(r, err);
        }
        return ERR_OK;
    }
    if (time_mono_ns() < *retry_ns) {
        term_sleep(50 * NS_PER_MS);
        return ERR_OK;
    }
    *retry_ns = time_mono_ns() + RETRY_NS;
    return subscribe(r);
}

// ---- the screen ---------------------------------------------------------------------------------------------------

static bool press(Run *r, int key) {
    int64_t page = r->view.rows > 8 ? r->view.rows - 6 : 1;
    switch (key) {
    case 'q': return false;
    case 's':
        r->watch.sort = (r->watch.sort + 1) % WATCH_SORTS;
        r->watch.dirty = true;
        r->view.first = 0;
        break;
    case 256 + KEY_UP: r->view.first -= r->view.first > 0; break;
    case 'k': r->view.first -= r->view.first > 0; break;
    case 256 + KEY_DOWN: r->view.first++; break;
    case 'j': r->view.first++; break;
    case 256 + KEY_PAGE_UP: r->view.first -= page; break;
    case 256 + KEY_PAGE_DOWN: r->view.first += page; break;
    case ' ': r->view.first += page; break;
    case 256 + KEY_HOME: r->view.first = 0; break;
    case 256 + KEY_END: r->view.first = INT64_MAX / 2; break;
    default: break;
    }
    return true;
}

static Err draw(Run *r) {
    Buf plain = {0}, out = {0};
    term_size(STDOUT_FILENO, &r->view.columns, &r->view.rows);
    r->view.status = buf_str(&r->status);
    watch_draw(&r->watch, &r->view, time_now_ns(), &plain);
    buf_str_put(&out, STR("\x1b[H"));
    Str text = buf_str(&plain);
    while (text.n) {
        buf_str_put(&out, str_cut(&text, '\n'));
        buf_str_put(&out, text.n ? STR("\x1b[K\r\n") : STR("\x1b[K"));
    }
    buf_str_put(&out, STR("\x1b[J"));
    Err err = say(buf_str(&out));
    buf_free(&plain);
    buf_free(&out);
    return err;
}

static Err loop(Run *r) {
    int64_t drawn = 0, retry = 0;
    for (;;) {
        int64_t now = time_mono_ns();
        if (term_interrupted() || (r->end_ns && now >= r->end_ns)) return ERR_OK;
        if (r->o->count && r->printed >= r->o->count) return ERR_OK;
        TRY(step(r, &retry));
        if (!r->screen) continue;
        int key = term_key();
        if (!press(r, key)) return ERR_OK;
        if (!key && now - drawn < FRAME_NS) continue;
        drawn = now;
        TRY(draw(r));
    }
}

static Err begin(Run *r, const Args *args) {
    const Options *o = r->o;
    r->watch.patterns = args->items;
    r->watch.pattern_count = args->count;
    r->watch.property = o->property;
    r->watch.stale_after_ns = o->stale_ns;
    bool glob = args->count != 1 || str_find(args->items[0], '*', 0) >= 0 || str_find(args->items[0], '?', 0) >= 0;
    if (!glob) r->only = args->items[0];
    r->take_all = o->all;
    if (o->for_ns) r->end_ns = time_mono_ns() + o->for_ns;
    TRY(client_open(&r->get, &o->common));
    TRY(client_open(&r->tail, &o->common));
    TRY(subscribe(r));
    while (!r->connected && !term_interrupted()) { // the stream first: then no change falls between it and the values
        Err err = client_stream_step(&r->stream, 50 * NS_PER_MS);
        TRY(take_events(r));
        if (err != ERR_OK) return lost(r, err);
    }
    TRY(snapshot(r));
    find_units(r);
    r->screen = !o->common.json && !o->lines && term_screen_begin();
    r->view.colour = term_colour(STDOUT_FILENO);
    r->view.title = arena_printf(&r->watch.keep, "sosia watch  %.*s at %.*s",
                                 STR_ARG(r->get.world.n ? r->get.world : STR("live")), STR_ARG(r->get.url));
    return ERR_OK;
}

static Err run(void *fields, const Args *args) {
    static Run r; // one watch a process; too large for the stack
    r.o = fields;
    arena_init(&r.scratch, 0);
    units_init(&r.units);
    watch_init(&r.watch);
    Err err = begin(&r, args);
    if (err == ERR_OK) err = loop(&r);
    term_screen_end();
    client_stream_close(&r.stream);
    client_close(&r.get);
    client_close(&r.tail);
    watch_free(&r.watch);
    units_free(&r.units);
    buf_free(&r.event.data);
    buf_free(&r.status);
    arena_free(&r.scratch);
    return err;
}

const Command cmd_watch = {
    .name = "watch",
    .arguments = "[TWIN|GLOB...]",
    .summary = "values as they change, and their age, in a live table",
    .about =
        "On a terminal a table that updates in place: arrows scroll, s changes the order, q quits. A value that a\n"
        "sensor feeds is stale when it has not come for five times its usual interval. Elsewhere a line for every\n"
        "change; with --json the messages of the server, one a line.",
    .examples = "  sosia watch\n"
                "  sosia watch 'line-1-*' pump-1\n"
                "  sosia watch --property 'temp*' --stale-after 30s\n"
                "  sosia watch --json --count 10 | jq .changes",
    .opts = opts,
    .size = sizeof(Options),
    .client = true,
    .args_max = STR_LIST_MAX,
    .run = run,
};
