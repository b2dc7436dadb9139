// SPDX-License-Identifier: Apache-2.0
#include "engine/kpi.h"
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

#define NO_WATCH UINT32_MAX
#define KEEP_VERSION 1

// ---- names --------------------------------------------------------------------------------------------------------

// The next name of a list, which moves on; "" at its end.
static Str next_name(Str *list) {
    int64_t n = 0;
    while (n < list->n && list->p[n] != ',') n++;
    Str name = str_sub(*list, 0, n);
    *list = str_sub(*list, n < list->n ? n + 1 : n, list->n);
    return name;
}

bool kpi_named(Str names, Str name) {
    if (!names.n) return true;
    while (names.n) {
        if (str_eq(next_name(&names), name)) return true;
    }
    return false;
}

Err kpis_check(const View *v, Str names, Diag *d) {
    while (names.n) {
        Str name = next_name(&names);
        if (name.n && !catalog_doc(v->catalog, KPIS_COLLECTION, name))
            return diag_add(d, ERR_ARGUMENT, -1, -1, name, "there is no KPI \"%.*s\"", STR_ARG(name));
    }
    return ERR_OK;
}

// ---- making -------------------------------------------------------------------------------------------------------

static KpiSum nothing(void) { return (KpiSum){.least = (double)NAN, .most = (double)NAN}; }

static Kpis *blank(int32_t count) {
    Kpis *k = mem_alloc(sizeof *k);
    arena_init(&k->keep, 0);
    k->rows = NEW(&k->keep, KpiRow, count + 1);
    k->stride = 1;
    k->points_max = KPI_POINTS_ALL_MAX / (count ? count : 1);
    if (k->points_max > KPI_POINTS_MAX) k->points_max = KPI_POINTS_MAX;
    k->times = NEW(&k->keep, int64_t, k->points_max + 1);
    return k;
}

void kpis_free(Kpis *k) {
    if (!k) return;
    arena_free(&k->keep);
    mem_free(k);
}

// Read the definition; texts live as long as the Kpis.
static Err row_of(Kpis *k, Str name, Str json, KpiRow *row, Diag *d) {
    Json v;
    *row = (KpiRow){.json = arena_str(&k->keep, json), .watch = NO_WATCH, .factor = 1, .now = (double)NAN};
    row->before = row->total = nothing();
    TRY(json_parse(row->json, NULL, &k->keep, &v, d));
    TRY(kpi_of(&v, arena_str(&k->keep, name), &row->k, d));
    row->unit = row->k.unit;
    row->values = NEW(&k->keep, double, k->points_max + 1);
    return ERR_OK;
}

static Err watch(View *v, Rates *r, KpiRow *row, Diag *d) {
    RatesAsk ask = {.name = row->k.name,
                    .twin = view_find_twin(v, row->k.twin).v,
                    .text = row->k.expression,
                    .unit = row->k.unit,
                    .integral = row->k.over == KPI_INTEGRAL,
                    .extremes = row->k.over == KPI_MIN || row->k.over == KPI_MAX,
                    .present = row->k.over == KPI_LAST};
    uint32_t number = rates_watches(r);
    if (!ask.twin)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, row->k.name, "KPI %.*s: there is no twin \"%.*s\"",
                        STR_ARG(row->k.name), STR_ARG(row->k.twin));
    TRY(rates_watch(r, &ask, d));
    row->watch = number;
    return ERR_OK;
}

// All are watched, whoever is asked for: the Sim is the same then.
static Err make_row(Kpis *k, View *v, Rates *r, const Doc *doc, bool named, bool wanted, Diag *d) {
    KpiRow row;
    Diag own;
    diag_init(&own);
    Err err = row_of(k, doc->name, doc->json, &row, &own);
    if (!err) err = watch(v, r, &row, &own);
    if (err && own.count) row.why = arena_str(&k->keep, own.messages[0].text);
    if (err && named && wanted && own.count)
        err = diag_add(d, err, -1, -1, doc->name, "%.*s", STR_ARG(own.messages[0].text));
    else err = ERR_OK;
    diag_free(&own);
    if (!row.why.n) {
        const RatesMeasure *m = rates_measure(r, row.watch);
        row.unit = arena_str(&k->keep, m->unit);
        row.factor = m->factor;
        row.offset = m->offset;
    }
    if (wanted) k->rows[k->count++] = row;
    return err;
}

