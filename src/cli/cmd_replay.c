// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "cli/feed.h"
#include "cli/replay_past.h"
#include "cli/series.h"
#include "cli/term.h"
#include "codec/ingest_line.h"
#include "codec/jsonl.h"

#define FILE_SIZE_MAX ((int64_t)4 << 30)
#define TICK_NS (50 * NS_PER_MS) // rows due within one tick travel together

typedef struct Replay {
    Common common;
    Str twin, property, time, value, speed, separator;
    Str from, to, into;
    StrList maps;
    int64_t batch;
    bool restamp, text, quiet;
} Replay;

static const Opt opts[] = {
    OPT(Replay, from, OPT_STR, 0, "from", "INSTANT", "play what the server remembers from here on (-1h, 2026-11-01)"),
    OPT(Replay, to, OPT_STR, 0, "to", "INSTANT", "up to here (now)"),
    OPT(Replay, into, OPT_STR, 0, "into", "WORLD", "apply it to this fork instead of printing it"),
    OPT(Replay, twin, OPT_STR, 't', "twin", "ID", "the twin that the values belong to"),
    OPT(Replay, property, OPT_STR, 'p', "property", "PATH", "its property (the value column's name)"),
    OPT(Replay, time, OPT_STR, 0, "time", "COLUMN", "name or number of the time column (the first)"),
    OPT(Replay, value, OPT_STR, 0, "value", "COLUMN", "name or number of the value column (the second)"),
    OPT(Replay, maps, OPT_LIST, 'm', "map", "COLUMN=[TWIN:]PATH", "one more column; may be given many times"),
    OPT(Replay, speed, OPT_STR, 's', "speed", "N|max", "times faster than it happened (1), or flat out"),
    OPT(Replay, restamp, OPT_FLAG, 0, "restamp", NULL, "shift the times so that the first row happens now"),
    OPT(Replay, text, OPT_FLAG, 0, "text", NULL, "values are strings"),
    OPT(Replay, separator, OPT_STR, 0, "separator", "CHAR", "between columns (guessed)"),
    OPT_RANGE(Replay, batch, "batch", "N", "lines of one request (1000)", 1, 100000),
    OPT(Replay, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT_END,
};

typedef struct Run {
    const Replay *o;
    CsvReader csv;
    CsvRow row;
    Arena keep; // mapping
    SeriesMap maps[STR_LIST_MAX];
    int32_t map_count;
    int32_t time_column;
    double speed; // 0: flat out
    Feeder feeder;
    Progress progress;
    int64_t rows;
    int64_t first_time, first_mono, shift; // of the first row
    int64_t flushed;                       // mono time of the last send
} Run;

static Err column_of(Run *r, Str name, int32_t *out) {
    *out = series_column(&r->row, name);
    if (*out >= 0) return ERR_OK;
    Buf names = {0};
    for (int32_t i = 0; i < r->row.count && i < 20; i++) {
        buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(str_trim(r->row.fields[i])));
    }
    tell(ERR_ARGUMENT, "replay: there is no column '%.*s'", STR_ARG(name));
    hint("the columns are: %.*s", STR_ARG(buf_str(&names)));
    buf_free(&names);
    return ERR_ARGUMENT;
}

static Err add_map(Run *r, int32_t column, Str twin, Str property) {
    if (!twin.n) return tell(ERR_ARGUMENT, "replay: name the twin with --twin, or as --map COLUMN=TWIN:PATH");
    if (!property.n) return tell(ERR_ARGUMENT, "replay: the property's name is empty");
    if (r->map_count == STR_LIST_MAX) return tell(ERR_LIMIT, "replay: too many columns");
    r->maps[r->map_count++] = (SeriesMap){column, arena_str(&r->keep, twin), arena_str(&r->keep, property)};
    return ERR_OK;
}

// "COLUMN=[TWIN:]PATH". A twin's id may hold ':', a property path cannot: the last one counts.
static Err parse_map(Run *r, Str text) {
    Str column = str_cut(&text, '='), twin = r->o->twin;
    int32_t at;
    int64_t colon = -1;
    for (int64_t i = str_find(text, ':', 0); i >= 0; i = str_find(text, ':', i + 1)) colon = i;
    if (colon >= 0) {
        twin = str_sub(text, 0, colon);
        text = str_sub(text, colon + 1, text.n);
    }
    TRY(column_of(r, column, &at));
    return add_map(r, at, twin, text);
}

static Err read_header(Run *r) {
    const Replay *o = r->o;
    if (csv_reader_next(&r->csv, &r->row) != CSV_ROW) return tell(ERR_SYNTAX, "replay: the file has no header line");
    TRY(column_of(r, o->time.n ? o->time : STR("1"), &r->time_column));
    for (int32_t i = 0; i < o->maps.count; i++) TRY(parse_map(r, o->maps.items[i]));
    if (o->maps.count && !o->property.n && !o->value.n) return ERR_OK;
    int32_t column;
    TRY(column_of(r, o->value.n ? o->value : STR("2"), &column));
    return add_map(r, column, o->twin, o->property.n ? o->property : str_trim(r->row.fields[column]));
}

