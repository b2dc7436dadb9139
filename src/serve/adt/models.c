// SPDX-License-Identifier: Apache-2.0
#include "serve/adt/adt.h"

#define DEPENDENCIES_MAX 1024

// dependenciesFor comes repeated (Python), as one comma list (JavaScript), or both. False when it was answered.
static bool read_dependencies(Call *c, SosiaRead *r) {
    Str *ids = NULL;
    Str rest = c->view->query, list;
    while (call_param_next(c, &rest, STR("dependenciesFor"), &list)) {
        while (list.n > 0) {
            Str id = str_trim(str_cut(&list, ','));
            if (id.n == 0) continue;
            if (!ids) ids = http_alloc(c->req, DEPENDENCIES_MAX * (int64_t)sizeof *ids);
            if (r->id_count == DEPENDENCIES_MAX) {
                call_failf(c, ERR_LIMIT, "dependenciesFor names more than %d models.", DEPENDENCIES_MAX);
                return false;
            }
            ids[r->id_count++] = id;
        }
    }
    r->ids = ids;
    return true;
}

void adt_models(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_MODELS);
    r.definition = call_param_bool(c, STR("includeModelDefinition"));
    if (read_dependencies(c, &r)) call_list(c, &r);
}

void adt_model_get(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_MODEL);
    r.definition = call_param_bool(c, STR("includeModelDefinition"));
    call_get(c, &r);
}

void adt_models_add(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_MODELS_ADD);
    Str text = str_trim(w.body);
    if (text.n == 0 || text.p[0] != '[') { // the engine also takes a single interface; the dialect does not
        call_failf(c, ERR_ARGUMENT, "The body must be a JSON array of DTDL interfaces.");
        return;
    }
    call_write(c, &w, 201);
}

void adt_model_patch(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_MODEL_PATCH);
    call_write(c, &w, 204);
}

void adt_model_delete(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_MODEL_DELETE);
    call_write(c, &w, 204);
}
