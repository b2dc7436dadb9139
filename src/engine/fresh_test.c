// SPDX-License-Identifier: Apache-2.0
// Questions among writers: whoever has the acknowledgement of a write sees it in his next answer, whatever the plan and
// whatever else goes on; and every answer is of one instant, so that amounts moved between twins always sum to the
// same.
#include <pthread.h>
#include <stdatomic.h>
#include "base/buf.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"
#include "engine/test_kit.h"

static void rooms(Kit *k, int n) {
    KitText t = {0};
    char line[256];
    kit_add(&t, "{\"Section\":\"Twins\"}\n", 20);
    for (int i = 0; i < n; i++) {
        int len =
            snprintf(line, sizeof line,
                     "{\"$dtId\":\"r%d\",\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"count\":100,\"big\":%d,"
                     "\"label\":\"g%d\",\"thermostat\":{\"$metadata\":{}}}\n",
                     i, i, i % 7);
        kit_add(&t, line, (size_t)len);
    }
    kit_do(k, SOSIA_IMPORT, "", "", t.p);
    kit_lacks(kit_result(k), "\"code\"");
    free(t.p);
}

static int64_t stat_of(Kit *k, const char *name) {
    char want[64];
    snprintf(want, sizeof want, "\"%s\":", name);
    const char *at = strstr(kit_get(k, SOSIA_GET_STATS, "", ""), want);
    assert_non_null(at);
    return strtoll(at + strlen(want), NULL, 10);
}

// ---- asking, either way -------------------------------------------------------------------------------------------

typedef struct Answer {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    SosiaErr err;
    uint64_t seq;
    char text[256]; // the beginning of the body, or the message
    char token[96];
} Answer;

static void answer_keep(Answer *x, SosiaErr err, const SosiaAnswer *a) {
    const SosiaBuf *b = err ? &a->message : &a->body;
    x->err = err;
    x->seq = a->seq;
    snprintf(x->text, sizeof x->text, "%.*s", (int)b->n, b->p ? b->p : "");
    memcpy(x->token, a->token, sizeof x->token);
}

static void on_answer(void *arg, SosiaErr err, SosiaAnswer *a) {
    Answer *x = arg;
    pthread_mutex_lock(&x->lock);
    answer_keep(x, err, a);
    x->done = true;
    pthread_cond_signal(&x->cond);
    pthread_mutex_unlock(&x->lock);
}

static Answer ask(Sosia *s, const char *text, bool waiting) {
    Answer x = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    SosiaQuery q = {.text = kit_str(text)};
    if (waiting) {
        SosiaAnswer a = {0};
        SosiaErr err = sosia_query(s, NULL, &q, &a);
        answer_keep(&x, err, &a);
        sosia_answer_free(&a);
        return x;
    }
    SosiaErr err;
    while ((err = sosia_query_start(s, NULL, &q, on_answer, &x)) == SOSIA_BUSY) thread_sleep_ns(NS_PER_MS);
    pthread_mutex_lock(&x.lock);
    while (!err && !x.done) pthread_cond_wait(&x.cond, &x.lock);
    pthread_mutex_unlock(&x.lock);
    if (err) x.err = err;
    return x;
}

// ---- load ---------------------------------------------------------------------------------------------------------

enum { BATCH = 1000, UNDER_WAY = 8 };

// Moves amounts between its own twins, many pairs a batch: the sum over all of them never changes.
typedef struct Mover {
    pthread_t thread;
    Sosia *s;
    int first, count;
    const _Atomic bool *stop;
    _Atomic int64_t under_way, done, failed;
} Mover;

static void on_moved(void *arg, const SosiaDone *d) {
    Mover *m = arg;
    if (d->err) atomic_fetch_add(&m->failed, 1);
    atomic_fetch_add(&m->done, BATCH);
    atomic_fetch_sub(&m->under_way, 1);
}

static void *move(void *arg) {
    Mover *m = arg;
    SosiaHandle *at = calloc((size_t)m->count, sizeof *at);
    int64_t *value = calloc((size_t)m->count, sizeof *value);
    char id[16];
    for (int i = 0; i < m->count; i++) {
        snprintf(id, sizeof id, "r%d", m->first + i);
        if (sosia_resolve(m->s, kit_str(""), kit_str(id), kit_str("count"), &at[i])) atomic_fetch_add(&m->failed, 1);
        value[i] = 100;
    }
    Rng rng = rng_make(20260, (uint64_t)m->first);
    SosiaUpdate *u = calloc(BATCH, sizeof *u);
    while (!atomic_load(m->stop)) {
        for (int i = 0; i < BATCH; i += 2) {
            int a = (int)rng_below(&rng, (uint64_t)m->count), b = (int)rng_below(&rng, (uint64_t)m->count);
            int64_t amount = (int64_t)rng_below(&rng, 50);
            value[a] -= amount;
            u[i] = (SosiaUpdate){.at = at[a], .value = {.kind = SOSIA_I64, .i = value[a]}};
            value[b] += amount;
            u[i + 1] = (SosiaUpdate){.at = at[b], .value = {.kind = SOSIA_I64, .i = value[b]}};
        }
        while (atomic_load(&m->under_way) >= UNDER_WAY) thread_sleep_ns(NS_PER_MS / 20);
        atomic_fetch_add(&m->under_way, 1);
        SosiaErr err;
        while ((err = sosia_apply_async(m->s, NULL, kit_str(""), u, BATCH, on_moved, m)) == SOSIA_BUSY)
            thread_sleep_ns(NS_PER_MS / 10);
        if (err) atomic_fetch_add(&m->failed, 1);
    }
    while (atomic_load(&m->under_way)) thread_sleep_ns(NS_PER_MS / 10);
    free(at);
    free(value);
    free(u);
    return NULL;
}

