// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document, made from the table of routes, so that it cannot name what is not served.
#include "serve/own.h"
#include <stdio.h>
#include "codec/json.h"
#include "serve/params.h"

typedef struct Schema {
    const char *name;
    const char *media; // NULL: application/json
    const char *json;  // JSON Schema
} Schema;

#define TEXT "{\"type\":\"string\"}"
#define ANY "{}"

static const Schema SCHEMAS[] = {
    {"Any", NULL, ANY},
    {"Text", "text/plain", TEXT},
    {"Error", NULL,
     "{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"object\",\"required\":["
     "\"code\","
     "\"message\"],\"properties\":{\"code\":" TEXT ",\"message\":" TEXT
     ",\"details\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}}}"},
    {"Twin", NULL,
     "{\"type\":\"object\",\"required\":[\"$metadata\"],\"properties\":{\"$dtId\":" TEXT ",\"$etag\":" TEXT
     ",\"$metadata\":{\"type\":\"object\",\"required\":[\"$model\"],\"properties\":{\"$model\":" TEXT
     ",\"$lastUpdateTime\":{\"type\":\"string\",\"format\":\"date-time\"}},\"additionalProperties\":true}},"
     "\"additionalProperties\":true}"},
    {"Component", NULL,
     "{\"type\":\"object\",\"properties\":{\"$metadata\":{\"type\":\"object\"}},\"additionalProperties\":true}"},
    {"JsonPatch", "application/json-patch+json",
     "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"op\",\"path\"],\"properties\":{\"op\":{"
     "\"enum\":["
     "\"add\",\"replace\",\"remove\"]},\"path\":" TEXT ",\"value\":{}}}}"},
    {"Relationship", NULL,
     "{\"type\":\"object\",\"required\":[\"$relationshipName\",\"$targetId\"],\"properties\":{\"$relationshipId\":" TEXT
     ",\"$etag\":" TEXT ",\"$sourceId\":" TEXT ",\"$relationshipName\":" TEXT ",\"$targetId\":" TEXT
     "},\"additionalProperties\":true}"},
    {"IncomingRelationship", NULL,
     "{\"type\":\"object\",\"properties\":{\"$relationshipId\":" TEXT ",\"$sourceId\":" TEXT
     ",\"$relationshipName\":" TEXT ",\"$relationshipLink\":" TEXT "}}"},
    {"Model", NULL,
     "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":" TEXT
     ",\"displayName\":{\"type\":\"object\"},\"description\":{\"type\":\"object\"},\"uploadTime\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"decommissioned\":{\"type\":\"boolean\"},\"model\":{\"type\":\"object\"}}}"},
    {"Models", NULL,
     "{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\",\"description\":\"a DTDL interface\"}}"},
    {"ModelList", NULL, "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Model\"}}"},
    {"EventRoute", NULL,
     "{\"type\":\"object\",\"required\":[\"endpointName\",\"filter\"],\"properties\":{\"id\":" TEXT
     ",\"endpointName\":" TEXT ",\"filter\":" TEXT "}}"},
    {"Query", NULL,
     "{\"type\":\"object\",\"properties\":{\"query\":" TEXT ",\"continuationToken\":" TEXT
     ",\"explain\":{\"type\":\"boolean\",\"description\":\"tell the plan instead of rows\"}"
     ",\"columns\":{\"type\":\"boolean\",\"description\":\"name the columns with the first page\"}}}"},
    {"QueryResult", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{}},\"continuationToken\":{"
     "\"type\":\"string\",\"nullable\":true},\"plan\":{\"type\":\"object\"},\"columns\":{\"type\":\"array\",\"items\":{"
     "\"type\":\"string\"}},\"notes\":{\"type\":\"array\","
     "\"items\":" TEXT "}}}"},
    {"Ingest", "application/x-ndjson",
     "{\"type\":\"object\",\"description\":\"one such object a line\",\"required\":[\"id\",\"property\",\"value\"],"
     "\"properties\":{\"id\":" TEXT ",\"property\":" TEXT ",\"value\":{},\"time\":{\"type\":\"string\",\"format\":"
     "\"date-time\"}}}"},
    {"Import", "application/x-ndjson",
     "{\"type\":\"object\",\"description\":\"the bulk format of Azure Digital Twins: {\\\"Section\\\":...} lines and "
     "the "
     "entities below them\"}"},
    {"Applied", NULL,
     "{\"type\":\"object\",\"properties\":{\"accepted\":{\"type\":\"integer\"},\"rejected\":{\"type\":\"integer\"},"
     "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"line\":{\"type\":\"integer\"},"
     "\"code\":" TEXT ",\"message\":" TEXT "}}}}}"},
    {"Changes", "text/event-stream", TEXT},
    {"Lines", "text/plain", TEXT},
    {"Connection", NULL,
     "{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{\"kind\":" TEXT "},\"additionalProperties\":true}"},
    {"Connections", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Connection\"}}}}"},
    {"Endpoint", NULL,
     "{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{\"kind\":" TEXT "},\"additionalProperties\":true}"},
    {"Endpoints", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Endpoint\"}}}}"},
    {"HistoryRow", NULL,
     "{\"type\":\"object\",\"required\":[\"time\",\"property\"],\"properties\":{\"time\":{\"type\":\"string\","
     "\"format\":"
     "\"date-time\"},\"property\":" TEXT ",\"value\":{},\"arrival\":{\"type\":\"string\",\"format\":\"date-time\"},"
     "\"late\":{\"type\":\"boolean\"},\"source\":" TEXT "},\"additionalProperties\":true}"},
    {"Derived", NULL,
     "{\"type\":\"object\",\"required\":[\"property\",\"expression\"],\"properties\":{\"name\":" TEXT ",\"model\":" TEXT
     ",\"twin\":" TEXT ",\"property\":" TEXT ",\"expression\":" TEXT "}}"},
    {"DerivedList", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Derived\"}}}}"},
    {"Retention", NULL,
     "{\"type\":\"object\",\"required\":[\"raw\"],\"properties\":{\"name\":" TEXT ",\"model\":" TEXT ",\"twin\":" TEXT
     ",\"property\":" TEXT ",\"raw\":" TEXT ",\"step\":" TEXT ",\"keep\":" TEXT "}}"},
    {"RetentionList", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Retention\"}}}}"},
    {"Erasure", NULL,
     "{\"type\":\"object\",\"required\":[\"twin\"],\"properties\":{\"twin\":" TEXT ",\"property\":" TEXT "}}"},
    {"SignedReceipt", NULL,
     "{\"type\":\"object\",\"description\":\"a flattened JWS (RFC 7515) with EdDSA; receipt is the payload for "
     "people\","
     "\"required\":[\"payload\",\"protected\",\"signature\"],\"properties\":{\"receipt\":{\"type\":\"object\"},"
     "\"payload\":" TEXT ",\"protected\":" TEXT ",\"signature\":" TEXT "}}"},
    {"ReceiptKey", NULL,
     "{\"type\":\"object\",\"description\":\"a JWK (RFC 8037), and the same as PEM\",\"properties\":{\"kty\":" TEXT
     ",\"crv\":" TEXT ",\"x\":" TEXT ",\"kid\":" TEXT ",\"alg\":" TEXT ",\"use\":" TEXT ",\"pem\":" TEXT "}}"},
    {"World", NULL,
     "{\"type\":\"object\",\"properties\":{\"name\":" TEXT ",\"parent\":" TEXT
     ",\"sequence\":{\"type\":\"integer\"},\"time\":" TEXT
     ",\"twins\":{\"type\":\"integer\"},\"relationships\":{\"type\":\"integer\"},\"forkedFrom\":" TEXT
     ",\"forkedAt\":{\"type\":\"integer\"},\"created\":" TEXT ",\"age\":{\"type\":\"integer\"},\"status\":" TEXT
     ",\"kept\":{\"type\":\"boolean\"},\"loaded\":{\"type\":\"boolean\"},\"ownPages\":{\"type\":\"integer\"},"
     "\"ownBytes\":{\"type\":\"integer\"},\"batches\":{\"type\":\"integer\"},\"journalBytes\":{\"type\":\"integer\"},"
     "\"seed\":{\"type\":\"integer\"},\"until\":" TEXT ",\"purpose\":" TEXT "}}"},
    {"Replay", NULL,
     "{\"type\":\"object\",\"required\":[\"from\",\"to\"],\"properties\":{\"from\":" TEXT ",\"to\":" TEXT
     ",\"twin\":" TEXT "}}"},
    {"Replayed", NULL,
     "{\"type\":\"object\",\"properties\":{\"batches\":{\"type\":\"integer\"},\"changes\":{\"type\":\"integer\"},"
     "\"refused\":{\"type\":\"integer\"},\"sequence\":{\"type\":\"integer\"},\"time\":" TEXT "}}"},
    {"Worlds", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":"
     "{"
     "\"name\":" TEXT ",\"parent\":" TEXT ",\"sequence\":{\"type\":\"integer\"},\"twins\":{\"type\":\"integer\"},"
     "\"relationships\":{\"type\":\"integer\"}}}}}}"},
    {"Fork", NULL,
     "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":" TEXT ",\"from\":" TEXT
     ",\"purpose\":" TEXT ",\"until\":" TEXT ",\"seed\":{\"type\":\"integer\"}}}"},
    {"Definition", NULL, "{\"type\":\"object\",\"description\":\"see docs/worlds.md\",\"additionalProperties\":true}"},
    {"Definitions", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Definition\"}}}}"},
    {"RuleTry", NULL, "{\"type\":\"object\",\"required\":[\"twin\"],\"properties\":{\"twin\":" TEXT "}}"},
    {"DecisionNote", NULL, "{\"type\":\"object\",\"properties\":{\"note\":" TEXT "}}"},
    {"Decision", NULL,
     "{\"type\":\"object\",\"description\":\"see docs/rules.md\",\"required\":[\"id\",\"rule\",\"state\"],"
     "\"properties\":{\"id\":{\"type\":\"integer\"},\"rule\":" TEXT ",\"state\":" TEXT ",\"twin\":" TEXT
     ",\"choice\":" TEXT ",\"why\":" TEXT "},\"additionalProperties\":true}"},
    {"Decisions", NULL,
     "{\"type\":\"object\",\"properties\":{\"revision\":{\"type\":\"integer\"},\"stopped\":{\"type\":\"boolean\"},"
     "\"more\":{\"type\":\"boolean\"},\"value\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Decision\"}}}}"},
    {"DecisionReplay", NULL,
     "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"same\":{\"type\":\"boolean\"},"
     "\"choice\":" TEXT ",\"was\":" TEXT ",\"why\":" TEXT
     ",\"alternatives\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
     "\"differences\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}"},
    {"Run", NULL,
     "{\"type\":\"object\",\"properties\":{\"for\":" TEXT ",\"until\":" TEXT ",\"output\":" TEXT ",\"solver\":" TEXT
     ",\"speed\":{\"type\":\"number\"},\"steps\":{\"type\":\"integer\"},\"rtol\":{\"type\":\"number\"},\"atol\":{"
     "\"type\":"
     "\"number\"},\"changes\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"kpis\":{\"type\":\"array\","
     "\"items\":" TEXT "},\"trace\":{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"integer\"}}}}}"},
    {"RunStatus", NULL,
     "{\"type\":\"object\",\"required\":[\"state\"],\"properties\":{\"state\":" TEXT ",\"begin\":" TEXT ",\"now\":" TEXT
     ",\"until\":" TEXT
     ",\"progress\":{\"type\":\"number\"},\"seconds\":{\"type\":\"number\"},\"secondsLeft\":{\"type\":"
     "\"number\"},\"instants\":{\"type\":\"integer\"},\"values\":{\"type\":\"integer\"},\"error\":{\"type\":\"object\"}"
     "}}"},
    {"Ensemble", NULL,
     "{\"type\":\"object\",\"required\":[\"for\"],\"properties\":{\"for\":" TEXT ",\"output\":" TEXT
     ",\"replications\":{\"type\":\"integer\"},\"seed\":{\"type\":\"integer\"},\"threads\":{\"type\":\"integer\"},"
     "\"level\":{\"type\":\"number\"},\"kpis\":{\"type\":\"array\",\"items\":" TEXT
     "},\"track\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"cases\":{\"type\":\"array\",\"items\":{"
     "\"type\":\"object\"}},\"sweep\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"precision\":{\"type\":"
     "\"object\"},\"title\":" TEXT ",\"about\":" TEXT "}}"},
    {"EnsembleStatus", NULL,
     "{\"type\":\"object\",\"required\":[\"state\"],\"properties\":{\"id\":{\"type\":\"integer\"},\"world\":" TEXT
     ",\"title\":" TEXT ",\"about\":" TEXT ",\"whatif\":" TEXT ",\"sentence\":" TEXT ",\"begun\":" TEXT
     ",\"begin\":" TEXT ",\"until\":" TEXT ",\"seed\":{\"type\":\"integer\"},\"sweep\":{\"type\":\"object\"},"
     "\"caseCount\":{\"type\":\"integer\"},\"kpiCount\":{\"type\":\"integer\"},\"state\":" TEXT
     ",\"replications\":{\"type\":\"integer\"},\"of\":{\"type\":\"integer\"},\"seconds\":{\"type\":\"number\"},"
     "\"secondsLeft\":{\"type\":\"number\"},\"level\":{\"type\":\"number\"},\"cases\":{\"type\":\"array\",\"items\":{"
     "\"type\":\"object\"}},\"times\":{\"type\":\"array\",\"items\":" TEXT
     "},\"series\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"error\":{\"type\":\"object\"}}}"},
    {"Ensembles", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "EnsembleStatus\"}}}}"},
    {"CompareMany", NULL,
     "{\"type\":\"object\",\"required\":[\"worlds\",\"replications\"],\"properties\":{\"worlds\":{\"type\":\"array\","
     "\"items\":" TEXT "},\"replications\":{\"type\":\"integer\"},\"for\":" TEXT
     ",\"level\":{\"type\":\"number\"},\"kpis\":{\"type\":\"array\",\"items\":" TEXT "}}}"},
    {"WhatifRun", NULL,
     "{\"type\":\"object\",\"properties\":{\"name\":" TEXT ",\"baseline\":{\"type\":\"boolean\"},\"again\":{\"type\":"
     "\"boolean\"},\"replications\":{\"type\":\"integer\"},\"level\":{\"type\":\"number\"}}}"},
    {"WhatifBegun", NULL,
     "{\"type\":\"object\",\"required\":[\"whatif\"],\"properties\":{\"whatif\":" TEXT ",\"title\":" TEXT
     ",\"ensemble\":{\"type\":\"integer\"},\"report\":" TEXT ",\"world\":" TEXT ",\"from\":" TEXT ",\"baseline\":" TEXT
     ",\"compare\":" TEXT "}}"},
    {"Kpis", NULL,
     "{\"type\":\"object\",\"properties\":{\"world\":" TEXT ",\"purpose\":" TEXT ",\"state\":" TEXT ",\"begin\":" TEXT
     ",\"now\":" TEXT ",\"until\":" TEXT ",\"kpis\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"value\":{"
     "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Definition\"}}}}"},
    {"Comparison", NULL,
     "{\"type\":\"object\",\"properties\":{\"title\":" TEXT ",\"sentence\":" TEXT
     ",\"worlds\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"kpis\":{"
     "\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"notes\":{\"type\":\"array\",\"items\":" TEXT "}}}"},
    {"Graph", NULL,
     "{\"type\":\"object\",\"properties\":{\"sequence\":{\"type\":\"integer\"},\"time\":" TEXT
     ",\"models\":{\"type\":\"array\",\"items\":" TEXT "},\"names\":{\"type\":\"array\",\"items\":" TEXT
     "},\"twins\":{\"type\":\"object\"},\"links\":{\"type\":\"object\"},\"values\":{\"type\":\"object\"},"
     "\"more\":{\"type\":\"boolean\"}}}"},
    {"Stale", NULL,
     "{\"type\":\"object\",\"properties\":{\"sequence\":{\"type\":\"integer\"},\"time\":" TEXT ",\"before\":" TEXT
     ",\"watched\":{\"type\":\"integer\"},\"stale\":{\"type\":\"integer\"},\"models\":{\"type\":\"array\",\"items\":{"
     "\"type\":\"object\"}},\"twins\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"more\":{\"type\":"
     "\"boolean\"}}}"},
    {"Events", NULL,
     "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"more\":{"
     "\"type\":\"boolean\"}}}"},
    {"Diff", NULL,
     "{\"type\":\"object\",\"properties\":{\"world\":" TEXT ",\"against\":{},\"counts\":{\"type\":\"object\"},"
     "\"changes\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"nextLink\":{}}}"},
    {"Merge", NULL,
     "{\"type\":\"object\",\"properties\":{\"into\":" TEXT ",\"only\":{\"type\":\"array\",\"items\":{\"type\":"
     "\"object\",\"required\":[\"twin\"],\"properties\":{\"twin\":" TEXT ",\"property\":" TEXT
     "}}},\"dryRun\":{\"type\":\"boolean\"},\"skipConflicts\":{\"type\":\"boolean\"},\"tolerance\":{\"type\":"
     "\"number\"},\"relative\":{\"type\":\"number\"}}}"},
    {"Merged", NULL,
     "{\"type\":\"object\",\"properties\":{\"world\":" TEXT ",\"into\":" TEXT
     ",\"dryRun\":{\"type\":\"boolean\"},\"done\":{\"type\":\"boolean\"},\"merged\":{\"type\":\"integer\"},"
     "\"same\":{\"type\":\"integer\"},\"derived\":{\"type\":\"integer\"},\"conflictCount\":{\"type\":\"integer\"},"
     "\"conflicts\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"changes\":{\"type\":\"array\",\"items\":"
     "{\"type\":\"object\"}}}}"},
    {"Login", NULL, "{\"type\":\"object\",\"required\":[\"token\"],\"properties\":{\"token\":" TEXT "}}"},
    {"Session", NULL,
     "{\"type\":\"object\",\"properties\":{\"required\":{\"type\":\"boolean\"},\"principal\":{\"type\":\"string\","
     "\"nullable\":true}}}"},
    {"Health", NULL, "{\"type\":\"object\",\"properties\":{\"status\":" TEXT ",\"version\":" TEXT "}}"},
};

