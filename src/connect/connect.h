// SPDX-License-Identifier: Apache-2.0
// Connect, from the inside: the registry of connections and what its files share. Reaches the engine through sosia.h.
//
// Threads: every connection has one thread of its own (its link's loop); a pool of ASK_THREADS answers requests that
// may wait, TESTS_MAX others the tests of connections and endpoints, which may take a minute and more; routes have one
// thread an endpoint. Callbacks of the engine only pass results on.
// Locks, outermost first: `edit` is held over one change of a connection, waiting included; a Connection's `life` for
// reading around calls into its kind, for writing around its start and stop; `lock` guards the tables below, held for a
// few instructions, no callback runs under it. A Connection is counted.
//
// Documents: items of kind "connection", "endpoint", "eventroute" (the JSON as given, without secrets), "secret" (key
// "connection/NAME/MEMBER": the text). Written with sosia_items_put before anything starts from them.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"
#include "codec/json.h"
#include "sosia/connect.h"

#define CONNECTIONS_MAX 256
#define CONNECT_NAME_MAX 64 // letters, digits, '-', '_', '.'
#define ASK_THREADS 2
#define ASK_QUEUE_MAX 256
#define TESTS_MAX 2           // of connections and endpoints at once
#define SAMPLES_MAX 32        // errors and messages kept of a connection
#define SAMPLE_BYTES_MAX 1024 // of one payload in a sample

typedef struct Connection Connection;
typedef struct Ask Ask;
typedef struct Command Command;

// ---- kinds of connections: one row a file -------------------------------------------------------------------------

typedef struct ConnectKind {
    const char *name; // "mqtt", "sparkplug", "line"
    // The whole document is valid; secrets are where they belong as text. Errors: ARGUMENT; messages name the member.
    Err (*check)(const Json *doc, Diag *d);
    // Members that hold secrets, as paths "password", "tls.keyPassword"; "headers.*", one of them at most: every member
    // of that object. Ends with NULL.
    const char *const *secrets;
    // Start from c->doc; `c->own` is its own. Must not wait for the network. NULL: nothing runs.
    Err (*start)(Connection *c, Buf *why);
    // Finish what was received and free c->own. May wait a few seconds.
    void (*stop)(Connection *c);
    // "Show me ten messages and what they would become": collect for up to ask's seconds=5, messages=10, answer a JSON
    // array of {"topic","payload","points":[{"twin","property","value","time"}],"error"}. Applies nothing. Runs on a
    // thread for tests with a document that may not be stored. NULL: cannot be tested.
    Err (*test)(SosiaConnect *k, const Json *doc, const Ask *ask, Buf *out, Buf *why);
    // Publish a command for a twin or return NO_ROUTE when this connection does not carry it. See command.h.
    Err (*command)(Connection *c, Command *cmd);
    // POST connections/NAME/write: {"twin","values":{...}}. NULL: not there.
    Err (*write)(Connection *c, const Ask *ask, Buf *out, Buf *why);
    // Append members for GET of one connection, each with a leading comma.
    void (*show)(Connection *c, Buf *out);
} ConnectKind;

extern const ConnectKind kind_mqtt, kind_sparkplug, kind_line, kind_http;

// ---- a connection -------------------------------------------------------------------------------------------------

typedef enum ConnState { CONN_PAUSED, CONN_CONNECTING, CONN_UP, CONN_FAILED } ConnState;

// Counters any thread may read; written by the connection's own.
typedef struct ConnStats {
    _Atomic int64_t messages, bytes;            // received
    _Atomic int64_t points, accepted, rejected; // made of them
    _Atomic int64_t late, duplicates;
    _Atomic int64_t errors;              // messages that could not be read or mapped; tries of the link that failed
    _Atomic int64_t published, commands; // sent
    _Atomic int64_t connects, drops;     // of the link
    _Atomic int64_t waiting;             // points put and not durable yet
    _Atomic int64_t lag_ns;              // from the newest source time to durable
    _Atomic int64_t last_message_ns;     // wall clock
} ConnStats;

typedef struct Sample {
    int64_t time_ns;
    Str topic, payload, why; // owned
} Sample;

