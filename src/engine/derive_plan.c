// SPDX-License-Identifier: Apache-2.0
// From definitions to a plan: which columns are computed, what they read, in which order.
//
//   documents -> defs -> units (the most specific definition of each column) -> bound trees -> reads -> ranks
#include "engine/derive.h"
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"

typedef struct Making {
    DerivePlan *p;
    View v;
    Diag *d;
    Map models; // DTMI -> first definition for it + 1
    int32_t *next_same;
    uint32_t **unit_reads; // by unit: columns
    int32_t *unit_read_count, *unit_read_cap;
    int32_t def, unit; // being bound
    bool endless;      // it looks back as far as some value says
} Making;

// ---- definitions --------------------------------------------------------------------------------------------------

static void def_fails(Making *m, DeriveDef *x, Err err, Str why) {
    if (x->err) return;
    x->err = err;
    x->why = arena_str(&m->p->arena, why);
}

static Str member(const Json *v, Str name) {
    const Json *x = json_get(v, name);
    return x && x->type == JSON_STRING ? x->s : (Str){0};
}

static void take_def(Making *m, const Doc *doc, DeriveDef *x) {
    Arena *a = &m->p->arena;
    Json v;
    Diag d;
    diag_init(&d);
    *x = (DeriveDef){.name = doc->name, .root = -1};
    if (json_parse(arena_str(a, doc->json), NULL, a, &v, &d)) def_fails(m, x, ERR_SYNTAX, STR("not JSON"));
    else {
        x->model = member(&v, STR("model"));
        x->twin = member(&v, STR("twin"));
        x->property = member(&v, STR("property"));
        x->expression = member(&v, STR("expression"));
        Expr *e = NULL;
        Err err = expr_parse(a, x->expression, &e, &d);
        x->expr = e;
        if (err) def_fails(m, x, err, d.count ? d.messages[0].text : str_of(err_text(err)));
    }
    diag_free(&d);
}

static void take_defs(Making *m) {
    DerivePlan *p = m->p;
    int32_t first = catalog_docs(p->catalog, DERIVED_COLLECTION, &p->def_count);
    p->defs = NEW(&p->arena, DeriveDef, p->def_count + 1);
    m->next_same = NEW(&p->arena, int32_t, p->def_count + 1);
    for (int32_t i = 0; i < p->def_count; i++) {
        DeriveDef *x = &p->defs[i];
        int64_t same = 0;
        take_def(m, p->catalog->docs[first + i], x);
        p->names_twins = p->names_twins || x->twin.n > 0;
        if (x->twin.n || x->err) continue;
        (void)map_get(&m->models, x->model, &same);
        m->next_same[i] = (int32_t)same;
        map_put(&m->models, x->model, i + 1);
    }
    p->pending = catalog_doc(p->catalog, DERIVE_COLLECTION, DERIVE_PENDING) != NULL;
}

// ---- units --------------------------------------------------------------------------------------------------------

static Err add_unit(Making *m, DeriveUnit u) {
    DerivePlan *p = m->p;
    if (p->unit_count == DERIVED_UNITS_MAX)
        return diag_add(m->d, ERR_LIMIT, -1, -1, (Str){0}, "definitions of derived values hold for more than %d models",
                        DERIVED_UNITS_MAX);
    if (p->unit_count == p->unit_cap) {
        p->unit_cap = p->unit_cap ? 2 * p->unit_cap : 16;
        p->units = mem_grow(p->units, (size_t)p->unit_cap * sizeof *p->units);
    }
    p->units[p->unit_count++] = u;
    return ERR_OK;
}

// The property as a value of that table's twins, or NULL with the reason in the definition.
static const Field *field_of(Making *m, DeriveDef *x, const Table *t) {
    const Field *f = model_field(t->model, x->property);
    if (f && f->cell < CELL_OBJECT) return f;
    Str why = arena_printf(&m->p->arena,
                           f ? "\"%.*s\" of model %.*s is an object or a component, and no single value"
                             : "\"%.*s\" is not a property of model %.*s",
                           STR_ARG(x->property), STR_ARG(t->model->id));
    def_fails(m, x, ERR_VALIDATION, why);
    return NULL;
}

// Does definition a hold for fewer models than b? The same model: the first by name.
static bool beats(const Making *m, const Table *t, int32_t a, int32_t b) {
    const DeriveDef *x = &m->p->defs[a], *y = &m->p->defs[b];
    if (str_eq(x->model, y->model)) return a < b;
    for (int32_t i = -1; i < t->model->base_count; i++) {
        const Model *base = i < 0 ? t->model : t->model->bases[i];
        if (str_eq(base->id, x->model) && model_is(base, y->model)) return true;
        if (str_eq(base->id, y->model) && model_is(base, x->model)) return false;
    }
    return a < b; // neither extends the other
}

