// SPDX-License-Identifier: Apache-2.0
// Worked examples with their answers: those of the language's description, then every extension of query.h. Each is
// asked of a plan and of the oracle.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/time.h"
#include "query/inner.h"
#include "world/edit.h"

#define NOW INT64_C(1767225600000000000) // 2026-01-01T00:00:00Z

// ---- two worlds ---------------------------------------------------------------------------------------------------

static const char models[] =
    "[{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:ex:Shed;1',"
    "'@type':'Interface','contents':[{'@type':['Property','Temperature'],'name':'temp','schema':'double',"
    "'unit':'degreeFahrenheit'},{'@type':'Property','name':'pop','schema':'integer'}]},"
    "{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:ex:Pipe;1',"
    "'@type':'Interface','contents':[{'@type':['Property','Length'],'name':'temp','schema':'double',"
    "'unit':'metre'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:Asset;1','@type':'Interface','contents':[{'@type':'Property',"
    "'name':'serial','schema':'string'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:Desk;1','@type':'Interface','extends':'dtmi:ex:Asset;1',"
    "'contents':[{'@type':'Property','name':'height','schema':'double'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:Room;1','@type':'Interface','contents':[{'@type':'Property',"
    "'name':'name','schema':'string'},{'@type':'Property','name':'temp','schema':'double'},{'@type':'Relationship',"
    "'name':'contains'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:Floor;1','@type':'Interface',"
    "'contents':[{'@type':'Relationship','name':'has'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:Clock;1','@type':'Interface','contents':[{'@type':'Property',"
    "'name':'zone','schema':'string'}]},"
    "{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:ex:Place;1','@type':'"
    "Interface','contents':[{'@type':'Property',"
    "'name':'name','schema':'string'},{'@type':'Property','name':'pop','schema':'integer'},{'@type':'Property',"
    "'name':'open','schema':'boolean'},{'@type':['Property','Temperature'],'name':'temp','schema':'double',"
    "'unit':'degreeCelsius'},{'@type':'Property','name':'tags','schema':{'@type':'Map','mapKey':{'name':'k',"
    "'schema':'string'},'mapValue':{'name':'v','schema':'string'}}},{'@type':'Property','name':'share',"
    "'schema':'float'},{'@type':'Property','name':'at','schema':'point'},{'@type':'Component','name':'clock',"
    "'schema':'dtmi:ex:Clock;1'},{'@type':'Relationship','name':'road','properties':[{'@type':'Property','name':'km',"
    "'schema':'double'}]},{'@type':'Relationship','name':'link'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:Town;1','@type':'Interface','extends':'dtmi:ex:Place;1',"
    "'contents':[{'@type':'Property','name':'mayor','schema':'string'}]}]";

typedef struct Fixture {
    Domain *d;
    World *w;
    Arena arena;
    uint64_t seq;
} Fixture;

// One entity of the bulk format, ' for ".
static void put(Fixture *f, ImportSection section, const char *text) {
    Diag d;
    Json v;
    diag_init(&d);
    Str s = arena_str(&f->arena, str_of(text));
    for (char *p = (char *)(uintptr_t)s.p; *p; p++) {
        if (*p == '\'') *p = '"';
    }
    assert_int_equal(json_parse(s, NULL, &f->arena, &v, NULL), ERR_OK);
    f->seq++;
    world_begin(f->w, f->seq, NOW + (int64_t)f->seq * 1000);
    if (edit_import(f->w, section, &v, &d) != ERR_OK) fail_msg("%.60s: %.*s", text, STR_ARG(d.messages[0].text));
    world_end(f->w);
    world_settle(f->w, f->seq);
    diag_free(&d);
}

static Fixture *open_world(void) {
    static Fixture f;
    f = (Fixture){.d = domain_new()};
    f.w = world_new(f.d, 1 << 12);
    arena_init(&f.arena, 0);
    put(&f, IMPORT_MODELS, models);
    return &f;
}

// The world of the description's examples.
static int open_rooms(void **state) {
    Fixture *f = open_world();
    put(f, IMPORT_TWINS, "{'$dtId':'room1','$metadata':{'$model':'dtmi:ex:Room;1'},'name':'R','temp':20}");
    put(f, IMPORT_TWINS, "{'$dtId':'desk1','$metadata':{'$model':'dtmi:ex:Desk;1'}}");
    put(f, IMPORT_TWINS, "{'$dtId':'desk2','$metadata':{'$model':'dtmi:ex:Desk;1'}}");
    put(f, IMPORT_TWINS, "{'$dtId':'floor1','$metadata':{'$model':'dtmi:ex:Floor;1'}}");
    put(f, IMPORT_LINKS,
        "{'$sourceId':'room1','$relationshipId':'c1','$relationshipName':'contains','$targetId':'desk1'}");
    put(f, IMPORT_LINKS,
        "{'$sourceId':'room1','$relationshipId':'c2','$relationshipName':'contains','$targetId':'desk2'}");
    put(f, IMPORT_LINKS, "{'$sourceId':'floor1','$relationshipId':'h1','$relationshipName':'has','$targetId':'room1'}");
    *state = f;
    return 0;
}

