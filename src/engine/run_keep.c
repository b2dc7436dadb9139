// SPDX-License-Identifier: Apache-2.0
// What outlives the process of a run: what was asked for, and its Sim in pieces. Two kinds of items, put together in
// one transaction, so a file has both of one instant.
#include "engine/run_sim.h"
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"

#define KEEP_VERSION 2
#define PIECES_MAX 4096 // of one checkpoint

typedef struct Kept {
    RunState state;
    uint64_t number; // of the scenario
    int64_t begin_ns, until_ns, output_ns, steps, epoch_ns, batch_ns;
    uint64_t seq; // the world has everything that was told, and no more
    double speed;
    RatesOptions solver;
    uint64_t pieces;
    Str kpi_names, changes;
} Kept;

// ---- bytes --------------------------------------------------------------------------------------------------------

static void put_double(Buf *b, double d) { buf_u64(b, bits_of(d)); }

static void encode(const Kept *k, Buf *b) {
    buf_byte(b, KEEP_VERSION);
    buf_byte(b, (char)k->state);
    buf_byte(b, (char)k->solver.solver);
    buf_varint(b, k->number);
    const int64_t times[] = {k->begin_ns, k->until_ns, k->output_ns, k->steps, k->epoch_ns, k->batch_ns};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) buf_varint_signed(b, times[i]);
    buf_varint(b, k->seq);
    buf_varint(b, k->pieces);
    put_double(b, k->speed);
    put_double(b, k->solver.rtol);
    put_double(b, k->solver.atol);
    put_double(b, k->solver.step_max_s);
    buf_varint(b, (uint64_t)k->kpi_names.n);
    buf_str_put(b, k->kpi_names);
    buf_str_put(b, k->changes);
}

static bool decode(Str bytes, Kept *k) {
    Cut c = cut_of(bytes);
    *k = (Kept){.state = RUN_FAILED};
    if (cut_byte(&c) != KEEP_VERSION) return false;
    k->state = (RunState)cut_byte(&c);
    k->solver.solver = (RatesSolver)cut_byte(&c);
    k->number = cut_varint(&c);
    int64_t *const times[] = {&k->begin_ns, &k->until_ns, &k->output_ns, &k->steps, &k->epoch_ns, &k->batch_ns};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) *times[i] = cut_varint_signed(&c);
    k->seq = cut_varint(&c);
    k->pieces = cut_varint(&c);
    double *const reals[] = {&k->speed, &k->solver.rtol, &k->solver.atol, &k->solver.step_max_s};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) *reals[i] = double_of(cut_u64(&c));
    uint64_t names = cut_varint(&c);
    if (c.bad || k->state > RUN_FAILED || k->pieces > PIECES_MAX || names > (uint64_t)(c.end - c.p)) return false;
    k->kpi_names = cut_bytes(&c, (int64_t)names);
    k->changes = (Str){(const char *)c.p, c.end - c.p};
    return true;
}

static Str piece_key(Str world, uint64_t i, Buf *room) {
    buf_reset(room);
    buf_printf(room, "%.*s/%06llu", STR_ARG(world), (unsigned long long)i);
    return buf_str(room);
}

// ---- one of a kind ------------------------------------------------------------------------------------------------

typedef struct Finding {
    Str world;
    Buf bytes;
    bool found;
} Finding;

static bool take_head(void *ctx, SosiaStr key, SosiaStr value) {
    Finding *f = ctx;
    f->found = str_eq(key, f->world);
    if (f->found) buf_str_put(&f->bytes, value);
    return false;
}

// The item of a kind by the world's name.
static Err find_item(Sosia *e, Str kind, Str name, Finding *f) {
    char before[WORLD_NAME_MAX + 1];
    *f = (Finding){.world = name};
    memcpy(before, name.p, (size_t)name.n);
    before[name.n - 1]--; // a key before it
    return (Err)sosia_items_scan(e, kind, (Str){before, name.n}, 0, take_head, f);
}

