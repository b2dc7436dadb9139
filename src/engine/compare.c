// SPDX-License-Identifier: Apache-2.0
#include "engine/compare.h"
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/document.h"
#include "engine/effect.h"
#include "engine/pasts.h"
#include "engine/run.h"
#include "engine/scenarios.h"
#include "engine/whatif.h"

#define POINTS_DEFAULT 500
#define BATCHES_MAX 1000 // of a fork that are looked at for what was done to it
#define FEED_WAIT_NS INT64_C(1000000000)
#define SAME 1e-12 // part of themselves by which equal numbers may differ

static Err say(SosiaOut *out, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err say(SosiaOut *out, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&out->message);
    buf_vprintf(&out->message, fmt, ap);
    va_end(ap);
    return err;
}

static Err realm_named(Sosia *s, Str name, Realm **out, SosiaOut *message) {
    Err err = realm_get(s, name, out, NULL);
    if (!err) return ERR_OK;
    buf_reset(&message->message);
    if (pasts_named(name)) pasts_why(s, name, err, &message->message);
    else buf_printf(&message->message, "there is no world \"%.*s\"", STR_ARG(name));
    return err;
}

static void put_time(Buf *out, const char *name, int64_t ns) {
    if (!ns) return;
    buf_printf(out, ",\"%s\":\"", name);
    time_print(ns, 7, out);
    buf_byte(out, '"');
}

static void put_text(Buf *out, const char *name, Str s) {
    if (!s.n) return;
    buf_printf(out, ",\"%s\":", name);
    json_put_str(out, s);
}

static void put_number(Buf *b, const char *name, double v) {
    buf_printf(b, ",\"%s\":", name);
    if (isfinite(v)) json_put_f64(b, v);
    else buf_str_put(b, STR("null"));
}

// ---- of one world -------------------------------------------------------------------------------------------------

static Err show_definitions(View *v, void *ctx) {
    Buf *out = ctx;
    buf_reset(out);
    (void)document_show(v, KPIS_COLLECTION, (Str){0}, out);
    return ERR_OK;
}

SosiaErr sosia_kpis(Sosia *s, const SosiaCaller *who, const SosiaKpis *a, SosiaOut *out) {
    Realm *r;
    Buf definitions = {0};
    const char *state;
    buf_reset(&out->body);
    buf_reset(&out->message);
    Err err = realm_named(s, a->world, &r, out);
    if (err) return (SosiaErr)err;
    Str world = a->world.n ? a->world : STR("live");
    err = engine_read(s, who, world, show_definitions, &definitions, &out->seq);
    Kpis *k = err ? NULL : run_counted(r, &state);
    if (!err) {
        buf_str_put(&out->body, STR("{\"world\":"));
        json_put_str(&out->body, world);
        if (r->scenario) put_text(&out->body, "purpose", r->scenario->purpose);
        buf_printf(&out->body, ",\"state\":\"%s\"", state);
        put_time(&out->body, "begin", k ? k->begin_ns : 0);
        put_time(&out->body, "now", k ? k->now_ns : 0);
        put_time(&out->body, "until", k ? k->until_ns : 0);
        buf_str_put(&out->body, STR(",\"kpis\":"));
        if (k) kpis_show(k, a->kpis, a->points < 0 ? 0 : a->points ? a->points : KPI_POINTS_MAX, &out->body);
        else buf_str_put(&out->body, STR("[]"));
        buf_str_put(&out->body, STR(",\"value\":"));
        buf_str_put(&out->body, buf_str(&definitions));
        buf_byte(&out->body, '}');
    }
    kpis_free(k);
    buf_free(&definitions);
    realm_unref(r);
    return (SosiaErr)err;
}

// ---- changes ------------------------------------------------------------------------------------------------------

static void add_change(Compare *c, CompareWorld *w, Buf *text) {
    w->change_total++;
    if (w->change_count < COMPARE_CHANGES_MAX) w->changes[w->change_count++].text = arena_str(&c->keep, buf_str(text));
    buf_reset(text);
}

