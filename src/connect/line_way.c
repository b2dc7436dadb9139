// SPDX-License-Identifier: Apache-2.0
// Ways: from points of line protocol to points of twins.
//
//   1. the table of series knows what was so when a series was learnt; what is out of date is refused by the engine,
//      and the line is learnt anew (line.c)
//   2. handles are used in the live world only: a fork dropped and made again may give a number to another twin
#include "base/check.h"
#include "base/mem.h"
#include "connect/line.h"
#include "connect/shape.h"

#define PREFIX STR("line")
#define MADE STR("dtmi:sosia:line:")

// ---- ways ---------------------------------------------------------------------------------------------------------

static bool is_live(Str world) { return !world.n || str_eq(world, STR("live")); }

void line_way_free(LineWay *w) {
    if (!w) return;
    for (int32_t i = 0; i < w->map->rule_count; i++) sosia_formula_free(w->formulas[i]);
    mem_free(w->formulas);
    sosia_inlet_close(w->inlet);
    for (int64_t i = 0; i < w->series_count; i++) mem_free(w->series[i].fields);
    mem_free(w->series);
    map_free(&w->by_head);
    mem_free(w->points);
    mem_free(w->lines);
    arena_free(&w->names);
    arena_free(&w->keep);
    arena_free(&w->scratch);
    mem_free(w);
}

static Err way_new(SosiaConnect *k, LineMap *m, const SosiaCaller *who, Str world, LineWay **out) {
    LineWay *w = mem_alloc(sizeof *w);
    w->map = m;
    w->connect = k;
    arena_init(&w->names, 256);
    arena_init(&w->keep, 0);
    arena_init(&w->scratch, 0);
    w->world = arena_str(&w->names, world);
    w->principal = arena_str(&w->names, who->principal);
    w->purpose = arena_str(&w->names, who->purpose);
    w->formulas = mem_alloc((size_t)(m->rule_count + 1) * sizeof(SosiaFormula *));
    SosiaStr value = STR("value");
    for (int32_t i = 0; i < m->rule_count; i++)
        if (m->rules[i].expression.n) // it was checked with the document
            CHECK(sosia_formula_new(m->rules[i].expression, &value, 1, &w->formulas[i], NULL) == SOSIA_OK);
    SosiaInletOpen open = {
        .who = {w->principal, w->purpose}, .world = world, .source = m->name.n ? m->name : PREFIX, .lenient = true};
    Err err = (Err)sosia_inlet_open(k->engine, &open, &w->inlet);
    if (err) line_way_free(w);
    else *out = w;
    return err;
}

Err line_way_take(SosiaConnect *k, LineMap *m, const SosiaCaller *who, Str world, LineWay **out) {
    LineWay *w = NULL;
    pthread_mutex_lock(&m->lock);
    for (int32_t i = m->way_count - 1; i >= 0 && !w; i--) {
        LineWay *x = m->ways[i];
        if (!str_eq(x->world, world) || !str_eq(x->principal, who->principal) || !str_eq(x->purpose, who->purpose))
            continue;
        w = x;
        memmove(m->ways + i, m->ways + i + 1, (size_t)(--m->way_count - i) * sizeof w);
    }
    pthread_mutex_unlock(&m->lock);
    *out = w;
    if (!w) TRY(way_new(k, m, who, world, out));
    (*out)->request++;
    (*out)->by_names = false;
    return ERR_OK;
}

void line_way_leave(LineWay *w) {
    LineMap *m = w->map;
    LineWay *old = NULL;
    arena_reset(&w->scratch);
    w->count = 0;
    pthread_mutex_lock(&m->lock);
    if (m->way_count == LINE_WAYS_MAX) { // the one unused for longest
        old = m->ways[0];
        memmove(m->ways, m->ways + 1, (size_t)--m->way_count * sizeof old);
    }
    m->ways[m->way_count++] = w;
    pthread_mutex_unlock(&m->lock);
    line_way_free(old);
}

// ---- series -------------------------------------------------------------------------------------------------------

LineSeries *line_series(LineWay *w, Str head) {
    int64_t at;
    return map_get(&w->by_head, head, &at) ? &w->series[at] : NULL;
}

void line_forget(LineWay *w, Str head) {
    LineSeries *s = line_series(w, head);
    if (s && str_starts(s->model, MADE)) shape_forget(w->connect->shapes, s->model); // it may be gone, too
    map_del(&w->by_head, head);
}

