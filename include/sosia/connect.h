// SPDX-License-Identifier: Apache-2.0
// Connect: what lies between the engine and the world outside: connections (MQTT, Sparkplug B, line protocol), event
// routes with their endpoints, commands to devices. It works through sosia.h alone.
//
// Everything is a resource that is asked like a REST service; the server passes such requests on without knowing more:
//   folder         id, sub                     method
//   connections    [name [verb]]               GET list, GET one (with status), PUT, DELETE; POST verb pause, resume,
//                                              test, write; GET verb errors, messages
//   endpoints      [name [verb]]               GET, PUT, DELETE; GET verb deadletters; POST verb replay, test
//   eventroutes    [id]                        GET, PUT, DELETE in the shapes of the Azure Digital Twins dialect
//   commands       twin, command; part         POST: body is the request's payload, the reply's body the response's
//   write          db or bucket                POST: line protocol; query: precision, db, bucket, org, rp
// Documents are JSON; a member that holds a secret can be written and is read back as {"set":true} only.
#pragma once
#include <sosia/sosia.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct SosiaConnect SosiaConnect;

typedef struct SosiaConnectOpen {
    SosiaStr host; // instance host name: `source` of events; "" = "localhost"
    bool paused;   // start nothing by itself (for tests and repair): every connection as if paused
} SosiaConnectOpen;

// Read what is stored and start it in the background. The engine outlives it. Errors: STORAGE, IO.
SosiaErr sosia_connect_start(const SosiaConnectOpen *o, Sosia *s, SosiaConnect **out, SosiaBuf *why);
// The server is stopping and takes too long: what waits for devices, brokers or other servers is answered with CLOSED
// soon, and new requests are. Any thread, also more than once.
void sosia_connect_hurry(SosiaConnect *c);
// Stop everything in order: what was received is applied and acknowledged, cursors are stored. NULL is fine.
void sosia_connect_stop(SosiaConnect *c);

// One request. The texts stay valid until the answer was given.
typedef struct SosiaAsk {
    SosiaStr method; // "GET"
    SosiaStr folder, id, sub, part;
    SosiaStr query;         // raw, without '?'
    SosiaStr world;         // "" is live
    SosiaStr base_url;      // "http://host:port/worlds/NAME", for links
    SosiaStr type, body;    // Content-Type and body, not compressed
    SosiaStr if_none_match; // of PUT: "*" or ""
} SosiaAsk;

typedef struct SosiaTold {
    SosiaErr err;          // OK: status and body; else code, message
    int status;            // 200, 201, 204 ...
    SosiaStr type;         // Content-Type; "" = application/json
    SosiaStr body;         // borrowed until the callback ends
    SosiaStr message;      // sentence for a person when err != 0
    bool bare;             // the body is the whole answer also when err != 0 (line protocol has its own error shape)
    int64_t retry_after_s; // > 0: Retry-After
} SosiaTold;

typedef void (*SosiaToldFn)(void *arg, const SosiaTold *told);

// `fn` runs exactly once, in this call or later on any thread; it must not block. Never blocks for long itself.
void sosia_connect_ask(SosiaConnect *c, const SosiaCaller *who, const SosiaAsk *ask, SosiaToldFn fn, void *arg);
// Append the members of "connect" for metrics: JSON object of counters (see docs/metrics.md).
void sosia_connect_stats(SosiaConnect *c, SosiaBuf *out);

#ifdef __cplusplus
}
#endif
