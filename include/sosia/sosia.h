// SPDX-License-Identifier: Apache-2.0
// Sosia: a living double of a whole operation. This header is the one door to the engine: embedders, the server, the
// connectors and the command line all come through it.
//
// Model in one paragraph: a *world* holds twins (typed by DTDL models), their property values and their relationships
// at a time. "live" is the world that sensors move; a fork is a writable copy made in microseconds. Every write is a
// batch with a sequence number; it is acknowledged when it is durable, and from that moment every read sees it.
//
// Threads: every function may be called from any thread unless it says otherwise. Reads run in the caller's thread and
// never block the writer. Writes are queued to the world's one writer; completions run on the store's thread.
// Text is UTF-8; times are nanoseconds since 1970 UTC; documents are JSON in the shapes of the Azure Digital Twins REST
// API.
#pragma once
#include <sosia/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Sosia Sosia;         // an engine with its worlds and its store
typedef struct SosiaFeed SosiaFeed; // a cursor on the stream of visible batches

// Who asks, and what for. Every call takes one; NULL means the process itself.
typedef struct SosiaCaller {
    SosiaStr principal;
    SosiaStr purpose;
} SosiaCaller;

// ---- opening ------------------------------------------------------------------------------------------------------

typedef struct SosiaOpen {
    SosiaStr path;                  // NAME.sosia; empty: in memory, nothing survives the process
    int64_t queue_max;              // writes waiting for the writer; 0: 4,096; full -> SOSIA_BUSY
    int64_t ring_records;           // before-images kept for readers; power of two >= 8,192; 0: 262,144
    int64_t checkpoint_interval_ns; // 0: 30 s; < 0: only at close
    int64_t feed_bytes_max;         // batches kept in memory for feed cursors; 0: 64 MiB
    int64_t future_ns; // a stream's value further ahead of the clock moves nothing; 0: SOSIA_FUTURE_NS; < 0: no bound
    int64_t journal_bytes_max; // journal kept on disk for cursors, beyond what recovery needs; 0: 256 MiB; < 0: none
    const char *vfs;           // SQLite VFS name for tests; NULL: the default one
    int64_t (*now)(void *ctx); // wall clock in ns for tests; NULL: CLOCK_REALTIME
    void *now_ctx;
    int64_t query_timeout_ns;   // of one page of a question; 0: 60 s; < 0: none
    int64_t query_rows_max;     // twins and links one page may look at; 0: none
    int64_t query_bytes_max;    // memory of one question; 0: 256 MiB; < 0: no limit
    int64_t query_slow_ns;      // questions that take longer are logged with their text; 0: 1 s; < 0: never
    bool no_history;            // keep none: no past worlds, no reading back (benches)
    int64_t history_head_bytes; // values not yet in blocks; 0: 256 MiB
    int64_t retain_interval_ns; // how often what is too old is looked for; 0: 60 s; < 0: never
    int64_t past_bytes_max;     // pages of past worlds kept for the next who looks; 0: 512 MiB
    int64_t tick_ns;            // how often derived values that look at the clock advance; 0: 1 s; < 0: never
    int32_t query_threads;      // threads for large questions; 0: one a core, 2 to 8
    // Shared objects with engines that mappings may name (sosia_engine.h); they run as the process does.
    const SosiaStr *engines;
    int32_t engine_count;
} SosiaOpen;

// Open or create a world file and start its writer and store threads.
//   why  gets a sentence when it fails; may be NULL
// Errors: STORAGE, CORRUPT, ARGUMENT, IO. Cost: proportional to the stored world (1 M twins: about a second).
SosiaErr sosia_open(const SosiaOpen *open, Sosia **out, SosiaBuf *why);
// Refuse new writes, finish queued ones, write a checkpoint, free everything. NULL is fine.
void sosia_close(Sosia *s);
// "0.1.0". Static memory.
const char *sosia_version(void);
// Name ("TWIN_NOT_FOUND"), wire code ("DigitalTwinNotFound"), HTTP status, exit code and meaning of an error.
const char *sosia_err_name(SosiaErr e);
const char *sosia_err_wire(SosiaErr e);
int sosia_err_http(SosiaErr e);
int sosia_err_exit(SosiaErr e);
const char *sosia_err_text(SosiaErr e);
// Release a buffer that a call filled.
void sosia_buf_free(SosiaBuf *b);

// ---- documents in: one verb ---------------------------------------------------------------------------------------

typedef enum SosiaOp {
    SOSIA_MODELS_ADD,       // body: JSON array of DTDL interfaces. Result body: array of model data
    SOSIA_MODEL_PATCH,      // id; body: [{"op":"replace","path":"/decommissioned","value":bool}]
    SOSIA_MODEL_DELETE,     // id
    SOSIA_TWIN_PUT,         // id; body: twin. Result body: the twin, etag
    SOSIA_TWIN_PATCH,       // id; body: JSON Patch. Result: etag
    SOSIA_TWIN_DELETE,      // id
    SOSIA_COMPONENT_PATCH,  // id, sub: component; body: JSON Patch relative to it. Result: etag of the twin
    SOSIA_LINK_PUT,         // id: source twin, sub: relationship id; body: relationship. Result body: it, etag
    SOSIA_LINK_PATCH,       // id, sub; body: JSON Patch on its properties. Result: etag
    SOSIA_LINK_DELETE,      // id, sub
    SOSIA_TELEMETRY,        // id, sub: component or ""; body: any JSON; message_id; not stored, only fed on
    SOSIA_INGEST,           // body: NDJSON {"id","property","value","time"}; good lines applied, bad ones reported
    SOSIA_INGEST_CSV,       // body: CSV with a header: id,property,value[,time], or id[,time] and a column a property
    SOSIA_DERIVED_PUT,      // id: name; body: {"model" or "twin","property","expression"}. Result body: it
    SOSIA_DERIVED_DELETE,   // id: name; the values stay, as they are
    SOSIA_RETENTION_PUT,    // id: name; body: {"model" or "twin","property","raw":"P30D","step":"PT1M","keep":"P2Y"}
    SOSIA_RETENTION_DELETE, // id: name; what is gone stays gone
    // sub: behaviours, mappings, kpis, whatifs or rules; id: name; body: JSON object. Result body: it (docs/worlds.md)
    SOSIA_DEFINITION_PUT,
    SOSIA_DEFINITION_DELETE, // sub, id
    SOSIA_IMPORT, // body: NDJSON with {"Section":...} lines (Azure Digital Twins bulk format); entity by entity
} SosiaOp;

typedef struct SosiaWrite {
    SosiaOp op;
    SosiaStr world; // "" or "live", or a fork's name
    SosiaStr id, sub;
    SosiaStr body;
    SosiaStr if_match;      // header text or ""
    SosiaStr if_none_match; // "*" or ""
    SosiaStr message_id;    // telemetry
    SosiaStr source;        // connection or program the values come from; "" = the caller's principal
    int64_t source_time_ns; // telemetry; 0: none
    bool no_times;          // TWIN_PUT: result body without $lastUpdateTime and sourceTime (dialect 2020-10-31)
} SosiaWrite;

// What became of a write; everything is borrowed until the callback (or the _wait caller's sosia_buf_free) ends.
typedef struct SosiaDone {
    SosiaErr err;
    SosiaStr message; // sentence for a person when err != 0
    SosiaStr details; // JSON array of {"code","message"} or ""
    // JSON result or ""; INGEST and IMPORT: {"accepted":n,"rejected":n,"errors":[{"line","code","message"}]}, the first
    // 100 errors, for IMPORT also "models", "twins" and "relationships": how many of each were accepted
    SosiaStr body;
    SosiaStr etag; // W/"guid" or ""
    uint64_t seq;  // sequence at which it became visible
    bool created;  // TWIN_PUT, LINK_PUT: it was not there before
} SosiaDone;

