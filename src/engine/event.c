// SPDX-License-Identifier: Apache-2.0
// From changes to events. Names are looked up in a view at least as new as the batch: twins keep their names when they
// die, columns keep their meaning, deletions carry what they delete, and a batch names the relationships whose values
// it tells. Batches of format 1 files do not: there a value of a relationship that died since is left out.
#include "engine/event.h"
#include "base/check.h"
#include "base/mem.h"

// Changes decoded together.
enum { RUN = 32 };

typedef struct Decoding {
    EventList *list;
    Str bytes;
    BatchHead head;
    View *v;
    uint64_t twin; // looked up last: values of one twin come together
    Str name;
    uint64_t next_twin; // of the change at hand, looked up with others
    Text next_name;
    Change was;  // TWIN_WAS or LINK_WAS right before
    Change link; // LINK_NEW or LINK_AT: the link that values are told of
} Decoding;

static SosiaChange *event_add(EventList *l, SosiaEvent what) {
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->items = mem_grow(l->items, (size_t)l->cap * sizeof *l->items);
    }
    SosiaChange *e = &l->items[l->count++];
    *e = (SosiaChange){.what = what};
    return e;
}

static Str keep_text(Decoding *x, Text t) { return arena_str(&x->list->arena, text_str(&t)); }

static Str twin_name(Decoding *x, uint64_t id) {
    if (id == x->twin) return x->name;
    Text t = x->next_name;
    if (id != x->next_twin) view_twin_names(x->v, &id, 1, &t);
    x->twin = id;
    x->name = keep_text(x, t);
    return x->name;
}

// What the change that deletes `id` took away: said by the change before it.
static SosiaValue was_value(const Decoding *x, uint8_t kind, uint64_t id) {
    if (x->was.kind != kind || x->was.id != id) return (SosiaValue){0}; // batches of old files do not say it
    return (SosiaValue){.kind = SOSIA_JSON, .s = x->was.text};
}

static Str model_name(const Decoding *x, uint32_t index) {
    const Catalog *c = x->v->catalog;
    return index < (uint32_t)c->table_count ? c->tables[index].model->id : (Str){0};
}

// The model of a twin that may be gone.
static Str model_of(const Decoding *x, uint64_t twin) {
    TwinView t = view_twin_place(x->v, (TwinId){twin});
    return t.alive ? model_name(x, t.table) : (Str){0};
}

static Str rel_name(const Decoding *x, uint32_t kind) {
    const Catalog *c = x->v->catalog;
    return kind < (uint32_t)c->kind_count ? c->kinds[kind].rel->name : (Str){0};
}

// ---- models -------------------------------------------------------------------------------------------------------

static Err models_added(Decoding *x, const Change *c) {
    Json docs;
    TRY(json_parse(c->text, NULL, &x->list->arena, &docs, NULL));
    int32_t n = docs.type == JSON_ARRAY ? docs.count : 1;
    for (int32_t i = 0; i < n; i++) {
        const Json *doc = docs.type == JSON_ARRAY ? &docs.items[i] : &docs;
        const Json *id = json_get(doc, STR("@id"));
        SosiaChange *e = event_add(x->list, SOSIA_EV_MODEL);
        if (id && id->type == JSON_STRING) e->twin = id->s;
        e->value = (SosiaValue){.kind = SOSIA_JSON, .s = doc->raw};
    }
    return ERR_OK;
}

static void model_changed(Decoding *x, const Change *c) {
    SosiaChange *e = event_add(x->list, SOSIA_EV_MODEL);
    e->twin = c->text;
    if (c->kind == CHANGE_MODEL_FLAG) e->value = (SosiaValue){.kind = SOSIA_BOOL, .b = c->bits != 0};
}

// ---- twins --------------------------------------------------------------------------------------------------------

