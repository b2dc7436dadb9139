// SPDX-License-Identifier: Apache-2.0
#include "engine/erase_inner.h"
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include "base/check.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/command_log.h"
#include "engine/decide.h"
#include "engine/ensemble.h"
#include "engine/pasts.h"
#include "engine/scenario_keep.h"
#include "engine/scenarios.h"
#include "engine/places.h"
#include "engine/replay.h"
#include "engine/run.h"
#include "store/scrub.h"
#include "world/forget.h"
#include "world/past.h"

#define LOOK_NS (50 * NS_PER_MS) // between looks whether the engine closes
#define RETIRED_NS NS_PER_S      // readers are waited for, once nothing leads to what was erased

// ---- asking -------------------------------------------------------------------------------------------------------

static Job *job_new(Str twin, Str property, Str by, int64_t asked_ns) {
    Job *j = mem_alloc(sizeof *j);
    arena_init(&j->arena, 0);
    j->state = JOB_ASKED;
    j->twin = arena_str(&j->arena, twin);
    j->property = arena_str(&j->arena, property);
    j->whole = !property.n;
    j->by = arena_str(&j->arena, by);
    j->asked_ns = asked_ns;
    return j;
}

// The store may still look at what is known of them.
static void forks_drop(Job *j) {
    for (int64_t i = 0; i < j->fork_count; i++) {
        if (j->forks[i].realm) realm_unref(j->forks[i].realm);
        j->forks[i].realm = NULL;
    }
}

void erase_job_free(Job *j) {
    forks_drop(j);
    for (int64_t i = 0; i < j->fork_count; i++) mem_free(j->forks[i].columns.items);
    mem_free(j->forks);
    mem_free(j->twins);
    mem_free(j->spans);
    mem_free(j->links);
    mem_free(j->columns.items);
    mem_free(j->everywhere.items);
    arena_free(&j->arena);
    mem_free(j);
}

static void job_append(Eraser *x, Job *j) {
    Job **at = &x->first;
    while (*at) at = &(*at)->next;
    *at = j;
    j->next = NULL;
    j->eraser = x;
    x->count++;
    pthread_cond_broadcast(&x->more);
}

// BUSY: too many wait. CLOSED.
static Err job_push(Eraser *x, Job *j) {
    pthread_mutex_lock(&x->lock);
    Err err = x->stop ? ERR_CLOSED : x->count >= ERASES_MAX ? ERR_BUSY : ERR_OK;
    if (!err) job_append(x, j);
    pthread_mutex_unlock(&x->lock);
    return err;
}

void erase_time_put(Buf *out, const char *name, int64_t ns) {
    buf_printf(out, ",\"%s\":\"", name);
    time_print(ns, 7, out);
    buf_byte(out, '"');
}

// It names nothing.
static void receipt_put(const Job *j, Buf *out) {
    buf_printf(out, "{\"id\":\"%s\"", j->id);
    erase_time_put(out, "asked", j->asked_ns);
    erase_time_put(out, "completed", j->done_ns);
    buf_printf(out, ",\"subject\":\"%s\",\"kind\":\"%s\"", j->subject, j->whole ? "twin" : "property");
    buf_printf(out, ",\"twins\":%lld,\"sequence\":%llu,\"values\":%lld,\"relationships\":%lld",
               (long long)j->twin_count, (unsigned long long)j->seq, (long long)j->points, (long long)j->link_count);
    buf_printf(out, ",\"journalRows\":%lld,\"zeroedBytes\":%lld}", (long long)j->rows, (long long)j->zeroed);
}

// Who waits is told, once.
static void job_tell(Job *j) {
    SosiaDone d = {.err = (SosiaErr)j->err, .seq = j->seq};
    if (j->err) d.message = j->why.n ? j->why : str_of(err_text(j->err));
    else d.body = j->receipt;
    if (j->done) j->done(j->arg, &d);
    j->done = NULL;
}

// By time, and not to be guessed: it salts the subject.
static void id_make(Job *j) {
    uint64_t salt = 0;
    Buf b = {0};
    while (getrandom(&salt, sizeof salt, 0) != sizeof salt) CHECK(errno == EINTR);
    snprintf(j->id, sizeof j->id, "%016llx%016llx", (unsigned long long)j->asked_ns, (unsigned long long)salt);
    buf_printf(&b, "sosia.erasure\n%s\n%.*s\n%.*s\n", j->id, STR_ARG(j->twin), STR_ARG(j->property));
    sha256_hex(buf_str(&b), j->subject);
    buf_free(&b);
}

static void twin_add(Job *j, uint64_t twin) {
    for (int64_t i = 0; i < j->twin_count; i++)
        if (j->twins[i] == twin) return;
    j->twins = mem_grow(j->twins, (size_t)(j->twin_count + 1) * sizeof *j->twins);
    j->twins[j->twin_count++] = twin;
}

