// SPDX-License-Identifier: Apache-2.0
// What query_parse makes of texts: patterns, names, columns, and errors with their places.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "codec/json.h"
#include "query/query.h"

static Arena arena;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static Query *parse(const char *text) {
    Query *q = NULL;
    Diag d;
    diag_init(&d);
    if (query_parse(&arena, str_of(text), &q, &d) != ERR_OK) {
        Buf b = {0};
        diag_print(&d, &b);
        fail_msg("%s\n  at %lld: %.*s", text, (long long)d.messages[0].at, STR_ARG(buf_str(&b)));
    }
    diag_free(&d);
    return q;
}

#define ASSERT_STR(s, z)                                                                                               \
    do {                                                                                                               \
        Str s_ = (s);                                                                                                  \
        assert_int_equal(s_.n, (int64_t)strlen(z));                                                                    \
        assert_memory_equal(s_.p ? s_.p : "", z, strlen(z));                                                           \
    } while (0)

// The query fails; the message's span is `bad` where it first stands at or after `from`, and it holds `part`.
static void check_error(const char *text, const char *bad, const char *part) {
    Query *q = NULL;
    Diag d;
    diag_init(&d);
    Err e = query_parse(&arena, str_of(text), &q, &d);
    if (e == ERR_OK) fail_msg("parses: %s", text);
    const DiagMessage *m = &d.messages[0];
    assert_int_equal(d.count, 1);
    if (m->at < 0 || m->end < m->at || m->end > (int64_t)strlen(text)) {
        fail_msg("%s: span %lld..%lld", text, (long long)m->at, (long long)m->end);
    }
    Str at = {text + m->at, m->end - m->at};
    if (!str_eq(at, str_of(bad)) || str_find_str(m->text, str_of(part)) < 0) {
        fail_msg("%s\n  at '%.*s' (wanted '%s'): %.*s", text, STR_ARG(at), bad, STR_ARG(m->text));
    }
    diag_free(&d);
}

// ---- shapes -------------------------------------------------------------------------------------------------------

static void test_select(void **state) {
    (void)state;
    Query *q = parse("SELECT * FROM DIGITALTWINS");
    assert_true(q->star && q->from == QUERY_TWINS && q->top == -1 && !q->aggregated);
    assert_int_equal(q->alias_count, 1);
    assert_int_equal(q->aliases[0].name.n, 0);
    q = parse("select top ( 5 ) from DigitalTwins t where t.x = 1;");
    assert_true(q->star && q->top == 5 && q->where);
    ASSERT_STR(q->aliases[0].name, "t");
    q = parse("EXPLAIN SELECT DISTINCT T.name AS n, T, T.a.[[b c]], T.list[0], UPPER(T.x) FROM DIGITALTWINS AS T");
    assert_true(q->explain && q->distinct && !q->star);
    assert_int_equal(q->column_count, 5);
    ASSERT_STR(q->columns[0].name, "n");
    ASSERT_STR(q->columns[1].name, "T");
    assert_int_equal(q->columns[1].alias, 0);
    assert_int_equal(q->columns[0].alias, -1);
    ASSERT_STR(q->columns[2].name, "b c");
    ASSERT_STR(q->columns[3].name, "list");
    ASSERT_STR(q->columns[4].name, "UPPER(T.x)");
    q = parse("SELECT r, $sourceId FROM relationships r");
    assert_int_equal(q->from, QUERY_LINKS);
    assert_int_equal(q->aliases[0].kind, EXPR_LINK);
    q = parse("SELECT a, [[top]] FROM DIGITALTWINS [[WHERE]] WHERE [[WHERE]].x");
    ASSERT_STR(q->aliases[0].name, "WHERE");
    ASSERT_STR(q->columns[1].name, "top");
}

