// SPDX-License-Identifier: Apache-2.0
// Twins, links and values as JSON. One walk over a model's fields writes the values; the times met on the way are kept
// for "$metadata", which comes last.
#include "world/show.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/time.h"
#include "codec/json.h"
#include "world/edit.h"
#include "world/past.h"

// The properties of one twin or link, and where its JSON goes.
typedef struct Sheet {
    View *v;
    const Field *fields;
    int32_t count;
    uint32_t first; // column of field 0
    uint64_t row;
    const GivenCell *given; // instead of the view's cells
    int64_t given_time;
    bool no_times;
    Buf *out;
    int64_t time; // the last one printed, and its text
    char time_text[32];
    int64_t time_size;
} Sheet;

// Times of a level's properties, kept between the two passes; further ones are read again.
#define STAMPS 64

typedef struct Stamps {
    int32_t count;
    struct {
        int32_t field;
        int64_t update, source;
    } at[STAMPS];
} Stamps;

static CellView cell_at(const Sheet *s, int32_t i) {
    if (!s->given) return view_cell(s->v, s->first + (uint32_t)i, s->row);
    const GivenCell *g = &s->given[i];
    return (CellView){.valid = g->valid, .bits = g->bits, .update_time = s->given_time, .source_time = g->source_time};
}

static Str text_at(const Sheet *s, int32_t i, const CellView *c) {
    return s->given ? s->given[i].text : text_str(&c->text);
}

// "NAME": with a comma before it when something stands there already.
static void put_name(Buf *out, Str name) {
    char last = out->n ? out->p[out->n - 1] : '{';
    if (!buf_reserve(out, name.n + 4)) return;
    char *p = out->p + out->n;
    if (last != '{') *p++ = ',';
    *p++ = '"';
    memcpy(p, name.p, (size_t)name.n);
    p += name.n;
    *p++ = '"';
    *p++ = ':';
    out->n = p - out->p;
}

// ---- values ------------------------------------------------------------------------------------------------------

// A float as the shortest decimal that gives the same float back, written as a double is; whole numbers exactly.
static void put_float(Buf *out, double v) {
    double d = v;
    char text[32];
    bool whole = v >= -0x1p63 && v < 0x1p63 && v == (double)(int64_t)v;
    for (int digits = 6; !whole && digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (str_to_f64(str_of(text), &d) && (float)d == (float)v) break;
    }
    json_put_f64(out, d);
}

void show_scalar(const Field *f, uint64_t bits, Str text, Buf *out) {
    switch (f->cell) {
    case CELL_BOOL: buf_str_put(out, bits ? STR("true") : STR("false")); break;
    case CELL_I64:
        if (f->type->shape == SHAPE_ULONG && (int64_t)bits < 0) buf_printf(out, "%llu", (unsigned long long)bits);
        else json_put_i64(out, (int64_t)bits);
        break;
    case CELL_F64:
        if (f->type->shape == SHAPE_FLOAT) put_float(out, double_of(bits));
        else json_put_f64(out, double_of(bits));
        break;
    case CELL_STR: json_put_str(out, text); break;
    case CELL_DOC: buf_str_put(out, text); break;
    case CELL_OBJECT:
    case CELL_COMPONENT: buf_str_put(out, STR("{}")); break;
    }
}

static void put_children(const Sheet *s, int32_t marker);

// The present value of field i, which is c.
static void put_value(const Sheet *s, int32_t i, const CellView *c) {
    const Field *f = &s->fields[i];
    if (f->cell < CELL_OBJECT) {
        show_scalar(f, c->bits, text_at(s, i, c), s->out);
        return;
    }
    buf_byte(s->out, '{');
    put_children(s, i);
    buf_byte(s->out, '}');
}

// The members of an object or component, without metadata.
static void put_children(const Sheet *s, int32_t marker) {
    int32_t end = marker < 0 ? s->count : s->fields[marker].end;
    for (int32_t i = marker + 1; i < end; i = s->fields[i].end) {
        CellView c = cell_at(s, i);
        if (!c.valid) continue;
        put_name(s->out, s->fields[i].name);
        put_value(s, i, &c);
    }
}

// ---- twins -------------------------------------------------------------------------------------------------------

