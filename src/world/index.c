// SPDX-License-Identifier: Apache-2.0
// Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, ACM TODS 1979) in vectors: a directory of 2^depth entries
// names segments; a segment is one full page of 1,024 slots with linear probing. A slot holds the top 28 bits of the
// hash and the id; the names themselves stay where they are. Segments split at SEGMENT_FULL, one at a time.
//
//   hash: [ 28 bits tag ........................ ][ 36 bits not kept ]     slot: [ tag ][ id ]
//          top `depth` bits: directory entry
//                    low 10 bits of tag: home slot
//
// Every word is an ordinary word of the world, so readers see the index of their own sequence.
#include "base/check.h"
#include "world/core.h"
#include "world/past.h"

#define SEGMENT_SLOTS PAGE_ROWS
#define SEGMENT_FULL 870
#define TAG_BITS (64 - ID_BITS)
#define DEPTH_MAX (TAG_BITS - PAGE_SHIFT) // 2^18 segments: 180 M names

const IndexRef index_names = {VECNO_NAME_DIR, VECNO_NAME_INFO, VECNO_NAME_SLOTS, META_NAME_DEPTH, META_NAME_SEGMENTS};
const IndexRef index_rids = {VECNO_RID_DIR, VECNO_RID_INFO, VECNO_RID_SLOTS, META_RID_DEPTH, META_RID_SEGMENTS};

uint64_t rid_hash(TwinId source, Str rid) {
    uint64_t h = str_hash(rid) ^ source.v * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
    return h * 0xD6E8FEB86659FD93u;
}

static uint64_t tag_of(uint64_t hash) { return hash >> ID_BITS; }
static uint64_t home_of(uint64_t tag) { return tag & (SEGMENT_SLOTS - 1); }

static uint64_t word(View *v, uint32_t vec, uint64_t row) {
    uint64_t out;
    view_words(v, vec, row, 0, 1, &out);
    return out;
}

// The segment for a tag; false when the index is empty.
static bool segment_of(View *v, const IndexRef *ix, uint64_t tag, uint64_t *segment) {
    if (word(v, VECNO_META, ix->segments) == 0) return false;
    uint64_t depth = word(v, VECNO_META, ix->depth);
    *segment = word(v, ix->dir, tag >> (TAG_BITS - depth));
    return true;
}

uint64_t index_find(View *v, const IndexRef *ix, uint64_t hash, IndexMatch match, const void *key) {
    uint64_t tag = tag_of(hash), segment;
    if (!segment_of(v, ix, tag, &segment)) return 0;
    for (uint64_t i = home_of(tag), left = SEGMENT_SLOTS; left; i = (i + 1) & (SEGMENT_SLOTS - 1), left--) {
        uint64_t slot = word(v, ix->slots, segment * SEGMENT_SLOTS + i);
        if (!slot) return 0;
        if (slot >> ID_BITS == tag && match(v, slot & ID_MAX, key)) return slot & ID_MAX;
    }
    return 0;
}

uint64_t index_depth(View *v, const IndexRef *ix) {
    return word(v, VECNO_META, ix->segments) ? word(v, VECNO_META, ix->depth) : UINT64_MAX;
}

const Page *index_page(View *v, const IndexRef *ix, uint64_t depth, uint64_t hash) {
    if (depth == UINT64_MAX || v->past) return NULL; // no guesses at what is not there yet
    uint64_t tag = tag_of(hash);
    const Page *p = tree_page(v->root, ix->slots, word(v, ix->dir, tag >> (TAG_BITS - depth)));
    if (p) __builtin_prefetch((const void *)&p->words[home_of(tag)]);
    return p;
}

uint64_t index_guess(const Page *p, uint64_t hash) {
    uint64_t tag = tag_of(hash), slot = 0;
    for (uint64_t i = home_of(tag), left = SEGMENT_SLOTS; left; i = (i + 1) & (SEGMENT_SLOTS - 1), left--) {
        slot = atomic_load_explicit(&p->words[i], memory_order_relaxed);
        if (!slot || slot >> ID_BITS == tag) break;
    }
    return slot & ID_MAX;
}

