// SPDX-License-Identifier: Apache-2.0
#include "question.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/rng.h"
#include "codec/json.h"

const Question questions[] = {
    {.name = "query.hop1",
     .unit = "ms",
     .goal = 0.1,
     .variants = 64,
     .rounds = 31,
     .peer_rounds = 5,
     .vary = VARY_BUILDING,
     .sosia =
         "SELECT b.$dtId, b.load FROM DIGITALTWINS MATCH (a)-[:contains]->(b) WHERE a.$dtId = '{a}' AND b.load > 50",
     .sql = "SELECT b.id, b.load FROM twin a JOIN link l ON l.source = a.row AND l.rel = 0 JOIN twin b ON b.row = "
            "l.target WHERE a.id = ?1 AND b.load > 50",
     .cypher = "MATCH (a:Twin {id: $a})-[:contains]->(b:Twin) WHERE b.load > 50 RETURN b.id, b.load"},
    {.name = "query.hop2",
     .unit = "ms",
     .goal = 0.3,
     .variants = 64,
     .rounds = 31,
     .peer_rounds = 5,
     .vary = VARY_BUILDING,
     .sosia = "SELECT b.$dtId, b.load FROM DIGITALTWINS MATCH (a)-[:contains]->()-[:contains]->(b) WHERE a.$dtId = "
              "'{a}' AND b.load > 50",
     .sql = "SELECT b.id, b.load FROM twin a JOIN link l ON l.source = a.row AND l.rel = 0 JOIN link m ON m.source = "
            "l.target AND m.rel = 0 JOIN twin b ON b.row = m.target WHERE a.id = ?1 AND b.load > 50",
     .cypher = "MATCH (a:Twin {id: $a})-[:contains]->(:Twin)-[:contains]->(b:Twin) WHERE b.load > 50 RETURN b.id, "
               "b.load"},
    {.name = "query.hop3",
     .unit = "ms",
     .goal = 1,
     .variants = 64,
     .rounds = 31,
     .peer_rounds = 5,
     .vary = VARY_BUILDING,
     .sosia = "SELECT b.$dtId, b.load FROM DIGITALTWINS MATCH (a)-[:contains]->()-[:contains]->()-[:has]->(b) WHERE "
              "a.$dtId = '{a}' AND b.load > 50",
     .sql = "SELECT b.id, b.load FROM twin a JOIN link l ON l.source = a.row AND l.rel = 0 JOIN link m ON m.source = "
            "l.target AND m.rel = 0 JOIN link n ON n.source = m.target AND n.rel = 1 JOIN twin b ON b.row = n.target "
            "WHERE a.id = ?1 AND b.load > 50",
     .cypher = "MATCH (a:Twin {id: $a})-[:contains]->(:Twin)-[:contains]->(:Twin)-[:has]->(b:Twin) WHERE b.load > 50 "
               "RETURN b.id, b.load"},
    {.name = "query.scan",
     .unit = "ns/row per core",
     .goal = 5,
     .per_row = true,
     .variants = 16,
     .rounds = 7,
     .peer_rounds = 1,
     .vary = VARY_NUMBER,
     .sosia = "SELECT COUNT() FROM DIGITALTWINS T WHERE T.load > {a} AND T.age < 1000",
     .sql = "SELECT COUNT(*) FROM twin WHERE load > ?1 AND age < 1000",
     .cypher = "MATCH (t:Twin) WHERE t.load > $a AND t.age < 1000 RETURN count(*)"},
    {.name = "query.count_model",
     .unit = "ms",
     .goal = 2,
     .variants = 1,
     .rounds = 63,
     .peer_rounds = 5,
     .sosia = "SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:city:Sensor;1')",
     .sql = "SELECT COUNT(*) FROM twin WHERE model IN (8, 9, 10, 11)",
     .cypher = "MATCH (t:Twin) WHERE t.model IN ['dtmi:city:TemperatureSensor;1', 'dtmi:city:HumiditySensor;1', "
               "'dtmi:city:Co2Sensor;1', 'dtmi:city:PowerSensor;1'] RETURN count(*)"},
    {.name = "query.group_by",
     .unit = "ms",
     .goal = 30,
     .variants = 1,
     .rounds = 31,
     .peer_rounds = 5,
     .sosia = "SELECT T.district, COUNT() AS n, AVG(T.load) AS load FROM DIGITALTWINS T GROUP BY T.district",
     .sql = "SELECT district, COUNT(*), AVG(load) FROM twin GROUP BY district",
     .cypher = "MATCH (t:Twin) RETURN t.district, count(*), avg(t.load)"},
    {.name = "query.shortest_path",
     .unit = "ms",
     .goal = 50,
     .variants = 8,
     .rounds = 7,
     .peer_rounds = 1,
     .vary = VARY_ACROSS,
     .breadth_first = true,
     .sosia = "SELECT p FROM DIGITALTWINS MATCH p = SHORTEST (a)-[:road*..1000]->(b) WHERE a.$dtId = '{a}' AND b.$dtId "
              "= '{b}'",
     .sql = "SELECT target FROM link WHERE source = ?1 AND rel = 5",
     .cypher = "MATCH (a:Twin {id: $a})-[e:road* SHORTEST 1..1000]->(b:Twin {id: $b}) RETURN length(e)"},
    {0}};

