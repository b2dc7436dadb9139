// SPDX-License-Identifier: Apache-2.0
// Records of decisions in memory and in the file.
#include "engine/decide_inner.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"

#define AGAIN_NS NS_PER_S                 // to the next try of what the disk refused
#define STATE_KIND STR("sosia.decisions") // items: "stop": the kill switch is on; "last": the highest number given

typedef struct Key {
    char text[17];
} Key;

static Key key_of(uint64_t id) {
    Key k;
    snprintf(k.text, sizeof k.text, "%016llx", (unsigned long long)id);
    return k;
}

static bool id_of(Str key, uint64_t *id) {
    char text[17];
    if (key.n != 16) return false;
    memcpy(text, key.p, 16);
    text[16] = 0;
    char *end;
    *id = strtoull(text, &end, 16);
    return *end == 0 && *id > 0;
}

// ---- one ----------------------------------------------------------------------------------------------------------

static void work_free(Work *w) {
    if (!w) return;
    arena_free(&w->keep);
    arena_free(&w->keep_gone);
    mem_free(w);
}

static Work *work_new(void) {
    Work *w = mem_alloc(sizeof *w);
    arena_init(&w->keep, 4096);
    arena_init(&w->keep_gone, 64);
    return w;
}

static void deed_free(Deed *d) {
    work_free(d->work);
    mem_free((void *)d->rule.p);
    buf_free(&d->brief);
    buf_free(&d->json);
    mem_free(d);
}

// The rule as the record has it, for its twin.
static void read_rule(Work *w) {
    Rule all;
    Json *v = NEW(&w->keep, Json, 1);
    w->ruled = !json_parse(w->x.definition, NULL, &w->keep, v, NULL) && !rule_of(&w->keep, v, w->x.rule, &all, NULL);
    if (w->ruled) rule_for(&w->keep, &all, w->x.twin, &w->rule);
}

static Err read_record(Arena *a, Str json, Json *v, Decision *x) {
    Diag d;
    diag_init(&d);
    Err err = json_parse(json, NULL, a, v, &d);
    if (!err) err = decision_of(a, v, x, &d);
    diag_free(&d);
    return err ? ERR_CORRUPT : ERR_OK;
}

// What lists show, from the record. Lock held, or nobody knows of it yet.
static void take_brief(Deed *d, const Decision *x) {
    char *names = mem_alloc((size_t)(x->rule.n + x->twin.n) + 1);
    if (x->rule.n) memcpy(names, x->rule.p, (size_t)x->rule.n);
    if (x->twin.n) memcpy(names + x->rule.n, x->twin.p, (size_t)x->twin.n);
    mem_free((void *)d->rule.p);
    d->rule = (Str){names, x->rule.n};
    d->twin = (Str){names + x->rule.n, x->twin.n};
    d->state = x->state;
    d->at_ns = x->at_ns;
    d->sent_ns = x->command.sent_ns;
    d->asked = x->by.n > 0;
    d->step_count = x->step_count;
    if (x->step_count) memcpy(d->steps, x->steps, (size_t)x->step_count * sizeof *d->steps);
    buf_reset(&d->brief);
    decision_put_short(x, &d->brief);
}

Deed *deed_find(Decider *x, uint64_t id) {
    int32_t lo = 0, hi = x->count;
    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;
        if (x->deeds[mid]->id < id) lo = mid + 1;
        else hi = mid;
    }
    return lo < x->count && x->deeds[lo]->id == id ? x->deeds[lo] : NULL;
}

// They come in order of their numbers.
static void table_add(Decider *x, Deed *d) {
    CHECK(!x->count || x->deeds[x->count - 1]->id < d->id);
    pthread_mutex_lock(&x->lock);
    if (x->count == x->cap) {
        x->cap = x->cap ? 2 * x->cap : 64;
        x->deeds = mem_grow(x->deeds, (size_t)x->cap * sizeof *x->deeds);
    }
    x->deeds[x->count++] = d;
    pthread_mutex_unlock(&x->lock);
}

static void table_take(Decider *x, Deed *d) {
    int32_t i = 0;
    pthread_mutex_lock(&x->lock);
    while (x->deeds[i] != d) i++;
    x->count--;
    memmove(&x->deeds[i], &x->deeds[i + 1], (size_t)(x->count - i) * sizeof(Deed *));
    x->revision++;
    pthread_cond_broadcast(&x->moved);
    pthread_mutex_unlock(&x->lock);
}

