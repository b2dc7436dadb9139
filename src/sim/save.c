// SPDX-License-Identifier: Apache-2.0
// A Sim as bytes, and copies of it.
//
//   "SOSIASIM" version graph lanes scenarios seed epoch now seq
//   columns in their order: column name rows, v, seen when an engine writes it, rows to be told
//   instances by rank:      engine instance lane, state, by role: own, last, rows touched, rows not told
//   calendar in order, symbols by number, CRC-32C
//
// Little-endian, doubles by their bits. What follows from these (readers, plans, next events) is made again.
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "sim/inner.h"

enum { SAVE_VERSION = 3 };
static const char MAGIC[8] = {'S', 'O', 'S', 'I', 'A', 'S', 'I', 'M'};

// ---- saving --------------------------------------------------------------------------------------------------------

static void put_f64(Buf *b, double v) { buf_u64(b, bits_of(v)); }

static void put_str(Buf *b, Str s) {
    buf_varint(b, (uint64_t)s.n);
    buf_str_put(b, s);
}

static void put_array(Buf *b, const Array *a) {
    buf_byte(b, a != NULL);
    if (a) buf_put(b, a->v, (int64_t)((size_t)a->rows * a->lanes * sizeof(double)));
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void put_rows(Buf *b, const RowSet *s) {
    buf_varint(b, s->n);
    if (s->n == 0) return;
    uint32_t *rows = mem_alloc(s->n * sizeof *rows), i = 1;
    memcpy(rows, s->rows, s->n * sizeof *rows);
    while (i < s->n && rows[i - 1] < rows[i]) i++;
    if (i < s->n) qsort(rows, s->n, sizeof *rows, by_number);
    for (i = 0; i < s->n; i++) {
        buf_varint(b, rows[i]);
        buf_byte(b, (char)s->mask[rows[i]]);
    }
    mem_free(rows);
}

static void put_columns(const Sim *s, Buf *b) {
    buf_varint(b, s->wire->column_count);
    for (uint32_t k = 0; k < s->wire->column_count; k++) {
        uint32_t i = s->wire->ordered[k];
        buf_varint(b, s->wire->columns[i].what.col);
        put_str(b, s->wire->columns[i].name);
        buf_varint(b, s->wire->columns[i].what.rows);
        put_array(b, s->columns[i].v);
        put_array(b, s->columns[i].seen);
        put_rows(b, &s->columns[i].told);
    }
}

static void put_inst(const Inst *i, Buf *b) {
    put_str(b, str_of(i->wire->e.engine->name));
    put_str(b, i->wire->e.instance);
    buf_varint(b, i->wire->lane0);
    buf_byte(b, (char)i->rooted);
    put_str(b, (Str){i->ctx.state, (int64_t)i->ctx.state_size});
    buf_varint(b, i->wire->e.role_count);
    for (uint32_t r = 0; r < i->wire->e.role_count; r++) {
        const Port *p = &i->ports[r];
        put_array(b, p->own);
        put_array(b, p->last);
        put_rows(b, &p->touched);
        put_rows(b, &p->fresh);
        put_rows(b, &p->drift);
    }
}

static int by_time(const void *a, const void *b) { return calendar_before(a, b) ? -1 : 1; }

static void put_calendar(const Sim *s, Buf *b) {
    int64_t n = s->calendar.n;
    Item *items = mem_alloc((size_t)(n ? n : 1) * sizeof *items);
    if (n) memcpy(items, s->calendar.items, (size_t)n * sizeof *items);
    if (n > 1) qsort(items, (size_t)n, sizeof *items, by_time);
    buf_varint(b, (uint64_t)n);
    for (int64_t i = 0; i < n; i++) {
        const Item *x = &items[i];
        put_f64(b, x->t);
        buf_varint_signed(b, x->priority);
        buf_varint(b, x->twin);
        buf_varint(b, x->seq);
        buf_byte(b, (char)(x->post | x->known << 1));
        buf_byte(b, (char)x->lanes);
        buf_varint(b, x->post ? x->of : s->wire->columns[x->of].order);
        buf_varint(b, x->row);
        buf_u64(b, x->arg);
    }
    mem_free(items);
}

static void put_symbols(const Symbols *y, Buf *b) {
    uint32_t *number = mem_alloc((y->count + 1) * sizeof *number), n = 0;
    for (uint32_t i = 0; i <= y->mask; i++) {
        if (y->text[i].p) number[n++] = y->number[i];
    }
    qsort(number, n, sizeof *number, by_number);
    buf_varint(b, n);
    for (uint32_t i = 0; i < n; i++) {
        buf_varint(b, number[i]);
        put_str(b, symbols_get(y, number[i]));
    }
    mem_free(number);
}

void sim_save(const Sim *s, Buf *out) {
    CHECK(s->started && !s->failed);
    int64_t from = out->n;
    buf_put(out, MAGIC, sizeof MAGIC);
    buf_u32(out, SAVE_VERSION);
    buf_u64(out, s->graph->version);
    buf_byte(out, (char)s->open.lanes);
    for (uint32_t l = 0; l < s->open.lanes; l++) buf_u64(out, s->open.scenario[l]);
    buf_u64(out, s->open.seed);
    buf_u64(out, (uint64_t)s->open.epoch_ns);
    put_f64(out, s->now);
    buf_u64(out, s->seq);
    put_columns(s, out);
    buf_varint(out, s->wire->inst_count);
    for (uint32_t i = 0; i < s->wire->inst_count; i++) put_inst(&s->insts[i], out);
    put_calendar(s, out);
    put_symbols(s->symbols, out);
    buf_u32(out, out->full ? 0 : crc32c(0, out->p + from, out->n - from));
}

uint64_t sim_hash(const Sim *s) {
    Buf b = {.max = INT64_MAX};
    sim_save(s, &b);
    uint64_t h = str_hash(buf_str(&b));
    buf_free(&b);
    return h;
}

// ---- loading -------------------------------------------------------------------------------------------------------

typedef struct Load {
    Sim *s;
    Cut c;
    Diag *d;
} Load;

static Err corrupt(Load *l, const char *what) {
    return diag_add(l->d, ERR_CORRUPT, -1, -1, STR("saved run"), "it is damaged: %s", what);
}

static Err other(Load *l, const char *what, Str name) {
    return diag_add(l->d, ERR_VALIDATION, -1, -1, name, "the saved run is of another model: %s", what);
}

static double get_f64(Cut *c) { return double_of(cut_u64(c)); }

static Str get_str(Cut *c) {
    uint64_t n = cut_varint(c);
    if (c->bad || n > (uint64_t)(c->end - c->p)) {
        c->bad = true;
        return (Str){0};
    }
    return cut_bytes(c, (int64_t)n);
}

static bool get_array(Cut *c, Array *a) {
    bool some = cut_byte(c) != 0;
    if (some != (a != NULL)) return false;
    if (!some) return true;
    size_t n = (size_t)a->rows * a->lanes * sizeof(double);
    if (c->bad || n > (size_t)(c->end - c->p)) return false;
    Str bytes = cut_bytes(c, (int64_t)n);
    if (n) memcpy(a->v, bytes.p, n);
    return true;
}

static bool get_rows(Cut *c, RowSet *s, uint8_t lanes) {
    uint64_t n = cut_varint(c), before = 0;
    if (c->bad || n > s->size) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t row = cut_varint(c);
        uint8_t mask = cut_byte(c);
        if (c->bad || row >= s->size || (i && row <= before) || !mask || (mask & ~lanes)) return false;
        rowset_add(s, (uint32_t)row, mask);
        before = row;
    }
    return true;
}

