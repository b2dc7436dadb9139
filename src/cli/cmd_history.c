// SPDX-License-Identifier: Apache-2.0
// What a twin's values were: a table with a line of their course, or CSV, columns and JSON as the server gives them.
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/term.h"
#include "cli/units.h"

#define SHOWN_DEFAULT 20 // newest values, when nothing is said
#define PARTS_MAX 16
#define COURSE_WIDTH 60

typedef struct Look {
    Common common;
    Str from, to, step, fn, fill, link;
    int64_t last, limit;
    bool csv, columns, source, arrival, utc, reverse;
} Look;

static const Opt opts[] = {
    OPT(Look, from, OPT_STR, 0, "from", "TIME", "from this time on: 2026-11-01T08:00Z, 2026-11-01, -1h"),
    OPT(Look, to, OPT_STR, 0, "to", "TIME", "up to this time, itself left out"),
    OPT_RANGE(Look, last, "last", "N", "the newest N values or intervals (20 when neither time is given)", 1, 10000000),
    OPT_RANGE(Look, limit, "limit", "N", "at most N values or intervals", 1, 1000000000),
    OPT(Look, step, OPT_STR, 's', "step", "TIME", "in intervals of 90s, 5m, 1h, 1d"),
    OPT(Look, fn, OPT_STR, 'f', "fn", "NAMES", "of each, or of all: avg,min,max,sum,count,last,twa,delta,p95..."),
    OPT(Look, fill, OPT_STR, 0, "fill", "HOW", "intervals without values: none, null, previous, linear"),
    OPT(Look, link, OPT_STR, 'r', "relationship", "ID", "properties of this relationship of the twin"),
    OPT(Look, source, OPT_FLAG, 0, "source", NULL, "who set each value"),
    OPT(Look, arrival, OPT_FLAG, 0, "arrival", NULL, "by the time of arrival, and tell it"),
    OPT(Look, csv, OPT_FLAG, 0, "csv", NULL, "as CSV"),
    OPT(Look, columns, OPT_FLAG, 0, "columns", NULL, "as NDJSON, a line with columns for each property"),
    OPT(Look, utc, OPT_FLAG, 0, "utc", NULL, "times in UTC, not those of this place"),
    OPT_END,
};

// ---- the question -------------------------------------------------------------------------------------------------

typedef struct Ask {
    Buf pattern;
    Str parts[PARTS_MAX];
    int32_t count;
    char mark;
} Ask;

static void ask_put(Ask *a, const char *name, Str value) {
    CHECK(a->count < PARTS_MAX);
    buf_printf(&a->pattern, "%c%s={}", a->mark, name);
    a->mark = '&';
    a->parts[a->count++] = value;
}

static void ask_opt(Ask *a, const char *name, Str value) {
    if (value.n) ask_put(a, name, value);
}

static Str names_of(Client *c, const Args *args) {
    Buf b = {0};
    for (int32_t i = 1; i < args->count; i++) buf_printf(&b, "%s%.*s", i > 1 ? "," : "", STR_ARG(args->items[i]));
    Str s = arena_str(&c->keep, buf_str(&b));
    buf_free(&b);
    return s;
}

static Str path_of(Client *c, const Look *o, const Args *args, const char *format) {
    Ask a = {.mark = '?', .parts = {args->items[0], o->link}, .count = o->link.n ? 2 : 1};
    int64_t page = o->limit && o->limit < 100000 ? o->limit : 0;
    buf_printf(&a.pattern, "/digitaltwins/{}%s/history", o->link.n ? "/relationships/{}" : "");
    ask_opt(&a, "properties", names_of(c, args));
    ask_opt(&a, "from", o->from);
    ask_opt(&a, "to", o->to);
    ask_opt(&a, "step", o->step);
    ask_opt(&a, "fn", o->fn);
    ask_opt(&a, "fill", o->fill);
    if (o->reverse) ask_put(&a, "order", STR("desc"));
    if (o->source || o->arrival)
        ask_put(&a, "with", !o->arrival ? STR("source") : !o->source ? STR("arrival") : STR("source,arrival"));
    if (page) ask_put(&a, "limit", arena_printf(&c->keep, "%lld", (long long)page));
    ask_put(&a, "format", str_of(format));
    buf_byte(&a.pattern, 0);
    Str path = client_path(c, a.pattern.p, a.parts);
    buf_free(&a.pattern);
    return path;
}

