// SPDX-License-Identifier: Apache-2.0
// Relationships: put and delete; patching is in edit_patch.c. Everything is checked before the first change.
#include "base/check.h"
#include "world/edit_inner.h"
#include "world/show.h"

// A relationship as its body states it.
typedef struct Wanted {
    TwinId source, target;
    const Rel *rel;
    Str rid;
} Wanted;

static Err link_precondition(World *w, LinkId id, Str rid, Precondition pre, bool put, Diag *d) {
    char etag[48] = "";
    View v = view_writer(w);
    if (id.v) etag_of_link(id, view_link(&v, id).update_time, etag);
    return edit_precondition(pre, put, str_of(etag), ERR_LINK_NOT_FOUND, rid, d);
}

// A member that must be a text. Errors: ARGUMENT.
static Err text_member(const Json *body, Str name, Str rid, Str *out, Diag *d) {
    const Json *v = json_get(body, name);
    if (!v || v->type != JSON_STRING || v->s.n == 0)
        return diag_add(d, ERR_ARGUMENT, body->at, -1, rid, "a relationship needs \"%.*s\", a text", STR_ARG(name));
    *out = v->s;
    return ERR_OK;
}

Err edit_link_del(const Subject *s, LinkId id) {
    View v = view_writer(s->w);
    Buf was = {0};
    show_link(&v, id, &was);
    Err e = was.full ? ERR_LIMIT : edit_do(s, &(Change){.kind = CHANGE_LINK_WAS, .id = id.v, .text = buf_str(&was)});
    buf_free(&was);
    TRY(e);
    return edit_do(s, &(Change){.kind = CHANGE_LINK_DEL, .id = id.v});
}

Err edit_wake_source(World *w, LinkId *link, Str rid, Arena *arena, Diag *d) {
    View v = view_writer(w);
    TwinId source = view_link(&v, *link).source;
    Subject s = edit_twin_subject(w, source, rid, arena, d);
    if (!s.gone) return ERR_OK;
    if (!edit_reborn(&s)) return edit_gone(&s, ERR_LINK_INVALID);
    TRY(edit_revive(&s, NULL, 0));
    v = view_writer(w);
    *link = view_find_link(&v, source, rid);
    CHECK(link->v != 0);
    return ERR_OK;
}

// The relationship of that name in the source's model. Errors: LINK_INVALID, VALIDATION.
static Err find_rel(World *w, TwinId source, Str source_name, Str name, const Rel **out, Arena *arena, Diag *d) {
    Subject s = edit_twin_subject(w, source, source_name, arena, d);
    if (s.gone && !edit_reborn(&s)) return edit_gone(&s, ERR_LINK_INVALID);
    if (s.gone) TRY(edit_revive(&s, NULL, 0));
    *out = model_rel(s.model, name);
    if (*out) return ERR_OK;
    return diag_add(d, ERR_LINK_INVALID, -1, -1, source_name, "model %.*s has no relationship \"%.*s\"",
                    STR_ARG(s.model->id), STR_ARG(name));
}

// What the body asks for, and that it may be.
// Errors: ARGUMENT, TARGET_NOT_FOUND, NOT_ALLOWED, LINK_INVALID, VALIDATION.
static Err wanted_of(World *w, TwinId source, Str source_name, Str rid, const Json *body, Wanted *out, Arena *arena,
                     Diag *d) {
    Str name, target;
    *out = (Wanted){.source = source, .rid = rid};
    TRY(text_member(body, STR("$relationshipName"), rid, &name, d));
    TRY(text_member(body, STR("$targetId"), rid, &target, d));
    View v = view_writer(w);
    out->target = view_find_twin(&v, target);
    if (!out->target.v)
        return diag_add(d, ERR_TARGET_NOT_FOUND, -1, -1, target, "there is no target twin with the id \"%.*s\"",
                        STR_ARG(target));
    if (out->target.v == source.v)
        return diag_add(d, ERR_NOT_ALLOWED, -1, -1, rid, "a twin cannot have a relationship to itself");
    TRY(find_rel(w, source, source_name, name, &out->rel, arena, d));
    TRY(edit_check_target(w, out->rel, out->target, rid, d));
    Subject s = {.w = w,
                 .d = d,
                 .arena = arena,
                 .name = rid,
                 .count = out->rel->field_count,
                 .fields = out->rel->fields,
                 .fresh = true};
    return edit_check_members(&s, -1, body);
}

