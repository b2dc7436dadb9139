// SPDX-License-Identifier: Apache-2.0
// The extension tells of every twin of a world file what was written of it, once, in order of its own time: against the
// plain list of everything that was ever written. A failure prints its seed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "history/test_lab.h"
#include "world/lane.h"

#define DIR_TEMPLATE "/tmp/sosia-history-XXXXXX"

typedef struct Want {
    Str path;
    int64_t time, arrival, order;
    uint64_t seq, bits;
    Str text;
    uint8_t kind;
    CellKind cell;
    bool matched;
} Want;

typedef struct Wants {
    Want *w;
    int64_t n, cap;
} Wants;

static sqlite3 *open_file(const char *path) {
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, SOSIA_HISTORY_EXT, "sqlite3_sosiahistory_init", &why) != SQLITE_OK)
        fail_msg("%s", why);
    return db;
}

static sqlite3_stmt *ask(sqlite3 *db, const char *sql) {
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    return st;
}

static Str text_at(sqlite3_stmt *st, int i) {
    const char *p = (const char *)sqlite3_column_text(st, i);
    return (Str){p, sqlite3_column_bytes(st, i)};
}

// ---- what is to be told, by looking at every record --------------------------------------------------------------

static void want(Wants *all, const Want *w) {
    if (all->n == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 256;
        all->w = mem_grow(all->w, (size_t)all->cap * sizeof *all->w);
    }
    all->w[all->n++] = *w;
}

// The records of a twin's cells while it was in one place: arrival in [from, to).
static void want_place(const HistoryLab *l, const Catalog *c, uint64_t place, int64_t from, int64_t to, Wants *all) {
    uint32_t table;
    uint64_t row;
    if (!lane_place(place, &table, &row)) return;
    const Table *t = &c->tables[table];
    for (int64_t i = 0; i < l->point_count; i++) {
        const LabPoint *x = &l->points[i];
        uint32_t column = x->p.vec - t->first;
        bool told = x->p.kind == TRAIL_PUT || x->p.kind == TRAIL_CLEAR || x->p.kind == TRAIL_LATE;
        if (!told || x->time < from || x->time >= to || x->p.row != row) continue;
        if (x->p.vec < t->first || column >= (uint32_t)t->model->field_count) continue;
        const Field *f = &t->model->fields[column];
        if (f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT) continue;
        want(all, &(Want){.path = f->path,
                          .time = x->p.source_time ? x->p.source_time : x->time,
                          .arrival = x->time,
                          .order = i,
                          .seq = x->seq,
                          .bits = x->p.bits,
                          .text = x->p.text,
                          .kind = x->p.kind,
                          .cell = f->cell});
    }
}

static void want_twin(const HistoryLab *l, const Catalog *c, uint64_t id, Wants *all) {
    uint64_t place = 0;
    int64_t from = 0;
    all->n = 0;
    for (int64_t i = 0; i < l->point_count; i++) {
        const LabPoint *x = &l->points[i];
        if (x->p.kind != TRAIL_WORD || trail_lane(x->p.vec, x->p.word) != LANE_PLACE || x->p.row != id) continue;
        want_place(l, c, place, from, x->time, all);
        place = x->p.bits;
        from = x->time;
    }
    want_place(l, c, place, from, INT64_MAX, all);
}

// ---- comparing ---------------------------------------------------------------------------------------------------

static bool same_value(sqlite3_stmt *st, const Want *w) {
    double d;
    if (w->kind == TRAIL_CLEAR) return sqlite3_column_type(st, 2) == SQLITE_NULL;
    if (w->cell == CELL_STR || w->cell == CELL_DOC) return str_eq(text_at(st, 2), w->text);
    if (w->cell != CELL_F64) return (uint64_t)sqlite3_column_int64(st, 2) == w->bits;
    memcpy(&d, &w->bits, 8);
    return d != d ? sqlite3_column_type(st, 2) == SQLITE_NULL : sqlite3_column_double(st, 2) == d;
}

static bool same_row(sqlite3_stmt *st, const Want *w) {
    const char *kind = w->kind == TRAIL_PUT ? "value" : w->kind == TRAIL_LATE ? "late" : "cleared";
    return !w->matched && sqlite3_column_int64(st, 3) == w->time && (uint64_t)sqlite3_column_int64(st, 4) == w->seq &&
           str_eq(text_at(st, 0), w->path) && str_eq(text_at(st, 1), str_of(kind)) && same_value(st, w);
}

