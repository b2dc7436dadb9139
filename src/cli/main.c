// SPDX-License-Identifier: Apache-2.0
// The `sosia` command: finds the command, parses its options, runs it, turns its failure into the exit code.
#include <stdlib.h>
#include <unistd.h>
#include "base/mem.h"
#include "cli/command.h"
#include "cli/term.h"

// Every command, in the order of the help.
static const Command *const commands[] = {
    // clang-format off
    &cmd_serve, &cmd_demo, &cmd_version,
    &cmd_models_add, &cmd_models_list, &cmd_models_show, &cmd_import,
    &cmd_get, &cmd_history_stats, &cmd_history, &cmd_query, &cmd_watch,
    &cmd_set, &cmd_ingest, &cmd_replay,
    &cmd_derived_list, &cmd_derived_show, &cmd_derived_set, &cmd_derived_rm,
    &cmd_retention_list, &cmd_retention_put, &cmd_retention_delete,
    &cmd_connections_list, &cmd_connections_show, &cmd_connections_put, &cmd_connections_test, &cmd_connections_pause,
    &cmd_connections_resume, &cmd_connections_rm, &cmd_command,
    &cmd_endpoints_list, &cmd_endpoints_show, &cmd_endpoints_put, &cmd_endpoints_replay, &cmd_endpoints_rm,
    &cmd_routes_list, &cmd_routes_put, &cmd_routes_rm,
    &cmd_worlds_list, &cmd_worlds_fork, &cmd_worlds_run, &cmd_worlds_pause, &cmd_worlds_trace, &cmd_worlds_ensemble,
    &cmd_worlds_compare, &cmd_worlds_diff, &cmd_worlds_merge, &cmd_worlds_drop, &cmd_worlds_rm,
    &cmd_define, &cmd_kpis, &cmd_whatif, &cmd_ensembles,
    &cmd_rules_list, &cmd_rules_show, &cmd_rules_try, &cmd_decisions_list, &cmd_decisions_show,
    &cmd_decisions_approve, &cmd_decisions_refuse, &cmd_decisions_rollback, &cmd_decisions_replay,
    &cmd_decisions_stop, &cmd_decisions_resume,
    &cmd_backup, &cmd_check, &cmd_export, &cmd_erase,
    &cmd_bench,
    // clang-format on
    NULL,
};

static int32_t help_width(void) {
    int32_t columns, rows;
    term_size(STDOUT_FILENO, &columns, &rows);
    return columns > 110 ? 110 : columns;
}

static void title(Buf *out, const char *text) {
    bool colour = term_colour(STDOUT_FILENO);
    buf_printf(out, "%s%s%s\n", style_on(STYLE_BOLD, colour), text, style_off(STYLE_BOLD, colour));
}

static Err print_out(Buf *out) {
    Err err = say(buf_str(out));
    buf_free(out);
    return err;
}

static Err help_all(void) {
    Buf out = {0};
    buf_printf(&out, "sosia %s: a living double of a whole operation\n\n", SOSIA_VERSION);
    buf_str_put(&out, STR("Usage: sosia COMMAND [OPTIONS] [ARGUMENTS]\n"));
    for (int32_t i = 0; commands[i]; i++) {
        if (commands[i]->heading) {
            buf_byte(&out, '\n');
            title(&out, commands[i]->heading);
        }
        buf_printf(&out, "  %-18s  %s\n", commands[i]->name, commands[i]->summary);
    }
    buf_str_put(&out, STR("\n"));
    title(&out, "Try");
    buf_str_put(&out, STR("  sosia demo                 start a bottling plant that lives, see what to do with it\n"
                          "  sosia COMMAND --help       options and examples of one command\n\n"));
    buf_str_put(&out, STR("Clients talk to http://127.0.0.1:7474 unless --url or SOSIA_URL names another server.\n"));
    return print_out(&out);
}

static Err help_one(const Command *c) {
    Buf out = {0};
    buf_printf(&out, "%s\n\n", c->summary);
    buf_printf(&out, "Usage: sosia %s%s%s%s\n", c->name, c->opts->name || c->client ? " [OPTIONS]" : "",
               *c->arguments ? " " : "", c->arguments);
    if (c->about) buf_printf(&out, "\n%s\n", c->about);
    if (c->opts->name) {
        buf_byte(&out, '\n');
        title(&out, "Options");
        opts_print(c->opts, help_width(), &out);
    }
    if (c->client) {
        buf_byte(&out, '\n');
        title(&out, "Server");
        opts_print(common_opts, help_width(), &out);
    }
    buf_byte(&out, '\n');
    title(&out, "Examples");
    buf_printf(&out, "%s\n", c->examples);
    return print_out(&out);
}

