// SPDX-License-Identifier: Apache-2.0
// For tests of erasing: a clock that goes on by itself, asking and waiting, and all that is told of a twin.
#pragma once
#include <stdatomic.h>
#include "base/buf.h"
#include "base/thread.h"
#include "base/time.h"
#include "engine/test_kit.h"

#define SECRET 4242.125

KIT _Atomic int64_t test_clock;

// A millisecond later at each look.
KIT int64_t test_now(void *ctx) {
    (void)ctx;
    return atomic_fetch_add(&test_clock, NS_PER_MS);
}

// ---- waiting for a receipt ----------------------------------------------------------------------------------------

typedef struct Receipt {
    _Atomic bool ended;
    SosiaErr err;
    char text[512];
} Receipt;

// What a SosiaDoneFn is told.
KIT void on_receipt(void *arg, const SosiaDone *d) {
    Receipt *r = arg;
    r->err = d->err;
    snprintf(r->text, sizeof r->text, "%.*s", (int)d->body.n, d->body.p);
    atomic_store(&r->ended, true);
}

// Ask for it and wait for its end.
KIT SosiaErr erase(Kit *k, const char *twin, const char *property, Receipt *r) {
    *r = (Receipt){.err = SOSIA_OK};
    SosiaErr err = sosia_erase(k->s, NULL, kit_str(twin), kit_str(property), on_receipt, r);
    if (err) return err;
    while (!atomic_load(&r->ended)) thread_sleep_ns(NS_PER_MS);
    return r->err;
}

// ---- what everybody is told ---------------------------------------------------------------------------------------

// What live and its past at some instants tell of a twin, and its history.
KIT char *told_of(Kit *k, const char *id, const int64_t *at, int n) {
    SosiaBuf b = {0}, world = {0};
    for (int i = -1; i < n; i++) {
        buf_reset(&world);
        buf_printf(&world, "live");
        if (i >= 0) buf_byte(&world, '@');
        if (i >= 0) time_print(at[i], 9, &world);
        buf_byte(&world, 0);
        SosiaErr err = kit_get_in(k, world.p, SOSIA_GET_TWIN, id, "");
        buf_printf(&b, "%s %.*s\n", sosia_err_name(err), err ? 0 : (int)k->out.body.n, k->out.body.p);
        err = kit_get_in(k, world.p, SOSIA_GET_LINKS, id, "");
        buf_printf(&b, "%s %.*s\n", sosia_err_name(err), err ? 0 : (int)k->out.body.n, k->out.body.p);
    }
    SosiaErr err =
        sosia_history(k->s, NULL, &(SosiaHistory){.id = kit_str(id), .arrival = true, .sources = true}, &k->out);
    buf_printf(&b, "%s %.*s\n", sosia_err_name(err), err ? 0 : (int)k->out.body.n, k->out.body.p);
    buf_byte(&b, 0);
    char *copy = strdup(b.p);
    sosia_buf_free(&b);
    sosia_buf_free(&world);
    return copy;
}

// Everything the feed gives from its oldest batch on.
KIT void feed_lacks(Kit *k, const char *secret) {
    SosiaFeed *f;
    SosiaBatch b;
    assert_int_equal(sosia_feed_open(k->s, NULL, kit_str(""), SOSIA_FEED_OLDEST, &f, NULL), SOSIA_OK);
    while (sosia_feed_next(f, 0, &b) == SOSIA_OK && b.seq) {
        for (int64_t i = 0; i < b.count; i++) {
            const SosiaChange *c = &b.changes[i];
            bool text = c->value.kind == SOSIA_TEXT || c->value.kind == SOSIA_JSON;
            SosiaStr texts[] = {c->twin, c->link, c->other, text ? c->value.s : (SosiaStr){0}};
            for (int t = 0; t < 4; t++)
                if (texts[t].n) assert_null(memmem(texts[t].p, (size_t)texts[t].n, secret, strlen(secret)));
            assert_true(text || c->value.d != SECRET);
        }
    }
    sosia_feed_close(f);
}
