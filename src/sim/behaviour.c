// SPDX-License-Identifier: Apache-2.0
// Documents to instances: which statement holds for which twins, in which order definitions are evaluated, what moves
// between events.
#include "sim/behaviour.h"
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/rates_inner.h"

// ---- one statement for one table ------------------------------------------------------------------------------------

static Err compile_acts(Compile *c, const SayActs *acts, RatesAct **out, int32_t *count) {
    *out = NEW(&c->r->keep, RatesAct, acts->count + 1);
    c->acts = true;
    for (int32_t i = 0; i < acts->count; i++) {
        uint32_t role = NONE;
        TRY(compile_target(c, &acts->items[i].target, &(*out)[i], &role));
        TRY(compile_expr(c, acts->items[i].value, WANT_VALUE, role, &(*out)[i].value));
        c->r->roles[role].acted = true;
    }
    c->acts = false;
    *count = acts->count;
    return ERR_OK;
}

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint32_t unique(double *v, uint32_t n) {
    uint32_t k = 0;
    if (n) qsort(v, n, sizeof *v, by_number);
    for (uint32_t i = 0; i < n; i++) {
        if (k == 0 || v[i] != v[k - 1]) v[k++] = v[i];
    }
    return k;
}

static Err compile_target_role(Compile *c, const Say *s, RatesInst *in) {
    RatesAct act;
    TRY(compile_target(c, &s->target, &act, &in->role));
    const RatesRole *role = &c->r->roles[in->role];
    if (s->kind == SAY_RATE && role->field->cell != CELL_F64)
        return compile_fault(c, s->target.at, "a rate is of a property of type double or float, and %.*s is none",
                             STR_ARG(role->field->path));
    return ERR_OK;
}

Err rates_inst(Rates *r, const SayDoc *doc, int32_t number, uint32_t table, Diag *d, RatesInst *out) {
    const Say *s = &doc->says[number];
    char key[400];
    int n = snprintf(key, sizeof key, "%d %.*s", number, (int)(doc->name.n < 300 ? doc->name.n : 300), doc->name.p);
    RatesInst in = {.doc = doc, .number = number, .kind = s->kind, .table = table, .role = NONE};
    in.stream = (uint32_t)str_hash((Str){key, n});
    Compile c = {.r = r, .doc = doc, .number = number, .table = table, .inst = r->inst_count, .d = d};
    if (s->kind == SAY_RATE || s->kind == SAY_ALWAYS) {
        TRY(compile_target_role(&c, s, &in));
        TRY(compile_expr(&c, s->expr, s->kind == SAY_RATE ? WANT_RATE : WANT_VALUE, in.role, &in.expr));
    } else if (s->expr) {
        TRY(compile_expr(&c, s->expr, s->kind == SAY_WHEN ? WANT_TRUTH : WANT_FREQUENCY, 0, &in.expr));
    }
    in.reads = c.reads;
    in.read_count = c.read_count;
    in.timed = c.timed;
    in.kinks = c.kinks;
    in.kink_count = unique(c.kinks, c.kink_count);
    TRY(compile_acts(&c, &s->acts, &in.acts, &in.act_count));
    TRY(compile_acts(&c, &s->other, &in.other, &in.other_count));
    in.every = (double)s->span_ns / 1e9;
    in.from = s->from_ns >= 0 ? (double)s->from_ns / 1e9 : in.every;
    in.span_ns = s->aligned ? s->span_ns : 0;
    in.at_ns = s->from_ns - doc->zone_ns;
    *out = in;
    return ERR_OK;
}

// ---- all of them ----------------------------------------------------------------------------------------------------

void rates_inst_add(Rates *r, const RatesInst *in) { *RATES_PUSH(r, r->insts, r->inst_count, r->inst_cap) = *in; }