typedef void (*SosiaDoneFn)(void *arg, const SosiaDone *done);

// Queue a write. The strings of `w` are copied before it returns. `done` runs exactly once, on a thread of the engine,
// when the write is durable and visible, or has failed; it must not block. Errors from here (BUSY, CLOSED, TOO_LARGE)
// mean that `done` will not run. Writes take effect in the order they are queued; a body over 64 KiB is parsed by a
// worker and takes its place when that is done, INGESTs of one source in the order of the calls. Cost here: copy of the
// body, and parse of a smaller one.
SosiaErr sosia_write(Sosia *s, const SosiaCaller *who, const SosiaWrite *w, SosiaDoneFn done, void *arg);
// The same, waiting; not from a callback. Returns done.err; `done->message`, body, etag point into `keep`
// (released with sosia_buf_free).
SosiaErr sosia_write_wait(Sosia *s, const SosiaCaller *who, const SosiaWrite *w, SosiaDone *done, SosiaBuf *keep);

// ---- documents out ------------------------------------------------------------------------------------------------

typedef enum SosiaGet {
    SOSIA_GET_TWIN,       // id -> twin, etag
    SOSIA_GET_COMPONENT,  // id, sub -> component, etag of the twin
    SOSIA_GET_LINK,       // id, sub -> relationship, etag
    SOSIA_GET_LINKS,      // id; filter: relationship name or "" -> JSON array
    SOSIA_GET_INCOMING,   // id -> JSON array; base_url for $relationshipLink
    SOSIA_GET_MODEL,      // id; definition -> model data
    SOSIA_GET_MODELS,     // ids: dependenciesFor (0: all); definition -> JSON array
    SOSIA_GET_TWINS,      // filter: model (with subtypes) or "" -> JSON array of twins in order of creation
    SOSIA_GET_DERIVED,    // id, or "" -> JSON array of all definitions by name
    SOSIA_GET_RETENTION,  // id, or "" -> JSON array of all policies by name
    SOSIA_GET_DEFINITION, // sub: collection; id, or "" -> JSON array of all
    SOSIA_GET_WORLDS,     // JSON array of {"name","parent","sequence","time","twins","relationships"}; id: one of them,
                          // also of the past, as an object
    SOSIA_GET_STATS,      // JSON object of counters and sizes (see docs/metrics.md)
} SosiaGet;

typedef struct SosiaRead {
    SosiaGet what;
    SosiaStr world, id, sub, filter;
    const SosiaStr *ids;
    int32_t id_count;
    bool definition;      // models: include the DTDL document
    bool no_times;        // dialect 2020-10-31: without $lastUpdateTime and sourceTime
    SosiaStr token;       // continuation token of the page before, or ""
    int32_t limit;        // items a page; 0: 100 (links 100, models 100, twins 1,000)
    SosiaStr base_url;    // "http://host:port/worlds/x" for absolute links
    SosiaStr api_version; // for absolute links
} SosiaRead;

typedef struct SosiaOut {
    SosiaBuf body;    // JSON; reset and reused when it holds memory already
    char etag[48];    // W/"guid", NUL-terminated, or ""
    char token[96];   // next page, or ""
    uint64_t seq;     // the sequence read at
    SosiaBuf message; // sentence for a person when it failed
} SosiaOut;

// Read at the visible sequence, in the caller's thread. Errors: the NOT_FOUND family, ARGUMENT.
// Cost: about 1-3 us for a twin of ten properties. Release with sosia_out_free.
SosiaErr sosia_read(Sosia *s, const SosiaCaller *who, const SosiaRead *r, SosiaOut *out);
void sosia_out_free(SosiaOut *out);

// ---- the graph ----------------------------------------------------------------------------------------------------

#define SOSIA_GRAPH_TWINS 250000      // without a limit
#define SOSIA_GRAPH_TWINS_MAX 1000000 // of a limit
#define SOSIA_GRAPH_VALUES_MAX 8
#define SOSIA_GRAPH_EXPRESSIONS_MAX 4

// A world's structure in columns, for those who draw all of it.
typedef struct SosiaGraph {
    SosiaStr world; // any, also a past one
    SosiaStr where; // only twins that fulfil this condition (as WHERE of a question), and the links between them
    const SosiaStr *values; // paths of properties that are numbers, booleans or texts
    int32_t value_count;    // at most SOSIA_GRAPH_VALUES_MAX
    // Over a twin without an alias (docs/query.md): more columns of "values", by their text.
    const SosiaStr *expressions;
    int32_t expression_count; // at most SOSIA_GRAPH_EXPRESSIONS_MAX
    const SosiaStr *labels;   // the first of these that a twin's model has is its label
    int32_t label_count;      // at most as many; 0: none is told
    int64_t limit;            // twins; 0: SOSIA_GRAPH_TWINS; at most SOSIA_GRAPH_TWINS_MAX
    bool no_links;            // their columns are empty
    bool (*stop)(void *ctx);  // asked now and then in the caller's thread: true ends it with CLOSED; NULL: never
    void *stop_ctx;
} SosiaGraph;

// Into out->body, all of one sequence (out->seq):
//     {"sequence":42,"time":"...","models":[DTMI...],"twins":{"id":[...],"model":[place in models...],"label":[...]},
//      "names":[of relationships...],"links":{"from":[place of a twin...],"to":[...],"name":[place in names...]},
//      "values":{"temperature":[null where there is none...]},"more":false}
// Twins stand by model (in order of upload), then by age; links by age. Texts of more than 200 bytes are null. "time"
// is the world's now(). more: the limit left twins out. An expression is null for models that it does not fit. In the
// caller's thread, which may wait for the disk where the world is past; not from a callback. Errors: WORLD_NOT_FOUND
// and others of the past, SYNTAX (where, expressions: the message says at which place), ARGUMENT (no model has the
// property), LIMIT (values, twins, 4 million links, 20 million relationships that an expression looks at, 256 MiB),
// CLOSED. Cost: about 0.1 us a twin, link or value.
SosiaErr sosia_graph(Sosia *s, const SosiaCaller *who, const SosiaGraph *g, SosiaOut *out);

#define SOSIA_STALE_TWINS 100      // told of without a limit
#define SOSIA_STALE_TWINS_MAX 1000 // of a limit

// Twins whose sources have gone silent: their newest value with a source's time is older than that. Twins without such
// a value are not watched.
typedef struct SosiaStale {
    SosiaStr world;
    int64_t older_ns;
    int32_t limit;           // twins told of; 0: SOSIA_STALE_TWINS
    bool (*stop)(void *ctx); // as in SosiaGraph
    void *stop_ctx;
} SosiaStale;

// Into out->body, those that fell silent last first:
//     {"sequence":42,"time":"...","before":"...","watched":90,"stale":2,
//      "models":[{"model","watched","stale","oldest","newest"}...],
//      "twins":[{"id","model","property","newest"}...],"more":false}
// before: now() of the world less `older_ns`; oldest, newest: of the model's stale twins; property: the one that spoke
// last. Threads and errors as sosia_graph, but for SYNTAX. Cost: about 10 ns a value.
SosiaErr sosia_stale(Sosia *s, const SosiaCaller *who, const SosiaStale *ask, SosiaOut *out);

// ---- questions ----------------------------------------------------------------------------------------------------

// A question in the query language (docs/query.md).
typedef struct SosiaQuery {
    SosiaStr world, text;
    SosiaStr token;     // continuation token of the page before, or ""; the text may then be missing
    int32_t limit;      // rows a page; 0: 100; at most 1,000
    bool explain;       // run it and tell the plan with estimated and real rows and times; body is "[]"
    bool no_times;      // twins in the dialect of 2020-10-31
    bool columns;       // name the columns too
    int64_t timeout_ns; // 0: the engine's (60 s)
    int64_t rows_max;   // twins and links it may look at; 0: the engine's
    int64_t bytes_max;  // memory it may hold; 0: the engine's
} SosiaQuery;

