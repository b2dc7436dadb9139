// SPDX-License-Identifier: Apache-2.0
// The host application as a state machine: what it publishes, which points come out and when it asks for a rebirth.
// LABELS: threads
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"
#include "connect/sparkplug_host.h"

#define S NS_PER_S
#define T0 (1700000000 * S)

typedef struct Fix {
    SpHost *h;
    Buf said; // "point G-E a 5;" "publish TOPIC;" "wrong ...;"
    Arena arena;
    int32_t asked; // rebirth requests
    bool refuse;
} Fix;

static bool on_born(void *ctx, SpUnit *u) {
    Fix *f = ctx;
    for (int32_t i = 0; i < u->count; i++) u->slots[i].property = u->slots[i].field;
    buf_printf(&f->said, "born %.*s;", STR_ARG(u->twin));
    return !f->refuse;
}

static void on_linked(void *ctx, SpUnit *u, SpUnit *node) {
    Fix *f = ctx;
    buf_printf(&f->said, "link %.*s %.*s;", STR_ARG(node->twin), STR_ARG(u->twin));
}

static void on_point(void *ctx, SpUnit *u, SpSlot *slot, const SosiaValue *v, int64_t time_ns) {
    Fix *f = ctx;
    if (slot->role >= SP_ID_GROUP) return;
    buf_printf(&f->said, "%.*s.%.*s=", STR_ARG(u->twin), STR_ARG(slot->property));
    if (v->kind == SOSIA_NONE) buf_printf(&f->said, "null");
    if (v->kind == SOSIA_BOOL) buf_printf(&f->said, "%s", v->b ? "true" : "false");
    if (v->kind == SOSIA_I64) buf_printf(&f->said, "%lld", (long long)v->i);
    if (v->kind == SOSIA_F64) buf_printf(&f->said, "%g", v->d);
    if (v->kind == SOSIA_TEXT || v->kind == SOSIA_JSON) buf_str_put(&f->said, v->s);
    if (slot->role == SP_METRIC) buf_printf(&f->said, "@%lld", (long long)((time_ns - T0) / S));
    buf_byte(&f->said, ';');
}

static void on_publish(void *ctx, Str topic, Str payload, int32_t qos, bool retain) {
    Fix *f = ctx;
    const SpPayload *p;
    buf_printf(&f->said, "publish %.*s q%d%s", STR_ARG(topic), qos, retain ? " retain" : "");
    if (str_starts(topic, STR("spBv1.0/STATE/"))) {
        buf_printf(&f->said, " %.*s;", STR_ARG(payload));
        return;
    }
    assert_int_equal(sparkplug_decode(payload, &f->arena, &p, NULL), ERR_OK);
    assert_false(p->has_seq);
    assert_true(p->has_timestamp);
    assert_false(p->metrics[0]->has_alias);
    assert_true(str_eq(sp_str(p->metrics[0]->name), STR("Node Control/Rebirth")));
    assert_int_equal(p->metrics[0]->datatype, SP_BOOLEAN);
    assert_true(p->metrics[0]->boolean_value);
    buf_byte(&f->said, ';');
    f->asked++;
}

static void on_wrong(void *ctx, Str topic, Str payload, const char *why) {
    Fix *f = ctx;
    (void)topic, (void)payload;
    buf_printf(&f->said, "wrong: %s;", why);
}

static void open_with(Fix *f, int64_t reorder_ns) {
    static const SpHostOps ops = {on_born, on_linked, on_point, on_publish, on_wrong};
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, 0);
    f->h = sparkplug_host_new(&(SpHostConfig){.host_id = STR("sosia"),
                                              .node_twin = STR("{group}-{node}"),
                                              .device_twin = STR("{group}-{node}-{device}"),
                                              .reorder_ns = reorder_ns,
                                              .ask = true},
                              &ops, f);
    sparkplug_host_up(f->h, T0, T0);
    buf_reset(&f->said);
}

static void close_fix(Fix *f) {
    sparkplug_host_free(f->h);
    buf_free(&f->said);
    arena_free(&f->arena);
}

// What was said since the last call.
static void said(Fix *f, const char *want) {
    if (!str_eq(buf_str(&f->said), str_of(want))) fail_msg("said %.*s\nwant %s", STR_ARG(buf_str(&f->said)), want);
    buf_reset(&f->said);
}

