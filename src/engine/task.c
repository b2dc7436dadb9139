// SPDX-License-Identifier: Apache-2.0
// Tasks: from the caller's arguments to a queued write, and the waiting forms.
#include "engine/decide.h"
#include "engine/pasts.h"
#include "engine/points.h"
#include "engine/scenarios.h"
#include "engine/workers.h"
#include "base/check.h"
#include "base/mem.h"

#define MESSAGE_MAX 8192 // bytes of one message or details text

// ---- life of a command --------------------------------------------------------------------------------------------

Task *task_new(int op, SosiaDoneFn done, void *arg, int64_t room) {
    Task *c = mem_alloc(sizeof *c);
    c->op = op;
    c->done = done;
    c->arg = arg;
    int64_t block = 1024;
    while (block < room && block < (1 << 16)) block *= 2;
    arena_init(&c->arena, block);
    return c;
}

void task_free(Task *c) {
    if (c->fork) world_free(c->fork);
    if (c->base) world_free(c->base);
    if (c->realm) realm_unref(c->realm);
    if (c->under) realm_unref(c->under);
    scenario_unref(c->scenario);
    lines_free(c->lines);
    points_free(c->points);
    arena_free(&c->arena);
    buf_free(&c->out);
    buf_free(&c->items);
    mem_free(c);
}

Err task_queue(Sosia *e, Task *c, bool internal) {
    Inbox *in = &e->inbox;
    Err err = ERR_OK;
    pthread_mutex_lock(&in->lock);
    if (in->closing) err = ERR_CLOSED;
    else if (in->count >= e->queue_max && !internal) err = ERR_BUSY;
    else {
        if (in->last) in->last->next = c;
        else in->first = c;
        in->last = c;
        in->count++;
        if (in->first == c) pthread_cond_signal(&in->wake);
    }
    pthread_mutex_unlock(&in->lock);
    return err;
}

void task_fail(Task *c, Err err, const char *fmt, ...) {
    c->err = err;
    c->details = (Str){0};
    if (!fmt) {
        c->message = str_of(err_text(err));
        return;
    }
    Buf text = {.max = MESSAGE_MAX};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    c->message = arena_str(&c->arena, buf_str(&text));
    buf_free(&text);
}

// A plain name counts only in quotes: "expected integer" does not name a property n. Paths and ids of models cannot be
// there by accident.
static bool names_place(Str text, Str where) {
    Str rest = text;
    bool plain = str_find(where, '/', 0) < 0 && str_find(where, ':', 0) < 0;
    if (!plain) return str_find_str(text, where) >= 0;
    for (int64_t at; (at = str_find_str(rest, where)) >= 0; rest = str_sub(rest, at + 1, rest.n)) {
        bool opened = at > 0 && rest.p[at - 1] == '"';
        if (opened && at + where.n < rest.n && rest.p[at + where.n] == '"') return true;
    }
    return false;
}

void task_message_put(Buf *b, const DiagMessage *m) {
    if (m->where.n && !names_place(m->text, m->where)) buf_printf(b, "%.*s: ", STR_ARG(m->where));
    buf_str_put(b, m->text);
}

static void details_put(Task *c, const Diag *d) {
    Buf all = {0}, one = {0};
    buf_byte(&all, '[');
    for (int32_t i = 0; i < d->count && all.n < MESSAGE_MAX; i++) {
        const DiagMessage *m = &d->messages[i];
        buf_reset(&one);
        task_message_put(&one, m);
        buf_printf(&all, "%s{\"code\":\"%s\",\"message\":", i ? "," : "", err_wire(m->code));
        json_put_str(&all, buf_str(&one));
        buf_byte(&all, '}');
    }
    buf_byte(&all, ']');
    c->details = arena_str(&c->arena, buf_str(&all));
    buf_free(&one);
    buf_free(&all);
}

