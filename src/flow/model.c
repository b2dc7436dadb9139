// SPDX-License-Identifier: Apache-2.0
// From a description to a model: checked, copied into one block, with what follows from it.
#include <stdio.h>
#include "base/mem.h"
#include "flow/inner.h"

typedef struct Make {
    const FlowDef *def;
    Diag *d;
} Make;

static Err wrong(const Make *x, Str where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static Err wrong(const Make *x, Str where, const char *fmt, ...) {
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    Err e = diag_add(x->d, ERR_VALIDATION, -1, -1, where, "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&text);
    return e;
}

// ---- checks --------------------------------------------------------------------------------------------------------

static Err range_good(const Make *x, Str where, const char *what, FlowRange r, uint32_t count) {
    if ((uint64_t)r.first + r.count <= count) return ERR_OK;
    return wrong(x, where, "%s: there are only %u", what, count);
}

static Err ref_good(const Make *x, Str where, const char *what, FlowRef r, uint32_t count) {
    return r <= count ? ERR_OK : wrong(x, where, "%s: there is no number %u", what, r - 1);
}

static Err amount(const Make *x, Str where, const char *what, double v, bool finite) {
    if (v >= 0 && (!finite || isfinite(v))) return ERR_OK;
    return wrong(x, where, "%s is %g, and must be 0 or more", what, v);
}

static Err table_good(const Make *x, Str where, const FlowDist *d) {
    const double *t = x->def->numbers + d->table.first;
    TRY(range_good(x, where, "table of a distribution", d->table, x->def->number_count));
    if (d->table.count == 0) return wrong(x, where, "its table is empty");
    if (d->kind == FLOW_PICK) {
        for (uint32_t i = 0; i < d->table.count; i++) {
            bool good = t[i] >= 1 && t[i] <= x->def->dist_count && t[i] == floor(t[i]);
            if (!good || x->def->dists[(uint32_t)t[i] - 1].kind == FLOW_PICK)
                return wrong(x, where, "entry %u of its table is no distribution, or picks one itself", i);
        }
        return ERR_OK;
    }
    double sum = 0;
    if (d->table.count % 2) return wrong(x, where, "a value of its table has no weight");
    for (uint32_t i = 0; i < d->table.count; i += 2) {
        if (!isfinite(t[i]) || !(t[i + 1] >= 0)) return wrong(x, where, "value %u of its table is not good", i / 2);
        sum += t[i + 1];
    }
    return sum > 0 && isfinite(sum) ? ERR_OK : wrong(x, where, "the weights of its table come to %g", sum);
}

// NULL: good.
static const char *dist_wrong(const FlowDist *d, uint32_t attributes) {
    if (!isfinite(d->a) || !isfinite(d->b) || !isfinite(d->c)) return "a parameter is not finite";
    switch (d->kind) {
    case FLOW_CONST: return NULL;
    case FLOW_UNIFORM: return d->a <= d->b ? NULL : "it ends before it begins";
    case FLOW_EXPONENTIAL:
    case FLOW_POISSON: return d->a >= 0 ? NULL : "its mean is negative";
    case FLOW_NORMAL: return d->a >= 0 && d->b >= 0 ? NULL : "its mean or deviation is negative";
    case FLOW_LOGNORMAL: return d->a > 0 && d->b >= 0 ? NULL : "its mean must be more than 0, its deviation not less";
    case FLOW_GAMMA:
    case FLOW_WEIBULL: return d->a >= 0 && d->b > 0 ? NULL : "its shape must be more than 0";
    case FLOW_TRIANGULAR: return d->a <= d->b && d->b <= d->c ? NULL : "its low, most often and high do not ascend";
    case FLOW_GEOMETRIC: return d->a > 0 && d->a <= 1 && d->b >= 0 ? NULL : "its probability is not within 0 and 1";
    case FLOW_EMPIRICAL: return NULL;
    case FLOW_ATTRIBUTE:
        return d->a >= 0 && d->a < attributes && d->a == floor(d->a) ? NULL : "there is no such attribute";
    case FLOW_PICK: return d->a >= -1 && d->a < attributes && d->a == floor(d->a) ? NULL : "there is no such attribute";
    }
    return "it is of an unknown kind";
}

static Err dists_good(const Make *x) {
    for (uint32_t i = 0; i < x->def->dist_count; i++) {
        char name[40];
        const FlowDist *d = &x->def->dists[i];
        snprintf(name, sizeof name, "distribution %u", i);
        const char *why = dist_wrong(d, x->def->attributes);
        if (why) return wrong(x, str_of(name), "%s", why);
        if (d->kind == FLOW_EMPIRICAL || d->kind == FLOW_PICK) TRY(table_good(x, str_of(name), d));
    }
    return ERR_OK;
}

static Err calendars_good(const Make *x) {
    for (uint32_t i = 0; i < x->def->calendar_count; i++) {
        char name[40];
        const FlowCalendar *c = &x->def->calendars[i];
        snprintf(name, sizeof name, "calendar %u", i);
        Str at = str_of(name);
        TRY(amount(x, at, "its period", c->period, true));
        TRY(range_good(x, at, "steps", c->steps, x->def->number_count));
        const double *s = x->def->numbers + c->steps.first;
        if (c->steps.count < 2 || c->steps.count % 2) return wrong(x, at, "its steps are not pairs of time and value");
        if (s[0] != 0 || !isfinite(c->offset)) return wrong(x, at, "its first step must be at 0");
        for (uint32_t k = 0; k < c->steps.count; k += 2) {
            bool order = k == 0 || s[k] > s[k - 2], within = c->period == 0 || s[k] < c->period;
            if (!order || !within) return wrong(x, at, "its steps do not ascend within its period");
            TRY(amount(x, at, "a value", s[k + 1], true));
        }
    }
    return ERR_OK;
}

static Err uses_good(const Make *x, Str at, FlowRange r, const char *what) {
    TRY(range_good(x, at, what, r, x->def->use_count));
    for (uint32_t i = 0; i < r.count; i++) {
        FlowRef res = x->def->uses[r.first + i].resource;
        if (res == 0 || res > x->def->resource_count) return wrong(x, at, "%s: there is no such resource", what);
        for (uint32_t k = 0; k < i; k++) {
            if (x->def->uses[r.first + k].resource == res) return wrong(x, at, "%s: a resource is there twice", what);
        }
    }
    return ERR_OK;
}

// Its name, or its number.
static Str node_name(const Make *x, uint32_t k, char room[40]) {
    snprintf(room, 40, "node %u", k);
    return x->def->nodes[k].name.n ? x->def->nodes[k].name : str_of(room);
}

static Err source_good(const Make *x, const FlowNode *n, Str at) {
    int ways = (n->gap != 0) + (n->rate != 0) + (n->trace.count != 0);
    TRY(ref_good(x, at, "gap", n->gap, x->def->dist_count));
    TRY(ref_good(x, at, "rate", n->rate, x->def->calendar_count));
    TRY(ref_good(x, at, "size", n->size, x->def->dist_count));
    TRY(range_good(x, at, "trace", n->trace, x->def->number_count));
    TRY(amount(x, at, "the time of its first arrival", n->first, true));
    if (ways > 1) return wrong(x, at, "it has more than one of gap, rate and trace");
    for (uint32_t i = 0; i < n->trace.count; i++) {
        const double *t = x->def->numbers + n->trace.first + i;
        TRY(amount(x, at, "a time of its trace", *t, true));
        if (i && t[0] < t[-1]) return wrong(x, at, "the times of its trace do not ascend");
    }
    if (n->initial) return wrong(x, at, "a source has nothing inside at the start");
    return ERR_OK;
}

static Err one_server(const Make *x, const FlowNode *n, Str at, bool has, const char *what) {
    if (!has || n->servers == 0 || n->servers == 1) return ERR_OK;
    return wrong(x, at, "%s need a station with one server, and it has %g", what, n->servers);
}

static Err failures_good(const Make *x, const FlowNode *n, Str at) {
    TRY(range_good(x, at, "failures", n->failures, x->def->failure_count));
    for (uint32_t i = 0; i < n->failures.count; i++) {
        const FlowFailure *f = &x->def->failures[n->failures.first + i];
        if (f->after == 0 || f->repair == 0) return wrong(x, at, "a failure needs both: after, and repair");
        TRY(ref_good(x, at, "after", f->after, x->def->dist_count));
        TRY(ref_good(x, at, "repair", f->repair, x->def->dist_count));
        TRY(ref_good(x, at, "crew", f->crew.resource, x->def->resource_count));
        TRY(one_server(x, n, at, f->operating && n->kind == FLOW_STATION, "failures that count time at work"));
        if (f->operating && n->kind != FLOW_STATION) return wrong(x, at, "only stations count time at work");
    }
    return ERR_OK;
}

static Err station_refs_good(const Make *x, const FlowNode *n, Str at) {
    uint32_t dists = x->def->dist_count;
    TRY(ref_good(x, at, "service", n->service, dists));
    TRY(ref_good(x, at, "initial service", n->initial_service, dists));
    TRY(ref_good(x, at, "setup", n->setup, dists));
    TRY(ref_good(x, at, "patience", n->patience, dists));
    TRY(ref_good(x, at, "balk", n->balk, dists));
    TRY(ref_good(x, at, "copies", n->copies, dists));
    TRY(ref_good(x, at, "staffing", n->staffing, x->def->calendar_count));
    TRY(uses_good(x, at, n->seize, "seize"));
    TRY(uses_good(x, at, n->release, "release"));
    TRY(uses_good(x, at, n->held, "held"));
    return range_good(x, at, "setups", n->setups, x->def->number_count);
}

static Err station_good(const Make *x, const FlowNode *n, Str at) {
    uint32_t types = x->def->types ? x->def->types : 1, many = n->batch > 1 || n->assemble;
    TRY(station_refs_good(x, n, at));
    TRY(amount(x, at, "its number of servers", n->servers, false));
    TRY(one_server(x, n, at, n->setup || n->setups.count, "setups"));
    if (n->setups.count && n->setups.count != types * types)
        return wrong(x, at, "its table of setups has %u numbers, and %u types need %u", n->setups.count, types,
                     types * types);
    for (uint32_t i = 0; i < n->setups.count; i++)
        TRY(amount(x, at, "a setup", x->def->numbers[n->setups.first + i], true));
    if (many && n->discipline != FLOW_FIFO)
        return wrong(x, at, "batches and assemblies are taken first come, first served");
    if (many && n->preempt) return wrong(x, at, "a batch or assembly cannot be pre-empted");
    if (n->batch > 1 && n->assemble) return wrong(x, at, "it is a batch or an assembly, not both");
    if (n->batch > 1 && n->bounded && n->capacity < n->batch)
        return wrong(x, at, "its capacity of %g never holds a batch of %u", n->capacity, n->batch);
    if (n->preempt && n->hold) return wrong(x, at, "who holds on to resources cannot be pre-empted");
    return ERR_OK;
}

static Err conveyor_good(const Make *x, const FlowNode *n, Str at) {
    if (!(n->length > 0) || !isfinite(n->length)) return wrong(x, at, "its length is %g m", n->length);
    if (!(n->speed > 0) || !isfinite(n->speed)) return wrong(x, at, "its speed is %g m/s", n->speed);
    if (!(n->spacing >= 0) || n->spacing > n->length) return wrong(x, at, "an item takes %g m of it", n->spacing);
    if (n->spacing == 0 && !(n->bounded && n->capacity >= 1))
        return wrong(x, at, "it needs a spacing, or a capacity of 1 or more");
    return ERR_OK;
}

static Err node_good(const Make *x, uint32_t k) {
    const FlowNode *n = &x->def->nodes[k];
    char name[40];
    Str at = node_name(x, k, name);
    if (n->kind > FLOW_SINK || n->discipline > FLOW_DUE || n->route > FLOW_TURN || n->preempt > FLOW_PREEMPT_RESTART)
        return wrong(x, at, "it is of an unknown kind");
    TRY(range_good(x, at, "sets", n->sets, x->def->set_count));
    TRY(failures_good(x, n, at));
    TRY(ref_good(x, at, "calendar", n->calendar, x->def->calendar_count));
    if (n->bounded) TRY(amount(x, at, "its capacity", n->capacity, false));
    if (n->kind == FLOW_BUFFER && n->bounded && n->capacity < 1)
        return wrong(x, at, "a buffer that holds nothing: leave it out");
    TRY(amount(x, at, "its scrap", n->scrap, true));
    if (n->scrap > 1) return wrong(x, at, "its scrap is %g, and a part is at most 1", n->scrap);
    uint32_t types = x->def->types ? x->def->types : 1;
    if (n->type >= types || n->initial_type >= types) return wrong(x, at, "there is no such type of items");
    if (n->levels > FLOW_LEVELS_MAX)
        return diag_add(x->d, ERR_LIMIT, -1, -1, at, "it keeps %u levels, and %d are the most", n->levels,
                        FLOW_LEVELS_MAX);
    if (n->kind == FLOW_SINK && n->initial) return wrong(x, at, "a sink has nothing inside at the start");
    if (n->low && n->low >= n->high) return wrong(x, at, "its low (%u) is not below its high (%u)", n->low, n->high);
    if (!(n->target >= 0)) return wrong(x, at, "its target is %g s", n->target);
    if (!(n->initial_age >= 0) || !isfinite(n->initial_age))
        return wrong(x, at, "who is there at the start is %g s old", n->initial_age);
    if (n->initial > FLOW_ITEMS_MAX)
        return diag_add(x->d, ERR_LIMIT, -1, -1, at, "it begins with %u items, and %d are the most", n->initial,
                        FLOW_ITEMS_MAX);
    if (n->kind == FLOW_SOURCE) return source_good(x, n, at);
    if (n->kind == FLOW_CONVEYOR) return conveyor_good(x, n, at);
    return n->kind == FLOW_STATION ? station_good(x, n, at) : ERR_OK;
}

static Err sets_good(const Make *x) {
    for (uint32_t i = 0; i < x->def->set_count; i++) {
        const FlowSet *s = &x->def->sets[i];
        if (s->dist == 0 || s->dist > x->def->dist_count) return wrong(x, STR("sets"), "number %u sets no value", i);
        if (s->of == FLOW_SET_ATTRIBUTE && s->attribute >= x->def->attributes)
            return wrong(x, STR("sets"), "number %u: there is no such attribute", i);
    }
    return ERR_OK;
}

static Err edges_good(const Make *x, uint32_t *outs) {
    for (uint32_t i = 0; i < x->def->edge_count; i++) {
        const FlowEdge *e = &x->def->edges[i];
        char name[40];
        if (e->from >= x->def->node_count || e->to >= x->def->node_count)
            return wrong(x, STR("edges"), "number %u ends at no node", i);
        Str at = node_name(x, e->from, name);
        if (x->def->nodes[e->to].kind == FLOW_SOURCE) return wrong(x, at, "it leads to a source");
        if (x->def->nodes[e->from].kind == FLOW_SINK) return wrong(x, at, "it leads out of a sink");
        TRY(amount(x, at, "the weight of a way", e->weight, true));
        TRY(ref_good(x, at, "travel", e->travel, x->def->dist_count));
        if (e->test > FLOW_GE || e->subject > FLOW_OF_INSIDE) return wrong(x, at, "its test is of an unknown kind");
        if (e->test && e->subject == FLOW_OF_ATTRIBUTE && e->attribute >= x->def->attributes)
            return wrong(x, at, "its test is of an attribute that items do not have");
        outs[e->from]++;
    }
    for (uint32_t i = 0; i < x->def->node_count; i++) {
        const FlowNode *n = &x->def->nodes[i];
        char name[40];
        Str at = node_name(x, i, name);
        if (n->kind != FLOW_SINK && outs[i] <= (n->instead != 0)) return wrong(x, at, "it leads nowhere");
        if (n->instead > outs[i]) return wrong(x, at, "`instead` is way %u, and it has %u", n->instead, outs[i]);
    }
    return ERR_OK;
}

static Err limits_good(const Make *x) {
    const FlowDef *d = x->def;
    const uint32_t counts[] = {d->node_count, d->edge_count, d->resource_count, d->calendar_count,   d->dist_count,
                               d->use_count,  d->set_count,  d->failure_count,  d->number_count / 16};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i] > FLOW_NODES_MAX)
            return diag_add(x->d, ERR_LIMIT, -1, -1, STR("flow"), "it has more than %d of nodes, ways or tables",
                            FLOW_NODES_MAX);
    }
    if (d->types > FLOW_TYPES_MAX)
        return diag_add(x->d, ERR_LIMIT, -1, -1, STR("flow"), "it has %u types of items, and %d are the most", d->types,
                        FLOW_TYPES_MAX);
    if (d->attributes > FLOW_ATTRIBUTES_MAX)
        return diag_add(x->d, ERR_LIMIT, -1, -1, STR("flow"), "its items have %u attributes, and %d are the most",
                        d->attributes, FLOW_ATTRIBUTES_MAX);
    return ERR_OK;
}

