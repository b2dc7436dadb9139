// SPDX-License-Identifier: Apache-2.0
// Requests: the threads that carry them out, and how they are answered.
#include <stdio.h>
#include "base/mem.h"
#include "connect/connect.h"

typedef struct Folder {
    const char *name;
    void (*run)(Ask *a);
} Folder;

static const Folder folders[] = {
    {"connections", ask_connections},
    {"endpoints", ask_endpoints},
    {"eventroutes", ask_eventroutes},
    {"commands", ask_commands},
};

void ask_told(Ask *a, const SosiaTold *told) {
    if (a->test) atomic_fetch_sub(&a->connect->tests_under_way, 1); // who has the answer may ask for the next one
    a->fn(a->arg, told);
    mem_free(a);
}

void ask_json(Ask *a, int status, const Buf *body) {
    if (body->full) ask_fail(a, ERR_TOO_LARGE, "The answer is too large.");
    else ask_told(a, &(SosiaTold){.status = status, .body = buf_str(body)});
}

void ask_empty(Ask *a, int status) { ask_told(a, &(SosiaTold){.status = status}); }

void ask_fail(Ask *a, Err err, const char *fmt, ...) {
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    bool later = err == ERR_BUSY || err == ERR_CLOSED;
    ask_told(a, &(SosiaTold){.err = (SosiaErr)err, .message = buf_str(&text), .retry_after_s = later ? 1 : 0});
    buf_free(&text);
}

void ask_fail_diag(Ask *a, Err err, const Diag *d) {
    Buf text = {0};
    if (d->count) diag_print(d, &text);
    else buf_printf(&text, "%s", err_text(err));
    ask_fail(a, err, "%.*s", STR_ARG(str_trim(buf_str(&text))));
    buf_free(&text);
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// '+' and %XX; a broken escape stands for itself.
static Str decoded(Str s, Arena *arena) {
    char *out = arena_alloc(arena, 1, s.n + 1, 1);
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;
        out[n++] = escape ? (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2])) : s.p[i] == '+' ? ' ' : s.p[i];
        if (escape) i += 2;
    }
    return (Str){out, n};
}

Str ask_param(const Ask *a, Str name, Arena *arena) {
    Str rest = a->q->query;
    while (rest.n) {
        Str value = str_cut(&rest, '&');
        Str key = str_cut(&value, '=');
        if (str_eq(key, name)) return decoded(value, arena);
    }
    return (Str){0};
}

static void run(Ask *a) {
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (!str_eq(a->q->folder, str_of(folders[i].name))) continue;
        folders[i].run(a);
        return;
    }
    ask_fail(a, ERR_NO_ROUTE, "There is no such resource.");
}

static void carry_out(SosiaConnect *k, Queue *asks) {
    void *item;
    while (queue_pop(asks, &item, 1, -1) == 1) {
        if (atomic_load(&k->closing)) ask_fail(item, ERR_CLOSED, "The server is shutting down.");
        else run(item);
    }
}

static void *pool_main(void *arg) {
    SosiaConnect *k = arg;
    carry_out(k, &k->asks);
    return NULL;
}

static void *test_main(void *arg) {
    SosiaConnect *k = arg;
    carry_out(k, &k->tests);
    return NULL;
}

Err asks_start(SosiaConnect *k) {
    for (int i = 0; i < ASK_THREADS; i++) TRY(thread_start(&k->threads[i], "connect", pool_main, k));
    for (int i = 0; i < TESTS_MAX; i++) TRY(thread_start(&k->test_threads[i], "test", test_main, k));
    return ERR_OK;
}

void asks_stop(SosiaConnect *k) {
    atomic_store(&k->closing, true);
    queue_close(&k->asks);
    queue_close(&k->tests);
    for (int i = 0; i < ASK_THREADS; i++) thread_join(&k->threads[i]);
    for (int i = 0; i < TESTS_MAX; i++) thread_join(&k->test_threads[i]);
}

static bool is_test(const SosiaAsk *q) {
    return str_eq(q->method, STR("POST")) && str_eq(q->sub, STR("test")) &&
           (str_eq(q->folder, STR("connections")) || str_eq(q->folder, STR("endpoints")));
}

// The queue that takes it; NULL when there are tests enough.
static Queue *queue_for(SosiaConnect *k, Ask *a) {
    if (!is_test(a->q)) return &k->asks;
    if (atomic_fetch_add(&k->tests_under_way, 1) < TESTS_MAX) {
        a->test = true;
        return &k->tests;
    }
    atomic_fetch_sub(&k->tests_under_way, 1);
    return NULL;
}

void sosia_connect_ask(SosiaConnect *c, const SosiaCaller *who, const SosiaAsk *q, SosiaToldFn fn, void *arg) {
    Ask *a = mem_alloc(sizeof *a);
    *a = (Ask){.ask = *q, .connect = c, .fn = fn, .arg = arg};
    a->q = &a->ask;
    if (who) a->who = *who;
    if (str_eq(q->folder, STR("write"))) {
        ask_write(a); // has threads of its own, so that points never wait for what takes long
        return;
    }
    Queue *queue = queue_for(c, a);
    if (queue && queue_try_push(queue, a)) return;
    if (atomic_load(&c->closing)) ask_fail(a, ERR_CLOSED, "The server is shutting down.");
    else if (!queue) ask_fail(a, ERR_BUSY, "%d tests of connections and endpoints are under way already.", TESTS_MAX);
    else ask_fail(a, ERR_BUSY, "Too many requests to connections wait already.");
}
