// SPDX-License-Identifier: Apache-2.0
#include "storm.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "ask.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"

#define BODIES 8 // of one connection, sent in turn
#define CONNECTIONS_MAX 16

typedef struct Sender {
    Storm *storm;
    Buf bodies[BODIES];
    Ask ask;
    Thread thread;
} Sender;

struct Storm {
    StormOptions o;
    Sender senders[CONNECTIONS_MAX];
    _Atomic int64_t count;
    atomic_bool stop;
};

// Half of the values are what a question filters by, as they stand, so that answers stay the same while pages change;
// the others change what no question looks at.
static void make_body(const StormOptions *o, Rng *r, Buf *out) {
    CityTwin t;
    for (int32_t i = 0; i < o->lines; i++) {
        int32_t district = (int32_t)rng_below(r, (uint64_t)o->city->districts);
        int32_t sensor = (int32_t)rng_below(r, CITY_SENSORS);
        city_twin(o->city, city_row(o->city, CITY_SENSOR, district, sensor), &t);
        double value = i % 2 ? (double)rng_below(r, 10000) / 100 : city_load(&t);
        buf_printf(out, "{\"id\":\"%s\",\"property\":\"%s\",\"value\":%.2f}\n", t.id, i % 2 ? "battery" : "load",
                   value);
    }
}

static void *send_bodies(void *arg) {
    Sender *x = arg;
    Storm *s = x->storm;
    Str reply;
    int64_t start = time_mono_ns();
    double period = 1e9 * s->o.lines * s->o.connections / (double)s->o.rate;
    for (int64_t n = 0; !atomic_load(&s->stop); n++) {
        int64_t wait = start + (int64_t)(period * (double)n) - time_mono_ns();
        if (wait > 0) usleep((useconds_t)(wait / 1000));
        else if (wait < -NS_PER_S) start -= wait; // never owe more than a second
        int status = ask_post(&x->ask, "/ingest", "application/x-ndjson", buf_str(&x->bodies[n % BODIES]), &reply);
        if (status == 503 || status == 429) continue; // asked to come again later
        if (status != 200 || str_find_str(reply, STR("\"rejected\":0")) < 0) {
            fprintf(stderr, "storm: %d %.*s\n", status, (int)(reply.n < 500 ? reply.n : 500), reply.p);
            exit(1);
        }
        atomic_fetch_add(&s->count, s->o.lines);
    }
    return NULL;
}

Storm *storm_start(const StormOptions *o) {
    CHECK(o->connections <= CONNECTIONS_MAX);
    Storm *s = mem_alloc(sizeof *s);
    s->o = *o;
    for (int32_t i = 0; i < o->connections; i++) {
        Sender *x = &s->senders[i];
        Rng r = rng_make(o->city->seed + 2, (uint64_t)i);
        x->storm = s;
        for (int32_t k = 0; k < BODIES; k++) make_body(o, &r, &x->bodies[k]);
        ask_open(&x->ask, o->port);
    }
    for (int32_t i = 0; i < o->connections; i++)
        CHECK(thread_start(&s->senders[i].thread, "storm", send_bodies, &s->senders[i]) == ERR_OK);
    return s;
}

int64_t storm_count(const Storm *s) { return atomic_load(&s->count); }

void storm_stop(Storm *s) {
    atomic_store(&s->stop, true);
    for (int32_t i = 0; i < s->o.connections; i++) {
        Sender *x = &s->senders[i];
        thread_join(&x->thread);
        ask_close(&x->ask);
        for (int32_t k = 0; k < BODIES; k++) buf_free(&x->bodies[k]);
    }
    mem_free(s);
}