// What the run had planned.
static void planned(Compare *c, CompareWorld *w) {
    Arena a;
    Json list;
    Whatif plan;
    Buf text = {0};
    arena_init(&a, 4096);
    if (!json_parse(w->kpis->changes, NULL, &a, &list, NULL) && !whatif_changes(&a, &list, &plan, NULL)) {
        for (int32_t i = 0; i < plan.change_count; i++) {
            told_planned(&plan.changes[i], &text);
            add_change(c, w, &text);
        }
    }
    buf_free(&text);
    arena_free(&a);
}

static void put_value(Buf *b, const SosiaValue *v) {
    switch (v->kind) {
    case SOSIA_NONE: buf_str_put(b, STR("no value")); break;
    case SOSIA_BOOL: buf_str_put(b, v->b ? STR("true") : STR("false")); break;
    case SOSIA_I64: buf_printf(b, "%lld", (long long)v->i); break;
    case SOSIA_F64: json_put_f64(b, v->d); break;
    default: told_text(v->s, b);
    }
}

static void told_change(const SosiaChange *x, Buf *b) {
    switch (x->what) {
    case SOSIA_EV_SET:
    case SOSIA_EV_UNSET:
        buf_printf(b, "%.*s.%.*s = ", STR_ARG(x->twin), STR_ARG(x->path));
        put_value(b, &x->value);
        break;
    case SOSIA_EV_LINK_SET:
    case SOSIA_EV_LINK_UNSET:
        buf_printf(b, "%.*s/%.*s.%.*s = ", STR_ARG(x->twin), STR_ARG(x->link), STR_ARG(x->path));
        put_value(b, &x->value);
        break;
    case SOSIA_EV_TWIN_PUT: buf_printf(b, "%.*s is new", STR_ARG(x->twin)); break;
    case SOSIA_EV_TWIN_DELETE: buf_printf(b, "%.*s is gone", STR_ARG(x->twin)); break;
    case SOSIA_EV_LINK_PUT:
        buf_printf(b, "%.*s %.*s %.*s", STR_ARG(x->twin), STR_ARG(x->path), STR_ARG(x->other));
        break;
    case SOSIA_EV_LINK_DELETE:
        buf_printf(b, "%.*s %.*s %.*s is gone", STR_ARG(x->twin), STR_ARG(x->path), STR_ARG(x->other));
        break;
    case SOSIA_EV_MODEL: buf_printf(b, "model %.*s", STR_ARG(x->twin)); break;
    default: break;
    }
}

// What was done to a fork before its first run: until the first batch of one.
static void done_before(Compare *c, CompareWorld *w, Realm *r) {
    SosiaFeed *f;
    SosiaBatch b = {.seq = 1};
    Buf text = {0};
    uint64_t newest = world_visible(r->world);
    if (newest <= r->scenario->fork_seq) return; // nothing came, and nothing is waited for
    if (sosia_feed_open(r->engine, NULL, r->name, r->scenario->fork_seq, &f, NULL)) return;
    for (int64_t looks = 0; looks < BATCHES_MAX; looks++) {
        if (sosia_feed_next(f, looks ? 0 : FEED_WAIT_NS, &b) || !b.seq || str_eq(b.source, RUN_SOURCE)) break;
        for (int64_t i = 0; i < b.count; i++) {
            told_change(&b.changes[i], &text);
            if (text.n) add_change(c, w, &text);
        }
        if (b.seq >= newest) break;
    }
    sosia_feed_close(f);
    buf_free(&text);
}

// ---- gathering ----------------------------------------------------------------------------------------------------

