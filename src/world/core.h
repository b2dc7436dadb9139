// SPDX-License-Identifier: Apache-2.0
// Inside of a world, for the files of src/world only. Everything here belongs to the writer thread unless it says
// otherwise; readers see `root`, `catalog`, `visible` and blocks through acquire loads.
#pragma once
#include "world/trail.h"
#include "world/world.h"

#define ID_BITS 36 // twin and link ids; 28 bits of hash lie above them in an index slot
#define ID_MAX (((uint64_t)1 << ID_BITS) - 1)
#define TABLE_SHIFT 40               // hot word 0: (table + 1) << 40 | row; 0: no twin
#define FREE_ROW ((uint64_t)1 << 63) // row vector: free, next free row + 1 below

// Words of a link row. ORDER LINK: stored.
//   0 source | kind << 40   1 target   2,3 relationship id   4 update time
//   5 next_out | prev_in's low 28 bits << 36   6 prev_out | prev_in's high 8 bits << 36   7 next_in
enum { LINK_SOURCE, LINK_TARGET, LINK_RID, LINK_RID_1, LINK_TIME, LINK_NEXT_OUT, LINK_PREV_OUT, LINK_NEXT_IN };
enum { HOT_PLACE, HOT_TIME };
enum { COLD_NAME, COLD_NAME_1, COLD_OUT, COLD_IN };
enum { MODEL_KIND, MODEL_TIME, MODEL_ID, MODEL_ID_1, MODEL_DOC, MODEL_DOC_1 };

// A text taken out of (grave) or put into (birth) the world by a change, until the change is visible.
typedef struct TextTrail {
    uint64_t seq, at; // ring position at the change
    Text text;
} TextTrail;

// One applied batch that is not visible yet.
typedef struct BatchTrail {
    uint64_t seq, end; // ring position behind its last record
} BatchTrail;

// Growing FIFOs, power of two rings.
typedef struct TextTrails {
    TextTrail *p;
    int64_t head, count, cap;
} TextTrails;
typedef struct BatchTrails {
    BatchTrail *p;
    int64_t head, count, cap;
} BatchTrails;

typedef struct VecCache {
    uint64_t epoch; // valid when it equals the world's
    Node *root;     // of the vector, owned
} VecCache;

struct World {
    Domain *domain;
    uint64_t epoch;
    uint64_t born;     // its first epoch: blocks of an older one are those it began with
    uint64_t base_seq; // sequence at birth: chains that reach further back belong to another world
    Ring *ring;
    _Atomic(Node *) root;
    _Atomic(Catalog *) catalog;
    _Atomic uint64_t visible;
    uint64_t seq; // applied; while a batch is open, its own
    int64_t time;
    int64_t future_ns; // see world_set_future
    bool open;
    bool writes;             // a batch was ever begun; counted by the domain
    bool replaying;          // the ring's room does not matter
    const WorldGuard *guard; // NULL: none
    bool touched;            // see world_touched
    uint64_t begin_pos;      // ring head when the open batch began
    uint64_t floor;          // ring position of the oldest record that is not visible yet
    uint64_t ids[4];         // next_twin, end_twin, next_link, end_link
    uint64_t begin_ids[4];
    int64_t begin_time;
    uint64_t begin_seq;
    Buf batch; // encoded changes of the open batch
    int64_t batch_count;
    uint64_t link_said;         // the link the open batch named last
    StreamTally tally;          // of the open batch
    bool keep_trail;            // see world/trail.h
    Buf trail;                  // of the open batch, or the one before
    struct Past *past;          // see world/past.h; NULL: an ordinary world
    _Atomic int32_t overs;      // past worlds: worlds that lie over it, which keep it
    struct World *_Atomic base; // of a world over a past one: that; see world_rebase
    _Atomic int broken;         // Err: a page of the base could not be made for the writer, see over.c
    struct World *scrap;        // where a broken batch writes
    struct Page *scrap_page;
    TextTrails graves, births;
    BatchTrails batches;
    VecCache *cache;
    uint32_t cache_cap;
    Arena scratch; // of one change
    Block **put;   // blocks stored by the last world_store, for world_unstore
    int64_t put_count, put_cap;
};

