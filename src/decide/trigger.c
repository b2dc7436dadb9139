// SPDX-License-Identifier: Apache-2.0
// Twins in a table by open addressing (linear probing, backward shift on removal), those to come due in a binary heap
// by (due, twin). A twin's due_ns is the truth; an entry of the heap that says otherwise is passed over when it
// surfaces, and the heap is made again when it has become twice as long as needed.
#include "decide/trigger.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "decide/rule.h"

#define NEVER INT64_MAX
static const int64_t hour_ns = INT64_C(3600) * 1000000000;

// ---- the table ----------------------------------------------------------------------------------------------------

static int32_t home(const Trigger *t, uint64_t twin) {
    return (int32_t)((twin * UINT64_C(0x9E3779B97F4A7C15)) >> 32 & (uint64_t)(t->cap - 1));
}

static TriggerTwin *find(const Trigger *t, uint64_t twin) {
    if (!t->cap) return NULL;
    for (int32_t i = home(t, twin); t->slots[i].twin; i = (i + 1) & (t->cap - 1))
        if (t->slots[i].twin == twin) return &t->slots[i];
    return NULL;
}

static TriggerTwin *place(Trigger *t, TriggerTwin x) {
    int32_t i = home(t, x.twin);
    while (t->slots[i].twin) i = (i + 1) & (t->cap - 1);
    t->slots[i] = x;
    return &t->slots[i];
}

static void grow(Trigger *t) {
    TriggerTwin *old = t->slots;
    int32_t n = t->cap;
    t->cap = n ? n * 2 : 16;
    t->slots = mem_alloc((size_t)t->cap * sizeof *t->slots);
    for (int32_t i = 0; i < n; i++)
        if (old[i].twin) (void)place(t, old[i]);
    mem_free(old);
}

static TriggerTwin *add(Trigger *t, uint64_t twin) {
    if (t->count >= TRIGGER_TWINS_MAX) return NULL;
    if (t->cap < 16 || t->count >= t->cap / 4 * 3) grow(t);
    t->count++;
    return place(t, (TriggerTwin){.twin = twin, .since_ns = NEVER, .fired_ns = INT64_MIN, .due_ns = NEVER});
}