// Places p1 to p5, of which p3 and p4 are towns:
//   p1 --a,1 km--> p2 --b,2.5 km--> p3 --e,1 km--> p4      p1 --c,10 km--> p3 --d,4 km--> p1      p2 --link l--> p1
static int open_places(void **state) {
    Fixture *f = open_world();
#define CLOCK "'clock':{'$metadata':{}}"
    put(f, IMPORT_TWINS,
        "{'$dtId':'p1','$metadata':{'$model':'dtmi:ex:Place;1'},'name':'A','pop':5,'temp':20.5,'tags':{'k':'x','a "
        "b':'y'},"
        "'open':true,'share':0.1,'clock':{'$metadata':{},'zone':'CET'},'at':{'type':'Point','coordinates':[13,52]}}");
    put(f, IMPORT_TWINS,
        "{'$dtId':'p2','$metadata':{'$model':'dtmi:ex:Place;1'},'name':'B','pop':3,'open':false," CLOCK "}");
    put(f, IMPORT_TWINS,
        "{'$dtId':'p3','$metadata':{'$model':'dtmi:ex:Town;1'},'name':'A','pop':8,'temp':-4,'mayor':'M'," CLOCK "}");
    put(f, IMPORT_TWINS,
        "{'$dtId':'p4','$metadata':{'$model':'dtmi:ex:Town;1'},'name':'C','at':{'type':'Point','coordinates':[13,53]}"
        "," CLOCK "}");
    put(f, IMPORT_TWINS, "{'$dtId':'p5','$metadata':{'$model':'dtmi:ex:Place;1'}," CLOCK "}");
    static const char *const roads[][4] = {{"a", "p1", "p2", "1"},
                                           {"b", "p2", "p3", "2.5"},
                                           {"c", "p1", "p3", "10"},
                                           {"d", "p3", "p1", "4"},
                                           {"e", "p3", "p4", "1"}};
    for (size_t i = 0; i < sizeof roads / sizeof *roads; i++) {
        Str text = arena_printf(
            &f->arena, "{'$relationshipId':'%s','$sourceId':'%s','$targetId':'%s','$relationshipName':'road','km':%s}",
            roads[i][0], roads[i][1], roads[i][2], roads[i][3]);
        put(f, IMPORT_LINKS, text.p);
    }
    put(f, IMPORT_LINKS, "{'$sourceId':'p2','$relationshipId':'l','$relationshipName':'link','$targetId':'p1'}");
    *state = f;
    return 0;
}

static int close_world(void **state) {
    Fixture *f = *state;
    world_free(f->w);
    domain_free(f->d);
    arena_free(&f->arena);
    return 0;
}

// ---- asking -------------------------------------------------------------------------------------------------------

static Err answer(Fixture *f, const char *text, const QueryOptions *o, Buf *out, Diag *d) {
    Query *q;
    QueryCursor *c;
    View v;
    int64_t rows;
    bool more;
    TRY(query_parse(&f->arena, str_of(text), &q, d));
    view_begin(&v, f->w);
    Err e = query_open(q, &v, o, &c, d);
    if (e == ERR_OK) {
        e = query_next(c, QUERY_PAGE_MAX, out, &rows, &more, d);
        if (e == ERR_OK) assert_false(more);
        query_close(c);
    }
    view_end(&v);
    return e;
}

// The rows, ' for ", are `want`: from the plan and from the oracle.
static void check(Fixture *f, const char *text, const char *want) {
    for (int naive = 0; naive < 2; naive++) {
        QueryOptions o = {.now = NOW + 3600 * INT64_C(1000000000), .naive = naive};
        Buf got = {0};
        Diag d;
        diag_init(&d);
        if (answer(f, text, &o, &got, &d) != ERR_OK) {
            fail_msg("%s\n  %.*s", text, STR_ARG(d.messages[0].text));
        }
        for (int64_t i = 0; i < got.n; i++) {
            if (got.p[i] == '"') got.p[i] = '\'';
        }
        if (!str_eq(buf_str(&got), str_of(want))) {
            fail_msg("%s\n  %s %.*s\n  wanted %s", text, naive ? "oracle" : "plan", STR_ARG(buf_str(&got)), want);
        }
        diag_free(&d);
        buf_free(&got);
    }
}

