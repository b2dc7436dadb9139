// SPDX-License-Identifier: Apache-2.0
// What is there at first: a question over the twins that the filter names, page by page of one instant, told as changes
// of that sequence. Its pages come on threads of the engine; one is asked for when the one before was sent.
#include <pthread.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "serve/changes.h"

#define PAGE_ROWS_MAX 1000
#define SNAPSHOT_NAMES_MAX 1000 // twins or models of one filter

struct Snapshot {
    pthread_mutex_t lock; // over what follows; between the I/O thread and the engine's
    HttpStream *stream;   // NULL: nobody to wake
    bool arrived;
    SosiaErr err;
    Buf page;
    char token[96];
    uint64_t seq;
    atomic_int refs; // the subscription's and that of a question under way
    // the I/O thread's
    Sosia *engine;
    Str world, text;
    SosiaCaller who;
    Arena keep;
    bool asking, ended, told;
};

static void unref(Snapshot *s) {
    if (atomic_fetch_sub(&s->refs, 1) != 1) return;
    pthread_mutex_destroy(&s->lock);
    buf_free(&s->page);
    arena_free(&s->keep);
    mem_free(s);
}

// ---- the question -------------------------------------------------------------------------------------------------

static void put_text(Buf *out, Str s) {
    buf_byte(out, '\'');
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') buf_byte(out, '\\');
        buf_byte(out, s.p[i]);
    }
    buf_byte(out, '\'');
}

static void put_and(Buf *out, bool *first) {
    buf_str_put(out, *first ? STR(" WHERE ") : STR(" AND "));
    *first = false;
}

static void put_question(const Filter *f, Buf *out) {
    bool first = true;
    buf_str_put(out, STR("SELECT * FROM DIGITALTWINS"));
    if (f->twin_count > 0) {
        put_and(out, &first);
        buf_str_put(out, STR("$dtId IN ["));
        for (int32_t i = 0; i < f->twin_count; i++) {
            if (i > 0) buf_byte(out, ',');
            put_text(out, f->twins[i]);
        }
        buf_byte(out, ']');
    }
    if (f->model_count > 0) {
        put_and(out, &first);
        for (int32_t i = 0; i < f->model_count; i++) {
            buf_str_put(out, i > 0 ? STR(" OR IS_OF_MODEL(") : STR("(IS_OF_MODEL("));
            put_text(out, f->models[i]);
            buf_byte(out, ')');
        }
        buf_byte(out, ')');
    }
    if (f->where.n > 0) {
        put_and(out, &first);
        buf_byte(out, '(');
        buf_str_put(out, f->where);
        buf_byte(out, ')');
    }
}

static void on_page(void *arg, SosiaErr err, SosiaAnswer *answer) {
    Snapshot *s = arg;
    pthread_mutex_lock(&s->lock);
    s->arrived = true;
    s->err = err;
    if (err == SOSIA_OK) {
        s->page = answer->body;
        answer->body = (Buf){0};
        memcpy(s->token, answer->token, sizeof s->token);
        s->seq = answer->seq;
    }
    if (s->stream) http_stream_wake(s->stream);
    pthread_mutex_unlock(&s->lock);
    unref(s);
}

static void ask(Snapshot *s) {
    char token[96]; // the answer may come before the call returns
    memcpy(token, s->token, sizeof token);
    SosiaQuery q = {.world = s->world, .text = s->text, .token = str_of(token), .limit = PAGE_ROWS_MAX};
    atomic_fetch_add(&s->refs, 1);
    s->asking = true;
    SosiaErr err = sosia_query_start(s->engine, &s->who, &q, on_page, s);
    if (err == SOSIA_OK) return;
    SosiaAnswer none = {0};
    on_page(s, err, &none);
}

Snapshot *snapshot_begin(Call *c, const Filter *f) {
    if (f->twin_count > SNAPSHOT_NAMES_MAX || f->model_count > SNAPSHOT_NAMES_MAX) {
        call_failf(c, ERR_LIMIT, "snapshot=true takes at most %d twins and models.", SNAPSHOT_NAMES_MAX);
        return NULL;
    }
    Snapshot *s = mem_alloc(sizeof *s);
    Buf text = {0};
    pthread_mutex_init(&s->lock, NULL);
    arena_init(&s->keep, 1024);
    atomic_store(&s->refs, 1);
    put_question(f, &text);
    s->engine = c->server->engine;
    s->text = arena_str(&s->keep, buf_str(&text));
    s->world = arena_str(&s->keep, c->world);
    s->who = (SosiaCaller){arena_str(&s->keep, c->who.principal), arena_str(&s->keep, c->who.purpose)};
    buf_free(&text);
    ask(s);
    return s;
}

void snapshot_wake(Snapshot *s, HttpStream *stream) {
    pthread_mutex_lock(&s->lock);
    s->stream = stream;
    if (s->arrived) http_stream_wake(stream);
    pthread_mutex_unlock(&s->lock);
}

bool snapshot_done(const Snapshot *s, uint64_t *seq) {
    if (s->ended) *seq = s->seq;
    return s->ended;
}