// The command that argv begins with and how many words its name took. "models" alone means "models list".
static const Command *find(char *const *argv, int32_t argc, int32_t *words) {
    Str first = str_of(argv[0]), second = argc > 1 ? str_of(argv[1]) : (Str){0};
    const Command *listing = NULL;
    for (int32_t i = 0; commands[i]; i++) {
        Str name = str_of(commands[i]->name), head = str_cut(&name, ' ');
        if (!str_eq(head, first)) continue;
        if (!name.n || str_eq(name, second)) {
            *words = name.n ? 2 : 1;
            return commands[i];
        }
        if (str_eq(name, STR("list"))) listing = commands[i];
    }
    *words = 1;
    bool alone = !second.n || second.p[0] == '-';
    return alone ? listing : NULL;
}

static Err unknown(char *const *argv, int32_t argc) {
    const char *names[sizeof commands / sizeof *commands];
    int32_t n = 0;
    for (; commands[n]; n++) names[n] = commands[n]->name;
    Buf asked = {0};
    buf_printf(&asked, "%s", argv[0]);
    const char *near = opts_nearest(buf_str(&asked), names, n);
    if (argc > 1 && !near) {
        buf_printf(&asked, " %s", argv[1]);
        near = opts_nearest(buf_str(&asked), names, n);
    }
    tell(ERR_ARGUMENT, "there is no command '%.*s'", STR_ARG(buf_str(&asked)));
    if (near) hint("did you mean: sosia %s", near);
    else hint("list the commands with: sosia help");
    buf_free(&asked);
    return ERR_ARGUMENT;
}

static Err check_count(const Command *c, const Args *args) {
    bool empty = args->count && !args->items[0].n; // a shell variable that was not set
    bool few = args->count<c->args_min, many = args->count> c->args_max;
    if (!empty && !few && !many) return ERR_OK;
    if (few || many) tell(ERR_ARGUMENT, "%s: too %s arguments", c->name, few ? "few" : "many");
    else tell(ERR_ARGUMENT, "%s: the first argument is empty", c->name);
    hint("usage: sosia %s%s%s", c->name, *c->arguments ? " " : "", c->arguments);
    return ERR_ARGUMENT;
}

// --json is wanted somewhere on the line: failures of the parser itself follow it too.
static bool wants_json(char *const *argv, int32_t argc) {
    for (int32_t i = 0; i < argc; i++) {
        if (str_eq(str_of(argv[i]), STR("--"))) return false;
        if (str_eq(str_of(argv[i]), STR("--json")) || str_eq(str_of(argv[i]), STR("-j"))) return true;
    }
    return false;
}

static Err run(const Command *c, char *const *argv, int32_t argc) {
    Args *args = mem_alloc(sizeof *args);
    void *fields = mem_alloc(c->size);
    Buf why = {0};
    tell_as_json(wants_json(argv, argc));
    Err err = opts_parse(c->opts, c->client ? common_opts : NULL, fields, argv, argc, args, &why);
    if (err != ERR_OK) {
        tell(err, "%s: %.*s", c->name, STR_ARG(buf_str(&why)));
        hint("all options: sosia %s --help", c->name);
    } else if (args->help) {
        err = help_one(c);
    } else if ((err = check_count(c, args)) == ERR_OK) {
        err = c->run(fields, args);
    }
    buf_free(&why);
    mem_free(fields);
    mem_free(args);
    return err;
}

static Err dispatch(char *const *argv, int32_t argc) {
    Str word = argc ? str_of(argv[0]) : STR("help");
    bool help = str_eq(word, STR("help"));
    if (str_eq(word, STR("--version")) || str_eq(word, STR("-V"))) return run(&cmd_version, NULL, 0);
    if (str_eq(word, STR("--help")) || str_eq(word, STR("-h")) || (help && argc < 2)) return help_all();
    int32_t words;
    if (help) argv++, argc--;
    const Command *c = find(argv, argc, &words);
    if (!c) return unknown(argv, argc);
    return help ? help_one(c) : run(c, argv + words, argc - words);
}

int main(int argc, char **argv) {
    term_catch_signals();
    Err err = dispatch(argv + 1, argc - 1);
    int sig = term_interrupted();
    if (err != ERR_OK && sig) return 128 + sig; // the convention of shells
    return err_exit(err);
}
