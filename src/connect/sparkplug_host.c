// SPDX-License-Identifier: Apache-2.0
#include "connect/sparkplug_host.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

#define NS_OF_MS(ms) ((int64_t)(ms)*NS_PER_MS)
#define MS_MAX ((uint64_t)(INT64_MAX / NS_PER_MS))
#define BDSEQ STR("bdSeq")

// A message that came before its turn; it owns what it points at.
typedef struct Early {
    Str topic, payload;
    uint32_t seq;
} Early;

// Where data by alias goes; sorted by alias when `sorted`.
typedef struct Alias {
    uint64_t alias;
    SpUnit *unit;
    int32_t slot;
} Alias;

struct SpNode {
    SpUnit *unit;     // of the node itself
    SpUnit **devices; // in order of their first birth
    int64_t device_count, device_cap;
    Map by_device;
    uint32_t seq_next;
    bool has_bdseq;
    uint64_t bdseq;
    Alias *aliases; // open addressing; unit NULL: free
    int64_t alias_cap, alias_count;
    SpTemplate **templates; // definitions of the NBIRTH, in its arena
    Str *template_names;
    int32_t template_count;
    Early early[SPARKPLUG_EARLY_MAX];
    int32_t early_count;
    int64_t early_bytes, gap_ns; // since when a number is missing; 0: none is
    bool needs_birth;
    int64_t asked_ns, ask_again_ns; // 0: not asked yet
    int64_t confirm_ns;             // when units that were not born again go stale; 0: nothing to confirm
};

struct SpHost {
    SpHostConfig config;
    SpHostOps ops;
    void *ctx;
    Arena arena; // names of units, for ever
    Arena call;  // of one message
    SpNode **nodes;
    int64_t node_count, node_cap, unit_count;
    Map by_node; // "group/node"
    Map by_twin; // -> node index << 32 | device index + 1
    bool up;
    int64_t will_ns;
    SpHostStats stats;
};

// ---- topics --------------------------------------------------------------------------------------------------------

typedef enum Verb { NBIRTH, NDEATH, NDATA, DBIRTH, DDEATH, DDATA, NCMD, DCMD, STATE, NO_VERB } Verb;
typedef struct Topic {
    Verb verb;
    Str group, node, device;
} Topic;

static Verb verb_of(Str s) {
    static const char *const names[] = {"NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA", "NCMD", "DCMD"};
    for (int i = 0; i < NO_VERB - 1; i++)
        if (str_eq(s, str_of(names[i]))) return (Verb)i;
    return NO_VERB;
}

// spBv1.0/STATE/HOST and spBv1.0/GROUP/VERB/NODE[/DEVICE]; false when it is neither.
static bool topic_of(Str s, Topic *t) {
    if (!str_eq(str_cut(&s, '/'), STR("spBv1.0"))) return false;
    *t = (Topic){.group = str_cut(&s, '/')};
    if (str_eq(t->group, STR("STATE"))) {
        t->verb = STATE, t->node = s;
        return s.n > 0 && str_find(s, '/', 0) < 0;
    }
    t->verb = verb_of(str_cut(&s, '/'));
    t->node = str_cut(&s, '/');
    t->device = s;
    bool of_device = t->verb == DBIRTH || t->verb == DDEATH || t->verb == DDATA || t->verb == DCMD;
    return t->verb != NO_VERB && t->group.n && t->node.n && (s.n > 0) == of_device && str_find(s, '/', 0) < 0;
}

static void put_topic(Buf *b, const SpUnit *u, const char *verb) {
    buf_printf(b, "spBv1.0/%.*s/%c%s/%.*s", STR_ARG(u->group), u->device.n ? 'D' : 'N', verb, STR_ARG(u->name));
    if (u->device.n) buf_printf(b, "/%.*s", STR_ARG(u->device));
}

// ---- units ---------------------------------------------------------------------------------------------------------

