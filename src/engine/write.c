// SPDX-License-Identifier: Apache-2.0
// The writer's side of one command that is one batch: edit, render the result, finish the batch.
#include "engine/points.h"
#include "base/check.h"
#include "engine/definition.h"
#include "engine/run.h"
#include "engine/scenarios.h"
#include "engine/derive.h"
#include "engine/erase.h"
#include "engine/merge.h"
#include "engine/retell.h"
#include "engine/retention.h"
#include "engine/pasts.h"
#include "world/past.h"

// ---- results ------------------------------------------------------------------------------------------------------

// Etag, and the body when asked, of the command's twin as it is now.
static void result_twin(Realm *r, Task *c, bool body) {
    View v = view_writer(r->world);
    TwinId id = view_find_twin(&v, c->id);
    CHECK(id.v);
    etag_of_twin(id, view_twin_time(&v, id), c->etag);
    if (body) show_twin(&v, id, &(ShowOptions){.no_times = c->no_times}, &c->out);
}

static void result_link(Realm *r, Task *c, bool body) {
    View v = view_writer(r->world);
    LinkId id = view_find_link(&v, view_find_twin(&v, c->id), c->sub);
    CHECK(id.v);
    etag_of_link(id, view_link(&v, id).update_time, c->etag);
    if (body) show_link(&v, id, &c->out);
}

// The model data of what the request's array held, in its order.
static void result_models(Realm *r, Task *c) {
    View v = view_writer(r->world);
    const Json *docs = &c->json;
    bool array = docs->type == JSON_ARRAY;
    buf_byte(&c->out, '[');
    for (int32_t i = 0; i < (array ? docs->count : 1); i++) {
        const Json *id = json_get(array ? &docs->items[i] : docs, STR("@id"));
        const Model *m = id && id->type == JSON_STRING ? schema_find(v.catalog->schema, id->s) : NULL;
        CHECK(m);
        if (i) buf_byte(&c->out, ',');
        show_model(&v, m, false, &c->out);
    }
    buf_byte(&c->out, ']');
}

static void result_derived(Realm *r, Task *c) {
    View v = view_writer(r->world);
    CHECK(derive_show(&v, c->id, &c->out) == ERR_OK);
}

static void result_retention(Realm *r, Task *c) {
    View v = view_writer(r->world);
    CHECK(retention_show(&v, c->id, &c->out) == ERR_OK);
}

static void result_definition(Realm *r, Task *c) {
    View v = view_writer(r->world);
    CHECK(definition_show(&v, c->sub, c->id, &c->out) == ERR_OK);
}

static void render(Realm *r, Task *c) {
    switch (c->op) {
    case SOSIA_MODELS_ADD: result_models(r, c); break;
    case SOSIA_TWIN_PUT: result_twin(r, c, true); break;
    case SOSIA_TWIN_PATCH:
    case SOSIA_COMPONENT_PATCH: result_twin(r, c, false); break;
    case SOSIA_LINK_PUT: result_link(r, c, true); break;
    case SOSIA_LINK_PATCH: result_link(r, c, false); break;
    case SOSIA_DERIVED_PUT: result_derived(r, c); break;
    case SOSIA_RETENTION_PUT: result_retention(r, c); break;
    case SOSIA_DEFINITION_PUT: result_definition(r, c); break;
    default: break;
    }
}

// ---- edits --------------------------------------------------------------------------------------------------------

// Runs of checked values go to the world at once, others through the edit floor one by one.
static Err apply_sets(World *w, Task *c, Diag *d) {
    for (int64_t i = 0; i < c->set_count;) {
        int64_t end = i;
        while (end < c->set_count && c->checked[end]) end++;
        int64_t failed = 0;
        if (end > i) {
            Err err = world_do_sets(w, c->sets + i, end - i, &failed);
            if (err == ERR_VALIDATION) return edit_refused(w, &c->sets[i + failed], err, d);
            if (err)
                return diag_add(d, err, -1, -1, (Str){0}, "update %lld: %s", (long long)(i + failed), err_text(err));
        } else {
            TRY(edit_set(w, &c->sets[end++], d));
        }
        i = end;
    }
    return ERR_OK;
}