static bool has(Fix *f, const char *text) { return str_find_str(buf_str(&f->said), str_of(text)) >= 0; }

// ---- messages ------------------------------------------------------------------------------------------------------

static SpPayload *payload(Fix *f, int64_t metrics, int seq) {
    SpPayload *p = sparkplug_new(&f->arena, metrics);
    p->has_timestamp = true, p->timestamp = 1700000001000;
    p->has_seq = seq >= 0, p->seq = (uint64_t)seq;
    return p;
}

static void set(SpMetric *m, const char *name, int64_t alias, uint32_t type, int64_t value) {
    if (name) m->has_name = true, m->name = sp_bytes(str_of(name));
    if (alias >= 0) m->has_alias = true, m->alias = (uint64_t)alias;
    if (type) m->has_datatype = true, m->datatype = type;
    m->value_case = SP__METRIC__VALUE_INT_VALUE, m->int_value = (uint32_t)value;
    if (type == SP_INT64) m->value_case = SP__METRIC__VALUE_LONG_VALUE, m->long_value = (uint64_t)value;
}

static void send(Fix *f, const char *topic, const SpPayload *p, int64_t now) {
    Buf b = {0};
    assert_int_equal(sparkplug_encode(p, &b), ERR_OK);
    sparkplug_host_message(f->h, str_of(topic), buf_str(&b), false, now);
    buf_free(&b);
}

static void nbirth(Fix *f, int seq, int64_t bdseq, int64_t now) {
    SpPayload *p = payload(f, 2, seq);
    set(p->metrics[0], "bdSeq", -1, SP_INT64, bdseq);
    set(p->metrics[1], "a", 1, SP_INT32, 10);
    send(f, "spBv1.0/G/NBIRTH/E", p, now);
}

static void dbirth(Fix *f, const char *device, int seq, int64_t alias, int64_t now) {
    SpPayload *p = payload(f, 1, seq);
    set(p->metrics[0], "x", alias, SP_INT32, 5);
    send(f, arena_printf(&f->arena, "spBv1.0/G/DBIRTH/E/%s", device).p, p, now);
}

static void data(Fix *f, const char *device, int seq, int64_t alias, int64_t value, int64_t now) {
    SpPayload *p = payload(f, 1, seq);
    set(p->metrics[0], NULL, alias, 0, value);
    send(f, device ? arena_printf(&f->arena, "spBv1.0/G/DDATA/E/%s", device).p : "spBv1.0/G/NDATA/E", p, now);
}

static void ndeath(Fix *f, int64_t bdseq, int64_t now) {
    SpPayload *p = payload(f, 1, -1);
    set(p->metrics[0], "bdSeq", -1, SP_INT64, bdseq);
    send(f, "spBv1.0/G/NDEATH/E", p, now);
}

// ---- tests ---------------------------------------------------------------------------------------------------------

static void test_state_is_told_and_told_again(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    sparkplug_host_up(f.h, T0 + S, T0 + S);
    said(&f, "publish spBv1.0/STATE/sosia q1 retain {\"online\":true,\"timestamp\":1700000001000};");
    sparkplug_host_message(f.h, STR("spBv1.0/STATE/sosia"), STR("{\"online\":false,\"timestamp\":1}"), true, T0);
    said(&f, "publish spBv1.0/STATE/sosia q1 retain {\"online\":true,\"timestamp\":1700000001000};");
    sparkplug_host_message(f.h, STR("spBv1.0/STATE/sosia"), STR("{\"online\":true,\"timestamp\":1}"), true, T0);
    sparkplug_host_message(f.h, STR("spBv1.0/STATE/other"), STR("{\"online\":false,\"timestamp\":1}"), true, T0);
    said(&f, "");
    sparkplug_host_message(f.h, STR("spBv1.0/STATE/sosia"), STR("OFFLINE"), true, T0);
    said(&f, "wrong: a STATE message that is none;");
    Buf b = {0};
    sparkplug_state(false, T0, &b);
    assert_true(str_eq(buf_str(&b), STR("{\"online\":false,\"timestamp\":1700000000000}")));
    buf_free(&b);
    close_fix(&f);
}