static Err parse_speed(Run *r) {
    Str s = r->o->speed;
    if (!s.n || str_eq(s, STR("max"))) {
        r->speed = s.n ? 0 : 1;
        return ERR_OK;
    }
    if (str_ends(s, STR("x"))) s.n--;
    if (str_to_f64(s, &r->speed) && r->speed > 0) return ERR_OK;
    return tell(ERR_ARGUMENT, "replay: --speed takes a factor such as 60, or max");
}

// Wait until the row at `time` is due. False: interrupted.
static bool wait_due(Run *r, int64_t time, Err *err) {
    *err = ERR_OK;
    if (r->speed <= 0) return true;
    int64_t due = r->first_mono + (int64_t)((double)(time - r->first_time) / r->speed);
    int64_t left = due - time_mono_ns();
    if (left < TICK_NS && time_mono_ns() - r->flushed < TICK_NS) return true;
    if ((*err = feeder_flush(&r->feeder)) != ERR_OK) return false;
    r->flushed = time_mono_ns();
    return left <= 0 || term_sleep(left);
}

static Err put_cell(Run *r, const SeriesMap *m, int64_t time) {
    Str cell = r->row.fields[m->column];
    if (!str_trim(cell).n) return ERR_OK; // an empty cell says nothing
    Buf line = {0};
    buf_str_put(&line, STR("{\"id\":"));
    json_put_str(&line, m->twin);
    buf_str_put(&line, STR(",\"property\":"));
    json_put_str(&line, m->property);
    buf_str_put(&line, STR(",\"value\":"));
    series_value(cell, r->o->text, &line);
    buf_str_put(&line, STR(",\"time\":\""));
    time_print(time, 9, &line);
    buf_str_put(&line, STR("\"}"));
    Err err = feeder_put(&r->feeder, buf_str(&line), r->row.line);
    buf_free(&line);
    return err;
}

static Err row_problem(const Run *r, const char *what) {
    return tell(ERR_SYNTAX, "%.*s:%lld: %s", STR_ARG(r->feeder.name), (long long)r->row.line, what);
}

// One more row: wait for its turn. CLOSED: interrupted.
static Err meet(Run *r, int64_t time) {
    Err err;
    if (!r->rows++) {
        r->first_time = time;
        r->first_mono = r->flushed = time_mono_ns();
        r->shift = r->o->restamp ? time_now_ns() - time : 0;
    }
    if (wait_due(r, time, &err)) return ERR_OK;
    return err != ERR_OK ? err : ERR_CLOSED;
}

static Err play_row(Run *r) {
    int64_t time;
    if (r->time_column >= r->row.count || !series_time(r->row.fields[r->time_column], &time)) {
        return row_problem(r, "the time column holds no time");
    }
    TRY(meet(r, time));
    for (int32_t i = 0; i < r->map_count; i++) {
        if (r->maps[i].column < r->row.count) TRY(put_cell(r, &r->maps[i], time + r->shift));
    }
    progress_at(&r->progress, r->row.line);
    return ERR_OK;
}

static int64_t lines_of(Str text) {
    int64_t n = 0;
    for (int64_t at = str_find(text, '\n', 0); at >= 0; at = str_find(text, '\n', at + 1)) n++;
    return n;
}

static Err play(Run *r, Str text) {
    CsvGot got;
    progress_begin(&r->progress, "rows", lines_of(text), r->o->quiet || r->o->common.json);
    while ((got = csv_reader_next(&r->csv, &r->row)) == CSV_ROW || got == CSV_RAGGED) {
        Err played = play_row(r);
        if (played == ERR_CLOSED && term_interrupted()) break; // what was played counts
        TRY(played);
    }
    r->row.line = r->csv.line;
    if (got == CSV_BAD) return row_problem(r, r->csv.why);
    Err err = feeder_flush(&r->feeder);
    progress_end(&r->progress);
    return err;
}

// ---- NDJSON: lines as /ingest takes them --------------------------------------------------------------------------

// The line with its time moved.
static void put_shifted(const Run *r, const IngestLine *in, Buf *out) {
    buf_str_put(out, STR("{\"id\":"));
    json_put_str(out, in->id);
    buf_str_put(out, STR(",\"property\":"));
    json_put_str(out, in->property);
    buf_printf(out, ",\"value\":%.*s,\"time\":\"", STR_ARG(in->value_text));
    time_print(in->time_ns + r->shift, 9, out);
    buf_str_put(out, STR("\"}"));
}

static Err play_line(Run *r, const JsonLine *text, Arena *arena) {
    IngestLine in;
    Diag d;
    diag_init(&d);
    Err err = ingest_line_parse(text->text, arena, &in, &d);
    r->row.line = text->line;
    if (err) err = row_problem(r, d.count ? arena_printf(arena, "%.*s", STR_ARG(d.messages[0].text)).p : err_text(err));
    diag_free(&d);
    TRY(err);
    if (!in.has_time) return row_problem(r, "the line holds no time");
    TRY(meet(r, in.time_ns));
    if (!r->shift) return feeder_put(&r->feeder, text->text, text->line);
    Buf line = {0};
    put_shifted(r, &in, &line);
    err = feeder_put(&r->feeder, buf_str(&line), text->line);
    buf_free(&line);
    return err;
}