// Path and query of a link of the server: a token never leaves for another host.
static Str below_host(Str link) {
    int64_t scheme = str_find_str(link, STR("://"));
    if (scheme < 0) return link;
    int64_t slash = str_find(link, '/', scheme + 3);
    return slash < 0 ? (Str){0} : str_sub(link, slash, link.n);
}

// ---- as the server says it ----------------------------------------------------------------------------------------

// "<URL>; rel="next"" -> URL
static Str link_url(Str header) {
    Str url = str_trim(str_cut(&header, ';'));
    return url.n > 2 && url.p[0] == '<' ? str_sub(url, 1, url.n - 1) : (Str){0};
}

static int64_t lines_in(Str s) {
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
    return n;
}

static Err pass_on(Client *c, const Look *o, const Args *args) {
    Str path = path_of(c, o, args, o->csv ? "csv" : "columns");
    Buf next = {0};
    int64_t rows = 0;
    Err err = ERR_OK;
    buf_str_put(&next, path);
    while (next.n && err == ERR_OK) {
        client_reset(c);
        if ((err = client_do(c, &(Call){.path = arena_str(&c->keep, buf_str(&next))})) != ERR_OK) break;
        err = say(buf_str(&c->body));
        rows += lines_in(buf_str(&c->body));
        buf_reset(&next);
        if (!o->limit || (o->csv && rows <= o->limit)) buf_str_put(&next, below_host(link_url(buf_str(&c->link))));
    }
    buf_free(&next);
    return err;
}

// ---- the table ----------------------------------------------------------------------------------------------------

typedef struct Entry {
    int64_t time;
    Str property, source, arrival;
    bool late;
    const Json *values[16];
} Entry;

typedef struct Sheet {
    Client *client;
    const Look *o;
    Arena keep;
    Entry *rows;
    int64_t count, cap;
    Str fns[16]; // or one empty: the value
    int32_t fn_count;
    Str names[STR_LIST_MAX], units[STR_LIST_MAX]; // of properties
    int32_t name_count;
    bool downsampled;
} Sheet;

static int32_t name_at(const Sheet *s, Str name) {
    for (int32_t i = 0; i < s->name_count; i++)
        if (str_eq(s->names[i], name)) return i;
    return -1;
}

static void learn(Sheet *s, const Json *doc) {
    const Json *all = json_get(doc, STR("properties"));
    s->downsampled = s->downsampled || json_get(doc, STR("downsampled"));
    for (int32_t i = 0; all && i < all->count && s->name_count < STR_LIST_MAX; i++) {
        const JsonMember *m = &all->members[i];
        if (name_at(s, m->key) >= 0) continue;
        s->names[s->name_count] = arena_str(&s->keep, m->key);
        s->units[s->name_count++] = arena_str(&s->keep, unit_symbol(json_text(&m->value, STR("unit"))));
    }
}

static const Json *value_kept(Sheet *s, const Json *v) {
    Json *out = NEW(&s->keep, Json, 1);
    Str text = arena_str(&s->keep, v->raw);
    if (json_parse(text, NULL, &s->keep, out, NULL) != ERR_OK) *out = (Json){.type = JSON_NULL};
    return out;
}

static void take(Sheet *s, const Json *item) {
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->rows = mem_grow(s->rows, (size_t)s->cap * sizeof *s->rows);
    }
    Entry *e = &s->rows[s->count++];
    *e = (Entry){.property = arena_str(&s->keep, json_text(item, STR("property"))),
                 .source = arena_str(&s->keep, json_text(item, STR("source"))),
                 .arrival = arena_str(&s->keep, json_text(item, STR("arrival"))),
                 .late = json_get(item, STR("late")) != NULL};
    if (!time_parse(json_text(item, STR("time")), &e->time)) e->time = 0;
    for (int32_t i = 0; i < s->fn_count; i++) {
        const Json *v = json_get(item, s->fns[i]);
        if (v) e->values[i] = value_kept(s, v);
    }
}

