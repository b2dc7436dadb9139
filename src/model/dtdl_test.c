// SPDX-License-Identifier: Apache-2.0
// Conformance: the public test corpus of the reference DTDL parser (dtdl-parser-cases, MIT), read in place. A case
// passes when the verdict on the whole input is the expected one. SOSIA_VERBOSE=1 names every case that fails.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "model/box.h"
#include "model/dtdl.h"
#include "model/dtmi.h"
#include "model/test_files.h"

typedef struct Tally {
    int valid_passed, valid_failed;     // cases that must be accepted
    int invalid_passed, invalid_failed; // cases that must be refused
    int skipped;
    int rule_named; // refused, and for a reason the case names
    int instances_passed, instances_failed;
} Tally;

typedef struct Runner {
    Arena arena; // of one file
    Tally *tally;
    const char *file;
    Diag diag;
    bool verbose, told;
} Runner;

static void tell(Runner *r, const char *what, Str detail) {
    if (r->told && !r->verbose) return;
    printf("  differs: %s: %s %.*s\n", r->file, what, (int)(detail.n > 6000 ? 6000 : detail.n), detail.p);
    r->told = true;
}

static bool list_has(const Json *list, Str s) {
    for (int32_t i = 0; list && list->type == JSON_ARRAY && i < list->count; i++)
        if (list->items[i].type == JSON_STRING && str_eq(list->items[i].s, s)) return true;
    return false;
}

static bool not_empty(const Json *v) { return v && v->count > 0; }

// Contexts of extensions that are not built in.
static bool needs_unknown_context(const Json *list) {
    for (int32_t i = 0; list && i < list->count; i++) {
        Dtmi d;
        bool known = false;
        if (!dtmi_parse(list->items[i].s, &d)) return true;
        for (int x = 0; x < EXT_COUNT; x++)
            known |= str_eq(d.path, ext_context((Ext)x)) && ext_versions((Ext)x, d.major);
        known |= str_starts(d.path, STR("dtmi:dtdl:limits:")) || str_eq(d.path, STR("dtmi:dtdl:context"));
        if (!known) return true;
    }
    return false;
}

static DtdlOptions options_of(const Json *c) {
    DtdlOptions o = {.inline_interfaces = true};
    const Json *options = json_get(c, STR("options")), *limits = json_get(c, STR("acceptableLimits"));
    const Json *max = json_get(c, STR("maxDtdlVersion"));
    if (list_has(options, STR("AllowUndefinedExtensions"))) o.unknown = UNKNOWN_ALLOW;
    if (list_has(options, STR("DisallowUndefinedExtensions"))) o.unknown = UNKNOWN_REFUSE;
    if (max && max->type == JSON_INT) o.max_version = (int)max->i;
    if (list_has(limits, STR("dtmi:dtdl:limits:onvif"))) o.limits |= 1 << LIMITS_ONVIF;
    if (list_has(limits, STR("dtmi:dtdl:limits:aio"))) o.limits |= 1 << LIMITS_AIO;
    return o;
}

// Some complaint carries the name of an error that the case expects.
static bool names_rule(const Diag *d, const Json *expect) {
    const Json *errors = json_get(expect, STR("parsingErrors"));
    for (int32_t i = 0; errors && i < errors->count; i++) {
        const Json *id = json_get(&errors->items[i], STR("ValidationID"));
        if (!id || id->type != JSON_STRING) continue;
        char rule[128];
        Str name = str_starts(id->s, STR("dtmi:dtdl:parsingError:")) ? str_sub(id->s, 23, id->s.n) : id->s;
        int n = snprintf(rule, sizeof rule, "[%.*s]", STR_ARG(name));
        for (int32_t j = 0; j < d->count; j++)
            if (str_find_str(d->messages[j].text, (Str){rule, n}) >= 0) return true;
    }
    return false;
}

static void print_expected(Runner *r, const Json *expect) {
    const Json *errors = json_get(expect, STR("parsingErrors"));
    Buf b = {0};
    for (int32_t i = 0; errors && i < errors->count; i++) {
        const Json *id = json_get(&errors->items[i], STR("ValidationID"));
        if (id && id->type == JSON_STRING) buf_printf(&b, " %.*s", STR_ARG(id->s));
    }
    tell(r, "accepted, should be refused:", buf_str(&b));
    buf_free(&b);
}

// `input` lists texts, each of which is an interface or an array of them.
static Json flatten(Arena *a, const Json *input) {
    int32_t n = 0;
    if (input->type != JSON_ARRAY) return *input;
    for (int32_t i = 0; i < input->count; i++) n += input->items[i].type == JSON_ARRAY ? input->items[i].count : 1;
    Json out = *input;
    out.items = NEW(a, Json, n);
    out.count = 0;
    for (int32_t i = 0; i < input->count; i++) {
        const Json *x = &input->items[i];
        if (x->type != JSON_ARRAY) out.items[out.count++] = *x;
        else
            for (int32_t j = 0; j < x->count; j++) out.items[out.count++] = x->items[j];
    }
    return out;
}

