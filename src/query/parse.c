// SPDX-License-Identifier: Apache-2.0
// Query text to Query: clauses and patterns. Expressions are the lexer's (expr/lex.h); what names stand for is settled
// in names.c once all clauses are known.
#include "base/check.h"
#include "expr/lex.h"
#include "query/names.h"

typedef struct Parser {
    Lex lex;
    Arena *a;
    Query *q;
} Parser;

// ---- text ---------------------------------------------------------------------------------------------------------

// One past the quoted text that begins at `at`, or the end of the text.
static int64_t skip_quoted(Str t, int64_t at) {
    char quote = t.p[at++];
    while (at < t.n && t.p[at] != quote) at += t.p[at] == '\\' ? 2 : 1;
    return at < t.n ? at + 1 : t.n;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static int64_t skip_blank(Str t, int64_t at) {
    while (at < t.n && is_blank(t.p[at])) at++;
    return at;
}

// The place of the star in `COUNT(*)`, whose first letter is at `at`; -1 when it is something else.
static int64_t count_star(Str t, int64_t at) {
    if (at + 5 > t.n || !str_eq_nocase(str_sub(t, at, at + 5), STR("COUNT"))) return -1;
    int64_t open = skip_blank(t, at + 5);
    if (open >= t.n || t.p[open] != '(') return -1;
    int64_t star = skip_blank(t, open + 1);
    int64_t close = skip_blank(t, star + 1);
    return star < t.n && t.p[star] == '*' && close < t.n && t.p[close] == ')' ? star : -1;
}

// What to do at one byte outside of quotes; returns the next place.
static int64_t clean_at(Str t, char *out, int64_t at) {
    if (t.p[at] == '\'' || t.p[at] == '"') return skip_quoted(t, at);
    Str rest = str_sub(t, at, t.n);
    if (str_starts(rest, STR("[["))) {
        int64_t close = str_find_str(rest, STR("]]"));
        return close < 0 ? at + 2 : at + close + 2;
    }
    if (str_starts(rest, STR("--"))) {
        int64_t line = str_find(t, '\n', at);
        return line < 0 ? t.n : line;
    }
    if (t.p[at] == '\\' && rest.n > 1 && (rest.p[1] == 'n' || rest.p[1] == 'r' || rest.p[1] == 't')) {
        out[at] = out[at + 1] = ' ';
        return at + 2;
    }
    if (!is_word(t.p[at])) return at + 1;
    int64_t star = count_star(t, at);
    if (star >= 0) out[star] = ' ';
    while (at < t.n && is_word(t.p[at])) at++;
    return at;
}

// A copy of the text, byte for byte at the same places, in which the two letters \n, \r or \t between words (a line end
// that was escaped once too often) are blanks, and COUNT(*) is COUNT( ).
static Str clean(Arena *a, Str text) {
    Str copy = arena_str(a, text);
    char *out = (char *)(uintptr_t)copy.p;
    for (int64_t at = 0; at < text.n;) at = clean_at(text, out, at);
    return copy;
}

// ---- words --------------------------------------------------------------------------------------------------------

// Two neighbouring letters changed places: FORM, WEHRE.
static bool is_swapped(Str a, const char *b) {
    Str s = str_of(b);
    if (a.n != s.n) return false;
    int64_t i = 0;
    while (i < a.n && (a.p[i] & ~0x20) == s.p[i]) i++;
    return i + 1 < a.n && (a.p[i] & ~0x20) == s.p[i + 1] && (a.p[i + 1] & ~0x20) == s.p[i] &&
           str_eq_nocase(str_sub(a, i + 2, a.n), str_sub(s, i + 2, s.n));
}

// The word of a list separated by blanks that `word` is a misspelling of, or "".
static Str near_word(Arena *a, Str word, const char *list) {
    Str rest = str_of(list);
    Str words[32];
    int64_t n = 0;
    while (rest.n && n < 32) {
        words[n] = arena_str(a, str_cut(&rest, ' '));
        if (is_swapped(word, words[n].p)) return words[n];
        n++;
    }
    return expr_nearest(word, words, n);
}

// The next token as written, its beginning when it is long.
static Str shown(const Lex *l) {
    Str s = str_sub(l->text, l->token.at, l->token.end);
    int64_t n = 0;
    while (n < s.n && n < 40) n += str_utf8_size(s.p + n, s.p + s.n);
    return str_sub(s, 0, n);
}

// SYNTAX at the next token: "expected WHAT", what was found, and which of `words` it may be a misspelling of.
static Err fail_near(Parser *p, const char *what, const char *words) {
    Lex *l = &p->lex;
    const Token *t = &l->token;
    Str near = t->kind == TOKEN_NAME ? near_word(p->a, t->text, words) : (Str){0};
    if (t->kind == TOKEN_BAD) return lex_fail(l, "expected %s", what);
    if (t->kind == TOKEN_END) return lex_fail(l, "expected %s but the query ends here", what);
    Str found = shown(l);
    if (near.n == 0) return lex_fail(l, "expected %s but found %.*s", what, STR_ARG(found));
    return lex_fail(l, "expected %s but found %.*s; did you mean %.*s?", what, STR_ARG(found), STR_ARG(near));
}

static Err want_word(Parser *p, const char *word) {
    return lex_take(&p->lex, word) ? ERR_OK : fail_near(p, word, word);
}

static Err fail_at(Parser *p, int32_t at, int32_t end, const char *text, Str name) {
    return diag_add(p->lex.diag, ERR_SYNTAX, at, end, (Str){0}, text, STR_ARG(name));
}

static bool is_name(const Parser *p) { return p->lex.token.kind == TOKEN_NAME || p->lex.token.kind == TOKEN_QUOTED; }

// Is the token after the next one the keyword or punctuation `s`?
static bool then_is(const Parser *p, const char *s) {
    Lex ahead = p->lex;
    lex_next(&ahead);
    return lex_is(&ahead, s);
}

// A name that may be any word, behind AS or a dot.
static Err take_any_name(Parser *p, const char *what, Str *out) {
    if (!is_name(p)) return fail_near(p, what, "");
    *out = p->lex.token.text;
    lex_next(&p->lex);
    return ERR_OK;
}

// Is the next word HISTORY, and not an alias of that name?
static bool history_follows(const Parser *p) {
    bool part = then_is(p, "FROM") || then_is(p, "TO") || then_is(p, "STEP");
    return part && lex_is(&p->lex, "HISTORY");
}

// Does an alias follow, and not the next clause?
static bool alias_follows(const Parser *p) {
    static const char *const words[] = {"JOIN",  "MATCH", "RELATED", "WHERE", "GROUP", "HAVING",
                                        "ORDER", "AS",    "LIMIT",   "ASC",   "DESC"};
    if (p->lex.token.kind == TOKEN_QUOTED) return true;
    if (p->lex.token.kind != TOKEN_NAME || lex_reserved(p->lex.token.text)) return false;
    if (history_follows(p)) return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (lex_is(&p->lex, words[i])) return false;
    }
    return true;
}

