// SPDX-License-Identifier: Apache-2.0
// World: a schema, its twins, links and values at a time. One writer thread folds batches of changes into it; any
// number of readers look at it through Views. A function of its arguments: no clock, socket or random source inside.
//
// Life of a write:  world_begin -> world_do ... -> world_end (or world_rollback)  -> [journal commits] -> world_settle
//   Applied changes are not visible until world_settle(seq): views read at the visible sequence.
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "model/schema.h"
#include "world/batch.h"
#include "world/domain.h"
#include "world/page.h"
#include "world/ring.h"

typedef struct TwinId {
    uint64_t v;
} TwinId; // 0: none; < 2^36
typedef struct LinkId {
    uint64_t v;
} LinkId;

// Fixed vector numbers; columns come behind. ORDER VEC: stored.
enum {
    VECNO_META,
    VECNO_HOT,
    VECNO_COLD,
    VECNO_LINK,
    VECNO_MODEL,
    VECNO_NAME_DIR,
    VECNO_NAME_INFO,
    VECNO_NAME_SLOTS,
    VECNO_RID_DIR,
    VECNO_RID_INFO,
    VECNO_RID_SLOTS,
    VECNO_TABLE, // 1 word rows: 2t = rows ever used of table t, 2t+1 = first free row + 1
    VECNO_COLUMNS = 64,
};

// Rows of VECNO_META. ORDER META: stored.
enum {
    META_SEQ,
    META_TIME,
    META_TWINS,
    META_LINKS,
    META_MODEL_ROWS,
    META_ID_MAX,
    META_NAME_DEPTH,
    META_NAME_SEGMENTS,
    META_RID_DEPTH,
    META_RID_SEGMENTS,
};

// A model's table in a world: number = the model's place in order of upload.
typedef struct Table {
    const Model *model;
    int64_t upload_time; // ns
    uint32_t rows;       // vector: row -> twin id
    uint32_t first;      // column of field i is first + i
    int32_t first_kind;  // kinds of the relationships this model itself defines
    int32_t kind_count;
    bool removed; // the model was deleted; its twins stay readable
} Table;

// A relationship definition's columns, indexed by link id.
typedef struct LinkKind {
    const Rel *rel;
    uint32_t first; // column of field i is first + i
} LinkKind;

// A document that belongs to the world as its models do: a definition of a derived value, a rule ... Immutable.
typedef struct Doc {
    _Atomic uint32_t refs;
    Str collection, name, json;
} Doc;

// The schema as columns, and the documents. Immutable, replaced whole when models or documents change;
// reference-counted.
typedef struct Catalog Catalog;
struct Catalog {
    _Atomic uint32_t refs;
    uint64_t since;          // sequence of the model operation that made it
    _Atomic(Catalog *) prev; // the one before, while `since` is not yet visible
    Schema *schema;
    Table *tables;
    int32_t table_count;
    LinkKind *kinds;
    int32_t kind_count;
    uint32_t next_vec;
    int32_t *owner; // by column - VECNO_COLUMNS: table t as t, link kind k as -1 - k
    Schema **held;  // schemas of removed models
    int32_t held_count;
    Doc **docs; // ascending by collection, then name
    int32_t doc_count;
};

// One more reference, one less; the last frees. A world holds its own.
void catalog_ref(Catalog *c);
void catalog_unref(Catalog *c);
// The document of that name, or NULL.
const Doc *catalog_doc(const Catalog *c, Str collection, Str name);
// The first place of a collection's documents in `docs`; *count of them stand there by name.
int32_t catalog_docs(const Catalog *c, Str collection, int32_t *count);

// The kind of a relationship definition. CHECKs that the catalog knows it. Cost: a few compares.
int32_t catalog_kind(const Catalog *c, const Rel *rel);

typedef struct World World;

#define WORLD_FUTURE_NS INT64_C(300000000000) // a source's clock may be this far ahead, unless told otherwise