// Of a rule without a seed: each decision looks at chances of its own, and its record tells which. Short, for people
// who give it to a run of their own.
static uint64_t drawn_seed(int64_t at_ns, uint64_t id) {
    Rng r = rng_make((uint64_t)at_ns, id);
    return 1 + rng_below(&r, 999999999);
}

Deed *deed_new(Decider *x, Str rule, Str json, Str twin, int64_t since_ns, int64_t at_ns) {
    Deed *d = mem_alloc(sizeof *d);
    Work *w = d->work = work_new();
    d->id = ++x->last_id;
    w->x = (Decision){.id = d->id,
                      .rule = arena_str(&w->keep, rule),
                      .twin = arena_str(&w->keep, twin),
                      .state = DECISION_PROPOSING,
                      .definition = arena_str(&w->keep, json),
                      .since_ns = since_ns,
                      .at_ns = at_ns};
    read_rule(w);
    w->x.mode = w->rule.mode;
    w->x.seed = w->rule.seed ? w->rule.seed : drawn_seed(at_ns, d->id);
    w->x.replications = w->rule.replications;
    w->x.ahead_ns = w->rule.ahead_ns;
    take_brief(d, &w->x);
    table_add(x, d);
    return d;
}

void deed_drop(Decider *x, Deed *d) {
    table_take(x, d);
    deed_free(d);
}

// ---- durable ------------------------------------------------------------------------------------------------------

// The record without somebody who was erased.
static void put_without(Str json, Str twin, Buf *out) {
    Arena a;
    Json v;
    arena_init(&a, 4096);
    CHECK(!json_parse(json, NULL, &a, &v, NULL)); // our own bytes
    decision_forget(&v, twin, out);
    arena_free(&a);
}

// Its record as it is to be kept.
static void render(const Work *w, Buf *out) {
    decision_put(&w->x, out);
    for (const Gone *g = w->gone; g; g = g->next) {
        Buf whole = *out;
        *out = (Buf){0};
        put_without(buf_str(&whole), g->twin, out);
        buf_free(&whole);
    }
}

static Err put_items(Decider *x, const SosiaItem *items, int64_t n) {
    Err err = (Err)sosia_items_put_wait(x->engine, items, n);
    return err;
}

static Err put_record(Decider *x, uint64_t id, Str json) {
    Key key = key_of(id), last = key_of(x->last_id);
    SosiaItem items[] = {{.kind = DECISION_KIND, .key = str_of(key.text), .value = json},
                         {.kind = STATE_KIND, .key = STR("last"), .value = str_of(last.text)}};
    return put_items(x, items, id == x->last_id ? 2 : 1);
}

// Others see it.
static void reveal(Decider *x, Deed *d, const Decision *as, Buf *json) {
    pthread_mutex_lock(&x->lock);
    take_brief(d, as);
    if (d->work) {
        Buf old = d->json;
        d->json = *json;
        *json = old;
    }
    x->revision++;
    pthread_cond_broadcast(&x->moved);
    pthread_mutex_unlock(&x->lock);
}

Err deed_put(Decider *x, Deed *d) {
    Work *w = d->work;
    Buf json = {0};
    CHECK(w && !w->busy);
    if (decision_ended(w->x.state) && !w->x.ended_ns) w->x.ended_ns = decider_now(x);
    bool stepped = decision_step(&w->x, &w->keep, decider_now(x));
    render(w, &json);
    Err err = put_record(x, d->id, buf_str(&json));
    if (err && stepped) w->x.step_count--; // it has not come to it yet
    w->dirty = err != ERR_OK;
    w->try_ns = err ? time_mono_ns() + AGAIN_NS : 0;
    if (!err && w->gone) {
        Arena a;
        Json v;
        Decision shown;
        arena_init(&a, 4096);
        err = read_record(&a, buf_str(&json), &v, &shown);
        if (!err) reveal(x, d, &shown, &json);
        arena_free(&a);
    } else if (!err) reveal(x, d, &w->x, &json);
    buf_free(&json);
    return err;
}

void deed_close(Decider *x, Deed *d) {
    Work *w = d->work;
    if (!w || w->busy || w->dirty || w->in_flight || !decision_ended(w->x.state)) return;
    pthread_mutex_lock(&x->lock);
    d->work = NULL;
    buf_free(&d->json);
    pthread_mutex_unlock(&x->lock);
    work_free(w);
}

typedef struct Finding {
    Str key;
    Buf *out;
    bool found;
} Finding;

