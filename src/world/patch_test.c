// SPDX-License-Identifier: Apache-2.0
// JSON Patch: every path rule with its error, changes of model, and random patches against a naive reference that
// applies them to a plain JSON document.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "world/edit_inner.h"
#include "world/test_edit.h"

#define ROOM "'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{'$metadata':{}}"

static int setup(void **state) {
    Lab *l = mem_alloc(sizeof *l);
    lab_open(l);
    *state = l;
    return 0;
}

static int teardown(void **state) {
    lab_close(*state);
    mem_free(*state);
    return 0;
}

static void refused(Lab *l, Err got, Err want, const char *part) {
    Buf text = {0};
    diag_print(&l->diag, &text);
    if (got != want || l->diag.code != want || str_find_str(buf_str(&text), str_of(part)) < 0) {
        print_error("wanted %s with \"%s\", got %s: %.*s\n", err_name(want), part, err_name(got),
                    STR_ARG(buf_str(&text)));
        fail();
    }
    buf_free(&text);
}

static void worked(Lab *l, Err got) {
    if (got == ERR_OK) return;
    Buf text = {0};
    diag_print(&l->diag, &text);
    print_error("%s: %.*s\n", err_name(got), STR_ARG(buf_str(&text)));
    fail();
}

static void holds(Lab *l, const char *id, const char *want) {
    Json got = lab_values(l, lab_get(l, id, true)), expect = lab_values(l, lab_text(l, want));
    if (json_equal(&got, &expect)) return;
    print_error("%s: %.*s\nwanted %s\n", id, STR_ARG(lab_get(l, id, true)), want);
    fail();
}

static Json whole(Lab *l, const char *id) {
    Json v;
    Str text = arena_str(&l->arena, lab_get(l, id, false));
    assert_int_equal(json_parse(text, NULL, &l->arena, &v, NULL), ERR_OK);
    return v;
}

static Str stamp_of(Lab *l, const char *id, const char *component, const char *name, const char *what) {
    Json v = whole(l, id);
    const Json *at = component ? json_get(&v, str_of(component)) : &v;
    const Json *m = json_get(json_get(json_get(at, STR("$metadata")), str_of(name)), str_of(what));
    return m ? m->s : (Str){0};
}

static const char FULL[] =
    "{'$metadata':{'$model':'dtmi:lab:Room;1'},'temp':1,'count':2,'pos':{'x':1,'in':{'z':3},'marks':[1,2]},"
    "'tags':{'a':'1','b/c':'2','d~e':'3'},'list':[1,2,3],'grid':[[1],[2,3]],'deep':{'k':{'p':1,'q':['x']}},"
    "'thermo':{'setPoint':20,'box':{'w':1},'$metadata':{}}}";

static void every_kind_of_path(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", FULL));
    worked(l, lab_patch(l, "r",
                        "[{'op':'add','path':'/name','value':'n'},{'op':'replace','path':'/temp','value':2.5},"
                        "{'op':'remove','path':'/count'},{'op':'add','path':'/on','value':true},"
                        "{'op':'add','path':'/pos/y','value':7},{'op':'replace','path':'/pos/in/z','value':4},"
                        "{'op':'add','path':'/pos/in/label','value':'l'},{'op':'remove','path':'/pos/x'},"
                        "{'op':'add','path':'/pos/marks/-','value':3},{'op':'remove','path':'/pos/marks/0'}]"));
    worked(l, lab_patch(l, "r",
                        "[{'op':'add','path':'/tags/new','value':'n'},{'op':'replace','path':'/tags/b~1c','value':'x'},"
                        "{'op':'remove','path':'/tags/d~0e'},{'op':'add','path':'/list/1','value':9},"
                        "{'op':'replace','path':'/list/0','value':0},{'op':'add','path':'/list/-','value':4},"
                        "{'op':'add','path':'/grid/1/0','value':7},{'op':'add','path':'/deep/m','value':{}},"
                        "{'op':'add','path':'/deep/m/p','value':2},{'op':'replace','path':'/deep/k/q/0','value':'y'},"
                        "{'op':'replace','path':'/thermo/setPoint','value':21},"
                        "{'op':'add','path':'/thermo/mode','value':'HEAT'},"
                        "{'op':'replace','path':'/thermo/box/w','value':5}]"));
    holds(l, "r",
          "{'name':'n','temp':2.5,'on':true,'pos':{'y':7,'in':{'z':4,'label':'l'},'marks':[2,3]},"
          "'tags':{'a':'1','new':'n','b/c':'x'},'list':[0,9,2,3,4],'grid':[[1],[7,2,3]],"
          "'deep':{'k':{'p':1,'q':['y']},'m':{'p':2}},'thermo':{'setPoint':21,'mode':'HEAT','box':{'w':5}}}");
    worked(l, lab_patch(l, "r", "[{'op':'replace','path':'/thermo','value':{'$metadata':{},'mode':'OFF'}}]"));
    worked(l, lab_part(l, "r", "thermo",
                       "[{'op':'add','path':'/box','value':{}},{'op':'replace','path':'/mode',"
                       "'value':'HEAT'}]"));
    worked(l, lab_patch(l, "r", "[{'op':'replace','path':'/pos','value':{'in':{}}}]"));
    holds(l, "r",
          "{'name':'n','temp':2.5,'on':true,'pos':{'in':{}},'tags':{'a':'1','new':'n','b/c':'x'},'list':[0,9,2,3,4],"
          "'grid':[[1],[7,2,3]],'deep':{'k':{'p':1,'q':['y']},'m':{'p':2}},'thermo':{'mode':'HEAT','box':{}}}");
}