// ---- one instant --------------------------------------------------------------------------------------------------

enum { TWINS = 8000, READERS = 3, SUMS = 40 };

typedef struct Reader {
    pthread_t thread;
    Sosia *s;
    int number;
    char bad[512];
} Reader;

static int64_t number_after(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : INT64_MIN;
}

// The sum over a walk through all pages, asked for page by page while the world moves on.
static int64_t walk(Sosia *s, char bad[512]) {
    SosiaAnswer a = {0};
    SosiaQuery q = {.text = kit_str("SELECT T.count FROM DIGITALTWINS T"), .limit = 1000};
    char token[96];
    int64_t sum = 0;
    do {
        SosiaErr err = sosia_query(s, NULL, &q, &a);
        if (err) {
            snprintf(bad, 512, "%s: %.*s", sosia_err_name(err), (int)a.message.n, a.message.p ? a.message.p : "");
            break;
        }
        buf_byte(&a.body, 0);
        for (const char *p = a.body.p; (p = strstr(p, "\"count\":")) != NULL; p += 8) sum += strtoll(p + 8, NULL, 10);
        memcpy(token, a.token, sizeof token);
        q.token = kit_str(token);
    } while (token[0]);
    sosia_answer_free(&a);
    return sum;
}

// Groups: their sums add up, too.
static int64_t groups(const char *text) {
    int64_t sum = 0;
    for (const char *p = text; (p = strstr(p, "\"s\":")) != NULL; p += 4) sum += strtoll(p + 4, NULL, 10);
    return sum;
}

static void *read_sums(void *arg) {
    Reader *r = arg;
    for (int i = 0; i < SUMS && !r->bad[0]; i++) {
        int64_t sum;
        Answer x = {0};
        switch (i % 8 == 7 ? 3 : i % 3) {
        case 0:
            x = ask(r->s, "SELECT SUM(T.count) AS s, COUNT() AS n FROM DIGITALTWINS T", r->number & 1);
            sum = number_after(x.text, "\"n\":") == TWINS ? number_after(x.text, "\"s\":") : INT64_MIN;
            break;
        case 1:
            x = ask(r->s, "SELECT T.label, SUM(T.count) AS s FROM DIGITALTWINS T GROUP BY T.label", r->number & 1);
            sum = groups(x.text);
            break;
        case 2:
            x = ask(r->s, "SELECT SUM(T.count * 2) AS s FROM DIGITALTWINS T WHERE T.big >= 0", r->number & 1);
            sum = number_after(x.text, "\"s\":") / 2;
            break;
        default: sum = walk(r->s, r->bad); break;
        }
        if (x.err || sum != 100 * (int64_t)TWINS)
            snprintf(r->bad, sizeof r->bad, "question %d: %lld %s %s", i, (long long)sum, sosia_err_name(x.err),
                     x.text);
    }
    return NULL;
}

// With a ring that is outrun all the time, questions end on snapshots; with the usual one, on the world itself.
static void sums_hold(const SosiaOpen *o) {
    Kit k;
    _Atomic bool stop = false;
    Mover movers[2];
    Reader readers[READERS];
    kit_open(&k, o);
    kit_models(&k);
    rooms(&k, TWINS);
    for (int i = 0; i < 2; i++) {
        movers[i] = (Mover){.s = k.s, .first = i * TWINS / 2, .count = TWINS / 2, .stop = &stop};
        assert_int_equal(pthread_create(&movers[i].thread, NULL, move, &movers[i]), 0);
    }
    int64_t start = time_mono_ns();
    for (int i = 0; i < READERS; i++) {
        readers[i] = (Reader){.s = k.s, .number = i};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_sums, &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++) pthread_join(readers[i].thread, NULL);
    double seconds = (double)(time_mono_ns() - start) / 1e9;
    atomic_store(&stop, true);
    int64_t moved = 0;
    for (int i = 0; i < 2; i++) {
        pthread_join(movers[i].thread, NULL);
        moved += atomic_load(&movers[i].done);
        assert_int_equal(atomic_load(&movers[i].failed), 0);
    }
    print_message("%.0f updates/s, %.1f sums/s, overruns %lld, snapshots %lld\n", (double)moved / seconds,
                  READERS * SUMS / seconds, (long long)stat_of(&k, "readOverruns"),
                  (long long)stat_of(&k, "snapshots"));
    for (int i = 0; i < READERS; i++) assert_string_equal(readers[i].bad, "");
    kit_close(&k);
}

