// SPDX-License-Identifier: Apache-2.0
// Routes: which events of the live world go where (event routes), and how they get there (endpoints).
//
// An endpoint has one thread and one cursor on the live feed (sosia_feed_hold "endpoint/NAME"), which moves on when
// every event before it was delivered or stored as a dead letter: at least once, also over kill -9. Events go out in
// the order of the feed, one window at a time; one that must be tried again holds up all that follow it on this
// endpoint, so the order of each twin is kept. A slow endpoint costs its window and the journal behind its cursor; when
// that was cut, it goes on with the oldest batch kept and counts a gap.
//
// Locks, outermost first: `edit` over one change of an endpoint or route, waiting included; `lock` over the tables;
// an endpoint's `lock` over what its thread shares. None is held over a call into the engine's feed or the network but
// `edit`.
//
// Items: "endpoint" NAME, "eventroute" ID ({"endpointName","filter","since"}), "secret" "endpoint/NAME/MEMBER",
// "deadletter" "NAME/<20 digits>".
#pragma once
#include "base/rng.h"
#include "connect/cloudevent.h"
#include "connect/connect.h"
#include "connect/connect_doc.h"

#define ENDPOINTS_MAX 64
#define ROUTES_MAX 256
#define ROUTES_PAGE 100            // routes of one page of GET /eventroutes
#define ROUTE_FILTER_MAX 8000      // bytes of a filter
#define WEBHOOK_BATCH_MAX 100      // events of one POST
#define WEBHOOK_HEADERS_MAX 32     // own headers
#define MQTT_WINDOW 512            // messages on their way
#define WINDOW_BYTES_MAX (4 << 20) // of events gathered for one window
#define DEADLETTERS_MAX 10000      // kept of one endpoint
#define DEADLETTER_BYTES_MAX (64 << 20)
#define DEADLETTERS_PAGE 100
#define RETRIES_DEFAULT 10
#define RETRIES_MAX 1000
#define BACKOFF_FIRST_NS INT64_C(500000000)
#define BACKOFF_MAX_NS INT64_C(60000000000)
#define RETRY_AFTER_MAX_NS INT64_C(3600000000000) // a longer Retry-After is cut to this

typedef struct Endpoint Endpoint;

// ---- sending ------------------------------------------------------------------------------------------------------

// One event of a window. Texts live in the window's arena.
typedef struct Outgoing {
    Str body; // structured JSON
    Str id, type, subject, source, route, twin;
    uint64_t letter; // number of the dead letter it comes from, 0: from the feed
    bool sent;
} Outgoing;

typedef enum SendKind { SEND_OK, SEND_AGAIN, SEND_REFUSED, SEND_STOPPED } SendKind;

typedef struct SendResult {
    SendKind kind;
    int32_t done;           // events from the front that were delivered
    int32_t refused;        // REFUSED: how many behind them are refused for good
    int64_t retry_after_ns; // AGAIN: what the other side asked for, 0: nothing
    int status;             // HTTP, or 0
    char why[320];
} SendResult;

// A way to send: one row a kind.
typedef struct EndpointKind {
    const char *name;
    const char *const *members; // of the document, with NULL behind
    // Look at the members; complaints go to doc->d.
    void (*check)(Doc *doc);
    // On the endpoint's thread, which may wait. The texts of e->doc stay. Errors: any; the sentence tells.
    Err (*open)(Endpoint *e, Buf *why);
    void (*close)(Endpoint *e);
    // Send events in order. Asks endpoint_stopping while it waits.
    void (*send)(Endpoint *e, const Outgoing *events, int32_t n, SendResult *out);
} EndpointKind;

extern const EndpointKind endpoint_webhook, endpoint_mqtt;

// ---- an endpoint --------------------------------------------------------------------------------------------------

// Counters any thread may read.
typedef struct EndpointStats {
    _Atomic int64_t delivered, failed, retries, gaps;
    _Atomic int64_t letters, letters_dropped; // dead letters kept; pushed out by newer ones, or not wanted
    _Atomic uint64_t cursor;
    _Atomic int64_t last_delivery_ns; // wall clock
} EndpointStats;

// Dead letters of an endpoint, oldest first; the texts are items.
typedef struct Letters {
    struct {
        uint64_t no;
        int64_t bytes;
    } * at;
    int64_t count, cap, bytes;
    uint64_t last; // number given last
} Letters;

// A route as its endpoint's thread uses it.
typedef struct Filter {
    Str id;
    SosiaFormula *formula;
    uint64_t since;
} Filter;

typedef struct Window {
    Arena arena;
    Outgoing *events;
    int32_t count, cap, max;
    int64_t bytes;
} Window;