SosiaErr sosia_erase(Sosia *s, const SosiaCaller *who, SosiaStr twin, SosiaStr property, SosiaDoneFn done, void *arg) {
    if (!s->eraser) return SOSIA_UNSUPPORTED;
    if (!twin.n) return SOSIA_ARGUMENT;
    Job *j = job_new(twin, property, who ? who->principal : (Str){0}, s->now(s->now_ctx));
    id_make(j);
    j->done = done;
    j->arg = arg;
    Err err = job_push(s->eraser, j);
    if (err) erase_job_free(j);
    return (SosiaErr)err;
}

// ---- what is kept of it -------------------------------------------------------------------------------------------
// The value of an item: state, time it was asked for, sequence and time of the batch after which it is gone, subject;
// then what is meant (names, who asked, numbers of the twins, FORK_MARK | number with sequence and time for each fork
// that had it), or, when that is to be forgotten, counts.

#define FORK_MARK ((uint64_t)1 << 63)

static void text_put(Buf *out, Str s) {
    buf_varint(out, (uint64_t)s.n);
    buf_str_put(out, s);
}

static Str text_take(Cut *c) {
    int64_t n = (int64_t)cut_varint(c);
    return cut_bytes(c, n);
}

static void job_encode(const Job *j, Buf *out) {
    buf_varint(out, (uint64_t)j->state);
    buf_u64(out, (uint64_t)j->asked_ns);
    buf_u64(out, j->seq);
    buf_u64(out, (uint64_t)j->time);
    text_put(out, str_of(j->subject));
    if (j->state == JOB_WASH) {
        const int64_t counts[] = {j->whole, j->twin_count, j->points, j->link_count, j->rows, j->zeroed};
        for (int i = 0; i < 6; i++) buf_u64(out, (uint64_t)counts[i]);
        return;
    }
    text_put(out, j->twin);
    text_put(out, j->property);
    text_put(out, j->by);
    for (int64_t i = 0; i < j->twin_count; i++) buf_u64(out, j->twins[i]);
    for (int64_t i = 0; i < j->fork_count && j->state == JOB_GONE; i++) {
        if (!j->forks[i].number) continue;
        buf_u64(out, FORK_MARK | j->forks[i].number);
        buf_u64(out, j->forks[i].seq);
        buf_u64(out, (uint64_t)j->forks[i].time);
    }
}

static ForkDone *fork_add(Job *j, ForkDone f) {
    j->forks = mem_grow(j->forks, (size_t)(j->fork_count + 1) * sizeof *j->forks);
    j->forks[j->fork_count] = f;
    return &j->forks[j->fork_count++];
}

static void number_take(Job *j, Cut *c) {
    uint64_t n = cut_u64(c);
    ForkDone f = {.number = n & ~FORK_MARK};
    if (!(n & FORK_MARK)) {
        twin_add(j, n);
        return;
    }
    f.seq = cut_u64(c);
    f.time = (int64_t)cut_u64(c);
    fork_add(j, f);
}

Job *erase_job_decode(Str id, Str value) {
    Cut c = cut_of(value);
    Job *j = job_new((Str){0}, (Str){0}, (Str){0}, 0);
    j->state = (JobState)cut_varint(&c);
    j->asked_ns = (int64_t)cut_u64(&c);
    j->seq = cut_u64(&c);
    j->time = (int64_t)cut_u64(&c);
    Str subject = text_take(&c);
    bool good = subject.n == 64 && id.n < (int64_t)sizeof j->id && j->state >= JOB_ASKED && j->state <= JOB_WASH;
    if (good) memcpy(j->subject, subject.p, 64);
    if (good) memcpy(j->id, id.p, (size_t)id.n);
    if (good && j->state == JOB_WASH) {
        int64_t *const counts[] = {&j->twin_count, &j->points, &j->link_count, &j->rows, &j->zeroed};
        j->whole = cut_u64(&c) != 0;
        for (int i = 0; i < 5; i++) *counts[i] = (int64_t)cut_u64(&c);
    } else if (good) {
        j->twin = arena_str(&j->arena, text_take(&c));
        j->property = arena_str(&j->arena, text_take(&c));
        j->by = arena_str(&j->arena, text_take(&c));
        j->whole = !j->property.n;
        while (!c.bad && c.p < c.end) number_take(j, &c);
    }
    if (good && !c.bad) return j;
    erase_job_free(j);
    return NULL;
}

// One that was not finished when the engine closed. Nobody is refused: it was asked for.
static bool take_item(void *ctx, SosiaStr key, SosiaStr value) {
    Eraser *x = ctx;
    Job *j = erase_job_decode(key, value);
    if (j) job_append(x, j);
    return true;
}

