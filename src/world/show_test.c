// SPDX-License-Identifier: Apache-2.0
// Twins, relationships and models as JSON: the exact bytes, with fixed ids and times.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "world/test_edit.h"

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

static void worked(Lab *l, Err got) {
    if (got == ERR_OK) return;
    Buf text = {0};
    diag_print(&l->diag, &text);
    print_error("%s: %.*s\n", err_name(got), STR_ARG(buf_str(&text)));
    fail();
}

// 'T0 and 'T1 in `want` stand for the last update time and the one before, @E for the etag.
static void same(Lab *l, Str got, const char *want, const char *etag) {
    Buf full = {0};
    int64_t time = l->now;
    for (const char *p = want; *p; p++) {
        if (p[0] == '@' && p[1] == 'E') {
            buf_str_put(&full, str_of(etag));
            p++;
        } else if (p[0] == 'T' && (p[1] == '0' || p[1] == '1') && p[-1] == '\'') {
            time_print(time - (p[1] == '1' ? 1000 : 0), 7, &full);
            p++;
        } else {
            buf_byte(&full, p[0] == '\'' ? '"' : p[0]);
        }
    }
    if (!str_eq(got, buf_str(&full))) print_error("got    %.*s\nwanted %.*s\n", STR_ARG(got), STR_ARG(buf_str(&full)));
    assert_true(str_eq(got, buf_str(&full)));
    buf_free(&full);
}

// The etag as it stands in JSON.
static const char *etag_text(Lab *l, bool link, uint64_t id, int64_t time) {
    char etag[48];
    Buf b = {0};
    if (link) etag_of_link((LinkId){id}, time, etag);
    else etag_of_twin((TwinId){id}, time, etag);
    json_put_str(&b, str_of(etag));
    Str kept = arena_str(&l->arena, buf_str(&b));
    buf_free(&b);
    return kept.p;
}

static const char BODY[] =
    "{'$metadata':{'$model':'dtmi:lab:Room;1','temp':{'sourceTime':'2025-12-31T23:59:59.123456789Z'}},"
    "'thermo':{'setPoint':20,'box':{'w':0.1},'$metadata':{'setPoint':{'sourceTime':'2025-12-31T00:00:00Z'}}},"
    "'name':'a \\u0022q\\u0022 \\u0001 ü','temp':21.5,'flow':0.1,'pos':{'in':{'z':1},'x':-0.0},'tags':{'k':'v'}}";

static void twin(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r 1", BODY));
    const char *etag = etag_text(l, false, lab_twin(l, "r 1").v, l->now);
    same(l, lab_get(l, "r 1", false),
         "{'$dtId':'r 1','$etag':@E,'temp':21.5,'flow':0.1,'name':'a \\'q\\' \\u0001 ü','pos':{'x':-0.0,'in':{'z':1}},"
         "'tags':{'k':'v'},'thermo':{'setPoint':20,'box':{'w':0.1},'$metadata':{'$lastUpdateTime':'T0',"
         "'setPoint':{'lastUpdateTime':'T0','sourceTime':'2025-12-31T00:00:00.0000000Z'},"
         "'box':{'lastUpdateTime':'T0'}}},'$metadata':{'$model':'dtmi:lab:Room;1','$lastUpdateTime':'T0',"
         "'temp':{'lastUpdateTime':'T0','sourceTime':'2025-12-31T23:59:59.1234567Z'},'flow':{'lastUpdateTime':'T0'},"
         "'name':{'lastUpdateTime':'T0'},'pos':{'lastUpdateTime':'T0'},'tags':{'lastUpdateTime':'T0'}}}",
         etag);
    same(l, lab_get(l, "r 1", true),
         "{'$dtId':'r 1','$etag':@E,'temp':21.5,'flow':0.1,'name':'a \\'q\\' \\u0001 ü','pos':{'x':-0.0,'in':{'z':1}},"
         "'tags':{'k':'v'},'thermo':{'setPoint':20,'box':{'w':0.1},'$metadata':{"
         "'setPoint':{'lastUpdateTime':'T0'},'box':{'lastUpdateTime':'T0'}}},'$metadata':{'$model':'dtmi:lab:Room;1',"
         "'temp':{'lastUpdateTime':'T0'},'flow':{'lastUpdateTime':'T0'},"
         "'name':{'lastUpdateTime':'T0'},'pos':{'lastUpdateTime':'T0'},'tags':{'lastUpdateTime':'T0'}}}",
         etag);
}

