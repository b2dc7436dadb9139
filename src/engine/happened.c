// SPDX-License-Identifier: Apache-2.0
// What happened in a world: lives out of history's lanes of places and names, models out of the world's model log,
// decisions and their commands out of the closed loop's records.
//
// 1. Rows of a kind stand ascending by time, and only the newest limit + 1 of them are kept.
// 2. Of the rows of a kind within one second the first three stand by themselves; with the fourth they become one.
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/command_log.h"
#include "engine/decide.h"
#include "engine/engine.h"
#include "engine/expr_past.h"
#include "engine/pasts.h"
#include "engine/scenarios.h"
#include "world/forget.h"

#define SINGLE_MAX 3     // rows of one second that stand by themselves
#define LOOK_BATCHES 256 // between two looks at stop()

typedef enum RowKind { ROW_BORN, ROW_GONE, ROW_COMMAND, ROW_DECISION, ROW_MODEL, ROW_KINDS } RowKind; // ORDER ROW

typedef struct Row {
    int64_t time, count; // 0: one, that stands by itself
    uint64_t number;     // of a twin, of a decision
    int32_t table;       // of a twin's model; -1: of several, or not known
    int32_t flag;        // of a model: CHANGE_MODEL_REMOVE or _FLAG, with `on`
    bool on;
    Str text, more, name; // of born, gone: the twin; of a model: it; of decisions: twin, rule; name of a command
    int64_t status;
    const char *state;
} Row;

typedef struct Rows {
    Row *items;
    int64_t count, cap;
    bool dropped; // older ones were
} Rows;

typedef struct Happened {
    Sosia *engine;
    const SosiaHappened *ask;
    SosiaOut *out;
    Realm *realm;
    Arena keep;
    int64_t from, to;
    int64_t at; // the world's instant, of a past or of a fork's decisions: what came of them later is not told
    int64_t looks;
    bool stopped;
    Rows rows[ROW_KINDS];
} Happened;

static bool wanted(const Happened *x, RowKind kind) { return !x->ask->kinds || (x->ask->kinds >> kind & 1); }

// ---- rows ---------------------------------------------------------------------------------------------------------

static bool same_second(int64_t a, int64_t b) { return a / NS_PER_S == b / NS_PER_S; }

// Rows at the end that are of that second.
static int64_t of_second(const Rows *r, int64_t time) {
    int64_t n = 0;
    while (n < r->count && same_second(r->items[r->count - 1 - n].time, time)) n++;
    return n;
}

static void forget_old(const Happened *x, Rows *r) {
    int64_t keep = x->ask->limit + 1;
    if (r->count < 2 * keep + SINGLE_MAX) return;
    memmove(r->items, r->items + r->count - keep, (size_t)keep * sizeof *r->items);
    r->count = keep;
    r->dropped = true;
}

static bool same_model(const Row *a, const Row *b) {
    return a->table == b->table && str_eq(a->more, b->more) && a->flag == b->flag;
}

static void join(Rows *r, int64_t n, Row row) {
    Row *first = &r->items[r->count - n];
    bool same = true;
    for (int64_t i = 0; i < n; i++) same &= same_model(&first[i], &row);
    int64_t count = first->count ? first->count + 1 : n + 1;
    *first = (Row){.time = row.time, .count = count, .table = same ? row.table : -1};
    r->count -= n - 1;
}

// Texts of the row live in x->keep.
static void put_row(Happened *x, RowKind kind, Row row) {
    Rows *r = &x->rows[kind];
    bool joins = kind == ROW_BORN || kind == ROW_GONE || kind == ROW_MODEL;
    int64_t n = joins ? of_second(r, row.time) : 0;
    if (n && (r->items[r->count - 1].count || n >= SINGLE_MAX)) {
        join(r, n, row);
        return;
    }
    if (r->count == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->items = mem_grow(r->items, (size_t)r->cap * sizeof *r->items);
    }
    r->items[r->count++] = row;
    if (joins) forget_old(x, r);
}

// ---- lives --------------------------------------------------------------------------------------------------------

static bool is_place(const TrailPoint *p) { return trail_lane(p->vec, p->word) == LANE_PLACE; }

// The first table that a batch put a twin in. Places stand first, ascending by twin.
static int32_t table_of(const HistoryBatch *b, uint64_t twin) {
    int64_t lo = 0, hi = b->count;
    uint32_t table;
    uint64_t row;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        const TrailPoint *p = &b->points[mid];
        if (is_place(p) && p->row < twin) lo = mid + 1;
        else hi = mid;
    }
    bool there = lo < b->count && is_place(&b->points[lo]) && b->points[lo].row == twin;
    return there && trail_place(b->points[lo].bits, &table, &row) ? (int32_t)table : -1;
}