static void bad_patches(void **state) {
    Lab *l = *state;
    static const struct {
        const char *ops;
        Err err;
        const char *part;
    } cases[] = {
        {"{}", ERR_PATCH, "array"},
        {"[5]", ERR_PATCH, "object"},
        {"[{'path':'/temp','value':1}]", ERR_PATCH, "op"},
        {"[{'op':7,'path':'/temp','value':1}]", ERR_PATCH, "op"},
        {"[{'op':'move','path':'/temp','value':42}]", ERR_PATCH, "Unsupported operation type move"},
        {"[{'op':'copy','from':'/temp','path':'/flow'}]", ERR_PATCH, "Unsupported operation type copy"},
        {"[{'op':'test','path':'/temp','value':1}]", ERR_PATCH, "Unsupported operation type test"},
        {"[{'op':'Add','path':'/temp','value':1}]", ERR_PATCH, "Unsupported operation type Add"},
        {"[{'op':'add','value':1}]", ERR_PATCH, "path"},
        {"[{'op':'add','path':5,'value':1}]", ERR_PATCH, "path"},
        {"[{'op':'add','path':'','value':{}}]", ERR_PATCH, "whole"},
        {"[{'op':'add','path':'/','value':{}}]", ERR_PATCH, "whole"},
        {"[{'op':'add','path':'temp','value':1}]", ERR_PATCH, "begins with /"},
        {"[{'op':'add','path':'/temp'}]", ERR_PATCH, "value"},
        {"[{'op':'replace','path':'/temp'}]", ERR_PATCH, "value"},
        {"[{'op':'add','op':'remove','path':'/temp'}]", ERR_PATCH, "twice"},
        {"[{'op':'add','path':'/te~2mp','value':1}]", ERR_PATCH, "malformed"},
        {"[{'op':'add','path':'/nope','value':1}]", ERR_VALIDATION, "nope"},
        {"[{'op':'remove','path':'/nope'}]", ERR_VALIDATION, "nope"},
        {"[{'op':'add','path':'/noise','value':1}]", ERR_VALIDATION, "telemetry"},
        {"[{'op':'add','path':'/contains','value':1}]", ERR_VALIDATION, "relationship"},
        {"[{'op':'add','path':'/temp','value':null}]", ERR_VALIDATION, "null"},
        {"[{'op':'add','path':'/temp','value':'x'}]", ERR_VALIDATION, "temp"},
        {"[{'op':'replace','path':'/flow','value':1}]", ERR_PATCH, "no value"},
        {"[{'op':'remove','path':'/flow'}]", ERR_PATCH, "no value"},
        {"[{'op':'remove','path':'/temp'},{'op':'replace','path':'/temp','value':1}]", ERR_PATCH, "no value"},
        {"[{'op':'add','path':'/temp/x','value':1}]", ERR_PATCH, "parts"},
        {"[{'op':'add','path':'/pos/x/y','value':1}]", ERR_PATCH, "parts"},
        {"[{'op':'add','path':'/pos/q','value':1}]", ERR_VALIDATION, "q"},
        {"[{'op':'replace','path':'/pos/y','value':1}]", ERR_PATCH, "no value"},
        {"[{'op':'remove','path':'/pos'},{'op':'add','path':'/pos/x','value':1}]", ERR_PATCH, "nothing above"},
        {"[{'op':'add','path':'/nums/a','value':1}]", ERR_PATCH, "nothing above"},
        {"[{'op':'add','path':'/tags/a','value':1}]", ERR_VALIDATION, "tags"},
        {"[{'op':'add','path':'/tags/$x','value':'1'}]", ERR_VALIDATION, "key"},
        {"[{'op':'replace','path':'/tags/q','value':'1'}]", ERR_PATCH, "no value"},
        {"[{'op':'remove','path':'/tags/q'}]", ERR_PATCH, "no value"},
        {"[{'op':'add','path':'/tags/a/b','value':'1'}]", ERR_PATCH, "parts"},
        {"[{'op':'add','path':'/deep/z/p','value':1}]", ERR_PATCH, "nothing above"},
        {"[{'op':'add','path':'/list/4','value':1}]", ERR_PATCH, "element"},
        {"[{'op':'replace','path':'/list/3','value':1}]", ERR_PATCH, "element"},
        {"[{'op':'remove','path':'/list/3'}]", ERR_PATCH, "element"},
        {"[{'op':'remove','path':'/list/-'}]", ERR_PATCH, "number"},
        {"[{'op':'add','path':'/list/01','value':1}]", ERR_PATCH, "number"},
        {"[{'op':'add','path':'/list/x','value':1}]", ERR_PATCH, "number"},
        {"[{'op':'add','path':'/list/0','value':'x'}]", ERR_VALIDATION, "list"},
        {"[{'op':'remove','path':'/thermo'}]", ERR_VALIDATION, "thermo"},
        {"[{'op':'replace','path':'/thermo','value':5}]", ERR_VALIDATION, "component"},
        {"[{'op':'add','path':'/thermo/nope','value':5}]", ERR_VALIDATION, "nope"},
        {"[{'op':'add','path':'/thermo/ticks','value':5}]", ERR_VALIDATION, "ticks"},
        {"[{'op':'replace','path':'/$dtId','value':'x'}]", ERR_PATCH, "cannot be patched"},
        {"[{'op':'replace','path':'/$etag','value':'x'}]", ERR_PATCH, "cannot be patched"},
        {"[{'op':'replace','path':'/$metadata','value':{}}]", ERR_PATCH, "$metadata"},
        {"[{'op':'add','path':'/$metadata/$model','value':'dtmi:lab:Desk;1'}]", ERR_PATCH, "replace"},
        {"[{'op':'remove','path':'/$metadata/$model'}]", ERR_PATCH, "replace"},
        {"[{'op':'replace','path':'/$metadata/$model','value':5}]", ERR_VALIDATION, "DTMI"},
        {"[{'op':'replace','path':'/$metadata/$model','value':'dtmi:lab:None;1'}]", ERR_VALIDATION, "None"},
        {"[{'op':'replace','path':'/$metadata/$lastUpdateTime','value':'x'}]", ERR_PATCH, "$metadata"},
        {"[{'op':'replace','path':'/$metadata/temp','value':{}}]", ERR_PATCH, "$metadata"},
        {"[{'op':'replace','path':'/$metadata/temp/lastUpdateTime','value':'x'}]", ERR_PATCH, "sourceTime"},
        {"[{'op':'replace','path':'/$metadata/temp/sourceTime/x','value':'x'}]", ERR_PATCH, "sourceTime"},
        {"[{'op':'replace','path':'/$metadata/nope/sourceTime','value':'2026-01-01T00:00:00Z'}]", ERR_VALIDATION,
         "nope"},
        {"[{'op':'replace','path':'/$metadata/thermo/sourceTime','value':'2026-01-01T00:00:00Z'}]", ERR_VALIDATION,
         "thermo"},
        {"[{'op':'replace','path':'/$metadata/flow/sourceTime','value':'2026-01-01T00:00:00Z'}]", ERR_PATCH,
         "no value"},
        {"[{'op':'replace','path':'/$metadata/temp/sourceTime','value':'then'}]", ERR_VALIDATION, "sourceTime"},
        {"[{'op':'replace','path':'/$metadata/temp/sourceTime','value':null}]", ERR_VALIDATION, "sourceTime"},
        {"[{'op':'add','path':'/pos/$metadata/x/sourceTime','value':'2026-01-01T00:00:00Z'}]", ERR_PATCH,
         "cannot be patched"},
    };
    worked(l, lab_put(l, "r", FULL));
    Str before = arena_str(&l->arena, lab_get(l, "r", false));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(l, lab_patch(l, "r", cases[i].ops), cases[i].err, cases[i].part);
        // one good operation before the bad one is undone with it
        Str ops = arena_printf(&l->arena, "[{'op':'add','path':'/name','value':'x'},%s", cases[i].ops + 1);
        if (cases[i].ops[0] == '[') refused(l, lab_patch(l, "r", ops.p), cases[i].err, cases[i].part);
        assert_true(str_eq(before, lab_get(l, "r", false)));
    }
    refused(l, lab_patch(l, "nope", "[]"), ERR_TWIN_NOT_FOUND, "nope");
    refused(l, lab_part(l, "nope", "thermo", "[]"), ERR_TWIN_NOT_FOUND, "nope");
    refused(l, lab_part(l, "r", "pos", "[]"), ERR_COMPONENT_NOT_FOUND, "pos");
    refused(l, lab_part(l, "r", "nope", "[]"), ERR_COMPONENT_NOT_FOUND, "nope");
    refused(l, lab_part(l, "r", "thermo", "[{'op':'add','path':'/temp','value':1}]"), ERR_VALIDATION, "temp");
    refused(l, lab_part(l, "r", "thermo", "[{'op':'replace','path':'/$metadata/$model','value':'dtmi:lab:Desk;1'}]"),
            ERR_PATCH, "$metadata");
}