static Err fetch(Sheet *s, const Args *args, int64_t limit) {
    Client *c = s->client;
    Str next = arena_str(&s->keep, path_of(c, s->o, args, "json"));
    while (next.n && s->count < limit) {
        Json doc;
        client_reset(c);
        TRY(client_do(c, &(Call){.path = next}));
        TRY(client_json(c, &doc));
        learn(s, &doc);
        const Json *list = json_get(&doc, STR("value"));
        for (int32_t i = 0; list && i < list->count && s->count < limit; i++) take(s, &list->items[i]);
        next = arena_str(&s->keep, below_host(json_text(&doc, STR("nextLink"))));
    }
    return ERR_OK;
}

static void turn(Sheet *s) {
    for (int64_t a = 0, b = s->count - 1; a < b; a++, b--) {
        Entry t = s->rows[a];
        s->rows[a] = s->rows[b];
        s->rows[b] = t;
    }
}

// ---- times of this place ------------------------------------------------------------------------------------------

static void put_time(const Sheet *s, int64_t ns, int digits, Buf *b) {
    time_t seconds = (time_t)(ns / NS_PER_S - (ns % NS_PER_S < 0));
    struct tm tm;
    bool ok = s->o->utc ? gmtime_r(&seconds, &tm) != NULL : localtime_r(&seconds, &tm) != NULL;
    if (!ok) {
        time_print(ns, digits, b);
        return;
    }
    buf_printf(b, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
               tm.tm_sec);
    if (!digits) return;
    char frac[16];
    snprintf(frac, sizeof frac, "%09lld", (long long)(ns - (int64_t)seconds * NS_PER_S));
    buf_printf(b, ".%.*s", digits, frac);
}

static int digits_wanted(const Sheet *s) {
    int digits = 0;
    for (int64_t i = 0; i < s->count; i++) {
        int64_t frac = s->rows[i].time % NS_PER_S;
        if (frac % NS_PER_MS) return frac % 100 ? 9 : 7;
        if (frac) digits = 3;
    }
    return digits;
}

static Str zone(const Sheet *s, Arena *a) {
    time_t now = (time_t)(time_now_ns() / NS_PER_S);
    struct tm tm;
    char text[32];
    if (s->o->utc || !localtime_r(&now, &tm) || !strftime(text, sizeof text, "%Z", &tm)) return STR("UTC");
    return arena_str(a, str_of(text));
}

// ---- the course of a number ---------------------------------------------------------------------------------------

typedef struct Course {
    double sum[COURSE_WIDTH], min, max;
    int64_t n[COURSE_WIDTH], count;
    int width; // no more columns than values
} Course;

static int course_width(const Sheet *s, Str name) {
    int n = 0;
    for (int64_t i = 0; i < s->count && n < COURSE_WIDTH; i++) n += str_eq(s->rows[i].property, name);
    return n;
}

static void course_of(const Sheet *s, Str name, Course *out) {
    int64_t first = s->rows[0].time, span = s->rows[s->count - 1].time - first;
    *out = (Course){.width = course_width(s, name)};
    for (int64_t i = 0; i < s->count; i++) {
        const Json *v = s->rows[i].values[0];
        if (!str_eq(s->rows[i].property, name) || !v || !json_is_number(v)) continue;
        double d = json_f64(v), at = span > 0 ? (double)(s->rows[i].time - first) / (double)span : 0;
        int k = (int)(at * (out->width - 1) + 0.5);
        if (!out->count || d < out->min) out->min = d;
        if (!out->count || d > out->max) out->max = d;
        out->count++;
        out->sum[k] += d;
        out->n[k]++;
    }
}

static void put_number(double d, Str unit, Buf *b) {
    buf_printf(b, "%.6g", d);
    if (unit.n) buf_printf(b, " %.*s", STR_ARG(unit));
}