static bool stopped(Eraser *x) {
    pthread_mutex_lock(&x->lock);
    bool stop = x->stop;
    pthread_mutex_unlock(&x->lock);
    return stop;
}

// The store may have too much to do.
static Err put_items(Eraser *x, const SosiaItem *items, int64_t n) {
    for (;;) {
        Err err = (Err)sosia_items_put_wait(x->engine, items, n);
        if (err != ERR_BUSY) return err;
        if (stopped(x)) return ERR_CLOSED;
        thread_sleep_ns(LOOK_NS);
    }
}

static Err job_note(Eraser *x, Job *j) {
    Buf text = {0};
    job_encode(j, &text);
    SosiaItem item = {.kind = STR(ERASE_KIND), .key = str_of(j->id), .value = buf_str(&text)};
    Err err = put_items(x, &item, 1);
    buf_free(&text);
    return err;
}

// ---- what is meant ------------------------------------------------------------------------------------------------

static void span_add(Job *j, HistoryErase e) {
    if (j->span_count == j->span_cap) {
        j->span_cap = j->span_cap ? j->span_cap * 2 : 64;
        j->spans = mem_grow(j->spans, (size_t)j->span_cap * sizeof *j->spans);
    }
    if (e.to > j->time + 1) e.to = j->time + 1; // what comes later is not meant
    if (e.from < e.to) j->spans[j->span_count++] = e;
}

static void column_add(Columns *c, uint32_t col) {
    int64_t at = 0;
    while (at < c->count && c->items[at] < col) at++;
    if (at < c->count && c->items[at] == col) return;
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->items = mem_grow(c->items, (size_t)c->cap * sizeof *c->items);
    }
    memmove(&c->items[at + 1], &c->items[at], (size_t)(c->count++ - at) * sizeof *c->items);
    c->items[at] = col;
}

// Of a property in all tables.
static void columns_of(const Catalog *c, Str property, Columns *out) {
    for (int32_t i = 0; i < c->table_count; i++) {
        const Table *t = &c->tables[i];
        const Field *f = t->model ? model_field(t->model, property) : NULL;
        for (int32_t k = f ? (int32_t)(f - t->model->fields) : 0; f && k < f->end; k++)
            column_add(out, t->first + (uint32_t)k);
    }
}

// The same of a world.
static void columns_find(const Realm *r, Str property, Columns *out) {
    View v;
    view_begin(&v, r->world);
    columns_of(v.catalog, property, out);
    view_end(&v);
}

static bool take_dead(void *ctx, const StoreDead *d) {
    twin_add(ctx, d->twin);
    return true;
}

static Err find_live(View *v, void *ctx) {
    Job *j = ctx;
    uint64_t twin = view_find_twin(v, j->twin).v;
    if (twin) twin_add(j, twin);
    return ERR_OK;
}

static Realm **forks_of(Sosia *e, int64_t *count) {
    pthread_mutex_lock(&e->worlds_lock);
    Realm **list = mem_alloc((size_t)(e->world_count + 1) * sizeof(Realm *));
    *count = 0;
    for (int64_t i = 0; i < e->world_count; i++) list[(*count)++] = realm_ref(e->worlds[i]);
    pthread_mutex_unlock(&e->worlds_lock);
    return list;
}

// Make a fork that is only in the file: its journal is replayed as long as what it is about is there. One that cannot
// be made has nothing but rows, which are written again. False: leave it.
static bool fork_made(Sosia *e, Realm *r, Err *err) {
    *err = scenario_load(e, r);
    if (*err == ERR_GONE || *err == ERR_PAST_GONE || *err == ERR_CORRUPT) *err = ERR_OK;
    return atomic_load(&r->loaded);
}

static void forks_free(Realm **list, int64_t count) {
    for (int64_t i = 0; i < count; i++) realm_unref(list[i]);
    mem_free(list);
}

// In every world: a fork may have made one of that name.
static Err find_twins(Sosia *e, Job *j) {
    int64_t count;
    Realm **forks = forks_of(e, &count);
    Err err = engine_read(e, NULL, (Str){0}, find_live, j, NULL);
    for (int64_t i = 0; i < count && !err; i++) {
        if (!fork_made(e, forks[i], &err)) continue;
        err = engine_read_realm(forks[i], NULL, find_live, j, NULL);
        History *h = realm_history(forks[i]);
        if (!err && h) history_wait(h, world_visible(forks[i]->world));
        if (!err && h) err = history_dead(h, j->twin, take_dead, j);
    }
    forks_free(forks, count);
    TRY(err);
    TRY(history_dead(e->history, j->twin, take_dead, j));
    return j->twin_count ? ERR_OK : ERR_TWIN_NOT_FOUND;
}