// Aliases, edges and hops as one line.
static const char *pattern(const char *text) {
    const Query *q = parse(text);
    Buf b = {0};
    for (int32_t i = 0; i < q->edge_count; i++) {
        const QueryEdge *e = &q->edges[i];
        Str from = q->aliases[e->from].name, to = q->aliases[e->to].name;
        buf_printf(&b, "%s%.*s %s[%.*s", i ? "; " : "", STR_ARG(from), e->out ? "-" : "<",
                   e->link < 0 ? 1 : (int)q->aliases[e->link].name.n, e->link < 0 ? "~" : q->aliases[e->link].name.p);
        for (int32_t k = 0; k < e->rel_count; k++) buf_printf(&b, "%c%.*s", k ? '|' : ':', STR_ARG(e->rels[k]));
        buf_printf(&b, " %d..%d]%s %.*s", e->min, e->max, !e->out ? "-" : e->in ? "-" : ">", STR_ARG(to));
    }
    buf_byte(&b, 0);
    Str kept = arena_str(&arena, buf_str(&b));
    buf_free(&b);
    return kept.p;
}

static void test_patterns(void **state) {
    (void)state;
#define MATCH(p) "SELECT a FROM DIGITALTWINS MATCH " p
    assert_string_equal(pattern(MATCH("(a)-[r:x|y]->(b)<-[:z]-(c)-[]-(a)")),
                        "a -[r:x|y 1..1]> b; b <[:z 1..1]- c; c -[ 1..1]- a");
    assert_string_equal(pattern(MATCH("(a)-[r]->()")), "a -[r 1..1]> ");
    assert_string_equal(pattern(MATCH("(a)-[x|y*..3]->(b)")), "a -[~:x|y 1..3]> b");
    assert_string_equal(pattern(MATCH("(a)-[x*]-(b)")), "a -[~:x 1..10]- b");
    assert_string_equal(pattern(MATCH("(a)-[:x*2]->(b)")), "a -[~:x 2..2]> b");
    assert_string_equal(pattern(MATCH("(a)-[*1..3]->(b)")), "a -[~ 2..3]> b");
    assert_string_equal(pattern(MATCH("(a)-[ * 4 .. ]->(b)")), "a -[~ 5..10]> b");
    assert_string_equal(pattern(MATCH("(a)-[*1]->(b)")), "a -[ 1..1]> b");
    assert_string_equal(pattern(MATCH("(a)-[*..1000]->(b)")), "a -[~ 1..1000]> b");
    assert_string_equal(pattern(MATCH("( a ) - [ r : [[a b]] | select ] -> ( b )")), "a -[r:a b|select 1..1]> b");
    const Query *q = parse(MATCH("(a)"));
    assert_true(q->matched && q->edge_count == 0 && q->alias_count == 1);
    assert_string_equal(pattern("SELECT T, C FROM DIGITALTWINS T JOIN C RELATED T.[[has it]] R JOIN D RELATED C.in "
                                "JOIN E RELATED T.match S"),
                        "T -[R:has it 1..1]> C; C -[:in 1..1]> D; T -[S:match 1..1]> E");
}

static void test_shortest(void **state) {
    (void)state;
    const Query *q = parse(MATCH("p = SHORTEST (a)-[x*..7]-(b)"));
    assert_true(q->shortest && q->edges[0].max == 7 && q->edges[0].link == -1);
    ASSERT_STR(q->shortest_name, "p");
    q = parse("SELECT p, p.length, a.$dtId FROM DIGITALTWINS MATCH p = shortest (a)-[*]->(b) WHERE p.length > 2 "
              "ORDER BY p.length DESC");
    assert_int_equal(q->edges[0].max, QUERY_HOPS_MAX);
    assert_true(q->columns[0].path && !q->columns[1].path && q->columns[1].expr->op == EX_SLOT);
    ASSERT_STR(q->columns[1].name, "length");
    assert_int_equal(q->orders[0].column, 1);
    assert_int_equal(q->where->args[0]->op, EX_SLOT);
    assert_true(parse(MATCH("SHORTEST (a)-[*1]->(b)"))->shortest);
    q = parse("SELECT p.length, COUNT() FROM DIGITALTWINS MATCH p = SHORTEST (a)-[*]->(b) GROUP BY p.length "
              "HAVING p.length + 1 > 2");
    assert_int_equal(q->columns[0].group, 0);
    assert_int_equal(q->having->args[0]->args[0]->value.i, 0);
    q = parse("SELECT * FROM DIGITALTWINS MATCH p = SHORTEST (a)-[*]->()");
    assert_int_equal(q->column_count, 2);
    assert_true(!q->star && q->columns[1].path);
}