// "▁▂▃▅▇": the mean of each stretch of time between the smallest and the largest value; blank where there is none.
static void put_course(const Sheet *s, int32_t name, int32_t width, Buf *b) {
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    Course c;
    course_of(s, s->names[name], &c);
    if (c.count < 3) return;
    text_clean(s->names[name], b);
    for (int32_t i = text_width(s->names[name]); i < width; i++) buf_byte(b, ' ');
    buf_str_put(b, STR("  "));
    for (int k = 0; k < c.width; k++) {
        if (!c.n[k]) {
            buf_byte(b, ' ');
            continue;
        }
        double share = c.max > c.min ? (c.sum[k] / (double)c.n[k] - c.min) / (c.max - c.min) : 0.5;
        int at = (int)(share * 8);
        buf_str_put(b, str_of(bars[at > 7 ? 7 : at < 0 ? 0 : at]));
    }
    buf_str_put(b, STR("  "));
    put_number(c.min, s->units[name], b);
    buf_str_put(b, STR(" to "));
    put_number(c.max, s->units[name], b);
    buf_byte(b, '\n');
}

static Err say_courses(const Sheet *s) {
    Buf b = {0};
    int32_t width = 0;
    for (int32_t i = 0; i < s->name_count; i++)
        if (text_width(s->names[i]) > width) width = text_width(s->names[i]);
    for (int32_t i = 0; i < s->name_count; i++) put_course(s, i, width, &b);
    if (b.n) buf_byte(&b, '\n');
    Err err = b.n ? say(buf_str(&b)) : ERR_OK;
    buf_free(&b);
    return err;
}

// ---- printing -----------------------------------------------------------------------------------------------------

// computed: by a function; six digits of it are enough for people.
static void put_cell(Table *t, const Json *v, bool computed) {
    Buf b = {0};
    if (v && v->type == JSON_STRING) buf_str_put(&b, v->s);
    else if (v && v->type == JSON_DOUBLE && computed) buf_printf(&b, "%.6g", v->d);
    else if (v && v->type != JSON_NULL) json_put(&b, v);
    table_put(t, v && v->type != JSON_NULL ? STYLE_BOLD : STYLE_DIM, b.n ? buf_str(&b) : STR("-"));
    buf_free(&b);
}

static Str unit_for(const Sheet *s, Str property) {
    int32_t at = name_at(s, property);
    return at < 0 ? (Str){0} : s->units[at];
}

static void put_row(Sheet *s, Table *t, const Entry *e, int digits, bool named) {
    Buf b = {0};
    put_time(s, e->time, digits, &b);
    table_put(t, STYLE_DIM, buf_str(&b));
    if (named) table_put(t, STYLE_PLAIN, e->property);
    for (int32_t i = 0; i < s->fn_count; i++) put_cell(t, e->values[i], s->o->fn.n > 0);
    table_put(t, STYLE_DIM, unit_for(s, e->property));
    if (s->o->source) table_put(t, STYLE_PLAIN, e->source);
    if (s->o->arrival) {
        int64_t at;
        buf_reset(&b);
        if (time_parse(e->arrival, &at)) put_time(s, at, 7, &b);
        if (e->late) buf_str_put(&b, STR(" late"));
        table_put(t, STYLE_DIM, buf_str(&b));
    }
    buf_free(&b);
}

static Err say_sheet(Sheet *s) {
    Column columns[24];
    int32_t n = 0;
    bool named = s->name_count > 1;
    Str title = arena_printf(&s->keep, "Time (%.*s)", STR_ARG(zone(s, &s->keep)));
    columns[n++] = (Column){title.p, false, false};
    if (named) columns[n++] = (Column){"Property", false, true};
    for (int32_t i = 0; i < s->fn_count; i++) {
        Str fn = arena_str(&s->keep, s->fns[i]);
        columns[n++] = (Column){str_eq(fn, STR("value")) ? "Value" : fn.p, true, true};
    }
    columns[n++] = (Column){"Unit", false, false};
    if (s->o->source) columns[n++] = (Column){"Source", false, true};
    if (s->o->arrival) columns[n++] = (Column){"Arrived", false, false};
    Table t;
    table_init(&t, columns, n);
    int digits = digits_wanted(s);
    for (int64_t i = 0; i < s->count; i++) put_row(s, &t, &s->rows[i], digits, named);
    Err err = say_courses(s);
    if (err == ERR_OK) err = say_table(&t);
    table_free(&t);
    return err;
}

