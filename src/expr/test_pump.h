// SPDX-License-Identifier: Apache-2.0
// For tests of expressions: a small world of pumps with units, times, places and links, and helpers that say what an
// expression gives there. Wrong answers are told and counted; the teardown fails the test.
#pragma once
#include "expr/expr.h"
#include "world/test_edit.h"

static const char MODELS[] =
    "[{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:x:Pump;1',"
    "'@type':'Interface','extends':'dtmi:lab:Base;1','contents':["
    "{'@type':['Property','Temperature'],'name':'temp','schema':'double','unit':'degreeCelsius'},"
    "{'@type':['Property','Temperature'],'name':'tempF','schema':'double','unit':'degreeFahrenheit'},"
    "{'@type':['Property','Power'],'name':'power','schema':'integer','unit':'kilowatt'},"
    "{'@type':['Property','Power'],'name':'rated','schema':'double','unit':'watt'},"
    "{'@type':['Property','TimeSpan'],'name':'runtime','schema':'double','unit':'minute'},"
    "{'@type':['Property','Angle'],'name':'heading','schema':'double','unit':'degreeOfArc'},"
    "{'@type':['Property','Distance'],'name':'reach','schema':'double','unit':'kilometre'},"
    "{'@type':'Property','name':'plain','schema':'double'},"
    "{'@type':'Property','name':'n','schema':'long'},"
    "{'@type':'Property','name':'on','schema':'boolean'},"
    "{'@type':'Property','name':'f','schema':'float'},"
    "{'@type':'Property','name':'s','schema':'string'},"
    "{'@type':'Property','name':'big','schema':'long'},"
    "{'@type':'Property','name':'at','schema':'dateTime'},{'@type':'Property','name':'at2','schema':'dateTime'},"
    "{'@type':'Property','name':'day','schema':'date'},{'@type':'Property','name':'dur','schema':'duration'},"
    "{'@type':'Property','name':'place','schema':'point'},{'@type':'Property','name':'area','schema':'polygon'},"
    "{'@type':'Property','name':'tags','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"
    "'mapValue':{'name':'v','schema':'string'}}},"
    "{'@type':'Property','name':'list','schema':{'@type':'Array','elementSchema':'double'}},"
    "{'@type':'Property','name':'words','schema':{'@type':'Array','elementSchema':'string'}},"
    "{'@type':'Property','name':'pos','schema':{'@type':'Object','fields':[{'name':'x','schema':'double'},"
    "{'name':'in','schema':{'@type':'Object','fields':[{'name':'z','schema':'integer'}]}}]}},"
    "{'@type':'Relationship','name':'feeds','target':'dtmi:x:Pump;1','properties':["
    "{'@type':'Property','name':'w','schema':'double'}]},"
    "{'@type':'Relationship','name':'any'},"
    "{'@type':'Component','name':'thermo','schema':'dtmi:lab:Thermo;1'}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:x:Big;1','@type':'Interface','extends':'dtmi:x:Pump;1'},"
    "{'@context':'dtmi:dtdl:context;4','@id':'dtmi:x:Wide;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'u64','schema':'unsignedLong'},{'@type':'Property','name':'dec','schema':'decimal'},"
    "{'@type':'Property','name':'temp','schema':'string'}]}]";

static const char PUMP[] =
    "{'$metadata':{'$model':'dtmi:x:Pump;1','s':{'sourceTime':'2025-12-31T23:00:00.123456789Z'}},'temp':20,"
    "'tempF':68,'power':7,'rated':8000,'runtime':90,'heading':90,'reach':1.5,'plain':5,'n':-3,'on':true,'f':0.1,"
    "'s':'Pump \\u00e4 1','big':9223372036854775807,'at':'2026-01-01T02:00:00+02:00','at2':'2026-01-01T00:00:00.5Z',"
    "'day':'2026-01-02','dur':'PT1H30M','place':{'type':'Point','coordinates':[13.4,52.5]},'area':{'type':'Polygon',"
    "'coordinates':[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[4,4],[6,4],[6,6],[4,6],[4,4]]]},"
    "'tags':{'floor':'2','a b':'c'},'list':[1,2.5,3],'words':['x','y'],'pos':{'x':1.5,'in':{'z':4}},"
    "'thermo':{'setPoint':21,'mode':'HEAT','box':{'w':2}}}";

typedef struct Bench {
    Lab lab;
    View view;
    Arena arena, scratch;
    ExprSource sources[2];
    ExprRow rows[2];
    ExprScope scope;
} Bench;

// Wrong answers of the running test: all are told before it fails.
static int wrong;

#define WRONG(...) (wrong++, print_error(__VA_ARGS__), print_error("\n"))

// An edit that must work.
static inline void put(Lab *l, Err e) {
    if (e) fail_msg("%s: %.*s", err_name(e), STR_ARG(l->diag.messages[0].text));
}