static Err edit(World *w, Realm *r, Task *c, Diag *d) {
    Precondition pre = {c->if_match, c->if_none_match};
    const Json *j = &c->json;
    switch (c->op) {
    case SOSIA_MODELS_ADD: return edit_models_add(w, j, d);
    case SOSIA_MODEL_PATCH: return edit_model_patch(w, c->id, j, d);
    case SOSIA_MODEL_DELETE: return edit_model_delete(w, c->id, d);
    case SOSIA_TWIN_PUT: return edit_twin_put(w, c->id, j, pre, &c->created, d);
    case SOSIA_TWIN_PATCH: return edit_twin_patch(w, c->id, j, pre, d);
    case SOSIA_TWIN_DELETE: return edit_twin_delete(w, c->id, pre, d);
    case SOSIA_COMPONENT_PATCH: return edit_component_patch(w, c->id, c->sub, j, pre, d);
    case SOSIA_LINK_PUT: return edit_link_put(w, c->id, c->sub, j, pre, &c->created, d);
    case SOSIA_LINK_PATCH: return edit_link_patch(w, c->id, c->sub, j, pre, d);
    case SOSIA_LINK_DELETE: return edit_link_delete(w, c->id, c->sub, pre, d);
    case SOSIA_TELEMETRY: return edit_telemetry(w, c->id, c->sub, c->message_id, j->raw, c->source_time, d);
    case SOSIA_DERIVED_PUT: return derive_put(r, c, d);
    case SOSIA_DERIVED_DELETE: return derive_delete(r, c, d);
    case SOSIA_RETENTION_PUT: return retention_put(r, c, d);
    case SOSIA_RETENTION_DELETE: return retention_delete(r, c, d);
    case SOSIA_DEFINITION_PUT: return definition_put(r, c, d);
    case SOSIA_DEFINITION_DELETE: return definition_delete(r, c, d);
    case OP_APPLY: return apply_sets(w, c, d);
    case OP_RUN: return run_edit(w, c);
    case OP_MERGE: return merge_edit(w, c->merge, d);
    default: return ERR_ARGUMENT; // not an operation of one batch
    }
}

static void run_failed(Sosia *e, Task *c, Err err, const Diag *d) {
    task_fail_diag(c, err, d);
    task_finish(e, c);
}

// What it computes may be more than fits one batch.
static bool defines(int op) {
    return op == SOSIA_DERIVED_PUT || op == SOSIA_DERIVED_DELETE || op == SOSIA_MODELS_ADD || op == SOSIA_MODEL_DELETE;
}

static void run_slices(Sosia *e, Realm *r, Task *c) {
    Diag d;
    diag_init(&d);
    Err err = derive_in_slices(e, r, c, edit, &d);
    if (err) run_failed(e, c, err, &d);
    else {
        render(r, c);
        batch_after(e, r, c);
    }
    diag_free(&d);
}

static void run_batch(Sosia *e, Realm *r, Task *c) {
    Diag d;
    diag_init(&d);
    Err err = ERR_OK;
    if (c->op == OP_RUN) c->time = scenario_next_time(r, c->time);
    if (c->time) err = batch_begin_at(e, r, c->time);
    else batch_begin(e, r);
    if (c->time && !err) derive_ticks(r);
    if (err) {
        task_fail(c, err,
                  r->scenario ? "a batch must be later than what the world has" : "live has its time by itself");
        task_finish(e, c);
        diag_free(&d);
        return;
    }
    err = edit(r->world, r, c, &d);
    if (!err) err = derive_settle(e, r, &d);
    if (world_broken(r->world)) err = world_broken(r->world); // whatever came of what could not be read
    if (!err) {
        render(r, c);
        batch_end(e, r, c->source, c);
    } else {
        world_rollback(r->world);
        if (err == ERR_LIMIT && defines(c->op)) run_slices(e, r, c);
        else run_failed(e, c, err, &d);
    }
    diag_free(&d);
}

