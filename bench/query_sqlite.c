// SPDX-License-Identifier: Apache-2.0
#include "query_sqlite.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

struct SqlitePeer {
    sqlite3 *db;
    const City *city;
    sqlite3_stmt *insert;
    const Question *question; // whose statement is prepared
    sqlite3_stmt *asked, *row_of, *seen;
};

static void must(const SqlitePeer *p, int got, int wanted) {
    if (got == wanted) return;
    fprintf(stderr, "SQLite: %s\n", sqlite3_errmsg(p->db));
    exit(1);
}

static void run(SqlitePeer *p, const char *sql) { must(p, sqlite3_exec(p->db, sql, NULL, NULL, NULL), SQLITE_OK); }

static sqlite3_stmt *prepare(SqlitePeer *p, const char *sql) {
    sqlite3_stmt *s = NULL;
    must(p, sqlite3_prepare_v2(p->db, sql, -1, &s, NULL), SQLITE_OK);
    return s;
}

static void bind_text(SqlitePeer *p, sqlite3_stmt *s, int at, const char *text) {
    must(p, sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT), SQLITE_OK);
}

// ---- loading ------------------------------------------------------------------------------------------------------

// Of the properties those that questions name; the four that every twin has come first.
static void add_twin(SqlitePeer *p, const CityTwin *t) {
    sqlite3_stmt *s = p->insert;
    sqlite3_bind_int64(s, 1, t->row);
    bind_text(p, s, 2, t->id);
    sqlite3_bind_int(s, 3, (int)t->kind);
    bind_text(p, s, 4, t->props[0].s);
    bind_text(p, s, 5, t->props[1].s);
    sqlite3_bind_double(s, 6, t->props[2].d);
    sqlite3_bind_int64(s, 7, t->props[3].i);
    must(p, sqlite3_step(s), SQLITE_DONE);
    sqlite3_reset(s);
}

static void add_link(void *arg, const CityLink *l) {
    SqlitePeer *p = arg;
    sqlite3_stmt *s = p->insert;
    sqlite3_bind_int64(s, 1, l->number);
    sqlite3_bind_int64(s, 2, l->source);
    sqlite3_bind_int(s, 3, (int)l->rel);
    sqlite3_bind_int64(s, 4, l->target);
    must(p, sqlite3_step(s), SQLITE_DONE);
    sqlite3_reset(s);
}

static void load(SqlitePeer *p) {
    CityTwin t;
    run(p, "CREATE TABLE twin(row INTEGER PRIMARY KEY, id TEXT, model INTEGER, status TEXT, district TEXT, load REAL, "
           "age INTEGER); CREATE TABLE link(number INTEGER PRIMARY KEY, source INTEGER, rel INTEGER, target INTEGER); "
           "CREATE TEMP TABLE seen(row INTEGER PRIMARY KEY, depth INTEGER); BEGIN");
    p->insert = prepare(p, "INSERT INTO twin VALUES (?, ?, ?, ?, ?, ?, ?)");
    for (int64_t row = 0; row < city_twin_count(p->city); row++) {
        city_twin(p->city, row, &t);
        add_twin(p, &t);
    }
    sqlite3_finalize(p->insert);
    p->insert = prepare(p, "INSERT INTO link VALUES (?, ?, ?, ?)");
    city_links(p->city, add_link, p);
    sqlite3_finalize(p->insert);
    run(p, "CREATE UNIQUE INDEX twin_id ON twin(id); CREATE INDEX twin_model ON twin(model); CREATE INDEX link_out ON "
           "link(source, rel, target); CREATE INDEX link_in ON link(target, rel, source); COMMIT; ANALYZE");
}

SqlitePeer *sqlite_peer_open(const City *c) {
    SqlitePeer *p = mem_alloc(sizeof *p);
    p->city = c;
    must(p, sqlite3_open(":memory:", &p->db), SQLITE_OK);
    load(p);
    p->row_of = prepare(p, "SELECT row FROM twin WHERE id = ?1");
    p->seen = prepare(p, "INSERT OR IGNORE INTO seen VALUES (?1, 0)");
    return p;
}

