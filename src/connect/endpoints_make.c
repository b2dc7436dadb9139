// SPDX-License-Identifier: Apache-2.0
// Endpoints made of documents: their secrets, their life. All values of "headers" are secrets; they are kept together
// as one text.
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "connect/endpoints.h"

static const char *const SECRETS[] = {"secret", "password", "tls.key", "tls.keyPassword", NULL};

static const EndpointKind *const KINDS[] = {&endpoint_webhook, &endpoint_mqtt};

const EndpointKind *endpoint_kind(Str name) {
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (str_eq(name, str_of(KINDS[i]->name))) return KINDS[i];
    }
    return NULL;
}

// ---- headers ------------------------------------------------------------------------------------------------------

typedef struct HeaderReading {
    Str key; // "endpoint/NAME/headers"
    Arena *a;
    Str text;
} HeaderReading;

static bool keep_headers(void *ctx, SosiaStr key, SosiaStr value) {
    HeaderReading *r = ctx;
    if (str_eq(key, r->key)) r->text = arena_str(r->a, value);
    return str_cmp(key, r->key) < 0;
}

static Json *member(Json *object, Str name) { return (Json *)json_get(object, name); } // the tree is ours

static void set_member(Json *object, Str name, Json value, Arena *a) {
    Json *v = member(object, name);
    if (v) {
        *v = value;
        return;
    }
    JsonMember *members = NEW(a, JsonMember, object->count + 1);
    if (object->count) memcpy(members, object->members, (size_t)object->count * sizeof *members);
    members[object->count++] = (JsonMember){.key = name, .value = value};
    object->members = members;
}

// The text of one header: given, or stored before.
static Err header_text(Json *v, Str name, const Json *stored, bool moved, Arena *a, Diag *d) {
    if (v->type == JSON_STRING) return ERR_OK;
    const Json *set = json_get(v, STR("set")), *was = json_get(stored, name);
    if (v->type != JSON_OBJECT || !set || set->type != JSON_TRUE)
        return diag_add(d, ERR_ARGUMENT, -1, -1, STR("headers"), "%.*s: a text or {\"set\":true} is expected",
                        STR_ARG(name));
    if (!was)
        return diag_add(d, ERR_ARGUMENT, -1, -1, STR("headers"), "%.*s: nothing is stored for it: give its text",
                        STR_ARG(name));
    if (moved) return secret_is_old(STR("headers"), arena_printf(a, "%.*s: ", STR_ARG(name)), d);
    *v = *was;
    return ERR_OK;
}

static Err take_headers(Routes *r, Str name, Json *doc, Arena *a, EndpointSecrets *s, Diag *d) {
    HeaderReading h = {.key = arena_printf(a, "endpoint/%.*s/headers", STR_ARG(name)), .a = a};
    Json stored = {.type = JSON_OBJECT};
    Str before = str_sub(h.key, 0, h.key.n - 7);
    TRY((Err)sosia_items_scan(r->connect->engine, STR("secret"), before, 0, keep_headers, &h));
    s->headers_were = h.text.n > 0;
    if (h.text.n) TRY(json_parse(h.text, NULL, a, &stored, NULL));
    Json *headers = member(doc, STR("headers"));
    if (!headers && !s->headers_were) return ERR_OK;
    if (!headers && s->plain.moved) return secret_is_old(STR("headers"), (Str){0}, d);
    if (!headers) set_member(doc, STR("headers"), stored, a);
    headers = member(doc, STR("headers"));
    if (headers->type == JSON_NULL) *headers = (Json){.type = JSON_OBJECT};
    if (headers->type != JSON_OBJECT)
        return diag_add(d, ERR_ARGUMENT, -1, -1, STR("headers"), "an object of texts is expected");
    for (int32_t i = 0; i < headers->count; i++)
        TRY(header_text(&headers->members[i].value, headers->members[i].key, &stored, s->plain.moved, a, d));
    if (!headers->count) return ERR_OK;
    Buf text = {0};
    json_put(&text, headers);
    s->headers = arena_str(a, buf_str(&text));
    buf_free(&text);
    return ERR_OK;
}

void endpoint_hide(Json *doc, const EndpointSecrets *s, Arena *a) {
    Json *headers = member(doc, STR("headers"));
    secrets_hide(doc, &s->plain);
    if (!headers || headers->type != JSON_OBJECT || !headers->count) return;
    JsonMember *members = NEW(a, JsonMember, headers->count);
    for (int32_t i = 0; i < headers->count; i++) {
        JsonMember *yes = NEW(a, JsonMember, 1);
        *yes = (JsonMember){.key = STR("set"), .value = {.type = JSON_TRUE}};
        members[i] =
            (JsonMember){.key = headers->members[i].key, .value = {.type = JSON_OBJECT, .count = 1, .members = yes}};
    }
    headers->members = members;
}

// ---- reading ------------------------------------------------------------------------------------------------------

