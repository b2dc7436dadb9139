// SPDX-License-Identifier: Apache-2.0
// The loop of decisions: mail, live's news, and whatever is due, one after the other.
#include "engine/decide_inner.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

#define LOOK_NS NS_PER_S        // with anything due: the clock may be set
#define REST_NS (60 * NS_PER_S) // with nothing
#define REST_MIN_NS NS_PER_MS

int64_t decider_now(const Decider *x) { return x->engine->now(x->engine->now_ctx); }

// ---- mail ---------------------------------------------------------------------------------------------------------

Mail *mail_new(MailKind kind, uint64_t id, Str a) {
    char *room = mem_alloc(sizeof(Mail) + (size_t)a.n + 1);
    Mail *m = (Mail *)(void *)room;
    if (a.n) memcpy(room + sizeof *m, a.p, (size_t)a.n);
    *m = (Mail){.kind = kind, .id = id, .a = {room + sizeof *m, a.n}};
    return m;
}

void mail_free(Mail *m) {
    buf_free(&m->text);
    mem_free(m);
}

// Lock held. False: none is taken any more.
static bool mail_put(Decider *x, Mail *m) {
    if (x->ended) return false;
    if (x->last) x->last->next = m;
    else x->first = m;
    x->last = m;
    pthread_cond_signal(&x->wake);
    return true;
}

void decider_tell(Decider *x, Mail *m) {
    pthread_mutex_lock(&x->lock);
    bool taken = mail_put(x, m);
    pthread_mutex_unlock(&x->lock);
    if (!taken) mail_free(m);
}

Err decider_ask(Decider *x, Mail *m) {
    CHECK(!engine_own_thread(x->engine)); // the loop waits for it
    m->waits = true;
    pthread_mutex_lock(&x->lock);
    bool taken = mail_put(x, m);
    while (taken && !m->over) pthread_cond_wait(&x->moved, &x->lock);
    pthread_mutex_unlock(&x->lock);
    return taken ? m->err : ERR_CLOSED;
}

static void mail_over(Decider *x, Mail *m) {
    if (!m->waits) {
        mail_free(m);
        return;
    }
    pthread_mutex_lock(&x->lock);
    m->over = true;
    pthread_cond_broadcast(&x->moved);
    pthread_mutex_unlock(&x->lock);
}

// The record of what somebody asked for, with the answer.
static void show(Decider *x, Mail *m, uint64_t id) {
    if (!m->err) m->err = deed_show(x, id, &m->text);
}

static void set_stopped(Decider *x, Mail *m) {
    m->err = switch_put(x, m->flag);
    if (m->err) return;
    pthread_mutex_lock(&x->lock);
    x->stopped = m->flag;
    x->revision++;
    pthread_cond_broadcast(&x->moved);
    pthread_mutex_unlock(&x->lock);
}

static void carry_out(Decider *x, Mail *m) {
    Deed *d;
    uint64_t id = m->id;
    switch (m->kind) {
    case MAIL_DECIDE:
        m->err = act_decide(x, m, &m->text);
        show(x, m, id);
        break;
    case MAIL_PROPOSE:
        m->err = rules_propose(x, m->a, m->b, m->c, &id, &m->text);
        show(x, m, id);
        break;
    case MAIL_STOP: set_stopped(x, m); break;
    case MAIL_FORGET: m->err = deeds_forget(x, m->a, m->b); break;
    case MAIL_ANSWER: act_answer(x, m); break;
    case MAIL_TRIED:
        d = deed_find(x, id);
        CHECK(d && d->work && d->work->busy);
        d->work->busy = false;
        act_tried(x, d);
        break;
    }
    mail_over(x, m);
}

// What has come by now.
static void read_mail(Decider *x) {
    pthread_mutex_lock(&x->lock);
    Mail *all = x->first;
    x->first = x->last = NULL;
    pthread_mutex_unlock(&x->lock);
    while (all) {
        Mail *m = all;
        all = m->next;
        m->next = NULL;
        carry_out(x, m);
    }
}

// Whoever waits still is told that nobody will see to it.
static void refuse_mail(Decider *x) {
    pthread_mutex_lock(&x->lock);
    x->ended = true;
    Mail *all = x->first;
    x->first = x->last = NULL;
    pthread_mutex_unlock(&x->lock);
    while (all) {
        Mail *m = all;
        all = m->next;
        m->err = ERR_CLOSED;
        mail_over(x, m);
    }
}

// ---- the loop -----------------------------------------------------------------------------------------------------