void line_forget_all(LineWay *w) {
    CHECK(w->count == 0); // points borrow from series
    for (int64_t i = 0; i < w->series_count; i++) mem_free(w->series[i].fields);
    w->series_count = 0;
    map_free(&w->by_head);
    arena_reset(&w->keep);
}

static LineSeries *series_add(LineWay *w, Str head, Str twin) {
    if (w->series_count == w->series_cap) {
        w->series_cap = w->series_cap ? w->series_cap * 2 : 64;
        w->series = mem_grow(w->series, (size_t)w->series_cap * sizeof *w->series);
    }
    LineSeries *s = &w->series[w->series_count];
    *s = (LineSeries){
        .head = arena_str(&w->keep, head), .twin = arena_str(&w->keep, twin), .by_names = true, .learnt = w->request};
    map_put(&w->by_head, s->head, w->series_count++);
    return s;
}

static LineField *find_field(const LineSeries *s, const LpField *f, int32_t near) {
    for (int32_t i = 0; i < s->count; i++) {
        LineField *x = &s->fields[(near + i) % s->count];
        if (x->type == f->type && str_eq(x->key, f->key)) return x;
    }
    return NULL;
}

static Str field_schema(LineWay *w, const LineField *x, const LpField *f);

static void field_add(LineWay *w, LineSeries *s, const LpField *f) {
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        s->fields = mem_grow(s->fields, (size_t)s->cap * sizeof *s->fields);
    }
    LineField *x = &s->fields[s->count++];
    const LineRule *r = line_rule(w->map, f->key);
    *x = (LineField){.key = arena_str(&w->keep, f->key),
                     .type = f->type,
                     .rule = r,
                     .drop = r ? r->drop : w->map->ignore_others,
                     .formula = r ? w->formulas[r - w->map->rules] : NULL};
    x->schema = field_schema(w, x, f);
}

// ---- values -------------------------------------------------------------------------------------------------------

static SosiaValue plain_value(const LpField *f) {
    switch (f->type) {
    case LP_FLOAT: return (SosiaValue){.kind = SOSIA_F64, .d = f->d};
    case LP_INT: return (SosiaValue){.kind = SOSIA_I64, .i = f->i};
    case LP_UINT:
        if (f->u > INT64_MAX) return (SosiaValue){.kind = SOSIA_F64, .d = (double)f->u};
        return (SosiaValue){.kind = SOSIA_I64, .i = (int64_t)f->u};
    case LP_BOOL: return (SosiaValue){.kind = SOSIA_BOOL, .b = f->b};
    case LP_STRING: return (SosiaValue){.kind = SOSIA_TEXT, .s = f->s};
    }
    return (SosiaValue){0};
}

static SosiaValue field_value(LineWay *w, const LineField *x, const LpField *f, int64_t now_ns) {
    SosiaValue v = plain_value(f);
    if (!x->formula) return v;
    SosiaVar var = {STR("value"), v};
    v = sosia_formula_eval(x->formula, &var, now_ns);
    if (v.kind == SOSIA_TEXT || v.kind == SOSIA_JSON) v.s = arena_str(&w->scratch, v.s);
    return v;
}

static Str schema_of(SosiaKind kind) {
    switch (kind) {
    case SOSIA_BOOL: return STR("boolean");
    case SOSIA_I64: return STR("long");
    case SOSIA_F64: return STR("double");
    default: return STR("string");
    }
}

// The schema of a field in a made model; what an expression makes of a number is a double.
static Str field_schema(LineWay *w, const LineField *x, const LpField *f) {
    SosiaKind kind = f->type == LP_UINT ? SOSIA_I64 : field_value(w, x, f, 0).kind;
    if (x->formula && (kind == SOSIA_I64 || kind == SOSIA_NONE)) kind = SOSIA_F64;
    return schema_of(kind);
}

static SosiaPoint *point_add(LineWay *w, int64_t line) {
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : LINE_CHUNK + 64;
        w->points = mem_grow(w->points, (size_t)w->cap * sizeof *w->points);
        w->lines = mem_grow(w->lines, (size_t)w->cap * sizeof *w->lines);
    }
    w->lines[w->count] = (int32_t)line;
    return &w->points[w->count++];
}

// 1970 itself would mean that no time is known.
static int64_t time_of(const LpPoint *p) { return p->time_ns ? p->time_ns : 1; }

