// SPDX-License-Identifier: Apache-2.0
// Random queries over the worlds of test_graph.c. Sums take only numbers that are multiples of 1/4: no quotients and no
// conversions of units.
#include <stdio.h>
#include "query/test_graph.h"

#define NAMES_MAX 12

typedef struct Gen {
    Rng *r;
    Buf *b;
    char names[NAMES_MAX][16]; // "" : without alias
    bool link[NAMES_MAX];
    int32_t count;
    bool path; // p is a SHORTEST path
} Gen;

static int32_t below(Gen *g, int32_t n) { return (int32_t)rng_below(g->r, (uint64_t)n); }

#define ONE_OF(g, list) (list)[below((g), (int32_t)(sizeof(list) / sizeof *(list)))]
#define PUT(g, ...) buf_printf((g)->b, __VA_ARGS__)

// ---- leaves -------------------------------------------------------------------------------------------------------

static const char *const twin_numbers[] = {"count",           "area",         "big",     "nums.a",
                                           "nums.[[c d]]",    "pos.x",        "pos.y",   "count",
                                           "thermo.setPoint", "thermo.box.w", "list[0]", "level"};
static const char *const link_numbers[] = {"weight", "label", "weight"};
static const char *const twin_texts[] = {
    "name", "$dtId", "$metadata.$model", "tags.a", "tags.[[c d]]", "thermo.mode", "on", "level", "name"};
static const char *const link_texts[] = {"$relationshipId", "$relationshipName", "$sourceId", "$targetId", "label"};
static const char *const twin_others[] = {"pos",
                                          "tags",
                                          "list",
                                          "place",
                                          "at",
                                          "thermo",
                                          "nothing",
                                          "on",
                                          "temp",
                                          "$etag",
                                          "$metadata.$lastUpdateTime",
                                          "$metadata.temp.lastUpdateTime"};
static const char *const literals[] = {
    "0", "1", "2", "3", "-1", "0.25", "1.5", "-0.75", "7", "2.0", "9007199254740993"};
static const char *const words[] = {"'a'",
                                    "'b'",
                                    "'ab'",
                                    "'room'",
                                    "'Room 1'",
                                    "'pump-7'",
                                    "''",
                                    "'t3'",
                                    "'has'",
                                    "'dtmi:t:Room;1'",
                                    "\"a longer name than inline\""};
static const char *const compares[] = {"=", "!=", "<", ">", "<=", ">="};
static const char *const model_ids[] = {"Base", "Room", "Hall", "Other", "Thermo", "None"};

static int32_t any_alias(Gen *g) { return below(g, g->count); }

// A twin's alias, or -1.
static int32_t twin_alias(Gen *g) {
    int32_t i = any_alias(g);
    for (int32_t k = 0; k < g->count; k++, i = (i + 1) % g->count) {
        if (!g->link[i]) return i;
    }
    return -1;
}

static void put_path(Gen *g, int32_t alias, const char *path) {
    bool only = g->count == 1 && !g->path && alias == 0;
    if (g->names[alias][0] && !(only && g->names[0][0] == 'T' && below(g, 4) == 0)) PUT(g, "%s.", g->names[alias]);
    PUT(g, "%s", path);
}

static void put_number_leaf(Gen *g) {
    int32_t i = any_alias(g);
    if (g->path && below(g, 4) == 0) PUT(g, "p.length");
    else put_path(g, i, g->link[i] ? ONE_OF(g, link_numbers) : ONE_OF(g, twin_numbers));
}

static void put_text_leaf(Gen *g) {
    int32_t i = any_alias(g);
    put_path(g, i, g->link[i] ? ONE_OF(g, link_texts) : ONE_OF(g, twin_texts));
}

static void put_any_leaf(Gen *g) {
    int32_t i = twin_alias(g);
    switch (below(g, 3)) {
    case 0: put_number_leaf(g); break;
    case 1: put_text_leaf(g); break;
    default:
        if (i < 0) put_text_leaf(g);
        else put_path(g, i, ONE_OF(g, twin_others));
    }
}

// ---- expressions --------------------------------------------------------------------------------------------------

static void put_boolean(Gen *g, int32_t depth);