// ---- writing ----

#define INFO_DEPTH_SHIFT 32 // info word: count | local depth << 32

static uint64_t get(World *w, uint32_t vec, uint64_t row) { return core_get(w, vec, row, 0); }
static void put(World *w, uint32_t vec, uint64_t row, uint64_t v) { core_put(w, vec, VEC_WORD, row, 0, v); }

// How deep a full segment must be split before there is room for the tag; more than DEPTH_MAX: never.
static uint64_t depth_with_room(World *w, const IndexRef *ix, uint64_t segment, uint64_t local, uint64_t tag) {
    int32_t alike[TAG_BITS + 1] = {0}; // slots whose first bits, so many and no more, are the tag's
    for (uint64_t i = 0; i < SEGMENT_SLOTS; i++) {
        uint64_t slot = get(w, ix->slots, segment * SEGMENT_SLOTS + i), differ = (slot >> ID_BITS) ^ tag;
        if (slot) alike[differ ? __builtin_clzll(differ << ID_BITS) : TAG_BITS]++;
    }
    int32_t left = 0;
    for (uint64_t bits = TAG_BITS;; bits--) {
        left += alike[bits];
        if (left >= SEGMENT_FULL || bits == local) return bits + 1;
    }
}

int64_t index_cost_max(World *w, const IndexRef *ix, uint64_t hash) {
    enum { PLAIN = 16, SPLIT = 2 * SEGMENT_SLOTS + 16 };
    if (meta_get(w, ix->segments) == 0) return PLAIN;
    uint64_t depth = meta_get(w, ix->depth), segment = get(w, ix->dir, tag_of(hash) >> (TAG_BITS - depth));
    uint64_t info = get(w, ix->info, segment), local = info >> INFO_DEPTH_SHIFT;
    if ((info & UINT32_MAX) < SEGMENT_FULL) return PLAIN;
    uint64_t end = depth_with_room(w, ix, segment, local, tag_of(hash));
    if (end > DEPTH_MAX) return INT64_MAX;
    int64_t cost = PLAIN;
    for (; local < end; local++) {
        if (local == depth) cost += (int64_t)2 << depth++; // the directory doubles
        cost += SPLIT + ((int64_t)1 << (depth - local - 1));
    }
    return cost;
}

static void double_directory(World *w, const IndexRef *ix, uint64_t depth) {
    for (uint64_t i = (uint64_t)1 << depth; i-- > 0;) {
        uint64_t segment = get(w, ix->dir, i);
        put(w, ix->dir, 2 * i, segment);
        put(w, ix->dir, 2 * i + 1, segment);
    }
    meta_put(w, ix->depth, depth + 1);
}

static void fill(uint64_t *slots, uint64_t slot) {
    uint64_t i = home_of(slot >> ID_BITS);
    while (slots[i]) i = (i + 1) & (SEGMENT_SLOTS - 1);
    slots[i] = slot;
}

static void write_segment(World *w, const IndexRef *ix, uint64_t segment, const uint64_t *slots) {
    Pen pen = pen_open(w, ix->slots, VEC_SLOTS, segment * SEGMENT_SLOTS, false);
    for (uint32_t i = 0; i < SEGMENT_SLOTS; i++) pen_put(&pen, i, slots[i]);
    pen_close(&pen);
}

