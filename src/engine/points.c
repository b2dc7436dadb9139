// SPDX-License-Identifier: Apache-2.0
// From bodies to points, and from names to changes: the caller's or a worker's thread.
#include "engine/points.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/csv.h"
#include "codec/ingest_line.h"
#include "codec/jsonl.h"

Points *points_new(Fit fit, int64_t room) {
    Points *p = mem_alloc(sizeof *p);
    p->fit = fit;
    p->cap = room > 16 ? room : 16;
    p->items = mem_grow(NULL, (size_t)p->cap * sizeof *p->items);
    return p;
}

void points_free(Points *p) {
    if (!p) return;
    mem_free(p->items);
    mem_free(p->sets);
    mem_free(p->plain);
    mem_free(p);
}

Point *points_add(Points *p, int64_t line) {
    if (p->count == p->cap) {
        p->cap *= 2;
        p->items = mem_grow(p->items, (size_t)p->cap * sizeof *p->items);
    }
    Point *x = &p->items[p->count++];
    *x = (Point){.line = line};
    return x;
}

Str points_path(Str path, Arena *a) {
    if (path.n < 2 || path.p[0] != '/') return path;
    Str copy = arena_str(a, str_sub(path, 1, path.n));
    char *p = (char *)(uintptr_t)copy.p; // the arena's copy is ours
    for (int64_t i = 0; i < copy.n; i++)
        if (p[i] == '/') p[i] = '.';
    return copy;
}

// ---- NDJSON -------------------------------------------------------------------------------------------------------

// The value of a line; what has no kind of its own here stays a JSON text.
static SosiaValue value_of_token(const IngestLine *in, Arena *a) {
    const JsonToken *t = &in->value;
    switch (t->type) {
    case JSON_FALSE:
    case JSON_TRUE: return (SosiaValue){.kind = SOSIA_BOOL, .b = t->type == JSON_TRUE};
    case JSON_INT: return (SosiaValue){.kind = SOSIA_I64, .i = t->i};
    case JSON_DOUBLE: return (SosiaValue){.kind = SOSIA_F64, .d = t->d};
    case JSON_STRING: return (SosiaValue){.kind = SOSIA_TEXT, .s = json_unescape(a, *t)};
    default: return (SosiaValue){.kind = SOSIA_JSON, .s = in->value_text};
    }
}

void points_parse_lines(Task *c) {
    Points *p = c->points = points_new(FIT_STRICT, c->body.n / 56);
    JsonLines in;
    JsonLine text;
    Diag d;
    diag_init(&d);
    jsonl_init(&in, c->body);
    while (jsonl_next(&in, &text)) {
        Point *x = points_add(p, text.line);
        IngestLine line;
        Err err = ingest_line_parse(text.text, &c->arena, &line, &d);
        if (err) {
            x->err = err;
            x->message = report_message(&c->arena, err, &d);
            diag_free(&d);
            diag_init(&d);
            continue;
        }
        x->twin = line.id;
        x->path = points_path(line.property, &c->arena);
        x->value = value_of_token(&line, &c->arena);
        x->json = line.value_text;
        x->time = line.has_time ? line.time_ns : 0;
    }
    diag_free(&d);
}

// ---- CSV ----------------------------------------------------------------------------------------------------------

// What the columns of a header mean. Long: id,property,value[,time]; wide: id[,time] and a column for each property.
typedef struct Header {
    int32_t id, property, value, time; // columns; -1: none
    Str *paths;                        // wide: by column; empty for id and time
    int32_t count;
} Header;

static int32_t column_of(const CsvRow *row, const char *name) {
    for (int32_t i = 0; i < row->count; i++)
        if (str_eq(str_trim(row->fields[i]), str_of(name))) return i;
    return -1;
}

