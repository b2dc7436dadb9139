// SPDX-License-Identifier: Apache-2.0
// Commands of models: whether a payload fits one. What carries it to a device lies outside of the engine.
#include "engine/engine.h"

typedef struct Checking {
    Str twin, component, command, payload;
    Buf *why;
} Checking;

static Err fail(Checking *x, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err fail(Checking *x, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (x->why) buf_vprintf(x->why, fmt, ap);
    va_end(ap);
    return err;
}

static Err find_model(View *v, Checking *x, const Model **out) {
    TwinId id = view_find_twin(v, x->twin);
    if (!id.v) return fail(x, ERR_TWIN_NOT_FOUND, "there is no twin \"%.*s\"", STR_ARG(x->twin));
    *out = v->catalog->tables[view_twin_place(v, id).table].model;
    if (!x->component.n) return ERR_OK;
    const Field *f = model_field(*out, x->component);
    if (!f || f->cell != CELL_COMPONENT)
        return fail(x, ERR_COMPONENT_NOT_FOUND, "twin \"%.*s\" has no component \"%.*s\"", STR_ARG(x->twin),
                    STR_ARG(x->component));
    *out = f->component;
    return ERR_OK;
}

static const CommandDef *find_command(const Model *m, Str name) {
    for (int32_t i = 0; i < m->command_count; i++)
        if (str_eq(m->commands[i].name, name)) return &m->commands[i];
    return NULL;
}

static Err check_payload(Checking *x, const CommandDef *def, const Json *payload, Diag *d) {
    if (def->request && payload) return type_check(def->request->type, payload, def->request->name, d);
    if (def->request)
        return fail(x, ERR_VALIDATION, "command \"%.*s\" wants a payload, \"%.*s\"", STR_ARG(def->name),
                    STR_ARG(def->request->name));
    if (payload && payload->type != JSON_NULL)
        return fail(x, ERR_VALIDATION, "command \"%.*s\" takes no payload", STR_ARG(def->name));
    return ERR_OK;
}

static Err check(View *v, void *ctx) {
    Checking *x = ctx;
    const Model *m = NULL;
    if (x->why) buf_reset(x->why); // of a view that was outrun
    TRY(find_model(v, x, &m));
    const CommandDef *def = find_command(m, x->command);
    if (!def)
        return fail(x, ERR_COMMAND_NOT_FOUND, "model %.*s has no command \"%.*s\"", STR_ARG(m->id),
                    STR_ARG(x->command));
    Arena a;
    Diag d;
    Json json;
    bool given = str_trim(x->payload).n > 0;
    arena_init(&a, 4096);
    diag_init(&d);
    Err err = given ? json_parse(x->payload, NULL, &a, &json, &d) : ERR_OK;
    if (!err) err = check_payload(x, def, given ? &json : NULL, &d);
    if (d.count && x->why) task_message_put(x->why, &d.messages[0]);
    diag_free(&d);
    arena_free(&a);
    return err;
}

SosiaErr sosia_command_check(Sosia *s, SosiaStr world, SosiaStr twin, SosiaStr component, SosiaStr command,
                             SosiaStr payload, SosiaBuf *why) {
    Checking x = {twin, component, command, payload, why};
    Err err = engine_read(s, NULL, world, check, &x, NULL);
    if (err && why && !why->n) buf_printf(why, "%s", err_text(err));
    return (SosiaErr)err;
}
