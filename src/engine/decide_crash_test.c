// SPDX-License-Identifier: Apache-2.0
// The closed loop over restarts and kills: waiting and watching go on, nothing is sent twice, what is erased is not in
// records any more, and what was decided can be computed again.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include "base/rng.h"
#include "engine/test_decide.h"

static void open_at(Hall *h, const char *path, int64_t now) {
    *h = (Hall){0};
    atomic_store(&h->now, now);
    hall_open(h, path);
}

static void made(Hall *h, const char *path, const char *rest) {
    char body[4000];
    open_at(h, path, HALL_START);
    hall_make(h);
    snprintf(body, sizeof body, "{" HALL_HEAD HALL_ACTIONS "%s}", rest);
    hall_rule(h, "jams", body);
    hall_put(h, "f-1", "fault", "\"jam\"");
    hall_put(h, "f-1", "rate", "0");
}

// A process that does fn and dies without a word.
static void die(void (*fn)(const char *path), const char *path) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        fn(path);
        _exit(7);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void until_waiting(const char *path) {
    Hall h;
    made(&h, path, "," HALL_WATCH);
    hall_until(&h, 1, "waiting");
}

// It waits on, and can be approved; what ran out meanwhile has run out.
static void waiting_goes_on(void **state) {
    (void)state;
    for (int late = 0; late < 2; late++) {
        char path[64];
        Hall h;
        kit_path(path);
        die(until_waiting, path);
        open_at(&h, path, HALL_START + (late ? 1000 : 60) * NS_PER_S);
        if (late) {
            hall_until(&h, 1, "expired");
            assert_int_equal(hall_decide(&h, 1, "approve", "ann"), SOSIA_DECISION_STATE);
        } else {
            hall_until(&h, 1, "waiting");
            hall_approve(&h, 1, "ann");
            hall_until(&h, 1, "watching");
        }
        assert_int_equal(atomic_load(&h.calls), !late);
        hall_close(&h);
        kit_unlink(path);
    }
}

static void exit_now(Hall *h) {
    (void)h;
    _exit(7);
}

static void die_while_sending(const char *path) {
    Hall h;
    made(&h, path, ",\"mode\":\"auto\"");
    h.told = exit_now;
    hall_until(&h, 1, "never");
}

// The device has it or not: nobody knows. It is not sent again, and somebody may undo it, once.
static void killed_while_sending(void **state) {
    (void)state;
    char path[64];
    Hall h;
    kit_path(path);
    die(die_while_sending, path);
    open_at(&h, path, HALL_START + 10 * NS_PER_S);
    hall_until(&h, 1, "unknown");
    kit_has(hall_record(&h, 1), "it is not sent again");
    hall_wait(&h, 100);
    assert_int_equal(hall_decide(&h, 1, "approve", "ann"), SOSIA_DECISION_STATE);
    assert_int_equal(atomic_load(&h.calls), 0);
    assert_int_equal(hall_decide(&h, 1, "rollback", "ann"), SOSIA_OK);
    hall_until(&h, 1, "rolledBack");
    assert_int_equal(atomic_load(&h.calls), 1);
    hall_close(&h);
    kit_unlink(path);
}

static void until_kept(const char *path) {
    Hall h;
    made(&h, path, ",\"mode\":\"auto\"");
    hall_until(&h, 1, "kept");
}

// What has led to a command, and holds still after a kill, does not lead to another one.
static void what_holds_still(void **state) {
    (void)state;
    char path[64];
    Hall h;
    kit_path(path);
    die(until_kept, path);
    for (int i = 0; i < 3; i++) {
        open_at(&h, path, HALL_START + (i + 1) * 10 * NS_PER_S);
        hall_put(&h, "f-1", "note", "\"still jammed\"");
        if (i == 2) {
            hall_put(&h, "f-1", "fault", "\"\"");
            hall_wait(&h, 1);
            hall_put(&h, "f-1", "fault", "\"jam\"");
            hall_until(&h, 2, "kept");
        }
        assert_int_equal(atomic_load(&h.calls), i == 2);
        hall_close(&h);
    }
    kit_unlink(path);
}

