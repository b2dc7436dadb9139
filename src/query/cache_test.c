// SPDX-License-Identifier: Apache-2.0
// The cache of facts and indexes: whatever it leaves out cannot match, at any time, whatever is written in between; it
// stays within its memory; it builds what pays and nothing else.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "query/cache_inner.h"

static const char MODELS[] =
    "[{\"@context\":\"dtmi:dtdl:context;4\",\"@id\":\"dtmi:t:Thing;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"on\",\"schema\":\"boolean\"},"
    "{\"@type\":\"Property\",\"name\":\"number\",\"schema\":\"long\"},"
    "{\"@type\":\"Property\",\"name\":\"level\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"name\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"size\",\"schema\":\"unsignedLong\"},"
    "{\"@type\":\"Property\",\"name\":\"doc\",\"schema\":{\"@type\":\"Map\",\"mapKey\":{\"name\":\"k\",\"schema\":"
    "\"string\"},\"mapValue\":{\"name\":\"v\",\"schema\":\"string\"}}},"
    "{\"@type\":\"Relationship\",\"name\":\"near\",\"properties\":[{\"@type\":\"Property\",\"name\":\"weight\","
    "\"schema\":\"double\"}]},"
    "{\"@type\":\"Relationship\",\"name\":\"far\"}]},"
    "{\"@context\":\"dtmi:dtdl:context;4\",\"@id\":\"dtmi:t:Other;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Relationship\",\"name\":\"up\",\"target\":\"dtmi:t:Thing;1\"}]}]";

enum { ON, NUMBER, LEVEL, NAME, SIZE, DOC }; // fields of Thing
enum { NEAR, FAR, UP };

typedef struct Lab {
    Domain *d;
    World *w;
    QueryCache *c;
    uint64_t *twins, *links; // 0: deleted
    int64_t twin_count, link_count;
    uint32_t first, weight; // columns
    Rng rng;
    uint64_t seed;
} Lab;

static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 0)); }

static void finish(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}

static uint64_t below(Lab *l, uint64_t n) { return rng_below(&l->rng, n); }

// Few values, or many with a common start, or a mix; sometimes more than fit inline.
static Str draw_name(Lab *l, char room[64]) {
    int n;
    switch (below(l, 4)) {
    case 0: n = snprintf(room, 64, "district-of-the-city-%d", (int)below(l, 4000)); break;
    case 1: n = snprintf(room, 64, "n%d", (int)below(l, 3000)); break;
    case 2: n = snprintf(room, 64, "%.*s", (int)below(l, 9), "abcdefgh"); break;
    default: n = snprintf(room, 64, "%c%c%c-and-a-longer-text", 'a' + (int)below(l, 9), 'a' + (int)below(l, 9), 'z');
    }
    return (Str){room, n};
}

static double draw_level(Lab *l) {
    switch (below(l, 5)) {
    case 0: return below(l, 2) ? 0.0 : -0.0;
    case 1: return (double)below(l, 1000) / 8;
    case 2: return -(double)below(l, 1000) * 1e6;
    default: return rng_normal(&l->rng) * 100;
    }
}

static int64_t draw_number(Lab *l) {
    switch (below(l, 4)) {
    case 0: return (int64_t)rng_u64(&l->rng);
    case 1: return below(l, 2) ? INT64_MAX - (int64_t)below(l, 3) : INT64_MIN + (int64_t)below(l, 3);
    default: return (int64_t)below(l, 5000) - 2500;
    }
}

static Change set_field(Lab *l, uint64_t id, int field, char room[64]) {
    Change c = {.kind = CHANGE_SET, .id = id, .col = l->first + (uint32_t)field};
    switch (field) {
    case ON:
        c.cell = CELL_BOOL;
        c.bits = below(l, 2);
        break;
    case NUMBER:
        c.cell = CELL_I64;
        c.bits = (uint64_t)draw_number(l);
        break;
    case LEVEL:
        c.cell = CELL_F64;
        c.bits = bits_of(draw_level(l));
        break;
    default:
        c.cell = CELL_STR;
        c.text = draw_name(l, room);
        break;
    }
    return c;
}

static void must(Lab *l, const Change *c) {
    Err e = world_do(l->w, c);
    if (e != ERR_OK) fail_msg("seed %llu: %s", (unsigned long long)l->seed, err_name(e));
}

static void add_twin(Lab *l, int64_t i) {
    char name[64];
    snprintf(name, sizeof name, "t%lld-%llu", (long long)i, (unsigned long long)rng_u64(&l->rng));
    l->twins[i] = world_take_twin_id(l->w).v;
    must(l, &(Change){.kind = CHANGE_TWIN_NEW, .id = l->twins[i], .col = 0, .text = str_of(name)});
    for (int f = ON; f <= NAME; f++) {
        Change c = set_field(l, l->twins[i], f, name);
        if (below(l, 8)) must(l, &c);
    }
}

static void add_link(Lab *l, int64_t i) {
    uint64_t from = l->twins[below(l, (uint64_t)l->twin_count)], to = l->twins[below(l, (uint64_t)l->twin_count)];
    char rid[64];
    if (!from || !to) return;
    snprintf(rid, sizeof rid, "r%llu", (unsigned long long)rng_u64(&l->rng));
    l->links[i] = world_take_link_id(l->w).v;
    uint32_t kind = below(l, 3) ? NEAR : FAR;
    must(
        l,
        &(Change){
            .kind = CHANGE_LINK_NEW, .id = l->links[i], .other = from, .target = to, .col = kind, .text = str_of(rid)});
    Change set = {
        .kind = CHANGE_LINK_SET, .id = l->links[i], .col = l->weight, .cell = CELL_F64, .bits = bits_of(draw_level(l))};
    if (kind == NEAR && below(l, 4)) must(l, &set);
}

