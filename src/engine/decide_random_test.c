// SPDX-License-Identifier: Apache-2.0
// Random rules over random small worlds, with people who approve, refuse, undo, stop and go as it comes: whatever is
// done, nothing leaves that breaks a limit in any replication, that is outside of its envelope, that nobody allowed,
// while the kill switch is on, or more often than the rule says. What leaves is looked at here by code that knows the
// rule as it was made up, and of the record only the samples.
#include <math.h>
#include "base/arena.h"
#include "base/check.h"
#include "base/rng.h"
#include "engine/test_decide.h"

enum { SEEDS = 100, STEPS = 40, ACTIONS_MAX = 4, PEOPLE = 3, RECORDS = 400 };

typedef struct Made {
    double payload, undo; // undo < 0: none
    bool sends;
} Made;

// One world with its rule, as it was made up.
typedef struct Game {
    Hall h; // first
    Rng rng;
    Made actions[ACTIONS_MAX];
    int action_count, people, most, mode; // mode: 0 shadow, 1 approve, 2 auto
    bool act, rollback;
    double heat_max, margin_min, bound;
    _Atomic bool stopped;
    _Atomic uint8_t said[RECORDS][PEOPLE]; // 1: approves
    _Atomic bool undo_asked[RECORDS];
    int64_t sent_ns[RECORDS];
    int sent_count;
    uint8_t sent[RECORDS], undone[RECORDS];
} Game;

static _Atomic int64_t commands, undos, kept_back;

static double amount(Game *g, double most) { return floor((double)rng_below(&g->rng, 1000) / 1000 * most); }
static bool chance(Game *g, uint64_t of) { return rng_below(&g->rng, of) == 0; }

// ---- what leaves --------------------------------------------------------------------------------------------------

static const Json *named(const Json *list, const char *member, const char *name) {
    for (int32_t i = 0; list && i < list->count; i++) {
        const Json *v = json_get(&list->items[i], str_of(member));
        if (v && str_eq(v->s, str_of(name))) return &list->items[i];
    }
    return NULL;
}

static void within(const Json *chosen, const char *kpi, double min, double max) {
    const Json *limit = named(json_get(chosen, STR("limits")), "kpi", kpi);
    CHECK(limit != NULL);
    const Json *samples = json_get(limit, STR("samples"));
    CHECK(samples && samples->count == 5);
    for (int32_t i = 0; i < 5; i++) {
        CHECK(json_is_number(&samples->items[i]));
        double v = json_f64(&samples->items[i]);
        CHECK(v >= min && v <= max);
    }
}

static void allowed(Game *g, uint64_t id, const Json *record) {
    int said = 0;
    for (int i = 0; i < PEOPLE; i++) said += atomic_load(&g->said[id][i]);
    bool by_hand = json_get(record, STR("by")) != NULL;
    if (g->mode == 2 && !by_hand) return;
    CHECK(g->mode > 0); // shadow never
    if (said >= g->people) return;
    int64_t due = 0;
    const Json *approval = json_get(record, STR("approval"));
    CHECK(approval && time_parse(json_get(approval, STR("due"))->s, &due));
    CHECK(g->act && !by_hand && atomic_load(&g->h.now) >= due);
}

static void command_leaves(Game *g, uint64_t id, const Json *record, double payload) {
    const Json *choice = json_get(record, STR("choice"));
    const Json *chosen = named(json_get(record, STR("alternatives")), "action", "");
    int which = -1;
    char name[16];
    for (int i = 0; i < g->action_count; i++) {
        snprintf(name, sizeof name, "a%d", i);
        if (str_eq(choice->s, str_of(name))) {
            which = i;
            chosen = named(json_get(record, STR("alternatives")), "action", name);
        }
    }
    CHECK(which >= 0 && g->actions[which].sends);
    CHECK(payload == g->actions[which].payload);
    CHECK(payload >= 0 && payload <= g->bound);
    within(chosen, "heat", -INFINITY, g->heat_max);
    within(chosen, "margin", g->margin_min, INFINITY);
    allowed(g, id, record);
    CHECK(g->sent[id] == 0);
    g->sent[id] = 1;
    int lately = 0;
    int64_t now = atomic_load(&g->h.now);
    for (int i = 0; i < g->sent_count; i++) lately += now - g->sent_ns[i] < 3600 * NS_PER_S;
    CHECK(!g->most || lately < g->most);
    g->sent_ns[g->sent_count++] = now;
    atomic_fetch_add(&commands, 1);
}

static void undo_leaves(Game *g, uint64_t id, const Json *record, double payload) {
    bool declared = false;
    for (int i = 0; i < g->action_count; i++) declared |= g->actions[i].undo == payload;
    CHECK(declared && payload <= g->bound && g->sent[id] && !g->undone[id]);
    bool left = json_get(json_get(record, STR("watch")), STR("left")) != NULL;
    CHECK(atomic_load(&g->undo_asked[id]) || (g->rollback && left));
    g->undone[id] = 1;
    atomic_fetch_add(&undos, 1);
}