static void an_empty_patch_changes_nothing(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", FULL));
    Str before = arena_str(&l->arena, lab_get(l, "r", false));
    worked(l, lab_patch(l, "r", "[]"));
    assert_true(str_eq(before, lab_get(l, "r", false)));
}

static void touched_properties_alone_get_new_times(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", FULL));
    Str temp = stamp_of(l, "r", NULL, "temp", "lastUpdateTime");
    worked(l, lab_patch(l, "r", "[{'op':'add','path':'/count','value':2},{'op':'add','path':'/pos/y','value':1}]"));
    assert_true(str_eq(temp, stamp_of(l, "r", NULL, "temp", "lastUpdateTime")));
    assert_true(str_cmp(temp, stamp_of(l, "r", NULL, "count", "lastUpdateTime")) < 0);
    assert_true(str_cmp(temp, stamp_of(l, "r", NULL, "pos", "lastUpdateTime")) < 0);
    worked(l, lab_patch(l, "r", "[{'op':'remove','path':'/count'}]"));
    assert_int_equal(stamp_of(l, "r", NULL, "count", "lastUpdateTime").n, 0);
}

#define AT(hour) "2026-01-01T" hour ":00:00Z"
#define STAMP(path, hour) "{'op':'replace','path':'" path "/sourceTime','value':'" AT(hour) "'}"
#define LONG(hour) "2026-01-01T" hour ":00:00.0000000Z"