// Does a loaded tree have the shapes that reading relies on? Vectors below VECNO_COLUMNS; the columns of a catalog.
bool tree_fixed_ok(const Node *root);
bool tree_columns_ok(const Node *root, const Catalog *c);
// A world over a loaded tree and its catalog; takes over both references. Sequence, time and ids come from the tree.
World *world_adopt(Domain *d, int64_t ring_records, Node *root, Catalog *catalog);

// ---- pages (write.c) ----

// A page under the writer's pen. Between pen_open and pen_close readers wait for the page.
typedef struct Pen {
    World *w;
    Page *p;
    uint32_t vec, page_no;
} Pen;

// The page as it is now, NULL when there is none.
Page *core_page(World *w, uint32_t vec, uint64_t page_no);
// Open the page that holds `row` for writing, owned, made when absent.
Pen pen_open(World *w, uint32_t vec, VecShape shape, uint64_t row, bool sources);
// Set one word; logs its before-image. No-op when it is the same.
void pen_put(Pen *pen, uint32_t word, uint64_t value);
// Set a text cell at words `word`, `word + 1`; takes over the reference of `t`.
void pen_put_text(Pen *pen, uint32_t word, Text t);
void pen_close(Pen *pen);
// Hang a page into a vector that has none of this number; takes over the reference. False: the vector is of another
// shape, or the page is there; the reference is gone too.
bool core_hang(World *w, uint32_t vec, uint64_t page_no, Page *p);
// One word of one row of an untimed vector; get is 0 where there is no page.
uint64_t core_get(World *w, uint32_t vec, uint64_t row, uint32_t k);
void core_put(World *w, uint32_t vec, VecShape shape, uint64_t row, uint32_t k, uint64_t value);
void core_put_text(World *w, uint32_t vec, VecShape shape, uint64_t row, uint32_t k, Text t);
static inline uint64_t meta_get(World *w, uint32_t row) { return core_get(w, VECNO_META, row, 0); }
static inline void meta_put(World *w, uint32_t row, uint64_t v) { core_put(w, VECNO_META, VEC_META, row, 0, v); }
// The shape of a vector below VECNO_COLUMNS; VEC_SHAPE_COUNT: there is none with this number.
VecShape shape_of_vec(uint32_t vec);
// Undo all ring records at positions >= from, back to the state of sequence `seq`.
void core_rewind(World *w, uint64_t from, uint64_t seq);
// What a world that keeps a trail appends (trail.c): a word, a text of an untimed vector; a cell or anything else.
void trail_word(World *w, uint32_t vec, uint64_t row, uint32_t k, uint64_t bits);
void trail_text(World *w, uint32_t vec, uint64_t row, uint32_t k, Text t);
void trail_tell(World *w, const TrailPoint *p);
// Records that still fit before one that is needed for undo would be lost.
int64_t core_room(const World *w);

// ---- index (index.c) ----

typedef struct IndexRef {
    uint32_t dir, info, slots; // vectors
    uint32_t depth, segments;  // rows of META
} IndexRef;
extern const IndexRef index_names, index_rids;
typedef bool (*IndexMatch)(View *v, uint64_t id, const void *key);
// The id whose slot carries `hash` and for which match says yes, or 0.
uint64_t index_find(View *v, const IndexRef *ix, uint64_t hash, IndexMatch match, const void *key);
// For many names at once: the directory's depth (UINT64_MAX: empty), the page that holds the slots of a hash (and ask
// for the line where its probe begins), and the id of the first slot with that tag, unchecked, as it is now.
uint64_t index_depth(View *v, const IndexRef *ix);
const Page *index_page(View *v, const IndexRef *ix, uint64_t depth, uint64_t hash);
uint64_t index_guess(const Page *p, uint64_t hash);
void index_insert(World *w, const IndexRef *ix, uint64_t hash, uint64_t id);
// CHECKs that it was there.
void index_remove(World *w, const IndexRef *ix, uint64_t hash, uint64_t id);
// Words the insertion of a hash may log: splits and doublings of the directory included. INT64_MAX: there is no room,
// however often its segment is split.
int64_t index_cost_max(World *w, const IndexRef *ix, uint64_t hash);
uint64_t rid_hash(TwinId source, Str rid);

