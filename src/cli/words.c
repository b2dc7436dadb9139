// SPDX-License-Identifier: Apache-2.0
#include "cli/words.h"
#include <stdlib.h>
#include "base/check.h"

// Functions of the language, with their bracket: made by tools/gen-functions from src/expr/func.def.
static const char *const functions[] = {
#include "cli/functions.inc"
};
static const char *const keywords[] = {
    "SELECT", "EXPLAIN", "TOP(",     "DISTINCT", "FROM",  "DIGITALTWINS", "RELATIONSHIPS",
    "MATCH",  "AS",      "JOIN",     "RELATED",  "WHERE", "AND",          "OR",
    "NOT",    "IN",      "NIN",      "GROUP",    "BY",    "HAVING",       "ORDER",
    "ASC",    "DESC",    "SHORTEST", "TRUE",     "FALSE", "NULL",         "COUNT(",
    "SUM(",   "AVG(",    "MIN(",     "MAX(",     "ANY(",  "ALL(",         "PERCENTILE(",
};
static const char *const fields[] = {"$dtId",     "$etag",    "$metadata", "$relationshipId", "$relationshipName",
                                     "$sourceId", "$targetId"};
static const char *const meta_fields[] = {"$model", "$lastUpdateTime", "lastUpdateTime", "sourceTime"};
static const char *const commands[] = {"\\explain",    "\\json",    "\\csv",    "\\table", "\\world", "\\models",
                                       "\\properties", "\\refresh", "\\timing", "\\help",  "\\quit"};

#define COUNT_OF(a) ((int32_t)(sizeof(a) / sizeof *(a)))

void words_init(Words *w) {
    *w = (Words){0};
    arena_init(&w->keep, 0);
}

void words_reset(Words *w) {
    arena_reset(&w->keep);
    map_free(&w->seen);
    for (int32_t k = 0; k < WORD_KINDS; k++) buf_reset(&w->lists[k]);
}

void words_free(Words *w) {
    arena_free(&w->keep);
    map_free(&w->seen);
    for (int32_t k = 0; k < WORD_KINDS; k++) buf_free(&w->lists[k]);
}

void words_add(Words *w, WordKind kind, Str name) {
    int64_t there;
    if (!name.n) return;
    Str key = arena_printf(&w->keep, "%d %.*s", (int)kind, STR_ARG(name));
    if (map_get(&w->seen, key, &there)) return;
    map_put(&w->seen, key, 1);
    Str kept = str_sub(key, 2, key.n);
    buf_put(&w->lists[kind], &kept, (int64_t)sizeof kept);
    CHECK(!w->lists[kind].full);
}

// ---- models -------------------------------------------------------------------------------------------------------

#define SCHEMA_DEPTH_MAX 16

static bool has_type(const Json *v, Str name) {
    const Json *type = json_get(v, STR("@type"));
    if (type && type->type == JSON_STRING) return str_eq(type->s, name);
    for (int32_t i = 0; type && type->type == JSON_ARRAY && i < type->count; i++) {
        if (type->items[i].type == JSON_STRING && str_eq(type->items[i].s, name)) return true;
    }
    return false;
}

// Fields of an object, of what an array holds, of a map's values.
static void add_schema(Words *w, const Json *schema, int32_t depth) {
    if (!schema || schema->type != JSON_OBJECT || depth > SCHEMA_DEPTH_MAX) return;
    const Json *list = json_get(schema, STR("fields"));
    for (int32_t i = 0; list && list->type == JSON_ARRAY && i < list->count; i++) {
        words_add(w, WORD_PROPERTY, json_text(&list->items[i], STR("name")));
        add_schema(w, json_get(&list->items[i], STR("schema")), depth + 1);
    }
    add_schema(w, json_get(schema, STR("elementSchema")), depth + 1);
    add_schema(w, json_get(json_get(schema, STR("mapValue")), STR("schema")), depth + 1);
}

static void add_contents(Words *w, const Json *contents, bool of_link) {
    for (int32_t i = 0; contents && contents->type == JSON_ARRAY && i < contents->count; i++) {
        const Json *c = &contents->items[i];
        Str name = json_text(c, STR("name"));
        if (has_type(c, STR("Relationship")) && !of_link) {
            words_add(w, WORD_RELATIONSHIP, name);
            add_contents(w, json_get(c, STR("properties")), true);
        } else if (has_type(c, STR("Property")) || has_type(c, STR("Component"))) {
            words_add(w, WORD_PROPERTY, name);
            words_add(w, WORD_UNIT, json_text(c, STR("unit")));
            add_schema(w, json_get(c, STR("schema")), 0);
        }
    }
}