static Err load_head(Load *l) {
    Sim *s = l->s;
    if (!str_eq(cut_bytes(&l->c, sizeof MAGIC), (Str){MAGIC, sizeof MAGIC})) return corrupt(l, "it is no saved run");
    uint32_t version = cut_u32(&l->c);
    if (version != SAVE_VERSION) return other(l, "its format is unknown", STR(""));
    if (cut_u64(&l->c) != s->graph->version) return other(l, "twins or relationships differ", STR(""));
    if (cut_byte(&l->c) != s->open.lanes) return other(l, "the number of lanes differs", STR(""));
    for (uint32_t i = 0; i < s->open.lanes; i++) s->open.scenario[i] = cut_u64(&l->c);
    s->open.seed = cut_u64(&l->c);
    s->open.epoch_ns = (int64_t)cut_u64(&l->c);
    s->now = get_f64(&l->c);
    s->seq = cut_u64(&l->c);
    if (l->c.bad || !(s->now >= 0) || isinf(s->now)) return corrupt(l, "its head");
    return ERR_OK;
}

static Err load_columns(Load *l) {
    const Wire *w = l->s->wire;
    l->s->telling_count = 0;
    if (cut_varint(&l->c) != w->column_count) return other(l, "the number of columns differs", STR(""));
    for (uint32_t k = 0; k < w->column_count; k++) {
        const ColumnWire *x = &w->columns[w->ordered[k]];
        Column *c = &l->s->columns[w->ordered[k]];
        uint64_t col = cut_varint(&l->c);
        Str name = get_str(&l->c);
        uint64_t rows = cut_varint(&l->c);
        if (l->c.bad) return corrupt(l, "a column");
        if (col != x->what.col || !str_eq(name, x->name) || rows != x->what.rows)
            return other(l, "a column differs", x->what.field ? x->what.field->path : x->name);
        if (!get_array(&l->c, c->v) || !get_array(&l->c, c->seen) || !get_rows(&l->c, &c->told, lanes_all(l->s)))
            return corrupt(l, "a column's values");
        if (c->told.n) l->s->telling[l->s->telling_count++] = w->ordered[k];
    }
    return ERR_OK;
}

