// SPDX-License-Identifier: Apache-2.0
#include "cli/past.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <sosia/sosia.h>
#include "base/mem.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/term.h"
#include "codec/json.h"

#define CHECKPOINT_NS NS_PER_S // often, so that no long journal of it stays in the file
#define DRAW_NS (100 * NS_PER_MS)

typedef struct Living {
    const PastSource *from;
    FILE *in;
    Sosia *engine;
    _Atomic int64_t now; // the engine's clock
    int64_t drawn_ns;
    bool draws;
    Buf body; // of the frame at hand
} Living;

static int64_t clock_of(void *ctx) { return atomic_load(&((Living *)ctx)->now); }

// ---- frames -------------------------------------------------------------------------------------------------------

bool past_head(Str line, PastHead *out) {
    *out = (PastHead){.what = str_cut(&line, ' ')};
    Str bytes = str_cut(&line, ' ');
    if (str_find(out->what, '/', 0) >= 0) {
        Str name = out->what;
        out->what = str_cut(&name, '/');
        out->name = name;
        if (!name.n) return false;
    }
    return out->what.n && str_to_i64(bytes, &out->bytes) && out->bytes >= 0 && out->bytes <= PAST_BODY_MAX &&
           str_to_i64(line, &out->time_ns) && out->time_ns > 0;
}

static Err broken(const Living *l) {
    if (term_interrupted()) return ERR_CLOSED;
    if (ferror(l->in)) return tell(ERR_IO, "demo: the site cannot be read: %s", strerrordesc_np(errno));
    if (feof(l->in)) return tell(ERR_SYNTAX, "demo: the site ended before it had told its past");
    return tell(ERR_SYNTAX, "demo: what the site told is no past");
}

// The next frame into `head` (its texts in `line`) and l->body.
static Err next_frame(Living *l, char *line, int size, PastHead *head) {
    if (!fgets(line, size, l->in)) return broken(l);
    int64_t n = (int64_t)strlen(line);
    if (line[n - 1] != '\n' || !past_head((Str){line, n - 1}, head)) return broken(l);
    buf_reset(&l->body);
    if (!buf_reserve(&l->body, head->bytes + 1)) return ERR_LIMIT;
    if (fread(l->body.p, 1, (size_t)head->bytes + 1, l->in) != (size_t)head->bytes + 1) return broken(l);
    if (l->body.p[head->bytes] != '\n') return broken(l);
    l->body.n = head->bytes;
    return term_interrupted() ? ERR_CLOSED : ERR_OK;
}

// ---- living -------------------------------------------------------------------------------------------------------

static SosiaWrite write_of(const Living *l, const PastHead *h) {
    SosiaWrite w = {.body = buf_str(&l->body), .id = h->name, .sub = h->what};
    if (str_eq(h->what, STR("values"))) w.op = SOSIA_INGEST;
    else if (str_eq(h->what, STR("import"))) w.op = SOSIA_IMPORT;
    else if (str_eq(h->what, STR("models"))) w.op = SOSIA_MODELS_ADD;
    else if (str_eq(h->what, STR("derived"))) w.op = SOSIA_DERIVED_PUT;
    else w.op = SOSIA_DEFINITION_PUT; // which refuses what is no collection
    return w;
}

// Lines that were refused: our own pack has none.
static bool some_rejected(Str answer) {
    Arena keep;
    Json doc;
    arena_init(&keep, 4096);
    const Json *n = json_parse(answer, NULL, &keep, &doc, NULL) ? NULL : json_get(&doc, STR("rejected"));
    bool some = n && n->type == JSON_INT && n->i > 0;
    arena_free(&keep);
    return some;
}

static Err live_frame(Living *l, const PastHead *h) {
    SosiaWrite w = write_of(l, h);
    SosiaDone done;
    SosiaBuf keep = {0};
    if (h->time_ns > atomic_load(&l->now)) atomic_store(&l->now, h->time_ns);
    Err err = (Err)sosia_write_wait(l->engine, NULL, &w, &done, &keep);
    bool streams = w.op == SOSIA_INGEST || w.op == SOSIA_IMPORT;
    Str why = err ? done.message : streams && some_rejected(done.body) ? done.body : (Str){0};
    if (!err && why.n) err = ERR_VALIDATION;
    if (err) tell(err, "demo: the past: %.*s: %.*s", STR_ARG(h->what), STR_ARG(why));
    sosia_buf_free(&keep);
    return err;
}