// A refusal, with the words of its message.
static void refused(Fixture *f, const char *text, Err want, const char *part) {
    QueryOptions o = {.now = NOW};
    Buf got = {0};
    Diag d;
    diag_init(&d);
    Err e = answer(f, text, &o, &got, &d);
    if (e != want) fail_msg("%s: %s, wanted %s", text, err_name(e), err_name(want));
    if (str_find_str(d.messages[0].text, str_of(part)) < 0) fail_msg("%s: %.*s", text, STR_ARG(d.messages[0].text));
    diag_free(&d);
    buf_free(&got);
}

// Whole twins and links as GET shows them, with a key before each or as they are.
static const char *shown(Fixture *f, const char *const *what, int n, const char *key) {
    Buf b = {0};
    View v;
    view_begin(&v, f->w);
    for (int i = 0; i < n; i++) {
        Str source, name = str_of(what[i]);
        if (i) buf_byte(&b, ',');
        if (key) buf_printf(&b, "{\"%s\":", key);
        source = str_cut(&name, '/');
        if (name.n) show_link(&v, view_find_link(&v, view_find_twin(&v, source), name), &b);
        else show_twin(&v, view_find_twin(&v, source), &(ShowOptions){0}, &b);
        if (key) buf_byte(&b, '}');
    }
    view_end(&v);
    for (int64_t i = 0; i < b.n; i++) {
        if (b.p[i] == '"') b.p[i] = '\'';
    }
    Str kept = arena_str(&f->arena, buf_str(&b));
    buf_free(&b);
    return kept.p;
}

#define SHOWN(f, key, ...)                                                                                             \
    shown((f), (const char *const[]){__VA_ARGS__},                                                                     \
          (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)), key)

// ---- the description's examples -----------------------------------------------------------------------------------

static void test_worked_examples(void **state) {
    Fixture *f = *state;
    check(f, "SELECT * FROM DIGITALTWINS WHERE temp > 10", SHOWN(f, NULL, "room1"));
    check(f, "SELECT D.$dtId AS d FROM DIGITALTWINS T JOIN D RELATED T.contains R WHERE T.$dtId = 'room1'",
          "{'d':'desk1'},{'d':'desk2'}");
    check(f, "SELECT R FROM DIGITALTWINS T JOIN D RELATED T.contains R WHERE T.$dtId='room1' AND D.$dtId='desk2'",
          SHOWN(f, "R", "room1/c2"));
    check(f, "SELECT x.$dtId FROM DIGITALTWINS MATCH (f)-[:has|contains*..2]->(x) WHERE f.$dtId='floor1'",
          "{'$dtId':'room1'},{'$dtId':'desk1'},{'$dtId':'desk2'}");
    check(f, "SELECT x.$dtId FROM DIGITALTWINS MATCH (f)-[*2]->(x) WHERE f.$dtId='floor1'",
          "{'$dtId':'desk1'},{'$dtId':'desk2'}");
    check(f, "SELECT x.$dtId FROM DIGITALTWINS MATCH (f)-[*1..2]->(x) WHERE f.$dtId='floor1'",
          "{'$dtId':'desk1'},{'$dtId':'desk2'}");
    check(f, "SELECT p.$dtId FROM DIGITALTWINS MATCH (d)<-[r:contains]-(p) WHERE d.$dtId='desk1'", "{'$dtId':'room1'}");
    check(f, "SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T,'dtmi:ex:Asset;1')", "{'COUNT':2}");
    check(f, "SELECT T FROM DIGITALTWINS T WHERE IS_OF_MODEL(T,'dtmi:ex:Asset;1', exact)", "");
    check(f, "SELECT * FROM RELATIONSHIPS WHERE $targetId = 'desk1'", SHOWN(f, NULL, "room1/c1"));
    check(f, "SELECT TOP(1) T.$dtId FROM DIGITALTWINS T WHERE T.$dtId IN ['desk1','desk2']", "{'$dtId':'desk1'}");
    check(f, "SELECT * FROM DIGITALTWINS T WHERE NOT IS_DEFINED(T.temp) AND STARTSWITH(T.$dtId,'de')",
          SHOWN(f, NULL, "desk1", "desk2"));
}

