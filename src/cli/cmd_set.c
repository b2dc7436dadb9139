// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

typedef struct Set {
    Common common;
    bool text;
    bool unset;
    Str if_match;
} Set;

static const Opt opts[] = {
    OPT(Set, text, OPT_FLAG, 't', "text", NULL, "take VALUE as a string even if it reads as a number or true"),
    OPT(Set, unset, OPT_FLAG, 0, "unset", NULL, "remove the values: sosia set TWIN PATH... --unset"),
    OPT(Set, if_match, OPT_STR, 0, "if-match", "ETAG", "only if the twin still has this etag"),
    OPT_END,
};

// "drive.speed" or "/drive/speed" as a JSON pointer.
static void put_pointer(Str path, Buf *out) {
    Buf b = {0};
    if (!str_starts(path, STR("/"))) buf_byte(&b, '/');
    bool dotted = !str_starts(path, STR("/"));
    for (int64_t i = 0; i < path.n; i++) buf_byte(&b, dotted && path.p[i] == '.' ? '/' : path.p[i]);
    json_put_str(out, buf_str(&b));
    buf_free(&b);
}

static void put_value(const Set *s, Str text, Buf *out) {
    Arena scratch;
    Json v;
    arena_init(&scratch, 0);
    bool json = !s->text && json_parse(text, NULL, &scratch, &v, NULL) == ERR_OK;
    if (json) buf_str_put(out, text);
    else json_put_str(out, text);
    arena_free(&scratch);
}

static void put_patch(const Set *s, const Args *args, Buf *out) {
    buf_byte(out, '[');
    for (int32_t i = 1; i < args->count; i += s->unset ? 1 : 2) {
        if (i > 1) buf_byte(out, ',');
        buf_printf(out, "{\"op\":\"%s\",\"path\":", s->unset ? "remove" : "add");
        put_pointer(args->items[i], out);
        if (!s->unset) {
            buf_str_put(out, STR(",\"value\":"));
            put_value(s, args->items[i + 1], out);
        }
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static Err set(Client *c, const Set *s, const Args *args) {
    Buf body = {0};
    put_patch(s, args, &body);
    Call call = {.method = "PATCH",
                 .path = client_path(c, "/digitaltwins/{}", args->items),
                 .body = buf_str(&body),
                 .type = "application/json-patch+json",
                 .if_match = s->if_match};
    Err err = client_do(c, &call);
    buf_free(&body);
    if (err == ERR_VALIDATION && !s->text) hint("see what the twin takes with: sosia models show MODEL");
    TRY(err);
    if (!s->common.json) {
        int32_t n = s->unset ? args->count - 1 : (args->count - 1) / 2;
        note("%.*s: %d value%s %s", STR_ARG(args->items[0]), n, n == 1 ? "" : "s", s->unset ? "removed" : "set");
        return ERR_OK;
    }
    Buf out = {0};
    buf_str_put(&out, STR("{\"etag\":"));
    json_put_str(&out, str_of(c->etag));
    buf_str_put(&out, STR("}\n"));
    err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static Err run(void *fields, const Args *args) {
    const Set *s = fields;
    Client c;
    if (!s->unset && args->count % 2 == 0) return tell(ERR_ARGUMENT, "set: every PATH needs a VALUE");
    Err err = client_open(&c, &s->common);
    if (err == ERR_OK) err = set(&c, s, args);
    client_close(&c);
    return err;
}

const Command cmd_set = {
    .heading = "Change and feed",
    .name = "set",
    .arguments = "TWIN PATH VALUE [PATH VALUE...]",
    .summary = "set values of a twin, all or none of them",
    .about = "PATH is a property, \"component.property\" or a JSON pointer. VALUE is JSON; anything else is a string.",
    .examples = "  sosia set cold-room-2 setPoint 3.5\n"
                "  sosia set line-1 product still-050 targetSpeed 30000\n"
                "  sosia set truck-1 reefer.setPoint 4 --if-match 'W/\"...\"'\n"
                "  sosia set line-1 note --unset",
    .opts = opts,
    .size = sizeof(Set),
    .client = true,
    .args_min = 2,
    .args_max = STR_LIST_MAX,
    .run = run,
};
