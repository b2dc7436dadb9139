// SPDX-License-Identifier: Apache-2.0
// What becomes of a proposal: approval, the way out, watching, undoing.
#include "engine/decide_inner.h"
#include <math.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/answer.h"
#include "engine/definition.h"

#define GRACE_NS (5 * NS_PER_S) // behind a command's time-out nobody waits for its answer any more
#define HOUR_NS (3600 * NS_PER_S)
#define SETTLE_NS (10 * NS_PER_S) // from the start on so long is waited for somebody who carries commands
#define POLL_NS (NS_PER_S / 4)    // between two tries

static void note(Decider *x, Work *w, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void note(Decider *x, Work *w, const char *fmt, ...) {
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    decision_log(&w->x, &w->keep, decider_now(x), "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&text);
}

// Durable, or soon: what could not be put is tried again.
static void keep(Decider *x, Deed *d) {
    Err err = deed_put(x, d);
    if (err) LOG(DECISION_FAILED, (unsigned long long)d->id, STR_ARG(str_of(err_text(err))));
    deed_close(x, d);
}

static void end(Decider *x, Deed *d, DecisionState state) {
    d->work->x.state = state;
    keep(x, d);
}

// ---- beginning ----------------------------------------------------------------------------------------------------

static int32_t open_count(const Decider *x) {
    int32_t n = 0;
    for (int32_t i = 0; i < x->count; i++) n += !decision_ended(x->deeds[i]->state);
    return n;
}

static bool enqueue(Decider *x, Work *w) {
    pthread_mutex_lock(&x->lock);
    bool room = x->queued < DECISION_QUEUE_MAX;
    if (room) {
        w->busy = true;
        x->queue[x->queued++] = w;
        pthread_cond_signal(&x->more);
    }
    pthread_mutex_unlock(&x->lock);
    return room;
}

static bool has_room(Decider *x) {
    pthread_mutex_lock(&x->lock);
    bool room = x->queued < DECISION_QUEUE_MAX;
    pthread_mutex_unlock(&x->lock);
    return room && open_count(x) <= DECISIONS_OPEN_MAX; // this one is counted
}

Err act_begin(Decider *x, Deed *d) {
    Work *w = d->work;
    bool room = has_room(x), asked = w->x.by.n > 0;
    if (!room && asked) {
        deed_drop(x, d);
        return ERR_BUSY;
    }
    atomic_fetch_add(&x->proposed, 1);
    if (room) note(x, w, asked ? "asked for by %.*s" : "the condition holds%.*s", STR_ARG(w->x.by));
    else {
        w->x.state = DECISION_REFUSED;
        w->x.why = STR("too much is under way: it was not looked at what could be done");
        note(x, w, "refused for being busy: %d others are under way", open_count(x) - 1);
    }
    Err err = deed_put(x, d);
    if (err) {
        LOG(DECISION_FAILED, (unsigned long long)d->id, STR_ARG(str_of(err_text(err))));
        deed_drop(x, d);
        return err;
    }
    if (room) CHECK(enqueue(x, w)); // nobody else adds
    deed_close(x, d);
    deeds_prune(x);
    return ERR_OK;
}

// ---- the way out --------------------------------------------------------------------------------------------------

static bool is_stopped(Decider *x) {
    pthread_mutex_lock(&x->lock);
    bool stopped = x->stopped;
    pthread_mutex_unlock(&x->lock);
    return stopped;
}

// Commands of the rule within the last hour, without this one.
static int32_t sent_lately(const Decider *x, const Deed *but, int64_t now) {
    int32_t n = 0;
    for (int32_t i = 0; i < x->count; i++) {
        const Deed *d = x->deeds[i];
        n += d != but && d->sent_ns && now - d->sent_ns < HOUR_NS && str_eq(d->rule, but->rule);
    }
    return n;
}

static Err ask_guard(Decider *x, const Deed *d, Str record, const RuleCommand *c, bool undo, Buf *why) {
    Diag diag;
    GuardAsk ask = {.record = record,
                    .leaving = *c,
                    .undo = undo,
                    .stopped = is_stopped(x),
                    .now_ns = decider_now(x),
                    .sent_last_hour = sent_lately(x, d, decider_now(x))};
    diag_init(&diag);
    Err err = guard_allows(&ask, &diag);
    buf_reset(why);
    if (err && diag.count) task_message_put(why, &diag.messages[0]);
    if (err && !why->n) buf_str_put(why, str_of(err_text(err)));
    diag_free(&diag);
    return err;
}

static void on_done(void *arg, SosiaErr err, int status, SosiaStr answer) {
    Ticket *t = arg;
    Decider *x = t->decider;
    pthread_mutex_lock(&x->lock);
    bool told = t->told;
    t->told = true;
    pthread_mutex_unlock(&x->lock);
    CHECK(!told); // exactly once
    Mail *m = mail_new(MAIL_ANSWER, t->id,
                       str_sub(answer, 0, answer.n < DECISION_ANSWER_MAX ? answer.n : DECISION_ANSWER_MAX));
    m->flag = t->undo;
    m->status = status;
    m->err = (Err)err;
    decider_tell(x, m);
}

static Ticket *ticket_new(Decider *x, uint64_t id, bool undo) {
    Ticket *t = mem_alloc(sizeof *t);
    *t = (Ticket){.decider = x, .id = id, .undo = undo};
    pthread_mutex_lock(&x->lock);
    t->next = x->tickets;
    x->tickets = t;
    pthread_mutex_unlock(&x->lock);
    return t;
}

// Those that were answered.
static void tickets_clear(Decider *x) {
    Ticket *over = NULL;
    pthread_mutex_lock(&x->lock);
    for (Ticket **at = &x->tickets; *at;) {
        Ticket *t = *at;
        if (!t->told) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        t->next = over;
        over = t;
    }
    pthread_mutex_unlock(&x->lock);
    while (over) {
        Ticket *t = over;
        over = t->next;
        mem_free(t);
    }
}

// Hand it over: the only way out. `record` is durable, and the guard sees the very bytes. Errors: those of the guard
// (nothing left, why tells), of the commander (nothing was sent).
static Err act_leave(Decider *x, Deed *d, const RuleCommand *c, bool undo, Buf *why) {
    Work *w = d->work;
    TRY(ask_guard(x, d, buf_str(&d->json), c, undo, why));
    Ticket *t = ticket_new(x, d->id, undo);
    w->in_flight = true;
    w->undo = undo;
    w->late_ns = decider_now(x) + c->timeout_ns + GRACE_NS;
    pthread_mutex_lock(&x->send_lock);
    Err err = !x->commander ? ERR_DEVICE_OFFLINE
                            : (Err)x->commander(x->commander_ctx, STR("live"), c->twin, c->component, c->name,
                                                c->payload, c->timeout_ns, on_done, t);
    pthread_mutex_unlock(&x->send_lock);
    if (!err) {
        atomic_fetch_add(&x->sent, 1);
        return ERR_OK;
    }
    w->in_flight = false;
    pthread_mutex_lock(&x->lock);
    t->told = true; // it never will be
    pthread_mutex_unlock(&x->lock);
    buf_reset(why);
    buf_printf(why, "%s", x->commander ? err_text(err) : "nobody carries commands here");
    return err;
}

// ---- watching -----------------------------------------------------------------------------------------------------

static void watch(Decider *x, Deed *d) {
    Work *w = d->work;
    w->x.state = DECISION_WATCHING;
    if (w->x.watch.count) band_begin(&w->x.watch, decider_now(x));
    else w->x.state = DECISION_KEPT; // there is nothing to look at
    keep(x, d);
}

// As it was at that instant: now, if that is about it; else of the past.
static double value_at(Decider *x, Work *w, int64_t at, int64_t now) {
    DecisionWatch *b = &w->x.watch;
    int64_t before = b->seen_count ? b->times[b->seen_count - 1] : b->begin_ns, step = at - before;
    double v;
    int over;
    Err err = live_kpi(x->engine, now - at < step / 2 ? 0 : at, b->kpi, &v, &over);
    if (err) return (double)NAN;
    return live_count(over, b->seen, b->seen_count, v, (double)step / 1e9);
}

static void undo_by_itself(Decider *x, Deed *d);

static void see(Decider *x, Deed *d, int64_t now) {
    Work *w = d->work;
    DecisionWatch *b = &w->x.watch;
    BandVerdict verdict = BAND_WATCHING;
    while (verdict == BAND_WATCHING && band_next(b) <= now && !atomic_load(&x->stop))
        verdict = band_see(b, value_at(x, w, band_next(b), now));
    if (verdict == BAND_LEFT) {
        note(x, w, "%.*s left the band that was foretold", STR_ARG(b->kpi));
        if (w->rule.rollback) undo_by_itself(x, d);
        else end(x, d, DECISION_LEFT);
        return;
    }
    if (verdict == BAND_KEPT) w->x.state = DECISION_KEPT;
    keep(x, d);
}

// ---- undoing ------------------------------------------------------------------------------------------------------

static const RuleAction *action_of(const Work *w) {
    int32_t i = w->ruled ? rule_action(&w->rule, w->x.choice) : 0;
    return i > 0 ? &w->rule.actions[i - 1] : NULL;
}

static bool can_undo(const Work *w) {
    const RuleAction *a = action_of(w);
    return a && a->undo.name.n && w->x.command.sent_ns && !w->x.command.error.n && !w->x.rollback.asked_ns;
}

// Durable first, as for what it undoes. Errors: those of deed_put and act_leave: then nothing has left.
static Err undo(Decider *x, Deed *d, Str by, Buf *why) {
    Work *w = d->work;
    Decision was = w->x;
    w->x.rollback.c = action_of(w)->undo;
    w->x.rollback.asked_ns = decider_now(x);
    w->x.rollback.sent_ns = w->x.rollback.asked_ns;
    w->x.rollback.by = arena_str(&w->keep, by);
    note(x, w, by.n ? "%.*s has it undone" : "it is undone%.*s", STR_ARG(by));
    Err err = deed_put(x, d);
    if (err) {
        w->x = was;
        w->dirty = false;
        return err;
    }
    err = act_leave(x, d, &w->x.rollback.c, true, why);
    if (!err) return ERR_OK;
    w->x.rollback = (DecisionCommand){0}; // it may be asked for again
    note(x, w, "nothing was sent to undo it: %.*s", STR_ARG(buf_str(why)));
    keep(x, d);
    return err;
}

static void undo_by_itself(Decider *x, Deed *d) {
    Buf why = {0};
    if (!can_undo(d->work)) {
        note(x, d->work, "there is nothing to undo it with");
        end(x, d, DECISION_LEFT);
    } else if (undo(x, d, (Str){0}, &why)) {
        end(x, d, DECISION_LEFT);
    }
    buf_free(&why);
}

// ---- sending ------------------------------------------------------------------------------------------------------

// Nothing has left.
static void not_sent(Decider *x, Deed *d, Err err, Str why) {
    Work *w = d->work;
    w->x.command.sent_ns = 0;
    w->x.command.error = str_of(err_wire(err));
    note(x, w, "nothing was sent: %.*s", STR_ARG(why));
    end(x, d, err == ERR_NOT_ALLOWED && is_stopped(x) ? DECISION_STOPPED : DECISION_FAILED);
}

// The process has just begun, and nobody who carries commands has come yet.
static bool settling(Decider *x) {
    pthread_mutex_lock(&x->send_lock);
    bool carried = x->carried;
    pthread_mutex_unlock(&x->send_lock);
    return !carried && time_mono_ns() - x->begun_ns < SETTLE_NS;
}

static void send(Decider *x, Deed *d) {
    Work *w = d->work;
    Buf why = {0};
    if (!w->x.command.c.name.n) {
        note(x, w, "there is no command: people do it");
        watch(x, d);
        return;
    }
    if (settling(x)) { // deeds_poll comes back to it
        if (d->state != DECISION_APPROVED) keep(x, d);
        return;
    }
    w->x.state = DECISION_SENDING;
    w->x.command.sent_ns = decider_now(x);
    note(x, w, "command %.*s to %.*s", STR_ARG(w->x.command.c.name), STR_ARG(w->x.command.c.twin));
    Err err = deed_put(x, d);
    if (err) { // nothing leaves that is not durable; deeds_poll comes back to it
        w->x.state = DECISION_APPROVED;
        w->x.command.sent_ns = 0;
        return;
    }
    err = act_leave(x, d, &w->x.command.c, false, &why);
    if (err) not_sent(x, d, err, buf_str(&why));
    buf_free(&why);
}

static void take_answer(Work *w, DecisionCommand *c, const Mail *m, int64_t now) {
    c->answered_ns = now;
    c->status = m->status;
    c->error = m->err ? str_of(err_wire(m->err)) : (Str){0};
    c->answer = arena_str(&w->keep, m->a);
    w->in_flight = false;
}

// The device's word; of one that ended meanwhile it is not wanted any more.
void act_answer(Decider *x, const Mail *m) {
    Deed *d = deed_find(x, m->id);
    Work *w = d ? d->work : NULL;
    tickets_clear(x);
    if (!w || w->busy || !w->in_flight || w->undo != m->flag) return;
    DecisionCommand *c = m->flag ? &w->x.rollback : &w->x.command;
    take_answer(w, c, m, decider_now(x));
    Str said = answer_words(c->answer, &w->keep);
    if (m->err && said.n) note(x, w, "%s: %.*s", err_text(m->err), STR_ARG(said));
    else if (m->err) note(x, w, "%s", err_text(m->err));
    else note(x, w, "the device has done it (%d)", m->status);
    if (m->err) end(x, d, m->err == ERR_CLOSED ? DECISION_UNKNOWN : DECISION_FAILED);
    else if (m->flag) end(x, d, DECISION_ROLLED_BACK);
    else watch(x, d);
}

// ---- behind trying, and people ------------------------------------------------------------------------------------

static void wait_for_people(Decider *x, Deed *d) {
    Work *w = d->work;
    w->x.due_ns = decider_now(x) + w->rule.within_ns;
    keep(x, d);
}

void act_tried(Decider *x, Deed *d) {
    Work *w = d->work;
    if (deed_erased(d)) {
        note(x, w, "a twin that it names was erased");
        end(x, d, DECISION_FAILED);
    } else if (w->failed.n) {
        w->x.why = w->failed;
        note(x, w, "it could not be computed: %.*s", STR_ARG(w->failed));
        end(x, d, DECISION_FAILED);
    } else if (w->x.state != DECISION_WAITING) {
        keep(x, d);
    } else if (w->x.mode == RULE_SHADOW) {
        end(x, d, DECISION_SHADOW);
    } else if (w->x.mode == RULE_AUTO) {
        w->x.state = DECISION_APPROVED;
        send(x, d);
    } else {
        wait_for_people(x, d);
    }
}

static Err say(Buf *why, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err say(Buf *why, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(why);
    buf_vprintf(why, fmt, ap);
    va_end(ap);
    return err;
}

// Errors: DECISION_STATE, those of deed_put: then it is as it was.
static Err verdict(Decider *x, Deed *d, const Mail *m, Buf *why) {
    Work *w = d->work;
    if (!w || w->busy || w->x.state != DECISION_WAITING || decider_now(x) >= w->x.due_ns)
        return say(why, ERR_DECISION_STATE, "it does not wait for approval: it is %s", decision_state_name(d->state));
    if (str_eq(m->a, STR("approve")) && is_stopped(x))
        return say(why, ERR_DECISION_STATE, "sending is stopped: resume it first (sosia decisions resume)");
    Decision was = w->x;
    Err err = decision_verdict(&w->x, &w->keep, m->c, m->a, m->b, decider_now(x));
    if (err) return say(why, ERR_DECISION_STATE, "%.*s has said already what is to become of it", STR_ARG(m->c));
    int32_t approvals = decision_approvals(&w->x);
    if (approvals < 0) w->x.state = DECISION_REFUSED;
    else if (approvals >= w->rule.people) w->x.state = DECISION_APPROVED;
    err = deed_put(x, d);
    if (err) {
        w->x = was;
        w->dirty = false;
        return say(why, err, "%s", err_text(err));
    }
    if (w->x.state == DECISION_APPROVED) send(x, d);
    else deed_close(x, d);
    return ERR_OK;
}

static Err roll_back(Decider *x, Deed *d, const Mail *m, Buf *why) {
    bool after = d->state == DECISION_WATCHING || d->state == DECISION_KEPT || d->state == DECISION_LEFT ||
                 d->state == DECISION_UNKNOWN;
    if (!after)
        return say(why, ERR_DECISION_STATE, "it is %s: only what was sent can be undone",
                   decision_state_name(d->state));
    TRY(deed_load(x, d));
    Err err = ERR_OK;
    if (d->work->in_flight || d->work->x.rollback.asked_ns)
        err = say(why, ERR_DECISION_STATE, "that was asked for already");
    else if (!can_undo(d->work))
        err = say(why, ERR_DECISION_STATE, "nothing was sent, or the rule says nothing to undo it with");
    else err = undo(x, d, m->c, why);
    if (err && !why->n) buf_str_put(why, str_of(err_text(err)));
    deed_close(x, d);
    return err == ERR_NOT_ALLOWED ? ERR_DECISION_STATE : err;
}

Err act_decide(Decider *x, const Mail *m, Buf *why) {
    Deed *d = deed_find(x, m->id);
    bool undoes = str_eq(m->a, STR("rollback"));
    if (!d) return say(why, ERR_DECISION_NOT_FOUND, "there is no decision %llu", (unsigned long long)m->id);
    if (!undoes && !str_eq(m->a, STR("approve")) && !str_eq(m->a, STR("refuse")))
        return say(why, ERR_ARGUMENT, "a decision is approved, refused or rolled back (approve, refuse, rollback)");
    if (m->b.n > DECISION_NOTE_MAX) return say(why, ERR_ARGUMENT, "a note has at most %d bytes", DECISION_NOTE_MAX);
    return undoes ? roll_back(x, d, m, why) : verdict(x, d, m, why);
}

// ---- time ---------------------------------------------------------------------------------------------------------

// Nobody, or not everybody, has answered in time.
static void expire(Decider *x, Deed *d) {
    Work *w = d->work;
    bool soon = decider_now(x) - w->x.due_ns <= GUARD_SEND_NS; // the process may not have been there
    bool acts = w->rule.else_act && !w->x.by.n && soon, stands = !acts || rules_stand(x, w->x.rule, w->x.definition);
    if (acts && stands) {
        w->x.state = DECISION_APPROVED;
        note(x, w, "nobody refused in time: it is done");
        send(x, d);
    } else {
        note(x, w, "nobody approved in time%s", stands ? "" : ", and the rule is not what it was");
        end(x, d, DECISION_EXPIRED);
    }
}

static void late(Decider *x, Deed *d) {
    Mail m = {.id = d->id, .flag = d->work->undo, .err = ERR_DEVICE, .a = STR("no answer came in time")};
    act_answer(x, &m);
}

static void poll_one(Decider *x, Deed *d, int64_t now) {
    Work *w = d->work;
    if (!w || w->busy) return;
    if (w->dirty && time_mono_ns() < w->try_ns) return;
    if (w->x.state == DECISION_APPROVED) send(x, d);
    else if (w->dirty) keep(x, d);
    else if (w->in_flight && now >= w->late_ns) late(x, d);
    else if (w->in_flight) return;
    else if (w->x.state == DECISION_WAITING && now >= w->x.due_ns) expire(x, d);
    else if (w->x.state == DECISION_WATCHING && band_next(&w->x.watch) <= now) see(x, d, now);
    else deed_close(x, d);
}

void deeds_poll(Decider *x, int64_t now) {
    for (int32_t i = 0; i < x->count; i++) poll_one(x, x->deeds[i], now);
}

int64_t deeds_next(const Decider *x) {
    int64_t next = INT64_MAX;
    for (int32_t i = 0; i < x->count; i++) {
        const Work *w = x->deeds[i]->work;
        if (!w || w->busy) continue;
        int64_t due = INT64_MAX;
        if (w->dirty || w->x.state == DECISION_APPROVED) due = decider_now(x) + POLL_NS;
        else if (w->in_flight) due = w->late_ns;
        else if (w->x.state == DECISION_WAITING) due = w->x.due_ns;
        else if (w->x.state == DECISION_WATCHING) due = band_next(&w->x.watch);
        if (due < next) next = due;
    }
    return next;
}

// ---- after a restart ----------------------------------------------------------------------------------------------

void act_resume(Decider *x, Deed *d) {
    Work *w = d->work;
    w->dirty = true; // deeds_poll puts it
    if (!w->ruled) {
        w->x.state = DECISION_FAILED;
        note(x, w, "its rule cannot be read any more");
    } else if (w->x.state == DECISION_PROPOSING) {
        w->x.state = DECISION_FAILED;
        w->x.why = STR("the process ended before it was computed");
        note(x, w, "the process ended before it was computed");
    } else if (w->x.state == DECISION_SENDING) {
        w->x.state = DECISION_UNKNOWN;
        note(x, w, "the process ended while it was sent: nobody knows whether the device has it; it is not sent again");
    } else if (w->x.rollback.sent_ns && !w->x.rollback.answered_ns) {
        w->x.state = DECISION_UNKNOWN;
        note(x, w, "the process ended while the undoing was sent: it is not sent again");
    } else {
        w->dirty = false;
    }
    if (w->dirty && !w->x.ended_ns) w->x.ended_ns = decider_now(x);
}
