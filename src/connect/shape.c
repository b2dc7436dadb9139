// SPDX-License-Identifier: Apache-2.0
// What is known of a kind is what its models say: version 1 and, for version k, all fields that came after version 1.
// Nothing else is stored, so a restart, or another look after a failure, reads the same.
//
//   1. `since` of a property is the first version known to have it; later versions have it as well.
//   2. (field, schema) -> property never changes; a property's name is used once in a kind.
#include "connect/shape.h"
#include <pthread.h>
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/json.h"

#define NAME_BYTES 64
#define NAMES_TRIED 100 // kinds, or fields, whose names become the same

typedef struct Prop {
    Str name, schema, property, description;
    bool writable;
    int32_t since;
} Prop;

typedef struct Shape {
    Arena arena; // owns all texts
    Str key;     // prefix NUL kind
    Str kind, display;
    Str base;        // "dtmi:sosia:line:cpu"
    int32_t version; // newest; 0: none yet
    Prop *props;
    int32_t count, cap;
    Map by_field;    // name NUL schema -> props
    Map by_property; // -> props
} Shape;

struct Shapes {
    Sosia *engine;
    pthread_mutex_t moves; // taken before `lock`: between a look at a twin's model and its move nobody else moves one
    pthread_mutex_t lock;  // guards all below
    Shape **items;
    int64_t count, cap;
    Map by_key;
};

// ---- names --------------------------------------------------------------------------------------------------------

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_alnum(char c) { return is_alpha(c) || (c >= '0' && c <= '9'); }

Str shape_name(Str text, Arena *arena) {
    char *out = arena_alloc(arena, 1, NAME_BYTES + 1, 1);
    int64_t n = 0;
    for (int64_t i = 0; i < text.n && n < NAME_BYTES - 1; i++) {
        char c = text.p[i];
        if (is_alnum(c)) {
            if (n == 0 && !is_alpha(c)) out[n++] = 'n';
            out[n++] = c;
        } else if (n && (c == '_' || out[n - 1] != '_')) {
            out[n++] = '_';
        }
    }
    while (n && out[n - 1] == '_') n--;
    return n ? (Str){out, n} : STR("unnamed");
}

// "a:b c" -> "a:b_c".
static Str path_name(Str prefix, Arena *arena) {
    Buf b = {0};
    while (prefix.n) {
        if (b.n) buf_byte(&b, ':');
        buf_str_put(&b, shape_name(str_cut(&prefix, ':'), arena));
    }
    Str path = b.n ? arena_str(arena, buf_str(&b)) : STR("made");
    buf_free(&b);
    return path;
}

static Str pair_key(Str a, Str b, Arena *arena) { return arena_printf(arena, "%.*s%c%.*s", STR_ARG(a), 0, STR_ARG(b)); }

// ---- one kind -----------------------------------------------------------------------------------------------------

static void shape_drop(Shape *x) {
    map_free(&x->by_field);
    map_free(&x->by_property);
    mem_free(x->props);
    arena_free(&x->arena);
    mem_free(x);
}

static Prop *find_prop(const Shape *x, Str name, Str schema, Arena *arena) {
    int64_t at;
    return map_get(&x->by_field, pair_key(name, schema, arena), &at) ? &x->props[at] : NULL;
}

// A property learnt; texts are copied. The first version that has it counts.
static void learn(Shape *x, const Prop *p) {
    int64_t at;
    if (map_get(&x->by_property, p->property, &at)) return;
    if (x->count == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 16;
        x->props = mem_grow(x->props, (size_t)x->cap * sizeof *x->props);
    }
    Prop *q = &x->props[x->count];
    *q = *p;
    q->name = arena_str(&x->arena, p->name);
    q->schema = arena_str(&x->arena, p->schema);
    q->property = arena_str(&x->arena, p->property);
    q->description = arena_str(&x->arena, p->description);
    map_put(&x->by_property, q->property, x->count);
    if (q->name.n) map_put(&x->by_field, pair_key(q->name, q->schema, &x->arena), x->count);
    x->count++;
}

