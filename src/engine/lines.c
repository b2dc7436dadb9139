// SPDX-License-Identifier: Apache-2.0
// INGEST and IMPORT: bodies of many lines. The caller's thread takes the lines apart; the writer applies them in
// batches of at most LINES_PER_BATCH lines and as much as the ring has room for. A bad line is reported and skipped.
//
// Invariant: when an edit fails and has left something in the open batch, or the ring is full, the lines before it are
// kept (once more, when a rollback was needed) and the line begins the next batch; alone there, its error is its own.
#include "engine/engine.h"
#include "base/check.h"
#include "base/mem.h"
#include "codec/ingest_line.h"
#include "codec/jsonl.h"

typedef struct Line {
    int64_t number;
    Err err; // already known to be bad; reported when its turn comes
    Str message;
    Str id, property; // INGEST
    Str value;        // INGEST: JSON text
    int64_t time;
    ImportSection section; // IMPORT
    Json entity;
} Line;

typedef struct LineError {
    int64_t line;
    Err err;
    Str message;
} LineError;

struct Lines {
    Line *items;
    int64_t count, cap;
    // result
    int64_t accepted, rejected;
    int64_t by_section[IMPORT_LINKS + 1];
    LineError errors[LINE_ERRORS_MAX];
    int64_t error_count;
};

// ---- taking lines apart: the caller's thread ----------------------------------------------------------------------

static Line *line_add(Lines *l, int64_t number) {
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->items = mem_grow(l->items, (size_t)l->cap * sizeof *l->items);
    }
    Line *x = &l->items[l->count++];
    *x = (Line){.number = number};
    return x;
}

static void line_bad(Line *x, Arena *a, Err err, const Diag *d) {
    x->err = err;
    x->message = str_of(err_text(err));
    if (!d || !d->count) return;
    Buf text = {0};
    task_message_put(&text, &d->messages[0]);
    x->message = arena_str(a, buf_str(&text));
    buf_free(&text);
}

// "/thermostat/setPoint" means "thermostat.setPoint".
static Str property_path(Str s, Arena *a) {
    if (s.n < 2 || s.p[0] != '/') return s;
    Str path = arena_str(a, str_sub(s, 1, s.n));
    char *p = (char *)(uintptr_t)path.p; // the arena's copy is ours
    for (int64_t i = 0; i < path.n; i++)
        if (p[i] == '/') p[i] = '.';
    return path;
}

static void ingest_line(Task *c, const JsonLine *text) {
    Line *x = line_add(c->lines, text->line);
    Diag d;
    diag_init(&d);
    IngestLine in;
    Err err = ingest_line_parse(text->text, &c->arena, &in, &d);
    if (err) line_bad(x, &c->arena, err, &d);
    else {
        x->id = in.id;
        x->property = property_path(in.property, &c->arena);
        x->value = in.value_text;
        x->time = in.has_time ? in.time_ns : 0;
    }
    diag_free(&d);
}

static bool section_of(Str name, ImportSection *out) {
    static const struct {
        const char *name;
        ImportSection section;
    } all[] = {
        {"Header", IMPORT_HEADER}, {"Models", IMPORT_MODELS}, {"Twins", IMPORT_TWINS}, {"Relationships", IMPORT_LINKS}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!str_eq_nocase(name, str_of(all[i].name))) continue;
        *out = all[i].section;
        return true;
    }
    return false;
}