static Lab lab_new(uint64_t seed, int64_t twins, int64_t links, int64_t bytes_max) {
    Lab l = {.d = domain_new(), .twin_count = twins, .link_count = links, .rng = rng_make(seed, 0), .seed = seed};
    l.w = world_new(l.d, 1 << 17);
    l.c = query_cache_new(bytes_max);
    l.twins = mem_alloc((size_t)twins * sizeof *l.twins);
    l.links = mem_alloc((size_t)(links + 1) * sizeof *l.links);
    begin(l.w);
    must(&l, &(Change){.kind = CHANGE_MODELS_ADD, .text = str_of(MODELS)});
    finish(l.w);
    View v = view_writer(l.w);
    l.first = v.catalog->tables[0].first;
    l.weight = v.catalog->kinds[NEAR].first;
    for (int64_t i = 0; i < twins; i += 500) {
        begin(l.w);
        for (int64_t k = i; k < i + 500 && k < twins; k++) add_twin(&l, k);
        finish(l.w);
    }
    for (int64_t i = 0; i < links; i += 500) {
        begin(l.w);
        for (int64_t k = i; k < i + 500 && k < links; k++) add_link(&l, k);
        finish(l.w);
    }
    return l;
}

static void lab_free(Lab *l) {
    query_cache_free(l->c);
    world_free(l->w);
    domain_free(l->d);
    mem_free(l->twins);
    mem_free(l->links);
}

// ---- a slow oracle -------------------------------------------------------------------------------------------------

// One predicate on one column, evaluated on a cell as the language would.
typedef struct Pred {
    int field; // of Thing; -1: weight of near
    BoundOp op;
    ExprValue value;
    bool prefix;
    char text[64]; // of value, which does not point here: a Pred is copied
    QueryRange range;
} Pred;

static int cmp_f(long double a, long double b) { return (a > b) - (a < b); }

static bool op_holds(BoundOp op, int c) {
    switch (op) {
    case BOUND_EQ: return c == 0;
    case BOUND_LT: return c < 0;
    case BOUND_GT: return c > 0;
    case BOUND_LE: return c <= 0;
    default: return c >= 0;
    }
}

static long double number_of(const ExprValue *v) {
    return v->type == EXPR_I64 ? (long double)v->i : (long double)v->d; // 64 bits of mantissa: exact
}

static bool pred_holds(const Pred *p, const CellView *cell) {
    if (!cell->valid) return false;
    if (p->field == NAME) {
        Str s = text_str(&cell->text), with = {p->text, p->value.s.n};
        return p->prefix ? str_starts(s, with) : op_holds(p->op, str_cmp(s, with));
    }
    long double x = p->field == ON       ? (long double)cell->bits
                    : p->field == NUMBER ? (long double)(int64_t)cell->bits
                                         : (long double)double_of(cell->bits);
    return op_holds(p->op, cmp_f(x, p->field == ON ? (long double)p->value.b : number_of(&p->value)));
}

static const Field *leaf_of(const Catalog *c, int field) {
    return field < 0 ? &c->kinds[NEAR].rel->fields[0] : &c->tables[0].model->fields[field];
}

static Pred draw_pred(Lab *l, const Catalog *c, int field) {
    static const BoundOp ops[] = {BOUND_EQ, BOUND_EQ, BOUND_LT, BOUND_GT, BOUND_LE, BOUND_GE};
    Pred p = {.field = field, .op = ops[below(l, 6)]};
    bool known = true;
    if (field == NAME) {
        Str s = draw_name(l, p.text);
        p.prefix = below(l, 3) == 0;
        if (p.prefix) s.n = (int64_t)below(l, (uint64_t)s.n + 1);
        p.value = (ExprValue){.type = EXPR_STR, .s = s};
    } else if (field == ON) {
        p.value = (ExprValue){.type = EXPR_BOOL, .b = below(l, 2)};
    } else if (below(l, 2)) {
        p.value = (ExprValue){.type = EXPR_I64, .i = draw_number(l)};
    } else {
        p.value = (ExprValue){.type = EXPR_F64, .d = below(l, 4) ? draw_level(l) : (double)draw_number(l)};
    }
    if (p.prefix) known = query_range_prefix(leaf_of(c, field), p.value.s, &p.range);
    else known = query_range(leaf_of(c, field), p.op, &p.value, &p.range);
    assert_true(known);
    if (field == NAME) p.value.s.p = NULL; // text stands for it
    return p;
}

typedef struct Asked {
    ExprSource source;
    Pred preds[3]; // all must hold
    int32_t n;
    bool any; // one of them must hold: all on one column
} Asked;

static bool asked_holds(const Lab *l, View *v, const Asked *a, uint64_t row) {
    bool all = true, any = false;
    for (int32_t i = 0; i < a->n; i++) {
        uint32_t col = a->preds[i].field < 0 ? l->weight : l->first + (uint32_t)a->preds[i].field;
        CellView cell = view_cell(v, col, row);
        bool holds = pred_holds(&a->preds[i], &cell);
        all = all && holds;
        any = any || holds;
    }
    return a->any ? any : all;
}

static bool is_live(View *v, const ExprSource *s, uint64_t row) {
    if (s->kind == EXPR_TWIN) return view_row_twin(v, s->table, row).v != 0;
    LinkView link = view_link(v, (LinkId){row});
    return link.alive && link.kind == s->link;
}

