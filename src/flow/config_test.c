// SPDX-License-Identifier: Apache-2.0
// Configs: every member arrives where it belongs; every mistake is told with its place.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/mem.h"
#include "flow/config.h"

// ' stands for ".
static Err read(const char *text, FlowConfig **c, Diag *d) {
    Buf b = {0};
    for (const char *p = text; *p; p++) buf_byte(&b, *p == '\'' ? '"' : *p);
    Err e = flow_config_read(buf_str(&b), c, d);
    buf_free(&b);
    return e;
}

static FlowConfig *good(const char *text) {
    FlowConfig *c = NULL;
    Diag d = {0};
    Err e = read(text, &c, &d);
    if (e != ERR_OK) {
        Buf b = {0};
        diag_print(&d, &b);
        print_message("%.*s\n", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    assert_int_equal(e, ERR_OK);
    diag_free(&d);
    return c;
}

static const FlowDist *dist_of(const FlowConfig *c, FlowRef r) {
    assert_true(r >= 1 && r <= c->def.dist_count);
    return &c->def.dists[r - 1];
}

static void test_every_member(void **s) {
    (void)s;
    FlowConfig *c = good(
        "{'types':['small','large'],'attributes':['size','path'],'warmup':60,"
        "'calendars':{'shifts':{'period':'day','offset':3600,'steps':[[0,0],[21600,1],[79200,0]]},"
        "'rush':{'steps':[[0,0.5],[3600,2]]},'once':{'period':'once','steps':[[0,1],[5,0]]}},"
        "'resources':{'nurse':{'number':3,'calendar':'shifts'},'room':2},"
        "'nodes':{'in':{'is':'source','rate':'rush','type':'large','priority':2,'limit':7,'first':3,'size':{'poisson':"
        "2},"
        "'set':{'size':{'uniform':[1,2]},'due':{'add':50},'type':{'empirical':[[0,1],[1,3]]}}},"
        "'post':{'is':'source','times':[1,2.5,9],'firstGap':false},'law':{'is':'source','gap':{'erlang':[4,2]}},"
        "'desk':{'is':'station','servers':3,'capacity':4,'full':'lose','discipline':'due','instead':'away',"
        "'service':{'byType':{'small':3,'large':{'attribute':'size','times':2,'plus':1}}},"
        "'patience':{'weibull':[10,2]},'balk':6,'seize':{'nurse':1,'room':2},'hold':true,'calendar':'shifts',"
        "'suspend':true,'scrap':0.1,'route':'least','quantiles':true,'byType':true,'levels':9,'high':6,'low':2,'"
        "initial':2,"
        "'initialType':'large'},"
        "'lathe':{'is':'station','setup':[[0,5],[7,0]],'release':['nurse'],'preempt':'resume','staffing':'rush',"
        "'copies':2,'service':{'by':'path','of':[1,{'triangular':[1,2,4]}]},"
        "'failures':[{'after':{'exponential':100},'repair':{'geometric':[0.5,2]},'clock':'operating','crew':{'nurse':2}"
        ","
        "'priority':-1,'work':'scrap'}]},"
        "'pack':{'is':'station','batch':4,'batchType':true,'merge':true,'unpack':true,'servers':'infinite'},"
        "'join':{'is':'station','assemble':true,'capacity':'infinite'},'hall':{'is':'buffer','capacity':8},"
        "'belt':{'is':'conveyor','length':10,'speed':0.5,'spacing':0.4,'accumulating':true},'out':{'is':'sink','"
        "initialService':5,'target'"
        ":14400},"
        "'crew':{'is':'resource','servers':5,'calendar':'shifts'}},"
        "'ways':{'away':{'travel':{'normal':[60,5]}},'back':{'weight':0.2,'number':3,"
        "'when':{'attribute':'path','is':'>=','value':2}},'big':{'when':{'of':'type','is':'=','value':'large'},"
        "'use':'release'}}}");
    assert_true(c->warmup == 60 && c->def.types == 2 && c->def.attributes == 2 && c->kind_count == 11);
    const FlowNode *in = &c->kinds[0].node, *desk = &c->kinds[3].node, *lathe = &c->kinds[4].node;
    assert_true(in->kind == FLOW_SOURCE && in->rate == 2 && in->type == 1 && in->priority == 2 && in->limit == 7);
    assert_true(in->first == 3 && in->first_gap && dist_of(c, in->size)->kind == FLOW_POISSON && in->sets.count == 3);
    assert_true(c->def.sets[in->sets.first + 1].of == FLOW_SET_DUE && c->def.sets[in->sets.first + 1].add);
    assert_true(c->kinds[1].node.trace.count == 3 && !c->kinds[1].node.first_gap);
    assert_true(c->def.numbers[c->kinds[1].node.trace.first + 1] == 2.5);
    assert_true(dist_of(c, c->kinds[2].node.gap)->kind == FLOW_GAMMA && dist_of(c, c->kinds[2].node.gap)->b == 2);
    assert_true(desk->servers == 3 && desk->bounded && desk->capacity == 4 && desk->lose &&
                desk->discipline == FLOW_DUE);
    assert_true(dist_of(c, desk->service)->kind == FLOW_PICK && dist_of(c, desk->service)->a == -1);
    assert_true(desk->seize.count == 2 && c->def.uses[desk->seize.first + 1].number == 2 && desk->hold &&
                desk->suspend);
    assert_true(desk->calendar == 1 && desk->scrap == 0.1 && desk->route == FLOW_LEAST && desk->levels == 9 &&
                desk->high == 6 && desk->low == 2);
    assert_true(desk->quantiles && desk->by_type && desk->initial == 2 && desk->initial_type == 1);
    assert_true(str_eq(c->kinds[3].instead, STR("away")));
    assert_true(lathe->setups.count == 4 && c->def.numbers[lathe->setups.first + 2] == 7 && lathe->release.count == 1);
    assert_true(lathe->preempt == FLOW_PREEMPT_RESUME && lathe->staffing == 2 && lathe->failures.count == 1);
    const FlowFailure *f = &c->def.failures[lathe->failures.first];
    assert_true(f->operating && f->crew.number == 2 && f->priority == -1 && f->work == FLOW_BROKEN_SCRAP);
    assert_true(c->kinds[5].node.batch == 4 && isinf(c->kinds[5].node.servers) && c->kinds[5].node.merge);
    assert_true(!c->kinds[6].node.bounded && c->kinds[6].node.assemble && c->kinds[7].node.capacity == 8);
    assert_true(c->kinds[8].node.length == 10 && c->kinds[8].node.accumulating && c->kinds[9].node.kind == FLOW_SINK);
    assert_true(c->kinds[10].resource && c->kinds[10].node.servers == 5 && c->kinds[10].calendar == 1);
    assert_true(c->way_count == 3 && c->ways[0].edge.travel && c->ways[0].edge.weight == 1 &&
                c->ways[1].edge.weight == 0.2);
    assert_true(c->ways[1].edge.test == FLOW_GE && c->ways[1].edge.attribute == 1 && c->ways[1].edge.value == 2);
    assert_true(c->ways[2].edge.subject == FLOW_OF_TYPE && c->ways[2].edge.value == 1);
    assert_true(c->kinds[9].node.target == 14400 && c->kinds[9].node.initial_service &&
                c->ways[1].use == FLOW_USE_SERVICE && c->ways[2].use == FLOW_USE_RELEASE);
    assert_true(c->def.calendars[0].period == 86400 && c->def.calendars[0].offset == 3600);
    assert_true(c->def.calendars[1].period == 604800 && c->def.calendars[2].period == 0);
    flow_config_free(c);
}

static void refused(const char *text, Err code, const char *why) {
    FlowConfig *c = NULL;
    Diag d = {0};
    Buf b = {0};
    assert_int_equal(read(text, &c, &d), code);
    assert_null(c);
    diag_print(&d, &b);
    if (str_find_str(buf_str(&b), str_of(why)) < 0) print_message("no \"%s\" in: %.*s\n", why, STR_ARG(buf_str(&b)));
    assert_true(str_find_str(buf_str(&b), str_of(why)) >= 0);
    buf_free(&b);
    diag_free(&d);
}

static void node_refused(const char *node, const char *why) {
    char text[500];
    snprintf(text, sizeof text, "{'types':['a','b'],'attributes':['x'],'resources':{'r':1},'nodes':{'n':{%s}}}", node);
    refused(text, ERR_VALIDATION, why);
}

static void test_mistakes(void **s) {
    (void)s;
    refused("{'nodes':", ERR_SYNTAX, "");
    refused("[]", ERR_VALIDATION, "config: it must be an object");
    refused("{}", ERR_VALIDATION, "nodes: there is no kind of nodes");
    refused("{'nods':{}}", ERR_VALIDATION, "nods: there is no such member");
    refused("{'types':['a','a'],'nodes':{}}", ERR_VALIDATION, "types: \"a\" is there twice");
    refused("{'attributes':['1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17']}", ERR_LIMIT,
            "attributes: there are 17, and 16 are the most");
    refused("{'calendars':{'c':{'steps':[[0]]}}}", ERR_VALIDATION,
            "calendars.c.steps: it must be a list of [time, value]");
    refused("{'resources':{'r':{'calendar':'c'}}}", ERR_VALIDATION, "resources.r.number: it is missing");
    refused("{'warmup':'soon'}", ERR_VALIDATION, "warmup: it must be a number");
    refused("{'warmup':{'pilot':0}}", ERR_VALIDATION, "warmup.pilot: a pilot has a length");
    refused("{'warmup':{'pilots':1}}", ERR_VALIDATION, "warmup: it must be a number");
    node_refused("'service':1", "nodes.n.is: it is missing");
    node_refused("'is':'machine'", "nodes.n.is: it must be one of source, station");
    node_refused("'is':'station','service':'x'", "nodes.n.service: it must be a number or a distribution");
    node_refused("'is':'station','service':{'expo':1}", "there is no distribution \"expo\"");
    node_refused("'is':'station','service':{'normal':[1]}", "normal takes 2 numbers");
    node_refused("'is':'station','service':{'byType':{'a':1}}", "the type \"b\" is missing");
    node_refused("'is':'station','service':{'attribute':'y'}", "there is no attribute \"y\"");
    node_refused("'is':'station','service':{'empirical':[1]}", "it must be a list of [value, weight]");
    node_refused("'is':'station','seize':{'q':1}", "nodes.n.seize: there is no resource \"q\"");
    node_refused("'is':'station','servers':0", "nodes.n.servers: it must be more than 0");
    node_refused("'is':'station','calendar':'c'", "nodes.n.calendar: there is no calendar \"c\"");
    node_refused("'is':'station','set':{'y':1}", "nodes.n.set: there is no attribute \"y\"");
    node_refused("'is':'station','setup':[[1,2]]", "nodes.n.setup: it must have a row of every type");
    node_refused("'is':'station','failures':[{'when':1}]", "nodes.n.failures: there is no such member: \"when\"");
    node_refused("'is':'station','route':'best'", "nodes.n.route: it must be one of share, first, least, turn");
    node_refused("'is':'station','type':'c'", "nodes.n.type: there is no type \"c\"");
    node_refused("'is':'station','hold':1", "nodes.n.hold: it must be true or false");
    refused("{'nodes':{'n':{'is':'sink'}},'ways':{'w':{'when':{'is':'<','value':1}}}}", ERR_VALIDATION,
            "ways.w.when: it needs an attribute");
    refused("{'nodes':{'n':{'is':'sink'}},'ways':{'w':{'speed':1}}}", ERR_VALIDATION,
            "ways.w.speed: there is no such member");
    refused("{'nodes':{'n':{'is':'sink'}},'ways':{'w':{'use':'keep'}}}", ERR_VALIDATION,
            "ways.w.use: it must be one of service, held, release");
}

static void test_the_most_kinds(void **s) {
    (void)s;
    for (int more = 0; more < 2; more++) {
        Buf b = {0};
        FlowConfig *c = NULL;
        Diag d = {0};
        buf_printf(&b, "{\"nodes\":{");
        for (int i = 0; i < FLOW_KINDS_MAX + more; i++) buf_printf(&b, "%s\"k%d\":{\"is\":\"sink\"}", i ? "," : "", i);
        buf_printf(&b, "}}");
        assert_int_equal(flow_config_read(buf_str(&b), &c, &d), more ? ERR_LIMIT : ERR_OK);
        flow_config_free(c);
        diag_free(&d);
        buf_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_the_most_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
