// SPDX-License-Identifier: Apache-2.0
// For tests of edit.h and show.h: a small world with models that use every schema, driven by JSON texts in which '
// stands for ". Every call is a batch of its own: begin, edit, then end and settle, or roll back when it failed.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "world/edit.h"
#include "world/show.h"

#define LAB_START INT64_C(1767225600000000000) // 2026-01-01T00:00:00Z

typedef struct Lab {
    Domain *d;
    World *w;
    uint64_t seq;
    int64_t now; // update time of the last batch
    Arena arena; // of the current test
    Diag diag;   // of the last call
    Buf out;
    bool created;
} Lab;

// Two uploads: the second depends on the first.
static const char LAB_MODELS[] =
    "[{'@context':'dtmi:dtdl:context;3','@id':'dtmi:lab:Thermo;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'setPoint','schema':'double','writable':true},"
    "{'@type':'Property','name':'mode','schema':{'@type':'Enum','valueSchema':'string','enumValues':["
    "{'name':'off','enumValue':'OFF'},{'name':'heat','enumValue':'HEAT'}]}},"
    "{'@type':'Property','name':'box','schema':{'@type':'Object','fields':[{'name':'w','schema':'double'}]}},"
    "{'@type':'Telemetry','name':'ticks','schema':'integer'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:lab:Base;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'serial','schema':'string'},"
    "{'@type':'Relationship','name':'near','properties':["
    "{'@type':'Property','name':'since','schema':'date'},{'@type':'Property','name':'weight','schema':'double'},"
    "{'@type':'Property','name':'tags','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"
    "'mapValue':{'name':'v','schema':'string'}}},"
    "{'@type':'Property','name':'box','schema':{'@type':'Object','fields':[{'name':'a','schema':'integer'},"
    "{'name':'b','schema':'integer'}]}}]}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:lab:Desk;1','@type':'Interface','extends':'dtmi:lab:Base;1',"
    "'displayName':{'en':'Desk','de':'Tisch'},'description':'A \\u0022desk\\u0022',"
    "'contents':[{'@type':'Property','name':'height','schema':'double'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:lab:Chair;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'height','schema':'string'},{'@type':'Property','name':'legs','schema':'integer'}]}]";

static const char LAB_MODELS_MORE[] =
    "[{'@context':'dtmi:dtdl:context;3','@id':'dtmi:lab:Room;1','@type':'Interface','extends':'dtmi:lab:Base;1',"
    "'contents':["
    "{'@type':'Property','name':'temp','schema':'double'},{'@type':'Property','name':'flow','schema':'float'},"
    "{'@type':'Property','name':'count','schema':'integer'},{'@type':'Property','name':'big','schema':'long'},"
    "{'@type':'Property','name':'on','schema':'boolean'},{'@type':'Property','name':'name','schema':'string'},"
    "{'@type':'Property','name':'day','schema':'date'},{'@type':'Property','name':'at','schema':'dateTime'},"
    "{'@type':'Property','name':'tod','schema':'time'},{'@type':'Property','name':'dur','schema':'duration'},"
    "{'@type':'Property','name':'level','schema':{'@type':'Enum','valueSchema':'integer','enumValues':["
    "{'name':'low','enumValue':1},{'name':'high','enumValue':7}]}},"
    "{'@type':'Property','name':'color','schema':{'@type':'Enum','valueSchema':'string','enumValues':["
    "{'name':'red','enumValue':'r'},{'name':'blue','enumValue':'b'}]}},"
    "{'@type':'Property','name':'pos','schema':{'@type':'Object','fields':[{'name':'x','schema':'double'},"
    "{'name':'y','schema':'double'},{'name':'in','schema':{'@type':'Object','fields':[{'name':'z','schema':'integer'},"
    "{'name':'label','schema':'string'}]}},{'name':'marks','schema':{'@type':'Array','elementSchema':'integer'}}]}},"
    "{'@type':'Property','name':'tags','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"
    "'mapValue':{'name':'v','schema':'string'}}},"
    "{'@type':'Property','name':'nums','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"
    "'mapValue':{'name':'v','schema':'integer'}}},"
    "{'@type':'Property','name':'deep','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"
    "'mapValue':{'name':'v','schema':{'@type':'Object','fields':[{'name':'p','schema':'double'},"
    "{'name':'q','schema':{'@type':'Array','elementSchema':'string'}}]}}}},"
    "{'@type':'Property','name':'list','schema':{'@type':'Array','elementSchema':'double'}},"
    "{'@type':'Property','name':'grid','schema':{'@type':'Array','elementSchema':{'@type':'Array',"
    "'elementSchema':'integer'}}},"
    "{'@type':'Property','name':'place','schema':'point'},"
    "{'@type':'Telemetry','name':'noise','schema':'double'},"
    "{'@type':'Relationship','name':'contains','target':'dtmi:lab:Desk;1'},"
    "{'@type':'Component','name':'thermo','schema':'dtmi:lab:Thermo;1'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:lab:Hall;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'temp','schema':'double'},{'@type':'Property','name':'count','schema':'double'},"
    "{'@type':'Property','name':'color','schema':{'@type':'Enum','valueSchema':'string','enumValues':["
    "{'name':'red','enumValue':'r'},{'name':'green','enumValue':'g'}]}},"
    "{'@type':'Relationship','name':'near','properties':[{'@type':'Property','name':'weight','schema':'double'}]},"
    "{'@type':'Component','name':'thermo','schema':'dtmi:lab:Thermo;1'},"
    "{'@type':'Component','name':'lamp','schema':'dtmi:lab:Thermo;1'}]},"
    "{'@context':'dtmi:dtdl:context;4','@id':'dtmi:lab:Wide;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'i8','schema':'byte'},{'@type':'Property','name':'i16','schema':'short'},"
    "{'@type':'Property','name':'u8','schema':'unsignedByte'},{'@type':'Property','name':'u16','schema':'unsignedShort'"
    "},"
    "{'@type':'Property','name':'u32','schema':'unsignedInteger'},"
    "{'@type':'Property','name':'u64','schema':'unsignedLong'},"
    "{'@type':'Property','name':'dec','schema':'decimal'},{'@type':'Property','name':'id','schema':'uuid'},"
    "{'@type':'Property','name':'raw','schema':'bytes'}]}]";