static void twin_changed(Decoding *x, const Change *c) {
    if (c->kind == CHANGE_TWIN_NEW) {
        SosiaChange *e = event_add(x->list, SOSIA_EV_TWIN_PUT);
        e->twin_no = c->id;
        e->twin = c->text;
        e->model = e->other = model_name(x, c->col);
    } else if (c->kind == CHANGE_TWIN_DEL) {
        SosiaChange *e = event_add(x->list, SOSIA_EV_TWIN_DELETE);
        e->twin_no = c->id;
        e->twin = c->text;
        e->value = was_value(x, CHANGE_TWIN_WAS, c->id);
        if (e->value.kind) e->model = model_name(x, x->was.col);
    } else {
        Str name = twin_name(x, c->id);
        SosiaChange *e = event_add(x->list, SOSIA_EV_SET);
        e->twin_no = c->id;
        e->twin = name;
        e->path = STR("$metadata.$model");
        e->model = model_name(x, c->col);
        e->value = (SosiaValue){.kind = SOSIA_TEXT, .s = e->model};
    }
}

static void value_changed(Decoding *x, const Change *c) {
    const Table *table;
    const LinkKind *kind;
    const Field *f = catalog_field(x->v->catalog, c->col, &table, &kind);
    if (!f || !table || (f->cell == CELL_COMPONENT && c->kind == CHANGE_SET))
        return; // a component is there with its twin
    Str name = twin_name(x, c->id);
    SosiaChange *e = event_add(x->list, c->kind == CHANGE_UNSET ? SOSIA_EV_UNSET : SOSIA_EV_SET);
    e->twin_no = c->id;
    e->twin = name;
    e->column = c->col;
    e->model = table->model->id;
    e->path = f->path;
    e->source_time_ns = c->source_time;
    e->fresh = c->fresh;
    e->late = c->kind == CHANGE_LATE;
    if (c->kind == CHANGE_SET || c->kind == CHANGE_LATE) e->value = value_of_cell(f, true, c->bits, c->text);
}

// ---- relationships ------------------------------------------------------------------------------------------------

static void link_changed(Decoding *x, const Change *c) {
    Str source = twin_name(x, c->other), target = twin_name(x, c->target);
    SosiaChange *e = event_add(x->list, c->kind == CHANGE_LINK_NEW ? SOSIA_EV_LINK_PUT : SOSIA_EV_LINK_DELETE);
    e->twin_no = c->other;
    e->link_no = c->id;
    e->twin = source;
    e->link = c->text;
    e->path = rel_name(x, c->col);
    e->other = target;
    e->model = model_of(x, c->other);
    if (c->kind == CHANGE_LINK_NEW) x->link = *c;
    if (c->kind == CHANGE_LINK_DEL) e->value = was_value(x, CHANGE_LINK_WAS, c->id);
}

// The link of a value as x->link: the batch named it. Batches of format 1 files do not; there it must be alive.
static bool find_link(Decoding *x, uint64_t id) {
    if (x->link.id == id) return true;
    LinkView l = view_link(x->v, (LinkId){id});
    if (!l.alive) return false;
    x->link = (Change){.id = id, .other = l.source.v, .col = l.kind, .text = keep_text(x, l.rid)};
    return true;
}

static void link_value_changed(Decoding *x, const Change *c) {
    const Table *table;
    const LinkKind *kind;
    const Field *f = catalog_field(x->v->catalog, c->col, &table, &kind);
    if (!f || !find_link(x, c->id)) return;
    Str source = twin_name(x, x->link.other);
    bool set = c->kind == CHANGE_LINK_SET;
    SosiaChange *e = event_add(x->list, set ? SOSIA_EV_LINK_SET : SOSIA_EV_LINK_UNSET);
    e->twin_no = x->link.other;
    e->link_no = c->id;
    e->twin = source;
    e->link = x->link.text;
    e->other = rel_name(x, x->link.col);
    e->column = c->col;
    e->model = model_of(x, x->link.other);
    e->path = f->path;
    e->fresh = c->fresh;
    if (set) e->value = value_of_cell(f, true, c->bits, c->text);
}

// ---- telemetry ----------------------------------------------------------------------------------------------------