static void name_fns(Sheet *s) {
    Str rest = s->o->fn;
    while (rest.n && s->fn_count < 16) {
        Str one = str_trim(str_cut(&rest, ','));
        char *p = NEW(&s->keep, char, one.n + 1);
        for (int64_t i = 0; i < one.n; i++)
            p[i] = (char)(one.p[i] >= 'A' && one.p[i] <= 'Z' ? one.p[i] | 0x20 : one.p[i]);
        s->fns[s->fn_count++] = (Str){p, one.n};
    }
    if (!s->fn_count) s->fns[s->fn_count++] = STR("value");
}

static Err show(Client *c, const Look *o, const Args *args) {
    Sheet s = {.client = c, .o = o};
    arena_init(&s.keep, 0);
    name_fns(&s);
    int64_t limit = o->limit ? o->limit : INT64_MAX;
    Err err = fetch(&s, args, limit);
    if (o->reverse) turn(&s);
    if (err == ERR_OK && s.count) err = say_sheet(&s);
    else if (err == ERR_OK) note("no values in that time");
    if (err == ERR_OK && s.downsampled) note("single values of old times were let go: what is told of them are means");
    mem_free(s.rows);
    arena_free(&s.keep);
    return err;
}

// ---- JSON ---------------------------------------------------------------------------------------------------------

static Err collect(void *arg, const Json *item) {
    Buf *b = arg;
    buf_byte(b, b->n ? ',' : '[');
    buf_str_put(b, item->raw);
    return b->full ? tell(ERR_LIMIT, "the list is too long: use --limit") : ERR_OK;
}

static Err show_json(Client *c, const Look *o, const Args *args) {
    Buf b = {0};
    int64_t count = 0;
    Err err = client_each(c, path_of(c, o, args, "json"), o->limit ? o->limit : INT64_MAX, &count, collect, &b);
    buf_str_put(&b, count ? STR("]\n") : STR("[]\n"));
    if (err == ERR_OK) err = say(buf_str(&b));
    buf_free(&b);
    return err;
}

// The newest values when nobody says which.
static void settle(Look *o) {
    bool all = o->csv || o->columns || o->common.json;
    if (!o->last && !o->limit && !o->from.n && !o->to.n && !all && !(o->fn.n && !o->step.n)) o->last = SHOWN_DEFAULT;
    o->reverse = o->last > 0;
    if (o->last) o->limit = o->last;
}

static Err run(void *fields, const Args *args) {
    Look *o = fields;
    Client c = {0};
    if (o->csv && o->columns) return tell(ERR_ARGUMENT, "history: --csv or --columns, not both");
    settle(o);
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK && (o->csv || o->columns)) err = pass_on(&c, o, args);
    else if (err == ERR_OK && o->common.json) err = show_json(&c, o, args);
    else if (err == ERR_OK) err = show(&c, o, args);
    client_close(&c);
    return err;
}

const Command cmd_history = {
    .name = "history",
    .arguments = "TWIN [PROPERTY...]",
    .summary = "what its values were, or what they come to in intervals of time",
    .about = "Without times: the newest values. Also of twins that were deleted, and of all that had the name.\n"
             "In intervals, values stand from their time until the next one where that matters (twa, share, fill).",
    .examples = "  sosia history line-1-filler\n"
                "  sosia history line-1-filler temperature --from -1h\n"
                "  sosia history line-1-filler temperature --from -1d --step 1h --fn avg,min,max\n"
                "  sosia history line-1-filler state --from -8h --fn share,mode\n"
                "  sosia history line-1-filler temperature --last 5 --source --arrival\n"
                "  sosia history line-1-filler temperature --from 2026-11-01 --to 2026-12-01 --csv > november.csv\n"
                "  sosia history line-1-filler temperature --world live@2026-11-01T08:00Z",
    .opts = opts,
    .size = sizeof(Look),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run,
};
