// SPDX-License-Identifier: Apache-2.0
// Twins: put, delete, telemetry. Everything is checked before the first change.
#include "base/check.h"
#include "world/edit_inner.h"
#include "world/past.h"
#include "world/show.h"

static Err twin_precondition(World *w, TwinId id, Str name, Precondition pre, bool put, Diag *d) {
    char etag[48] = "";
    View v = view_writer(w);
    if (id.v) etag_of_twin(id, view_twin_time(&v, id), etag);
    return edit_precondition(pre, put, str_of(etag), ERR_TWIN_NOT_FOUND, name, d);
}

// The model id in "$metadata"."$model". Errors: VALIDATION.
static Err named_model(const Json *body, Str id, Str *out, Diag *d) {
    const Json *m = json_get(json_get(body, STR("$metadata")), STR("$model"));
    if (!m || m->type != JSON_STRING)
        return diag_add(d, ERR_VALIDATION, body->at, -1, id,
                        "a twin needs its model: \"$metadata\":{\"$model\":\"dtmi:...\"}");
    *out = m->s;
    return ERR_OK;
}

// A subject that has the model's fields and no place yet, for checks.
static Subject unborn(World *w, const Model *m, Str name, Arena *arena, Diag *d) {
    return (Subject){.w = w,
                     .d = d,
                     .arena = arena,
                     .name = name,
                     .count = m->field_count,
                     .fields = m->fields,
                     .model = m,
                     .fresh = true};
}

static Err put_new(World *w, Str name, const Model *m, const Json *body, Arena *arena, Diag *d) {
    Subject s = unborn(w, m, name, arena, d);
    TRY(edit_check_members(&s, -1, body));
    TwinId id = world_take_twin_id(w);
    TRY(edit_do(&s, &(Change){.kind = CHANGE_TWIN_NEW, .id = id.v, .col = (uint32_t)m->index, .text = name}));
    s = edit_twin_subject(w, id, name, arena, d);
    s.fresh = true;
    return edit_put_members(&s, -1, body, (Stamp){.mode = STAMP_WHOLE});
}

// A twin without any property set or cleared still gets a new etag: its model is stated again.
static Err put_again(World *w, TwinId id, Str name, const Model *m, const Json *body, Arena *arena, Diag *d) {
    Subject s = edit_twin_subject(w, id, name, arena, d), as = unborn(w, m, name, arena, d);
    TRY(edit_check_members(&as, -1, body));
    if (s.model != m) TRY(edit_retype(&s, m));
    TRY(edit_put_members(&s, -1, body, (Stamp){.mode = STAMP_WHOLE}));
    View v = view_writer(w);
    if (view_twin_place(&v, id).update_time == world_time(w)) return ERR_OK;
    return edit_do(&s, &(Change){.kind = CHANGE_TWIN_MODEL, .id = id.v, .col = (uint32_t)m->index});
}

static Err put_twin(World *w, TwinId id, Str name, const Json *body, Arena *arena, Diag *d) {
    Str model;
    const Model *m, *now = NULL;
    TRY(named_model(body, name, &model, d));
    if (id.v) {
        Subject s = edit_twin_subject(w, id, name, arena, d);
        now = s.gone ? NULL : s.model;
    }
    TRY(edit_find_model(w, model, now, &m, name, d));
    return id.v ? put_again(w, id, name, m, body, arena, d) : put_new(w, name, m, body, arena, d);
}

Err edit_twin_put(World *w, Str id, const Json *body, Precondition pre, bool *created, Diag *d) {
    TRY(edit_check_id(id, "twin id", d));
    if (body->type != JSON_OBJECT)
        return diag_add(d, ERR_ARGUMENT, body->at, -1, id, "a twin is a JSON object, not %s",
                        json_type_name(body->type));
    View v = view_writer(w);
    TwinId twin = view_find_twin(&v, id);
    TRY(twin_precondition(w, twin, id, pre, true, d));
    Arena arena;
    arena_init(&arena, 4096);
    Err e = put_twin(w, twin, id, body, &arena, d);
    arena_free(&arena);
    if (e == ERR_OK && created) *created = twin.v == 0;
    return e;
}

Err edit_twin_delete(World *w, Str id, Precondition pre, Diag *d) {
    TwinId twin;
    TRY(edit_find_twin(w, id, &twin, d));
    TRY(twin_precondition(w, twin, id, pre, false, d));
    View v = view_writer(w);
    TwinView t = view_twin(&v, twin);
    if (t.first_out.v || t.first_in.v)
        return diag_add(d, ERR_LINKS_LEFT, -1, -1, id, "twin \"%.*s\" still has %s relationships; delete them first",
                        STR_ARG(id), t.first_out.v ? "outgoing" : "incoming");
    Subject s = {.w = w, .d = d, .name = id};
    Buf was = {0};
    show_twin(&v, twin, &(ShowOptions){0}, &was);
    Err e = was.full
                ? ERR_LIMIT
                : edit_do(&s, &(Change){.kind = CHANGE_TWIN_WAS, .id = twin.v, .col = t.table, .text = buf_str(&was)});
    buf_free(&was);
    TRY(e);
    return edit_do(&s, &(Change){.kind = CHANGE_TWIN_DEL, .id = twin.v});
}

Err edit_telemetry(World *w, Str id, Str component, Str message_id, Str payload, int64_t source_time, Diag *d) {
    TwinId twin;
    TRY(edit_find_twin(w, id, &twin, d));
    Subject s = edit_twin_subject(w, twin, id, NULL, d);
    const Field *f = component.n ? model_field(s.model, component) : NULL;
    if (component.n && (!f || f->cell != CELL_COMPONENT)) return edit_no_component(&s, component);
    if (message_id.n == 0) return diag_add(d, ERR_ARGUMENT, -1, -1, id, "telemetry needs a message id");
    if (memchr(message_id.p, 0, (size_t)message_id.n))
        return diag_add(d, ERR_ARGUMENT, -1, -1, id, "a message id holds no zero bytes");
    Buf text = {0};
    buf_str_put(&text, component);
    buf_byte(&text, 0);
    buf_str_put(&text, message_id);
    buf_byte(&text, 0);
    buf_str_put(&text, payload);
    Err e = edit_do(
        &s, &(Change){.kind = CHANGE_TELEMETRY, .id = twin.v, .text = buf_str(&text), .source_time = source_time});
    buf_free(&text);
    return e;
}
