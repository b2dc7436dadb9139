// SPDX-License-Identifier: Apache-2.0
// Edits: every rule of putting, deleting, linking and single values, with the error it gives.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
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

// The last call failed with this code and a message that has this part.
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

// The twin's values are those of the text.
static void holds(Lab *l, const char *id, const char *want) {
    Json got = lab_values(l, lab_get(l, id, true)), expect = lab_values(l, lab_text(l, want));
    if (json_equal(&got, &expect)) return;
    print_error("%s: %.*s\nwanted %s\n", id, STR_ARG(lab_get(l, id, true)), want);
    fail();
}

static void link_holds(Lab *l, const char *source, const char *rid, const char *want) {
    Json got = lab_values(l, lab_get_link(l, source, rid)), expect = lab_values(l, lab_text(l, want));
    if (json_equal(&got, &expect)) return;
    print_error("%s: %.*s\nwanted %s\n", rid, STR_ARG(lab_get_link(l, source, rid)), want);
    fail();
}

static Str etag_of(Lab *l, const char *id) {
    Json v;
    Str text = arena_str(&l->arena, lab_get(l, id, false));
    assert_int_equal(json_parse(text, NULL, &l->arena, &v, NULL), ERR_OK);
    return json_get(&v, STR("$etag"))->s;
}

static Str link_etag(Lab *l, const char *source, const char *rid) {
    Json v;
    Str text = arena_str(&l->arena, lab_get_link(l, source, rid));
    assert_int_equal(json_parse(text, NULL, &l->arena, &v, NULL), ERR_OK);
    return json_get(&v, STR("$etag"))->s;
}

// Metadata of a property: "" when there is no such entry.
static Str stamp_of(Lab *l, const char *id, const char *component, const char *name, const char *what) {
    Json v;
    Str text = arena_str(&l->arena, lab_get(l, id, false));
    assert_int_equal(json_parse(text, NULL, &l->arena, &v, NULL), ERR_OK);
    const Json *at = component ? json_get(&v, str_of(component)) : &v;
    const Json *m = json_get(json_get(at, STR("$metadata")), str_of(name));
    if (what) m = json_get(m, str_of(what));
    return m ? m->s : (Str){0};
}

static void same_text(Str got, const char *want) {
    if (!str_eq(got, str_of(want))) print_error("got %.*s, wanted %s\n", STR_ARG(got), want);
    assert_true(str_eq(got, str_of(want)));
}

// ---- putting twins -----------------------------------------------------------------------------------------------

static const char EVERYTHING[] =
    "{" ROOM ",'serial':'S\\u00e4ge \\ud83d\\ude00 \\u0001','temp':21.5,'flow':21.1,'count':-2147483648,"
    "'big':-9223372036854775808,'on':false,'name':'','day':'2024-02-29','at':'2026-11-22T08:00:00+01:00',"
    "'tod':'08:00:00Z','dur':'PT5M','level':7,'color':'b','pos':{'x':1e300,'in':{'z':5,'label':'q'},'marks':[1,2]},"
    "'tags':{'a b':'1','ü':''},'nums':{},'deep':{'k':{'p':-0.1,'q':['x','']}},'list':[1.5,2,-3e-9],'grid':[[],[1,2]],"
    "'place':{'type':'Point','coordinates':[7.5,45.1]}}";

static void put_keeps_every_schema(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", EVERYTHING));
    assert_true(l->created);
    Json got = lab_values(l, lab_get(l, "r", true)), want = lab_values(l, lab_text(l, EVERYTHING));
    assert_true(json_equal(&got, &want));
    assert_true(str_find_str(lab_get(l, "r", true), STR("\"flow\":21.1,")) > 0);
    worked(l, lab_put(l, "r", EVERYTHING));
    assert_false(l->created);
    got = lab_values(l, lab_get(l, "r", true));
    assert_true(json_equal(&got, &want));
}

static void put_keeps_wide_numbers(void **state) {
    Lab *l = *state;
    static const char most[] = "{'$metadata':{'$model':'dtmi:lab:Wide;1'},'i8':-128,'i16':32767,'u8':255,'u16':65535,"
                               "'u32':4294967295,'u64':18446744073709551615,'dec':'12.50',"
                               "'id':'6ba7b810-9dad-11d1-80b4-00c04fd430c8','raw':'AAE='}";
    worked(l, lab_put(l, "w", most));
    assert_true(str_find_str(lab_get(l, "w", true), STR("\"u64\":18446744073709551615,")) > 0);
    Json got = lab_values(l, lab_get(l, "w", true)), want = lab_values(l, lab_text(l, most));
    assert_true(json_equal(&got, &want));
    worked(l, lab_put(l, "b", "{" ROOM ",'big':9223372036854775807}"));
    assert_true(str_find_str(lab_get(l, "b", true), STR("\"big\":9223372036854775807,")) > 0);
}

