// SPDX-License-Identifier: Apache-2.0
#include "decide/choose.h"
#include <math.h>
#include "base/check.h"
#include "base/figure.h"
#include "num/moments.h"

#define DIGITS 6 // of a KPI beside its limit

// ---- numbers ------------------------------------------------------------------------------------------------------

typedef struct Choosing {
    const ChooseAsk *ask;
    Arena *a;
    Decision *x;
} Choosing;

static double cost_of(const Rule *r, int32_t action) { return action ? r->actions[action - 1].cost : 0; }

static Str title_of(const Rule *r, int32_t action) { return action ? r->actions[action - 1].title : RULE_NOTHING; }

// The objective with the cost of the action: money that is spent is less of a margin, and more of a cost.
static void take_samples(const Choosing *c, int32_t action, DecisionAlternative *o) {
    int32_t n = c->ask->replications;
    const double *from = c->ask->objective + (int64_t)action * n;
    o->samples = NEW(c->a, double, n);
    for (int32_t r = 0; r < n; r++) o->samples[r] = from[r] - c->ask->better * cost_of(c->ask->rule, action);
}

static void reckon(const Choosing *c, DecisionAlternative *o, const DecisionAlternative *nothing) {
    Moments own = {0}, gain = {0};
    for (int32_t r = 0; r < c->ask->replications; r++) {
        moments_add(&own, o->samples[r]);
        moments_add(&gain, c->ask->better * (o->samples[r] - nothing->samples[r]));
    }
    double half = moments_half(&own, DECISION_LEVEL), gain_half = moments_half(&gain, DECISION_LEVEL);
    o->mean = own.n ? own.mean : NAN;
    o->low = o->mean - half;
    o->high = o->mean + half;
    o->gain = gain.n ? gain.mean : NAN;
    o->gain_low = o->gain - gain_half;
    o->gain_high = o->gain + gain_half;
}

// ---- limits -------------------------------------------------------------------------------------------------------

// How far within its bounds: negative is beyond them, NaN counts as furthest beyond.
static double room(const RuleLimit *l, double v) { return isnan(v) ? -INFINITY : fmin(v - l->min, l->max - v); }

static void check_limit(const Choosing *c, int32_t limit, int32_t action, DecisionLimit *out) {
    const RuleLimit *l = &c->ask->rule->limits[limit];
    int32_t n = c->ask->replications, rows = c->ask->rule->action_count + 1, worst = 0;
    const double *v = c->ask->limits + ((int64_t)limit * rows + action) * n;
    *out = (DecisionLimit){.kpi = l->kpi, .min = l->min, .max = l->max, .samples = NEW(c->a, double, n)};
    for (int32_t r = 0; r < n; r++) {
        out->samples[r] = v[r];
        if (room(l, v[r]) < room(l, v[worst])) worst = r;
    }
    out->worst = v[worst];
    out->replication = worst;
    out->holds = room(l, v[worst]) >= 0;
}

static Str why_beyond(Arena *a, const DecisionLimit *l) {
    if (isnan(l->worst)) return arena_printf(a, "%.*s is not known in replication %d", STR_ARG(l->kpi), l->replication);
    bool below = l->worst < l->min;
    Buf text = {0};
    buf_printf(&text, "%.*s %s ", STR_ARG(l->kpi), below ? "falls to" : "rises to");
    figure_digits(l->worst, DIGITS, &text);
    buf_printf(&text, ", %s ", below ? "below" : "above");
    figure_digits(below ? l->min : l->max, DIGITS, &text);
    buf_printf(&text, ", in replication %d", l->replication);
    Str why = arena_str(a, buf_str(&text));
    buf_free(&text);
    return why;
}

static void check_alternative(const Choosing *c, int32_t action, DecisionAlternative *o) {
    const Rule *r = c->ask->rule;
    o->limits = NEW(c->a, DecisionLimit, r->limit_count + 1);
    for (int32_t i = 0; i < r->limit_count; i++) {
        check_limit(c, i, action, &o->limits[i]);
        if (!o->limits[i].holds && !o->dropped.n) o->dropped = why_beyond(c->a, &o->limits[i]);
    }
    for (int32_t i = 0; i < c->ask->replications && !o->dropped.n; i++)
        if (!isfinite(o->samples[i]))
            o->dropped = arena_printf(c->a, "%.*s is not known in replication %d", STR_ARG(r->objective), i);
}

// ---- words --------------------------------------------------------------------------------------------------------

void choose_put_money(Buf *out, double value, Str unit) {
    double size = fabs(value);
    bool whole = size >= 100 || size == floor(size);
    if (size < 1e15) figure_decimals(value, whole ? 0 : 2, false, out);
    else figure_digits(value, 6, out);
    if (unit.n) buf_printf(out, " %.*s", STR_ARG(unit));
}

static void put_interval(Buf *out, double low, double high) {
    if (isnan(low) || isnan(high)) return;
    buf_printf(out, " (95 %%: ");
    choose_put_money(out, low, (Str){0});
    buf_printf(out, " to ");
    choose_put_money(out, high, (Str){0});
    buf_byte(out, ')');
}

