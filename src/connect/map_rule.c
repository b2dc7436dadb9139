// SPDX-License-Identifier: Apache-2.0
// Rules: from documents to what mapping_apply walks along.
#include "connect/map_rule.h"
#include "base/mem.h"

#define TEXT_MAX 1024
#define LEVELS_MAX 64

static const char *const rule_members[] = {"topic",    "qos",   "retained",   "payload", "each",       "twin",
                                           "property", "model", "value",      "create",  "expression", "unit",
                                           "null",     "time",  "timeFormat", "values",  "ignore",     NULL};
static const char *const value_members[] = {"property", "value", "expression", "unit", NULL};

// ---- topics -------------------------------------------------------------------------------------------------------

static int32_t find_capture(const Rule *r, Str name) {
    for (int32_t i = 0; i < r->capture_count; i++)
        if (str_eq(r->captures[i], name)) return i;
    return -1;
}

static int32_t add_capture(Doc *p, Rule *r, Str name) {
    if (str_eq(name, STR("value")) || str_eq(name, STR("payload")) || str_eq(name, STR("topic"))) {
        doc_bad(p, "topic", "value, payload and topic mean something else in expressions: choose another name");
        return -1;
    }
    if (!name.n || find_capture(r, name) >= 0) {
        doc_bad(p, "topic", "each {name} needs a name of its own");
        return -1;
    }
    if (r->capture_count == MAP_CAPTURES_MAX) {
        doc_bad(p, "topic", "at most %d names are possible", MAP_CAPTURES_MAX);
        return -1;
    }
    r->captures[r->capture_count] = name;
    return r->capture_count++;
}

static void read_level(Doc *p, Rule *r, Str text, bool last, Buf *filter) {
    Level *l = &r->levels[r->level_count++];
    *l = (Level){.kind = LEVEL_TEXT, .text = text, .capture = -1};
    if (str_eq(text, STR("#"))) l->kind = LEVEL_REST;
    else if (str_eq(text, STR("+"))) l->kind = LEVEL_ONE;
    else if (text.n > 2 && text.p[0] == '{' && text.p[text.n - 1] == '}') {
        bool rest = text.p[text.n - 2] == '+';
        l->kind = rest ? LEVEL_REST : LEVEL_ONE;
        l->capture = add_capture(p, r, str_sub(text, 1, text.n - (rest ? 2 : 1)));
    } else {
        for (int64_t i = 0; i < text.n; i++)
            if (strchr("+#{}", text.p[i])) {
                doc_bad(p, "topic", "+, # and {name} stand for whole levels");
                return;
            }
    }
    if (l->kind == LEVEL_REST && !last) doc_bad(p, "topic", "what stands for the rest comes last");
    if (l->kind == LEVEL_TEXT) buf_str_put(filter, text);
    else buf_byte(filter, l->kind == LEVEL_ONE ? '+' : '#');
}

static void read_topic(Mapping *m, Doc *p, Rule *r) {
    doc_need(p, "topic");
    Str topic = doc_str(p, "topic", (Str){0}, TEXT_MAX), rest = topic;
    Buf filter = {0};
    if (memchr(topic.p ? topic.p : "", 0, (size_t)topic.n)) doc_bad(p, "topic", "a zero byte is not possible");
    if (str_starts(rest, STR("$share/"))) {
        int64_t end = str_find(rest, '/', 7);
        if (end <= 7 || end + 1 >= rest.n) {
            doc_bad(p, "topic", "$share/GROUP/TOPIC is expected");
            return;
        }
        buf_str_put(&filter, str_sub(rest, 0, end + 1));
        rest = str_sub(rest, end + 1, rest.n);
    }
    r->levels = NEW(&m->arena, Level, LEVELS_MAX);
    for (bool more = true; more && !p->err;) {
        int64_t slash = str_find(rest, '/', 0);
        more = slash >= 0;
        if (r->level_count == LEVELS_MAX) {
            doc_bad(p, "topic", "at most %d levels are possible", LEVELS_MAX);
            break;
        }
        read_level(p, r, str_sub(rest, 0, more ? slash : rest.n), !more, &filter);
        if (more) buf_byte(&filter, '/');
        if (more) rest = str_sub(rest, slash + 1, rest.n);
    }
    r->filter = arena_str(&m->arena, buf_str(&filter));
    buf_free(&filter);
}

