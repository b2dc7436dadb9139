// SPDX-License-Identifier: Apache-2.0
#include "connect/cloudevent.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"
#include "codec/json.h"

static const struct {
    Str type, legacy;
} TYPES[EVENT_TYPES] = {
    {{"Microsoft.DigitalTwins.Twin.Create", 34}, {"DigitalTwinLifecycleNotification", 32}},
    {{"Microsoft.DigitalTwins.Twin.Delete", 34}, {"DigitalTwinLifecycleNotification", 32}},
    {{"Microsoft.DigitalTwins.Twin.Update", 34}, {"DigitalTwinChangeNotification", 29}},
    {{"Microsoft.DigitalTwins.Relationship.Create", 42}, {"RelationshipLifecycleNotification", 33}},
    {{"Microsoft.DigitalTwins.Relationship.Delete", 42}, {"RelationshipLifecycleNotification", 33}},
    {{"Microsoft.DigitalTwins.Relationship.Update", 42}, {"RelationshipChangeNotification", 30}},
    {{"microsoft.iot.telemetry", 23}, {"DigitalTwinTelemetryMessages", 28}},
};

Str cloudevent_type(EventType t) { return TYPES[t].type; }
Str cloudevent_legacy(EventType t) { return TYPES[t].legacy; }

void event_maker_init(EventMaker *m, Sosia *engine, Str host, uint64_t instance) {
    *m = (EventMaker){.engine = engine, .host = host, .instance = instance};
    arena_init(&m->arena, 4096);
    arena_init(&m->schemas, 1024);
}

void event_maker_free(EventMaker *m) {
    mem_free(m->groups);
    mem_free(m->next);
    arena_free(&m->arena);
    arena_free(&m->schemas);
    buf_free(&m->data);
    *m = (EventMaker){0};
}

// ---- groups -------------------------------------------------------------------------------------------------------

// Number to number, open addressing; value 0: none.
typedef struct Table {
    struct {
        uint64_t key;
        int64_t value;
    } * slots;
    int64_t cap;
} Table;

// Room for n keys at most half full.
static void table_init(Table *t, int64_t n) {
    t->cap = 16;
    while (t->cap < 2 * n) t->cap *= 2;
    t->slots = mem_alloc((size_t)t->cap * sizeof *t->slots);
}

static int64_t *table_at(Table *t, uint64_t key) {
    uint64_t i = (key * UINT64_C(0x9e3779b97f4a7c15)) >> 20;
    for (;; i++) {
        i &= (uint64_t)t->cap - 1;
        if (t->slots[i].value && t->slots[i].key != key) continue;
        t->slots[i].key = key;
        return &t->slots[i].value;
    }
}

typedef struct Grouping {
    EventMaker *m;
    Table open;   // twin or relationship -> its group's number + 1
    Table before; // key of an event -> how many there were
} Grouping;

static bool about_link(EventType t) { return t >= EVENT_LINK_CREATE && t <= EVENT_LINK_UPDATE; }

static uint64_t thing_of(const SosiaChange *c, bool link) {
    uint64_t no = link ? c->link_no : c->twin_no;
    if (no) return no * 2 + link;
    return str_hash(c->twin) * 31 + (link ? str_hash(c->link) : 0);
}

static uint64_t key_of(const SosiaChange *c, EventType t) {
    uint64_t h = str_hash(c->twin) ^ ((uint64_t)t + 1) * UINT64_C(0x9e3779b97f4a7c15);
    if (about_link(t)) h = h * UINT64_C(0xff51afd7ed558ccd) + str_hash(c->link);
    if (t == EVENT_TELEMETRY) h = h * UINT64_C(0xff51afd7ed558ccd) + str_hash(c->path);
    return h;
}

static void group_begin(Grouping *g, EventType t, int64_t i) {
    EventMaker *m = g->m;
    const SosiaChange *c = &m->batch->changes[i];
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->groups = mem_grow(m->groups, (size_t)m->cap * sizeof *m->groups);
    }
    uint64_t key = key_of(c, t);
    int64_t *before = table_at(&g->before, key);
    m->groups[m->count++] =
        (EventGroup){.kind = t, .key = key, .first = i, .last = i, .occurrence = (int32_t)(*before)++};
}

