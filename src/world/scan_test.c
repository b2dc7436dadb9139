// SPDX-License-Identifier: Apache-2.0
// Pages and marks against the reader of single cells, for random worlds; and under a writer who never rests.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"
#include "world/rig.h"
static void let_writer_in(void);
#define SCAN_MEANWHILE() let_writer_in()
#include "world/scan.c"

#ifdef SCAN_TSAN
enum { SLOW = 3 }; // times
#else
enum { SLOW = 1 };
#endif

// ---- what a mark stood for ----------------------------------------------------------------------------------------

enum { MARKS = 1 << 17 };

typedef struct Marks {
    uint64_t mark[MARKS], hash[MARKS];
    int64_t count, again; // different marks, meetings of one seen before
} Marks;

// False when the mark was seen with other contents. Full tables forget.
static bool marks_meet(Marks *m, uint64_t mark, uint64_t hash) {
    uint64_t at = mark * 0x9E3779B97F4A7C15u >> 47;
    for (uint32_t i = 0; i < 64; i++, at = (at + 1) & (MARKS - 1)) {
        if (m->mark[at] == mark) {
            m->again++;
            return m->hash[at] == hash;
        }
        if (m->mark[at]) continue;
        m->mark[at] = mark;
        m->hash[at] = hash;
        m->count++;
        return true;
    }
    return true;
}

static uint64_t mix(uint64_t h, uint64_t x) { return (h ^ x) * 0x9E3779B97F4A7C15u + (h >> 29); }

// Everything a page holds for a reader, texts by their bytes.
static uint64_t hash_page(const PageCopy *c, const VecLayout *l) {
    uint64_t h = c->rows ? 1 : 0;
    for (uint32_t r = 0; r < c->rows; r++) {
        bool there = !l->timed || (c->valid[r >> 6] >> (r & 63) & 1);
        if (!there) continue;
        for (uint32_t k = 0; k < l->words; k++) {
            Text t = {{c->cells[r * l->words + k], 0}};
            if (!(l->text_mask >> k & 1)) {
                h = mix(h, mix(r, t.w[0]));
                continue;
            }
            t.w[1] = c->cells[r * l->words + ++k];
            h = mix(h, mix(r, str_hash(text_str(&t))));
        }
        if (c->update) h = mix(h, (uint64_t)c->update[r]);
        if (c->source && c->source[r]) h = mix(h, mix(7, (uint64_t)c->source[r]));
    }
    return h;
}

// ---- pages against cells ------------------------------------------------------------------------------------------

enum { WORLDS = 3, VIEWS = 8, TWINS = 3000 };

typedef struct Lab {
    Domain *d;
    World *w[WORLDS]; // w[0] lives on, the others are forks
    View views[VIEWS];
    bool open[VIEWS];
    uint64_t twins[TWINS], links[TWINS];
    int64_t twin_count, link_count;
    Rng rng;
    Arena arena;
    Marks marks;
    PageCopy page;
    int64_t pages, overruns, no_marks;
} Lab;

static uint64_t below(Lab *l, uint64_t n) { return rng_below(&l->rng, n); }

static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 0)); }

static Str draw_text(Lab *l) {
    uint64_t k = below(l, 50);
    return arena_printf(&l->arena, k < 25 ? "t%llu" : "a text in the heap %llu", (unsigned long long)k);
}

static void draw_value(Lab *l, const Field *f, Change *c) {
    c->cell = (uint8_t)f->cell;
    c->source_time = below(l, 5) ? 0 : 1 + (int64_t)below(l, 1000);
    if (cell_is_text(f->cell)) c->text = draw_text(l);
    else c->bits = f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT ? 1 : below(l, 100);
}

static uint64_t near(Lab *l, uint64_t n) { return below(l, 3) ? below(l, n) : below(l, n < 40 ? n : 40); }

static Change draw_set(Lab *l, World *w, uint64_t twin) {
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, (TwinId){twin});
    if (!t.alive) return (Change){.kind = CHANGE_SET, .id = twin};
    const Table *table = &v.catalog->tables[t.table];
    uint32_t i = (uint32_t)below(l, (uint64_t)table->model->field_count);
    Change c = {.kind = below(l, 6) ? CHANGE_SET : CHANGE_UNSET, .id = twin, .col = table->first + i};
    if (c.kind == CHANGE_SET) draw_value(l, &table->model->fields[i], &c);
    return c;
}