static void source_times(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", FULL));
    worked(l, lab_patch(l, "r", "[{'op':'add','path':'/temp','value':5}," STAMP("/$metadata/temp", "05") "]"));
    assert_true(str_eq(stamp_of(l, "r", NULL, "temp", "sourceTime"), STR(LONG("05"))));
    // a later write without a source time keeps the old one
    worked(l, lab_patch(l, "r", "[{'op':'add','path':'/temp','value':6}]"));
    assert_true(str_eq(stamp_of(l, "r", NULL, "temp", "sourceTime"), STR(LONG("05"))));
    // an editor may set it back, and the value counts
    worked(l, lab_patch(l, "r", "[{'op':'add','path':'/temp','value':7}," STAMP("/$metadata/temp", "03") "]"));
    assert_true(str_eq(stamp_of(l, "r", NULL, "temp", "sourceTime"), STR(LONG("03"))));
    worked(l, lab_patch(l, "r", "[" STAMP("/$metadata/pos", "04") "," STAMP("/thermo/$metadata/setPoint", "02") "]"));
    assert_true(str_eq(stamp_of(l, "r", NULL, "pos", "sourceTime"), STR(LONG("04"))));
    assert_true(str_eq(stamp_of(l, "r", "thermo", "setPoint", "sourceTime"), STR(LONG("02"))));
    worked(l, lab_part(l, "r", "thermo",
                       "[{'op':'replace','path':'/setPoint','value':1}," STAMP("/$metadata/setPoint", "06") "]"));
    assert_true(str_eq(stamp_of(l, "r", "thermo", "setPoint", "sourceTime"), STR(LONG("06"))));
    worked(l, lab_patch(l, "r", "[{'op':'remove','path':'/$metadata/temp/sourceTime'}]"));
    assert_int_equal(stamp_of(l, "r", NULL, "temp", "sourceTime").n, 0);
    Json v = whole(l, "r");
    assert_int_equal(json_get(&v, STR("temp"))->i, 7);
    assert_int_equal(json_get(json_get(&v, STR("thermo")), STR("setPoint"))->i, 1);
}

// A value and its source time in one patch are one change.
static void value_and_source_time_are_one_change(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", FULL));
    lab_begin(l);
    worked(l, edit_twin_patch(l->w, STR("r"),
                              lab_json(l, "[{'op':'add','path':'/temp','value':5}," STAMP("/$metadata/temp", "05") "]"),
                              (Precondition){0}, &l->diag));
    int64_t count;
    Cut cut = cut_of(world_batch(l->w, &count));
    Change c;
    assert_int_equal(count, 2);
    assert_int_equal(change_decode(&cut, &c), ERR_OK);
    assert_int_equal(c.kind, CHANGE_SET);
    assert_int_equal(c.source_time, LAB_START + 5 * 3600 * NS_PER_S);
    (void)lab_finish(l, ERR_OK);
}

// ---- change of model ---------------------------------------------------------------------------------------------

#define MODEL(m) "{'op':'replace','path':'/$metadata/$model','value':'dtmi:lab:" m ";1'}"
#define LAMP ",{'op':'add','path':'/lamp','value':{'$metadata':{}}}"

static void model_change(void **state) {
    Lab *l = *state;
    static const char body[] = "{'$metadata':{'$model':'dtmi:lab:Room;1'},'temp':1.5,'count':2,'color':'b',"
                               "'thermo':{'setPoint':20},'serial':'s'}";
    worked(l, lab_put(l, "r", body));
    TwinId id = lab_twin(l, "r");
    refused(l, lab_patch(l, "r", "[" MODEL("Hall") "]"), ERR_VALIDATION, "no place");
    refused(l, lab_patch(l, "r", "[" MODEL("Hall") LAMP ",{'op':'remove','path':'/serial'}]"), ERR_VALIDATION, "count");
    refused(l,
            lab_patch(l, "r",
                      "[{'op':'remove','path':'/serial'},{'op':'remove','path':'/count'},"
                      "{'op':'remove','path':'/color'}," MODEL("Hall") "]"),
            ERR_VALIDATION, "lamp");
    refused(l, lab_patch(l, "r", "[" MODEL("Hall") "," MODEL("Hall") "]"), ERR_PATCH, "second");
    // in any order: what goes, what comes, what is replaced by another type, what has to fit another enum
    worked(l, lab_patch(l, "r",
                        "[{'op':'replace','path':'/count','value':2.5}," MODEL("Hall") LAMP
                        ",{'op':'remove','path':'/serial'},{'op':'replace','path':'/color','value':'g'}]"));
    holds(l, "r", "{'temp':1.5,'count':2.5,'color':'g','thermo':{'setPoint':20},'lamp':{}}");
    assert_int_equal(lab_twin(l, "r").v, id.v);
    Json v = whole(l, "r");
    assert_true(str_eq(json_get(json_get(&v, STR("$metadata")), STR("$model"))->s, STR("dtmi:lab:Hall;1")));
    // a component may go only together with the model that has it
    refused(l, lab_patch(l, "r", "[{'op':'remove','path':'/lamp'}]"), ERR_VALIDATION, "lamp");
    worked(l, lab_patch(l, "r",
                        "[" MODEL("Chair") ",{'op':'remove','path':'/temp'},{'op':'remove','path':'/count'},"
                                           "{'op':'remove','path':'/color'},{'op':'remove','path':'/thermo'},"
                                           "{'op':'remove','path':'/lamp'},{'op':'add','path':'/legs','value':4}]"));
    holds(l, "r", "{'legs':4}");
    worked(l, lab_patch(l, "r", "[" MODEL("Chair") "]")); // the model it has
    // a removal of what neither model has a value for is still an error
    refused(l, lab_patch(l, "r", "[" MODEL("Desk") ",{'op':'remove','path':'/legs'},{'op':'remove','path':'/height'}]"),
            ERR_PATCH, "no value");
}