// A change of what a group may be open for: it goes there, or begins one.
static void group_add(Grouping *g, EventType t, int64_t i) {
    EventMaker *m = g->m;
    int64_t *open = table_at(&g->open, thing_of(&m->batch->changes[i], about_link(t)));
    if (*open > 0) {
        EventGroup *at = &m->groups[*open - 1];
        m->next[at->last] = i;
        at->last = i;
        return;
    }
    group_begin(g, t, i);
    *open = m->count;
}

// A life begins or ends: what was open is over.
static void group_life(Grouping *g, EventType t, int64_t i, bool begins) {
    int64_t *open = table_at(&g->open, thing_of(&g->m->batch->changes[i], about_link(t)));
    group_begin(g, t, i);
    *open = begins ? g->m->count : -1;
}

static void group_change(Grouping *g, int64_t i) {
    const SosiaChange *c = &g->m->batch->changes[i];
    bool nothing =
        c->late || (c->value.kind == SOSIA_NONE && (c->what == SOSIA_EV_SET || c->what == SOSIA_EV_LINK_SET));
    if (c->what == SOSIA_EV_MODEL) event_schemas_forget(g->m);
    if (nothing || c->what == SOSIA_EV_MODEL) return;
    switch (c->what) {
    case SOSIA_EV_TWIN_PUT: group_life(g, EVENT_TWIN_CREATE, i, true); break;
    case SOSIA_EV_TWIN_DELETE: group_life(g, EVENT_TWIN_DELETE, i, false); break;
    case SOSIA_EV_LINK_PUT: group_life(g, EVENT_LINK_CREATE, i, true); break;
    case SOSIA_EV_LINK_DELETE: group_life(g, EVENT_LINK_DELETE, i, false); break;
    case SOSIA_EV_LINK_SET:
    case SOSIA_EV_LINK_UNSET: group_add(g, EVENT_LINK_UPDATE, i); break;
    case SOSIA_EV_TELEMETRY: group_begin(g, EVENT_TELEMETRY, i); break;
    default: group_add(g, EVENT_TWIN_UPDATE, i);
    }
}

void event_maker_batch(EventMaker *m, const SosiaBatch *b) {
    m->batch = b;
    m->count = m->at = 0;
    if (b->count > m->next_cap) {
        m->next_cap = b->count;
        m->next = mem_grow(m->next, (size_t)m->next_cap * sizeof *m->next);
    }
    Grouping g = {.m = m};
    table_init(&g.open, b->count);
    table_init(&g.before, b->count);
    for (int64_t i = 0; i < b->count; i++) m->next[i] = -1;
    for (int64_t i = 0; i < b->count; i++) group_change(&g, i);
    mem_free(g.open.slots);
    mem_free(g.before.slots);
}

// ---- the envelope -------------------------------------------------------------------------------------------------

// 128 bits of (instance, batch, event): a permutation of the counter, so different events of one file never meet.
static void number(const EventMaker *m, const EventGroup *g, uint64_t tag, uint32_t out[4]) {
    uint64_t seq = m->batch->seq, key = m->instance + tag * UINT64_C(0x9e3779b97f4a7c15);
    const uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    uint32_t high = (uint32_t)(seq >> 32) ^ (g ? (uint32_t)g->occurrence << 12 : 0);
    const uint32_t counter[4] = {(uint32_t)seq, high, g ? (uint32_t)g->key : 0, g ? (uint32_t)(g->key >> 32) : 0};
    philox4x32(counter, k, out);
}

static Str guid(EventMaker *m, const EventGroup *g) {
    uint32_t w[4];
    number(m, g, 0, w);
    return arena_printf(&m->arena, "%08x-%04x-8%03x-%04x-%04x%08x", w[0], w[1] >> 16, w[1] & 0xfff,
                        0x8000 | (w[2] >> 16 & 0x3fff), w[2] & 0xffff, w[3]);
}

// All events of a batch are of one trace.
static Str traceparent(EventMaker *m, const EventGroup *g) {
    uint32_t t[4], s[4];
    number(m, NULL, 1, t);
    number(m, g, 2, s);
    return arena_printf(&m->arena, "00-%08x%08x%08x%08x-%08x%08x-01", t[0], t[1], t[2], t[3] | 1, s[0], s[1] | 1);
}

