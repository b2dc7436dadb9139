// SPDX-License-Identifier: Apache-2.0
// Ranks: few values that come again and again (steps of a converter, shares of small numbers) are numbered by size.
#include <stdlib.h>
#include "codec/hblock_inner.h"

#define SAMPLE 64      // elements that tell whether there may be a table
#define SAMPLE_MOST 56 // distinct ones among them
#define SHARE 4        // one value in as many elements at most

typedef struct Slotted {
    int64_t q;
    int64_t rank; // 0: free; else rank + 1, or any while they are gathered
} Slotted;

static Slotted *find(Slotted *hash, int64_t cap, int64_t q) {
    int64_t i = (int64_t)((uint64_t)q * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (cap - 1);
    while (hash[i].rank && hash[i].q != q) i = (i + 1) & (cap - 1);
    return &hash[i];
}

// Gather the distinct ones of every step-th element; how many, or -1: more than `most`.
static int64_t gather(Slotted *hash, int64_t cap, const int64_t *q, int64_t n, int64_t step, int64_t most,
                      int64_t *to) {
    int64_t count = 0;
    memset(hash, 0, (size_t)cap * sizeof *hash);
    for (int64_t i = 0; i < n; i += step) {
        Slotted *s = find(hash, cap, q[i]);
        if (s->rank) continue;
        if (count == most) return -1;
        *s = (Slotted){q[i], 1};
        to[count++] = q[i];
    }
    return count;
}

static int by_size(const void *x, const void *y) {
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

int64_t ranks_of(HWork *w, const int64_t *q, int64_t n, int64_t **table, int64_t **ranks) {
    int64_t cap = 256, most = n / SHARE;
    while (cap < 2 * most) cap *= 2;
    Slotted *hash = hwork_slot(w, SLOT_RANK_HASH, cap * (int64_t)sizeof *hash);
    int64_t *t = *table = hwork_slot(w, SLOT_RANK_TABLE, (most + SAMPLE) * 8);
    if (n < SAMPLE || gather(hash, 256, q, n, n / SAMPLE, SAMPLE_MOST, t) < 0) return 0;
    int64_t count = gather(hash, cap, q, n, 1, most, t);
    if (count < 2) return 0;
    qsort(t, (size_t)count, sizeof *t, by_size);
    for (int64_t i = 0; i < count; i++) find(hash, cap, t[i])->rank = i + 1;
    int64_t *r = *ranks = hwork_slot(w, SLOT_RANKED, n * 8);
    for (int64_t i = 0; i < n; i++) r[i] = find(hash, cap, q[i])->rank - 1;
    return count;
}
