// SPDX-License-Identifier: Apache-2.0
// The resource /endpoints: where events go, and what was not taken.
#include "connect/endpoints.h"
#include <stdio.h>
#include "base/mem.h"
#include "base/time.h"

#define REPLAY_IDS_MAX DEADLETTERS_MAX

static void not_found(Ask *a) {
    ask_fail(a, ERR_ENDPOINT_NOT_FOUND, "There is no endpoint \"%.*s\". List what there is with GET /endpoints.",
             STR_ARG(a->q->id));
}

// ---- reading ------------------------------------------------------------------------------------------------------

static void put_count(Buf *b, const char *name, int64_t n) { buf_printf(b, ",\"%s\":%lld", name, (long long)n); }

// Its routes; r->lock held.
static int32_t routes_of(const Routes *r, Str name) {
    int32_t n = 0;
    for (int32_t i = 0; i < r->route_count; i++) n += str_eq(r->routes[i].endpoint, name);
    return n;
}

static void put_status(const Routes *r, Endpoint *e, uint64_t now, Buf *b) {
    const EndpointStats *s = &e->stats;
    uint64_t cursor = atomic_load(&s->cursor);
    int32_t routes = routes_of(r, e->name);
    buf_printf(b, "\"status\":{\"state\":\"%s\"", e->state);
    put_count(b, "routes", routes);
    put_count(b, "delivered", s->delivered);
    put_count(b, "failed", s->failed);
    put_count(b, "retries", s->retries);
    put_count(b, "deadLetters", s->letters);
    put_count(b, "deadLettersDropped", s->letters_dropped);
    put_count(b, "gaps", s->gaps);
    put_count(b, "cursor", (int64_t)cursor);
    put_count(b, "lag", routes && now > cursor ? (int64_t)(now - cursor) : 0);
    buf_str_put(b, STR(",\"lastDelivery\":"));
    if (s->last_delivery_ns) {
        buf_byte(b, '"');
        time_print(s->last_delivery_ns, 7, b);
        buf_byte(b, '"');
    } else {
        buf_str_put(b, STR("null"));
    }
    buf_str_put(b, STR(",\"trouble\":"));
    json_put_str(b, buf_str(&e->trouble));
    buf_byte(b, '}');
}

// {"name",...as stored...,"status"}. Caller holds edit.
static void put_endpoint(Routes *r, Endpoint *e, uint64_t now, Buf *b) {
    Str text = buf_str(&e->text);
    buf_str_put(b, STR("{\"name\":"));
    json_put_str(b, e->name);
    if (text.n > 2) {
        buf_byte(b, ',');
        buf_str_put(b, str_sub(text, 1, text.n - 1));
    }
    buf_byte(b, ',');
    pthread_mutex_lock(&r->lock);
    pthread_mutex_lock(&e->lock);
    put_status(r, e, now, b);
    pthread_mutex_unlock(&e->lock);
    pthread_mutex_unlock(&r->lock);
    buf_byte(b, '}');
}

static void list(Ask *a) {
    Routes *r = a->connect->routes;
    Buf b = {0};
    uint64_t now = routes_now(a->connect);
    buf_str_put(&b, STR("{\"value\":["));
    pthread_mutex_lock(&r->edit);
    for (int32_t i = 0; i < r->endpoint_count; i++) {
        if (i) buf_byte(&b, ',');
        put_endpoint(r, r->endpoints[i], now, &b);
    }
    pthread_mutex_unlock(&r->edit);
    buf_str_put(&b, STR("],\"nextLink\":null}"));
    ask_json(a, 200, &b);
    buf_free(&b);
}

// Answer with one; edit is not held.
static void answer(Ask *a, int status) {
    Routes *r = a->connect->routes;
    Buf b = {0};
    uint64_t now = routes_now(a->connect);
    pthread_mutex_lock(&r->edit);
    Endpoint *e = routes_endpoint(r, a->q->id);
    if (e) put_endpoint(r, e, now, &b);
    pthread_mutex_unlock(&r->edit);
    if (e) ask_json(a, status, &b);
    else not_found(a);
    buf_free(&b);
}

// ---- PUT and DELETE -----------------------------------------------------------------------------------------------

static SosiaItem secret_item(Str name, const char *path, Str value, bool set, Arena *a) {
    return (SosiaItem){.kind = STR("secret"),
                       .key = arena_printf(a, "endpoint/%.*s/%s", STR_ARG(name), path),
                       .value = value,
                       .remove = !set};
}

static Err store(Routes *r, Str name, Json *doc, const EndpointSecrets *s, Endpoint *old, Arena *a) {
    SosiaItem items[SECRETS_MAX + 2];
    int64_t n = 1;
    Buf text = {0};
    endpoint_hide(doc, s, a);
    json_put(&text, doc);
    items[0] = (SosiaItem){.kind = STR("endpoint"), .key = name, .value = buf_str(&text)};
    for (int32_t i = 0; i < s->plain.count; i++) {
        const Secret *one = &s->plain.items[i];
        if (one->set || one->was) items[n++] = secret_item(name, one->path, one->value, one->set, a);
    }
    if (s->headers.n || s->headers_were) items[n++] = secret_item(name, "headers", s->headers, s->headers.n > 0, a);
    Err err = (Err)sosia_items_put_wait(r->connect->engine, items, n);
    if (!err) err = endpoint_install(r, name, buf_str(&text), old);
    buf_free(&text);
    return err;
}