typedef struct SosiaAnswer {
    SosiaBuf body;    // JSON array of rows; reset and reused when it holds memory already
    SosiaBuf plan;    // explain: JSON {"plan":[...],"text":"a table for people"}
    SosiaBuf notes;   // JSON array of sentences, e.g. a name no model knows and the nearest one
    SosiaBuf columns; // when asked for, with a first page: JSON array of the columns' names in the order of SELECT;
                      // [] when each row is a twin or a relationship itself
    SosiaBuf message; // sentence for a person when it failed
    char token[96];   // next page, or ""
    uint64_t seq;     // the sequence it was answered at: every page of one question has the same
    int64_t rows;     // in body
    int64_t rows_looked_at; // by this page
    int64_t time_ns;        // of this page
    double charge;          // 1 + rows looked at / 100
} SosiaAnswer;

typedef void (*SosiaAnswerFn)(void *arg, SosiaErr err, SosiaAnswer *answer);

// Answer one page in the caller's thread (large scans also use the engine's workers); not from a callback. Sees
// everything acknowledged before the call; further pages see the same instant. Errors: QUERY (message says line,
// position and what was expected), TOKEN, WORLD_NOT_FOUND, BUDGET, TIMEOUT, LIMIT, ARGUMENT, CLOSED. Release with
// sosia_answer_free.
SosiaErr sosia_query(Sosia *s, const SosiaCaller *who, const SosiaQuery *q, SosiaAnswer *out);
// The same without waiting, for event loops: a small question is answered before this returns, in the caller's thread,
// a larger one by a worker. `fn` runs exactly once unless this returns an error (BUSY, CLOSED); the answer is its to
// read until it returns, not to free, but it may take a buffer and leave a zeroed one; it must not block.
SosiaErr sosia_query_start(Sosia *s, const SosiaCaller *who, const SosiaQuery *q, SosiaAnswerFn fn, void *arg);
// Have questions started with this fn and arg (NULL: any) end soon, with CLOSED. Any thread.
void sosia_query_cancel(Sosia *s, SosiaAnswerFn fn, void *arg);
void sosia_answer_free(SosiaAnswer *out);

// ---- values by handle: the fast path ------------------------------------------------------------------------------

typedef enum SosiaKind { SOSIA_NONE, SOSIA_BOOL, SOSIA_I64, SOSIA_F64, SOSIA_TEXT, SOSIA_JSON } SosiaKind;

typedef struct SosiaValue {
    SosiaKind kind;
    union {
        bool b;
        int64_t i;
        double d;
        SosiaStr s; // TEXT and JSON
    };
} SosiaValue;

// A property of a twin, resolved once. Valid as long as the twin keeps its model.
typedef struct SosiaHandle {
    uint64_t twin;
    uint32_t column;
} SosiaHandle;

typedef struct SosiaUpdate {
    SosiaHandle at;
    SosiaValue value;
    int64_t source_time_ns; // when it happened; 0: unknown
} SosiaUpdate;

// Look up `path` ("temperature", "thermostat.setPoint") of a twin. Errors: WORLD_, TWIN_NOT_FOUND, VALIDATION.
SosiaErr sosia_resolve(Sosia *s, SosiaStr world, SosiaStr id, SosiaStr path, SosiaHandle *out);
// Apply updates as one batch and wait until it is durable; not from a callback. Checked against the models; all or
// nothing.
//   seq  out, may be NULL    Errors: STALE, VALIDATION, LIMIT, STORAGE_FULL
SosiaErr sosia_apply(Sosia *s, const SosiaCaller *who, SosiaStr world, const SosiaUpdate *u, int64_t n, uint64_t *seq);
// The same in a fork, as a batch of that time, which its clock moves to. Errors too: ARGUMENT (not a fork, or not later
// than what it has).
SosiaErr sosia_apply_at(Sosia *s, const SosiaCaller *who, SosiaStr world, int64_t time_ns, const SosiaUpdate *u,
                        int64_t n, uint64_t *seq);
// Queue and return; `done` as in sosia_write.
SosiaErr sosia_apply_async(Sosia *s, const SosiaCaller *who, SosiaStr world, const SosiaUpdate *u, int64_t n,
                           SosiaDoneFn done, void *arg);
// The current value with its times. TEXT and JSON are copied into `keep`. value->kind is NONE when there is none.
SosiaErr sosia_value(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaHandle at, SosiaValue *value,
                     int64_t *update_time_ns, int64_t *source_time_ns, SosiaBuf *keep);

// ---- points: values by name, in bulk ------------------------------------------------------------------------------

// One value from a source. A bad point is reported and skipped; the others count.
typedef struct SosiaPoint {
    SosiaHandle at;         // resolved before (sosia_inlet_resolve); twin 0: by the names that follow
    SosiaStr twin, path;    // path: "a.b" or "/a/b"
    SosiaStr model;         // make the twin with this model when there is none; "": refuse the point
    SosiaValue value;       // NONE: takes the value away. TEXT for string-like schemas (enum, dateTime, duration ...)
    int64_t source_time_ns; // 0: unknown
} SosiaPoint;

// A way in for points of one source into one world. One thread at a time.
typedef struct SosiaInlet SosiaInlet;
typedef struct SosiaInletOpen {
    SosiaCaller who;
    SosiaStr world;  // "" is live
    SosiaStr source; // "" is the principal
    bool lenient; // convert what loses nothing: 5.0 to an integer, 1 to true, 21.5 to "21.5" where a string is wanted,
                  // "21.5" to a number. Without it values must be of the property's kind (an integer fits a double)
} SosiaInletOpen;
SosiaErr sosia_inlet_open(Sosia *s, const SosiaInletOpen *o, SosiaInlet **out);
void sosia_inlet_close(SosiaInlet *in);
// Errors: TWIN_NOT_FOUND, VALIDATION, WORLD_NOT_FOUND.
SosiaErr sosia_inlet_resolve(SosiaInlet *in, SosiaStr twin, SosiaStr path, SosiaHandle *out);
// Queue points; they become one batch or several (at most 5,000 points each), in order. Names are resolved here, in the
// caller's thread, values checked and copied before it returns. `done` runs exactly once, unless this returns an error
// (BUSY, CLOSED, WORLD_NOT_FOUND, TOO_LARGE over 100,000), when all are durable and visible; done->body is
// {"accepted":n,"rejected":n,"late":n,"duplicates":n,"errors":[{"line":index,"code","message"}]} (the first 100).
// A point that says again what stands (same source time, same value) is accepted and changes nothing. One older by its
// source's clock than what stands, or more than SOSIA_FUTURE_NS ahead of the engine's clock, is kept by its own time
// (feed, journal) and moves no current value. Cost: about 0.3 us a point here, 0.2 us in the writer.
SosiaErr sosia_inlet_put(SosiaInlet *in, const SosiaPoint *points, int64_t n, SosiaDoneFn done, void *arg);
#define SOSIA_FUTURE_NS INT64_C(300000000000)
// A dry run: fn, in the caller's thread and in order, for each point that sosia_inlet_put would refuse now, with the
// sentence it would give. Nothing is queued or changed. Each point counts as if it came alone; what only the writer
// knows (the property is derived, or of a model that was deleted; the size of documents) is not told.
// Errors: WORLD_NOT_FOUND, ARGUMENT, TOO_LARGE; fn is then not called.
SosiaErr sosia_inlet_check(SosiaInlet *in, const SosiaPoint *points, int64_t n,
                           void (*fn)(void *ctx, int64_t i, SosiaErr err, SosiaStr why), void *ctx);
