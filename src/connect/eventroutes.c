// SPDX-License-Identifier: Apache-2.0
// The resource /eventroutes, in the shapes of the Azure Digital Twins dialect.
#include <stdio.h>
#include "base/mem.h"
#include "connect/endpoints.h"

static bool id_ok(Str id) {
    if (!id.n || id.n > 128) return false;
    for (int64_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
        if (!ok) return false;
    }
    return true;
}

// The place of `id`, or where it belongs.
static int32_t place(const Routes *r, Str id, bool *found) {
    int32_t i = 0;
    while (i < r->route_count && str_cmp(r->routes[i].id, id) < 0) i++;
    *found = i < r->route_count && str_eq(r->routes[i].id, id);
    return i;
}

static void put_route(const Route *route, Buf *b) {
    buf_str_put(b, STR("{\"id\":"));
    json_put_str(b, route->id);
    buf_str_put(b, STR(",\"endpointName\":"));
    json_put_str(b, route->endpoint);
    buf_str_put(b, STR(",\"filter\":"));
    json_put_str(b, route->filter);
    buf_byte(b, '}');
}

// ---- reading ------------------------------------------------------------------------------------------------------

// Routes behind the id `after`, which is its own continuation token.
static void list(Ask *a) {
    Routes *r = a->connect->routes;
    Arena arena;
    Buf b = {0};
    bool found;
    arena_init(&arena, 256);
    Str after = ask_param(a, STR("continuationToken"), &arena);
    pthread_mutex_lock(&r->lock);
    int32_t i = after.n ? place(r, after, &found) : 0, n = 0;
    if (after.n && found) i++;
    buf_str_put(&b, STR("{\"value\":["));
    for (; i < r->route_count && n < ROUTES_PAGE; i++) {
        if (n++) buf_byte(&b, ',');
        put_route(&r->routes[i], &b);
    }
    buf_str_put(&b, STR("],\"nextLink\":"));
    if (i < r->route_count)
        buf_printf(&b, "\"%.*s/eventroutes?continuationToken=%.*s&api-version=2023-10-31\"}", STR_ARG(a->q->base_url),
                   STR_ARG(r->routes[i - 1].id));
    else buf_str_put(&b, STR("null}"));
    pthread_mutex_unlock(&r->lock);
    ask_json(a, 200, &b);
    buf_free(&b);
    arena_free(&arena);
}

static void not_found(Ask *a) {
    ask_fail(a, ERR_ROUTE_NOT_FOUND, "There is no event route \"%.*s\". List what there is with GET /eventroutes.",
             STR_ARG(a->q->id));
}

static void get(Ask *a) {
    Routes *r = a->connect->routes;
    Buf b = {0};
    bool found;
    pthread_mutex_lock(&r->lock);
    int32_t i = place(r, a->q->id, &found);
    if (found) put_route(&r->routes[i], &b);
    pthread_mutex_unlock(&r->lock);
    if (found) ask_json(a, 200, &b);
    else not_found(a);
    buf_free(&b);
}

// ---- changes ------------------------------------------------------------------------------------------------------

static Err store(Routes *r, const Route *route) {
    Buf b = {0};
    buf_str_put(&b, STR("{\"endpointName\":"));
    json_put_str(&b, route->endpoint);
    buf_str_put(&b, STR(",\"filter\":"));
    json_put_str(&b, route->filter);
    buf_printf(&b, ",\"since\":%llu}", (unsigned long long)route->since);
    SosiaItem item = {.kind = STR("eventroute"), .key = route->id, .value = buf_str(&b)};
    Err err = (Err)sosia_items_put_wait(r->connect->engine, &item, 1);
    buf_free(&b);
    return err;
}

static void wake(Routes *r, Str endpoint) {
    Endpoint *e = routes_endpoint(r, endpoint);
    if (e) endpoint_wake(e, true);
}

// Caller holds edit. A route that goes on to the same endpoint keeps its beginning.
static Err put_locked(Routes *r, Str id, Str endpoint, Str filter, Buf *why) {
    bool found;
    if (!routes_endpoint(r, endpoint)) {
        buf_printf(why, "There is no endpoint \"%.*s\". Make it with PUT /endpoints/NAME.", STR_ARG(endpoint));
        return ERR_ROUTE_ENDPOINT;
    }
    int32_t i = place(r, id, &found);
    if (!found && r->route_count == ROUTES_MAX) {
        buf_printf(why, "There are %d event routes already.", ROUTES_MAX);
        return ERR_LIMIT;
    }
    bool same = found && str_eq(r->routes[i].endpoint, endpoint);
    Route route = {.id = endpoint_own(id),
                   .endpoint = endpoint_own(endpoint),
                   .filter = endpoint_own(filter),
                   .since = same ? r->routes[i].since : routes_now(r->connect)};
    Err err = store(r, &route);
    if (err) {
        route_free(&route);
        return err;
    }
    pthread_mutex_lock(&r->lock);
    Route old = found ? r->routes[i] : (Route){0};
    if (!found) memmove(&r->routes[i + 1], &r->routes[i], (size_t)(r->route_count++ - i) * sizeof *r->routes);
    r->routes[i] = route;
    pthread_mutex_unlock(&r->lock);
    wake(r, route.endpoint);
    if (old.id.p && !same) wake(r, old.endpoint);
    route_free(&old);
    return ERR_OK;
}