// Move the half of a segment whose next hash bit is 1 to a new segment.
static void split(World *w, const IndexRef *ix, uint64_t segment, uint64_t tag) {
    uint64_t info = get(w, ix->info, segment), local = info >> INFO_DEPTH_SHIFT;
    uint64_t depth = meta_get(w, ix->depth), fresh = meta_get(w, ix->segments);
    CHECK(local < DEPTH_MAX);
    if (local == depth) double_directory(w, ix, depth++);
    uint64_t low[SEGMENT_SLOTS] = {0}, high[SEGMENT_SLOTS] = {0}, moved = 0;
    for (uint64_t i = 0; i < SEGMENT_SLOTS; i++) {
        uint64_t slot = get(w, ix->slots, segment * SEGMENT_SLOTS + i);
        if (!slot) continue;
        bool up = slot >> ID_BITS >> (TAG_BITS - local - 1) & 1;
        fill(up ? high : low, slot);
        moved += up;
    }
    write_segment(w, ix, segment, low);
    write_segment(w, ix, fresh, high);
    put(w, ix->info, segment, ((info & UINT32_MAX) - moved) | (local + 1) << INFO_DEPTH_SHIFT);
    put(w, ix->info, fresh, moved | (local + 1) << INFO_DEPTH_SHIFT);
    meta_put(w, ix->segments, fresh + 1);
    uint64_t span = (uint64_t)1 << (depth - local), first = tag >> (TAG_BITS - depth) & ~(span - 1);
    for (uint64_t i = span / 2; i < span; i++) put(w, ix->dir, first + i, fresh);
}

static uint64_t segment_with_room(World *w, const IndexRef *ix, uint64_t tag) {
    if (meta_get(w, ix->segments) == 0) {
        static const uint64_t empty[SEGMENT_SLOTS];
        write_segment(w, ix, 0, empty);
        put(w, ix->dir, 0, 0);
        put(w, ix->info, 0, 0);
        meta_put(w, ix->segments, 1);
        return 0;
    }
    for (;;) {
        uint64_t segment = get(w, ix->dir, tag >> (TAG_BITS - meta_get(w, ix->depth)));
        if ((get(w, ix->info, segment) & UINT32_MAX) < SEGMENT_FULL) return segment;
        split(w, ix, segment, tag);
    }
}

void index_insert(World *w, const IndexRef *ix, uint64_t hash, uint64_t id) {
    uint64_t tag = tag_of(hash), segment = segment_with_room(w, ix, tag), base = segment * SEGMENT_SLOTS;
    CHECK(id && id <= ID_MAX);
    uint64_t i = home_of(tag);
    while (get(w, ix->slots, base + i)) i = (i + 1) & (SEGMENT_SLOTS - 1);
    core_put(w, ix->slots, VEC_SLOTS, base + i, 0, tag << ID_BITS | id);
    put(w, ix->info, segment, get(w, ix->info, segment) + 1);
}

// Close the hole: pull back every slot of the run that probing would no longer reach (Knuth 6.4, algorithm R).
static void close_hole(World *w, const IndexRef *ix, uint64_t base, uint64_t hole) {
    for (uint64_t i = (hole + 1) & (SEGMENT_SLOTS - 1);; i = (i + 1) & (SEGMENT_SLOTS - 1)) {
        uint64_t slot = get(w, ix->slots, base + i);
        if (!slot) break;
        uint64_t from_home = (i - home_of(slot >> ID_BITS)) & (SEGMENT_SLOTS - 1);
        if (from_home < ((i - hole) & (SEGMENT_SLOTS - 1))) continue;
        core_put(w, ix->slots, VEC_SLOTS, base + hole, 0, slot);
        hole = i;
    }
    core_put(w, ix->slots, VEC_SLOTS, base + hole, 0, 0);
}

void index_remove(World *w, const IndexRef *ix, uint64_t hash, uint64_t id) {
    uint64_t tag = tag_of(hash), segment = get(w, ix->dir, tag >> (TAG_BITS - meta_get(w, ix->depth)));
    uint64_t base = segment * SEGMENT_SLOTS, i = home_of(tag);
    for (uint64_t left = SEGMENT_SLOTS;; i = (i + 1) & (SEGMENT_SLOTS - 1), left--) {
        uint64_t slot = get(w, ix->slots, base + i);
        if (w->base && (!slot || !left)) return; // it was erased below, or could not be read
        CHECK(slot && left);
        if (slot == (tag << ID_BITS | id)) break;
    }
    close_hole(w, ix, base, i);
    put(w, ix->info, segment, get(w, ix->info, segment) - 1);
}
