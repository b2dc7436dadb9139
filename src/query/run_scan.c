// SPDX-License-Identifier: Apache-2.0
#include "query/run_scan.h"
#include <stdlib.h>
#include "base/mem.h"

enum {
    ROWS_SINGLY = 48, // fewer rows of a page than this are read one by one
    KINDS_PAGED = 8,  // up to so many link kinds, each is evaluated by pages
};

// ---- the list -----------------------------------------------------------------------------------------------------

static void part_add(Parts *u, Exec *x, Part part) {
    if (u->n == u->cap) {
        int64_t more = u->cap ? u->cap : 64;
        meter_bytes(x->meter, more * (int64_t)sizeof(Part));
        u->cap += more;
        u->p = mem_grow(u->p, (size_t)u->cap * sizeof(Part));
    }
    u->p[u->n++] = part;
}

static int by_spot(const void *a, const void *b) {
    const Spot *x = a, *y = b;
    if (x->of != y->of) return x->of < y->of ? -1 : 1;
    return (x->at.row > y->at.row) - (x->at.row < y->at.row);
}

// Sorted spots, cut where the page ends.
static void add_spots(Parts *u, Exec *x, Spot *spots, int64_t n) {
    if (n == 0) return;
    qsort(spots, (size_t)n, sizeof *spots, by_spot);
    uint16_t *rows = NEW(&u->keep, uint16_t, n);
    for (int64_t i = 0, first = 0; i < n; i++) {
        rows[i] = (uint16_t)(spots[i].at.row & (PAGE_ROWS - 1));
        bool last = i + 1 == n || spots[i + 1].of != spots[i].of ||
                    spots[i + 1].at.row >> PAGE_SHIFT != spots[i].at.row >> PAGE_SHIFT;
        if (!last) continue;
        part_add(u, x, (Part){spots[i].of, (int32_t)(i + 1 - first), spots[i].at.row >> PAGE_SHIFT, rows + first});
        first = i + 1;
    }
}

static void list_ids(Parts *u, Exec *x) {
    const PlanAlias *al = &x->plan->aliases[x->plan->start];
    Spot *spots = mem_grow(NULL, (size_t)(al->id_count + 1) * sizeof *spots);
    int64_t n = 0;
    for (int64_t i = 0; i < al->id_count; i++) n += exec_place(x, al->ids[i], &spots[n]);
    add_spots(u, x, spots, n);
    mem_free(spots);
}

// RELATIONSHIPS of given twins.
static void list_ends(Parts *u, Exec *x) {
    const Plan *p = x->plan;
    Spot *spots = NULL;
    int64_t n = 0, cap = 0;
    for (int64_t i = 0; i < p->end_count; i++) {
        LinkId out, in;
        view_twin_links(x->view, (TwinId){p->ends[i]}, &out, &in);
        for (LinkId l = p->ends_out ? out : in; l.v && exec_tick(x, 1);) {
            if (n == cap) {
                int64_t more = cap ? cap : 64;
                if (!meter_bytes(x->meter, more * (int64_t)sizeof *spots)) break;
                cap += more;
                spots = mem_grow(spots, (size_t)cap * sizeof *spots);
            }
            LinkView link = view_link(x->view, l);
            spots[n++] = (Spot){{l.v, l.v}, QUERY_ANY};
            l = p->ends_out ? link.next_out : link.next_in;
        }
    }
    add_spots(u, x, spots, n);
    meter_bytes(x->meter, -cap * (int64_t)sizeof *spots);
    mem_free(spots);
}