// `value` of unit `from` (a name of DTDL: "degreeFahrenheit") in the unit of a property of a twin, or of the model when
// there is no such twin. Errors: ARGUMENT (no such unit), VALIDATION (the property has no unit, or one of another
// family), TWIN_NOT_FOUND, MODEL_NOT_FOUND, WORLD_NOT_FOUND.
SosiaErr sosia_unit_convert(Sosia *s, SosiaStr world, SosiaStr twin, SosiaStr model, SosiaStr path, SosiaStr from,
                            double value, double *out);

// ---- items: small documents beside the world ------------------------------------------------------------------------
// Connections, endpoints, routes, cursors, dead letters: rows (kind, key) -> value of the world file, not part of any
// world, not in journal or feed. In memory without a file.

typedef struct SosiaItem {
    SosiaStr kind, key, value;
    bool remove;
} SosiaItem;
// All in one transaction, in the order of the calls; `done` as in sosia_write, with err, message and nothing else. It
// may put more. Limits: kind and key 1 to 512 bytes, value 16 MiB. Kinds that start with "sosia." are the engine's own.
// Errors: ARGUMENT, BUSY, CLOSED.
SosiaErr sosia_items_put(Sosia *s, const SosiaItem *items, int64_t n, SosiaDoneFn done, void *arg);
// The same, waiting; not from a callback.
SosiaErr sosia_items_put_wait(Sosia *s, const SosiaItem *items, int64_t n);
// Call fn, in the caller's thread, for the items of a kind with keys > after, ascending by bytes, at most limit (0:
// all). It waits for the store's thread: not from a callback. fn false: stop. What is put meanwhile may be seen or not.
// fn may put items. Errors: ARGUMENT, STORAGE, CORRUPT.
SosiaErr sosia_items_scan(Sosia *s, SosiaStr kind, SosiaStr after, int64_t limit,
                          bool (*fn)(void *ctx, SosiaStr key, SosiaStr value), void *ctx);

// ---- formulas: the expression language over values and documents ----------------------------------------------------

// An expression whose paths name variables: `value * 0.1`, `payload.temp`, `type = 'x' AND STARTS_WITH(subject, 'a')`.
typedef struct SosiaFormula SosiaFormula;
typedef struct SosiaVar {
    SosiaStr name;    // first segment of a path: "payload", "$body"
    SosiaValue value; // JSON: its members are reached by the path's further segments
} SosiaVar;
// names: the variables that will be given. `why` gets a sentence with the place when it fails. Errors: SYNTAX, LIMIT,
// ARGUMENT (a name that is none of them, with the nearest one).
SosiaErr sosia_formula_new(SosiaStr text, const SosiaStr *names, int32_t n, SosiaFormula **out, SosiaBuf *why);
void sosia_formula_free(SosiaFormula *f);
// vars: in the order of `names`. NONE where undefined. TEXT and JSON live until the next call. now_ns: of now() and
// age(x), the time since the time that x tells. One thread at a time. Times and durations come as TEXT; JSON given must
// be well-formed. Cost: about 50 ns and 20 ns a part of the expression.
SosiaValue sosia_formula_eval(SosiaFormula *f, const SosiaVar *vars, int64_t now_ns);
// False when a condition cannot be true, whatever the variables beyond the first `known` would be: for a look before
// the costly ones are made. Only the first `known` of vars are read. May say true too often.
bool sosia_formula_can(SosiaFormula *f, const SosiaVar *vars, int32_t known, int64_t now_ns);

// A condition over a twin of a world, as in WHERE of a query over DIGITALTWINS without an alias.
typedef struct SosiaTest SosiaTest;
SosiaErr sosia_test_new(Sosia *s, SosiaStr world, SosiaStr text, SosiaTest **out, SosiaBuf *why);
// out[i]: true for twin number twins[i] now. Errors: WORLD_NOT_FOUND, OVERRUN. One thread at a time.
SosiaErr sosia_test_twins(SosiaTest *t, const uint64_t *twins, int64_t n, bool *out);
void sosia_test_free(SosiaTest *t);

// Whether `payload` fits the request of a command that the twin's model (or the model of its component) defines.
// Errors: TWIN_NOT_FOUND, COMPONENT_NOT_FOUND, COMMAND_NOT_FOUND, SYNTAX, VALIDATION; `why` tells.
SosiaErr sosia_command_check(Sosia *s, SosiaStr world, SosiaStr twin, SosiaStr component, SosiaStr command,
                             SosiaStr payload, SosiaBuf *why);

// A command was carried to a device of the live world, or could not be, and somebody has the answer: kept for
// sosia_happened, the newest 10,000. by: who asked; status: what he was answered. Not of the closed loop, whose records
// tell. Returns at once; of a twin that is not there (any more), and of forks, nothing is kept. Any thread.
typedef struct SosiaCommandNote {
    SosiaStr world, twin, component, name, by;
    int status;
} SosiaCommandNote;
void sosia_command_note(Sosia *s, const SosiaCommandNote *note);

// ---- the past -----------------------------------------------------------------------------------------------------
// The name of a world may carry an instant: "live@2026-11-01T08:00:00Z" is the live world as it was known then (values
// that arrived later are not in it, whatever their source time), for every read and every question, whose now() is the
// instant. "FORK@TIME" is a fork likewise: up to the instant it was forked of what its parent was. Writes to it are
// refused with READ_ONLY, feeds of it with UNSUPPORTED. Instants are RFC 3339 with a zone or an offset, or a date (its
// midnight, UTC); of a fork also before its clock ("FORK@-1h"). Errors: WORLD_NOT_FOUND (no such world, or not a time),
// PAST_GONE (before the first thing known, or raw values of that time were let go), ARGUMENT (an instant that has not
// come yet; of a fork: behind its clock), UNSUPPORTED (no history kept).
//
// What now() is in a world, and what relative times are relative to: the wall clock in live, its own in a fork, the
// instant in a past world. wait: it may wait for the disk; else BUSY when it would have to. Errors: those of worlds.
SosiaErr sosia_world_now(Sosia *s, SosiaStr world, bool wait, int64_t *now_ns);

typedef struct SosiaHistory {
    SosiaStr world;             // "" is live; with an instant: what was known then
    SosiaStr id;                // a twin that is or was; of several of one name, all
    SosiaStr link;              // properties of this relationship of the twin; "": of the twin
    const SosiaStr *properties; // paths; none: all of its models, and telemetry by name
    int32_t property_count;
    int64_t from_ns, to_ns;  // own time of the values (source time, or arrival when there is none) in [from, to); to 0:
                             // no end
    int64_t step_ns;         // 0: every value; else intervals [from + k step, ...)
    SosiaStr fn;             // with a step, or over all of it: "avg", or several: "min,max,p95"; see docs/history.md
    SosiaStr fill;           // empty intervals: "none" (left out; the default), "null", "previous", "linear"
    bool descending;         // newest first
    bool arrival;            // order and bounds by arrival, and tell both times
    bool sources;            // tell who set each value
    int32_t format;          // SOSIA_HISTORY_*
    int32_t limit;           // values or intervals a page; 0: 1,000; at most 100,000
    SosiaStr token;          // of the page before: values that come meanwhile neither shift nor repeat anything
    bool (*stop)(void *ctx); // asked now and then in the caller's thread: true ends it with CLOSED; NULL: never
    void *stop_ctx;
} SosiaHistory;
enum {
    SOSIA_HISTORY_JSON,    // {"value":[{"time","property","value"...}]} rows in order of time
    SOSIA_HISTORY_CSV,     // time,property,value...
    SOSIA_HISTORY_COLUMNS, // NDJSON: a line a property and chunk: {"property","type","unit","time":[...],"value":[...]}
};
// Out: body and token. Waits for what was acknowledged before the call. Errors: TWIN_NOT_FOUND, LINK_NOT_FOUND,
// ARGUMENT (names the parameter), PAST_GONE, UNSUPPORTED, TOKEN, those of worlds.
SosiaErr sosia_history(Sosia *s, const SosiaCaller *who, const SosiaHistory *h, SosiaOut *out);
// JSON: what history takes, by model and property: {"value":[{"model","property","points","bytes","bytesPerPoint",
// "from","to"}], "total":{...}}. Reads the directory of all blocks.
SosiaErr sosia_history_stats(Sosia *s, const SosiaCaller *who, SosiaOut *out);