static Err put_new(World *w, const Wanted *k, const Json *body, Arena *arena, Diag *d) {
    View v = view_writer(w);
    LinkId id = world_take_link_id(w);
    Change c = {.kind = CHANGE_LINK_NEW,
                .id = id.v,
                .other = k->source.v,
                .target = k->target.v,
                .col = (uint32_t)catalog_kind(v.catalog, k->rel),
                .text = k->rid};
    TRY(edit_do(&(Subject){.w = w, .d = d, .name = k->rid}, &c));
    Subject s = edit_link_subject(w, id, k->rid, arena, d);
    s.fresh = true;
    return edit_put_members(&s, -1, body, (Stamp){.mode = STAMP_WHOLE});
}

// Only a property that is set or cleared renews the etag of a link that stays; one without any is made anew.
static bool stays(World *w, LinkId id, const Wanted *k, const Json *body) {
    View v = view_writer(w);
    LinkView l = view_link(&v, id);
    if (l.target.v != k->target.v || v.catalog->kinds[l.kind].rel != k->rel) return false;
    for (int32_t i = 0; i < body->count; i++) {
        if (body->members[i].key.n > 0 && body->members[i].key.p[0] != '$') return true;
    }
    Subject s = edit_link_subject(w, id, k->rid, NULL, NULL);
    for (int32_t i = 0; i < s.count; i++) {
        if (edit_cell(&s, i).valid) return true;
    }
    return false;
}

static Err put_link(World *w, TwinId source, Str source_name, Str rid, const Json *body, Arena *arena, Diag *d) {
    Wanted k;
    TRY(wanted_of(w, source, source_name, rid, body, &k, arena, d));
    View v = view_writer(w);
    LinkId id = view_find_link(&v, source, rid); // may be another than before: see edit_revive
    if (id.v && stays(w, id, &k, body)) {
        Subject s = edit_link_subject(w, id, rid, arena, d);
        return edit_put_members(&s, -1, body, (Stamp){.mode = STAMP_WHOLE});
    }
    if (id.v) TRY(edit_link_del(&(Subject){.w = w, .d = d, .name = rid}, id));
    return put_new(w, &k, body, arena, d);
}

Err edit_link_put(World *w, Str source, Str rid, const Json *body, Precondition pre, bool *created, Diag *d) {
    TwinId twin;
    TRY(edit_check_id(rid, "relationship id", d));
    if (body->type != JSON_OBJECT)
        return diag_add(d, ERR_ARGUMENT, body->at, -1, rid, "a relationship is a JSON object, not %s",
                        json_type_name(body->type));
    TRY(edit_find_twin(w, source, &twin, d));
    View v = view_writer(w);
    LinkId id = view_find_link(&v, twin, rid);
    TRY(link_precondition(w, id, rid, pre, true, d));
    Arena arena;
    arena_init(&arena, 4096);
    Err e = put_link(w, twin, source, rid, body, &arena, d);
    arena_free(&arena);
    if (e == ERR_OK && created) *created = id.v == 0;
    return e;
}

Err edit_link_delete(World *w, Str source, Str rid, Precondition pre, Diag *d) {
    LinkId id;
    TRY(edit_find_link(w, source, rid, &id, d));
    TRY(link_precondition(w, id, rid, pre, false, d));
    Subject s = {.w = w, .d = d, .name = rid};
    return edit_link_del(&s, id);
}