static void until_watching(const char *path) {
    Hall h;
    made(&h, path, ",\"mode\":\"auto\"," HALL_WATCH);
    hall_until(&h, 1, "watching");
    hall_put(&h, "f-1", "fault", "\"\"");
    hall_put(&h, "f-1", "rate", "10");
}

// Instants that nobody looked at are looked up in the past.
static void watching_goes_on(void **state) {
    (void)state;
    char path[64];
    Hall h;
    kit_path(path);
    die(until_watching, path);
    open_at(&h, path, HALL_START + 150 * NS_PER_S);
    hall_put(&h, "f-1", "rate", "0"); // from here on it stands still
    hall_until(&h, 1, "watching");
    hall_wait(&h, 20);
    hall_until(&h, 1, "left");
    const char *seen = strstr(hall_record(&h, 1), "\"seen\":[");
    assert_non_null(seen);
    assert_true(kit_count(seen, "10,") >= 25);
    assert_int_equal(atomic_load(&h.calls), 0);
    hall_close(&h);
    kit_unlink(path);
}

// ---- killed at any time -------------------------------------------------------------------------------------------

static int to_parent;

// Which decision is being sent.
static void tell_id(Hall *h) {
    SosiaDecisions d = {.state = kit_str("sending"), .limit = 2};
    SosiaOut out = {0};
    assert_int_equal(sosia_decisions(h->k.s, NULL, &d, &out), SOSIA_OK);
    uint64_t id = 0;
    char text[32];
    const char *at = memmem(out.body.p, (size_t)out.body.n, "\"id\":", 5);
    assert_non_null(at);
    for (at += 5; *at >= '0' && *at <= '9'; at++) id = 10 * id + (uint64_t)(*at - '0');
    int n = snprintf(text, sizeof text, "%llu\n", (unsigned long long)id);
    assert_int_equal(write(to_parent, text, (size_t)n), n);
    sosia_out_free(&out);
}

// Jams and is cleared, again and again, until somebody kills it.
static void jam_for_ever(const char *path, int64_t now) {
    Hall h;
    open_at(&h, path, now);
    h.told = tell_id;
    if (kit_get_in(&h.k, "", SOSIA_GET_TWIN, "f-1", "")) {
        hall_make(&h);
        hall_rule(&h, "jams", HALL_RULE("\"mode\":\"auto\"," HALL_WATCH));
    }
    for (;;) {
        uint64_t before = hall_revision(&h);
        hall_put(&h, "f-1", "fault", "\"jam\"");
        SosiaDecisions d = {.revision = before, .wait_ns = NS_PER_S, .limit = 1};
        (void)sosia_decisions(h.k.s, NULL, &d, &h.k.out);
        hall_put(&h, "f-1", "fault", "\"\"");
        atomic_fetch_add(&h.now, 10 * NS_PER_S);
    }
}