static void ask(const Lab *l, QueryCache *c, View *v, const Asked *a, QueryHits *out) {
    QueryTest tests[3];
    QueryRange ranges[3];
    for (int32_t i = 0; i < a->n; i++) {
        ranges[i] = a->preds[i].range;
        tests[i] = (QueryTest){
            .col = a->preds[i].field < 0 ? l->weight : l->first + (uint32_t)a->preds[i].field,
            .cell = leaf_of(v->catalog, a->preds[i].field)->cell,
            .ranges = a->any ? ranges : &ranges[i],
            .count = a->any ? a->n : 1,
        };
    }
    query_hits(c, v, &a->source, tests, a->any ? 1 : a->n, out);
}

// Which rows match, a byte each.
typedef struct Truth {
    uint8_t *match;
    uint64_t pages;
    int64_t count;
} Truth;

static Truth truth_of(const Lab *l, View *v, const Asked *a) {
    Truth t = {.pages = view_pages(v, query_source_vec(v, &a->source))};
    t.match = mem_alloc(t.pages << PAGE_SHIFT);
    for (uint64_t row = 0; row < t.pages << PAGE_SHIFT; row++) {
        t.match[row] = is_live(v, &a->source, row) && asked_holds(l, v, a, row);
        t.count += t.match[row];
    }
    return t;
}

// The rows of one page that are named: taken out of what is left of the truth. Returns how many are named.
static int64_t take_page(const Lab *l, const QueryHitPage *p, Truth *t) {
    bool beyond = p->page_no >= t->pages; // made since: nothing of this view is there
    int64_t n = p->rows ? p->count : (int64_t)PAGE_ROWS;
    for (int64_t k = 0; k < n; k++) {
        uint64_t row = p->page_no << PAGE_SHIFT | (p->rows ? p->rows[k] : (uint64_t)k);
        if (p->rows && k && p->rows[k] <= p->rows[k - 1]) fail_msg("seed %llu: order", (unsigned long long)l->seed);
        if (beyond || !t->match[row]) continue;
        t->match[row] = 2;
        t->count--;
    }
    return n;
}

// Every row that matches is named, pages and rows in order, each time of several. Returns how many match; -1: the view
// was outrun.
static int64_t check_asks(Lab *l, QueryCache *c, View *v, const Asked *a, int times) {
    Truth truth = truth_of(l, v, a);
    int64_t matches = truth.count;
    for (int i = 0; i < times; i++) {
        QueryHits hits;
        int64_t rows = 0;
        ask(l, c, v, a, &hits);
        for (int64_t k = 0; k < hits.page_count; k++) {
            if (k && hits.pages[k].page_no <= hits.pages[k - 1].page_no) fail_msg("order of pages");
            rows += take_page(l, &hits.pages[k], &truth);
        }
        if (!v->overrun && truth.count) fail_msg("seed %llu: rows missed", (unsigned long long)l->seed);
        assert_int_equal(rows, hits.rows);
        query_hits_free(&hits);
        truth.count = matches;
        for (uint64_t row = 0; row < truth.pages << PAGE_SHIFT; row++) truth.match[row] = truth.match[row] != 0;
    }
    mem_free(truth.match);
    return v->overrun ? -1 : matches;
}

static int64_t check_ask(Lab *l, QueryCache *c, View *v, const Asked *a) { return check_asks(l, c, v, a, 1); }

static Asked draw_ask(Lab *l, const Catalog *c) {
    static const int fields[] = {NUMBER, LEVEL, NAME, NAME, NUMBER, LEVEL, ON};
    Asked a = {.source = {.kind = EXPR_TWIN, .table = 0}, .n = 1};
    if (below(l, 6) == 0) {
        a.source = (ExprSource){.kind = EXPR_LINK, .link = NEAR};
        a.preds[0] = draw_pred(l, c, -1);
        return a;
    }
    a.n = (int32_t)below(l, 3) + 1;
    a.any = below(l, 3) == 0;
    int field = fields[below(l, 7)];
    for (int32_t i = 0; i < a.n; i++) a.preds[i] = draw_pred(l, c, a.any ? field : fields[below(l, 7)]);
    return a;
}

// Ask for values that some twins have: one of them, or any of three.
static bool aim(Lab *l, View *v, Asked *a) {
    int field = below(l, 2) ? NAME : NUMBER;
    *a = (Asked){.source = {.kind = EXPR_TWIN}, .n = below(l, 2) ? 3 : 1, .any = true};
    for (int32_t i = 0; i < a->n; i++) {
        Pred *p = &a->preds[i];
        TwinView t = view_twin_place(v, (TwinId){l->twins[below(l, (uint64_t)l->twin_count)]});
        CellView cell = t.alive ? view_cell(v, l->first + (uint32_t)field, t.row) : (CellView){0};
        if (!cell.valid) return false;
        p->field = field;
        p->op = BOUND_EQ;
        p->value = (ExprValue){.type = EXPR_I64, .i = (int64_t)cell.bits};
        if (field == NAME) {
            Str s = text_str(&cell.text);
            memcpy(p->text, s.p, (size_t)s.n);
            p->value = (ExprValue){.type = EXPR_STR, .s = {p->text, s.n}};
        }
        assert_true(query_range(leaf_of(v->catalog, field), BOUND_EQ, &p->value, &p->range));
        if (field == NAME) p->value.s.p = NULL; // text stands for it
    }
    if (a->n == 3 && below(l, 2)) a->preds[2] = a->preds[0]; // the same twice
    return true;
}

static int64_t slow_count(View *v, const ExprSource *s) {
    uint64_t pages = view_pages(v, query_source_vec(v, s));
    int64_t n = 0;
    for (uint64_t row = 0; row < pages << PAGE_SHIFT; row++) n += is_live(v, s, row);
    return n;
}