// An empty live world. ring_records: power of two, 0 = no ring (nobody reads while it is written, no rollback).
World *world_new(Domain *d, int64_t ring_records);
// A writable copy of everything applied so far; its own ring when ring_records > 0. O(1): copies one root.
// Call on the writer thread of w. Everything applied is visible in the copy. Of a past world (any thread): a writable
// world over it, see world/past.h; the past world stays until the last one over it is freed.
World *world_fork(World *w, int64_t ring_records);
// How far ahead of a batch's time a stream's clock may be (forks inherit it); INT64_MAX: as far as it likes. Decided
// when a value arrives and written down, so it may differ from run to run.
void world_set_future(World *w, int64_t future_ns);
int64_t world_future(const World *w);
// Free; no view may be open on it.
void world_free(World *w);

// ---- writing: the writer thread only ------------------------------------------------------------------------------

// Start a batch. seq > every earlier one; time strictly increasing (world_next_time).
void world_begin(World *w, uint64_t seq, int64_t time);
// The update time for a batch at wall clock `now`: max(now, last + 100) cut to 100 ns.
int64_t world_next_time(const World *w, int64_t now);
// Apply one validated change and append its bytes to the batch. Texts are copied.
// The rules for a SET by its source's clock (source_time 0: no clock, it always counts):
//   older than the value that stands: it moves nothing and goes to the batch as CHANGE_LATE;
//   of a stream, the same time and value as what stands: a duplicate, nothing goes to the batch;
//   of a stream, more than the future (WORLD_FUTURE_NS) ahead of the batch's time: as an older one;
//   else it stands: of the same time the last arrival.
// Errors: STALE (column does not belong to the twin's model), TWIN_NOT_FOUND, LINK_NOT_FOUND, MODEL* (models),
// LIMIT (ring exhausted: the batch must be rolled back). On error nothing of this change was applied.
MUST Err world_do(World *w, const Change *c);
// Ahead of a SET of a value that no device told: the source time that stands there goes, and those of the objects
// around it. Nothing, where there is none. Errors: as world_do.
MUST Err world_drop_source(World *w, uint64_t twin, uint32_t col);
// n SETs with prefetching; stops at the first error like world_do and tells its index (may be NULL).
MUST Err world_do_sets(World *w, const Change *sets, int64_t n, int64_t *failed);
// What became of the open batch's SETs: kept as CHANGE_LATE; left out as duplicates.
typedef struct StreamTally {
    int64_t late, duplicates;
} StreamTally;
StreamTally world_tally(const World *w);
// The batch's encoded changes so far and their number.
Str world_batch(const World *w, int64_t *count);
// Keep a trail of what batches do, see world/trail.h. Forks do not inherit it. Writer thread, no batch open.
void world_keep_trail(World *w, bool keep);
// The encoded trail of the open batch, or of the one that ended last (also by world_replay); valid until the next
// world_begin. Empty when none is kept.
Str world_trail(const World *w);
// The same to own: the world goes on with the memory of *out.
void world_take_trail(World *w, Buf *out);
// Finish the batch: applied, not yet visible.
void world_end(World *w);
// Undo the open batch. Rolls ids back too: the same commands give the same bytes again.
void world_rollback(World *w);
// Undo every batch newer than `seq` (a failed commit). No batch is open.
void world_undo_to(World *w, uint64_t seq);
// Everything up to seq is durable: views from now on see it. Any thread; seq never goes back.
void world_publish(World *w, uint64_t seq);
// world_publish, and release what only undo of those batches needed. Writer thread.
void world_settle(World *w, uint64_t seq);
// Before-images that fit before one of a not yet settled batch would be lost; the engine settles or waits for commits
// before it starts a batch with little room. world_do answers LIMIT when a change might not fit.
int64_t world_room(const World *w);
// Let go of what was before: before-images and the working memory of batches. Everything is visible and settled, and no
// batch is open; views of before find themselves outrun. Writer.
void world_forget(World *w);
// Of a world over a past one, see world/past.h: why a page below could not be made for the writer since the newest
// world_begin, else OK. The open batch must then be rolled back; world_do refuses all that follows.
Err world_broken(const World *w);
// Replay one journalled batch (recovery): begin, changes, end, settle. Errors: CORRUPT and those of world_do.
MUST Err world_replay(World *w, Cut *bytes, BatchHead *head);

