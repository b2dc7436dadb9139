// SPDX-License-Identifier: Apache-2.0
#include "query/rows.h"
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"

__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 UWide;

// ---- values -------------------------------------------------------------------------------------------------------

// Place of a type in the order; I64 and F64 share one. ORDER EXPR_TYPE
static int rank(ExprType t) {
    static const int ranks[] = {0, 1, 2, 3, 3, 4, 5, 6, 7, 8};
    CHECK((unsigned)t < sizeof ranks / sizeof *ranks);
    return ranks[t];
}

static int order_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }
static int order_f64(double a, double b) { return (a > b) - (a < b); }

// Exact, also where no double equals the integer.
static int order_mixed(int64_t a, double b) {
    if (b >= 0x1p63) return -1;
    if (b < -0x1p63) return 1;
    int64_t whole = (int64_t)b;
    return a != whole ? order_i64(a, whole) : order_f64(0, b - (double)whole);
}

static int order_numbers(const ExprValue *a, const ExprValue *b) {
    if (a->type == EXPR_I64) return b->type == EXPR_I64 ? order_i64(a->i, b->i) : order_mixed(a->i, b->d);
    return b->type == EXPR_I64 ? -order_mixed(b->i, a->d) : order_f64(a->d, b->d);
}

static int order_bytes(Str a, Str b) {
    int c = str_cmp(a, b);
    return (c > 0) - (c < 0);
}

int query_value_order(const ExprValue *a, const ExprValue *b) {
    int x = rank(a->type), y = rank(b->type);
    if (x != y) return x < y ? -1 : 1;
    switch (a->type) {
    case EXPR_BOOL: return (int)a->b - (int)b->b;
    case EXPR_I64:
    case EXPR_F64: return order_numbers(a, b);
    case EXPR_STR:
    case EXPR_DOC: return order_bytes(a->s, b->s);
    case EXPR_TIME:
    case EXPR_DURATION: return order_i64(a->i, b->i);
    case EXPR_POINT: {
        int lon = order_f64(a->point.lon, b->point.lon);
        return lon ? lon : order_f64(a->point.lat, b->point.lat);
    }
    default: return 0;
    }
}

ExprValue query_value_plain(ExprValue v) {
    if (v.type == EXPR_POINT) { // -0.0 + 0.0 is 0.0
        v.point.lon += 0.0;
        v.point.lat += 0.0;
    }
    if (v.type != EXPR_F64 || v.d < -0x1p63 || v.d >= 0x1p63) return v;
    int64_t whole = (int64_t)v.d;
    double back = (double)whole;
    return back < v.d || back > v.d ? v : (ExprValue){.type = EXPR_I64, .i = whole};
}

ExprValue query_value_keep(Arena *a, ExprValue v) {
    if (v.type == EXPR_STR || v.type == EXPR_DOC) v.s = arena_str(a, v.s);
    return v;
}

// ---- aggregates ---------------------------------------------------------------------------------------------------

static Wide whole_of(const QueryAggState *s) { return (Wide)(((UWide)(uint64_t)s->high << 64) | (UWide)s->low); }

static void add_whole(QueryAggState *s, Wide v) {
    UWide sum = (UWide)whole_of(s) + (UWide)v;
    s->high = (int64_t)(uint64_t)(sum >> 64);
    s->low = (uint64_t)sum;
}

// Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974).
static void add_real(QueryAggState *s, double v) {
    double sum = s->sum + v;
    s->lost += fabs(s->sum) >= fabs(v) ? (s->sum - sum) + v : (v - sum) + s->sum;
    s->sum = sum;
    s->real = true;
}

static void keep_number(QueryAggState *s, double v) {
    if (s->count == s->number_cap) {
        s->number_cap = s->number_cap ? 2 * s->number_cap : 16;
        s->numbers = mem_grow(s->numbers, (size_t)s->number_cap * sizeof(double));
    }
    s->numbers[s->count] = v;
}

// v is the best so far. Its text moves into the state.
static void keep_best(QueryAggState *s, ExprValue v) {
    if (v.type == EXPR_STR || v.type == EXPR_DOC) {
        if (v.s.n > s->text_cap) {
            s->text_cap = v.s.n + 32;
            s->text = mem_grow(s->text, (size_t)s->text_cap);
        }
        if (v.s.n) memcpy(s->text, v.s.p, (size_t)v.s.n);
        v.s.p = s->text;
    }
    s->best = v;
}