bool rule_match(const Rule *r, Str topic, Str *captures) {
    Str rest = topic;
    bool more = true; // a level follows
    for (int32_t i = 0; i < r->level_count; i++) {
        const Level *l = &r->levels[i];
        if (l->kind == LEVEL_REST) {
            if (l->capture >= 0) captures[l->capture] = more ? rest : STR("");
            return i > 0 || !(topic.n && topic.p[0] == '$'); // MQTT: wildcards first do not match $SYS
        }
        if (!more) return false;
        int64_t slash = str_find(rest, '/', 0);
        Str level = str_sub(rest, 0, slash < 0 ? rest.n : slash);
        if (l->kind == LEVEL_TEXT ? !str_eq(level, l->text) : i == 0 && level.n && level.p[0] == '$') return false;
        if (l->capture >= 0) captures[l->capture] = level;
        more = slash >= 0;
        if (more) rest = str_sub(rest, slash + 1, rest.n);
    }
    return !more;
}

// ---- pointers and templates ---------------------------------------------------------------------------------------

static Node *child_of(Mapping *m, Node *n, Str key) {
    for (Node *c = n->children; c; c = c->next)
        if (str_eq(c->key, key)) return c;
    Node *c = NEW(&m->arena, Node, 1);
    *c = (Node){.next = n->children, .key = key, .index = -1, .slot = -1};
    int64_t i;
    if (str_to_i64(key, &i) && i >= 0 && key.p[0] != '+' && (key.n == 1 || key.p[0] != '0')) c->index = i;
    n->children = c;
    return c;
}

// The node of a pointer, with a slot.
static Node *add_pointer(Mapping *m, Doc *p, const char *name, Tree *t, Str pointer) {
    Node *n = &t->root;
    Str token;
    while (json_pointer_next(&pointer, &m->arena, &token)) n = child_of(m, n, arena_str(&m->arena, token));
    if (pointer.n) doc_bad(p, name, "\"%.*s\" is no JSON pointer: it begins with '/'", STR_ARG(pointer));
    if (n->slot < 0 && t->slots == MAP_POINTERS_MAX)
        doc_bad(p, name, "at most %d pointers are possible", MAP_POINTERS_MAX);
    else if (n->slot < 0) n->slot = t->slots++;
    return n;
}

// "^/x" is of the whole payload; without `each` both are the same.
static Node *read_pointer(Mapping *m, Doc *p, const char *name, Rule *r, Str text, bool *outer) {
    bool up = text.n && text.p[0] == '^';
    *outer = up && r->has_each;
    return add_pointer(m, p, name, *outer ? &r->outer : &r->item, up ? str_sub(text, 1, text.n) : text);
}

static bool needs_json(Doc *p, const char *name, const Rule *r) {
    bool json = r->payload == MAP_JSON || r->payload == MAP_NDJSON;
    if (!json) doc_bad(p, name, "pointers need a payload of JSON");
    return json;
}

static Part read_part(Mapping *m, Doc *p, const char *name, Rule *r, Str inner) {
    Part part = {.capture = -1, .slot = -1};
    if (inner.n && (inner.p[0] == '/' || inner.p[0] == '^')) {
        if (needs_json(p, name, r)) part.slot = read_pointer(m, p, name, r, inner, &part.outer)->slot;
        return part;
    }
    part.capture = find_capture(r, inner);
    if (part.capture < 0) doc_bad(p, name, "the topic has no {%.*s}", STR_ARG(inner));
    return part;
}

static Template read_template(Mapping *m, Doc *p, const char *name, Rule *r, Str text) {
    Template t = {.parts = NEW(&m->arena, Part, text.n + 1), .fixed = true};
    while (text.n && !p->err) {
        int64_t open = str_find(text, '{', 0);
        if (open < 0) open = text.n;
        if (open > 0) t.parts[t.count++] = (Part){.text = str_sub(text, 0, open), .capture = -1, .slot = -1};
        text = str_sub(text, open, text.n);
        if (!text.n) break;
        int64_t close = str_find(text, '}', 0);
        if (close < 0) {
            doc_bad(p, name, "a '}' is missing");
            break;
        }
        Part part = read_part(m, p, name, r, str_sub(text, 1, close));
        t.fixed &= part.slot < 0;
        t.parts[t.count++] = part;
        text = str_sub(text, close + 1, text.n);
    }
    return t;
}