uint64_t world_seq(const World *w);     // applied
uint64_t world_visible(const World *w); // any thread
int64_t world_time(const World *w);     // update time of the newest applied batch
Domain *world_domain(const World *w);
// Properties that are computed, and so not for clients to write. While a guard is set, world_do refuses a SET of
// another value than stands there, an UNSET and a SOURCE_TIME of such a property with VALIDATION; a SET of the value
// that stands there is accepted and does nothing.
typedef struct WorldGuard WorldGuard;
struct WorldGuard {
    const uint64_t *columns; // a bit a column; `by` is asked only where it is set
    const uint64_t *watched; // columns that somebody wants to know of, see world_touched
    uint32_t count;          // bits of both
    Str (*by)(const WorldGuard *g, uint64_t twin, uint32_t col); // the name of what computes it, "" for nothing
};
// Borrowed until the next call; NULL: none.
void world_guard(World *w, const WorldGuard *g);
// The guard that is set, or NULL.
const WorldGuard *world_guard_now(const World *w);
// Did the open batch, while a guard was set, write a watched column (values that came late too) or do anything but set
// values?
bool world_touched(const World *w);
// What computes a property, "" when clients may write it.
Str world_guarded(const World *w, uint64_t twin, uint32_t col);
// Fresh ids for TWIN_NEW and LINK_NEW.
TwinId world_take_twin_id(World *w);
LinkId world_take_link_id(World *w);

// What a fork has that it did not begin with: pages it wrote, and their bytes. Any thread. Cost: O(those).
typedef struct WorldOwn {
    int64_t pages, bytes;
} WorldOwn;
WorldOwn world_own(const World *w);
// Blocks of epochs before this one it did not write, and what it was forked of did not either that was born later. A
// fork of a fork has what both wrote in blocks from the first one's birth on.
uint64_t world_born(const World *w);
// The encoded pages (page_encode) of epoch `since` or later, ascending by vector and number. w is frozen, and no past
// world; since 0: all that is in its tree, for a world over a past one what it has of its own. Errors: those of fn.
typedef Err (*WorldPageFn)(void *ctx, uint32_t vec, uint64_t page_no, Str bytes);
MUST Err world_pages(const World *w, uint64_t since, WorldPageFn fn, void *ctx);
// The way back: into a world that was just made (world_new, world_fork of a past one) and has nothing of its own. Each
// page once, then the end: sequence, time and schema are those of the pages. On failure the world is good for nothing
// but world_free. Errors: CORRUPT; those of the past below.
MUST Err world_pages_put(World *w, uint32_t vec, uint64_t page_no, Str bytes);
MUST Err world_pages_end(World *w);

// Costly: checks the numbered invariants and cross references (index <-> names <-> rows <-> lists). CHECKs. Tests
// and debug builds.
void world_verify(World *w);
// The same for files that may be damaged: what does not hold, in the words of the source (static memory); NULL: it is
// sound.
const char *world_unsound(World *w);

// ---- reading ------------------------------------------------------------------------------------------------------

// A consistent look at one sequence. Views are cheap (tens of ns) and short: hold one for microseconds to milliseconds.
// After the last read, test `overrun`: when true the ring was outrun and what was read must be thrown away.
typedef struct View {
    const World *world;
    const Node *root;
    const Catalog *catalog;
    const Ring *ring; // NULL: nothing to undo
    uint64_t seq;
    int32_t slot;
    bool overrun;
    // Of a past world, see world/past.h: a page could not be made; what was read must be thrown away. Set together with
    // overrun, so that whoever looks for that ends; only those who would try again look at this first.
    Err failed;
    struct Past *past; // NULL: an ordinary world
} View;

// At the visible sequence; any thread. Pair with view_end.
void view_begin(View *v, const World *w);
// What the writer itself sees: everything applied. Writer thread only; no end needed.
View view_writer(World *w);
void view_end(View *v);

// n words of one row of a vector, as of the view; zeros where there is no page.
void view_words(View *v, uint32_t vec, uint64_t row, uint32_t first, uint32_t n, uint64_t *out);

// A timed cell.
typedef struct CellView {
    bool valid;
    Text text;                        // VEC_TEXT: valid while the view is open
    uint64_t bits;                    // VEC_BITS
    int64_t update_time, source_time; // 0: none
} CellView;
CellView view_cell(View *v, uint32_t col, uint64_t row);