void task_fail_diag(Task *c, Err err, const Diag *d) {
    task_fail(c, err, NULL);
    if (!d || !d->count) return;
    Buf text = {0};
    bool all = err == ERR_MODEL || err == ERR_MODEL_EXISTS;
    if (err == ERR_MODEL) buf_printf(&text, "None of the models could be created. ");
    for (int32_t i = 0; i < (all ? d->count : 1) && text.n < MESSAGE_MAX; i++) {
        if (i) buf_str_put(&text, STR("; "));
        task_message_put(&text, &d->messages[i]);
    }
    c->message = arena_str(&c->arena, buf_str(&text));
    buf_free(&text);
    // As clients know it: the details of a twin or relationship that does not fit, the ids of models in the message.
    if (err == ERR_VALIDATION || (d->count > 1 && err != ERR_MODEL_EXISTS)) details_put(c, d);
}

static SosiaDone task_result(const Task *c) {
    SosiaDone d = {.err = (SosiaErr)c->err, .seq = c->seq};
    if (c->err) {
        d.message = c->message;
        d.details = c->details;
        return d;
    }
    d.body = buf_str(&c->out);
    d.etag = str_of(c->etag);
    d.created = c->created;
    return d;
}

// Documents of live may be others now: rules are among them.
static bool may_change_rules(int op) {
    return op == SOSIA_DEFINITION_PUT || op == SOSIA_DEFINITION_DELETE || op == SOSIA_IMPORT || op == OP_MERGE ||
           op == SOSIA_MODELS_ADD;
}

void task_finish(Sosia *e, Task *c) {
    atomic_fetch_add_explicit(&e->counters.commands, 1, memory_order_relaxed);
    if (c->err) atomic_fetch_add_explicit(&e->counters.failed, 1, memory_order_relaxed);
    if (may_change_rules(c->op) && !c->err) decider_poke(e->decider);
    SosiaDone result = task_result(c);
    bool keep = c->keep; // a waiter may free it as soon as its callback ran
    if (c->done) c->done(c->arg, &result);
    if (!keep) task_free(c);
}

// ---- waiting ------------------------------------------------------------------------------------------------------

// One call of a waiting form. lock guards ended.
typedef struct Waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool ended;
} Waiter;

static void waiter_end(void *arg, const SosiaDone *done) {
    (void)done;
    Waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

Err task_wait(Sosia *e, Task *c, bool internal) {
    CHECK(!engine_own_thread(e)); // it would wait for itself
    Waiter w = {.ended = false};
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.cond, NULL);
    c->keep = true;
    c->done = waiter_end;
    c->arg = &w;
    Err err = task_queue(e, c, internal);
    if (!err) {
        pthread_mutex_lock(&w.lock);
        while (!w.ended) pthread_cond_wait(&w.cond, &w.lock);
        pthread_mutex_unlock(&w.lock);
    }
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.cond);
    return err;
}

// ---- documents in -------------------------------------------------------------------------------------------------

static bool has_document(int op) {
    switch (op) {
    case SOSIA_MODELS_ADD:
    case SOSIA_MODEL_PATCH:
    case SOSIA_TWIN_PUT:
    case SOSIA_TWIN_PATCH:
    case SOSIA_COMPONENT_PATCH:
    case SOSIA_LINK_PUT:
    case SOSIA_LINK_PATCH:
    case SOSIA_DERIVED_PUT:
    case SOSIA_RETENTION_PUT:
    case SOSIA_DEFINITION_PUT:
    case SOSIA_TELEMETRY: return true;
    default: return false;
    }
}

void task_parse(Sosia *e, Task *c) {
    if (c->op == SOSIA_INGEST || c->op == SOSIA_INGEST_CSV) {
        if (c->op == SOSIA_INGEST) points_parse_lines(c);
        else points_parse_csv(c);
        points_resolve(e, c);
    } else if (c->op == SOSIA_IMPORT) {
        lines_parse(c);
    } else if (has_document(c->op)) {
        Diag d;
        diag_init(&d);
        Err err = json_parse(c->body, NULL, &c->arena, &c->json, &d);
        if (err) task_fail_diag(c, err, &d);
        diag_free(&d);
    }
}

