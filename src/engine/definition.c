// SPDX-License-Identifier: Apache-2.0
#include "engine/definition.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/time.h"
#include "engine/document.h"
#include "engine/run.h"
#include "engine/derive.h"
#include "engine/whatif.h"

static Err wrong(Diag *d, const Json *at, const char *text) {
    return diag_add(d, ERR_ARGUMENT, at->at, -1, (Str){0}, "%s", text);
}

// ---- members ------------------------------------------------------------------------------------------------------

typedef struct TextMember {
    const char *name;
    Str *to;
} TextMember;

// Take the texts of an object. Members it does not know, and that are not among the `others`, are refused.
static Err take_texts(const Json *v, const TextMember *texts, int n, const char *others, Diag *d) {
    for (int32_t i = 0; i < v->count; i++) {
        const JsonMember *m = &v->members[i];
        int k = 0;
        while (k < n && !str_eq(str_of(texts[k].name), m->key)) k++;
        if (k < n && m->value.type == JSON_STRING) {
            *texts[k].to = m->value.s;
        } else {
            char key[64];
            snprintf(key, sizeof key, " %.*s ", m->key.n < 60 ? (int)m->key.n : 60, m->key.p);
            if (k == n && strstr(others, key)) continue;
            return diag_add(d, ERR_ARGUMENT, m->value.at, -1, (Str){0}, "\"%.*s\" is not a member here, or not a text",
                            STR_ARG(m->key));
        }
    }
    return ERR_OK;
}

static bool duration(Str s, int64_t *out) {
    return (time_parse_period(s, out) || time_parse_duration(s, out)) && *out >= 0;
}

static Err take_duration(const Json *v, Str s, int64_t *out, Diag *d) {
    *out = 0;
    return !s.n || duration(s, out) ? ERR_OK : wrong(d, v, "a length of time is said as \"P7D\", \"PT2H\" or \"15m\"");
}

// ---- what is counted ----------------------------------------------------------------------------------------------

static int choice(Str s, const char *const *of, int n) {
    for (int i = 0; i < n; i++)
        if (str_eq(s, str_of(of[i]))) return i;
    return -1;
}

Err kpi_of(const Json *v, Str name, Kpi *out, Diag *d) {
    static const char *const overs[] = {"last", "mean", "min", "max", "integral"};
    static const char *const betters[] = {"less", "", "more"};
    *out = (Kpi){.name = name};
    if (v->type != JSON_OBJECT) return wrong(d, v, "a KPI is an object");
    Str over = STR("last"), better = {0}, same = {0};
    const TextMember texts[] = {
        {"title", &out->title}, {"unit", &out->unit}, {"twin", &out->twin}, {"expression", &out->expression},
        {"of", &out->of},       {"over", &over},      {"better", &better},  {"name", &same}};
    TRY(take_texts(v, texts, 8, "", d));
    int o = choice(over, overs, 5), b = choice(better, betters, 3);
    if (!out->twin.n || !out->expression.n) return wrong(d, v, "a KPI needs a \"twin\" and an \"expression\" of it");
    if (o < 0) return wrong(d, v, "\"over\" is last, mean, min, max or integral");
    if (b < 0) return wrong(d, v, "\"better\" is more or less");
    out->over = (KpiOver)o;
    out->better = b - 1;
    return ERR_OK;
}

// The expression fits the twin as it is.
static Err kpi_check(const Realm *r, const View *v, const Json *json, Str name, Diag *d) {
    (void)r;
    Kpi k;
    View look = *v;
    TRY(kpi_of(json, name, &k, d));
    TwinId id = view_find_twin(&look, k.twin);
    if (!id.v)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, k.twin, "there is no twin with the id \"%.*s\"",
                        STR_ARG(k.twin));
    RatesAsk ask = {
        .name = name, .twin = id.v, .text = k.expression, .unit = k.unit, .integral = k.over == KPI_INTEGRAL};
    return rates_watch_check(v->catalog, (int32_t)view_twin_place(&look, id).table, &ask, d);
}

// ---- what may be tried --------------------------------------------------------------------------------------------