static Err resources_good(const Make *x) {
    for (uint32_t i = 0; i < x->def->resource_count; i++) {
        const FlowResource *r = &x->def->resources[i];
        TRY(amount(x, r->name, "its number", r->number, true));
        TRY(ref_good(x, r->name, "calendar", r->calendar, x->def->calendar_count));
    }
    return ERR_OK;
}

static Err all_good(const Make *x) {
    TRY(limits_good(x));
    TRY(dists_good(x));
    TRY(calendars_good(x));
    TRY(sets_good(x));
    TRY(resources_good(x));
    for (uint32_t i = 0; i < x->def->node_count; i++) TRY(node_good(x, i));
    uint32_t *outs = mem_alloc((x->def->node_count + 1) * sizeof *outs);
    Err e = edges_good(x, outs);
    mem_free(outs);
    return e;
}

// ---- the block -----------------------------------------------------------------------------------------------------

static size_t take(size_t *at, size_t size) {
    size_t here = *at;
    *at += (size + 63) & ~(size_t)63;
    return here;
}

static size_t names_size(const FlowDef *d) {
    size_t n = 0;
    for (uint32_t i = 0; i < d->node_count; i++) n += (size_t)d->nodes[i].name.n;
    for (uint32_t i = 0; i < d->resource_count; i++) n += (size_t)d->resources[i].name.n;
    return n;
}

