// SPDX-License-Identifier: Apache-2.0
#include "cli/opts.h"
#include "base/check.h"
#include "base/time.h"

#define WORD_MAX 64 // longest misspelling that gets a suggestion
#define HELP_TEXT_AT 30

static Err fail(Buf *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static Err fail(Buf *why, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(why, fmt, ap);
    va_end(ap);
    return ERR_ARGUMENT;
}

static int32_t min3(int32_t a, int32_t b, int32_t c) {
    int32_t m = a < b ? a : b;
    return m < c ? m : c;
}

// Levenshtein 1966, two rows.
static int32_t edit_distance(Str a, Str b) {
    int32_t row[WORD_MAX + 1];
    for (int32_t j = 0; j <= b.n; j++) row[j] = j;
    for (int32_t i = 1; i <= a.n; i++) {
        int32_t diagonal = row[0];
        row[0] = i;
        for (int32_t j = 1; j <= b.n; j++) {
            int32_t up = row[j];
            row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a.p[i - 1] != b.p[j - 1]));
            diagonal = up;
        }
    }
    return row[b.n];
}

const char *opts_nearest(Str word, const char *const *candidates, int32_t count) {
    const char *best = NULL;
    int32_t least = INT32_MAX;
    if (word.n == 0 || word.n > WORD_MAX) return NULL;
    for (int32_t i = 0; i < count; i++) {
        Str c = str_of(candidates[i]);
        if (c.n > WORD_MAX) continue;
        int32_t d = edit_distance(word, c);
        if (d < least) least = d, best = candidates[i];
    }
    return least <= (word.n + 2) / 3 ? best : NULL;
}

static const Opt *find_in(const Opt *table, Str name, bool is_letter) {
    for (const Opt *o = table; o && o->name; o++) {
        if (is_letter ? o->letter && o->letter == name.p[0] : str_eq(str_of(o->name), name)) return o;
    }
    return NULL;
}

static Err unknown(const Opt *table, const Opt *more, Str word, bool is_letter, Buf *why) {
    const char *names[2 * STR_LIST_MAX];
    int32_t n = 0;
    for (const Opt *o = table; o && o->name && n < STR_LIST_MAX; o++) names[n++] = o->name;
    for (const Opt *o = more; o && o->name && n < 2 * STR_LIST_MAX; o++) names[n++] = o->name;
    const char *near = is_letter ? NULL : opts_nearest(word, names, n);
    fail(why, "unknown option %s%.*s", is_letter ? "-" : "--", STR_ARG(word));
    if (near) fail(why, "; did you mean --%s?", near);
    return ERR_ARGUMENT;
}

static Err put_int(const Opt *o, int64_t *out, Str v, Buf *why) {
    int64_t i;
    if (!str_to_i64(v, &i)) return fail(why, "--%s needs a whole number, not '%.*s'", o->name, STR_ARG(v));
    if ((o->min || o->max) && (i < o->min || i > o->max)) {
        return fail(why, "--%s must lie between %lld and %lld", o->name, (long long)o->min, (long long)o->max);
    }
    *out = i;
    return ERR_OK;
}

static Err put_value(const Opt *o, void *fields, Str v, Buf *why) {
    void *at = (char *)fields + o->at;
    switch (o->kind) {
    case OPT_FLAG: *(bool *)at = true; return ERR_OK;
    case OPT_STR: *(Str *)at = v; return ERR_OK;
    case OPT_INT: return put_int(o, at, v, why);
    case OPT_F64:
        if (str_to_f64(v, at)) return ERR_OK;
        return fail(why, "--%s needs a number, not '%.*s'", o->name, STR_ARG(v));
    case OPT_DURATION:
        if (time_parse_duration(v, at) && *(int64_t *)at > 0) return ERR_OK;
        return fail(why, "--%s needs a duration such as 250ms, 10s, 15m, not '%.*s'", o->name, STR_ARG(v));
    case OPT_LIST: break;
    }
    StrList *list = at;
    if (list->count == STR_LIST_MAX) return fail(why, "--%s was given more than %d times", o->name, STR_LIST_MAX);
    list->items[list->count++] = v;
    return ERR_OK;
}

