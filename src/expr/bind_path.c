// SPDX-License-Identifier: Apache-2.0
// Names to columns. A path is resolved in the fields of one table or link kind; the rest of a path behind a map, array
// or geometry becomes BOUND_DOC nodes, typed as far as the model tells.
#include "base/check.h"
#include "expr/bind.h"
#include "world/edit.h"

// The properties a path is looked up in.
typedef struct Props {
    ExprSourceKind kind;
    const Model *model; // TWIN
    const Rel *rel;     // LINK
    const Field *fields;
    int32_t count;
    uint32_t first; // column of field 0
} Props;

typedef enum HitKind {
    HIT_NONE,   // no such name: segment `miss`, looked for among the children of `parent`
    HIT_FIELD,  // field
    HIT_CELL,   // fields[index], segments from `used` on are inside of its document
    HIT_OBJECT, // marker fields[index]
    HIT_UPDATE, // update time of fields[index]
    HIT_SOURCE, // source time of it
} HitKind;

typedef struct Hit {
    HitKind kind;
    ExprField field;
    int32_t index, used, miss, parent;
} Hit;

static Props props_of_table(const Catalog *cat, uint32_t t) {
    const Table *tb = &cat->tables[t];
    return (Props){EXPR_TWIN, tb->model, NULL, tb->model->fields, tb->model->field_count, tb->first};
}

static Props props_of_kind(const Catalog *cat, uint32_t k) {
    const LinkKind *lk = &cat->kinds[k];
    return (Props){EXPR_LINK, NULL, lk->rel, lk->rel->fields, lk->rel->field_count, lk->first};
}

static Props props_of(const Catalog *cat, const ExprSource *s) {
    return s->kind == EXPR_TWIN ? props_of_table(cat, s->table) : props_of_kind(cat, s->link);
}

static int32_t child(const Props *p, int32_t parent, Str name) {
    const Field *f = p->model ? model_child(p->model, parent, name) : fields_child(p->fields, p->count, parent, name);
    return f ? (int32_t)(f - p->fields) : -1;
}

// ---- resolving ----------------------------------------------------------------------------------------------------

static const struct {
    Str name;
    ExprField field;
    bool twin, link;
} FIELDS[] = {
    {{"$dtId", 5}, FIELD_ID, true, false},         {{"$relationshipId", 15}, FIELD_ID, false, true},
    {{"$etag", 5}, FIELD_ETAG, true, true},        {{"$sourceId", 9}, FIELD_SOURCE, false, true},
    {{"$targetId", 9}, FIELD_TARGET, false, true}, {{"$relationshipName", 17}, FIELD_NAME, false, true},
};

static Hit missed(int32_t miss, int32_t parent) { return (Hit){.kind = HIT_NONE, .miss = miss, .parent = parent}; }

static Hit hit_field(ExprField f) { return (Hit){.kind = HIT_FIELD, .field = f}; }

// segs[at] is "$metadata" of the twin (-1) or of a component.
static Hit metadata(const Props *p, int32_t parent, const ExprSeg *segs, int32_t n, int32_t at) {
    if (at + 1 >= n) return missed(at, parent);
    Str name = segs[at + 1].name;
    if (at + 2 == n && str_eq(name, STR("$lastUpdateTime"))) {
        if (parent < 0) return hit_field(FIELD_UPDATE_TIME);
        return (Hit){.kind = HIT_UPDATE, .index = parent};
    }
    if (at + 2 == n && parent < 0 && p->model && str_eq(name, STR("$model"))) return hit_field(FIELD_MODEL);
    int32_t i = segs[at + 1].index < 0 ? child(p, parent, name) : -1;
    if (i < 0) return missed(at + 1, parent);
    if (at + 3 != n) return missed(at + 1, parent);
    if (str_eq(segs[at + 2].name, STR("lastUpdateTime"))) return (Hit){.kind = HIT_UPDATE, .index = i};
    if (str_eq(segs[at + 2].name, STR("sourceTime"))) return (Hit){.kind = HIT_SOURCE, .index = i};
    return missed(at + 2, parent);
}

