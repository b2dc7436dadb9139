// SPDX-License-Identifier: Apache-2.0
#include "cli/shell.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "cli/hist.h"
#include "cli/models.h"
#include "cli/shell_line.h"
#include "cli/term.h"

typedef struct Shell {
    Ask *ask;
    LineIn *in;
    Words words;
    Arena keep;    // history path, names of worlds gone to
    Str history;   // file
    Buf statement; // typed so far, lines ended by \n
    Buf last;      // last question, for \explain
    bool over;
} Shell;

// ---- names to complete --------------------------------------------------------------------------------------------

static Err learn_model(void *arg, const Json *item) {
    Words *w = arg;
    const Json *id = json_get(item, STR("id")), *model = json_get(item, STR("model"));
    if (id && id->type == JSON_STRING) words_add(w, WORD_MODEL, id->s);
    if (model) words_add_model(w, model);
    return ERR_OK;
}

static Err learn_world(void *arg, const Json *item) {
    const Json *name = json_get(item, STR("name"));
    if (name && name->type == JSON_STRING) words_add(arg, WORD_WORLD, name->s);
    return ERR_OK;
}

static Err learn(Shell *s) {
    Client *c = s->ask->client;
    int64_t models = 0, worlds = 0;
    words_reset(&s->words);
    TRY(client_each(c, client_path(c, "//worlds", NULL), INT64_MAX, &worlds, learn_world, &s->words));
    Str path = client_path(c, "/models?includeModelDefinition=true", NULL);
    TRY(client_each(c, path, INT64_MAX, &models, learn_model, &s->words));
    note("%lld model%s in %.*s at %.*s; \\help tells more", (long long)models, models == 1 ? "" : "s",
         STR_ARG(c->world.n ? c->world : STR("live")), STR_ARG(c->url));
    return ERR_OK;
}

// Tab: the lines before belong to the statement too.
static void complete(void *ctx, Arena *a, Str line, int64_t at, Completion *out) {
    Shell *s = ctx;
    int64_t before = s->statement.n;
    Str text = arena_printf(a, "%.*s%.*s", STR_ARG(buf_str(&s->statement)), STR_ARG(line));
    words_complete(&s->words, a, text, before + at, out);
    if (out->from >= before) out->from -= before;
    else *out = (Completion){.from = at}; // a text that began on a line before
}

// ---- commands -----------------------------------------------------------------------------------------------------

static Err to_world(Shell *s, Str name) {
    Client *c = s->ask->client;
    const Str *worlds = (const Str *)(const void *)s->words.lists[WORD_WORLD].p;
    int64_t n = s->words.lists[WORD_WORLD].n / (int64_t)sizeof(Str);
    if (!name.n) {
        for (int64_t i = 0; i < n; i++) note("%.*s", STR_ARG(worlds[i]));
        return ERR_OK;
    }
    Str before = c->world;
    TRY(client_world(c, name, &s->keep));
    units_free(&s->ask->units);
    units_init(&s->ask->units);
    Err err = learn(s);
    if (err != ERR_OK) c->world = before;
    return err;
}

static Err show_plan(Shell *s, Str question) {
    if (!question.n) question = buf_str(&s->last);
    if (!question.n) return tell(ERR_ARGUMENT, "ask something first, or write \\explain SELECT ...");
    s->ask->explain = true;
    Err err = ask_run(s->ask, question);
    s->ask->explain = false;
    return err;
}

// A whole DTMI, or the name in it when only one model has it.
static Str find_model(Shell *s, Str name, Arena *a) {
    const Str *ids = (const Str *)(const void *)s->words.lists[WORD_MODEL].p;
    int64_t n = s->words.lists[WORD_MODEL].n / (int64_t)sizeof(Str);
    Str found = name;
    int64_t fits = 0;
    for (int64_t i = 0; i < n; i++) {
        if (str_eq(ids[i], name)) return name;
        if (!str_eq_nocase(model_short(a, ids[i]), name)) continue;
        found = ids[i];
        fits++;
    }
    return fits == 1 ? found : name;
}

static Err properties(Shell *s, Str name) {
    if (!name.n) return tell(ERR_ARGUMENT, "name a model: \\properties dtmi:example:Pump;1, or only Pump");
    Arena a;
    arena_init(&a, 0);
    Err err = models_show(s->ask->client, find_model(s, name, &a));
    arena_free(&a);
    return err;
}

static Err help(void) {
    return say(
        STR("A question ends with ; or an empty line. Tab completes, the up key brings back what was asked.\n"
            "\n"
            "  \\explain [QUERY]     the plan, with estimated and real rows and times; alone: of the last question\n"
            "  \\table \\json \\csv    how answers look\n"
            "  \\world [NAME]        ask another world; alone: their names\n"
            "  \\models              the models\n"
            "  \\properties MODEL    what a model's twins have; Pump is enough for dtmi:example:Pump;1\n"
            "  \\timing              rows and time below answers: on, off\n"
            "  \\refresh             learn the names of models and properties again\n"
            "  \\quit, Ctrl-D        leave; Ctrl-C empties the line or stops a question\n"
            "\n"
            "The language: docs/query.md\n"));
}

static Err set_form(Shell *s, AskForm form) {
    s->ask->form = form;
    return ERR_OK;
}

static Err timing(Shell *s) {
    s->ask->quiet = !s->ask->quiet;
    note("timing is %s", s->ask->quiet ? "off" : "on");
    return ERR_OK;
}

