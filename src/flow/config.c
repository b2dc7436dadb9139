// SPDX-License-Identifier: Apache-2.0
#include "flow/config.h"
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "flow/inner.h"

typedef struct Read {
    FlowConfig *c;
    Diag *d;
    Str list, entry; // where it is: nodes, filler
    uint32_t caps[6];
    Arena scratch;
} Read;

enum { CAP_DIST, CAP_NUMBER, CAP_USE, CAP_FAILURE, CAP_SET, CAP_CALENDAR };

static Err wrong(Read *r, Str what, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static Err wrong(Read *r, Str what, const char *fmt, ...) {
    Buf where = {0}, text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    if (r->list.n) buf_printf(&where, "%.*s.%.*s%s", STR_ARG(r->list), STR_ARG(r->entry), what.n ? "." : "");
    buf_str_put(&where, what);
    Err e = diag_add(r->d, ERR_VALIDATION, -1, -1, buf_str(&where), "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&where);
    buf_free(&text);
    return e;
}

// ---- tables --------------------------------------------------------------------------------------------------------

// Room for one more of `count` items in the array.
static void *more(Read *r, int cap, const void *array, uint32_t count, size_t size) {
    void *to = (void *)(uintptr_t)array;
    if (count < r->caps[cap]) return to;
    r->caps[cap] = count ? 2 * count : 16;
    to = arena_alloc(&r->c->keep, (int64_t)size, r->caps[cap], 16);
    if (count) memcpy(to, array, count * size);
    return to;
}

static FlowRef put_dist(Read *r, FlowDist v) {
    FlowDef *d = &r->c->def;
    FlowDist *all = more(r, CAP_DIST, d->dists, d->dist_count, sizeof *all);
    d->dists = all;
    all[d->dist_count] = v;
    return FLOW_REF(d->dist_count++);
}

static void put_number(Read *r, double v) {
    FlowDef *d = &r->c->def;
    double *all = more(r, CAP_NUMBER, d->numbers, d->number_count, sizeof *all);
    d->numbers = all;
    all[d->number_count++] = v;
}

static uint32_t name_of(const Str *names, uint32_t n, Str name) {
    for (uint32_t i = 0; i < n; i++) {
        if (str_eq(names[i], name)) return i;
    }
    return UINT32_MAX;
}

// ---- members -------------------------------------------------------------------------------------------------------

static Err number(Read *r, Str what, const Json *v, double *out) {
    if (!json_is_number(v)) return wrong(r, what, "it must be a number, and it is %s", json_type_name(v->type));
    *out = json_f64(v);
    return ERR_OK;
}

static Err whole(Read *r, Str what, const Json *v, uint32_t *out) {
    if (v->type != JSON_INT || v->i < 0 || v->i > UINT32_MAX)
        return wrong(r, what, "it must be a whole number from 0 on");
    *out = (uint32_t)v->i;
    return ERR_OK;
}

static Err truth(Read *r, Str what, const Json *v, bool *out) {
    if (!json_is_bool(v)) return wrong(r, what, "it must be true or false");
    *out = v->type == JSON_TRUE;
    return ERR_OK;
}

static Err text(Read *r, Str what, const Json *v, Str *out) {
    if (v->type != JSON_STRING || v->s.n == 0) return wrong(r, what, "it must be a text");
    *out = arena_str(&r->c->keep, v->s);
    return ERR_OK;
}

static Err named(Read *r, Str what, const Json *v, const Str *names, uint32_t n, const char *kind, uint32_t *out) {
    Str name = {0};
    TRY(text(r, what, v, &name));
    *out = name_of(names, n, name);
    return *out < n ? ERR_OK : wrong(r, what, "there is no %s \"%.*s\"", kind, STR_ARG(name));
}

static Err one_of(Read *r, Str what, const Json *v, const char *const *words, uint32_t n, uint32_t *out) {
    Buf all = {0};
    if (v->type == JSON_STRING) {
        for (*out = 0; *out < n; ++*out) {
            if (str_eq(v->s, str_of(words[*out]))) return ERR_OK;
        }
    }
    for (uint32_t i = 0; i < n; i++) buf_printf(&all, "%s%s", i ? ", " : "", words[i]);
    Err e = wrong(r, what, "it must be one of %.*s", STR_ARG(buf_str(&all)));
    buf_free(&all);
    return e;
}

// ---- distributions -------------------------------------------------------------------------------------------------

typedef struct DistName {
    const char *name;
    FlowDistKind kind;
    int32_t least, most; // numbers
} DistName;

static const DistName dist_names[] = {
    {"uniform", FLOW_UNIFORM, 2, 2}, {"exponential", FLOW_EXPONENTIAL, 1, 1},
    {"normal", FLOW_NORMAL, 2, 2},   {"lognormal", FLOW_LOGNORMAL, 2, 2},
    {"gamma", FLOW_GAMMA, 2, 2},     {"erlang", FLOW_GAMMA, 2, 2},
    {"weibull", FLOW_WEIBULL, 2, 2}, {"triangular", FLOW_TRIANGULAR, 3, 3},
    {"poisson", FLOW_POISSON, 1, 1}, {"geometric", FLOW_GEOMETRIC, 1, 2},
    {"constant", FLOW_CONST, 1, 1},
};

static Err dist(Read *r, Str what, const Json *v, FlowRef *out);

static Err pairs(Read *r, Str what, const Json *v, FlowRef *out) {
    FlowDist d = {.kind = FLOW_EMPIRICAL, .table = {r->c->def.number_count, 0}};
    if (v->type != JSON_ARRAY || v->count == 0) return wrong(r, what, "it must be a list of [value, weight]");
    for (int32_t i = 0; i < v->count; i++) {
        const Json *p = &v->items[i];
        if (p->type != JSON_ARRAY || p->count != 2 || !json_is_number(&p->items[0]) || !json_is_number(&p->items[1]))
            return wrong(r, what, "it must be a list of [value, weight]");
        put_number(r, json_f64(&p->items[0]));
        put_number(r, json_f64(&p->items[1]));
    }
    d.table.count = 2 * (uint32_t)v->count;
    *out = put_dist(r, d);
    return ERR_OK;
}

static Err attribute(Read *r, Str what, const Json *v, uint32_t *out) {
    return named(r, what, v, r->c->attributes, r->c->def.attributes, "attribute", out);
}

// { "attribute": "weight", "times": 2, "plus": 1 }
static Err of_attribute(Read *r, Str what, const Json *v, FlowRef *out) {
    FlowDist d = {.kind = FLOW_ATTRIBUTE, .b = 1};
    uint32_t at = 0;
    const Json *times = json_get(v, STR("times")), *plus = json_get(v, STR("plus"));
    TRY(attribute(r, what, json_get(v, STR("attribute")), &at));
    if (times) TRY(number(r, what, times, &d.b));
    if (plus) TRY(number(r, what, plus, &d.c));
    if (d.b == 0) return wrong(r, what, "times nothing");
    d.a = at;
    *out = put_dist(r, d);
    return ERR_OK;
}

static Err put_picks(Read *r, double by, const FlowRef *refs, uint32_t n, FlowRef *out) {
    FlowDist d = {.kind = FLOW_PICK, .a = by, .table = {r->c->def.number_count, n}};
    for (uint32_t i = 0; i < n; i++) put_number(r, refs[i]);
    *out = put_dist(r, d);
    return ERR_OK;
}

// { "byType": { "small": 3, "large": {...} } }: of every type.
static Err by_type(Read *r, Str what, const Json *v, FlowRef *out) {
    uint32_t n = r->c->def.types;
    FlowRef *refs = NEW(&r->scratch, FlowRef, n + 1);
    if (v->type != JSON_OBJECT) return wrong(r, what, "it must have a member of every type");
    for (uint32_t i = 0; i < n; i++) {
        const Json *one = json_get(v, r->c->types[i]);
        if (!one) return wrong(r, what, "the type \"%.*s\" is missing", STR_ARG(r->c->types[i]));
        TRY(dist(r, what, one, &refs[i]));
    }
    if ((uint32_t)v->count != n) return wrong(r, what, "there is a member that is no type");
    return put_picks(r, -1, refs, n, out);
}

// { "by": "path", "of": [3, {...}] }: the attribute's number tells which.
static Err by_attribute(Read *r, Str what, const Json *v, FlowRef *out) {
    uint32_t at = 0;
    const Json *of = json_get(v, STR("of"));
    TRY(attribute(r, what, json_get(v, STR("by")), &at));
    if (!of || of->type != JSON_ARRAY || of->count == 0) return wrong(r, what, "`of` must be a list of distributions");
    FlowRef *refs = NEW(&r->scratch, FlowRef, of->count);
    for (int32_t i = 0; i < of->count; i++) TRY(dist(r, what, &of->items[i], &refs[i]));
    return put_picks(r, at, refs, (uint32_t)of->count, out);
}

static Err plain(Read *r, Str what, const DistName *n, const Json *v, FlowRef *out) {
    FlowDist d = {.kind = n->kind};
    double p[3] = {0};
    int32_t count = v->type == JSON_ARRAY ? v->count : 1;
    if (count < n->least || count > n->most)
        return wrong(r, what, "%s takes %d number%s", n->name, n->most, n->most > 1 ? "s" : "");
    for (int32_t i = 0; i < count; i++) TRY(number(r, what, v->type == JSON_ARRAY ? &v->items[i] : v, &p[i]));
    d.a = p[0];
    d.b = p[1];
    d.c = p[2];
    *out = put_dist(r, d);
    return ERR_OK;
}

static Err dist(Read *r, Str what, const Json *v, FlowRef *out) {
    if (json_is_number(v)) {
        *out = put_dist(r, (FlowDist){.kind = FLOW_CONST, .a = json_f64(v)});
        return ERR_OK;
    }
    if (v->type != JSON_OBJECT || v->count == 0) return wrong(r, what, "it must be a number or a distribution");
    if (json_get(v, STR("attribute"))) return of_attribute(r, what, v, out);
    if (json_get(v, STR("by"))) return by_attribute(r, what, v, out);
    if (v->count != 1) return wrong(r, what, "a distribution has one member: its name");
    const JsonMember *m = &v->members[0];
    if (str_eq(m->key, STR("empirical"))) return pairs(r, what, &m->value, out);
    if (str_eq(m->key, STR("byType"))) return by_type(r, what, &m->value, out);
    for (size_t i = 0; i < sizeof dist_names / sizeof *dist_names; i++) {
        if (str_eq(m->key, str_of(dist_names[i].name))) return plain(r, what, &dist_names[i], &m->value, out);
    }
    return wrong(r, what, "there is no distribution \"%.*s\"", STR_ARG(m->key));
}

// ---- tables of the document ----------------------------------------------------------------------------------------

static Err names(Read *r, const Json *doc, const char *key, uint32_t max, Str **out, uint32_t *n) {
    const Json *v = json_get(doc, str_of(key));
    if (!v) return ERR_OK;
    if (v->type != JSON_ARRAY) return wrong(r, str_of(key), "it must be a list of names");
    if (v->count > (int64_t)max)
        return diag_add(r->d, ERR_LIMIT, -1, -1, str_of(key), "there are %d, and %u are the most", v->count, max);
    *out = NEW(&r->c->keep, Str, v->count + 1);
    for (int32_t i = 0; i < v->count; i++) {
        Str name = {0};
        TRY(text(r, str_of(key), &v->items[i], &name));
        if (name_of(*out, *n, name) != UINT32_MAX)
            return wrong(r, str_of(key), "\"%.*s\" is there twice", STR_ARG(name));
        (*out)[(*n)++] = name;
    }
    return ERR_OK;
}

// A member that is an object of named entries; NULL: none.
static Err entries(Read *r, const Json *doc, const char *key, const Json **out) {
    const Json *v = *out = json_get(doc, str_of(key));
    if (!v) return ERR_OK;
    if (v->type != JSON_OBJECT || v->dup) return wrong(r, str_of(key), "it must be an object of entries by name");
    if (v->count > FLOW_KINDS_MAX)
        return diag_add(r->d, ERR_LIMIT, -1, -1, str_of(key), "there are %d, and %d are the most", v->count,
                        FLOW_KINDS_MAX);
    return ERR_OK;
}

static Err period(Read *r, const Json *v, double *out) {
    if (!v || (v->type == JSON_STRING && str_eq(v->s, STR("week")))) *out = 604800;
    else if (v->type == JSON_STRING && str_eq(v->s, STR("day"))) *out = 86400;
    else if (v->type == JSON_STRING && str_eq(v->s, STR("once"))) *out = 0;
    else return number(r, STR("period"), v, out);
    return ERR_OK;
}

static Err calendar(Read *r, const Json *v) {
    FlowDef *d = &r->c->def;
    FlowCalendar c = {.steps = {d->number_count, 0}};
    const Json *steps = json_get(v, STR("steps")), *offset = json_get(v, STR("offset"));
    TRY(period(r, json_get(v, STR("period")), &c.period));
    if (offset) TRY(number(r, STR("offset"), offset, &c.offset));
    if (!steps || steps->type != JSON_ARRAY) return wrong(r, STR("steps"), "it must be a list of [time, value]");
    for (int32_t i = 0; i < steps->count; i++) {
        const Json *p = &steps->items[i];
        double at = 0, value = 0;
        if (p->type != JSON_ARRAY || p->count != 2) return wrong(r, STR("steps"), "it must be a list of [time, value]");
        TRY(number(r, STR("steps"), &p->items[0], &at));
        TRY(number(r, STR("steps"), &p->items[1], &value));
        put_number(r, at);
        put_number(r, value);
    }
    c.steps.count = d->number_count - c.steps.first;
    FlowCalendar *all = more(r, CAP_CALENDAR, d->calendars, d->calendar_count, sizeof *all);
    d->calendars = all;
    all[d->calendar_count++] = c;
    return ERR_OK;
}

static Err calendar_ref(Read *r, Str what, const Json *v, FlowRef *out) {
    uint32_t at = 0;
    TRY(named(r, what, v, r->c->calendars, r->c->def.calendar_count, "calendar", &at));
    *out = FLOW_REF(at);
    return ERR_OK;
}

static Err calendars(Read *r, const Json *doc) {
    const Json *all;
    TRY(entries(r, doc, "calendars", &all));
    if (!all) return ERR_OK;
    r->list = STR("calendars");
    r->c->calendars = NEW(&r->c->keep, Str, all->count + 1);
    for (int32_t i = 0; i < all->count; i++) {
        r->entry = all->members[i].key;
        TRY(calendar(r, &all->members[i].value));
        r->c->calendars[i] = arena_str(&r->c->keep, r->entry);
    }
    r->list = (Str){0};
    return ERR_OK;
}

static Err resources(Read *r, const Json *doc) {
    const Json *all;
    TRY(entries(r, doc, "resources", &all));
    if (!all) return ERR_OK;
    r->list = STR("resources");
    FlowResource *out = NEW(&r->c->keep, FlowResource, all->count + 1);
    r->c->resources = NEW(&r->c->keep, Str, all->count + 1);
    for (int32_t i = 0; i < all->count; i++) {
        const Json *v = &all->members[i].value, *n = json_is_number(v) ? v : json_get(v, STR("number"));
        const Json *c = json_get(v, STR("calendar"));
        r->entry = all->members[i].key;
        r->c->resources[i] = out[i].name = arena_str(&r->c->keep, r->entry);
        out[i].twin = str_hash(r->entry);
        if (!n) return wrong(r, STR("number"), "it is missing");
        TRY(number(r, STR("number"), n, &out[i].number));
        if (c) TRY(calendar_ref(r, STR("calendar"), c, &out[i].calendar));
    }
    r->c->def.resources = out;
    r->c->def.resource_count = (uint32_t)all->count;
    r->list = (Str){0};
    return ERR_OK;
}

// ---- nodes ---------------------------------------------------------------------------------------------------------

// { "nurse": 1, "room": 1 }, or a list of names (number 1; of `release`: all).
static Err uses(Read *r, Str what, const Json *v, uint32_t unsaid, FlowRange *out) {
    FlowDef *d = &r->c->def;
    *out = (FlowRange){d->use_count, 0};
    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY) return wrong(r, what, "it must be { resource: number }");
    for (int32_t i = 0; i < v->count; i++) {
        FlowUse u = {.number = unsaid};
        uint32_t at = 0;
        Json name = {.type = JSON_STRING, .s = v->type == JSON_OBJECT ? v->members[i].key : (Str){0}};
        TRY(named(r, what, v->type == JSON_OBJECT ? &name : &v->items[i], r->c->resources, d->resource_count,
                  "resource", &at));
        if (v->type == JSON_OBJECT) TRY(whole(r, what, &v->members[i].value, &u.number));
        u.resource = FLOW_REF(at);
        FlowUse *all = more(r, CAP_USE, d->uses, d->use_count, sizeof *all);
        d->uses = all;
        all[d->use_count++] = u;
        out->count++;
    }
    return ERR_OK;
}

static Err failure(Read *r, const Json *v, FlowFailure *f) {
    static const char *const clocks[] = {"time", "operating"}, *const works[] = {"resume", "repeat", "scrap"};
    const Str what = STR("failures");
    for (int32_t i = 0; i < v->count; i++) {
        Str key = v->members[i].key;
        const Json *x = &v->members[i].value;
        uint32_t word = 0;
        FlowRange crew = {0};
        if (str_eq(key, STR("after"))) TRY(dist(r, what, x, &f->after));
        else if (str_eq(key, STR("repair"))) TRY(dist(r, what, x, &f->repair));
        else if (str_eq(key, STR("priority"))) TRY(number(r, what, x, &f->priority));
        else if (str_eq(key, STR("clock"))) {
            TRY(one_of(r, what, x, clocks, 2, &word));
            f->operating = word == 1;
        } else if (str_eq(key, STR("work"))) {
            TRY(one_of(r, what, x, works, 3, &word));
            f->work = (FlowBroken)word;
        } else if (str_eq(key, STR("crew"))) {
            TRY(uses(r, what, x, 1, &crew));
            if (crew.count != 1) return wrong(r, what, "a repair takes one kind of crew");
            f->crew = r->c->def.uses[crew.first];
        } else return wrong(r, what, "there is no such member: \"%.*s\"", STR_ARG(key));
    }
    return ERR_OK;
}

static Err failures(Read *r, const Json *v, FlowRange *out) {
    FlowDef *d = &r->c->def;
    if (v->type != JSON_ARRAY) return wrong(r, STR("failures"), "it must be a list");
    *out = (FlowRange){d->failure_count, (uint32_t)v->count};
    for (int32_t i = 0; i < v->count; i++) {
        FlowFailure f = {0};
        if (v->items[i].type != JSON_OBJECT) return wrong(r, STR("failures"), "a failure is an object");
        TRY(failure(r, &v->items[i], &f));
        FlowFailure *all = more(r, CAP_FAILURE, d->failures, d->failure_count, sizeof *all);
        d->failures = all;
        all[d->failure_count++] = f;
    }
    return ERR_OK;
}

static Err set_one(Read *r, Str key, const Json *v, FlowSet *s) {
    const Json *add = json_get(v, STR("add"));
    s->add = add != NULL;
    TRY(dist(r, STR("set"), add ? add : v, &s->dist));
    if (str_eq(key, STR("type"))) s->of = FLOW_SET_TYPE;
    else if (str_eq(key, STR("priority"))) s->of = FLOW_SET_PRIORITY;
    else if (str_eq(key, STR("due"))) s->of = FLOW_SET_DUE;
    else {
        s->attribute = name_of(r->c->attributes, r->c->def.attributes, key);
        if (s->attribute == UINT32_MAX) return wrong(r, STR("set"), "there is no attribute \"%.*s\"", STR_ARG(key));
    }
    return ERR_OK;
}

static Err sets(Read *r, const Json *v, FlowRange *out) {
    FlowDef *d = &r->c->def;
    if (v->type != JSON_OBJECT) return wrong(r, STR("set"), "it must be { attribute: value }");
    *out = (FlowRange){d->set_count, (uint32_t)v->count};
    for (int32_t i = 0; i < v->count; i++) {
        FlowSet s = {0};
        TRY(set_one(r, v->members[i].key, &v->members[i].value, &s));
        FlowSet *all = more(r, CAP_SET, d->sets, d->set_count, sizeof *all);
        d->sets = all;
        all[d->set_count++] = s;
    }
    return ERR_OK;
}

static Err setup(Read *r, const Json *v, FlowNode *n) {
    uint32_t types = r->c->def.types ? r->c->def.types : 1;
    if (v->type != JSON_ARRAY) return dist(r, STR("setup"), v, &n->setup);
    n->setups = (FlowRange){r->c->def.number_count, types * types};
    if ((uint32_t)v->count != types) return wrong(r, STR("setup"), "it must have a row of every type");
    for (int32_t i = 0; i < v->count; i++) {
        const Json *row = &v->items[i];
        if (row->type != JSON_ARRAY || (uint32_t)row->count != types)
            return wrong(r, STR("setup"), "row %d must have a number of every type", i);
        for (int32_t k = 0; k < row->count; k++) {
            double x = 0;
            TRY(number(r, STR("setup"), &row->items[k], &x));
            put_number(r, x);
        }
    }
    return ERR_OK;
}

static Err times(Read *r, const Json *v, FlowRange *out) {
    if (v->type != JSON_ARRAY) return wrong(r, STR("times"), "it must be a list of times");
    *out = (FlowRange){r->c->def.number_count, (uint32_t)v->count};
    for (int32_t i = 0; i < v->count; i++) {
        double x = 0;
        TRY(number(r, STR("times"), &v->items[i], &x));
        put_number(r, x);
    }
    return ERR_OK;
}

static Err capacity(Read *r, const Json *v, FlowNode *n) {
    if (v->type == JSON_STRING && str_eq(v->s, STR("infinite"))) return ERR_OK;
    n->bounded = true;
    return number(r, STR("capacity"), v, &n->capacity);
}

static Err servers(Read *r, const Json *v, FlowNode *n) {
    if (v->type == JSON_STRING && str_eq(v->s, STR("infinite"))) n->servers = (double)INFINITY;
    else TRY(number(r, STR("servers"), v, &n->servers));
    return n->servers > 0 ? ERR_OK : wrong(r, STR("servers"), "it must be more than 0");
}

typedef enum MemberKind { M_NUMBER, M_WHOLE, M_TRUTH, M_DIST, M_CALENDAR, M_WORD } MemberKind;
typedef struct Member {
    const char *name;
    MemberKind kind;
    size_t at; // in FlowNode
    const char *const *words;
    uint32_t word_count;
} Member;

static const char *const disciplines[] = {"fifo", "lifo", "priority", "shortest", "due"};
static const char *const routes[] = {"share", "first", "least", "turn"};
static const char *const preempts[] = {"no", "resume", "repeat", "restart"};

#define AT(field) offsetof(FlowNode, field)
static const Member members[] = {
    {"gap", M_DIST, AT(gap), NULL, 0},
    {"rate", M_CALENDAR, AT(rate), NULL, 0},
    {"size", M_DIST, AT(size), NULL, 0},
    {"first", M_NUMBER, AT(first), NULL, 0},
    {"firstGap", M_TRUTH, AT(first_gap), NULL, 0},
    {"priority", M_NUMBER, AT(priority), NULL, 0},
    {"discipline", M_WORD, AT(discipline), disciplines, 5},
    {"service", M_DIST, AT(service), NULL, 0},
    {"initialService", M_DIST, AT(initial_service), NULL, 0},
    {"patience", M_DIST, AT(patience), NULL, 0},
    {"balk", M_DIST, AT(balk), NULL, 0},
    {"hold", M_TRUTH, AT(hold), NULL, 0},
    {"preempt", M_WORD, AT(preempt), preempts, 4},
    {"batch", M_WHOLE, AT(batch), NULL, 0},
    {"batchType", M_TRUTH, AT(batch_type), NULL, 0},
    {"assemble", M_TRUTH, AT(assemble), NULL, 0},
    {"merge", M_TRUTH, AT(merge), NULL, 0},
    {"unpack", M_TRUTH, AT(unpack), NULL, 0},
    {"copies", M_DIST, AT(copies), NULL, 0},
    {"calendar", M_CALENDAR, AT(calendar), NULL, 0},
    {"staffing", M_CALENDAR, AT(staffing), NULL, 0},
    {"suspend", M_TRUTH, AT(suspend), NULL, 0},
    {"scrap", M_NUMBER, AT(scrap), NULL, 0},
    {"route", M_WORD, AT(route), routes, 4},
    {"length", M_NUMBER, AT(length), NULL, 0},
    {"speed", M_NUMBER, AT(speed), NULL, 0},
    {"spacing", M_NUMBER, AT(spacing), NULL, 0},
    {"accumulating", M_TRUTH, AT(accumulating), NULL, 0},
    {"initial", M_WHOLE, AT(initial), NULL, 0},
    {"high", M_WHOLE, AT(high), NULL, 0},
    {"low", M_WHOLE, AT(low), NULL, 0},
    {"target", M_NUMBER, AT(target), NULL, 0},
    {"quantiles", M_TRUTH, AT(quantiles), NULL, 0},
    {"byType", M_TRUTH, AT(by_type), NULL, 0},
    {"levels", M_WHOLE, AT(levels), NULL, 0},
};
#undef AT

static Err plain_member(Read *r, const Member *m, const Json *v, FlowNode *n) {
    void *at = (char *)n + m->at;
    Str what = str_of(m->name);
    uint32_t word = 0;
    switch (m->kind) {
    case M_NUMBER: return number(r, what, v, at);
    case M_WHOLE: return whole(r, what, v, at);
    case M_TRUTH: return truth(r, what, v, at);
    case M_DIST: return dist(r, what, v, at);
    case M_CALENDAR: return calendar_ref(r, what, v, at);
    case M_WORD:
        TRY(one_of(r, what, v, m->words, m->word_count, &word));
        memcpy(at, &word, sizeof word); // an enum of that size
        return ERR_OK;
    }
    return ERR_OK;
}

_Static_assert(sizeof(FlowRoute) == sizeof(uint32_t), "words are stored as enums");

static Err member(Read *r, FlowKindOf *k, Str key, const Json *v) {
    static const char *const fulls[] = {"wait", "lose"};
    FlowNode *n = &k->node;
    uint32_t word = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (str_eq(key, str_of(members[i].name))) return plain_member(r, &members[i], v, n);
    }
    if (str_eq(key, STR("is"))) return ERR_OK;
    if (str_eq(key, STR("servers"))) return servers(r, v, n);
    if (str_eq(key, STR("capacity"))) return capacity(r, v, n);
    if (str_eq(key, STR("seize"))) return uses(r, key, v, 1, &n->seize);
    if (str_eq(key, STR("release"))) return uses(r, key, v, 0, &n->release);
    if (str_eq(key, STR("failures"))) return failures(r, v, &n->failures);
    if (str_eq(key, STR("set"))) return sets(r, v, &n->sets);
    if (str_eq(key, STR("setup"))) return setup(r, v, n);
    if (str_eq(key, STR("times"))) return times(r, v, &n->trace);
    if (str_eq(key, STR("instead"))) return text(r, key, v, &k->instead);
    if (str_eq(key, STR("type"))) return named(r, key, v, r->c->types, r->c->def.types, "type", &n->type);
    if (str_eq(key, STR("initialType")))
        return named(r, key, v, r->c->types, r->c->def.types, "type", &n->initial_type);
    if (str_eq(key, STR("full"))) {
        TRY(one_of(r, key, v, fulls, 2, &word));
        n->lose = word == 1;
        return ERR_OK;
    }
    if (str_eq(key, STR("limit"))) {
        uint32_t limit = 0;
        TRY(whole(r, key, v, &limit));
        n->limit = limit;
        return ERR_OK;
    }
    return wrong(r, key, "there is no such member");
}

