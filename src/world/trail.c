// SPDX-License-Identifier: Apache-2.0
#include "world/trail.h"
#include "world/core.h"

void world_keep_trail(World *w, bool keep) { w->keep_trail = keep; }
Str world_trail(const World *w) { return buf_str(&w->trail); }
void world_take_trail(World *w, Buf *out) {
    Buf mine = w->trail;
    w->trail = *out;
    *out = mine;
    buf_reset(&w->trail);
}