const Question depth_questions[] = {
    {.name = "query.depth5",
     .unit = "ms",
     .goal = 100,
     .variants = 32,
     .rounds = 15,
     .peer_rounds = 1,
     .vary = VARY_INTO,
     .sosia = "SELECT COUNT() FROM DIGITALTWINS MATCH (z)-[*..5]->(b) WHERE b.$dtId = '{a}'",
     .sql = "WITH RECURSIVE walk(at, depth, path) AS (SELECT source, 1, ',' || number || ',' FROM link WHERE target = "
            "(SELECT row FROM twin WHERE id = ?1) UNION ALL SELECT l.source, depth + 1, path || l.number || ',' FROM "
            "walk JOIN link l ON l.target = walk.at WHERE depth < 5 AND instr(path, ',' || l.number || ',') = 0) "
            "SELECT COUNT(*) FROM walk",
     .cypher = "MATCH (z:Twin)-[e* TRAIL 1..5]->(b:Twin {id: $a}) RETURN count(*)"},
    {.name = "query.depth5_all",
     .unit = "ms",
     .variants = 1,
     .rounds = 15,
     .peer_rounds = 3,
     .vary = VARY_CITY,
     .sosia = "SELECT COUNT() FROM DIGITALTWINS MATCH (a)-[:contains|has*..5]->(b) WHERE a.$dtId = '{a}'",
     .sql = "WITH RECURSIVE walk(at, depth) AS (SELECT target, 1 FROM link WHERE source = (SELECT row FROM twin WHERE "
            "id = ?1) AND rel IN (0, 1) UNION ALL SELECT l.target, depth + 1 FROM walk JOIN link l ON l.source = "
            "walk.at AND l.rel IN (0, 1) WHERE depth < 5) SELECT COUNT(*) FROM walk",
     .cypher = "MATCH (a:Twin {id: $a})-[e:contains|has* TRAIL 1..5]->(b:Twin) RETURN count(*)"},
    {0}};

// ---- asking -------------------------------------------------------------------------------------------------------

QuestionIds question_ids(const City *c, const Question *q, int32_t n) {
    QuestionIds ids = {"", ""};
    Rng r = rng_make(c->seed + 1, (uint64_t)n);
    int32_t last = c->districts - 1, d = (int32_t)rng_below(&r, (uint64_t)c->districts);
    int32_t junction = (int32_t)rng_below(&r, CITY_JUNCTIONS), building = (int32_t)rng_below(&r, CITY_BUILDINGS);
    switch (q->vary) {
    case VARY_NOTHING: break;
    case VARY_NUMBER: snprintf(ids.a, sizeof ids.a, "%d", 20 + 4 * n); break;
    case VARY_BUILDING: city_id(c, city_row(c, CITY_BUILDING, d, building), ids.a); break;
    case VARY_CITY: city_id(c, 0, ids.a); break;
    case VARY_INTO:
        city_id(c, n % 2 ? city_row(c, CITY_JUNCTION, d, junction) : city_row(c, CITY_BUILDING, d, building), ids.a);
        break;
    case VARY_ACROSS:
        city_id(c, city_row(c, CITY_JUNCTION, 0, junction), ids.a);
        city_id(c, city_row(c, CITY_JUNCTION, last, CITY_JUNCTIONS - 1 - junction), ids.b);
    }
    return ids;
}

void question_text(const Question *q, const QuestionIds *ids, Buf *out) {
    for (const char *p = q->sosia; *p;) {
        if (p[0] == '{') {
            buf_str_put(out, str_of(p[1] == 'a' ? ids->a : ids->b));
            p += 3;
        } else {
            buf_byte(out, *p++);
        }
    }
}

// ---- answers ------------------------------------------------------------------------------------------------------

void answer_text(Answer *a, Str s) {
    uint32_t h = 2166136261u;
    for (int64_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * 16777619u;
    a->sum += h % 1000003u;
}

// Of a path only its length counts: there may be several shortest ones.
static void answer_add(Answer *a, const Json *v) {
    const Json *length = json_get(v, STR("length"));
    if (length) answer_add(a, length);
    else if (json_is_number(v)) a->sum += json_f64(v);
    else if (v->type == JSON_STRING) answer_text(a, v->s);
    else if (v->type == JSON_OBJECT)
        for (int32_t i = 0; i < v->count; i++) answer_add(a, &v->members[i].value);
}

bool answer_read(Str body, Answer *out) {
    Arena arena;
    Json v;
    arena_init(&arena, 0);
    bool ok = json_parse(body, NULL, &arena, &v, NULL) == ERR_OK;
    const Json *rows = ok ? json_get(&v, STR("value")) : NULL,
               *more = ok ? json_get(&v, STR("continuationToken")) : NULL;
    ok = rows && rows->type == JSON_ARRAY && (!more || more->type == JSON_NULL);
    *out = (Answer){.rows = ok ? rows->count : 0};
    for (int32_t i = 0; ok && i < rows->count; i++) answer_add(out, &rows->items[i]);
    arena_free(&arena);
    return ok;
}

bool answer_same(const Answer *a, const Answer *b) {
    return a->rows == b->rows && fabs(a->sum - b->sum) <= 1e-9 * (1 + fabs(a->sum));
}