static void take_life(Happened *x, const HistoryBatch *b, const TrailPoint *p) {
    Row row = {.time = b->time, .number = p->row, .table = -1};
    if (is_place(p)) {
        if (!p->bits && wanted(x, ROW_GONE)) put_row(x, ROW_GONE, row);
        return;
    }
    if (!p->text.n || !wanted(x, ROW_BORN) || str_starts(p->text, STR(FORGET_NAME_HEAD))) return;
    row.table = table_of(b, p->row);
    const Rows *r = &x->rows[ROW_BORN];
    int64_t n = of_second(r, b->time);
    bool joins = n && (r->items[r->count - 1].count || n >= SINGLE_MAX);
    if (!joins) row.text = arena_str(&x->keep, p->text);
    put_row(x, ROW_BORN, row);
}

static bool take_batch(void *ctx, const HistoryBatch *b) {
    Happened *x = ctx;
    for (int64_t i = 0; i < b->count; i++) take_life(x, b, &b->points[i]);
    x->stopped = x->looks++ % LOOK_BATCHES == 0 && x->ask->stop && x->ask->stop(x->ask->stop_ctx);
    return !x->stopped;
}

// What they were called; those that were erased are nothing any more.
static Err name_the_gone(Happened *x, History *h) {
    Rows *r = &x->rows[ROW_GONE];
    int64_t first = r->count > x->ask->limit + 1 ? r->count - x->ask->limit - 1 : 0, n = first;
    r->dropped |= first > 0;
    for (int64_t i = first; i < r->count; i++) {
        Row *row = &r->items[i];
        if (!row->count) TRY(history_dead_name(h, row->number, &x->keep, &row->text));
        bool told = row->count || (row->text.n && !str_starts(row->text, STR(FORGET_NAME_HEAD)));
        if (told) r->items[n++] = *row;
    }
    r->count = n;
    return ERR_OK;
}

static Err lives(Happened *x) {
    History *h = realm_history(x->realm);
    if (!wanted(x, ROW_BORN) && !wanted(x, ROW_GONE)) return ERR_OK;
    history_wait(h, world_visible(x->realm->world));
    TRY(history_lives(h, x->from, x->to, take_batch, x));
    if (x->stopped) return ERR_CLOSED;
    return name_the_gone(x, h);
}

// ---- decisions ----------------------------------------------------------------------------------------------------

static void take_deed(void *ctx, const DeedNote *d) {
    Happened *x = ctx;
    Row row = {.time = d->at_ns, .number = d->id, .state = d->state};
    bool decided = wanted(x, ROW_DECISION) && d->at_ns >= x->from && d->at_ns < x->to;
    bool sent = wanted(x, ROW_COMMAND) && d->sent_ns >= x->from && d->sent_ns < x->to && d->sent_ns;
    if (!decided && !sent) return;
    row.text = arena_str(&x->keep, d->twin);
    row.more = arena_str(&x->keep, d->rule);
    if (decided) put_row(x, ROW_DECISION, row);
    row.time = d->sent_ns;
    if (sent) put_row(x, ROW_COMMAND, row);
}

static void take_line(void *ctx, const CommandLine *c) {
    Happened *x = ctx;
    if (c->time < x->from || c->time >= x->to) return;
    put_row(x, ROW_COMMAND,
            (Row){.time = c->time,
                  .status = c->status,
                  .text = arena_str(&x->keep, c->twin),
                  .name = arena_str(&x->keep, c->name),
                  .more = arena_str(&x->keep, c->by)});
}

static bool answered_by(const Json *command, int64_t at) {
    int64_t answered;
    Str text = json_text(command, STR("answered"));
    return at == INT64_MAX || (text.n && time_parse(text, &answered) && answered <= at);
}

// What was sent, as the record has it.
static void read_command(Happened *x, Row *row) {
    Buf json = {0};
    Json v;
    if (decider_show(x->engine, row->number, &json) == ERR_OK &&
        json_parse(arena_str(&x->keep, buf_str(&json)), NULL, &x->keep, &v, NULL) == ERR_OK) {
        const Json *c = json_get(&v, STR("command")), *status = c ? json_get(c, STR("status")) : NULL;
        if (c) row->name = json_text(c, STR("name"));
        if (c && json_text(c, STR("twin")).n) row->text = json_text(c, STR("twin"));
        if (status && status->type == JSON_INT && answered_by(c, x->at)) row->status = status->i;
    }
    buf_free(&json);
}