// The pages of one table or kind that its conjuncts leave.
static void list_table(Parts *u, Exec *x, QueryCache *cache, uint32_t of) {
    int32_t k = x->plan->start;
    ExprSourceKind kind = x->plan->aliases[k].kind;
    const Tab *tab = exec_tab(x, k, of);
    if (tab->why.err != ERR_OK) exec_refuse(x, &tab->why);
    if (tab->none) return;
    ExprSource s = {.kind = kind, .table = kind == EXPR_TWIN ? of : 0, .link = kind == EXPR_LINK ? of : 0};
    QueryTest *tests;
    int32_t n = exec_tests(x, k, of, &tests);
    if (u->hit_count == u->hit_cap) {
        u->hit_cap = u->hit_cap ? 2 * u->hit_cap : 8;
        u->hits = mem_grow(u->hits, (size_t)u->hit_cap * sizeof *u->hits);
    }
    QueryHits *h = &u->hits[u->hit_count++];
    query_hits(cache, x->view, &s, tests, n, h);
    u->skipped += h->skipped;
    if (h->how > u->how) {
        u->how = h->how;
        u->col = h->col;
    }
    for (int64_t i = 0; i < h->page_count; i++) {
        const QueryHitPage *page = &h->pages[i];
        part_add(u, x, (Part){of, page->count, page->page_no, page->rows});
    }
}

static int by_page(const void *a, const void *b) {
    const Part *x = a, *y = b;
    if (x->page_no != y->page_no) return x->page_no < y->page_no ? -1 : 1;
    return (x->of > y->of) - (x->of < y->of);
}

static bool takes_kind(Exec *x, int32_t kind) {
    const Plan *p = x->plan;
    const bool *rels = p->first_edge >= 0 ? p->rels[p->first_edge] : NULL;
    if (rels && !rels[kind]) return false;
    const Tab *tab = exec_tab(x, p->start, (uint32_t)kind);
    return tab->why.err != ERR_OK || !tab->none;
}

// Few kinds: each by its pages. Many, or nothing to filter: all links of a page at once.
static void list_kinds(Parts *u, Exec *x, QueryCache *cache) {
    int32_t kinds = 0;
    bool filtered = false;
    for (int32_t k = 0; k < x->plan->kind_count; k++) {
        if (!takes_kind(x, k)) continue;
        kinds++;
        filtered |= exec_tab(x, x->plan->start, (uint32_t)k)->count > 0;
    }
    if (kinds == 1 || (filtered && kinds <= KINDS_PAGED)) {
        for (int32_t k = 0; k < x->plan->kind_count; k++)
            if (takes_kind(x, k)) list_table(u, x, cache, (uint32_t)k);
        if (kinds > 1 && u->n) qsort(u->p, (size_t)u->n, sizeof(Part), by_page);
        return;
    }
    uint64_t pages = kinds ? view_pages(x->view, VECNO_LINK) : 0;
    for (uint64_t i = 0; i < pages; i++) part_add(u, x, (Part){QUERY_ANY, 0, i, NULL});
}

void parts_init(Parts *u) {
    memset(u, 0, sizeof *u);
    arena_init(&u->keep, 0);
}

void parts_make(Parts *u, Exec *x, QueryCache *cache) {
    const Plan *p = x->plan;
    if (p->nothing) return;
    if (p->how == START_IDS) list_ids(u, x);
    else if (p->how == START_ENDS) list_ends(u, x);
    else if (p->aliases[p->start].kind == EXPR_LINK) list_kinds(u, x, cache);
    else
        for (int32_t t = 0; t < p->table_count; t++)
            if (view_table_rows(x->view, (uint32_t)t)) list_table(u, x, cache, (uint32_t)t);
    atomic_fetch_add(&x->meter->skipped, u->skipped);
}

void parts_free(Parts *u) {
    for (int32_t i = 0; i < u->hit_count; i++) query_hits_free(&u->hits[i]);
    mem_free(u->hits);
    mem_free(u->p);
    arena_free(&u->keep);
}

// ---- one part -----------------------------------------------------------------------------------------------------

// A row of a part as a spot; false when nothing lives there that the plan takes.
static bool spot_of(const Part *u, Exec *x, ExprSourceKind kind, uint64_t row, Spot *out) {
    if (kind == EXPR_TWIN) {
        *out = (Spot){{view_row_twin(x->view, u->of, row).v, row}, u->of};
        return out->at.id != 0;
    }
    LinkView l = view_link(x->view, (LinkId){row});
    *out = (Spot){{row, row}, l.kind};
    if (!l.alive || l.kind >= (uint32_t)x->plan->kind_count) return false;
    if (u->of != QUERY_ANY) return l.kind == u->of;
    return takes_kind(x, (int32_t)l.kind);
}

