// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include "base/time.h"
#include "cli/feed.h"
#include "cli/term.h"

#define READ_BYTES (1 << 16)
#define LINE_BYTES (1 << 20) // the longest line
#define LINGER_MS 20         // a quiet input sends what it has

typedef struct Ingest {
    Common common;
    int64_t batch;
    int64_t errors;
    bool csv;
} Ingest;

static const Opt opts[] = {
    OPT_RANGE(Ingest, batch, "batch", "N", "lines of one request (1000)", 1, 100000),
    OPT_RANGE(Ingest, errors, "errors", "N", "tell at most N refused lines (10)", 1, 1000000),
    OPT(Ingest, csv, OPT_FLAG, 0, "csv", NULL, "the input is CSV (a file named *.csv is taken as such)"),
    OPT_END,
};

typedef struct Lines {
    int fd;
    bool csv;
    Buf rest;     // bytes of a line that is not complete
    int64_t line; // lines seen
} Lines;

// A quoted field may hold line breaks: a record is over where the quotes are even.
static Err put_csv(Feeder *f, Lines *l, Str line) {
    for (int64_t i = 0; i < line.n; i++) f->open ^= line.p[i] == '"';
    if (f->head.n) return line.n || f->open ? feeder_put(f, line, l->line) : ERR_OK;
    if (f->open) return tell(ERR_SYNTAX, "%.*s: the header has a line break in it", STR_ARG(f->name));
    buf_str_put(&f->head, line);
    buf_byte(&f->head, '\n');
    return ERR_OK;
}

static Err put_line(Feeder *f, Lines *l, Str line) {
    l->line++;
    if (l->csv) return put_csv(f, l, str_ends(line, STR("\r")) ? str_sub(line, 0, line.n - 1) : line);
    line = str_trim(line);
    return line.n ? feeder_put(f, line, l->line) : ERR_OK;
}

// Split what was read; the incomplete end waits for more.
static Err put_bytes(Feeder *f, Lines *l, Str bytes) {
    for (int64_t cut; (cut = str_find(bytes, '\n', 0)) >= 0; bytes = str_sub(bytes, cut + 1, bytes.n)) {
        Str line = str_sub(bytes, 0, cut);
        if (l->rest.n) {
            buf_str_put(&l->rest, line);
            line = buf_str(&l->rest);
        }
        TRY(put_line(f, l, line));
        buf_reset(&l->rest);
    }
    buf_str_put(&l->rest, bytes);
    if (l->rest.n <= LINE_BYTES) return ERR_OK;
    return tell(ERR_LIMIT, "line %lld is longer than %d bytes", (long long)l->line + 1, LINE_BYTES);
}

// Read to the end; a pause in the input sends the batch so far, so that a live pipe is never kept waiting.
static Err pump(Feeder *f, Lines *l) {
    char bytes[READ_BYTES];
    for (;;) {
        struct pollfd p = {.fd = l->fd, .events = POLLIN};
        int ready = poll(&p, 1, LINGER_MS);
        if (ready == 0) TRY(feeder_flush(f));
        if (term_interrupted()) return feeder_flush(f);
        if (ready <= 0) continue;
        ssize_t n = read(l->fd, bytes, sizeof bytes);
        if (n < 0 && errno != EINTR && errno != EAGAIN) return tell(ERR_IO, "cannot read %.*s", STR_ARG(f->name));
        if (n > 0) TRY(put_bytes(f, l, (Str){bytes, n}));
        if (n != 0) continue;
        if (l->rest.n) TRY(put_line(f, l, buf_str(&l->rest)));
        f->open = false; // the server tells what is wrong with half a record
        return feeder_flush(f);
    }
}

static Err ingest_file(Client *c, Str path, bool csv, Feeder *f) {
    Lines l = {.fd = STDIN_FILENO, .csv = csv || str_ends(path, STR(".csv"))};
    f->type = l.csv ? "text/csv" : NULL;
    f->open = false;
    buf_reset(&f->head);
    f->name = str_eq(path, STR("-")) ? STR("stdin") : path;
    if (!str_eq(path, STR("-"))) l.fd = open(arena_str(&c->keep, path).p, O_RDONLY | O_CLOEXEC);
    if (l.fd < 0) return tell(ERR_IO, "cannot open %.*s: %s", STR_ARG(path), strerrordesc_np(errno));
    Err err = pump(f, &l);
    if (l.fd != STDIN_FILENO) close(l.fd);
    buf_free(&l.rest);
    return err;
}

static Err run(void *fields, const Args *args) {
    const Ingest *o = fields;
    Client c;
    Feeder f;
    int64_t start = time_mono_ns();
    Err err = client_open(&c, &o->common);
    feeder_init(&f, &c, STR("stdin"), o->batch);
    if (o->errors) f.errors_max = o->errors;
    if (err == ERR_OK && !args->count) err = ingest_file(&c, STR("-"), o->csv, &f);
    for (int32_t i = 0; i < args->count && err == ERR_OK; i++) err = ingest_file(&c, args->items[i], o->csv, &f);
    if (err == ERR_OK) err = feeder_report(&f, o->common.json, time_mono_ns() - start);
    feeder_free(&f);
    client_close(&c);
    return err;
}

const Command cmd_ingest = {
    .name = "ingest",
    .arguments = "[FILE...]",
    .summary = "feed values from NDJSON or CSV",
    .about =
        "A line is {\"id\":TWIN,\"property\":PATH,\"value\":VALUE,\"time\":RFC3339}; time may be left out. Without "
        "FILE, or\n"
        "with \"-\", lines come from standard input and are sent as soon as it pauses. Bad lines are told with their\n"
        "number, good ones are applied. CSV has a header: id,property,value and perhaps time, or id, perhaps time, "
        "and\n"
        "a column for each property; an empty cell says nothing.",
    .examples = "  sosia ingest values.ndjson\n"
                "  sosia ingest meters.csv\n"
                "  echo '{\"id\":\"pump-1\",\"property\":\"flow\",\"value\":41.5}' | sosia ingest\n"
                "  my-gateway | sosia ingest --batch 200",
    .opts = opts,
    .size = sizeof(Ingest),
    .client = true,
    .args_max = STR_LIST_MAX,
    .run = run,
};