static const char *rels(Gen *g) {
    static const char *const lists[] = {"has", "near", "inside", "has|near", "has|inside", "nowhere"};
    return ONE_OF(g, lists);
}

static void put_graph(Gen *g, int32_t alias, const char *agg, const char *inside) {
    static const char *const arrows[] = {"->", "<-", "<->"};
    PUT(g, "%s(%s%s", agg, g->names[alias], ONE_OF(g, arrows));
    if (below(g, 3)) PUT(g, "%s", rels(g));
    PUT(g, "%s%s)", inside, below(g, 4) ? "" : " WHERE count > 0");
}

// A function of the past whose value is exact.
static void put_past(Gen *g, int32_t alias, const char *property) {
    static const char *const funcs[] = {"SUM", "COUNT", "MAX", "FIRST", "LAST", "DELTA", "INCREASE", "CHANGES"};
    static const char *const spans[] = {"1h", "10m", "DURATION('PT2H')"};
    PUT(g, "%s(", ONE_OF(g, funcs));
    put_path(g, alias, property);
    PUT(g, ", %s)", ONE_OF(g, spans));
}

// A number whose value is exact.
static void put_number(Gen *g, int32_t depth) {
    static const char *const ops[] = {"+", "-", "*"};
    int32_t twin = twin_alias(g);
    switch (depth > 0 ? below(g, 8) : below(g, 3)) {
    case 0: PUT(g, "%s", ONE_OF(g, literals)); break;
    case 3:
        PUT(g, "(");
        put_number(g, depth - 1);
        PUT(g, " %s ", ONE_OF(g, ops));
        PUT(g, "%d", below(g, 5));
        PUT(g, ")");
        break;
    case 4:
        PUT(g, "LENGTH(");
        put_text_leaf(g);
        PUT(g, ")");
        break;
    case 5:
        if (twin < 0) put_number_leaf(g);
        else if (below(g, 2)) put_graph(g, twin, "COUNT", "");
        else put_graph(g, twin, "SUM", ".count");
        break;
    case 6:
        if (below(g, 3) || twin < 0) put_number_leaf(g);
        else put_past(g, twin, "count");
        break;
    default: put_number_leaf(g);
    }
}

static void put_temperature(Gen *g, int32_t alias) {
    static const char *const units[] = {"", " 'degreeCelsius'", " 'degreeFahrenheit'", " 'kelvin'"};
    put_path(g, alias, "temp");
    PUT(g, " %s %d%s", ONE_OF(g, compares), below(g, 12) - 2, ONE_OF(g, units));
}

static void put_time(Gen *g, int32_t alias) {
    static const char *const tests[] = {"UPDATED(%s%sname) > TIME('2026-01-01T00:00:00.000020Z')",
                                        "AGE(%s%stemp) > 30 'minute'", "%s%sat < TIME('2025-12-15T00:00:00Z')",
                                        "DAY(TIME(%s%sat)) > 12"};
    const char *name = g->names[alias];
    const char *test = ONE_OF(g, tests);
    for (const char *p = test; *p; p++) {
        if (p[0] != '%') buf_byte(g->b, *p);
        else if (p[2] == '%') PUT(g, "%s%s", name, name[0] ? "." : ""), p += 3;
    }
}

// Tests that only twins have.
static void put_twin_test(Gen *g, int32_t i) {
    static const char *const inside[] = {", count > 1", ", IS_DEFINED(temp)", ", name = 'a'", ", on = true"};
    const char *comma = g->names[i][0] ? ", " : "";
    switch (below(g, 9)) {
    case 7:
        put_past(g, i, below(g, 2) ? "count" : "temp");
        PUT(g, " %s %d", ONE_OF(g, compares), below(g, 12) - 2);
        break;
    case 0:
    case 1:
        PUT(g, "IS_OF_MODEL(%s%s'dtmi:t:%s;1'%s)", g->names[i], comma, ONE_OF(g, model_ids),
            below(g, 3) ? "" : ", exact");
        break;
    case 2: put_temperature(g, i); break;
    case 3: put_time(g, i); break;
    case 4: put_graph(g, i, below(g, 2) ? "ANY" : "ALL", ONE_OF(g, inside)); break;
    case 5:
        put_path(g, i, "on");
        PUT(g, " = true");
        break;
    case 6:
        PUT(g, "ARRAY_CONTAINS(");
        put_path(g, i, "list");
        PUT(g, ", %d)", below(g, 5));
        break;
    default:
        PUT(g, "DISTANCE(");
        put_path(g, i, "place");
        PUT(g, ", POINT(1, 51)) < %d 'kilometre'", 50 + below(g, 200));
    }
}

