// SPDX-License-Identifier: Apache-2.0
// A mapping's document to bindings of roles, model by model.
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/json.h"
#include "model/units.h"
#include "sim/mapping_inner.h"

typedef struct Parse {
    Mapping *m;
    Diag *d;
    Str list; // "nodes", "edges"
    int32_t entry;
    const Json *object; // the entry
} Parse;

static Err wrong(Parse *p, Str what, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// VALIDATION at a place in the document: "nodes[2].roles.level".
static Err wrong(Parse *p, Str what, const char *fmt, ...) {
    Buf where = {0}, text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    if (p->list.n) buf_printf(&where, "%.*s[%d]%s", STR_ARG(p->list), p->entry, what.n ? "." : "");
    buf_str_put(&where, what);
    Err e = diag_add(p->d, ERR_VALIDATION, -1, -1, buf_str(&where), "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&where);
    buf_free(&text);
    return e;
}

static Str dotted(Parse *p, const char *head, Str tail) {
    return arena_printf(&p->m->keep, "%s.%.*s", head, STR_ARG(tail));
}

// Every member is one that is known.
static Err members(Parse *p, const Json *o, const char *const *known, size_t n) {
    for (int32_t i = 0; i < o->count; i++) {
        Str key = o->members[i].key;
        size_t k = 0;
        while (k < n && !str_eq(key, str_of(known[k]))) k++;
        if (k < n) continue;
        Str all[8];
        CHECK(n <= sizeof all / sizeof *all);
        for (k = 0; k < n; k++) all[k] = str_of(known[k]);
        Str near = expr_nearest(key, all, (int64_t)n);
        return wrong(p, key, near.n ? "there is no such member; did you mean \"%.*s\"?" : "there is no such member%.*s",
                     STR_ARG(near));
    }
    return o->dup ? wrong(p, STR(""), "a member is there twice") : ERR_OK;
}

static Err text_member(Parse *p, const Json *o, const char *key, bool need, Str *out) {
    const Json *v = json_get(o, str_of(key));
    *out = (Str){0};
    if (!v) return need ? wrong(p, str_of(key), "it is missing") : ERR_OK;
    if (v->type != JSON_STRING || v->s.n == 0) return wrong(p, str_of(key), "it must be a text");
    *out = v->s;
    return ERR_OK;
}

// ---- units ---------------------------------------------------------------------------------------------------------

// m³/s and m3/s are the same.
static void plain_unit(const char *unit, Buf *out) {
    for (const char *c = unit; *c; c++) {
        if (!strncmp(c, "²", 2)) buf_byte(out, '2'), c++;
        else if (!strncmp(c, "³", 2)) buf_byte(out, '3'), c++;
        else if (!strncmp(c, "·", 2)) buf_byte(out, '.'), c++;
        else buf_byte(out, *c);
    }
}

static bool unit_fits(const Unit *u, const char *si) {
    Buf a = {0}, b = {0};
    plain_unit(unit_family(u->family)->si, &a);
    plain_unit(si, &b);
    bool same = str_eq(buf_str(&a), buf_str(&b));
    buf_free(&a);
    buf_free(&b);
    return same;
}

static Err unit_wrong(Parse *p, Str place, const sim_role *r, Str unit) {
    return wrong(p, place, "it is in %.*s, and the role \"%s\" is %s%s", STR_ARG(unit), r->name,
                 *r->unit ? "in " : "without unit", r->unit);
}

// ---- expressions ---------------------------------------------------------------------------------------------------

// Properties become slots. Errors: what a mapping cannot look at.
static Err slots(Parse *p, Str place, MapRole *r, Bound *b) {
    switch (b->op) {
    case BOUND_CELL: {
        uint32_t k = 0;
        while (k < r->read_count && r->reads[k] != b->column) k++;
        if (k == r->read_count) {
            r->reads[k] = b->column;
            r->fields[k] = b->leaf;
            r->read_count++;
        }
        b->op = BOUND_SLOT;
        b->value.i = k;
        return ERR_OK;
    }
    case BOUND_CELL_UPDATE:
    case BOUND_CELL_SOURCE:
    case BOUND_FIELD:
    case BOUND_OBJECT:
    case BOUND_MOMENT:
    case BOUND_SPAN:
    case BOUND_GRAPH:
        return wrong(p, place, "it may look at properties of its own, not at ids, times, the past or neighbours");
    default: break;
    }
    for (int32_t i = 0; i < b->arg_count; i++) TRY(slots(p, place, r, b->args[i]));
    return ERR_OK;
}

static bool all_si(const MapRole *r) {
    for (uint32_t i = 0; i < r->read_count; i++) {
        const Unit *u = unit_find(r->fields[i]->unit);
        if (u && (u->factor != 1 || u->offset != 0)) return false;
    }
    return true;
}

static bool type_fits(const sim_role *r, ExprType t) {
    if (t == EXPR_ANY) return true;
    if (r->type == SIM_BOOL) return t == EXPR_BOOL;
    if (r->type == SIM_SYMBOL) return t == EXPR_STR;
    return t == EXPR_I64 || t == EXPR_F64 || (t == EXPR_DURATION && str_eq(str_of(r->unit), STR("s")));
}

static Err result(Parse *p, Str place, const sim_role *role, MapRole *r, const Bound *b) {
    static const char *const kinds[] = {"a number", "true or false", "a number", "a text"};
    r->factor = 1;
    if (!type_fits(role, b->type)) return wrong(p, place, "the role \"%s\" is %s", role->name, kinds[role->type]);
    if (b->unit.derived && !all_si(r))
        return wrong(p, place, "it multiplies or divides units that are not SI: say by what number to multiply");
    if (b->unit.derived || !b->unit.unit || role->type == SIM_BOOL) return ERR_OK;
    if (!unit_fits(b->unit.unit, role->unit)) return unit_wrong(p, place, role, str_of(b->unit.unit->name));
    r->factor = b->unit.unit->factor;
    r->offset = b->unit.span ? 0 : b->unit.unit->offset;
    return ERR_OK;
}

static Err bind_why(Parse *p, Str place, const Diag *d, Str text) {
    Buf why = {0};
    expr_why(d, text, &why);
    Err e = wrong(p, place, "%.*s", STR_ARG(buf_str(&why)));
    buf_free(&why);
    return e;
}

static void count_paths(void *ctx, const Expr *e, bool inside) {
    (void)e, (void)inside;
    ++*(uint32_t *)ctx;
}

static bool looks_at_clock(const Expr *e) {
    bool any = e->op == EX_CALL && (str_eq_nocase(e->name, STR("NOW")) || str_eq_nocase(e->name, STR("AGE")));
    for (int32_t i = 0; i < e->arg_count && !any; i++) any = e->args[i] && looks_at_clock(e->args[i]);
    return any;
}

static Err expression(Parse *p, Str place, const MapGroup *g, const sim_role *role, const Expr *e, MapRole *r) {
    Diag d = {0};
    Bound *b = NULL;
    uint32_t paths = 0;
    ExprSource source = {.kind = g->link ? EXPR_LINK : EXPR_TWIN, .table = g->owner, .link = g->owner};
    ExprScope scope = {.catalog = p->m->catalog, .sources = &source, .count = 1, .strict = true};
    if (looks_at_clock(e)) return wrong(p, place, "it may not look at the clock");
    Err err = expr_bind(&p->m->keep, &scope, e, &b, &d);
    if (err != ERR_OK) err = bind_why(p, place, &d, r->text);
    diag_free(&d);
    TRY(err);
    expr_walk(e, count_paths, &paths);
    r->reads = NEW(&p->m->keep, uint32_t, paths + 1);
    r->fields = NEW(&p->m->keep, const Field *, paths + 1);
    TRY(slots(p, place, r, b));
    r->expr = b;
    return result(p, place, role, r, b);
}

// A property alone: bound as it is.
static Err property(Parse *p, Str place, const sim_role *role, const Field *f, uint32_t column, MapRole *r) {
    const Unit *u = unit_find(f->unit);
    bool number = f->cell == CELL_F64 || f->cell == CELL_I64;
    bool fits = role->type == SIM_BOOL ? f->cell == CELL_BOOL : role->type == SIM_SYMBOL ? f->cell == CELL_STR : number;
    if (!fits)
        return wrong(p, place, "the property \"%.*s\" is of schema %.*s, and the role \"%s\" wants another",
                     STR_ARG(f->path), STR_ARG(f->type ? f->type->name : STR("Component")), role->name);
    if (number && u && !unit_fits(u, role->unit)) return unit_wrong(p, place, role, f->unit);
    r->column = column;
    r->factor = number && u ? u->factor : 1;
    r->offset = number && u ? u->offset : 0;
    return ERR_OK;
}

static const Field *field_of(const Mapping *m, const MapGroup *g, Str path, uint32_t *column) {
    const Catalog *c = m->catalog;
    const Field *fields = g->link ? c->kinds[g->owner].rel->fields : c->tables[g->owner].model->fields;
    int32_t n = g->link ? c->kinds[g->owner].rel->field_count : c->tables[g->owner].model->field_count;
    uint32_t first = g->link ? c->kinds[g->owner].first : c->tables[g->owner].first;
    for (int32_t i = 0; i < n; i++) {
        if (!str_eq(fields[i].path, path)) continue;
        *column = first + (uint32_t)i;
        return &fields[i];
    }
    return NULL;
}

static Err role_text(Parse *p, Str place, const MapGroup *g, const sim_role *role, MapRole *r) {
    uint32_t column = 0;
    const Field *f = field_of(p->m, g, r->text, &column);
    if (f) return property(p, place, role, f, column, r);
    Diag d = {0};
    Expr *e = NULL;
    Err err = expr_parse(&p->m->keep, r->text, &e, &d);
    if (err != ERR_OK) err = bind_why(p, place, &d, r->text);
    diag_free(&d);
    TRY(err);
    TRY(expression(p, place, g, role, e, r));
    if (role->dir & (SIM_OUT | SIM_STATE))
        return wrong(p, place, "the engine writes the role \"%s\": it must be a property, not an expression",
                     role->name);
    return ERR_OK;
}

// ---- entries -------------------------------------------------------------------------------------------------------

static int32_t engine_role(const sim_engine *e, Str name) {
    for (uint32_t i = 0; i < e->role_count; i++) {
        if (str_eq(str_of(e->roles[i].name), name)) return (int32_t)i;
    }
    return -1;
}

static Err no_role(Parse *p, Str place, Str name) {
    const sim_engine *e = p->m->engine;
    Str *all = NEW(&p->m->keep, Str, e->role_count + 1);
    for (uint32_t i = 0; i < e->role_count; i++) all[i] = str_of(e->roles[i].name);
    Str near = expr_nearest(name, all, e->role_count);
    return wrong(p, place,
                 near.n ? "the engine \"%s\" has no such role; did you mean \"%.*s\"?"
                        : "the engine \"%s\" has no such role%.*s",
                 e->name, STR_ARG(near));
}

const MapRole *mapping_role(const MapGroup *g, uint32_t role) {
    for (uint32_t i = 0; i < g->role_count; i++) {
        if (g->roles[i].role == role) return &g->roles[i];
    }
    return NULL;
}

static Err roles_of_group(Parse *p, MapGroup *g) {
    const Json *roles = json_get(p->object, STR("roles"));
    const sim_engine *e = p->m->engine;
    if (roles && roles->type != JSON_OBJECT) return wrong(p, STR("roles"), "it must be an object");
    if (roles && roles->dup) return wrong(p, STR("roles"), "a role is there twice");
    g->roles = NEW(&p->m->keep, MapRole, roles ? roles->count : 0);
    for (int32_t i = 0; roles && i < roles->count; i++) {
        const JsonMember *x = &roles->members[i];
        Str place = dotted(p, "roles", x->key);
        int32_t role = engine_role(e, x->key);
        if (role < 0) return no_role(p, place, x->key);
        if (x->value.type != JSON_STRING) return wrong(p, place, "it must be a text: a property or an expression");
        if ((e->roles[role].on_edge != 0) != g->edge)
            return wrong(p, place, "it is a role of %s", g->edge ? "nodes" : "edges");
        MapRole *r = &g->roles[g->role_count++];
        r->role = (uint32_t)role;
        r->text = x->value.s;
        TRY(role_text(p, place, g, &e->roles[role], r));
    }
    for (uint32_t i = 0; i < e->role_count; i++) {
        if (e->roles[i].need && (e->roles[i].on_edge != 0) == g->edge && !mapping_role(g, i))
            return wrong(p, STR("roles"), "the engine \"%s\" needs the role \"%s\": %s", e->name, e->roles[i].name,
                         e->roles[i].help ? e->roles[i].help : "");
    }
    return ERR_OK;
}

static Err known_model(Parse *p, const char *key, Str id) {
    if (id.n == 0 || schema_find(p->m->catalog->schema, id)) return ERR_OK;
    Buf where = {0};
    buf_printf(&where, "%.*s[%d].%s", STR_ARG(p->list), p->entry, key);
    Err e = diag_add(p->d, ERR_MODEL_NOT_FOUND, -1, -1, buf_str(&where), "there is no model \"%.*s\"", STR_ARG(id));
    buf_free(&where);
    return e;
}

static Err add_group(Parse *p, const MapGroup *like, uint32_t owner) {
    Mapping *m = p->m;
    for (uint32_t i = 0; i < m->group_count; i++) {
        const MapGroup *o = &m->groups[i];
        if (o->owner != owner || o->link != like->link || (o->link && o->edge != like->edge)) continue;
        if (o->link && (!str_eq(o->from, like->from) || !str_eq(o->to, like->to))) continue;
        return wrong(p, STR(""), "\"%.*s\" is in %s[%d] already",
                     STR_ARG(like->link ? m->catalog->kinds[owner].rel->name : m->catalog->tables[owner].model->id),
                     o->edge ? "edges" : "nodes", o->entry);
    }
    m->groups = mem_grow(m->groups, (m->group_count + 1) * sizeof *m->groups);
    MapGroup *g = &m->groups[m->group_count++];
    *g = *like;
    g->owner = owner;
    return roles_of_group(p, g);
}

// The tables of a model and of what extends it.
static Err model_groups(Parse *p, MapGroup *like) {
    Str id;
    TRY(text_member(p, p->object, "model", true, &id));
    TRY(known_model(p, "model", id));
    for (int32_t t = 0; t < p->m->catalog->table_count; t++) {
        const Table *table = &p->m->catalog->tables[t];
        if (!table->removed && model_is(table->model, id)) TRY(add_group(p, like, (uint32_t)t));
    }
    return ERR_OK;
}

static Err kind_groups(Parse *p, MapGroup *like, Str name) {
    bool any = false;
    like->link = true;
    TRY(text_member(p, p->object, "source", false, &like->from));
    TRY(text_member(p, p->object, "target", false, &like->to));
    TRY(known_model(p, "source", like->from));
    TRY(known_model(p, "target", like->to));
    for (int32_t k = 0; k < p->m->catalog->kind_count; k++) {
        if (!str_eq(p->m->catalog->kinds[k].rel->name, name)) continue;
        any = true;
        TRY(add_group(p, like, (uint32_t)k));
    }
    return any ? ERR_OK : wrong(p, STR("relationship"), "no model has a relationship \"%.*s\"", STR_ARG(name));
}

static Err node_entry(Parse *p) {
    static const char *const known[] = {"model", "roles"};
    MapGroup like = {.entry = p->entry};
    TRY(members(p, p->object, known, 2));
    return model_groups(p, &like);
}

static Err edge_entry(Parse *p) {
    static const char *const of_link[] = {"relationship", "source", "target", "roles"};
    static const char *const of_twin[] = {"model", "from", "to", "roles"};
    MapGroup like = {.entry = p->entry, .edge = true};
    Str name;
    TRY(text_member(p, p->object, "relationship", false, &name));
    if (name.n) {
        TRY(members(p, p->object, of_link, 4));
        return kind_groups(p, &like, name);
    }
    TRY(members(p, p->object, of_twin, 4));
    TRY(text_member(p, p->object, "from", true, &like.from));
    TRY(text_member(p, p->object, "to", true, &like.to));
    return model_groups(p, &like);
}

static Err entries(Parse *p, const Json *doc, const char *list, Err (*each)(Parse *p), int32_t *count) {
    const Json *v = json_get(doc, str_of(list));
    if (!v) return ERR_OK;
    p->list = str_of(list);
    if (v->type != JSON_ARRAY) {
        p->list = (Str){0};
        return wrong(p, str_of(list), "it must be an array");
    }
    *count += v->count;
    if (*count > MAPPING_ENTRIES_MAX)
        return diag_add(p->d, ERR_LIMIT, -1, -1, str_of(list), "more than %d nodes and edges", MAPPING_ENTRIES_MAX);
    for (p->entry = 0; p->entry < v->count; p->entry++) {
        p->object = &v->items[p->entry];
        if (p->object->type != JSON_OBJECT) return wrong(p, STR(""), "it must be an object");
        TRY(each(p));
    }
    p->list = (Str){0};
    return ERR_OK;
}

// ---- the document --------------------------------------------------------------------------------------------------

static Err tolerances(Parse *p, const Json *doc) {
    const Json *v = json_get(doc, STR("tolerance"));
    p->m->tol = NEW(&p->m->keep, double, p->m->engine->role_count + 1);
    if (!v) return ERR_OK;
    if (v->type != JSON_OBJECT) return wrong(p, STR("tolerance"), "it must be an object");
    for (int32_t i = 0; i < v->count; i++) {
        Str place = dotted(p, "tolerance", v->members[i].key);
        int32_t role = engine_role(p->m->engine, v->members[i].key);
        const Json *x = &v->members[i].value;
        if (role < 0) return no_role(p, place, v->members[i].key);
        if (!json_is_number(x) || !(json_f64(x) >= 0)) return wrong(p, place, "it must be a number, not negative");
        p->m->tol[role] = json_f64(x);
    }
    return ERR_OK;
}

static Err head(Parse *p, const SimRegistry *r, const Json *doc) {
    static const char *const known[] = {"engine", "title", "rank", "config", "nodes", "edges", "tolerance"};
    Str engine;
    if (doc->type != JSON_OBJECT) return wrong(p, STR(""), "a mapping is an object");
    TRY(members(p, doc, known, 7));
    TRY(text_member(p, doc, "engine", true, &engine));
    TRY(text_member(p, doc, "title", false, &p->m->title));
    p->m->engine = sim_registry_find(r, engine);
    if (!p->m->engine) return wrong(p, STR("engine"), "there is no engine \"%.*s\"", STR_ARG(engine));
    if (!p->m->engine->roles) return wrong(p, STR("engine"), "the engine \"%.*s\" takes no mapping", STR_ARG(engine));
    const Json *rank = json_get(doc, STR("rank")), *config = json_get(doc, STR("config"));
    if (rank && (rank->type != JSON_INT || rank->i < -MAPPING_RANK_MAX || rank->i > MAPPING_RANK_MAX))
        return wrong(p, STR("rank"), "it must be a whole number from -%d to %d", MAPPING_RANK_MAX, MAPPING_RANK_MAX);
    p->m->rank = rank ? (int32_t)rank->i : 0;
    if (config) p->m->config = arena_str(&p->m->keep, config->raw).p; // with a NUL behind it
    return tolerances(p, doc);
}

Err mapping_parse(Mapping *m, const SimRegistry *r, Str json, Diag *d) {
    Parse p = {.m = m, .d = d};
    Json *doc = NEW(&m->keep, Json, 1);
    int32_t count = 0;
    TRY(json_parse(arena_str(&m->keep, json), NULL, &m->keep, doc, d));
    TRY(head(&p, r, doc));
    TRY(entries(&p, doc, "nodes", node_entry, &count));
    return entries(&p, doc, "edges", edge_entry, &count);
}