static Err make(View *v, Rates *r, Str names, bool only, Kpis **out, Diag *d) {
    int32_t count, first = catalog_docs(v->catalog, KPIS_COLLECTION, &count);
    TRY(kpis_check(v, names, d));
    Kpis *k = blank(count);
    for (int32_t i = first; i < first + count; i++) {
        const Doc *doc = v->catalog->docs[i];
        if (only && !kpi_named(names, doc->name)) continue;
        Err err = make_row(k, v, r, doc, names.n > 0, kpi_named(names, doc->name), d);
        if (!err) continue;
        kpis_free(k);
        return err;
    }
    *out = k;
    return ERR_OK;
}

Err kpis_make(View *v, Rates *r, Str names, Kpis **out, Diag *d) { return make(v, r, names, false, out, d); }

Err kpis_make_only(View *v, Rates *r, Str names, Kpis **out, Diag *d) { return make(v, r, names, true, out, d); }

static KpiRow *same_row(const Kpis *k, const KpiRow *as) {
    for (int32_t i = 0; i < k->count; i++) {
        if (str_eq(k->rows[i].k.name, as->k.name) && str_eq(k->rows[i].json, as->json)) return &k->rows[i];
    }
    return NULL;
}

static void thin(Kpis *k) {
    for (int32_t i = 0; 2 * i < k->points; i++) {
        k->times[i] = k->times[2 * i];
        for (int32_t r = 0; r < k->count; r++) k->rows[r].values[i] = k->rows[r].values[2 * i];
    }
    k->points = (k->points + 1) / 2;
    k->stride *= 2;
}

void kpis_carry(Kpis *k, const Kpis *old, bool again) {
    k->begin_ns = old->begin_ns;
    k->now_ns = old->now_ns;
    k->looks = old->looks;
    k->stride = old->stride;
    int32_t every = 1; // of old points, where there is less room now
    while (old->points / every >= k->points_max) every *= 2;
    k->stride *= every;
    k->points = (old->points + every - 1) / every;
    for (int32_t i = 0; i < k->points; i++) k->times[i] = old->times[i * every];
    for (int32_t r = 0; r < k->count; r++) {
        KpiRow *row = &k->rows[r];
        const KpiRow *was = same_row(old, row);
        for (int32_t i = 0; i < k->points; i++) row->values[i] = was ? was->values[i * every] : (double)NAN;
        if (!was || was->watch == NO_WATCH) continue;
        row->since_ns = was->since_ns;
        row->before = again ? was->before : was->total;
        row->total = was->total;
    }
}

bool kpis_forget(Kpis *k, Str twin) {
    int32_t kept = 0, before = k->count;
    for (int32_t i = 0; i < before; i++) {
        if (!str_eq(k->rows[i].k.twin, twin)) k->rows[kept++] = k->rows[i];
    }
    k->count = kept;
    return kept < before;
}

// ---- looking ------------------------------------------------------------------------------------------------------

static KpiSum joined(const KpiSum *a, const RatesWatched *b) {
    KpiSum s = {a->sum + b->sum, a->known + b->known, a->least, a->most};
    if (!(s.least <= b->least)) s.least = b->least;
    if (!(s.most >= b->most)) s.most = b->most;
    if (!(b->least == b->least)) s.least = a->least, s.most = a->most;
    return s;
}

double kpi_value(const KpiRow *row) {
    if (row->watch == NO_WATCH) return (double)NAN;
    const KpiSum *t = &row->total;
    double v = row->now;
    switch (row->k.over) {
    case KPI_LAST: break;
    case KPI_MEAN: v = t->known > 0 ? t->sum / t->known : row->now; break;
    case KPI_MIN: v = t->least; break;
    case KPI_MAX: v = t->most; break;
    case KPI_INTEGRAL: v = t->known > 0 || row->now == row->now ? t->sum : (double)NAN; break;
    }
    return (v - row->offset) / row->factor;
}

double kpi_known(const KpiRow *row) { return row->total.known; }

static void add_point(Kpis *k) {
    if (k->points && k->times[k->points - 1] >= k->now_ns) return;
    if (k->points == k->points_max) thin(k);
    k->times[k->points] = k->now_ns;
    for (int32_t i = 0; i < k->count; i++) k->rows[i].values[k->points] = kpi_value(&k->rows[i]);
    k->points++;
}