// JSON: twins of the live world that were deleted, by number: [{"$dtId","deleted"}...]; of one name there may be
// several, those that were erased are left out. token: of the page before, or ""; limit 0: 1,000, at most 10,000.
// Errors: UNSUPPORTED (no history is kept), TOKEN, STORAGE, CORRUPT.
SosiaErr sosia_history_deleted(Sosia *s, const SosiaCaller *who, SosiaStr token, int32_t limit, SosiaOut *out);
// What happened in a world, for lists and timelines: lives of twins, models, decisions of rules and commands they sent.
#define SOSIA_HAPPENED_LIMIT 1000      // without one
#define SOSIA_HAPPENED_LIMIT_MAX 10000 // rows of an answer
typedef enum SosiaHappenedKind {
    SOSIA_HAPPENED_BORN = 1,
    SOSIA_HAPPENED_GONE = 2,
    SOSIA_HAPPENED_COMMAND = 4,
    SOSIA_HAPPENED_DECISION = 8,
    SOSIA_HAPPENED_MODEL = 16,
} SosiaHappenedKind;
typedef struct SosiaHappened {
    SosiaStr world;          // any; of a past one what had happened by then
    int64_t from_ns, to_ns;  // by arrival, [from, to); to 0: no end
    uint32_t kinds;          // of SosiaHappenedKind; 0: all
    int32_t limit;           // rows; 0: SOSIA_HAPPENED_LIMIT
    bool (*stop)(void *ctx); // as in SosiaGraph
    void *stop_ctx;
} SosiaHappened;
// Into out->body, newest first:
//     {"value":[{"time","kind":"born","twin","model"},{"time","kind":"gone","twin"},
//               {"time","kind":"model","model"[,"removed":true or "decommissioned":true or false]},
//               {"time","kind":"decision","id","twin","rule","state"},
//               {"time","kind":"command","twin","name","by","decision","status"}],"more":false}
// More than three of born, gone or model within a second are one row, {"time","kind","count","model"}; its time is that
// of the last, model null when they differ. Twins that were erased are left out. Decisions are those of rules of live,
// with the state they are in at the world's instant; a fork of live has those up to where it was forked, as they were
// then. Commands are those that decisions sent (by: the rule) and those of people (without decision, at the time of
// their answer). In the caller's thread, which may wait for the disk; not from a callback. Errors: UNSUPPORTED (no
// history is kept), ARGUMENT, CLOSED, STORAGE, CORRUPT, those of worlds. Cost: that of the lives in the stretch, about
// 1 us each.
SosiaErr sosia_happened(Sosia *s, const SosiaCaller *who, const SosiaHappened *ask, SosiaOut *out);
// JSON: what keeps retention from letting go of values: {"world":"NAME","since":"TIME","worlds":N}: forks lie over live
// as it was at that instant and later, NAME is the oldest of them; null: nothing does. Errors: none.
SosiaErr sosia_retention_held(Sosia *s, const SosiaCaller *who, SosiaOut *out);

// Send a stretch of the past through a feed again: the batches of a world with arrival in [from, to), with their times
// and sources, at `speed` times real time (0: as fast as it is taken). Of a fork: its parent's before it was forked,
// then its own; `to` may lie behind its clock, where it ends.
typedef struct SosiaReplay {
    int64_t from_ns, to_ns;
    double speed;
    SosiaStr world; // "" is live
} SosiaReplay;
// A feed (sosia_feed_next and its kin) of what happened then; ends with CLOSED. Batches that did nothing are left out.
SosiaErr sosia_feed_replay(Sosia *s, const SosiaCaller *who, const SosiaReplay *r, SosiaFeed **out);

// Have what live (or another world: source) was told in [from, to) happen in a fork, batch by batch, with its times and
// sources: the fork's clock moves with it. Values that the fork derives are derived again, from what it has. So a fork
// of an instant that is told what came since becomes what live is. Batches not later than the fork's clock are passed
// over.
typedef struct SosiaRetell {
    SosiaStr world;
    int64_t from_ns, to_ns;
    SosiaStr twin;   // only what is about this twin and relationships that leave it; "": all
    SosiaStr source; // whose stretch it is; "" is live
} SosiaRetell;
typedef struct SosiaRetold {
    int64_t batches, changes; // that were done
    int64_t refused;          // changes that the fork has no place for any more
    uint64_t seq;             // of the newest batch
    int64_t time_ns;
} SosiaRetold;
// Waits until it is durable; not from a callback. Errors: WORLD_NOT_FOUND, ARGUMENT (not a fork; to before from, or in
// the future), UNSUPPORTED, GONE, LIMIT (a batch does not fit the fork's ring), those of history and of writing: what
// was done stays, and *out tells how far it came.
SosiaErr sosia_retell(Sosia *s, const SosiaCaller *who, const SosiaRetell *r, SosiaRetold *out);

// Erase for privacy: every value that ever was of a twin (property "": all of it, dead ones of that name, its
// relationships) or of one property or telemetry of it (of kind object, a component: all inside), from every world,
// history, journal, checkpoints, caches and past worlds, and from the file's free pages and log. What was derived from
// the values stays (roll-ups of others, means of others). `done` runs exactly once, on the erasure's own thread, when
// nothing of it is left in the file; it must not wait for another erasure. done->body is then the receipt, JSON that
// names nothing: {"id","asked","completed","subject","kind":"twin"|"property","twins","sequence","values",
// "relationships","journalRows","zeroedBytes"}.
//   subject  SHA-256 of "sosia.erasure\n" ID "\n" TWIN "\n" PROPERTY "\n": who knows the names can check it
// The same bytes are kept, see sosia_erasures. Erasures are carried out one after the other. A crash or a close goes on
// at the next open (`done` is told CLOSED; the receipt is kept when it is made). Writing goes on meanwhile; what is
// written to the twin behind the erasure stays.
// Errors at once: ARGUMENT (no twin), BUSY (64 wait), CLOSED, UNSUPPORTED (no file, or no history is kept). Told to
// done: TWIN_NOT_FOUND (there never was one of that name), VALIDATION (it has no such property or telemetry, or the
// property is derived), STORAGE, STORAGE_FULL, CORRUPT, LIMIT, CLOSED. After the last it goes on at the next open;
// after the four before, it is tried again, ever more seldom: see sosia_erasures.
SosiaErr sosia_erase(Sosia *s, const SosiaCaller *who, SosiaStr twin, SosiaStr property, SosiaDoneFn done, void *arg);
// id: that receipt, byte for byte as it was given. "": JSON {"value":[receipt...],
// "pending":[{"id","asked","state"}...]}, both in the order they were asked for; state is "waiting", "running" or
// "standing": that could not be done so far, "reason" {"code","message"} says why, "tries" how often it was tried,
// "nextTry" when it will be. Waits for the store's thread: not from a callback of a write. Errors: ERASURE_NOT_FOUND
// (no such receipt), STORAGE, CORRUPT, UNSUPPORTED (no file, or no history is kept).
SosiaErr sosia_erasures(Sosia *s, const SosiaCaller *who, SosiaStr id, SosiaOut *out);

// ---- worlds -------------------------------------------------------------------------------------------------------

