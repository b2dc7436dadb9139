// SPDX-License-Identifier: Apache-2.0
// Documents of kind "line":
//   {"kind":"line","database":"telegraf","twin":"{measurement}-{tag:host}","model":"dtmi:...;1","create":true,
//    "properties":{"usage_idle":"idle","temp":{"path":"temperature","expression":"value * 0.1"},"junk":null},
//    "others":"map"|"ignore","tags":"properties"|"ignore"|{"host":"hostName"}}
#include <stdlib.h>
#include "base/mem.h"
#include "connect/line.h"

#define TWIN_ID_POINTS 128 // characters of a twin's id

// ---- documents ----------------------------------------------------------------------------------------------------

static Err complain(Diag *d, const char *member, const char *what) {
    return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(member), "%s", what);
}

static Err take_text(const Json *doc, const char *member, Str *out, LineMap *m, Diag *d) {
    const Json *v = json_get(doc, str_of(member));
    if (!v || v->type == JSON_NULL) return ERR_OK;
    if (v->type != JSON_STRING) return complain(d, member, "a text is expected");
    *out = arena_str(&m->arena, v->s);
    return ERR_OK;
}

static Err take_flag(const Json *doc, const char *member, bool *out, Diag *d) {
    const Json *v = json_get(doc, str_of(member));
    if (!v) return ERR_OK;
    if (!json_is_bool(v)) return complain(d, member, "true or false is expected");
    *out = v->type == JSON_TRUE;
    return ERR_OK;
}

// A formula over `value`; the sentence of a fault goes to the Diag.
static Err check_expression(Str text, Diag *d) {
    SosiaStr value = STR("value");
    SosiaFormula *f = NULL;
    Buf why = {0};
    Err err = (Err)sosia_formula_new(text, &value, 1, &f, &why);
    if (err) diag_add(d, ERR_ARGUMENT, -1, -1, STR("properties"), "%.*s", STR_ARG(buf_str(&why)));
    sosia_formula_free(f);
    buf_free(&why);
    return err ? ERR_ARGUMENT : ERR_OK;
}

static Err take_rule(const JsonMember *from, LineRule *to, LineMap *m, Diag *d) {
    const Json *v = &from->value, *path = v->type == JSON_OBJECT ? json_get(v, STR("path")) : v;
    const Json *expression = json_get(v, STR("expression"));
    to->field = arena_str(&m->arena, from->key);
    to->drop = v->type == JSON_NULL;
    if (to->drop) return ERR_OK;
    if (v->type == JSON_OBJECT && !path) to->path = to->field;
    else if (path->type != JSON_STRING || !path->s.n)
        return complain(d, "properties", "a path, {\"path\",\"expression\"} or null is expected for each field");
    else to->path = arena_str(&m->arena, path->s);
    if (!expression) return ERR_OK;
    if (expression->type != JSON_STRING) return complain(d, "properties", "an expression is a text");
    to->expression = arena_str(&m->arena, expression->s);
    return check_expression(to->expression, d);
}

static Err take_rules(const Json *v, const char *member, LineRule **out, int32_t *count, LineMap *m, Diag *d) {
    if (v->type != JSON_OBJECT) return complain(d, member, "an object is expected");
    if (v->count > LINE_RULES_MAX) return complain(d, member, "too many of them");
    *out = NEW(&m->arena, LineRule, v->count);
    for (int32_t i = 0; i < v->count; i++) TRY(take_rule(&v->members[i], &(*out)[i], m, d));
    *count = v->count;
    return ERR_OK;
}

static Err take_tags(const Json *doc, LineMap *m, Diag *d) {
    const Json *v = json_get(doc, STR("tags"));
    if (!v) return ERR_OK;
    if (v->type == JSON_OBJECT) {
        m->tags = LINE_TAGS_LISTED;
        return take_rules(v, "tags", &m->tag_rules, &m->tag_rule_count, m, d);
    }
    bool text = v->type == JSON_STRING;
    if (text && str_eq(v->s, STR("properties"))) m->tags = LINE_TAGS_PROPERTIES;
    else if (text && str_eq(v->s, STR("ignore"))) m->tags = LINE_TAGS_IGNORE;
    else return complain(d, "tags", "\"properties\", \"ignore\" or an object is expected");
    return ERR_OK;
}

static Err take_others(const Json *doc, LineMap *m, Diag *d) {
    Str others = STR("map");
    TRY(take_text(doc, "others", &others, m, d));
    m->ignore_others = str_eq(others, STR("ignore"));
    if (m->ignore_others || str_eq(others, STR("map"))) return ERR_OK;
    return complain(d, "others", "\"map\" or \"ignore\" is expected");
}

// "{measurement}-{tag:host}" into parts.
static Err take_template(LineMap *m, Str text, Diag *d) {
    int32_t cap = 0;
    for (int64_t i = 0; i < text.n; i++) cap += text.p[i] == '{';
    m->parts = NEW(&m->arena, LinePart, 2 * cap + 1);
    while (text.n) {
        int64_t open = str_find(text, '{', 0);
        Str literal = str_sub(text, 0, open < 0 ? text.n : open);
        if (literal.n) m->parts[m->part_count++] = (LinePart){.text = literal};
        if (open < 0) break;
        int64_t close = str_find(text, '}', open);
        if (close < 0) return complain(d, "twin", "a '}' is missing");
        Str name = str_sub(text, open + 1, close);
        LinePart part = {.measurement = str_eq(name, STR("measurement")), .is_tag = str_starts(name, STR("tag:"))};
        if (part.is_tag) part.text = str_sub(name, 4, name.n);
        if (!part.measurement && (!part.is_tag || !part.text.n))
            return complain(d, "twin", "{measurement} and {tag:NAME} are the parts there are");
        m->parts[m->part_count++] = part;
        text = str_sub(text, close + 1, text.n);
    }
    return ERR_OK;
}

