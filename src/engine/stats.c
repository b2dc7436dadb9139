// SPDX-License-Identifier: Apache-2.0
// Counters and sizes as one JSON object; the names are those of docs/metrics.md.
#include "engine/decide.h"
#include "engine/erase.h"
#include "engine/pasts.h"
#include "engine/scenarios.h"
#include "base/time.h"
#include "history/history.h"

typedef struct Sizes {
    uint64_t twins, links;
    int64_t models;
} Sizes;

static Err sizes_view(View *v, void *ctx) {
    Sizes *s = ctx;
    s->twins = view_meta(v, META_TWINS);
    s->links = view_meta(v, META_LINKS);
    s->models = 0;
    for (int32_t i = 0; i < schema_count(v->catalog->schema); i++)
        s->models += schema_at(v->catalog->schema, i) != NULL;
    return ERR_OK;
}

static void put(Buf *b, const char *name, int64_t value) {
    char last = b->n ? b->p[b->n - 1] : '{';
    buf_printf(b, "%s\"%s\":%lld", last == '{' ? "" : ",", name, (long long)value);
}

static void put_store(Sosia *e, Buf *out) {
    StoreStats st = {0};
    store_stats(e->store, &st);
    buf_printf(out, ",\"store\":{");
    put(out, "commits", st.commits);
    put(out, "batches", st.batches);
    put(out, "bytes", st.bytes);
    put(out, "fsyncNs", st.fsync_ns);
    put(out, "checkpoints", st.checkpoints);
    put(out, "checkpointsFailed", st.checkpoints_failed);
    put(out, "checkpointPages", st.checkpoint_pages);
    put(out, "checkpointBytes", st.checkpoint_bytes);
    put(out, "fileBytes", st.file_bytes);
    put(out, "journalRows", st.journal_rows);
    put(out, "journalKeptRows", st.kept_rows);
    put(out, "journalKeptBytes", st.kept_bytes);
    put(out, "journalReads", st.reads);
    put(out, "journalReadBytes", st.read_bytes);
    put(out, "queueBytes", st.queue_bytes);
    put(out, "historyRows", st.history_rows);
    put(out, "historyBytes", st.history_bytes);
    put(out, "historyGone", st.history_gone);
    put(out, "historyFailed", st.history_failed);
    put(out, "historyQueueBytes", st.history_queue_bytes);
    put(out, "readers", st.readers);
    buf_byte(out, '}');
}

static void put_memory(Sosia *e, Buf *out) {
    DomainStats d = domain_stats(e->domain);
    buf_printf(out, ",\"memory\":{");
    put(out, "blocks", d.blocks);
    put(out, "blockBytes", d.block_bytes);
    put(out, "texts", d.blobs);
    put(out, "textBytes", d.blob_bytes);
    put(out, "retired", d.retired);
    buf_byte(out, '}');
}

static void put_history(Sosia *e, Buf *out) {
    HistoryStats h = {0};
    Buf name = {0};
    int64_t holding;
    history_stats(e->history, &h);
    buf_printf(out, ",\"history\":{");
    put(out, "points", h.points);
    put(out, "headBytes", h.head_bytes);
    put(out, "heads", h.heads);
    put(out, "queueBytes", h.queue_bytes);
    put(out, "sealedBlocks", h.sealed_blocks);
    put(out, "mergedBlocks", h.merged_blocks);
    put(out, "mergedPoints", h.merged_points);
    put(out, "mergeBehind", h.merge_behind);
    put(out, "sealNs", h.seal_ns);
    put(out, "mergeNs", h.merge_ns);
    put(out, "blocksLetGo", h.blocks_let_go);
    put(out, "pointsLetGo", h.points_let_go);
    put(out, "meansMade", h.means_made);
    put(out, "retainNs", h.retain_ns);
    put(out, "cacheHits", h.cache_hits);
    put(out, "cacheMisses", h.cache_misses);
    put(out, "failed", h.failed);
    put(out, "heldSince", scenarios_holder(e, &name, &holding));
    put(out, "holdingWorlds", holding);
    put(out, "corruptPages", h.corrupt);
    buf_byte(out, '}');
    buf_free(&name);
}

static void put_erasures(Sosia *e, Buf *out) {
    EraseStats st;
    eraser_stats(e->eraser, &st);
    buf_printf(out, ",\"erasures\":{");
    put(out, "pending", st.pending);
    put(out, "standing", st.standing);
    put(out, "done", st.done);
    put(out, "failed", st.failed);
    buf_byte(out, '}');
}

void stats_show(Sosia *e, Buf *out) {
    Sizes s = {0};
    uint64_t seq = 0;
    if (engine_read_realm(e->live, NULL, sizes_view, &s, &seq)) s = (Sizes){0};
    pthread_mutex_lock(&e->inbox.lock);
    int64_t waiting = e->inbox.count;
    pthread_mutex_unlock(&e->inbox.lock);
    buf_byte(out, '{');
    put(out, "sequence", (int64_t)seq);
    put(out, "twins", (int64_t)s.twins);
    put(out, "relationships", (int64_t)s.links);
    put(out, "models", s.models);
    put(out, "worlds", worlds_count(e));
    put(out, "batches", atomic_load(&e->counters.batches));
    put(out, "updates", atomic_load(&e->counters.updates));
    put(out, "late", atomic_load(&e->counters.late));
    put(out, "duplicates", atomic_load(&e->counters.duplicates));
    put(out, "commands", atomic_load(&e->counters.commands));
    put(out, "commandsFailed", atomic_load(&e->counters.failed));
    put(out, "readOverruns", atomic_load(&e->counters.overruns));
    put(out, "readForks", atomic_load(&e->counters.read_forks));
    put(out, "queueDepth", waiting);
    put(out, "queueMax", e->queue_max);
    put(out, "pendingBatches", commit_pending(e));
    put(out, "ringRecords", e->ring_records);
    put(out, "ringRoom", atomic_load(&e->room));
    put(out, "feedBytes", hub_bytes(e->live->hub));
    put(out, "feedBytesMax", e->feed_bytes_max);
    put(out, "degraded", atomic_load(&e->degraded));
    put(out, "uptimeNs", time_mono_ns() - e->opened_mono_ns);
    buf_printf(out, ",\"queries\":{");
    desk_stats(e->desk, out);
    buf_printf(out, "},\"past\":{");
    pasts_stats(e, out);
    buf_printf(out, "},\"decisions\":{");
    decider_stats(e->decider, out);
    buf_byte(out, '}');
    put_memory(e, out);
    if (e->store) put_store(e, out);
    if (e->history) put_history(e, out);
    if (e->history) put_erasures(e, out);
    buf_byte(out, '}');
}