static uint32_t modes_of(const FlowDef *d) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->node_count; i++) n += d->nodes[i].failures.count;
    return n;
}

static size_t users_of(const FlowDef *d) {
    size_t n = 0;
    for (uint32_t i = 0; i < d->node_count; i++) n += d->nodes[i].seize.count + d->nodes[i].failures.count;
    return n;
}

static void layout(const FlowDef *d, FlowModel *m) {
    size_t at = 0;
    take(&at, sizeof *m);
    m->nodes = d->node_count;
    m->edges = d->edge_count;
    m->resources = d->resource_count;
    m->calendars = d->calendar_count;
    m->dists = d->dist_count;
    m->uses = d->use_count;
    m->modes = modes_of(d);
    m->sets = d->set_count;
    m->numbers = d->number_count;
    m->types = d->types ? d->types : 1;
    m->attributes = d->attributes;
    m->node_at = take(&at, m->nodes * sizeof(PNode));
    m->edge_at = take(&at, m->edges * sizeof(FlowEdge));
    m->out_at = take(&at, m->edges * sizeof(uint32_t));
    m->in_at = take(&at, m->edges * sizeof(uint32_t));
    m->resource_at = take(&at, m->resources * sizeof(FlowResource));
    m->calendar_at = take(&at, m->calendars * sizeof(FlowCalendar));
    m->dist_at = take(&at, m->dists * sizeof(PDist));
    m->use_at = take(&at, m->uses * sizeof(FlowUse));
    m->mode_at = take(&at, m->modes * sizeof(PMode));
    m->set_at = take(&at, m->sets * sizeof(FlowSet));
    m->number_at = take(&at, m->numbers * sizeof(double));
    m->user_ptr_at = take(&at, ((size_t)m->resources + 1) * sizeof(uint32_t));
    m->user_at = take(&at, users_of(d) * sizeof(uint32_t));
    m->name_ptr_at = take(&at, ((size_t)m->nodes + m->resources + 1) * sizeof(uint64_t));
    m->name_at = take(&at, names_size(d));
    m->size = at;
}