static void check_counts(Lab *l, QueryCache *c, World *w) {
    View v;
    view_begin(&v, w);
    ExprSource sources[] = {{.kind = EXPR_TWIN, .table = 0},
                            {.kind = EXPR_TWIN, .table = 1},
                            {.kind = EXPR_LINK, .link = NEAR},
                            {.kind = EXPR_LINK, .link = FAR},
                            {.kind = EXPR_LINK, .link = UP}};
    for (int i = 0; i < 5; i++) {
        int64_t want = slow_count(&v, &sources[i]);
        if (query_count(c, &v, &sources[i], NULL) != want || query_count(NULL, &v, &sources[i], NULL) != want)
            fail_msg("seed %llu: count of source %d", (unsigned long long)l->seed, i);
    }
    view_end(&v);
}

// What the cache has, counted again. Nobody else uses it.
static void check_bytes(const QueryCache *c) {
    uint64_t facts =
        c->link_cap * sizeof *c->links + c->kind_cap * sizeof *c->kind_links + c->fan_cap * sizeof *c->fans;
    uint64_t rest = sizeof *c + c->column_cap * sizeof *c->columns;
    for (uint64_t i = 0; i < c->link_cap; i++) {
        facts += (uint64_t)c->links[i].kind_count * sizeof *c->links[i].kinds;
        facts += (uint64_t)c->links[i].end_count * sizeof *c->links[i].ends;
    }
    for (uint32_t i = 0; i < c->column_cap; i++) {
        const Column *col = c->columns[i];
        if (!col) continue;
        rest += sizeof *col;
        facts += col->fact_cap * sizeof *col->facts + (uint64_t)col->sample.count * sizeof *col->sample.keys;
        for (int k = 0; k < INDEX_KINDS; k++) rest += col->index[k] ? (uint64_t)query_index_bytes(col->index[k]) : 0;
    }
    assert_int_equal(c->fact_bytes, facts);
    assert_int_equal(c->bytes, facts + rest);
}

// ---- random writes -------------------------------------------------------------------------------------------------

static void delete_twin(Lab *l, int64_t i) {
    TwinId id = {l->twins[i]};
    View v = view_writer(l->w);
    TwinView t = view_twin(&v, id);
    if (!t.alive || t.first_out.v || t.first_in.v) return;
    must(l, &(Change){.kind = CHANGE_TWIN_DEL, .id = id.v});
    l->twins[i] = 0;
}

static void one_write(Lab *l, uint64_t span) {
    char room[64];
    int64_t i = (int64_t)below(l, span), k = l->link_count ? (int64_t)below(l, (uint64_t)l->link_count) : 0;
    switch (below(l, 8)) {
    case 0:
        if (l->twins[i]) delete_twin(l, i);
        else add_twin(l, i);
        break;
    case 1:
        if (!l->link_count) break;
        if (!l->links[k]) {
            add_link(l, k);
        } else if (below(l, 2)) {
            must(l, &(Change){.kind = CHANGE_LINK_DEL, .id = l->links[k]});
            l->links[k] = 0;
        }
        break;
    case 2:
        if (l->twins[i])
            must(l, &(Change){.kind = CHANGE_UNSET, .id = l->twins[i], .col = l->first + (uint32_t)below(l, 4)});
        break;
    default:
        if (l->twins[i]) {
            Change c = set_field(l, l->twins[i], (int)below(l, 4), room);
            must(l, &c);
        }
    }
}

// A batch of writes to the first `span` twins; some are rolled back, and looked through while they are open.
static void write_some(Lab *l, uint64_t span) {
    size_t twin_bytes = (size_t)l->twin_count * 8, link_bytes = (size_t)l->link_count * 8;
    uint64_t *twins = mem_alloc(twin_bytes), *links = mem_alloc(link_bytes);
    memcpy(twins, l->twins, twin_bytes);
    memcpy(links, l->links, link_bytes);
    begin(l->w);
    for (uint64_t n = below(l, 30) + 1; n; n--) one_write(l, span);
    if (below(l, 4) == 0) {
        View v;
        view_begin(&v, l->w);
        Asked a = draw_ask(l, v.catalog);
        check_ask(l, l->c, &v, &a);
        view_end(&v);
        world_rollback(l->w);
        memcpy(l->twins, twins, twin_bytes);
        memcpy(l->links, links, link_bytes);
    } else {
        finish(l->w);
    }
    mem_free(twins);
    mem_free(links);
}

// ---- tests ---------------------------------------------------------------------------------------------------------

// Keys keep the order of values.
static void test_keys(void **state) {
    (void)state;
    Lab l = {.rng = rng_make(7, 0)};
    char a[64], b[64];
    for (int i = 0; i < 20000; i++) {
        int64_t x = draw_number(&l), y = draw_number(&l);
        assert_int_equal(query_key_i64(x) < query_key_i64(y), x < y);
        double d = draw_level(&l), e = draw_level(&l);
        assert_int_equal(query_key_f64(d) < query_key_f64(e), d < e);
        Str s = draw_name(&l, a), t = draw_name(&l, b);
        if (query_key_str(s) < query_key_str(t)) assert_true(str_cmp(s, t) < 0);
    }
    assert_int_equal(query_key_f64(0.0), query_key_f64(-0.0));
    assert_int_equal(query_key_str(STR("")), 0);
}

