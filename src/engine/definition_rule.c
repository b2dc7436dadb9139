// SPDX-License-Identifier: Apache-2.0
// Does a rule fit the world that it is put into? Its models, twins, properties, commands and KPIs are there, its
// condition means something for the models it watches, and what it says of values and payloads are such.
#include "decide/rule.h"
#include "engine/definition.h"
#include "engine/engine.h"
#include "expr/expr.h"

typedef struct RuleLook {
    View view;
    const Rule *rule;
    const Model *model; // of the twins it watches
    Arena a;
    Buf place; // of what is looked at within the document: actions[1].command
} RuleLook;

static void look(RuleLook *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void look(RuleLook *x, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&x->place);
    buf_vprintf(&x->place, fmt, ap);
    va_end(ap);
}

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
    look(x, r->twin.n ? "twin" : "model");
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
    look(x, "when");
    TRY(expr_parse(&x->a, r->when, &e, d));
    TRY(expr_bind(&x->a, &scope, e, &b, d));
    if (b->type == EXPR_BOOL || b->type == EXPR_ANY) return ERR_OK;
    return diag_add(d, ERR_ARGUMENT, -1, -1, (Str){0}, "\"when\" is true or false");
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
    look(x, "objective.kpi");
    TRY(look_at_kpi(x, r->objective, &k, d));
    if (!str_eq(k.of, STR("money")) || !k.better)
        return diag_add(d, ERR_ARGUMENT, -1, -1, r->objective,
                        "the objective is a KPI \"of\" \"money\" that says what is \"better\"");
    for (int32_t i = 0; i < r->limit_count; i++) {
        look(x, "limits[%d].kpi", i);
        TRY(look_at_kpi(x, r->limits[i].kpi, &k, d));
    }
    look(x, "watch.kpi");
    return r->watch_kpi.n ? look_at_kpi(x, r->watch_kpi, &k, d) : ERR_OK;
}

// The model of a twin that an action names; RULE_TWIN is any of those it watches.
static Err named(RuleLook *x, Str twin, const Model **out, Diag *d) {
    *out = str_eq(twin, RULE_TWIN) ? x->model : twin_model(x, twin);
    return *out ? ERR_OK : missing(d, ERR_TWIN_NOT_FOUND, twin, "twin with the id");
}

// Where a change stands: by its value, as the changes of an action are sorted by time.
static int32_t change_index(const Json *changes, const RuleChange *c) {
    int32_t i = 0;
    while (i < changes->count && json_get(&changes->items[i], STR("value")) != c->value) i++;
    return i;
}

static Err look_at_change(RuleLook *x, const RuleChange *c, int32_t action, int32_t i, Diag *d) {
    const Model *m;
    look(x, "actions[%d].changes[%d].twin", action, i);
    TRY(named(x, c->twin, &m, d));
    look(x, "actions[%d].changes[%d].property", action, i);
    const Field *f = model_field(m, c->property);
    if (!f)
        return diag_add(d, ERR_VALIDATION, -1, -1, c->twin, "its model has no property \"%.*s\"", STR_ARG(c->property));
    look(x, "actions[%d].changes[%d].value", action, i);
    return f->type && c->value->type != JSON_NULL ? type_check(f->type, c->value, c->property, d) : ERR_OK;
}

static Err look_at_payload(RuleLook *x, const RuleCommand *c, const TypeField *request, Diag *d) {
    Json payload;
    if (c->payload.n) TRY(json_parse(c->payload, NULL, &x->a, &payload, d));
    if (request && c->payload.n) return type_check(request->type, &payload, c->name, d);
    if (!request == !c->payload.n) return ERR_OK;
    return diag_add(d, ERR_VALIDATION, -1, -1, c->name, "the command %s a payload", request ? "wants" : "takes no");
}

// what: "command" or "undo".
static Err look_at_command(RuleLook *x, const RuleCommand *c, int32_t action, const char *what, Diag *d) {
    const Model *m;
    if (!c->name.n) return ERR_OK;
    look(x, "actions[%d].%s.twin", action, what);
    TRY(named(x, c->twin, &m, d));
    look(x, "actions[%d].%s.component", action, what);
    const Field *f = c->component.n ? model_field(m, c->component) : NULL;
    if (c->component.n && (!f || f->cell != CELL_COMPONENT))
        return missing(d, ERR_COMPONENT_NOT_FOUND, c->component, "component");
    if (f) m = f->component;
    look(x, "actions[%d].%s.name", action, what);
    int32_t i = 0;
    while (i < m->command_count && !str_eq(m->commands[i].name, c->name)) i++;
    if (i == m->command_count) return missing(d, ERR_COMMAND_NOT_FOUND, c->name, "command");
    look(x, "actions[%d].%s.payload", action, what);
    return look_at_payload(x, c, m->commands[i].request, d);
}

static Err look_at_action(RuleLook *x, const Json *json, int32_t i, Diag *d) {
    const RuleAction *o = &x->rule->actions[i];
    const Json *changes = json_get(&json_get(json, STR("actions"))->items[i], STR("changes"));
    for (int32_t k = 0; k < o->change_count; k++)
        TRY(look_at_change(x, &o->changes[k], i, change_index(changes, &o->changes[k]), d));
    TRY(look_at_command(x, &o->command, i, "command", d));
    return look_at_command(x, &o->undo, i, "undo", d);
}

static Err look_at(RuleLook *x, const Json *json, Diag *d) {
    TRY(look_at_when(x, d));
    TRY(look_at_kpis(x, d));
    for (int32_t i = 0; i < x->rule->action_count; i++) TRY(look_at_action(x, json, i, d));
    return ERR_OK;
}

// What was found, each with its place; of a condition also how far in.
static void tell(const RuleLook *x, const Diag *found, Diag *d) {
    bool when = str_eq(buf_str(&x->place), STR("when"));
    Buf text = {0};
    for (int32_t i = 0; i < found->count; i++) {
        const DiagMessage *m = &found->messages[i];
        buf_reset(&text);
        task_message_put(&text, m);
        if (when && m->at >= 0) buf_printf(&text, " at byte %lld", (long long)m->at);
        (void)diag_add(d, m->code, -1, -1, (Str){0}, "%.*s: %.*s", STR_ARG(buf_str(&x->place)),
                       STR_ARG(buf_str(&text)));
    }
    buf_free(&text);
}

Err definition_rule_check(const View *v, const Json *json, Str name, Diag *d) {
    RuleLook x = {.view = *v};
    Rule rule;
    Diag found;
    diag_init(&found);
    arena_init(&x.a, 4096);
    x.rule = &rule;
    Err err = rule_of(&x.a, json, name, &rule, d);
    if (!err) {
        err = look_at(&x, json, &found);
        tell(&x, &found, d);
    }
    buf_free(&x.place);
    arena_free(&x.a);
    diag_free(&found);
    return err;
}
