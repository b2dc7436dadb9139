// SPDX-License-Identifier: Apache-2.0
// Records as JSON. Members are written in one order; what is empty is left out, so that the same Decision gives the
// same bytes, and reading and writing them gives them again.
#include <math.h>
#include "base/time.h"
#include "decide/record.h"

static void put_key(Buf *out, const char *key) {
    char last = out->n ? out->p[out->n - 1] : 0;
    if (last != '{' && last != '[') buf_byte(out, ',');
    if (key) buf_printf(out, "\"%s\":", key);
}

static void put_open(Buf *out, const char *key, char c) {
    put_key(out, key);
    buf_byte(out, c);
}

static void put_text(Buf *out, const char *key, Str s) {
    put_key(out, key);
    json_put_str(out, s);
}

static void put_some(Buf *out, const char *key, Str s) {
    if (s.n) put_text(out, key, s);
}

static void put_raw(Buf *out, const char *key, Str json) {
    if (!json.n) return;
    put_key(out, key);
    buf_str_put(out, json);
}

static void put_whole(Buf *out, const char *key, int64_t v) {
    put_key(out, key);
    json_put_i64(out, v);
}

static void put_number(Buf *out, const char *key, double v) {
    put_key(out, key);
    json_put_f64(out, v); // NaN is null
}

static void put_flag(Buf *out, const char *key, bool v) {
    put_key(out, key);
    buf_str_put(out, v ? STR("true") : STR("false"));
}

static void put_time(Buf *out, const char *key, int64_t ns) {
    put_key(out, key);
    buf_byte(out, '"');
    time_print(ns, 9, out);
    buf_byte(out, '"');
}

static void put_when(Buf *out, const char *key, int64_t ns) {
    if (ns) put_time(out, key, ns);
}

static void put_span(Buf *out, const char *key, int64_t ns) {
    put_key(out, key);
    int64_t part = ns % NS_PER_S;
    buf_printf(out, "\"PT%lld", (long long)(ns / NS_PER_S));
    if (part) buf_printf(out, ".%09lld", (long long)part);
    buf_printf(out, "S\"");
}

static void put_numbers(Buf *out, const char *key, const double *v, int32_t n) {
    put_open(out, key, '[');
    for (int32_t i = 0; i < n; i++) put_number(out, NULL, v[i]);
    buf_byte(out, ']');
}

// ---- parts --------------------------------------------------------------------------------------------------------

static void put_trigger(const Decision *x, Buf *out) {
    put_open(out, "trigger", '{');
    put_time(out, "since", x->since_ns);
    put_time(out, "at", x->at_ns);
    put_open(out, "values", '[');
    for (int32_t i = 0; i < x->value_count; i++) {
        const DecisionValue *v = &x->values[i];
        put_open(out, NULL, '{');
        put_text(out, "twin", v->twin);
        put_text(out, "property", v->property);
        put_raw(out, "value", v->value);
        put_time(out, "time", v->time_ns);
        buf_byte(out, '}');
    }
    buf_str_put(out, STR("]}"));
}

static void put_limit(const DecisionLimit *l, int32_t replications, Buf *out) {
    put_open(out, NULL, '{');
    put_text(out, "kpi", l->kpi);
    if (!isinf(l->min)) put_number(out, "min", l->min);
    if (!isinf(l->max)) put_number(out, "max", l->max);
    put_number(out, "worst", l->worst);
    put_whole(out, "replication", l->replication);
    put_flag(out, "holds", l->holds);
    put_numbers(out, "samples", l->samples, replications);
    buf_byte(out, '}');
}

static void put_alternative(const Decision *x, const DecisionAlternative *o, Buf *out) {
    put_open(out, NULL, '{');
    put_text(out, "action", o->action);
    put_open(out, "objective", '{');
    put_number(out, "mean", o->mean);
    put_number(out, "low", o->low);
    put_number(out, "high", o->high);
    put_number(out, "gain", o->gain);
    put_number(out, "gainLow", o->gain_low);
    put_number(out, "gainHigh", o->gain_high);
    buf_byte(out, '}');
    put_numbers(out, "samples", o->samples, x->replications);
    put_open(out, "limits", '[');
    for (int32_t i = 0; i < x->limit_count; i++) put_limit(&o->limits[i], x->replications, out);
    buf_byte(out, ']');
    put_some(out, "dropped", o->dropped);
    buf_byte(out, '}');
}

static void put_tried(const Decision *x, Buf *out) {
    put_raw(out, "definition", x->definition);
    put_whole(out, "seed", (int64_t)x->seed);
    put_whole(out, "replications", x->replications);
    put_span(out, "ahead", x->ahead_ns);
    if (x->objective.n) {
        put_open(out, "objective", '{');
        put_text(out, "kpi", x->objective);
        put_text(out, "unit", x->unit);
        put_text(out, "better", x->better < 0 ? STR("less") : STR("more"));
        buf_byte(out, '}');
    }
    put_open(out, "alternatives", '[');
    for (int32_t i = 0; i < x->alternative_count; i++) put_alternative(x, &x->alternatives[i], out);
    buf_byte(out, ']');
    put_some(out, "choice", x->choice);
    put_some(out, "why", x->why);
    put_some(out, "hash", x->hash);
}