// The columns of the property in a table, or all of them; then telemetry.
static void place_add(Job *j, const Catalog *c, const TwinPlace *p) {
    if (p->table >= (uint32_t)c->table_count) return;
    const Table *t = &c->tables[p->table];
    const Field *f = j->property.n ? model_field(t->model, j->property) : NULL;
    int32_t first = f ? (int32_t)(f - t->model->fields) : 0, end = f ? f->end : t->model->field_count;
    if (j->property.n && !f) end = first;
    for (int32_t i = first; i < end; i++) {
        uint32_t col = t->first + (uint32_t)i;
        column_add(&j->columns, col);
        span_add(j, (HistoryErase){.lane = trail_lane(col, 0), .row = p->row, .from = p->from, .to = p->to});
    }
    j->known |= f || model_telemetry(t->model, j->property);
    j->telemetry |= !j->whole;
    span_add(j, (HistoryErase){.lane = trail_lane(TRAIL_TELEMETRY_VEC + p->table, 0),
                               .row = p->row,
                               .from = p->from,
                               .to = p->to,
                               .member = j->property});
}

typedef struct Finding {
    Job *job;
    const Catalog *catalog;
} Finding;

static bool take_place(void *ctx, const TwinPlace *p) {
    Finding *x = ctx;
    place_add(x->job, x->catalog, p);
    return true;
}

static bool take_link(void *ctx, uint64_t row) {
    Job *j = ((Finding *)ctx)->job;
    int64_t lo = 0, hi = j->link_count;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (j->links[mid] < row) lo = mid + 1;
        else hi = mid;
    }
    if (lo < j->link_count && j->links[lo] == row) return true;
    if (j->link_count == j->link_cap) {
        j->link_cap = j->link_cap ? j->link_cap * 2 : 64;
        j->links = mem_grow(j->links, (size_t)j->link_cap * sizeof *j->links);
    }
    memmove(&j->links[lo + 1], &j->links[lo], (size_t)(j->link_count++ - lo) * sizeof *j->links);
    j->links[lo] = row;
    return true;
}

static Str name_of(Job *j, uint64_t id) {
    char room[32];
    return arena_str(&j->arena, forget_name(id, room));
}

// Names and values of the relationships that were found.
static void links_add(Job *j, const Catalog *c) {
    for (int64_t i = 0; i < j->link_count; i++) {
        uint64_t id = j->links[i];
        span_add(j, (HistoryErase){.lane = LANE_LINK_RID, .row = id, .to = INT64_MAX, .instead = name_of(j, id)});
        for (int32_t k = 0; k < c->kind_count; k++) {
            for (int32_t f = 0; f < c->kinds[k].rel->field_count; f++)
                span_add(j, (HistoryErase){
                                .lane = trail_lane(c->kinds[k].first + (uint32_t)f, 0), .row = id, .to = INT64_MAX});
        }
    }
}

Err erase_spans_of(Job *j, History *h, const Catalog *c) {
    Finding x = {j, c};
    j->span_count = j->link_count = j->columns.count = 0;
    for (int64_t i = 0; i < j->twin_count; i++) {
        uint64_t twin = j->twins[i];
        TRY(engine_twin_places(h, twin, take_place, &x));
        if (!j->whole) continue;
        span_add(j, (HistoryErase){.lane = LANE_NAME, .row = twin, .to = INT64_MAX, .instead = name_of(j, twin)});
        TRY(history_find(h, LANE_LINK_SOURCE, LANE_ID_MASK, twin, take_link, &x));
        TRY(history_find(h, LANE_LINK_TARGET, LANE_ID_MASK, twin, take_link, &x));
    }
    if (j->whole) links_add(j, c);
    return ERR_OK;
}

Err erase_spans(Job *j, History *h, const World *w) {
    View v;
    view_begin(&v, w);
    Catalog *c = (Catalog *)(uintptr_t)v.catalog; // NOLINT: to count it
    catalog_ref(c);
    view_end(&v);
    Err err = erase_spans_of(j, h, c);
    catalog_unref(c);
    return err;
}

static bool see_message(void *ctx, const HistoryPoint *p) {
    Job *j = ctx;
    j->known |= forget_tells(p->text, j->property);
    return !j->known;
}

// A name that no model and no message had is a mistake: nobody shall believe that it was erased.
static Err check_property(Sosia *e, Job *j) {
    if (j->whole) return ERR_OK;
    j->time = INT64_MAX - 1;
    TRY(erase_spans(j, e->history, e->live->world));
    for (int64_t i = 0; i < j->span_count && !j->known; i++) {
        const HistoryErase *s = &j->spans[i];
        HistorySeries h = {.lane = s->lane, .row = s->row, .from = s->from, .to = s->to, .arrival = true};
        if (s->member.n) TRY(history_series(e->history, &h, see_message, j));
    }
    j->time = 0;
    if (j->known || !j->span_count) return ERR_OK; // of a twin that only a fork had nothing is known here
    Buf why = {0};
    buf_printf(&why, "\"%.*s\" has and had no property or telemetry \"%.*s\"", STR_ARG(j->twin), STR_ARG(j->property));
    j->why = arena_str(&j->arena, buf_str(&why));
    buf_free(&why);
    return ERR_VALIDATION;
}

