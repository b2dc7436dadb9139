// SPDX-License-Identifier: Apache-2.0
// The door of the page evaluator: what expr.h says of ExprPage. How it works: page_lane.h.
#include <string.h>
#include "base/mem.h"
#include "expr/page_lane.h"

ExprPage *expr_page_new(void) { return mem_alloc(sizeof(ExprPage)); }

void expr_page_free(ExprPage *p) {
    if (!p) return;
    for (int32_t i = 0; i < p->column_cap; i++) {
        page_copy_free(&p->columns[i]->copy);
        mem_free(p->columns[i]);
    }
    mem_free(p->columns);
    for (int s = 0; s < 3; s++) {
        for (int32_t i = 0; i < p->stacks[s].cap; i++) mem_free(p->stacks[s].slot[i]);
        mem_free(p->stacks[s].slot);
    }
    page_copy_free(&p->cold);
    mem_free(p->names);
    mem_free(p);
}

void expr_page_at(ExprPage *p, ExprRun *run, const ExprSource *source, uint64_t page_no) {
    p->run = run;
    p->source = *source;
    p->page_no = page_no;
    p->column_count = 0;
    for (int s = 0; s < 3; s++) p->stacks[s].used = 0;
    p->named = (Sel){{0}};
}

// Rows as bits. Whole words, the rule in dense selections, go at once.
static Sel sel_of(const uint16_t *rows, int32_t n) {
    Sel sel = {{0}};
    for (int32_t k = 0; k < n;) {
        uint32_t r = rows[k];
        bool whole = (r & 63) == 0 && k + 63 < n && rows[k + 63] == r + 63; // ascending: nothing is left out
        sel.bits[r >> 6] |= whole ? UINT64_MAX : (uint64_t)1 << (r & 63);
        k += whole ? 64 : 1;
    }
    return sel;
}

static int32_t rows_of(const Sel *sel, uint16_t *rows) {
    int32_t n = 0;
    for (uint32_t w = 0; w < LANE_WORDS; w++) {
        uint64_t m = sel->bits[w];
        if (m == UINT64_MAX) {
            for (uint32_t i = 0; i < 64; i++) rows[n + (int32_t)i] = (uint16_t)(64 * w + i);
            n += 64;
            continue;
        }
        for (; m; m &= m - 1) rows[n++] = (uint16_t)(64 * w + (uint32_t)__builtin_ctzll(m));
    }
    return n;
}

int32_t expr_page_live(ExprPage *p, uint16_t rows[PAGE_ROWS]) {
    const PageCopy *c = lane_rows(p);
    Sel all = {{0}}, live = {{0}};
    if (!c->rows) return 0;
    if (p->source.kind == EXPR_TWIN) { // a free row is 0 or below: its first bit is set
        memset(all.bits, 0xff, sizeof all.bits);
        kernel_i64_c(BOUND_GT, (const int64_t *)c->cells, 0, &all, live.bits);
        return rows_of(&live, rows);
    }
    int32_t n = 0;
    for (uint32_t r = 0; r < c->rows; r++) {
        rows[n] = (uint16_t)r;
        n += lane_row_id(p, r) != 0;
    }
    return n;
}

// A free row has no value in any column (world/twin.c clears them), and a relation of nothing is undefined.
bool expr_page_valued(ExprPage *p, const Bound *b, uint16_t rows[PAGE_ROWS], int32_t *n) {
    if (p->source.kind != EXPR_TWIN || b->op < BOUND_EQ || b->op > BOUND_GE || b->args[0]->op != BOUND_CELL)
        return false;
    const PageCopy *c = lane_column(p, b->args[0]->column, PAGE_CELLS);
    Sel valued = {{0}};
    if (c->rows) memcpy(valued.bits, c->valid, sizeof valued.bits);
    *n = rows_of(&valued, rows);
    return true;
}

uint64_t expr_page_id(ExprPage *p, uint16_t row) { return lane_row_id(p, row); }

int32_t expr_page_filter_all(const Bound *const *all, int32_t count, ExprPage *p, uint16_t *rows, int32_t n) {
    if (count == 0) return n;
    Sel sel = sel_of(rows, n), passed;
    uint64_t any = n > 0;
    for (int32_t i = 0; i < count && any; i++) {
        lane_test(p, all[i], &sel, true, &passed);
        sel = passed;
        any = 0;
        for (uint32_t w = 0; w < LANE_WORDS; w++) any |= sel.bits[w];
    }
    return rows_of(&sel, rows);
}

