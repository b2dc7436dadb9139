// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/mem.h"
#include "codec/json.h"
#include "serve/changes.h"

#define KIN_DEPTH_MAX 64 // models a model extends

// ---- reading ------------------------------------------------------------------------------------------------------

// The values of a repeatable parameter that are not empty.
static void read_list(Filter *f, Call *c, Str name, Str **out, int32_t *count) {
    Str rest = c->view->query, value;
    int32_t n = 0;
    while (call_param_next(c, &rest, name, &value)) n += value.n > 0;
    *out = NEW(&f->keep, Str, n + 1);
    rest = c->view->query;
    while (*count < n && call_param_next(c, &rest, name, &value)) {
        if (value.n > 0) (*out)[(*count)++] = arena_str(&f->keep, value);
    }
}

static bool read_ops(Filter *f, Call *c) {
    Str rest = c->view->query, value;
    while (call_param_next(c, &rest, STR("op"), &value)) {
        if (value.n == 0) continue;
        uint32_t bit = op_parse(value);
        if (!bit) {
            call_failf(c, ERR_ARGUMENT,
                       "op=%.*s is no operation: set, unset, twin_put, twin_delete, link_put, "
                       "link_delete, link_set, link_unset, model or telemetry.",
                       STR_ARG(value));
            return false;
        }
        f->ops |= bit;
    }
    return true;
}

static bool read_where(Filter *f, Call *c) {
    Str text = call_param(c, STR("where"));
    Buf why = {0};
    if (str_trim(text).n == 0) return true;
    f->where = arena_str(&f->keep, text);
    SosiaErr err = sosia_test_new(c->server->engine, c->world, f->where, &f->test, &why);
    if (err == SOSIA_OK) return true;
    if (why.n > 0) call_failf(c, (Err)err, "where: %.*s", STR_ARG(buf_str(&why)));
    else call_fail(c, (Err)err, (Str){0}, (Str){0});
    buf_free(&why);
    return false;
}

bool filter_read(Filter *f, Call *c) {
    *f = (Filter){0};
    arena_init(&f->keep, 512);
    read_list(f, c, STR("twin"), &f->twins, &f->twin_count);
    read_list(f, c, STR("model"), &f->models, &f->model_count);
    read_list(f, c, STR("property"), &f->properties, &f->property_count);
    read_list(f, c, STR("relationship"), &f->relationships, &f->relationship_count);
    if (read_ops(f, c) && read_where(f, c)) return true;
    filter_free(f);
    return false;
}

void filter_free(Filter *f) {
    sosia_test_free(f->test);
    arena_free(&f->keep);
    f->test = NULL;
}

// ---- matching -----------------------------------------------------------------------------------------------------

static bool listed(const Str *items, int32_t n, Str s) {
    for (int32_t i = 0; i < n; i++) {
        if (str_eq(items[i], s)) return true;
    }
    return false;
}

static bool is_link(SosiaEvent what) { return what >= SOSIA_EV_LINK_PUT && what <= SOSIA_EV_LINK_UNSET; }

static bool twin_wanted(const Filter *f, const SosiaChange *ch) {
    if (listed(f->twins, f->twin_count, ch->twin)) return true;
    bool ends = ch->what == SOSIA_EV_LINK_PUT || ch->what == SOSIA_EV_LINK_DELETE;
    return ends && listed(f->twins, f->twin_count, ch->other);
}

// The property itself, or one that lies inside of it.
static bool property_wanted(const Filter *f, const SosiaChange *ch) {
    if (ch->what != SOSIA_EV_SET && ch->what != SOSIA_EV_UNSET && ch->what != SOSIA_EV_LINK_SET &&
        ch->what != SOSIA_EV_LINK_UNSET)
        return false;
    for (int32_t i = 0; i < f->property_count; i++) {
        Str p = f->properties[i];
        if (!str_starts(ch->path, p)) continue;
        if (ch->path.n == p.n || ch->path.p[p.n] == '.') return true;
    }
    return false;
}

static bool relationship_wanted(const Filter *f, const SosiaChange *ch) {
    if (!is_link(ch->what)) return false;
    bool value = ch->what == SOSIA_EV_LINK_SET || ch->what == SOSIA_EV_LINK_UNSET;
    return listed(f->relationships, f->relationship_count, value ? ch->other : ch->path);
}

static bool model_wanted(const Filter *f, const Kin *kin) {
    for (int32_t i = 0; kin && i < kin->count; i++) {
        if (listed(f->models, f->model_count, kin->ids[i])) return true;
    }
    return false;
}

bool filter_wants(const Filter *f, const SosiaChange *ch, const Kin *kin) {
    if (f->ops && !(f->ops & 1u << ch->what)) return false;
    if (ch->what == SOSIA_EV_MODEL) {
        return f->twin_count + f->model_count + f->property_count + f->relationship_count == 0 && !f->test;
    }
    return (f->twin_count == 0 || twin_wanted(f, ch)) && (f->property_count == 0 || property_wanted(f, ch)) &&
           (f->relationship_count == 0 || relationship_wanted(f, ch)) && (f->model_count == 0 || model_wanted(f, kin));
}

