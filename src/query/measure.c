// SPDX-License-Identifier: Apache-2.0
// One unit for values of several models that meet in one column: sums, least and greatest, groups, order. Where models
// give a property different units of one family, the expression e becomes UNIT(e, 'that of the first model'); where
// they cannot be brought together the query is refused. On the way it is learnt which columns hold only floats of 32
// bits.
#include "query/plan.h"

// Where the values of one alias come from, as far as it matters to an expression.
typedef struct Origins {
    int32_t alias, n, at;
    int32_t *of; // tables or kinds
} Origins;

typedef struct Measure {
    Arena *a, scratch;
    const Query *q;
    View *v;
    Diag *d;
    const Expr *e;
    Origins *origins; // of the aliases e names
    int32_t alias_count;
    const Unit *unit;                // of the first models that give one
    const Model *by, *no, *makes_by; // those models; ones that give none; ones that make a derived unit
    uint64_t makes;                  // what it is made of
    bool derived;
    bool mixed, number, text; // some model gives a number, some what is none
    bool single, other;       // some model gives a float of 32 bits, some another number
    bool units, many;         // some part of e has a unit; more combinations than can be looked at
} Measure;

#define MEETINGS_MAX 4096 // of models of several aliases in one expression

static int32_t places(const Measure *m, int32_t alias) {
    const Catalog *c = m->v->catalog;
    return m->q->aliases[alias].kind == EXPR_TWIN ? c->table_count : c->kind_count;
}

static ExprSource source_of(const Measure *m, int32_t alias, int32_t i) {
    const QueryAlias *al = &m->q->aliases[alias];
    ExprSource s = {.alias = al->name, .kind = al->kind};
    if (al->kind == EXPR_TWIN) s.table = (uint32_t)i;
    else s.link = (uint32_t)i;
    return s;
}

// The model of the last alias: in a loop over all origins, the one that changes from round to round.
static const Model *model_here(const Measure *m) {
    const Catalog *c = m->v->catalog;
    const Origins *o = &m->origins[0];
    for (int32_t k = 1; k < m->alias_count; k++)
        if (m->origins[k].at > 0) o = &m->origins[k];
    int32_t i = o->of[o->at];
    return m->q->aliases[o->alias].kind == EXPR_TWIN ? c->tables[i].model : c->kinds[i].rel->owner;
}

// e for these sources; NULL when it does not bind there.
static const Bound *bind_at(Measure *m, const Expr *e, const ExprSource *sources, int32_t n) {
    ExprScope scope = {.catalog = m->v->catalog, .sources = sources, .count = n, .bare_first = true};
    Bound *b = NULL;
    return expr_bind(&m->scratch, &scope, e, &b, NULL) == ERR_OK ? b : NULL;
}

// A conjunct of WHERE that rules the table or kind out by its model alone.
static bool ruled_out(Measure *m, const Expr *where, int32_t alias, int32_t i) {
    if (!where) return false;
    if (where->op == EX_AND) return ruled_out(m, where->args[0], alias, i) || ruled_out(m, where->args[1], alias, i);
    bool late;
    uint64_t mask = plan_mask(m->q, where, &late);
    if (late || mask != (uint64_t)1 << alias) return false;
    ExprSource s = source_of(m, alias, i);
    const Bound *b = bind_at(m, where, &s, 1);
    return b && b->op == BOUND_CONST && !(b->value.type == EXPR_BOOL && b->value.b);
}

static Err clash(Measure *m, const Unit *other, const Model *by) {
    Str name = str_sub(m->q->text, m->e->at, m->e->end);
    if (name.n > 200) name = STR("this value");
    return diag_add(m->d, ERR_SYNTAX, m->e->at, m->e->end, (Str){0},
                    "%.*s is in %s in model %.*s and %s%s in %.*s: choose models by IS_OF_MODEL", STR_ARG(name),
                    m->unit->name, STR_ARG(m->by->id), other ? "in " : "", other ? other->name : "without unit",
                    STR_ARG(by->id));
}

static uint64_t mix(uint64_t h, uint64_t x) { return (h ^ x) * 0x9e3779b97f4a7c15u; }

// The units that a derived one is made of.
static uint64_t made_of(const Bound *b, uint64_t h) {
    if (b->unit.unit) return mix(h, (uint64_t)(uintptr_t)b->unit.unit);
    for (int32_t i = 0; b->unit.derived && i < b->arg_count; i++)
        if (b->args[i]) h = made_of(b->args[i], h);
    return h;
}

