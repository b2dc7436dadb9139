// SPDX-License-Identifier: Apache-2.0
#include "world/forget.h"
#include <stdio.h>
#include <string.h>
#include "world/batch.h"

Str forget_name(uint64_t id, char room[32]) {
    int n = snprintf(room, 32, "erased:%llu", (unsigned long long)id);
    return (Str){room, n};
}

static bool has_column(const Forget *f, uint32_t col) {
    for (int64_t i = 0; i < f->column_count; i++)
        if (f->columns[i] == col) return true;
    return false;
}

static bool has_link(const Forget *f, uint64_t id) {
    int64_t lo = 0, hi = f->link_count;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (f->links[mid] < id) lo = mid + 1;
        else hi = mid;
    }
    return lo < f->link_count && f->links[lo] == id;
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
    return f->all || has_column(f, c->col) ? FATE_DROP : FATE_KEEP;
}

static Fate of_link(const Forget *f, const Change *c) {
    bool ours = f->all && (c->other == f->twin || c->target == f->twin || has_link(f, c->id));
    return ours ? FATE_RENAME : FATE_KEEP;
}

static Fate fate_of(const Forget *f, const Change *c) {
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
    case CHANGE_LINK_AT: return of_link(f, c);
    case CHANGE_LINK_WAS:
    case CHANGE_LINK_SET:
    case CHANGE_LINK_UNSET: return f->all && has_link(f, c->id) ? FATE_DROP : FATE_KEEP;
    case CHANGE_TELEMETRY:
        if (c->id != f->twin) return FATE_KEEP;
        return f->all || (f->telemetry.n && forget_tells(c->text, f->telemetry)) ? FATE_DROP : FATE_KEEP;
    default: return FATE_KEEP;
    }
}

static Err forget_batch(const Forget *f, Cut *c, Buf *changes, Buf *out, int64_t *taken) {
    BatchHead head;
    Change x;
    char room[32];
    TRY(batch_decode(c, &head));
    int64_t left = 0;
    buf_reset(changes);
    for (int64_t i = 0; i < head.count; i++) {
        TRY(change_decode(c, &x));
        Fate fate = f->seq_max && head.seq > f->seq_max ? FATE_KEEP : fate_of(f, &x);
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
    Err err = ERR_OK;
    *taken = 0;
    while (c.p < c.end && !err) err = forget_batch(f, &c, &changes, out, taken);
    buf_free(&changes);
    return err;
}