void sqlite_peer_close(SqlitePeer *p) {
    sqlite3_finalize(p->asked);
    sqlite3_finalize(p->row_of);
    sqlite3_finalize(p->seen);
    sqlite3_close(p->db);
    mem_free(p);
}

// ---- asking -------------------------------------------------------------------------------------------------------

static Answer rows_of(SqlitePeer *p, sqlite3_stmt *s) {
    Answer a = {0};
    int got;
    while ((got = sqlite3_step(s)) == SQLITE_ROW) {
        a.rows++;
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            if (sqlite3_column_type(s, i) == SQLITE_TEXT)
                answer_text(&a, (Str){(const char *)sqlite3_column_text(s, i), sqlite3_column_bytes(s, i)});
            else a.sum += sqlite3_column_double(s, i);
        }
    }
    must(p, got, SQLITE_DONE);
    sqlite3_reset(s);
    return a;
}

static int64_t row_of(SqlitePeer *p, const char *id) {
    bind_text(p, p->row_of, 1, id);
    must(p, sqlite3_step(p->row_of), SQLITE_ROW);
    int64_t row = sqlite3_column_int64(p->row_of, 0);
    sqlite3_reset(p->row_of);
    return row;
}

static bool see(SqlitePeer *p, int64_t row) {
    sqlite3_bind_int64(p->seen, 1, row);
    must(p, sqlite3_step(p->seen), SQLITE_DONE);
    sqlite3_reset(p->seen);
    return sqlite3_changes(p->db) > 0;
}

typedef struct Front {
    int64_t *rows, count, cap;
} Front;

static void front_add(Front *f, int64_t row) {
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 1024;
        f->rows = mem_grow(f->rows, (size_t)f->cap * sizeof *f->rows);
    }
    f->rows[f->count++] = row;
}

// One step of the walk; true when it met the goal.
static bool widen(SqlitePeer *p, const Front *from, Front *to, int64_t goal) {
    to->count = 0;
    for (int64_t i = 0; i < from->count; i++) {
        sqlite3_bind_int64(p->asked, 1, from->rows[i]);
        while (sqlite3_step(p->asked) == SQLITE_ROW) {
            int64_t row = sqlite3_column_int64(p->asked, 0);
            if (row == goal) {
                sqlite3_reset(p->asked);
                return true;
            }
            if (see(p, row)) front_add(to, row);
        }
        sqlite3_reset(p->asked);
    }
    return false;
}

// A recursive CTE keeps every (twin, depth) and never ends; so the walk is kept by hand, seen twins in a table.
static Answer walk(SqlitePeer *p, const QuestionIds *ids) {
    Front a = {0}, b = {0};
    Answer answer = {0};
    int64_t goal = row_of(p, ids->b), start = row_of(p, ids->a);
    run(p, "BEGIN; DELETE FROM seen");
    see(p, start);
    front_add(&a, start);
    for (int64_t depth = 1; a.count; depth++) {
        bool found = widen(p, &a, &b, goal);
        if (found) answer = (Answer){1, (double)depth};
        if (found) break;
        Front next = b;
        b = a;
        a = next;
    }
    run(p, "COMMIT");
    mem_free(a.rows);
    mem_free(b.rows);
    return answer;
}

static void bind_all(SqlitePeer *p, const Question *q, const QuestionIds *ids) {
    if (q->vary == VARY_NOTHING) return;
    if (q->vary == VARY_NUMBER) sqlite3_bind_double(p->asked, 1, strtod(ids->a, NULL));
    else bind_text(p, p->asked, 1, ids->a);
}

Answer sqlite_peer_ask(SqlitePeer *p, const Question *q, const QuestionIds *ids, double *ms) {
    if (p->question != q) {
        sqlite3_finalize(p->asked);
        p->asked = prepare(p, q->sql);
        p->question = q;
    }
    int64_t start = time_mono_ns();
    Answer a;
    if (q->breadth_first) {
        a = walk(p, ids);
    } else {
        bind_all(p, q, ids);
        a = rows_of(p, p->asked);
    }
    *ms = (double)(time_mono_ns() - start) / 1e6;
    return a;
}
