// SPDX-License-Identifier: Apache-2.0
// Decisions: what rules proposed, what became of it, and what people say to it.
#include <stdio.h>
#include <unistd.h>
#include "base/time.h"
#include "cli/decision.h"
#include "cli/term.h"

#define WAIT_NS (25 * NS_PER_S)

typedef struct Decisions {
    Common common;
    Str state, rule, twin, note;
    int64_t limit;
    bool follow;
} Decisions;

static const Opt no_opts[] = {OPT_END};
static const Opt note_opts[] = {
    OPT(Decisions, note, OPT_STR, 'n', "note", "TEXT", "why, for the record"),
    OPT_END,
};
static const Opt list_opts[] = {
    OPT(Decisions, state, OPT_STR, 's', "state", "STATE", "only these: waiting, watching, kept ...; open: not over"),
    OPT(Decisions, rule, OPT_STR, 'r', "rule", "NAME", "only of that rule"),
    OPT(Decisions, twin, OPT_STR, 't', "twin", "ID", "only those that this twin set off"),
    OPT_RANGE(Decisions, limit, "limit", "N", "at most so many (100)", 1, 1000),
    OPT(Decisions, follow, OPT_FLAG, 'f', "follow", NULL, "go on: print each that changes"),
    OPT_END,
};

// ---- the list -----------------------------------------------------------------------------------------------------

static const Column columns[] = {
    {"ID", true, false},     {"When", true, false}, {"State", false, false}, {"Twin", false, true},
    {"Choice", false, true}, {"Gain", true, false}, {"Why", false, true},
};

static void put_row(Table *t, const Json *item, int64_t now) {
    const Json *id = json_get(item, STR("id"));
    Str state = decision_text(item, "state"), choice = decision_text(item, "choice"), why = decision_text(item, "why");
    int64_t at = decision_time(item, "at"), due = decision_time(item, "due");
    Buf age = {0};
    text_age(now - at, &age);
    table_printf(t, STYLE_BOLD, "%lld", id && id->type == JSON_INT ? (long long)id->i : 0);
    table_put(t, STYLE_DIM, buf_str(&age));
    table_put(t, decision_style(state), state);
    table_put(t, STYLE_PLAIN, decision_text(item, "twin"));
    table_put(t, STYLE_PLAIN, choice);
    buf_reset(&age);
    if (!str_eq(choice, STR("nothing"))) decision_money(json_get(item, STR("gain")), decision_text(item, "unit"), &age);
    table_put(t, STYLE_PLAIN, buf_str(&age));
    if (due > now) {
        buf_reset(&age);
        buf_str_put(&age, STR("answer "));
        text_age(now - due, &age);
        if (why.n) buf_printf(&age, "; %.*s", STR_ARG(why));
        why = buf_str(&age);
    }
    table_put(t, STYLE_DIM, why);
    buf_free(&age);
}

static Str list_path(Client *c, const Decisions *o, int64_t limit) {
    Buf b = {0};
    buf_str_put(&b, client_path(c, "//decisions", NULL));
    buf_printf(&b, "&limit=%lld", (long long)limit);
    const struct {
        const char *name;
        Str value;
    } all[] = {{"state", o->state}, {"rule", o->rule}, {"twin", o->twin}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].value.n) continue;
        buf_printf(&b, "&%s=", all[i].name);
        url_escape(all[i].value, &b);
    }
    Str path = arena_str(&c->keep, buf_str(&b));
    buf_free(&b);
    return path;
}

static Err say_list(const Json *doc) {
    const Json *all = json_get(doc, STR("value")), *stopped = json_get(doc, STR("stopped"));
    if (!all || all->type != JSON_ARRAY) return tell(ERR_SYNTAX, "the answer holds no list");
    Table t;
    table_init(&t, columns, (int32_t)(sizeof columns / sizeof *columns));
    int64_t now = time_now_ns();
    for (int32_t i = 0; i < all->count; i++) put_row(&t, &all->items[i], now);
    Err err = all->count ? say_table(&t) : ERR_OK;
    table_free(&t);
    if (!all->count) note("there is no such decision");
    if (stopped && stopped->type == JSON_TRUE) {
        note("the kill switch is on: no command leaves");
        hint("let them leave again: sosia decisions resume");
    }
    return err;
}

static Err list(Client *c, const Decisions *o) {
    Json doc;
    TRY(client_do(c, &(Call){.path = list_path(c, o, o->limit ? o->limit : 100)}));
    if (o->common.json) return client_say(c);
    TRY(client_json(c, &doc));
    TRY(say_list(&doc));
    const Json *all = json_get(&doc, STR("value"));
    for (int32_t i = 0; i < all->count; i++) {
        if (!str_eq(decision_text(&all->items[i], "state"), STR("waiting"))) continue;
        const Json *id = json_get(&all->items[i], STR("id"));
        hint("look at it: sosia decisions show %lld; then approve or refuse it", id ? (long long)id->i : 0);
        break;
    }
    return ERR_OK;
}

// ---- following ----------------------------------------------------------------------------------------------------

