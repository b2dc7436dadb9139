// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "codec/json.h"

typedef struct Version {
    bool json;
} Version;

static const Opt opts[] = {
    OPT(Version, json, OPT_FLAG, 'j', "json", NULL, "JSON for machines"),
    OPT_END,
};

static Err run(void *fields, const Args *args) {
    (void)args;
    const Version *v = fields;
    return v->json ? say(STR("{\"version\":\"" SOSIA_VERSION "\"}\n")) : say(STR("sosia " SOSIA_VERSION "\n"));
}

const Command cmd_version = {
    .name = "version",
    .arguments = "",
    .summary = "print the version",
    .examples = "  sosia version",
    .opts = opts,
    .size = sizeof(Version),
    .run = run,
};