static Err take_document(LineMap *m, const Json *doc, Diag *d) {
    Str template = {0};
    const Json *rules = json_get(doc, STR("properties"));
    TRY(take_text(doc, "database", &m->database, m, d));
    if (!m->database.n) TRY(take_text(doc, "bucket", &m->database, m, d));
    TRY(take_text(doc, "model", &m->model, m, d));
    TRY(take_text(doc, "twin", &template, m, d));
    TRY(take_flag(doc, "create", &m->create, d));
    TRY(take_others(doc, m, d));
    if (rules) TRY(take_rules(rules, "properties", &m->rules, &m->rule_count, m, d));
    if (m->model.n) m->tags = LINE_TAGS_IGNORE; // unless it says so
    TRY(take_tags(doc, m, d));
    return take_template(m, template, d);
}

Err line_map_new(const Json *doc, Str name, LineMap **out, Diag *d) {
    LineMap *m = mem_alloc(sizeof *m);
    atomic_store(&m->refs, 1);
    arena_init(&m->arena, 4096);
    pthread_mutex_init(&m->lock, NULL);
    m->name = arena_str(&m->arena, name);
    m->create = true;
    Err err = doc ? take_document(m, doc, d) : ERR_OK;
    if (err) line_map_unref(m);
    else *out = m;
    return err;
}

LineMap *line_map_ref(LineMap *m) {
    atomic_fetch_add(&m->refs, 1);
    return m;
}

void line_map_unref(LineMap *m) {
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1) return;
    for (int32_t i = 0; i < m->way_count; i++) line_way_free(m->ways[i]);
    pthread_mutex_destroy(&m->lock);
    arena_free(&m->arena);
    mem_free(m);
}

const LineRule *line_rule(const LineMap *m, Str field) {
    for (int32_t i = 0; i < m->rule_count; i++)
        if (str_eq(m->rules[i].field, field)) return &m->rules[i];
    return NULL;
}

// ---- ids ----------------------------------------------------------------------------------------------------------

static Str tag_value(const LpPoint *p, Str name) {
    for (int32_t i = 0; i < p->tag_count; i++)
        if (str_eq(p->tags[i].key, name)) return p->tags[i].value;
    return (Str){0};
}

static void put_escaped(Buf *b, Str s) {
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] == ',' || s.p[i] == '=') buf_byte(b, '\\');
        buf_byte(b, s.p[i]);
    }
}

static int tag_order(const void *a, const void *b) { return str_cmp(((const LpTag *)a)->key, ((const LpTag *)b)->key); }

// "cpu,core=1,host=a": tags by name, so that their order in the line does not matter.
static void put_series(Buf *b, const LpPoint *p, Arena *arena) {
    LpTag *tags = NEW(arena, LpTag, p->tag_count);
    if (p->tag_count) memcpy(tags, p->tags, (size_t)p->tag_count * sizeof *tags);
    if (p->tag_count > 1) qsort(tags, (size_t)p->tag_count, sizeof *tags, tag_order);
    put_escaped(b, p->name);
    for (int32_t i = 0; i < p->tag_count; i++) {
        buf_byte(b, ',');
        put_escaped(b, tags[i].key);
        buf_byte(b, '=');
        put_escaped(b, tags[i].value);
    }
}

// Without control characters, which no id may have. Returns whether there were any.
static bool without_controls(char *p, int64_t n) {
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i], next = i + 1 < n ? (unsigned char)p[i + 1] : 0;
        if (c < 0x20 || c == 0x7f) {
            p[i] = '_';
            any = true;
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) { // U+0080 to U+009F
            p[i] = p[i + 1] = '_';
            any = true;
        }
    }
    return any;
}

// Bytes of the first `points` characters.
static int64_t cut_points(Str s, int64_t points) {
    int64_t i = 0;
    for (int64_t n = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == points) break;
    return i;
}

Str line_twin(const LineMap *m, const LpPoint *p, Arena *arena, Buf *why) {
    Buf b = {0};
    for (int32_t i = 0; i < m->part_count; i++) {
        const LinePart *part = &m->parts[i];
        Str text = part->measurement ? p->name : part->is_tag ? tag_value(p, part->text) : part->text;
        if (part->is_tag && !text.p) {
            buf_printf(why, "the tag \"%.*s\", which names the twin, is missing", STR_ARG(part->text));
            buf_free(&b);
            return (Str){0};
        }
        buf_str_put(&b, text);
    }
    if (!m->part_count) put_series(&b, p, arena);
    uint64_t hash = str_hash(buf_str(&b));
    bool changed = without_controls(b.p, b.n);
    if (cut_points(buf_str(&b), TWIN_ID_POINTS) < b.n || (changed && !m->part_count)) {
        b.n = cut_points(buf_str(&b), TWIN_ID_POINTS - 9); // room for what tells it from others alike
        buf_printf(&b, "~%08x", (unsigned)(hash >> 32));
    }
    Str id = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return id;
}