static Err kind(Read *r, const Json *v, FlowKindOf *k) {
    static const char *const kinds[] = {"source", "station", "buffer", "conveyor", "sink", "resource"};
    uint32_t word = 0;
    const Json *is = json_get(v, STR("is"));
    if (v->type != JSON_OBJECT || v->dup) return wrong(r, STR(""), "it must be an object, each member once");
    if (!is) return wrong(r, STR("is"), "it is missing");
    TRY(one_of(r, STR("is"), is, kinds, 6, &word));
    k->node.first_gap = true;
    k->resource = word == 5;
    k->node.kind = k->resource ? FLOW_STATION : (FlowKind)word;
    for (int32_t i = 0; i < v->count; i++) TRY(member(r, k, v->members[i].key, &v->members[i].value));
    k->calendar = k->node.calendar;
    return ERR_OK;
}

static Err kinds(Read *r, const Json *doc) {
    const Json *all;
    TRY(entries(r, doc, "nodes", &all));
    if (!all || all->count == 0) return wrong(r, STR("nodes"), "there is no kind of nodes");
    r->list = STR("nodes");
    r->c->kinds = NEW(&r->c->keep, FlowKindOf, all->count);
    for (int32_t i = 0; i < all->count; i++) {
        r->entry = all->members[i].key;
        r->c->kinds[i].name = arena_str(&r->c->keep, r->entry);
        TRY(kind(r, &all->members[i].value, &r->c->kinds[i]));
    }
    r->c->kind_count = (uint32_t)all->count;
    r->list = (Str){0};
    return ERR_OK;
}

