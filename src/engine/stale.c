// SPDX-License-Identifier: Apache-2.0
// sosia_stale: twins whose sources have gone silent. Page by page: the newest source time of each row over all columns.
// Twins that no source's clock ever spoke of (a building, a pipe) are not watched, and so never stale.
#include "engine/expr_past.h"
#include "engine/pasts.h"
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "world/scan.h"

typedef struct Silent {
    uint64_t id;
    int64_t newest;
    int32_t table;
    int32_t field; // of the newest value
} Silent;

typedef struct ModelCount {
    int64_t watched, stale;
    int64_t oldest, newest; // of stale ones
} ModelCount;

typedef struct Stale {
    const SosiaStale *ask;
    SosiaOut *out;
    Realm *realm;
    int64_t now;
    // of one view
    View *view;
    PageCopy page;
    int64_t times[PAGE_ROWS];
    int32_t fields[PAGE_ROWS];
    Silent *items;
    int64_t count, cap;
    ModelCount *models; // by table
} Stale;

// ---- looking -------------------------------------------------------------------------------------------------------

// The newest source times of one page of a column.
static void take_column(Stale *x, int32_t field) {
    if (!x->page.source) return;
    for (uint32_t row = 0; row < x->page.rows; row++) {
        int64_t t = x->page.source[row];
        bool counts = t > x->times[row] && (x->page.valid[row / 64] >> (row % 64) & 1);
        if (!counts) continue;
        x->times[row] = t;
        x->fields[row] = field;
    }
}

static void put_silent(Stale *x, Silent s) {
    if (x->count == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 256;
        x->items = mem_grow(x->items, (size_t)x->cap * sizeof *x->items);
    }
    x->items[x->count++] = s;
}

// The rows of x->page, which is one of the table's row vector.
static void take_rows(Stale *x, int32_t table) {
    ModelCount *m = &x->models[table];
    for (uint32_t row = 0; row < x->page.rows; row++) {
        uint64_t id = page_row_twin(x->page.cells[row]).v;
        int64_t t = x->times[row];
        if (!id || !t) continue;
        m->watched++;
        if (x->now - t <= x->ask->older_ns) continue;
        if (!m->stale || t < m->oldest) m->oldest = t;
        if (!m->stale || t > m->newest) m->newest = t;
        m->stale++;
        put_silent(x, (Silent){id, t, table, x->fields[row]});
    }
}

static void look_at_page(Stale *x, int32_t table, uint64_t page_no) {
    const Table *t = &x->view->catalog->tables[table];
    memset(x->times, 0, sizeof x->times);
    for (int32_t i = 0; i < t->model->field_count && !x->view->overrun; i++) {
        view_page(x->view, t->first + (uint32_t)i, page_no, PAGE_SOURCE, &x->page);
        take_column(x, i);
    }
    view_page(x->view, t->rows, page_no, PAGE_CELLS, &x->page);
    take_rows(x, table);
}

static Err look(Stale *x) {
    const Catalog *c = x->view->catalog;
    for (int32_t t = 0; t < c->table_count; t++) {
        uint64_t pages = c->tables[t].model ? view_pages(x->view, c->tables[t].rows) : 0;
        for (uint64_t no = 0; no < pages && !x->view->overrun; no++) {
            if (x->ask->stop && x->ask->stop(x->ask->stop_ctx)) return ERR_CLOSED;
            look_at_page(x, t, no);
        }
    }
    return ERR_OK;
}

// ---- telling -------------------------------------------------------------------------------------------------------

static void put_time(Buf *out, const char *key, int64_t t) {
    buf_printf(out, ",\"%s\":\"", key);
    time_print(t, 7, out);
    buf_byte(out, '"');
}

