// SPDX-License-Identifier: Apache-2.0
// The closed loop as embedders see it.
#include "engine/decide_inner.h"
#include "base/mem.h"
#include "base/time.h"

#define LIST_DEFAULT 100
#define LIST_MAX 1000
#define WAIT_MAX (60 * NS_PER_S)

static Err say(SosiaOut *out, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err say(SosiaOut *out, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&out->message);
    buf_vprintf(&out->message, fmt, ap);
    va_end(ap);
    return err;
}

static void begin(SosiaOut *out) {
    buf_reset(&out->body);
    buf_reset(&out->message);
}

static Str who_is(const SosiaCaller *who) { return who && who->principal.n ? who->principal : STR("local"); }

void sosia_commander(Sosia *s, SosiaCommander fn, void *ctx) {
    pthread_mutex_lock(&s->decider->send_lock);
    s->decider->commander = fn;
    s->decider->carried |= fn != NULL;
    s->decider->commander_ctx = ctx;
    pthread_mutex_unlock(&s->decider->send_lock);
}

// ---- looking --------------------------------------------------------------------------------------------------------

static bool wanted(const SosiaDecisions *d, const Deed *x, bool any, bool open, DecisionState state) {
    if (d->after && x->id >= d->after) return false;
    if (d->rule.n && !str_eq(d->rule, x->rule)) return false;
    if (d->twin.n && !str_eq(d->twin, x->twin)) return false;
    return any || (open ? !decision_ended(x->state) : x->state == state);
}

// Until the revision is a later one, the time is over, or the engine closes. Lock held.
static void wait_for_news(Decider *x, const SosiaDecisions *d) {
    struct timespec end = time_after(d->wait_ns < WAIT_MAX ? d->wait_ns : WAIT_MAX);
    bool over = d->wait_ns <= 0;
    while (!over && x->revision <= d->revision && !atomic_load(&x->stop))
        over = pthread_cond_timedwait(&x->moved, &x->lock, &end) != 0;
}

SosiaErr sosia_decisions(Sosia *s, const SosiaCaller *who, const SosiaDecisions *d, SosiaOut *out) {
    (void)who;
    Decider *x = s->decider;
    DecisionState state = DECISION_PROPOSING;
    bool any = !d->state.n, open = str_eq(d->state, STR("open")), more = false;
    int32_t limit = d->limit ? d->limit : LIST_DEFAULT, n = 0;
    begin(out);
    if (!any && !open && !decision_state_of(d->state, &state))
        return (SosiaErr)say(out, ERR_ARGUMENT, "there is no state \"%.*s\"", STR_ARG(d->state));
    if (limit < 1 || limit > LIST_MAX) return (SosiaErr)say(out, ERR_ARGUMENT, "limit is 1 to %d", LIST_MAX);
    Buf list = {0};
    pthread_mutex_lock(&x->lock);
    wait_for_news(x, d);
    for (int32_t i = x->count - 1; i >= 0 && !more; i--) {
        const Deed *deed = x->deeds[i];
        if (!deed->brief.n || !wanted(d, deed, any, open, state)) continue;
        more = n == limit;
        if (more) break;
        if (n++) buf_byte(&list, ',');
        buf_str_put(&list, buf_str(&deed->brief));
    }
    buf_printf(&out->body, "{\"revision\":%llu,\"stopped\":%s,\"more\":%s,\"value\":[", (unsigned long long)x->revision,
               x->stopped ? "true" : "false", more ? "true" : "false");
    pthread_mutex_unlock(&x->lock);
    buf_str_put(&out->body, buf_str(&list));
    buf_printf(&out->body, "]}");
    buf_free(&list);
    return SOSIA_OK;
}

void decider_list(Sosia *e, int64_t at_ns, void (*fn)(void *ctx, const DeedNote *d), void *ctx) {
    Decider *x = e->decider;
    pthread_mutex_lock(&x->lock);
    for (int32_t i = 0; i < x->count; i++) {
        const Deed *d = x->deeds[i];
        if (!d->brief.n) continue;
        DecisionState then = decision_state_at(d->steps, d->step_count, at_ns, d->state);
        fn(ctx, &(DeedNote){d->id, d->at_ns, d->sent_ns, decision_state_name(then), d->rule, d->twin});
    }
    pthread_mutex_unlock(&x->lock);
}

Err decider_show(Sosia *e, uint64_t id, Buf *out) { return deed_show(e->decider, id, out); }

static Err no_such(SosiaOut *out, uint64_t id) {
    return say(out, ERR_DECISION_NOT_FOUND, "there is no decision %llu", (unsigned long long)id);
}

SosiaErr sosia_decision(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out) {
    (void)who;
    begin(out);
    Err err = deed_show(s->decider, id, &out->body);
    if (err == ERR_DECISION_NOT_FOUND) (void)no_such(out, id);
    else if (err) (void)say(out, err, "%s", err_text(err));
    return (SosiaErr)err;
}

// ---- asking ---------------------------------------------------------------------------------------------------------

static SosiaErr ask(Sosia *s, Mail *m, SosiaOut *out) {
    begin(out);
    Err err = decider_ask(s->decider, m);
    if (!err) buf_str_put(&out->body, buf_str(&m->text));
    else if (m->text.n) (void)say(out, err, "%.*s", STR_ARG(buf_str(&m->text)));
    else (void)say(out, err, "%s", err_text(err));
    buf_free(&m->text);
    return (SosiaErr)err;
}

SosiaErr sosia_decide(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaStr verb, SosiaStr note, SosiaOut *out) {
    return ask(s, &(Mail){.kind = MAIL_DECIDE, .id = id, .a = verb, .b = note, .c = who_is(who)}, out);
}

SosiaErr sosia_propose(Sosia *s, const SosiaCaller *who, SosiaStr rule, SosiaStr twin, SosiaOut *out) {
    return ask(s, &(Mail){.kind = MAIL_PROPOSE, .a = rule, .b = twin, .c = who_is(who)}, out);
}

SosiaErr sosia_decisions_stop(Sosia *s, const SosiaCaller *who, bool stop) {
    (void)who;
    Mail m = {.kind = MAIL_STOP, .flag = stop};
    Err err = decider_ask(s->decider, &m);
    buf_free(&m.text);
    return (SosiaErr)err;
}