static Change draw_link_set(Lab *l, World *w, uint64_t link) {
    View v = view_writer(w);
    LinkView x = view_link(&v, (LinkId){link});
    Change c = {.kind = CHANGE_LINK_SET, .id = link};
    if (!x.alive || !v.catalog->kinds[x.kind].rel->field_count) return c;
    const LinkKind *k = &v.catalog->kinds[x.kind];
    uint32_t i = (uint32_t)below(l, (uint64_t)k->rel->field_count);
    c.col = k->first + i;
    draw_value(l, &k->rel->fields[i], &c);
    c.source_time = 0;
    return c;
}

static Change draw_twin_new(Lab *l, World *w) {
    Change c = {.kind = CHANGE_TWIN_NEW, .id = world_take_twin_id(w).v, .col = below(l, 8) ? 1 : 2};
    c.text = arena_printf(&l->arena, "twin number %llu", (unsigned long long)c.id);
    if (l->twin_count < TWINS) l->twins[l->twin_count++] = c.id;
    return c;
}

static Change draw_link_new(Lab *l, World *w) {
    Change c = {.kind = CHANGE_LINK_NEW, .id = world_take_link_id(w).v};
    c.other = l->twins[near(l, (uint64_t)l->twin_count)];
    c.target = l->twins[near(l, (uint64_t)l->twin_count)];
    c.text = arena_printf(&l->arena, "r%llu", (unsigned long long)c.id);
    if (l->link_count < TWINS) l->links[l->link_count++] = c.id;
    return c;
}

// A change that may be refused: nothing happens then.
static Change draw(Lab *l, World *w) {
    uint64_t dice = below(l, 100);
    uint64_t twin = l->twins[near(l, (uint64_t)l->twin_count)];
    if (dice < 65) return draw_set(l, w, twin);
    if (dice < 72) return draw_twin_new(l, w);
    if (dice < 78) return draw_link_new(l, w);
    if (dice < 82) return (Change){.kind = CHANGE_TWIN_MODEL, .id = twin, .col = (uint32_t)below(l, 3)};
    if (dice < 86) return (Change){.kind = CHANGE_TWIN_DEL, .id = twin};
    if (l->link_count == 0) return draw_link_new(l, w);
    uint64_t link = l->links[near(l, (uint64_t)l->link_count)];
    if (dice < 96) return draw_link_set(l, w, link);
    return (Change){.kind = CHANGE_LINK_DEL, .id = link};
}

static void check_cells(View *v, uint32_t vec, uint64_t page_no, const PageCopy *c) {
    const Page *p = tree_page(v->root, vec, page_no);
    const VecLayout *l = &vec_layout[p->b.shape];
    for (uint32_t r = 0; r < PAGE_ROWS; r++) {
        uint64_t row = page_no * PAGE_ROWS + r;
        CellView cell = view_cell(v, vec, row);
        if (v->overrun) return;
        assert_int_equal(c->valid[r >> 6] >> (r & 63) & 1, cell.valid);
        if (!cell.valid) {
            assert_true(c->cells[r * l->words] == 0 && c->update[r] == 0 && (!c->source || c->source[r] == 0));
            continue;
        }
        if (l->words == 2) assert_memory_equal(&c->cells[2 * r], cell.text.w, 16);
        else assert_true(c->cells[r] == cell.bits);
        assert_true(c->update[r] == cell.update_time);
        assert_true((c->source ? c->source[r] : 0) == cell.source_time);
    }
}

static void check_rows(View *v, uint32_t vec, uint64_t page_no, const PageCopy *c) {
    const VecLayout *l = &vec_layout[tree_page(v->root, vec, page_no)->b.shape];
    for (uint32_t r = 0; r < PAGE_ROWS; r++) {
        uint64_t words[8];
        view_words(v, vec, page_no * PAGE_ROWS + r, 0, l->words, words);
        if (v->overrun) return;
        assert_memory_equal(&c->cells[r * l->words], words, l->words * 8);
    }
}

static bool is_timed(const View *v, uint32_t vec) {
    const Page *p = tree_page(v->root, vec, 0);
    return p && vec_layout[p->b.shape].timed;
}

