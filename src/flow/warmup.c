// SPDX-License-Identifier: Apache-2.0
// Pilots: how long a model takes to settle.
#include <pthread.h>
#include "base/mem.h"
#include "flow/inner.h"
#include "num/warmup.h"

// ---- what was found ------------------------------------------------------------------------------------------------

enum { MEMO_MAX = 16 };

struct FlowMemo {
    pthread_mutex_t lock; // guards the rest; held for a look, a leaf
    struct {
        uint64_t of;
        FlowWarmup found;
    } known[MEMO_MAX]; // the newest, in turn
    uint32_t count;
};

FlowMemo *flow_memo_new(void) {
    FlowMemo *memo = mem_alloc(sizeof *memo);
    pthread_mutex_init(&memo->lock, NULL);
    return memo;
}

void flow_memo_free(FlowMemo *memo) {
    if (!memo) return;
    pthread_mutex_destroy(&memo->lock);
    mem_free(memo);
}

static bool remembered(FlowMemo *memo, uint64_t of, FlowWarmup *out) {
    bool found = false;
    pthread_mutex_lock(&memo->lock);
    for (uint32_t i = 0; i < MEMO_MAX && i < memo->count && !found; i++) {
        found = memo->known[i].of == of;
        if (found) *out = memo->known[i].found;
    }
    pthread_mutex_unlock(&memo->lock);
    return found;
}

static void remember(FlowMemo *memo, uint64_t of, const FlowWarmup *found) {
    pthread_mutex_lock(&memo->lock);
    memo->known[memo->count % MEMO_MAX].of = of;
    memo->known[memo->count++ % MEMO_MAX].found = *found;
    pthread_mutex_unlock(&memo->lock);
}

// ---- pilots --------------------------------------------------------------------------------------------------------

// A copy that begins by other chances; close it.
static Flow *pilot_open(const Flow *prepared, uint64_t seed, uint32_t number) {
    Flow *f = flow_open(prepared->m);
    f->state = mem_alloc_page(prepared->h->size);
    memcpy(f->state, prepared->state, prepared->h->size);
    flow_bind(f, prepared->m, f->state);
    flow_key(f, seed, UINT64_MAX - number);
    f->h->warmup = 0;
    f->h->warmed = true;
    flow_begin(f);
    return f;
}

// How long FLOW_PILOT_EVENTS events take; 0: nothing happens.
static Err first_length(const Flow *prepared, uint64_t seed, double *length, Diag *d) {
    Flow *f = pilot_open(prepared, seed, 0);
    Err e = f->err;
    while (e == ERR_OK && flow_events(f) < FLOW_PILOT_EVENTS && flow_event_time(f) < (double)INFINITY)
        e = flow_until(f, flow_event_time(f), d);
    *length = flow_now(f);
    flow_close(f);
    return e;
}

// Add what one pilot shows to the series.
static Err pilot(const Flow *prepared, uint64_t seed, uint32_t number, double length, double *x, uint64_t *events,
                 Diag *d) {
    Flow *f = pilot_open(prepared, seed, number);
    Err e = f->err;
    for (int k = 0; k < FLOW_PILOT_LOOKS && e == ERR_OK; k++) {
        e = flow_until(f, length * (k + 1) / FLOW_PILOT_LOOKS, d);
        x[k] += flow_items(f) / (double)FLOW_PILOTS;
    }
    *events += flow_events(f);
    flow_close(f);
    return e;
}

// Until it has settled, or too much was tried.
static Err pilots(const Flow *prepared, uint64_t seed, double length, FlowWarmup *out, Diag *d) {
    double x[FLOW_PILOT_LOOKS];
    uint64_t events = 0;
    *out = (FlowWarmup){.length = length, .settled = true};
    if (length == 0) TRY(first_length(prepared, seed, &out->length, d));
    if (!(out->length > 0)) return ERR_OK;
    for (;; out->length *= 2) {
        memset(x, 0, sizeof x);
        for (uint32_t k = 0; k < FLOW_PILOTS; k++) TRY(pilot(prepared, seed, k, out->length, x, &events, d));
        Warmup w = warmup_mser5(x, FLOW_PILOT_LOOKS);
        out->settled = w.settled;
        out->time = out->length * (double)w.cut / FLOW_PILOT_LOOKS;
        if (w.settled || events >= FLOW_PILOT_EVENTS_MAX) return ERR_OK;
    }
}

// Everything that the answer follows from.
static uint64_t hash_of(const Flow *prepared, uint64_t seed, double length) {
    Head head = *prepared->h;
    const uint8_t *state = prepared->state;
    uint64_t bits[4];
    head.key[0] = head.key[1] = 0;
    head.warmup = head.warmed = 0;
    bits[0] = seed;
    memcpy(&bits[1], &length, sizeof length);
    bits[2] = str_hash((Str){(const char *)&head, sizeof head});
    bits[3] = str_hash((Str){(const char *)state + sizeof head, (int64_t)(prepared->h->size - sizeof head)});
    uint64_t h = str_hash((Str){(const char *)bits, sizeof bits});
    return h * 31 + str_hash((Str){(const char *)prepared->m, (int64_t)prepared->m->size});
}

Err flow_pilot(const Flow *prepared, uint64_t seed, double length, FlowMemo *memo, FlowWarmup *out, Diag *d) {
    uint64_t of = memo ? hash_of(prepared, seed, length) : 0;
    if (memo && remembered(memo, of, out)) return ERR_OK;
    TRY(pilots(prepared, seed, length, out, d));
    if (memo) remember(memo, of, out);
    return ERR_OK;
}

Err flow_warmup(const FlowModel *m, const FlowStart *s, double length, FlowWarmup *out, Diag *d) {
    Flow *f = flow_open(m);
    flow_prepare(f, s);
    Err e = flow_pilot(f, s->seed, length, NULL, out, d);
    flow_close(f);
    return e;
}