static void test_shapes(void **state) {
    Fixture *f = *state;
    check(f, "SELECT * FROM DIGITALTWINS T WHERE T.$dtId = 'room1'", SHOWN(f, NULL, "room1"));
    check(f, "SELECT T FROM DIGITALTWINS T WHERE T.$dtId = 'room1'", SHOWN(f, "T", "room1"));
    check(f, "SELECT name FROM DIGITALTWINS WHERE STARTSWITH($dtId, 'r')", "{'name':'R'}");
    check(f, "SELECT T.temp, T.$dtId AS id, nothing FROM DIGITALTWINS T WHERE NOT IS_OF_MODEL(T, 'dtmi:ex:Floor;1')",
          "{'id':'desk1'},{'id':'desk2'},{'temp':20,'id':'room1'}");
    check(f, "SELECT nothing FROM DIGITALTWINS WHERE $dtId = 'desk1'", "{}");
    check(f, "SELECT TOP(0) FROM DIGITALTWINS", "");
    check(f, "SELECT TOP(2) FROM DIGITALTWINS", SHOWN(f, NULL, "desk1", "desk2"));
    check(f, "SELECT COUNT() FROM DIGITALTWINS", "{'COUNT':4}");
    check(f, "SELECT COUNT(*) AS n FROM RELATIONSHIPS R WHERE R.$relationshipName = 'contains'", "{'n':2}");
    check(f, "SELECT COUNT() FROM DIGITALTWINS WHERE temp > 1000", "{'COUNT':0}");
    check(f, "SELECT TOP(0) COUNT() FROM DIGITALTWINS", "");
    check(f, "SELECT COUNT() FROM DIGITALTWINS T JOIN D RELATED T.contains", "{'COUNT':2}");
    check(f, "SELECT R.$targetId, $relationshipId FROM RELATIONSHIPS R WHERE $sourceId = 'room1'",
          "{'$targetId':'desk1','$relationshipId':'c1'},{'$targetId':'desk2','$relationshipId':'c2'}");
    check(f, "SELECT * FROM DIGITALTWINS WHERE temp != 5", SHOWN(f, NULL, "room1"));
    check(f, "SELECT $dtId FROM DIGITALTWINS WHERE NOT (temp = 20)", "");
    check(f, "SELECT $dtId FROM DIGITALTWINS WHERE temp = '20' OR name = 1 OR unknown < 3", "");
    check(f,
          "SELECT D.$dtId FROM DIGITALTWINS F JOIN R RELATED F.has JOIN D RELATED R.contains X "
          "WHERE F.$dtId = 'floor1' AND X.$relationshipId = 'c2'",
          "{'$dtId':'desk2'}");
}

// ---- extensions ---------------------------------------------------------------------------------------------------

#define FROM " FROM DIGITALTWINS "

// Without ORDER BY: models in order of upload, in each by creation. Undefined is less than any value.
static void test_order(void **state) {
    Fixture *f = *state;
    check(f, "SELECT $dtId" FROM, "{'$dtId':'p1'},{'$dtId':'p2'},{'$dtId':'p5'},{'$dtId':'p3'},{'$dtId':'p4'}");
    check(f, "SELECT $dtId, pop" FROM "ORDER BY pop",
          "{'$dtId':'p5'},{'$dtId':'p4'},{'$dtId':'p2','pop':3},{'$dtId':'p1','pop':5},{'$dtId':'p3','pop':8}");
    check(f, "SELECT $dtId" FROM "ORDER BY name DESC, pop DESC",
          "{'$dtId':'p4'},{'$dtId':'p2'},{'$dtId':'p3'},{'$dtId':'p1'},{'$dtId':'p5'}");
    check(f, "SELECT TOP(2) $dtId AS id, pop * -1 AS minus" FROM "WHERE IS_DEFINED(pop) ORDER BY minus",
          "{'id':'p3','minus':-8},{'id':'p1','minus':-5}");
    check(f, "SELECT T.$dtId" FROM "T WHERE T.open = true OR T.open = false ORDER BY T.open",
          "{'$dtId':'p2'},{'$dtId':'p1'}");
    check(f, "SELECT $relationshipId AS r FROM RELATIONSHIPS ORDER BY km, $relationshipId DESC",
          "{'r':'l'},{'r':'e'},{'r':'a'},{'r':'b'},{'r':'d'},{'r':'c'}");
}

static void test_distinct(void **state) {
    Fixture *f = *state;
    check(f, "SELECT DISTINCT name" FROM, "{},{'name':'A'},{'name':'B'},{'name':'C'}");
    check(f, "SELECT DISTINCT name" FROM "WHERE IS_DEFINED(name) ORDER BY name DESC",
          "{'name':'C'},{'name':'B'},{'name':'A'}");
    check(f, "SELECT TOP(1) DISTINCT km > 2 AS far FROM RELATIONSHIPS WHERE IS_DEFINED(km)", "{'far':false}");
    check(f, "SELECT DISTINCT b.$dtId" FROM "MATCH (a)-[:road*]->(b) WHERE a.$dtId = 'p2'",
          "{'$dtId':'p1'},{'$dtId':'p2'},{'$dtId':'p3'},{'$dtId':'p4'}");
    check(f, "SELECT DISTINCT b" FROM "MATCH (a)-[:road*]->(b) WHERE a.$dtId = 'p2' AND b.$dtId != 'p2'",
          SHOWN(f, "b", "p1", "p3", "p4"));
    check(f, "SELECT DISTINCT a.$dtId" FROM "MATCH (a)-[:road]-()",
          "{'$dtId':'p1'},{'$dtId':'p2'},{'$dtId':'p3'},{'$dtId':'p4'}");
}