static void put_span(Buf *out, int64_t ns) {
    static const struct {
        int64_t s;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t left = (ns + 500000000) / 1000000000;
    int said = 0;
    for (int i = 0; i < 4 && said < 2; i++) {
        int64_t n = left / units[i].s;
        if (!n && (i < 3 || said)) continue;
        buf_printf(out, "%s%lld %s", said++ ? " " : "", (long long)n, units[i].name);
        left -= n * units[i].s;
    }
}

// "clear" makes 340 EUR more than doing nothing ...
static void put_gain(const Choosing *c, const DecisionAlternative *o, Buf *out) {
    choose_put_money(out, fabs(o->gain), c->ask->unit);
    buf_printf(out, (o->gain < 0) == (c->ask->better > 0) ? " less" : " more");
    buf_printf(out, " than doing nothing within ");
    put_span(out, c->ask->rule->ahead_ns);
    if (o->gain < 0) put_interval(out, -o->gain_high, -o->gain_low);
    else put_interval(out, o->gain_low, o->gain_high);
}

static void put_action(const Choosing *c, int32_t i, Buf *out) {
    buf_printf(out, "\"%.*s\" %s ", STR_ARG(title_of(c->ask->rule, i)), c->ask->better > 0 ? "makes" : "costs");
    if (isnan(c->x->alternatives[i].gain)) choose_put_money(out, c->x->alternatives[i].mean, c->ask->unit);
    else put_gain(c, &c->x->alternatives[i], out);
    double cost = cost_of(c->ask->rule, i);
    if (cost != 0) {
        buf_printf(out, ", its own cost of ");
        choose_put_money(out, cost, c->ask->unit);
        buf_printf(out, " counted");
    }
}

static void put_dropped(const Choosing *c, Buf *out) {
    for (int32_t i = 0; i < c->x->alternative_count; i++) {
        Str why = c->x->alternatives[i].dropped;
        if (!why.n) continue;
        if (i) buf_printf(out, " \"%.*s\" is dropped: ", STR_ARG(title_of(c->ask->rule, i)));
        else buf_printf(out, " Doing nothing is dropped: ");
        buf_printf(out, "%.*s.", STR_ARG(why));
    }
}

// ---- the choice ---------------------------------------------------------------------------------------------------

// The best of those from `first` on that are not dropped; -1: none is left.
static int32_t best_from(const Choosing *c, int32_t first) {
    int32_t best = -1;
    for (int32_t i = first; i < c->x->alternative_count; i++) {
        const DecisionAlternative *o = &c->x->alternatives[i];
        if (o->dropped.n) continue;
        if (best < 0 || c->ask->better * o->mean > c->ask->better * c->x->alternatives[best].mean) best = i;
    }
    return best;
}

static ChooseEnd none_within(const Choosing *c, Buf *out) {
    c->x->choice = (Str){0};
    buf_printf(out, "Nothing that was tried keeps within the limits.");
    return CHOSE_NONE_WITHIN;
}

static ChooseEnd nothing(const Choosing *c, int32_t next, Buf *out) {
    c->x->choice = RULE_NOTHING;
    const DecisionAlternative *o = next > 0 ? &c->x->alternatives[next] : NULL;
    if (!o) {
        buf_printf(out, "Doing nothing is all that keeps within the limits.");
    } else {
        buf_printf(out,
                   o->gain > 0 ? "No action is better than doing nothing beyond doubt: " : "Doing nothing is best: ");
        put_action(c, next, out);
        buf_byte(out, '.');
    }
    return CHOSE_NOTHING;
}

static ChooseEnd decide(const Choosing *c, Buf *out) {
    bool may_wait = !c->x->alternatives[0].dropped.n;
    int32_t best = best_from(c, 1);
    if (best < 0 && !may_wait) return none_within(c, out);
    if (best < 0 || (may_wait && !(c->x->alternatives[best].gain_low > 0))) return nothing(c, best, out);
    c->x->choice = c->x->alternatives[best].action;
    put_action(c, best, out);
    buf_byte(out, '.');
    return CHOSE_ACTION;
}

ChooseEnd choose(const ChooseAsk *ask, Arena *a, Decision *x) {
    const Rule *r = ask->rule;
    Choosing c = {ask, a, x};
    CHECK(ask->replications > 0);
    CHECK(ask->better == 1 || ask->better == -1);
    x->replications = ask->replications;
    x->objective = r->objective;
    x->unit = ask->unit;
    x->better = ask->better;
    x->limit_count = r->limit_count;
    x->alternative_count = r->action_count + 1;
    x->alternatives = NEW(a, DecisionAlternative, x->alternative_count);
    for (int32_t i = 0; i < x->alternative_count; i++) {
        DecisionAlternative *o = &x->alternatives[i];
        o->action = i ? r->actions[i - 1].name : RULE_NOTHING;
        take_samples(&c, i, o);
        check_alternative(&c, i, o);
        reckon(&c, o, &x->alternatives[0]);
    }
    Buf why = {0};
    ChooseEnd end = decide(&c, &why);
    put_dropped(&c, &why);
    x->why = arena_str(a, buf_str(&why));
    buf_free(&why);
    return end;
}