static int by_time(const void *a, const void *b) {
    const Row *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

// Only live's rules act: a fork has those of live up to where it was forked.
static Err decisions(Happened *x) {
    const Realm *of = x->realm->past.of ? x->realm->past.of : x->realm;
    const Scenario *s = of->scenario;
    int64_t to = x->to;
    while (s && s->up) s = s->up;
    if (s && s->clock < x->to) x->to = s->clock;
    if (s && s->clock < x->at) x->at = s->clock;
    if (wanted(x, ROW_DECISION) || wanted(x, ROW_COMMAND)) decider_list(x->engine, x->at, take_deed, x);
    Err err = wanted(x, ROW_COMMAND) ? command_log_scan(x->engine, take_line, x) : ERR_OK;
    x->to = to;
    for (RowKind k = ROW_COMMAND; k <= ROW_DECISION; k++) {
        Rows *r = &x->rows[k];
        if (r->count) qsort(r->items, (size_t)r->count, sizeof *r->items, by_time);
    }
    Rows *r = &x->rows[ROW_COMMAND];
    int64_t first = r->count > x->ask->limit + 1 ? r->count - x->ask->limit - 1 : 0;
    for (int64_t i = first; i < r->count; i++)
        if (r->items[i].number) read_command(x, &r->items[i]);
    return err;
}

// ---- models -------------------------------------------------------------------------------------------------------

static void take_added(Happened *x, int64_t time, Str doc) {
    Json v;
    if (json_parse(arena_str(&x->keep, doc), NULL, &x->keep, &v, NULL) != ERR_OK || v.type != JSON_ARRAY) return;
    for (int32_t i = 0; i < v.count; i++)
        put_row(x, ROW_MODEL, (Row){.time = time, .table = -1, .more = json_text(&v.items[i], STR("@id"))});
}

static void take_model(Happened *x, const ModelView *m) {
    if (m->kind == CHANGE_MODELS_ADD) {
        take_added(x, m->time, text_str(&m->doc));
    } else if (m->kind == CHANGE_MODEL_REMOVE || m->kind == CHANGE_MODEL_FLAG) {
        Str id = arena_str(&x->keep, text_str(&m->id));
        put_row(x, ROW_MODEL, (Row){.time = m->time, .table = -1, .flag = m->kind, .on = m->flag != 0, .more = id});
    }
}

// The log is ascending by time.
static void models(Happened *x, View *v) {
    int64_t n = view_model_rows(v), first = n;
    x->rows[ROW_MODEL].count = 0;
    x->rows[ROW_MODEL].dropped = false;
    while (first > 0 && !v->overrun && view_model(v, first - 1).time >= x->from) first--;
    for (int64_t i = first; i < n && !v->overrun; i++) {
        ModelView m = view_model(v, i);
        if (m.time < x->to) take_model(x, &m);
    }
}

// ---- telling ------------------------------------------------------------------------------------------------------

static void put_text(Buf *out, const char *key, Str text) {
    buf_printf(out, ",\"%s\":", key);
    if (text.n) json_put_str(out, text);
    else buf_str_put(out, STR("null"));
}

static Str model_of(const View *v, const Row *r) {
    bool known = r->table >= 0 && r->table < v->catalog->table_count && v->catalog->tables[r->table].model;
    return known ? v->catalog->tables[r->table].model->id : (Str){0};
}

static void put_one(const View *v, RowKind kind, const Row *r, Buf *out) {
    switch (kind) {
    case ROW_BORN:
        put_text(out, "twin", r->text);
        put_text(out, "model", model_of(v, r));
        break;
    case ROW_GONE: put_text(out, "twin", r->text); break;
    case ROW_MODEL:
        put_text(out, "model", r->more);
        if (r->flag == CHANGE_MODEL_REMOVE) buf_str_put(out, STR(",\"removed\":true"));
        if (r->flag == CHANGE_MODEL_FLAG) buf_printf(out, ",\"decommissioned\":%s", r->on ? "true" : "false");
        break;
    case ROW_DECISION:
        buf_printf(out, ",\"id\":%llu", (unsigned long long)r->number);
        put_text(out, "twin", r->text);
        put_text(out, "rule", r->more);
        put_text(out, "state", str_of(r->state));
        break;
    default:
        put_text(out, "twin", r->text);
        put_text(out, "name", r->name);
        put_text(out, "by", r->more);
        if (r->number) buf_printf(out, ",\"decision\":%llu", (unsigned long long)r->number);
        buf_str_put(out, STR(",\"status\":"));
        if (r->status) buf_printf(out, "%lld", (long long)r->status);
        else buf_str_put(out, STR("null"));
        break;
    }
}

static void put_any(const View *v, RowKind kind, const Row *r, Buf *out) {
    static const char *const names[ROW_KINDS] = {"born", "gone", "command", "decision", "model"}; // ORDER ROW
    buf_str_put(out, STR("{\"time\":\""));
    time_print(r->time, 7, out);
    buf_printf(out, "\",\"kind\":\"%s\"", names[kind]);
    if (r->count) {
        buf_printf(out, ",\"count\":%lld", (long long)r->count);
        put_text(out, "model", model_of(v, r));
    } else put_one(v, kind, r, out);
    buf_byte(out, '}');
}

// The kind whose newest row, of those that are left, is the newest of all; ROW_KINDS: none is left.
static RowKind newest(const Happened *x, const int64_t left[ROW_KINDS]) {
    RowKind best = ROW_KINDS;
    for (RowKind k = 0; k < ROW_KINDS; k++) {
        if (!left[k]) continue;
        if (best == ROW_KINDS || x->rows[k].items[left[k] - 1].time > x->rows[best].items[left[best] - 1].time)
            best = k;
    }
    return best;
}

static Err tell_view(View *v, void *ctx) {
    Happened *x = ctx;
    Buf *out = &x->out->body;
    int64_t left[ROW_KINDS], told = 0;
    bool more = false;
    if (wanted(x, ROW_MODEL)) models(x, v);
    for (RowKind k = 0; k < ROW_KINDS; k++) {
        left[k] = x->rows[k].count;
        more |= x->rows[k].dropped;
    }
    buf_reset(out);
    buf_str_put(out, STR("{\"value\":["));
    for (RowKind k; (k = newest(x, left)) != ROW_KINDS && told < x->ask->limit; told++) {
        if (told) buf_byte(out, ',');
        put_any(v, k, &x->rows[k].items[--left[k]], out);
    }
    for (RowKind k = 0; k < ROW_KINDS; k++) more |= left[k] > 0;
    buf_printf(out, "],\"more\":%s}", more ? "true" : "false");
    return out->full ? ERR_LIMIT : ERR_OK;
}

// ---- the call -----------------------------------------------------------------------------------------------------

static Err look(Happened *x, const SosiaCaller *who) {
    int64_t at = 0;
    TRY(realm_get(x->engine, x->ask->world, &x->realm, &at));
    x->from = x->ask->from_ns > 0 ? x->ask->from_ns : 0;
    x->to = x->ask->to_ns ? x->ask->to_ns : INT64_MAX;
    x->at = x->realm->past.is ? at : INT64_MAX;
    if (x->realm->past.is && at < x->to) x->to = at + 1; // what is not later is of it
    TRY(lives(x));
    TRY(decisions(x));
    return engine_read_realm(x->realm, who, tell_view, x, &x->out->seq);
}

static Err check(const Happened *x) {
    if (x->ask->limit < 1 || x->ask->limit > SOSIA_HAPPENED_LIMIT_MAX) {
        buf_printf(&x->out->message, "limit must be from 1 to %d", SOSIA_HAPPENED_LIMIT_MAX);
        return ERR_ARGUMENT;
    }
    if (x->engine->history) return ERR_OK;
    buf_printf(&x->out->message, "this engine keeps no history: it has no file, or was told so");
    return ERR_UNSUPPORTED;
}

SosiaErr sosia_happened(Sosia *s, const SosiaCaller *who, const SosiaHappened *ask, SosiaOut *out) {
    SosiaHappened mine = *ask;
    Happened x = {.engine = s, .ask = &mine, .out = out};
    if (!mine.limit) mine.limit = SOSIA_HAPPENED_LIMIT;
    buf_reset(&out->body);
    buf_reset(&out->message);
    out->etag[0] = out->token[0] = 0;
    arena_init(&x.keep, 0);
    Err err = check(&x);
    if (!err) err = look(&x, who);
    if (x.realm) realm_unref(x.realm);
    for (RowKind k = 0; k < ROW_KINDS; k++) mem_free(x.rows[k].items);
    arena_free(&x.keep);
    if (!err) return SOSIA_OK;
    if (!out->message.n) pasts_why(s, mine.world, err, &out->message);
    buf_reset(&out->body);
    return (SosiaErr)err;
}
