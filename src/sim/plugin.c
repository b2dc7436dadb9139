// SPDX-License-Identifier: Apache-2.0
// Engines by name, built in or out of shared objects.
#include <dlfcn.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/sim.h"

struct SimRegistry {
    const sim_engine **engines; // by name
    int32_t count;
    void **objects; // dlopen
    int32_t object_count;
};

SimRegistry *sim_registry_new(void) { return mem_alloc(sizeof(SimRegistry)); }

void sim_registry_free(SimRegistry *r) {
    if (!r) return;
    for (int32_t i = 0; i < r->object_count; i++) dlclose(r->objects[i]);
    mem_free(r->objects);
    mem_free(r->engines);
    mem_free(r);
}

static Err role_bad(const sim_engine *e, uint32_t i, Diag *d, const char *why) {
    const char *name = e->roles[i].name;
    return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(e->name), "its role %u (%s) %s", i, name ? name : "", why);
}

static Err roles_good(const sim_engine *e, Diag *d) {
    for (uint32_t i = 0; i < e->role_count; i++) {
        const sim_role *r = &e->roles[i];
        if (!r->name || !*r->name) return role_bad(e, i, d, "has no name");
        if (!r->unit) return role_bad(e, i, d, "has no unit: \"\" stands for none");
        if (r->type > SIM_SYMBOL) return role_bad(e, i, d, "is of an unknown type");
        if (!(r->dir & 15) || r->dir > 15) return role_bad(e, i, d, "is neither input nor output");
        for (uint32_t k = 0; k < i; k++) {
            if (str_eq(str_of(r->name), str_of(e->roles[k].name))) return role_bad(e, i, d, "is there twice");
        }
    }
    return ERR_OK;
}

Err sim_registry_add(SimRegistry *r, const sim_engine *e, Diag *d) {
    if (e->abi != SOSIA_ENGINE_ABI)
        return diag_add(d, ERR_ARGUMENT, -1, -1, STR("engine"), "its interface is %u, and this is %d", e->abi,
                        SOSIA_ENGINE_ABI);
    if (!e->name || !*e->name) return diag_add(d, ERR_ARGUMENT, -1, -1, STR("engine"), "it has no name");
    if (!e->react) return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(e->name), "it has no react");
    if (e->roles) TRY(roles_good(e, d));
    if (sim_registry_find(r, str_of(e->name)))
        return diag_add(d, ERR_EXISTS, -1, -1, str_of(e->name), "an engine of that name is there");
    r->engines = mem_grow(r->engines, ((size_t)r->count + 1) * sizeof *r->engines);
    int32_t at = r->count++;
    for (; at > 0 && str_cmp(str_of(e->name), str_of(r->engines[at - 1]->name)) < 0; at--)
        r->engines[at] = r->engines[at - 1];
    r->engines[at] = e;
    return ERR_OK;
}

static Err add_object(SimRegistry *r, void *object, Str path, Diag *d) {
    void *symbol = dlsym(object, SIM_ENGINE_ENTRY);
    sim_engine_entry entry;
    if (!symbol) return diag_add(d, ERR_IO, -1, -1, path, "it has no function %s", SIM_ENGINE_ENTRY);
    memcpy(&entry, &symbol, sizeof entry); // POSIX: a function's address as an object's
    const sim_engine *e = entry();
    if (!e) return diag_add(d, ERR_ARGUMENT, -1, -1, path, "it gives no engine");
    return sim_registry_add(r, e, d);
}

Err sim_plugin_open(SimRegistry *r, Str path, Diag *d) {
    Buf z = {0};
    buf_str_put(&z, path);
    buf_byte(&z, 0);
    void *object = dlopen(z.p, RTLD_NOW | RTLD_LOCAL);
    buf_free(&z);
    if (!object) return diag_add(d, ERR_IO, -1, -1, path, "it cannot be opened: %s", dlerror());
    Err e = add_object(r, object, path, d);
    if (e != ERR_OK) {
        dlclose(object);
        return e;
    }
    r->objects = mem_grow(r->objects, ((size_t)r->object_count + 1) * sizeof *r->objects);
    r->objects[r->object_count++] = object;
    return ERR_OK;
}

const sim_engine *sim_registry_find(const SimRegistry *r, Str name) {
    for (int32_t i = 0; i < r->count; i++) {
        if (str_eq(str_of(r->engines[i]->name), name)) return r->engines[i];
    }
    return NULL;
}

int32_t sim_registry_count(const SimRegistry *r) { return r->count; }

const sim_engine *sim_registry_at(const SimRegistry *r, int32_t i) {
    CHECK(i >= 0 && i < r->count);
    return r->engines[i];
}
