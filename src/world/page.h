// SPDX-License-Identifier: Apache-2.0
// Pages, vectors and the copy-on-write tree: the one structure of a world.
//
// A *vector* (Vec) holds rows of 64-bit words in pages of PAGE_ROWS rows. A world is a tree: radix nodes over vector
// numbers, below each vector's root radix nodes over its page numbers, below them pages. Nodes and pages are *blocks*.
//
// Invariants
//  1. A block has one owner epoch. A world writes in place only blocks of its own epoch; it copies any other first
//     (or takes it over when nothing else can reach it: every reference count from the root down is 1, and no other
//     world of the domain is written).
//  2. A fork shares the whole tree and gives both worlds new epochs: O(1). A vector no twin uses is a null pointer;
//     a tail page grows 16 -> 64 -> 256 -> 1,024 rows.
//  3. One thread at a time writes a world.
//  4. Readers never block: they read a page under its version counter (odd while it is being written), then undo
//     changes newer than their sequence by walking the page's chain of before-images in the ring.
//  5. A block unreachable from every world is freed, after every reader that might hold it has left (Domain).
//     Reference counts are atomic, epochs are not.
//  6. Two worlds with the same block pointer hold the same rows below it: diff and checkpoint descend only where
//     pointers differ (a block with a stored id is in the store already, with everything below it).
//  7. A missing value is a cleared validity bit, never a magic number.
//  8. Texts over 12 bytes are immutable, reference-counted blobs, so that copying a page copies handles.
//  9. Twin and link ids are never reused, and unique across the worlds of a Domain.
//
//   page words:  [valid: 16 words]  [cells: cap x cell_words]  [update times: cap]  [source times: cap]
//                 timed shapes only                             timed shapes only    when has_sources
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "world/domain.h"

#define PAGE_ROWS 1024u
#define PAGE_SHIFT 10
#define NODE_FAN 64u
#define NODE_SHIFT 6

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored words and hashes assume little-endian machines");

// What the rows of a vector are. ORDER SHAPE_OF_VEC: stored.
typedef enum VecShape {
    VEC_META,  // 1 word: scalars of the world, see world.h META_*
    VEC_HOT,   // 2 words: a twin's place (table, row) and update time
    VEC_COLD,  // 4 words: a twin's name (text), first outgoing and first incoming link
    VEC_LINK,  // 8 words: see link.h
    VEC_WORD,  // 1 word, plain: row -> twin, index directories
    VEC_SLOTS, // 1 word, plain, always full pages: hash segments
    VEC_MODEL, // 8 words: kind, time, id (text), document (text)
    VEC_BITS,  // timed, 1 word a cell: bool, integers, doubles, markers
    VEC_TEXT,  // timed, 2 words a cell: strings and documents
    VEC_SHAPE_COUNT
} VecShape;

typedef struct VecLayout {
    uint8_t words;     // words a row
    bool timed;        // validity bits and times
    bool full;         // pages are made at full size
    uint8_t text_mask; // bit k: words k and k+1 of a row are one Text
} VecLayout;

extern const VecLayout vec_layout[VEC_SHAPE_COUNT];

typedef enum BlockKind { BLOCK_NODE, BLOCK_PAGE } BlockKind;

typedef struct Block {
    _Atomic uint32_t refs;
    uint8_t kind;
    uint8_t shape;           // VecShape below a vector's root; VEC_META for the nodes above
    uint8_t level;           // nodes: 0 = children are pages (or, above the vectors, vector roots)
    uint8_t sources;         // pages: has source times
    uint64_t epoch;          // owner
    _Atomic uint64_t stored; // id in the store, 0: not stored as it is now
} Block;

typedef struct Node {
    Block b;
    _Atomic(Block *) child[NODE_FAN];
} Node;

typedef struct Page {
    Block b;
    uint32_t cap;             // rows there is room for
    _Atomic uint32_t rewinds; // words put back by a rollback: before-images that left the chain, see view_page
    _Atomic uint64_t version; // odd while the owner writes
    _Atomic uint64_t seq;     // newest change
    _Atomic uint64_t undo;    // ring position + 1 of the newest before-image, 0: none. Past worlds: groups made
    _Atomic uint64_t mark;    // of the contents as they are, given by the first who asks; 0: nobody has, see scan.h
    _Atomic uint64_t words[];
} Page;

_Static_assert(sizeof(Page) == 64, "words begin a cache line");

// Word offsets of one row in a page; timed shapes only for the last three.
static inline uint32_t page_valid_word(uint32_t row) { return row >> 6; }
static inline uint32_t page_cell_word(const Page *p, uint32_t row) {
    const VecLayout *l = &vec_layout[p->b.shape];
    return (l->timed ? PAGE_ROWS / 64 : 0) + row * l->words;
}
static inline uint32_t page_update_word(const Page *p, uint32_t row) {
    return PAGE_ROWS / 64 + p->cap * vec_layout[p->b.shape].words + row;
}
static inline uint32_t page_source_word(const Page *p, uint32_t row) { return page_update_word(p, row) + p->cap; }
// Words of the whole page.
uint32_t page_words(const Page *p);
// The word's number in a page of full size, the same however large the page is: ring records use it.
static inline uint32_t page_logical(const Page *p, uint32_t word) {
    uint32_t base = page_update_word(p, 0);
    if (p->cap == PAGE_ROWS || !vec_layout[p->b.shape].timed || word < base) return word;
    uint32_t lane = (word - base) / p->cap, row = (word - base) % p->cap;
    return PAGE_ROWS / 64 + PAGE_ROWS * (vec_layout[p->b.shape].words + lane) + row;
}
// And back.
static inline uint32_t page_physical(const Page *p, uint32_t logical) {
    uint32_t base = PAGE_ROWS / 64 + PAGE_ROWS * vec_layout[p->b.shape].words;
    if (p->cap == PAGE_ROWS || !vec_layout[p->b.shape].timed || logical < base) return logical;
    return page_update_word(p, 0) + (logical - base) / PAGE_ROWS * p->cap + (logical - base) % PAGE_ROWS;
}

// A new zeroed page of at least `rows` rows (16, 64, 256 or 1,024), one reference.
Page *page_new(VecShape shape, uint32_t rows, bool sources, uint64_t epoch);
// A copy with at least `rows` rows and, when asked, source times; takes references to its texts. One reference.
Page *page_copy(const Page *p, uint32_t rows, bool sources, uint64_t epoch);
// A new empty node, and a copy that takes references to its children. One reference.
Node *node_new(VecShape shape, uint8_t level, uint64_t epoch);
Node *node_copy(const Node *n, uint64_t epoch);
void block_ref(Block *b);
// Drop a reference; at the last one the block goes to the domain's reclaim list, to be freed with what it refers to
// when no reader can hold it any more. NULL is fine.
void block_unref(Domain *d, Block *b);

// Tell the domain's account about a block made by page_new, page_copy, node_new, node_copy or page_decode.
void block_account(Domain *d, const Block *b);

// The page a reader finds now, or NULL when there is none. Any thread inside a view. Cost: 4-7 dependent loads.
const Page *tree_page(const Node *root, uint32_t vec, uint64_t page_no);

// Bytes for the store: shape, size, words; texts inlined. Threads: any, on a page nobody writes.
void page_encode(const Page *p, Buf *out);
// The reverse, checking every length. Errors: CORRUPT. One reference.
MUST Err page_decode(Domain *d, Str bytes, Page **out);