// ---- aliases ------------------------------------------------------------------------------------------------------

static Err add_alias(Parser *p, Str name, ExprSourceKind kind, int32_t at, int32_t *out) {
    Query *q = p->q;
    if (q->alias_count == QUERY_ALIASES_MAX) {
        return diag_add(p->lex.diag, ERR_LIMIT, at, at + (int32_t)name.n, (Str){0},
                        "a query has at most %d twins and relationships", QUERY_ALIASES_MAX);
    }
    q->aliases = query_room(p->a, q->aliases, q->alias_count, (int64_t)sizeof(QueryAlias));
    *out = q->alias_count;
    q->aliases[q->alias_count++] = (QueryAlias){.name = name, .kind = kind, .at = at};
    return ERR_OK;
}

// A name that nothing has yet.
static Err add_new_alias(Parser *p, Str name, ExprSourceKind kind, const Token *t, int32_t *out) {
    if (query_alias(p->q, name) >= 0) return fail_at(p, t->at, t->end, "the name %.*s is taken already", name);
    return add_alias(p, name, kind, t->at, out);
}

// [ [ "AS" ] alias ]
static Err parse_source_alias(Parser *p, ExprSourceKind kind) {
    Token t = p->lex.token;
    Str name = {0};
    int32_t none;
    if (lex_take(&p->lex, "AS")) {
        t = p->lex.token;
        TRY(lex_name(&p->lex, "an alias", &name));
        return add_alias(p, name, kind, t.at, &none);
    }
    if (!alias_follows(p)) return add_alias(p, name, kind, t.at, &none);
    TRY(lex_name(&p->lex, "an alias", &name));
    // A misspelt keyword looks like an alias, but no clause follows it.
    Str near = near_word(p->a, name, "WHERE JOIN MATCH GROUP ORDER");
    bool clause = p->lex.token.kind == TOKEN_END || lex_is(&p->lex, ";") || lex_is(&p->lex, "WHERE") ||
                  lex_is(&p->lex, "JOIN") || lex_is(&p->lex, "MATCH") || lex_is(&p->lex, "GROUP") ||
                  lex_is(&p->lex, "ORDER") || history_follows(p);
    if (near.n && !clause && t.kind == TOKEN_NAME) {
        return diag_add(p->lex.diag, ERR_SYNTAX, t.at, t.end, (Str){0},
                        "expected an alias or a clause but found %.*s; did you mean %.*s?", STR_ARG(name),
                        STR_ARG(near));
    }
    return add_alias(p, name, kind, t.at, &none);
}

