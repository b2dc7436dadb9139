// SPDX-License-Identifier: Apache-2.0
// Expressions to programs, in two steps: a tree of typed terms, in which plain numbers still take the unit of what
// they stand beside, and then the steps of a stack machine. Everything that has a unit is in SI from the leaves on, so
// units are checked as dimensions and cost nothing when they run.
#include "sim/compile.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/check.h"

#define DAY_S 86400.0

void *rates_grow(Rates *r, void *items, size_t size, uint32_t *cap) {
    uint32_t n = *cap;
    *cap = n ? n * 2 : 8;
    char *more = NEW(&r->keep, char, (int64_t)size **cap + 64);
    more += (64 - ((uintptr_t)more & 63)) & 63;
    if (n) memcpy(more, items, size * n);
    return more;
}

Err compile_fault(const Compile *c, int32_t at, const char *fmt, ...) {
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return say_fault(c->d, ERR_VALIDATION, c->doc, c->number, at, "%s", text);
}

// ---- roles ----------------------------------------------------------------------------------------------------------

uint32_t rates_role(Rates *r, uint32_t col) {
    if (r->role_of[col] != NONE) return r->role_of[col];
    const Catalog *cat = r->catalog;
    int32_t owner = cat->owner[col - VECNO_COLUMNS];
    RatesRole role = {.col = col, .link = owner < 0, .shadow = NONE};
    role.owner = (uint32_t)(owner < 0 ? -1 - owner : owner);
    role.field = role.link ? &cat->kinds[role.owner].rel->fields[col - cat->kinds[role.owner].first]
                           : &cat->tables[role.owner].model->fields[col - cat->tables[role.owner].first];
    const uint32_t *first = role.link ? r->graph->kind_first : r->graph->table_first;
    role.first = first[role.owner];
    role.rows = first[role.owner + 1] - role.first;
    CellKind cell = role.field->cell;
    role.kind = cell == CELL_BOOL ? KIND_BOOL : cell == CELL_STR ? KIND_SYMBOL : KIND_NUMBER;
    const Unit *u = role.kind == KIND_NUMBER ? unit_find(role.field->unit) : NULL;
    role.unit = u && u->family != FAM_UNITLESS ? u : NULL;
    if (u) role.dims = dims_of(u->family);
    uint32_t n = r->role_count;
    *RATES_PUSH(r, r->roles, r->role_count, r->role_cap) = role;
    r->role_of[col] = n;
    return n;
}

static bool simple(const Field *f) {
    return f->cell == CELL_BOOL || f->cell == CELL_I64 || f->cell == CELL_F64 || f->cell == CELL_STR;
}

void compile_read(Compile *c, uint32_t role, RatesVia via, uint32_t agg) {
    for (uint32_t i = 0; i < c->read_count; i++) {
        if (c->reads[i].role == role && c->reads[i].via == via && c->reads[i].agg == agg) return;
    }
    *RATES_PUSH(c->r, c->reads, c->read_count, c->read_cap) = (RatesRead){.role = role, .via = via, .agg = agg};
}

static Str path_text(Compile *c, const Expr *e, int32_t from) {
    Buf b = {0};
    for (int32_t i = from; i < e->seg_count; i++) {
        if (i > from) buf_byte(&b, '.');
        buf_str_put(&b, e->segs[i].name);
    }
    Str s = arena_str(&c->r->keep, buf_str(&b));
    buf_free(&b);
    return s;
}

// ---- terms ----------------------------------------------------------------------------------------------------------

Term *compile_term(Compile *c, ProgOp op, const Expr *e, Val v) {
    Term *n = NEW(&c->r->keep, Term, 1);
    n->op = op;
    n->from = e;
    n->v = v;
    return n;
}

Term *compile_constant(Compile *c, const Expr *e, double x, Val v) {
    Term *n = compile_term(c, PO_CONST, e, v);
    n->c = x;
    return n;
}

const char *compile_kind_name(RatesKind k) {
    return k == KIND_NUMBER ? "a number" : k == KIND_BOOL ? "true or false" : "a text";
}

