// SPDX-License-Identifier: Apache-2.0
// The resource /connections: see sosia/connect.h.
#include "base/mem.h"
#include "connect/connect_doc.h"
#include "connect/connections.h"

// ---- answers ------------------------------------------------------------------------------------------------------

static Connection *find(Ask *a) {
    Connection *c = connection_find(a->connect, a->q->id);
    if (!c) ask_fail(a, ERR_CONNECTION_NOT_FOUND, "There is no connection \"%.*s\".", STR_ARG(a->q->id));
    return c;
}

// The document with "name" before and "status" behind.
static void put_connection(Connection *c, Buf *out) {
    Str text = str_trim(buf_str(&c->text));
    buf_printf(out, "{\"name\":");
    json_put_str(out, c->name);
    Str members = text.n > 2 ? str_trim(str_sub(text, 1, text.n - 1)) : (Str){0};
    if (members.n) {
        buf_byte(out, ',');
        buf_str_put(out, members);
    }
    buf_printf(out, ",\"status\":{");
    connection_status(c, out);
    if (!pthread_rwlock_tryrdlock(&c->life)) {
        if (c->running && c->kind->show) c->kind->show(c, out);
        pthread_rwlock_unlock(&c->life);
    }
    buf_printf(out, "}}");
}

static void answer_connection(Ask *a, int status, Str name) {
    Connection *c = connection_find(a->connect, name);
    if (!c) {
        ask_fail(a, ERR_CONNECTION_NOT_FOUND, "The connection was deleted meanwhile.");
        return;
    }
    Buf out = {0};
    put_connection(c, &out);
    connection_unref(c);
    ask_json(a, status, &out);
    buf_free(&out);
}

static void list(Ask *a) {
    Arena arena;
    arena_init(&arena, 4096);
    int64_t count;
    Connection **all = connections_all(a->connect, &arena, &count);
    Buf out = {0};
    buf_printf(&out, "{\"value\":[");
    for (int64_t i = 0; i < count; i++) {
        if (i) buf_byte(&out, ',');
        put_connection(all[i], &out);
        connection_unref(all[i]);
    }
    buf_printf(&out, "]}");
    arena_free(&arena);
    ask_json(a, 200, &out);
    buf_free(&out);
}

static void get(Ask *a) {
    Connection *c = find(a);
    if (!c) return;
    connection_unref(c);
    answer_connection(a, 200, a->q->id);
}

static void samples(Ask *a, bool errors) {
    Connection *c = find(a);
    if (!c) return;
    Buf out = {0};
    connection_samples(c, errors, &out);
    connection_unref(c);
    ask_json(a, 200, &out);
    buf_free(&out);
}

// ---- changes ------------------------------------------------------------------------------------------------------

// A document as it came: parsed, its secrets filled in, checked. `name` and `status` may be what GET gave. before: the
// one stored under that name, "" none. Caller holds `edit`: secrets belong to `before`.
static Err read_document(Ask *a, Str before, Arena *arena, Json *doc, const ConnectKind **kind, Secrets *s, Diag *d) {
    Str name = a->q->id;
    if (a->q->body.n > CONNECTION_BYTES_MAX)
        return diag_add(d, ERR_TOO_LARGE, -1, -1, (Str){0}, "A connection has at most %d bytes.", CONNECTION_BYTES_MAX);
    Str k;
    TRY(doc_read(a->q->body, name, arena, doc, &k, d));
    *kind = connect_kind(k);
    if (!*kind)
        return diag_add(d, ERR_ARGUMENT, -1, -1, STR("kind"),
                        "\"mqtt\", \"sparkplug\", \"line\" or \"http\" is expected");
    TRY(secrets_read(a->connect, name, *kind, arena, s));
    s->moved = secrets_moved(before, doc, arena);
    TRY(secrets_take(doc, s, arena, d));
    return (*kind)->check(doc, d);
}

static SosiaItem secret_item(Str name, const Secret *s, bool set, Arena *arena) {
    return (SosiaItem){.kind = STR("secret"),
                       .key = arena_printf(arena, "connection/%.*s/%s", STR_ARG(name), s->path),
                       .value = s->value,
                       .remove = !set};
}

// Store the document and its secrets in one transaction, then run it.
static Err store(SosiaConnect *k, Str name, Json *doc, const Secrets *s, Arena *arena) {
    SosiaItem items[SECRETS_MAX + 1];
    int64_t n = 0;
    Buf text = {0};
    secrets_hide(doc, s);
    json_put(&text, doc);
    items[n++] = (SosiaItem){.kind = STR("connection"), .key = name, .value = buf_str(&text)};
    for (int32_t i = 0; i < s->count; i++)
        if (s->items[i].set || s->items[i].was) items[n++] = secret_item(name, &s->items[i], s->items[i].set, arena);
    Err err = (Err)sosia_items_put_wait(k->engine, items, n);
    if (!err) connection_install(k, connection_make(k, name, buf_str(&text)));
    buf_free(&text);
    return err;
}

static bool is_full(SosiaConnect *k) {
    pthread_mutex_lock(&k->lock);
    bool full = k->connection_count >= CONNECTIONS_MAX;
    pthread_mutex_unlock(&k->lock);
    return full;
}

