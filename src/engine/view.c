// SPDX-License-Identifier: Apache-2.0
// The one path of every read: a view of the visible sequence, again when the ring was outrun, at last a fork.
#include "engine/engine.h"
#include <stdio.h>
#include "base/check.h"

// Who asks and what may be seen: until policies exist, everything. Every read passes here.
static Err admit(const SosiaCaller *who, const Realm *r) {
    (void)who;
    (void)r;
    return ERR_OK;
}

// Read once. True when the view was outrun.
static bool look(const World *w, ReadFn fn, void *ctx, uint64_t *seq, Err *err) {
    View v;
    view_begin(&v, w);
    *err = fn(&v, ctx);
    bool overrun = v.overrun && !v.failed;
    if (v.failed) *err = v.failed; // a page of the past could not be made: whatever fn said, it does not count
    if (seq) *seq = v.seq;
    view_end(&v);
    return overrun;
}

// The writer makes a copy that nobody writes; it is ours when all of it is visible.
static Err look_at_fork(Realm *r, ReadFn fn, void *ctx, uint64_t *seq) {
    if (engine_own_thread(r->engine)) return ERR_OVERRUN;
    atomic_fetch_add_explicit(&r->engine->counters.read_forks, 1, memory_order_relaxed);
    Task *c = task_new(OP_SNAPSHOT, NULL, NULL, 0);
    c->realm = realm_ref(r);
    Err err = task_wait(r->engine, c, true);
    if (!err) err = c->err;
    if (!err) CHECK(!look(c->fork, fn, ctx, seq, &err));
    task_free(c);
    return err;
}

Err engine_read_realm(Realm *r, const SosiaCaller *who, ReadFn fn, void *ctx, uint64_t *seq) {
    TRY(admit(who, r));
    Err err;
    for (int i = 0; i < READ_TRIES; i++) {
        if (!look(r->world, fn, ctx, seq, &err)) return err;
        atomic_fetch_add_explicit(&r->engine->counters.overruns, 1, memory_order_relaxed);
    }
    return look_at_fork(r, fn, ctx, seq);
}

Err engine_read(Sosia *e, const SosiaCaller *who, Str world, ReadFn fn, void *ctx, uint64_t *seq) {
    Realm *r;
    TRY(realm_get(e, world, &r, NULL));
    Err err = engine_read_realm(r, who, fn, ctx, seq);
    realm_unref(r);
    return err;
}

// ---- columns and values -------------------------------------------------------------------------------------------

const Field *catalog_field(const Catalog *c, uint32_t col, const Table **table, const LinkKind **kind) {
    *table = NULL;
    *kind = NULL;
    if (col < VECNO_COLUMNS || col >= c->next_vec) return NULL;
    int32_t owner = c->owner[col - VECNO_COLUMNS];
    if (owner < 0) {
        const LinkKind *k = &c->kinds[-1 - owner];
        if (col < k->first || col - k->first >= (uint32_t)k->rel->field_count) return NULL;
        *kind = k;
        return &k->rel->fields[col - k->first];
    }
    const Table *t = &c->tables[owner];
    if (col < t->first || col - t->first >= (uint32_t)t->model->field_count) return NULL; // the row vector
    *table = t;
    return &t->model->fields[col - t->first];
}

SosiaValue value_of_cell(const Field *f, bool valid, uint64_t bits, Str text) {
    if (!valid) return (SosiaValue){.kind = SOSIA_NONE};
    switch (f->cell) {
    case CELL_BOOL: return (SosiaValue){.kind = SOSIA_BOOL, .b = bits != 0};
    case CELL_I64: return (SosiaValue){.kind = SOSIA_I64, .i = (int64_t)bits};
    case CELL_F64: return (SosiaValue){.kind = SOSIA_F64, .d = double_of(bits)};
    case CELL_STR: return (SosiaValue){.kind = SOSIA_TEXT, .s = text};
    case CELL_DOC: return (SosiaValue){.kind = SOSIA_JSON, .s = text};
    case CELL_OBJECT:
    case CELL_COMPONENT: return (SosiaValue){.kind = SOSIA_JSON, .s = STR("{}")};
    }
    return (SosiaValue){.kind = SOSIA_NONE};
}

// ---- continuation tokens ------------------------------------------------------------------------------------------

static uint32_t token_check(char kind, uint64_t id, Str scope, Str more) {
    uint64_t h =
        str_hash(scope) * 0x9e3779b97f4a7c15u ^ str_hash(more) ^ (id * 0xff51afd7ed558ccdu) ^ (uint64_t)(uint8_t)kind;
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

void token_print(char kind, uint64_t id, Str scope, Str more, char out[96]) {
    snprintf(out, 96, "%c-%llx-%08x", kind, (unsigned long long)id, token_check(kind, id, scope, more));
}

static bool hex_parse(Str s, uint64_t *out) {
    if (s.n < 1 || s.n > 16) return false;
    uint64_t v = 0;
    for (int64_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (d < 0) return false;
        v = v << 4 | (uint64_t)d;
    }
    *out = v;
    return true;
}

Err token_parse(Str token, char kind, Str scope, Str more, uint64_t *id) {
    uint64_t at, check;
    Str head = str_cut(&token, '-'), mid = str_cut(&token, '-');
    if (head.n != 1 || head.p[0] != kind || !hex_parse(mid, &at) || !hex_parse(token, &check)) return ERR_ARGUMENT;
    if (check != token_check(kind, at, scope, more)) return ERR_ARGUMENT;
    *id = at;
    return ERR_OK;
}