// ---- ways ----------------------------------------------------------------------------------------------------------

// { "attribute": "acuity", "is": "<", "value": 3 }; instead of an attribute: "of": "type", "priority", "age", "inside".
static Err test(Read *r, const Json *v, FlowEdge *e) {
    static const char *const tests[] = {"=", "!=", "<", "<=", ">", ">="};
    static const char *const subjects[] = {"type", "priority", "age", "inside"};
    const Json *a = json_get(v, STR("attribute")), *of = json_get(v, STR("of")), *is = json_get(v, STR("is"));
    const Json *value = json_get(v, STR("value"));
    uint32_t word = 0, type = 0;
    if (!is || !value || (a != NULL) == (of != NULL))
        return wrong(r, STR("when"), "it needs an attribute (or `of`), `is` and `value`");
    TRY(one_of(r, STR("when"), is, tests, 6, &word));
    e->test = (FlowTest)(word + 1);
    if (a) TRY(attribute(r, STR("when"), a, &e->attribute));
    else {
        TRY(one_of(r, STR("when"), of, subjects, 4, &word));
        e->subject = (FlowSubject)(word + 1);
    }
    if (e->subject != FLOW_OF_TYPE || value->type != JSON_STRING) return number(r, STR("when"), value, &e->value);
    TRY(named(r, STR("when"), value, r->c->types, r->c->def.types, "type", &type));
    e->value = type;
    return ERR_OK;
}

