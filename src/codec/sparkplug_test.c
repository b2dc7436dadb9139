// SPDX-License-Identifier: Apache-2.0
// Sparkplug B payloads: vectors of another implementation, every data type there and back, and payloads made to hurt.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/rng.h"
#include "codec/sparkplug.h"

static Arena arena;

static const SpPayload *decode(Str bytes) {
    const SpPayload *p = NULL;
    Diag d;
    diag_init(&d);
    if (sparkplug_decode(bytes, &arena, &p, &d) != ERR_OK) fail_msg("%.*s", STR_ARG(d.messages[0].text));
    diag_free(&d);
    return p;
}

static Err refused(Str bytes) {
    const SpPayload *p = NULL;
    Diag d;
    diag_init(&d);
    Err e = sparkplug_decode(bytes, &arena, &p, &d);
    assert_int_not_equal(e, ERR_OK);
    assert_null(p);
    assert_int_equal(d.count, 1);
    diag_free(&d);
    return e;
}

static Str encode(const SpPayload *p) {
    Buf b = {0};
    assert_int_equal(sparkplug_encode(p, &b), ERR_OK);
    Str s = arena_str(&arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static Str json_of(const SpMetric *m, uint32_t type) {
    SpValue v;
    Buf b = {0};
    const char *why = "?";
    if (sparkplug_value(m, type, &arena, &v, &why) != ERR_OK) return arena_printf(&arena, "error: %s", why);
    sparkplug_put_json(&v, &b);
    Str s = arena_str(&arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void assert_text(Str got, const char *want) {
    if (!str_eq(got, str_of(want))) fail_msg("got %.*s, want %s", STR_ARG(got), want);
}

// ---- vectors of Eclipse Tahu's own encoder -------------------------------------------------------------------------

static const char *data_dir(void) { return getenv("SOSIA_DATA") ? getenv("SOSIA_DATA") : "../shared/data"; }

static bool slurp(const char *name, Str *out) {
    char path[512];
    snprintf(path, sizeof path, "%s/sparkplug-b/vectors/%s", data_dir(), name);
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    char *p = NEW(&arena, char, 65536);
    out->p = p, out->n = (int64_t)fread(p, 1, 65536, f);
    fclose(f);
    return true;
}

static uint32_t type_of(Str name) {
    for (uint32_t t = 0; t < SP_TYPE_COUNT; t++)
        if (str_eq(name, str_of(sparkplug_type_name(t)))) return t;
    fail_msg("no type %.*s", STR_ARG(name));
    return 0;
}

// What the vectors' JSON means: 64-bit numbers are texts there, bytes are {"hex"}.
static void same_value(const SpMetric *m, uint32_t type, const Json *want) {
    Str got = json_of(m, type);
    const Json *hex = json_get(want, STR("hex"));
    if (hex) {
        for (int64_t i = 0; i < hex->s.n / 2; i++) {
            char two[3] = {hex->s.p[2 * i], hex->s.p[2 * i + 1], 0};
            assert_int_equal(m->bytes_value.data[i], strtol(two, NULL, 16));
        }
        assert_int_equal(m->bytes_value.len, hex->s.n / 2);
        assert_text(got, "\"AAEC/f7/\"");
    } else if (type == SP_DATETIME) {
        assert_text(arena_printf(&arena, "%llu", (unsigned long long)m->long_value), arena_str(&arena, want->s).p);
    } else if ((type == SP_INT64 || type == SP_UINT64) && want->type == JSON_STRING) {
        assert_text(got, arena_str(&arena, want->s).p);
    } else {
        Json v;
        assert_int_equal(json_parse(got, NULL, &arena, &v, NULL), ERR_OK);
        assert_true(json_equal(&v, want));
    }
}

static void same_metrics(SpMetric *const *metrics, size_t n, const Json *want) {
    assert_int_equal(n, want->count);
    for (int32_t i = 0; i < want->count; i++) {
        const SpMetric *m = metrics[i];
        const Json *w = &want->items[i], *name = json_get(w, STR("name")), *value = json_get(w, STR("value"));
        uint32_t type = type_of(json_get(w, STR("type"))->s);
        assert_int_equal(m->datatype, type);
        assert_int_equal(m->has_name, name != NULL);
        if (name) assert_true(str_eq(sp_str(m->name), name->s));
        if (type != SP_TEMPLATE) same_value(m, type, value);
        else same_metrics(m->template_value->metrics, m->template_value->n_metrics, json_get(value, STR("metrics")));
    }
}

static void test_vectors_read_as_their_library_reads_them(void **state) {
    (void)state;
    static const char *const names[] = {"dbirth_all_scalars", "dbirth_properties", "dbirth_template_instance",
                                        "ddata_seq_wrap_255", "empty_metrics",     "ndata_alias"};
    Str text, bytes;
    if (!slurp("empty_metrics.bin", &bytes)) {
        printf("SKIP codec/sparkplug vectors: %s/sparkplug-b not found\n", data_dir());
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char file[64];
        Json want;
        snprintf(file, sizeof file, "%s.decoded.json", names[i]);
        assert_true(slurp(file, &text));
        snprintf(file, sizeof file, "%s.bin", names[i]);
        assert_true(slurp(file, &bytes));
        assert_int_equal(json_parse(text, NULL, &arena, &want, NULL), ERR_OK);
        const SpPayload *p = decode(bytes);
        int64_t seq;
        assert_true(str_to_i64(json_get(&want, STR("seq"))->s, &seq));
        assert_int_equal(p->seq, seq);
        same_metrics(p->metrics, p->n_metrics, json_get(&want, STR("metrics")));
        assert_true(str_eq(encode(p), bytes)); // and written again they are the same bytes
    }
}

static void test_vector_of_a_data_set_is_what_was_encoded(void **state) {
    (void)state;
    Str bytes;
    if (!slurp("dbirth_dataset.bin", &bytes)) skip();
    const SpPayload *p = decode(bytes);
    assert_text(json_of(p->metrics[0], SP_DATASET),
                "[{\"a\":1,\"b\":1.5,\"c\":\"x\"},{\"a\":-2,\"b\":2.5,\"c\":\"y\"}]");
    assert_true(str_eq(encode(p), bytes));
}

static void test_vector_of_properties_and_of_a_template_as_documents(void **state) {
    (void)state;
    Str bytes;
    Buf b = {0};
    if (!slurp("dbirth_properties.bin", &bytes)) skip();
    sparkplug_print(decode(bytes), &arena, &b);
    assert_true(str_find_str(buf_str(&b), STR("\"properties\":{\"engUnit\":\"C\",\"engLow\":-40,\"engHigh\":85,"
                                              "\"Quality\":192}")) > 0);
    buf_free(&b);
    assert_true(slurp("dbirth_template_instance.bin", &bytes));
    assert_text(json_of(decode(bytes)->metrics[0], SP_TEMPLATE),
                "{\"rpm\":1450,\"flow\":12.75,\"templateRef\":\"Pump\",\"version\":\"v1\","
                "\"parameters\":{\"maker\":\"KSB\"}}");
}

// ---- every type there and back -------------------------------------------------------------------------------------

// JSON -> metric -> bytes -> metric -> JSON; want NULL: the same text.
static void there_and_back(uint32_t type, const char *text, const char *want) {
    Json v;
    const char *why = "?";
    SpPayload *p = sparkplug_new(&arena, 1);
    assert_int_equal(json_parse(str_of(text), NULL, &arena, &v, NULL), ERR_OK);
    if (sparkplug_set(p->metrics[0], type, &v, &arena, &why) != ERR_OK)
        fail_msg("%s %s: %s", sparkplug_type_name(type), text, why);
    const SpPayload *q = decode(encode(p));
    assert_int_equal(q->n_metrics, 1);
    assert_text(json_of(q->metrics[0], q->metrics[0]->datatype), want ? want : text);
}

static void test_every_type_there_and_back(void **state) {
    (void)state;
    there_and_back(SP_INT8, "-128", NULL), there_and_back(SP_INT8, "127", NULL);
    there_and_back(SP_INT16, "-32768", NULL), there_and_back(SP_INT16, "32767", NULL);
    there_and_back(SP_INT32, "-2147483648", NULL), there_and_back(SP_INT32, "2147483647", NULL);
    there_and_back(SP_INT64, "-9223372036854775808", NULL), there_and_back(SP_INT64, "9223372036854775807", NULL);
    there_and_back(SP_UINT8, "255", NULL), there_and_back(SP_UINT16, "65535", NULL);
    there_and_back(SP_UINT32, "4294967295", NULL), there_and_back(SP_UINT64, "18446744073709551615", NULL);
    there_and_back(SP_INT32, "5.0", "5");
    there_and_back(SP_FLOAT, "-1.5", NULL), there_and_back(SP_DOUBLE, "3.141592653589793", NULL);
    there_and_back(SP_BOOLEAN, "true", NULL), there_and_back(SP_BOOLEAN, "false", NULL);
    there_and_back(SP_STRING, "\"grüße €\"", NULL), there_and_back(SP_TEXT, "\"a\\u0000b\"", NULL);
    there_and_back(SP_UUID, "\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"", NULL);
    there_and_back(SP_DATETIME, "\"2023-11-14T22:13:20.125Z\"", NULL);
    there_and_back(SP_DATETIME, "1700000000000", "\"2023-11-14T22:13:20.000Z\"");
    there_and_back(SP_BYTES, "\"AAEC/f7/\"", NULL), there_and_back(SP_FILE, "\"AA==\"", NULL);
    there_and_back(SP_BYTES, "\"\"", NULL), there_and_back(SP_BYTES, "\"AAE=\"", NULL);
    for (uint32_t t = SP_INT8; t <= SP_UUID; t++) there_and_back(t, "null", NULL);
}

static void test_every_array_there_and_back(void **state) {
    (void)state;
    there_and_back(SP_INT8ARRAY, "[-128,0,127]", NULL), there_and_back(SP_INT16ARRAY, "[-32768,1,32767]", NULL);
    there_and_back(SP_INT32ARRAY, "[-2147483648,2147483647]", NULL);
    there_and_back(SP_INT64ARRAY, "[-9223372036854775808,9223372036854775807]", NULL);
    there_and_back(SP_UINT8ARRAY, "[0,255]", NULL), there_and_back(SP_UINT16ARRAY, "[65535]", NULL);
    there_and_back(SP_UINT32ARRAY, "[4294967295]", NULL);
    there_and_back(SP_UINT64ARRAY, "[18446744073709551615,1]", NULL);
    there_and_back(SP_FLOATARRAY, "[1.5,-2.25]", NULL), there_and_back(SP_DOUBLEARRAY, "[0.1,1e+300]", NULL);
    there_and_back(SP_BOOLEANARRAY, "[true,false,true,true,false,false,false,true,true]", NULL);
    there_and_back(SP_STRINGARRAY, "[\"ABC\",\"\",\"grüße\"]", NULL);
    there_and_back(SP_DATETIMEARRAY, "[\"2009-10-21T05:27:55.335Z\"]", NULL);
    for (uint32_t t = SP_INT8ARRAY; t < SP_TYPE_COUNT; t++) there_and_back(t, "[]", NULL);
}

// The bytes of arrays as the specification lays them out, computed by hand.
static void test_array_bytes_are_those_of_the_specification(void **state) {
    (void)state;
    Json v;
    SpMetric *m = sparkplug_new_metric(&arena);
    static const uint8_t int16[] = {0x30, 0x75, 0xd0, 0x8a}, bools[] = {12, 0, 0, 0, 0x34, 0xd0};
    assert_int_equal(json_parse(STR("[30000,-30000]"), NULL, &arena, &v, NULL), ERR_OK);
    assert_int_equal(sparkplug_set(m, SP_INT16ARRAY, &v, &arena, NULL), ERR_OK);
    assert_memory_equal(m->bytes_value.data, int16, sizeof int16);
    assert_int_equal(
        json_parse(STR("[false,false,true,true,false,true,false,false,true,true,false,true]"), NULL, &arena, &v, NULL),
        ERR_OK);
    assert_int_equal(sparkplug_set(m, SP_BOOLEANARRAY, &v, &arena, NULL), ERR_OK);
    assert_int_equal(m->bytes_value.len, sizeof bools);
    assert_memory_equal(m->bytes_value.data, bools, sizeof bools);
}

// Some senders cut negative numbers to the width of their type, others extend them to the field's.
static void test_negative_numbers_of_either_width(void **state) {
    (void)state;
    SpMetric *m = sparkplug_new_metric(&arena);
    m->value_case = SP__METRIC__VALUE_INT_VALUE;
    m->int_value = 0xff;
    assert_text(json_of(m, SP_INT8), "-1");
    m->int_value = 0xffffffff;
    assert_text(json_of(m, SP_INT8), "-1");
    assert_text(json_of(m, SP_INT16), "-1");
    m->int_value = 0x8000;
    assert_text(json_of(m, SP_INT16), "-32768");
    m->int_value = 0x180;
    assert_text(json_of(m, SP_INT8), "error: the number is beyond its type");
    m->value_case = SP__METRIC__VALUE_LONG_VALUE;
    m->long_value = UINT64_MAX; // Int32 in the wide field
    assert_text(json_of(m, SP_INT32), "-1");
}

static void test_values_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        uint32_t type;
        const char *text;
    } bad[] = {{SP_INT8, "128"},
               {SP_INT8, "-129"},
               {SP_UINT8, "-1"},
               {SP_UINT8, "256"},
               {SP_INT32, "1.5"},
               {SP_INT64, "9223372036854775808"},
               {SP_UINT64, "18446744073709551616"},
               {SP_UINT64, "-1"},
               {SP_FLOAT, "1e300"},
               {SP_FLOAT, "\"1\""},
               {SP_BOOLEAN, "1"},
               {SP_STRING, "1"},
               {SP_DATETIME, "\"x\""},
               {SP_DATETIME, "-1"},
               {SP_BYTES, "\"A\""},
               {SP_BYTES, "\"A===\""},
               {SP_BYTES, "\"AA=A\""},
               {SP_BYTES, "\"AA==AA==\""},
               {SP_INT8ARRAY, "[300]"},
               {SP_INT8ARRAY, "7"},
               {SP_STRINGARRAY, "[\"a\\u0000\"]"},
               {SP_BOOLEANARRAY, "[0]"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Json v;
        const char *why = NULL;
        assert_int_equal(json_parse(str_of(bad[i].text), NULL, &arena, &v, NULL), ERR_OK);
        if (sparkplug_set(sparkplug_new_metric(&arena), bad[i].type, &v, &arena, &why) != ERR_VALIDATION)
            fail_msg("%s took %s", sparkplug_type_name(bad[i].type), bad[i].text);
        assert_non_null(why);
    }
    Json v = {.type = JSON_OBJECT};
    assert_int_equal(sparkplug_set(sparkplug_new_metric(&arena), SP_TEMPLATE, &v, &arena, NULL), ERR_UNSUPPORTED);
}

static void test_fields_that_do_not_fit_their_type_are_refused(void **state) {
    (void)state;
    SpMetric *m = sparkplug_new_metric(&arena);
    m->value_case = SP__METRIC__VALUE_STRING_VALUE;
    m->string_value = sp_bytes(STR("\xff"));
    assert_text(json_of(m, SP_STRING), "error: the text is no UTF-8");
    assert_text(json_of(m, SP_INT8), "error: the type says integer, the value is none");
    assert_text(json_of(m, SP_BOOLEAN), "error: the type says Boolean, the value is none");
    assert_text(json_of(m, SP_DATASET), "error: the type says data set, the value is none");
    assert_text(json_of(m, SP_TEMPLATE), "error: the type says template, the value is none");
    assert_text(json_of(m, SP_INT8ARRAY), "error: the type says array, the value is none");
    assert_text(json_of(m, 77), "error: a value of an unknown data type");
    assert_text(json_of(m, SP_UNKNOWN), "error: a value of an unknown data type");
    m->value_case = SP__METRIC__VALUE_BYTES_VALUE;
    m->bytes_value = sp_bytes(STR("\1\0\0"));
    assert_text(json_of(m, SP_INT16ARRAY), "error: an array whose bytes are no whole number of elements");
    assert_text(json_of(m, SP_BOOLEANARRAY), "error: an array of Booleans without its count");
    assert_text(json_of(m, SP_STRINGARRAY), "[\"\\u0001\",\"\"]");
    m->bytes_value = sp_bytes(STR("\377\377\377\377\0"));
    assert_text(json_of(m, SP_BOOLEANARRAY), "error: an array of Booleans with a wrong count");
    m->bytes_value = sp_bytes(STR("abc"));
    assert_text(json_of(m, SP_STRINGARRAY), "error: an array of texts that is cut");
    m->value_case = SP__METRIC__VALUE_LONG_VALUE;
    m->long_value = UINT64_MAX;
    assert_text(json_of(m, SP_DATETIME), "error: the time is beyond the year 2262");
}

static void test_names_become_dtdl_names(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"Inputs/A", "Inputs_A"}, {"4th", "x4th"}, {"grüße", "gr__e"}, {"", "x"}, {"a_", "a"}, {"__", "x"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Buf b = {0};
        sparkplug_name(str_of(names[i][0]), &b);
        assert_text(buf_str(&b), names[i][1]);
        buf_free(&b);
    }
    Buf b = {0};
    char longest[200];
    memset(longest, 'a', sizeof longest);
    sparkplug_name((Str){longest, sizeof longest}, &b);
    assert_int_equal(b.n, 64);
    buf_free(&b);
}

// ---- payloads made to hurt -----------------------------------------------------------------------------------------

// Wrap `inner` as field `tag` (wire type 2) n times, alternating two tags; the last is tags[0].
static Str nest(const uint8_t tags[2], int n) {
    Str inner = {"", 0};
    for (int i = n; i-- > 0;) {
        Buf b = {0};
        buf_varint(&b, tags[i % 2]);
        if (tags[i % 2] == 0x92) buf_reset(&b), buf_put(&b, "\x92\x01", 2); // field 18
        buf_varint(&b, (uint64_t)inner.n);
        buf_str_put(&b, inner);
        inner = arena_str(&arena, buf_str(&b));
        buf_free(&b);
    }
    return inner;
}

static void test_nesting_has_a_bound(void **state) {
    (void)state;
    static const uint8_t templates[] = {0x12, 0x92}; // metric (2), template (18), metric (2) ...
    static const uint8_t sets[] = {0x12, 0x4a};      // values (2), propertyset_value (9)
    assert_int_equal(decode(nest(templates, 2 * SPARKPLUG_DEPTH_MAX))->n_metrics, 1);
    assert_int_equal(refused(nest(templates, 2 * SPARKPLUG_DEPTH_MAX + 2)), ERR_LIMIT);
    assert_int_equal(refused(nest(templates, 4000)), ERR_LIMIT); // without the walk: a stack overflow
    Str deep = nest(sets, 2 * SPARKPLUG_DEPTH_MAX);              // values of the outermost set
    Buf b = {0};
    buf_byte(&b, 0x4a), buf_varint(&b, (uint64_t)deep.n), buf_str_put(&b, deep);
    Buf m = {0};
    buf_byte(&m, 0x12), buf_varint(&m, (uint64_t)b.n), buf_str_put(&m, buf_str(&b));
    assert_int_equal(refused(buf_str(&m)), ERR_LIMIT);
    buf_free(&b), buf_free(&m);
}

static void test_what_is_nested_too_deep_is_not_written(void **state) {
    (void)state;
    SpPayload *p = sparkplug_new(&arena, 1);
    SpMetric *m = p->metrics[0];
    Buf b = {0};
    for (int i = 0; i < SPARKPLUG_DEPTH_MAX; i++) {
        m->value_case = SP__METRIC__VALUE_TEMPLATE_VALUE;
        m->template_value = sparkplug_new_template(&arena, 1);
        m = m->template_value->metrics[0];
    }
    assert_non_null(decode(encode(p)));
    m->value_case = SP__METRIC__VALUE_TEMPLATE_VALUE;
    m->template_value = sparkplug_new_template(&arena, 0);
    assert_int_equal(sparkplug_encode(p, &b), ERR_LIMIT);
    buf_free(&b);
}

// Two bytes make a metric of hundreds: a small payload must not take the machine's memory.
static void test_memory_has_a_bound(void **state) {
    (void)state;
    Buf b = {0};
    for (int i = 0; i < 1 << 20; i++) buf_put(&b, "\x12\0", 2);
    assert_int_equal(refused(buf_str(&b)), ERR_LIMIT);
    assert_true(arena.used < 16 << 20); // found before anything was made
    buf_reset(&b);
    for (int i = 0; i < 1 << 20; i++) buf_put(&b, "\x30\x01", 2); // unknown fields
    assert_int_equal(refused(buf_str(&b)), ERR_LIMIT);
    buf_reset(&b);
    for (int i = 0; i < 100000; i++) buf_put(&b, "\x12\x02\x10\x07", 4);
    assert_int_equal(decode(buf_str(&b))->n_metrics, 100000);
    assert_true(arena.used < 3 * SPARKPLUG_MEMORY_MAX);
    buf_free(&b);
}

static void test_garbage_is_refused_with_its_place(void **state) {
    (void)state;
    assert_int_equal(decode((Str){NULL, 0})->n_metrics, 0);
    assert_int_equal(refused(STR("\x12")), ERR_SYNTAX);              // length is cut
    assert_int_equal(refused(STR("\x12\x05\x0a")), ERR_SYNTAX);      // longer than the rest
    assert_int_equal(refused(STR("\x0b")), ERR_SYNTAX);              // groups
    assert_int_equal(refused(STR("\x00")), ERR_SYNTAX);              // field 0
    assert_int_equal(refused(STR("\x0a\x00")), ERR_SYNTAX);          // timestamp as text
    assert_int_equal(refused(STR("{\"timestamp\":1}")), ERR_SYNTAX); // JSON is none
    assert_int_equal(refused(STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), ERR_SYNTAX);
    assert_int_equal(refused(STR("\x12\x04\x4a\x00\x4a\x00")), ERR_SYNTAX); // two property sets of one metric
    Diag d;
    const SpPayload *p;
    diag_init(&d);
    assert_int_equal(sparkplug_decode(STR("\x08\x01\x12\x7f"), &arena, &p, &d), ERR_SYNTAX);
    assert_int_equal(d.messages[0].at, 4);
    diag_free(&d);
}

// Bytes changed and cut at random never crash, and what is still a payload can be written again. The seed is fixed.
static void test_damaged_payloads(void **state) {
    (void)state;
    Rng r = rng_make(20, 26);
    SpPayload *p = sparkplug_new(&arena, 3);
    p->metrics[0]->has_name = true, p->metrics[0]->name = sp_bytes(STR("Temp"));
    p->metrics[0]->value_case = SP__METRIC__VALUE_DATASET_VALUE;
    p->metrics[0]->dataset_value = sparkplug_new_dataset(&arena, 2, 2);
    p->metrics[1]->value_case = SP__METRIC__VALUE_TEMPLATE_VALUE;
    p->metrics[1]->template_value = sparkplug_new_template(&arena, 2);
    Str good = encode(p);
    Arena scratch;
    arena_init(&scratch, 0);
    for (int i = 0; i < 20000; i++) {
        char bytes[256];
        int64_t n = (int64_t)rng_below(&r, (uint32_t)good.n + 1);
        memcpy(bytes, good.p, (size_t)good.n);
        for (int k = 0; k < 3; k++) bytes[rng_below(&r, (uint32_t)good.n)] = (char)rng_below(&r, 256);
        const SpPayload *q;
        Buf b = {0};
        arena_reset(&scratch);
        if (sparkplug_decode((Str){bytes, i % 2 ? good.n : n}, &scratch, &q, NULL) == ERR_OK) {
            assert_int_equal(sparkplug_encode(q, &b), ERR_OK);
            sparkplug_print(q, &scratch, &b);
        }
        buf_free(&b);
    }
    arena_free(&scratch);
}

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vectors_read_as_their_library_reads_them, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vector_of_a_data_set_is_what_was_encoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vector_of_properties_and_of_a_template_as_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_type_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_array_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_array_bytes_are_those_of_the_specification, setup, teardown),
        cmocka_unit_test_setup_teardown(test_negative_numbers_of_either_width, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_that_do_not_fit_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fields_that_do_not_fit_their_type_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_become_dtdl_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nesting_has_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_nested_too_deep_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_has_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage_is_refused_with_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_payloads, setup, teardown),
    };
    return cmocka_run_group_tests_name("codec/sparkplug", tests, NULL, NULL);
}