// Ask for the cache lines of the row in every column before the first is read: twins are read in no order.
static void prefetch(const Sheet *s) {
    uint32_t r = (uint32_t)(s->row & (PAGE_ROWS - 1));
    for (int32_t i = 0; i < s->count && i < STAMPS; i++) {
        const Page *p = view_page_ahead(s->v, s->first + (uint32_t)i, s->row);
        if (!p || r >= p->cap) continue;
        __builtin_prefetch((const void *)&p->version);
        __builtin_prefetch((const void *)&p->words[page_valid_word(r)]);
        __builtin_prefetch((const void *)&p->words[page_cell_word(p, r)]);
        __builtin_prefetch((const void *)&p->words[page_update_word(p, r)]);
        if (p->b.sources) __builtin_prefetch((const void *)&p->words[page_source_word(p, r)]);
    }
}

static void put_time(Sheet *s, int64_t ns) {
    if (s->time_size == 0 || s->time != ns) {
        Buf text = {.p = s->time_text, .cap = sizeof s->time_text, .max = sizeof s->time_text};
        buf_byte(&text, '"');
        time_print(ns, 7, &text);
        buf_byte(&text, '"');
        CHECK(!text.full && text.p == s->time_text);
        s->time = ns;
        s->time_size = text.n;
    }
    buf_put(s->out, s->time_text, s->time_size);
}

static void put_stamp(Sheet *s, int32_t i, int64_t update, int64_t source) {
    put_name(s->out, s->fields[i].name);
    buf_str_put(s->out, STR("{\"lastUpdateTime\":"));
    put_time(s, update);
    if (source && !s->no_times) {
        buf_str_put(s->out, STR(",\"sourceTime\":"));
        put_time(s, source);
    }
    buf_byte(s->out, '}');
}

// Properties of the twin (-1) or of a component.
static void put_properties(Sheet *s, int32_t marker, Stamps *stamps) {
    int32_t end = marker < 0 ? s->count : s->fields[marker].end;
    for (int32_t i = marker + 1; i < end; i = s->fields[i].end) {
        if (s->fields[i].cell == CELL_COMPONENT) continue;
        CellView c = cell_at(s, i);
        if (!c.valid) continue;
        put_name(s->out, s->fields[i].name);
        put_value(s, i, &c);
        if (stamps->count < STAMPS) {
            stamps->at[stamps->count].field = i;
            stamps->at[stamps->count].update = c.update_time;
            stamps->at[stamps->count].source = c.source_time;
        }
        stamps->count++;
    }
}

static void put_stamps(Sheet *s, int32_t marker, const Stamps *stamps) {
    int32_t kept = stamps->count < STAMPS ? stamps->count : STAMPS;
    for (int32_t k = 0; k < kept; k++) put_stamp(s, stamps->at[k].field, stamps->at[k].update, stamps->at[k].source);
    if (stamps->count <= STAMPS) return;
    int32_t end = marker < 0 ? s->count : s->fields[marker].end;
    for (int32_t i = s->fields[stamps->at[STAMPS - 1].field].end; i < end; i = s->fields[i].end) {
        CellView c = s->fields[i].cell == CELL_COMPONENT ? (CellView){0} : cell_at(s, i);
        if (c.valid) put_stamp(s, i, c.update_time, c.source_time);
    }
}

static void put_components(Sheet *s, int32_t marker);

// The inside of a component, with its braces.
static void put_component(Sheet *s, int32_t i, const CellView *marker) {
    Stamps stamps;
    stamps.count = 0;
    buf_byte(s->out, '{');
    put_properties(s, i, &stamps);
    put_components(s, i);
    put_name(s->out, STR("$metadata"));
    buf_byte(s->out, '{');
    if (!s->no_times) {
        put_name(s->out, STR("$lastUpdateTime"));
        put_time(s, marker->update_time);
    }
    put_stamps(s, i, &stamps);
    buf_str_put(s->out, STR("}}"));
}