// *section: the one the lines belong to now, < 0 before the first.
static void import_line(Task *c, const JsonLine *text, int *section) {
    Json v;
    Diag d;
    diag_init(&d);
    Err err = json_parse(text->text, NULL, &c->arena, &v, &d);
    if (!err && v.type != JSON_OBJECT) err = diag_add(&d, ERR_ARGUMENT, -1, -1, (Str){0}, "a line must hold an object");
    const Json *name = err ? NULL : json_get(&v, STR("Section"));
    ImportSection next;
    if (name && v.count == 1 && name->type == JSON_STRING) {
        if (section_of(name->s, &next)) *section = (int)next;
        else err = diag_add(&d, ERR_ARGUMENT, -1, -1, (Str){0}, "there is no section \"%.*s\"", STR_ARG(name->s));
        if (!err) goto out;
    } else if (!err && *section < 0) {
        err = diag_add(&d, ERR_ARGUMENT, -1, -1, (Str){0}, "a line {\"Section\":\"Header\"} must come first");
    }
    Line *x = line_add(c->lines, text->line);
    if (err) line_bad(x, &c->arena, err, &d);
    else {
        x->section = (ImportSection)*section;
        x->entity = v;
    }
out:
    diag_free(&d);
}

void lines_parse(Task *c) {
    Lines *l = c->lines = mem_alloc(sizeof *l);
    JsonLines in;
    JsonLine text;
    int section = -1;
    jsonl_init(&in, c->body);
    while (jsonl_next(&in, &text)) {
        if (c->op == SOSIA_INGEST) ingest_line(c, &text);
        else import_line(c, &text, &section);
    }
}

void lines_free(Lines *l) {
    if (!l) return;
    mem_free(l->items);
    mem_free(l);
}

// ---- the result ---------------------------------------------------------------------------------------------------

static void reject(Task *c, const Line *x, Err err, Str message) {
    Lines *l = c->lines;
    l->rejected++;
    if (l->error_count == LINE_ERRORS_MAX) return;
    l->errors[l->error_count++] = (LineError){x->number, err, arena_str(&c->arena, message)};
}

static void reject_message(Task *c, const Line *x, Err err, const DiagMessage *m) {
    Buf text = {0};
    task_message_put(&text, m);
    reject(c, x, err, buf_str(&text));
    buf_free(&text);
}

static void reject_diag(Task *c, const Line *x, Err err, const Diag *d) {
    if (d->count) reject_message(c, x, err, &d->messages[0]);
    else reject(c, x, err, str_of(err_text(err)));
}

static void result_put(Task *c) {
    const Lines *l = c->lines;
    Buf *b = &c->out;
    buf_printf(b, "{\"accepted\":%lld,\"rejected\":%lld", (long long)l->accepted, (long long)l->rejected);
    if (c->op == SOSIA_IMPORT)
        buf_printf(b, ",\"models\":%lld,\"twins\":%lld,\"relationships\":%lld", (long long)l->by_section[IMPORT_MODELS],
                   (long long)l->by_section[IMPORT_TWINS], (long long)l->by_section[IMPORT_LINKS]);
    buf_printf(b, ",\"errors\":[");
    for (int64_t i = 0; i < l->error_count; i++) {
        const LineError *e = &l->errors[i];
        buf_printf(b, "%s{\"line\":%lld,\"code\":\"%s\",\"message\":", i ? "," : "", (long long)e->line,
                   err_wire(e->err));
        json_put_str(b, e->message);
        buf_byte(b, '}');
    }
    buf_printf(b, "]}");
}

// ---- applying: the writer -----------------------------------------------------------------------------------------

typedef struct Run {
    Sosia *e;
    Realm *r;
    Task *c;
    Lines *l;
    Arena scratch; // of one batch
    TwinId *twins; // INGEST: of the lines [from, to)
    int64_t from, to;
    Diag d;
} Run;

// Look the names of lines [from, to) up, one look for lines in a row of the same twin.
static void find_twins(Run *x) {
    int64_t n = x->to - x->from, m = 0;
    Str *names = NEW(&x->scratch, Str, n);
    TwinId *found = NEW(&x->scratch, TwinId, n);
    int32_t *which = NEW(&x->scratch, int32_t, n);
    for (int64_t i = 0; i < n; i++) {
        Str id = x->l->items[x->from + i].id;
        if (!m || !str_eq(names[m - 1], id)) names[m++] = id;
        which[i] = (int32_t)(m - 1);
    }
    View v = view_writer(x->r->world);
    view_find_twins(&v, names, m, found);
    x->twins = NEW(&x->scratch, TwinId, n);
    for (int64_t i = 0; i < n; i++) x->twins[i] = found[which[i]];
}

