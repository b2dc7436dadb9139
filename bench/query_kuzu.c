// SPDX-License-Identifier: Apache-2.0
#include "query_kuzu.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/check.h"
#include "codec/json.h"

#define VERSION "0.11.3"
#define SCRIPT "bench/query_kuzu.cjs"

static bool run(const char *command) {
    FILE *f = popen(command, "re");
    char line[4096];
    if (!f) return false;
    while (fgets(line, sizeof line, f)) fputs(line, stderr);
    return pclose(f) == 0;
}

static bool module_there(const char *build) {
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/node_modules/kuzu/kuzujs.node", build);
    return stat(path, &st) == 0;
}

static bool module_ready(const char *build) {
    char command[2048];
    if (!module_there(build)) {
        snprintf(command, sizeof command,
                 "npm install --prefix '%s' --no-save --no-package-lock --no-audit --no-fund --silent kuzu@" VERSION
                 " >&2 && { [ -f '%s/node_modules/kuzu/kuzujs.node' ] || (cd '%s/node_modules/kuzu' && node "
                 "install.js >&2); }",
                 build, build, build);
        run(command);
    }
    if (!module_there(build)) fprintf(stderr, "bench: npm kuzu is not here and cannot be installed: left out\n");
    return module_there(build);
}

// ---- files --------------------------------------------------------------------------------------------------------

static FILE *csv(const char *folder, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    FILE *f = fopen(path, "we");
    CHECK(f);
    return f;
}

typedef struct Csv {
    const City *c;
    FILE *rels[CITY_RELS];
} Csv;

static void put_link(void *arg, const CityLink *l) {
    Csv *x = arg;
    char source[CITY_ID_MAX], target[CITY_ID_MAX];
    city_id(x->c, l->source, source);
    city_id(x->c, l->target, target);
    fprintf(x->rels[l->rel], "%s,%s\n", source, target);
}

static void put_city(const City *c, const char *folder) {
    CityTwin t;
    Csv x = {.c = c};
    FILE *f = csv(folder, "twins");
    for (int64_t row = 0; row < city_twin_count(c); row++) {
        city_twin(c, row, &t);
        fprintf(f, "%s,%s,%s,%s,%.17g,%lld\n", t.id, city_model_id(t.kind), t.props[0].s, t.props[1].s, t.props[2].d,
                (long long)t.props[3].i);
    }
    fclose(f);
    for (int i = 0; i < CITY_RELS; i++) x.rels[i] = csv(folder, city_rel_name((CityRel)i));
    city_links(c, put_link, &x);
    for (int i = 0; i < CITY_RELS; i++) fclose(x.rels[i]);
}

static void put_params(const City *c, const Question *q, Buf *out) {
    for (int32_t n = 0; n < q->variants; n++) {
        QuestionIds ids = question_ids(c, q, n);
        buf_str_put(out, n ? STR(",{") : STR("{"));
        if (q->vary == VARY_NUMBER) buf_printf(out, "\"a\":%s", ids.a);
        else if (ids.b[0]) buf_printf(out, "\"a\":\"%s\",\"b\":\"%s\"", ids.a, ids.b);
        else if (ids.a[0]) buf_printf(out, "\"a\":\"%s\"", ids.a);
        buf_byte(out, '}');
    }
}

static void put_questions(const City *c, const Question *list, const char *folder) {
    char path[1024];
    Buf b = {0};
    for (const Question *q = list; q->name; q++) {
        buf_printf(&b, "{\"name\":\"%s\",\"rounds\":%d,\"text\":", q->name, q->peer_rounds);
        json_put_str(&b, str_of(q->cypher));
        buf_str_put(&b, STR(",\"params\":["));
        put_params(c, q, &b);
        buf_str_put(&b, STR("]}\n"));
    }
    snprintf(path, sizeof path, "%s/questions", folder);
    FILE *f = fopen(path, "we");
    CHECK(f && fwrite(b.p, 1, (size_t)b.n, f) == (size_t)b.n);
    fclose(f);
    buf_free(&b);
}

// ---- answers ------------------------------------------------------------------------------------------------------

static void take_answers(const Json *all, KuzuResult *out) {
    for (int32_t i = 0; all && i < all->count && i < QUESTION_VARIANTS_MAX; i++) {
        const Json *rows = json_get(&all->items[i], STR("rows")), *sum = json_get(&all->items[i], STR("sum"));
        if (!rows || !sum || !json_is_number(sum)) return;
        out->answers[out->count++] = (Answer){(int64_t)json_f64(rows), json_f64(sum)};
    }
}

static bool take_line(Str line, const Question *q, KuzuResult *out) {
    Arena arena;
    Json v;
    arena_init(&arena, 0);
    *out = (KuzuResult){.name = q->name, .ms = -1};
    bool ok = json_parse(line, NULL, &arena, &v, NULL) == ERR_OK;
    const Json *ms = ok ? json_get(&v, STR("ms")) : NULL, *error = ok ? json_get(&v, STR("error")) : NULL;
    if (error) fprintf(stderr, "bench: kuzu, %s: %.*s\n", q->name, STR_ARG(error->s));
    if (ms && json_is_number(ms)) {
        out->ms = json_f64(ms);
        take_answers(json_get(&v, STR("answers")), out);
    }
    arena_free(&arena);
    return ok;
}

int32_t kuzu_ask(const City *c, const Question *list, const char *build, const char *folder, KuzuResult *out,
                 int32_t max) {
    char command[2048], line[16384];
    int32_t count = 0;
    if (!run("node --version >/dev/null 2>&1")) {
        fprintf(stderr, "bench: there is no node: kuzu is left out\n");
        return 0;
    }
    if (!module_ready(build)) return 0;
    put_city(c, folder);
    put_questions(c, list, folder);
    snprintf(command, sizeof command, "timeout 300 node %s '%s/node_modules/kuzu' '%s' %ld <'%s/questions'", SCRIPT,
             build, folder, sysconf(_SC_NPROCESSORS_ONLN), folder);
    FILE *f = popen(command, "re");
    CHECK(f);
    for (const Question *q = list; q->name && count < max && fgets(line, sizeof line, f); q++)
        if (!take_line(str_trim(str_of(line)), q, &out[count++])) fprintf(stderr, "bench: kuzu said: %s", line);
    if (pclose(f) != 0) fprintf(stderr, "bench: kuzu ended early\n");
    return count;
}