static void put_text_test(Gen *g) {
    static const char *const calls[] = {"STARTSWITH", "ENDSWITH", "CONTAINS"};
    switch (below(g, 4)) {
    case 0:
        PUT(g, "%s(", ONE_OF(g, calls));
        put_text_leaf(g);
        PUT(g, ", %s)", ONE_OF(g, words));
        break;
    case 1:
        put_text_leaf(g);
        PUT(g, " %s [%s, %s, 't%d', 1]", below(g, 3) ? "IN" : "NIN", ONE_OF(g, words), ONE_OF(g, words), below(g, 9));
        break;
    case 2:
        put_text_leaf(g);
        PUT(g, " %s ", ONE_OF(g, compares));
        put_text_leaf(g);
        break;
    default: put_text_leaf(g); PUT(g, " %s %s", ONE_OF(g, compares), ONE_OF(g, words));
    }
}

static void put_id_test(Gen *g) {
    int32_t i = any_alias(g);
    if (g->link[i]) {
        put_path(g, i, below(g, 2) ? "$sourceId" : "$targetId");
    } else {
        put_path(g, i, "$dtId");
    }
    if (below(g, 3)) PUT(g, " = 't%d'", below(g, 12));
    else PUT(g, " IN ['t%d', 'none', 't%d', 't%d']", below(g, 12), below(g, 12), below(g, 12));
}

static void put_test(Gen *g) {
    static const char *const types[] = {"IS_DEFINED", "IS_NULL",   "IS_NUMBER",   "IS_STRING",
                                        "IS_BOOL",    "IS_OBJECT", "IS_PRIMITIVE"};
    int32_t twin = twin_alias(g);
    switch (below(g, 8)) {
    case 0:
    case 1:
        put_number(g, 1);
        PUT(g, " %s ", ONE_OF(g, compares));
        if (below(g, 3)) PUT(g, "%s", ONE_OF(g, literals));
        else put_number(g, 1);
        break;
    case 2: put_text_test(g); break;
    case 3: put_id_test(g); break;
    case 4:
        PUT(g, "%s(", ONE_OF(g, types));
        put_any_leaf(g);
        PUT(g, ")");
        break;
    case 5:
        put_number_leaf(g);
        PUT(g, " IN [%s, %s]", ONE_OF(g, literals), ONE_OF(g, literals));
        break;
    default:
        if (twin < 0) put_text_test(g);
        else put_twin_test(g, twin);
    }
}

static void put_boolean(Gen *g, int32_t depth) {
    int32_t what = depth > 0 ? below(g, 6) : 0;
    if (what <= 2) {
        put_test(g);
    } else if (what == 3) {
        PUT(g, "NOT (");
        put_boolean(g, depth - 1);
        PUT(g, ")");
    } else {
        PUT(g, "(");
        put_boolean(g, depth - 1);
        PUT(g, what == 4 ? " AND " : " OR ");
        put_boolean(g, depth - 1);
        PUT(g, ")");
    }
}

static void put_where(Gen *g) {
    if (below(g, 4) == 0) return;
    PUT(g, " WHERE ");
    for (int32_t i = below(g, 3); i > 0; i--) { // conjuncts are what plans are made of
        put_boolean(g, 1);
        PUT(g, " AND ");
    }
    put_boolean(g, 2);
}

// ---- sources ------------------------------------------------------------------------------------------------------

static void add_name(Gen *g, const char *name, bool link) {
    if (g->count == NAMES_MAX) return;
    snprintf(g->names[g->count], sizeof g->names[0], "%s", name);
    g->link[g->count++] = link;
}