static void put_refuses(void **state) {
    Lab *l = *state;
    static const struct {
        const char *body;
        Err err;
        const char *part;
    } cases[] = {
        {"[1]", ERR_ARGUMENT, "object"},
        {"{'temp':1}", ERR_VALIDATION, "$model"},
        {"{'$metadata':{}}", ERR_VALIDATION, "$model"},
        {"{'$metadata':{'$model':5}}", ERR_VALIDATION, "$model"},
        {"{'$metadata':{'$model':'dtmi:lab:None;1'}}", ERR_VALIDATION, "dtmi:lab:None;1"},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1'}}", ERR_VALIDATION, "thermo"},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':null}", ERR_VALIDATION, "thermo"},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':[]}", ERR_VALIDATION, "component"},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{'nope':1}}", ERR_VALIDATION,
         "component \"thermo\" has no property \"nope\""},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{'mode':'COOL'}}", ERR_VALIDATION, "thermo.mode"},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{'$etag':'x'}}", ERR_VALIDATION, "$etag"},
        {"{" ROOM ",'nope':1}", ERR_VALIDATION, "nope"},
        {"{" ROOM ",'noise':1}", ERR_VALIDATION, "telemetry"},
        {"{" ROOM ",'contains':'x'}", ERR_VALIDATION, "relationship"},
        {"{" ROOM ",'$what':1}", ERR_VALIDATION, "$what"},
        {"{" ROOM ",'temp':null}", ERR_VALIDATION, "null"},
        {"{" ROOM ",'temp':1,'temp':2}", ERR_VALIDATION, "more than once"},
        {"{" ROOM ",'temp':'1'}", ERR_VALIDATION, "temp"},
        {"{" ROOM ",'temp':true}", ERR_VALIDATION, "temp"},
        {"{" ROOM ",'flow':1e39}", ERR_VALIDATION, "flow"},
        {"{" ROOM ",'count':5.0}", ERR_VALIDATION, "count"},
        {"{" ROOM ",'count':2147483648}", ERR_VALIDATION, "count"},
        {"{" ROOM ",'big':9223372036854775808}", ERR_VALIDATION, "big"},
        {"{" ROOM ",'on':1}", ERR_VALIDATION, "on"},
        {"{" ROOM ",'name':7}", ERR_VALIDATION, "name"},
        {"{" ROOM ",'day':'2023-02-29'}", ERR_VALIDATION, "day"},
        {"{" ROOM ",'at':'2026-11-22T08:00:00'}", ERR_VALIDATION, "at"},
        {"{" ROOM ",'tod':'25:00:00Z'}", ERR_VALIDATION, "tod"},
        {"{" ROOM ",'dur':'5M'}", ERR_VALIDATION, "dur"},
        {"{" ROOM ",'level':2}", ERR_VALIDATION, "level"},
        {"{" ROOM ",'color':'red'}", ERR_VALIDATION, "color"},
        {"{" ROOM ",'pos':{'x':1,'q':2}}", ERR_VALIDATION, "pos"},
        {"{" ROOM ",'pos':{'in':{'z':'a'}}}", ERR_VALIDATION, "pos"},
        {"{" ROOM ",'pos':{'x':null}}", ERR_VALIDATION, "pos"},
        {"{" ROOM ",'tags':{'a':1}}", ERR_VALIDATION, "tags"},
        {"{" ROOM ",'tags':{'a':null}}", ERR_VALIDATION, "tags"},
        {"{" ROOM ",'tags':{'':'x'}}", ERR_VALIDATION, "key"},
        {"{" ROOM ",'tags':{'$x':'x'}}", ERR_VALIDATION, "key"},
        {"{" ROOM ",'tags':{'a':'1','a':'2'}}", ERR_VALIDATION, "tags"},
        {"{" ROOM ",'deep':{'k':{'p':1,'p':2}}}", ERR_VALIDATION, "deep"},
        {"{" ROOM ",'list':[1,'2']}", ERR_VALIDATION, "list"},
        {"{" ROOM ",'grid':[1]}", ERR_VALIDATION, "grid"},
        {"{" ROOM ",'place':{'type':'Polygon','coordinates':[1,2]}}", ERR_VALIDATION, "place"},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1','temp':{'sourceTime':'yesterday'}},'thermo':{},'temp':1}",
         ERR_VALIDATION, "sourceTime"},
        {"{'$metadata':{'$model':'dtmi:lab:Room;1','temp':{'sourceTime':5}},'thermo':{}}", ERR_VALIDATION,
         "sourceTime"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab_begin(l);
        Err e = edit_twin_put(l->w, STR("r"), lab_json(l, cases[i].body), (Precondition){0}, &l->created, &l->diag);
        int64_t changes;
        (void)world_batch(l->w, &changes);
        assert_int_equal(changes, 0); // a refused PUT leaves the batch as it was
        refused(l, lab_finish(l, e), cases[i].err, cases[i].part);
        assert_int_equal(lab_twin(l, "r").v, 0);
    }
}

static void put_checks_wide_numbers(void **state) {
    Lab *l = *state;
    static const char *const bad[] = {"'i8':128",        "'i8':-129",        "'i16':32768",
                                      "'u8':256",        "'u8':-1",          "'u8':-0",
                                      "'u16':1.0",       "'u32':4294967296", "'u64':18446744073709551616",
                                      "'u64':-1",        "'dec':12",         "'dec':'012'",
                                      "'id':'6ba7b810'", "'raw':'A'"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char body[128];
        snprintf(body, sizeof body, "{'$metadata':{'$model':'dtmi:lab:Wide;1'},%s}", bad[i]);
        refused(l, lab_put(l, "w", body), ERR_VALIDATION, "");
    }
}

static void put_limits_sizes(void **state) {
    Lab *l = *state;
    char *body = mem_alloc(STRING_VALUE_MAX + 4096);
    int n = snprintf(body, 4096, "{" ROOM ",'name':'");
    memset(body + n, 'x', STRING_VALUE_MAX);
    memcpy(body + n + STRING_VALUE_MAX, "'}", 3);
    worked(l, lab_put(l, "r", body));
    memcpy(body + n + STRING_VALUE_MAX, "x'}", 4);
    refused(l, lab_put(l, "r", body), ERR_LIMIT, "65537");
    n = snprintf(body, 4096, "{" ROOM ",'tags':{'k':'");
    memset(body + n, 'x', STRING_VALUE_MAX);
    memcpy(body + n + STRING_VALUE_MAX, "'}}", 4);
    refused(l, lab_put(l, "r", body), ERR_LIMIT, "tags");
    n = snprintf(body, 4096, "{" ROOM ",'tags':{'");
    memset(body + n, 'k', NAME_KEY_MAX + 1);
    memcpy(body + n + NAME_KEY_MAX + 1, "':'v'}}", 8);
    refused(l, lab_put(l, "r", body), ERR_VALIDATION, "key");
    // blank space does not count
    n = snprintf(body, 4096, "{" ROOM ",'tags':{");
    memset(body + n, ' ', STRING_VALUE_MAX);
    memcpy(body + n + STRING_VALUE_MAX, "'k':'v'}}", 10);
    worked(l, lab_put(l, "r", body));
    holds(l, "r", "{'thermo':{},'tags':{'k':'v'}}");
    mem_free(body);
}

static void put_checks_ids(void **state) {
    Lab *l = *state;
    char id[TWIN_ID_MAX * 2 + 3];
    for (int i = 0; i <= TWIN_ID_MAX; i++) memcpy(id + 2 * i, "\xc3\xbc", 3);
    refused(l, lab_put(l, id, "{" ROOM "}"), ERR_ARGUMENT, "128");
    id[2 * TWIN_ID_MAX] = 0;
    worked(l, lab_put(l, id, "{" ROOM "}"));
    refused(l, lab_put(l, "", "{" ROOM "}"), ERR_ARGUMENT, "twin id");
    refused(l, lab_put(l, "a\nb", "{" ROOM "}"), ERR_ARGUMENT, "control");
    refused(l,
            lab_put(l,
                    "a\xc2\x9b"
                    "31m",
                    "{" ROOM "}"),
            ERR_ARGUMENT, "control");
    worked(l, lab_put(l,
                      "a\xc2\xa0"
                      "b",
                      "{" ROOM "}"));
    refused(l, lab_put(l, "a\xff", "{" ROOM "}"), ERR_ARGUMENT, "UTF-8");
    worked(l, lab_put(l, "a/b c;1", "{" ROOM ",'$dtId':null,'$etag':null}"));
}