static Err put_locked(Ask *a, Routes *r, Arena *arena, bool *created, Diag *d) {
    Json doc;
    const EndpointKind *kind;
    EndpointSecrets s;
    Endpoint *old = routes_endpoint(r, a->q->id);
    *created = !old;
    if (old && a->q->if_none_match.n)
        return diag_add(d, ERR_EXISTS, -1, -1, (Str){0}, "There is an endpoint of that name.");
    if (!old && r->endpoint_count == ENDPOINTS_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "There are %d endpoints already.", ENDPOINTS_MAX);
    TRY(endpoint_read(r, a->q->id, a->q->body, old ? buf_str(&old->text) : (Str){0}, arena, &doc, &kind, &s, d));
    return store(r, a->q->id, &doc, &s, old, arena);
}

static void put(Ask *a) {
    Routes *r = a->connect->routes;
    Arena arena;
    Diag d;
    bool created = false;
    if (!doc_name_ok(a->q->id)) {
        ask_fail(a, ERR_ARGUMENT, "A name has 1 to %d letters, digits, '-', '_' and '.'.", CONNECT_NAME_MAX);
        return;
    }
    arena_init(&arena, 0);
    diag_init(&d);
    pthread_mutex_lock(&r->edit);
    Err err = put_locked(a, r, &arena, &created, &d);
    pthread_mutex_unlock(&r->edit);
    if (err) {
        ask_fail_diag(a, err, &d);
    } else {
        answer(a, created ? 201 : 200);
    }
    diag_free(&d);
    arena_free(&arena);
}

// Caller holds edit.
static Err delete_locked(Routes *r, Str name, Arena *a, Buf *why) {
    SosiaItem items[SECRETS_MAX + 2];
    int64_t n = 1;
    static const char *const secrets[] = {"secret", "password", "tls.key", "tls.keyPassword", "headers"};
    Endpoint *e = routes_endpoint(r, name);
    if (!e) return ERR_ENDPOINT_NOT_FOUND;
    for (int32_t i = 0; i < r->route_count; i++) {
        if (!str_eq(r->routes[i].endpoint, name)) continue;
        buf_printf(why, "The event route \"%.*s\" goes there; delete it first.", STR_ARG(r->routes[i].id));
        return ERR_NOT_ALLOWED;
    }
    items[0] = (SosiaItem){.kind = STR("endpoint"), .key = name, .remove = true};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        items[n++] = secret_item(name, secrets[i], (Str){0}, false, a);
    TRY(letters_remove(e, NULL, -1));
    TRY((Err)sosia_items_put_wait(r->connect->engine, items, n));
    pthread_mutex_lock(&r->lock);
    int32_t at = 0;
    while (r->endpoints[at] != e) at++;
    memmove(&r->endpoints[at], &r->endpoints[at + 1], (size_t)(--r->endpoint_count - at) * sizeof(Endpoint *));
    pthread_mutex_unlock(&r->lock);
    endpoint_free(e);
    return ERR_OK;
}

static void delete (Ask *a) {
    Routes *r = a->connect->routes;
    Arena arena;
    Buf why = {0};
    arena_init(&arena, 1024);
    pthread_mutex_lock(&r->edit);
    Err err = delete_locked(r, a->q->id, &arena, &why);
    pthread_mutex_unlock(&r->edit);
    if (err == ERR_ENDPOINT_NOT_FOUND) not_found(a);
    else if (err) ask_fail(a, err, "%.*s", STR_ARG(why.n ? buf_str(&why) : str_of(err_text(err))));
    else ask_empty(a, 204);
    buf_free(&why);
    arena_free(&arena);
}

// ---- dead letters -------------------------------------------------------------------------------------------------

static void show_letters(Ask *a, Endpoint *e) {
    Arena arena;
    Buf b = {0};
    arena_init(&arena, 256);
    Str after = ask_param(a, STR("after"), &arena);
    Err err = after.n && !letter_number(after) ? ERR_TOKEN : letters_show(e, letter_number(after), a->q->base_url, &b);
    if (err) ask_fail(a, err, "%s", err_text(err));
    else ask_json(a, 200, &b);
    buf_free(&b);
    arena_free(&arena);
}

