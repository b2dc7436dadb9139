// SPDX-License-Identifier: Apache-2.0
// The model of a component: looked up in the documents of its twin's model and those it extends, and remembered.
#include "base/mem.h"
#include "codec/json.h"
#include "connect/cloudevent.h"

#define EXTENDS_MAX 64 // models looked at for one component

static bool is_text(const Json *v, Str s) { return v && v->type == JSON_STRING && str_eq(v->s, s); }

static bool has_type(const Json *element, Str type) {
    const Json *t = json_get(element, STR("@type"));
    bool yes = is_text(t, type);
    for (int32_t i = 0; t && t->type == JSON_ARRAY && i < t->count && !yes; i++) yes = is_text(&t->items[i], type);
    return yes;
}

// A schema is a DTMI, or an interface in place.
static Str schema_of(const Json *element) {
    const Json *s = json_get(element, STR("schema"));
    if (s && s->type == JSON_OBJECT) s = json_get(s, STR("@id"));
    return s && s->type == JSON_STRING ? s->s : (Str){0};
}

static const Json *find_model(const Json *list, Str id) {
    for (int32_t i = 0; i < list->count; i++) {
        if (is_text(json_get(&list->items[i], STR("id")), id)) return json_get(&list->items[i], STR("model"));
    }
    return NULL;
}

static Str find_component(const Json *list, Str model, Str component, int32_t *budget) {
    const Json *doc = find_model(list, model);
    if (!doc || (*budget)-- <= 0) return (Str){0};
    const Json *contents = json_get(doc, STR("contents")), *extends = json_get(doc, STR("extends"));
    for (int32_t i = 0; contents && contents->type == JSON_ARRAY && i < contents->count; i++) {
        const Json *e = &contents->items[i];
        if (has_type(e, STR("Component")) && is_text(json_get(e, STR("name")), component)) return schema_of(e);
    }
    if (extends && extends->type == JSON_STRING) return find_component(list, extends->s, component, budget);
    for (int32_t i = 0; extends && extends->type == JSON_ARRAY && i < extends->count; i++) {
        const Json *e = &extends->items[i];
        Str found = e->type == JSON_STRING ? find_component(list, e->s, component, budget) : (Str){0};
        if (found.n) return found;
    }
    return (Str){0};
}

static Str look_up(EventMaker *m, Str model, Str component) {
    SosiaOut out = {0};
    Json list;
    Arena a;
    Str found = {0};
    int32_t budget = EXTENDS_MAX;
    arena_init(&a, 0);
    SosiaRead r = {.what = SOSIA_GET_MODELS, .ids = &model, .id_count = 1, .definition = true, .limit = 1000};
    if (sosia_read(m->engine, NULL, &r, &out) == SOSIA_OK &&
        json_parse(buf_str(&out.body), NULL, &a, &list, NULL) == ERR_OK && list.type == JSON_ARRAY)
        found = arena_str(&m->schemas, find_component(&list, model, component, &budget));
    arena_free(&a);
    sosia_out_free(&out);
    return found;
}

Str event_component_model(EventMaker *m, Str model, Str component) {
    for (int32_t i = 0; i < m->known_count; i++) {
        if (str_eq(m->known[i].model, model) && str_eq(m->known[i].component, component)) return m->known[i].schema;
    }
    if (m->known_count == EVENT_SCHEMAS) event_schemas_forget(m);
    Str schema = look_up(m, model, component);
    m->known[m->known_count++] = (EventSchema){
        .model = arena_str(&m->schemas, model), .component = arena_str(&m->schemas, component), .schema = schema};
    return schema;
}

void event_schemas_forget(EventMaker *m) {
    m->known_count = 0;
    arena_reset(&m->schemas);
}