// A copy for readers, complete when all of it is visible. While the disk is full only after what is under way was
// undone: else it would go the way of those writes.
// What is copied is live at c->time from now on.
static void settle_at(Sosia *e, Task *c) {
    View v = view_writer(e->live->world);
    int64_t newest = (int64_t)view_meta(&v, META_TIME);
    if (c->time < newest) c->time = newest;
    int64_t rest = c->time % TIME_GRAIN;
    if (rest) c->time += TIME_GRAIN - rest;
    pasts_after(e, c->time);
}

static void run_snapshot(Sosia *e, Realm *r, Task *c) {
    if (atomic_load(&e->degraded)) commit_drain(e);
    c->fork = world_fork(r->world, 0);
    if (c->time && r == e->live) settle_at(e, c);
    if (r->scenario) {
        c->tally.batches = atomic_load(&r->scenario->batches);
        c->tally.batch_bytes = atomic_load(&r->scenario->bytes);
        c->tally.foreign = atomic_load(&r->scenario->foreign);
    }
    if (c->with_base && r->base) c->base = world_fork(r->base, 0);
    batch_after(e, r, c);
}

// A run goes on a little after its world was dropped.
static bool run_of_none(Sosia *e, Realm *r, Task *c) {
    if (c->op != OP_RUN) return false;
    pthread_mutex_lock(&e->worlds_lock);
    bool gone = r->scenario->leaving || r->scenario->dropped;
    pthread_mutex_unlock(&e->worlds_lock);
    if (!gone) return false;
    task_fail(c, ERR_CLOSED, "the world is dropped");
    task_finish(e, c);
    return true;
}

static void run_in(Sosia *e, Realm *r, Task *c) {
    if (run_of_none(e, r, c)) return;
    if (!batch_room(e, r)) CHECK(batch_room(e, r)); // nothing is pending after a failed commit: there is room now
    Err err = derive_resume(e, r);
    if (err) {
        task_fail(c, err, NULL);
        task_finish(e, c);
        return;
    }
    switch (c->op) {
    case SOSIA_INGEST:
    case SOSIA_INGEST_CSV:
    case OP_POINTS: points_run(e, r, c); break;
    case SOSIA_IMPORT: lines_run(e, r, c); break;
    case OP_ERASE: erase_task(e, r, c); break;
    case OP_FORGET: erase_forget_task(e, r, c); break;
    case OP_RETELL: retell_task(e, r, c); break;
    case OP_SNAPSHOT: run_snapshot(e, r, c); break;
    default: run_batch(e, r, c); break;
    }
}

// The world it is about, with a reference; NULL: the command says why not.
static Realm *task_realm(Sosia *e, Task *c) {
    if (c->realm) return realm_ref(c->realm);
    Realm *r = NULL;
    Err err = realm_open(e, c->world, &r);
    if (err == ERR_WORLD_NOT_FOUND) task_fail(c, err, "there is no world \"%.*s\"", STR_ARG(c->world));
    else if (err) task_fail(c, err, NULL);
    return err ? NULL : r;
}

void task_run(Sosia *e, Task *c) {
    Realm *r = NULL;
    if (c->err) task_finish(e, c);
    else if (c->epoch && erase_since(e, c->epoch)) {
        task_fail(c, ERR_BUSY, "something was erased meanwhile: ask again");
        task_finish(e, c);
    } else if (c->op == OP_FORK) world_task_fork(e, c);
    else if (c->op == OP_DROP) world_task_drop(e, c);
    else if (c->op == OP_ITEMS) items_task(e, c);
    else if (c->op == OP_WAKE) task_finish(e, c);
    else if (c->op == OP_SETTLE) pasts_task(e, c);
    else if ((r = task_realm(e, c)) != NULL) {
        run_in(e, r, c);
        realm_unref(r);
    } else {
        task_finish(e, c);
    }
}
