// SPDX-License-Identifier: Apache-2.0
#include <sosia/file.h>
#include <unistd.h>
#include "cli/command.h"
#include "cli/term.h"
#include "base/time.h"
#include "codec/json.h"

#define FINDINGS_SHOWN 100 // to people; --json has all

typedef struct Check {
    bool quiet, json;
} Check;

static const Opt opts[] = {
    OPT(Check, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT(Check, json, OPT_FLAG, 'j', "json", NULL, "the result as JSON, with all findings"),
    OPT_END,
};

typedef struct Run {
    const Check *o;
    Str file;
    Progress line;
    char what[40]; // is being looked at
    Buf findings;  // JSON or lines
    int64_t count;
} Run;

static bool progress(void *ctx, SosiaStr what, int64_t done, int64_t total) {
    Run *r = ctx;
    if (!str_eq(what, str_of(r->what))) {
        if (r->line.what) progress_end(&r->line);
        int64_t n = what.n < (int64_t)sizeof r->what ? what.n : (int64_t)sizeof r->what - 1;
        memcpy(r->what, what.p, (size_t)n);
        r->what[n] = 0;
        progress_begin(&r->line, r->what, total, r->o->quiet || r->o->json);
    }
    progress_at(&r->line, done);
    return !term_interrupted();
}

static void finding(void *ctx, SosiaStr where, SosiaStr what) {
    Run *r = ctx;
    Buf *b = &r->findings;
    r->count++;
    if (r->o->json) {
        buf_str_put(b, r->count > 1 ? STR(",{\"where\":") : STR("{\"where\":"));
        json_put_str(b, where);
        buf_str_put(b, STR(",\"what\":"));
        json_put_str(b, what);
        buf_byte(b, '}');
    } else if (r->count <= FINDINGS_SHOWN) {
        bool colour = term_colour(STDOUT_FILENO);
        buf_printf(b, "  %s", style_on(STYLE_RED, colour));
        text_clean(where, b);
        buf_printf(b, "%s: ", style_off(STYLE_RED, colour));
        text_clean(what, b);
        buf_byte(b, '\n');
    }
}

// ---- the result ---------------------------------------------------------------------------------------------------

typedef struct Counted {
    const char *what, *key;
    int64_t n;
} Counted;

enum { COUNTED = 7 };

static void counted(const SosiaChecked *c, Counted out[COUNTED]) {
    const Counted all[COUNTED] = {
        {"blocks of the world", "blocks", c->blocks},
        {"rows of the journal", "journalRows", c->journal_rows},
        {"batches in them", "batches", c->batches},
        {"blocks of history", "historyBlocks", c->history_blocks},
        {"points in them", "historyPoints", c->history_points},
        {"twins", "twins", c->twins},
        {"relationships", "relationships", c->relationships},
    };
    memcpy(out, all, sizeof all);
}

static Err say_json(const Run *r, const SosiaChecked *c, int64_t took_ns) {
    Counted all[COUNTED];
    Buf out = {0};
    counted(c, all);
    buf_str_put(&out, STR("{\"file\":"));
    json_put_str(&out, r->file);
    buf_printf(&out, ",\"sound\":%s", r->count ? "false" : "true");
    for (int i = 0; i < COUNTED; i++) buf_printf(&out, ",\"%s\":%lld", all[i].key, (long long)all[i].n);
    buf_printf(&out, ",\"seconds\":%.3f,\"findings\":[%.*s]}\n", (double)took_ns / 1e9, STR_ARG(buf_str(&r->findings)));
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static const Column columns[] = {{"Looked at", false, false}, {"Count", true, false}};

static Err say_counts(const SosiaChecked *c) {
    Counted all[COUNTED];
    Table t;
    Buf n = {0};
    counted(c, all);
    table_init(&t, columns, 2);
    for (int i = 0; i < COUNTED; i++) {
        buf_reset(&n);
        text_count(all[i].n, &n);
        table_put(&t, STYLE_PLAIN, str_of(all[i].what));
        table_put(&t, STYLE_PLAIN, buf_str(&n));
    }
    Err err = say_table(&t);
    table_free(&t);
    buf_free(&n);
    return err;
}

static void put_next(const Run *r, Buf *out) {
    buf_printf(out,
               "What to do next\n"
               "  Keep this file: copy it, and %.*s-wal if it is there, before anything writes to it.\n",
               STR_ARG(r->file));
    buf_str_put(out,
                STR("  Look at the disk: what was written here came back as something else (dmesg, smartctl).\n"
                    "  Restore the newest backup that is sound: sosia check FILE, then sosia serve --data FILE.\n"
                    "  Without one: if a copy of this file still opens, save its models and twins through the API.\n"));
}

static Err say_text(const Run *r, const SosiaChecked *c, int64_t took_ns) {
    Buf out = {0};
    TRY(say_counts(c));
    if (!r->count) buf_printf(&out, "\n%.*s is sound (%.1f s)\n", STR_ARG(r->file), (double)took_ns / 1e9);
    else {
        buf_printf(&out, "\n%lld thing%s wrong in %.*s\n%.*s", (long long)r->count, r->count == 1 ? " is" : "s are",
                   STR_ARG(r->file), STR_ARG(buf_str(&r->findings)));
        if (r->count > FINDINGS_SHOWN)
            buf_printf(&out, "  and %lld more; all of them with --json\n", (long long)(r->count - FINDINGS_SHOWN));
        buf_byte(&out, '\n');
        put_next(r, &out);
    }
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static Err run(void *fields, const Args *args) {
    Run r = {.o = fields, .file = args->items[0]};
    Buf why = {0};
    SosiaCheck c = {.file = r.file, .finding = finding, .progress = progress, .ctx = &r};
    SosiaChecked out;
    int64_t start = time_mono_ns();
    Err err = (Err)sosia_check(&c, &out, &why);
    if (r.line.what) progress_end(&r.line);
    int64_t took_ns = time_mono_ns() - start;
    if (err == ERR_CLOSED) tell(err, "check: interrupted");
    else if (err != ERR_OK) tell(err, "check: %.*s", STR_ARG(buf_str(&why)));
    else {
        err = r.o->json ? say_json(&r, &out, took_ns) : say_text(&r, &out, took_ns);
        if (err == ERR_OK && r.count) err = ERR_CORRUPT; // told above; the exit code says it too
    }
    buf_free(&r.findings);
    buf_free(&why);
    return err;
}

const Command cmd_check = {
    .name = "check",
    .arguments = "FILE",
    .summary = "look through a whole world file, reading only",
    .about =
        "Reads everything there is: SQLite's pages, the checks of all rows, the journal, blocks of history decoded\n"
        "and in order, and the world they make with its invariants. A server may have the file open; what is\n"
        "looked at is the file of one instant. Takes about the memory the world takes. Exit code 0: sound, 9: not.",
    .examples = "  sosia check plant.sosia\n"
                "  sosia check --json /backup/plant-monday.sosia",
    .opts = opts,
    .size = sizeof(Check),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
