// SPDX-License-Identifier: Apache-2.0
// What is watched: expressions of single twins as programs beside those of the behaviours. They read columns and are
// part of no system, so what moves does not know of them. rates_tally.c counts.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"
#include "sim/rates.h"

// ---- making ---------------------------------------------------------------------------------------------------------

// The first message of the parser, as ours.
static Err not_read(const Diag *inner, const SayDoc *doc, Err e, Diag *d) {
    if (inner->count == 0) return say_fault(d, e, doc, 0, -1, "cannot be read");
    const DiagMessage *m = &inner->messages[0];
    return say_fault(d, e, doc, 0, (int32_t)m->at, "%.*s", STR_ARG(m->text));
}

static Err parse(Rates *r, RatesWatch *w, Diag *d) {
    Diag inner;
    diag_init(&inner);
    Err e = expr_parse(&r->keep, w->say.text, &w->say.expr, &inner);
    if (e != ERR_OK) e = not_read(&inner, &w->doc, e, d);
    diag_free(&inner);
    return e;
}

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Its own kinks in time, and those of what it sees.
static void take_kinks(Rates *r, RatesWatch *w, const double *own, uint32_t count) {
    uint32_t n = count, at = 0, kept = 0;
    for (uint32_t i = 0; i < w->spot_count; i++) n += r->systems[w->spots[i].system].kink_count;
    double *all = NEW(&r->keep, double, n + 1);
    for (uint32_t i = 0; i < count; i++) all[at++] = own[i];
    for (uint32_t i = 0; i < w->spot_count; i++) {
        const RatesSystem *s = &r->systems[w->spots[i].system];
        for (uint32_t k = 0; k < s->kink_count; k++) all[at++] = s->kinks[k];
    }
    if (n) qsort(all, n, sizeof *all, by_number);
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || all[i] != all[kept - 1]) all[kept++] = all[i];
    }
    w->kinks = all;
    w->kink_count = kept;
}

// The motion of a twin is seen: once.
static void see(Rates *r, RatesWatch *w, uint32_t twin) {
    uint32_t number = r->system_of[twin];
    if (number == NONE) return;
    RatesSystem *s = &r->systems[number];
    uint32_t place = s->cohort ? r->place_of[twin] : 0;
    *RATES_PUSH(r, w->spots, w->spot_count, w->spot_cap) = (RatesSpot){.system = number, .place = place};
}

