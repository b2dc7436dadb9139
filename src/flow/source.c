// SPDX-License-Identifier: Apache-2.0
// Sources. With rates over the day the next arrival is where the cumulative rate reaches that of the last plus an
// exponential variate of mean 1 (inversion: Cinlar 1975): one draw an arrival, and 20 % more arrivals are the same
// draws, closer together.
#include "flow/inner.h"

// ---- cumulative rates ----------------------------------------------------------------------------------------------

static double within(const Flow *f, const FlowCalendar *c, double t) {
    if (c->period == 0) return t;
    double local = f->h->week_s + t + c->offset, x = fmod(local, c->period);
    return x < 0 ? x + c->period : x;
}

// From x on within a period: time until `left` has accumulated; INFINITY when it does not before the period ends, and
// what is left then.
static double through(const Flow *f, const FlowCalendar *c, double x, double *left) {
    const double *s = f->num + c->steps.first;
    double end = c->period > 0 ? c->period : (double)INFINITY, begin = x;
    for (uint32_t k = 0; k < c->steps.count; k += 2) {
        double to = k + 2 < c->steps.count ? s[k + 2] : end;
        if (to <= x || s[k + 1] == 0) continue;
        double from = fmax(x, s[k]), mass = s[k + 1] * (to - from);
        if (*left <= mass) return from + *left / s[k + 1] - begin;
        *left -= mass;
    }
    return (double)INFINITY;
}

// What a whole period comes to.
static double period_mass(const Flow *f, const FlowCalendar *c) {
    const double *s = f->num + c->steps.first;
    double sum = 0;
    for (uint32_t k = 0; k < c->steps.count; k += 2)
        sum += s[k + 1] * ((k + 2 < c->steps.count ? s[k + 2] : c->period) - s[k]);
    return sum;
}

// Time from t until `left` has accumulated.
static double rate_wait(const Flow *f, FlowRef calendar, double t, double left) {
    const FlowCalendar *c = &f->cal[calendar - 1];
    double x = within(f, c, t), time = through(f, c, x, &left);
    if (time < (double)INFINITY || c->period == 0) return time;
    double all = period_mass(f, c);
    if (!(all > 0)) return (double)INFINITY;
    double whole = floor(left / all);
    left -= whole * all;
    time = through(f, c, 0, &left);
    if (time == (double)INFINITY) time = c->period; // by rounding
    return c->period - x + whole * c->period + time;
}

// What accumulates from a to b.
static double rate_mass(const Flow *f, FlowRef calendar, double a, double b) {
    double sum = 0;
    while (a < b) {
        double to = fmin(b, calendar_next(f, calendar, a));
        if (to <= a) break;
        sum += calendar_value(f, calendar, a) * (to - a);
        a = to;
    }
    return sum;
}

// ---- arrivals ------------------------------------------------------------------------------------------------------

// What is left up to the next arrival, at speed 1: seconds, or arrivals. A source that rests keeps it.
static void set_going(Flow *f, uint32_t node, double left) {
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    double at = f->h->now;
    if (!n->running) {
        n->gap_left = left;
        return;
    }
    if (p->rate) at += rate_wait(f, p->rate, at, left / n->speed);
    else at += left / n->speed;
    timer_set(f, timer_node(node, TIMER_MAIN), at);
}

// What it missed while it rested, it missed.
static void next_of_trace(Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    n->gap_left = n->running ? -1 : 0;
    while (n->running && n->arrivals < p->trace.count && f->num[p->trace.first + n->arrivals] < f->h->now)
        n->arrivals++;
    if (!n->running || n->arrivals == p->trace.count) return;
    timer_set(f, timer_node(node, TIMER_MAIN), f->num[p->trace.first + n->arrivals]);
}

// The next arrival is due, counted from now on.
static void schedule(Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    double left = 0;
    if (p->limit && n->arrivals >= p->limit) return;
    if (p->trace.count) {
        next_of_trace(f, node);
        return;
    }
    if (p->rate) left = -log(flow_unit(f, flow_by_node(f, node, S_GAP, n->arrivals)));
    else if (p->gap && (n->arrivals || p->first_gap))
        left = fmax(0, flow_draw(f, p->gap, flow_by_node(f, node, S_GAP, n->arrivals)) * n->scale);
    set_going(f, node, left);
}

static void make(Flow *f, uint32_t node) {
    while (f->n[node].todo && f->n[node].blocked == 0 && f->err == ERR_OK) {
        if (!flow_room(f, 1, node)) return; // model and state may have moved
        const FlowNode *p = &f->pn[node].n;
        Node *n = &f->n[node];
        node_tick(f, node);
        n->todo--;
        n->entered++;
        uint32_t i = item_new(f, node, n->made++);
        f->it[i].type = p->type;
        f->it[i].priority = p->priority;
        item_make(f, node, i);
        trace_put(f, FLOW_T_MADE, i, node);
        item_done(f, i);
    }
}

void source_timer(Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    if (n->todo == NONE) { // the time from which gaps count
        n->todo = 0;
        schedule(f, node);
        return;
    }
    double size = p->size ? rint(flow_draw(f, p->size, flow_by_node(f, node, S_SIZE, n->arrivals))) : 1;
    n->arrivals++;
    n->todo = size > 0 ? size < FLOW_ITEMS_MAX ? (uint32_t)size : FLOW_ITEMS_MAX : 0;
    make(f, node);
    if (f->n[node].todo == 0 && f->n[node].blocked == 0 && f->err == ERR_OK) schedule(f, node);
}

void source_serve(Flow *f, uint32_t node) {
    if (!f->n[node].running || f->n[node].gap_left >= 0 || f->n[node].blocked || f->n[node].todo == NONE) return;
    make(f, node);
    const Node *n = &f->n[node];
    if (n->todo || n->blocked || timer_on(f, timer_node(node, TIMER_MAIN)) || f->err != ERR_OK) return;
    schedule(f, node);
}

void source_halt(Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    uint32_t timer = timer_node(node, TIMER_MAIN);
    if (n->todo == NONE || !timer_on(f, timer)) return;
    double at = timer_at(f, timer);
    n->gap_left = p->rate ? rate_mass(f, p->rate, f->h->now, at) * n->speed : (at - f->h->now) * n->speed;
    timer_cancel(f, timer);
}

void source_go(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    double left = n->gap_left;
    n->gap_left = -1;
    if (n->todo == NONE || left < 0) return;
    if (f->pn[node].n.trace.count) next_of_trace(f, node);
    else set_going(f, node, left);
}
