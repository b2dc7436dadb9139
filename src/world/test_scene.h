// SPDX-License-Identifier: Apache-2.0
// For tests of past worlds and of those over them: random worlds by seed with the trails of all their batches, forks
// taken on the way, and a comparison of two worlds by every reader. cmocka's headers come before it.
#pragma once
#include <stdio.h>
#include "base/time.h"
#include "world/core.h"
#include "world/rig.h"
#include "world/scan.h"
#include "world/show.h"
#include "world/test_trails.h"

enum { TWINS = 4000, LINKS = 4000, FORKS = 5, SEEDS = 8, BATCHES = 600, CHANGES = 60, NAMES = 60, THREADS = 4 };

typedef struct Moment {
    World *fork;
    uint64_t seq;
    int64_t at;
} Moment;

typedef struct Scene {
    Domain *d;
    World *w, *mirror; // mirror: replays the journal
    TrailLog log;
    uint64_t twins[TWINS], links[LINKS];
    int64_t twin_count, link_count, models, late, rollbacks, refused;
    Moment moments[FORKS];
    int moment_count;
    Rng rng;
    Arena arena;
    uint64_t seed;
    int64_t now;
} Scene;

// A number under n.
static inline uint64_t below(Scene *x, uint64_t n) { return rng_below(&x->rng, n); }

// ---- random changes, which may be refused ------------------------------------------------------------------------

// A text, short or long.
static inline Str draw_text(Scene *x) {
    static const char filler[] = " and it goes on and on, so that it lies in the heap of the domain, not in its cell";
    uint64_t k = below(x, 60);
    if (k < 20) return arena_printf(&x->arena, "t%llu", (unsigned long long)k);
    return arena_printf(&x->arena, "a text %llu%.*s", (unsigned long long)k, (int)below(x, sizeof filler), filler);
}

// A name nobody has.
static inline Str draw_name(Scene *x, uint64_t id) {
    uint64_t k = below(x, 3) ? id : below(x, NAMES); // a few names come again and again
    return arena_printf(&x->arena, k & 1 ? "twin-%llu" : "a-twin-with-a-long-name-%llu", (unsigned long long)k);
}

// A value that the field takes.
static inline void draw_value(Scene *x, const Field *f, Change *c) {
    c->cell = (uint8_t)f->cell;
    if (f->cell == CELL_DOC) c->text = arena_printf(&x->arena, "{\"a\":\"%.*s\"}", STR_ARG(draw_text(x)));
    else if (f->cell == CELL_STR) c->text = draw_text(x);
    else if (f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT) c->bits = 1;
    else if (f->cell == CELL_F64) c->bits = bits_of((double)below(x, 1000) / 8);
    else c->bits = below(x, 2);
}

// Mostly one of the newest.
static inline uint64_t near(Scene *x, int64_t n) {
    return below(x, 3) && n > 80 ? (uint64_t)n - 1 - below(x, 80) : below(x, (uint64_t)n);
}

// A twin that may be there, mostly a new one.
static inline uint64_t some_twin(Scene *x) { return x->twin_count ? x->twins[near(x, x->twin_count)] : 0; }

// A link that may be there, mostly a new one.
static inline uint64_t some_link(Scene *x) { return x->link_count ? x->links[near(x, x->link_count)] : 0; }

// A change of a value.
static inline Change draw_set(Scene *x) {
    View v = view_writer(x->w);
    TwinView t = view_twin_place(&v, (TwinId){some_twin(x)});
    Change c = {.kind = CHANGE_SET, .id = some_twin(x)};
    t = view_twin_place(&v, (TwinId){c.id});
    if (!t.alive) return c;
    const Table *table = &v.catalog->tables[t.table];
    uint32_t i = (uint32_t)below(x, (uint64_t)table->model->field_count);
    c.col = table->first + i;
    uint64_t dice = below(x, 10);
    if (dice == 0) c.kind = CHANGE_UNSET;
    if (dice == 1) c.kind = CHANGE_SOURCE_TIME;
    if (dice > 0 && dice < 6) c.source_time = x->now - (int64_t)below(x, 20) * NS_PER_MS;
    if (dice == 6) c.source_time = x->now + NS_PER_S * 3600;
    c.stream = dice > 3;
    if (c.kind == CHANGE_SET) draw_value(x, &table->model->fields[i], &c);
    return c;
}