// A new world equal to `from` as it is visible now, or as it was: "live@TIME", "FORK@TIME". It is kept in the file,
// with every batch that is written to it, and has a history of its own, when there is a file and history is kept;
// else it lives in memory only. It has a clock of its own, which begins at the instant it was forked of and moves with
// what is written to it, not with the wall clock.
// Errors: WORLD_NOT_FOUND, WORLD_EXISTS, ARGUMENT (the name), LIMIT, those of past worlds, STORAGE, STORAGE_FULL. Cost:
// microseconds in the writer, and a commit; of a past world the same, its pages are made when they are touched.
SosiaErr sosia_fork(Sosia *s, const SosiaCaller *who, SosiaStr from, SosiaStr name);
// The same, with what it is for.
typedef struct SosiaFork {
    SosiaStr from; // "" is live
    SosiaStr name;
    SosiaStr purpose; // for people; at most 4,096 bytes
    int64_t until_ns; // how far it is to be run; 0: not said
    uint64_t seed;    // of its random numbers
    bool seeded;      // it has one
    SosiaBuf *why;    // gets a sentence when it fails; may be NULL
} SosiaFork;
SosiaErr sosia_world_fork(Sosia *s, const SosiaCaller *who, const SosiaFork *f);
// May a read of that world wait for the disk? Of a past one, and of a fork that lies over one or was not asked for
// since the start. For event loops, which then let another thread do it.
bool sosia_world_waits(Sosia *s, SosiaStr world);
// Free a fork, in the file too. "live" cannot be dropped.
SosiaErr sosia_drop(Sosia *s, const SosiaCaller *who, SosiaStr name);

// Let a fork move by its behaviours (docs/behaviours.md) until an instant. It begins where its clock stands. What it
// does is written as batches of the fork's own times; everybody may look on and write meanwhile. Survives a restart.
typedef struct SosiaRun {
    SosiaStr world;
    int64_t until_ns, for_ns; // one of them; both 0: what the fork was made for
    double speed;             // times real time; 0: as fast as possible
    int64_t output_ns;        // values that move all the time are written so often; 0: 60 s
    int64_t steps;            // only so many instants, then it stands; 0: any number
    SosiaStr solver;          // "": by itself; "rk45", "cvode"
    double rtol, atol;        // 0: 1e-6, 1e-9 (SI)
    SosiaStr changes;         // JSON: [{"at":"PT2H","twin","property","value"}], after the beginning; or ""
    SosiaStr kpis;            // names of what is counted, separated by commas; "": all KPIs of the world
    int32_t trace;            // follow the first so many items (at most SOSIA_TRACE_MAX), see sosia_trace; 0: none
} SosiaRun;
#define SOSIA_TRACE_MAX 100000
// Begin, or go on. The body is {"state","now","until",...} as in GET of a world. It is kept by then: whatever happens
// to the process, the run is taken up by the next. Errors: WORLD_NOT_FOUND, UNSUPPORTED (live), ARGUMENT (also for a
// KPI that there is not), TWIN_NOT_FOUND and VALIDATION (changes that do not fit, with the place), WORLD_RUNNING, LIMIT
// (64 at once), STORAGE, STORAGE_FULL.
SosiaErr sosia_run(Sosia *s, const SosiaCaller *who, const SosiaRun *r, SosiaOut *out);
// Have it stand at the next instant; waits for that. sosia_run goes on with it. Errors: WORLD_NOT_FOUND.
SosiaErr sosia_run_pause(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaOut *out);
// How far it is: state is idle, starting, running, paused, done or failed. Waits up to wait_ns for its end.
SosiaErr sosia_run_status(Sosia *s, const SosiaCaller *who, SosiaStr world, int64_t wait_ns, SosiaOut *out);

// What became of single items (parts, patients, orders) of a run that follows them: the newest that did. It is kept
// with the run, and bounded: what does not fit is left out (the run's status says "full").
typedef struct SosiaTrace {
    SosiaStr world;
    SosiaStr twin, source; // only what happened there; only items made there; "": any
    int64_t item;          // only the item of that number, plus 1; 0: any
    uint64_t after;        // events behind that number
    int32_t limit;         // lines at most; 0: 100,000, which is the most
} SosiaTrace;
// Lines {"n":17,"time","twin","what","item","source"}, ascending; what: made, enter, start, done, block, leave, lost,
// out; of twins without an item: fail, repair. Errors: WORLD_NOT_FOUND, UNSUPPORTED (live), READ_ONLY (the past).
SosiaErr sosia_trace(Sosia *s, const SosiaCaller *who, const SosiaTrace *t, SosiaOut *out);

// Try a what-if (a definition, docs/worlds.md): fork one instant twice, with one seed, and let both run at once, one of
// them with the changes. The worlds are ordinary forks.
typedef struct SosiaWhatif {
    SosiaStr name;  // of the definition
    SosiaStr world; // that has it; "" is live. It is what is forked, unless the definition says "from"
    SosiaStr as;    // the changed world's name; "": the definition's, with a number behind when that is taken. The
                    // other one is called so with ".base" behind
    bool alone;     // only the changed world
    bool again;     // in place of those that this what-if made under that name before, which are dropped
    // > 0: no worlds are made; an ensemble of so many replications of both, as they are and with the changes
    int32_t replications;
    double level; // of its intervals; 0: 0.95
} SosiaWhatif;
// Begin. The body is {"whatif","title","world","from","baseline","compare":"/compare?worlds=BASELINE,WORLD"}, of an
// ensemble {"whatif","title","from","ensemble":17,"report":"/ensembles/17"}. Errors:
// DEFINITION_NOT_FOUND, TWIN_NOT_FOUND and VALIDATION (what it changes is not there), those of sosia_world_fork and
// sosia_run: then no world is left. Waits for the writer.
SosiaErr sosia_whatif(Sosia *s, const SosiaCaller *who, const SosiaWhatif *w, SosiaOut *out);

// What is counted over the run of a world (its KPIs): what each came to so far, while it runs, and what it was.
typedef struct SosiaKpis {
    SosiaStr world;
    SosiaStr kpis;  // names, separated by commas; "": all
    int32_t points; // of the course of each, at most; 0: 2,000; < 0: none
} SosiaKpis;
// {"world","purpose","state","begin","now","until","kpis":[{"name","title","unit","symbol","of","twin","expression",
// "over","better","value","known","from","error","times":[...],"values":[...]}],"value":[the definitions]}. known: the
// seconds that it had a value; the course is that of the value so far, at times of output. value is null where nothing
// is known. A world without a run has "state":"idle" and "kpis":[]. Errors: those of worlds.
SosiaErr sosia_kpis(Sosia *s, const SosiaCaller *who, const SosiaKpis *k, SosiaOut *out);

// Runs of several worlds side by side, against the first.
#define SOSIA_COMPARE_WORLDS_MAX 16
typedef struct SosiaCompare {
    const SosiaStr *worlds;
    int32_t world_count; // 2 to SOSIA_COMPARE_WORLDS_MAX
    SosiaStr kpis;       // names, separated by commas; "": all
    int32_t points;      // of the course of each, at most; 0: 500
    int32_t format;      // SOSIA_COMPARE_*
    // Of sosia_compare_many:
    int32_t replications; // of each world
    int64_t for_ns;       // how long; 0: as long as the first of them ran
    double level;         // of intervals; 0: 0.95
} SosiaCompare;
enum {
    SOSIA_COMPARE_JSON,
    SOSIA_COMPARE_HTML, // one page by itself: a table, and charts of the courses
    SOSIA_COMPARE_SVG,  // the charts alone
    SOSIA_COMPARE_RUNS, // of an ensemble: JSON as of sosia_compare, cases as worlds, see sosia_ensemble_show
};
// {"title","sentence","worlds":[{"name","purpose","state","begin","now","until","changes":[...],"changeCount"}],
// "kpis":[{"name","title","unit","symbol","of","over","better","values":[{"world","value","known","difference",
// "relative","verdict":"better" | "worse" | "same" | null,"error","times","values"}]}],"notes":[...]}. difference and
// relative are against the first. title: of the what-if that one of them tries. sentence: of two, what the second does.
// notes: what is not comparable, in sentences. Errors: ARGUMENT (less than two, too many, one twice), those of worlds.
SosiaErr sosia_compare(Sosia *s, const SosiaCaller *who, const SosiaCompare *c, SosiaOut *out);
// Have the worlds run many times over, all with the first one's seed, so that the r-th replications see the same
// chances: each from where its run began, with what that had planned; one that has not been run, from where it is. It
// is an ensemble, and the body that of sosia_ensemble. Errors: those of both.
SosiaErr sosia_compare_many(Sosia *s, const SosiaCaller *who, const SosiaCompare *c, SosiaOut *out);