// The schema as a field names it: a word, "Relationship", or the JSON of a complex one. Borrowed, or in the arena.
static Str schema_of(const Json *content, Arena *arena) {
    const Json *schema = json_get(content, STR("schema"));
    if (str_eq(json_text(content, STR("@type")), STR("Relationship"))) return STR("Relationship");
    if (!schema || schema->type != JSON_OBJECT) return json_text(content, STR("schema"));
    Buf b = {0};
    json_put(&b, schema);
    Str s = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return s;
}

// Contents that no field made (the name is ""): their names are taken all the same.
static void learn_contents(Shape *x, const Json *model, int32_t version, Arena *arena) {
    const Json *all = json_get(model, STR("contents"));
    for (int32_t i = 0; all && all->type == JSON_ARRAY && i < all->count; i++) {
        const Json *c = &all->items[i], *writable = json_get(c, STR("writable"));
        Prop p = {.name = json_text(c, STR("comment")),
                  .schema = schema_of(c, arena),
                  .property = json_text(c, STR("name")),
                  .description = json_text(c, STR("description")),
                  .writable = writable && writable->type == JSON_TRUE,
                  .since = version};
        if (p.property.n) learn(x, &p);
    }
}

// Read base;version. *mine: it was made for this kind; only then something is learnt.
static Err load_version(Sosia *engine, Shape *x, Str base, int32_t version, bool *mine) {
    Arena a;
    arena_init(&a, 0);
    SosiaOut out = {0};
    SosiaRead r = {
        .what = SOSIA_GET_MODEL, .id = arena_printf(&a, "%.*s;%d", STR_ARG(base), version), .definition = true};
    Json doc;
    Err err = (Err)sosia_read(engine, NULL, &r, &out);
    if (!err) err = json_parse(buf_str(&out.body), NULL, &a, &doc, NULL);
    if (!err) {
        const Json *model = json_get(&doc, STR("model"));
        *mine = model && str_eq(json_text(model, STR("comment")), x->kind);
        if (*mine) {
            learn_contents(x, model, version, &a);
            x->version = version;
        }
    }
    sosia_out_free(&out);
    arena_free(&a);
    return err;
}

// Find the name of the kind's models, and all that is known of them.
static Err shape_load(Sosia *engine, Shape *x, Str prefix) {
    Str name = shape_name(x->kind, &x->arena), path = path_name(prefix, &x->arena);
    for (int i = 1; i <= NAMES_TRIED; i++) {
        Str base = arena_printf(&x->arena, "dtmi:sosia:%.*s:%.*s", STR_ARG(path), STR_ARG(name));
        if (i > 1) base = arena_printf(&x->arena, "%.*s_%d", STR_ARG(base), i);
        bool mine = false;
        Err err = load_version(engine, x, base, 1, &mine);
        if (err && err != ERR_MODEL_NOT_FOUND) return err;
        if (!err && !mine) continue; // someone else's
        x->base = base;
        while (!err) err = load_version(engine, x, base, x->version + 1, &mine);
        return err == ERR_MODEL_NOT_FOUND ? ERR_OK : err;
    }
    return ERR_LIMIT;
}

// ---- making a version ---------------------------------------------------------------------------------------------