static void test_sums_in_memory(void **state) {
    (void)state;
    sums_hold(&(SosiaOpen){0});
}

static void test_sums_when_outrun(void **state) {
    (void)state;
    sums_hold(&(SosiaOpen){.ring_records = 8192});
}

static void test_sums_with_a_file(void **state) {
    (void)state;
    char path[64];
    kit_path(path);
    sums_hold(&(SosiaOpen){.path = kit_str(path), .checkpoint_interval_ns = 100 * NS_PER_MS});
    kit_unlink(path);
}

// ---- fresh --------------------------------------------------------------------------------------------------------

enum { FRESH_TWINS = 4000, AUTHORS = 6, ROUNDS = 100 };

typedef struct Author {
    pthread_t thread;
    Sosia *s;
    int number;
    char bad[1024];
} Author;

// What must be seen after the write: by id, by value with an index or a scan, in an aggregate, in a sorted list.
static void question(int kind, int number, int64_t value, char out[256]) {
    static const char *const forms[] = {
        "SELECT T.big AS v FROM DIGITALTWINS T WHERE T.$dtId = 'r%d' AND T.big < %lld",
        "SELECT T.big AS v FROM DIGITALTWINS T WHERE T.$dtId != '%d' AND T.big = %lld",
        "SELECT MAX(T.big) AS v FROM DIGITALTWINS T WHERE T.big >= %d000000 AND T.big <= %lld",
        "SELECT TOP(1) T.big AS v FROM DIGITALTWINS T WHERE T.big >= %d000000 AND T.big <= %lld ORDER BY T.big DESC",
        "SELECT T.big AS v FROM DIGITALTWINS T WHERE NOT T.big < %d000000 AND T.big IN [%lld, -1]",
    };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, 256, forms[kind], number, (long long)(kind ? value : value + 1));
#pragma GCC diagnostic pop
}

static void *write_and_look(void *arg) {
    Author *w = arg;
    Kit k = {.s = w->s};
    char id[16], body[96], text[256], want[64];
    snprintf(id, sizeof id, "r%d", w->number);
    for (int i = 1; i <= ROUNDS && !w->bad[0]; i++) {
        int64_t value = w->number * INT64_C(1000000) + i;
        snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/big\",\"value\":%lld}]", (long long)value);
        SosiaErr err = kit_write(&k, SOSIA_TWIN_PATCH, id, "", body);
        question(i % 5, w->number, value, text);
        Answer x = ask(w->s, text, i & 8);
        snprintf(want, sizeof want, "[{\"v\":%lld}]", (long long)value);
        if (err || x.err || strcmp(x.text, want) != 0 || x.seq < k.done.seq)
            snprintf(w->bad, sizeof w->bad, "%s %s: wrote %lld at %llu, %s says %s at %llu", sosia_err_name(err),
                     sosia_err_name(x.err), (long long)value, (unsigned long long)k.done.seq, text, x.text,
                     (unsigned long long)x.seq);
    }
    kit_free(&k);
    return NULL;
}

static void fresh(const SosiaOpen *o) {
    Kit k;
    _Atomic bool stop = false;
    Author authors[AUTHORS];
    kit_open(&k, o);
    kit_models(&k);
    rooms(&k, FRESH_TWINS);
    Mover mover = {.s = k.s, .first = 100, .count = FRESH_TWINS - 100, .stop = &stop};
    assert_int_equal(pthread_create(&mover.thread, NULL, move, &mover), 0);
    for (int i = 0; i < AUTHORS; i++) {
        authors[i] = (Author){.s = k.s, .number = i + 1};
        assert_int_equal(pthread_create(&authors[i].thread, NULL, write_and_look, &authors[i]), 0);
    }
    for (int i = 0; i < AUTHORS; i++) pthread_join(authors[i].thread, NULL);
    atomic_store(&stop, true);
    pthread_join(mover.thread, NULL);
    for (int i = 0; i < AUTHORS; i++) assert_string_equal(authors[i].bad, "");
    assert_int_equal(atomic_load(&mover.failed), 0);
    kit_close(&k);
}

static void test_fresh_in_memory(void **state) {
    (void)state;
    fresh(&(SosiaOpen){0});
}

static void test_fresh_with_a_file(void **state) {
    (void)state;
    char path[64];
    kit_path(path);
    fresh(&(SosiaOpen){.path = kit_str(path), .checkpoint_interval_ns = 100 * NS_PER_MS});
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_in_memory),    cmocka_unit_test(test_sums_when_outrun),
        cmocka_unit_test(test_sums_with_a_file),  cmocka_unit_test(test_fresh_in_memory),
        cmocka_unit_test(test_fresh_with_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