static void put_replaces(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", "{" ROOM ",'temp':1,'count':2,'pos':{'x':1,'in':{'z':3}},'tags':{'a':'b'}}"));
    TwinId id = lab_twin(l, "r");
    Str before = etag_of(l, "r");
    worked(l, lab_put(l, "r", "{" ROOM ",'temp':1,'pos':{'y':2,'in':{}},'$dtId':'other'}"));
    holds(l, "r", "{'temp':1,'pos':{'y':2,'in':{}},'thermo':{}}");
    assert_int_equal(lab_twin(l, "r").v, id.v);
    assert_int_equal(lab_twin(l, "other").v, 0);
    assert_false(str_eq(before, etag_of(l, "r")));
    Buf now = {0};
    time_print(l->now, 7, &now);
    buf_byte(&now, 0);
    same_text(stamp_of(l, "r", NULL, "temp", "lastUpdateTime"), now.p); // given, so renewed
    same_text(stamp_of(l, "r", NULL, "count", "lastUpdateTime"), "");
    same_text(stamp_of(l, "r", NULL, "$lastUpdateTime", NULL), now.p);
    buf_free(&now);
    worked(l, lab_put(l, "r", "{" ROOM "}"));
    holds(l, "r", "{'thermo':{}}");
}

static void put_of_nothing_renews_the_etag(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "d", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    Str before = etag_of(l, "d");
    worked(l, lab_put(l, "d", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    assert_false(str_eq(before, etag_of(l, "d")));
}

static void put_keeps_source_times(void **state) {
    Lab *l = *state;
    static const char at5[] =
        "{'$metadata':{'$model':'dtmi:lab:Room;1','temp':{'lastUpdateTime':'1999-01-01T00:00:00Z',"
        "'sourceTime':'2026-01-01T05:00:00+00:00'},'gone':{'x':1}},'temp':5,"
        "'thermo':{'setPoint':1,'$metadata':{'setPoint':{'sourceTime':'2026-01-01T04:00:00Z'}}}}";
    worked(l, lab_put(l, "r", at5));
    same_text(stamp_of(l, "r", NULL, "temp", "sourceTime"), "2026-01-01T05:00:00.0000000Z");
    same_text(stamp_of(l, "r", "thermo", "setPoint", "sourceTime"), "2026-01-01T04:00:00.0000000Z");
    // an older source time in a full replacement counts all the same
    worked(l, lab_put(l, "r",
                      "{'$metadata':{'$model':'dtmi:lab:Room;1','temp':{'sourceTime':'2026-01-01T01:00:00Z'}},"
                      "'temp':6,'thermo':{'setPoint':2}}"));
    holds(l, "r", "{'temp':6,'thermo':{'setPoint':2}}");
    same_text(stamp_of(l, "r", NULL, "temp", "sourceTime"), "2026-01-01T01:00:00.0000000Z");
    same_text(stamp_of(l, "r", "thermo", "setPoint", "sourceTime"), "");
}

static void put_changes_the_model(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "x", "{'$metadata':{'$model':'dtmi:lab:Desk;1'},'height':1.5,'serial':'s'}"));
    TwinId id = lab_twin(l, "x");
    worked(l, lab_put(l, "x", "{'$metadata':{'$model':'dtmi:lab:Chair;1'},'height':'tall'}"));
    holds(l, "x", "{'height':'tall'}");
    assert_int_equal(lab_twin(l, "x").v, id.v);
    worked(l, lab_put(l, "x", "{'$metadata':{'$model':'dtmi:lab:Desk;1'},'serial':'t'}"));
    holds(l, "x", "{'serial':'t'}");
}

static void preconditions(void **state) {
    Lab *l = *state;
    const Json *body = lab_json(l, "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}");
    const Json *ops = lab_json(l, "[{'op':'add','path':'/height','value':1}]");
    Precondition none = {.if_none_match = STR("*")}, odd = {.if_none_match = STR("\"x\"")};
    worked(l, LAB_DO(l, edit_twin_put(l->w, STR("d"), body, none, NULL, &l->diag)));
    refused(l, LAB_DO(l, edit_twin_put(l->w, STR("d"), body, none, NULL, &l->diag)), ERR_EXISTS, "exists");
    refused(l, LAB_DO(l, edit_twin_put(l->w, STR("d"), body, odd, NULL, &l->diag)), ERR_ARGUMENT, "If-None-Match");
    refused(l, LAB_DO(l, edit_twin_patch(l->w, STR("d"), ops, none, &l->diag)), ERR_ARGUMENT, "PUT");
    refused(l, LAB_DO(l, edit_twin_put(l->w, STR("e"), body, (Precondition){.if_match = STR("*")}, NULL, &l->diag)),
            ERR_TWIN_NOT_FOUND, "e");
    Str etag = etag_of(l, "d"), guid = str_sub(etag, 3, etag.n - 1);
    assert_int_equal(etag.n, 40);
    Str forms[] = {etag,
                   str_sub(etag, 2, etag.n),
                   guid,
                   STR("*"),
                   arena_printf(&l->arena, "W/%.*s", STR_ARG(guid)),
                   arena_printf(&l->arena, "\"a\", %.*s , W/\"b\"", STR_ARG(etag))};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        lab_begin(l);
        worked(l, edit_twin_patch(l->w, STR("d"), ops, (Precondition){.if_match = forms[i]}, &l->diag));
        world_rollback(l->w);
        l->seq--;
    }
    static const char *const malformed[] = {"foo", "W/", "\"a\" \"b\"", "*,*", ",", "\"a\",,\"b\"", "\"a"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        Precondition p = {.if_match = str_of(malformed[i])};
        refused(l, LAB_DO(l, edit_twin_patch(l->w, STR("d"), ops, p, &l->diag)), ERR_ARGUMENT, "If-Match");
    }
    Precondition other = {.if_match = STR("W/\"00000000-0000-0000-0000-000000000000\"")};
    refused(l, LAB_DO(l, edit_twin_patch(l->w, STR("d"), ops, other, &l->diag)), ERR_PRECONDITION, "d");
    refused(l, LAB_DO(l, edit_twin_delete(l->w, STR("d"), other, &l->diag)), ERR_PRECONDITION, "d");
    refused(l, LAB_DO(l, edit_twin_delete(l->w, STR("d"), none, &l->diag)), ERR_ARGUMENT, "PUT");
    worked(l, LAB_DO(l, edit_twin_delete(l->w, STR("d"), (Precondition){.if_match = etag}, &l->diag)));
    refused(l, lab_delete(l, "d"), ERR_TWIN_NOT_FOUND, "d");
}

static void etags_are_their_own(void **state) {
    (void)state;
    char a[48], b[48];
    etag_of_twin((TwinId){1024}, 5000, a);
    etag_of_twin((TwinId){1024}, 5000, b);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 40);
    etag_of_link((LinkId){1024}, 5000, b);
    assert_string_not_equal(a, b);
    etag_of_twin((TwinId){1025}, 5000, b);
    assert_string_not_equal(a, b);
    etag_of_twin((TwinId){1024}, 5100, b);
    assert_string_not_equal(a, b);
}