// On the loop's thread, while it hands over: which record is it about?
static void look(Hall *h) {
    Game *g = (Game *)(void *)h;
    SosiaOut out = {0};
    Arena a;
    Json list, record;
    bool found = false;
    CHECK(!atomic_load(&g->stopped));
    arena_init(&a, 0);
    SosiaDecisions d = {.limit = 1000};
    CHECK(sosia_decisions(h->k.s, NULL, &d, &out) == SOSIA_OK);
    CHECK(json_parse(arena_str(&a, buf_str(&out.body)), NULL, &a, &list, NULL) == ERR_OK);
    const Json *all = json_get(&list, STR("value"));
    for (int32_t i = 0; i < all->count && !found; i++) {
        uint64_t id = (uint64_t)json_get(&all->items[i], STR("id"))->i;
        CHECK(sosia_decision(h->k.s, NULL, id, &out) == SOSIA_OK);
        CHECK(json_parse(arena_str(&a, buf_str(&out.body)), NULL, &a, &record, NULL) == ERR_OK);
        const Json *undo = json_get(&record, STR("rollback"));
        bool sending = str_eq(json_get(&record, STR("state"))->s, STR("sending"));
        bool undoing = undo && json_get(undo, STR("sent")) && !json_get(undo, STR("answered"));
        found = sending || undoing;
        if (sending) command_leaves(g, id, &record, strtod(h->payload, NULL));
        else if (undoing) undo_leaves(g, id, &record, strtod(h->payload, NULL));
    }
    CHECK(found);
    arena_free(&a);
    sosia_out_free(&out);
}

// ---- worlds and rules ---------------------------------------------------------------------------------------------

static void make_world(Game *g) {
    char text[600];
    Kit *k = &g->h.k;
    hall_make(&g->h);
    snprintf(
        text, sizeof text,
        "{\"model\":\"dtmi:t:Filler;1\",\"say\":[\"rate = fault = '' ? speed : 0\",\"der(money) = rate * %g - %g\","
        "\"der(heat) = rate > %g ? %g : 0\",\"at rate 0.02 do money = money - RANDOM_EXPONENTIAL(%g)\","
        "\"at rate 0.005 do heat = heat + RANDOM_UNIFORM(0, %g)\"]}",
        1 + amount(g, 3), amount(g, 3), amount(g, 40), amount(g, 3), 1 + amount(g, 60), 1 + amount(g, 100));
    kit_do(k, SOSIA_DEFINITION_PUT, "fillers", "behaviours", text);
}

static void make_actions(Game *g, KitText *t) {
    g->action_count = 1 + (int)rng_below(&g->rng, ACTIONS_MAX);
    for (int i = 0; i < g->action_count; i++) {
        char text[700];
        Made *m = &g->actions[i];
        *m = (Made){.payload = amount(g, g->bound), .undo = -1, .sends = i == 0 || g->rollback || !chance(g, 5)};
        if (g->rollback || !chance(g, 3)) m->undo = amount(g, g->bound);
        int n = snprintf(text, sizeof text,
                         "%s{\"name\":\"a%d\",\"cost\":%g,\"changes\":[{\"at\":\"PT%dS\",\"twin\":\"$twin\","
                         "\"property\":\"fault\",\"value\":\"\"},{\"twin\":\"$twin\",\"property\":\"speed\","
                         "\"value\":%g}]",
                         i ? "," : "", i, amount(g, 50), (int)rng_below(&g->rng, 30), amount(g, 60));
        kit_add(t, text, (size_t)n);
        n = snprintf(text, sizeof text, ",\"command\":{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":%g}",
                     m->payload);
        if (m->sends) kit_add(t, text, (size_t)n);
        n = snprintf(text, sizeof text, ",\"undo\":{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":%g}", m->undo);
        if (m->sends && m->undo >= 0) kit_add(t, text, (size_t)n);
        kit_add(t, "}", 1);
    }
}