// However often it is killed: no decision is sent twice, and none is left under way but those that are watched.
static void killed_at_any_time(void **state) {
    (void)state;
    char path[64], text[1 << 16];
    int pipes[2], most = 0;
    static uint8_t told[10000];
    Rng rng = rng_make(12345, 0);
    size_t n = 0;
    kit_path(path);
    memset(told, 0, sizeof told);
    assert_int_equal(pipe(pipes), 0);
    to_parent = pipes[1];
    for (int round = 0; round < 6; round++) {
        fflush(NULL);
        pid_t child = fork();
        if (!child) jam_for_ever(path, HALL_START + round * 100000 * NS_PER_S);
        struct pollfd ready = {.fd = pipes[0], .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 60000), 1); // something was sent
        ssize_t k = read(pipes[0], text + n, sizeof text - 1 - n);
        assert_true(k > 0);
        n += (size_t)k;
        usleep((useconds_t)rng_below(&rng, 150000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    close(pipes[1]);
    for (ssize_t k; n < sizeof text - 1 && (k = read(pipes[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)k;
    close(pipes[0]);
    text[n] = 0;
    for (char *at = text, *end; *at; at = end + 1) {
        long id = strtol(at, &end, 10);
        assert_true(*end == '\n' && id > 0 && id < 10000);
        if (told[id]++) fail_msg("decision %ld was sent twice", id);
        if (id > most) most = (int)id;
    }
    assert_true(most > 0);
    Hall h;
    open_at(&h, path, HALL_START + 700000 * NS_PER_S);
    hall_wait(&h, 400);
    for (int i = 0; i < 300 && strstr(hall_list(&h, (SosiaDecisions){.state = kit_str("open")}), "\"id\""); i++)
        usleep(20000);
    kit_has(hall_list(&h, (SosiaDecisions){.state = kit_str("open")}), "\"value\":[]");
    hall_close(&h);
    kit_unlink(path);
}

// ---- replay -------------------------------------------------------------------------------------------------------

static void replayed(Hall *h, uint64_t id) {
    SosiaErr err = sosia_decision_replay(h->k.s, NULL, id, &h->k.out);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)h->k.out.message.n, h->k.out.message.p);
    kit_has(kit_body(&h->k), "\"same\":true");
    kit_has(h->k.text, "\"choice\":\"clear\",\"was\":\"clear\"");
    kit_has(h->k.text, "\"differences\":[]");
}

// The same to the last bit, from live as it was: at once, after live went on, and after a restart. Not when what is
// counted is another thing since.
static void replay(void **state) {
    (void)state;
    char path[64];
    Hall h;
    kit_path(path);
    made(&h, path, "," HALL_WATCH);
    hall_until(&h, 1, "waiting");
    replayed(&h, 1);
    hall_put(&h, "f-1", "money", "777");
    hall_put(&h, "f-1", "fault", "\"\"");
    hall_wait(&h, 60);
    kit_do(&h.k, SOSIA_DEFINITION_DELETE, "fillers", "behaviours", "");
    kit_do(&h.k, SOSIA_TWIN_DELETE, "f-2", "", "");
    replayed(&h, 1);
    hall_close(&h);
    open_at(&h, path, HALL_START + 100 * NS_PER_S);
    replayed(&h, 1);
    assert_int_equal(sosia_decision_replay(h.k.s, NULL, 2, &h.k.out), SOSIA_DECISION_NOT_FOUND);
    hall_close(&h);
    kit_unlink(path);
}

// A record that somebody changed does not replay to the same, and the guard lets nothing of it out.
static void changed_record(void **state) {
    (void)state;
    char path[64];
    Hall h;
    kit_path(path);
    made(&h, path, "," HALL_WATCH);
    hall_until(&h, 1, "waiting");
    char *json = strdup(hall_record(&h, 1));
    hall_close(&h);
    char *at = strstr(json, "\"action\":\"clear\"");
    assert_non_null(at);
    at = strstr(at, "\"samples\":[");
    assert_non_null(at);
    at[11] = at[11] == '9' ? '8' : '9'; // one digit of one sample
    open_at(&h, path, HALL_START + NS_PER_S);
    SosiaItem item = {.kind = kit_str("sosia.decision"), .key = kit_str("0000000000000001"), .value = kit_str(json)};
    assert_int_equal(sosia_items_put_wait(h.k.s, &item, 1), SOSIA_OK);
    hall_close(&h);
    open_at(&h, path, HALL_START + 2 * NS_PER_S);
    assert_int_equal(sosia_decision_replay(h.k.s, NULL, 1, &h.k.out), SOSIA_OK);
    kit_has(kit_body(&h.k), "\"same\":false");
    kit_has(h.k.text, "\"differences\":[{\"action\":\"clear\",\"kpi\":\"margin\",\"replication\":0");
    hall_approve(&h, 1, "ann");
    hall_until(&h, 1, "failed");
    kit_has(hall_record(&h, 1), "not what was sealed");
    assert_int_equal(atomic_load(&h.calls), 0);
    hall_close(&h);
    kit_unlink(path);
    free(json);
}

// ---- erasing ------------------------------------------------------------------------------------------------------

static void on_erased(void *arg, const SosiaDone *done) { atomic_store((_Atomic int *)arg, done->err ? -1 : 1); }

static void erase(Hall *h, const char *twin, const char *property) {
    _Atomic int over = 0;
    assert_int_equal(sosia_erase(h->k.s, NULL, kit_str(twin), kit_str(property), on_erased, (void *)&over), SOSIA_OK);
    for (int i = 0; i < 3000 && !atomic_load(&over); i++) usleep(10000);
    assert_int_equal(atomic_load(&over), 1);
}

static bool in_file(const char *path, const char *text) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    KitText all = {0};
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) kit_add(&all, piece, n);
    fclose(f);
    bool there = memmem(all.p, all.n, text, strlen(text)) != NULL;
    free(all.p);
    return there;
}

// A twin that is erased is in no record any more: of one at its end, and of one that waits, which ends.
static void erased(void **state) {
    (void)state;
    char path[64];
    Hall h;
    kit_path(path);
    open_at(&h, path, HALL_START);
    hall_make(&h);
    kit_do(&h.k, SOSIA_TWIN_PUT, "secret-filler", "",
           "{\"$metadata\":{\"$model\":\"dtmi:t:Filler;1\"},\"fault\":\"jam\",\"speed\":10,\"rate\":0,\"heat\":0,"
           "\"money\":0,\"note\":\"whispered\"}");
    hall_rule(&h, "past", HALL_RULE("\"mode\":\"shadow\",\"again\":\"PT1H\""));
    hall_until(&h, 1, "nothing"); // clearing it makes no money: the margin is of another filler
    SosiaCaller ann = {.principal = kit_str("ann")};
    assert_int_equal(sosia_propose(h.k.s, &ann, kit_str("past"), kit_str("f-1"), &h.k.out), SOSIA_OK);
    hall_until(&h, 2, "nothing");
    erase(&h, "f-2", "note");
    kit_has(hall_record(&h, 1), "secret-filler");
    erase(&h, "secret-filler", "");
    kit_lacks(hall_record(&h, 1), "secret-filler");
    kit_lacks(hall_list(&h, (SosiaDecisions){0}), "secret-filler");
    kit_has(hall_record(&h, 2), "f-1");
    hall_close(&h);
    assert_false(in_file(path, "secret-filler"));
    open_at(&h, path, HALL_START + NS_PER_S);
    kit_has(hall_record(&h, 1), "\"nothing\"");
    kit_lacks(hall_record(&h, 1), "secret-filler");
    hall_close(&h);
    kit_unlink(path);
}

static void erased_while_waiting(void **state) {
    (void)state;
    char path[64];
    Hall h;
    kit_path(path);
    made(&h, path, "," HALL_WATCH);
    hall_until(&h, 1, "waiting");
    erase(&h, "f-1", "fault"); // a value that set it off
    hall_until(&h, 1, "waiting");
    kit_has(hall_record(&h, 1), "\"values\":[]");
    erase(&h, "f-1", "");
    hall_until(&h, 1, "failed");
    kit_lacks(hall_record(&h, 1), "f-1");
    assert_int_equal(hall_decide(&h, 1, "approve", "ann"), SOSIA_DECISION_STATE);
    assert_int_equal(atomic_load(&h.calls), 0);
    hall_close(&h);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_goes_on),      cmocka_unit_test(killed_while_sending),
        cmocka_unit_test(what_holds_still),     cmocka_unit_test(watching_goes_on),
        cmocka_unit_test(killed_at_any_time),   cmocka_unit_test(replay),
        cmocka_unit_test(changed_record),       cmocka_unit_test(erased),
        cmocka_unit_test(erased_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