void kpis_look(Kpis *k, const Rates *r, const Sim *s, int64_t now_ns, bool point) {
    k->now_ns = now_ns;
    if (!k->begin_ns) k->begin_ns = now_ns;
    for (int32_t i = 0; i < k->count; i++) {
        KpiRow *row = &k->rows[i];
        RatesWatched w;
        if (!row->since_ns) row->since_ns = now_ns;
        if (row->watch == NO_WATCH) continue;
        rates_watched(r, s, row->watch, 0, &w);
        row->now = w.now;
        row->total = joined(&row->before, &w);
    }
    if (point && k->looks++ % k->stride == 0) add_point(k);
}

// ---- bytes --------------------------------------------------------------------------------------------------------

static void put_text(Buf *b, Str s) {
    buf_varint(b, (uint64_t)s.n);
    buf_str_put(b, s);
}

static void put_sum(Buf *b, const KpiSum *s) {
    const double all[] = {s->sum, s->known, s->least, s->most};
    for (size_t i = 0; i < 4; i++) buf_u64(b, bits_of(all[i]));
}

void kpis_encode(const Kpis *k, Buf *b) {
    buf_byte(b, KEEP_VERSION);
    buf_byte(b, (char)k->state);
    buf_varint(b, k->number);
    const int64_t numbers[] = {k->begin_ns, k->now_ns, k->until_ns, k->looks, k->stride, k->points, k->count};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) buf_varint_signed(b, numbers[i]);
    put_text(b, k->changes);
    for (int32_t i = 0; i < k->points; i++) buf_varint_signed(b, k->times[i] - (i ? k->times[i - 1] : 0));
    for (int32_t r = 0; r < k->count; r++) {
        const KpiRow *row = &k->rows[r];
        put_text(b, row->k.name);
        put_text(b, row->json);
        put_text(b, row->unit);
        put_text(b, row->why);
        buf_varint_signed(b, row->since_ns);
        buf_byte(b, row->watch != NO_WATCH);
        buf_u64(b, bits_of(row->factor));
        buf_u64(b, bits_of(row->offset));
        buf_u64(b, bits_of(row->now));
        put_sum(b, &row->before);
        put_sum(b, &row->total);
        for (int32_t i = 0; i < k->points; i++) buf_u64(b, bits_of(row->values[i]));
    }
}

static Str cut_text(Cut *c) {
    uint64_t n = cut_varint(c);
    return n > (uint64_t)(c->end - c->p) ? (c->bad = true, (Str){0}) : cut_bytes(c, (int64_t)n);
}

static KpiSum cut_sum(Cut *c) {
    double all[4];
    for (size_t i = 0; i < 4; i++) all[i] = double_of(cut_u64(c));
    return (KpiSum){all[0], all[1], all[2], all[3]};
}

static bool cut_row(Kpis *k, Cut *c, KpiRow *row) {
    Str name = cut_text(c), json = cut_text(c);
    if (c->bad || row_of(k, name, json, row, NULL) != ERR_OK) return false;
    row->unit = arena_str(&k->keep, cut_text(c));
    row->why = arena_str(&k->keep, cut_text(c));
    row->since_ns = cut_varint_signed(c);
    row->watch = cut_byte(c) ? 0 : NO_WATCH;
    row->factor = double_of(cut_u64(c));
    row->offset = double_of(cut_u64(c));
    row->now = double_of(cut_u64(c));
    row->before = cut_sum(c);
    row->total = cut_sum(c);
    for (int32_t i = 0; i < k->points; i++) row->values[i] = double_of(cut_u64(c));
    return !c->bad;
}

Kpis *kpis_decode(Str bytes) {
    Cut c = cut_of(bytes);
    int64_t n[7] = {0};
    bool ok = cut_byte(&c) == KEEP_VERSION;
    int state = cut_byte(&c);
    uint64_t number = cut_varint(&c);
    for (size_t i = 0; i < 7; i++) n[i] = cut_varint_signed(&c);
    Str changes = cut_text(&c);
    ok = ok && !c.bad && n[6] >= 0 && n[6] <= DEFINITIONS_MAX && n[5] >= 0 && n[5] <= KPI_POINTS_MAX && n[4] > 0;
    if (!ok) return NULL;
    Kpis *k = blank((int32_t)n[6]);
    k->state = state;
    k->number = number;
    k->begin_ns = n[0];
    k->now_ns = n[1];
    k->until_ns = n[2];
    k->looks = n[3];
    k->stride = n[4];
    k->changes = arena_str(&k->keep, changes);
    if (n[5] > k->points_max) { // written with fewer KPIs, as some were forgotten
        k->points_max = KPI_POINTS_MAX;
        k->times = NEW(&k->keep, int64_t, k->points_max + 1);
    }
    k->points = (int32_t)n[5];
    for (int32_t i = 0; i < k->points; i++)
        k->times[i] = (int64_t)((uint64_t)cut_varint_signed(&c) + (i ? (uint64_t)k->times[i - 1] : 0));
    for (; ok && k->count < n[6]; k->count++) ok = cut_row(k, &c, &k->rows[k->count]);
    if (ok && !c.bad && c.p == c.end) return k;
    kpis_free(k);
    return NULL;
}

