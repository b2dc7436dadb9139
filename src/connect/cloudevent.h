// SPDX-License-Identifier: Apache-2.0
// Cloudevent: visible batches as CloudEvents 1.0 in the types of Azure Digital Twins. A pure function of the batch and
// of the instance's number, so that what is delivered again has the same id and the same text.
//
// One batch gives an event a twin or relationship that it made, changed or removed (all its changes in one patch, in
// their order), and one a telemetry message. A twin that is made and then changed in the same batch was made as it is
// at the batch's end. Values of history (late), bare source times and changes of models give none.
//
// One thread at a time uses a maker.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "sosia/sosia.h"

typedef enum EventType {
    EVENT_TWIN_CREATE,
    EVENT_TWIN_DELETE,
    EVENT_TWIN_UPDATE,
    EVENT_LINK_CREATE,
    EVENT_LINK_DELETE,
    EVENT_LINK_UPDATE,
    EVENT_TELEMETRY,
    EVENT_TYPES,
} EventType;

// Everything but the data, which costs most. Texts live until the next event of the maker.
typedef struct CloudEvent {
    EventType kind;
    Str type, source, subject, id, time, traceparent, dataschema; // "" where it has none
    Str event_type;                                               // "DigitalTwinChangeNotification": filters of old
    Str twin;
    int64_t first; // the change it begins with
} CloudEvent;

// Changes of one twin, relationship or message.
typedef struct EventGroup {
    EventType kind;
    uint64_t key;        // hash of kind, twin and relationship: for ids
    int64_t first, last; // changes of the batch, first to last
    int32_t occurrence;  // how often this kind and subject came before in the batch
} EventGroup;

#define EVENT_SCHEMAS 64 // components whose model is remembered

typedef struct EventSchema {
    Str model, component, schema;
} EventSchema;

typedef struct EventMaker {
    Sosia *engine;
    Str host;
    uint64_t instance; // number of this world file
    const SosiaBatch *batch;
    EventGroup *groups;
    int64_t count, cap, at;
    int64_t *next; // of a change: the next one of its group, -1
    int64_t next_cap;
    Arena arena; // of one event
    Buf data;
    EventSchema known[EVENT_SCHEMAS];
    int32_t known_count;
    Arena schemas; // of `known`
} EventMaker;

// host and engine are borrowed.
void event_maker_init(EventMaker *m, Sosia *engine, Str host, uint64_t instance);
void event_maker_free(EventMaker *m);
// Begin with a batch, borrowed until the next one.
void event_maker_batch(EventMaker *m, const SosiaBatch *b);
// The next event of the batch; false at its end.
bool event_maker_next(EventMaker *m, CloudEvent *out);
// Its data as JSON; lives until the next event.
Str event_maker_data(EventMaker *m, const CloudEvent *e);
// Append the whole event in structured mode.
void cloudevent_put(const CloudEvent *e, Str data, Buf *out);
// The model of a component of twins of `model`, "" when it has none (cloudevent_schema.c); forgotten when models
// change.
Str event_component_model(EventMaker *m, Str model, Str component);
void event_schemas_forget(EventMaker *m);
// "Microsoft.DigitalTwins.Twin.Create" and its legacy group.
Str cloudevent_type(EventType t);
Str cloudevent_legacy(EventType t);
