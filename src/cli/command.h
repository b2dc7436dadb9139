// SPDX-License-Identifier: Apache-2.0
// What a command of `sosia` is, the options that all clients share, and how a command speaks to its user. One thread.
#pragma once
#include "cli/opts.h"
#include "cli/text.h"

// Options of every command that talks to a server; first member of such a command's struct.
typedef struct Common {
    Str url;
    Str token_file;
    Str world;
    Str ca_file;
    bool insecure;
    bool json;
} Common;

typedef struct Command {
    const char *heading;   // begins a new group in the list of commands; NULL: goes on
    const char *name;      // "models add" is two words
    const char *arguments; // "ID PATH VALUE", or ""
    const char *summary;   // one line without full stop
    const char *about;     // paragraphs for --help; may be NULL
    const char *examples;  // lines; each begins with two blanks
    const Opt *opts;       // ends with OPT_END
    size_t size;           // of its options struct
    bool client;           // its struct begins with Common
    int32_t args_min, args_max;
    Err (*run)(void *fields, const Args *args); // tells its own failures, returns their code
} Command;

extern const Opt common_opts[];

// One row a command, each in its own file; main.c lists them.
extern const Command cmd_serve, cmd_demo, cmd_models_add, cmd_models_list, cmd_models_show, cmd_import, cmd_get,
    cmd_query, cmd_set, cmd_ingest, cmd_replay, cmd_watch, cmd_derived_list, cmd_derived_show, cmd_derived_set,
    cmd_derived_rm, cmd_retention_list, cmd_retention_put, cmd_retention_delete, cmd_worlds_list, cmd_worlds_fork,
    cmd_worlds_drop, cmd_bench, cmd_version, cmd_connections_list, cmd_connections_show, cmd_connections_put,
    cmd_connections_test, cmd_connections_pause, cmd_connections_resume, cmd_connections_rm, cmd_command,
    cmd_endpoints_list, cmd_endpoints_show, cmd_endpoints_put, cmd_endpoints_replay, cmd_endpoints_rm, cmd_routes_list,
    cmd_routes_put, cmd_routes_rm;
extern const Command cmd_history, cmd_history_stats;
extern const Command cmd_worlds_diff, cmd_worlds_merge, cmd_worlds_run, cmd_worlds_pause, cmd_worlds_trace, cmd_whatif;
extern const Command cmd_worlds_ensemble, cmd_ensembles, cmd_worlds_compare, cmd_worlds_rm, cmd_define, cmd_kpis;
extern const Command cmd_rules_list, cmd_rules_show, cmd_rules_try, cmd_decisions_list, cmd_decisions_show,
    cmd_decisions_approve, cmd_decisions_refuse, cmd_decisions_rollback, cmd_decisions_replay, cmd_decisions_stop,
    cmd_decisions_resume;
extern const Command cmd_backup, cmd_check, cmd_export, cmd_erase;

// Say what went wrong on stderr, "sosia: text", as {"error":{...}} when the command runs with --json. Returns `code`.
Err tell(Err code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A second line below: what to do next.
void hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
// A remark on stderr that is no error; nothing with --json.
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
// Errors as JSON from now on.
void tell_as_json(bool on);
// Write to stdout. Errors: IO when the reader is gone.
MUST Err say(Str text);
// Print a table to stdout as the terminal there wants it.
MUST Err say_table(const Table *t);

// A whole file, or stdin for "-". Errors: IO, LIMIT (over max bytes); told already.
MUST Err read_file(Str path, int64_t max, Buf *out);