#define SCHEMA_COUNT (sizeof SCHEMAS / sizeof SCHEMAS[0])

static const char *media_of(const char *schema) {
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        if (strcmp(SCHEMAS[i].name, schema) == 0 && SCHEMAS[i].media) return SCHEMAS[i].media;
    }
    return "application/json";
}

static void put_ref(Buf *out, const char *schema) { buf_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}", schema); }

typedef struct Parameters {
    Buf *out;
    char comma; // 0 before the first
} Parameters;

static void put_parameter(void *ctx, Str name, const char *in, bool required) {
    Parameters *p = ctx;
    if (p->comma) buf_byte(p->out, p->comma);
    buf_printf(p->out, "{\"name\":\"%.*s\",\"in\":\"%s\",\"required\":%s,\"schema\":" TEXT "}", STR_ARG(name), in,
               required ? "true" : "false");
    p->comma = ',';
}

static void put_parameters(Buf *out, const Route *r) {
    static const char *const of_path[] = {"id", "sub", "part"};
    Parameters p = {.out = out};
    buf_str_put(out, STR("\"parameters\":["));
    for (size_t i = 0; i < sizeof of_path / sizeof *of_path; i++) {
        char place[8];
        snprintf(place, sizeof place, "{%s}", of_path[i]);
        if (strstr(r->path, place)) put_parameter(&p, str_of(of_path[i]), "path", true);
    }
    params_each(r, put_parameter, &p);
    buf_str_put(out, STR("],"));
}