static void test_births_data_and_deaths(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 3, T0);
    said(&f, "born G-E;G-E.online=true;G-E.staleSince=null;G-E.bdSeq=3@1;G-E.a=10@1;");
    dbirth(&f, "D", 1, 2, T0);
    said(&f, "born G-E-D;G-E-D.online=true;G-E-D.staleSince=null;G-E-D.x=5@1;link G-E G-E-D;");
    data(&f, "D", 2, 2, -7, T0);
    data(&f, NULL, 3, 1, 11, T0);
    said(&f, "G-E-D.x=-7@1;G-E.a=11@1;");
    ndeath(&f, 2, T0 + S); // of an earlier birth
    said(&f, "");
    ndeath(&f, 3, T0 + 2 * S); // by our clock, not by the payload's
    said(&f, "G-E.online=false;G-E.staleSince=2023-11-14T22:13:22.000Z;G-E-D.online=false;"
             "G-E-D.staleSince=2023-11-14T22:13:22.000Z;");
    assert_int_equal(f.asked, 0);
    close_fix(&f);
}

static void test_a_device_dies_by_the_time_of_its_payload(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 0, T0), dbirth(&f, "D", 1, 2, T0);
    buf_reset(&f.said);
    send(&f, "spBv1.0/G/DDEATH/E/D", payload(&f, 0, 2), T0 + 60 * S);
    said(&f, "G-E-D.online=false;G-E-D.staleSince=2023-11-14T22:13:21.000Z;");
    data(&f, "D", 3, 2, 1, T0 + 61 * S); // it is not born any more
    assert_true(has(&f, "publish spBv1.0/G/NCMD/E q0;"));
    close_fix(&f);
}

static void test_sequence_numbers_wrap(void **state) {
    (void)state;
    Fix f;
    open_with(&f, 0);
    nbirth(&f, 250, 0, T0);
    for (int i = 251; i < 600; i++) data(&f, NULL, i & 255, 1, i, T0);
    assert_int_equal(f.asked, 0);
    assert_int_equal(sparkplug_host_stats(f.h)->gaps, 0);
    close_fix(&f);
}

static void test_messages_out_of_order_are_put_in_order(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 0, T0);
    buf_reset(&f.said);
    data(&f, NULL, 3, 1, 3, T0);
    data(&f, NULL, 2, 1, 2, T0);
    data(&f, NULL, 2, 1, 2, T0); // twice
    said(&f, "");
    data(&f, NULL, 1, 1, 1, T0 + S / 2);
    said(&f, "G-E.a=1@1;G-E.a=2@1;G-E.a=3@1;");
    sparkplug_host_tick(f.h, T0 + 5 * S); // the timer was ended
    data(&f, NULL, 4, 1, 4, T0 + 6 * S);
    said(&f, "G-E.a=4@1;");
    assert_int_equal(f.asked, 0);
    assert_int_equal(sparkplug_host_stats(f.h)->reordered, 2);
    close_fix(&f);
}

static void test_a_gap_asks_for_a_rebirth_when_its_time_is_over(void **state) {
    (void)state;
    Fix f;
    open_with(&f, 2 * S);
    nbirth(&f, 0, 0, T0);
    buf_reset(&f.said);
    data(&f, NULL, 5, 1, 5, T0);
    sparkplug_host_tick(f.h, T0 + S);
    said(&f, "");
    sparkplug_host_tick(f.h, T0 + 2 * S);
    said(&f, "G-E.a=5@1;publish spBv1.0/G/NCMD/E q0;"); // nothing that came is lost
    close_fix(&f);
}

static void test_without_a_window_a_gap_asks_at_once(void **state) {
    (void)state;
    Fix f;
    open_with(&f, 0);
    nbirth(&f, 0, 0, T0);
    buf_reset(&f.said);
    data(&f, NULL, 5, 1, 5, T0);
    said(&f, "G-E.a=5@1;publish spBv1.0/G/NCMD/E q0;");
    close_fix(&f);
}

static void test_too_many_early_messages_end_the_wait(void **state) {
    (void)state;
    Fix f;
    open_with(&f, 600 * S);
    nbirth(&f, 0, 0, T0);
    for (int i = 0; i <= SPARKPLUG_EARLY_MAX; i++) data(&f, NULL, 2 + i, 1, i, T0);
    assert_int_equal(f.asked, 1);
    assert_true(has(&f, "G-E.a=63@1;"));
    close_fix(&f);
}

