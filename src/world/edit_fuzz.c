// SPDX-License-Identifier: Apache-2.0
// Fuzz: every line of the input is one edit, a letter and its JSON, applied as a batch to a fork of a small world:
//   P put of a twin   A patch of it   C patch of its component   L put of a relationship   K patch of it
//   V a value by path, "V path JSON"   M models   T telemetry   I a twin of the bulk format
// Afterwards the world verifies, and what it shows can be put again and shows the same values.
#include "base/check.h"
#include "world/test_edit.h"

static Lab lab;

static const char ROOM[] =
    "{'$metadata':{'$model':'dtmi:lab:Room;1'},'temp':1,'count':2,'name':'n','pos':{'x':1,'in':{'z':3},'marks':[1]},"
    "'tags':{'a':'1'},'list':[1,2],'grid':[[1]],'deep':{'k':{'p':1}},'thermo':{'setPoint':20,'box':{'w':1}}}";

static void open_once(void) {
    if (lab.w) return;
    lab_open(&lab);
    CHECK(lab_put(&lab, "r", ROOM) == ERR_OK);
    CHECK(lab_put(&lab, "d", "{'$metadata':{'$model':'dtmi:lab:Desk;1'},'height':1}") == ERR_OK);
    CHECK(lab_link(&lab, "r", "k", "{'$relationshipName':'near','$targetId':'d','weight':1}") == ERR_OK);
    arena_reset(&lab.arena);
}

static Err apply_json(World *w, char kind, const Json *v) {
    Precondition any = {0};
    switch (kind) {
    case 'P': return edit_twin_put(w, STR("r"), v, any, NULL, &lab.diag);
    case 'A': return edit_twin_patch(w, STR("r"), v, any, &lab.diag);
    case 'C': return edit_component_patch(w, STR("r"), STR("thermo"), v, any, &lab.diag);
    case 'L': return edit_link_put(w, STR("r"), STR("k"), v, any, NULL, &lab.diag);
    case 'K': return edit_link_patch(w, STR("r"), STR("k"), v, any, &lab.diag);
    case 'M': return edit_models_add(w, v, &lab.diag);
    case 'I': return edit_import(w, IMPORT_TWINS, v, &lab.diag);
    default: return edit_telemetry(w, STR("r"), STR("thermo"), STR("m"), v->raw, 0, &lab.diag);
    }
}

static Err apply_line(World *w, char kind, Str text) {
    View v = view_writer(w);
    if (kind == 'V') {
        Str path = str_cut(&text, ' ');
        return edit_value(w, view_find_twin(&v, STR("r")), path, text, (int64_t)(text.n & 3), &lab.arena, &lab.diag);
    }
    Json body;
    TRY(json_parse(text, &(JsonLimits){.depth_max = 64}, &lab.arena, &body, NULL));
    return apply_json(w, kind, &body);
}

// What the twin shows is JSON that can be put, and then shows the same values.
static void check_round_trip(World *w, uint64_t seq) {
    View v = view_writer(w);
    TwinId id = view_find_twin(&v, STR("r"));
    Buf before = {0}, after = {0};
    if (!id.v || v.catalog->tables[view_twin_place(&v, id).table].removed) return;
    show_twin(&v, id, NULL, &before);
    Json a, b;
    CHECK(json_parse(buf_str(&before), NULL, &lab.arena, &a, NULL) == ERR_OK);
    world_begin(w, seq, world_time(w) + 100);
    CHECK(edit_twin_put(w, STR("r"), &a, (Precondition){0}, NULL, &lab.diag) == ERR_OK);
    world_end(w);
    world_settle(w, seq);
    v = view_writer(w);
    show_twin(&v, id, NULL, &after);
    CHECK(json_parse(buf_str(&after), NULL, &lab.arena, &b, NULL) == ERR_OK);
    a = lab_plain(&lab, &a);
    b = lab_plain(&lab, &b);
    CHECK(json_equal(&a, &b));
    buf_free(&before);
    buf_free(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    open_once();
    World *w = world_fork(lab.w, 1 << 16);
    uint64_t seq = lab.seq;
    Str rest = {(const char *)data, (int64_t)size};
    for (int lines = 0; rest.n > 0 && lines < 16; lines++) {
        Str line = str_cut(&rest, '\n');
        if (line.n == 0) continue;
        char kind = line.p[0];
        world_begin(w, ++seq, world_time(w) + 100);
        Err e = apply_line(w, kind, str_sub(line, 1, line.n));
        int64_t changes;
        (void)world_batch(w, &changes);
        CHECK(e == ERR_OK || changes == 0 || kind == 'A' || kind == 'C' || kind == 'K' || e == ERR_LIMIT);
        if (e == ERR_OK) world_end(w);
        else world_rollback(w);
        if (e == ERR_OK) world_settle(w, seq);
        else seq--;
        diag_free(&lab.diag);
        diag_init(&lab.diag);
    }
    check_round_trip(w, seq + 1);
    world_verify(w);
    world_free(w);
    arena_reset(&lab.arena);
    return 0;
}