void words_add_model(Words *w, const Json *interface) {
    words_add(w, WORD_MODEL, json_text(interface, STR("@id")));
    add_contents(w, json_get(interface, STR("contents")), false);
}

// ---- finding the way in a text ------------------------------------------------------------------------------------

typedef enum PieceKind { PIECE_NONE, PIECE_BLANK, PIECE_NAME, PIECE_NUMBER, PIECE_TEXT, PIECE_PUNCT } PieceKind;

// The next piece of a query, whole or not.
typedef struct Piece {
    PieceKind kind;
    int64_t at, end;
    bool open; // a text or [[name]] without its end
} Piece;

static bool name_byte(char c, bool first) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
    return letter || (!first && c >= '0' && c <= '9');
}

static bool starts_at(Str s, int64_t at, Str what) { return str_starts(str_sub(s, at, s.n), what); }

static Piece quoted(Str s, int64_t at) {
    char quote = s.p[at];
    for (int64_t i = at + 1; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n) i++;
        else if (s.p[i] == quote && i + 1 < s.n && s.p[i + 1] == quote) i++;
        else if (s.p[i] == quote) return (Piece){PIECE_TEXT, at, i + 1, false};
    }
    return (Piece){PIECE_TEXT, at, s.n, true};
}

static Piece next_piece(Str s, int64_t at) {
    if (at >= s.n) return (Piece){PIECE_NONE, s.n, s.n, false};
    char c = s.p[at];
    int64_t end = at + 1;
    if (c == '\'' || c == '"') return quoted(s, at);
    if (starts_at(s, at, STR("--"))) {
        int64_t line = str_find(s, '\n', at);
        return (Piece){PIECE_BLANK, at, line < 0 ? s.n : line, line < 0};
    }
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') return (Piece){PIECE_BLANK, at, end, false};
    if (starts_at(s, at, STR("[["))) {
        int64_t close = str_find_str(str_sub(s, at, s.n), STR("]]"));
        if (close >= 0) return (Piece){PIECE_NAME, at, at + close + 2, false};
    }
    if (name_byte(c, true)) {
        while (end < s.n && name_byte(s.p[end], false)) end++;
        return (Piece){PIECE_NAME, at, end, false};
    }
    if (c >= '0' && c <= '9') {
        while (end < s.n && (name_byte(s.p[end], false) || (s.p[end] == '.' && s.p[end - 1] != '.'))) end++;
        return (Piece){PIECE_NUMBER, at, end, false};
    }
    return (Piece){PIECE_PUNCT, at, end, false};
}

int64_t statement_end(Str text) {
    for (Piece p = next_piece(text, 0); p.kind; p = next_piece(text, p.end)) {
        if (p.kind == PIECE_PUNCT && text.p[p.at] == ';') return p.at;
    }
    return -1;
}

void statement_line(Str text, Buf *out) {
    bool blank = false;
    text = str_trim(text);
    for (Piece p = next_piece(text, 0); p.kind; p = next_piece(text, p.end)) {
        bool comment = p.kind == PIECE_BLANK && text.p[p.at] == '-';
        bool line = p.kind == PIECE_BLANK && (text.p[p.at] == '\n' || text.p[p.at] == '\r' || text.p[p.at] == '\t');
        if (p.kind == PIECE_BLANK) {
            if (!blank && !comment) buf_byte(out, ' ');
            blank = blank || line || !comment;
            continue;
        }
        blank = false;
        for (int64_t i = p.at; i < p.end; i++) buf_byte(out, text.p[i] == '\n' ? ' ' : text.p[i]);
    }
    while (out->n && out->p[out->n - 1] == ' ') out->n--;
}

// ---- completion ---------------------------------------------------------------------------------------------------

#define BEFORE 4

// Where the cursor stands: the pieces before the word, nearest first, and the word so far.
typedef struct Place {
    Str word;
    Str before[BEFORE];
    PieceKind kinds[BEFORE];
    int64_t from;
    bool in_text;    // the word is in an open '...'
    bool in_comment; // nothing to complete
    bool in_edge;    // between "-[" and "]"
    Str call;        // name before the innermost open "("
} Place;

static void push_piece(Place *p, Str text, PieceKind kind) {
    for (int32_t i = BEFORE - 1; i > 0; i--) p->before[i] = p->before[i - 1], p->kinds[i] = p->kinds[i - 1];
    p->before[0] = text;
    p->kinds[0] = kind;
}

static bool before_is(const Place *p, int32_t i, Str text) { return str_eq_nocase(p->before[i], text); }

#define CALLS_MAX 64