static void test_groups(void **state) {
    (void)state;
    const Query *q = parse("SELECT kind, COUNT(), SUM(T.x + 1) AS s, PERCENTILE(x, 99.5) FROM DIGITALTWINS T "
                           "GROUP BY T.kind, floor HAVING count() > 1 AND MAX(x) < s ORDER BY floor, AVG(x) DESC, "
                           "s / COUNT(*), kind");
    assert_true(q->aggregated);
    assert_int_equal(q->column_count, 4);
    assert_int_equal(q->columns[0].group, 0);
    assert_int_equal(q->columns[1].agg, AGG_COUNT);
    assert_null(q->columns[1].expr);
    ASSERT_STR(q->columns[1].name, "COUNT");
    assert_int_equal(q->columns[2].agg, AGG_SUM);
    assert_int_equal((int)(q->columns[3].percent * 10), 995);
    // Hidden: MAX(x), the group floor, AVG(x).
    assert_int_equal(q->hidden_count, 3);
    assert_int_equal(q->columns[4].agg, AGG_MAX);
    assert_int_equal(q->columns[5].group, 1);
    assert_int_equal(q->columns[6].agg, AGG_AVG);
    const Expr *having = q->having;
    assert_int_equal(having->args[0]->args[0]->op, EX_SLOT);
    assert_int_equal(having->args[0]->args[0]->value.i, 1);
    assert_int_equal(having->args[1]->args[0]->value.i, 4);
    assert_int_equal(having->args[1]->args[1]->value.i, 2);
    assert_int_equal(q->orders[0].column, 5);
    assert_true(q->orders[1].column == 6 && q->orders[1].descending);
    assert_int_equal(q->orders[2].column, -1);
    assert_int_equal(q->orders[2].expr->args[1]->value.i, 1);
    assert_int_equal(q->orders[3].column, 0);
    assert_null(q->orders[3].expr);
    assert_true(parse("SELECT x FROM DIGITALTWINS GROUP BY x")->aggregated);
    assert_int_equal(parse("SELECT COUNT(x) AS n FROM RELATIONSHIPS")->columns[0].agg, AGG_COUNT);
    // A graph aggregate is a value of a row.
    q = parse("SELECT COUNT(->has), GREATEST(x, y) AS m FROM DIGITALTWINS");
    assert_false(q->aggregated);
}

static void test_order(void **state) {
    (void)state;
    const Query *q = parse("SELECT T.a AS x, T.b FROM DIGITALTWINS T ORDER BY x ASC, b DESC, T.b, T.c + 1, T.$dtId");
    assert_int_equal(q->orders[0].column, 0);
    assert_true(q->orders[1].column == 1 && q->orders[1].descending);
    assert_int_equal(q->orders[2].column, 1);
    assert_true(q->orders[3].column == -1 && q->orders[3].expr);
    q = parse("SELECT DISTINCT T, a + b FROM DIGITALTWINS T ORDER BY a+ b, T");
    assert_true(q->orders[0].column == 1 && q->orders[1].column == 0);
    assert_false(parse("SELECT DISTINCT * FROM DIGITALTWINS ORDER BY x")->distinct);
}