static Hit resolve(const Props *p, const ExprSeg *segs, int32_t n) {
    int32_t parent = -1;
    if (n == 0) return hit_field(FIELD_SELF);
    for (size_t i = 0; n == 1 && i < sizeof FIELDS / sizeof *FIELDS; i++) {
        bool here = p->kind == EXPR_TWIN ? FIELDS[i].twin : FIELDS[i].link;
        if (here && str_eq(segs[0].name, FIELDS[i].name)) return hit_field(FIELDS[i].field);
    }
    for (int32_t at = 0; at < n; at++) {
        bool whole = parent < 0 || p->fields[parent].cell == CELL_COMPONENT;
        if (whole && str_eq(segs[at].name, STR("$metadata"))) return metadata(p, parent, segs, n, at);
        int32_t i = segs[at].index < 0 ? child(p, parent, segs[at].name) : -1;
        if (i < 0) return missed(at, parent);
        if (p->fields[i].cell < CELL_OBJECT) return (Hit){.kind = HIT_CELL, .index = i, .used = at + 1};
        parent = i;
    }
    return (Hit){.kind = HIT_OBJECT, .index = parent};
}

// ---- documents ----------------------------------------------------------------------------------------------------

static ExprType type_of(const Type *t) {
    if (!t) return EXPR_ANY;
    switch (t->shape) {
    case SHAPE_BOOL: return EXPR_BOOL;
    case SHAPE_ULONG: // beyond 2^63 it is a double
    case SHAPE_DECIMAL:
    case SHAPE_ANY: return EXPR_ANY;
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: return EXPR_F64;
    case SHAPE_ENUM: return t->value_is_int ? EXPR_I64 : EXPR_STR;
    case SHAPE_OBJECT:
    case SHAPE_MAP:
    case SHAPE_ARRAY:
    case SHAPE_GEO: return EXPR_DOC;
    default: return t->shape <= SHAPE_ULONG ? EXPR_I64 : EXPR_STR;
    }
}

// What the model says about one step into a document. False: it has no such member. NULL in *t: not known.
static bool step(const Type **t, const ExprSeg *seg, Str *unit) {
    const Type *from = *t;
    *unit = (Str){0};
    *t = NULL;
    if (!from || from->shape == SHAPE_ANY || from->shape == SHAPE_GEO) return true;
    if (from->shape == SHAPE_ARRAY || from->shape == SHAPE_MAP) {
        *t = from->item;
        return (from->shape == SHAPE_ARRAY) == (seg->index >= 0);
    }
    for (int32_t i = 0; from->shape == SHAPE_OBJECT && seg->index < 0 && i < from->field_count; i++) {
        if (!str_eq(from->fields[i].name, seg->name)) continue;
        *t = from->fields[i].type;
        *unit = from->fields[i].unit;
        return true;
    }
    return false;
}

static bool steps(const Type *t, const ExprSeg *segs, int32_t n) {
    Str unit;
    for (int32_t i = 0; i < n; i++) {
        if (!step(&t, &segs[i], &unit)) return false;
    }
    return true;
}

// ---- known and nearest --------------------------------------------------------------------------------------------

// $metadata of a twin as a whole, or of one of its properties.
static bool is_metadata(const Props *p, const ExprSeg *segs, int32_t n) {
    if (!p->model || n < 1 || n > 2 || !str_eq(segs[0].name, STR("$metadata"))) return false;
    return n == 1 || (segs[1].index < 0 && child(p, -1, segs[1].name) >= 0);
}

static bool resolves(const Props *p, const ExprSeg *segs, int32_t n, Hit *hit) {
    *hit = resolve(p, segs, n);
    if (is_metadata(p, segs, n)) return true;
    if (hit->kind == HIT_NONE) return false;
    return hit->kind != HIT_CELL || steps(p->fields[hit->index].type, segs + hit->used, n - hit->used);
}

static void nearer(Str name, Str candidate, Str *best) {
    Str two[2] = {*best, candidate};
    Str found = expr_nearest(name, two, 2);
    if (found.n) *best = found;
}