// Errors: ARGUMENT, the task fails.
static Err header_read(Task *c, const CsvRow *row, Header *h) {
    Arena *a = &c->arena;
    *h = (Header){column_of(row, "id"),
                  column_of(row, "property"),
                  column_of(row, "value"),
                  column_of(row, "time"),
                  NULL,
                  row->count};
    bool wide = h->property < 0 || h->value < 0;
    int32_t rest = row->count - 1 - (h->time >= 0);
    if (h->id < 0 || rest < 1 || (!wide && rest != 2)) {
        task_fail(c, ERR_ARGUMENT,
                  "the first line names the columns: id,property,value[,time], or id[,time] and the "
                  "properties");
        return ERR_ARGUMENT;
    }
    h->paths = wide ? NEW(a, Str, row->count) : NULL;
    for (int32_t i = 0; wide && i < row->count; i++) {
        if (i == h->id || i == h->time) continue;
        h->paths[i] = points_path(arena_str(a, str_trim(row->fields[i])), a);
        if (h->paths[i].n) continue;
        task_fail(c, ERR_ARGUMENT, "column %d has no name", i + 1);
        return ERR_ARGUMENT;
    }
    return ERR_OK;
}

// RFC 3339, or whole milliseconds since 1970; an empty cell is no time.
static bool cell_time(Str s, int64_t *out) {
    s = str_trim(s);
    *out = 0;
    if (!s.n || time_parse(s, out)) return true;
    JsonScan scan;
    JsonToken t;
    json_scan_init(&scan, s);
    return json_scan_value(&scan, &t) && json_scan_end(&scan) && t.type == JSON_INT &&
           !__builtin_mul_overflow(t.i, NS_PER_MS, out);
}

static void cell_bad(Points *p, int64_t line, const char *why) {
    Point *x = points_add(p, line);
    x->err = ERR_ARGUMENT;
    x->message = str_of(why);
}

static void cell_point(Task *c, const CsvRow *row, Str twin, Str path, Str cell, int64_t time) {
    Point *x = points_add(c->points, row->line);
    x->twin = twin;
    x->path = path;
    x->value = (SosiaValue){.kind = SOSIA_TEXT, .s = arena_str(&c->arena, cell)};
    x->time = time;
}

static void row_points(Task *c, const Header *h, const CsvRow *row) {
    Arena *a = &c->arena;
    int64_t time = 0;
    Str id = str_trim(row->fields[h->id]);
    if (!id.n) {
        cell_bad(c->points, row->line, "\"id\" must not be empty");
    } else if (h->time >= 0 && !cell_time(row->fields[h->time], &time)) {
        cell_bad(c->points, row->line, "\"time\" is RFC 3339 text or whole milliseconds since 1970");
    } else if (!h->paths) {
        Str path = str_trim(row->fields[h->property]), cell = row->fields[h->value];
        if (!path.n) cell_bad(c->points, row->line, "\"property\" must not be empty");
        else if (cell.n) cell_point(c, row, arena_str(a, id), points_path(arena_str(a, path), a), cell, time);
    } else {
        Str twin = arena_str(a, id);
        for (int32_t i = 0; i < h->count; i++)
            if (h->paths[i].n && row->fields[i].n) cell_point(c, row, twin, h->paths[i], row->fields[i], time);
    }
}

static void csv_rows(Task *c, CsvReader *r) {
    Header h = {0};
    CsvRow row;
    bool headed = false;
    for (CsvGot got; (got = csv_reader_next(r, &row)) != CSV_END;) {
        if (got == CSV_MORE) break;
        if (got == CSV_ROW && !headed) {
            if (header_read(c, &row, &h)) return;
            headed = true;
        } else if (got == CSV_ROW) {
            row_points(c, &h, &row);
        } else if (got == CSV_RAGGED) {
            cell_bad(c->points, row.line, "the row has another number of fields than the header");
        } else if (r->err == ERR_LIMIT || !headed) {
            task_fail(c, r->err, "line %lld: %s", (long long)r->line, r->why);
            return;
        } else {
            cell_bad(c->points, r->line, r->why);
        }
    }
}

void points_parse_csv(Task *c) {
    c->points = points_new(FIT_TEXT, c->body.n / 16);
    CsvReader r;
    csv_reader_init(&r, NULL);
    csv_reader_feed(&r, c->body, true);
    csv_rows(c, &r);
    csv_reader_free(&r);
}

// ---- names to changes ---------------------------------------------------------------------------------------------

#define RUN 256 // points looked up at a time
#define MEMO 64 // paths remembered