// cmocka setup: the world, and a view of it.
static inline int setup(void **state) {
    Bench *b = mem_alloc(sizeof *b);
    Lab *l = &b->lab;
    lab_open(l);
    put(l, lab_models(l, MODELS));
    put(l, lab_put(l, "p1", PUMP));
    put(l, lab_put(l, "p2", "{'$metadata':{'$model':'dtmi:x:Pump;1'},'temp':30,'power':2,'rated':100,'thermo':{}}"));
    put(l, lab_put(l, "p3", "{'$metadata':{'$model':'dtmi:x:Big;1'},'power':5,'on':false,'thermo':{}}"));
    put(l, lab_put(l, "w",
                   "{'$metadata':{'$model':'dtmi:x:Wide;1'},'u64':18446744073709551615,'dec':'1.50',"
                   "'temp':'warm'}"));
    put(l, lab_link(l, "p1", "a", "{'$relationshipName':'feeds','$targetId':'p2','w':0.5}"));
    put(l, lab_link(l, "p1", "b", "{'$relationshipName':'feeds','$targetId':'p3','w':2}"));
    put(l, lab_link(l, "p1", "c", "{'$relationshipName':'any','$targetId':'p2'}"));
    put(l, lab_link(l, "p2", "d", "{'$relationshipName':'feeds','$targetId':'p1'}"));
    put(l, lab_link(l, "p1", "e", "{'$relationshipName':'any','$targetId':'w'}"));
    view_begin(&b->view, l->w);
    arena_init(&b->arena, 0);
    arena_init(&b->scratch, 0);
    *state = b;
    return 0;
}

// cmocka teardown: fails after wrong answers.
static inline int teardown(void **state) {
    Bench *b = *state;
    view_end(&b->view);
    lab_close(&b->lab);
    arena_free(&b->arena);
    arena_free(&b->scratch);
    mem_free(b);
    int bad = wrong;
    wrong = 0;
    return bad ? -1 : 0;
}

// Source i is a twin, with an alias.
static inline void stand(Bench *b, int i, const char *alias, const char *id) {
    TwinId t = view_find_twin(&b->view, str_of(id));
    TwinView v = view_twin_place(&b->view, t);
    b->sources[i] = (ExprSource){.alias = str_of(alias), .kind = EXPR_TWIN, .table = v.table};
    b->rows[i] = (ExprRow){t.v, v.row};
    b->scope = (ExprScope){.catalog = b->view.catalog, .sources = b->sources, .count = i + 1};
}

// Source i is a relationship, with an alias.
static inline void stand_link(Bench *b, int i, const char *alias, const char *source, const char *rid) {
    LinkId k = view_find_link(&b->view, view_find_twin(&b->view, str_of(source)), str_of(rid));
    LinkView l = view_link(&b->view, k);
    b->sources[i] = (ExprSource){.alias = str_of(alias), .kind = EXPR_LINK, .link = l.kind};
    b->rows[i] = (ExprRow){k.v, k.v};
    b->scope = (ExprScope){.catalog = b->view.catalog, .sources = b->sources, .count = i + 1};
}

// The tree of a text in the bench's scope.
static inline Err bound(Bench *b, const char *text, Bound **out, Diag *d) {
    Expr *e;
    TRY(expr_parse(&b->arena, str_of(text), &e, d));
    return expr_bind(&b->arena, &b->scope, e, out, d);
}

// Its value, checked against the static type.
static inline ExprValue value(Bench *b, const char *text, ExprType *type) {
    Bound *tree = NULL;
    Diag d;
    diag_init(&d);
    Err e = bound(b, text, &tree, &d);
    if (e) WRONG("%s: %.*s", text, STR_ARG(d.messages[0].text));
    diag_free(&d);
    if (e) return (ExprValue){.type = EXPR_UNDEFINED};
    ExprRun run = {.view = &b->view, .now = LAB_START + 3600 * NS_PER_S, .scratch = &b->scratch};
    ExprValue v = expr_eval(tree, &run, b->rows);
    *type = tree->type;
    if (v.type != EXPR_UNDEFINED && tree->type != EXPR_ANY && v.type != tree->type)
        WRONG("%s: static type %d, value %d", text, (int)tree->type, (int)v.type);
    return v;
}

// The value is `want` as JSON with ' for "; "-" is undefined.
static inline void gives(Bench *b, const char *text, const char *want) {
    Buf out = {0}, full = {0};
    ExprType type;
    ExprValue v = value(b, text, &type);
    if (v.type == EXPR_UNDEFINED) buf_byte(&out, '-');
    else expr_value_json(&v, &out);
    for (const char *p = want; *p; p++) buf_byte(&full, *p == '\'' ? '"' : *p);
    if (!str_eq(buf_str(&out), buf_str(&full)))
        WRONG("%s gives %.*s, wanted %.*s", text, STR_ARG(buf_str(&out)), STR_ARG(buf_str(&full)));
    buf_free(&out);
    buf_free(&full);
}

typedef struct Case {
    const char *text, *want;
} Case;

// All of a table.
static inline void give_all(Bench *b, const Case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) gives(b, cases[i].text, cases[i].want);
}

#define GIVE_ALL(b, cases) give_all(b, cases, sizeof(cases) / sizeof *(cases))