static void *in(FlowModel *m, size_t at) { return (char *)m + at; }

static void copy(FlowModel *m, size_t at, const void *from, size_t size) {
    if (size) memcpy(in(m, at), from, size);
}

static void put_names(FlowModel *m, const FlowDef *d) {
    uint64_t *ptr = in(m, m->name_ptr_at), n = 0;
    for (uint32_t i = 0; i < m->nodes + m->resources; i++) {
        Str s = i < m->nodes ? d->nodes[i].name : d->resources[i - m->nodes].name;
        ptr[i] = n;
        copy(m, m->name_at + n, s.p, (size_t)s.n);
        n += (uint64_t)s.n;
    }
    ptr[m->nodes + m->resources] = n;
    FlowResource *r = in(m, m->resource_at);
    for (uint32_t i = 0; i < m->resources; i++) r[i].name = (Str){0};
}

// Edges by their beginnings and ends, in order.
static void put_edges(FlowModel *m) {
    PNode *p = in(m, m->node_at);
    const FlowEdge *e = in(m, m->edge_at);
    uint32_t *out = in(m, m->out_at), *into = in(m, m->in_at), o = 0, i = 0;
    for (uint32_t k = 0; k < m->edges; k++) {
        p[e[k].from].outs++;
        p[e[k].to].ins++;
    }
    for (uint32_t k = 0; k < m->nodes; k++) {
        p[k].out = o;
        p[k].in = i;
        o += p[k].outs;
        i += p[k].ins;
        p[k].outs = p[k].ins = 0;
    }
    for (uint32_t k = 0; k < m->edges; k++) {
        PNode *a = &p[e[k].from], *b = &p[e[k].to];
        out[a->out + a->outs++] = k;
        into[b->in + b->ins++] = k;
        if (a->n.route == FLOW_FIRST) b->any_in = true;
    }
}