// A range holds every value for which its comparison is true; what has no keys is refused.
static void test_ranges(void **state) {
    (void)state;
    Lab l = lab_new(3, 1, 0, 0);
    View v = view_writer(l.w);
    char room[64];
    for (int i = 0; i < 40000; i++) {
        int field = (int)below(&l, 4);
        Pred p = draw_pred(&l, v.catalog, field);
        Change c = set_field(&l, 0, field, room);
        if (below(&l, 4) == 0 && p.value.type == EXPR_F64 && field == NUMBER && fabs(p.value.d) < 1e18)
            c.bits = (uint64_t)((int64_t)p.value.d + (int64_t)below(&l, 3) - 1);
        if (below(&l, 4) == 0 && p.value.type == EXPR_I64 && field == LEVEL) c.bits = bits_of((double)p.value.i);
        CellView cell = {.valid = true, .bits = c.bits};
        if (field == NAME) cell.text = text_make(l.d, c.text);
        uint64_t key = field == NAME ? query_key_str(c.text) : query_key_of_bits((CellKind)c.cell, c.bits);
        if (pred_holds(&p, &cell)) {
            assert_true(p.range.lo <= key && key <= p.range.hi);
            if (p.range.one && field == NAME) assert_int_equal(p.range.hash, str_hash(c.text));
        } else if (field != NAME && field != LEVEL) {
            assert_false(p.range.lo <= key && key <= p.range.hi); // of whole numbers it is exact
        }
        if (field == NAME) text_unref(l.d, cell.text);
    }
    QueryRange r;
    ExprValue one = {.type = EXPR_I64, .i = 1};
    assert_false(query_range(leaf_of(v.catalog, SIZE), BOUND_EQ, &one, &r));
    assert_false(query_range(leaf_of(v.catalog, DOC), BOUND_EQ, &one, &r));
    assert_false(query_range(leaf_of(v.catalog, NUMBER), BOUND_NE, &one, &r));
    assert_false(query_range(leaf_of(v.catalog, NAME), BOUND_LT, &one, &r));
    assert_false(query_range_prefix(leaf_of(v.catalog, NUMBER), STR("1"), &r));
    lab_free(&l);
}

// What is known of a page never denies a value that is on it.
static void test_spans(void **state) {
    (void)state;
    Lab l = lab_new(4, 1, 0, 0);
    View v = view_writer(l.w);
    char room[64];
    int64_t denied = 0;
    for (int round = 0; round < 20000; round++) {
        int field = (int)below(&l, 4);
        uint64_t cells[6] = {0};
        PageCopy page = {.rows = (uint32_t)below(&l, 3) + 1, .cells = cells};
        CellView values[3] = {0};
        for (uint32_t r = 0; r < page.rows; r++) {
            Change c = set_field(&l, 0, field, room);
            values[r] = (CellView){.valid = below(&l, 5) != 0, .bits = c.bits};
            page.valid[0] |= (uint64_t)values[r].valid << r;
            if (field == NAME) values[r].text = text_make(l.d, c.text);
            if (field == NAME) memcpy(&cells[2 * r], &values[r].text, sizeof values[r].text);
            else cells[r] = c.bits;
        }
        Pred p = draw_pred(&l, v.catalog, field);
        QueryTest t = {.cell = leaf_of(v.catalog, field)->cell, .ranges = &p.range, .count = 1};
        KeySpan span = query_key_span(t.cell, &page);
        bool may = query_test_hits_span(&t, &span);
        for (uint32_t r = 0; r < page.rows; r++) {
            if (pred_holds(&p, &values[r])) assert_true(may);
            if (field == NAME) text_unref(l.d, values[r].text);
        }
        denied += !may;
    }
    assert_true(denied > 5000); // and it is of use
    lab_free(&l);
}

static int by_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Sorting against qsort, with bytes that all agree and keys that repeat.
static void test_sort(void **state) {
    (void)state;
    Rng rng = rng_make(11, 0);
    static uint64_t keys[3000], tmp[3000], want[3000];
    static uint32_t places[3000], place_tmp[3000];
    for (int round = 0; round < 60; round++) {
        int64_t n = (int64_t)rng_below(&rng, 3000);
        uint64_t mask = rng_u64(&rng) & rng_u64(&rng);
        for (int64_t i = 0; i < n; i++) {
            want[i] = keys[i] = rng_u64(&rng) & mask;
            places[i] = (uint32_t)i;
        }
        uint64_t *before = mem_alloc(sizeof keys);
        memcpy(before, keys, sizeof keys);
        qsort(want, (size_t)n, sizeof *want, by_u64);
        query_index_sort(keys, places, n, tmp, place_tmp);
        for (int64_t i = 0; i < n; i++) {
            assert_int_equal(keys[i], want[i]);
            assert_int_equal(before[places[i]], keys[i]);
            if (i && keys[i] == keys[i - 1]) assert_true(places[i] > places[i - 1]);
        }
        mem_free(before);
        query_index_sort_places(places, n, place_tmp);
        for (int64_t i = 0; i < n; i++) assert_int_equal(places[i], i);
    }
}

// Lookups between random writes, rollbacks and forks never miss a row, through facts and through indexes.
static void fresh_run(uint64_t seed, int rounds) {
    Lab l = lab_new(seed, 12000, 9000, 0);
    World *fork = NULL;
    QueryCache *fork_cache = NULL;
    int64_t matches = 0;
    for (int round = 0; round < rounds; round++) {
        if (below(&l, 3) == 0) write_some(&l, below(&l, 16) ? 2000 : (uint64_t)l.twin_count);
        View v;
        bool other = fork && below(&l, 4) == 0;
        view_begin(&v, other ? fork : l.w);
        Asked a;
        if (!below(&l, 3) || !aim(&l, &v, &a)) a = draw_ask(&l, v.catalog);
        QueryCache *c = other && below(&l, 2) ? fork_cache : l.c; // a fork nobody writes may share the world's
        matches += check_asks(&l, c, &v, &a, 3);
        query_stat_refresh(c, &v);
        view_end(&v);
        query_cache_tend(c, other ? fork : l.w);
        if (round % 40 == 20) {
            if (fork) world_free(fork);
            query_cache_free(fork_cache);
            fork = world_fork(l.w, 0);
            fork_cache = query_cache_new(0);
        }
        if (round % 25 == 0) check_counts(&l, l.c, l.w);
    }
    QueryCacheStats s = query_cache_stats(l.c);
    assert_true(matches > 0);
    assert_true(s.built > 2 && s.hits > 40);
    check_bytes(l.c);
    if (fork) world_free(fork);
    query_cache_free(fork_cache);
    lab_free(&l);
}