static void take_out(Trigger *t, TriggerTwin *x) {
    int32_t hole = (int32_t)(x - t->slots), mask = t->cap - 1;
    for (int32_t i = (hole + 1) & mask; t->slots[i].twin; i = (i + 1) & mask) {
        int32_t far = (i - home(t, t->slots[i].twin)) & mask;
        if (far < ((i - hole) & mask)) continue; // it would come before its home
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = (TriggerTwin){.twin = 0};
    t->count--;
}

// ---- the heap -----------------------------------------------------------------------------------------------------

static bool before(TriggerDue a, TriggerDue b) { return a.due_ns != b.due_ns ? a.due_ns < b.due_ns : a.twin < b.twin; }

static void sink(Trigger *t, int32_t i) {
    TriggerDue x = t->heap[i];
    for (int32_t k; (k = 2 * i + 1) < t->due_count; i = k) {
        if (k + 1 < t->due_count && before(t->heap[k + 1], t->heap[k])) k++;
        if (!before(t->heap[k], x)) break;
        t->heap[i] = t->heap[k];
    }
    t->heap[i] = x;
}

static void pop(Trigger *t) {
    t->heap[0] = t->heap[--t->due_count];
    if (t->due_count) sink(t, 0);
}

// Does the twin still come due then?
static TriggerTwin *valid(const Trigger *t, TriggerDue x) {
    TriggerTwin *y = find(t, x.twin);
    return y && y->due_ns == x.due_ns ? y : NULL;
}

static int by_due(const void *x, const void *y) {
    const TriggerDue *a = x, *b = y;
    return before(*a, *b) ? -1 : before(*b, *a);
}

// Only what is valid, each once; an ascending array is a heap.
static void tidy(Trigger *t) {
    int32_t n = 0;
    qsort(t->heap, (size_t)t->due_count, sizeof *t->heap, by_due);
    for (int32_t i = 0; i < t->due_count; i++)
        if (valid(t, t->heap[i]) && (!n || t->heap[n - 1].twin != t->heap[i].twin)) t->heap[n++] = t->heap[i];
    t->due_count = n;
}

static void push(Trigger *t, TriggerDue x) {
    if (t->due_count >= 2 * t->count + 64) tidy(t);
    if (t->due_count == t->due_cap) {
        t->due_cap = t->due_cap ? t->due_cap * 2 : 16;
        t->heap = mem_grow(t->heap, (size_t)t->due_cap * sizeof *t->heap);
    }
    int32_t i = t->due_count++;
    for (; i > 0 && before(x, t->heap[(i - 1) / 2]); i = (i - 1) / 2) t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = x;
}

// ---- what is seen -------------------------------------------------------------------------------------------------

static int64_t plus(int64_t a, int64_t b) {
    int64_t s;
    return __builtin_add_overflow(a, b, &s) ? NEVER - 1 : s;
}

// From since, fired and spent to due.
static void reckon(Trigger *t, TriggerTwin *x) {
    int64_t due = NEVER;
    if (x->since_ns != NEVER && !x->spent) {
        due = plus(x->since_ns, t->for_ns);
        if (x->fired_ns != INT64_MIN && plus(x->fired_ns, t->again_ns) > due) due = plus(x->fired_ns, t->again_ns);
    }
    if (due == x->due_ns) return;
    x->due_ns = due;
    if (due != NEVER) push(t, (TriggerDue){due, x->twin});
}

static bool remembered(const Trigger *t, const TriggerTwin *x) {
    return x->fired_ns != INT64_MIN && plus(x->fired_ns, t->again_ns) > t->now_ns;
}

// Neither holds nor was taken within `again`: nothing need be known of it.
static void forget_old(Trigger *t) {
    for (int32_t i = 0; i < t->cap; i++) {
        TriggerTwin *x = &t->slots[i];
        if (!x->twin || x->since_ns != NEVER || x->spent || remembered(t, x)) continue;
        take_out(t, x);
        i--; // another may have come here
    }
}

static void advance(Trigger *t, int64_t now_ns) {
    if (now_ns > t->now_ns) t->now_ns = now_ns;
}

void trigger_init(Trigger *t, int64_t for_ns, int64_t again_ns, int32_t most_per_hour) {
    CHECK(for_ns >= 0 && again_ns >= 0);
    CHECK(most_per_hour >= 0 && most_per_hour <= RULE_PER_HOUR_MAX);
    *t = (Trigger){.for_ns = for_ns, .again_ns = again_ns, .most_per_hour = most_per_hour, .now_ns = INT64_MIN};
    if (most_per_hour) t->fired = mem_alloc((size_t)most_per_hour * sizeof *t->fired);
}

void trigger_free(Trigger *t) {
    mem_free(t->slots);
    mem_free(t->heap);
    mem_free(t->fired);
    *t = (Trigger){.slots = NULL};
}

static Err begins(Trigger *t, TriggerTwin *x, uint64_t twin) {
    if (!x && t->count >= TRIGGER_TWINS_MAX) forget_old(t);
    if (!x) x = add(t, twin);
    if (!x) return ERR_LIMIT;
    if (x->since_ns != NEVER) return ERR_OK;
    x->since_ns = t->now_ns;
    reckon(t, x);
    return ERR_OK;
}

Err trigger_see(Trigger *t, uint64_t twin, bool holds, int64_t now_ns) {
    CHECK(twin != 0);
    advance(t, now_ns);
    TriggerTwin *x = find(t, twin);
    if (holds) return begins(t, x, twin);
    if (!x || (x->since_ns == NEVER && !x->spent)) return ERR_OK;
    x->since_ns = NEVER;
    x->spent = false;
    reckon(t, x);
    if (!remembered(t, x)) take_out(t, x);
    return ERR_OK;
}

void trigger_drop(Trigger *t, uint64_t twin) {
    TriggerTwin *x = find(t, twin);
    if (x) take_out(t, x);
}

// ---- what is due --------------------------------------------------------------------------------------------------

// From this instant on another one may be taken in the hour.
static int64_t room_from(const Trigger *t) {
    if (!t->most_per_hour || t->fired_count < t->most_per_hour) return INT64_MIN;
    return plus(t->fired[t->fired_at], hour_ns); // the oldest is where the next will be written
}

static void note(Trigger *t, TriggerTwin *x, int64_t at_ns) {
    x->fired_ns = at_ns;
    x->spent = !t->again_ns && x->since_ns != NEVER;
    reckon(t, x);
    if (!t->most_per_hour) return;
    t->fired[t->fired_at] = at_ns;
    t->fired_at = (t->fired_at + 1) % t->most_per_hour;
    if (t->fired_count < t->most_per_hour) t->fired_count++;
}

void trigger_restore(Trigger *t, uint64_t twin, int64_t at_ns) {
    CHECK(twin != 0);
    advance(t, at_ns);
    TriggerTwin *x = find(t, twin);
    if (!x) x = add(t, twin);
    if (x) {
        note(t, x, at_ns);
        x->spent = !t->again_ns; // nobody knows that it did not hold in between
    } else if (t->most_per_hour) note(t, &(TriggerTwin){.since_ns = NEVER, .due_ns = NEVER}, at_ns);
}

static TriggerTwin *first(Trigger *t) {
    while (t->due_count) {
        TriggerTwin *x = valid(t, t->heap[0]);
        if (x) return x;
        pop(t);
    }
    return NULL;
}

bool trigger_take(Trigger *t, int64_t now_ns, TriggerHit *out) {
    advance(t, now_ns);
    TriggerTwin *x = first(t);
    if (!x || x->due_ns > t->now_ns || room_from(t) > t->now_ns) return false;
    *out = (TriggerHit){.twin = x->twin, .since_ns = x->since_ns, .due_ns = x->due_ns};
    pop(t);
    x->due_ns = NEVER;
    note(t, x, t->now_ns);
    return true;
}

int64_t trigger_next(Trigger *t) {
    const TriggerTwin *x = first(t);
    if (!x) return NEVER;
    int64_t room = room_from(t);
    return x->due_ns > room ? x->due_ns : room;
}
