// SPDX-License-Identifier: Apache-2.0
// The closed loop over HTTP. What looks at records or changes one may wait for the disk: a reader does it. Who waits
// for news (GET /decisions?wait=30s&revision=N) is kept in a list, and one thread waits for the engine in the name of
// all: it begins with the first of them. A waiting request is answered when something is newer than its revision, when
// its time is up, when its client is gone, and when the server stops.
#include "serve/own.h"
#include <pthread.h>
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

#define WAIT_MAX_NS (60 * NS_PER_S)
#define LOOK_NS (250 * NS_PER_MS) // the engine is asked to wait so long: clients that are gone are seen as often

// A request's own; lives with it.
typedef struct Deciding {
    SosiaErr (*job)(Call *c, struct Deciding *x);
    SosiaDecisions d;
    uint64_t id;
    Str verb, note, rule, twin;
    int64_t deadline_ns; // monotonic
    int status;
    SosiaErr err;
    SosiaOut out;
    _Atomic bool gone; // its client is
    struct Deciding *next;
    Call *call;
} Deciding;

struct Deciders {
    Sosia *engine;
    pthread_mutex_t lock; // guards what follows
    pthread_cond_t wake;
    Deciding *first;
    int32_t count;
    bool closing, started;
    Thread thread;
};

static void answer(Call *c) {
    Deciding *x = c->job_arg;
    if (x->err) call_fail(c, (Err)x->err, buf_str(&x->out.message), (Str){0});
    else if (x->status == 204) call_empty(c, 204, (Str){0}, 0);
    else call_json(c, x->status, (Str){0}, &x->out.body);
    sosia_out_free(&x->out);
}

static void on_reader(Call *c) {
    Deciding *x = c->job_arg;
    x->err = x->job(c, x);
    call_post(c, answer);
}

static Deciding *begin(Call *c, int status, SosiaErr (*job)(Call *, Deciding *)) {
    Deciding *x = http_alloc(c->req, sizeof *x);
    *x = (Deciding){.status = status, .job = job, .call = c};
    c->job_arg = x;
    return x;
}

// ---- news ---------------------------------------------------------------------------------------------------------

static uint64_t revision_of(const SosiaOut *out) {
    Arena arena;
    Json v;
    uint64_t n = 0;
    arena_init(&arena, 0);
    if (json_parse(buf_str(&out->body), NULL, &arena, &v, NULL) == ERR_OK) {
        const Json *r = json_get(&v, STR("revision"));
        if (r && r->type == JSON_INT && r->i > 0) n = (uint64_t)r->i;
    }
    arena_free(&arena);
    return n;
}

// How the list of that request stands now.
static void look(Deciding *x) {
    SosiaDecisions d = x->d;
    d.wait_ns = 0;
    buf_reset(&x->out.body);
    x->err = sosia_decisions(x->call->server->engine, &x->call->who, &d, &x->out);
}

static bool is_due(const Deciding *x, uint64_t revision, bool closing) {
    return closing || revision != x->d.revision || atomic_load(&x->gone) || time_mono_ns() >= x->deadline_ns;
}

// Take out who has waited long enough. Caller holds the lock.
static Deciding *take_due_locked(struct Deciders *w, uint64_t revision) {
    Deciding *due = NULL, **at = &w->first;
    while (*at) {
        Deciding *x = *at;
        if (!is_due(x, revision, w->closing)) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        x->next = due;
        due = x;
        w->count--;
    }
    return due;
}

static void tell(Deciding *due) {
    while (due) {
        Deciding *x = due;
        due = x->next;
        look(x);
        call_post(x->call, answer);
    }
}

// The engine's revision, when it is later than `than` or after a while.
static uint64_t wait_for_news(struct Deciders *w, uint64_t than) {
    SosiaOut out = {0};
    SosiaDecisions d = {.limit = 1, .wait_ns = LOOK_NS, .revision = than};
    SosiaErr err = sosia_decisions(w->engine, NULL, &d, &out);
    uint64_t now = err ? than : revision_of(&out);
    sosia_out_free(&out);
    if (err) thread_sleep_ns(LOOK_NS); // whoever waits is told why, at the end of its time
    return now;
}

