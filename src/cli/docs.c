// SPDX-License-Identifier: Apache-2.0
#include "cli/docs.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/map.h"
#include "base/mem.h"
#include "cli/command.h"

#define FILE_SIZE_MAX ((int64_t)4 << 30)
#define FOLDER_DEPTH_MAX 32

void docs_init(Docs *d) {
    *d = (Docs){0};
    arena_init(&d->keep, 1 << 20);
}

void docs_free(Docs *d) {
    for (int32_t k = 0; k < DOC_KINDS; k++) mem_free(d->list[k].items);
    mem_free(d->files);
    arena_free(&d->keep);
    *d = (Docs){0};
}

static int32_t add_file(Docs *d, Str name) {
    if (d->file_count == d->file_cap) {
        d->file_cap = d->file_cap ? d->file_cap * 2 : 16;
        d->files = mem_grow(d->files, (size_t)d->file_cap * sizeof *d->files);
    }
    d->files[d->file_count] = arena_str(&d->keep, name);
    return d->file_count++;
}

void docs_error(Docs *d, int32_t file, int64_t line, const char *fmt, ...) {
    d->error_total++;
    if (d->error_count == DOC_ERRORS_MAX) return;
    Buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    d->errors[d->error_count++] = (DocError){file, line, arena_str(&d->keep, buf_str(&b))};
    buf_free(&b);
}

// What a document is, by the members that only its kind has; DOC_KINDS when it is nothing we know.
static DocKind kind_of(const Json *v) {
    if (json_get(v, STR("@id")) || json_get(v, STR("@type"))) return DOC_MODEL;
    if (json_get(v, STR("$targetId")) || json_get(v, STR("$relationshipName"))) return DOC_LINK;
    return json_get(v, STR("$dtId")) ? DOC_TWIN : DOC_KINDS;
}

static const Str id_keys[DOC_KINDS] = {{"@id", 3}, {"$dtId", 5}, {"$relationshipId", 15}};

// kind DOC_KINDS: the document itself tells.
static void add_doc(Docs *d, int32_t file, int64_t line, DocKind kind, const Json *v) {
    if (v->type != JSON_OBJECT) {
        docs_error(d, file, line, "an object was expected here, not %s", json_type_name(v->type));
        return;
    }
    if (kind == DOC_KINDS) kind = kind_of(v);
    if (kind == DOC_KINDS) {
        docs_error(d, file, line, "neither a model (@id), a twin ($dtId) nor a relationship ($targetId)");
        return;
    }
    DocList *l = &d->list[kind];
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->items = mem_grow(l->items, (size_t)l->cap * sizeof *l->items);
    }
    Buf compact = {0};
    json_put(&compact, v);
    l->items[l->count++] = (Doc){
        .text = arena_str(&d->keep, buf_str(&compact)),
        .id = arena_str(&d->keep, json_text(v, id_keys[kind])),
        .file = file,
        .line = line,
    };
    buf_free(&compact);
}

// ---- one JSON document --------------------------------------------------------------------------------------------

// Counts lines while places only move forward.
typedef struct Lines {
    const char *text;
    int64_t at, line;
} Lines;

static int64_t line_at(Lines *l, int64_t at) {
    for (; l->at < at; l->at++) l->line += l->text[l->at] == '\n';
    return l->line;
}

static void add_value(Docs *d, int32_t file, Lines *lines, DocKind kind, const Json *v) {
    if (v->type != JSON_ARRAY) {
        add_doc(d, file, line_at(lines, v->at), kind, v);
        return;
    }
    for (int32_t i = 0; i < v->count; i++) add_doc(d, file, line_at(lines, v->items[i].at), kind, &v->items[i]);
}

static DocKind list_kind(Str key) {
    static const struct {
        const char *key;
        DocKind kind;
    } names[] = {{"models", DOC_MODEL},
                 {"digitalTwinsModels", DOC_MODEL},
                 {"twins", DOC_TWIN},
                 {"digitalTwins", DOC_TWIN},
                 {"relationships", DOC_LINK}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq(key, str_of(names[i].key))) return names[i].kind;
    }
    return DOC_KINDS;
}

// An object with lists: {"models":[],"twins":[],"relationships":[]}, or an explorer export that nests them.
static bool add_lists(Docs *d, int32_t file, Lines *lines, const Json *v) {
    bool any = false;
    for (int32_t i = 0; i < v->count; i++) {
        const JsonMember *m = &v->members[i];
        DocKind kind = list_kind(m->key);
        if (kind != DOC_KINDS && m->value.type == JSON_ARRAY) {
            add_value(d, file, lines, kind, &m->value);
            any = true;
        } else if (str_eq(m->key, STR("digitalTwinsGraph")) && m->value.type == JSON_OBJECT) {
            any |= add_lists(d, file, lines, &m->value);
        }
    }
    return any;
}

