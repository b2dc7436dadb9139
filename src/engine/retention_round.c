// SPDX-License-Identifier: Apache-2.0
// Rounds of retention: the writer starts them, the history's thread asks what is to be kept.
#include "base/time.h"
#include "codec/json.h"
#include "engine/retention.h"
#include "engine/scenarios.h"

#define INTERVAL_DEFAULT (60 * NS_PER_S)

// What policies say now. The history's thread; the writer raises retention_stale when a round begins.
static const Retention *current(Sosia *e) {
    if (!atomic_exchange(&e->retention_stale, false)) return e->retention;
    for (int i = 0; i < READ_TRIES; i++) {
        View v;
        view_begin(&v, e->live->world);
        Retention *x = retention_of(&v);
        view_end(&v);
        if (v.overrun) {
            retention_free(x);
            continue;
        }
        retention_free(e->retention);
        e->retention = x;
        break;
    }
    return e->retention;
}

// Forks lie over the live world as it was: what they may still touch stays, whatever the policies say.
static HistoryKeep held(const Sosia *e, HistoryKeep k) {
    int64_t floor = atomic_load(&e->retain_floor);
    k.hold_ns = floor == INT64_MAX ? 0 : floor;
    return k;
}

static HistoryKeep rule_lane(void *ctx, uint64_t lane, bool *rows) {
    return held(ctx, retention_lane(current(ctx), lane, rows));
}

static HistoryKeep rule_row(void *ctx, uint64_t lane, uint64_t row) {
    return held(ctx, retention_row(current(ctx), lane, row));
}

void retention_open(Sosia *e) {
    if (e->history) history_rules(e->history, &(HistoryRules){e, rule_lane, rule_row});
}

int64_t retention_poll(Sosia *e) {
    int64_t every = e->retain_interval_ns ? e->retain_interval_ns : INTERVAL_DEFAULT, now = time_mono_ns();
    if (every < 0 || !e->history) return INT64_MAX;
    int64_t left = every - (now - e->retention_mono_ns);
    if (left > 0) return left;
    e->retention_mono_ns = now;
    View v = view_writer(e->live->world);
    int32_t count;
    (void)catalog_docs(v.catalog, RETENTION_COLLECTION, &count);
    if (!count) return every;
    atomic_store(&e->retention_stale, true);
    scenarios_floor(e);
    history_retain(e->history, e->now(e->now_ctx));
    return every;
}

SosiaErr sosia_retention_held(Sosia *s, const SosiaCaller *who, SosiaOut *out) {
    Buf name = {0};
    int64_t worlds, since = scenarios_holder(s, &name, &worlds);
    (void)who;
    buf_reset(&out->body);
    if (since) {
        buf_printf(&out->body, "{\"world\":");
        json_put_str(&out->body, buf_str(&name));
        buf_printf(&out->body, ",\"since\":\"");
        time_print(since, 7, &out->body);
        buf_printf(&out->body, "\",\"worlds\":%lld}", (long long)worlds);
    } else {
        buf_printf(&out->body, "null");
    }
    buf_free(&name);
    return SOSIA_OK;
}