// Whole characters of `s`, as many as a DTDL text holds.
static Str text_cut(Str s) {
    if (s.n <= SHAPE_TEXT_MAX) return s;
    int64_t n = SHAPE_TEXT_MAX;
    while (n && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    return str_sub(s, 0, n);
}

static bool is_relationship(const Prop *p) { return str_eq(p->schema, STR("Relationship")); }

static void put_prop(Buf *b, const Prop *p) {
    if (is_relationship(p)) {
        buf_printf(b, "{\"@type\":\"Relationship\",\"name\":\"%.*s\",\"comment\":", STR_ARG(p->property));
    } else {
        const char *quote = p->schema.n && p->schema.p[0] == '{' ? "" : "\"";
        buf_printf(b,
                   "{\"@type\":\"Property\",\"name\":\"%.*s\",\"schema\":%s%.*s%s,\"comment\":", STR_ARG(p->property),
                   quote, STR_ARG(p->schema), quote);
    }
    json_put_str(b, p->name);
    if (!str_eq(p->name, p->property)) {
        buf_printf(b, ",\"displayName\":");
        json_put_str(b, p->name);
    }
    if (p->description.n) {
        buf_printf(b, ",\"description\":");
        json_put_str(b, text_cut(p->description));
    }
    if (is_relationship(p)) buf_byte(b, '}');
    else buf_printf(b, ",\"writable\":%s}", p->writable ? "true" : "false");
}

// The document of x->version + 1: fields that version 1 lacks, with those of `more` behind them.
static void put_model(Buf *b, const Shape *x, const Prop *more, int32_t n) {
    buf_printf(b, "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"%.*s;%d\",\"@type\":\"Interface\",\"displayName\":",
               STR_ARG(x->base), x->version + 1);
    json_put_str(b, text_cut(x->display.n ? x->display : x->kind));
    buf_printf(b, ",\"comment\":");
    json_put_str(b, x->kind);
    if (x->version) buf_printf(b, ",\"extends\":\"%.*s;1\"", STR_ARG(x->base));
    buf_printf(b, ",\"contents\":[");
    bool first = true;
    for (int32_t i = 0; i < x->count + n; i++) {
        const Prop *p = i < x->count ? &x->props[i] : &more[i - x->count];
        if (x->version && p->since == 1) continue;
        if (!first) buf_byte(b, ',');
        first = false;
        put_prop(b, p);
    }
    buf_printf(b, "]}]");
}

static bool name_taken(const Shape *x, const Prop *more, int32_t n, Str name) {
    int64_t at;
    if (map_get(&x->by_property, name, &at)) return true;
    for (int32_t i = 0; i < n; i++)
        if (str_eq(more[i].property, name)) return true;
    return false;
}

static bool field_known(const Shape *x, Str name) {
    for (int32_t i = 0; i < x->count; i++)
        if (str_eq(x->props[i].name, name)) return true;
    return false;
}

static Err new_property(const Shape *x, const Prop *more, int32_t n, const ShapeField *f, Arena *arena, Str *out) {
    Str name = shape_name(f->name, arena);
    bool again = field_known(x, f->name);
    for (int32_t i = 0; i < n && !again; i++) again = str_eq(more[i].name, f->name);
    Str suffix = f->schema.n && f->schema.p[0] == '{' ? STR("document") : f->schema;
    if (again) name = arena_printf(arena, "%.*s_%.*s", STR_ARG(name), STR_ARG(suffix));
    *out = name;
    for (int i = 2; name_taken(x, more, n, *out); i++) {
        if (i > NAMES_TRIED) return ERR_LIMIT;
        *out = arena_printf(arena, "%.*s_%d", STR_ARG(name), i);
    }
    return ERR_OK;
}

// The fields among `fields` that the kind lacks, each once, with names for their properties.
static Err missing(const Shape *x, const ShapeField *fields, int32_t count, Arena *arena, Prop **out, int32_t *n) {
    Prop *more = NEW(arena, Prop, count);
    Map seen = {0};
    Err err = ERR_OK;
    *n = 0;
    for (int32_t i = 0; i < count && !err; i++) {
        const ShapeField *f = &fields[i];
        Str key = pair_key(f->name, f->schema, arena);
        int64_t at;
        if (map_get(&x->by_field, key, &at) || map_get(&seen, key, &at)) continue;
        Prop *p = &more[*n];
        *p = (Prop){.name = f->name,
                    .schema = f->schema,
                    .description = f->description,
                    .writable = f->writable,
                    .since = x->version + 1};
        err = new_property(x, more, *n, f, arena, &p->property);
        map_put(&seen, key, *n);
        (*n)++;
    }
    map_free(&seen);
    *out = more;
    if (!err && x->count + *n > SHAPE_FIELDS_MAX) err = ERR_LIMIT;
    return err;
}

static Err make_version(Sosia *engine, Shape *x, const Prop *more, int32_t n) {
    if (x->version >= SHAPE_VERSIONS_MAX) return ERR_LIMIT;
    Buf body = {0}, keep = {0};
    SosiaDone done;
    put_model(&body, x, more, n);
    SosiaWrite w = {.op = SOSIA_MODELS_ADD, .body = buf_str(&body)};
    Err err = (Err)sosia_write_wait(engine, NULL, &w, &done, &keep);
    if (!err) {
        x->version++;
        for (int32_t i = 0; i < n; i++) learn(x, &more[i]);
    } else if (err == ERR_MODEL_EXISTS) {
        bool mine;
        int32_t version = x->version + 1;
        err = load_version(engine, x, x->base, version, &mine);
        x->version = version;
    }
    sosia_buf_free(&keep);
    buf_free(&body);
    return err;
}

// ---- the table ----------------------------------------------------------------------------------------------------

Shapes *shapes_new(Sosia *engine) {
    Shapes *s = mem_alloc(sizeof *s);
    s->engine = engine;
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&s->moves, NULL) == 0);
    return s;
}