static Str text_of(const Json *doc, const char *name) {
    const Json *v = json_get(doc, str_of(name));
    return v && v->type == JSON_STRING ? v->s : (Str){0};
}

static void put(Ask *a) {
    Routes *r = a->connect->routes;
    Arena arena;
    Json doc = {0};
    Buf why = {0}, place_of = {0};
    SosiaFormula *formula = NULL;
    arena_init(&arena, 1024);
    Err err = json_parse(a->q->body, NULL, &arena, &doc, NULL);
    Str endpoint = err ? (Str){0} : text_of(&doc, "endpointName"), filter = err ? (Str){0} : text_of(&doc, "filter");
    if (err || !endpoint.n || !json_get(&doc, STR("filter"))) {
        err = ERR_ARGUMENT;
        buf_str_put(&why, STR("The body must be an object with the texts endpointName and filter."));
    } else if (!id_ok(a->q->id)) {
        err = ERR_ROUTE_ID;
        buf_str_put(&why, STR("The id of an event route has 1 to 128 letters, digits, '-' and '_'."));
    } else if (route_filter(filter, &formula, &place_of) != ERR_OK) {
        err = ERR_ROUTE_FILTER;
        buf_printf(&why, "The filter cannot be read: %.*s", STR_ARG(buf_str(&place_of)));
    } else {
        pthread_mutex_lock(&r->edit);
        err = put_locked(r, a->q->id, endpoint, filter, &why);
        pthread_mutex_unlock(&r->edit);
    }
    if (err) ask_fail(a, err, "%.*s", STR_ARG(why.n ? buf_str(&why) : str_of(err_text(err))));
    else ask_empty(a, 204);
    sosia_formula_free(formula);
    buf_free(&why);
    buf_free(&place_of);
    arena_free(&arena);
}

// Caller holds edit.
static Err delete_locked(Routes *r, Str id) {
    bool found;
    int32_t i = place(r, id, &found);
    if (!found) return ERR_ROUTE_NOT_FOUND;
    SosiaItem item = {.kind = STR("eventroute"), .key = id, .remove = true};
    TRY((Err)sosia_items_put_wait(r->connect->engine, &item, 1));
    pthread_mutex_lock(&r->lock);
    Route old = r->routes[i];
    memmove(&r->routes[i], &r->routes[i + 1], (size_t)(--r->route_count - i) * sizeof *r->routes);
    pthread_mutex_unlock(&r->lock);
    wake(r, old.endpoint);
    route_free(&old);
    return ERR_OK;
}

static void delete (Ask *a) {
    Routes *r = a->connect->routes;
    pthread_mutex_lock(&r->edit);
    Err err = delete_locked(r, a->q->id);
    pthread_mutex_unlock(&r->edit);
    if (err == ERR_ROUTE_NOT_FOUND) not_found(a);
    else if (err) ask_fail(a, err, "%s", err_text(err));
    else ask_empty(a, 204);
}

void ask_eventroutes(Ask *a) {
    Str method = a->q->method;
    bool live = !a->q->world.n || str_eq(a->q->world, STR("live")), read = str_eq(method, STR("GET"));
    if (!live && read && !a->q->id.n) {
        Buf none = {0};
        buf_str_put(&none, STR("{\"value\":[],\"nextLink\":null}"));
        ask_json(a, 200, &none);
        buf_free(&none);
    } else if (!live && !read) ask_fail(a, ERR_NOT_ALLOWED, "Event routes belong to the live world.");
    else if (!live) not_found(a);
    else if (read && !a->q->id.n) list(a);
    else if (read) get(a);
    else if (!a->q->id.n) ask_fail(a, ERR_METHOD, "The list takes GET.");
    else if (str_eq(method, STR("PUT"))) put(a);
    else if (str_eq(method, STR("DELETE"))) delete (a);
    else ask_fail(a, ERR_METHOD, "An event route takes GET, PUT and DELETE.");
}