// ---- the present --------------------------------------------------------------------------------------------------

// Have the writer erase it in one world. *seq, *time: of the newest batch then.
static Err erase_in(Sosia *e, Job *j, Realm *r, uint64_t *seq, int64_t *time) {
    Task *c = task_new(OP_ERASE, NULL, NULL, 256);
    c->realm = realm_ref(r); // the command's own
    c->id = arena_str(&c->arena, j->twin);
    c->sub = arena_str(&c->arena, j->property);
    c->source = STR("erasure");
    for (int64_t i = 0; i < j->twin_count; i++) buf_u64(&c->items, j->twins[i]);
    Err err = task_wait(e, c, true);
    if (!err) err = c->err;
    if (err && c->message.n) j->why = arena_str(&j->arena, c->message);
    *seq = c->seq;
    *time = c->source_time;
    task_free(c);
    return err;
}

static uint64_t number_of(const Realm *r) { return r->scenario ? r->scenario->number : 0; }

static ForkDone *fork_done(const Job *j, const Realm *r) {
    for (int64_t i = 0; i < j->fork_count; i++) {
        uint64_t number = j->forks[i].number;
        if (j->forks[i].realm == r || (number && number == number_of(r))) return &j->forks[i];
    }
    return NULL;
}

static Err erase_fork(Sosia *e, Job *j, Realm *r) {
    uint64_t seq;
    int64_t time;
    TRY(erase_in(e, j, r, &seq, &time));
    fork_add(j, (ForkDone){.realm = realm_ref(r), .number = number_of(r), .seq = seq, .time = time});
    return ERR_OK;
}

// Until none is left that was made of another before it was its turn.
static Err erase_forks(Sosia *e, Job *j) {
    Err err = ERR_OK;
    for (bool more = true; more && !err;) {
        int64_t count;
        Realm **forks = forks_of(e, &count);
        more = false;
        for (int64_t i = 0; i < count && !err; i++) {
            if (fork_done(j, forks[i])) continue;
            more = true;
            if (fork_made(e, forks[i], &err)) err = erase_fork(e, j, forks[i]);
            else if (!err) fork_add(j, (ForkDone){.number = number_of(forks[i])});
        }
        forks_free(forks, count);
    }
    return err;
}

static Err erase_present(Sosia *e, Job *j) {
    TRY(erase_in(e, j, e->live, &j->seq, &j->time));
    return erase_forks(e, j);
}

typedef struct ModelColumns {
    Columns *columns;
    Str property;
} ModelColumns;

static void take_models(void *ctx, const Catalog *c) {
    const ModelColumns *x = ctx;
    columns_of(c, x->property, x->columns);
}

// The columns of the property in the journal of a fork, by all models it ever had. When those cannot be known, all
// values of the twin go from it: rather too much.
static Err fork_columns(Sosia *e, Job *j, ForkDone *f, Scenario *s) {
    Err err = scenario_models(e, s, take_models, &(ModelColumns){&f->columns, j->property});
    f->unknown = err == ERR_CORRUPT;
    if (f->unknown) LOG(ERASE_UNKNOWN, (long long)s->number, j->id);
    return f->unknown ? ERR_OK : err;
}

// What the file has of forks, also of those that are only there for others that were made of them.
static Err find_rows(Sosia *e, Job *j) {
    int64_t count;
    Err err = ERR_OK;
    Scenario **all = scenarios_all(e, &count);
    for (int64_t i = 0; i < count && !err; i++) {
        ForkDone *f = NULL;
        for (int64_t k = 0; k < j->fork_count; k++)
            if (j->forks[k].number == all[i]->number) f = &j->forks[k];
        pthread_mutex_lock(&e->worlds_lock);
        bool dropped = all[i]->dropped;
        pthread_mutex_unlock(&e->worlds_lock);
        if (!f && dropped) f = fork_add(j, (ForkDone){.number = all[i]->number});
        if (f && !j->whole) err = fork_columns(e, j, f, all[i]);
    }
    for (int64_t i = 0; i < count; i++) scenario_unref(all[i]);
    mem_free(all);
    if (!j->whole) columns_find(e->live, j->property, &j->everywhere);
    return err;
}

