// SPDX-License-Identifier: Apache-2.0
#include "expr/page_lane.h"
#include "base/check.h"
#include "base/mem.h"
#include "world/past.h"

enum { ROW_8, ROW_16, ROW_24 };
_Static_assert(sizeof(Str) == 16 && sizeof(Text) == 16 && sizeof(ExprValue) == 24, "sizes of the stacks");

// ---- memory ----

LaneMark lane_mark(const ExprPage *p) { return (LaneMark){{p->stacks[0].used, p->stacks[1].used, p->stacks[2].used}}; }

void lane_release(ExprPage *p, LaneMark mark) {
    for (int i = 0; i < 3; i++) p->stacks[i].used = mark.used[i];
}

static void *take(ExprPage *p, int size) {
    LaneStack *s = &p->stacks[size];
    if (s->used == s->cap) {
        int32_t cap = s->cap ? s->cap * 2 : 8;
        s->slot = mem_grow(s->slot, (size_t)cap * sizeof *s->slot);
        for (int32_t i = s->cap; i < cap; i++) s->slot[i] = NULL;
        s->cap = cap;
    }
    void **slot = &s->slot[s->used++];
    if (!*slot) {
        size_t bytes = (size_t)PAGE_ROWS * 8 * (size_t)(size + 1);
        *slot = mem_alloc_page(bytes);
        memset(*slot, 0, bytes); // kernels run over rows nobody wrote
    }
    return *slot;
}

void lane_begin(ExprPage *p, ExprType type, Lane *out) {
    out->type = type;
    memset(out->valid, 0, sizeof out->valid);
    switch (type) {
    case EXPR_UNDEFINED: out->kind = LANE_NONE; return;
    case EXPR_BOOL:
        out->kind = LANE_BITS;
        memset(out->bits, 0, sizeof out->bits);
        return;
    case EXPR_I64:
    case EXPR_TIME:
    case EXPR_DURATION: out->kind = LANE_I64; break;
    case EXPR_F64: out->kind = LANE_F64; break;
    case EXPR_STR:
    case EXPR_DOC: out->kind = LANE_STR; break;
    case EXPR_NULL:
    case EXPR_POINT:
    case EXPR_ANY: out->kind = LANE_ANY; break;
    }
    out->p = take(p, out->kind == LANE_ANY ? ROW_24 : out->kind == LANE_STR ? ROW_16 : ROW_8);
}

void lane_none(Lane *out) {
    out->kind = LANE_NONE;
    out->type = EXPR_UNDEFINED;
    memset(out->valid, 0, sizeof out->valid);
}

void lane_const(Lane *out, ExprValue v) {
    if (v.type == EXPR_UNDEFINED) {
        lane_none(out);
        return;
    }
    out->kind = LANE_CONST;
    out->type = v.type;
    out->value = v;
    memset(out->valid, 0xff, sizeof out->valid);
}

// ---- rows ----

void lane_put(Lane *l, uint32_t row, const ExprValue *v) {
    uint64_t bit = (uint64_t)1 << (row & 63);
    bool there = v->type != EXPR_UNDEFINED;
    l->valid[row >> 6] = (l->valid[row >> 6] & ~bit) | (there ? bit : 0);
    if (l->kind == LANE_ANY) ((ExprValue *)l->p)[row] = *v;
    if (!there || l->kind == LANE_ANY) return;
    CHECK(v->type == l->type); // what the binder said
    switch (l->kind) {
    case LANE_BITS: l->bits[row >> 6] = (l->bits[row >> 6] & ~bit) | (v->b ? bit : 0); return;
    case LANE_I64: ((int64_t *)l->p)[row] = v->i; return;
    case LANE_F64: ((double *)l->p)[row] = v->d; return;
    case LANE_STR: ((Str *)l->p)[row] = v->s; return;
    default: CHECK(!"a lane that is written");
    }
}

Str lane_str(const Lane *l, uint32_t row) {
    if (l->kind == LANE_TEXT) return text_str(&l->text[row]);
    return l->kind == LANE_STR ? l->s[row] : l->value.s;
}