// The definitions for one of the models a table's twins are of, into best[] by field: definition + 1.
static void offer(Making *m, const Table *t, Str model, int32_t *best) {
    int64_t at = 0;
    (void)map_get(&m->models, model, &at);
    for (int32_t i = (int32_t)at; i; i = m->next_same[i - 1]) {
        const Field *f = field_of(m, &m->p->defs[i - 1], t);
        int32_t *b = f ? &best[f - t->model->fields] : NULL;
        if (b && (!*b || beats(m, t, i - 1, *b - 1))) *b = i;
    }
}

static Err table_units(Making *m, uint32_t table) {
    const Table *t = &m->p->catalog->tables[table];
    int32_t *best = mem_alloc((size_t)(t->model->field_count + 1) * sizeof *best);
    Err err = ERR_OK;
    for (int32_t i = -1; !t->removed && i < t->model->base_count; i++)
        offer(m, t, i < 0 ? t->model->id : t->model->bases[i]->id, best);
    for (int32_t f = 0; f < t->model->field_count && !err; f++) {
        if (!best[f]) continue;
        err = add_unit(
            m, (DeriveUnit){
                   .def = best[f] - 1, .table = table, .col = t->first + (uint32_t)f, .field = &t->model->fields[f]});
    }
    mem_free(best);
    return err;
}

static Err twin_unit(Making *m, int32_t def) {
    DeriveDef *x = &m->p->defs[def];
    TwinId id = view_find_twin(&m->v, x->twin);
    if (!id.v) return ERR_OK; // holds when there is one again
    uint32_t table = view_twin_place(&m->v, id).table;
    const Table *t = &m->p->catalog->tables[table];
    const Field *f = t->removed ? NULL : field_of(m, x, t);
    if (!f) return ERR_OK;
    uint32_t col = t->first + (uint32_t)(f - t->model->fields);
    for (int32_t i = 0; i < m->p->unit_count; i++) // the first by name
        if (m->p->units[i].twin == id.v && m->p->units[i].col == col) return ERR_OK;
    return add_unit(m, (DeriveUnit){.def = def, .table = table, .col = col, .twin = id.v, .field = f});
}

// ---- chains -------------------------------------------------------------------------------------------------------

static int32_t *none(Arena *a, int64_t n) {
    int32_t *p = NEW(a, int32_t, n + 1);
    memset(p, 0xff, (size_t)(n + 1) * sizeof *p);
    return p;
}

static void bit_set(uint64_t *bits, uint32_t i) { bits[i >> 6] |= (uint64_t)1 << (i & 63); }

// Units by column and table, as they stand.
static void link_units(DerivePlan *p) {
    memset(p->first_unit, 0xff, (size_t)p->columns * sizeof *p->first_unit);
    memset(p->table_units, 0xff, (size_t)p->catalog->table_count * sizeof *p->table_units);
    for (int32_t i = p->unit_count - 1; i >= 0; i--) {
        DeriveUnit *u = &p->units[i];
        u->next_of_col = p->first_unit[u->col];
        p->first_unit[u->col] = i;
        u->next_of_table = p->table_units[u->table];
        p->table_units[u->table] = i;
    }
}

int32_t derive_unit_of(const DerivePlan *p, uint64_t twin, uint32_t col) {
    int32_t found = -1;
    for (int32_t i = col < p->columns ? p->first_unit[col] : -1; i >= 0; i = p->units[i].next_of_col) {
        if (p->units[i].twin == twin) return i;
        if (!p->units[i].twin) found = i;
    }
    return found;
}

int32_t derive_unit_for(const DerivePlan *p, int32_t def, uint64_t twin, uint32_t table) {
    int32_t i = table < (uint32_t)p->catalog->table_count ? p->table_units[table] : -1;
    for (; i >= 0; i = p->units[i].next_of_table) {
        const DeriveUnit *u = &p->units[i];
        if (u->def == def && (u->twin == twin || (!u->twin && derive_unit_of(p, twin, u->col) == i))) return i;
    }
    return -1;
}

// ---- what units read ----------------------------------------------------------------------------------------------

static int32_t add_hop(DerivePlan *p, DeriveHop hop) {
    if (p->hop_count == p->hop_cap) {
        p->hop_cap = p->hop_cap ? 2 * p->hop_cap : 16;
        p->hops = mem_grow(p->hops, (size_t)p->hop_cap * sizeof *p->hops);
    }
    p->hops[p->hop_count] = hop;
    return p->hop_count++;
}