struct Connection {
    _Atomic int32_t refs;
    SosiaConnect *connect;
    Str name; // owned
    const ConnectKind *kind;
    Arena arena; // of doc
    Json doc;    // with secrets filled in
    Buf text;    // the document as stored (without secrets)
    bool paused;
    pthread_rwlock_t life;
    bool running;      // between kind->start and kind->stop; guarded by life
    _Atomic int state; // ConnState
    ConnStats stats;
    // sample_lock guards these; ring buffers.
    pthread_mutex_t sample_lock;
    Sample errors[SAMPLES_MAX], messages[SAMPLES_MAX];
    int64_t error_count, message_count; // ever
    int64_t error_next, message_next;   // kept ever: the next one's place in its ring
    Buf trouble;                        // why it is not up, a sentence; "" when it is
    void *own;                          // of its kind
};

// Keep a sample; texts are cut to SAMPLE_BYTES_MAX (binary as "0x..."). Any thread. In a flood one is kept every 10 ms
// and the others only counted. An error also counts in stats.errors.
void connection_error(Connection *c, Str topic, Str payload, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void connection_message(Connection *c, Str topic, Str payload);
// A sample of a point that the engine refused (it is counted in stats.rejected).
void connection_refused(Connection *c, Str topic, Str payload, Str why);
// Tell where the link stands; why may be "".
void connection_state(Connection *c, ConnState state, Str why);
// The link is not there: lost, which counts in stats.drops, or a try of it failed, an error. Keeps why as a sample.
void connection_down(Connection *c, bool again, Str why);
// A counted reference by name, NULL when there is none.
Connection *connection_find(SosiaConnect *k, Str name);
void connection_unref(Connection *c);
// Call fn for each running connection with a reference taken and kept running meanwhile (one that is being stopped is
// passed by); until it returns something else than NO_ROUTE. fn must not wait.
Err connection_each(SosiaConnect *k, Err (*fn)(Connection *c, void *ctx), void *ctx);

// ---- requests -----------------------------------------------------------------------------------------------------

struct Ask {
    const SosiaAsk *q; // &ask
    SosiaAsk ask;
    SosiaConnect *connect;
    SosiaCaller who; // borrowed like q
    SosiaToldFn fn;
    void *arg;
    struct Ask *next;
    bool test; // counts in connect->tests_under_way until it is answered
};

// Answer; frees the ask. Exactly one of them.
void ask_json(Ask *a, int status, const Buf *body);
void ask_empty(Ask *a, int status);
void ask_fail(Ask *a, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// The same in the words of `d`; without any, the meaning of `err`.
void ask_fail_diag(Ask *a, Err err, const Diag *d);
void ask_told(Ask *a, const SosiaTold *told);
// A parameter of the query, decoded into the arena; p NULL when absent.
Str ask_param(const Ask *a, Str name, Arena *arena);

// Folders: each in its own file, called on a thread of the pool; may wait.
void ask_connections(Ask *a); // connections.c
void ask_endpoints(Ask *a);   // endpoints.c
void ask_eventroutes(Ask *a); // eventroutes.c
void ask_commands(Ask *a);    // command.c
void ask_write(Ask *a);       // line.c; in the thread that asks, does not wait

// ---- the registry, for connect.c -----------------------------------------------------------------------------------

// Read the stored connections; start those that are not paused.
MUST Err connections_load(SosiaConnect *k, Buf *why);
// Stop and forget them, in memory only.
void connections_stop(SosiaConnect *k);
// The kind of that name or NULL.
const ConnectKind *connect_kind(Str name);
// The threads of the pool and of tests, and their end: what still waits is answered with CLOSED.
MUST Err asks_start(SosiaConnect *k);
void asks_stop(SosiaConnect *k);

// ---- the whole ----------------------------------------------------------------------------------------------------

typedef struct Routes Routes;     // routes.h
typedef struct Commands Commands; // command.h

struct SosiaConnect {
    Sosia *engine;
    Str host; // owned
    bool paused;
    pthread_mutex_t edit, lock;
    Connection **connections; // by name
    int64_t connection_count, connection_cap;
    _Atomic bool closing;
    Queue asks, tests; // of Ask
    _Atomic int tests_under_way;
    Thread threads[ASK_THREADS], test_threads[TESTS_MAX];
    Routes *routes;
    Commands *commands;
    struct Shapes *shapes;    // shape.h
    struct LineIntake *lines; // line.h
};