int64_t filter_test(Filter *f, const SosiaBatch *b, int32_t *index, int64_t n) {
    if (n == 0) return 0;
    uint64_t *twins = mem_alloc((size_t)n * sizeof *twins);
    bool *pass = mem_alloc((size_t)n);
    for (int64_t i = 0; i < n; i++) twins[i] = b->changes[index[i]].twin_no;
    int64_t kept = sosia_test_twins(f->test, twins, n, pass) == SOSIA_OK ? 0 : -1;
    for (int64_t i = 0; i < n && kept >= 0; i++) {
        if (pass[i]) index[kept++] = index[i];
    }
    mem_free(twins);
    mem_free(pass);
    return kept;
}

bool filter_batch(Filter *f, Fan *fan, const SosiaBatch *b, bool *want) {
    int64_t n = 0;
    int32_t *index = f->test ? mem_alloc((size_t)b->count * sizeof *index + 1) : NULL;
    for (int64_t i = 0; i < b->count; i++) {
        const SosiaChange *ch = &b->changes[i];
        if (ch->what == SOSIA_EV_MODEL) kins_forget(&fan->kins);
        want[i] = filter_wants(f, ch, f->model_count > 0 ? fan_kin(fan, ch->model) : NULL);
        if (index && want[i]) index[n++] = (int32_t)i;
    }
    if (!index) return true;
    for (int64_t i = 0; i < b->count; i++) want[i] = false;
    n = filter_test(f, b, index, n);
    for (int64_t i = 0; i < n; i++) want[index[i]] = true;
    mem_free(index);
    return n >= 0;
}

// ---- kin ----------------------------------------------------------------------------------------------------------

static bool known(const Str *ids, int32_t n, Str id) { return listed(ids, n, id); }

// Models of the answer of GET_MODELS: what the model `id` extends goes to the end of ids.
static void add_bases(const Json *models, Str id, Str *ids, int32_t *n) {
    for (int32_t i = 0; i < models->count; i++) {
        const Json *doc = json_get(&models->items[i], STR("model")), *name = json_get(&models->items[i], STR("id"));
        const Json *bases = json_get(doc, STR("extends"));
        if (!name || name->type != JSON_STRING || !str_eq(name->s, id) || !bases) continue;
        int32_t count = bases->type == JSON_ARRAY ? bases->count : 1;
        for (int32_t k = 0; k < count; k++) {
            const Json *base = bases->type == JSON_ARRAY ? &bases->items[k] : bases;
            if (base->type == JSON_OBJECT) base = json_get(base, STR("@id"));
            if (!base || base->type != JSON_STRING || *n == KIN_DEPTH_MAX || known(ids, *n, base->s)) continue;
            ids[(*n)++] = base->s;
        }
    }
}

static void find_kin(Kins *k, const Json *models, Str model, Kin *out) {
    Str ids[KIN_DEPTH_MAX] = {model};
    int32_t n = 1;
    for (int32_t i = 0; models && models->type == JSON_ARRAY && i < n; i++) add_bases(models, ids[i], ids, &n);
    out->ids = NEW(&k->keep, Str, n);
    out->count = n;
    for (int32_t i = 0; i < n; i++) out->ids[i] = arena_str(&k->keep, ids[i]);
}

static const Kin *look_up(Kins *k, Sosia *engine, Str world, Str model) {
    SosiaOut out = {0};
    SosiaRead r = {
        .what = SOSIA_GET_MODELS, .world = world, .ids = &model, .id_count = 1, .definition = true, .limit = 1000};
    Arena scratch;
    Json models;
    arena_init(&scratch, 0);
    bool ok = sosia_read(engine, NULL, &r, &out) == SOSIA_OK &&
              json_parse(buf_str(&out.body), NULL, &scratch, &models, NULL) == ERR_OK;
    if (k->count == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 16;
        k->items = mem_grow(k->items, (size_t)k->cap * sizeof *k->items);
    }
    Kin *kin = &k->items[k->count];
    find_kin(k, ok ? &models : NULL, model, kin);
    map_put(&k->index, kin->ids[0], k->count++);
    arena_free(&scratch);
    sosia_out_free(&out);
    return kin;
}

const Kin *kins_of(Kins *k, Sosia *engine, Str world, Str model) {
    int64_t at;
    if (model.n == 0) return NULL;
    if (map_get(&k->index, model, &at)) return &k->items[at];
    return look_up(k, engine, world, model);
}

void kins_forget(Kins *k) {
    map_free(&k->index);
    arena_free(&k->keep);
    mem_free(k->items);
    *k = (Kins){0};
    arena_init(&k->keep, 512);
}