// Asked at 0 s, then at 10, 30, 70 ... up to every 300 s, whatever data comes meanwhile.
static void test_rebirths_are_asked_for_seldom(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    for (int64_t t = 0; t < 3600; t++) {
        data(&f, NULL, (int)(t & 255), 1, 5, T0 + t * S);
        sparkplug_host_tick(f.h, T0 + t * S);
        if (t == 5) assert_int_equal(f.asked, 1);
        if (t == 12) assert_in_range(f.asked, 1, 2);
    }
    assert_in_range(f.asked, 5, 370);
    int32_t before = f.asked;
    nbirth(&f, 0, 0, T0 + 3600 * S);
    sparkplug_host_tick(f.h, T0 + 7200 * S);
    assert_int_equal(f.asked, before);
    close_fix(&f);
}

static void test_unknown_aliases_are_counted_and_ask(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 0, T0);
    dbirth(&f, "D", 1, 2, T0);
    buf_reset(&f.said);
    data(&f, "D", 2, 1, 1, T0); // the node's alias is not the device's
    assert_true(has(&f, "wrong: data of a metric that was not in the birth;"));
    assert_int_equal(f.asked, 1);
    assert_int_equal(sparkplug_host_stats(f.h)->unknown_metrics, 1);
    close_fix(&f);
}

static void test_names_work_where_there_is_no_alias(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 0, T0);
    buf_reset(&f.said);
    SpPayload *p = payload(&f, 1, 1);
    set(p->metrics[0], "a", -1, 0, 4);
    p->metrics[0]->has_timestamp = true, p->metrics[0]->timestamp = 1700000009000;
    p->metrics[0]->has_is_historical = p->metrics[0]->is_historical = true;
    send(&f, "spBv1.0/G/NDATA/E", p, T0);
    said(&f, "G-E.a=4@9;");
    close_fix(&f);
}

static void test_after_a_reconnect_nodes_are_asked_and_the_silent_are_stale(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 0, T0), dbirth(&f, "D", 1, 2, T0);
    sparkplug_host_down(f.h);
    buf_reset(&f.said);
    sparkplug_host_up(f.h, T0 + S, T0 + S);
    said(&f, "publish spBv1.0/STATE/sosia q1 retain {\"online\":true,\"timestamp\":1700000001000};"
             "publish spBv1.0/G/NCMD/E q0;");
    sparkplug_host_tick(f.h, T0 + 5 * S);
    said(&f, "");
    sparkplug_host_tick(f.h, T0 + S + SPARKPLUG_CONFIRM_NS);
    assert_true(has(&f, "G-E.online=false;") && has(&f, "G-E-D.online=false;"));
    close_fix(&f);
}

static void test_a_device_missing_from_a_rebirth_is_stale(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 0, T0), dbirth(&f, "D1", 1, 2, T0), dbirth(&f, "D2", 2, 3, T0);
    nbirth(&f, 0, 0, T0 + S), dbirth(&f, "D2", 1, 3, T0 + S);
    buf_reset(&f.said);
    sparkplug_host_tick(f.h, T0 + S + SPARKPLUG_CONFIRM_NS);
    said(&f, "G-E-D1.online=false;G-E-D1.staleSince=2023-11-14T22:13:31.000Z;");
    close_fix(&f);
}

static void test_units_of_earlier_processes_are_asked_after(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    sparkplug_host_down(f.h);
    sparkplug_host_remember(f.h, STR("G"), STR("E"), STR("D"), T0); // in any order
    sparkplug_host_remember(f.h, STR("G"), STR("E"), (Str){0}, T0);
    sparkplug_host_remember(f.h, STR("G"), STR("E2"), (Str){0}, T0);
    buf_reset(&f.said);
    sparkplug_host_up(f.h, T0, T0);
    assert_int_equal(f.asked, 2);
    nbirth(&f, 0, 0, T0 + S), dbirth(&f, "D", 1, 2, T0 + S);
    buf_reset(&f.said);
    sparkplug_host_tick(f.h, T0 + 2 * S + SPARKPLUG_CONFIRM_NS);
    said(&f, "G-E2.online=false;G-E2.staleSince=2023-11-14T22:13:32.000Z;");
    close_fix(&f);
}