void shapes_free(Shapes *s) {
    if (!s) return;
    for (int64_t i = 0; i < s->count; i++) shape_drop(s->items[i]);
    map_free(&s->by_key);
    mem_free(s->items);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->moves);
    mem_free(s);
}

static Err shape_find(Shapes *s, Str prefix, Str kind, Str display, Arena *arena, Shape **out) {
    int64_t at;
    Str key = pair_key(prefix, kind, arena);
    if (map_get(&s->by_key, key, &at)) {
        *out = s->items[at];
        return ERR_OK;
    }
    if (s->count == SHAPES_MAX) return ERR_LIMIT;
    Shape *x = mem_alloc(sizeof *x);
    arena_init(&x->arena, 4096);
    x->key = arena_str(&x->arena, key);
    x->kind = arena_str(&x->arena, kind);
    x->display = arena_str(&x->arena, display);
    Err err = shape_load(s->engine, x, prefix);
    if (err) {
        shape_drop(x);
        return err;
    }
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->items = mem_grow(s->items, (size_t)s->cap * sizeof(Shape *));
    }
    map_put(&s->by_key, x->key, s->count);
    s->items[s->count++] = x;
    *out = x;
    return ERR_OK;
}

static Err check_names(Str kind, const ShapeField *fields, int32_t count) {
    if (kind.n > SHAPE_TEXT_MAX || count > SHAPE_FIELDS_MAX) return ERR_LIMIT;
    if (!kind.n || !str_utf8_ok(kind)) return ERR_ARGUMENT;
    for (int32_t i = 0; i < count; i++) {
        Str name = fields[i].name;
        if (name.n > SHAPE_TEXT_MAX) return ERR_LIMIT;
        if (!name.n || !str_utf8_ok(name) || !str_utf8_ok(fields[i].description)) return ERR_ARGUMENT;
    }
    return ERR_OK;
}

// Fill in what is asked for from a kind that has all fields.
static void answer(const Shape *x, ShapeField *fields, int32_t count, Arena *arena, Str *model) {
    int32_t version = 1;
    for (int32_t i = 0; i < count; i++) {
        const Prop *p = find_prop(x, fields[i].name, fields[i].schema, arena);
        CHECK(p != NULL);
        fields[i].property = arena_str(arena, p->property);
        if (p->since > version) version = p->since;
    }
    *model = arena_printf(arena, "%.*s;%d", STR_ARG(x->base), version);
}

Err shape_of(Shapes *s, Str prefix, Str kind, Str display, ShapeField *fields, int32_t count, Arena *arena,
             Str *model) {
    TRY(check_names(kind, fields, count));
    pthread_mutex_lock(&s->lock);
    Shape *x;
    Err err = shape_find(s, prefix, kind, display, arena, &x);
    while (!err) {
        Prop *more;
        int32_t n;
        err = missing(x, fields, count, arena, &more, &n);
        if (err || (!n && x->version)) break;
        err = make_version(s->engine, x, more, n);
    }
    if (!err) answer(x, fields, count, arena, model);
    pthread_mutex_unlock(&s->lock);
    return err;
}

// "dtmi:sosia:line:cpu;12" -> base and 12. False when it has no whole version.
static bool model_cut(Str model, Str *base, int64_t *version) {
    int64_t at = str_find(model, ';', 0);
    if (at < 0) return false;
    *base = str_sub(model, 0, at);
    return str_to_i64(str_sub(model, at + 1, model.n), version);
}

