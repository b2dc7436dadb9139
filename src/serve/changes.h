// SPDX-License-Identifier: Apache-2.0
// Inside of GET /changes: changes.c (subscribing and the life of a subscription), changes_filter.c (who wants what),
// changes_text.c (messages), changes_latest.c (the newest of each value), changes_snapshot.c (what is there at first),
// fan.c (one cursor for all subscriptions of an I/O thread and world). Everything here belongs to one I/O thread.
//
//   SNAPSHOT --last page--> BEHIND (a cursor of its own, read when the client has taken everything before)
//                             |  ^
//        reached the fan's position  the client did not keep up
//                             v  |
//                            LIVE (the fan appends what it wants)
//
// 1. `pos`: every batch up to it was looked at for this subscription. LIVE: the fan's position, or `pos` while larger.
// 2. Whole messages wait in `out`. It is sent when the stream is idle; LIVE it never grows past OUT_BYTES_MAX: what
//    would is taken back to the beginning of the batch, and the subscription goes BEHIND or conflates.
// 3. A client that takes nothing costs its buffers, and nothing per change.
#pragma once
#include "base/map.h"
#include "serve/own.h"
#include "serve/ws.h"

#define MESSAGE_CHANGES_MAX 1000     // of one message; a longer batch comes in parts
#define MESSAGE_BYTES_MAX (64 << 10) // the same: a message ends behind the change that passes it
#define OUT_BYTES_FULL (64 << 10)    // waiting while earlier bytes are in flight: the client does not keep up
#define OUT_BYTES_MAX (256 << 10)    // waiting at most, LIVE
#define LATEST_MAX 10000             // values that wait of one subscription
#define LATEST_BYTES_MAX (4 << 20)   // bytes of them
#define FAN_LATEST_BYTES_MAX (INT64_C(256) << 20) // the same of all subscriptions of a fan
#define RATE_MAX 100                              // messages a second of mode=latest

typedef struct Fan Fan;
typedef struct Subscription Subscription;

// ---- filters (changes_filter.c) -----------------------------------------------------------------------------------

// Each kind of filter lets a change pass when one of its values does; all kinds must. No values: everything.
typedef struct Filter {
    Arena keep;
    Str *twins, *models, *properties, *relationships;
    int32_t twin_count, model_count, property_count, relationship_count;
    uint32_t ops;    // bit SosiaEvent; 0: all
    SosiaTest *test; // `where`; NULL: none
    Str where;
} Filter;

// The models that a model extends, itself first.
typedef struct Kin {
    Str *ids;
    int32_t count;
} Kin;

// Take the filters of a request. False: it was answered.
bool filter_read(Filter *f, Call *c);
void filter_free(Filter *f);
// Everything but `where`. kin: of the change's model, NULL when it has none.
bool filter_wants(const Filter *f, const SosiaChange *ch, const Kin *kin);
// want[i] for all changes of a batch, `where` included. False: the condition cannot be looked at (the world is gone).
bool filter_batch(Filter *f, Fan *fan, const SosiaBatch *b, bool *want);
// Keep of `index` those changes whose twins fulfil `where`; returns how many, -1 as above.
int64_t filter_test(Filter *f, const SosiaBatch *b, int32_t *index, int64_t n);

// Kin of models of a world, looked up once.
typedef struct Kins {
    Arena keep;
    Map index; // id -> place in items
    Kin *items;
    int64_t count, cap;
} Kins;

// NULL for "". Borrowed until kins_forget.
const Kin *kins_of(Kins *k, Sosia *engine, Str world, Str model);
// Models have changed.
void kins_forget(Kins *k);

// ---- messages (changes_text.c) ------------------------------------------------------------------------------------

// Append one change as JSON.
void change_put(Buf *out, const SosiaChange *ch);
// The name of an operation on the wire; op_parse: its bit, 0 when there is none.
const char *op_name(SosiaEvent what);
uint32_t op_parse(Str name);

// A message that is being put together at the end of a Buf.
typedef struct Message {
    int64_t start, body; // offsets: of the message, of its JSON (WebSocket: behind a guessed head)
    int64_t count;       // changes
    uint64_t seq;
    bool open;
} Message;

// What stands around the changes.
typedef struct Head {
    uint64_t seq, prev;
    int64_t time_ns; // 0: none
    Str source;
    bool snapshot;
} Head;

// Start one; `out` must live as long as it is open. m is not open.
void message_begin(Message *m, Buf *out, bool socket, const Head *head);
// Before each change.
void message_next(Message *m, Buf *out);
// Should it end before the next change?
bool message_full(const Message *m, const Buf *out);
void message_end(Message *m, Buf *out, bool socket, bool more);
// An event of its own: ready, cut. members: JSON without braces.
void event_put(Buf *out, bool socket, const char *name, Str members);

// ---- the newest of each value (changes_latest.c) ------------------------------------------------------------------

typedef struct LatestEntry {
    uint64_t id;
    uint32_t column, kind;
    int32_t chain;        // next of the same hash, -1: none; of a free one the next free one
    int32_t older, newer; // by last change
    Buf json;
} LatestEntry;

typedef struct Latest {
    LatestEntry *items;
    int32_t *heads;
    int32_t count, used, cap, free; // used: ever
    int32_t oldest, newest;
    int64_t bytes;     // of memory
    int32_t count_max; // entries
    int64_t bytes_max;
} Latest;

