// SPDX-License-Identifier: Apache-2.0
// Feeds value lines to a server's /ingest in batches and keeps the score. One thread.
#pragma once
#include "cli/client.h"

typedef struct Feeder {
    Client *client;
    Str name;          // of the input, for messages
    const char *type;  // content type; NULL: NDJSON
    Buf head;          // begins every body: the header line of a CSV file
    bool open;         // the next line goes on with the record of the last one: not a place to send
    Buf body;          // lines of the batch so far
    Buf places;        // int64_t line number of each
    int64_t batch_max; // lines of one request
    int64_t patience_ns;
    int64_t errors_max;                               // told on stderr; the rest is only counted
    bool stop_when_missing;                           // see feeder_flush
    int64_t sent, accepted, rejected, late, requests; // late ones are among the accepted
    int64_t errors_told;
    Buf errors; // JSON members of an array: {"line","code","message"}, at most errors_max
} Feeder;

// Start. batch_max 0: 1,000.
void feeder_init(Feeder *f, Client *c, Str name, int64_t batch_max);
// Add one line (JSON, no newline); sends when the batch is full. Errors: those of feeder_flush.
MUST Err feeder_put(Feeder *f, Str line, int64_t line_number);
// Send what there is. Lines that the server refuses are told with their number and counted; only the failure of a
// whole request is an error; told. With stop_when_missing it is one too, TWIN_NOT_FOUND or VALIDATION, when nothing
// has been accepted yet and every line of this batch names a twin or a property that does not exist.
MUST Err feeder_flush(Feeder *f);
// Print the score, as JSON or for people; ERR_VALIDATION when something was refused.
MUST Err feeder_report(const Feeder *f, bool json, int64_t took_ns);
void feeder_free(Feeder *f);