static void run_singly(const Part *u, Exec *x, Found *out) {
    int32_t k = x->plan->start, n = u->rows ? u->count : (int32_t)PAGE_ROWS;
    ExprSourceKind kind = x->plan->aliases[k].kind;
    for (int32_t i = 0; i < n && exec_goes(x); i++) {
        uint64_t row = u->page_no << PAGE_SHIFT | (u->rows ? u->rows[i] : (uint32_t)i);
        Spot *s = &out->spots[out->n];
        if (!spot_of(u, x, kind, row, s)) continue;
        exec_tick(x, 1);
        if (exec_passes(x, k, s)) out->n++;
    }
}

// What is in both: live rows of the page and rows of the part. Without branches: either may be half of the page.
static int32_t among(uint16_t *sel, int32_t n, const uint16_t *rows, int32_t count) {
    uint64_t wanted[PAGE_ROWS / 64] = {0};
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) wanted[rows[i] >> 6] |= (uint64_t)1 << (rows[i] & 63);
    for (int32_t i = 0; i < n; i++) {
        uint16_t row = sel[i];
        sel[kept] = row;
        kept += (int32_t)(wanted[row >> 6] >> (row & 63) & 1);
    }
    return kept;
}

// The rows of a page to be tested. Where the first conjunct cannot hold for a row without a value, the live ones need
// not be found: every row used so far counts as looked at.
static int32_t rows_asked(const Part *u, Exec *x, const Tab *tab, uint16_t *sel) {
    int32_t n;
    bool valued = tab->count && expr_page_valued(x->page, tab->filters[0], sel, &n);
    if (!valued) n = expr_page_live(x->page, sel);
    if (u->rows) n = among(sel, n, u->rows, u->count);
    int64_t looked = n;
    if (valued && !u->rows) {
        uint64_t used = view_table_rows(x->view, u->of) - (u->page_no << PAGE_SHIFT);
        looked = used < PAGE_ROWS ? (int64_t)used : PAGE_ROWS;
    }
    exec_tick(x, looked);
    return n;
}

static void run_paged(const Part *u, Exec *x, bool spots, Found *out) {
    int32_t k = x->plan->start;
    const QueryAlias *a = &x->q->aliases[k];
    ExprSource s = {.alias = a->name, .kind = a->kind};
    if (a->kind == EXPR_TWIN) s.table = u->of;
    else s.link = u->of;
    if (!x->page) x->page = expr_page_new();
    arena_reset(&x->scratch);
    expr_page_at(x->page, &x->run, &s, u->page_no);
    const Tab *tab = exec_tab(x, k, u->of);
    int32_t n = rows_asked(u, x, tab, out->sel);
    if (tab->why.err != ERR_OK && n) exec_refuse(x, &tab->why);
    if (tab->none) n = 0;
    n = expr_page_filter_all(tab->filters, tab->count, x->page, out->sel, n);
    out->n = n;
    out->paged = true;
    for (int32_t i = 0; spots && i < n; i++) {
        uint64_t row = u->page_no << PAGE_SHIFT | out->sel[i];
        out->spots[i] = (Spot){{expr_page_id(x->page, out->sel[i]), row}, u->of};
    }
}

void part_run(const Part *u, Exec *x, bool spots, Found *out) {
    out->n = 0;
    out->paged = false;
    atomic_fetch_add_explicit(&x->meter->pages, 1, memory_order_relaxed);
    if (u->of == QUERY_ANY || (u->rows && u->count < ROWS_SINGLY) || x->plan->singly) run_singly(u, x, out);
    else run_paged(u, x, spots, out);
    x->step_rows[x->q->edge_count] += out->n;
    exec_flush(x);
}