static void add_json(Docs *d, int32_t file, Str text, const Json *v) {
    Lines lines = {text.p, 0, 1};
    if (v->type == JSON_OBJECT && kind_of(v) == DOC_KINDS && add_lists(d, file, &lines, v)) return;
    add_value(d, file, &lines, DOC_KINDS, v);
}

// ---- NDJSON -------------------------------------------------------------------------------------------------------

typedef enum Section { SECTION_NONE, SECTION_HEADER, SECTION_DOCS } Section;

typedef struct Reader {
    Docs *docs;
    int32_t file;
    Section section;
    DocKind kind; // of the section; DOC_KINDS: each line tells
} Reader;

static bool enter_section(Reader *r, const Json *v, int64_t line) {
    const Json *name = v->count == 1 ? json_get(v, STR("Section")) : NULL;
    if (!name || name->type != JSON_STRING) return false;
    static const Str names[] = {{"models", 6}, {"twins", 5}, {"relationships", 13}};
    r->section = SECTION_HEADER;
    if (str_eq_nocase(name->s, STR("header"))) return true;
    r->section = SECTION_DOCS;
    for (int32_t k = 0; k < DOC_KINDS; k++) {
        if (str_eq_nocase(name->s, names[k])) {
            r->kind = (DocKind)k;
            return true;
        }
    }
    r->kind = DOC_KINDS;
    docs_error(r->docs, r->file, line, "unknown section '%.*s'", STR_ARG(name->s));
    return true;
}

// What is wrong in a text, "column 14: why": the place in front of it tells the line already.
static Str reason(const Diag *why) {
    Str text = why->messages[0].text;
    if (str_starts(text, STR("line "))) {
        str_cut(&text, ',');
        text = str_trim(text);
    }
    return text;
}

static void read_line(Reader *r, Str text, int64_t line, Arena *scratch) {
    Json v;
    Diag why;
    diag_init(&why);
    if (json_parse(text, NULL, scratch, &v, &why) != ERR_OK) {
        docs_error(r->docs, r->file, line, "%.*s", STR_ARG(reason(&why)));
    } else if (v.type != JSON_OBJECT || !enter_section(r, &v, line)) {
        if (r->section != SECTION_HEADER) add_doc(r->docs, r->file, line, r->kind, &v);
    }
    diag_free(&why);
    arena_reset(scratch);
}

static void read_lines(Docs *d, int32_t file, Str text) {
    Reader r = {.docs = d, .file = file, .kind = DOC_KINDS};
    Arena scratch;
    arena_init(&scratch, 0);
    for (int64_t line = 1; text.n; line++) {
        Str one = str_cut(&text, '\n'); // blanks in front stay: columns count them
        if (str_trim(one).n) read_line(&r, one, line, &scratch);
    }
    arena_free(&scratch);
}

// The first line with text is a whole JSON object and more text follows: a file of lines.
static bool looks_like_lines(Str text, Arena *scratch) {
    Str first = {0}, rest = text;
    while (rest.n && !first.n) first = str_trim(str_cut(&rest, '\n'));
    Json v;
    if (json_parse(first, NULL, scratch, &v, NULL) != ERR_OK || v.type != JSON_OBJECT) return false;
    return json_get(&v, STR("Section")) || str_trim(rest).n;
}

static void read_whole(Docs *d, int32_t file, Str text, Arena *scratch) {
    Json v;
    Diag why;
    diag_init(&why);
    JsonLimits limits = {.size_max = FILE_SIZE_MAX};
    if (json_parse(text, &limits, scratch, &v, &why) == ERR_OK) {
        add_json(d, file, text, &v);
    } else {
        Lines lines = {text.p, 0, 1};
        int64_t at = why.messages[0].at;
        docs_error(d, file, line_at(&lines, at < 0 ? 0 : at < text.n ? at : text.n), "%.*s", STR_ARG(reason(&why)));
    }
    diag_free(&why);
}

void docs_read_text(Docs *d, Str name, Str text) {
    int32_t file = add_file(d, name);
    Arena scratch;
    if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_sub(text, 3, text.n);
    if (!str_trim(text).n) {
        docs_error(d, file, 1, "the file is empty");
        return;
    }
    arena_init(&scratch, 0);
    if (looks_like_lines(text, &scratch)) read_lines(d, file, text);
    else read_whole(d, file, text, &scratch);
    arena_free(&scratch);
}

// ---- files and folders --------------------------------------------------------------------------------------------

static Err read_one(Docs *d, Str path) {
    Buf b = {0};
    Err err = read_file(path, FILE_SIZE_MAX, &b);
    if (err == ERR_OK) docs_read_text(d, str_eq(path, STR("-")) ? STR("stdin") : path, buf_str(&b));
    buf_free(&b);
    return err;
}

