// SPDX-License-Identifier: Apache-2.0
#include "serve/params.h"

typedef struct Params {
    const char *routes;  // operation id; with '*' at its end: all that begin so
    const char *query;   // names, a space between them
    const char *headers; // those that change what comes of it, not what all requests have
} Params;

static const Params PARAMS[] = {
    {"Changes",
     "since from to speed twin model property relationship op where mode rate slow heartbeat snapshot access_token",
     "Last-Event-ID"},
    {"Commands_*", "timeout", ""},
    {"Connections_Do", "seconds messages", ""},
    {"Connections_Put", "", "If-None-Match"},
    {"Decisions_List", "state rule twin after limit wait revision", ""},
    {"DigitalTwinModels_GetById", "includeModelDefinition", ""},
    {"DigitalTwinModels_List", "includeModelDefinition dependenciesFor", ""},
    {"DigitalTwins_Add", "", "If-Match If-None-Match"},
    {"DigitalTwins_AddRelationship", "", "If-Match If-None-Match"},
    {"DigitalTwins_Delete*", "", "If-Match"},
    {"DigitalTwins_ListRelationships", "relationshipName", ""},
    {"DigitalTwins_Update*", "", "If-Match"},
    {"DigitalTwins_Send*", "", "Message-Id Telemetry-Source-Time"},
    {"Endpoints_Look", "after", ""},
    {"Ensembles_Get", "format samples", ""},
    {"Erasures_Key", "format", ""},
    {"Events", "from to kinds limit", ""},
    {"Files_Get", "", "If-None-Match"},
    {"Files_Put", "", "If-Match If-None-Match"},
    {"Graph", "label values expression twins limit links", ""},
    {"History_*", "properties from to step fn fill order limit with format", "Accept"},
    {"Ingest", "source", ""},
    {"IngestSocket", "source format access_token", ""},
    {"Kpi_List", "kpis points", ""},
    {"Query_QueryTwins", "q", "max-items-per-page"},
    {"Stale", "older limit", ""},
    {"Twins_List", "model", ""},
    {"Watch", "since access_token", "Last-Event-ID"},
    {"Worlds_Compare", "worlds kpis points format", ""},
    {"Worlds_Diff", "against model twin property tolerance relative", ""},
    {"Worlds_Trace", "twin source item after limit", ""},
    {"Write*", "precision db bucket p", ""},
};

#define PARAMS_COUNT (sizeof PARAMS / sizeof PARAMS[0])

static bool fits(const char *pattern, const char *name) {
    Str p = str_of(pattern), n = str_of(name);
    if (p.p[p.n - 1] != '*') return str_eq(p, n);
    return str_starts(n, str_sub(p, 0, p.n - 1));
}

// The next word of a list, "" behind the last.
static Str next_word(Str *rest) {
    int64_t end = str_find(*rest, ' ', 0);
    Str word = str_sub(*rest, 0, end < 0 ? rest->n : end);
    *rest = str_sub(*rest, end < 0 ? rest->n : end + 1, rest->n);
    return word;
}

static bool has_word(const char *words, Str name) {
    Str rest = str_of(words);
    for (Str w = next_word(&rest); w.n; w = next_word(&rest))
        if (str_eq(w, name)) return true;
    return false;
}

bool params_takes(const Route *r, Str name) {
    if (str_eq(name, STR("api-version")) || str_eq(name, STR("access_token"))) return true;
    if (str_eq(name, STR("continuationToken")) && (r->flags & ROUTE_PAGED)) return true;
    for (size_t i = 0; i < PARAMS_COUNT; i++)
        if (fits(PARAMS[i].routes, r->name) && has_word(PARAMS[i].query, name)) return true;
    return false;
}

void params_each(const Route *r, void (*fn)(void *ctx, Str name, const char *in, bool required), void *ctx) {
    if (r->flags & ROUTE_ADT) fn(ctx, STR("api-version"), "query", true);
    if (r->flags & ROUTE_PAGED) {
        fn(ctx, STR("continuationToken"), "query", false);
        fn(ctx, STR("max-items-per-page"), "header", false);
    }
    for (size_t i = 0; i < PARAMS_COUNT; i++) {
        if (!fits(PARAMS[i].routes, r->name)) continue;
        Str query = str_of(PARAMS[i].query), headers = str_of(PARAMS[i].headers);
        for (Str w = next_word(&query); w.n; w = next_word(&query)) fn(ctx, w, "query", false);
        for (Str w = next_word(&headers); w.n; w = next_word(&headers))
            fn(ctx, w, "header", str_eq(w, STR("Message-Id")));
    }
}

bool params_conditional(const Route *r) {
    for (size_t i = 0; i < PARAMS_COUNT; i++) {
        bool has = has_word(PARAMS[i].headers, STR("If-Match")) || has_word(PARAMS[i].headers, STR("If-None-Match"));
        if (has && fits(PARAMS[i].routes, r->name)) return true;
    }
    return false;
}
