// SPDX-License-Identifier: Apache-2.0
// The table of pending commands. `lock` guards it; answers are given outside of it.
//
// Invariant: who waits is answered by who took its row out of the table: the device's answer, the time-out, a failed
// publishing, or the end.
#include "connect/command.h"
#include <sys/random.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/answer.h"

// Who waits for an answer: a request (ask), or the engine's closed loop (done); neither: nobody.
typedef struct Waiter {
    Ask *ask;
    SosiaCommandDone done;
    void *arg;
} Waiter;

typedef struct Pending {
    char correlation[33];
    Waiter waiter;
    int64_t deadline_ns; // monotonic
} Pending;

struct Commands {
    pthread_mutex_t lock;
    pthread_cond_t wake; // the thread: a new deadline, the end
    Pending rows[COMMANDS_MAX];
    int32_t count;
    bool closing;
    Thread thread;
    _Atomic int64_t sent, answered, refused, timed_out, unclaimed;
};

// A person's command has its answer, or was not sent.
static void note(const Ask *a, int status) {
    const SosiaAsk *q = a->q;
    sosia_command_note(a->connect->engine, &(SosiaCommandNote){.world = q->world,
                                                               .twin = q->id,
                                                               .component = q->part,
                                                               .name = q->sub,
                                                               .by = a->who.principal,
                                                               .status = status});
}

static bool waits(const Waiter *w) { return w->ask || w->done; }