// A change of a link's value.
static inline Change draw_link_set(Scene *x) {
    View v = view_writer(x->w);
    Change c = {.kind = CHANGE_LINK_SET, .id = some_link(x)};
    LinkView l = view_link(&v, (LinkId){c.id});
    if (!l.alive || !v.catalog->kinds[l.kind].rel->field_count) return c;
    const LinkKind *k = &v.catalog->kinds[l.kind];
    uint32_t i = (uint32_t)below(x, (uint64_t)k->rel->field_count);
    c.col = k->first + i;
    if (!below(x, 4)) c.kind = CHANGE_LINK_UNSET;
    else draw_value(x, &k->rel->fields[i], &c);
    return c;
}

// A new twin.
static inline Change draw_twin_new(Scene *x) {
    View v = view_writer(x->w);
    Change c = {.kind = CHANGE_TWIN_NEW, .id = world_take_twin_id(x->w).v};
    c.col = below(x, 4) ? 1 : (uint32_t)below(x, (uint64_t)v.catalog->table_count);
    c.text = draw_name(x, c.id);
    if (x->twin_count < TWINS) x->twins[x->twin_count++] = c.id;
    return c;
}

// A new link.
static inline Change draw_link_new(Scene *x) {
    Change c = {.kind = CHANGE_LINK_NEW, .id = world_take_link_id(x->w).v};
    View v = view_writer(x->w);
    c.other = some_twin(x);
    c.target = some_twin(x);
    c.col = below(x, 3) ? 0 : (uint32_t)below(x, (uint64_t)v.catalog->kind_count);
    c.text = arena_printf(&x->arena, "%s%llu", below(x, 2) ? "r" : "a-relationship-", (unsigned long long)below(x, 90));
    if (x->link_count < LINKS) x->links[x->link_count++] = c.id;
    return c;
}

// A change of models or documents.
static inline Change draw_model(Scene *x) {
    uint64_t known = (uint64_t)x->models + 1;
    Str id = arena_printf(&x->arena, "dtmi:more:M%llu;1", (unsigned long long)below(x, known));
    switch (below(x, 4)) {
    case 0: return (Change){.kind = CHANGE_MODEL_REMOVE, .text = id};
    case 1: return (Change){.kind = CHANGE_MODEL_FLAG, .text = id, .bits = below(x, 2)};
    case 2: {
        Str doc = arena_printf(&x->arena, "rules%cr%llu%c{\"n\":%llu}", 0, (unsigned long long)below(x, 4), 0,
                               (unsigned long long)below(x, 100));
        if (!below(x, 3)) doc.n = 9; // "rules\0rN\0": gone
        return (Change){.kind = CHANGE_DOC, .text = doc};
    }
    default: break;
    }
    const char *fmt =
        "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:more:M%lld;1\",\"@type\":\"Interface\",\"contents\":["
        "{\"@type\":\"Property\",\"name\":\"m\",\"schema\":{\"@type\":\"Map\",\"mapKey\":{\"name\":\"k\",\"schema\":"
        "\"string\"},\"mapValue\":{\"name\":\"v\",\"schema\":\"string\"}}},"
        "{\"@type\":\"Property\",\"name\":\"d\",\"schema\":\"double\"},"
        "{\"@type\":\"Component\",\"name\":\"c\",\"schema\":\"dtmi:rig:Part;1\"},"
        "{\"@type\":\"Relationship\",\"name\":\"k\",\"properties\":[{\"@type\":\"Property\",\"name\":\"w\","
        "\"schema\":\"double\"}]}]}]";
    char text[1024];
    snprintf(text, sizeof text, fmt, (long long)x->models++);
    return (Change){.kind = CHANGE_MODELS_ADD, .text = arena_str(&x->arena, str_of(text))};
}

// Any change.
static inline Change draw(Scene *x) {
    uint64_t dice = below(x, 1000);
    if (dice < 560) return draw_set(x);
    if (dice < 680) return draw_twin_new(x);
    if (dice < 770) return draw_link_new(x);
    if (dice < 820) return draw_link_set(x);
    if (dice < 860) return (Change){.kind = CHANGE_LINK_DEL, .id = some_link(x)};
    if (dice < 920) return (Change){.kind = CHANGE_TWIN_DEL, .id = some_twin(x)};
    if (dice < 960) return (Change){.kind = CHANGE_TWIN_MODEL, .id = some_twin(x), .col = (uint32_t)below(x, 4)};
    if (dice < 995)
        return (Change){
            .kind = CHANGE_TELEMETRY, .id = some_twin(x), .text = draw_text(x), .source_time = (int64_t)below(x, 5)};
    return draw_model(x);
}