// Every row told is wanted, once, in order; all are told. Returns how many.
static int64_t check_twin(sqlite3_stmt *st, Str name, Wants *all) {
    int64_t n = 0, last = INT64_MIN;
    char path[256] = "";
    sqlite3_reset(st);
    sqlite3_bind_text(st, 1, name.p, (int)name.n, SQLITE_TRANSIENT);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        Str p = text_at(st, 0);
        int64_t time = sqlite3_column_int64(st, 3), i = 0;
        if (!str_eq(p, str_of(path))) last = INT64_MIN;
        snprintf(path, sizeof path, "%.*s", STR_ARG(p));
        assert_true(time >= last);
        last = time;
        while (i < all->n && !same_row(st, &all->w[i])) i++;
        if (i == all->n)
            fail_msg("%.*s %s seq %lld was never written", STR_ARG(name), path, (long long)sqlite3_column_int64(st, 4));
        all->w[i].matched = true;
        n++;
    }
    if (rc != SQLITE_DONE) fail_msg("%s", sqlite3_errmsg(sqlite3_db_handle(st)));
    if (n != all->n) fail_msg("%.*s: %lld rows of %lld", STR_ARG(name), (long long)n, (long long)all->n);
    return n;
}

static int64_t check_all(const HistoryLab *l, const char *path) {
    sqlite3 *db = open_file(path);
    sqlite3_stmt *st = ask(db, "SELECT property, kind, value, ns, seq FROM sosia_history(?1)");
    Wants all = {0};
    View v;
    int64_t told = 0;
    view_begin(&v, l->world);
    for (uint64_t id = 1; id <= view_meta(&v, META_ID_MAX); id++) {
        TwinView t = view_twin(&v, (TwinId){id});
        if (!t.alive) continue;
        want_twin(l, v.catalog, id, &all);
        told += check_twin(st, text_str(&t.name), &all);
    }
    view_end(&v);
    mem_free(all.w);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return told;
}

// ---- files -------------------------------------------------------------------------------------------------------

typedef struct File {
    char dir[sizeof DIR_TEMPLATE], path[64];
    HistoryLab l;
} File;

// A file in which 180 batches came and are in blocks; still open.
static void file_init(File *f, uint64_t seed) {
    memcpy(f->dir, DIR_TEMPLATE, sizeof f->dir);
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/plant.sosia", f->dir);
    history_lab_init(&f->l, seed, str_of(f->path), NULL);
    if (seed % 2) f->l.open.head_bytes_max = 30000; // many small blocks, some merged
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    assert_int_equal(history_lab_open(&f->l), ERR_OK);
}

static void file_free(File *f) {
    static const char *const beside[] = {"", "-wal", "-shm", ".lock"};
    char name[80];
    history_lab_close(&f->l);
    history_lab_free(&f->l);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        snprintf(name, sizeof name, "%s%s", f->path, beside[i]);
        unlink(name);
    }
    rmdir(f->dir);
}

static void write_some(File *f, int batches) {
    for (int i = 0; i < batches; i++) assert_int_equal(history_lab_write(&f->l, 30), ERR_OK);
    history_seal(f->l.h, world_seq(f->l.world));
    history_lab_rest(&f->l);
}

static int64_t count_of(sqlite3 *db, const char *sql) {
    sqlite3_stmt *st = ask(db, sql);
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

// ---- tests -------------------------------------------------------------------------------------------------------

static void everything_is_told_once(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        File f;
        int64_t told = 0;
        file_init(&f, seed);
        for (int life = 0; life < 3; life++) {
            write_some(&f, 60);
            told = check_all(&f.l, f.path); // while the file is open
        }
        assert_true(told > 100);
        file_free(&f);
    }
}

// The name of the twin with the most to tell, and its path with the most.
static void busiest(const HistoryLab *l, char *name, size_t size) {
    View v;
    Wants all = {0};
    int64_t most = -1;
    view_begin(&v, l->world);
    for (uint64_t id = 1; id <= view_meta(&v, META_ID_MAX); id++) {
        TwinView t = view_twin(&v, (TwinId){id});
        if (!t.alive) continue;
        want_twin(l, v.catalog, id, &all);
        if (all.n <= most) continue;
        most = all.n;
        snprintf(name, size, "%.*s", STR_ARG(text_str(&t.name)));
    }
    view_end(&v);
    mem_free(all.w);
}

