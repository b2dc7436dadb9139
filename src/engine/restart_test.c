// SPDX-License-Identifier: Apache-2.0
// What was acknowledged is there again: after a close, after an end without one, and after kill -9 under load.
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "engine/test_kit.h"

static void open_file(Kit *k, const char *path, int64_t checkpoint_ns) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path), .checkpoint_interval_ns = checkpoint_ns});
}

// A world with a little of everything, things deleted and a model gone too.
static void fill(Kit *k) {
    char id[32], body[256];
    kit_models(k);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "room-%d", i);
        kit_room(k, id);
    }
    for (int i = 0; i < 199; i++) {
        snprintf(id, sizeof id, "room-%d", i);
        snprintf(body, sizeof body, "{\"$relationshipName\":\"feeds\",\"$targetId\":\"room-%d\",\"flow\":%d.5}", i + 1,
                 i);
        kit_do(k, SOSIA_LINK_PUT, id, "a relationship with a long name", body);
        snprintf(body, sizeof body,
                 "[{\"op\":\"add\",\"path\":\"/label\",\"value\":\"a label longer than twelve bytes %d\"},"
                 "{\"op\":\"add\",\"path\":\"/size\",\"value\":{\"w\":%d}},"
                 "{\"op\":\"add\",\"path\":\"/tags\",\"value\":{\"red\":true}}]",
                 i, i);
        kit_do(k, SOSIA_TWIN_PATCH, id, "", body);
    }
    kit_do(k, SOSIA_LINK_DELETE, "room-198", "a relationship with a long name", "");
    kit_do(k, SOSIA_TWIN_DELETE, "room-199", "", "");
    kit_do(k, SOSIA_INGEST, "", "", "{\"id\":\"room-7\",\"property\":\"count\",\"value\":77,\"time\":1700000000000}");
    kit_do(k, SOSIA_TWIN_PUT, "base", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Base;1\"},\"label\":\"b\"}");
}

static uint64_t sequence(Kit *k) {
    kit_get(k, SOSIA_GET_WORLDS, "", "");
    return k->out.seq;
}

static void test_close_and_open(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    open_file(&k, path, 0);
    fill(&k);
    char *before = kit_dump(&k, "");
    uint64_t seq = sequence(&k);
    kit_close(&k);
    for (int round = 0; round < 3; round++) {
        open_file(&k, path, 0);
        char *after = kit_dump(&k, "");
        assert_string_equal(before, after);
        assert_int_equal(sequence(&k), seq);
        free(after);
        if (round < 2) kit_close(&k);
    }
    kit_do(&k, SOSIA_TWIN_PATCH, "room-3", "", "[{\"op\":\"add\",\"path\":\"/count\",\"value\":3}]");
    assert_int_equal(k.done.seq, seq + 1);
    kit_close(&k);
    open_file(&k, path, 0);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "room-3", ""), "\"count\":3");
    kit_close(&k);
    free(before);
    kit_unlink(path);
}

