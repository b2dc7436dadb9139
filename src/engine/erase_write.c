// SPDX-License-Identifier: Apache-2.0
// The writer's part of an erasure: what stands goes, in as many batches as needed, and these tell nothing of it.
#include "engine/erase.h"
#include "base/check.h"
#include "engine/derive.h"
#include "world/forget.h"
#include "world/past.h"

#define LINKS_A_BATCH 500

static Err do_or_tell(World *w, const Change *c, Diag *d) {
    Err err = world_do(w, c);
    return err ? edit_refused(w, c, err, d) : ERR_OK;
}

// A twin has its components, empty or not.
static Err empty_components(World *w, TwinId id, const Table *t, int32_t i, Diag *d) {
    const Field *f = &t->model->fields[i];
    if (f->cell != CELL_COMPONENT) return ERR_OK;
    Change mark = {.kind = CHANGE_SET, .cell = (uint8_t)f->cell, .id = id.v, .col = t->first + (uint32_t)i, .bits = 1};
    TRY(do_or_tell(w, &mark, d));
    for (int32_t k = i + 1; k < f->end; k = t->model->fields[k].end) TRY(empty_components(w, id, t, k, d));
    return ERR_OK;
}

// The twin of the name, if it is among those that are meant: not one that took the name later.
static TwinId find(View *v, const Task *c) {
    TwinId id = view_find_twin(v, c->id);
    for (Cut cut = cut_of(buf_str(&c->items)); cut.p < cut.end;)
        if (cut_u64(&cut) == id.v) return id;
    return (TwinId){0};
}

static Err erase_property(Realm *r, Task *c, Diag *d) {
    World *w = r->world;
    View v = view_writer(w);
    TwinId id = find(&v, c);
    uint32_t col = id.v ? edit_column(w, id, c->sub) : 0;
    if (!col || !view_cell(&v, col, view_twin_place(&v, id).row).valid) return ERR_OK;
    const Table *t = &v.catalog->tables[view_twin_place(&v, id).table];
    TRY(do_or_tell(w, &(Change){.kind = CHANGE_UNSET, .id = id.v, .col = col}, d));
    return empty_components(w, id, t, (int32_t)(col - t->first), d);
}

// Some relationships of a twin; *left: there are more.
static Err erase_links(World *w, TwinId id, bool *left) {
    for (int i = 0; i < LINKS_A_BATCH; i++) {
        View v = view_writer(w);
        LinkId out, in;
        view_twin_links(&v, id, &out, &in);
        *left = out.v || in.v;
        if (!*left) return ERR_OK;
        Err err = world_do(w, &(Change){.kind = CHANGE_LINK_DEL, .id = out.v ? out.v : in.v});
        if (err == ERR_LIMIT && i) return ERR_OK;
        TRY(err);
    }
    return ERR_OK;
}

static Err rename_dead(World *w, uint64_t id) {
    char room[32];
    return world_do(w, &(Change){.kind = CHANGE_ERASED, .id = id, .text = forget_name(id, room)});
}

// One batch of erasing a whole twin.
static Err erase_some(Realm *r, Task *c, bool *left) {
    World *w = r->world;
    View v = view_writer(w);
    TwinId id = find(&v, c);
    *left = false;
    if (id.v) TRY(erase_links(w, id, left));
    if (*left) return ERR_OK;
    if (id.v) {
        TRY(world_do(w, &(Change){.kind = CHANGE_TWIN_DEL, .id = id.v}));
        TRY(rename_dead(w, id.v));
    }
    for (Cut cut = cut_of(buf_str(&c->items)); cut.p < cut.end;) {
        Err err = rename_dead(w, cut_u64(&cut));
        if (err && err != ERR_TWIN_NOT_FOUND && err != ERR_STALE) return err; // not of this world, or it lives there
    }
    return ERR_OK;
}

static void fail(Sosia *e, Realm *r, Task *c, Err err, const Diag *d) {
    world_rollback(r->world);
    task_fail_diag(c, err, d);
    task_finish(e, c);
}

void erase_task(Sosia *e, Realm *r, Task *c) {
    Diag d;
    if (r->base) world_free(r->base); // it has what is to go; history makes it again, without
    r->base = NULL;
    diag_init(&d);
    for (bool left = true; left;) {
        batch_begin(e, r);
        Err err = c->sub.n ? erase_property(r, c, &d) : erase_some(r, c, &left);
        if (c->sub.n) left = false;
        c->source_time = e->batch_time; // the engine's thread wants to know
        if (!err) err = derive_settle(e, r, &d);
        if (err) {
            fail(e, r, c, err, &d);
            break;
        }
        batch_end(e, r, c->source, left ? NULL : c);
        if (left && !batch_room(e, r)) { // a commit failed; what it undid is found again by whoever asks again
            task_fail(c, e->fail_err, NULL);
            task_finish(e, c);
            break;
        }
    }
    diag_free(&d);
}

void erase_forget_task(Sosia *e, Realm *r, Task *c) {
    commit_drain(e);
    Realm *under = r->under;
    if (c->under && world_base(r->world)) {
        world_rebase(r->world, c->under->world);
        r->under = c->under;
        c->under = under;
    }
    derive_renew(r);
    world_forget(r->world);
    buf_free(&e->encode);
    task_finish(e, c);
}