// What was printed last of each decision: its state.
typedef struct Seen {
    struct {
        int64_t id;
        char state[16];
    } rows[1000];
    int32_t count;
    bool began;
} Seen;

// Whether that is news; notes it.
static bool is_news(Seen *s, int64_t id, Str state) {
    int32_t i = 0;
    while (i < s->count && s->rows[i].id != id) i++;
    if (i == (int32_t)(sizeof s->rows / sizeof *s->rows)) // the server keeps no more: the oldest is gone there
        for (int32_t k = i = 0; k < s->count; k++)
            if (s->rows[k].id < s->rows[i].id) i = k;
    if (i < s->count && s->rows[i].id == id && str_eq(state, str_of(s->rows[i].state))) return false;
    if (i == s->count) s->count++;
    s->rows[i].id = id;
    snprintf(s->rows[i].state, sizeof s->rows[i].state, "%.*s", STR_ARG(state));
    return true;
}

static Err say_change(const Json *item, bool json) {
    Buf b = {0};
    if (json) {
        json_put(&b, item);
    } else {
        Str state = decision_text(item, "state");
        const Json *id = json_get(item, STR("id"));
        bool colour = term_colour(STDOUT_FILENO);
        time_print(time_now_ns(), 0, &b);
        buf_printf(&b, "  %lld  %s%.*s%s  ", id ? (long long)id->i : 0, style_on(decision_style(state), colour),
                   STR_ARG(state), style_off(decision_style(state), colour));
        text_clean(decision_text(item, "twin"), &b);
        buf_str_put(&b, STR("  "));
        text_clean(decision_text(item, "rule"), &b);
        if (decision_text(item, "why").n) buf_str_put(&b, STR(": "));
        text_clean(decision_text(item, "why"), &b);
    }
    buf_byte(&b, '\n');
    Err err = say(buf_str(&b));
    buf_free(&b);
    return err;
}

static Err say_news(const Json *doc, Seen *seen, bool json) {
    const Json *all = json_get(doc, STR("value"));
    if (!all || all->type != JSON_ARRAY) return tell(ERR_SYNTAX, "the answer holds no list");
    for (int32_t i = all->count - 1; i >= 0; i--) { // the newest come first
        const Json *item = &all->items[i], *id = json_get(item, STR("id"));
        bool news = is_news(seen, id && id->type == JSON_INT ? id->i : 0, decision_text(item, "state"));
        bool open = !decision_text(item, "ended").n;
        if (news && (seen->began || open)) TRY(say_change(item, json));
    }
    seen->began = true;
    return ERR_OK;
}

static Err follow(Client *c, const Decisions *o) {
    static Seen seen;
    int64_t revision = 0;
    term_catch_signals();
    while (!term_interrupted()) {
        Json doc;
        client_reset(c);
        Str path = list_path(c, o, 1000);
        if (seen.began)
            path = arena_printf(&c->keep, "%.*s&wait=%llds&revision=%lld", STR_ARG(path),
                                (long long)(WAIT_NS / NS_PER_S), (long long)revision);
        Err err = client_call(c, &(Call){.path = path});
        if (err && term_interrupted()) break;
        if (err) return client_tell(c, err);
        TRY(client_json(c, &doc));
        const Json *r = json_get(&doc, STR("revision"));
        if (r && r->type == JSON_INT) revision = r->i;
        TRY(say_news(&doc, &seen, o->common.json));
    }
    return ERR_OK;
}

static Err run_list(void *fields, const Args *args) {
    const Decisions *o = fields;
    Client c = {0};
    (void)args;
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = o->follow ? follow(&c, o) : list(&c, o);
    client_close(&c);
    return err;
}

// ---- one ----------------------------------------------------------------------------------------------------------

static Err run_show(void *fields, const Args *args) {
    const Decisions *o = fields;
    Client c = {0};
    Json doc;
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = client_do(&c, &(Call){.path = client_path(&c, "//decisions/{}", args->items)});
    if (err == ERR_OK && o->common.json) err = client_say(&c);
    else if (err == ERR_OK && (err = client_json(&c, &doc)) == ERR_OK) err = decision_say(&doc);
    client_close(&c);
    return err;
}

// What people need to know next of a record that was just changed.
static void tell_next(const Json *doc) {
    Str state = decision_text(doc, "state");
    const Json *id = json_get(doc, STR("id")), *command = json_get(doc, STR("command"));
    Str name = command ? decision_text(command, "name") : (Str){0},
        twin = command ? decision_text(command, "twin") : name;
    bool goes = name.n && (str_eq(state, STR("approved")) || str_eq(state, STR("sending")));
    note("decision %lld is %.*s%s%.*s%s%.*s", id ? (long long)id->i : 0, STR_ARG(state), goes ? ": " : "",
         STR_ARG(goes ? name : (Str){0}), goes ? " goes to " : "", STR_ARG(goes ? twin : (Str){0}));
    if (str_eq(state, STR("waiting"))) hint("somebody else has to approve it, too");
    if (goes) hint("see what becomes of it: sosia decisions show %lld", id ? (long long)id->i : 0);
}

