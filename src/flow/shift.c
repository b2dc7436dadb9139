// SPDX-License-Identifier: Apache-2.0
// What comes from beside the items: calendars, failures and repairs, inputs. Whether a node runs follows from all of
// them; node_running brings it about.
#include "flow/inner.h"

#define STEP_S 1e-6 // steps of calendars are told apart when they are further apart than that

// ---- calendars -----------------------------------------------------------------------------------------------------

static double local_of(const Flow *f, const FlowCalendar *c, double t) {
    return c->period > 0 ? f->h->week_s + t + c->offset : t;
}

static double within(const FlowCalendar *c, double local) {
    if (c->period == 0) return local;
    double x = fmod(local, c->period);
    return x < 0 ? x + c->period : x;
}

double calendar_value(const Flow *f, FlowRef calendar, double t) {
    if (calendar == 0) return 1;
    const FlowCalendar *c = &f->cal[calendar - 1];
    const double *s = f->num + c->steps.first;
    double x = within(c, local_of(f, c, t) + STEP_S), v = s[1];
    for (uint32_t k = 2; k < c->steps.count && s[k] <= x; k += 2) v = s[k + 1];
    return v;
}

double calendar_next(const Flow *f, FlowRef calendar, double t) {
    if (calendar == 0) return (double)INFINITY;
    const FlowCalendar *c = &f->cal[calendar - 1];
    const double *s = f->num + c->steps.first;
    double x = within(c, local_of(f, c, t) + STEP_S);
    for (uint32_t k = 2; k < c->steps.count; k += 2) {
        if (s[k] > x) return t + STEP_S + (s[k] - x);
    }
    return c->period > 0 ? t + STEP_S + (c->period - x) : (double)INFINITY;
}

void shift_node(Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    if (!p->calendar && !p->staffing) return;
    node_tick(f, node);
    n->open = calendar_value(f, p->calendar, f->h->now);
    n->staff = calendar_value(f, p->staffing, f->h->now);
    double a = calendar_next(f, p->calendar, f->h->now), b = calendar_next(f, p->staffing, f->h->now);
    timer_set(f, timer_node(node, TIMER_CALENDAR), fmin(a, b));
    node_running(f, node);
    mark(f, node);
}

void shift_res(Flow *f, uint32_t r) {
    FlowRef calendar = f->pr[r].calendar;
    if (!calendar) return;
    res_tick(f, r);
    f->r[r].staff = calendar_value(f, calendar, f->h->now);
    timer_set(f, timer_res(f, r), calendar_next(f, calendar, f->h->now));
    res_mark(f, r);
}

// ---- does it run? --------------------------------------------------------------------------------------------------

static void halt(Flow *f, uint32_t node) {
    switch (f->pn[node].n.kind) {
    case FLOW_SOURCE: source_halt(f, node); break;
    case FLOW_STATION: station_halt(f, node); break;
    case FLOW_CONVEYOR: belt_update(f, node); break;
    default: break;
    }
}

static void go(Flow *f, uint32_t node) {
    switch (f->pn[node].n.kind) {
    case FLOW_SOURCE: source_go(f, node); break;
    case FLOW_STATION: station_go(f, node); break;
    case FLOW_CONVEYOR: belt_update(f, node); break;
    default: break;
    }
}

void node_running(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    const FlowNode *p = &f->pn[node].n;
    bool rests = node_closed(f, node) && (p->kind != FLOW_STATION || p->suspend);
    bool run = n->on != 0 && n->speed > 0 && n->downs == 0 && !rests;
    if (run == n->running) return;
    node_tick(f, node);
    if (n->running && p->kind != FLOW_CONVEYOR) halt(f, node);
    n->running = run;
    if (p->kind == FLOW_CONVEYOR) belt_update(f, node); // its reading as of now is taken by whether it ran
    else if (run) go(f, node);
    mark(f, node);
}

// ---- failures ------------------------------------------------------------------------------------------------------

static double mode_draw(Flow *f, uint32_t mode, bool after) {
    const PMode *p = &f->pm[mode];
    const Mode *x = &f->mode[mode];
    uint32_t k = mode - f->pn[p->node].modes;
    Draw w = flow_by_node(f, p->node, (after ? S_AFTER : S_REPAIR) | k << 8, x->count);
    double v = flow_draw(f, after ? p->f.after : p->f.repair, w) * (after ? x->after_scale : x->repair_scale);
    return v > 0 ? v : 0;
}

static void mode_up(Flow *f, uint32_t mode) {
    Mode *x = &f->mode[mode];
    x->at = MODE_UP;
    double after = mode_draw(f, mode, true);
    if (f->pm[mode].f.operating) x->left = after;
    else timer_set(f, timer_mode(f, mode), f->h->now + after);
}

