// SPDX-License-Identifier: Apache-2.0
// Show: twins, links and models of a view as JSON of the REST dialect, appended to a Buf. Any thread that holds the
// view. Cost: O(fields). Values come from one sequence; test v->overrun after.
#pragma once
#include "base/buf.h"
#include "world/world.h"

typedef struct ShowOptions {
    bool no_times; // dialect 2020-10-31: without $lastUpdateTime and sourceTime
    Str base_url;  // for $relationshipLink
    Str api_version;
} ShowOptions;

// {"$dtId",...,"$metadata":{...}}. The twin is alive in the view.
void show_twin(View *v, TwinId id, const ShowOptions *o, Buf *out);
// Component by name: {...,"$metadata":{...}}. Errors: COMPONENT_NOT_FOUND.
MUST Err show_component(View *v, TwinId id, Str component, const ShowOptions *o, Buf *out);
// {"$relationshipId","$etag","$sourceId","$relationshipName","$targetId", properties}.
void show_link(View *v, LinkId id, Buf *out);
// A value that is in no view.
typedef struct GivenCell {
    bool valid;
    uint64_t bits;
    Str text; // of text cells
    int64_t source_time;
} GivenCell;
// As show_twin showed a twin with these cells (one a field of the table's model), all of them set at `time`.
void show_twin_given(const Catalog *c, uint32_t table, TwinId id, Str name, int64_t time, const GivenCell *cells,
                     Buf *out);
typedef struct ShownLink {
    Str rid, source, name, target;
    int64_t time;
} ShownLink;
// The same for a relationship of a kind.
void show_link_given(const Catalog *c, uint32_t kind, LinkId id, const ShownLink *l, const GivenCell *cells, Buf *out);
// {"$relationshipId","$sourceId","$relationshipName","$relationshipLink"}.
void show_incoming(View *v, LinkId id, const ShowOptions *o, Buf *out);
// Model data {"id","displayName","description","uploadTime","decommissioned"[,"model"]} of a model in the catalog.
void show_model(View *v, const Model *m, bool definition, Buf *out);
// The current value of one column as JSON ("null" when there is none).
void show_value(View *v, uint32_t col, uint64_t row, Buf *out);
// One value of a field as JSON: bits, or text, by the field's cell.
void show_scalar(const Field *f, uint64_t bits, Str text, Buf *out);
// A value as it stands in a change, as JSON.
void show_change_value(const Catalog *c, const Change *change, Buf *out);