// ---- JOIN ---------------------------------------------------------------------------------------------------------

static QueryEdge *add_edge(Parser *p) {
    Query *q = p->q;
    q->edges = query_room(p->a, q->edges, q->edge_count, (int64_t)sizeof(QueryEdge));
    QueryEdge *e = &q->edges[q->edge_count++];
    *e = (QueryEdge){.link = -1, .min = 1, .max = 1};
    return e;
}

static Err add_rel(Parser *p, QueryEdge *e) {
    Str name;
    TRY(take_any_name(p, "the name of a relationship", &name));
    e->rels = query_room(p->a, e->rels, e->rel_count, (int64_t)sizeof(Str));
    e->rels[e->rel_count++] = name;
    return ERR_OK;
}

// alias "RELATED" alias "." rel [ alias ], behind JOIN
static Err parse_join(Parser *p) {
    Lex *l = &p->lex;
    Str to, from, link = {0};
    Token t = l->token;
    int32_t to_alias;
    TRY(lex_name(l, "an alias for the twins at the other end", &to));
    TRY(add_new_alias(p, to, EXPR_TWIN, &t, &to_alias));
    TRY(want_word(p, "RELATED"));
    t = l->token;
    TRY(lex_name(l, "the alias of a twin", &from));
    QueryEdge *e = add_edge(p);
    e->to = to_alias;
    e->from = query_alias(p->q, from);
    e->out = true;
    if (e->from < 0) return fail_at(p, t.at, t.end, "there is no alias %.*s before this", from);
    if (e->from == to_alias || p->q->aliases[e->from].kind != EXPR_TWIN) {
        return fail_at(p, t.at, t.end, "%.*s is not a twin that stands before this JOIN", from);
    }
    if (!lex_take(l, ".")) return fail_near(p, "a dot and the name of a relationship", "");
    TRY(add_rel(p, e));
    lex_take(l, "AS");
    t = l->token;
    if (alias_follows(p)) TRY(lex_name(l, "an alias for the relationship", &link));
    return add_new_alias(p, link, EXPR_LINK, &t, &e->link);
}

// ---- MATCH --------------------------------------------------------------------------------------------------------

// "(" [ alias ] ")"
static Err parse_node(Parser *p, int32_t *out) {
    Lex *l = &p->lex;
    if (!lex_take(l, "(")) return fail_near(p, "( and a twin's alias", "SHORTEST");
    Token t = l->token;
    Str name = {0};
    if (!lex_is(l, ")") && !lex_is(l, ":")) TRY(lex_name(l, "an alias or )", &name));
    if (lex_is(l, ":"))
        return lex_fail(l, "a twin in a pattern is only an alias: say WHERE IS_OF_MODEL(alias, 'dtmi:...')");
    int32_t end = l->token.end;
    if (!lex_take(l, ")")) return fail_near(p, ") behind the twin's alias", "");
    Str behind = str_sub(l->text, end, l->text.n);
    if (str_starts(behind, STR("-->")) || str_starts(behind, STR("--("))) { // the lexer takes it for a comment
        return diag_add(l->diag, ERR_SYNTAX, end, end + 2, (Str){0}, "an edge is written -[]->, <-[]- or -[]-");
    }
    *out = query_alias(p->q, name);
    if (*out < 0) return add_alias(p, name, EXPR_TWIN, t.at, out);
    if (p->q->aliases[*out].kind == EXPR_TWIN) return ERR_OK;
    return fail_at(p, t.at, t.end, "%.*s is a relationship already", name);
}