bool line_append(LineWay *w, LineSeries *s, const LpPoint *p) {
    int64_t from = w->count;
    for (int32_t i = 0; i < p->field_count; i++) {
        const LpField *f = &p->fields[i];
        const LineField *x = s->count ? find_field(s, f, i % s->count) : NULL;
        if (!x) {
            w->count = from;
            return false;
        }
        if (x->drop) continue;
        SosiaPoint *o = point_add(w, p->line);
        o->at = w->by_names ? (SosiaHandle){0} : x->at;
        o->value = field_value(w, x, f, p->time_ns);
        o->source_time_ns = time_of(p);
        if (o->at.twin) {
            o->twin = o->path = o->model = (Str){0};
        } else {
            o->twin = s->twin;
            o->path = x->path;
            o->model = s->model;
        }
    }
    return true;
}

// ---- learning -----------------------------------------------------------------------------------------------------

// The twin's model in the arena, "" when there is no twin.
static Err twin_model(LineWay *w, Str twin, Str *out) {
    SosiaOut got = {0};
    SosiaRead r = {.what = SOSIA_GET_TWIN, .world = w->world, .id = twin};
    Json doc;
    *out = (Str){0};
    Err err = (Err)sosia_read(w->connect->engine, NULL, &r, &got);
    if (!err) err = json_parse(buf_str(&got.body), NULL, &w->scratch, &doc, NULL);
    const Json *model = err ? NULL : json_get(json_get(&doc, STR("$metadata")), STR("$model"));
    if (model) *out = arena_str(&w->scratch, model->s);
    sosia_out_free(&got);
    return err == ERR_TWIN_NOT_FOUND ? ERR_OK : err;
}

// A tag as a property: under which name; p NULL: not at all.
static Str tag_name(const LineWay *w, const LpPoint *p, Str key) {
    if (w->map->tags == LINE_TAGS_IGNORE) return (Str){0};
    if (w->map->tags == LINE_TAGS_LISTED) {
        for (int32_t i = 0; i < w->map->tag_rule_count; i++) {
            const LineRule *r = &w->map->tag_rules[i];
            if (str_eq(r->field, key)) return r->drop ? (Str){0} : r->path;
        }
        return (Str){0};
    }
    for (int32_t i = 0; i < p->field_count; i++) // a field of that name has it
        if (str_eq(p->fields[i].key, key)) return (Str){0};
    return key;
}

// Paths by a model that is made of what comes: all fields the series has shown so far.
static Err paths_shaped(LineWay *w, LineSeries *s, const LpPoint *p, Str *tag_paths, Buf *why) {
    ShapeField *all = NEW(&w->scratch, ShapeField, p->tag_count + s->count);
    int32_t n = 0, at = 0;
    for (int32_t i = 0; i < p->tag_count; i++) {
        Str name = tag_name(w, p, p->tags[i].key);
        if (name.n) all[n++] = (ShapeField){.name = name, .schema = STR("string")};
    }
    for (int32_t i = 0; i < s->count; i++) {
        const LineField *x = &s->fields[i];
        bool named = x->rule && x->rule->path.n;
        if (!x->drop) all[n++] = (ShapeField){.name = named ? x->rule->path : x->key, .schema = x->schema};
    }
    Err err = shape_of(w->connect->shapes, PREFIX, p->name, (Str){0}, all, n, &w->scratch, &s->model);
    Str name = p->name.n <= 128 ? p->name : STR("a long name");
    if (err == ERR_LIMIT)
        buf_printf(why,
                   "no model can be made for \"%.*s\": too long a name, too many fields or versions, or too many models"
                   " in the world; name a model in a connection",
                   (int)name.n, name.p);
    if (err) return err;
    s->model = arena_str(&w->keep, s->model);
    for (int32_t i = 0; i < p->tag_count; i++)
        if (tag_name(w, p, p->tags[i].key).n) tag_paths[i] = all[at++].property;
    for (int32_t i = 0; i < s->count; i++)
        if (!s->fields[i].drop) s->fields[i].path = arena_str(&w->keep, all[at++].property);
    return ERR_OK;
}

// Paths as the document says, else by the fields' own names.
static void paths_plain(LineWay *w, LineSeries *s, const LpPoint *p, Str *tag_paths) {
    s->model = w->map->create ? w->map->model : (Str){0};
    for (int32_t i = 0; i < p->tag_count; i++) {
        Str name = tag_name(w, p, p->tags[i].key);
        bool listed = w->map->tags == LINE_TAGS_LISTED;
        if (name.n) tag_paths[i] = listed ? name : shape_name(name, &w->scratch);
    }
    for (int32_t i = 0; i < s->count; i++) {
        LineField *x = &s->fields[i];
        bool named = x->rule && x->rule->path.n;
        x->path = named ? x->rule->path : shape_name(x->key, &w->keep);
    }
}