// Names to ids. 0 when there is no such twin or link.
TwinId view_find_twin(View *v, Str name);
LinkId view_find_link(View *v, TwinId source, Str rid);
// Many names at once, with prefetching: out[i].v = 0 when absent.
void view_find_twins(View *v, const Str *names, int64_t n, TwinId *out);
// Many ids to names, alive or not, with prefetching; id 0 gives the empty text. Valid while the view is open.
void view_twin_names(View *v, const uint64_t *ids, int64_t n, Text *out);
// The tables of twins as the writer left them last, visible or not: a guess that a change checks. UINT32_MAX: dead.
void view_guess_tables(View *v, const TwinId *ids, int64_t n, uint32_t *out);

typedef struct TwinView {
    bool alive;
    uint32_t table;
    uint64_t row;
    int64_t update_time;
    Text name; // also of dead twins
    LinkId first_out, first_in;
} TwinView;
// A twin with its name and the heads of its links; alive false when there is none (its name may still stand). In past
// worlds update_time is not the whole truth: see view_time_of in world/past.h.
TwinView view_twin(View *v, TwinId id);
// Without name and links: one cache line.
TwinView view_twin_place(View *v, TwinId id);
// The heads of a twin's links alone, for walks: one cache line. 0: none (or no such twin).
void view_twin_links(View *v, TwinId id, LinkId *out, LinkId *in);

typedef struct LinkView {
    bool alive;
    uint32_t kind;
    TwinId source, target;
    Text rid;
    int64_t update_time;
    LinkId next_out, next_in; // following link of the same source, of the same target; newest first (descending ids)
} LinkView;
// A link, alive false when there is none. Its rid is valid while the view is open.
LinkView view_link(View *v, LinkId id);

// The model log: row 0 .. view_model_rows-1, one per model operation; replayed at start to rebuild the catalog.
typedef struct ModelView {
    uint8_t kind; // ChangeKind of the row
    uint8_t flag;
    int64_t time; // upload time
    Text id;      // removals and flags: the DTMI
    Text doc;     // additions: the JSON array; documents: as in CHANGE_DOC
} ModelView;
// How many rows the log has, and one of them.
int64_t view_model_rows(View *v);
ModelView view_model(View *v, int64_t row);

// Rows ever used in a table, and the twin in a row (0: free). For scans.
uint64_t view_table_rows(View *v, uint32_t table);
TwinId view_row_twin(View *v, uint32_t table, uint64_t row);
// One scalar of the world, META_*.
uint64_t view_meta(View *v, uint32_t row);

// ---- diff, store --------------------------------------------------------------------------------------------------

// What differs between two worlds of one domain, by twin and link id. Descends only where blocks differ.
typedef struct DiffSink {
    void *ctx;
    // before/after: the twin lives in a / in b
    void (*twin)(void *ctx, TwinId id, bool before, bool after);
    void (*link)(void *ctx, LinkId id, bool before, bool after);
    // a value (present in both twins, same model) differs; for a link, twin.v is 0
    void (*value)(void *ctx, TwinId twin, LinkId link, uint32_t col);
    void (*retyped)(void *ctx, TwinId id); // it has another model in b; before its values. May be NULL
} DiffSink;
// a and b must not be written meanwhile; either may be a past world. Twins whose model changed report every differing
// property of the new model. Errors: those of a past world's source; what was told then is worthless. Cost: that of
// what differs; with a past world, that of all of it.
MUST Err world_diff(World *a, World *b, const DiffSink *sink);

// Where blocks are kept. put: store bytes, give their id (> 0). get: fetch. keep: a block that is stored already.
typedef struct BlockStore {
    void *ctx;
    Err (*put)(void *ctx, Str bytes, uint64_t *id);
    Err (*get)(void *ctx, uint64_t id, Buf *out);
    void (*keep)(void *ctx, uint64_t id);
} BlockStore;
// Write the blocks of a frozen fork that are not stored yet, children first; *root gets the root's id. Every id
// reachable is reported once, through put's result or keep. Errors: those of put; what was put stays marked stored.
MUST Err world_store(World *w, const BlockStore *bs, uint64_t *root);
// Forget the stored ids of blocks put since they were last kept by a committed root (a failed checkpoint).
void world_unstore(World *w);
// Rebuild a world from its root. Errors: CORRUPT and those of get.
MUST Err world_load(Domain *d, const BlockStore *bs, uint64_t root, int64_t ring_records, World **out);