static void put_approval(const Decision *x, Buf *out) {
    if (!x->due_ns && !x->verdict_count) return;
    put_open(out, "approval", '{');
    put_when(out, "due", x->due_ns);
    put_open(out, "by", '[');
    for (int32_t i = 0; i < x->verdict_count; i++) {
        const DecisionVerdict *v = &x->verdicts[i];
        put_open(out, NULL, '{');
        put_text(out, "who", v->who);
        put_time(out, "at", v->at_ns);
        put_text(out, "verdict", v->verdict);
        put_some(out, "note", v->note);
        put_text(out, "hash", v->hash);
        buf_byte(out, '}');
    }
    buf_str_put(out, STR("]}"));
}

static void put_command(const char *key, const DecisionCommand *c, Buf *out) {
    if (!c->c.name.n) return;
    put_open(out, key, '{');
    put_text(out, "twin", c->c.twin);
    put_some(out, "component", c->c.component);
    put_text(out, "name", c->c.name);
    put_raw(out, "payload", c->c.payload);
    put_span(out, "timeout", c->c.timeout_ns);
    put_when(out, "asked", c->asked_ns);
    put_some(out, "by", c->by);
    put_when(out, "sent", c->sent_ns);
    put_when(out, "answered", c->answered_ns);
    if (c->status) put_whole(out, "status", c->status);
    put_some(out, "error", c->error);
    put_some(out, "answer", c->answer);
    buf_byte(out, '}');
}

static void put_watch(const DecisionWatch *w, Buf *out) {
    if (!w->count) return;
    put_open(out, "watch", '{');
    put_text(out, "kpi", w->kpi);
    put_text(out, "unit", w->unit);
    put_when(out, "begin", w->begin_ns);
    put_time(out, "until", w->until_ns);
    put_whole(out, "patience", w->patience);
    put_number(out, "margin", w->margin);
    put_open(out, "times", '[');
    for (int32_t i = 0; i < w->count; i++) put_time(out, NULL, w->times[i]);
    buf_byte(out, ']');
    put_numbers(out, "low", w->low, w->count);
    put_numbers(out, "high", w->high, w->count);
    put_numbers(out, "mean", w->mean, w->count);
    put_numbers(out, "seen", w->seen, w->seen_count);
    put_whole(out, "outside", w->outside);
    put_when(out, "left", w->left_ns);
    buf_byte(out, '}');
}

static void put_log(const Decision *x, Buf *out) {
    put_open(out, "log", '[');
    for (int32_t i = 0; i < x->log_count; i++) {
        put_open(out, NULL, '{');
        put_time(out, "at", x->log[i].at_ns);
        put_text(out, "what", x->log[i].what);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void put_steps(const Decision *x, Buf *out) {
    if (!x->step_count) return;
    put_open(out, "steps", '[');
    for (int32_t i = 0; i < x->step_count; i++) {
        put_open(out, NULL, '{');
        put_time(out, "at", x->steps[i].at_ns);
        put_text(out, "state", str_of(decision_state_name(x->steps[i].state)));
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void put_head(const Decision *x, Buf *out) {
    buf_byte(out, '{');
    put_whole(out, "id", (int64_t)x->id);
    put_text(out, "rule", x->rule);
    put_text(out, "state", str_of(decision_state_name(x->state)));
    put_text(out, "twin", x->twin);
    put_text(out, "mode", str_of(rule_mode_name(x->mode)));
    put_some(out, "by", x->by);
}

void decision_put(const Decision *x, Buf *out) {
    put_head(x, out);
    put_text(out, "world", x->world);
    put_whole(out, "sequence", (int64_t)x->sequence);
    put_trigger(x, out);
    put_tried(x, out);
    put_approval(x, out);
    put_command("command", &x->command, out);
    put_watch(&x->watch, out);
    put_command("rollback", &x->rollback, out);
    put_steps(x, out);
    put_log(x, out);
    put_when(out, "ended", x->ended_ns);
    buf_byte(out, '}');
}

static const DecisionAlternative *chosen(const Decision *x) {
    for (int32_t i = 0; i < x->alternative_count && x->choice.n; i++)
        if (str_eq(x->alternatives[i].action, x->choice)) return &x->alternatives[i];
    return NULL;
}

void decision_put_short(const Decision *x, Buf *out) {
    const DecisionAlternative *o = chosen(x);
    put_head(x, out);
    put_time(out, "at", x->at_ns);
    put_some(out, "choice", x->choice);
    if (o) {
        put_number(out, "gain", o->gain);
        put_number(out, "gainLow", o->gain_low);
        put_number(out, "gainHigh", o->gain_high);
        put_text(out, "unit", x->unit);
    }
    put_some(out, "why", x->why);
    if (x->state == DECISION_WAITING) put_when(out, "due", x->due_ns);
    if (x->verdict_count) put_whole(out, "verdicts", x->verdict_count);
    put_when(out, "left", x->watch.left_ns);
    put_when(out, "ended", x->ended_ns);
    buf_byte(out, '}');
}