static void put_error(Buf *out, const char *status, const char *about) {
    buf_printf(out, ",\"%s\":{\"description\":\"%s\",\"content\":{\"application/json\":{\"schema\":", status, about);
    put_ref(out, "Error");
    buf_str_put(out, STR("}}}"));
}

// What conditions in headers may come to.
static void put_conditional(Buf *out, const Route *r) {
    if (!params_conditional(r)) return;
    if (strcmp(r->method, "GET") == 0) buf_str_put(out, STR(",\"304\":{\"description\":\"it is what the asker has\"}"));
    else put_error(out, "412", "what stands there is not what If-Match or If-None-Match says");
}

static void put_reply(Buf *out, const Route *r) {
    buf_printf(out, "\"responses\":{\"%d\":{\"description\":\"done\"", r->status);
    if (r->reply) {
        buf_printf(out, ",\"content\":{\"%s\":{\"schema\":", media_of(r->reply));
        if (r->flags & ROUTE_PAGED) {
            buf_str_put(out, STR("{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"array\",\"items\":"));
            put_ref(out, r->reply);
            buf_str_put(out, STR("},\"nextLink\":{\"type\":\"string\",\"nullable\":true}}}"));
        } else {
            put_ref(out, r->reply);
        }
        buf_str_put(out, STR("}}"));
    }
    buf_byte(out, '}');
    put_conditional(out, r);
    put_error(out, "default", "an error");
    buf_byte(out, '}');
}