static void test_fresh(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) fresh_run(seed, 240);
}

// Some pages change for good: sooner or later the index has them again, and what it has of the others.
static void check_renewal(Lab *l, const Asked *a) {
    char room[64];
    begin(l->w);
    for (int64_t i = 700; i < 6000; i += 1000) {
        Change c = set_field(l, l->twins[i], NAME, room);
        if (i % 2000 == 700) c.text = (Str){a->preds[0].text, a->preds[0].value.s.n};
        must(l, &c);
    }
    finish(l->w);
    View v;
    view_begin(&v, l->w);
    int64_t built = query_cache_stats(l->c).built, want = check_ask(l, l->c, &v, a);
    QueryHits hits;
    for (int asked = 0; query_cache_stats(l->c).built == built && asked < 1000; asked++) {
        ask(l, l->c, &v, a, &hits);
        assert_int_equal(hits.how, QUERY_HOW_INDEX);
        query_hits_free(&hits);
        query_cache_tend(l->c, l->w);
    }
    assert_int_equal(query_cache_stats(l->c).built, built + 1);
    ask(l, l->c, &v, a, &hits);
    assert_int_equal(hits.rows, want);
    query_hits_free(&hits);
    assert_int_equal(check_ask(l, l->c, &v, a), want);
    view_end(&v);
}

// The same predicate over and over: first everything, then an index; after a write the changed page as a whole.
static void test_index_comes(void **state) {
    (void)state;
    Lab l = lab_new(5, 20000, 0, 0);
    View v;
    view_begin(&v, l.w);
    ExprValue value = {.type = EXPR_STR, .s = STR("district-of-the-city-77")};
    Asked a = {.source = {.kind = EXPR_TWIN}, .n = 1, .preds = {{.field = NAME, .op = BOUND_EQ, .value = value}}};
    memcpy(a.preds[0].text, value.s.p, (size_t)value.s.n);
    assert_true(query_range(leaf_of(v.catalog, NAME), BOUND_EQ, &value, &a.preds[0].range));
    QueryHits hits;
    int asked = 0;
    for (hits = (QueryHits){0}; hits.how != QUERY_HOW_INDEX && asked < 100; asked++) {
        query_hits_free(&hits);
        ask(&l, l.c, &v, &a, &hits);
        query_cache_tend(l.c, l.w);
    }
    assert_in_range(asked, 4, 40);
    assert_true(hits.rows < 20);
    assert_int_equal(hits.col, l.first + NAME);
    query_hits_free(&hits);
    QueryTest t = {.col = l.first + NAME, .cell = CELL_STR, .ranges = &a.preds[0].range, .count = 1};
    assert_true(query_hits_estimate(l.c, &v, &a.source, &t, 1) < 20);
    assert_true(query_stat_select(l.c, &v, &a.source, &t) < 0.001);
    view_end(&v);

    begin(l.w); // somewhere another twin gets the name
    must(&l, &(Change){.kind = CHANGE_SET, .cell = CELL_STR, .id = l.twins[15000], .col = t.col, .text = value.s});
    finish(l.w);
    view_begin(&v, l.w);
    ask(&l, l.c, &v, &a, &hits);
    assert_int_equal(hits.how, QUERY_HOW_INDEX);
    assert_in_range(hits.rows, 1024, 1024 + 20);
    query_hits_free(&hits);
    assert_true(check_ask(&l, l.c, &v, &a) > 0);
    view_end(&v);
    check_renewal(&l, &a);
    lab_free(&l);
}

// A column whose every page is written between any two lookups gets no index, however often it is asked.
static void test_hot_column(void **state) {
    (void)state;
    Lab l = lab_new(6, 10000, 0, 0);
    for (int round = 0; round < 200; round++) {
        begin(l.w);
        for (int64_t i = 5; i < l.twin_count; i += 1000) {
            Change c = {.kind = CHANGE_SET, .cell = CELL_F64, .id = l.twins[i], .col = l.first + LEVEL};
            c.bits = bits_of(round * 10.0 + (double)i);
            must(&l, &c);
        }
        finish(l.w);
        View v;
        view_begin(&v, l.w);
        ExprValue value = {.type = EXPR_F64, .d = 12.5};
        Asked a = {.source = {.kind = EXPR_TWIN}, .n = 1, .preds = {{.field = LEVEL, .op = BOUND_EQ, .value = value}}};
        assert_true(query_range(leaf_of(v.catalog, LEVEL), BOUND_EQ, &value, &a.preds[0].range));
        if (round % 20 == 0) check_ask(&l, l.c, &v, &a);
        QueryHits hits;
        ask(&l, l.c, &v, &a, &hits);
        query_hits_free(&hits);
        view_end(&v);
        query_cache_tend(l.c, l.w);
    }
    assert_true(query_cache_stats(l.c).built <= 1);
    lab_free(&l);
}