static void put_components(Sheet *s, int32_t marker) {
    int32_t end = marker < 0 ? s->count : s->fields[marker].end;
    for (int32_t i = marker + 1; i < end; i = s->fields[i].end) {
        if (s->fields[i].cell != CELL_COMPONENT) continue;
        CellView c = cell_at(s, i);
        if (!c.valid) continue;
        put_name(s->out, s->fields[i].name);
        put_component(s, i, &c);
    }
}

static Sheet sheet_of_twin(View *v, const TwinView *t, const ShowOptions *o, Buf *out) {
    const Table *tb = &v->catalog->tables[t->table];
    return (Sheet){.v = v,
                   .fields = tb->model->fields,
                   .count = tb->model->field_count,
                   .first = tb->first,
                   .row = t->row,
                   .no_times = o && o->no_times,
                   .out = out};
}

static void put_etag(Buf *out, const char *etag) { json_put_str(out, str_of(etag)); }

static void put_twin(Sheet *s, Str name, Str model, TwinId id, int64_t time) {
    char etag[48];
    Stamps stamps;
    Buf *out = s->out;
    stamps.count = 0;
    etag_of_twin(id, time, etag);
    buf_str_put(out, STR("{\"$dtId\":"));
    json_put_str(out, name);
    buf_str_put(out, STR(",\"$etag\":"));
    put_etag(out, etag);
    put_properties(s, -1, &stamps);
    put_components(s, -1);
    buf_str_put(out, STR(",\"$metadata\":{\"$model\":"));
    json_put_str(out, model);
    if (!s->no_times) {
        put_name(out, STR("$lastUpdateTime"));
        put_time(s, time);
    }
    put_stamps(s, -1, &stamps);
    buf_str_put(out, STR("}}"));
}

void show_twin(View *v, TwinId id, const ShowOptions *o, Buf *out) {
    TwinView t = view_twin(v, id);
    CHECK(t.alive || v->overrun);
    if (!t.alive) return;
    Sheet s = sheet_of_twin(v, &t, o, out);
    prefetch(&s);
    put_twin(&s, text_str(&t.name), v->catalog->tables[t.table].model->id, id, view_time_of(v, &t));
}

void show_twin_given(const Catalog *c, uint32_t table, TwinId id, Str name, int64_t time, const GivenCell *cells,
                     Buf *out) {
    const Model *m = c->tables[table].model;
    Sheet s = {.fields = m->fields, .count = m->field_count, .given = cells, .given_time = time, .out = out};
    put_twin(&s, name, m->id, id, time);
}

Err show_component(View *v, TwinId id, Str component, const ShowOptions *o, Buf *out) {
    TwinView t = view_twin_place(v, id);
    if (!t.alive) return ERR_COMPONENT_NOT_FOUND;
    Sheet s = sheet_of_twin(v, &t, o, out);
    const Field *f = model_field(v->catalog->tables[t.table].model, component);
    if (!f || f->cell != CELL_COMPONENT) return ERR_COMPONENT_NOT_FOUND;
    CellView c = cell_at(&s, (int32_t)(f - s.fields));
    if (!c.valid) return ERR_COMPONENT_NOT_FOUND;
    put_component(&s, (int32_t)(f - s.fields), &c);
    return ERR_OK;
}

// ---- links -------------------------------------------------------------------------------------------------------

static void put_link(const Sheet *s, LinkId id, const ShownLink *l) {
    char etag[48];
    etag_of_link(id, l->time, etag);
    buf_str_put(s->out, STR("{\"$relationshipId\":"));
    json_put_str(s->out, l->rid);
    buf_str_put(s->out, STR(",\"$etag\":"));
    put_etag(s->out, etag);
    buf_str_put(s->out, STR(",\"$sourceId\":"));
    json_put_str(s->out, l->source);
    buf_str_put(s->out, STR(",\"$relationshipName\":"));
    json_put_str(s->out, l->name);
    buf_str_put(s->out, STR(",\"$targetId\":"));
    json_put_str(s->out, l->target);
    put_children(s, -1);
    buf_byte(s->out, '}');
}

