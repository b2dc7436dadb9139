// SPDX-License-Identifier: Apache-2.0
#include "cli/decision.h"
#include <math.h>
#include <unistd.h>
#include "base/time.h"
#include "cli/term.h"
#include "codec/answer.h"

Str decision_text(const Json *v, const char *key) {
    const Json *m = v && v->type == JSON_OBJECT ? json_get(v, str_of(key)) : NULL;
    return m && m->type == JSON_STRING ? m->s : (Str){0};
}

int64_t decision_time(const Json *v, const char *key) {
    int64_t ns = 0;
    Str s = decision_text(v, key);
    return s.n && time_parse(s, &ns) ? ns : 0;
}

Style decision_style(Str state) {
    static const struct {
        const char *state;
        Style style;
    } all[] = {{"waiting", STYLE_YELLOW}, {"proposing", STYLE_CYAN}, {"approved", STYLE_CYAN},
               {"sending", STYLE_CYAN},   {"watching", STYLE_CYAN},  {"kept", STYLE_GREEN},
               {"left", STYLE_RED},       {"rolledBack", STYLE_RED}, {"failed", STYLE_RED},
               {"unknown", STYLE_RED},    {"noneWithin", STYLE_RED}, {"stopped", STYLE_RED},
               {"stale", STYLE_RED},      {"expired", STYLE_YELLOW}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (str_eq(state, str_of(all[i].state))) return all[i].style;
    return STYLE_PLAIN;
}

static void put_sum(double x, bool sign, Buf *out) {
    double size = fabs(x);
    if (sign || x < 0) buf_byte(out, x < 0 ? '-' : '+');
    if (size >= 1000 && size < 1e15) text_count((int64_t)(size + 0.5), out);
    else buf_printf(out, size < 10 ? "%.2f" : "%.0f", size);
}

void decision_money(const Json *v, Str unit, Buf *out) {
    if (!v || !json_is_number(v)) return;
    put_sum(json_f64(v), true, out);
    if (unit.n) buf_printf(out, " %.*s", STR_ARG(unit));
}

// ---- parts --------------------------------------------------------------------------------------------------------

static const Json *list_of(const Json *v, const char *key) {
    const Json *m = v && v->type == JSON_OBJECT ? json_get(v, str_of(key)) : NULL;
    return m && m->type == JSON_ARRAY ? m : NULL;
}

static double number_of(const Json *v, const char *key) {
    const Json *m = v && v->type == JSON_OBJECT ? json_get(v, str_of(key)) : NULL;
    return m && json_is_number(m) ? json_f64(m) : NAN;
}

static void put_clock(int64_t ns, Buf *out) {
    Buf b = {0};
    time_print(ns, 0, &b);
    Str s = buf_str(&b);
    buf_str_put(out, str_sub(s, 0, 10));
    buf_byte(out, ' ');
    buf_str_put(out, str_sub(s, 11, s.n));
    buf_free(&b);
}

static void put_line(Buf *out, const char *name, Str text) {
    if (!text.n) return;
    buf_printf(out, "%-10s", name);
    text_clean(text, out);
    buf_byte(out, '\n');
}

static void put_time_line(Buf *out, const char *name, const Json *v, const char *key) {
    int64_t at = decision_time(v, key);
    if (!at) return;
    buf_printf(out, "%-10s", name);
    put_clock(at, out);
    buf_byte(out, '\n');
}

// What people call an action; from the rule as it was.
static Str title_of(const Json *doc, Str action) {
    const Json *actions = list_of(json_get(doc, STR("definition")), "actions");
    for (int32_t i = 0; actions && i < actions->count; i++) {
        Str title = decision_text(&actions->items[i], "title");
        if (str_eq(decision_text(&actions->items[i], "name"), action)) return title.n ? title : action;
    }
    return str_eq(action, STR("nothing")) ? STR("Do nothing") : action;
}

static Err say_head(const Json *doc) {
    bool colour = term_colour(STDOUT_FILENO);
    const Json *id = json_get(doc, STR("id")), *definition = json_get(doc, STR("definition"));
    Str state = decision_text(doc, "state"), title = decision_text(definition, "title");
    Style style = decision_style(state);
    Buf out = {0};
    buf_printf(&out, "%sDecision %lld: ", style_on(STYLE_BOLD, colour), id ? (long long)id->i : 0);
    text_clean(title.n ? title : decision_text(doc, "rule"), &out);
    buf_printf(&out, "%s  %s%.*s%s\n", style_off(STYLE_BOLD, colour), style_on(style, colour), STR_ARG(state),
               style_off(style, colour));
    put_line(&out, "twin", decision_text(doc, "twin"));
    put_line(&out, "rule", decision_text(doc, "rule"));
    put_line(&out, "mode", decision_text(doc, "mode"));
    put_line(&out, "asked by", decision_text(doc, "by"));
    put_line(&out, "world", decision_text(doc, "world"));
    put_time_line(&out, "since", json_get(doc, STR("trigger")), "since");
    put_time_line(&out, "due", json_get(doc, STR("approval")), "due");
    put_line(&out, "choice", decision_text(doc, "choice").n ? title_of(doc, decision_text(doc, "choice")) : (Str){0});
    put_line(&out, "why", decision_text(doc, "why"));
    put_time_line(&out, "ended", doc, "ended");
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

// ---- what was tried -----------------------------------------------------------------------------------------------

static const Column tried[] = {
    {"", false, false},     {"Action", false, true},  {"What", false, true},
    {"Money", true, false}, {"95 %", true, false},    {"More than nothing", true, false},
    {"95 %", true, false},  {"Dropped", false, true},
};

static void put_range(Table *t, double low, double high, bool sign) {
    Buf b = {0};
    if (!isnan(low) && !isnan(high)) {
        put_sum(low, sign, &b);
        buf_str_put(&b, STR(" .. "));
        put_sum(high, sign, &b);
    }
    table_put(t, STYLE_DIM, buf_str(&b));
    buf_free(&b);
}

static void put_mean(Table *t, double x, Str unit, bool sign) {
    Buf b = {0};
    if (!isnan(x)) put_sum(x, sign, &b);
    if (!isnan(x) && unit.n) buf_printf(&b, " %.*s", STR_ARG(unit));
    table_put(t, STYLE_PLAIN, buf_str(&b));
    buf_free(&b);
}

static Err say_tried(const Json *doc) {
    const Json *all = list_of(doc, "alternatives");
    Str choice = decision_text(doc, "choice"), unit = decision_text(json_get(doc, STR("objective")), "unit");
    if (!all || !all->count) return ERR_OK;
    Table t;
    table_init(&t, tried, (int32_t)(sizeof tried / sizeof *tried));
    for (int32_t i = 0; i < all->count; i++) {
        const Json *o = json_get(&all->items[i], STR("objective"));
        Str name = decision_text(&all->items[i], "action");
        bool nothing = str_eq(name, STR("nothing"));
        table_put(&t, STYLE_GREEN, str_eq(name, choice) ? STR("*") : STR(""));
        table_put(&t, STYLE_BOLD, name);
        table_put(&t, STYLE_PLAIN, title_of(doc, name));
        put_mean(&t, number_of(o, "mean"), unit, false);
        put_range(&t, number_of(o, "low"), number_of(o, "high"), false);
        put_mean(&t, nothing ? NAN : number_of(o, "gain"), unit, true);
        put_range(&t, nothing ? NAN : number_of(o, "gainLow"), number_of(o, "gainHigh"), true);
        table_put(&t, STYLE_RED, decision_text(&all->items[i], "dropped"));
    }
    Err err = say(STR("\n"));
    if (err == ERR_OK) err = say_table(&t);
    table_free(&t);
    return err;
}

static const Column limits[] = {
    {"Limit", false, true}, {"Within", false, false}, {"Action", false, true},
    {"Worst", true, false}, {"", false, false},
};

static void put_limit_row(Table *t, Str action, const Json *l) {
    double min = number_of(l, "min"), max = number_of(l, "max");
    const Json *holds = json_get(l, STR("holds"));
    bool ok = holds && holds->type == JSON_TRUE;
    table_put(t, STYLE_PLAIN, decision_text(l, "kpi"));
    if (!isnan(min) && !isnan(max)) table_printf(t, STYLE_DIM, "%g .. %g", min, max);
    else if (!isnan(min)) table_printf(t, STYLE_DIM, "at least %g", min);
    else table_printf(t, STYLE_DIM, "at most %g", max);
    table_put(t, STYLE_PLAIN, action);
    table_printf(t, STYLE_PLAIN, "%.4g", number_of(l, "worst"));
    table_put(t, ok ? STYLE_GREEN : STYLE_RED, ok ? STR("holds") : STR("broken"));
}

static Err say_limits(const Json *doc) {
    const Json *all = list_of(doc, "alternatives");
    Table t;
    table_init(&t, limits, (int32_t)(sizeof limits / sizeof *limits));
    for (int32_t i = 0; all && i < all->count; i++) {
        const Json *of = list_of(&all->items[i], "limits");
        for (int32_t k = 0; of && k < of->count; k++)
            put_limit_row(&t, decision_text(&all->items[i], "action"), &of->items[k]);
    }
    Err err = table_rows(&t) ? say(STR("\n")) : ERR_OK;
    if (err == ERR_OK && table_rows(&t)) err = say_table(&t);
    table_free(&t);
    return err;
}

// ---- what became of it --------------------------------------------------------------------------------------------

// What the device said, in words where it has some.
static void put_answer(Str answer, Buf *out) {
    Arena a;
    arena_init(&a, 0);
    Str words = answer_words(answer, &a);
    if (answer.n) buf_str_put(out, STR(": "));
    text_clean(words.n ? words : answer, out);
    arena_free(&a);
}

static void put_command(const Json *doc, const char *key, const char *name, Buf *out) {
    const Json *c = json_get(doc, str_of(key)), *payload, *status;
    if (!c || c->type != JSON_OBJECT) return;
    payload = json_get(c, STR("payload"));
    status = json_get(c, STR("status"));
    buf_printf(out, "%-10s", name);
    text_clean(decision_text(c, "name"), out);
    if (payload) {
        buf_byte(out, ' ');
        json_put(out, payload);
    }
    buf_str_put(out, STR(" to "));
    text_clean(decision_text(c, "twin"), out);
    if (!decision_time(c, "sent")) buf_str_put(out, STR(", not sent"));
    if (status && status->type == JSON_INT) buf_printf(out, ", answered with %lld", (long long)status->i);
    if (decision_text(c, "error").n) buf_printf(out, ", failed: %.*s", STR_ARG(decision_text(c, "error")));
    put_answer(decision_text(c, "answer"), out);
    buf_byte(out, '\n');
}

static void put_watch(const Json *doc, Buf *out) {
    const Json *w = json_get(doc, STR("watch")), *times = list_of(w, "times"), *seen = list_of(w, "seen");
    const Json *low = list_of(w, "low"), *high = list_of(w, "high");
    if (!times) return;
    Str unit = decision_text(w, "unit");
    int32_t n = seen ? seen->count : 0;
    buf_printf(out, "%-10s", "watched");
    text_clean(decision_text(w, "kpi"), out);
    buf_printf(out, ", %d of %d looks", n, times->count);
    if (n && low && high && n <= low->count && n <= high->count && json_is_number(&seen->items[n - 1])) {
        buf_printf(out, "; now %.5g", json_f64(&seen->items[n - 1]));
        if (unit.n) buf_printf(out, " %.*s", STR_ARG(unit));
        if (json_is_number(&low->items[n - 1]) && json_is_number(&high->items[n - 1]))
            buf_printf(out, ", foretold %.5g .. %.5g", json_f64(&low->items[n - 1]), json_f64(&high->items[n - 1]));
    }
    buf_byte(out, '\n');
    put_time_line(out, "left it", w, "left");
}

static void put_log(const Json *doc, Buf *out) {
    const Json *log = list_of(doc, "log");
    for (int32_t i = 0; log && i < log->count; i++) {
        buf_str_put(out, i ? STR("          ") : STR("log       "));
        put_clock(decision_time(&log->items[i], "at"), out);
        buf_str_put(out, STR("  "));
        text_clean(decision_text(&log->items[i], "what"), out);
        buf_byte(out, '\n');
    }
}

static void put_verdicts(const Json *doc, Buf *out) {
    const Json *by = list_of(json_get(doc, STR("approval")), "by");
    for (int32_t i = 0; by && i < by->count; i++) {
        const Json *v = &by->items[i];
        Str who = decision_text(v, "who"), text = decision_text(v, "note");
        buf_printf(out, "%-10s", i ? "" : "people");
        text_clean(who.n ? who : STR("(no name)"), out);
        buf_printf(out, ": %.*s", STR_ARG(decision_text(v, "verdict")));
        if (text.n) buf_str_put(out, STR(", "));
        text_clean(text, out);
        buf_byte(out, '\n');
    }
}

static Err say_rest(const Json *doc) {
    Buf out = {0};
    buf_byte(&out, '\n');
    put_verdicts(doc, &out);
    put_command(doc, "command", "command", &out);
    put_watch(doc, &out);
    put_command(doc, "rollback", "undone by", &out);
    put_log(doc, &out);
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

Err decision_say(const Json *doc) {
    const Json *id = json_get(doc, STR("id"));
    if (!id || id->type != JSON_INT) return tell(ERR_SYNTAX, "the answer is no decision");
    TRY(say_head(doc));
    TRY(say_tried(doc));
    TRY(say_limits(doc));
    TRY(say_rest(doc));
    if (str_eq(decision_text(doc, "state"), STR("waiting")))
        hint("sosia decisions approve %lld, or: sosia decisions refuse %lld", (long long)id->i, (long long)id->i);
    return ERR_OK;
}

// ---- a replay -----------------------------------------------------------------------------------------------------

static const Column differences[] = {
    {"Action", false, true}, {"KPI", false, true}, {"Replication", true, false},
    {"Was", true, false},    {"Is", true, false},
};

Err decision_say_replay(const Json *doc) {
    const Json *same = json_get(doc, STR("same")), *all = list_of(doc, "differences");
    Str choice = decision_text(doc, "choice"), was = decision_text(doc, "was");
    if (!same || !json_is_bool(same)) return tell(ERR_SYNTAX, "the answer is no replay of a decision");
    if (same->type == JSON_TRUE) {
        note("computed again it is the same to the last bit: %.*s", STR_ARG(choice));
        return ERR_OK;
    }
    Table t;
    table_init(&t, differences, (int32_t)(sizeof differences / sizeof *differences));
    for (int32_t i = 0; all && i < all->count; i++) {
        const Json *d = &all->items[i];
        table_put(&t, STYLE_PLAIN, decision_text(d, "action"));
        table_put(&t, STYLE_PLAIN, decision_text(d, "kpi"));
        table_printf(&t, STYLE_PLAIN, "%g", number_of(d, "replication"));
        table_printf(&t, STYLE_PLAIN, "%.17g", number_of(d, "was"));
        table_printf(&t, STYLE_PLAIN, "%.17g", number_of(d, "is"));
    }
    Err err = table_rows(&t) ? say_table(&t) : ERR_OK;
    table_free(&t);
    TRY(err);
    return tell(ERR_SIM_FAILED, "computed again it differs: %.*s, and was %.*s", STR_ARG(choice), STR_ARG(was));
}