static void test_aggregates(void **state) {
    Fixture *f = *state;
    check(f, "SELECT COUNT(), COUNT(pop) AS pops, SUM(pop), AVG(pop), MIN(pop), MAX(name), MIN(nothing) AS none" FROM,
          "{'COUNT':5,'pops':3,'SUM':16,'AVG':5.333333333333333,'MIN':3,'MAX':'C'}");
    check(f, "SELECT SUM(nothing), AVG(nothing), PERCENTILE(nothing, 50)" FROM, "{'SUM':0}");
    check(f,
          "SELECT PERCENTILE(km, 0) AS a, PERCENTILE(km, 50) AS b, PERCENTILE(km, 87.5) AS c, PERCENTILE(km, 100) AS d"
          " FROM RELATIONSHIPS",
          "{'a':1,'b':2.5,'c':7,'d':10}");
    check(f, "SELECT name, COUNT() AS n, SUM(pop) AS s" FROM "GROUP BY name",
          "{'n':1,'s':0},{'name':'A','n':2,'s':13},{'name':'B','n':1,'s':3},{'name':'C','n':1,'s':0}");
    check(f, "SELECT name" FROM "GROUP BY name HAVING COUNT() > 1 OR MAX(pop) = 3 ORDER BY SUM(pop) DESC",
          "{'name':'A'},{'name':'B'}");
    check(f, "SELECT name, COUNT() AS n" FROM "GROUP BY name HAVING n = 1 AND IS_DEFINED(name) ORDER BY n, name DESC",
          "{'name':'C','n':1},{'name':'B','n':1}");
    check(f, "SELECT T.$metadata.$model AS m, COUNT() AS n, MIN(T.temp)" FROM "T GROUP BY T.$metadata.$model",
          "{'m':'dtmi:ex:Place;1','n':3,'MIN':20.5},{'m':'dtmi:ex:Town;1','n':2,'MIN':-4}");
    check(f, "SELECT a.$dtId, COUNT() AS n, SUM(r.km) AS km" FROM "MATCH (a)-[r:road]->() GROUP BY a.$dtId ORDER BY km",
          "{'$dtId':'p2','n':1,'km':2.5},{'$dtId':'p3','n':2,'km':5},{'$dtId':'p1','n':2,'km':11}");
    check(f, "SELECT TOP(1) pop > 4 AS large, COUNT()" FROM "GROUP BY pop > 4 ORDER BY large DESC",
          "{'large':true,'COUNT':2}");
    check(f, "SELECT name, COUNT()" FROM "WHERE pop > 100 GROUP BY name", "");
    check(f, "SELECT MAX(share), COUNT(share)" FROM, "{'MAX':0.1,'COUNT':1}");
    check(f, "SELECT share, COUNT()" FROM "GROUP BY share HAVING IS_DEFINED(share)", "{'share':0.1,'COUNT':1}");
    check(f, "SELECT DISTINCT COUNT() AS n" FROM "GROUP BY name", "{'n':1},{'n':2}");
}

// Expressions as columns; maps, components, objects, floats and points.
static void test_projections(void **state) {
    Fixture *f = *state;
    check(f, "SELECT tags, tags.k, tags.[[a b]], clock.zone, share" FROM "WHERE $dtId = 'p1'",
          "{'tags':{'k':'x','a b':'y'},'k':'x','a b':'y','zone':'CET','share':0.1}");
    check(f, "SELECT UPPER(mayor), pop + 1, pop > 5 ? 'large' : 'small' AS size" FROM "WHERE $dtId = 'p3'",
          "{'UPPER(mayor)':'M','pop + 1':9,'size':'large'}");
    check(f, "SELECT $dtId" FROM "WHERE DISTANCE(at, POINT(13, 52.5)) < 60 'kilometre'",
          "{'$dtId':'p1'},{'$dtId':'p4'}");
    check(f, "SELECT $dtId" FROM "WHERE temp > 50 'degreeFahrenheit'", "{'$dtId':'p1'}");
    check(f, "SELECT $dtId, SUM(->road.pop) AS s" FROM "WHERE COUNT(<-road) > 0 AND COUNT(->road) < 2",
          "{'$dtId':'p2','s':8},{'$dtId':'p4','s':0}");
    check(f, "SELECT a.$dtId, R.km" FROM "a JOIN b RELATED a.road R WHERE R.km > b.pop", "{'$dtId':'p1','km':10}");
    refused(f, "SELECT *" FROM "WHERE temp > 5 'metre'", ERR_SYNTAX, "");
}