static void model_change_moves_links(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", "{" ROOM "}"));
    worked(l, lab_put(l, "d", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_link(l, "r", "n1", "{'$relationshipName':'near','$targetId':'d','weight':5}"));
    worked(l, lab_link(l, "r", "n2", "{'$relationshipName':'near','$targetId':'d','since':'2024-01-01'}"));
    worked(l, lab_link(l, "r", "c", "{'$relationshipName':'contains','$targetId':'d'}"));
    worked(l, lab_link(l, "d", "i", "{'$relationshipName':'near','$targetId':'r'}"));
    refused(l, lab_patch(l, "r", "[" MODEL("Hall") LAMP "]"), ERR_VALIDATION, "\"c\"");
    worked(l, lab_unlink(l, "r", "c"));
    refused(l, lab_patch(l, "r", "[" MODEL("Hall") LAMP "]"), ERR_VALIDATION, "\"n2\"");
    worked(l, lab_unlink(l, "r", "n2"));
    worked(l, lab_patch(l, "r", "[" MODEL("Hall") LAMP "]"));
    Str link = lab_get_link(l, "r", "n1");
    assert_true(str_find_str(link, STR("\"$relationshipName\":\"near\",\"$targetId\":\"d\",\"weight\":5}")) > 0);
    assert_true(lab_link_id(l, "d", "i").v != 0);
    worked(l, lab_link_patch(l, "r", "n1", "[{'op':'replace','path':'/weight','value':6}]"));
    refused(l, lab_link_patch(l, "r", "n1", "[{'op':'add','path':'/since','value':'2024-01-01'}]"), ERR_VALIDATION,
            "since");
    // inherited from the same definition: the link stays as it is
    LinkId same = lab_link_id(l, "d", "i");
    worked(l, lab_put(l, "d", "{" ROOM "}"));
    assert_int_equal(lab_link_id(l, "d", "i").v, same.v);
}

// ---- relationships -----------------------------------------------------------------------------------------------

static void links_patch(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "a", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_put(l, "b", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_link(l, "a", "r", "{'$relationshipName':'near','$targetId':'b','weight':1}"));
    worked(l, lab_link_patch(l, "a", "r",
                             "[{'op':'replace','path':'/weight','value':2},{'op':'add','path':'/tags',"
                             "'value':{'x':'1'}},{'op':'add','path':'/tags/y','value':'2'},"
                             "{'op':'add','path':'/box','value':{'a':1}},{'op':'add','path':'/box/b',"
                             "'value':2},{'op':'remove','path':'/box/a'}]"));
    Json got = lab_values(l, lab_get_link(l, "a", "r"));
    Json want = lab_values(l, lab_text(l, "{'weight':2,'tags':{'x':'1','y':'2'},'box':{'b':2}}"));
    assert_true(json_equal(&got, &want));
    static const struct {
        const char *ops;
        Err err;
    } bad[] = {{"[{'op':'replace','path':'/$targetId','value':'a'}]", ERR_PATCH},
               {"[{'op':'replace','path':'/$relationshipName','value':'a'}]", ERR_PATCH},
               {"[{'op':'add','path':'/$metadata/weight/sourceTime','value':'" AT("01") "'}]", ERR_PATCH},
               {"[{'op':'replace','path':'/since','value':'2024-01-01'}]", ERR_PATCH},
               {"[{'op':'add','path':'/nope','value':1}]", ERR_VALIDATION},
               {"[{'op':'add','path':'/weight','value':'1'}]", ERR_VALIDATION},
               {"[{'op':'copy','path':'/weight','from':'/x'}]", ERR_PATCH}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(l, lab_link_patch(l, "a", "r", bad[i].ops), bad[i].err, "");
}

// ---- against a naive reference -----------------------------------------------------------------------------------

typedef struct Naive {
    Lab *l;
    Rng rng;
    const Model *room;
    bool alive;
    Json doc; // values of the twin, "thermo" always among them
} Naive;

// The document with one operation applied, made anew at every level; false when RFC 6902 refuses it.
static bool naive_apply(Arena *a, const Json *doc, PatchKind kind, const Str *steps, int n, const Json *value,
                        Json *out) {
    bool object = doc->type == JSON_OBJECT, last = n == 1;
    if (doc->type != JSON_ARRAY && !object) return false;
    int32_t at = -1;
    for (int32_t i = 0; object && i < doc->count; i++) at = str_eq(doc->members[i].key, steps[0]) ? i : at;
    int64_t number;
    if (!object && str_to_i64(steps[0], &number)) at = (int32_t)number;
    if (!object && last && kind == PATCH_ADD && str_eq(steps[0], STR("-"))) at = doc->count;
    bool there = at >= 0 && at < doc->count;
    bool insert = last && kind == PATCH_ADD && (object ? !there : at >= 0 && at <= doc->count);
    if (!there && !insert) return false;
    Json child = {0};
    if (!last) {
        const Json *old = object ? &doc->members[at].value : &doc->items[at];
        if (!naive_apply(a, old, kind, steps + 1, n - 1, value, &child)) return false;
    } else if (value) {
        child = *value;
    }
    *out = (Json){.type = doc->type};
    if (object) out->members = NEW(a, JsonMember, doc->count + 1);
    else out->items = NEW(a, Json, doc->count + 1);
    if (at < 0) at = doc->count;
    for (int32_t i = 0; i <= doc->count; i++) {
        bool here = i == at, drop = here && last && kind == PATCH_REMOVE;
        if (here && !drop) {
            if (object) out->members[out->count] = (JsonMember){steps[0], child};
            else out->items[out->count] = child;
            out->count++;
        }
        if (i == doc->count || (here && !insert)) continue;
        if (object) out->members[out->count++] = doc->members[i];
        else out->items[out->count++] = doc->items[i];
    }
    return true;
}

// Every member is a value of its property.
static bool naive_valid(const Model *m, int32_t parent, const Json *doc) {
    for (int32_t i = 0; i < doc->count; i++) {
        const Field *f = model_child(m, parent, doc->members[i].key);
        const Json *v = &doc->members[i].value;
        if (!f || v->type == JSON_NULL) return false;
        if (f->cell == CELL_COMPONENT) {
            if (v->type != JSON_OBJECT || !naive_valid(m, (int32_t)(f - m->fields), v)) return false;
        } else if (type_check(f->type, v, f->path, NULL) != ERR_OK) {
            return false;
        }
    }
    return true;
}

static const char *pick(Naive *n, const char *const *list, int count) {
    return list[rng_below(&n->rng, (uint64_t)count)];
}
#define PICK(n, list) pick(n, list, (int)(sizeof list / sizeof *list))

static const char *random_path(Naive *n) {
    static const char *const paths[] = {
        "/temp",   "/flow",     "/count",        "/big",        "/on",           "/name",
        "/day",    "/level",    "/color",        "/pos",        "/pos/x",        "/pos/y",
        "/pos/in", "/pos/in/z", "/pos/in/label", "/pos/marks",  "/pos/marks/0",  "/pos/marks/-",
        "/tags",   "/tags/a",   "/tags/b",       "/tags/a~1b",  "/nums",         "/nums/a",
        "/deep",   "/deep/a",   "/deep/a/p",     "/deep/a/q",   "/deep/a/q/-",   "/list",
        "/list/0", "/list/1",   "/list/-",       "/grid",       "/grid/0",       "/grid/0/-",
        "/grid/-", "/thermo",   "/thermo/mode",  "/thermo/box", "/thermo/box/w", "/thermo/setPoint",
        "/nope",   "/temp/x"};
    return PICK(n, paths);
}

static const char *random_value(Naive *n) {
    static const char *const values[] = {"1",
                                         "0",
                                         "-5",
                                         "7",
                                         "2.5",
                                         "1e300",
                                         "-9223372036854775808",
                                         "4611686018427387904",
                                         "2147483648",
                                         "true",
                                         "false",
                                         "null",
                                         "''",
                                         "'a'",
                                         "'r'",
                                         "'b'",
                                         "'OFF'",
                                         "'2024-02-29'",
                                         "'ä\\u0000\\n'",
                                         "'a text longer than twelve bytes'",
                                         "{}",
                                         "{'x':1}",
                                         "{'x':1,'in':{'z':2},'marks':[]}",
                                         "{'z':1,'label':'l'}",
                                         "{'a':'1'}",
                                         "{'a':1}",
                                         "{'a':'1','b':'2','a/b':'3'}",
                                         "{'a':{'p':1,'q':['x']}}",
                                         "{'p':0.5}",
                                         "{'w':3}",
                                         "{'mode':'HEAT','setPoint':1}",
                                         "[]",
                                         "[1]",
                                         "[1,2.5]",
                                         "['x']",
                                         "[[1],[]]",
                                         "[[]]",
                                         "[null]"};
    return PICK(n, values);
}

// Values that mostly fit the path, so that documents fill up.
static const char *fitting_value(Naive *n, const char *path) {
    static const struct {
        const char *path, *value;
    } fits[] = {{"/name", "'n'"},
                {"/tags", "{'a':'x','b':'y'}"},
                {"/nums", "{'a':1}"},
                {"/on", "true"},
                {"/pos", "{'x':1,'in':{'z':2},'marks':[1]}"},
                {"/deep", "{'a':{'q':['x']}}"},
                {"/list", "[1,2]"},
                {"/grid", "[[1]]"},
                {"/thermo", "{'box':{'w':1}}"},
                {"/color", "'r'"},
                {"/level", "7"},
                {"/day", "'2024-02-29'"},
                {"/tags/a", "'z'"},
                {"/tags/b", "'z'"},
                {"/pos/in", "{}"},
                {"/thermo/box", "{}"},
                {"/thermo/mode", "'OFF'"},
                {"/deep/a", "{'p':1,'q':[]}"},
                {"/grid/-", "[]"},
                {"/deep/a/q", "['x','y']"},
                {"/deep/a/q/-", "'z'"},
                {"/pos/marks", "[1,2]"},
                {"/pos/in/label", "'l'"}};
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        if (strcmp(fits[i].path, path) == 0) return fits[i].value;
    }
    return rng_below(&n->rng, 2) ? "1" : "8";
}

static int split(Lab *l, const char *path, Str *steps) {
    Str rest = str_of(path);
    int n = 0;
    while (json_pointer_next(&rest, &l->arena, &steps[n])) n++;
    return n;
}

// A random patch: its text, and what the reference makes of it. False: to be refused.
static bool draw_patch(Naive *n, Buf *text, Json *after) {
    static const char *const kinds[] = {[PATCH_ADD] = "add", [PATCH_REPLACE] = "replace", [PATCH_REMOVE] = "remove"};
    bool ok = true;
    *after = n->doc;
    int count = 1 + (int)(rng_below(&n->rng, 2) * rng_below(&n->rng, 4));
    buf_byte(text, '[');
    for (int i = 0; i < count; i++) {
        PatchKind kind = rng_below(&n->rng, 3) ? PATCH_ADD : (PatchKind)rng_below(&n->rng, 3);
        const char *path = random_path(n);
        const char *value = rng_below(&n->rng, 8) ? fitting_value(n, path) : random_value(n);
        buf_printf(text, "%s{'op':'%s','path':'%s'", i ? "," : "", kinds[kind], path);
        if (kind != PATCH_REMOVE) buf_printf(text, ",'value':%s", value);
        buf_byte(text, '}');
        Str steps[8];
        Json next;
        const Json *v = kind == PATCH_REMOVE ? NULL : lab_json(n->l, value);
        ok = ok && naive_apply(&n->l->arena, after, kind, steps, split(n->l, path, steps), v, &next) &&
             naive_valid(n->room, -1, &next) && json_get(&next, STR("thermo"));
        if (ok) *after = next;
    }
    buf_str_put(text, STR("]"));
    buf_byte(text, 0);
    return ok;
}

// A random whole twin.
static bool draw_put(Naive *n, Buf *text, Json *after) {
    Json members[8], doc;
    int count = (int)rng_below(&n->rng, 7);
    *after = (Json){.type = JSON_OBJECT, .members = NEW(&n->l->arena, JsonMember, 9)};
    (void)members;
    buf_str_put(text, STR("{'$metadata':{'$model':'dtmi:lab:Room;1'}"));
    bool thermo = rng_below(&n->rng, 20) != 0;
    if (thermo) {
        buf_str_put(text, STR(",'thermo':{'$metadata':{}}"));
        after->members[after->count++] = (JsonMember){STR("thermo"), (Json){.type = JSON_OBJECT}};
    }
    for (int i = 0; i < count; i++) {
        const char *path = random_path(n);
        Str name = str_sub(str_of(path), 1, (int64_t)strlen(path));
        if (str_find(name, '/', 0) >= 0 || json_get(after, name) || str_eq(name, STR("thermo"))) continue;
        const char *value = rng_below(&n->rng, 12) ? fitting_value(n, path) : random_value(n);
        buf_printf(text, ",'%.*s':%s", STR_ARG(name), value);
        doc = *lab_json(n->l, value);
        after->members[after->count++] = (JsonMember){name, doc};
    }
    buf_byte(text, '}');
    buf_byte(text, 0);
    return thermo && naive_valid(n->room, -1, after);
}

static void naive_compare(Naive *n, const char *what, uint64_t seed, int step) {
    Str text = lab_get(n->l, "r", true);
    if (!n->alive) {
        assert_int_equal(text.n, 0);
        return;
    }
    Json got = lab_values(n->l, text);
    if (json_equal(&got, &n->doc)) return;
    Buf want = {0};
    json_put(&want, &n->doc);
    print_error("seed %llu step %d: %s\ngot    %.*s\nwanted %.*s\n", (unsigned long long)seed, step, what,
                STR_ARG(lab_get(n->l, "r", true)), STR_ARG(buf_str(&want)));
    buf_free(&want);
    fail();
}

static void naive_step(Naive *n, uint64_t seed, int step, int *taken) {
    Buf text = {0};
    Json after;
    uint64_t draw = rng_below(&n->rng, 40);
    bool del = n->alive && draw == 0, put = !n->alive || draw < 6;
    Err e, want = ERR_OK;
    if (del) {
        e = lab_delete(n->l, "r");
        n->alive = false;
    } else if (put) {
        if (!draw_put(n, &text, &after)) want = ERR_VALIDATION;
        e = lab_put(n->l, "r", text.p);
    } else {
        if (!draw_patch(n, &text, &after)) want = ERR_PATCH;
        e = lab_patch(n->l, "r", text.p);
    }
    if ((e == ERR_OK) != (want == ERR_OK)) {
        print_error("seed %llu step %d: %s gave %s\n%.*s\n", (unsigned long long)seed, step, text.p ? text.p : "delete",
                    err_name(e), STR_ARG(lab_get(n->l, "r", true)));
        fail();
    }
    if (e == ERR_OK && !del) {
        n->alive = true;
        n->doc = after;
        (*taken)++;
    }
    naive_compare(n, text.p ? text.p : "delete", seed, step);
    buf_free(&text);
}

// The reference's document outlives the arena between runs of steps.
static void naive_keep(Naive *n) {
    if (!n->alive) return;
    Buf text = {0};
    json_put(&text, &n->doc);
    arena_reset(&n->l->arena);
    Str kept = arena_str(&n->l->arena, buf_str(&text));
    assert_int_equal(json_parse(kept, NULL, &n->l->arena, &n->doc, NULL), ERR_OK);
    buf_free(&text);
}

static void random_edits_match_a_plain_document(void **state) {
    (void)state;
    const char *given = getenv("SOSIA_SEED");
    uint64_t first = given ? strtoull(given, NULL, 10) : 1, last = given ? first : 120;
    int taken = 0, steps = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        Lab l;
        lab_open(&l);
        View v = view_writer(l.w);
        Naive n = {.l = &l, .rng = rng_make(seed, 1), .room = schema_find(v.catalog->schema, STR("dtmi:lab:Room;1"))};
        for (int step = 0; step < 300; step++, steps++) {
            naive_step(&n, seed, step, &taken);
            if (step % 50 == 49) naive_keep(&n);
        }
        lab_close(&l);
    }
    print_message("%d of %d edits were accepted\n", taken, steps);
    assert_true(taken * 3 > steps);
}