int32_t expr_page_filter(const Bound *b, ExprPage *p, uint16_t *rows, int32_t n) {
    return expr_page_filter_all(&b, 1, p, rows, n);
}

// ---- values out ----

// From the page's rows to places in the selection.
static void gather(const Lane *l, const uint16_t *rows, int32_t n, ExprVec *out) {
    for (int32_t k = 0; k < n; k++) {
        ExprValue v = lane_get(l, rows[k]);
        out->valid[k >> 6] |= (uint64_t)(v.type != EXPR_UNDEFINED) << (k & 63);
        switch (out->type) {
        case EXPR_UNDEFINED: break;
        case EXPR_BOOL: out->b[k] = v.type == EXPR_BOOL && v.b; break;
        case EXPR_I64:
        case EXPR_TIME:
        case EXPR_DURATION: out->i[k] = v.i; break;
        case EXPR_F64: out->d[k] = v.d; break;
        case EXPR_STR:
        case EXPR_DOC: out->s[k] = v.s; break;
        default: out->any[k] = v;
        }
    }
}

// 64 bits of a lane from row r on, r + 64 <= PAGE_ROWS.
static uint64_t bits_from(const uint64_t *bits, uint32_t r) {
    uint64_t low = bits[r >> 6] >> (r & 63);
    return r & 63 ? low | bits[(r >> 6) + 1] << (64 - (r & 63)) : low;
}

static bool is_valid(const Lane *l, uint32_t row) { return l->valid[row >> 6] >> (row & 63) & 1; }

static void gather_numbers(const Lane *l, const uint16_t *rows, int32_t n, ExprVec *out) {
    for (int32_t k = 0; k < n;) {
        uint16_t r = rows[k];
        if (k % 64 == 0 && k + 63 < n && rows[k + 63] == r + 63) { // ascending: nothing is left out
            out->valid[k / 64] = bits_from(l->valid, r);
            memcpy(out->i + k, l->i + r, 64 * sizeof *out->i);
            k += 64;
            continue;
        }
        out->valid[k >> 6] |= (uint64_t)is_valid(l, r) << (k & 63);
        out->i[k++] = l->i[r];
    }
}

static void gather_bits(const Lane *l, const uint16_t *rows, int32_t n, ExprVec *out) {
    for (int32_t k = 0; k < n; k++) {
        uint16_t r = rows[k];
        uint64_t there = is_valid(l, r);
        out->valid[k >> 6] |= there << (k & 63);
        out->b[k] = (uint8_t)(there & l->bits[r >> 6] >> (r & 63));
    }
}

static void gather_texts(const Lane *l, const uint16_t *rows, int32_t n, ExprVec *out) {
    for (int32_t k = 0; k < n; k++) {
        bool there = is_valid(l, rows[k]);
        out->valid[k >> 6] |= (uint64_t)there << (k & 63);
        out->s[k] = there ? lane_str(l, rows[k]) : (Str){0};
    }
}

// The same for lanes whose values need no look; false: others.
static bool gather_plain(const Lane *l, const uint16_t *rows, int32_t n, ExprVec *out) {
    if (l->type != out->type) return false;
    switch (l->kind) {
    case LANE_F64:
    case LANE_I64: gather_numbers(l, rows, n, out); return true;
    case LANE_BITS: gather_bits(l, rows, n, out); return true;
    case LANE_TEXT:
    case LANE_STR: gather_texts(l, rows, n, out); return true;
    default: return false;
    }
}

void expr_page_eval(const Bound *b, ExprPage *p, const uint16_t *rows, int32_t n, ExprVec *out) {
    Sel sel = sel_of(rows, n);
    Lane room, l;
    *out = (ExprVec){.type = b->type};
    lane_begin(p, b->type == EXPR_BOOL ? EXPR_I64 : b->type, &room); // a byte a row for BOOL
    if (room.kind != LANE_NONE) out->any = room.p;
    LaneMark mark = lane_mark(p);
    lane_eval(p, b, &sel, &l);
    if (!gather_plain(&l, rows, n, out)) gather(&l, rows, n, out);
    lane_release(p, mark);
}