// Run a world many times over, by other chances and with other changes; nothing is written to it (docs/worlds.md,
// Ensembles). json: {"for":"PT8H","output":"PT15M","replications":100,"cases":[{"name","changes":[...],"world"}],
// "sweep":[{"twin","property","values":[...]}],"kpis":[...],"track":[{"twin","property"}],"precision":{"kpi",
// "relative":0.05,"most":10000},"level":0.95,"seed","threads","title","about"}.
// The body is {"id","world","state","replications","of","seconds","sentence","cases":[{"name","kpis":[{"name","n",
// "mean","low","high","sd","min","p05","p50","p95","max","difference":{...}}]}],"times":[...],"series":[...]}. What it
// came to is kept, with the file when there is one, until its world is dropped, a twin that it names is erased, or 100
// newer ones are there. Several may be at work at once (16). A case may name a world of its own; then all are tried
// with one seed, and the first one is what others differ from.
// Errors: those of worlds, SYNTAX, ARGUMENT, LIMIT, TWIN_NOT_FOUND and VALIDATION (of changes). Returns when it has
// begun.
SosiaErr sosia_ensemble(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaStr json, SosiaOut *out);
// How far the newest of a world is: state is idle, starting, running, done, stopped or failed. Waits up to wait_ns for
// its end.
SosiaErr sosia_ensemble_status(Sosia *s, const SosiaCaller *who, SosiaStr world, int64_t wait_ns, SosiaOut *out);
// Have it end; what there is stays.
SosiaErr sosia_ensemble_stop(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaOut *out);
// {"value":[...]}: all there are, the newest first, without what they came to but for a sentence.
SosiaErr sosia_ensembles(Sosia *s, const SosiaCaller *who, SosiaOut *out);
// One by its number.
typedef struct SosiaEnsembleShow {
    uint64_t id;
    int64_t wait_ns; // up to so long for its end
    int32_t format;  // SOSIA_COMPARE_*
    bool samples;    // JSON: with what each replication came to ("samples")
    bool stop;       // have it end first; what there is stays
} SosiaEnsembleShow;
// SOSIA_COMPARE_RUNS is {"title","sentence","worlds":[{"name","purpose","state","changes","changeCount"}],"kpis":[{...,
// "values":[{"world","value","low","high","difference","differenceLow","differenceHigh","relative","verdict","times",
// "values","lows","highs"}]}],"notes"}: value is the mean, lows and highs are where 9 of 10 replications are; a verdict
// may be "more", "less" or "unclear", too.
// Errors: ENSEMBLE_NOT_FOUND, LIMIT.
SosiaErr sosia_ensemble_show(Sosia *s, const SosiaCaller *who, const SosiaEnsembleShow *a, SosiaOut *out);
// Forget one; when it is at work it ends. Waits for the disk. Errors: ENSEMBLE_NOT_FOUND, STORAGE, STORAGE_FULL.
SosiaErr sosia_ensemble_remove(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out);

// What differs between two worlds: values, twins, relationships, models and documents (definitions). Times are no
// difference.
typedef struct SosiaDiff {
    SosiaStr world;   // the changed one
    SosiaStr against; // "": its parent as it was when it was forked; else any world, also of the past
    // Only twins of this model (and those that extend it), this twin, this property (and what lies in it); "": all
    SosiaStr model, twin, property;
    double tolerance,
        relative;   // numbers that differ by no more, in their unit or as a part of the larger, are the same
    SosiaStr token; // continuation token of the page before, or ""
    int32_t limit;  // changes a page; 0: 1,000, at most 10,000
} SosiaDiff;
// {"world","against","counts":{"values","twinsMade","twinsDeleted","relationshipsMade","relationshipsDeleted","models",
// "documents"},"changes":[{"what":"value","twin","property","before","after","unit"},{"what":"twin","change":"made"}]}.
// Every page compares anew. Errors: those of worlds, ARGUMENT, LIMIT (over 1,000,000), TOKEN. Waits for the writer.
SosiaErr sosia_diff(Sosia *s, const SosiaCaller *who, const SosiaDiff *d, SosiaOut *out);

// Take what a fork changed since it was forked into another world, as one batch: three-way, against the instant of the
// fork. What the other world has changed too, otherwise, is a conflict: listed and never overwritten.
typedef struct SosiaMergeOnly {
    SosiaStr twin, property; // property "": the whole twin with its relationships
} SosiaMergeOnly;
typedef struct SosiaMerge {
    SosiaStr world, into; // into "": live
    const SosiaMergeOnly *only;
    int32_t only_count; // 0: everything
    double tolerance, relative;
    bool dry_run;        // tell what would happen
    bool skip_conflicts; // merge the rest; else nothing is done when there is a conflict
} SosiaMerge;
// {"world","into","merged":n,"same":n,"derived":n,"conflicts":[{"what",...,"before","after","there","why"}],"dryRun",
// "changes":[...]}: what was merged (at most 1,000 of them). same: the other world has it already; derived: it computes
// it itself. Errors: WORLD_CONFLICT (the body tells which), those of worlds, LIMIT (too much for one batch). seq: when
// it became visible.
SosiaErr sosia_merge(Sosia *s, const SosiaCaller *who, const SosiaMerge *m, SosiaOut *out);

// ---- decisions ----------------------------------------------------------------------------------------------------
// The closed loop: a rule (a definition, collection "rules", docs/rules.md) holds on a twin of live for a while -> what
// could be done is tried in replications of live as it is -> scored in money; what breaks a limit in any of them is
// dropped -> a proposal -> approved by people, or by time -> looked at by a guard -> sent to the device as a command ->
// what is counted is watched against the band that was foretold -> kept, left, or undone. Only live's rules act.
//
// Each is one record, JSON, durable at every step, and before its command leaves: {"id":17,"rule","state","twin",
// "world":"live@T","sequence","trigger","definition","seed","replications","ahead","alternatives","choice","why",
// "hash","approval","command","watch","rollback","log"}. States: proposing, waiting (for approval), approved, sending,
// watching; at its end: kept, left, rolledBack, refused, expired, nothing (nothing was best), noneWithin (all break a
// limit), stale (what was read is too old), shadow, failed, unknown (the process died while it was sent; never sent
// again), stopped. At most 1,000 are kept: of those at their end the oldest go first.

// How commands leave: set by whoever can carry them. fn returns at once: an error means that nothing was sent and that
// `done` will not run; else `done` runs exactly once, on any thread, perhaps before fn returns. Its err is DEVICE (no
// answer in time), DEVICE_OFFLINE, DEVICE_REFUSED ... or OK; status is the device's (0: none), answer its payload, or a
// sentence when it failed. payload: JSON or "" (none); it and the other texts are borrowed while fn runs, the answer
// while done runs.
typedef void (*SosiaCommandDone)(void *arg, SosiaErr err, int status, SosiaStr answer);
typedef SosiaErr (*SosiaCommander)(void *ctx, SosiaStr world, SosiaStr twin, SosiaStr component, SosiaStr command,
                                   SosiaStr payload, int64_t timeout_ns, SosiaCommandDone done, void *arg);