static void put_join(Gen *g) {
    int32_t joins = 1 + below(g, 3);
    add_name(g, "T", false);
    PUT(g, "DIGITALTWINS T");
    for (int32_t i = 0; i < joins; i++) {
        static const char *const single[] = {"has", "near", "inside", "nowhere", "has", "near"};
        char name[16], link[16];
        int32_t from = twin_alias(g);
        snprintf(name, sizeof name, "J%d", i);
        snprintf(link, sizeof link, "R%d", i);
        PUT(g, " JOIN %s RELATED %s.%s", name, g->names[from], ONE_OF(g, single));
        add_name(g, name, false);
        if (below(g, 2)) continue;
        PUT(g, " %s", link);
        add_name(g, link, true);
    }
}

// The inside of an edge's brackets. far: it may take several hops.
static void put_relspec(Gen *g, int32_t edge, bool far) {
    char link[16];
    bool named = !far && below(g, 2);
    snprintf(link, sizeof link, "r%d", edge);
    if (named) {
        PUT(g, "%s", link);
        add_name(g, link, true);
    }
    if (below(g, 2)) PUT(g, ":%s", rels(g));
    if (!far) return;
    int32_t low = below(g, 2), high = low + 1 + below(g, 3);
    switch (below(g, 4)) {
    case 0: PUT(g, "*%d", high); break;
    case 1: PUT(g, "*%d..%d", low, high); break;
    case 2: PUT(g, "*..%d", below(g, 3) ? high : 4 + below(g, 9)); break;
    default: PUT(g, "*..%d", high);
    }
}

static void put_edge(Gen *g, int32_t edge, bool far) {
    int32_t way = below(g, 5);
    PUT(g, way == 0 ? "<-[" : "-[");
    put_relspec(g, edge, far);
    PUT(g, way == 0 || way == 1 ? "]-" : "]->");
}

static void put_node(Gen *g, int32_t node) {
    char name[16];
    int32_t what = node ? below(g, 8) : 1;
    if (what == 0) {
        PUT(g, "()");
    } else if (what == 7) { // a twin that stands before
        PUT(g, "(%s)", g->names[twin_alias(g)]);
    } else {
        snprintf(name, sizeof name, "%c", 'a' + node);
        PUT(g, "(%s)", name);
        add_name(g, name, false);
    }
}

static void put_match(Gen *g) {
    int32_t edges = below(g, 8) ? 1 + below(g, 2) : below(g, 4), far = below(g, 2) ? below(g, 3) : -1;
    PUT(g, "DIGITALTWINS MATCH ");
    put_node(g, 0);
    for (int32_t i = 0; i < edges; i++) {
        put_edge(g, i, i == far);
        put_node(g, i + 1);
    }
}

static void put_shortest(Gen *g) {
    static const char *const edges[] = {"-[*]->", "<-[*]-", "-[*]-", "-[:has*..4]->", "-[:has|near*]-", "-[*..2]-"};
    g->path = true;
    PUT(g, "DIGITALTWINS MATCH p = SHORTEST (a)%s(b)", ONE_OF(g, edges));
    add_name(g, "a", false);
    add_name(g, "b", false);
}

static void put_single(Gen *g, bool link) {
    static const char *const names[] = {"", "T", " AS X"};
    const char *name = ONE_OF(g, names);
    PUT(g, "%s %s", link ? "RELATIONSHIPS" : "DIGITALTWINS", name);
    add_name(g, name[0] == ' ' ? "X" : name, link);
}

// ---- select -------------------------------------------------------------------------------------------------------

// Columns c0, c1, ...; returns how many.
static int32_t put_columns(Gen *g) {
    int32_t n = 1 + below(g, 3);
    for (int32_t i = 0; i < n; i++) {
        int32_t what = below(g, 6), alias = any_alias(g);
        if (i) PUT(g, ", ");
        if (what < 2 && g->names[alias][0]) PUT(g, "%s", g->names[alias]);
        else if (what == 2) put_number(g, 1);
        else if (what == 4) put_boolean(g, 1);
        else put_any_leaf(g);
        PUT(g, " AS c%d", i);
    }
    return n;
}

static void put_aggregate(Gen *g) {
    static const char *const names[] = {"SUM", "AVG", "MIN", "MAX", "COUNT"};
    int32_t what = below(g, 7);
    if (what == 0) {
        PUT(g, "COUNT()");
    } else if (what == 1) {
        PUT(g, "PERCENTILE(");
        put_number(g, 1);
        PUT(g, ", %d)", 25 * below(g, 5));
    } else {
        const char *name = ONE_OF(g, names);
        PUT(g, "%s(", name);
        if (name[0] == 'M' || name[0] == 'C') put_any_leaf(g);
        else put_number(g, 1);
        PUT(g, ")");
    }
}