static Err way(Read *r, const Json *v, FlowWayOf *w) {
    static const char *const uses_of[] = {"service", "held", "release"};
    uint32_t word = 0;
    if (v->type != JSON_OBJECT || v->dup) return wrong(r, STR(""), "it must be an object, each member once");
    w->edge.weight = 1;
    for (int32_t i = 0; i < v->count; i++) {
        Str key = v->members[i].key;
        const Json *x = &v->members[i].value;
        if (str_eq(key, STR("weight"))) TRY(number(r, key, x, &w->edge.weight));
        else if (str_eq(key, STR("when"))) TRY(test(r, x, &w->edge));
        else if (str_eq(key, STR("travel"))) TRY(dist(r, key, x, &w->edge.travel));
        else if (str_eq(key, STR("number"))) TRY(whole(r, key, x, &w->edge.number));
        else if (str_eq(key, STR("use"))) {
            TRY(one_of(r, key, x, uses_of, 3, &word));
            w->use = (FlowUseOf)word;
        } else return wrong(r, key, "there is no such member");
    }
    return ERR_OK;
}

static Err ways(Read *r, const Json *doc) {
    const Json *all;
    TRY(entries(r, doc, "ways", &all));
    if (!all) return ERR_OK;
    r->list = STR("ways");
    r->c->ways = NEW(&r->c->keep, FlowWayOf, all->count + 1);
    for (int32_t i = 0; i < all->count; i++) {
        r->entry = all->members[i].key;
        r->c->ways[i].name = arena_str(&r->c->keep, r->entry);
        TRY(way(r, &all->members[i].value, &r->c->ways[i]));
    }
    r->c->way_count = (uint32_t)all->count;
    r->list = (Str){0};
    return ERR_OK;
}

