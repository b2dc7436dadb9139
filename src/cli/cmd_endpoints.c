// SPDX-License-Identifier: Apache-2.0
#include "cli/resource.h"

typedef struct Endpoints {
    Common common;
    Str endpoint, filter;
} Endpoints;

static const ResourceColumn endpoint_columns[] = {
    {{"Endpoint", false, true}, "/name"},          {{"Kind", false, false}, "/kind"},
    {{"State", false, false}, "/status/state"},    {{"Delivered", true, false}, "/status/delivered"},
    {{"Retries", true, false}, "/status/retries"}, {{"Dead letters", true, false}, "/status/deadLetters"},
    {{"Lag", true, false}, "/status/lag"},         {{"Trouble", false, true}, "/status/trouble"},
};

static const Resource endpoints = {
    .noun = "endpoint",
    .folder = "//endpoints",
    .columns = endpoint_columns,
    .column_count = (int32_t)(sizeof endpoint_columns / sizeof *endpoint_columns),
    .empty = "make one with: sosia endpoints put NAME FILE (docs/events.md has examples)",
};

static const ResourceColumn route_columns[] = {
    {{"Route", false, true}, "/id"},
    {{"Endpoint", false, false}, "/endpointName"},
    {{"Filter", false, true}, "/filter"},
};

static const Resource routes = {
    .noun = "route",
    .folder = "//eventroutes",
    .columns = route_columns,
    .column_count = (int32_t)(sizeof route_columns / sizeof *route_columns),
    .empty = "make one with: sosia routes put ID --endpoint NAME --filter true",
};

static const Opt no_opts[] = {OPT_END};
static const Opt route_opts[] = {
    OPT(Endpoints, endpoint, OPT_STR, 'e', "endpoint", "NAME", "where the events go"),
    OPT(Endpoints, filter, OPT_STR, 'f', "filter", "TEXT", "which ones (true: all)"),
    OPT_END,
};

static Err run_list(void *fields, const Args *args) {
    (void)args;
    return resource_list(&endpoints, fields);
}

static Err run_show(void *fields, const Args *args) {
    return resource_show(&endpoints, fields, args->items[0], args->count > 1 ? args->items[1] : (Str){0});
}

static Err run_put(void *fields, const Args *args) {
    return resource_put(&endpoints, fields, args->items[0], args->items[1]);
}

static Err run_replay(void *fields, const Args *args) {
    return resource_do(&endpoints, fields, args->items[0], STR("replay"), (Str){0}, "sends its dead letters again");
}

static Err run_remove(void *fields, const Args *args) { return resource_remove(&endpoints, fields, args); }

static Err run_routes(void *fields, const Args *args) {
    (void)args;
    return resource_list(&routes, fields);
}

static Err run_route_put(void *fields, const Args *args) {
    const Endpoints *o = fields;
    if (!o->endpoint.n) {
        tell(ERR_ARGUMENT, "routes put: name the endpoint with --endpoint NAME");
        hint("list them with: sosia endpoints");
        return ERR_ARGUMENT;
    }
    Buf body = {0};
    buf_str_put(&body, STR("{\"endpointName\":"));
    json_put_str(&body, o->endpoint);
    buf_str_put(&body, STR(",\"filter\":"));
    json_put_str(&body, o->filter.n ? o->filter : STR("true"));
    buf_byte(&body, '}');
    Err err = resource_put_text(&routes, &o->common, args->items[0], buf_str(&body));
    buf_free(&body);
    return err;
}

static Err run_route_remove(void *fields, const Args *args) { return resource_remove(&routes, fields, args); }

#define ENDPOINTS(least, most, function)                                                                               \
    .size = sizeof(Endpoints), .client = true, .args_min = least, .args_max = most, .run = function

const Command cmd_endpoints_list = {
    .name = "endpoints list",
    .arguments = "",
    .summary = "where events go, and how they get there",
    .examples = "  sosia endpoints\n  sosia endpoints list --json",
    .opts = no_opts,
    ENDPOINTS(0, 0, run_list),
};

const Command cmd_endpoints_show = {
    .name = "endpoints show",
    .arguments = "NAME [deadletters]",
    .summary = "one endpoint; events that it did not take",
    .examples = "  sosia endpoints show erp\n  sosia endpoints show erp deadletters",
    .opts = no_opts,
    ENDPOINTS(1, 2, run_show),
};

const Command cmd_endpoints_put = {
    .name = "endpoints put",
    .arguments = "NAME FILE",
    .summary = "make an endpoint, or change it",
    .about = "FILE holds the endpoint as JSON, \"-\" is standard input. Secrets in it are never read back.",
    .examples = "  echo '{\"kind\":\"webhook\",\"url\":\"https://erp.example/events\"}' | sosia endpoints put erp -\n"
                "  echo '{\"kind\":\"mqtt\",\"connection\":\"plant\",\"topic\":\"events/{subject}\"}' |\n"
                "    sosia endpoints put broker -",
    .opts = no_opts,
    ENDPOINTS(2, 2, run_put),
};

const Command cmd_endpoints_replay = {
    .name = "endpoints replay",
    .arguments = "NAME",
    .summary = "send the dead letters of an endpoint again",
    .examples = "  sosia endpoints replay erp",
    .opts = no_opts,
    ENDPOINTS(1, 1, run_replay),
};

const Command cmd_endpoints_rm = {
    .name = "endpoints rm",
    .arguments = "NAME...",
    .summary = "remove endpoints that no route names",
    .examples = "  sosia endpoints rm erp",
    .opts = no_opts,
    ENDPOINTS(1, STR_LIST_MAX, run_remove),
};

const Command cmd_routes_list = {
    .name = "routes list",
    .arguments = "",
    .summary = "which events go where",
    .examples = "  sosia routes",
    .opts = no_opts,
    ENDPOINTS(0, 0, run_routes),
};

const Command cmd_routes_put = {
    .name = "routes put",
    .arguments = "ID",
    .summary = "send events to an endpoint",
    .about = "The filter is that of Azure Digital Twins' event routes: docs/events.md lists its fields.",
    .examples = "  sosia routes put all --endpoint erp\n"
                "  sosia routes put hot --endpoint erp --filter \"type = 'Microsoft.DigitalTwins.Twin.Update'\"",
    .opts = route_opts,
    ENDPOINTS(1, 1, run_route_put),
};

const Command cmd_routes_rm = {
    .name = "routes rm",
    .arguments = "ID...",
    .summary = "remove routes",
    .examples = "  sosia routes rm hot",
    .opts = no_opts,
    ENDPOINTS(1, STR_LIST_MAX, run_route_remove),
};
