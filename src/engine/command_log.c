// SPDX-License-Identifier: Apache-2.0
// Invariant: under the lock a note is queued only for a twin that is in live, so behind an erasure, which takes the
// twin out of live first, none comes that forget did not see.
#include "engine/command_log.h"
#include <pthread.h>
#include <stdio.h>
#include "base/mem.h"
#include "codec/json.h"

#define KIND STR("sosia.command")

struct CommandLog {
    pthread_mutex_t lock;
    int32_t next; // place in the ring
};

static bool read_line(Arena *a, Str value, CommandLine *c) {
    Json v;
    arena_reset(a);
    if (json_parse(value, NULL, a, &v, NULL) != ERR_OK) return false;
    const Json *time = json_get(&v, STR("time")), *status = json_get(&v, STR("status"));
    if (!time || time->type != JSON_INT || !status || status->type != JSON_INT) return false;
    *c = (CommandLine){.time = time->i,
                       .status = status->i,
                       .twin = json_text(&v, STR("twin")),
                       .component = json_text(&v, STR("component")),
                       .name = json_text(&v, STR("name")),
                       .by = json_text(&v, STR("by"))};
    return true;
}

// ---- looking ------------------------------------------------------------------------------------------------------

typedef struct Scan {
    Arena arena;
    void (*fn)(void *ctx, const CommandLine *c);
    void *ctx;
    // of opening
    int64_t newest;
    int32_t next;
    // of forgetting
    Str twin;
    Buf keys;
} Scan;

static bool tell_line(void *ctx, Str key, Str value) {
    Scan *x = ctx;
    CommandLine c;
    (void)key;
    if (read_line(&x->arena, value, &c)) x->fn(x->ctx, &c);
    return true;
}

Err command_log_scan(Sosia *e, void (*fn)(void *ctx, const CommandLine *c), void *ctx) {
    Scan x = {.fn = fn, .ctx = ctx};
    arena_init(&x.arena, 1024);
    Err err = (Err)sosia_items_scan(e, KIND, (Str){0}, 0, tell_line, &x);
    arena_free(&x.arena);
    return err;
}

static bool find_newest(void *ctx, Str key, Str value) {
    Scan *x = ctx;
    CommandLine c;
    int64_t n;
    if (!read_line(&x->arena, value, &c) || !str_to_i64(key, &n) || c.time < x->newest) return true;
    x->newest = c.time;
    x->next = (int32_t)((n + 1) % COMMAND_LOG_MAX);
    return true;
}

Err command_log_open(Sosia *e) {
    Scan x = {.next = 0};
    arena_init(&x.arena, 1024);
    Err err = (Err)sosia_items_scan(e, KIND, (Str){0}, 0, find_newest, &x);
    arena_free(&x.arena);
    e->command_log = mem_alloc(sizeof *e->command_log);
    pthread_mutex_init(&e->command_log->lock, NULL);
    e->command_log->next = x.next;
    return err;
}

void command_log_close(Sosia *e) {
    if (!e->command_log) return;
    pthread_mutex_destroy(&e->command_log->lock);
    mem_free(e->command_log);
    e->command_log = NULL;
}

// ---- keeping ------------------------------------------------------------------------------------------------------

static Err is_there(View *v, void *ctx) {
    const SosiaCommandNote *n = ctx;
    return view_find_twin(v, n->twin).v ? ERR_OK : ERR_TWIN_NOT_FOUND;
}

// Nobody waits for it: what the disk refuses is not known later.
static void on_kept(void *arg, const SosiaDone *done) {
    (void)arg;
    (void)done;
}

static void put_note(const SosiaCommandNote *n, int64_t now, Buf *out) {
    buf_printf(out, "{\"time\":%lld,\"status\":%d,\"twin\":", (long long)now, n->status);
    json_put_str(out, n->twin);
    buf_str_put(out, STR(",\"component\":"));
    json_put_str(out, n->component);
    buf_str_put(out, STR(",\"name\":"));
    json_put_str(out, n->name);
    buf_str_put(out, STR(",\"by\":"));
    json_put_str(out, n->by);
    buf_byte(out, '}');
}

void sosia_command_note(Sosia *s, const SosiaCommandNote *n) {
    CommandLog *l = s->command_log;
    SosiaCommandNote note = *n;
    Buf value = {0};
    char key[16];
    if (n->world.n && !str_eq(n->world, STR("live"))) return;
    put_note(n, s->now(s->now_ctx), &value);
    pthread_mutex_lock(&l->lock);
    if (engine_read(s, NULL, (Str){0}, is_there, &note, NULL) == ERR_OK) {
        int size = snprintf(key, sizeof key, "%05d", l->next);
        SosiaItem item = {.kind = KIND, .key = {key, size}, .value = buf_str(&value)};
        if (sosia_items_put(s, &item, 1, on_kept, NULL) == SOSIA_OK) l->next = (l->next + 1) % COMMAND_LOG_MAX;
    }
    pthread_mutex_unlock(&l->lock);
    buf_free(&value);
}

// ---- forgetting ---------------------------------------------------------------------------------------------------

static bool find_twin(void *ctx, Str key, Str value) {
    Scan *x = ctx;
    CommandLine c;
    if (read_line(&x->arena, value, &c) && str_eq(c.twin, x->twin)) {
        buf_str_put(&x->keys, key);
        buf_byte(&x->keys, '\n');
    }
    return true;
}

Err command_log_forget(Sosia *e, Str twin) {
    Scan x = {.twin = twin};
    if (!e->command_log) return ERR_OK;
    arena_init(&x.arena, 1024);
    pthread_mutex_lock(&e->command_log->lock); // who noted before has queued it by now
    pthread_mutex_unlock(&e->command_log->lock);
    Err err = (Err)sosia_items_scan(e, KIND, (Str){0}, 0, find_twin, &x);
    Str rest = buf_str(&x.keys);
    while (!err && rest.n) {
        SosiaItem item = {.kind = KIND, .key = str_cut(&rest, '\n'), .remove = true};
        err = (Err)sosia_items_put_wait(e, &item, 1);
    }
    buf_free(&x.keys);
    arena_free(&x.arena);
    return err;
}