// A MATCH uses each relationship once; an alias that stands twice is one twin; either direction.
static void test_patterns(void **state) {
    Fixture *f = *state;
    check(f, "SELECT b.$dtId" FROM "MATCH (a)-[:road*..2]->(b) WHERE a.$dtId = 'p1'",
          "{'$dtId':'p2'},{'$dtId':'p3'},{'$dtId':'p3'},{'$dtId':'p1'},{'$dtId':'p4'}");
    check(f, "SELECT b.$dtId" FROM "MATCH (a)-[:road*3]->(b) WHERE a.$dtId = 'p1'",
          "{'$dtId':'p1'},{'$dtId':'p4'},{'$dtId':'p2'}");
    check(f,
          "SELECT x.$relationshipId AS x, y.$relationshipId AS y" FROM
          "MATCH (a)-[x:road]->(b)-[y]->(a) WHERE a.$dtId = 'p1'",
          "{'x':'a','y':'l'},{'x':'c','y':'d'}");
    check(f, "SELECT b.$dtId" FROM "MATCH (a)-[x]-(b) WHERE a.$dtId = 'p2'",
          "{'$dtId':'p1'},{'$dtId':'p3'},{'$dtId':'p1'}");
    check(f, "SELECT COUNT()" FROM "MATCH (a)-[:road]-(b)-[:road]-(a)", "{'COUNT':4}");
    check(f, "SELECT COUNT()" FROM "A JOIN B RELATED A.road R JOIN C RELATED A.road S WHERE A.$dtId = 'p1'",
          "{'COUNT':4}");
    check(f, "SELECT *" FROM "MATCH (a)-[r:link]->()",
          arena_printf(&f->arena, "{'a':%s,'r':%s}", SHOWN(f, NULL, "p2"), SHOWN(f, NULL, "p2/l")).p);
    check(f, "SELECT a.$dtId" FROM "MATCH (a) WHERE a.pop > 4", "{'$dtId':'p1'},{'$dtId':'p3'}");
    check(f, "SELECT COUNT()" FROM "MATCH (a)-[*..1000]->(b) WHERE a.$dtId = 'p5'", "{'COUNT':0}");
    check(f, "SELECT x.$dtId AS x, y.$dtId AS y" FROM "MATCH (x)-[:road]->(m)<-[:road]-(y) WHERE m.$dtId = 'p3'",
          "{'x':'p1','y':'p2'},{'x':'p2','y':'p1'}");
}

static void test_shortest(void **state) {
    Fixture *f = *state;
    check(f, "SELECT p" FROM "MATCH p = SHORTEST (a)-[:road*]->(b) WHERE a.$dtId = 'p1' AND b.$dtId = 'p4'",
          "{'p':{'length':2,'twins':['p1','p3','p4'],'relationships':[{'$sourceId':'p1','$relationshipId':'c'},"
          "{'$sourceId':'p3','$relationshipId':'e'}]}}");
    check(f,
          "SELECT b.$dtId, p.length" FROM
          "MATCH p = SHORTEST (a)-[*]-(b) WHERE a.$dtId = 'p4' ORDER BY length DESC, b.$dtId",
          "{'$dtId':'p1','length':2},{'$dtId':'p2','length':2},{'$dtId':'p3','length':1}");
    check(f, "SELECT a.$dtId AS a, b.$dtId AS b" FROM "MATCH p = SHORTEST (a)<-[:road*..2]-(b) WHERE p.length = 2",
          "{'a':'p1','b':'p2'},{'a':'p2','b':'p3'},{'a':'p4','b':'p1'},{'a':'p4','b':'p2'}");
    check(f, "SELECT p.length AS n, COUNT()" FROM "MATCH p = SHORTEST (a)-[:road*]->(b) GROUP BY p.length HAVING n < 3",
          "{'n':1,'COUNT':5},{'n':2,'COUNT':4}");
    check(f, "SELECT COUNT()" FROM "MATCH SHORTEST (a)-[*]-(b) WHERE a.$dtId = 'p5'", "{'COUNT':0}");
    // Of several shortest paths the one whose relationships are oldest: a, b before c, d would be as long.
    check(f, "SELECT p.length AS n, p" FROM "MATCH p = SHORTEST (a)-[*]-(b) WHERE a.$dtId = 'p2' AND b.$dtId = 'p1'",
          "{'n':1,'p':{'length':1,'twins':['p2','p1'],'relationships':[{'$sourceId':'p1','$relationshipId':'a'}]}}");
}