static void put_modes(FlowModel *m, const FlowDef *d) {
    PNode *p = in(m, m->node_at);
    PMode *mode = in(m, m->mode_at);
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->nodes; i++) {
        p[i].modes = n;
        for (uint32_t k = 0; k < p[i].n.failures.count; k++, n++) {
            mode[n].f = d->failures[p[i].n.failures.first + k];
            mode[n].node = i;
            mode[n].after_mean = flow_dist_mean(&d->dists[mode[n].f.after - 1], d->numbers);
            mode[n].repair_mean = flow_dist_mean(&d->dists[mode[n].f.repair - 1], d->numbers);
            if (mode[n].f.operating) p[i].operating = true;
        }
    }
}

// Users of resources, by resource: counted, then placed.
static void put_users(FlowModel *m) {
    const PNode *p = in(m, m->node_at);
    const PMode *mode = in(m, m->mode_at);
    const FlowUse *use = in(m, m->use_at);
    uint32_t *ptr = in(m, m->user_ptr_at), *user = in(m, m->user_at);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < m->nodes; i++) {
            for (uint32_t k = 0; k < p[i].n.seize.count; k++) {
                uint32_t r = use[p[i].n.seize.first + k].resource - 1;
                if (pass) user[ptr[r]] = i;
                ptr[r + !pass]++;
            }
        }
        for (uint32_t i = 0; i < m->modes; i++) {
            uint32_t r = mode[i].f.crew.resource - 1;
            if (mode[i].f.crew.resource == 0) continue;
            if (pass) user[ptr[r]] = m->nodes + i;
            ptr[r + !pass]++;
        }
        for (uint32_t r = 0; r < m->resources && !pass; r++) ptr[r + 1] += ptr[r];
    }
    memmove(ptr + 1, ptr, m->resources * sizeof *ptr);
    ptr[0] = 0;
}

