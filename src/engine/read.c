// SPDX-License-Identifier: Apache-2.0
// sosia_read: documents out, page by page.
//
// Pages are cut by id: twins ascending, links descending (the order of their lists), models by place of upload. Ids are
// never reused, so whatever is added or removed between two pages, nothing that stays is skipped or shown twice.
#include "engine/definition.h"
#include "engine/derive.h"
#include "engine/retention.h"
#include "engine/pasts.h"
#include "base/check.h"
#include "model/dtmi.h"
#include "world/past.h"

#define LIMIT_TWINS 1000
#define LIMIT_OTHERS 100

typedef struct Reading {
    Sosia *engine;
    const SosiaRead *r;
    SosiaOut *out;
    ShowOptions show;
} Reading;

static Err fail(Reading *x, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err fail(Reading *x, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&x->out->message);
    buf_vprintf(&x->out->message, fmt, ap);
    va_end(ap);
    return err;
}

// ---- single things ------------------------------------------------------------------------------------------------

static Err find_twin(View *v, Reading *x, TwinId *id) {
    *id = view_find_twin(v, x->r->id);
    if (id->v) return ERR_OK;
    return fail(x, ERR_TWIN_NOT_FOUND, "there is no twin \"%.*s\"", STR_ARG(x->r->id));
}

static Err read_twin(View *v, Reading *x) {
    TwinId id;
    TRY(find_twin(v, x, &id));
    etag_of_twin(id, view_twin_time(v, id), x->out->etag);
    show_twin(v, id, &x->show, &x->out->body);
    return ERR_OK;
}

static Err read_component(View *v, Reading *x) {
    TwinId id;
    TRY(find_twin(v, x, &id));
    if (show_component(v, id, x->r->sub, &x->show, &x->out->body))
        return fail(x, ERR_COMPONENT_NOT_FOUND, "twin \"%.*s\" has no component \"%.*s\"", STR_ARG(x->r->id),
                    STR_ARG(x->r->sub));
    etag_of_twin(id, view_twin_time(v, id), x->out->etag);
    return ERR_OK;
}

static Err read_link(View *v, Reading *x) {
    TwinId source;
    TRY(find_twin(v, x, &source));
    LinkId id = view_find_link(v, source, x->r->sub);
    if (!id.v)
        return fail(x, ERR_LINK_NOT_FOUND, "twin \"%.*s\" has no relationship \"%.*s\"", STR_ARG(x->r->id),
                    STR_ARG(x->r->sub));
    etag_of_link(id, view_link(v, id).update_time, x->out->etag);
    show_link(v, id, &x->out->body);
    return ERR_OK;
}

static Err find_model(View *v, Reading *x, Str id, const Model **out) {
    Dtmi parts;
    *out = schema_find(v->catalog->schema, id);
    if (!*out && !dtmi_parse(id, &parts)) return fail(x, ERR_ARGUMENT, "\"%.*s\" is no model id", STR_ARG(id));
    return *out ? ERR_OK : fail(x, ERR_MODEL_NOT_FOUND, "there is no model \"%.*s\"", STR_ARG(id));
}

static Err read_model(View *v, Reading *x) {
    const Model *m;
    TRY(find_model(v, x, x->r->id, &m));
    show_model(v, m, x->r->definition, &x->out->body);
    return ERR_OK;
}

static Err read_derived(View *v, Reading *x) {
    if (derive_show(v, x->r->id, &x->out->body) == ERR_OK) return ERR_OK;
    return fail(x, ERR_DERIVED_NOT_FOUND, "there is no derived value \"%.*s\"", STR_ARG(x->r->id));
}

static Err read_retention(View *v, Reading *x) {
    if (retention_show(v, x->r->id, &x->out->body) == ERR_OK) return ERR_OK;
    return fail(x, ERR_RETENTION_NOT_FOUND, "there is no policy of retention \"%.*s\"", STR_ARG(x->r->id));
}

// ---- pages --------------------------------------------------------------------------------------------------------

// One page being filled. Tokens carry the id of the last item shown.
typedef struct Pager {
    Reading *x;
    char kind;
    Str scope, more;
    int64_t limit, count;
    uint64_t after, last; // last item of the page before; of this one
    bool resumed;
} Pager;

static Err pager_begin(Pager *p, Reading *x, char kind, Str scope, Str more, int32_t limit) {
    *p = (Pager){.x = x, .kind = kind, .scope = scope, .more = more, .limit = x->r->limit ? x->r->limit : limit};
    if (p->limit < 0) return fail(x, ERR_ARGUMENT, "the number of items a page must be positive");
    if (x->r->token.n) {
        if (token_parse(x->r->token, kind, scope, more, &p->after))
            return fail(x, ERR_ARGUMENT, "the continuation token does not belong to this list");
        p->resumed = true;
    }
    buf_byte(&x->out->body, '[');
    return ERR_OK;
}