bool mode_crew(Flow *f, uint32_t mode) {
    Mode *x = &f->mode[mode];
    const FlowUse *u = &f->pm[mode].f.crew;
    if (u->resource) {
        const Res *r = &f->r[u->resource - 1];
        if (r->dirty || (double)r->used + u->number > r->number * r->staff) return false;
        res_tick(f, u->resource - 1);
        f->r[u->resource - 1].used += u->number;
        f->r[u->resource - 1].seized++;
        x->crew = u->number;
    }
    x->at = MODE_REPAIR;
    timer_set(f, timer_mode(f, mode), f->h->now + mode_draw(f, mode, false));
    return true;
}

static void break_down(Flow *f, uint32_t mode) {
    uint32_t node = f->pm[mode].node;
    Mode *x = &f->mode[mode];
    node_tick(f, node);
    timer_cancel(f, timer_mode(f, mode));
    f->n[node].failures++;
    x->at = MODE_CREW;
    x->seq = f->h->seq++;
    f->n[node].downs++;
    node_running(f, node);
    if (f->pn[node].n.kind == FLOW_STATION && f->pm[mode].f.work) station_break(f, node, f->pm[mode].f.work);
    trace_put(f, FLOW_T_FAIL, NONE, node);
    (void)mode_crew(f, mode);
}

void mode_timer(Flow *f, uint32_t mode) {
    Mode *x = &f->mode[mode];
    uint32_t node = f->pm[mode].node;
    if (x->at == MODE_UP) {
        break_down(f, mode);
        return;
    }
    node_tick(f, node);
    timer_cancel(f, timer_mode(f, mode));
    x->count++;
    f->n[node].downs--;
    if (x->crew) {
        res_tick(f, f->pm[mode].f.crew.resource - 1);
        f->r[f->pm[mode].f.crew.resource - 1].used -= x->crew;
        res_mark(f, f->pm[mode].f.crew.resource - 1);
        x->crew = 0;
    }
    mode_up(f, mode);
    trace_put(f, FLOW_T_REPAIR, NONE, node);
    node_running(f, node);
}

void shift_start(Flow *f) {
    for (uint32_t i = 0; i < f->m->nodes; i++) shift_node(f, i);
    for (uint32_t i = 0; i < f->m->resources; i++) shift_res(f, i);
    for (uint32_t i = 0; i < f->m->modes; i++) mode_up(f, i);
}

// ---- inputs --------------------------------------------------------------------------------------------------------

static void set_speed(Flow *f, uint32_t node, double v) {
    Node *n = &f->n[node];
    v = v > 0 ? v : 0;
    if (n->speed == v) return;
    node_tick(f, node);
    if (f->pn[node].n.kind == FLOW_CONVEYOR) { // metres a second
        belt_update(f, node);
        n->speed = v * f->pn[node].n.speed;
        node_running(f, node);
        belt_update(f, node);
        return;
    }
    if (n->running && v > 0) {
        halt(f, node);
        n->speed = v;
        go(f, node);
        return;
    }
    if (v > 0) n->speed = v;
    else { // what was done until now, was at the speed until now
        double before = n->speed;
        n->speed = 0;
        bool runs = n->running;
        n->speed = before;
        if (runs) halt(f, node);
        n->running = false;
        n->speed = 0;
        return;
    }
    node_running(f, node);
}

static void set_mean(double mean, double described, double *scale) {
    *scale = mean > 0 && described > 0 && isfinite(described) ? mean / described : 1;
}

static void input_node(Flow *f, FlowInput what, uint32_t node, double v) {
    Node *n = &f->n[node];
    const PNode *p = &f->pn[node];
    node_tick(f, node);
    switch (what) {
    case FLOW_ON:
        n->on = v;
        node_running(f, node);
        break;
    case FLOW_SPEED: set_speed(f, node, v); break;
    case FLOW_SERVERS: n->servers = v > 0 ? v : 0; break;
    case FLOW_CAPACITY: n->capacity = p->n.kind == FLOW_CONVEYOR ? fmin(fmax(v, 0), p->capacity) : fmax(v, 0); break;
    case FLOW_SCRAP: n->scrap = fmin(fmax(v, 0), 1); break;
    case FLOW_TIME: set_mean(v, p->mean, &n->scale); break;
    case FLOW_AFTER:
        if (p->n.failures.count) set_mean(v, f->pm[p->modes].after_mean, &f->mode[p->modes].after_scale);
        break;
    case FLOW_REPAIR:
        if (p->n.failures.count) set_mean(v, f->pm[p->modes].repair_mean, &f->mode[p->modes].repair_scale);
        break;
    default: break;
    }
    mark(f, node);
}

void input_set(Flow *f, FlowInput what, uint32_t which, double v) {
    if (what == FLOW_WEIGHT) f->e[which].weight = v > 0 ? v : 0;
    else if (what == FLOW_NUMBER) {
        res_tick(f, which);
        f->r[which].number = v > 0 ? v : 0;
        res_mark(f, which);
    } else input_node(f, what, which, v);
}