// One page of one open view: as its cells tell, and as its mark told before.
static void check_page(Lab *l, View *v) {
    uint32_t vecs = v->catalog->next_vec;
    uint32_t vec = (uint32_t)(below(l, 4) ? VECNO_COLUMNS + below(l, vecs - VECNO_COLUMNS) : below(l, 12));
    uint64_t pages = view_pages(v, vec), page_no = pages ? below(l, pages) : 0;
    PageCopy *c = &l->page;
    bool marked_first = below(l, 2);
    uint64_t mark = marked_first ? view_page_mark(v, vec, page_no) : 0;
    view_page(v, vec, page_no, PAGE_CELLS | PAGE_UPDATE | PAGE_SOURCE, c);
    if (!marked_first) mark = view_page_mark(v, vec, page_no);
    if (v->overrun) {
        assert_int_equal(c->rows, 0);
        return;
    }
    l->pages++;
    assert_null(tree_page(v->root, vec, pages));
    const Page *p = tree_page(v->root, vec, page_no);
    if (!p) {
        assert_true(mark == PAGE_MARK_NONE);
        assert_true(c->rows == 0 && !c->cells);
        return;
    }
    assert_int_equal(c->rows, p->cap);
    if (is_timed(v, vec)) check_cells(v, vec, page_no, c);
    else check_rows(v, vec, page_no, c);
    l->no_marks += mark == 0;
    if (mark && !v->overrun) assert_true(marks_meet(&l->marks, mark, hash_page(c, &vec_layout[p->b.shape])));
}

static void check_views(Lab *l, int pages) {
    for (int i = 0; i < VIEWS; i++) {
        for (int k = 0; k < pages && l->open[i] && !l->views[i].overrun; k++) check_page(l, &l->views[i]);
        if (!l->open[i] || !l->views[i].overrun) continue;
        l->overruns++;
        view_end(&l->views[i]);
        l->open[i] = false;
    }
}

static void close_views(Lab *l, const World *of) {
    for (int i = 0; i < VIEWS; i++) {
        if (!l->open[i] || (of && l->views[i].world != of)) continue;
        view_end(&l->views[i]);
        l->open[i] = false;
    }
}

static void open_view(Lab *l, const World *w) {
    uint64_t i = below(l, VIEWS);
    if (l->open[i]) view_end(&l->views[i]);
    view_begin(&l->views[i], w);
    l->open[i] = true;
}

// A batch, and one of the ways it may go.
static void batch(Lab *l, World *w) {
    begin(w);
    for (uint64_t n = 1 + below(l, 30); n > 0; n--) {
        Change c = draw(l, w);
        if (world_do(w, &c) == ERR_LIMIT) break;
        arena_reset(&l->arena);
    }
    check_views(l, 1); // changes nobody may see yet
    uint64_t dice = below(l, 10);
    if (dice < 2) {
        world_rollback(w);
        return;
    }
    world_end(w);
    if (dice < 4) world_undo_to(w, world_visible(w));
    else if (dice < 8) world_settle(w, world_seq(w));
    else world_publish(w, world_seq(w));
}

static void fork_or_free(Lab *l, int64_t ring) {
    uint64_t i = 1 + below(l, WORLDS - 1);
    if (l->w[i]) {
        close_views(l, l->w[i]);
        world_free(l->w[i]);
        l->w[i] = NULL;
        return;
    }
    World *from = l->w[below(l, WORLDS)];
    l->w[i] = world_fork(from ? from : l->w[0], ring);
}

static void lab_new(Lab *l, uint64_t seed, int64_t ring, int64_t twins) {
    *l = (Lab){.d = domain_new(), .rng = rng_make(seed, 1)};
    World *w = l->w[0] = world_new(l->d, ring);
    arena_init(&l->arena, 0);
    begin(w);
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()}), ERR_OK);
    world_end(w);
    world_settle(w, world_seq(w));
    for (int64_t i = 0; i < twins; i++) {
        if (i % 64 == 0) begin(w);
        Change c = draw_twin_new(l, w);
        assert_int_equal(world_do(w, &c), ERR_OK);
        if (i % 64 != 63 && i != twins - 1) continue;
        world_end(w);
        world_settle(w, world_seq(w));
    }
}

static void lab_free(Lab *l) {
    close_views(l, NULL);
    for (int i = WORLDS; i-- > 0;) world_free(l->w[i]);
    arena_free(&l->arena);
    page_copy_free(&l->page);
    domain_free(l->d);
}