// Room for one more item? At the first one too many, the page ends with a token.
static bool pager_item(Pager *p, uint64_t id) {
    if (p->count == p->limit) {
        token_print(p->kind, p->last, p->scope, p->more, p->x->out->token);
        return false;
    }
    if (p->count++) buf_byte(&p->x->out->body, ',');
    p->last = id;
    return true;
}

static void pager_end(Pager *p) { buf_byte(&p->x->out->body, ']'); }

// ---- links --------------------------------------------------------------------------------------------------------

static LinkId list_next(const LinkView *l, bool incoming) { return incoming ? l->next_in : l->next_out; }

// Where the page begins: behind link `after` when it still is in this list, else at the first one with a smaller id.
static LinkId list_start(View *v, const Pager *p, TwinId twin, bool incoming) {
    TwinView t = view_twin(v, twin);
    LinkId first = incoming ? t.first_in : t.first_out;
    if (!p->resumed) return first;
    LinkView l = view_link(v, (LinkId){p->after});
    if (l.alive && (incoming ? l.target : l.source).v == twin.v) return list_next(&l, incoming);
    while (first.v >= p->after && first.v && !v->overrun) {
        l = view_link(v, first);
        first = list_next(&l, incoming);
    }
    return first;
}

static Err read_links(View *v, Reading *x, bool incoming) {
    TwinId twin;
    TRY(find_twin(v, x, &twin));
    Pager p;
    TRY(pager_begin(&p, x, incoming ? 'i' : 'o', x->r->id, x->r->filter, LIMIT_OTHERS));
    LinkView l;
    for (LinkId id = list_start(v, &p, twin, incoming); id.v && !v->overrun; id = list_next(&l, incoming)) {
        l = view_link(v, id);
        if (!l.alive || l.kind >= (uint32_t)v->catalog->kind_count) break; // only when the view was outrun
        if (x->r->filter.n && !str_eq(v->catalog->kinds[l.kind].rel->name, x->r->filter)) continue;
        if (!pager_item(&p, id.v)) break;
        if (incoming) show_incoming(v, id, &x->show, &x->out->body);
        else show_link(v, id, &x->out->body);
    }
    pager_end(&p);
    return ERR_OK;
}

// ---- twins --------------------------------------------------------------------------------------------------------

// Which tables hold twins of the model or of a subtype; all[t] in the arena. Errors: MODEL_NOT_FOUND.
static Err tables_of(View *v, Reading *x, Arena *arena, bool **all) {
    const Catalog *c = v->catalog;
    bool *in = NEW(arena, bool, c->table_count + 1);
    bool known = !x->r->filter.n;
    for (int32_t t = 0; t < c->table_count; t++) {
        const Model *m = c->tables[t].model;
        in[t] = !x->r->filter.n || (m && model_is(m, x->r->filter));
        known = known || (m && str_eq(m->id, x->r->filter));
    }
    *all = in;
    return known ? ERR_OK : fail(x, ERR_MODEL_NOT_FOUND, "there is no model \"%.*s\"", STR_ARG(x->r->filter));
}

static void scan_twins(View *v, Reading *x, Pager *p, const bool *in) {
    uint64_t max = view_meta(v, META_ID_MAX);
    for (uint64_t id = p->after + 1; id <= max && !v->overrun; id++) {
        uint64_t page = id >> PAGE_SHIFT;
        if (!view_whole_page(v, VECNO_HOT, page)) { // a run of link ids
            id = ((page + 1) << PAGE_SHIFT) - 1;
            continue;
        }
        TwinView t = view_twin_place(v, (TwinId){id});
        if (!t.alive || t.table >= (uint32_t)v->catalog->table_count || !in[t.table]) continue;
        if (!pager_item(p, id)) return;
        show_twin(v, (TwinId){id}, &x->show, &x->out->body);
    }
}

static Err read_twins(View *v, Reading *x) {
    Arena arena;
    arena_init(&arena, 4096);
    bool *in;
    Pager p;
    Err err = tables_of(v, x, &arena, &in);
    if (!err) err = pager_begin(&p, x, 't', x->r->filter, (Str){0}, LIMIT_TWINS);
    if (!err) {
        scan_twins(v, x, &p, in);
        pager_end(&p);
    }
    arena_free(&arena);
    return err;
}

// ---- models -------------------------------------------------------------------------------------------------------

// Mark a model and everything it extends or embeds. `queue` has room for every model.
static void mark_closure(const Schema *s, const Model *m, bool *in, const Model **queue) {
    int32_t n = 0;
    if (!in[m->index]) queue[n++] = m;
    in[m->index] = true;
    while (n > 0) {
        m = queue[--n];
        for (int32_t i = 0; i < m->dependency_count; i++) {
            const Model *d = schema_find(s, m->dependencies[i]);
            if (!d || in[d->index]) continue;
            in[d->index] = true;
            queue[n++] = d;
        }
    }
}