static int by_name(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

// What lies in a folder and is not for the world but for pages: where twins stand on a plan, in a scene, on a map.
static bool is_for_pages(Str name) {
    return str_ends(name, STR(".plan.json")) || str_ends(name, STR(".scene.json")) || str_ends(name, STR(".map.json"));
}

static bool is_document(Str name) {
    return str_ends(name, STR(".ndjson")) || (str_ends(name, STR(".json")) && !is_for_pages(name));
}

static Err read_path(Docs *d, const char *path, int32_t depth);

static Err read_folder(Docs *d, const char *path, int32_t depth) {
    if (depth == FOLDER_DEPTH_MAX) return tell(ERR_LIMIT, "%s: folders nest too deep", path);
    DIR *dir = opendir(path);
    if (!dir) return tell(ERR_IO, "cannot open %s: %s", path, strerrordesc_np(errno));
    Buf names = {0};
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        Str full = arena_printf(&d->keep, "%s/%s", path, e->d_name);
        buf_put(&names, &full, (int64_t)sizeof full);
    }
    closedir(dir);
    Err err = ERR_OK;
    Str *list = (Str *)(void *)names.p;
    int64_t n = names.n / (int64_t)sizeof(Str);
    if (n) qsort(list, (size_t)n, sizeof(Str), by_name);
    for (int64_t i = 0; i < n && err == ERR_OK; i++) {
        struct stat st;
        if (stat(list[i].p, &st) != 0) continue;
        if (S_ISDIR(st.st_mode) || is_document(list[i])) err = read_path(d, list[i].p, depth + 1);
    }
    buf_free(&names);
    return err;
}

static Err read_path(Docs *d, const char *path, int32_t depth) {
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return read_folder(d, path, depth);
    return read_one(d, str_of(path));
}

Err docs_read(Docs *d, Str path) {
    if (path.n == 0 || memchr(path.p, 0, (size_t)path.n)) return tell(ERR_ARGUMENT, "the file name is empty");
    while (path.n > 1 && str_ends(path, STR("/"))) path.n--;
    return read_path(d, arena_str(&d->keep, path).p, 0);
}

// ---- order of models ----------------------------------------------------------------------------------------------

typedef struct Order {
    Docs *docs;
    Map index;     // id -> position
    uint8_t *mark; // 0 new, 1 open, 2 placed
    Doc *placed;
    int64_t count;
    int32_t depth;
} Order;

#define CHAIN_DEPTH 1000 // of inheritance that is followed; DTDL allows 10

static void place(Order *o, int64_t i);

static void place_named(Order *o, const Json *v) {
    int64_t at;
    if (v && v->type == JSON_STRING && map_get(&o->index, v->s, &at)) place(o, at);
    if (v && v->type == JSON_OBJECT) place_named(o, json_get(v, STR("@id")));
    if (!v || v->type != JSON_ARRAY) return;
    for (int32_t k = 0; k < v->count; k++) place_named(o, &v->items[k]);
}

static bool is_component(const Json *type) {
    if (type && type->type == JSON_STRING) return str_eq(type->s, STR("Component"));
    for (int32_t k = 0; type && type->type == JSON_ARRAY && k < type->count; k++) {
        if (is_component(&type->items[k])) return true;
    }
    return false;
}

// Depth first along inheritance and components. Circles and endless chains are left to the server to refuse.
static void place(Order *o, int64_t i) {
    if (o->mark[i] || o->depth == CHAIN_DEPTH) return;
    o->depth++;
    o->mark[i] = 1;
    Doc *doc = &o->docs->list[DOC_MODEL].items[i];
    Arena scratch;
    Json v;
    arena_init(&scratch, 0);
    if (json_parse(doc->text, NULL, &scratch, &v, NULL) == ERR_OK) {
        place_named(o, json_get(&v, STR("extends")));
        const Json *contents = json_get(&v, STR("contents"));
        for (int32_t k = 0; contents && contents->type == JSON_ARRAY && k < contents->count; k++) {
            const Json *c = &contents->items[k];
            if (is_component(json_get(c, STR("@type")))) place_named(o, json_get(c, STR("schema")));
        }
    }
    arena_free(&scratch);
    o->mark[i] = 2;
    o->depth--;
    o->placed[o->count++] = *doc;
}

void docs_order_models(Docs *d) {
    DocList *l = &d->list[DOC_MODEL];
    if (!l->count) return;
    Order o = {.docs = d};
    o.mark = mem_alloc((size_t)l->count);
    o.placed = mem_alloc((size_t)l->cap * sizeof *o.placed);
    for (int64_t i = 0; i < l->count; i++) map_put(&o.index, l->items[i].id, i);
    for (int64_t i = 0; i < l->count; i++) place(&o, i);
    mem_free(l->items);
    l->items = o.placed;
    mem_free(o.mark);
    map_free(&o.index);
}

void docs_place(const Docs *d, int32_t file, int64_t line, Buf *out) {
    buf_printf(out, "%.*s:%lld", STR_ARG(d->files[file]), (long long)line);
}