// Two with one client id at one broker would throw each other out for ever.
static Err check_client(SosiaConnect *k, Str name, const Json *doc, Arena *arena, Diag *d) {
    const Json *id = json_get(doc, STR("clientId"));
    if (!id || id->type != JSON_STRING || !id->s.n) return ERR_OK;
    int64_t count;
    Err err = ERR_OK;
    Connection **all = connections_all(k, arena, &count);
    for (int64_t i = 0; i < count; i++) {
        Connection *c = all[i];
        const Json *other = c->kind ? json_get(&c->doc, STR("clientId")) : NULL; // without a kind it does not run
        if (!err && other && other->type == JSON_STRING && !str_eq(c->name, name) && str_eq(other->s, id->s) &&
            same_broker(doc, &c->doc))
            err = diag_add(d, ERR_ARGUMENT, -1, -1, STR("clientId"),
                           "the connection \"%.*s\" has it at the same broker, they would throw each other out",
                           STR_ARG(c->name));
        connection_unref(c);
    }
    return err;
}

static Err put_locked(Ask *a, Arena *arena, bool *created, Diag *d) {
    SosiaConnect *k = a->connect;
    Str name = a->q->id;
    Connection *old = connection_find(k, name);
    Str before = old ? arena_str(arena, buf_str(&old->text)) : (Str){0};
    *created = !old;
    connection_unref(old);
    if (old && a->q->if_none_match.n)
        return diag_add(d, ERR_EXISTS, -1, -1, (Str){0}, "There is a connection of that name.");
    if (!old && is_full(k))
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "There are %d connections already.", CONNECTIONS_MAX);
    Json doc;
    const ConnectKind *kind;
    Secrets secrets;
    TRY(read_document(a, before, arena, &doc, &kind, &secrets, d));
    TRY(check_client(k, name, &doc, arena, d));
    return store(k, name, &doc, &secrets, arena);
}

static void put(Ask *a) {
    if (!doc_name_ok(a->q->id)) {
        ask_fail(a, ERR_ARGUMENT, "A name has 1 to %d letters, digits, '-', '_' and '.'.", CONNECT_NAME_MAX);
        return;
    }
    Arena arena;
    Diag d;
    bool created = false;
    arena_init(&arena, 0);
    diag_init(&d);
    pthread_mutex_lock(&a->connect->edit);
    Err err = put_locked(a, &arena, &created, &d);
    pthread_mutex_unlock(&a->connect->edit);
    if (err) ask_fail_diag(a, err, &d);
    else answer_connection(a, created ? 201 : 200, a->q->id);
    diag_free(&d);
    arena_free(&arena);
}

// Every secret of that connection, whatever its kind.
typedef struct Forgetting {
    Str prefix;
    Arena *arena;
    SosiaItem items[2 * SECRETS_MAX];
    int64_t count;
} Forgetting;

static bool forget_secret(void *ctx, SosiaStr key, SosiaStr value) {
    Forgetting *f = ctx;
    (void)value;
    if (!str_starts(key, f->prefix) || f->count == 2 * SECRETS_MAX) return false;
    f->items[f->count++] = (SosiaItem){.kind = STR("secret"), .key = arena_str(f->arena, key), .remove = true};
    return true;
}

static Err forget(SosiaConnect *k, Str name) {
    Arena arena;
    arena_init(&arena, 4096);
    Forgetting f = {.prefix = arena_printf(&arena, "connection/%.*s/", STR_ARG(name)), .arena = &arena};
    f.items[f.count++] = (SosiaItem){.kind = STR("connection"), .key = name, .remove = true};
    Err err = (Err)sosia_items_scan(k->engine, STR("secret"), f.prefix, 0, forget_secret, &f);
    if (!err) err = (Err)sosia_items_put_wait(k->engine, f.items, f.count);
    arena_free(&arena);
    return err;
}

static void del(Ask *a) {
    SosiaConnect *k = a->connect;
    pthread_mutex_lock(&k->edit);
    Connection *c = connection_find(k, a->q->id);
    Err err = c ? forget(k, a->q->id) : ERR_CONNECTION_NOT_FOUND;
    connection_unref(c);
    if (!err) connection_remove(k, a->q->id);
    pthread_mutex_unlock(&k->edit);
    if (err == ERR_CONNECTION_NOT_FOUND) ask_fail(a, err, "There is no connection \"%.*s\".", STR_ARG(a->q->id));
    else if (err) ask_fail(a, err, "%s", err_text(err));
    else ask_empty(a, 204);
}

// The stored text with "paused" as wanted.
static void set_paused(Json *doc, bool paused, Arena *arena) {
    doc_drop(doc, STR("paused"));
    if (!paused) return;
    JsonMember *members = NEW(arena, JsonMember, doc->count + 1);
    if (doc->count) memcpy(members, doc->members, (size_t)doc->count * sizeof *members);
    members[doc->count++] = (JsonMember){.key = STR("paused"), .value = {.type = JSON_TRUE}};
    doc->members = members;
}