static void test_leniency(void **state) {
    (void)state;
    assert_string_equal(pattern("SELECT r, t FROM DIGITALTWINS\\n   MATCH (s)<-[r]-(t)\\tWHERE s.$dtId = 'a\\nb'"),
                        "s <[r 1..1]- t");
    const Query *q = parse("SELECT * FROM DIGITALTWINS WHERE name = 'a\\nb -- [[' AND NOT NOT on -- note 'x\n;");
    ASSERT_STR(q->where->args[0]->args[1]->value.s, "a\\nb -- [[");
    q = parse("SELECT _ FROM DIGITALTWINS _ WHERE _.$metadata.$model = 'x'");
    assert_int_equal(q->columns[0].alias, 0);
    ASSERT_STR(parse("SELECT COUNT ( * ) AS count FROM DIGITALTWINS")->columns[0].name, "count");
    assert_int_equal(parse("SELECT sensor FROM DIGITALTWINS building")->columns[0].alias, -1);
    ASSERT_STR(parse("SELECT MATCHED.x FROM DIGITALTWINS MATCHED")->aliases[0].name, "MATCHED");
    parse("SELECT where_, T.where, T.select.from FROM DIGITALTWINS T");
    parse("SELECT T FROM DIGITALTWINS T JOIN B RELATED T.has WHERE IS_OF_MODEL(T, 'dtmi:x;1', exact)");
    parse("SELECT COUNT(a->has, R.x + b.y WHERE z > 1) AS n FROM DIGITALTWINS MATCH (a)-[]->(b)");
}

// ---- errors -------------------------------------------------------------------------------------------------------

static void test_misspelt_words(void **state) {
    (void)state;
    check_error("SELEC * FROM DIGITALTWINS", "SELEC", "did you mean SELECT?");
    check_error("SELECT * FORM DIGITALTWINS", "FORM", "did you mean FROM?");
    check_error("SELECT T FORM DIGITALTWINS T", "FORM", "did you mean FROM?");
    check_error("SELECT * FROM DIGITALTWIN", "DIGITALTWIN", "did you mean DIGITALTWINS?");
    check_error("SELECT * FROM RELATIONSHIP", "RELATIONSHIP", "did you mean RELATIONSHIPS?");
    check_error("SELECT * FROM DIGITALTWINS WHER x = 1", "WHER", "did you mean WHERE?");
    check_error("SELECT * FROM DIGITALTWINS T WEHRE x = 1", "WEHRE", "did you mean WHERE?");
    check_error("SELECT * FROM DIGITALTWINS MTACH (a)-[]->(b)", "MTACH", "did you mean MATCH?");
    check_error("SELECT * FROM DIGITALTWINS T JOIN B RELATD T.has", "RELATD", "did you mean RELATED?");
    check_error("SELECT * FROM DIGITALTWINS WHERE x = 1 ADN y = 2", "ADN", "did you mean AND?");
    check_error("SELECT * FROM DIGITALTWINS WHERE x = 1 ODER BY y", "ODER", "did you mean ORDER?");
    check_error("SELECT * FROM DIGITALTWINS ORDER y", "y", "expected BY");
    check_error("SELECT * FROM DIGITALTWINS LIMIT 5", "LIMIT", "TOP(n)");
    check_error("SELECT name FROM DIGITALTWINS ORDER BY name, 2", "2", "not by its number");
    check_error("SELECT * FROM DIGITALTWINS WHERE name LIKE 'a%'", "LIKE", "LIKE(name, 'pump-%')");
    check_error("SELECT b FROM DIGITALTWINS MATCH (building)-[]->(b) WHERE bilding.x = 1", "bilding",
                "did you mean building?");
    check_error("SELECT room FROM DIGITALTWINS T JOIN rooms RELATED T.has", "room", "did you mean rooms?");
    check_error("SELECT T FROM DIGITALTWINS T JOIN B RELATED T.has WHERE temperature > 1", "temperature",
                "write T.temperature");
}

