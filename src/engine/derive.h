// SPDX-License-Identifier: Apache-2.0
// Derived values: properties that an expression over a twin's own values and its neighbours' computes. Kept by the
// writer, in the batch that moves what they depend on: whoever sees the cause sees the effect.
//
//   definitions     documents of the world (collection "derived"): journalled, forked and undone with it
//   DerivePlan      what follows from them for the models at hand (derive_plan.c); of one world, made anew when models
//                   or documents change, or the twins that definitions name
//   derive_settle   at the end of a batch: what did it touch, whose value is that, compute, write (derive_run.c)
//   DerivePast      windows over the past that expressions look back on, in memory (derive_past.h)
//
// Invariants
//  1. A unit is a column with the definition that computes it: for all twins of a model's table, or for one twin.
//     A unit reads columns; no unit reads, over any number of others, its own column. So units have ranks, and one pass
//     in the order of ranks settles everything.
//  2. After derive_settle every twin's derived value is what its expression gives on the world as it is, with the time
//     of the batch in which it was computed last for now(). A value that looks back stays as it is until its windows
//     are filled, which the next tick does.
//  3. While the document "derive"/"pending" is in the world, 2 holds only once derive_resume has been through: values
//     are being computed in several batches. It stands from the first of them to the last.
//  4. Nothing here is called by replay: what was computed is in the journal like any other value.
//
// Threads: the writer, but for derive_show, which reads a view.
#pragma once
#include "engine/engine.h"
#include "expr/expr.h"

#define DERIVED_MAX 1000        // definitions in one world
#define DERIVED_NAME_MAX 128    // bytes of a name
#define DERIVED_UNITS_MAX 65536 // definitions times the models they hold for
#define DERIVE_SLICE 5000       // values computed in one batch when a definition is new and there are many

#define DERIVED_COLLECTION STR("derived")
#define DERIVE_COLLECTION STR("derive") // what the engine notes for itself
#define DERIVE_PENDING STR("pending")

// ---- the plan -----------------------------------------------------------------------------------------------------

// A definition as its document says.
typedef struct DeriveDef {
    Str name, model, twin, property, expression;
    const Expr *expr;
    int32_t root; // hop of the row itself; those of its aggregates follow it
    Err err;      // why it does not hold for some model; ERR_OK: it does for all
    Str why;      // a sentence
} DeriveDef;

// Where a walk from a twin back to those whose values depend on it stands: behind a step of a definition's expression.
typedef struct DeriveHop {
    int32_t def, parent; // hop before; -1: this is the row itself
    const Expr *from;
    bool out, in;
    const int32_t *kinds;
    int32_t kind_count;
} DeriveHop;

typedef struct DeriveUnit {
    int32_t def;
    uint32_t table, col;
    uint64_t twin; // 0: all twins of the table that have no unit of their own
    const Field *field;
    const Bound *bound;
    bool clock, looks_back;
    int32_t next_of_col; // further unit of the column, -1: none
    int32_t next_of_def;
    int32_t next_of_table;
    // While a batch settles.
    bool all;
    uint64_t *twins;
    int64_t count, cap;
} DeriveUnit;

// Who reads a column.
typedef struct DeriveRead {
    int32_t hop;
    bool link; // of the relationships of the hop, not of the twins behind it
    int32_t next;
} DeriveRead;

typedef struct DerivePlan {
    Arena arena;
    Catalog *catalog; // held
    DeriveDef *defs;  // by name
    int32_t def_count;
    DeriveHop *hops;
    int32_t hop_count, hop_cap;
    DeriveUnit *units; // in order of rank
    int32_t unit_count, unit_cap;
    DeriveRead *reads;
    int32_t read_count, read_cap;
    uint32_t columns;     // vectors of the catalog
    uint64_t *watched;    // by column: read or computed
    uint64_t *computed;   // by column
    int32_t *first_unit;  // by column: -1 none
    int32_t *first_read;  // by column
    int32_t *table_units; // by table
    int32_t **kind_hops;  // by link kind: hops that go over it
    int32_t *kind_hop_count;
    int64_t *spans;   // by column: how far back units look on it, 0: not at all
    bool looks_back;  // one does
    bool past_taken;  // see derive_past.h
    bool clock;       // a unit looks at the clock
    bool names_twins; // a definition is of one twin
    bool pending;     // see invariant 3
    WorldGuard guard;
    // While a batch settles.
    uint64_t *marked; // by unit
    int32_t rank;     // unit being computed, -1: none yet
} DerivePlan;

// Make the plan for the world as the view shows it. Errors: DERIVED_CYCLE, LIMIT; definitions that do not hold say
// so in their `err`.
MUST Err derive_plan(const View *v, DerivePlan **out, Diag *d);
void derive_plan_free(DerivePlan *p); // NULL is fine
// The unit that computes a column of a twin, -1: none.
int32_t derive_unit_of(const DerivePlan *p, uint64_t twin, uint32_t col);
// The unit of a definition for a twin of that table, -1: none.
int32_t derive_unit_for(const DerivePlan *p, int32_t def, uint64_t twin, uint32_t table);

// ---- settling (derive_run.c) --------------------------------------------------------------------------------------