ExprValue lane_get(const Lane *l, uint32_t row) {
    if (!(l->valid[row >> 6] >> (row & 63) & 1)) return (ExprValue){.type = EXPR_UNDEFINED};
    switch (l->kind) {
    case LANE_NONE: break;
    case LANE_CONST: return l->value;
    case LANE_BITS: return (ExprValue){.type = EXPR_BOOL, .b = l->bits[row >> 6] >> (row & 63) & 1};
    case LANE_I64: return (ExprValue){.type = l->type, .i = l->i[row]};
    case LANE_F64: return (ExprValue){.type = EXPR_F64, .d = l->d[row]};
    case LANE_TEXT:
    case LANE_STR: return (ExprValue){.type = l->type, .s = lane_str(l, row)};
    case LANE_ANY: return l->any[row];
    }
    return (ExprValue){.type = EXPR_UNDEFINED};
}

void lane_truth(const Lane *l, uint64_t yes[LANE_WORDS], uint64_t no[LANE_WORDS]) {
    memset(yes, 0, LANE_WORDS * 8);
    memset(no, 0, LANE_WORDS * 8);
    if (l->kind == LANE_CONST && l->value.type == EXPR_BOOL) memset(l->value.b ? yes : no, 0xff, LANE_WORDS * 8);
    for (uint32_t w = 0; w < LANE_WORDS && l->kind == LANE_BITS; w++) {
        yes[w] = l->valid[w] & l->bits[w];
        no[w] = l->valid[w] & ~l->bits[w];
    }
    if (l->kind != LANE_ANY) return;
    EACH_ROW(l->valid, r) {
        if (l->any[r].type == EXPR_BOOL) (l->any[r].b ? yes : no)[r >> 6] |= (uint64_t)1 << (r & 63);
    }
}

Ints lane_ints(ExprPage *p, const Lane *l) {
    if (l->kind == LANE_I64) return (Ints){l->i, 64};
    if (l->kind != LANE_CONST) return (Ints){0};
    int64_t *to = take(p, ROW_8);
    for (uint32_t i = 0; i < 64; i++) to[i] = l->value.i;
    return (Ints){to, 0};
}

Doubles lane_doubles(ExprPage *p, const Lane *l, const Sel *sel) {
    ExprType type = lane_type(l);
    if (l->kind == LANE_F64) return (Doubles){l->d, 64};
    if ((type != EXPR_F64 && type != EXPR_I64) || (l->kind != LANE_I64 && l->kind != LANE_CONST)) return (Doubles){0};
    double *to = take(p, ROW_8);
    if (l->kind == LANE_I64) {
        kernel_to_f64(l->i, sel, to);
        return (Doubles){to, 64};
    }
    double x = type == EXPR_F64 ? l->value.d : (double)l->value.i;
    for (uint32_t i = 0; i < 64; i++) to[i] = x;
    return (Doubles){to, 0};
}

// ---- columns ----

const PageCopy *lane_column(ExprPage *p, uint32_t vec, uint32_t what) {
    for (int32_t i = 0; i < p->column_count; i++) {
        PageColumn *c = p->columns[i];
        if (c->vec == vec && (c->what == what || what == 0)) return &c->copy;
    }
    if (p->column_count == p->column_cap) {
        int32_t cap = p->column_cap ? p->column_cap * 2 : 8;
        p->columns = mem_grow(p->columns, (size_t)cap * sizeof(PageColumn *));
        for (int32_t i = p->column_cap; i < cap; i++) p->columns[i] = mem_alloc(sizeof(PageColumn));
        p->column_cap = cap;
    }
    PageColumn *c = p->columns[p->column_count++];
    c->vec = vec;
    c->what = what;
    view_page(p->run->view, vec, p->page_no, what, &c->copy);
    return &c->copy;
}

const PageCopy *lane_rows(ExprPage *p) {
    bool twins = p->source.kind == EXPR_TWIN;
    uint32_t vec = twins ? p->run->view->catalog->tables[p->source.table].rows : VECNO_LINK;
    return lane_column(p, vec, PAGE_CELLS);
}