static Place find_place(Str text, int64_t at) {
    Place p = {.from = at};
    Str s = str_sub(text, 0, at), calls[CALLS_MAX] = {{0}};
    int32_t depth = 0;
    for (Piece piece = next_piece(s, 0); piece.kind; piece = next_piece(s, piece.end)) {
        Str word = str_sub(s, piece.at, piece.end);
        p.in_comment = piece.kind == PIECE_BLANK && piece.open;
        if (piece.kind == PIECE_BLANK) continue;
        if (piece.end == s.n && (piece.open || piece.kind == PIECE_NAME)) { // still being typed
            p.in_text = piece.kind == PIECE_TEXT;
            p.from = piece.at + (p.in_text ? 1 : 0);
            break;
        }
        char c = piece.kind == PIECE_PUNCT ? *word.p : 0;
        if (c == '[') p.in_edge = before_is(&p, 0, STR("-"));
        if (c == ']') p.in_edge = false;
        if (c == '(' && depth < CALLS_MAX) calls[depth++] = p.kinds[0] == PIECE_NAME ? p.before[0] : (Str){0};
        if (c == ')' && depth) depth--;
        push_piece(&p, word, piece.kind);
    }
    p.word = str_sub(text, p.from, at);
    p.call = depth ? calls[depth - 1] : (Str){0};
    return p;
}

typedef struct Finder {
    Arena *a;
    const Place *place;
    Buf found; // Str[]
    Str tail;  // behind a single candidate
    bool any_case;
} Finder;

static bool fits(const Finder *f, Str candidate) {
    Str word = f->place->word;
    if (candidate.n < word.n) return false;
    Str head = str_sub(candidate, 0, word.n);
    return f->any_case ? str_eq_nocase(head, word) : str_eq(head, word);
}

static void found(Finder *f, Str candidate) { buf_put(&f->found, &candidate, (int64_t)sizeof candidate); }

// Words of the language, in the case that the user types.
static void find_words(Finder *f, const char *const *list, int32_t n) {
    Str word = f->place->word;
    bool lower = false;
    for (int64_t i = 0; i < word.n; i++) lower = lower || (word.p[i] >= 'a' && word.p[i] <= 'z');
    f->any_case = true;
    for (int32_t i = 0; i < n; i++) {
        if (!fits(f, str_of(list[i]))) continue;
        Str copy = arena_str(f->a, str_of(list[i]));
        char *p = (char *)(uintptr_t)copy.p;
        for (int64_t k = 0; lower && k < copy.n; k++) {
            if (p[k] >= 'A' && p[k] <= 'Z') p[k] = (char)(p[k] + 32);
        }
        found(f, copy);
    }
    f->any_case = false;
}

static void find_fixed(Finder *f, const char *const *list, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        if (fits(f, str_of(list[i]))) found(f, str_of(list[i]));
    }
}

// A name as it is written in a query: [[name]] when it would be read as something else.
static Str as_written(Arena *a, Str name, bool bare) {
    bool plain = name.n && name_byte(name.p[0], true);
    for (int64_t i = 1; i < name.n; i++) plain = plain && name_byte(name.p[i], false);
    for (int32_t i = 0; bare && i < COUNT_OF(keywords); i++) {
        Str keyword = str_of(keywords[i]);
        if (str_ends(keyword, STR("("))) keyword.n--;
        if (str_eq_nocase(name, keyword)) plain = false;
    }
    return plain ? name : arena_printf(a, "[[%.*s]]", STR_ARG(name));
}

// Names of the server; in any case when none has the letters as typed.
static void find_names(Finder *f, const Words *w, WordKind kind, bool bare) {
    const Str *list = (const Str *)(const void *)w->lists[kind].p;
    int64_t n = w->lists[kind].n / (int64_t)sizeof(Str), before = f->found.n;
    bool query = kind == WORD_PROPERTY || kind == WORD_RELATIONSHIP;
    for (int32_t pass = 0; pass < 2 && f->found.n == before; pass++) {
        f->any_case = pass == 1;
        for (int64_t i = 0; i < n; i++) {
            if (fits(f, list[i])) found(f, query ? as_written(f->a, list[i], bare) : list[i]);
        }
    }
    f->any_case = false;
}

static void find_in_text(Finder *f, const Words *w) {
    const Place *p = f->place;
    f->tail = STR("'");
    if (p->kinds[0] == PIECE_NUMBER) find_names(f, w, WORD_UNIT, false);
    else if (p->word.n || str_eq_nocase(p->call, STR("IS_OF_MODEL"))) find_names(f, w, WORD_MODEL, false);
}