// ---- RFC 6902 ----------------------------------------------------------------------------------------------------

static char *read_file(const char *path, int64_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    fseek(f, 0, SEEK_SET);
    char *p = mem_alloc((size_t)*size + 1);
    assert_int_equal(fread(p, 1, (size_t)*size, f), *size);
    fclose(f);
    return p;
}

// 1: known operations only, 0: others too.
static bool ours(const Json *patch) {
    for (int32_t i = 0; i < patch->count; i++) {
        const Json *op = json_get(&patch->items[i], STR("op"));
        if (op && (str_eq(op->s, STR("test")) || str_eq(op->s, STR("move")) || str_eq(op->s, STR("copy"))))
            return false;
    }
    return true;
}

// Apply with edit_doc_apply, as far as the operations are well formed.
static bool apply_case(Lab *l, Json *doc, const Json *patch) {
    for (int32_t i = 0; i < patch->count; i++) {
        PatchOp *op;
        int32_t count;
        Json one = {.type = JSON_ARRAY, .count = 1, .items = &patch->items[i]};
        const Json *path = json_get(&patch->items[i], STR("path")), *value = json_get(&patch->items[i], STR("value"));
        bool root = path && path->type == JSON_STRING && path->s.n < 2;
        const char *why = NULL;
        if (root && value) {
            PatchOp whole_doc = {.kind = PATCH_ADD, .value = value};
            if (!edit_doc_apply(doc, &whole_doc, path->s, &l->arena, &why)) return false;
        } else {
            if (edit_patch_parse(&one, &l->arena, &op, &count, &l->diag) != ERR_OK) return false;
            if (!edit_doc_apply(doc, op, op->path, &l->arena, &why)) return false;
        }
    }
    return true;
}