static void run_lab(uint64_t seed, int64_t ring, int64_t twins, int rounds, int64_t *overruns) {
    Lab *l = mem_alloc(sizeof *l);
    print_message("seed %llu\n", (unsigned long long)seed);
    lab_new(l, seed, ring, twins);
    for (int i = 0; i < rounds; i++) {
        World *w = l->w[below(l, WORLDS)];
        if (w) batch(l, w);
        w = l->w[below(l, WORLDS)];
        if (w && below(l, 3) == 0) open_view(l, w);
        if (below(l, 12) == 0) fork_or_free(l, ring);
        check_views(l, 1);
    }
    assert_true(l->pages > rounds && l->marks.count > rounds / 8 && l->marks.again > rounds / 8);
    assert_true(l->no_marks > 0);
    *overruns += l->overruns;
    lab_free(l);
    mem_free(l);
}

// Pages are what their cells are, in many older views of worlds that are written, undone and forked; and a mark never
// stands for two contents.
static void test_random_worlds(void **state) {
    (void)state;
    int64_t overruns = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) run_lab(seed, 1 << 17, seed == 3 ? 2500 : 40, 400 / SLOW, &overruns);
    assert_int_equal(overruns, 0);
    run_lab(4, 1 << 11, 200, 600, &overruns);
    assert_true(overruns > 0);
}

// ---- the writer in between ----------------------------------------------------------------------------------------

static Lab *guest; // NULL: nobody comes in

// A step of the writer while a page is copied: a few changes of a batch, or its end.
static void let_writer_in(void) {
    if (!guest || below(guest, 3) == 0) return;
    World *w = guest->w[0];
    if (!w->open) {
        begin(w);
    } else if (below(guest, 3) == 0) {
        if (below(guest, 4)) {
            world_rollback(w);
        } else {
            world_end(w);
            world_settle(w, world_seq(w));
        }
        return;
    }
    for (int i = 0; i < 3; i++) {
        Change c = draw_set(guest, w, guest->twins[below(guest, 40)]);
        (void)!world_do(w, &c);
    }
    arena_reset(&guest->arena);
}

// Whatever the writer does between the steps of a copy, it shows what the view saw.
static void test_steps(void **state) {
    (void)state;
    Lab *l = mem_alloc(sizeof *l);
    lab_new(l, 21, 1 << 15, 40);
    guest = l;
    for (int i = 0; i < 500; i++) let_writer_in(); // something to read
    for (int i = 0; i < 3000; i++) {
        View v;
        view_begin(&v, l->w[0]);
        uint32_t first = v.catalog->tables[1].first, vec = first + (uint32_t)below(l, 9);
        for (int k = 0; k < 2; k++) {
            guest = l;
            view_page(&v, vec, 0, PAGE_CELLS | PAGE_UPDATE | PAGE_SOURCE, &l->page);
            guest = NULL;
            assert_false(v.overrun);
            if (l->page.rows) check_cells(&v, vec, 0, &l->page);
        }
        view_end(&v);
    }
    if (l->w[0]->open) world_rollback(l->w[0]);
    lab_free(l);
    mem_free(l);
}

// ---- marks --------------------------------------------------------------------------------------------------------

// Pages nobody writes keep their marks while a checkpoint comes and goes; what is written loses its own, also when it
// is written back or undone.
static void test_marks(void **state) {
    (void)state;
    Lab *l = mem_alloc(sizeof *l);
    lab_new(l, 7, 1 << 16, 2500);
    World *w = l->w[0];
    View v = view_writer(w);
    uint32_t col = v.catalog->tables[1].first, rows = v.catalog->tables[1].rows;
    Change set = {.kind = CHANGE_SET, .cell = CELL_F64, .id = view_row_twin(&v, 1, 5).v, .col = col, .bits = 42};
    begin(w);
    for (uint64_t row = 0; row < 2000; row += 100) {
        Change c = set;
        c.id = view_row_twin(&v, 1, row).v;
        assert_int_equal(world_do(w, &c), ERR_OK);
    }
    world_end(w);
    world_settle(w, world_seq(w));
    View before;
    view_begin(&before, w);
    uint64_t a = view_page_mark(&before, col, 0), b = view_page_mark(&before, col, 1);
    uint64_t r = view_page_mark(&before, rows, 0);
    assert_true(a && b && r && a != b && a != r && b != r);
    assert_true(view_page_mark(&before, col + 1, 0) == PAGE_MARK_NONE);
    assert_true(view_page_mark(&before, col, 999) == PAGE_MARK_NONE);
    World *f = world_fork(w, 0);
    begin(w);
    assert_int_equal(world_do(w, &set), ERR_OK);
    world_end(w);
    assert_true(view_page_mark(&before, col, 0) == a); // the fork's page, still
    View of_fork;
    view_begin(&of_fork, f);
    assert_true(view_page_mark(&of_fork, col, 0) == a && view_page_mark(&of_fork, rows, 0) == r);
    view_end(&of_fork);
    view_end(&before);
    view_begin(&before, w);
    assert_true(view_page_mark(&before, col, 0) == 0); // changed, not visible
    assert_true(view_page_mark(&before, col, 1) == b);
    world_settle(w, world_seq(w));
    world_free(f);
    View now;
    view_begin(&now, w);
    uint64_t c = view_page_mark(&now, col, 0);
    assert_true(c && c != a && view_page_mark(&now, col, 0) == c && view_page_mark(&now, col, 1) == b);
    begin(w);
    set.bits = 43;
    assert_int_equal(world_do(w, &set), ERR_OK);
    assert_true(view_page_mark(&now, col, 0) == 0);
    world_rollback(w);
    uint64_t d = view_page_mark(&now, col, 0);
    assert_true(d && d != c); // the same again, but who knows
    view_end(&now);
    view_end(&before);
    lab_free(l);
    mem_free(l);
}