static bool take_value(void *ctx, SosiaStr key, SosiaStr value) {
    Finding *f = ctx;
    f->found = str_eq(key, f->key);
    if (f->found) buf_str_put(f->out, value);
    return false;
}

Err deed_show(Decider *x, uint64_t id, Buf *out) {
    Key key = key_of(id), before = key_of(id ? id - 1 : 0);
    Finding f = {.key = str_of(key.text), .out = out};
    buf_reset(out);
    pthread_mutex_lock(&x->lock);
    Deed *d = deed_find(x, id);
    if (d && d->json.n) buf_str_put(out, buf_str(&d->json));
    pthread_mutex_unlock(&x->lock);
    if (!d) return ERR_DECISION_NOT_FOUND;
    if (out->n) return ERR_OK;
    TRY((Err)sosia_items_scan(x->engine, DECISION_KIND, str_of(before.text), 1, take_value, &f));
    return f.found ? ERR_OK : ERR_DECISION_NOT_FOUND;
}

Err deed_load(Decider *x, Deed *d) {
    if (d->work) return ERR_OK;
    Buf json = {0};
    Work *w = work_new();
    Err err = deed_show(x, d->id, &json);
    if (!err) err = read_record(&w->keep, arena_str(&w->keep, buf_str(&json)), NEW(&w->keep, Json, 1), &w->x);
    if (!err) read_rule(w);
    if (err) work_free(w);
    else {
        pthread_mutex_lock(&x->lock);
        d->work = w;
        Buf old = d->json;
        d->json = json;
        json = old;
        pthread_mutex_unlock(&x->lock);
    }
    buf_free(&json);
    return err;
}

static void prune(Decider *x, bool sent) {
    for (int32_t i = 0; x->count > DECISIONS_MAX && i < x->count;) {
        Deed *d = x->deeds[i];
        if (d->work || (d->sent_ns && !sent)) {
            i++;
            continue;
        }
        Key key = key_of(d->id);
        SosiaItem item = {.kind = DECISION_KIND, .key = str_of(key.text), .remove = true};
        if (put_items(x, &item, 1)) return;
        deed_drop(x, d);
    }
}

void deeds_prune(Decider *x) {
    prune(x, false);
    prune(x, true);
}

Err switch_put(Decider *x, bool on) {
    SosiaItem item = {.kind = STATE_KIND, .key = STR("stop"), .value = STR("on"), .remove = !on};
    return put_items(x, &item, 1);
}

// ---- reading back -------------------------------------------------------------------------------------------------

static bool take_state(void *ctx, SosiaStr key, SosiaStr value) {
    Decider *x = ctx;
    if (str_eq(key, STR("stop"))) x->stopped = true;
    else if (str_eq(key, STR("last"))) (void)id_of(value, &x->last_id);
    return true;
}

// What is damaged is left alone.
static bool take_record(void *ctx, SosiaStr key, SosiaStr value) {
    Decider *x = ctx;
    Deed *d = mem_alloc(sizeof *d);
    Work *w = d->work = work_new();
    bool ok = id_of(key, &d->id);
    ok = ok && !read_record(&w->keep, arena_str(&w->keep, value), NEW(&w->keep, Json, 1), &w->x) && w->x.id == d->id;
    if (!ok) {
        LOG(DECISION_DAMAGED, STR_ARG(key));
        deed_free(d);
        return true;
    }
    if (d->id > x->last_id) x->last_id = d->id;
    take_brief(d, &w->x);
    bool undoing = w->x.rollback.sent_ns && !w->x.rollback.answered_ns && w->x.state != DECISION_UNKNOWN;
    if (decision_ended(w->x.state) && !undoing) {
        work_free(w);
        d->work = NULL;
    } else {
        buf_str_put(&d->json, value);
        read_rule(w);
        act_resume(x, d);
    }
    table_add(x, d);
    return true;
}

Err deeds_open(Decider *x) {
    TRY((Err)sosia_items_scan(x->engine, STATE_KIND, (Str){0}, 0, take_state, x));
    return (Err)sosia_items_scan(x->engine, DECISION_KIND, (Str){0}, 0, take_record, x);
}

void deeds_free(Decider *x) {
    for (int32_t i = 0; i < x->count; i++) deed_free(x->deeds[i]);
    mem_free(x->deeds);
    x->deeds = NULL;
    x->count = 0;
}

// ---- erasing ------------------------------------------------------------------------------------------------------

typedef struct Forgetting {
    Decider *x;
    Str twin, property;
    Err err;
} Forgetting;

