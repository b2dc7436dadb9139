// SPDX-License-Identifier: Apache-2.0
#include "cli/watch.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/time.h"

#define STALE_INTERVALS 5.0
#define STALE_LEAST_NS (3 * NS_PER_S)
#define STALE_UNKNOWN_NS (60 * NS_PER_S)
#define FRESH_NS (NS_PER_S * 3 / 2) // a value that just came is shown bright
#define SMOOTHING 0.3

void watch_init(Watch *w) {
    *w = (Watch){0};
    arena_init(&w->keep, 0);
}

void watch_free(Watch *w) {
    for (int64_t i = 0; i < w->count; i++) buf_free(&w->rows[i].value);
    map_free(&w->index);
    map_free(&w->models);
    buf_free(&w->row_store);
    buf_free(&w->order_store);
    buf_free(&w->model_names);
    arena_free(&w->keep);
    *w = (Watch){0};
}

bool watch_glob(Str pattern, Str text) {
    int64_t p = 0, t = 0, star = -1, back = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            back = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
            p++, t++;
        } else if (star >= 0) {
            p = star + 1;
            t = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

bool watch_wants_twin(const Watch *w, Str twin) {
    for (int32_t i = 0; i < w->pattern_count; i++) {
        if (watch_glob(w->patterns[i], twin)) return true;
    }
    return w->pattern_count == 0;
}

bool watch_wants(const Watch *w, Str twin, Str path) {
    return (!w->property.n || watch_glob(w->property, path)) && watch_wants_twin(w, twin);
}

void watch_model(Watch *w, Str twin, Str model) {
    Str copy = arena_str(&w->keep, model);
    int64_t at;
    if (map_get(&w->models, twin, &at)) {
        ((Str *)(void *)w->model_names.p)[at] = copy;
        return;
    }
    map_put(&w->models, arena_str(&w->keep, twin), w->model_names.n / (int64_t)sizeof copy);
    buf_put(&w->model_names, &copy, (int64_t)sizeof copy);
}

Str watch_model_of(const Watch *w, Str twin) {
    int64_t at;
    if (!map_get(&w->models, twin, &at)) return (Str){0};
    return ((const Str *)(const void *)w->model_names.p)[at];
}

// ---- rows ---------------------------------------------------------------------------------------------------------

static Str key_of(Arena *a, Str twin, Str path) {
    char *p = arena_alloc(a, 1, twin.n + path.n + 1, 1);
    if (twin.n) memcpy(p, twin.p, (size_t)twin.n);
    if (path.n) memcpy(p + twin.n + 1, path.p, (size_t)path.n);
    return (Str){p, twin.n + path.n + 1};
}

static WatchRow *row_of(Watch *w, Str twin, Str path) {
    Arena scratch;
    int64_t at;
    arena_init(&scratch, 512);
    bool known = map_get(&w->index, key_of(&scratch, twin, path), &at);
    arena_free(&scratch);
    if (known) return &w->rows[at];
    Str key = key_of(&w->keep, twin, path);
    WatchRow row = {.twin = str_sub(key, 0, twin.n), .path = str_sub(key, twin.n + 1, key.n)};
    map_put(&w->index, key, w->count);
    buf_put(&w->row_store, &row, (int64_t)sizeof row);
    CHECK(!w->row_store.full);
    w->rows = (WatchRow *)(void *)w->row_store.p;
    w->dirty = true;
    return &w->rows[w->count++];
}

static void put_text(WatchRow *r, const Json *value) {
    buf_reset(&r->value);
    if (value->type == JSON_STRING) buf_str_put(&r->value, value->s);
    else json_put(&r->value, value);
}

WatchRow *watch_set(Watch *w, Str twin, Str path, const Json *value, int64_t time_ns, bool sensor) {
    int64_t second = time_ns / NS_PER_S;
    w->changes++;
    if (second != w->second) w->rate = second == w->second + 1 ? w->in_second : 0, w->second = second, w->in_second = 0;
    w->in_second++;
    if (!watch_wants(w, twin, path)) return NULL;
    WatchRow *r = row_of(w, twin, path);
    int64_t step = time_ns - r->updated_ns;
    if (r->updates++ && step > NS_PER_MS) {
        double d = (double)step;
        r->interval_ns = r->interval_ns > 0 ? r->interval_ns + SMOOTHING * (d - r->interval_ns) : d;
    }
    r->updated_ns = time_ns;
    r->sensor |= sensor;
    r->gone = false;
    put_text(r, value);
    w->dirty |= w->sort != WATCH_BY_NAME;
    return r;
}

void watch_gone(Watch *w, Str twin, Str path) {
    for (int64_t i = 0; i < w->count; i++) {
        WatchRow *r = &w->rows[i];
        if (str_eq(r->twin, twin) && (!path.n || str_eq(r->path, path))) r->gone = w->dirty = true;
    }
}

static bool time_in(const Json *meta, Str key, int64_t *out) {
    const Json *v = json_get(meta, key);
    return v && v->type == JSON_STRING && time_parse(v->s, out);
}

static void take_members(Watch *w, Str twin, Str prefix, const Json *object, const Json *meta, bool all) {
    for (int32_t i = 0; i < object->count; i++) {
        const JsonMember *m = &object->members[i];
        if (str_starts(m->key, STR("$"))) continue;
        Str path = prefix.n ? arena_printf(&w->keep, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(m->key)) : m->key;
        const Json *inner = json_get(&m->value, STR("$metadata")), *own = json_get(meta, m->key);
        int64_t updated, source;
        if (inner) {
            take_members(w, twin, path, &m->value, inner, all);
            continue;
        }
        bool sensor = time_in(own, STR("sourceTime"), &source);
        if ((!sensor && !all) || !watch_wants(w, twin, path) || !time_in(own, STR("lastUpdateTime"), &updated))
            continue;
        WatchRow *r = row_of(w, twin, path);
        if (r->updated_ns > updated) continue; // the stream was faster
        r->updated_ns = updated;
        r->sensor = sensor;
        put_text(r, &m->value);
    }
}

void watch_twin(Watch *w, const Json *twin, bool all) {
    const Json *id = json_get(twin, STR("$dtId")), *meta = json_get(twin, STR("$metadata"));
    const Json *model = json_get(meta, STR("$model"));
    if (!id || id->type != JSON_STRING || !watch_wants_twin(w, id->s)) return;
    if (model && model->type == JSON_STRING) watch_model(w, id->s, model->s);
    take_members(w, id->s, (Str){0}, twin, meta, all);
}

bool watch_is_stale(const Watch *w, const WatchRow *r, int64_t now_ns) {
    int64_t age = now_ns - r->updated_ns;
    if (!r->sensor || r->gone) return false;
    if (w->stale_after_ns) return age > w->stale_after_ns;
    if (r->interval_ns <= 0) return age > STALE_UNKNOWN_NS;
    int64_t limit = (int64_t)(STALE_INTERVALS * r->interval_ns);
    return age > (limit < STALE_LEAST_NS ? STALE_LEAST_NS : limit);
}

int64_t watch_stale(const Watch *w, int64_t now_ns) {
    int64_t n = 0;
    for (int64_t i = 0; i < w->count; i++) n += watch_is_stale(w, &w->rows[i], now_ns);
    return n;
}

// ---- the screen ---------------------------------------------------------------------------------------------------

typedef struct Sorting {
    const Watch *w;
    int64_t now_ns;
} Sorting;

static int by_name(const WatchRow *a, const WatchRow *b) {
    int c = str_cmp(a->twin, b->twin);
    return c ? c : str_cmp(a->path, b->path);
}

static int compare(const void *pa, const void *pb, void *arg) {
    const Sorting *s = arg;
    const WatchRow *a = &s->w->rows[*(const int32_t *)pa], *b = &s->w->rows[*(const int32_t *)pb];
    if (s->w->sort == WATCH_BY_CHANGE && a->updated_ns != b->updated_ns) return a->updated_ns < b->updated_ns ? 1 : -1;
    if (s->w->sort == WATCH_BY_STALE) {
        bool sa = watch_is_stale(s->w, a, s->now_ns), sb = watch_is_stale(s->w, b, s->now_ns);
        if (sa != sb) return sa ? -1 : 1;
    }
    return by_name(a, b);
}

static int64_t make_order(Watch *w, int64_t now_ns) {
    if (!w->dirty && w->sort != WATCH_BY_STALE) return w->order_store.n / (int64_t)sizeof(int32_t);
    buf_reset(&w->order_store);
    for (int32_t i = 0; i < w->count; i++) {
        if (!w->rows[i].gone) buf_put(&w->order_store, &i, (int64_t)sizeof i);
    }
    w->order = (int32_t *)(void *)w->order_store.p;
    w->dirty = false;
    int64_t n = w->order_store.n / (int64_t)sizeof(int32_t);
    Sorting s = {w, now_ns};
    if (n) qsort_r(w->order, (size_t)n, sizeof *w->order, compare, &s);
    return n;
}

static const Column columns[] = {{"Twin", false, true},
                                 {"Property", false, true},
                                 {"Value", true, true},
                                 {"Unit", false, false},
                                 {"Age", false, false}};
static const Column narrow_columns[] = {
    {"Twin", false, true}, {"Property", false, true}, {"Value", true, true}, {"Age", false, false}};

static void put_row(const Watch *w, const WatchRow *r, bool same_twin, int64_t now_ns, Table *t) {
    int64_t age = now_ns - r->updated_ns;
    bool stale = watch_is_stale(w, r, now_ns), fresh = age < FRESH_NS && r->updates;
    Buf text = {0};
    table_put(t, stale || same_twin ? STYLE_DIM : STYLE_PLAIN, r->twin);
    table_put(t, stale ? STYLE_DIM : STYLE_PLAIN, r->path);
    table_put(t, stale ? STYLE_DIM : fresh ? STYLE_GREEN : STYLE_PLAIN, buf_str(&r->value));
    if (t->columns == columns) table_put(t, STYLE_DIM, r->unit);
    text_age(age < 0 ? 0 : age, &text);
    if (age >= NS_PER_S) buf_str_put(&text, STR(" old"));
    if (stale) buf_str_put(&text, STR(", stale"));
    table_put(t, stale ? STYLE_YELLOW : STYLE_DIM, buf_str(&text));
    buf_free(&text);
}

static void put_line(Str text, Style style, const WatchScreen *screen, Buf *out) {
    buf_printf(out, "%s", style_on(style, screen->colour));
    text_fit(text, screen->columns, out);
    buf_printf(out, "%s\n", style_off(style, screen->colour));
}

static void draw_title(const Watch *w, const WatchScreen *screen, int64_t total, int64_t now_ns, Buf *out) {
    Buf line = {0};
    int64_t stale = watch_stale(w, now_ns), idle = now_ns / NS_PER_S - w->second;
    buf_printf(&line, "%.*s  ", STR_ARG(screen->title));
    text_count(total, &line);
    buf_str_put(&line, STR(" values  "));
    text_count(idle > 1 ? 0 : w->rate, &line);
    buf_str_put(&line, STR(" changes/s"));
    if (stale) {
        buf_str_put(&line, STR("  "));
        text_count(stale, &line);
        buf_str_put(&line, STR(" stale"));
    }
    if (screen->status.n) buf_printf(&line, "  %.*s", STR_ARG(screen->status));
    put_line(buf_str(&line), screen->status.n ? STYLE_RED : stale ? STYLE_YELLOW : STYLE_BOLD, screen, out);
    buf_free(&line);
}

static void put_rows(const Watch *w, int64_t first, int64_t end, int64_t now_ns, Table *t) {
    for (int64_t i = first; i < end; i++) {
        const WatchRow *r = &w->rows[w->order[i]];
        bool same = i > first && str_eq(w->rows[w->order[i - 1]].twin, r->twin);
        put_row(w, r, same, now_ns, t);
    }
}

#define FRAME_LINES 5 // title, blank, header, rule, keys

void watch_draw(Watch *w, WatchScreen *screen, int64_t now_ns, Buf *out) {
    static const char *const sorts[WATCH_SORTS] = {"name", "latest", "stale"};
    int64_t total = make_order(w, now_ns), room = screen->rows - FRAME_LINES;
    if (room < 1) room = 1;
    if (screen->first > total - room) screen->first = total - room;
    if (screen->first < 0) screen->first = 0;
    int64_t end = screen->first + room < total ? screen->first + room : total;
    Table t;
    table_init(&t, columns, 5);
    put_rows(w, screen->first, end, now_ns, &t);
    if (!table_fits(&t, screen->columns)) { // how old a value is matters more than its unit
        table_free(&t);
        table_init(&t, narrow_columns, 4);
        put_rows(w, screen->first, end, now_ns, &t);
    }
    draw_title(w, screen, total, now_ns, out);
    buf_byte(out, '\n');
    table_print(&t, &(TablePrint){.width = screen->columns, .colour = screen->colour}, out);
    Buf keys = {0};
    if (total > room) {
        buf_printf(&keys, "%lld-%lld of %lld  ↑ ↓ scroll  ", (long long)screen->first + 1, (long long)end,
                   (long long)total);
    }
    buf_printf(&keys, "s sort: %s  q quit", sorts[w->sort]);
    put_line(buf_str(&keys), STYLE_DIM, screen, out);
    buf_free(&keys);
    table_free(&t);
}

// ---- server-sent events -------------------------------------------------------------------------------------------

// Offset behind the blank line that ends the first event, or 0.
static int64_t event_end(Str s) {
    int64_t at = 0;
    while (at < s.n) {
        int64_t cut = str_find(s, '\n', at);
        if (cut < 0) return 0;
        if (!str_trim(str_sub(s, at, cut)).n) return cut + 1;
        at = cut + 1;
    }
    return 0;
}

bool sse_next(Buf *bytes, SseEvent *out) {
    for (int64_t end; (end = event_end(buf_str(bytes))) > 0;) {
        Str text = str_sub(buf_str(bytes), 0, end);
        bool any = false;
        buf_reset(&out->data);
        memcpy(out->name, "message", 8);
        while (text.n) {
            Str line = str_cut(&text, '\n'), name = str_cut(&line, ':'), value = str_trim(line);
            if (str_eq(name, STR("event")) && value.n < (int64_t)sizeof out->name) {
                memcpy(out->name, value.p, (size_t)value.n);
                out->name[value.n] = 0;
            } else if (str_eq(name, STR("data"))) {
                if (any) buf_byte(&out->data, '\n');
                buf_str_put(&out->data, value);
                any = true;
            }
        }
        memmove(bytes->p, bytes->p + end, (size_t)(bytes->n - end));
        bytes->n -= end;
        if (any) return true;
    }
    return false;
}