// The best of what the failed path could have gone on with.
static void nearest(const Props *p, const ExprSeg *segs, const Hit *hit, Str *best) {
    Str name = segs[hit->kind == HIT_NONE ? hit->miss : hit->used].name;
    if (hit->kind == HIT_CELL) {
        const Type *t = p->fields[hit->index].type;
        for (int32_t i = 0; t->shape == SHAPE_OBJECT && i < t->field_count; i++) nearer(name, t->fields[i].name, best);
        return;
    }
    int32_t end = hit->parent < 0 ? p->count : p->fields[hit->parent].end;
    for (int32_t i = hit->parent + 1; i < end; i = p->fields[i].end) nearer(name, p->fields[i].name, best);
    for (size_t i = 0; hit->parent < 0 && hit->miss == 0 && i < sizeof FIELDS / sizeof *FIELDS; i++) {
        if (p->kind == EXPR_TWIN ? FIELDS[i].twin : FIELDS[i].link) nearer(name, FIELDS[i].name, best);
    }
    if (p->model && hit->parent < 0 && hit->miss == 0) nearer(name, STR("$metadata"), best);
}

// Does any table (or kind) of the catalog know the path?
static bool known(const Catalog *cat, ExprSourceKind kind, const ExprSeg *segs, int32_t n, Str *near) {
    int32_t count = kind == EXPR_TWIN ? cat->table_count : cat->kind_count;
    *near = (Str){0};
    for (int32_t i = 0; i < count; i++) {
        Hit hit;
        Props p = kind == EXPR_TWIN ? props_of_table(cat, (uint32_t)i) : props_of_kind(cat, (uint32_t)i);
        if (resolves(&p, segs, n, &hit)) {
            *near = (Str){0};
            return true;
        }
        nearest(&p, segs, &hit, near);
    }
    return count == 0 && n == 0;
}

bool expr_known(const ExprScope *scope, const Expr *path, Str *near) {
    int32_t source = -1;
    *near = (Str){0};
    for (int32_t i = 0; i < scope->count; i++) {
        if (scope->sources[i].alias.n && str_eq(scope->sources[i].alias, path->segs[0].name)) source = i;
    }
    bool alias = source >= 0;
    if (!alias && (scope->count == 1 || (scope->bare_first && scope->count > 0))) source = 0;
    if (source < 0) return false;
    return known(scope->catalog, scope->sources[source].kind, path->segs + alias, path->seg_count - alias, near);
}

// ---- binding ------------------------------------------------------------------------------------------------------

int32_t bind_alias(const Bind *c, Str name) {
    for (int32_t i = c->count - 1; i >= 0; i--) { // the innermost of that name
        if (c->sources[i].alias.n && str_eq(c->sources[i].alias, name)) return i;
    }
    return -1;
}

// The source a path belongs to, and the segments behind the alias.
static Err find_source(Bind *c, const Expr *e, int32_t *source, const ExprSeg **segs, int32_t *n) {
    *source = bind_alias(c, e->segs[0].name);
    bool alias = *source >= 0;
    *segs = e->segs + alias;
    *n = e->seg_count - alias;
    if (!alias) *source = c->bare;
    if (*source >= 0) return ERR_OK;
    Str names[EXPR_SOURCES_MAX];
    for (int32_t i = 0; i < c->count; i++) names[i] = c->sources[i].alias;
    Str near = expr_nearest(e->segs[0].name, names, c->count);
    if (c->count == 0) return bind_fail(c, e, "there is nothing here that a name could belong to");
    if (near.n && e->seg_count > 1)
        return bind_fail(c, e, "there is no alias %.*s; did you mean %.*s?", STR_ARG(e->segs[0].name), STR_ARG(near));
    return bind_fail(c, e, "there are several sources: say which one %.*s belongs to, as in %.*s.%.*s",
                     STR_ARG(e->segs[0].name), STR_ARG(c->sources[0].alias), STR_ARG(e->segs[0].name));
}