// ---- values -------------------------------------------------------------------------------------------------------

static void read_expression(Mapping *m, Doc *p, Rule *r, MapValue *v) {
    Str text = doc_str(p, "expression", (Str){0}, 8000);
    if (!text.n) return;
    Str names[MAP_CAPTURES_MAX + 3] = {STR("value"), STR("payload"), STR("topic")};
    int32_t n = 3;
    for (int32_t i = 0; i < r->capture_count; i++) names[n++] = r->captures[i];
    Buf why = {0};
    if (sosia_formula_new(text, names, n, &v->formula, &why)) doc_bad(p, "expression", "%.*s", STR_ARG(buf_str(&why)));
    buf_free(&why);
    if (!r->vars) r->vars = NEW(&m->arena, SosiaVar, MAP_CAPTURES_MAX + 3);
    for (int32_t i = 0; i < n; i++) r->vars[i].name = names[i];
}

static void read_value(Mapping *m, Doc *p, Rule *r, MapValue *v) {
    bool named = find_capture(r, STR("property")) >= 0;
    Str property = doc_str(p, "property", named ? STR("{property}") : (Str){0}, TEXT_MAX);
    Str pointer = doc_str(p, "value", STR(""), TEXT_MAX);
    v->slot = -1;
    v->star = str_eq(property, STR("*"));
    v->unit = arena_str(&m->arena, doc_str(p, "unit", (Str){0}, 128));
    if (!property.n) doc_bad(p, "property", "it is needed where the topic has no {property}");
    v->property = read_template(m, p, "property", r, property);
    if (r->payload == MAP_JSON || r->payload == MAP_NDJSON) {
        v->node = read_pointer(m, p, "value", r, pointer, &v->outer);
        v->slot = v->node->slot;
    } else if (pointer.n || v->star) {
        needs_json(p, pointer.n ? "value" : "property", r);
    }
    read_expression(m, p, r, v);
}

static void read_values(Mapping *m, Doc *p, Rule *r) {
    int64_t count;
    const Json *items = doc_array(p, "values", MAP_VALUES_MAX, &count);
    const Json *given = json_get(p->json, STR("values"));
    if (!given || given->type == JSON_NULL) {
        r->values = NEW(&m->arena, MapValue, 1);
        r->value_count = 1;
        read_value(m, p, r, r->values);
        return;
    }
    static const char *const single[] = {"property", "value", "expression", "unit"};
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        if (json_get(p->json, str_of(single[i]))) doc_bad(p, single[i], "it belongs into each of \"values\"");
    if (!count) doc_bad(p, "values", "at least one is needed");
    r->values = NEW(&m->arena, MapValue, count);
    for (int64_t i = 0; i < count; i++) {
        Doc below = doc_item(p, "values", items, i, value_members);
        r->value_count++;
        if (below.json) read_value(m, &below, r, &r->values[i]);
        doc_end(p, &below);
    }
}

// ---- the whole ----------------------------------------------------------------------------------------------------

static void read_time(Mapping *m, Doc *p, Rule *r) {
    static const struct {
        const char *name;
        TimeFormat format;
    } formats[] = {{"auto", TIME_AUTO}, {"rfc3339", TIME_RFC3339}, {"s", TIME_S},
                   {"ms", TIME_MS},     {"us", TIME_US},           {"ns", TIME_NS}};
    Str pointer = doc_str(p, "time", (Str){0}, TEXT_MAX), format = doc_str(p, "timeFormat", STR("auto"), 256);
    r->time_slot = -1;
    if (pointer.n && needs_json(p, "time", r))
        r->time_slot = read_pointer(m, p, "time", r, pointer, &r->time_outer)->slot;
    r->time_format = TIME_TEXT;
    r->time_text = arena_str(&m->arena, format);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (str_eq(format, str_of(formats[i].name))) r->time_format = formats[i].format;
    if (r->time_format == TIME_TEXT && str_find(format, '%', 0) < 0)
        doc_bad(p, "timeFormat", "auto, rfc3339, s, ms, us, ns or a text with %%Y, %%m, %%d ... is expected");
    char wrong = r->time_format == TIME_TEXT ? map_time_unknown(format) : 0;
    if (wrong) doc_bad(p, "timeFormat", "there is no %%%c", wrong);
}