static Task *task_of(const SosiaCaller *who, const SosiaWrite *w, SosiaDoneFn done, void *arg) {
    Task *c = task_new((int)w->op, done, arg, w->body.n * 4 + 512);
    Arena *a = &c->arena;
    Str source = w->source.n || !who ? w->source : who->principal;
    c->world = arena_str(a, w->world);
    c->id = arena_str(a, w->id);
    c->sub = arena_str(a, w->sub);
    c->if_match = arena_str(a, w->if_match);
    c->if_none_match = arena_str(a, w->if_none_match);
    c->message_id = arena_str(a, w->message_id);
    c->source = arena_str(a, source);
    c->body = arena_str(a, w->body);
    c->source_time = w->source_time_ns;
    c->no_times = w->no_times;
    return c;
}

Err inbox_look(Sosia *e) {
    pthread_mutex_lock(&e->inbox.lock);
    Err err = e->inbox.closing ? ERR_CLOSED : e->inbox.count >= e->queue_max ? ERR_BUSY : ERR_OK;
    pthread_mutex_unlock(&e->inbox.lock);
    return err;
}

static Err write_prepare(Sosia *e, const SosiaCaller *who, const SosiaWrite *w, Task **out) {
    if (w->body.n > BODY_MAX) return ERR_TOO_LARGE;
    if ((unsigned)w->op > SOSIA_IMPORT) return ERR_ARGUMENT;
    TRY(pasts_refuse(e, w->world));
    TRY(inbox_look(e));
    *out = task_of(who, w, NULL, NULL);
    return ERR_OK;
}

SosiaErr sosia_write(Sosia *s, const SosiaCaller *who, const SosiaWrite *w, SosiaDoneFn done, void *arg) {
    Task *c;
    Err err = write_prepare(s, who, w, &c);
    if (err) return (SosiaErr)err;
    c->done = done;
    c->arg = arg;
    bool stream = c->op == SOSIA_INGEST || c->op == SOSIA_INGEST_CSV;
    if (c->body.n > PARSE_INLINE_MAX || (stream && workers_behind(s->workers, c))) {
        err = workers_parse(s->workers, c);
    } else {
        task_parse(s, c);
        err = task_queue(s, c, false);
    }
    if (err) task_free(c);
    return (SosiaErr)err;
}

// Copy the texts of a result into `keep` and point the result at the copies.
static void result_keep(SosiaDone *d, SosiaBuf *keep) {
    Str *texts[] = {&d->message, &d->details, &d->body, &d->etag};
    int64_t n = 0;
    for (size_t i = 0; i < 4; i++) n += texts[i]->n;
    buf_reset(keep);
    if (!buf_reserve(keep, n)) return;
    for (size_t i = 0; i < 4; i++) {
        const char *at = keep->p ? keep->p + keep->n : ""; // nothing was ever reserved for nothing
        buf_str_put(keep, *texts[i]);
        texts[i]->p = at;
    }
}

// A result without a command: it was refused at the door.
static SosiaErr result_refused(Sosia *s, Str world, SosiaDone *d, SosiaBuf *keep, Err err) {
    Buf why = {0};
    pasts_why(s, world, err, &why);
    *d = (SosiaDone){.err = (SosiaErr)err, .message = buf_str(&why)};
    result_keep(d, keep);
    buf_free(&why);
    return (SosiaErr)err;
}

SosiaErr sosia_write_wait(Sosia *s, const SosiaCaller *who, const SosiaWrite *w, SosiaDone *done, SosiaBuf *keep) {
    Task *c;
    Err err = write_prepare(s, who, w, &c);
    if (err) return result_refused(s, w->world, done, keep, err);
    task_parse(s, c);
    err = task_wait(s, c, false);
    if (!err) {
        *done = task_result(c);
        result_keep(done, keep);
        err = c->err;
    } else {
        result_refused(s, w->world, done, keep, err);
    }
    task_free(c);
    return (SosiaErr)err;
}
