// SPDX-License-Identifier: Apache-2.0
// Scan: whole pages of a vector as of a view, for evaluation a page at a time, and what tells whether a page has
// changed since something was derived from it.
#pragma once
#include "world/world.h"

// One page of a vector, copied. Lanes have PAGE_ROWS rows; those beyond `rows` are missing (invalid, zero). When rows
// is 0 all lanes are NULL. Zeroed memory is an empty copy. One thread at a time; reused from page to page.
typedef struct PageCopy {
    uint32_t rows;                  // rows there is anything of: 0 when there is no page
    uint64_t valid[PAGE_ROWS / 64]; // timed shapes
    uint64_t *cells;                // PAGE_ROWS x words of the shape
    int64_t *update;                // timed shapes, when asked for
    int64_t *source;                // timed shapes, when asked for; NULL when the page has none
    uint64_t *own;                  // memory behind the lanes, reused; freed by page_copy_free
    uint32_t own_words;
} PageCopy;

#define PAGE_CELLS 1u  // copy valid bits and cells
#define PAGE_UPDATE 2u // and update times
#define PAGE_SOURCE 4u // and source times

// Copy page `page_no` of vector `vec` as of the view: all rows from one sequence. Texts stay valid while the view is
// open. Sets v->overrun when the ring was outrun (the copy is empty then). Any thread inside a view; on ringless worlds
// nobody may write meanwhile. Never waits for more than one batch being rolled back, however busy the writer is. Cost:
// about 0.3 ns a word (memory permitting) plus the page's changes since the view.
void view_page(View *v, uint32_t vec, uint64_t page_no, uint32_t what, PageCopy *out);
void page_copy_free(PageCopy *p);

// A mark of a page's contents as the view sees them: whenever and in whichever world of a Domain the same mark comes
// again, the contents are the same. Numbers are never used twice, so that sequences counted again after a rollback and
// reused addresses do no harm. 0: unknown, being written, or changed after the view's sequence (do not use or keep
// derived facts). PAGE_MARK_NONE: there is no page (all such are alike). A page nobody writes keeps its mark, also when
// forks come and go. What view_page copies in this view, before or after, is what the mark stands for.
// Cost: one page lookup. Any thread inside a view.
uint64_t view_page_mark(View *v, uint32_t vec, uint64_t page_no);
#define PAGE_MARK_NONE UINT64_MAX

// A second view of what `like` sees, for another thread; `overrun` is its own. `like` stays open meanwhile: it keeps
// the memory of both. Pair with view_end.
void view_join(View *v, const View *like);
// Pages of a vector that may hold rows: highest page number + 1, 0 when there is none. Cost: a tree's depth, mostly.
uint64_t view_pages(View *v, uint32_t vec);

// What cells of a PageCopy mean. A row vector's row holds a twin's id, or 0 inside when it is free.
static inline TwinId page_row_twin(uint64_t cell) { return (TwinId){cell >> 63 ? 0 : cell}; }
// A row of VECNO_LINK is PAGE_LINK_WORDS cells from `row`; no source: no link.
#define PAGE_LINK_WORDS 8
// Its source, target, relationship id and kind.
static inline TwinId page_link_source(const uint64_t *row) { return (TwinId){row[0] & (((uint64_t)1 << 36) - 1)}; }
static inline TwinId page_link_target(const uint64_t *row) { return (TwinId){row[1] & (((uint64_t)1 << 36) - 1)}; }
static inline Text page_link_rid(const uint64_t *row) { return (Text){{row[2], row[3]}}; }
static inline uint32_t page_link_kind(const uint64_t *row) { return (uint32_t)(row[0] >> 40); }
