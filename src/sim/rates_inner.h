// SPDX-License-Identifier: Apache-2.0
// Inside of the rates engine: what behaviours are made into. compile.c makes expressions into programs, behaviour.c
// statements into instances and roles, islands.c instances into systems that are integrated together; rates*.c run
// them. Only these files include this.
//
//   documents -> Say -> Inst (a statement for one table) -> Part (an instance's rows in a system) -> System
//
// Rates is immutable once made (but for `options`, before it is added); any number of Sims use it, on any threads.
#pragma once
#include <stdatomic.h>
#include "sim/behaviour.h"
#include "sim/prog.h"
#include "sim/say.h"

#define NONE UINT32_MAX

typedef enum RatesKind { KIND_NUMBER, KIND_BOOL, KIND_SYMBOL } RatesKind;

// How one instance reads a role: what to look at again when a cell of it moves. ROWS: a watch alone, over definitions.
typedef enum RatesVia { VIA_OWN, VIA_TWIN, VIA_LINK, VIA_ROWS } RatesVia;
typedef struct RatesRead {
    uint32_t role, agg; // agg: of TWIN and LINK; of ROWS the number of the list of rows
    RatesVia via;
} RatesRead;
typedef struct RatesDep {
    uint32_t inst, agg;
    RatesVia via;
} RatesDep;

// A column that is read or written.
typedef struct RatesRole {
    uint32_t col; // of the catalog
    const Field *field;
    bool link;
    uint32_t owner, first, rows; // table or kind; dense number of row 0; rows
    RatesKind kind;
    Dims dims;
    const Unit *unit;
    bool state, always, acted; // set by a rate, a definition, acts
    bool flows;                // moves between events
    bool aside;                // derived for watches alone: the column holds what the world had
    uint32_t shadow;           // number among those that PRE looks at, NONE
    const RatesDep *deps;
    uint32_t dep_count;
    RatesDep *watchers; // inst: of the watch
    uint32_t watcher_count, watcher_cap;
} RatesRole;

// Which links an aggregate goes over.
typedef struct RatesHop {
    bool out, in;
    const bool *kinds; // by kind
} RatesHop;

typedef struct RatesAct {
    uint32_t role; // own; NONE: of neighbours
    Prog value;
    // Of neighbours: by own row, the cells.
    const uint32_t *ptr, *to_role, *to_row;
} RatesAct;

typedef struct RatesDelay {
    double span;
    uint32_t inst; // whose history it is
    Prog value;    // what is remembered
    RatesRead *reads;
    uint32_t read_count;
} RatesDelay;

// A statement for the twins of one table.
typedef struct RatesInst {
    const SayDoc *doc;
    int32_t number; // of the statement
    SayKind kind;
    uint32_t table;
    const uint32_t *rows; // ascending; NULL: all
    uint32_t row_count;
    const bool *has; // by row, with rows
    uint32_t role;   // target of RATE and ALWAYS
    Prog expr;
    RatesAct *acts, *other;
    int32_t act_count, other_count;
    double every, from;     // EVERY, s
    int64_t span_ns, at_ns; // EVERY ... at: span, and when in a week of UTC; span 0: not so
    RatesRead *reads;       // of expr
    uint32_t read_count;
    bool timed;          // expr looks at the time
    bool flows;          // expr moves between events
    const double *kinks; // instants at which expr has kinks in time, ascending
    uint32_t kink_count;
    uint32_t stream;   // key of its random numbers
    int32_t rank;      // order of evaluation
    uint32_t width;    // bases of the model it was said for: wider first
    uint32_t state_at; // own place in the state, see rates.h
} RatesInst;

// An instance's rows within a system, and where their values lie among the system's unknowns.
typedef struct RatesPart {
    uint32_t inst;
    uint32_t first, count; // rows; consecutive from `first` on when rows is NULL
    const uint32_t *rows;
    uint32_t at; // RATE, AT_RATE: number of the first unknown; see System
} RatesPart;

// What is integrated together. A cohort: `count` rows of one table that know nothing of each other, each in every lane
// a problem of its own; else one problem a lane.
typedef struct RatesSystem {
    bool cohort;
    uint32_t n;                      // unknowns of a problem
    uint32_t width;                  // problems a lane: rows of a cohort, 1
    RatesPart *defs, *rates, *whens; // definitions in order; RATE and AT_RATE; WHEN
    uint32_t def_count, rate_count, when_count;
    uint32_t roots; // of all whens
    const double *kinks;
    uint32_t kink_count;
    double delay_least; // no step may be longer; INFINITY: no delays
    uint32_t *kept_of;  // by place: number among those whose motion is watched, NONE; NULL: none is
    uint32_t kept_count;
} RatesSystem;

// A problem whose motion a watch sees.
typedef struct RatesSpot {
    uint32_t system, place; // place: row of a cohort, 0
} RatesSpot;

// Rows of a role, ascending.
typedef struct RatesRows {
    const uint32_t *rows;
    uint32_t count;
} RatesRows;

// Derived values that a watch needs and no statement does: they are computed aside, before each look at it.
typedef struct RatesAside {
    uint32_t inst; // of `asides`; NONE: these rows have no definition, and are what the column holds
    uint32_t role;
    RatesRows at;
} RatesAside;