static void put_nodes(FlowModel *m, const FlowDef *d) {
    PNode *p = in(m, m->node_at);
    for (uint32_t i = 0; i < m->nodes; i++) {
        FlowNode *n = &p[i].n;
        *n = d->nodes[i];
        n->name = (Str){0};
        FlowRef mean = n->kind == FLOW_SOURCE ? n->gap : n->service;
        p[i].mean = mean ? flow_dist_mean(&d->dists[mean - 1], d->numbers) : (double)NAN;
        p[i].servers = n->servers == 0 ? 1 : n->servers;
        p[i].capacity = n->bounded ? n->capacity : (double)INFINITY;
        p[i].shared = n->seize.count != 0;
        if (n->kind == FLOW_CONVEYOR) {
            p[i].spacing = n->spacing > 0 ? n->spacing : n->length / floor(n->capacity);
            double most = floor(n->length / p[i].spacing * (1 + 1e-12));
            p[i].capacity = fmax(1, fmin(most, p[i].capacity));
        }
        p[i].tally = m->tallies;
        m->tallies += n->by_type ? 1 + m->types : 1;
        p[i].digest = n->quantiles ? m->digests++ : NONE;
        p[i].level = n->levels ? m->levels : NONE;
        m->levels += n->levels;
    }
}

// Of what a state depends on; not of padding.
static uint64_t hash_of(FlowModel *m) {
    const PNode *p = in(m, m->node_at);
    const FlowEdge *e = in(m, m->edge_at);
    uint64_t h = str_hash((Str){in(m, m->number_at), (int64_t)(m->numbers * sizeof(double))});
    const uint64_t counts[] = {m->size, m->nodes, m->edges, m->resources, m->modes, m->tallies, m->digests, m->levels};
    h = h * 31 + str_hash((Str){(const char *)counts, sizeof counts});
    for (uint32_t i = 0; i < m->nodes; i++) h = (h ^ (p[i].n.twin * 16 + p[i].n.kind)) * UINT64_C(0x9E3779B97F4A7C15);
    for (uint32_t i = 0; i < m->edges; i++)
        h = (h ^ ((uint64_t)e[i].from << 32 | e[i].to)) * UINT64_C(0xD1342543DE82EF95);
    return h;
}