// ---- batches -----------------------------------------------------------------------------------------------------

// Begin a batch in both worlds.
static inline void begin(Scene *x) {
    x->now = world_next_time(x->w, x->now + NS_PER_MS);
    world_begin(x->w, world_seq(x->w) + 1, x->now);
}

// One change, refused or done alike in both.
static inline void do_one(Scene *x, Change c) {
    int64_t trail = world_trail(x->w).n;
    Err e = world_do(x->w, &c);
    assert_int_not_equal(e, ERR_LIMIT);
    if (e == ERR_OK) return;
    x->refused++;
    if (world_trail(x->w).n != trail) fail_msg("seed %llu: a refused change left a trail", (unsigned long long)x->seed);
}

// The journal's bytes, replayed elsewhere, leave the same trail.
static inline void replay(Scene *x) {
    BatchHead head = {.seq = world_seq(x->w), .time = x->now};
    Buf bytes = {0};
    Str changes = world_batch(x->w, &head.count);
    batch_encode(&head, changes, &bytes);
    Cut c = cut_of(buf_str(&bytes));
    assert_int_equal(world_replay(x->mirror, &c, &head), ERR_OK);
    if (!str_eq(world_trail(x->w), world_trail(x->mirror)))
        fail_msg("seed %llu, batch %llu: replayed, it leaves another trail", (unsigned long long)x->seed,
                 (unsigned long long)head.seq);
    buf_free(&bytes);
}

// Keep a fork of now.
static inline void take_moment(Scene *x) {
    if (x->moment_count == FORKS) return;
    x->moments[x->moment_count++] = (Moment){world_fork(x->w, 0), world_seq(x->w), x->now};
}

// A batch of some changes.
static inline void random_batch(Scene *x) {
    begin(x);
    for (uint64_t i = 1 + below(x, CHANGES); i > 0; i--) do_one(x, draw(x));
    x->late += world_tally(x->w).late;
    uint64_t fate = below(x, 12);
    if (fate == 0) world_rollback(x->w);
    if (fate > 0) world_end(x->w);
    if (fate == 1) world_undo_to(x->w, world_seq(x->w) - 1);
    if (fate < 2) {
        x->rollbacks++;
        assert_int_equal(world_trail(x->w).n, 0);
        return;
    }
    world_settle(x->w, world_seq(x->w));
    replay(x);
    trails_add(&x->log, x->w);
}

// An empty scene of that seed.
static inline void scene_open(Scene *x, uint64_t seed) {
    memset(x, 0, sizeof *x);
    x->d = domain_new();
    x->w = world_new(x->d, 1 << 16);
    x->mirror = world_new(x->d, 0);
    x->seed = seed;
    x->rng = rng_make(seed, 0);
    x->now = 1000 * NS_PER_S;
    arena_init(&x->arena, 0);
    world_keep_trail(x->w, true);
    world_keep_trail(x->mirror, true);
    begin(x);
    do_one(x, (Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()});
    world_end(x->w);
    world_settle(x->w, world_seq(x->w));
    replay(x);
    trails_add(&x->log, x->w);
}

// So many batches, with moments on the way.
static inline void scene_run(Scene *x, int batches) {
    for (int i = 0; i < batches; i++) {
        random_batch(x);
        if (i == 0 || below(x, (uint64_t)batches / FORKS) == 0) take_moment(x);
    }
    take_moment(x);
}

// Everything of it goes.
static inline void scene_close(Scene *x) {
    for (int i = 0; i < x->moment_count; i++) world_free(x->moments[i].fork); // NULL is fine
    world_free(x->w);
    world_free(x->mirror);
    trails_free(&x->log);
    arena_free(&x->arena);
    domain_free(x->d);
}

// ---- the same by every reader ------------------------------------------------------------------------------------

// Fail with what differs, and the seed.
static inline void differ(const Scene *x, const Moment *m, const char *what, uint64_t a, uint64_t b) {
    fail_msg("seed %llu, seq %llu: %s %llu %llu", (unsigned long long)x->seed, (unsigned long long)m->seq, what,
             (unsigned long long)a, (unsigned long long)b);
}