// ---- the document --------------------------------------------------------------------------------------------------

// Seconds, "auto", or {"pilot": s}.
static Err warmup_of(Read *r, const Json *v) {
    FlowConfig *c = r->c;
    c->warmup_found = true;
    if (v->type == JSON_STRING && str_eq(v->s, STR("auto"))) return ERR_OK;
    if (v->type == JSON_OBJECT && v->count == 1 && json_get(v, STR("pilot"))) {
        TRY(number(r, STR("warmup.pilot"), json_get(v, STR("pilot")), &c->pilot));
        return c->pilot > 0 ? ERR_OK : wrong(r, STR("warmup.pilot"), "a pilot has a length");
    }
    c->warmup_found = false;
    return number(r, STR("warmup"), v, &c->warmup);
}

static Err document(Read *r, const Json *doc) {
    static const char *const known[] = {"types", "attributes", "calendars", "resources", "nodes", "ways", "warmup"};
    const Json *warmup = json_get(doc, STR("warmup"));
    if (doc->type != JSON_OBJECT || doc->dup) return wrong(r, STR("config"), "it must be an object, each member once");
    for (int32_t i = 0; i < doc->count; i++) {
        size_t k = 0;
        while (k < 7 && !str_eq(doc->members[i].key, str_of(known[k]))) k++;
        if (k == 7) return wrong(r, doc->members[i].key, "there is no such member");
    }
    TRY(names(r, doc, "types", FLOW_TYPES_MAX, &r->c->types, &r->c->def.types));
    TRY(names(r, doc, "attributes", FLOW_ATTRIBUTES_MAX, &r->c->attributes, &r->c->def.attributes));
    if (warmup) TRY(warmup_of(r, warmup));
    TRY(calendars(r, doc));
    TRY(resources(r, doc));
    TRY(kinds(r, doc));
    return ways(r, doc);
}

Err flow_config_read(Str json, FlowConfig **out, Diag *d) {
    FlowConfig *c = mem_alloc(sizeof *c);
    c->memo = flow_memo_new();
    Read r = {.c = c, .d = d};
    Json doc;
    arena_init(&c->keep, 0);
    arena_init(&r.scratch, 0);
    Err e = json_parse(json, &(JsonLimits){.depth_max = 32}, &r.scratch, &doc, d);
    if (e == ERR_OK) e = document(&r, &doc);
    arena_free(&r.scratch);
    if (e == ERR_OK) *out = c;
    else flow_config_free(c);
    return e;
}

void flow_config_free(FlowConfig *c) {
    if (!c) return;
    arena_free(&c->keep);
    flow_memo_free(c->memo);
    mem_free(c);
}
