// SPDX-License-Identifier: Apache-2.0
// Fuzz: the input is an expression. What parses prints as a text that parses to the same; bound to a twin, to a
// relationship and to both, leniently and strictly, it has a value of its static type, finite, that is valid JSON; a
// test of it is the same twice.
#include <math.h>
#include "base/check.h"
#include "expr/lex.h"
#include "world/test_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Lab lab;
static View view;
static ExprSource sources[2];
static ExprRow rows[2];

static const char MODELS[] =
    "[{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:x:P;1',"
    "'@type':'Interface','extends':'dtmi:lab:Room;1','contents':["
    "{'@type':['Property','Temperature'],'name':'c','schema':'double','unit':'degreeCelsius'},"
    "{'@type':['Property','Power'],'name':'kw','schema':'integer','unit':'kilowatt'},"
    "{'@type':'Property','name':'area','schema':'polygon'},"
    "{'@type':'Relationship','name':'r','properties':[{'@type':'Property','name':'w','schema':'double'}]}]}]";

static const char ROOM[] =
    "{'$metadata':{'$model':'dtmi:x:P;1','c':{'sourceTime':'2025-12-31T23:00:00.123456789Z'}},'temp':1,'count':2,"
    "'name':'n\\u00e4','flow':0.1,'big':-9223372036854775808,'on':true,'day':'2026-01-01','at':'2026-01-01T00:00:00Z',"
    "'dur':'PT5M','level':7,'color':'r','pos':{'x':1,'in':{'z':3},'marks':[1]},'tags':{'a':'1'},'list':[1,2],"
    "'grid':[[1]],'deep':{'k':{'p':1}},'thermo':{'setPoint':20,'box':{'w':1}},'c':20,'kw':3,"
    "'place':{'type':'Point','coordinates':[1,2]},'area':{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,0]]]}}";

static void open_once(void) {
    if (lab.w) return;
    lab_open(&lab);
    CHECK(lab_models(&lab, MODELS) == ERR_OK);
    CHECK(lab_put(&lab, "p", ROOM) == ERR_OK);
    CHECK(lab_put(&lab, "q", "{'$metadata':{'$model':'dtmi:x:P;1'},'c':5,'thermo':{}}") == ERR_OK);
    CHECK(lab_put(&lab, "d", "{'$metadata':{'$model':'dtmi:lab:Desk;1'},'height':1}") == ERR_OK);
    CHECK(lab_link(&lab, "p", "1", "{'$relationshipName':'r','$targetId':'q','w':0.5}") == ERR_OK);
    CHECK(lab_link(&lab, "p", "2", "{'$relationshipName':'contains','$targetId':'d'}") == ERR_OK);
    CHECK(lab_link(&lab, "q", "3", "{'$relationshipName':'near','$targetId':'p','weight':1}") == ERR_OK);
    view_begin(&view, lab.w);
    TwinId p = view_find_twin(&view, STR("p"));
    LinkId k = view_find_link(&view, p, STR("1"));
    TwinView t = view_twin_place(&view, p);
    sources[0] = (ExprSource){.alias = STR("T"), .kind = EXPR_TWIN, .table = t.table};
    sources[1] = (ExprSource){.alias = STR("L"), .kind = EXPR_LINK, .link = view_link(&view, k).kind};
    rows[0] = (ExprRow){p.v, t.row};
    rows[1] = (ExprRow){k.v, k.v};
}

// Thirty moments of any property, the last but one a gap.
static Err made_up(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    (void)ctx;
    (void)v;
    CHECK(r->from <= r->to);
    uint64_t apart = ((uint64_t)r->to - (uint64_t)r->from) / 29;
    for (int i = 0; i < (r->from == r->to ? 1 : 30); i++) {
        ExprMoment m = {.time = (int64_t)((uint64_t)r->from + apart * (uint64_t)i), .valid = i != 28};
        m.bits = i % 7 == 3 ? UINT64_MAX - r->column : bits_of(i * 0.75);
        m.text = i % 2 ? STR("2026-01-01") : STR("[1]");
        if (!fn(arg, &m)) break;
    }
    return ERR_OK;
}

static void check_print(const Expr *e, Arena *a) {
    Buf first = {0}, again = {0};
    Expr *back;
    expr_print(e, &first);
    Err err = expr_parse(a, buf_str(&first), &back, NULL);
    CHECK(err == ERR_OK || (err == ERR_LIMIT && first.n > EXPR_TEXT_MAX));
    if (err == ERR_OK) expr_print(back, &again);
    CHECK(err || str_eq(buf_str(&first), buf_str(&again)));
    buf_free(&first);
    buf_free(&again);
}

static void check_value(const Bound *b, const ExprValue *v, Arena *a) {
    Buf text = {0};
    Json doc;
    CHECK(v->type != EXPR_ANY);
    CHECK(v->type == EXPR_UNDEFINED || b->type == EXPR_ANY || v->type == b->type);
    CHECK(v->type != EXPR_F64 || isfinite(v->d));
    if (v->type == EXPR_STR) CHECK(str_utf8_ok(v->s));
    expr_value_json(v, &text);
    CHECK(text.full || json_parse(buf_str(&text), NULL, a, &doc, NULL) == ERR_OK);
    CHECK(expr_compare(v, v) == (v->type == EXPR_UNDEFINED ? 2 : 0));
    buf_free(&text);
}

static void check_scope(const Expr *e, Arena *a, int first, int count, bool strict, bool bare) {
    ExprScope scope = {view.catalog, &sources[first], count, bare, strict};
    Bound *b = NULL;
    Diag d;
    diag_init(&d);
    Err err = expr_bind(a, &scope, e, &b, &d);
    CHECK((err == ERR_OK) == (d.count == 0));
    if (err == ERR_OK) {
        const ExprPast past = {.moments = made_up};
        ExprRun run = {.view = &view, .now = LAB_START, .scratch = a, .visited_max = 20000, .past = &past};
        ExprValue v = expr_eval(b, &run, &rows[first]);
        check_value(b, &v, a);
        run.visited = 0;
        run.stopped = false;
        bool test = expr_test(b, &run, &rows[first]);
        CHECK(test == (v.type == EXPR_BOOL && v.b));
    } else {
        CHECK(err == ERR_SYNTAX || err == ERR_LIMIT);
        CHECK(d.messages[0].at >= 0 && d.messages[0].end >= d.messages[0].at);
    }
    diag_free(&d);
}

static void see_path(void *ctx, const Expr *e, bool inside) {
    ExprScope scope = {view.catalog, sources, 2, true, false};
    Str near;
    (void)inside;
    if (e->op == EX_PATH) *(int *)ctx += expr_known(&scope, e, &near);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a;
    Expr *e;
    int known = 0;
    Diag d;
    if (size > 1500) return 0;
    open_once();
    arena_init(&a, 0);
    diag_init(&d);
    Err err = expr_parse(&a, (Str){(const char *)data, (int64_t)size}, &e, &d);
    CHECK((err == ERR_OK) == (d.count == 0));
    if (err == ERR_OK) {
        check_print(e, &a);
        check_scope(e, &a, 0, 1, false, false);
        check_scope(e, &a, 0, 1, true, false);
        check_scope(e, &a, 1, 1, false, false);
        check_scope(e, &a, 0, 2, false, true);
        check_scope(e, &a, 0, 2, false, false);
        expr_walk(e, see_path, &known);
    } else {
        CHECK(d.messages[0].at >= 0 && d.messages[0].end >= d.messages[0].at);
    }
    diag_free(&d);
    arena_free(&a);
    return 0;
}