static Err add_model_doc(Rates *r, const SayDoc *doc, bool all, Diag *d) {
    const Catalog *cat = r->catalog;
    bool known = false;
    for (int32_t t = 0; t < cat->table_count; t++) {
        const Table *table = &cat->tables[t];
        if (table->removed || !model_is(table->model, doc->model)) continue;
        known = true;
        uint32_t rows = r->graph->table_first[t + 1] - r->graph->table_first[t];
        if (rows == 0 && !all) continue;
        for (int32_t i = 0; i < doc->say_count; i++) {
            RatesInst in;
            TRY(rates_inst(r, doc, i, (uint32_t)t, d, &in));
            in.row_count = rows;
            in.width = (uint32_t)schema_find(cat->schema, doc->model)->base_count;
            rates_inst_add(r, &in);
        }
    }
    if (!known) return say_fault(d, ERR_MODEL_NOT_FOUND, doc, -1, -1, "there is no model %.*s", STR_ARG(doc->model));
    return ERR_OK;
}

void rates_inst_of(Rates *r, RatesInst *in, uint32_t twin) {
    uint32_t first = r->graph->table_first[in->table], rows = r->graph->table_first[in->table + 1] - first;
    uint32_t *row = NEW(&r->keep, uint32_t, 1);
    bool *has = NEW(&r->keep, bool, rows);
    row[0] = twin - first;
    has[row[0]] = true;
    in->rows = row;
    in->row_count = 1;
    in->has = has;
    in->width = UINT32_MAX;
    rates_inst_add(r, in);
}

static Err add_twin_doc(Rates *r, const SayDoc *doc, uint32_t twin, Diag *d) {
    for (int32_t i = 0; i < doc->say_count; i++) {
        RatesInst in;
        TRY(rates_inst(r, doc, i, r->graph->table[twin], d, &in));
        rates_inst_of(r, &in, twin);
    }
    return ERR_OK;
}

uint32_t rates_twin(const SimGraph *g, Str name) {
    for (uint32_t i = 0; i < g->twins; i++) {
        if (str_eq(sim_graph_name(g, i), name)) return i;
    }
    return NONE;
}

static bool owns(const RatesInst *in) { return in->kind == SAY_RATE || in->kind == SAY_ALWAYS; }

static Err two_of_one(const Rates *r, const RatesInst *a, const RatesInst *b, Diag *d) {
    Str path = r->roles[a->role].field->path;
    return say_fault(d, ERR_VALIDATION, b->doc, b->number, -1,
                     "%.*s is said already by behaviour %.*s, statement %d, for models as narrow", STR_ARG(path),
                     STR_ARG(a->doc->name), a->number + 1);
}

// Does a's model extend b's?
static bool narrower(const Rates *r, const RatesInst *a, const RatesInst *b) {
    const Model *m = schema_find(r->catalog->schema, a->doc->model);
    return m && !str_eq(a->doc->model, b->doc->model) && model_is(m, b->doc->model);
}

// Take the rows of twins with statements of their own from the model's.
static void without_rows(Rates *r, RatesInst *wide, const RatesInst *own) {
    uint32_t rows = r->graph->table_first[wide->table + 1] - r->graph->table_first[wide->table], n = 0;
    uint32_t *left = NEW(&r->keep, uint32_t, rows);
    bool *has = NEW(&r->keep, bool, rows);
    for (uint32_t i = 0; i < rows; i++) {
        has[i] = (!wide->has || wide->has[i]) && !own->has[i];
        if (has[i]) left[n++] = i;
    }
    wide->rows = left;
    wide->has = has;
    wide->row_count = n;
}

void rates_rest(Rates *r, uint32_t role, uint32_t twin) {
    RatesInst one = {.table = r->graph->table[twin]};
    uint32_t first = r->graph->table_first[one.table];
    bool *has = NEW(&r->keep, bool, r->graph->table_first[one.table + 1] - first);
    has[twin - first] = true;
    one.has = has;
    for (uint32_t i = 0; i < r->inst_count; i++) {
        RatesInst *in = &r->insts[i];
        if (in->kind == SAY_ALWAYS && in->role == role && !in->doc->twin.n) without_rows(r, in, &one);
    }
}

// Of statements for one property the narrowest stays; others lose their rows.
static Err settle_widths(Rates *r, Diag *d) {
    for (uint32_t i = 0; i < r->inst_count; i++) {
        for (uint32_t k = i + 1; k < r->inst_count; k++) {
            RatesInst *a = &r->insts[i], *b = &r->insts[k];
            if (!owns(a) || !owns(b) || a->role != b->role) continue;
            bool at = a->doc->twin.n > 0, bt = b->doc->twin.n > 0;
            if (at && bt) {
                if (a->rows[0] == b->rows[0]) return two_of_one(r, a, b, d);
            } else if (at) without_rows(r, b, a);
            else if (bt) without_rows(r, a, b);
            else if (narrower(r, a, b)) b->row_count = 0, b->width = 0;
            else if (narrower(r, b, a)) a->row_count = 0, a->width = 0;
            else if (a->row_count && b->row_count) return two_of_one(r, a, b, d);
        }
    }
    return ERR_OK;
}

