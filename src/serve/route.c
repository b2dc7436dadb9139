// SPDX-License-Identifier: Apache-2.0
#include "serve/route.h"
#include <pthread.h>
#include <stdio.h>
#include "base/check.h"
#include "serve/adt/adt.h"
#include "serve/own.h"

#define ADT (ROUTE_ADT | ROUTE_WORLD)
#define OWN ROUTE_WORLD

static const Route ROUTES[] = {
    // clang-format off
    {"GET", "/digitaltwins/{id}", adt_twin_get, ADT, "DigitalTwins_GetById", "One twin", NULL, 200, "Twin"},
    {"PATCH", "/digitaltwins/{id}", adt_twin_patch, ADT | ROUTE_WRITE, "DigitalTwins_Update",
     "Change properties of a twin", "JsonPatch", 204, NULL},
    {"PUT", "/digitaltwins/{id}", adt_twin_put, ADT | ROUTE_WRITE, "DigitalTwins_Add",
     "Create a twin or replace it as a whole", "Twin", 200, "Twin"},
    {"DELETE", "/digitaltwins/{id}", adt_twin_delete, ADT | ROUTE_WRITE, "DigitalTwins_Delete",
     "Delete a twin without relationships", NULL, 204, NULL},
    {"GET", "/digitaltwins", own_twins, OWN | ROUTE_PAGED, "Twins_List",
     "All twins in order of creation, or those of one model and its subtypes", NULL, 200, "Twin"},

    {"GET", "/digitaltwins/{id}/components/{sub}", adt_component_get, ADT, "DigitalTwins_GetComponent",
     "One component of a twin", NULL, 200, "Component"},
    {"PATCH", "/digitaltwins/{id}/components/{sub}", adt_component_patch, ADT | ROUTE_WRITE,
     "DigitalTwins_UpdateComponent", "Change properties of a component", "JsonPatch", 204, NULL},
    {"POST", "/digitaltwins/{id}/telemetry", adt_telemetry, ADT | ROUTE_WRITE, "DigitalTwins_SendTelemetry",
     "Pass a message of a twin on to the feed; it is not stored", "Any", 204, NULL},
    {"POST", "/digitaltwins/{id}/components/{sub}/telemetry", adt_telemetry, ADT | ROUTE_WRITE,
     "DigitalTwins_SendComponentTelemetry", "Pass a message of a component on to the feed", "Any", 204, NULL},

    {"GET", "/digitaltwins/{id}/relationships", adt_links, ADT | ROUTE_PAGED, "DigitalTwins_ListRelationships",
     "Relationships that begin at a twin", NULL, 200, "Relationship"},
    {"GET", "/digitaltwins/{id}/incomingrelationships", adt_incoming, ADT | ROUTE_PAGED,
     "DigitalTwins_ListIncomingRelationships", "Relationships that end at a twin", NULL, 200, "IncomingRelationship"},
    {"GET", "/digitaltwins/{id}/relationships/{sub}", adt_link_get, ADT, "DigitalTwins_GetRelationshipById",
     "One relationship", NULL, 200, "Relationship"},
    {"PUT", "/digitaltwins/{id}/relationships/{sub}", adt_link_put, ADT | ROUTE_WRITE, "DigitalTwins_AddRelationship",
     "Create a relationship or replace it", "Relationship", 200, "Relationship"},
    {"PATCH", "/digitaltwins/{id}/relationships/{sub}", adt_link_patch, ADT | ROUTE_WRITE,
     "DigitalTwins_UpdateRelationship", "Change properties of a relationship", "JsonPatch", 204, NULL},
    {"DELETE", "/digitaltwins/{id}/relationships/{sub}", adt_link_delete, ADT | ROUTE_WRITE,
     "DigitalTwins_DeleteRelationship", "Delete a relationship", NULL, 204, NULL},

    {"GET", "/digitaltwins/{id}/history", own_history, OWN | ROUTE_PAGED, "History_OfTwin",
     "Values of a twin over time, or what they come to in intervals", NULL, 200, "HistoryRow"},
    {"GET", "/digitaltwins/{id}/relationships/{sub}/history", own_link_history, OWN | ROUTE_PAGED, "History_OfLink",
     "The same for a relationship", NULL, 200, "HistoryRow"},

    {"GET", "/models", adt_models, ADT | ROUTE_PAGED, "DigitalTwinModels_List",
     "All models, or those that some models depend on", NULL, 200, "Model"},
    {"POST", "/models", adt_models_add, ADT | ROUTE_WRITE, "DigitalTwinModels_Add",
     "Add DTDL interfaces, all or none", "Models", 201, "ModelList"},
    {"GET", "/models/{id}", adt_model_get, ADT, "DigitalTwinModels_GetById", "One model", NULL, 200, "Model"},
    {"PATCH", "/models/{id}", adt_model_patch, ADT | ROUTE_WRITE, "DigitalTwinModels_Update",
     "Decommission a model or take that back", "JsonPatch", 204, NULL},
    {"DELETE", "/models/{id}", adt_model_delete, ADT | ROUTE_WRITE, "DigitalTwinModels_Delete",
     "Delete a model that no other model refers to", NULL, 204, NULL},

    {"GET", "/eventroutes", adt_eventroutes, ADT | ROUTE_PAGED, "EventRoutes_List", "All event routes", NULL, 200,
     "EventRoute"},
    {"GET", "/eventroutes/{id}", adt_eventroutes, ADT, "EventRoutes_GetById", "One event route", NULL, 200,
     "EventRoute"},
    {"PUT", "/eventroutes/{id}", adt_eventroutes, ADT | ROUTE_WRITE, "EventRoutes_Add",
     "Create an event route to an endpoint, or replace it", "EventRoute", 204, NULL},
    {"DELETE", "/eventroutes/{id}", adt_eventroutes, ADT | ROUTE_WRITE, "EventRoutes_Delete",
     "Delete an event route", NULL, 204, NULL},
    {"POST", "/query", adt_query, ADT, "Query_QueryTwins",
     "Ask a question in the query language; one page of the answer", "Query", 200, "QueryResult"},

    {"POST", "/ingest", own_ingest, OWN | ROUTE_WRITE, "Ingest", "Property values, one JSON object a line",
     "Ingest", 200, "Applied"},
    {"POST", "/import", own_import, OWN | ROUTE_WRITE, "Import", "A part of a bulk import file, entity by entity",
     "Import", 200, "Applied"},
    {"GET", "/ingest", own_ingest_socket, OWN | ROUTE_WRITE | ROUTE_STREAM, "IngestSocket",
     "A WebSocket for property values: each message like a body of Ingest, each answered", NULL, 101, NULL},
    {"GET", "/changes", own_changes, OWN | ROUTE_STREAM, "Changes",
     "What changes, as server-sent events or through a WebSocket", NULL, 200, "Changes"},
    {"GET", "/graph", own_graph, OWN, "Graph", "Twins and relationships in columns, to be drawn", NULL, 200, "Graph"},
    {"GET", "/stale", own_stale, OWN, "Stale", "Twins whose sources have gone silent", NULL, 200, "Stale"},
    {"GET", "/events", own_events, OWN, "Events", "What happened: lives of twins, models, decisions and their commands",
     NULL, 200, "Events"},
    {"GET", "/watch", own_watch, OWN | ROUTE_STREAM, "Watch",
     "A WebSocket for what a page shows: interests that come and go, and the newest of what changes, by interval", NULL,
     101, NULL},
    {"GET", "/derived", own_derived_list, OWN, "Derived_List", "All definitions of derived values", NULL, 200,
     "DerivedList"},
    {"GET", "/derived/{id}", own_derived_get, OWN, "Derived_Get", "One definition", NULL, 200, "Derived"},
    {"PUT", "/derived/{id}", own_derived_put, OWN | ROUTE_WRITE, "Derived_Put",
     "Define a derived value or change it; answered when it is computed for all twins", "Derived", 200, "Derived"},
    {"DELETE", "/derived/{id}", own_derived_delete, OWN | ROUTE_WRITE, "Derived_Delete",
     "Remove a definition; the values stay", NULL, 204, NULL},
    {"GET", "/history", own_history_stats, 0, "HistoryStats_Get",
     "What the history takes on the disk, by model and property", NULL, 200, "Any"},
    {"GET", "/history/deleted", own_history_deleted, ROUTE_PAGED, "HistoryDeleted_List",
     "Twins of the live world that were deleted", NULL, 200, "Any"},
    {"GET", "/retention", own_retention_list, OWN, "Retention_List", "All policies of retention", NULL, 200,
     "RetentionList"},
    {"GET", "/retention/{id}", own_retention_get, OWN, "Retention_Get", "One policy", NULL, 200, "Retention"},
    {"PUT", "/retention/{id}", own_retention_put, OWN | ROUTE_WRITE, "Retention_Put",
     "Say how long values are kept, as they came and as means, or change it", "Retention", 200, "Retention"},
    {"DELETE", "/retention/{id}", own_retention_delete, OWN | ROUTE_WRITE, "Retention_Delete",
     "Remove a policy; what is gone stays gone", NULL, 204, NULL},
    {"GET", "/files", own_files, ROUTE_PAGED, "Files_List", "Files that pages draw twins on: plans, scenes, maps", NULL,
     200, "Any"},
    {"GET", "/files/{id}", own_file_get, 0, "Files_Get", "One of them, as it came", NULL, 200, NULL},
    {"PUT", "/files/{id}", own_file_put, ROUTE_WRITE, "Files_Put", "Put a file, or replace it", "Any", 201, "Any"},
    {"DELETE", "/files/{id}", own_file_delete, ROUTE_WRITE, "Files_Delete", "Delete a file", NULL, 204, NULL},
    {"GET", "/behaviours", own_definition_list, OWN, "Behaviours_List",
     "All definitions: how twins move by themselves", NULL, 200, "Definitions"},
    {"GET", "/behaviours/{id}", own_definition_get, OWN, "Behaviours_Get", "One definition", NULL, 200, "Definition"},
    {"PUT", "/behaviours/{id}", own_definition_put, OWN | ROUTE_WRITE, "Behaviours_Put",
     "Define how twins move by themselves, or change it", "Definition", 200, "Definition"},
    {"DELETE", "/behaviours/{id}", own_definition_delete, OWN | ROUTE_WRITE, "Behaviours_Delete",
     "Remove a definition", NULL, 204, NULL},
    {"GET", "/mappings", own_definition_list, OWN, "Mappings_List",
     "All definitions: what engines are bound to", NULL, 200, "Definitions"},
    {"GET", "/mappings/{id}", own_definition_get, OWN, "Mappings_Get", "One definition", NULL, 200, "Definition"},
    {"PUT", "/mappings/{id}", own_definition_put, OWN | ROUTE_WRITE, "Mappings_Put",
     "Define what engines are bound to, or change it", "Definition", 200, "Definition"},
    {"DELETE", "/mappings/{id}", own_definition_delete, OWN | ROUTE_WRITE, "Mappings_Delete",
     "Remove a definition", NULL, 204, NULL},
    {"GET", "/kpis", own_kpis, OWN, "Kpi_List",
     "What is counted over the run of this world: what it came to so far, and all definitions", NULL, 200, "Kpis"},
    {"GET", "/kpis/{id}", own_definition_get, OWN, "Kpi_Get", "One definition", NULL, 200, "Definition"},
    {"PUT", "/kpis/{id}", own_definition_put, OWN | ROUTE_WRITE, "Kpi_Put",
     "Define what is counted over a run, or change it", "Definition", 200, "Definition"},
    {"DELETE", "/kpis/{id}", own_definition_delete, OWN | ROUTE_WRITE, "Kpi_Delete",
     "Remove a definition", NULL, 204, NULL},
    {"GET", "/whatifs", own_definition_list, OWN, "Whatif_List",
     "All definitions: what may be tried", NULL, 200, "Definitions"},
    {"GET", "/whatifs/{id}", own_definition_get, OWN, "Whatif_Get", "One definition", NULL, 200, "Definition"},
    {"PUT", "/whatifs/{id}", own_definition_put, OWN | ROUTE_WRITE, "Whatif_Put",
     "Define what may be tried, or change it", "Definition", 200, "Definition"},
    {"DELETE", "/whatifs/{id}", own_definition_delete, OWN | ROUTE_WRITE, "Whatif_Delete",
     "Remove a definition", NULL, 204, NULL},
    {"POST", "/whatifs/{id}/run", own_whatif_run, OWN | ROUTE_WRITE, "Whatif_Run",
     "Try it: two forks of one instant run at once, one of them with the changes", "WhatifRun", 202, "WhatifBegun"},
    {"GET", "/rules", own_definition_list, OWN, "Rules_List",
     "All definitions: what is done when something holds", NULL, 200, "Definitions"},
    {"GET", "/rules/{id}", own_definition_get, OWN, "Rules_Get", "One definition", NULL, 200, "Definition"},
    {"PUT", "/rules/{id}", own_definition_put, OWN | ROUTE_WRITE, "Rules_Put",
     "Define what is done when something holds, or change it; only those of live act", "Definition", 200,
     "Definition"},
    {"DELETE", "/rules/{id}", own_definition_delete, OWN | ROUTE_WRITE, "Rules_Delete", "Remove a definition", NULL,
     204, NULL},
    {"POST", "/rules/{id}/try", own_rule_try, ROUTE_WRITE, "Rules_Try",
     "Propose now for a twin, whether the condition holds or not; people decide", "RuleTry", 202, "Decision"},
    {"GET", "/decisions", own_decisions, 0, "Decisions_List",
     "Decisions, newest first, or wait until something is newer than a revision", NULL, 200, "Decisions"},
    {"POST", "/decisions/stop", own_decisions_stop, ROUTE_WRITE, "Decisions_Stop",
     "The kill switch: no command of a decision leaves from now on, over restarts too", NULL, 204, NULL},
    {"POST", "/decisions/resume", own_decisions_resume, ROUTE_WRITE, "Decisions_Resume",
     "Commands of decisions may leave again", NULL, 204, NULL},
    {"GET", "/decisions/{id}", own_decision, 0, "Decisions_Get", "One decision, the whole record", NULL, 200,
     "Decision"},
    {"POST", "/decisions/{id}/replay", own_decision_replay, 0, "Decisions_Replay",
     "Compute a decision again from live as it was, and compare", NULL, 200, "DecisionReplay"},
    {"POST", "/decisions/{id}/{sub}", own_decide, ROUTE_WRITE, "Decisions_Decide",
     "approve, refuse or rollback", "DecisionNote", 200, "Decision"},
    {"POST", "/erasures", own_erase, ROUTE_WRITE, "Erasures_Erase",
     "Erase every value that ever was of a twin or of one property, for privacy; answered when nothing is left",
     "Erasure", 200, "SignedReceipt"},
    {"GET", "/erasures", own_erasures, ROUTE_PAGED, "Erasures_List", "Receipts of erasures, without names", NULL, 200,
     "SignedReceipt"},
    {"GET", "/erasures/key", own_erasure_key, 0, "Erasures_Key", "The public key that receipts are signed with", NULL,
     200, "ReceiptKey"},
    {"GET", "/erasures/{id}", own_erasures, 0, "Erasures_Get", "One receipt, without names", NULL, 200,
     "SignedReceipt"},
    {"GET", "/worlds", own_worlds, 0, "Worlds_List", "All worlds", NULL, 200, "Worlds"},
    {"GET", "/worlds/{id}", own_world, 0, "Worlds_Get", "One world, also of the past: live@2026-11-01T08:00:00Z", NULL,
     200, "World"},
    {"POST", "/worlds", own_world_add, ROUTE_WRITE, "Worlds_Fork", "Fork a world as it is now, or live as it was",
     "Fork", 201, "World"},
    {"DELETE", "/worlds/{id}", own_world_delete, ROUTE_WRITE, "Worlds_Delete", "Drop a fork", NULL, 204, NULL},
    {"POST", "/replay", own_world_retell, OWN | ROUTE_WRITE, "Worlds_Replay",
     "Have what live was told in a stretch of time happen in this fork, at its times", "Replay", 200, "Replayed"},

    {"POST", "/run", own_run, OWN | ROUTE_WRITE, "Worlds_Run", "Let this fork move by its behaviours", "Run", 202,
     "RunStatus"},
    {"GET", "/run", own_run_status, OWN, "Worlds_RunStatus", "How far the run of this fork is", NULL, 200, "RunStatus"},
    {"GET", "/trace", own_run_trace, OWN, "Worlds_Trace",
     "What became of the items that the run of this fork follows, a JSON object a line: twin, source, item",
     NULL, 200, NULL},
    {"POST", "/pause", own_run_pause, OWN | ROUTE_WRITE, "Worlds_Pause", "Have the run of this fork stand", NULL, 200,
     "RunStatus"},
    {"POST", "/ensemble", own_ensemble, OWN | ROUTE_WRITE, "Worlds_Ensemble",
     "Run this world many times over, by other chances and with other changes", "Ensemble", 202, "EnsembleStatus"},
    {"GET", "/ensemble", own_ensemble_look, OWN, "Worlds_EnsembleStatus", "What the ensemble came to", NULL,
     200, "EnsembleStatus"},
    {"DELETE", "/ensemble", own_ensemble_stop, OWN | ROUTE_WRITE, "Worlds_EnsembleStop",
     "Have the ensemble of this world end", NULL, 200, "EnsembleStatus"},
    {"GET", "/ensembles", own_ensembles, 0, "Ensembles_List", "All ensembles, the newest first", NULL, 200,
     "Ensembles"},
    {"GET", "/ensembles/{id}", own_ensemble_get, 0, "Ensembles_Get",
     "What an ensemble came to: as JSON, a page (format=html) or charts (format=svg)", NULL, 200, "EnsembleStatus"},
    {"POST", "/ensembles/{id}/stop", own_ensemble_end, ROUTE_WRITE, "Ensembles_Stop",
     "Have an ensemble end; what there is stays", NULL, 200, "EnsembleStatus"},
    {"DELETE", "/ensembles/{id}", own_ensemble_delete, ROUTE_WRITE, "Ensembles_Delete",
     "Forget an ensemble; at work, it ends", NULL, 204, NULL},
    {"GET", "/diff", own_diff, OWN | ROUTE_PAGED, "Worlds_Diff",
     "What differs between this world and its parent as it was forked, or another world", NULL, 200, "Diff"},
    {"GET", "/compare", own_compare, 0, "Worlds_Compare",
     "Runs of worlds side by side: worlds=A,B and kpis=x,y, as JSON, a page (format=html) or charts (format=svg)", NULL,
     200, "Comparison"},
    {"POST", "/compare", own_compare_many, ROUTE_WRITE, "Worlds_CompareMany",
     "Have worlds run many times over, by the same chances, and compare them", "CompareMany", 202, "EnsembleStatus"},
    {"POST", "/merge", own_merge, OWN | ROUTE_WRITE, "Worlds_Merge",
     "Take what this fork changed into another world, three-way; conflicts are listed and never overwritten", "Merge",
     200, "Merged"},

    {"GET", "/connections", own_connections, 0, "Connections_List", "All connections with their state", NULL, 200,
     "Connections"},
    {"GET", "/connections/{id}", own_connections, 0, "Connections_Get", "One connection with its state", NULL, 200,
     "Connection"},
    {"PUT", "/connections/{id}", own_connections, ROUTE_WRITE, "Connections_Put",
     "Create a connection or replace it", "Connection", 200, "Connection"},
    {"DELETE", "/connections/{id}", own_connections, ROUTE_WRITE, "Connections_Delete",
     "Stop a connection and forget it with its secrets", NULL, 204, NULL},
    {"GET", "/connections/{id}/{sub}", own_connections, 0, "Connections_Look",
     "errors or messages: the last ones of a connection", NULL, 200, "Any"},
    {"POST", "/connections/{id}/{sub}", own_connections, ROUTE_WRITE, "Connections_Do",
     "pause, resume, test (what messages would become) or write (values to devices)", "Any", 200, "Any"},

    {"GET", "/endpoints", own_endpoints, 0, "Endpoints_List", "All endpoints of event routes with their state", NULL,
     200, "Endpoints"},
    {"GET", "/endpoints/{id}", own_endpoints, 0, "Endpoints_Get", "One endpoint with its state", NULL, 200, "Endpoint"},
    {"PUT", "/endpoints/{id}", own_endpoints, ROUTE_WRITE, "Endpoints_Put", "Create an endpoint or replace it",
     "Endpoint", 200, "Endpoint"},
    {"DELETE", "/endpoints/{id}", own_endpoints, ROUTE_WRITE, "Endpoints_Delete",
     "Delete an endpoint that no route names", NULL, 204, NULL},
    {"GET", "/endpoints/{id}/{sub}", own_endpoints, 0, "Endpoints_Look",
     "deadletters: events that could not be delivered", NULL, 200, "Any"},
    {"POST", "/endpoints/{id}/{sub}", own_endpoints, ROUTE_WRITE, "Endpoints_Do",
     "test, or replay dead letters", "Any", 200, "Any"},
    {"DELETE", "/endpoints/{id}/{sub}", own_endpoints, ROUTE_WRITE, "Endpoints_Clear",
     "deadletters: forget them", NULL, 204, NULL},

    {"POST", "/digitaltwins/{id}/commands/{sub}", own_command, OWN | ROUTE_WRITE, "Commands_Invoke",
     "Send a command to the device behind a twin and wait for its answer", "Any", 200, "Any"},
    {"POST", "/digitaltwins/{id}/components/{sub}/commands/{part}", own_component_command, OWN | ROUTE_WRITE,
     "Commands_InvokeComponent", "The same for a component", "Any", 200, "Any"},
    {"POST", "/write", own_write, OWN | ROUTE_WRITE, "Write", "Points in InfluxDB line protocol", "Lines", 204, NULL},
    {"POST", "/api/v2/write", own_write, OWN | ROUTE_WRITE, "WriteV2", "The same at the path of InfluxDB 2", "Lines",
     204, NULL},

    {"GET", "/ping", own_ping, ROUTE_OPEN, "Ping", "The server answers, for clients of InfluxDB", NULL, 204, NULL},

    {"GET", "/session", own_session, ROUTE_OPEN, "Session_Get", "Whether a token is needed, and who asks", NULL, 200,
     "Session"},
    {"POST", "/session", own_login, ROUTE_OPEN | ROUTE_WRITE, "Session_Open",
     "Show a token, get a cookie that stands for it, for browsers", "Login", 204, NULL},
    {"DELETE", "/session", own_logout, ROUTE_OPEN | ROUTE_WRITE, "Session_Close", "End the session of the cookie", NULL,
     204, NULL},

    {"GET", "/healthz", own_healthz, ROUTE_OPEN, "Health", "The process answers", NULL, 200, "Health"},
    {"GET", "/readyz", own_readyz, ROUTE_OPEN, "Ready", "The engine answers and the server is not stopping", NULL, 200,
     "Health"},
    {"GET", "/metrics", own_metrics, 0, "Metrics", "Counters for Prometheus", NULL, 200, "Text"},
    {"GET", "/openapi.json", own_openapi, 0, "OpenApi", "This document", NULL, 200, "Any"},
    {"GET", "/", own_page, ROUTE_OPEN | ROUTE_HIDDEN, "Page", "A page for people", NULL, 200, "Text"},
    {"GET", "/page.css", own_page_css, ROUTE_OPEN | ROUTE_HIDDEN, "PageStyle", "Its style", NULL, 200, "Text"},
    {"GET", "/page.js", own_page_js, ROUTE_OPEN | ROUTE_HIDDEN, "PageScript", "Its script", NULL, 200, "Text"},
    // clang-format on
};