static Bound *field_node(Bind *c, const Expr *e, int32_t source, ExprField field, ExprType type) {
    Bound *b = bind_node(c, BOUND_FIELD, type, e, 0);
    b->source = source;
    b->field = field;
    b->kind = c->sources[source].kind;
    return b;
}

static Bound *bind_field(Bind *c, const Expr *e, int32_t source, const Props *p, ExprField field) {
    if (field == FIELD_MODEL) return bind_const(c, e, (ExprValue){.type = EXPR_STR, .s = p->model->id});
    if (field == FIELD_NAME) return bind_const(c, e, (ExprValue){.type = EXPR_STR, .s = p->rel->name});
    return field_node(c, e, source, field, field == FIELD_SELF ? EXPR_DOC : EXPR_STR);
}

static Bound *column_node(Bind *c, const Expr *e, BoundOp op, ExprType type, int32_t source, const Props *p,
                          int32_t index) {
    Bound *b = bind_node(c, op, type, e, 0);
    b->source = source;
    b->column = p->first + (uint32_t)index;
    b->leaf = &p->fields[index];
    return b;
}

static Bound *bind_cell(Bind *c, const Expr *e, int32_t source, const Props *p, int32_t index) {
    static const ExprType types[] = {EXPR_BOOL, EXPR_I64, EXPR_F64, EXPR_STR, EXPR_DOC};
    const Field *f = &p->fields[index];
    ExprType type = f->type->shape == SHAPE_ULONG ? EXPR_ANY : types[f->cell];
    Bound *b = column_node(c, e, c->moment ? BOUND_MOMENT : BOUND_CELL, type, source, p, index);
    b->dtdl = f->type;
    if (bind_numeric(b)) b->unit.unit = unit_find(f->unit);
    return b;
}

// The rest of the path, inside of the document that b is.
static Bound *bind_inside(Bind *c, const Expr *e, Bound *b, const ExprSeg *segs, int32_t n) {
    const Type *t = b->dtdl;
    for (int32_t i = 0; i < n; i++) {
        Str unit;
        bool open = b->type == EXPR_DOC || b->type == EXPR_ANY;
        if (!open || !step(&t, &segs[i], &unit)) return bind_undefined(c, e);
        Bound *m = bind_node(c, BOUND_DOC, type_of(t), e, 1);
        m->args[0] = b;
        m->seg = segs[i];
        m->dtdl = t;
        if (bind_numeric(m)) m->unit.unit = unit_find(unit);
        b = m;
    }
    return b;
}

// A document inside of the document that b is.
static Bound *bind_member(Bind *c, const Expr *e, Bound *b, const ExprSeg *segs, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        Bound *m = bind_node(c, BOUND_DOC, EXPR_DOC, e, 1);
        m->args[0] = b;
        m->seg = segs[i];
        b = m;
    }
    return b;
}

// A time as a text, the way it is shown.
static Bound *shown_time(Bind *c, Bound *b) { return bind_cast(c, b, EXPR_STR); }

static Err bind_unknown(Bind *c, const Expr *e, int32_t source, const ExprSeg *segs, int32_t n, Bound **out) {
    Str near;
    *out = bind_undefined(c, e);
    if (!c->strict || known(c->catalog, c->sources[source].kind, segs, n, &near)) return ERR_OK;
    const char *what = c->sources[source].kind == EXPR_TWIN ? "model" : "relationship";
    Str name = n ? segs[n - 1].name : e->segs[0].name;
    if (near.n)
        return bind_fail(c, e, "no %s has a property %.*s; did you mean %.*s?", what, STR_ARG(name), STR_ARG(near));
    return bind_fail(c, e, "no %s has a property %.*s", what, STR_ARG(name));
}