static void times_are_of_each_property(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r",
                      "{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{'setPoint':1},'temp':1,'pos':{'x':1},"
                      "'count':1}"));
    worked(l, lab_patch(l, "r",
                        "[{'op':'add','path':'/pos/y','value':2},{'op':'add','path':'/thermo/mode','value':'OFF'},"
                        "{'op':'remove','path':'/count'}]"));
    same(l, lab_get(l, "r", false),
         "{'$dtId':'r','$etag':@E,'temp':1,'pos':{'x':1,'y':2},'thermo':{'setPoint':1,'mode':'OFF',"
         "'$metadata':{'$lastUpdateTime':'T0','setPoint':{'lastUpdateTime':'T1'},'mode':{'lastUpdateTime':'T0'}}},"
         "'$metadata':{'$model':'dtmi:lab:Room;1','$lastUpdateTime':'T0','temp':{'lastUpdateTime':'T1'},"
         "'pos':{'lastUpdateTime':'T0'}}}",
         etag_text(l, false, lab_twin(l, "r").v, l->now));
}

static void component(void **state) {
    Lab *l = *state;
    Buf out = {0};
    View v;
    worked(l, lab_put(l, "r", "{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{'mode':'OFF'}}"));
    view_begin(&v, l->w);
    TwinId id = view_find_twin(&v, STR("r"));
    assert_int_equal(show_component(&v, id, STR("thermo"), NULL, &out), ERR_OK);
    same(l, buf_str(&out), "{'mode':'OFF','$metadata':{'$lastUpdateTime':'T0','mode':{'lastUpdateTime':'T0'}}}", "");
    assert_int_equal(show_component(&v, id, STR("pos"), NULL, &out), ERR_COMPONENT_NOT_FOUND);
    assert_int_equal(show_component(&v, id, STR("nope"), NULL, &out), ERR_COMPONENT_NOT_FOUND);
    assert_int_equal(show_component(&v, (TwinId){9}, STR("thermo"), NULL, &out), ERR_COMPONENT_NOT_FOUND);
    view_end(&v);
    buf_free(&out);
}