static void run_case(Lab *l, const Json *c, int *run, int *refusals) {
    const Json *doc = json_get(c, STR("doc")), *patch = json_get(c, STR("patch"));
    const Json *want = json_get(c, STR("expected")), *error = json_get(c, STR("error"));
    const Json *disabled = json_get(c, STR("disabled"));
    if (!doc || !patch || (disabled && disabled->type == JSON_TRUE)) return;
    if (!ours(patch)) {
        PatchOp *ops;
        int32_t count;
        assert_int_equal(edit_patch_parse(patch, &l->arena, &ops, &count, NULL), ERR_PATCH);
        (*refusals)++;
        return;
    }
    Json at = *doc;
    bool ok = apply_case(l, &at, patch);
    bool right = error ? !ok : ok && (!want || json_equal(&at, want));
    if (!right) print_error("case %.*s\n", STR_ARG(c->raw));
    assert_true(right);
    (*run)++;
}

static void rfc_6902_cases(void **state) {
    Lab *l = *state;
    const char *data = getenv("SOSIA_DATA");
    static const char *const files[] = {"tests.json", "spec_tests.json"};
    int run = 0, refusals = 0;
    for (int f = 0; f < 2; f++) {
        char path[4096];
        int64_t size = 0;
        snprintf(path, sizeof path, "%s/json-patch-tests/%s", data ? data : "../shared/data", files[f]);
        char *text = read_file(path, &size);
        if (!text) {
            print_message("SKIP rfc_6902_cases: %s not found\n", path);
            skip();
        }
        Json cases;
        assert_int_equal(json_parse((Str){text, size}, NULL, &l->arena, &cases, NULL), ERR_OK);
        for (int32_t i = 0; i < cases.count; i++) run_case(l, &cases.items[i], &run, &refusals);
        mem_free(text);
    }
    print_message("RFC 6902: %d cases, %d with operations that are refused\n", run, refusals);
    assert_true(run > 50);
    assert_true(refusals > 20);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_kind_of_path),
        T(bad_patches),
        T(an_empty_patch_changes_nothing),
        T(touched_properties_alone_get_new_times),
        T(source_times),
        T(value_and_source_time_are_one_change),
        T(model_change),
        T(model_change_moves_links),
        T(links_patch),
        cmocka_unit_test(random_edits_match_a_plain_document),
        T(rfc_6902_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