// A node that died before the restart keeps its staleSince; its birth is asked for all the same.
static void test_units_that_were_stale_before_stay_so(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    sparkplug_host_down(f.h);
    f.refuse = true;
    sparkplug_host_remember(f.h, STR("G"), STR("E"), (Str){0}, T0);
    f.refuse = false;
    sparkplug_host_up(f.h, T0, T0);
    assert_int_equal(f.asked, 1);
    buf_reset(&f.said);
    sparkplug_host_tick(f.h, T0 + 100 * S);
    said(&f, "");
    nbirth(&f, 0, 0, T0 + 101 * S);
    assert_true(has(&f, "G-E.online=true;"));
    close_fix(&f);
}

// A connection that may not ask takes silence for nothing.
static void test_who_may_not_ask_waits(void **state) {
    (void)state;
    Fix f;
    open_with(&f, 0);
    sparkplug_host_free(f.h);
    static const SpHostOps ops = {on_born, on_linked, on_point, on_publish, on_wrong};
    f.h = sparkplug_host_new(
        &(SpHostConfig){.host_id = STR("s"), .node_twin = STR("{node}"), .device_twin = STR("{device}")}, &ops, &f);
    sparkplug_host_up(f.h, T0, T0);
    nbirth(&f, 0, 0, T0);
    sparkplug_host_down(f.h);
    sparkplug_host_up(f.h, T0 + S, T0 + S);
    buf_reset(&f.said);
    sparkplug_host_tick(f.h, T0 + 100 * S);
    said(&f, "");
    data(&f, NULL, 9, 1, 5, T0 + 100 * S);
    said(&f, "E.a=5@1;");
    assert_int_equal(f.asked, 0);
    close_fix(&f);
}

static void test_topics_that_are_none(void **state) {
    (void)state;
    static const char *const bad[] = {"x",
                                      "spBv1.0",
                                      "spBv1.0/G",
                                      "spBv1.0/G/NDATA",
                                      "spBv1.0/G/NDATA/",
                                      "spBv1.0//NDATA/E",
                                      "spBv1.0/G/NDATA/E/D",
                                      "spBv1.0/G/DDATA/E",
                                      "spBv1.0/G/DDATA/E/",
                                      "spBv1.0/G/DDATA/E/D/X",
                                      "spBv1.0/G/ndata/E",
                                      "spAv1.0/G/NDATA/E",
                                      "spBv1.0/STATE",
                                      "spBv1.0/STATE/a/b"};
    Fix f;
    open_with(&f, S);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        send(&f, bad[i], payload(&f, 0, 0), T0);
        said(&f, "wrong: no topic of Sparkplug B;");
    }
    send(&f, "spBv1.0/G/NCMD/E", payload(&f, 0, -1), T0); // another host's
    send(&f, "spBv1.0/G/DCMD/E/D", payload(&f, 0, -1), T0);
    said(&f, "");
    close_fix(&f);
}

static void test_messages_that_break_the_rules(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    send(&f, "spBv1.0/G/NBIRTH/E", payload(&f, 0, -1), T0);
    said(&f, "wrong: a birth without a sequence number;");
    send(&f, "spBv1.0/G/NBIRTH/E", payload(&f, 0, 256), T0);
    said(&f, "wrong: a birth without a sequence number;");
    sparkplug_host_message(f.h, STR("spBv1.0/G/NBIRTH/E"), (Str){0}, true, T0);
    said(&f, "wrong: a retained message: it may be of long ago;");
    SpPayload *p = payload(&f, 4, 0);
    set(p->metrics[0], NULL, 1, SP_INT32, 1);    // no name
    set(p->metrics[1], "t", 2, 0, 1);            // no type
    set(p->metrics[2], "t2", 3, 99, 1);          // an unknown one
    set(p->metrics[3], "good", 4, SP_INT8, 300); // a value beyond its type
    send(&f, "spBv1.0/G/NBIRTH/E", p, T0);
    said(&f, "wrong: a metric is born without a name;wrong: a metric is born without a known data type;"
             "wrong: a metric is born without a known data type;born G-E;G-E.online=true;G-E.staleSince=null;"
             "wrong: the number is beyond its type;");
    send(&f, "spBv1.0/G/NDATA/E", payload(&f, 0, -1), T0);
    assert_true(has(&f, "wrong: a message without a sequence number of 0 to 255;"));
    close_fix(&f);
}