static Err change_of(const Json *v, PlannedChange *out, Diag *d) {
    Str at = {0};
    *out = (PlannedChange){.value = NULL};
    if (v->type != JSON_OBJECT) return wrong(d, v, "a change is {\"at\",\"twin\",\"property\",\"value\"}");
    const TextMember texts[] = {{"at", &at}, {"twin", &out->twin}, {"property", &out->property}};
    out->value = json_get(v, STR("value"));
    TRY(take_texts(v, texts, 3, " value ", d));
    if (!out->twin.n || !out->property.n || !out->value)
        return wrong(d, v, "a change needs a \"twin\", a \"property\" and a \"value\" (null takes it away)");
    return take_duration(v, at, &out->at_ns, d);
}

static int earlier(const void *x, const void *y) {
    const PlannedChange *a = x, *b = y;
    if (a->at_ns != b->at_ns) return a->at_ns < b->at_ns ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static Err changes_of(Arena *a, const Json *list, Whatif *out, Diag *d) {
    if (list->type != JSON_ARRAY || list->count > WHATIF_CHANGES_MAX)
        return diag_add(d, ERR_ARGUMENT, list->at, -1, (Str){0}, "\"changes\" is a list of at most %d",
                        WHATIF_CHANGES_MAX);
    out->changes = NEW(a, PlannedChange, list->count + 1);
    for (int32_t i = 0; i < list->count; i++) {
        TRY(change_of(&list->items[i], &out->changes[i], d));
        out->changes[i].index = i;
    }
    out->change_count = list->count;
    if (list->count) qsort(out->changes, (size_t)list->count, sizeof *out->changes, earlier);
    return ERR_OK;
}

Err whatif_changes(Arena *a, const Json *list, Whatif *out, Diag *d) {
    *out = (Whatif){.changes = NULL};
    return changes_of(a, list, out, d);
}

static Err kpis_of(Arena *a, const Json *list, Whatif *out, Diag *d) {
    if (list->type != JSON_ARRAY) return wrong(d, list, "\"kpis\" is a list of names");
    out->kpis = NEW(a, Str, list->count + 1);
    for (int32_t i = 0; i < list->count; i++) {
        if (list->items[i].type != JSON_STRING) return wrong(d, list, "\"kpis\" is a list of names");
        out->kpis[i] = list->items[i].s;
    }
    out->kpi_count = list->count;
    return ERR_OK;
}

Err whatif_of(Arena *a, const Json *v, Str name, Whatif *out, Diag *d) {
    *out = (Whatif){.name = name};
    if (v->type != JSON_OBJECT) return wrong(d, v, "a what-if is an object");
    Str length = {0}, output = {0}, same = {0};
    const TextMember texts[] = {{"title", &out->title}, {"about", &out->about}, {"from", &out->from},
                                {"for", &length},       {"output", &output},    {"name", &same}};
    TRY(take_texts(v, texts, 6, " changes kpis seed ", d));
    TRY(take_duration(v, length, &out->for_ns, d));
    TRY(take_duration(v, output, &out->output_ns, d));
    const Json *changes = json_get(v, STR("changes")), *kpis = json_get(v, STR("kpis"));
    const Json *seed = json_get(v, STR("seed"));
    if (seed && (seed->type != JSON_INT || seed->i < 0)) return wrong(d, seed, "\"seed\" is a whole number from 0 on");
    if (seed) out->seed = (uint64_t)seed->i;
    if (changes) TRY(changes_of(a, changes, out, d));
    return kpis ? kpis_of(a, kpis, out, d) : ERR_OK;
}

static Err whatif_check(const Realm *r, const View *v, const Json *json, Str name, Diag *d) {
    (void)r;
    Arena a;
    Whatif w;
    View look = *v;
    arena_init(&a, 4096);
    Err err = whatif_of(&a, json, name, &w, d);
    if (!err && !w.for_ns) err = wrong(d, json, "a what-if says how long it runs: \"for\": \"P7D\"");
    if (!err) err = whatif_fits(&look, &w, d);
    arena_free(&a);
    return err;
}

// ---- all collections ----------------------------------------------------------------------------------------------

typedef struct Collection {
    const char *name, *noun;
    Err (*check)(const Realm *r, const View *v, const Json *json, Str name, Diag *d);
} Collection;

// With the text as it was sent: messages tell places in it.
static Err behaviour_look(const Realm *r, const View *v, const Json *json, Str name, Diag *d) {
    (void)r;
    return behaviour_check(v->catalog, name, json->raw, d);
}

static Err mapping_look(const Realm *r, const View *v, const Json *json, Str name, Diag *d) {
    return mapping_check(v->catalog, r->engine->registry, name, json->raw, d);
}

static Err rule_look(const Realm *r, const View *v, const Json *json, Str name, Diag *d) {
    (void)r;
    return definition_rule_check(v, json, name, d);
}

static const Collection collections[] = {
    {"behaviours", "behaviour", behaviour_look}, {"mappings", "mapping", mapping_look}, {"kpis", "KPI", kpi_check},
    {"whatifs", "what-if", whatif_check},        {"rules", "rule", rule_look},
};

static const Collection *collection_of(Str name) {
    for (size_t i = 0; i < sizeof collections / sizeof *collections; i++)
        if (str_eq(str_of(collections[i].name), name)) return &collections[i];
    return NULL;
}

static Err no_collection(Str name, Diag *d) {
    return diag_add(d, ERR_ARGUMENT, -1, -1, name, "there are no definitions called \"%.*s\"", STR_ARG(name));
}

static Err check(const Realm *r, const View *v, const Collection *k, const Task *c, Str json, Diag *d) {
    int32_t count;
    if (!document_name_ok(c->id, DEFINITION_NAME_MAX))
        return diag_add(d, ERR_ARGUMENT, -1, -1, (Str){0},
                        "the name of a %s is 1 to %d letters, digits, '-', '_' and '.'", k->noun, DEFINITION_NAME_MAX);
    if (c->json.type != JSON_OBJECT) return wrong(d, &c->json, "a definition is a JSON object");
    if (json.n > DEFINITION_BYTES_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, c->id, "a definition has at most %d bytes", DEFINITION_BYTES_MAX);
    (void)catalog_docs(v->catalog, str_of(k->name), &count);
    if (count >= DEFINITIONS_MAX && !catalog_doc(v->catalog, str_of(k->name), c->id))
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "there are at most %d definitions of a %s", DEFINITIONS_MAX,
                        k->noun);
    return k->check(r, v, &c->json, c->id, d);
}

