// SPDX-License-Identifier: Apache-2.0
// Commands against a device that is told what to do: answers, refusals, silence, doubles, links that are down, the end.
#include "connect/command.h"
#include <stdatomic.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "connect/test_told.h"
#include "engine/test_kit.h"

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:test:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["       \
    "{\"@type\":\"Command\",\"name\":\"start\",\"request\":{\"name\":\"speed\",\"schema\":\"integer\"}},"              \
    "{\"@type\":\"Command\",\"name\":\"stop\"}]}]"

typedef enum Mood { AT_ONCE, LATER, SILENT, ELSEWHERE, DOWN, TWICE } Mood;

// A connection whose device behaves as told.
typedef struct Device {
    _Atomic int mood, status, calls;
    const char *payload;
    pthread_mutex_t lock;
    char correlation[33]; // of the last command
    char seen[128];       // what it was asked
} Device;

static Device device;

static Err device_command(Connection *c, Command *cmd) {
    int mood = atomic_load(&device.mood);
    if (mood == ELSEWHERE) return ERR_NO_ROUTE;
    if (mood == DOWN) return ERR_DEVICE_OFFLINE;
    pthread_mutex_lock(&device.lock);
    memcpy(device.correlation, cmd->correlation, sizeof device.correlation);
    snprintf(device.seen, sizeof device.seen, "%.*s/%.*s.%.*s(%.*s)", STR_ARG(cmd->twin), STR_ARG(cmd->component),
             STR_ARG(cmd->name), STR_ARG(cmd->payload));
    pthread_mutex_unlock(&device.lock);
    atomic_fetch_add(&device.calls, 1);
    Str id = {cmd->correlation, 32};
    if (mood == AT_ONCE || mood == TWICE) CHECK(command_answer(c->connect, id, device.status, kit_str(device.payload)));
    if (mood == TWICE) CHECK(!command_answer(c->connect, id, device.status, kit_str(device.payload)));
    // The ask is answered and its memory gone: what the command names must still be there.
    CHECK(cmd->name.n > 0 && cmd->name.p[0] == 's');
    return ERR_OK;
}

static const ConnectKind kind_device = {.name = "device", .command = device_command};

typedef struct Fixture {
    Kit k;
    SosiaConnect c;
    Connection connection, *all[1];
    Told told;
} Fixture;

static void fixture_open(Fixture *f) {
    memset(f, 0, sizeof *f);
    memset(&device, 0, sizeof device);
    pthread_mutex_init(&device.lock, NULL);
    device.payload = "";
    kit_open(&f->k, &(SosiaOpen){0});
    kit_do(&f->k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(&f->k, SOSIA_TWIN_PUT, "p", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Pump;1\"}}");
    f->c.engine = f->k.s;
    pthread_mutex_init(&f->c.lock, NULL);
    f->connection = (Connection){.refs = 1, .connect = &f->c, .kind = &kind_device, .running = true};
    pthread_rwlock_init(&f->connection.life, NULL);
    f->all[0] = &f->connection;
    f->c.connections = f->all;
    f->c.connection_count = f->c.connection_cap = 1;
    f->c.commands = commands_new(&f->c);
    assert_non_null(f->c.commands);
    told_init(&f->told);
}

static void fixture_close(Fixture *f) {
    if (f->c.commands) commands_free(f->c.commands);
    assert_int_equal(f->connection.refs, 1);
    kit_close(&f->k);
}

static void ask(Fixture *f, const char *method, const char *name, const char *query, const char *payload) {
    f->told.count = 0;
    Ask *a = mem_alloc(sizeof *a);
    *a = (Ask){.connect = &f->c, .fn = told_on, .arg = &f->told};
    a->ask = (SosiaAsk){.method = kit_str(method),
                        .folder = kit_str("commands"),
                        .id = kit_str("p"),
                        .sub = kit_str(name),
                        .query = kit_str(query),
                        .body = kit_str(payload)};
    a->q = &a->ask;
    ask_commands(a);
}

// Wait for the answer.
static void told(Fixture *f, SosiaErr err, int status, const char *part) {
    Told *t = &f->told;
    told_wait(t);
    if (t->err != err) fail_msg("%s: %s %s", sosia_err_name(t->err), t->message, t->body);
    if (!err || status) assert_int_equal(t->status, status);
    kit_has(err && !status ? t->message : t->body, part);
    assert_int_equal(t->count, 1);
}

static void stat_is(Fixture *f, const char *part) {
    Buf b = {0};
    commands_stats(f->c.commands, &b);
    buf_byte(&b, ',');
    kit_has(kit_keep(&f->k, buf_str(&b)), part);
    buf_free(&b);
}

static void test_answers(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    device.payload = "{\"speed\":5}";
    ask(&f, "POST", "start", "", " 5 ");
    told(&f, SOSIA_OK, 200, "{\"speed\":5}");
    assert_string_equal(device.seen, "p/.start(5)");
    device.payload = "running";
    ask(&f, "POST", "start", "", "5");
    told(&f, SOSIA_OK, 200, "\"running\"");
    device.payload = "";
    ask(&f, "POST", "stop", "", "");
    told(&f, SOSIA_OK, 204, "");
    device.status = 409;
    device.payload = "{\"why\":\"dry\"}";
    ask(&f, "POST", "stop", "", "");
    told(&f, SOSIA_DEVICE_REFUSED, 502,
         "\"message\":\"The device answered with status 409: dry\",\"status\":409,\"payload\":{\"why\":\"dry\"}");
    assert_int_equal(f.connection.stats.commands, 4);
    stat_is(&f, "\"commandsAnswered\":3,\"commandsRefused\":1,");
    fixture_close(&f);
}

// Nothing is sent that the model does not allow.
static void test_checks(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    ask(&f, "GET", "start", "", "");
    told(&f, SOSIA_METHOD, 0, "POST");
    ask(&f, "POST", "start", "", "\"fast\"");
    told(&f, SOSIA_VALIDATION, 0, "speed");
    ask(&f, "POST", "launch", "", "");
    told(&f, SOSIA_COMMAND_NOT_FOUND, 0, "launch");
    ask(&f, "POST", "start", "timeout=61s", "5");
    told(&f, SOSIA_ARGUMENT, 0, "timeout");
    assert_int_equal(device.calls, 0);
    stat_is(&f, "\"commandsSent\":0,");
    fixture_close(&f);
}

// The table holds no Ask that was answered: late and second answers find nobody.
static void test_silence(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    device.mood = SILENT;
    ask(&f, "POST", "stop", "timeout=20ms", "");
    told(&f, SOSIA_DEVICE, 0, "in time");
    assert_false(command_answer(&f.c, (Str){device.correlation, 32}, 200, kit_str("1")));
    assert_false(command_answer(&f.c, kit_str("nonsense"), 200, kit_str("1")));
    assert_int_equal(device.calls, 1); // never again
    device.mood = TWICE;
    device.payload = "1";
    ask(&f, "POST", "stop", "", "");
    told(&f, SOSIA_OK, 200, "1");
    stat_is(&f, "\"commandsTimedOut\":1,\"commandsUnclaimed\":3,");
    fixture_close(&f);
}

// A nearer deadline than the one waited for counts.
static void test_deadlines(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    device.mood = SILENT;
    ask(&f, "POST", "stop", "timeout=60s", "");
    ask(&f, "POST", "stop", "timeout=30ms", "");
    told(&f, SOSIA_DEVICE, 0, "in time");
    stat_is(&f, "\"commandsWaiting\":1,");
    f.told.count = 0;
    commands_free(f.c.commands);
    f.c.commands = NULL;
    told(&f, SOSIA_CLOSED, 0, "shutting down");
    fixture_close(&f);
}

static void test_nobody(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    device.mood = ELSEWHERE;
    ask(&f, "POST", "stop", "", "");
    told(&f, SOSIA_DEVICE_OFFLINE, 0, "No connection carries");
    device.mood = DOWN;
    ask(&f, "POST", "stop", "", "");
    told(&f, SOSIA_DEVICE_OFFLINE, 0, "is down");
    f.connection.running = false;
    device.mood = AT_ONCE;
    ask(&f, "POST", "stop", "", "");
    told(&f, SOSIA_DEVICE_OFFLINE, 0, "No connection carries");
    stat_is(&f, "\"commandsWaiting\":0,");
    fixture_close(&f);
}

// One more than the table holds is refused, and those in it still get their answers.
static void test_full(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    device.mood = SILENT;
    for (int i = 0; i < COMMANDS_MAX; i++) ask(&f, "POST", "stop", "timeout=60s", "");
    assert_int_equal(f.told.count, 0);
    ask(&f, "POST", "stop", "timeout=60s", "");
    told(&f, SOSIA_BUSY, 0, "");
    assert_int_equal(device.calls, COMMANDS_MAX);
    f.told.count = 0;
    assert_true(command_answer(&f.c, (Str){device.correlation, 32}, 200, kit_str("7")));
    told(&f, SOSIA_OK, 200, "7");
    fixture_close(&f);
}

typedef struct Racer {
    Fixture *f;
    Str id;
} Racer;

static void *race(void *arg) {
    Racer *r = arg;
    command_answer(&((Fixture *)r->f)->c, r->id, 200, kit_str("1"));
    return NULL;
}

// Answer and time-out at the same moment: one of them, once.
static void test_race(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    device.mood = SILENT;
    for (int i = 0; i < 50; i++) {
        ask(&f, "POST", "stop", "timeout=1ms", "");
        char id[33];
        memcpy(id, device.correlation, sizeof id);
        Racer r = {&f, {id, 32}};
        Thread a = {0}, b = {0};
        assert_int_equal(thread_start(&a, "race", race, &r), ERR_OK);
        assert_int_equal(thread_start(&b, "race", race, &r), ERR_OK);
        thread_join(&a);
        thread_join(&b);
        pthread_mutex_lock(&f.told.lock);
        while (!f.told.count) pthread_cond_wait(&f.told.done, &f.told.lock);
        assert_int_equal(f.told.count, 1);
        pthread_mutex_unlock(&f.told.lock);
    }
    stat_is(&f, "\"commandsWaiting\":0,");
    fixture_close(&f);
}

// What the closed loop sends: answered like requests, never both refused and done.
typedef struct Loop {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int count, status;
    SosiaErr err;
    char answer[256];
} Loop;

static void on_done(void *arg, SosiaErr err, int status, SosiaStr answer) {
    Loop *l = arg;
    pthread_mutex_lock(&l->lock);
    l->count++;
    l->err = err;
    l->status = status;
    snprintf(l->answer, sizeof l->answer, "%.*s", STR_ARG(answer));
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

static SosiaErr loop_send(Fixture *f, Loop *l, const char *name, const char *payload, int64_t timeout_ns) {
    *l = (Loop){.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    return commands_of_engine(&f->c, STR("live"), STR("p"), (Str){0}, kit_str(name), kit_str(payload), timeout_ns,
                              on_done, l);
}

static void loop_done(Loop *l, SosiaErr err, int status, const char *part) {
    pthread_mutex_lock(&l->lock);
    while (!l->count) pthread_cond_wait(&l->wake, &l->lock);
    assert_int_equal(l->count, 1);
    assert_int_equal(l->err, err);
    assert_int_equal(l->status, status);
    kit_has(l->answer, part);
    pthread_mutex_unlock(&l->lock);
}

static void test_loop(void **state) {
    (void)state;
    Fixture f;
    Loop l;
    fixture_open(&f);
    device.payload = "{\"speed\":5}";
    device.status = 200;
    assert_int_equal(loop_send(&f, &l, "start", "5", NS_PER_S), SOSIA_OK);
    loop_done(&l, SOSIA_OK, 200, "{\"speed\":5}");
    assert_string_equal(device.seen, "p/.start(5)");
    device.status = 409;
    assert_int_equal(loop_send(&f, &l, "stop", "", 0), SOSIA_OK);
    loop_done(&l, SOSIA_DEVICE_REFUSED, 409, "{\"speed\":5}");
    assert_int_equal(loop_send(&f, &l, "start", "\"fast\"", NS_PER_S), SOSIA_VALIDATION);
    assert_int_equal(loop_send(&f, &l, "launch", "", NS_PER_S), SOSIA_COMMAND_NOT_FOUND);
    device.mood = ELSEWHERE;
    assert_int_equal(loop_send(&f, &l, "stop", "", NS_PER_S), SOSIA_DEVICE_OFFLINE);
    assert_int_equal(l.count, 0);
    device.mood = SILENT;
    assert_int_equal(loop_send(&f, &l, "stop", "", 20 * NS_PER_MS), SOSIA_OK);
    loop_done(&l, SOSIA_DEVICE, 0, "in time");
    assert_int_equal(loop_send(&f, &l, "stop", "", NS_PER_S * 60), SOSIA_OK);
    command_failed(&f.c, (Str){device.correlation, 32}, ERR_DEVICE_OFFLINE, STR("gone"));
    loop_done(&l, SOSIA_DEVICE_OFFLINE, 0, "gone");
    assert_int_equal(loop_send(&f, &l, "stop", "", NS_PER_S * 60), SOSIA_OK);
    commands_hurry(f.c.commands);
    loop_done(&l, SOSIA_CLOSED, 0, "shutting down");
    assert_int_equal(loop_send(&f, &l, "stop", "", NS_PER_S), SOSIA_CLOSED);
    fixture_close(&f);
}

static void test_timeouts(void **state) {
    (void)state;
    int64_t ns = 0;
    assert_true(command_timeout(kit_str("2s"), &ns) && ns == 2 * NS_PER_S);
    assert_true(command_timeout(kit_str("500ms"), &ns) && ns == 500 * NS_PER_MS);
    assert_true(command_timeout(kit_str("1m"), &ns) && ns == 60 * NS_PER_S);
    static const char *const bad[] = {"",   "s",   "2",       "0s",   "-1s",
                                      "2m", "61s", "60001ms", "1.5s", "9223372036854775807s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(command_timeout(kit_str(bad[i]), &ns));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_checks),   cmocka_unit_test(test_silence),
        cmocka_unit_test(test_deadlines), cmocka_unit_test(test_nobody),   cmocka_unit_test(test_full),
        cmocka_unit_test(test_race),      cmocka_unit_test(test_timeouts), cmocka_unit_test(test_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