static void add_best(QueryAggState *s, QueryAgg agg, const ExprValue *v) {
    int c = s->count ? query_value_order(v, &s->best) : 0;
    if (s->count == 0 || (agg == AGG_MIN ? c < 0 : c > 0)) keep_best(s, query_value_plain(*v));
}

static bool is_number(const ExprValue *v) { return v->type == EXPR_I64 || v->type == EXPR_F64; }

void query_agg_add(const QueryColumn *c, QueryAggState *s, const ExprValue *v) {
    if (v && v->type <= EXPR_NULL) return;
    switch (c->agg) {
    case AGG_COUNT: break;
    case AGG_SUM:
    case AGG_AVG:
        if (!v || !is_number(v)) return;
        if (v->type == EXPR_I64) add_whole(s, v->i);
        else add_real(s, v->d);
        break;
    case AGG_PERCENTILE:
        if (!v || !is_number(v)) return;
        keep_number(s, v->type == EXPR_I64 ? (double)v->i : v->d);
        break;
    case AGG_MIN:
    case AGG_MAX:
        if (!v) return;
        add_best(s, c->agg, v);
        break;
    case AGG_NONE: return;
    }
    s->count++;
}

void query_agg_add_doubles(QueryAggState *s, const double *v, int64_t n) {
    QueryAggState at = *s; // in registers
    for (int64_t i = 0; i < n; i++) add_real(&at, v[i]);
    s->sum = at.sum;
    s->lost = at.lost;
    s->real |= n > 0;
    s->count += n;
}

void query_agg_merge(const QueryColumn *c, QueryAggState *s, const QueryAggState *from) {
    if (from->count == 0) return;
    add_whole(s, whole_of(from));
    if (from->real) {
        add_real(s, from->sum);
        s->lost += from->lost;
    }
    if (c->agg == AGG_MIN || c->agg == AGG_MAX) add_best(s, c->agg, &from->best);
    if (c->agg == AGG_PERCENTILE) {
        for (int64_t i = 0; i < from->count; i++, s->count++) keep_number(s, from->numbers[i]);
        return;
    }
    s->count += from->count;
}

static ExprValue number(double d) {
    return isfinite(d) ? (ExprValue){.type = EXPR_F64, .d = d} : (ExprValue){.type = EXPR_UNDEFINED};
}

static ExprValue sum_of(const QueryAggState *s) {
    Wide whole = whole_of(s);
    if (s->real) return number((double)whole + (s->sum + s->lost));
    if (whole < INT64_MIN || whole > INT64_MAX) return number((double)whole);
    return (ExprValue){.type = EXPR_I64, .i = (int64_t)whole};
}

static ExprValue average_of(const QueryAggState *s) {
    double sum = (double)whole_of(s) + (s->sum + s->lost);
    return number(sum / (double)s->count);
}

static int by_number(const void *a, const void *b) { return order_f64(*(const double *)a, *(const double *)b); }

// Linear interpolation between the closest ranks of the sorted numbers: rank p/100 * (n - 1), from 0.
static ExprValue percentile_of(QueryAggState *s, double percent) {
    qsort(s->numbers, (size_t)s->count, sizeof(double), by_number);
    double at = (double)(s->count - 1) * percent / 100;
    int64_t below = (int64_t)at;
    if (below >= s->count - 1) return number(s->numbers[s->count - 1] + 0.0);
    double part = at - (double)below, low = s->numbers[below], high = s->numbers[below + 1];
    double between = low + (high - low) * part;
    return number(isfinite(between) ? between + 0.0 : low * (1 - part) + high * part);
}

ExprValue query_agg_value(const QueryColumn *c, QueryAggState *s) {
    if (c->agg == AGG_COUNT) return (ExprValue){.type = EXPR_I64, .i = s->count};
    if (c->agg == AGG_SUM) return sum_of(s);
    if (s->count == 0) return (ExprValue){.type = EXPR_UNDEFINED};
    if (c->agg == AGG_AVG) return average_of(s);
    if (c->agg == AGG_PERCENTILE) return percentile_of(s, c->percent);
    return s->best;
}