Err endpoint_read(Routes *r, Str name, Str text, Str before, Arena *a, Json *doc, const EndpointKind **kind,
                  EndpointSecrets *s, Diag *d) {
    *s = (EndpointSecrets){0};
    *kind = NULL;
    if (text.n > ENDPOINT_BYTES_MAX)
        return diag_add(d, ERR_TOO_LARGE, -1, -1, (Str){0}, "An endpoint has at most %d bytes.", ENDPOINT_BYTES_MAX);
    Str k;
    TRY(doc_read(text, name, a, doc, &k, d));
    const EndpointKind *found = endpoint_kind(k);
    if (!found) return diag_add(d, ERR_ARGUMENT, -1, -1, STR("kind"), "\"webhook\" or \"mqtt\" is expected");
    TRY(secrets_read_of(r->connect, arena_printf(a, "endpoint/%.*s/", STR_ARG(name)), SECRETS, a, &s->plain));
    s->plain.moved = secrets_moved(before, doc, a);
    TRY(secrets_take(doc, &s->plain, a, d));
    TRY(take_headers(r, name, doc, a, s, d));
    Doc p = doc_of(doc, (Str){0}, found->members, d, a);
    if (!p.err) found->check(&p);
    if (p.err) return p.err;
    *kind = found;
    return ERR_OK;
}

Doc endpoint_doc(Endpoint *e) { return doc_of(&e->doc, (Str){0}, e->kind->members, NULL, &e->arena); }

// ---- life ---------------------------------------------------------------------------------------------------------

static void fail_diag(Endpoint *e, const Diag *d, Err err) {
    Buf text = {0};
    if (d->count) diag_print(d, &text);
    else buf_printf(&text, "%s", err_text(err));
    endpoint_state(e, "failed", str_trim(buf_str(&text)));
    buf_free(&text);
}

// Configure it from its text. One whose text cannot be read has no kind.
static void configure(Endpoint *e) {
    EndpointSecrets s;
    Diag d;
    diag_init(&d);
    Str text = buf_str(&e->text);
    Err err = endpoint_read(e->connect->routes, e->name, text, text, &e->arena, &e->doc, &e->kind, &s, &d);
    if (err) fail_diag(e, &d, err);
    diag_free(&d);
    if (err) return;
    Doc p = endpoint_doc(e);
    bool webhook = e->kind == &endpoint_webhook;
    e->batch = webhook ? (int32_t)doc_int(&p, "batch", 1, 1, WEBHOOK_BATCH_MAX) : MQTT_WINDOW;
    e->retries = (int32_t)doc_int(&p, "retries", RETRIES_DEFAULT, 0, RETRIES_MAX);
    e->keep_letters = doc_bool(&p, "deadLetter", true);
    e->paused = doc_bool(&p, "paused", false);
}

static Endpoint *endpoint_new(SosiaConnect *k, Str name, Str text) {
    Endpoint *e = mem_alloc(sizeof *e);
    e->connect = k;
    e->name = endpoint_own(name);
    e->state = "idle";
    arena_init(&e->arena, 4096);
    buf_str_put(&e->text, text);
    pthread_mutex_init(&e->lock, NULL);
    cond_init_mono(&e->wake);
    configure(e);
    return e;
}

Endpoint *endpoint_twin(const Endpoint *e) {
    Endpoint *copy = endpoint_new(e->connect, e->name, buf_str(&e->text));
    copy->trial = true;
    return copy;
}

void endpoint_free(Endpoint *e) {
    if (!e) return;
    endpoint_stop(e);
    mem_free(e->letters.at);
    mem_free(e->replay);
    buf_free(&e->trouble);
    buf_free(&e->text);
    arena_free(&e->arena);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    mem_free((char *)e->name.p);
    mem_free(e);
}

static void carry(EndpointStats *to, const EndpointStats *from) {
    to->delivered = from->delivered;
    to->failed = from->failed;
    to->retries = from->retries;
    to->gaps = from->gaps;
    to->letters_dropped = from->letters_dropped;
    to->cursor = from->cursor;
    to->last_delivery_ns = from->last_delivery_ns;
}

static void put_in(Routes *r, Endpoint *e, Endpoint *old) {
    int32_t at = 0;
    pthread_mutex_lock(&r->lock);
    while (at < r->endpoint_count && str_cmp(r->endpoints[at]->name, e->name) < 0) at++;
    if (!old) {
        CHECK(r->endpoint_count < ENDPOINTS_MAX);
        memmove(&r->endpoints[at + 1], &r->endpoints[at], (size_t)(r->endpoint_count - at) * sizeof(Endpoint *));
        r->endpoint_count++;
    }
    r->endpoints[at] = e;
    pthread_mutex_unlock(&r->lock);
}

Err endpoint_install(Routes *r, Str name, Str text, Endpoint *old) {
    Endpoint *e = endpoint_new(r->connect, name, text);
    if (old) {
        endpoint_stop(old);
        carry(&e->stats, &old->stats);
    }
    Err err = letters_load(e);
    put_in(r, e, old);
    endpoint_free(old);
    if (err) return err;
    if (e->paused || r->connect->paused) endpoint_state(e, "paused", (Str){0});
    else if (e->kind) return endpoint_start(e);
    return ERR_OK;
}