static Err play_lines(Run *r, Str text) {
    JsonLines lines;
    JsonLine line;
    Arena arena;
    Err err = ERR_OK;
    arena_init(&arena, 0);
    progress_begin(&r->progress, "lines", lines_of(text), r->o->quiet || r->o->common.json);
    jsonl_init(&lines, text);
    while (err == ERR_OK && jsonl_next(&lines, &line)) {
        arena_reset(&arena);
        err = play_line(r, &line, &arena);
        progress_at(&r->progress, line.line);
    }
    if (err == ERR_CLOSED && term_interrupted()) err = ERR_OK; // what was played counts
    if (err == ERR_OK) err = feeder_flush(&r->feeder);
    progress_end(&r->progress);
    arena_free(&arena);
    return err;
}

// ---- a file -------------------------------------------------------------------------------------------------------

static Err play_csv(Run *r, Str text) {
    CsvOptions options = {.separator = r->o->separator.n ? r->o->separator.p[0] : csv_guess_separator(text)};
    csv_reader_init(&r->csv, &options);
    csv_reader_feed(&r->csv, text, true);
    Err err = read_header(r);
    if (err == ERR_OK) err = play(r, text);
    csv_reader_free(&r->csv);
    return err;
}

static Err replay_file(Run *r, Client *c, Str path, Str text) {
    int64_t start = time_mono_ns();
    bool lines = str_starts(str_trim(text), STR("{"));
    feeder_init(&r->feeder, c, str_eq(path, STR("-")) ? STR("stdin") : path, r->o->batch);
    r->feeder.stop_when_missing = true;
    Err err = lines ? play_lines(r, text) : play_csv(r, text);
    if (err == ERR_OK) err = feeder_report(&r->feeder, r->o->common.json, time_mono_ns() - start);
    feeder_free(&r->feeder);
    return err;
}

static Err run_past(Run *r, const Args *args) {
    const Replay *o = r->o;
    if (args->count) return tell(ERR_ARGUMENT, "replay: either a FILE or --from, not both");
    if (!o->from.n) return tell(ERR_ARGUMENT, "replay: say from when on, with --from");
    ReplayPast past = {.common = &o->common,
                       .from = o->from,
                       .to = o->to.n ? o->to : STR("now"),
                       .speed = r->speed,
                       .into = o->into,
                       .twin = o->twin};
    return replay_past(&past);
}

static Err run_file(Run *r, const Args *args) {
    Client c = {0};
    Buf text = {0};
    if (!args->count) {
        tell(ERR_ARGUMENT, "replay: which file? Or --from INSTANT for what the server remembers");
        return ERR_ARGUMENT;
    }
    Err err = read_file(args->items[0], FILE_SIZE_MAX, &text);
    if (err == ERR_OK) err = client_open(&c, &r->o->common);
    if (err == ERR_OK) err = replay_file(r, &c, args->items[0], buf_str(&text));
    client_close(&c);
    buf_free(&text);
    return err;
}

static Err run(void *fields, const Args *args) {
    static Run r; // one replay a process; too large for the stack
    r.o = fields;
    arena_init(&r.keep, 0);
    bool past = r.o->from.n || r.o->to.n || r.o->into.n;
    Err err = parse_speed(&r);
    if (err == ERR_OK) err = past ? run_past(&r, args) : run_file(&r, args);
    arena_free(&r.keep);
    return err;
}

const Command cmd_replay = {
    .name = "replay",
    .arguments = "[FILE]",
    .summary = "play a file of values, or a stretch of the past, at its own speed or faster",
    .about =
        "FILE is a CSV time series, or NDJSON as `sosia ingest` takes it (each line with a time).\n"
        "CSV: the first line names the columns. Times are RFC 3339, \"2014-04-01 00:00:00\" (UTC) or Unix times; they "
        "travel\n"
        "as the source time of each value. Numbers arrive exactly as written. Empty cells are left out.\n"
        "Without FILE: what the server remembers between --from and --to happens again, in its order and at its pace,\n"
        "as lines, as JSON messages (--json), or in another world (--into).",
    .examples = "  sosia replay values.ndjson --speed 60 --restamp\n"
                "  sosia replay pump.csv --twin pump-1 --property flow\n"
                "  sosia replay year.csv --twin oven-2 --property temperature --speed 3600\n"
                "  sosia replay --from -1h --speed 60\n"
                "  sosia replay --from 2026-11-01T08:00:00Z --to 2026-11-01T09:00:00Z --speed max --into what-if\n"
                "  sosia replay scada.csv --speed max --map P1=pump-1:flow --map T1=tank-1:level",
    .opts = opts,
    .size = sizeof(Replay),
    .client = true,
    .args_min = 0,
    .args_max = 1,
    .run = run,
};