// A path of a model that was looked up before.
typedef struct Known {
    const Model *model;
    Str path;
    const Field *field; // NULL: there is none
} Known;

typedef struct Resolver {
    Task *c;
    Points *p;
    View *v;
    Known known[MEMO];
    Str names[RUN];
    int32_t which[RUN];
    TwinId found[RUN];
    uint32_t tables[RUN];
} Resolver;

static const Field *find_field(Resolver *x, const Model *m, Str path) {
    uint64_t h = (uint64_t)(uintptr_t)m >> 4 ^ (uint64_t)path.n * 7;
    if (path.n) h ^= (uint64_t)(uint8_t)path.p[path.n - 1] ^ (uint64_t)(uint8_t)path.p[path.n / 2] << 2;
    Known *k = &x->known[h % MEMO];
    if (k->model != m || !str_eq(k->path, path)) *k = (Known){m, path, model_field(m, path)};
    return k->field;
}

static void make_set(Resolver *x, int64_t i, uint64_t twin, uint32_t col, const Field *f) {
    Point *p = &x->p->items[i];
    Change *c = &x->p->sets[i];
    *c = (Change){.kind = CHANGE_SET, .stream = true, .col = col, .id = twin, .source_time = p->time};
    SosiaValue v = value_fit(f, x->p->fit, p->value, &x->c->arena);
    x->p->plain[i] = value_plain(f, &v, c);
}

static void by_name(Resolver *x, int64_t i, TwinId twin, uint32_t table) {
    const Catalog *cat = x->v->catalog;
    if (!twin.v || table >= (uint32_t)cat->table_count || cat->tables[table].removed) return;
    const Model *m = cat->tables[table].model;
    const Field *f = find_field(x, m, x->p->items[i].path);
    if (f) make_set(x, i, twin.v, cat->tables[table].first + (uint32_t)(f - m->fields), f);
}

static void by_handle(Resolver *x, int64_t i) {
    SosiaHandle at = x->p->items[i].at;
    const Table *table;
    const LinkKind *kind;
    const Field *f = catalog_field(x->v->catalog, at.column, &table, &kind);
    if (f && table && !table->removed) make_set(x, i, at.twin, at.column, f);
}

// Points [from, from + n): one look for points in a row of the same twin.
static void resolve_run(Resolver *x, int64_t from, int64_t n) {
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        const Point *p = &x->p->items[from + i];
        x->which[i] = -1;
        if (p->err || p->at.twin || p->value.kind == SOSIA_NONE) continue;
        if (!m || !str_eq(x->names[m - 1], p->twin)) x->names[m++] = p->twin;
        x->which[i] = (int32_t)(m - 1);
    }
    view_find_twins(x->v, x->names, m, x->found);
    view_guess_tables(x->v, x->found, m, x->tables);
    for (int64_t i = 0; i < n; i++) {
        const Point *p = &x->p->items[from + i];
        int32_t k = x->which[i];
        if (k >= 0) by_name(x, from + i, x->found[k], x->tables[k]);
        else if (!p->err && p->value.kind != SOSIA_NONE) by_handle(x, from + i);
    }
}

void points_resolve(Sosia *e, Task *c) {
    Points *p = c->points;
    p->sets = mem_grow(NULL, (size_t)p->count * sizeof *p->sets + 1);
    p->plain = mem_alloc((size_t)p->count * sizeof *p->plain + 1);
    Realm *r = realm_find(e, c->world);
    if (!r) return; // the writer tells
    View v;
    Resolver x = {.c = c, .p = p, .v = &v};
    for (int64_t from = 0; from < p->count; from += RUN) {
        int64_t n = p->count - from < RUN ? p->count - from : RUN;
        view_begin(&v, r->world);
        if (!from) p->catalog = v.catalog->since;
        bool same = p->catalog == v.catalog->since;
        if (same) resolve_run(&x, from, n);
        view_end(&v);
        if (same && v.overrun) memset(p->plain + from, 0, (size_t)n * sizeof *p->plain);
        if (!same) break; // models changed in between: the writer looks the rest up
    }
    realm_unref(r);
}
