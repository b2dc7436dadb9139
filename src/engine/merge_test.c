// SPDX-License-Identifier: Apache-2.0
// Differences between worlds and merging: what a person sees of a change, conflicts kept apart, and by seed: a merge
// does exactly what was changed in the fork and not in the other world.
#include "base/rng.h"
#include "engine/test_kit.h"

#define TWINS 12

static SosiaErr differ(Kit *k, const SosiaDiff *d) { return sosia_diff(k->s, NULL, d, &k->out); }

static const char *diff_of(Kit *k, const char *world, const char *against) {
    SosiaErr err = differ(k, &(SosiaDiff){.world = kit_str(world), .against = kit_str(against)});
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    return kit_body(k);
}

static SosiaErr merge(Kit *k, SosiaMerge m) {
    m.world = m.world.n ? m.world : kit_str("f");
    return sosia_merge(k->s, NULL, &m, &k->out);
}

static const char *merged(Kit *k, SosiaMerge m) {
    SosiaErr err = merge(k, m);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->out.message.n, k->out.message.p);
    return kit_body(k);
}

static void set_in(Kit *k, const char *world, const char *twin, const char *path, const char *value) {
    char body[160];
    snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/%s\",\"value\":%s}]", path, value);
    SosiaErr err = kit_write_in(k, world, SOSIA_TWIN_PATCH, twin, "", body);
    if (err) fail_msg("%s %s: %s", twin, path, kit_message(k));
}

static SosiaErr link_in(Kit *k, const char *world, const char *source, const char *rid, const char *target) {
    char body[160];
    snprintf(body, sizeof body, "{\"$targetId\":\"%s\",\"$relationshipName\":\"feeds\",\"flow\":2.5}", target);
    return kit_write_in(k, world, SOSIA_LINK_PUT, source, rid, body);
}

static void room_in(Kit *k, const char *world, const char *id) {
    assert_int_equal(kit_write_in(k, world, SOSIA_TWIN_PUT, id, "",
                                  "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{},"
                                  "\"setPoint\":20},\"label\":\"a label that does not fit into a cell\"}"),
                     SOSIA_OK);
}