static void sleep_until(Decider *x, int64_t next) {
    int64_t wait = REST_NS;
    if (next < INT64_MAX) {
        wait = next - decider_now(x);
        if (wait > LOOK_NS) wait = LOOK_NS;
    }
    struct timespec until = time_after(wait > REST_MIN_NS ? wait : REST_MIN_NS);
    pthread_mutex_lock(&x->lock);
    bool due = false;
    while (!due && !x->first && !x->news && !x->poked && !atomic_load(&x->stop))
        due = pthread_cond_timedwait(&x->wake, &x->lock, &until) != 0;
    pthread_mutex_unlock(&x->lock);
}

static void *loop_main(void *arg) {
    Decider *x = arg;
    deeds_poll(x, decider_now(x)); // what stood when the process ended is told before rules act
    while (!atomic_load(&x->stop)) {
        read_mail(x);
        rules_poll(x, decider_now(x));
        deeds_poll(x, decider_now(x));
        int64_t rules = rules_next(x), deeds = deeds_next(x);
        sleep_until(x, rules < deeds ? rules : deeds);
    }
    return NULL;
}

void decider_poke(Decider *x) {
    if (!x) return;
    pthread_mutex_lock(&x->lock);
    x->poked = true;
    pthread_cond_signal(&x->wake);
    pthread_mutex_unlock(&x->lock);
}

// ---- open and close -----------------------------------------------------------------------------------------------

static Decider *decider_new(Sosia *e) {
    Decider *x = mem_alloc(sizeof *x);
    x->engine = e;
    x->poked = true;
    x->revision = 1;
    x->begun_ns = time_mono_ns();
    arena_init(&x->scratch, 4096);
    pthread_mutex_init(&x->send_lock, NULL);
    pthread_mutex_init(&x->lock, NULL);
    cond_init_mono(&x->wake);
    pthread_cond_init(&x->more, NULL);
    cond_init_mono(&x->moved);
    return x;
}

Err decider_start(Sosia *e, Decider **out) {
    Decider *x = decider_new(e);
    Err err = deeds_open(x);
    if (!err) err = thread_start(&x->trier, "sosia-try", trier_main, x);
    if (!err) err = thread_start(&x->loop, "sosia-decide", loop_main, x);
    if (!err) {
        *out = x;
        return ERR_OK;
    }
    decider_stop(x);
    decider_free(x);
    return err;
}

void decider_stop(Decider *x) {
    if (!x) return;
    pthread_mutex_lock(&x->lock);
    atomic_store(&x->stop, true);
    pthread_cond_broadcast(&x->wake);
    pthread_cond_broadcast(&x->more);
    pthread_cond_broadcast(&x->moved);
    pthread_mutex_unlock(&x->lock);
    thread_join(&x->loop);
    thread_join(&x->trier);
    refuse_mail(x);
    sosia_feed_close(x->feed);
    x->feed = NULL;
}

void decider_free(Decider *x) {
    if (!x) return;
    while (x->tickets) {
        Ticket *t = x->tickets;
        x->tickets = t->next;
        mem_free(t);
    }
    rules_free(x);
    deeds_free(x);
    arena_free(&x->scratch);
    pthread_mutex_destroy(&x->send_lock);
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->wake);
    pthread_cond_destroy(&x->more);
    pthread_cond_destroy(&x->moved);
    mem_free(x);
}

Err decider_forget(Decider *x, Str twin, Str property) {
    if (!x) return ERR_OK;
    Mail m = {.kind = MAIL_FORGET, .a = twin, .b = property};
    Err err = decider_ask(x, &m);
    buf_free(&m.text);
    return err;
}

void decider_stats(Decider *x, Buf *out) {
    int64_t open = 0, waiting = 0;
    if (!x) return;
    pthread_mutex_lock(&x->lock);
    for (int32_t i = 0; i < x->count; i++) {
        open += !decision_ended(x->deeds[i]->state);
        waiting += x->deeds[i]->state == DECISION_WAITING;
    }
    int64_t kept = x->count, queued = x->queued, revision = (int64_t)x->revision;
    bool stopped = x->stopped;
    pthread_mutex_unlock(&x->lock);
    buf_printf(out, "\"kept\":%lld,\"open\":%lld,\"waiting\":%lld,\"queued\":%lld,\"revision\":%lld,\"stopped\":%d",
               (long long)kept, (long long)open, (long long)waiting, (long long)queued, (long long)revision, stopped);
    buf_printf(out, ",\"proposed\":%lld,\"sent\":%lld", (long long)atomic_load(&x->proposed),
               (long long)atomic_load(&x->sent));
}