static Err decide(const Decisions *o, Str id, const char *verb) {
    Client c = {0};
    Json doc;
    Buf body = {0};
    if (o->note.n) {
        buf_str_put(&body, STR("{\"note\":"));
        json_put_str(&body, o->note);
        buf_byte(&body, '}');
    }
    Str parts[] = {id, str_of(verb)};
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK)
        err = client_do(
            &c, &(Call){.method = "POST", .path = client_path(&c, "//decisions/{}/{}", parts), .body = buf_str(&body)});
    if (err == ERR_OK && o->common.json) err = client_say(&c);
    else if (err == ERR_OK && (err = client_json(&c, &doc)) == ERR_OK) tell_next(&doc);
    client_close(&c);
    buf_free(&body);
    return err;
}

static Err run_approve(void *fields, const Args *args) { return decide(fields, args->items[0], "approve"); }
static Err run_refuse(void *fields, const Args *args) { return decide(fields, args->items[0], "refuse"); }
static Err run_rollback(void *fields, const Args *args) { return decide(fields, args->items[0], "rollback"); }

static Err run_replay(void *fields, const Args *args) {
    const Decisions *o = fields;
    Client c = {0};
    Json doc;
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK)
        err = client_do(
            &c,
            &(Call){.method = "POST", .path = client_path(&c, "//decisions/{}/replay", args->items), .patient = true});
    if (err == ERR_OK && o->common.json) err = client_say(&c);
    else if (err == ERR_OK && (err = client_json(&c, &doc)) == ERR_OK) err = decision_say_replay(&doc);
    client_close(&c);
    return err;
}

// ---- the kill switch ----------------------------------------------------------------------------------------------

static Err turn(const Decisions *o, bool stop) {
    Client c = {0};
    Err err = client_open(&c, &o->common);
    Str verb = stop ? STR("stop") : STR("resume");
    if (err == ERR_OK) err = client_do(&c, &(Call){.method = "POST", .path = client_path(&c, "//decisions/{}", &verb)});
    if (err == ERR_OK && stop) note("no command of a decision leaves from now on, also after a restart");
    if (err == ERR_OK && stop) hint("let them leave again: sosia decisions resume");
    if (err == ERR_OK && !stop) note("commands of decisions may leave again");
    client_close(&c);
    return err;
}

static Err run_stop(void *fields, const Args *args) {
    (void)args;
    return turn(fields, true);
}

static Err run_resume(void *fields, const Args *args) {
    (void)args;
    return turn(fields, false);
}

// ---- the commands -------------------------------------------------------------------------------------------------

#define DECISIONS(least, most, function)                                                                               \
    .size = sizeof(Decisions), .client = true, .args_min = least, .args_max = most, .run = function

const Command cmd_decisions_list = {
    .name = "decisions list",
    .arguments = "",
    .summary = "what rules proposed, and what became of it",
    .examples = "  sosia decisions\n  sosia decisions --state waiting\n  sosia decisions --follow",
    .opts = list_opts,
    DECISIONS(0, 0, run_list),
};

const Command cmd_decisions_show = {
    .name = "decisions show",
    .arguments = "ID",
    .summary = "one decision: what was tried, what it comes to, who said what",
    .examples = "  sosia decisions show 17\n  sosia decisions show 17 --json",
    .opts = no_opts,
    DECISIONS(1, 1, run_show),
};

const Command cmd_decisions_approve = {
    .name = "decisions approve",
    .arguments = "ID",
    .summary = "let its command leave",
    .examples = "  sosia decisions approve 17 --note \"seen by the shift leader\"",
    .opts = note_opts,
    DECISIONS(1, 1, run_approve),
};

const Command cmd_decisions_refuse = {
    .name = "decisions refuse",
    .arguments = "ID",
    .summary = "nothing is sent",
    .examples = "  sosia decisions refuse 17 --note \"the fitter is there already\"",
    .opts = note_opts,
    DECISIONS(1, 1, run_refuse),
};

const Command cmd_decisions_rollback = {
    .name = "decisions rollback",
    .arguments = "ID",
    .summary = "send the command that undoes it",
    .examples = "  sosia decisions rollback 17",
    .opts = note_opts,
    DECISIONS(1, 1, run_rollback),
};

const Command cmd_decisions_replay = {
    .name = "decisions replay",
    .arguments = "ID",
    .summary = "compute it again from the world as it was, and compare to the last bit",
    .examples = "  sosia decisions replay 17",
    .opts = no_opts,
    DECISIONS(1, 1, run_replay),
};

const Command cmd_decisions_stop = {
    .name = "decisions stop",
    .arguments = "",
    .summary = "the kill switch: no command of a decision leaves any more",
    .examples = "  sosia decisions stop",
    .opts = no_opts,
    DECISIONS(0, 0, run_stop),
};

const Command cmd_decisions_resume = {
    .name = "decisions resume",
    .arguments = "",
    .summary = "they may leave again",
    .examples = "  sosia decisions resume",
    .opts = no_opts,
    DECISIONS(0, 0, run_resume),
};
