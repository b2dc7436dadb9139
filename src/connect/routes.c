// SPDX-License-Identifier: Apache-2.0
// The registry of routes and endpoints, and what a filter is.
#include "connect/routes.h"
#include <openssl/rand.h>
#include <stdio.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/endpoints.h"

// ---- filters ------------------------------------------------------------------------------------------------------

// ORDER FILTER_VAR: $body last, it costs most.
enum {
    VAR_TYPE,
    VAR_LEGACY,
    VAR_SOURCE,
    VAR_SUBJECT,
    VAR_SPECVERSION,
    VAR_CONTENT,
    VAR_SCHEMA,
    VAR_ID,
    VAR_TIME,
    VAR_TRACE,
    VAR_BODY,
    VARS
};

static const Str VAR_NAMES[VARS] = {{"type", 4},         {"$eventType", 10},      {"source", 6},      {"subject", 7},
                                    {"specversion", 11}, {"datacontenttype", 15}, {"dataschema", 10}, {"id", 2},
                                    {"time", 4},         {"traceparent", 11},     {"$body", 5}};

Err route_filter(Str text, SosiaFormula **out, Buf *why) {
    if (text.n > ROUTE_FILTER_MAX) {
        buf_printf(why, "at most %d bytes are possible", ROUTE_FILTER_MAX);
        return ERR_ROUTE_FILTER;
    }
    if (!str_trim(text).n) {
        buf_str_put(why, STR("it is empty: write true for all events"));
        return ERR_ROUTE_FILTER;
    }
    return sosia_formula_new(text, VAR_NAMES, VARS, out, why) == SOSIA_OK ? ERR_OK : ERR_ROUTE_FILTER;
}

static SosiaValue text_value(Str s) { return (SosiaValue){.kind = s.n ? SOSIA_TEXT : SOSIA_NONE, .s = s}; }

bool route_passes(const Filter *f, EventMaker *m, const CloudEvent *e, Str *data) {
    SosiaVar v[VARS] = {
        [VAR_TYPE] = {.value = text_value(e->type)},
        [VAR_LEGACY] = {.value = text_value(e->event_type)},
        [VAR_SOURCE] = {.value = text_value(e->source)},
        [VAR_SUBJECT] = {.value = {.kind = SOSIA_TEXT, .s = e->subject}},
        [VAR_SPECVERSION] = {.value = {.kind = SOSIA_TEXT, .s = STR("1.0")}},
        [VAR_CONTENT] = {.value = {.kind = SOSIA_TEXT, .s = STR("application/json")}},
        [VAR_SCHEMA] = {.value = text_value(e->dataschema)},
        [VAR_ID] = {.value = text_value(e->id)},
        [VAR_TIME] = {.value = text_value(e->time)},
        [VAR_TRACE] = {.value = text_value(e->traceparent)},
    };
    int64_t now = m->batch->time_ns; // the same again when it is looked at again
    if (!sosia_formula_can(f->formula, v, VAR_BODY, now)) return false;
    if (!data->p) *data = event_maker_data(m, e);
    v[VAR_BODY].value = (SosiaValue){.kind = SOSIA_JSON, .s = *data};
    SosiaValue yes = sosia_formula_eval(f->formula, v, now);
    return yes.kind == SOSIA_BOOL && yes.b;
}

int32_t routes_filters(Routes *r, Endpoint *e, Filter **out) {
    int32_t n = 0;
    pthread_mutex_lock(&r->lock);
    *out = mem_alloc((size_t)(r->route_count + 1) * sizeof **out);
    for (int32_t i = 0; i < r->route_count; i++) {
        const Route *route = &r->routes[i];
        Buf why = {0};
        SosiaFormula *formula;
        if (!str_eq(route->endpoint, e->name)) continue;
        if (route_filter(route->filter, &formula, &why) == ERR_OK)
            (*out)[n++] = (Filter){.id = endpoint_own(route->id), .formula = formula, .since = route->since};
        buf_free(&why);
    }
    pthread_mutex_unlock(&r->lock);
    return n;
}

// ---- the tables ---------------------------------------------------------------------------------------------------

uint64_t routes_now(SosiaConnect *k) {
    SosiaOut out = {0};
    SosiaErr err = sosia_read(k->engine, NULL, &(SosiaRead){.what = SOSIA_GET_MODELS, .limit = 1}, &out);
    uint64_t seq = err ? 0 : out.seq;
    sosia_out_free(&out);
    return seq;
}

Endpoint *routes_endpoint(Routes *r, Str name) {
    for (int32_t i = 0; i < r->endpoint_count; i++) {
        if (str_eq(r->endpoints[i]->name, name)) return r->endpoints[i];
    }
    return NULL;
}

Str endpoint_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

typedef struct Loading {
    Routes *r;
    Str *names, *texts; // owned
    int32_t count;
} Loading;