// ' becomes ", kept in the lab's arena.
static inline Str lab_text(Lab *l, const char *text) {
    Str s = arena_str(&l->arena, str_of(text));
    for (char *p = (char *)(uintptr_t)s.p; *p; p++) {
        if (*p == '\'') *p = '"';
    }
    return s;
}

// The DOM of such a text, kept by the arena.
static inline const Json *lab_json(Lab *l, const char *text) {
    Json *v = NEW(&l->arena, Json, 1);
    Str s = lab_text(l, text);
    if (json_parse(s, NULL, &l->arena, v, NULL) != ERR_OK) {
        fprintf(stderr, "not JSON: %.*s\n", STR_ARG(s));
        abort();
    }
    return v;
}

// Start a batch one microsecond or more after the last one, with an empty Diag.
static inline void lab_begin(Lab *l) {
    diag_free(&l->diag);
    diag_init(&l->diag);
    l->created = false;
    l->now = world_next_time(l->w, l->now + 1000);
    world_begin(l->w, ++l->seq, l->now);
}

// End and settle the batch, or roll it back when e is an error. Returns e.
static inline Err lab_finish(Lab *l, Err e) {
    if (e == ERR_OK) {
        world_end(l->w);
        world_settle(l->w, l->seq);
    } else {
        world_rollback(l->w);
        l->seq--;
    }
    return e;
}

// One edit as a batch of its own: LAB_DO(l, edit_twin_put(l->w, ...)).
#define LAB_DO(l, call) (lab_begin(l), lab_finish((l), (call)))

// PUT of a twin.
static inline Err lab_put(Lab *l, const char *id, const char *body) {
    return LAB_DO(l, edit_twin_put(l->w, str_of(id), lab_json(l, body), (Precondition){0}, &l->created, &l->diag));
}

// PATCH of a twin.
static inline Err lab_patch(Lab *l, const char *id, const char *ops) {
    return LAB_DO(l, edit_twin_patch(l->w, str_of(id), lab_json(l, ops), (Precondition){0}, &l->diag));
}

// PATCH of a component.
static inline Err lab_part(Lab *l, const char *id, const char *component, const char *ops) {
    return LAB_DO(
        l, edit_component_patch(l->w, str_of(id), str_of(component), lab_json(l, ops), (Precondition){0}, &l->diag));
}

// DELETE of a twin.
static inline Err lab_delete(Lab *l, const char *id) {
    return LAB_DO(l, edit_twin_delete(l->w, str_of(id), (Precondition){0}, &l->diag));
}