static void test_metrics_named_like_our_own_properties(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    SpPayload *p = payload(&f, 1, 0);
    set(p->metrics[0], "online", -1, SP_INT32, 7);
    send(&f, "spBv1.0/G/NBIRTH/E", p, T0);
    said(&f, "born G-E;G-E.online=true;G-E.staleSince=null;G-E.metric/online=7@1;");
    close_fix(&f);
}

static SpMetric *member(SpMetric *m, const char *name, int64_t value) {
    set(m, name, -1, SP_INT32, value);
    return m;
}

static void test_templates_are_documents_that_grow(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    SpPayload *p = payload(&f, 2, 0);
    SpTemplate *def = sparkplug_new_template(&f.arena, 3), *one = sparkplug_new_template(&f.arena, 1);
    def->has_is_definition = def->is_definition = true;
    member(def->metrics[0], "rpm", 0), member(def->metrics[1], "flow rate", 0), member(def->metrics[2], "flow_rate", 0);
    member(one->metrics[0], "rpm", 1);
    one->has_is_definition = true, one->has_template_ref = true, one->template_ref = sp_bytes(STR("Pump"));
    SpTemplate *both[] = {def, one};
    for (int i = 0; i < 2; i++) {
        SpMetric *m = p->metrics[i];
        m->has_name = m->has_datatype = true, m->datatype = SP_TEMPLATE;
        m->name = sp_bytes(i ? STR("P1") : STR("Pump"));
        m->value_case = SP__METRIC__VALUE_TEMPLATE_VALUE, m->template_value = both[i];
    }
    send(&f, "spBv1.0/G/NBIRTH/E", p, T0);
    said(&f, "born G-E;G-E.online=true;G-E.staleSince=null;G-E.P1={\"rpm\":1,\"templateRef\":\"Pump\"}@1;");
    SpUnit *u = sparkplug_host_unit(f.h, STR("G-E"));
    assert_true(str_eq(u->template, STR("Pump")));
    assert_true(str_find_str(u->slots[u->count - 1].schema, STR("{\"name\":\"flow_rate_2\",\"schema\":\"integer\"}")) >
                0);
    p = payload(&f, 1, 1);
    p->metrics[0]->has_name = true, p->metrics[0]->name = sp_bytes(STR("P1"));
    p->metrics[0]->value_case = SP__METRIC__VALUE_TEMPLATE_VALUE, p->metrics[0]->template_value = one;
    member(one->metrics[0], "flow rate", 8)->has_datatype = false; // as data has it
    send(&f, "spBv1.0/G/NDATA/E", p, T0);
    said(&f, "G-E.P1={\"rpm\":1,\"flow_rate\":8,\"templateRef\":\"Pump\"}@1;");
    close_fix(&f);
}

static void command(Fix *f, const char *twin, const char *values, Err want, const char *topic_want) {
    Json v;
    Buf topic = {0}, bytes = {0}, why = {0};
    const SpPayload *p;
    assert_int_equal(json_parse(str_of(values), NULL, &f->arena, &v, NULL), ERR_OK);
    Err e = sparkplug_command(sparkplug_host_unit(f->h, str_of(twin)), &v, T0, &topic, &bytes, &why);
    assert_int_equal(e, want);
    assert_int_equal(why.n > 0, want != ERR_OK);
    if (want == ERR_OK) {
        assert_true(str_eq(buf_str(&topic), str_of(topic_want)));
        assert_int_equal(sparkplug_decode(buf_str(&bytes), &f->arena, &p, NULL), ERR_OK);
        assert_true(p->has_timestamp && !p->has_seq);
        assert_int_equal(p->n_metrics, v.count);
        for (size_t i = 0; i < p->n_metrics; i++) assert_true(p->metrics[i]->has_alias != p->metrics[i]->has_name);
    }
    buf_free(&topic), buf_free(&bytes), buf_free(&why);
}