// Values of models that give one property different units meet in that of the first; others are refused.
static void test_units(void **state) {
    Fixture *f = *state;
    put(f, IMPORT_TWINS, "{'$dtId':'s1','$metadata':{'$model':'dtmi:ex:Shed;1'},'temp':50,'pop':4}");
    check(f, "SELECT $dtId, temp" FROM "WHERE temp > 5 'degreeCelsius'",
          "{'$dtId':'s1','temp':50},{'$dtId':'p1','temp':20.5}");
    check(f, "SELECT MAX(temp), MIN(temp), SUM(pop)" FROM, "{'MAX':68.9,'MIN':24.8,'SUM':20}");
    check(f, "SELECT $dtId, temp" FROM "WHERE IS_DEFINED(temp) ORDER BY temp",
          "{'$dtId':'p3','temp':24.8},{'$dtId':'s1','temp':50},{'$dtId':'p1','temp':68.9}");
    check(f, "SELECT temp > 0, COUNT() AS n" FROM "WHERE IS_OF_MODEL('dtmi:ex:Place;1') GROUP BY temp > 0 HAVING n < 3",
          "{'temp > 0':false,'n':1},{'temp > 0':true,'n':1}");
    check(f, "SELECT MAX(T.temp)" FROM "T WHERE IS_OF_MODEL(T, 'dtmi:ex:Place;1')", "{'MAX':20.5}");
    refused(f, "SELECT SUM(name)" FROM, ERR_SYNTAX, "this is no number");
    refused(f, "SELECT AVG(AGE(temp))" FROM, ERR_SYNTAX, "SECONDS(x)");
    check(f, "SELECT SUM(nothing)" FROM, "{'SUM':0}");
    check(f, "SELECT COUNT()" FROM "WHERE IS_OBJECT($metadata) AND IS_DEFINED($metadata.temp)", "{'COUNT':3}");
    check(f, "SELECT LENGTH($metadata) AS n, LENGTH($metadata.temp) AS m" FROM "WHERE $dtId = 's1'", "{'n':4,'m':1}");
    refused(f, "SELECT SUM(temp * temp)" FROM, ERR_SYNTAX, "made of other units in model dtmi:ex:Shed;1");
    check(f, "SELECT SUM(temp * temp)" FROM "WHERE IS_OF_MODEL('dtmi:ex:Shed;1')", "{'SUM':2500}");
    // p3 is at -4 degrees Celsius, p1 at 20.5, the shed at 50 Fahrenheit.
    put(f, IMPORT_LINKS, "{'$sourceId':'p3','$relationshipId':'u1','$relationshipName':'road','$targetId':'p1'}");
    put(f, IMPORT_LINKS, "{'$sourceId':'p3','$relationshipId':'u2','$relationshipName':'road','$targetId':'s1'}");
    check(f, "SELECT ROUND(b.temp - a.temp, 6) AS d" FROM "MATCH (a)-[r]->(b) WHERE STARTSWITH(r.$relationshipId, 'u')",
          "{'d':24.5},{'d':25.2}");
    check(f, "SELECT MAX(ROUND(b.temp - a.temp, 6))" FROM "MATCH (a)-[r]->(b) WHERE STARTSWITH(r.$relationshipId, 'u')",
          "{'MAX':44.1}");
    put(f, IMPORT_TWINS, "{'$dtId':'room1','$metadata':{'$model':'dtmi:ex:Room;1'},'temp':1}");
    refused(f, "SELECT MAX(temp)" FROM, ERR_SYNTAX, "without unit in dtmi:ex:Room;1");
    check(f, "SELECT MAX(temp)" FROM "WHERE NOT IS_OF_MODEL('dtmi:ex:Room;1')", "{'MAX':68.9}");
    check(f, "SELECT MAX(temp), COUNT(temp)" FROM "WHERE IS_OF_MODEL('dtmi:ex:Room;1')", "{'MAX':1,'COUNT':1}");
    put(f, IMPORT_TWINS, "{'$dtId':'pipe1','$metadata':{'$model':'dtmi:ex:Pipe;1'},'temp':1}");
    refused(f, "SELECT *" FROM "WHERE NOT IS_OF_MODEL('dtmi:ex:Room;1') ORDER BY temp", ERR_SYNTAX, "in metre");
    check(f, "SELECT COUNT(temp)" FROM, "{'COUNT':5}");
}