static void arguments_choose(void **state) {
    (void)state;
    File f;
    char name[100], sql[400];
    file_init(&f, 5);
    write_some(&f, 150);
    busiest(&f.l, name, sizeof name);
    sqlite3 *db = open_file(f.path);
#define COUNT(...) (snprintf(sql, sizeof sql, "SELECT count(*) FROM " __VA_ARGS__), count_of(db, sql))
    int64_t all = COUNT("sosia_history('%s')", name), speed = COUNT("sosia_history('%s', 'speed')", name);
    assert_true(speed > 2 && speed < all);
    assert_int_equal(COUNT("sosia_history('%s') WHERE property = 'speed'", name), speed);
    assert_int_equal(COUNT("sosia_history('%s', NULL, NULL, NULL)", name), all);
    int64_t before = COUNT("sosia_history('%s', NULL, NULL, 40000)", name);
    int64_t after = COUNT("sosia_history('%s', NULL, 40000)", name);
    assert_true(before > 0 && after > 0);
    assert_int_equal(before + after, all);
    assert_int_equal(COUNT("sosia_history('%s', NULL, '1970-01-01T00:00:00.000040Z')", name), after);
    assert_int_equal(COUNT("sosia_history('%s', NULL, '1980-01-01')", name), 0);
    assert_int_equal(COUNT("sosia_history('%s', NULL, '1970-01-01', datetime('1970-01-02'))", name), all);
    assert_int_equal(COUNT("sosia_history('nobody')"), 0);
    assert_int_equal(COUNT("sosia_history('%s', 'no.such')", name), 0);
    assert_int_equal(COUNT("(SELECT '%s' AS id) t JOIN sosia_history(t.id, 'speed')", name), speed);
#undef COUNT
    sqlite3_stmt *st = ask(db, "SELECT 1 FROM sosia_history('x', NULL, 'yesterday')");
    assert_int_equal(sqlite3_step(st), SQLITE_ERROR);
    assert_non_null(strstr(sqlite3_errmsg(db), "times"));
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT 1 FROM sosia_history", -1, &st, NULL), SQLITE_ERROR);
    sqlite3_close(db);
    file_free(&f);
}

// Of a twin that was deleted its last name tells.
static void the_dead_are_found(void **state) {
    (void)state;
    File f;
    file_init(&f, 6);
    write_some(&f, 180);
    sqlite3 *db = open_file(f.path);
    sqlite3_stmt *names = ask(db, "SELECT name, max(time) FROM dead GROUP BY name");
    sqlite3_stmt *told = ask(db, "SELECT count(*), max(arrival) FROM sosia_history(?1)");
    int64_t dead = 0, rows = 0;
    View v;
    view_begin(&v, f.l.world);
    while (sqlite3_step(names) == SQLITE_ROW) {
        Str name = text_at(names, 0);
        if (view_find_twin(&v, name).v) continue; // there is a living one
        sqlite3_bind_text(told, 1, name.p, (int)name.n, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(told), SQLITE_ROW);
        rows += sqlite3_column_int64(told, 0);
        sqlite3_reset(told);
        dead++;
    }
    view_end(&v);
    assert_true(dead > 0);
    assert_true(rows > 0);
    sqlite3_finalize(names);
    sqlite3_finalize(told);
    sqlite3_close(db);
    file_free(&f);
}

static void other_files_and_damage_are_errors(void **state) {
    (void)state;
    sqlite3 *db = open_file(":memory:");
    sqlite3_stmt *st = ask(db, "SELECT 1 FROM sosia_history('x')");
    assert_int_equal(sqlite3_step(st), SQLITE_ERROR);
    sqlite3_finalize(st);
    sqlite3_close(db);
    File f;
    char name[100];
    file_init(&f, 8);
    write_some(&f, 100);
    busiest(&f.l, name, sizeof name);
    assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE history SET bytes = CAST(substr(bytes, 1, 20) || x'00' || substr(bytes, 22)"
                                  " AS BLOB)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    db = open_file(f.path);
    st = ask(db, "SELECT 1 FROM sosia_history(?1)");
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_CORRUPT);
    sqlite3_finalize(st);
    sqlite3_close(db);
    file_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_told_once),
        cmocka_unit_test(arguments_choose),
        cmocka_unit_test(the_dead_are_found),
        cmocka_unit_test(other_files_and_damage_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