int64_t query_agg_bytes(const QueryAggState *s) { return s->text_cap + s->number_cap * (int64_t)sizeof(double); }

void query_agg_free(QueryAggState *s) {
    mem_free(s->text);
    mem_free(s->numbers);
    *s = (QueryAggState){0};
}

// ---- a row as JSON ------------------------------------------------------------------------------------------------

// What one row is made from.
typedef struct Sheet {
    const Query *q;
    View *v;
    const ShowOptions *show;
    const QueryRow *row;
    Buf *out;
} Sheet;

static void put_whole(const Sheet *s, int32_t alias) {
    uint64_t id = s->row->at[alias].id;
    if (s->q->aliases[alias].kind == EXPR_TWIN) show_twin(s->v, (TwinId){id}, s->show, s->out);
    else show_link(s->v, (LinkId){id}, s->out);
}

static void put_twin_name(const Sheet *s, uint64_t id) {
    TwinView t = view_twin(s->v, (TwinId){id});
    json_put_str(s->out, text_str(&t.name));
}

// {"length":n,"twins":[ids],"relationships":[{"$sourceId":...,"$relationshipId":...}]}
static void put_path(const Sheet *s) {
    const QueryPath *p = s->row->path;
    buf_printf(s->out, "{\"length\":%d,\"twins\":[", p->length);
    for (int32_t i = 0; i <= p->length; i++) {
        if (i) buf_byte(s->out, ',');
        put_twin_name(s, p->twins[i]);
    }
    buf_str_put(s->out, STR("],\"relationships\":["));
    for (int32_t i = 0; i < p->length; i++) {
        LinkView l = view_link(s->v, (LinkId){p->links[i]});
        buf_str_put(s->out, i ? STR(",{\"$sourceId\":") : STR("{\"$sourceId\":"));
        put_twin_name(s, l.source.v);
        buf_str_put(s->out, STR(",\"$relationshipId\":"));
        json_put_str(s->out, text_str(&l.rid));
        buf_byte(s->out, '}');
    }
    buf_str_put(s->out, STR("]}"));
}

static void put_float(double d, Buf *out) {
    static const Type type = {.shape = SHAPE_FLOAT};
    static const Field field = {.cell = CELL_F64, .type = &type};
    show_scalar(&field, bits_of(d), (Str){0}, out);
}

// Floats and unsigned longs are written as in the twin, which takes their type.
void query_value_json(const QueryColumn *c, const ExprValue *v, const Bound *b, Buf *out) {
    const Type *type = b && b->op == BOUND_CELL ? b->leaf->type : NULL;
    if (v->type == EXPR_F64 && (c->single || (type && type->shape == SHAPE_FLOAT))) {
        put_float(v->d, out);
    } else if (v->type == EXPR_I64 && type && type->shape == SHAPE_ULONG) {
        show_scalar(b->leaf, (uint64_t)v->i, (Str){0}, out);
    } else {
        expr_value_json(v, out);
    }
}

static bool is_shown(const Sheet *s, int32_t column) {
    const QueryColumn *c = &s->q->columns[column];
    return c->path || c->alias >= 0 || s->row->values[column].type != EXPR_UNDEFINED;
}

static void put_column(const Sheet *s, int32_t column) {
    const QueryColumn *c = &s->q->columns[column];
    json_put_str(s->out, c->name);
    buf_byte(s->out, ':');
    if (c->path) put_path(s);
    else if (c->alias >= 0) put_whole(s, c->alias);
    else query_value_json(c, &s->row->values[column], s->row->bounds ? s->row->bounds[column] : NULL, s->out);
}

void query_row_json(const Query *q, View *v, const ShowOptions *show, const QueryRow *row, Buf *out) {
    Sheet s = {.q = q, .v = v, .show = show, .row = row, .out = out};
    if (q->star) {
        put_whole(&s, 0);
        return;
    }
    bool first = true;
    buf_byte(out, '{');
    for (int32_t i = 0; i < q->column_count; i++) {
        if (!is_shown(&s, i)) continue;
        if (!first) buf_byte(out, ',');
        first = false;
        put_column(&s, i);
    }
    buf_byte(out, '}');
}