static void draw(Living *l, int64_t at_ns) {
    int64_t now = time_mono_ns();
    if (!l->draws || now - l->drawn_ns < DRAW_NS) return;
    Buf b = {0};
    past_progress(at_ns - l->from->begin_ns, l->from->length_ns, &b);
    if (term_write(STDERR_FILENO, STR("\r\033[K")) == ERR_OK && term_write(STDERR_FILENO, buf_str(&b)) == ERR_OK)
        l->drawn_ns = now;
    buf_free(&b);
}

static void put_hours(int64_t ns, Buf *out) {
    int64_t minutes = ns / (60 * NS_PER_S), hours = minutes / 60;
    if (hours) buf_printf(out, "%lld h%s", (long long)hours, minutes % 60 ? " " : "");
    if (minutes % 60 || !hours) buf_printf(out, "%lld min", (long long)(minutes % 60));
}

void past_progress(int64_t lived_ns, int64_t length_ns, Buf *out) {
    bool hours = length_ns >= 2 * 3600 * NS_PER_S && length_ns % (3600 * NS_PER_S) == 0;
    buf_str_put(out, STR("Living the last "));
    if (hours) buf_printf(out, "%lld hours", (long long)(length_ns / (3600 * NS_PER_S)));
    else put_hours(length_ns, out);
    buf_str_put(out, STR(" … "));
    put_hours(lived_ns < 0 ? 0 : lived_ns, out);
}

static Err live_all(Living *l) {
    char line[512];
    PastHead head;
    for (;;) {
        TRY(next_frame(l, line, sizeof line, &head));
        if (str_eq(head.what, STR("end"))) return ERR_OK;
        TRY(live_frame(l, &head));
        draw(l, head.time_ns);
    }
}

static Err live_into(const char *path, const PastSource *from) {
    Living l = {.from = from, .in = fdopen(from->in, "r"), .draws = term_is_tty(STDERR_FILENO)};
    Buf why = {0};
    if (!l.in) close(from->in);
    if (!l.in) return tell(ERR_IO, "demo: the site cannot be read: %s", strerrordesc_np(errno));
    atomic_store(&l.now, from->begin_ns);
    SosiaOpen open = {.path = str_of(path),
                      .now = clock_of,
                      .now_ctx = &l,
                      .future_ns = -1,
                      .checkpoint_interval_ns = CHECKPOINT_NS,
                      .journal_bytes_max = -1};
    Err err = (Err)sosia_open(&open, &l.engine, &why);
    if (err) tell(err, "demo: %.*s", STR_ARG(why.n ? buf_str(&why) : str_of(err_text(err))));
    else {
        err = live_all(&l);
        sosia_close(l.engine);
    }
    if (l.drawn_ns && term_write(STDERR_FILENO, STR("\r\033[K")) != ERR_OK) l.draws = false;
    fclose(l.in);
    buf_free(&l.body);
    buf_free(&why);
    return err;
}

// ---- the file -----------------------------------------------------------------------------------------------------

static void remove_all(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        Buf name = {0};
        buf_printf(&name, "%s%s", path, ends[i]);
        buf_byte(&name, 0);
        unlink(name.p);
        buf_free(&name);
    }
}

// Take away what a process left that was ended in the midst; not what one is at. The engine holds the same lock.
static Err tidy(const char *path) {
    Buf name = {0};
    buf_printf(&name, "%s.lock", path);
    buf_byte(&name, 0);
    int fd = open(name.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    Err err = ERR_OK;
    if (fd < 0) err = tell(ERR_IO, "demo: %s: %s", name.p, strerrordesc_np(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0) err = tell(ERR_BUSY, "demo: another one is making this file: %s", path);
    if (!err) {
        remove_all(path);
        unlink(name.p);
    }
    if (fd >= 0) close(fd);
    buf_free(&name);
    return err;
}

Err past_live(Str path, const PastSource *from) {
    Buf part = {0}, whole = {0};
    buf_printf(&part, "%.*s" PAST_SUFFIX, STR_ARG(path));
    buf_printf(&whole, "%.*s", STR_ARG(path));
    buf_byte(&part, 0);
    buf_byte(&whole, 0);
    Err err = tidy(part.p);
    bool ours = err == ERR_OK;
    if (ours) err = live_into(part.p, from);
    else close(from->in);
    if (!err && access(whole.p, F_OK) == 0) err = tell(ERR_BUSY, "demo: somebody else made %s meanwhile", whole.p);
    if (!err && rename(part.p, whole.p) != 0) err = tell(ERR_IO, "demo: %s: %s", whole.p, strerrordesc_np(errno));
    if (err && ours) remove_all(part.p);
    buf_free(&part);
    buf_free(&whole);
    return err;
}
