// SPDX-License-Identifier: Apache-2.0
// Births of Sparkplug as twins. Without rules each kind of node or device has a model of its own, made from its
// metrics: those with the same metrics share one; one that is born with more than its model has gets a later version.
// Fixed models name the properties of the metrics they want.
#include "base/check.h"
#include "connect/shape.h"
#include "connect/sparkplug.h"

#define PREFIX STR("sparkplug")
#define DTMI_PREFIX STR("dtmi:sosia:sparkplug:")

Str sparkplug_keep(Sparkplug *s, Str text) {
    int64_t at;
    if (!text.n) return (Str){0};
    if (map_get(&s->names, text, &at)) return (Str){(const char *)(intptr_t)at, text.n};
    Str kept = arena_str(&s->texts, text);
    map_put(&s->names, kept, (int64_t)(intptr_t)kept.p);
    return kept;
}

// '*' stands for any text, also with '/'.
static bool pattern_fits(Str p, Str s) {
    int64_t i = 0, k = 0, star = -1, mark = 0;
    while (k < s.n) {
        if (i < p.n && p.p[i] == '*') star = i++, mark = k;
        else if (i < p.n && p.p[i] == s.p[k]) i++, k++;
        else if (star >= 0) i = star + 1, k = ++mark;
        else return false;
    }
    while (i < p.n && p.p[i] == '*') i++;
    return i == p.n;
}

static int64_t slashes(Str s) {
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i++) n += s.p[i] == '/';
    return n;
}

const SpRule *sparkplug_rule(const SpConfig *c, const SpUnit *u) {
    Buf b = {0};
    const SpRule *found = NULL;
    buf_printf(&b, "%.*s/%.*s", STR_ARG(u->group), STR_ARG(u->name));
    if (u->device.n) buf_printf(&b, "/%.*s", STR_ARG(u->device));
    for (int32_t i = 0; i < c->rule_count && !found; i++)
        if (slashes(c->rules[i].pattern) == slashes(buf_str(&b)) && pattern_fits(c->rules[i].pattern, buf_str(&b)))
            found = &c->rules[i];
    buf_free(&b);
    return found;
}

// The model the twin has, in the arena; "" when there is no twin.
static Str twin_model(Sparkplug *s, Str twin, Arena *arena) {
    SosiaOut got = {0};
    Json doc;
    Str model = {0};
    SosiaRead r = {.what = SOSIA_GET_TWIN, .id = twin};
    if (sosia_read(s->engine, NULL, &r, &got) == SOSIA_OK &&
        json_parse(buf_str(&got.body), NULL, arena, &doc, NULL) == ERR_OK) {
        const Json *meta = json_get(&doc, STR("$metadata")), *m = meta ? json_get(meta, STR("$model")) : NULL;
        if (m && m->type == JSON_STRING) model = arena_str(arena, m->s);
    }
    sosia_out_free(&got);
    return model;
}

static void complain(Sparkplug *s, const SpUnit *u, const char *what, Err err, const Buf *why) {
    connection_error(s->connection, u->twin, (Str){0}, "%s: %s. %.*s", what, err_text(err), STR_ARG(buf_str(why)));
}

// The same for all with the same metrics, in whatever order.
static uint64_t metrics_hash(const SpUnit *u) {
    uint64_t sum = 0;
    for (int32_t i = 0; i < u->count; i++) {
        if (u->slots[i].role != SP_METRIC) continue;
        sum += str_hash(u->slots[i].field) * UINT64_C(0x9E3779B97F4A7C15) ^ str_hash(u->slots[i].schema);
    }
    return sum ^ sum >> 32;
}

// A model the twin has already stays its kind; else the only template it is made of, else what its metrics are.
static Str kind_of(const SpUnit *u, Str have, Arena *arena) {
    int64_t end = str_find(have, ';', 0);
    if (str_starts(have, DTMI_PREFIX) && end > 0) return str_sub(have, DTMI_PREFIX.n, end);
    Buf b = {0};
    if (u->device.n && u->template.n) sparkplug_name(u->template, &b);
    else buf_printf(&b, "%s_%08x", u->device.n ? "Device" : "Node", (unsigned)(metrics_hash(u) & UINT32_MAX));
    Str kind = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return kind;
}