uint64_t lane_row_id(ExprPage *p, uint32_t row) {
    const PageCopy *rows = lane_rows(p);
    if (row >= rows->rows) return 0;
    if (p->source.kind == EXPR_TWIN) return page_row_twin(rows->cells[row]).v;
    const uint64_t *link = rows->cells + (size_t)row * PAGE_LINK_WORDS;
    bool alive = page_link_source(link).v && page_link_kind(link) == p->source.link;
    return alive ? p->page_no * PAGE_ROWS + row : 0;
}

// ---- names ----

// Ask for the line of a twin's name that is wanted soon.
static void prefetch_name(ExprPage *p, uint64_t id, uint64_t *page_no, const Page **page) {
    if (*page_no != id >> PAGE_SHIFT) {
        *page_no = id >> PAGE_SHIFT;
        *page = view_page_ahead(p->run->view, VECNO_COLD, id);
    }
    uint32_t r = (uint32_t)(id & (PAGE_ROWS - 1));
    if (*page && r < (*page)->cap) __builtin_prefetch((const void *)&(*page)->words[page_cell_word(*page, r)]);
}

// Names of n twins in one page of the name vector: most of the page, copied at once, or one by one.
static void names_of_page(ExprPage *p, const uint64_t *ids, const uint16_t *rows, int32_t n) {
    enum { MANY = 160, WORDS = 4 };
    View *v = p->run->view;
    bool copied = n >= MANY;
    if (copied) view_page(v, VECNO_COLD, ids[0] >> PAGE_SHIFT, PAGE_CELLS, &p->cold);
    for (int32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)(ids[i] & (PAGE_ROWS - 1)) * WORDS;
        uint64_t *to = p->names[rows[i]].w;
        if (!copied) view_words(v, VECNO_COLD, ids[i], 0, 2, to);
        else if (p->cold.rows) memcpy(to, p->cold.cells + at, sizeof(Text));
        else memset(to, 0, sizeof(Text)); // outrun
    }
}

static void load_twin_names(ExprPage *p, const uint64_t *ids, const uint16_t *rows, int32_t n) {
    enum { AHEAD = 64 };
    uint64_t page_no = UINT64_MAX;
    const Page *page = NULL;
    for (int32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && ids[end] >> PAGE_SHIFT == ids[i] >> PAGE_SHIFT;) end++;
        for (int32_t k = end; k < n && k < end + AHEAD; k++) prefetch_name(p, ids[k], &page_no, &page);
        names_of_page(p, ids + i, rows + i, end - i);
    }
}

static void load_names(ExprPage *p, const Sel *wanted) {
    uint64_t ids[PAGE_ROWS];
    uint16_t rows[PAGE_ROWS];
    bool links = p->source.kind == EXPR_LINK;
    const uint64_t *cells = lane_rows(p)->cells;
    int32_t n = 0;
    EACH_ROW(wanted->bits, r) {
        uint64_t id = lane_row_id(p, r);
        p->names[r] = id && links ? page_link_rid(cells + (size_t)r * PAGE_LINK_WORDS) : (Text){{0, 0}};
        ids[n] = id;
        rows[n] = (uint16_t)r;
        n += id != 0;
    }
    if (!links) load_twin_names(p, ids, rows, n);
}

void lane_names(ExprPage *p, const Sel *sel, Lane *out) {
    Sel wanted;
    uint64_t any = 0;
    for (uint32_t w = 0; w < LANE_WORDS; w++) {
        wanted.bits[w] = sel->bits[w] & ~p->named.bits[w];
        p->named.bits[w] |= sel->bits[w];
        any |= wanted.bits[w];
    }
    if (!p->names) p->names = mem_alloc_page(PAGE_ROWS * sizeof(Text));
    if (any) load_names(p, &wanted);
    out->kind = LANE_TEXT;
    out->type = EXPR_STR;
    out->text = p->names;
    memcpy(out->valid, p->named.bits, sizeof out->valid);
}