static Err pause_locked(SosiaConnect *k, Str name, bool paused, Arena *arena) {
    Connection *c = connection_find(k, name);
    if (!c) return ERR_CONNECTION_NOT_FOUND;
    Json doc;
    Str text = arena_str(arena, buf_str(&c->text));
    bool same = c->paused == paused && atomic_load(&c->state) != CONN_FAILED;
    connection_unref(c);
    if (same) return ERR_OK;
    TRY(json_parse(text, NULL, arena, &doc, NULL));
    set_paused(&doc, paused, arena);
    return store(k, name, &doc, &(Secrets){0}, arena);
}

static void pause_or_resume(Ask *a, bool paused) {
    Arena arena;
    arena_init(&arena, 0);
    pthread_mutex_lock(&a->connect->edit);
    Err err = pause_locked(a->connect, a->q->id, paused, &arena);
    pthread_mutex_unlock(&a->connect->edit);
    arena_free(&arena);
    if (err == ERR_CONNECTION_NOT_FOUND) ask_fail(a, err, "There is no connection \"%.*s\".", STR_ARG(a->q->id));
    else if (err) ask_fail(a, err, "%s", err_text(err));
    else answer_connection(a, 200, a->q->id);
}

// ---- test and write -----------------------------------------------------------------------------------------------

static void finish(Ask *a, Err err, Buf *out, Buf *why) {
    if (err && !why->n) buf_printf(why, "%s", err_text(err));
    if (err) ask_fail(a, err, "%.*s", STR_ARG(buf_str(why)));
    else if (out->n) ask_json(a, 200, out);
    else ask_empty(a, 204);
    buf_free(out);
    buf_free(why);
}

// A document that comes with the request, or the one of that name.
static Err read_tested(Ask *a, Arena *arena, Json *doc, const ConnectKind **kind, Diag *d) {
    Secrets secrets;
    pthread_mutex_lock(&a->connect->edit);
    Connection *c = connection_find(a->connect, a->q->id);
    Str before = c ? arena_str(arena, buf_str(&c->text)) : (Str){0};
    connection_unref(c);
    if (!a->q->body.n) a->ask.body = before;
    Err err = a->q->body.n ? read_document(a, before, arena, doc, kind, &secrets, d) : ERR_CONNECTION_NOT_FOUND;
    pthread_mutex_unlock(&a->connect->edit);
    return err;
}

static void test(Ask *a) {
    Arena arena;
    Diag d;
    Json doc;
    const ConnectKind *kind = NULL;
    arena_init(&arena, 0);
    diag_init(&d);
    Err err = read_tested(a, &arena, &doc, &kind, &d);
    Buf out = {0}, why = {0};
    if (err) {
        ask_fail_diag(a, err, &d);
    } else if (!kind->test) {
        ask_fail(a, ERR_UNSUPPORTED, "A connection of this kind cannot be tested: send it something.");
    } else {
        err = kind->test(a->connect, &doc, a, &out, &why);
        finish(a, err, &out, &why);
    }
    diag_free(&d);
    arena_free(&arena);
}

static void write_values(Ask *a) {
    Connection *c = find(a);
    if (!c) return;
    Buf out = {0}, why = {0};
    Err err = ERR_DEVICE_OFFLINE;
    pthread_rwlock_rdlock(&c->life);
    if (c->running && !c->kind->write) err = ERR_UNSUPPORTED;
    else if (c->running) err = c->kind->write(c, a, &out, &why);
    else buf_printf(&why, "The connection \"%.*s\" does not run.", STR_ARG(c->name));
    pthread_rwlock_unlock(&c->life);
    connection_unref(c);
    finish(a, err, &out, &why);
}

static void verb(Ask *a, bool get_it, bool post) {
    Str v = a->q->sub;
    bool reads = str_eq(v, STR("errors")) || str_eq(v, STR("messages"));
    bool acts =
        str_eq(v, STR("pause")) || str_eq(v, STR("resume")) || str_eq(v, STR("test")) || str_eq(v, STR("write"));
    if (!reads && !acts) ask_fail(a, ERR_NO_ROUTE, "A connection has no \"%.*s\".", STR_ARG(v));
    else if (reads ? !get_it : !post) ask_fail(a, ERR_METHOD, "%s is expected.", reads ? "GET" : "POST");
    else if (reads) samples(a, str_eq(v, STR("errors")));
    else if (v.p[0] == 't') test(a);
    else if (v.p[0] == 'w') write_values(a);
    else pause_or_resume(a, v.p[0] == 'p');
}

void ask_connections(Ask *a) {
    Str m = a->q->method;
    bool is_get = str_eq(m, STR("GET"));
    if (a->q->sub.n) verb(a, is_get, str_eq(m, STR("POST")));
    else if (is_get && !a->q->id.n) list(a);
    else if (is_get) get(a);
    else if (a->q->id.n && str_eq(m, STR("PUT"))) put(a);
    else if (a->q->id.n && str_eq(m, STR("DELETE"))) del(a);
    else ask_fail(a, ERR_METHOD, "%s is expected.", a->q->id.n ? "GET, PUT or DELETE" : "GET");
}
