// SPDX-License-Identifier: Apache-2.0
#include "engine/effect.h"
#include <math.h>
#include "base/figure.h"

#define DAY_NS INT64_C(86400000000000)
#define NAMED_MAX 4 // of what is better, or worse
#define DIGITS 4

static bool money(const Effect *e) { return str_eq(e->of, STR("money")); }

int32_t effect_first(const Effect *e, int32_t n) {
    int32_t best = -1, rank = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!e[i].known) continue;
        bool good_or_bad = e[i].better != 0;
        int32_t r = money(&e[i]) && e[i].better > 0            ? 6
                    : money(&e[i]) && good_or_bad && e[i].sure ? 5
                    : money(&e[i]) && good_or_bad              ? 4
                    : e[i].sure && good_or_bad                 ? 3
                    : e[i].sure                                ? 2
                                                               : 1;
        if (r > rank) best = i, rank = r;
    }
    return best;
}

void effect_name(Str s, Buf *out) {
    bool word = s.n > 1 && s.p[0] >= 'A' && s.p[0] <= 'Z' && (s.p[1] == ' ' || (s.p[1] >= 'a' && s.p[1] <= 'z'));
    if (word) buf_byte(out, (char)(s.p[0] + 'a' - 'A'));
    buf_str_put(out, str_sub(s, word ? 1 : 0, s.n));
}

// half: of its interval, NaN without.
static void put_amount(double v, double half, Str unit, Buf *out) {
    if (half > 0) told_within(v, half, out);
    else figure_digits(v, DIGITS, out);
    if (str_eq(unit, STR("%"))) buf_str_put(out, !(half > 0) && fabs(v) == 1 ? STR(" point") : STR(" points"));
    else if (unit.n) buf_printf(out, " %.*s", STR_ARG(unit));
}

static void put_subject(const EffectSay *s, Buf *out) { buf_str_put(out, s->once ? s->with : s->subject); }

// " (95 %: 900 to 1 560)"; nothing where there is no width.
static void put_interval(const EffectSay *s, double low, double high, Buf *out) {
    if (!isfinite(low) || !isfinite(high) || low == high) return;
    buf_printf(out, " (%g %%: ", 100 * s->level);
    told_within(low, (high - low) / 2, out);
    buf_str_put(out, STR(" to "));
    told_within(high, (high - low) / 2, out);
    buf_byte(out, ')');
}

static void say_money(const EffectSay *s, const Effect *e, Buf *out) {
    bool adds_up = e->over == KPI_LAST || e->over == KPI_INTEGRAL, daily = adds_up && s->span_ns > DAY_NS;
    double by = daily ? (double)DAY_NS / (double)s->span_ns : 1, sign = e->by < 0 ? -by : by;
    const char *verb = e->better > 0 ? e->by > 0 ? "brings" : "costs" : e->by < 0 ? "saves" : "adds";
    double a = e->low * sign, b = e->high * sign;
    put_subject(s, out);
    buf_printf(out, " %s ", verb);
    put_amount(e->by * sign, fabs(a - b) / 2, e->unit, out);
    if (daily) buf_str_put(out, STR(" a day"));
    buf_str_put(out, STR(" of "));
    effect_name(e->title, out);
    if (adds_up && !daily && s->span_ns > 0) {
        buf_str_put(out, STR(" in "));
        told_span(s->span_ns, out);
    }
    put_interval(s, fmin(a, b), fmax(a, b), out);
    buf_byte(out, '.');
}

// "Lowest level: 2 m less with the change, which is worse."
static void say_other(const EffectSay *s, const Effect *e, Buf *out) {
    double sign = e->by < 0 ? -1 : 1, a = e->low * sign, b = e->high * sign;
    if (s->once) effect_name(e->title, out);
    else buf_str_put(out, e->title);
    buf_str_put(out, STR(": "));
    put_amount(fabs(e->by), fabs(a - b) / 2, e->unit, out);
    buf_printf(out, " %s with %.*s", e->by > 0 ? "more" : "less", STR_ARG(s->with));
    put_interval(s, fmin(a, b), fmax(a, b), out);
    if (e->better) buf_printf(out, ", which is %s", (e->by > 0) == (e->better > 0) ? "better" : "worse");
    buf_byte(out, '.');
}

static void say_unsure(const EffectSay *s, const Effect *e, Buf *out) {
    if (e->by == 0 && (!isfinite(e->low) || e->low == e->high)) {
        put_subject(s, out);
        buf_str_put(out, STR(" does nothing to "));
        effect_name(e->title, out);
        buf_byte(out, '.');
        return;
    }
    put_subject(s, out);
    buf_printf(out, " cannot be told from %.*s by ", STR_ARG(s->baseline));
    effect_name(e->title, out);
    buf_str_put(out, STR(": the difference is "));
    put_amount(e->by, (e->high - e->low) / 2, e->unit, out);
    put_interval(s, e->low, e->high, out);
    buf_byte(out, '.');
}

void effect_say(const EffectSay *s, const Effect *e, Buf *out) {
    if (s->once) buf_str_put(out, STR("In this one run, "));
    if (!e->sure) say_unsure(s, e, out);
    else if (money(e) && e->better) say_money(s, e, out);
    else say_other(s, e, out);
}

// 1: better, -1: worse, 0: neither.
static int judged(const Effect *e) {
    return !e->known || !e->sure || !e->better ? 0 : (e->by > 0) == (e->better > 0) ? 1 : -1;
}

static void name_them(const Effect *e, int32_t n, int32_t but, int verdict, Buf *out) {
    int32_t count = 0, told = 0;
    for (int32_t i = 0; i < n; i++) count += i != but && judged(&e[i]) == verdict;
    if (!count) return;
    int32_t most = count > NAMED_MAX + 1 ? NAMED_MAX : count;
    buf_str_put(out, verdict > 0 ? STR(" Better: ") : STR(" Worse: "));
    for (int32_t i = 0; i < n && told < most; i++) {
        if (i == but || judged(&e[i]) != verdict) continue;
        if (told) buf_str_put(out, told + 1 == count ? STR(" and ") : STR(", "));
        effect_name(e[i].title, out);
        told++;
    }
    if (count > told) buf_printf(out, " and %d others", count - told);
    buf_byte(out, '.');
}

void effect_say_others(const Effect *e, int32_t n, int32_t but, Buf *out) {
    int32_t unsure = 0, same = 0;
    name_them(e, n, but, 1, out);
    name_them(e, n, but, -1, out);
    for (int32_t i = 0; i < n; i++) {
        if (i == but || !e[i].known || e[i].sure) continue;
        if (e[i].by == 0 && (!isfinite(e[i].low) || e[i].low == e[i].high)) same++;
        else unsure++;
    }
    if (unsure) buf_printf(out, " %d %s cannot be told apart.", unsure, unsure == 1 ? "other" : "others");
    if (same) buf_printf(out, " %d %s the same.", same, same == 1 ? "stays" : "stay");
}
