// SPDX-License-Identifier: Apache-2.0
// Frames that were decoded once and stay so: points of all rows in arrays of their own, without what can be read from
// the block. Only plain ones (values with times of their source, no texts), which is what sensors make.
#include "base/check.h"
#include "base/mem.h"
#include "codec/hblock_inner.h"

// Who asks for fewer than one of FEW_SHARE points of a frame reads them in a part of the time, and asks KEEP_ASKED
// times before all of it is worth to be decoded; or up to seven times more, so that who asks for a few of many blocks
// again and again does not wait for all of them at once.
#define FEW_SHARE 8
#define KEEP_ASKED 3

typedef struct KeptSlot {
    _Atomic(HFrame *) frame;
    _Atomic(char *) bytes; // as they were read
    _Atomic uint32_t asked;
    _Atomic bool sound; // its check was right
} KeptSlot;

struct HKept {
    int32_t groups;
    _Atomic int64_t bytes;
    KeptSlot slot[];
};

HKept *hkept_new(const HBlock *b) {
    HKept *k = mem_alloc(sizeof *k + (size_t)b->groups * sizeof *k->slot);
    k->groups = b->groups;
    atomic_init(&k->bytes, (int64_t)sizeof *k + b->groups * (int64_t)sizeof *k->slot);
    return k;
}

void hkept_free(HKept *k) {
    if (!k) return;
    for (int32_t i = 0; i < k->groups; i++) {
        mem_free(atomic_load_explicit(&k->slot[i].frame, memory_order_relaxed));
        mem_free(atomic_load_explicit(&k->slot[i].bytes, memory_order_relaxed));
    }
    mem_free(k);
}

int64_t hkept_bytes(const HKept *k) { return k ? atomic_load_explicit(&k->bytes, memory_order_relaxed) : 0; }

void hwork_reader(HWork *w, HBlockReadFn read, void *ctx) {
    w->read = read;
    w->read_ctx = ctx;
}

Err hkept_read(HWork *w, const HBlock *b, const HGroup *g, Str *out) {
    if (g->at + g->size <= b->bytes.n) {
        *out = str_sub(b->bytes, g->at, g->at + g->size);
        return ERR_OK;
    }
    CHECK(b->kept && w->read);
    KeptSlot *slot = &b->kept->slot[g - (const HGroup *)b->directory];
    char *p = atomic_load_explicit(&slot->bytes, memory_order_acquire), *mine;
    if (!p) {
        mine = mem_alloc((size_t)g->size);
        Err e = w->read(w->read_ctx, b, g->at, g->size, mine);
        bool first = e == ERR_OK && atomic_compare_exchange_strong_explicit(&slot->bytes, &p, mine,
                                                                            memory_order_acq_rel, memory_order_acquire);
        if (first) {
            atomic_fetch_add_explicit(&b->kept->bytes, g->size, memory_order_relaxed);
            p = mine;
        } else mem_free(mine);
        if (e != ERR_OK) return e;
    }
    *out = (Str){p, g->size};
    return ERR_OK;
}

const HFrame *hkept_frame(const HBlock *b, const HGroup *g) {
    if (!b->kept) return NULL;
    return atomic_load_explicit(&b->kept->slot[g - (const HGroup *)b->directory].frame, memory_order_acquire);
}

bool hkept_sound(const HBlock *b, const HGroup *g) {
    return b->kept &&
           atomic_load_explicit(&b->kept->slot[g - (const HGroup *)b->directory].sound, memory_order_relaxed);
}

void hkept_sound_put(const HBlock *b, const HGroup *g) {
    if (!b->kept) return;
    atomic_store_explicit(&b->kept->slot[g - (const HGroup *)b->directory].sound, true, memory_order_relaxed);
}

bool hkept_again(const HBlock *b, const HGroup *g, int64_t points) {
    if (!b->kept) return false;
    _Atomic uint32_t *asked = &b->kept->slot[g - (const HGroup *)b->directory].asked;
    bool few = points <= g->points / FEW_SHARE;
    uint64_t some = (uint64_t)(b->size + g->at) * UINT64_C(0x9e3779b97f4a7c15) >> 61; // below 8
    uint32_t before = atomic_fetch_add_explicit(asked, few ? 1 : KEEP_ASKED, memory_order_relaxed);
    return before >= (few ? KEEP_ASKED + some : KEEP_ASKED);
}

// Room for a frame's arrays behind it; the largest elements first.
static HFrame *frame_new(const FrameRows *r, bool start, int64_t *size) {
    int64_t states = start ? r->rows * (int64_t)sizeof(HState) : 0;
    *size = (int64_t)sizeof(HFrame) + states + r->points * 20 + (r->rows + 1) * 4 + r->rows * 2;
    HFrame *f = mem_alloc((size_t)*size);
    char *at = (char *)(f + 1);
    f->rows = r->rows;
    f->start = start ? (HState *)(void *)at : NULL;
    f->values = (uint64_t *)(void *)(at += states);
    f->sources = (int64_t *)(void *)(at += r->points * 8);
    f->batches = (uint32_t *)(void *)(at += r->points * 8);
    f->first = (uint32_t *)(void *)(at += r->points * 4);
    f->row = (uint16_t *)(void *)(at + (r->rows + 1) * 4);
    return f;
}

const HFrame *hkept_put(const HBlock *b, const HGroup *g, const FrameRows *r, const FrameArrays *from) {
    int64_t size, v = 0, s = 0, u = 0;
    HFrame *f = frame_new(r, b->has_start, &size), *other = NULL;
    uint32_t n = 0;
    for (int64_t i = 0; i < r->rows; i++) {
        uint8_t flags = r->flags[i];
        f->row[i] = r->row[i];
        f->first[i] = n;
        if (f->start) {
            f->start[i].valid = flags & START_VALID;
            if (flags & START_VALID) f->start[i].bits = from->values[v];
            if (flags & START_UPDATE) f->start[i].update_time = from->updates[u];
            if (flags & START_SOURCE) f->start[i].source_time = from->sources[s];
        }
        const uint64_t *value = from->values + v + (flags & START_VALID ? 1 : 0);
        const int64_t *source = from->sources + s + (flags & START_SOURCE ? 1 : 0);
        for (uint32_t k = 0; k < r->counts[i]; k++, n++) {
            f->values[n] = value[k];
            f->sources[n] = source[k];
            f->batches[n] = (uint32_t)from->batches[n];
        }
        v += r->values[i];
        s += r->sources[i];
        u += r->updates[i];
    }
    f->first[r->rows] = n;
    KeptSlot *slot = &b->kept->slot[g - (const HGroup *)b->directory];
    if (atomic_compare_exchange_strong_explicit(&slot->frame, &other, f, memory_order_acq_rel, memory_order_acquire)) {
        atomic_fetch_add_explicit(&b->kept->bytes, size, memory_order_relaxed);
        return f;
    }
    mem_free(f); // somebody was faster
    return other;
}
