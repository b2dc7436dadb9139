// SPDX-License-Identifier: Apache-2.0
// Erasures: asking for one, the receipts of those that are over, and the key they are signed with.
// Life of a request: the I/O thread reads it; a reader, which may wait for the store, sees that there is a key and
// hands the request to the engine; when that is done, on a thread of the engine, it goes home and is answered: once, by
// who takes `call` first, the engine or a server that cannot wait any longer.
#include "serve/own.h"
#include <pthread.h>
#include "base/mem.h"
#include "codec/json.h"
#include "serve/receipt.h"

#define KEY_KIND STR("erasure.key") // item: the private key
#define KEY_NAME STR("ed25519")
#define RECEIPT_KIND STR("erasure")     // items of the engine: receipts without names, by the time they were asked for
#define PENDING_KIND STR("sosia.erase") // its items of what is not over
#define LIST_DEFAULT 100
#define TOKEN_MAX 64
#define NO_FILE STR("This server keeps no file or no history: what it forgets is nowhere. Delete the twin.")

// Who waits. Two hold it: the engine until it has called back, the server until it has answered.
typedef struct Erasing {
    struct Erasing *next;
    Call *owner;
    _Atomic(Call *) call; // NULL: somebody answers
    atomic_int holders;
    Str twin, property;
    Err err;
    Buf message, receipt;
} Erasing;

struct Erasures {
    pthread_mutex_t lock; // of the list
    Erasing *first;
    pthread_mutex_t key_lock; // held while the key is read or made
    bool has_key;
    ReceiptKey key;
};

struct Erasures *erasures_new(void) {
    struct Erasures *x = mem_alloc(sizeof *x);
    pthread_mutex_init(&x->lock, NULL);
    pthread_mutex_init(&x->key_lock, NULL);
    return x;
}

void erasures_free(struct Erasures *x) {
    receipt_key_forget(&x->key);
    pthread_mutex_destroy(&x->lock);
    pthread_mutex_destroy(&x->key_lock);
    mem_free(x);
}

// ---- the key ------------------------------------------------------------------------------------------------------

typedef struct Found {
    ReceiptKey *key;
    bool any;
    Err err;
} Found;

static bool take_key(void *ctx, SosiaStr name, SosiaStr value) {
    Found *f = ctx;
    if (!str_eq(name, KEY_NAME)) return true;
    f->any = true;
    f->err = receipt_key_load(value, f->key);
    return false;
}

static Err make_key(Sosia *engine, ReceiptKey *out) {
    Buf seed = {0};
    TRY(receipt_key_make(out));
    receipt_key_seed(out, &seed);
    SosiaItem item = {.kind = KEY_KIND, .key = KEY_NAME, .value = buf_str(&seed)};
    Err err = (Err)sosia_items_put_wait(engine, &item, 1);
    explicit_bzero(seed.p, (size_t)seed.n);
    buf_free(&seed);
    return err;
}

// The key of this world file, made at first use. Waits for the store. Errors: those of items, IO, CORRUPT.
static Err need_key(Server *s) {
    struct Erasures *x = s->erasures;
    Found f = {.key = &x->key};
    pthread_mutex_lock(&x->key_lock);
    Err err = ERR_OK;
    if (!x->has_key) {
        err = (Err)sosia_items_scan(s->engine, KEY_KIND, (Str){0}, 0, take_key, &f);
        if (!err) err = f.err;
        if (!err && !f.any) err = make_key(s->engine, &x->key);
        x->has_key = !err;
    }
    pthread_mutex_unlock(&x->key_lock);
    return err;
}

// ---- asking -------------------------------------------------------------------------------------------------------

static void drop(Erasing *e) {
    if (atomic_fetch_sub(&e->holders, 1) > 1) return;
    buf_free(&e->message);
    buf_free(&e->receipt);
    mem_free(e);
}

static void list_add(struct Erasures *x, Erasing *e) {
    pthread_mutex_lock(&x->lock);
    e->next = x->first;
    x->first = e;
    pthread_mutex_unlock(&x->lock);
}

static void list_remove(struct Erasures *x, Erasing *e) {
    pthread_mutex_lock(&x->lock);
    Erasing **at = &x->first;
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    pthread_mutex_unlock(&x->lock);
}

static void answer_receipt(Call *c, Erasing *e) {
    Buf body = {0};
    Err err = receipt_sign(&c->server->erasures->key, buf_str(&e->receipt), &body);
    if (err) call_failf(c, err, "It is erased, but the receipt could not be signed; GET /erasures lists it.");
    else call_json(c, 200, (Str){0}, &body);
    buf_free(&body);
}