// ---- keeping ------------------------------------------------------------------------------------------------------

typedef struct Pieces {
    Str prefix; // "WORLD/"
    Buf keys;   // one behind the other, each with a 0 behind it
    Buf *bytes; // of all; NULL: only their keys
    uint64_t count;
} Pieces;

static bool take_piece(void *ctx, SosiaStr key, SosiaStr value) {
    Pieces *p = ctx;
    if (!str_starts(key, p->prefix)) return false;
    buf_str_put(&p->keys, key);
    buf_byte(&p->keys, 0);
    if (p->bytes) buf_str_put(p->bytes, value);
    p->count++;
    return true;
}

// Pieces of a world. The scan begins behind "WORLD/", which is no key.
static Err pieces_of(Sosia *e, Str world, Pieces *p, Buf *bytes) {
    Buf prefix = {0};
    buf_printf(&prefix, "%.*s/", STR_ARG(world));
    *p = (Pieces){.prefix = buf_str(&prefix), .bytes = bytes};
    Err err = (Err)sosia_items_scan(e, RUN_STATE_KIND, p->prefix, 0, take_piece, p);
    buf_free(&prefix);
    p->prefix = (Str){0};
    return err;
}

// Empty: nothing was counted yet, nothing is followed. Returns r->forgets of then.
static uint32_t encode_counted(Run *r, RunState state, Buf *out, Buf *trace) {
    pthread_mutex_lock(&r->lock);
    uint32_t forgets = r->forgets;
    if (r->kpis) {
        r->kpis->state = (int)state;
        r->kpis->number = r->realm->scenario->number;
        kpis_encode(r->kpis, out);
    }
    if (r->trace) flow_trace_encode(r->trace, trace);
    pthread_mutex_unlock(&r->lock);
    return forgets;
}

// Those that there are; returns how many.
static int64_t counted_items(const Run *r, const Buf *counted, const Buf *trace, SosiaItem *out) {
    int64_t n = 0;
    if (counted->n) out[n++] = (SosiaItem){.kind = KPI_KIND, .key = r->realm->name, .value = buf_str(counted)};
    if (trace->n) out[n++] = (SosiaItem){.kind = TRACE_KIND, .key = r->realm->name, .value = buf_str(trace)};
    return n;
}

// Something of what was counted is forgotten meanwhile: without it again.
static Err keep_again(Run *r, RunState state, uint32_t forgets) {
    Err err = ERR_OK;
    while (!err) {
        Buf counted = {0}, trace = {0};
        uint32_t now = encode_counted(r, state, &counted, &trace);
        SosiaItem items[2];
        int64_t n = counted_items(r, &counted, &trace, items);
        if (now != forgets && n) err = (Err)sosia_items_put_wait(r->engine, items, n);
        buf_free(&counted);
        buf_free(&trace);
        if (now == forgets) break;
        forgets = now;
    }
    return err;
}

// Put the head, what was counted, and the pieces, and take away those of before that are more.
static Err put_all(Run *r, const Kept *k, Str bytes) {
    Pieces old;
    Err err = pieces_of(r->engine, r->realm->name, &old, NULL);
    uint64_t n = k->pieces > old.count ? k->pieces : old.count;
    SosiaItem *items = mem_alloc((size_t)(n + 3) * sizeof *items);
    Buf head = {0}, counted = {0}, trace = {0}, *keys = mem_alloc((size_t)(n ? n : 1) * sizeof *keys);
    encode(k, &head);
    uint32_t forgets = encode_counted(r, k->state, &counted, &trace);
    int64_t more = counted_items(r, &counted, &trace, items + n + 1);
    items[0] = (SosiaItem){.kind = RUN_KIND, .key = r->realm->name, .value = buf_str(&head)};
    for (uint64_t i = 0; i < n; i++) {
        int64_t at = (int64_t)i * RUN_PIECE_BYTES, left = bytes.n - at;
        keys[i] = (Buf){0};
        items[i + 1] = (SosiaItem){.kind = RUN_STATE_KIND, .key = piece_key(r->realm->name, i, &keys[i])};
        if (i < k->pieces)
            items[i + 1].value = str_sub(bytes, at, at + (left < RUN_PIECE_BYTES ? left : RUN_PIECE_BYTES));
        else items[i + 1].remove = true;
    }
    if (!err) err = (Err)sosia_items_put_wait(r->engine, items, (int64_t)n + 1 + more);
    if (!err && more) err = keep_again(r, k->state, forgets);
    for (uint64_t i = 0; i < n; i++) buf_free(&keys[i]);
    mem_free(keys);
    mem_free(items);
    buf_free(&head);
    buf_free(&counted);
    buf_free(&trace);
    buf_free(&old.keys);
    return err;
}

