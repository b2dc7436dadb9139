// SPDX-License-Identifier: Apache-2.0
// One unit for values of several models that meet in one column: sums, least and greatest, groups, order. Where models
// give a property different units of one family, the expression e becomes UNIT(e, 'that of the first model'); where
// they cannot be brought together the query is refused. On the way it is learnt which columns hold only floats of 32
// bits.
#include "query/plan.h"

typedef struct Measure {
    Arena *a, scratch;
    const Query *q;
    View *v;
    Diag *d;
    const Expr *e;
    int32_t alias;        // the only one e names
    const Unit *unit;     // of the first model that gives one
    const Model *by, *no; // that model; one that gives none
    bool mixed;
    bool single, other; // some model gives a float of 32 bits, some another number
} Measure;

static int32_t places(const Measure *m) {
    const Catalog *c = m->v->catalog;
    return m->q->aliases[m->alias].kind == EXPR_TWIN ? c->table_count : c->kind_count;
}

static const Model *model_of(const Measure *m, int32_t i) {
    const Catalog *c = m->v->catalog;
    return m->q->aliases[m->alias].kind == EXPR_TWIN ? c->tables[i].model : c->kinds[i].rel->owner;
}

// e for one table or kind of the alias; NULL when it does not bind there.
static const Bound *bind_at(Measure *m, const Expr *e, int32_t i) {
    const QueryAlias *alias = &m->q->aliases[m->alias];
    ExprSource s = {.alias = alias->name, .kind = alias->kind};
    if (alias->kind == EXPR_TWIN) s.table = (uint32_t)i;
    else s.link = (uint32_t)i;
    ExprScope scope = {.catalog = m->v->catalog, .sources = &s, .count = 1, .bare_first = true};
    Bound *b = NULL;
    return expr_bind(&m->scratch, &scope, e, &b, NULL) == ERR_OK ? b : NULL;
}

// The only alias e names, or -1.
static int32_t only_alias(const Query *q, const Expr *e) {
    bool late = false;
    uint64_t mask = plan_mask(q, e, &late);
    return late || (mask & (mask - 1)) ? -1 : __builtin_ctzll(mask);
}

// A conjunct of WHERE that rules the table or kind out by its model alone.
static bool ruled_out(Measure *m, const Expr *where, int32_t i) {
    if (!where) return false;
    if (where->op == EX_AND) return ruled_out(m, where->args[0], i) || ruled_out(m, where->args[1], i);
    if (only_alias(m->q, where) != m->alias) return false;
    const Bound *b = bind_at(m, where, i);
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

static Err look_at(Measure *m, int32_t i) {
    if (m->q->aliases[m->alias].kind == EXPR_TWIN && view_table_rows(m->v, (uint32_t)i) == 0) return ERR_OK;
    const Bound *b = bind_at(m, m->e, i);
    bool number = b && b->op != BOUND_CONST && (b->type == EXPR_I64 || b->type == EXPR_F64);
    if (!number || ruled_out(m, m->q->where, i)) return ERR_OK;
    if (b->op == BOUND_CELL && b->leaf->type->shape == SHAPE_FLOAT) m->single = true;
    else m->other = true;
    if (!b->unit.unit) {
        m->no = model_of(m, i);
    } else if (!m->unit) {
        m->unit = b->unit.unit;
        m->by = model_of(m, i);
    } else if (b->unit.unit->family != m->unit->family) {
        return clash(m, b->unit.unit, model_of(m, i));
    } else if (b->unit.unit != m->unit) {
        m->mixed = true;
    }
    return m->unit && m->no ? clash(m, NULL, m->no) : ERR_OK;
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
    m->single = false;
    if (!*e || (m->alias = only_alias(m->q, *e)) < 0) return ERR_OK;
    m->e = *e;
    m->unit = NULL;
    m->no = NULL;
    m->mixed = m->single = m->other = false;
    for (int32_t i = 0; i < places(m); i++) {
        Err err = look_at(m, i);
        arena_reset(&m->scratch);
        TRY(err);
    }
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

static Err measure_all(Measure *m, Query *q, bool *changed) {
    int32_t n = q->column_count + q->hidden_count;
    for (int32_t i = 0; i < n; i++) {
        QueryColumn *c = &q->columns[i];
        if (!meets(q, i)) continue;
        TRY(measure(m, &c->expr, changed));
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