// Without values of the property. True: there were any.
static bool drop_values(Decision *x, Str twin, Str property) {
    int32_t kept = 0, had = x->value_count;
    for (int32_t i = 0; i < had; i++) {
        const DecisionValue *v = &x->values[i];
        Str rest = v->property;
        bool of =
            str_eq(v->twin, twin) && str_starts(rest, property) && (rest.n == property.n || rest.p[property.n] == '.');
        if (!of) x->values[kept++] = *v;
    }
    x->value_count = kept;
    return kept < had;
}

// What is kept of a record from now on. False: it stays as it is.
static bool forgotten(const Forgetting *f, const Json *v, Decision *x, Buf *out) {
    if (!f->property.n) {
        if (!decision_names(v, f->twin)) return false;
        decision_forget(v, f->twin, out);
        return true;
    }
    if (!drop_values(x, f->twin, f->property)) return false;
    decision_put(x, out);
    return true;
}

static Err replace(Forgetting *f, Deed *d, uint64_t id, Buf *json) {
    Arena a;
    Json v;
    Decision x;
    TRY(put_record(f->x, id, buf_str(json)));
    if (!d) return ERR_OK;
    arena_init(&a, 4096);
    Err err = read_record(&a, buf_str(json), &v, &x);
    if (!err) reveal(f->x, d, &x, json);
    arena_free(&a);
    return err;
}

static bool forget_record(void *ctx, SosiaStr key, SosiaStr value) {
    Forgetting *f = ctx;
    uint64_t id = 0;
    Arena a;
    Json v;
    Decision x;
    Buf json = {0};
    arena_init(&a, 4096);
    Deed *d = id_of(key, &id) ? deed_find(f->x, id) : NULL;
    if (d && !read_record(&a, arena_str(&a, value), &v, &x)) {
        if (forgotten(f, &v, &x, &json)) f->err = replace(f, d, id, &json);
    } else { // nobody can tell what is in it
        SosiaItem item = {.kind = DECISION_KIND, .key = key, .remove = true};
        f->err = put_items(f->x, &item, 1);
    }
    buf_free(&json);
    arena_free(&a);
    return !f->err;
}

static bool names_it(Str json, Str twin) {
    Arena a;
    Json v;
    arena_init(&a, 4096);
    bool names = !json_parse(json, NULL, &a, &v, NULL) && decision_names(&v, twin);
    arena_free(&a);
    return names;
}

static void gone_add(Work *w, Str twin, Str property) {
    Gone *g = NEW(&w->keep_gone, Gone, 1);
    *g = (Gone){w->gone, arena_str(&w->keep_gone, twin), arena_str(&w->keep_gone, property)};
    w->gone = g;
}

bool deed_erased(Deed *d) {
    Work *w = d->work;
    Gone *all = w->gone;
    Buf json = {0};
    w->gone = NULL;
    for (Gone *g = all; g; g = g->next)
        if (g->property.n) (void)drop_values(&w->x, g->twin, g->property);
    decision_put(&w->x, &json);
    for (Gone *g = all, *next; g; g = next) {
        next = g->next;
        if (g->property.n || !names_it(buf_str(&json), g->twin)) continue;
        g->next = w->gone;
        w->gone = g;
    }
    buf_free(&json);
    return w->gone != NULL;
}

// One that is under way ends; one that is being tried is looked at when it comes back.
static Err end_open(Forgetting *f, Deed *d) {
    Work *w = d->work;
    if (w->busy) {
        gone_add(w, f->twin, f->property);
        return ERR_OK;
    }
    if (!names_it(buf_str(&d->json), f->twin)) return ERR_OK;
    if (f->property.n) {
        (void)drop_values(&w->x, f->twin, f->property);
        return ERR_OK;
    }
    gone_add(w, f->twin, f->property);
    w->in_flight = false;
    if (!decision_ended(w->x.state)) {
        w->x.state = DECISION_FAILED;
        decision_log(&w->x, &w->keep, decider_now(f->x), "a twin that it names was erased");
    }
    TRY(deed_put(f->x, d));
    deed_close(f->x, d);
    return ERR_OK;
}

Err deeds_forget(Decider *x, Str twin, Str property) {
    Forgetting f = {.x = x, .twin = twin, .property = property};
    for (int32_t i = 0; i < x->count; i++)
        if (x->deeds[i]->work) TRY(end_open(&f, x->deeds[i]));
    TRY((Err)sosia_items_scan(x->engine, DECISION_KIND, (Str){0}, 0, forget_record, &f));
    return f.err;
}
