// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#define PAYLOAD_BYTES_MAX (1 << 20)

typedef struct Invoke {
    Common common;
    Str component;
    int64_t timeout_ns;
} Invoke;

static const Opt opts[] = {
    OPT(Invoke, component, OPT_STR, 'c', "component", "NAME", "a command of this component"),
    OPT(Invoke, timeout_ns, OPT_DURATION, 't', "timeout", "TIME", "for the device to answer (10s)"),
    OPT_END,
};

static Str target(Client *c, const Invoke *o, const Args *args) {
    Str parts[] = {args->items[0], o->component.n ? o->component : args->items[1], args->items[1]};
    const char *pattern =
        o->component.n ? "/digitaltwins/{}/components/{}/commands/{}" : "/digitaltwins/{}/commands/{}";
    Str path = client_path(c, pattern, parts);
    if (!o->timeout_ns) return path;
    char mark = str_find(path, '?', 0) < 0 ? '?' : '&';
    return arena_printf(&c->keep, "%.*s%ctimeout=%lldms", STR_ARG(path), mark, (long long)(o->timeout_ns / 1000000));
}

static Err invoke(Client *c, const Invoke *o, const Args *args, Str payload) {
    TRY(client_do(c, &(Call){.method = "POST", .path = target(c, o, args), .body = payload}));
    if (!c->body.n) {
        if (!o->common.json) note("%.*s has answered", STR_ARG(args->items[0]));
        return ERR_OK;
    }
    return client_say(c);
}

static Err run(void *fields, const Args *args) {
    const Invoke *o = fields;
    Client c = {0};
    Buf payload = {0};
    Err err = ERR_OK;
    if (args->count > 2 && str_eq(args->items[2], STR("-"))) err = read_file(STR("-"), PAYLOAD_BYTES_MAX, &payload);
    else if (args->count > 2) buf_str_put(&payload, args->items[2]);
    if (err == ERR_OK) err = client_open(&c, &o->common);
    if (err == ERR_OK) err = invoke(&c, o, args, buf_str(&payload));
    client_close(&c);
    buf_free(&payload);
    return err;
}

const Command cmd_command = {
    .name = "command",
    .arguments = "TWIN COMMAND [JSON]",
    .summary = "send a command to the device behind a twin and wait for its answer",
    .about = "The twin's model defines the command and what it takes; a connection that carries the twin delivers it.\n"
             "JSON is the request, \"-\" reads it from standard input.",
    .examples = "  sosia command pump-1 start\n"
                "  sosia command pump-1 setSpeed '{\"rpm\":1450}' --timeout 3s",
    .opts = opts,
    .size = sizeof(Invoke),
    .client = true,
    .args_min = 2,
    .args_max = 3,
    .run = run,
};