static void test_bad_clauses(void **state) {
    (void)state;
    check_error("", "", "expected SELECT");
    check_error("SELECT", "", "expected a value");
    check_error("SELECT FROM DIGITALTWINS", "FROM", "keyword FROM");
    check_error("SELECT *", "", "expected FROM but the query ends here");
    check_error("SELECT * FROM DIGITALTWINS T, DIGITALTWINS U", ",", "expected the end of the query");
    check_error("SELECT TOP(x) * FROM DIGITALTWINS", "x", "expected a number of rows");
    check_error("SELECT TOP 5 * FROM DIGITALTWINS", "TOP", "TOP(5)");
    check_error("SELECT x AS FROM DIGITALTWINS", "FROM", "a name for the column");
    ASSERT_STR(parse("SELECT x AS from FROM DIGITALTWINS")->columns[0].name, "from");
    check_error("SELECT * FROM DIGITALTWINS WHERE x IS NULL", "IS", "IS_NULL(x)");
    check_error("SELECT * FROM DIGITALTWINS WHERE x BETWEEN 1 AND 2", "BETWEEN", "x >= 1 AND x <= 5");
    check_error("SELECT DISTINCT TOP(2) x FROM DIGITALTWINS", "TOP", "before DISTINCT");
    check_error("SELECT *, x FROM DIGITALTWINS", ",", "expected FROM");
    check_error("SELECT * FROM DIGITALTWINS WHERE", "", "expected a value");
    check_error("SELECT * FROM DIGITALTWINS WHERE x = 'a", "'a", "no end");
    check_error("SELECT * FROM DIGITALTWINS WHERE x = 1 HAVING y", "HAVING", "behind GROUP BY");
    check_error("SELECT * FROM DIGITALTWINS; SELECT", "SELECT", "expected the end");
    check_error("SELECT * FROM RELATIONSHIPS R JOIN T RELATED R.x", "JOIN", "DIGITALTWINS");
    check_error("SELECT * FROM RELATIONSHIPS MATCH (a)", "MATCH", "DIGITALTWINS");
    check_error("SELECT * FROM DIGITALTWINS T MATCH (a)", "MATCH", "leave out the alias");
    check_error("SELECT * FROM DIGITALTWINS MATCH (a) JOIN B RELATED a.x", "JOIN", "add an edge");
    check_error("SELECT * FROM DIGITALTWINS JOIN B RELATED T.x", "JOIN", "an alias before JOIN");
    check_error("SELECT T FROM DIGITALTWINS T JOIN T RELATED T.x", "T", "taken already");
    check_error("SELECT T FROM DIGITALTWINS T JOIN B RELATED U.x", "U", "no alias U");
    check_error("SELECT T FROM DIGITALTWINS T JOIN B RELATED B.x", "B", "not a twin that stands before");
    check_error("SELECT T FROM DIGITALTWINS T JOIN B RELATED T.x R JOIN C RELATED R.x", "R", "not a twin");
    check_error("SELECT T FROM DIGITALTWINS T JOIN B RELATED T", "", "a dot");
    check_error("SELECT T FROM DIGITALTWINS T JOIN B RELATED T.x T", "T", "taken already");
}