// A word of a row of a copied page.
static inline uint64_t word_of(const PageCopy *c, uint32_t i, uint32_t words) {
    return i < c->rows * words ? c->cells[i] : 0;
}

// Do both copies have the same text there?
static inline bool same_text(const PageCopy *a, const PageCopy *b, uint32_t i, uint32_t words) {
    Text t = {{word_of(a, i, words), word_of(a, i + 1, words)}}, u = {{word_of(b, i, words), word_of(b, i + 1, words)}};
    return text_eq(&t, text_str(&u));
}

// A time of a row, 0 for none.
static inline int64_t time_in(const int64_t *lane, const PageCopy *c, uint32_t row) {
    return lane && row < c->rows ? lane[row] : 0;
}

// Row by row, word by word; what the fork has is in a.
static inline bool same_row(uint32_t vec, VecShape shape, const PageCopy *a, const PageCopy *b, uint32_t row) {
    const VecLayout *l = &vec_layout[shape];
    bool in_a = a->valid[row >> 6] >> (row & 63) & 1, in_b = b->valid[row >> 6] >> (row & 63) & 1;
    if (l->timed && in_a != in_b) return false;
    for (uint32_t k = 0, at = row * l->words; k < l->words; k++, at++) {
        if (vec == VECNO_HOT && k == HOT_TIME) continue; // see view_twin_time
        if (l->text_mask >> k & 1) {
            if (!same_text(a, b, at, l->words)) return false;
            k++, at++;
        } else if (word_of(a, at, l->words) != word_of(b, at, l->words)) {
            return false;
        }
    }
    return !l->timed || (time_in(a->update, a, row) == time_in(b->update, b, row) &&
                         time_in(a->source, a, row) == time_in(b->source, b, row));
}

// The shape of a vector.
static inline VecShape shape_in(const Catalog *c, uint32_t vec) {
    const Field *f;
    if (vec < VECNO_COLUMNS) return shape_of_vec(vec);
    if (catalog_column(c, vec, &f) || catalog_link_column(c, vec, &f)) return cell_shape(f->cell);
    return VEC_WORD;
}

// Every page of every vector, and its mark.
static inline void compare_pages(const Scene *x, const Moment *m, View *f, View *p) {
    static PageCopy a, b;
    for (uint32_t vec = 0; vec < f->catalog->next_vec; vec++) {
        VecShape shape = shape_in(f->catalog, vec);
        if (shape == VEC_SHAPE_COUNT) continue;
        uint64_t pages = view_pages(f, vec);
        if (view_pages(p, vec) > pages) pages = view_pages(p, vec);
        for (uint64_t page = 0; page < pages + 1; page++) {
            view_page(f, vec, page, PAGE_CELLS | PAGE_UPDATE | PAGE_SOURCE, &a);
            view_page(p, vec, page, PAGE_CELLS | PAGE_UPDATE | PAGE_SOURCE, &b);
            for (uint32_t row = 0; row < PAGE_ROWS; row++)
                if (!same_row(vec, shape, &a, &b, row) && !(vec == VECNO_META && row == META_TIME))
                    differ(x, m, "vec, row", vec, page << PAGE_SHIFT | row);
            uint64_t mark = view_page_mark(p, vec, page);
            if (mark == 0 || mark != view_page_mark(p, vec, page)) differ(x, m, "no mark", vec, page);
            if ((mark == PAGE_MARK_NONE) != (b.rows == 0)) differ(x, m, "mark of nothing", vec, page);
        }
    }
    page_copy_free(&a);
    page_copy_free(&b);
}

// Twins and links print alike.
static inline void compare_shown(const Scene *x, const Moment *m, View *f, View *p) {
    Buf a = {0}, b = {0};
    for (int64_t i = 0; i < x->twin_count; i++) {
        TwinId id = {x->twins[i]};
        bool alive = view_twin_place(f, id).alive;
        if (view_twin_place(p, id).alive != alive) differ(x, m, "alive", id.v, alive);
        if (view_twin_time(p, id) != (alive ? view_twin_time(f, id) : 0)) differ(x, m, "time of", id.v, 0);
        Text n[2];
        view_twin_names(f, &id.v, 1, &n[0]);
        view_twin_names(p, &id.v, 1, &n[1]);
        if (!text_eq(&n[0], text_str(&n[1]))) differ(x, m, "name of", id.v, alive);
        if (!alive) continue;
        buf_reset(&a);
        buf_reset(&b);
        show_twin(f, id, NULL, &a);
        show_twin(p, id, NULL, &b);
        if (!str_eq(buf_str(&a), buf_str(&b))) differ(x, m, "shown", id.v, 0);
    }
    for (int64_t i = 0; i < x->link_count; i++) {
        LinkId id = {x->links[i]};
        if (!view_link(f, id).alive) continue;
        buf_reset(&a);
        buf_reset(&b);
        show_link(f, id, &a);
        show_link(p, id, &b);
        if (!str_eq(buf_str(&a), buf_str(&b))) differ(x, m, "shown link", id.v, 0);
    }
    buf_free(&a);
    buf_free(&b);
}