static Err load_port(Load *l, Inst *i, uint32_t role) {
    Port *p = &i->ports[role];
    bool ok = get_array(&l->c, p->own) && get_array(&l->c, p->last) && get_rows(&l->c, &p->touched, i->mask) &&
              get_rows(&l->c, &p->fresh, i->mask) && get_rows(&l->c, &p->drift, i->mask);
    if (!ok) return corrupt(l, "an engine's values");
    if (p->touched.n) i->touched[i->touched_count++] = role;
    return ERR_OK;
}

static Err load_inst(Load *l, Inst *i) {
    Str engine = get_str(&l->c), instance = get_str(&l->c);
    uint64_t lane0 = cut_varint(&l->c);
    i->rooted = cut_byte(&l->c);
    Str state = get_str(&l->c);
    uint64_t roles = cut_varint(&l->c);
    if (l->c.bad || i->rooted & ~i->mask) return corrupt(l, "an engine");
    const SimEngine *e = &i->wire->e;
    if (!str_eq(engine, str_of(e->engine->name)) || !str_eq(instance, e->instance) || lane0 != i->wire->lane0 ||
        roles != e->role_count)
        return other(l, "an engine differs", str_of(e->engine->name));
    if (state.n) memcpy(i->ctx.resize(&i->ctx, (size_t)state.n), state.p, (size_t)state.n);
    for (uint32_t r = 0; r < e->role_count; r++) TRY(load_port(l, i, r));
    return ERR_OK;
}

static bool item_fits(const Sim *s, const Item *x) {
    if (!(x->t >= s->now) || isinf(x->t) || !x->lanes || x->seq >= s->seq) return false;
    if (!x->post) return x->row < s->wire->columns[x->of].what.rows && !(x->lanes & ~lanes_all(s));
    return !(x->lanes & ~s->insts[x->of].mask) && !(x->lanes & (x->lanes - 1));
}

static Err load_calendar(Load *l) {
    Sim *s = l->s;
    uint64_t n = cut_varint(&l->c);
    for (uint64_t i = 0; i < n && !l->c.bad; i++) {
        Item x = {.t = get_f64(&l->c)};
        x.priority = (int32_t)cut_varint_signed(&l->c);
        x.twin = cut_varint(&l->c);
        x.seq = cut_varint(&l->c);
        uint8_t flags = cut_byte(&l->c);
        x.post = flags & 1;
        x.known = flags >> 1 & 1;
        x.lanes = cut_byte(&l->c);
        uint64_t of = cut_varint(&l->c), row = cut_varint(&l->c);
        x.arg = cut_u64(&l->c);
        if (l->c.bad || row > UINT32_MAX || of >= (x.post ? s->wire->inst_count : s->wire->column_count)) break;
        x.of = x.post ? (uint32_t)of : s->wire->ordered[of];
        x.row = (uint32_t)row;
        if (!item_fits(s, &x)) return corrupt(l, "its calendar");
        calendar_push(&s->calendar, &x);
    }
    return l->c.bad || (uint64_t)s->calendar.n != n ? corrupt(l, "its calendar") : ERR_OK;
}

static Err load_symbols(Load *l) {
    Symbols *mine = symbols_new();
    uint64_t n = cut_varint(&l->c);
    symbols_unref(l->s->symbols);
    l->s->symbols = mine;
    for (uint64_t i = 0; i < n && !l->c.bad; i++) {
        uint64_t number = cut_varint(&l->c);
        Str text = get_str(&l->c);
        if (l->c.bad || number > UINT32_MAX) return corrupt(l, "its symbols");
        symbols_put(mine, (uint32_t)number, text);
    }
    return l->c.bad || mine->count != n ? corrupt(l, "its symbols") : ERR_OK;
}

static Err load(Load *l) {
    Sim *s = l->s;
    TRY(load_head(l));
    wire_up(s);
    s->started = true;
    TRY(insts_plan(s));
    TRY(load_columns(l));
    if (cut_varint(&l->c) != s->wire->inst_count) return other(l, "the number of engines differs", STR(""));
    for (uint32_t i = 0; i < s->wire->inst_count; i++) TRY(load_inst(l, &s->insts[i]));
    TRY(load_calendar(l));
    TRY(load_symbols(l));
    if (l->c.bad || l->c.p != l->c.end) return corrupt(l, "its end");
    for (uint32_t i = 0; i < s->wire->inst_count; i++) {
        s->insts[i].stale = true;
        inst_bind(&s->insts[i]);
    }
    return ERR_OK;
}