static Err command(Shell *s, Str line) {
    static const char *const names[] = {"explain",    "table",  "json",    "csv",  "world", "models",
                                        "properties", "timing", "refresh", "help", "quit"};
    Str rest = str_sub(line, 1, line.n), name = str_cut(&rest, ' ');
    rest = str_trim(rest);
    if (str_eq(name, STR("q")) || str_eq(name, STR("quit"))) {
        s->over = true;
        return ERR_OK;
    }
    if (str_eq(name, STR("explain"))) return show_plan(s, rest);
    if (str_eq(name, STR("table"))) return set_form(s, ASK_TABLE);
    if (str_eq(name, STR("json"))) return set_form(s, ASK_JSON);
    if (str_eq(name, STR("csv"))) return set_form(s, ASK_CSV);
    if (str_eq(name, STR("world"))) return to_world(s, rest);
    if (str_eq(name, STR("models"))) return models_list(s->ask->client, false);
    if (str_eq(name, STR("properties"))) return properties(s, rest);
    if (str_eq(name, STR("timing"))) return timing(s);
    if (str_eq(name, STR("refresh"))) return learn(s);
    if (str_eq(name, STR("help")) || str_eq(name, STR("?"))) return help();
    const char *near = opts_nearest(name, names, (int32_t)(sizeof names / sizeof *names));
    tell(ERR_ARGUMENT, "there is no command \\%.*s", STR_ARG(name));
    if (near) hint("did you mean \\%s?", near);
    else hint("\\help lists them");
    return ERR_ARGUMENT;
}

// ---- statements ---------------------------------------------------------------------------------------------------

static void remember(Shell *s, Str text) {
    Buf line = {0};
    statement_line(text, &line);
    line_remember(s->in, buf_str(&line));
    hist_add(s->history, buf_str(&line));
    buf_free(&line);
}

static void run_command(Shell *s, Str line) {
    remember(s, line);
    Err ignored = command(s, line); // told
    (void)ignored;
    if (term_interrupted() == SIGINT) term_forget_interrupt();
}

static bool only_comments(Str text) {
    Buf line = {0};
    statement_line(text, &line);
    bool none = line.n == 0;
    buf_free(&line);
    return none;
}

static void run_statement(Shell *s, Str text) {
    if (only_comments(text)) return;
    buf_reset(&s->last);
    buf_str_put(&s->last, str_trim(text));
    Err ignored = ask_run(s->ask, buf_str(&s->last)); // told
    (void)ignored;
    if (term_interrupted() == SIGINT) term_forget_interrupt();
}

// Run what is complete; `all`: the rest too.
static void run_typed(Shell *s, bool all) {
    Str text = buf_str(&s->statement), done = text;
    int64_t end;
    Buf rest = {0};
    while ((end = statement_end(text)) >= 0) {
        run_statement(s, str_sub(text, 0, end));
        text = str_sub(text, end + 1, text.n);
    }
    if (all) run_statement(s, text);
    done.n = all ? done.n : text.p - done.p;
    if (done.n && !only_comments(done)) remember(s, done);
    if (!all && !only_comments(text)) buf_str_put(&rest, text);
    buf_free(&s->statement);
    s->statement = rest;
}

static void take_line(Shell *s, Str line) {
    Str bare = str_trim(line);
    if (!s->statement.n && str_starts(bare, STR("\\"))) {
        run_command(s, bare);
        return;
    }
    if (!s->statement.n && (str_eq(bare, STR("quit")) || str_eq(bare, STR("exit")))) {
        s->over = true;
        return;
    }
    if (!s->statement.n && str_eq(bare, STR("help"))) {
        run_command(s, STR("\\help"));
        return;
    }
    if (bare.n) {
        buf_str_put(&s->statement, line);
        buf_byte(&s->statement, '\n');
    }
    if (s->statement.n) run_typed(s, !bare.n);
}

// "sosia night-shift> ", and as wide below it "              ...> ".
static Str prompt_of(const Shell *s, Buf *room) {
    Str world = s->ask->client->world;
    buf_reset(room);
    buf_str_put(room, world.n ? STR("sosia ") : STR("sosia"));
    text_clean(world, room);
    int32_t width = text_width(buf_str(room));
    if (s->statement.n) {
        buf_reset(room);
        buf_printf(room, "%*s", (int)width, "...");
    }
    buf_str_put(room, STR("> "));
    return buf_str(room);
}

static void remember_old(void *ctx, Str line) { line_remember(ctx, line); }

Err shell_run(Ask *a) {
    Shell s = {.ask = a};
    Buf prompt = {0};
    words_init(&s.words);
    arena_init(&s.keep, 0);
    Err err = learn(&s);
    if (err == ERR_OK) {
        s.in = line_open(complete, &s);
        s.history = hist_path(&s.keep);
        hist_load(s.history, remember_old, s.in);
        while (!s.over) {
            Str line;
            Err got = line_read(s.in, prompt_of(&s, &prompt), &line);
            if (got == ERR_BUSY) buf_reset(&s.statement);
            else if (got != ERR_OK) break;
            else take_line(&s, line);
        }
        if (!s.over) note("%s", "");
        line_close(s.in);
    }
    buf_free(&prompt);
    buf_free(&s.statement);
    buf_free(&s.last);
    words_free(&s.words);
    arena_free(&s.keep);
    return err;
}

Err shell_script(Ask *a, Str text) {
    int64_t end, asked = 0;
    while (text.n) {
        end = statement_end(text);
        Str one = str_sub(text, 0, end < 0 ? text.n : end);
        text = end < 0 ? (Str){0} : str_sub(text, end + 1, text.n);
        if (only_comments(one)) continue;
        TRY(ask_run(a, str_trim(one)));
        asked++;
    }
    return asked ? ERR_OK : tell(ERR_ARGUMENT, "there is no question");
}
