// SPDX-License-Identifier: Apache-2.0
// A decision computed again from live as it was: the same choice, and the same samples to the last bit, or what is not.
#include "engine/decide_inner.h"
#include <math.h>
#include "base/mem.h"
#include "base/time.h"
#include "engine/pasts.h"

#define DIFFERENCES_MAX 100 // told of one replay

typedef struct Again {
    Sosia *engine;
    uint64_t id;
    Arena keep;
    Decision was, is;
    Rule rule;
    int64_t at_ns;
    Realm *realm;
    Buf differences;
    int32_t count;
    SosiaOut *out;
} Again;

static Err say(Again *x, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err say(Again *x, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&x->out->message);
    buf_vprintf(&x->out->message, fmt, ap);
    va_end(ap);
    return err;
}

static Err read_record(Again *x) {
    Json *v = NEW(&x->keep, Json, 2);
    Rule all;
    Buf json = {0};
    Str base;
    Err err = deed_show(x->engine->decider, x->id, &json);
    if (!err && (json_parse(arena_str(&x->keep, buf_str(&json)), NULL, &x->keep, &v[0], NULL) ||
                 decision_of(&x->keep, &v[0], &x->was, NULL)))
        err = ERR_CORRUPT;
    buf_free(&json);
    if (err) return say(x, err, "%s", err_text(err));
    if (!x->was.alternative_count || !pasts_parse(x->was.world, 0, &base, &x->at_ns))
        return say(x, ERR_DECISION_STATE, "nothing was computed for it");
    if (json_parse(x->was.definition, NULL, &x->keep, &v[1], NULL) || rule_of(&x->keep, &v[1], x->was.rule, &all, NULL))
        return say(x, ERR_CORRUPT, "its rule cannot be read any more");
    rule_for(&x->keep, &all, x->was.twin, &x->rule);
    return ERR_OK;
}

static Err try_view(View *v, void *ctx) {
    Again *x = ctx;
    const _Atomic bool never = false;
    ChooseEnd end;
    Diag d;
    diag_init(&d);
    x->is = (Decision){.rule = x->was.rule,
                       .twin = x->was.twin,
                       .seed = x->was.seed,
                       .replications = x->was.replications,
                       .ahead_ns = x->was.ahead_ns};
    Err err = decide_try(x->engine, v, x->at_ns, &x->rule, &never, &x->keep, &x->is, &end, &d);
    if (err && d.count) {
        buf_reset(&x->out->message);
        task_message_put(&x->out->message, &d.messages[0]);
    }
    diag_free(&d);
    return err;
}

// ---- what is not the same -----------------------------------------------------------------------------------------

static bool same(double a, double b) { return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b)); }

static void put_f64(Buf *b, double v) {
    if (isfinite(v)) json_put_f64(b, v);
    else buf_printf(b, "null");
}

static void compare(Again *x, Str action, Str kpi, const double *was, const double *is) {
    for (int32_t r = 0; r < x->was.replications; r++) {
        if (same(was[r], is[r])) continue;
        if (x->count++ >= DIFFERENCES_MAX) continue;
        Buf *b = &x->differences;
        buf_printf(b, "%s{\"action\":", b->n ? "," : "");
        json_put_str(b, action);
        buf_printf(b, ",\"kpi\":");
        json_put_str(b, kpi);
        buf_printf(b, ",\"replication\":%d,\"was\":", r);
        put_f64(b, was[r]);
        buf_printf(b, ",\"is\":");
        put_f64(b, is[r]);
        buf_byte(b, '}');
    }
}

static void compare_all(Again *x) {
    const Decision *was = &x->was, *is = &x->is;
    bool shape = was->alternative_count == is->alternative_count && was->limit_count == is->limit_count;
    if (!shape) x->count++;
    for (int32_t i = 0; shape && i < was->alternative_count; i++) {
        const DecisionAlternative *a = &was->alternatives[i], *b = &is->alternatives[i];
        compare(x, a->action, was->objective, a->samples, b->samples);
        for (int32_t k = 0; k < was->limit_count; k++)
            compare(x, a->action, a->limits[k].kpi, a->limits[k].samples, b->limits[k].samples);
    }
    if (!str_eq(was->choice, is->choice)) x->count++; // why follows from the numbers: its words may become others
}

// The member of the record as it would be now.
static void put_alternatives(const Again *x, Buf *out) {
    Buf record = {0};
    Arena a;
    Json v;
    arena_init(&a, 4096);
    Decision is = x->was;
    is.alternatives = x->is.alternatives;
    is.alternative_count = x->is.alternative_count;
    is.limit_count = x->is.limit_count;
    decision_put(&is, &record);
    const Json *m = json_parse(buf_str(&record), NULL, &a, &v, NULL) ? NULL : json_get(&v, STR("alternatives"));
    if (m) buf_str_put(out, m->raw);
    else buf_printf(out, "[]");
    arena_free(&a);
    buf_free(&record);
}

static void put(Again *x) {
    Buf *b = &x->out->body;
    buf_printf(b, "{\"id\":%llu,\"same\":%s,\"world\":", (unsigned long long)x->id, x->count ? "false" : "true");
    json_put_str(b, x->was.world);
    buf_printf(b, ",\"choice\":");
    json_put_str(b, x->is.choice);
    buf_printf(b, ",\"was\":");
    json_put_str(b, x->was.choice);
    buf_printf(b, ",\"why\":");
    json_put_str(b, x->is.why);
    buf_printf(b, ",\"alternatives\":");
    put_alternatives(x, b);
    buf_printf(b, ",\"differences\":[");
    buf_str_put(b, buf_str(&x->differences));
    buf_printf(b, "]}");
}

SosiaErr sosia_decision_replay(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out) {
    Again x = {.engine = s, .id = id, .out = out};
    buf_reset(&out->body);
    buf_reset(&out->message);
    arena_init(&x.keep, 4096);
    Err err = read_record(&x);
    if (!err) {
        err = pasts_at(s, s->live, x.at_ns, &x.realm);
        if (err) {
            buf_reset(&out->message);
            pasts_why(s, x.was.world, err, &out->message);
        }
    }
    if (!err) err = engine_read_realm(x.realm, who, try_view, &x, NULL);
    if (!err) {
        compare_all(&x);
        put(&x);
    } else if (!out->message.n) {
        (void)say(&x, err, "%s", err_text(err));
    }
    if (x.realm) realm_unref(x.realm);
    buf_free(&x.differences);
    arena_free(&x.keep);
    return (SosiaErr)err;
}
