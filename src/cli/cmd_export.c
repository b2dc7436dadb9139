// SPDX-License-Identifier: Apache-2.0
// A world as plain tables of a SQLite file: models, twins, relationships, and every value there ever was of them.
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "cli/client.h"
#include "cli/term.h"

typedef struct Export {
    Common common;
    Str sqlite, from, to;
    bool no_history, force, quiet;
} Export;

static const Opt opts[] = {
    OPT(Export, sqlite, OPT_STR, 'o', "sqlite", "FILE", "the SQLite file to make"),
    OPT(Export, from, OPT_STR, 0, "from", "TIME", "values from this time on: 2026-11-01, -30d (all)"),
    OPT(Export, to, OPT_STR, 0, "to", "TIME", "values up to this time, itself left out"),
    OPT(Export, no_history, OPT_FLAG, 0, "no-history", NULL, "only what is now"),
    OPT(Export, force, OPT_FLAG, 'f', "force", NULL, "take the place of a file that is there"),
    OPT(Export, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT_END,
};

// value: a number, text, 0 or 1; JSON text where it is an object or a list; NULL: cleared.
static const char *const schema =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
    "CREATE TABLE models(id TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE twins(id TEXT PRIMARY KEY, model TEXT NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE relationships(source TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL,"
    " json TEXT NOT NULL, PRIMARY KEY(source, id)) WITHOUT ROWID;"
    "CREATE TABLE history(time TEXT NOT NULL, twin TEXT NOT NULL, property TEXT NOT NULL, value, arrival TEXT,"
    " source TEXT, late INTEGER NOT NULL, relationship TEXT);"
    "CREATE TABLE means(time TEXT NOT NULL, twin TEXT NOT NULL, property TEXT NOT NULL, step TEXT NOT NULL,"
    " mean REAL, min REAL, max REAL, count INTEGER NOT NULL, relationship TEXT);"
    "CREATE TABLE deleted(twin TEXT NOT NULL, time TEXT NOT NULL, PRIMARY KEY(twin, time)) WITHOUT ROWID;";

enum { PUT_MODEL, PUT_TWIN, PUT_RELATIONSHIP, PUT_VALUE, PUT_MEAN, PUT_DELETED, PUTS };
static const char *const puts_sql[PUTS] = {
    "INSERT OR REPLACE INTO models VALUES (?1, ?2)",
    "INSERT OR REPLACE INTO twins VALUES (?1, ?2, ?3)",
    "INSERT OR REPLACE INTO relationships VALUES (?1, ?2, ?3, ?4, ?5)",
    "INSERT INTO history VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    "INSERT INTO means VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    "INSERT OR IGNORE INTO deleted VALUES (?1, ?2)",
};

typedef struct Out {
    const Export *o;
    Client *client;
    sqlite3 *db;
    sqlite3_stmt *put[PUTS];
    int64_t counts[PUTS];
    Str twin; // whose relationships and values come
    Str link; // or those of this relationship of it
    Arena link_keep;
    Str *links; // of the twin, with properties
    int64_t link_count, link_cap;
    Arena names;
    Str *twins;
    int64_t twin_count, twin_cap;
    Progress line;
} Out;

static Err failed(const Out *x) { return tell(ERR_STORAGE, "export: %s", sqlite3_errmsg(x->db)); }

static void put_text(sqlite3_stmt *st, int at, Str s) {
    sqlite3_bind_text64(st, at, s.p ? s.p : "", (uint64_t)s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void put_some(sqlite3_stmt *st, int at, Str s) {
    if (s.n) put_text(st, at, s);
    else sqlite3_bind_null(st, at);
}

static void put_json(sqlite3_stmt *st, int at, const Json *v) {
    Buf b = {0};
    if (v) json_put(&b, v);
    put_text(st, at, buf_str(&b));
    buf_free(&b);
}

static void put_scalar(sqlite3_stmt *st, int at, const Json *v) {
    if (!v || v->type == JSON_NULL) sqlite3_bind_null(st, at);
    else if (v->type == JSON_STRING) put_text(st, at, v->s);
    else if (json_is_bool(v)) sqlite3_bind_int(st, at, v->type == JSON_TRUE);
    else if (v->type == JSON_INT) sqlite3_bind_int64(st, at, v->i);
    else if (json_is_number(v)) sqlite3_bind_double(st, at, v->d);
    else put_json(st, at, v);
}

static Err put(Out *x, int what) {
    int rc = sqlite3_step(x->put[what]);
    sqlite3_reset(x->put[what]);
    if (rc != SQLITE_DONE) return failed(x);
    x->counts[what]++;
    return term_interrupted() ? tell(ERR_CLOSED, "export: interrupted, nothing was made") : ERR_OK;
}

static Err put_model(void *arg, const Json *item) {
    Out *x = arg;
    put_text(x->put[PUT_MODEL], 1, json_text(item, STR("id")));
    put_json(x->put[PUT_MODEL], 2, json_get(item, STR("model")));
    return put(x, PUT_MODEL);
}

static Err put_twin(void *arg, const Json *item) {
    Out *x = arg;
    const Json *meta = json_get(item, STR("$metadata"));
    Str id = json_text(item, STR("$dtId"));
    put_text(x->put[PUT_TWIN], 1, id);
    put_text(x->put[PUT_TWIN], 2, meta ? json_text(meta, STR("$model")) : (Str){0});
    put_json(x->put[PUT_TWIN], 3, item);
    if (x->twin_count == x->twin_cap) {
        x->twin_cap = x->twin_cap ? 2 * x->twin_cap : 1024;
        x->twins = mem_grow(x->twins, (size_t)x->twin_cap * sizeof *x->twins);
    }
    x->twins[x->twin_count++] = arena_str(&x->names, id);
    return put(x, PUT_TWIN);
}

static bool has_properties(const Json *item) {
    for (int32_t i = 0; i < item->count; i++)
        if (!str_starts(item->members[i].key, STR("$"))) return true;
    return false;
}

static void keep_link(Out *x, Str id) {
    if (x->link_count == x->link_cap) {
        x->link_cap = x->link_cap ? 2 * x->link_cap : 16;
        x->links = mem_grow(x->links, (size_t)x->link_cap * sizeof *x->links);
    }
    x->links[x->link_count++] = arena_str(&x->link_keep, id);
}

static Err put_relationship(void *arg, const Json *item) {
    Out *x = arg;
    if (has_properties(item)) keep_link(x, json_text(item, STR("$relationshipId")));
    sqlite3_stmt *st = x->put[PUT_RELATIONSHIP];
    put_text(st, 1, x->twin);
    put_text(st, 2, json_text(item, STR("$relationshipId")));
    put_text(st, 3, json_text(item, STR("$relationshipName")));
    put_text(st, 4, json_text(item, STR("$targetId")));
    put_json(st, 5, item);
    return put(x, PUT_RELATIONSHIP);
}

static Err put_value(void *arg, const Json *item) {
    Out *x = arg;
    sqlite3_stmt *st = x->put[PUT_VALUE];
    put_text(st, 1, json_text(item, STR("time")));
    put_text(st, 2, x->twin);
    put_text(st, 3, json_text(item, STR("property")));
    put_scalar(st, 4, json_get(item, STR("value")));
    put_some(st, 5, json_text(item, STR("arrival")));
    put_some(st, 6, json_text(item, STR("source")));
    sqlite3_bind_int(st, 7, json_get(item, STR("late")) != NULL);
    put_some(st, 8, x->link);
    return put(x, PUT_VALUE);
}

// Where single values were let go.
static Err put_mean(void *arg, const Json *item) {
    Out *x = arg;
    sqlite3_stmt *st = x->put[PUT_MEAN];
    Str step = json_text(item, STR("downsampled"));
    if (!step.n) return ERR_OK;
    put_text(st, 1, json_text(item, STR("time")));
    put_text(st, 2, x->twin);
    put_text(st, 3, json_text(item, STR("property")));
    put_text(st, 4, step);
    put_scalar(st, 5, json_get(item, STR("value")));
    put_scalar(st, 6, json_get(item, STR("min")));
    put_scalar(st, 7, json_get(item, STR("max")));
    put_scalar(st, 8, json_get(item, STR("count")));
    put_some(st, 9, x->link);
    return put(x, PUT_MEAN);
}

// The address of what is asked of the twin's, or the relationship's, history. Until the client is reset.
static Str history_path(Out *x, const char *query) {
    const Export *o = x->o;
    Str parts[4] = {x->twin, x->link};
    int n = x->link.n ? 2 : 1;
    Buf pattern = {0};
    buf_printf(&pattern, "/digitaltwins/{}%s/history?%s", x->link.n ? "/relationships/{}" : "", query);
    if (o->from.n) buf_str_put(&pattern, STR("&from={}")), parts[n++] = o->from;
    if (o->to.n) buf_str_put(&pattern, STR("&to={}")), parts[n++] = o->to;
    buf_byte(&pattern, 0);
    client_reset(x->client);
    Str path = client_path(x->client, pattern.p, parts);
    buf_free(&pattern);
    return path;
}

// Values are told as they arrived; means, which have no arrival, by their own times, where there are any.
static Err each_history(Out *x) {
    int64_t count = 0;
    Json doc;
    TRY(client_each(x->client, history_path(x, "with=source,arrival&limit=10000"), INT64_MAX, &count, put_value, x));
    TRY(client_do(x->client, &(Call){.path = history_path(x, "limit=1")}));
    TRY(client_json(x->client, &doc));
    const Json *some = json_get(&doc, STR("downsampled"));
    if (!some || some->type != JSON_TRUE) return ERR_OK;
    return client_each(x->client, history_path(x, "limit=10000"), INT64_MAX, &count, put_mean, x);
}

// Of the twin, then of its relationships.
static Err histories(Out *x) {
    x->link = (Str){0};
    TRY(each_history(x));
    for (int64_t i = 0; i < x->link_count; i++) {
        x->link = x->links[i];
        TRY(each_history(x));
    }
    return ERR_OK;
}

static Err each_twin(Out *x) {
    Err e = ERR_OK;
    for (int64_t i = 0; i < x->twin_count && e == ERR_OK; i++) {
        int64_t count = 0;
        x->twin = x->twins[i];
        x->link_count = 0;
        arena_reset(&x->link_keep);
        client_reset(x->client);
        Str path = client_path(x->client, "/digitaltwins/{}/relationships", &x->twin);
        e = client_each(x->client, path, INT64_MAX, &count, put_relationship, x);
        if (e == ERR_OK && !x->o->no_history) e = histories(x);
        progress_at(&x->line, i + 1);
    }
    return e;
}

// ---- the dead -----------------------------------------------------------------------------------------------------

typedef struct Dead {
    Out *x;
    Str until; // instant of a past world; "": now
} Dead;

static Err put_deleted(void *arg, const Json *item) {
    const Dead *d = arg;
    Str time = json_text(item, STR("deleted"));
    if (d->until.n && str_cmp(time, d->until) > 0) return ERR_OK;
    put_text(d->x->put[PUT_DELETED], 1, json_text(item, STR("$dtId")));
    put_text(d->x->put[PUT_DELETED], 2, time);
    return put(d->x, PUT_DELETED);
}

// The values of names that nobody has any more; those of others came with who has the name now.
static Err values_of_dead(Out *x) {
    static const char *const names = "SELECT DISTINCT twin FROM deleted WHERE twin NOT IN (SELECT id FROM twins)";
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(x->db, names, -1, &st, NULL) != SQLITE_OK) return failed(x);
    Err e = ERR_OK;
    x->link = (Str){0};
    while (e == ERR_OK && sqlite3_step(st) == SQLITE_ROW) {
        arena_reset(&x->link_keep);
        x->twin = arena_str(&x->link_keep, (Str){sqlite3_column_blob(st, 0), sqlite3_column_bytes(st, 0)});
        e = each_history(x);
    }
    sqlite3_finalize(st);
    return e;
}

// Of live, and of it as it was; a fork has the dead of its parent, who are told there.
static Err dead(Out *x) {
    Str world = x->o->common.world, name = world, base = str_cut(&name, '@');
    int64_t count = 0;
    if (x->o->no_history || (world.n && !str_eq(base, STR("live")))) return ERR_OK;
    Dead d = {.x = x};
    Buf until = {0};
    if (str_find(world, '@', 0) >= 0) {
        Json doc;
        TRY(client_do(x->client, &(Call){.path = client_path(x->client, "", NULL)}));
        TRY(client_json(x->client, &doc));
        buf_str_put(&until, json_text(&doc, STR("time"))); // of its newest batch
        d.until = buf_str(&until);
    }
    client_reset(x->client);
    Err e =
        client_each(x->client, client_path(x->client, "//history/deleted", NULL), INT64_MAX, &count, put_deleted, &d);
    buf_free(&until);
    return e == ERR_OK ? values_of_dead(x) : e;
}

// Twins come from a question, page by page.
static Err all_twins(Out *x) {
    Str token = {0};
    Arena keep;
    Err e = ERR_OK;
    arena_init(&keep, 0);
    do {
        Json doc;
        Buf body = {0};
        buf_str_put(&body, token.n ? STR("{\"continuationToken\":") : STR("{\"query\":\"SELECT * FROM DIGITALTWINS\""));
        if (token.n) json_put_str(&body, token);
        buf_byte(&body, '}');
        client_reset(x->client);
        Call call = {.method = "POST",
                     .path = client_path(x->client, "/query", NULL),
                     .body = buf_str(&body),
                     .page_size = 1000};
        e = client_do(x->client, &call);
        if (e == ERR_OK) e = client_json(x->client, &doc);
        const Json *list = e == ERR_OK ? json_get(&doc, STR("value")) : NULL;
        for (int32_t i = 0; list && i < list->count && e == ERR_OK; i++) e = put_twin(x, &list->items[i]);
        arena_reset(&keep);
        token = e == ERR_OK ? arena_str(&keep, json_text(&doc, STR("continuationToken"))) : (Str){0};
        buf_free(&body);
    } while (token.n);
    arena_free(&keep);
    return e;
}

static Err fill(Out *x) {
    int64_t models = 0;
    if (sqlite3_exec(x->db, schema, NULL, NULL, NULL) != SQLITE_OK) return failed(x);
    for (int i = 0; i < PUTS; i++) {
        if (sqlite3_prepare_v2(x->db, puts_sql[i], -1, &x->put[i], NULL) != SQLITE_OK) return failed(x);
    }
    Str path = client_path(x->client, "/models?includeModelDefinition=true", NULL);
    TRY(client_each(x->client, path, INT64_MAX, &models, put_model, x));
    TRY(all_twins(x));
    progress_begin(&x->line, "twins", x->twin_count, x->o->quiet || x->o->common.json);
    Err e = each_twin(x);
    progress_end(&x->line);
    TRY(e);
    TRY(dead(x));
    const char *end = "CREATE INDEX history_twin ON history(twin, property, time); COMMIT;";
    return sqlite3_exec(x->db, end, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : failed(x);
}

static Err done(const Out *x) {
    Buf b = {0};
    const int64_t *n = x->counts;
    if (x->o->common.json) {
        buf_str_put(&b, STR("{\"file\":"));
        json_put_str(&b, x->o->sqlite);
        buf_printf(&b,
                   ",\"models\":%lld,\"twins\":%lld,\"relationships\":%lld,\"values\":%lld,\"means\":%lld,"
                   "\"deleted\":%lld}\n",
                   (long long)n[0], (long long)n[1], (long long)n[2], (long long)n[3], (long long)n[4],
                   (long long)n[5]);
    } else {
        buf_printf(&b, "%.*s: %lld models, %lld twins, %lld relationships, %lld values", STR_ARG(x->o->sqlite),
                   (long long)n[0], (long long)n[1], (long long)n[2], (long long)n[3]);
        if (n[4]) buf_printf(&b, ", %lld means", (long long)n[4]);
        if (n[5]) buf_printf(&b, ", %lld deleted", (long long)n[5]);
        buf_byte(&b, '\n');
    }
    Err e = say(buf_str(&b));
    buf_free(&b);
    return e;
}

// Fill a file beside, which takes the name when it is whole.
static Err make_file(Out *x, const char *path, const char *part) {
    unlink(part);
    int rc = sqlite3_open_v2(part, &x->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    Err e = rc == SQLITE_OK ? fill(x) : failed(x);
    for (int i = 0; i < PUTS; i++) sqlite3_finalize(x->put[i]);
    sqlite3_close(x->db);
    if (e == ERR_OK && rename(part, path) != 0) e = tell(ERR_IO, "export: %s cannot be made", path);
    if (e != ERR_OK) unlink(part);
    return e;
}

static Err run(void *fields, const Args *args) {
    (void)args;
    const Export *o = fields;
    struct stat st;
    Client c;
    if (!o->sqlite.n) {
        tell(ERR_ARGUMENT, "export: which file shall be made?");
        hint("sosia export --sqlite plant.db");
        return ERR_ARGUMENT;
    }
    Out x = {.o = o, .client = &c};
    arena_init(&x.names, 0);
    arena_init(&x.link_keep, 0);
    Str path = arena_printf(&x.names, "%.*s", STR_ARG(o->sqlite)),
        part = arena_printf(&x.names, "%.*s.part", STR_ARG(o->sqlite));
    Err e = ERR_OK;
    if (!o->force && stat(path.p, &st) == 0) {
        e = tell(ERR_EXISTS, "export: %s is there already", path.p);
        hint("name another file, or take its place with --force");
    }
    if (e == ERR_OK) {
        e = client_open(&c, &o->common);
        if (e == ERR_OK) e = make_file(&x, path.p, part.p);
        if (e == ERR_OK) e = done(&x);
        client_close(&c);
    }
    mem_free(x.twins);
    mem_free(x.links);
    arena_free(&x.names);
    arena_free(&x.link_keep);
    return e;
}

const Command cmd_export = {
    .name = "export",
    .arguments = "",
    .summary = "a world and its history as tables of a SQLite file",
    .about =
        "Tables models, twins, relationships (each with its JSON), history (time, twin, property, value, arrival,\n"
        "source, late, relationship): every value of twins and relationships; means (time, twin, property, step, "
        "mean,\n"
        "min, max, count, relationship) where single values were let go; deleted (twin, time): twins that are no "
        "more,\n"
        "whose values are in history too. With --world live@TIME: what was known then.",
    .examples = "  sosia export --sqlite plant.db\n"
                "  sosia export --sqlite november.db --from 2026-11-01 --to 2026-12-01\n"
                "  sosia export --sqlite now.db --no-history --force",
    .opts = opts,
    .size = sizeof(Export),
    .client = true,
    .run = run,
};