// {"ids":[...]} or nothing: all. *n < 0: all. Errors: SYNTAX, ARGUMENT.
static Err read_ids(Ask *a, Arena *arena, uint64_t **out, int64_t *n) {
    Json doc;
    *n = -1;
    if (!str_trim(a->q->body).n) return ERR_OK;
    TRY(json_parse(a->q->body, NULL, arena, &doc, NULL));
    const Json *ids = json_get(&doc, STR("ids"));
    if (doc.type != JSON_OBJECT || (ids && ids->type != JSON_ARRAY)) return ERR_ARGUMENT;
    if (!ids) return ERR_OK;
    if (ids->count > REPLAY_IDS_MAX) return ERR_LIMIT;
    *out = NEW(arena, uint64_t, ids->count + 1);
    *n = 0;
    for (int32_t i = 0; i < ids->count; i++) {
        uint64_t number = ids->items[i].type == JSON_STRING ? letter_number(ids->items[i].s) : 0;
        if (!number) return ERR_ARGUMENT;
        (*out)[(*n)++] = number;
    }
    return ERR_OK;
}

static void with_ids(Ask *a, Endpoint *e, bool again) {
    Arena arena;
    uint64_t *ids = NULL;
    int64_t n = 0;
    Buf b = {0};
    arena_init(&arena, 1024);
    Err err = read_ids(a, &arena, &ids, &n);
    if (err) ask_fail(a, err, "{\"ids\":[\"...\"]} with ids of dead letters is expected, or no body for all of them.");
    else if (again) {
        buf_printf(&b, "{\"replaying\":%lld}", (long long)endpoint_replay(e, ids, n));
        ask_json(a, 202, &b);
    } else {
        err = letters_remove(e, ids, n);
        if (err) ask_fail(a, err, "%s", err_text(err));
        else ask_empty(a, 204);
    }
    buf_free(&b);
    arena_free(&arena);
}

static void tell_test(Ask *a, const SendResult *r, Err err, Str why) {
    Buf b = {0};
    bool ok = !err && r->kind == SEND_OK;
    buf_printf(&b, "{\"delivered\":%s,\"status\":%d,\"trouble\":", ok ? "true" : "false", r->status);
    json_put_str(&b, ok ? (Str){0} : err ? why : str_of(r->why));
    buf_byte(&b, '}');
    ask_json(a, 200, &b);
    buf_free(&b);
}

// An event of no twin, to see whether it arrives, on a way of its own. Frees the copy.
static void test(Ask *a, Endpoint *copy) {
    SendResult result = {0};
    Buf why = {0}, body = {0};
    if (!copy->kind) {
        ask_fail(a, ERR_NOT_ALLOWED, "The endpoint is not usable: %.*s", STR_ARG(buf_str(&copy->trouble)));
        endpoint_free(copy);
        return;
    }
    CloudEvent ev = {.type = STR("Sosia.Test"), .source = a->connect->host, .subject = STR("test")};
    Arena arena;
    arena_init(&arena, 256);
    ev.id = arena_printf(&arena, "test-%lld", (long long)time_now_ns());
    ev.traceparent = STR("00-00000000000000000000000000000001-0000000000000001-00");
    cloudevent_put(&ev, STR("{}"), &body);
    Outgoing o = {.body = buf_str(&body),
                  .id = ev.id,
                  .type = ev.type,
                  .subject = ev.subject,
                  .source = ev.source,
                  .route = STR("test"),
                  .twin = ev.subject};
    Err err = copy->kind->open(copy, &why);
    if (!err) copy->kind->send(copy, &o, 1, &result);
    if (!err) copy->kind->close(copy);
    tell_test(a, &result, err, buf_str(&why));
    endpoint_free(copy);
    arena_free(&arena);
    buf_free(&why);
    buf_free(&body);
}

static void verb(Ask *a) {
    Routes *r = a->connect->routes;
    Str method = a->q->method, name = a->q->sub;
    bool get = str_eq(method, STR("GET")), post = str_eq(method, STR("POST"));
    bool letters = str_eq(name, STR("deadletters")), trial = str_eq(name, STR("test")) && post;
    pthread_mutex_lock(&r->edit); // it stays while we look
    Endpoint *e = routes_endpoint(r, a->q->id), *copy = e && trial ? endpoint_twin(e) : NULL;
    if (!e) not_found(a);
    else if (letters && get) show_letters(a, e);
    else if (letters && str_eq(method, STR("DELETE"))) with_ids(a, e, false);
    else if (str_eq(name, STR("replay")) && post) with_ids(a, e, true);
    else if (letters) ask_fail(a, ERR_METHOD, "Dead letters take GET and DELETE.");
    else if (!trial) ask_fail(a, ERR_NO_ROUTE, "An endpoint has deadletters (GET, DELETE), replay and test (POST).");
    pthread_mutex_unlock(&r->edit);
    if (copy) test(a, copy);
}

void ask_endpoints(Ask *a) {
    Str method = a->q->method;
    bool read = str_eq(method, STR("GET"));
    if (a->q->sub.n) verb(a);
    else if (read && !a->q->id.n) list(a);
    else if (read) answer(a, 200);
    else if (!a->q->id.n) ask_fail(a, ERR_METHOD, "The list takes GET.");
    else if (str_eq(method, STR("PUT"))) put(a);
    else if (str_eq(method, STR("DELETE"))) delete (a);
    else ask_fail(a, ERR_METHOD, "An endpoint takes GET, PUT and DELETE.");
}