// One option starting at argv[*i]; moves *i behind it.
static Err parse_one(const Opt *table, const Opt *more, void *fields, char *const *argv, int32_t argc, int32_t *i,
                     Buf *why) {
    Str word = str_of(argv[(*i)++]);
    bool is_letter = word.p[1] != '-';
    Str name = str_sub(word, is_letter ? 1 : 2, word.n), value = {0};
    int64_t eq = is_letter ? -1 : str_find(name, '=', 0);
    if (eq >= 0) {
        value = str_sub(name, eq + 1, name.n);
        name.n = eq;
    }
    bool wrong = is_letter && name.n != 1;
    const Opt *o = wrong ? NULL : find_in(table, name, is_letter);
    if (!o && !wrong) o = find_in(more, name, is_letter);
    if (!o) return unknown(table, more, name, is_letter, why);
    if (o->kind == OPT_FLAG && eq >= 0) return fail(why, "--%s takes no value", o->name);
    if (o->kind != OPT_FLAG && eq < 0) {
        if (*i == argc) return fail(why, "--%s needs a value: %s", o->name, o->arg);
        value = str_of(argv[(*i)++]);
    }
    return put_value(o, fields, value, why);
}

// "-x" and "--x", but neither "-" nor a negative number: no option is called -5.
static bool is_option(Str word) {
    double number;
    return word.n > 1 && word.p[0] == '-' && !str_to_f64(word, &number);
}

Err opts_parse(const Opt *table, const Opt *more, void *fields, char *const *argv, int32_t argc, Args *args, Buf *why) {
    CHECK(fields && args && why);
    bool options_over = false;
    for (int32_t i = 0; i < argc;) {
        Str word = str_of(argv[i]);
        if (!options_over && str_eq(word, STR("--"))) {
            options_over = true;
            i++;
        } else if (!options_over && (str_eq(word, STR("--help")) || str_eq(word, STR("-h")))) {
            args->help = true;
            return ERR_OK;
        } else if (!options_over && is_option(word)) {
            TRY(parse_one(table, more, fields, argv, argc, &i, why));
        } else {
            if (args->count == STR_LIST_MAX) return fail(why, "more than %d arguments", STR_LIST_MAX);
            args->items[args->count++] = word;
            i++;
        }
    }
    return ERR_OK;
}

// Append text word by word, never past `width`, continuation lines indented to `indent`.
static void wrap(Str text, int32_t column, int32_t indent, int32_t width, Buf *out) {
    while (text.n) {
        Str word = str_cut(&text, ' ');
        if (column > indent && column + 1 + word.n > width) {
            buf_printf(out, "\n%*s", indent, "");
            column = indent;
        }
        if (column > indent) buf_byte(out, ' '), column++;
        buf_str_put(out, word);
        column += (int32_t)word.n;
    }
}

void opts_print(const Opt *table, int32_t width, Buf *out) {
    for (const Opt *o = table; o && o->name; o++) {
        int64_t start = out->n;
        if (o->letter) buf_printf(out, "  -%c, --%s", o->letter, o->name);
        else buf_printf(out, "      --%s", o->name);
        if (o->arg) buf_printf(out, " %s", o->arg);
        int32_t column = (int32_t)(out->n - start);
        if (column + 2 > HELP_TEXT_AT) buf_printf(out, "\n%*s", HELP_TEXT_AT, "");
        else buf_printf(out, "%*s", HELP_TEXT_AT - column, "");
        wrap(str_of(o->help), HELP_TEXT_AT, HELP_TEXT_AT, width, out);
        buf_byte(out, '\n');
    }
}