void snapshot_end(Snapshot *s) {
    pthread_mutex_lock(&s->lock);
    s->stream = NULL;
    bool waiting = s->asking && !s->arrived;
    pthread_mutex_unlock(&s->lock);
    if (waiting) sosia_query_cancel(s->engine, on_page, s);
    unref(s);
}

// ---- twins as changes ---------------------------------------------------------------------------------------------

typedef struct Telling {
    Subscription *sub;
    const Kin *kin;
    Str twin, model;
    uint64_t seq;
    Buf value, path;
} Telling;

static void tell(Telling *t, const SosiaChange *ch) {
    Subscription *s = t->sub;
    if (!filter_wants(&s->filter, ch, t->kin)) return;
    if (s->message.open && message_full(&s->message, &s->out)) message_end(&s->message, &s->out, s->socket, true);
    if (!s->message.open) {
        message_begin(&s->message, &s->out, s->socket, &(Head){.seq = t->seq, .prev = s->last, .snapshot = true});
        s->last = t->seq;
    }
    message_next(&s->message, &s->out);
    change_put(&s->out, ch);
}

static void tell_value(Telling *t, const Json *value, const Json *meta) {
    SosiaChange ch = {.what = SOSIA_EV_SET, .twin = t->twin, .model = t->model, .path = buf_str(&t->path)};
    const Json *time = json_get(meta, STR("sourceTime"));
    if (time && time->type == JSON_STRING && !time_parse(time->s, &ch.source_time_ns)) ch.source_time_ns = 0;
    buf_reset(&t->value);
    json_put(&t->value, value);
    ch.value = (SosiaValue){.kind = SOSIA_JSON, .s = buf_str(&t->value)};
    tell(t, &ch);
}

// The properties of a twin or of a component of it, whose path stands in t->path.
static void tell_members(Telling *t, const Json *object, int32_t depth) {
    const Json *meta = json_get(object, STR("$metadata"));
    int64_t prefix = t->path.n;
    for (int32_t i = 0; i < object->count; i++) {
        const JsonMember *m = &object->members[i];
        if (str_starts(m->key, STR("$"))) continue;
        if (prefix > 0) buf_byte(&t->path, '.');
        buf_str_put(&t->path, m->key);
        bool component = depth == 0 && json_get(&m->value, STR("$metadata")) != NULL;
        if (component) tell_members(t, &m->value, depth + 1);
        else tell_value(t, &m->value, json_get(meta, m->key));
        t->path.n = prefix;
    }
}

static void tell_twin(Telling *t, const Json *twin) {
    const Json *id = json_get(twin, STR("$dtId")), *model = json_get(json_get(twin, STR("$metadata")), STR("$model"));
    if (!id || id->type != JSON_STRING || !model || model->type != JSON_STRING) return;
    t->twin = id->s;
    t->model = model->s;
    t->kin = t->sub->filter.model_count > 0 ? fan_kin(t->sub->fan, t->model) : NULL;
    tell(t, &(SosiaChange){.what = SOSIA_EV_TWIN_PUT, .twin = id->s, .other = model->s, .model = model->s});
    tell_members(t, twin, 0);
}

static bool tell_page(Subscription *sub, Str page, uint64_t seq) {
    Arena scratch;
    Json rows;
    arena_init(&scratch, 0);
    bool ok = json_parse(page, NULL, &scratch, &rows, NULL) == ERR_OK && rows.type == JSON_ARRAY;
    Telling t = {.sub = sub, .seq = seq};
    for (int32_t i = 0; ok && i < rows.count; i++) tell_twin(&t, &rows.items[i]);
    buf_free(&t.value);
    buf_free(&t.path);
    arena_free(&scratch);
    return ok;
}

// ---- steps --------------------------------------------------------------------------------------------------------

// The last message says that it is whole: it has no "more".
static void end_message(Snapshot *s, Subscription *sub) {
    bool last = !s->token[0];
    if (last && !sub->message.open) {
        message_begin(&sub->message, &sub->out, sub->socket,
                      &(Head){.seq = s->seq, .prev = sub->last, .snapshot = true});
        sub->last = s->seq;
    }
    if (sub->message.open) message_end(&sub->message, &sub->out, sub->socket, !last);
}

bool snapshot_step(Snapshot *s, Subscription *sub, const char **why) {
    pthread_mutex_lock(&s->lock);
    bool arrived = s->arrived;
    pthread_mutex_unlock(&s->lock);
    if (s->ended || !arrived) return true;
    s->arrived = s->asking = false; // nobody else looks until the next question
    Buf page = s->page;
    s->page = (Buf){0};
    bool ok = s->err == SOSIA_OK && tell_page(sub, buf_str(&page), s->seq);
    buf_free(&page);
    if (!ok) {
        *why = s->err == SOSIA_BUSY ? "the snapshot could not be made now: too many questions wait"
                                    : "the snapshot could not be made";
        return false;
    }
    end_message(s, sub);
    if (s->token[0]) ask(s);
    else s->ended = true;
    return true;
}