Err sim_load(Sim *s, Str bytes, Diag *d) {
    CHECK(!s->started);
    Load l = {.s = s, .d = d};
    if (bytes.n < (int64_t)sizeof MAGIC + 8) return corrupt(&l, "it is too short");
    Cut crc = cut_of(str_sub(bytes, bytes.n - 4, bytes.n));
    if (cut_u32(&crc) != crc32c(0, bytes.p, bytes.n - 4)) return corrupt(&l, "its check fails");
    l.c = cut_of(str_sub(bytes, 0, bytes.n - 4));
    s->diag = d;
    s->calendar.n = 0;
    Err e = load(&l);
    s->diag = NULL;
    if (e != ERR_OK) s->failed = true;
    return e;
}

// ---- copies --------------------------------------------------------------------------------------------------------

static Array *array_ref(Array *a) {
    if (a) atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

static void fork_columns(const Sim *s, Sim *f) {
    f->columns = mem_alloc((s->wire->column_count ? s->wire->column_count : 1) * sizeof *f->columns);
    f->column_cap = s->wire->column_count;
    f->telling = mem_alloc((f->column_cap ? f->column_cap : 1) * sizeof *f->telling);
    if (s->telling_count) memcpy(f->telling, s->telling, s->telling_count * sizeof *f->telling);
    f->telling_count = s->telling_count;
    for (uint32_t i = 0; i < s->wire->column_count; i++) {
        const Column *from = &s->columns[i];
        Column *to = &f->columns[i];
        bool written = from->seen != NULL;
        to->v = written ? array_copy(from->v) : array_ref(from->v);
        to->seen = written ? array_copy(from->seen) : NULL;
        to->view = from->view;
        to->view.v = to->v->v;
        rowset_copy(&to->told, &from->told);
    }
}

static void fork_inst(const Inst *from, Inst *to) {
    CHECK(from->due_count == 0 && from->moved_count == 0);
    if (from->ctx.state_size)
        memcpy(to->ctx.resize(&to->ctx, from->ctx.state_size), from->ctx.state, from->ctx.state_size);
    to->ctx.plan = from->ctx.plan;
    to->rooted = from->rooted;
    for (uint32_t r = 0; r < from->wire->e.role_count; r++) {
        const Port *p = &from->ports[r];
        Port *q = &to->ports[r];
        q->own = p->own ? array_copy(p->own) : NULL;
        q->last = p->last ? array_copy(p->last) : NULL;
        q->moved.size = p->moved.size;
        rowset_copy(&q->touched, &p->touched);
        rowset_copy(&q->fresh, &p->fresh);
        rowset_copy(&q->drift, &p->drift);
    }
    memcpy(to->touched, from->touched, from->touched_count * sizeof *to->touched);
    to->touched_count = from->touched_count;
    inst_bind(to);
}

// What a copy has of the beginning.
static Sim *copy_head(const Sim *s) {
    Sim *f = mem_alloc(sizeof *f);
    f->graph = sim_graph_ref(s->graph);
    f->wire = s->wire;
    atomic_fetch_add_explicit(&f->wire->refs, 1, memory_order_relaxed);
    f->symbols = s->symbols;
    atomic_fetch_add_explicit(&f->symbols->refs, 1, memory_order_relaxed);
    f->open = s->open;
    f->now = s->now;
    f->seq = s->seq;
    f->stats = s->stats;
    f->calendar = s->calendar;
    f->calendar.cap = s->calendar.n;
    f->calendar.items = mem_alloc((size_t)(s->calendar.n ? s->calendar.n : 1) * sizeof(Item));
    if (s->calendar.n) memcpy(f->calendar.items, s->calendar.items, (size_t)s->calendar.n * sizeof(Item));
    fork_columns(s, f);
    return f;
}

Sim *sim_fork(const Sim *s) {
    CHECK(s->started && !s->failed);
    Sim *f = copy_head(s);
    f->started = true;
    insts_make(f);
    for (uint32_t i = 0; i < s->wire->inst_count; i++) fork_inst(&s->insts[i], &f->insts[i]);
    return f;
}

Err sim_ready(Sim *s, Diag *d) {
    CHECK(!s->started);
    if (s->wire->planned) return ERR_OK;
    s->diag = d;
    wire_up(s);
    Err e = insts_plan(s);
    wire_down(s);
    s->diag = NULL;
    if (e != ERR_OK) s->failed = true;
    return e;
}

Sim *sim_replica(const Sim *s, const uint64_t *scenario) {
    CHECK(!s->started && !s->failed && s->wire->planned);
    Sim *f = copy_head(s);
    memcpy(f->open.scenario, scenario, s->open.lanes * sizeof *scenario);
    return f;
}