void shape_forget(Shapes *s, Str model) {
    Str base;
    int64_t version;
    if (!model_cut(model, &base, &version)) return;
    pthread_mutex_lock(&s->lock);
    for (int64_t i = 0; i < s->count; i++) {
        Shape *x = s->items[i];
        if (!str_eq(x->base, base)) continue;
        map_del(&s->by_key, x->key);
        s->items[i] = s->items[--s->count];
        if (i < s->count) map_put(&s->by_key, s->items[i]->key, i);
        shape_drop(x);
        break;
    }
    pthread_mutex_unlock(&s->lock);
}

// ---- twins --------------------------------------------------------------------------------------------------------

static bool model_serves(Str have, Str want) {
    Str a, b;
    int64_t i, k;
    if (str_eq(have, want)) return true;
    return model_cut(have, &a, &i) && model_cut(want, &b, &k) && str_eq(a, b) && i > k;
}

static bool same_kind(Str have, Str want) {
    Str a, b;
    int64_t i, k;
    return model_cut(have, &a, &i) && model_cut(want, &b, &k) && str_eq(a, b);
}

static Err write_twin(Shapes *s, const SosiaWrite *w, Str model, Buf *why) {
    Buf keep = {0};
    SosiaDone done;
    Err err = (Err)sosia_write_wait(s->engine, NULL, w, &done, &keep);
    if (err && err != ERR_EXISTS) buf_str_put(why, done.message);
    sosia_buf_free(&keep);
    if (err == ERR_VALIDATION) shape_forget(s, model);
    return err;
}

static Err put_twin(Shapes *s, Str world, Str twin, Str model, Buf *why) {
    Buf body = {0};
    buf_printf(&body, "{\"$metadata\":{\"$model\":\"%.*s\"}}", STR_ARG(model));
    SosiaWrite w = {
        .op = SOSIA_TWIN_PUT, .world = world, .id = twin, .body = buf_str(&body), .if_none_match = STR("*")};
    Err err = write_twin(s, &w, model, why);
    buf_free(&body);
    return err;
}

static Err move_twin(Shapes *s, Str world, Str twin, Str model, Buf *why) {
    Buf body = {0};
    buf_printf(&body, "[{\"op\":\"replace\",\"path\":\"/$metadata/$model\",\"value\":\"%.*s\"}]", STR_ARG(model));
    SosiaWrite w = {.op = SOSIA_TWIN_PATCH, .world = world, .id = twin, .body = buf_str(&body)};
    Err err = write_twin(s, &w, model, why);
    buf_free(&body);
    return err;
}

// The twin's model, in the arena. Errors: TWIN_NOT_FOUND and other ones of reading.
static Err twin_model(Shapes *s, Str world, Str twin, Arena *arena, Str *out) {
    SosiaOut got = {0};
    SosiaRead r = {.what = SOSIA_GET_TWIN, .world = world, .id = twin};
    Json doc;
    Err err = (Err)sosia_read(s->engine, NULL, &r, &got);
    if (!err) err = json_parse(buf_str(&got.body), NULL, arena, &doc, NULL);
    if (!err) *out = arena_str(arena, json_text(json_get(&doc, STR("$metadata")), STR("$model")));
    sosia_out_free(&got);
    return err;
}

Err shape_twin(Shapes *s, Str world, Str twin, Str model, Buf *why) {
    Arena a;
    arena_init(&a, 0);
    Str have = {0};
    pthread_mutex_lock(&s->moves);
    Err err = twin_model(s, world, twin, &a, &have);
    if (err == ERR_TWIN_NOT_FOUND) {
        err = put_twin(s, world, twin, model, why);
        if (err != ERR_EXISTS) goto out;
        err = twin_model(s, world, twin, &a, &have); // someone was quicker
    }
    if (err) goto out;
    if (model_serves(have, model)) goto out;
    if (same_kind(have, model)) {
        err = move_twin(s, world, twin, model, why);
    } else {
        buf_printf(why, "the twin \"%.*s\" has the model %.*s, which has no place for what is sent", STR_ARG(twin),
                   STR_ARG(have));
        err = ERR_VALIDATION;
    }
out:
    pthread_mutex_unlock(&s->moves);
    arena_free(&a);
    return err;
}