// As it stands and is asked for; of the world `seq`.
static Kept kept_of(const Run *r, RunState state, uint64_t seq) {
    return (Kept){.state = state,
                  .number = r->realm->scenario->number,
                  .begin_ns = r->begin_ns,
                  .until_ns = r->until_ns,
                  .output_ns = r->output_ns,
                  .steps = r->steps,
                  .epoch_ns = r->epoch_ns,
                  .batch_ns = r->batch_ns,
                  .seq = seq,
                  .speed = r->speed,
                  .solver = r->solver,
                  .kpi_names = r->kpi_names,
                  .changes = r->changes};
}

// Somebody else wrote what the Sim does not know yet: an erasure perhaps, and the Sim has what was erased.
static bool behind(const Run *r) { return atomic_load(&r->realm->scenario->foreign) > r->seen; }

Err run_keep(Run *r, RunState state) {
    if (!r->realm->scenario->number) return ERR_OK; // it lives in memory only
    if (atomic_load(&r->abandoned)) return ERR_OK;  // its name may be another's by now
    Buf bytes = {0};
    if (!behind(r)) sim_save(r->sim, &bytes); // else it would not be taken up: see invariant 3 of run.h
    Kept k = kept_of(r, state, world_visible(r->realm->world));
    k.pieces = (uint64_t)((bytes.n + RUN_PIECE_BYTES - 1) / RUN_PIECE_BYTES);
    Err err = bytes.full || k.pieces > PIECES_MAX ? ERR_LIMIT : put_all(r, &k, buf_str(&bytes));
    if (!err && bytes.n && behind(r)) {
        k.pieces = 0;
        err = put_all(r, &k, (Str){0});
    }
    buf_free(&bytes);
    return err;
}

// What is kept by that name is of a later world.
static bool anothers(Sosia *e, Str world, uint64_t number) {
    Finding f;
    Kept k;
    bool other = !find_item(e, RUN_KIND, world, &f) && f.found && decode(buf_str(&f.bytes), &k) && k.number != number;
    buf_free(&f.bytes);
    return other;
}

void run_forget(Sosia *e, Str world, uint64_t number) {
    Pieces old;
    if (anothers(e, world, number)) return;
    if (pieces_of(e, world, &old, NULL)) return;
    SosiaItem item = {.kind = RUN_KIND, .key = world, .remove = true};
    (void)sosia_items_put_wait(e, &item, 1);
    item.kind = KPI_KIND;
    (void)sosia_items_put_wait(e, &item, 1);
    item.kind = TRACE_KIND;
    (void)sosia_items_put_wait(e, &item, 1);
    for (const char *p = old.keys.p, *end = p ? p + old.keys.n : p; p < end; p += strlen(p) + 1) {
        item = (SosiaItem){.kind = RUN_STATE_KIND, .key = str_of(p), .remove = true};
        (void)sosia_items_put_wait(e, &item, 1);
    }
    buf_free(&old.keys);
}