static void test_bad_patterns(void **state) {
    (void)state;
    check_error(MATCH("(a"), "", "expected )");
    check_error(MATCH("(a:Room)"), ":", "IS_OF_MODEL");
    check_error(MATCH("(a)-(b)"), "(", "expected [");
    check_error(MATCH("(a)-->(b)"), "--", "-[]->");
    check_error(MATCH("(a)--(b)"), "--", "-[]-");
    assert_int_equal(parse(MATCH("(a)-- ends here"))->edge_count, 0);
    check_error(MATCH("(a)-[r](b)"), "(", "expected - behind");
    check_error(MATCH("(a)<-[r]->(b)"), "(", "one arrow");
    check_error(MATCH("(a)-[r*2]->(b)") " WHERE r.x = 1", "r", "no alias r");
    check_error(MATCH("(a)-[r:x*2]->(b)"), "r", "leave out r");
    check_error(MATCH("(a)-[*3..3]->(b)"), "3..3", "lower bound does not count");
    check_error(MATCH("(a)-[*10..]->(b)"), "10..", "more than 10 and up to 10");
    check_error(MATCH("(a)-[*0]->(b)"), "0", "at least one hop");
    check_error(MATCH("(a)-[*..1001]->(b)"), "1001", "at most 1000 hops");
    check_error(MATCH("(a)-[*1.5]->(b)"), "1.5", "a number of hops");
    check_error(MATCH("(a)-[r]->(b)-[r]->(c)"), "r", "taken already");
    check_error(MATCH("(a)-[r]->(r)"), "r", "relationship already");
    check_error(MATCH("(a)-[:]->(r)"), "]", "name of a relationship");
    check_error(MATCH("p = SHORTEST (a)-[*]->(b)-[]->(c)"), "(a)-[*]->(b)-[]->(c)", "one relationship");
    check_error(MATCH("p = SHORTEST (a)-[*]->(a)"), "(a)-[*]->(a)", "different twins");
    check_error(MATCH("p = SHORTEST (a)-[*2..3]->(b)"), "(a)-[*2..3]->(b)", "no lower bound");
    check_error(MATCH("p = (a)-[*]->(b)"), "(", "expected SHORTEST");
    check_error(MATCH("a = SHORTEST (a)-[*]->(b)"), "a", "name of the path");
    check_error("SELECT p.twins FROM DIGITALTWINS MATCH p = SHORTEST (a)-[*]->(b)", "p.twins", "p.length");
    check_error("SELECT * FROM DIGITALTWINS MATCH ()-[]->()", "SELECT * FROM DIGITALTWINS MATCH ()-[]->()",
                "nothing to show");
}

static void test_bad_names(void **state) {
    (void)state;
#define FROM " FROM DIGITALTWINS T"
    check_error("SELECT T.name, T.a.name" FROM, "T.a.name", "two columns are named name");
    check_error("SELECT SUM(x), SUM(y)" FROM, "SUM(y)", "AS");
    check_error("SELECT x, COUNT()" FROM, "x", "neither an aggregate");
    check_error("SELECT T, COUNT()" FROM " GROUP BY x", "T", "neither an aggregate");
    check_error("SELECT *" FROM " GROUP BY x", "x", "name columns");
    check_error("SELECT COUNT()" FROM " GROUP BY T", "T", "T.$dtId");
    check_error("SELECT COUNT()" FROM " GROUP BY SUM(x)", "SUM(x)", "no aggregates");
    check_error("SELECT SUM(x) + 1 AS y" FROM, "SUM(x)", "stands alone");
    check_error("SELECT SUM(SUM(x))" FROM, "SUM(x)", "stands alone");
    check_error("SELECT *" FROM " WHERE COUNT() > 1", "COUNT()", "stands alone");
    check_error("SELECT SUM()" FROM, "SUM()", "takes one value");
    assert_int_equal(parse("SELECT COUNT(a, 1h), PERCENTILE(a, 5, 1h)" FROM)->aggregated, false); // of the past
    check_error("SELECT DISTINCT p FROM DIGITALTWINS MATCH p = SHORTEST (a)-[*]->(b)", "p", "no DISTINCT");
    check_error("SELECT PERCENTILE(x)" FROM, "PERCENTILE(x)", "a value and a number");
    check_error("SELECT PERCENTILE(x, 101)" FROM, "101", "from 0 to 100");
    check_error("SELECT PERCENTILE(x, y)" FROM, "y", "from 0 to 100");
    check_error("SELECT x" FROM " GROUP BY x HAVING y > 1", "y", "HAVING can speak of y only");
    check_error("SELECT x" FROM " GROUP BY x ORDER BY T.y", "T.y", "ORDER BY can speak of T.y only");
    check_error("SELECT x" FROM " GROUP BY x HAVING COUNT(->has) > 1", "COUNT(->has)", "groups");
    check_error("SELECT *" FROM " ORDER BY T", "T", "T.$dtId");
    check_error("SELECT *" FROM " ORDER BY COUNT()", "COUNT()", "no");
    check_error("SELECT DISTINCT x" FROM " ORDER BY y", "y", "takes its columns");
    check_error("SELECT a" FROM "1 JOIN B RELATED T1.x WHERE COUNT(->has) > 1", "a", "no alias a");
    check_error("SELECT B" FROM "1 JOIN B RELATED T1.x WHERE COUNT(->has) > 1", "COUNT(->has)", "whose");
    check_error("SELECT B" FROM "1 JOIN B RELATED T1.x R WHERE COUNT(R->has) > 1", "COUNT(R->has)", "only a twin");
    check_error("SELECT B" FROM "1 JOIN B RELATED T1.x WHERE IS_OF_MODEL('dtmi:a;1')", "IS_OF_MODEL('dtmi:a;1')",
                "which twin");
}

