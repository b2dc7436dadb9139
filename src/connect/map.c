// SPDX-License-Identifier: Apache-2.0
#include "connect/map.h"
#include <stdio.h>
#include "base/decimal.h"
#include "base/mem.h"
#include "connect/map_rule.h"

// One rule at work on one message.
typedef struct Run {
    Mapping *m;
    const MapOps *ops;
    const Hit *hit;
    const Rule *rule;
    Str topic, payload, item;
    JsonToken *outer, *slots; // raw.p NULL: there was nothing
    Str twin, model;
    int64_t time, now;
    Mapped *out;
    int64_t first; // points before this message
} Run;

static void bad(Run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void bad(Run *r, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r->ops->bad(r->ops->ctx, (Str){text, n < (int)sizeof text ? n : (int)sizeof text - 1});
}

// ---- topics -------------------------------------------------------------------------------------------------------

static bool append_fixed(const Template *t, const Str *captures, Buf *out) {
    for (int32_t i = 0; i < t->count; i++)
        buf_str_put(out, t->parts[i].capture >= 0 ? captures[t->parts[i].capture] : t->parts[i].text);
    return t->fixed;
}

static Str fixed_text(Mapping *m, const Template *t, const Str *captures) {
    if (!t->fixed || !t->count) return (Str){0};
    Buf text = {0};
    append_fixed(t, captures, &text);
    Str out = arena_str(&m->topic_arena, buf_str(&text));
    buf_free(&text);
    return out;
}

static void fill_hit(Mapping *m, const Rule *r, const Str *captures, Hit *h) {
    h->rule = r;
    h->captures = NEW(&m->topic_arena, Str, r->capture_count);
    if (r->capture_count) memcpy(h->captures, captures, (size_t)r->capture_count * sizeof *captures);
    h->twin = fixed_text(m, &r->twin, captures);
    if (r->create) h->model = fixed_text(m, &r->model, captures);
    h->properties = NEW(&m->topic_arena, Str, r->value_count);
    for (int32_t i = 0; i < r->value_count; i++)
        if (!r->values[i].star) h->properties[i] = fixed_text(m, &r->values[i].property, captures);
}

static const Topic *learn(Mapping *m, Str topic) {
    Str captures[MAP_CAPTURES_MAX];
    topic = arena_str(&m->topic_arena, topic);
    if (m->topic_count == m->topic_cap) {
        m->topic_cap = m->topic_cap ? m->topic_cap * 2 : 64;
        m->topics = mem_grow(m->topics, (size_t)m->topic_cap * sizeof *m->topics);
    }
    Topic *t = &m->topics[m->topic_count];
    *t = (Topic){0};
    for (int32_t i = 0; i < m->count; i++) t->count += rule_match(&m->rules[i], topic, captures);
    t->hits = NEW(&m->topic_arena, Hit, t->count);
    for (int32_t i = 0, n = 0; n < t->count; i++)
        if (rule_match(&m->rules[i], topic, captures)) fill_hit(m, &m->rules[i], captures, &t->hits[n++]);
    map_put(&m->by_topic, topic, m->topic_count++);
    return t;
}

void mapping_rest(Mapping *m) {
    if (m->topic_count < MAP_TOPICS_MAX && m->topic_arena.used < MAP_TOPIC_BYTES_MAX) return;
    map_free(&m->by_topic);
    m->topic_count = 0;
    arena_reset(&m->topic_arena);
}

// ---- documents ----------------------------------------------------------------------------------------------------

static bool scan_node(Mapping *m, JsonScan *s, const Node *n, JsonToken *slots);

static const Node *child_by_key(Mapping *m, const Node *n, const JsonToken *key) {
    Str name = key->escaped ? json_unescape(&m->scratch, *key) : key->raw;
    for (const Node *c = n->children; c; c = c->next)
        if (str_eq(c->key, name)) return c;
    return NULL;
}

static bool scan_object(Mapping *m, JsonScan *s, const Node *n, JsonToken *slots) {
    JsonToken key;
    if (!json_scan_object(s)) return false;
    while (json_scan_key(s, &key)) {
        const Node *c = child_by_key(m, n, &key);
        if (c ? !scan_node(m, s, c, slots) : !json_scan_skip(s, NULL)) return false;
    }
    return !s->err;
}

static bool scan_array(Mapping *m, JsonScan *s, const Node *n, JsonToken *slots) {
    if (!json_scan_array(s)) return false;
    for (int64_t i = 0; json_scan_item(s); i++) {
        const Node *c = n->children;
        while (c && c->index != i) c = c->next;
        if (c ? !scan_node(m, s, c, slots) : !json_scan_skip(s, NULL)) return false;
    }
    return !s->err;
}

static bool scan_children(Mapping *m, JsonScan *s, const Node *n, JsonToken *slots) {
    JsonToken t;
    if (!json_scan_value(s, &t)) return false;
    if (t.type == JSON_OBJECT) return scan_object(m, s, n, slots);
    if (t.type == JSON_ARRAY) return scan_array(m, s, n, slots);
    return true;
}

// Take the next value: into its slot, and apart for what lies inside of it.
static bool scan_node(Mapping *m, JsonScan *s, const Node *n, JsonToken *slots) {
    if (n->slot < 0) return n->children ? scan_children(m, s, n, slots) : json_scan_skip(s, NULL);
    JsonToken *t = &slots[n->slot];
    if (!json_scan_value(s, t)) return false;
    if (t->type != JSON_ARRAY && t->type != JSON_OBJECT) return true;
    if (!json_scan_skip(s, &t->raw)) return false;
    if (!n->children) return true;
    JsonScan inner;
    json_scan_init(&inner, t->raw);
    return scan_children(m, &inner, n, slots);
}

static bool scan_text(Run *r, const Tree *t, Str text, JsonToken *slots) {
    JsonScan s;
    json_scan_init(&s, text);
    if (scan_node(r->m, &s, &t->root, slots) && json_scan_end(&s)) return true;
    bad(r, "It is no JSON: %s (byte %lld)", s.why ? s.why : "it ends too early", (long long)(s.p - s.start));
    return false;
}

// ---- texts --------------------------------------------------------------------------------------------------------

// A scalar as text; false when it is none.
static bool append_token(Run *r, const JsonToken *t, Buf *out) {
    if (!t->raw.p || t->type == JSON_NULL || t->type == JSON_ARRAY || t->type == JSON_OBJECT) return false;
    buf_str_put(out, t->type == JSON_STRING ? json_unescape(&r->m->scratch, *t) : t->raw);
    return true;
}

// A template with pointers, filled in; "" when one of them finds nothing.
static Str template_text(Run *r, const Template *t, const char *what) {
    Buf text = {0};
    Str out = {0};
    bool whole = true;
    for (int32_t i = 0; whole && i < t->count; i++) {
        const Part *p = &t->parts[i];
        if (p->slot >= 0) whole = append_token(r, p->outer ? &r->outer[p->slot] : &r->slots[p->slot], &text);
        else buf_str_put(&text, p->capture >= 0 ? r->hit->captures[p->capture] : p->text);
    }
    if (whole && text.n) out = arena_str(&r->out->keep, buf_str(&text));
    else bad(r, "There is no text or number for the %s", what);
    buf_free(&text);
    return out;
}

// ---- values -------------------------------------------------------------------------------------------------------

// Texts are borrowed from the payload or the scratch memory.
static SosiaValue value_of(Run *r, const JsonToken *t) {
    switch (t->type) {
    case JSON_FALSE:
    case JSON_TRUE: return (SosiaValue){.kind = SOSIA_BOOL, .b = t->type == JSON_TRUE};
    case JSON_INT: return (SosiaValue){.kind = SOSIA_I64, .i = t->i};
    case JSON_DOUBLE: return (SosiaValue){.kind = SOSIA_F64, .d = t->d};
    case JSON_STRING: return (SosiaValue){.kind = SOSIA_TEXT, .s = json_unescape(&r->m->scratch, *t)};
    case JSON_ARRAY:
    case JSON_OBJECT: return (SosiaValue){.kind = SOSIA_JSON, .s = t->raw};
    case JSON_NULL: break;
    }
    return (SosiaValue){.kind = SOSIA_NONE};
}

static void add_point(Run *r, Str property, SosiaValue v) {
    Mapped *out = r->out;
    if (out->count - r->first >= MAP_POINTS_MAX) {
        if (out->count - r->first == MAP_POINTS_MAX) bad(r, "One message makes at most %d points", MAP_POINTS_MAX);
        return;
    }
    if (out->count == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 1024;
        out->points = mem_grow(out->points, (size_t)out->cap * sizeof *out->points);
    }
    if (v.kind == SOSIA_TEXT || v.kind == SOSIA_JSON) v.s = arena_str(&out->keep, v.s);
    out->points[out->count++] =
        (SosiaPoint){.twin = r->twin, .path = property, .model = r->model, .value = v, .source_time_ns = r->time};
}

// By the rule's formula; false when it gives nothing.
static bool compute(Run *r, const MapValue *v, SosiaValue *value) {
    const Rule *rule = r->rule;
    bool json = rule->payload == MAP_JSON || rule->payload == MAP_NDJSON;
    rule->vars[0].value = *value;
    rule->vars[1].value = (SosiaValue){.kind = json ? SOSIA_JSON : SOSIA_TEXT, .s = r->item};
    rule->vars[2].value = (SosiaValue){.kind = SOSIA_TEXT, .s = r->topic};
    for (int32_t i = 0; i < rule->capture_count; i++)
        rule->vars[3 + i].value = (SosiaValue){.kind = SOSIA_TEXT, .s = r->hit->captures[i]};
    *value = sosia_formula_eval(v->formula, rule->vars, r->now);
    if (value->kind != SOSIA_NONE) return true;
    bad(r, "The expression gives no value");
    return false;
}

// Into the unit of the property.
static bool convert(Run *r, const MapValue *v, Str property, SosiaValue *value) {
    if (value->kind != SOSIA_I64 && value->kind != SOSIA_F64) {
        bad(r, "A number of %.*s is expected", STR_ARG(v->unit));
        return false;
    }
    double d = value->kind == SOSIA_I64 ? (double)value->i : value->d;
    const MapOps *o = r->ops;
    if (!o->unit || o->unit(o->ctx, r->twin, r->model, property, v->unit, d, &d)) {
        bad(r, "A number of %.*s cannot become \"%.*s\" of \"%.*s\"", STR_ARG(v->unit), STR_ARG(property),
            STR_ARG(r->twin));
        return false;
    }
    *value = (SosiaValue){.kind = SOSIA_F64, .d = d};
    return true;
}

static void put_value(Run *r, const MapValue *v, Str property, SosiaValue value) {
    if (v->formula && !compute(r, v, &value)) return;
    if (v->unit.n && value.kind != SOSIA_NONE && !convert(r, v, property, &value)) return;
    add_point(r, property, value);
}

static bool is_used(const Run *r, const MapValue *v, Str key) {
    for (int32_t i = 0; i < r->rule->ignore_count; i++)
        if (str_eq(r->rule->ignore[i], key)) return true;
    for (const Node *c = v->node->children; c; c = c->next)
        if (str_eq(c->key, key)) return true;
    return false;
}

// Every member of an object that was scanned before.
static void put_members(Run *r, const MapValue *v, const JsonToken *object) {
    JsonScan s;
    JsonToken key, t;
    json_scan_init(&s, object->raw);
    if (!json_scan_object(&s)) return;
    while (json_scan_key(&s, &key)) {
        Str name = json_unescape(&r->m->scratch, key);
        if (!json_scan_value(&s, &t)) return;
        if ((t.type == JSON_ARRAY || t.type == JSON_OBJECT) && !json_scan_skip(&s, &t.raw)) return;
        if (is_used(r, v, name) || (t.type == JSON_NULL && !r->rule->clear)) continue;
        put_value(r, v, arena_str(&r->out->keep, name), value_of(r, &t));
    }
}

// One of the rule's values; false when there is nothing in this payload.
static bool run_value(Run *r, int32_t i) {
    const MapValue *v = &r->rule->values[i];
    const JsonToken *t = v->outer ? &r->outer[v->slot] : &r->slots[v->slot];
    if (!t->raw.p) return false;
    if (v->star) {
        if (t->type == JSON_OBJECT) put_members(r, v, t);
        else bad(r, "An object is expected, not %s", json_type_name(t->type));
        return true;
    }
    if (t->type == JSON_NULL && !r->rule->clear) return true;
    Str property = r->hit->properties[i].n ? r->hit->properties[i] : template_text(r, &v->property, "property");
    if (property.n) put_value(r, v, property, value_of(r, t));
    return true;
}

static bool begin_item(Run *r) {
    const Rule *rule = r->rule;
    r->time = 0;
    if (rule->time_slot >= 0) {
        const JsonToken *t = rule->time_outer ? &r->outer[rule->time_slot] : &r->slots[rule->time_slot];
        if (!t->raw.p || !rule_time(rule, t, &r->m->scratch, &r->time)) {
            bad(r, t->raw.p ? "\"%.*s\" is no time of the given format" : "There is no time in it%.*s",
                STR_ARG(t->raw));
            return false;
        }
    }
    r->twin = r->hit->twin.n ? r->hit->twin : template_text(r, &rule->twin, "twin");
    r->model = r->hit->model;
    if (rule->create && !r->model.n) r->model = template_text(r, &rule->model, "model");
    return r->twin.n && (!rule->create || r->model.n);
}

static void run_item(Run *r, Str item) {
    const Rule *rule = r->rule;
    r->item = item;
    r->slots = NEW(&r->m->scratch, JsonToken, rule->item.slots);
    if (!scan_text(r, &rule->item, item, r->slots) || !begin_item(r)) return;
    int32_t found = 0;
    for (int32_t i = 0; i < rule->value_count; i++) found += run_value(r, i);
    if (!found) bad(r, "The value is not in it");
}

// ---- payloads -----------------------------------------------------------------------------------------------------

static void run_each(Run *r, Str payload) {
    const Rule *rule = r->rule;
    r->outer = NEW(&r->m->scratch, JsonToken, rule->outer.slots);
    if (!scan_text(r, &rule->outer, payload, r->outer)) return;
    const JsonToken *array = &r->outer[rule->each_slot];
    if (!array->raw.p || array->type != JSON_ARRAY) {
        bad(r, "There is no array in it where one is expected");
        return;
    }
    JsonScan s;
    Str item;
    json_scan_init(&s, array->raw);
    if (!json_scan_array(&s)) return;
    while (json_scan_item(&s) && json_scan_skip(&s, &item)) run_item(r, item);
}

static void run_json(Run *r, Str payload) {
    if (r->rule->has_each) run_each(r, payload);
    else run_item(r, payload);
}

static void run_lines(Run *r) {
    Str rest = r->payload;
    while (rest.n) {
        Str line = str_trim(str_cut(&rest, '\n'));
        if (line.n) run_json(r, line);
    }
}

static bool number_of(Str s, SosiaValue *out) {
    int64_t i;
    double d;
    s = str_trim(s);
    if (str_to_i64(s, &i)) *out = (SosiaValue){.kind = SOSIA_I64, .i = i};
    else if (decimal_parse_f64(s, &d)) *out = (SosiaValue){.kind = SOSIA_F64, .d = d};
    else return false;
    return true;
}

static void run_plain(Run *r) {
    const Rule *rule = r->rule;
    SosiaValue value = {.kind = SOSIA_TEXT, .s = r->payload};
    r->item = r->payload;
    if (rule->payload == MAP_NUMBER && !number_of(r->payload, &value)) {
        bad(r, "It is no number");
        return;
    }
    if (rule->payload == MAP_TEXT && !str_utf8_ok(r->payload)) {
        bad(r, "It is no text of UTF-8");
        return;
    }
    if (!begin_item(r)) return;
    for (int32_t i = 0; i < rule->value_count; i++)
        if (r->hit->properties[i].n) put_value(r, &rule->values[i], r->hit->properties[i], value);
}

bool mapping_apply(Mapping *m, const MapOps *ops, Str topic, Str payload, bool retained, int64_t now, Mapped *out) {
    int64_t at;
    if (!payload.n) return true; // how a retained message is deleted
    const Topic *t = map_get(&m->by_topic, topic, &at) ? &m->topics[at] : learn(m, topic);
    int64_t first = out->count;
    for (int32_t i = 0; i < t->count; i++) {
        Run r = {.m = m,
                 .ops = ops,
                 .hit = &t->hits[i],
                 .rule = t->hits[i].rule,
                 .topic = topic,
                 .payload = payload,
                 .now = now,
                 .out = out,
                 .first = first};
        if (retained && r.rule->ignore_retained) continue;
        arena_reset(&m->scratch);
        switch (r.rule->payload) {
        case MAP_JSON: run_json(&r, payload); break;
        case MAP_NDJSON: run_lines(&r); break;
        case MAP_TEXT:
        case MAP_NUMBER: run_plain(&r); break;
        }
    }
    return t->count > 0;
}

void mapped_init(Mapped *p) {
    *p = (Mapped){0};
    arena_init(&p->keep, 0);
}

void mapped_reset(Mapped *p) {
    p->count = 0;
    arena_reset(&p->keep);
}

void mapped_free(Mapped *p) {
    mem_free(p->points);
    arena_free(&p->keep);
    *p = (Mapped){0};
}