// Facts alone: pages that cannot match are left out, of columns that grow with the rows and of links of another kind.
static void test_facts(void **state) {
    (void)state;
    Lab l = lab_new(8, 9000, 0, 0);
    for (int64_t at = 0; at < l.twin_count; at += 1000) {
        begin(l.w);
        for (int64_t i = at; i < at + 1000; i++) {
            Change c = {.kind = CHANGE_SET, .cell = CELL_I64, .id = l.twins[i], .col = l.first + NUMBER};
            c.bits = (uint64_t)i;
            must(&l, &c);
        }
        finish(l.w);
    }
    View v;
    view_begin(&v, l.w);
    ExprValue value = {.type = EXPR_I64, .i = 5000};
    Asked a = {.source = {.kind = EXPR_TWIN}, .n = 1, .preds = {{.field = NUMBER, .op = BOUND_EQ, .value = value}}};
    assert_true(query_range(leaf_of(v.catalog, NUMBER), BOUND_EQ, &value, &a.preds[0].range));
    QueryHits hits;
    ask(&l, l.c, &v, &a, &hits);
    assert_int_equal(hits.how, QUERY_HOW_ALL);
    assert_int_equal(hits.page_count, 9);
    query_hits_free(&hits);
    ask(&l, l.c, &v, &a, &hits); // the second sight learns
    assert_int_equal(hits.how, QUERY_HOW_FACTS);
    assert_int_equal(hits.page_count, 1);
    assert_int_equal(hits.pages[0].page_no, 5000 / PAGE_ROWS);
    assert_int_equal(hits.skipped, 8);
    query_hits_free(&hits);
    view_end(&v);
    begin(l.w); // a page that was left out gets the value
    Change c = {.kind = CHANGE_SET, .cell = CELL_I64, .id = l.twins[100], .col = l.first + NUMBER, .bits = 5000};
    must(&l, &c);
    finish(l.w);
    view_begin(&v, l.w);
    assert_int_equal(check_ask(&l, l.c, &v, &a), 2);
    ask(&l, l.c, &v, &a, &hits);
    assert_int_equal(hits.page_count, 2);
    query_hits_free(&hits);
    QueryTest none = {.col = l.first + NUMBER, .cell = CELL_I64};
    query_hits(l.c, &v, &a.source, &none, 1, &hits);
    assert_int_equal(hits.page_count, 0);
    query_hits_free(&hits);
    query_hits(NULL, &v, &a.source, &none, 0, &hits);
    assert_int_equal(hits.page_count, 9);
    query_hits_free(&hits);
    view_end(&v);
    lab_free(&l);
}

// Texts with a common start, each value on pages of its own: what is surely not on a page tells them apart.
static void test_facts_of_texts(void **state) {
    (void)state;
    Lab l = lab_new(13, 9000, 0, 0);
    for (int64_t at = 0; at < l.twin_count; at += 1000) {
        begin(l.w);
        for (int64_t i = at; i < at + 1000; i++) {
            char name[32];
            snprintf(name, sizeof name, "district-%d", (int)(i >> PAGE_SHIFT));
            Change c = {.kind = CHANGE_SET, .cell = CELL_STR, .id = l.twins[i], .col = l.first + NAME};
            c.text = str_of(name);
            must(&l, &c);
        }
        finish(l.w);
    }
    View v;
    view_begin(&v, l.w);
    for (int page = 0; page < 9; page++) {
        Asked a = {.source = {.kind = EXPR_TWIN}, .n = 1, .preds = {{.field = NAME, .op = BOUND_EQ}}};
        Pred *p = &a.preds[0];
        p->value = (ExprValue){.type = EXPR_STR, .s = {p->text, snprintf(p->text, 64, "district-%d", page)}};
        assert_true(query_range(leaf_of(v.catalog, NAME), BOUND_EQ, &p->value, &p->range));
        QueryHits hits;
        for (int again = 0; again < 2; again++) {
            ask(&l, l.c, &v, &a, &hits);
            assert_true(hits.page_count >= 1);
            if (page || again) assert_true(hits.page_count <= 3); // two values may share a bit
            query_hits_free(&hits);
        }
        assert_true(check_ask(&l, l.c, &v, &a) > 0);
    }
    view_end(&v);
    lab_free(&l);
}

// Whatever is asked, memory stays below its bound, and a better index drives out a worse one.
static void test_memory(void **state) {
    (void)state;
    enum { BYTES = 512 * 1024 }; // one index of 12,000 rows while it is sorted
    Lab l = lab_new(9, 12000, 0, BYTES);
    static const int fields[] = {NUMBER, LEVEL, NAME};
    for (int phase = 0; phase < 6; phase++) {
        for (int round = 0; round < 60; round++) {
            View v;
            view_begin(&v, l.w);
            Asked a = {.source = {.kind = EXPR_TWIN}, .n = 1};
            do a.preds[0] = draw_pred(&l, v.catalog, fields[phase % 3]);
            while (!a.preds[0].range.one);
            QueryHits hits;
            ask(&l, l.c, &v, &a, &hits);
            query_hits_free(&hits);
            view_end(&v);
            query_cache_tend(l.c, l.w);
            QueryCacheStats s = query_cache_stats(l.c);
            assert_in_range(s.bytes, 1, BYTES);
        }
    }
    QueryCacheStats s = query_cache_stats(l.c);
    assert_true(s.built >= 2);
    assert_true(s.dropped >= 1);
    assert_int_equal(s.indexes, s.built - s.dropped);
    check_bytes(l.c);
    lab_free(&l);
    l = lab_new(9, 9000, 3000, 4096); // too little for anything: everything still works
    View v;
    view_begin(&v, l.w);
    for (int round = 0; round < 60; round++) {
        Asked a = draw_ask(&l, v.catalog);
        check_ask(&l, l.c, &v, &a);
        query_stat_refresh(l.c, &v);
        query_cache_tend(l.c, l.w);
    }
    assert_int_equal(query_cache_stats(l.c).built, 0);
    check_bytes(l.c);
    view_end(&v);
    check_counts(&l, l.c, l.w);
    lab_free(&l);
}