// "Device: Temp, Pressure and 3 more".
static Str display_of(const SpUnit *u, Arena *arena) {
    Buf b = {0};
    int32_t n = 0;
    buf_str_put(&b, u->device.n ? STR("Device: ") : STR("Edge node: "));
    for (int32_t i = 0; i < u->count; i++) {
        if (u->slots[i].role != SP_METRIC || u->slots[i].name.n > 60 || n++ >= 3) continue;
        if (n > 1) buf_put(&b, ", ", 2);
        buf_str_put(&b, u->slots[i].name);
    }
    if (n > 3) buf_printf(&b, " and %d more", n - 3);
    Str s = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static Err make_model(Sparkplug *s, SpUnit *u, Str have, Arena *arena, Str *model) {
    ShapeField *f = NEW(arena, ShapeField, u->count + 1);
    int32_t n = u->count;
    for (int32_t i = 0; i < n; i++) {
        const SpSlot *slot = &u->slots[i];
        f[i] = (ShapeField){.name = slot->field,
                            .schema = slot->schema,
                            .description = slot->description,
                            .writable = slot->role == SP_METRIC && slot->writable};
    }
    if (!u->device.n) f[n++] = (ShapeField){.name = STR("contains"), .schema = STR("Relationship")};
    TRY(shape_of(s->shapes, PREFIX, kind_of(u, have, arena), display_of(u, arena), f, n, arena, model));
    for (int32_t i = 0; i < u->count; i++) u->slots[i].property = sparkplug_keep(s, f[i].property);
    return ERR_OK;
}

void sparkplug_link(Sparkplug *s, const SpUnit *u, const SpUnit *node) {
    Buf body = {0};
    buf_str_put(&body, STR("{\"$relationshipName\":\"contains\",\"$targetId\":"));
    json_put_str(&body, u->twin);
    buf_byte(&body, '}');
    sparkplug_send(
        s,
        &(SosiaWrite){
            .op = SOSIA_LINK_PUT, .id = node->twin, .sub = u->twin, .body = buf_str(&body), .if_none_match = STR("*")});
    buf_free(&body);
}

static bool born_auto(Sparkplug *s, SpUnit *u, Arena *arena) {
    Buf why = {0};
    Str model = {0}, have = twin_model(s, u->twin, arena);
    if (!have.n) have = u->model; // on its way
    Err err = make_model(s, u, have, arena, &model);
    if (err == ERR_OK && have.n && !str_eq(have, model)) err = shape_twin(s->shapes, (Str){0}, u->twin, model, &why);
    if (err) complain(s, u, "its model cannot be made", err, &why);
    else u->model = sparkplug_keep(s, model);
    buf_free(&why);
    return err == ERR_OK;
}

static bool born_fixed(Sparkplug *s, SpUnit *u, const SpRule *rule) {
    u->model = sparkplug_keep(s, rule->model);
    for (int32_t i = 0; i < u->count; i++) {
        SpSlot *slot = &u->slots[i];
        const Json *p =
            rule->metrics ? json_get(rule->metrics, slot->role == SP_METRIC ? slot->name : slot->field) : NULL;
        slot->property = p && p->type == JSON_STRING ? sparkplug_keep(s, p->s) : (Str){0};
    }
    return true;
}

// Known from before, and nothing else than that.
static bool only_roles(const SpUnit *u) {
    for (int32_t i = 0; i < u->count; i++)
        if (u->slots[i].role == SP_METRIC) return false;
    return !u->born;
}

// What its twin says; without such a property it may be.
static bool twin_online(Sparkplug *s, const SpUnit *u) {
    SosiaHandle at;
    SosiaValue v = {.kind = SOSIA_NONE};
    Buf keep = {0};
    for (int32_t i = 0; i < u->count; i++) {
        if (u->slots[i].role != SP_ONLINE || !u->slots[i].property.n) continue;
        if (sosia_inlet_resolve(s->inlet, u->twin, u->slots[i].property, &at) != SOSIA_OK) return false;
        if (sosia_value(s->engine, NULL, (Str){0}, at, &v, NULL, NULL, &keep) != SOSIA_OK) return false;
    }
    sosia_buf_free(&keep);
    return v.kind != SOSIA_BOOL || v.b;
}

static bool remembered(Sparkplug *s, SpUnit *u, const SpRule *rule, Arena *arena) {
    Str have = twin_model(s, u->twin, arena);
    if (!have.n) return false;
    if (rule) return born_fixed(s, u, rule) && twin_online(s, u);
    u->model = sparkplug_keep(s, have);
    for (int32_t i = 0; i < u->count; i++) u->slots[i].property = u->slots[i].field;
    return twin_online(s, u);
}

bool sparkplug_twin(Sparkplug *s, SpUnit *u) {
    Arena arena;
    arena_init(&arena, 0);
    const SpRule *rule = sparkplug_rule(&s->config, u);
    bool good;
    sparkplug_flush(s); // points of the birth before
    if (only_roles(u)) good = remembered(s, u, rule, &arena);
    else if (rule) good = born_fixed(s, u, rule);
    else good = born_auto(s, u, &arena);
    arena_free(&arena);
    return good;
}