void show_link(View *v, LinkId id, Buf *out) {
    LinkView l = view_link(v, id);
    CHECK(l.alive || v->overrun);
    if (!l.alive) return;
    const LinkKind *k = &v->catalog->kinds[l.kind];
    TwinView source = view_twin(v, l.source), target = view_twin(v, l.target);
    Sheet s = {
        .v = v, .fields = k->rel->fields, .count = k->rel->field_count, .first = k->first, .row = id.v, .out = out};
    put_link(&s, id,
             &(ShownLink){.rid = text_str(&l.rid),
                          .source = text_str(&source.name),
                          .name = k->rel->name,
                          .target = text_str(&target.name),
                          .time = l.update_time});
}

void show_link_given(const Catalog *c, uint32_t kind, LinkId id, const ShownLink *l, const GivenCell *cells, Buf *out) {
    const Rel *rel = c->kinds[kind].rel;
    Sheet s = {.fields = rel->fields, .count = rel->field_count, .given = cells, .given_time = l->time, .out = out};
    put_link(&s, id, l);
}

// Percent-encoded as a path segment: RFC 3986, unreserved characters stay.
static void put_segment(Buf *out, Str s) {
    static const char hex[] = "0123456789ABCDEF";
    for (int64_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || c == '.' || c == '~';
        if (plain) {
            buf_byte(out, (char)c);
        } else {
            buf_byte(out, '%');
            buf_byte(out, hex[c >> 4]);
            buf_byte(out, hex[c & 15]);
        }
    }
}

static void put_link_url(Buf *out, Str source, Str rid, const ShowOptions *o) {
    Buf url = {0};
    if (o) buf_str_put(&url, o->base_url);
    buf_str_put(&url, STR("/digitaltwins/"));
    put_segment(&url, source);
    buf_str_put(&url, STR("/relationships/"));
    put_segment(&url, rid);
    if (o && o->api_version.n > 0) {
        buf_str_put(&url, STR("?api-version="));
        put_segment(&url, o->api_version);
    }
    json_put_str(out, buf_str(&url));
    buf_free(&url);
}

void show_incoming(View *v, LinkId id, const ShowOptions *o, Buf *out) {
    LinkView l = view_link(v, id);
    CHECK(l.alive || v->overrun);
    if (!l.alive) return;
    TwinView source = view_twin(v, l.source);
    buf_str_put(out, STR("{\"$relationshipId\":"));
    json_put_str(out, text_str(&l.rid));
    buf_str_put(out, STR(",\"$sourceId\":"));
    json_put_str(out, text_str(&source.name));
    buf_str_put(out, STR(",\"$relationshipName\":"));
    json_put_str(out, v->catalog->kinds[l.kind].rel->name);
    buf_str_put(out, STR(",\"$relationshipLink\":"));
    put_link_url(out, text_str(&source.name), text_str(&l.rid), o);
    buf_byte(out, '}');
}

// ---- single values -----------------------------------------------------------------------------------------------

// The fields a column belongs to, and its own number among them. False: no such column.
static bool column_sheet(const Catalog *c, uint32_t col, Sheet *s, int32_t *i) {
    if (col < VECNO_COLUMNS || col >= c->next_vec) return false;
    int32_t owner = c->owner[col - VECNO_COLUMNS];
    if (owner < 0) {
        const LinkKind *k = &c->kinds[-1 - owner];
        *s = (Sheet){.fields = k->rel->fields, .count = k->rel->field_count, .first = k->first};
    } else {
        const Table *t = &c->tables[owner];
        *s = (Sheet){.fields = t->model->fields, .count = t->model->field_count, .first = t->first};
    }
    *i = (int32_t)(col - s->first);
    return col >= s->first && *i < s->count;
}

void show_value(View *v, uint32_t col, uint64_t row, Buf *out) {
    Sheet s;
    int32_t i;
    bool known = column_sheet(v->catalog, col, &s, &i);
    CellView c = known ? view_cell(v, col, row) : (CellView){0};
    if (!c.valid) {
        buf_str_put(out, STR("null"));
        return;
    }
    s.v = v;
    s.row = row;
    s.out = out;
    put_value(&s, i, &c);
}

void show_change_value(const Catalog *c, const Change *change, Buf *out) {
    Sheet s;
    int32_t i;
    if (column_sheet(c, change->col, &s, &i)) show_scalar(&s.fields[i], change->bits, change->text, out);
    else buf_str_put(out, STR("null"));
}