// What the property is in the forks, and their realms when the process is not the one that erased it from them.
static Err find_forks(Sosia *e, Job *j) {
    int64_t count;
    Err err = ERR_OK;
    Realm **forks = forks_of(e, &count);
    err = ensembles_forget(e, j->twin);
    if (!err) err = decider_forget(e->decider, j->twin, j->property);
    if (!err && j->whole) err = command_log_forget(e, j->twin);
    for (int64_t i = 0; i < count && !err; i++) {
        ForkDone *f = fork_done(j, forks[i]);
        if (f) err = run_state_forget(e, forks[i]->name, j->twin);
        if (!f || err || !fork_made(e, forks[i], &err)) continue;
        if (!f->realm) f->realm = realm_ref(forks[i]);
        if (!j->whole) columns_find(forks[i], j->property, &f->columns);
    }
    forks_free(forks, count);
    return err ? err : find_rows(e, j);
}

// ---- batches ------------------------------------------------------------------------------------------------------

// Batches without what is erased; out stays empty when they tell nothing of it. seq_max 0: all of them.
static Err forget_up_to(const Job *j, uint64_t seq_max, const Columns *columns, bool values, Str bytes, Buf *out) {
    Buf from = {0}, to = {0};
    Err err = ERR_OK;
    bool any = false;
    buf_str_put(&from, bytes);
    for (int64_t i = 0; i < j->twin_count && !err; i++) {
        Forget f = {.twin = j->twins[i],
                    .columns = columns->items,
                    .column_count = columns->count,
                    .values = values,
                    .all = j->whole,
                    .links = j->links,
                    .link_count = j->link_count,
                    .telemetry = j->telemetry ? j->property : (Str){0},
                    .seq_max = seq_max};
        int64_t taken = 0;
        buf_reset(&to);
        err = forget_batches(&f, buf_str(&from), &to, &taken);
        any |= taken > 0;
        Buf was = from;
        from = to;
        to = was;
    }
    if (!err && any) buf_str_put(out, buf_str(&from));
    buf_free(&from);
    buf_free(&to);
    return err;
}

// The store's thread. Whatever was erased from another world is durable before.
static Err forget_stored(void *ctx, uint64_t world, Str bytes, Buf *out) {
    const Job *j = ctx;
    uint64_t newest = 0;
    if (!world) return forget_up_to(j, j->seq, &j->columns, false, bytes, out);
    for (int64_t i = 0; i < j->fork_count; i++) {
        const ForkDone *f = &j->forks[i];
        if (f->number > newest) newest = f->number;
        if (f->number == world) return forget_up_to(j, f->seq, &f->columns, f->unknown, bytes, out);
    }
    if (world > newest) return ERR_OK;                            // made since, of what had it no more
    return forget_up_to(j, 0, &j->everywhere, false, bytes, out); // dropped a moment ago
}

typedef struct HubJob {
    const Job *job;
    uint64_t seq;
    const Columns *columns;
} HubJob;

static Err forget_kept(void *ctx, Str bytes, Buf *out) {
    const HubJob *x = ctx;
    return forget_up_to(x->job, x->seq, x->columns, false, bytes, out);
}

// A past world of now for a fork to lie over, in place of one whose pages were made before. *out NULL: it lies over
// none, or it cannot be made: then it cannot be made again by anybody.
static Err under_anew(Sosia *e, const Realm *r, Realm **out) {
    *out = NULL;
    if (!world_base(r->world)) return ERR_OK;
    const PastUse *was = &r->under->past;
    Err err = pasts_at(e, was->of ? was->of : e->live, was->from, out);
    if (err == ERR_GONE || err == ERR_PAST_GONE || err == ERR_CORRUPT) return ERR_OK;
    if (err || (*out)->past.seq == was->seq) return err;
    realm_unref(*out);
    *out = NULL;
    return ERR_OK;
}

static Err forget_world(Sosia *e, Realm *r, HubJob *hub) {
    TRY(hub_forget(r->hub, forget_kept, hub));
    desk_renew(e->desk, r);
    run_renew(r);
    Task *c = task_new(OP_FORGET, NULL, NULL, 0);
    c->realm = realm_ref(r);
    Err err = under_anew(e, r, &c->under);
    if (!err) err = task_wait(e, c, true);
    if (!err) err = c->err;
    task_free(c); // with what the fork lay over
    return err;
}

// Memory that readers might still have held. Readers are short: who looks on for longer frees it itself.
static void let_go_of_retired(Sosia *e) {
    int64_t until = time_mono_ns() + RETIRED_NS;
    for (domain_reclaim(e->domain); domain_stats(e->domain).retired && time_mono_ns() < until;) {
        thread_sleep_ns(NS_PER_MS);
        domain_reclaim(e->domain);
    }
}

// What the engine keeps in memory of batches, pages and answers. The journal was written again.
static Err erase_memory(Sosia *e, const Job *j) {
    pasts_forget(e, NULL);
    TRY(forget_world(e, e->live, &(HubJob){j, j->seq, &j->columns}));
    for (int64_t i = 0; i < j->fork_count; i++) {
        const ForkDone *f = &j->forks[i];
        if (f->realm) TRY(forget_world(e, f->realm, &(HubJob){j, f->seq, &f->columns}));
    }
    desk_outlive(e->desk); // what began before may have seen it
    desk_tidy(e->desk, e->live);
    for (int64_t i = 0; i < j->fork_count; i++)
        if (j->forks[i].realm) desk_tidy(e->desk, j->forks[i].realm);
    let_go_of_retired(e);
    return ERR_OK;
}