// Which models the list is of. Errors: MODEL_NOT_FOUND.
static Err models_of(View *v, Reading *x, Arena *arena, bool **all) {
    const Schema *s = v->catalog->schema;
    int32_t n = schema_count(s);
    bool *in = NEW(arena, bool, n + 1);
    const Model **queue = NEW(arena, const Model *, n + 1);
    for (int32_t i = 0; i < n && !x->r->id_count; i++) in[i] = true;
    for (int32_t i = 0; i < x->r->id_count; i++) {
        const Model *m;
        TRY(find_model(v, x, x->r->ids[i], &m));
        mark_closure(s, m, in, queue);
    }
    *all = in;
    return ERR_OK;
}

// The ids of dependenciesFor as one text, for the token.
static Str models_scope(const SosiaRead *r, Arena *arena) {
    Str all = {0};
    for (int32_t i = 0; i < r->id_count; i++) all = arena_printf(arena, "%.*s,%.*s", STR_ARG(all), STR_ARG(r->ids[i]));
    return all;
}

static Err show_models(View *v, Reading *x, Arena *arena) {
    bool *in;
    Pager p;
    TRY(models_of(v, x, arena, &in));
    TRY(pager_begin(&p, x, 'm', models_scope(x->r, arena), (Str){0}, LIMIT_OTHERS));
    const Schema *s = v->catalog->schema;
    for (int64_t i = p.resumed ? (int64_t)p.after + 1 : 0; i < schema_count(s); i++) {
        const Model *m = schema_at(s, (int32_t)i);
        if (!m || !in[i]) continue;
        if (!pager_item(&p, (uint64_t)i)) break;
        show_model(v, m, x->r->definition, &x->out->body);
    }
    pager_end(&p);
    return ERR_OK;
}

static Err read_models(View *v, Reading *x) {
    Arena arena;
    arena_init(&arena, 16384);
    Err err = show_models(v, x, &arena);
    arena_free(&arena);
    return err;
}

// ---- the call -----------------------------------------------------------------------------------------------------

static Err read_definition(View *v, Reading *x) {
    Err err = definition_show(v, x->r->sub, x->r->id, &x->out->body);
    if (err == ERR_ARGUMENT) return fail(x, err, "there are no definitions called \"%.*s\"", STR_ARG(x->r->sub));
    if (!err) return ERR_OK;
    return fail(x, err, "there is no definition \"%.*s\" among the %.*s", STR_ARG(x->r->id), STR_ARG(x->r->sub));
}

static void out_reset(SosiaOut *out) {
    buf_reset(&out->body);
    buf_reset(&out->message);
    out->etag[0] = out->token[0] = 0;
}

static Err read_view(View *v, void *ctx) {
    Reading *x = ctx;
    out_reset(x->out);
    switch (x->r->what) {
    case SOSIA_GET_TWIN: return read_twin(v, x);
    case SOSIA_GET_COMPONENT: return read_component(v, x);
    case SOSIA_GET_LINK: return read_link(v, x);
    case SOSIA_GET_LINKS: return read_links(v, x, false);
    case SOSIA_GET_INCOMING: return read_links(v, x, true);
    case SOSIA_GET_MODEL: return read_model(v, x);
    case SOSIA_GET_MODELS: return read_models(v, x);
    case SOSIA_GET_TWINS: return read_twins(v, x);
    case SOSIA_GET_DERIVED: return read_derived(v, x);
    case SOSIA_GET_RETENTION: return read_retention(v, x);
    case SOSIA_GET_DEFINITION: return read_definition(v, x);
    default: return fail(x, ERR_ARGUMENT, "there is no such thing to read");
    }
}

static Err read_engine(Reading *x) {
    out_reset(x->out);
    if (x->r->what == SOSIA_GET_WORLDS) worlds_show(x->engine, &x->out->body);
    else stats_show(x->engine, &x->out->body);
    x->out->seq = world_visible(x->engine->live->world);
    return ERR_OK;
}

SosiaErr sosia_read(Sosia *s, const SosiaCaller *who, const SosiaRead *r, SosiaOut *out) {
    Reading x = {s, r, out, {.no_times = r->no_times, .base_url = r->base_url, .api_version = r->api_version}};
    bool one = r->what == SOSIA_GET_WORLDS && r->id.n,
         engine = r->what == SOSIA_GET_WORLDS || r->what == SOSIA_GET_STATS;
    if (engine && !one) return (SosiaErr)read_engine(&x);
    Str world = one ? r->id : r->world;
    out_reset(out);
    Err err =
        one ? world_show_one(s, world, &out->body, &out->seq) : engine_read(s, who, world, read_view, &x, &out->seq);
    if (!err && out->body.full) err = fail(&x, ERR_LIMIT, "the result is too large");
    if (!err) return SOSIA_OK;
    bool said = out->message.n && err != ERR_WORLD_NOT_FOUND && err != ERR_STORAGE && err != ERR_CORRUPT;
    if (!said) pasts_why(s, world, err, &out->message);
    buf_reset(&out->body);
    out->etag[0] = out->token[0] = 0;
    return (SosiaErr)err;
}

void sosia_out_free(SosiaOut *out) {
    buf_free(&out->body);
    buf_free(&out->message);
}