// Definitions rest: whoever assigns to them too is refused.
static Err mark_roles(Rates *r, Diag *d) {
    for (uint32_t i = 0; i < r->inst_count; i++) {
        const RatesInst *in = &r->insts[i];
        if (!owns(in) || in->row_count == 0) continue;
        RatesRole *role = &r->roles[in->role];
        if (in->kind == SAY_RATE) role->state = true;
        else role->always = true;
        if (in->kind == SAY_ALWAYS && role->acted)
            return say_fault(d, ERR_VALIDATION, in->doc, in->number, -1,
                             "%.*s is defined here, and an assignment of some statement sets it too",
                             STR_ARG(role->field->path));
    }
    return ERR_OK;
}

// ---- order ----------------------------------------------------------------------------------------------------------

typedef struct Sorter {
    Rates *r;
    uint8_t *seen; // by instance: 0 not yet, 1 under way, 2 done
    uint32_t *path, path_count;
    uint32_t *order, count;
    Diag *d;
} Sorter;

static Err circle(const Sorter *s, uint32_t from) {
    Buf b = {0};
    uint32_t at = 0;
    while (s->path[at] != from) at++;
    for (uint32_t i = at; i <= s->path_count; i++) {
        const RatesInst *in = &s->r->insts[i == s->path_count ? from : s->path[i]];
        const RatesRole *role = &s->r->roles[in->role];
        if (i > at) buf_printf(&b, " needs ");
        buf_printf(&b, "%.*s of %.*s", STR_ARG(role->field->path), STR_ARG(s->r->catalog->tables[in->table].model->id));
    }
    const RatesInst *in = &s->r->insts[from];
    Err e =
        say_fault(s->d, ERR_VALIDATION, in->doc, in->number, -1, "definitions in a circle: %.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
    return e;
}

static Err visit(Sorter *s, uint32_t i) {
    const RatesInst *in = &s->r->insts[i];
    if (s->seen[i] == 2) return ERR_OK;
    if (s->seen[i] == 1) return circle(s, i);
    s->seen[i] = 1;
    s->path[s->path_count++] = i;
    for (uint32_t k = 0; k < in->read_count; k++) {
        const RatesRole *role = &s->r->roles[in->reads[k].role];
        if (!role->always) continue;
        for (uint32_t j = 0; j < s->r->inst_count; j++) {
            const RatesInst *from = &s->r->insts[j];
            if (from->kind == SAY_ALWAYS && from->row_count && from->role == in->reads[k].role) TRY(visit(s, j));
        }
    }
    s->path_count--;
    s->seen[i] = 2;
    s->order[s->count++] = i;
    return ERR_OK;
}

// Instances with rows, definitions first, each behind those it needs.
static Err sort_insts(Rates *r, Diag *d) {
    uint32_t n = r->inst_count;
    Sorter s = {.r = r, .d = d, .seen = NEW(&r->keep, uint8_t, n + 1), .path = NEW(&r->keep, uint32_t, n + 1)};
    s.order = NEW(&r->keep, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        if (r->insts[i].kind == SAY_ALWAYS && r->insts[i].row_count) TRY(visit(&s, i));
    }
    static const SayKind REST[] = {SAY_RATE, SAY_AT_RATE, SAY_WHEN, SAY_EVERY, SAY_INITIALLY};
    for (size_t k = 0; k < sizeof REST / sizeof *REST; k++) {
        uint32_t from = s.count;
        for (uint32_t i = 0; i < n; i++) {
            if (r->insts[i].kind == REST[k] && r->insts[i].row_count) s.order[s.count++] = i;
        }
        // Wider models first, so that what a narrower one says stands.
        for (uint32_t i = from; i < s.count; i++) {
            for (uint32_t j = i; j > from && r->insts[s.order[j]].width < r->insts[s.order[j - 1]].width; j--) {
                uint32_t x = s.order[j];
                s.order[j] = s.order[j - 1];
                s.order[j - 1] = x;
            }
        }
    }
    RatesInst *sorted = NEW(&r->keep, RatesInst, s.count + 1);
    uint32_t *to = NEW(&r->keep, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) to[i] = NONE;
    for (uint32_t i = 0; i < s.count; i++) {
        sorted[i] = r->insts[s.order[i]];
        sorted[i].rank = (int32_t)i;
        to[s.order[i]] = i;
    }
    for (uint32_t i = 0; i < r->delay_count; i++) r->delays[i].inst = to[r->delays[i].inst];
    r->insts = sorted;
    r->inst_count = s.count;
    return ERR_OK;
}

// What moves between events: states, and what is made of them or of the time.
static void mark_flows(Rates *r) {
    for (uint32_t i = 0; i < r->inst_count; i++) {
        if (r->insts[i].kind == SAY_RATE) r->roles[r->insts[i].role].flows = true;
    }
    for (uint32_t i = 0; i < r->inst_count; i++) { // definitions are in order
        RatesInst *in = &r->insts[i];
        in->flows = in->timed || in->kind == SAY_RATE;
        for (uint32_t k = 0; k < in->read_count; k++) in->flows = in->flows || r->roles[in->reads[k].role].flows;
        if (in->kind == SAY_ALWAYS && in->flows) r->roles[in->role].flows = true;
    }
}

static void make_deps(Rates *r) {
    uint32_t *cap = NEW(&r->keep, uint32_t, r->role_count + 1);
    for (uint32_t i = 0; i < r->inst_count; i++) {
        const RatesInst *in = &r->insts[i];
        for (uint32_t k = 0; k < in->read_count; k++) {
            RatesRole *role = &r->roles[in->reads[k].role];
            RatesDep *deps = (RatesDep *)(uintptr_t)role->deps;
            uint32_t *room = &cap[in->reads[k].role];
            *RATES_PUSH(r, deps, role->dep_count, *room) =
                (RatesDep){.inst = i, .agg = in->reads[k].agg, .via = in->reads[k].via};
            role->deps = deps;
        }
    }
}

static Err add_docs(Rates *r, Diag *d) {
    int32_t n = 0, first = catalog_docs(r->catalog, BEHAVIOURS_COLLECTION, &n);
    if (n > BEHAVIOURS_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, STR("behaviours"), "more than %d behaviours", BEHAVIOURS_MAX);
    r->docs = NEW(&r->keep, SayDoc, n + 1);
    for (int32_t i = 0; i < n; i++) {
        const Doc *doc = r->catalog->docs[first + i];
        SayDoc *say = &r->docs[r->doc_count++];
        TRY(say_document(&r->keep, doc->name, doc->json, say, d));
        if (say->twin.n) {
            uint32_t twin = rates_twin(r->graph, say->twin);
            if (twin == NONE)
                return say_fault(d, ERR_VALIDATION, say, -1, -1, "there is no twin %.*s", STR_ARG(say->twin));
            TRY(add_twin_doc(r, say, twin, d));
        } else TRY(add_model_doc(r, say, false, d));
    }
    return ERR_OK;
}

static Err make(Rates *r, bool derived, bool still, Diag *d) {
    if (!still) TRY(add_docs(r, d));
    if (derived) derived_add(r);
    TRY(settle_widths(r, d));
    TRY(mark_roles(r, d));
    TRY(sort_insts(r, d));
    mark_flows(r);
    make_deps(r);
    islands_make(r);
    return ERR_OK;
}

// ---- public ---------------------------------------------------------------------------------------------------------

Rates *rates_blank(SimGraph *g, const Catalog *c) {
    Rates *r = mem_alloc(sizeof *r);
    *r = (Rates){.graph = g, .catalog = c, .options = {.rtol = 1e-6, .atol = 1e-9}};
    atomic_init(&r->refs, 1);
    arena_init(&r->keep, 0);
    r->role_of = NEW(&r->keep, uint32_t, c->next_vec + 1);
    for (uint32_t i = 0; i <= c->next_vec; i++) r->role_of[i] = NONE;
    return r;
}

void rates_delete(Rates *r) {
    arena_free(&r->keep);
    mem_free(r);
}

// Behaviours that go together without derived values are run without: they stand still, and a note tells why.
static Err make_without(SimGraph *g, const Catalog *c, const Diag *why, Rates **out, Diag *d) {
    Rates *r = rates_blank(g, c);
    Err e = make(r, false, false, d);
    if (e != ERR_OK) return rates_delete(r), e;
    Str text = why->count ? why->messages[0].text : STR("they do not go together with the behaviours");
    *RATES_PUSH(r, r->notes, r->note_count, r->note_cap) =
        (RatesNote){.name = STR("*"), .why = arena_str(&r->keep, text)};
    *out = r;
    return ERR_OK;
}

Err rates_make(SimGraph *g, const Catalog *c, Rates **out, Diag *d) {
    Rates *r = rates_blank(g, c);
    Diag first;
    diag_init(&first);
    Err e = make(r, true, false, &first);
    if (e != ERR_OK) {
        rates_delete(r);
        e = make_without(g, c, &first, &r, d);
    }
    diag_free(&first);
    TRY(e);
    sim_graph_ref(g);
    *out = r;
    return ERR_OK;
}

Err rates_still(SimGraph *g, const Catalog *c, Rates **out, Diag *d) {
    Rates *r = rates_blank(g, c);
    Err e = make(r, false, true, d);
    if (e != ERR_OK) return rates_delete(r), e;
    sim_graph_ref(g);
    *out = r;
    return ERR_OK;
}

const RatesNote *rates_notes(const Rates *r, uint32_t *count) {
    *count = r->note_count;
    return r->notes;
}

Rates *rates_ref(Rates *r) {
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void rates_unref(Rates *r) {
    if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) return;
    sim_graph_unref(r->graph);
    rates_delete(r);
}

bool rates_empty(const Rates *r) { return r->inst_count == 0 && r->watch_count == 0; }

void rates_options(Rates *r, const RatesOptions *o) {
    r->options = *o;
    if (!(o->rtol > 0)) r->options.rtol = 1e-6;
    if (!(o->atol > 0)) r->options.atol = 1e-9;
}

// The catalog without twins is enough to look at a document.
Rates *rates_blank_look(SimGraph *g, const Catalog *c) {
    *g = (SimGraph){0};
    Rates *r = rates_blank(g, c);
    g->table_first = NEW(&r->keep, uint32_t, c->table_count + 1);
    g->kind_first = NEW(&r->keep, uint32_t, c->kind_count + 1);
    g->out_ptr = g->in_ptr = NEW(&r->keep, uint32_t, 1);
    return r;
}

Err behaviour_check(const Catalog *c, Str name, Str json, Diag *d) {
    SimGraph g;
    Rates *r = rates_blank_look(&g, c);
    SayDoc doc;
    Err e = say_document(&r->keep, name, json, &doc, d);
    if (e == ERR_OK && doc.model.n) e = add_model_doc(r, &doc, true, d);
    rates_delete(r);
    return e;
}

// ---- in a simulation ------------------------------------------------------------------------------------------------

static Str role_name(const void *config, uint32_t role) { return ((const Rates *)config)->roles[role].field->path; }

static const uint8_t TYPES[] = {[KIND_NUMBER] = SIM_NUMBER, [KIND_BOOL] = SIM_BOOL, [KIND_SYMBOL] = SIM_SYMBOL};

Err rates_add(const Rates *r, Sim *s, Diag *d) {
    if (rates_empty(r)) return ERR_OK;
    SimBind *bind = mem_alloc((r->role_count + 1) * sizeof *bind);
    for (uint32_t i = 0; i < r->role_count; i++) {
        const RatesRole *role = &r->roles[i];
        bind[i] = (SimBind){.column = sim_column(s, role->col), .dflt = (double)NAN, .type = TYPES[role->kind]};
        bind[i].dir = role->state || role->acted ? SIM_STATE : role->always ? SIM_OUT : SIM_IN;
    }
    SimEngine e = {.engine = &RATES_ENGINE,
                   .instance = STR("behaviours"),
                   .roles = bind,
                   .role_count = r->role_count,
                   .config = r,
                   .role_name = role_name};
    Err err = sim_add(s, &e, d);
    mem_free(bind);
    return err;
}
