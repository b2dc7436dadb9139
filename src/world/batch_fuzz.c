// SPDX-License-Identifier: Apache-2.0
// Bytes as a journal: each batch is refused or applied to a world, which stays whole.
#include "world/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Domain *d = domain_new();
    World *w = world_new(d, 1 << 14);
    world_begin(w, 1, 1000);
    Err e = world_do(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()});
    world_end(w);
    world_settle(w, 1);
    BatchHead head;
    for (Cut c = cut_of((Str){(const char *)data, (int64_t)size}); e == ERR_OK && c.p < c.end;) {
        Change change;
        if (batch_decode(&c, &head) != ERR_OK || head.seq <= world_seq(w) || head.time <= world_time(w)) break;
        world_begin(w, head.seq, head.time);
        for (int64_t i = 0; i < head.count && e == ERR_OK; i++) {
            e = change_decode(&c, &change);
            if (e == ERR_OK) (void)(world_do(w, &change) == ERR_OK); // a refused change leaves no trace
        }
        if (e == ERR_OK) world_end(w);
        else world_rollback(w);
    }
    world_verify(w);
    world_free(w);
    domain_free(d);
    return 0;
}