// One hop an aggregate of the text, whatever it is bound for: hops of a definition stand together.
static int32_t hop_of(void *ctx, const ExprHop *hop) {
    Making *m = ctx;
    DerivePlan *p = m->p;
    int32_t root = p->defs[m->def].root;
    for (int32_t i = root + 1; i < p->hop_count; i++)
        if (p->hops[i].from == hop->from) return i;
    return add_hop(p, (DeriveHop){.def = m->def,
                                  .parent = hop->parent < 0 ? root : hop->parent,
                                  .from = hop->from,
                                  .out = hop->out,
                                  .in = hop->in,
                                  .kinds = hop->kinds,
                                  .kind_count = hop->kind_count});
}

static void add_read(DerivePlan *p, uint32_t col, int32_t hop, bool link) {
    int tries = 0;
    for (int32_t i = p->first_read[col]; i >= 0 && tries < 8; i = p->reads[i].next, tries++)
        if (p->reads[i].hop == hop && p->reads[i].link == link) return;
    if (p->read_count == p->read_cap) {
        p->read_cap = p->read_cap ? 2 * p->read_cap : 64;
        p->reads = mem_grow(p->reads, (size_t)p->read_cap * sizeof *p->reads);
    }
    p->reads[p->read_count] = (DeriveRead){hop, link, p->first_read[col]};
    p->first_read[col] = p->read_count++;
    bit_set(p->watched, col);
}

static void unit_reads(Making *m, uint32_t col) {
    int32_t u = m->unit;
    if (m->unit_read_count[u] == m->unit_read_cap[u]) {
        m->unit_read_cap[u] = m->unit_read_cap[u] ? 2 * m->unit_read_cap[u] : 4;
        m->unit_reads[u] = mem_grow(m->unit_reads[u], (size_t)m->unit_read_cap[u] * sizeof **m->unit_reads);
    }
    m->unit_reads[u][m->unit_read_count[u]++] = col;
}

static void column_of(void *ctx, int32_t hop, bool link, uint32_t col, bool inside) {
    Making *m = ctx;
    DerivePlan *p = m->p;
    const Table *t;
    const LinkKind *k;
    const Field *f = catalog_field(p->catalog, col, &t, &k);
    CHECK(f != NULL);
    uint32_t end = inside ? (t ? t->first : k->first) + (uint32_t)f->end : col + 1;
    for (uint32_t c = col; c < end; c++) {
        add_read(p, c, hop < 0 ? p->defs[m->def].root : hop, link);
        if (!link) unit_reads(m, c);
    }
}

static void past_of(void *ctx, int32_t hop, bool link, uint32_t col, int64_t span_ns) {
    Making *m = ctx;
    DerivePlan *p = m->p;
    (void)hop;
    (void)link;
    if (span_ns > p->spans[col]) p->spans[col] = span_ns;
    p->looks_back = true;
    p->units[m->unit].looks_back = true;
    m->endless = m->endless || span_ns == 0;
}

// Bind a unit for its model. False: it cannot be, and the definition says why.
static bool bind_unit_of(Making *m, DeriveUnit *u) {
    DerivePlan *p = m->p;
    DeriveDef *x = &p->defs[u->def];
    ExprSource *source = NEW(&p->arena, ExprSource, 1);
    *source = (ExprSource){.kind = EXPR_TWIN, .table = u->table};
    ExprScope scope = {.catalog = p->catalog, .sources = source, .count = 1, .strict = true};
    ExprReads reads = {.ctx = m, .hop = hop_of, .column = column_of, .past = past_of};
    Bound *b = NULL;
    Diag d;
    diag_init(&d);
    Err err = expr_bind(&p->arena, &scope, x->expr, &b, &d);
    if (!err) err = expr_fit(&p->arena, u->field, x->expr, b, &b, &d);
    m->endless = false;
    if (!err) expr_reads(b, &reads);
    if (!err && m->endless)
        err = diag_add(&d, ERR_SYNTAX, -1, -1, (Str){0},
                       "a derived value looks back a constant span, as in LAST(x, 1h): at a time it would need all of "
                       "the past");
    if (!err && reads.whole)
        err =
            diag_add(&d, ERR_SYNTAX, -1, -1, (Str){0},
                     "a derived value cannot look at $etag, $lastUpdateTime or all of a twin or relationship: its own "
                     "change would change it");
    u->bound = b;
    u->clock = reads.clock;
    if (err) {
        Buf text = {0};
        if (d.count) task_message_put(&text, &d.messages[0]);
        def_fails(m, x, err, d.count ? buf_str(&text) : str_of(err_text(err)));
        buf_free(&text);
    }
    diag_free(&d);
    return !err;
}