static Err take_hops(Parser *p, int64_t *out) {
    const Token *t = &p->lex.token;
    if (t->kind != TOKEN_INTEGER) return fail_near(p, "a number of hops", "");
    if (t->value.i > QUERY_HOPS_MAX) {
        return diag_add(p->lex.diag, ERR_LIMIT, t->at, t->end, (Str){0}, "a path has at most %d hops", QUERY_HOPS_MAX);
    }
    *out = t->value.i;
    lex_next(&p->lex);
    return ERR_OK;
}

// [ uint ] [ ".." [ uint ] ] behind the star. The lower bound is exclusive, as Azure documents it.
static Err parse_hops(Parser *p, QueryEdge *e) {
    Lex *l = &p->lex;
    int32_t at = l->token.at;
    int64_t above = 0, max = p->q->shortest ? QUERY_HOPS_MAX : 10;
    bool number = l->token.kind == TOKEN_INTEGER || l->token.kind == TOKEN_NUMBER;
    if (number) TRY(take_hops(p, &above));
    if (lex_take(l, "..")) {
        if (!lex_is(l, "]")) TRY(take_hops(p, &max));
    } else if (number) {
        max = above--;
    }
    e->min = (int32_t)above + 1;
    e->max = (int32_t)max;
    if (max == 0) return diag_add(l->diag, ERR_SYNTAX, at, l->token.at, (Str){0}, "a path has at least one hop");
    if (e->min > e->max) {
        return diag_add(l->diag, ERR_SYNTAX, at, l->token.at, (Str){0},
                        "no path has more than %lld and up to %lld hops: the lower bound does not count itself",
                        (long long)above, (long long)max);
    }
    return ERR_OK;
}

static Err parse_rels(Parser *p, QueryEdge *e) {
    do {
        TRY(add_rel(p, e));
    } while (lex_take(&p->lex, "|"));
    return ERR_OK;
}

// [ alias ] [ [ ":" ] rel { "|" rel } ] [ hops ], between the brackets. A word alone is an alias; before | or * it is
// the name of a relationship.
static Err parse_relspec(Parser *p, QueryEdge *e) {
    Lex *l = &p->lex;
    Token t = l->token;
    Str name = {0};
    if (is_name(p) && (then_is(p, "|") || then_is(p, "*"))) TRY(parse_rels(p, e));
    else if (!lex_is(l, "]") && !lex_is(l, ":") && !lex_is(l, "*")) TRY(lex_name(l, "an alias, :, * or ]", &name));
    if (e->rel_count == 0 && lex_take(l, ":")) TRY(parse_rels(p, e));
    bool star = lex_take(l, "*");
    if (star) TRY(parse_hops(p, e));
    if (star && name.n) {
        return fail_at(p, t.at, t.end, "a relationship on a path of several hops has no alias: leave out %.*s", name);
    }
    if (!lex_take(l, "]")) return fail_near(p, "] behind the relationship", "");
    bool alone = e->min == 1 && e->max == 1 && !p->q->shortest;
    return alone ? add_new_alias(p, name, EXPR_LINK, &t, &e->link) : ERR_OK;
}

// "-[" relspec "]->" | "<-[" relspec "]-" | "-[" relspec "]-", and the node behind it
static Err parse_edge(Parser *p, int32_t from, int32_t *to) {
    Lex *l = &p->lex;
    QueryEdge e = {.from = from, .link = -1, .min = 1, .max = 1};
    e.in = lex_take(l, "<");
    if (!lex_take(l, "-")) return fail_near(p, "- and [", "");
    if (!lex_take(l, "[")) return fail_near(p, "[ of a relationship", "");
    TRY(parse_relspec(p, &e));
    if (!lex_take(l, "-")) return fail_near(p, "- behind the relationship", "");
    e.out = lex_take(l, ">");
    if (e.in && e.out) return lex_fail(l, "an edge has one arrow: -[]->, <-[]- or, for either direction, -[]-");
    if (!e.in && !e.out) e.in = e.out = true;
    TRY(parse_node(p, to));
    e.to = *to;
    *add_edge(p) = e;
    return ERR_OK;
}