static Str shown_time(EventMaker *m, int64_t ns) {
    Buf b = {0};
    time_print(ns, 7, &b);
    Str s = arena_str(&m->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

bool event_maker_next(EventMaker *m, CloudEvent *out) {
    if (m->at >= m->count) return false;
    const EventGroup *g = &m->groups[m->at++];
    const SosiaChange *c = &m->batch->changes[g->first];
    arena_reset(&m->arena);
    *out = (CloudEvent){.kind = g->kind,
                        .type = TYPES[g->kind].type,
                        .event_type = TYPES[g->kind].legacy,
                        .source = m->host,
                        .subject = c->twin,
                        .twin = c->twin,
                        .first = g->first,
                        .traceparent = traceparent(m, g)};
    if (about_link(g->kind))
        out->subject = arena_printf(&m->arena, "%.*s/relationships/%.*s", STR_ARG(c->twin), STR_ARG(c->link));
    if (g->kind != EVENT_TELEMETRY) {
        out->id = guid(m, g);
        out->time = shown_time(m, m->batch->time_ns);
        return true;
    }
    out->id = c->other.n ? c->other : guid(m, g);
    out->subject = c->path;
    out->source = arena_printf(&m->arena, "%.*s/digitaltwins/%.*s", STR_ARG(m->host), STR_ARG(c->twin));
    out->dataschema = c->path.n && c->model.n ? event_component_model(m, c->model, c->path) : c->model;
    if (c->source_time_ns) out->time = shown_time(m, c->source_time_ns);
    return true;
}

// ---- data ---------------------------------------------------------------------------------------------------------

static void put_member(Buf *b, const char *name, Str value) {
    char last = b->n ? b->p[b->n - 1] : '{';
    if (last != '{') buf_byte(b, ',');
    json_put_str(b, str_of(name));
    buf_byte(b, ':');
    json_put_str(b, value);
}

static void put_value(Buf *b, const SosiaValue *v) {
    switch (v->kind) {
    case SOSIA_BOOL: buf_str_put(b, v->b ? STR("true") : STR("false")); break;
    case SOSIA_I64: json_put_i64(b, v->i); break;
    case SOSIA_F64: json_put_f64(b, v->d); break;
    case SOSIA_TEXT: json_put_str(b, v->s); break;
    case SOSIA_JSON: buf_str_put(b, v->s); break;
    default: buf_str_put(b, STR("null"));
    }
}

// "a.b" as "/a/b".
static void put_pointer(Buf *b, Str path) {
    Buf p = {0};
    while (path.n) {
        Str name = str_cut(&path, '.');
        buf_byte(&p, '/');
        for (int64_t i = 0; i < name.n; i++) {
            if (name.p[i] == '~') buf_str_put(&p, STR("~0"));
            else if (name.p[i] == '/') buf_str_put(&p, STR("~1"));
            else buf_byte(&p, name.p[i]);
        }
    }
    json_put_str(b, buf_str(&p));
    buf_free(&p);
}

static bool is_set(const SosiaChange *c) { return c->what == SOSIA_EV_SET || c->what == SOSIA_EV_LINK_SET; }

// An object that was written whole: its members follow it.
static bool is_object(const SosiaChange *c) {
    return is_set(c) && c->value.kind == SOSIA_JSON && str_eq(c->value.s, STR("{}"));
}

// Is change i a value right inside of `path`?
static bool inside(const EventMaker *m, int64_t i, Str path) {
    if (i < 0) return false;
    const SosiaChange *c = &m->batch->changes[i];
    if (!is_set(c) || c->path.n < path.n + 2 || !str_starts(c->path, path) || c->path.p[path.n] != '.') return false;
    return str_find(c->path, '.', path.n + 1) < 0;
}

// The object at i with what follows for it; returns the change behind.
static int64_t put_object(EventMaker *m, int64_t i, Buf *b) {
    const SosiaChange *c = &m->batch->changes[i];
    int64_t k = m->next[i];
    buf_byte(b, '{');
    for (bool first = true; inside(m, k, c->path); first = false) {
        const SosiaChange *in = &m->batch->changes[k];
        if (!first) buf_byte(b, ',');
        json_put_str(b, str_sub(in->path, c->path.n + 1, in->path.n));
        buf_byte(b, ':');
        if (is_object(in)) {
            k = put_object(m, k, b);
        } else {
            put_value(b, &in->value);
            k = m->next[k];
        }
    }
    buf_byte(b, '}');
    return k;
}

// Is change i the end of a member of an object that was written whole before? It is not there any more.
static bool covered(const EventMaker *m, int64_t first, int64_t i) {
    Str path = m->batch->changes[i].path;
    bool yes = false;
    for (int64_t k = first; k != i; k = m->next[k]) {
        const SosiaChange *c = &m->batch->changes[k];
        bool above = path.n > c->path.n && str_starts(path, c->path) && path.p[c->path.n] == '.';
        if (above) yes = is_object(c);
    }
    return yes;
}

static void put_patch(EventMaker *m, int64_t first, Buf *b) {
    Str model = m->batch->changes[first].model;
    for (int64_t i = first; i >= 0; i = m->next[i]) {
        const SosiaChange *c = &m->batch->changes[i];
        if (is_set(c) && str_eq(c->path, STR("$metadata.$model"))) model = c->value.s; // after the update
    }
    buf_byte(b, '{');
    if (model.n) put_member(b, "modelId", model); // "": the twin is gone since
    buf_str_put(b, model.n ? STR(",\"patch\":[") : STR("\"patch\":["));
    for (int64_t i = first; i >= 0;) {
        const SosiaChange *c = &m->batch->changes[i];
        int64_t next = m->next[i];
        if (!is_set(c) && covered(m, first, i)) {
            i = next;
            continue;
        }
        buf_str_put(b, i == first ? STR("{") : STR(",{"));
        if (is_set(c)) {
            buf_str_put(b, STR("\"value\":"));
            if (is_object(c)) next = put_object(m, i, b);
            else put_value(b, &c->value);
            buf_byte(b, ',');
        }
        buf_str_put(b, STR("\"path\":"));
        put_pointer(b, c->path);
        bool fresh = c->fresh && !str_starts(c->path, STR("$metadata."));
        buf_printf(b, ",\"op\":\"%s\"}", !is_set(c) ? "remove" : fresh ? "add" : "replace");
        i = next;
    }
    buf_str_put(b, STR("]}"));
}

// What is left to say about a twin or relationship whose document nobody has any more.
static void put_rest(Buf *b, const SosiaChange *c, bool link) {
    buf_reset(b);
    buf_byte(b, '{');
    if (link) {
        put_member(b, "$relationshipId", c->link);
        put_member(b, "$sourceId", c->twin);
        put_member(b, "$relationshipName", c->path);
        put_member(b, "$targetId", c->other);
    } else {
        put_member(b, "$dtId", c->twin);
        buf_str_put(b, STR(",\"$metadata\":{"));
        put_member(b, "$model", c->other.n ? c->other : c->model);
        buf_byte(b, '}');
    }
    buf_byte(b, '}');
}

static void put_made(EventMaker *m, int64_t i, bool link) {
    if (sosia_batch_made(m->engine, (Str){0}, m->batch, i, &m->data) != SOSIA_OK)
        put_rest(&m->data, &m->batch->changes[i], link);
}

Str event_maker_data(EventMaker *m, const CloudEvent *e) {
    const SosiaChange *c = &m->batch->changes[e->first];
    buf_reset(&m->data);
    switch (e->kind) {
    case EVENT_TWIN_CREATE:
    case EVENT_LINK_CREATE: put_made(m, e->first, about_link(e->kind)); break;
    case EVENT_TWIN_DELETE:
    case EVENT_LINK_DELETE:
        if (c->value.kind == SOSIA_JSON) return c->value.s;
        put_rest(&m->data, c, about_link(e->kind));
        break;
    case EVENT_TELEMETRY: put_value(&m->data, &c->value); break;
    default: put_patch(m, e->first, &m->data);
    }
    return buf_str(&m->data);
}

void cloudevent_put(const CloudEvent *e, Str data, Buf *b) {
    buf_str_put(b, STR("{\"specversion\":\"1.0\","));
    buf_str_put(b, STR("\"id\":"));
    json_put_str(b, e->id);
    put_member(b, "type", e->type);
    put_member(b, "source", e->source);
    if (e->subject.n) put_member(b, "subject", e->subject);
    if (e->time.n) put_member(b, "time", e->time);
    put_member(b, "datacontenttype", STR("application/json"));
    if (e->dataschema.n) put_member(b, "dataschema", e->dataschema);
    put_member(b, "traceparent", e->traceparent);
    buf_str_put(b, STR(",\"data\":"));
    buf_str_put(b, data);
    buf_byte(b, '}');
}
