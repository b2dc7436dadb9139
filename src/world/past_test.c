// SPDX-License-Identifier: Apache-2.0
// Past worlds against forks taken at the time, for random worlds by seed: what a source that folds trails makes is the
// same, word for word and by every reader. A failure prints its seed.
// LABELS: threads
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
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

static uint64_t below(Scene *x, uint64_t n) { return rng_below(&x->rng, n); }

// ---- random changes, which may be refused ------------------------------------------------------------------------

static Str draw_text(Scene *x) {
    static const char filler[] = " and it goes on and on, so that it lies in the heap of the domain, not in its cell";
    uint64_t k = below(x, 60);
    if (k < 20) return arena_printf(&x->arena, "t%llu", (unsigned long long)k);
    return arena_printf(&x->arena, "a text %llu%.*s", (unsigned long long)k, (int)below(x, sizeof filler), filler);
}

static Str draw_name(Scene *x, uint64_t id) {
    uint64_t k = below(x, 3) ? id : below(x, NAMES); // a few names come again and again
    return arena_printf(&x->arena, k & 1 ? "twin-%llu" : "a-twin-with-a-long-name-%llu", (unsigned long long)k);
}

static void draw_value(Scene *x, const Field *f, Change *c) {
    c->cell = (uint8_t)f->cell;
    if (f->cell == CELL_DOC) c->text = arena_printf(&x->arena, "{\"a\":\"%.*s\"}", STR_ARG(draw_text(x)));
    else if (f->cell == CELL_STR) c->text = draw_text(x);
    else if (f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT) c->bits = 1;
    else if (f->cell == CELL_F64) c->bits = bits_of((double)below(x, 1000) / 8);
    else c->bits = below(x, 2);
}

// Mostly one of the newest.
static uint64_t near(Scene *x, int64_t n) {
    return below(x, 3) && n > 80 ? (uint64_t)n - 1 - below(x, 80) : below(x, (uint64_t)n);
}

static uint64_t some_twin(Scene *x) { return x->twin_count ? x->twins[near(x, x->twin_count)] : 0; }

static uint64_t some_link(Scene *x) { return x->link_count ? x->links[near(x, x->link_count)] : 0; }

