// SPDX-License-Identifier: Apache-2.0
// Does a rule fit the world that it is put into? Its models, twins, properties, commands and KPIs are there, its
// condition means something for the models it watches, and what it says of values and payloads are such.
#include "decide/rule.h"
#include "engine/definition.h"
#include "expr/expr.h"

typedef struct RuleLook {
    View view;
    const Rule *rule;
    const Model *model; // of the twins it watches
    Arena a;
} RuleLook;

static Err missing(Diag *d, Err err, Str where, const char *text) {
    return diag_add(d, err, -1, -1, where, "there is no %s \"%.*s\"", text, STR_ARG(where));
}

static const Model *twin_model(RuleLook *x, Str twin) {
    TwinId id = view_find_twin(&x->view, twin);
    return id.v ? x->view.catalog->tables[view_twin_place(&x->view, id).table].model : NULL;
}

// What it watches, and the condition for it.
static Err look_at_when(RuleLook *x, Diag *d) {
    const Catalog *c = x->view.catalog;
    const Rule *r = x->rule;
    x->model = r->twin.n ? twin_model(x, r->twin) : schema_find(c->schema, r->model);
    if (!x->model && r->twin.n) return missing(d, ERR_TWIN_NOT_FOUND, r->twin, "twin with the id");
    if (!x->model) return missing(d, ERR_MODEL_NOT_FOUND, r->model, "model");
    int32_t table = 0;
    while (table < c->table_count && (c->tables[table].removed || !str_eq(c->tables[table].model->id, x->model->id)))
        table++;
    if (table == c->table_count) return missing(d, ERR_MODEL_NOT_FOUND, x->model->id, "model");
    ExprSource source = {.kind = EXPR_TWIN, .table = (uint32_t)table};
    ExprScope scope = {.catalog = c, .sources = &source, .count = 1, .bare_first = true, .strict = true};
    Expr *e;
    Bound *b;
    TRY(expr_parse(&x->a, r->when, &e, d));
    TRY(expr_bind(&x->a, &scope, e, &b, d));
    if (b->type == EXPR_BOOL || b->type == EXPR_ANY) return ERR_OK;
    return diag_add(d, ERR_ARGUMENT, -1, -1, r->when, "\"when\" is true or false");
}

static Err look_at_kpi(RuleLook *x, Str name, Kpi *out, Diag *d) {
    Json json;
    const Doc *doc = catalog_doc(x->view.catalog, KPIS_COLLECTION, name);
    if (!doc) return missing(d, ERR_DEFINITION_NOT_FOUND, name, "KPI");
    TRY(json_parse(doc->json, NULL, &x->a, &json, d));
    return kpi_of(&json, name, out, d);
}

static Err look_at_kpis(RuleLook *x, Diag *d) {
    const Rule *r = x->rule;
    Kpi k;
    TRY(look_at_kpi(x, r->objective, &k, d));
    if (!str_eq(k.of, STR("money")) || !k.better)
        return diag_add(d, ERR_ARGUMENT, -1, -1, r->objective,
                        "the objective is a KPI \"of\" \"money\" that says what is \"better\"");
    for (int32_t i = 0; i < r->limit_count; i++) TRY(look_at_kpi(x, r->limits[i].kpi, &k, d));
    return r->watch_kpi.n ? look_at_kpi(x, r->watch_kpi, &k, d) : ERR_OK;
}

// The model of a twin that an action names; RULE_TWIN is any of those it watches.
static Err named(RuleLook *x, Str twin, const Model **out, Diag *d) {
    *out = str_eq(twin, RULE_TWIN) ? x->model : twin_model(x, twin);
    return *out ? ERR_OK : missing(d, ERR_TWIN_NOT_FOUND, twin, "twin with the id");
}

static Err look_at_change(RuleLook *x, const RuleChange *c, Diag *d) {
    const Model *m;
    TRY(named(x, c->twin, &m, d));
    const Field *f = model_field(m, c->property);
    if (!f)
        return diag_add(d, ERR_VALIDATION, -1, -1, c->twin, "its model has no property \"%.*s\"", STR_ARG(c->property));
    return f->type && c->value->type != JSON_NULL ? type_check(f->type, c->value, c->property, d) : ERR_OK;
}

static Err look_at_command(RuleLook *x, const RuleCommand *c, Diag *d) {
    const Model *m;
    Json payload;
    if (!c->name.n) return ERR_OK;
    TRY(named(x, c->twin, &m, d));
    const Field *f = c->component.n ? model_field(m, c->component) : NULL;
    if (c->component.n && (!f || f->cell != CELL_COMPONENT))
        return missing(d, ERR_COMPONENT_NOT_FOUND, c->component, "component");
    if (f) m = f->component;
    int32_t i = 0;
    while (i < m->command_count && !str_eq(m->commands[i].name, c->name)) i++;
    if (i == m->command_count) return missing(d, ERR_COMMAND_NOT_FOUND, c->name, "command");
    const TypeField *request = m->commands[i].request;
    if (c->payload.n) TRY(json_parse(c->payload, NULL, &x->a, &payload, d));
    if (request && c->payload.n) return type_check(request->type, &payload, c->name, d);
    if (!request == !c->payload.n) return ERR_OK;
    return diag_add(d, ERR_VALIDATION, -1, -1, c->name, "the command %s a payload", request ? "wants" : "takes no");
}

static Err look_at_action(RuleLook *x, const RuleAction *o, Diag *d) {
    for (int32_t i = 0; i < o->change_count; i++) TRY(look_at_change(x, &o->changes[i], d));
    TRY(look_at_command(x, &o->command, d));
    return look_at_command(x, &o->undo, d);
}

Err definition_rule_check(const View *v, const Json *json, Str name, Diag *d) {
    RuleLook x = {.view = *v};
    Rule rule;
    arena_init(&x.a, 4096);
    x.rule = &rule;
    Err err = rule_of(&x.a, json, name, &rule, d);
    if (!err) err = look_at_when(&x, d);
    if (!err) err = look_at_kpis(&x, d);
    for (int32_t i = 0; !err && i < rule.action_count; i++) err = look_at_action(&x, &rule.actions[i], d);
    arena_free(&x.a);
    return err;
}