// An expression of one twin that is watched: it moves nothing, and nothing moves otherwise for it.
typedef struct RatesWatch {
    SayDoc doc;
    Say say;
    uint32_t table, row;
    Prog expr;
    RatesMeasure measure;
    bool flows;    // moves between events
    bool extremes; // least and most are looked for between looks
    bool counted;  // moves between events, and more than what it is at the end is wanted
    const double *kinks;
    uint32_t kink_count;
    RatesSpot *spots;
    uint32_t spot_count, spot_cap;
    RatesAside *asides; // each behind those it needs
    uint32_t aside_count, aside_cap;
} RatesWatch;

struct Rates {
    _Atomic uint32_t refs;
    SimGraph *graph;
    const Catalog *catalog; // graph's
    Arena keep;
    RatesOptions options;
    SayDoc *docs;
    int32_t doc_count;
    RatesRole *roles;
    uint32_t role_count, role_cap;
    uint32_t *role_of; // by column of the catalog
    RatesInst *insts;  // in order of rank
    uint32_t inst_count, inst_cap;
    ProgAgg *aggs;
    RatesHop *hops; // by aggregate
    uint32_t agg_count, agg_cap;
    ProgTable *tables;
    uint32_t table_count, table_cap;
    RatesDelay *delays;
    uint32_t delay_count, delay_cap;
    Str *texts; // literals
    uint32_t text_count, text_cap;
    uint32_t shadow_count;
    RatesSystem *systems;
    uint32_t system_count;
    uint32_t *system_of; // by twin: NONE
    uint32_t *place_of;  // by twin: of a cohort its row's number within it
    RatesWatch *watches;
    uint32_t watch_count, watch_cap;
    RatesInst *asides; // definitions for watches alone: no instance knows of them; each behind those it needs
    uint32_t aside_count, aside_cap;
    RatesRows *lists; // of VIA_ROWS
    uint32_t list_count, list_cap;
    RatesNote *notes;
    uint32_t note_count, note_cap;
    struct Derived *derived; // NULL: no definitions, or none was looked at
};

// ---- behaviour.c ----------------------------------------------------------------------------------------------------

// Without any statement; takes no reference of the graph.
Rates *rates_blank(SimGraph *g, const Catalog *c);
void rates_delete(Rates *r);
// The same for a look at documents: the catalog without twins.
Rates *rates_blank_look(SimGraph *room, const Catalog *c);

// A statement for the twins of a table, compiled; its rows are the caller's. Then: add it; add it for one twin; no
// definition for all twins of a model holds for this one. Errors: as behaviour_check.
MUST Err rates_inst(Rates *r, const SayDoc *doc, int32_t number, uint32_t table, Diag *d, RatesInst *out);
void rates_inst_add(Rates *r, const RatesInst *in);
void rates_inst_of(Rates *r, RatesInst *in, uint32_t twin);
void rates_rest(Rates *r, uint32_t role, uint32_t twin);
// The dense number of a twin, NONE.
uint32_t rates_twin(const SimGraph *g, Str name);

// ---- derived.c ------------------------------------------------------------------------------------------------------

// Behind the statements of behaviours: the definitions of derived values that they read.
void derived_add(Rates *r);
// Something that moves nothing reads these: definitions that no statement reads become instances aside, with all that
// they need; roles of theirs are `aside`. Those that cannot stand still, with a note.
void derived_watched(Rates *r, const RatesRead *reads, uint32_t n);

// ---- compile.c ------------------------------------------------------------------------------------------------------

// Grow an array of the rates: items, count, cap.
#define RATES_PUSH(r, items, count, cap)                                                                               \
    ((count) == (cap) ? (void)((items) = rates_grow((r), (items), sizeof *(items), &(cap))) : (void)0,                 \
     &(items)[(count)++])
// Room for twice as many; the old items stay in the arena.
void *rates_grow(Rates *r, void *items, size_t size, uint32_t *cap);
// The role of a column, made when it is new.
uint32_t rates_role(Rates *r, uint32_t col);

typedef struct Compile {
    Rates *r;
    const SayDoc *doc;
    int32_t number;
    uint32_t table;
    bool acts; // random numbers and PRE may be used
    bool roots;
    RatesRead *reads;
    uint32_t read_count, read_cap;
    bool timed, delays;
    double *kinks;
    uint32_t kink_count, kink_cap;
    uint32_t draws;
    uint32_t inst;
    Diag *d;
} Compile;

// What an expression must come to.
typedef enum CompileWant { WANT_VALUE, WANT_RATE, WANT_TRUTH, WANT_FREQUENCY } CompileWant;
// A program for the expression. role: the property it is for (VALUE, RATE).
MUST Err compile_expr(Compile *c, const Expr *e, CompileWant want, uint32_t role, Prog *out);
// A program for an expression that is watched, which is in `unit` (its integral over time, if it says so). Errors:
// VALIDATION (it is a text, a DELAY, or measures something else), LIMIT.
MUST Err compile_watch(Compile *c, const Expr *e, const RatesAsk *ask, Prog *out, RatesMeasure *measure);
// The cells that a target stands for.
MUST Err compile_target(Compile *c, const SayTarget *t, RatesAct *out, uint32_t *role);
Err compile_fault(const Compile *c, int32_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// ---- islands.c ------------------------------------------------------------------------------------------------------

// Which instances are integrated together. Fills systems, system_of, place_of.
void islands_make(Rates *r);

// ---- rates.c --------------------------------------------------------------------------------------------------------

extern const sim_engine RATES_ENGINE;