static Err kept_kpis_forget(Sosia *e, Str world, Str twin) {
    Finding f;
    Err err = find_item(e, KPI_KIND, world, &f);
    Kpis *k = !err && f.found ? kpis_decode(buf_str(&f.bytes)) : NULL;
    if (k && kpis_forget(k, twin)) {
        buf_reset(&f.bytes);
        kpis_encode(k, &f.bytes);
        SosiaItem item = {.kind = KPI_KIND, .key = world, .value = buf_str(&f.bytes)};
        err = (Err)sosia_items_put_wait(e, &item, 1);
    }
    kpis_free(k);
    buf_free(&f.bytes);
    return err;
}

static Err kept_trace_forget(Sosia *e, Str world, Str twin) {
    Finding f;
    Err err = find_item(e, TRACE_KIND, world, &f);
    Trace *t = !err && f.found ? flow_trace_decode(buf_str(&f.bytes)) : NULL;
    if (t && flow_trace_forget(t, twin)) {
        buf_reset(&f.bytes);
        flow_trace_encode(t, &f.bytes);
        SosiaItem item = {.kind = TRACE_KIND, .key = world, .value = buf_str(&f.bytes)};
        err = (Err)sosia_items_put_wait(e, &item, 1);
    }
    flow_trace_free(t);
    buf_free(&f.bytes);
    return err;
}

Err run_state_forget(Sosia *e, Str world, Str twin) {
    run_counted_forget(e, world, twin);
    Pieces old;
    Err err = pieces_of(e, world, &old, NULL);
    SosiaItem *items = mem_alloc((size_t)(old.count + 1) * sizeof *items);
    int64_t n = 0;
    for (const char *p = old.keys.p, *end = p ? p + old.keys.n : p; p < end; p += strlen(p) + 1)
        items[n++] = (SosiaItem){.kind = RUN_STATE_KIND, .key = str_of(p), .remove = true};
    if (!err && n) err = (Err)sosia_items_put_wait(e, items, n);
    if (!err) err = kept_kpis_forget(e, world, twin);
    if (!err) err = kept_trace_forget(e, world, twin);
    mem_free(items);
    buf_free(&old.keys);
    return err;
}

// ---- taking up ----------------------------------------------------------------------------------------------------

Kpis *run_kept_kpis(const Realm *realm) {
    Finding f;
    Kpis *k = NULL;
    if (!realm->scenario || !realm->scenario->number) return NULL;
    if (!find_item(realm->engine, KPI_KIND, realm->name, &f) && f.found) k = kpis_decode(buf_str(&f.bytes));
    buf_free(&f.bytes);
    if (!k || k->number == realm->scenario->number) return k;
    kpis_free(k); // of another world of that name
    return NULL;
}

Trace *run_kept_trace(const Realm *realm) {
    Finding f;
    Trace *t = NULL;
    if (!realm->scenario || !realm->scenario->number) return NULL;
    if (!find_item(realm->engine, TRACE_KIND, realm->name, &f) && f.found) t = flow_trace_decode(buf_str(&f.bytes));
    buf_free(&f.bytes);
    if (!t || t->number == realm->scenario->number) return t;
    flow_trace_free(t); // of another world of that name
    return NULL;
}

// The head of a world's checkpoint, when it is of this world as it is: nobody else wrote behind it.
static bool usable(Run *r, uint64_t seq, Finding *f, Kept *k) {
    if (find_item(r->engine, RUN_KIND, r->realm->name, f)) return false;
    if (!f->found || !decode(buf_str(&f->bytes), k)) return false;
    return k->number == r->realm->scenario->number && k->seq <= seq &&
           atomic_load(&r->realm->scenario->foreign) <= k->seq;
}

bool run_find(Run *r, uint64_t seq, int64_t time) {
    Finding f = {0};
    Kept k;
    bool ok = r->realm->scenario->number && usable(r, seq, &f, &k);
    if (ok) {
        r->epoch_ns = k.epoch_ns;
        r->batch_ns = k.batch_ns;
        r->skip_ns = time;
    }
    buf_free(&f.bytes);
    return ok;
}