static bool load_endpoint(void *ctx, SosiaStr key, SosiaStr value) {
    Loading *l = ctx;
    if (l->count == ENDPOINTS_MAX) return false;
    l->names[l->count] = endpoint_own(key);
    l->texts[l->count++] = endpoint_own(value);
    return true;
}

static bool load_route(void *ctx, SosiaStr key, SosiaStr value) {
    Routes *r = ctx;
    Arena a;
    Json doc;
    arena_init(&a, 1024);
    if (r->route_count < ROUTES_MAX && json_parse(value, NULL, &a, &doc, NULL) == ERR_OK) {
        const Json *endpoint = json_get(&doc, STR("endpointName")), *filter = json_get(&doc, STR("filter"));
        const Json *since = json_get(&doc, STR("since"));
        if (endpoint && filter && since && endpoint->type == JSON_STRING && filter->type == JSON_STRING &&
            since->type == JSON_INT)
            r->routes[r->route_count++] = (Route){.id = endpoint_own(key),
                                                  .endpoint = endpoint_own(endpoint->s),
                                                  .filter = endpoint_own(filter->s),
                                                  .since = (uint64_t)since->i};
    }
    arena_free(&a);
    return true;
}

static bool load_instance(void *ctx, SosiaStr key, SosiaStr value) {
    Routes *r = ctx;
    int64_t n;
    if (str_eq(key, STR("instance")) && str_to_i64(value, &n)) r->instance = (uint64_t)n;
    return true;
}

// The number of this world file, made when it is first needed.
static Err know_instance(Routes *r) {
    char text[32];
    uint64_t n;
    TRY((Err)sosia_items_scan(r->connect->engine, STR("connect"), (Str){0}, 0, load_instance, r));
    if (r->instance) return ERR_OK;
    if (RAND_bytes((unsigned char *)&n, sizeof n) != 1) return ERR_IO;
    r->instance = n >> 1 | 1;
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)r->instance);
    SosiaItem item = {.kind = STR("connect"), .key = STR("instance"), .value = {text, size}};
    return (Err)sosia_items_put_wait(r->connect->engine, &item, 1);
}

static Err load_endpoints(Routes *r) {
    Str names[ENDPOINTS_MAX], texts[ENDPOINTS_MAX];
    Loading l = {.r = r, .names = names, .texts = texts};
    Err err = (Err)sosia_items_scan(r->connect->engine, STR("endpoint"), (Str){0}, 0, load_endpoint, &l);
    for (int32_t i = 0; i < l.count; i++) {
        if (!err) err = endpoint_install(r, names[i], texts[i], NULL);
        mem_free((char *)names[i].p);
        mem_free((char *)texts[i].p);
    }
    return err;
}

Err routes_open(SosiaConnect *k, Routes **out, Buf *why) {
    Routes *r = mem_alloc(sizeof *r);
    r->connect = k;
    pthread_mutex_init(&r->edit, NULL);
    pthread_mutex_init(&r->lock, NULL);
    k->routes = *out = r;
    Err err = know_instance(r);
    if (!err) err = (Err)sosia_items_scan(k->engine, STR("eventroute"), (Str){0}, 0, load_route, r);
    if (!err) err = load_endpoints(r);
    if (err) buf_printf(why, "event routes could not be read: %s", err_text(err));
    return err;
}

void route_free(Route *r) {
    mem_free((char *)r->id.p);
    mem_free((char *)r->endpoint.p);
    mem_free((char *)r->filter.p);
    *r = (Route){0};
}

void routes_close(Routes *r) {
    if (!r) return;
    for (int32_t i = 0; i < r->endpoint_count; i++) endpoint_free(r->endpoints[i]);
    for (int32_t i = 0; i < r->route_count; i++) route_free(&r->routes[i]);
    pthread_mutex_destroy(&r->edit);
    pthread_mutex_destroy(&r->lock);
    r->connect->routes = NULL;
    mem_free(r);
}

void routes_stats(Routes *r, Buf *out) {
    int64_t delivered = 0, failed = 0, retries = 0, letters = 0, dropped = 0, gaps = 0;
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    for (int32_t i = 0; i < r->endpoint_count; i++) {
        const EndpointStats *s = &r->endpoints[i]->stats;
        delivered += s->delivered;
        failed += s->failed;
        retries += s->retries;
        letters += s->letters;
        dropped += s->letters_dropped;
        gaps += s->gaps;
    }
    buf_printf(out, ",\"endpoints\":%d,\"routes\":%d,\"eventsDelivered\":%lld,\"eventsFailed\":%lld", r->endpoint_count,
               r->route_count, (long long)delivered, (long long)failed);
    buf_printf(out, ",\"eventRetries\":%lld,\"deadLetters\":%lld,\"deadLettersDropped\":%lld,\"eventGaps\":%lld",
               (long long)retries, (long long)letters, (long long)dropped, (long long)gaps);
    pthread_mutex_unlock(&r->lock);
}
