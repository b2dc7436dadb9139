// SPDX-License-Identifier: Apache-2.0
// Measures of the history.
#include "history/merge_inner.h"

static int64_t of(const _Atomic int64_t *n) { return atomic_load_explicit(n, memory_order_relaxed); }

void history_stats(History *h, HistoryStats *out) {
    pthread_mutex_lock(&h->root->lock);
    int64_t heads = h->heads.count;
    pthread_mutex_unlock(&h->root->lock);
    h = h->root;
    *out = (HistoryStats){.points = of(&h->n.points),
                          .head_bytes = of(&h->head_bytes),
                          .queue_bytes = of(&h->queue_bytes),
                          .sealed_blocks = of(&h->n.sealed_blocks),
                          .merged_blocks = of(&h->n.merged_blocks),
                          .blocks_let_go = of(&h->n.blocks_let_go),
                          .seal_ns = of(&h->n.seal_ns),
                          .merge_ns = of(&h->n.merge_ns),
                          .failed = of(&h->n.failed),
                          .merge_behind = of(&h->merge->n.behind),
                          .merged_points = of(&h->merge->n.merged_points),
                          .points_let_go = of(&h->merge->n.points_let_go),
                          .means_made = of(&h->merge->n.means_made),
                          .retain_ns = of(&h->merge->n.retain_ns),
                          .corrupt = of(&h->merge->n.corrupt)};
    out->heads = heads;
    pthread_mutex_lock(&h->cache.lock);
    out->cache_hits = h->cache.hits;
    out->cache_misses = h->cache.misses;
    pthread_mutex_unlock(&h->cache.lock);
}
