// SPDX-License-Identifier: Apache-2.0
// Definitions for simulation, by collection and name: the collection is the first segment of the path.
#include "serve/own.h"

static Str collection(const Call *c) {
    Str path = str_sub(str_of(c->route->path), 1, (int64_t)strlen(c->route->path));
    for (int64_t i = 0; i < path.n; i++)
        if (path.p[i] == '/') return str_sub(path, 0, i);
    return path;
}

void own_definition_list(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_DEFINITION);
    r.sub = collection(c);
    call_list(c, &r);
}

void own_definition_get(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_DEFINITION);
    r.sub = collection(c);
    call_get(c, &r);
}

void own_definition_put(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_DEFINITION_PUT);
    w.sub = collection(c);
    call_write(c, &w, 200);
}

void own_definition_delete(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_DEFINITION_DELETE);
    w.sub = collection(c);
    call_write(c, &w, 204);
}