// A product of units has no name to be converted to: it must be the same in all models.
static Err look_at_derived(Measure *m, const Bound *b) {
    uint64_t makes = made_of(b, 1);
    if (m->derived && makes != m->makes) {
        return diag_add(m->d, ERR_SYNTAX, m->e->at, m->e->end, (Str){0},
                        "this is made of other units in model %.*s than in %.*s: convert with UNIT(x, 'unit'), or "
                        "choose models by IS_OF_MODEL",
                        STR_ARG(m->makes_by->id), STR_ARG(model_here(m)->id));
    }
    if (!m->derived) m->makes_by = model_here(m);
    m->makes = makes;
    m->derived = true;
    return ERR_OK;
}

// e where its aliases stand now.
static Err look_at(Measure *m) {
    ExprSource *sources = NEW(&m->scratch, ExprSource, m->alias_count);
    for (int32_t k = 0; k < m->alias_count; k++)
        sources[k] = source_of(m, m->origins[k].alias, m->origins[k].of[m->origins[k].at]);
    const Bound *b = bind_at(m, m->e, sources, m->alias_count);
    bool number = b && (b->type == EXPR_I64 || b->type == EXPR_F64);
    if (b && b->type != EXPR_UNDEFINED && b->type != EXPR_NULL) {
        if (number || b->type == EXPR_ANY) m->number = true;
        else m->text = true;
    }
    if (!number || b->op == BOUND_CONST) return ERR_OK;
    if (b->op == BOUND_CELL && b->leaf->type->shape == SHAPE_FLOAT) m->single = true;
    else m->other = true;
    if (b->unit.derived) TRY(look_at_derived(m, b));
    if (!b->unit.unit) {
        m->no = model_here(m);
    } else if (!m->unit) {
        m->unit = b->unit.unit;
        m->by = model_here(m);
    } else if (b->unit.unit->family != m->unit->family) {
        return clash(m, b->unit.unit, model_here(m));
    } else if (b->unit.unit != m->unit) {
        m->mixed = true;
    }
    return m->unit && m->no ? clash(m, NULL, m->no) : ERR_OK;
}

// ---- origins ------------------------------------------------------------------------------------------------------

typedef struct Likeness {
    Measure *m;
    ExprSource source;
    int32_t alias;
    uint64_t hash;
} Likeness;

// What a path or aggregate of the alias is here: its type and unit.
static void like(void *ctx, const Expr *e, bool inside) {
    Likeness *l = ctx;
    bool late;
    if (inside || plan_mask(l->m->q, e, &late) != (uint64_t)1 << l->alias) return;
    if (e->op == EX_PATH && e->seg_count == 1) l->hash = mix(l->hash, l->source.table); // the twin: all may matter
    const Bound *b = bind_at(l->m, e, &l->source, 1);
    l->hash = mix(l->hash, b ? (uint64_t)b->type + 1 : 0);
    if (b && (b->unit.unit || b->unit.derived)) l->m->units = true;
    if (b) l->hash = mix(mix(l->hash, (uint64_t)(uintptr_t)b->unit.unit), b->unit.span + 2u * b->unit.derived);
}

// The tables or kinds of an alias; where several aliases meet, one of those that are alike.
static void find_origins(Measure *m, Origins *o) {
    int32_t n = places(m, o->alias);
    bool twins = m->q->aliases[o->alias].kind == EXPR_TWIN;
    uint64_t *seen = NEW(m->a, uint64_t, n);
    o->of = NEW(m->a, int32_t, n);
    for (int32_t i = 0; i < n; i++) {
        if (twins && view_table_rows(m->v, (uint32_t)i) == 0) continue;
        bool out = ruled_out(m, m->q->where, o->alias, i);
        Likeness l = {.m = m, .source = source_of(m, o->alias, i), .alias = o->alias};
        if (!out && m->alias_count > 1) expr_walk(m->e, like, &l);
        arena_reset(&m->scratch);
        for (int32_t k = 0; k < o->n && !out && m->alias_count > 1; k++) out = seen[k] == l.hash;
        if (out) continue;
        seen[o->n] = l.hash;
        o->of[o->n++] = i;
    }
}

// The next combination; false behind the last one.
static bool step(Measure *m) {
    for (int32_t k = m->alias_count - 1; k >= 0; k--) {
        if (++m->origins[k].at < m->origins[k].n) return true;
        m->origins[k].at = 0;
    }
    return false;
}

// Set the origins of all aliases that *e names. False: nothing to be learnt.
static bool begin(Measure *m, const Expr *e) {
    bool late;
    uint64_t mask = plan_mask(m->q, e, &late);
    int64_t meetings = 1;
    m->units = m->many = false;
    if (late) return false;
    m->e = e;
    m->alias_count = __builtin_popcountll(mask);
    m->origins = NEW(m->a, Origins, m->alias_count);
    for (int32_t k = 0; k < m->alias_count; k++, mask &= mask - 1) {
        m->origins[k].alias = __builtin_ctzll(mask);
        find_origins(m, &m->origins[k]);
        meetings *= m->origins[k].n;
        if (meetings == 0) return false;
        if (m->alias_count > 1 && meetings > MEETINGS_MAX) {
            m->many = true;
            meetings = MEETINGS_MAX + 1;
        }
    }
    return !m->many;
}