static void test_commands_are_encoded_as_the_birth_says(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    nbirth(&f, 0, 0, T0), dbirth(&f, "D", 1, 2, T0);
    command(&f, "G-E", "{\"a\":-5}", ERR_OK, "spBv1.0/G/NCMD/E");
    command(&f, "G-E", "{\"bdSeq\":1,\"a\":null}", ERR_OK, "spBv1.0/G/NCMD/E");
    command(&f, "G-E-D", "{\"x\":5}", ERR_OK, "spBv1.0/G/DCMD/E/D");
    command(&f, "G-E", "{\"a\":\"text\"}", ERR_VALIDATION, NULL);
    command(&f, "G-E", "{\"b\":1}", ERR_VALIDATION, NULL);
    command(&f, "G-E", "{}", ERR_VALIDATION, NULL);
    command(&f, "G-E", "[]", ERR_VALIDATION, NULL);
    ndeath(&f, 0, T0);
    command(&f, "G-E", "{\"a\":1}", ERR_DEVICE_OFFLINE, NULL);
    close_fix(&f);
}

static void test_a_unit_that_is_not_wanted_gives_no_points(void **state) {
    (void)state;
    Fix f;
    open_with(&f, S);
    f.refuse = true;
    nbirth(&f, 0, 0, T0);
    said(&f, "born G-E;");
    close_fix(&f);
}

// Messages of a few nodes in any order, cut and damaged, never crash, and every node that says nothing wrong after its
// birth is as its last message says.
static void test_storm(void **state) {
    (void)state;
    Fix f;
    Rng r = rng_make(20261122, 3);
    open_with(&f, S);
    for (int i = 0; i < 20000; i++) {
        int64_t now = T0 + i * (S / 10);
        switch (rng_below(&r, 9)) {
        case 0: nbirth(&f, (int)rng_below(&r, 256), (int)rng_below(&r, 3), now); break;
        case 1: dbirth(&f, rng_below(&r, 2) ? "D1" : "D2", (int)rng_below(&r, 256), (int)rng_below(&r, 5), now); break;
        case 2: ndeath(&f, (int)rng_below(&r, 3), now); break;
        case 3: send(&f, "spBv1.0/G/DDEATH/E/D1", payload(&f, 0, (int)rng_below(&r, 256)), now); break;
        case 4: sparkplug_host_tick(f.h, now); break;
        case 5:
            sparkplug_host_down(f.h);
            sparkplug_host_up(f.h, now, now);
            break;
        default:
            data(&f, rng_below(&r, 2) ? "D1" : NULL, (int)rng_below(&r, 256), (int)rng_below(&r, 5), i, now);
            break;
        }
        if (i % 1000 == 0) arena_reset(&f.arena);
        buf_reset(&f.said);
    }
    nbirth(&f, 0, 0, T0 + 9999 * S);
    data(&f, NULL, 1, 1, 42, T0 + 9999 * S);
    assert_true(has(&f, "G-E.a=42@1;"));
    close_fix(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_is_told_and_told_again),
        cmocka_unit_test(test_births_data_and_deaths),
        cmocka_unit_test(test_a_device_dies_by_the_time_of_its_payload),
        cmocka_unit_test(test_sequence_numbers_wrap),
        cmocka_unit_test(test_messages_out_of_order_are_put_in_order),
        cmocka_unit_test(test_a_gap_asks_for_a_rebirth_when_its_time_is_over),
        cmocka_unit_test(test_without_a_window_a_gap_asks_at_once),
        cmocka_unit_test(test_too_many_early_messages_end_the_wait),
        cmocka_unit_test(test_rebirths_are_asked_for_seldom),
        cmocka_unit_test(test_unknown_aliases_are_counted_and_ask),
        cmocka_unit_test(test_names_work_where_there_is_no_alias),
        cmocka_unit_test(test_after_a_reconnect_nodes_are_asked_and_the_silent_are_stale),
        cmocka_unit_test(test_a_device_missing_from_a_rebirth_is_stale),
        cmocka_unit_test(test_units_of_earlier_processes_are_asked_after),
        cmocka_unit_test(test_units_that_were_stale_before_stay_so),
        cmocka_unit_test(test_who_may_not_ask_waits),
        cmocka_unit_test(test_topics_that_are_none),
        cmocka_unit_test(test_messages_that_break_the_rules),
        cmocka_unit_test(test_metrics_named_like_our_own_properties),
        cmocka_unit_test(test_templates_are_documents_that_grow),
        cmocka_unit_test(test_commands_are_encoded_as_the_birth_says),
        cmocka_unit_test(test_a_unit_that_is_not_wanted_gives_no_points),
        cmocka_unit_test(test_storm),
    };
    return cmocka_run_group_tests_name("connect/sparkplug_host", tests, NULL, NULL);
}