// The variable of a formula, and what is inside of it.
static Err bind_var(Bind *c, const Expr *e, Bound **out) {
    int32_t i = 0;
    Str name = e->segs[0].name;
    while (i < c->var_count && !str_eq(c->vars[i], name)) i++;
    if (i == c->var_count) {
        Str near = expr_nearest(name, c->vars, c->var_count);
        return diag_add(c->d, ERR_ARGUMENT, e->at, e->end, STR(""), "there is no %.*s here%s%.*s%s", STR_ARG(name),
                        near.n ? "; did you mean " : "", STR_ARG(near), near.n ? "?" : "");
    }
    Bound *b = bind_node(c, BOUND_SLOT, EXPR_ANY, e, 0);
    b->value = (ExprValue){.type = EXPR_I64, .i = i};
    for (int32_t k = 1; k < e->seg_count; k++) {
        Bound *m = bind_node(c, BOUND_DOC, EXPR_ANY, e, 1);
        m->args[0] = b;
        m->seg = e->segs[k];
        b = m;
    }
    *out = b;
    return ERR_OK;
}

// Only single values have a past.
static Err bind_no_past(Bind *c, const Expr *e, Bound **out) {
    *out = bind_undefined(c, e);
    return c->strict ? bind_fail(c, e, "%s wants a property with a single value", c->moment->func) : ERR_OK;
}

Err bind_path(Bind *c, const Expr *e, Bound **out) {
    int32_t source, n;
    if (c->formula) return bind_var(c, e, out);
    const ExprSeg *segs;
    TRY(find_source(c, e, &source, &segs, &n));
    Props p = props_of(c->catalog, &c->sources[source]);
    Hit hit = resolve(&p, segs, n);
    if (c->moment && hit.kind != HIT_CELL && hit.kind != HIT_NONE) return bind_no_past(c, e, out);
    switch (hit.kind) {
    case HIT_FIELD: *out = bind_field(c, e, source, &p, hit.field); return ERR_OK;
    case HIT_OBJECT: *out = column_node(c, e, BOUND_OBJECT, EXPR_DOC, source, &p, hit.index); return ERR_OK;
    case HIT_UPDATE:
        *out = shown_time(c, column_node(c, e, BOUND_CELL_UPDATE, EXPR_TIME, source, &p, hit.index));
        return ERR_OK;
    case HIT_SOURCE:
        *out = shown_time(c, column_node(c, e, BOUND_CELL_SOURCE, EXPR_TIME, source, &p, hit.index));
        return ERR_OK;
    case HIT_CELL:
        TRY(bind_moment(c, e, source, p.first + (uint32_t)hit.index, &p.fields[hit.index]));
        *out = bind_inside(c, e, bind_cell(c, e, source, &p, hit.index), segs + hit.used, n - hit.used);
        if ((*out)->type != EXPR_UNDEFINED) return ERR_OK;
        break;
    case HIT_NONE:
        if (!is_metadata(&p, segs, n)) break;
        if (c->moment) return bind_no_past(c, e, out);
        *out = bind_member(c, e, field_node(c, e, source, FIELD_SELF, EXPR_DOC), segs, n);
        return ERR_OK;
    }
    return bind_unknown(c, e, source, segs, n, out);
}

Err bind_times(Bind *c, const Expr *e, Bound **update, Bound **source_time) {
    int32_t source, n;
    const ExprSeg *segs;
    Bound *none;
    *update = *source_time = NULL;
    if (e->op != EX_PATH) return bind_fail(c, e, "expected a property or an alias");
    TRY(find_source(c, e, &source, &segs, &n));
    Props p = props_of(c->catalog, &c->sources[source]);
    Hit hit = resolve(&p, segs, n);
    if (hit.kind == HIT_FIELD && hit.field == FIELD_SELF) {
        *update = field_node(c, e, source, FIELD_UPDATE_TIME, EXPR_TIME);
        return ERR_OK;
    }
    if (hit.kind == HIT_CELL || hit.kind == HIT_OBJECT) {
        *update = column_node(c, e, BOUND_CELL_UPDATE, EXPR_TIME, source, &p, hit.index);
        *source_time = column_node(c, e, BOUND_CELL_SOURCE, EXPR_TIME, source, &p, hit.index);
        return ERR_OK;
    }
    if (hit.kind != HIT_NONE) return bind_fail(c, e, "expected a property or an alias");
    return bind_unknown(c, e, source, segs, n, &none);
}