// PUT of a relationship.
static inline Err lab_link(Lab *l, const char *source, const char *rid, const char *body) {
    return LAB_DO(l, edit_link_put(l->w, str_of(source), str_of(rid), lab_json(l, body), (Precondition){0}, &l->created,
                                   &l->diag));
}

// PATCH of a relationship.
static inline Err lab_link_patch(Lab *l, const char *source, const char *rid, const char *ops) {
    return LAB_DO(l, edit_link_patch(l->w, str_of(source), str_of(rid), lab_json(l, ops), (Precondition){0}, &l->diag));
}

// DELETE of a relationship.
static inline Err lab_unlink(Lab *l, const char *source, const char *rid) {
    return LAB_DO(l, edit_link_delete(l->w, str_of(source), str_of(rid), (Precondition){0}, &l->diag));
}

// Upload of models.
static inline Err lab_models(Lab *l, const char *docs) {
    return LAB_DO(l, edit_models_add(l->w, lab_json(l, docs), &l->diag));
}

// The id of a twin; 0: none.
static inline TwinId lab_twin(Lab *l, const char *id) {
    View v;
    view_begin(&v, l->w);
    TwinId t = view_find_twin(&v, str_of(id));
    view_end(&v);
    return t;
}

// The id of a link; 0: none.
static inline LinkId lab_link_id(Lab *l, const char *source, const char *rid) {
    View v;
    view_begin(&v, l->w);
    LinkId k = view_find_link(&v, view_find_twin(&v, str_of(source)), str_of(rid));
    view_end(&v);
    return k;
}

// One value by path.
static inline Err lab_value(Lab *l, const char *id, const char *path, const char *json, int64_t source_time) {
    TwinId t = lab_twin(l, id);
    return LAB_DO(l, edit_value(l->w, t, str_of(path), lab_text(l, json), source_time, &l->arena, &l->diag));
}

// The whole twin as GET gives it; valid until the next call. "" when it is not there.
static inline Str lab_get(Lab *l, const char *id, bool no_times) {
    View v;
    buf_reset(&l->out);
    view_begin(&v, l->w);
    TwinId t = view_find_twin(&v, str_of(id));
    ShowOptions o = {.no_times = no_times};
    if (t.v) show_twin(&v, t, &o, &l->out);
    view_end(&v);
    return buf_str(&l->out);
}

// A relationship as GET gives it; valid until the next call. "" when it is not there.
static inline Str lab_get_link(Lab *l, const char *source, const char *rid) {
    View v;
    buf_reset(&l->out);
    view_begin(&v, l->w);
    LinkId k = view_find_link(&v, view_find_twin(&v, str_of(source)), str_of(rid));
    if (k.v) show_link(&v, k, &l->out);
    view_end(&v);
    return buf_str(&l->out);
}

// A copy of v without "$..." members, at the root and inside of objects.
static inline Json lab_plain(Lab *l, const Json *v) {
    Json out = *v;
    if (v->type != JSON_OBJECT) return out;
    out.members = NEW(&l->arena, JsonMember, v->count);
    out.count = 0;
    for (int32_t i = 0; i < v->count; i++) {
        if (v->members[i].key.n && v->members[i].key.p[0] == '$') continue;
        out.members[out.count].key = v->members[i].key;
        out.members[out.count++].value = lab_plain(l, &v->members[i].value);
    }
    return out;
}

// The properties of a twin or of a JSON text, without "$...".
static inline Json lab_values(Lab *l, Str text) {
    Json v;
    Str kept = arena_str(&l->arena, text);
    if (json_parse(kept, NULL, &l->arena, &v, NULL) != ERR_OK) {
        fprintf(stderr, "not JSON: %.*s\n", STR_ARG(text));
        abort();
    }
    return lab_plain(l, &v);
}

// A world with the models of this file; stops the process when they are refused.
static inline void lab_open(Lab *l) {
    *l = (Lab){.now = LAB_START};
    l->d = domain_new();
    l->w = world_new(l->d, 1 << 16);
    arena_init(&l->arena, 0);
    diag_init(&l->diag);
    if (lab_models(l, LAB_MODELS) != ERR_OK || lab_models(l, LAB_MODELS_MORE) != ERR_OK) {
        diag_print(&l->diag, &l->out);
        fprintf(stderr, "lab models: %.*s\n", STR_ARG(buf_str(&l->out)));
        abort();
    }
}

// Verify the world and release everything.
static inline void lab_close(Lab *l) {
    world_verify(l->w);
    world_free(l->w);
    domain_free(l->d);
    diag_free(&l->diag);
    arena_free(&l->arena);
    buf_free(&l->out);
}