static void test_join(void **state) {
    (void)state;
    Lab *l = mem_alloc(sizeof *l);
    lab_new(l, 8, 1 << 13, 100);
    View v, w;
    view_begin(&v, l->w[0]);
    v.overrun = true;
    view_join(&w, &v);
    assert_true(w.seq == v.seq && w.root == v.root && !w.overrun);
    assert_int_equal(view_meta(&w, META_TWINS), 100);
    view_end(&w);
    assert_int_equal(view_pages(&v, v.catalog->tables[1].rows), 1);
    assert_int_equal(view_pages(&v, 1 << 30), 0);
    view_end(&v);
    lab_free(l);
    mem_free(l);
}

// ---- a writer who never rests -------------------------------------------------------------------------------------

enum { ROWS = 1500, SUM = 100000, BATCHES = 6000 / SLOW };

typedef struct Race {
    World *w;
    uint32_t number, text; // columns
    uint64_t twins[ROWS];
    int64_t balance[ROWS];
    _Atomic bool stop;
    _Atomic int64_t pages, marked;
    pthread_mutex_t lock; // guards marks
    Marks marks;
} Race;

// Numbers of a page add up to what they began with.
static void check_sum(const PageCopy *numbers, uint64_t page_no) {
    int64_t sum = 0, rows = page_no ? ROWS - PAGE_ROWS : PAGE_ROWS;
    for (int64_t i = 0; i < rows; i++) sum += (int64_t)numbers->cells[i];
    CHECK(sum == SUM * rows);
}

// Every text tells its number.
static void check_texts(const PageCopy *numbers, const PageCopy *texts, int64_t from) {
    for (int64_t i = from; i < from + 16; i++) {
        CHECK(numbers->valid[i >> 6] >> (i & 63) & 1);
        Text t = {{texts->cells[2 * i], texts->cells[2 * i + 1]}};
        char want[48];
        int n = snprintf(want, sizeof want, "this number is %lld", (long long)numbers->cells[i]);
        CHECK(text_eq(&t, (Str){want, n}));
    }
}

// All from one sequence. Most turns only copy and add: the writer should meet as many copies as can be.
static void look(Race *r, View *v, uint64_t turn, PageCopy *numbers, PageCopy *texts) {
    uint64_t page_no = turn & 1, mark = view_page_mark(v, r->number, page_no);
    view_page(v, r->number, page_no, PAGE_CELLS | PAGE_UPDATE, numbers);
    if (!v->overrun) check_sum(numbers, page_no);
    if (turn % 8 == 0) view_page(v, r->text, page_no, PAGE_CELLS, texts);
    if (turn % 8 == 0 && !v->overrun) check_texts(numbers, texts, (int64_t)(turn / 8 % 16 * 16));
    if (!mark || v->overrun || turn % 16 > 1) return;
    atomic_fetch_add_explicit(&r->marked, 1, memory_order_relaxed);
    pthread_mutex_lock(&r->lock);
    CHECK(marks_meet(&r->marks, mark, hash_page(numbers, &vec_layout[VEC_BITS])));
    pthread_mutex_unlock(&r->lock);
}