static void answer_erased(HttpReq *r, void *arg) {
    Erasing *e = arg;
    Call *c = e->owner;
    (void)r;
    list_remove(c->server->erasures, e);
    if (e->err) call_fail(c, e->err, buf_str(&e->message), (Str){0});
    else answer_receipt(c, e);
    drop(e);
}

// Any thread. False: it was answered, or somebody does.
static bool take_call(Erasing *e) { return atomic_exchange(&e->call, NULL) != NULL; }

static void on_erased(void *arg, const SosiaDone *done) {
    Erasing *e = arg;
    if (take_call(e)) {
        e->err = (Err)done->err;
        buf_str_put(&e->message, done->message);
        buf_str_put(&e->receipt, done->body);
        http_post(e->owner->req, answer_erased, e);
    }
    drop(e);
}

void erasures_hurry(struct Erasures *x) {
    pthread_mutex_lock(&x->lock);
    for (Erasing *e = x->first, *next; e; e = next) {
        next = e->next; // a post may be carried out at once
        if (!take_call(e)) continue;
        e->err = ERR_CLOSED;
        buf_str_put(&e->message,
                    STR("The server stops. What it had begun goes on when it starts again, and GET /erasures "
                        "tells; ask again for what is not there."));
        http_post(e->owner->req, answer_erased, e);
    }
    pthread_mutex_unlock(&x->lock);
}

static void answer_not_begun(Call *c) {
    Erasing *e = c->job_arg;
    call_fail(c, e->err, buf_str(&e->message), (Str){0});
    drop(e);
}

static void refuse(Call *c, Erasing *e, Err err, Str message) {
    e->err = err;
    buf_str_put(&e->message, message);
    call_post(c, answer_not_begun);
}

static void erase_on_reader(Call *c) {
    Erasing *e = c->job_arg;
    Server *s = c->server;
    Err err = atomic_load(&s->hurry) ? ERR_CLOSED : need_key(s);
    if (err) {
        refuse(c, e, err, err == ERR_CORRUPT ? STR("The key of receipts in this file is damaged.") : (Str){0});
        return;
    }
    atomic_store(&e->holders, 2);
    list_add(s->erasures, e);
    err = (Err)sosia_erase(s->engine, &c->who, e->twin, e->property, on_erased, e);
    if (!err) return;
    bool mine = take_call(e); // or a server that stops answers
    drop(e);
    if (!mine) return;
    list_remove(s->erasures, e);
    refuse(c, e, err, err == ERR_UNSUPPORTED ? NO_FILE : (Str){0});
}

static bool read_member(Call *c, const JsonMember *m, Str *twin, Str *property) {
    Str *to = str_eq(m->key, STR("twin")) ? twin : str_eq(m->key, STR("property")) ? property : NULL;
    if (!to) call_failf(c, ERR_ARGUMENT, "There is no member %.*s here: there are twin and property.", STR_ARG(m->key));
    else if (m->value.type != JSON_STRING || !m->value.s.n)
        call_failf(c, ERR_ARGUMENT, "%.*s is text, and not empty.", STR_ARG(m->key));
    else {
        *to = m->value.s;
        return true;
    }
    return false;
}

static bool read_body(Call *c, Arena *arena, Str *twin, Str *property) {
    Json doc;
    if (json_parse(c->body, &(JsonLimits){.depth_max = 8}, arena, &doc, NULL) || doc.type != JSON_OBJECT || doc.dup) {
        call_failf(c, ERR_SYNTAX, "The body is {\"twin\":\"ID\"} or {\"twin\":\"ID\",\"property\":\"PATH\"}.");
        return false;
    }
    for (int32_t i = 0; i < doc.count; i++)
        if (!read_member(c, &doc.members[i], twin, property)) return false;
    if (!twin->n) call_failf(c, ERR_ARGUMENT, "Which twin? The body is {\"twin\":\"ID\"}, with a property or without.");
    return twin->n > 0;
}