struct Endpoint {
    SosiaConnect *connect;
    Str name; // owned
    const EndpointKind *kind;
    Arena arena;
    Json doc;                         // with secrets filled in
    Buf text;                         // as stored
    int32_t batch, retries;           // events of one send; tries after the first
    bool keep_letters, paused, trial; // trial: a copy for one test
    EndpointStats stats;
    Thread thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    // Guarded by lock.
    bool stop, kick, news; // kick: try again now; news: the feed has something
    uint64_t version;      // of its routes, counts up
    uint64_t *replay;      // dead letters to be sent again
    int64_t replay_count;
    const char *state; // "idle", "active", "retrying", "failed", "paused"
    Buf trouble;
    Letters letters;

    // The thread's own.
    void *own; // of its kind
    SosiaFeed *feed;
    Filter *filters;
    int32_t filter_count;
    uint64_t filters_version;
    EventMaker maker;
    SosiaBatch batch_at;
    bool in_batch;
    uint64_t gathered, held; // last batch that is wholly in windows; what feed_hold was told
    int64_t held_mono_ns;
    Window window;
    Rng rng;
};

// Start and end its thread. stop waits for a request under way, at most a second or so.
MUST Err endpoint_start(Endpoint *e);
void endpoint_stop(Endpoint *e);
// Its routes changed, or it should try again at once. Any thread.
void endpoint_wake(Endpoint *e, bool routes);
// Send dead letters again: these, or all (n < 0). Returns how many that are. Any thread.
int64_t endpoint_replay(Endpoint *e, const uint64_t *numbers, int64_t n);
// Wait for at most ns, until it is stopped or is to try again. False: it is to stop. Its thread.
bool endpoint_pause(Endpoint *e, int64_t ns);
bool endpoint_stopping(Endpoint *e);
// Where it stands; why may be "".
void endpoint_state(Endpoint *e, const char *state, Str why);
// Members of its document. Complaints are dropped: they were made when it was stored.
Doc endpoint_doc(Endpoint *e);

// ---- dead letters (routes_dead.c) ---------------------------------------------------------------------------------

// Read which there are. Errors: STORAGE.
MUST Err letters_load(Endpoint *e);
// Store events that were given up; the oldest go when there is no room. False: it could not be stored and the endpoint
// is to stop. Waits and tries again while the disk is full.
bool letters_add(Endpoint *e, const Outgoing *events, int32_t n, const SendResult *why, int32_t attempts);
// Remove these (n < 0: all). Errors: those of items.
MUST Err letters_remove(Endpoint *e, const uint64_t *numbers, int64_t n);
// Append a page as {"value":[...],"nextLink"} with letters behind `after`.
MUST Err letters_show(Endpoint *e, uint64_t after, Str base_url, Buf *out);
// The number in a text of digits, 0 when it is none.
uint64_t letter_number(Str text);
// The event in a stored dead letter, into the window; false when it is gone.
bool letters_take(Endpoint *e, uint64_t number, Window *w);

// Forget its events, keep the memory; or give that back, too.
void window_reset(Window *w);
void window_free(Window *w);
// Room for one more; its texts are the caller's to fill from w->arena.
Outgoing *window_add(Window *w);

// ---- the registry -------------------------------------------------------------------------------------------------

typedef struct Route {
    Str id, endpoint, filter; // owned
    uint64_t since;           // the route begins behind this sequence
} Route;

struct Routes {
    SosiaConnect *connect;
    uint64_t instance;
    pthread_mutex_t edit, lock;
    Endpoint *endpoints[ENDPOINTS_MAX]; // by name
    int32_t endpoint_count;
    Route routes[ROUTES_MAX]; // by id
    int32_t route_count;
};

// Read what is stored and start it, unless the whole is paused. Errors: STORAGE.
MUST Err routes_open(SosiaConnect *k, Routes **out, Buf *why);
// Stop all threads, store the cursors, free. NULL is fine.
void routes_close(Routes *r);
// Append ,"routes":n,"endpoints":n,"delivered":n ... to the members of "connect".
void routes_stats(Routes *r, Buf *out);
// The endpoint of that name or NULL; only under edit.
Endpoint *routes_endpoint(Routes *r, Str name);
// Compile a filter. Errors: ROUTE_FILTER; why tells the place.
MUST Err route_filter(Str text, SosiaFormula **out, Buf *why);
// The routes of an endpoint as filters for its thread, which frees them.
int32_t routes_filters(Routes *r, Endpoint *e, Filter **out);
// Does the event pass? `data` is called for the body only when it matters.
bool route_passes(const Filter *f, EventMaker *m, const CloudEvent *e, Str *data);
// The live world's sequence now.
uint64_t routes_now(SosiaConnect *k);