// ---- the file -----------------------------------------------------------------------------------------------------

static void on_scrub(void *arg, Err err, int64_t rows, int64_t zeroed) {
    Job *j = arg;
    pthread_mutex_lock(&j->eraser->lock);
    j->rows += rows;
    j->zeroed += zeroed;
    j->scrub_err = err;
    j->scrubbed = true;
    pthread_cond_broadcast(&j->eraser->more);
    pthread_mutex_unlock(&j->eraser->lock);
}

// Scrub and wait, with the writer asked for a checkpoint until there is one. CLOSED: the store still has the job.
static Err scrub(Eraser *x, Job *j, bool journal) {
    Sosia *e = x->engine;
    j->scrubbed = false;
    atomic_store(&e->checkpoint_wanted, j->seq);
    store_scrub(e->store, j->seq, journal ? forget_stored : NULL, j, on_scrub, j);
    for (;;) {
        pthread_mutex_lock(&x->lock);
        struct timespec until = time_after(LOOK_NS);
        if (!j->scrubbed && !x->stop) pthread_cond_timedwait(&x->more, &x->lock, &until);
        bool ended = j->scrubbed, stop = x->stop;
        pthread_mutex_unlock(&x->lock);
        if (ended || stop) atomic_store(&e->checkpoint_wanted, 0);
        if (ended) return j->scrub_err;
        if (stop) return ERR_CLOSED;
        Task *c = task_new(OP_WAKE, NULL, NULL, 0);
        Err err = task_wait(e, c, true);
        task_free(c);
        if (err == ERR_CLOSED) return err;
    }
}

// ---- the job ------------------------------------------------------------------------------------------------------

static Err put_receipt(Eraser *x, Job *j) {
    Buf text = {0};
    j->done_ns = x->engine->now(x->engine->now_ctx);
    receipt_put(j, &text);
    j->receipt = arena_str(&j->arena, buf_str(&text));
    SosiaItem items[] = {{.kind = STR(ERASED_KIND), .key = str_of(j->id), .value = buf_str(&text)},
                         {.kind = STR(ERASE_KIND), .key = str_of(j->id), .remove = true}};
    Err err = put_items(x, items, 2);
    buf_free(&text);
    return err;
}

static Err erase_history(Sosia *e, Job *j) {
    int64_t points = 0;
    history_wait(e->history, j->seq);
    TRY(erase_spans(j, e->history, e->live->world));
    TRY(history_erase(e->history, j->spans, j->span_count, &points));
    j->points += points;
    return j->whole ? history_erase_dead(e->history, j->twins, j->twin_count) : ERR_OK;
}

Err erase_epoch(const Sosia *e, uint64_t *out) {
    uint64_t n = atomic_load(&e->erasures);
    *out = n + 1; // never 0
    return n & 1 ? ERR_BUSY : ERR_OK;
}

Err erase_wait(Sosia *e, uint64_t *out) {
    Eraser *x = e->eraser;
    Err err = erase_epoch(e, out);
    if (!err || !x) return err;
    struct timespec until = time_after(ERASE_WAIT_NS);
    pthread_mutex_lock(&x->lock);
    int timed = 0;
    while ((err = erase_epoch(e, out)) && !x->stop && timed != ETIMEDOUT)
        timed = pthread_cond_timedwait(&x->more, &x->lock, &until);
    if (err && x->stop) err = ERR_CLOSED;
    pthread_mutex_unlock(&x->lock);
    return err;
}

// One more has begun, or come so far that nothing of it is told.
static void epoch_turn(Eraser *x) {
    pthread_mutex_lock(&x->lock);
    atomic_fetch_add(&x->engine->erasures, 1);
    pthread_cond_broadcast(&x->more);
    pthread_mutex_unlock(&x->lock);
}

bool erase_since(const Sosia *e, uint64_t epoch) { return atomic_load(&e->erasures) + 1 != epoch; }

static Err erase_worlds(Eraser *x, Job *j) {
    Sosia *e = x->engine;
    if (!j->twin_count) {
        history_wait(e->history, world_visible(e->live->world));
        TRY(find_twins(e, j));
        TRY(check_property(e, j));
        TRY(job_note(x, j));
    }
    TRY(erase_present(e, j));
    j->state = JOB_GONE;
    return job_note(x, j);
}

