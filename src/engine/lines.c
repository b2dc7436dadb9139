// SPDX-License-Identifier: Apache-2.0
// IMPORT: bodies of many lines. The caller's thread takes the lines apart; the writer applies them in
// batches of at most LINES_PER_BATCH lines and as much as the ring has room for. A bad line is reported and skipped.
//
// Invariant: when an edit fails and has left something in the open batch, or the ring is full, the lines before it are
// kept (once more, when a rollback was needed) and the line begins the next batch; alone there, its error is its own.
#include <stdio.h>
#include "base/mem.h"
#include "codec/jsonl.h"
#include "engine/derive.h"
#include "engine/report.h"

typedef struct Line {
    int64_t number;
    Err err; // already known to be bad; reported when its turn comes
    Str message;
    ImportSection section;
    Json entity;
} Line;

struct Lines {
    Line *items;
    int64_t count, cap;
    Report report;
    int64_t by_section[IMPORT_LINKS + 1]; // accepted
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
    while (jsonl_next(&in, &text)) import_line(c, &text, &section);
}

void lines_free(Lines *l) {
    if (!l) return;
    mem_free(l->items);
    mem_free(l);
}

static void result_put(Task *c) {
    const Lines *l = c->lines;
    char more[120];
    int n = snprintf(more, sizeof more, ",\"models\":%lld,\"twins\":%lld,\"relationships\":%lld",
                     (long long)l->by_section[IMPORT_MODELS], (long long)l->by_section[IMPORT_TWINS],
                     (long long)l->by_section[IMPORT_LINKS]);
    report_put(&l->report, (Str){more, n}, &c->out);
}

// ---- applying: the writer -----------------------------------------------------------------------------------------

typedef struct Run {
    Sosia *e;
    Realm *r;
    Task *c;
    Lines *l;
    Arena scratch; // of one batch
    int64_t from, to;
    Diag d;
} Run;

static void reject(Run *x, const Line *line, Err err) {
    report_reject_diag(&x->l->report, &x->c->arena, line->number, err, &x->d);
}

static void reject_known(Run *x, const Line *line) {
    report_reject(&x->l->report, &x->c->arena, line->number, line->err, line->message);
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
            reject_known(x, line);
            continue;
        }
        int64_t before = batch_count(x);
        diag_free(&x->d);
        diag_init(&x->d);
        Err err = edit_import(x->r->world, line->section, &line->entity, &x->d);
        if (!err) {
            x->l->report.accepted += line->section != IMPORT_HEADER; // the header is no entity
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
            reject(x, line, err);
            return k + 1; // with a ring that is free again
        }
        reject(x, line, err);
    }
    return x->to;
}

// Derived values of the open batch. False: with lines up to *next it is too large; half of them may do.
static bool settle(Run *x, int64_t *next) {
    diag_free(&x->d);
    diag_init(&x->d);
    if (derive_settle(x->e, x->r, &x->d) == ERR_OK) return true;
    *next = x->from + (*next - x->from) / 2;
    return false;
}

// One batch of lines [from, to) or fewer; returns where the next begins, the batch is left open. -1: a commit failed.
static int64_t apply_batch(Run *x) {
    Tally before = report_tally(&x->l->report);
    int64_t sections[IMPORT_LINKS + 1];
    memcpy(sections, x->l->by_section, sizeof sections);
    bool dirty;
    for (;;) {
        arena_reset(&x->scratch);
        batch_begin(x->e, x->r);
        if (x->from == x->to) { // a line that was alone and too large with what follows from it
            reject(x, &x->l->items[x->to], ERR_LIMIT);
            return x->to + 1;
        }
        int64_t next = apply_lines(x, &dirty);
        if (!dirty && settle(x, &next)) return next;
        world_rollback(x->r->world);
        report_back(&x->l->report, &before);
        memcpy(x->l->by_section, sections, sizeof sections);
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
        if (m) report_reject_message(&x->l->report, &x->c->arena, group[i]->number, m->code ? m->code : err, m);
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
        if (line->err) reject_known(x, line);
        else group[count++] = line;
    }
    while (count > 0) {
        Err err = add_models(x, group, count);
        if (!err) err = derive_settle(x->e, x->r, &x->d);
        if (!err) break;
        world_rollback(x->r->world);
        if (drop_named(x, group, &count, err)) continue;
        for (int64_t i = 0; i < count; i++) reject(x, group[i], err);
        count = 0;
    }
    if (!count) batch_begin(x->e, x->r);
    x->l->report.accepted += count;
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
    if (l->items[x->from].section == IMPORT_MODELS && !l->items[x->from].err) {
        x->to = models_end(l, x->from);
        import_models(x);
        return x->to;
    }
    x->to = x->from + LINES_PER_BATCH < l->count ? x->from + LINES_PER_BATCH : l->count;
    for (int64_t i = x->from; i < x->to; i++)
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
