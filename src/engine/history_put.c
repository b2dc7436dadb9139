// SPDX-License-Identifier: Apache-2.0
// A page as text. Rows are in order; the first x->page.limit of them are told.
//
//   JSON     {"value":[{"time","property","value"}...],"properties":{"temperature":{"schema","unit"}}}
//   CSV      RFC 4180: time,property,value[,arrival][,source]; without a value the field is empty, an empty text is ""
//   COLUMNS  a line a property: {"property","schema","unit","timeUnit":"ns","time":[...],"value":[...]}
#include "engine/history_ask.h"
#include "base/time.h"

// The precision of the REST dialect, and all there is when that is more.
static void put_time(int64_t ns, Buf *b) { time_print(ns, ns % 100 ? 9 : 7, b); }

static void put_member_time(const char *name, int64_t ns, Buf *b) {
    buf_printf(b, ",\"%s\":\"", name);
    put_time(ns, b);
    buf_byte(b, '"');
}

static void put_value(const AggValue *v, Buf *b) {
    switch (v->type) {
    case AGG_NONE: buf_str_put(b, STR("null")); break;
    case AGG_BOOL: buf_str_put(b, v->i ? STR("true") : STR("false")); break;
    case AGG_INT: json_put_i64(b, v->i); break;
    case AGG_REAL: json_put_f64(b, v->d); break;
    case AGG_TEXT: json_put_str(b, v->s); break;
    case AGG_DOC: buf_str_put(b, v->s); break;
    }
}

static int64_t shown(const HistAsk *x) { return x->page.count < x->page.limit ? x->page.count : x->page.limit; }

static bool is_steps(const HistAsk *x) { return x->plan.count > 0; }

// ---- JSON ---------------------------------------------------------------------------------------------------------

static void put_duration(int64_t ns, Buf *b) {
    if (ns % (3600 * NS_PER_S) == 0) buf_printf(b, "PT%lldH", (long long)(ns / (3600 * NS_PER_S)));
    else if (ns % (60 * NS_PER_S) == 0) buf_printf(b, "PT%lldM", (long long)(ns / (60 * NS_PER_S)));
    else buf_printf(b, "PT%gS", (double)ns / (double)NS_PER_S);
}

static void put_real(const char *name, double d, Buf *b) {
    buf_printf(b, ",\"%s\":", name);
    json_put_f64(b, d);
}

static void put_json_mean(const HistoryMean *m, Buf *b) {
    put_real("min", m->min, b);
    put_real("max", m->max, b);
    buf_printf(b, ",\"count\":%lld,\"downsampled\":\"", (long long)m->count);
    put_duration(m->step_ns, b);
    buf_byte(b, '"');
}

static void put_json_row(const HistAsk *x, const HistRow *r, Buf *b) {
    buf_str_put(b, STR("{\"time\":\""));
    put_time(r->own, b);
    buf_str_put(b, STR("\",\"property\":"));
    json_put_str(b, x->props[r->key.prop].path);
    for (int32_t i = 0; r->kind == HIST_INTERVAL && i < x->plan.count; i++) {
        buf_printf(b, ",\"%.*s\":", STR_ARG(x->plan.fns[i].name));
        put_value(&r->results[i], b);
    }
    if (r->kind != HIST_INTERVAL) {
        buf_str_put(b, STR(",\"value\":"));
        put_value(&r->value, b);
    }
    if (r->kind == HIST_MEAN) put_json_mean(&r->mean, b);
    if (r->kind == HIST_VALUE && x->h->arrival) {
        put_member_time("arrival", r->arrival, b);
        if (r->late) buf_str_put(b, STR(",\"late\":true"));
    }
    if (r->kind == HIST_VALUE && x->h->sources) {
        buf_str_put(b, STR(",\"source\":"));
        json_put_str(b, r->source);
    }
    buf_byte(b, '}');
}

static void put_about(const HistProp *p, Buf *b) {
    buf_str_put(b, STR("\"schema\":"));
    json_put_str(b, p->schema);
    if (!p->unit.n) return;
    buf_str_put(b, STR(",\"unit\":"));
    json_put_str(b, p->unit);
}

static void put_json(HistAsk *x, Buf *b) {
    buf_str_put(b, STR("{\"value\":["));
    for (int64_t i = 0; i < shown(x); i++) {
        if (i) buf_byte(b, ',');
        put_json_row(x, &x->page.rows[i], b);
    }
    buf_str_put(b, STR("],\"properties\":{"));
    for (int32_t i = 0; i < x->prop_count; i++) {
        if (i) buf_byte(b, ',');
        json_put_str(b, x->props[i].path);
        buf_str_put(b, STR(":{"));
        put_about(&x->props[i], b);
        buf_byte(b, '}');
    }
    buf_byte(b, '}');
    if (x->downsampled) {
        buf_str_put(b, STR(",\"downsampled\":true"));
        put_member_time("singleValuesFrom", x->kept_from, b);
    }
    buf_byte(b, '}');
}

// ---- CSV ----------------------------------------------------------------------------------------------------------

static void put_field(Str s, Buf *b) {
    bool plain = s.n > 0 && str_trim(s).n == s.n;
    for (int64_t i = 0; plain && i < s.n; i++)
        plain = s.p[i] != ',' && s.p[i] != '"' && s.p[i] != '\n' && s.p[i] != '\r';
    if (plain) {
        buf_str_put(b, s);
        return;
    }
    buf_byte(b, '"');
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') buf_byte(b, '"');
        buf_byte(b, s.p[i]);
    }
    buf_byte(b, '"');
}