// ---- pages, limits, plans -----------------------------------------------------------------------------------------

static void test_pages(void **state) {
    Fixture *f = *state;
    Query *q;
    QueryCursor *c;
    View v;
    QueryOptions o = {.now = NOW};
    Buf b = {0};
    int64_t rows;
    bool more;
    assert_int_equal(query_parse(&f->arena, STR("SELECT $dtId AS i" FROM "ORDER BY $dtId"), &q, NULL), ERR_OK);
    for (int naive = 0; naive < 2; naive++) {
        o.naive = naive;
        buf_reset(&b);
        view_begin(&v, f->w);
        assert_int_equal(query_open(q, &v, &o, &c, NULL), ERR_OK);
        assert_true(query_estimate(c, 10) >= 0);
        assert_int_equal(query_next(c, 2, &b, &rows, &more, NULL), ERR_OK);
        assert_true(rows == 2 && more);
        assert_true(str_eq(buf_str(&b), STR("{\"i\":\"p1\"},{\"i\":\"p2\"}")));
        assert_int_equal(query_next(c, 1, NULL, &rows, &more, NULL), ERR_OK);
        assert_true(rows == 1 && more);
        buf_reset(&b);
        assert_int_equal(query_next(c, 2, &b, &rows, &more, NULL), ERR_OK);
        assert_true(rows == 2 && !more);
        assert_true(str_eq(buf_str(&b), STR("{\"i\":\"p4\"},{\"i\":\"p5\"}")));
        QueryStats s = query_stats(c);
        assert_int_equal(s.rows_out, 5);
        assert_true(s.rows_looked_at >= 5);
        query_close(c);
        view_end(&v);
    }
    buf_free(&b);
}

static void test_limits(void **state) {
    Fixture *f = *state;
    Buf b = {0};
    Diag d;
    diag_init(&d);
    QueryOptions o = {.now = NOW, .limits.rows = 3};
    assert_int_equal(answer(f, "SELECT COUNT() FROM DIGITALTWINS WHERE pop > 1", &o, &b, &d), ERR_BUDGET);
    assert_true(d.messages[0].text.n > 20);
    diag_free(&d);
    buf_free(&b);
}

static void test_explain(void **state) {
    Fixture *f = *state;
    Query *q;
    QueryCursor *c;
    View v;
    QueryOptions o = {.now = NOW};
    Buf b = {0}, plan = {0};
    Json json;
    int64_t rows;
    bool more;
    Str text = STR("EXPLAIN SELECT b.$dtId, nmae" FROM "a JOIN b RELATED a.road WHERE a.$dtId = 'p1' AND b.pop > 2");
    assert_int_equal(query_parse(&f->arena, text, &q, NULL), ERR_SYNTAX);
    text = STR("EXPLAIN SELECT b.$dtId, b.nmae" FROM "a JOIN b RELATED a.road WHERE a.$dtId = 'p1' AND b.pop > 2");
    assert_int_equal(query_parse(&f->arena, text, &q, NULL), ERR_OK);
    assert_true(q->explain);
    view_begin(&v, f->w);
    assert_int_equal(query_open(q, &v, &o, &c, NULL), ERR_OK);
    assert_int_equal(query_next(c, 10, &b, &rows, &more, NULL), ERR_OK);
    query_explain(c, &plan);
    assert_int_equal(json_parse(buf_str(&plan), NULL, &f->arena, &json, NULL), ERR_OK);
    const Json *steps = json_get(&json, STR("plan"));
    assert_true(steps && steps->type == JSON_ARRAY && steps->count >= 1);
    assert_non_null(json_get(&steps->items[0], STR("estimated_rows")));
    assert_true(json_get(&json, STR("text"))->s.n > 0);
    buf_reset(&plan);
    query_notes(c, &plan);
    assert_true(str_find_str(buf_str(&plan), STR("nmae")) > 0);
    assert_true(str_find_str(buf_str(&plan), STR("name")) > 0);
    query_close(c);
    view_end(&v);
    buf_free(&b);
    buf_free(&plan);
}

#define IN_ROOMS(test) cmocka_unit_test_setup_teardown(test, open_rooms, close_world)
#define IN_PLACES(test) cmocka_unit_test_setup_teardown(test, open_places, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_ROOMS(test_worked_examples), IN_ROOMS(test_shapes),       IN_PLACES(test_order),    IN_PLACES(test_distinct),
        IN_PLACES(test_aggregates),     IN_PLACES(test_projections), IN_PLACES(test_patterns), IN_PLACES(test_shortest),
        IN_PLACES(test_units),          IN_PLACES(test_pages),       IN_PLACES(test_limits),   IN_PLACES(test_explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