static void scene(Kit *k) {
    kit_open(k, &(SosiaOpen){0});
    kit_models(k);
    kit_room(k, "a");
    kit_room(k, "b");
    set_in(k, "", "a", "temperature", "20");
    set_in(k, "", "a", "count", "5");
    assert_int_equal(link_in(k, "", "a", "r", "b"), SOSIA_OK);
    assert_int_equal(sosia_fork(k->s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
}

static void differences_as_people_see_them(void **state) {
    (void)state;
    Kit k;
    scene(&k);
    kit_has(diff_of(&k, "f", ""), "\"changes\":[]");
    set_in(&k, "f", "a", "temperature", "21.5");
    room_in(&k, "f", "new");
    assert_int_equal(link_in(&k, "f", "new", "to", "a"), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "f", SOSIA_LINK_DELETE, "a", "r", ""), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "f", SOSIA_TWIN_DELETE, "b", "", ""), SOSIA_OK);
    set_in(&k, "", "a", "count", "6"); // what live does is no change of the fork
    const char *all = diff_of(&k, "f", "");
    kit_has(all, "\"counts\":{\"values\":1,\"twinsMade\":1,\"twinsDeleted\":1,\"relationshipsMade\":1,"
                 "\"relationshipsDeleted\":1,\"models\":0,\"documents\":0}");
    kit_has(all, "{\"what\":\"value\",\"twin\":\"a\",\"model\":\"dtmi:test:Room;1\",\"property\":\"temperature\","
                 "\"before\":20,\"after\":21.5}");
    kit_has(all, "{\"what\":\"twin\",\"change\":\"made\",\"twin\":\"new\",\"model\":\"dtmi:test:Room;1\",\"values\":{"
                 "\"label\":\"a label that does not fit into a cell\",\"thermostat.setPoint\":20}}");
    kit_has(all, "{\"what\":\"twin\",\"change\":\"deleted\",\"twin\":\"b\"");
    kit_has(all, "{\"what\":\"relationship\",\"change\":\"made\",\"twin\":\"new\",\"relationship\":\"to\","
                 "\"relationshipName\":\"feeds\",\"target\":\"a\",\"values\":{\"flow\":2.5}}");
    kit_has(diff_of(&k, "f", "live"), "\"property\":\"count\",\"before\":6,\"after\":5");
    // Only what is asked for.
    assert_int_equal(differ(&k, &(SosiaDiff){.world = kit_str("f"), .twin = kit_str("a")}), SOSIA_OK);
    kit_has(kit_body(&k), "\"values\":1,\"twinsMade\":0");
    assert_int_equal(differ(&k, &(SosiaDiff){.world = kit_str("f"), .property = kit_str("count")}), SOSIA_OK);
    kit_has(kit_body(&k), "\"changes\":[]");
    assert_int_equal(differ(&k, &(SosiaDiff){.world = kit_str("f"), .model = kit_str("dtmi:test:Thermostat;1")}),
                     SOSIA_OK);
    kit_has(kit_body(&k), "\"changes\":[]");
    assert_int_equal(
        differ(&k, &(SosiaDiff){.world = kit_str("f"), .property = kit_str("temperature"), .tolerance = 1.5}),
        SOSIA_OK);
    kit_has(kit_body(&k), "\"changes\":[]");
    assert_int_equal(differ(&k, &(SosiaDiff){.world = kit_str("live")}), SOSIA_UNSUPPORTED);
    assert_int_equal(differ(&k, &(SosiaDiff){.world = kit_str("nowhere")}), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(differ(&k, &(SosiaDiff){.world = kit_str("f"), .tolerance = -1}), SOSIA_ARGUMENT);
    kit_close(&k);
}

static void pages_of_differences(void **state) {
    (void)state;
    Kit k;
    scene(&k);
    for (int i = 0; i < 25; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%02d", i);
        room_in(&k, "f", id);
    }
    KitText all = {0};
    char token[96] = "";
    int pages = 0;
    do {
        SosiaDiff d = {.world = kit_str("f"), .limit = 10, .token = kit_str(token)};
        assert_int_equal(differ(&k, &d), SOSIA_OK);
        assert_true(kit_count(kit_body(&k), "\"what\"") <= 10);
        kit_add(&all, k.out.body.p, (size_t)k.out.body.n);
        memcpy(token, k.out.token, sizeof token);
        pages++;
    } while (token[0]);
    assert_int_equal(pages, 3);
    for (int i = 0; i < 25; i++) {
        char part[32];
        snprintf(part, sizeof part, "\"twin\":\"n%02d\"", i);
        assert_int_equal(kit_count(all.p, part), 1);
    }
    SosiaDiff other = {.world = kit_str("f"), .against = kit_str("live"), .token = kit_str("d-3-0000")};
    assert_int_equal(differ(&k, &other), SOSIA_TOKEN);
    free(all.p);
    kit_close(&k);
}

static void a_merge_and_its_review(void **state) {
    (void)state;
    Kit k;
    scene(&k);
    set_in(&k, "f", "a", "temperature", "21.5");
    set_in(&k, "f", "a", "count", "7");
    room_in(&k, "f", "new");
    assert_int_equal(link_in(&k, "f", "new", "to", "a"), SOSIA_OK);
    set_in(&k, "", "a", "count", "6");
    // Nothing is done by a look, nor when something is in conflict.
    kit_has(merged(&k, (SosiaMerge){.dry_run = true}), "\"dryRun\":true,\"done\":false,\"merged\":3");
    kit_has(kit_body(&k), "\"property\":\"count\",\"before\":5,\"after\":7,\"there\":6,"
                          "\"why\":\"it has changed there too\"");
    assert_int_equal(merge(&k, (SosiaMerge){0}), SOSIA_WORLD_CONFLICT);
    kit_has(kit_body(&k), "\"conflictCount\":1");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"temperature\":20");
    assert_int_equal(kit_get_in(&k, "", SOSIA_GET_TWIN, "new", ""), SOSIA_TWIN_NOT_FOUND);
    // One value of it.
    SosiaMergeOnly only = {kit_str("a"), kit_str("temperature")};
    kit_has(merged(&k, (SosiaMerge){.only = &only, .only_count = 1}), "\"done\":true,\"merged\":1,\"same\":0");
    assert_true(k.out.seq > 0);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"temperature\":21.5");
    // The rest without what is in conflict.
    kit_has(merged(&k, (SosiaMerge){.skip_conflicts = true}),
            "\"done\":true,\"merged\":2,\"same\":1,\"derived\":0,\"conflictCount\":1");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "new", ""), "\"setPoint\":20");
    kit_has(kit_get(&k, SOSIA_GET_LINK, "new", "to"), "\"flow\":2.5");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"count\":6");
    kit_has(diff_of(&k, "f", "live"), "\"counts\":{\"values\":1,\"twinsMade\":0,\"twinsDeleted\":0,"
                                      "\"relationshipsMade\":0,\"relationshipsDeleted\":0,");
    assert_int_equal(merge(&k, (SosiaMerge){.into = kit_str("f")}), SOSIA_ARGUMENT);
    assert_int_equal(merge(&k, (SosiaMerge){.into = kit_str("live@2026-01-01T00:00:00Z")}), SOSIA_READ_ONLY);
    assert_int_equal(merge(&k, (SosiaMerge){.into = kit_str("no")}), SOSIA_WORLD_NOT_FOUND);
    kit_close(&k);
}