static void put_models(Stale *x, Buf *out) {
    const Catalog *c = x->view->catalog;
    bool any = false;
    buf_str_put(out, STR(",\"models\":["));
    for (int32_t t = 0; t < c->table_count; t++) {
        const ModelCount *m = &x->models[t];
        if (!m->watched) continue;
        buf_str_put(out, any ? STR(",{\"model\":") : STR("{\"model\":"));
        json_put_str(out, c->tables[t].model->id);
        buf_printf(out, ",\"watched\":%lld,\"stale\":%lld", (long long)m->watched, (long long)m->stale);
        if (m->stale) put_time(out, "oldest", m->oldest);
        if (m->stale) put_time(out, "newest", m->newest);
        buf_byte(out, '}');
        any = true;
    }
    buf_byte(out, ']');
}

static int by_silence(const void *a, const void *b) {
    const Silent *x = a, *y = b;
    if (x->newest != y->newest) return x->newest < y->newest ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

// Who fell silent last stands first.
static void put_twins(Stale *x, Buf *out) {
    const Catalog *c = x->view->catalog;
    if (x->count) qsort(x->items, (size_t)x->count, sizeof *x->items, by_silence);
    buf_str_put(out, STR(",\"twins\":["));
    for (int64_t i = 0; i < x->count && i < x->ask->limit; i++) {
        const Silent *s = &x->items[i];
        const Model *m = c->tables[s->table].model;
        Text name;
        view_twin_names(x->view, &s->id, 1, &name);
        buf_str_put(out, i ? STR(",{\"id\":") : STR("{\"id\":"));
        json_put_str(out, text_str(&name));
        buf_str_put(out, STR(",\"model\":"));
        json_put_str(out, m->id);
        buf_str_put(out, STR(",\"property\":"));
        json_put_str(out, m->fields[s->field].path);
        put_time(out, "newest", s->newest);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void put_all(Stale *x) {
    Buf *out = &x->out->body;
    int64_t watched = 0;
    for (int32_t t = 0; t < x->view->catalog->table_count; t++) watched += x->models[t].watched;
    buf_reset(out);
    buf_printf(out, "{\"sequence\":%llu", (unsigned long long)x->view->seq);
    put_time(out, "time", x->now);
    put_time(out, "before", x->now - x->ask->older_ns);
    buf_printf(out, ",\"watched\":%lld,\"stale\":%lld", (long long)watched, (long long)x->count);
    put_models(x, out);
    put_twins(x, out);
    buf_printf(out, ",\"more\":%s}", x->count > x->ask->limit ? "true" : "false");
}

// ---- the call ------------------------------------------------------------------------------------------------------

static Err stale_view(View *v, void *ctx) {
    Stale *x = ctx;
    x->view = v;
    x->count = 0;
    mem_free(x->models);
    x->models = mem_alloc((size_t)(v->catalog->table_count + 1) * sizeof *x->models);
    TRY(look(x));
    if (!v->overrun) put_all(x);
    return ERR_OK;
}

static Err stale_read(Stale *x, Sosia *s, const SosiaCaller *who) {
    int64_t at = 0;
    TRY(realm_get(s, x->ask->world, &x->realm, &at));
    x->now = x->realm->past.is ? at : engine_past_now(x->realm);
    Err err = engine_read_realm(x->realm, who, stale_view, x, &x->out->seq);
    realm_unref(x->realm);
    return err;
}

SosiaErr sosia_stale(Sosia *s, const SosiaCaller *who, const SosiaStale *ask, SosiaOut *out) {
    SosiaStale mine = *ask;
    buf_reset(&out->body);
    buf_reset(&out->message);
    out->etag[0] = out->token[0] = 0;
    if (!mine.limit) mine.limit = SOSIA_STALE_TWINS;
    if (mine.older_ns < 0 || mine.limit < 0 || mine.limit > SOSIA_STALE_TWINS_MAX) {
        buf_printf(&out->message, "older must not be below 0, and limit from 1 to %d", SOSIA_STALE_TWINS_MAX);
        return SOSIA_ARGUMENT;
    }
    Stale *x = mem_alloc(sizeof *x);
    x->ask = &mine;
    x->out = out;
    Err err = stale_read(x, s, who);
    page_copy_free(&x->page);
    mem_free(x->items);
    mem_free(x->models);
    mem_free(x);
    if (err) pasts_why(s, mine.world, err, &out->message);
    if (err) buf_reset(&out->body);
    return (SosiaErr)err;
}