static void near_to(double value, double want, double factor) {
    if (value < want / factor || value > want * factor) fail_msg("%g is not about %g", value, want);
}

// Estimates are about right on a graph where they are known.
static void test_stats(void **state) {
    (void)state;
    Lab l = lab_new(10, 8000, 24000, 0);
    begin(l.w); // 500 others, each with 4 links up to things
    for (int i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof name, "other%d", i);
        uint64_t id = world_take_twin_id(l.w).v;
        must(&l, &(Change){.kind = CHANGE_TWIN_NEW, .id = id, .col = 1, .text = str_of(name)});
        for (int k = 0; k < 4; k++) {
            snprintf(name, sizeof name, "up%d", k);
            uint64_t to = l.twins[below(&l, (uint64_t)l.twin_count)], link = world_take_link_id(l.w).v;
            Change c = {.kind = CHANGE_LINK_NEW, .id = link, .other = id, .target = to, .col = UP};
            c.text = str_of(name);
            must(&l, &c);
        }
    }
    finish(l.w);
    View v;
    view_begin(&v, l.w);
    near_to(query_stat_rows(NULL, &v, 0), 8000, 1.01);
    near_to(query_stat_links(NULL, &v, UP), 26000 / 3, 1.1);
    for (int i = 0; i < 3; i++) query_stat_refresh(l.c, &v);
    near_to(query_stat_links(l.c, &v, NEAR), 16000, 1.1);
    near_to(query_stat_links(l.c, &v, UP), 2000, 1.3);
    near_to(query_stat_fan(l.c, &v, NEAR, 0, true), 2, 1.2);
    near_to(query_stat_fan(l.c, &v, UP, 1, true), 4, 1.5);
    near_to(query_stat_fan(l.c, &v, UP, 0, false), 0.25, 1.5);
    assert_true(query_stat_fan(l.c, &v, UP, 0, true) < 0.01);
    assert_true(query_stat_end(l.c, &v, UP, 0, true) > 0.9);
    assert_true(query_stat_end(l.c, &v, UP, 1, true) < 0.1);
    ExprSource things = {.kind = EXPR_TWIN};
    ExprValue yes = {.type = EXPR_BOOL, .b = true}, zero = {.type = EXPR_F64, .d = 0};
    QueryRange r;
    assert_true(query_range(leaf_of(v.catalog, ON), BOUND_EQ, &yes, &r));
    QueryTest on = {.col = l.first + ON, .cell = CELL_BOOL, .ranges = &r, .count = 1};
    near_to(query_stat_select(l.c, &v, &things, &on), 0.5 * 7 / 8, 1.3);
    assert_true(query_range(leaf_of(v.catalog, LEVEL), BOUND_EQ, &zero, &r));
    QueryTest level = {.col = l.first + LEVEL, .cell = CELL_F64, .ranges = &r, .count = 1};
    near_to(query_stat_select(l.c, &v, &things, &level), 0.2 * 7 / 8, 1.5);
    check_bytes(l.c);
    view_end(&v);
    lab_free(&l);
}

// ---- threads -------------------------------------------------------------------------------------------------------

typedef struct Scene {
    _Atomic int32_t reading;
    _Atomic int64_t checked;
} Scene;

typedef struct Reader {
    Scene *scene;
    Lab lab; // a copy with random numbers of its own
} Reader;

enum { READERS = 3, CHECKS = 12 };

static void *read_on(void *arg) {
    Reader *r = arg;
    Lab mine = r->lab;
    for (int done = 0, tries = 0; done < CHECKS && tries < CHECKS * 20; tries++) {
        View v;
        view_begin(&v, mine.w);
        Asked a = draw_ask(&mine, v.catalog);
        int64_t got = check_asks(&mine, mine.c, &v, &a, 3);
        query_stat_refresh(mine.c, &v);
        query_count(mine.c, &v, &a.source, NULL);
        view_end(&v);
        query_cache_tend(mine.c, mine.w);
        if (got < 0) continue;
        done++;
        atomic_fetch_add(&r->scene->checked, 1);
    }
    atomic_fetch_sub(&r->scene->reading, 1);
    return NULL;
}

// Several readers beside a writer: none ever misses a row of its own sequence.
static void test_threads(void **state) {
    (void)state;
    Lab l = lab_new(12, 9000, 4000, 0);
    Scene scene = {.reading = READERS};
    Reader readers[READERS];
    Thread threads[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (Reader){&scene, l};
        readers[i].lab.rng = rng_make(99, (uint64_t)i);
        assert_int_equal(thread_start(&threads[i], "reader", read_on, &readers[i]), ERR_OK);
    }
    while (atomic_load(&scene.reading)) {
        begin(l.w);
        for (int i = 0; i < 5; i++) one_write(&l, 1500);
        finish(l.w);
        thread_sleep_ns(200000); // so that a page at times keeps its mark between two readers
    }
    for (int i = 0; i < READERS; i++) thread_join(&threads[i]);
    assert_true(atomic_load(&scene.checked) > 0);
    lab_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_ranges), cmocka_unit_test(test_sort),
        cmocka_unit_test(test_spans),      cmocka_unit_test(test_fresh),  cmocka_unit_test(test_index_comes),
        cmocka_unit_test(test_hot_column), cmocka_unit_test(test_facts),  cmocka_unit_test(test_facts_of_texts),
        cmocka_unit_test(test_memory),     cmocka_unit_test(test_stats),  cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