static void whatever_lies_in_the_way(void **state) {
    (void)state;
    Kit k;
    scene(&k);
    room_in(&k, "f", "same"), room_in(&k, "", "same");
    room_in(&k, "f", "other"), room_in(&k, "", "other");
    set_in(&k, "", "other", "count", "1");
    set_in(&k, "f", "b", "count", "3"); // live has deleted it
    assert_int_equal(kit_write_in(&k, "f", SOSIA_LINK_DELETE, "a", "r", ""), SOSIA_OK);
    assert_int_equal(
        kit_write_in(&k, "", SOSIA_LINK_PATCH, "a", "r", "[{\"op\":\"replace\",\"path\":\"/flow\",\"value\":3}]"),
        SOSIA_OK);
    kit_has(merged(&k, (SosiaMerge){.dry_run = true}), "\"merged\":1,\"same\":1,\"derived\":0,\"conflictCount\":2");
    kit_has(kit_body(&k), "\"why\":\"it has changed there since\"");
    kit_has(kit_body(&k), "\"why\":\"another twin of that name was made there\"");
    assert_int_equal(kit_write_in(&k, "", SOSIA_LINK_DELETE, "a", "r", ""), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "", SOSIA_TWIN_DELETE, "b", "", ""), SOSIA_OK);
    kit_has(merged(&k, (SosiaMerge){.dry_run = true}), "\"why\":\"the twin is not there any more\"");
    kit_close(&k);
}

static void definitions_and_models(void **state) {
    (void)state;
    Kit k;
    scene(&k);
    assert_int_equal(
        kit_write_in(&k, "f", SOSIA_MODELS_ADD, "", "",
                     "[{\"@id\":\"dtmi:test:Extra;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
                     "\"contents\":[{\"@type\":\"Property\",\"name\":\"x\",\"schema\":\"double\"}]}]"),
        SOSIA_OK);
    assert_int_equal(
        kit_write_in(&k, "f", SOSIA_TWIN_PUT, "e", "", "{\"$metadata\":{\"$model\":\"dtmi:test:Extra;1\"},\"x\":1.5}"),
        SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "f", SOSIA_DERIVED_PUT, "d", "",
                                  "{\"model\":\"dtmi:test:Room;1\",\"property\":\"big\",\"expression\":\"count * 2\"}"),
                     SOSIA_OK);
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"count\":5");
    kit_lacks(kit_body(&k), "\"big\"");
    kit_has(diff_of(&k, "f", ""), "\"models\":1,\"documents\":1");
    kit_has(kit_body(&k), "{\"what\":\"document\",\"change\":\"made\",\"collection\":\"derived\",\"name\":\"d\"}");
    merged(&k, (SosiaMerge){0});
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "e", ""), "\"x\":1.5");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"big\":10");
    kit_has(diff_of(&k, "f", "live"), "\"changes\":[]");
    // From now on live computes it: what the fork has is left alone.
    set_in(&k, "f", "a", "count", "9");
    kit_has(merged(&k, (SosiaMerge){0}), "\"merged\":1,");
    kit_has(kit_get(&k, SOSIA_GET_TWIN, "a", ""), "\"big\":18");
    kit_close(&k);
}

// ---- by seed ------------------------------------------------------------------------------------------------------

// What a world should be: by twin, -1 none.
typedef struct Want {
    int count[TWINS], big[TWINS];
    bool alive[TWINS], linked[TWINS]; // linked: to the next
} Want;

static void name_of(int i, char out[16]) { snprintf(out, 16, "t%d", i); }

static void drop_links(Kit *k, const char *world, Want *w, int i) {
    char name[16];
    int before = (i + TWINS - 1) % TWINS;
    if (w->linked[i]) {
        name_of(i, name);
        assert_int_equal(kit_write_in(k, world, SOSIA_LINK_DELETE, name, "next", ""), SOSIA_OK);
    }
    if (w->linked[before]) {
        name_of(before, name);
        assert_int_equal(kit_write_in(k, world, SOSIA_LINK_DELETE, name, "next", ""), SOSIA_OK);
    }
    w->linked[i] = w->linked[before] = false;
}