static void links(void **state) {
    Lab *l = *state;
    Buf out = {0};
    View v;
    worked(l, lab_put(l, "a b/ü", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_put(l, "c", "{'$metadata':{'$model':'dtmi:lab:Desk;1'}}"));
    worked(l, lab_link(l, "a b/ü", "r;1", "{'$relationshipName':'near','$targetId':'c','weight':1.5,'box':{'b':2}}"));
    LinkId id = lab_link_id(l, "a b/ü", "r;1");
    same(l, lab_get_link(l, "a b/ü", "r;1"),
         "{'$relationshipId':'r;1','$etag':@E,'$sourceId':'a b/ü','$relationshipName':'near','$targetId':'c',"
         "'weight':1.5,'box':{'b':2}}",
         etag_text(l, true, id.v, l->now));
    view_begin(&v, l->w);
    ShowOptions o = {.base_url = STR("http://h:1/worlds/live"), .api_version = STR("2023-10-31")};
    show_incoming(&v, id, &o, &out);
    same(l, buf_str(&out),
         "{'$relationshipId':'r;1','$sourceId':'a b/ü','$relationshipName':'near','$relationshipLink':"
         "'http://h:1/worlds/live/digitaltwins/a%20b%2F%C3%BC/relationships/r%3B1?api-version=2023-10-31'}",
         "");
    view_end(&v);
    buf_free(&out);
}

static const char NOTE[] = "[{'@context':'dtmi:dtdl:context;2','@id':'dtmi:lab:Note;1','@type':'Interface',"
                           "'displayName':'Note','contents':[]},"
                           "{'@context':['dtmi:dtdl:context;3'],'@id':'dtmi:lab:Note;2','@type':'Interface'}]";

static void models(void **state) {
    Lab *l = *state;
    Buf out = {0};
    View v;
    worked(l, lab_models(l, NOTE));
    Buf time = {0};
    time_print(l->now, 7, &time);
    time.n--;
    view_begin(&v, l->w);
    const Schema *s = v.catalog->schema;
    show_model(&v, schema_find(s, STR("dtmi:lab:Note;1")), true, &out);
    buf_byte(&out, '\n');
    show_model(&v, schema_find(s, STR("dtmi:lab:Note;2")), true, &out);
    buf_byte(&out, '\n');
    show_model(&v, schema_find(s, STR("dtmi:lab:Note;2")), false, &out);
    Str want =
        arena_printf(&l->arena,
                     "{'id':'dtmi:lab:Note;1','displayName':{'en':'Note'},'description':{},'uploadTime':'%.*s+00:00',"
                     "'decommissioned':false,'model':{'@context':['dtmi:dtdl:context;2'],"
                     "'@id':'dtmi:lab:Note;1','@type':'Interface','displayName':'Note','contents':[]}}\n"
                     "{'id':'dtmi:lab:Note;2','displayName':{},'description':{},'uploadTime':'%.*s+00:00',"
                     "'decommissioned':false,'model':{'@context':['dtmi:dtdl:context;3'],"
                     "'@id':'dtmi:lab:Note;2','@type':'Interface'}}\n"
                     "{'id':'dtmi:lab:Note;2','displayName':{},'description':{},'uploadTime':'%.*s+00:00',"
                     "'decommissioned':false}",
                     STR_ARG(buf_str(&time)), STR_ARG(buf_str(&time)), STR_ARG(buf_str(&time)));
    same(l, buf_str(&out), want.p, "");
    buf_reset(&out);
    show_model(&v, schema_find(s, STR("dtmi:lab:Desk;1")), false, &out);
    assert_true(str_find_str(buf_str(&out), STR("\"displayName\":{\"en\":\"Desk\",\"de\":\"Tisch\"},"
                                                "\"description\":{\"en\":\"A \\\"desk\\\"\"},")) > 0);
    view_end(&v);
    worked(l, LAB_DO(l, edit_model_patch(l->w, STR("dtmi:lab:Note;1"),
                                         lab_json(l, "[{'op':'replace','path':'/decommissioned','value':true}]"),
                                         &l->diag)));
    buf_reset(&out);
    view_begin(&v, l->w);
    show_model(&v, schema_find(v.catalog->schema, STR("dtmi:lab:Note;1")), false, &out);
    assert_true(str_ends(buf_str(&out), STR("\"decommissioned\":true}")));
    assert_true(str_find_str(buf_str(&out), buf_str(&time)) > 0); // the time of the upload stays
    view_end(&v);
    buf_free(&time);
    buf_free(&out);
}

static void single_values(void **state) {
    Lab *l = *state;
    static const struct {
        const char *path, *json;
    } cases[] = {
        {"temp", "21.5"},      {"flow", "0.1"},       {"name", "'a ü \\'q\\''"}, {"pos", "{'x':-0.0,'in':{'z':1}}"},
        {"pos.in", "{'z':1}"}, {"tags", "{'k':'v'}"}, {"count", "null"},         {"thermo.box.w", "0.1"}};
    Buf out = {0};
    View v;
    worked(l, lab_put(l, "r",
                      "{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{'box':{'w':0.1}},"
                      "'name':'a ü \\u0022q\\u0022','temp':21.5,'flow':0.1,'pos':{'in':{'z':1},'x':-0.0},"
                      "'tags':{'k':'v'}}"));
    TwinId id = lab_twin(l, "r");
    view_begin(&v, l->w);
    TwinView t = view_twin_place(&v, id);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t col = edit_column(l->w, id, str_of(cases[i].path));
        assert_true(col != 0);
        buf_reset(&out);
        show_value(&v, col, t.row, &out);
        same(l, buf_str(&out), cases[i].json, "");
    }
    buf_reset(&out);
    show_value(&v, 1, t.row, &out);
    show_value(&v, v.catalog->next_vec, t.row, &out);
    show_value(&v, v.catalog->tables[0].rows, 0, &out);
    same(l, buf_str(&out), "nullnullnull", "");
    view_end(&v);
    buf_free(&out);
}