// fn NULL: nobody carries commands (whoever is to send fails with DEVICE_OFFLINE). Returns when no call of the one
// before is under way; a `done` may still come, until sosia_close: before that all must have come, or never will.
void sosia_commander(Sosia *s, SosiaCommander fn, void *ctx);

typedef struct SosiaDecisions {
    SosiaStr state;    // one of them, or "open": not at its end; "": any
    SosiaStr rule;     // "": any
    SosiaStr twin;     // that set it off; "": any
    uint64_t after;    // id of the last one of the page before: only older ones; 0: from the newest on
    int32_t limit;     // 0: 100; at most 1,000
    int64_t wait_ns;   // wait up to so long for
    uint64_t revision; // a later revision than this
} SosiaDecisions;
// {"revision":n,"stopped":false,"more":false,"value":[{"id","rule","state","twin","mode","by","at","choice","gain",
// "gainLow","gainHigh","unit","why","due","verdicts","left","ended"}]}, newest first. revision: grows with every change
// of any record, and is 1 after a start. Errors: ARGUMENT.
SosiaErr sosia_decisions(Sosia *s, const SosiaCaller *who, const SosiaDecisions *d, SosiaOut *out);
// The whole record. Errors: DECISION_NOT_FOUND, STORAGE.
SosiaErr sosia_decision(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out);
// verb: "approve" or "refuse" one that waits (of two people that are needed each approves once), "rollback": send the
// undoing command of one that is watched, was kept, left, or is unknown. Waits until it is durable; the body is the
// record.
// Errors: DECISION_NOT_FOUND, ARGUMENT (the verb; a note over 1,000 bytes), DECISION_STATE (it does not wait any more,
// the same person twice, nothing to undo; to approve while the kill switch is on: it stays waiting), STORAGE, CLOSED.
SosiaErr sosia_decide(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaStr verb, SosiaStr note, SosiaOut *out);
// Compute it again from live as it was: {"id","same":true,"choice","was","why","alternatives":[...],"differences":[
// {"action","kpi","replication","was","is"}]}, compared to the last bit; at most 100 differences. Errors:
// DECISION_NOT_FOUND, DECISION_STATE (nothing was computed), those of past worlds (PAST_GONE, UNSUPPORTED ...).
SosiaErr sosia_decision_replay(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out);
// Propose now, whether the condition holds or not: a proposal like any other, but nothing is done without people. The
// body is the record, as soon as it is durable (proposing). Errors: DEFINITION_NOT_FOUND (the rule), TWIN_NOT_FOUND,
// VALIDATION (the rule is not for that twin, or fits no more), BUSY (16 wait, or 64 are under way), CLOSED.
SosiaErr sosia_propose(Sosia *s, const SosiaCaller *who, SosiaStr rule, SosiaStr twin, SosiaOut *out);
// The kill switch, durable: while it is on nothing is sent, not even to undo, and what was to be sent ends as stopped.
// Returns when nothing is being handed to a device any more. Errors: STORAGE.
SosiaErr sosia_decisions_stop(Sosia *s, const SosiaCaller *who, bool stop);

// ---- the feed -----------------------------------------------------------------------------------------------------

typedef enum SosiaEvent {
    SOSIA_EV_TWIN_PUT,
    SOSIA_EV_TWIN_DELETE,
    SOSIA_EV_SET,
    SOSIA_EV_UNSET,
    SOSIA_EV_LINK_PUT,
    SOSIA_EV_LINK_DELETE,
    SOSIA_EV_LINK_SET,
    SOSIA_EV_LINK_UNSET,
    SOSIA_EV_MODEL,
    SOSIA_EV_TELEMETRY,
} SosiaEvent;

// A change of model is a SET of path "$metadata.$model"; a SET without a value is a new source time of the present one.
// TWIN_DELETE and LINK_DELETE carry the whole twin or relationship as it was (JSON; NONE in batches of format 1 files).
typedef struct SosiaChange {
    SosiaEvent what;
    SosiaStr twin; // id of the twin (links: of the source); MODEL: the DTMI
    SosiaStr link; // relationship id or ""
    SosiaStr path; // property path ("thermostat.setPoint"), relationship name, TELEMETRY: component
    // LINK_PUT, LINK_DELETE: target twin; LINK_SET, LINK_UNSET: relationship name; TWIN_PUT: model; TELEMETRY: message
    // id
    SosiaStr other;
    // MODEL: JSON document when added, BOOL decommissioned, NONE when removed; TELEMETRY: JSON payload
    SosiaValue value;
    int64_t source_time_ns;
    bool late; // SET: by its source's clock older than the value that stood, or of the future: not the present value
    // The same by number, for who keeps tables of them. 0: none.
    uint64_t twin_no, link_no; // of twin and link; never used again
    uint32_t column;           // SET, UNSET, LINK_SET, LINK_UNSET: with twin_no or link_no it names the value
    // The twin's (links: the source's): of SET, UNSET, TWIN_* when it happened; else when it was read, "" when gone
    SosiaStr model;
    bool fresh; // SET, LINK_SET: there was no value before
} SosiaChange;

// One visible batch; borrowed until the next call on the same feed.
typedef struct SosiaBatch {
    uint64_t seq, prev; // prev: sequence of the batch before it on this feed
    int64_t time_ns;    // update time
    SosiaStr source;
    const SosiaChange *changes;
    int64_t count;
} SosiaBatch;

#define SOSIA_FEED_OLDEST UINT64_MAX
// A cursor behind `since` (0: from now on; SOSIA_FEED_OLDEST: from the oldest batch kept). What memory let go is read
// back from the journal, also after a restart. Errors: WORLD_NOT_FOUND, GONE (older than what is kept, or newer than
// anything that happened). *oldest, may be NULL: the smallest `since` that would do now.
SosiaErr sosia_feed_open(Sosia *s, const SosiaCaller *who, SosiaStr world, uint64_t since, SosiaFeed **out,
                         uint64_t *oldest);
// The next batch, waiting up to wait_ns (0: not at all). SOSIA_OK with out->count 0 and seq 0: nothing new, or what is
// next is being read from the journal: the notify function is called when it is there.
// Errors: GONE (this cursor fell behind what is kept), CLOSED (the engine or the world is closed), OVERRUN; STORAGE and
// CORRUPT (the journal cannot be read). After OVERRUN and STORAGE the same batch may be asked for again.
// One thread at a time uses a feed.
SosiaErr sosia_feed_next(SosiaFeed *f, int64_t wait_ns, SosiaBatch *out);
// Call fn(arg) from a thread of the engine whenever there may be something new; for event loops. fn must not block nor
// call the engine. After sosia_feed_close (or a NULL fn) it is not called again.
void sosia_feed_notify(SosiaFeed *f, void (*fn)(void *arg), void *arg);
void sosia_feed_close(SosiaFeed *f);
// The whole twin or relationship that change i of the batch made (TWIN_PUT, LINK_PUT), as GET showed it right after the
// batch. Errors: ARGUMENT, WORLD_NOT_FOUND, MODEL_NOT_FOUND (nobody knows its model any more), OVERRUN.
SosiaErr sosia_batch_made(Sosia *s, SosiaStr world, const SosiaBatch *b, int64_t i, SosiaBuf *out);
// Durable cursors: the journal of the live world is kept behind `seq` for the consumer `name` (at most
// SosiaOpen.journal_bytes_max, then it is cut and the consumer's next feed_open says GONE). seq 0: forget it.
// Durable within about a second, with the next commit. Errors: ARGUMENT (no name, over 512 bytes), LIMIT (4,096 names).
SosiaErr sosia_feed_hold(Sosia *s, SosiaStr name, uint64_t seq);
// *seq: where it stands, 0 when there is none of that name.
SosiaErr sosia_feed_held(Sosia *s, SosiaStr name, uint64_t *seq);

#ifdef __cplusplus
}
#endif