static Str keep(Call *c, Str s) {
    char *p = http_alloc(c->req, s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

void own_erase(Call *c) {
    Arena arena;
    Str twin = {0}, property = {0};
    arena_init(&arena, 0);
    if (read_body(c, &arena, &twin, &property)) {
        Erasing *e = mem_alloc(sizeof *e);
        e->owner = c;
        e->twin = keep(c, twin);
        e->property = keep(c, property);
        atomic_store(&e->call, c);
        atomic_store(&e->holders, 1);
        c->job_arg = e;
        if (!call_reader(c, erase_on_reader)) drop(e);
    }
    arena_free(&arena);
}

// ---- the receipts -------------------------------------------------------------------------------------------------

typedef struct Listing {
    Server *server;
    Str id, after;
    int32_t limit;
    Err err;
    Buf body;
    char last[TOKEN_MAX + 1]; // id of the last one that is told, when there are more
} Listing;

static Str id_of(const Json *receipt) {
    const Json *id = json_get(receipt, STR("id"));
    return id && id->type == JSON_STRING && id->s.n <= TOKEN_MAX ? id->s : (Str){0};
}

// A page of `all`, in the order of ids: that of the times they were asked for.
static Err put_page(Listing *l, const Json *all) {
    int32_t i = 0, count = 0;
    while (l->after.n && i < all->count && str_cmp(id_of(&all->items[i]), l->after) <= 0) i++;
    for (; i < all->count && count < l->limit; i++, count++) {
        if (count) buf_byte(&l->body, ',');
        TRY(receipt_sign(&l->server->erasures->key, all->items[i].raw, &l->body));
    }
    if (i == all->count) return ERR_OK;
    Str last = id_of(&all->items[i - 1]);
    memcpy(l->last, last.p, (size_t)last.n);
    return ERR_OK;
}

static Err put_list(Listing *l, Str text, Arena *arena) {
    Json doc;
    TRY(json_parse(text, NULL, arena, &doc, NULL));
    buf_str_put(&l->body, STR("{\"value\":["));
    TRY(put_page(l, json_get(&doc, STR("value"))));
    buf_str_put(&l->body, STR("],\"pending\":"));
    json_put(&l->body, json_get(&doc, STR("pending")));
    return ERR_OK;
}

static Err look(Listing *l) {
    SosiaOut out = {0};
    Arena arena;
    arena_init(&arena, 0);
    Err err = (Err)sosia_erasures(l->server->engine, NULL, l->id, &out);
    if (!err) err = need_key(l->server);
    if (!err && l->id.n) err = receipt_sign(&l->server->erasures->key, buf_str(&out.body), &l->body);
    else if (!err) err = put_list(l, buf_str(&out.body), &arena);
    arena_free(&arena);
    sosia_out_free(&out);
    return err;
}

static void answer_look(Call *c) {
    Listing *l = c->job_arg;
    if (!l->err && !l->id.n) {
        buf_str_put(&l->body, STR(",\"nextLink\":"));
        if (l->last[0]) call_next_link(c, str_of(l->last), &l->body);
        else buf_str_put(&l->body, STR("null"));
        buf_byte(&l->body, '}');
    }
    if (l->err) call_fail(c, l->err, l->err == ERR_UNSUPPORTED ? NO_FILE : (Str){0}, (Str){0});
    else call_json(c, 200, (Str){0}, &l->body);
    buf_free(&l->body);
}

static void look_on_reader(Call *c) {
    Listing *l = c->job_arg;
    l->err = look(l);
    call_post(c, answer_look);
}

void own_erasures(Call *c) {
    Listing *l = http_alloc(c->req, sizeof *l);
    *l = (Listing){
        .server = c->server, .id = c->id, .limit = LIST_DEFAULT, .after = call_param(c, STR("continuationToken"))};
    if (!call_page_size(c, &l->limit)) return;
    c->job_arg = l;
    call_reader(c, look_on_reader);
}

// ---- the public key -----------------------------------------------------------------------------------------------

typedef struct Showing {
    bool pem;
    Err err;
} Showing;

static void answer_key(Call *c) {
    Showing *k = c->job_arg;
    Buf body = {0};
    HttpReply reply = {.status = 200, .type = k->pem ? STR("application/x-pem-file") : JSON_TYPE, .take = &body};
    if (k->err) {
        call_fail(c, k->err, (Str){0}, (Str){0});
        return;
    }
    if (k->pem) receipt_key_pem(&c->server->erasures->key, &body);
    else receipt_key_jwk(&c->server->erasures->key, &body);
    call_reply(c, &reply);
    buf_free(&body);
}

static void key_on_reader(Call *c) {
    ((Showing *)c->job_arg)->err = need_key(c->server);
    call_post(c, answer_key);
}

void own_erasure_key(Call *c) {
    Str format = call_param(c, STR("format"));
    Showing *k = http_alloc(c->req, sizeof *k);
    *k = (Showing){.pem = str_eq(format, STR("pem"))};
    if (format.n && !k->pem && !str_eq(format, STR("jwk"))) {
        call_failf(c, ERR_ARGUMENT, "format=%.*s: jwk or pem", STR_ARG(format));
        return;
    }
    c->job_arg = k;
    call_reader(c, key_on_reader);
}