static Err apply_line(Run *x, int64_t k) {
    const Line *line = &x->l->items[k];
    World *w = x->r->world;
    if (x->c->op == SOSIA_IMPORT) return edit_import(w, line->section, &line->entity, &x->d);
    TwinId id = x->twins[k - x->from];
    if (!id.v)
        return diag_add(&x->d, ERR_TWIN_NOT_FOUND, -1, -1, (Str){0}, "there is no twin \"%.*s\"", STR_ARG(line->id));
    return edit_value(w, id, line->property, line->value, line->time, &x->scratch, &x->d);
}

static int64_t batch_count(const Run *x) {
    int64_t n;
    world_batch(x->r->world, &n);
    return n;
}

// Apply lines from..to; returns the line that must begin the next batch. *dirty: the open batch must be rolled back and
// the lines before that one applied again.
static int64_t apply_lines(Run *x, bool *dirty) {
    *dirty = false;
    for (int64_t k = x->from; k < x->to; k++) {
        const Line *line = &x->l->items[k];
        if (line->err) {
            reject(x->c, line, line->err, line->message);
            continue;
        }
        int64_t before = batch_count(x);
        diag_free(&x->d);
        diag_init(&x->d);
        Err err = apply_line(x, k);
        if (!err) {
            bool counts = x->c->op == SOSIA_INGEST || line->section != IMPORT_HEADER; // the header is no entity
            x->l->accepted += counts;
            x->l->by_section[line->section]++;
            continue;
        }
        bool left = batch_count(x) != before; // something of the failed edit
        if (left || err == ERR_LIMIT) {
            *dirty = left && before > 0;
            if (before > 0) return k;
            if (left) {
                world_rollback(x->r->world);
                batch_begin(x->e, x->r);
            }
            reject_diag(x->c, line, err, &x->d);
            return k + 1; // with a ring that is free again
        }
        reject_diag(x->c, line, err, &x->d);
    }
    return x->to;
}

// What lines_run counts, to go back to when a batch is rolled back.
typedef struct Tally {
    int64_t accepted, rejected, error_count, by_section[IMPORT_LINKS + 1];
} Tally;

static Tally tally(const Lines *l) {
    Tally t = {.accepted = l->accepted, .rejected = l->rejected, .error_count = l->error_count};
    memcpy(t.by_section, l->by_section, sizeof t.by_section);
    return t;
}

static void tally_back(Lines *l, const Tally *t) {
    l->accepted = t->accepted;
    l->rejected = t->rejected;
    l->error_count = t->error_count;
    memcpy(l->by_section, t->by_section, sizeof t->by_section);
}

// One batch of lines [from, to) or fewer; returns where the next begins, the batch is left open. -1: a commit failed.
static int64_t apply_batch(Run *x) {
    Tally before = tally(x->l);
    bool dirty;
    for (;;) {
        arena_reset(&x->scratch);
        if (x->c->op == SOSIA_INGEST) find_twins(x);
        batch_begin(x->e, x->r);
        int64_t next = apply_lines(x, &dirty);
        if (!dirty) return next;
        world_rollback(x->r->world);
        tally_back(x->l, &before);
        x->to = next;
        if (!batch_room(x->e, x->r)) return -1;
    }
}

// ---- models: together, because they may refer to each other in any order ------------------------------------------