static void values_of_changes(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "w", "{'$metadata':{'$model':'dtmi:lab:Wide;1'}}"));
    worked(l, lab_put(l, "r", "{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{}}"));
    TwinId w = lab_twin(l, "w"), r = lab_twin(l, "r");
    const Change cases[] = {
        {.cell = CELL_I64, .col = edit_column(l->w, w, STR("u64")), .bits = UINT64_MAX},
        {.cell = CELL_I64, .col = edit_column(l->w, w, STR("i8")), .bits = (uint64_t)-1},
        {.cell = CELL_F64, .col = edit_column(l->w, r, STR("temp")), .bits = bits_of(0.1)},
        {.cell = CELL_F64, .col = edit_column(l->w, r, STR("flow")), .bits = bits_of((double)0.1f)},
        {.cell = CELL_F64, .col = edit_column(l->w, r, STR("flow")), .bits = bits_of((double)1e20f)},
        {.cell = CELL_F64, .col = edit_column(l->w, r, STR("flow")), .bits = bits_of((double)16777216.f)},
        {.cell = CELL_F64, .col = edit_column(l->w, r, STR("flow")), .bits = bits_of((double)3.4028235e38f)},
        {.cell = CELL_F64, .col = edit_column(l->w, r, STR("flow")), .bits = bits_of((double)1.17549435e-38f)},
        {.cell = CELL_BOOL, .col = edit_column(l->w, r, STR("on")), .bits = 1},
        {.cell = CELL_STR, .col = edit_column(l->w, r, STR("name")), .text = STR("n")},
        {.cell = CELL_DOC, .col = edit_column(l->w, r, STR("tags")), .text = STR("{\"a\":\"b\"}")},
        {.cell = CELL_OBJECT, .col = edit_column(l->w, r, STR("pos")), .bits = 1},
    };
    Buf out = {0};
    View v = view_writer(l->w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        show_change_value(v.catalog, &cases[i], &out);
        buf_byte(&out, ' ');
    }
    same(l, buf_str(&out),
         "18446744073709551615 -1 0.1 0.1 100000000000000000000 16777216 3.4028235e+38 1.1754944e-38 true 'n' "
         "{'a':'b'} {} ",
         "");
    buf_free(&out);
}

// More properties than are kept between the passes.
static void wide_twins(void **state) {
    Lab *l = *state;
    enum { WIDE = 150 };
    Buf model = {0}, body = {0};
    buf_printf(&model, "[{'@context':'dtmi:dtdl:context;3','@id':'dtmi:lab:Many;1','@type':'Interface','contents':[");
    buf_printf(&body, "{'$metadata':{'$model':'dtmi:lab:Many;1'}");
    for (int i = 0; i < WIDE; i++) {
        buf_printf(&model, "%s{'@type':'Property','name':'p%d','schema':'integer'}", i ? "," : "", i);
        if (i % 3) buf_printf(&body, ",'p%d':%d", i, i);
    }
    buf_put(&model, "]}]", 4);
    buf_put(&body, "}", 2);
    worked(l, lab_models(l, model.p));
    worked(l, lab_put(l, "m", body.p));
    Json v, want = lab_values(l, lab_text(l, body.p)), got;
    Str text = arena_str(&l->arena, lab_get(l, "m", false));
    assert_int_equal(json_parse(text, NULL, &l->arena, &v, NULL), ERR_OK);
    got = lab_values(l, text);
    assert_true(json_equal(&got, &want));
    const Json *meta = json_get(&v, STR("$metadata"));
    assert_false(meta->dup);
    assert_int_equal(meta->count, 2 + WIDE * 2 / 3);
    for (int i = 0; i < WIDE; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(json_get(meta, str_of(name)) != NULL, i % 3 != 0);
    }
    buf_free(&model);
    buf_free(&body);
}

// Random UTF-8, controls and all planes.
static void draw_text(Rng *rng, Buf *out) {
    for (uint64_t n = rng_below(rng, 24); n > 0; n--) {
        uint32_t c = (uint32_t)rng_below(rng, rng_below(rng, 2) ? 0x80 : 0x110000);
        if (c >= 0xd800 && c < 0xe000) continue;
        if (c < 0x80) buf_byte(out, (char)c);
        else if (c < 0x800) buf_put(out, (char[]){(char)(0xc0 | c >> 6), (char)(0x80 | (c & 63))}, 2);
        else if (c < 0x10000)
            buf_put(out, (char[]){(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63))}, 3);
        else
            buf_put(out,
                    (char[]){(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)), (char)(0x80 | (c >> 6 & 63)),
                             (char)(0x80 | (c & 63))},
                    4);
    }
}