// As it is kept: without its name, which it has beside.
static void compact(const Json *v, Buf *out) {
    buf_byte(out, '{');
    for (int32_t i = 0; i < v->count; i++) {
        if (str_eq(v->members[i].key, STR("name"))) continue;
        if (out->n > 1) buf_byte(out, ',');
        json_put_str(out, v->members[i].key);
        buf_byte(out, ':');
        json_put(out, &v->members[i].value);
    }
    buf_byte(out, '}');
}

Err definition_put(Realm *r, Task *c, Diag *d) {
    View v = view_writer(r->world);
    const Collection *k = collection_of(c->sub);
    if (!k) return no_collection(c->sub, d);
    Buf json = {0};
    if (c->json.type == JSON_OBJECT) compact(&c->json, &json);
    Err err = check(r, &v, k, c, buf_str(&json), d);
    const Doc *was = err ? NULL : catalog_doc(v.catalog, c->sub, c->id);
    c->created = !was;
    if (!err && (!was || !str_eq(was->json, buf_str(&json))))
        err = document_do(r->world, c->sub, c->id, buf_str(&json), d);
    buf_free(&json);
    return err;
}

Err definition_delete(Realm *r, const Task *c, Diag *d) {
    View v = view_writer(r->world);
    const Collection *k = collection_of(c->sub);
    if (!k) return no_collection(c->sub, d);
    if (!c->id.n || !catalog_doc(v.catalog, c->sub, c->id))
        return diag_add(d, ERR_DEFINITION_NOT_FOUND, -1, -1, c->id, "there is no %s \"%.*s\"", k->noun, STR_ARG(c->id));
    return document_do(r->world, c->sub, c->id, (Str){0}, d);
}

Err definition_show(View *v, Str collection, Str id, Buf *out) {
    if (!collection_of(collection)) return ERR_ARGUMENT;
    return document_show(v, collection, id, out) ? ERR_OK : ERR_DEFINITION_NOT_FOUND;
}