static void make_rule(Game *g) {
    static const char *const modes[] = {"shadow", "approve", "auto"};
    char text[1000];
    KitText t = {0};
    g->mode = chance(g, 8) ? 0 : 1 + (int)rng_below(&g->rng, 2);
    g->people = 1 + (int)rng_below(&g->rng, 2);
    g->act = chance(g, 3);
    g->rollback = chance(g, 2);
    g->most = chance(g, 2) ? 1 + (int)rng_below(&g->rng, 3) : 0;
    g->heat_max = 50 + amount(g, 500);
    g->margin_min = amount(g, 400) - 600;
    g->bound = 10 + amount(g, 50);
    int n = snprintf(text, sizeof text,
                     "{\"model\":\"dtmi:t:Filler;1\",\"when\":\"fault = 'jam'\",\"for\":\"PT%dS\",\"again\":\"PT%dS\","
                     "\"mode\":\"%s\",\"approval\":{\"within\":\"PT5M\",\"people\":%d,\"else\":\"%s\"},"
                     "\"ahead\":\"PT4M\",\"replications\":5,\"seed\":%d,\"objective\":{\"kpi\":\"margin\"},"
                     "\"limits\":[{\"kpi\":\"heat\",\"max\":%g},{\"kpi\":\"margin\",\"min\":%g}],"
                     "\"envelope\":[{\"command\":\"setSpeed\",\"min\":0,\"max\":%g}],"
                     "\"watch\":{\"kpi\":\"pace\",\"for\":\"PT3M\",\"patience\":2,\"rollback\":%s},",
                     (int)rng_below(&g->rng, 20), 1 + (int)rng_below(&g->rng, 60), modes[g->mode], g->people,
                     g->act ? "act" : "refuse", (int)rng_below(&g->rng, 1000), g->heat_max, g->margin_min, g->bound,
                     g->rollback ? "true" : "false");
    kit_add(&t, text, (size_t)n);
    if (g->most) n = snprintf(text, sizeof text, "\"mostPerHour\":%d,\"actions\":[", g->most);
    else n = snprintf(text, sizeof text, "\"actions\":[");
    kit_add(&t, text, (size_t)n);
    make_actions(g, &t);
    kit_add(&t, "]}", 2);
    hall_rule(&g->h, "r", t.p);
    free(t.p);
}

// ---- what happens -------------------------------------------------------------------------------------------------

static uint64_t some_id(Game *g) {
    const char *list = hall_list(&g->h, (SosiaDecisions){.limit = 1});
    const char *at = strstr(list, "\"id\":");
    uint64_t newest = at ? strtoull(at + 5, NULL, 10) : 0;
    assert_true(newest < RECORDS);
    return newest > 2 && chance(g, 3) ? newest - rng_below(&g->rng, 3) : newest;
}

static void somebody(Game *g) {
    static const char *const who[PEOPLE] = {"ann", "bob", "cay"};
    uint64_t id = some_id(g);
    int i = (int)rng_below(&g->rng, PEOPLE);
    if (!id) return;
    if (chance(g, 6)) {
        (void)hall_decide(&g->h, id, "refuse", who[i]);
    } else if (chance(g, 4)) {
        atomic_store(&g->undo_asked[id], true);
        (void)hall_decide(&g->h, id, "rollback", who[i]);
    } else {
        bool before = atomic_exchange(&g->said[id][i], 1);
        SosiaErr err = hall_decide(&g->h, id, "approve", who[i]);
        if (err && !before) atomic_store(&g->said[id][i], 0);
        if (err) atomic_fetch_add(&kept_back, 1);
    }
}

static void flip_switch(Game *g) {
    bool on = !atomic_load(&g->stopped);
    if (!on) atomic_store(&g->stopped, false);
    assert_int_equal(sosia_decisions_stop(g->h.k.s, NULL, on), SOSIA_OK);
    if (on) atomic_store(&g->stopped, true);
}

// Nothing is being computed any more.
static void settle(Game *g) {
    SosiaDecisions d = {.state = kit_str("proposing")};
    for (;;) {
        d.revision = hall_revision(&g->h);
        const char *list = hall_list(&g->h, d);
        if (!strstr(list, "\"id\":")) return;
        d.wait_ns = 20 * NS_PER_MS;
    }
}

static void step(Game *g) {
    const char *twin = chance(g, 3) ? "f-2" : "f-1";
    switch (rng_below(&g->rng, 10)) {
    case 0:
    case 1:
        hall_put(&g->h, twin, "fault", "\"jam\"");
        hall_put(&g->h, twin, "rate", "0");
        break;
    case 2:
        hall_put(&g->h, twin, "fault", "\"\"");
        hall_put(&g->h, twin, "rate", chance(g, 2) ? "10" : "40");
        break;
    case 3: hall_wait(&g->h, 1 + (int64_t)rng_below(&g->rng, 400)); break;
    case 4: flip_switch(g); break;
    case 5: (void)sosia_propose(g->h.k.s, NULL, kit_str("r"), kit_str(twin), &g->h.k.out); break;
    case 6: g->h.answer = chance(g, 3) ? SOSIA_DEVICE_REFUSED : SOSIA_OK; break;
    case 7: hall_wait(&g->h, 5 + (int64_t)rng_below(&g->rng, 30)); break;
    default: somebody(g);
    }
    settle(g);
}

static void play(uint64_t seed) {
    Game *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->rng = rng_make(seed, 0);
    hall_open(&g->h, "");
    g->h.told = look;
    make_world(g);
    make_rule(g);
    for (int i = 0; i < STEPS; i++) step(g);
    hall_close(&g->h);
    free(g);
}

static void nothing_outside_of_its_limits(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        play(seed);
    }
    print_message("%lld commands, %lld undone, %lld approvals not taken\n", (long long)atomic_load(&commands),
                  (long long)atomic_load(&undos), (long long)atomic_load(&kept_back));
    assert_true(atomic_load(&commands) > 40);
    assert_true(atomic_load(&undos) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_outside_of_its_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
