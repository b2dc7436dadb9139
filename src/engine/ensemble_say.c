// SPDX-License-Identifier: Apache-2.0
// What an ensemble came to, in words.
#include <math.h>
#include "base/mem.h"
#include "engine/effect.h"
#include "engine/ensemble_outcome.h"

#define AS_GOOD_MAX 3 // cases that are named

EnsembleVerdict ensemble_verdict(const EnsembleKpi *k, int32_t which) {
    const EnsembleStat *x = &k->cases[which];
    if (!which || !x->pairs) return VERDICT_NONE;
    if (x->by == 0 && !(x->by_half > 0)) return VERDICT_SAME;
    if (x->pairs < 2 || !(fabs(x->by) > x->by_half)) return VERDICT_UNSURE;
    bool more = x->by > 0;
    if (!k->better) return more ? VERDICT_MORE : VERDICT_LESS;
    return (k->better > 0) == more ? VERDICT_BETTER : VERDICT_WORSE;
}

const char *ensemble_verdict_name(EnsembleVerdict v) {
    static const char *const names[] = {
        "", "no difference is shown", "no difference is shown", "more", "less", "better", "worse"};
    return names[v];
}

static Effect effect_of(const EnsembleKpi *k, int32_t which) {
    const EnsembleStat *x = &k->cases[which];
    return (Effect){.title = k->title.n ? k->title : k->name,
                    .unit = told_unit(k->unit),
                    .of = k->of,
                    .over = k->over,
                    .better = k->better,
                    .by = x->by,
                    .low = x->by - x->by_half,
                    .high = x->by + x->by_half,
                    .known = x->pairs > 0,
                    .sure = ensemble_verdict(k, which) >= VERDICT_MORE};
}

// Which case has most of what is better of a KPI; 0: the baseline.
static int32_t best_case(const EnsembleOutcome *o, const EnsembleKpi *k) {
    int32_t best = 0;
    double most = 0;
    for (int32_t c = 1; c < o->case_count; c++) {
        double by = k->cases[c].by * k->better;
        if (k->cases[c].pairs && by > most) best = c, most = by;
    }
    return best;
}

// The first of money, else the first of which it is said what is better. -1: none.
static int32_t kpi_to_judge(const EnsembleOutcome *o) {
    int32_t found = -1;
    for (int32_t i = 0; i < o->kpi_count; i++) {
        const EnsembleKpi *k = &o->kpis[i];
        if (!k->better || !k->cases[0].n) continue;
        if (str_eq(k->of, STR("money"))) return i;
        if (found < 0) found = i;
    }
    return found;
}

// Is a case no worse than the best one for all that is known, replication by replication?
static bool as_good(const EnsembleHead *h, const EnsembleOutcome *o, int32_t kpi, int32_t best, int32_t which) {
    size_t n = (size_t)o->replications, at = (size_t)kpi * (size_t)o->case_count;
    const double *a = o->ends + (at + (size_t)best) * n, *b = o->ends + (at + (size_t)which) * n;
    Moments m = {0};
    for (size_t i = 0; i < n; i++) moments_add(&m, a[i] - b[i]);
    return m.n > 1 && !(fabs(m.mean) > moments_half(&m, h->level));
}

// Which other cases cannot be told from the best; of the first one its own sentence tells.
static void say_as_good(const EnsembleHead *h, const EnsembleOutcome *o, int32_t kpi, int32_t best, Buf *out) {
    int32_t n = 0, told = 0;
    for (int32_t c = 1; o->ends && c < o->case_count; c++) n += c != best && as_good(h, o, kpi, best, c);
    if (!n) return;
    for (int32_t c = 1; c < o->case_count && told < AS_GOOD_MAX; c++) {
        if (c == best || !as_good(h, o, kpi, best, c)) continue;
        buf_str_put(out, !told ? STR(" ") : told + 1 == n ? STR(" and ") : STR("; "));
        buf_str_put(out, o->cases[c].name);
        told++;
    }
    if (n > told) buf_printf(out, " and %d others", n - told);
    buf_str_put(out, STR(" cannot be told from it."));
}

static void say_many(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    int32_t at = kpi_to_judge(o);
    if (at < 0) return;
    const EnsembleKpi *k = &o->kpis[at];
    int32_t best = best_case(o, k);
    buf_printf(out, "Of %d cases %.*s is best by ", o->case_count, STR_ARG(o->cases[best].name));
    effect_name(k->title.n ? k->title : k->name, out);
    buf_byte(out, '.');
    Effect e = effect_of(k, best);
    if (best) buf_byte(out, ' ');
    EffectSay say = {
        .subject = STR("It"), .with = STR("it"), .baseline = o->cases[0].name, .span_ns = h->for_ns, .level = h->level};
    if (best) effect_say(&say, &e, out);
    say_as_good(h, o, at, best, out);
}

static void say_pair(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    Effect *e = mem_alloc((size_t)(o->kpi_count + 1) * sizeof *e);
    for (int32_t i = 0; i < o->kpi_count; i++) e[i] = effect_of(&o->kpis[i], 1);
    int32_t first = effect_first(e, o->kpi_count);
    Str name = o->cases[1].name;
    EffectSay say = {.subject = h->whatif.n ? STR("The change") : name,
                     .with = h->whatif.n ? STR("the change") : name,
                     .baseline = o->cases[0].name,
                     .span_ns = h->for_ns,
                     .level = h->level};
    if (first >= 0) {
        effect_say(&say, &e[first], out);
        effect_say_others(e, o->kpi_count, first, out);
    }
    mem_free(e);
}

// One case: what it comes to.
static void say_one(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    int32_t at = kpi_to_judge(o);
    if (at < 0) at = 0;
    const EnsembleKpi *k = &o->kpis[at];
    const EnsembleStat *x = &k->cases[0];
    Str unit = told_unit(k->unit), title = k->title.n ? k->title : k->name;
    if (!x->n) return;
    buf_printf(out, "%.*s: ", STR_ARG(title));
    told_within(x->mean, x->half, out);
    if (unit.n) buf_printf(out, " %.*s", STR_ARG(unit));
    if (x->half > 0) {
        buf_printf(out, " on average (%g %%: ", 100 * h->level);
        told_within(x->mean - x->half, x->half, out);
        buf_str_put(out, STR(" to "));
        told_within(x->mean + x->half, x->half, out);
        buf_str_put(out, STR("), 9 of 10 times "));
        told_within(x->p05, x->half, out);
        buf_str_put(out, STR(" to "));
        told_within(x->p95, x->half, out);
    }
    buf_byte(out, '.');
}

// Does nothing that is counted differ between two replications?
static bool no_chance(const EnsembleOutcome *o) {
    for (int32_t i = 0; i < o->kpi_count; i++)
        for (int32_t c = 0; c < o->case_count; c++)
            if (o->kpis[i].cases[c].n < 2 || o->kpis[i].cases[c].sd > 0) return false;
    return true;
}

void ensemble_say(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out) {
    if (!o->kpi_count || !h->replications) return;
    if (o->case_count == 1) say_one(h, o, out);
    else if (o->case_count == 2) say_pair(h, o, out);
    else say_many(h, o, out);
    if (no_chance(o)) buf_str_put(out, STR(" Nothing of it is left to chance: all replications are the same."));
}