static void put_orders(Gen *g, int32_t columns, bool columns_only) {
    static const char *const ways[] = {"", " ASC", " DESC", " DESC"};
    int32_t n = below(g, 2) ? below(g, 3) : 0;
    for (int32_t i = 0; i < n; i++) {
        PUT(g, i ? ", " : " ORDER BY ");
        if (columns && (columns_only || below(g, 2))) PUT(g, "c%d", below(g, columns));
        else put_any_leaf(g);
        PUT(g, "%s", ONE_OF(g, ways));
    }
}

// A part of the query as text of its own, made with the same random numbers.
static Str made(Gen *g, Buf *room, void (*put)(Gen *)) {
    Buf *b = g->b;
    g->b = room;
    put(g);
    g->b = b;
    return buf_str(room);
}

static void put_group_key(Gen *g) {
    if (below(g, 5) == 0) put_number(g, 1);
    else put_any_leaf(g);
}

static void put_aggregated(Gen *g, Str source) {
    Buf key[2] = {{0}, {0}}, agg = {0};
    int32_t keys = below(g, 3), columns = 0;
    for (int32_t i = 0; i < keys; i++) made(g, &key[i], put_group_key);
    made(g, &agg, put_aggregate);
    bool distinct = below(g, 6) == 0;
    if (distinct) PUT(g, "DISTINCT ");
    for (int32_t i = 0; i < keys; i++) {
        if (below(g, 4) == 0) continue;
        PUT(g, "%s%.*s AS c%d", columns ? ", " : "", STR_ARG(buf_str(&key[i])), columns);
        columns++;
    }
    for (int32_t i = columns ? below(g, 3) : 1 + below(g, 2); i > 0; i--) {
        PUT(g, "%s", columns ? ", " : "");
        put_aggregate(g);
        PUT(g, " AS c%d", columns++);
    }
    bool any = keys > 0;
    PUT(g, " FROM %.*s", STR_ARG(source));
    put_where(g);
    for (int32_t i = 0; i < keys; i++) PUT(g, "%s%.*s", i ? ", " : " GROUP BY ", STR_ARG(buf_str(&key[i])));
    if (any && below(g, 3) == 0) PUT(g, " HAVING COUNT() %s %d", ONE_OF(g, compares), below(g, 4));
    if (any && !distinct && below(g, 4) == 0) {
        PUT(g, " ORDER BY %.*s DESC, %.*s", STR_ARG(buf_str(&agg)), STR_ARG(buf_str(&key[0])));
    } else {
        put_orders(g, columns, true);
    }
    buf_free(&key[0]);
    buf_free(&key[1]);
    buf_free(&agg);
}

// The rows of a query without groups.
static void put_rows(Gen *g, Str source) {
    bool star = below(g, 5) == 0, distinct = below(g, 5) == 0;
    int32_t columns = 0;
    if (distinct) PUT(g, "DISTINCT ");
    if (star && !(distinct && g->path)) PUT(g, "*");
    else columns = put_columns(g);
    if (columns && g->path && !distinct && below(g, 2)) PUT(g, ", p");
    PUT(g, " FROM %.*s", STR_ARG(source));
    put_where(g);
    if (columns || !distinct) put_orders(g, columns, distinct);
}

// DISTINCT ends of a path of several hops, which need not be walked path by path.
static void put_ends(Gen *g) {
    static const char *const columns[] = {"b", "b.$dtId", "b.name", "a, b", "b.count + 1 AS n, b", "COUNT() AS n", "a"};
    static const char *const edges[] = {"-[*..%d]->", "<-[:has*..%d]-",  "-[:has|near*..%d]-",
                                        "-[*..%d]-",  "-[:near*..%d]->", "-[*1..%d]->"};
    PUT(g, "SELECT DISTINCT %s FROM DIGITALTWINS MATCH (a)", ONE_OF(g, columns));
    const char *edge = ONE_OF(g, edges);
    int32_t hops = 2 + below(g, below(g, 3) ? 3 : 12);
    for (; *edge; edge++) {
        if (*edge != '%') buf_byte(g->b, *edge);
        else PUT(g, "%d", hops), edge++;
    }
    PUT(g, below(g, 12) ? "(b)" : "(b)-[]->(a)");
    add_name(g, "a", false);
    add_name(g, "b", false);
    put_where(g);
}