// Bind all units, definition by definition; those that cannot be bound go.
static void bind_units(Making *m) {
    DerivePlan *p = m->p;
    int32_t *first = none(&p->arena, p->def_count), n = p->unit_count;
    for (int32_t i = n - 1; i >= 0; i--) {
        p->units[i].next_of_def = first[p->units[i].def];
        first[p->units[i].def] = i;
    }
    m->unit_reads = mem_alloc((size_t)(n + 1) * sizeof *m->unit_reads);
    m->unit_read_count = NEW(&p->arena, int32_t, n + 1);
    m->unit_read_cap = NEW(&p->arena, int32_t, n + 1);
    for (m->def = 0; m->def < p->def_count; m->def++) {
        p->defs[m->def].root = add_hop(p, (DeriveHop){.def = m->def, .parent = -1});
        for (int32_t i = first[m->def]; i >= 0; i = p->units[i].next_of_def) {
            m->unit = i;
            if (!bind_unit_of(m, &p->units[i])) p->units[i].bound = NULL;
        }
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!p->units[i].bound) {
            mem_free(m->unit_reads[i]);
            continue;
        }
        m->unit_reads[kept] = m->unit_reads[i];
        m->unit_read_count[kept] = m->unit_read_count[i];
        p->units[kept++] = p->units[i];
    }
    for (int32_t i = kept; i < n; i++) m->unit_reads[i] = NULL;
    p->unit_count = kept;
}

// ---- ranks --------------------------------------------------------------------------------------------------------

static void name_put(const DerivePlan *p, const DeriveUnit *u, Buf *out) {
    const DeriveDef *x = &p->defs[u->def];
    Str model = p->catalog->tables[u->table].model->id;
    int64_t colon = 0, semi = str_find(model, ';', 0);
    for (int64_t i = 0; i < model.n; i++)
        if (model.p[i] == ':') colon = i + 1;
    Str name = x->twin.n ? x->twin : str_sub(model, colon, semi < 0 ? model.n : semi);
    buf_printf(out, "%.*s.%.*s", STR_ARG(name), STR_ARG(u->field->path));
}

// Depth first: a unit comes behind all it reads. Iterative: as deep as there are units.
typedef struct Frame {
    int32_t unit, read, next; // place in its reads; next unit of that column
} Frame;

typedef enum Mark { UNSEEN, OPEN, DONE } Mark;

// The units on the stack from the one that is met again.
static Err cycle(Making *m, const Frame *stack, int32_t depth, int32_t again) {
    Buf text = {0};
    int32_t from = depth;
    while (stack[from].unit != again) from--;
    for (int32_t i = from; i <= depth; i++) {
        name_put(m->p, &m->p->units[stack[i].unit], &text);
        buf_str_put(&text, STR(" -> "));
    }
    name_put(m->p, &m->p->units[again], &text);
    Err err = diag_add(m->d, ERR_DERIVED_CYCLE, -1, -1, (Str){0}, "derived values would depend on themselves: %.*s",
                       STR_ARG(buf_str(&text)));
    buf_free(&text);
    return err;
}

// The next unit that the frame's unit reads; -1: none is left.
static int32_t next_read(const Making *m, Frame *f) {
    while (f->next < 0) {
        if (f->read == m->unit_read_count[f->unit]) return -1;
        f->next = m->p->first_unit[m->unit_reads[f->unit][f->read++]];
    }
    int32_t u = f->next;
    f->next = m->p->units[u].next_of_col;
    return u;
}

static Err visit(Making *m, int32_t start, uint8_t *mark, Frame *stack, int32_t *order, int32_t *count) {
    int32_t depth = 0;
    stack[0] = (Frame){start, 0, -1};
    mark[start] = OPEN;
    while (depth >= 0) {
        int32_t u = next_read(m, &stack[depth]);
        if (u < 0) {
            order[(*count)++] = stack[depth].unit;
            mark[stack[depth--].unit] = DONE;
        } else if (mark[u] == OPEN) {
            return cycle(m, stack, depth, u);
        } else if (mark[u] == UNSEEN) {
            mark[u] = OPEN;
            stack[++depth] = (Frame){u, 0, -1};
        }
    }
    return ERR_OK;
}