// ---- catalog (catalog.c) ----

// The newest catalog made at or before `seq`; NULL when it was let go or undone meanwhile. Any thread inside a view.
const Catalog *core_catalog(const World *w, uint64_t seq);
// The catalog after one model operation; the old one is kept. Errors: those of schema_add and its sisters.
MUST Err catalog_next(const Catalog *old, uint8_t kind, Str text, bool flag, int64_t time, Catalog **out);
Catalog *catalog_new(void);
// The catalog that the model rows tell of. Errors: CORRUPT.
MUST Err catalog_load(View *v, Catalog **out);
// Table of a column, or NULL; and its field.
const Table *catalog_column(const Catalog *c, uint32_t col, const Field **field);
const LinkKind *catalog_link_column(const Catalog *c, uint32_t col, const Field **field);

// ---- worlds over a past one (over.c) ----

// The past that readers of a world look into, or NULL.
static inline struct Past *world_past_of(const World *w) { return w->base ? w->base->past : w->past; }
// One more world over the past world w; it is let go of with world_free.
World *over_base(World *w);
// For the writer: the base's page with those groups, NULL when there is nothing, or when the world is broken by it.
const Page *over_page(World *w, uint32_t vec, uint64_t page_no, uint32_t groups);
// A pen for what a broken batch writes: it goes nowhere.
Pen over_scrap(World *w, uint32_t vec, VecShape shape, uint64_t row);
void over_free(World *w);

// ---- past worlds (past.c) ----

// A page of a past world itself, see past_page.
const Page *past_made(View *v, uint32_t vec, uint64_t page_no, uint32_t groups);

// With the world: its pages and the source.
void past_free(World *w);
// The twin or link of that name by what the present world says; 0: it does not tell, ask the index.
TwinId past_find_twin(View *v, Str name);
LinkId past_find_link(View *v, TwinId source, Str rid);
// For view_page_mark: PAGE_MARK_NONE, or 0 and the page when all of it is there, else NULL. For view_pages.
uint64_t past_mark_page(View *v, uint32_t vec, uint64_t page_no, const Page **page);
uint64_t past_pages(View *v, uint32_t vec);

// ---- twins, links (twin.c, link.c): apply one change ----

// Each checks first and changes nothing when it refuses. Errors: as world_do lists them. `full`: the change as it goes
// to the journal, filled in with what is deleted.
MUST Err twin_new(World *w, const Change *c);
MUST Err twin_del(World *w, const Change *c, Change *full);
MUST Err twin_model(World *w, const Change *c);
// full: its kind becomes CHANGE_LATE when the value moved nothing, 0 when it is a duplicate; fresh is filled in.
MUST Err twin_set(World *w, const Change *c, Change *full);
MUST Err twin_late(World *w, const Change *c);
MUST Err twin_erased(World *w, const Change *c);
MUST Err twin_unset(World *w, const Change *c);
MUST Err twin_source_time(World *w, const Change *c);
MUST Err twin_telemetry(World *w, const Change *c);
MUST Err link_new(World *w, const Change *c);
MUST Err link_del(World *w, const Change *c, Change *full, Arena *keep);
MUST Err link_set(World *w, const Change *c, Change *full);
MUST Err link_unset(World *w, const Change *c);
// Clear one timed cell; true when it held a value.
bool cell_clear(World *w, uint32_t col, VecShape shape, uint64_t row);
// Write one timed cell of the open batch; true when there was no value.
bool cell_put(World *w, uint32_t col, uint64_t row, const Change *c);
static inline VecShape cell_shape(CellKind k) { return cell_is_text(k) ? VEC_TEXT : VEC_BITS; }