#define ROUTE_COUNT ((int32_t)(sizeof ROUTES / sizeof ROUTES[0]))

// A route's path, split once. A parameter segment is empty.
typedef struct Pattern {
    Str seg[ROUTE_SEGMENTS_MAX];
    int32_t count;
} Pattern;

static Pattern patterns[ROUTE_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void split_patterns(void) {
    for (int32_t i = 0; i < ROUTE_COUNT; i++) {
        UrlPath p;
        CHECK(url_split(str_of(ROUTES[i].path), &p) == ERR_OK);
        CHECK(p.count <= ROUTE_SEGMENTS_MAX);
        patterns[i].count = p.count;
        for (int32_t k = 0; k < p.count; k++) {
            if (p.seg[k].p[0] != '{') patterns[i].seg[k] = p.seg[k];
        }
    }
}

const Route *route_table(int32_t *count) {
    *count = ROUTE_COUNT;
    return ROUTES;
}

static bool matches(const Pattern *pattern, const Str *seg) {
    for (int32_t k = 0; k < pattern->count; k++) {
        if (pattern->seg[k].n > 0 && !str_eq_nocase(pattern->seg[k], seg[k])) return false;
    }
    return true;
}

static void allow(RouteMatch *m, const char *method) {
    size_t n = strlen(m->allow);
    snprintf(m->allow + n, sizeof m->allow - n, "%s%s%s", n ? ", " : "", method, strcmp(method, "GET") ? "" : ", HEAD");
}

static Err match_in(Str method, const Str *seg, int32_t count, uint32_t need, RouteMatch *out) {
    bool found = false;
    for (int32_t i = 0; i < ROUTE_COUNT; i++) {
        const Pattern *p = &patterns[i];
        if (p->count != count || (ROUTES[i].flags & need) != need || !matches(p, seg)) continue;
        found = true;
        if (!str_eq(method, str_of(ROUTES[i].method))) {
            allow(out, ROUTES[i].method);
            continue;
        }
        out->index = i;
        Str *param[3] = {&out->id, &out->sub, &out->part};
        for (int32_t k = 0, n = 0; k < count; k++) {
            if (p->seg[k].n == 0 && n < 3) *param[n++] = seg[k];
        }
        return ERR_OK;
    }
    if (found) allow(out, "OPTIONS");
    return found ? ERR_METHOD : ERR_NO_ROUTE;
}

Err route_match(Str method, Str path, RouteMatch *out) {
    pthread_once(&once, split_patterns);
    UrlPath p;
    *out = (RouteMatch){.index = -1};
    TRY(url_split(path, &p));
    if (str_eq(method, STR("HEAD"))) method = STR("GET");
    if (p.count >= 3 && str_eq_nocase(p.seg[0], STR("worlds"))) {
        const char *end = p.seg[1].p + p.seg[1].n;
        out->world = p.seg[1];
        out->prefix = (Str){p.seg[0].p - 1, end - (p.seg[0].p - 1)};
        return match_in(method, p.seg + 2, p.count - 2, ROUTE_WORLD, out);
    }
    return match_in(method, p.seg, p.count, 0, out);
}
