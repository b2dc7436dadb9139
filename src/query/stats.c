// SPDX-License-Identifier: Apache-2.0
// Statistics: samples of columns, and how many links of a kind lie between which tables. Estimates only: what is
// sampled stays in use after its page changed, until it is looked at again.
#include <stdlib.h>
#include "query/cache_inner.h"

#define PAGES_FIRST 256u // of links, looked at by the first refresh
#define PAGES_NEXT 2u    // and by every later one
#define ENDS_MAX 32      // links of a page whose ends are looked at
#define WAIT_FIRST 64    // refreshes until a sample is taken again; then twice as many, up to
#define WAIT_MAX 4096
#define RANGES_MAX 32 // of a test are tried on a sample; of more, the first ones stand for all
#define FANS_MAX (1u << 20)
#define GUESS_ONE 0.01 // share of rows with one value, and in a range, when nothing is known
#define GUESS_RANGE 0.3

// Which of the items step * k .. step * (k + 1) - 1 to look at: not always the first, or what repeats itself (every
// second one of a kind) would be seen from one side only.
static uint32_t pick(uint32_t k, uint32_t step) { return k * step + (k * 2654435761u >> 16) % step; }

// ---- samples ----

typedef struct Taking {
    SampleKey keys[SAMPLE_KEYS];
    int32_t count;
    int64_t values, live;
} Taking;

static SampleKey sample_key(CellKind cell, const PageCopy *p, uint32_t row) {
    if (cell != CELL_STR) return (SampleKey){query_key_of_bits(cell, p->cells[row]), 0};
    Text t = {{p->cells[2 * (size_t)row], p->cells[2 * (size_t)row + 1]}};
    Str s = text_str(&t);
    return (SampleKey){query_key_str(s), query_key_hash(s)};
}

// Some values of a page, evenly spread.
static void take_page(Taking *t, CellKind cell, const PageCopy *p) {
    uint32_t values = 0, seen = 0, k = 0, each = SAMPLE_KEYS / SAMPLE_PAGES;
    for (uint32_t w = 0; w * 64 < p->rows; w++) values += (uint32_t)__builtin_popcountll(p->valid[w]);
    uint32_t step = values / each + 1;
    for (uint32_t w = 0; w * 64 < p->rows; w++) {
        for (uint64_t set = p->valid[w]; set; set &= set - 1, seen++) {
            if (seen != pick(k, step) || t->count == SAMPLE_KEYS) continue;
            k++;
            t->keys[t->count++] = sample_key(cell, p, w * 64 + (uint32_t)__builtin_ctzll(set));
        }
    }
    t->values += values;
}