// Begin empty, without memory.
void latest_init(Latest *l, int32_t count_max, int64_t bytes_max);
// Put a change in place of the one before it of the same thing. False: full. Late values are not the present: dropped.
bool latest_put(Latest *l, const SosiaChange *ch, Str json);
// Append the oldest to `out` and forget it; CHECKs that there is one.
void latest_take(Latest *l, Buf *out);
void latest_free(Latest *l);

// ---- snapshots (changes_snapshot.c) -------------------------------------------------------------------------------

typedef struct Snapshot Snapshot;

// Begin to ask for what matches. NULL: it was answered (the filter is too long for a question).
Snapshot *snapshot_begin(Call *c, const Filter *f);
// The stream that is woken when a page is there.
void snapshot_wake(Snapshot *s, HttpStream *stream);
// Append messages of what has come. Returns false when it failed (why: a static sentence).
bool snapshot_step(Snapshot *s, Subscription *sub, const char **why);
// Everything was appended; *seq is the instant of all of it.
bool snapshot_done(const Snapshot *s, uint64_t *seq);
// Any time; what is under way ends by itself.
void snapshot_end(Snapshot *s);

// ---- subscriptions (changes.c) ------------------------------------------------------------------------------------

typedef enum SubState { SUB_SNAPSHOT, SUB_BEHIND, SUB_LIVE } SubState;

struct Subscription {
    Fan *fan;
    HttpStream *stream;
    bool socket;
    Filter filter;
    SosiaCaller who; // owned by filter.keep
    SubState state;
    uint64_t pos, last; // looked at; sequence of the message before
    int64_t sent_ns, heartbeat_ns;
    Buf out;
    Message message;
    bool over; // the end was put: send it and close
    uint16_t code;
    // what a client chose for when it is too slow, or always
    bool latest_only, conflate;
    bool conflating; // LIVE: changes go to `latest`
    Latest latest;
    int64_t latest_bytes; // counted in the fan
    int64_t every_ns, flushed_ns, time_ns;
    int32_t flush_left;  // of the flush under way
    uint64_t flush_last; // `last` before it
    // BEHIND
    bool replay; // the feed is a replay: there is no fan to reach
    SosiaFeed *feed;
    SosiaBatch batch;
    bool *want; // of the batch
    int64_t want_cap, at;
    Snapshot *snapshot;
    // LIVE: the fan's
    struct IndexNode *nodes; // where it stands in the index
    int32_t node_count;
    Subscription *next_live, *before_live; // of all
    Subscription *next_touched;
    bool touched;
    uint64_t serial;     // of the batch it was offered something of
    int32_t offered;     // the change of it offered last
    bool lost;           // does not keep up with this batch
    int64_t batch_out;   // out.n before that batch
    uint64_t batch_last; // `last` before it
    int32_t *picked;     // changes of the batch that wait for `where`
    int64_t picked_count, picked_cap;
};

// Put the end, to be sent behind what waits.
void sub_cut(Subscription *s, const char *reason, uint16_t code);
// Do what its state asks for when the stream is idle: send, read on, end. It may be gone afterwards.
void sub_go(Subscription *s);
// LIVE: it does not keep up; what it got of the batch at hand is taken back and read later.
void sub_fall_behind(Subscription *s);
// Note a change for later. False: full, the subscription was cut.
bool sub_keep_latest(Subscription *s, const SosiaChange *ch, Str json);
// Put what waits in `latest` into `out` when it is time; then or never the stream is idle.
void sub_flush(Subscription *s, int64_t now_ns);

// ---- the fan (fan.c) ----------------------------------------------------------------------------------------------

struct Fan {
    Fan *next, **link; // of the I/O thread's fans
    Server *server;
    Str world;     // owned
    int32_t count; // subscriptions, LIVE or not
    HttpWaker *waker;
    SosiaFeed *feed; // NULL: none is LIVE
    uint64_t last;   // its position
    int64_t time_ns; // of that batch
    bool dead;       // the world is gone
    Kins kins;
    int64_t latest_bytes;
    // the index of the LIVE ones
    Subscription *live;
    struct IndexList *rest;
    Map by_twin, by_property, by_model; // -> IndexList
    int64_t model_filters;
    // the batch at hand
    SosiaBatch batch;
    uint64_t serial;
    Buf pieces;      // changes as JSON, each once
    int64_t *starts; // place of change i in pieces, -1: not yet
    int64_t *ends;
    int64_t start_cap;
    Subscription *touched;
    int64_t most; // bytes that one subscription got in this turn
};

// The fan of a world on this I/O thread, one subscription more.
Fan *fan_of(Call *c);
// One less; the last frees it.
void fan_leave(Fan *f);
// Make a subscription LIVE when it has reached the fan. False: it has not yet, or the world is gone.
bool fan_attach(Fan *f, Subscription *s);
void fan_detach(Fan *f, Subscription *s);
// It is about to be freed: detach it if need be, and forget it.
void fan_forget(Fan *f, Subscription *s);
const Kin *fan_kin(Fan *f, Str model);

// ---- for others (changes.c) ---------------------------------------------------------------------------------------

// Where to begin: ?since, else Last-Event-ID, else 0: now. False when it is no sequence.
bool changes_since(Call *c, uint64_t *since);
// The sequence of a world that is visible now, 0 when there is no such world.
uint64_t changes_visible(Sosia *engine, Str world);
// 410: what follows `since` is not kept; the smallest that would do.
void changes_gone(Call *c, uint64_t since, uint64_t oldest);