static void *wait_main(void *arg) {
    struct Deciders *w = arg;
    uint64_t revision = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->closing || w->first) {
        if (!w->first) {
            pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        bool closing = w->closing;
        pthread_mutex_unlock(&w->lock);
        if (!closing) revision = wait_for_news(w, revision);
        pthread_mutex_lock(&w->lock);
        Deciding *due = take_due_locked(w, revision);
        pthread_mutex_unlock(&w->lock);
        tell(due);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

// False: there are too many, or the server stops.
static bool join_waiting(struct Deciders *w, Deciding *x) {
    pthread_mutex_lock(&w->lock);
    bool ok = !w->closing && w->count < DECISION_WAITS_MAX;
    if (ok && !w->started) w->started = ok = thread_start(&w->thread, "decisions", wait_main, w) == ERR_OK;
    if (ok) {
        x->next = w->first;
        w->first = x;
        w->count++;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    return ok;
}

struct Deciders *deciders_new(Sosia *engine) {
    struct Deciders *w = mem_alloc(sizeof *w);
    w->engine = engine;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    return w;
}

void deciders_hurry(struct Deciders *w) {
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void deciders_free(struct Deciders *w) {
    deciders_hurry(w);
    thread_join(&w->thread);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

// ---- the list -----------------------------------------------------------------------------------------------------

static void on_gone(void *arg) { atomic_store(&((Deciding *)arg)->gone, true); }

static void list_on_reader(Call *c) {
    Deciding *x = c->job_arg;
    look(x);
    bool wait = !x->err && x->deadline_ns && revision_of(&x->out) == x->d.revision;
    if (!wait || !join_waiting(c->server->deciders, x)) call_post(c, answer);
}

// A parameter as a number; false when it is there and none.
static bool take_number(Call *c, const char *name, int64_t most, int64_t *out) {
    Str text = call_param(c, str_of(name));
    if (!text.p) return true;
    if (str_to_i64(text, out) && *out >= 0 && *out <= most) return true;
    call_failf(c, ERR_ARGUMENT, "%s is a number from 0 to %lld.", name, (long long)most);
    return false;
}

static bool take_wait(Call *c, int64_t *out) {
    Str text = call_param(c, STR("wait"));
    if (!text.p) return true;
    bool ok = time_parse_duration(text, out) || time_parse_period(text, out);
    if (ok && *out >= 0 && *out <= WAIT_MAX_NS) return true;
    call_failf(c, ERR_ARGUMENT, "wait is a time of at most 60s, like 30s.");
    return false;
}

void own_decisions(Call *c) {
    Deciding *x = begin(c, 200, NULL);
    int64_t after = 0, limit = 0, revision = 0, wait = 0;
    if (!take_number(c, "after", INT64_MAX, &after) || !take_number(c, "limit", 1000, &limit)) return;
    if (!take_number(c, "revision", INT64_MAX, &revision) || !take_wait(c, &wait)) return;
    x->d = (SosiaDecisions){.state = call_param(c, STR("state")),
                            .rule = call_param(c, STR("rule")),
                            .twin = call_param(c, STR("twin")),
                            .after = (uint64_t)after,
                            .limit = (int32_t)limit,
                            .revision = (uint64_t)revision};
    if (wait) x->deadline_ns = time_mono_ns() + wait;
    if (wait) http_on_gone(c->req, on_gone, x);
    call_reader(c, list_on_reader);
}

// ---- one ----------------------------------------------------------------------------------------------------------

static bool take_id(Call *c, Deciding *x) {
    int64_t id;
    bool ok = str_to_i64(c->id, &id) && id > 0;
    if (ok) x->id = (uint64_t)id;
    else call_failf(c, ERR_DECISION_NOT_FOUND, "There is no decision \"%.*s\": they have numbers.", STR_ARG(c->id));
    return ok;
}

static SosiaErr do_get(Call *c, Deciding *x) { return sosia_decision(c->server->engine, &c->who, x->id, &x->out); }

static SosiaErr do_replay(Call *c, Deciding *x) {
    return sosia_decision_replay(c->server->engine, &c->who, x->id, &x->out);
}

static SosiaErr do_decide(Call *c, Deciding *x) {
    return sosia_decide(c->server->engine, &c->who, x->id, x->verb, x->note, &x->out);
}

void own_decision(Call *c) {
    Deciding *x = begin(c, 200, do_get);
    if (take_id(c, x)) call_reader(c, on_reader);
}

void own_decision_replay(Call *c) {
    Deciding *x = begin(c, 200, do_replay);
    if (take_id(c, x)) call_reader(c, on_reader);
}

static Str keep(Call *c, Str s) {
    char *p = http_alloc(c->req, s.n > 0 ? s.n : 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

// The one text that a body may have under `name`; false when it was answered.
static bool read_text(Call *c, const char *name, bool needed, Str *out) {
    Arena arena;
    Json body;
    bool ok = !needed;
    arena_init(&arena, 0);
    if (c->view->body.n) {
        ok = json_parse(c->view->body, NULL, &arena, &body, NULL) == ERR_OK && body.type == JSON_OBJECT;
        ok = ok && body.count <= 1 && (body.count || !needed);
        for (int32_t i = 0; ok && i < body.count; i++) {
            const JsonMember *m = &body.members[i];
            ok = str_eq(m->key, str_of(name)) && m->value.type == JSON_STRING;
            if (ok) *out = keep(c, m->value.s);
        }
    }
    arena_free(&arena);
    if (!ok) call_failf(c, ERR_ARGUMENT, "The body is {\"%s\":\"...\"}%s.", name, needed ? "" : ", or empty");
    return ok;
}

void own_decide(Call *c) {
    Deciding *x = begin(c, 200, do_decide);
    x->verb = c->sub;
    if (take_id(c, x) && read_text(c, "note", false, &x->note)) call_reader(c, on_reader);
}

// ---- all ----------------------------------------------------------------------------------------------------------

static SosiaErr do_stop(Call *c, Deciding *x) {
    (void)x;
    return sosia_decisions_stop(c->server->engine, &c->who, true);
}

static SosiaErr do_resume(Call *c, Deciding *x) {
    (void)x;
    return sosia_decisions_stop(c->server->engine, &c->who, false);
}

static SosiaErr do_try(Call *c, Deciding *x) {
    return sosia_propose(c->server->engine, &c->who, x->rule, x->twin, &x->out);
}

void own_decisions_stop(Call *c) {
    begin(c, 204, do_stop);
    call_reader(c, on_reader);
}

void own_decisions_resume(Call *c) {
    begin(c, 204, do_resume);
    call_reader(c, on_reader);
}

void own_rule_try(Call *c) {
    Deciding *x = begin(c, 202, do_try);
    x->rule = c->id;
    if (read_text(c, "twin", true, &x->twin)) call_reader(c, on_reader);
}