static void put_dists(FlowModel *m, const FlowDef *def) {
    PDist *p = in(m, m->dist_at);
    for (uint32_t i = 0; i < m->dists; i++) {
        const FlowDist *d = &def->dists[i];
        p[i].d = *d;
        if (d->kind != FLOW_LOGNORMAL) continue;
        double s2 = log1p(d->b * d->b / (d->a * d->a));
        p[i].mu = log(d->a) - s2 / 2;
        p[i].sigma = sqrt(s2);
    }
}

Err flow_make(const FlowDef *def, FlowModel **out, Diag *d) {
    Make x = {def, d};
    FlowModel head = {0};
    TRY(all_good(&x));
    layout(def, &head);
    FlowModel *m = mem_alloc_page(head.size);
    memset(m, 0, head.size);
    *m = head;
    copy(m, m->edge_at, def->edges, m->edges * sizeof *def->edges);
    copy(m, m->resource_at, def->resources, m->resources * sizeof *def->resources);
    copy(m, m->calendar_at, def->calendars, m->calendars * sizeof *def->calendars);
    put_dists(m, def);
    copy(m, m->use_at, def->uses, m->uses * sizeof *def->uses);
    copy(m, m->set_at, def->sets, m->sets * sizeof *def->sets);
    copy(m, m->number_at, def->numbers, m->numbers * sizeof *def->numbers);
    put_nodes(m, def);
    put_names(m, def);
    put_edges(m);
    put_modes(m, def);
    put_users(m);
    flow_lay_out(m);
    m->hash = hash_of(m);
    *out = m;
    return ERR_OK;
}

void flow_model_free(FlowModel *m) { mem_free(m); }
size_t flow_model_size(const FlowModel *m) { return m->size; }
uint32_t flow_node_count(const FlowModel *m) { return m->nodes; }
uint32_t flow_resource_count(const FlowModel *m) { return m->resources; }

Str flow_name(const FlowModel *m, uint32_t which) {
    const uint64_t *ptr = (const uint64_t *)((const char *)m + m->name_ptr_at);
    return (Str){(const char *)m + m->name_at + ptr[which], (int64_t)(ptr[which + 1] - ptr[which])};
}
