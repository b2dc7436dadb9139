// SPDX-License-Identifier: Apache-2.0
// IMPORT: bodies of many lines. The caller's thread takes the lines apart; the writer applies them in
// batches of at most LINES_PER_BATCH lines and as much as the ring has room for. A bad line is reported and skipped.
#include <stdio.h>
#include "base/mem.h"
#include "codec/jsonl.h"
#include "engine/batches.h"
#include "engine/derive.h"

_Static_assert(REPORT_KINDS == IMPORT_LINKS + 1, "kinds of a report are the sections");

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
    Report report; // kinds: by section
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
    if (err) {
        x->err = err;
        x->message = report_message(&c->arena, err, &d);
    } else {
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
                     (long long)l->report.kinds[IMPORT_MODELS], (long long)l->report.kinds[IMPORT_TWINS],
                     (long long)l->report.kinds[IMPORT_LINKS]);
    report_put(&l->report, (Str){more, n}, &c->out);
}

// ---- applying: the writer -----------------------------------------------------------------------------------------

static void reject_known(Batches *x, const Line *line) {
    report_reject(x->report, &x->c->arena, line->number, line->err, line->message);
}

// BatchKind.apply
static int64_t apply_lines(Batches *x, bool *dirty) {
    for (int64_t k = x->from; k < x->to; k++) {
        const Line *line = &x->c->lines->items[k];
        if (line->err) {
            reject_known(x, line);
            continue;
        }
        int64_t before = batches_changes(x);
        batches_diag(x);
        Err err = edit_import(x->r->world, line->section, &line->entity, &x->d);
        if (!err) {
            x->report->accepted += line->section != IMPORT_HEADER; // the header is no entity
            x->report->kinds[line->section]++;
            continue;
        }
        if (!batches_refuse(x, k, before, err, dirty)) return k;
        if (err == ERR_LIMIT) return k + 1; // with a ring that is free again
    }
    return x->to;
}

// ---- models: together, because they may refer to each other in any order ------------------------------------------

// Lines named by the complaints leave the group with them. Returns how many left.
static int64_t drop_named(Batches *x, Line **group, int64_t *count, Err err) {
    int64_t left = 0;
    for (int64_t i = 0; i < *count; i++) {
        const Json *id = json_get(&group[i]->entity, STR("@id"));
        const DiagMessage *m = NULL;
        for (int32_t k = 0; k < x->d.count && !m; k++)
            if (id && id->type == JSON_STRING && str_eq(x->d.messages[k].where, id->s)) m = &x->d.messages[k];
        if (m) report_reject_message(x->report, &x->c->arena, group[i]->number, m->code ? m->code : err, m);
        else group[left++] = group[i];
    }
    int64_t gone = *count - left;
    *count = left;
    return gone;
}

static Err add_models(Batches *x, Line **group, int64_t count) {
    Json docs = {.type = JSON_ARRAY, .count = (int32_t)count};
    docs.items = NEW(&x->scratch, Json, count);
    for (int64_t i = 0; i < count; i++) docs.items[i] = group[i]->entity;
    batches_diag(x);
    batch_begin(x->e, x->r);
    return edit_models_add(x->r->world, &docs, &x->d);
}

// The models of lines [from, to). Leaves one batch open.
static void import_models(Batches *x) {
    arena_reset(&x->scratch);
    Line **group = NEW(&x->scratch, Line *, x->to - x->from);
    int64_t count = 0;
    for (int64_t i = x->from; i < x->to; i++) {
        Line *line = &x->c->lines->items[i];
        if (line->err) reject_known(x, line);
        else group[count++] = line;
    }
    while (count > 0) {
        Err err = add_models(x, group, count);
        if (!err) err = derive_settle(x->e, x->r, &x->d);
        if (!err) break;
        world_rollback(x->r->world);
        if (drop_named(x, group, &count, err)) continue;
        for (int64_t i = 0; i < count; i++) batches_reject(x, group[i] - x->c->lines->items, err);
        count = 0;
    }
    if (!count) batch_begin(x->e, x->r);
    x->report->accepted += count;
    x->report->kinds[IMPORT_MODELS] += count;
}

// The models' lines from `from` on.
static int64_t models_end(const Lines *l, int64_t from) {
    int64_t i = from;
    while (i < l->count && (l->items[i].err || l->items[i].section == IMPORT_MODELS)) i++;
    return i;
}

// ---- all batches --------------------------------------------------------------------------------------------------

// BatchKind.next
static int64_t next_batch(Batches *x) {
    const Lines *l = x->c->lines;
    if (l->items[x->from].section == IMPORT_MODELS && !l->items[x->from].err) {
        x->to = models_end(l, x->from);
        import_models(x);
        return x->to;
    }
    x->to = x->from + LINES_PER_BATCH < l->count ? x->from + LINES_PER_BATCH : l->count;
    for (int64_t i = x->from; i < x->to; i++)
        if (!l->items[i].err && l->items[i].section == IMPORT_MODELS) x->to = i;
    return batches_apply(x);
}

static int64_t number_of(const Batches *x, int64_t k) { return x->c->lines->items[k].number; }

void lines_run(Sosia *e, Realm *r, Task *c) {
    static const BatchKind kind = {next_batch, apply_lines, number_of, result_put};
    batches_run(&kind, e, r, c, &c->lines->report, c->lines->count);
}