// Few columns, values of many kinds: what facts of pages and indexes are made for.
static void put_lookup(Gen *g, int32_t alias) {
    switch (below(g, 7)) {
    case 0:
        put_path(g, alias, "name");
        PUT(g, " = 'name of %d'", below(g, 700));
        break;
    case 1:
        put_path(g, alias, "temp");
        PUT(g, " > %d", 1990 + below(g, 20));
        break;
    case 2:
        put_path(g, alias, "count");
        PUT(g, " = %d", below(g, 1500));
        break;
    case 3:
        put_path(g, alias, "count");
        PUT(g, " >= %d.5 AND ", below(g, 1400));
        put_path(g, alias, "temp");
        PUT(g, " < %d 'degreeCelsius'", below(g, 100));
        break;
    case 4:
        put_path(g, alias, "temp");
        PUT(g, " IN [%d, %d.25, 3, 'x']", below(g, 2000), below(g, 2000));
        break;
    case 5:
        PUT(g, "STARTSWITH(");
        put_path(g, alias, "name");
        PUT(g, ", 'name of %d')", 50 + below(g, 9));
        break;
    default:
        PUT(g, "(");
        put_path(g, alias, "temp");
        PUT(g, " = %d OR ", below(g, 2000));
        put_path(g, alias, "temp");
        PUT(g, " <= %d)", below(g, 3));
    }
}

void test_graph_lookup(Rng *rng, TestQueryForm form, Buf *out) {
    static const char *const heads[] = {"SELECT *", "SELECT COUNT()", "SELECT DISTINCT $dtId", "SELECT name, temp",
                                        "SELECT name, SUM(temp)"};
    static const char *const paths[] = {"SELECT a, r FROM DIGITALTWINS MATCH (a)-[r:near]->(b)",
                                        "SELECT COUNT() FROM DIGITALTWINS MATCH (a)<-[r]-(b)",
                                        "SELECT a.$dtId AS i, b.$dtId FROM DIGITALTWINS MATCH (a)-[r:near|has]-(b)"};
    Gen g = {.r = rng, .b = out};
    if (form == TEST_QUERY_MATCH) {
        PUT(&g, "%s WHERE r.weight %s %d", ONE_OF(&g, paths), below(&g, 3) ? "=" : ">", 480 + below(&g, 20));
        add_name(&g, "a", false);
        if (below(&g, 3) == 0) PUT(&g, " AND "), put_lookup(&g, 0);
    } else if (form == TEST_QUERY_LINKS) {
        PUT(&g, "SELECT * FROM RELATIONSHIPS WHERE weight %s %d", below(&g, 3) ? "=" : ">", 480 + below(&g, 20));
    } else {
        const char *head = ONE_OF(&g, heads);
        add_name(&g, "", false);
        PUT(&g, "%s FROM DIGITALTWINS WHERE ", head);
        put_lookup(&g, 0);
        if (head[7] == 'n' && head[13] == 'S') PUT(&g, " GROUP BY name");
    }
}

void test_graph_query(Rng *rng, TestQueryForm form, Buf *out) {
    Buf source = {0};
    Gen g = {.r = rng, .b = &source};
    if (form == TEST_QUERY_MATCH && below(&g, 5) == 0) {
        g.b = out;
        put_ends(&g);
        return;
    }
    switch (form) {
    case TEST_QUERY_JOIN: put_join(&g); break;
    case TEST_QUERY_MATCH: put_match(&g); break;
    case TEST_QUERY_SHORTEST: put_shortest(&g); break;
    default: put_single(&g, form == TEST_QUERY_LINKS);
    }
    g.b = out;
    PUT(&g, "SELECT ");
    if (below(&g, 6) == 0) PUT(&g, "TOP(%d) ", below(&g, 8));
    if (below(&g, 4) == 0) put_aggregated(&g, buf_str(&source));
    else put_rows(&g, buf_str(&source));
    buf_free(&source);
}
