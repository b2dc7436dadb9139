// SPDX-License-Identifier: Apache-2.0
// Definitions of derived values (collection "derived", see engine/derive.h) as definitions among the statements of
// behaviours: what behaviours read of them moves within a run. The writer still computes what is stored.
//
// Taken are those that a statement reads, or another one that is taken; and aside, where nothing that moves knows of
// them, those that a watch alone needs. What the language of behaviours does not say, or says otherwise, is left as it
// stands when the run begins, with a note that names it and tells why.
//
// Expressions there are over numbers in the units of their properties, here over numbers in SI. Sums, comparisons and
// choices come to the same; products of quantities do so in units of SI alone, sums of temperatures in kelvin alone. So
// others are not taken.
#include <math.h>
#include "base/check.h"
#include "codec/json.h"
#include "sim/rates_inner.h"

#define DERIVED STR("derived")

typedef struct Definition {
    SayDoc doc; // one statement: property = expression
    Str property;
    bool noted;
} Definition;

typedef struct Derived {
    Rates *r;
    Definition *defs;
    int32_t count;
    bool *tried; // by column
    bool *busy;  // by column: its definitions are being looked at for a watch
} Derived;

static void note(Derived *x, Definition *def, const char *why, int64_t n) {
    Rates *r = x->r;
    if (def->noted) return;
    def->noted = true;
    *RATES_PUSH(r, r->notes, r->note_count, r->note_cap) =
        (RatesNote){.name = def->doc.name, .why = arena_str(&r->keep, (Str){why, n})};
}

// ---- documents ------------------------------------------------------------------------------------------------------

static Str member(const Json *v, Str name) {
    const Json *x = json_get(v, name);
    return x && x->type == JSON_STRING ? x->s : (Str){0};
}

// A definition that cannot be read holds nowhere: the writer computes nothing by it either.
static void read_definition(Derived *x, const Doc *doc) {
    Arena *a = &x->r->keep;
    Json v;
    Expr *e;
    Say *say = NEW(a, Say, 1);
    if (json_parse(arena_str(a, doc->json), NULL, a, &v, NULL) != ERR_OK || v.type != JSON_OBJECT) return;
    Definition d = {.doc = {.name = doc->name, .model = member(&v, STR("model")), .twin = member(&v, STR("twin"))}};
    d.property = member(&v, STR("property"));
    say->kind = SAY_ALWAYS;
    say->from_ns = -1;
    say->text = member(&v, STR("expression"));
    say->target.path = d.property;
    if (expr_parse(a, say->text, &e, NULL) != ERR_OK) return;
    say->expr = e;
    d.doc.says = say;
    d.doc.say_count = 1;
    x->defs[x->count++] = d;
}

// Is a for fewer models than b? Of the same: the first by name.
static bool beats(const Rates *r, int32_t a, int32_t b, const Definition *defs) {
    const Model *x = schema_find(r->catalog->schema, defs[a].doc.model);
    const Model *y = schema_find(r->catalog->schema, defs[b].doc.model);
    if (x && y && x != y && model_is(x, y->id)) return true;
    if (x && y && x != y && model_is(y, x->id)) return false;
    return a < b;
}

// ---- does it say the same here? -------------------------------------------------------------------------------------

typedef struct Sides {
    const Rates *r;
    const RatesInst *in;
    bool scaled;  // units other than those of SI
    bool shifted; // units whose zero is another one
    bool product; // quantities are multiplied, or go through a function
    bool sum;     // quantities are added
} Sides;

static void see_unit(Sides *s, const Unit *u) {
    if (!u) return;
    s->scaled = s->scaled || u->factor != 1;
    s->shifted = s->shifted || u->offset != 0;
}

static Str last_name(const Expr *e) { return e->seg_count ? e->segs[e->seg_count - 1].name : (Str){0}; }

static bool ends_with(Str s, Str end) { return s.n >= end.n && str_eq(str_sub(s, s.n - end.n, s.n), end); }