typedef struct DeriveRun {
    World *world;
    View view;               // as the writer sees it; made anew after each write
    int64_t now;             // of now()
    struct DerivePast *past; // NULL: no unit ever looked back
    Realm *fork;             // whose values that cannot be computed yet wait for the next batch; NULL: for a tick
    uint64_t fresh;          // ids from here on are new in the open batch
    uint64_t *seen;          // open addressing: hop + 1 << 36 | twin
    int64_t seen_cap, seen_count;
    Arena scratch;
} DeriveRun;

// A world's derived values.
struct Derive {
    DerivePlan *now;  // of the world before the open batch; NULL: there are no definitions, or it was not made yet
    DerivePlan *next; // of the world in the open batch, when it is another
    bool settled;     // the open batch is
    // Values to be computed in the open batch whatever it changes, see derive_again.
    struct DeriveAgain *again;
    int64_t again_count, again_cap;
    bool ticks; // see derive_ticks
    DeriveRun run;
};

// Begin with nothing marked, for the world as it is.
void derive_run_begin(DeriveRun *x, DerivePlan *p, World *w, int64_t now);
// Forget all marks.
void derive_run_end(DeriveRun *x, DerivePlan *p);
void derive_run_free(DeriveRun *x);
// Mark what depends on the changes of the open batch. True: a twin that a definition names came, went or changed its
// model; the plan must be made anew (again: it was).
bool derive_mark_batch(DeriveRun *x, DerivePlan *p, bool again);
// Mark what `old` (may be NULL) computed otherwise or not at all.
void derive_mark_new(DeriveRun *x, DerivePlan *p, const DerivePlan *old);
// Mark one twin of a unit.
void derive_mark_twin(DeriveRun *x, DerivePlan *p, int32_t unit, uint64_t twin);
// Compute what is marked, by rank, and write what changed. Errors: LIMIT.
MUST Err derive_compute(DeriveRun *x, DerivePlan *p);
// Compute one value and write it when it changed; marks nothing. The twin is alive and of the unit's table. Errors:
// LIMIT.
MUST Err derive_one(DeriveRun *x, const DeriveUnit *u, uint64_t twin, uint64_t row, bool *wrote);

// ---- for the writer (derive.c) ------------------------------------------------------------------------------------

// Before world_begin: know the world's plan. Cost: a look at the catalog.
void derive_begin(Realm *r);
// Behind world_begin: what is computed is not for clients to write.
void derive_guard(Realm *r);
// Bring all derived values up to date with the open batch, which takes no edits any more. Errors: LIMIT (the ring is
// full), DERIVED_CYCLE (models); the caller rolls the batch back. Cost: a few ns a change; a walk and a computation a
// change that matters.
MUST Err derive_settle(Sosia *e, Realm *r, Diag *d);
bool derive_settled(const Realm *r);
// The next derive_settle computes that value too, when it is derived.
typedef struct DeriveAgain {
    uint64_t twin;
    uint32_t col;
} DeriveAgain;
void derive_again(Realm *r, uint64_t twin, uint32_t col);
// Of a fork, before a batch of that time: what values asked for of its past is read.
void derive_look_back(Realm *r, int64_t now);
// And everything that looks at the clock: in a fork, whose time goes on when somebody says so, and by no tick.
void derive_ticks(Realm *r);
// The batch was ended.
void derive_keep(Realm *r);
// Batches were undone: what was known is not so any more.
void derive_forget(Realm *r);
void derive_free(Realm *r);
// History is another: windows over it are filled again. No batch is open.
void derive_renew(Realm *r);

// SOSIA_DERIVED_PUT, _DELETE: into the open batch. Errors: ARGUMENT, VALIDATION, SYNTAX, MODEL_NOT_FOUND,
// TWIN_NOT_FOUND, LIMIT, DERIVED_CYCLE, DERIVED_NOT_FOUND.
MUST Err derive_put(Realm *r, Task *c, Diag *d);
MUST Err derive_delete(Realm *r, const Task *c, Diag *d);
// A change of models or definitions was too large with what it computes, and was rolled back: the same in several
// batches. When it returns, all are on their way. Errors: those of edit and of derive_settle, of a failed commit.
typedef Err (*DeriveEdit)(World *w, Realm *r, Task *c, Diag *d);
MUST Err derive_in_slices(Sosia *e, Realm *r, Task *c, DeriveEdit edit, Diag *d);
// Finish what derive_in_slices began and could not finish; nothing to do: nothing done. No batch is open. Errors: of a
// failed commit.
MUST Err derive_resume(Sosia *e, Realm *r);

// Advance expressions of now() when a tick is due; returns ns until the next, INT64_MAX: nothing looks at the clock.
int64_t derive_tick_poll(Sosia *e);
// One tick of one world now. No batch is open.
void derive_tick(Sosia *e, Realm *r);

// The JSON of one definition ("" id: the array of all). Any thread. Errors: DERIVED_NOT_FOUND.
MUST Err derive_show(View *v, Str id, Buf *out);
// For tests: every derived value against a computation from nothing; the first that differs is told. Any thread.
//   now   of now(); 0: leave out what looks at the clock
//   past  NULL: leave out what looks back
bool derive_verify(View *v, int64_t now, const ExprPast *past, Buf *why);