// "metres (m)", "a number without unit" ...
static void measure_text(const Val *v, char *out, size_t size) {
    Buf b = {0};
    dims_print(v->dims, &b);
    if (v->kind != KIND_NUMBER) snprintf(out, size, "%s", compile_kind_name(v->kind));
    else if (b.n == 0) snprintf(out, size, "a number without dimension");
    else if (v->unit) snprintf(out, size, "%s (%.*s)", v->unit->name, STR_ARG(buf_str(&b)));
    else snprintf(out, size, "%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

Err compile_kind(Compile *c, const Term *n, RatesKind k, const char *what) {
    if (n->v.kind == k) return ERR_OK;
    FAULT(n->from, "%s must be %s, and this is %s", what, compile_kind_name(k), compile_kind_name(n->v.kind));
}

Err compile_bare(Compile *c, const Term *n, const char *what) {
    char text[120];
    TRY(compile_kind(c, n, KIND_NUMBER, what));
    if (dims_none(n->v.dims)) return ERR_OK;
    measure_text(&n->v, text, sizeof text);
    FAULT(n->from, "%s must have no dimension, and this is %s", what, text);
}

// A plain number beside something in `unit`: it is in that unit.
static void settle(Term *n, const Unit *unit, Dims dims, bool span) {
    if (!n->v.plain) return;
    if (unit) n->c = n->c * unit->factor + (span ? 0 : unit->offset);
    n->v.plain = false;
    n->v.unit = unit;
    n->v.dims = dims;
    n->v.span = span;
}

// T - 20 where a temperature is wanted: 20 was a difference.
static void unoffset(Term *n) {
    if (!n->v.offset) return;
    n->v.offset->c -= n->v.offset->v.unit->offset;
    n->v.offset = NULL;
    n->v.span = false;
}

static bool has_offset(const Val *v) { return v->unit && v->unit->offset != 0 && !v->span; }

// Both sides of a sum or a comparison in one measure.
Err compile_meet(Compile *c, const Expr *e, Term *a, Term *b, bool sum) {
    char x[120], y[120];
    bool span = sum && e->op == EX_ADD;
    if (a->v.plain && b->v.plain) return ERR_OK;
    if (a->v.plain) settle(a, b->v.unit, b->v.dims, b->v.span || span);
    if (b->v.plain) settle(b, a->v.unit, a->v.dims, a->v.span || span);
    if (!sum && a->v.offset && has_offset(&b->v)) unoffset(a);
    if (!sum && b->v.offset && has_offset(&a->v)) unoffset(b);
    if (dims_equal(a->v.dims, b->v.dims)) return ERR_OK;
    measure_text(&a->v, x, sizeof x);
    measure_text(&b->v, y, sizeof y);
    FAULT(b->from, "%s and %s do not go together here", x, y);
}

// Constants are folded, so that plain numbers stay plain.
static Term *fold(Compile *c, Term *n, int32_t kids) {
    (void)c;
    double x[3] = {0};
    for (int32_t i = 0; i < kids; i++) {
        if (n->kid[i]->op != PO_CONST) return n;
        x[i] = n->kid[i]->c;
    }
    if (n->v.offset) return n;
    switch (n->op) {
    case PO_NEG: n->c = -x[0]; break;
    case PO_ADD: n->c = x[0] + x[1]; break;
    case PO_SUB: n->c = x[0] - x[1]; break;
    case PO_MUL: n->c = x[0] * x[1]; break;
    case PO_DIV: n->c = x[0] / x[1]; break;
    default: return n;
    }
    if (!isfinite(n->c)) n->c = (double)NAN;
    n->op = PO_CONST;
    return n;
}

Term *compile_join(Compile *c, ProgOp op, const Expr *e, Term *a, Term *b, Val v) {
    Term *n = compile_term(c, op, e, v);
    n->kid[0] = a;
    n->kid[1] = b;
    return fold(c, n, b ? 2 : 1);
}

const Val TERM_TRUTH = {.kind = KIND_BOOL};
const Val TERM_BARE = {.kind = KIND_NUMBER};

static Err tree_sum(Compile *c, const Expr *e, Term *a, Term *b, Term **out) {
    TRY(compile_kind(c, a, KIND_NUMBER, "what is added"));
    TRY(compile_kind(c, b, KIND_NUMBER, "what is added"));
    bool plain = a->v.plain && b->v.plain, was_plain = b->v.plain;
    // A quantity like 5 'degreeCelsius' that is added is a difference.
    if (e->op == EX_ADD && has_offset(&a->v) && b->op == PO_CONST && has_offset(&b->v)) {
        b->c -= b->v.unit->offset;
        b->v.span = true;
    }
    TRY(compile_meet(c, e, a, b, true));
    Val v = {.kind = KIND_NUMBER, .dims = a->v.dims, .unit = a->v.unit ? a->v.unit : b->v.unit, .plain = plain};
    v.span = e->op == EX_SUB ? !(b->v.span && !a->v.span) : a->v.span && b->v.span;
    if (plain) v.span = false;
    Term *n = compile_join(c, e->op == EX_ADD ? PO_ADD : PO_SUB, e, a, b, v);
    if (e->op == EX_SUB && was_plain && !plain && b->v.unit && b->v.unit->offset != 0 && !b->v.span) n->v.offset = b;
    *out = n;
    return ERR_OK;
}

static Err tree_product(Compile *c, const Expr *e, Term *a, Term *b, Term **out) {
    bool div = e->op == EX_DIV;
    TRY(compile_kind(c, a, KIND_NUMBER, "a factor"));
    TRY(compile_kind(c, b, KIND_NUMBER, "a factor"));
    Val v = {.kind = KIND_NUMBER, .plain = a->v.plain && b->v.plain};
    if (!dims_mul(a->v.dims, b->v.dims, div ? -2 : 2, &v.dims)) FAULT(e, "powers of units beyond all measure");
    // Times a number the unit stays, so that plain numbers beside it are read in it.
    if (dims_none(b->v.dims)) v.unit = a->v.unit, v.span = a->v.span;
    else if (dims_none(a->v.dims) && !div) v.unit = b->v.unit, v.span = b->v.span;
    *out = compile_join(c, div ? PO_DIV : PO_MUL, e, a, b, v);
    return ERR_OK;
}

static Err tree_mod(Compile *c, const Expr *e, Term *a, Term *b, Term **out) {
    TRY(compile_kind(c, a, KIND_NUMBER, "what is divided"));
    TRY(compile_kind(c, b, KIND_NUMBER, "the divisor"));
    TRY(compile_meet(c, e, a, b, true));
    *out = compile_join(c, PO_MOD, e, a, b, a->v);
    (*out)->v.plain = false;
    return ERR_OK;
}

static Err relate(Compile *c, ProgOp op, const Expr *e, Term *a, Term *b, Term **out) {
    if (a->v.kind != b->v.kind)
        FAULT(b->from, "%s does not compare with %s", compile_kind_name(b->v.kind), compile_kind_name(a->v.kind));
    if (a->v.kind != KIND_NUMBER && op != PO_EQ && op != PO_NE) FAULT(e, "only numbers are less or more than others");
    if (a->v.kind == KIND_NUMBER) TRY(compile_meet(c, e, a, b, false));
    *out = compile_join(c, op, e, a, b, TERM_TRUTH);
    return ERR_OK;
}

static Err tree_in(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *all = NULL, *item, *one, *value;
    for (int32_t i = 1; i < e->arg_count; i++) {
        TRY(compile_tree(c, e->args[0], in, &value));
        TRY(compile_tree(c, e->args[i], in, &item));
        TRY(relate(c, PO_EQ, e, value, item, &one));
        all = all ? compile_join(c, PO_OR, e, all, one, TERM_TRUTH) : one;
    }
    *out = e->op == EX_NIN ? compile_join(c, PO_NOT, e, all, NULL, TERM_TRUTH) : all;
    return ERR_OK;
}

// ---- leaves ---------------------------------------------------------------------------------------------------------

static uint32_t text_number(Rates *r, Str s) {
    for (uint32_t i = 0; i < r->text_count; i++) {
        if (str_eq(r->texts[i], s)) return i;
    }
    *RATES_PUSH(r, r->texts, r->text_count, r->text_cap) = arena_str(&r->keep, s);
    return r->text_count - 1;
}

static Term *text_term(Compile *c, const Expr *e, Str s) {
    Term *n = compile_term(c, PO_SYMBOL, e, (Val){.kind = KIND_SYMBOL});
    n->arg = text_number(c->r, s);
    return n;
}

Val compile_unit(const DimUnit *u) { return (Val){.kind = KIND_NUMBER, .dims = u->dims, .unit = u->unit}; }

static Err tree_literal(Compile *c, const Expr *e, Term **out) {
    DimUnit second;
    double x = e->value.type == EXPR_I64 ? (double)e->value.i : e->value.d;
    switch (e->value.type) {
    case EXPR_BOOL: *out = compile_constant(c, e, e->value.b ? 1 : 0, TERM_TRUTH); return ERR_OK;
    case EXPR_STR: *out = text_term(c, e, e->value.s); return ERR_OK;
    case EXPR_DURATION:
        dims_unit(STR("second"), &second);
        *out = compile_constant(c, e, (double)e->value.i / 1e9, compile_unit(&second));
        return ERR_OK;
    case EXPR_I64:
    case EXPR_F64: break;
    default: FAULT(e, "a value of this kind has no use here");
    }
    if (e->unit.n) {
        DimUnit u;
        if (!dims_unit(e->unit, &u)) FAULT(e, "no unit is called '%.*s'", STR_ARG(e->unit));
        *out = compile_constant(c, e, x * u.factor + u.offset, compile_unit(&u));
    } else *out = compile_constant(c, e, x, (Val){.kind = KIND_NUMBER, .plain = true});
    return ERR_OK;
}

static const SayParameter *parameter(const Compile *c, const Expr *e) {
    if (e->seg_count != 1) return NULL;
    for (int32_t i = 0; i < c->doc->parameter_count; i++) {
        if (str_eq(c->doc->parameters[i].name, e->segs[0].name)) return &c->doc->parameters[i];
    }
    return NULL;
}

static Term *parameter_term(Compile *c, const Expr *e, const SayParameter *p) {
    if (p->type == JSON_STRING) return text_term(c, e, p->text);
    if (p->type != JSON_DOUBLE) return compile_constant(c, e, p->type == JSON_TRUE ? 1 : 0, TERM_TRUTH);
    Val v = {.kind = KIND_NUMBER, .plain = !p->has_unit};
    if (p->has_unit) v = compile_unit(&p->unit);
    return compile_constant(c, e, p->value, v);
}

static Val role_val(const RatesRole *r) { return (Val){.kind = r->kind, .dims = r->dims, .unit = r->unit}; }

static Err unknown(Compile *c, const Expr *e, Str path) {
    const Model *m = c->r->catalog->tables[c->table].model;
    Str names[300], near;
    int64_t n = 0;
    for (int32_t i = 0; i < m->field_count && n < 300; i++) names[n++] = m->fields[i].path;
    near = expr_nearest(path, names, n);
    if (near.n) FAULT(e, "%.*s has no property %.*s; is it %.*s?", STR_ARG(m->id), STR_ARG(path), STR_ARG(near));
    FAULT(e, "%.*s has no property %.*s", STR_ARG(m->id), STR_ARG(path));
}

// What the world's clock shows of a span, in so many seconds.
static Term *clock_term(Compile *c, const Expr *e, double span, double unit) {
    Term *clock = compile_term(c, PO_CLOCK, e, TERM_BARE);
    clock->c = (double)c->doc->zone_ns / 1e9;
    c->timed = true;
    Term *part = compile_join(c, PO_MOD, e, clock, compile_constant(c, e, span, TERM_BARE), TERM_BARE);
    return compile_join(c, PO_DIV, e, part, compile_constant(c, e, unit, TERM_BARE), TERM_BARE);
}

static Err tree_own(Compile *c, const Expr *e, Term **out) {
    const Table *t = &c->r->catalog->tables[c->table];
    Str path = path_text(c, e, 0);
    const SayParameter *p = parameter(c, e); // of the document: nearer than the model
    if (p) return *out = parameter_term(c, e, p), ERR_OK;
    const Field *f = model_field(t->model, path);
    if (!f) {
        DimUnit second;
        if (str_eq_nocase(path, STR("elapsed"))) {
            dims_unit(STR("second"), &second);
            c->timed = true;
            *out = compile_term(c, PO_ELAPSED, e, compile_unit(&second));
            return ERR_OK;
        }
        if (str_eq_nocase(path, STR("hour"))) return *out = clock_term(c, e, DAY_S, 3600), ERR_OK;
        if (str_eq_nocase(path, STR("weekday"))) {
            Term *day = compile_join(c, PO_FLOOR, e, clock_term(c, e, 7 * DAY_S, DAY_S), NULL, TERM_BARE);
            *out = compile_join(c, PO_ADD, e, day, compile_constant(c, e, 1, TERM_BARE), TERM_BARE);
            return ERR_OK;
        }
        return unknown(c, e, path);
    }
    if (!simple(f)) FAULT(e, "%.*s is no single value", STR_ARG(path));
    uint32_t role = rates_role(c->r, t->first + (uint32_t)(f - t->model->fields));
    compile_read(c, role, VIA_OWN, 0);
    *out = compile_term(c, PO_CELL, e, role_val(&c->r->roles[role]));
    (*out)->arg = role;
    return ERR_OK;
}

static const Field *rel_field(const Rel *rel, Str path) {
    for (int32_t i = 0; i < rel->field_count; i++) {
        if (str_eq(rel->fields[i].path, path)) return &rel->fields[i];
    }
    return NULL;
}

// Does any edge lead to a twin of the table (over a link of the kind)?
static bool present(const Compile *c, const Around *in, bool link, uint32_t owner) {
    const SimGraph *g = c->r->graph;
    for (uint32_t i = 0; i < in->edges; i++) {
        if ((link ? g->kind[in->link[i]] : g->table[in->twin[i]]) == owner) return true;
    }
    return false;
}

// The column of a path in a table (or kind) that may stand at the other end; NONE: it has none.
static uint32_t leaf_column(const Compile *c, const Around *in, Str path, bool link, int32_t i) {
    const Catalog *cat = c->r->catalog;
    if (link ? !in->hop->kinds[i] : !in->tables[i]) return NONE;
    const Field *f = link ? rel_field(cat->kinds[i].rel, path) : model_field(cat->tables[i].model, path);
    if (!f || !simple(f)) return NONE;
    return link ? cat->kinds[i].first + (uint32_t)(f - cat->kinds[i].rel->fields)
                : cat->tables[i].first + (uint32_t)(f - cat->tables[i].model->fields);
}

// The roles of a path by table (or kind), all of one kind and dimension: that of neighbours there are, else of the own
// model, else of the first. Models that differ and have no twin there do not count.
static Err leaf_roles(Compile *c, const Expr *e, const Around *in, Str path, bool link, uint32_t *roles, Val *v) {
    const Catalog *cat = c->r->catalog;
    bool any = false;
    char x[120], y[120];
    int32_t count = link ? cat->kind_count : cat->table_count;
    for (int32_t i = 0; i < count; i++) roles[i] = NONE;
    for (int pass = 0; pass < 3; pass++) {
        for (int32_t i = 0; i < count; i++) {
            uint32_t at = leaf_column(c, in, path, link, i);
            if (at == NONE || roles[i] != NONE) continue;
            bool here = present(c, in, link, (uint32_t)i);
            if (pass == 0 ? !here : pass == 1 && (link || (uint32_t)i != c->table)) continue;
            uint32_t role = rates_role(c->r, at);
            Val w = role_val(&c->r->roles[role]);
            if (any && (w.kind != v->kind || !dims_equal(w.dims, v->dims))) {
                if (!here) continue;
                measure_text(v, x, sizeof x);
                measure_text(&w, y, sizeof y);
                FAULT(e, "%.*s is %s for some models at the other end and %s for others", STR_ARG(path), x, y);
            }
            if (!any) *v = w;
            else if (w.unit != v->unit) v->unit = NULL;
            roles[i] = role;
            if (here) compile_read(c, role, link ? VIA_LINK : VIA_TWIN, in->agg); // else nothing moves it
            any = true;
        }
    }
    if (!any)
        FAULT(e, "no %s has a property %.*s", link ? "such relationship" : "model at the other end", STR_ARG(path));
    return ERR_OK;
}

static Err tree_leaf(Compile *c, const Expr *e, Around *in, Term **out) {
    const SimGraph *g = c->r->graph;
    bool link = e->seg_count > 1 && str_eq(e->segs[0].name, STR("R"));
    const SayParameter *p = parameter(c, e);
    Str path = path_text(c, e, link);
    int32_t most =
        c->r->catalog->kind_count > c->r->catalog->table_count ? c->r->catalog->kind_count : c->r->catalog->table_count;
    uint32_t *roles = NEW(&c->r->keep, uint32_t, most + 1), *row = NEW(&c->r->keep, uint32_t, in->edges + 1);
    Val v = {0};
    if (p && !link) return *out = parameter_term(c, e, p), ERR_OK;
    TRY(leaf_roles(c, e, in, path, link, roles, &v));
    ProgLeaf leaf = {.row = row};
    uint32_t *role = NEW(&c->r->keep, uint32_t, in->edges + 1);
    bool same = true;
    for (uint32_t i = 0; i < in->edges; i++) {
        uint32_t at = link ? in->link[i] : in->twin[i], owner = link ? g->kind[at] : g->table[at];
        row[i] = at - (link ? g->kind_first : g->table_first)[owner];
        role[i] = roles[owner];
        same = same && role[i] == role[0];
    }
    leaf.role = same ? NULL : role;
    leaf.all = in->edges ? role[0] : NONE;
    *out = compile_term(c, PO_LEAF, e, v);
    (*out)->arg = in->leaf_count;
    *RATES_PUSH(c->r, in->leaves, in->leaf_count, in->leaf_cap) = leaf;
    return ERR_OK;
}

// ---- aggregates -----------------------------------------------------------------------------------------------------

// Kinds by the names of relationships; no names: all.
static Err hop_kinds(Compile *c, const Expr *e, const Str *names, int32_t count, bool *kinds) {
    const Catalog *cat = c->r->catalog;
    for (int32_t i = 0; i < count; i++) {
        bool any = false;
        for (int32_t k = 0; k < cat->kind_count; k++) {
            if (!str_eq(cat->kinds[k].rel->name, names[i])) continue;
            kinds[k] = any = true;
        }
        if (!any) FAULT(e, "no model has a relationship %.*s", STR_ARG(names[i]));
    }
    for (int32_t k = 0; count == 0 && k < cat->kind_count; k++) kinds[k] = true;
    return ERR_OK;
}

// Tables whose twins may stand at the other end.
static void hop_tables(const Compile *c, const RatesHop *hop, bool *tables) {
    const Catalog *cat = c->r->catalog;
    for (int32_t t = 0; t < cat->table_count; t++) {
        const Model *m = cat->tables[t].model;
        for (int32_t k = 0; k < cat->kind_count && !tables[t]; k++) {
            const Rel *rel = cat->kinds[k].rel;
            if (!hop->kinds[k]) continue;
            if (hop->out && (rel->target.n == 0 || model_is(m, rel->target))) tables[t] = true;
            if (hop->in && model_rel(m, rel->name) == rel) tables[t] = true;
        }
    }
}

static uint32_t edges_of(const SimGraph *g, const RatesHop *hop, uint32_t twin, uint32_t *twins, uint32_t *links) {
    uint32_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (!(pass ? hop->in : hop->out)) continue;
        const uint32_t *ptr = pass ? g->in_ptr : g->out_ptr, *list = pass ? g->in_link : g->out_link;
        for (uint32_t i = ptr[twin]; i < ptr[twin + 1]; i++) {
            uint32_t l = list[i];
            if (!hop->kinds[g->kind[l]]) continue;
            if (twins) twins[n] = pass ? g->from[l] : g->to[l];
            if (links) links[n] = l;
            n++;
        }
    }
    return n;
}

// Edges of all twins of the table: offsets by row, and what lies at the other end.
static const uint32_t *hop_edges(Compile *c, const RatesHop *hop, uint32_t *count, const uint32_t **twins,
                                 const uint32_t **links) {
    const SimGraph *g = c->r->graph;
    uint32_t first = g->table_first[c->table], rows = g->table_first[c->table + 1] - first, n = 0;
    uint32_t *ptr = NEW(&c->r->keep, uint32_t, rows + 1);
    for (uint32_t i = 0; i < rows; i++) {
        ptr[i] = n;
        n += edges_of(g, hop, first + i, NULL, NULL);
    }
    ptr[rows] = n;
    uint32_t *to = NEW(&c->r->keep, uint32_t, n + 1), *over = NEW(&c->r->keep, uint32_t, n + 1);
    for (uint32_t i = 0; i < rows; i++) edges_of(g, hop, first + i, to + ptr[i], over + ptr[i]);
    *count = n;
    *twins = to;
    *links = over;
    return ptr;
}

static AggOp agg_op(Str name) {
    static const char *const NAMES[] = {"SUM", "AVG", "MIN", "MAX", "COUNT", "ANY", "ALL"};
    int i = 0;
    while (!str_eq_nocase(name, str_of(NAMES[i]))) i++;
    return (AggOp)i;
}

static Err agg_value(Compile *c, const Expr *e, AggOp op, Term *value, Val *v) {
    if (op == AGG_COUNT) return *v = TERM_BARE, ERR_OK;
    if (op == AGG_ANY || op == AGG_ALL) {
        if (value) TRY(compile_kind(c, value, KIND_BOOL, "what ANY and ALL look at"));
        return *v = TERM_TRUTH, ERR_OK;
    }
    if (!value) FAULT(e, "%.*s needs a property to look at", STR_ARG(e->name));
    TRY(compile_kind(c, value, KIND_NUMBER, "what is summed"));
    *v = value->v;
    v->plain = false;
    v->offset = NULL;
    return ERR_OK;
}

static Err tree_graph(Compile *c, const Expr *e, Around *in, Term **out) {
    Rates *r = c->r;
    if (in) FAULT(e, "an aggregate inside of an aggregate: define a property of the neighbour for the inner one");
    if (e->graph.alias.n) FAULT(e, "a behaviour has no alias %.*s", STR_ARG(e->graph.alias));
    bool *kinds = NEW(&r->keep, bool, r->catalog->kind_count + 1);
    TRY(hop_kinds(c, e, e->graph.rels, e->graph.rel_count, kinds));
    uint32_t number = r->agg_count;
    if (r->agg_count == r->agg_cap) {
        uint32_t cap = r->agg_cap;
        r->hops = rates_grow(r, r->hops, sizeof *r->hops, &cap);
        r->aggs = rates_grow(r, r->aggs, sizeof *r->aggs, &r->agg_cap);
    }
    r->agg_count++;
    r->hops[number] = (RatesHop){.out = e->graph.out, .in = e->graph.in, .kinds = kinds};
    RatesHop hop = r->hops[number];
    Around a = {.agg = number, .hop = &hop, .tables = NEW(&r->keep, bool, r->catalog->table_count + 1)};
    hop_tables(c, &hop, a.tables);
    ProgAgg agg = {.op = agg_op(e->name)};
    agg.ptr = hop_edges(c, &hop, &a.edges, &a.twin, &a.link);
    Term *value = NULL, *where = NULL;
    bool timed = c->timed;
    if (e->args[0]) TRY(compile_tree(c, e->args[0], &a, &value));
    if (e->args[1]) {
        TRY(compile_tree(c, e->args[1], &a, &where));
        TRY(compile_kind(c, where, KIND_BOOL, "what stands behind WHERE"));
    }
    if (c->timed != timed) FAULT(e, "the time cannot be asked for inside of an aggregate");
    Val v = {0};
    TRY(agg_value(c, e, agg.op, value, &v));
    if (value) TRY(compile_emit(c, value, &agg.value));
    if (where) TRY(compile_emit(c, where, &agg.where));
    agg.has_value = value != NULL;
    agg.has_where = where != NULL;
    agg.leaves = a.leaves;
    agg.leaf_count = (int32_t)a.leaf_count;
    r->aggs[number] = agg;
    *out = compile_term(c, PO_AGG, e, v);
    (*out)->arg = number;
    return ERR_OK;
}

// ---- trees ----------------------------------------------------------------------------------------------------------

static Err tree_logic(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *a, *b = NULL;
    TRY(compile_tree(c, e->args[0], in, &a));
    TRY(compile_kind(c, a, KIND_BOOL, "a condition"));
    if (e->op != EX_NOT) {
        TRY(compile_tree(c, e->args[1], in, &b));
        TRY(compile_kind(c, b, KIND_BOOL, "a condition"));
    }
    *out = compile_join(c, e->op == EX_NOT ? PO_NOT : e->op == EX_AND ? PO_AND : PO_OR, e, a, b, TERM_TRUTH);
    return ERR_OK;
}

static Err tree_binary(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *a, *b;
    TRY(compile_tree(c, e->args[0], in, &a));
    TRY(compile_tree(c, e->args[1], in, &b));
    switch (e->op) {
    case EX_ADD:
    case EX_SUB: return tree_sum(c, e, a, b, out);
    case EX_MUL:
    case EX_DIV: return tree_product(c, e, a, b, out);
    case EX_MOD: return tree_mod(c, e, a, b, out);
    case EX_EQ: return relate(c, PO_EQ, e, a, b, out);
    case EX_NE: return relate(c, PO_NE, e, a, b, out);
    case EX_LT: return relate(c, PO_LT, e, a, b, out);
    case EX_GT: return relate(c, PO_GT, e, a, b, out);
    case EX_LE: return relate(c, PO_LE, e, a, b, out);
    default: return relate(c, PO_GE, e, a, b, out);
    }
}

Err compile_tree(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *a;
    switch (e->op) {
    case EX_LITERAL: return tree_literal(c, e, out);
    case EX_PATH: return in ? tree_leaf(c, e, in, out) : tree_own(c, e, out);
    case EX_CALL: return compile_call(c, e, in, out);
    case EX_GRAPH: return tree_graph(c, e, in, out);
    case EX_COND: return compile_cond(c, e, in, out);
    case EX_OR:
    case EX_AND:
    case EX_NOT: return tree_logic(c, e, in, out);
    case EX_IN:
    case EX_NIN: return tree_in(c, e, in, out);
    case EX_NEG:
        TRY(compile_tree(c, e->args[0], in, &a));
        TRY(compile_kind(c, a, KIND_NUMBER, "what has a sign"));
        *out = compile_join(c, PO_NEG, e, a, NULL, a->v);
        (*out)->v.offset = NULL;
        return ERR_OK;
    case EX_SLOT: FAULT(e, "no such thing here");
    default: return tree_binary(c, e, in, out);
    }
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static int32_t depth_of(const Term *n) {
    int32_t most = 1;
    for (int32_t i = 0; i < prog_args(n->op); i++) {
        int32_t d = depth_of(n->kid[i]) + i;
        most = d > most ? d : most;
    }
    return most;
}

static void emit(Compile *c, const Term *n, Prog *p, int32_t *cap) {
    for (int32_t i = 0; i < prog_args(n->op); i++) emit(c, n->kid[i], p, cap);
    if (p->count == *cap) {
        int32_t more = *cap ? *cap * 2 : 8;
        ProgStep *s = NEW(&c->r->keep, ProgStep, more);
        if (*cap) memcpy(s, p->steps, (size_t)*cap * sizeof *s);
        p->steps = s;
        *cap = more;
    }
    ProgStep s = {.op = (uint8_t)n->op, .arg = n->arg, .c = n->c};
    bool relation = n->op >= PO_EQ && n->op <= PO_GE;
    if (relation) s.arg = c->roots && n->kid[0]->v.kind == KIND_NUMBER ? (uint32_t)++p->roots : 0;
    p->steps[p->count++] = s;
}

Err compile_emit(Compile *c, const Term *n, Prog *out) {
    int32_t cap = 0;
    if (depth_of(n) > PROG_DEPTH_MAX)
        return say_fault(c->d, ERR_LIMIT, c->doc, c->number, n->from ? n->from->at : -1,
                         "nested more than %d deep: define a property for a part of it", PROG_DEPTH_MAX);
    *out = (Prog){0};
    emit(c, n, out, &cap);
    return ERR_OK;
}

// A plain number, or random numbers with plain bounds, for a property: they are in its unit.
static void fit_plain(Term *n, const Unit *unit, Dims dims, bool span) {
    if (n->v.plain) settle(n, unit, dims, span);
    else if (n->v.offset == n) {
        bool normal = n->op == PO_NORMAL || n->op == PO_EXPONENTIAL;
        if (n->op != PO_POISSON) {
            settle(n->kid[0], unit, dims, span || n->op == PO_EXPONENTIAL);
            if (n->kid[1]) settle(n->kid[1], unit, dims, span || normal);
            n->v.dims = dims;
            n->v.unit = unit;
        }
        n->v.offset = NULL;
    } else if (n->op == PO_COND) {
        fit_plain(n->kid[1], unit, dims, span);
        fit_plain(n->kid[2], unit, dims, span);
        if (dims_none(n->v.dims) && dims_equal(n->kid[1]->v.dims, n->kid[2]->v.dims)) n->v.dims = n->kid[1]->v.dims;
    } else if (n->op == PO_TABLE && dims_none(n->v.dims)) n->v.unit = NULL;
}

static bool plain_cond(const Term *n) {
    return n->v.plain || (n->op == PO_COND && plain_cond(n->kid[1]) && plain_cond(n->kid[2]));
}

static Err fit(Compile *c, Term *n, CompileWant want, uint32_t role, Term **out) {
    RatesRole *r = &c->r->roles[role];
    char x[120], y[120];
    Val v = role_val(r);
    bool rate = want == WANT_RATE;
    if (n->v.kind != r->kind || (rate && r->kind != KIND_NUMBER))
        FAULT(n->from, "%.*s is %s, and this is %s", STR_ARG(r->field->path), compile_kind_name(r->kind),
              compile_kind_name(n->v.kind));
    *out = n;
    if (r->kind != KIND_NUMBER) return ERR_OK;
    if (rate) {
        // A plain number is in the property's unit a second.
        if (!dims_mul(v.dims, dims_of(FAM_TIME), -2, &v.dims)) FAULT(n->from, "a rate beyond all measure");
        if (plain_cond(n)) fit_plain(n, v.unit, v.dims, true);
        v.unit = NULL;
        // Properties without unit: a rate without one is by second.
        if (!r->unit && dims_none(n->v.dims)) return ERR_OK;
    } else {
        if (n->v.plain || n->v.offset == n || plain_cond(n)) fit_plain(n, v.unit, v.dims, false);
        if (n->v.offset && has_offset(&v)) unoffset(n);
        if (n->v.span && has_offset(&v))
            *out = compile_join(c, PO_ADD, n->from, n, compile_constant(c, n->from, v.unit->offset, TERM_BARE), v);
    }
    if (dims_equal((*out)->v.dims, v.dims)) return ERR_OK;
    measure_text(&v, x, sizeof x);
    measure_text(&n->v, y, sizeof y);
    FAULT(n->from, "%s%.*s%s is %s, and this is %s", rate ? "der(" : "", STR_ARG(r->field->path), rate ? ")" : "", x,
          y);
}

static Err fit_frequency(Compile *c, Term *n) {
    Dims hertz = dims_of(FAM_FREQUENCY);
    char y[120];
    TRY(compile_kind(c, n, KIND_NUMBER, "a rate of events"));
    if (dims_none(n->v.dims) || dims_equal(n->v.dims, hertz)) return ERR_OK;
    measure_text(&n->v, y, sizeof y);
    FAULT(n->from, "a rate of events is 1/s, and this is %s", y);
}

Err compile_expr(Compile *c, const Expr *e, CompileWant want, uint32_t role, Prog *out) {
    Term *n;
    TRY(compile_tree(c, e, NULL, &n));
    if (want == WANT_TRUTH) TRY(compile_kind(c, n, KIND_BOOL, "a condition"));
    else if (want == WANT_FREQUENCY) TRY(fit_frequency(c, n));
    else TRY(fit(c, n, want, role, &n));
    c->roots = want == WANT_TRUTH;
    Err err = compile_emit(c, n, out);
    c->roots = false;
    return err;
}

// ---- what is watched ------------------------------------------------------------------------------------------------

// In the expression's own unit.
static Err measure_own(Compile *c, const Term *n, Dims dims, bool integral, RatesMeasure *m) {
    const Unit *u = integral ? NULL : n->v.unit;
    *m = (RatesMeasure){.factor = u ? u->factor : 1, .offset = u && !n->v.span ? u->offset : 0};
    if (u) return m->unit = str_of(u->name), ERR_OK;
    Buf b = {0};
    dims_print(dims, &b);
    m->unit = arena_str(&c->r->keep, buf_str(&b));
    buf_free(&b);
    return ERR_OK;
}

// Numbers without dimension go with any label, and what they come to over time with it too.
static bool countable(const Term *n, Dims dims) { return dims_none(n->v.dims) || dims_none(dims); }

static Err measure_of(Compile *c, Term *n, const RatesAsk *ask, RatesMeasure *m) {
    DimUnit u;
    Dims dims = n->v.dims;
    char x[120], *of = ask->integral ? "its integral over time" : "this";
    if (ask->integral && !dims_mul(dims, dims_of(FAM_TIME), 2, &dims))
        FAULT(n->from, "powers of units beyond all measure");
    if (!ask->unit.n) return measure_own(c, n, dims, ask->integral, m);
    bool known = dims_unit(ask->unit, &u);
    *m = (RatesMeasure){.factor = 1, .unit = arena_str(&c->r->keep, ask->unit)};
    measure_text(&(Val){.kind = KIND_NUMBER, .dims = dims}, x, sizeof x);
    if (!known && countable(n, dims)) return ERR_OK;
    if (!known)
        FAULT(n->from, "'%.*s' is no unit of measure, and %s is %s: make it a number with UNIT(x, '...')",
              STR_ARG(ask->unit), of, x);
    if (!ask->integral && n->v.plain && u.unit && !dims_none(u.dims)) fit_plain(n, u.unit, u.dims, false);
    if (!ask->integral && dims_none(n->v.dims) && !dims_none(u.dims)) return ERR_OK; // taken to be in it
    bool fits = dims_equal(ask->integral ? dims : n->v.dims, u.dims) || (dims_none(u.dims) && countable(n, dims));
    if (!fits) {
        Buf b = {0};
        dims_print(u.dims, &b);
        Err e = compile_fault(c, n->from ? n->from->at : 0, "the unit %.*s is %.*s, and %s is %s", STR_ARG(ask->unit),
                              STR_ARG(b.n ? buf_str(&b) : STR("without dimension")), of, x);
        buf_free(&b);
        return e;
    }
    m->factor = u.factor;
    m->offset = n->v.span || ask->integral ? 0 : u.offset;
    return ERR_OK;
}

Err compile_watch(Compile *c, const Expr *e, const RatesAsk *ask, Prog *out, RatesMeasure *measure) {
    Term *n;
    uint32_t delays = c->r->delay_count;
    Err err = compile_tree(c, e, NULL, &n);
    for (uint32_t i = delays; i < c->r->delay_count; i++) c->r->delays[i].inst = NONE;
    TRY(err);
    if (c->r->delay_count > delays) FAULT(e, "what is counted looks at the present: define a property for the DELAY");
    if (n->v.kind == KIND_SYMBOL) FAULT(n->from, "what is counted is a number, or true and false; this is a text");
    TRY(measure_of(c, n, ask, measure));
    c->roots = true;
    err = compile_emit(c, n, out);
    c->roots = false;
    return err;
}

// ---- targets --------------------------------------------------------------------------------------------------------

static Err target_own(Compile *c, const SayTarget *t, uint32_t *role) {
    const Table *table = &c->r->catalog->tables[c->table];
    Expr at = {.at = t->at};
    const Field *f = model_field(table->model, t->path);
    if (!f) return unknown(c, &at, t->path);
    if (!simple(f)) FAULT(&at, "%.*s is no single value", STR_ARG(t->path));
    *role = rates_role(c->r, table->first + (uint32_t)(f - table->model->fields));
    return ERR_OK;
}

Err compile_target(Compile *c, const SayTarget *t, RatesAct *out, uint32_t *role) {
    Rates *r = c->r;
    Expr at = {.at = t->at};
    *out = (RatesAct){.role = NONE};
    if (!t->in && !t->out) {
        TRY(target_own(c, t, role));
        out->role = *role;
        return ERR_OK;
    }
    RatesHop hop = {.out = t->out, .in = t->in};
    bool *kinds = NEW(&r->keep, bool, r->catalog->kind_count + 1);
    TRY(hop_kinds(c, &at, &t->rel, 1, kinds));
    hop.kinds = kinds;
    Around a = {.hop = &hop, .tables = NEW(&r->keep, bool, r->catalog->table_count + 1)};
    hop_tables(c, &hop, a.tables);
    uint32_t *roles = NEW(&r->keep, uint32_t, r->catalog->table_count + 1);
    Val v;
    uint32_t reads = c->read_count;
    TRY(leaf_roles(c, &at, &a, t->path, false, roles, &v));
    c->read_count = reads; // set, not read
    out->ptr = hop_edges(c, &hop, &a.edges, &a.twin, &a.link);
    uint32_t *to_role = NEW(&r->keep, uint32_t, a.edges + 1), *to_row = NEW(&r->keep, uint32_t, a.edges + 1);
    for (uint32_t i = 0; i < a.edges; i++) {
        to_role[i] = roles[r->graph->table[a.twin[i]]];
        to_row[i] = a.twin[i] - r->graph->table_first[r->graph->table[a.twin[i]]];
    }
    out->to_role = to_role;
    out->to_row = to_row;
    for (int32_t i = 0; i < r->catalog->table_count; i++) {
        if (roles[i] == NONE) continue;
        *role = roles[i];
        r->roles[roles[i]].acted = true;
    }
    return ERR_OK;
}