static void test_error_text(void **state) {
    (void)state;
    Query *q;
    Diag d;
    Buf b = {0};
    const char *text = "SELECT *\n  FROM DIGITALTWINS\n  WERE x";
    diag_init(&d);
    assert_int_equal(query_parse(&arena, str_of(text), &q, &d), ERR_SYNTAX);
    query_error_text(str_of(text), &d, &b);
    assert_true(str_starts(buf_str(&b),
                           STR("SQL query parse failed: SQL Parser Error, Line=3, Position=2, Message=expected ")));
    diag_free(&d);
    diag_init(&d);
    char *large = arena_alloc(&arena, 1, EXPR_TEXT_MAX + 1, 1);
    memset(large, ' ', EXPR_TEXT_MAX + 1);
    assert_int_equal(query_parse(&arena, (Str){large, EXPR_TEXT_MAX + 1}, &q, &d), ERR_LIMIT);
    diag_free(&d);
    assert_int_equal(query_parse(&arena, STR("SELECT \xff"), &q, NULL), ERR_SYNTAX);
    buf_free(&b);
}

// More twins and relationships than QUERY_ALIASES_MAX are refused, as many are not.
static void test_alias_limit(void **state) {
    (void)state;
    for (int n = 31; n <= 32; n++) { // n edges: n + 1 twins and n relationships
        Buf b = {0};
        Query *q;
        buf_printf(&b, "SELECT a FROM DIGITALTWINS MATCH (a)");
        for (int i = 0; i < n; i++) buf_printf(&b, "-[]->()");
        assert_int_equal(query_parse(&arena, buf_str(&b), &q, NULL), n == 31 ? ERR_OK : ERR_LIMIT);
        buf_free(&b);
    }
}

// ---- the corpus ---------------------------------------------------------------------------------------------------

// Every query that other makers' tests hold parses.
static void test_corpus(void **state) {
    (void)state;
    const char *root = getenv("SOSIA_DATA");
    Str path = arena_printf(&arena, "%s/adt-queries/queries.ndjson", root ? root : "../shared/data");
    FILE *f = fopen(path.p, "rb");
    if (!f) {
        print_message("SKIP corpus: %s not found\n", path.p);
        skip();
        return;
    }
    char line[16384];
    int64_t n = 0;
    while (fgets(line, sizeof line, f)) {
        Json v;
        assert_int_equal(json_parse(arena_str(&arena, str_trim(str_of(line))), NULL, &arena, &v, NULL), ERR_OK);
        const Json *text = json_get(&v, STR("query"));
        assert_non_null(text);
        parse(arena_str(&arena, text->s).p);
        n++;
    }
    fclose(f);
    assert_true(n >= 90);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),         cmocka_unit_test(test_patterns),    cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_groups),         cmocka_unit_test(test_order),       cmocka_unit_test(test_leniency),
        cmocka_unit_test(test_misspelt_words), cmocka_unit_test(test_bad_clauses), cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_bad_names),      cmocka_unit_test(test_error_text),  cmocka_unit_test(test_alias_limit),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