// "{group}-{node}" with the names in place.
static Str twin_name(Str pattern, Str group, Str node, Str device, Arena *arena) {
    const struct {
        Str key, value;
    } parts[] = {{STR("{group}"), group}, {STR("{node}"), node}, {STR("{device}"), device}};
    Buf b = {0};
    while (pattern.n) {
        size_t k = 0;
        while (k < 3 && !str_starts(pattern, parts[k].key)) k++;
        if (k < 3) buf_str_put(&b, parts[k].value);
        else buf_byte(&b, pattern.p[0]);
        pattern = str_sub(pattern, k < 3 ? parts[k].key.n : 1, pattern.n);
    }
    Str s = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static SpUnit *new_unit(SpHost *h, SpNode *n, Str group, Str name, Str device) {
    SpUnit *u = mem_alloc(sizeof *u);
    u->node = n;
    u->group = arena_str(&h->arena, group), u->name = arena_str(&h->arena, name);
    u->device = arena_str(&h->arena, device);
    u->twin = twin_name(device.n ? h->config.device_twin : h->config.node_twin, group, name, device, &h->arena);
    arena_init(&u->arena, 4096);
    h->unit_count++;
    return u;
}

// Forget a birth.
static void unit_clear(SpUnit *u) {
    for (int32_t i = 0; i < u->count; i++) sparkplug_tree_free(u->slots[i].tree);
    map_free(&u->by_name);
    arena_reset(&u->arena);
    u->slots = NULL, u->count = 0;
    u->template = (Str){0};
    u->born = false;
}

static void unit_free(SpUnit *u) {
    unit_clear(u);
    arena_free(&u->arena);
    mem_free(u);
}

static SpNode *find_node(SpHost *h, Str group, Str node) {
    int64_t at;
    Str key = arena_printf(&h->call, "%.*s/%.*s", STR_ARG(group), STR_ARG(node));
    return map_get(&h->by_node, key, &at) ? h->nodes[at] : NULL;
}

static SpNode *get_node(SpHost *h, Str group, Str node) {
    SpNode *n = find_node(h, group, node);
    if (n || h->unit_count >= SPARKPLUG_UNITS_MAX) return n;
    if (h->node_count == h->node_cap) {
        h->node_cap = h->node_cap ? 2 * h->node_cap : 16;
        h->nodes = mem_grow(h->nodes, (size_t)h->node_cap * sizeof(SpNode *));
    }
    n = mem_alloc(sizeof *n);
    n->unit = new_unit(h, n, group, node, (Str){0});
    map_put(&h->by_node, arena_printf(&h->arena, "%.*s/%.*s", STR_ARG(group), STR_ARG(node)), h->node_count);
    map_put(&h->by_twin, n->unit->twin, h->node_count << 32);
    h->nodes[h->node_count++] = n;
    return n;
}

static SpUnit *find_device(SpNode *n, Str device) {
    int64_t at;
    return map_get(&n->by_device, device, &at) ? n->devices[at] : NULL;
}

static SpUnit *get_device(SpHost *h, SpNode *n, Str device) {
    SpUnit *u = find_device(n, device);
    int64_t at = 0;
    if (u || h->unit_count >= SPARKPLUG_UNITS_MAX) return u;
    if (n->device_count == n->device_cap) {
        n->device_cap = n->device_cap ? 2 * n->device_cap : 8;
        n->devices = mem_grow(n->devices, (size_t)n->device_cap * sizeof(SpUnit *));
    }
    u = new_unit(h, n, n->unit->group, n->unit->name, device);
    CHECK(map_get(&h->by_node, arena_printf(&h->call, "%.*s/%.*s", STR_ARG(u->group), STR_ARG(u->name)), &at));
    map_put(&n->by_device, u->device, n->device_count);
    n->devices[n->device_count++] = u;
    map_put(&h->by_twin, u->twin, at << 32 | n->device_count);
    return u;
}

SpUnit *sparkplug_host_unit(SpHost *h, Str twin) {
    int64_t at;
    if (!map_get(&h->by_twin, twin, &at)) return NULL;
    SpNode *n = h->nodes[at >> 32];
    int64_t device = at & INT32_MAX;
    return device ? n->devices[device - 1] : n->unit;
}

// ---- aliases -------------------------------------------------------------------------------------------------------

static Alias *alias_place(const SpNode *n, uint64_t alias) {
    uint64_t mask = (uint64_t)n->alias_cap - 1, at = (alias * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & mask;
    while (n->aliases[at].unit && n->aliases[at].alias != alias) at = (at + 1) & mask;
    return &n->aliases[at];
}

static void alias_put(SpNode *n, uint64_t alias, SpUnit *u, int32_t slot) {
    if (2 * n->alias_count >= n->alias_cap) {
        Alias *old = n->aliases;
        int64_t cap = n->alias_cap;
        n->alias_cap = cap ? 2 * cap : 64;
        n->aliases = mem_alloc((size_t)n->alias_cap * sizeof(Alias));
        for (int64_t i = 0; i < cap; i++)
            if (old[i].unit) *alias_place(n, old[i].alias) = old[i];
        mem_free(old);
    }
    Alias *a = alias_place(n, alias);
    n->alias_count += !a->unit;
    *a = (Alias){alias, u, slot};
}

// The aliases of one device's last birth, before its next.
static void alias_drop(SpNode *n, const SpUnit *u) {
    Alias *old = n->aliases;
    int64_t cap = n->alias_cap;
    bool any = false;
    for (int32_t i = 0; i < u->count && !any; i++) any = u->slots[i].has_alias;
    if (!any || !cap) return;
    n->aliases = mem_alloc((size_t)cap * sizeof(Alias));
    n->alias_count = 0;
    for (int64_t i = 0; i < cap; i++)
        if (old[i].unit && old[i].unit != u) *alias_place(n, old[i].alias) = old[i], n->alias_count++;
    mem_free(old);
}

static SpSlot *find_slot(SpNode *n, SpUnit *u, const SpMetric *m) {
    int64_t at;
    if (m->has_name && m->name.len) return map_get(&u->by_name, sp_str(m->name), &at) ? &u->slots[at] : NULL;
    if (!m->has_alias || !n->alias_cap) return NULL;
    const Alias *a = alias_place(n, m->alias);
    return a->unit == u ? &u->slots[a->slot] : NULL;
}

// ---- values --------------------------------------------------------------------------------------------------------

static void emit(SpHost *h, SpUnit *u, SpSlot *s, const SosiaValue *v, int64_t time_ns) {
    if (s->property.n) h->ops.point(h->ctx, u, s, v, time_ns);
}

static void emit_role(SpHost *h, SpUnit *u, SpRole role, SosiaValue v, int64_t now) {
    for (int32_t i = 0; i < u->count && u->slots[i].role != SP_METRIC; i++)
        if (u->slots[i].role == role) emit(h, u, &u->slots[i], &v, now);
}

static void emit_time(SpHost *h, SpUnit *u, SpRole role, int64_t ns, int64_t now) {
    Buf b = {0};
    time_print(ns, 3, &b);
    emit_role(h, u, role, (SosiaValue){.kind = SOSIA_TEXT, .s = buf_str(&b)}, now);
    buf_free(&b);
}

// Alive, or stale since `at_ns`: the twin tells.
static void set_online(SpHost *h, SpUnit *u, bool online, int64_t at_ns, int64_t now) {
    u->online = online, u->stale_ns = online ? 0 : at_ns;
    emit_role(h, u, SP_ONLINE, (SosiaValue){.kind = SOSIA_BOOL, .b = online}, now);
    if (online) emit_role(h, u, SP_STALE_SINCE, (SosiaValue){.kind = SOSIA_NONE}, now);
    else emit_time(h, u, SP_STALE_SINCE, at_ns, now);
}

// The value of a slot as the engine takes it. False: it was said what is wrong.
static bool value_of(SpHost *h, SpSlot *s, const SpMetric *m, SosiaValue *out, const char **why) {
    SpValue v;
    bool null = m->has_is_null && m->is_null;
    if (s->tree && !null && m->value_case == SP__METRIC__VALUE_TEMPLATE_VALUE) {
        Buf b = {0};
        *why = NULL;
        Err e = sparkplug_tree_update(s->tree, m->template_value, &h->call, why);
        if (e != ERR_OK) h->stats.unknown_metrics++;
        sparkplug_tree_put(s->tree, &b);
        *out = (SosiaValue){.kind = SOSIA_JSON, .s = arena_str(&h->call, buf_str(&b))};
        buf_free(&b);
        if (str_eq(s->schema, STR("string"))) out->kind = SOSIA_TEXT;
        return true;
    }
    if (sparkplug_value(m, s->type, &h->call, &v, why) != ERR_OK) return false;
    switch (v.form) {
    case SP_NULL: *out = (SosiaValue){.kind = SOSIA_NONE}; break;
    case SP_BOOL: *out = (SosiaValue){.kind = SOSIA_BOOL, .b = v.b}; break;
    case SP_I64: *out = (SosiaValue){.kind = SOSIA_I64, .i = v.i}; break;
    case SP_U64:
        if (!str_eq(s->schema, STR("string"))) return *why = "the number is beyond 2^63 - 1", false;
        *out = (SosiaValue){.kind = SOSIA_TEXT, .s = arena_printf(&h->call, "%llu", (unsigned long long)v.u)};
        break;
    case SP_F64: *out = (SosiaValue){.kind = SOSIA_F64, .d = v.d}; break;
    case SP_STR: *out = (SosiaValue){.kind = SOSIA_TEXT, .s = v.s}; break;
    case SP_JSON: *out = (SosiaValue){.kind = SOSIA_JSON, .s = v.s}; break;
    }
    if (v.form == SP_I64 && str_eq(s->schema, STR("string")))
        *out = (SosiaValue){.kind = SOSIA_TEXT, .s = arena_printf(&h->call, "%lld", (long long)v.i)};
    if (v.form == SP_JSON && str_eq(s->schema, STR("string"))) out->kind = SOSIA_TEXT;
    return true;
}

static int64_t time_of(const SpPayload *p, const SpMetric *m, int64_t now) {
    if (m->has_timestamp && m->timestamp && m->timestamp <= MS_MAX) return NS_OF_MS(m->timestamp);
    if (p->has_timestamp && p->timestamp && p->timestamp <= MS_MAX) return NS_OF_MS(p->timestamp);
    return now;
}

// ---- births --------------------------------------------------------------------------------------------------------

typedef struct Context {
    SpHost *h;
    Str topic, bytes;
    const SpPayload *p;
    int64_t now;
} Context;

static void wrong(const Context *c, const char *why) { c->h->ops.wrong(c->h->ctx, c->topic, c->bytes, why); }

// "unit C, -40 to 85" of the properties a metric was born with.
static Str describe(const SpPropertySet *s, Arena *arena) {
    static const char *const keys[] = {"engUnit", "engLow", "engHigh"};
    Str found[3] = {{0}};
    for (size_t i = 0; s && i < s->n_keys && i < s->n_values; i++)
        for (int k = 0; k < 3; k++) {
            SpValue v;
            Buf b = {0};
            if (!str_eq(sp_str(s->keys[i]), str_of(keys[k]))) continue;
            if (sparkplug_property(s->values[i], &v, arena, NULL) != ERR_OK || v.form == SP_NULL) continue;
            if (v.form == SP_STR) buf_str_put(&b, v.s);
            else sparkplug_put_json(&v, &b);
            found[k] = arena_str(arena, buf_str(&b));
            buf_free(&b);
        }
    bool range = found[1].n && found[2].n;
    if (!found[0].n && !range) return (Str){0};
    return arena_printf(arena, "%s%.*s%s%.*s%s%.*s", found[0].n ? "unit " : "", STR_ARG(found[0]),
                        range ? found[0].n ? ", " : "" : "", range ? (int)found[1].n : 0, found[1].p ? found[1].p : "",
                        range ? " to " : "", range ? (int)found[2].n : 0, found[2].p ? found[2].p : "");
}

static bool read_only(const SpPropertySet *s) {
    for (size_t i = 0; s && i < s->n_keys && i < s->n_values; i++)
        if (str_eq_nocase(sp_str(s->keys[i]), STR("readOnly")) &&
            s->values[i]->value_case == SP__PROPERTY_VALUE__VALUE_BOOLEAN_VALUE && s->values[i]->boolean_value)
            return true;
    return false;
}

static const SpDataSet *columns_of(const SpDataSet *s, Arena *arena) {
    int64_t n = (int64_t)(s->n_columns < s->n_types ? s->n_columns : s->n_types);
    SpDataSet *like = sparkplug_new_dataset(arena, n, 0);
    for (int64_t i = 0; i < n; i++) {
        like->columns[i] = sp_bytes(arena_str(arena, sp_str(s->columns[i])));
        like->types[i] = s->types[i];
    }
    return like;
}

static const SpTemplate *definition_of(const SpNode *n, Str ref) {
    for (int32_t i = 0; i < n->template_count; i++)
        if (str_eq(n->template_names[i], ref)) return n->templates[i];
    return NULL;
}

static bool is_definition(const SpMetric *m) {
    return m->value_case == SP__METRIC__VALUE_TEMPLATE_VALUE && m->template_value->has_is_definition &&
           m->template_value->is_definition;
}

static SpSlot *add_role(SpUnit *u, SpRole role, const char *name, const char *schema) {
    SpSlot *s = &u->slots[u->count++];
    *s = (SpSlot){.role = role, .field = str_of(name), .schema = str_of(schema)};
    return s;
}

static void add_roles(SpUnit *u) {
    add_role(u, SP_ONLINE, "online", "boolean");
    add_role(u, SP_STALE_SINCE, "staleSince", "dateTime");
    add_role(u, SP_ID_GROUP, "group", "string");
    add_role(u, SP_ID_NODE, "node", "string");
    if (u->device.n) add_role(u, SP_ID_DEVICE, "device", "string");
}

// A metric of a birth as a slot. NULL: it was said why not.
static SpSlot *add_slot(const Context *c, SpUnit *u, const SpMetric *m) {
    static const char *const ours[] = {"online", "staleSince", "group", "node", "device"};
    Str name = arena_str(&u->arena, sp_str(m->name));
    int64_t at;
    if (!m->has_name || !name.n) return wrong(c, "a metric is born without a name"), NULL;
    if (!str_utf8_ok(name)) return wrong(c, "the name of a metric is no UTF-8"), NULL;
    if (map_get(&u->by_name, name, &at)) return wrong(c, "a metric is born twice"), NULL;
    SpSlot s = {.name = name, .field = name, .type = m->datatype};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (str_eq(name, str_of(ours[i]))) s.field = arena_printf(&u->arena, "metric/%.*s", STR_ARG(name));
    if (s.type == SP_TEMPLATE && m->value_case == SP__METRIC__VALUE_TEMPLATE_VALUE)
        s.tree = sparkplug_tree(definition_of(u->node, sp_str(m->template_value->template_ref)), m->template_value,
                                &u->arena);
    s.schema = sparkplug_schema(m, s.type, s.tree, &u->arena);
    if (!s.schema.n) {
        sparkplug_tree_free(s.tree);
        return wrong(c, "a metric is born without a known data type"), NULL;
    }
    if (m->value_case == SP__METRIC__VALUE_DATASET_VALUE) s.like = columns_of(m->dataset_value, &u->arena);
    s.description = describe(m->properties, &u->arena);
    s.writable = !read_only(m->properties);
    s.has_alias = m->has_alias, s.alias = m->alias;
    u->slots[u->count] = s;
    map_put(&u->by_name, name, u->count);
    if (s.has_alias) alias_put(u->node, s.alias, u, u->count);
    return &u->slots[u->count++];
}

static void add_template(const Context *c, SpNode *n, const SpMetric *m) {
    // The payload's arena ends with the message: a copy through bytes lives with the node's birth.
    Arena *keep = &n->unit->arena;
    SpPayload *one = sparkplug_new(&c->h->call, 0);
    const SpPayload *copy;
    Buf b = {0};
    one->metrics[0] = (SpMetric *)(uintptr_t)m, one->n_metrics = 1;
    if (sparkplug_encode(one, &b) == ERR_OK && sparkplug_decode(buf_str(&b), keep, &copy, NULL) == ERR_OK) {
        n->template_names[n->template_count] = sp_str(copy->metrics[0]->name);
        n->templates[n->template_count++] = copy->metrics[0]->template_value;
    }
    buf_free(&b);
}

// Definitions come first: instances of the same message name them.
static void take_templates(const Context *c, SpNode *n) {
    int64_t count = 0;
    for (size_t i = 0; i < c->p->n_metrics; i++) count += is_definition(c->p->metrics[i]);
    n->template_count = 0;
    n->templates = NEW(&n->unit->arena, SpTemplate *, count + 1);
    n->template_names = NEW(&n->unit->arena, Str, count + 1);
    for (size_t i = 0; i < c->p->n_metrics; i++)
        if (is_definition(c->p->metrics[i])) add_template(c, n, c->p->metrics[i]);
}

static void emit_metric(const Context *c, SpUnit *u, SpSlot *s, const SpMetric *m) {
    SosiaValue v;
    const char *why = "the value cannot be read";
    c->h->stats.metrics++;
    if (!value_of(c->h, s, m, &v, &why)) {
        wrong(c, why);
        return;
    }
    emit(c->h, u, s, &v, time_of(c->p, m, c->now));
}

// Slots of all metrics, then the connection's twin, then the values.
static void unit_born(const Context *c, SpUnit *u) {
    int32_t *slot_of = NEW(&c->h->call, int32_t, c->p->n_metrics + 1);
    int64_t n = (int64_t)c->p->n_metrics, instances = 0;
    if (n > SPARKPLUG_METRICS_MAX) wrong(c, "a birth of too many metrics: those beyond the limit are left out");
    if (n > SPARKPLUG_METRICS_MAX) n = SPARKPLUG_METRICS_MAX;
    u->slots = NEW(&u->arena, SpSlot, n + 8);
    add_roles(u);
    for (int64_t i = 0; i < n; i++) {
        const SpMetric *m = c->p->metrics[i];
        SpSlot *s = is_definition(m) ? NULL : add_slot(c, u, m);
        slot_of[i] = s ? (int32_t)(s - u->slots) : -1;
        if (s && s->tree && instances++ == 0) u->template = s->tree->ref;
    }
    if (instances != 1) u->template = (Str){0};
    u->born = true;
    c->h->stats.births++;
    if (!c->h->ops.born(c->h->ctx, u)) return;
    set_online(c->h, u, true, 0, c->now);
    emit_role(c->h, u, SP_ID_GROUP, (SosiaValue){.kind = SOSIA_TEXT, .s = u->group}, c->now);
    emit_role(c->h, u, SP_ID_NODE, (SosiaValue){.kind = SOSIA_TEXT, .s = u->name}, c->now);
    emit_role(c->h, u, SP_ID_DEVICE, (SosiaValue){.kind = SOSIA_TEXT, .s = u->device}, c->now);
    for (int64_t i = 0; i < n; i++)
        if (slot_of[i] >= 0) emit_metric(c, u, &u->slots[slot_of[i]], c->p->metrics[i]);
    if (u->device.n && c->h->ops.linked) c->h->ops.linked(c->h->ctx, u, u->node->unit);
}

static bool bdseq_of(const SpPayload *p, uint64_t *out) {
    for (size_t i = 0; i < p->n_metrics; i++) {
        const SpMetric *m = p->metrics[i];
        if (!str_eq(sp_str(m->name), BDSEQ)) continue;
        if (m->value_case == SP__METRIC__VALUE_LONG_VALUE) return *out = m->long_value, true;
        if (m->value_case == SP__METRIC__VALUE_INT_VALUE) return *out = m->int_value, true;
    }
    return false;
}

static void early_clear(SpNode *n) {
    for (int32_t i = 0; i < n->early_count; i++) mem_free((void *)(uintptr_t)n->early[i].topic.p);
    n->early_count = 0, n->early_bytes = 0, n->gap_ns = 0;
}

static void node_born(const Context *c, SpNode *n) {
    n->seq_next = (uint32_t)((c->p->seq + 1) & 255);
    n->has_bdseq = bdseq_of(c->p, &n->bdseq);
    n->needs_birth = false, n->ask_again_ns = 0;
    early_clear(n);
    mem_free(n->aliases);
    n->aliases = NULL, n->alias_cap = n->alias_count = 0;
    unit_clear(n->unit);
    for (int64_t i = 0; i < n->device_count; i++) n->devices[i]->born = false; // their births follow
    n->confirm_ns = n->device_count ? c->now + SPARKPLUG_CONFIRM_NS : 0;
    take_templates(c, n);
    unit_born(c, n->unit);
}

static void device_born(const Context *c, SpNode *n, Str device) {
    SpUnit *u = get_device(c->h, n, device);
    if (!u) {
        wrong(c, "too many nodes and devices");
        return;
    }
    alias_drop(n, u);
    unit_clear(u);
    unit_born(c, u);
}

// ---- rebirth -------------------------------------------------------------------------------------------------------

void sparkplug_host_rebirth(SpHost *h, SpNode *n, int64_t now) {
    SpPayload *p = sparkplug_new(&h->call, 1);
    SpMetric *m = p->metrics[0];
    Buf topic = {0}, bytes = {0};
    p->has_timestamp = true, p->timestamp = (uint64_t)(now / NS_PER_MS);
    m->has_name = true, m->name = sp_bytes(STR("Node Control/Rebirth"));
    m->has_timestamp = true, m->timestamp = p->timestamp;
    m->has_datatype = true, m->datatype = SP_BOOLEAN;
    m->value_case = SP__METRIC__VALUE_BOOLEAN_VALUE, m->boolean_value = true;
    CHECK(sparkplug_encode(p, &bytes) == ERR_OK);
    put_topic(&topic, n->unit, "CMD");
    h->ops.publish(h->ctx, buf_str(&topic), buf_str(&bytes), 0, false);
    h->stats.rebirths++;
    buf_free(&topic), buf_free(&bytes);
}

// A birth is needed: ask, unless it was asked lately.
static void need_birth(SpHost *h, SpNode *n, int64_t now) {
    if (!h->config.ask) return;
    if (!n->needs_birth) n->needs_birth = true;
    if (!h->up || (n->asked_ns && now - n->asked_ns < SPARKPLUG_REBIRTH_NS)) return;
    n->asked_ns = now;
    n->ask_again_ns = n->ask_again_ns ? 2 * n->ask_again_ns : SPARKPLUG_REBIRTH_NS;
    if (n->ask_again_ns > SPARKPLUG_REBIRTH_NS_MAX) n->ask_again_ns = SPARKPLUG_REBIRTH_NS_MAX;
    sparkplug_host_rebirth(h, n, now);
}

// ---- deaths --------------------------------------------------------------------------------------------------------

static void unit_dies(SpHost *h, SpUnit *u, int64_t at_ns, int64_t now) {
    if (u->online) set_online(h, u, false, at_ns, now);
    u->born = false;
}

static void node_dies(SpHost *h, SpNode *n, int64_t now) {
    h->stats.deaths++;
    unit_dies(h, n->unit, now, now);
    for (int64_t i = 0; i < n->device_count; i++) unit_dies(h, n->devices[i], now, now);
    early_clear(n);
    n->needs_birth = false, n->confirm_ns = 0, n->asked_ns = 0, n->ask_again_ns = 0;
}

static void ndeath(const Context *c, SpNode *n) {
    uint64_t bdseq;
    bool has = bdseq_of(c->p, &bdseq);
    if (has && n->has_bdseq && bdseq != n->bdseq) return; // the will of a connection before the present birth
    if (!has) wrong(c, "a death of a node without bdSeq");
    if (n->unit->online || n->unit->born) node_dies(c->h, n, c->now);
}

// ---- data ----------------------------------------------------------------------------------------------------------

static void take_data(const Context *c, SpNode *n, SpUnit *u) {
    bool unknown = false;
    c->h->stats.data++;
    for (size_t i = 0; i < c->p->n_metrics; i++) {
        const SpMetric *m = c->p->metrics[i];
        SpSlot *s = find_slot(n, u, m);
        if (s) emit_metric(c, u, s, m);
        else c->h->stats.unknown_metrics++, unknown = true;
    }
    if (!unknown) return;
    wrong(c, "data of a metric that was not in the birth");
    need_birth(c->h, n, c->now);
}

// A message whose turn it is.
static void in_turn(const Context *c, SpNode *n, const Topic *t) {
    n->seq_next = (uint32_t)((c->p->seq + 1) & 255);
    if (t->verb == DBIRTH) {
        device_born(c, n, t->device);
        return;
    }
    SpUnit *u = t->device.n ? find_device(n, t->device) : n->unit;
    if (t->verb == DDEATH) {
        c->h->stats.deaths++;
        int64_t at = c->p->has_timestamp && c->p->timestamp <= MS_MAX ? NS_OF_MS(c->p->timestamp) : c->now;
        if (u) unit_dies(c->h, u, at, c->now);
        return;
    }
    if (u && u->born) {
        take_data(c, n, u);
        return;
    }
    c->h->stats.before_birth++;
    wrong(c, "data before a birth");
    need_birth(c->h, n, c->now);
}

static void deliver_early(SpHost *h, SpNode *n, bool all, int64_t now);

static void keep_early(const Context *c, SpNode *n) {
    uint32_t seq = (uint32_t)c->p->seq;
    for (int32_t i = 0; i < n->early_count; i++)
        if (n->early[i].seq == seq) return; // said twice
    if (n->early_count == SPARKPLUG_EARLY_MAX || n->early_bytes + c->bytes.n > SPARKPLUG_EARLY_BYTES_MAX) {
        c->h->stats.gaps++;
        deliver_early(c->h, n, true, c->now);
        need_birth(c->h, n, c->now);
        return;
    }
    char *p = mem_alloc((size_t)(c->topic.n + c->bytes.n + 1));
    memcpy(p, c->topic.p, (size_t)c->topic.n);
    if (c->bytes.n) memcpy(p + c->topic.n, c->bytes.p, (size_t)c->bytes.n);
    n->early[n->early_count++] = (Early){{p, c->topic.n}, {p + c->topic.n, c->bytes.n}, seq};
    n->early_bytes += c->bytes.n;
    if (!n->gap_ns) n->gap_ns = c->now;
}

// Messages that carry a sequence number, in its order.
static void in_sequence(const Context *c, SpNode *n, const Topic *t) {
    if (!c->p->has_seq || c->p->seq > 255) {
        wrong(c, "a message without a sequence number of 0 to 255");
        need_birth(c->h, n, c->now);
        return;
    }
    if (c->p->seq == n->seq_next) {
        in_turn(c, n, t);
        if (n->early_count) deliver_early(c->h, n, false, c->now);
        return;
    }
    if (c->h->config.reorder_ns > 0) {
        keep_early(c, n);
        return;
    }
    c->h->stats.gaps++;
    in_turn(c, n, t);
    need_birth(c->h, n, c->now);
}

// The waiting message next in turn: the one of seq_next, or (all) the one nearest behind it. -1: none.
static int32_t next_early(const SpNode *n, bool all) {
    int32_t best = -1;
    uint32_t least = 256;
    for (int32_t i = 0; i < n->early_count; i++) {
        uint32_t far = (n->early[i].seq - n->seq_next) & 255;
        if (far < least && (all || far == 0)) least = far, best = i;
    }
    return best;
}

static void deliver_early(SpHost *h, SpNode *n, bool all, int64_t now) {
    for (int32_t i; (i = next_early(n, all)) >= 0;) {
        Early e = n->early[i];
        n->early[i] = n->early[--n->early_count];
        n->early_bytes -= e.payload.n;
        Context c = {.h = h, .topic = e.topic, .bytes = e.payload, .now = now};
        Topic t;
        if (sparkplug_decode(e.payload, &h->call, &c.p, NULL) == ERR_OK && topic_of(e.topic, &t)) in_turn(&c, n, &t);
        if (!all) h->stats.reordered++;
        mem_free((void *)(uintptr_t)e.topic.p);
    }
    n->gap_ns = n->early_count ? n->gap_ns : 0;
}

// ---- messages ------------------------------------------------------------------------------------------------------

void sparkplug_state_topic(Str host_id, Buf *out) { buf_printf(out, "spBv1.0/STATE/%.*s", STR_ARG(host_id)); }

void sparkplug_state(bool online, int64_t now, Buf *out) {
    buf_printf(out, "{\"online\":%s,\"timestamp\":%lld}", online ? "true" : "false", (long long)(now / NS_PER_MS));
}

static void publish_online(SpHost *h) {
    Buf topic = {0}, payload = {0};
    sparkplug_state_topic(h->config.host_id, &topic);
    sparkplug_state(true, h->will_ns, &payload);
    h->ops.publish(h->ctx, buf_str(&topic), buf_str(&payload), 1, true);
    buf_free(&topic), buf_free(&payload);
}

static void state_message(SpHost *h, Str topic, Str host, Str payload) {
    Json v;
    if (!str_eq(host, h->config.host_id)) return;
    h->stats.states++;
    if (json_parse(payload, NULL, &h->call, &v, NULL) != ERR_OK || !json_get(&v, STR("online"))) {
        h->ops.wrong(h->ctx, topic, payload, "a STATE message that is none");
        return;
    }
    if (json_get(&v, STR("online"))->type == JSON_FALSE && h->up) publish_online(h); // we are, whoever said so
}

void sparkplug_host_message(SpHost *h, Str topic, Str payload, bool retain, int64_t now) {
    Context c = {.h = h, .topic = topic, .bytes = payload, .now = now};
    Topic t;
    Diag d;
    arena_reset(&h->call);
    if (!topic_of(topic, &t)) {
        wrong(&c, "no topic of Sparkplug B");
        return;
    }
    if (t.verb == NCMD || t.verb == DCMD) return;
    if (t.verb == STATE) {
        state_message(h, topic, t.node, payload);
        return;
    }
    if (retain) {
        wrong(&c, "a retained message: it may be of long ago");
        return;
    }
    diag_init(&d);
    if (sparkplug_decode(payload, &h->call, &c.p, &d) != ERR_OK) {
        wrong(&c, arena_str(&h->call, d.messages[0].text).p);
        diag_free(&d);
        return;
    }
    SpNode *n = get_node(h, t.group, t.node);
    if (!n) wrong(&c, "too many nodes and devices");
    else if (t.verb == NDEATH) ndeath(&c, n);
    else if (t.verb == NBIRTH && (!c.p->has_seq || c.p->seq > 255)) wrong(&c, "a birth without a sequence number");
    else if (t.verb == NBIRTH) node_born(&c, n);
    else if (n->unit->born) in_sequence(&c, n, &t);
    else {
        h->stats.before_birth++;
        wrong(&c, "a message before the birth of its node");
        need_birth(h, n, now);
    }
}

// ---- time ----------------------------------------------------------------------------------------------------------

static void confirm(SpHost *h, SpNode *n, int64_t now) {
    n->confirm_ns = 0;
    if (!n->unit->born) node_dies(h, n, now);
    for (int64_t i = 0; i < n->device_count; i++)
        if (!n->devices[i]->born) unit_dies(h, n->devices[i], now, now);
}

void sparkplug_host_tick(SpHost *h, int64_t now) {
    arena_reset(&h->call);
    for (int64_t i = 0; h->up && i < h->node_count; i++) {
        SpNode *n = h->nodes[i];
        if (n->gap_ns && now - n->gap_ns >= h->config.reorder_ns) {
            h->stats.gaps++;
            deliver_early(h, n, true, now);
            need_birth(h, n, now);
        }
        if (n->confirm_ns && now >= n->confirm_ns) confirm(h, n, now);
        if (n->needs_birth && now - n->asked_ns >= n->ask_again_ns) need_birth(h, n, now);
    }
}

void sparkplug_host_up(SpHost *h, int64_t will_time_ns, int64_t now) {
    arena_reset(&h->call);
    h->up = true, h->will_ns = will_time_ns;
    publish_online(h);
    for (int64_t i = 0; h->config.ask && i < h->node_count; i++) {
        SpNode *n = h->nodes[i];
        n->asked_ns = 0, n->ask_again_ns = 0;
        if (!n->unit->online) { // it may have come back while we were away: one question, no answer expected
            sparkplug_host_rebirth(h, n, now);
            if (n->confirm_ns) n->confirm_ns = now + SPARKPLUG_CONFIRM_NS; // devices that were online
            continue;
        }
        n->unit->born = false; // what was missed meanwhile is not known
        n->confirm_ns = now + SPARKPLUG_CONFIRM_NS;
        need_birth(h, n, now);
    }
}

void sparkplug_host_down(SpHost *h) {
    h->up = false;
    for (int64_t i = 0; i < h->node_count; i++) early_clear(h->nodes[i]);
}

void sparkplug_host_remember(SpHost *h, Str group, Str node, Str device, int64_t now) {
    arena_reset(&h->call);
    SpNode *n = get_node(h, group, node);
    SpUnit *u = n && device.n ? get_device(h, n, device) : n ? n->unit : NULL;
    if (!h->config.ask || !u || u->count) return; // nobody would be asked, so silence says nothing
    u->slots = NEW(&u->arena, SpSlot, 8);
    add_roles(u);
    u->online = h->ops.born(h->ctx, u);
    if (u->online) n->confirm_ns = now + SPARKPLUG_CONFIRM_NS;
}

// ---- the whole -----------------------------------------------------------------------------------------------------

SpHost *sparkplug_host_new(const SpHostConfig *c, const SpHostOps *ops, void *ctx) {
    SpHost *h = mem_alloc(sizeof *h);
    arena_init(&h->arena, 0), arena_init(&h->call, 0);
    h->config = *c;
    h->config.host_id = arena_str(&h->arena, c->host_id);
    h->config.node_twin = arena_str(&h->arena, c->node_twin);
    h->config.device_twin = arena_str(&h->arena, c->device_twin);
    h->ops = *ops, h->ctx = ctx;
    return h;
}

void sparkplug_host_free(SpHost *h) {
    if (!h) return;
    for (int64_t i = 0; i < h->node_count; i++) {
        SpNode *n = h->nodes[i];
        early_clear(n);
        for (int64_t k = 0; k < n->device_count; k++) unit_free(n->devices[k]);
        unit_free(n->unit);
        map_free(&n->by_device);
        mem_free(n->devices), mem_free(n->aliases), mem_free(n);
    }
    map_free(&h->by_node), map_free(&h->by_twin);
    mem_free(h->nodes);
    arena_free(&h->arena), arena_free(&h->call);
    mem_free(h);
}

const SpHostStats *sparkplug_host_stats(const SpHost *h) { return &h->stats; }

void sparkplug_host_count(const SpHost *h, int64_t *units, int64_t *online) {
    *units = h->unit_count, *online = 0;
    for (int64_t i = 0; i < h->node_count; i++) {
        *online += h->nodes[i]->unit->online;
        for (int64_t k = 0; k < h->nodes[i]->device_count; k++) *online += h->nodes[i]->devices[k]->online;
    }
}

// ---- commands ------------------------------------------------------------------------------------------------------

static const SpSlot *slot_of_property(const SpUnit *u, Str property) {
    for (int32_t i = 0; i < u->count; i++)
        if (u->slots[i].role == SP_METRIC && str_eq(u->slots[i].property, property)) return &u->slots[i];
    for (int32_t i = 0; i < u->count; i++) // by the name the source gives it
        if (u->slots[i].role == SP_METRIC && str_eq(u->slots[i].name, property)) return &u->slots[i];
    return NULL;
}

static Err write_metric(const SpSlot *s, const Json *v, Arena *a, SpMetric *m, const char **why) {
    // By alias where the birth gave one; never both (payloads-alias-data-cmd-requirement).
    if (s->has_alias) m->has_alias = true, m->alias = s->alias;
    else m->has_name = true, m->name = sp_bytes(s->name);
    if (s->type == SP_TEMPLATE && s->tree && v->type != JSON_NULL) {
        m->has_datatype = true, m->datatype = s->type;
        m->value_case = SP__METRIC__VALUE_TEMPLATE_VALUE;
        return sparkplug_tree_set(s->tree, v, a, &m->template_value, why);
    }
    if (s->type == SP_DATASET && s->like && v->type != JSON_NULL) {
        m->has_datatype = true, m->datatype = s->type;
        m->value_case = SP__METRIC__VALUE_DATASET_VALUE;
        return sparkplug_dataset_set(s->like, v, a, &m->dataset_value, why);
    }
    return sparkplug_set(m, s->type, v, a, why);
}

Err sparkplug_command(const SpUnit *u, const Json *values, int64_t now, Buf *topic, Buf *payload, Buf *why) {
    Arena a;
    Err err = ERR_OK;
    if (!u->online || !u->count) return buf_printf(why, "it is not online"), ERR_DEVICE_OFFLINE;
    if (values->type != JSON_OBJECT || values->count == 0)
        return buf_printf(why, "\"values\" is no object of properties"), ERR_VALIDATION;
    arena_init(&a, 0);
    SpPayload *p = sparkplug_new(&a, values->count);
    p->has_timestamp = true, p->timestamp = (uint64_t)(now / NS_PER_MS);
    for (int32_t i = 0; i < values->count && err == ERR_OK; i++) {
        Str name = values->members[i].key;
        const SpSlot *s = slot_of_property(u, name);
        const char *text = NULL;
        if (!s) text = "there is no such metric", err = ERR_VALIDATION;
        else if (!s->writable) text = "the metric is read-only", err = ERR_VALIDATION;
        else err = write_metric(s, &values->members[i].value, &a, p->metrics[i], &text);
        p->metrics[i]->has_timestamp = true, p->metrics[i]->timestamp = p->timestamp;
        if (err) buf_printf(why, "%.*s: %s", STR_ARG(name), text ? text : "it cannot be written");
    }
    if (err == ERR_OK) err = sparkplug_encode(p, payload);
    put_topic(topic, u, "CMD");
    arena_free(&a);
    return err;
}