static int by_key(const void *a, const void *b) {
    const SampleKey *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static void keep_sample(QueryCache *c, const QueryTest *test, Taking *t) {
    qsort(t->keys, (size_t)t->count, sizeof *t->keys, by_key);
    int32_t distinct = t->count > 0;
    for (int32_t i = 1; i < t->count; i++) distinct += by_key(&t->keys[i - 1], &t->keys[i]) != 0;
    query_cache_lock(c);
    Sample *s = &query_cache_column(c, test->col, test->cell)->sample;
    int64_t more = (t->count - s->count) * (int64_t)sizeof *t->keys;
    bool room = more <= 0 || query_cache_take(c, NULL, more);
    if (room && more < 0) query_cache_give(c, -more);
    if (room) {
        s->keys = mem_grow(s->keys, (size_t)(t->count + 1) * sizeof *t->keys);
        memcpy(s->keys, t->keys, (size_t)t->count * sizeof *t->keys);
        s->count = t->count;
        s->distinct = distinct;
        s->defined = t->live ? (double)t->values / (double)t->live : 0;
        if (s->defined > 1) s->defined = 1;
    }
    query_cache_unlock(c);
}

static bool sample_due(QueryCache *c, const QueryTest *t) {
    query_cache_lock(c);
    Sample *s = &query_cache_column(c, t->col, t->cell)->sample;
    bool due = s->wait == 0 || c->ticks >= s->due;
    if (due) {
        s->wait = s->wait == 0 ? WAIT_FIRST : s->wait < WAIT_MAX ? s->wait * 2 : WAIT_MAX;
        s->due = c->ticks + s->wait;
    }
    query_cache_unlock(c);
    return due;
}

void query_sample_look(QueryCache *c, View *v, const ExprSource *source, const QueryTest *t) {
    if (!sample_due(c, t)) return;
    uint32_t rows = query_source_vec(v, source);
    uint64_t pages = view_pages(v, rows), n = pages < SAMPLE_PAGES ? pages : SAMPLE_PAGES;
    Taking *taking = mem_alloc(sizeof *taking);
    PageCopy copy = {0};
    for (uint64_t i = 0; i < n; i++) {
        uint64_t page = i * pages / n;
        if (!query_page_try(v, rows, page, &copy)) continue;
        uint32_t live = query_count_live(source, &copy);
        if (!query_page_try(v, t->col, page, &copy)) continue;
        taking->live += live;
        take_page(taking, t->cell, &copy);
    }
    keep_sample(c, t, taking);
    page_copy_free(&copy);
    mem_free(taking);
}

static double guess(const QueryTest *t) {
    double sum = 0;
    for (int32_t i = 0; i < t->count; i++) sum += t->ranges[i].one ? GUESS_ONE : GUESS_RANGE;
    return sum < 1 ? sum : 1;
}

double query_sample_share(const Column *col, const QueryTest *t, double rows) {
    const Sample *s = &col->sample;
    if (t->count == 0) return 0;
    if (!s->wait || !s->keys) return guess(t);
    if (!s->count) return 0;
    QueryTest few = *t;
    if (few.count > RANGES_MAX) few.count = RANGES_MAX;
    int32_t hits = 0;
    for (int32_t i = 0; i < s->count; i++) hits += query_test_hits_key(&few, s->keys[i].key, s->keys[i].hash);
    double share = (double)hits / s->count;
    if (!hits) share = query_test_is_equality(t) && s->distinct == s->count ? 1 / rows : 0.5 / s->count;
    share *= (double)t->count / few.count;
    return (share < 1 ? share : 1) * s->defined;
}

double query_stat_select(QueryCache *c, View *v, const ExprSource *source, const QueryTest *test) {
    if (!c) return guess(test);
    double rows =
        source->kind == EXPR_TWIN ? query_stat_rows(c, v, source->table) : query_stat_links(c, v, source->link);
    if (rows < 1) rows = 1;
    int64_t found;
    Index *ix = query_cache_best_index(c, test, &found);
    if (ix) {
        query_cache_index_unref(c, ix);
        return (double)found < rows ? (double)found / rows : 1;
    }
    query_sample_look(c, v, source, test);
    query_cache_lock(c);
    double share = query_sample_share(query_cache_column(c, test->col, test->cell), test, rows);
    query_cache_unlock(c);
    return share;
}

// ---- links between tables ----

static uint64_t fan_key(uint32_t kind, uint32_t table, bool out) {
    return ((uint64_t)kind + 1) << 33 | (uint64_t)table << 1 | out;
}

static FanSlot *fan_slot(const QueryCache *c, uint64_t key) {
    uint64_t at = key * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    for (;; at++) {
        FanSlot *s = &c->fans[at & (c->fan_cap - 1)];
        if (!s->key || s->key == key) return s;
    }
}

// (locked) Room for four more fans.
static bool fan_room(QueryCache *c) {
    if ((c->fan_count + 4) * 2 <= c->fan_cap) return true;
    uint32_t cap = c->fan_cap ? c->fan_cap * 2 : 64;
    if (cap > FANS_MAX || !query_cache_take(c, NULL, (cap - c->fan_cap) * (int64_t)sizeof *c->fans)) return false;
    FanSlot *old = c->fans;
    uint32_t old_cap = c->fan_cap;
    c->fans = mem_alloc(cap * sizeof *c->fans);
    c->fan_cap = cap;
    for (uint32_t i = 0; i < old_cap; i++) {
        if (old[i].key) *fan_slot(c, old[i].key) = old[i];
    }
    mem_free(old);
    return true;
}

static void fan_add(QueryCache *c, uint64_t key, double links) {
    FanSlot *s = fan_slot(c, key);
    c->fan_count += !s->key;
    s->key = key;
    s->links += links;
}

// (locked) Count an end in, or (sign -1) out again.
static bool count_end(QueryCache *c, const LinkEnd *e, double sign) {
    if (!fan_room(c)) return false;
    double links = sign * (double)e->links;
    fan_add(c, fan_key(e->kind, e->from, true), links);
    fan_add(c, fan_key(e->kind, e->to, false), links);
    fan_add(c, fan_key(e->kind, QUERY_ANY, true), links);
    return true;
}

// The ends of some links of a page, evenly spread; returns how many different ones.
static int32_t take_ends(View *v, const PageCopy *p, LinkEnd out[ENDS_MAX]) {
    uint32_t live = 0, seen = 0, k = 0;
    int32_t n = 0;
    for (uint32_t r = 0; r < p->rows; r++) live += page_link_source(p->cells + (size_t)r * PAGE_LINK_WORDS).v != 0;
    uint32_t step = (live + ENDS_MAX - 1) / ENDS_MAX;
    for (uint32_t r = 0; r < p->rows; r++) {
        const uint64_t *link = p->cells + (size_t)r * PAGE_LINK_WORDS;
        if (!page_link_source(link).v || seen++ != pick(k, step)) continue;
        k++;
        TwinView from = view_twin_place(v, page_link_source(link)), to = view_twin_place(v, page_link_target(link));
        if (!from.alive || !to.alive) continue;
        LinkEnd e = {page_link_kind(link), from.table, to.table, (float)step};
        int32_t i = 0;
        while (i < n && (out[i].kind != e.kind || out[i].from != e.from || out[i].to != e.to)) i++;
        if (i == n) out[n++] = e;
        else out[i].links += e.links;
    }
    return n;
}

// (locked)
static void keep_ends(QueryCache *c, LinkFact *f, uint64_t mark, const LinkEnd *ends, int32_t n) {
    int64_t more = (n - f->end_count) * (int64_t)sizeof *ends;
    for (int32_t i = 0; i < f->end_count; i++) count_end(c, &f->ends[i], -1);
    mem_free(f->ends);
    f->ends = NULL;
    f->ends_mark = 0;
    bool room = more <= 0 || query_cache_take(c, NULL, more);
    if (more < 0 || !room) {
        query_cache_give(c, room ? -more : f->end_count * (int64_t)sizeof *ends);
    }
    f->end_count = 0;
    if (!room) return;
    f->ends = mem_alloc((size_t)n * sizeof *ends);
    f->ends_mark = mark;
    for (int32_t i = 0; i < n && count_end(c, &ends[i], 1); i++) f->ends[f->end_count++] = ends[i];
    query_cache_give(c, (n - f->end_count) * (int64_t)sizeof *ends);
}

static void look_at_links(QueryCache *c, View *v, uint64_t page, PageCopy *copy) {
    uint64_t mark = view_page_mark(v, VECNO_LINK, page);
    if (!mark || mark == PAGE_MARK_NONE) return;
    query_cache_lock(c);
    bool known = page < c->link_cap && c->links[page].mark == mark && c->links[page].ends_mark == mark;
    query_cache_unlock(c);
    if (known) return;
    KindCount kinds[PAGE_ROWS];
    LinkEnd ends[ENDS_MAX];
    if (!query_page_try(v, VECNO_LINK, page, copy)) return;
    bool before = v->overrun;
    int32_t kind_count = query_count_kinds(copy, kinds), end_count = take_ends(v, copy, ends);
    v->overrun = before; // twins that could not be read are not counted, that is all
    query_cache_lock(c);
    query_cache_learn_links(c, page, mark, kinds, kind_count);
    if (page < c->link_cap && c->links[page].mark == mark) keep_ends(c, &c->links[page], mark, ends, end_count);
    query_cache_unlock(c);
}

static uint64_t gcd(uint64_t a, uint64_t b) { return b ? gcd(b, a % b) : a; }

// Pages are visited in steps of about the golden section: the first few lie evenly over all, and all get their turn.
void query_stat_refresh(QueryCache *c, View *v) {
    uint64_t pages = c ? view_pages(v, VECNO_LINK) : 0, step = pages * 618 / 1000 + 1;
    if (!c) return;
    while (pages && gcd(step, pages) != 1) step++;
    query_cache_lock(c);
    c->ticks++;
    uint64_t hand = c->hand, n = c->warm ? PAGES_NEXT : PAGES_FIRST;
    if (n > pages) n = pages;
    if (pages) {
        c->hand = (hand + n * step) % pages;
        c->warm = true;
    }
    query_cache_unlock(c);
    PageCopy copy = {0};
    for (uint64_t i = 0; i < n; i++) look_at_links(c, v, (hand + i * step) % pages, &copy);
    page_copy_free(&copy);
}

double query_stat_rows(QueryCache *c, View *v, uint32_t table) {
    double used = (double)view_table_rows(v, table), share = 1;
    if (c) {
        query_cache_lock(c);
        double known = query_cache_column(c, v->catalog->tables[table].rows, CELL_I64)->live_share;
        if (known > 0) share = known;
        query_cache_unlock(c);
    }
    return used * share;
}

double query_stat_links(QueryCache *c, View *v, uint32_t kind) {
    double all = (double)view_meta(v, META_LINKS), share = 1.0 / (v->catalog->kind_count ? v->catalog->kind_count : 1);
    if (c) {
        query_cache_lock(c);
        if (c->known_links > 0) share = kind < c->kind_cap ? c->kind_links[kind] / c->known_links : 0;
        query_cache_unlock(c);
    }
    double links = all * share;
    return links < 1 ? (all < 1 ? all : 1) : links;
}

// Of the sampled links of a kind, the share at a twin of `table`; -1: none was sampled.
static double fan_share(QueryCache *c, uint32_t kind, uint32_t table, bool out) {
    double share = -1;
    query_cache_lock(c);
    double total = c->fan_cap ? fan_slot(c, fan_key(kind, QUERY_ANY, true))->links : 0;
    if (total >= 1) {
        share = fan_slot(c, fan_key(kind, table, out))->links / total;
        if (share <= 0) share = 0.5 / (total + 1);
    }
    query_cache_unlock(c);
    return share < 1 ? share : 1;
}

// May twins of a table be at that end of links of the kind, as far as models tell?
static bool may_be_end(const Catalog *c, uint32_t kind, uint32_t table, bool out) {
    const Rel *rel = c->kinds[kind].rel;
    Str need = out ? rel->owner->id : rel->target;
    return need.n == 0 || model_is(c->tables[table].model, need);
}

// Rows of all tables that may be at that end.
static double rows_at_end(QueryCache *c, View *v, uint32_t kind, bool out) {
    double rows = 0;
    for (int32_t t = 0; t < v->catalog->table_count; t++) {
        if (may_be_end(v->catalog, kind, (uint32_t)t, out)) rows += query_stat_rows(c, v, (uint32_t)t);
    }
    return rows < 1 ? 1 : rows;
}

double query_stat_end(QueryCache *c, View *v, uint32_t kind, uint32_t table, bool out) {
    if (!may_be_end(v->catalog, kind, table, !out)) return 0;
    double share = c ? fan_share(c, kind, table, !out) : -1;
    if (share >= 0) return share;
    double all = rows_at_end(c, v, kind, !out), rows = query_stat_rows(c, v, table);
    return all > rows ? rows / all : 1;
}

double query_stat_fan(QueryCache *c, View *v, uint32_t kind, uint32_t table, bool out) {
    double links = query_stat_links(c, v, kind);
    if (table == QUERY_ANY) {
        double twins = (double)view_meta(v, META_TWINS);
        return links / (twins < 1 ? 1 : twins);
    }
    if (!may_be_end(v->catalog, kind, table, out)) return 0;
    double share = c ? fan_share(c, kind, table, out) : -1, rows = query_stat_rows(c, v, table);
    if (share < 0) return links / rows_at_end(c, v, kind, out);
    return links * share / (rows < 1 ? 1 : rows);
}