static void telemetry(Decoding *x, const Change *c) {
    Str rest = c->text;
    Str component = str_cut(&rest, 0), message = str_cut(&rest, 0);
    Str name = twin_name(x, c->id);
    SosiaChange *e = event_add(x->list, SOSIA_EV_TELEMETRY);
    e->twin_no = c->id;
    e->twin = name;
    e->model = model_of(x, c->id);
    e->path = component;
    e->other = message;
    e->value = (SosiaValue){.kind = SOSIA_JSON, .s = rest};
    e->source_time_ns = c->source_time;
}

// ---- batches ------------------------------------------------------------------------------------------------------

static Err one_change(Decoding *x, const Change *c) {
    switch (c->kind) {
    case CHANGE_MODELS_ADD: return models_added(x, c);
    case CHANGE_MODEL_REMOVE:
    case CHANGE_MODEL_FLAG: model_changed(x, c); break;
    case CHANGE_TWIN_NEW:
    case CHANGE_TWIN_DEL:
    case CHANGE_TWIN_MODEL: twin_changed(x, c); break;
    case CHANGE_SET:
    case CHANGE_LATE:
    case CHANGE_UNSET:
    case CHANGE_SOURCE_TIME: value_changed(x, c); break;
    case CHANGE_LINK_NEW:
    case CHANGE_LINK_DEL: link_changed(x, c); break;
    case CHANGE_LINK_SET:
    case CHANGE_LINK_UNSET: link_value_changed(x, c); break;
    case CHANGE_TELEMETRY: telemetry(x, c); break;
    case CHANGE_DOC:
    case CHANGE_TICK:          // what follows from them comes as changes of its own
    case CHANGE_ERASED: break; // a name that nobody shall be told of
    case CHANGE_TWIN_WAS:
    case CHANGE_LINK_WAS: x->was = *c; break;
    case CHANGE_LINK_AT: x->link = *c; break;
    default: return ERR_CORRUPT;
    }
    return ERR_OK;
}

// The twin whose name a change needs, 0 when none is looked up or the change before needs the same.
static uint64_t twin_needed(const Change *c, uint64_t before) {
    bool needs = c->kind == CHANGE_SET || c->kind == CHANGE_LATE || c->kind == CHANGE_UNSET ||
                 c->kind == CHANGE_SOURCE_TIME || c->kind == CHANGE_TELEMETRY;
    return needs && c->id != before ? c->id : 0;
}

// Names lie far apart: those of a run are asked for together.
static Err decode_run(Decoding *x, Cut *cut, int64_t n) {
    Change changes[RUN];
    uint64_t ids[RUN] = {0};
    Text names[RUN];
    for (int64_t i = 0; i < n; i++) {
        TRY(change_decode(cut, &changes[i]));
        ids[i] = twin_needed(&changes[i], i ? changes[i - 1].id : 0);
    }
    view_twin_names(x->v, ids, n, names);
    for (int64_t i = 0; i < n; i++) {
        x->next_twin = ids[i];
        x->next_name = names[i];
        TRY(one_change(x, &changes[i]));
    }
    x->next_twin = 0;
    return ERR_OK;
}

static Err decode_view(View *v, void *ctx) {
    Decoding *x = ctx;
    x->v = v;
    x->list->count = 0;
    x->twin = x->link.id = 0;
    arena_reset(&x->list->arena);
    Cut cut = cut_of(x->bytes);
    TRY(batch_decode(&cut, &x->head));
    for (int64_t left = x->head.count; left && !v->overrun; left -= left < RUN ? left : RUN)
        TRY(decode_run(x, &cut, left < RUN ? left : RUN));
    x->list->used = x->bytes.n - (cut.end - cut.p);
    return ERR_OK;
}

Err events_decode(EventList *l, Realm *r, const SosiaCaller *who, Str bytes, SosiaBatch *out) {
    Decoding x = {.list = l, .bytes = bytes};
    TRY(engine_read_realm(r, who, decode_view, &x, NULL));
    out->seq = x.head.seq;
    out->time_ns = x.head.time;
    out->source = x.head.source;
    out->changes = l->items;
    out->count = l->count;
    return ERR_OK;
}

void events_free(EventList *l) {
    arena_free(&l->arena);
    mem_free(l->items);
}