static Err rank(Making *m) {
    DerivePlan *p = m->p;
    int32_t n = p->unit_count, count = 0;
    uint8_t *mark = mem_alloc((size_t)n + 1);
    Frame *stack = mem_alloc((size_t)(n + 1) * sizeof *stack);
    int32_t *order = mem_alloc((size_t)(n + 1) * sizeof *order);
    Err err = ERR_OK;
    for (int32_t i = 0; i < n && !err; i++)
        if (mark[i] == UNSEEN) err = visit(m, i, mark, stack, order, &count);
    DeriveUnit *sorted = mem_alloc((size_t)(n + 1) * sizeof *sorted);
    for (int32_t i = 0; i < count; i++) sorted[i] = p->units[order[i]];
    mem_free(mark);
    mem_free(stack);
    mem_free(order);
    if (err) {
        mem_free(sorted);
        return err;
    }
    mem_free(p->units);
    p->units = sorted;
    p->unit_cap = n + 1;
    link_units(p);
    return ERR_OK;
}

// ---- the whole ----------------------------------------------------------------------------------------------------

static Str computed_by(const WorldGuard *g, uint64_t twin, uint32_t col) {
    const DerivePlan *p = (const DerivePlan *)(const void *)((const char *)g - offsetof(DerivePlan, guard));
    int32_t u = derive_unit_of(p, twin, col);
    return u < 0 ? (Str){0} : p->defs[p->units[u].def].name;
}

static void finish(DerivePlan *p) {
    for (int32_t i = 0; i < p->unit_count; i++) {
        bit_set(p->computed, p->units[i].col);
        bit_set(p->watched, p->units[i].col);
        p->clock = p->clock || p->units[i].clock;
    }
    int32_t kinds = p->catalog->kind_count;
    p->kind_hops = NEW(&p->arena, int32_t *, kinds + 1);
    p->kind_hop_count = NEW(&p->arena, int32_t, kinds + 1);
    for (int pass = 0; pass < 2; pass++) { // count, then fill
        for (int32_t k = 0; k < kinds && pass; k++) {
            p->kind_hops[k] = NEW(&p->arena, int32_t, p->kind_hop_count[k] + 1);
            p->kind_hop_count[k] = 0;
        }
        for (int32_t h = 0; h < p->hop_count; h++) {
            const DeriveHop *hop = &p->hops[h];
            for (int32_t k = 0; k < hop->kind_count; k++) {
                if (hop->kinds[k] < 0) continue;
                if (pass) p->kind_hops[k][p->kind_hop_count[k]] = h;
                p->kind_hop_count[k]++;
            }
        }
    }
    p->marked = NEW(&p->arena, uint64_t, p->unit_count / 64 + 1);
    p->guard = (WorldGuard){.columns = p->computed, .watched = p->watched, .count = p->columns, .by = computed_by};
}

static Err make(Making *m) {
    DerivePlan *p = m->p;
    take_defs(m);
    for (int32_t t = 0; p->def_count && t < p->catalog->table_count; t++) TRY(table_units(m, (uint32_t)t));
    for (int32_t i = 0; i < p->def_count; i++)
        if (p->defs[i].twin.n && !p->defs[i].err) TRY(twin_unit(m, i));
    bind_units(m);
    link_units(p);
    TRY(rank(m));
    finish(p);
    return ERR_OK;
}

Err derive_plan(const View *v, DerivePlan **out, Diag *d) {
    DerivePlan *p = mem_alloc(sizeof *p);
    Making m = {.p = p, .v = *v, .d = d};
    arena_init(&p->arena, 0);
    p->catalog = (Catalog *)(uintptr_t)m.v.catalog; // held, not written
    catalog_ref(p->catalog);
    p->columns = p->catalog->next_vec;
    p->watched = NEW(&p->arena, uint64_t, p->columns / 64 + 1);
    p->computed = NEW(&p->arena, uint64_t, p->columns / 64 + 1);
    p->spans = NEW(&p->arena, int64_t, p->columns + 1);
    p->first_unit = none(&p->arena, p->columns);
    p->first_read = none(&p->arena, p->columns);
    p->table_units = none(&p->arena, p->catalog->table_count);
    p->rank = -1;
    Err err = make(&m);
    for (int32_t i = 0; m.unit_reads && i < p->unit_count; i++) mem_free(m.unit_reads[i]);
    mem_free(m.unit_reads);
    map_free(&m.models);
    if (err) {
        derive_plan_free(p);
        return err;
    }
    *out = p;
    return ERR_OK;
}

void derive_plan_free(DerivePlan *p) {
    if (!p) return;
    for (int32_t i = 0; i < p->unit_count; i++) mem_free(p->units[i].twins);
    mem_free(p->units);
    mem_free(p->hops);
    mem_free(p->reads);
    catalog_unref(p->catalog);
    arena_free(&p->arena);
    mem_free(p);
}