static void put_method(Buf *out, const char *method) {
    for (const char *p = method; *p; p++) buf_byte(out, (char)(*p | 0x20));
}

static void put_route(Buf *out, const Route *r) {
    buf_byte(out, '"');
    put_method(out, r->method);
    buf_printf(out, "\":{\"operationId\":\"%s\",\"summary\":", r->name);
    json_put_str(out, str_of(r->summary));
    buf_byte(out, ',');
    if (r->flags & ROUTE_OPEN) buf_str_put(out, STR("\"security\":[],"));
    put_parameters(out, r);
    if (r->body) {
        buf_printf(out, "\"requestBody\":{\"required\":true,\"content\":{\"%s\":{\"schema\":", media_of(r->body));
        put_ref(out, r->body);
        buf_str_put(out, STR("}}},"));
    }
    put_reply(out, r);
    buf_byte(out, '}');
}

static bool first_of_path(const Route *routes, int32_t i) {
    for (int32_t k = 0; k < i; k++) {
        if (strcmp(routes[k].path, routes[i].path) == 0) return false;
    }
    return true;
}

static void put_paths(Buf *out) {
    int32_t count = 0;
    const Route *routes = route_table(&count);
    char comma = 0;
    for (int32_t i = 0; i < count; i++) {
        if ((routes[i].flags & ROUTE_HIDDEN) || !first_of_path(routes, i)) continue;
        if (comma) buf_byte(out, comma);
        comma = ',';
        buf_printf(out, "\"%s\":{", routes[i].path);
        char inner = 0;
        for (int32_t k = i; k < count; k++) {
            if (strcmp(routes[k].path, routes[i].path) != 0) continue;
            if (inner) buf_byte(out, inner);
            inner = ',';
            put_route(out, &routes[k]);
        }
        buf_byte(out, '}');
    }
}

void own_openapi(Call *c) {
    Buf out = {0};
    buf_printf(
        &out,
        "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"Sosia\",\"version\":\"%s\",\"description\":\"A living double of "
        "a "
        "whole operation. Every path of a world also exists below /worlds/NAME.\"},\"security\":[{\"token\":[]}],"
        "\"paths\":{",
        sosia_version());
    put_paths(&out);
    buf_str_put(&out, STR("},\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
                          "\"schemas\":{"));
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        buf_printf(&out, "%s\"%s\":%s", i ? "," : "", SCHEMAS[i].name, SCHEMAS[i].json);
    }
    buf_str_put(&out, STR("}}}"));
    call_json(c, 200, (Str){0}, &out);
    buf_free(&out);
}
