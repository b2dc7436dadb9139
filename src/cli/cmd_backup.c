// SPDX-License-Identifier: Apache-2.0
#include <sosia/file.h>
#include <sys/stat.h>
#include "cli/command.h"
#include "cli/term.h"
#include "base/time.h"
#include "codec/json.h"

typedef struct Backup {
    Str store;
    bool force, quiet, json;
} Backup;

static const Opt opts[] = {
    OPT(Backup, store, OPT_STR, 's', "store", "FILE", "the world file to copy; a server may have it open"),
    OPT(Backup, force, OPT_FLAG, 'f', "force", NULL, "take the place of a file that is there"),
    OPT(Backup, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT(Backup, json, OPT_FLAG, 'j', "json", NULL, "the result as JSON"),
    OPT_END,
};

typedef struct Run {
    Progress line;
    bool quiet;
} Run;

static bool progress(void *ctx, SosiaStr what, int64_t done, int64_t total) {
    (void)what;
    Run *r = ctx;
    if (!r->line.what) progress_begin(&r->line, "bytes", total, r->quiet);
    progress_at(&r->line, done);
    return !term_interrupted();
}

static Err failed(const Backup *o, Str to, Err err, Str why) {
    if (err == ERR_CLOSED) return tell(err, "backup: interrupted, nothing was made");
    tell(err, "backup: %.*s", STR_ARG(why));
    if (err == ERR_EXISTS && !o->force) hint("name another file, or take its place with --force");
    if (err == ERR_CORRUPT) hint("see what is wrong with: sosia check %.*s", STR_ARG(o->store));
    if (err == ERR_STORAGE_FULL) hint("make room where %.*s shall be, or name another disk", STR_ARG(to));
    return err;
}

static Err done(const Backup *o, Str to, int64_t took_ns) {
    Buf out = {0}, name = {0};
    struct stat st = {0};
    buf_str_put(&name, to);
    buf_byte(&name, 0);
    int64_t bytes = stat(name.p, &st) == 0 ? (int64_t)st.st_size : 0;
    if (o->json) {
        buf_str_put(&out, STR("{\"file\":"));
        json_put_str(&out, to);
        buf_printf(&out, ",\"bytes\":%lld,\"seconds\":%.3f}\n", (long long)bytes, (double)took_ns / 1e9);
    } else {
        buf_str_put(&out, to);
        buf_str_put(&out, STR(": "));
        text_count(bytes, &out);
        buf_printf(&out, " bytes, checked (%.1f s)\n", (double)took_ns / 1e9);
    }
    Err err = say(buf_str(&out));
    buf_free(&out);
    buf_free(&name);
    return err;
}

static Err run(void *fields, const Args *args) {
    Backup *o = fields;
    Str to = args->items[args->count - 1];
    if (args->count == 2 && o->store.n) return tell(ERR_ARGUMENT, "backup: name the world file once");
    if (args->count == 2) o->store = args->items[0];
    if (!o->store.n) {
        tell(ERR_ARGUMENT, "backup: which world file shall be copied?");
        hint("sosia backup --store plant.sosia %.*s", STR_ARG(to));
        return ERR_ARGUMENT;
    }
    Run r = {.quiet = o->quiet || o->json};
    Buf why = {0};
    int64_t start = time_mono_ns();
    SosiaBackup b = {.from = o->store, .to = to, .replace = o->force, .progress = progress, .ctx = &r};
    Err err = (Err)sosia_backup(&b, &why);
    if (r.line.what) progress_end(&r.line);
    err = err == ERR_OK ? done(o, to, time_mono_ns() - start) : failed(o, to, err, buf_str(&why));
    buf_free(&why);
    return err;
}

const Command cmd_backup = {
    .heading = "Take care",
    .name = "backup",
    .arguments = "TO",
    .summary = "copy a world file, also while a server has it open",
    .about =
        "The copy is the world of one instant, with its history and all else the file holds; writes go on meanwhile.\n"
        "It is checked before it gets its name, so a file of that name is always a whole one, and it is for its\n"
        "owner alone, as it holds the keys of connections. To restore, serve the copy: sosia serve --data TO.",
    .examples = "  sosia backup --store plant.sosia /backup/plant-monday.sosia\n"
                "  sosia backup --store plant.sosia --force /backup/plant.sosia\n"
                "  sosia serve --data /backup/plant-monday.sosia",
    .opts = opts,
    .size = sizeof(Backup),
    .args_min = 1,
    .args_max = 2,
    .run = run,
};
