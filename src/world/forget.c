// SPDX-License-Identifier: Apache-2.0
#include "world/forget.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "world/batch.h"
#include "world/core.h"

// Relationships of the twin that a batch itself names: another world may have made them.
typedef struct Named {
    uint64_t *links; // ascending
    int64_t count, cap;
} Named;

Str forget_name(uint64_t id, char room[32]) {
    int n = snprintf(room, 32, FORGET_NAME_HEAD "%llu", (unsigned long long)id);
    return (Str){room, n};
}

static bool has_column(const Forget *f, uint32_t col) {
    for (int64_t i = 0; i < f->column_count; i++)
        if (f->columns[i] == col) return true;
    return false;
}

static bool has(const uint64_t *ids, int64_t n, uint64_t id) {
    int64_t lo = 0, hi = n;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (ids[mid] < id) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && ids[lo] == id;
}

static bool has_link(const Forget *f, const Named *named, uint64_t id) {
    return has(f->links, f->link_count, id) || has(named->links, named->count, id);
}

bool forget_tells(Str payload, Str member) {
    for (int64_t at = 0; at + member.n + 2 <= payload.n; at++) {
        if (payload.p[at] == '"' && payload.p[at + member.n + 1] == '"' &&
            memcmp(payload.p + at + 1, member.p, (size_t)member.n) == 0)
            return true;
    }
    return false;
}

typedef enum Fate { FATE_KEEP, FATE_DROP, FATE_RENAME } Fate;

static Fate of_value(const Forget *f, const Change *c) {
    if (c->id != f->twin) return FATE_KEEP;
    return f->all || f->values || has_column(f, c->col) ? FATE_DROP : FATE_KEEP;
}

static Fate of_link(const Forget *f, const Named *named, const Change *c) {
    bool ours = f->all && (c->other == f->twin || c->target == f->twin || has_link(f, named, c->id));
    return ours ? FATE_RENAME : FATE_KEEP;
}

static Fate fate_of(const Forget *f, const Named *named, const Change *c) {
    switch (c->kind) {
    case CHANGE_SET:
    case CHANGE_LATE:
    case CHANGE_SOURCE_TIME:
    case CHANGE_UNSET: return of_value(f, c);
    case CHANGE_TWIN_NEW:
    case CHANGE_TWIN_DEL: return f->all && c->id == f->twin ? FATE_RENAME : FATE_KEEP;
    case CHANGE_TWIN_WAS: return c->id == f->twin ? FATE_DROP : FATE_KEEP;
    case CHANGE_LINK_NEW:
    case CHANGE_LINK_DEL:
    case CHANGE_LINK_AT: return of_link(f, named, c);
    case CHANGE_LINK_WAS:
    case CHANGE_LINK_SET:
    case CHANGE_LINK_UNSET: return f->all && has_link(f, named, c->id) ? FATE_DROP : FATE_KEEP;
    case CHANGE_TELEMETRY:
        if (c->id != f->twin) return FATE_KEEP;
        return f->all || (f->telemetry.n && forget_tells(c->text, f->telemetry)) ? FATE_DROP : FATE_KEEP;
    default: return FATE_KEEP;
    }
}

static int by_id(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

// The batch names the ends of a relationship when it makes it, changes it, or behind what it was (LINK_WAS).
static Err look_ahead(const Forget *f, Cut c, int64_t count, Named *named) {
    Change x;
    named->count = 0;
    for (int64_t i = 0; i < count; i++) {
        TRY(change_decode(&c, &x));
        bool ends = x.kind == CHANGE_LINK_NEW || x.kind == CHANGE_LINK_DEL || x.kind == CHANGE_LINK_AT;
        if (!ends || (x.other != f->twin && x.target != f->twin)) continue;
        if (named->count == named->cap) {
            named->cap = named->cap ? named->cap * 2 : 16;
            named->links = mem_grow(named->links, (size_t)named->cap * sizeof *named->links);
        }
        named->links[named->count++] = x.id;
    }
    if (named->count) qsort(named->links, (size_t)named->count, sizeof *named->links, by_id);
    return ERR_OK;
}

static Err forget_batch(const Forget *f, Cut *c, Named *named, Buf *changes, Buf *out, int64_t *taken) {
    BatchHead head;
    Change x;
    char room[32];
    TRY(batch_decode(c, &head));
    bool later = f->seq_max && head.seq > f->seq_max;
    int64_t left = 0;
    buf_reset(changes);
    if (f->all && !later) TRY(look_ahead(f, *c, head.count, named));
    for (int64_t i = 0; i < head.count; i++) {
        TRY(change_decode(c, &x));
        Fate fate = later ? FATE_KEEP : fate_of(f, named, &x);
        *taken += fate != FATE_KEEP;
        if (fate == FATE_DROP) continue;
        if (fate == FATE_RENAME) x.text = forget_name(x.id, room);
        change_encode(&x, changes);
        left++;
    }
    head.count = left;
    batch_encode(&head, buf_str(changes), out);
    return changes->full || out->full ? ERR_LIMIT : ERR_OK;
}

Err forget_batches(const Forget *f, Str bytes, Buf *out, int64_t *taken) {
    Cut c = cut_of(bytes);
    Buf changes = {0};
    Named named = {.count = 0};
    Err err = ERR_OK;
    *taken = 0;
    while (c.p < c.end && !err) err = forget_batch(f, &c, &named, &changes, out, taken);
    buf_free(&changes);
    mem_free(named.links);
    return err;
}

// ---- models -------------------------------------------------------------------------------------------------------

static Err step(Catalog **c, uint8_t kind, Str text, bool flag, int64_t time) {
    Catalog *next;
    if (catalog_next(*c, kind, text, flag, time, &next)) return ERR_CORRUPT;
    catalog_unref(*c);
    *c = next;
    return ERR_OK;
}

Err forget_models_begin(View *live, int64_t time, Catalog **out) {
    int64_t rows = view_model_rows(live);
    if (!rows || view_model(live, rows - 1).time <= time) {
        *out = (Catalog *)(uintptr_t)live->catalog; // NOLINT: to count it
        catalog_ref(*out);
        return ERR_OK;
    }
    Catalog *c = catalog_new();
    for (int64_t i = 0; i < rows; i++) {
        ModelView m = view_model(live, i);
        if (m.time > time) break;
        const Text *text = m.kind == CHANGE_MODELS_ADD || m.kind == CHANGE_DOC ? &m.doc : &m.id;
        Err err = step(&c, m.kind, text_str(text), m.flag, m.time);
        if (!err) continue;
        catalog_unref(c);
        return err;
    }
    *out = c;
    return ERR_OK;
}

Err forget_models_next(Catalog **c, Str batches, uint64_t upto, void (*fn)(void *ctx, const Catalog *c), void *ctx) {
    for (Cut cut = cut_of(batches); cut.p < cut.end;) {
        BatchHead head;
        Change x;
        TRY(batch_decode(&cut, &head));
        for (int64_t i = 0; i < head.count; i++) {
            TRY(change_decode(&cut, &x));
            bool model = x.kind == CHANGE_MODELS_ADD || x.kind == CHANGE_MODEL_REMOVE || x.kind == CHANGE_MODEL_FLAG;
            if (!model || head.seq > upto) continue;
            TRY(step(c, x.kind, x.text, x.bits != 0, head.time));
            fn(ctx, *c);
        }
    }
    return ERR_OK;
}