// A SHORTEST pattern: one edge of several hops between two twins.
static Err check_shortest(Parser *p, int32_t at) {
    const Query *q = p->q;
    const char *wrong = NULL;
    if (q->edge_count != 1) wrong = "SHORTEST takes one relationship between two twins: (a)-[*]->(b)";
    else if (q->edges[0].from == q->edges[0].to) wrong = "SHORTEST needs two different twins";
    else if (q->edges[0].min != 1) wrong = "SHORTEST takes no lower bound: write *..n";
    return wrong ? diag_add(p->lex.diag, ERR_SYNTAX, at, p->lex.token.at, (Str){0}, "%s", wrong) : ERR_OK;
}

// [ [ name "=" ] "SHORTEST" ] node { edge node }, behind MATCH
static Err parse_match(Parser *p) {
    Lex *l = &p->lex;
    Query *q = p->q;
    int32_t node;
    q->matched = true;
    if (is_name(p) && then_is(p, "=")) {
        TRY(lex_name(l, "a name for the path", &q->shortest_name));
        TRY(lex_want(l, "="));
        TRY(want_word(p, "SHORTEST"));
        q->shortest = true;
    } else {
        q->shortest = lex_take(l, "SHORTEST");
    }
    int32_t at = l->token.at;
    TRY(parse_node(p, &node));
    while (lex_is(l, "-") || lex_is(l, "<")) TRY(parse_edge(p, node, &node));
    int32_t taken = q->shortest_name.n ? query_alias(q, q->shortest_name) : -1;
    if (taken >= 0) {
        Str name = q->shortest_name;
        int32_t place = q->aliases[taken].at;
        return fail_at(p, place, place + (int32_t)name.n, "%.*s is the name of the path already", name);
    }
    return q->shortest ? check_shortest(p, at) : ERR_OK;
}

// ---- clauses ------------------------------------------------------------------------------------------------------

// "(" uint ")" behind TOP
static Err parse_top(Parser *p) {
    Lex *l = &p->lex;
    TRY(lex_want(l, "("));
    if (l->token.kind != TOKEN_INTEGER) return fail_near(p, "a number of rows", "");
    p->q->top = l->token.value.i;
    lex_next(l);
    return lex_want(l, ")");
}

static Err parse_column(Parser *p) {
    Query *q = p->q;
    q->columns = query_room(p->a, q->columns, q->column_count, (int64_t)sizeof(QueryColumn));
    QueryColumn *c = &q->columns[q->column_count++];
    *c = (QueryColumn){.alias = -1, .group = -1, .at = p->lex.token.at};
    TRY(lex_expr(&p->lex, &c->expr));
    if (!lex_take(&p->lex, "AS")) return ERR_OK;
    if (lex_is(&p->lex, "FROM") && !then_is(p, "FROM") && !then_is(p, ",")) {
        return lex_fail(&p->lex, "expected a name for the column but found FROM");
    }
    return take_any_name(p, "a name for the column", &c->name);
}

// Is the next word DISTINCT, and not a property of that name?
static bool distinct_follows(const Parser *p) {
    return lex_is(&p->lex, "DISTINCT") && !then_is(p, "FROM") && !then_is(p, ",") && !then_is(p, ".") &&
           !then_is(p, "AS");
}

static Err parse_select(Parser *p) {
    Lex *l = &p->lex;
    Query *q = p->q;
    if (lex_is(l, "EXPLAIN")) {
        q->explain = true;
        lex_next(l);
    }
    TRY(want_word(p, "SELECT"));
    bool top = lex_is(l, "TOP") && then_is(p, "(");
    if (top) {
        lex_next(l);
        TRY(parse_top(p));
    }
    if (!top && lex_is(l, "TOP")) return lex_fail(l, "TOP has its number in parentheses: TOP(5)");
    if (distinct_follows(p)) {
        q->distinct = true;
        lex_next(l);
        if (lex_is(l, "TOP") && then_is(p, "(")) return lex_fail(l, "TOP stands before DISTINCT: TOP(5) DISTINCT");
    }
    q->star = lex_take(l, "*") || (top && lex_is(l, "FROM"));
    if (!q->star) {
        do {
            TRY(parse_column(p));
        } while (lex_take(l, ","));
    }
    if (lex_take(l, "FROM")) return ERR_OK;
    return fail_near(p, q->star ? "FROM" : "a comma, AS or FROM", "FROM AS");
}

