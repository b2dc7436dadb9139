// SPDX-License-Identifier: Apache-2.0
// Past worlds: a world as it was known at an instant, read-only. Its pages are absent until somebody touches them, then
// made by a source (history), a group of 64 rows at a time, and kept; when several groups of a page were wanted, the
// rest is made at once. Every function that reads a world works on it.
//
// Worlds over a past one (world_fork of it) are writable: what they write they copy from below first, a page at a time,
// into a tree of their own; all else is looked up below. Any number of them share one past world. When a page cannot be
// made for the writer of such a world, the batch is broken: world_do refuses with the reason and what follows, and the
// batch must be rolled back; nothing of it stays.
//
// Any number of threads read one; pages that two want at once are made once. There is no ring: nobody writes.
// A source that fails sets View.failed; what was read must be thrown away, and a later view tries again.
#pragma once
#include "world/world.h"

#define PAST_GROUP_ROWS 64u // rows made at a time
#define PAST_GROUPS (PAGE_ROWS / PAST_GROUP_ROWS)
#define PAST_AHEAD 5 // groups of a page that are made by themselves: a question costs a source more than its rows
#define PAST_WHOLE ((1u << PAST_GROUPS) - 1)

typedef struct PastRows PastRows;

typedef struct PastSource {
    void *ctx;
    // Put the rows of the groups (bit k: rows 64k to 64k + 63) of a page as they were known at `at`; rows it says
    // nothing of are empty, what it says of other groups is left out, of what it says twice the later counts. Any
    // thread, for different pages at once; it must not read the past world. Errors: STORAGE, CORRUPT, PAST_GONE.
    Err (*rows)(void *ctx, int64_t at, uint32_t vec, uint64_t page_no, uint16_t groups, PastRows *to);
    // Highest page number that was ever written + 1, 0 when there is none. May be too high. Any thread.
    Err (*pages)(void *ctx, uint32_t vec, uint64_t *count);
    void (*free)(void *ctx); // with the world; may be NULL
} PastSource;

// What a source may say of a row of the page. word, bits: of an untimed vector.
void past_put_word(PastRows *to, uint32_t row, uint32_t word, uint64_t bits);
void past_put_text(PastRows *to, uint32_t row, uint32_t word, Str text);
// A cell with a value; text of text cells.
void past_put_cell(PastRows *to, uint32_t row, uint64_t bits, Str text, int64_t update_time, int64_t source_time);
// Shape of the vector the rows belong to.
VecShape past_shape(const PastRows *to);

// The world as it was known at `at` (ns), when its newest batch was `seq`. Takes over the source, also on failure.
// live: the present world, or NULL; its catalog is used when it was the same then, and its index to find names: it must
// live as long.
// Errors: those of the source; CORRUPT. Cost: a few pages; with other models than now, building their schema.
MUST Err world_past(Domain *d, const PastSource *src, uint64_t seq, int64_t at, const World *live, World **out);
bool world_is_past(const World *w);
// The past world that `w` lies over; NULL: it is no such world.
World *world_base(const World *w);
// Have `w`, which lies over a past world, lie over another one of the same instant. What was below is let go of when no
// reader can hold it any more. Writer of w; no batch is open.
void world_rebase(World *w, World *past);
int64_t world_past_at(const World *w);
// Bytes of the pages made so far.
int64_t world_past_bytes(const World *w);

// For the functions below: a page with those groups made, or NULL when nothing is in it (or it failed). The update time
// of a twin by its own word and its cells.
const Page *past_page(View *v, uint32_t vec, uint64_t page_no, uint32_t groups);
int64_t past_time_of(View *v, const TwinView *t);

// The page that holds `row` of a vector with that row in it, or NULL: what all readers use in place of tree_page.
static inline const Page *view_tree_page(View *v, uint32_t vec, uint64_t row) {
    if (__builtin_expect(v->past != NULL, 0))
        return past_page(v, vec, row >> PAGE_SHIFT, 1u << (row / PAST_GROUP_ROWS % PAST_GROUPS));
    return tree_page(v->root, vec, row >> PAGE_SHIFT);
}
// The same with all rows of page `page_no`.
static inline const Page *view_whole_page(View *v, uint32_t vec, uint64_t page_no) {
    if (__builtin_expect(v->past != NULL, 0)) return past_page(v, vec, page_no, PAST_WHOLE);
    return tree_page(v->root, vec, page_no);
}
// The page for those who only ask for its lines ahead of reading; NULL also in past worlds, where nothing is made on a
// guess.
static inline const Page *view_page_ahead(const View *v, uint32_t vec, uint64_t row) {
    return v->past ? NULL : tree_page(v->root, vec, row >> PAGE_SHIFT);
}
// Update time of a twin (0: dead): its own word, and in past worlds the latest of that and its cells', for which the
// columns of the row are made.
int64_t view_twin_time(View *v, TwinId id);
// The same of a living twin that was looked at already.
static inline int64_t view_time_of(View *v, const TwinView *t) {
    return __builtin_expect(v->past != NULL, 0) ? past_time_of(v, t) : t->update_time;
}