bool run_load(Run *r) {
    Pieces p;
    Buf bytes = {0};
    Diag d;
    diag_init(&d);
    Err err = pieces_of(r->engine, r->realm->name, &p, &bytes);
    if (!err) err = sim_load(r->sim, buf_str(&bytes), &d);
    diag_free(&d);
    buf_free(&p.keys);
    buf_free(&bytes);
    return !err;
}

// The pieces of the run that stood before stay: it goes on from there.
Err run_ask(Run *r, RunState state) {
    if (!r->realm->scenario->number) return ERR_OK;
    uint64_t seq = world_visible(r->realm->world);
    Finding f = {0};
    Kept k = kept_of(r, state, seq), old;
    Buf head = {0};
    bool goes_on = usable(r, seq, &f, &old);
    if (goes_on) {
        k.epoch_ns = old.epoch_ns;
        k.batch_ns = old.batch_ns;
        k.seq = old.seq;
        k.pieces = old.pieces;
    }
    encode(&k, &head);
    SosiaItem item = {.kind = RUN_KIND, .key = r->realm->name, .value = buf_str(&head)};
    Err err = goes_on ? (Err)sosia_items_put_wait(r->engine, &item, 1) : put_all(r, &k, (Str){0});
    buf_free(&head);
    buf_free(&f.bytes);
    return err;
}

typedef struct Resuming {
    Sosia *engine;
    Buf names; // with a 0 behind each
} Resuming;

// Of one that ended: how, for whoever asks.
static void note_ended(Sosia *e, Str world, const Kept *k) {
    RanBefore ran = {.is = true,
                     .state = (int32_t)k->state,
                     .begin_ns = k->begin_ns,
                     .now_ns = k->state == RUN_DONE ? k->until_ns : k->batch_ns,
                     .until_ns = k->until_ns,
                     .speed = k->speed};
    realm_ran(e, world, k->number, &ran);
}

static bool take_running(void *ctx, SosiaStr key, SosiaStr value) {
    Resuming *x = ctx;
    Kept k;
    if (!decode(value, &k)) return true;
    if (k.state == RUN_PAUSED || k.state == RUN_DONE) note_ended(x->engine, key, &k);
    if (k.state != RUN_RUNNING && k.state != RUN_STARTING) return true;
    buf_str_put(&x->names, key);
    buf_byte(&x->names, 0);
    return true;
}

// One of them. A world that is not there any more: what was kept goes too.
static void resume(Sosia *e, Str name) {
    Realm *realm;
    Err err = realm_open(e, name, &realm);
    Finding f;
    Kept k = {0};
    (void)!find_item(e, RUN_KIND, name, &f);
    bool known = f.found && decode(buf_str(&f.bytes), &k);
    bool its = !err && known && realm->scenario && realm->scenario->number == k.number;
    if (known && !its && (!err || err == ERR_WORLD_NOT_FOUND)) run_forget(e, name, k.number);
    if (its)
        run_again(e, realm,
                  &(SosiaRun){.until_ns = k.until_ns,
                              .output_ns = k.output_ns,
                              .speed = k.speed,
                              .rtol = k.solver.rtol,
                              .atol = k.solver.atol,
                              .changes = k.changes,
                              .kpis = k.kpi_names},
                  k.solver.solver, k.begin_ns, k.state == RUN_RUNNING);
    buf_free(&f.bytes);
    if (!err) realm_unref(realm);
}

void runs_resume(Sosia *e) {
    Resuming x = {.engine = e};
    Err err = (Err)sosia_items_scan(e, RUN_KIND, (Str){0}, 0, take_running, &x);
    for (const char *p = x.names.p, *end = p ? p + x.names.n : p; !err && p < end; p += strlen(p) + 1)
        resume(e, str_of(p));
    buf_free(&x.names);
}