// ---- relationships -----------------------------------------------------------------------------------------------

static void furnish(Lab *l) {
    worked(l, lab_put(l, "room", "{" ROOM "}"));
    worked(l, lab_put(l, "desk", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_put(l, "desk2", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_put(l, "chair", "{'$metadata':{'$model':'dtmi:lab:Chair;1'}}"));
}

#define NEAR(target) "'$relationshipName':'near','$targetId':'" target "'"

static void links_live(void **state) {
    Lab *l = *state;
    furnish(l);
    Str twin = etag_of(l, "room");
    worked(l, lab_link(l, "room", "r1",
                       "{" NEAR("desk") ",'since':'2024-02-29','weight':2,'tags':{'a':'b'},"
                                        "'box':{'a':1,'b':2},'$sourceId':null,'$relationshipId':null,'$etag':null}"));
    assert_true(l->created);
    link_holds(l, "room", "r1", "{'since':'2024-02-29','weight':2,'tags':{'a':'b'},'box':{'a':1,'b':2}}");
    assert_true(str_eq(twin, etag_of(l, "room"))); // relationships do not touch twin etags
    LinkId id = lab_link_id(l, "room", "r1");
    Str etag = link_etag(l, "room", "r1");
    worked(l, lab_link(l, "room", "r1", "{" NEAR("desk") ",'weight':3,'box':{'b':5}}"));
    assert_false(l->created);
    link_holds(l, "room", "r1", "{'weight':3,'box':{'b':5}}");
    assert_int_equal(lab_link_id(l, "room", "r1").v, id.v);
    assert_false(str_eq(etag, link_etag(l, "room", "r1")));
    worked(l, lab_link(l, "room", "r1", "{" NEAR("desk2") "}"));
    link_holds(l, "room", "r1", "{}");
    assert_true(lab_link_id(l, "room", "r1").v != id.v);
    etag = link_etag(l, "room", "r1");
    worked(l, lab_link(l, "room", "r1", "{" NEAR("desk2") "}"));
    assert_false(str_eq(etag, link_etag(l, "room", "r1")));
    worked(l, lab_link(l, "room", "r1", "{'$relationshipName':'contains','$targetId':'desk2'}"));
    worked(l, lab_link(l, "desk", "r1", "{" NEAR("room") "}")); // ids are of their source
    refused(l, lab_delete(l, "room"), ERR_LINKS_LEFT, "outgoing");
    worked(l, lab_unlink(l, "room", "r1"));
    refused(l, lab_delete(l, "room"), ERR_LINKS_LEFT, "incoming");
    worked(l, lab_unlink(l, "desk", "r1"));
    worked(l, lab_delete(l, "room"));
    worked(l, lab_delete(l, "desk"));
}

// Properties of relationships are found in another case of letters when that is the only one.
static void link_properties_in_any_case(void **state) {
    Lab *l = *state;
    furnish(l);
    worked(l, lab_link(l, "room", "r", "{" NEAR("desk") ",'Weight':1,'SINCE':'2024-01-01'}"));
    link_holds(l, "room", "r", "{'weight':1,'since':'2024-01-01'}");
    worked(l, lab_link(l, "room", "r", "{" NEAR("desk") ",'WEIGHT':2}"));
    link_holds(l, "room", "r", "{'weight':2}");
    refused(l, lab_put(l, "room", "{" ROOM ",'Temp':1}"), ERR_VALIDATION, "Temp"); // twins' are exact
}

static void links_refuse(void **state) {
    Lab *l = *state;
    furnish(l);
    static const struct {
        const char *source, *rid, *body;
        Err err;
        const char *part;
    } cases[] = {
        {"room", "r", "[]", ERR_ARGUMENT, "object"},
        {"room", "", "{" NEAR("desk") "}", ERR_ARGUMENT, "relationship id"},
        {"nope", "r", "{" NEAR("desk") "}", ERR_TWIN_NOT_FOUND, "nope"},
        {"room", "r", "{'$targetId':'desk'}", ERR_ARGUMENT, "$relationshipName"},
        {"room", "r", "{'$relationshipName':'near'}", ERR_ARGUMENT, "$targetId"},
        {"room", "r", "{'$relationshipName':'near','$targetId':5}", ERR_ARGUMENT, "$targetId"},
        {"room", "r", "{" NEAR("nope") "}", ERR_TARGET_NOT_FOUND, "nope"},
        {"room", "r", "{" NEAR("room") "}", ERR_NOT_ALLOWED, "itself"},
        {"room", "r", "{'$relationshipName':'far','$targetId':'desk'}", ERR_LINK_INVALID, "far"},
        {"chair", "r", "{" NEAR("desk") "}", ERR_LINK_INVALID, "near"},
        {"room", "r", "{'$relationshipName':'contains','$targetId':'chair'}", ERR_LINK_INVALID, "dtmi:lab:Desk;1"},
        {"room", "r", "{" NEAR("desk") ",'nope':1}", ERR_VALIDATION, "nope"},
        {"room", "r", "{" NEAR("desk") ",'weight':'x'}", ERR_VALIDATION, "weight"},
        {"room", "r", "{" NEAR("desk") ",'weight':null}", ERR_VALIDATION, "weight"},
        {"room", "r", "{" NEAR("desk") ",'box':{'c':1}}", ERR_VALIDATION, "box"},
        {"room", "r", "{" NEAR("desk") ",'$metadata':{}}", ERR_VALIDATION, "$metadata"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(l, lab_link(l, cases[i].source, cases[i].rid, cases[i].body), cases[i].err, cases[i].part);
        assert_int_equal(lab_link_id(l, "room", "r").v, 0);
    }
    refused(l, lab_unlink(l, "room", "r"), ERR_LINK_NOT_FOUND, "r");
    refused(l, lab_unlink(l, "nope", "r"), ERR_TWIN_NOT_FOUND, "nope");
    refused(l, lab_link_patch(l, "room", "r", "[]"), ERR_LINK_NOT_FOUND, "r");
}

static void links_obey_preconditions(void **state) {
    Lab *l = *state;
    furnish(l);
    const Json *body = lab_json(l, "{" NEAR("desk") ",'weight':1}");
    Precondition none = {.if_none_match = STR("*")}, other = {.if_match = STR("W/\"x\"")};
    refused(l, LAB_DO(l, edit_link_put(l->w, STR("room"), STR("r"), body, other, NULL, &l->diag)), ERR_LINK_NOT_FOUND,
            "r");
    worked(l, LAB_DO(l, edit_link_put(l->w, STR("room"), STR("r"), body, none, NULL, &l->diag)));
    refused(l, LAB_DO(l, edit_link_put(l->w, STR("room"), STR("r"), body, none, NULL, &l->diag)), ERR_EXISTS, "r");
    refused(l, LAB_DO(l, edit_link_delete(l->w, STR("room"), STR("r"), other, &l->diag)), ERR_PRECONDITION, "r");
    Precondition own = {.if_match = link_etag(l, "room", "r")};
    worked(l, LAB_DO(l, edit_link_patch(l->w, STR("room"), STR("r"),
                                        lab_json(l, "[{'op':'replace','path':'/weight','value':2}]"), own, &l->diag)));
    refused(l, LAB_DO(l, edit_link_delete(l->w, STR("room"), STR("r"), own, &l->diag)), ERR_PRECONDITION, "r");
}

// ---- models ------------------------------------------------------------------------------------------------------

#define NOTE(id, more)                                                                                                 \
    "{'@context':'dtmi:dtdl:context;3','@id':'" id "','@type':'Interface','contents':["                                \
    "{'@type':'Property','name':'text','schema':'string'}" more "]}"
#define FLAG(v) "[{'op':'replace','path':'/decommissioned','value':" v "}]"

static Err model_patch(Lab *l, const char *id, const char *ops) {
    return LAB_DO(l, edit_model_patch(l->w, str_of(id), lab_json(l, ops), &l->diag));
}

static Err model_delete(Lab *l, const char *id) { return LAB_DO(l, edit_model_delete(l->w, str_of(id), &l->diag)); }

static void models_come_and_go(void **state) {
    Lab *l = *state;
    refused(l, lab_models(l, "[]"), ERR_ARGUMENT, "");
    refused(l, lab_models(l, "{}"), ERR_ARGUMENT, "");
    refused(l, lab_models(l, "[" NOTE("dtmi:lab:Desk;1", "") "]"), ERR_MODEL_EXISTS, "dtmi:lab:Desk;1");
    refused(l, lab_models(l, "[{'@id':'dtmi:x:y;1','@type':'Interface'}]"), ERR_MODEL, "");
    worked(l, lab_models(l, "[" NOTE("dtmi:lab:Note;1", "") "]"));
    refused(l, model_patch(l, "dtmi:lab:None;1", FLAG("true")), ERR_MODEL_NOT_FOUND, "None");
    refused(l, model_patch(l, "dtmi:lab:Note;1", "[]"), ERR_PATCH, "");
    refused(l, model_patch(l, "dtmi:lab:Note;1", FLAG("1")), ERR_PATCH, "decommissioned");
    refused(l, model_patch(l, "dtmi:lab:Note;1", "[{'op':'add','path':'/decommissioned','value':true}]"), ERR_PATCH,
            "");
    refused(l, model_patch(l, "dtmi:lab:Note;1", "[{'op':'replace','path':'/x','value':true}]"), ERR_PATCH, "");
    refused(l, model_patch(l, "dtmi:lab:Base;1", FLAG("true")), ERR_MODEL_ACTIVE_REFS, "");
    refused(l, model_delete(l, "dtmi:lab:Base;1"), ERR_MODEL_IN_USE, "");
    refused(l, model_delete(l, "dtmi:lab:None;1"), ERR_MODEL_NOT_FOUND, "None");
    worked(l, model_delete(l, "dtmi:lab:Note;1"));
    refused(l, lab_put(l, "n", "{'$metadata':{'$model':'dtmi:lab:Note;1'}}"), ERR_VALIDATION, "Note");
}

static void decommissioned_models_take_no_new_twins(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "c", "{'$metadata':{'$model':'dtmi:lab:Chair;1'},'legs':4}"));
    worked(l, lab_put(l, "d", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, model_patch(l, "dtmi:lab:Chair;1", FLAG("true")));
    refused(l, lab_put(l, "n", "{'$metadata':{'$model':'dtmi:lab:Chair;1'}}"), ERR_MODEL_DECOMMISSIONED, "Chair");
    refused(l, lab_put(l, "d", "{'$metadata':{'$model':'dtmi:lab:Chair;1'}}"), ERR_MODEL_DECOMMISSIONED, "Chair");
    refused(l, lab_patch(l, "d", "[{'op':'replace','path':'/$metadata/$model','value':'dtmi:lab:Chair;1'}]"),
            ERR_MODEL_DECOMMISSIONED, "Chair");
    worked(l, lab_put(l, "c", "{'$metadata':{'$model':'dtmi:lab:Chair;1'},'legs':3}"));
    worked(l, lab_patch(l, "c", "[{'op':'replace','path':'/legs','value':5}]"));
    worked(l, lab_value(l, "c", "height", "'low'", 0));
    holds(l, "c", "{'legs':5,'height':'low'}");
    worked(l, model_patch(l, "dtmi:lab:Chair;1", FLAG("false")));
    worked(l, lab_put(l, "n", "{'$metadata':{'$model':'dtmi:lab:Chair;1'}}"));
}

#define LINKED ",{'@type':'Relationship','name':'to','properties':[{'@type':'Property','name':'n','schema':'integer'}]}"

static void twins_outlive_their_model(void **state) {
    Lab *l = *state;
    worked(l, lab_models(l, "[" NOTE("dtmi:lab:Note;1", LINKED) "]"));
    worked(l, lab_put(l, "n", "{'$metadata':{'$model':'dtmi:lab:Note;1'},'text':'hi'}"));
    worked(l, lab_put(l, "d", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_link(l, "n", "o", "{'$relationshipName':'to','$targetId':'d','n':1}"));
    worked(l, model_delete(l, "dtmi:lab:Note;1"));
    holds(l, "n", "{'text':'hi'}");
    link_holds(l, "n", "o", "{'n':1}");
    refused(l, lab_patch(l, "n", "[{'op':'add','path':'/text','value':'x'}]"), ERR_VALIDATION, "deleted");
    refused(l, lab_value(l, "n", "text", "'x'", 0), ERR_VALIDATION, "deleted");
    refused(l, lab_link(l, "n", "p", "{'$relationshipName':'to','$targetId':'d'}"), ERR_LINK_INVALID, "deleted");
    refused(l, lab_link_patch(l, "n", "o", "[{'op':'add','path':'/n','value':2}]"), ERR_LINK_INVALID, "deleted");
    worked(l, lab_link(l, "d", "i", "{" NEAR("n") "}")); // may receive incoming ones
    // uploaded again, with a component and a property more: the twin takes it at its first edit
    worked(l, lab_models(l, "[" NOTE("dtmi:lab:Note;1", LINKED ",{'@type':'Component','name':'t',"
                                                               "'schema':'dtmi:lab:Thermo;1'}") "]"));
    worked(l, lab_link_patch(l, "n", "o", "[{'op':'replace','path':'/n','value':2}]"));
    link_holds(l, "n", "o", "{'n':2}");
    worked(l, lab_patch(l, "n", "[{'op':'add','path':'/t/setPoint','value':5}]"));
    holds(l, "n", "{'text':'hi','t':{'setPoint':5}}");
    worked(l, lab_value(l, "n", "text", "'ho'", 0));
    holds(l, "n", "{'text':'ho','t':{'setPoint':5}}");
    worked(l, lab_unlink(l, "n", "o"));
    worked(l, lab_unlink(l, "d", "i"));
    worked(l, lab_delete(l, "n"));
}

static void orphans_can_be_deleted_or_put(void **state) {
    Lab *l = *state;
    worked(l, lab_models(l, "[" NOTE("dtmi:lab:Note;1", LINKED) "]"));
    worked(l, lab_put(l, "a", "{'$metadata':{'$model':'dtmi:lab:Note;1'},'text':'hi'}"));
    worked(l, lab_put(l, "b", "{'$metadata':{'$model':'dtmi:lab:Note;1'}}"));
    worked(l, lab_link(l, "a", "o", "{'$relationshipName':'to','$targetId':'b','n':1}"));
    worked(l, model_delete(l, "dtmi:lab:Note;1"));
    refused(l, lab_put(l, "a", "{'$metadata':{'$model':'dtmi:lab:Note;1'}}"), ERR_VALIDATION, "Note");
    refused(l, lab_put(l, "a", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"), ERR_VALIDATION, "\"o\"");
    worked(l, lab_unlink(l, "a", "o"));
    worked(l, lab_put(l, "a", "{'$metadata':{'$model':'dtmi:lab:Desk;1'},'height':1}"));
    holds(l, "a", "{'height':1}");
    worked(l, lab_delete(l, "b"));
}

// ---- single values, telemetry ------------------------------------------------------------------------------------

static void values_by_path(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", "{" ROOM "}"));
    worked(l, lab_value(l, "r", "temp", " 5 ", 0));
    worked(l, lab_value(l, "r", "flow", "21.1", 0));
    worked(l, lab_value(l, "r", "big", "-9223372036854775808", 0));
    worked(l, lab_value(l, "r", "on", "true", 0));
    worked(l, lab_value(l, "r", "name", "'a\\u00fcb'", 0));
    worked(l, lab_value(l, "r", "level", "7", 0));
    worked(l, lab_value(l, "r", "day", "'2024-02-29'", 0));
    worked(l, lab_value(l, "r", "thermo.setPoint", "20.5", 0));
    worked(l, lab_value(l, "r", "pos.in.z", "3", 0)); // makes the objects around it
    worked(l, lab_value(l, "r", "tags", "{ 'a' : 'b' }", 0));
    worked(l, lab_value(l, "r", "list", "[1, 2.5]", 0));
    holds(l, "r",
          "{'temp':5,'flow':21.1,'big':-9223372036854775808,'on':true,'name':'aüb','level':7,"
          "'day':'2024-02-29','pos':{'in':{'z':3}},'tags':{'a':'b'},'list':[1,2.5],'thermo':{'setPoint':20.5}}");
    worked(l, lab_value(l, "r", "pos", "{'y':1}", 0)); // an object is replaced as a whole
    worked(l, lab_value(l, "r", "thermo", "{'mode':'OFF'}", 0));
    holds(l, "r",
          "{'temp':5,'flow':21.1,'big':-9223372036854775808,'on':true,'name':'aüb','level':7,"
          "'day':'2024-02-29','pos':{'y':1},'tags':{'a':'b'},'list':[1,2.5],'thermo':{'mode':'OFF'}}");
}

static void values_refused(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", "{" ROOM "}"));
    worked(l, lab_put(l, "w", "{'$metadata':{'$model':'dtmi:lab:Wide;1'}}"));
    static const struct {
        const char *id, *path, *json;
        Err err;
    } cases[] = {
        {"nope", "temp", "1", ERR_TWIN_NOT_FOUND},
        {"r", "nope", "1", ERR_VALIDATION},
        {"r", "thermo.nope", "1", ERR_VALIDATION},
        {"r", "", "1", ERR_VALIDATION},
        {"r", "temp", "", ERR_SYNTAX},
        {"r", "temp", "1 2", ERR_SYNTAX},
        {"r", "temp", "1e999", ERR_SYNTAX},
        {"r", "temp", "nan", ERR_SYNTAX},
        {"r", "temp", "null", ERR_VALIDATION},
        {"r", "temp", "'1'", ERR_VALIDATION},
        {"r", "temp", "[1]", ERR_VALIDATION},
        {"r", "temp", "{}", ERR_VALIDATION},
        {"r", "pos.in.z", "{'mode':'OFF'}", ERR_VALIDATION}, // an integer
        {"r", "big", " [-1]", ERR_VALIDATION},
        {"r", "flow", "1e39", ERR_VALIDATION},
        {"r", "count", "5.0", ERR_VALIDATION},
        {"r", "count", "2147483648", ERR_VALIDATION},
        {"r", "big", "9223372036854775808", ERR_VALIDATION},
        {"r", "on", "1", ERR_VALIDATION},
        {"r", "name", "1", ERR_VALIDATION},
        {"r", "name", "'a", ERR_SYNTAX},
        {"r", "day", "'2023-02-29'", ERR_VALIDATION},
        {"r", "level", "2", ERR_VALIDATION},
        {"r", "level", "'7'", ERR_VALIDATION},
        {"r", "color", "'red'", ERR_VALIDATION},
        {"r", "pos", "1", ERR_VALIDATION},
        {"r", "pos", "{'q':1}", ERR_VALIDATION},
        {"r", "tags", "{'a':1}", ERR_VALIDATION},
        {"r", "tags", "{'a':}", ERR_SYNTAX},
        {"r", "list", "[1,]", ERR_SYNTAX},
        {"r", "list", "['a']", ERR_VALIDATION},
        {"r", "thermo", "{'x':1}", ERR_VALIDATION},
        {"w", "i8", "128", ERR_VALIDATION},
        {"w", "u8", "-0", ERR_VALIDATION},
        {"w", "u64", "18446744073709551616", ERR_VALIDATION},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TwinId t = lab_twin(l, cases[i].id);
        lab_begin(l);
        Err e = edit_value(l->w, t, str_of(cases[i].path), lab_text(l, cases[i].json), 0, &l->arena, &l->diag);
        int64_t changes;
        (void)world_batch(l->w, &changes);
        assert_int_equal(changes, 0);
        refused(l, lab_finish(l, e), cases[i].err, "");
    }
    worked(l, lab_value(l, "w", "u64", "18446744073709551615", 0));
    holds(l, "w", "{'u64':18446744073709551615}");
    char *text = mem_alloc(STRING_VALUE_MAX + 8);
    memset(text, 'x', STRING_VALUE_MAX + 3);
    text[0] = text[STRING_VALUE_MAX + 2] = '\'';
    refused(l, lab_value(l, "r", "name", text, 0), ERR_LIMIT, "name");
    mem_free(text);
}

static void late_values_change_nothing_now(void **state) {
    Lab *l = *state;
    int64_t s = NS_PER_S;
    worked(l, lab_put(l, "r", "{" ROOM "}"));
    worked(l, lab_value(l, "r", "temp", "2", LAB_START + 20 * s));
    worked(l, lab_value(l, "r", "temp", "1", LAB_START + 10 * s));
    worked(l, lab_value(l, "r", "pos", "{'x':2}", LAB_START + 20 * s));
    worked(l, lab_value(l, "r", "pos", "{'x':1,'y':1}", LAB_START + 10 * s));
    worked(l, lab_value(l, "r", "tags", "{'a':'2'}", LAB_START + 20 * s));
    worked(l, lab_value(l, "r", "tags", "{'a':'1'}", LAB_START + 10 * s));
    holds(l, "r", "{'temp':2,'pos':{'x':2},'tags':{'a':'2'},'thermo':{}}");
    same_text(stamp_of(l, "r", NULL, "pos", "sourceTime"), "2026-01-01T00:00:20.0000000Z");
    worked(l, lab_value(l, "r", "temp", "3", LAB_START + 20 * s)); // the same time: the last arrival wins
    holds(l, "r", "{'temp':3,'pos':{'x':2},'tags':{'a':'2'},'thermo':{}}");
}

static void resolved_values(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", "{" ROOM "}"));
    worked(l, lab_put(l, "c", "{'$metadata':{'$model':'dtmi:lab:Chair;1'}}"));
    TwinId r = lab_twin(l, "r");
    assert_int_equal(edit_column(l->w, r, STR("nope")), 0);
    assert_int_equal(edit_column(l->w, (TwinId){7}, STR("temp")), 0);
    uint32_t temp = edit_column(l->w, r, STR("temp")), flow = edit_column(l->w, r, STR("flow"));
    uint32_t count = edit_column(l->w, r, STR("count")), name = edit_column(l->w, r, STR("name"));
    uint32_t tags = edit_column(l->w, r, STR("tags")), color = edit_column(l->w, r, STR("color"));
    uint32_t in = edit_column(l->w, r, STR("pos.in.z")), on = edit_column(l->w, r, STR("on"));
#define SET(c, k, ...)                                                                                                 \
    LAB_DO(l, edit_set(l->w, &(Change){.kind = CHANGE_SET, .id = r.v, .col = c, .cell = k, __VA_ARGS__}, &l->diag))
    worked(l, SET(temp, CELL_F64, .bits = bits_of(1.5)));
    worked(l, SET(flow, CELL_F64, .bits = bits_of(21.1)));
    worked(l, SET(count, CELL_I64, .bits = (uint64_t)-3));
    worked(l, SET(name, CELL_STR, .text = STR("n")));
    worked(l, SET(color, CELL_STR, .text = STR("r")));
    worked(l, SET(tags, CELL_DOC, .text = STR("{\"a\" : \"b\"}")));
    worked(l, SET(in, CELL_I64, .bits = 9));
    worked(l, SET(on, CELL_BOOL, .bits = 1));
    holds(l, "r",
          "{'temp':1.5,'flow':21.1,'count':-3,'name':'n','color':'r','tags':{'a':'b'},'pos':{'in':{'z':9}},"
          "'on':true,'thermo':{}}");
    assert_true(str_find_str(lab_get(l, "r", true), STR("{\"a\":\"b\"}")) > 0); // documents are kept compact
    refused(l, SET(temp, CELL_F64, .bits = bits_of(__builtin_inf())), ERR_VALIDATION, "temp");
    refused(l, SET(flow, CELL_F64, .bits = bits_of(1e39)), ERR_VALIDATION, "flow");
    refused(l, SET(temp, CELL_I64, .bits = 1), ERR_VALIDATION, "temp");
    refused(l, SET(count, CELL_I64, .bits = 1u << 31), ERR_VALIDATION, "count");
    refused(l, SET(on, CELL_BOOL, .bits = 2), ERR_VALIDATION, "on");
    refused(l, SET(color, CELL_STR, .text = STR("red")), ERR_VALIDATION, "color");
    refused(l, SET(name, CELL_STR, .text = STR("\xff")), ERR_VALIDATION, "name");
    refused(l, SET(tags, CELL_DOC, .text = STR("{")), ERR_VALIDATION, "tags");
    refused(l, SET(tags, CELL_DOC, .text = STR("{\"a\":1}")), ERR_VALIDATION, "tags");
    refused(l, SET(edit_column(l->w, lab_twin(l, "c"), STR("legs")), CELL_I64, .bits = 1), ERR_STALE, "Room");
    refused(l, SET(3, CELL_I64, .bits = 1), ERR_STALE, "");
    r.v = 99999;
    refused(l, SET(temp, CELL_F64, .bits = 0), ERR_TWIN_NOT_FOUND, "");
#undef SET
}

static Err telemetry(Lab *l, const char *id, const char *component, const char *message) {
    return LAB_DO(
        l, edit_telemetry(l->w, str_of(id), str_of(component), str_of(message), STR("{\"a\":1}"), LAB_START, &l->diag));
}

static void telemetry_passes_through(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", "{" ROOM "}"));
    refused(l, telemetry(l, "nope", "", "m"), ERR_TWIN_NOT_FOUND, "nope");
    refused(l, telemetry(l, "r", "nope", "m"), ERR_COMPONENT_NOT_FOUND, "nope");
    refused(l, telemetry(l, "r", "temp", "m"), ERR_COMPONENT_NOT_FOUND, "temp");
    refused(l, telemetry(l, "r", "", ""), ERR_ARGUMENT, "message id");
    Str etag = etag_of(l, "r");
    lab_begin(l);
    worked(l, edit_telemetry(l->w, STR("r"), STR("thermo"), STR("{\"temp\":1}"), STR("[1]"), LAB_START, &l->diag));
    int64_t count;
    Cut cut = cut_of(world_batch(l->w, &count));
    Change c;
    assert_int_equal(count, 1);
    assert_int_equal(change_decode(&cut, &c), ERR_OK);
    assert_int_equal(c.kind, CHANGE_TELEMETRY);
    assert_true(str_eq(c.text, STR("thermo\0{\"temp\":1}\0[1]")));
    assert_int_equal(c.source_time, LAB_START);
    (void)lab_finish(l, ERR_OK);
    assert_true(str_eq(etag, etag_of(l, "r"))); // no state
}

// ---- bulk format -------------------------------------------------------------------------------------------------

static Err import(Lab *l, ImportSection section, const char *line) {
    return LAB_DO(l, edit_import(l->w, section, lab_json(l, line), &l->diag));
}

static void bulk_lines(void **state) {
    Lab *l = *state;
    worked(l, import(l, IMPORT_HEADER, "{'fileVersion':'1.0.0','author':'me'}"));
    refused(l, import(l, IMPORT_HEADER, "{'fileVersion':'2.0.0'}"), ERR_ARGUMENT, "fileVersion");
    refused(l, import(l, IMPORT_HEADER, "[]"), ERR_ARGUMENT, "object");
    worked(l, import(l, IMPORT_MODELS, NOTE("dtmi:lab:Note;1", "")));
    worked(l, import(l, IMPORT_MODELS, "[" NOTE("dtmi:lab:Note;2", "") "]"));
    refused(l, import(l, IMPORT_MODELS, NOTE("dtmi:lab:Note;1", "")), ERR_MODEL_EXISTS, "Note;1");
    worked(l, import(l, IMPORT_TWINS, "{'$dtId':'a','$metadata':{'$model':'dtmi:lab:Desk;1'},'height':1}"));
    worked(l, import(l, IMPORT_TWINS, "{'$dtId':'b','$metadata':{'$model':'dtmi:lab:Note;2'}}"));
    worked(l, import(l, IMPORT_TWINS, "{'$dtId':'a','$metadata':{'$model':'dtmi:lab:Desk;1'},'height':2}"));
    holds(l, "a", "{'height':2}");
    refused(l, import(l, IMPORT_TWINS, "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"), ERR_ARGUMENT, "$dtId");
    worked(l, import(l, IMPORT_LINKS, "{'$dtId':'a','$relationshipId':'r'," NEAR("b") ",'weight':1}"));
    worked(l, import(l, IMPORT_LINKS, "{'$sourceId':'a','$relationshipId':'r'," NEAR("b") ",'weight':2}"));
    link_holds(l, "a", "r", "{'weight':2}");
    refused(l, import(l, IMPORT_LINKS, "{'$relationshipId':'r'," NEAR("b") "}"), ERR_ARGUMENT, "$dtId");
    refused(l, import(l, IMPORT_LINKS, "{'$dtId':'a'," NEAR("b") "}"), ERR_ARGUMENT, "$relationshipId");
}

static ImportSection section_of(Str name) {
    return str_eq(name, STR("Header"))   ? IMPORT_HEADER
           : str_eq(name, STR("Models")) ? IMPORT_MODELS
           : str_eq(name, STR("Twins"))  ? IMPORT_TWINS
                                         : IMPORT_LINKS;
}

// A published sample file goes in whole, and its twins show what the file says.
static void bulk_sample(void **state) {
    Lab *l = *state;
    const char *data = getenv("SOSIA_DATA");
    char path[4096], line[65536];
    snprintf(path, sizeof path, "%s/adt-samples/az-iot-cli/import_data/bulk-models-twins-relationships-valid.ndjson",
             data ? data : "../shared/data");
    FILE *f = fopen(path, "r");
    if (!f) {
        print_message("SKIP bulk_sample: %s not found\n", path);
        skip();
    }
    ImportSection section = IMPORT_HEADER;
    int count[4] = {0};
    while (fgets(line, sizeof line, f)) {
        const Json *v = lab_json(l, line);
        const Json *name = json_get(v, STR("Section"));
        if (name) {
            section = section_of(name->s);
            continue;
        }
        worked(l, import(l, section, line));
        count[section]++;
        if (section == IMPORT_TWINS) holds(l, arena_str(&l->arena, json_get(v, STR("$dtId"))->s).p, line);
    }
    fclose(f);
    assert_int_equal(count[IMPORT_MODELS], 10);
    assert_int_equal(count[IMPORT_TWINS], 10);
    View v = view_writer(l->w);
    assert_int_equal(view_meta(&v, META_LINKS), count[IMPORT_LINKS]);
    assert_true(count[IMPORT_LINKS] > 5);
}

// The same edits give the same bytes, and replaying those bytes gives the same twins.
static void batches_replay(void **state) {
    Lab *l = *state;
    World *copy = world_new(l->d, 0);
    Buf bytes = {0};
    lab_begin(l);
    Change models[] = {{.kind = CHANGE_MODELS_ADD, .text = lab_text(l, LAB_MODELS)},
                       {.kind = CHANGE_MODELS_ADD, .text = lab_text(l, LAB_MODELS_MORE)}};
    world_begin(copy, 1, 1000);
    assert_int_equal(world_do(copy, &models[0]), ERR_OK);
    assert_int_equal(world_do(copy, &models[1]), ERR_OK);
    world_end(copy);
    world_settle(copy, 1);
    Precondition any = {0};
    worked(l, edit_twin_put(l->w, STR("r"), lab_json(l, EVERYTHING), any, NULL, &l->diag));
    worked(l, edit_twin_put(l->w, STR("d"), lab_json(l, "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"), any, NULL,
                            &l->diag));
    worked(l, edit_link_put(l->w, STR("r"), STR("k"), lab_json(l, "{" NEAR("d") ",'weight':1,'box':{'a':1}}"), any,
                            NULL, &l->diag));
    worked(l, edit_twin_patch(l->w, STR("r"),
                              lab_json(l, "[{'op':'remove','path':'/pos'},{'op':'add','path':'/temp','value':9}]"), any,
                              &l->diag));
    BatchHead head = {.seq = l->seq, .time = l->now};
    Str changes = world_batch(l->w, &head.count);
    batch_encode(&head, changes, &bytes);
    (void)lab_finish(l, ERR_OK);
    Cut cut = cut_of(buf_str(&bytes));
    assert_int_equal(world_replay(copy, &cut, &head), ERR_OK);
    world_verify(copy);
    Buf got = {0};
    View v;
    view_begin(&v, copy);
    show_twin(&v, view_find_twin(&v, STR("r")), NULL, &got);
    view_end(&v);
    Str want = lab_get(l, "r", false);
    assert_true(str_eq(buf_str(&got), want));
    buf_free(&got);
    buf_free(&bytes);
    world_free(copy);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(put_keeps_every_schema),
        T(put_keeps_wide_numbers),
        T(put_refuses),
        T(put_checks_wide_numbers),
        T(put_limits_sizes),
        T(put_checks_ids),
        T(put_replaces),
        T(put_of_nothing_renews_the_etag),
        T(put_keeps_source_times),
        T(put_changes_the_model),
        T(preconditions),
        T(etags_are_their_own),
        T(links_live),
        T(link_properties_in_any_case),
        T(links_refuse),
        T(links_obey_preconditions),
        T(models_come_and_go),
        T(decommissioned_models_take_no_new_twins),
        T(twins_outlive_their_model),
        T(orphans_can_be_deleted_or_put),
        T(values_by_path),
        T(values_refused),
        T(late_values_change_nothing_now),
        T(resolved_values),
        T(telemetry_passes_through),
        T(bulk_lines),
        T(bulk_sample),
        T(batches_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