static void put_csv_value(const AggValue *v, Buf *b) {
    if (v->type == AGG_NONE) return;
    if (v->type == AGG_TEXT || v->type == AGG_DOC) put_field(v->s, b);
    else put_value(v, b);
}

static void put_csv_head(const HistAsk *x, Buf *b) {
    buf_str_put(b, STR("time,property"));
    for (int32_t i = 0; i < x->plan.count; i++) buf_printf(b, ",%.*s", STR_ARG(x->plan.fns[i].name));
    if (!is_steps(x)) buf_str_put(b, STR(",value"));
    if (!is_steps(x) && x->h->arrival) buf_str_put(b, STR(",arrival,late"));
    if (!is_steps(x) && x->h->sources) buf_str_put(b, STR(",source"));
    buf_str_put(b, STR("\r\n"));
}

static void put_csv_row(const HistAsk *x, const HistRow *r, Buf *b) {
    put_time(r->own, b);
    buf_byte(b, ',');
    put_field(x->props[r->key.prop].path, b);
    for (int32_t i = 0; i < x->plan.count; i++) {
        buf_byte(b, ',');
        put_csv_value(&r->results[i], b);
    }
    if (!is_steps(x)) {
        buf_byte(b, ',');
        put_csv_value(&r->value, b);
    }
    if (!is_steps(x) && x->h->arrival) {
        buf_byte(b, ',');
        if (r->kind == HIST_VALUE) put_time(r->arrival, b);
        buf_str_put(b, r->late ? STR(",true") : STR(",false"));
    }
    if (!is_steps(x) && x->h->sources) {
        buf_byte(b, ',');
        put_field(r->source, b);
    }
    buf_str_put(b, STR("\r\n"));
}

static void put_csv(HistAsk *x, Buf *b) {
    if (!x->resumed) put_csv_head(x, b);
    for (int64_t i = 0; i < shown(x); i++) put_csv_row(x, &x->page.rows[i], b);
}

// ---- columns ------------------------------------------------------------------------------------------------------

typedef void (*CellFn)(const HistAsk *x, const HistRow *r, int32_t k, Buf *b);

static void cell_time(const HistAsk *x, const HistRow *r, int32_t k, Buf *b) {
    (void)x, (void)k;
    json_put_i64(b, r->own);
}

static void cell_value(const HistAsk *x, const HistRow *r, int32_t k, Buf *b) {
    (void)x, (void)k;
    put_value(&r->value, b);
}

static void cell_result(const HistAsk *x, const HistRow *r, int32_t k, Buf *b) {
    (void)x;
    put_value(&r->results[k], b);
}

static void cell_arrival(const HistAsk *x, const HistRow *r, int32_t k, Buf *b) {
    (void)x, (void)k;
    if (r->kind == HIST_VALUE) json_put_i64(b, r->arrival);
    else buf_str_put(b, STR("null"));
}

static void cell_late(const HistAsk *x, const HistRow *r, int32_t k, Buf *b) {
    (void)x, (void)k;
    buf_str_put(b, r->late ? STR("true") : STR("false"));
}

static void cell_source(const HistAsk *x, const HistRow *r, int32_t k, Buf *b) {
    (void)x, (void)k;
    json_put_str(b, r->source);
}

static void put_column(HistAsk *x, uint64_t prop, Str name, CellFn fn, int32_t k, Buf *b) {
    char comma = 0;
    buf_byte(b, ',');
    json_put_str(b, name);
    buf_str_put(b, STR(":["));
    for (int64_t i = 0; i < shown(x); i++) {
        if (x->page.rows[i].key.prop != prop) continue;
        if (comma) buf_byte(b, comma);
        comma = ',';
        fn(x, &x->page.rows[i], k, b);
    }
    buf_byte(b, ']');
}

static void put_columns_of(HistAsk *x, uint64_t prop, Buf *b) {
    buf_str_put(b, STR("{\"property\":"));
    json_put_str(b, x->props[prop].path);
    buf_byte(b, ',');
    put_about(&x->props[prop], b);
    buf_str_put(b, STR(",\"timeUnit\":\"ns\""));
    put_column(x, prop, STR("time"), cell_time, 0, b);
    for (int32_t i = 0; i < x->plan.count; i++) put_column(x, prop, x->plan.fns[i].name, cell_result, i, b);
    if (!is_steps(x)) {
        put_column(x, prop, STR("value"), cell_value, 0, b);
        if (x->h->arrival) put_column(x, prop, STR("arrival"), cell_arrival, 0, b);
        if (x->h->arrival) put_column(x, prop, STR("late"), cell_late, 0, b);
        if (x->h->sources) put_column(x, prop, STR("source"), cell_source, 0, b);
    }
    buf_str_put(b, STR("}\n"));
}

static void put_columns(HistAsk *x, Buf *b) {
    int64_t *rows = NEW(&x->arena, int64_t, x->prop_count + 1);
    for (int64_t i = 0; i < shown(x); i++) rows[x->page.rows[i].key.prop]++;
    for (int32_t i = 0; i < x->prop_count; i++)
        if (rows[i]) put_columns_of(x, (uint64_t)i, b);
}

void hist_put(HistAsk *x) {
    switch (x->h->format) {
    case SOSIA_HISTORY_CSV: put_csv(x, &x->out->body); break;
    case SOSIA_HISTORY_COLUMNS: put_columns(x, &x->out->body); break;
    default: put_json(x, &x->out->body); break;
    }
}