static void *read_pages(void *arg) {
    Race *r = arg;
    PageCopy numbers = {0}, texts = {0};
    for (uint64_t turn = 0; !atomic_load(&r->stop);) {
        View v;
        view_begin(&v, r->w);
        for (int i = 0; i < 5; i++) look(r, &v, turn++, &numbers, &texts);
        view_end(&v);
        atomic_fetch_add_explicit(&r->pages, 1, memory_order_relaxed);
    }
    page_copy_free(&numbers);
    page_copy_free(&texts);
    return NULL;
}

static void put_balance(Race *r, int64_t row) {
    char text[48];
    snprintf(text, sizeof text, "this number is %lld", (long long)r->balance[row]);
    Change c = {.kind = CHANGE_SET, .id = r->twins[row], .cell = CELL_I64, .col = r->number};
    c.bits = (uint64_t)r->balance[row];
    CHECK(world_do(r->w, &c) == ERR_OK);
    Change t = {.kind = CHANGE_SET, .id = r->twins[row], .cell = CELL_STR, .col = r->text, .text = str_of(text)};
    CHECK(world_do(r->w, &t) == ERR_OK);
}

static void race_start(Race *r, World *w) {
    r->w = w;
    pthread_mutex_init(&r->lock, NULL);
    begin(w);
    CHECK(world_do(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()}) == ERR_OK);
    View v = view_writer(w);
    r->number = v.catalog->tables[1].first + 1;
    r->text = r->number + 1;
    for (int i = 0; i < ROWS; i++) {
        char name[32];
        snprintf(name, sizeof name, "account %d", i);
        r->twins[i] = world_take_twin_id(w).v;
        Change c = {.kind = CHANGE_TWIN_NEW, .id = r->twins[i], .col = 1, .text = str_of(name)};
        CHECK(world_do(w, &c) == ERR_OK);
        r->balance[i] = SUM;
        put_balance(r, i);
    }
    world_end(w);
    world_settle(w, world_seq(w));
}

// Move money between rows of one page; the batch may come to nothing.
static void transfer(Race *r, Rng *rng) {
    int64_t from[8], to[8], amount[8];
    bool keep = rng_below(rng, 4) > 0;
    begin(r->w);
    for (int i = 0; i < 8; i++) {
        int64_t first = rng_below(rng, 2) ? PAGE_ROWS : 0, n = first ? ROWS - PAGE_ROWS : PAGE_ROWS;
        from[i] = first + (int64_t)rng_below(rng, (uint64_t)n);
        to[i] = first + (int64_t)rng_below(rng, (uint64_t)n);
        amount[i] = (int64_t)rng_below(rng, 1000);
        r->balance[from[i]] -= amount[i];
        put_balance(r, from[i]);
        r->balance[to[i]] += amount[i];
        put_balance(r, to[i]);
    }
    for (int i = 0; i < 8 && !keep; i++) {
        r->balance[from[i]] += amount[i];
        r->balance[to[i]] -= amount[i];
    }
    if (!keep && rng_below(rng, 2)) {
        world_rollback(r->w);
        return;
    }
    world_end(r->w);
    if (keep) world_settle(r->w, world_seq(r->w));
    else world_undo_to(r->w, world_visible(r->w));
}

// Batches of one change, gone as soon as they are there: the before-image leaves the chain while the page is copied.
static void spoil(Race *r, Rng *rng) {
    for (int i = 0; i < 20; i++) {
        uint64_t row = rng_below(rng, ROWS);
        Change c = {.kind = CHANGE_SET, .id = r->twins[row], .cell = CELL_I64, .col = r->number, .bits = 1};
        begin(r->w);
        CHECK(world_do(r->w, &c) == ERR_OK);
        world_rollback(r->w);
    }
}

static void test_busy_writer(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = world_new(d, 1 << 16);
    Race *r = mem_alloc(sizeof *r);
    race_start(r, w);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_pages, r), 0);
    Rng rng = rng_make(11, 1);
    for (int i = 0; i < BATCHES || atomic_load(&r->pages) < 20; i++) {
        transfer(r, &rng);
        spoil(r, &rng);
        if (i % 64 == 63) world_free(world_fork(w, 0)); // a checkpoint
        if (i % 16 == 0) sched_yield();
    }
    while (atomic_load(&r->marked) == 0) sched_yield();
    atomic_store(&r->stop, true);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    print_message("%lld looks, %lld marked\n", (long long)r->pages, (long long)r->marked);
    world_verify(w);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
    world_free(w);
    domain_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_worlds), cmocka_unit_test(test_steps),       cmocka_unit_test(test_marks),
        cmocka_unit_test(test_join),          cmocka_unit_test(test_busy_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