static Err parse_from(Parser *p) {
    Lex *l = &p->lex;
    Query *q = p->q;
    if (lex_take(l, "RELATIONSHIPS")) {
        q->from = QUERY_LINKS;
        TRY(parse_source_alias(p, EXPR_LINK));
        if (!lex_is(l, "JOIN") && !lex_is(l, "MATCH")) return ERR_OK;
        return lex_fail(l, "RELATIONSHIPS goes with neither JOIN nor MATCH: start FROM DIGITALTWINS");
    }
    if (!lex_take(l, "DIGITALTWINS"))
        return fail_near(p, "DIGITALTWINS or RELATIONSHIPS", "DIGITALTWINS RELATIONSHIPS");
    if (lex_take(l, "MATCH")) {
        TRY(parse_match(p));
        if (lex_is(l, "JOIN")) return lex_fail(l, "JOIN does not go with MATCH: add an edge to the pattern");
        return ERR_OK;
    }
    TRY(parse_source_alias(p, EXPR_TWIN));
    if (lex_is(l, "MATCH")) return lex_fail(l, "MATCH names its twins in the pattern: leave out the alias before it");
    if (lex_is(l, "JOIN") && q->aliases[0].name.n == 0) return fail_near(p, "an alias before JOIN", "");
    while (lex_take(l, "JOIN")) TRY(parse_join(p));
    return ERR_OK;
}

static Err parse_group(Parser *p) {
    Query *q = p->q;
    TRY(want_word(p, "BY"));
    do {
        q->groups = query_room(p->a, q->groups, q->group_count, (int64_t)sizeof(Expr *));
        TRY(lex_expr(&p->lex, &q->groups[q->group_count]));
        q->group_count++;
    } while (lex_take(&p->lex, ","));
    return lex_take(&p->lex, "HAVING") ? lex_expr(&p->lex, &q->having) : ERR_OK;
}

static Err parse_order(Parser *p) {
    Query *q = p->q;
    TRY(want_word(p, "BY"));
    do {
        q->orders = query_room(p->a, q->orders, q->order_count, (int64_t)sizeof(QueryOrder));
        QueryOrder *o = &q->orders[q->order_count++];
        *o = (QueryOrder){.column = -1};
        TRY(lex_expr(&p->lex, &o->expr));
        o->descending = lex_take(&p->lex, "DESC");
        if (!o->descending) lex_take(&p->lex, "ASC");
    } while (lex_take(&p->lex, ","));
    return ERR_OK;
}

// ---- HISTORY ------------------------------------------------------------------------------------------------------

// A call of one argument around an expression, which says what it must be.
static Err parse_as(Parser *p, const char *func, Expr **out) {
    Expr *e, *call = NEW(p->a, Expr, 1);
    if (*out) return lex_fail(&p->lex, "this was said already");
    TRY(lex_expr(&p->lex, &e));
    *call = (Expr){.op = EX_CALL, .at = e->at, .end = e->end, .name = str_of(func), .arg_count = 1};
    call->args = NEW(p->a, Expr *, 1);
    call->args[0] = e;
    *out = call;
    return ERR_OK;
}

// name { "," name } behind FN
static Err parse_fns(Parser *p, QueryHistory *h) {
    do {
        if (h->fn_count == QUERY_FNS_MAX)
            return diag_add(p->lex.diag, ERR_LIMIT, p->lex.token.at, p->lex.token.end, (Str){0},
                            "FN takes at most %d functions", QUERY_FNS_MAX);
        h->fns = query_room(p->a, h->fns, h->fn_count, (int64_t)sizeof(Str));
        TRY(take_any_name(p, "the name of a function, such as avg", &h->fns[h->fn_count]));
        h->fn_count++;
    } while (lex_take(&p->lex, ","));
    return ERR_OK;
}