// Names of the living, the dead and those who never were, alone and many at once.
static inline void compare_names(Scene *x, const Moment *m, View *f, View *p) {
    enum { MANY = 100 };
    Str names[MANY];
    TwinId in_fork[MANY], in_past[MANY];
    for (int k = 0; k < MANY; k++)
        names[k] = draw_name(x, x->twin_count ? x->twins[below(x, (uint64_t)x->twin_count)] : 0);
    view_find_twins(f, names, MANY, in_fork);
    view_find_twins(p, names, MANY, in_past);
    for (int k = 0; k < MANY; k++) {
        if (in_fork[k].v != in_past[k].v) differ(x, m, "found", in_fork[k].v, in_past[k].v);
        if (view_find_twin(p, names[k]).v != in_fork[k].v) differ(x, m, "found alone", in_fork[k].v, 0);
    }
    for (int64_t i = 0; i < x->link_count; i++) {
        LinkView l = view_link(f, (LinkId){x->links[i]});
        if (l.alive && view_find_link(p, l.source, text_str(&l.rid)).v != x->links[i])
            differ(x, m, "link not found", x->links[i], 0);
    }
}

// Models and documents are alike.
static inline void compare_models(const Scene *x, const Moment *m, View *f, View *p) {
    const Catalog *a = f->catalog, *b = p->catalog;
    if (a->table_count != b->table_count || a->next_vec != b->next_vec || a->doc_count != b->doc_count)
        differ(x, m, "catalogs", (uint64_t)a->table_count, (uint64_t)b->table_count);
    for (int32_t i = 0; i < a->table_count; i++) {
        const Table *s = &a->tables[i], *t = &b->tables[i];
        if (!str_eq(s->model->id, t->model->id) || s->removed != t->removed || s->upload_time != t->upload_time ||
            s->first != t->first || view_table_rows(f, (uint32_t)i) != view_table_rows(p, (uint32_t)i))
            differ(x, m, "table", (uint64_t)i, 0);
    }
    for (int32_t i = 0; i < a->doc_count; i++)
        if (!str_eq(a->docs[i]->json, b->docs[i]->json)) differ(x, m, "document", (uint64_t)i, 0);
    for (uint32_t row = META_SEQ; row <= META_RID_SEGMENTS; row++)
        if (row != META_TIME && view_meta(f, row) != view_meta(p, row)) differ(x, m, "meta", row, view_meta(p, row));
}

// All of it prints alike.
static inline void compare_printed(const Scene *x, const Moment *m, View *f, View *p) {
    Buf a = {0}, b = {0};
    rig_print_view(f, &a);
    rig_print_view(p, &b);
    if (!str_eq(buf_str(&a), buf_str(&b))) differ(x, m, "printed", (uint64_t)a.n, (uint64_t)b.n);
    buf_free(&a);
    buf_free(&b);
}

// The world of a moment, made from trails.
static inline World *past_of(const Scene *x, const Moment *m, int64_t at, Fold **fold) {
    World *past = NULL;
    PastSource src = trails_source(&x->log, m->seq);
    if (fold) *fold = src.ctx;
    assert_int_equal(world_past(x->d, &src, m->seq, at, x->w, &past), ERR_OK);
    assert_true(world_is_past(past) && world_past_at(past) == at);
    return past;
}

// A scene with one moment, its last.
static inline Scene *scene_with_end(uint64_t seed, int batches) {
    Scene *x = mem_alloc(sizeof *x);
    scene_open(x, seed);
    x->moment_count = FORKS; // none on the way
    scene_run(x, batches);
    x->moment_count = FORKS - 1;
    take_moment(x);
    return x;
}

// Close and free.
static inline void scene_drop(Scene *x) {
    scene_close(x);
    mem_free(x);
}