// Not to be looked at in all combinations, and units are about: rather no sum than a wrong one.
static Err too_many(Measure *m) {
    return diag_add(m->d, ERR_SYNTAX, m->e->at, m->e->end, (Str){0},
                    "units of more than %d combinations of models meet here: choose models by IS_OF_MODEL",
                    MEETINGS_MAX);
}

// UNIT(e, 'unit')
static Expr *in_unit(Arena *a, const Expr *e, const Unit *unit) {
    Expr *call = NEW(a, Expr, 1), *name = NEW(a, Expr, 1);
    *name = (Expr){.op = EX_LITERAL, .at = e->at, .end = e->end};
    name->value = (ExprValue){.type = EXPR_STR, .s = str_of(unit->name)};
    *call = (Expr){.op = EX_CALL, .at = e->at, .end = e->end, .name = STR("UNIT"), .arg_count = 2};
    call->args = NEW(a, Expr *, 2);
    call->args[0] = (Expr *)(uintptr_t)e;
    call->args[1] = name;
    return call;
}

// *e in one unit. *changed turns true when it is another expression now.
static Err measure(Measure *m, Expr **e, bool *changed) {
    m->unit = NULL;
    m->no = NULL;
    m->mixed = m->single = m->other = m->derived = m->number = m->text = false;
    if (!*e) return ERR_OK;
    if (!begin(m, *e)) return m->many && m->units ? too_many(m) : ERR_OK;
    do {
        Err err = look_at(m);
        arena_reset(&m->scratch);
        TRY(err);
    } while (step(m));
    if (m->mixed) *e = in_unit(m->a, *e, m->unit);
    m->single = m->single && !m->other && !m->mixed;
    *changed |= m->mixed;
    return ERR_OK;
}

// Does the column's value meet those of other rows?
static bool meets(const Query *q, int32_t i) {
    const QueryColumn *c = &q->columns[i];
    if (c->alias >= 0) return false;
    bool ordered = false;
    for (int32_t k = 0; k < q->order_count; k++) ordered |= q->orders[k].column == i;
    return ordered || q->distinct || (c->agg != AGG_NONE && c->agg != AGG_COUNT);
}

// Is there something to be summed up? Nothing at all is no mistake, texts alone are.
static Err sums(Measure *m, const QueryColumn *c) {
    bool adds = c->agg == AGG_SUM || c->agg == AGG_AVG || c->agg == AGG_PERCENTILE;
    if (!adds || m->number || !m->text) return ERR_OK;
    return diag_add(m->d, ERR_SYNTAX, c->expr->at, c->expr->end, (Str){0},
                    "this is no number: SUM, AVG and PERCENTILE take numbers (of a duration x: SECONDS(x))");
}

static Err measure_all(Measure *m, Query *q, bool *changed) {
    int32_t n = q->column_count + q->hidden_count;
    for (int32_t i = 0; i < n; i++) {
        QueryColumn *c = &q->columns[i];
        if (!meets(q, i)) continue;
        TRY(measure(m, &c->expr, changed));
        TRY(sums(m, c));
        c->single = m->single && (c->agg == AGG_MIN || c->agg == AGG_MAX);
        *changed |= c->single;
    }
    for (int32_t g = 0; g < q->group_count; g++) {
        TRY(measure(m, &q->groups[g], changed));
        for (int32_t i = 0; m->single && i < n; i++) {
            if (q->columns[i].group == g) q->columns[i].single = *changed = true;
        }
    }
    for (int32_t i = 0; !q->aggregated && i < q->order_count; i++) TRY(measure(m, &q->orders[i].expr, changed));
    return ERR_OK;
}

static void *copy(Arena *a, const void *p, int32_t count, int64_t size) {
    void *out = arena_alloc(a, size, count, 16);
    if (count) memcpy(out, p, (size_t)(count * size));
    return out;
}

Err query_measure(Arena *a, const Query *q, View *v, const Query **out, Diag *d) {
    bool changed = false;
    Query *mine = copy(a, q, 1, (int64_t)sizeof *q);
    mine->columns = copy(a, q->columns, q->column_count + q->hidden_count, (int64_t)sizeof(QueryColumn));
    mine->groups = copy(a, q->groups, q->group_count, (int64_t)sizeof(Expr *));
    mine->orders = copy(a, q->orders, q->order_count, (int64_t)sizeof(QueryOrder));
    Measure m = {.a = a, .q = q, .v = v, .d = d};
    arena_init(&m.scratch, 4096);
    Err err = measure_all(&m, mine, &changed);
    arena_free(&m.scratch);
    if (err == ERR_OK) *out = changed ? mine : q;
    return err;
}