// Lines named by the complaints leave the group with them. Returns how many left.
static int64_t drop_named(Run *x, Line **group, int64_t *count, Err err) {
    int64_t left = 0;
    for (int64_t i = 0; i < *count; i++) {
        const Json *id = json_get(&group[i]->entity, STR("@id"));
        const DiagMessage *m = NULL;
        for (int32_t k = 0; k < x->d.count && !m; k++)
            if (id && id->type == JSON_STRING && str_eq(x->d.messages[k].where, id->s)) m = &x->d.messages[k];
        if (m) reject_message(x->c, group[i], m->code ? m->code : err, m);
        else group[left++] = group[i];
    }
    int64_t gone = *count - left;
    *count = left;
    return gone;
}

static Err add_models(Run *x, Line **group, int64_t count) {
    Json docs = {.type = JSON_ARRAY, .count = (int32_t)count};
    docs.items = NEW(&x->scratch, Json, count);
    for (int64_t i = 0; i < count; i++) docs.items[i] = group[i]->entity;
    diag_free(&x->d);
    diag_init(&x->d);
    batch_begin(x->e, x->r);
    return edit_models_add(x->r->world, &docs, &x->d);
}

// The models of lines [from, to). Leaves one batch open.
static void import_models(Run *x) {
    arena_reset(&x->scratch);
    Line **group = NEW(&x->scratch, Line *, x->to - x->from);
    int64_t count = 0;
    for (int64_t i = x->from; i < x->to; i++) {
        Line *line = &x->l->items[i];
        if (line->err) reject(x->c, line, line->err, line->message);
        else group[count++] = line;
    }
    while (count > 0) {
        Err err = add_models(x, group, count);
        if (!err) break;
        world_rollback(x->r->world);
        if (drop_named(x, group, &count, err)) continue;
        for (int64_t i = 0; i < count; i++) reject_diag(x->c, group[i], err, &x->d);
        count = 0;
    }
    if (!count) batch_begin(x->e, x->r);
    x->l->accepted += count;
    x->l->by_section[IMPORT_MODELS] += count;
}

// The models' lines from `from` on.
static int64_t models_end(const Lines *l, int64_t from) {
    int64_t i = from;
    while (i < l->count && (l->items[i].err || l->items[i].section == IMPORT_MODELS)) i++;
    return i;
}

// ---- all batches --------------------------------------------------------------------------------------------------

// The next batch; returns the line behind it, or -1.
static int64_t next_batch(Run *x) {
    const Lines *l = x->l;
    if (x->c->op == SOSIA_IMPORT && l->items[x->from].section == IMPORT_MODELS && !l->items[x->from].err) {
        x->to = models_end(l, x->from);
        import_models(x);
        return x->to;
    }
    x->to = x->from + LINES_PER_BATCH < l->count ? x->from + LINES_PER_BATCH : l->count;
    for (int64_t i = x->from; i < x->to && x->c->op == SOSIA_IMPORT; i++)
        if (!l->items[i].err && l->items[i].section == IMPORT_MODELS) x->to = i;
    return apply_batch(x);
}

static void lines_stopped(Run *x) {
    Err err = x->e->fail_err;
    task_fail(x->c, err, "%s; the lines from %lld on, and some before, were not applied", err_text(err),
              (long long)x->l->items[x->from].number);
    task_finish(x->e, x->c);
}

static void run_batches(Run *x) {
    Lines *l = x->l;
    for (int64_t next;; x->from = next) {
        bool room = !x->from || batch_room(x->e, x->r);
        next = room ? next_batch(x) : -1;
        if (next < 0) {
            lines_stopped(x);
            return;
        }
        bool last = next == l->count;
        if (last) result_put(x->c);
        batch_end(x->e, x->r, x->c->source, last ? x->c : NULL);
        if (last) return; // the task may be gone
    }
}

void lines_run(Sosia *e, Realm *r, Task *c) {
    Run x = {.e = e, .r = r, .c = c, .l = c->lines};
    arena_init(&x.scratch, 0);
    diag_init(&x.d);
    if (x.l->count) {
        run_batches(&x);
    } else {
        result_put(c);
        batch_after(e, r, c);
    }
    diag_free(&x.d);
    arena_free(&x.scratch);
}