static int by_spot(const void *a, const void *b) {
    const RatesSpot *x = a, *y = b;
    if (x->system != y->system) return x->system < y->system ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static void keep_spots(Rates *r, RatesWatch *w) {
    uint32_t n = 0;
    if (w->spot_count) qsort(w->spots, w->spot_count, sizeof *w->spots, by_spot);
    for (uint32_t i = 0; i < w->spot_count; i++) {
        if (n == 0 || by_spot(&w->spots[i], &w->spots[n - 1]) != 0) w->spots[n++] = w->spots[i];
    }
    w->spot_count = n;
    for (uint32_t i = 0; i < n; i++) {
        RatesSystem *s = &r->systems[w->spots[i].system];
        if (!s->kept_of) {
            s->kept_of = NEW(&r->keep, uint32_t, s->width);
            for (uint32_t k = 0; k < s->width; k++) s->kept_of[k] = NONE;
        }
        if (s->kept_of[w->spots[i].place] == NONE) s->kept_of[w->spots[i].place] = s->kept_count++;
    }
}

// ---- derived values aside -------------------------------------------------------------------------------------------

// Cells that a watch needs beside those it reads itself: by role, by row.
typedef struct Needs {
    Rates *r;
    RatesWatch *w;
    Arena tmp;
    bool **of;
    double *kinks;
    uint32_t kink_count, kink_cap;
} Needs;

static void need(Needs *x, uint32_t role, uint32_t row) {
    if (!x->of[role]) x->of[role] = NEW(&x->tmp, bool, x->r->roles[role].rows + 1);
    x->of[role][row] = true;
}

// What a row reads. aside: of those roles alone.
static void need_reads(Needs *x, const RatesRead *reads, uint32_t n, uint32_t row, bool aside) {
    for (uint32_t i = 0; i < n; i++) {
        if (aside && !x->r->roles[reads[i].role].aside) continue;
        if (reads[i].via == VIA_OWN) {
            need(x, reads[i].role, row);
            continue;
        }
        const ProgAgg *a = &x->r->aggs[reads[i].agg];
        for (int32_t l = 0; l < a->leaf_count; l++) {
            for (uint32_t e = a->ptr[row]; e < a->ptr[row + 1]; e++) {
                uint32_t at = a->leaves[l].role ? a->leaves[l].role[e] : a->leaves[l].all;
                if (at == reads[i].role) need(x, at, a->leaves[l].row[e]);
            }
        }
    }
}

// The rows that are needed and for which `has` holds (NULL: all), which are not needed any more then.
static RatesRows take_rows(Needs *x, uint32_t role, const bool *has) {
    uint32_t count = 0, n = 0, rows = x->r->roles[role].rows;
    bool *of = x->of[role];
    for (uint32_t i = 0; of && i < rows; i++) count += of[i] && (!has || has[i]);
    if (!count) return (RatesRows){0};
    uint32_t *list = NEW(&x->r->keep, uint32_t, count);
    for (uint32_t i = 0; i < rows; i++) {
        if (!of[i] || (has && !has[i])) continue;
        list[n++] = i;
        of[i] = false;
    }
    return (RatesRows){list, count};
}

// Definitions from the last to the first: whoever needs one stands behind it.
static void need_definitions(Needs *x) {
    Rates *r = x->r;
    RatesWatch *w = x->w;
    for (uint32_t i = r->aside_count; i-- > 0;) {
        const RatesInst *in = &r->asides[i];
        RatesRows at = take_rows(x, in->role, in->has);
        if (!at.count) continue;
        for (uint32_t k = 0; k < at.count; k++) need_reads(x, in->reads, in->read_count, at.rows[k], false);
        for (uint32_t k = 0; k < in->kink_count; k++)
            *RATES_PUSH(r, x->kinks, x->kink_count, x->kink_cap) = in->kinks[k];
        w->flows = w->flows || in->timed;
        *RATES_PUSH(r, w->asides, w->aside_count, w->aside_cap) = (RatesAside){i, in->role, at};
    }
}

// What is left is what columns hold: what moves there moves the watch.
static void need_columns(Needs *x, uint32_t number) {
    Rates *r = x->r;
    RatesWatch *w = x->w;
    for (uint32_t i = 0; i < r->role_count; i++) {
        RatesRole *role = &r->roles[i];
        RatesRows at = take_rows(x, i, NULL);
        if (!at.count) continue;
        if (role->aside) *RATES_PUSH(r, w->asides, w->aside_count, w->aside_cap) = (RatesAside){NONE, i, at};
        w->flows = w->flows || role->flows;
        for (uint32_t k = 0; role->flows && !role->link && k < at.count; k++) see(r, w, role->first + at.rows[k]);
        *RATES_PUSH(r, role->watchers, role->watcher_count, role->watcher_cap) =
            (RatesDep){.inst = number, .agg = r->list_count, .via = VIA_ROWS};
        *RATES_PUSH(r, r->lists, r->list_count, r->list_cap) = at;
    }
}

// All that must be computed before a look, in order; its own kinks (c's) and those of what it needs.
static void look_aside(Rates *r, RatesWatch *w, Compile *c, uint32_t number) {
    Needs x = {.r = r, .w = w, .kinks = c->kinks, .kink_count = c->kink_count, .kink_cap = c->kink_cap};
    if (!r->aside_count) return;
    arena_init(&x.tmp, 0);
    x.of = NEW(&x.tmp, bool *, r->role_count + 1);
    need_reads(&x, c->reads, c->read_count, w->row, true);
    need_definitions(&x);
    need_columns(&x, number);
    for (uint32_t i = 0, k = w->aside_count; i + 1 < k; i++) { // they were found from the last on
        RatesAside a = w->asides[i];
        w->asides[i] = w->asides[--k];
        w->asides[k] = a;
    }
    c->kinks = x.kinks;
    c->kink_count = x.kink_count;
    arena_free(&x.tmp);
}

// ---- what it reads --------------------------------------------------------------------------------------------------

// What it reads that moves between events, and whose that is.
static void look_around(Rates *r, RatesWatch *w, const Compile *c, bool counted) {
    uint32_t self = r->graph->table_first[w->table] + w->row;
    w->flows = w->flows || c->timed;
    for (uint32_t i = 0; i < c->read_count; i++) {
        const RatesRead *read = &c->reads[i];
        const RatesRole *role = &r->roles[read->role];
        if (!role->flows) continue;
        w->flows = true;
        if (read->via == VIA_OWN) see(r, w, self);
        if (read->via != VIA_TWIN) continue;
        const ProgAgg *a = &r->aggs[read->agg];
        for (int32_t l = 0; l < a->leaf_count; l++) {
            for (uint32_t e = a->ptr[w->row]; e < a->ptr[w->row + 1]; e++) {
                uint32_t at = a->leaves[l].role ? a->leaves[l].role[e] : a->leaves[l].all;
                if (at == read->role) see(r, w, role->first + a->leaves[l].row[e]);
            }
        }
    }
    w->counted = w->flows && counted;
    if (!w->counted) w->spot_count = 0; // nobody looks between
    keep_spots(r, w);
    take_kinks(r, w, c->kinks, c->kink_count);
}

static void listen(Rates *r, const Compile *c, uint32_t number) {
    for (uint32_t i = 0; i < c->read_count; i++) {
        RatesRole *role = &r->roles[c->reads[i].role];
        *RATES_PUSH(r, role->watchers, role->watcher_count, role->watcher_cap) =
            (RatesDep){.inst = number, .agg = c->reads[i].agg, .via = c->reads[i].via};
    }
}

// Parse and compile for a table.
static Err make(Rates *r, const RatesAsk *a, uint32_t table, RatesWatch *w, Compile *c, Diag *d) {
    *w = (RatesWatch){.table = table, .extremes = a->extremes, .say = {.kind = SAY_ALWAYS, .from_ns = -1}};
    w->say.text = arena_str(&r->keep, a->text);
    w->doc = (SayDoc){.noun = "KPI", .name = arena_str(&r->keep, a->name), .says = &w->say, .say_count = 1};
    TRY(parse(r, w, d));
    *c = (Compile){.r = r, .doc = &w->doc, .table = table, .inst = NONE, .d = d};
    return compile_watch(c, w->say.expr, a, &w->expr, &w->measure);
}

Err rates_watch(Rates *r, const RatesAsk *a, Diag *d) {
    uint32_t twin = sim_graph_twin(r->graph, a->twin);
    if (twin == NONE)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, a->name, "KPI %.*s: there is no such twin any more",
                        STR_ARG(a->name));
    RatesWatch *w = NEW(&r->keep, RatesWatch, 1);
    Compile c;
    TRY(make(r, a, r->graph->table[twin], w, &c, d));
    w->row = twin - r->graph->table_first[w->table];
    derived_watched(r, c.reads, c.read_count);
    look_aside(r, w, &c, r->watch_count);
    look_around(r, w, &c, !(a->present && r->options.brief));
    listen(r, &c, r->watch_count);
    *RATES_PUSH(r, r->watches, r->watch_count, r->watch_cap) = *w;
    return ERR_OK;
}

uint32_t rates_watches(const Rates *r) { return r->watch_count; }

const RatesMeasure *rates_measure(const Rates *r, uint32_t watch) {
    CHECK(watch < r->watch_count);
    return &r->watches[watch].measure;
}

Err rates_watch_check(const Catalog *c, int32_t table, const RatesAsk *a, Diag *d) {
    SimGraph g;
    RatesWatch w;
    Compile look;
    Rates *r = rates_blank_look(&g, c);
    Err e = make(r, a, (uint32_t)table, &w, &look, d);
    rates_delete(r);
    return e;
}

// ---- reading --------------------------------------------------------------------------------------------------------

void rates_watched(const Rates *r, const Sim *s, uint32_t watch, uint16_t lane, RatesWatched *out) {
    const Inst *found = NULL;
    CHECK(watch < r->watch_count && lane < s->open.lanes && s->started);
    for (uint32_t i = 0; i < s->wire->inst_count; i++) {
        if (s->insts[i].wire->e.config == r) found = &s->insts[i];
    }
    CHECK(found != NULL);
    tally_read(r, found->ctx.plan, found->ctx.state, watch, lane, s->now, out);
}