static Err parse_history(Parser *p) {
    Lex *l = &p->lex;
    QueryHistory *h = &p->q->history;
    h->on = true;
    h->at = l->token.at;
    h->end = l->token.end;
    lex_next(l);
    for (;;) {
        if (lex_take(l, "FROM")) TRY(parse_as(p, "TIME", &h->from));
        else if (lex_take(l, "TO")) TRY(parse_as(p, "TIME", &h->to));
        else if (lex_take(l, "STEP")) TRY(parse_as(p, "DURATION", &h->step));
        else if (lex_is(l, "FN") && !h->step) return lex_fail(l, "FN goes with intervals: say STEP 1h before it");
        else if (lex_is(l, "FILL") && !h->step) return lex_fail(l, "FILL goes with intervals: say STEP 1h before it");
        else if (lex_take(l, "FN")) TRY(parse_fns(p, h));
        else if (lex_take(l, "FILL")) TRY(take_any_name(p, "none, null, previous or linear", &h->fill));
        else break;
    }
    if (!h->step || h->from) return ERR_OK;
    return diag_add(l->diag, ERR_SYNTAX, h->step->at, h->step->end, (Str){0},
                    "intervals begin somewhere: say FROM beside STEP");
}

// Behind the last clause: nothing, or a word that does not belong here.
static Err parse_end(Parser *p) {
    Lex *l = &p->lex;
    if (lex_is(l, "HISTORY")) return lex_fail(l, "HISTORY is followed by FROM, TO or STEP: HISTORY FROM NOW() - 1d");
    lex_take(l, ";");
    if (l->token.kind == TOKEN_END) return ERR_OK;
    if (lex_is(l, "LIMIT")) return lex_fail(l, "there is no LIMIT: write SELECT TOP(n)");
    if (lex_is(l, "LIKE")) return lex_fail(l, "LIKE is a function: LIKE(name, 'pump-%%')");
    if (lex_is(l, "IS"))
        return lex_fail(l, "IS is no operator: use IS_NULL(x), IS_DEFINED(x) or IS_OF_MODEL('dtmi:...')");
    if (lex_is(l, "BETWEEN")) return lex_fail(l, "BETWEEN is no operator: write x >= 1 AND x <= 5");
    if (lex_is(l, "HAVING")) return lex_fail(l, "HAVING stands behind GROUP BY");
    const Query *q = p->q;
    const char *what = q->history.on    ? "the end of the query, FROM, TO, STEP, FN or FILL"
                       : q->order_count ? "the end of the query, a comma, ASC or DESC"
                       : q->group_count ? "the end of the query, HAVING or ORDER BY"
                       : q->where       ? "the end of the query, AND, OR, GROUP BY or ORDER BY"
                       : q->matched     ? "the end of the query, an edge, WHERE, GROUP BY or ORDER BY"
                                        : "the end of the query, JOIN, WHERE, GROUP BY or ORDER BY";
    return fail_near(p, what, "AND OR IN NIN NOT WHERE JOIN GROUP HAVING ORDER ASC DESC HISTORY STEP FILL");
}

static Err parse_query(Parser *p) {
    Lex *l = &p->lex;
    TRY(parse_select(p));
    TRY(parse_from(p));
    if (lex_take(l, "WHERE")) TRY(lex_expr(l, &p->q->where));
    if (lex_take(l, "GROUP")) TRY(parse_group(p));
    if (lex_take(l, "ORDER")) TRY(parse_order(p));
    if (history_follows(p)) TRY(parse_history(p));
    return parse_end(p);
}

Err query_parse(Arena *a, Str text, Query **out, Diag *d) {
    Parser p = {.a = a, .q = NEW(a, Query, 1)};
    p.q->text = arena_str(a, text);
    p.q->top = -1;
    TRY(lex_begin(&p.lex, a, clean(a, text), d));
    TRY(parse_query(&p));
    TRY(query_settle(a, p.q, d));
    *out = p.q;
    return ERR_OK;
}

void query_error_text(Str text, const Diag *d, Buf *out) {
    int32_t line = 1, column = 1;
    if (d->count && d->messages[0].at >= 0) expr_place(text, d->messages[0].at, &line, &column);
    Str message = d->count ? d->messages[0].text : STR("the query is not well formed");
    buf_printf(out, "SQL query parse failed: SQL Parser Error, Line=%d, Position=%d, Message=%.*s", line, column - 1,
               STR_ARG(message));
}