// ---- JSON ---------------------------------------------------------------------------------------------------------

static const char *const overs[] = {"last", "mean", "min", "max", "integral"};

static void put_member(Buf *b, const char *name, Str value) {
    if (!value.n) return;
    buf_printf(b, ",\"%s\":", name);
    json_put_str(b, value);
}

static void put_number(Buf *b, double v) {
    if (isfinite(v)) json_put_f64(b, v);
    else buf_str_put(b, STR("null"));
}

// Every so many of the points, so that there are at most `most` with the present one.
static int32_t every_of(const Kpis *k, int32_t most) {
    int32_t every = 1;
    while ((k->points + every - 1) / every + 1 > most && every < k->points) every++;
    return every;
}

void kpi_show_series(const Kpis *k, const KpiRow *row, int32_t most, Buf *b) {
    int32_t every = every_of(k, most), last = k->points ? (k->points - 1) / every * every : 0;
    bool later = k->points == 0 || k->times[last] < k->now_ns;
    buf_str_put(b, STR(",\"times\":["));
    for (int32_t i = 0; i < k->points; i += every) {
        buf_str_put(b, i ? STR(",\"") : STR("\""));
        time_print(k->times[i], 7, b);
        buf_byte(b, '"');
    }
    if (later) {
        buf_str_put(b, k->points ? STR(",\"") : STR("\""));
        time_print(k->now_ns, 7, b);
        buf_byte(b, '"');
    }
    buf_str_put(b, STR("],\"values\":["));
    for (int32_t i = 0; i < k->points; i += every) {
        if (i) buf_byte(b, ',');
        put_number(b, row->values[i]);
    }
    if (later && k->points) buf_byte(b, ',');
    if (later) put_number(b, kpi_value(row));
    buf_byte(b, ']');
}

void kpi_show_head(const KpiRow *row, Buf *b) {
    const Unit *u = unit_find(row->unit);
    buf_str_put(b, STR("{\"name\":"));
    json_put_str(b, row->k.name);
    put_member(b, "title", row->k.title);
    put_member(b, "unit", row->unit);
    if (u) put_member(b, "symbol", str_of(u->symbol));
    put_member(b, "of", row->k.of);
    put_member(b, "twin", row->k.twin);
    put_member(b, "expression", row->k.expression);
    buf_printf(b, ",\"over\":\"%s\"", overs[row->k.over]);
    if (row->k.better) buf_printf(b, ",\"better\":\"%s\"", row->k.better > 0 ? "more" : "less");
}

static void put_row(const Kpis *k, const KpiRow *row, int32_t points, Buf *b) {
    kpi_show_head(row, b);
    buf_str_put(b, STR(",\"value\":"));
    put_number(b, kpi_value(row));
    buf_str_put(b, STR(",\"known\":"));
    put_number(b, row->total.known);
    if (row->since_ns > k->begin_ns) {
        buf_str_put(b, STR(",\"from\":\""));
        time_print(row->since_ns, 7, b);
        buf_byte(b, '"');
    }
    put_member(b, "error", row->why);
    if (points) kpi_show_series(k, row, points, b);
    buf_byte(b, '}');
}

void kpis_show(const Kpis *k, Str names, int32_t points, Buf *b) {
    bool any = false;
    buf_byte(b, '[');
    for (int32_t i = 0; i < k->count; i++) {
        if (!kpi_named(names, k->rows[i].k.name)) continue;
        if (any) buf_byte(b, ',');
        put_row(k, &k->rows[i], points, b);
        any = true;
    }
    buf_byte(b, ']');
}