// From what is told of worlds and their past; nothing is carried from one to another meanwhile.
static Err erase_told(Eraser *x, Job *j) {
    Sosia *e = x->engine;
    Err err = ERR_OK;
    if (j->state == JOB_WASH) return ERR_OK;
    epoch_turn(x);
    if (j->state == JOB_ASKED) err = erase_worlds(x, j);
    if (!err) err = erase_history(e, j);
    if (!err) err = find_forks(e, j);
    if (!err) err = erase_fork_histories(e, j);
    if (!err) pasts_forget(e, NULL);
    epoch_turn(x);
    replays_forget(e);
    return err;
}

static Err job_steps(Eraser *x, Job *j) {
    Sosia *e = x->engine;
    TRY(erase_told(x, j));
    if (j->state == JOB_GONE) {
        TRY(scenario_keeps_forget(e));
        TRY(scrub(x, j, true));
        TRY(erase_memory(e, j));
        j->state = JOB_WASH;
        TRY(job_note(x, j));
    }
    TRY(scrub(x, j, false)); // what asked for it leaves the file as well
    return put_receipt(x, j);
}

static Err job_run(Eraser *x, Job *j) {
    mem_wipe_begin();
    Err err = job_steps(x, j);
    mem_trim();
    mem_wipe_end();
    return err;
}

// The first one that may be tried now; NULL: stop.
static Job *job_take(Eraser *x) {
    Job *j = NULL;
    pthread_mutex_lock(&x->lock);
    while (!j && !x->stop) {
        int64_t now = time_mono_ns(), wait = NS_PER_S;
        Job **at = &x->first;
        while (*at && (*at)->again_ns > now) at = &(*at)->next;
        struct timespec until = time_after(wait);
        if ((j = x->running = *at)) *at = j->next;
        else if (x->first) pthread_cond_timedwait(&x->more, &x->lock, &until);
        else pthread_cond_wait(&x->more, &x->lock);
    }
    pthread_mutex_unlock(&x->lock);
    return j;
}

// It was asked for, and it is known of whom: it stays to be done whatever stands against it.
static bool tries_again(const Job *j) {
    bool refused = !j->err || j->err == ERR_TWIN_NOT_FOUND || j->err == ERR_VALIDATION || j->err == ERR_CLOSED;
    return !refused && (j->twin_count || j->state == JOB_WASH);
}

// Twice as long between tries each time.
static void stand(Eraser *x, Job *j) {
    int64_t wait = x->engine->erase_again_ns ? x->engine->erase_again_ns : ERASE_AGAIN_NS;
    for (int64_t i = 0; i < j->tries && wait < ERASE_AGAIN_MAX_NS; i++) wait *= 2;
    if (wait > ERASE_AGAIN_MAX_NS) wait = ERASE_AGAIN_MAX_NS;
    j->tries++;
    j->stands = j->err;
    j->again_ns = time_mono_ns() + wait;
    j->next_ns = x->engine->now(x->engine->now_ctx) + wait;
}

static void job_done(Eraser *x, Job *j) {
    job_tell(j);
    pthread_mutex_lock(&x->lock);
    x->count--;
    x->running = NULL;
    x->done += !j->err;
    x->failed += j->err != ERR_OK;
    bool stop = x->stop, again = !stop && tries_again(j);
    if (again) stand(x, j);
    if (again) job_append(x, j);
    if (stop) j->next = x->left;
    if (stop) x->left = j; // the store may still have it
    pthread_mutex_unlock(&x->lock);
    if (stop) forks_drop(j);
    else if (!again) erase_job_free(j);
}

static void *eraser_main(void *arg) {
    Eraser *x = arg;
    for (Job *j; (j = job_take(x));) {
        j->err = job_run(x, j);
        job_done(x, j);
    }
    return NULL;
}

Err eraser_start(Sosia *e, Eraser **out) {
    Eraser *x = mem_alloc(sizeof *x);
    x->engine = e;
    pthread_mutex_init(&x->lock, NULL);
    cond_init_mono(&x->more);
    *out = x;
    TRY((Err)sosia_items_scan(e, STR(ERASE_KIND), (Str){0}, 0, take_item, x));
    return thread_start(&x->thread, "sosia-erase", eraser_main, x);
}

void eraser_stop(Eraser *x) {
    if (!x) return;
    pthread_mutex_lock(&x->lock);
    x->stop = true;
    pthread_cond_broadcast(&x->more);
    pthread_mutex_unlock(&x->lock);
    thread_join(&x->thread);
    for (Job *j = x->first, *next; j; j = next) {
        next = j->next;
        j->err = ERR_CLOSED;
        job_tell(j);
        erase_job_free(j);
    }
    x->first = NULL;
}

void eraser_free(Eraser *x) {
    if (!x) return;
    for (Job *j = x->left, *next; j; j = next) {
        next = j->next;
        erase_job_free(j);
    }
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->more);
    mem_free(x);
}