// What a resolver would be asked for is stored beforehand. NULL when that is refused already.
static Schema *stored(Arena *a, const Json *c, const DtdlOptions *o, Diag *d) {
    const Json *list = json_get(c, STR("resolution"));
    Schema *empty = schema_new(), *s = NULL;
    int32_t n = 0;
    for (int32_t i = 0; list && i < list->count; i++) n += json_get(&list->items[i], STR("response"))->count;
    if (n == 0) return empty;
    Json docs = {.type = JSON_ARRAY, .items = NEW(a, Json, n)};
    for (int32_t i = 0; i < list->count; i++) {
        const Json *response = json_get(&list->items[i], STR("response"));
        for (int32_t j = 0; response->type == JSON_ARRAY && j < response->count; j++)
            docs.items[docs.count++] = response->items[j];
    }
    docs = flatten(a, &docs);
    Err e = schema_add_with(empty, &docs, o, &s, d);
    schema_unref(empty);
    return e == ERR_OK ? s : NULL;
}

static void run_case(Runner *r, const Json *c) {
    Tally *t = r->tally;
    const Json *input = json_get(c, STR("input")), *valid = json_get(c, STR("valid"));
    if (!input || !valid || not_empty(json_get(c, STR("quirks"))) || not_empty(json_get(c, STR("partialResolution"))) ||
        needs_unknown_context(json_get(c, STR("requiredContexts")))) {
        t->skipped++;
        return;
    }
    DtdlOptions o = options_of(c);
    diag_free(&r->diag);
    diag_init(&r->diag);
    Schema *base = stored(&r->arena, c, &o, &r->diag), *s = NULL;
    Json docs = flatten(&r->arena, input);
    Err e = base ? schema_add_with(base, &docs, &o, &s, &r->diag) : r->diag.code;
    if (valid->type == JSON_TRUE && e == ERR_OK) {
        t->valid_passed++;
    } else if (valid->type == JSON_TRUE) {
        t->valid_failed++;
        tell(r, "refused, should be accepted:", r->diag.messages[0].text);
    } else if (e != ERR_OK) {
        t->invalid_passed++;
        bool named = names_rule(&r->diag, json_get(c, STR("expect")));
        t->rule_named += named;
        if (!named && getenv("SOSIA_RULES")) {
            Buf b = {0};
            buf_printf(&b, "%.*s | %.*s", STR_ARG(r->diag.messages[0].text), STR_ARG(json_get(c, STR("expect"))->raw));
            tell(r, "other reason:", buf_str(&b));
            buf_free(&b);
        }
    } else {
        t->invalid_failed++;
        print_expected(r, json_get(c, STR("expect")));
    }
    schema_unref(s);
    schema_unref(base);
}

// ---- values ----

static Json string_value(Str s) { return (Json){.type = JSON_STRING, .s = s}; }

// The first interface of the input with one Telemetry more, of the schema `subject`.
static Json with_probe(Arena *a, const Json *input, Str subject) {
    Json *probe = NEW(a, Json, 1), *contents = NEW(a, Json, 1), out = input->items[0];
    *probe = (Json){.type = JSON_OBJECT, .count = 3, .members = NEW(a, JsonMember, 3)};
    probe->members[0] = (JsonMember){STR("@type"), string_value(STR("Telemetry"))};
    probe->members[1] = (JsonMember){STR("name"), string_value(STR("probe"))};
    probe->members[2] = (JsonMember){STR("schema"), string_value(subject)};
    *contents = (Json){.type = JSON_ARRAY, .count = 1, .items = probe};
    JsonMember *members = NEW(a, JsonMember, out.count + 1);
    int32_t n = 0;
    for (int32_t i = 0; i < out.count; i++)
        if (!str_eq(out.members[i].key, STR("contents"))) members[n++] = out.members[i];
    members[n++] = (JsonMember){STR("contents"), *contents};
    out.members = members;
    out.count = n;
    return out;
}

static void run_instance(Runner *r, const Json *input, const Json *c) {
    const Json *subject = json_get(c, STR("subject")), *conforms = json_get(c, STR("conforms"));
    const Json *submit = json_get(c, STR("submit"));
    if (!conforms) return; // the reference parser cannot be asked about such elements either
    Json doc = with_probe(&r->arena, input, subject->s), v;
    Schema *empty = schema_new(), *s = NULL;
    DtdlOptions o = {.inline_interfaces = true};
    assert_int_equal(schema_add_with(empty, &doc, &o, &s, NULL), ERR_OK);
    const Telemetry *t = model_telemetry(schema_at(s, 0), STR("probe"));
    Err e = json_parse(submit->s, NULL, &r->arena, &v, NULL);
    if (e == ERR_OK) e = type_check(t->type, &v, STR(""), NULL);
    if ((e == ERR_OK) == (conforms->type == JSON_TRUE)) {
        r->tally->instances_passed++;
    } else {
        r->tally->instances_failed++;
        tell(r, e == ERR_OK ? "value taken, should be refused:" : "value refused, should be taken:", submit->s);
    }
    schema_unref(s);
    schema_unref(empty);
}