// The process ends without a close: no checkpoint, the journal tells all.
static void test_end_without_close(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    if (!child) {
        open_file(&k, path, -1);
        fill(&k);
        char *before = kit_dump(&k, "");
        size_t n = strlen(before), at = 0;
        while (at < n) {
            ssize_t w = write(out[1], before + at, n - at);
            if (w <= 0) _exit(1);
            at += (size_t)w;
        }
        _exit(0);
    }
    close(out[1]);
    KitText before = {0};
    char part[4096];
    for (ssize_t n; (n = read(out[0], part, sizeof part)) > 0;) kit_add(&before, part, (size_t)n);
    close(out[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_file(&k, path, -1);
    char *after = kit_dump(&k, "");
    assert_string_equal(before.p, after);
    kit_close(&k);
    free(before.p);
    free(after);
    kit_unlink(path);
}

// ---- kill -9 ------------------------------------------------------------------------------------------------------

#define WRITERS 4

typedef struct Ack {
    int32_t writer, value;
} Ack;

typedef struct Writer {
    pthread_t thread;
    Kit k;
    int32_t number, from;
    int out;
} Writer;

// Counts a twin up, one acknowledged write at a time, and tells the parent each.
static void *count_up(void *arg) {
    Writer *w = arg;
    char id[16], body[128];
    snprintf(id, sizeof id, "w%d", w->number);
    for (int32_t i = w->from + 1;; i++) {
        bool ingest = i % 3 == 0;
        if (ingest) snprintf(body, sizeof body, "{\"id\":\"%s\",\"property\":\"count\",\"value\":%d}", id, i);
        else snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/count\",\"value\":%d}]", i);
        if (kit_write(&w->k, ingest ? SOSIA_INGEST : SOSIA_TWIN_PATCH, id, "", body)) _exit(3);
        Ack a = {w->number, i};
        if (write(w->out, &a, sizeof a) != sizeof a) _exit(4);
    }
    return NULL;
}

static void child_main(const char *path, int out, const int32_t *from) {
    Kit k;
    open_file(&k, path, 30000000); // a checkpoint every 30 ms, so that some are hit
    static Writer w[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (Writer){.k = {.s = k.s}, .number = i, .from = from[i], .out = out};
        if (pthread_create(&w[i].thread, NULL, count_up, &w[i])) _exit(2);
    }
    for (;;) pause();
}

static void run_and_kill(const char *path, int ms, int32_t *acked) {
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    if (!child) {
        close(out[0]);
        child_main(path, out[1], acked);
        _exit(1);
    }
    close(out[1]);
    Ack a;
    int64_t n = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    bool killed = false;
    while (read(out[0], &a, sizeof a) == sizeof a) { // to the end of what it managed to say
        assert_int_equal(a.value, acked[a.writer] + 1);
        acked[a.writer] = a.value;
        n++;
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t gone = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
        if (gone >= ms && !killed) killed = kill(child, SIGKILL) == 0;
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(n > 0);
    close(out[0]);
}

// The journal tells every writer's numbers from the first to `have`, each once and in order.
static void check_feed(Kit *k, const int32_t *have) {
    SosiaFeed *f;
    SosiaBatch b;
    int32_t seen[WRITERS] = {0};
    uint64_t last = 0;
    assert_int_equal(sosia_feed_open(k->s, NULL, kit_str(""), SOSIA_FEED_OLDEST, &f, NULL), SOSIA_OK);
    for (uint64_t end = sequence(k); last < end; last = b.seq) {
        assert_int_equal(sosia_feed_next(f, INT64_C(60000000000), &b), SOSIA_OK);
        assert_int_equal(b.prev, last);
        assert_int_equal(b.seq, last + 1);
        for (int64_t i = 0; i < b.count; i++) {
            const SosiaChange *c = &b.changes[i];
            if (c->what != SOSIA_EV_SET || c->value.kind != SOSIA_I64) continue;
            int32_t *at = &seen[c->twin.p[1] - '0'];
            assert_int_equal(c->value.i, ++*at);
        }
    }
    assert_memory_equal(seen, have, sizeof seen);
    sosia_feed_close(f);
}

static void test_kill(void **state) {
    (void)state;
    char path[64], id[16];
    int32_t acked[WRITERS] = {0};
    Kit k;
    kit_path(path);
    open_file(&k, path, 0);
    kit_models(&k);
    for (int i = 0; i < WRITERS; i++) {
        snprintf(id, sizeof id, "w%d", i);
        kit_room(&k, id);
    }
    kit_close(&k);
    for (int round = 0; round < 6; round++) {
        run_and_kill(path, 60 + 70 * round, acked);
        open_file(&k, path, round % 2 ? 0 : -1);
        for (int i = 0; i < WRITERS; i++) {
            snprintf(id, sizeof id, "w%d", i);
            const char *at = strstr(kit_get(&k, SOSIA_GET_TWIN, id, ""), "\"count\":");
            int32_t have = at ? atoi(at + 8) : 0;                  // killed before its first write was on the disk
            assert_true(have == acked[i] || have == acked[i] + 1); // one may have been on its way
            acked[i] = have;
        }
        check_feed(&k, acked);
        kit_close(&k);
    }
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_and_open),
        cmocka_unit_test(test_end_without_close),
        cmocka_unit_test(test_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