static Change draw_set(Scene *x) {
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

static Change draw_link_set(Scene *x) {
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

static Change draw_twin_new(Scene *x) {
    View v = view_writer(x->w);
    Change c = {.kind = CHANGE_TWIN_NEW, .id = world_take_twin_id(x->w).v};
    c.col = below(x, 4) ? 1 : (uint32_t)below(x, (uint64_t)v.catalog->table_count);
    c.text = draw_name(x, c.id);
    if (x->twin_count < TWINS) x->twins[x->twin_count++] = c.id;
    return c;
}

static Change draw_link_new(Scene *x) {
    Change c = {.kind = CHANGE_LINK_NEW, .id = world_take_link_id(x->w).v};
    View v = view_writer(x->w);
    c.other = some_twin(x);
    c.target = some_twin(x);
    c.col = below(x, 3) ? 0 : (uint32_t)below(x, (uint64_t)v.catalog->kind_count);
    c.text = arena_printf(&x->arena, "%s%llu", below(x, 2) ? "r" : "a-relationship-", (unsigned long long)below(x, 90));
    if (x->link_count < LINKS) x->links[x->link_count++] = c.id;
    return c;
}

static Change draw_model(Scene *x) {
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

static Change draw(Scene *x) {
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

static void begin(Scene *x) {
    x->now = world_next_time(x->w, x->now + NS_PER_MS);
    world_begin(x->w, world_seq(x->w) + 1, x->now);
}

static void do_one(Scene *x, Change c) {
    int64_t trail = world_trail(x->w).n;
    Err e = world_do(x->w, &c);
    assert_int_not_equal(e, ERR_LIMIT);
    if (e == ERR_OK) return;
    x->refused++;
    if (world_trail(x->w).n != trail) fail_msg("seed %llu: a refused change left a trail", (unsigned long long)x->seed);
}

// The journal's bytes, replayed elsewhere, leave the same trail.
static void replay(Scene *x) {
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

static void take_moment(Scene *x) {
    if (x->moment_count == FORKS) return;
    x->moments[x->moment_count++] = (Moment){world_fork(x->w, 0), world_seq(x->w), x->now};
}

static void random_batch(Scene *x) {
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

static void scene_open(Scene *x, uint64_t seed) {
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

static void scene_run(Scene *x, int batches) {
    for (int i = 0; i < batches; i++) {
        random_batch(x);
        if (i == 0 || below(x, (uint64_t)batches / FORKS) == 0) take_moment(x);
    }
    take_moment(x);
}

static void scene_close(Scene *x) {
    for (int i = 0; i < x->moment_count; i++) world_free(x->moments[i].fork); // NULL is fine
    world_free(x->w);
    world_free(x->mirror);
    trails_free(&x->log);
    arena_free(&x->arena);
    domain_free(x->d);
}

// ---- the same by every reader ------------------------------------------------------------------------------------

static void differ(const Scene *x, const Moment *m, const char *what, uint64_t a, uint64_t b) {
    fail_msg("seed %llu, seq %llu: %s %llu %llu", (unsigned long long)x->seed, (unsigned long long)m->seq, what,
             (unsigned long long)a, (unsigned long long)b);
}

static uint64_t word_of(const PageCopy *c, uint32_t i, uint32_t words) { return i < c->rows * words ? c->cells[i] : 0; }

static bool same_text(const PageCopy *a, const PageCopy *b, uint32_t i, uint32_t words) {
    Text t = {{word_of(a, i, words), word_of(a, i + 1, words)}}, u = {{word_of(b, i, words), word_of(b, i + 1, words)}};
    return text_eq(&t, text_str(&u));
}

static int64_t time_in(const int64_t *lane, const PageCopy *c, uint32_t row) {
    return lane && row < c->rows ? lane[row] : 0;
}

// Row by row, word by word; what the fork has is in a.
static bool same_row(uint32_t vec, VecShape shape, const PageCopy *a, const PageCopy *b, uint32_t row) {
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

static VecShape shape_in(const Catalog *c, uint32_t vec) {
    const Field *f;
    if (vec < VECNO_COLUMNS) return shape_of_vec(vec);
    if (catalog_column(c, vec, &f) || catalog_link_column(c, vec, &f)) return cell_shape(f->cell);
    return VEC_WORD;
}

// Every page of every vector, and its mark.
static void compare_pages(const Scene *x, const Moment *m, View *f, View *p) {
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

static void compare_shown(const Scene *x, const Moment *m, View *f, View *p) {
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
static void compare_names(Scene *x, const Moment *m, View *f, View *p) {
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

static void compare_models(const Scene *x, const Moment *m, View *f, View *p) {
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

static void compare_printed(const Scene *x, const Moment *m, View *f, View *p) {
    Buf a = {0}, b = {0};
    rig_print_view(f, &a);
    rig_print_view(p, &b);
    if (!str_eq(buf_str(&a), buf_str(&b))) differ(x, m, "printed", (uint64_t)a.n, (uint64_t)b.n);
    buf_free(&a);
    buf_free(&b);
}

static World *past_of(const Scene *x, const Moment *m, int64_t at, Fold **fold) {
    World *past = NULL;
    PastSource src = trails_source(&x->log, m->seq);
    if (fold) *fold = src.ctx;
    assert_int_equal(world_past(x->d, &src, m->seq, at, x->w, &past), ERR_OK);
    assert_true(world_is_past(past) && world_past_at(past) == at);
    return past;
}

// In another order each time, so that pages are first touched by different readers.
static void compare(Scene *x, const Moment *m, Fold *met) {
    Fold *fold;
    World *past = past_of(x, m, m->at + 17, &fold);
    met->moved += fold->moved, met->sources += fold->sources, met->dead += fold->dead;
    met->late += fold->late, met->telemetry += fold->telemetry;
    View f, p;
    view_begin(&f, m->fork);
    view_begin(&p, past);
    assert_int_equal(p.seq, m->seq);
    assert_int_equal(view_meta(&p, META_TIME), m->at + 17);
    uint64_t first = below(x, 5);
    for (uint64_t i = 0; i < 5; i++) {
        switch ((first + i) % 5) {
        case 0: compare_names(x, m, &f, &p); break;
        case 1: compare_shown(x, m, &f, &p); break;
        case 2: compare_printed(x, m, &f, &p); break;
        case 3: compare_models(x, m, &f, &p); break;
        default: compare_pages(x, m, &f, &p);
        }
    }
    assert_false(f.overrun || p.overrun);
    assert_int_equal(p.failed, ERR_OK);
    assert_true(world_past_bytes(past) > 0);
    view_end(&f);
    view_end(&p);
    world_verify(past);
    world_free(past);
}

static void past_worlds_are_forks(void **state) {
    (void)state;
    Scene *x = mem_alloc(sizeof *x);
    int64_t late = 0, rollbacks = 0, refused = 0, twins = 0;
    Fold met = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scene_open(x, seed);
        scene_run(x, BATCHES);
        for (int i = 0; i < x->moment_count; i++) compare(x, &x->moments[i], &met);
        late += x->late, rollbacks += x->rollbacks, refused += x->refused, twins += x->twin_count;
        scene_close(x);
    }
    print_message("late %lld, rollbacks %lld, refused %lld, twins %lld\n", (long long)late, (long long)rollbacks,
                  (long long)refused, (long long)twins);
    assert_true(late > 0 && rollbacks > 0 && refused > 0 && twins > 1500 * SEEDS); // names split segments
    assert_true(met.moved > 0 && met.sources > 0 && met.dead > 0 && met.late > 0 && met.telemetry > 0);
    mem_free(x);
}

// ---- pages are made when they are touched, once ------------------------------------------------------------------

// A scene with one moment, its last.
static Scene *scene_with_end(uint64_t seed, int batches) {
    Scene *x = mem_alloc(sizeof *x);
    scene_open(x, seed);
    x->moment_count = FORKS; // none on the way
    scene_run(x, batches);
    x->moment_count = FORKS - 1;
    take_moment(x);
    return x;
}

static void scene_drop(Scene *x) {
    scene_close(x);
    mem_free(x);
}

static void walk_all(const Scene *x, View *v, int64_t *alive, int64_t *hops) {
    *alive = *hops = 0;
    for (int64_t i = 0; i < x->twin_count; i++) {
        LinkId out, in;
        TwinView t = view_twin_place(v, (TwinId){x->twins[i]});
        *alive += t.alive;
        view_twin_links(v, (TwinId){x->twins[i]}, &out, &in);
        for (; out.v; ++*hops) {
            LinkView l = view_link(v, out);
            assert_true(view_twin_place(v, l.target).alive);
            out = l.next_out;
        }
    }
}

// Walking the graph makes no column; asking again asks the source nothing; what is not there is remembered.
static void touched_only_and_once(void **state) {
    (void)state;
    Scene *x = scene_with_end(99, 300);
    const Moment *m = &x->moments[FORKS - 1];
    Fold *fold;
    World *past = past_of(x, m, m->at, &fold);
    View f, p;
    view_begin(&f, m->fork);
    view_begin(&p, past);
    int64_t alive[2], hops[2];
    walk_all(x, &f, &alive[0], &hops[0]);
    walk_all(x, &p, &alive[1], &hops[1]);
    assert_true(alive[0] == alive[1] && hops[0] == hops[1] && hops[0] > 100);
    int64_t hot = (int64_t)(view_meta(&f, META_ID_MAX) >> PAGE_SHIFT) + 1;
    assert_true(atomic_load(&fold->groups) <= 3 * 16 * hot + 8); // place, links, the links themselves
    int64_t asked = atomic_load(&fold->asked), bytes = world_past_bytes(past);
    walk_all(x, &p, &alive[1], &hops[1]);
    assert_int_equal(atomic_load(&fold->asked), asked);
    compare_pages(x, m, &f, &p);
    asked = atomic_load(&fold->asked);
    assert_true(world_past_bytes(past) > bytes);
    compare_pages(x, m, &f, &p);
    compare_shown(x, m, &f, &p);
    assert_int_equal(atomic_load(&fold->asked), asked);
    view_end(&f);
    view_end(&p);
    world_free(past);
    scene_drop(x);
}

static void say_twin(void *ctx, TwinId id, bool before, bool after) {
    buf_printf(ctx, "t%llu %d%d\n", (unsigned long long)id.v, before, after);
}
static void say_link(void *ctx, LinkId id, bool before, bool after) {
    buf_printf(ctx, "l%llu %d%d\n", (unsigned long long)id.v, before, after);
}
static void say_value(void *ctx, TwinId twin, LinkId link, uint32_t col) {
    buf_printf(ctx, "v%llu/%llu %u\n", (unsigned long long)twin.v, (unsigned long long)link.v, col);
}

static void diff_into(World *a, World *b, Buf *out) {
    buf_free(out);
    assert_int_equal(world_diff(a, b, &(DiffSink){out, say_twin, say_link, say_value}), ERR_OK);
}

// What differs between two instants is the same for forks kept from then, worlds of the past, and one of each.
static void differences_of_instants(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        Scene *x = mem_alloc(sizeof *x);
        scene_open(x, seed);
        scene_run(x, 150);
        assert_true(x->moment_count >= 2);
        const Moment *m = &x->moments[0], *n = &x->moments[x->moment_count - 1];
        World *p = past_of(x, m, m->at, NULL), *q = past_of(x, n, n->at, NULL);
        Buf want = {0}, got = {0};
        diff_into(m->fork, n->fork, &want);
        assert_true(want.n > 0);
        World *pairs[3][2] = {{p, q}, {p, n->fork}, {m->fork, q}};
        for (int i = 0; i < 3; i++) {
            diff_into(pairs[i][0], pairs[i][1], &got);
            if (!str_eq(buf_str(&got), buf_str(&want))) fail_msg("seed %llu, pair %d", (unsigned long long)seed, i);
        }
        diff_into(p, m->fork, &got);
        assert_int_equal(got.n, 0);
        buf_free(&want), buf_free(&got);
        world_free(p), world_free(q);
        scene_drop(x);
    }
}

// One row makes one group of it, the third the rest; and a mark is given only when all are there.
static void a_group_at_a_time(void **state) {
    (void)state;
    Scene *x = scene_with_end(7, 400);
    const Moment *m = &x->moments[FORKS - 1];
    Fold *fold;
    World *past = past_of(x, m, m->at, &fold);
    View p;
    view_begin(&p, past);
    uint32_t rows = p.catalog->tables[1].rows;
    assert_true(view_table_rows(&p, 1) > 3 * PAST_GROUP_ROWS);
    int64_t before = atomic_load(&fold->groups);
    (void)view_row_twin(&p, 1, 70);
    assert_int_equal(atomic_load(&fold->groups), before + 1);
    (void)view_row_twin(&p, 1, 127);
    assert_int_equal(atomic_load(&fold->groups), before + 1);
    assert_int_equal(view_page_mark(&p, rows, 0), 0);
    (void)view_row_twin(&p, 1, 0);
    assert_int_equal(atomic_load(&fold->groups), before + 2);
    int64_t asked = atomic_load(&fold->asked);
    for (uint64_t row = 128; row < PAGE_ROWS; row++) (void)view_row_twin(&p, 1, row);
    assert_int_equal(atomic_load(&fold->asked), asked + 1);
    PageCopy copy = {0};
    view_page(&p, rows, 0, PAGE_CELLS, &copy);
    uint64_t mark = view_page_mark(&p, rows, 0);
    assert_true(mark != 0 && mark != PAGE_MARK_NONE);
    assert_int_equal(view_page_mark(&p, p.catalog->next_vec + 5, 0), PAGE_MARK_NONE);
    assert_int_equal(view_pages(&p, p.catalog->next_vec + 5), 0);
    page_copy_free(&copy);
    view_end(&p);
    world_free(past);
    scene_drop(x);
}

// The present catalog is used while no model operation lies between, else that of then is built.
static void catalogs_of_then(void **state) {
    (void)state;
    Scene *x = scene_with_end(5, 60);
    const Moment *m = &x->moments[FORKS - 1];
    World *past = past_of(x, m, m->at, NULL);
    View v = view_writer(past), live = view_writer(x->w);
    assert_ptr_equal(v.catalog, live.catalog);
    begin(x);
    do_one(x, (Change){.kind = CHANGE_DOC, .text = (Str){"rules\0new\0{}", 12}});
    world_end(x->w);
    world_settle(x->w, world_seq(x->w));
    trails_add(&x->log, x->w);
    World *other = past_of(x, m, m->at, NULL);
    View u = view_writer(other), fork = view_writer(m->fork);
    live = view_writer(x->w);
    assert_ptr_not_equal(u.catalog, live.catalog);
    compare_models(x, m, &fork, &u);
    compare_models(x, m, &fork, &v); // the world that shared it still has it
    assert_null(catalog_doc(u.catalog, STR("rules"), STR("new")));
    assert_non_null(catalog_doc(live.catalog, STR("rules"), STR("new")));
    world_free(past);
    world_free(other);
    scene_drop(x);
}

// Before the first batch there was nothing.
static void before_everything(void **state) {
    (void)state;
    Scene *x = scene_with_end(3, 20);
    Moment m = {.seq = 0, .at = 5};
    World *past = past_of(x, &m, 5, NULL);
    View v;
    view_begin(&v, past);
    assert_int_equal(v.catalog->table_count, 0);
    assert_int_equal(view_find_twin(&v, STR("twin-1025")).v, 0);
    assert_false(view_twin(&v, (TwinId){x->twins[0]}).alive);
    assert_int_equal(view_meta(&v, META_TWINS), 0);
    assert_int_equal(view_pages(&v, VECNO_HOT), 0);
    assert_false(v.overrun);
    view_end(&v);
    world_verify(past);
    world_free(past);
    scene_drop(x);
}

// ---- sources that fail -------------------------------------------------------------------------------------------

static bool print_or_fail(World *past, Buf *out) {
    View v;
    view_begin(&v, past);
    buf_reset(out);
    rig_print_view(&v, out);
    bool ok = v.failed == ERR_OK;
    assert_int_equal(v.overrun, !ok);
    if (!ok) assert_int_equal(v.failed, ERR_STORAGE);
    if (!ok) assert_false(view_twin_place(&v, (TwinId){1024}).alive); // nothing any more
    view_end(&v);
    return ok;
}

// A failure is told by the view, and never kept: each try gets further, and at last everything is right.
static void failures_are_not_kept(void **state) {
    (void)state;
    Scene *x = scene_with_end(21, 200);
    const Moment *m = &x->moments[FORKS - 1];
    Buf want = {0}, got_text = {0};
    View f = view_writer(m->fork);
    rig_print_view(&f, &want);
    for (int every = 2; every < 40; every += 5) {
        Fold *fold;
        World *past = past_of(x, m, m->at, &fold);
        atomic_store(&fold->fail_every, every);
        int tries = 1;
        while (!print_or_fail(past, &got_text)) tries++;
        assert_true(tries > 1);
        assert_true(str_eq(buf_str(&got_text), buf_str(&want)));
        world_free(past);
    }
    Fold *fold;
    PastSource src = trails_source(&x->log, m->seq);
    fold = src.ctx;
    atomic_store(&fold->fail_every, 1);
    World *none = NULL;
    assert_int_equal(world_past(x->d, &src, m->seq, m->at, x->w, &none), ERR_STORAGE);
    assert_null(none);
    buf_free(&want);
    buf_free(&got_text);
    scene_drop(x);
}

// ---- sources that are wrong --------------------------------------------------------------------------------------

typedef struct Liar {
    Fold *fold;
    uint32_t vec;
    int lie, truths; // so many answers before the first lie
} Liar;

static Err liar_rows(void *ctx, int64_t at, uint32_t vec, uint64_t page_no, uint16_t groups, PastRows *to) {
    Liar *l = ctx;
    TRY(fold_rows(l->fold, at, vec, page_no, groups, to));
    if (vec != l->vec || l->truths-- > 0) return ERR_OK;
    uint32_t row = 0;
    while (!(groups >> row / PAST_GROUP_ROWS & 1)) row += PAST_GROUP_ROWS;
    switch (l->lie) {
    case 0: past_put_word(to, row, 0, (uint64_t)1 << 60); break; // no such table, no such kind
    case 1: past_put_word(to, PAGE_ROWS, 0, 1); break;
    case 2: past_put_word(to, row, 8, 1); break;
    case 3: past_put_text(to, row, 1, STR("not a text's word")); break;
    case 4: past_put_cell(to, row, 1, STR("no cell of that"), 1, 0); break;
    default: past_put_word(to, UINT32_MAX, 0, 1); break;
    }
    return ERR_OK;
}

static Err liar_pages(void *ctx, uint32_t vec, uint64_t *count) { return fold_pages(((Liar *)ctx)->fold, vec, count); }

static Err print_past(World *past, Buf *out) {
    View v;
    view_begin(&v, past);
    buf_reset(out);
    rig_print_view(&v, out);
    view_end(&v);
    return v.failed;
}

// What cannot be is told as CORRUPT, by the call or by the view; when the source tells the truth then, nothing is left
// of the lie.
static void one_lie(const Scene *x, const Moment *m, Str want, uint32_t vec, int lie, int truths) {
    PastSource src = trails_source(&x->log, m->seq);
    Liar liar = {src.ctx, vec, lie, truths};
    src = (PastSource){.ctx = &liar, .rows = liar_rows, .pages = liar_pages};
    World *past = NULL;
    Buf out = {0};
    Err e = world_past(x->d, &src, m->seq, m->at, NULL, &past);
    if (e == ERR_OK) {
        e = print_past(past, &out);
        liar.vec = UINT32_MAX;
        assert_int_equal(print_past(past, &out), ERR_OK);
        assert_true(str_eq(buf_str(&out), want));
        world_free(past);
    }
    if (e != ERR_CORRUPT) fail_msg("lie %d of vector %u: %d", lie, vec, (int)e);
    fold_free(liar.fold);
    buf_free(&out);
}

static void lies_are_corrupt(void **state) {
    (void)state;
    Scene *x = scene_with_end(31, 60);
    const Moment *m = &x->moments[FORKS - 1];
    static const uint32_t vecs[] = {VECNO_META, VECNO_HOT, VECNO_COLD, VECNO_LINK, VECNO_MODEL, VECNO_TABLE};
    Buf want = {0};
    View f = view_writer(m->fork);
    rig_print_view(&f, &want);
    for (int lie = 0; lie < 6; lie++) {
        for (size_t i = 0; i < sizeof vecs / sizeof *vecs; i++) {
            if (lie == 0 && vecs[i] != VECNO_HOT && vecs[i] != VECNO_LINK) continue;
            one_lie(x, m, buf_str(&want), vecs[i], lie, 0);
        }
    }
    one_lie(x, m, buf_str(&want), VECNO_HOT, 0, 1); // into a page that has groups, where nothing is
    buf_free(&want);
    scene_drop(x);
}

// ---- many readers ------------------------------------------------------------------------------------------------

typedef struct Crowd {
    Scene *x;
    const Moment *m;
    World *past;
    Str want;
    uint64_t pages_hash[VECNO_TABLE + 1];
    _Atomic int64_t failed, done;
} Crowd;

static uint64_t hash_pages(View *v, uint32_t vec) {
    PageCopy c = {0};
    uint64_t h = 0;
    for (uint64_t page = 0, n = view_pages(v, vec); page < n; page++) {
        view_page(v, vec, page, PAGE_CELLS, &c);
        const VecLayout *l = &vec_layout[shape_of_vec(vec)];
        for (uint32_t i = 0; i < c.rows * l->words; i++) {
            if (l->text_mask || (vec == VECNO_HOT && i % 2)) continue; // handles differ; times are not told
            if (c.cells[i]) h = (h ^ c.cells[i] ^ (page << PAGE_SHIFT | i)) * 0x9E3779B97F4A7C15u + (h >> 29);
        }
    }
    page_copy_free(&c);
    return h;
}

static bool reads_right(Crowd *c, Rng *rng, Buf *out) {
    View v;
    view_begin(&v, c->past);
    bool right = true;
    uint32_t vec = (uint32_t)rng_below(rng, VECNO_TABLE + 1);
    if (rng_below(rng, 3) == 0) {
        buf_reset(out);
        rig_print_view(&v, out);
        right = str_eq(buf_str(out), c->want);
    } else if (vec != VECNO_META) {
        right = hash_pages(&v, vec) == c->pages_hash[vec];
    }
    bool failed = v.failed != ERR_OK;
    view_end(&v);
    atomic_fetch_add(failed ? &c->failed : &c->done, 1);
    return right || failed;
}

static void *reader(void *arg) {
    Crowd *c = arg;
    Rng rng = rng_make(c->x->seed, (uint64_t)(uintptr_t)&rng >> 12);
    Buf out = {0};
    bool right = true;
    for (int i = 0; i < 12 && right; i++) right = reads_right(c, &rng, &out);
    buf_free(&out);
    return right ? NULL : c;
}

// Threads who touch the same pages at once see one world, also when the source fails now and then.
static void many_read_one(void **state) {
    (void)state;
    Scene *x = scene_with_end(77, 150);
    const Moment *m = &x->moments[FORKS - 1];
    Buf want = {0};
    View f = view_writer(m->fork);
    rig_print_view(&f, &want);
    for (int round = 0; round < 8; round++) {
        Fold *fold;
        Crowd c = {.x = x, .m = m, .past = past_of(x, m, m->at, &fold), .want = buf_str(&want)};
        for (uint32_t vec = 0; vec <= VECNO_TABLE; vec++) c.pages_hash[vec] = hash_pages(&f, vec);
        if (round % 2) atomic_store(&fold->fail_every, 60);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, reader, &c), 0);
        for (int i = 0; i < THREADS; i++) {
            void *wrong;
            pthread_join(threads[i], &wrong);
            assert_null(wrong);
        }
        assert_true(atomic_load(&c.done) > 0);
        if (!(round % 2)) assert_int_equal(atomic_load(&c.failed), 0);
        atomic_store(&fold->fail_every, 0);
        world_verify(c.past);
        world_free(c.past);
    }
    buf_free(&want);
    scene_drop(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_worlds_are_forks),   cmocka_unit_test(touched_only_and_once),
        cmocka_unit_test(a_group_at_a_time),       cmocka_unit_test(catalogs_of_then),
        cmocka_unit_test(before_everything),       cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(differences_of_instants), cmocka_unit_test(lies_are_corrupt),
        cmocka_unit_test(many_read_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