static void read_ignore(Mapping *m, Doc *p, Rule *r) {
    int64_t count;
    const Json *items = doc_array(p, "ignore", MAP_VALUES_MAX, &count);
    r->ignore = NEW(&m->arena, Str, count);
    for (int64_t i = 0; i < count; i++) {
        if (items[i].type != JSON_STRING) doc_bad(p, "ignore", "names of members are expected");
        else r->ignore[r->ignore_count++] = arena_str(&m->arena, items[i].s);
    }
}

static void read_each(Mapping *m, Doc *p, Rule *r) {
    const Json *each = json_get(p->json, STR("each"));
    r->has_each = each && each->type != JSON_NULL;
    r->each_slot = -1;
    if (!r->has_each || !needs_json(p, "each", r)) return;
    r->each_slot = add_pointer(m, p, "each", &r->outer, doc_str(p, "each", STR(""), TEXT_MAX))->slot;
}

void rule_read(Mapping *m, Doc *p, Rule *r) {
    static const char *const payloads[] = {"json", "ndjson", "text", "number", NULL};
    static const char *const retained[] = {"apply", "ignore", NULL}, *const nulls[] = {"ignore", "clear", NULL};
    r->outer.root.slot = r->item.root.slot = -1;
    r->outer.root.index = r->item.root.index = -1;
    read_topic(m, p, r);
    if (p->err) return;
    r->qos = (int32_t)doc_int(p, "qos", 1, 0, 2);
    r->ignore_retained = doc_choice(p, "retained", retained, 0) == 1;
    r->clear = doc_choice(p, "null", nulls, 0) == 1;
    r->payload = (MapPayload)doc_choice(p, "payload", payloads, MAP_JSON);
    r->create = doc_bool(p, "create", false);
    read_each(m, p, r);
    bool named = find_capture(r, STR("twin")) >= 0;
    Str twin = doc_str(p, "twin", named ? STR("{twin}") : (Str){0}, TEXT_MAX);
    if (!twin.n) doc_bad(p, "twin", "it is needed where the topic has no {twin}");
    r->twin = read_template(m, p, "twin", r, twin);
    Str model = doc_str(p, "model", (Str){0}, TEXT_MAX);
    r->model = read_template(m, p, "model", r, model);
    if (r->create && !model.n) doc_bad(p, "model", "twins cannot be created without one");
    read_time(m, p, r);
    read_values(m, p, r);
    read_ignore(m, p, r);
}

void rule_free(Rule *r) {
    for (int32_t i = 0; i < r->value_count; i++) sosia_formula_free(r->values[i].formula);
}

Err mapping_new(const Json *subscriptions, Diag *d, Mapping **out) {
    Mapping *m = mem_alloc(sizeof *m);
    arena_init(&m->arena, 0);
    arena_init(&m->topic_arena, 0);
    arena_init(&m->scratch, 0);
    JsonMember member = {.key = STR("subscriptions")};
    if (subscriptions) member.value = *subscriptions;
    Json top = {.type = JSON_OBJECT, .count = 1, .members = &member};
    Doc p = {.json = &top, .d = d, .arena = &m->arena};
    int64_t count;
    const Json *items = doc_array(&p, "subscriptions", MAP_RULES_MAX, &count);
    m->rules = NEW(&m->arena, Rule, count);
    for (int64_t i = 0; i < count; i++) {
        Doc below = doc_item(&p, "subscriptions", items, i, rule_members);
        if (below.json) rule_read(m, &below, &m->rules[m->count++]);
        doc_end(&p, &below);
    }
    if (p.err) mapping_free(m);
    else *out = m;
    return p.err;
}

void mapping_free(Mapping *m) {
    if (!m) return;
    for (int32_t i = 0; i < m->count; i++) rule_free(&m->rules[i]);
    map_free(&m->by_topic);
    mem_free(m->topics);
    arena_free(&m->arena);
    arena_free(&m->topic_arena);
    arena_free(&m->scratch);
    mem_free(m);
}

int32_t mapping_rules(const Mapping *m) { return m->count; }

Str mapping_filter(const Mapping *m, int32_t i, int32_t *qos) {
    *qos = m->rules[i].qos;
    return m->rules[i].filter;
}