static void find_behind_dot(Finder *f, const Words *w) {
    const Place *p = f->place;
    if (before_is(p, 2, STR("RELATED"))) {
        find_names(f, w, WORD_RELATIONSHIP, false);
        return;
    }
    bool meta = before_is(p, 1, STR("$metadata")) || before_is(p, 3, STR("$metadata"));
    if (meta) find_fixed(f, meta_fields, COUNT_OF(meta_fields));
    else find_fixed(f, fields, COUNT_OF(fields));
    find_names(f, w, WORD_PROPERTY, false);
}

// A relationship's name may stand here: in the brackets of a MATCH, behind the arrow of an aggregate.
static bool at_link_name(const Place *p) {
    if (p->in_edge) return true;
    bool arrow = (before_is(p, 0, STR(">")) && before_is(p, 1, STR("-"))) ||
                 (before_is(p, 0, STR("-")) && before_is(p, 1, STR("<")));
    return (arrow && p->call.n) || before_is(p, 0, STR("|"));
}

static void find_in_query(Finder *f, const Words *w) {
    static const char *const first[] = {"SELECT", "EXPLAIN"}, *const from[] = {"DIGITALTWINS", "RELATIONSHIPS"};
    const Place *p = f->place;
    if (p->in_comment) return;
    if (p->in_text) {
        find_in_text(f, w);
    } else if (at_link_name(p)) {
        find_names(f, w, WORD_RELATIONSHIP, false);
    } else if (before_is(p, 0, STR("."))) {
        find_behind_dot(f, w);
    } else if (!p->kinds[0] || before_is(p, 0, STR("EXPLAIN"))) {
        f->tail = STR(" ");
        find_words(f, first, COUNT_OF(first));
    } else if (before_is(p, 0, STR("FROM"))) {
        f->tail = STR(" ");
        find_words(f, from, COUNT_OF(from));
    } else {
        find_words(f, keywords, COUNT_OF(keywords));
        if (f->found.n) f->tail = STR(" ");
        find_words(f, functions, COUNT_OF(functions));
        if (p->word.n) find_fixed(f, fields, COUNT_OF(fields));
        if (p->word.n) find_names(f, w, WORD_PROPERTY, true);
    }
}

static int by_text(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

// Longest head that all have, cut between code points.
static Str common_head(const Str *items, int32_t n) {
    Str head = items[0];
    for (int32_t i = 1; i < n; i++) {
        int64_t k = 0;
        while (k < head.n && k < items[i].n && head.p[k] == items[i].p[k]) k++;
        head.n = k;
    }
    while (head.n && head.n < items[0].n && ((unsigned char)items[0].p[head.n] & 0xC0) == 0x80) head.n--;
    return head;
}

static void settle(Finder *f, Completion *out) {
    int64_t n = f->found.n / (int64_t)sizeof(Str);
    Str *items = NEW(f->a, Str, n + 1);
    if (n) memcpy(items, f->found.p, (size_t)f->found.n);
    qsort(items, (size_t)n, sizeof *items, by_text);
    int32_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!kept || !str_eq(items[kept - 1], items[i])) items[kept++] = items[i];
    }
    *out = (Completion){.from = f->place->from, .items = items, .count = kept, .insert = f->place->word};
    if (kept == 0) return;
    Str head = common_head(items, kept);
    bool call = str_ends(head, STR("("));
    if (kept == 1 && !call) head = arena_printf(f->a, "%.*s%.*s", STR_ARG(head), STR_ARG(f->tail));
    if (head.n >= f->place->word.n) out->insert = head;
}

// A command of the shell, or its argument.
static void find_command(Finder *f, const Words *w, Place *p, Str line) {
    int64_t blank = str_find(line, ' ', 0);
    Str head = str_sub(line, 0, blank < 0 ? line.n : blank);
    *p = (Place){.from = blank + 1, .word = str_sub(line, blank + 1, line.n)};
    if (blank < 0) f->tail = STR(" ");
    if (blank < 0) find_fixed(f, commands, COUNT_OF(commands));
    else if (str_eq(head, STR("\\properties"))) find_names(f, w, WORD_MODEL, false);
    else if (str_eq(head, STR("\\world"))) find_names(f, w, WORD_WORLD, false);
}

void words_complete(const Words *w, Arena *a, Str text, int64_t at, Completion *out) {
    Str line = str_sub(text, 0, at), explain = STR("\\explain ");
    int64_t skip = str_starts(line, explain) ? explain.n : 0;
    Place p = find_place(str_sub(text, skip, text.n), at - skip);
    Finder f = {.a = a, .place = &p};
    if (!skip && str_starts(line, STR("\\"))) find_command(&f, w, &p, line);
    else find_in_query(&f, w);
    p.from += skip;
    settle(&f, out);
    buf_free(&f.found);
}