// A number without unit, whatever it is read of.
static bool bare(const Sides *s, const Expr *e) {
    switch (e->op) {
    case EX_LITERAL: return !e->unit.n && e->value.type != EXPR_DURATION;
    case EX_PATH:
        for (uint32_t i = 0; i < s->in->read_count; i++) {
            const RatesRole *role = &s->r->roles[s->in->reads[i].role];
            if (role->unit && ends_with(role->field->path, last_name(e))) return false;
        }
        return true;
    case EX_GRAPH: return str_eq_nocase(e->name, STR("COUNT")) || (e->args[0] && bare(s, e->args[0]));
    default: break;
    }
    for (int32_t i = 0; i < e->arg_count; i++)
        if (e->args[i] && !bare(s, e->args[i])) return false;
    return true;
}

// Functions that choose among their operands.
static bool chooses(Str name) {
    static const char *const names[] = {"COALESCE", "LEAST", "GREATEST", "CLAMP", "IS_DEFINED", "IF"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return false;
}

static void see(Sides *s, const Expr *e) {
    DimUnit u;
    bool all = bare(s, e);
    switch (e->op) {
    case EX_LITERAL:
        if (e->unit.n && dims_unit(e->unit, &u)) {
            s->scaled = s->scaled || u.factor != 1;
            s->shifted = s->shifted || u.offset != 0;
        }
        break;
    case EX_MUL:
        s->product = s->product || (!bare(s, e->args[0]) && !bare(s, e->args[1]));
        s->sum |= !all;
        break;
    case EX_DIV:
        s->product = s->product || !bare(s, e->args[1]);
        s->sum |= !all;
        break;
    case EX_MOD:
    case EX_ADD:
    case EX_SUB:
    case EX_NEG: s->sum |= !all; break;
    case EX_GRAPH: s->sum |= !all && str_eq_nocase(e->name, STR("SUM")); break;
    case EX_CALL:
        if (str_eq_nocase(e->name, STR("ABS"))) s->sum |= !all;
        else if (!all && !chooses(e->name)) s->product = true;
        break;
    default: break;
    }
    for (int32_t i = 0; i < e->arg_count; i++)
        if (e->args[i]) see(s, e->args[i]);
}

// Is the value a whole number, whatever it is of?
static bool whole(const Sides *s, const Expr *e) {
    switch (e->op) {
    case EX_LITERAL: return e->value.type == EXPR_I64;
    case EX_PATH:
        for (uint32_t i = 0; i < s->in->read_count; i++) {
            const RatesRole *role = &s->r->roles[s->in->reads[i].role];
            if (ends_with(role->field->path, last_name(e)) && role->field->cell != CELL_I64) return false;
        }
        return true;
    case EX_GRAPH:
        if (str_eq_nocase(e->name, STR("COUNT"))) return true;
        return !str_eq_nocase(e->name, STR("AVG")) && e->args[0] && whole(s, e->args[0]);
    case EX_COND: return whole(s, e->args[1]) && whole(s, e->args[2]);
    case EX_ADD:
    case EX_SUB:
    case EX_MUL: return whole(s, e->args[0]) && whole(s, e->args[1]);
    case EX_NEG: return whole(s, e->args[0]);
    default: return false;
    }
}

// Why it would come to another value here; NULL: it does not.
static const char *differs(const Rates *r, const RatesInst *in) {
    const RatesRole *role = &r->roles[in->role];
    const Expr *e = in->doc->says[0].expr;
    Sides s = {.r = r, .in = in};
    see_unit(&s, role->unit);
    for (uint32_t i = 0; i < in->read_count; i++) see_unit(&s, r->roles[in->reads[i].role].unit);
    see(&s, e);
    if (role->field->cell == CELL_I64 && !whole(&s, e)) return "its value is rounded to a whole number";
    if (role->field->cell == CELL_I64 && s.scaled) return "its value is a whole number of a unit";
    if (s.scaled && s.product) return "it multiplies quantities in units that are not those of SI";
    if (s.shifted && (s.product || s.sum)) return "it adds or multiplies temperatures that are not in kelvin";
    return NULL;
}

// ---- taking ---------------------------------------------------------------------------------------------------------

// Does a behaviour say it too, or set it?
static bool said_already(const Rates *r, uint32_t role, uint32_t derived_from) {
    for (uint32_t i = 0; i < derived_from; i++) {
        const RatesInst *in = &r->insts[i];
        bool owns = in->kind == SAY_RATE || in->kind == SAY_ALWAYS;
        if (owns && in->role == role && in->row_count) return true;
    }
    return r->roles[role].acted;
}

static bool take(Derived *x, Definition *def, uint32_t table, uint32_t role, uint32_t derived_from, RatesInst *out) {
    static const char said[] = "a behaviour says what it is, too";
    Diag d;
    diag_init(&d);
    Err err = said_already(x->r, role, derived_from) ? ERR_EXISTS : rates_inst(x->r, &def->doc, 0, table, &d, out);
    const char *why = err ? said : differs(x->r, out);
    if (err && d.count) note(x, def, d.messages[0].text.p, d.messages[0].text.n);
    else if (why) note(x, def, why, (int64_t)strlen(why));
    diag_free(&d);
    return !err && !why;
}

// The definition for all twins of a table, -1: none.
static int32_t best_for(const Derived *x, const Table *t, Str path) {
    int32_t best = -1;
    for (int32_t i = 0; i < x->count; i++) {
        const Definition *def = &x->defs[i];
        if (def->doc.twin.n || !str_eq(def->property, path) || !model_is(t->model, def->doc.model)) continue;
        if (best < 0 || beats(x->r, i, best, x->defs)) best = i;
    }
    return best;
}

static void take_column(Derived *x, uint32_t col, uint32_t derived_from) {
    Rates *r = x->r;
    const Catalog *c = r->catalog;
    int32_t owner = c->owner[col - VECNO_COLUMNS];
    if (owner < 0 || x->tried[col]) return;
    x->tried[col] = true;
    const Table *t = &c->tables[owner];
    Str path = t->model->fields[col - t->first].path;
    int32_t best = best_for(x, t, path);
    RatesInst in;
    uint32_t role = r->role_of[col], rows = r->roles[role].rows;
    if (best >= 0 && rows && take(x, &x->defs[best], (uint32_t)owner, role, derived_from, &in)) {
        in.row_count = rows;
        in.width = (uint32_t)schema_find(c->schema, x->defs[best].doc.model)->base_count;
        rates_inst_add(r, &in);
    }
    bool *own = NEW(&r->keep, bool, rows + 1);
    for (int32_t i = 0; i < x->count; i++) { // of each twin the first by name
        Definition *def = &x->defs[i];
        uint32_t twin = def->doc.twin.n && str_eq(def->property, path) ? rates_twin(r->graph, def->doc.twin) : NONE;
        if (twin == NONE || r->graph->table[twin] != (uint32_t)owner || own[twin - r->roles[role].first]) continue;
        own[twin - r->roles[role].first] = true;
        if (take(x, def, (uint32_t)owner, role, derived_from, &in)) rates_inst_of(r, &in, twin);
        else rates_rest(r, role, twin); // it stands still: the model's definition does not hold for it
    }
}

void derived_add(Rates *r) {
    int32_t n = 0, first = catalog_docs(r->catalog, DERIVED, &n);
    if (n == 0) return;
    Derived *x = NEW(&r->keep, Derived, 1);
    *x = (Derived){.r = r, .defs = NEW(&r->keep, Definition, n)};
    r->derived = x;
    x->tried = NEW(&r->keep, bool, r->catalog->next_vec + 1);
    x->busy = NEW(&r->keep, bool, r->catalog->next_vec + 1);
    for (int32_t i = 0; i < n; i++) read_definition(x, r->catalog->docs[first + i]);
    uint32_t derived_from = r->inst_count;
    for (uint32_t i = 0; i < r->role_count; i++) { // what is taken may read more
        uint32_t col = r->roles[i].col;
        if (!r->roles[i].link) take_column(x, col, derived_from);
    }
}

// ---- for watches alone ----------------------------------------------------------------------------------------------
// What only a watch reads must not bind twins together, cut steps or be told: it becomes no instance, but one aside.

static bool is_busy(const Derived *x, const RatesInst *in) {
    for (uint32_t i = 0; i < in->read_count; i++)
        if (x->busy[x->r->roles[in->reads[i].role].col]) return true;
    return false;
}

static bool look_aside(Derived *x, Definition *def, uint32_t table, RatesInst *out) {
    static const char back[] = "it looks back";
    Rates *r = x->r;
    uint32_t delays = r->delay_count;
    Diag d;
    diag_init(&d);
    Err err = rates_inst(r, &def->doc, 0, table, &d, out);
    const char *why = err ? "it cannot be computed" : differs(r, out);
    if (r->delay_count > delays) why = back;
    r->delay_count = delays;
    if (!err && !why && is_busy(x, out)) why = "it needs itself";
    if (err && d.count) note(x, def, d.messages[0].text.p, d.messages[0].text.n);
    else if (why) note(x, def, why, (int64_t)strlen(why));
    diag_free(&d);
    return !why;
}

static void column_aside(Derived *x, uint32_t number);

// Behind those it needs. rows: for which it holds; NULL: all.
static void push_aside(Derived *x, RatesInst *in, const bool *rows) {
    Rates *r = x->r;
    for (uint32_t i = 0; i < in->read_count; i++) column_aside(x, in->reads[i].role);
    in->has = rows;
    r->roles[in->role].aside = true;
    *RATES_PUSH(r, r->asides, r->aside_count, r->aside_cap) = *in;
}

// Those of single twins: the first by name of each. own: by row, there is one.
static void twins_aside(Derived *x, uint32_t number, Str path, bool *own) {
    Rates *r = x->r;
    RatesInst in;
    uint32_t table = r->roles[number].owner, first = r->roles[number].first, rows = r->roles[number].rows;
    for (int32_t i = 0; i < x->count; i++) {
        Definition *def = &x->defs[i];
        uint32_t twin = def->doc.twin.n && str_eq(def->property, path) ? rates_twin(r->graph, def->doc.twin) : NONE;
        if (twin == NONE || r->graph->table[twin] != table || own[twin - first]) continue;
        own[twin - first] = true;
        if (!look_aside(x, def, table, &in)) continue;
        bool *has = NEW(&r->keep, bool, rows);
        has[twin - first] = true;
        push_aside(x, &in, has);
    }
}

static void column_aside(Derived *x, uint32_t number) {
    Rates *r = x->r;
    RatesRole role = r->roles[number];
    RatesInst in;
    if (role.link || x->tried[role.col]) return;
    x->tried[role.col] = x->busy[role.col] = true;
    bool *own = NEW(&r->keep, bool, role.rows + 1), *rest = NEW(&r->keep, bool, role.rows + 1);
    twins_aside(x, number, role.field->path, own);
    for (uint32_t i = 0; i < role.rows; i++) rest[i] = !own[i];
    int32_t best = best_for(x, &r->catalog->tables[role.owner], role.field->path);
    if (best >= 0 && role.rows && look_aside(x, &x->defs[best], role.owner, &in)) push_aside(x, &in, rest);
    x->busy[role.col] = false;
}

void derived_watched(Rates *r, const RatesRead *reads, uint32_t n) {
    for (uint32_t i = 0; r->derived && i < n; i++) column_aside(r->derived, reads[i].role);
}