static void random_values_come_back_bit_for_bit(void **state) {
    Lab *l = *state;
    worked(l, lab_put(l, "r", "{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{}}"));
    TwinId id = lab_twin(l, "r");
    Buf text = {0};
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        Rng rng = rng_make(seed, 3);
        double d = double_of(rng_u64(&rng));
        if (!__builtin_isfinite(d)) d = (double)seed / 3;
        uint32_t fbits = rng_u32(&rng);
        float f;
        memcpy(&f, &fbits, 4);
        if (!__builtin_isfinite(f)) f = (float)seed / 7;
        int64_t i = (int64_t)(rng_u64(&rng) >> rng_below(&rng, 64));
        buf_reset(&text);
        draw_text(&rng, &text);
        Change set[] = {{.cell = CELL_F64, .bits = bits_of(d), .col = edit_column(l->w, id, STR("temp"))},
                        {.cell = CELL_F64, .bits = bits_of((double)f), .col = edit_column(l->w, id, STR("flow"))},
                        {.cell = CELL_I64, .bits = (uint64_t)i, .col = edit_column(l->w, id, STR("big"))},
                        {.cell = CELL_STR, .text = buf_str(&text), .col = edit_column(l->w, id, STR("name"))}};
        lab_begin(l);
        for (int k = 0; k < 4; k++) {
            set[k].kind = CHANGE_SET;
            set[k].id = id.v;
            worked(l, edit_set(l->w, &set[k], &l->diag));
        }
        (void)lab_finish(l, ERR_OK);
        Json v;
        Str shown = arena_str(&l->arena, lab_get(l, "r", false));
        assert_int_equal(json_parse(shown, NULL, &l->arena, &v, NULL), ERR_OK);
        float back = (float)json_f64(json_get(&v, STR("flow")));
        if (bits_of(json_f64(json_get(&v, STR("temp")))) != bits_of(d)) fail_msg("seed %llu", (unsigned long long)seed);
        if (memcmp(&back, &f, 4) != 0 && f != 0) fail_msg("seed %llu", (unsigned long long)seed);
        assert_int_equal(json_get(&v, STR("big"))->i, i);
        assert_true(str_eq(json_get(&v, STR("name"))->s, buf_str(&text)));
        // and again through a PUT of what was shown
        if (LAB_DO(l, edit_twin_put(l->w, STR("r"), &v, (Precondition){0}, NULL, &l->diag)) != ERR_OK)
            fail_msg("seed %llu", (unsigned long long)seed);
        Json again = lab_values(l, lab_get(l, "r", true));
        v = lab_plain(l, &v);
        assert_true(json_equal(&again, &v));
        arena_reset(&l->arena);
    }
    buf_free(&text);
}

// A reader at an older sequence sees the older twin, whole.
static void an_open_view_keeps_its_state(void **state) {
    Lab *l = *state;
    Buf before = {0}, after = {0};
    View v;
    worked(l, lab_put(l, "r", BODY));
    view_begin(&v, l->w);
    TwinId id = view_find_twin(&v, STR("r"));
    show_twin(&v, id, NULL, &before);
    worked(l,
           lab_put(l, "r", "{'$metadata':{'$model':'dtmi:lab:Room;1'},'thermo':{},'name':'another quite long text'}"));
    worked(l, lab_delete(l, "r"));
    show_twin(&v, id, NULL, &after);
    assert_false(v.overrun);
    assert_true(str_eq(buf_str(&before), buf_str(&after)));
    view_end(&v);
    buf_free(&before);
    buf_free(&after);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(twin),
        T(times_are_of_each_property),
        T(component),
        T(links),
        T(models),
        T(single_values),
        T(values_of_changes),
        T(wide_twins),
        T(random_values_come_back_bit_for_bit),
        T(an_open_view_keeps_its_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