static void run_instances(Runner *r, const Json *c) {
    const Json *list = json_get(c, STR("instances")), *input = json_get(c, STR("input"));
    for (int32_t i = 0; list && i < list->count; i++) run_instance(r, input, &list->items[i]);
}

static void run_file(Runner *r, const char *path) {
    Json v;
    arena_reset(&r->arena);
    r->file = path;
    if (json_parse(file_text(&r->arena, path), NULL, &r->arena, &v, NULL) != ERR_OK) {
        r->tally->skipped++;
        return;
    }
    if (v.type == JSON_ARRAY)
        for (int32_t i = 0; i < v.count; i++) run_case(r, &v.items[i]);
    else run_case(r, &v);
    if (v.type == JSON_OBJECT) run_instances(r, &v);
}

static Tally run_folder(const char *folder, const char *suffix) {
    Tally t = {0};
    char dir[512];
    snprintf(dir, sizeof dir, "%s/dtdl-parser-cases/%s", data_root(), folder);
    if (!data_present(folder, dir)) skip();
    Arena names;
    arena_init(&names, 0);
    FileList files = files_below(&names, dir, suffix);
    Runner r = {.tally = &t, .verbose = getenv("SOSIA_VERBOSE") != NULL};
    arena_init(&r.arena, 0);
    diag_init(&r.diag);
    for (int32_t i = 0; i < files.count; i++) run_file(&r, files.paths[i].p);
    arena_free(&r.arena);
    arena_free(&names);
    diag_free(&r.diag);
    printf("%s/*%s: accepted %d of %d valid, refused %d of %d invalid (%d for an expected reason), skipped %d\n",
           folder, suffix, t.valid_passed, t.valid_passed + t.valid_failed, t.invalid_passed,
           t.invalid_passed + t.invalid_failed, t.rule_named, t.skipped);
    if (t.instances_passed + t.instances_failed)
        printf("%s/*%s: %d values judged right, %d wrong\n", folder, suffix, t.instances_passed, t.instances_failed);
    return t;
}

// Every case that is not skipped gets the expected verdict, and no fewer cases run than did when this was written.
static void expect(Tally t, int valid_min, int invalid_min) {
    assert_int_equal(t.instances_failed, 0);
    if (t.valid_failed || t.invalid_failed || t.valid_passed < valid_min || t.invalid_passed < invalid_min)
        fail_msg("%d valid refused, %d invalid accepted; %d valid passed (want %d), %d invalid passed (want %d)",
                 t.valid_failed, t.invalid_failed, t.valid_passed, valid_min, t.invalid_passed, invalid_min);
}

static void test_generated(void **state) {
    (void)state;
    expect(run_folder("generated", "V2.json"), 114, 279);
    expect(run_folder("generated", "V3.json"), 103, 348);
    expect(run_folder("generated", "V4.json"), 156, 433);
}

static void test_specification(void **state) {
    (void)state;
    expect(run_folder("specification", "V2.json"), 511, 1434);
    expect(run_folder("specification", "V3.json"), 522, 1497);
    expect(run_folder("specification", "V4.json"), 528, 1493);
}

static void test_examples(void **state) {
    (void)state;
    expect(run_folder("doc-examples", ".json"), 127, 8);
}

static void test_solecisms(void **state) {
    (void)state;
    expect(run_folder("solecisms", ".json"), 0, 10);
}

// Identifiers in general: versions, fragments and system segments, which models themselves may not use.
static void test_dtmis(void **state) {
    (void)state;
    char dir[512];
    snprintf(dir, sizeof dir, "%s/dtdl-parser-cases/dtmis", data_root());
    if (!data_present("dtmis", dir)) skip();
    Arena a;
    arena_init(&a, 0);
    FileList files = files_below(&a, dir, ".json");
    for (int32_t i = 0; i < files.count; i++) {
        Json c;
        Dtmi d = {0};
        assert_int_equal(json_parse(file_text(&a, files.paths[i].p), NULL, &a, &c, NULL), ERR_OK);
        bool valid = json_get(&c, STR("valid"))->type == JSON_TRUE;
        if (dtmi_parse(json_get(&c, STR("idText"))->s, &d) != valid) fail_msg("%s", files.paths[i].p);
        const Json *expected = json_get(&c, STR("expect"));
        const Json *major = json_get(expected, STR("MajorVersion")), *minor = json_get(expected, STR("MinorVersion"));
        if (major && major->type == JSON_INT) assert_int_equal(d.major, major->i);
        if (minor && minor->type == JSON_INT) assert_int_equal(d.minor, minor->i);
        const Json *labels = json_get(expected, STR("Labels"));
        if (labels) assert_int_equal(d.labels, labels->count);
    }
    printf("dtmis: %d identifiers\n", files.count);
    assert_true(files.count >= 19);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_generated), cmocka_unit_test(test_specification),
                                       cmocka_unit_test(test_examples), cmocka_unit_test(test_solecisms),
                                       cmocka_unit_test(test_dtmis)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