static void tell_failed(const Waiter *w, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void tell_failed(const Waiter *w, Err err, const char *fmt, ...) {
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    if (w->ask) note(w->ask, err_http(err));
    if (w->ask) ask_fail(w->ask, err, "%.*s", STR_ARG(buf_str(&text)));
    else w->done(w->arg, (SosiaErr)err, 0, buf_str(&text));
    buf_free(&text);
}

// ---- the table ----------------------------------------------------------------------------------------------------

// Caller holds the lock.
static Waiter take_locked(Commands *c, int32_t i) {
    Waiter w = c->rows[i].waiter;
    c->rows[i] = c->rows[--c->count];
    return w;
}

static Waiter take(Commands *c, Str correlation) {
    Waiter w = {0};
    pthread_mutex_lock(&c->lock);
    for (int32_t i = 0; i < c->count && !waits(&w); i++)
        if (str_eq(correlation, (Str){c->rows[i].correlation, 32})) w = take_locked(c, i);
    pthread_mutex_unlock(&c->lock);
    return w;
}

static Err enter(Commands *c, Waiter w, const Command *cmd) {
    Err err = ERR_OK;
    pthread_mutex_lock(&c->lock);
    if (c->closing) err = ERR_CLOSED;
    else if (c->count == COMMANDS_MAX) err = ERR_BUSY;
    else {
        Pending *p = &c->rows[c->count++];
        *p = (Pending){.waiter = w, .deadline_ns = time_mono_ns() + cmd->timeout_ns};
        memcpy(p->correlation, cmd->correlation, sizeof p->correlation);
        pthread_cond_signal(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

// One whose time is up by `now`, or nobody; *next: the nearest deadline of the others. Caller holds the lock.
static Waiter expired_locked(Commands *c, int64_t now, int64_t *next) {
    *next = INT64_MAX;
    for (int32_t i = 0; i < c->count; i++) {
        if (c->rows[i].deadline_ns <= now) return take_locked(c, i);
        if (c->rows[i].deadline_ns < *next) *next = c->rows[i].deadline_ns;
    }
    return (Waiter){0};
}

static void *watch(void *arg) {
    Commands *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->closing) {
        int64_t next;
        Waiter w = expired_locked(c, time_mono_ns(), &next);
        if (waits(&w)) {
            pthread_mutex_unlock(&c->lock);
            atomic_fetch_add(&c->timed_out, 1);
            tell_failed(&w, ERR_DEVICE, "The device did not answer in time.");
            pthread_mutex_lock(&c->lock);
        } else if (next == INT64_MAX) {
            pthread_cond_wait(&c->wake, &c->lock);
        } else {
            struct timespec t = {.tv_sec = next / NS_PER_S, .tv_nsec = next % NS_PER_S};
            pthread_cond_timedwait(&c->wake, &c->lock, &t);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

Commands *commands_new(SosiaConnect *k) {
    (void)k;
    Commands *c = mem_alloc(sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    cond_init_mono(&c->wake);
    if (thread_start(&c->thread, "commands", watch, c) == ERR_OK) return c;
    commands_free(c);
    return NULL;
}

void commands_hurry(Commands *c) {
    for (;;) {
        pthread_mutex_lock(&c->lock);
        c->closing = true;
        pthread_cond_signal(&c->wake);
        Waiter w = c->count ? take_locked(c, 0) : (Waiter){0};
        pthread_mutex_unlock(&c->lock);
        if (!waits(&w)) return;
        tell_failed(&w, ERR_CLOSED, "The server is shutting down.");
    }
}

void commands_free(Commands *c) {
    if (!c) return;
    commands_hurry(c);
    thread_join(&c->thread);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

void commands_stats(Commands *c, Buf *out) {
    pthread_mutex_lock(&c->lock);
    int32_t pending = c->count;
    pthread_mutex_unlock(&c->lock);
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"commandsWaiting", pending},       {"commandsSent", c->sent},
                {"commandsAnswered", c->answered},  {"commandsRefused", c->refused},
                {"commandsTimedOut", c->timed_out}, {"commandsUnclaimed", c->unclaimed}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out, ",\"%s\":%lld", rows[i].name, (long long)rows[i].value);
}

// ---- answers ------------------------------------------------------------------------------------------------------

// The payload as JSON: as it is, or as a string.
static void put_payload(Buf *b, Str payload) {
    Arena a;
    Json v;
    arena_init(&a, 0);
    if (!str_trim(payload).n) buf_str_put(b, STR("null"));
    else if (json_parse(payload, NULL, &a, &v, NULL) == ERR_OK) buf_str_put(b, payload);
    else json_put_str(b, payload);
    arena_free(&a);
}

// A sentence, in the device's words where it has some.
static void refusal(int status, Str payload, Buf *out) {
    Arena a;
    arena_init(&a, 0);
    Str words = answer_words(payload, &a);
    buf_printf(out, "The device answered with status %d%s%.*s", status, words.n ? ": " : ".", STR_ARG(words));
    arena_free(&a);
}

static void answer_refused(Ask *a, int status, Str payload) {
    Buf b = {0}, text = {0};
    refusal(status, payload, &text);
    buf_printf(&b, "{\"error\":{\"code\":\"%s\",\"message\":", err_wire(ERR_DEVICE_REFUSED));
    json_put_str(&b, buf_str(&text));
    buf_printf(&b, ",\"status\":%d,\"payload\":", status);
    put_payload(&b, payload);
    buf_str_put(&b, STR("}}"));
    ask_told(a, &(SosiaTold){.err = SOSIA_DEVICE_REFUSED,
                             .status = err_http(ERR_DEVICE_REFUSED),
                             .bare = true,
                             .body = buf_str(&b),
                             .message = STR("The device refused the command.")});
    buf_free(&text);
    buf_free(&b);
}

static void answer_ask(Ask *a, int status, Str payload) {
    note(a, status >= 400 ? err_http(ERR_DEVICE_REFUSED) : str_trim(payload).n ? 200 : 204);
    if (status >= 400) {
        answer_refused(a, status, payload);
    } else if (!str_trim(payload).n) {
        ask_empty(a, 204);
    } else {
        Buf b = {0};
        put_payload(&b, payload);
        ask_json(a, 200, &b);
        buf_free(&b);
    }
}

bool command_answer(SosiaConnect *k, Str correlation, int status, Str payload) {
    Waiter w = take(k->commands, correlation);
    if (!waits(&w)) {
        atomic_fetch_add(&k->commands->unclaimed, 1);
        return false;
    }
    atomic_fetch_add(status < 400 ? &k->commands->answered : &k->commands->refused, 1);
    if (payload.n > COMMAND_BYTES_MAX)
        tell_failed(&w, ERR_TOO_LARGE, "The device's answer is larger than %d bytes.", COMMAND_BYTES_MAX);
    else if (w.ask) answer_ask(w.ask, status, payload);
    else w.done(w.arg, status < 400 ? SOSIA_OK : SOSIA_DEVICE_REFUSED, status, payload);
    return true;
}

void command_failed(SosiaConnect *k, Str correlation, Err err, Str why) {
    Waiter w = take(k->commands, correlation);
    if (waits(&w)) tell_failed(&w, err, "%.*s", STR_ARG(why));
}

// ---- requests -----------------------------------------------------------------------------------------------------

bool command_timeout(Str text, int64_t *ns) {
    static const struct {
        const char *unit;
        int64_t ns;
    } all[] = {{"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int64_t n;
        Str unit = str_of(all[i].unit);
        if (!str_ends(text, unit) || !str_to_i64(str_sub(text, 0, text.n - unit.n), &n)) continue;
        if (n <= 0 || n > COMMAND_TIMEOUT_NS_MAX / all[i].ns) return false;
        *ns = n * all[i].ns;
        return true;
    }
    return false;
}

static void correlation_make(char out[33]) {
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[16];
    CHECK(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    for (int i = 0; i < 16; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15];
    }
    out[32] = 0;
}

static Err publish(Connection *c, void *ctx) {
    if (!c->kind || !c->kind->command) return ERR_NO_ROUTE;
    Err err = c->kind->command(c, ctx);
    if (!err) atomic_fetch_add(&c->stats.commands, 1);
    return err;
}

static void why_not_sent(Err err, const Command *cmd, Buf *why) {
    if (err == ERR_NO_ROUTE) buf_printf(why, "No connection carries the twin \"%.*s\".", STR_ARG(cmd->twin));
    else if (err == ERR_DEVICE_OFFLINE)
        buf_printf(why, "The connection that carries the twin \"%.*s\" is down.", STR_ARG(cmd->twin));
    else buf_printf(why, "The command could not be sent: %s.", err_text(err));
}

// Publish what is in the table; `cmd` has texts of its own, for who waits may be answered before this returns. *left:
// who waits still, when it was not published.
static Err send(SosiaConnect *k, Command *cmd, Waiter *left, Buf *why) {
    *left = (Waiter){0};
    atomic_fetch_add(&k->commands->sent, 1);
    Err err = connection_each(k, publish, cmd);
    if (!err) return ERR_OK;
    *left = take(k->commands, (Str){cmd->correlation, 32});
    why_not_sent(err, cmd, why);
    return err == ERR_NO_ROUTE ? ERR_DEVICE_OFFLINE : err;
}

static Err check(Ask *a, Command *cmd, Arena *arena, Buf *why) {
    const SosiaAsk *q = a->q;
    Str timeout = ask_param(a, STR("timeout"), arena);
    cmd->timeout_ns = COMMAND_TIMEOUT_NS;
    if (timeout.p && !command_timeout(timeout, &cmd->timeout_ns)) {
        buf_printf(why, "timeout is a time from 1ms to 60s, like 2s");
        return ERR_ARGUMENT;
    }
    if (q->body.n > COMMAND_BYTES_MAX) {
        buf_printf(why, "the payload of a command has at most %d bytes", COMMAND_BYTES_MAX);
        return ERR_TOO_LARGE;
    }
    cmd->world = arena_str(arena, q->world);
    cmd->twin = arena_str(arena, q->id);
    cmd->name = arena_str(arena, q->sub);
    cmd->component = arena_str(arena, q->part);
    cmd->payload = arena_str(arena, str_trim(q->body));
    correlation_make(cmd->correlation);
    return (Err)sosia_command_check(a->connect->engine, cmd->world, cmd->twin, cmd->component, cmd->name, cmd->payload,
                                    why);
}

void ask_commands(Ask *a) {
    if (!str_eq(a->q->method, STR("POST"))) {
        ask_fail(a, ERR_METHOD, "A command is invoked with POST.");
        return;
    }
    SosiaConnect *k = a->connect;
    Command cmd = {0};
    Arena arena;
    Buf why = {0};
    arena_init(&arena, 4096);
    Err err = check(a, &cmd, &arena, &why);
    if (err) {
        ask_fail(a, err, "%.*s", STR_ARG(buf_str(&why)));
    } else if ((err = enter(k->commands, (Waiter){.ask = a}, &cmd))) {
        ask_fail(a, err, "%s", err_text(err));
    } else {
        Waiter left;
        err = send(k, &cmd, &left, &why);
        if (waits(&left)) tell_failed(&left, err, "%.*s", STR_ARG(buf_str(&why)));
    }
    buf_free(&why);
    arena_free(&arena);
}

// ---- the closed loop ----------------------------------------------------------------------------------------------

SosiaErr commands_of_engine(void *ctx, SosiaStr world, SosiaStr twin, SosiaStr component, SosiaStr command,
                            SosiaStr payload, int64_t timeout_ns, SosiaCommandDone done, void *arg) {
    SosiaConnect *k = ctx;
    Command cmd = {.world = world,
                   .twin = twin,
                   .component = component,
                   .name = command,
                   .payload = str_trim(payload),
                   .timeout_ns = timeout_ns > 0 ? timeout_ns : COMMAND_TIMEOUT_NS};
    if (cmd.payload.n > COMMAND_BYTES_MAX) return SOSIA_TOO_LARGE;
    if (cmd.timeout_ns > COMMAND_TIMEOUT_NS_MAX) cmd.timeout_ns = COMMAND_TIMEOUT_NS_MAX;
    correlation_make(cmd.correlation);
    Buf why = {0};
    Waiter left;
    Err err = (Err)sosia_command_check(k->engine, world, twin, component, command, cmd.payload, &why);
    if (!err) err = enter(k->commands, (Waiter){.done = done, .arg = arg}, &cmd);
    if (!err) {
        err = send(k, &cmd, &left, &why);
        if (err && !waits(&left)) err = ERR_OK; // its time was up meanwhile: `done` has run
    }
    buf_free(&why);
    return (SosiaErr)err;
}