static void note(Compare *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(Compare *c, const char *fmt, ...) {
    Buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    c->notes[c->note_count++] = arena_str(&c->keep, buf_str(&b));
    buf_free(&b);
}

typedef struct Titling {
    Compare *compare;
    Str name; // of a what-if
} Titling;

static Err read_title(View *v, void *ctx) {
    const Titling *t = ctx;
    const Doc *doc = catalog_doc(v->catalog, WHATIFS_COLLECTION, t->name);
    Arena a;
    Json json;
    arena_init(&a, 4096);
    if (doc && !json_parse(doc->json, NULL, &a, &json, NULL)) {
        const Json *title = json_get(&json, STR("title"));
        if (title && title->type == JSON_STRING) t->compare->title = arena_str(&t->compare->keep, title->s);
    }
    arena_free(&a);
    return ERR_OK;
}

// A world that a what-if made has its title.
static void take_title(Compare *c, Realm *r) {
    Str purpose = r->scenario ? r->scenario->purpose : (Str){0}, before = STR(WHATIF_PURPOSE);
    if (c->title.n || !str_starts(purpose, before) || str_ends(purpose, STR(WHATIF_WITHOUT))) return;
    Titling t = {c, str_sub(purpose, before.n, purpose.n)};
    if (engine_read_realm(r, NULL, read_title, &t, NULL)) c->title = (Str){0};
}

static Err take_world(Compare *c, Sosia *s, Str name, SosiaOut *out) {
    Realm *r;
    CompareWorld *w = &c->worlds[c->world_count];
    TRY(realm_named(s, name, &r, out));
    *w = (CompareWorld){.name = arena_str(&c->keep, name.n ? name : STR("live"))};
    w->changes = NEW(&c->keep, CompareChange, COMPARE_CHANGES_MAX);
    w->kpis = run_counted(r, &w->state);
    if (r->scenario) w->purpose = arena_str(&c->keep, r->scenario->purpose);
    if (w->kpis) {
        w->begin_ns = w->kpis->begin_ns;
        w->now_ns = w->kpis->now_ns;
        w->until_ns = w->kpis->until_ns;
    }
    c->world_count++;
    w->runs = r->scenario && !r->past.is;
    if (w->runs) done_before(c, w, r);
    if (w->kpis && w->kpis->changes.n) planned(c, w);
    take_title(c, r);
    realm_unref(r);
    return ERR_OK;
}

static const KpiRow *row_named(const Kpis *k, Str name) {
    for (int32_t i = 0; k && i < k->count; i++) {
        if (str_eq(k->rows[i].k.name, name)) return &k->rows[i];
    }
    return NULL;
}

static double scale_of(double v) { return fabs(v); }

// Against the first world's.
static void judge(CompareCell *x, const CompareCell *first, const KpiRow *as) {
    x->verdict = 2;
    x->difference = x->value - first->value;
    x->relative = scale_of(first->value) > 0 ? x->difference / scale_of(first->value) : (double)NAN;
    if (!(x->difference == x->difference)) return;
    bool same = fabs(x->difference) <= SAME * fmax(fabs(x->value), fabs(first->value));
    if (same) x->difference = x->relative = 0;
    if (same) x->verdict = 0;
    else if (as->k.better) x->verdict = (x->difference > 0) == (as->k.better > 0) ? 1 : -1;
}

// Another definition of that name measures something else, or in another unit.
static bool comparable(const KpiRow *a, const KpiRow *b) { return a->k.over == b->k.over && str_eq(a->unit, b->unit); }

static void take_row(Compare *c, const KpiRow *as) {
    CompareRow *row = &c->rows[c->row_count++];
    bool other = false;
    *row = (CompareRow){.as = as, .cells = NEW(&c->keep, CompareCell, c->world_count)};
    for (int32_t i = 0; i < c->world_count; i++) {
        CompareCell *x = &row->cells[i];
        *x = (CompareCell){.value = (double)NAN, .difference = (double)NAN, .relative = (double)NAN, .verdict = 2};
        x->row = row_named(c->worlds[i].kpis, as->k.name);
        if (!x->row) continue;
        x->kpis = c->worlds[i].kpis;
        other = other || !str_eq(x->row->json, as->json);
        if (comparable(x->row, as)) x->value = kpi_value(x->row);
        if (i) judge(x, &row->cells[0], as);
    }
    if (other) note(c, "%.*s is not defined the same in all worlds.", STR_ARG(as->k.name));
}

static bool has_row(const Compare *c, Str name) {
    for (int32_t r = 0; r < c->row_count; r++)
        if (str_eq(c->rows[r].as->k.name, name)) return true;
    return false;
}

// Those that are asked for by name, in that order; else all, by name.
static void take_rows(Compare *c, Str names) {
    int32_t most = 0;
    for (int32_t i = 0; i < c->world_count; i++) most += c->worlds[i].kpis ? c->worlds[i].kpis->count : 0;
    c->rows = NEW(&c->keep, CompareRow, most + 1);
    int64_t asked = 1;
    for (int64_t i = 0; i < names.n; i++) asked += names.p[i] == ',';
    c->notes = NEW(&c->keep, Str, most + 4 * c->world_count + 4 + asked);
    bool all = !names.n;
    while (names.n) {
        Str name = str_cut(&names, ',');
        const KpiRow *row = NULL;
        for (int32_t i = 0; !row && i < c->world_count; i++) row = row_named(c->worlds[i].kpis, name);
        if (row && !has_row(c, name)) take_row(c, row);
        if (!row && most) note(c, "No run counted a KPI \"%.*s\".", STR_ARG(name));
    }
    for (int32_t i = 0; all && i < c->world_count; i++) {
        const Kpis *k = c->worlds[i].kpis;
        for (int32_t j = 0; k && j < k->count; j++)
            if (!has_row(c, k->rows[j].k.name)) take_row(c, &k->rows[j]);
    }
}

// Of two that ran: what the second does. One run tells of one chance: over many, the sign may be another.
static void take_sentence(Compare *c) {
    const CompareWorld *w = &c->worlds[1];
    if (c->world_count != 2 || !w->kpis || !c->worlds[0].kpis) return;
    Effect *e = NEW(&c->keep, Effect, c->row_count + 1);
    for (int32_t i = 0; i < c->row_count; i++) {
        const CompareCell *x = &c->rows[i].cells[1];
        const Kpi *k = &c->rows[i].as->k;
        e[i] = (Effect){.title = k->title.n ? k->title : k->name,
                        .unit = told_unit(c->rows[i].as->unit),
                        .of = k->of,
                        .over = (int32_t)k->over,
                        .better = k->better,
                        .by = x->difference,
                        .low = (double)NAN,
                        .high = (double)NAN,
                        .known = x->difference == x->difference,
                        .sure = x->difference == x->difference && x->difference != 0};
    }
    int32_t first = effect_first(e, c->row_count);
    Str with = c->title.n ? STR("the change") : w->name;
    EffectSay say = {.subject = with,
                     .with = with,
                     .baseline = c->worlds[0].name,
                     .span_ns = w->now_ns - w->begin_ns,
                     .level = 0.95,
                     .once = true};
    Buf text = {0};
    if (first >= 0) effect_say(&say, &e[first], &text);
    if (first >= 0) effect_say_others(e, c->row_count, first, &text);
    c->sentence = arena_str(&c->keep, buf_str(&text));
    buf_free(&text);
}

static void take_notes(Compare *c) {
    const CompareWorld *a = &c->worlds[0];
    int64_t span = a->now_ns - a->begin_ns;
    for (int32_t i = 0; i < c->world_count; i++) {
        const CompareWorld *w = &c->worlds[i];
        bool last = w->kpis && w->kpis->count == 0;
        if (!w->kpis && !w->runs) note(c, "%.*s does not run: fork it, and run the fork", STR_ARG(w->name));
        else if (!w->kpis) note(c, "%.*s has not been run: sosia worlds run %.*s", STR_ARG(w->name), STR_ARG(w->name));
        else if (last) note(c, "%.*s has no KPIs.", STR_ARG(w->name));
        else if (strcmp(w->state, "done") != 0) note(c, "%.*s is %s.", STR_ARG(w->name), w->state);
        if (!i || !w->kpis || !a->kpis) continue;
        if (llabs(w->begin_ns - a->begin_ns) > span / 100)
            note(c, "%.*s and %.*s do not begin at the same time.", STR_ARG(a->name), STR_ARG(w->name));
        if (w->now_ns - w->begin_ns != span)
            note(c, "%.*s and %.*s ran for different lengths of time.", STR_ARG(a->name), STR_ARG(w->name));
    }
}

static Err gather(Compare *c, Sosia *s, const SosiaCompare *a, SosiaOut *out) {
    if (a->world_count < 2) return say(out, ERR_ARGUMENT, "say at least two worlds to compare");
    if (a->world_count > SOSIA_COMPARE_WORLDS_MAX)
        return say(out, ERR_ARGUMENT, "at most %d worlds are compared at once", SOSIA_COMPARE_WORLDS_MAX);
    c->worlds = NEW(&c->keep, CompareWorld, a->world_count);
    c->points = a->points > 0 ? a->points : POINTS_DEFAULT;
    for (int32_t i = 0; i < a->world_count; i++) {
        for (int32_t k = 0; k < i; k++) {
            if (str_eq(a->worlds[i], a->worlds[k]))
                return say(out, ERR_ARGUMENT, "\"%.*s\" is there twice", STR_ARG(a->worlds[i]));
        }
        TRY(take_world(c, s, a->worlds[i], out));
    }
    take_rows(c, a->kpis);
    take_notes(c);
    take_sentence(c);
    return ERR_OK;
}

// ---- JSON ---------------------------------------------------------------------------------------------------------

static void put_world(const CompareWorld *w, Buf *b) {
    buf_str_put(b, STR("{\"name\":"));
    json_put_str(b, w->name);
    put_text(b, "purpose", w->purpose);
    buf_printf(b, ",\"state\":\"%s\"", w->state);
    put_time(b, "begin", w->begin_ns);
    put_time(b, "now", w->now_ns);
    put_time(b, "until", w->until_ns);
    buf_str_put(b, STR(",\"changes\":["));
    for (int32_t i = 0; i < w->change_count; i++) {
        if (i) buf_byte(b, ',');
        json_put_str(b, w->changes[i].text);
    }
    buf_printf(b, "],\"changeCount\":%lld}", (long long)w->change_total);
}

static void put_cell(const Compare *c, const CompareWorld *w, const CompareCell *x, bool first, Buf *b) {
    static const char *const verdicts[] = {"\"worse\"", "\"same\"", "\"better\"", "null"};
    buf_str_put(b, STR("{\"world\":"));
    json_put_str(b, w->name);
    put_number(b, "value", x->value);
    put_number(b, "known", x->row ? kpi_known(x->row) : 0);
    if (!first) {
        put_number(b, "difference", x->difference);
        put_number(b, "relative", x->relative);
        buf_printf(b, ",\"verdict\":%s", verdicts[x->verdict + 1]);
    }
    if (x->row) put_text(b, "error", x->row->why);
    else put_text(b, "error", w->kpis ? STR("it was not counted there") : STR("there was no run"));
    if (x->row) kpi_show_series(x->kpis, x->row, c->points, b);
    buf_byte(b, '}');
}

static void put_row(const Compare *c, const CompareRow *r, Buf *b) {
    kpi_show_head(r->as, b);
    buf_str_put(b, STR(",\"values\":["));
    for (int32_t i = 0; i < c->world_count; i++) {
        if (i) buf_byte(b, ',');
        put_cell(c, &c->worlds[i], &r->cells[i], i == 0, b);
    }
    buf_str_put(b, STR("]}"));
}

static void compare_json(const Compare *c, Buf *b) {
    buf_str_put(b, STR("{\"title\":"));
    json_put_str(b, c->title);
    buf_str_put(b, STR(",\"sentence\":"));
    json_put_str(b, c->sentence);
    buf_str_put(b, STR(",\"worlds\":["));
    for (int32_t i = 0; i < c->world_count; i++) {
        if (i) buf_byte(b, ',');
        put_world(&c->worlds[i], b);
    }
    buf_str_put(b, STR("],\"kpis\":["));
    for (int32_t i = 0; i < c->row_count; i++) {
        if (i) buf_byte(b, ',');
        put_row(c, &c->rows[i], b);
    }
    buf_str_put(b, STR("],\"notes\":["));
    for (int32_t i = 0; i < c->note_count; i++) {
        if (i) buf_byte(b, ',');
        json_put_str(b, c->notes[i]);
    }
    buf_str_put(b, STR("]}"));
}

static void compare_free(Compare *c) {
    for (int32_t i = 0; i < c->world_count; i++) kpis_free(c->worlds[i].kpis);
    arena_free(&c->keep);
}

// ---- many times over ----------------------------------------------------------------------------------------------

static void put_texts(const CompareWorld *w, Buf *b) {
    buf_str_put(b, STR(",\"told\":["));
    for (int32_t i = 0; i < w->change_count; i++) {
        if (i) buf_byte(b, ',');
        json_put_str(b, w->changes[i].text);
    }
    buf_byte(b, ']');
}

// From where its run began, with what that had planned; else from where it is. What was planned is told by itself.
static void put_case(Compare *c, Sosia *s, CompareWorld *w, Buf *b) {
    Realm *r = realm_find(s, w->name);
    buf_str_put(b, STR("{\"name\":"));
    json_put_str(b, w->name);
    buf_str_put(b, STR(",\"world\":"));
    Buf world = {0};
    buf_str_put(&world, w->name);
    if (w->kpis && w->runs) {
        buf_byte(&world, '@');
        time_print(w->begin_ns, 9, &world);
    }
    json_put_str(b, buf_str(&world));
    buf_free(&world);
    w->change_count = 0;
    w->change_total = 0;
    if (r && w->runs) done_before(c, w, r);
    put_texts(w, b);
    if (w->kpis && w->kpis->changes.n) buf_printf(b, ",\"changes\":%.*s", STR_ARG(w->kpis->changes));
    buf_byte(b, '}');
    if (r) realm_unref(r);
}

static void put_ask(Compare *c, Sosia *s, const SosiaCompare *a, int64_t for_ns, Buf *b) {
    Str names = a->kpis;
    buf_str_put(b, STR("{\"title\":"));
    Str title = c->title;
    for (int32_t i = 0; !c->title.n && i < c->world_count; i++)
        title = arena_printf(&c->keep, "%.*s%s%.*s", STR_ARG(title),
                             !i                        ? ""
                             : i + 1 == c->world_count ? " and "
                                                       : ", ",
                             STR_ARG(c->worlds[i].name));
    json_put_str(b, title);
    buf_str_put(b, STR(",\"for\":\""));
    told_period(for_ns, b);
    buf_printf(b, "\",\"replications\":%d", a->replications);
    if (a->level > 0) buf_printf(b, ",\"level\":%.17g", a->level);
    for (bool first = true; names.n; first = false) {
        buf_str_put(b, first ? STR(",\"kpis\":[") : STR(","));
        json_put_str(b, str_cut(&names, ','));
        if (!names.n) buf_byte(b, ']');
    }
    buf_str_put(b, STR(",\"cases\":["));
    for (int32_t i = 0; i < c->world_count; i++) {
        if (i) buf_byte(b, ',');
        put_case(c, s, &c->worlds[i], b);
    }
    buf_str_put(b, STR("]}"));
}

// As long as the first that ran.
static Err length_of(const Compare *c, const SosiaCompare *a, int64_t *out, SosiaOut *message) {
    *out = a->for_ns;
    for (int32_t i = 0; *out <= 0 && i < c->world_count; i++)
        if (c->worlds[i].kpis) *out = c->worlds[i].now_ns - c->worlds[i].begin_ns;
    if (*out > 0) return ERR_OK;
    return say(message, ERR_ARGUMENT, "none of these worlds has been run: say how long each is to run, \"for\"");
}

SosiaErr sosia_compare_many(Sosia *s, const SosiaCaller *who, const SosiaCompare *a, SosiaOut *out) {
    Compare c = {0};
    Buf ask = {0};
    int64_t for_ns = 0;
    buf_reset(&out->body);
    buf_reset(&out->message);
    arena_init(&c.keep, 0);
    Err err = gather(&c, s, a, out);
    if (!err && a->replications < 1) err = say(out, ERR_ARGUMENT, "say how many replications, from 1 on");
    if (!err) err = length_of(&c, a, &for_ns, out);
    if (!err) put_ask(&c, s, a, for_ns, &ask);
    if (!err) err = (Err)sosia_ensemble(s, who, c.worlds[0].name, buf_str(&ask), out);
    if (err && !out->message.n) buf_str_put(&out->message, str_of(err_text(err)));
    buf_free(&ask);
    compare_free(&c);
    return (SosiaErr)err;
}

SosiaErr sosia_compare(Sosia *s, const SosiaCaller *who, const SosiaCompare *a, SosiaOut *out) {
    Compare c = {0};
    (void)who;
    buf_reset(&out->body);
    buf_reset(&out->message);
    arena_init(&c.keep, 0);
    Err err = gather(&c, s, a, out);
    if (!err && a->format == SOSIA_COMPARE_HTML) compare_page(&c, &out->body);
    else if (!err && a->format == SOSIA_COMPARE_SVG) compare_svg(&c, &out->body);
    else if (!err) compare_json(&c, &out->body);
    if (!err && out->body.full) err = say(out, ERR_LIMIT, "the comparison is too large: ask for fewer KPIs");
    if (err && !out->message.n) buf_str_put(&out->message, str_of(err_text(err)));
    compare_free(&c);
    return (SosiaErr)err;
}