// Something happens to a living twin.
static void step(Kit *k, const char *world, Want *w, int i, Rng *rng) {
    char name[16], next[16], value[16];
    name_of(i, name), name_of((i + 1) % TWINS, next);
    int v = (int)rng_below(rng, 100);
    snprintf(value, sizeof value, "%d", v);
    switch (rng_below(rng, 5)) {
    case 0:
    case 1: set_in(k, world, name, "count", value), w->count[i] = v; break;
    case 2: set_in(k, world, name, "big", value), w->big[i] = v; break;
    case 3:
        if (!w->alive[(i + 1) % TWINS] || w->linked[i]) break;
        assert_int_equal(link_in(k, world, name, "next", next), SOSIA_OK);
        w->linked[i] = true;
        break;
    default:
        drop_links(k, world, w, i);
        assert_int_equal(kit_write_in(k, world, SOSIA_TWIN_DELETE, name, "", ""), SOSIA_OK);
        w->alive[i] = false;
    }
}

static void born(Kit *k, const char *world, Want *w, int i) {
    char name[16];
    name_of(i, name);
    if (w->alive[i]) return;
    assert_int_equal(kit_write_in(k, world, SOSIA_TWIN_PUT, name, "",
                                  "{\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"thermostat\":{\"$metadata\":{}},"
                                  "\"count\":0,\"big\":0}"),
                     SOSIA_OK);
    w->alive[i] = true;
    w->count[i] = w->big[i] = 0;
}

static void edit(Kit *k, const char *world, Want *w, Rng *rng, int parity, int steps) {
    for (int s = 0; s < steps; s++) {
        int i = (int)rng_below(rng, TWINS);
        if (parity >= 0 && (i / 3) % 2 != parity) continue;
        if (rng_below(rng, 4) == 0) born(k, world, w, i);
        else if (w->alive[i]) step(k, world, w, i, rng);
    }
}

static void check(Kit *k, const Want *w, uint64_t seed) {
    for (int i = 0; i < TWINS; i++) {
        char name[16], part[32];
        name_of(i, name);
        SosiaErr err = kit_get_in(k, "", SOSIA_GET_TWIN, name, "");
        if ((err == SOSIA_OK) != w->alive[i]) fail_msg("seed %llu: %s", (unsigned long long)seed, name);
        if (err) continue;
        snprintf(part, sizeof part, "\"count\":%d", w->count[i]);
        kit_has(kit_body(k), part);
        snprintf(part, sizeof part, "\"big\":%d", w->big[i]);
        kit_has(kit_body(k), part);
        err = kit_get_in(k, "", SOSIA_GET_LINK, name, "next");
        if ((err == SOSIA_OK) != w->linked[i]) fail_msg("seed %llu: link of %s", (unsigned long long)seed, name);
    }
}

// Fork and live change different twins: the merge brings all of the fork's, and keeps all of live's.
static void one_seed(uint64_t seed) {
    Kit k;
    Rng rng = rng_make(seed, 7);
    Want base = {0}, want;
    kit_open(&k, &(SosiaOpen){0});
    kit_models(&k);
    edit(&k, "", &base, &rng, -1, 60);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
    Want fork = base, live = base;
    for (int round = 0; round < 3; round++) {
        edit(&k, "f", &fork, &rng, 0, 15);
        edit(&k, "", &live, &rng, 1, 15);
    }
    want = live;
    for (int i = 0; i < TWINS; i++) {
        bool of_fork = (i / 3) % 2 == 0;
        if (of_fork) want.alive[i] = fork.alive[i], want.count[i] = fork.count[i], want.big[i] = fork.big[i];
    }
    SosiaErr err = merge(&k, (SosiaMerge){0});
    bool clear = true; // links between a twin of the one and a twin of the other may be in the way
    for (int i = 0; i < TWINS; i++) {
        int next = (i + 1) % TWINS;
        if ((i / 3) % 2 != (next / 3) % 2 && (fork.linked[i] != base.linked[i] || live.linked[i] != base.linked[i]))
            clear = false;
        want.linked[i] = (fork.linked[i] != base.linked[i] ? fork : live).linked[i];
    }
    if (clear && err) fail_msg("seed %llu: %s", (unsigned long long)seed, kit_body(&k));
    if (!err) {
        check(&k, &want, seed);
        kit_has(merged(&k, (SosiaMerge){.dry_run = true}), "\"merged\":0,");
    } else {
        check(&k, &live, seed);
    }
    kit_close(&k);
}

static void merges_by_seed(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) one_seed(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_as_people_see_them), cmocka_unit_test(pages_of_differences),
        cmocka_unit_test(a_merge_and_its_review),         cmocka_unit_test(whatever_lies_in_the_way),
        cmocka_unit_test(definitions_and_models),         cmocka_unit_test(merges_by_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