Err line_settle(LineWay *w, LineSeries *s) {
    Err err = ERR_OK;
    for (int32_t i = 0; i < s->count && !err; i++) {
        LineField *x = &s->fields[i];
        SosiaHandle at;
        if (x->drop || x->at.twin) continue;
        err = (Err)sosia_inlet_resolve(w->inlet, s->twin, x->path, &at);
        if (!err && is_live(w->world)) x->at = at;
    }
    s->by_names = err != ERR_OK;
    s->settled = w->request;
    return err;
}

// Tags of a twin that is new or says otherwise; a twin whose model has no place for them does without.
static void append_tags(LineWay *w, LineSeries *s, const LpPoint *p, const Str *paths, bool there) {
    for (int32_t i = 0; i < p->tag_count; i++) {
        SosiaHandle at = {0};
        SosiaValue v = {0};
        Buf keep = {0};
        if (!paths[i].n) continue;
        Err err = there ? (Err)sosia_inlet_resolve(w->inlet, s->twin, paths[i], &at) : ERR_OK;
        if (!err && there) err = (Err)sosia_value(w->connect->engine, NULL, w->world, at, &v, NULL, NULL, &keep);
        bool same = v.kind == SOSIA_TEXT && str_eq(v.s, p->tags[i].value);
        buf_free(&keep);
        if (err || same) continue;
        *point_add(w, p->line) = (SosiaPoint){.twin = s->twin,
                                              .path = paths[i],
                                              .model = s->model,
                                              .value = {.kind = SOSIA_TEXT, .s = p->tags[i].value},
                                              .source_time_ns = time_of(p)};
    }
}

static const LineField *field_at(const LineSeries *s, SosiaHandle at) {
    for (int32_t i = 0; i < s->count; i++)
        if (s->fields[i].at.twin == at.twin && s->fields[i].at.column == at.column) return &s->fields[i];
    return NULL;
}

// The twin has moved to another model: its handles are void, also those of points that wait to be put.
static void by_names_again(LineWay *w, LineSeries *s) {
    for (int64_t i = 0; i < w->count; i++) {
        SosiaPoint *p = &w->points[i];
        const LineField *x = p->at.twin ? field_at(s, p->at) : NULL;
        if (!x) continue;
        p->at = (SosiaHandle){0};
        p->twin = s->twin;
        p->path = x->path;
        p->model = s->model;
    }
    for (int32_t i = 0; i < s->count; i++) s->fields[i].at = (SosiaHandle){0};
}

static bool all_dropped(const LineSeries *s) {
    for (int32_t i = 0; i < s->count; i++)
        if (!s->fields[i].drop) return false;
    return true;
}

static Err learn(LineWay *w, LineSeries *s, const LpPoint *p, Buf *why) {
    Str have, *tag_paths = NEW(&w->scratch, Str, p->tag_count);
    for (int32_t i = 0; i < p->field_count; i++)
        if (!s->count || !find_field(s, &p->fields[i], i % s->count)) field_add(w, s, &p->fields[i]);
    if (all_dropped(s)) return ERR_OK;
    TRY(twin_model(w, s->twin, &have));
    bool shaped = !w->map->model.n && w->map->create && (!have.n || str_starts(have, MADE));
    if (shaped) TRY(paths_shaped(w, s, p, tag_paths, why));
    else paths_plain(w, s, p, tag_paths);
    Err err = line_settle(w, s);
    if (err == ERR_VALIDATION && shaped) {
        TRY(shape_twin(w->connect->shapes, w->world, s->twin, s->model, why));
        by_names_again(w, s);
        err = line_settle(w, s);
    }
    append_tags(w, s, p, tag_paths, have.n > 0);
    return ERR_OK; // what is still wrong, the engine tells point by point
}

Err line_learn(LineWay *w, Str head, const LpPoint *p, LineSeries **series, Buf *why) {
    LineSeries *s = line_series(w, head);
    if (!s) {
        Str twin = line_twin(w->map, p, &w->scratch, why);
        if (!twin.p) return ERR_VALIDATION;
        s = series_add(w, head, twin);
    }
    Err err = learn(w, s, p, why);
    if (err && !why->n) buf_printf(why, "%s", err_text(err));
    if (err) line_forget(w, s->head);
    *series = s;
    return err;
}
